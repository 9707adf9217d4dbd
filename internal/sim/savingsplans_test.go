package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/savingsplans"
	sptypes "github.com/aws/aws-sdk-go-v2/service/savingsplans/types"

	"bursar/internal/money"
)

// aPlan is a fixed offering of Compute for a year.
func aPlan(payment string) *offering {
	for _, o := range builtin().byShop[shop{savingsPlans, noRegion}] {
		if o.Class == planCompute && o.Payment == payment && o.Seconds == oneYear && o.hourly.Currency() == currency {
			return o
		}
	}
	panic("no such offering")
}

// planDesk asks for Savings Plans on the wire, by the clock of the simulator.
type planDesk struct {
	t   *testing.T
	sim *Sim
	url string
}

// planDeskAt is a simulator at an instant, without delays.
func planDeskAt(t *testing.T, at time.Time, opts Options) planDesk {
	opts.Now = (&testClock{now: at}).Now
	if opts.Visibility == 0 {
		opts.Visibility = -1
	}
	if opts.TrailDelay == 0 {
		opts.TrailDelay = -1
	}
	s := newSim(t, opts)
	return planDesk{t, s, serve(t, s)}
}

// ask sends a body and returns the status, the code of an error and the answer.
func (d planDesk) ask(op, body string, edit ...func(*http.Request)) (int, string, map[string]any) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url+"/"+op, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Content-Type", restType)
	for _, e := range edit {
		e(r)
	}
	sum := sha256.Sum256([]byte(body))
	region := "us-east-1"
	if r.Header.Get("Region") != "" {
		region = r.Header.Get("Region")
	}
	err = v4.NewSigner().SignHTTP(d.t.Context(), aws.Credentials{AccessKeyID: account, SecretAccessKey: "test"}, r,
		hex.EncodeToString(sum[:]), savingsPlans, region, d.sim.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil || resp.Header.Get("Content-Type") != restType {
		d.t.Fatalf("%s: %s %q", op, resp.Header.Get("Content-Type"), text)
	}
	return resp.StatusCode, resp.Header.Get("X-Amzn-Errortype"), out
}

// refused asks and checks the code.
func (d planDesk) refused(code, op, body string) {
	d.t.Helper()
	status, got, out := d.ask(op, body)
	if got != code || status != services[savingsPlans].code(fail(code, "")).status() || out["message"] == "" {
		d.t.Errorf("%s %s: %d %s %v, want %s", op, body, status, got, out, code)
	}
}

func (d planDesk) buy(pairs ...string) string {
	d.t.Helper()
	status, code, out := d.ask("CreateSavingsPlan", planBody(pairs...))
	if status != 200 {
		d.t.Fatalf("%v: %d %s %v", pairs, status, code, out)
	}
	return out["savingsPlanId"].(string)
}

// planBody is a request for a Compute plan; a member is replaced by its JSON, or
// left out for "".
func planBody(pairs ...string) string {
	members := map[string]string{"savingsPlanOfferingId": `"` + aPlan(noUpfront).id + `"`, "commitment": `"1.5"`}
	for i := 0; i < len(pairs); i += 2 {
		members[pairs[i]] = pairs[i+1]
	}
	var list []string
	for name, value := range members {
		if value != "" {
			list = append(list, `"`+name+`":`+value)
		}
	}
	slices.Sort(list)
	return "{" + strings.Join(list, ",") + "}"
}

func (d planDesk) back(id string) string { return `{"savingsPlanId":"` + id + `"}` }

// plan is one as the listing shows it.
func (d planDesk) plan(id string) map[string]any {
	d.t.Helper()
	_, _, out := d.ask("DescribeSavingsPlans", `{"savingsPlanIds":["`+id+`"]}`)
	list := out["savingsPlans"].([]any)
	if len(list) != 1 {
		d.t.Fatalf("%d plans under %s", len(list), id)
	}
	return list[0].(map[string]any)
}

// count is how many plans all pages of a listing show.
func (d planDesk) count(body string) (n int) {
	d.t.Helper()
	for page := body; ; {
		_, _, out := d.ask("DescribeSavingsPlans", page)
		n += len(out["savingsPlans"].([]any))
		next, more := out["nextToken"]
		if !more {
			return n
		}
		page = strings.TrimSuffix(body, "}") + strings.TrimPrefix(`,"nextToken":"`+next.(string)+`"}`, map[bool]string{true: ","}[body == "{}"])
	}
}

var monday = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// A client token buys once for as long as it is remembered.
func TestPlanToken(t *testing.T) {
	d := planDeskAt(t, monday, Options{TokenLife: time.Hour})
	first := d.buy("clientToken", `"tok"`)
	if again := d.buy("clientToken", `"tok"`); again != first {
		t.Errorf("the token bought %s and %s", first, again)
	}
	if other := d.buy("clientToken", `"tok"`, "commitment", `"2"`); other != first {
		t.Errorf("with another commitment: %s", other)
	}
	if upper := d.buy("clientToken", `"TOK"`); upper == first {
		t.Error("tokens are compared without case")
	}
	if a, b := d.buy(), d.buy(); a == b || a == first {
		t.Error("without a token two requests are one")
	}
	advance(t, d.sim, time.Hour-time.Second)
	if again := d.buy("clientToken", `"tok"`); again != first {
		t.Errorf("just before the end: %s", again)
	}
	advance(t, d.sim, time.Second)
	second := d.buy("clientToken", `"tok"`)
	if again := d.buy("clientToken", `"tok"`); second == first || again != second {
		t.Errorf("afterwards: %s and %s", second, again)
	}
	if n := len(d.sim.Ledger()); n != 5 {
		t.Errorf("%d plans, want 5", n)
	}

	strict := planDeskAt(t, monday, Options{TokenMismatch: RefuseMismatch})
	first = strict.buy("clientToken", `"tok"`, "tags", `{"a":"b"}`)
	for _, other := range [][]string{
		{"commitment", `"2"`}, {"tags", `{"a":"c"}`}, {"tags", ""}, {"savingsPlanOfferingId", `"` + aPlan(allUpfront).id + `"`},
	} {
		strict.refused("ValidationException", "CreateSavingsPlan", planBody(append([]string{"clientToken", `"tok"`, "tags", `{"a":"b"}`}, other...)...))
	}
	if again := strict.buy("clientToken", `"tok"`, "tags", `{"a":"b"}`); again != first || len(strict.sim.Ledger()) != 1 {
		t.Errorf("the same request: %s", again)
	}
}

// A token that was lost with its answer is remembered, also by a second process
// over the state file.
func TestPlanTokenAcrossProcesses(t *testing.T) {
	path := statePath(t)
	d := planDeskAt(t, monday, Options{Path: path})
	first := d.buy("clientToken", `"tok"`, "tags", `{"a":"b"}`)
	other := planDeskAt(t, monday, Options{Path: path})
	if again := other.buy("clientToken", `"tok"`, "tags", `{"a":"b"}`); again != first {
		t.Errorf("%s, want %s", again, first)
	}
}

func TestPlanRefusals(t *testing.T) {
	d := planDeskAt(t, monday, Options{})
	partial := []string{"savingsPlanOfferingId", `"` + aPlan(partialUpfront).id + `"`, "commitment", `"1"`}
	yuan := ""
	for _, o := range builtin().byShop[shop{savingsPlans, noRegion}] {
		if o.hourly.Currency() == "CNY" {
			yuan = o.id
		}
	}
	for _, row := range []struct {
		code  string
		pairs []string
	}{
		{"ValidationException", []string{"commitment", ""}}, {"ValidationException", []string{"commitment", `"0.00099"`}},
		{"ValidationException", []string{"commitment", `"1000000.00001"`}}, {"ValidationException", []string{"commitment", `"1.000001"`}},
		{"ValidationException", []string{"commitment", `"1e3"`}}, {"ValidationException", []string{"commitment", `"-1"`}},
		{"ValidationException", []string{"commitment", "1.5"}}, {"ValidationException", []string{"savingsPlanOfferingId", ""}},
		{"ResourceNotFoundException", []string{"savingsPlanOfferingId", `"00000000-0000-4000-8000-000000000000"`}},
		{"ValidationException", []string{"savingsPlanOfferingId", `"` + yuan + `"`}},
		{"ServiceQuotaExceededException", []string{"commitment", `"10000.00001"`}},
		{"ValidationException", []string{"upfrontPaymentAmount", `"5000"`}},
		{"ValidationException", append(slices.Clone(partial), "upfrontPaymentAmount", `"4379"`)},
		{"ValidationException", append(slices.Clone(partial), "upfrontPaymentAmount", `"4380.5"`)},
		{"ValidationException", append(slices.Clone(partial), "upfrontPaymentAmount", `"8673"`)},
		{"ValidationException", []string{"purchaseTime", "1"}}, {"ValidationException", []string{"purchaseTime", `"2026-11-03T09:00:00Z"`}},
		{"ValidationException", []string{"purchaseTime", fmt.Sprint(monday.Add(queueLimit + time.Second).Unix())}},
		{"ValidationException", []string{"tags", `{"aws:a":"b"}`}}, {"ValidationException", []string{"tags", `{"a":1}`}},
		{"ValidationException", []string{"tags", `["a"]`}}, {"ValidationException", []string{"dryRun", `"true"`}},
	} {
		d.refused(row.code, "CreateSavingsPlan", planBody(row.pairs...))
	}
	if n := len(d.sim.Ledger()); n != 0 {
		t.Errorf("%d plans were sold", n)
	}
	for body, upfront := range map[string]string{`"4380"`: "4380.0", `"8672"`: "8672.0"} {
		if got := d.plan(d.buy(append(slices.Clone(partial), "upfrontPaymentAmount", body)...)); got["upfrontPaymentAmount"] != upfront {
			t.Errorf("upfront %v, want %s", got["upfrontPaymentAmount"], upfront)
		}
	}
	d.refused("UnknownOperationException", "CreateSavingsPlans", "{}")
	d.refused("ValidationException", "DescribeSavingsPlans", "{}{}")
	d.refused("ValidationException", "DescribeSavingsPlans", `{"maxResults":0}`)
	d.refused("ValidationException", "DescribeSavingsPlans", `{"nextToken":"e30="}`)
	d.refused("ValidationException", "DescribeSavingsPlans", `{"states":["gone"]}`)
	d.refused("ValidationException", "DescribeSavingsPlansOfferings", `{"filters":[{"name":"tenancy","values":["x"]}]}`)
	if status, code, _ := d.ask("DescribeSavingsPlans", "{}", func(r *http.Request) { r.Header.Set("Region", "eu-west-1") }); status != 400 && status != 403 || code != "InvalidSignatureException" {
		t.Errorf("signed for another region: %d %s", status, code)
	}
	if status, code, _ := d.ask("DescribeSavingsPlans", "{}", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }); status != 400 || code != "ValidationException" {
		t.Errorf("another content type: %d %s", status, code)
	}
	if err := d.sim.SetPrice(aPlan(noUpfront).id, money.Zero("USD"), money.MustParse("1", "USD")); err == nil {
		t.Error("a Savings Plan got a price")
	}
}

// What was bought is listed whole, with its tags, and in all its states.
func TestPlanListed(t *testing.T) {
	d := planDeskAt(t, monday, Options{PageSize: 2})
	id := d.buy("tags", `{"idem":"abc","a.b":"c d"}`)
	want := map[string]any{
		"offeringId": aPlan(noUpfront).id, "savingsPlanId": id, "savingsPlanArn": "arn:aws:savingsplans::111122223333:savingsplan/" + id,
		"description": "1 year No Upfront Compute Savings Plan", "start": "2026-11-02T09:00:00.000Z", "end": "2027-11-02T08:59:59.000Z",
		"state": "payment-pending", "savingsPlanType": "Compute", "paymentOption": "No Upfront",
		"productTypes": []any{"EC2", "Fargate", "Lambda"}, "currency": "USD", "commitment": "1.50000", "upfrontPaymentAmount": "0.0",
		"recurringPaymentAmount": "1.50000", "termDurationInSeconds": 31536000.0, "tags": map[string]any{"idem": "abc", "a.b": "c d"},
		"returnableUntil": "2026-11-09T09:00:00.000Z",
	}
	if got := d.plan(id); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	advance(t, d.sim, 10*time.Minute)
	if got := d.plan(id)["state"]; got != "active" {
		t.Errorf("after ten minutes: %v", got)
	}
	half := d.buy("savingsPlanOfferingId", `"`+aPlan(partialUpfront).id+`"`, "commitment", `"0.05"`)
	if got := d.plan(half); got["upfrontPaymentAmount"] != "219.0" || got["recurringPaymentAmount"] != "0.02500" {
		t.Errorf("%v", got)
	}
	all := d.buy("savingsPlanOfferingId", `"`+aPlan(allUpfront).id+`"`, "commitment", `"0.00123"`)
	if got := d.plan(all); got["upfrontPaymentAmount"] != "10.7748" || got["recurringPaymentAmount"] != "0.00000" {
		t.Errorf("%v", got)
	}
	addFault(t, d.sim, Fault{Kind: PaymentFailed, Service: savingsPlans})
	bad := d.buy()
	advance(t, d.sim, 10*time.Minute)
	if got := d.plan(bad)["state"]; got != "payment-failed" {
		t.Errorf("its payment failed: %v", got)
	}
	for body, n := range map[string]int{
		`{}`: 4, `{"states":["active"]}`: 3, `{"states":["returned"]}`: 0, `{"savingsPlanIds":["x"]}`: 0,
		`{"savingsPlanArns":["arn:aws:savingsplans::111122223333:savingsplan/` + id + `"]}`:                                                    1,
		`{"filters":[{"name":"payment-option","values":["All Upfront","Partial Upfront"]},{"name":"savings-plan-type","values":["Compute"]}]}`: 2,
	} {
		if got := d.count(body); got != n {
			t.Errorf("%s: %d plans, want %d", body, got, n)
		}
	}
	advance(t, d.sim, 366*24*time.Hour)
	if got := d.plan(id)["state"]; got != "retired" {
		t.Errorf("after its term: %v", got)
	}
	arn := `{"resourceArn":"arn:aws:savingsplans::111122223333:savingsplan/` + id + `"`
	if status, _, out := d.ask("TagResource", arn+`,"tags":{"a.b":"new","z":""}}`); status != 200 {
		t.Errorf("%v", out)
	}
	if _, _, out := d.ask("ListTagsForResource", arn+"}"); fmt.Sprint(out["tags"]) != fmt.Sprint(map[string]any{"idem": "abc", "a.b": "new", "z": ""}) {
		t.Errorf("%v", out)
	}
	d.refused("ResourceNotFoundException", "ListTagsForResource", `{"resourceArn":"arn:aws:savingsplans::444455556666:savingsplan/`+id+`"}`)
}

func TestPlanQueued(t *testing.T) {
	d := planDeskAt(t, monday, Options{})
	at := monday.Add(2 * time.Hour)
	when := fmt.Sprintf("%d", at.Unix())
	gone, kept := d.buy("purchaseTime", when), d.buy("purchaseTime", when)
	if got := d.plan(kept); got["state"] != "queued" || got["start"] != "2026-11-02T11:00:00.000Z" {
		t.Errorf("%v", got)
	}
	if status, _, out := d.ask("DeleteQueuedSavingsPlan", d.back(gone)); status != 200 || len(out) != 0 {
		t.Errorf("%d %v", status, out)
	}
	d.refused("ValidationException", "DeleteQueuedSavingsPlan", d.back(gone))
	d.refused("ResourceNotFoundException", "DeleteQueuedSavingsPlan", d.back("x"))
	d.refused("ValidationException", "ReturnSavingsPlan", d.back(kept))
	advance(t, d.sim, 2*time.Hour)
	if a, b := d.plan(gone)["state"], d.plan(kept)["state"]; a != "queued-deleted" || b != "payment-pending" {
		t.Errorf("%v and %v", a, b)
	}
	d.refused("ValidationException", "DeleteQueuedSavingsPlan", d.back(kept))
	advance(t, d.sim, 10*time.Minute)
	if got := d.plan(kept)["state"]; got != "active" {
		t.Errorf("%v", got)
	}
}

// The rules of a return, each on its own.
func TestPlanReturn(t *testing.T) {
	d := planDeskAt(t, monday, Options{})
	id, big, old := d.buy(), d.buy("commitment", `"100.00001"`), d.buy("commitment", `"100"`)
	d.refused("ValidationException", "ReturnSavingsPlan", d.back(id)) // its payment is pending
	advance(t, d.sim, 10*time.Minute)
	d.refused("ValidationException", "ReturnSavingsPlan", d.back(big))
	if got := d.plan(big); got["returnableUntil"] != got["start"] {
		t.Errorf("%v", got)
	}
	d.refused("ResourceNotFoundException", "ReturnSavingsPlan", d.back("x"))
	body := `{"savingsPlanId":"` + id + `","clientToken":"back"}`
	for range 2 { // the token repeats the answer
		if status, code, out := d.ask("ReturnSavingsPlan", body); status != 200 || out["savingsPlanId"] != id {
			t.Fatalf("%d %s %v", status, code, out)
		}
	}
	if got := d.plan(id)["state"]; got != "pending-return" {
		t.Errorf("%v", got)
	}
	d.refused("ValidationException", "ReturnSavingsPlan", d.back(id))
	advance(t, d.sim, 10*time.Minute)
	if got := d.plan(id)["state"]; got != "returned" {
		t.Errorf("%v", got)
	}
	advance(t, d.sim, 7*24*time.Hour-20*time.Minute)
	if status, _, _ := d.ask("ReturnSavingsPlan", d.back(old)); status != 200 {
		t.Error("on the last instant of the seventh day")
	}
	advance(t, d.sim, time.Hour)

	late := planDeskAt(t, monday, Options{})
	id = late.buy()
	advance(t, late.sim, 7*24*time.Hour+time.Second)
	late.refused("ValidationException", "ReturnSavingsPlan", late.back(id))

	month := planDeskAt(t, time.Date(2026, 11, 30, 23, 30, 0, 0, time.UTC), Options{})
	id = month.buy()
	if got := month.plan(id)["returnableUntil"]; got != "2026-11-30T23:59:59.000Z" {
		t.Errorf("%v", got)
	}
	advance(t, month.sim, 30*time.Minute)
	month.refused("ValidationException", "ReturnSavingsPlan", month.back(id))
}

// A return may fail, and the plan is active as before; ten succeed in a year.
func TestPlanReturnsOfAYear(t *testing.T) {
	d := planDeskAt(t, time.Date(2026, 12, 30, 9, 0, 0, 0, time.UTC), Options{})
	addFault(t, d.sim, Fault{Kind: ReturnFails})
	var ids []string
	for range 11 {
		ids = append(ids, d.buy())
	}
	advance(t, d.sim, 10*time.Minute)
	for _, id := range append([]string{ids[0]}, ids[:10]...) {
		if status, _, out := d.ask("ReturnSavingsPlan", d.back(id)); status != 200 {
			t.Fatal(out)
		}
		advance(t, d.sim, 10*time.Minute)
	}
	d.refused("ServiceQuotaExceededException", "ReturnSavingsPlan", d.back(ids[10]))
	states := map[string]int{}
	for _, e := range d.sim.Ledger() {
		states[e.State]++
	}
	if states["returned"] != 10 || states["active"] != 1 {
		t.Errorf("%v", states)
	}
	advance(t, d.sim, 3*24*time.Hour)
	id := d.buy()
	advance(t, d.sim, 10*time.Minute)
	if status, _, out := d.ask("ReturnSavingsPlan", d.back(id)); status != 200 {
		t.Errorf("in the new year: %v", out)
	}
}

// The official SDK reads it all: offerings by page, plans in any order and late.
func TestPlansBySDK(t *testing.T) {
	s := newSim(t, Options{PageSize: 3, Visibility: time.Hour})
	c := savingsplans.NewFromConfig(operator(serve(t, s)))
	seen := map[string]int{}
	in := &savingsplans.DescribeSavingsPlansOfferingsInput{
		Currencies: []sptypes.CurrencyCode{"USD"}, PlanTypes: []sptypes.SavingsPlanType{"EC2Instance"}, Durations: []int64{oneYear},
		Filters: []sptypes.SavingsPlanOfferingFilterElement{{Name: "region", Values: []string{"eu-west-1"}}},
	}
	for {
		out, err := c.DescribeSavingsPlansOfferings(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out.SearchResults {
			seen[*o.OfferingId]++
			if len(o.Properties) != 2 || o.DurationSeconds != oneYear || o.Currency != "USD" {
				t.Errorf("%+v", o)
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if len(seen) != 3*len(planFamilies) {
		t.Errorf("%d offerings", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s is listed %d times", id, n)
		}
	}
	rates, err := c.DescribeSavingsPlansOfferingRates(t.Context(), &savingsplans.DescribeSavingsPlansOfferingRatesInput{
		SavingsPlanOfferingIds: []string{aPlan(noUpfront).id},
	})
	if err != nil || len(rates.SearchResults) != 1 || *rates.SearchResults[0].Rate == "" {
		t.Errorf("%+v, %v", rates, err)
	}
	bought, err := c.CreateSavingsPlan(t.Context(), &savingsplans.CreateSavingsPlanInput{
		SavingsPlanOfferingId: aws.String(aPlan(noUpfront).id), Commitment: aws.String("1.5"), PurchaseTime: aws.Time(s.Now().Add(5 * time.Hour)),
		Tags: map[string]string{"a": "b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := c.DescribeSavingsPlans(t.Context(), nil); err != nil || len(out.SavingsPlans) != 0 {
		t.Errorf("at once: %+v, %v", out, err)
	}
	advance(t, s, time.Hour)
	out, err := c.DescribeSavingsPlans(t.Context(), nil)
	if err != nil || len(out.SavingsPlans) != 1 || *out.SavingsPlans[0].SavingsPlanId != *bought.SavingsPlanId || out.SavingsPlans[0].Tags["a"] != "b" {
		t.Errorf("later: %+v, %v", out, err)
	}
	if _, err := c.ReturnSavingsPlan(t.Context(), &savingsplans.ReturnSavingsPlanInput{SavingsPlanId: aws.String("x")}); code(err) != "ResourceNotFoundException" {
		t.Errorf("%v", err)
	}
}

// The audit log has what the guide's sample of it has: offering, commitment, token
// and tags, and the id in the answer, in us-east-1.
func TestPlanTrail(t *testing.T) {
	s := newSim(t, Options{Visibility: -1, TrailDelay: -1})
	url := serve(t, s)
	c := savingsplans.NewFromConfig(operator(url))
	out, err := c.CreateSavingsPlan(t.Context(), &savingsplans.CreateSavingsPlanInput{
		SavingsPlanOfferingId: aws.String(aPlan(noUpfront).id), Commitment: aws.String("1.5"), ClientToken: aws.String("tok"),
		Tags: map[string]string{"a.b": "c"},
	})
	if err != nil {
		t.Fatal(err)
	}
	events := lookup(t, trailClientOf(url, account), types.LookupAttributeKeyEventName, "CreateSavingsPlan")
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	doc := document(t, events[0])
	want := map[string]any{"savingsPlanOfferingId": aPlan(noUpfront).id, "commitment": "1.5", "clientToken": "tok", "tags": map[string]any{"a.b": "c"}}
	if fmt.Sprint(doc.RequestParameters) != fmt.Sprint(want) || doc.ResponseElements["savingsPlanId"] != *out.SavingsPlanId ||
		doc.AWSRegion != "us-east-1" || doc.EventSource != "savingsplans.amazonaws.com" || doc.ReadOnly {
		t.Errorf("%+v", doc)
	}
}

// A held request answers with its code in the header, too.
func TestPlanHeldFailure(t *testing.T) {
	d := planDeskAt(t, monday, Options{})
	addFault(t, d.sim, Fault{Kind: Delay, Service: savingsPlans, Duration: time.Minute})
	done := make(chan string)
	go func() {
		_, code, _ := d.ask("CreateSavingsPlan", planBody("commitment", `"0"`))
		done <- code
	}()
	waitFor(t, "the held request", func() bool { return len(d.sim.Requests()) == 1 })
	advance(t, d.sim, time.Minute)
	if code := <-done; code != "ValidationException" {
		t.Errorf("code %q", code)
	}
}
