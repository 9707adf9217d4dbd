package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

// full is a ledger with a row in every table: line 0 bought, line 1 armed.
func full(t *testing.T, on database) (*engine, *purchase.Plan) {
	t.Helper()
	e := on.open(t)
	p := e.approve(1, 3)
	now := t0.Add(time.Second)
	a := e.armed(p.Lines[0].ID, t0, "nonce-1")
	e.apply(e.step(p.Lines[0].ID, answer(a, cloud.Bought), now), now)
	e.armed(p.Lines[1].ID, t0, "nonce-2")
	e.ok(e.SetPurchasing(t.Context(), Stop{By: "ana", At: t0}))
	e.ok(e.SetPurchasing(t.Context(), Stop{Purchasing: true, By: "ana", At: t0.Add(time.Second)}))
	e.ok(e.DeclareForeign(t.Context(), Foreign{Lane: p.Lines[0].Spec.Lane(), Commitment: "theirs", By: "ana", At: t0}))
	e.ok(e.Regain(t.Context(), Regained{Commitment: thing("ours"), By: ByMark, At: t0}))
	e.ok(e.SetMarks(t.Context(), nil, &RecoveryEvent{Kind: "moved", By: "ana", At: t0}, t0))
	return e, p
}

// refuses runs a statement that the database must refuse, and leaves no trace.
func (e *engine) refuses(query string, args ...any) {
	e.t.Helper()
	before := e.everything()
	if err := e.exec(query, args...); !e.refusal(err) {
		e.t.Errorf("the database took: %s %v: %v", query, args, err)
	}
	e.unchanged(before)
}

// harmless runs a statement that the database may refuse or ignore.
func (e *engine) harmless(query string) {
	e.t.Helper()
	before := e.everything()
	_ = e.exec(query)
	e.unchanged(before)
}

func TestTheTableOfTransitionsIsTheOneOfTheCode(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		db := create(t, on.place(t))
		rows, err := db.reader.QueryContext(t.Context(), "SELECT from_state || ' ' || to_state FROM transition ORDER BY 1")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var got []string
		for rows.Next() {
			var move string
			if err := rows.Scan(&move); err != nil {
				t.Fatal(err)
			}
			got = append(got, move)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(moves(), got); diff != "" {
			t.Errorf("moves (-code +database):\n%s", diff)
		}
	})
}

// moves lists the moves of the code's table, sorted.
func moves() []string {
	var all []string
	for _, m := range purchase.Transitions {
		if m.From != m.To {
			all = append(all, string(m.From)+" "+string(m.To))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestTheDatabaseRefusesEveryOtherMove(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e := on.open(t)
		p := e.save(1, len(purchase.States))
		// The guard is taken away to bring lines into all states, and put back.
		trigger := e.dropTrigger("line_transition")
		e.dropTrigger("line_opens_with_hold")
		for i, s := range purchase.States {
			e.ok(e.exec("UPDATE line SET state = $1, must_leave_by = 1 WHERE id = $2", s, p.Lines[i].ID))
		}
		e.ok(e.exec(trigger))
		legal := moves()
		refused := 0
		for i, from := range purchase.States {
			for _, to := range purchase.States {
				if from == to || slices.Contains(legal, string(from)+" "+string(to)) {
					continue
				}
				e.refuses("UPDATE line SET state = $1 WHERE id = $2", to, p.Lines[i].ID)
				refused++
			}
		}
		if n := len(purchase.States); refused != n*(n-1)-len(legal) {
			t.Errorf("%d moves were tried", refused)
		}
		e.refuses("UPDATE line SET state = 'limbo' WHERE id = $1", p.Lines[0].ID)
	})
}

func TestTheDatabaseKeepsEveryRow(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, _ := full(t, on)
		for _, table := range []string{"installation", "plan", "decision", "line", "attempt", "evidence", "receipt", "installation_event", "foreign_item", "budget", "budget_period", "hold", "mark", "recovery_event", "regained_item"} {
			e.refuses("DELETE FROM " + table)
			e.refuses("DELETE FROM " + table + " WHERE rowid = 1")
			e.refuses("INSERT OR REPLACE INTO " + table + " SELECT * FROM " + table)
			e.harmless("INSERT OR IGNORE INTO " + table + " SELECT * FROM " + table)
		}
	})
}

func TestTheDatabaseFreezesWhatPeopleApproved(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, _ := full(t, on)
		db := e.ledger.(*DB)
		free := map[string][]string{
			"plan":               {"state", "approval_expires_at"},
			"line":               {"state", "generation", "armed", "version", "cancel_requested", "listing_digest", "listing_at", "reason", "must_leave_by", "look_at", "updated_at"},
			"attempt":            {"state", "outcome", "code", "handle", "ended_at"},
			"decision":           nil,
			"evidence":           nil,
			"receipt":            nil,
			"hold":               {"state", "ended_at"},
			"foreign_item":       nil,
			"installation_event": nil,
			"recovery_event":     nil,
			"regained_item":      nil,
			"installation":       {"state", "incarnation", "restored_at", "backup_at"},
		}
		for table, changeable := range free {
			columns := columnsOf(t, db, table)
			for column, kind := range columns {
				if slices.Contains(changeable, column) {
					continue
				}
				value := column + " || 'x'"
				if kind == "bigint" {
					value = "coalesce(" + column + ", 0) + 1"
				}
				if column == "class" {
					value = "'C'"
				}
				if column == "install" {
					value = "'zzzz'"
				}
				where := ""
				if table == "attempt" {
					where = " WHERE state = 'armed'" // a closed one is refused for another reason
				}
				e.refuses(fmt.Sprintf("UPDATE %s SET %s = %s%s", table, column, value, where))
				e.harmless(fmt.Sprintf("UPDATE OR IGNORE %s SET %s = %s%s", table, column, value, where))
				e.harmless(fmt.Sprintf("UPDATE OR REPLACE %s SET %s = %s%s", table, column, value, where))
			}
		}
	})
}

func TestTheDatabaseNeverReopensAnAttempt(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		for _, closedState := range purchase.AttemptStates {
			e := on.open(t)
			line := e.approve(1, 1).Lines[0].ID
			e.armed(line, t0, "nonce-1")
			if !closedState.Closed() {
				continue
			}
			e.ok(e.exec("UPDATE attempt SET state = $1", closedState))
			for _, to := range purchase.AttemptStates {
				e.refuses("UPDATE attempt SET state = $1", to)
			}
			for _, change := range []string{"outcome = 'refused'", "code = 'x'", "ended_at = 1"} {
				e.refuses("UPDATE attempt SET " + change)
			}
		}
	})
}

func TestTheDatabaseCountsUp(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, p := full(t, on)
		e.ok(e.exec("UPDATE line SET generation = 5 WHERE id = $1", p.Lines[1].ID))
		e.refuses("UPDATE line SET generation = 4 WHERE id = $1", p.Lines[1].ID)
		e.refuses("UPDATE line SET armed = 0 WHERE id = $1", p.Lines[1].ID)
		e.refuses("UPDATE line SET armed = -1 WHERE id = $1", p.Lines[2].ID)
		e.refuses("UPDATE line SET generation = 0 WHERE id = $1", p.Lines[2].ID)
		e.refuses("UPDATE line SET must_leave_by = 0 WHERE id = $1", p.Lines[1].ID)
		e.refuses("UPDATE line SET cancel_requested = 2 WHERE id = $1", p.Lines[1].ID)
	})
}

// copyLine copies a row of line under another id with some columns replaced.
func copyLine(replace map[string]string) string {
	columns := []string{
		"id", "plan_id", "number", "provider", "service", "account", "region", "class", "spec", "state", "generation",
		"armed", "version", "cancel_requested", "listing_digest", "listing_at", "reason", "must_leave_by", "look_at", "updated_at", "decided_by", "currency", "total",
	}
	values := slices.Clone(columns)
	for i, c := range columns {
		if v, ok := replace[c]; ok {
			values[i] = v
		}
	}
	return "INSERT INTO line (" + strings.Join(columns, ", ") + ") SELECT " + strings.Join(values, ", ") + " FROM line WHERE id = $1"
}

func TestALineStartsAsADraft(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, p := full(t, on)
		ready := p.Lines[2].ID
		fresh := map[string]string{"id": "'01KNEW'", "number": "99", "state": "'draft'", "armed": "0"}
		with := func(column, value string) string {
			c := map[string]string{column: value}
			for k, v := range fresh {
				if k != column {
					c[k] = v
				}
			}
			return copyLine(c)
		}
		for _, s := range purchase.States {
			if s != purchase.Draft {
				e.refuses(with("state", "'"+string(s)+"'"), ready)
			}
		}
		e.refuses(with("armed", "1"), ready)
		e.refuses(with("decided_by", "'ana'"), ready)
		e.refuses(with("number", "1"), ready)
		e.refuses(with("number", "0"), ready)
		e.refuses(with("plan_id", "'01NONE'"), ready)
		e.refuses(with("class", "'Z'"), ready)
		e.refuses(with("id", "id"), ready)
		e.ok(e.exec(copyLine(fresh), ready))
	})
}

func TestOneOpenPurchasePerLaneWithoutIdentity(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e := on.open(t)
		p := newPlan(t, 1, 4)
		for i := range p.Lines {
			p.Lines[i].Class = cloud.ClassNone
		}
		p.Lines[2].Spec.Offering.Region = "us-east-1"
		p.Lines[3].Class = cloud.ClassName
		e.ok(p.Freeze())
		e.ok(e.SavePlan(t.Context(), p))
		e.ok(e.Decide(t.Context(), yes(p), t0.Add(time.Hour)))
		e.armed(p.Lines[0].ID, t0, "nonce-0")
		c := e.step(p.Lines[1].ID, checked(p.Lines[1].Spec.Offering, t0, "nonce-1"), t0)
		before := e.everything()
		if err := e.Apply(t.Context(), c, t0); err == nil {
			t.Error("two purchases are open in a lane without identity")
		}
		e.unchanged(before)
		e.armed(p.Lines[2].ID, t0, "nonce-2") // another lane
		e.armed(p.Lines[3].ID, t0, "nonce-3") // another class
	})
}

func TestAttemptsHaveNoTwins(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, p := full(t, on)
		const columns = "generation, protocol, account, region, identity, intent, intent_sha256, credential, armed_at, answer_by, deadline, settled_at, before_ids, state, outcome, code, ended_at"
		insert := "INSERT INTO attempt (line_id, n, nonce, fire_at, " + columns + ") SELECT $1, $2, $3, $4, " + columns + " FROM attempt LIMIT 1"
		first, third := p.Lines[0].ID, p.Lines[2].ID
		e.refuses(insert, third, 1, "nonce-1", nil)
		e.refuses(insert, first, 1, "fresh", nil)
		e.refuses(insert, third, 0, "fresh", nil)
		e.refuses(insert, "01NONE", 1, "fresh", nil)
		e.ok(e.exec(insert, third, 1, "fresh-1", 1_772_445_600))
		e.refuses(insert, third, 2, "fresh-2", 1_772_445_600)
		e.ok(e.exec(insert, third, 2, "fresh-2", 1_772_445_601))
		e.ok(e.exec(insert, third, 3, "fresh-3", nil))
	})
}

func TestADecisionIsMadeOncePerPerson(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, approved := full(t, on)
		p := newPlan(t, 2, 1)
		p.Approvals.Needed = 2
		e.ok(e.SavePlan(t.Context(), p))
		insert := "INSERT INTO decision VALUES ($1, $2, $3, $4, $4, $5, 1, '')"
		e.refuses(insert, "01D1", approved.ID, approved.Digest, "eve", 1) // decided already
		e.refuses(insert, "01D1", "01NONE", p.Digest, "eve", 1)
		e.refuses(insert, "01D1", p.ID, "sha256:0", "eve", 1)
		e.refuses(insert, "01D1", p.ID, p.Digest, "ana", 1) // the requester
		e.refuses(insert, "01D1", p.ID, p.Digest, "", 1)
		e.ok(e.exec(insert, "01D1", p.ID, p.Digest, "eve", 1))
		e.refuses(insert, "01D2", p.ID, p.Digest, "eve", 1)
		e.refuses(insert, "01D1", p.ID, p.Digest, "bob", 1)
		approve := "UPDATE plan SET state = 'approved', approval_expires_at = 9 WHERE id = $1"
		e.refuses(approve, p.ID) // one of two
		e.ok(e.exec(insert, "01D2", p.ID, p.Digest, "eve", 0))
		e.ok(e.exec(insert, "01D3", p.ID, p.Digest, "bob", 1))
		e.refuses(approve, p.ID) // two of two, and a veto
		e.refuses("UPDATE plan SET state = 'rejected' WHERE id = $1", approved.ID)
		e.refuses("UPDATE plan SET state = 'proposed' WHERE id = $1", approved.ID)
		e.ok(e.exec("UPDATE plan SET state = 'superseded' WHERE id = $1", approved.ID))
		for _, to := range []string{"proposed", "approved", "rejected"} {
			e.refuses("UPDATE plan SET state = $1 WHERE id = $2", to, approved.ID)
		}
		e.refuses("INSERT INTO plan SELECT '01PNEW', '01PNEW', 1, name, requester, requester_key, created_at, tolerance_bp, all_or_nothing, currency, upfront, hourly, total, digest, 'approved', approvals_needed, self_approval, approvers, 9 FROM plan LIMIT 1")
		e.refuses("INSERT INTO installation (id, install, incarnation, state, created_at) VALUES (2, 'zzzz', 1, 'purchasing', 1)")
		e.refuses("INSERT INTO installation (id, install, incarnation, state, created_at) VALUES (1, 'zzzz', 1, 'purchasing', 1)")
		e.refuses("UPDATE installation SET state = 'asleep'")
		e.refuses("UPDATE plan SET state = 'limbo'")
	})
}
