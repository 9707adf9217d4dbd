package aws

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/sim"
)

// adviceWorld is a simulator with small pages, and an adviser of an account.
func adviceWorld(t *testing.T, role Policy) (*sim.Sim, Adviser) {
	t.Helper()
	o := sim.Options{PageSize: 2, Unthrottled: true}
	if role.Version != "" {
		o.RolePolicy = map[string]string{testAccount: policyText(t, role)}
	}
	s, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		_ = s.Close()
		server.Close()
	})
	d, err := NewAdviser(Config{
		Account: testAccount, Region: "eu-west-1", Endpoint: server.URL, Now: s.Now,
		Credentials: StaticKeys(testAccount, "test"), RoleARN: "arn:aws:iam::" + testAccount + ":role/bursar",
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, d
}

// TestAdvice: every service and type of plan that Cost Explorer knows is asked for each
// term and payment, all pages, about the one account, in the one region of the service.
func TestAdvice(t *testing.T) {
	s, d := adviceWorld(t, testAccess(RDS).Advice())
	ask := driver.AdviceAsk{Terms: []cloud.Term{cloud.OneYear, cloud.ThreeYears}, Payments: []cloud.Payment{cloud.NoUpfront, cloud.AllUpfront, cloud.Monthly}}
	all := d.Advice(t.Context(), ask)
	if n := d.Requests(ask); n != 40 || len(all) != n {
		t.Fatalf("%d requests said, %d answers", n, len(all))
	}
	pages, details := 0, 0
	for _, r := range s.Requests() {
		if r.Service == "ce" {
			pages++
			if r.Region != "us-east-1" {
				t.Errorf("%s went to %s", r.Operation, r.Region)
			}
		}
	}
	for _, one := range all {
		if one.Err != nil || one.Made.IsZero() || !s.Now().After(one.Made) {
			t.Errorf("%s: made %s, %v", one.Source, one.Made, one.Err)
		}
		details += bytes.Count(one.Document, []byte(`"AccountId":"`+testAccount))
		if n := bytes.Count(one.Document, []byte(`"AccountId":"`)); n != bytes.Count(one.Document, []byte(`"AccountId":"`+testAccount)) {
			t.Errorf("%s: advice for another account", one.Source)
		}
		if !json.Valid(one.Document) {
			t.Errorf("%s: no JSON", one.Source)
		}
	}
	if pages <= len(all) || details <= 2*len(all) {
		t.Errorf("%d pages of %d answers, %d details: the first page is not all", pages, len(all), details)
	}
	if all := d.Advice(t.Context(), driver.AdviceAsk{Services: []cloud.Service{RDS}, Terms: ask.Terms, Payments: ask.Payments[:1]}); len(all) != 2 {
		t.Errorf("of one service: %+v", all)
	}
}

// TestAdviceDenied: without its policy a source fails, and says what is missing.
func TestAdviceDenied(t *testing.T) {
	policy, err := testAccess(RDS).Policy()
	if err != nil {
		t.Fatal(err)
	}
	_, d := adviceWorld(t, policy)
	for _, one := range d.Advice(t.Context(), driver.AdviceAsk{Services: []cloud.Service{RDS}, Terms: []cloud.Term{cloud.OneYear}, Payments: []cloud.Payment{cloud.NoUpfront}}) {
		if says := driver.Says(cloud.Lane{Account: testAccount}, one.Err); one.Document != nil || !strings.Contains(says, "ce:"+opReservationAdvice) {
			t.Errorf("%s: %q, %v", one.Source, says, one.Err)
		}
	}
}
