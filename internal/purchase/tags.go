package purchase

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Tags are what a purchase is tagged with in the cloud, by key. They are claims
// for people: no guard reads them.
//
// In the configuration the values are templates. In a Spec all is filled in but
// {plan} and {line}, because a digest covers no ids, and {approvers}, who are known
// once they have approved. In an Intent nothing is left to fill in.
type Tags map[string]string

// Tags that every purchase carries. Keys with their prefix are ours alone: the
// driver of Savings Plans adds bursar:identity.
const (
	tagPlan = "bursar:plan"
	tagLine = "bursar:line"
)

// Bounds that fit every service that takes tags with a purchase: a resource has 50
// tags at most, some of which are ours (Tagging AWS Resources User Guide). Lengths
// are in characters.
const (
	MaxTags     = 40
	maxTagKey   = 128
	maxTagValue = 256
)

// Placeholders of a template that name a text of the plan or of the line.
const (
	TagPurpose   = "purpose"
	TagPlanName  = "plan_name"
	TagVersion   = "version"
	TagRequester = "requester"
	TagAccount   = "account"
	TagService   = "service"
	TagTerm      = "term"
)

// Placeholders that stay in the tags of a Spec.
const (
	holdPlan      = "{plan}"
	holdLine      = "{line}"
	holdApprovers = "{approvers}"
)

var (
	placeholders = []string{TagPurpose, "plan", TagPlanName, TagVersion, TagRequester, "approvers", "line", TagAccount, TagService, TagTerm}
	placeholder  = regexp.MustCompile(`\{[^{}]*\}`)
)

// TagError says what is wrong with one tag.
type TagError struct {
	Key string
	// From is the placeholder whose text does not fit; "" if the tag as a whole does
	// not.
	From    string
	Problem string
}

func (e *TagError) Error() string { return fmt.Sprintf("tag %s: %s", e.Key, e.Problem) }

// CheckTemplates tests everything that can be known of templates before they are
// filled in. The error is a *TagError about the first key in alphabetical order.
func (t Tags) CheckTemplates() error {
	if len(t) > MaxTags {
		return fmt.Errorf("there are %d tags: use %d at most, so that every service takes them", len(t), MaxTags)
	}
	for _, key := range slices.Sorted(maps.Keys(t)) {
		if problem := keyProblem(key); problem != "" {
			return &TagError{Key: key, Problem: problem}
		}
		text := t[key]
		for _, p := range placeholder.FindAllString(text, -1) {
			if !slices.Contains(placeholders, strings.Trim(p, "{}")) {
				return &TagError{Key: key, Problem: fmt.Sprintf("%s is not a placeholder: use {%s}", p, strings.Join(placeholders, "}, {"))}
			}
		}
		if text == "" {
			return &TagError{Key: key, Problem: "has no text: write one, or leave the tag out"}
		}
		if problem := textProblem(placeholder.ReplaceAllString(text, "")); problem != "" {
			return &TagError{Key: key, Problem: problem}
		}
	}
	return nil
}

// reservedPrefixes are what keys do not begin with, in any case; nor do values of
// RDS, but for ours (RDS API reference, Tag).
var reservedPrefixes = []string{"aws:", "rds:"}

func keyProblem(key string) string {
	lower := strings.ToLower(key)
	switch {
	case key == "":
		return "has no name: write a key before the colon"
	case strings.HasPrefix(lower, "bursar:"):
		return "is one of Bursar's own keys: use one that does not begin with \"bursar:\""
	case hasReserved(lower):
		return fmt.Sprintf("is one of the cloud's own keys: use one that does not begin with %q", lower[:4])
	case utf8.RuneCountInString(key) > maxTagKey:
		return fmt.Sprintf("the key has %d characters: use %d at most", utf8.RuneCountInString(key), maxTagKey)
	}
	return characterProblem(key)
}

func hasReserved(lower string) bool {
	return slices.ContainsFunc(reservedPrefixes, func(p string) bool { return strings.HasPrefix(lower, p) })
}

// textProblem says why a text cannot be a tag's value; "" if it can.
func textProblem(text string) string {
	switch n := utf8.RuneCountInString(text); {
	case n > maxTagValue:
		return fmt.Sprintf("the text has %d characters: use %d at most", n, maxTagValue)
	case hasReserved(strings.ToLower(text)):
		return fmt.Sprintf("the text begins with %q, which only the cloud's own do: begin with something else", text[:4])
	}
	return characterProblem(text)
}

// characterProblem finds the first character that not every service takes.
func characterProblem(text string) string {
	for _, c := range text {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune(" _.:/=+-@", c) {
			return fmt.Sprintf("%q cannot stand in a tag: use letters, digits, spaces and _ . : / = + - @", c)
		}
	}
	return ""
}

// Fill returns the tags of a line as its Spec has them. texts are by placeholder
// and need not hold those that stay. The error is a *TagError: a text that is
// needed and empty, or does not fit as it is; nothing is cut or replaced.
func (t Tags) Fill(texts map[string]string) (Tags, error) {
	if len(t) == 0 {
		return nil, nil
	}
	filled := make(Tags, len(t))
	for _, key := range slices.Sorted(maps.Keys(t)) {
		text, from, problem := fillOne(t[key], texts)
		if problem != "" {
			return nil, &TagError{Key: key, From: from, Problem: problem}
		}
		filled[key] = text
	}
	return filled, nil
}

// fillOne fills in one template, or says what is wrong with the text of which
// placeholder.
func fillOne(template string, texts map[string]string) (text, from, problem string) {
	text = placeholder.ReplaceAllStringFunc(template, func(p string) string {
		name := strings.Trim(p, "{}")
		switch wrong := characterProblem(texts[name]); {
		case p == holdPlan, p == holdLine, p == holdApprovers:
			return p
		case problem != "":
		case texts[name] == "":
			from, problem = name, fmt.Sprintf("holds %s, and there is none: write it, or take it out of the configuration", p)
		case wrong != "":
			from, problem = name, wrong
		}
		return texts[name]
	})
	if problem != "" {
		return "", from, problem
	}
	const id = "00000000000000000000000000" // as long as every id
	if problem = textProblem(finish(text, id, id, "")); problem != "" {
		for _, name := range []string{TagPurpose, TagPlanName, TagRequester} {
			if strings.Contains(template, "{"+name+"}") && len(texts[name]) > len(texts[from]) {
				from = name
			}
		}
	}
	return text, from, problem
}

// finish fills in what stays in a Spec.
func finish(text string, plan PlanID, line LineID, approvers string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	return strings.NewReplacer(holdPlan, string(plan), holdLine, string(line), holdApprovers, approvers).Replace(text)
}

// NameApprovers reports whether a tag holds who approved.
func (t Tags) NameApprovers() bool {
	for _, text := range t {
		if strings.Contains(text, holdApprovers) {
			return true
		}
	}
	return false
}

// CheckApprovers tests that the tags of a line can name these people. The error is
// a *TagError.
func (l Line) CheckApprovers(names []string) error {
	for _, key := range slices.Sorted(maps.Keys(l.Spec.Tags)) {
		if text := l.Spec.Tags[key]; strings.Contains(text, holdApprovers) {
			if problem := textProblem(finish(text, l.Plan, l.ID, joined(names))); problem != "" {
				return &TagError{Key: key, From: "approvers", Problem: fmt.Sprintf("it names the approvers, %s, and %s", strings.Join(names, ", "), problem)}
			}
		}
	}
	return nil
}

// joined is a list of people in a tag.
func joined(names []string) string { return strings.Join(slices.Sorted(slices.Values(names)), "+") }

// ApprovedBy returns the people who said yes, in the order of the decisions.
func ApprovedBy(decisions []Decision) []string {
	var names []string
	for _, d := range decisions {
		if d.Approve {
			names = append(names, d.By)
		}
	}
	return names
}

// Tagged returns what the purchase of the line is tagged with. As long as nobody
// has approved, {approvers} stays.
func (l Line) Tagged(approvers []string) Tags {
	tags := make(Tags, 2+len(l.Spec.Tags))
	if len(l.Spec.Tags) > 0 {
		people := holdApprovers
		if len(approvers) > 0 {
			people = joined(approvers)
		}
		for key, text := range l.Spec.Tags {
			tags[key] = finish(text, l.Plan, l.ID, people)
		}
	}
	tags[tagPlan], tags[tagLine] = string(l.Plan), string(l.ID)
	return tags
}
