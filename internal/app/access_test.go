package app

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/recommend/policy"
)

var mixed = []string{"111122223333", "444455556666"}

// acting is an installation with a plan that is proposed, of two accounts, and one that
// is approved.
type acting struct {
	*App
	t                  *testing.T
	file               string
	proposed, approved api.Plan
}

func open(t *testing.T) *acting {
	t.Helper()
	dir := t.TempDir()
	o := Options{Ledger: filepath.Join(dir, "bursar.db")}
	if _, err := Init(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() }) //nolint:errcheck // the test is over
	w := &acting{App: a, t: t, file: write(t, dir, "plan.yaml", onePlan)}
	for _, p := range []*api.Plan{&w.proposed, &w.approved} {
		created, err := a.CreatePlan(t.Context(), api.PlanRequest{File: w.file, Requester: "paul"})
		if err != nil {
			t.Fatal(err)
		}
		*p = created.Plan
	}
	if w.approved, err = a.Decide(t.Context(), api.Decision{Plan: w.approved.ID, Digest: w.approved.Digest, By: "grace", Approve: true}, time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, p := range []api.PersonRequest{{Name: "grace", Roles: []string{"approver"}}, {Name: "ada", Roles: []string{"admin"}}} {
		if _, err := a.AddPerson(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// file is where the ledger is.
func (w *acting) sql(query string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", w.db.Path())
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(w.t.Context(), query); err != nil {
		w.t.Fatal(err)
	}
}

// dump is all that the ledger holds but the audit log, and who was seen when.
func (w *acting) dump() string {
	w.t.Helper()
	db, err := sql.Open("sqlite", w.db.Path())
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	var all strings.Builder
	read := func(query string) (rows []string) {
		found, err := db.QueryContext(w.t.Context(), query)
		if err != nil {
			w.t.Fatal(err)
		}
		defer found.Close()
		columns, err := found.Columns()
		if err != nil {
			w.t.Fatal(err)
		}
		for found.Next() {
			values := make([]any, len(columns))
			into := make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			if err := found.Scan(into...); err != nil {
				w.t.Fatal(err)
			}
			rows = append(rows, strings.Trim(fmt.Sprint(values...), "[]"))
		}
		return rows
	}
	for _, table := range read("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('audit_entry', 'host', 'schedule') AND name NOT LIKE 'river%' AND name NOT LIKE 'sqlite%' ORDER BY 1") {
		fmt.Fprintf(&all, "%s: %q\n", table, read("SELECT * FROM "+table))
	}
	return all.String()
}

func (w *acting) log() []api.AuditEntry {
	w.t.Helper()
	list, err := w.AuditLog(context.Background(), AuditFilter{})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// act is one thing that somebody can do, and as what it is logged.
type act struct {
	name auth.Act
	do   func(ctx context.Context, by string) error
}

// acts are all of them. They come in an order in which each could be done.
func (w *acting) acts() []act {
	said := api.RecoveryRequest{Comment: "because"}
	word := func(by string) api.RecoveryRequest { r := said; r.By = by; return r }
	line := w.approved.Lines[0].ID
	return []act{
		{auth.PlanCreate, func(ctx context.Context, by string) error {
			_, err := w.CreatePlan(ctx, api.PlanRequest{File: "p.yaml", Content: []byte(onePlan), Requester: by})
			return err
		}},
		{auth.AdviceJudge, func(ctx context.Context, by string) error {
			in, err := readInput("p.yaml", []byte(onePlan))
			if err != nil {
				return err
			}
			_, err = w.DismissAdvice(ctx, api.AdviceRequest{Key: policy.Key(in.Drafts[0]), File: "p.yaml", Content: []byte(onePlan), Reason: "not now", By: by})
			return err
		}},
		{auth.PlanReject, func(ctx context.Context, by string) error {
			_, err := w.Decide(ctx, api.Decision{Plan: w.proposed.ID, Digest: w.proposed.Digest, By: by}, 0)
			return err
		}},
		{auth.PlanApprove, func(ctx context.Context, by string) error {
			_, err := w.Decide(ctx, api.Decision{Plan: w.proposed.ID, Digest: w.proposed.Digest, By: by, Approve: true}, time.Hour)
			return err
		}},
		{auth.PlanSchedule, func(ctx context.Context, by string) error {
			_, err := w.SchedulePlan(ctx, w.approved.ID, w.clouds.now().Add(30*time.Minute), by)
			return err
		}},
		{auth.PlanApply, func(ctx context.Context, by string) error {
			_, _, err := w.Begin(ctx, w.approved.ID, by)
			return err
		}},
		{auth.PlanApply, func(ctx context.Context, by string) error {
			_, err := w.Apply(ctx, w.approved.ID, by, 0, nil)
			return err
		}},
		{auth.LineCancel, func(ctx context.Context, by string) error {
			_, err := w.Cancel(ctx, []string{line}, by, "")
			return err
		}},
		{auth.LineResolve, func(ctx context.Context, by string) error {
			_, err := w.Resolve(ctx, api.Resolution{Line: line, Choice: "look-again", By: by})
			return err
		}},
		{auth.PlanContinue, func(ctx context.Context, by string) error {
			_, err := w.ContinuePlan(ctx, w.approved.ID, by)
			return err
		}},
		{auth.PurchasingStop, func(ctx context.Context, by string) error { _, err := w.SetPurchasing(ctx, false, by, ""); return err }},
		{auth.PurchasingStart, func(ctx context.Context, by string) error { _, err := w.SetPurchasing(ctx, true, by, ""); return err }},
		{auth.BudgetSet, func(ctx context.Context, by string) error {
			_, err := w.SetBudget(ctx, api.BudgetRequest{Name: "b", Cap: "1000000", Currency: "USD", By: by})
			return err
		}},
		{auth.BudgetRetire, func(ctx context.Context, by string) error { return w.RetireBudget(ctx, "b", by) }},
		{auth.ScheduleCancel, func(ctx context.Context, by string) error { _, err := w.CancelSchedule(ctx, "01", by); return err }},
		{auth.TaskRun, func(ctx context.Context, _ string) error { _, err := w.RunTask(ctx, "expire"); return err }},
		{auth.Reconcile, func(ctx context.Context, _ string) error { return w.Reconcile(ctx, 0, nil) }},
		{auth.Follow, func(ctx context.Context, _ string) error { _, err := w.Audit(ctx, false); return err }},
		{auth.RecoveryMoved, func(ctx context.Context, by string) error { _, err := w.RecoveryMoved(ctx, word(by)); return err }},
		{auth.RecoveryExplain, func(ctx context.Context, by string) error {
			_, err := w.RecoveryExplain(ctx, "x", true, word(by))
			return err
		}},
		{auth.RecoveryAdopt, func(ctx context.Context, by string) error {
			_, err := w.RecoveryAdopt(ctx, mixed[:1], word(by))
			return err
		}},
		{auth.RecoveryFinish, func(ctx context.Context, by string) error { _, _, err := w.RecoveryFinish(ctx, word(by)); return err }},
		{auth.RecoveryStart, func(ctx context.Context, by string) error { _, err := w.RecoveryStart(ctx, word(by)); return err }},
		{auth.PersonAdd, func(ctx context.Context, by string) error {
			_, err := w.AddPerson(ctx, api.PersonRequest{Name: "kim", Roles: []string{"viewer"}, By: by})
			return err
		}},
		{auth.PersonRoles, func(ctx context.Context, by string) error {
			_, err := w.SetRoles(ctx, api.PersonRequest{Name: "grace", Roles: []string{"viewer"}, By: by})
			return err
		}},
		{auth.PersonDisable, func(ctx context.Context, by string) error {
			_, err := w.DisablePerson(ctx, "grace", true, by)
			return err
		}},
		{auth.PersonEnable, func(ctx context.Context, by string) error {
			_, err := w.DisablePerson(ctx, "grace", false, by)
			return err
		}},
		{auth.TokenCreate, func(ctx context.Context, by string) error {
			_, err := w.CreateToken(ctx, api.TokenRequest{Name: "n", Owner: "ada", Valid: time.Hour, By: by})
			return err
		}},
		{auth.UtilizationAsk, func(ctx context.Context, by string) error { _, err := w.Utilization(ctx); return err }},
		{auth.AdviceAsk, func(ctx context.Context, by string) error {
			_, err := w.Recommend(ctx, api.RecommendRequest{Providers: []string{"aws"}, Services: []string{"memorydb"}})
			return err
		}},
		{auth.NotifyMute, func(ctx context.Context, by string) error {
			_, err := w.Mute(ctx, api.MuteRequest{Kind: "bought", By: by, For: time.Hour})
			return err
		}},
		{auth.NotifyUnmute, func(ctx context.Context, by string) error { _, err := w.Unmute(ctx, "bought", by); return err }},
		{auth.LinkCreate, func(ctx context.Context, by string) error { _, err := w.SignInLink(ctx, "ada", "", by); return err }},
	}
}

// unlogged are the acts that only another test does: they need something to be about.
var unlogged = []auth.Act{auth.ReadAny, auth.AuditRead, auth.LineUndo, auth.Calibrate, auth.TokenRevoke}

func TestEveryActIsTried(t *testing.T) {
	w := open(t)
	for name := range auth.Acts {
		if !slices.Contains(unlogged, name) && !slices.ContainsFunc(w.acts(), func(a act) bool { return a.name == name }) {
			t.Errorf("no test does %s", name)
		}
	}
}

// TestNoLineNoAct takes the audit log away: nothing is done any more.
func TestNoLineNoAct(t *testing.T) {
	w := open(t)
	w.sql("CREATE TRIGGER full BEFORE INSERT ON audit_entry BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
	before := w.dump()
	for _, a := range w.acts() {
		err := a.do(t.Context(), "ada")
		if a.name == auth.ScheduleCancel && err != nil {
			continue // there is no schedule
		}
		if err == nil || !strings.Contains(err.Error(), "audit log") {
			t.Errorf("%s: %v", a.name, err)
		}
		if after := w.dump(); after != before {
			t.Fatalf("%s was done without a line in the log:\n%s", a.name, after)
		}
	}
}

// TestActsAreLogged does each and looks for its line, which was there before: what it
// came to is not known in it.
func TestActsAreLogged(t *testing.T) {
	w := open(t)
	for _, a := range w.acts() {
		before := len(w.log())
		err := a.do(t.Context(), "ada")
		lines := w.log()[before:]
		if len(lines) == 0 || lines[0].Act != string(a.name) || lines[0].Kind != "act" {
			t.Errorf("%s: %v: the log says %+v", a.name, err, lines)
			continue
		}
		if last := lines[len(lines)-1]; err != nil && (last.Kind != "failed" && last.Kind != "denied" || last.Details["entry"] != float64(lines[0].Seq) || last.Details["why"] == "") {
			t.Errorf("%s: %v: the log says %+v", a.name, err, lines)
		}
		if by := lines[0].Actor; by != "ada" && by != person("") || !strings.HasPrefix(lines[0].Session, "os ") {
			t.Errorf("%s is logged as of %s, %s", a.name, by, lines[0].Session)
		}
	}
	if _, err := w.VerifyAudit(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// TestTheRequesterIsDenied has a business rule refuse, which is a denial like any other.
func TestTheRequesterIsDenied(t *testing.T) {
	w := open(t)
	w.rules.Self = new(bool)
	created, err := w.CreatePlan(t.Context(), api.PlanRequest{File: w.file, Requester: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := auth.With(t.Context(), auth.Principal{Name: "ada", Roles: []auth.Role{auth.Admin}, Session: "session x"})
	if _, err := w.Decide(ctx, api.Decision{Plan: created.Plan.ID, Digest: created.Plan.Digest, Approve: true}, time.Hour); err == nil || !strings.Contains(err.Error(), "ada requested plan") {
		t.Error(err)
	}
	list := w.log()
	if last := list[len(list)-1]; last.Kind != "denied" || last.Act != "plan.approve" || last.Session != "session x" {
		t.Errorf("the log says %+v", last)
	}
}

// TestWhoMayNotIsRefusedAndLogged tries every act as people and programs that may not.
// partly are the acts that whoever may do them does in some accounts alone, too.
var partly = []auth.Act{auth.PurchasingStop, auth.UtilizationAsk, auth.AdviceAsk, auth.NotifyMute, auth.NotifyUnmute}

func TestWhoMayNotIsRefusedAndLogged(t *testing.T) {
	w := open(t)
	for name, p := range map[string]auth.Principal{
		"nobody's role":   {Name: "eve"},
		"a viewer":        {Name: "eve", Roles: []auth.Role{auth.Viewer}},
		"an agent":        {Name: "eve", Roles: []auth.Role{auth.Admin}, Agent: true},
		"no account":      {Name: "eve", Roles: []auth.Role{auth.Admin}, Accounts: []string{}},
		"another account": {Name: "eve", Roles: []auth.Role{auth.Admin}, Accounts: []string{"777788889999"}},
		"half of them":    {Name: "eve", Roles: []auth.Role{auth.Admin}, Accounts: mixed[:1]},
	} {
		p.Session = "token x"
		before := w.dump()
		for _, a := range w.acts() {
			if p.May(auth.Acts[a.name]) && (p.Accounts == nil || slices.Contains(partly, a.name) || len(p.Accounts) > 0 && p.Accounts[0] == mixed[0] && (a.name == auth.LineCancel || a.name == auth.LineResolve)) {
				continue // they may
			}
			n := len(w.log())
			err := a.do(auth.With(t.Context(), p), "")
			if a.name == auth.ScheduleCancel && p.May(auth.Stop) {
				continue // nothing is scheduled
			}
			var forbidden *auth.ForbiddenError
			unseen := err != nil && (strings.Contains(err.Error(), "not found") || strings.Contains(err.Error(), "there is no plan"))
			if !errors.As(err, &forbidden) && !unseen {
				t.Errorf("%s, %s: %v", name, a.name, err)
			}
			if after := w.dump(); after != before {
				t.Fatalf("%s, %s was done", name, a.name)
			}
			lines := w.log()[n:]
			if !unseen && (len(lines) != 1 || lines[0].Kind != "denied" || lines[0].Act != string(a.name) || lines[0].Actor != "eve" || lines[0].Session != "token x") {
				if p.May(auth.Read) { // who may not even read is refused before the act is known
					t.Errorf("%s, %s: the log says %+v", name, a.name, lines)
				}
			}
		}
	}
}

// TestNobodyActsInAnothersName names another person than the one who is signed in.
func TestNobodyActsInAnothersName(t *testing.T) {
	w := open(t)
	ctx := auth.With(t.Context(), auth.Principal{Name: "ada", Roles: []auth.Role{auth.Admin}, Session: "token x"})
	before := w.dump()
	for _, a := range w.acts() {
		if slices.Contains([]auth.Act{auth.TaskRun, auth.Reconcile, auth.Follow, auth.UtilizationAsk, auth.AdviceAsk}, a.name) {
			continue // nobody is named
		}
		n := len(w.log())
		var forbidden *auth.ForbiddenError
		if err := a.do(ctx, "grace"); !errors.As(err, &forbidden) || !strings.Contains(err.Error(), "cannot act in the name of grace") {
			t.Errorf("%s: %v", a.name, err)
		}
		if lines := w.log()[n:]; len(lines) != 1 || lines[0].Kind != "denied" || lines[0].Actor != "ada" {
			t.Errorf("%s: the log says %+v", a.name, lines)
		}
	}
	if w.dump() != before {
		t.Error("something was done")
	}
	// Their own name, however it is written, is theirs.
	p, err := w.Decide(ctx, api.Decision{Plan: w.proposed.ID, Digest: w.proposed.Digest, By: " ADA", Approve: true}, time.Hour)
	if err != nil || p.Decisions[0].By != "ada" {
		t.Errorf("%+v, %v", p.Decisions, err)
	}
	if _, err := w.Resolve(ctx, api.Resolution{Line: w.approved.Lines[0].ID, Second: "grace"}); err == nil || !strings.Contains(err.Error(), "cannot speak for grace") {
		t.Error(err)
	}
	if _, err := w.CreatePlan(ctx, api.PlanRequest{File: w.file}); err == nil || !strings.Contains(err.Error(), "no file of the server is read") {
		t.Error(err)
	}
}

// TestAScopeHidesWhatIsOutside reads as somebody who sees one account of two.
func TestAScopeHidesWhatIsOutside(t *testing.T) {
	w := open(t)
	if _, err := w.Apply(t.Context(), w.approved.ID, "", 0, nil); err != nil {
		t.Fatal(err)
	}
	for _, b := range []api.BudgetRequest{{Name: "all", Cap: "1000000", Currency: "USD"}, {Name: "one", Account: mixed[0], Cap: "1000000", Currency: "USD"}, {Name: "other", Account: mixed[1], Cap: "1000000", Currency: "USD"}} {
		if _, err := w.SetBudget(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	reader := func(accounts []string) context.Context {
		return auth.With(t.Context(), auth.Principal{Name: "v", Roles: []auth.Role{auth.Viewer}, Accounts: accounts})
	}
	for _, tc := range []struct {
		accounts                     []string
		plans, lines, items, budgets int
	}{{nil, 2, 4, 2, 3}, {mixed, 2, 4, 2, 2}, {mixed[:1], 0, 2, 1, 1}, {[]string{}, 0, 0, 0, 0}} {
		ctx := reader(tc.accounts)
		plans, err := w.Plans(ctx)
		lines, err2 := w.History(ctx, api.HistoryFilter{})
		inv, err3 := w.Inventory(ctx)
		budgets, err4 := w.Budgets(ctx)
		if err := errors.Join(err, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		if got := []int{len(plans), len(lines), len(inv.Items), len(budgets)}; !slices.Equal(got, []int{tc.plans, tc.lines, tc.items, tc.budgets}) {
			t.Errorf("%v sees %v plans, lines, items, budgets", tc.accounts, got)
		}
		for _, q := range inv.Equations {
			if tc.accounts != nil && !slices.Contains(tc.accounts, q.Account) {
				t.Errorf("%v sees the equation of %s", tc.accounts, q.Account)
			}
		}
		if !inv.Balanced {
			t.Errorf("%v: not balanced", tc.accounts)
		}
		for _, l := range w.approved.Lines {
			sees := tc.accounts == nil || slices.Contains(tc.accounts, l.Account)
			_, lineErr := w.Line(ctx, l.ID)
			_, undoErr := w.UndoOptions(ctx, l.ID)
			_, receiptErr := w.Receipt(ctx, l.ID)
			for _, err := range []error{lineErr, undoErr, receiptErr} {
				if sees != (err == nil) || !sees && !strings.Contains(err.Error(), "not found") {
					t.Errorf("%v and line %d in %s: %v", tc.accounts, l.Number, l.Account, err)
				}
			}
		}
		if _, err := w.Plan(ctx, w.approved.ID); (tc.plans > 0) != (err == nil) {
			t.Errorf("%v: %v", tc.accounts, err)
		}
		for name, err := range map[string]error{
			"people": second(w.People(ctx)), "tokens": second(w.Tokens(ctx)), "audit log": second(w.AuditLog(ctx, AuditFilter{})),
		} {
			var forbidden *auth.ForbiddenError
			if !errors.As(err, &forbidden) {
				t.Errorf("a viewer reads the %s: %v", name, err)
			}
		}
	}
	none := auth.With(t.Context(), auth.Principal{Name: "v"})
	for name, err := range map[string]error{
		"plans": second(w.Plans(none)), "plan": second(w.Plan(none, w.approved.ID)), "history": second(w.History(none, api.HistoryFilter{})),
		"line": second(w.Line(none, w.approved.Lines[0].ID)), "inventory": second(w.Inventory(none)), "budgets": second(w.Budgets(none)),
		"schedules": second(w.Schedules(none)), "purchasing": second(w.Purchasing(none)), "check": second(w.Check(none)), "case": second(w.Case(none, w.approved.Lines[0].ID)),
	} {
		var forbidden *auth.ForbiddenError
		if !errors.As(err, &forbidden) {
			t.Errorf("somebody without a role reads the %s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestReceipts buys, and verifies the receipt without the ledger, with each byte changed.
func TestReceipts(t *testing.T) {
	w := open(t)
	line := w.approved.Lines[0].ID
	if _, err := w.Receipt(t.Context(), line); err == nil || !strings.Contains(err.Error(), "only what is purchased has a receipt") {
		t.Error(err)
	}
	if _, err := w.Decide(t.Context(), api.Decision{Plan: w.approved.ID, Digest: w.approved.Digest, By: "grace", Approve: true}, time.Hour); err == nil {
		t.Error("approved twice")
	}
	if _, err := w.Apply(t.Context(), w.approved.ID, "ada", 0, nil); err != nil {
		t.Fatal(err)
	}
	text, err := w.Receipt(t.Context(), line)
	if err != nil {
		t.Fatal(err)
	}
	in, err := w.Installation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", in.PublicKey} {
		if v, err := VerifyReceipt(text, key, nil); err != nil || !v.OK || v.Line != line || v.PublicKey != in.PublicKey {
			t.Errorf("%+v, %v", v, err)
		}
	}
	for i := range text {
		changed := slices.Clone(text)
		changed[i] ^= 1
		if v, err := VerifyReceipt(changed, in.PublicKey, nil); err != nil || v.OK || len(v.Problems) == 0 {
			t.Fatalf("byte %d: %+v, %v", i, v, err)
		}
	}
	// Who applies again adds nothing to it.
	if _, err := w.Apply(t.Context(), w.approved.ID, "grace", 0, nil); err != nil {
		t.Fatal(err)
	}
	if again, err := w.Receipt(t.Context(), line); err != nil || string(again) != string(text) {
		t.Errorf("the receipt is another one now, %v:\n%s", err, again)
	}
	var log strings.Builder
	if _, err := w.ExportAudit(t.Context(), &log); err != nil {
		t.Fatal(err)
	}
	if v, err := VerifyReceipt(text, in.PublicKey, strings.NewReader(log.String())); err != nil || !v.OK {
		t.Errorf("%+v, %v", v, err)
	}
	other := open(t)
	var foreign strings.Builder
	if _, err := other.ExportAudit(t.Context(), &foreign); err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyReceipt(text, in.PublicKey, strings.NewReader(foreign.String())); err == nil || !strings.Contains(err.Error(), "not the key that was given") {
		t.Error(err)
	}
	if _, err := VerifyReceipt(text, "x", nil); err == nil || !strings.Contains(err.Error(), "--key: ") {
		t.Error(err)
	}
	if _, err := w.VerifyAudit(t.Context(), strings.NewReader(foreign.String())); err == nil || !strings.Contains(err.Error(), "not signed by a key of this ledger") {
		t.Error(err)
	}
	if _, err := w.VerifyAudit(t.Context(), strings.NewReader(log.String())); err != nil {
		t.Error(err)
	}
	// The key is another one, or none.
	if err := os.Rename(w.keyPath, w.keyPath+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Receipt(t.Context(), line); err == nil || !strings.Contains(err.Error(), "there is no signing key") {
		t.Error(err)
	}
	if _, err := createKey(w.keyPath); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Receipt(t.Context(), line); err == nil || !strings.Contains(err.Error(), "is the signing key of another ledger") {
		t.Error(err)
	}
}

// TestALogThatIsMadeAnewIsFound writes the log again with other words, whole.
func TestALogThatIsMadeAnewIsFound(t *testing.T) {
	w := open(t)
	var export strings.Builder
	if _, err := w.ExportAudit(t.Context(), &export); err != nil {
		t.Fatal(err)
	}
	w.sql("DROP TRIGGER audit_entry_no_delete; DELETE FROM audit_entry")
	head, err := w.VerifyAudit(t.Context(), nil)
	if err != nil || head.Entries != 0 {
		t.Fatalf("%+v, %v", head, err)
	}
	for i := range 40 {
		_, err := w.VerifyAudit(t.Context(), strings.NewReader(export.String()))
		if err == nil || !strings.Contains(err.Error(), "it is missing: the export has") && !strings.Contains(err.Error(), "the log was made anew") {
			t.Fatalf("after %d entries: %v", i, err)
		}
		if err := w.Denied(t.Context(), auth.Principal{Name: "eve"}, auth.PlanApprove, "x", "y"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFilters(t *testing.T) {
	w := open(t)
	all := w.log()
	for _, tc := range []struct {
		f    AuditFilter
		want func(api.AuditEntry) bool
	}{
		{AuditFilter{Actor: "GRACE"}, func(e api.AuditEntry) bool { return e.Actor == "grace" }},
		{AuditFilter{Act: "plan.create"}, func(e api.AuditEntry) bool { return e.Act == "plan.create" }},
		{AuditFilter{Subject: w.approved.ID}, func(e api.AuditEntry) bool { return e.Subject == w.approved.ID }},
		{AuditFilter{Refused: true}, func(e api.AuditEntry) bool { return e.Kind != "act" }},
		{AuditFilter{Last: 2}, func(e api.AuditEntry) bool { return e.Seq > int64(len(all)-2) }},
	} {
		got, err := w.AuditLog(t.Context(), tc.f)
		want := slices.DeleteFunc(slices.Clone(all), func(e api.AuditEntry) bool { return !tc.want(e) })
		if err != nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%+v: %+v, %v", tc.f, got, err)
		}
	}
}
