package sim

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshift/types"
)

func init() {
	nodeClients = append(nodeClients, nodeClient{
		service: "redshift", purchase: "PurchaseReservedNodeOffering", list: "DescribeReservedNodes",
		class: "ra3.xlplus", missing: "ReservedNodeNotFound",
		noOffering: "ReservedNodeOfferingNotFound", tooMany: "ReservedNodeQuotaExceeded",
		denied: "AccessDenied", throttled: "Throttling",
		client: func(cfg aws.Config) nodeAPI { return redshiftAPI{redshift.NewFromConfig(cfg)} },
	})
}

type redshiftAPI struct{ *redshift.Client }

func (c redshiftAPI) buy(ctx context.Context, offering, _ string, count int32, _ []Tag) (nodeRecord, error) {
	out, err := c.PurchaseReservedNodeOffering(ctx, &redshift.PurchaseReservedNodeOfferingInput{ReservedNodeOfferingId: &offering, NodeCount: &count})
	if err != nil {
		return nodeRecord{}, err
	}
	return redshiftRecord(*out.ReservedNode), nil
}

func (c redshiftAPI) offerings(ctx context.Context, _ string, perPage int32) (list []nodeRecord, err error) {
	in := &redshift.DescribeReservedNodeOfferingsInput{}
	if perPage != 0 {
		in.MaxRecords = &perPage
	}
	p := redshift.NewDescribeReservedNodeOfferingsPaginator(c, in)
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range out.ReservedNodeOfferings {
			list = append(list, nodeRecord{
				OfferingID: *o.ReservedNodeOfferingId, Class: *o.NodeType, Payment: *o.OfferingType,
				Seconds: int(*o.Duration), Fixed: *o.FixedPrice, Hourly: *o.RecurringCharges[0].RecurringChargeAmount,
			})
		}
	}
	return list, nil
}

func (c redshiftAPI) bought(ctx context.Context, id string) (list []nodeRecord, err error) {
	in := &redshift.DescribeReservedNodesInput{}
	if id != "" {
		in.ReservedNodeId = &id
	}
	p := redshift.NewDescribeReservedNodesPaginator(c, in)
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range out.ReservedNodes {
			list = append(list, redshiftRecord(r))
		}
	}
	return list, nil
}

func redshiftRecord(r types.ReservedNode) nodeRecord {
	return nodeRecord{
		ID: *r.ReservedNodeId, OfferingID: *r.ReservedNodeOfferingId, Class: *r.NodeType, Payment: *r.OfferingType, State: *r.State,
		Seconds: int(*r.Duration), Count: int(*r.NodeCount), Fixed: *r.FixedPrice, Hourly: *r.RecurringCharges[0].RecurringChargeAmount,
		StartsAt: *r.StartTime,
	}
}

// Nothing ties an SDK's own retry to its first try: one call buys twice.
func TestRedshiftRetryBuysAgain(t *testing.T) {
	s := newSim(t, Options{Visibility: -1})
	cfg := operator(serve(t, s))
	cfg.Retryer = func() aws.Retryer { return retry.NewStandard() }
	addFault(t, s, Fault{Kind: LoseReply, Service: "redshift"})
	c := redshiftAPI{redshift.NewFromConfig(cfg)}
	if _, err := c.buy(t.Context(), clientOf("redshift").aNode().id, "", 1, nil); err != nil {
		t.Fatal(err)
	}
	if l := s.Ledger(); len(l) != 2 || l[0].ID == l[1].ID {
		t.Errorf("ledger %+v", l)
	}
}

// Both spellings of the first state come up.
func TestRedshiftPendingWords(t *testing.T) {
	s := newSim(t, Options{Visibility: -1, Quota: 1000})
	c := redshiftAPI{redshift.NewFromConfig(operator(serve(t, s)))}
	words := map[string]int{}
	for range 16 {
		r, err := c.buy(t.Context(), clientOf("redshift").aNode().id, "", 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		words[r.State]++
	}
	if _, err := c.bought(t.Context(), strings.ToUpper(s.Ledger()[0].ID)); code(err) != "ReservedNodeNotFound" {
		t.Errorf("an id in capitals: %v", err)
	}
	if len(words) != 2 || words["payment-pending"] == 0 || words["pending-payment"] == 0 || s.Ledger()[0].State != "payment-pending" {
		t.Errorf("%v", words)
	}
}
