package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Skew is how far this machine's clock is ahead of the database's, as well as the time
// that the question took tells; 0 on SQLite, which has this machine's.
func (db *DB) Skew(ctx context.Context) (time.Duration, error) {
	if !db.postgres {
		return 0, nil
	}
	var us int64
	asked := time.Now()
	err := db.reader.QueryRowContext(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").Scan(&us)
	took := time.Since(asked)
	if err != nil {
		return 0, fmt.Errorf("the clock of the database: %w", err)
	}
	theirs := time.UnixMicro(us)
	switch {
	case theirs.Before(asked):
		return asked.Sub(theirs), nil
	case theirs.After(asked.Add(took)):
		return asked.Add(took).Sub(theirs), nil
	}
	return 0, nil
}

// ErrClock: this machine's clock differs so much from the database's that deadlines
// and expiries would not mean the same to both.
var ErrClock = errors.New("the clock of this machine is wrong")

// mostSkew is how far a clock may be from the database's, and skewEvery how often that
// is asked.
const (
	mostSkew  = time.Minute
	skewEvery = 30 * time.Second
)

// clocks are how this machine's was last seen to differ from the database's.
type clocks struct {
	sync.Mutex
	judged bool
	asked  time.Time // by the clock that cannot be set
	skew   time.Duration
}

// JudgeClocks makes the database's clock the judge of this machine's from now on: no
// attempt is armed while they differ by more than a minute. It is for ledgers whose
// clouds are real; simulated ones have a clock of their own.
func (db *DB) JudgeClocks() {
	db.clocks.Lock()
	defer db.clocks.Unlock()
	db.clocks.judged = true
}

// rightClock is ErrClock if the database has found this machine's clock wrong.
func (db *DB) rightClock(ctx context.Context) error {
	c := &db.clocks
	c.Lock()
	defer c.Unlock()
	if !c.judged || !db.postgres {
		return nil
	}
	// A machine that slept, or whose clock was set, has not counted the time.
	since := time.Since(c.asked)
	if wall := time.Now().Round(0).Sub(c.asked.Round(0)); c.asked.IsZero() || since > skewEvery || (wall-since).Abs() > time.Second || c.skew.Abs() > mostSkew {
		skew, err := db.Skew(ctx)
		if err != nil {
			return err
		}
		c.asked, c.skew = time.Now(), skew
	}
	if c.skew.Abs() <= mostSkew {
		return nil
	}
	way := "ahead of"
	if c.skew < 0 {
		way = "behind"
	}
	return fmt.Errorf("%w: it is %s %s that of the database: nothing is bought until it is set", ErrClock, c.skew.Abs().Round(time.Second), way)
}
