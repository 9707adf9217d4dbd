package purchase

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
)

func TestALineIsBoughtWithOneRequest(t *testing.T) {
	w := newWorld(t, lineIn(Ready))
	row, err := w.process(nil, nil).Advance(t.Context(), testLine)
	if err != nil {
		t.Fatal(err)
	}
	w.bought(row)
	if w.cloud.requests != 1 || len(row.Attempts) != 1 {
		t.Errorf("%d requests, %d attempts", w.cloud.requests, len(row.Attempts))
	}
	if got := row.Attempts[0]; got.Credential != "AKIA-"+identity(1)+"-a1" || got.State != AttemptSucceeded || got.Outcome != cloud.Bought {
		t.Errorf("attempt %+v", got)
	}
	if how := w.ledger.receipts[0].How; how != cloud.EvidenceReply {
		t.Errorf("the receipt rests on %s", how)
	}
	if again, err := w.process(nil, nil).Advance(t.Context(), testLine); err != nil || again.Line.State != Purchased || w.cloud.requests != 1 {
		t.Errorf("a second run: %s, %v, %d requests", again.Line.State, err, w.cloud.requests)
	}
}

func TestHistoriesOfOneLine(t *testing.T) {
	for _, c := range []struct {
		name     string
		row      Row
		faults   []fault
		lag      time.Duration
		prepare  func(*world)
		bought   bool
		state    State
		requests int
		attempts int
	}{
		{name: "the reply is lost and a look finds it", faults: []fault{lostReply}, lag: 1, bought: true, requests: 1, attempts: 1},
		{name: "the reply is lost and the listing is late: sent again, merged, found", faults: []fault{lostReply}, lag: 4 * time.Minute, bought: true, requests: 2, attempts: 2},
		{name: "the request is lost and sent again under the same name", faults: []fault{lostRequest}, bought: true, requests: 1, attempts: 2},
		{name: "every request of a name is lost and the next name buys", faults: []fault{lostRequest, lostRequest, lostRequest, lostRequest}, bought: true, requests: 1, attempts: 5},
		{name: "all requests are lost", faults: []fault{lostRequest, lostRequest, lostRequest, lostRequest, lostRequest}, state: Failed, attempts: 5},
		{name: "the reply is lost and the line called off", faults: []fault{lostReply}, bought: true, requests: 1, attempts: 1,
			prepare: func(w *world) { w.cloud.onWire = func() { w.ledger.change1(testLine, calledOff) } }},
		{name: "the request is lost and the line called off", faults: []fault{lostRequest}, state: Canceled, attempts: 1,
			prepare: func(w *world) {
				_, _ = w.process(nil, nil).Advance(context.Background(), testLine)
				w.ledger.change1(testLine, calledOff)
			}},
		{name: "the request is lost and the approval ends", faults: []fault{lostRequest}, state: Expired, attempts: 1, row: lineIn(Ready, approvedUntil(t0.Add(time.Second)))},
		{name: "refused", faults: []fault{refuses}, state: Failed, requests: 1, attempts: 1},
		{name: "refused, when the plan has been replaced since", faults: []fault{refuses}, state: Expired, requests: 1, attempts: 1,
			prepare: func(w *world) { w.cloud.onWire = func() { w.ledger.change1(testLine, superseded) } }},
		{name: "throttled three times", faults: []fault{throttles, throttles, throttles}, bought: true, requests: 4, attempts: 4},
		{name: "never sent twenty times", faults: repeat(neverSent, 20), bought: true, requests: 1, attempts: 21},
		{name: "throttled for ever", faults: repeat(throttles, 100), state: Failed, requests: 40, attempts: 40},
		{name: "lost, then refused, then listed as nothing", faults: []fault{lostRequest, refuses}, bought: true, requests: 2, attempts: 3},
		{name: "a reply is lost, the repeat refused: never closed as refused", faults: []fault{lostReply, refuses}, lag: 4 * time.Minute, bought: true, requests: 2, attempts: 2},
		{name: "called off before", row: lineIn(Ready, calledOff), state: Canceled},
		{name: "approval over before", row: lineIn(Ready, approvedUntil(t0)), state: Expired},
		{name: "not sold, and nobody approves a new version", state: Expired, prepare: func(w *world) { w.cloud.failing["Quote"] = ErrNotSold }},
		{name: "dearer, and nobody approves a new version", state: Expired, prepare: func(w *world) { w.cloud.drift = func(o *cloud.Offering) { o.Upfront = usd("777.01") } }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.row.Line.ID == "" {
				c.row = lineIn(Ready)
			}
			w := newWorld(t, c.row, c.faults...)
			if c.lag != 0 {
				w.cloud.lag = c.lag
			}
			if c.prepare != nil {
				c.prepare(w)
			}
			row := w.settle()
			if c.bought {
				w.bought(row)
			} else if row.Line.State != c.state {
				t.Errorf("the line is %s (%s), want %s", row.Line.State, row.Line.Reason, c.state)
			}
			w.consistent(row)
			if w.cloud.requests != c.requests || len(row.Attempts) != c.attempts {
				t.Errorf("%d requests in %d attempts, want %d in %d", w.cloud.requests, len(row.Attempts), c.requests, c.attempts)
			}
		})
	}
}

func repeat(f fault, n int) []fault {
	fs := make([]fault, n)
	for i := range fs {
		fs[i] = f
	}
	return fs
}

func TestAStoppedInstallationBuysNothingAndKeepsLooking(t *testing.T) {
	w := newWorld(t, lineIn(Ready, stopped))
	for range 3 {
		if row, err := w.process(nil, nil).Advance(t.Context(), testLine); err != nil || row.Line.State != Ready {
			t.Fatalf("%s, %v", row.Line.State, err)
		}
	}
	if len(w.cloud.seen) != 0 {
		t.Error("something was sent")
	}
	w = newWorld(t, lineIn(Ready), lostReply)
	w.cloud.onWire = func() { w.ledger.change1(testLine, stopped) }
	w.bought(w.settle())
	if w.cloud.requests != 1 {
		t.Errorf("%d requests", w.cloud.requests)
	}
}

func TestTroubleBeforeThePurchaseIsNotedAndTriedAgain(t *testing.T) {
	for _, port := range []string{"Facts", "Find", "Quote"} {
		t.Run(port, func(t *testing.T) {
			w := newWorld(t, lineIn(Ready))
			trouble := errors.New("no route to the cloud")
			w.cloud.failing[port] = trouble
			row, err := w.process(nil, nil).Advance(t.Context(), testLine)
			if !errors.Is(err, trouble) || row.Line.State != Ready || row.Line.Reason != trouble.Error() || !row.Line.LookAt.Equal(t0.Add(ReadRetry)) {
				t.Errorf("%v, row %+v", err, row.Line)
			}
			if len(w.cloud.seen) != 0 {
				t.Error("something was sent")
			}
			delete(w.cloud.failing, port)
			w.bought(w.settle())
		})
	}
	for _, c := range []struct {
		name        string
		until, want time.Duration
	}{
		{"until a time", time.Hour, time.Hour},
		{"until now", 0, ReadRetry},
		{"until the approval is over", 48 * time.Hour, 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, lineIn(Ready, func(r *Row) { r.ApprovalExpires = t0.Add(24 * time.Hour) }))
			w.cloud.failing["Quote"] = Later{t0.Add(c.until), "not before"}
			row, err := w.process(nil, nil).Advance(t.Context(), testLine)
			if err == nil || row.Line.State != Ready || row.Line.Reason != "not before" || !row.Line.LookAt.Equal(t0.Add(c.want)) {
				t.Errorf("%v, row %+v, want a look after %s", err, row.Line, c.want)
			}
			delete(w.cloud.failing, "Quote")
			if row, err := w.advanced(t0.Add(c.want), true); c.want < 24*time.Hour && (err != nil || row.Line.State != Purchased) || c.want == 24*time.Hour && row.Line.State != Expired {
				t.Errorf("then it is %s, %v", row.Line.State, err)
			}
		})
	}
	t.Run("while in doubt", func(t *testing.T) {
		w := newWorld(t, lineIn(Ready), lostReply)
		if _, err := w.process(nil, nil).Advance(t.Context(), testLine); err != nil {
			t.Fatal(err)
		}
		trouble := errors.New("no route to the cloud")
		w.cloud.failing["Find"] = trouble
		w.clock.now = t0.Add(time.Hour)
		row, err := w.process(nil, nil).Advance(t.Context(), testLine)
		if !errors.Is(err, trouble) || row.Line.State != Armed || row.InDoubt() != 1 {
			t.Errorf("%v, the line is %s", err, row.Line.State)
		}
		delete(w.cloud.failing, "Find")
		w.bought(w.settle())
	})
}

func TestAnUnknownCommitIsReadBackBeforeAnythingIsSent(t *testing.T) {
	for _, c := range []struct {
		name            string
		fault           commitFault
		down            bool // the read back fails
		sentByThis      int
		sentInTheEnd    int
		attemptsInTotal int
	}{
		{name: "applied", fault: appliedUnknown, sentByThis: 1, sentInTheEnd: 1, attemptsInTotal: 1},
		{name: "not applied", fault: notAppliedUnknown, sentByThis: 1, sentInTheEnd: 1, attemptsInTotal: 1},
		{name: "applied, and the read back fails", fault: appliedUnknown, down: true, sentByThis: 0, sentInTheEnd: 1, attemptsInTotal: 2},
		{name: "not applied, and the read back fails", fault: notAppliedUnknown, down: true, sentByThis: 0, sentInTheEnd: 1, attemptsInTotal: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, lineIn(Ready))
			w.ledger.lose[1] = c.fault
			sentWithoutRow := false
			p := w.process(func(port string) {
				if port == "Armed" && c.down {
					w.ledger.down = 2 // this call, and the reading of the row after it
				}
				if port == "Purchase" && len(w.ledger.rows[testLine].Attempts) == 0 {
					sentWithoutRow = true
				}
			}, nil)
			_, err := p.Advance(t.Context(), testLine)
			if (err != nil) != c.down {
				t.Errorf("advance: %v", err)
			}
			if sentWithoutRow {
				t.Error("a request was sent whose row is not in the ledger")
			}
			if got := len(w.cloud.seen); got != c.sentByThis {
				t.Errorf("%d requests sent, want %d", got, c.sentByThis)
			}
			row := w.settle()
			w.bought(row)
			if w.cloud.requests != c.sentInTheEnd || len(row.Attempts) != c.attemptsInTotal {
				t.Errorf("%d requests in %d attempts", w.cloud.requests, len(row.Attempts))
			}
		})
	}
}

func TestAnAnswerIsRecordedThroughTroubleOrFoundAgain(t *testing.T) {
	for name, c := range map[string]struct {
		down    int // calls of the ledger that fail after the purchase
		lose    map[int]commitFault
		trouble bool
	}{
		"the ledger is away for four calls": {down: 4},
		"the ledger is away for good":       {down: 6, trouble: true},
		"unknown, applied":                  {lose: map[int]commitFault{2: appliedUnknown}},
		"unknown, not applied":              {lose: map[int]commitFault{2: notAppliedUnknown}},
		"unknown four times":                {lose: map[int]commitFault{2: notAppliedUnknown, 3: notAppliedUnknown, 4: notAppliedUnknown, 5: appliedUnknown}},
		"unknown five times":                {lose: map[int]commitFault{2: notAppliedUnknown, 3: notAppliedUnknown, 4: notAppliedUnknown, 5: notAppliedUnknown, 6: notAppliedUnknown}, trouble: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, lineIn(Ready))
			if c.lose != nil {
				w.ledger.lose = c.lose
			}
			p := w.process(nil, func(port string) {
				if port == "Purchase" {
					w.ledger.down = c.down
				}
			})
			row, err := p.Advance(t.Context(), testLine)
			if (err != nil) != c.trouble {
				t.Errorf("advance: %v", err)
			}
			if c.trouble && row.Line.State == Purchased {
				t.Errorf("the line is %s although nothing could be recorded", row.Line.State)
			}
			w.bought(w.settle())
			if w.cloud.requests != 1 {
				t.Errorf("%d requests", w.cloud.requests)
			}
		})
	}
}

func TestAStopLetsTheRequestFinish(t *testing.T) {
	w := newWorld(t, lineIn(Ready))
	ctx, stop := context.WithCancel(t.Context())
	var under error
	p := w.process(func(port string) {
		if port == "Purchase" {
			stop()
		}
	}, nil)
	p.Market = watchedContext{p.Market, &under}
	row, err := p.Advance(ctx, testLine)
	if err != nil {
		t.Fatal(err)
	}
	w.bought(row)
	if under != nil {
		t.Errorf("the request ran under a context that was %v", under)
	}
	// A stop before the line is taken up sends nothing.
	w = newWorld(t, lineIn(Ready))
	if _, err := w.process(nil, nil).Advance(ctx, testLine); err != nil || len(w.cloud.seen) != 0 {
		t.Errorf("%v, %d requests", err, len(w.cloud.seen))
	}
}

type watchedContext struct {
	Market
	under *error
}

func (m watchedContext) Purchase(ctx context.Context, i Intent, sendBy time.Time) Answered {
	a := m.Market.Purchase(ctx, i, sendBy)
	*m.under = ctx.Err()
	return a
}

func TestARequestIsNotSentLongAfterItsCommit(t *testing.T) {
	w := newWorld(t, lineIn(Ready))
	p := w.process(func(port string) {
		if port == "Purchase" && len(w.cloud.seen) == 0 {
			w.clock.now = w.clock.now.Add(DefaultRules.Gate + 1)
		}
	}, nil)
	if row, err := p.Advance(t.Context(), testLine); err != nil || row.Line.State != Ready || w.cloud.requests != 0 {
		t.Errorf("%s, %v, %d requests", row.Line.State, err, w.cloud.requests)
	}
	w.bought(w.settle())
}

func TestReadsThatTookTooLongArmNothing(t *testing.T) {
	for _, paused := range []time.Duration{testFacts.Life - DefaultRules.Gate, testFacts.Life, time.Hour} {
		w := newWorld(t, lineIn(Ready))
		p := w.process(nil, func(port string) {
			if port == "Quote" && w.ledger.commits == 0 {
				w.clock.now = w.clock.now.Add(paused)
			}
		})
		row, err := p.Advance(t.Context(), testLine)
		if err == nil || row.Line.State != Ready || row.Line.Armed != 0 || len(w.cloud.seen) != 0 {
			t.Errorf("paused for %s: %s with %d attempts, %v", paused, row.Line.State, row.Line.Armed, err)
		}
		w.bought(w.settle())
	}
}

func TestALineOfANewerProtocolIsLeftAlone(t *testing.T) {
	a := attempt(1, 1, AttemptArmed, cloud.InDoubt)
	a.Protocol = ProtocolVersion + 1
	w := newWorld(t, lineIn(Armed, with(a)))
	w.clock.now = t0.Add(time.Hour)
	row, err := w.process(func(port string) {
		if port != "Row" {
			t.Errorf("%s was called", port)
		}
	}, nil).Advance(t.Context(), testLine)
	if err != nil || row.Line.State != Armed {
		t.Errorf("%s, %v", row.Line.State, err)
	}
}

func TestALineThatIsNotDueIsLeftAlone(t *testing.T) {
	w := newWorld(t, lineIn(Ready, func(r *Row) { r.Line.LookAt = t0.Add(time.Second) }))
	if row, err := w.process(nil, nil).Advance(t.Context(), testLine); err != nil || row.Line.State != Ready || len(w.cloud.seen) != 0 {
		t.Errorf("%s, %v", row.Line.State, err)
	}
	w.ledger.down = 1
	if _, err := w.process(nil, nil).Advance(t.Context(), testLine); !errors.Is(err, errDown) {
		t.Errorf("without a ledger: %v", err)
	}
}

// advanced runs one process on the line at a moment. able says whether its market
// has the powers that a cloud need not have.
func (w *world) advanced(at time.Time, able bool) (Row, error) {
	w.Helper()
	w.clock.now = at
	p := w.process(nil, nil)
	if able {
		p.Market = w.cloud
	}
	return p.Advance(w.Context(), testLine)
}

func (w *world) asked(want ...string) {
	w.Helper()
	if diff := cmp.Diff(want, w.cloud.asked); diff != "" {
		w.Errorf("asked of the cloud (-want +got):\n%s", diff)
	}
}

// postponed checks that a line is where it was and is tried again soon.
func (w *world) postponed(row Row, err, cause error, state State) {
	w.Helper()
	if !errors.Is(err, cause) || row.Line.State != state || row.Line.Reason != cause.Error() || !row.Line.LookAt.Equal(w.clock.now.Add(ReadRetry)) {
		w.Errorf("%v, row %+v, want %v", err, row.Line, cause)
	}
	if len(w.cloud.seen) != 0 {
		w.Error("something was sent")
	}
}

// owning is a world whose cloud has shown commitments for long.
func owning(t *testing.T, row Row, cs ...cloud.Commitment) *world {
	w := newWorld(t, row)
	for _, c := range cs {
		w.cloud.owned[c.ID] = c
	}
	return w
}

var errNoAnswer = errors.New("no answer from the cloud")

func TestAHandleIsAskedAboutBeforeAnythingElse(t *testing.T) {
	bought, running := answered(1, cloud.Bought).Evidence, answered(1, cloud.Accepted).Evidence
	two := func(r *Row) {
		second := attempt(2, 1, AttemptAccepted, cloud.Accepted)
		second.Handle = "op-2"
		with(following(1), second)(r)
	}
	closed := func(r *Row) {
		first := following(1)
		first.State = AttemptRejected
		second := attempt(2, 2, AttemptAccepted, cloud.Accepted)
		second.Handle = "op-2"
		with(first, second)(r)
	}
	for _, c := range []struct {
		name    string
		row     Row
		handles map[string]cloud.Evidence
		state   State
		reason  string // of a line in doubt; "" when it was looked up and not found
		receipt int
		asked   []string
	}{
		{name: "bought", row: lineIn(Armed, classH, with(following(1))), handles: map[string]cloud.Evidence{"op-1": bought}, state: Purchased, receipt: 1, asked: []string{"poll of op-1"}},
		{name: "refused", row: lineIn(Armed, classH, with(following(1))), handles: map[string]cloud.Evidence{"op-1": answered(1, cloud.Refused).Evidence}, state: Failed, asked: []string{"poll of op-1"}},
		{name: "still running", row: lineIn(Armed, classH, with(following(1))), handles: map[string]cloud.Evidence{"op-1": running}, state: Armed, reason: errRunning.Error(), asked: []string{"poll of op-1"}},
		{name: "the first of two is still running", row: lineIn(Armed, classH, two), handles: map[string]cloud.Evidence{"op-1": running}, state: Armed, reason: errRunning.Error(), asked: []string{"poll of op-1", "poll of op-2"}},
		{name: "the second of two has bought, and the first is still running", row: lineIn(Armed, classH, two), handles: map[string]cloud.Evidence{"op-1": running, "op-2": bought},
			state: Purchased, receipt: 2, asked: []string{"poll of op-1", "poll of op-2"}},
		{name: "unknown", row: lineIn(Armed, classH, with(following(1))), state: Armed, asked: []string{"poll of op-1"}},
		{name: "the second of two has bought", row: lineIn(Armed, classH, two), handles: map[string]cloud.Evidence{"op-2": bought}, state: Purchased, receipt: 2, asked: []string{"poll of op-1", "poll of op-2"}},
		{name: "closed attempts are not asked about", row: lineIn(Armed, classH, closed), handles: map[string]cloud.Evidence{"op-1": bought}, state: Armed, asked: []string{"poll of op-2"}},
		{name: "no handle came", row: lineIn(Armed, classH, with(attempt(1, 1, AttemptAccepted, cloud.Accepted))), state: Armed},
		{name: "not accepted", row: lineIn(Armed, classH, with(attempt(1, 1, AttemptInDoubt, cloud.InDoubt))), state: Armed},
		{name: "in doubt since it was followed", row: lineIn(Armed, classH, with(following(1)), func(r *Row) { r.Attempts[0].State = AttemptInDoubt }),
			handles: map[string]cloud.Evidence{"op-1": bought}, state: Armed},
		{name: "an order is looked for and not asked about", row: orderedOnce(Armed, AttemptAccepted, func(r *Row) { r.Attempts[0].Handle = "r-1" }), state: Armed, reason: "only order for its second"},
		{name: "in recovery the lane is looked at", row: lineIn(Recovery, classH, with(following(1)), func(r *Row) { r.Restored = t0 }), state: Recovery},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.row)
			w.cloud.handles = c.handles
			row, err := w.advanced(t0.Add(time.Minute), true)
			if err != nil || row.Line.State != c.state {
				t.Errorf("%s (%s), %v, want %s", row.Line.State, row.Line.Reason, err, c.state)
			}
			if c.reason == "" {
				c.reason = "not listed"
			}
			if c.state == Armed && (!strings.Contains(row.Line.Reason, c.reason) || len(w.ledger.evidence) > 0) {
				t.Errorf("in doubt: %s, want %s, evidence %+v", row.Line.Reason, c.reason, w.ledger.evidence)
			}
			if c.receipt > 0 && (len(w.ledger.receipts) != 1 || w.ledger.receipts[0].Attempt != c.receipt) {
				t.Errorf("receipts %+v, want attempt %d", w.ledger.receipts, c.receipt)
			}
			w.asked(c.asked...)
		})
	}
}

// Whatever a handle says of itself, what is listed is bought. What is not listed
// may be what still runs, however long it takes.
func TestAHandleThatTellsNothingDoesNotHideWhatIsListed(t *testing.T) {
	for _, c := range []struct {
		name   string
		able   bool // the market can ask about handles
		fails  error
		says   cloud.Outcome
		reason error
		err    error
	}{
		{name: "still running", able: true, says: cloud.Accepted, reason: errRunning},
		{name: "cannot be asked about", reason: errNoFollower, err: errNoFollower},
		{name: "asking fails", able: true, fails: errNoAnswer, says: cloud.Refused, reason: errNoAnswer, err: errNoAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := func(cs ...cloud.Commitment) *world {
				w := owning(t, lineIn(Armed, classH, with(following(1))), cs...)
				w.cloud.failing["Poll"] = c.fails
				w.cloud.handles = map[string]cloud.Evidence{"op-1": answered(1, c.says).Evidence}
				return w
			}
			for after, wait := range map[time.Duration]time.Duration{
				time.Second: time.Second, time.Minute: 15 * time.Second, settled - 1: time.Minute, settled: time.Minute, time.Hour: time.Minute,
			} {
				now := t0.Add(after)
				w := start()
				row, err := w.advanced(now, c.able)
				if !errors.Is(err, c.err) || row.Line.State != Armed || row.Line.Reason != c.reason.Error() || !row.Line.LookAt.Equal(now.Add(wait)) {
					t.Errorf("nothing is listed after %s: %v, row %+v", after, err, row.Line)
				}
				if row.Attempts[0].State != AttemptAccepted || len(w.ledger.evidence) > 0 || len(w.cloud.seen) > 0 {
					t.Errorf("nothing is listed after %s: attempt %s, evidence %+v, sent %v", after, row.Attempts[0].State, w.ledger.evidence, w.cloud.seen)
				}
			}
			at := t0.Add(time.Second)
			if errors.Is(c.reason, errRunning) { // what still runs is listed only when it should have ended
				w := start(boughtAs(identity(1)))
				w.cloud.failing["Find"] = errDown
				if row, err := w.advanced(t0.Add(settled-1), c.able); err != nil || row.Line.State != Armed {
					t.Errorf("it is listed while it runs: %s (%s), %v", row.Line.State, row.Line.Reason, err)
				}
				at = t0.Add(settled)
			}
			if row, err := start(boughtAs(identity(1))).advanced(at, c.able); err != nil || row.Line.State != Purchased {
				t.Errorf("it is listed: %s (%s), %v", row.Line.State, row.Line.Reason, err)
			}
			if row, err := start(inLane(identity(1), mismatches["quantity"])).advanced(at, c.able); err != nil || row.Line.State != NeedsReview {
				t.Errorf("something else is listed: %s (%s), %v", row.Line.State, row.Line.Reason, err)
			}
			w := start()
			w.cloud.failing["Find"] = errDown
			row, err := w.advanced(t0.Add(time.Hour), c.able)
			w.postponed(row, err, errDown, Armed)
		})
	}
}

// Nothing ends a line of class C as empty but a lane that shows nothing it could
// have bought.
func TestALaneThatSoldSomethingElseIsNotEmpty(t *testing.T) {
	for name, change := range mismatches {
		switch name {
		case "account", "region", "offering": // no cloud sells another offering for an order
			continue
		}
		for _, options := range [][]rowOption{{classC}, {classC, exclusive}} {
			t.Run(fmt.Sprintf("another %s, exclusive %t", name, len(options) > 1), func(t *testing.T) {
				w := newWorld(t, lineIn(Ready, options...), lostReply)
				w.cloud.fills = change
				row := w.settle()
				if row.Line.State != NeedsReview || row.InDoubt() != 1 || len(w.ledger.receipts) != 0 {
					t.Errorf("%s (%s), %d in doubt", row.Line.State, row.Line.Reason, row.InDoubt())
				}
				if w.cloud.requests != 1 || len(w.cloud.owned) != 1 {
					t.Errorf("%d requests, the cloud holds %d", w.cloud.requests, len(w.cloud.owned))
				}
				w.consistent(row)
			})
		}
	}
	w := newWorld(t, lineIn(Ready, classC, exclusive), lostReply)
	w.bought(w.settle())
	w = newWorld(t, lineIn(Ready, classC), lostRequest)
	if row := w.settle(); len(row.Attempts) != 2 || len(w.cloud.owned) != 1 {
		t.Errorf("a lost request: %d attempts, the cloud holds %d", len(row.Attempts), len(w.cloud.owned))
	}
}

func TestAnOrderThatMustNotFireIsDeletedAndLookedAtAgain(t *testing.T) {
	end := t0.Add(settled)
	for _, c := range []struct {
		name   string
		row    Row
		orders []cloud.Commitment
		asked  []string
		state  State
	}{
		{name: "called off", row: orderedOnce(QueuedLine, AttemptAccepted, calledOff), orders: []cloud.Commitment{order("r-1", cloud.Queued)},
			asked: []string{"release of r-1"}, state: Canceled},
		{name: "the plan failed elsewhere", row: orderedOnce(QueuedLine, AttemptAccepted, planFailed), orders: []cloud.Commitment{order("r-1", cloud.Queued)},
			asked: []string{"release of r-1"}, state: Canceled},
		{name: "called off in recovery", row: orderedOnce(Recovery, AttemptAccepted, calledOff), orders: []cloud.Commitment{order("r-1", cloud.Queued)},
			asked: []string{"release of r-1"}, state: Canceled},
		{name: "one too many", row: orderedOnce(Armed, AttemptInDoubt), orders: []cloud.Commitment{order("r-1", cloud.Queued), order("r-2", cloud.Queued)},
			asked: []string{"release of r-2"}, state: QueuedLine},
		{name: "two too many", row: orderedOnce(Armed, AttemptInDoubt), orders: []cloud.Commitment{order("r-1", cloud.Queued), order("r-2", cloud.Queued), order("r-3", cloud.Queued)},
			asked: []string{"release of r-2", "release of r-3"}, state: QueuedLine},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := owning(t, c.row, c.orders...)
			row, err := w.advanced(end, true)
			if err != nil || row.Line.State != c.row.Line.State || row.Line.Reason != "deleting an order that must not fire" || !row.Line.LookAt.Equal(end.Add(ReadRetry)) {
				t.Errorf("%v, row %+v", err, row.Line)
			}
			w.asked(c.asked...)
			row, err = w.advanced(end.Add(ReadRetry), true)
			if err != nil || row.Line.State != c.state {
				t.Errorf("%s (%s), %v, want %s", row.Line.State, row.Line.Reason, err, c.state)
			}
			w.asked(c.asked...)
		})
	}
}

func TestAnOrderThatMayFireIsLeftAlone(t *testing.T) {
	end := t0.Add(settled)
	w := owning(t, orderedOnce(Armed, AttemptAccepted), order("r-1", cloud.Queued))
	if row, err := w.advanced(end, true); err != nil || row.Line.State != QueuedLine || row.Attempts[0].Handle != "r-1" {
		t.Errorf("%s (%s), %v", row.Line.State, row.Line.Reason, err)
	}
	w.cloud.owned["r-1"] = order("r-1", cloud.Active)
	if row, err := w.advanced(fire.Add(time.Minute), true); err != nil || row.Line.State != Purchased {
		t.Errorf("%s (%s), %v", row.Line.State, row.Line.Reason, err)
	}
	w.asked()
	// What has a name is never deleted, whatever it looks like.
	w = owning(t, armedOnce(calledOff), inLane(identity(1), inState(cloud.Queued)))
	if row, err := w.advanced(end, true); err != nil || row.Line.State != Purchased {
		t.Errorf("%s (%s), %v", row.Line.State, row.Line.Reason, err)
	}
	w.asked()
}

func TestAnOrderThatCannotBeDeletedIsTriedAgain(t *testing.T) {
	w := owning(t, orderedOnce(QueuedLine, AttemptAccepted, calledOff), order("r-1", cloud.Queued))
	row, err := w.advanced(t0, false)
	w.postponed(row, err, errNoReleaser, QueuedLine)

	w = owning(t, orderedOnce(QueuedLine, AttemptAccepted, calledOff), order("r-1", cloud.Queued))
	w.cloud.failing["Release"] = errNoAnswer
	row, err = w.advanced(t0, true)
	w.postponed(row, err, errNoAnswer, QueuedLine)
	delete(w.cloud.failing, "Release")
	if _, err = w.advanced(t0.Add(ReadRetry), true); err != nil {
		t.Fatal(err)
	}
	if row, err = w.advanced(t0.Add(2*ReadRetry), true); err != nil || row.Line.State != Canceled {
		t.Errorf("%s (%s), %v", row.Line.State, row.Line.Reason, err)
	}
}

func TestTheAuditLogIsReadForTheOpenAttemptsOfALane(t *testing.T) {
	named := audited(nil, "new-1").Trail
	other := attempt(2, 2, AttemptInDoubt, cloud.InDoubt)
	other.Credential = "AKIAOTHER"
	nameless := attempt(1, 1, AttemptInDoubt, cloud.InDoubt)
	nameless.Credential = ""
	for _, c := range []struct {
		name  string
		row   Row
		able  bool
		state State
		asked []string
	}{
		{name: "named", row: laneOnce(), able: true, state: Purchased, asked: []string{"trail of AKIATEST"}},
		{name: "the log cannot be read", row: laneOnce(), state: Armed},
		{name: "the credential is not known", row: lineIn(Armed, classC, with(nameless)), able: true, state: Armed},
		{name: "only the open attempt is asked about", row: lineIn(Armed, classC, with(attempt(1, 1, AttemptDead, cloud.InDoubt), other)), able: true, state: Armed, asked: []string{"trail of AKIAOTHER"}},
		{name: "an order is known by its second", row: orderedOnce(Armed, AttemptInDoubt), able: true, state: Armed},
		{name: "a name needs no log", row: lineIn(Armed, classH, with(attempt(1, 1, AttemptInDoubt, cloud.InDoubt))), able: true, state: Armed},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := owning(t, c.row, inLane("new-1"))
			w.cloud.audits = map[string][]cloud.Evidence{"AKIATEST": named}
			row, err := w.advanced(t0.Add(time.Minute), c.able)
			if err != nil || row.Line.State != c.state {
				t.Errorf("%s (%s), %v, want %s", row.Line.State, row.Line.Reason, err, c.state)
			}
			w.asked(c.asked...)
		})
	}
	w := owning(t, laneOnce(), inLane("new-1"))
	w.cloud.failing["Trail"] = errNoAnswer
	row, err := w.advanced(t0.Add(time.Minute), true)
	w.postponed(row, err, errNoAnswer, Armed)
}

func TestALaneIsListedTwiceBeforeALineOfItIsClosed(t *testing.T) {
	end := t0.Add(settled)
	w := owning(t, laneOnce(exclusive), inLane("old"), inLane("new-1"))
	row, err := w.advanced(end, true)
	if err != nil || row.Line.State != Armed || !row.Line.LookAt.Equal(end.Add(time.Minute)) {
		t.Errorf("listed once: %v, row %+v", err, row.Line)
	}
	if row, err = w.advanced(end.Add(time.Minute-1), true); err != nil || row.Line.State != Armed {
		t.Errorf("too soon: %s, %v", row.Line.State, err)
	}
	if row, err = w.advanced(end.Add(time.Minute), true); err != nil || row.Line.State != Purchased || w.ledger.receipts[0].Commitment.ID != "new-1" {
		t.Errorf("listed twice: %s (%s), %v", row.Line.State, row.Line.Reason, err)
	}
}

func TestALineWhoseLaneIsHeldQueuesUpWithoutAskingTheCloud(t *testing.T) {
	for _, c := range []struct {
		name       string
		held, next time.Duration
	}{
		{"until the other is looked at", 30 * time.Second, 30 * time.Second},
		{"the other is due", 0, 2 * time.Second},
		{"the other is overdue", -time.Hour, 2 * time.Second},
		{"the other is due at once", 2*time.Second - 1, 2 * time.Second},
		{"a minute at most", time.Minute, time.Minute},
		{"the other takes long", time.Minute + 1, time.Minute},
		{"a person has the other", personDwell, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, lineIn(Ready, classC, func(r *Row) { r.LaneHeld = t0.Add(c.held) }))
			p := w.process(func(port string) {
				if !slices.Contains([]string{"Row", "Apply"}, port) {
					t.Errorf("%s was called", port)
				}
			}, nil)
			row, err := p.Advance(t.Context(), testLine)
			if err != nil || row.Line.State != Ready || row.Line.Reason != ErrTaken.Error() || !row.Line.LookAt.Equal(t0.Add(c.next)) {
				t.Errorf("%v, row %+v, want a look after %s", err, row.Line, c.next)
			}
		})
	}
	t.Run("called off", func(t *testing.T) {
		w := newWorld(t, lineIn(Ready, classC, calledOff, func(r *Row) { r.LaneHeld = t0.Add(time.Minute) }))
		if row, err := w.advanced(t0, false); err != nil || row.Line.State != Canceled {
			t.Errorf("%s, %v", row.Line.State, err)
		}
	})
	t.Run("in doubt itself", func(t *testing.T) {
		w := owning(t, laneOnce(func(r *Row) { r.LaneHeld = t0.Add(time.Minute) }), inLane("new-1"))
		w.cloud.audits = map[string][]cloud.Evidence{"AKIATEST": audited(nil, "new-1").Trail}
		if row, err := w.advanced(t0, true); err != nil || row.Line.State != Purchased {
			t.Errorf("%s (%s), %v", row.Line.State, row.Line.Reason, err)
		}
	})
}

func TestNewsOfTheLaneIsAskedForBeforeTheFirstPurchaseOnly(t *testing.T) {
	w := newWorld(t, lineIn(Ready))
	w.cloud.news = []string{"new-1"}
	if row, err := w.advanced(t0, true); err != nil || row.Line.State != NeedsReapproval || len(w.cloud.seen) != 0 {
		t.Errorf("%s (%s), %v", row.Line.State, row.Line.Reason, err)
	}
	w.asked("news of " + string(testLine))

	w = newWorld(t, lineIn(Ready))
	w.cloud.failing["News"] = errNoAnswer
	row, err := w.advanced(t0, true)
	w.postponed(row, err, errNoAnswer, Ready)

	w = newWorld(t, armedOnce())
	w.cloud.news = []string{"new-1"}
	if row, err := w.advanced(t0.Add(answerBy), true); err != nil || row.Line.State != Purchased || len(row.Attempts) != 2 {
		t.Errorf("%s (%s), %v", row.Line.State, row.Line.Reason, err)
	}
	w.asked()
}

func TestALineInRecoveryIsLookedForUnderNamesThatTheLedgerHasLost(t *testing.T) {
	back := t0.Add(settled)
	inRecovery := func(r *Row) { r.Restored = t0 }
	w := owning(t, lineIn(Recovery, inRecovery), boughtAs(identity(3)))
	row, err := w.advanced(t0, true)
	if err != nil || row.Line.State != Recovery || !row.Line.LookAt.Equal(back) {
		t.Errorf("%v, row %+v", err, row.Line)
	}
	if row, err = w.advanced(back, true); err != nil || row.Line.State != Purchased || w.ledger.receipts[0].Commitment.ID != identity(3) {
		t.Errorf("%s (%s), %v", row.Line.State, row.Line.Reason, err)
	}
	if len(w.cloud.seen) != 0 {
		t.Error("something was sent")
	}
}

func TestWhatIsFoundNeedsNoQuote(t *testing.T) {
	w := owning(t, armedOnce(), boughtAs(identity(1)))
	w.cloud.failing["Quote"] = errNoAnswer
	if row, err := w.advanced(t0.Add(answerBy), false); err != nil || row.Line.State != Purchased {
		t.Errorf("%s (%s), %v", row.Line.State, row.Line.Reason, err)
	}
}
