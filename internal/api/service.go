package api

import (
	"context"
	"time"
)

// Service is what Bursar does for whoever asks: app.App does it in this process, the
// Client over HTTP. The name of a person in a request is that of who acts; over HTTP
// the server puts it there. Ids may be shortened to a unique prefix. An error that is
// no fault of Bursar's is an Error with its kind.
type Service interface {
	Installation(ctx context.Context) (Installation, error)
	Overview(ctx context.Context) (Overview, error)

	CreatePlan(ctx context.Context, r PlanRequest) (PlanCreated, error)
	ContinuePlan(ctx context.Context, id, requester string) (PlanCreated, error)
	Plan(ctx context.Context, id string) (Plan, error)
	Plans(ctx context.Context) ([]Plan, error)
	PlanPage(ctx context.Context, f PlanFilter) (PlanPage, error)
	// Decide records a decision on the digest that the person saw; an approval is valid
	// for a time.
	Decide(ctx context.Context, d Decision, valid time.Duration) (Plan, error)

	// Begin lets workers buy an approved plan; first is false when somebody has begun it
	// before.
	Begin(ctx context.Context, id, by string) (p Plan, first bool, err error)
	Cancel(ctx context.Context, ids []string, by, comment string) ([]Canceled, error)
	Purchasing(ctx context.Context) (Purchasing, error)
	SetPurchasing(ctx context.Context, on bool, by, comment string) (Purchasing, error)

	History(ctx context.Context, f HistoryFilter) ([]Line, error)
	LinePage(ctx context.Context, f LineFilter) (LinePage, error)
	Line(ctx context.Context, id string) (LineHistory, error)
	// Watch tells how the lines of a plan move, from after the event of that number: a
	// line as it then is, and what an earlier event may have told again. It ends when no
	// line of the plan can move any more, or with ctx.
	Watch(ctx context.Context, plan string, after int, moved func(Progress) error) error
	Case(ctx context.Context, id string) (Case, error)
	Resolve(ctx context.Context, r Resolution) (LineHistory, error)
	UndoOptions(ctx context.Context, id string) (UndoOptions, error)
	Undo(ctx context.Context, r UndoRequest) (UndoOptions, error)

	Advising

	Inventory(ctx context.Context) (Inventory, error)
	// Utilization is the inventory with what the clouds say of use when they are asked,
	// which may cost money.
	Utilization(ctx context.Context) (Inventory, error)
	Check(ctx context.Context) ([]Finding, error)
	Budgets(ctx context.Context) ([]Budget, error)
	SetBudget(ctx context.Context, r BudgetRequest) (Budget, error)
	RetireBudget(ctx context.Context, name, by string) error

	Schedules(ctx context.Context) (Schedules, error)
	SchedulePlan(ctx context.Context, id string, at time.Time, by string) (PlanSchedule, error)
	CancelSchedule(ctx context.Context, id, by string) (PlanSchedule, error)
	RunTask(ctx context.Context, name string) (Ran, error)

	Notifier
}

// HistoryFilter selects lines. Zero fields select all.
type HistoryFilter struct {
	Plan, Account, State string
}
