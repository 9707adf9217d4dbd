package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"bursar/internal/api"
	"bursar/internal/auditlog"
	"bursar/internal/auth"
	"bursar/internal/store"
)

// Migrate brings a ledger up to date with this program.
func Migrate(ctx context.Context, o Options) (api.Migration, error) {
	from, to, err := store.Migrate(ctx, o.Ledger)
	if errors.Is(err, store.ErrNoLedger) {
		err = fmt.Errorf("%w: create one with: bursar init --ledger %s", err, store.Masked(o.Ledger))
	}
	return api.Migration{Ledger: store.Masked(o.Ledger), From: from, To: to}, err
}

// CopyLedger makes a new ledger of all that one holds, and ends the old one. The
// state of simulated clouds that belongs to it and its journal go along, unless there is
// one at the new place.
func CopyLedger(ctx context.Context, o Options, from, to, by string) (api.LedgerCopy, error) {
	by = person(by)
	if err := plain("the name of the person", by); err != nil {
		return api.LedgerCopy{}, err
	}
	if err := vacant(ctx, to); err != nil {
		return api.LedgerCopy{}, err
	}
	o.Ledger = from
	cfg, err := o.config()
	if err != nil {
		return api.LedgerCopy{}, err
	}
	c, err := openClouds(ctx, cfg, o.Endpoint, CloudsPath(from))
	if err != nil {
		return api.LedgerCopy{}, err
	}
	now := c.now()
	own := c.simulator != nil && c.simulator.own != nil
	if err := c.close(); err != nil {
		return api.LedgerCopy{}, err
	}
	copied := api.LedgerCopy{From: store.Masked(from), To: store.Masked(to), Tables: []api.CopiedTable{}}
	if own {
		if copied.Clouds, err = copyBeside("the simulated clouds", CloudsPath(from), CloudsPath(to)); err != nil {
			return api.LedgerCopy{}, err
		}
	}
	there := o
	there.Ledger = to
	journal, err := copyBeside("the journal", o.journalPath(cfg), there.journalPath(cfg))
	if err != nil {
		return api.LedgerCopy{}, err
	}
	key, err := copyBeside("the signing key", o.keyPath(cfg), there.keyPath(cfg))
	if err != nil {
		return api.LedgerCopy{}, err
	}
	var tables []store.CopiedTable
	if err = logCopy(ctx, from, to, by); err == nil {
		tables, err = store.Copy(ctx, from, to, by, now)
	}
	switch {
	case errors.Is(err, store.ErrLedgerExists):
		err = exists(to)
	case errors.Is(err, store.ErrNoLedger):
		err = fmt.Errorf("%w: there is nothing to copy", err)
	}
	if err != nil {
		for _, made := range []string{copied.Clouds, journal, key} {
			if made != "" {
				err = errors.Join(err, os.Remove(made))
			}
		}
		return api.LedgerCopy{}, err
	}
	for _, t := range tables {
		copied.Tables = append(copied.Tables, api.CopiedTable{Name: t.Name, Rows: t.Rows})
	}
	return copied, nil
}

// logCopy tells the audit log of a ledger that it is about to be copied.
func logCopy(ctx context.Context, from, to, by string) error {
	db, err := store.Open(ctx, from)
	if err != nil {
		return err
	}
	a := App{db: db}
	_, err = a.log(ctx, step{act: auth.LedgerCopy, by: by, subject: store.Masked(to)}, auditlog.Did)
	return errors.Join(err, db.Close())
}

// copyBeside copies a file that belongs to a ledger and returns where to; "" if there was nothing to copy
// or something stands there.
func copyBeside(what, from, to string) (made string, err error) {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	defer in.Close() //nolint:errcheck // read only
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("%s: %w", what, err), os.Remove(to))
	}
	return to, nil
}
