package engine_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/sim"
)

// TestAzureAliases: whatever Azure does with a second request under an alias, one request
// is sent while the first is in doubt, and the line comes to the right end. Where
// something on the way sends that one twice and Azure buys again, the inventory says so.
func TestAzureAliases(t *testing.T) {
	type sender = func() *http.Request
	ways := map[string]func(w *world) func(http.ResponseWriter, sender){
		"arrives once": func(*world) func(http.ResponseWriter, sender) { return nil },
		"arrives, and is not answered": func(w *world) func(http.ResponseWriter, sender) {
			return func(_ http.ResponseWriter, q sender) {
				w.sim.ServeHTTP(httptest.NewRecorder(), q())
				panic(http.ErrAbortHandler)
			}
		},
		"does not arrive": func(*world) func(http.ResponseWriter, sender) {
			return func(http.ResponseWriter, sender) { panic(http.ErrAbortHandler) }
		},
		"arrives late": func(w *world) func(http.ResponseWriter, sender) {
			return func(out http.ResponseWriter, q sender) {
				w.advance(16 * time.Minute)
				w.sim.ServeHTTP(out, q())
			}
		},
		"arrives twice, and the second is answered": func(w *world) func(http.ResponseWriter, sender) {
			return func(out http.ResponseWriter, q sender) {
				w.sim.ServeHTTP(httptest.NewRecorder(), q())
				w.sim.ServeHTTP(out, q())
			}
		},
	}
	for name, way := range ways {
		for second, what := range map[sim.SecondAlias]string{sim.BuyAgain: "buys again", sim.AnswerAlias: "the alias is shown", sim.RefuseAlias: "it exists"} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, sim.Options{Visibility: time.Minute, Unthrottled: true, SecondAlias: second})
				w.clouds.alias = true
				w.through(way(w))
				p := w.carried(w.approved(draftOf("disk")))
				if second == sim.BuyAgain && name == "arrives twice, and the second is answered" {
					inv, err := w.engine.Inventory(t.Context())
					if err != nil || len(w.sim.Ledger()) != 2 || p.Lines[0].State != purchase.Purchased || inv.Balanced() {
						t.Errorf("%s with %d sold; inventory %+v, %v\n%s", p.Lines[0].State, len(w.sim.Ledger()), inv, err, w.story(p))
					}
					w.check()
					return
				}
				w.boughtOnce(p)
				want := 1
				if name == "does not arrive" {
					want = 2 // after the first is proven to have bought nothing
				}
				sent := 0
				for _, r := range w.sim.Requests() {
					if r.Spending {
						sent++
						if r.Operation != "ReservationOrderAlias.create" {
							t.Errorf("bought by %s", r.Operation)
						}
					}
				}
				if p.Lines[0].Armed != want {
					t.Errorf("%d attempts, want %d; %d requests arrived\n%s", p.Lines[0].Armed, want, sent, w.story(p))
				}
				if facts, err := w.db.Facts(t.Context(), p.Lines[0].ID); err != nil || len(facts) == 0 || name == "arrives once" && facts[0].Outcome != cloud.Accepted {
					t.Errorf("evidence %+v, %v", facts, err)
				}
			})
		}
	}
}
