package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// Foreign is a person's word that a commitment is somebody else's.
type Foreign struct {
	Lane       cloud.Lane
	Commitment string // its id, as the cloud lists it
	By         string
	Comment    string
	At         time.Time // UTC
	// Line is the line under whose review it was said; "" for none. It is told in
	// the evidence of that line.
	Line purchase.LineID
}

// ErrDeclared: the commitment was declared foreign before, or a receipt names it.
var ErrDeclared = errors.New("declared foreign already")

// DeclareForeign records that a commitment is somebody else's. It is never taken
// back. A commitment that a receipt names is refused by the database.
func (db *DB) DeclareForeign(ctx context.Context, f Foreign) error {
	err := db.write(ctx, func(q *rows.Queries) error {
		err := q.InsertForeignItem(ctx, rows.InsertForeignItemParams{
			ID: newID(f.At), Provider: string(f.Lane.Provider), Account: string(f.Lane.Account), Region: string(f.Lane.Region),
			Service: string(f.Lane.Service), CommitmentID: f.Commitment, Person: f.By, Comment: f.Comment, At: micros(f.At),
		})
		switch {
		case isUnique(err):
			return ErrDeclared
		case err != nil || f.Line == "":
			return err
		}
		word := f.By + " declared " + f.Commitment + " foreign"
		if f.Comment != "" {
			word += ": " + f.Comment
		}
		return insertEvidence(ctx, q, f.Line, purchase.AttemptEvidence{Evidence: cloud.Evidence{
			Kind: cloud.EvidencePerson, Operation: "foreign", Started: f.At, Detail: word,
		}}, f.At)
	})
	if err != nil {
		return fmt.Errorf("declare %s foreign: %w", f.Commitment, err)
	}
	return nil
}

// ForeignItems lists the ids of the commitments in a lane that people declared
// foreign.
func (db *DB) ForeignItems(ctx context.Context, lane cloud.Lane) ([]string, error) {
	var ids []string
	declared, err := db.Declared(ctx, lane)
	for _, f := range declared {
		ids = append(ids, f.Commitment)
	}
	return ids, err
}

// Declared reads what people declared foreign in a lane, by id.
func (db *DB) Declared(ctx context.Context, lane cloud.Lane) ([]Foreign, error) {
	rs, err := foreignItems(ctx, db.read(), lane)
	if err != nil {
		return nil, fmt.Errorf("foreign items of %s: %w", lane, err)
	}
	list := make([]Foreign, len(rs))
	for i, r := range rs {
		list[i] = Foreign{Lane: lane, Commitment: r.CommitmentID, By: r.Person, Comment: r.Comment, At: fromMicros(r.At)}
	}
	return list, nil
}

func foreignItems(ctx context.Context, q *rows.Queries, lane cloud.Lane) ([]rows.ForeignItem, error) {
	return q.ForeignItemsInLane(ctx, rows.ForeignItemsInLaneParams{
		Provider: string(lane.Provider), Account: string(lane.Account), Region: string(lane.Region), Service: string(lane.Service),
	})
}

// Explained lists the ids in a lane that the ledger accounts for: a receipt names
// them, they were there before us, or a person declared them foreign.
func (db *DB) Explained(ctx context.Context, lane cloud.Lane) ([]string, error) {
	var ids []string
	err := db.view(ctx, func(q *rows.Queries) error {
		var err error
		ids, _, err = laneOfRow(ctx, q, lane)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("what is explained in %s: %w", lane, err)
	}
	return ids, nil
}

// decideLine is moveLine by a person's decision: the same guards, and the row says
// who decided.
func (db *DB) decideLine(ctx context.Context, q *rows.Queries, c purchase.Change, now time.Time) (int64, error) {
	return q.DecideLine(ctx, rows.DecideLineParams{
		ToState: string(c.To), Generation: int64(c.Generation), Reason: c.Reason,
		MustLeaveBy: micros(c.MustLeaveBy), LookAt: micros(c.LookAt), UpdatedAt: micros(now),
		ListingDigest: c.Listing.Digest, ListingAt: micros(c.Listing.At), DecidedBy: c.DecidedBy,
		ID: string(c.Line), Version: int64(c.Version), CancelRequested: flag(c.CancelRequested),
		Incarnation: db.incarnation.Load(),
	})
}
