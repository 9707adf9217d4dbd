package cli

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const slowly = `{"kind":"slow","duration":"1s","operation":"PurchaseReservedDBInstancesOffering"}`

// heldReplies counts the purchases that were made and whose replies hang.
func (d *desk) heldReplies() (n int) {
	d.t.Helper()
	for _, r := range d.requests() {
		if r.Spending && r.Applied && strings.Contains(r.Fault, "slow") {
			n++
		}
	}
	return n
}

// states counts the lines of a plan by state.
func (d *desk) states(plan string) map[string]int {
	d.t.Helper()
	n := map[string]int{}
	for _, l := range d.plan(plan).Lines {
		n[l.State]++
	}
	return n
}

// TestWorkerBuysWhatWasBegun: a worker leaves a plan alone that people have
// approved and nobody has begun, and buys it once somebody has.
func TestWorkerBuysWhatWasBegun(t *testing.T) {
	t.Parallel()
	d := newDesk(t, runningSim(t))
	one, other := d.approvedPlan().ID, d.approvedPlan().ID
	worker := d.start("worker")
	d.must(ExitDone, "apply", one, "--detach", "--as", "grace")
	d.until(worker, "a bought plan", func() bool { return d.states(one)["purchased"] == 14 })
	if n := d.states(other); n["ready"] != 14 {
		t.Errorf("the plan that nobody has begun: %v", n)
	}
	if b := d.plan(one).Begun; b == nil || b.By != "grace" || b.How != "detached" {
		t.Errorf("begun: %+v", b)
	}
	if d.plan(other).Begun != nil {
		t.Error("somebody has begun the other plan")
	}
	if err := worker.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-worker.ended
	if code := worker.ProcessState.ExitCode(); code != ExitDone || !strings.Contains(worker.said.String(), "stopped: nothing is under way") {
		t.Errorf("exit code %d:\n%s", code, worker.said)
	}
	d.settled(one)
}

// TestWorkerStops sends one signal while a purchase is under way: it is finished
// and recorded, nothing more is begun. Then one with too little time for that: the
// line is left to the next worker. Then two signals.
func TestWorkerStops(t *testing.T) {
	t.Parallel()
	d := newDesk(t, runningSim(t))
	plan := d.approvedPlan().ID
	d.must(ExitDone, "apply", plan, "--detach")

	d.fault(slowly)
	worker := d.start("worker", "--workers", "1")
	d.until(worker, "a held reply", func() bool { return d.heldReplies() == 1 })
	if err := worker.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-worker.ended
	if code := worker.ProcessState.ExitCode(); code != ExitDone {
		t.Errorf("exit code %d after one signal:\n%s", code, worker.said)
	}
	if n := d.states(plan); n["purchased"] != 1 || n["armed"] != 0 || n["ready"] != 13 {
		t.Errorf("after one signal: %v\n%s", n, worker.said)
	}
	if !strings.Contains(worker.said.String(), "1 line is still under way, for 30s at most") {
		t.Errorf("it did not say what was under way:\n%s", worker.said)
	}

	d.sim("DELETE", "/_sim/faults", "", nil)
	d.fault(`{"kind":"slow","operation":"PurchaseReservedDBInstancesOffering"}`)
	worker = d.start("worker", "--workers", "1", "--grace", "0s")
	d.until(worker, "a reply held for good", func() bool { return d.heldReplies() == 2 })
	if err := worker.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-worker.ended
	if code := worker.ProcessState.ExitCode(); code != ExitDone || !strings.Contains(worker.said.String(), "stopped: 1 line is still under way, and the next worker looks") {
		t.Errorf("exit code %d after no time at all:\n%s", code, worker.said)
	}
	if n := d.states(plan); n["armed"] != 1 {
		t.Errorf("after no time at all: %v", n)
	}

	worker = d.start("worker", "--workers", "1")
	d.fault(`{"kind":"slow","operation":"PurchaseReservedDBInstancesOffering"}`)
	d.until(worker, "another reply held for good", func() bool { return d.heldReplies() == 3 })
	for ended := false; !ended; {
		select {
		case <-worker.ended:
			ended = true
		case <-time.After(3 * time.Millisecond):
			worker.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
		}
	}
	if status := worker.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("the worker ended with %v instead of the second signal:\n%s", worker.ProcessState, worker.said)
	}

	d.sim("DELETE", "/_sim/faults", "", nil)
	d.sim("POST", "/_sim/clock", `{"advance":"13m"}`, nil)
	worker = d.start("worker")
	d.until(worker, "the end", func() bool { return d.states(plan)["purchased"] == 14 })
	d.settled(plan)
}

// TestWorkerTakesUp kills a worker while the reply to a purchase hangs. The next one
// finds what was bought at once, long before the request is proven dead, and
// finishes the plan.
func TestWorkerTakesUp(t *testing.T) {
	t.Parallel()
	d := newDesk(t, runningSim(t, "--visibility", "-1s"))
	plan := d.approvedPlan().ID
	d.must(ExitDone, "apply", plan, "--detach")
	d.fault(`{"kind":"slow","operation":"PurchaseReservedDBInstancesOffering","times":2}`)
	worker := d.start("worker", "--workers", "2")
	d.until(worker, "two held replies", func() bool { return d.heldReplies() == 2 })
	if err := worker.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-worker.ended
	if n := d.states(plan); n["armed"] != 2 {
		t.Fatalf("after the kill: %v", n)
	}
	began := time.Now()
	worker = d.start("worker", "-o", "json")
	d.until(worker, "the lines of the dead worker", func() bool { return d.states(plan)["armed"] == 0 })
	t.Logf("taken up within %s", time.Since(began))
	d.until(worker, "the end", func() bool { return d.states(plan)["purchased"] == 14 })
	d.settled(plan)
}

// TestWorkersShare lets four workers buy two plans while some are killed and
// replaced.
func TestWorkersShare(t *testing.T) {
	t.Parallel()
	d := newDesk(t, runningSim(t))
	const purchase = `"operation":"PurchaseReservedDBInstancesOffering","times":-1`
	d.fault(`{"kind":"slow","duration":"200ms","permille":400,` + purchase + `}`)
	d.fault(`{"kind":"lose-reply","permille":150,` + purchase + `}`)
	plans := []string{d.approvedPlan().ID, d.approvedPlan().ID}
	for _, p := range plans {
		d.must(ExitDone, "apply", p, "--detach")
	}
	var workers []*started
	for range 4 {
		workers = append(workers, d.start("worker", "--workers", "3"))
	}
	for i := range 3 {
		enough := len(d.requests()) + 5
		if d.until(workers[i], "more requests", func() bool { return len(d.requests()) >= enough }) {
			workers[i].Process.Kill() //nolint:errcheck // it is checked what comes of it
		}
		<-workers[i].ended
		workers = append(workers, d.start("worker", "--workers", "3"))
	}
	last := workers[len(workers)-1]
	for _, p := range plans {
		d.until(last, "the end", func() bool {
			n := d.states(p)
			if n["purchased"] < 14 {
				d.sim("POST", "/_sim/clock", `{"advance":"20s"}`, nil)
			}
			return n["purchased"] == 14
		})
	}
	sold, err := simSold(d.url)
	if err != nil || len(sold) != 28 {
		t.Errorf("%d commitments were sold for 28 lines, %v", len(sold), err)
	}
	d.must(ExitDone, "check")
}

// TestJobsAreHints: whatever becomes of the jobs that wake workers, every line is
// bought once.
func TestJobsAreHints(t *testing.T) {
	t.Parallel()
	for name, meddle := range map[string]string{
		"lost":      "DELETE FROM river_job",
		"discarded": "UPDATE river_job SET state = 'discarded', finalized_at = CURRENT_TIMESTAMP WHERE state <> 'discarded'",
		"doubled": "INSERT INTO river_job (args, kind, max_attempts, metadata, priority, queue, scheduled_at, state, tags) " +
			"SELECT j.args, j.kind, j.max_attempts, j.metadata, j.priority, j.queue, CURRENT_TIMESTAMP, 'available', j.tags FROM river_job j, (VALUES (1), (2), (3)) LIMIT 60",
		"nowhere": "DROP TABLE IF EXISTS river_job",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, runningSim(t))
			d.fault(`{"kind":"lose-reply","permille":200,"operation":"PurchaseReservedDBInstancesOffering","times":-1}`)
			db, err := sql.Open("sqlite", "file:"+filepath.Join(d.dir, "bursar.db")+"?_pragma=busy_timeout(15000)")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close() //nolint:errcheck // nothing is kept
			plan := d.approvedPlan().ID
			d.must(ExitDone, "apply", plan, "--detach")
			var jobs int
			if err := db.QueryRow("SELECT count(*) FROM river_job").Scan(&jobs); err != nil || jobs == 0 {
				t.Fatalf("%d jobs were written with the beginning of the plan, %v", jobs, err)
			}
			change := func() {
				if _, err := db.Exec(meddle); err != nil {
					t.Fatal(err)
				}
			}
			change()
			d.start("worker", "--workers", "4")
			worker := d.start("worker", "--workers", "4")
			d.until(worker, "the end", func() bool {
				change()
				n := d.states(plan)
				if n["purchased"] < 14 {
					d.sim("POST", "/_sim/clock", `{"advance":"10s"}`, nil)
				}
				return n["purchased"] == 14
			})
			d.settled(plan)
		})
	}
}
