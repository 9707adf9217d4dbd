package store

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// another makes this process one of another host until the function that it returns
// is called.
func another(h host) (back func()) {
	was := thisHost
	thisHost = func() host { return h }
	return func() { thisHost = was }
}

func TestASecondHostIsRefused(t *testing.T) {
	path := sqliteFile.place(t)
	e := around(t, create(t, path))
	e.ok(e.db.Close())
	e = around(t, reopen(t, path))
	here := thisHost()
	for name, h := range map[string]host{
		"another machine":        {"b2", "m2", here.name},
		"one that says no more":  {"", "", here.name + "2"},
		"a machine without file": {"b2", "", "other"},
	} {
		back := another(h)
		db, err := Open(t.Context(), path)
		if err == nil {
			closed(t, db)
		}
		if !errors.Is(err, ErrOtherHost) || !strings.Contains(err.Error(), here.name) {
			t.Errorf("%s: %v", name, err)
		}
		back()
	}
	for name, h := range map[string]host{"a container": {here.boot, "", "c1"}, "after a boot": {"b2", "m1", "x"}} {
		e.db.host.machine = "m1"
		e.ok(e.exec("UPDATE host SET seen_at = 0"))
		e.save(len(name), 1)
		if here.boot == "" {
			continue
		}
		back := another(h)
		db, err := Open(t.Context(), path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		closed(t, db)
		back()
		e.ok(e.exec("UPDATE host SET boot = $1, machine = 'm1'", here.boot))
	}

	// When it has been silent for long, another may take over, and then it may not
	// write any more.
	e.ok(e.exec("UPDATE host SET seen_at = $1", micros(time.Now().Add(-hostLease-time.Second))))
	back := another(host{"b2", "m2", "usurper"})
	other := reopen(t, path)
	back()
	before := e.everything()
	err := e.SavePlan(t.Context(), newPlan(t, 90, 1))
	if !errors.Is(err, ErrOtherHost) || !strings.Contains(err.Error(), "usurper") {
		t.Errorf("a host wrote after another had taken over: %v", err)
	}
	e.unchanged(before)
	around(t, other).save(91, 1)
}

func TestAHostThatWritesKeepsTheLedger(t *testing.T) {
	e := sqliteFile.open(t)
	e.ok(e.db.claim(t.Context()))
	e.ok(e.exec("UPDATE host SET seen_at = $1", micros(time.Now().Add(-hostLease-time.Second))))
	e.save(1, 1)
	back := another(host{"b2", "m2", "usurper"})
	defer back()
	if db, err := Open(t.Context(), e.db.Path()); !errors.Is(err, ErrOtherHost) {
		t.Errorf("%v", err)
		closed(t, db)
	}
}

func TestAFileSystemOfTheNetworkIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	was := networkOf
	defer func() { networkOf = was }()
	networkOf = func(string) string { return "nfs" }
	if _, err := Create(t.Context(), path, "k7f2", t0); err == nil || !strings.Contains(err.Error(), "nfs") {
		t.Errorf("created: %v", err)
	}
	if left := contents(t, filepath.Dir(path)); len(left) != 0 {
		t.Errorf("%d files are left", len(left))
	}
	networkOf = was
	ledgerAt(t, path)
	networkOf = func(string) string { return "cifs" }
	if _, err := Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "PostgreSQL") {
		t.Errorf("opened: %v", err)
	}
}
