package aws

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/sim"
)

// bought is the plan of the wire.
func (w *wire) bought(d driver.Service) cloud.Commitment {
	return cloud.Commitment{Lane: d.Info().Lane, ID: wireEC2ID, State: cloud.Active, Start: w.clock().Add(-time.Hour)}
}

// giveBack returns the plan of the wire; requests count as spending from here on.
func (w *wire) giveBack(t *testing.T, d driver.Service, r driver.Request) (cloud.Evidence, error) {
	t.Helper()
	w.arm()
	return d.(driver.Returner).Return(t.Context(), r, w.bought(d))
}

// TestReturnOnTheWire pins the one request of a return and what its answer proves.
func TestReturnOnTheWire(t *testing.T) {
	s := shapes[SavingsPlans]
	for name, row := range map[string]struct {
		status int
		body   string
		want   cloud.Outcome
	}{
		"accepted":  {200, `{"savingsPlanId":"` + wireEC2ID + `"}`, cloud.Accepted},
		"another":   {200, `{"savingsPlanId":"00000000-0000-4000-8000-000000000000"}`, cloud.InDoubt},
		"nothing":   {200, `{}`, cloud.InDoubt},
		"torn":      {200, `{"savingsPlanId":"` + wireEC2ID + `"`, cloud.InDoubt},
		"a page":    {200, `<html/>`, cloud.InDoubt},
		"500":       {500, `{}`, cloud.InDoubt},
		"refused":   {400, s.errorBody("ValidationException"), cloud.Refused},
		"throttled": {400, s.errorBody("ThrottlingException"), cloud.Throttled},
	} {
		w := newWire(t)
		w.bodies = s.bodies()
		var body, path string
		w.buy = func(rw http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			body, path = string(text), r.URL.Path
			answer(row.status, row.body)(rw, r)
		}
		d := w.open(t, SavingsPlans, func(c *Config) { c.RoleARN = testRole })
		r := s.request(w, d)
		ev, err := w.giveBack(t, d, r)
		if ev.Outcome != row.want || (err == nil) != (row.want == cloud.Accepted) || w.spent() != 1 || ev.Operation != opReturnPlan {
			t.Errorf("%s: %+v, %v, %d requests", name, ev, err, w.spent())
		}
		if path != "/ReturnSavingsPlan" || body != `{"clientToken":"bu-wire-1","savingsPlanId":"`+wireEC2ID+`"}` {
			t.Errorf("%s: %s %s", name, path, body)
		}
		for _, c := range w.calls {
			if policy := c.form.Get("Policy"); c.action == opAssumeRole && (!strings.Contains(policy, `"Action":["savingsplans:ReturnSavingsPlan"]`) || strings.Contains(policy, "Create")) {
				t.Errorf("policy %s", policy)
			}
		}
	}
}

// TestReturnUnsent: what must not be sent is not.
func TestReturnUnsent(t *testing.T) {
	for name, change := range map[string]func(*driver.Request, *cloud.Commitment){
		"other account": func(r *driver.Request, _ *cloud.Commitment) { r.Account = "444455556666" },
		"other lane":    func(_ *driver.Request, c *cloud.Commitment) { c.Account = "444455556666" },
		"strange id":    func(_ *driver.Request, c *cloud.Commitment) { c.ID = "a b" },
		"not active":    func(_ *driver.Request, c *cloud.Commitment) { c.State = cloud.Pending },
		"no token":      func(r *driver.Request, _ *cloud.Commitment) { r.Identity = "" },
		"too late":      func(r *driver.Request, _ *cloud.Commitment) { r.SendBy = wireStart.Add(-time.Second) },
		"dead":          func(r *driver.Request, _ *cloud.Commitment) { r.Deadline = wireStart.Add(-time.Second) },
	} {
		w := newWire(t)
		d := w.open(t, SavingsPlans, nil)
		r, c := shapes[SavingsPlans].request(w, d), w.bought(d)
		change(&r, &c)
		ev, err := d.(driver.Returner).Return(t.Context(), r, c)
		w.arm()
		returned := false
		for _, action := range w.seen() {
			returned = returned || action == opReturnPlan
		}
		if driver.OutcomeOf(err) != cloud.Unsent || ev.Outcome != cloud.Unsent || returned {
			t.Errorf("%s: %+v, %v, sent %v", name, ev, err, w.seen())
		}
	}
}

// TestReturnTerms holds the rules against those of the simulator, which were written
// from the same page and not from the driver.
func TestReturnTerms(t *testing.T) {
	for name, row := range map[string]struct {
		count   int
		age     time.Duration
		day     int // of the month on which it was bought
		other   int // returned this year
		allowed bool
		why     string
	}{
		"young":           {150_000, time.Hour, 5, 0, true, ""},
		"largest":         {10_000_000, time.Hour, 5, 0, true, ""},
		"too large":       {10_000_001, time.Hour, 5, 0, false, "at most 100 per hour"},
		"last minute":     {150_000, 7*24*time.Hour - time.Minute, 5, 0, true, ""},
		"too old":         {150_000, 7*24*time.Hour + time.Second, 5, 0, false, "the time for it ended at"},
		"over the month":  {150_000, 3 * 24 * time.Hour, 29, 0, false, "the time for it ended at"},
		"ninth of a year": {150_000, time.Hour, 5, 9, true, ""},
		"tenth of a year": {150_000, time.Hour, 5, 10, false, "10 Savings Plans were returned this year"},
	} {
		w := newWorld(t, SavingsPlans)
		d := w.open(t, nil)
		returner := d.(driver.Returner)
		// To the day of a later month that has 30 days at least.
		for w.Now().Day() != row.day || w.Now().Month() == time.February || w.Now().Month() == time.January {
			w.Advance(24 * time.Hour)
		}
		list, err := d.Offerings(t.Context(), driver.Query{Attributes: cloud.Attributes{"plan_type": "Compute"}, Term: cloud.OneYear, Payment: cloud.NoUpfront})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		all := []sim.Existing{{Account: testAccount, Region: "global", OfferingID: list[0].ID, Count: row.count, BoughtAt: w.Now()}}
		for range row.other {
			all = append(all, sim.Existing{Account: testAccount, Region: "global", OfferingID: list[0].ID, Count: 5_000, BoughtAt: w.Now()})
		}
		if err := w.sim.Add(all...); err != nil {
			t.Fatal(err)
		}
		back := func(c cloud.Commitment) error {
			r := w.request(d)
			r.Offering = list[0]
			_, err := returner.Return(t.Context(), r, c)
			return err
		}
		find := func() (lane []cloud.Commitment) {
			found, err := d.Find(t.Context(), driver.Request{Account: testAccount})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				lane = append(lane, *f.Commitment)
			}
			return lane
		}
		id := w.sim.Ledger()[0].ID
		for _, c := range find() {
			if c.ID != id {
				if err := back(c); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.Advance(row.age)
		lane := find()
		for _, c := range lane {
			if c.ID != id {
				continue
			}
			terms, err := returner.ReturnTerms(t.Context(), c, lane, w.Now())
			if err != nil || (terms.Why == "") != row.allowed || !strings.Contains(terms.Why, row.why) || terms.Used != row.other || terms.Most != 10 {
				t.Errorf("%s: %+v", name, terms)
			}
			if err := back(c); (err == nil) != row.allowed {
				t.Errorf("%s: the cloud says %v", name, err)
			}
		}
	}
}
