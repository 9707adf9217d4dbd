// Package app puts Bursar together: from a configuration to a ledger, clouds and
// an engine, and the uses that commands make of them, told in the types of api.
package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/queue"
	"bursar/internal/store"
)

// Options say which ledger and which clouds to use.
type Options struct {
	Ledger string // file of the ledger, or URL of its PostgreSQL database
	// Config is the configuration file; "" means bursar.yaml beside the ledger, or in
	// the working directory for one that is no file, if there is one.
	Config string
	// Endpoint names a running simulator; "" means the one that this process runs
	// over a file at CloudsPath.
	Endpoint string
	Log      *slog.Logger // nil discards
}

// App is an open ledger with its clouds.
type App struct {
	db      *store.DB
	queue   *queue.Queue
	clouds  *clouds
	engine  *engine.Engine
	rules   engine.ApprovalRules // for plans that are made from now on
	tags    purchase.Tags        // likewise, as templates
	journal string               // path of the intent journal
	options Options
	asked   asked
	notice  string // what was found when the ledger was opened; "" for nothing
	// cadences are how often each task with a schedule is run, 0 for never.
	cadences map[string]time.Duration
	auth     Auth          // how people sign in
	keyPath  string        // of the key that signs receipts
	notify   *notifier     // who is told of what
	sizing   chan struct{} // holds one while usage is sized for a page
	asking   chan struct{} // holds one while the clouds are asked for advice
	advised  advised
}

var _ api.Pages = (*App)(nil)

// ConfigName is the configuration file that is read when none is named.
const ConfigName = "bursar.yaml"

// CloudsPath returns the state file of the simulated clouds that belong to a
// ledger: beside its file, or in the working directory for one that is no file.
func CloudsPath(ledger string) string {
	if store.IsURL(ledger) {
		return "bursar.clouds"
	}
	return ledger + ".clouds"
}

// Init creates a ledger. It never touches an existing one.
func Init(ctx context.Context, o Options) (api.Installation, error) {
	// Asked before the clouds are opened, whose file would be left behind.
	if err := vacant(ctx, o.Ledger); err != nil {
		return api.Installation{}, err
	}
	cfg, err := o.config()
	if err != nil {
		return api.Installation{}, err
	}
	c, err := openClouds(ctx, cfg, o.Endpoint, CloudsPath(o.Ledger))
	if err != nil {
		return api.Installation{}, err
	}
	defer c.close() //nolint:errcheck // nothing was written
	install := newInstall()
	j, err := createJournal(o.journalPath(cfg), install, c.now())
	if err != nil {
		return api.Installation{}, err
	}
	key, err := createKey(o.keyPath(cfg))
	if err != nil {
		return api.Installation{}, errors.Join(err, j.Close(), os.Remove(j.Path()))
	}
	db, err := store.Create(ctx, o.Ledger, install, c.now())
	if err = errors.Join(err, j.Close()); err != nil {
		err = errors.Join(err, os.Remove(j.Path()), os.Remove(o.keyPath(cfg)))
	}
	if errors.Is(err, store.ErrLedgerExists) {
		return api.Installation{}, exists(o.Ledger)
	} else if err != nil {
		return api.Installation{}, err
	}
	a := &App{db: db, clouds: c, engine: &engine.Engine{DB: db, Clouds: c, Now: c.now}}
	err = a.firstKey(ctx, key, install)
	in := api.Installation{}
	if err == nil {
		in, err = a.Installation(ctx)
	}
	if err == nil {
		_, err = a.watch(ctx, o, cfg)
	}
	if err == nil {
		err = makeQueue(ctx, o)
	}
	return in, errors.Join(err, a.unwatch(), db.Close())
}

// vacant refuses a path where no ledger can be created.
func vacant(ctx context.Context, path string) error {
	if store.IsURL(path) {
		db, err := store.Open(ctx, path)
		if err == nil {
			err = db.Close()
		}
		switch {
		case err == nil, errors.Is(err, store.ErrOld):
			return exists(path)
		case errors.Is(err, store.ErrUnreachable):
			return err
		}
		return nil // Create tells what else there is
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a directory: name a file in it, such as --ledger %s", path, filepath.Join(path, "bursar.db"))
	case err == nil:
		return exists(path)
	}
	if dir := filepath.Dir(path); !isDir(dir) {
		return fmt.Errorf("there is no directory %s for the ledger: create it first", dir)
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func exists(path string) error {
	other := "file"
	if store.IsURL(path) {
		other = "database"
	}
	return fmt.Errorf("%s: %w: it is left as it is; name another %s with --ledger to start a new one", store.Masked(path), store.ErrLedgerExists, other)
}

// newInstall returns the four characters that tell this installation's purchases
// from those of any other.
func newInstall() string {
	const letters = "abcdefghjkmnpqrstvwxyz0123456789" // 32 of them: one byte has no bias
	var b [4]byte
	rand.Read(b[:]) //nolint:errcheck // never fails
	for i := range b {
		b[i] = letters[b[i]%32]
	}
	return string(b[:])
}

// Open opens a ledger and its clouds.
func Open(ctx context.Context, o Options) (*App, error) {
	cfg, err := o.config()
	if err != nil {
		return nil, err
	}
	if isDir(o.Ledger) {
		return nil, fmt.Errorf("%s is a directory: name the ledger's file with --ledger", o.Ledger)
	}
	db, err := store.Open(ctx, o.Ledger)
	if errors.Is(err, store.ErrNoLedger) {
		return nil, fmt.Errorf("%w: create one with: bursar init --ledger %s", err, store.Masked(o.Ledger))
	} else if err != nil {
		return nil, err
	}
	c, err := openClouds(ctx, cfg, o.Endpoint, CloudsPath(o.Ledger))
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	measured, err := db.Calibrations(ctx)
	if err != nil {
		return nil, errors.Join(err, c.close(), db.Close())
	}
	c.constants = calibrated(measured)
	if c.simulator == nil {
		db.JudgeClocks()
	}
	if err := db.DeclareExclusive(ctx, cfg.exclusive()); err != nil {
		return nil, errors.Join(err, c.close(), db.Close())
	}
	log := o.log()
	q, err := openQueue(ctx, o)
	if err != nil {
		return nil, errors.Join(err, c.close(), db.Close())
	}
	db.WakeWith(q.Wake)
	a := &App{db: db, queue: q, clouds: c, sizing: make(chan struct{}, 1), asking: make(chan struct{}, 1), options: o, rules: cfg.Approvals.rules(), cadences: cfg.Schedules.every(), tags: cfg.Tags, engine: &engine.Engine{DB: db, Clouds: c, Now: c.now, Log: log}}
	a.auth, a.keyPath = cfg.Auth, o.keyPath(cfg)
	a.notify, a.engine.Outbox = cmp.Or(cfg.notifier, new(notifier)), a.outbox
	a.engine.Recommendations = a.markRecommendations
	a.usePolicies(cfg.Policies)
	if a.notice, err = a.watch(ctx, o, cfg); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (o Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return o.Log
}

// openQueue opens the queue in the database of the ledger.
func openQueue(ctx context.Context, o Options) (*queue.Queue, error) {
	if store.IsURL(o.Ledger) {
		return queue.Postgres(ctx, o.Ledger, o.log())
	}
	return queue.SQLite(o.Ledger, o.log())
}

// makeQueue makes the tables of the queue in the database of the ledger.
func makeQueue(ctx context.Context, o Options) error {
	q, err := openQueue(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(q.Migrate(ctx), q.Close())
}

func (o Options) config() (Config, error) {
	if o.Config != "" {
		return LoadConfig(o.Config, true)
	}
	if store.IsURL(o.Ledger) {
		return LoadConfig(ConfigName, false)
	}
	return LoadConfig(filepath.Join(filepath.Dir(o.Ledger), ConfigName), false)
}

// Close closes the ledger and stops the simulator, if this process runs one.
func (a *App) Close() error {
	return errors.Join(a.clouds.close(), a.unwatch(), a.queue.Close(), a.db.Close())
}

// Installation tells which ledger this is and where purchases go.
func (a *App) Installation(ctx context.Context) (api.Installation, error) {
	in, err := a.db.Installation(ctx)
	if err != nil {
		return api.Installation{}, err
	}
	keys, err := a.db.SigningKeys(ctx)
	if err != nil {
		return api.Installation{}, err
	}
	key := ""
	if len(keys) > 0 {
		key = keys[len(keys)-1]
	}
	where := "live"
	if a.clouds.simulator != nil {
		where = a.clouds.simulator.where
	}
	return api.Installation{
		Ledger: a.db.Path(), Install: in.Install, CreatedAt: in.CreatedAt,
		Simulated: a.Simulated(), Clouds: where, PublicKey: key,
	}, nil
}

// Simulated reports whether no purchase of this app is real.
func (a *App) Simulated() bool { return a.clouds.simulator != nil }

// person names who runs this process.
func person(named string) string {
	for _, name := range []string{named, os.Getenv("BURSAR_USER"), os.Getenv("USER"), os.Getenv("LOGNAME")} {
		if name = strings.TrimSpace(name); name != "" {
			return name
		}
	}
	return "unknown"
}
