package sim

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"bursar/internal/money"
)

func TestEC2Queue(t *testing.T) {
	s := newSim(t, Options{Visibility: -1, Path: statePath(t)})
	c := ec2Client(serve(t, s))
	o := anInstance("")
	at := s.Now().Add(time.Hour).Truncate(time.Second)
	keep := mustBuyEC2(t, c, o, 2, at.Add(300*time.Millisecond))
	drop := mustBuyEC2(t, c, o, 2, at)
	if got := ec2State(t, c, keep) + " " + ec2State(t, c, drop); got != "queued queued" {
		t.Errorf("states %s", got)
	}
	if e := s.Ledger()[0]; !e.StartsAt.Equal(at) || e.State != stateQueued || !s.Requests()[0].Spending {
		t.Errorf("ledger %+v", e)
	}
	if list := ec2List(t, c, &ec2.DescribeReservedInstancesInput{Filters: []types.Filter{{Name: aws.String("start"), Values: []string{at.Format(timestamp)}}}}); len(list) != 2 {
		t.Errorf("%d start at the second", len(list))
	}
	done, failed := deleteQueued(t, c, drop, "none", drop)
	if !slices.Equal(done, []string{drop}) || !cmp.Equal(failed, map[string]string{"none": "reserved-instances-id-invalid", drop: "reserved-instances-not-in-queued-state"}) {
		t.Errorf("deleted %v, failed %v", done, failed)
	}
	advance(t, s, at.Add(-time.Millisecond).Sub(s.Now()))
	if got := ec2State(t, c, keep) + " " + ec2State(t, c, drop); got != "queued queued-deleted" {
		t.Errorf("states before the second: %s", got)
	}
	advance(t, s, time.Millisecond)
	if got := ec2State(t, c, keep) + " " + ec2State(t, c, drop); got != "payment-pending queued-deleted" {
		t.Errorf("states at the second: %s", got)
	}
	if done, failed := deleteQueued(t, c, keep); len(done) != 0 || failed[keep] != "reserved-instances-not-in-queued-state" {
		t.Errorf("deleted %v, failed %v", done, failed)
	}
	advance(t, s, 11*time.Minute)
	if got := ec2State(t, c, keep); got != "active" {
		t.Errorf("state %s", got)
	}
	e := s.Ledger()[0]
	if !e.EndsAt.Equal(at.Add(365 * 24 * time.Hour)) {
		t.Errorf("ends %s", e.EndsAt)
	}
	addFault(t, s, Fault{Kind: StaleListing, Service: "ec2", Duration: 2 * time.Hour})
	if got := ec2List(t, c, nil); len(got) != 0 {
		t.Errorf("two hours ago: %+v", got)
	}
	compare(t, s, newSim(t, Options{Path: s.journal.path}))
}

func TestEC2DeletedOrder(t *testing.T) {
	s := newSim(t, Options{Visibility: time.Minute, Seed: 7, FireAtAnyPrice: true})
	c := ec2Client(serve(t, s))
	id := mustBuyEC2(t, c, anInstance(""), 1, s.Now().Add(time.Hour))
	if done, failed := deleteQueued(t, c, id); len(done) != 0 || failed[id] != "reserved-instances-id-invalid" {
		t.Errorf("hidden: deleted %v, failed %v", done, failed)
	}
	advance(t, s, 10*time.Minute)
	if done, _ := deleteQueued(t, c, id); len(done) != 1 {
		t.Error("not deleted")
	}
	advance(t, s, time.Minute)
	addFault(t, s, Fault{Kind: StaleListing, Service: "ec2", Duration: 2 * time.Minute})
	if got := ec2State(t, c, id); got != stateQueued {
		t.Errorf("before its deletion: %s", got)
	}
	if err := s.SetPrice(anInstance("").id, money.MustParse("9000", "USD"), money.MustParse("0", "USD")); err != nil {
		t.Fatal(err)
	}
	advance(t, s, 2*time.Hour)
	if e := s.Ledger()[0]; e.State != stateDeleted || !e.Fixed.Equal(anInstance("").fixed) {
		t.Errorf("ledger %+v", e)
	}
	_, err := c.DeleteQueuedReservedInstances(t.Context(), &ec2.DeleteQueuedReservedInstancesInput{ReservedInstancesIds: make([]string, 101)})
	if code(err) != "InvalidParameterValue" {
		t.Errorf("101 ids: %v", err)
	}
}

func TestHeldBeforeQueued(t *testing.T) {
	s := midMonth(t, Options{Quota: 3})
	c := ec2Client(serve(t, s))
	mustBuyEC2(t, c, anInstance(""), 2, s.Now().Add(time.Hour))
	addFault(t, s, Fault{Kind: Delay, Operation: "PurchaseReservedInstancesOffering", Duration: 30 * time.Minute})
	done := make(chan error, 1)
	go func() {
		_, err := c.PurchaseReservedInstancesOffering(t.Context(), &ec2.PurchaseReservedInstancesOfferingInput{ReservedInstancesOfferingId: aws.String(anInstance("").id), InstanceCount: aws.Int32(2)})
		done <- err
	}()
	waitFor(t, "the held request", func() bool { return len(s.Requests()) == 2 })
	advance(t, s, 2*time.Hour)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if l := s.Ledger(); l[0].State != stateFailed || l[1].State != stateActive {
		t.Errorf("%s and %s", l[0].State, l[1].State)
	}
}

func TestEC2QueueRefusals(t *testing.T) {
	s := newSim(t, Options{QueueLead: time.Hour})
	c := ec2Client(serve(t, s))
	for name, tt := range map[string]struct {
		o    *offering
		at   time.Time
		want string
	}{
		"past":        {anInstance(""), s.Now().Add(-time.Hour), "InvalidParameterValue"},
		"too early":   {anInstance(""), s.Now().Add(time.Hour), "InvalidParameterValue"},
		"far ahead":   {anInstance(""), s.Now().Add(4 * 365 * 24 * time.Hour), "InvalidParameterValue"},
		"of a zone":   {anInstance("us-east-1a"), s.Now().Add(2 * time.Hour), "InvalidParameterCombination"},
		"late enough": {anInstance(""), s.Now().Add(2 * time.Hour), ""},
	} {
		if _, err := ec2Buy(t, c, tt.o, 1, tt.at); code(err) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(s.Ledger()); n != 1 {
		t.Errorf("%d ordered", n)
	}
}

func TestEC2QueuedOrdersMayFail(t *testing.T) {
	usd := func(v string) money.Amount { return money.MustParse(v, "USD") }
	shown := map[string]int{}
	for seed := range uint64(8) {
		for name, tt := range map[string]struct {
			opts  Options
			cause func(*testing.T, *Sim, *ec2.Client)
			want  string
			price money.Amount
		}{
			"nothing": {Options{}, func(*testing.T, *Sim, *ec2.Client) {}, stateActive, anInstance("").fixed},
			"price": {Options{}, func(t *testing.T, s *Sim, _ *ec2.Client) {
				if err := s.SetPrice(anInstance("").id, usd("9000"), usd("0")); err != nil {
					t.Fatal(err)
				}
			}, stateFailed, anInstance("").fixed},
			"any price": {Options{FireAtAnyPrice: true}, func(t *testing.T, s *Sim, _ *ec2.Client) {
				if err := s.SetPrice(anInstance("").id, usd("9000"), usd("0")); err != nil {
					t.Fatal(err)
				}
			}, stateActive, usd("9000")},
			"quota": {Options{Quota: 3}, func(t *testing.T, _ *Sim, c *ec2.Client) { mustBuyEC2(t, c, anInstance(""), 2, time.Time{}) }, stateFailed, anInstance("").fixed},
		} {
			tt.opts.Seed, tt.opts.Visibility = seed, -1
			s := midMonth(t, tt.opts)
			c := ec2Client(serve(t, s))
			id := mustBuyEC2(t, c, anInstance(""), 2, s.Now().Add(time.Hour))
			tt.cause(t, s, c)
			advance(t, s, 2*time.Hour)
			e := s.Ledger()[0]
			if e.ID != id || e.State != tt.want || !e.Fixed.Equal(tt.price) {
				t.Errorf("%s: %s at %s", name, e.State, e.Fixed)
			}
			if e.State == stateFailed {
				shown[e.Attributes["failed_word"]]++
			}
		}
	}
	if shown["payment-failed"] == 0 || shown["retired"] == 0 {
		t.Errorf("failures show as %v", shown)
	}
}

func TestHeldOrderFiresInItsSecond(t *testing.T) {
	s := newSim(t, Options{SignatureAge: time.Hour})
	c := ec2Client(serve(t, s))
	addFault(t, s, Fault{Kind: Delay, Operation: "PurchaseReservedInstancesOffering", Duration: 10 * time.Minute})
	at := s.Now().Add(20 * time.Minute).Truncate(time.Second)
	done := make(chan error, 1)
	go func() {
		_, err := c.PurchaseReservedInstancesOffering(t.Context(), &ec2.PurchaseReservedInstancesOfferingInput{
			ReservedInstancesOfferingId: aws.String(anInstance("").id), InstanceCount: aws.Int32(1), PurchaseTime: &at,
		})
		done <- err
	}()
	waitFor(t, "the held request", func() bool { return len(s.Requests()) == 1 })
	advance(t, s, time.Hour)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if e := s.Ledger()[0]; !e.StartsAt.Equal(at) || !e.BoughtAt.Equal(s.Requests()[0].Time.Add(10*time.Minute)) || e.State != stateActive {
		t.Errorf("ledger %+v", e)
	}
}
