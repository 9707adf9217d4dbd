package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bursar/internal/driver"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// Leads are how long before something happens people are told of it.
type Leads struct {
	Purchase []time.Duration // before a scheduled purchase
	Expiry   []int           // days before a term is over
	Return   time.Duration   // before what is bought can no longer be given back
	MonthEnd time.Duration   // before the end of a month in which a payment is pending
}

// DefaultLeads hold if nobody says otherwise.
var DefaultLeads = Leads{Purchase: []time.Duration{24 * time.Hour}, Expiry: []int{90, 60, 30, 7}, Return: 48 * time.Hour, MonthEnd: 72 * time.Hour}

// paidBy is how old a purchase is at least before its pending payment is told: the
// first looks at it come before.
const paidBy = 3 * time.Hour

// endsEvery is how often a process looks through all that was bought.
const endsEvery = 10 * time.Minute

// An answer that did not come is told once others have had the time to look, and not
// when it is overdue since long.
const (
	unheardFor  = time.Minute
	unheardMost = 24 * time.Hour
)

// Foresee writes the messages of what is a matter of time: what is about to be bought,
// to end or to become final, and attempts whose process has died. It asks no cloud.
// What was told before is not told again. It returns how many messages are new.
func (e *Engine) Foresee(ctx context.Context, l Leads) (int, error) {
	now := e.Now()
	list, err := e.foreseePurchases(ctx, l, now)
	if err != nil {
		return 0, err
	}
	lost, err := e.DB.Unanswered(ctx, now.Add(-unheardMost), now.Add(-unheardFor))
	if err != nil {
		return 0, err
	}
	for _, a := range lost { // the id is that of the message of an answer that was lost
		list = append(list, store.Message{
			ID: fmt.Sprintf("in_doubt.%s.%d", a.Line, a.N), Kind: store.MessageInDoubt, Plan: a.Plan, Line: a.Line, CreatedAt: now,
		})
	}
	through := now.Sub(time.UnixMicro(e.foreseen.Load())) >= endsEvery
	if through {
		ending, err := e.foreseeEnds(ctx, l, now)
		if err != nil {
			return 0, err
		}
		list = append(list, ending...)
	}
	told, err := e.DB.Tell(ctx, list)
	if err == nil && through {
		e.foreseen.Store(now.UnixMicro())
	}
	return told, err
}

// foreseePurchases tells what will be bought, once for the shortest lead that its time
// is within.
func (e *Engine) foreseePurchases(ctx context.Context, l Leads, now time.Time) (list []store.Message, err error) {
	if len(l.Purchase) == 0 {
		return nil, nil
	}
	coming, err := e.DB.ComingPurchases(ctx, now, now.Add(slices.Max(l.Purchase)))
	if err != nil {
		return nil, err
	}
	for _, c := range coming {
		lead, ok := shortest(l.Purchase, c.At.Sub(now))
		if !ok {
			continue
		}
		m := store.Message{Kind: store.MessageWillBuy, Plan: c.Plan, Line: c.Line, About: c.About, DueAt: c.At, CreatedAt: now}
		if m.ID = fmt.Sprintf("will_buy.%s.%d", c.About, lead/time.Minute); c.Line != "" {
			m.ID = fmt.Sprintf("will_buy.%s.%d.%d", c.Line, c.N, lead/time.Minute)
		}
		list = append(list, m)
	}
	return list, nil
}

// foreseeEnds tells what comes to an end of all that was bought and has not ended.
func (e *Engine) foreseeEnds(ctx context.Context, l Leads, now time.Time) (list []store.Message, err error) {
	receipts, err := e.DB.Receipts(ctx)
	if err != nil || len(receipts) == 0 {
		return nil, err
	}
	watches, err := e.DB.Watches(ctx)
	if err != nil {
		return nil, err
	}
	watched := map[purchase.LineID]store.Watch{}
	for _, w := range watches {
		watched[w.Line] = w
	}
	day := 24 * time.Hour
	monthEnd := time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	for _, r := range receipts {
		w := watched[r.Line]
		if w.NextAt.IsZero() { // it has ended
			continue
		}
		m := store.Message{Line: r.Line, CreatedAt: now}
		c := r.Commitment
		if end := ends(c); now.Before(end) {
			days := make([]time.Duration, len(l.Expiry))
			for i, n := range l.Expiry {
				days[i] = time.Duration(n) * day
			}
			if lead, ok := shortest(days, end.Sub(now)); ok {
				m.ID, m.Kind, m.DueAt = fmt.Sprintf("expiry.%s.%d", r.Line, lead/day), store.MessageExpiry, end
				list = append(list, m)
			}
		}
		if w.State == "" && w.Stage > 0 && now.Sub(r.At) >= paidBy && monthEnd.Sub(now) <= l.MonthEnd {
			m.ID, m.Kind, m.DueAt = fmt.Sprintf("payment_pending.%s.%s", r.Line, now.Format("2006-01")), store.MessagePaymentPending, monthEnd
			list = append(list, m)
		}
		if l.Return > 0 && now.Sub(r.At) < 31*day { // no way back that closes is longer
			svc, err := e.Clouds.Service(c.Lane)
			closing, ok := svc.(driver.Closing)
			if err != nil || !ok {
				continue
			}
			if until := closing.ReturnUntil(c); now.Before(until) && until.Sub(now) <= l.Return {
				m.ID, m.Kind, m.DueAt = fmt.Sprintf("return_window.%s", r.Line), store.MessageReturnWindow, until
				list = append(list, m)
			}
		}
	}
	return list, nil
}

// shortest is the shortest lead that something is within: what was not told at a longer
// one, because nobody looked, is told once.
func shortest(leads []time.Duration, left time.Duration) (lead time.Duration, ok bool) {
	for _, l := range leads {
		if left <= l && (!ok || l < lead) {
			lead, ok = l, true
		}
	}
	return lead, ok
}
