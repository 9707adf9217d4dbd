package azure

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/drivertest"
	"bursar/internal/sim"
)

// Reservations by alias are one more row of the suite, once with flexibility and once
// without.
func TestVMByAlias(t *testing.T)  { conformByAlias(t, "vm") }
func TestSQLByAlias(t *testing.T) { conformByAlias(t, "sql") }

func conformByAlias(t *testing.T, s cloud.Service) {
	drivertest.Run(t, func(t *testing.T) drivertest.Harness {
		w := newWorld(t, s, sim.Options{})
		w.alias = true
		return join(t, w)
	})
}

// TestUsedIdentity: whatever Azure does with a second request under an identity that has
// bought, and whatever becomes of the first answer, a look says how often it was bought,
// and a further attempt is not quoted under an alias that exists.
func TestUsedIdentity(t *testing.T) {
	for _, alias := range []bool{false, true} {
		for second := range 3 {
			for name, fault := range map[string]*sim.Fault{
				"answered": nil, "lost answer": {Kind: sim.LoseReply}, "lost request": {Kind: sim.LoseRequest}, "delivered twice": {Kind: sim.Duplicate},
			} {
				t.Run(fmt.Sprintf("alias %t, behavior %d, %s", alias, second, name), func(t *testing.T) {
					w := newWorld(t, "vm", sim.Options{SecondPut: sim.SecondPut(second), SecondAlias: sim.SecondAlias(second)})
					w.alias = alias
					d := w.open(t, nil)
					r := w.request(d)
					if _, err := d.Quote(t.Context(), r); err != nil {
						t.Fatal(err)
					}
					want := cloud.Accepted
					if fault != nil {
						if w.fault(*fault); fault.Kind != sim.Duplicate {
							want = cloud.InDoubt
						}
					}
					ev, err := d.Purchase(t.Context(), r)
					if ev.Outcome != want || (err == nil) != (want == cloud.Accepted) || w.Spending() != 1 {
						t.Fatalf("%+v, %v, %d requests", ev, err, w.Spending())
					}
					w.Advance(d.Info().Life + d.Info().Settle)
					owned := w.Owned(r)
					if most := map[bool]int{false: 1, true: 2}[alias && fault != nil && fault.Kind == sim.Duplicate && sim.SecondAlias(second) == sim.BuyAgain]; name != "lost request" && owned != most {
						t.Errorf("%d were bought, want %d", owned, most)
					}
					found, err := d.Find(t.Context(), r)
					if err != nil {
						t.Fatal(err)
					}
					ids := map[string]bool{}
					for _, f := range found {
						if f.Commitment != nil {
							ids[f.Commitment.ID] = true
						}
					}
					if len(ids) != owned || owned == 0 && found[0].Kind != cloud.EvidenceAbsence {
						t.Errorf("a look finds %d of %d: %+v", len(ids), owned, found)
					}
					if ev.Handle != "" && owned > 0 {
						if end, err := d.(driver.Follower).Poll(t.Context(), r, ev.Handle); err != nil || end.Outcome != cloud.Bought || !ids[end.Commitment.ID] {
							t.Errorf("followed to %+v, %v", end, err)
						}
					}
					if alias {
						r.Attempt = w.attempt()
						if _, err := d.Quote(t.Context(), r); (err != nil) != (owned > 0) || owned > 0 && !strings.Contains(err.Error(), "exists already, and names order") {
							t.Errorf("a further attempt with %d bought: %v", owned, err)
						}
					}
					if w.Spending() != 1 {
						t.Errorf("%d requests", w.Spending())
					}
				})
			}
		}
	}
}

// TestChangedIdentity: what was bought in one way is found and followed in the other.
func TestChangedIdentity(t *testing.T) {
	for _, alias := range []bool{false, true} {
		w := newWorld(t, "vm", sim.Options{})
		w.alias = alias
		before := w.open(t, nil)
		w.alias = !alias
		after := w.open(t, nil)
		r := w.request(before)
		if _, err := before.Quote(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		ev, err := before.Purchase(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if now, err := after.(driver.Follower).Poll(t.Context(), r, ev.Handle); err != nil || now.Outcome != cloud.Accepted || now.Handle != ev.Handle {
			t.Errorf("alias %t: at once %+v, %v", alias, now, err)
		}
		w.Advance(2 * time.Hour)
		then, err := after.(driver.Follower).Poll(t.Context(), r, ev.Handle)
		if err != nil || then.Outcome != cloud.Bought || then.Handle != ev.Handle {
			t.Fatalf("alias %t: %+v, %v", alias, then, err)
		}
		if found, err := after.Find(t.Context(), r); err != nil || len(found) != 1 || found[0].Commitment == nil || found[0].Commitment.ID != then.Commitment.ID {
			t.Errorf("alias %t: found %+v, %v", alias, found, err)
		}
	}
}

const wireOperation = "44444444-4444-4444-4444-444444444444"

// orderAlias is an answer as it was recorded, with replacements.
func orderAlias(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(`{"id":"/providers/Microsoft.BillingBenefits/reservationOrderAliases/bu-wire-1","name":"bu-wire-1",` +
		`"type":"Microsoft.BillingBenefits/reservationOrderAliases","location":"westeurope","kind":null,"sku":{"name":"Standard_B1ls"},"properties":{` +
		`"reservationOrderId":"/providers/Microsoft.Capacity/reservationOrders/` + wireOrder + `","billingScopeId":"/subscriptions/` + testAccount + `",` +
		`"appliedScopeProperties":null,"quantity":2,"renew":false,"reservedResourceProperties":{"instanceFlexibility":1},"reservedResourceType":"VirtualMachines",` +
		`"reviewDateTime":null,"appliedScopeType":"Shared","displayName":"bu-wire-1","provisioningState":"Created","term":"P1Y"}}`)
}

const (
	aliasAddress     = "GET " + reservationAliases + "bu-wire-1"
	operationAddress = "GET /providers/Microsoft.Capacity/operationResults/" + wireOperation
	orderAddress     = "GET /providers/Microsoft.Capacity/reservationOrders/" + wireOrder
)

func byAlias(c *Config) { c.ByAlias = true }

// buysByAlias is a wire that takes an alias.
func buysByAlias(t *testing.T) *wire {
	w := newWire(t)
	w.put = reply(201, orderAlias(), "Azure-AsyncOperation", "<base>/providers/Microsoft.Capacity/operationResults/"+wireOperation+"?api-version=2020-10-01-preview", "Retry-After", "5")
	return w
}

// TestAliasOnTheWire pins what is sent, in what order, and what an answer becomes whose
// flexibility the SDK cannot decode.
func TestAliasOnTheWire(t *testing.T) {
	w := buysByAlias(t)
	ev, err := w.purchase(t, w.open(t, "vm", byAlias))
	if err != nil {
		t.Fatal(err)
	}
	want := cloud.Evidence{
		Kind: cloud.EvidenceReply, Outcome: cloud.Accepted, Operation: opBuyAlias, Started: wireStart, Status: 201,
		CloudTime: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), RequestID: "wire-request",
		Handle: "operation/" + wireOperation + "/order/" + wireOrder, Detail: "order " + wireOrder + " is on its way",
	}
	if diff := cmp.Diff(want, ev); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	var calls []string
	for _, c := range w.calls {
		call, _, _ := strings.Cut(c, "?")
		calls = append(calls, call)
	}
	const proof = "GET /subscriptions/" + testAccount
	if diff := cmp.Diff([]string{
		proof, "POST /providers/Microsoft.Capacity/calculatePrice", aliasAddress, proof, "PUT " + reservationAliases + "bu-wire-1",
	}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	const body = `{"location":"westeurope","properties":{"appliedScopeType":"Shared","billingScopeId":"/subscriptions/` + testAccount + `","displayName":"bu-wire-1","quantity":2,` +
		`"renew":false,"reservedResourceProperties":{"instanceFlexibility":"On"},"reservedResourceType":"VirtualMachines","term":"P1Y"},"sku":{"name":"Standard_B1ls"}}`
	if len(w.puts) != 1 || w.puts[0] != body {
		t.Errorf("sent %s", w.puts)
	}
}

// TestAliasInDoubt: an answer that does not name the order under our alias is doubt,
// whatever its status, and nothing is sent again.
func TestAliasInDoubt(t *testing.T) {
	for name, put := range map[string]http.HandlerFunc{
		"202":           reply(202, orderAlias()),
		"409":           reply(409, `{"error":{"code":"ReservationOrderIdAlreadyExists","message":"x"}}`),
		"409 unknown":   reply(409, `{"error":{"code":"Conflict","message":"x"}}`),
		"503":           reply(503, `{"error":{"code":"ServiceUnavailable","message":"x"}}`, "Retry-After", "0"),
		"another alias": reply(201, orderAlias("bu-wire-1", "bu-wire-2")),
		"no order":      reply(201, orderAlias(wireOrder, "")),
		"half of it":    reply(201, orderAlias()[:100]),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			w.put = put
			ev, err := w.purchase(t, w.open(t, "vm", byAlias))
			if len(w.puts) != 1 || err == nil || driver.OutcomeOf(err) != cloud.InDoubt || ev.Outcome != cloud.InDoubt || ev.Handle != "" {
				t.Errorf("%d requests, %+v, %v: want doubt", len(w.puts), ev, err)
			}
		})
	}
}

// TestAliasWithoutOperation: an answer may name no operation; the order is followed then.
func TestAliasWithoutOperation(t *testing.T) {
	w := newWire(t)
	w.put = reply(200, orderAlias())
	ev, err := w.purchase(t, w.open(t, "vm", byAlias))
	if err != nil || ev.Handle != "order/"+wireOrder {
		t.Errorf("%+v, %v", ev, err)
	}
}

// TestAliasIsReadFirst: only an alias that is certainly free is bought under.
func TestAliasIsReadFirst(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"taken":          {200, orderAlias(), "the alias bu-wire-1 exists already, and names order " + wireOrder},
		"not decodable":  {200, "<html>", "the answer is not an alias"},
		"404 of a proxy": {404, "not found", "Not Found"},
		"forbidden":      {403, `{"error":{"code":"AuthorizationFailed","message":"no"}}`, "AuthorizationFailed: no"},
	} {
		t.Run(name, func(t *testing.T) {
			w := buysByAlias(t)
			w.answers[aliasAddress], w.statuses[aliasAddress] = c.body, c.status
			d := w.open(t, "vm", byAlias)
			r := w.request(d)
			if q, err := d.Quote(t.Context(), r); err == nil || !strings.Contains(err.Error(), c.want) || q.Offering.ID != "" {
				t.Errorf("%+v, %v, want %s", q, err, c.want)
			}
			if ev, err := d.Purchase(t.Context(), r); ev.Outcome != cloud.Unsent || err == nil || len(w.puts) != 0 {
				t.Errorf("%+v, %v, %d requests", ev, err, len(w.puts))
			}
		})
	}
}

// TestAliasWithoutItsOrder: an alias that exists and whose order is not shown proves
// neither a purchase nor its absence.
func TestAliasWithoutItsOrder(t *testing.T) {
	w := buysByAlias(t)
	w.answers[aliasAddress] = orderAlias()
	d := w.open(t, "vm", byAlias)
	if found, err := d.Find(t.Context(), w.request(d)); err == nil || !strings.Contains(err.Error(), "the alias bu-wire-1 names order "+wireOrder+", which is not shown yet") {
		t.Errorf("%+v, %v", found, err)
	}
	w.answers[orderAddress] = orderBody("Succeeded")
	w.answers["GET /providers/Microsoft.Capacity/reservationOrders/"+wireOrder+"/reservations"] = `{"value":[` + reservationBody() + `]}`
	if found, err := d.Find(t.Context(), w.request(d)); err != nil || len(found) != 1 || found[0].Commitment == nil || found[0].Commitment.ID != wireOrder || found[0].Outcome != cloud.Exists {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestAliasFollowed: only the words for an end of an operation are one.
func TestAliasFollowed(t *testing.T) {
	for word, c := range map[string]struct {
		order string
		want  cloud.Outcome
	}{
		"Pending": {"Succeeded", cloud.Accepted}, "PendingPurchases": {"Succeeded", cloud.Accepted}, "Novel": {"Succeeded", cloud.Accepted},
		"Failed": {"", cloud.Refused}, "Cancelled": {"", cloud.Refused}, "Canceled": {"", cloud.Refused},
		"Succeeded": {"Succeeded", cloud.Bought}, "": {"Succeeded", cloud.Bought},
	} {
		w := newWire(t)
		if word != "" { // else the operation is forgotten
			w.answers[operationAddress] = `{"status":"` + word + `"}`
		}
		w.answers[orderAddress] = orderBody(c.order)
		w.answers["GET /providers/Microsoft.Capacity/reservationOrders/"+wireOrder+"/reservations"] = `{"value":[` + reservationBody() + `]}`
		d := w.open(t, "vm", byAlias)
		const handle = "operation/" + wireOperation + "/order/" + wireOrder
		if ev, err := d.(driver.Follower).Poll(t.Context(), w.request(d), handle); err != nil || ev.Outcome != c.want || ev.Handle != handle {
			t.Errorf("%q: %+v, %v, want %s", word, ev, err, c.want)
		}
	}
	d := newWire(t).open(t, "vm", byAlias).(driver.Follower)
	for _, handle := range []string{"", "x", "order/x", "order/order/" + wireOrder + "x", "operation/x/order/" + wireOrder, "operation/" + wireOperation} {
		if ev, err := d.Poll(t.Context(), driver.Request{Account: testAccount}, handle); err == nil {
			t.Errorf("handle %q: %+v", handle, ev)
		}
	}
}

// TestAliasLookBegins: a look begins before its first question, which is about the alias:
// what came into being in between may be missing in it.
func TestAliasLookBegins(t *testing.T) {
	w := buysByAlias(t)
	asked := map[time.Time]int{} // how many questions had been asked at a time
	now := wireStart
	d := w.open(t, "vm", byAlias, func(c *Config) {
		c.Now = func() time.Time {
			now = now.Add(time.Second)
			w.mu.Lock()
			defer w.mu.Unlock()
			asked[now] = len(w.calls)
			return now
		}
	})
	minutes := map[string]int{} // of the answers
	w.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		minutes[r.Method+" "+r.URL.Path] = len(minutes)
		w.serve(&dated{rw, time.Date(2026, 11, 23, 11, len(minutes)-1, 0, 0, time.UTC)}, r)
	})
	r := w.request(d)
	found, err := d.Find(t.Context(), r)
	if got := found[0].CloudTime.Minute(); got != minutes[aliasAddress] || got == 0 {
		t.Errorf("the cloud's time of the look is minute %d of %v", got, minutes)
	}
	if err != nil || len(found) != 1 || found[0].Kind != cloud.EvidenceAbsence {
		t.Fatalf("%+v, %v", found, err)
	}
	for _, call := range w.calls[:asked[found[0].Started]] {
		if strings.HasPrefix(call, aliasAddress) {
			t.Errorf("the look says that it began after %s", call)
		}
	}
}

// dated is an answer with a date of its own.
type dated struct {
	http.ResponseWriter
	at time.Time
}

func (d *dated) WriteHeader(status int) {
	d.Header().Set("Date", d.at.Format(http.TimeFormat))
	d.ResponseWriter.WriteHeader(status)
}

func (d *dated) Write(b []byte) (int, error) {
	d.Header().Set("Date", d.at.Format(http.TimeFormat))
	return d.ResponseWriter.Write(b)
}
