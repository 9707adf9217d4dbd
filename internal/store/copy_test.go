package store

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

// busy is a ledger with rows in most tables, some of them in doubt.
func busy(t *testing.T, on database) (*engine, string, *purchase.Plan) {
	t.Helper()
	path := on.place(t)
	e := around(t, create(t, path))
	e.setBudget(budget("march", times(500)))
	p := e.approve(1, 120)
	for i, l := range p.Lines[:110] {
		a := e.armed(l.ID, t0, "nonce-"+string(l.ID))
		if i%10 == 0 {
			e.apply(e.step(l.ID, answer(a, cloud.InDoubt), t0.Add(time.Second)), t0.Add(time.Second))
		} else {
			e.apply(e.step(l.ID, answer(a, cloud.Bought), t0.Add(time.Second)), t0.Add(time.Second))
		}
	}
	lane := p.Lines[0].Spec.Lane()
	e.ok(e.db.Import(t.Context(), LaneListing{Lane: lane, At: t0, Items: []cloud.Commitment{{Lane: lane, ID: "old"}}}))
	e.ok(e.DeclareForeign(t.Context(), Foreign{Lane: lane, Commitment: "theirs", By: "ana", At: t0}))
	e.save(2, 3)
	return e, path, p
}

func TestALedgerIsCopiedWhole(t *testing.T) {
	for _, way := range [][2]database{{sqliteFile, postgresDB}, {postgresDB, sqliteFile}, {sqliteFile, sqliteFile}, {postgresDB, postgresDB}} {
		t.Run(way[0].name+" to "+way[1].name, func(t *testing.T) {
			e, from, p := busy(t, way[0])
			before := e.everything()
			to := way[1].place(t)
			copied, err := Copy(t.Context(), from, to, "ana", t0.Add(time.Hour))
			e.ok(err)
			lines := 0
			for _, c := range copied {
				if c.Name == "line" {
					lines = c.Rows
				}
			}
			if lines != 123 {
				t.Errorf("%d lines were copied: %v", lines, copied)
			}
			fresh := around(t, reopen(t, to))
			if diff := cmp.Diff(before, fresh.everything()); diff != "" {
				t.Errorf("the copy differs (-old +new):\n%s", diff)
			}
			in, err := fresh.db.Installation(t.Context())
			if want := (Installation{Install: "k7f2", Purchasing: true, CreatedAt: t0, Incarnation: 1}); err != nil || in != want {
				t.Errorf("the copy is %+v, %v", in, err)
			}
			// The copy goes on, and its guards are at work.
			fresh.armed(p.Lines[110].ID, t0.Add(time.Minute), "fresh")
			fresh.refuses("UPDATE line SET state = 'draft' WHERE id = $1", p.Lines[0].ID)
			fresh.refuses("DELETE FROM evidence")

			// The old one does not.
			if in, err := e.db.Installation(t.Context()); err != nil || in.Purchasing || in.CopiedTo != Masked(to) {
				t.Errorf("the old ledger: %+v, %v", in, err)
			}
			e.refuses("UPDATE line SET reason = 'x'")
			e.refuses("UPDATE installation SET state = 'purchasing'")
			e.refuses("UPDATE installation SET copied_to = ''")
			var other *CopiedError
			if err := e.SetPurchasing(t.Context(), Stop{Purchasing: true, By: "ana", At: t0}); !errors.As(err, &other) || other.To != Masked(to) {
				t.Errorf("the old ledger was started: %v", err)
			}
			c := e.step(p.Lines[111].ID, purchase.Swept{}, t0.Add(200*24*time.Hour))
			if err := e.Apply(t.Context(), c, t0.Add(200*24*time.Hour)); err == nil || !strings.Contains(err.Error(), "was copied") {
				t.Errorf("a line moved in the old ledger: %v", err)
			}
			if _, err := Copy(t.Context(), from, way[1].place(t), "ana", t0); !errors.As(err, &other) {
				t.Errorf("copied twice: %v", err)
			}
		})
	}
}

func TestACopyThatFailsChangesNothing(t *testing.T) {
	for _, way := range [][2]database{{sqliteFile, postgresDB}, {postgresDB, sqliteFile}} {
		t.Run(way[0].name+" to "+way[1].name, func(t *testing.T) {
			e, from, p := busy(t, way[0])
			before := e.everything()
			taken := way[1].place(t)
			ledgerAt(t, taken)
			if _, err := Copy(t.Context(), from, taken, "ana", t0); !errors.Is(err, ErrLedgerExists) {
				t.Errorf("over another ledger: %v", err)
			}
			e.unchanged(before)
			// A row that the books do not allow, in a table whose guards stand aside.
			guard := e.dropTrigger("hold_ends_once")
			e.dropTrigger("hold_returned_with_undo")
			e.ok(e.exec("UPDATE hold SET state = 'returned' WHERE line_id = $1", p.Lines[1].ID))
			e.ok(e.exec(guard))
			to := way[1].place(t)
			if _, err := Copy(t.Context(), from, to, "ana", t0); err == nil || !strings.Contains(err.Error(), "throw it away") {
				t.Errorf("an unsound ledger was copied: %v", err)
			}
			if in, err := e.db.Installation(t.Context()); err != nil || !in.Purchasing || in.CopiedTo != "" {
				t.Errorf("the old ledger: %+v, %v", in, err)
			}
			if in, err := reopen(t, to).Installation(t.Context()); err != nil || in.Purchasing {
				t.Errorf("a copy that is not sound may purchase: %+v, %v", in, err)
			}
		})
	}
	_, from, _ := busy(t, sqliteFile)
	to := sqliteFile.place(t)
	other := reopen(t, from)
	e := around(t, other)
	e.ok(e.exec("PRAGMA foreign_keys = OFF"))
	e.ok(e.exec("INSERT INTO evidence VALUES ('x', 'none', 1, '', '', '', 1, 1, '', 1, '', '', '', 1)"))
	if _, err := Copy(t.Context(), from, to, "ana", t0); err == nil {
		t.Error("a dangling row was copied")
	}
	if _, err := os.Stat(to); !os.IsNotExist(err) {
		t.Errorf("a torn copy is left: %v", err)
	}
}
