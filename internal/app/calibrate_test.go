package app

import (
	"context"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bursar/internal/api"
	"bursar/internal/cloud"
	"bursar/internal/driver/aws"
	"bursar/internal/sim"
	"bursar/internal/store"
)

const (
	labAccount = "444455556666"
	labRegion  = "eu-west-1"
)

// laboratoryOf is an app over a simulator with these options.
func laboratoryOf(t *testing.T, o sim.Options) (*App, *sim.Sim, Options) {
	t.Helper()
	s, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.Close()
		_ = s.Close()
	})
	opts := Options{Ledger: filepath.Join(t.TempDir(), "bursar.db"), Endpoint: server.URL}
	if _, err := Init(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	return reopen(t, opts), s, opts
}

func reopen(t *testing.T, o Options) *App {
	t.Helper()
	a, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func calibrate(t *testing.T, a *App, ctx context.Context, cycles int) (map[string]api.Calibration, error) {
	t.Helper()
	found := map[string]api.Calibration{}
	err := a.Calibrate(ctx, CalibrateOptions{Account: labAccount, Region: labRegion, Cycles: cycles}, func(c api.Calibration) {
		key := c.Name
		if c.Name == aws.SignatureAge {
			key += " " + c.Service
		}
		found[key] = c
	})
	return found, err
}

// nothingLeft: every order of an experiment was deleted, and the ledger knows it.
func nothingLeft(t *testing.T, a *App, s *sim.Sim) {
	t.Helper()
	for _, e := range s.Ledger() {
		if e.State != "queued-deleted" {
			t.Errorf("left: %s %s is %s, to start at %s", e.Service, e.ID, e.State, e.StartsAt)
		}
		if e.StartsAt.Sub(e.BoughtAt) < 30*24*time.Hour {
			t.Errorf("%s %s was queued only %s ahead", e.Service, e.ID, e.StartsAt.Sub(e.BoughtAt))
		}
	}
	if open, err := a.db.OpenTrials(t.Context(), cloud.AWS, labAccount); err != nil || len(open) != 0 {
		t.Errorf("open trials: %+v, %v", open, err)
	}
}

func value(t *testing.T, c api.Calibration) time.Duration {
	t.Helper()
	if c.Value == "" {
		return 0
	}
	d, err := time.ParseDuration(c.Value)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Whatever the cloud is like, it is found out, and nothing is bought for it.
func TestCalibrationFindsTheOptions(t *testing.T) {
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		options                sim.Options
		visible, lead, age     [2]time.Duration // from, to
		trail, kept            [2]time.Duration
		leadHolds, throttled   bool
		changed                string
		settle, window, queued time.Duration
	}{
		"defaults": {
			options: sim.Options{Seed: 3, TokenLife: 12 * time.Hour}, visible: [2]time.Duration{time.Second, 4 * time.Second}, lead: [2]time.Duration{30 * day, 31 * day}, leadHolds: true,
			age: [2]time.Duration{295 * time.Second, 320 * time.Second}, trail: [2]time.Duration{2 * time.Minute, 8 * time.Minute},
			kept: [2]time.Duration{8 * time.Hour, 9 * time.Hour}, throttled: true, changed: "answered with the old order",
			window: 4 * time.Hour,
		},
		"slow": {
			options: sim.Options{
				Seed: 4, Visibility: 4 * time.Minute, SignatureAge: 12 * time.Minute, QueueLead: 45 * day, TrailDelay: 10 * time.Minute,
				TokenLife: 5 * time.Minute, TokenMismatch: sim.RefuseMismatch, Unthrottled: true,
			},
			visible: [2]time.Duration{2 * time.Minute, 4*time.Minute + 2*time.Second}, lead: [2]time.Duration{45 * day, 47 * day},
			age: [2]time.Duration{11*time.Minute + 50*time.Second, 12*time.Minute + 20*time.Second}, trail: [2]time.Duration{5 * time.Minute, 16 * time.Minute},
			kept: [2]time.Duration{time.Minute, 2 * time.Minute}, changed: "refused with ValidationException",
			settle: 10 * time.Minute, window: 30 * time.Second, queued: 45 * day,
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, s, opts := laboratoryOf(t, tt.options)
			got, err := calibrate(t, a, t.Context(), 12)
			if err != nil {
				t.Fatal(err)
			}
			nothingLeft(t, a, s)
			within := func(key string, want [2]time.Duration) {
				t.Helper()
				if d := value(t, got[key]); d < want[0] || d > want[1] || got[key].Skipped {
					t.Errorf("%s: %s, want %s to %s: %+v", key, d, want[0], want[1], got[key])
				}
			}
			within(aws.Visibility, tt.visible)
			within(aws.QueueLead, tt.lead)
			within(aws.TrailDelay, tt.trail)
			for _, s := range aws.Services {
				within(aws.SignatureAge+" "+string(s), tt.age)
			}
			for _, key := range []string{aws.StartSecond, aws.Deadline, aws.TrailDelay} {
				if !got[key].Holds || got[key].Skipped {
					t.Errorf("%s: %+v", key, got[key])
				}
			}
			if got[aws.QueueLead].Holds != tt.leadHolds || got[aws.Throttle].Skipped == tt.throttled || tt.throttled && !got[aws.Throttle].Holds {
				t.Errorf("%+v\n%+v", got[aws.QueueLead], got[aws.Throttle])
			}
			if !got[aws.TokenChanged].Holds || !strings.Contains(got[aws.TokenChanged].Detail, tt.changed) {
				t.Errorf("%+v", got[aws.TokenChanged])
			}
			// The last use of the token was one too many; the one before it was proven.
			if last := got[aws.TokenLife]; last.Holds {
				t.Errorf("%+v", last)
			}
			notes, err := a.db.Calibrations(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var kept time.Duration
			for _, n := range notes {
				if n.Name == aws.TokenLife && n.Holds {
					kept = max(kept, n.Value)
				}
			}
			if kept < tt.kept[0] || kept > tt.kept[1] {
				t.Errorf("the token was kept %s, want %s to %s", kept, tt.kept[0], tt.kept[1])
			}

			// What was measured is what drivers go by from now on.
			cfg, err := reopen(t, opts).clouds.config(labAccount, labRegion)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				name      string
				got, want time.Duration
			}{{"settle", cfg.Settle, tt.settle}, {"window", cfg.TokenWindow, tt.window}, {"queue lead", cfg.QueueLead, tt.queued}} {
				if c.got < c.want || c.want == 0 && c.got != 0 || c.got > 2*c.want+time.Second && c.want != 0 {
					t.Errorf("%s %s, want about %s", c.name, c.got, c.want)
				}
			}
			other, err := reopen(t, opts).clouds.config("777788889999", labRegion)
			if err != nil || other.Settle != 0 || other.TokenWindow != 0 || other.QueueLead != 0 {
				t.Errorf("another account: %+v, %v", other, err)
			}
		})
	}
}

// A run that is stopped anywhere leaves nothing that the next does not delete.
func TestCalibrationAfterACrash(t *testing.T) {
	left := 0
	for _, requests := range []int{150, 200, 260, 330} {
		a, s, opts := laboratoryOf(t, sim.Options{Seed: uint64(requests), Visibility: time.Minute})
		ctx, cancel := context.WithCancel(t.Context())
		// A process that dies does not clean up: nothing is permitted from then on.
		if _, err := s.AddFault(sim.Fault{Kind: sim.DenyAction, Skip: requests, Account: labAccount}); err != nil {
			t.Fatal(err)
		}
		if _, err := calibrate(t, a, ctx, 6); err == nil {
			t.Fatalf("%d: it went through", requests)
		}
		cancel()
		if err := s.ClearFaults(); err != nil {
			t.Fatal(err)
		}
		for _, e := range s.Ledger() {
			if e.State == "queued" {
				left++
			}
		}
		b := reopen(t, opts)
		if err := b.Calibrate(t.Context(), CalibrateOptions{Account: labAccount, Region: labRegion, Clean: true}, func(api.Calibration) {}); err != nil {
			t.Fatal(err)
		}
		nothingLeft(t, b, s)
	}
	if left == 0 {
		t.Error("no crash left anything")
	}
}

// A lost answer leaves an order whose id nobody was told.
func TestCalibrationFindsOrdersWithoutAnAnswer(t *testing.T) {
	a, s, _ := laboratoryOf(t, sim.Options{Seed: 9, Visibility: time.Minute})
	if _, err := s.AddFault(sim.Fault{Kind: sim.LoseReply, Service: "ec2", Operation: "PurchaseReservedInstancesOffering", Skip: 20}); err != nil {
		t.Fatal(err)
	}
	_, err := calibrate(t, a, t.Context(), 3)
	if n := len(s.Ledger()); n == 0 {
		t.Fatal(err)
	}
	nothingLeft(t, a, s)
}

func TestCalibrated(t *testing.T) {
	lane := cloud.Lane{Provider: cloud.AWS, Account: labAccount}
	of := func(name string, value time.Duration, holds bool) store.Calibration {
		return store.Calibration{Lane: lane, Name: name, Value: value, Holds: holds}
	}
	for name, tt := range map[string]struct {
		results []store.Calibration
		want    calibration
	}{
		"nothing":           {nil, calibration{}},
		"fast":              {[]store.Calibration{of(aws.Visibility, 2*time.Minute, true)}, calibration{}},
		"slow":              {[]store.Calibration{of(aws.Visibility, 3*time.Minute, false), of(aws.Deletion, time.Second, true)}, calibration{settle: 15 * time.Minute}},
		"the largest":       {[]store.Calibration{of(aws.Visibility, 3*time.Minute, false), of(aws.Visibility, time.Second, true)}, calibration{settle: 15 * time.Minute}},
		"a lead":            {[]store.Calibration{of(aws.QueueLead, 900*time.Hour, false)}, calibration{queueLead: 900 * time.Hour}},
		"no lead any more":  {[]store.Calibration{of(aws.QueueLead, 900*time.Hour, false), of(aws.QueueLead, 720*time.Hour, true)}, calibration{}},
		"kept for an hour":  {[]store.Calibration{of(aws.TokenLife, time.Hour, true)}, calibration{window: 30 * time.Minute}},
		"kept for a while":  {[]store.Calibration{of(aws.TokenLife, 11*time.Minute, true)}, calibration{}},
		"lost early":        {[]store.Calibration{of(aws.TokenLife, time.Minute, true), of(aws.TokenLife, 11*time.Minute, false)}, calibration{window: 30 * time.Second}},
		"lost at once":      {[]store.Calibration{of(aws.TokenLife, time.Minute, false)}, calibration{window: time.Second}},
		"once kept longer":  {[]store.Calibration{of(aws.TokenLife, time.Hour, true), of(aws.TokenLife, 11*time.Minute, false)}, calibration{window: 330 * time.Second}},
		"lost after a week": {[]store.Calibration{of(aws.TokenLife, 24*time.Hour, true), of(aws.TokenLife, 168*time.Hour, false)}, calibration{window: 12 * time.Hour}},
	} {
		if got := calibrated(tt.results)[labAccount]; got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestCalibrationOfOneAccount(t *testing.T) {
	a, _, _ := laboratoryOf(t, sim.Options{})
	if err := a.Calibrate(t.Context(), CalibrateOptions{}, func(api.Calibration) {}); err == nil {
		t.Error("it chose an account")
	}
	if _, err := a.CalibrationPlan(t.Context(), CalibrateOptions{Account: labAccount}); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
