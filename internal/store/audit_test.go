package store

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

var laneA = cloud.Lane{Provider: cloud.AWS, Account: "111122223333", Region: "eu-west-1", Service: "rds"}

// thing is a commitment of somebody in laneA.
func thing(id string) cloud.Commitment {
	return cloud.Commitment{
		Lane: laneA, ID: id, OfferingID: "649fd0c8", Attributes: cloud.Attributes{"engine": "mysql"}, Term: cloud.OneYear,
		Payment: cloud.NoUpfront, Quantity: 1, Upfront: usd("0"), Hourly: usd("1"), State: cloud.Active, Start: t0.Add(-time.Hour),
	}
}

func listed(at time.Time, items ...cloud.Commitment) LaneListing {
	return LaneListing{Lane: laneA, At: at, Items: items}
}

// lanes is a ledger with a row in every table of the audit: a plan with its lane,
// an imported item, line 0 bought, followed and found missing.
func lanes(t *testing.T, on database) (*engine, *DB, *purchase.Plan) {
	t.Helper()
	e := on.open(t)
	db := e.ledger.(*DB)
	e.ok(db.Import(t.Context(), listed(t0, thing("Before-1"), thing("before-2"))))
	p := newPlan(t, 1, 3)
	e.ok(db.SavePlan(t.Context(), p, listed(t0, thing("before-2"), thing("Before-1"))))
	e.ok(db.Decide(t.Context(), yes(p), t0.Add(2*time.Hour)))
	a := e.armed(p.Lines[0].ID, t0, "nonce-1")
	e.apply(e.step(p.Lines[0].ID, answer(a, cloud.Bought), t0), t0)
	e.record(Audited{
		Lane: laneA, At: t0.Add(15 * time.Minute), Looked: []purchase.LineID{p.Lines[0].ID},
		Facts:    []Fact{{Line: p.Lines[0].ID, At: t0.Add(15 * time.Minute), Kind: FactMissing, Detail: "gone", Commitment: commitment(a)}},
		Findings: []Finding{{Kind: FindingMissing, Line: p.Lines[0].ID, Detail: "gone", Commitment: commitment(a)}},
	})
	return e, db, p
}

func (e *engine) record(a Audited) (news []Fact, closed []Finding) {
	e.t.Helper()
	if a.Settled == nil {
		a.Settled = func(Finding) bool { return true }
	}
	news, closed, err := e.ledger.(*DB).RecordAudit(e.t.Context(), a)
	e.ok(err)
	return news, closed
}

func (e *engine) findings() []Finding {
	e.t.Helper()
	list, err := e.ledger.(*DB).Findings(e.t.Context())
	e.ok(err)
	return list
}

func TestALaneIsImportedOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e := on.open(t)
		db := e.ledger.(*DB)
		p := e.approve(1, 2)
		a := e.armed(p.Lines[0].ID, t0, "nonce-1")
		e.apply(e.step(p.Lines[0].ID, answer(a, cloud.Bought), t0), t0)
		open := e.armed(p.Lines[1].ID, t0, "nonce-2")
		upper := thing("BU-K7F2-01KNOBODY-1") // one of our names, of no line of this ledger
		e.ok(db.Import(t.Context(), listed(t0, thing("Before-1"), commitment(a), commitment(open), upper, thing("before-1"))))
		// The second listing changes nothing.
		e.ok(db.Import(t.Context(), listed(t0.Add(time.Hour), thing("later"))))
		b, err := db.Books(t.Context(), laneA)
		e.ok(err)
		if diff := cmp.Diff(map[string]bool{"before-1": true}, b.Imported); diff != "" {
			t.Errorf("imported (-want +got):\n%s", diff)
		}
		var n int
		if e.ok(db.reader.QueryRowContext(t.Context(), "SELECT count(*) FROM imported_item").Scan(&n)); n != 1 {
			t.Errorf("%d items were imported", n)
		}
		l, err := db.Lane(t.Context(), laneA)
		e.ok(err)
		if diff := cmp.Diff(Lane{Lane: laneA, ImportedAt: t0}, l); diff != "" {
			t.Errorf("lane (-want +got):\n%s", diff)
		}
		if len(b.Receipts) != 1 || len(b.Open) != 1 || b.Lines[p.Lines[0].ID] != purchase.Purchased || b.Install != "k7f2" {
			t.Errorf("books %+v", b)
		}
	})
}

// TestOpenPurchasesAreNotImported: what may be the work of an open attempt was
// not there before us.
func TestOpenPurchasesAreNotImported(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		for _, class := range []cloud.Class{cloud.ClassNone, cloud.ClassQueued} {
			e := on.open(t)
			db := e.ledger.(*DB)
			p := newPlan(t, 1, 1)
			p.Lines[0].Class = class
			e.ok(p.Freeze())
			e.ok(e.SavePlan(t.Context(), p))
			e.ok(e.Decide(t.Context(), yes(p), t0.Add(2*time.Hour)))
			a := e.armed(p.Lines[0].ID, t0, "nonce-1")
			made := thing("ri-1")
			if made.Start = t0; class == cloud.ClassQueued {
				made.Start = a.FireAt
			}
			e.ok(db.Import(t.Context(), listed(t0, made, thing("before"))))
			if b, err := db.Books(t.Context(), laneA); err != nil || len(b.Imported) != 1 || !b.Imported["before"] {
				t.Errorf("class %s: imported %v, %v", class, b.Imported, err)
			}
		}
	})
}

func TestAnEmptyLaneIsImportedToo(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e := on.open(t)
		db := e.ledger.(*DB)
		e.ok(db.Import(t.Context(), listed(t0)))
		e.ok(db.Import(t.Context(), listed(t0.Add(time.Hour), thing("later"))))
		if b, err := db.Books(t.Context(), laneA); err != nil || len(b.Imported) != 0 {
			t.Errorf("imported %v, %v", b.Imported, err)
		}
	})
}

// TestBooksOfPurchasesWithoutNames: what an order's second or a lane's before
// image says about a commitment.
func TestBooksOfPurchasesWithoutNames(t *testing.T) {
	fire := t0.Add(2 * time.Hour)
	b := Books{
		Install: "k7f2",
		Open: []purchase.Attempt{
			{Line: "Q", FireAt: fire, Intent: purchase.Intent{Identity: "bu-q"}},
			{Line: "H", Handle: "op-1", Intent: purchase.Intent{Identity: "bu-h"}},
			{Line: "C", ArmedAt: t0, Before: []string{"old"}, Intent: purchase.Intent{Identity: "bu-c"}},
		},
		Class: map[purchase.LineID]cloud.Class{"Q": cloud.ClassQueued, "H": cloud.ClassHandle, "C": cloud.ClassNone},
	}
	at := func(id string, start time.Time, state cloud.CommitmentState) cloud.Commitment {
		c := thing(id)
		c.Start, c.State = start, state
		return c
	}
	for _, tc := range []struct {
		c         cloud.Commitment
		made, may purchase.LineID
	}{
		{at("x", fire, cloud.Queued), "Q", "C"},
		{at("op-1", t0.Add(-time.Hour), cloud.Active), "H", ""},
		{at("x", t0.Add(-59*time.Second), cloud.Pending), "", "C"},
		{at("x", t0.Add(-61*time.Second), cloud.Pending), "", ""}, // before it was armed
		{at("old", t0, cloud.Pending), "", ""},
		{at("x", t0, cloud.Failed), "", ""},
	} {
		made, _ := b.Made(tc.c)
		may, _ := b.May(tc.c)
		if made != tc.made || may != tc.may {
			t.Errorf("%s at %s: made by %q, may be of %q", tc.c.ID, tc.c.Start, made, may)
		}
	}
	named := thing("ri-123")
	named.Name = "bu-k7f2-01kline-2"
	if line, ok := b.Named(named); !ok || line != "01KLINE" {
		t.Errorf("%q, %t", line, ok)
	}
	if _, ok := b.Named(thing("bu-else-01kline-2")); ok {
		t.Error("took another installation's name for ours")
	}
}

func TestTheBaseOfAPlan(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, db, p := lanes(t, on)
		got, err := db.Base(t.Context(), p.ID, laneA)
		e.ok(err)
		if diff := cmp.Diff(map[string]bool{"before-1": true, "before-2": true}, got); diff != "" {
			t.Errorf("base (-want +got):\n%s", diff)
		}
		other := laneA
		other.Region = "us-east-1"
		if _, err := db.Base(t.Context(), p.ID, other); err == nil {
			t.Error("a lane that was not listed has a base")
		}
		// A plan is saved with its lanes or not at all.
		q := newPlan(t, 2, 1)
		if err := db.SavePlan(t.Context(), q, listed(t0), listed(t0)); err == nil {
			t.Error("a lane was stored twice")
		}
		if _, err := db.Plan(t.Context(), string(q.ID)); err == nil {
			t.Error("the plan was saved without its lanes")
		}
	})
}

func TestWatches(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		for _, tc := range []struct{ after, next time.Duration }{
			{0, 15 * time.Minute},
			{14 * time.Minute, 15 * time.Minute},
			{15 * time.Minute, 2 * time.Hour},
			{3 * time.Hour, 24 * time.Hour},
			{24 * time.Hour, 48 * time.Hour},
			{47 * time.Hour, 48 * time.Hour},
			{100 * time.Hour, 120 * time.Hour},
		} {
			if got := nextWatch(t0, t0.Add(tc.after)).Sub(t0); got != tc.next {
				t.Errorf("after %s: %s, want %s", tc.after, got, tc.next)
			}
		}
		_, db, p := lanes(t, on)
		watches, err := db.Watches(t.Context())
		want := []Watch{{Line: p.Lines[0].ID, Lane: laneA, NextAt: t0.Add(2 * time.Hour), Stage: 1, State: FactMissing}}
		if diff := cmp.Diff(want, watches); diff != "" || err != nil {
			t.Errorf("watches (-want +got):\n%s%v", diff, err)
		}
	})
}

func TestAuditsAreRecorded(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, db, p := lanes(t, on)
		line := p.Lines[0].ID
		later := func(d time.Duration) time.Time { return t0.Add(15*time.Minute + d) }
		missing := e.findings()
		if len(missing) != 1 || missing[0].Kind != FindingMissing || missing[0].Line != line || !missing[0].FirstSeen.Equal(later(0)) {
			t.Fatalf("findings %+v", missing)
		}
		seen := Audited{
			Lane: laneA, At: later(time.Hour), Looked: []purchase.LineID{line},
			Facts: []Fact{{Line: line, At: later(time.Hour), Kind: FactMissing, Detail: "gone", Commitment: missing[0].Commitment}},
			Findings: []Finding{
				{Kind: FindingMissing, Line: line, Detail: "still gone", Commitment: missing[0].Commitment},
				{Kind: FindingUnexplained, Detail: "whose", Commitment: thing("stray")},
			},
		}
		if news, closed := e.record(seen); len(news)+len(closed) != 0 {
			t.Errorf("new facts %v, closed %v", news, closed)
		}
		got := e.findings()
		if len(got) != 2 || got[0].ID != missing[0].ID || got[0].Detail != "still gone" || !got[0].LastSeen.Equal(later(time.Hour)) || !got[0].FirstSeen.Equal(later(0)) {
			t.Errorf("findings %+v", got)
		}
		if diff := cmp.Diff(thing("stray"), got[1].Commitment); diff != "" {
			t.Errorf("what is known (-want +got):\n%s", diff)
		}

		// An older listing says nothing.
		stale := Audited{Lane: laneA, At: later(time.Minute), Looked: []purchase.LineID{line}, Facts: []Fact{{Line: line, At: later(time.Minute), Kind: FactActive}}}
		if news, closed := e.record(stale); len(news)+len(closed) != 0 || len(e.findings()) != 2 {
			t.Errorf("an older listing: %v, %v", news, closed)
		}

		// What Settled does not release stays open.
		now := Audited{
			Lane: laneA, At: later(2 * time.Hour), Looked: []purchase.LineID{line},
			Facts:   []Fact{{Line: line, At: later(2 * time.Hour), Kind: FactRetired, Detail: "over", Commitment: missing[0].Commitment}},
			Settled: func(f Finding) bool { return f.Kind == FindingMissing },
		}
		news, closed := e.record(now)
		if len(news) != 1 || len(closed) != 1 || closed[0].ID != missing[0].ID || !closed[0].ClosedAt.Equal(now.At) {
			t.Errorf("new facts %v, closed %v", news, closed)
		}
		if got := e.findings(); len(got) != 1 || got[0].Kind != FindingUnexplained {
			t.Errorf("findings %+v", got)
		}
		facts, err := db.AuditFacts(t.Context(), line)
		e.ok(err)
		if len(facts) != 2 || facts[0].Kind != FactMissing || facts[1].Kind != FactRetired {
			t.Errorf("facts %+v", facts)
		}
		if diff := cmp.Diff(now.Facts[0], facts[1]); diff != "" {
			t.Errorf("fact (-recorded +read):\n%s", diff)
		}
		watches, err := db.Watches(t.Context())
		if e.ok(err); !watches[0].NextAt.IsZero() || watches[0].State != FactRetired || watches[0].Stage != 3 {
			t.Errorf("watch %+v", watches[0])
		}
		// It comes back: a new finding, and what was closed stays closed.
		seen.At = later(3 * time.Hour)
		e.record(seen)
		if got := e.findings(); len(got) != 2 || got[0].ID == missing[0].ID && got[1].ID == missing[0].ID {
			t.Errorf("findings %+v", got)
		}
	})
}

// TestAnAuditIsRecordedWhole: a line that is not watched undoes all of it.
func TestAnAuditIsRecordedWhole(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, db, p := lanes(t, on)
		_, _, err := db.RecordAudit(t.Context(), Audited{
			Lane: laneA, At: t0.Add(time.Hour), Looked: []purchase.LineID{p.Lines[0].ID, p.Lines[1].ID},
			Facts:   []Fact{{Line: p.Lines[0].ID, At: t0.Add(time.Hour), Kind: FactActive}},
			Settled: func(Finding) bool { return true },
		})
		if err == nil {
			t.Error("a line without a receipt was audited")
		}
		facts, err := db.AuditFacts(t.Context(), p.Lines[0].ID)
		e.ok(err)
		if l, err := db.Lane(t.Context(), laneA); len(facts) != 1 || len(e.findings()) != 1 || !l.AuditedAt.Equal(t0.Add(15*time.Minute)) {
			t.Errorf("half of it stayed: %v, %+v, %v", facts, l, err)
		}
	})
}

func TestExclusiveLanes(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e := on.open(t)
		db := e.ledger.(*DB)
		p := newPlan(t, 1, 2)
		p.Lines[0].Class = cloud.ClassNone
		e.ok(p.Freeze())
		e.ok(db.SavePlan(t.Context(), p))
		exclusive := func() bool {
			if e.row(p.Lines[1].ID).Exclusive {
				t.Error("a line that has a name asks for an exclusive lane")
			}
			return e.row(p.Lines[0].ID).Exclusive
		}
		day := 24 * time.Hour
		expect := func(want bool, when string) {
			t.Helper()
			if exclusive() != want {
				t.Errorf("%s: exclusive is %t", when, !want)
			}
		}
		expect(false, "an unknown lane")
		e.ok(db.Import(t.Context(), listed(t0)))
		e.record(Audited{Lane: laneA, At: t0})
		expect(false, "not declared")
		e.ok(db.DeclareExclusive(t.Context(), []cloud.Lane{laneA}))
		expect(true, "declared and audited")
		stray := []Finding{{Kind: FindingUnexplained, Commitment: thing("stray")}}
		e.record(Audited{Lane: laneA, At: t0.Add(day), Findings: stray})
		expect(false, "something is unexplained")
		e.record(Audited{Lane: laneA, At: t0.Add(2 * day)})
		expect(false, "it was a moment ago")
		e.record(Audited{Lane: laneA, At: t0.Add(31 * day)})
		expect(false, "29 days later")
		e.record(Audited{Lane: laneA, At: t0.Add(32*day + time.Second)})
		expect(true, "more than 30 days later")
		e.record(Audited{Lane: laneA, At: t0.Add(33 * day), Findings: []Finding{{Kind: FindingMissing, Commitment: thing("ours")}}})
		expect(true, "what is missing was not bought by others")
		e.ok(db.DeclareExclusive(t.Context(), nil))
		expect(false, "not declared any more")

		other := laneA
		other.Region = "us-east-1"
		e.ok(db.DeclareExclusive(t.Context(), []cloud.Lane{other, laneA}))
		e.ok(db.DeclareExclusive(t.Context(), []cloud.Lane{laneA}))
		got, err := db.Lanes(t.Context())
		e.ok(err)
		if len(got) != 2 || !got[0].Exclusive || got[1].Exclusive || !got[1].ImportedAt.IsZero() {
			t.Errorf("lanes %+v", got)
		}
	})
}

// TestNeverAuditedIsNotExclusive: what nobody looked at is not calm.
func TestNeverAuditedIsNotExclusive(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e := on.open(t)
		db := e.ledger.(*DB)
		p := newPlan(t, 1, 1)
		p.Lines[0].Class = cloud.ClassNone
		e.ok(p.Freeze())
		e.ok(db.SavePlan(t.Context(), p))
		e.ok(db.DeclareExclusive(t.Context(), []cloud.Lane{laneA}))
		if e.row(p.Lines[0].ID).Exclusive {
			t.Error("exclusive without any audit")
		}
	})
}

// TestARowKnowsWhatIsExplained: for a line without a name, what was imported is
// explained as a receipt is.
func TestARowKnowsWhatIsExplained(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, db, p := lanes(t, on)
		q := newPlan(t, 2, 1)
		q.Lines[0].Class = cloud.ClassNone
		e.ok(q.Freeze())
		e.ok(db.SavePlan(t.Context(), q))
		want := []string{"Before-1", "before-2", purchase.Identity("k7f2", p.Lines[0].ID, 1)}
		got := e.row(q.Lines[0].ID).Explained
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("explained (-want +got):\n%s", diff)
		}
	})
}

func TestTheDatabaseKeepsTheBooks(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, db, p := lanes(t, on)
		e.record(Audited{Lane: laneA, At: t0.Add(time.Hour)}) // closes the finding
		e.record(Audited{Lane: laneA, At: t0.Add(2 * time.Hour), Findings: []Finding{{Kind: FindingUnexplained, Commitment: thing("stray")}}})
		tables := []string{"lane", "imported_item", "plan_lane", "watch", "fact", "finding"}
		dump := func() (all []string) {
			for _, table := range tables {
				var text string
				query := fmt.Sprintf("SELECT count(*) || coalesce(string_agg(whole, ';' ORDER BY whole), '') FROM (SELECT %s AS whole FROM %s) all_rows", concat(t, db, table), table)
				e.ok(db.reader.QueryRowContext(t.Context(), query).Scan(&text))
				all = append(all, text)
			}
			return all
		}
		before := dump()
		same := func(query string) {
			t.Helper()
			if diff := cmp.Diff(before, dump()); diff != "" {
				t.Fatalf("%s (-before +after):\n%s", query, diff)
			}
		}
		refuses := func(query string, args ...any) {
			t.Helper()
			if err := e.exec(query, args...); !e.refusal(err) {
				t.Errorf("the database took: %s: %v", query, err)
			}
			same(query)
		}
		for _, table := range tables {
			refuses("DELETE FROM " + table)
			refuses("INSERT OR REPLACE INTO " + table + " SELECT * FROM " + table)
		}
		free := map[string][]string{
			"lane":    {"imported_at", "audited_at", "exclusive"},
			"watch":   {"next_at", "stage", "state"},
			"finding": {"detail", "commitment", "line_id", "last_seen", "closed_at"},
		}
		for _, table := range tables {
			for _, column := range names(t, db, table) {
				if !slices.Contains(free[table], column) {
					refuses(fmt.Sprintf("UPDATE %s SET %s = '9' WHERE rowid = (SELECT max(rowid) FROM %s)", table, column, table))
				}
			}
		}
		refuses("UPDATE lane SET imported_at = imported_at + 1")
		refuses("UPDATE lane SET imported_at = 0")
		refuses("UPDATE lane SET audited_at = audited_at - 1")
		refuses("UPDATE lane SET exclusive = 2")
		refuses("UPDATE watch SET stage = stage - 1")
		refuses("UPDATE watch SET next_at = -1")
		refuses("UPDATE finding SET detail = 'x' WHERE closed_at > 0")
		refuses("UPDATE finding SET closed_at = 0 WHERE closed_at > 0")
		refuses("UPDATE finding SET last_seen = first_seen - 1 WHERE closed_at = 0")

		const imported = "INSERT INTO imported_item SELECT provider, account, region, service, $1, commitment, at + $2 FROM imported_item LIMIT 1"
		refuses(imported, "later", 1)
		refuses(imported, purchase.Identity("K7F2", p.Lines[0].ID, 1), 0)
		const base = "INSERT INTO plan_lane SELECT plan_id, provider, account, 'us-east-1', service, ids, listed_at FROM plan_lane LIMIT 1"
		refuses(base) // the plan is approved
		refuses("INSERT INTO watch VALUES ($1, 1, 0, '')", p.Lines[1].ID)
		refuses("INSERT INTO fact VALUES ('01F', $1, 1, 'active', '', '{}')", p.Lines[1].ID)
		refuses("INSERT INTO fact VALUES ('01F', $1, 1, 'perhaps', '', '{}')", p.Lines[0].ID)
		const finding = "INSERT INTO finding SELECT $1, provider, account, region, service, commitment_id, $2, line_id, detail, commitment, first_seen, last_seen, 0 FROM finding WHERE closed_at = 0"
		refuses(finding, "01F", "unexplained")
		refuses(finding, "01F", "strange")
		e.ok(e.exec(finding, "01F", "differs"))
	})
}

// concat is an expression of all columns of a table.
func concat(t *testing.T, db *DB, table string) string {
	expr := "''"
	for _, c := range names(t, db, table) {
		expr += " || ',' || " + c
	}
	return expr
}

func names(t *testing.T, db *DB, table string) []string {
	t.Helper()
	return slices.Sorted(maps.Keys(columnsOf(t, db, table)))
}

func TestTheBooksAreChecked(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, db, p := lanes(t, on)
		problems := func() (all [2][]string) {
			found, err := db.CheckAudit(t.Context())
			e.ok(err)
			for i, f := range found {
				if f.Checked == 0 {
					t.Errorf("%s looked at nothing", f.Name)
				}
				all[i] = f.Problems
			}
			return all
		}
		if got := problems(); len(got[0])+len(got[1]) != 0 {
			t.Errorf("problems %v", got)
		}
		for _, guard := range []string{"watch_no_delete", "imported_item_first_listing"} {
			e.ok(e.exec("DROP TRIGGER " + guard))
		}
		const imported = "INSERT INTO imported_item SELECT provider, account, region, service, $1, commitment, at FROM imported_item LIMIT 1"
		e.ok(e.exec(imported, purchase.Identity("K7F2", p.Lines[0].ID, 1)))
		e.ok(e.exec(imported, "bu-k7f2-01knobody-1"))
		e.ok(e.exec("UPDATE watch SET next_at = 0"))
		if got := problems(); len(got[0]) != 1 || len(got[1]) != 2 {
			t.Errorf("problems %v", got)
		}
		e.ok(e.exec("DELETE FROM watch"))
		if got := problems(); len(got[0]) != 1 {
			t.Errorf("problems %v", got)
		}
	})
}
