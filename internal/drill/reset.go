package drill

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// ResetOptions are those of Reset.
type ResetOptions struct {
	Options
	Step int // bytes from one reset to the next; 1 resets after every byte
}

// victim is a purchase whose connections are reset, by what only its request has.
type victim struct {
	name, marker      string
	request, answer   int // bytes of a whole one; 0 until one has passed
	next, answered    int // byte after which the next request, or answer, is reset
	requests, answers int // how many were
}

// Reset buys lines of RDS, of EC2 and of Google Cloud while the connection of each
// purchase is reset after so many bytes of the request or of its answer: one purchase
// for each number, from none to all.
func Reset(ctx context.Context, o ResetOptions) error {
	w, err := open(ctx, o.Options)
	if err != nil {
		return err
	}
	defer w.close() //nolint:errcheck // a throw-away world
	first := w.random.IntN(o.Step)
	victims := []*victim{
		{name: "rds", marker: "Action=PurchaseReservedDBInstancesOffering", next: first, answered: first},
		{name: "ec2", marker: "Action=PurchaseReservedInstancesOffering", next: first, answered: first},
		{name: "compute", marker: "POST /compute/v1/projects/", next: first, answered: first},
	}
	var mu sync.Mutex
	p, err := newProxy(strings.TrimPrefix(w.clouds.url, "http://"),
		func(f *flow, piece []byte) ([]byte, bool) {
			mu.Lock()
			defer mu.Unlock()
			i := slices.IndexFunc(victims, func(v *victim) bool { return bytes.Contains(piece, []byte(v.marker)) })
			if i < 0 {
				return piece, false
			}
			v := victims[i]
			f.mark, f.n, f.limit = v.name, 0, -1
			switch {
			case v.request == 0:
				v.request = len(piece)
			case v.next <= v.request:
				n := min(v.next, len(piece))
				v.next += o.Step
				v.requests++
				return piece[:n], true
			case v.answered <= v.answer:
				f.limit = v.answered
				v.answered += o.Step
				v.answers++
			}
			return piece, false
		},
		func(f *flow, piece []byte) ([]byte, bool) {
			if f.mark == "" {
				return piece, false
			}
			mu.Lock()
			defer mu.Unlock()
			v := victims[slices.IndexFunc(victims, func(v *victim) bool { return v.name == f.mark })]
			f.n += len(piece)
			if f.limit < 0 {
				v.answer = max(v.answer, f.n)
				return piece, false
			}
			if f.n < f.limit {
				return piece, false
			}
			return piece[:len(piece)-(f.n-f.limit)], true
		})
	if err != nil {
		return err
	}
	defer p.close()
	through := w.at
	through.Endpoint = "http://" + p.addr
	sold := slices.DeleteFunc(slices.Clone(goods), func(g good) bool {
		return !slices.ContainsFunc(victims, func(v *victim) bool { return strings.HasPrefix(g.line, "service: "+v.name+",") })
	})
	// Every account and region of Google once: no two lines of a plan buy the same.
	plans, err := w.approved(ctx, w.desk, linesOf(w.sim, sold, o.Lines), 8*len(sold))
	if err != nil {
		return err
	}
	if err := w.beginAll(ctx, plans); err != nil {
		return err
	}
	w.say("%d lines of %d plans are begun; connections are reset after every %d bytes, from %d on (seed %d)", o.Lines, len(plans), o.Step, first, w.Seed)
	began := time.Now()
	rounds, err := w.finish(ctx, through, 1)
	if err != nil {
		return err
	}
	b, err := w.settled(ctx)
	if err != nil {
		return err
	}
	w.say("")
	var bad []string
	for _, v := range victims {
		w.say("  %-21s %d resets in a request of %d bytes, %d in an answer of %d", v.name, v.requests, v.request, v.answers, v.answer)
		if v.next <= v.request || v.answered <= v.answer {
			bad = append(bad, fmt.Sprintf("%s: resets up to byte %d of %d and %d of %d only: use more lines, or a larger --step", v.name, v.next, v.request, v.answered, v.answer))
		}
	}
	w.lineTable(b)
	w.say("  took                  %s, %d moves of the clouds' clock", time.Since(began).Round(time.Second), rounds)
	w.say("")
	return w.verdict(b, bad...)
}

// lineTable says what became of the lines.
func (w *world) lineTable(b *books) {
	w.say("  requests to clouds    %d, of them %d to buy", w.clouds.asked.Load(), w.spending())
	w.say("  lines                 %s; %d decided by a person", b.byState(), b.decided)
	for _, why := range slices.Sorted(maps.Keys(b.why)) {
		w.say("                        %d %s", b.why[why], why)
	}
}
