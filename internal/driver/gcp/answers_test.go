package gcp

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/sim"
)

// rewriting serves the simulator behind something that rewrites its answers.
func (w *world) rewriting(t *testing.T, rewrite func(r *http.Request, status int, body string) (int, string)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		w.sim.ServeHTTP(rec, r)
		status, body := rewrite(r, rec.Code, rec.Body.String())
		out.Header().Set("Content-Type", "application/json")
		out.Header().Set("Date", rec.Header().Get("Date"))
		out.WriteHeader(status)
		_, _ = out.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestAnswersThatProveNothing: an answer to a purchase that is not plainly about it
// leaves it in doubt, whatever it looks like.
func TestAnswersThatProveNothing(t *testing.T) {
	for _, what := range []cloud.Service{Compute, Spend} {
		for name, change := range map[string]func(int, string) (int, string){
			"another commitment": func(s int, b string) (int, string) {
				return s, strings.NewReplacer("/commitments/bu-test", "/commitments/bu-other", "/orders/", "/others/").Replace(b)
			},
			"another request": func(s int, b string) (int, string) {
				return s, strings.NewReplacer(`"clientOperationId":"`, `"clientOperationId":"f`, testBilling, "000000-000000-000000").Replace(b)
			},
			"another kind": func(s int, b string) (int, string) {
				return s, strings.NewReplacer(`"operationType":"insert"`, `"operationType":"delete"`, "/operations/", "/actions/").Replace(b)
			},
			"no name":         func(s int, b string) (int, string) { return s, strings.Replace(b, `"name":`, `"title":`, 1) },
			"more behind it":  func(s int, b string) (int, string) { return s, b + "{}" },
			"a page":          func(int, string) (int, string) { return 200, "<html>OK</html>" },
			"nothing":         func(int, string) (int, string) { return 200, "" },
			"another success": func(_ int, b string) (int, string) { return 202, b },
			"a proxy's 409":   func(int, string) (int, string) { return 409, "<html>alreadyExists</html>" },
			"a proxy's 403":   func(int, string) (int, string) { return 403, "<html>rateLimitExceeded</html>" },
			"an unknown code": func(int, string) (int, string) {
				return 400, `{"error":{"code":400,"status":"TEAPOT","errors":[{"reason":"teapot"}]}}`
			},
		} {
			t.Run(string(what)+"/"+name, func(t *testing.T) {
				region := cloud.Region(testRegion)
				if what == Spend {
					region = Global
				}
				w := newWorld(t, what, region, sim.Options{Seed: 1})
				url := w.rewriting(t, func(r *http.Request, status int, body string) (int, string) {
					if r.Method == http.MethodPost {
						return change(status, body)
					}
					return status, body
				})
				d := w.open(t, func(c *Config) { c.Endpoint = url })
				r := w.request(d)
				ev, err := w.buy(t, d, r)
				if driver.OutcomeOf(err) != cloud.InDoubt || ev.Outcome != cloud.InDoubt || ev.Handle != "" {
					t.Errorf("%+v, %v: want doubt", ev, err)
				}
				if w.Spending() != 1 {
					t.Errorf("%d requests", w.Spending())
				}
			})
		}
	}
}

// TestLooksThatProveNothing: only Google's own word, in a listing that is one, is
// absence.
func TestLooksThatProveNothing(t *testing.T) {
	for name, change := range map[string]func(body string) (int, string){
		"a proxy's 404":   func(string) (int, string) { return 404, "<html>not found</html>" },
		"an empty object": func(string) (int, string) { return 200, "{}" },
		"nothing":         func(string) (int, string) { return 200, "" },
		"another's": func(b string) (int, string) {
			return 200, strings.ReplaceAll(b, "projects/"+testProject, "projects/other-corp")
		},
		"a token that loops": func(b string) (int, string) {
			return 200, strings.Replace(b, `{"kind"`, `{"nextPageToken":"again","kind"`, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Compute, testRegion, sim.Options{Seed: 1, Visibility: -1})
			var now func(string) (int, string)
			url := w.rewriting(t, func(r *http.Request, status int, body string) (int, string) {
				if strings.Contains(r.URL.Path, "/commitments") && r.Method == http.MethodGet && now != nil {
					return now(body)
				}
				return status, body
			})
			d := w.open(t, func(c *Config) { c.Endpoint = url })
			r := w.request(d)
			w.Stock(w.request(d), r)
			now = change
			if name == "a token that loops" || name == "an empty object" {
				r.Identities = nil
			}
			if found, err := d.Find(t.Context(), r); err == nil {
				t.Errorf("Find: %+v, want an error", found)
			}
			r.Identities = nil
			if found, err := d.Find(t.Context(), r); err == nil {
				t.Errorf("Find of everything: %+v, want an error", found)
			}
		})
	}
}

// TestWhoPays: the project that asks must be paid for by the billing account, and be
// paid for at all.
func TestWhoPays(t *testing.T) {
	for name, change := range map[string]*strings.Replacer{
		"another billing account": strings.NewReplacer(testBilling, "FEDCBA-987654-321000"),
		"another project":         strings.NewReplacer(`"projectId":"`+testProject, `"projectId":"other-corp`),
		"nobody":                  strings.NewReplacer(`"billingEnabled":true`, `"billingEnabled":false`),
	} {
		w := newWorld(t, Spend, Global, sim.Options{Seed: 1})
		url := w.rewriting(t, func(r *http.Request, status int, body string) (int, string) {
			if strings.HasSuffix(r.URL.Path, "/billingInfo") {
				body = change.Replace(body)
			}
			return status, body
		})
		d := w.open(t, func(c *Config) { c.Endpoint = url })
		if _, err := d.Quote(t.Context(), w.request(d)); !errors.Is(err, driver.ErrWrongAccount) {
			t.Errorf("%s: Quote: %v, want ErrWrongAccount", name, err)
		}
	}
}
