package store

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

// TestSchedule: cadences are rows, and of many processes one takes each tick.
func TestSchedule(t *testing.T) { onEngines(t, testSchedule) }

func testSchedule(t *testing.T, on database) {
	e := on.open(t)
	ctx := t.Context()
	cadence := func(every time.Duration, at time.Time) Schedule {
		t.Helper()
		e.ok(e.db.SyncSchedules(ctx, map[string]time.Duration{"audit": every, "expire": 0}, at))
		list, err := e.db.Schedules(ctx)
		e.ok(err)
		if len(list) != 2 || list[0].Task != "audit" || list[1].Every != 0 || list[1].Due(at.Add(1000*time.Hour)) {
			t.Fatalf("%+v", list)
		}
		return list[0]
	}
	s := cadence(time.Hour, t0)
	if !s.Due(t0) || !s.NextAt.Equal(t0) || s.Every != time.Hour {
		t.Errorf("a new task: %+v", s)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var winners []Schedule
	for range 8 {
		wg.Go(func() {
			mine := s
			taken, err := e.db.TakeTick(ctx, &mine, "w", t0, t0.Add(10*time.Second), false)
			if err != nil {
				t.Error(err)
			}
			if taken {
				mu.Lock()
				defer mu.Unlock()
				winners = append(winners, mine)
			}
		})
	}
	wg.Wait()
	if len(winners) != 1 {
		t.Fatalf("%d processes took one tick", len(winners))
	}
	held := cadence(time.Hour, t0)
	if held.Holder != "w" || held.Due(t0.Add(9*time.Second)) || !held.Due(t0.Add(10*time.Second)) || !held.NextAt.Equal(t0.Add(time.Hour)) {
		t.Errorf("held: %+v", held)
	}
	if taken, err := e.db.TakeTick(ctx, &held, "x", t0.Add(9*time.Second), t0.Add(time.Minute), false); taken || err != nil {
		t.Errorf("taken from the living: %t %v", taken, err)
	}
	if taken, err := e.db.TakeTick(ctx, &held, "x", t0.Add(10*time.Second), t0.Add(time.Minute), false); !taken || err != nil {
		t.Errorf("not taken from the dead: %t %v", taken, err)
	}
	if kept, err := e.db.KeepTick(ctx, winners[0], t0.Add(time.Hour)); kept || err != nil {
		t.Errorf("kept by the dead: %t %v", kept, err)
	}
	if kept, err := e.db.KeepTick(ctx, held, t0.Add(time.Hour)); !kept || err != nil {
		t.Errorf("not kept: %t %v", kept, err)
	}
	held.LastAt, held.LastTook, held.Outcome, held.Detail = t0, 3*time.Second, "done", "7 lanes"
	e.ok(e.db.EndTick(ctx, winners[0])) // changes nothing
	e.ok(e.db.EndTick(ctx, held))
	done := cadence(time.Hour, t0)
	if done.Holder != "" || done.Outcome != "done" || done.Detail != "7 lanes" || done.LastTook != 3*time.Second || !done.LastAt.Equal(t0) {
		t.Errorf("done: %+v", done)
	}
	if done.Due(t0.Add(59 * time.Minute)) {
		t.Error("due again before its time")
	}
	if sooner := cadence(time.Minute, t0.Add(time.Minute)); sooner.Every != time.Minute || !sooner.NextAt.Equal(t0.Add(time.Minute)) {
		t.Errorf("with another cadence: %+v", sooner)
	}
	off := cadence(0, t0)
	if taken, err := e.db.TakeTick(ctx, &off, "w", t0.Add(time.Hour), t0.Add(2*time.Hour), false); taken || err != nil {
		t.Errorf("a task that is off was taken: %t %v", taken, err)
	}
	if taken, err := e.db.TakeTick(ctx, &off, "ana", t0, t0.Add(time.Minute), true); !taken || err != nil {
		t.Errorf("by hand: %t %v", taken, err)
	}
}

// TestPlanSchedule: a plan is begun at the time that a person said, by one process, if
// it still may be.
func TestPlanSchedule(t *testing.T) { onEngines(t, testPlanSchedule) }

func testPlanSchedule(t *testing.T, on database) {
	e := on.open(t)
	ctx := t.Context()
	at := t0.Add(time.Hour)
	schedule := func(p *purchase.Plan, at time.Time) (PlanSchedule, error) {
		return e.db.SchedulePlan(ctx, PlanSchedule{Plan: p.ID, At: at, By: "ana", MadeAt: t0})
	}
	p := e.save(1, 1)
	if _, err := schedule(p, at); !errors.Is(err, ErrNotApproved) {
		t.Errorf("a proposed plan: %v", err)
	}
	e.ok(e.Decide(ctx, yes(p), t0.Add(2*time.Hour)))
	if _, err := schedule(p, t0.Add(2*time.Hour)); !errors.Is(err, ErrNotApproved) {
		t.Errorf("beyond the approval: %v", err)
	}
	s, err := schedule(p, at)
	e.ok(err)
	if l := e.row(p.Lines[0].ID).Line; !l.MustLeaveBy.Equal(at.Add(purchase.ReadyDwell)) {
		t.Errorf("the line must leave by %s", l.MustLeaveBy)
	}
	if _, err := schedule(p, at); !errors.Is(err, ErrScheduled) {
		t.Errorf("twice: %v", err)
	}
	id, err := e.db.CancelPlanSchedule(ctx, s.ID[:24], "bob", t0)
	if err != nil || id != s.ID {
		t.Errorf("%s %v", id, err)
	}
	if _, err := e.db.CancelPlanSchedule(ctx, s.ID, "bob", t0); !errors.Is(err, ErrNotWaiting) {
		t.Errorf("called off twice: %v", err)
	}
	if _, err := e.db.CancelPlanSchedule(ctx, "01ZZZ", "bob", t0); !errors.Is(err, ErrNotFound) {
		t.Errorf("what is not there: %v", err)
	}
	_, err = schedule(p, at)
	e.ok(err)
	late := e.approve(2, 1) // until two hours from t0
	_, err = schedule(late, at)
	e.ok(err)
	for _, query := range []string{"UPDATE plan_schedule SET at = 1", "DELETE FROM plan_schedule", "UPDATE plan_schedule SET person = 'x'"} {
		if err := e.exec(query); !e.refusal(err) {
			t.Errorf("the database takes %s: %v", query, err)
		}
	}
	if ended, err := e.db.BeginScheduled(ctx, at.Add(-time.Second)); err != nil || len(ended) != 0 {
		t.Errorf("before the time: %v %v", ended, err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var states []string
	for range 4 {
		wg.Go(func() {
			ended, err := e.db.BeginScheduled(ctx, at)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, s := range ended {
				states = append(states, s.State)
			}
		})
	}
	wg.Wait()
	if !slices.Equal(states, []string{"begun", "begun"}) {
		t.Errorf("ended as %v", states)
	}
	if b, err := e.db.BegunBy(ctx, p.ID); err != nil || b == nil || *b != (Begun{Plan: p.ID, By: "ana", At: at, How: BySchedule}) {
		t.Errorf("%+v %v", b, err)
	}
	if _, err := schedule(p, at.Add(time.Minute)); !errors.Is(err, ErrBegun) {
		t.Errorf("a plan that was begun: %v", err)
	}

	third := e.approve(3, 1)
	_, err = schedule(third, at)
	e.ok(err)
	ended, err := e.db.BeginScheduled(ctx, t0.Add(3*time.Hour))
	if err != nil || len(ended) != 1 || ended[0].State != "refused" || ended[0].Detail == "" {
		t.Errorf("after the approval: %+v %v", ended, err)
	}
	lapsed, err := e.db.Lapsed(ctx, t0.Add(3*time.Hour))
	if err != nil || len(lapsed) != 3 {
		t.Errorf("lapsed: %v %v", lapsed, err)
	}
	all, err := e.db.PlanSchedules(ctx)
	if err != nil || len(all) != 4 {
		t.Errorf("%+v %v", all, err)
	}
}

// TestNotices: what is overdue is raised once, and closed when it has moved.
func TestNotices(t *testing.T) { onEngines(t, testNotices) }

func testNotices(t *testing.T, on database) {
	e := on.open(t)
	ctx := t.Context()
	p, unbegun := e.approve(1, 2), e.approve(2, 1)
	_, err := e.begin(p, t0)
	e.ok(err)
	armed := p.Lines[0].ID
	a := e.armed(armed, t0, "n1")
	raise := func(at time.Time, overdue, raised int) {
		t.Helper()
		list, n, err := e.db.RaiseOverdue(ctx, at)
		if err != nil || len(list) != overdue || n != raised {
			t.Errorf("overdue %+v, %d raised, %v", list, n, err)
		}
	}
	raise(t0.Add(time.Minute), 0, 0)
	late := t0.Add(90 * time.Minute)
	if got, err := e.db.OpenLines(ctx); err != nil || got != (OpenLines{InDoubt: 1, Ready: 1}) {
		t.Errorf("%+v %v, of which the plan that nobody has begun is not", got, err)
	}
	e.ok(e.exec("UPDATE line SET look_at = $1", micros(t0.Add(48*time.Hour))))
	e.ok(e.db.LookOverdue(ctx, late))
	if l := e.row(armed).Line; !l.LookAt.Equal(late) {
		t.Errorf("the overdue line in doubt is looked at %s", l.LookAt)
	}
	if l := e.row(p.Lines[1].ID).Line; l.LookAt.Equal(late) {
		t.Error("a line that is not in doubt is looked at")
	}
	raise(late, 2, 2)
	raise(late.Add(time.Minute), 2, 0)
	e.apply(e.step(armed, answer(a, cloud.Bought), late), late)
	raise(late.Add(2*time.Minute), 1, 0)
	notices, err := e.db.Notices(ctx, armed)
	if err != nil || len(notices) != 1 {
		t.Fatal(notices, err)
	}
	want := Notice{
		Line: armed, State: purchase.Armed, MustLeaveBy: notices[0].MustLeaveBy, RaisedAt: late, SeenAt: late.Add(time.Minute), ClosedAt: late.Add(2 * time.Minute),
	}
	if notices[0] != want {
		t.Errorf("%+v, want %+v", notices[0], want)
	}
	if list, err := e.db.Notices(ctx, unbegun.Lines[0].ID); err != nil || len(list) != 0 {
		t.Errorf("of a plan that nobody has begun: %+v %v", list, err)
	}
	for _, query := range []string{"UPDATE notice SET raised_at = 1", "DELETE FROM notice", "UPDATE notice SET closed_at = 0"} {
		if err := e.exec(query); !e.refusal(err) {
			t.Errorf("the database takes %s: %v", query, err)
		}
	}
}

// TestPaces: what is learned of a lane is kept with the later hold, and what is under
// way is counted until its answer is no longer awaited.
func TestPaces(t *testing.T) { onEngines(t, testPaces) }

func testPaces(t *testing.T, on database) {
	e := on.open(t)
	ctx := t.Context()
	lane := cloud.Lane{Provider: cloud.AWS, Account: "111122223333", Region: "eu-west-1", Service: "rds"}
	learn := func(most int, until time.Time, cause string, at time.Time) {
		t.Helper()
		e.ok(e.db.LearnPace(ctx, Pace{Lane: lane, Most: most, Until: until, Cause: cause, At: at}))
	}
	learn(8, t0.Add(time.Minute), "no route", t0)
	learn(4, time.Time{}, "", t0.Add(time.Second))
	got, err := e.db.Paces(ctx, t0, t0)
	want := Pace{Lane: lane, Most: 4, Until: t0.Add(time.Minute), Cause: "no route", At: t0.Add(time.Second), Version: 2}
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v, %v", got, want, err)
	}
	if got, err := e.db.Paces(ctx, t0.Add(time.Hour), t0.Add(time.Hour)); err != nil || len(got) != 0 {
		t.Errorf("an hour later: %+v %v", got, err)
	}
	p := e.approve(1, 3)
	e.armed(p.Lines[0].ID, t0, "n1")
	a := e.armed(p.Lines[1].ID, t0, "n2")
	if n, err := e.db.UnderWay(ctx, t0.Add(time.Second)); err != nil || n[lane] != 2 || len(n) != 1 {
		t.Errorf("%v %v", n, err)
	}
	e.apply(e.step(p.Lines[1].ID, answer(a, cloud.InDoubt), t0), t0)
	if n, err := e.db.UnderWay(ctx, t0.Add(time.Second)); err != nil || n[lane] != 1 {
		t.Errorf("after an answer: %v %v", n, err)
	}
	if n, err := e.db.UnderWay(ctx, a.AnswerBy); err != nil || n[lane] != 0 {
		t.Errorf("after the wait for answers: %v %v", n, err)
	}
}
