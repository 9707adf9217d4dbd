package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"bursar/internal/purchase"
)

// ApprovalRules is what an installation demands of approvals. The zero value
// demands one person; that may be the requester if every line is simulated.
type ApprovalRules struct {
	Needed    int      // 0 means 1
	Approvers []string // empty is anybody
	// Self lets the requester approve; nil does where every line is simulated.
	Self *bool
}

// freeze is the rule for one plan. A plan that nobody could approve is refused.
func (r ApprovalRules) freeze(p *purchase.Plan) (purchase.Approvals, error) {
	a := purchase.Approvals{Needed: max(r.Needed, 1), Approvers: r.Approvers, Self: r.Self == nil || *r.Self}
	for _, l := range p.Lines {
		if l.Spec.Simulated {
			continue
		}
		if r.Self != nil && *r.Self {
			return a, fmt.Errorf("requester_may_approve: true is for simulated accounts only, and line %d buys for real in account %s: set it to false in the configuration",
				l.Number, l.Spec.Account)
		}
		a.Self = false
	}
	may := 0
	for _, name := range a.Approvers {
		if a.May(name, p.Requester) {
			may++
		}
	}
	if len(a.Approvers) > 0 && may < a.Needed {
		return a, fmt.Errorf("a plan needs %d approvals, and only %d of the approvers (%s) may approve one that %s requests: name more approvers in the configuration",
			a.Needed, may, strings.Join(a.Approvers, ", "), p.Requester)
	}
	return a, nil
}

// Cancel asks in a person's name that a line not be bought, and returns the line
// as it then is. A line that waits is canceled at once; one that may have been
// sent keeps being looked up and ends as purchased or canceled by evidence. asked
// is false if the request changed nothing.
func (e *Engine) Cancel(ctx context.Context, id purchase.LineID, by, comment string) (row purchase.Row, asked bool, err error) {
	now := e.Now()
	if asked, err = e.DB.Cancel(ctx, id, by, comment, now); err != nil {
		return row, asked, err
	}
	if row, err = e.DB.Row(ctx, id); err != nil || !row.Line.CancelRequested {
		return row, asked, err
	}
	c, err := purchase.DefaultRules.Step(row, purchase.Swept{}, now)
	if err == nil {
		err = e.DB.Apply(ctx, c, now)
	}
	if err != nil && !errors.Is(err, purchase.ErrNoStep) && !errors.Is(err, purchase.ErrLost) {
		return row, asked, err
	}
	row, err = e.DB.Row(ctx, id)
	return row, asked, err
}
