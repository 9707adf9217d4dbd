package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bursar/internal/api"
)

// startSim serves simulated clouds in a process of their own.
func startSim(args []string, dir string) (url string, stop func(), err error) {
	cmd := exec.Command("bursar", append([]string{"sim", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir = dir
	cmd.Env = cleanEnv()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // killed
	}
	first, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("the simulator said %q: %w: %s", first, err, said.String())
	}
	go io.Copy(io.Discard, out) //nolint:errcheck // ends with the process
	for word := range strings.FieldsSeq(first) {
		if strings.HasPrefix(word, "http://") {
			return word, stop, nil
		}
	}
	stop()
	return "", nil, fmt.Errorf("no address in %q", first)
}

// cleanEnv is the environment without what would change what bursar does.
func cleanEnv(more ...string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=/no-home", "TMPDIR=" + os.TempDir(), "BURSAR_USER=ada"}
	for _, cover := range []string{"GOCOVERDIR"} {
		if v := os.Getenv(cover); v != "" {
			env = append(env, cover+"="+v)
		}
	}
	return append(env, more...)
}

func simCall(url, method, path, body string) ([]byte, error) {
	req, err := http.NewRequest(method, url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	raw, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, raw)
	}
	return raw, err
}

// desk is a ledger in a directory of its own, used by separate processes.
type desk struct {
	t   *testing.T
	dir string
	url string // of a running simulator; "" is the state file beside the ledger
}

// newDesk creates a ledger.
func newDesk(t *testing.T, url string) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir(), url: url}
	d.must(ExitDone, "init")
	return d
}

func runningSim(t *testing.T, args ...string) string {
	t.Helper()
	url, stop, err := startSim(args, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return url
}

func (d *desk) command(args ...string) *exec.Cmd {
	cmd := exec.Command("bursar", args...)
	cmd.Dir = d.dir
	cmd.Env = cleanEnv("BURSAR_ENDPOINT=" + d.url)
	return cmd
}

// run runs bursar to its end.
func (d *desk) run(args ...string) (code int, out, errOut string) {
	d.t.Helper()
	cmd := d.command(args...)
	var o, e strings.Builder
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		d.t.Fatal(err)
	}
	code = cmd.ProcessState.ExitCode()
	for _, complaint := range unfit(code, o.String(), e.String()) {
		d.t.Errorf("bursar %s: %s", strings.Join(args, " "), complaint)
	}
	return code, o.String(), e.String()
}

func (d *desk) must(want int, args ...string) string {
	d.t.Helper()
	code, out, errOut := d.run(args...)
	if code != want {
		d.t.Fatalf("bursar %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, out, errOut)
	}
	return out
}

// approvedPlan creates and approves the plan of the Cost Explorer file.
func (d *desk) approvedPlan() api.Plan {
	d.t.Helper()
	file, err := filepath.Abs("../../testdata/ce-rds.json")
	if err != nil {
		d.t.Fatal(err)
	}
	var created api.PlanCreated
	if err := json.Unmarshal([]byte(d.must(ExitDone, "plan", "create", "-f", file, "-o", "json")), &created); err != nil {
		d.t.Fatal(err)
	}
	d.must(ExitDone, "approve", created.Plan.ID, "--yes")
	return created.Plan
}

func (d *desk) plan(id string) (p api.Plan) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(d.must(ExitDone, "plan", "show", id, "-o", "json")), &p); err != nil {
		d.t.Fatal(err)
	}
	return p
}

func (d *desk) sim(method, path, body string, into any) {
	d.t.Helper()
	raw, err := simCall(d.url, method, path, body)
	if err == nil && into != nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) fault(json string) { d.t.Helper(); d.sim("POST", "/_sim/faults", json, nil) }

// request is what a test needs of the simulator's request log.
type request struct {
	Spending bool   `json:"spending"`
	Applied  bool   `json:"applied"`
	Fault    string `json:"fault"`
}

func (d *desk) requests() (all []request) {
	d.t.Helper()
	d.sim("GET", "/_sim/requests", "", &all)
	return all
}

// settled compares the clouds with the ledger when all should be bought, and
// tests the invariants.
func (d *desk) settled(plan string) {
	d.t.Helper()
	sold, err := simSold(d.url)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := exactlyOnce(d.plan(plan), sold); err != nil {
		d.t.Error(err)
	}
	d.must(ExitDone, "check")
	d.sim("POST", "/_sim/clock", `{"advance":"15m"}`, nil)
	d.must(ExitDone, "inventory")
}

// started is a process under way.
type started struct {
	*exec.Cmd
	said  *strings.Builder
	ended chan struct{}
}

func (d *desk) start(args ...string) *started {
	d.t.Helper()
	s := &started{Cmd: d.command(args...), said: new(strings.Builder), ended: make(chan struct{})}
	s.Stdout, s.Stderr = s.said, s.said
	if err := s.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		s.Wait() //nolint:errcheck // its state tells
		close(s.ended)
	}()
	d.t.Cleanup(func() {
		s.Process.Kill() //nolint:errcheck // it may have ended
		<-s.ended
	})
	return s
}

// until polls until the condition holds or the process has ended, and reports
// whether the condition held.
func (d *desk) until(s *started, what string, holds func() bool) bool {
	d.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if holds() {
			return true
		}
		select {
		case <-s.ended:
			return holds()
		case <-time.After(3 * time.Millisecond):
		}
	}
	d.t.Fatalf("%s did not come about", what)
	return false
}

// TestKilledAgainAndAgain kills apply wherever it happens to be, with clouds
// that misbehave, and then lets it finish.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	d := newDesk(t, runningSim(t, "--seed", fmt.Sprint(seed)))
	plan := d.approvedPlan().ID
	const purchase = `"operation":"PurchaseReservedDBInstancesOffering","times":-1`
	d.fault(`{"kind":"slow","duration":"300ms","permille":300,` + purchase + `}`)
	d.fault(`{"kind":"lose-reply","permille":150,` + purchase + `}`)
	d.fault(`{"kind":"lose-request","permille":150,` + purchase + `}`)
	d.fault(`{"kind":"error-after","permille":100,` + purchase + `}`)
	d.fault(`{"kind":"torn-body","permille":100,` + purchase + `}`)

	kills := 0
	for range 10 {
		enough := len(d.requests()) + 1 + random.IntN(12)
		worker := d.start("apply", plan, "--workers", "3", "--patience", "1s")
		if d.until(worker, "the next request", func() bool { return len(d.requests()) >= enough }) {
			if worker.Process.Kill() == nil {
				kills++
			}
		}
		<-worker.ended
	}
	if kills < 5 {
		t.Errorf("only %d workers could be killed", kills)
	}
	d.must(ExitDone, "check")

	d.sim("DELETE", "/_sim/faults", "", nil)
	var code int
	var said string
	for range 8 {
		if code, _, said = d.run("apply", plan, "--patience", "0s"); code == ExitDone {
			break
		}
		d.sim("POST", "/_sim/clock", `{"advance":"13m"}`, nil)
	}
	if code != ExitDone {
		t.Fatalf("apply never came to an end: %d %s", code, said)
	}
	d.settled(plan)
	// Once more changes nothing.
	before := len(d.requests())
	d.must(ExitDone, "apply", plan)
	for _, r := range d.requests()[before:] {
		if r.Spending {
			t.Error("apply of a finished plan sent a spending request")
		}
	}
}

// TestTwoShells runs apply in two processes at once.
func TestTwoShells(t *testing.T) {
	t.Parallel()
	t.Run("one simulator", func(t *testing.T) {
		d := newDesk(t, runningSim(t))
		plan := d.approvedPlan().ID
		d.fault(`{"kind":"slow","duration":"50ms","permille":300,"times":-1,"operation":"PurchaseReservedDBInstancesOffering"}`)
		both(t, d, plan)
		d.settled(plan)
	})
	// Each process runs its own simulator over the file beside the ledger.
	t.Run("state file", func(t *testing.T) {
		d := newDesk(t, "")
		plan := d.approvedPlan().ID
		both(t, d, plan)
		d.url = runningSim(t, "--state", filepath.Join(d.dir, "bursar.db.clouds"))
		d.settled(plan)
	})
}

func both(t *testing.T, d *desk, plan string) {
	t.Helper()
	one, other := d.start("apply", plan), d.start("apply", plan)
	for _, s := range []*started{one, other} {
		<-s.ended
		if code := s.ProcessState.ExitCode(); code != ExitDone {
			t.Errorf("exit code %d:\n%s", code, s.said)
		}
	}
}

// TestInterrupted sends the signals of a person who presses Ctrl-C once, and of
// one who presses it again.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	d := newDesk(t, runningSim(t))
	plan := d.approvedPlan().ID
	held := func(n int) func() bool {
		return func() bool {
			found := 0
			for _, r := range d.requests() {
				if r.Spending && r.Applied && strings.Contains(r.Fault, "slow") {
					found++
				}
			}
			return found >= n
		}
	}

	// Once: what is under way is finished and recorded, nothing more is begun.
	d.fault(`{"kind":"slow","duration":"1s","operation":"PurchaseReservedDBInstancesOffering"}`)
	worker := d.start("apply", plan, "--workers", "1")
	if !d.until(worker, "a held reply", held(1)) {
		t.Fatalf("the worker ended:\n%s", worker.said)
	}
	if err := worker.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-worker.ended
	if code := worker.ProcessState.ExitCode(); code != ExitError {
		t.Errorf("exit code %d after one signal:\n%s", code, worker.said)
	}
	bought, armed := 0, 0
	for _, l := range d.plan(plan).Lines {
		switch l.State {
		case "purchased":
			bought++
		case "armed":
			armed++
		}
	}
	if bought != 1 || armed != 0 {
		t.Errorf("%d lines bought and %d in doubt after one signal, want 1 and 0:\n%s", bought, armed, worker.said)
	}

	// Twice: it ends at once, and the next run finds out.
	d.sim("DELETE", "/_sim/faults", "", nil)
	d.fault(`{"kind":"slow","operation":"PurchaseReservedDBInstancesOffering"}`)
	worker = d.start("apply", plan, "--workers", "1")
	if !d.until(worker, "a reply held for good", held(2)) {
		t.Fatalf("the worker ended:\n%s", worker.said)
	}
	for signals := 0; ; signals++ {
		select {
		case <-worker.ended:
		default:
			if err := worker.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
			if signals > 3000 {
				t.Fatal("the worker does not end")
			}
			time.Sleep(3 * time.Millisecond)
			continue
		}
		break
	}
	if status := worker.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("the worker ended with %v instead of the second signal:\n%s", worker.ProcessState, worker.said)
	}
	d.sim("POST", "/_sim/clock", `{"advance":"13m"}`, nil)
	d.must(ExitDone, "apply", plan)
	d.settled(plan)
}

// TestServersEndOnASignal stops what runs until it is stopped: that is no error,
// and the demo takes its directory with it.
func TestServersEndOnASignal(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		last string // of what it says once it serves
	}{
		"sim":  {[]string{"sim", "--listen", "127.0.0.1:0"}, "export AWS_ENDPOINT_URL="},
		"demo": {[]string{"demo"}, "Ctrl-C ends the demo"},
	} {
		t.Run(name, func(t *testing.T) {
			temporary := t.TempDir()
			cmd := exec.Command("bursar", tc.args...)
			cmd.Dir, cmd.Env = temporary, cleanEnv("TMPDIR="+temporary)
			var errOut strings.Builder
			cmd.Stderr = &errOut
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill() //nolint:errcheck // it has ended
			url, serving := "", false
			for lines := bufio.NewScanner(out); !serving && lines.Scan(); {
				for word := range strings.FieldsSeq(strings.ReplaceAll(lines.Text(), "=", " ")) {
					if url == "" && strings.HasPrefix(word, "http://") {
						url = word
					}
				}
				serving = strings.Contains(lines.Text(), tc.last)
			}
			if !serving {
				cmd.Wait() //nolint:errcheck // it has ended
				t.Fatalf("it never served: %s", errOut.String())
			}
			if _, err := simCall(url, "GET", "/_sim/clock", ""); err != nil {
				t.Error(err)
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil || errOut.Len() > 0 {
				t.Errorf("it ended with %v: %s", err, errOut.String())
			}
			if left, err := filepath.Glob(filepath.Join(temporary, "*")); err != nil || len(left) > 0 {
				t.Errorf("it left %q behind, %v", left, err)
			}
		})
	}
}
