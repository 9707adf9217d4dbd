package sim

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"
)

// struck is what a client and the log say of one purchase that met a fault.
type struck struct {
	Code    string // of the client's error; "lost" for an error without one, "" for success
	Status  int
	Fault   string
	Applied bool
	Bought  int
}

// Every kind that shapes a reply, once: failed-and-applied and
// failed-and-not-applied.
func TestFaultsOnAPurchase(t *testing.T) {
	for _, tt := range []struct {
		fault Fault
		want  struct {
			code    string
			status  int
			applied bool
		}
	}{
		{Fault{Kind: LoseRequest}, outcome("lost", 0, false)},
		{Fault{Kind: LoseReply}, outcome("lost", 0, true)},
		{Fault{Kind: ErrorBefore}, outcome("InternalFailure", 500, false)},
		{Fault{Kind: ErrorAfter}, outcome("InternalFailure", 500, true)},
		{Fault{Kind: ErrorBefore, Status: 503}, outcome("ServiceUnavailable", 503, false)},
		{Fault{Kind: ErrorAfter, Status: 503}, outcome("ServiceUnavailable", 503, true)},
		{Fault{Kind: ErrorBefore, Status: 502}, outcome("lost", 502, false)},
		{Fault{Kind: ErrorAfter, Status: 504}, outcome("lost", 504, true)},
		{Fault{Kind: TornBody}, outcome("lost", 200, true)},
		{Fault{Kind: Slow, Duration: time.Millisecond}, outcome("", 200, true)},
		{Fault{Kind: Throttle}, outcome("Throttling", 400, false)},
		{Fault{Kind: PaymentFailed}, outcome("", 200, true)},
	} {
		s := newSim(t, Options{})
		tt.fault.Service, tt.fault.Operation = "rds", purchase
		addFault(t, s, tt.fault)
		_, err := buy(t.Context(), rdsClient(serve(t, s)), "x", 1)
		got := struck{Code: code(err), Bought: len(s.Ledger())}
		if err != nil && got.Code == "" || got.Code == "UnknownError" {
			got.Code = "lost"
		}
		log := s.Requests()
		if len(log) != 1 || !log[0].Spending || log[0].AppliedAt.IsZero() == log[0].Applied {
			t.Errorf("%+v: logged %+v", tt.fault, log)
		}
		got.Status, got.Fault, got.Applied = log[0].Status, log[0].Fault, log[0].Applied
		want := struck{tt.want.code, tt.want.status, tt.fault.Kind, tt.want.applied, 0}
		if want.Applied {
			want.Bought = 1
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v: %v (-want +got)\n%s", tt.fault, err, diff)
		}
	}
}

func outcome(code string, status int, applied bool) (o struct {
	code    string
	status  int
	applied bool
}) {
	o.code, o.status, o.applied = code, status, applied
	return o
}

// An SDK that retries repeats its invocation id and meets its own purchase.
func TestRetryAfterLostReply(t *testing.T) {
	s := newSim(t, Options{})
	cfg := operator(serve(t, s))
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}
	addFault(t, s, Fault{Kind: LoseReply, Operation: purchase})
	_, err := buy(t.Context(), rds.NewFromConfig(cfg), "x", 1)
	if code(err) != "ReservedDBInstanceAlreadyExists" {
		t.Errorf("retried purchase: %v", err)
	}
	log := s.Requests()
	if len(log) != 2 || log[0].InvocationID == "" || log[0].InvocationID != log[1].InvocationID || log[0].Attempt != 1 || log[1].Attempt != 2 {
		t.Errorf("logged %+v", log)
	}
}

// A client that can send its body again follows a 307 with the same signature.
// The Go SDK cannot (its requests have no GetBody) and reports status 307.
func TestRedirect(t *testing.T) {
	s, endpoint := fixedSim(t, Options{})
	addFault(t, s, Fault{Kind: Redirect, Times: 2})
	resp, body := signed{service: "rds", at: noon, form: rdsForm(purchase, "ReservedDBInstancesOfferingId", anOffering().id)}.do(t, endpoint)
	log := s.Requests()
	if resp.StatusCode != 200 || len(log) != 3 || log[1].Status != 307 || log[1].Applied || !log[2].Applied || len(s.Ledger()) != 1 {
		t.Errorf("status %d: %s: logged %+v", resp.StatusCode, body, log)
	}
}

func TestRedirectStopsTheSDK(t *testing.T) {
	s := newSim(t, Options{})
	addFault(t, s, Fault{Kind: Redirect})
	if _, err := buy(t.Context(), rdsClient(serve(t, s)), "x", 1); err == nil || len(s.Requests()) != 1 || len(s.Ledger()) != 0 {
		t.Errorf("%v: logged %+v", err, s.Requests())
	}
}

// waitFor runs the scheduler until cond holds; the test's deadline bounds it.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for !cond() {
		if t.Context().Err() != nil {
			t.Fatal(what)
		}
		runtime.Gosched()
	}
}

// A slow reply ends when the client hangs up; what it was about stays done.
func TestSlowEndsWithTheClient(t *testing.T) {
	s := newSim(t, Options{})
	handled := make(chan struct{})
	url := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(handled)
		s.ServeHTTP(w, r)
	})
	addFault(t, s, Fault{Kind: Slow})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := buy(ctx, rdsClient(url), "x", 1)
		done <- err
	}()
	waitFor(t, "the purchase", func() bool { return len(s.Ledger()) == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("client: %v", err)
	}
	<-handled
}

// delayed starts a purchase that a fault holds for ten minutes and returns when
// it is held.
func delayed(t *testing.T, s *Sim, ctx context.Context, c *rds.Client) <-chan error {
	t.Helper()
	addFault(t, s, Fault{Kind: Delay, Operation: purchase, Duration: 10 * time.Minute})
	done := make(chan error, 1)
	go func() {
		_, err := buy(ctx, c, "late", 1)
		done <- err
	}()
	waitFor(t, "the held request", func() bool {
		log := s.Requests()
		return len(log) > 0 && log[len(log)-1].Fault == Delay
	})
	if n := len(s.Ledger()); n != 0 {
		t.Fatalf("%d bought while held", n)
	}
	return done
}

func TestDelayedPurchase(t *testing.T) {
	s := newSim(t, Options{SignatureAge: time.Hour})
	start := s.Now()
	done := delayed(t, s, t.Context(), rdsClient(serve(t, s)))
	advance(t, s, 9*time.Minute)
	if n := len(s.Ledger()); n != 0 {
		t.Errorf("bought too early")
	}
	advance(t, s, time.Hour)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if l, r := s.Ledger(), s.Requests()[0]; len(l) != 1 || !l[0].BoughtAt.Equal(start.Add(10*time.Minute)) || !r.Applied || !r.AppliedAt.Equal(l[0].BoughtAt) || !r.Time.Equal(start) || r.Status != 200 {
		t.Errorf("ledger %+v, request %+v", l, r)
	}
}

// The client of a held purchase is gone, and still it is carried out.
func TestDelayedPurchaseOutlivesItsClient(t *testing.T) {
	s := newSim(t, Options{SignatureAge: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	done := delayed(t, s, ctx, rdsClient(serve(t, s)))
	cancel()
	<-done
	advance(t, s, time.Hour)
	if n := len(s.Ledger()); n != 1 {
		t.Errorf("%d bought", n)
	}
}

// Three fences stop a late purchase: the age of the signature, the end of the
// session and the deadline of its policy.
func TestDelayedPurchaseIsFenced(t *testing.T) {
	for name, tt := range map[string]struct {
		age      time.Duration
		lifetime int32
		policy   string
		code     string
	}{
		"signature": {5 * time.Minute, 3600, "", "SignatureDoesNotMatch"},
		"session":   {time.Hour, 900, "", "ExpiredToken"},
		"policy":    {time.Hour, 3600, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"DEADLINE"}}}}`, "AccessDenied"},
	} {
		s := newSim(t, Options{SignatureAge: tt.age})
		url := serve(t, s)
		in := &sts.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("me"), DurationSeconds: aws.Int32(tt.lifetime)}
		if tt.policy != "" {
			in.Policy = aws.String(strings.Replace(tt.policy, "DEADLINE", s.Now().Add(6*time.Minute).Format(time.RFC3339), 1))
		}
		out, err := stsClient(url).AssumeRole(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if tt.lifetime == 900 {
			advance(t, s, 6*time.Minute)
		}
		cfg := config(url, aws.Credentials{AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey, SessionToken: *out.Credentials.SessionToken})
		done := delayed(t, s, t.Context(), rds.NewFromConfig(cfg))
		advance(t, s, time.Hour)
		if err := <-done; code(err) != tt.code {
			t.Errorf("%s: %v", name, err)
		}
		if l, r := s.Ledger(), s.Requests()[1]; len(l) != 0 || r.Applied || !r.AppliedAt.IsZero() || r.Code != tt.code {
			t.Errorf("%s: ledger %+v, request %+v", name, l, r)
		}
	}
}

// A reset drops what is held, and its client hears nothing.
func TestResetDropsTheHeld(t *testing.T) {
	s := newSim(t, Options{})
	done := delayed(t, s, t.Context(), rdsClient(serve(t, s)))
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil {
		t.Error("answered")
	}
	advance(t, s, time.Hour)
	if len(s.Ledger()) != 0 || len(s.Requests()) != 0 {
		t.Error("the held purchase survived the reset")
	}
}

func TestListingFaults(t *testing.T) {
	s := newSim(t, Options{Visibility: -1, PageSize: 1})
	url := serve(t, s)
	c := rdsClient(url)
	mustBuy(t, url, "old")
	advance(t, s, time.Hour)
	mustBuy(t, url, "new-1")
	mustBuy(t, url, "new-2")
	list := func() (ids []string) {
		p := rds.NewDescribeReservedDBInstancesPaginator(c, nil)
		for p.HasMorePages() {
			out, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range out.ReservedDBInstances {
				ids = append(ids, *r.ReservedDBInstanceId+" "+*r.State)
			}
		}
		return ids
	}
	if got := list(); len(got) != 3 {
		t.Errorf("all: %v", got)
	}
	addFault(t, s, Fault{Kind: StaleListing, Duration: 59*time.Minute + 59*time.Second, Times: -1})
	if diff := cmp.Diff([]string{"old payment-pending"}, list()); diff != "" {
		t.Errorf("stale: %s", diff)
	}
	if _, err := c.DescribeReservedDBInstances(t.Context(), &rds.DescribeReservedDBInstancesInput{ReservedDBInstanceId: aws.String("new-1")}); code(err) != "ReservedDBInstanceNotFound" {
		t.Errorf("stale, by id: %v", err)
	}
	if err := s.ClearFaults(); err != nil {
		t.Fatal(err)
	}
	addFault(t, s, Fault{Kind: TruncatedPage, Skip: 1})
	if got := list(); len(got) != 2 {
		t.Errorf("truncated after the second page: %v", got)
	}
	if got := list(); len(got) != 3 {
		t.Errorf("the fault is spent: %v", got)
	}
}

func TestWrongCaller(t *testing.T) {
	s := newSim(t, Options{})
	c := stsClient(serve(t, s))
	addFault(t, s, Fault{Kind: WrongCaller})
	for _, wrong := range []bool{true, false} {
		who, err := c.GetCallerIdentity(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if (*who.Account != account) != wrong {
			t.Errorf("account %s", *who.Account)
		}
	}
}

// Matching, counting and chance.
func TestFaultMatching(t *testing.T) {
	s := newSim(t, Options{})
	url := serve(t, s)
	c := stsClient(url)
	failures := func(n int) (failed int) {
		for range n {
			if _, err := c.GetCallerIdentity(t.Context(), nil); err != nil {
				failed++
			}
		}
		return failed
	}
	for _, tt := range []struct {
		fault    Fault
		low, top int // failures in 20 requests
	}{
		{Fault{Kind: ErrorBefore}, 1, 1},
		{Fault{Kind: ErrorBefore, Times: 3, Skip: 2}, 3, 3},
		{Fault{Kind: ErrorBefore, Times: -1}, 20, 20},
		{Fault{Kind: ErrorBefore, Times: -1, Permille: 500}, 3, 17},
		{Fault{Kind: ErrorBefore, Times: -1, Service: "rds"}, 0, 0},
		{Fault{Kind: ErrorBefore, Times: -1, Operation: "AssumeRole"}, 0, 0},
		{Fault{Kind: ErrorBefore, Times: -1, Account: "444455556666"}, 0, 0},
		{Fault{Kind: ErrorBefore, Times: -1, Region: "eu-west-1"}, 0, 0},
		{Fault{Kind: ErrorBefore, Times: 4, Service: "sts", Operation: "GetCallerIdentity", Account: account, Region: "us-east-1"}, 4, 4},
	} {
		addFault(t, s, tt.fault)
		if got := failures(20); got < tt.low || got > tt.top {
			t.Errorf("%+v: %d failures", tt.fault, got)
		}
		if err := s.ClearFaults(); err != nil {
			t.Fatal(err)
		}
	}
	addFault(t, s, Fault{Kind: ErrorBefore, Status: 500})
	addFault(t, s, Fault{Kind: ErrorBefore, Status: 503}) // the next in line
	if n := failures(3); n != 2 {
		t.Errorf("two faults: %d failures", n)
	}
	log := s.Requests()
	if a, b := log[len(log)-3], log[len(log)-2]; a.Status != 500 || b.Status != 503 {
		t.Errorf("statuses %d and %d", a.Status, b.Status)
	}
}

func TestMeaninglessFaultsAreRefused(t *testing.T) {
	s := newSim(t, Options{})
	for _, f := range []Fault{
		{}, {Kind: "chaos"}, {Kind: Slow, ID: "f-9"}, {Kind: Slow, Service: "s3"}, {Kind: Slow, Operation: "Nap"}, {Kind: Slow, Service: "sts", Operation: purchase},
		{Kind: Slow, Account: "1"}, {Kind: Slow, Region: "mars"}, {Kind: Slow, Times: -2}, {Kind: Slow, Skip: -1}, {Kind: Slow, Permille: 1001},
		{Kind: Slow, Status: 500}, {Kind: Slow, Duration: -1}, {Kind: Delay}, {Kind: StaleListing}, {Kind: Throttle, Duration: 1}, {Kind: ErrorAfter, Status: 400},
		{Kind: PaymentFailed, Service: "sts"}, {Kind: StaleListing, Duration: 1, Operation: purchase},
	} {
		if _, err := s.AddFault(f); err == nil {
			t.Errorf("accepted %+v", f)
		}
	}
}

func TestFaultJSON(t *testing.T) {
	in := Fault{ID: "f-1", Kind: Slow, Service: "rds", Times: 2, Duration: 90 * time.Second}
	text, err := json.Marshal(in)
	if err != nil || string(text) != `{"id":"f-1","kind":"slow","service":"rds","times":2,"duration":"1m30s"}` {
		t.Errorf("%s, %v", text, err)
	}
	var out Fault
	if err := json.Unmarshal(text, &out); err != nil || out != in {
		t.Errorf("%+v, %v", out, err)
	}
	for _, bad := range []string{`{"kind":"slow","forever":true}`, `{"kind":"slow","duration":5}`, `{"kind":"slow","duration":"soon"}`} {
		if json.Unmarshal([]byte(bad), &out) == nil {
			t.Errorf("accepted %s", bad)
		}
	}
}

// A torn body announces more than it sends.
func TestTornBody(t *testing.T) {
	s, endpoint := fixedSim(t, Options{})
	addFault(t, s, Fault{Kind: TornBody})
	var length int64
	r := signed{service: "sts", at: noon, form: form("Action", "GetCallerIdentity", "Version", "2011-06-15")}
	resp, err := r.send(t, endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	length = resp.ContentLength
	body, err := io.ReadAll(resp.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || int64(len(body)) >= length || len(body) == 0 {
		t.Errorf("%d of %d bytes, %v", len(body), length, err)
	}
}

// TestDuplicate: the bytes of one request take effect twice, unless what they name
// is taken; the client hears of the first, and the log has one request.
func TestDuplicate(t *testing.T) {
	s := newSim(t, Options{Visibility: -1, TrailDelay: -1})
	url := serve(t, s)
	c := clientOf("redshift").client(operator(url))
	addFault(t, s, Fault{Kind: Duplicate, Service: "redshift"})
	got, err := c.buy(t.Context(), clientOf("redshift").aNode().id, "", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := s.Ledger()
	if len(l) != 2 || l[0].ID != got.ID || l[1].ID == got.ID || l[0].AccessKey != l[1].AccessKey || len(s.Requests()) != 1 {
		t.Errorf("ledger %+v, %d requests", l, len(s.Requests()))
	}
	if events := lookup(t, trailOf(url), types.LookupAttributeKeyEventName, "PurchaseReservedNodeOffering"); len(events) != 2 {
		t.Errorf("%d events", len(events))
	}
	addFault(t, s, Fault{Kind: Duplicate, Service: "rds"})
	mustBuy(t, url, "mine")
	if l := s.Ledger(); len(l) != 3 {
		t.Errorf("a name was sold twice: %+v", l)
	}
	// What is not carried out does not arrive twice either.
	addFault(t, s, Fault{Kind: Duplicate, Service: "redshift"})
	addFault(t, s, Fault{Kind: LoseRequest, Service: "redshift"})
	if _, err := c.buy(t.Context(), clientOf("redshift").aNode().id, "", 1, nil); err == nil || len(s.Ledger()) != 3 {
		t.Errorf("%v, %d sold", err, len(s.Ledger()))
	}
}

// TestStrangeState: one listing shows a state that nobody knows, whatever the
// service calls the member.
func TestStrangeState(t *testing.T) {
	s := newSim(t, Options{Visibility: -1})
	url := serve(t, s)
	mustBuy(t, url, "mine")
	if _, err := reserve(t.Context(), serverlessClient(url), aToken, 8); err != nil {
		t.Fatal(err)
	}
	addFault(t, s, Fault{Kind: StrangeState, Service: "rds"})
	addFault(t, s, Fault{Kind: StrangeState, Service: "redshift-serverless"})
	for i, want := range []string{"on-hold", "payment-pending"} {
		out, err := rdsClient(url).DescribeReservedDBInstances(t.Context(), nil)
		if err != nil || *out.ReservedDBInstances[0].State != want {
			t.Errorf("look %d: %+v, %v", i, out, err)
		}
		list, err := serverlessClient(url).ListReservations(t.Context(), nil)
		if err != nil || *list.ReservationsList[0].Status != want {
			t.Errorf("look %d: %+v, %v", i, list, err)
		}
	}
	if s.Ledger()[0].State != "payment-pending" {
		t.Errorf("ledger %+v", s.Ledger())
	}
}
