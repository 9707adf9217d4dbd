package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"unicode/utf8"

	"bursar/internal/driver"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/store"
)

// tag tags what has become active of the services whose purchases take no tags.
// It is tried once: a fact is new once, and a tag is a claim that nothing rests on.
func (e *Engine) tag(ctx context.Context, news []store.Fact) {
	for _, f := range news {
		if f.Kind != store.FactActive {
			continue
		}
		if err := e.tagOne(ctx, f); err != nil {
			e.Log.Warn("the commitment keeps no tags: give them to it in the console of the cloud", "line", f.Line, "commitment", f.Commitment.ID, "error", err)
		}
	}
}

func (e *Engine) tagOne(ctx context.Context, f store.Fact) error {
	svc, err := e.Clouds.Service(f.Commitment.Lane)
	if err != nil {
		return err
	}
	tagger, ok := svc.(driver.Tagger)
	if !ok {
		return nil
	}
	row, err := e.DB.Row(ctx, f.Line)
	if err != nil {
		return err
	}
	return tagger.Tag(ctx, driver.Request{Account: row.Line.Spec.Account, Tags: row.Line.Tagged(row.Approvers)}, f.Commitment)
}

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
