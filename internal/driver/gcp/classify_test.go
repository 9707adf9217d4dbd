package gcp

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver/oneshot"
)

// TestVerdicts holds every entry of the table against a sample of what Google answers
// (shapes from the references; no account of Google was used), and every sample to an
// entry.
func TestVerdicts(t *testing.T) {
	used := map[string]bool{}
	for _, v := range verdicts {
		name := fmt.Sprintf("%d-%s.json", v.status, v.code)
		body, err := os.ReadFile(filepath.Join("testdata", "errors", name))
		if err != nil {
			t.Error(err)
			continue
		}
		used[name] = true
		got := codeOf(&oneshot.Reply{Status: v.status, Body: body})
		if got != v.code || classify(got, v.status) != v.outcome {
			t.Errorf("%s: code %q is %s, want %s", name, got, classify(got, v.status), v.outcome)
		}
		for what, r := range map[string]oneshot.Reply{
			"torn":           {Status: v.status, Body: body[:len(body)-2]},
			"with more":      {Status: v.status, Body: append([]byte(nil), append(body, "{}"...)...)},
			"broken off":     {Status: v.status, Body: body, Err: os.ErrDeadlineExceeded},
			"another status": {Status: 503, Body: body},
		} {
			if got := classify(codeOf(&r), r.Status); got != cloud.InDoubt {
				t.Errorf("%s, %s: %s, want doubt", name, what, got)
			}
		}
		for _, status := range []int{200, 408, 500, 502, 503} {
			if got := classify(v.code, status); got != cloud.InDoubt {
				t.Errorf("%s under %d: %s, want doubt", v.code, status, got)
			}
		}
	}
	all, err := os.ReadDir(filepath.Join("testdata", "errors"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if !used[f.Name()] {
			t.Errorf("%s is of no entry", f.Name())
		}
	}
}

func TestWhatIsNoErrorDocument(t *testing.T) {
	for _, body := range []string{
		"", "null", "[]", "<html>409 alreadyExists</html>", `{"error":"alreadyExists"}`, `{"error":{"code":409}}`,
		`{"error":{"code":"409","errors":[{"reason":"alreadyExists"}]}}`,
		`{"error":{"code":400,"errors":[{"reason":"alreadyExists"}]}}`,
		`{"error":{"code":409,"errors":[{"reason":"alreadyExists"},{"reason":"backendError"}]}}`,
	} {
		if got := codeOf(&oneshot.Reply{Status: 409, Body: []byte(body)}); got != "" {
			t.Errorf("%s: code %q, want none", body, got)
		}
	}
}

func TestQuietHidesTokens(t *testing.T) {
	for _, text := range []string{
		"Get \"https://x/?access_token=ya29.a0AfH6SMBabcdefg\": failed", "Bearer sim-example-prod.1234567890 refused", "1//0gabcdefghij-refresh",
	} {
		got := quiet(fmt.Errorf("%s", text)).Error()
		for _, secret := range []string{"a0AfH6SMB", "1234567890", "0gabcdefghij"} {
			if strings.Contains(got, secret) {
				t.Errorf("%q still holds a token", got)
			}
		}
	}
}
