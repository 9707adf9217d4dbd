package aws

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// TestSessionOfAttempt pins what is asked of STS and that the purchase is signed
// with exactly what it gave.
func TestSessionOfAttempt(t *testing.T) {
	w := newWire(t)
	d := w.rds(t, func(c *Config) { c.RoleARN, c.ExternalID = testRole, "tenant-7" })
	if got := d.Info().Life; got != 2*time.Minute {
		t.Errorf("life %s, want 2m", got)
	}
	r := w.request(d)
	r.Deadline = time.Date(2031, 2, 3, 4, 7, 8, 999_999_999, time.FixedZone("", 3600)).Add(time.Hour)
	q, err := d.Quote(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if q.Credential != "ASIA"+r.Attempt {
		t.Errorf("credential %s", q.Credential)
	}
	w.arm()
	if _, err := d.Purchase(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{opAssumeRole, rdsProduct.opOfferings, opIdentity, rdsProduct.opBuy}, w.seen()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	form := w.calls[0].form
	for key, want := range map[string]string{
		"RoleArn": testRole, "RoleSessionName": r.Attempt, "DurationSeconds": "900", "ExternalId": "tenant-7",
		"Policy": `{"Version":"2012-10-17","Statement":[` +
			`{"Effect":"Allow","Action":["sts:GetCallerIdentity","rds:DescribeReservedDBInstancesOfferings","rds:DescribeReservedDBInstances"],"Resource":"*"},` +
			`{"Effect":"Allow","Action":["rds:PurchaseReservedDBInstancesOffering","rds:AddTagsToResource"],"Resource":"*",` +
			`"Condition":{"DateLessThan":{"aws:CurrentTime":"2031-02-03T04:07:08Z"}}}]}`,
	} {
		if got := form.Get(key); got != want {
			t.Errorf("%s = %s\nwant %s", key, got, want)
		}
	}
	for _, c := range w.calls[1:] {
		if c.key != "ASIA"+r.Attempt || c.token != sessionToken {
			t.Errorf("%s is signed with %s", c.action, c.key)
		}
	}
	if w.calls[0].key != testAccount {
		t.Errorf("the role is assumed with %s", w.calls[0].key)
	}
}

// TestSessionDeadline: a purchase must not rely on a deadline that its session
// does not have.
func TestSessionDeadline(t *testing.T) {
	w := newWire(t)
	d := w.rds(t, func(c *Config) { c.RoleARN = testRole })
	r := w.request(d)
	if _, err := d.Quote(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	w.arm()
	r.Deadline = r.Deadline.Add(-time.Second)
	ev, err := d.Purchase(t.Context(), r)
	wantUnsent(t, w, ev, err, rdsProduct.opBuy)

	r.Deadline = w.clock()
	if _, err := d.Quote(t.Context(), r); err == nil {
		t.Error("a session was opened at its deadline")
	}
}

// rotating is a provider that gives other credentials at every call.
type rotating struct{ calls int }

func (p *rotating) Retrieve(context.Context) (aws.Credentials, error) {
	p.calls++
	return aws.Credentials{AccessKeyID: fmt.Sprintf("AKIA%d", p.calls), SecretAccessKey: "secret"}, nil
}

// TestFrozenCredentials: what Quote proved is what Purchase signs with.
func TestFrozenCredentials(t *testing.T) {
	w := newWire(t)
	d := w.rds(t, func(c *Config) { c.Credentials = &rotating{} })
	r := w.request(d)
	q, err := d.Quote(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Find(t.Context(), r); err != nil { // takes AKIA2
		t.Fatal(err)
	}
	w.arm()
	if _, err := d.Purchase(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if last := w.calls[len(w.calls)-1]; q.Credential != "AKIA1" || last.key != "AKIA1" || last.action != rdsProduct.opBuy {
		t.Errorf("quoted with %s, %s with %s", q.Credential, last.action, last.key)
	}
}

// TestSessionsBounded: a Quote without a Purchase is forgotten in the end, the
// oldest first.
func TestSessionsBounded(t *testing.T) {
	var s sessions
	for i := range maxSessions + 10 {
		s.put(&session{attempt: fmt.Sprint(i)})
	}
	s.put(&session{attempt: "20"})
	if len(s.all) != maxSessions || s.take("9") != nil || s.take("10") == nil || s.take("10") != nil || s.take("20") == nil || s.take("20") != nil {
		t.Errorf("%d sessions held, want %d, each good for one take", len(s.all), maxSessions)
	}
}

// TestReadSession: one session serves the reads, until shortly before its end.
func TestReadSession(t *testing.T) {
	w := newWire(t)
	d := w.rds(t, func(c *Config) { c.RoleARN = testRole })
	r := w.request(d)
	for range 2 {
		if _, err := d.Find(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	w.advance(14*time.Minute + time.Second)
	if _, err := d.Find(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{opAssumeRole, rdsProduct.opReserved, rdsProduct.opReserved, opAssumeRole, rdsProduct.opReserved}, w.seen()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if p := w.calls[0].form.Get("Policy"); strings.Contains(p, "Purchase") {
		t.Errorf("the session for reading may buy: %s", p)
	}
}

// TestWrongCaller: every shape of answer that does not prove the account stops
// the reads, the quote and the purchase.
func TestWrongCaller(t *testing.T) {
	user := ":user/operator"
	for name, row := range map[string]struct {
		body  string
		wrong bool
	}{
		"another account":        {identityBody("444455556666", "arn:aws:iam::444455556666"+user), true},
		"another account in ARN": {identityBody(testAccount, "arn:aws:iam::444455556666"+user), true},
		"another partition":      {identityBody(testAccount, "arn:aws-cn:iam::"+testAccount+user), true},
		"no ARN":                 {identityBody(testAccount, ""), false},
		"not a caller":           {identityBody(testAccount, "arn:aws:rds:eu-west-1:"+testAccount+":ri:x"), false},
		"empty":                  {"", true},
		"denied":                 {"403!" + errorBody("AccessDenied", "x"), false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			d := w.rds(t, nil)
			r := w.request(d)
			proven := w.identity
			w.identity = row.body
			_, quoteErr := d.Quote(t.Context(), r)
			_, findErr := d.Find(t.Context(), r)
			_, offerErr := d.Offerings(t.Context(), driver.Query{})
			w.identity = proven
			if _, err := d.Quote(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			w.identity = row.body
			w.arm()
			ev, buyErr := d.Purchase(t.Context(), r)
			wantUnsent(t, w, ev, buyErr, opIdentity)
			for _, err := range []error{quoteErr, findErr, offerErr, buyErr} {
				if err == nil || errors.Is(err, driver.ErrWrongAccount) != row.wrong {
					t.Errorf("error %v, want ErrWrongAccount %t", err, row.wrong)
				}
			}
		})
	}
}

// TestWrongRole: the answer of AssumeRole must be the role that was asked for.
func TestWrongRole(t *testing.T) {
	for name, arn := range map[string]string{
		"another account": "arn:aws:sts::444455556666:assumed-role/bursar-buyer/",
		"another role":    "arn:aws:sts::" + testAccount + ":assumed-role/admin/",
		"another session": "arn:aws:sts::" + testAccount + ":assumed-role/bursar-buyer/x",
	} {
		w := newWire(t)
		w.assume = assumeBody(arn, time.Time{})
		d := w.rds(t, func(c *Config) { c.RoleARN = testRole })
		r := w.request(d)
		if _, err := d.Quote(t.Context(), r); err == nil {
			t.Errorf("%s: quoted", name)
		}
		w.arm()
		ev, err := d.Purchase(t.Context(), r)
		wantUnsent(t, w, ev, err, rdsProduct.opBuy)
	}
}

func TestConfig(t *testing.T) {
	good := Config{Account: testAccount, Region: testRegion, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
	for name, change := range map[string]func(*Config){
		"account":          func(c *Config) { c.Account = "1" },
		"region":           func(c *Config) { c.Region = "global" },
		"credentials":      func(c *Config) { c.Credentials = nil },
		"endpoint":         func(c *Config) { c.Endpoint = "localhost:80" },
		"role":             func(c *Config) { c.RoleARN = "bursar-buyer" },
		"role's account":   func(c *Config) { c.RoleARN = "arn:aws:iam::444455556666:role/bursar-buyer" },
		"role's partition": func(c *Config) { c.RoleARN = "arn:aws-cn:iam::111122223333:role/bursar-buyer" },
		"external id":      func(c *Config) { c.ExternalID = "x" },
		"answer":           func(c *Config) { c.Answer = -1 },
		"token window":     func(c *Config) { c.TokenWindow = -1 },
	} {
		cfg := good
		change(&cfg)
		if _, err := Open(RDS, cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	d, err := Open(RDS, good)
	if err != nil {
		t.Fatal(err)
	}
	if i := d.Info(); i.Answer != 25*time.Second || i.Life != 17*time.Minute || i.Class != cloud.ClassName {
		t.Errorf("info %+v", i)
	}
	for region, want := range map[cloud.Region]string{
		"eu-west-1": "aws", "us-east-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "eusc-de-east-1": "aws-eusc",
	} {
		if got := Partition(region); got != want {
			t.Errorf("%s is in %s, want %s", region, got, want)
		}
	}
}
