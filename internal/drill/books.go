package drill

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"bursar/internal/api"
	"bursar/internal/app"
	"bursar/internal/sim"
)

// books are a ledger held against what the clouds have sold.
type books struct {
	lines    int
	states   map[string]int // lines by state
	why      map[string]int // lines that were not bought, by reason
	sold     int            // commitments that bind
	twice    []string       // lines that were bought more than once
	lost     []string       // bought, and the ledger does not know
	ghosts   []string       // in the ledger, and the clouds do not know; or not what was asked for
	nobodys  []string       // commitments that belong to no line
	open     []string       // lines that have not ended
	broken   []string       // invariants of the ledger
	decided  int            // lines that a person has closed
	findings int            // invariants that were tested
}

// count holds the ledgers of installations against the truth of the clouds.
func (w *world) count(ctx context.Context, desks ...*app.App) (*books, error) {
	b := &books{states: map[string]int{}, why: map[string]int{}}
	owned := map[string][]sim.Entry{} // by line
	var lines []api.Line
	byName := map[string]string{} // names of lines, in lower case
	byReceipt := map[string]string{}
	for _, a := range desks {
		of, err := a.History(ctx, api.HistoryFilter{})
		if err != nil {
			return nil, err
		}
		lines = append(lines, of...)
		findings, err := a.Check(ctx)
		if err != nil {
			return nil, err
		}
		b.findings += len(findings)
		for _, f := range findings {
			if !f.OK {
				b.broken = append(b.broken, f.Name+": "+strings.Join(f.Problems, "; "))
			}
		}
	}
	for _, l := range lines {
		byName[strings.ToLower(l.ID)] = l.ID
		if l.Receipt != nil {
			byReceipt[strings.ToLower(l.Receipt.Commitment)] = l.ID
		}
	}
	for _, e := range w.sim.Ledger() {
		if e.State == "payment-failed" || e.State == "queued-deleted" || e.Existing {
			if line := lineOf(e, byName); line != "" {
				owned[line] = append(owned[line], e)
			}
			continue
		}
		b.sold++
		line := lineOf(e, byName)
		if line == "" {
			line = byReceipt[strings.ToLower(e.ID)]
		}
		if line == "" {
			b.nobodys = append(b.nobodys, fmt.Sprintf("%s %s %s of %s in %s", e.Provider, e.Service, e.ID, e.Session, e.Region))
			continue
		}
		owned[line] = append(owned[line], e)
	}
	for _, l := range lines {
		b.enter(l, owned[l.ID])
	}
	return b, nil
}

// lineOf finds the line that a commitment was bought for by whatever its buyer gave to
// the cloud; "" for none.
func lineOf(e sim.Entry, lines map[string]string) string {
	given := []string{e.Session, e.SentID, e.ID, e.Name, e.Token}
	for _, t := range e.Tags {
		given = append(given, t.Value)
	}
	given = slices.AppendSeq(given, maps.Values(e.Attributes))
	for _, text := range given {
		for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return r == '-' || r == '/' || r == ' ' }) {
			if line := lines[word]; line != "" {
				return line
			}
		}
	}
	return ""
}

// enter holds one line against what was sold for it.
func (b *books) enter(l api.Line, sold []sim.Entry) {
	b.lines++
	b.states[l.State]++
	if l.State != "purchased" {
		b.why[l.State+": "+reason(l.Reason)]++
	}
	if l.DecidedBy != "" {
		b.decided++
	}
	where := fmt.Sprintf("line %s, %s %s in %s %s, %s (%s)", l.ID, l.Provider, l.Service, l.Account, l.Region, l.State, l.Reason)
	bound := 0
	for _, e := range sold {
		if e.State != "payment-failed" && e.State != "queued-deleted" {
			bound++
		}
	}
	receipt := l.State == "purchased" && l.Receipt != nil
	named := receipt && slices.ContainsFunc(sold, func(e sim.Entry) bool {
		return strings.EqualFold(e.ID, l.Receipt.Commitment) || e.ARN != "" && strings.EqualFold(e.ARN, l.Receipt.ARN)
	})
	switch {
	case bound > 1:
		b.twice = append(b.twice, fmt.Sprintf("%s: %d times", where, bound))
	case receipt && !named:
		b.ghosts = append(b.ghosts, fmt.Sprintf("%s has the receipt of %s", where, l.Receipt.Commitment))
	case bound == 1 && !receipt:
		b.lost = append(b.lost, where)
	}
	switch l.State {
	case "purchased", "failed", "canceled", "expired", "superseded":
		if l.State == "failed" && l.Reason == "" {
			b.open = append(b.open, where+": it failed without a reason")
		}
	default:
		b.open = append(b.open, where)
	}
}

// identifiers are words of reasons that are of one line.
var identifiers = regexp.MustCompile(`\S*\d\S*`)

// reason is one without what is of one line.
func reason(text string) string { return identifiers.ReplaceAllString(text, "#") }

// bad are all findings that must not be, one line each.
func (b *books) bad() (all []string) {
	for _, of := range []struct {
		what string
		list []string
	}{
		{"bought twice", b.twice}, {"lost", b.lost}, {"ghost", b.ghosts}, {"nobody's", b.nobodys}, {"open", b.open}, {"broken", b.broken},
	} {
		for _, text := range of.list {
			all = append(all, of.what+": "+text)
		}
	}
	return all
}

func (b *books) byState() string {
	var parts []string
	for _, s := range slices.Sorted(maps.Keys(b.states)) {
		parts = append(parts, fmt.Sprintf("%d %s", b.states[s], s))
	}
	return strings.Join(parts, ", ")
}

// verdict prints what was found and ends the drill.
func (w *world) verdict(b *books, more ...string) error {
	bad := b.bad()
	agree := len(bad) == 0
	bad = append(bad, more...)
	const most = 12
	for i, text := range bad {
		if i == most {
			w.say("... and %d more", len(bad)-most)
			break
		}
		w.say("%s", text)
	}
	counts := fmt.Sprintf("%d lines, %d commitments sold, %d bought twice, %d lost, %d ghosts, %d nobody's, %d open; %d invariants hold, %d broken",
		b.lines, b.sold, len(b.twice), len(b.lost), len(b.ghosts), len(b.nobodys), len(b.open), b.findings-len(b.broken), len(b.broken))
	switch {
	case len(bad) > 0 && agree:
		w.say("VERDICT: the drill has failed, though ledger and clouds agree: %s (seed %d)", counts, w.Seed)
		return ErrFailed
	case len(bad) > 0:
		w.say("VERDICT: ledger and clouds DO NOT agree: %s (seed %d)", counts, w.Seed)
		return ErrFailed
	}
	w.say("VERDICT: ledger and clouds agree: %s", counts)
	return nil
}
