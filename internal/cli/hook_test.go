package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// hooks are the webhooks of the scripts that run, by their script.
var hooks sync.Map

// webhook keeps what is posted to it.
type webhook struct {
	mu     sync.Mutex
	code   int
	bodies [][]byte
}

func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil && r.Method == http.MethodPost && r.URL.Path == "/hush" {
		h.bodies = append(h.bodies, body)
		w.WriteHeader(h.code)
		return
	}
	w.WriteHeader(http.StatusTeapot)
}

func scriptHook(ts *testscript.TestScript, neg bool, args []string) {
	here := ts.Getenv("WORK")
	known, _ := hooks.Load(here)
	h, _ := known.(*webhook)
	switch {
	case !neg && len(args) == 2 && args[0] == "start":
		h = &webhook{code: http.StatusOK}
		s := httptest.NewServer(h)
		hooks.Store(here, h)
		ts.Defer(func() {
			hooks.Delete(here)
			s.Close()
		})
		ts.Setenv(args[1], s.URL+"/hush")
	case !neg && len(args) == 2 && args[0] == "answer" && h != nil:
		code, err := strconv.Atoi(args[1])
		ts.Check(err)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.code = code
	case !neg && len(args) == 1 && args[0] == "bodies" && h != nil:
		h.mu.Lock()
		defer h.mu.Unlock()
		_, err := fmt.Fprintf(ts.Stdout(), "%d posted\n", len(h.bodies))
		ts.Check(err)
		for _, b := range h.bodies {
			_, err := ts.Stdout().Write(append(b, '\n'))
			ts.Check(err)
		}
		h.bodies = nil
	default:
		ts.Fatalf("usage: hook start VAR | answer CODE | bodies")
	}
}
