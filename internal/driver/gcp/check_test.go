package gcp

import (
	"slices"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/sim"
)

// granted is a world in which the caller may do what Rights say, without some.
func granted(t *testing.T, s cloud.Service, without ...string) *world {
	t.Helper()
	project, billing := Rights(s)
	all := slices.DeleteFunc(slices.Concat(project, billing), func(p string) bool { return slices.Contains(without, p) })
	region := cloud.Region(testRegion)
	if s == Spend {
		region = Global
	}
	w := &world{t: t, what: s, region: region}
	w.start(sim.Options{Unthrottled: true, Visibility: -1, GooglePermissions: map[string][]string{testProject: all}})
	return w
}

// TestRights holds the list of permissions against the simulator, which enforces them:
// with them a purchase goes its whole way, and without any one of them it does not, and
// Check says which, without a request that can spend.
func TestRights(t *testing.T) {
	for _, s := range Services {
		t.Run(string(s), func(t *testing.T) {
			t.Parallel()
			w := granted(t, s)
			if err := w.wholeWay(); err != nil {
				t.Fatalf("with all rights: %v", err)
			}
			spent := w.Spending()
			for _, c := range w.open(t, nil).(driver.Checker).Check(t.Context(), "bu-test-doctor") {
				if c.State != driver.CheckOK {
					t.Errorf("with all rights: %+v", c)
				}
			}
			if w.Spending() != spent {
				t.Error("a check sent a request that can spend")
			}
			project, billing := Rights(s)
			for _, missing := range slices.Concat(project, billing) {
				w := granted(t, s, missing)
				if err := w.wholeWay(); err == nil {
					t.Errorf("all went well without %s", missing)
				}
				spent := w.Spending()
				list := w.open(t, nil).(driver.Checker).Check(t.Context(), "bu-test-doctor")
				if !slices.ContainsFunc(list, func(c driver.Check) bool {
					return c.State == driver.CheckFailed && c.Next != "" && (c.Of == missing || strings.Contains(c.Detail, missing))
				}) {
					t.Errorf("without %s the check says %+v", missing, list)
				}
				if w.Spending() != spent {
					t.Error("a check sent a request that can spend")
				}
			}
		})
	}
}

// wholeWay prices, buys, follows, finds by name and lists.
func (w *world) wholeWay() error {
	d := w.open(w.t, nil)
	list, err := d.Offerings(w.t.Context(), driver.Query{Attributes: samples[w.what].goods(w.region), Term: cloud.OneYear, Payment: cloud.Monthly})
	if err != nil {
		return err
	}
	w.offer = list[0]
	r := w.request(d)
	if _, err := d.Quote(w.t.Context(), r); err != nil {
		return err
	}
	ev, err := d.Purchase(w.t.Context(), r)
	if err != nil {
		return err
	}
	w.Advance(time.Hour)
	d = w.open(w.t, nil)
	if _, err := d.(driver.Follower).Poll(w.t.Context(), r, ev.Handle); err != nil {
		return err
	}
	if _, err := d.Find(w.t.Context(), r); err != nil {
		return err
	}
	r.Identities = nil
	_, err = d.Find(w.t.Context(), r)
	return err
}

func TestRoles(t *testing.T) {
	project, billing := Roles([]cloud.Service{Compute, Licenses}, false)
	if billing != nil || len(project.IncludedPermissions) != 10 || !slices.IsSorted(project.IncludedPermissions) {
		t.Errorf("roles of compute: %+v, %+v", project, billing)
	}
	project, billing = Roles(Services, false)
	if len(project.IncludedPermissions) != 10 || len(billing.IncludedPermissions) != 4 {
		t.Errorf("roles of all: %+v, %+v", project, billing)
	}
}

func TestProjects(t *testing.T) {
	w := newWorld(t, Compute, testRegion, sim.Options{Unthrottled: true, PageSize: 1})
	list, err := Projects(t.Context(), Config{Account: testProject, Region: testRegion, Endpoint: w.url, Now: w.sim.Now, Tokens: SimulatorTokens(testProject, w.sim.Now)})
	if err != nil || len(list) != 3 || !slices.ContainsFunc(list, func(p Project) bool {
		return p.ID == "example-prod" && p.Name == "Example Corp Production" && p.State == "ACTIVE" && p.Number != ""
	}) || !slices.ContainsFunc(list, func(p Project) bool { return p.ID == "example-old" && p.State == "DELETE_REQUESTED" }) {
		t.Errorf("projects %+v, %v", list, err)
	}
}
