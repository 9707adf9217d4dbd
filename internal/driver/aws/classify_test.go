package aws

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
)

// sample reads testdata/errors/PROTOCOL/CODE.http: an answer of AWS as it stands
// on the wire. Codes, statuses and shapes are those of the service models and the
// API references; no account of AWS was used to get them.
func sample(t *testing.T, name string) *oneshot.Reply {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "errors", name))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &oneshot.Reply{Status: resp.StatusCode, Header: resp.Header, Body: text}
}

// TestVerdicts runs the samples of each entry of the table through the SDK, as
// they are and with statuses under which no code is definite.
func TestVerdicts(t *testing.T) {
	used := map[string]bool{}
	for _, v := range append([]verdict{busy}, verdicts...) {
		played := 0
		for _, service := range []cloud.Service{RDS, MemoryDB, OpenSearch, SavingsPlans, EC2} {
			protocol := protocolOf(service)
			name := protocol + "/" + v.code + ".http"
			if _, err := os.Stat(filepath.Join("testdata", "errors", name)); err != nil {
				continue
			}
			if v.operation != "*" {
				if service = sellerOf(v.operation); protocol != protocolOf(service) {
					continue
				}
			}
			played++
			used[name] = true
			recorded := sample(t, name)
			wants := map[int]cloud.Outcome{
				recorded.Status: v.outcome, 400: v.outcome, 403: v.outcome,
				408: cloud.InDoubt, 500: cloud.InDoubt, 503: cloud.InDoubt,
			}
			if v.code == busy.code && service == EC2 {
				wants[503] = cloud.Throttled
			}
			for status, want := range wants {
				w := newWire(t)
				shape := shapes[service]
				w.bodies = shape.bodies()
				w.buy = func(rw http.ResponseWriter, r *http.Request) {
					if code := recorded.Header.Get("X-Amzn-Errortype"); code != "" {
						rw.Header().Set("X-Amzn-Errortype", code)
					}
					answer(status, string(recorded.Body))(rw, r)
				}
				d := w.open(t, service, nil)
				send := w.send
				if v.operation == opReturnPlan {
					send = w.giveBack
				}
				ev, err := send(t, d, shape.request(w, d))
				if got := driver.OutcomeOf(err); got != want || ev.Outcome != want {
					t.Errorf("%s with status %d: outcome %s, want %s (%v)", name, status, got, want, err)
				}
				if ev.Code != v.code || ev.Status != status || ev.RequestID == "" || ev.CloudTime.IsZero() {
					t.Errorf("%s with status %d: evidence %+v", name, status, ev)
				}
				if w.spent() != 1 {
					t.Errorf("%s with status %d: %d requests", name, status, w.spent())
				}
				if strings.Contains(err.Error(), "arn:") || strings.Contains(err.Error(), "EXAMPLETOKEN") {
					t.Errorf("%s: the error tells too much: %v", name, err)
				}
			}
		}
		if played == 0 {
			t.Errorf("%s of %s has no sample", v.code, v.operation)
		}
	}
	files, err := filepath.Glob("testdata/errors/*/*.http")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimPrefix(f, "testdata/errors/"); !used[name] {
			t.Errorf("the sample %s belongs to no entry of the table", name)
		}
	}
}

func protocolOf(s cloud.Service) string {
	switch s {
	case MemoryDB, RedshiftServerless:
		return "json"
	case OpenSearch, SavingsPlans:
		return "rest"
	case EC2, EC2Zonal:
		return "ec2"
	}
	return "query"
}

// sellerOf is the service of a purchase operation.
func sellerOf(operation string) cloud.Service {
	if operation == opReturnPlan {
		return SavingsPlans
	}
	for s, shape := range shapes {
		if shape.product.opBuy == operation && s != EC2Zonal {
			return s
		}
	}
	return ""
}

// TestVerdictsOfOtherOperations: an entry of one operation says nothing about
// another.
func TestVerdictsOfOtherOperations(t *testing.T) {
	if got := classify("PurchaseReservedCacheNodesOffering", "ReservedDBInstanceQuotaExceeded", 400); got != cloud.InDoubt {
		t.Errorf("outcome %s, want doubt", got)
	}
	for _, status := range []int{0, 100, 200, 204, 301, 307, 399, 408, 500, 599, 600} {
		if got := classify(rdsProduct.opBuy, "Throttling", status); got != cloud.InDoubt {
			t.Errorf("status %d: outcome %s, want doubt", status, got)
		}
	}
}

// TestThrottles: of the codes the SDK takes for throttling, each is either in
// the table or left out for a reason.
func TestThrottles(t *testing.T) {
	left := map[string]string{
		"ProvisionedThroughputExceededException": "of DynamoDB",
		"TransactionInProgressException":         "another request may be under way",
		"PriorRequestNotComplete":                "another request may be under way",
		"LimitExceededException":                 "a quota in some services; per operation when one needs it",
	}
	for code := range retry.DefaultThrottleErrorCodes {
		got := classify(rdsProduct.opBuy, code, 400)
		if _, out := left[code]; out && got != cloud.InDoubt || !out && got != cloud.Throttled {
			t.Errorf("%s: outcome %s", code, got)
		}
	}
}

// TestQuiet: nothing that is secret or names a caller gets into an error.
func TestQuiet(t *testing.T) {
	w := newWire(t)
	w.buy = answer(403, errorBody("SignatureDoesNotMatch",
		"Not signed by "+sessionSecret+" with "+sessionToken+" of arn:aws:sts::1:assumed-role/x/y.\n\nCanonical String\nx-amz-security-token:"+sessionToken))
	ev, err := w.purchase(t, w.rds(t, func(c *Config) { c.RoleARN = testRole }))
	if driver.OutcomeOf(err) != cloud.Refused {
		t.Fatalf("outcome %s, %v", driver.OutcomeOf(err), err)
	}
	for _, text := range []string{err.Error(), ev.Detail} {
		if text == "" || strings.Contains(text, sessionSecret) || strings.Contains(text, sessionToken) || strings.Contains(text, "arn:") ||
			strings.Contains(text, "Canonical") {
			t.Errorf("the text tells too much: %s", text)
		}
	}
}
