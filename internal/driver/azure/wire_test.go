package azure

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/money"
)

const (
	wireOrder     = "11111111-1111-1111-1111-111111111111"
	wirePlanOrder = "55555555-5555-5555-5555-555555555555"
	wireToken     = "secret-token-of-the-wire"
)

// wireStart is far from the wall clock and from the Date of the answers.
var wireStart = time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)

// wire is a plain HTTP server in the place of Azure, with recorded answers. It shares no
// code with the simulator.
type wire struct {
	*httptest.Server
	put      http.HandlerFunc
	tenant   string
	expires  time.Time
	answers  map[string]string // by method and path without a query; missing is 404
	statuses map[string]int

	mu    sync.Mutex
	calls []string
	puts  []string // bodies
	heads []http.Header
}

func newWire(t *testing.T) *wire {
	w := &wire{tenant: testTenant, expires: wireStart.Add(time.Hour), statuses: map[string]int{}}
	w.answers = map[string]string{
		"POST /providers/Microsoft.Capacity/calculatePrice": `{"properties":{"billingCurrencyTotal":{"currencyCode":"GBP","amount":24.0},"netTotal":0.0,` +
			`"reservationOrderId":"` + wireOrder + `","skuTitle":"x","pricingCurrencyTotal":{"currencyCode":"USD","amount":30.0}}}`,
		"GET /providers/Microsoft.Capacity/reservations":        `{"value":[]}`,
		"POST /providers/Microsoft.BillingBenefits/validate":    `{"benefits":[{"valid":true}]}`,
		"GET /providers/Microsoft.BillingBenefits/savingsPlans": `{"value":[]}`,
	}
	w.put = reply(202, orderBody("Creating"), "Location", "<base>/providers/Microsoft.Capacity/reservationOrders/"+wireOrder)
	w.Server = httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	w.Config.ErrorLog = log.New(io.Discard, "", 0)
	w.Start()
	t.Cleanup(w.Close)
	return w
}

func (w *wire) serve(rw http.ResponseWriter, r *http.Request) {
	call := r.Method + " " + r.URL.Path
	w.mu.Lock()
	w.calls = append(w.calls, call+"?"+r.URL.RawQuery)
	w.heads = append(w.heads, r.Header.Clone())
	w.mu.Unlock()
	rw.Header().Set("Date", "Mon, 23 Nov 2026 10:00:00 GMT")
	rw.Header().Set("x-ms-request-id", "wire-request")
	switch body, known := w.answers[call]; {
	case r.Method == http.MethodPut, strings.HasSuffix(call, "/return"):
		sent, _ := io.ReadAll(r.Body)
		w.mu.Lock()
		w.puts = append(w.puts, string(sent))
		w.mu.Unlock()
		w.put(rw, r)
	case call == "GET /subscriptions/"+testAccount:
		_, _ = fmt.Fprintf(rw, `{"id":"/subscriptions/%s","subscriptionId":"%s","tenantId":"%s","state":"Enabled"}`, testAccount, testAccount, w.tenant)
	case known:
		if s := w.statuses[call]; s != 0 {
			rw.WriteHeader(s)
		}
		_, _ = io.WriteString(rw, strings.ReplaceAll(body, "<base>", w.URL))
	default:
		rw.WriteHeader(404)
		_, _ = io.WriteString(rw, `{"error":{"code":"ResourceNotFound","message":"no"}}`)
	}
}

// GetToken implements azcore.TokenCredential.
func (w *wire) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if o.EnableCAE || len(o.Scopes) != 1 || o.Scopes[0] != "https://management.azure.com/.default" || o.TenantID != testTenant {
		return azcore.AccessToken{}, fmt.Errorf("asked for a token by %+v", o)
	}
	return azcore.AccessToken{Token: wireToken, ExpiresOn: w.expires}, nil
}

func reply(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], strings.ReplaceAll(header[i+1], "<base>", "http://"+r.Host))
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func orderBody(state string) string {
	return `{"id":"/providers/microsoft.capacity/reservationOrders/` + wireOrder + `","name":"` + wireOrder + `","type":"microsoft.capacity/reservationOrders",` +
		`"etag":1,"properties":{"originalQuantity":2,"requestDateTime":"2023-03-06T14:10:21.8757428Z","billingPlan":"Upfront","reservations":[{"id":"/providers/` +
		`Microsoft.Capacity/reservationOrders/` + wireOrder + `/reservations/22222222-2222-2222-2222-222222222222"}],"term":"P1Y","displayName":"bu-wire-1",` +
		`"provisioningState":"` + state + `","billingAccountId":"/providers/Microsoft.Billing/billingAccounts/x","planInformation":{"pricingCurrencyTotal":` +
		`{"currencyCode":"USD","amount":30.0},"transactions":[{"dueDate":"2023-03-06","billingCurrencyTotal":{"currencyCode":"GBP","amount":24.0},"status":"Completed"}]}}}`
}

func reservationBody(change ...string) string {
	body := `{"id":"/providers/microsoft.capacity/reservationOrders/` + wireOrder + `/reservations/22222222-2222-2222-2222-222222222222","name":"22222222-2222-2222-2222-222222222222",` +
		`"type":"microsoft.capacity/reservationOrders/reservations","location":"westeurope","etag":11,"sku":{"name":"Standard_B1ls"},"properties":{` +
		`"reservedResourceType":"VirtualMachines","userFriendlyRenewState":"Off","renew":false,"archived":false,"quantity":2,"appliedScopeType":"Shared",` +
		`"displayName":"bu-wire-1","provisioningState":"Succeeded","term":"P1Y","expiryDateTime":"2024-03-04T04:23:12.3497675Z","purchaseDateTime":` +
		`"2023-03-04T04:17:25.7707892Z","benefitStartTime":"2023-03-04T04:23:12.3497675Z","instanceFlexibility":"On","billingPlan":"Upfront",` +
		`"billingScopeId":"/subscriptions/` + testAccount + `"}}`
	return strings.NewReplacer(change...).Replace(body)
}

// open returns the driver of a service at the wire.
func (w *wire) open(t *testing.T, s cloud.Service, change ...func(*Config)) driver.Service {
	cfg := Config{
		Account: testAccount, Tenant: testTenant, Region: testRegion, Endpoint: w.URL, Credential: w, Now: func() time.Time { return wireStart },
	}
	if !HasRegions(s) {
		cfg.Region = Global
	}
	for _, c := range change {
		c(&cfg)
	}
	d, err := Open(s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (w *wire) request(d driver.Service) driver.Request {
	r := driver.Request{
		Account: testAccount, Quantity: 2, Identity: "bu-wire-1", Identities: []string{"bu-wire-1"}, Attempt: "bu-wire-1-a1",
		Offering: cloud.Offering{
			Provider: cloud.Azure, Service: "vm", Region: testRegion, ID: "Standard_B1ls.P1Y.Upfront", Term: cloud.OneYear, Payment: cloud.AllUpfront,
			Attributes: cloud.Attributes{"sku": "Standard_B1ls", "scope": "shared", "renew": "false", "flexible": "true"},
		},
		SendBy: wireStart.Add(20 * time.Second), Deadline: wireStart.Add(d.Info().Life),
	}
	if d.Info().Lane.Service == SavingsPlan {
		all, _ := d.Offerings(context.Background(), driver.Query{Term: cloud.ThreeYears, Payment: cloud.Monthly})
		r.Offering, r.Quantity = all[0], 150_000
	}
	return r
}

// purchase quotes and buys.
func (w *wire) purchase(t *testing.T, d driver.Service) (cloud.Evidence, error) {
	t.Helper()
	r := w.request(d)
	q, err := d.Quote(t.Context(), r)
	if err != nil {
		t.Fatalf("Quote: %v", err)
	}
	r.Order = q.Order
	return d.Purchase(t.Context(), r)
}

// TestOneRequestInDoubt: whatever goes wrong once a byte has left, one request was on the
// wire and its outcome is in doubt. A row dies when the SDK retries, when a redirect is
// followed, or when an answer is believed that proves nothing.
func TestOneRequestInDoubt(t *testing.T) {
	refused := `{"error":{"code":"InvalidRequestContent","message":"no"}}`
	good := orderBody("Creating")
	cut := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
	for name, put := range map[string]http.HandlerFunc{
		"closed": cut,
		"stall":  func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"torn": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			w.WriteHeader(202)
			_, _ = io.WriteString(w, good)
			panic(http.ErrAbortHandler)
		},
		"408":            reply(408, refused),
		"429 of a proxy": reply(429, "slow down"),
		"500":            reply(500, `{"error":{"code":"InternalServerError","message":"x"}}`),
		"502":            reply(502, "<html>"),
		"503":            reply(503, refused, "Retry-After", "0"),
		"504":            reply(504, ""),
		"307":            reply(307, "", "Location", "/elsewhere"),
		"201":            reply(201, good),
		"204":            reply(204, ""),
		"200 empty":      reply(200, ""),
		"200 page":       reply(200, "<html><body>Sign in</body></html>"),
		"200 error":      reply(200, refused),
		"another order":  reply(202, strings.ReplaceAll(good, wireOrder, "99999999-9999-4999-8999-999999999999"), "Location", "<base>/x"),
		"no address":     reply(202, good, "Location", "/relative"), // the SDK complains
		"half an order":  reply(202, good[:len(good)/2], "Location", "<base>/x"),
		"session gone": reply(400, `{"error":{"code":"BadRequest","message":"Session timed out - Call CalculatePrice again and provide the new `+
			`Reservation Order ID for purchase"}}`),
		"session gone in small letters": reply(400, `{"error":{"code":"badrequest","message":"x"}}`),
		"billing":                       reply(400, `{"error":{"code":"BillingTransientError","message":"x"}}`),
		"half a refusal":                reply(400, refused[:len(refused)-2]),
		"a refusal and more":            reply(400, refused+"more"),
		"404 of a proxy":                reply(404, "not found"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			w.put = put
			ev, err := w.purchase(t, w.open(t, "vm", func(c *Config) { c.Answer = 2 * time.Second }))
			if len(w.puts) != 1 {
				t.Errorf("%d requests on the wire, want 1", len(w.puts))
			}
			if err == nil || driver.OutcomeOf(err) != cloud.InDoubt || ev.Outcome != cloud.InDoubt || ev.Handle != "" || ev.Detail == "" {
				t.Errorf("%+v, %v: want doubt", ev, err)
			}
			if errors.Is(err, driver.ErrSecondRequest) {
				t.Errorf("a layer above the transport wanted to send again: %v", err)
			}
			if strings.Contains(ev.Detail+err.Error(), wireToken) {
				t.Error("the token is in the evidence")
			}
		})
	}
}

// TestPurchaseOnTheWire pins what is sent, and what an answer becomes.
func TestPurchaseOnTheWire(t *testing.T) {
	w := newWire(t)
	ev, err := w.purchase(t, w.open(t, "vm"))
	if err != nil {
		t.Fatal(err)
	}
	want := cloud.Evidence{
		Kind: cloud.EvidenceReply, Outcome: cloud.Accepted, Operation: opBuyReservation, Started: wireStart, Status: 202,
		CloudTime: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), RequestID: "wire-request", Handle: wireOrder,
		Detail: "order " + wireOrder + " is Creating",
	}
	if diff := cmp.Diff(want, ev); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	wantCalls := []string{
		"GET /subscriptions/" + testAccount + "?api-version=2022-12-01",
		"POST /providers/Microsoft.Capacity/calculatePrice?api-version=2022-11-01",
		"GET /subscriptions/" + testAccount + "?api-version=2022-12-01",
		"PUT /providers/Microsoft.Capacity/reservationOrders/" + wireOrder + "?api-version=2022-11-01",
	}
	if diff := cmp.Diff(wantCalls, w.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	wantBody := `{"location":"westeurope","properties":{"appliedScopeType":"Shared","billingPlan":"Upfront","billingScopeId":"/subscriptions/` + testAccount +
		`","displayName":"bu-wire-1","quantity":2,"renew":false,"reservedResourceProperties":{"instanceFlexibility":"On"},"reservedResourceType":"VirtualMachines",` +
		`"term":"P1Y"},"sku":{"name":"Standard_B1ls"}}`
	if diff := cmp.Diff([]string{wantBody}, w.puts); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	for i, h := range w.heads {
		if h.Get("Authorization") != "Bearer "+wireToken || !strings.Contains(h.Get("User-Agent"), appID) {
			t.Errorf("request %d has %v", i, h)
		}
	}
}

// TestScopesOnTheWire: each scope is what the description of the API says of it.
func TestScopesOnTheWire(t *testing.T) {
	const sub = "/subscriptions/" + testAccount
	for scope, want := range map[string]string{
		"shared":                    `"appliedScopeType":"Shared"`,
		sub:                         `"appliedScopeProperties":{"subscriptionId":"` + sub + `"},"appliedScopeType":"Single"`,
		sub + "/resourcegroups/rg1": `"appliedScopeProperties":{"resourceGroupId":"` + sub + `/resourcegroups/rg1"},"appliedScopeType":"Single"`,
		"/providers/microsoft.management/managementgroups/mg": `"appliedScopeProperties":{"managementGroupId":"/providers/microsoft.management/managementgroups/mg",` +
			`"tenantId":"` + testTenant + `"},"appliedScopeType":"ManagementGroup"`,
	} {
		for _, s := range []cloud.Service{"vm", SavingsPlan} {
			w := newWire(t)
			if s == SavingsPlan {
				w.put = reply(201, aliasBody, "Azure-AsyncOperation", "<base>/x")
			}
			d := w.open(t, s)
			r := w.request(d)
			r.Offering.Attributes["scope"] = scope
			q, err := d.Quote(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			r.Order = q.Order
			if _, err := d.Purchase(t.Context(), r); err != nil || len(w.puts) != 1 || !strings.Contains(w.puts[0], want) {
				t.Errorf("%s %s: sent %s, %v", s, scope, w.puts, err)
			}
		}
	}
	w := newWire(t)
	d := w.open(t, "vm")
	for _, scope := range []string{"", "Shared", "/subscriptions/x", sub + "/resourceGroups/RG1"} {
		r := w.request(d)
		r.Offering.Attributes["scope"] = scope
		if _, err := d.Quote(t.Context(), r); err == nil {
			t.Errorf("the scope %q was quoted", scope)
		}
	}
}

const aliasBody = `{"id":"/providers/Microsoft.BillingBenefits/savingsPlanOrderAliases/bu-wire-1","name":"bu-wire-1","type":"Microsoft.BillingBenefits/savingsPlanOrderAliases",` +
	`"kind":null,"sku":{"name":"Compute_Savings_Plan"},"properties":{"savingsPlanOrderId":"/providers/Microsoft.BillingBenefits/savingsPlanOrders/` + wirePlanOrder + `",` +
	`"billingPlan":"P1M","appliedScopeProperties":null,"commitment":{"grain":"Hourly","currencyCode":"USD","amount":1.5},"appliedScopeType":"Shared","provisioningState":"Created","term":"P3Y"}}`

// TestSavingsPlanOnTheWire pins what is sent, and what the answer is followed by.
func TestSavingsPlanOnTheWire(t *testing.T) {
	const operation = "44444444-4444-4444-4444-444444444444"
	for header, handle := range map[string]string{
		"<base>/providers/Microsoft.Capacity/operationResults/" + operation + "?api-version=2020-10-01-preview": handleOperation + operation,
		"https://elsewhere/steal": handleOrder + wirePlanOrder,
		"":                        handleOrder + wirePlanOrder,
	} {
		w := newWire(t)
		w.put = reply(201, aliasBody, "Azure-AsyncOperation", header)
		ev, err := w.purchase(t, w.open(t, SavingsPlan))
		if header == "" { // the SDK wants one; what it complains of is doubt
			if driver.OutcomeOf(err) == cloud.Refused || len(w.puts) != 1 {
				t.Errorf("without a header: %+v, %v", ev, err)
			}
			continue
		}
		if err != nil || ev.Outcome != cloud.Accepted || ev.Handle != handle {
			t.Errorf("%s: %+v, %v", header, ev, err)
		}
		want := `{"properties":{"appliedScopeType":"Shared","billingPlan":"P1M","billingScopeId":"/subscriptions/` + testAccount +
			`","commitment":{"amount":1.5,"currencyCode":"USD","grain":"Hourly"},"displayName":"bu-wire-1","term":"P3Y"},"sku":{"name":"Compute_Savings_Plan"}}`
		if len(w.puts) != 1 || canonical(t, w.puts[0]) != canonical(t, want) {
			t.Errorf("sent %s", w.puts)
		}
	}
}

// TestAnotherAlias: an answer about another alias proves nothing.
func TestAnotherAlias(t *testing.T) {
	for _, body := range []string{strings.ReplaceAll(aliasBody, "bu-wire-1", "bu-wire-2"), strings.ReplaceAll(aliasBody, wirePlanOrder, "")} {
		w := newWire(t)
		w.put = reply(201, body, "Azure-AsyncOperation", "<base>/x")
		if ev, err := w.purchase(t, w.open(t, SavingsPlan)); err == nil || driver.OutcomeOf(err) != cloud.InDoubt || ev.Handle != "" {
			t.Errorf("%+v, %v", ev, err)
		}
	}
}

func canonical(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	out, _ := json.Marshal(v)
	return string(out)
}

// TestUnsent: what must not be sent is not.
func TestUnsent(t *testing.T) {
	for name, c := range map[string]struct {
		wire    func(*wire)
		request func(*driver.Request)
		cause   error
	}{
		"no order":      {request: func(r *driver.Request) { r.Order = "" }},
		"another order": {request: func(r *driver.Request) { r.Order = "99999999-9999-4999-8999-999999999999" }},
		"no GUID":       {request: func(r *driver.Request) { r.Order = "../x" }},
		"another tenant": {wire: func(w *wire) { w.tenant = testAccount },
			cause: driver.ErrWrongAccount},
		"token outlives the attempt": {request: func(r *driver.Request) { r.Deadline = wireStart.Add(time.Hour - time.Second) }},
		"too late":                   {request: func(r *driver.Request) { r.SendBy = wireStart.Add(-time.Second) }, cause: driver.ErrTooLate},
		"upper case":                 {request: func(r *driver.Request) { r.Identity = "Bu-Wire-1" }},
		"another account":            {request: func(r *driver.Request) { r.Account = testOther }, cause: driver.ErrWrongAccount},
	} {
		w := newWire(t)
		d := w.open(t, "vm")
		r := w.request(d)
		q, err := d.Quote(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		r.Order = q.Order
		if c.wire != nil {
			c.wire(w)
		}
		if c.request != nil {
			c.request(&r)
		}
		ev, err := d.Purchase(t.Context(), r)
		if driver.OutcomeOf(err) != cloud.Unsent || ev.Outcome != cloud.Unsent || len(w.puts) != 0 {
			t.Errorf("%s: %+v, %v, %d requests", name, ev, err, len(w.puts))
		}
		if c.cause != nil && !errors.Is(err, c.cause) {
			t.Errorf("%s: %v, want %v", name, err, c.cause)
		}
	}
}

// TestTokenThatIsAlmostOver: it is not used.
func TestTokenThatIsAlmostOver(t *testing.T) {
	w := newWire(t)
	w.expires = wireStart
	d := w.open(t, "vm")
	if _, err := d.Quote(t.Context(), w.request(d)); err == nil || len(w.calls) != 0 {
		t.Errorf("quoted with a token that is over: %v, %v", err, w.calls)
	}
}

// TestFindOnTheWire: what an order and its reservation say becomes a commitment, and
// what they do not say is an error.
func TestFindOnTheWire(t *testing.T) {
	const order = "GET /providers/Microsoft.Capacity/reservationOrders/" + wireOrder
	w := newWire(t)
	w.answers["GET /providers/Microsoft.Capacity/reservations"] = `{"value":[` + reservationBody() + `]}`
	w.answers[order] = orderBody("Succeeded")
	d := w.open(t, "vm")
	found, err := d.Find(t.Context(), w.request(d))
	if err != nil || len(found) != 1 || found[0].Commitment == nil {
		t.Fatalf("%+v, %v", found, err)
	}
	want := cloud.Commitment{
		Lane: d.Info().Lane, ID: wireOrder, Name: "bu-wire-1", ARN: "/providers/microsoft.capacity/reservationOrders/" + wireOrder,
		OfferingID: "Standard_B1ls.P1Y.Upfront", Term: cloud.OneYear, Payment: cloud.AllUpfront, Quantity: 2, State: cloud.Active,
		Attributes: cloud.Attributes{"sku": "Standard_B1ls", "scope": "shared", "renew": "false", "flexible": "true"},
		Upfront:    money.MustParse("12", "GBP"), Hourly: money.Zero("GBP"), Start: time.Date(2023, 3, 4, 4, 23, 12, 349767500, time.UTC),
	}
	if diff := cmp.Diff(want, *found[0].Commitment, cmp.Comparer(money.Amount.Equal)); diff != "" {
		t.Errorf("commitment (-want +got):\n%s", diff)
	}
	for state, want := range map[string]cloud.CommitmentState{
		"PendingCapacity": cloud.Pending, "PendingBilling": cloud.Pending, "Failed": cloud.Failed, "BillingFailed": cloud.Failed,
		"Cancelled": cloud.Returned, "Expired": cloud.Retired, "Brand-new": cloud.Unknown,
	} {
		w.answers[order] = orderBody(state)
		if found, err := d.Find(t.Context(), w.request(d)); err != nil || found[0].Commitment.State != want {
			t.Errorf("%s: %+v, %v", state, found, err)
		}
	}
	w.answers[order] = orderBody("Succeeded")
	for name, change := range map[string]func(*wire){
		"a number where a word is": func(w *wire) {
			w.answers["GET /providers/Microsoft.Capacity/reservations"] = `{"value":[` + reservationBody(`"instanceFlexibility":"On"`, `"instanceFlexibility":1`) + `]}`
		},
		"no list": func(w *wire) { w.answers["GET /providers/Microsoft.Capacity/reservations"] = `{}` },
		"another host": func(w *wire) {
			w.answers["GET /providers/Microsoft.Capacity/reservations"] = `{"value":[],"nextLink":"http://elsewhere.example/x"}`
		},
		"no end": func(w *wire) {
			w.answers["GET /providers/Microsoft.Capacity/reservations"] = `{"value":[],"nextLink":"<base>/providers/Microsoft.Capacity/reservations?a=b"}`
		},
		"no right to the order": func(w *wire) { w.statuses[order] = 403 },
		"another order":         func(w *wire) { w.answers[order] = strings.ReplaceAll(orderBody("Succeeded"), wireOrder, wirePlanOrder) },
		"404 of a proxy": func(w *wire) {
			w.answers[order], w.statuses[order] = "not found", 404
		},
	} {
		w := newWire(t)
		w.answers["GET /providers/Microsoft.Capacity/reservations"] = `{"value":[` + reservationBody() + `]}`
		w.answers[order] = orderBody("Succeeded")
		change(w)
		d := w.open(t, "vm", func(c *Config) {
			c.Transport = &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if addr != w.Listener.Addr().String() {
					t.Errorf("%s: followed to %s", name, addr)
				}
				return (&net.Dialer{}).DialContext(ctx, network, w.Listener.Addr().String())
			}}
		})
		if found, err := d.Find(t.Context(), w.request(d)); err == nil {
			t.Errorf("%s: found %+v", name, found)
		}
	}
}

// TestFindByTheOrderAlone: an order that no listing shows yet is read under its name.
func TestFindByTheOrderAlone(t *testing.T) {
	w := newWire(t)
	w.answers["GET /providers/Microsoft.Capacity/reservationOrders/"+wireOrder] = orderBody("Creating")
	w.answers["GET /providers/Microsoft.Capacity/reservationOrders/"+wireOrder+"/reservations"] = `{"value":[` + reservationBody("Standard_B1ls", "Standard_b1LS") + `]}`
	d := w.open(t, "vm")
	r := w.request(d)
	if found, err := d.Find(t.Context(), r); err != nil || found[0].Commitment != nil {
		t.Errorf("without the order: %+v, %v", found, err)
	}
	r.Identities = append(r.Identities, strings.ToUpper(wireOrder))
	found, err := d.Find(t.Context(), r)
	if err != nil || len(found) != 1 || found[0].Commitment == nil || found[0].Commitment.Attributes["sku"] != "Standard_B1ls" {
		t.Errorf("%+v, %v", found, err)
	}
	w.answers["GET /providers/Microsoft.Capacity/reservationOrders/"+wireOrder+"/reservations"] = `{"value":[]}`
	if found, err := d.Find(t.Context(), r); err == nil {
		t.Errorf("an order without a reservation is no absence: %+v", found)
	}
	w.statuses["GET /providers/Microsoft.Capacity/reservationOrders/"+wireOrder] = 403
	if found, err := d.Find(t.Context(), r); err == nil {
		t.Errorf("an order that may not be read is no absence: %+v", found)
	}
}

// TestVerdicts plays a sample of every entry of the table, and nothing else is definite.
func TestVerdicts(t *testing.T) {
	used := map[string]bool{}
	for _, v := range verdicts {
		name := filepath.Join("testdata", "errors", v.code+".http")
		used[name] = true
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if v.operation == opReturn {
			w := newWire(t)
			w.refunds(reply(resp.StatusCode, string(body)))
			if ev, err := w.giveBack(t, nil); driver.OutcomeOf(err) != v.outcome || ev.Outcome != v.outcome || ev.Code != v.code {
				t.Errorf("%s of a return: %+v, %v", v.code, ev, err)
			}
		}
		for _, s := range []cloud.Service{"vm", SavingsPlan} {
			w := newWire(t)
			w.put = reply(resp.StatusCode, string(body), "Retry-After", "0")
			ev, err := w.purchase(t, w.open(t, s))
			want := v.outcome
			if v.operation == opReturn || v.operation != "*" && s == SavingsPlan {
				want = cloud.InDoubt
			}
			if driver.OutcomeOf(err) != want || ev.Outcome != want || ev.Code != v.code || len(w.puts) != 1 {
				t.Errorf("%s of %s: %+v, %v, %d requests", v.code, s, ev, err, len(w.puts))
			}
			if classify(v.operation, v.code, 500) != cloud.InDoubt || classify(v.operation, v.code, 408) != cloud.InDoubt {
				t.Errorf("%s is definite under another status", v.code)
			}
		}
	}
	files, err := filepath.Glob("testdata/errors/*.http")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !used[f] {
			t.Errorf("the sample %s belongs to no entry of the table", f)
		}
	}
}

// TestConfig: what is wrong with a configuration is said before any call.
func TestConfig(t *testing.T) {
	w := newWire(t)
	good := Config{Account: testAccount, Tenant: testTenant, Region: testRegion, Credential: w}
	for name, change := range map[string]func(*Config){
		"account":    func(c *Config) { c.Account = "111122223333" },
		"tenant":     func(c *Config) { c.Tenant = "" },
		"region":     func(c *Config) { c.Region = "eu-west-1" },
		"global":     func(c *Config) { c.Region = Global },
		"credential": func(c *Config) { c.Credential = nil },
		"endpoint":   func(c *Config) { c.Endpoint = "localhost" },
		"currency":   func(c *Config) { c.Currency = "euro" },
		"life":       func(c *Config) { c.TokenLife = -1 },
	} {
		cfg := good
		change(&cfg)
		if _, err := Open("vm", cfg); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, err := Open("vm", good); err != nil {
		t.Error(err)
	}
	if _, err := Open("s3", good); err == nil {
		t.Error("opened a service that is not sold")
	}
	if _, err := Open(SavingsPlan, good); err == nil {
		t.Error("opened savings plans in a region")
	}
}
