package aws

import (
	"cmp"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/money"
)

const (
	wireID       = "bu-wire-1"
	wireOffering = "438012d3-4052-4cc7-b2e3-8d3372e0e706"
	wireLease    = "e5a2ff3b"
	dateHeader   = "Mon, 23 Nov 2026 10:00:00 GMT"
)

// wireStart is far from the wall clock and from the Date of the answers.
var wireStart = time.Date(2031, 2, 3, 4, 5, 6, 789, time.UTC)

// wire is a plain HTTP server in the place of AWS. It shares no code with the
// simulator: what it counts is what came over the wire.
type wire struct {
	*httptest.Server
	// buy answers a purchase. The body was not read yet.
	buy func(w http.ResponseWriter, r *http.Request)
	// Bodies of the other answers; a test replaces them before it calls.
	reserved, offerings, assume, identity string
	bodies                                map[string]string // by action, of the other services

	mu     sync.Mutex
	calls  []call // oldest first
	spends int    // requests that came in while a purchase was under way, but STS
	armed  bool
	proved bool // STS was asked while a purchase was under way
	now    time.Time
	tick   time.Duration // the clock moves on by it with every request
}

// call is one request as it came in.
type call struct {
	action, target, body, date, token, key, agent, remote, proto string
	close                                                        bool
	form                                                         url.Values
}

func newWire(t *testing.T) *wire {
	w := &wire{now: wireStart}
	w.identity = identityBody(testAccount, "arn:aws:iam::"+testAccount+":user/operator")
	w.offerings = listBody(rdsProduct.opOfferings, "ReservedDBInstancesOffering", "", offeringXML(nil))
	w.reserved = listBody(rdsProduct.opReserved, "ReservedDBInstance", "")
	w.assume = assumeBody("arn:aws:sts::"+testAccount+":assumed-role/bursar-buyer/", time.Time{})
	w.buy = answer(200, boughtBody(reservationXML(nil)))
	w.Server = httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	w.Server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(w.Close)
	return w
}

func (w *wire) serve(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Date", dateHeader)
	rw.Header().Set("X-Amzn-Requestid", "wire-request")
	sts := strings.Contains(r.Header.Get("Authorization"), "/sts/aws4_request")
	w.mu.Lock()
	spending := w.armed && !sts
	if spending {
		w.spends++
	}
	w.proved = w.armed && sts
	w.now = w.now.Add(w.tick)
	w.mu.Unlock()
	c := call{
		date: r.Header.Get("X-Amz-Date"), token: r.Header.Get("X-Amz-Security-Token"), agent: r.UserAgent(),
		remote: r.RemoteAddr, proto: r.Proto, close: r.Close, target: r.Header.Get("X-Amz-Target"),
	}
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	c.key, _, _ = strings.Cut(rest, "/")
	if spending {
		c.action = rdsProduct.opBuy
		w.record(c)
		w.buy(rw, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	c.body = string(body)
	c.form, _ = url.ParseQuery(c.body)
	if c.action = c.form.Get("Action"); c.action == "" {
		c.action = cmp.Or(c.target[strings.LastIndex(c.target, ".")+1:], openSearchReads[r.URL.Path], strings.TrimPrefix(r.URL.Path, "/"))
	}
	w.record(c)
	text := map[string]string{opIdentity: w.identity, rdsProduct.opOfferings: w.offerings, rdsProduct.opReserved: w.reserved, opAssumeRole: w.assume}[c.action]
	if body, there := w.bodies[c.action]; there {
		text = body
	}
	text = strings.ReplaceAll(text, "SESSION-NAME", c.form.Get("RoleSessionName"))
	if status, body, ok := strings.Cut(text, "!"); ok && len(status) == 3 {
		answer(map[string]int{"404": 404, "403": 403, "400": 400, "307": 307}[status], body)(rw, r)
		return
	}
	answer(200, text)(rw, r)
}

// openSearchReads are the operations of OpenSearch by where they are.
var openSearchReads = map[string]string{
	"/2021-01-01/opensearch/reservedInstanceOfferings": "DescribeReservedInstanceOfferings",
	"/2021-01-01/opensearch/reservedInstances":         "DescribeReservedInstances",
}

func (w *wire) record(c call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, c)
}

// seen returns the actions that came in, oldest first.
func (w *wire) seen() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		list = append(list, c.action)
	}
	return list
}

func (w *wire) spent() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spends
}

func (w *wire) hasProved() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.proved
}

func (w *wire) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *wire) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// rds starts the server and returns a driver on it.
func (w *wire) rds(t *testing.T, change func(*Config)) *reserved {
	return w.open(t, RDS, change).(*reserved)
}

func (w *wire) open(t *testing.T, s cloud.Service, change func(*Config)) driver.Service {
	if w.URL == "" {
		w.Start()
	}
	cfg := Config{
		Account: testAccount, Region: regionOf(s), Endpoint: w.URL, Now: w.clock,
		Credentials: credentials.NewStaticCredentialsProvider(testAccount, "base-secret", ""),
	}
	if change != nil {
		change(&cfg)
	}
	d, err := Open(s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (w *wire) request(d driver.Service) driver.Request {
	sendBy := w.clock().Add(20 * time.Second)
	return driver.Request{
		Account: testAccount, Quantity: 2, Identity: wireID, Identities: []string{wireID}, Attempt: "bu-att-1",
		SendBy: sendBy, Deadline: sendBy.Add(d.Info().Life),
		Offering: cloud.Offering{
			Provider: cloud.AWS, Service: RDS, Region: testRegion, ID: wireOffering,
			Attributes: cloud.Attributes{"engine": "mysql", "class": "db.r6g.large", "multi_az": "false"},
			Term:       cloud.OneYear, Payment: cloud.PartialUpfront,
			Upfront: money.MustParse("512.1", "USD"), Hourly: money.MustParse("0.0825", "USD"),
		},
	}
}

// purchase quotes and buys; requests count as spending from the quote on.
func (w *wire) purchase(t *testing.T, d *reserved) (cloud.Evidence, error) {
	t.Helper()
	return w.send(t, d, w.request(d))
}

func (w *wire) send(t *testing.T, d driver.Service, r driver.Request) (cloud.Evidence, error) {
	t.Helper()
	if _, err := d.Quote(t.Context(), r); err != nil {
		t.Fatalf("Quote: %v", err)
	}
	w.arm()
	return d.Purchase(t.Context(), r)
}

func (w *wire) arm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = true
}

// answer reads the whole request and sends a whole answer.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// cut resets the connection.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// elements writes fields in order; change replaces a value, or drops the element
// when the new value is "-".
func elements(fields [][2]string, change map[string]string) string {
	var b strings.Builder
	for _, f := range fields {
		if v, ok := change[f[0]]; ok {
			f[1] = v
		}
		if f[1] != "-" {
			fmt.Fprintf(&b, "<%s>%s</%s>", f[0], f[1], f[0])
		}
	}
	return b.String()
}

const hourlyCharge = "<RecurringCharge><RecurringChargeAmount>0.0125</RecurringChargeAmount>" +
	"<RecurringChargeFrequency>Hourly</RecurringChargeFrequency></RecurringCharge>"

func offeringXML(change map[string]string) string {
	return elements([][2]string{
		{"ReservedDBInstancesOfferingId", wireOffering}, {"DBInstanceClass", "db.r6g.large"}, {"Duration", "31536000"},
		{"FixedPrice", "512.1"}, {"UsagePrice", "0.07"}, {"CurrencyCode", "USD"}, {"ProductDescription", "mysql"},
		{"OfferingType", "Partial Upfront"}, {"MultiAZ", "false"}, {"RecurringCharges", hourlyCharge},
	}, change)
}

func reservationXML(change map[string]string) string {
	return elements([][2]string{
		{"ReservedDBInstanceId", wireID}, {"ReservedDBInstancesOfferingId", wireOffering}, {"DBInstanceClass", "db.r6g.large"},
		{"StartTime", "2031-02-03T04:05:07.000Z"}, {"Duration", "31536000"}, {"FixedPrice", "512.1"}, {"UsagePrice", "0.07"},
		{"CurrencyCode", "USD"}, {"DBInstanceCount", "2"}, {"ProductDescription", "mysql"}, {"OfferingType", "Partial Upfront"},
		{"MultiAZ", "false"}, {"State", "payment-pending"}, {"RecurringCharges", hourlyCharge},
		{"ReservedDBInstanceArn", "arn:aws:rds:eu-west-1:" + testAccount + ":ri:" + wireID}, {"LeaseId", wireLease},
	}, change)
}

func boughtBody(reservation string) string {
	return wrap(rdsProduct.opBuy, "<ReservedDBInstance>"+reservation+"</ReservedDBInstance>")
}

func listBody(op, item, marker string, items ...string) string {
	var b strings.Builder
	if marker != "" {
		fmt.Fprintf(&b, "<Marker>%s</Marker>", marker)
	}
	fmt.Fprintf(&b, "<%ss>", item)
	for _, i := range items {
		fmt.Fprintf(&b, "<%s>%s</%s>", item, i, item)
	}
	fmt.Fprintf(&b, "</%ss>", item)
	return wrap(op, b.String())
}

func wrap(op, result string) string {
	return fmt.Sprintf("<%sResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><%sResult>%s</%sResult>"+
		"<ResponseMetadata><RequestId>wire-request</RequestId></ResponseMetadata></%sResponse>", op, op, result, op, op)
}

func errorBody(code, message string) string {
	return fmt.Sprintf("<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error>"+
		"<RequestId>wire-request</RequestId></ErrorResponse>", code, message)
}

func identityBody(account, arn string) string {
	return wrap(opIdentity, fmt.Sprintf("<Arn>%s</Arn><UserId>AIDA</UserId><Account>%s</Account>", arn, account))
}

const (
	sessionSecret = "session-secret-0123456789012345678901234"
	sessionToken  = "session-token-EXAMPLE/0123456789+abcdefghijklmnopqrstuvwxyz=="
)

// assumeBody answers AssumeRole; SESSION-NAME is what was asked for.
func assumeBody(arn string, expires time.Time) string {
	if expires.IsZero() {
		expires = wireStart.Add(15 * time.Minute)
	}
	return wrap(opAssumeRole, fmt.Sprintf("<Credentials><AccessKeyId>ASIASESSION-NAME</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>"+
		"<SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>A:x</AssumedRoleId>"+
		"<Arn>%sSESSION-NAME</Arn></AssumedRoleUser>", sessionSecret, sessionToken, expires.Format(time.RFC3339), arn))
}
