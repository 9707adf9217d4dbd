package sim

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/google/go-cmp/cmp"

	"bursar/internal/money"
)

func statePath(t *testing.T) string { return filepath.Join(t.TempDir(), "sim.state") }

var sameMoney = cmp.Comparer(money.Amount.Equal)

// Two simulators over one file are one cloud.
func TestTwoOverOneFile(t *testing.T) {
	clock := &testClock{now: time.Now()}
	opts := Options{Path: statePath(t), Seed: 5, Now: clock.Now}
	a, b := newSim(t, opts), newSim(t, opts)
	urlA, urlB := serve(t, a), serve(t, b)

	creds := assume(t, urlA, "")
	if _, err := buy(t.Context(), rds.NewFromConfig(config(urlB, creds)), "x", 1); err != nil {
		t.Errorf("a session of the other one: %v", err)
	}
	if _, err := buy(t.Context(), rds.NewFromConfig(config(urlA, creds)), "X", 1); code(err) != "ReservedDBInstanceAlreadyExists" {
		t.Errorf("a reservation of the other one: %v", err)
	}
	addFault(t, a, Fault{Kind: ErrorBefore, Times: 2})
	for _, url := range []string{urlB, urlA} {
		if _, err := buy(t.Context(), rdsClient(url), "y", 1); code(err) != "InternalFailure" {
			t.Errorf("fault: %v", err)
		}
	}
	mustBuy(t, urlA, "y")
	advance(t, b, 24*time.Hour)
	if got := a.Now(); !got.Equal(clock.Now().Add(24 * time.Hour)) {
		t.Errorf("the other's clock says %s", got)
	}
	if err := a.SetPrice(anOffering().id, money.MustParse("7", "USD"), money.MustParse("0", "USD")); err != nil {
		t.Fatal(err)
	}
	mustBuy(t, urlB, "z")
	compare(t, a, b)
	fresh := newSim(t, opts) // a third, from the start
	compare(t, a, fresh)
	if got := fresh.Ledger(); len(got) != 3 || got[2].Fixed.Canonical() != "7.00" {
		t.Errorf("ledger %+v", got)
	}
	if err := b.Reset(); err != nil {
		t.Fatal(err)
	}
	if len(a.Ledger()) != 0 || len(a.Requests()) != 0 || !a.Now().Equal(clock.Now().Add(24*time.Hour)) {
		t.Error("the other one was not reset, or lost its clock")
	}
}

func compare(t *testing.T, a, b *Sim) {
	t.Helper()
	if diff := cmp.Diff(a.Ledger(), b.Ledger(), sameMoney); diff != "" {
		t.Errorf("ledgers differ:\n%s", diff)
	}
	if diff := cmp.Diff(a.Requests(), b.Requests()); diff != "" {
		t.Errorf("requests differ:\n%s", diff)
	}
}

// A request held by one process is applied and answered when another moves the
// clock.
func TestHeldAcrossProcesses(t *testing.T) {
	opts := Options{Path: statePath(t), SignatureAge: time.Hour, Now: (&testClock{now: time.Now()}).Now}
	a, b := newSim(t, opts), newSim(t, opts)
	done := delayed(t, a, t.Context(), rdsClient(serve(t, a)))
	advance(t, b, 11*time.Minute)
	if n := len(b.Ledger()); n != 1 {
		t.Errorf("%d bought", n)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	compare(t, a, b)
}

// Many writers, one of each id.
func TestConcurrentProcesses(t *testing.T) {
	path := statePath(t)
	var wg sync.WaitGroup
	for range 4 {
		s := newSim(t, Options{Path: path, Now: time.Now})
		c := rdsClient(serve(t, s))
		wg.Go(func() {
			for i := range 10 {
				_, err := buy(t.Context(), c, fmt.Sprintf("id-%d", i), 1)
				if err != nil && code(err) != "ReservedDBInstanceAlreadyExists" {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s := newSim(t, Options{Path: path})
	if l, r := s.Ledger(), s.Requests(); len(l) != 10 || len(r) != 40 {
		t.Errorf("%d bought in %d requests", len(l), len(r))
	}
	for i, r := range s.Requests() {
		if r.Seq != i+1 {
			t.Errorf("request %d has number %d", i+1, r.Seq)
		}
	}
}

// Whatever the length at which a dying process left its file, the next one
// finds a prefix of its requests and can go on.
func TestTornJournal(t *testing.T) {
	path := statePath(t)
	s := newSim(t, Options{Path: path, Seed: 3})
	url := serve(t, s)
	mustBuy(t, url, "one")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mustBuy(t, url, "two")
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(after, before) {
		t.Fatal("the journal is not append-only")
	}
	for n := 0; n <= len(after); n++ {
		if n > 40 && n < len(before)-3 || n > len(before)+3 && n < len(after)-3 && n%97 != 0 {
			continue
		}
		torn := statePath(t)
		if err := os.WriteFile(torn, after[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		s := newSim(t, Options{Path: torn})
		want := bytes.Count(after[:n], []byte{'\n'}) - 1
		if got := len(s.Ledger()); got != max(0, want) {
			t.Errorf("cut at %d of %d: %d bought, want %d", n, len(after), got, want)
		}
		mustBuy(t, serve(t, s), "three")
		if got := len(newSim(t, Options{Path: torn}).Ledger()); got != max(0, want)+1 {
			t.Errorf("cut at %d of %d: %d bought after one more", n, len(after), got)
		}
	}
}

// A process that runs while another's line is torn off goes on too.
func TestTornUnderARunningProcess(t *testing.T) {
	path := statePath(t)
	s := newSim(t, Options{Path: path})
	url := serve(t, s)
	mustBuy(t, url, "one")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"at":"2026-11-23T12:00:00Z","bought":[{"acc`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	mustBuy(t, url, "two")
	compare(t, s, newSim(t, Options{Path: path}))
}

func TestFilesRefused(t *testing.T) {
	path := statePath(t)
	newSim(t, Options{Path: path, Seed: 1})
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		content string
		want    string
	}{
		"foreign":       {"hello\n", "is not a simulator state file"},
		"foreign, torn": {"hello", "is not a simulator state file"},
		"foreign JSON":  {`{"a":1}` + "\n", "is not a simulator state file"},
		"newer":         {`{"bursar_sim":4,"seed":1}` + "\n", "is of version 4, but this program reads version 3; use the newer program"},
		"older":         {`{"bursar_sim":1,"seed":1}` + "\n", "is of the old version 1, and this program reads version 3; remove it"},
		"other seed":    {`{"bursar_sim":3,"seed":4}` + "\n", "was made with seed 4, not 1"},
		"damaged":       {string(good) + "garbage\n{}\n", "is damaged in line 2"},
	} {
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Options{Path: path, Seed: 1}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if got, _ := os.ReadFile(path); string(got) != tt.content {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if _, err := New(Options{Path: filepath.Join(path, "no")}); err == nil {
		t.Error("a path under a file")
	}
}

// A file that was removed under a running simulator is a new, empty world.
func TestFileReplaced(t *testing.T) {
	path := statePath(t)
	s := newSim(t, Options{Path: path})
	mustBuy(t, serve(t, s), "one")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Ledger()); n != 0 {
		t.Errorf("%d bought", n)
	}
}

func TestClockNeverGoesBack(t *testing.T) {
	clock := &testClock{now: noon}
	s := newSim(t, Options{Now: clock.Now})
	if s.Advance(-time.Second) == nil {
		t.Error("advanced backwards")
	}
	advance(t, s, time.Minute)
	clock.move(-time.Hour)
	if got := s.Now(); got.Before(noon) {
		t.Errorf("now %s", got)
	}
	clock.move(2 * time.Hour)
	if got := s.Now(); !got.Equal(noon.Add(time.Hour + time.Minute)) {
		t.Errorf("now %s", got)
	}
}
