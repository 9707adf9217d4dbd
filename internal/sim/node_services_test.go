package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
)

// nodeClient is one of the services of one wording behind its official SDK.
type nodeClient struct {
	service, purchase, list string // operation names
	class                   string
	named                   bool // the buyer names what it buys
	exists, missing         string
	noOffering, tooMany     string
	denied, throttled       string
	client                  func(aws.Config) nodeAPI
}

// nodeRecord is what a listing says, in the words of the ledger.
type nodeRecord struct {
	ID, OfferingID, Class, Product, Payment, State, ARN string
	Seconds, Count                                      int
	Fixed, Hourly                                       float64
	StartsAt                                            time.Time
}

// nodeAPI is the calls of an SDK.
type nodeAPI interface {
	buy(ctx context.Context, offering, id string, count int32, tags []Tag) (nodeRecord, error)
	// offerings pages to the end; perPage 0 is the service's default.
	offerings(ctx context.Context, class string, perPage int32) ([]nodeRecord, error)
	// bought pages to the end, or shows the one of the id.
	bought(ctx context.Context, id string) ([]nodeRecord, error)
}

var nodeClients []nodeClient

// aNode is a fixed offering of us-east-1.
func (n nodeClient) aNode() *offering {
	for _, o := range builtin().byShop[shop{n.service, "us-east-1"}] {
		if o.Class == n.class && o.Seconds == oneYear && o.Payment == partialUpfront {
			return o
		}
	}
	panic("no such offering")
}

func eachNodeService(t *testing.T, test func(t *testing.T, n nodeClient)) {
	for _, n := range nodeClients {
		t.Run(n.service, func(t *testing.T) { test(t, n) })
	}
}

func TestNodesThroughSDK(t *testing.T) {
	eachNodeService(t, func(t *testing.T, n nodeClient) {
		s := newSim(t, Options{Visibility: -1})
		c := n.client(operator(serve(t, s)))
		o := n.aNode()
		var tags []Tag
		if n.named {
			tags = []Tag{{"plan", "p-1"}}
		}
		got, err := c.buy(t.Context(), o.id, "Team-A", 3, tags)
		if err != nil {
			t.Fatal(err)
		}
		e := s.Ledger()[0]
		fixed, hourly := float(t, o.fixed), float(t, o.hourly)
		want := nodeRecord{
			ID: "Team-A", OfferingID: o.id, Class: n.class, Product: o.Attributes["product"], Payment: partialUpfront, State: got.State,
			ARN: e.ARN, Seconds: oneYear, Count: 3, Fixed: fixed, Hourly: hourly, StartsAt: s.Now().Truncate(time.Millisecond),
		}
		if !n.named {
			want.ID = e.ID
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("purchase (-want +got):\n%s", diff)
		}
		if got.State != "payment-pending" && (n.service != "redshift" || got.State != "pending-payment") {
			t.Errorf("state %s", got.State)
		}
		if n.named && (e.ID != "team-a" || e.SentID != "Team-A" || !strings.HasSuffix(e.ARN, "team-a") || len(e.Tags) != 1) || e.Service != n.service || e.Count != 3 || e.RequestID != s.Requests()[0].ID {
			t.Errorf("ledger %+v", e)
		}
		listed, err := c.bought(t.Context(), "")
		want.ID = e.ID
		if diff := cmp.Diff([]nodeRecord{want}, listed); diff != "" || err != nil {
			t.Errorf("listed: %v\n%s", err, diff)
		}
		for _, step := range []struct {
			until time.Time
			want  string
		}{{e.SettlesAt, "active"}, {e.EndsAt, "retired"}} {
			advance(t, s, step.until.Sub(s.Now()))
			if one, err := c.bought(t.Context(), e.ID); err != nil || len(one) != 1 || one[0].State != step.want {
				t.Errorf("%+v, %v; want %s", one, err, step.want)
			}
		}
		// The class never fails softly: a retired id stays taken, or the same order
		// buys again.
		_, err = c.buy(t.Context(), o.id, "TEAM-A", 3, nil)
		if code(err) != n.exists || len(s.Ledger()) != map[bool]int{true: 1, false: 2}[n.named] {
			t.Errorf("bought again: %v, %d in the ledger", err, len(s.Ledger()))
		}
	})
}

func TestNodeRefusals(t *testing.T) {
	eachNodeService(t, func(t *testing.T, n nodeClient) {
		s := newSim(t, Options{Visibility: time.Minute, Seed: 7})
		url := serve(t, s)
		c := n.client(operator(url))
		o := n.aNode()
		if _, err := c.buy(t.Context(), "none", "x", 1, nil); code(err) != n.noOffering {
			t.Errorf("unknown offering: %v", err)
		}
		elsewhere := operator(url)
		elsewhere.Region = "eu-west-1"
		if _, err := n.client(elsewhere).buy(t.Context(), o.id, "x", 1, nil); code(err) != n.noOffering {
			t.Errorf("offering of another region: %v", err)
		}
		if _, err := c.buy(t.Context(), anOffering().id, "x", 1, nil); code(err) != n.noOffering {
			t.Errorf("offering of another service: %v", err)
		}
		quota := services[n.service].sells.quota
		if _, err := c.buy(t.Context(), o.id, "x", int32(quota)+1, nil); code(err) != n.tooMany {
			t.Errorf("over the quota: %v", err)
		}
		if _, err := c.bought(t.Context(), "none"); code(err) != n.missing {
			t.Errorf("unknown reservation: %v", err)
		}
		if _, err := c.buy(t.Context(), o.id, "x", int32(quota), nil); err != nil {
			t.Errorf("the whole quota: %v", err)
		}
		if _, err := c.bought(t.Context(), s.Ledger()[0].ID); code(err) != n.missing {
			t.Errorf("hidden: %v", err)
		}
		if list, err := c.bought(t.Context(), ""); err != nil || len(list) != 0 {
			t.Errorf("hidden, listed: %+v, %v", list, err)
		}
		allow := func(action string) nodeAPI {
			return n.client(config(url, assume(t, url, `{"Statement":{"Effect":"Allow","Action":"`+action+`","Resource":"*"}}`)))
		}
		before := len(s.Ledger())
		if _, err := allow(n.service+":Describe*").buy(t.Context(), o.id, "y", 1, nil); code(err) != n.denied {
			t.Errorf("not permitted: %v", err)
		}
		if _, err := allow("rds:*").bought(t.Context(), ""); code(err) != n.denied {
			t.Errorf("not permitted to list: %v", err)
		}
		if n.named {
			if _, err := allow(n.service+":"+n.purchase).buy(t.Context(), o.id, "y", 1, []Tag{{"a", "b"}}); code(err) != n.denied {
				t.Errorf("not permitted to tag: %v", err)
			}
			if _, err := allow(n.service+":"+n.purchase).buy(t.Context(), o.id, "y", 1, nil); err != nil {
				t.Errorf("permitted: %v", err)
			}
			before++
		}
		if len(s.Ledger()) != before {
			t.Errorf("%d bought, want %d", len(s.Ledger()), before)
		}
	})
}

// Pages are small and of unpredictable size, in no order, and lose nothing.
func TestNodePages(t *testing.T) {
	eachNodeService(t, func(t *testing.T, n nodeClient) {
		s := newSim(t, Options{PageSize: 3, Quota: 1000})
		c := n.client(operator(serve(t, s)))
		var want []string
		for _, o := range builtin().byShop[shop{n.service, "us-east-1"}] {
			want = append(want, o.id)
		}
		slices.Sort(want)
		list, err := c.offerings(t.Context(), "", 20)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, o := range list {
			ids = append(ids, o.OfferingID)
			if b := builtin().byID[o.OfferingID]; b == nil || o.Class != b.Class || o.Fixed != float(t, b.fixed) || o.Hourly != float(t, b.hourly) || o.Payment != b.Payment || int64(o.Seconds) != b.Seconds {
				t.Errorf("%+v is not %+v", o, b)
			}
		}
		if slices.IsSorted(ids) || len(s.Requests()) < len(want)/3 {
			t.Errorf("in order, or in %d pages", len(s.Requests()))
		}
		slices.Sort(ids)
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Error(diff)
		}
		if _, err := c.offerings(t.Context(), "", 19); err == nil {
			t.Error("a page of 19 was answered")
		}
		for i := range 10 {
			e := Existing{Account: account, Region: "us-east-1", OfferingID: n.aNode().id, Count: 1}
			if n.named {
				e.ID = fmt.Sprintf("old-%d", i)
			}
			if err := s.Add(e); err != nil {
				t.Fatal(err)
			}
		}
		seen := map[string]bool{}
		bought, err := c.bought(t.Context(), "")
		for _, r := range bought {
			seen[r.ID] = r.State == "active"
		}
		if err != nil || len(seen) != 10 || len(bought) != 10 || !seen[s.Ledger()[9].ID] {
			t.Errorf("listed %+v, %v", bought, err)
		}
	})
}

// Every fault of a reply, on every service: what the client hears and what was
// bought.
func TestNodeFaults(t *testing.T) {
	eachNodeService(t, func(t *testing.T, n nodeClient) {
		for kind, want := range map[string]struct {
			code   string
			bought int
		}{
			LoseRequest: {"", 0}, LoseReply: {"", 1}, TornBody: {"", 1},
			ErrorBefore: {"InternalFailure", 0}, ErrorAfter: {"InternalFailure", 1}, Throttle: {n.throttled, 0},
		} {
			s := newSim(t, Options{})
			c := n.client(operator(serve(t, s)))
			addFault(t, s, Fault{Kind: kind, Service: n.service, Operation: n.purchase})
			_, err := c.buy(t.Context(), n.aNode().id, "x", 1, nil)
			if err == nil || want.code != "" && code(err) != want.code || len(s.Ledger()) != want.bought {
				t.Errorf("%s: %v, %d bought", kind, err, len(s.Ledger()))
			}
			if log := s.Requests(); len(log) != 1 || !log[0].Spending || log[0].Applied != (want.bought == 1) || log[0].Fault != kind {
				t.Errorf("%s: logged %+v", kind, log)
			}
		}
		s := newSim(t, Options{Visibility: -1})
		c := n.client(operator(serve(t, s)))
		addFault(t, s, Fault{Kind: PaymentFailed, Service: n.service})
		if _, err := c.buy(t.Context(), n.aNode().id, "x", 1, nil); err != nil {
			t.Fatal(err)
		}
		addFault(t, s, Fault{Kind: StaleListing, Service: n.service, Operation: n.list, Duration: time.Hour})
		if list, err := c.bought(t.Context(), ""); err != nil || len(list) != 0 {
			t.Errorf("stale: %+v, %v", list, err)
		}
		advance(t, s, 11*time.Minute)
		if list, err := c.bought(t.Context(), ""); err != nil || len(list) != 1 || list[0].State != "payment-failed" {
			t.Errorf("failed payment: %+v, %v", list, err)
		}
	})
}

// A name of one service means nothing in another.
func TestServicesAreApart(t *testing.T) {
	s := newSim(t, Options{Visibility: -1})
	url := serve(t, s)
	mustBuy(t, url, "same")
	n := 1
	eachNodeService(t, func(t *testing.T, c nodeClient) {
		n++
		if _, err := c.client(operator(url)).buy(t.Context(), c.aNode().id, "same", 1, nil); err != nil || len(s.Ledger()) != n {
			t.Errorf("%v, %d bought", err, len(s.Ledger()))
		}
		if list, err := c.client(operator(url)).bought(t.Context(), ""); err != nil || len(list) != 1 {
			t.Errorf("lists %+v, %v", list, err)
		}
	})
}

func clientOf(service string) nodeClient {
	for _, n := range nodeClients {
		if n.service == service {
			return n
		}
	}
	panic("no client of " + service)
}
