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
)

// sample reads testdata/errors/CODE.http: an answer of AWS as it stands on the
// wire. Codes, statuses and shapes are those of the service models and the API
// references; no account of AWS was used to get them.
func sample(t *testing.T, code string) *http.Response {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "errors", code+".http"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestVerdicts runs the sample of each entry of the table through the SDK, as it
// is and with statuses under which no code is definite.
func TestVerdicts(t *testing.T) {
	used := map[string]bool{}
	for _, v := range verdicts {
		used[v.code+".http"] = true
		resp := sample(t, v.code)
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		for status, want := range map[int]cloud.Outcome{
			resp.StatusCode: v.outcome,
			400:             v.outcome,
			403:             v.outcome,
			408:             cloud.InDoubt,
			500:             cloud.InDoubt,
			503:             cloud.InDoubt,
		} {
			w := newWire(t)
			w.buy = answer(status, string(body))
			ev, err := w.purchase(t, w.rds(t, nil))
			if got := driver.OutcomeOf(err); got != want || ev.Outcome != want {
				t.Errorf("%s with status %d: outcome %s, want %s (%v)", v.code, status, got, want, err)
			}
			if ev.Code != v.code || ev.Status != status || ev.RequestID == "" || ev.CloudTime.IsZero() {
				t.Errorf("%s with status %d: evidence %+v", v.code, status, ev)
			}
			if w.spent() != 1 {
				t.Errorf("%s with status %d: %d requests", v.code, status, w.spent())
			}
			if strings.Contains(err.Error(), "arn:") || strings.Contains(err.Error(), "EXAMPLETOKEN") {
				t.Errorf("%s: the error tells too much: %v", v.code, err)
			}
		}
	}
	files, err := os.ReadDir(filepath.Join("testdata", "errors"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !used[f.Name()] {
			t.Errorf("the sample %s belongs to no entry of the table", f.Name())
		}
	}
}

// TestVerdictsOfOtherOperations: an entry of one operation says nothing about
// another.
func TestVerdictsOfOtherOperations(t *testing.T) {
	if got := classify("PurchaseReservedCacheNodesOffering", "ReservedDBInstanceQuotaExceeded", 400); got != cloud.InDoubt {
		t.Errorf("outcome %s, want doubt", got)
	}
	for _, status := range []int{0, 100, 200, 204, 301, 307, 399, 408, 500, 599, 600} {
		if got := classify(opBuy, "Throttling", status); got != cloud.InDoubt {
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
		got := classify(opBuy, code, 400)
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
