package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/aws"
	"bursar/internal/engine"
	"bursar/internal/journal"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/sim"
	"bursar/internal/store"
)

// guarded gives the world's engine a journal and a place.
func (w *world) guarded() *world {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "test.journal")
	j, err := journal.Create(path, "01JOURNAL", "test")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.guard(path)
	w.compare()
	return w
}

// guard opens the journal for the world's engine, as a process does when it starts.
func (w *world) guard(path string) {
	w.t.Helper()
	j, err := journal.Open(path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = j.Close() })
	w.engine.Guard = &engine.Guard{Journal: j, Place: func() (map[store.MarkName]string, error) {
		return map[store.MarkName]string{store.MarkFile: w.file, store.MarkEnvironment: w.environment}, nil
	}}
}

func (w *world) compare() *engine.Comparison {
	w.t.Helper()
	c, err := w.engine.Compare(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// backup copies the ledger as it is.
func (w *world) backup() string {
	w.t.Helper()
	copied := filepath.Join(w.t.TempDir(), "backup.db")
	path := w.db.Path()
	if err := w.db.Close(); err != nil {
		w.t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(copied, raw, 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.reopen(path)
	return copied
}

// restore puts a backup in the place of the ledger and starts a process on it.
func (w *world) restore(copied string) {
	w.t.Helper()
	path := w.db.Path()
	raw, err := os.ReadFile(copied)
	if err == nil {
		err = errors.Join(w.db.Close(), os.WriteFile(path, raw, 0o600))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.reopen(path)
}

// reopen starts a process on the ledger at a path.
func (w *world) reopen(path string) {
	w.t.Helper()
	db, err := store.Open(w.t.Context(), path)
	if err != nil {
		w.t.Fatal(err)
	}
	before, guard := w.clouds, w.engine.Guard
	w.db = db
	w.engine, w.clouds = w.newEngine(db)
	w.clouds.unique, w.clouds.queue = before.unique, before.queue
	if guard != nil {
		w.guard(guard.Journal.Path())
	}
}

// work goes on until no line of the plan is open, or for five hours.
func (w *world) work(p *purchase.Plan) {
	w.t.Helper()
	for range 300 {
		w.run(p)
		if !slices.ContainsFunc(w.plan(p).Lines, func(l purchase.Line) bool { return !l.State.Terminal() && l.State != purchase.NeedsReview }) {
			return
		}
		w.advance(time.Minute)
	}
	w.t.Fatalf("lines are still open:\n%s", w.story(p))
}

// finish ends the recovery, as soon as it can be.
func (w *world) finishRecovery() *engine.Recovery {
	w.t.Helper()
	for range 60 {
		r, err := w.engine.FinishRecovery(w.t.Context(), "grace", "looked at")
		if err == nil || !errors.Is(err, engine.ErrRecovering) {
			if err != nil {
				w.t.Fatal(err)
			}
			return r
		}
		if r.Lines == 0 && len(r.Findings) > 0 {
			return r
		}
		w.advance(time.Minute)
	}
	w.t.Fatal("the recovery does not end")
	return nil
}

// bound counts what the clouds sold.
func (w *world) bound() int { return len(w.sim.Ledger()) }

// TestALedgerThatWasRestoredBuysNothingTwice: the backup was made when the plan was
// proposed, or approved; the plan is bought; the backup comes back. Every service
// ends with what it had, and one of each.
func TestALedgerThatWasRestoredBuysNothingTwice(t *testing.T) {
	type way struct {
		service       cloud.Service
		unique, queue bool
	}
	ways := []way{{aws.OpenSearch, true, false}, {aws.SavingsPlans, false, true}}
	for _, s := range aws.Services {
		ways = append(ways, way{service: s})
	}
	for _, way := range ways {
		for _, approved := range []bool{false, true} {
			name := string(way.service)
			if way.unique {
				name += " unique"
			}
			if way.queue {
				name += " queued"
			}
			if approved {
				name += ", approved"
			}
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, sim.Options{Visibility: time.Minute, Unthrottled: true}).guarded()
				w.clouds.unique, w.clouds.queue = way.unique, way.queue
				p, err := w.propose(0, draftOf(way.service))
				if err != nil {
					t.Fatal(err)
				}
				copied := ""
				if !approved {
					copied = w.backup()
				}
				now := w.sim.Now()
				if err := w.db.Decide(t.Context(), purchase.Decision{Plan: p.ID, Digest: p.Digest, By: "grace", Approve: true, At: now}, now.Add(24*time.Hour)); err != nil {
					t.Fatal(err)
				}
				if approved {
					copied = w.backup()
				}
				w.work(p)
				if l := w.plan(p).Lines[0]; l.State != purchase.Purchased || w.bound() != 1 {
					t.Fatalf("%s, %d sold\n%s", l.State, w.bound(), w.story(p))
				}
				bought := w.sim.Ledger()[0]

				w.restore(copied)
				if c := w.compare(); !c.Begun || len(c.Lost) == 0 || !strings.Contains(c.Back[0], "the journal has") {
					t.Fatalf("the ledger of before was not seen: %+v", c)
				}
				if c := w.compare(); c.Begun || len(c.Back) > 0 { // once
					t.Errorf("and again: %+v", c)
				}
				if l := w.plan(p).Lines[0]; l.State != purchase.Recovery {
					t.Fatalf("the line is %s", l.State)
				}
				if _, err := w.engine.FinishRecovery(t.Context(), "grace", ""); !errors.Is(err, engine.ErrRecovering) {
					t.Errorf("finished before it was looked at: %v", err)
				}
				w.work(p)
				l := w.plan(p).Lines[0]
				class := l.Class
				switch {
				case l.State == purchase.Purchased:
				case (class.Locks() || way.service == aws.EC2) && l.State == purchase.NeedsReview:
					// The cloud knows it by nothing: a person says that it is this line's.
					if _, err := w.engine.Resolve(t.Context(), l.ID, engine.Resolution{Choice: purchase.Adopt, Commitment: bought.ID, By: "ada"}); err != nil {
						t.Fatal(err)
					}
				default:
					t.Fatalf("class %s: %s\n%s", class, l.State, w.story(p))
				}
				w.finishRecovery()
				in, err := w.db.Installation(t.Context())
				if err != nil || in.Recovery || !in.Purchasing || in.Incarnation != 2 {
					t.Errorf("%+v, %v", in, err)
				}
				if n := w.bound(); n != 1 {
					t.Errorf("%d sold", n)
				}
				receipts, err := w.db.Receipts(t.Context())
				if err != nil || len(receipts) != 1 || receipts[0].Commitment.ID != bought.ID {
					t.Errorf("receipts %+v, %v", receipts, err)
				}
				if inv, err := w.engine.Inventory(t.Context()); err != nil || !inv.Balanced() {
					t.Errorf("inventory %+v, %v", inv, err)
				}
				w.check()
			})
		}
	}
}

// TestWhatALostPlanHasBoughtIsRegained: the backup is older than the plan itself.
func TestWhatALostPlanHasBoughtIsRegained(t *testing.T) {
	w := newWorld(t, sim.Options{Visibility: time.Minute, Unthrottled: true}).guarded()
	copied := w.backup()
	p := w.approved(draftOf(aws.RDS), draftOf(aws.Redshift))
	w.work(p)
	if w.bound() != 2 {
		t.Fatalf("%d sold\n%s", w.bound(), w.story(p))
	}
	w.restore(copied)
	if c := w.compare(); !c.Begun || len(c.Lost) != 2 {
		t.Fatalf("%+v", c)
	}
	// Nothing is looked for, and all the same it may still appear.
	if r, err := w.engine.FinishRecovery(t.Context(), "grace", ""); !errors.Is(err, engine.ErrRecovering) || r.Lines != 0 || !r.Until.After(w.sim.Now()) {
		t.Errorf("%+v, %v", r, err)
	}
	r := w.finishRecovery()
	// The journal names the first; of the second a person has to say whose it is.
	if len(r.Findings) != 1 || r.Findings[0].Commitment.Service != aws.Redshift {
		t.Fatalf("findings %+v", r.Findings)
	}
	regained, err := w.db.RegainedItems(t.Context())
	if err != nil || len(regained) != 1 || regained[0].Commitment.Service != aws.RDS || !strings.Contains(regained[0].Entry, string(p.Lines[0].ID)) {
		t.Errorf("regained %+v, %v", regained, err)
	}
	if _, err := w.engine.Explain(t.Context(), "ri-unknown", true, "ada", "x"); !errors.Is(err, engine.ErrNoFinding) {
		t.Errorf("nothing was explained: %v", err)
	}
	if _, err := w.engine.Explain(t.Context(), r.Findings[0].Commitment.ID, true, "ada", "of the lost plan"); err != nil {
		t.Fatal(err)
	}
	if r := w.finishRecovery(); len(r.Findings) != 0 {
		t.Errorf("findings %+v", r.Findings)
	}
	in, err := w.db.Installation(t.Context())
	if err != nil || !in.Purchasing {
		t.Errorf("%+v, %v", in, err)
	}
	// The books are good: the same goods are bought again only by a new plan, where a
	// person has said that no other copy of the ledger buys.
	if err := w.engine.CheckOwners(t.Context(), []cloud.Lane{p.Lines[0].Spec.Lane()}); !errors.Is(err, engine.ErrRefused) {
		t.Errorf("the ledger of before may still buy: %v", err)
	}
	if err := w.engine.Adopt(t.Context(), cloud.AWS, accountA, "ada", "the old disk is gone"); err != nil {
		t.Fatal(err)
	}
	again := w.approved(draftOf(aws.RDS))
	w.work(again)
	if w.bound() != 3 {
		t.Errorf("%d sold\n%s", w.bound(), w.story(again))
	}
	w.check()
}

// TestARestoreInTheMiddleOfAPlan: some lines are known as bought, some are not, and
// something else was bought by somebody else in the lost time.
func TestARestoreInTheMiddleOfAPlan(t *testing.T) {
	w := newWorld(t, sim.Options{Visibility: time.Minute, Unthrottled: true}).guarded()
	first := w.approved(drafts(4)...)
	w.settle(first)
	second := w.approved(slices.Concat(drafts(3), []recommend.Draft{draftOf(aws.ElastiCache)})...)
	copied := w.backup()
	w.work(second)
	if w.bound() != 8 {
		t.Fatalf("%d sold", w.bound())
	}
	w.restore(copied)
	if c := w.compare(); !c.Begun || len(c.Lost) != 4 {
		t.Fatalf("%+v", c)
	}
	w.work(second)
	for _, l := range w.plan(second).Lines {
		if l.State != purchase.Purchased {
			t.Errorf("line %d is %s: %s", l.Number, l.State, l.Reason)
		}
	}
	w.finishRecovery()
	if w.bound() != 8 {
		t.Errorf("%d sold", w.bound())
	}
	w.check()
}

// TestNothingIsSentThatTheJournalDoesNotHave: the attempt ends as unsent.
func TestNothingIsSentThatTheJournalDoesNotHave(t *testing.T) {
	w := newWorld(t, sim.Options{Visibility: time.Minute, Unthrottled: true}).guarded()
	p := w.approved(draft(accountA, "us-east-1", "postgresql", "db.r6g.large", 1))
	path := w.engine.Guard.Journal.Path()
	if err := os.Rename(path, path+".away"); err != nil { // a volume that is gone
		t.Fatal(err)
	}
	w.run(p)
	row, err := w.db.Row(t.Context(), p.Lines[0].ID)
	if err != nil || len(row.Attempts) != 1 || row.Attempts[0].State != purchase.AttemptUnsent || w.spent() != 0 {
		t.Fatalf("%d requests, %v\n%s", w.spent(), err, w.story(p))
	}
	facts, err := w.db.Facts(t.Context(), row.Line.ID)
	if err != nil || !strings.Contains(facts[len(facts)-1].Detail, "nothing is sent that") {
		t.Errorf("%+v, %v", facts, err)
	}
	w.advance(time.Minute)
	w.run(p) // nothing is even armed
	if row, err := w.db.Row(t.Context(), p.Lines[0].ID); err != nil || len(row.Attempts) != 1 || !strings.Contains(row.Line.Reason, "nothing is sent that") {
		t.Errorf("%v\n%s", err, w.story(p))
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	w.advance(time.Minute)
	w.work(p)
	if l := w.plan(p).Lines[0]; l.State != purchase.Purchased || w.bound() != 1 {
		t.Errorf("%d sold\n%s", w.bound(), w.story(p))
	}
	if c := w.compare(); len(c.Back) > 0 || c.Refusal != nil {
		t.Errorf("%+v", c)
	}
	w.check()
}

// TestACopyOfALedgerBuysNothing: neither where another file is, nor in another
// environment, until a person says that it was moved.
func TestACopyOfALedgerBuysNothing(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"another file":        func(w *world) { w.file = "2" },
		"another environment": func(w *world) { w.environment = "staging" },
	} {
		w := newWorld(t, sim.Options{Visibility: time.Minute, Unthrottled: true})
		w.file, w.environment = "1", "production"
		w.guarded()
		p := w.approved(draft(accountA, "us-east-1", "postgresql", "db.r6g.large", 1))
		if _, err := w.engine.Moved(t.Context(), "ada", "x"); !errors.Is(err, engine.ErrNotMoved) {
			t.Errorf("%s: moved before it was: %v", name, err)
		}
		change(w) // under the running process
		w.run(p)
		row, err := w.db.Row(t.Context(), p.Lines[0].ID)
		if err != nil || len(row.Attempts) != 0 || !strings.Contains(row.Line.Reason, "nothing is bought from a copy") {
			t.Errorf("%s: %v\n%s", name, err, w.story(p))
		}
		if c := w.compare(); !errors.Is(c.Refusal, engine.ErrRefused) || c.Begun {
			t.Errorf("%s: %+v", name, c)
		}
		if _, err := w.engine.Moved(t.Context(), "ada", "new disk"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		w.advance(time.Minute)
		w.work(p)
		if l := w.plan(p).Lines[0]; l.State != purchase.Purchased {
			t.Errorf("%s:\n%s", name, w.story(p))
		}
		w.check()
	}
}

// TestARecoveryCanBeBegunByHand: of a ledger that no mark gives away.
func TestARecoveryCanBeBegunByHand(t *testing.T) {
	w := newWorld(t, sim.Options{Visibility: time.Minute, Unthrottled: true}).guarded()
	p := w.approved(draft(accountA, "us-east-1", "postgresql", "db.r6g.large", 1))
	before, err := w.db.StoredMarks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	backup := w.sim.Now().Add(-time.Hour)
	if err := w.engine.BeginRecovery(t.Context(), backup, "ada", "restored yesterday"); err != nil {
		t.Fatal(err)
	}
	after, err := w.db.StoredMarks(t.Context())
	if err != nil || after[store.MarkHolder] == before[store.MarkHolder] {
		t.Errorf("the holder is still %s, %v", after[store.MarkHolder], err)
	}
	w.work(p)
	if l := w.plan(p).Lines[0]; l.State != purchase.Canceled || w.spent() != 0 {
		t.Errorf("%d requests\n%s", w.spent(), w.story(p))
	}
	w.finishRecovery()
	events, err := w.db.RecoveryEvents(t.Context())
	if err != nil || len(events) != 2 || events[0].By != "ada" || events[1].Kind != "finished" {
		t.Errorf("events %+v, %v", events, err)
	}
	if c := w.compare(); len(c.Back) > 0 || c.Refusal != nil {
		t.Errorf("%+v", c)
	}
	w.check()
}

// Claimer makes the accounts of the simulator keep marks.
func (s *simulated) Claimer(p cloud.Provider, a cloud.Account) (driver.Claimer, error) {
	if p != cloud.AWS {
		return nil, nil
	}
	return aws.NewClaims(aws.Config{Account: a, Region: "eu-west-1", Endpoint: s.url, Now: s.now, Credentials: aws.StaticKeys(string(a), "test")})
}

// second is another installation on the same clouds.
func (w *world) second(install string) *world {
	w.t.Helper()
	other := &world{t: w.t, sim: w.sim, url: w.url}
	var err error
	if other.db, err = store.Create(w.t.Context(), filepath.Join(w.t.TempDir(), "other.db"), install, w.sim.Now()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := other.db.Close(); err != nil {
			w.t.Error(err)
		}
	})
	other.engine, other.clouds = other.newEngine(other.db)
	return other.guarded()
}

func (w *world) refused(p *purchase.Plan, says string) {
	w.t.Helper()
	spent := w.spent()
	w.run(p)
	for _, l := range w.plan(p).Lines {
		if l.State != purchase.Ready || l.Armed != 0 || !strings.Contains(l.Reason, says) {
			w.t.Errorf("%s after %d attempts: %s", l.State, l.Armed, l.Reason)
		}
	}
	if w.spent() != spent {
		w.t.Errorf("%d requests were sent", w.spent()-spent)
	}
}

// TestAnAccountHasOneBuyer: a second installation buys nothing until a person takes
// the account over, and then the first one buys nothing.
func TestAnAccountHasOneBuyer(t *testing.T) {
	one := newWorld(t, sim.Options{Visibility: time.Minute, Unthrottled: true}).guarded()
	two := one.second("two2")
	here := func(class string) recommend.Draft { return draft(accountA, "us-east-1", "mysql", class, 1) }
	p := one.approved(here("db.m6g.large"))
	one.work(p)
	if err := two.engine.CheckOwners(t.Context(), []cloud.Lane{p.Lines[0].Spec.Lane()}); !errors.Is(err, engine.ErrRefused) {
		t.Errorf("%v", err)
	}
	q := two.approved(here("db.r6g.large"))
	two.refused(q, "account 111122223333 belongs to the installation test since ")
	elsewhere := two.approved(draft(accountB, "eu-west-1", "mysql", "db.m6g.large", 1))
	two.work(elsewhere)
	if l := two.plan(elsewhere).Lines[0]; l.State != purchase.Purchased {
		t.Errorf("where nobody buys: %s", two.story(elsewhere))
	}
	if err := two.engine.Adopt(t.Context(), cloud.AWS, accountA, "ada", "the first one is gone"); err != nil {
		t.Fatal(err)
	}
	again := one.approved(here("db.r6g.xlarge"))
	one.engine.Guard = nil // a new process has asked nobody
	one.restarted()
	one.refused(again, "account 111122223333 belongs to the installation two2 since ")
	// The plan of the second one was made before the first one bought: it is priced anew.
	r := two.approved(here("db.m6g.xlarge"))
	two.work(r)
	if l := two.plan(r).Lines[0]; l.State != purchase.Purchased {
		t.Errorf("taken over: %s", two.story(r))
	}
	events, err := two.db.RecoveryEvents(t.Context())
	if err != nil || len(events) != 1 || events[0].Kind != "adopted" || !strings.Contains(events[0].Detail, "from installation test") {
		t.Errorf("%+v, %v", events, err)
	}
}

// restarted is a new process on the ledger, which remembers nothing and finds an empty
// copy of its journal.
func (w *world) restarted() {
	w.t.Helper()
	marks, err := w.db.StoredMarks(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	id := "01JOURNAL"
	for name := range marks {
		if known, ok := strings.CutPrefix(string(name), "journal/"); ok {
			id = known
		}
	}
	path := filepath.Join(w.t.TempDir(), "again.journal")
	j, err := journal.Create(path, id, "test")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.guard(path)
}

// TestACopyThatRecoveredBuysNothingWhereTheLedgerBuys: the recovery of a copy gives it
// another holder, and the account is the ledger's.
func TestACopyThatRecoveredBuysNothingWhereTheLedgerBuys(t *testing.T) {
	w := newWorld(t, sim.Options{Visibility: time.Minute, Unthrottled: true}).guarded()
	first := w.approved(draft(accountA, "us-east-1", "postgresql", "db.r6g.large", 1))
	w.work(first)
	copied := w.backup()
	clone := &world{t: t, sim: w.sim, url: w.url, file: "clone"}
	clone.engine, clone.clouds = clone.newEngine(nil)
	clone.reopen(copied)
	t.Cleanup(func() { _ = clone.db.Close() })
	clone.restarted()
	if c := clone.compare(); c.Refusal != nil { // no mark gives this one away
		t.Fatalf("%+v", c)
	}
	if err := clone.engine.BeginRecovery(t.Context(), time.Time{}, "ada", "staging"); err != nil {
		t.Fatal(err)
	}
	clone.advance(time.Hour)
	clone.finishRecovery()
	clone.refused(clone.approved(draft(accountA, "us-east-1", "mysql", "db.m6g.large", 1)), "belongs to another copy of this ledger since ")
	p := w.approved(draft(accountA, "us-east-1", "mysql", "db.m6g.large", 1))
	w.work(p)
	if l := w.plan(p).Lines[0]; l.State != purchase.Purchased {
		t.Errorf("the ledger itself: %s", w.story(p))
	}
}

// TestAnAccountMayDenyMarks: they are missing then, and buying goes on; an account that
// cannot be asked is waited for.
func TestAnAccountMayDenyMarks(t *testing.T) {
	w := newWorld(t, sim.Options{Visibility: time.Minute, Unthrottled: true}).guarded()
	w.fault(sim.Fault{Kind: sim.DenyAction, Service: "ssm", Operation: "GetParameter", Times: -1})
	p := w.approved(draft(accountA, "us-east-1", "postgresql", "db.r6g.large", 1))
	w.work(p)
	if l := w.plan(p).Lines[0]; l.State != purchase.Purchased {
		t.Errorf("denied: %s", w.story(p))
	}
	if o, err := w.engine.Owner(t.Context(), cloud.AWS, accountA, true); err != nil || !o.Denied || o.Refusal != nil {
		t.Errorf("%+v, %v", o, err)
	}
	if err := w.sim.ClearFaults(); err != nil {
		t.Fatal(err)
	}
	w.fault(sim.Fault{Kind: sim.ErrorBefore, Service: "ssm", Operation: "GetParameter", Times: 3, Status: 500})
	if _, err := w.engine.Owner(t.Context(), cloud.AWS, accountA, true); err == nil {
		t.Error("who buys there is known though it could not be asked")
	}
}

// TestAGenerationIsClaimedInTheAccount: a copy that no mark gives away sends nothing of
// what the ledger has claimed, and the ledger repeats what it may.
func TestAGenerationIsClaimedInTheAccount(t *testing.T) {
	w := newWorld(t, sim.Options{Visibility: time.Minute, Unthrottled: true}).guarded()
	w.engine.Guard.Claims = true
	w.fault(sim.Fault{Kind: sim.LoseRequest})
	p := w.approved(draft(accountA, "us-east-1", "postgresql", "db.r6g.large", 1))
	w.work(p)
	if l := w.plan(p).Lines[0]; l.State != purchase.Purchased || l.Armed != 2 {
		t.Errorf("%d attempts\n%s", l.Armed, w.story(p))
	}
	q := w.approved(draft(accountA, "us-east-1", "mysql", "db.m6g.large", 1))
	claims, err := w.clouds.Claimer(cloud.AWS, accountA)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claims.Claim(t.Context(), "claims/"+string(q.Lines[0].ID)+"-1", "another holder"); err != nil {
		t.Fatal(err)
	}
	spent := w.spent()
	w.run(q)
	row, err := w.db.Row(t.Context(), q.Lines[0].ID)
	if err != nil || w.spent() != spent || row.Attempts[0].State != purchase.AttemptUnsent {
		t.Errorf("%d requests, %v\n%s", w.spent()-spent, err, w.story(q))
	}
	facts, err := w.db.Facts(t.Context(), q.Lines[0].ID)
	if err != nil || !strings.Contains(facts[len(facts)-1].Detail, "has claimed generation 1 of line") {
		t.Errorf("%+v, %v", facts, err)
	}
}

// TestEveryHostOfASharedLedgerHasItsJournal: another journal is no alarm there, and one
// that the ledger forgot is compared from its beginning.
func TestEveryHostOfASharedLedgerHasItsJournal(t *testing.T) {
	w := newWorld(t, sim.Options{Visibility: time.Minute, Unthrottled: true}).guarded()
	path := filepath.Join(t.TempDir(), "second.journal")
	j, err := journal.Create(path, "01SECOND", "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Append(t.Context(), journal.Record{At: w.sim.Now(), Line: "01LOST", N: 1, Request: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	w.guard(path)
	if c := w.compare(); c.Refusal == nil || len(c.Back) > 0 || !strings.Contains(c.Refusal.Error(), "not the journal that this ledger has written") {
		t.Errorf("of one host: %+v", c)
	}
	w.engine.Guard.Shared = true
	if c := w.compare(); !c.Begun || len(c.Lost) != 1 {
		t.Errorf("of several: %+v", c)
	}
	if c := w.compare(); len(c.Back) > 0 {
		t.Errorf("twice: %+v", c)
	}
}
