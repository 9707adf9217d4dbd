package aws

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
	"bursar/internal/money"
)

// wireFaults are the ways in which the answer to the one request is lost; good is
// the answer that it would have been, and failure one that the service has failed.
func wireFaults(good, failure string) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"closed before reading": func(w http.ResponseWriter, _ *http.Request) { cut(w) },
		"closed after reading": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			cut(w)
		},
		"stall": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
		"500":  answer(500, failure),
		"503":  answer(503, failure),
		"307":  redirect(307),
		"torn": torn(200, good[:len(good)/2]),
	}
}

func redirect(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://"+r.Host+r.URL.Path)
		answer(status, "")(w, r)
	}
}

// torn promises more than it sends.
func torn(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "5000")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		panic(http.ErrAbortHandler)
	}
}

// TestOneRequestOfEach: each way to lose an answer, met by the purchase of each
// service, is one request and doubt.
func TestOneRequestOfEach(t *testing.T) {
	forEach(t, func(t *testing.T, s shape, _ *wire, _ driver.Service) {
		rows := wireFaults(s.bought, s.errorBody("InternalFailure"))
		if len(rows) != 7 {
			t.Errorf("%d rows", len(rows))
		}
		for name, buy := range rows {
			w := newWire(t)
			w.bodies = s.bodies()
			w.buy = buy
			d := w.open(t, s.product.service, func(c *Config) {
				if name == "stall" {
					c.Answer = 300 * time.Millisecond
				}
			})
			ev, err := w.send(t, d, s.request(w, d))
			if got := driver.OutcomeOf(err); w.spent() != 1 || err == nil || got != cloud.InDoubt || ev.Outcome != cloud.InDoubt || errors.Is(err, driver.ErrSecondRequest) {
				t.Errorf("%s: %d requests, outcome %s, %v: want one and doubt", name, w.spent(), got, err)
			}
		}
	})
}

// TestOneRequestInDoubt: whatever goes wrong once a byte has left, one request
// was on the wire and its outcome is in doubt. A row dies when the SDK retries,
// when a redirect is followed, or when an answer is believed that proves nothing.
func TestOneRequestInDoubt(t *testing.T) {
	good := boughtBody(reservationXML(nil))
	refused := errorBody("InvalidParameterValue", "no")
	bought := func(field, value string) http.HandlerFunc {
		return answer(200, boughtBody(reservationXML(map[string]string{field: value})))
	}
	arn := "arn:aws:rds:eu-west-1:"
	rows := wireFaults(good, errorBody("InternalFailure", "x"))
	maps.Copy(rows, map[string]http.HandlerFunc{
		"stall in the body": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Length", "5000")
			_, _ = io.WriteString(w, good)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
		"500 empty":       answer(500, ""),
		"502":             answer(502, "<html><body>502</body></html>"),
		"504":             answer(504, ""),
		"408":             answer(408, refused),
		"301":             redirect(301),
		"302":             redirect(302),
		"303":             redirect(303),
		"308":             redirect(308),
		"307 definite":    answer(307, refused),
		"200 empty":       answer(200, ""),
		"200 garbage":     answer(200, "\x00\x01garbage"),
		"200 HTML":        answer(200, "<html><body><p>Sign in to the network</p></body></html>"),
		"200 error":       answer(200, refused),
		"202":             answer(202, good),
		"204":             answer(204, ""),
		"200 no result":   answer(200, wrap(rdsProduct.opBuy, "")),
		"torn at the end": torn(200, good),
		"cut short":       answer(200, strings.TrimSuffix(good, "</"+rdsProduct.opBuy+"Response>")),
		"two documents":   answer(200, good+good),
		"another root":    answer(200, strings.ReplaceAll(good, rdsProduct.opBuy+"Response", "CachedResponse")),
		"endless":         answer(200, strings.TrimSuffix(good, "</"+rdsProduct.opBuy+"Response>")+strings.Repeat(" ", oneshot.MaxReply)+"</"+rdsProduct.opBuy+"Response>"),

		"definite code 500":        answer(500, refused),
		"definite code 503":        answer(503, errorBody("Throttling", "x")),
		"definite code, torn":      torn(400, refused),
		"definite code, cut short": answer(400, strings.TrimSuffix(refused, "</ErrorResponse>")),
		"definite code in a page":  answer(403, "<html><Error><Code>AccessDenied</Code></Error></html>"),
		"definite code, more text": answer(400, refused+"more"),
		"code in another case":     answer(400, errorBody("invalidparametervalue", "x")),
		"unknown code":             answer(400, errorBody("SomethingNew", "x")),
		"no code":                  answer(403, ""),
		"404 of a proxy":           answer(404, "not found"),

		"no id":              bought("ReservedDBInstanceId", "-"),
		"another id":         answer(200, boughtBody(strings.ReplaceAll(reservationXML(nil), wireID, "bu-wire-2"))),
		"no ARN":             bought("ReservedDBInstanceArn", "-"),
		"another account":    bought("ReservedDBInstanceArn", arn+"444455556666:ri:"+wireID),
		"another region":     bought("ReservedDBInstanceArn", "arn:aws:rds:eu-west-2:"+testAccount+":ri:"+wireID),
		"another name":       bought("ReservedDBInstanceArn", arn+testAccount+":ri:bu-wire-2"),
		"another partition":  bought("ReservedDBInstanceArn", "arn:aws-cn:rds:eu-west-1:"+testAccount+":ri:"+wireID),
		"another offering":   bought("ReservedDBInstancesOfferingId", "00000000-0000-4000-8000-000000000000"),
		"another class":      bought("DBInstanceClass", "db.r6g.xlarge"),
		"another engine":     bought("ProductDescription", "aurora-mysql"),
		"multi-AZ":           bought("MultiAZ", "true"),
		"another count":      bought("DBInstanceCount", "3"),
		"another term":       bought("Duration", "94608000"),
		"another payment":    bought("OfferingType", "All Upfront"),
		"payment failed":     bought("State", "payment-failed"),
		"unknown state":      bought("State", "on-hold"),
		"no price":           bought("FixedPrice", "-"),
		"no currency":        bought("CurrencyCode", "-"),
		"price not a number": bought("FixedPrice", "NaN"),
	})
	for name, buy := range rows {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			w.buy = buy
			ev, err := w.purchase(t, w.rds(t, func(c *Config) {
				if strings.HasPrefix(name, "stall") {
					c.Answer = 300 * time.Millisecond
				}
			}))
			if got := w.spent(); got != 1 {
				t.Errorf("%d spending requests on the wire, want 1", got)
			}
			if got := driver.OutcomeOf(err); err == nil || got != cloud.InDoubt || ev.Outcome != cloud.InDoubt {
				t.Errorf("outcome %s, in the evidence %s, error %v: want doubt", got, ev.Outcome, err)
			}
			if errors.Is(err, driver.ErrSecondRequest) {
				t.Errorf("a layer above the transport wanted to send again: %v", err)
			}
			if ev.Detail == "" {
				t.Error("the evidence has no detail")
			}
		})
	}
}

func TestPurchaseEvidence(t *testing.T) {
	w := newWire(t)
	// The reply to a purchase echoes the id as it likes (RDS API samples).
	w.buy = answer(200, boughtBody(reservationXML(map[string]string{"ReservedDBInstanceId": "BU-Wire-1"})))
	d := w.rds(t, nil)
	ev, err := w.purchase(t, d)
	if err != nil {
		t.Fatal(err)
	}
	want := cloud.Evidence{
		Kind: cloud.EvidenceReply, Outcome: cloud.Bought, Operation: rdsProduct.opBuy, Started: wireStart,
		CloudTime: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), RequestID: "wire-request", Status: 200,
		Detail: "commitment BU-Wire-1 is pending",
		Commitment: &cloud.Commitment{
			Lane: d.Info().Lane, ID: "BU-Wire-1", ARN: "arn:aws:rds:eu-west-1:" + testAccount + ":ri:" + wireID, OfferingID: wireOffering,
			Attributes: cloud.Attributes{"engine": "mysql", "class": "db.r6g.large", "multi_az": "false"},
			Term:       cloud.OneYear, Payment: cloud.PartialUpfront, Quantity: 2, State: cloud.Pending,
			Upfront: money.MustParse("512.1", "USD"), Hourly: money.MustParse("0.0825", "USD"),
			Start: time.Date(2031, 2, 3, 4, 5, 7, 0, time.UTC),
		},
	}
	if diff := cmp.Diff(want, ev); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
}

// TestPurchaseOnTheWire pins what is sent, and on what connection.
func TestPurchaseOnTheWire(t *testing.T) {
	w := newWire(t)
	var body string
	buy := w.buy
	w.buy = func(rw http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		body = string(text)
		buy(rw, r)
	}
	d := w.rds(t, nil)
	r := w.request(d)
	r.Tags = map[string]string{"d": "4", "b": "2", "a": "1", "e": "5", "c": "3", "f": "6"}
	for i, attempt := range []string{"bu-att-1", "bu-att-2"} {
		r.Attempt = attempt
		w.mu.Lock()
		w.armed = false
		w.mu.Unlock()
		if _, err := d.Quote(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		w.arm()
		if _, err := d.Purchase(t.Context(), r); err != nil {
			t.Fatalf("purchase %d: %v", i, err)
		}
	}
	want := "Action=PurchaseReservedDBInstancesOffering&DBInstanceCount=2&ReservedDBInstanceId=bu-wire-1" +
		"&ReservedDBInstancesOfferingId=" + wireOffering +
		"&Tags.Tag.1.Key=a&Tags.Tag.1.Value=1&Tags.Tag.2.Key=b&Tags.Tag.2.Value=2&Tags.Tag.3.Key=c&Tags.Tag.3.Value=3" +
		"&Tags.Tag.4.Key=d&Tags.Tag.4.Value=4&Tags.Tag.5.Key=e&Tags.Tag.5.Value=5&Tags.Tag.6.Key=f&Tags.Tag.6.Value=6" +
		"&Version=2014-10-31"
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	// Per line: one look-up, one proof of the caller, one purchase; the first
	// proof of an access key is kept.
	wantCalls := []string{opIdentity, rdsProduct.opOfferings, opIdentity, rdsProduct.opBuy, rdsProduct.opOfferings, opIdentity, rdsProduct.opBuy}
	if diff := cmp.Diff(wantCalls, w.seen()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	connections := map[string]int{}
	for _, c := range w.calls {
		connections[c.remote]++
		if c.date != "20310203T040506Z" {
			t.Errorf("%s is signed at %s, not at the time of the driver's clock", c.action, c.date)
		}
		if !strings.Contains(c.agent, "app/bursar") {
			t.Errorf("%s: User-Agent %q", c.action, c.agent)
		}
		if c.action == rdsProduct.opBuy && (c.proto != "HTTP/1.1" || !c.close) {
			t.Errorf("purchase over %s, close %t: want HTTP/1.1 and a connection of its own", c.proto, c.close)
		}
	}
	for _, c := range w.calls {
		if c.action == rdsProduct.opBuy && connections[c.remote] != 1 {
			t.Errorf("the connection of a purchase carried %d requests", connections[c.remote])
		}
	}
}
