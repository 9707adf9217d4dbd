package sim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/memorydb"
	"github.com/aws/aws-sdk-go-v2/service/memorydb/types"
)

func init() {
	nodeClients = append(nodeClients, nodeClient{
		service: "memorydb", purchase: "PurchaseReservedNodesOffering", list: "DescribeReservedNodes",
		class: "db.r7g.large", named: true, exists: "ReservedNodeAlreadyExistsFault", missing: "ReservedNodeNotFoundFault",
		noOffering: "ReservedNodesOfferingNotFoundFault", tooMany: "ReservedNodeQuotaExceededFault",
		denied: "AccessDeniedException", throttled: "ThrottlingException",
		client: func(cfg aws.Config) nodeAPI { return memoryAPI{memorydb.NewFromConfig(cfg)} },
	})
}

type memoryAPI struct{ *memorydb.Client }

func (c memoryAPI) buy(ctx context.Context, offering, id string, count int32, tags []Tag) (nodeRecord, error) {
	in := &memorydb.PurchaseReservedNodesOfferingInput{ReservedNodesOfferingId: &offering, ReservationId: &id, NodeCount: &count}
	for _, t := range tags {
		in.Tags = append(in.Tags, types.Tag{Key: &t.Key, Value: &t.Value})
	}
	out, err := c.PurchaseReservedNodesOffering(ctx, in)
	if err != nil {
		return nodeRecord{}, err
	}
	return memoryRecord(*out.ReservedNode), nil
}

func (c memoryAPI) offerings(ctx context.Context, class string, perPage int32) (list []nodeRecord, err error) {
	in := &memorydb.DescribeReservedNodesOfferingsInput{}
	if class != "" {
		in.NodeType = &class
	}
	if perPage != 0 {
		in.MaxResults = &perPage
	}
	p := memorydb.NewDescribeReservedNodesOfferingsPaginator(c, in)
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range out.ReservedNodesOfferings {
			list = append(list, nodeRecord{
				OfferingID: *o.ReservedNodesOfferingId, Class: *o.NodeType, Payment: *o.OfferingType,
				Seconds: int(o.Duration), Fixed: o.FixedPrice, Hourly: o.RecurringCharges[0].RecurringChargeAmount,
			})
		}
	}
	return list, nil
}

func (c memoryAPI) bought(ctx context.Context, id string) (list []nodeRecord, err error) {
	in := &memorydb.DescribeReservedNodesInput{}
	if id != "" {
		in.ReservationId = &id
	}
	p := memorydb.NewDescribeReservedNodesPaginator(c, in)
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range out.ReservedNodes {
			list = append(list, memoryRecord(r))
		}
	}
	return list, nil
}

func memoryRecord(r types.ReservedNode) nodeRecord {
	return nodeRecord{
		ID: *r.ReservationId, OfferingID: *r.ReservedNodesOfferingId, Class: *r.NodeType, Payment: *r.OfferingType, State: *r.State,
		ARN: *r.ARN, Seconds: int(r.Duration), Count: int(r.NodeCount), Fixed: r.FixedPrice,
		Hourly: r.RecurringCharges[0].RecurringChargeAmount, StartsAt: *r.StartTime,
	}
}

// askJSON sends a raw request of the json-1.1 protocol.
func askJSON(t *testing.T, endpoint, service, target, body string, edit func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", jsonType)
	r.Header.Set("X-Amz-Target", target)
	sum := sha256.Sum256([]byte(body))
	creds := aws.Credentials{AccessKeyID: account, SecretAccessKey: "test"}
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, r, hex.EncodeToString(sum[:]), service, "us-east-1", noon); err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("Content-Type") != jsonType {
		t.Errorf("%s: Content-Type %s", target, resp.Header.Get("Content-Type"))
	}
	return resp.StatusCode, string(text)
}

func TestMemoryDBOnTheWire(t *testing.T) {
	s, endpoint := fixedSim(t, Options{Visibility: -1})
	o := clientOf("memorydb").aNode()
	problem := func(code, message string) string {
		return `{"__type":"` + code + `","message":"` + message + `"}`
	}
	const buy = "PurchaseReservedNodesOffering"
	for _, tt := range []struct {
		op, body string
		status   int
		want     string
	}{
		{buy, `{"ReservedNodesOfferingId":"` + o.id + `","ReservationId":"Mine","NodeCount":2,"Tags":[{"Key":"k","Value":"v"}]}`, 200,
			`{"ReservedNode":{"ReservationId":"Mine","ReservedNodesOfferingId":"` + o.id + `","NodeType":"db.r7g.large","StartTime":` + epoch("", noon).text + `,"Duration":31536000,"FixedPrice":` + double(o.fixed) +
				`,"NodeCount":2,"OfferingType":"Partial Upfront","State":"payment-pending","RecurringCharges":[{"RecurringChargeAmount":` + double(o.hourly) +
				`,"RecurringChargeFrequency":"Hourly"}],"ARN":"arn:aws:memorydb:us-east-1:111122223333:reservednode/mine"}}`},
		{buy, `{"ReservedNodesOfferingId":"` + o.id + `","ReservationId":"MINE"}`, 400, problem("ReservedNodeAlreadyExistsFault", "Reservation MINE already exists")},
		{buy, `{}`, 400, problem("InvalidParameterValueException", "The request must contain the parameter ReservedNodesOfferingId")},
		{buy, `{"ReservedNodesOfferingId":"` + o.id + `","NodeCount":"2"}`, 400, problem("SerializationException", "NodeCount is a string where a number is wanted")},
		{buy, `{"ReservedNodesOfferingId":7}`, 400, problem("SerializationException", "ReservedNodesOfferingId is a number where a string is wanted")},
		{buy, `{"ReservedNodesOfferingId":true}`, 400, problem("SerializationException", "ReservedNodesOfferingId is a boolean")},
		{buy, `{"ClientToken":"x"}`, 400, problem("SerializationException", buy+` has no member \"ClientToken\"`)},
		{buy, `{"NodeCount":0,"ReservedNodesOfferingId":"x"}`, 400, problem("InvalidParameterValueException", `Invalid value \"0\" for NodeCount. Must be between 1 and 2147483647`)},
		{buy, `[]`, 400, problem("SerializationException", "The body is not one JSON object")},
		{buy, `{}{}`, 400, problem("SerializationException", "The body is not one JSON object")},
		{buy, ``, 400, problem("SerializationException", "The body is not one JSON object")},
		{"DescribeReservedNodes", `{"ReservationId":null}`, 200, ""},
		{"DescribeReservedNodes", `{"NextToken":"e30"}`, 400, problem("InvalidParameterValueException", "The parameter NextToken is invalid: it is not from a previous response to the same request")},
		{"DeleteCluster", `{}`, 400, problem("UnknownOperationException", `Unknown operation \"AmazonMemoryDB.DeleteCluster\"`)},
	} {
		status, body := askJSON(t, endpoint, "memorydb", "AmazonMemoryDB."+tt.op, tt.body, nil)
		if status != tt.status || tt.want != "" && body != tt.want {
			t.Errorf("%s %s: %d\n got %s\nwant %s", tt.op, tt.body, status, body, tt.want)
		}
	}
	if status, body := askJSON(t, endpoint, "memorydb", "Other."+buy, `{}`, nil); status != 400 || !strings.Contains(body, "UnknownOperationException") {
		t.Errorf("other target: %d %s", status, body)
	}
	if _, body := askJSON(t, endpoint, "memory-db", "AmazonMemoryDB."+buy, `{}`, nil); !strings.Contains(body, "UnknownService") {
		t.Errorf("signed for the host's name: %s", body)
	}
	if status, body := askJSON(t, endpoint, "memorydb", "AmazonMemoryDB."+buy, `{}`, func(r *http.Request) { r.Header.Set("X-Amz-Date", noon.Add(time.Second).Format(amzTime)) }); status != 400 || !strings.Contains(body, "InvalidSignatureException") {
		t.Errorf("bad signature: %d %s", status, body)
	}
	if n := len(s.Ledger()); n != 1 {
		t.Errorf("%d bought", n)
	}
}
