package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	azureA = "40000000-0000-4000-8000-000000000001"
	azureB = "40000000-0000-4000-8000-000000000002"
)

// arm asks as a subscription and returns status, headers and the decoded answer.
func arm(t *testing.T, url, token, method, path, body string) (int, http.Header, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%s %s: %s", method, path, raw)
	}
	return resp.StatusCode, resp.Header, out
}

func armCode(out map[string]any) string {
	e, _ := out["error"].(map[string]any)
	code, _ := e["code"].(string)
	return code
}

const (
	capacityPath = "/providers/Microsoft.Capacity"
	armVersion   = "?api-version=2022-11-01"
)

func vmBody(subscription, more string) string {
	return fmt.Sprintf(`{"sku":{"name":"Standard_D2s_v5"},"location":"westeurope","properties":{"reservedResourceType":"VirtualMachines",`+
		`"billingScopeId":"/subscriptions/%s","term":"P1Y","billingPlan":"Monthly","quantity":2,"displayName":"x","appliedScopeType":"Shared"%s}}`, subscription, more)
}

// mint asks for a price and returns the order that it names.
func mint(t *testing.T, url string) string {
	t.Helper()
	status, _, out := arm(t, url, "sim-"+azureA, "POST", capacityPath+"/calculatePrice"+armVersion, vmBody(azureA, ""))
	if status != 200 {
		t.Fatalf("price: %d %v", status, out)
	}
	return out["properties"].(map[string]any)["reservationOrderId"].(string)
}

// TestAzureOrder carries an order from its price over every state to its end.
func TestAzureOrder(t *testing.T) {
	s := newSim(t, Options{Visibility: -1, Seed: 3})
	url := serve(t, s)
	id := mint(t, url)
	path := capacityPath + "/reservationOrders/" + id + armVersion
	if status, _, out := arm(t, url, "sim-"+azureA, "GET", path, ""); status != 404 || armCode(out) != "ReservationOrderNotFound" {
		t.Errorf("an order that was only priced: %d %v", status, out)
	}
	status, h, out := arm(t, url, "sim-"+azureA, "PUT", path, vmBody(azureA, ""))
	if status != 202 || h.Get("Location") != url+path || h.Get("Retry-After") != "120" || h.Get("X-Ms-Request-Id") == "" {
		t.Fatalf("bought: %d %v %v", status, h, out)
	}
	var states []string
	for range 60 {
		_, _, out := arm(t, url, "sim-"+azureA, "GET", path, "")
		state := out["properties"].(map[string]any)["provisioningState"].(string)
		if len(states) == 0 || states[len(states)-1] != state {
			states = append(states, state)
		}
		if err := s.Advance(time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(states, " "); got != "Creating PendingCapacity PendingBilling Succeeded" {
		t.Errorf("states %s", got)
	}
	if e := s.Ledger(); len(e) != 1 || e[0].Provider != "azure" || e[0].ID != id || e[0].Name != "x" || e[0].Count != 2 {
		t.Errorf("ledger %+v", e)
	}
	if r := s.Requests(); r[0].Provider != "azure" || r[0].Operation != "ReservationOrder.calculate" || r[0].Account != azureA {
		t.Errorf("requests %+v", r[0])
	}
	// Whoever did not buy it sees nothing.
	if status, _, out := arm(t, url, "sim-"+azureB, "GET", path, ""); status != 403 || armCode(out) != "AuthorizationFailed" {
		t.Errorf("a stranger: %d %v", status, out)
	}
	if _, _, out := arm(t, url, "sim-"+azureB, "GET", capacityPath+"/reservations"+armVersion, ""); len(out["value"].([]any)) != 0 {
		t.Errorf("a stranger lists %v", out)
	}
}

// TestAzureSecondPut: what a second request for an order does is an option.
func TestAzureSecondPut(t *testing.T) {
	for second, want := range map[SecondPut]string{SessionGone: "400 BadRequest", ReplayOrder: "200 ", OrderExists: "409 ReservationOrderIdAlreadyExists"} {
		s := newSim(t, Options{SecondPut: second})
		url := serve(t, s)
		path := capacityPath + "/reservationOrders/" + mint(t, url) + armVersion
		arm(t, url, "sim-"+azureA, "PUT", path, vmBody(azureA, ""))
		status, _, out := arm(t, url, "sim-"+azureA, "PUT", path, vmBody(azureA, ""))
		if got := fmt.Sprint(status, " ", armCode(out)); got != want || len(s.Ledger()) != 1 {
			t.Errorf("option %d: %s, want %s; %d orders", second, got, want, len(s.Ledger()))
		}
	}
}

// TestAzureSession: an order may be bought as it was priced, for a while.
func TestAzureSession(t *testing.T) {
	s := newSim(t, Options{QuoteLife: time.Minute})
	url := serve(t, s)
	id := mint(t, url)
	for name, c := range map[string]struct{ id, body, want string }{
		"own GUID":      {"99999999-9999-4999-8999-999999999999", vmBody(azureA, ""), "BadRequest"},
		"no GUID":       {"mine", vmBody(azureA, ""), "InvalidReservationOrderId"},
		"another count": {id, strings.Replace(vmBody(azureA, ""), `"quantity":2`, `"quantity":3`, 1), "InvalidRequestContent"},
		"another payer": {id, vmBody(azureB, ""), "AuthorizationFailed"},
		"tags":          {id, vmBody(azureA, `,"tags":{"a":"b"}`), "InvalidRequestContent"},
		"text":          {id, vmBody(azureA, `,"renew":"false"`), "InvalidRequestContent"},
		"a scope":       {id, vmBody(azureA, `,"appliedScopes":["/subscriptions/x"]`), "InvalidRequestContent"},
	} {
		if _, _, out := arm(t, url, "sim-"+azureA, "PUT", capacityPath+"/reservationOrders/"+c.id+armVersion, c.body); armCode(out) != c.want {
			t.Errorf("%s: %v, want %s", name, out, c.want)
		}
	}
	if err := s.Advance(2 * time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, _, out := arm(t, url, "sim-"+azureA, "PUT", capacityPath+"/reservationOrders/"+id+armVersion, vmBody(azureA, "")); armCode(out) != "BadRequest" {
		t.Errorf("after its life: %v", out)
	}
	if n := len(s.Ledger()); n != 0 {
		t.Errorf("%d orders", n)
	}
}

// TestAzureFrontDoor: tokens, versions and paths.
func TestAzureFrontDoor(t *testing.T) {
	s := newSim(t, Options{})
	url := serve(t, s)
	own := "/subscriptions/" + azureA
	now := s.Now().Unix()
	for name, c := range map[string]struct{ token, method, path, want string }{
		"no token":        {"", "GET", own + "?api-version=2022-12-01", "401 AuthenticationFailed"},
		"odd token":       {"x", "GET", own + "?api-version=2022-12-01", "401 InvalidAuthenticationToken"},
		"of an account":   {"sim-111122223333", "GET", own + "?api-version=2022-12-01", "401 InvalidAuthenticationToken"},
		"over":            {fmt.Sprintf("sim-%s-%d", azureA, now-1), "GET", own + "?api-version=2022-12-01", "401 ExpiredAuthenticationToken"},
		"good":            {fmt.Sprintf("sim-%s-%d", azureA, now+60), "GET", own + "?api-version=2022-12-01", "200 "},
		"another's":       {"sim-" + azureB, "GET", own + "?api-version=2022-12-01", "403 AuthorizationFailed"},
		"nobody's":        {"sim-" + azureA, "GET", "/subscriptions/x?api-version=2022-12-01", "404 SubscriptionNotFound"},
		"no version":      {"sim-" + azureA, "GET", own, "400 MissingApiVersionParameter"},
		"another version": {"sim-" + azureA, "GET", own + "?api-version=2020-01-01", "400 InvalidResourceType"},
		"no route":        {"sim-" + azureA, "POST", capacityPath + "/reservationOrders/x/purchase" + armVersion, "404 ResourceNotFound"},
		"no provider":     {"sim-" + azureA, "GET", "/providers/Microsoft.Nothing/x" + armVersion, "404 ResourceNotFound"},
		"capitals":        {"sim-" + azureA, "GET", "/PROVIDERS/microsoft.capacity/Reservations" + armVersion, "200 "},
	} {
		status, _, out := arm(t, url, c.token, c.method, c.path, "")
		if got := fmt.Sprint(status, " ", armCode(out)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if _, err := s.AddFault(Fault{Kind: WrongCaller}); err != nil {
		t.Fatal(err)
	}
	if _, _, out := arm(t, url, "sim-"+azureA, "GET", own+"?api-version=2022-12-01", ""); out["tenantId"] == simTenant {
		t.Error("the wrong caller is of the right tenant")
	}
}

// TestAzureAlias: a plan by alias, and what a second request under it does.
func TestAzureAlias(t *testing.T) {
	const path = "/providers/Microsoft.BillingBenefits/savingsPlanOrderAliases/mine" + armVersion
	body := fmt.Sprintf(`{"sku":{"name":"Compute_Savings_Plan"},"properties":{"displayName":"x","billingScopeId":"/subscriptions/%s","term":"P3Y",`+
		`"billingPlan":"P1M","appliedScopeType":"Shared","commitment":{"grain":"Hourly","currencyCode":"USD","amount":1.25}}}`, azureA)
	for second, want := range map[SecondAlias]struct{ status, orders int }{BuyAgain: {201, 2}, AnswerAlias: {200, 1}, RefuseAlias: {409, 1}} {
		s := newSim(t, Options{Visibility: -1, SecondAlias: second})
		url := serve(t, s)
		status, h, out := arm(t, url, "sim-"+azureA, "PUT", path, body)
		if status != 201 || out["properties"].(map[string]any)["provisioningState"] != "Created" {
			t.Fatalf("%d %v", status, out)
		}
		poll := strings.TrimPrefix(h.Get("Azure-AsyncOperation"), url)
		var states []string
		for range 30 {
			_, _, out := arm(t, url, "sim-"+azureA, "GET", poll, "")
			if state := fmt.Sprint(out["status"]); len(states) == 0 || states[len(states)-1] != state {
				states = append(states, state)
			}
			if err := s.Advance(time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Join(states, " "); got != "Pending PendingPurchases Succeeded" {
			t.Errorf("states %s", got)
		}
		if status, _, _ := arm(t, url, "sim-"+azureA, "PUT", path, body); status != want.status || len(s.Ledger()) != want.orders {
			t.Errorf("option %d: status %d, %d orders, want %+v", second, status, len(s.Ledger()), want)
		}
	}
}

// TestAzurePages: a listing has small pages, linked by whole addresses, and shows
// everything once.
func TestAzurePages(t *testing.T) {
	s := newSim(t, Options{PageSize: 4})
	url := serve(t, s)
	for i := range 25 {
		if err := s.Add(Existing{Account: azureA, Region: "westeurope", OfferingID: "westeurope/P1v3/P1Y/Upfront", Count: 1, Name: fmt.Sprint("n", i)}); err != nil {
			t.Fatal(err)
		}
	}
	seen, pages := map[string]bool{}, 0
	for next := capacityPath + "/reservations" + armVersion; next != ""; pages++ {
		_, _, out := arm(t, url, "sim-"+azureA, "GET", next, "")
		for _, v := range out["value"].([]any) {
			seen[v.(map[string]any)["id"].(string)] = true
		}
		link, _ := out["nextLink"].(string)
		if link != "" && !strings.HasPrefix(link, url+"/") {
			t.Fatalf("the next page is at %s", link)
		}
		next = strings.TrimPrefix(link, url)
	}
	if len(seen) != 25 || pages < 7 {
		t.Errorf("%d reservations on %d pages", len(seen), pages)
	}
}

// TestAzureReturn: a return in the session of its price, once, of what is in place.
func TestAzureReturn(t *testing.T) {
	s := newSim(t, Options{QuoteLife: 5 * time.Minute})
	url := serve(t, s)
	if err := s.Add(Existing{Account: azureA, Region: "westeurope", OfferingID: "westeurope/P1v3/P1Y/Monthly", Count: 3, Name: "x"}); err != nil {
		t.Fatal(err)
	}
	id := s.Ledger()[0].ID
	order := capacityPath + "/reservationOrders/" + id
	_, _, out := arm(t, url, "sim-"+azureA, "GET", order+"/reservations"+armVersion, "")
	child := out["value"].([]any)[0].(map[string]any)["id"].(string)
	body := func(n int, session string) string {
		return fmt.Sprintf(`{"properties":{"scope":"Reservation","reservationToReturn":{"reservationId":"%s","quantity":%d}%s}}`, child, n, session)
	}
	post := func(path, body, want string) map[string]any {
		t.Helper()
		status, _, out := arm(t, url, "sim-"+azureA, "POST", order+path+armVersion, body)
		if got := fmt.Sprint(status, " ", armCode(out)); got != want {
			t.Errorf("%s %s: %s, want %s", path, body, got, want)
		}
		return out
	}
	post("/calculateRefund", body(4, ""), "400 InvalidRefundQuantity")
	post("/calculateRefund", strings.Replace(body(3, ""), id, azureB, 1), "400 ReservationIdNotInReservationOrder")
	session := func() string {
		p := post("/calculateRefund", body(3, ""), "200 ")["properties"].(map[string]any)
		return `,"sessionId":"` + p["sessionId"].(string) + `"`
	}
	post("/return", body(3, ""), "400 BadRequest")
	late := session()
	if err := s.Advance(6 * time.Minute); err != nil {
		t.Fatal(err)
	}
	post("/return", body(3, late), "400 BadRequest")
	if status, _, out := arm(t, url, "sim-"+azureB, "POST", order+"/return"+armVersion, body(3, session())); status != 403 {
		t.Errorf("a stranger: %d %v", status, out)
	}
	good := session()
	answer := post("/return", body(3, good), "202 ")["properties"].(map[string]any)
	price := func(group map[string]any, name string) float64 {
		return group[name].(map[string]any)["amount"].(float64)
	}
	bill := answer["billingInformation"].(map[string]any)
	if paid, used, back := price(bill, "billingCurrencyTotalPaidAmount"), price(bill, "billingCurrencyProratedAmount"), price(answer, "billingRefundAmount"); paid <= 0 || back > paid-used+0.005 || back < paid-used-0.005 {
		t.Errorf("paid %v, used %v, back %v", paid, used, back)
	}
	post("/return", body(3, good), "400 OperationCannotBePerformedInCurrentState")
	if _, _, out := arm(t, url, "sim-"+azureA, "GET", order+armVersion, ""); out["properties"].(map[string]any)["provisioningState"] != "Pending" {
		t.Errorf("after its return: %v", out)
	}
	if err := s.Advance(time.Hour); err != nil {
		t.Fatal(err)
	}
	if state := s.Ledger()[0].State; state != stateReturned {
		t.Errorf("in the end it is %s", state)
	}
}
