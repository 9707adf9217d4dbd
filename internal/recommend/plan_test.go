package recommend

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
)

// planLine is a good line; each test changes one key of it.
var planLine = [][2]string{
	{"account", `"111122223333"`}, {"region", "us-east-1"}, {"service", "rds"}, {"engine", "postgresql"}, {"class", "db.r6g.large"},
	{"multi_az", "false"}, {"term", "1y"}, {"payment", "no-upfront"}, {"quantity", "3"},
}

// plan returns a plan of one line, the keys changed or, with "-", removed. Keys
// that planLine lacks come last. The line's first key is on line 3.
func plan(changes ...string) string {
	var b strings.Builder
	b.WriteString("version: 1\nlines:\n")
	lead := "  - "
	write := func(key, value string) {
		b.WriteString(lead + key + ": " + value + "\n")
		lead = "    "
	}
	for _, kv := range planLine {
		value := kv[1]
		for i := 0; i < len(changes); i += 2 {
			if changes[i] == kv[0] {
				value = changes[i+1]
				changes = append(append([]string{}, changes[:i]...), changes[i+2:]...)
				break
			}
		}
		if value != "-" {
			write(kv[0], value)
		}
	}
	for i := 0; i+1 < len(changes); i += 2 {
		write(changes[i], changes[i+1])
	}
	return b.String()
}

// planCase is one plan for the decoder and the schema alike.
type planCase struct {
	name, text string
	want       string // the error; "" when accepted
	// onlyDecoder marks what the schema cannot see: it judges values where the
	// decoder judges text and compares lines.
	onlyDecoder bool
}

var planCases = []planCase{
	{name: "plain", text: plan()},
	{name: "all keys", text: plan("provider", "aws", "offering", "438012d3-4052-4cc7-b2e3-8d3372e0e706", "currency", "USD", "note", "a note")},
	{name: "name", text: "name: Databases\n" + plan()},
	{name: "tolerance", text: "tolerance: 0.25%\n" + plan()},
	{name: "tolerance at most", text: "tolerance: 10%\n" + plan()},
	{name: "all or nothing", text: "all_or_nothing: true\n" + plan()},
	{name: "not all or nothing", text: "all_or_nothing: false\n" + plan()},
	{name: "account unquoted", text: plan("account", "111122223333")},
	{name: "whole with decimals", text: plan("quantity", "3.0")},
	{name: "most", text: plan("quantity", "10000")},
	{name: "date as note", text: plan("note", "2026-11-23")},
	{name: "many lines of note", text: plan("note", "|\n      one\n      two")},
	{name: "oracle", text: plan("engine", "oracle-se2(byol)")},
	{name: "sovereign region", text: plan("region", "eusc-de-east-1")},
	{name: "government region", text: plan("region", "us-gov-west-1")},
	{name: "oracle class", text: plan("class", "db.r5.8xlarge.tpc2.mem3x")},

	{name: "no version", text: strings.Replace(plan(), "version: 1\n", "", 1), want: "p.yaml:1: version: is missing: write for example version: 1"},
	{name: "version 2", text: strings.Replace(plan(), "version: 1", "version: 2", 1), want: "p.yaml:1: version: 2 is not a version that is read: write version: 1"},
	{name: "version text", text: strings.Replace(plan(), "version: 1", `version: "1"`, 1), want: "p.yaml:1: version: 1 is not a version that is read: write version: 1"},
	{name: "no lines", text: "version: 1\n", want: "p.yaml:1: lines: is missing: write for example lines: and a list below it"},
	{name: "empty lines", text: "version: 1\nlines: []\n", want: "p.yaml:2: lines: must be a list of at least one line, each beginning with a hyphen"},
	{name: "lines null", text: "version: 1\nlines:\n", want: "p.yaml:2: lines: must be a list of at least one line, each beginning with a hyphen"},
	{name: "line null", text: "version: 1\nlines:\n  -\n", want: "p.yaml:3: a line must be keys with values, but here is nothing"},
	{name: "list", text: "- a\n", want: "p.yaml:1: the plan must be keys with values, but here is a list"},
	{name: "unknown top key", text: plan() + "owner: me\n", want: "p.yaml:12: owner: is not a key of the plan: the keys are version, name, purpose, tolerance, all_or_nothing, lines"},
	{name: "unknown line key", text: plan("owner", "me"), want: "p.yaml:12: owner: is not a key of a line: the keys are account, region, service, term, payment, quantity, provider, offering, currency, note, purpose, engine, class, multi_az"},
	{name: "key in capitals", text: plan("Note", "x"), want: "p.yaml:12: Note: is not a key of a line: did you mean note?"},
	{name: "name blank", text: "name: ' '\n" + plan(), want: "p.yaml:1: name: is empty: write something or remove it"},
	{name: "name null", text: "name:\n" + plan(), want: "p.yaml:1: name: is empty: write a value or remove the key"},
	{name: "name number", text: "name: 2026\n" + plan(), want: "p.yaml:1: name: must be text: put 2026 in quotes"},
	{name: "name long", text: "name: " + strings.Repeat("ä", 121) + "\n" + plan(), want: "p.yaml:1: name: is longer than 120 characters"},
	{name: "name escape", text: "name: \"a\\e[2J\"\n" + plan(), want: "p.yaml:1: name: holds the control character U+001B"},
	{name: "name reversed", text: "name: \"a\\u202eb\"\n" + plan(), want: "p.yaml:1: name: holds the control character U+202E"},
	{name: "tolerance number", text: "tolerance: 0.5\n" + plan(), want: "p.yaml:1: tolerance: 0.5 lacks the per cent sign: write 0.5%"},
	{name: "tolerance too much", text: "tolerance: 10.01%\n" + plan(), want: "p.yaml:1: tolerance: \"10.01%\" is more than 10%, the most that a price may rise after approval"},
	{name: "tolerance negative", text: "tolerance: -1%\n" + plan(), want: "p.yaml:1: tolerance: \"-1%\" is not a percentage from 0% to 10% with at most two decimals, such as 0.5%"},
	{name: "all or nothing text", text: "all_or_nothing: \"true\"\n" + plan(), want: "p.yaml:1: all_or_nothing: must be true or false, without quotes"},
	{name: "all or nothing yes", text: "all_or_nothing: yes\n" + plan(), want: "p.yaml:1: all_or_nothing: must be true or false, without quotes"},
	{name: "all or nothing number", text: "all_or_nothing: 1\n" + plan(), want: "p.yaml:1: all_or_nothing: must be true or false, without quotes"},
	{name: "all or nothing null", text: "all_or_nothing:\n" + plan(), want: "p.yaml:1: all_or_nothing: is empty: write a value or remove the key"},
	{name: "all or nothing list", text: "all_or_nothing: [true]\n" + plan(), want: "p.yaml:1: all_or_nothing: must be a single value, but here is a list"},
	{name: "all or nothing in capitals", text: "all_or_nothing: True\n" + plan(), want: `p.yaml:1: all_or_nothing: "True" is not true or false`, onlyDecoder: true},
	{name: "all or nothing in a line", text: plan("all_or_nothing", "true"), want: "p.yaml:12: all_or_nothing: is not a key of a line: the keys are account, region, service, term, payment, quantity, provider, offering, currency, note, purpose, engine, class, multi_az"},
	{name: "no account", text: plan("account", "-"), want: `p.yaml:3: account: is missing: write for example account: "111122223333"`},
	{name: "account short", text: plan("account", `"1234"`), want: "p.yaml:3: account: 1234 has 4 digits and an AWS account id has 12: if zeros in front were lost, write them, in quotes"},
	{name: "account words", text: plan("account", "production"), want: `p.yaml:3: account: "production" is not an AWS account id of 12 digits`},
	{name: "account exponent", text: plan("account", "1.1e+11"), want: "p.yaml:3: account: 1.1e+11 is a number that a spreadsheet has shortened: write the 12 digits of the AWS account id as text", onlyDecoder: true},
	{name: "account list", text: plan("account", "[1]"), want: "p.yaml:3: account: must be 12 digits in quotes"},
	{name: "region name", text: plan("region", "EU (Ireland)"), want: `p.yaml:4: region: "EU (Ireland)" is the name of a region: write its code eu-west-1`},
	{name: "region zone", text: plan("region", "us-east-1a"), want: `p.yaml:4: region: "us-east-1a" is not a region code such as eu-west-1`},
	{name: "service later", text: plan("service", "dynamodb"), want: `p.yaml:5: service: "dynamodb" is a service that cannot be bought yet: use rds, elasticache, memorydb, redshift, ec2, ec2-zonal, opensearch, redshift-serverless or savingsplans`},
	{name: "service unknown", text: plan("service", "RDS"), want: `p.yaml:5: service: "RDS" is not a known service of aws: use rds, elasticache, memorydb, redshift, ec2, ec2-zonal, opensearch, redshift-serverless or savingsplans`},
	{name: "provider of another service", text: plan("provider", "azure"), want: `p.yaml:5: service: "rds" is a service of aws, not of azure: make the provider aws`},
	{name: "provider spelled", text: plan("provider", "AWS"), want: `p.yaml:12: provider: "AWS" is not a provider: use aws`},
	{name: "provider empty", text: plan("provider", `""`), want: `p.yaml:12: provider: "" is not a known cloud: use aws, azure or gcp`},
	{name: "engine near", text: plan("engine", "postgres"), want: `p.yaml:6: engine: "postgres" is not known for rds: did you mean postgresql?`},
	{name: "no engine", text: plan("engine", "-"), want: "p.yaml:3: engine: is missing: write for example engine: postgresql"},
	{name: "class", text: plan("class", "r6g.large"), want: `p.yaml:7: class: "r6g.large" does not look like db.r6g.large`},
	{name: "class long", text: plan("class", "db.r6g."+strings.Repeat("x", 60)), want: `p.yaml:7: class: "db.r6g.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..." does not look like db.r6g.large`},
	{name: "no multi_az", text: plan("multi_az", "-"), want: "p.yaml:3: multi_az: is missing: write for example multi_az: false"},
	{name: "multi_az text", text: plan("multi_az", `"false"`), want: "p.yaml:8: multi_az: must be true or false, without quotes"},
	{name: "multi_az no", text: plan("multi_az", "no"), want: "p.yaml:8: multi_az: must be true or false, without quotes"},
	{name: "term", text: plan("term", "2y"), want: `p.yaml:9: term: "2y" is not a term: use 1y or 3y`},
	{name: "term number", text: plan("term", "12"), want: "p.yaml:9: term: must be text: put 12 in quotes"},
	{name: "payment", text: plan("payment", "No Upfront"), want: `p.yaml:10: payment: "No Upfront" is not a payment option: use all-upfront, partial-upfront or no-upfront`},
	{name: "payment monthly", text: plan("payment", "monthly"), want: "p.yaml:10: payment: monthly is not sold for rds: use all-upfront, partial-upfront or no-upfront"},
	{name: "quantity half", text: plan("quantity", "2.5"), want: "p.yaml:11: quantity: 2.5 is not a whole number of at least 1"},
	{name: "quantity zero", text: plan("quantity", "0"), want: "p.yaml:11: quantity: 0 is not a whole number of at least 1"},
	{name: "quantity negative", text: plan("quantity", "-3"), want: "p.yaml:11: quantity: -3 is not a whole number of at least 1"},
	{name: "quantity huge", text: plan("quantity", "10001"), want: "p.yaml:11: quantity: 10001 is more than 10,000, the most that one line may buy"},
	{name: "quantity endless", text: plan("quantity", strings.Repeat("9", 60)), want: "p.yaml:11: quantity: " + strings.Repeat("9", 40) + "... is more than 10,000, the most that one line may buy"},
	{name: "quantity text", text: plan("quantity", `"3"`), want: `p.yaml:11: quantity: "3" is text: write the number without quotes`},
	{name: "quantity word", text: plan("quantity", "three"), want: `p.yaml:11: quantity: "three" is not a whole number of at least 1`},
	{name: "quantity null", text: plan("quantity", ""), want: "p.yaml:11: quantity: must be a whole number of at least 1"},
	{name: "offering", text: plan("offering", "'a b'"), want: `p.yaml:12: offering: "a b" is not an offering id: letters, digits, hyphens, and dots, slashes and underscores between them, at most 200`},
	{name: "currency", text: plan("currency", "usd"), want: `p.yaml:12: currency: "usd" is not a currency code of three capitals such as USD`},
	{name: "purpose", text: "purpose: all of it\n" + plan("purpose", "orders")},
	{name: "purpose number", text: plan("purpose", "7"), want: "p.yaml:12: purpose: must be text: put 7 in quotes"},
	{name: "purpose long", text: plan("purpose", strings.Repeat("x", 257)), want: "p.yaml:12: purpose: is longer than 256 characters"},
	{name: "purpose of the plan empty", text: "purpose: \"\"\n" + plan(), want: "p.yaml:1: purpose: is empty: write something or remove it"},
	{name: "note list", text: plan("note", "[a]"), want: "p.yaml:12: note: must be a single value, but here is a list"},
	{name: "note long", text: plan("note", strings.Repeat("x", 1001)), want: "p.yaml:12: note: is longer than 1000 characters"},

	{name: "account with zeros", text: plan("account", "012345670123"), onlyDecoder: true},
	{name: "quantity hex", text: plan("quantity", "0x10"), want: `p.yaml:11: quantity: "0x10" is not a whole number of at least 1`, onlyDecoder: true},
	{name: "quantity octal", text: plan("quantity", "010"), want: "p.yaml:11: quantity: 010 is not a whole number of at least 1", onlyDecoder: true},
	{name: "quantity exponent", text: plan("quantity", "1e3"), want: "p.yaml:11: quantity: 1e3 is not a whole number of at least 1", onlyDecoder: true},
	{name: "key twice", text: plan() + "    term: 3y\n", want: "p.yaml:12: term: stands here a second time, after line 9", onlyDecoder: true},
	{name: "merge key", text: plan("<<", "{note: x}"), want: "p.yaml:12: <<: is not a key of a line: the keys are account, region, service, term, payment, quantity, provider, offering, currency, note, purpose, engine, class, multi_az", onlyDecoder: true},
	{name: "anchor", text: plan("note", "&n x"), want: "p.yaml:12: uses the anchor &n: a plan file has none", onlyDecoder: true},
	{name: "alias", text: plan("note", "*n"), want: "p.yaml:12: uses the alias *n: write the value out", onlyDecoder: true},
	{name: "two documents", text: plan() + "---\n" + plan(), want: "p.yaml:12: begins a second document: one file holds one plan", onlyDecoder: true},
	{name: "duplicate", text: plan() + strings.TrimPrefix(plan("quantity", "1"), "version: 1\nlines:\n"), want: "p.yaml:12: is the same purchase as line 3: make it one line with the quantity of both, or remove one", onlyDecoder: true},
	{name: "two currencies", text: plan("currency", "USD") + strings.TrimPrefix(plan("term", "3y", "currency", "EUR"), "version: 1\nlines:\n"), want: "p.yaml:13: is in EUR, but line 3 is in USD: one file has one currency", onlyDecoder: true},
	{name: "tab", text: "version: 1\nlines:\n\t- account: x\n", want: "p.yaml:3: is indented with a tab: YAML allows spaces alone", onlyDecoder: true},
	{name: "indentation", text: "version: 1\nlines:\n  - account: x\n   region: y\n", want: "p.yaml:3: begins a list in which a line has another indentation", onlyDecoder: true},
	{name: "two colons", text: "version: 1\nname: a: b\n", want: "p.yaml:2: has a colon where YAML expects none: check the indentation, or put the value in quotes", onlyDecoder: true},
	{name: "open quote", text: "version: 1\nname: \"a\nlines:\n", want: "p.yaml:2: has a quote that is not closed", onlyDecoder: true},
	{name: "open bracket", text: "version: 1\nlines: [a, b\n", want: "p.yaml:2: has a bracket or brace that is not closed", onlyDecoder: true},
	{name: "no colon", text: "version: 1\nname\nlines:\n", want: "p.yaml:2: is not a key with a colon: check the line and its indentation", onlyDecoder: true},
	{name: "reserved", text: "version: 1\nname: @team\n", want: "p.yaml:2: begins with a character that YAML reserves: put the value in quotes", onlyDecoder: true},
	{name: "control", text: "version: 1\nname: a\x01b\n", want: "p.yaml:2: holds a control character", onlyDecoder: true},
}

func TestPlan(t *testing.T) {
	for _, c := range slices.Concat(planCases, serviceCases, azureCases) {
		t.Run(c.name, func(t *testing.T) {
			if c.want != "" {
				refused(t, "p.yaml", c.text, c.want)
				return
			}
			if in := accepted(t, "p.yaml", c.text); len(in.Drafts) != 1 {
				t.Errorf("%d drafts, want 1", len(in.Drafts))
			}
		})
	}
}

func TestPlanValues(t *testing.T) {
	in := accepted(t, "dir/p.yaml", "tolerance: 1.5%\n"+plan("account", "012345670123", "note", "|\n      one\n      two",
		"offering", "abc-1", "currency", "EUR", "payment", "all-upfront", "term", "3y", "multi_az", "true"))
	want := Input{
		Format: PlanFile, Name: "p", ToleranceBP: 150,
		Drafts: []Draft{{
			At: Position{File: "dir/p.yaml", Line: 4}, Provider: "aws", Service: "rds", Account: "012345670123", Region: "us-east-1",
			Attributes: cloud.Attributes{"engine": "postgresql", "class": "db.r6g.large", "multi_az": "true"},
			Term:       cloud.ThreeYears, Payment: cloud.AllUpfront, Quantity: 3, OfferingID: "abc-1", Currency: "EUR", Note: "one two",
		}},
	}
	if diff := cmp.Diff(want, in); diff != "" {
		t.Errorf("input (-want +got):\n%s", diff)
	}
}

func TestPlanSaysWhetherItIsAllOrNothing(t *testing.T) {
	for text, want := range map[string]*bool{"": nil, "all_or_nothing: true\n": new(true), "all_or_nothing: false\n": new(false)} {
		if diff := cmp.Diff(want, accepted(t, "p.yaml", text+plan()).AllOrNothing); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestThePurposeOfALineWins(t *testing.T) {
	const line = "  - {account: \"111122223333\", region: us-east-1, service: redshift-serverless, term: 1y, payment: no-upfront, quantity: 1"
	for _, c := range []struct{ plan, line, want string }{
		{"", "", ""}, {"purpose: all\n", "", "all"}, {"", ", purpose: orders", "orders"}, {"purpose: all\n", ", purpose: orders", "orders"},
	} {
		in := accepted(t, "p.yaml", "version: 1\n"+c.plan+"lines:\n"+line+c.line+"}\n")
		if got := in.Drafts[0].Purpose; got != c.want {
			t.Errorf("%q and %q: purpose %q, want %q", c.plan, c.line, got, c.want)
		}
	}
}

func TestPlanHasALimit(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\nlines:\n")
	for i := range MaxDrafts + 1 {
		// One account each, so that no two lines are the same.
		b.WriteString("- {account: \"" + strings.Repeat("0", 12-len(group(int64(i+1000)))+1) + strings.ReplaceAll(group(int64(i+1000)), ",", "") +
			"\", region: us-east-1, service: rds, engine: mysql, class: db.r6g.large, multi_az: false, term: 1y, payment: no-upfront, quantity: 1}\n")
	}
	refused(t, "p.yaml", b.String(), "p.yaml:5003: is line 5,001 of the plan; one plan holds at most 5,000")
}
