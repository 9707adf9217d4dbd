package sim

import "time"

// What takes a Savings Plan back: before it starts its deletion, and afterwards its
// return.

// returned is a return that was asked for.
type returned struct {
	ref
	At        time.Time `json:"at"`
	SettlesAt time.Time `json:"settles_at"`
	Fails     bool      `json:"fails,omitempty"` // it is active again then
	Token     string    `json:"token,omitempty"`
}

func (r *returned) pending(at time.Time) bool {
	return r != nil && !at.Before(r.At) && at.Before(r.SettlesAt)
}

func (r *returned) done(at time.Time) bool {
	return r != nil && !at.Before(r.SettlesAt) && !r.Fails
}

func deleteQueuedPlan(c *call) (node, *apiError) {
	id, err := c.in.required("savingsPlanId")
	if err != nil {
		return node{}, err
	}
	r, err := c.plan(id)
	if err != nil {
		return node{}, err
	}
	if state := r.state(c.now); state != stateQueued {
		return node{}, fail("ValidationException", "The Savings Plan is not queued but %s", state)
	}
	c.out.Deleted = append(c.out.Deleted, r.ref())
	return node{}, nil
}

// returnableUntil is the last instant at which the plan can be returned by the rules
// that look at nothing but the plan; its start if never.
func (r *reservation) returnableUntil() time.Time {
	start := r.StartsAt
	if r.Count > mostReturned {
		return start
	}
	until := start.AddDate(0, 0, returnDays)
	if month := time.Date(start.Year(), start.Month()+1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Second); until.After(month) {
		return month
	}
	return until
}

// returnPlan takes a plan back (user guide, "Returning a purchased Savings Plan").
func returnPlan(c *call) (node, *apiError) {
	id, err := c.in.required("savingsPlanId")
	if err != nil {
		return node{}, err
	}
	r, err := c.plan(id)
	if err != nil {
		return node{}, err
	}
	answer := node{kids: []node{leaf("savingsPlanId", r.ID)}}
	if token := c.in["clientToken"]; token != "" && r.Return != nil && r.Return.Token == token && c.now.Before(r.Return.At.Add(c.opts.TokenLife)) {
		return answer, nil
	}
	used := 0
	for _, other := range c.world.byScope[c.scope()] {
		if back := other.Return; back != nil && back.At.Year() == c.now.Year() && (back.pending(c.now) || back.done(c.now)) {
			used++
		}
	}
	switch state := r.state(c.now); {
	case state != stateActive:
		return node{}, fail("ValidationException", "The Savings Plan is %s; only an active one can be returned", state)
	case r.Count > mostReturned:
		return node{}, fail("ValidationException", "The commitment is above 100 USD per hour")
	case c.now.After(r.returnableUntil()):
		return node{}, fail("ValidationException", "The Savings Plan was returnable until %s", r.returnableUntil().Format(timestamp))
	case used >= returnsAYear:
		return node{}, fail("ServiceQuotaExceededException", "%d Savings Plans were returned this year, the most that can be", used)
	}
	back := returned{ref: r.ref(), At: c.now, Token: c.in["clientToken"]}
	back.SettlesAt = c.now.Add(drawDuration(time.Minute, 10*time.Minute, c.world.seed, "return", c.requestID))
	_, back.Fails = c.hits[ReturnFails]
	c.out.Returned = append(c.out.Returned, back)
	return answer, nil
}
