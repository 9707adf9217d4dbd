package purchase

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// frozenPlan is a plan that never changes. Its canonical form and its digest are
// literals: an approval given to an older binary must hold for a newer one.
func frozenPlan(t *testing.T) *Plan {
	t.Helper()
	second := testSpec()
	second.Quantity, second.Note = 1, "reporting & <more>"
	second.Offering.Attributes = cloud.Attributes{"engine": "postgres", "class": "db.t4g.micro", "multi_az": "true"}
	second.Offering.Term, second.Offering.Payment = cloud.ThreeYears, cloud.AllUpfront
	second.Offering.Upfront, second.Offering.Hourly = usd("1234.5600"), usd("0.000")
	second.Price = cloud.Price{}
	p := &Plan{
		ID: testPlan, Lineage: testPlan, Version: 1, Name: "March fleet", Requester: "ana", CreatedAt: t0, Tolerance: 50,
		Lines: []Line{{ID: testLine, Spec: testSpec()}, {ID: "01JNB3XQZ5W8Y2K7M4T6R9V0AD", Spec: second}},
		State: PlanProposed,
	}
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	return p
}

const frozenForm = `{"form":"bursar-plan-1","lines":[` +
	`{"account":"111122223333","line":1,"note":"db fleet","offering":{"attributes":{"class":"db.r6g.large","engine":"mysql","multi_az":"false"},` +
	`"hourly":{"amount":"0.0887","currency":"USD"},"id":"649fd0c8-cf6d-47a0-bfa6-060f8e75e95f","payment":"partial-upfront","provider":"aws",` +
	`"region":"eu-west-1","service":"rds","term_months":12,"upfront":{"amount":"777.00","currency":"USD"}},` +
	`"price":{"hourly":{"amount":"0.2661","currency":"USD"},"total":{"amount":"4662.036","currency":"USD"},"upfront":{"amount":"2331.00","currency":"USD"}},"quantity":3},` +
	`{"account":"111122223333","line":2,"note":"reporting & <more>","offering":{"attributes":{"class":"db.t4g.micro","engine":"postgres","multi_az":"true"},` +
	`"hourly":{"amount":"0.00","currency":"USD"},"id":"649fd0c8-cf6d-47a0-bfa6-060f8e75e95f","payment":"all-upfront","provider":"aws",` +
	`"region":"eu-west-1","service":"rds","term_months":36,"upfront":{"amount":"1234.56","currency":"USD"}},` +
	`"price":{"hourly":{"amount":"0.00","currency":"USD"},"total":{"amount":"1234.56","currency":"USD"},"upfront":{"amount":"1234.56","currency":"USD"}},"quantity":1}],` +
	`"name":"March fleet","tolerance_bp":50,"total":{"hourly":{"amount":"0.2661","currency":"USD"},"total":{"amount":"5896.596","currency":"USD"},"upfront":{"amount":"3565.56","currency":"USD"}}}`

const frozenDigest = "sha256:f60d823a8545cb573af4df5ca3ee90479450181d4dfe5c39d4c8ccac50f5e9ad"

func TestTheCanonicalFormAndTheDigestAreFrozen(t *testing.T) {
	p := frozenPlan(t)
	form, err := p.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(frozenForm, string(form)); diff != "" {
		t.Errorf("the canonical form has changed, and every approval is void (-want +got):\n%s", diff)
	}
	if p.Digest != frozenDigest {
		t.Errorf("the digest is %s, want %s", p.Digest, frozenDigest)
	}
}

func TestTheDigestDoesNotDependOnWhoAskedWhen(t *testing.T) {
	p := frozenPlan(t)
	p.ID, p.Lineage, p.Version, p.Requester, p.CreatedAt = "OTHER", "OTHER", 7, "bob", t0.AddDate(1, 0, 0)
	p.State, p.ApprovalExpires = PlanApproved, t0
	for i := range p.Lines {
		l := &p.Lines[i]
		l.ID, l.Class, l.State, l.Generation, l.Armed = "X", cloud.ClassNone, Armed, 4, 4
		l.CancelRequested, l.Reason, l.MustLeaveBy, l.LookAt, l.UpdatedAt = true, "r", t0, t0, t0
		// The same number and the same attributes, otherwise written.
		l.Spec.Offering.Attributes = cloud.Attributes{}
		for k, v := range frozenPlan(t).Lines[i].Spec.Offering.Attributes {
			l.Spec.Offering.Attributes[k] = v
		}
		l.Spec.Offering.Upfront = l.Spec.Offering.Upfront.Round(9)
	}
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	if p.Digest != frozenDigest {
		t.Errorf("the digest is %s, want %s", p.Digest, frozenDigest)
	}
}

// Every field that a person approves changes the digest. The walk is by
// reflection: a new field of Spec, Offering, Price or Amount is covered or fails.
func TestEveryApprovedFieldChangesTheDigest(t *testing.T) {
	digests := map[string]string{frozenDigest: "the unchanged plan"}
	check := func(name string, change func(p *Plan)) {
		p := frozenPlan(t)
		change(p)
		got, err := p.ComputeDigest()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if other, taken := digests[got]; taken {
			t.Errorf("%s and %s have one digest", name, other)
		}
		digests[got] = name
	}
	check("name", func(p *Plan) { p.Name += "!" })
	check("tolerance", func(p *Plan) { p.Tolerance++ })
	check("all or nothing", func(p *Plan) { p.AllOrNothing = true })
	check("order", func(p *Plan) { slices.Reverse(p.Lines) })
	check("one line fewer", func(p *Plan) { p.Lines = p.Lines[:1] })
	check("one line more", func(p *Plan) { p.Lines = append(p.Lines, p.Lines[1]) })
	check("line number", func(p *Plan) { p.Lines[0].Number = 9 })
	check("an attribute", func(p *Plan) {
		p.Lines[0].Spec.Offering.Attributes = changed(p.Lines[0].Spec.Offering.Attributes, "license", "x")
	})

	paths := leaves(t, reflect.TypeFor[Spec]())
	for _, path := range paths {
		for line := range 2 {
			check(fmt.Sprintf("line %d %s", line+1, strings.Join(path.names, ".")), func(p *Plan) {
				mutate(t, reflect.ValueOf(&p.Lines[line].Spec).Elem().FieldByIndex(path.index))
			})
		}
	}
	for _, path := range leaves(t, reflect.TypeFor[cloud.Price]()) {
		check("total "+strings.Join(path.names, "."), func(p *Plan) {
			mutate(t, reflect.ValueOf(&p.Total).Elem().FieldByIndex(path.index))
		})
	}
	if len(paths) != 19 {
		t.Errorf("a spec has %d fields, 19 are known: is the new one approved by people?", len(paths))
	}
}

type leaf struct {
	names []string
	index []int
}

// leaves lists the fields of a struct down to amounts, maps and plain values.
func leaves(t *testing.T, kind reflect.Type) []leaf {
	t.Helper()
	var all []leaf
	for i := range kind.NumField() {
		f := kind.Field(i)
		if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[money.Amount]() {
			for _, below := range leaves(t, f.Type) {
				all = append(all, leaf{append([]string{f.Name}, below.names...), append([]int{i}, below.index...)})
			}
			continue
		}
		all = append(all, leaf{[]string{f.Name}, []int{i}})
	}
	return all
}

// mutate changes one value; a kind it does not know fails the test.
func mutate(t *testing.T, v reflect.Value) {
	t.Helper()
	switch old := v.Interface().(type) {
	case money.Amount:
		sum, err := old.Add(usd("0.0001"))
		if err != nil {
			t.Fatal(err)
		}
		v.Set(reflect.ValueOf(sum))
	case cloud.Attributes:
		v.Set(reflect.ValueOf(changed(old, "engine", "oracle")))
	case Tags:
		v.Set(reflect.ValueOf(Tags{"team": "shop"}))
	default:
		switch v.Kind() {
		case reflect.String:
			v.SetString(v.String() + "x")
		case reflect.Int, reflect.Int64:
			v.SetInt(v.Int() + 1)
		case reflect.Bool:
			v.SetBool(!v.Bool())
		default:
			t.Fatalf("no way to change a %s", v.Type())
		}
	}
}

func TestEveryFieldOfAPlanIsApprovedOrNot(t *testing.T) {
	want := map[string][]string{
		"Plan": {"ID", "Lineage", "Version", "Name", "Requester", "CreatedAt", "Tolerance", "AllOrNothing", "Approvals", "Lines", "Total", "Digest", "State", "ApprovalExpires"},
		"Line": {"ID", "Plan", "Number", "Spec", "Class", "State", "Generation", "Armed", "Version", "CancelRequested", "Listing", "DecidedBy", "Reason", "MustLeaveBy", "LookAt", "UpdatedAt"},
	}
	for _, kind := range []reflect.Type{reflect.TypeFor[Plan](), reflect.TypeFor[Line]()} {
		for i := range kind.NumField() {
			if name := kind.Field(i).Name; !slices.Contains(want[kind.Name()], name) {
				t.Errorf("%s.%s is new: does the digest cover it?", kind.Name(), name)
			}
		}
	}
}

func TestTheCanonicalFormIsRFC8785(t *testing.T) {
	p := frozenPlan(t)
	p.Lines[0].Spec.Simulated = true
	p.Lines[0].Spec.Note = "\u20ac \U0001F600 \"quoted\" \\ \u2028 \t\n\x01 <&>"
	p.Lines[0].Spec.Offering.Attributes = cloud.Attributes{"\u20ac": "1", "a": "2", "\U0001F600": "3", "B": "4", "\ufb33": "5"}
	form, err := p.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	// 3.2.3: keys in the order of their UTF-16 code units, so U+1F600 before U+FB33.
	want := "{\"B\":\"4\",\"a\":\"2\",\"\u20ac\":\"1\",\"\U0001F600\":\"3\",\"\ufb33\":\"5\"}"
	if !strings.Contains(string(form), want) {
		t.Errorf("attributes are not in order: %s", form)
	}
	if want := "\"note\":\"\u20ac \U0001F600 \\\"quoted\\\" \\\\ \u2028 \\t\\n\\u0001 <&>\""; !strings.Contains(string(form), want) {
		t.Errorf("text is not written as RFC 8785 says: %s", form)
	}
	dec := json.NewDecoder(strings.NewReader(string(form)))
	dec.UseNumber()
	for {
		tok, err := dec.Token()
		if err != nil {
			break
		}
		if n, isNumber := tok.(json.Number); isNumber && !regexp.MustCompile(`^(0|[1-9][0-9]{0,15})$`).MatchString(n.String()) {
			t.Errorf("%s is not a small integer", n)
		}
	}
	if regexp.MustCompile(`[\s]`).MatchString(regexp.MustCompile(`"(\\.|[^"\\])*"`).ReplaceAllString(string(form), "")) {
		t.Errorf("there is space between tokens: %s", form)
	}
}

func TestFreezeRefusesWhatCannotBeApproved(t *testing.T) {
	other := testSpec()
	other.Offering.Upfront, other.Offering.Hourly = money.MustParse("1", "EUR"), money.MustParse("1", "EUR")
	for name, c := range map[string]struct {
		change func(*Plan)
		is     error
	}{
		"no lines":                  {change: func(p *Plan) { p.Lines = nil }},
		"negative tolerance":        {change: func(p *Plan) { p.Tolerance = -1 }},
		"a tolerance above the all": {change: func(p *Plan) { p.Tolerance = 10_001 }},
		"all or nothing with a line that binds at once": {change: func(p *Plan) {
			p.AllOrNothing, p.Lines[0].Class, p.Lines[1].Class = true, cloud.ClassQueued, cloud.ClassName
		}},
		"no quantity":              {change: func(p *Plan) { p.Lines[0].Spec.Quantity = 0 }},
		"two currencies":           {change: func(p *Plan) { p.Lines[1].Spec = other }, is: ErrCurrencies},
		"two currencies in a line": {change: func(p *Plan) { p.Lines[0].Spec.Offering.Hourly = money.MustParse("1", "EUR") }, is: money.ErrCurrency},
		"a line too dear to write": {change: func(p *Plan) { p.Lines[0].Spec.Offering.Hourly = usd("9999999999999999") }, is: money.ErrOverflow},
		"a total too dear to write": {change: func(p *Plan) {
			p.Lines[0].Spec.Offering.Upfront, p.Lines[0].Spec.Quantity = usd("9999999999999999"), 1
			p.Lines[1].Spec.Offering.Upfront = usd("9999999999999999999")
		}, is: money.ErrOverflow},
	} {
		p := frozenPlan(t)
		p.Digest = ""
		c.change(p)
		err := p.Freeze()
		if err == nil || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %v", name, err, c.is)
		}
		if p.Digest != "" {
			t.Errorf("%s: refused and given the digest %s", name, p.Digest)
		}
	}
}

func TestOnlyLinesThatCanBeTakenBackAreAllOrNothing(t *testing.T) {
	for _, c := range []cloud.Class{cloud.ClassName, cloud.ClassToken, cloud.ClassNone, cloud.ClassHandle, cloud.ClassQueued} {
		p := frozenPlan(t)
		p.AllOrNothing, p.Lines[0].Class, p.Lines[1].Class = true, cloud.ClassQueued, c
		err := p.Freeze()
		if c == cloud.ClassQueued {
			if form, _ := p.Canonical(); err != nil || p.Digest == frozenDigest || !strings.HasPrefix(string(form), `{"all_or_nothing":true,"form":"bursar-plan-1","lines":[`) {
				t.Errorf("all of class Q: %v, %s", err, form)
			}
			continue
		}
		want := "a plan that is all or nothing cannot hold line 2: orders of rds cannot be deleted before they bind; plan the line apart, or without all_or_nothing"
		if err == nil || err.Error() != want {
			t.Errorf("class %s: %v, want %s", c, err, want)
		}
	}
}

func TestFreezeNumbersPricesAndSums(t *testing.T) {
	p := frozenPlan(t)
	for i, l := range p.Lines {
		want, err := l.Spec.Offering.Price(l.Spec.Quantity)
		if err != nil || l.Number != i+1 || l.Plan != p.ID || !l.Spec.Price.Total.Equal(want.Total) {
			t.Errorf("line %d: number %d, plan %s, %s, %v", i+1, l.Number, l.Plan, l.Spec.Price.Total, err)
		}
	}
	if p.Total.Total.Canonical() != "5896.596" {
		t.Errorf("total %s", p.Total.Total)
	}
	// A price that somebody wrote into a line is replaced by that of its offering.
	p.Lines[0].Spec.Price.Total = usd("1")
	if err := p.Freeze(); err != nil || p.Digest != frozenDigest {
		t.Errorf("%s, %v", p.Digest, err)
	}
}

func TestTheNameOfAPurchaseIsFrozen(t *testing.T) {
	if got, want := Identity("k7f2", "01JNB3XQZ5W8Y2K7M4T6R9V0AC", 1), "bu-k7f2-01jnb3xqz5w8y2k7m4t6r9v0ac-1"; got != want {
		t.Errorf("identity %s, want %s: what an older binary bought would not be found", got, want)
	}
	rds := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	for _, g := range []int{1, 9, 10, 40, 99999999} {
		got := Identity("0a9z", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", g)
		if !rds.MatchString(got) || len(got) > 60 || g < 100_000_000 && g > 40 && len(got) > 43 {
			t.Errorf("%s (%d characters) is not a name that RDS takes", got, len(got))
		}
		if g <= 40 && len(got) > 41 {
			t.Errorf("%s has %d characters", got, len(got))
		}
	}
	row := lineIn(Ready, generation(3))
	if diff := cmp.Diff([]string{identity(1), identity(2), identity(3)}, row.Identities()); diff != "" {
		t.Errorf("identities (-want +got):\n%s", diff)
	}
}

func TestTheStoredRequestIsFrozen(t *testing.T) {
	row := lineIn(Ready)
	i := row.Intent(t0.Add(time.Minute))
	raw, err := i.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"account":"111122223333","offering":{"provider":"aws","service":"rds","region":"eu-west-1","id":"649fd0c8-cf6d-47a0-bfa6-060f8e75e95f",` +
		`"attributes":{"class":"db.r6g.large","engine":"mysql","multi_az":"false"},"term_months":12,"payment":"partial-upfront",` +
		`"upfront":{"amount":"777.00","currency":"USD"},"hourly":{"amount":"0.0887","currency":"USD"}},"quantity":3,` +
		`"identity":"bu-k7f2-01jnb3xqz5w8y2k7m4t6r9v0ac-1","attempt":"bu-k7f2-01jnb3xqz5w8y2k7m4t6r9v0ac-1-a1","deadline":"2026-03-02T10:01:00Z",` +
		`"tags":{"bursar:line":"01JNB3XQZ5W8Y2K7M4T6R9V0AC","bursar:plan":"01JNB3XQZ0000000000000PLAN"}}`
	if diff := cmp.Diff(want, string(raw)); diff != "" {
		t.Errorf("stored request (-want +got):\n%s", diff)
	}
	sum, err := i.SHA256()
	if err != nil || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(sum) {
		t.Errorf("digest %s, %v", sum, err)
	}
	i.Quantity++
	if other, err := i.SHA256(); err != nil || other == sum {
		t.Errorf("another request has the digest %s, %v", other, err)
	}
}
