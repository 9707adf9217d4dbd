package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bursar/internal/api"
	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/engine"
	"bursar/internal/journal"
	"bursar/internal/store"
)

// markLines tells whether the journal can be written, and who buys in the accounts.
func markLines(ctx context.Context, o Options, cfg Config, c *clouds, patients []patient) (lines []api.DoctorLine, err error) {
	db, err := store.Open(ctx, o.Ledger)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	line, err := journalLine(ctx, db, o.Ledger, o.journalPath(cfg))
	if err != nil {
		return nil, err
	}
	lines = append(lines, line)
	e := &engine.Engine{DB: db, Clouds: c, Now: c.now, Guard: &engine.Guard{}}
	for _, p := range patients {
		for _, account := range payersOf(p) {
			if l := ownerLine(ctx, e, p, account); !slices.ContainsFunc(lines, func(o api.DoctorLine) bool { return o.Provider == l.Provider && o.Account == l.Account }) {
				lines = append(lines, l)
			}
		}
	}
	return lines, nil
}

// ownerLine tells who buys in an account.
func ownerLine(ctx context.Context, e *engine.Engine, p patient, account cloud.Account) api.DoctorLine {
	l := api.DoctorLine{Subject: "owner", Provider: string(p.provider), Account: string(account), Name: p.name, State: string(driver.CheckOK)}
	owner, err := e.Owner(ctx, p.provider, account, false)
	switch {
	case err != nil:
		l.State, l.Detail, l.Next = string(driver.CheckFailed), err.Error(), "nothing is bought while it is not known who buys there"
		if says := driver.Says(cloud.Lane{Provider: p.provider, Account: account, Region: p.regions[0]}, err); says != "" {
			l.Detail = says
		}
	case !owner.Kept:
		l.State, l.Detail, l.Next = string(driver.CheckUnproven), "the account keeps no marks, so that a second installation there is not seen", marksNext(p.provider, false)
	case owner.Denied:
		l.State, l.Detail, l.Next = string(driver.CheckUnproven), "the account permits no marks, so that a second installation there is not seen", marksNext(p.provider, true)
	case owner.Refusal != nil:
		l.State, l.Detail, l.Next = string(driver.CheckFailed), owner.Refusal.Error(), "bursar recovery adopt "+string(account)
	case owner.Taken:
		l.Detail = "the account is this ledger's"
	default:
		l.Detail = "nobody has bought there yet"
	}
	return l
}

func journalLine(ctx context.Context, db *store.DB, ledger, path string) (api.DoctorLine, error) {
	l := api.DoctorLine{Subject: "journal", State: string(driver.CheckOK)}
	stored, err := db.StoredMarks(ctx)
	if err != nil {
		return l, err
	}
	j, err := journal.Open(path)
	had := store.HasJournal(stored)
	switch {
	case errors.Is(err, journal.ErrMissing) && (!had || onServer(ledger)):
		l.Detail = "it will be " + path
		return l, nil
	case err != nil:
		l.State, l.Detail, l.Next = string(driver.CheckFailed), err.Error(), "see bursar recovery status"
		return l, nil
	}
	_, known := stored[store.JournalMark(j.ID())]
	if l.Detail = "opens: " + path; had && !known && !onServer(ledger) {
		l.State, l.Detail, l.Next = string(driver.CheckFailed), fmt.Sprintf("%s is not the journal that this ledger has written", path), "see bursar recovery status"
	}
	return l, j.Close()
}
