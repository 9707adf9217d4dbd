package purchase

import (
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

var t0 = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

const (
	testLine    LineID = "01JNB3XQZ5W8Y2K7M4T6R9V0AC"
	testPlan    PlanID = "01JNB3XQZ0000000000000PLAN"
	testInstall        = "k7f2"
	testAccount        = cloud.Account("111122223333")
)

// testFacts are those of a service of class B. An attempt armed at t0 may be
// answered until t0+50s and is settled at t0+7m.
var testFacts = Facts{Class: cloud.ClassName, Life: 2 * time.Minute, Settle: 5 * time.Minute, Answer: 25 * time.Second}

const (
	answerBy = 50 * time.Second
	settled  = 7 * time.Minute
)

func usd(text string) money.Amount { return money.MustParse(text, "USD") }

func testOffering() cloud.Offering {
	return cloud.Offering{
		Provider: cloud.AWS, Service: "rds", Region: "eu-west-1", ID: "649fd0c8-cf6d-47a0-bfa6-060f8e75e95f",
		Attributes: cloud.Attributes{"engine": "mysql", "class": "db.r6g.large", "multi_az": "false"},
		Term:       cloud.OneYear, Payment: cloud.PartialUpfront, Upfront: usd("777"), Hourly: usd("0.0887"),
	}
}

// testSpec is what the test line asks for: three units, frozen.
func testSpec() Spec {
	s := Spec{Account: testAccount, Offering: testOffering(), Quantity: 3, Note: "db fleet"}
	price, err := s.Offering.Price(s.Quantity)
	if err != nil {
		panic(err)
	}
	s.Price = price
	return s
}

// boughtAs is the commitment of the test line, as the cloud shows it under a name.
func boughtAs(identity string) cloud.Commitment {
	s := testSpec()
	return cloud.Commitment{
		Lane: s.Lane(), ID: identity, OfferingID: s.Offering.ID, Attributes: s.Offering.Attributes,
		Term: s.Offering.Term, Payment: s.Offering.Payment, Quantity: s.Quantity,
		Upfront: s.Offering.Upfront, Hourly: s.Offering.Hourly, State: cloud.Active, Start: t0,
	}
}

// inLane is a commitment of the goods of the test line that the cloud has given
// an id of its own.
func inLane(id string, changes ...func(*cloud.Commitment)) cloud.Commitment {
	c := boughtAs(id)
	for _, change := range changes {
		change(&c)
	}
	return c
}

func inState(s cloud.CommitmentState) func(*cloud.Commitment) {
	return func(c *cloud.Commitment) { c.State = s }
}

func startingAt(t time.Time) func(*cloud.Commitment) {
	return func(c *cloud.Commitment) { c.Start = t }
}

func identity(generation int) string { return Identity(testInstall, testLine, generation) }

// attempt is attempt n of the test line, armed at t0 + (n-1) minutes.
func attempt(n, generation int, state AttemptState, outcome cloud.Outcome) Attempt {
	at := t0.Add(time.Duration(n-1) * time.Minute)
	s := testSpec()
	a := Attempt{
		Line: testLine, N: n, Generation: generation, Nonce: nonce(n), Protocol: ProtocolVersion, Credential: "AKIATEST",
		Intent: Intent{
			Account: s.Account, Offering: s.Offering, Quantity: s.Quantity, Identity: identity(generation),
			Deadline: at.Add(testFacts.Life),
		},
		ArmedAt: at, AnswerBy: at.Add(answerBy), SettledAt: at.Add(settled), State: state, Outcome: outcome,
	}
	if state != AttemptArmed {
		a.EndedAt = at.Add(time.Second)
	}
	return a
}

func nonce(n int) string { return "nonce-" + string(rune('0'+n)) }

type rowOption func(*Row)

// lineIn is the row of the test line in a state, approved for two hours, with
// the given attempts.
func lineIn(state State, options ...rowOption) Row {
	r := Row{
		Line: Line{
			ID: testLine, Plan: testPlan, Number: 1, Spec: testSpec(), Class: cloud.ClassName, State: state,
			Generation: 1, MustLeaveBy: t0.Add(time.Hour), LookAt: t0, UpdatedAt: t0,
		},
		PlanState: PlanApproved, ApprovalExpires: t0.Add(2 * time.Hour), Purchasing: true, Install: testInstall,
	}
	for _, o := range options {
		o(&r)
	}
	return r
}

func with(attempts ...Attempt) rowOption {
	return func(r *Row) {
		r.Attempts, r.Line.Armed = attempts, len(attempts)
		for _, a := range attempts {
			r.Line.Generation = max(r.Line.Generation, a.Generation)
		}
	}
}

func generation(g int) rowOption { return func(r *Row) { r.Line.Generation = g } }
func calledOff(r *Row)           { r.Line.CancelRequested = true }
func stopped(r *Row)             { r.Purchasing = false }
func superseded(r *Row)          { r.PlanState = PlanSuperseded }
func rejected(r *Row)            { r.PlanState = PlanRejected }
func planFailed(r *Row)          { r.PlanFailed = true }
func exclusive(r *Row)           { r.Exclusive = true }
func classA(r *Row)              { r.Line.Class = cloud.ClassToken }
func classC(r *Row)              { r.Line.Class = cloud.ClassNone }
func classQ(r *Row)              { r.Line.Class = cloud.ClassQueued }
func classH(r *Row)              { r.Line.Class = cloud.ClassHandle }

func explained(ids ...string) rowOption { return func(r *Row) { r.Explained = ids } }

func tolerance(t Tolerance) rowOption { return func(r *Row) { r.Tolerance = t } }
func approvedUntil(t time.Time) rowOption {
	return func(r *Row) { r.ApprovalExpires = t }
}

// armedOnce is an armed line with one attempt that has no answer yet.
func armedOnce(options ...rowOption) Row {
	return lineIn(Armed, append([]rowOption{with(attempt(1, 1, AttemptArmed, cloud.InDoubt))}, options...)...)
}

// nothingListed is a complete look that began at a moment by both clocks.
func nothingListed(at time.Time) []cloud.Evidence {
	return []cloud.Evidence{{
		Kind: cloud.EvidenceAbsence, Operation: "DescribeReservedDBInstances", Started: at, CloudTime: at.Add(time.Second), Status: 200,
	}}
}

func listed(at time.Time, cs ...cloud.Commitment) []cloud.Evidence {
	var found []cloud.Evidence
	for _, c := range cs {
		found = append(found, cloud.Evidence{
			Kind: cloud.EvidenceListing, Operation: "DescribeReservedDBInstances", Started: at, CloudTime: at.Add(time.Second),
			Status: 200, Commitment: &c,
		})
	}
	return found
}

// checkedAt is a preflight without findings at a moment, with changes.
func checkedAt(at time.Time, changes ...func(*Checked)) Checked {
	ev := Checked{
		Facts: testFacts, Quote: cloud.Quote{Offering: testOffering(), At: at, CloudTime: at, Credential: "AKIATEST"},
		Found: nothingListed(at), Nonce: "fresh",
	}
	for _, change := range changes {
		change(&ev)
	}
	return ev
}

func answered(n int, outcome cloud.Outcome) Answered {
	e := cloud.Evidence{
		Kind: cloud.EvidenceReply, Outcome: outcome, Operation: "PurchaseReservedDBInstancesOffering",
		Started: t0, CloudTime: t0, RequestID: "req", Status: 400, Code: "Code", Detail: "the words of the cloud",
	}
	if outcome == cloud.Bought {
		c := boughtAs(identity(1))
		e.Commitment, e.Status, e.Code, e.Detail = &c, 200, "", ""
	}
	return Answered{N: n, Nonce: nonce(n), Evidence: e}
}

func buying(n int, change func(*cloud.Commitment)) Answered {
	ev := answered(n, cloud.Bought)
	change(ev.Evidence.Commitment)
	return ev
}

func eur(text string) money.Amount { return money.MustParse(text, "EUR") }
