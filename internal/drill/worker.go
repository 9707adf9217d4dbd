package drill

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"bursar/internal/api"
	"bursar/internal/app"
)

// worker is a process that works on a ledger.
type worker struct {
	cmd     *exec.Cmd
	started chan struct{} // closed when it says that it works
	ended   chan struct{} // closed when it is gone

	heard func(api.Worked) // of every event; may be nil

	mu     sync.Mutex
	events map[string]int // by name
	said   strings.Builder
}

// start starts a worker on the ledger of an installation.
func (w *world) start(at app.Options) (*worker, error) {
	k := &worker{started: make(chan struct{}), ended: make(chan struct{}), events: map[string]int{}}
	k.heard = w.heard
	k.cmd = exec.Command(w.Bursar, "worker", "-o", "json", "--ledger", at.Ledger, "--config", at.Config, "--endpoint", at.Endpoint)
	k.cmd.Env = append(os.Environ(), w.Env...)
	k.cmd.Dir = w.dir
	k.cmd.Stderr = &k.said
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := k.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		k.read(out)
		_ = k.cmd.Wait() // its state tells
		close(k.ended)
	}()
	return k, nil
}

func (k *worker) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var w api.Worked
		if json.Unmarshal(lines.Bytes(), &w) != nil {
			continue // it was killed in the middle of a line
		}
		k.mu.Lock()
		k.events[w.Event]++
		first := w.Event == "started" && k.events[w.Event] == 1
		k.mu.Unlock()
		if first {
			close(k.started)
		}
		if k.heard != nil {
			k.heard(w)
		}
	}
}

// kill ends it at once.
func (k *worker) kill() {
	_ = k.cmd.Process.Kill() // it may have ended
	<-k.ended
}

// stop asks it to end.
func (k *worker) stop() {
	_ = k.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	<-k.ended
}

// failed says how it ended by itself and not well; "" if it did not.
func (k *worker) failed() string {
	<-k.ended
	if s := k.cmd.ProcessState; s.Exited() && s.ExitCode() != 0 {
		return strings.TrimSpace(k.said.String())
	}
	return ""
}
