package sim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/opensearch"
	"github.com/google/go-cmp/cmp"
)

func searchClient(endpoint string) *opensearch.Client {
	return opensearch.NewFromConfig(operator(endpoint))
}

// aSearch is a fixed offering of us-east-1.
func aSearch() *offering {
	for _, o := range builtin().byShop[shop{"es", "us-east-1"}] {
		if o.Class == "r6g.large.search" && o.Seconds == oneYear && o.Payment == partialUpfront {
			return o
		}
	}
	panic("no such offering")
}

func buySearch(ctx context.Context, c *opensearch.Client, name string, count int32) (string, error) {
	out, err := c.PurchaseReservedInstanceOffering(ctx, &opensearch.PurchaseReservedInstanceOfferingInput{
		ReservedInstanceOfferingId: aws.String(aSearch().id), ReservationName: &name, InstanceCount: &count,
	})
	if err != nil {
		return "", err
	}
	return *out.ReservedInstanceId, nil
}

// askREST sends a raw request of the rest-json protocol and returns the status, the
// code in the header and the body.
func askREST(t *testing.T, endpoint, method, path, body string, edit func(*http.Request)) (int, string, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, endpoint+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", restType)
	}
	if edit != nil {
		edit(r)
	}
	sum := sha256.Sum256([]byte(body))
	creds := aws.Credentials{AccessKeyID: account, SecretAccessKey: "test"}
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, r, hex.EncodeToString(sum[:]), "es", "us-east-1", noon); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.Header.Get("Content-Type") != restType {
		t.Errorf("%s %s: Content-Type %s, %v", method, path, resp.Header.Get("Content-Type"), err)
	}
	return resp.StatusCode, resp.Header.Get("X-Amzn-Errortype"), string(text)
}

func TestOpenSearchOnTheWire(t *testing.T) {
	s, endpoint := fixedSim(t, Options{Visibility: -1, OpenSearchNames: NamesUnique})
	o := aSearch()
	const base, old = "/2021-01-01/opensearch/", "/2015-01-01/es/"
	const buy, list, offers = "purchaseReservedInstanceOffering", "reservedInstances", "reservedInstanceOfferings"
	const nobody = "00000000-0000-4000-8000-000000000000"
	order := func(prefix, name, more string) string {
		return `{"` + prefix + `OfferingId":"` + o.id + `","ReservationName":"` + name + `"` + more + `}`
	}
	record := func(prefix, typeMember, suffix, count string) string {
		r := s.Ledger()[0]
		return `{"` + prefix + `s":[{"ReservationName":"Mine-1","` + prefix + `Id":"` + r.ID + `","BillingSubscriptionId":` +
			strconv.FormatUint(draw(1_000_000_000, 0, "subscription", r.ID), 10) + `,"` + prefix + `OfferingId":"` + o.id + `","` + typeMember +
			`":"r6g.large.` + suffix + `","StartTime":` + epoch("", noon).text + `,"Duration":31536000,"FixedPrice":` + double(o.fixed) +
			`,"UsagePrice":0.0,"CurrencyCode":"USD","` + count + `":2,"State":"payment-pending","PaymentOption":"PARTIAL_UPFRONT",` +
			`"RecurringCharges":[{"RecurringChargeAmount":` + double(o.hourly) + `,"RecurringChargeFrequency":"Hourly"}]}]}`
	}
	if status, code, body := askREST(t, endpoint, "POST", base+buy, order("ReservedInstance", "Mine-1", `,"InstanceCount":2`), nil); status != 200 || code != "" ||
		body != `{"ReservedInstanceId":"`+s.Ledger()[0].ID+`","ReservationName":"Mine-1"}` {
		t.Fatalf("bought: %d %s %s", status, code, body)
	}
	for _, tt := range []struct {
		method, path, body string
		status             int
		code, want         string
	}{
		{"POST", base + buy, order("ReservedInstance", "Mine-1", ""), 409, "ResourceAlreadyExistsException", `{"message":"Reservation name Mine-1 already in use"}`},
		{"POST", base + buy, order("ReservedInstance", "MINE-1", ""), 409, "ResourceAlreadyExistsException", ""},
		{"POST", old + buy, order("ReservedElasticsearchInstance", "Mine-1", ""), 409, "ResourceAlreadyExistsException", ""},
		{"POST", base + buy, order("ReservedElasticsearchInstance", "Mine-2", ""), 400, "SerializationException", ""},
		{"POST", base + buy, order("ReservedInstance", "Mine", ""), 400, "ValidationException", ""},
		{"POST", base + buy, order("ReservedInstance", strings.Repeat("a", 65), ""), 400, "ValidationException", ""},
		{"POST", base + buy, order("ReservedInstance", "Mine-2", `,"InstanceCount":0`), 400, "ValidationException", ""},
		{"POST", base + buy, order("ReservedInstance", "Mine-2", `,"InstanceCount":99`), 409, "LimitExceededException", ""},
		{"POST", base + buy, order("ReservedInstance", "Mine-2", `,"ClientToken":"x"`), 400, "SerializationException", ""},
		{"POST", base + buy, order("ReservedInstance", "Mine-2", `,"Tags":[{"Key":"a","Value":"b"}]`), 400, "SerializationException", ""},
		{"POST", base + buy, `{"ReservedInstanceOfferingId":"` + nobody + `","ReservationName":"Mine-2"}`, 409, "ResourceNotFoundException", ""},
		{"POST", base + buy, `{"ReservedInstanceOfferingId":"x","ReservationName":"Mine-2"}`, 400, "ValidationException", ""},
		{"POST", base + buy + "?a=b", order("ReservedInstance", "Mine-2", ""), 400, "SerializationException", ""},
		{"POST", base + buy, `[]`, 400, "SerializationException", ""},
		{"GET", base + buy, "", 400, "UnknownOperationException", ""},
		{"POST", base + list, "{}", 400, "UnknownOperationException", ""},
		{"GET", "/", "", 400, "UnknownOperationException", ""},
		{"GET", base + list + "?reservationId=" + nobody, "", 409, "ResourceNotFoundException", ""},
		{"GET", base + list + "?reservationId=x", "", 400, "ValidationException", ""},
		{"GET", base + list + "?ReservationName=Mine-1", "", 400, "SerializationException", ""},
		{"GET", base + list + "?maxResults=1&maxResults=1", "", 400, "SerializationException", ""},
		{"GET", base + list + "?maxResults=101", "", 400, "ValidationException", ""},
		{"GET", base + list + "?nextToken=e30", "", 400, "ValidationException", ""},
		{"GET", base + offers + "?offeringId=" + nobody, "", 409, "ResourceNotFoundException", ""},
		{"GET", base + offers + "?offeringId=x", "", 400, "ValidationException", ""},
		{"GET", base + list, "", 200, "", record("ReservedInstance", "InstanceType", "search", "InstanceCount")},
		{"GET", old + list, "", 200, "", record("ReservedElasticsearchInstance", "ElasticsearchInstanceType", "elasticsearch", "ElasticsearchInstanceCount")},
		{"GET", old + offers + "?offeringId=" + o.id, "", 200, "", `{"ReservedElasticsearchInstanceOfferings":[{"ReservedElasticsearchInstanceOfferingId":"` + o.id +
			`","ElasticsearchInstanceType":"r6g.large.elasticsearch","Duration":31536000,"FixedPrice":` + double(o.fixed) +
			`,"UsagePrice":0.0,"CurrencyCode":"USD","PaymentOption":"PARTIAL_UPFRONT","RecurringCharges":[{"RecurringChargeAmount":` + double(o.hourly) +
			`,"RecurringChargeFrequency":"Hourly"}]}]}`},
	} {
		status, code, body := askREST(t, endpoint, tt.method, tt.path, tt.body, nil)
		if status != tt.status || code != tt.code || tt.want != "" && body != tt.want {
			t.Errorf("%s %s %s: %d %s\n got %s\nwant %s", tt.method, tt.path, tt.body, status, code, body, tt.want)
		}
	}
	if status, code, _ := askREST(t, endpoint, "POST", base+buy, order("ReservedInstance", "Mine-2", ""), func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }); status != 400 || code != "SerializationException" {
		t.Errorf("text: %d %s", status, code)
	}
	if status, code, _ := askREST(t, endpoint, "GET", base+list, "{}", nil); status != 400 || code != "SerializationException" {
		t.Errorf("GET with a body: %d %s", status, code)
	}
	r := s.Ledger()[0]
	if l := s.Ledger(); len(l) != 1 || r.Name != "Mine-1" || r.ID == "Mine-1" || !guidForm.MatchString(r.ID) || r.ARN != "" || r.Service != "es" || r.SentID != "" {
		t.Errorf("ledger %+v", l)
	}
}

// Without a rule that names are unique, a name buys again and again.
func TestOpenSearchNamesReusable(t *testing.T) {
	s := newSim(t, Options{Visibility: -1, PageSize: 2, Quota: 1000})
	c := searchClient(serve(t, s))
	ids := map[string]bool{}
	for range 5 {
		id, err := buySearch(t.Context(), c, "again", 1)
		if err != nil {
			t.Fatal(err)
		}
		ids[id] = true
	}
	listed := map[string]bool{}
	p := opensearch.NewDescribeReservedInstancesPaginator(c, &opensearch.DescribeReservedInstancesInput{})
	pages := 0
	for ; p.HasMorePages(); pages++ {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range out.ReservedInstances {
			listed[*r.ReservedInstanceId] = *r.ReservationName == "again"
		}
	}
	if diff := cmp.Diff(ids, listed); diff != "" || len(ids) != 5 || pages < 3 {
		t.Errorf("%d pages (-bought +listed):\n%s", pages, diff)
	}
}

// What is put into the world has a name, given or made up, and no more than one of
// a name where they are unique.
func TestOpenSearchExisting(t *testing.T) {
	s := newSim(t, Options{OpenSearchNames: NamesUnique})
	e := Existing{Account: account, Region: "us-east-1", OfferingID: aSearch().id, Count: 1}
	named := e
	named.Name = "team-a"
	if err := s.Add(e, named); err != nil {
		t.Fatal(err)
	}
	short, other := named, Existing{Account: account, Region: "us-east-1", OfferingID: clientOf("redshift").aNode().id, Count: 1, Name: "team-b"}
	short.Name = "a"
	for name, e := range map[string]Existing{"taken": named, "short": short, "of a service without names": other} {
		if err := s.Add(e); err == nil {
			t.Errorf("a name that is %s was added", name)
		}
	}
	if l := s.Ledger(); len(l) != 2 || !strings.HasPrefix(l[0].Name, "reservation-") || l[1].Name != "team-a" {
		t.Errorf("ledger %+v", l)
	}
	if _, err := buySearch(t.Context(), searchClient(serve(t, s)), "TEAM-A", 1); code(err) != "ResourceAlreadyExistsException" {
		t.Errorf("bought under a taken name: %v", err)
	}
}

// The permissions are those of es, and the audit log may name either source.
func TestOpenSearchSessionAndTrail(t *testing.T) {
	s := newSim(t, Options{Visibility: -1, TrailDelay: -1})
	url := serve(t, s)
	allow := func(action string) *opensearch.Client {
		return opensearch.NewFromConfig(config(url, assume(t, url, `{"Statement":{"Effect":"Allow","Action":"`+action+`","Resource":"*"}}`)))
	}
	if _, err := buySearch(t.Context(), allow("opensearch:*"), "team-a", 1); code(err) != "AccessDeniedException" {
		t.Errorf("not permitted: %v", err)
	}
	var ids []string
	for range 12 {
		id, err := buySearch(t.Context(), allow("es:PurchaseReservedInstanceOffering"), "team-a", 1)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	sources := map[string]int{}
	for _, e := range lookup(t, trailClient(url), types.LookupAttributeKeyEventName, "PurchaseReservedInstanceOffering") {
		d := document(t, e)
		sources[*e.EventSource]++
		if d.ErrorCode != "" {
			continue
		}
		if !slices.Contains(ids, d.ResponseElements["reservedInstanceId"].(string)) || d.RequestParameters["reservationName"] != "team-a" || d.RequestParameters["instanceCount"] != 1.0 {
			t.Errorf("event %+v", d)
		}
	}
	if len(sources) != 2 || sources["es.amazonaws.com"]+sources["opensearch.amazonaws.com"] != 13 {
		t.Errorf("sources %v", sources)
	}
}

func TestRoute(t *testing.T) {
	r := route{method: "POST", path: "/v1/things/{ThingId}/stop"}
	for path, want := range map[string]string{
		"/v1/things/a/stop": "a", "/v1/things//stop": "", "/v1/things/a": "", "/v1/things/a/stop/": "", "/v1/other/a/stop": "",
	} {
		in, ok := r.match("POST", path)
		if ok != (want != "") || in["ThingId"] != want {
			t.Errorf("%s: %v, %t", path, in, ok)
		}
	}
	if _, ok := r.match("GET", "/v1/things/a/stop"); ok {
		t.Error("another method matches")
	}
}

// trailOf is a client of the audit log of the account that the other clients buy in.
func trailOf(endpoint string) *cloudtrail.Client { return cloudtrail.NewFromConfig(operator(endpoint)) }

// A request that arrives late and is refused hears why, where this protocol says it.
func TestOpenSearchDelayed(t *testing.T) {
	s := newSim(t, Options{OpenSearchNames: NamesUnique, SignatureAge: time.Hour})
	c := searchClient(serve(t, s))
	if _, err := buySearch(t.Context(), c, "team-a", 1); err != nil {
		t.Fatal(err)
	}
	addFault(t, s, Fault{Kind: Delay, Service: "es", Duration: time.Minute})
	done := make(chan error, 1)
	go func() {
		_, err := buySearch(t.Context(), c, "team-a", 1)
		done <- err
	}()
	waitFor(t, "the held request", func() bool { return len(s.Requests()) == 2 })
	advance(t, s, time.Minute)
	if err := <-done; code(err) != "ResourceAlreadyExistsException" || len(s.Ledger()) != 1 {
		t.Errorf("%v, %d sold", err, len(s.Ledger()))
	}
}
