package policy

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"bursar/internal/recommend"
)

const (
	schemaFile  = "../../../docs/policy.schema.json"
	exampleFile = "../../../testdata/policy.yaml"
	head        = "version: 1\nname: p\n"
)

func example(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestTheExampleIsRead(t *testing.T) {
	p, err := Read("policy.yaml", []byte(example(t)))
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "databases" || len(p.filters) != 5 || len(p.Caps) != 3 || p.Ladder.Tranches != 4 || p.Auto == nil || len(p.Approvals) != 2 {
		t.Errorf("%+v", p)
	}
}

// readCase is a policy with the error that it has, "" for none.
type readCase struct {
	name, text, want string
	onlyDecoder      bool // the schema cannot say it
}

var readCases = []readCase{
	{name: "the least", text: head},
	{name: "no version", text: "name: p\n", want: "p.yaml:1: version: is missing: write for example version: 1"},
	{name: "another version", text: "version: 2\nname: p\n", want: "p.yaml:1: version: is not a version that is read: write version: 1"},
	{name: "no name", text: "version: 1\n", want: "p.yaml:1: name: is missing: write for example name: databases"},
	{name: "a long name", text: "version: 1\nname: " + strings.Repeat("a", 41) + "\n", want: `p.yaml:2: name: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..." is not a name of small letters, digits and hyphens, at most 40, such as databases`},
	{name: "a strange key", text: head + "cap: 1\n", want: "p.yaml:3: cap: is not a key of the policy: did you mean caps?"},
	{name: "twice", text: head + "recent: 30d\nrecent: 31d\n", want: "p.yaml:4: recent: stands here a second time, after line 3", onlyDecoder: true},
	{name: "an anchor", text: head + "recent: &a 30d\n", want: "p.yaml:3: uses the anchor &a: a policy file has none", onlyDecoder: true},
	{name: "two documents", text: head + "---\n" + head, want: "p.yaml:3: begins a second document: one file holds one policy", onlyDecoder: true},
	{name: "days", text: head + "recent: 4w\nrebuy: 30d\n"},
	{name: "no days", text: head + "recent: 30\n", want: "p.yaml:3: recent: must be text: put 30 in quotes"},
	{name: "hours", text: head + "rebuy: 30h\n", want: `p.yaml:3: rebuy: "30h" is not a number of days or weeks such as 30d or 4w`},
	{name: "no day at all", text: head + "rebuy: 0d\n", want: `p.yaml:3: rebuy: "0d" is not a number of days or weeks such as 30d or 4w`},
	{name: "tolerance", text: head + "tolerance: 0.5%\n"},
	{name: "much tolerance", text: head + "tolerance: 11%\n", want: "p.yaml:3: tolerance: 11% is not from 0% to 10%"},
	{name: "filters", text: head + "filters: {accounts: {only: [\"111122223333\"]}, families: {never: [t*]}, max_break_even: 0}\n"},
	{name: "an account by number", text: head + "filters: {accounts: {only: [111122223333]}}\n"},
	{name: "an empty filter", text: head + "filters: {regions: {}}\n", want: "p.yaml:3: filters.regions: is empty: write only or never and a list"},
	{name: "an empty list", text: head + "filters: {regions: {only: []}}\n", want: "p.yaml:3: filters.regions.only: must be a list of at least one entry"},
	{name: "a star inside", text: head + "filters: {regions: {only: [eu-*-1]}}\n", want: `p.yaml:3: filters.regions.only[0]: "eu-*-1" is not a name, with a star at its end at most`},
	{name: "a version as a number", text: head + "filters: {extended_support: [{engine: mysql, versions: [5.7]}]}\n", want: "p.yaml:3: filters.extended_support[0].versions[0]: must be text: put 5.7 in quotes"},
	{name: "savings", text: head + "filters: {min_savings: \"USD 1,000.50\", min_savings_percent: 12.5%}\n"},
	{name: "savings without a currency", text: head + "filters: {min_savings: \"10\"}\n", want: "p.yaml:3: filters.min_savings: 10 has no currency: write for example 10 USD"},
	{name: "no savings", text: head + "filters: {min_savings: 0 USD}\n", want: `p.yaml:3: filters.min_savings: "0 USD" is not more than zero`},
	{name: "all savings", text: head + "filters: {min_savings_percent: 100%}\n", want: "p.yaml:3: filters.min_savings_percent: 100% is not from 0.01% to 99.99%"},
	{name: "late", text: head + "filters: {max_break_even: 37}\n", want: "p.yaml:3: filters.max_break_even: 37 is not a whole number from 0 to 36"},
	{name: "terms", text: head + "terms: [{term: 1y, payment: no-upfront}, {service: rds, term: 3y, payment: all-upfront}]\n"},
	{name: "a mix", text: head + "mix: [{term: 1y, payment: no-upfront, part: 60%}, {term: 3y, payment: all-upfront, part: 40%}, {service: rds, term: 1y, payment: no-upfront, part: 100%}]\n"},
	{name: "a mix of too much", text: head + "mix: [{term: 1y, payment: no-upfront, part: 60%}, {term: 3y, payment: all-upfront, part: 41%}]\n", want: "p.yaml:3: mix: has parts of all services that are 101% together: they must be 100%", onlyDecoder: true},
	{name: "a mix of too little for a service", text: head + "mix: [{service: rds, term: 1y, payment: no-upfront, part: 60%}]\n", want: "p.yaml:3: mix: has parts of rds that are 60% together: they must be 100%", onlyDecoder: true},
	{name: "a mix of half a per cent", text: head + "mix: [{term: 1y, payment: no-upfront, part: 99.5%}]\n", want: "p.yaml:3: mix[0].part: is not a whole percentage such as 60%"},
	{name: "a mix without parts", text: head + "mix: [{term: 1y, payment: no-upfront}]\n", want: "p.yaml:3: mix[0].part: is missing: write for example part: 60%"},
	{name: "a mix of the same terms", text: head + "mix:\n  - {term: 1y, payment: monthly, part: 50%}\n  - {term: 1y, payment: monthly, part: 50%}\n", want: "p.yaml:5: mix[1]: stands on line 4 already", onlyDecoder: true},
	{name: "a mix and terms", text: head + "terms: [{term: 1y, payment: no-upfront}]\nmix: [{term: 1y, payment: no-upfront, part: 100%}]\n", want: "p.yaml:4: mix[0]: is a mix for all services, whose terms stand on line 3 already: write one of them", onlyDecoder: true},
	{name: "two years", text: head + "terms: [{term: 2y, payment: no-upfront}]\n", want: `p.yaml:3: terms[0].term: "2y" is not a term: use 1y or 3y`},
	{name: "no terms", text: head + "terms: [{term: 1y}]\n", want: "p.yaml:3: terms[0].payment: is missing: write for example payment: no-upfront"},
	{name: "a strange payment", text: head + "terms: [{term: 1y, payment: No Upfront}]\n", want: `p.yaml:3: terms[0].payment: "No Upfront" is not a payment option: use all-upfront, partial-upfront, no-upfront or monthly`},
	{name: "the same terms", text: head + "terms:\n  - {term: 1y, payment: monthly}\n  - {term: 1y, payment: monthly}\n", want: "p.yaml:5: terms[1]: stands on line 4 already", onlyDecoder: true},
	{name: "a strange service", text: head + "coverage: [{service: RDS, percent: 80%}]\n", want: `p.yaml:3: coverage[0].service: "RDS" is not a service that is bought`},
	{name: "coverage", text: head + "coverage: [{service: rds, account: \"111122223333\", percent: 70%}, {percent: 100%}]\n"},
	{name: "no coverage", text: head + "coverage: [{percent: 0%}]\n", want: "p.yaml:3: coverage[0].percent: 0% is not from 1% to 100%"},
	{name: "half a per cent", text: head + "coverage: [{percent: 80.5%}]\n", want: "p.yaml:3: coverage[0].percent: 80.5% is not a whole percentage"},
	{name: "a coverage behind all", text: head + "coverage:\n  - {percent: 80%}\n  - {service: rds, percent: 70%}\n", want: "p.yaml:5: coverage[1]: is never reached: line 4 matches before it", onlyDecoder: true},
	{name: "a ladder", text: head + "ladder: {tranches: 4, interval: 30d}\n"},
	{name: "a ladder of amounts", text: head + "ladder: {step: 2.50 USD/h, interval: 4w}\n"},
	{name: "a ladder by per cent", text: head + "ladder: {step: 30%, tranches: 4, interval: 4w}\n"},
	{name: "a ladder without steps", text: head + "ladder: {interval: 30d}\n", want: "p.yaml:3: ladder: needs tranches, such as tranches: 4, or step, such as step: 25%"},
	{name: "a ladder without a pause", text: head + "ladder: {tranches: 4}\n", want: "p.yaml:3: ladder.interval: is missing: write for example interval: 30d"},
	{name: "one tranche", text: head + "ladder: {tranches: 1, interval: 30d}\n", want: "p.yaml:3: ladder.tranches: 1 is not a whole number from 2 to 1,000"},
	{name: "a step of what", text: head + "ladder: {step: \"25\", interval: 30d}\n", want: `p.yaml:3: ladder.step: "25" is neither a percentage such as 25% nor an amount per hour such as 2.50 USD/h`},
	{name: "tranches that are never reached", text: head + "ladder: {step: 50%, tranches: 3, interval: 30d}\n", want: "p.yaml:3: ladder.step: 50% is all after fewer than 3 tranches", onlyDecoder: true},
	{name: "caps", text: head + "caps: [{of: hourly, per: account, most: 3.00 USD}, {of: total, per: month, account: \"111122223333\", most: USD 9}]\n"},
	{name: "a cap of what", text: head + "caps: [{of: list, per: run, most: 3 USD}]\n", want: `p.yaml:3: caps[0].of: "list" is not one of total, upfront, hourly`},
	{name: "a cap per year", text: head + "caps: [{of: total, per: year, most: 3 USD}]\n", want: `p.yaml:3: caps[0].per: "year" is not one of run, month, account`},
	{name: "a cap of nothing", text: head + "caps: [{of: total, per: run}]\n", want: "p.yaml:3: caps[0].most: is missing: write for example most: 25000 USD"},
	{name: "a cap for accounts by star", text: head + "caps: [{of: total, per: run, account: \"11*\", most: 3 USD}]\n", want: `p.yaml:3: caps[0].account: "11*" is not one account`},
	{name: "blackout", text: head + "blackout: [{from: 2026-12-20, to: 2027-01-03, why: holidays}]\n"},
	{name: "blackout backwards", text: head + "blackout: [{from: 2026-12-20, to: 2026-12-19}]\n", want: "p.yaml:3: blackout[0].to: 2026-12-19 is before from, 2026-12-20", onlyDecoder: true},
	{name: "no such day", text: head + "blackout: [{from: 2026-02-30, to: 2026-03-01}]\n", want: `p.yaml:3: blackout[0].from: "2026-02-30" is not a day such as 2026-12-20`, onlyDecoder: true},
	{name: "a time", text: head + "blackout: [{from: 2026-02-20T10:00:00Z, to: 2026-03-01}]\n", want: `p.yaml:3: blackout[0].from: "2026-02-20T10:00:00Z" is not a day such as 2026-12-20`, onlyDecoder: true},
	{name: "approvals", text: head + "approvals: [{above: 0 USD, approvers: [ada]}, {above: 100 USD, needed: 2}]\n"},
	{name: "approvals by too few", text: head + "approvals: [{above: 0 USD, needed: 2, approvers: [ada]}]\n", want: "p.yaml:3: approvals[0].approvers: names 1 people and 2 are needed", onlyDecoder: true},
	{name: "the same person", text: head + "approvals: [{above: 0 USD, needed: 2, approvers: [ada, Ada]}]\n", want: "p.yaml:3: approvals[0].approvers[1]: Ada is named twice: case does not matter", onlyDecoder: true},
	{name: "no person", text: head + "approvals: [{above: 0 USD, approvers: [\"policy:p\"]}]\n", want: "p.yaml:3: approvals[0].approvers[0]: policy:p is no person: write auto_approve for what is approved without one"},
	{name: "approvals downwards", text: head + "approvals:\n  - {above: 9 USD}\n  - {above: 1 USD}\n", want: "p.yaml:5: approvals[1]: is not above that of line 4: write the smallest amount first", onlyDecoder: true},
	{name: "less care for more", text: head + "approvals:\n  - {above: 0 USD, needed: 2}\n  - {above: 1 USD}\n", want: "p.yaml:5: approvals[1]: needs fewer people than line 4, for more money", onlyDecoder: true},
	{name: "approvals in two currencies", text: head + "approvals:\n  - {above: 0 USD}\n  - {above: 1 EUR}\n", want: "p.yaml:5: approvals[1]: is in EUR and line 4 in USD: write all in one currency", onlyDecoder: true},
	{name: "auto", text: head + "auto_approve: {up_to: 500 USD, buy: true}\n"},
	{name: "auto without a cap", text: head + "auto_approve: {buy: true}\n", want: "p.yaml:3: auto_approve.up_to: is missing: write for example up_to: 500 USD"},
	{name: "auto in words", text: head + "auto_approve: {up_to: 500 USD, buy: yes please}\n", want: "p.yaml:3: auto_approve.buy: must be true or false, without quotes"},
	{name: "auto against approvals", text: head + "approvals: [{above: 100 USD, needed: 2}]\nauto_approve: {up_to: 500 USD}\n",
		want: "p.yaml:4: auto_approve: approves up to USD 500.00 alone, and line 3 demands 2 people above USD 100.00: lower up_to to that", onlyDecoder: true},
}

func TestPoliciesAreReadStrictly(t *testing.T) {
	for _, c := range readCases {
		t.Run(c.name, func(t *testing.T) {
			p, err := Read("p.yaml", []byte(c.text))
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || err.Error() != c.want):
				t.Errorf("error %v, want %s", err, c.want)
			case c.want != "" && p != nil:
				t.Error("there is an error and a policy")
			}
			if _, ok := recommend.AsError(err); err != nil && !ok {
				t.Errorf("%v has no place", err)
			}
		})
	}
}

func loadSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("policy.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("policy.schema.json")
}

func TestSchemaAndDecoderAgree(t *testing.T) {
	schema := loadSchema(t)
	for _, c := range append(readCases, readCase{name: "the example", text: example(t)}) {
		if c.onlyDecoder {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			var v any
			if err := yaml.Unmarshal([]byte(c.text), &v); err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(doc); (err == nil) != (c.want == "") {
				t.Errorf("schema says %v, the decoder says %q", err, c.want)
			}
		})
	}
}

// TestSchemaKnowsTheTables compares what the schema lists with what the decoder reads from.
func TestSchemaKnowsTheTables(t *testing.T) {
	b, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties  map[string]struct{ Properties map[string]any }
		Definitions map[string]struct{ Enum []string }
	}
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(keys)), slices.Sorted(maps.Keys(schema.Properties))); diff != "" {
		t.Errorf("keys (-decoder +schema):\n%s", diff)
	}
	var services []string
	for _, s := range recommend.Services() {
		services = append(services, string(s))
	}
	if diff := cmp.Diff(services, schema.Definitions["service"].Enum); diff != "" {
		t.Errorf("services (-decoder +schema):\n%s", diff)
	}
	filters := schema.Properties["filters"].Properties
	for _, s := range subjects {
		if filters[s.key] == nil {
			t.Errorf("the schema has no filter %s", s.key)
		}
	}
	if len(filters) != len(subjects)+4 {
		t.Errorf("the schema has %d filters, the decoder %d", len(filters), len(subjects)+4)
	}
}
