package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/money"
)

const (
	prefix    = "/api/v1"
	plansPath = prefix + "/plans"
)

// answer is what an operation answers.
type answer[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

func answered[T any](v T, err error) (*answer[T], error) { return &answer[T]{Body: v}, err }

// schemaOfAmount is an amount of money in JSON.
type schemaOfAmount struct {
	Amount   string `json:"amount" doc:"The number, as text" example:"12.50"`
	Currency string `json:"currency" doc:"Code of the currency" example:"USD"`
}

// The parameters of operations. The library reads the exported ones where they are
// embedded.
type (
	none   struct{}
	PlanID struct {
		Plan string `path:"plan" doc:"Id of a plan, or the beginning of one that no other plan has" maxLength:"64"`
	}
	LineID struct {
		Line string `path:"line" doc:"Id of a line, or the beginning of one that no other line has" maxLength:"64"`
	}
	Page struct {
		Cursor string `query:"cursor" doc:"The next of the page before" maxLength:"64"`
		Limit  int    `query:"limit" doc:"How many a page holds" minimum:"1" maximum:"500" default:"50"`
	}
	withBody[T any] struct {
		Body T
	}
	planBody[T any] struct {
		PlanID
		Body T
	}
	lineBody[T any] struct {
		LineID
		Body T
	}
)

// operation registers what is done at a method and path.
// An act that the roles of whoever asks do not permit is refused before anything of the
// request is looked at; the rest is up to the service.
func operation[I, O any](a huma.API, s *Server, act auth.Act, method, path, id, summary string, statuses []int, do func(context.Context, *I) (*O, error)) {
	op := huma.Operation{
		Method: method, Path: prefix + path, OperationID: id, Summary: summary, Errors: append([]int{401, 403}, statuses...),
		Security: []map[string][]string{{"token": {}}}, RejectUnknownQueryParameters: true, MaxBodyBytes: maxPlan,
	}
	if method == http.MethodPost {
		op.Errors = append(op.Errors, 400, 409, 413, 422)
		op.Parameters = []*huma.Param{{
			Name: "Idempotency-Key", In: "header", Required: true, Schema: &huma.Schema{Type: huma.TypeString, MaxLength: new(int)},
			Description: "Chosen by the sender, a new one for every new request. The same request under the same key is carried out once, and answered again as it was, for a day.",
		}}
		*op.Parameters[0].Schema.MaxLength = maxKey
	}
	op.Middlewares = huma.Middlewares{s.permit(act)}
	huma.Register(a, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, problemOf(ctx, err)
		}
		return out, nil
	})
}

func get[I, O any](a huma.API, s *Server, path, id, summary string, do func(context.Context, *I) (*O, error)) {
	operation(a, s, auth.ReadAny, http.MethodGet, path, id, summary, []int{404, 409, 422}, do)
}

func post[I, O any](a huma.API, s *Server, act auth.Act, path, id, summary string, do func(context.Context, *I) (*O, error)) {
	operation(a, s, act, http.MethodPost, path, id, summary, []int{404}, do)
}

// permit refuses an act that the roles of whoever asks do not permit.
func (s *Server) permit(act auth.Act) func(huma.Context, func(huma.Context)) {
	return func(c huma.Context, next func(huma.Context)) {
		ctx := c.Context()
		p, _ := auth.From(ctx)
		err := p.Check(act)
		if err == nil {
			next(c)
			return
		}
		if act != auth.ReadAny {
			url := c.URL()
			err = errors.Join(err, s.Denied(ctx, p, act, url.Path, err.Error()))
		}
		_, w := humago.Unwrap(c)
		problemOf(ctx, err).write(w)
	}
}

// operations registers everything that the API does.
func (s *Server) operations() error {
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schemas.RegisterTypeAlias(reflect.TypeFor[money.Amount](), reflect.TypeFor[schemaOfAmount]())
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Bursar", Version: "1",
			Description: "Buys cloud commitments at most once: plans, decisions on their digests, purchases, and what came of them. Errors are those of RFC 9457, with one sentence in detail.",
		},
		Servers: []*huma.Server{{URL: "/"}},
		Components: &huma.Components{
			Schemas:         schemas,
			SecuritySchemes: map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer", Description: "A token, in Authorization: Bearer"}},
		},
	}
	a := humago.New(s.mux, huma.Config{
		OpenAPI: doc, DefaultFormat: "application/json",
		Formats: map[string]huma.Format{"application/json": {Marshal: marshal, Unmarshal: json.Unmarshal}, "json": {Marshal: marshal, Unmarshal: json.Unmarshal}},
	})
	s.books(a)
	s.plans(a)
	s.lines(a)
	s.controls(a)
	s.advice(a)
	s.notifications(a)
	var err error
	if s.docs, err = json.MarshalIndent(doc, "", "  "); err != nil {
		return err
	}
	s.docs = append(s.docs, '\n')
	return nil
}

// marshal writes JSON as the commands do.
func marshal(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
	_, _ = w.Write(s.docs) // whoever asked has gone
}

func (s *Server) books(a huma.API) {
	get(a, s, "/installation", "installation", "Which ledger this is, and where purchases go", func(ctx context.Context, _ *none) (*answer[api.Installation], error) {
		return answered(s.Service.Installation(ctx))
	})
	get(a, s, "/overview", "overview", "How things stand", func(ctx context.Context, _ *none) (*answer[api.Overview], error) {
		return answered(s.Service.Overview(ctx))
	})
	get(a, s, "/inventory", "inventory", "What the clouds list, matched with the ledger", func(ctx context.Context, _ *none) (*answer[api.Inventory], error) {
		return answered(s.Service.Inventory(ctx))
	})
	type asked struct{ Body api.Nothing }
	post(a, s, auth.UtilizationAsk, "/inventory/utilization", "ask-utilization", "The inventory with what the clouds say of utilization and coverage when they are asked, which may cost money", func(ctx context.Context, _ *asked) (*answer[api.Inventory], error) {
		return answered(s.Service.Utilization(ctx))
	})
	get(a, s, "/check", "check", "Every invariant of the ledger, by name", func(ctx context.Context, _ *none) (*answer[[]api.Finding], error) {
		return answered(s.Service.Check(ctx))
	})
}

func (s *Server) plans(a huma.API) {
	type filter struct {
		Page
		State string `query:"state" doc:"Only plans in this state" enum:"proposed,approved,rejected,superseded"`
		Text  string `query:"q" doc:"Only plans whose name, id, requester or digest holds this" maxLength:"200"`
	}
	get(a, s, "/plans", "list-plans", "A page of plans, newest first", func(ctx context.Context, in *filter) (*answer[api.PlanPage], error) {
		return answered(s.Service.PlanPage(ctx, api.PlanFilter{State: in.State, Text: in.Text, Cursor: in.Cursor, Limit: in.Limit}))
	})
	post(a, s, auth.PlanCreate, "/plans", "create-plan", "Price what a file asks for and freeze it as a plan", func(ctx context.Context, in *withBody[api.NewPlan]) (*answer[api.PlanCreated], error) {
		r, err := planRequest(in.Body)
		if err != nil {
			return nil, err
		}
		return answered(s.Service.CreatePlan(ctx, r))
	})
	type one struct {
		PlanID
		UnlessSame
	}
	get(a, s, "/plans/{plan}", "get-plan", "A plan: lines, prices, digest, decisions", func(ctx context.Context, in *one) (*answer[api.Plan], error) {
		p, err := s.Service.Plan(ctx, in.Plan)
		return tagged(in.IfNoneMatch, p, err)
	})
	post(a, s, auth.PlanContinue, "/plans/{plan}/continue", "continue-plan", "Plan what of a plan was not bought, as its next version", func(ctx context.Context, in *planBody[api.Nothing]) (*answer[api.PlanCreated], error) {
		return answered(s.Service.ContinuePlan(ctx, in.Plan, ""))
	})
	type decision struct {
		PlanID
		IfSame
		Body api.NewDecision
	}
	post(a, s, auth.PlanApprove, "/plans/{plan}/decisions", "decide", "Approve or reject a plan by the digest that was shown", func(ctx context.Context, in *decision) (*answer[api.Plan], error) {
		valid := api.DefaultApproval
		if in.Body.Valid != "" {
			var err error
			if valid, err = time.ParseDuration(in.Body.Valid); err != nil {
				return nil, api.Errorf(api.Invalid, "valid %q: use a duration such as 72h", in.Body.Valid)
			}
		}
		if err := unchanged(ctx, in.IfMatch, func(ctx context.Context) (api.Plan, error) { return s.Service.Plan(ctx, in.Plan) }); err != nil {
			return nil, err
		}
		p, err := s.Service.Decide(ctx, api.Decision{Plan: in.Plan, Digest: in.Body.Digest, Approve: in.Body.Approve, Comment: in.Body.Comment}, valid)
		return tagged("", p, err)
	})
	type begin struct {
		PlanID
		IfSame
		Body api.Nothing
	}
	post(a, s, auth.PlanApply, "/plans/{plan}/begin", "begin-plan", "Let workers buy an approved plan", func(ctx context.Context, in *begin) (*answer[api.Started], error) {
		if err := unchanged(ctx, in.IfMatch, func(ctx context.Context) (api.Plan, error) { return s.Service.Plan(ctx, in.Plan) }); err != nil {
			return nil, err
		}
		p, first, err := s.Service.Begin(ctx, in.Plan, "")
		return answered(api.Started{Plan: p, First: first}, err)
	})
	post(a, s, auth.PlanSchedule, "/plans/{plan}/schedules", "schedule-plan", "Have an approved plan begun at a time", func(ctx context.Context, in *planBody[api.NewSchedule]) (*answer[api.PlanSchedule], error) {
		return answered(s.Service.SchedulePlan(ctx, in.Plan, in.Body.At, ""))
	})
	s.events(a)
}

func (s *Server) lines(a huma.API) {
	type filter struct {
		Page
		Plan    string `query:"plan" doc:"Only lines of this plan" maxLength:"64"`
		Account string `query:"account" doc:"Only lines of this account" maxLength:"128"`
		State   string `query:"state" doc:"Only lines in this state" maxLength:"32"`
	}
	get(a, s, "/lines", "list-lines", "A page of lines, those of the newest plan first", func(ctx context.Context, in *filter) (*answer[api.LinePage], error) {
		return answered(s.Service.LinePage(ctx, api.LineFilter{HistoryFilter: api.HistoryFilter{Plan: in.Plan, Account: in.Account, State: in.State}, Cursor: in.Cursor, Limit: in.Limit}))
	})
	type one struct {
		LineID
		UnlessSame
	}
	get(a, s, "/lines/{line}", "get-line", "A line with all evidence about it", func(ctx context.Context, in *one) (*answer[api.LineHistory], error) {
		h, err := s.Service.Line(ctx, in.Line)
		return tagged(in.IfNoneMatch, h, err)
	})
	get(a, s, "/lines/{line}/case", "get-case", "What a person needs to decide about a line", func(ctx context.Context, in *LineID) (*answer[api.Case], error) {
		return answered(s.Service.Case(ctx, in.Line))
	})
	type resolution struct {
		LineID
		IfSame
		Body api.NewResolution
	}
	post(a, s, auth.LineResolve, "/lines/{line}/resolutions", "resolve", "Decide about a line that needs review", func(ctx context.Context, in *resolution) (*answer[api.LineHistory], error) {
		if err := unchanged(ctx, in.IfMatch, func(ctx context.Context) (api.LineHistory, error) { return s.Service.Line(ctx, in.Line) }); err != nil {
			return nil, err
		}
		h, err := s.Service.Resolve(ctx, api.Resolution{Line: in.Line, Choice: in.Body.Choice, Commitment: in.Body.Commitment, Comment: in.Body.Comment})
		return tagged("", h, err)
	})
	get(a, s, "/lines/{line}/undo", "get-undo", "What can be undone for a line, and until when", func(ctx context.Context, in *LineID) (*answer[api.UndoOptions], error) {
		return answered(s.Service.UndoOptions(ctx, in.Line))
	})
	post(a, s, auth.LineUndo, "/lines/{line}/undo", "undo", "Take the next step to give back what a line bought", func(ctx context.Context, in *lineBody[api.NewUndo]) (*answer[api.UndoOptions], error) {
		b := in.Body
		return answered(s.Service.Undo(ctx, api.UndoRequest{Line: in.Line, Comment: b.Comment, Reject: b.Reject, Again: b.Again, Digest: b.Digest}))
	})
}

func (s *Server) controls(a huma.API) {
	post(a, s, auth.LineCancel, "/cancellations", "cancel", "Call lines off: at once where nothing was sent, by evidence elsewhere", func(ctx context.Context, in *withBody[api.NewCancel]) (*answer[[]api.Canceled], error) {
		return answered(s.Service.Cancel(ctx, in.Body.IDs, "", in.Body.Comment))
	})
	get(a, s, "/purchasing", "get-purchasing", "Whether anything may be bought", func(ctx context.Context, _ *none) (*answer[api.Purchasing], error) {
		return answered(s.Service.Purchasing(ctx))
	})
	post(a, s, auth.PurchasingStop, "/purchasing", "set-purchasing", "Stop all purchasing, or let it go on", func(ctx context.Context, in *withBody[api.SwitchPurchasing]) (*answer[api.Purchasing], error) {
		return answered(s.Service.SetPurchasing(ctx, in.Body.Purchasing, "", in.Body.Comment))
	})
	get(a, s, "/budgets", "list-budgets", "The caps on what may be committed", func(ctx context.Context, _ *none) (*answer[[]api.Budget], error) {
		return answered(s.Service.Budgets(ctx))
	})
	post(a, s, auth.BudgetSet, "/budgets", "set-budget", "Make a budget, or give one another cap", func(ctx context.Context, in *withBody[api.NewBudget]) (*answer[api.Budget], error) {
		b := in.Body
		return answered(s.Service.SetBudget(ctx, api.BudgetRequest{Name: b.Name, Cap: b.Cap, Currency: b.Currency, Per: b.Per, Of: b.Of, Account: b.Account}))
	})
	type budget struct {
		Budget string `path:"budget" doc:"Name of a budget" maxLength:"256"`
		Body   api.Nothing
	}
	post(a, s, auth.BudgetRetire, "/budgets/{budget}/retire", "retire-budget", "Retire a budget", func(ctx context.Context, in *budget) (*answer[api.Nothing], error) {
		return answered(api.Nothing{}, s.Service.RetireBudget(ctx, in.Budget, ""))
	})
	get(a, s, "/schedules", "list-schedules", "Tasks that are run again and again, and plans that wait for their time", func(ctx context.Context, _ *none) (*answer[api.Schedules], error) {
		return answered(s.Service.Schedules(ctx))
	})
	type schedule struct {
		Schedule string `path:"schedule" doc:"Id of what was scheduled" maxLength:"64"`
		Body     api.Nothing
	}
	post(a, s, auth.ScheduleCancel, "/schedules/{schedule}/cancel", "cancel-schedule", "Call off a plan that waits for its time", func(ctx context.Context, in *schedule) (*answer[api.PlanSchedule], error) {
		return answered(s.Service.CancelSchedule(ctx, in.Schedule, ""))
	})
	type task struct {
		Task string `path:"task" doc:"Name of a task" maxLength:"32"`
		Body api.Nothing
	}
	post(a, s, auth.TaskRun, "/tasks/{task}/run", "run-task", "Run a task once, due or not", func(ctx context.Context, in *task) (*answer[api.Ran], error) {
		return answered(s.Service.RunTask(ctx, in.Task))
	})
}
