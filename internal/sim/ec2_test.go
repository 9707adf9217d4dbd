package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
)

func ec2Client(endpoint string) *ec2.Client { return ec2.NewFromConfig(operator(endpoint)) }

// anInstance is a fixed offering of us-east-1: regional, or of a zone.
func anInstance(zone string) *offering {
	for _, o := range builtin().byShop[shop{"ec2", "us-east-1"}] {
		if o.Class == "m6i.large" && o.Attributes["product"] == "Linux/UNIX" && o.Attributes["offering_class"] == "standard" &&
			o.Attributes["zone"] == zone && o.Seconds == oneYear && o.Payment == partialUpfront {
			return o
		}
	}
	panic("no such offering")
}

func ec2Buy(t *testing.T, c *ec2.Client, o *offering, count int32, at time.Time) (string, error) {
	t.Helper()
	in := &ec2.PurchaseReservedInstancesOfferingInput{ReservedInstancesOfferingId: &o.id, InstanceCount: &count}
	if !at.IsZero() {
		in.PurchaseTime = &at
	}
	out, err := c.PurchaseReservedInstancesOffering(t.Context(), in)
	if err != nil {
		return "", err
	}
	return *out.ReservedInstancesId, nil
}

func mustBuyEC2(t *testing.T, c *ec2.Client, o *offering, count int32, at time.Time) string {
	t.Helper()
	id, err := ec2Buy(t, c, o, count, at)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func ec2List(t *testing.T, c *ec2.Client, in *ec2.DescribeReservedInstancesInput) []types.ReservedInstances {
	t.Helper()
	out, err := c.DescribeReservedInstances(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out.ReservedInstances
}

// ec2State is the state of one reservation as listed, and its fixed price.
func ec2State(t *testing.T, c *ec2.Client, id string) string {
	t.Helper()
	list := ec2List(t, c, &ec2.DescribeReservedInstancesInput{ReservedInstancesIds: []string{id}})
	if len(list) != 1 {
		t.Fatalf("%d of %s", len(list), id)
	}
	return string(list[0].State)
}

func deleteQueued(t *testing.T, c *ec2.Client, ids ...string) (done []string, failed map[string]string) {
	t.Helper()
	out, err := c.DeleteQueuedReservedInstances(t.Context(), &ec2.DeleteQueuedReservedInstancesInput{ReservedInstancesIds: ids})
	if err != nil {
		t.Fatal(err)
	}
	failed = map[string]string{}
	for _, d := range out.SuccessfulQueuedPurchaseDeletions {
		done = append(done, *d.ReservedInstancesId)
	}
	for _, f := range out.FailedQueuedPurchaseDeletions {
		failed[*f.ReservedInstancesId] = string(f.Error.Code)
	}
	return done, failed
}

func TestEC2PurchaseThroughSDK(t *testing.T) {
	s := newSim(t, Options{Visibility: time.Minute, Seed: 7})
	c := ec2Client(serve(t, s))
	o := anInstance("us-east-1b")
	id := mustBuyEC2(t, c, o, 2, time.Time{})
	if list := ec2List(t, c, nil); len(list) != 0 {
		t.Errorf("listed at once: %+v", list)
	}
	if _, err := c.DescribeReservedInstances(t.Context(), &ec2.DescribeReservedInstancesInput{ReservedInstancesIds: []string{id}}); code(err) != "InvalidReservedInstancesId" {
		t.Errorf("hidden, by id: %v", err)
	}
	e := s.Ledger()[0]
	advance(t, s, e.VisibleAt.Sub(s.Now()))
	got := ec2List(t, c, nil)[0]
	start := e.BoughtAt.Truncate(time.Millisecond)
	want := types.ReservedInstances{
		ReservedInstancesId: &id, InstanceType: "m6i.large", Scope: types.ScopeAvailabilityZone, AvailabilityZone: aws.String("us-east-1b"),
		Start: &start, End: aws.Time(start.Add(365 * 24 * time.Hour).Truncate(time.Second).Add(-time.Second)), Duration: aws.Int64(oneYear),
		FixedPrice: aws.Float32(float32(float(t, o.fixed))), UsagePrice: aws.Float32(0), InstanceCount: aws.Int32(2), ProductDescription: "Linux/UNIX",
		State: "payment-pending", Tags: []types.Tag{}, InstanceTenancy: "default", CurrencyCode: "USD", OfferingClass: "standard", OfferingType: "Partial Upfront",
		RecurringCharges: []types.RecurringCharge{{Amount: aws.Float64(float(t, o.hourly)), Frequency: "Hourly"}},
	}
	if diff := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool { return strings.Contains(p.String(), "noSmithy") }, cmp.Ignore())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if e.ID != id || e.ARN != "arn:aws:ec2:us-east-1:111122223333:reserved-instances/"+id || e.SentID != "" || !e.StartsAt.Equal(e.BoughtAt) || e.Attributes["zone"] != "us-east-1b" {
		t.Errorf("ledger %+v", e)
	}
	advance(t, s, e.SettlesAt.Sub(s.Now()))
	if got := ec2State(t, c, id); got != "active" {
		t.Errorf("state %s", got)
	}
	advance(t, s, e.EndsAt.Sub(s.Now()))
	if got := ec2State(t, c, id); got != "retired" {
		t.Errorf("state %s", got)
	}
	// Nothing tells two purchases apart.
	if again := mustBuyEC2(t, c, o, 2, time.Time{}); again == id || len(s.Ledger()) != 2 {
		t.Errorf("bought %s again", again)
	}
}

func TestEC2Offerings(t *testing.T) {
	s := newSim(t, Options{PageSize: 7, Unthrottled: true})
	c := ec2Client(serve(t, s))
	count := func(in *ec2.DescribeReservedInstancesOfferingsInput) (n int) {
		seen := map[string]bool{}
		p := ec2.NewDescribeReservedInstancesOfferingsPaginator(c, in)
		for p.HasMorePages() {
			out, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(out.ReservedInstancesOfferings) > 7 {
				t.Errorf("a page of %d", len(out.ReservedInstancesOfferings))
			}
			for _, o := range out.ReservedInstancesOfferings {
				b := builtin().byID[*o.ReservedInstancesOfferingId]
				if seen[*o.ReservedInstancesOfferingId] || string(o.InstanceType) != b.Class || string(o.OfferingClass) != b.Attributes["offering_class"] || *o.Marketplace ||
					string(o.Scope) != b.Attributes["scope"] || aws.ToString(o.AvailabilityZone) != b.Attributes["zone"] || *o.RecurringCharges[0].Amount != float(t, b.hourly) {
					t.Errorf("offers %+v for %+v", o, b)
				}
				seen[*o.ReservedInstancesOfferingId] = true
			}
		}
		return len(seen)
	}
	type input = ec2.DescribeReservedInstancesOfferingsInput
	by := func(pairs ...string) (list []types.Filter) {
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, types.Filter{Name: &pairs[i], Values: strings.Split(pairs[i+1], ",")})
		}
		return list
	}
	const each = 2 * 3 * 6 // classes, places, plans
	for name, tt := range map[string]struct {
		in   input
		want int
	}{
		"all":       {input{}, len(builtin().byShop[shop{"ec2", "us-east-1"}])},
		"type":      {input{InstanceType: "m6i.large"}, 2 * each},
		"product":   {input{InstanceType: "m6i.large", ProductDescription: "Linux/UNIX"}, each},
		"class":     {input{InstanceType: "m6g.large", OfferingClass: "convertible"}, each / 2},
		"payment":   {input{InstanceType: "m6g.large", OfferingType: "No Upfront"}, each / 3},
		"zone":      {input{InstanceType: "m6g.large", AvailabilityZone: aws.String("us-east-1a")}, each / 3},
		"years":     {input{InstanceType: "m6g.large", MaxDuration: aws.Int64(oneYear)}, each / 2},
		"scope":     {input{Filters: by("scope", "Region", "instance-type", "m6g.*")}, 2 * each / 3},
		"two of":    {input{Filters: by("instance-type", "m6g.large,m6g.xlarge", "duration", "94608000")}, each},
		"id":        {input{ReservedInstancesOfferingIds: []string{anInstance("").id}}, 1},
		"dedicated": {input{InstanceTenancy: "dedicated"}, 0},
		"resold":    {input{Filters: by("marketplace", "true")}, 0},
	} {
		if got := count(&tt.in); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
	for name, in := range map[string]*input{
		"filter": {Filters: by("tag:a", "b")}, "class": {OfferingClass: "free"}, "no value": {Filters: []types.Filter{{Name: aws.String("scope")}}},
	} {
		if _, err := c.DescribeReservedInstancesOfferings(t.Context(), in); code(err) != "InvalidParameterValue" {
			t.Errorf("bad %s: %v", name, err)
		}
	}
	if _, err := c.DescribeReservedInstancesOfferings(t.Context(), &input{NextToken: aws.String("x")}); code(err) != "InvalidPaginationToken" {
		t.Errorf("made-up token: %v", err)
	}
	if _, err := c.DescribeReservedInstancesOfferings(t.Context(), &input{ReservedInstancesOfferingIds: []string{anOffering().id}}); code(err) != "InvalidReservedInstancesOfferingId" {
		t.Errorf("an id of RDS: %v", err)
	}
}

// The listing of reservations has no pages and no order; filters select.
func TestEC2Listing(t *testing.T) {
	s := newSim(t, Options{PageSize: 1, Quota: 1000})
	c := ec2Client(serve(t, s))
	for i := range 40 {
		place := []string{"", "us-east-1a"}[i%2]
		if err := s.Add(Existing{Account: account, Region: "us-east-1", OfferingID: anInstance(place).id, Count: 1, Tags: []Tag{{"line", fmt.Sprint("l-", i)}, {"odd", fmt.Sprint(i % 2)}}}); err != nil {
			t.Fatal(err)
		}
	}
	ids := func(in *ec2.DescribeReservedInstancesInput) (list []string) {
		for _, r := range ec2List(t, c, in) {
			list = append(list, *r.ReservedInstancesId)
		}
		return list
	}
	var bought []string
	for _, e := range s.Ledger() {
		bought = append(bought, e.ID)
	}
	one, two := ids(nil), ids(nil)
	if slices.Equal(one, two) || slices.Equal(one, bought) {
		t.Error("in order")
	}
	slices.Sort(one)
	slices.Sort(bought)
	if !slices.Equal(one, bought) {
		t.Errorf("%d of %d listed", len(one), len(bought))
	}
	type input = ec2.DescribeReservedInstancesInput
	start := s.Ledger()[0].StartsAt.Format(timestamp)
	for name, tt := range map[string]struct {
		in   *input
		want int
	}{
		"tag":       {&input{Filters: []types.Filter{{Name: aws.String("tag:line"), Values: []string{"l-7"}}}}, 1},
		"tag any":   {&input{Filters: []types.Filter{{Name: aws.String("tag:line"), Values: []string{"l-1*"}}}}, 11},
		"tag key":   {&input{Filters: []types.Filter{{Name: aws.String("tag-key"), Values: []string{"odd"}}}}, 40},
		"no tag":    {&input{Filters: []types.Filter{{Name: aws.String("tag-key"), Values: []string{"even"}}}}, 0},
		"scope":     {&input{Filters: []types.Filter{{Name: aws.String("scope"), Values: []string{"Region"}}}}, 20},
		"state":     {&input{Filters: []types.Filter{{Name: aws.String("state"), Values: []string{"active", "queued"}}}}, 40},
		"start":     {&input{Filters: []types.Filter{{Name: aws.String("start"), Values: []string{start}}}}, 40},
		"later":     {&input{Filters: []types.Filter{{Name: aws.String("start"), Values: []string{"2031*"}}}}, 0},
		"class":     {&input{OfferingClass: "convertible"}, 0},
		"two ids":   {&input{ReservedInstancesIds: bought[:2]}, 2},
		"and place": {&input{Filters: []types.Filter{{Name: aws.String("availability-zone"), Values: []string{"us-east-1a"}}, {Name: aws.String("tag:odd"), Values: []string{"0"}}}}, 0},
	} {
		if got := ids(tt.in); len(got) != tt.want {
			t.Errorf("%s: %d, want %d", name, len(got), tt.want)
		}
	}
}

// A queued order can be deleted until its second and is bought in it, whether or
// not anybody asks.
// What is hidden cannot be deleted, what was deleted was queued before, and no
// price of later touches it.
// Held requests and queued orders take effect in the order of their times.
// midMonth is a simulator whose clock stands far from the turn of a month, and
// which takes the signatures of an SDK all the same.
func midMonth(t *testing.T, opts Options) *Sim {
	t.Helper()
	opts.Now = (&testClock{now: time.Date(2031, 5, 12, 8, 0, 0, 0, time.UTC)}).Now
	opts.SignatureAge = 100 * 365 * 24 * time.Hour
	return newSim(t, opts)
}

// At its second an order meets the price, the quota and the payment of then.
// The quota counts instances that start in a calendar month, apart for each zone
// and for the region.
func TestEC2Quota(t *testing.T) {
	s := midMonth(t, Options{Unthrottled: true})
	c := ec2Client(serve(t, s))
	const over = "ReservedInstancesLimitExceeded"
	for _, step := range []struct {
		zone  string
		count int32
		want  string
	}{
		{"", 21, over}, {"", 20, ""}, {"", 1, over}, {"us-east-1a", 20, ""}, {"us-east-1a", 1, over}, {"us-east-1b", 20, ""},
	} {
		if _, err := ec2Buy(t, c, anInstance(step.zone), step.count, time.Time{}); code(err) != step.want {
			t.Errorf("%+v: %v", step, err)
		}
	}
	mustBuyEC2(t, c, anInstance(""), 1, s.Now().Add(time.Hour)) // a queued order is not counted yet
	advance(t, s, 20*24*time.Hour)                              // June
	if got := s.Ledger()[3].State; got != stateFailed {
		t.Errorf("the queued order is %s", got)
	}
	mustBuyEC2(t, c, anInstance(""), 20, time.Time{})
}

func TestEC2Throttle(t *testing.T) {
	s := newSim(t, Options{Quota: 1000})
	url := serve(t, s)
	c := ec2Client(url)
	buys := func(n int) (throttled int) {
		for range n {
			if _, err := ec2Buy(t, c, anInstance(""), 1, time.Time{}); code(err) == "RequestLimitExceeded" {
				throttled++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		return throttled
	}
	if got := buys(8); got != 3 {
		t.Errorf("%d of 8 throttled", got)
	}
	cfg := operator(url)
	cfg.Credentials = config(url, aws.Credentials{AccessKeyID: "444455556666", SecretAccessKey: "test"}).Credentials
	if _, err := ec2Buy(t, ec2.NewFromConfig(cfg), anInstance(""), 1, time.Time{}); err != nil {
		t.Errorf("another account: %v", err)
	}
	if _, err := c.DescribeReservedInstances(t.Context(), nil); err != nil {
		t.Errorf("another operation: %v", err)
	}
	advance(t, s, 150*time.Millisecond)
	if got := buys(1); got != 1 { // and takes nothing from the bucket
		t.Error("bought with three quarters of a request")
	}
	advance(t, s, 250*time.Millisecond)
	if got := buys(3); got != 1 || len(s.Ledger()) != 8 {
		t.Errorf("%d of 3 throttled, %d bought", got, len(s.Ledger()))
	}
	log := s.Requests()
	if last := log[len(log)-1]; last.Status != 503 || last.Code != "RequestLimitExceeded" || last.Applied || !last.Spending {
		t.Errorf("logged %+v", last)
	}
}

// A dry run asks for the permission and does nothing.
func TestEC2Permissions(t *testing.T) {
	s := newSim(t, Options{Visibility: -1, Unthrottled: true})
	url := serve(t, s)
	session := func(action, resource string) *ec2.Client {
		return ec2.NewFromConfig(config(url, assume(t, url, `{"Statement":{"Effect":"Allow","Action":"`+action+`","Resource":"`+resource+`"}}`)))
	}
	dry := &ec2.PurchaseReservedInstancesOfferingInput{ReservedInstancesOfferingId: aws.String(anInstance("").id), InstanceCount: aws.Int32(1), DryRun: aws.Bool(true)}
	for _, tt := range []struct {
		c    *ec2.Client
		want string
	}{
		{ec2Client(url), "DryRunOperation"},
		{session("ec2:PurchaseReservedInstancesOffering", "*"), "DryRunOperation"},
		{session("ec2:Describe*", "*"), "UnauthorizedOperation"},
		{session("ec2:PurchaseReservedInstancesOffering", "arn:aws:ec2:*:*:reserved-instances/*"), "UnauthorizedOperation"}, // it has no resource type
	} {
		if _, err := tt.c.PurchaseReservedInstancesOffering(t.Context(), dry); code(err) != tt.want {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
	if len(s.Ledger()) != 0 {
		t.Errorf("a dry run bought %+v", s.Ledger())
	}
	owner := ec2.NewFromConfig(config(url, assume(t, url, "")))
	id := mustBuyEC2(t, owner, anInstance(""), 1, s.Now().Add(time.Hour))
	in := &ec2.DeleteQueuedReservedInstancesInput{ReservedInstancesIds: []string{id}}
	if _, err := session("ec2:DeleteQueuedReservedInstances", "arn:aws:ec2:us-east-1:444455556666:reserved-instances/other").DeleteQueuedReservedInstances(t.Context(), in); code(err) != "UnauthorizedOperation" {
		t.Errorf("deleted another's: %v", err)
	}
	if _, err := session("ec2:DeleteQueuedReservedInstances", "arn:aws:ec2:us-east-1:444455556666:reserved-instances/"+id).DeleteQueuedReservedInstances(t.Context(), in); err != nil || s.Ledger()[0].State != stateDeleted {
		t.Errorf("%v, %s", err, s.Ledger()[0].State)
	}
	second := mustBuyEC2(t, owner, anInstance(""), 1, s.Now().Add(time.Hour))
	third := mustBuyEC2(t, owner, anInstance(""), 1, s.Now().Add(time.Hour))
	in.ReservedInstancesIds = []string{second, third}
	if _, err := session("ec2:DeleteQueuedReservedInstances", "arn:aws:ec2:us-east-1:444455556666:reserved-instances/"+second).DeleteQueuedReservedInstances(t.Context(), in); code(err) != "UnauthorizedOperation" || s.Ledger()[1].State != stateQueued {
		t.Errorf("deleted one of two: %v", err)
	}
	stranger := ec2.NewFromConfig(config(url, aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "test"}))
	if _, err := stranger.DescribeReservedInstances(t.Context(), nil); code(err) != "AuthFailure" {
		t.Errorf("stranger: %v", err)
	}
}

func TestEC2Faults(t *testing.T) {
	for kind, want := range map[string]struct {
		code   string
		bought int
	}{
		LoseRequest: {"", 0}, LoseReply: {"", 1}, TornBody: {"", 1}, ErrorBefore: {"InternalError", 0}, ErrorAfter: {"InternalError", 1},
		Throttle: {"RequestLimitExceeded", 0},
	} {
		s := newSim(t, Options{Visibility: -1})
		c := ec2Client(serve(t, s))
		addFault(t, s, Fault{Kind: kind, Operation: "PurchaseReservedInstancesOffering"})
		_, err := ec2Buy(t, c, anInstance(""), 1, s.Now().Add(time.Hour))
		if err == nil || want.code != "" && code(err) != want.code || len(s.Ledger()) != want.bought {
			t.Errorf("%s: %v, %d ordered", kind, err, len(s.Ledger()))
		}
		if want.bought == 0 {
			continue
		}
		// The same for its deletion.
		id := s.Ledger()[0].ID
		if err := s.ClearFaults(); err != nil {
			t.Fatal(err)
		}
		addFault(t, s, Fault{Kind: kind, Operation: "DeleteQueuedReservedInstances"})
		_, err = c.DeleteQueuedReservedInstances(t.Context(), &ec2.DeleteQueuedReservedInstancesInput{ReservedInstancesIds: []string{id}})
		if err == nil || s.Ledger()[0].State != stateDeleted {
			t.Errorf("%s: %v, %s", kind, err, s.Ledger()[0].State)
		}
	}
	s := newSim(t, Options{Visibility: -1})
	c := ec2Client(serve(t, s))
	addFault(t, s, Fault{Kind: PaymentFailed, Service: "ec2"})
	id := mustBuyEC2(t, c, anInstance(""), 1, s.Now().Add(time.Hour))
	advance(t, s, time.Hour)
	if got := ec2State(t, c, id); got != statePending {
		t.Errorf("state %s", got)
	}
	addFault(t, s, Fault{Kind: StaleListing, Service: "ec2", Duration: 30 * time.Minute})
	if got := ec2State(t, c, id); got != stateQueued {
		t.Errorf("stale state %s", got)
	}
	advance(t, s, 11*time.Minute)
	if got := s.Ledger()[0].State; got != stateFailed {
		t.Errorf("state %s", got)
	}
}

// An order that a fault held is queued late, and still fires in its second.
func TestEC2OnTheWire(t *testing.T) {
	s, endpoint := fixedSim(t, Options{Visibility: -1, Unthrottled: true})
	ns := `xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"`
	problem := func(code string) string { return "<Response><Errors><Error><Code>" + code + "</Code><Message>" }
	o := anInstance("")
	for _, tt := range []struct {
		in     []string
		status int
		want   string
	}{
		{[]string{"Action", "PurchaseReservedInstancesOffering", "ReservedInstancesOfferingId", o.id, "InstanceCount", "1", "PurchaseTime", "2026-11-23T13:00:00Z"}, 200, `<PurchaseReservedInstancesOfferingResponse ` + ns + `><requestId>`},
		{[]string{"Action", "DescribeReservedInstances"}, 200, `<start>2026-11-23T13:00:00.000Z</start><end>2027-11-23T12:59:59.000Z</end><instanceCount>1</instanceCount><state>queued</state>`},
		{[]string{"Action", "PurchaseReservedInstancesOffering", "ReservedInstancesOfferingId", o.id}, 400, problem("MissingParameter")},
		{[]string{"Action", "PurchaseReservedInstancesOffering", "ReservedInstancesOfferingId", o.id, "InstanceCount", "1", "ClientToken", "x"}, 400, problem("UnknownParameter")},
		{[]string{"Action", "PurchaseReservedInstancesOffering", "ReservedInstancesOfferingId", o.id, "InstanceCount", "1", "LimitPrice.Amount", "1"}, 400, problem("InvalidParameterCombination")},
		{[]string{"Action", "PurchaseReservedInstancesOffering", "ReservedInstancesOfferingId", o.id, "InstanceCount", "1", "PurchaseTime", "soon"}, 400, problem("InvalidParameterValue")},
		{[]string{"Action", "DescribeReservedInstances", "MaxResults", "5"}, 400, problem("UnknownParameter")},
		{[]string{"Action", "DescribeReservedInstances", "NextToken", "5"}, 400, problem("UnknownParameter")},
		{[]string{"Action", "DescribeReservedInstances", "Filter.2.Name", "state", "Filter.2.Value.1", "active"}, 400, problem("InvalidParameterValue")},
		{[]string{"Action", "DescribeReservedInstances", "ReservedInstancesId.2", "x"}, 400, problem("UnknownParameter")},
		{[]string{"Action", "DescribeReservedInstances", "DryRun", "true"}, 412, problem("DryRunOperation")},
		{[]string{"Action", "DeleteQueuedReservedInstances"}, 400, problem("MissingParameter")},
		{[]string{"Action", "RunInstances"}, 400, problem("InvalidAction")},
	} {
		resp, body := signed{service: "ec2", at: noon, form: form(append(tt.in, "Version", "2016-11-15")...)}.do(t, endpoint)
		if resp.StatusCode != tt.status || !strings.Contains(body, tt.want) || !strings.HasPrefix(body, xmlHead) || !strings.Contains(body, resp.Header.Get("x-amzn-RequestId")) {
			t.Errorf("%v: %d %s", tt.in, resp.StatusCode, body)
		}
	}
	if n := len(s.Ledger()); n != 1 {
		t.Errorf("%d ordered", n)
	}
}

// Tags come after the purchase: on all of the resources or on none, and 50 at most.
func TestEC2Tags(t *testing.T) {
	s := newSim(t, Options{Visibility: time.Minute, Unthrottled: true})
	url := serve(t, s)
	c := ec2Client(url)
	id := mustBuyEC2(t, c, anInstance(""), 1, time.Time{})
	tag := func(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }
	give := func(ids []string, tags ...types.Tag) string {
		_, err := c.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: ids, Tags: tags})
		return code(err)
	}
	if got := give([]string{id}, tag("a", "1")); got != "InvalidID" {
		t.Errorf("before it is visible: %q", got)
	}
	advance(t, s, 2*time.Minute)
	other := mustBuyEC2(t, c, anInstance(""), 1, time.Time{})
	advance(t, s, 2*time.Minute)
	for i := range 49 {
		if got := give([]string{id}, tag(fmt.Sprintf("k%02d", i), "v")); got != "" {
			t.Fatal(got)
		}
	}
	for _, tt := range []struct {
		ids  []string
		tags []types.Tag
		want string
	}{
		{[]string{id, other}, []types.Tag{tag("k00", "new"), tag("last", "")}, ""},
		{[]string{id}, []types.Tag{tag("one more", "")}, "TagLimitExceeded"},
		{[]string{other, id}, []types.Tag{tag("one more", "")}, "TagLimitExceeded"},
		{[]string{other, "strange"}, []types.Tag{tag("x", "y")}, "InvalidID"},
		{[]string{other}, nil, "MissingParameter"},
		{nil, []types.Tag{tag("x", "y")}, "MissingParameter"},
		{[]string{other}, []types.Tag{tag("aws:x", "y")}, "InvalidParameterValue"},
		{[]string{other}, []types.Tag{tag(strings.Repeat("x", 129), "y")}, "InvalidParameterValue"},
		{[]string{other}, []types.Tag{tag("x", strings.Repeat("y", 257))}, "InvalidParameterValue"},
	} {
		if tt.ids == nil {
			tt.ids = []string{} // the SDK wants the list
		}
		if tt.tags == nil {
			tt.tags = []types.Tag{}
		}
		if got := give(tt.ids, tt.tags...); got != tt.want {
			t.Errorf("%v %v: %q, want %q", tt.ids, len(tt.tags), got, tt.want)
		}
	}
	filter := func(name, value string) types.Filter { return types.Filter{Name: &name, Values: []string{value}} }
	list := func(filters ...types.Filter) (got []string) {
		pages := ec2.NewDescribeTagsPaginator(c, &ec2.DescribeTagsInput{Filters: filters, MaxResults: aws.Int32(7)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range page.Tags {
				if d.ResourceType != types.ResourceTypeReservedInstances {
					t.Errorf("type %s", d.ResourceType)
				}
				got = append(got, *d.ResourceId+" "+*d.Key+"="+*d.Value)
			}
		}
		slices.Sort(got)
		return got
	}
	if diff := cmp.Diff([]string{other + " k00=new", other + " last="}, list(filter("resource-id", other))); diff != "" {
		t.Errorf("of one (-want +got):\n%s", diff)
	}
	if n := len(list(filter("resource-type", "reserved-instances"))); n != 52 {
		t.Errorf("%d tags in all", n)
	}
	both := []string{id + " k00=new", other + " k00=new"}
	slices.Sort(both)
	if diff := cmp.Diff(both, list(filter("tag:k00", "n*"), filter("key", "k00"), filter("value", "new"))); diff != "" {
		t.Errorf("of both (-want +got):\n%s", diff)
	}
	if _, err := c.DescribeTags(t.Context(), &ec2.DescribeTagsInput{Filters: []types.Filter{filter("color", "red")}}); code(err) != "InvalidParameterValue" {
		t.Errorf("unknown filter: %v", err)
	}
	if found := ec2List(t, c, &ec2.DescribeReservedInstancesInput{ReservedInstancesIds: []string{other}}); len(found[0].Tags) != 2 {
		t.Errorf("the listing has the tags %v", found[0].Tags)
	}
	dry, err := c.CreateTags(t.Context(), &ec2.CreateTagsInput{DryRun: aws.Bool(true), Resources: []string{"x"}, Tags: []types.Tag{tag("a", "b")}})
	if code(err) != "DryRunOperation" {
		t.Errorf("%v, %v", dry, err)
	}
	// IAM sees the keys and the resource.
	owner := assume(t, url, "")
	mine := mustBuyEC2(t, ec2.NewFromConfig(config(url, owner)), anInstance(""), 1, time.Time{})
	advance(t, s, 2*time.Minute)
	for _, tt := range []struct{ resource, key, want string }{
		{"reserved-instances/" + mine, "bursar:*", ""}, {"reserved-instances/other", "bursar:*", "UnauthorizedOperation"}, {"reserved-instances/*", "team", "UnauthorizedOperation"},
	} {
		limited := ec2.NewFromConfig(config(url, assume(t, url, `{"Statement":{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"arn:aws:ec2:us-east-1:444455556666:`+
			tt.resource+`","Condition":{"ForAllValues:StringLike":{"aws:TagKeys":"`+tt.key+`"}}}}`)))
		if _, err := limited.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{mine}, Tags: []types.Tag{tag("bursar:line", "x")}}); code(err) != tt.want {
			t.Errorf("%s, %s: %v, want %q", tt.resource, tt.key, err, tt.want)
		}
	}
}
