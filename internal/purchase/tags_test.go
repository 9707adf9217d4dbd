package purchase

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
)

func TestTagTemplates(t *testing.T) {
	many := Tags{}
	for i := range MaxTags + 1 {
		many[fmt.Sprint(i)] = "x"
	}
	for _, tc := range []struct {
		name string
		tags Tags
		want string // "" is no error
	}{
		{"none", nil, ""},
		{"all placeholders", Tags{"a": "{purpose}{plan}{plan_name}{version}{requester}{approvers}{line}{account}{service}{term}"}, ""},
		{"all characters", Tags{"Größe 1_.:/=+-@": "Zürich 1_.:/=+-@"}, ""},
		{"longest", Tags{strings.Repeat("ü", 128): strings.Repeat("ü", 256)}, ""},
		{"too many", many, "there are 41 tags: use 40 at most, so that every service takes them"},
		{"no key", Tags{"": "x"}, "tag : has no name: write a key before the colon"},
		{"long key", Tags{strings.Repeat("k", 129): "x"}, "tag " + strings.Repeat("k", 129) + ": the key has 129 characters: use 128 at most"},
		{"odd key", Tags{"a,b": "x"}, "tag a,b: ',' cannot stand in a tag: use letters, digits, spaces and _ . : / = + - @"},
		{"ours", Tags{"bursar:line": "x"}, `tag bursar:line: is one of Bursar's own keys: use one that does not begin with "bursar:"`},
		{"ours in capitals", Tags{"BURSAR:identity": "x"}, `tag BURSAR:identity: is one of Bursar's own keys: use one that does not begin with "bursar:"`},
		{"the cloud's", Tags{"aws:x": "x"}, `tag aws:x: is one of the cloud's own keys: use one that does not begin with "aws:"`},
		{"of RDS", Tags{"rds:x": "x"}, `tag rds:x: is one of the cloud's own keys: use one that does not begin with "rds:"`},
		{"no text", Tags{"a": ""}, "tag a: has no text: write one, or leave the tag out"},
		{"the cloud's text", Tags{"a": "aws:x"}, `tag a: the text begins with "aws:", which only the cloud's own do: begin with something else`},
		{"long text", Tags{"a": strings.Repeat("x", 257)}, "tag a: the text has 257 characters: use 256 at most"},
		{"unknown placeholder", Tags{"a": "{Purpose}"}, "tag a: {Purpose} is not a placeholder: use {purpose}, {plan}, {plan_name}, {version}, {requester}, {approvers}, {line}, {account}, {service}, {term}"},
		{"brace", Tags{"a": "x}"}, "tag a: '}' cannot stand in a tag: use letters, digits, spaces and _ . : / = + - @"},
		{"brace in a brace", Tags{"a": "{{purpose}}"}, "tag a: '{' cannot stand in a tag: use letters, digits, spaces and _ . : / = + - @"},
		{"control", Tags{"a": "x\ty"}, `tag a: '\t' cannot stand in a tag: use letters, digits, spaces and _ . : / = + - @`},
		{"the first of two", Tags{"b": "", "a": "!"}, "tag a: '!' cannot stand in a tag: use letters, digits, spaces and _ . : / = + - @"},
	} {
		got := ""
		if err := tc.tags.CheckTemplates(); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// texts are those of a line, with changes.
func texts(change ...string) map[string]string {
	m := map[string]string{
		TagPurpose: "orders", TagPlanName: "March fleet", TagVersion: "2", TagRequester: "ana",
		TagAccount: "111122223333", TagService: "rds", TagTerm: "1y",
	}
	for i := 0; i < len(change); i += 2 {
		m[change[i]] = change[i+1]
	}
	return m
}

func TestTagsAreFilledOrRefused(t *testing.T) {
	for _, tc := range []struct {
		template   string
		texts      map[string]string
		want       string
		from, says string
	}{
		{template: "x", want: "x"},
		{template: "{purpose}/{plan_name}/{version}/{requester}", want: "orders/March fleet/2/ana"},
		{template: "{account} {service} {term}", want: "111122223333 rds 1y"},
		{template: "{plan} {line} {approvers}", want: "{plan} {line} {approvers}"},
		{template: "{purpose}", texts: texts(TagPurpose, ""), from: TagPurpose, says: "holds {purpose}, and there is none: write it, or take it out of the configuration"},
		{template: "{plan_name} {purpose}", texts: texts(TagPurpose, "a&b"), from: TagPurpose, says: "'&' cannot stand in a tag: use letters, digits, spaces and _ . : / = + - @"},
		{template: "{purpose}", texts: texts(TagPurpose, "{line}"), from: TagPurpose, says: "'{' cannot stand in a tag: use letters, digits, spaces and _ . : / = + - @"},
		{template: "{purpose}", texts: texts(TagPurpose, strings.Repeat("x", 256)), want: strings.Repeat("x", 256)},
		{template: "{requester}{purpose}", texts: texts(TagPurpose, strings.Repeat("x", 254)), from: TagPurpose, says: "the text has 257 characters: use 256 at most"},
		{template: "{plan_name}{line}", texts: texts(TagPlanName, strings.Repeat("x", 231)), from: TagPlanName, says: "the text has 257 characters: use 256 at most"},
		{template: "{plan_name}{line}", texts: texts(TagPlanName, strings.Repeat("x", 230)), want: strings.Repeat("x", 230) + "{line}"},
		{template: "{purpose}", texts: texts(TagPurpose, "AWS: it"), from: TagPurpose, says: `the text begins with "AWS:", which only the cloud's own do: begin with something else`},
		{template: strings.Repeat("{line}", 10), says: "the text has 260 characters: use 256 at most"},
	} {
		if tc.texts == nil {
			tc.texts = texts()
		}
		got, err := Tags{"k": tc.template}.Fill(tc.texts)
		var wrong *TagError
		switch {
		case tc.says == "" && (err != nil || got["k"] != tc.want):
			t.Errorf("%s: %q, %v, want %q", tc.template, got["k"], err, tc.want)
		case tc.says != "" && (!errors.As(err, &wrong) || *wrong != TagError{"k", tc.from, tc.says}):
			t.Errorf("%s: %q, %v, want %s of %q", tc.template, got["k"], err, tc.says, tc.from)
		}
	}
	if got, err := Tags(nil).Fill(nil); got != nil || err != nil {
		t.Errorf("no templates: %v, %v", got, err)
	}
}

// The stored request has the tags of the line, and ours whatever the line says.
func TestTheRequestIsTagged(t *testing.T) {
	row := lineIn(Ready)
	row.Line.Spec.Tags = Tags{"team": "shop", "trace": "{plan}/{line}", "who": "{approvers}", tagLine: "another"}
	row.Approvers = []string{"grace", "Ada", "bob"}
	want := Tags{
		"team": "shop", "trace": string(testPlan) + "/" + string(testLine), "who": "Ada+bob+grace",
		tagPlan: string(testPlan), tagLine: string(testLine),
	}
	if diff := cmp.Diff(want, row.Intent(t0).Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if got := row.Line.Tagged(nil)["who"]; got != "{approvers}" {
		t.Errorf("before anybody approves: %q", got)
	}
	if diff := cmp.Diff([]string{"grace", "Ada", "bob"}, row.Approvers); diff != "" {
		t.Errorf("the names were put in order (-want +got):\n%s", diff)
	}
}

func TestTagsNameApprovers(t *testing.T) {
	l := lineIn(Ready).Line
	l.Spec.Tags = Tags{"a": "x!", "team": "shop"}
	if err := l.CheckApprovers([]string{"O!Neil"}); err != nil || l.Spec.Tags.NameApprovers() {
		t.Errorf("no tag names them: %v", err)
	}
	l.Spec.Tags["who"] = "by {approvers}"
	if err := l.CheckApprovers([]string{"grace", strings.Repeat("x", 247)}); err != nil || !l.Spec.Tags.NameApprovers() {
		t.Errorf("256 characters: %v", err)
	}
	for want, names := range map[string][]string{
		"it names the approvers, grace, O!Neil, and '!' cannot stand in a tag: use letters, digits, spaces and _ . : / = + - @": {"grace", "O!Neil"},
		"it names the approvers, grace, " + strings.Repeat("x", 248) + ", and the text has 257 characters: use 256 at most":     {"grace", strings.Repeat("x", 248)},
	} {
		var wrong *TagError
		if err := l.CheckApprovers(names); !errors.As(err, &wrong) || *wrong != (TagError{"who", "approvers", want}) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	ds := []Decision{{By: "bob", Approve: true}, {By: "eve"}, {By: "ada", Approve: true}}
	if diff := cmp.Diff([]string{"bob", "ada"}, ApprovedBy(ds)); diff != "" {
		t.Errorf("approved by (-want +got):\n%s", diff)
	}
}

// The digest of a plan without tags is what it was before there were any; with
// tags it is that of their texts, and of no id.
func TestTheDigestCoversTagsWithoutIDs(t *testing.T) {
	p := frozenPlan(t)
	p.Lines[0].Spec.Tags = Tags{}
	if digest, err := p.ComputeDigest(); err != nil || digest != frozenDigest {
		t.Errorf("no tags: %s, %v", digest, err)
	}
	p.Lines[0].Spec.Tags = Tags{"trace": "{plan}/{line}"}
	digest, err := p.ComputeDigest()
	if err != nil {
		t.Fatal(err)
	}
	p.ID, p.Lines[0].ID, p.Lines[0].Plan = "OTHER", "X", "OTHER"
	if again, err := p.ComputeDigest(); err != nil || again != digest || again == frozenDigest {
		t.Errorf("digest %s, of the same input %s, %v", digest, again, err)
	}
}

// FuzzTags: whatever templates and texts say, what is filled in fits, or nothing
// is.
func FuzzTags(f *testing.F) {
	f.Add("team", "{purpose} {line}", "orders")
	f.Add("a", "{approvers}{plan_name}", "aws:")
	f.Fuzz(func(t *testing.T, key, template, purpose string) {
		tags := Tags{key: template}
		if tags.CheckTemplates() != nil {
			return
		}
		filled, err := tags.Fill(texts(TagPurpose, purpose))
		if err != nil {
			return
		}
		l := Line{ID: testLine, Plan: "01JNB3XQZ00000000000000000", Class: cloud.ClassName, Spec: Spec{Tags: filled}}
		if l.CheckApprovers([]string{"grace"}) != nil {
			return
		}
		for key, text := range l.Tagged([]string{"grace"}) {
			if problem := textProblem(text); problem != "" || characterProblem(key) != "" {
				t.Errorf("tag %q: %q: %s", key, text, problem)
			}
		}
	})
}
