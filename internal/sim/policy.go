package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// policy is what somebody may do: the policy of an identity, or the session
// policy that says what a session may do at most.
type policy struct{ statements []statement }

type statement struct {
	deny       bool
	actions    []string // lower case, with wildcards
	resources  []string
	conditions []condition
}

// condition compares the values of a key with its own, any of which will do.
type condition struct {
	operator string
	key      string // lower case
	values   []string
}

// facts are what conditions see of a request: the values of each key, which is in
// lower case.
type facts map[string][]string

// The keys of conditions. The time is the simulated clock.
const (
	currentTime     = "aws:currenttime"
	requestedRegion = "aws:requestedregion"
	tagKeys         = "aws:tagkeys"
	requestTag      = "aws:requesttag/" // with the key of the tag behind
)

// knownKey reports whether the simulator has facts under a key.
func knownKey(key string) bool {
	switch key {
	case requestedRegion, tagKeys, "ec2:region":
		return true
	}
	return strings.HasPrefix(key, requestTag)
}

type decision int

const (
	unmentioned decision = iota // no statement is about it: denied
	allowed
	denied
)

// operators are the condition operators the simulator knows, as functions of one
// value of the request and one of the condition. An unknown one is refused when
// the policy is given: ignoring it would grant too much.
var operators = map[string]func(have, want string) bool{
	"StringEquals": func(have, want string) bool { return have == want },
	"StringLike":   func(have, want string) bool { return wildcard(want, have) },
}

// dateOperators compare aws:CurrentTime.
var dateOperators = map[string]func(now, value time.Time) bool{
	"DateLessThan":          func(now, v time.Time) bool { return now.Before(v) },
	"DateLessThanEquals":    func(now, v time.Time) bool { return !now.After(v) },
	"DateGreaterThan":       func(now, v time.Time) bool { return now.After(v) },
	"DateGreaterThanEquals": func(now, v time.Time) bool { return !now.Before(v) },
}

// forAll before an operator wants every value of the request to match, which is
// true of none (IAM user guide, "Multivalued context keys").
const forAll = "ForAllValues:"

// texts is a JSON string or a list of strings.
type texts []string

func (t *texts) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(t))
}

type statementWire struct {
	Sid       string
	Effect    string
	Action    texts
	Resource  texts
	Condition map[string]map[string]texts
}

// parsePolicy reads the part of the IAM policy grammar the simulator evaluates
// and refuses the rest (NotAction, Principal, other conditions).
func parsePolicy(text string) (*policy, error) {
	var doc struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if err := strict(text, &doc); err != nil {
		return nil, fmt.Errorf("syntax errors in policy: %w", err)
	}
	if doc.Version != "" && doc.Version != "2012-10-17" && doc.Version != "2008-10-17" {
		return nil, fmt.Errorf("the policy has the unknown version %q", doc.Version)
	}
	list := []statementWire{{}}
	if strings.HasPrefix(string(doc.Statement), "[") {
		list = nil
		if err := strict(string(doc.Statement), &list); err != nil {
			return nil, fmt.Errorf("syntax errors in policy: %w", err)
		}
	} else if err := strict(string(doc.Statement), &list[0]); err != nil {
		return nil, fmt.Errorf("syntax errors in policy: statement: %w", err)
	}
	if len(list) == 0 {
		return nil, errors.New("the policy has no statement")
	}
	p := &policy{}
	for i, w := range list {
		s, err := w.statement()
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		p.statements = append(p.statements, s)
	}
	return p, nil
}

func strict(text string, into any) error {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if dec.More() {
		return errors.New("more than one JSON value")
	}
	return nil
}

func (w statementWire) statement() (statement, error) {
	s := statement{resources: w.Resource}
	switch w.Effect {
	case "Allow":
	case "Deny":
		s.deny = true
	default:
		return s, fmt.Errorf("effect %q: want Allow or Deny", w.Effect)
	}
	if len(w.Action) == 0 || len(w.Resource) == 0 {
		return s, errors.New("want at least one Action and one Resource")
	}
	for _, a := range w.Action {
		if a != "*" && !strings.Contains(a, ":") {
			return s, fmt.Errorf("action %q is not of the form service:operation", a)
		}
		s.actions = append(s.actions, strings.ToLower(a))
	}
	for _, r := range w.Resource {
		if r != "*" && !strings.HasPrefix(r, "arn:") {
			return s, fmt.Errorf("resource %q must be in ARN format or *", r)
		}
	}
	for operator, keys := range w.Condition {
		for key, values := range keys {
			c := condition{operator, strings.ToLower(key), values}
			if err := c.check(); err != nil {
				return s, err
			}
			s.conditions = append(s.conditions, c)
		}
	}
	return s, nil
}

func (c condition) check() error {
	dates := dateOperators[c.operator] != nil
	switch {
	case !dates && operators[strings.TrimPrefix(c.operator, forAll)] == nil:
		return fmt.Errorf("the simulator does not know the condition operator %q", c.operator)
	case dates != (c.key == currentTime) || !dates && !knownKey(c.key):
		return fmt.Errorf("the simulator does not know the condition key %q for %s", c.key, c.operator)
	case !dates:
		return nil
	}
	for _, v := range c.values {
		if _, err := time.Parse(time.RFC3339, v); err != nil {
			return fmt.Errorf("%s: %q is not a time such as 2026-11-23T03:04:05Z", c.operator, v)
		}
	}
	return nil
}

// decide evaluates the policy: an explicit deny wins, and what is not allowed
// is not allowed.
func (p *policy) decide(action, resource string, now time.Time, f facts) decision {
	d := unmentioned
	for _, s := range p.statements {
		if !s.covers(action, resource, now, f) {
			continue
		}
		if s.deny {
			return denied
		}
		d = allowed
	}
	return d
}

func (s statement) covers(action, resource string, now time.Time, f facts) bool {
	return anyMatch(s.actions, strings.ToLower(action)) && anyMatch(s.resources, resource) &&
		!slices.ContainsFunc(s.conditions, func(c condition) bool { return !c.holds(now, f) })
}

func (c condition) holds(now time.Time, f facts) bool {
	if compare := dateOperators[c.operator]; compare != nil {
		return slices.ContainsFunc(c.values, func(v string) bool {
			at, err := time.Parse(time.RFC3339, v)
			return err == nil && compare(now, at)
		})
	}
	operator, all := strings.CutPrefix(c.operator, forAll)
	compare := operators[operator]
	fits := func(have string) bool {
		return slices.ContainsFunc(c.values, func(want string) bool { return compare(have, want) })
	}
	if all {
		return !slices.ContainsFunc(f[c.key], func(have string) bool { return !fits(have) })
	}
	return slices.ContainsFunc(f[c.key], fits)
}

func anyMatch(patterns []string, text string) bool {
	for _, p := range patterns {
		if wildcard(p, text) {
			return true
		}
	}
	return false
}

// wildcard matches text against a pattern in which * stands for any characters
// and ? for one.
func wildcard(pattern, text string) bool {
	star, mark := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
