package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func trailClient(endpoint string) *cloudtrail.Client { return trailClientOf(endpoint, "444455556666") }

func trailClientOf(endpoint, account string) *cloudtrail.Client {
	return cloudtrail.NewFromConfig(config(endpoint, aws.Credentials{AccessKeyID: account, SecretAccessKey: "test"}))
}

// lookup pages to the end.
func lookup(t *testing.T, c *cloudtrail.Client, key types.LookupAttributeKey, value string) (events []types.Event) {
	t.Helper()
	in := &cloudtrail.LookupEventsInput{LookupAttributes: []types.LookupAttribute{{AttributeKey: key, AttributeValue: &value}}}
	p := cloudtrail.NewLookupEventsPaginator(c, in)
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, out.Events...)
	}
	return events
}

// trailDoc is what a client may read of a CloudTrailEvent.
type trailDoc struct {
	UserIdentity struct{ Type, ARN, AccessKeyID string }
	EventName    string
	EventSource  string
	EventTime    time.Time
	AWSRegion    string
	UserAgent    string
	RequestID    string
	ErrorCode    string
	ReadOnly     bool

	RequestParameters map[string]any
	ResponseElements  map[string]any
}

func document(t *testing.T, e types.Event) (d trailDoc) {
	t.Helper()
	if err := json.Unmarshal([]byte(*e.CloudTrailEvent), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// What a session did is found by its access key: late, complete, and only there.
func TestTrailByAccessKey(t *testing.T) {
	s := newSim(t, Options{Visibility: -1, PageSize: 2, Unthrottled: true})
	url := serve(t, s)
	creds, other := assume(t, url, ""), assume(t, url, "")
	cfg := config(url, creds)
	nodes, instances := redshift.NewFromConfig(cfg), ec2.NewFromConfig(cfg)
	if _, err := nodes.DescribeReservedNodes(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	offering := clientOf("redshift").aNode().id
	addFault(t, s, Fault{Kind: LoseReply, Service: "redshift"})
	if _, err := nodes.PurchaseReservedNodeOffering(t.Context(), &redshift.PurchaseReservedNodeOfferingInput{ReservedNodeOfferingId: &offering, NodeCount: aws.Int32(2)}); err == nil {
		t.Fatal("answered")
	}
	addFault(t, s, Fault{Kind: LoseRequest, Service: "redshift"})
	if _, err := nodes.PurchaseReservedNodeOffering(t.Context(), &redshift.PurchaseReservedNodeOfferingInput{ReservedNodeOfferingId: &offering}); err == nil {
		t.Fatal("answered")
	}
	advance(t, s, 2*time.Second)
	order := mustBuyEC2(t, instances, anInstance(""), 1, s.Now().Add(time.Hour))
	if _, err := ec2Buy(t, instances, anInstance(""), 100, time.Time{}); err == nil {
		t.Fatal("no quota")
	}
	deleteQueued(t, instances, order)

	c := trailClient(url)
	if got := lookup(t, c, types.LookupAttributeKeyAccessKeyId, creds.AccessKeyID); len(got) != 0 {
		t.Errorf("at once: %d events", len(got))
	}
	advance(t, s, 8*time.Minute)
	got := lookup(t, c, types.LookupAttributeKeyAccessKeyId, creds.AccessKeyID)
	if n := len(lookup(t, c, types.LookupAttributeKeyAccessKeyId, other.AccessKeyID)); n != 0 {
		t.Errorf("the other session: %d events", n)
	}
	var names []string
	byName := map[string]trailDoc{}
	for _, e := range got {
		d := document(t, e)
		if e.ReadOnly == nil || *e.AccessKeyId != creds.AccessKeyID || *e.Username != "line-1" || *e.EventName != d.EventName || !e.EventTime.Equal(d.EventTime) ||
			d.UserIdentity.AccessKeyID != creds.AccessKeyID || d.UserIdentity.ARN != "arn:aws:sts::444455556666:assumed-role/buyer/line-1" || !strings.Contains(d.UserAgent, "aws-sdk-go-v2") {
			t.Errorf("event %+v, %+v", e, d)
		}
		names = append(names, d.EventName+" "+*e.ReadOnly+" "+d.ErrorCode)
		if d.ErrorCode == "" {
			byName[d.EventName] = d
		}
	}
	if want := []string{
		"DeleteQueuedReservedInstances false ", "PurchaseReservedInstancesOffering false Client.ReservedInstancesLimitExceeded", "PurchaseReservedInstancesOffering false ",
		"PurchaseReservedNodeOffering false ", "DescribeReservedNodes true ",
	}; !slices.Equal(names, want) {
		t.Errorf("events %q", names)
	}
	ledger := s.Ledger()
	d := byName["PurchaseReservedNodeOffering"]
	if d.RequestParameters["reservedNodeOfferingId"] != offering || d.RequestParameters["nodeCount"] != 2.0 || d.ResponseElements["reservedNodeId"] != ledger[0].ID ||
		d.RequestID != ledger[0].RequestID || d.EventSource != "redshift.amazonaws.com" || !d.EventTime.Equal(ledger[0].BoughtAt.Truncate(time.Second)) {
		t.Errorf("%+v", d)
	}
	d = byName["PurchaseReservedInstancesOffering"]
	if d.ResponseElements["reservedInstancesId"] != order || d.RequestParameters["instanceCount"] != 1.0 || d.RequestParameters["purchaseTime"] == nil || d.EventSource != "ec2.amazonaws.com" {
		t.Errorf("%+v", d)
	}
	if ids, _ := byName["DeleteQueuedReservedInstances"].RequestParameters["reservedInstancesId"].([]any); len(ids) != 1 || ids[0] != order {
		t.Errorf("%+v", byName["DeleteQueuedReservedInstances"])
	}
	for _, e := range got {
		if strings.Contains(*e.CloudTrailEvent, creds.SecretAccessKey) || strings.Contains(*e.CloudTrailEvent, creds.SessionToken) {
			t.Error("an event shows a secret")
		}
	}
}

// An event may never come, comes by chance within half as much again, and is kept
// for 90 days, in its account and region.
func TestTrailDelay(t *testing.T) {
	s := newSim(t, Options{Quota: 1000, Unthrottled: true, Path: statePath(t)})
	url := serve(t, s)
	cfg := config(url, aws.Credentials{AccessKeyID: "444455556666", SecretAccessKey: "test"})
	nodes := redshiftAPI{redshift.NewFromConfig(cfg)}
	addFault(t, s, Fault{Kind: NoTrail, Service: "redshift", Skip: 3})
	for range 20 {
		if _, err := nodes.buy(t.Context(), clientOf("redshift").aNode().id, "", 1, nil); err != nil {
			t.Fatal(err)
		}
	}
	c := trailClient(url)
	count := func() int { return len(lookup(t, c, "EventName", "PurchaseReservedNodeOffering")) }
	var seen []int
	for _, step := range []time.Duration{0, 150*time.Second - 1, 150 * time.Second, 150*time.Second + time.Millisecond, 89 * 24 * time.Hour, 24 * time.Hour} {
		advance(t, s, step)
		seen = append(seen, count())
		if n := len(lookup(t, cloudtrail.NewFromConfig(operator(url)), "EventName", "PurchaseReservedNodeOffering")); n != 0 {
			t.Errorf("%d events of another account", n)
		}
	}
	if seen[0] != 0 || seen[1] != 0 || seen[2] == 0 || seen[2] == 19 || seen[3] != 19 || seen[4] != 19 || seen[5] != 0 {
		t.Errorf("seen %v", seen)
	}
	for _, e := range lookup(t, c, "EventName", "LookupEvents") {
		if *e.EventSource != "cloudtrail.amazonaws.com" || *e.Username != "operator" {
			t.Errorf("%+v", e)
		}
	}
	old, err := c.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{StartTime: aws.Time(s.Now().Add(-91 * 24 * time.Hour)), EndTime: aws.Time(s.Now().Add(-90*24*time.Hour - time.Minute))})
	if err != nil || len(old.Events) != 0 {
		t.Errorf("%d events of 91 days ago, %v", len(old.Events), err)
	}
	compare(t, s, newSim(t, Options{Path: s.journal.path}))

	elsewhere := operator(url)
	elsewhere.Region = "eu-west-1"
	if _, err := redshift.NewFromConfig(elsewhere).DescribeReservedNodes(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	advance(t, s, 8*time.Minute)
	if n := len(lookup(t, cloudtrail.NewFromConfig(operator(url)), "EventSource", "redshift.amazonaws.com")); n != 0 {
		t.Errorf("%d events of another region", n)
	}
	if n := len(lookup(t, cloudtrail.NewFromConfig(elsewhere), "EventSource", "redshift.amazonaws.com")); n != 1 {
		t.Errorf("%d events of the region", n)
	}
}

func TestTrailRefusals(t *testing.T) {
	s := newSim(t, Options{TrailDelay: -1, Unthrottled: true})
	url := serve(t, s)
	c := cloudtrail.NewFromConfig(operator(url))
	type input = cloudtrail.LookupEventsInput
	by := func(keys ...string) (list []types.LookupAttribute) {
		for _, k := range keys {
			list = append(list, types.LookupAttribute{AttributeKey: types.LookupAttributeKey(k), AttributeValue: aws.String("x")})
		}
		return list
	}
	now := s.Now()
	for name, tt := range map[string]struct {
		in   *input
		want string
	}{
		"two attributes": {&input{LookupAttributes: by("EventName", "Username")}, "InvalidLookupAttributesException"},
		"unknown":        {&input{LookupAttributes: by("UserAgent")}, "InvalidLookupAttributesException"},
		"no resources":   {&input{LookupAttributes: by("ResourceName")}, "UnsupportedOperationException"},
		"insights":       {&input{EventCategory: "insight"}, "UnsupportedOperationException"},
		"times":          {&input{StartTime: aws.Time(now), EndTime: aws.Time(now.Add(-time.Hour))}, "InvalidTimeRangeException"},
		"page":           {&input{MaxResults: aws.Int32(51)}, "InvalidMaxResultsException"},
		"token":          {&input{NextToken: aws.String("x")}, "InvalidNextTokenException"},
		"good":           {&input{LookupAttributes: by("EventName"), StartTime: aws.Time(now.Add(-time.Hour)), EndTime: aws.Time(now)}, ""},
	} {
		if _, err := c.LookupEvents(t.Context(), tt.in); code(err) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	denied := cloudtrail.NewFromConfig(config(url, assume(t, url, `{"Statement":{"Effect":"Allow","Action":"rds:*","Resource":"*"}}`)))
	if _, err := denied.LookupEvents(t.Context(), nil); code(err) != "AccessDeniedException" {
		t.Errorf("not permitted: %v", err)
	}
	if _, err := sts.NewFromConfig(operator(url)).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	advance(t, s, 10*time.Second)
	inTime := func(from, to time.Duration) int {
		out, err := c.LookupEvents(t.Context(), &input{
			LookupAttributes: []types.LookupAttribute{{AttributeKey: "EventName", AttributeValue: aws.String("GetCallerIdentity")}},
			StartTime:        aws.Time(now.Add(from)), EndTime: aws.Time(now.Add(to)),
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.Events)
	}
	if got := fmt.Sprint(inTime(-time.Minute, time.Second), inTime(5*time.Second, time.Minute), inTime(-time.Minute, -2*time.Second)); got != "1 0 0" {
		t.Errorf("in time: %s", got)
	}
}

func TestTrailThrottleAndTargets(t *testing.T) {
	_, endpoint := fixedSim(t, Options{})
	var codes []int
	for _, target := range []string{"CloudTrail_20131101.LookupEvents", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents", "CloudTrail_20131101.LookupEvents"} {
		status, body := askJSON(t, endpoint, "cloudtrail", target, `{}`, nil)
		codes = append(codes, status)
		if status != 200 && !strings.Contains(body, `"ThrottlingException"`) {
			t.Error(body)
		}
	}
	if !slices.Equal(codes, []int{200, 200, 400}) {
		t.Errorf("%v", codes)
	}
}

// A held call is recorded when it is carried out, with the user agent it came
// with, of which a kilobyte is kept.
func TestTrailOfAHeldCall(t *testing.T) {
	s, endpoint := fixedSim(t, Options{SignatureAge: time.Hour, TrailDelay: -1})
	addFault(t, s, Fault{Kind: Delay, Service: "redshift", Duration: 10 * time.Minute})
	done := make(chan error, 1)
	go func() {
		r := signed{service: "redshift", at: noon, form: form("Action", "PurchaseReservedNodeOffering", "Version", "2012-12-01", "ReservedNodeOfferingId", clientOf("redshift").aNode().id)}
		r.edit = func(r *http.Request) { r.Header.Set("User-Agent", strings.Repeat("token-1 ", 1000)) }
		resp, err := r.send(t, endpoint)
		if err == nil {
			err = resp.Body.Close()
		}
		done <- err
	}()
	waitFor(t, "the held request", func() bool { return len(s.Requests()) == 1 })
	advance(t, s, time.Hour)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	_, body := askJSON(t, endpoint, "cloudtrail", "CloudTrail_20131101.LookupEvents", `{"LookupAttributes":[{"AttributeKey":"EventSource","AttributeValue":"redshift.amazonaws.com"}]}`, nil)
	var out struct {
		Events []struct {
			EventTime       int64
			CloudTrailEvent string
		}
	}
	var d trailDoc
	if err := json.Unmarshal([]byte(body), &out); err != nil || len(out.Events) != 1 {
		t.Fatal(body)
	}
	if err := json.Unmarshal([]byte(out.Events[0].CloudTrailEvent), &d); err != nil || len(d.UserAgent) != 1024 || !strings.HasPrefix(d.UserAgent, "token-1 ") || out.Events[0].EventTime != noon.Add(10*time.Minute).Unix() {
		t.Errorf("%v, %s", err, body)
	}
}
