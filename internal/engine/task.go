package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bursar/internal/purchase"
	"bursar/internal/store"
)

// Task is something that is done again and again, by workers at its time or by
// whoever asks for it. Any number of processes may run one at once, and be killed in
// the middle of it.
type Task string

// The tasks.
const (
	TaskPlans     Task = "plans"     // begin the plans whose time has come, and buy what is due
	TaskResolve   Task = "resolve"   // look up what is in doubt, and raise what is overdue
	TaskAudit     Task = "audit"     // follow what was bought, compare the books of lanes
	TaskInventory Task = "inventory" // compare all that the clouds list with the ledger
	TaskExpire    Task = "expire"    // end what was not sent before its approval was over
	TaskOutbox    Task = "outbox"    // tell people what has happened and what is about to
	// TaskRecommendations tells Google's Recommender what became of what it has advised
	TaskRecommendations Task = "recommendations"
	// TaskPropose makes the plans of all policies that the configuration names; with a
	// colon and a name behind it, that of one.
	TaskPropose Task = "propose"
)

// Proposal makes the plan of one policy and counts what came of it.
type Proposal func(ctx context.Context, r *TaskResult) error

// ProposeTask is the task of one policy.
func ProposeTask(name string) Task { return TaskPropose + ":" + Task(name) }

// propose makes the plans of policies, each whatever becomes of the others.
func (e *Engine) propose(ctx context.Context, t Task, r *TaskResult) error {
	var errs []error
	found := t == TaskPropose
	for _, task := range slices.Sorted(maps.Keys(e.Proposals)) {
		if t != TaskPropose && t != task {
			continue
		}
		found = true
		if err := e.Proposals[task](ctx, r); err != nil {
			errs = append(errs, err)
		}
	}
	if !found {
		return fmt.Errorf("the configuration names no policy for %q", t)
	}
	return errors.Join(errs...)
}

// Tasks are all tasks. Workers do the first one all the time; the others have a
// schedule, the last one that of each of its policies.
var Tasks = []Task{TaskPlans, TaskResolve, TaskAudit, TaskInventory, TaskExpire, TaskOutbox, TaskRecommendations, TaskPropose}

// Cadences are how often the tasks with a schedule are run if nobody says.
var Cadences = map[Task]time.Duration{
	TaskResolve: 30 * time.Second, TaskAudit: time.Hour, TaskInventory: 6 * time.Hour, TaskExpire: 5 * time.Minute,
	TaskOutbox: 30 * time.Second, TaskRecommendations: 5 * time.Minute,
}

// TaskOutcome is what came of a task.
type TaskOutcome string

// The outcomes, in the order of how little they are.
const (
	TaskDone     TaskOutcome = "done"
	TaskFailed   TaskOutcome = "error"
	TaskDecision TaskOutcome = "decision" // a person has to decide
	TaskInDoubt  TaskOutcome = "in_doubt" // the outcome of a purchase is not known yet
)

// TaskResult is what came of a task, and what it has counted.
type TaskResult struct {
	Outcome TaskOutcome
	Counts  map[string]int
	Problem string // why it failed
}

// RunTask runs a task once. The error says that it could not be done; what could be
// done in part is in the result.
func (e *Engine) RunTask(ctx context.Context, t Task) (TaskResult, error) {
	r := TaskResult{Outcome: TaskDone, Counts: map[string]int{}}
	var err error
	switch t {
	case TaskPlans:
		err = e.plans(ctx, &r)
	case TaskResolve:
		err = e.resolve(ctx, &r)
	case TaskAudit:
		err = e.auditTask(ctx, &r)
	case TaskInventory:
		err = e.inventoryTask(ctx, &r)
	case TaskExpire:
		err = e.expire(ctx, &r)
	case TaskOutbox:
		if e.Outbox != nil {
			err = e.Outbox(ctx, &r)
		}
	case TaskRecommendations:
		if e.Recommendations != nil {
			err = e.Recommendations(ctx, &r)
		}
	default:
		if !strings.HasPrefix(string(t), string(TaskPropose)) {
			err = fmt.Errorf("there is no task %q", t)
			break
		}
		err = e.propose(ctx, t, &r)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		r.Outcome, r.Problem = TaskFailed, err.Error()
	}
	return r, err
}

// plans begins what is scheduled and works on what is due until nothing is left that
// can be done now.
func (e *Engine) plans(ctx context.Context, r *TaskResult) error {
	begun, err := e.BeginScheduled(ctx)
	for _, s := range begun {
		r.Counts[s.State]++
	}
	if err != nil {
		return err
	}
	if err := e.DB.LookUnanswered(ctx, e.Now()); err != nil {
		return err
	}
	for {
		before := r.Counts["moved"]
		if err := e.workOnce(ctx, r, func(store.Due) bool { return true }); err != nil {
			return err
		}
		if r.Counts["moved"] == before || ctx.Err() != nil {
			return e.standing(ctx, r, true)
		}
	}
}

// BeginScheduled begins the plans whose time has come.
func (e *Engine) BeginScheduled(ctx context.Context) ([]store.PlanSchedule, error) {
	return e.DB.BeginScheduled(ctx, e.Now())
}

// resolve looks up the lines that are in doubt and due. Those that are overdue are
// looked at whatever their next look is; what is overdue even then is raised, and
// nothing is decided by its age.
func (e *Engine) resolve(ctx context.Context, r *TaskResult) error {
	now := e.Now()
	if err := e.DB.LookOverdue(ctx, now); err != nil {
		return err
	}
	err := e.workOnce(ctx, r, func(d store.Due) bool {
		return d.State == purchase.Armed || d.State == purchase.QueuedLine || d.State == purchase.Recovery
	})
	if err != nil {
		return err
	}
	overdue, raised, err := e.DB.RaiseOverdue(ctx, e.Now())
	if err != nil {
		return err
	}
	r.Counts["overdue"], r.Counts["raised"] = len(overdue), raised
	for _, n := range overdue {
		e.Log.Warn("line is overdue", "line", n.Line, "state", n.State, "must_leave_by", n.MustLeaveBy)
	}
	if len(overdue) > 0 {
		r.Outcome = TaskDecision
	}
	return e.standing(ctx, r, false)
}

// workOnce works once on the lines that are due and chosen.
func (e *Engine) workOnce(ctx context.Context, r *TaskResult, choose func(store.Due) bool) error {
	var due []store.Due
	var after store.Due
	now := e.Now()
	for {
		page, err := e.DB.Due(ctx, "", now, after, duePage)
		if err != nil {
			return err
		}
		for _, d := range page {
			if choose(d) {
				due = append(due, d)
			}
		}
		if len(page) < duePage {
			break
		}
		after = page[len(page)-1]
	}
	e.count(ctx, r, due)
	return nil
}

// count works on lines and counts what comes of them.
func (e *Engine) count(ctx context.Context, r *TaskResult, due []store.Due) {
	was := make(map[purchase.LineID]purchase.State, len(due))
	for _, d := range due {
		was[d.Line] = d.State
	}
	ended := make(chan purchase.Row, len(due))
	e.work(ctx, due, map[purchase.LineID]string{}, func(row purchase.Row, _ error) { ended <- row })
	close(ended)
	for row := range ended {
		r.Counts["looked"]++
		if row.Line.State != was[row.Line.ID] {
			r.Counts["moved"]++
			r.Counts[string(row.Line.State)]++
		}
	}
}

// standing counts what is open after a task, which makes its outcome.
func (e *Engine) standing(ctx context.Context, r *TaskResult, buys bool) error {
	open, err := e.DB.OpenLines(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	r.Counts["in_doubt"], r.Counts["needs_person"] = open.InDoubt, open.Review
	if buys {
		r.Counts["ready"] = open.Ready
	}
	switch {
	case open.InDoubt > 0:
		r.Outcome = TaskInDoubt
	case open.Review > 0:
		r.Outcome = TaskDecision
	case buys && open.Ready > 0 && r.Outcome == TaskDone:
		r.Outcome, r.Problem = TaskFailed, fmt.Sprintf("%d lines of plans that were begun are not bought yet: bursar history --state ready", open.Ready)
	}
	return nil
}

func (e *Engine) auditTask(ctx context.Context, r *TaskResult) error {
	a, err := e.Audit(ctx, false)
	if err != nil {
		return err
	}
	r.Counts["lanes"], r.Counts["facts"], r.Counts["findings"] = a.Lanes, len(a.Facts), len(a.Findings)
	r.Counts["closed"], r.Counts["not_listed"] = len(a.Closed), len(a.Failed)
	switch {
	case len(a.Failed) > 0:
		return unreadLanes(a.Failed)
	case len(a.Findings) > 0:
		r.Outcome = TaskDecision
	}
	return nil
}

func (e *Engine) inventoryTask(ctx context.Context, r *TaskResult) error {
	inv, err := e.Inventory(ctx)
	if err != nil {
		return err
	}
	r.Counts["lanes"], r.Counts["not_listed"] = inv.Lanes, len(inv.Failed)
	for _, i := range inv.Items {
		r.Counts[string(i.Match)]++
	}
	switch {
	case len(inv.Failed) > 0:
		return unreadLanes(inv.Failed)
	case !inv.Balanced():
		r.Outcome = TaskDecision
	}
	return nil
}

// expire ends the lines that were not sent before their approval was over, of plans
// that were begun and of those that were not.
func (e *Engine) expire(ctx context.Context, r *TaskResult) error {
	due, err := e.DB.Lapsed(ctx, e.Now())
	if err != nil {
		return err
	}
	e.count(ctx, r, due)
	return nil
}

// leaseFor is how long a process that runs a task is taken to live without saying
// so; leaseEvery is how often it does.
const (
	leaseFor   = 12 * time.Second
	leaseEvery = 3 * time.Second
)

// Tick runs a scheduled task if it is due, or now, and records what came of it. ran
// is false when another process has its tick. ctx of the task ends when somebody
// else takes the task.
func (e *Engine) Tick(ctx context.Context, s store.Schedule, holder string, now bool) (r TaskResult, ran bool, err error) {
	began := e.Now()
	if !now && !s.Due(began) {
		return r, false, nil
	}
	if ran, err = e.DB.TakeTick(ctx, &s, holder, began, began.Add(leaseFor), now); err != nil || !ran {
		return r, false, err
	}
	wall := time.Now()
	held, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	keeping := make(chan struct{})
	go func() {
		defer close(keeping)
		for {
			select {
			case <-held.Done():
				return
			case <-time.After(leaseEvery):
			}
			if kept, err := e.DB.KeepTick(held, s, e.Now().Add(leaseFor)); err == nil && !kept {
				lost(errTaken)
			}
		}
	}()
	r, err = e.RunTask(held, Task(s.Task))
	if errors.Is(context.Cause(held), errTaken) {
		err = errTaken
	}
	lost(nil)
	<-keeping
	s.LastAt, s.LastTook, s.Outcome, s.Detail = began, time.Since(wall), string(r.Outcome), r.Detail()
	return r, true, errors.Join(err, e.DB.EndTick(context.WithoutCancel(ctx), s))
}

var errTaken = errors.New("another process has taken over this task")

// Detail says in a few words what a task has counted, or why it failed.
func (r TaskResult) Detail() string {
	if r.Problem != "" {
		return r.Problem
	}
	return countsText(r.Counts)
}

// countsText lists counts by name; those that are zero are left out.
func countsText(counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if counts[name] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[name], name))
		}
	}
	return strings.Join(parts, ", ")
}
