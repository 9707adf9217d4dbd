package store

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// While this machine's clock is wrong nothing is armed, and everything else goes on.
func TestAWrongClockArmsNothing(t *testing.T) {
	e := postgresDB.open(t)
	p := e.approve(1, 3)
	arm := func(i int) error {
		l := p.Lines[i]
		c := e.step(l.ID, checked(l.Spec.Offering, t0, string(l.ID)), t0)
		return e.Apply(t.Context(), c, t0)
	}
	e.db.clocks.skew, e.db.clocks.asked = time.Hour, time.Now()
	e.ok(arm(0)) // simulated clouds have a clock of their own
	e.db.JudgeClocks()
	e.ok(arm(1)) // a wrong clock is asked for again: it may have been set
	if e.db.clocks.skew.Abs() > time.Second {
		t.Errorf("the skew is %s", e.db.clocks.skew)
	}
	// The database's clock differs by what a function of this name says.
	e.ok(e.exec("CREATE SCHEMA wrong"))
	e.ok(e.exec("CREATE FUNCTION wrong.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT pg_catalog.clock_timestamp() + interval ''61 seconds'''"))
	e.db.reader.SetMaxIdleConns(0)
	e.db.reader.SetMaxOpenConns(1)
	e.db.reader.SetMaxIdleConns(1)
	_, err := e.db.reader.ExecContext(t.Context(), "SET search_path = wrong, pg_catalog, public")
	e.ok(err)
	e.db.clocks.asked = time.Time{}
	if err := arm(2); !errors.Is(err, ErrClock) || !strings.Contains(err.Error(), "1m1s behind") {
		t.Errorf("armed with a clock that is behind: %v", err)
	}
	a := e.row(p.Lines[1].ID).Attempts[0]
	e.apply(e.step(p.Lines[1].ID, answer(a, "refused"), t0), t0)
}
