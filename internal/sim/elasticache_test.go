package sim

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"

	"bursar/internal/money"
)

func init() {
	nodeClients = append(nodeClients, nodeClient{
		service: "elasticache", purchase: "PurchaseReservedCacheNodesOffering", list: "DescribeReservedCacheNodes",
		class: "cache.r7g.large", named: true, exists: "ReservedCacheNodeAlreadyExists", missing: "ReservedCacheNodeNotFound",
		noOffering: "ReservedCacheNodesOfferingNotFound", tooMany: "ReservedCacheNodeQuotaExceeded",
		denied: "AccessDenied", throttled: "Throttling",
		client: func(cfg aws.Config) nodeAPI { return cacheAPI{elasticache.NewFromConfig(cfg)} },
	})
}

type cacheAPI struct{ *elasticache.Client }

func (c cacheAPI) buy(ctx context.Context, offering, id string, count int32, tags []Tag) (nodeRecord, error) {
	in := &elasticache.PurchaseReservedCacheNodesOfferingInput{
		ReservedCacheNodesOfferingId: &offering, ReservedCacheNodeId: &id, CacheNodeCount: &count,
	}
	for _, t := range tags {
		in.Tags = append(in.Tags, types.Tag{Key: &t.Key, Value: &t.Value})
	}
	out, err := c.PurchaseReservedCacheNodesOffering(ctx, in)
	if err != nil {
		return nodeRecord{}, err
	}
	return cacheRecord(*out.ReservedCacheNode), nil
}

func (c cacheAPI) offerings(ctx context.Context, class string, perPage int32) (list []nodeRecord, err error) {
	in := &elasticache.DescribeReservedCacheNodesOfferingsInput{}
	if class != "" {
		in.CacheNodeType = &class
	}
	if perPage != 0 {
		in.MaxRecords = &perPage
	}
	p := elasticache.NewDescribeReservedCacheNodesOfferingsPaginator(c, in)
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range out.ReservedCacheNodesOfferings {
			list = append(list, nodeRecord{
				OfferingID: *o.ReservedCacheNodesOfferingId, Class: *o.CacheNodeType, Product: *o.ProductDescription, Payment: *o.OfferingType,
				Seconds: int(*o.Duration), Fixed: *o.FixedPrice, Hourly: *o.RecurringCharges[0].RecurringChargeAmount,
			})
		}
	}
	return list, nil
}

func (c cacheAPI) bought(ctx context.Context, id string) (list []nodeRecord, err error) {
	in := &elasticache.DescribeReservedCacheNodesInput{}
	if id != "" {
		in.ReservedCacheNodeId = &id
	}
	p := elasticache.NewDescribeReservedCacheNodesPaginator(c, in)
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range out.ReservedCacheNodes {
			list = append(list, cacheRecord(r))
		}
	}
	return list, nil
}

func cacheRecord(r types.ReservedCacheNode) nodeRecord {
	return nodeRecord{
		ID: *r.ReservedCacheNodeId, OfferingID: *r.ReservedCacheNodesOfferingId, Class: *r.CacheNodeType, Product: *r.ProductDescription,
		Payment: *r.OfferingType, State: *r.State, ARN: *r.ReservationARN, Seconds: int(*r.Duration), Count: int(*r.CacheNodeCount),
		Fixed: *r.FixedPrice, Hourly: *r.RecurringCharges[0].RecurringChargeAmount, StartsAt: *r.StartTime,
	}
}

func float(t *testing.T, a money.Amount) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(double(a), 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestElastiCacheOnTheWire(t *testing.T) {
	_, endpoint := fixedSim(t, Options{Visibility: -1})
	const head = `xmlns="http://elasticache.amazonaws.com/doc/2015-02-02/"`
	ask := func(pairs ...string) (int, string) {
		resp, body := signed{service: "elasticache", at: noon, form: form(append(pairs, "Version", "2015-02-02")...)}.do(t, endpoint)
		return resp.StatusCode, body
	}
	id := clientOf("elasticache").aNode().id
	for _, tt := range []struct {
		in     []string
		status int
		want   string
	}{
		{[]string{"Action", "PurchaseReservedCacheNodesOffering", "ReservedCacheNodesOfferingId", id, "ReservedCacheNodeId", "a"}, 200,
			`<PurchaseReservedCacheNodesOfferingResponse ` + head + `><PurchaseReservedCacheNodesOfferingResult><ReservedCacheNode><ReservedCacheNodeId>a</ReservedCacheNodeId>`},
		{[]string{"Action", "DescribeReservedCacheNodes"}, 200, `<DescribeReservedCacheNodesResult><ReservedCacheNodes><ReservedCacheNode><ReservedCacheNodeId>a</ReservedCacheNodeId>`},
		{[]string{"Action", "PurchaseReservedCacheNodesOffering", "ReservedCacheNodesOfferingId", id, "ReservedCacheNodeId", "A"}, 404, `<Code>ReservedCacheNodeAlreadyExists</Code>`},
		{[]string{"Action", "DescribeReservedCacheNodes", "LeaseId", "x"}, 400, `<Code>MalformedInput</Code>`},
		{[]string{"Action", "DescribeReservedCacheNodes", "Duration", "2"}, 400, `<Code>InvalidParameterValue</Code>`},
		{[]string{"Action", "DescribeReservedDBInstances"}, 400, `<Code>InvalidAction</Code>`},
	} {
		if status, body := ask(tt.in...); status != tt.status || !strings.Contains(body, tt.want) || !strings.Contains(body, head) {
			t.Errorf("%v: %d %s", tt.in, status, body)
		}
	}
}
