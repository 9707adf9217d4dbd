package purchase

import (
	"slices"
	"strings"
	"testing"

	"bursar/internal/cloud"
)

// Where the cloud names an order together with its price, the name is in the ledger
// before it is used, and what is bought under it is the line's.
func TestAnOrderThatIsNamedWithItsPriceIsStoredAndFound(t *testing.T) {
	ev := checkedAt(t0)
	ev.Quote.Order = "order-1"
	c, err := DefaultRules.Step(lineIn(Ready, classH), ev, t0)
	if err != nil || c.Arm == nil || c.Arm.Intent.Order != "order-1" || c.Arm.Intent.Identity != identity(1) {
		t.Fatalf("%v, %+v", err, c.Arm)
	}
	raw, err := c.Arm.Intent.Bytes()
	if err != nil || !strings.Contains(string(raw), `"order":"order-1"`) {
		t.Errorf("%v: the stored request is %s", err, raw)
	}

	a := attempt(1, 1, AttemptInDoubt, cloud.InDoubt)
	a.Intent.Order = "order-1"
	row := lineIn(Armed, classH, with(a))
	if got := row.Identities(); !slices.Equal(got, []string{identity(1), "order-1"}) {
		t.Errorf("looked for under %q", got)
	}
	if got := row.Intent(t0).Identity; got != identity(1) {
		t.Errorf("the next request is named %s", got)
	}
	end := t0.Add(settled)
	runSteps(t, []stepCase{
		{name: "its order", row: row, ev: looked(listed(t0, inLane("ORDER-1"))), now: t0, rule: "T4", to: Purchased,
			attempts: map[int]AttemptState{1: AttemptSucceeded}, receipt: 1, evidence: 1},
		{name: "nothing under it", row: row, ev: looked(nothingListed(end)), now: end, rule: "T8", to: Ready, generation: 2,
			attempts: map[int]AttemptState{1: AttemptDead}, evidence: 1},
	})
}
