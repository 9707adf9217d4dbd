package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"bursar/internal/api"
	"bursar/internal/cloud"
	"bursar/internal/engine"
	"bursar/internal/notify"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

const (
	freshFor  = 7 * 24 * time.Hour // what is older when it is routed is no news
	triedFor  = 24 * time.Hour     // afterwards a delivery is given up
	claimFor  = 2 * time.Minute    // longer than a try can take
	firstWait = time.Minute        // after the first try that failed; each next one is twice as long
	mostWait  = time.Hour
	routePage = 500
	sendPage  = 200
)

// outbox tells people what has happened and what is about to: it writes the messages
// that are a matter of time, decides who gets what, and delivers what is due. Without
// channels it leaves all of that to a process that has some.
func (a *App) outbox(ctx context.Context, r *engine.TaskResult) error {
	if len(a.notify.channels) == 0 {
		return nil
	}
	foreseen, err := a.engine.Foresee(ctx, a.notify.leads)
	if err != nil {
		return err
	}
	r.Counts["foreseen"] = foreseen
	// What cannot be routed keeps nothing waiting that was routed.
	if err := errors.Join(a.route(ctx, r), a.deliver(ctx, r)); err != nil {
		return err
	}
	lost, err := a.db.GivenUp(ctx, a.clouds.now().Add(-triedFor))
	if err == nil && lost > 0 {
		r.Outcome = engine.TaskFailed
		r.Problem = fmt.Sprintf("%d deliveries were given up in the last 24 hours: see bursar notify outbox", lost)
	}
	return err
}

// route decides who gets each message. Messages of one kind about one plan that are
// routed together are told in one.
func (a *App) route(ctx context.Context, r *engine.TaskResult) error {
	for ctx.Err() == nil {
		list, err := a.db.Unrouted(ctx, routePage)
		if err != nil || len(list) == 0 {
			return err
		}
		mutes, err := a.mutes(ctx)
		if err != nil {
			return err
		}
		routed := 0
		var failed error
		for _, group := range together(list) {
			n, err := a.routeGroup(ctx, group, mutes)
			if err != nil && !errors.Is(err, purchase.ErrLost) { // then another process has routed it
				failed = errors.Join(failed, err)
			}
			routed += n
		}
		if r.Counts["routed"] += routed; routed == 0 {
			return failed
		}
	}
	return ctx.Err()
}

// together groups messages that are told in one, in their order.
func together(list []store.Message) (groups [][]store.Message) {
	at := map[string]int{}
	for _, m := range list {
		key := m.ID
		switch m.Kind {
		case store.MessageBought, store.MessageNotBought, store.MessageInDoubt, store.MessageNeedsDecision, store.MessageOverdue:
			key = string(m.Kind) + " " + string(m.Plan)
		case store.MessageFinding, store.MessageReturnWindow, store.MessagePaymentPending:
			key = string(m.Kind)
		case store.MessageExpiry: // those of one lead
			key = string(m.Kind) + " " + lastPart(m.ID)
		}
		i, ok := at[key]
		if !ok {
			i, at[key] = len(groups), len(groups)
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], m)
	}
	return groups
}

func lastPart(id string) string { return id[strings.LastIndexByte(id, '.')+1:] }

// routeGroup routes messages that are told in one, and those of them that are over each
// by itself. It returns how many it has routed.
func (a *App) routeGroup(ctx context.Context, group []store.Message, mutes []mute) (int, error) {
	now := a.clouds.now()
	var fresh []store.Message
	routed := 0
	for _, m := range group {
		stands, err := a.db.Stands(ctx, m.ID, now)
		if err != nil {
			return routed, err
		}
		why := ""
		if !stands {
			why = itIsOver
		} else if now.Sub(m.CreatedAt) > freshFor {
			why = "it is too old to be news"
		}
		if why == "" {
			fresh = append(fresh, m)
			continue
		}
		var dropped []store.Delivery
		for _, d := range a.deliveries(m, nil, now) {
			d.State, d.EndedAt, d.Detail = store.DeliveryDropped, now, why
			dropped = append(dropped, d)
		}
		if err := a.db.Route(ctx, m, nil, dropped, now); err != nil {
			return routed, err
		}
		routed++
	}
	if len(fresh) == 0 {
		return routed, nil
	}
	document, err := a.compose(ctx, fresh)
	if err != nil {
		return routed, err
	}
	raw, err := json.Marshal(document)
	if err != nil {
		return routed, err
	}
	head := fresh[0]
	head.Document = string(raw)
	var with []string
	for _, m := range fresh[1:] {
		with = append(with, m.ID)
	}
	if err := a.db.Route(ctx, head, with, a.deliveries(head, mutes, now), now); err != nil {
		return routed, err
	}
	return routed + len(fresh), nil
}

const itIsOver = "it was over before it was sent"

// deliveries are where a message goes. Those whose person does not want it are dropped.
func (a *App) deliveries(m store.Message, mutes []mute, now time.Time) (list []store.Delivery) {
	for _, c := range a.notify.channels {
		// That a channel does not work is told by the others.
		if !slices.Contains(c.kinds, m.Kind) || m.Kind == store.MessageUndelivered && m.About == c.Name {
			continue
		}
		for _, to := range c.to {
			d := store.Delivery{Channel: c.Name, Recipient: to, State: store.DeliveryWaiting, NextAt: now, LastAt: now.Add(triedFor)}
			for _, mute := range mutes {
				if a.notify.reaches(to, mute) && (mute.Kind == "" || mute.Kind == m.Kind) {
					d.State, d.EndedAt = store.DeliveryDropped, now
					d.Detail = fmt.Sprintf("%s does not want to hear of it before %s", to, mute.Until.Format("2006-01-02 15:04:05Z"))
				}
			}
			list = append(list, d)
		}
	}
	return list
}

// mute is a person's wish not to hear of something, with the address of the person; ""
// where it is not known.
type mute struct {
	store.Mute
	mail string
}

// mutes are the wishes that hold now.
func (a *App) mutes(ctx context.Context) ([]mute, error) {
	found, err := a.db.Mutes(ctx, a.clouds.now())
	if err != nil || len(found) == 0 {
		return nil, err
	}
	people, err := a.db.People(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]mute, len(found))
	for i, m := range found {
		list[i].Mute = m
		for _, p := range people {
			if purchase.PersonKey(p.Name) == purchase.PersonKey(m.Person) {
				list[i].mail = p.Mail
			}
		}
	}
	return list, nil
}

// reaches reports whether what is sent to a recipient comes to whoever has a wish, by name
// or by address.
func (n *notifier) reaches(to string, m mute) bool {
	if to == "" {
		return false
	}
	address, err := n.address(to)
	return purchase.PersonKey(m.Person) == purchase.PersonKey(to) || err == nil && m.mail != "" && strings.EqualFold(address, m.mail)
}

// deliver tries what is due, each channel by itself: one that does not answer keeps no
// other waiting.
func (a *App) deliver(ctx context.Context, r *engine.TaskResult) error {
	var mu sync.Mutex
	var failed error
	for {
		now := a.clouds.now()
		due, err := a.db.DueDeliveries(ctx, now, sendPage)
		if err != nil {
			return err
		}
		by := map[string][]store.Delivery{}
		for _, d := range due {
			by[d.Channel] = append(by[d.Channel], d)
		}
		var all sync.WaitGroup
		moved := 0
		for name, list := range by {
			all.Go(func() {
				for _, d := range list {
					if ctx.Err() != nil {
						return
					}
					became, err := a.deliverOne(ctx, name, d)
					mu.Lock()
					if became != "" {
						r.Counts[became]++
						moved++
					}
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if failed != nil || moved == 0 || ctx.Err() != nil {
			return cmp.Or(failed, ctx.Err())
		}
	}
}

// deliverOne tries one delivery and says what became of it; "" if it is somebody else's.
func (a *App) deliverOne(ctx context.Context, name string, d store.Delivery) (became string, err error) {
	c := a.notify.find(name)
	now := a.clouds.now()
	end := func(to store.DeliveryState, why string) (string, error) {
		err := a.db.EndDelivery(context.WithoutCancel(ctx), d, to, why, a.clouds.now())
		if errors.Is(err, purchase.ErrLost) {
			return "", nil
		}
		return string(to), err
	}
	switch stands, err := a.db.Stands(ctx, d.Message, now); {
	case err != nil:
		return "", err
	case !stands:
		return end(store.DeliveryDropped, itIsOver)
	case !now.Before(d.LastAt):
		return end(store.DeliveryGivenUp, cmp.Or(d.Detail, "it was not tried in time"))
	case c == nil:
		return "", nil // of a process with another configuration
	}
	if mine, err := a.db.ClaimDelivery(ctx, &d, now, now.Add(claimFor)); err != nil || !mine {
		return "", err
	}
	var m api.Message
	var failure *notify.Failure
	to, err := a.notify.address(d.Recipient)
	if err == nil {
		err = json.Unmarshal([]byte(d.Document), &m)
	}
	if err == nil {
		err = c.Send(ctx, m, to)
	}
	switch {
	case err == nil:
		return end(store.DeliverySent, "")
	case errors.As(err, &failure) && failure.Gone:
		return end(store.DeliveryGivenUp, failure.Says)
	}
	wait := min(firstWait<<min(d.Tries-1, 10), mostWait)
	if failure != nil {
		wait = max(wait, failure.After)
	}
	next := a.clouds.now().Add(wait)
	if !next.Before(d.LastAt) {
		return end(store.DeliveryGivenUp, err.Error())
	}
	a.engine.Log.Warn("a message was not delivered", "message", d.Message, "channel", name, "tries", d.Tries, "error", err)
	if err := a.db.PutOffDelivery(context.WithoutCancel(ctx), d, next, err.Error()); err != nil && !errors.Is(err, purchase.ErrLost) {
		return "", err
	}
	return "put_off", nil
}

// compose makes the document of messages that are told in one. What the ledger does not
// know any more is left out.
func (a *App) compose(ctx context.Context, group []store.Message) (api.Message, error) {
	head := group[0]
	in, err := a.db.Installation(ctx)
	if err != nil {
		return api.Message{}, err
	}
	v := api.Message{
		ID: head.ID, Kind: string(head.Kind), At: head.CreatedAt, Installation: in.Install, DueAt: optional(head.DueAt), Simulated: a.Simulated(),
	}
	switch head.Kind {
	case store.MessageUndelivered:
		v.Channel = head.About
	case store.MessageExpiry:
		fmt.Sscan(lastPart(head.ID), &v.Days) //nolint:errcheck // made of a number
	case store.MessageReturnWindow:
		for _, m := range group {
			if m.DueAt.Before(*v.DueAt) {
				v.DueAt = optional(m.DueAt)
			}
		}
	}
	if head.Plan != "" {
		p, err := a.db.Plan(ctx, string(head.Plan))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return v, err
		}
		if err == nil {
			v.Plan = &api.MessagePlan{
				ID: string(p.ID), Name: p.Name, Version: p.Version, Requester: p.Requester, Lines: len(p.Lines), Price: priceView(p.Total),
				Needed: p.Approvals.Needed, Approvers: p.Approvals.Approvers,
			}
		}
	}
	if head.Kind == store.MessageWillBuy && head.Line == "" {
		v.Schedule = head.About
	}
	if head.Kind == store.MessageApproval && head.Line != "" {
		undos, err := a.db.LineUndos(ctx, head.Line)
		if err != nil {
			return v, err
		}
		for _, u := range undos {
			if string(u.ID) == head.About {
				v.Undo = &api.MessageUndo{ID: head.About, Requester: u.Requester, Comment: u.Comment, Needed: u.Approvals.Needed}
			}
		}
	}
	if v.Items, err = a.messageItems(ctx, group); err != nil {
		return v, err
	}
	v.Link, v.Next = a.notify.page(v), nextFor(v)
	v.Title = notify.Title(v)
	return v, nil
}

func (a *App) messageItems(ctx context.Context, group []store.Message) (items []api.MessageItem, err error) {
	var receipts map[purchase.LineID]purchase.Receipt
	var findings []store.Finding
	for _, m := range group {
		if m.Kind == store.MessageFinding && findings == nil {
			if findings, err = a.db.Findings(ctx); err != nil {
				return nil, err
			}
		}
		if m.Line != "" && receipts == nil {
			if receipts, err = a.receipts(ctx); err != nil {
				return nil, err
			}
		}
	}
	for _, m := range group {
		if m.Kind == store.MessageFinding {
			for _, f := range findings {
				if f.ID == m.About {
					item := commitmentItem(f.Commitment)
					item.Line, item.Finding, item.Reason = string(f.Line), string(f.Kind), f.Detail
					items = append(items, item)
				}
			}
			continue
		}
		if m.Line == "" {
			continue
		}
		row, err := a.db.Row(ctx, m.Line)
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return nil, err
		}
		l := row.Line
		o := l.Spec.Offering
		item := api.MessageItem{
			Line: string(l.ID), Plan: string(l.Plan), Number: l.Number, Provider: string(o.Provider), Account: string(l.Spec.Account), Region: string(o.Region),
			Service: string(o.Service), What: o.Attributes.String(), Measure: o.Measure(l.Spec.Quantity), TermMonths: int(o.Term), Payment: string(o.Payment),
			Total: &l.Spec.Price.Total, State: string(l.State), Reason: l.Reason, Commitment: receipts[l.ID].Commitment.ID,
		}
		switch m.Kind {
		case store.MessageExpiry, store.MessageReturnWindow, store.MessageWillBuy:
			item.DueAt = optional(m.DueAt)
		}
		if m.Plan == "" {
			item.Number = 0 // without its plan it says nothing
		}
		items = append(items, item)
	}
	return items, nil
}

func commitmentItem(c cloud.Commitment) api.MessageItem {
	return api.MessageItem{
		Provider: string(c.Provider), Account: string(c.Account), Region: string(c.Region), Service: string(c.Service), What: c.Attributes.String(),
		Measure: c.Measure(), TermMonths: int(c.Term), Payment: string(c.Payment), State: string(c.State), Commitment: c.ID,
	}
}

// page is where a message is looked into. Mail scanners open what is linked: to open a
// page changes nothing.
func (n *notifier) page(m api.Message) string {
	if n.links == "" {
		return ""
	}
	line := ""
	if len(m.Items) == 1 {
		line = m.Items[0].Line
	}
	path := "/"
	switch kind := store.MessageKind(m.Kind); {
	case kind == store.MessageFinding:
		path = "/inventory"
	case line != "" && (m.Undo != nil || kind == store.MessageReturnWindow):
		path = "/history/" + line + "/undo"
	case line != "":
		path = "/history/" + line
	case m.Schedule != "":
		path = "/schedules"
	case m.Plan != nil:
		path = "/plans/" + m.Plan.ID
	case kind == store.MessageExpiry:
		path = "/expiry"
	case kind == store.MessageReturnWindow, kind == store.MessagePaymentPending:
		path = "/history"
	}
	return n.links + path
}

// nextFor is a command that shows more.
func nextFor(m api.Message) string {
	line := ""
	if len(m.Items) == 1 {
		line = m.Items[0].Line
	}
	switch store.MessageKind(m.Kind) {
	case store.MessageApproval:
		if m.Undo != nil {
			return "bursar undo options " + line
		}
		if m.Plan != nil {
			return "bursar approve " + m.Plan.ID
		}
	case store.MessageWillBuy:
		if m.Schedule != "" {
			return "bursar schedule cancel " + m.Schedule
		}
		return "bursar cancel " + line
	case store.MessageNeedsDecision:
		if line != "" {
			return "bursar resolve " + line
		}
	case store.MessageFinding:
		return "bursar inventory"
	case store.MessageReturnWindow:
		if line != "" {
			return "bursar undo options " + line
		}
	case store.MessageUndelivered:
		return "bursar notify outbox"
	case store.MessageExpiry, store.MessagePaymentPending:
		return "bursar audit"
	}
	switch {
	case line != "":
		return "bursar history " + line
	case m.Plan != nil:
		return "bursar plan show " + m.Plan.ID
	}
	return "bursar history"
}
