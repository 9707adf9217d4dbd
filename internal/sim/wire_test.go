package sim

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 577_000_000, time.UTC)

const rdsNS = `xmlns="http://rds.amazonaws.com/doc/2014-10-31/"`

// fixedSim is a simulator whose clock stands at noon.
func fixedSim(t *testing.T, opts Options) (*Sim, string) {
	opts.Now = (&testClock{now: noon}).Now
	s := newSim(t, opts)
	return s, serve(t, s)
}

// Exact answers, byte for byte, to raw requests; R stands for the request id.
func TestExactAnswers(t *testing.T) {
	s, endpoint := fixedSim(t, Options{Visibility: -1})
	o := anOffering()
	charge := `<RecurringCharges><RecurringCharge><RecurringChargeAmount>0.0723</RecurringChargeAmount><RecurringChargeFrequency>Hourly</RecurringChargeFrequency></RecurringCharge></RecurringCharges>`
	rdsError := func(code, message string) string {
		return `<ErrorResponse ` + rdsNS + `><Error><Type>Sender</Type><Code>` + code + `</Code><Message>` + message + `</Message></Error><RequestId>R</RequestId></ErrorResponse>`
	}
	purchaseForm := func(pairs ...string) url.Values {
		return rdsForm(purchase, append([]string{"ReservedDBInstancesOfferingId", o.id}, pairs...)...)
	}
	const offerings = "DescribeReservedDBInstancesOfferings"
	tests := []struct {
		name   string
		in     signed
		status int
		body   string
	}{
		{"offering by id", signed{service: "rds", form: rdsForm(offerings, "ReservedDBInstancesOfferingId", o.id)}, 200,
			`<DescribeReservedDBInstancesOfferingsResponse ` + rdsNS + `><DescribeReservedDBInstancesOfferingsResult><ReservedDBInstancesOfferings><ReservedDBInstancesOffering><ReservedDBInstancesOfferingId>` + o.id + `</ReservedDBInstancesOfferingId><DBInstanceClass>db.r6g.large</DBInstanceClass><Duration>31536000</Duration><FixedPrice>634.0</FixedPrice><UsagePrice>0.0</UsagePrice><CurrencyCode>USD</CurrencyCode><ProductDescription>postgresql</ProductDescription><OfferingType>Partial Upfront</OfferingType><MultiAZ>false</MultiAZ>` + charge + `</ReservedDBInstancesOffering></ReservedDBInstancesOfferings></DescribeReservedDBInstancesOfferingsResult><ResponseMetadata><RequestId>R</RequestId></ResponseMetadata></DescribeReservedDBInstancesOfferingsResponse>`},
		{"purchase", signed{service: "rds", form: purchaseForm("ReservedDBInstanceId", "Mine", "DBInstanceCount", "2", "Tags.Tag.1.Key", "k", "Tags.Tag.1.Value", "v")}, 200,
			`<PurchaseReservedDBInstancesOfferingResponse ` + rdsNS + `><PurchaseReservedDBInstancesOfferingResult><ReservedDBInstance><ReservedDBInstanceId>Mine</ReservedDBInstanceId><ReservedDBInstancesOfferingId>` + o.id + `</ReservedDBInstancesOfferingId><DBInstanceClass>db.r6g.large</DBInstanceClass><StartTime>2026-11-23T12:00:00.577Z</StartTime><Duration>31536000</Duration><FixedPrice>634.0</FixedPrice><UsagePrice>0.0</UsagePrice><CurrencyCode>USD</CurrencyCode><DBInstanceCount>2</DBInstanceCount><ProductDescription>postgresql</ProductDescription><OfferingType>Partial Upfront</OfferingType><MultiAZ>false</MultiAZ><State>payment-pending</State>` + charge + `<ReservedDBInstanceArn>arn:aws:rds:us-east-1:111122223333:ri:mine</ReservedDBInstanceArn><LeaseId>R</LeaseId></ReservedDBInstance></PurchaseReservedDBInstancesOfferingResult><ResponseMetadata><RequestId>R</RequestId></ResponseMetadata></PurchaseReservedDBInstancesOfferingResponse>`},
		{"duplicate", signed{service: "rds", form: purchaseForm("ReservedDBInstanceId", "MINE")}, 404, rdsError("ReservedDBInstanceAlreadyExists", "Reservation MINE already exists")},
		{"unknown reservation", signed{service: "rds", form: rdsForm("DescribeReservedDBInstances", "ReservedDBInstanceId", "x")}, 404, rdsError("ReservedDBInstanceNotFound", "The specified reserved DB instance not found: x")},
		{"unknown offering", signed{service: "rds", form: rdsForm(offerings, "ReservedDBInstancesOfferingId", "x")}, 404, rdsError("ReservedDBInstancesOfferingNotFound", "The specified offering is not found: x")},
		{"offering of another region", signed{service: "rds", region: "eu-west-1", form: purchaseForm()}, 404, rdsError("ReservedDBInstancesOfferingNotFound", "The specified offering is not found: "+o.id)},
		{"quota", signed{service: "rds", form: purchaseForm("DBInstanceCount", "39")}, 400, rdsError("ReservedDBInstanceQuotaExceeded", "Request would exceed the quota of 40 reserved DB instances: 2 are in use and 39 more were asked for")},
		{"no offering", signed{service: "rds", form: rdsForm(purchase)}, 400, rdsError("MissingParameter", "The request must contain the parameter ReservedDBInstancesOfferingId")},
		{"count 0", signed{service: "rds", form: purchaseForm("DBInstanceCount", "0")}, 400, rdsError("InvalidParameterValue", "Invalid value &#34;0&#34; for DBInstanceCount. Must be between 1 and 2147483647")},
		{"few records", signed{service: "rds", form: rdsForm(offerings, "MaxRecords", "19")}, 400, rdsError("InvalidParameterValue", "Invalid value &#34;19&#34; for MaxRecords. Must be between 20 and 100")},
		{"many records", signed{service: "rds", form: rdsForm(offerings, "MaxRecords", "101")}, 400, rdsError("InvalidParameterValue", "Invalid value &#34;101&#34; for MaxRecords. Must be between 20 and 100")},
		{"term in words", signed{service: "rds", form: rdsForm(offerings, "Duration", "1y")}, 400, rdsError("InvalidParameterValue", "Invalid Duration &#34;1y&#34;. Valid values: 1, 3, 31536000, 94608000")},
		{"made-up marker", signed{service: "rds", form: rdsForm(offerings, "Marker", "e30")}, 400, rdsError("InvalidParameterValue", "The parameter Marker is invalid: it is not from a previous response to the same request")},
		{"filters", signed{service: "rds", form: rdsForm(offerings, "Filters.Filter.1.Name", "a", "Filters.Filter.1.Values.Value.1", "b")}, 400, rdsError("InvalidParameterCombination", "Filters.Filter.1.Name: this parameter isn&#39;t currently supported")},
		{"unknown member", signed{service: "rds", form: purchaseForm("ClientToken", "t")}, 400, rdsError("MalformedInput", purchase+" has no member &#34;ClientToken&#34;")},
		{"tag list of another service", signed{service: "rds", form: purchaseForm("Tags.member.1.Key", "t")}, 400, rdsError("MalformedInput", purchase+" has no member &#34;Tags.member.1.Key&#34;")},
		{"gap in the tags", signed{service: "rds", form: purchaseForm("Tags.Tag.2.Key", "t")}, 400, rdsError("MalformedInput", "The list Tags.Tag has a gap; its members are numbered from 1")},
		{"unknown action", signed{service: "rds", form: rdsForm("DeleteDBInstance")}, 400, rdsError("InvalidAction", "Could not find operation DeleteDBInstance for version 2014-10-31")},
		{"other version", signed{service: "rds", form: form("Action", purchase, "Version", "2011-06-15")}, 400, rdsError("InvalidAction", "Could not find operation "+purchase+" for version 2011-06-15")},
		{"no action", signed{service: "rds", form: form("Version", "2014-10-31")}, 400, rdsError("MissingAction", "The request must contain the parameter Action")},
		{"unknown region", signed{service: "rds", region: "mars-north-1", form: rdsForm(offerings)}, 403, rdsError("SignatureDoesNotMatch", "Credential should be scoped to a valid region, not &#39;mars-north-1&#39;. ")},
		{"unknown service", signed{service: "s3", form: rdsForm(offerings)}, 400, `<ErrorResponse><Error><Type>Sender</Type><Code>UnknownService</Code><Message>the simulator has no service &#34;s3&#34;; it has ` + serviceNames() + `</Message></Error><RequestId>R</RequestId></ErrorResponse>`},
		{"who", signed{service: "sts", region: "anywhere-1", key: "test", form: form("Action", "GetCallerIdentity", "Version", "2011-06-15")}, 200,
			`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/operator</Arn><UserId>AIDANPMOG5PEPDSZ4AJTV</UserId><Account>111122223333</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>R</RequestId></ResponseMetadata></GetCallerIdentityResponse>`},
	}
	random := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.in.at = noon
			resp, body := tt.in.do(t, endpoint)
			got := random.ReplaceAllStringFunc(body, func(id string) string {
				if id == o.id {
					return id
				}
				return "R"
			})
			if resp.StatusCode != tt.status {
				t.Errorf("status %d, want %d", resp.StatusCode, tt.status)
			}
			if diff := cmp.Diff(tt.body, got); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if resp.Header.Get("Date") != "Mon, 23 Nov 2026 12:00:00 GMT" || !strings.Contains(body, resp.Header.Get("x-amzn-RequestId")) || resp.Header.Get("Content-Type") != "text/xml" {
				t.Errorf("headers %v", resp.Header)
			}
		})
	}
	if n := len(s.Ledger()); n != 1 {
		t.Errorf("%d commitments, want 1", n)
	}
}

func TestReservationIDs(t *testing.T) {
	s, endpoint := fixedSim(t, Options{})
	for id, want := range map[string]int{
		"a": 200, "A-1": 200, strings.Repeat("x", 60): 200,
		strings.Repeat("x", 61): 400, "1a": 400, "-a": 400, "a-": 400, "a--b": 400, "a_b": 400, "a b": 400, "ä": 400,
	} {
		resp, body := signed{service: "rds", at: noon, form: rdsForm(purchase, "ReservedDBInstancesOfferingId", anOffering().id, "ReservedDBInstanceId", id)}.do(t, endpoint)
		if resp.StatusCode != want {
			t.Errorf("id %q: status %d: %s", id, resp.StatusCode, body)
		}
	}
	if n := len(s.Ledger()); n != 3 {
		t.Errorf("%d commitments", n)
	}
}

func TestSignatures(t *testing.T) {
	s, endpoint := fixedSim(t, Options{})
	who := form("Action", "GetCallerIdentity", "Version", "2011-06-15")
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	tests := []struct {
		name   string
		in     signed
		status int
		code   string
		text   string
	}{
		{"good", signed{}, 200, "", ""},
		{"almost too old", signed{at: noon.Add(-5*time.Minute + time.Second)}, 200, "", ""},
		{"expired", signed{at: noon.Add(-6 * time.Minute)}, 403, "SignatureDoesNotMatch", "Signature expired: 20261123T115400Z is now earlier than 20261123T115500Z (20261123T120000Z - 5 min.)"},
		{"future", signed{at: noon.Add(6 * time.Minute)}, 403, "SignatureDoesNotMatch", "Signature not yet current: 20261123T120600Z is still later than 20261123T120500Z (20261123T120000Z + 5 min.)"},
		{"unknown key", signed{key: "AKIAIOSFODNN7EXAMPLE"}, 403, "InvalidClientTokenId", ""},
		{"token with a static key", signed{token: "t"}, 403, "InvalidClientTokenId", ""},
		{"wrong secret", signed{secret: "guess"}, 403, "SignatureDoesNotMatch", "The request signature we calculated does not match"},
		{"body changed", signed{edit: func(r *http.Request) {
			r.Body = http.NoBody
			r.ContentLength = 0
		}}, 403, "SignatureDoesNotMatch", ""},
		{"date changed", signed{edit: header("X-Amz-Date", "20261123T120001Z")}, 403, "SignatureDoesNotMatch", "we calculated"},
		{"day of the scope", signed{edit: header("X-Amz-Date", "20261124T120000Z")}, 403, "SignatureDoesNotMatch", "Date in Credential scope"},
		{"header not signed", signed{edit: header("X-Amz-Meta", "1")}, 403, "SignatureDoesNotMatch", "'x-amz-meta' must be a 'SignedHeader'"},
		{"no date", signed{edit: header("X-Amz-Date", "")}, 400, "IncompleteSignature", ""},
		{"no authorization", signed{edit: header("Authorization", "")}, 403, "MissingAuthenticationToken", ""},
		{"other scheme", signed{edit: header("Authorization", "Bearer x")}, 400, "IncompleteSignature", ""},
		{"parts missing", signed{edit: header("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request")}, 400, "IncompleteSignature", ""},
		{"short scope", signed{edit: header("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=00")}, 400, "IncompleteSignature", ""},
		{"query", signed{edit: func(r *http.Request) { r.URL.RawQuery = "a=b" }}, 403, "SignatureDoesNotMatch", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.in.service, tt.in.form = "sts", who
			if tt.in.at.IsZero() {
				tt.in.at = noon
			}
			before := len(s.Requests())
			resp, body := tt.in.do(t, endpoint)
			body = strings.ReplaceAll(body, "&#39;", "'")
			if resp.StatusCode != tt.status || !strings.Contains(body, "<Code>"+tt.code+"</Code>") == (tt.code != "") || !strings.Contains(body, tt.text) {
				t.Errorf("status %d: %s", resp.StatusCode, body)
			}
			log := s.Requests()
			if last := log[len(log)-1]; len(log) != before+1 || last.Status != tt.status || last.Code != tt.code || last.Applied != (tt.status == 200) {
				t.Errorf("logged %+v", last)
			}
		})
	}
}

// A canonical path and query as the SDK's signer makes them, for the services
// that will have one.
func TestSignatureOfPathAndQuery(t *testing.T) {
	s, endpoint := fixedSim(t, Options{})
	for _, tail := range []string{"/a%20b/c", "/x?b=2&a=1&a=0&c=%20+", "/2021/ü"} {
		resp, body := signed{service: "rds", at: noon, form: rdsForm("DescribeReservedDBInstances")}.do(t, endpoint+tail)
		if resp.StatusCode != 400 || !strings.Contains(body, "<Code>MalformedInput</Code>") {
			t.Errorf("%s: status %d: %s", tail, resp.StatusCode, body)
		}
	}
	if log := s.Requests(); log[0].Account != account {
		t.Errorf("logged %+v", log[0])
	}
}

// After the clock was advanced, a client that signs by the wall clock, by the
// simulated clock or by the simulated clock of before is still let in.
func TestSignaturesAfterAdvance(t *testing.T) {
	s, endpoint := fixedSim(t, Options{})
	advance(t, s, time.Hour)
	advance(t, s, 24*time.Hour)
	for at, want := range map[time.Time]int{
		noon: 200, noon.Add(time.Hour): 200, noon.Add(25 * time.Hour): 200,
		noon.Add(30 * time.Minute): 403, noon.Add(24 * time.Hour): 403, noon.Add(26 * time.Hour): 403,
	} {
		resp, body := signed{service: "sts", at: at, form: form("Action", "GetCallerIdentity", "Version", "2011-06-15")}.do(t, endpoint)
		if resp.StatusCode != want {
			t.Errorf("signed %s: status %d: %s", at, resp.StatusCode, body)
		}
		if got := resp.Header.Get("Date"); got != "Tue, 24 Nov 2026 13:00:00 GMT" {
			t.Errorf("Date %s", got)
		}
	}
}
