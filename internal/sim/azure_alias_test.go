package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const reservationAliases = "/providers/Microsoft.BillingBenefits/reservationOrderAliases/"

func aliasVM(replace ...string) string {
	body := strings.Replace(vmBody(azureA, `,"renew":false,"reservedResourceProperties":{"instanceFlexibility":"Off"}`), `"Monthly"`, `"P1M"`, 1)
	return strings.NewReplacer(replace...).Replace(body)
}

// TestReservationAlias carries a purchase by alias from its first answer, which names the
// order, to its end.
func TestReservationAlias(t *testing.T) {
	s := newSim(t, Options{Visibility: time.Minute, Seed: 3})
	url := serve(t, s)
	path := reservationAliases + "mine" + armVersion
	if status, _, out := arm(t, url, "sim-"+azureA, "GET", path, ""); status != 404 || armCode(out) != "ResourceNotFound" {
		t.Errorf("before: %d %v", status, out)
	}
	status, h, out := arm(t, url, "sim-"+azureA, "PUT", path, aliasVM())
	operation := h.Get("Azure-AsyncOperation")
	order, _ := out["properties"].(map[string]any)["reservationOrderId"].(string)
	if status != 201 || out["name"] != "mine" || !strings.HasPrefix(operation, url+capacityPath+"/operationResults/") || !strings.HasPrefix(order, capacityPath+"/reservationOrders/") {
		t.Fatalf("bought: %d %v %v", status, h, out)
	}
	if status, _, out := arm(t, url, "sim-"+azureA, "GET", path, ""); status != 404 {
		t.Errorf("too early: %d %v", status, out)
	}
	var states []string
	flexible := map[string]bool{}
	for range 20 {
		if err := s.Advance(time.Minute); err != nil {
			t.Fatal(err)
		}
		_, _, out := arm(t, url, "sim-"+azureA, "GET", strings.TrimPrefix(operation, url), "")
		if state := out["status"].(string); len(states) == 0 || states[len(states)-1] != state {
			states = append(states, state)
		}
		_, _, out = arm(t, url, "sim-"+azureA, "GET", path, "")
		p := out["properties"].(map[string]any)
		if p["provisioningState"] != "Created" || p["billingPlan"] != "P1M" || p["reservationOrderId"] != order {
			t.Errorf("the alias %v", p)
		}
		flexible[fmt.Sprint(p["reservedResourceProperties"].(map[string]any)["instanceFlexibility"])] = true
	}
	if got := strings.Join(states, " "); got != "Pending PendingPurchases Succeeded" {
		t.Errorf("states %s", got)
	}
	if !flexible["Off"] || !flexible["2"] {
		t.Errorf("the flexibility is shown as %v, want a word and a number", flexible)
	}
	_, _, out = arm(t, url, "sim-"+azureA, "GET", order+armVersion, "")
	if p := out["properties"].(map[string]any); p["provisioningState"] != "Succeeded" || p["billingPlan"] != "Monthly" {
		t.Errorf("the order %v", p)
	}
	if e := s.Ledger(); len(e) != 1 || e[0].Name != "x" || e[0].Count != 2 || e[0].Attributes["alias"] != "mine" || e[0].Attributes["instance_flexibility"] != "Off" || e[0].Service != capacityService {
		t.Errorf("ledger %+v", e)
	}
	if status, _, _ := arm(t, url, "sim-"+azureB, "GET", path, ""); status != 404 {
		t.Errorf("a stranger: %d", status)
	}
}

// TestSecondReservationAlias: what a second request under an alias does is an option.
func TestSecondReservationAlias(t *testing.T) {
	for second, want := range map[SecondAlias]string{BuyAgain: "201  2", AnswerAlias: "200  1", RefuseAlias: "409 ReservationOrderIdAlreadyExists 1"} {
		s := newSim(t, Options{SecondAlias: second})
		url := serve(t, s)
		arm(t, url, "sim-"+azureA, "PUT", reservationAliases+"mine"+armVersion, aliasVM())
		status, _, out := arm(t, url, "sim-"+azureA, "PUT", reservationAliases+"MINE"+armVersion, aliasVM())
		if got := fmt.Sprint(status, " ", armCode(out), " ", len(s.Ledger())); got != want {
			t.Errorf("option %d: %s, want %s", second, got, want)
		}
	}
}

func TestReservationAliasRefuses(t *testing.T) {
	s := newSim(t, Options{Quota: 1})
	url := serve(t, s)
	for name, c := range map[string]struct{ alias, body, code string }{
		"characters":          {"a%20b", aliasVM(), "InvalidRequestContent"},
		"the other's plan":    {"a", aliasVM("P1M", "Monthly"), "InvalidRequestContent"},
		"another payer":       {"a", strings.ReplaceAll(aliasVM(), azureA, azureB), "AuthorizationFailed"},
		"five years":          {"a", aliasVM("P1Y", "P5Y"), "UnsupportedReservationTerm"},
		"an unknown SKU":      {"a", aliasVM("Standard_D2s_v5", "Standard_D2s_v9"), "InvalidRequestContent"},
		"old scopes":          {"a", aliasVM(`"renew"`, `"appliedScopes":["/subscriptions/x"],"renew"`), "InvalidRequestContent"},
		"more than there are": {"a", aliasVM(), "FulfillmentOutOfStockError"},
	} {
		if _, _, out := arm(t, url, "sim-"+azureA, "PUT", reservationAliases+c.alias+armVersion, c.body); armCode(out) != c.code || len(s.Ledger()) != 0 {
			t.Errorf("%s: %v, want %s", name, out, c.code)
		}
	}
}
