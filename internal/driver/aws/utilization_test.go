package aws

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/sim"
)

func (w *world) meter(t *testing.T, change func(*Config)) driver.Meter {
	cfg := Config{
		Account: testAccount, Region: regionOf(w.service()), Endpoint: w.url, Now: w.sim.Now,
		Credentials: credentials.NewStaticCredentialsProvider(testAccount, "test", ""),
	}
	if change != nil {
		change(&cfg)
	}
	m, err := NewMeter(w.service(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMeasure: every commitment of the lane is told, and of whole days that are counted:
// what is used all the time at one rate has the same utilization a day later. What was
// bought today is not told.
func TestMeasure(t *testing.T) {
	for _, s := range []cloud.Service{RDS, ElastiCache, Redshift, OpenSearch, EC2, EC2Zonal, SavingsPlans} {
		t.Run(string(s), func(t *testing.T) {
			w := newWorld(t, s)
			d := w.open(t, nil)
			w.Stock(w.request(d), w.request(d), w.request(d))
			w.Advance(40 * 24 * time.Hour)
			listed := func() (held []cloud.Commitment) {
				r := w.request(d)
				r.Identities = nil
				found, err := d.Find(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				for _, ev := range found {
					held = append(held, *ev.Commitment)
				}
				return held
			}
			held := listed()
			if len(held) != 3 {
				t.Fatalf("%d held", len(held))
			}
			was, err := w.meter(t, nil).Measure(t.Context(), held)
			if err != nil {
				t.Fatal(err)
			}
			var told []int
			for _, c := range held {
				u := was.Used[c.ID]
				if u.Days != meterDays || u.BP < 6000 || u.BP > 10_000 {
					t.Errorf("%s: %+v", c.ID, u)
				}
				told = append(told, u.BP)
			}
			if slices.Sort(told); len(slices.Compact(told)) != 3 {
				t.Errorf("the same for all: %v", told)
			}
			of := "hours"
			if s == SavingsPlans {
				of = "spend"
			}
			if c := was.Coverage; len(c) != 1 || c[0].Of != of || c[0].Days != meterDays || c[0].BP < 5000 || c[0].BP >= 10_000 {
				t.Errorf("coverage %+v", c)
			}
			w.Advance(31 * time.Hour)
			w.Stock(w.request(d))
			w.Advance(time.Hour)
			all := listed()
			is, err := w.meter(t, func(c *Config) { c.RoleARN = testRole }).Measure(t.Context(), all)
			if err != nil || len(all) != 4 || !cmp.Equal(was.Used, is.Used) {
				t.Errorf("a day later, %d held: %v, %v", len(all), cmp.Diff(was.Used, is.Used), err)
			}
			if n := w.Spending(); n != 0 {
				t.Errorf("%d spending requests", n)
			}
		})
	}
}

// TestMeasureDenied: the policy is what is needed, and nothing in it is too much.
func TestMeasureDenied(t *testing.T) {
	policy := testAccess(Services...).Utilization()
	for _, action := range append(slices.Clone(meterGrant.reads), "") {
		failed := false
		for _, s := range []cloud.Service{RDS, SavingsPlans} {
			w := limited(t, way(s), without(policy, action), testAccess(s).Base())
			_, err := w.meter(t, func(c *Config) { c.RoleARN, c.ExternalID = testRole, "tenant-7" }).Measure(t.Context(), nil)
			if err != nil && !strings.Contains(driver.Says(cloud.Lane{Account: testAccount}, err), action) {
				t.Errorf("without %s: %v", action, err)
			}
			failed = failed || err != nil
		}
		if failed != (action != "") {
			t.Errorf("without %q: failed %t", action, failed)
		}
	}
}

// TestMeasureOnce: what Cost Explorer refuses is not asked again: every request is
// charged.
func TestMeasureOnce(t *testing.T) {
	w := newWorld(t, RDS)
	if _, err := w.sim.AddFault(sim.Fault{Kind: sim.Throttle, Service: "ce", Operation: opReservationUse, Times: 9}); err != nil {
		t.Fatal(err)
	}
	_, err := w.meter(t, nil).Measure(t.Context(), nil)
	var e *driver.Error
	if !errors.As(err, &e) || e.Code != "LimitExceededException" {
		t.Fatalf("%v", err)
	}
	asked := 0
	for _, r := range w.sim.Requests() {
		if r.Operation == opReservationUse {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// TestMeterNotTold: where Cost Explorer tells nothing there is no meter.
func TestMeterNotTold(t *testing.T) {
	keys := credentials.NewStaticCredentialsProvider(testAccount, "test", "")
	for s, region := range map[cloud.Service]cloud.Region{MemoryDB: testRegion, RedshiftServerless: testRegion, RDS: "cn-north-1"} {
		if m, err := NewMeter(s, Config{Account: testAccount, Region: region, Credentials: keys}); !errors.Is(err, driver.ErrNotTold) {
			t.Errorf("%s in %s: %v, %v", s, region, m, err)
		}
	}
}

func TestHundredths(t *testing.T) {
	for text, want := range map[string]int{
		"0": 0, "0.0": 0, "100": 10_000, "100.000000": 10_000, "87.415": 8742, "87.4149": 8741, "99.996": 10_000, "0.005": 1,
		"": -1, "x": -1, "-1": -1, "100.01": -1, "1e2": -1, "1/2": -1,
	} {
		got, err := hundredths(&text)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d (%v), want %d", text, got, err, want)
		}
	}
}
