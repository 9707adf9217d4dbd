package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bursar/internal/engine"
	"bursar/internal/journal"
	"bursar/internal/store"

	"github.com/oklog/ulid/v2"
)

// onServer reports whether a ledger is in a database server and not a file.
func onServer(ledger string) bool {
	return strings.HasPrefix(ledger, "postgres://") || strings.HasPrefix(ledger, "postgresql://")
}

// journalPath is where the intent journal is: what the configuration names, from its
// own directory, or a file beside the ledger, or for a database server a file in the
// working directory.
func (o Options) journalPath(cfg Config) string {
	switch {
	case cfg.Journal != "" && filepath.IsAbs(cfg.Journal):
		return cfg.Journal
	case cfg.Journal != "":
		return filepath.Join(o.configDir(), cfg.Journal)
	case onServer(o.Ledger):
		return "bursar.journal"
	}
	return o.Ledger + ".journal"
}

// keyPath is where the key is that signs receipts: what the configuration names, or a
// file beside the ledger, or for a database server beside the journal.
func (o Options) keyPath(cfg Config) string {
	switch {
	case cfg.SigningKey != "" && filepath.IsAbs(cfg.SigningKey):
		return cfg.SigningKey
	case cfg.SigningKey != "":
		return filepath.Join(o.configDir(), cfg.SigningKey)
	case onServer(o.Ledger):
		return filepath.Join(filepath.Dir(o.journalPath(cfg)), "bursar.key")
	}
	return o.Ledger + ".key"
}

func (o Options) configDir() string {
	switch {
	case o.Config != "":
		return filepath.Dir(o.Config)
	case onServer(o.Ledger):
		return "."
	}
	return filepath.Dir(o.Ledger)
}

// createJournal makes the journal of a new ledger.
func createJournal(path, install string, now time.Time) (*journal.Journal, error) {
	j, err := journal.Create(path, ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()).String(), install)
	if errors.Is(err, journal.ErrExists) {
		return nil, fmt.Errorf("%w: it may be the journal of an earlier ledger, which is needed to recover that one; move it away, or name another one with journal: in bursar.yaml", err)
	}
	return j, err
}

// openJournal opens the journal of a ledger. A ledger that never had one gets it now,
// and so does a host that is new to a shared ledger.
// What is wrong with it is no error of the ledger: it can be read, and buys nothing.
func openJournal(ctx context.Context, db *store.DB, path string, shared bool, now time.Time) (j *journal.Journal, unready, err error) {
	in, err := db.Installation(ctx)
	if err != nil {
		return nil, nil, err
	}
	stored, err := db.StoredMarks(ctx)
	if err != nil {
		return nil, nil, err
	}
	j, unready = journal.Open(path)
	if errors.Is(unready, journal.ErrMissing) && (shared || !store.HasJournal(stored)) {
		if j, unready = journal.Create(path, ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()).String(), in.Install); errors.Is(unready, journal.ErrExists) {
			j, unready = journal.Open(path) // another process was first
		}
	}
	if unready == nil && j.Install() != in.Install {
		unready = fmt.Errorf("%s is the journal of the installation %s and not of %s", path, j.Install(), in.Install)
		return nil, unready, j.Close()
	}
	return j, unready, nil
}

// guard is what the ledger is held against.
func guard(ctx context.Context, o Options, cfg Config, db *store.DB, now time.Time) (*engine.Guard, error) {
	g := &engine.Guard{Claims: cfg.Claims, Shared: onServer(o.Ledger), Place: func() (map[store.MarkName]string, error) { return place(o.Ledger, cfg.Environment) }}
	var err error
	g.Journal, g.Unready, err = openJournal(ctx, db, o.journalPath(cfg), g.Shared, now)
	return g, err
}

// place tells where a ledger is. Workers of several hosts share a database server, so
// that no file and no host tells it from another one.
func place(ledger, environment string) (map[store.MarkName]string, error) {
	marks := map[store.MarkName]string{store.MarkEnvironment: environment}
	if name, err := os.Hostname(); err == nil {
		marks["hostname"] = name
	}
	if onServer(ledger) {
		return marks, nil
	}
	file, err := fileMark(ledger)
	if err != nil {
		return nil, fmt.Errorf("the ledger: %w", err)
	}
	marks[store.MarkFile], marks[store.MarkHost] = file, hostMark()
	return marks, nil
}

// hostMark tells this machine from others, by the machine id of systemd and D-Bus,
// which is not to be shown (machine-id(5)); "" where there is none.
func hostMark() string {
	for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		raw, err := os.ReadFile(path)
		if id := strings.TrimSpace(string(raw)); err == nil && len(id) == 32 {
			sum := sha256.Sum256([]byte("bursar host " + id))
			return hex.EncodeToString(sum[:8])
		}
	}
	return ""
}

// watch compares the ledger with what is outside of it, before anything is written to
// it. The notice is a sentence for people; "" if nothing is wrong.
func (a *App) watch(ctx context.Context, o Options, cfg Config) (notice string, err error) {
	a.journal = o.journalPath(cfg)
	if a.engine.Guard, err = guard(ctx, o, cfg, a.db, a.clouds.now()); err != nil {
		return "", err
	}
	c, err := a.engine.Compare(ctx)
	switch {
	case err != nil:
		return "", err
	case c.Begun:
		return fmt.Sprintf("the ledger went back in time (%s): purchasing is off and every open line is looked for; see bursar recovery status", strings.Join(c.Back, "; ")), nil
	case c.Refusal != nil:
		return c.Refusal.Error(), nil
	}
	return "", nil
}

// unwatch closes the journal.
func (a *App) unwatch() error {
	if a.engine.Guard == nil || a.engine.Guard.Journal == nil {
		return nil
	}
	return a.engine.Guard.Journal.Close()
}

// Notice is what was found wrong with the ledger when it was opened, one sentence; ""
// for nothing.
func (a *App) Notice() string { return a.notice }
