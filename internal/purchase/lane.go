package purchase

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
)

// Class C: the cloud guards a purchase by nothing. One purchase at a time is open
// in a lane, by a unique index. What the lane held before is stored with the
// attempt; what it holds after, when everything must be dead and visible, less
// what the ledger explains, is what the purchase may have bought. The audit log
// names it by the credential that only this attempt had, or it carries the name
// that the attempt sent, where the cloud shows names that it does not guard;
// without that, and unless nobody else buys in this lane, a person decides.
//
// Class AC: as class C, but while the cloud remembers the token of a request the
// same request may be sent again, and the answer tells. All requests of a line in
// doubt are then one purchase, whose image of the lane is the first one's.

// relist is the distance between the two settled listings that must agree.
const relist = time.Minute

// lookLane (T4, T8, T9, T12) draws the conclusion from listings of a whole lane.
func (rules Rules) lookLane(row *Row, ev Looked, now time.Time) (Change, error) {
	a := *row.firstOpen()
	candidates := newInLane(row, a, ev.Found)

	// The audit log proves by presence, and so does our name. What the log names must
	// also be listed: the goods are compared there.
	var missing []cloud.Evidence // named by the log, and not new in the lane
	var proof cloud.Evidence
	proven := map[string]bool{}
	for _, t := range slices.Concat(commitments(ev.Trail), carrying(row, candidates)) {
		i := slices.IndexFunc(candidates, func(c cloud.Evidence) bool { return c.Commitment.ID == t.Commitment.ID })
		if i < 0 {
			missing = append(missing, t)
			continue
		}
		if why := mismatch(row, *candidates[i].Commitment); why != "" {
			c := move(row, "T12", NeedsReview, why, now)
			c.Evidence = about(a.N, []cloud.Evidence{t, candidates[i]})
			return c, nil
		}
		proven[t.Commitment.ID] = true // perhaps told twice: of a request that was repeated
		proof = t
		proof.Commitment = candidates[i].Commitment
	}
	if len(proven) == 1 && len(missing) == 0 {
		return rules.take(row, a.N, proof, now), nil
	}

	settled := row.SettledAt()
	first := ev.Found[0]
	if first.Started.Before(settled) || first.CloudTime.Before(settled) {
		return stillInDoubt(row, settled, now), nil
	}
	digest := listingDigest(ev.Found)
	if row.Line.Listing.Digest != digest || row.Line.Listing.At.Before(settled) {
		c := stay(row)
		c.Listing = Listing{Digest: digest, At: now}
		c.LookAt = now.Add(relist)
		c.Reason = "in doubt: listed once after everything settled; listing once more"
		return c, nil
	}
	if again := row.Line.Listing.At.Add(relist); now.Before(again) {
		c := stay(row)
		c.LookAt = again
		return c, nil
	}

	var like []cloud.Evidence // what this line could have bought
	for _, c := range candidates {
		if kin(row, *c.Commitment) {
			like = append(like, c)
		}
	}
	switch {
	case len(missing) > 0:
		c := move(row, "T12", NeedsReview, "the audit log names "+missing[0].Commitment.ID+", which no listing shows as new", now)
		c.Evidence = about(a.N, append(missing, like...))
		return c, nil
	case len(like) == 0 && row.mayHaveBought():
		return review(row, a.N, "the cloud accepted the request, and no listing shows what came of it", first, now), nil
	case len(like) == 0:
		last := cloud.Evidence{Outcome: cloud.InDoubt, Detail: "two complete listings show nothing new that this line could have bought"}
		c := rules.empty(row, last, now)
		c.Attempts = closeOthers(row, 0, AttemptDead, now)
		c.Evidence = []AttemptEvidence{{N: a.N, Evidence: summary(first, last.Detail)}}
		return c, nil
	case len(like) == 1 && row.Exclusive && mismatch(row, *like[0].Commitment) == "":
		return rules.take(row, a.N, like[0], now), nil
	}
	c := move(row, "T12", NeedsReview, fmt.Sprintf(
		"%d new commitments could be this line's, and nothing proves which", len(like)), now)
	c.Evidence = about(a.N, like)
	return c, nil
}

// kin reports whether a commitment is of the offering that the line asked for, by
// its id or, where the cloud does not say that, by its goods. In another quantity
// it may still be the line's: a cloud can fill an order in part.
func kin(row *Row, c cloud.Commitment) bool {
	want := row.Line.Spec
	if c.Account != want.Account || c.Region != want.Offering.Region {
		return false
	}
	if c.OfferingID == "" {
		return maps.Equal(c.Attributes, want.Offering.Attributes) && c.Term == want.Offering.Term && c.Payment == want.Offering.Payment
	}
	return c.OfferingID == want.Offering.ID
}

// take (T4) records a commitment as the effect of attempt n.
func (rules Rules) take(row *Row, n int, e cloud.Evidence, now time.Time) Change {
	c := move(row, "T4", Purchased, "", now)
	if n > 0 {
		a := row.Attempts[n-1]
		c.Attempts = []AttemptChange{{N: n, To: AttemptSucceeded, Outcome: a.Outcome, Code: a.Code, EndedAt: now}}
	}
	c.Attempts = append(c.Attempts, closeOthers(row, n, AttemptDead, now)...)
	c.Evidence = about(n, []cloud.Evidence{e})
	c.Receipt = &Receipt{Line: row.Line.ID, Attempt: n, Term: row.Line.Spec.Offering.Term, Commitment: *e.Commitment, At: now, How: e.Kind}
	return c
}

// carrying returns the commitments that carry a name under which an open attempt
// of the line was sent.
func carrying(row *Row, found []cloud.Evidence) []cloud.Evidence {
	var ours []cloud.Evidence
	for _, f := range found {
		for a := range row.Open() {
			if a.named(*f.Commitment) {
				ours = append(ours, f)
				break
			}
		}
	}
	return ours
}

// newInLane returns what a listing shows that was not there before the attempt
// and that nothing else explains. A commitment under another name than the line's
// is somebody else's: the request carried one.
func newInLane(row *Row, a Attempt, found []cloud.Evidence) []cloud.Evidence {
	var news []cloud.Evidence
	for _, f := range commitments(found) {
		c := f.Commitment
		if !c.State.Binding() || slices.Contains(a.Before, c.ID) || slices.Contains(row.Explained, c.ID) ||
			c.Start.Before(a.ArmedAt.Add(-maxSkew)) || c.Name != "" && !row.Ours(*c) {
			continue
		}
		news = append(news, f)
	}
	return news
}

// ids lists the commitments of a listing.
func ids(found []cloud.Evidence) []string {
	var list []string
	for _, f := range commitments(found) {
		list = append(list, f.Commitment.ID)
	}
	return list
}

// listingDigest tells whether two listings show the same commitments.
func listingDigest(found []cloud.Evidence) string {
	list := ids(found)
	slices.Sort(list)
	sum := sha256.Sum256([]byte(strings.Join(list, "\n")))
	return hex.EncodeToString(sum[:8])
}

// summary is evidence about a listing as a whole.
func summary(e cloud.Evidence, detail string) cloud.Evidence {
	e.Kind, e.Commitment, e.Detail = cloud.EvidenceAbsence, nil, detail
	return e
}
