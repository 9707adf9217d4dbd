package store

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
)

func TestTrials(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		db := create(t, on.place(t))
		ctx := t.Context()
		lane := cloud.Lane{Provider: cloud.AWS, Account: "111122223333", Region: "eu-west-1", Service: "ec2"}
		want := Trial{Lane: lane, Experiment: "cycles", FireAt: t0.Add(31 * 24 * time.Hour), Token: "t", Offering: "o", Before: []string{"a"}, StartedAt: t0}
		id, err := db.BeginTrial(ctx, want)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.BeginTrial(ctx, want); !errors.Is(err, ErrSecondTaken) {
			t.Errorf("the same second twice: %v", err)
		}
		soon := want
		soon.FireAt = t0.Add(29 * 24 * time.Hour)
		if _, err := db.BeginTrial(ctx, soon); err == nil {
			t.Error("a trial fires within 30 days")
		}
		if err := db.TrialOrdered(ctx, id, "order-1"); err != nil {
			t.Fatal(err)
		}
		if err := db.TrialOrdered(ctx, id, "order-2"); !errors.Is(err, ErrNotFound) {
			t.Errorf("ordered twice: %v", err)
		}
		want.ID, want.Order = id, "order-1"
		got, err := db.OpenTrials(ctx, lane.Provider, lane.Account)
		if diff := cmp.Diff([]Trial{want}, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
		for _, forbidden := range []string{
			"DELETE FROM trial", "UPDATE trial SET fire_at = fire_at + 1", "UPDATE trial SET order_id = 'other'", "UPDATE trial SET before = '[]'",
			"UPDATE trial SET account = '1'", "INSERT OR REPLACE INTO trial SELECT * FROM trial",
		} {
			if _, err := db.writer.ExecContext(ctx, forbidden); err == nil {
				t.Errorf("the database took: %s", forbidden)
			}
		}
		if err := db.CloseTrial(ctx, id, t0.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := db.CloseTrial(ctx, id, t0.Add(time.Hour)); !errors.Is(err, ErrNotFound) {
			t.Errorf("closed twice: %v", err)
		}
		if _, err := db.writer.ExecContext(ctx, "UPDATE trial SET closed_at = 0"); err == nil {
			t.Error("a closed trial was opened")
		}
		if got, err := db.OpenTrials(ctx, lane.Provider, lane.Account); err != nil || len(got) != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestCalibrations(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		db := create(t, on.place(t))
		ctx := t.Context()
		lane := cloud.Lane{Provider: cloud.AWS, Account: "111122223333", Region: "eu-west-1", Service: "ec2"}
		want := []Calibration{
			{lane, "visibility", 1500 * time.Millisecond, true, "20 of 20", t0},
			{lane, "deadline", 0, false, "accepted", t0.Add(time.Second)},
		}
		for _, c := range want {
			if err := db.NoteCalibration(ctx, c); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.Calibrations(ctx)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
		bad := want[0]
		bad.Name = "mood"
		if err := db.NoteCalibration(ctx, bad); err == nil {
			t.Error("a result without a meaning was stored")
		}
		for _, forbidden := range []string{"DELETE FROM calibration", "UPDATE calibration SET value = 1", "INSERT OR REPLACE INTO calibration SELECT * FROM calibration"} {
			if _, err := db.writer.ExecContext(ctx, forbidden); err == nil {
				t.Errorf("the database took: %s", forbidden)
			}
		}
	})
}
