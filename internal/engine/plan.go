package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/store"
)

// PlanOptions are what a plan needs besides its lines.
type PlanOptions struct {
	Name      string
	Requester string
	Caps      recommend.Caps
	Approvals ApprovalRules
	Tags      purchase.Tags // templates, checked
	// Replaces is a version of the plan that the new one takes the place of, once it
	// is approved; nil begins a new plan. The new version is all or nothing as it is,
	// unless the input says otherwise.
	Replaces *purchase.Plan
}

// Propose looks up and prices every draft, freezes the plan and stores it as
// proposed. One draft that cannot be bought, or a total above a cap, and nothing
// is stored; a draft that is advice only is stored beside the lines, as advice.
func (e *Engine) Propose(ctx context.Context, in recommend.Input, o PlanOptions) (*purchase.Plan, error) {
	if len(in.Drafts) == 0 {
		return nil, errors.New("there is nothing to plan: the input has no lines")
	}
	p, err := e.begin(ctx, in, o)
	if err != nil {
		return nil, err
	}
	offerings, advised, failed, err := e.lookUp(ctx, in.Drafts, false)
	if len(failed) > 0 {
		// Whoever mends one lane wants to know of the others, too.
		return nil, e.unread(ctx, in.Drafts, failed)
	}
	if err != nil {
		return nil, err
	}
	drafts, advice, err := withoutAdvice(in.Drafts, advised, p.AllOrNothing)
	if err != nil {
		return nil, err
	}
	if err := e.fill(p, drafts, offerings, o, nil); err != nil {
		return nil, err
	}
	base, err := e.base(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := e.DB.SaveAdvisedPlan(ctx, p, store.Beside{Advice: advice, Recommendations: carriedOut(p, drafts)}, base...); err != nil {
		return nil, err
	}
	return e.DB.Plan(ctx, string(p.ID))
}

// carriedOut are the recommendations that lines carry out, each line a draft.
func carriedOut(p *purchase.Plan, drafts []recommend.Draft) (list []store.Recommendation) {
	for i, d := range drafts {
		if r := d.Recommendation; r.Name != "" {
			list = append(list, store.Recommendation{Line: p.Lines[i].ID, Name: r.Name, Etag: r.Etag})
		}
	}
	return list
}

// begin makes a plan without lines.
func (e *Engine) begin(ctx context.Context, in recommend.Input, o PlanOptions) (*purchase.Plan, error) {
	now := e.Now()
	p := &purchase.Plan{
		ID: purchase.PlanID(newID(now)), Version: 1, Name: o.Name, Requester: o.Requester, CreatedAt: now,
		Tolerance: purchase.Tolerance(in.ToleranceBP), State: purchase.PlanProposed,
	}
	p.Lineage = p.ID
	if o.Replaces != nil {
		versions, err := e.DB.Versions(ctx, o.Replaces.Lineage)
		if err != nil {
			return nil, err
		}
		p.Lineage, p.Version, p.AllOrNothing = o.Replaces.Lineage, len(versions)+1, o.Replaces.AllOrNothing
	}
	if in.AllOrNothing != nil {
		p.AllOrNothing = *in.AllOrNothing
	}
	return p, nil
}

// fill gives a plan its lines, freezes it and decides who may approve it: under, where
// it is not nil, makes the rule stricter once the total is known.
func (e *Engine) fill(p *purchase.Plan, drafts []recommend.Draft, offerings []cloud.Offering, o PlanOptions,
	under func(ApprovalRules) (ApprovalRules, error),
) error {
	p.Lines = make([]purchase.Line, len(drafts))
	for i, d := range drafts {
		lane := laneOfDraft(d)
		svc, err := e.Clouds.Service(lane)
		if err != nil {
			return at(d, "account", err)
		}
		if want, got := d.Currency, offerings[i].Hourly.Currency(); want != "" && want != got {
			return at(d, "currency", fmt.Errorf("the cloud bills this offering in %s, not in %s", got, want))
		}
		if err := countable(svc, offerings[i], d); err != nil {
			return err
		}
		tags, err := fillTags(p, d, o.Tags)
		if err != nil {
			return err
		}
		p.Lines[i] = purchase.Line{
			ID: purchase.LineID(newID(p.CreatedAt)), Class: svc.Info().Class, State: purchase.Draft, Generation: 1,
			Spec: purchase.Spec{
				Account: d.Account, Offering: offerings[i], Quantity: d.Quantity, Note: d.Note, Purpose: d.Purpose, Tags: tags,
				Simulated: e.Clouds.Simulated(lane),
			},
		}
	}
	if err := p.Freeze(); err != nil {
		return err
	}
	if err := o.Caps.Check(p.Total); err != nil {
		return err
	}
	rules := o.Approvals
	if under != nil {
		var err error
		if rules, err = under(rules); err != nil {
			return err
		}
	}
	var err error
	if p.Approvals, err = rules.freeze(p); err != nil {
		return err
	}
	return nameApprovers(p, drafts)
}

// countable checks that a draft counts what the offering is sold by, in an amount
// that it is sold in.
func countable(svc driver.Service, o cloud.Offering, d recommend.Draft) error {
	field := "quantity"
	if d.Unit != "" {
		field = "commitment"
	}
	if unit := unitOf(o); unit != d.Unit {
		return at(d, field, fmt.Errorf("the line counts units of %q per hour, the offering is sold in units of %q", d.Unit, unit))
	}
	limiter, ok := svc.(driver.Limiter)
	if !ok {
		return nil
	}
	if err := limiter.Allows(o, d.Quantity); err != nil {
		return at(d, field, err)
	}
	return nil
}

// unitOf is the unit of an offering as a draft writes it.
func unitOf(o cloud.Offering) string {
	if o.Unit.IsZero() {
		return ""
	}
	return o.Unit.Canonical()
}

func newID(now time.Time) string {
	return ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()).String()
}

// lookUp finds the one offering that each draft means; advised tells of those drafts, by
// their place, that are advice only and have none. Equal questions are asked
// once. failed are the lanes that could not be asked; the error is about the first
// draft of another lane that cannot be bought, unless drop is set: then a draft that is
// not sold is advice only.
func (e *Engine) lookUp(ctx context.Context, drafts []recommend.Draft, drop bool) (
	offerings []cloud.Offering, advised map[int]error, failed map[cloud.Lane]error, err error,
) {
	type answer struct {
		offering cloud.Offering
		field    string
		err      error
	}
	key := func(d recommend.Draft) string {
		return fmt.Sprint(d.Provider, d.Account, d.Region, d.Service, d.Attributes, d.Term, d.Payment, d.OfferingID)
	}
	questions := map[string]recommend.Draft{}
	for _, d := range drafts {
		questions[key(d)] = d
	}
	answers := make(map[string]answer, len(questions))
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, e.workers())
	for k, d := range questions {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			var a answer
			a.offering, a.field, a.err = e.offering(ctx, d)
			mu.Lock()
			defer mu.Unlock()
			answers[k] = a
		})
	}
	wg.Wait()
	advised, failed = map[int]error{}, map[cloud.Lane]error{}
	for i, d := range drafts {
		a := answers[key(d)]
		switch lane := laneOfDraft(d); {
		case driver.Says(lane, a.err) != "":
			failed[lane] = a.err
		case errors.Is(a.err, driver.ErrAdvice):
			advised[i] = a.err
			if e := (*driver.Error)(nil); errors.As(a.err, &e) {
				advised[i] = e.Err // whatever was asked for, the configuration lacks it
			}
		case drop && a.err != nil && a.field == unsold:
			advised[i] = a.err
		case a.err != nil && err == nil:
			err = at(d, a.field, a.err)
		}
		if a.err == nil {
			offerings = append(offerings, a.offering)
		}
	}
	return offerings, advised, failed, err
}

// unsold is the field of a draft that is to be mended where no offering is what it says.
const unsold = "offering"

// withoutAdvice parts drafts into those that are bought and those that are advice only.
// A plan of nothing else is none, and one that is all or nothing has no place for it.
func withoutAdvice(drafts []recommend.Draft, advised map[int]error, all bool) (buys []recommend.Draft, advice []store.Advice, err error) {
	for i, d := range drafts {
		why, is := advised[i]
		if !is {
			buys = append(buys, d)
			continue
		}
		if all || len(advised) == len(drafts) {
			return nil, nil, at(d, "", why)
		}
		left := d.Leave(why.Error())
		advice = append(advice, store.Advice{Where: left.At.String(), What: left.What, Why: left.Why})
	}
	return buys, advice, nil
}

func laneOfDraft(d recommend.Draft) cloud.Lane {
	return cloud.Lane{Provider: d.Provider, Account: d.Account, Region: d.Region, Service: d.Service}
}

// unread lists the lanes of drafts that are not known to fail, and tells of all
// that do.
func (e *Engine) unread(ctx context.Context, drafts []recommend.Draft, failed map[cloud.Lane]error) error {
	lanes := map[cloud.Lane]bool{}
	for _, d := range drafts {
		if lane := laneOfDraft(d); failed[lane] == nil {
			lanes[lane] = true
		}
	}
	_, more := e.list(ctx, lanes)
	maps.Copy(failed, more)
	return unreadLanes(failed)
}

// unreadLanes is the error of lanes that could not be read, a sentence for each.
func unreadLanes(failed map[cloud.Lane]error) error {
	lanes := slices.SortedFunc(maps.Keys(failed), func(a, b cloud.Lane) int { return strings.Compare(a.String(), b.String()) })
	var says []string
	errs := make([]error, len(lanes))
	for i, lane := range lanes {
		errs[i] = tell(lane, failed[lane])
		if text := fmt.Sprintf("%s: %v", lane, errs[i]); !slices.Contains(says, text) {
			says = append(says, text)
		}
	}
	many := "1 lane"
	if len(lanes) > 1 {
		many = fmt.Sprintf("%d lanes", len(lanes))
	}
	return told{many + " could not be read, and a plan rests on what its lanes hold: " + strings.Join(says, "; "), errors.Join(errs...)}
}

// offering finds the one offering that a draft means; with an error it names the
// field to mend.
func (e *Engine) offering(ctx context.Context, d recommend.Draft) (o cloud.Offering, field string, err error) {
	svc, err := e.Clouds.Service(laneOfDraft(d))
	if err != nil {
		return cloud.Offering{}, "account", err
	}
	q := driver.Query{ID: d.OfferingID, Attributes: d.Attributes, Term: d.Term, Payment: d.Payment}
	found, err := svc.Offerings(ctx, q)
	if err != nil {
		return cloud.Offering{}, "", err
	}
	what := fmt.Sprintf("%s, %s %s", strings.TrimSpace(fmt.Sprintf("%s %s %s", d.Service, d.Region, d.Attributes)), d.Term, d.Payment)
	switch len(found) {
	case 0:
		return cloud.Offering{}, unsold, fmt.Errorf("%s is not sold%s", what, e.hint(ctx, svc, d))
	case 1:
	default:
		ids := make([]string, len(found))
		for i, o := range found {
			ids[i] = o.ID
		}
		return cloud.Offering{}, unsold, fmt.Errorf("%s matches %d offerings; name one of them: %s", what, len(found), strings.Join(ids, ", "))
	}
	if o := found[0]; o.Term != d.Term || o.Payment != d.Payment || !subset(d.Attributes, o.Attributes) {
		return cloud.Offering{}, unsold, fmt.Errorf("offering %s is %s, %s %s, not %s", o.ID, o.Attributes, o.Term, o.Payment, what)
	}
	if found[0].Hourly.Currency() == "" {
		return cloud.Offering{}, unsold, fmt.Errorf("the cloud names no currency for %s", what)
	}
	return found[0], "", nil
}

func subset(part, whole cloud.Attributes) bool {
	for k, v := range part {
		if whole[k] != v {
			return false
		}
	}
	return true
}

// hint says what is sold of the same kind on other terms, to save a guess.
func (e *Engine) hint(ctx context.Context, svc driver.Service, d recommend.Draft) string {
	found, err := svc.Offerings(ctx, driver.Query{Attributes: d.Attributes})
	if err != nil || len(found) == 0 {
		return ""
	}
	terms := map[string]bool{}
	for _, o := range found {
		terms[o.Term.String()+" "+string(o.Payment)] = true
	}
	return "; sold are " + strings.Join(slices.Sorted(maps.Keys(terms)), ", ")
}

// at names the place in the input that an error is about.
func at(d recommend.Draft, field string, err error) error {
	pos := d.At
	if field != "" {
		pos.Field = field
	}
	return &recommend.Error{Position: pos, Problem: err.Error()}
}

// Progress sums what a plan has bound so far.
func Progress(p *purchase.Plan) (done, inDoubt int, bound money.Amount) {
	bound = money.Zero(p.Total.Total.Currency())
	for _, l := range p.Lines {
		switch {
		case l.State == purchase.Purchased:
			done++
			if sum, err := bound.Add(l.Spec.Price.Total); err == nil {
				bound = sum
			}
		case l.State.Terminal():
			done++
		case l.State == purchase.Armed:
			inDoubt++
		}
	}
	return done, inDoubt, bound
}
