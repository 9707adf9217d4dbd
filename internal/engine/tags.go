package engine

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"unicode/utf8"

	"bursar/internal/purchase"
	"bursar/internal/recommend"
)

// fillTags freezes the tags of a draft. The error names the place in the input of
// what does not fit.
func fillTags(p *purchase.Plan, d recommend.Draft, templates purchase.Tags) (purchase.Tags, error) {
	if len(templates) == 0 {
		return nil, nil
	}
	tags, err := templates.Fill(map[string]string{
		purchase.TagPurpose: d.Purpose, purchase.TagPlanName: p.Name, purchase.TagVersion: strconv.Itoa(p.Version), purchase.TagRequester: p.Requester,
		purchase.TagAccount: string(d.Account), purchase.TagService: string(d.Service), purchase.TagTerm: d.Term.String(),
	})
	var wrong *purchase.TagError
	if errors.As(err, &wrong) {
		field := wrong.From
		switch field {
		case purchase.TagPlanName:
			field = "name"
		case "":
			field = "tags"
		}
		return nil, at(d, field, err)
	}
	return tags, err
}

// nameApprovers tests the names of the people who may approve the plan against
// the tags that would hold them. Where anybody may, their decision is tested.
func nameApprovers(p *purchase.Plan, drafts []recommend.Draft) error {
	var may []string
	for _, name := range p.Approvals.Approvers {
		if p.Approvals.May(name, p.Requester) {
			may = append(may, name)
		}
	}
	if len(may) == 0 {
		return nil
	}
	slices.SortStableFunc(may, func(a, b string) int { return cmp.Compare(utf8.RuneCountInString(b), utf8.RuneCountInString(a)) })
	for i, l := range p.Lines {
		if !l.Spec.Tags.NameApprovers() {
			continue
		}
		for _, name := range may {
			if err := l.CheckApprovers([]string{name}); err != nil {
				return at(drafts[i], "tags", err)
			}
		}
		if err := l.CheckApprovers(may[:p.Approvals.Needed]); err != nil {
			return at(drafts[i], "tags", err)
		}
	}
	return nil
}
