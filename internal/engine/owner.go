package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/journal"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// Owner is the text of the owner mark of an account.
type Owner struct {
	Install     string    `json:"install"`
	Holder      string    `json:"holder"`
	Host        string    `json:"host,omitempty"`
	Environment string    `json:"environment,omitempty"`
	Since       time.Time `json:"since"`
}

// OwnerMark is the name of the mark that says who buys in an account.
const OwnerMark = "owner"

// claimer returns what keeps the marks of an account; nil if there is none.
func (e *Engine) claimer(p payer) (driver.Claimer, error) {
	c, ok := e.Clouds.(Claimants)
	if !ok {
		return nil, nil
	}
	return c.Claimer(p.provider, p.account)
}

// owner is who this ledger is in the accounts.
func (e *Engine) owner(ctx context.Context) (Owner, error) {
	in, err := e.DB.Installation(ctx)
	if err != nil {
		return Owner{}, err
	}
	stored, err := e.DB.StoredMarks(ctx)
	if err != nil {
		return Owner{}, err
	}
	o := Owner{Install: in.Install, Holder: stored[store.MarkHolder], Since: e.Now().UTC().Truncate(time.Second)}
	if e.Guard.Place != nil {
		place, err := e.Guard.Place()
		if err != nil {
			return Owner{}, err
		}
		o.Host, o.Environment = place[hostName], place[store.MarkEnvironment]
	}
	return o, nil
}

// hostName is what Place calls the host for people; it is no mark.
const hostName store.MarkName = "hostname"

// owns asks an account who buys there, and says so in an account where nobody does.
// Where the account does not permit marks, this one is missing.
func (e *Engine) owns(ctx context.Context, p payer) error {
	g := e.Guard
	g.mu.Lock()
	if g.owned == nil {
		g.owned = map[payer]*ownership{}
	}
	o := g.owned[p]
	if o == nil {
		o = &ownership{}
		g.owned[p] = o
	}
	g.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	age := time.Since(o.asked)
	if o.refusal == nil && age < compareEvery || o.refusal != nil && age < refusedFor {
		return o.refusal
	}
	there, err := e.Owner(ctx, p.provider, p.account, true)
	if err == nil && there.Refusal != nil {
		err = there.Refusal
	}
	o.asked, o.refusal = time.Now(), err
	return err
}

// Ownership is who buys in an account.
type Ownership struct {
	Owner   Owner
	Kept    bool  // the account keeps marks
	Denied  bool  // it does not permit them
	Taken   bool  // somebody has the mark
	Refusal error // the account is somebody else's; an ErrRefused
}

// Owner reads the owner mark of an account; with claim, an account that nobody has is
// taken.
func (e *Engine) Owner(ctx context.Context, p cloud.Provider, a cloud.Account, claim bool) (Ownership, error) {
	var o Ownership
	c, err := e.claimer(payer{p, a})
	if c == nil || err != nil {
		return o, err
	}
	o.Kept = true
	me, err := e.owner(ctx)
	if err != nil {
		return o, err
	}
	var text string
	if claim {
		mine, err := json.Marshal(me)
		if err != nil {
			return o, err
		}
		text, err = c.Claim(ctx, OwnerMark, string(mine))
		if errors.Is(err, driver.ErrMarkDenied) {
			o.Denied = true
			return o, nil
		} else if err != nil {
			return o, err
		}
	} else if text, err = c.Claimed(ctx, OwnerMark); errors.Is(err, driver.ErrMarkDenied) {
		o.Denied = true
		return o, nil
	} else if err != nil {
		return o, err
	}
	if text == "" {
		return o, nil
	}
	o.Taken = true
	if err := json.Unmarshal([]byte(text), &o.Owner); err != nil || o.Owner.Install == "" {
		o.Refusal = refuse("account %s has an owner mark that is not one of bursar: look at it, and take the account with bursar recovery adopt %s", a, a)
		return o, nil
	}
	switch was := o.Owner; {
	case was.Install == me.Install && was.Holder == me.Holder:
	case was.Install != me.Install:
		o.Refusal = refuse("account %s belongs to the installation %s%s since %s, and one account has one buyer: if that one does not buy there any more, take it over with bursar recovery adopt %s",
			a, was.Install, was.where(), was.Since.Format("2006-01-02 15:04:05Z"), a)
	default:
		o.Refusal = refuse("account %s belongs to another copy of this ledger%s since %s: if that copy does not buy any more, take it over with bursar recovery adopt %s",
			a, was.where(), was.Since.Format("2006-01-02 15:04:05Z"), a)
	}
	return o, nil
}

func (o Owner) where() string {
	var parts []string
	if o.Host != "" {
		parts = append(parts, "on "+o.Host)
	}
	if o.Environment != "" {
		parts = append(parts, "in "+o.Environment)
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// Adopt takes an account over in a person's name.
func (e *Engine) Adopt(ctx context.Context, p cloud.Provider, a cloud.Account, by, comment string) error {
	c, err := e.claimer(payer{p, a})
	if err != nil {
		return err
	}
	if c == nil {
		return fmt.Errorf("account %s of %s keeps no marks, so there is nothing to take over: bursar doctor says what it lacks", a, p)
	}
	before, err := e.Owner(ctx, p, a, false)
	if err != nil {
		return err
	}
	me, err := e.owner(ctx)
	if err != nil {
		return err
	}
	mine, err := json.Marshal(me)
	if err != nil {
		return err
	}
	detail := fmt.Sprintf("%s account %s", p, a)
	if before.Taken {
		detail += fmt.Sprintf(" from installation %s%s", before.Owner.Install, before.Owner.where())
	}
	// Written before, so that no account changes hands without a word of it.
	if err := e.DB.RecordRecovery(ctx, store.RecoveryEvent{Kind: "adopted", By: by, At: e.Now(), Detail: detail, Comment: comment}); err != nil {
		return err
	}
	if err := c.Replace(ctx, OwnerMark, string(mine)); err != nil {
		return err
	}
	e.Guard.mu.Lock()
	e.Guard.owned = nil
	e.Guard.mu.Unlock()
	return nil
}

// claim creates the mark of one generation in the account that pays. One that is there
// must be of this very ledger: a request is repeated within its generation.
func (e *Engine) claim(ctx context.Context, i purchase.Intent, r journal.Record) error {
	c, err := e.claimer(payer{cloud.Provider(r.Provider), i.Account})
	if c == nil || err != nil {
		return err
	}
	stored, err := e.DB.StoredMarks(ctx)
	if err != nil {
		return err
	}
	mine := stored[store.MarkHolder]
	there, err := c.Claim(ctx, "claims/"+r.Line+"-"+strconv.Itoa(r.Generation), mine)
	switch {
	case errors.Is(err, driver.ErrMarkDenied):
		return refuse("account %s does not permit the claims that bursar.yaml asks for: grant them, as bursar doctor shows, or leave out claims: true", i.Account)
	case err != nil:
		return err
	case there != mine:
		return refuse("another copy of this ledger has claimed generation %d of line %s in account %s: one of the two has gone back in time, see bursar recovery start", r.Generation, r.Line, i.Account)
	}
	return nil
}

// CheckOwners returns the first refusal of the accounts of some lanes.
func (e *Engine) CheckOwners(ctx context.Context, lanes []cloud.Lane) error {
	var asked []payer
	for _, l := range lanes {
		p := payer{l.Provider, l.Account}
		if slices.Contains(asked, p) {
			continue
		}
		asked = append(asked, p)
		if err := e.mayBuy(ctx, l); errors.Is(err, ErrRefused) {
			return err
		}
	}
	return nil
}
