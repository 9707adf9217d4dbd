package app

import (
	"context"
	"errors"
	"fmt"

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
		if k, err := c.Claimer(p.provider, p.id); k == nil && err == nil {
			continue // the cloud keeps no marks
		}
		l := api.DoctorLine{Subject: "owner", Provider: string(p.provider), Account: string(p.id), Name: p.name, State: string(driver.CheckOK)}
		owner, err := e.Owner(ctx, p.provider, p.id, false)
		switch {
		case err != nil:
			l.State, l.Detail, l.Next = string(driver.CheckFailed), err.Error(), "nothing is bought while it is not known who buys there"
			if says := driver.Says(cloud.Lane{Provider: p.provider, Account: p.id, Region: p.regions[0]}, err); says != "" {
				l.Detail = says
			}
		case owner.Denied:
			l.State, l.Detail, l.Next = string(driver.CheckUnproven), "the account permits no marks, so that a second installation there is not seen",
				"allow ssm:GetParameter and ssm:PutParameter: bursar doctor --iam prints the policy"
		case owner.Refusal != nil:
			l.State, l.Detail, l.Next = string(driver.CheckFailed), owner.Refusal.Error(), "bursar recovery adopt "+string(p.id)
		case owner.Taken:
			l.Detail = "the account is this ledger's"
		default:
			l.Detail = "nobody has bought there yet"
		}
		lines = append(lines, l)
	}
	return lines, nil
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
