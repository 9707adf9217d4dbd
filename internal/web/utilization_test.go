package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestUtilization: what was used is asked by a button only, and what is not told is no
// number.
func TestUtilization(t *testing.T) {
	w := newWorld(t, configuration)
	buy(t, w.app)
	w.advance(40 * 24 * time.Hour)
	v := visitor{w, "ada"}
	status, body := v.open("/inventory")
	if status != http.StatusOK || !strings.Contains(body, "not asked") || strings.Contains(body, "<h2>Coverage") {
		t.Errorf("before it was asked: %d\n%s", status, body)
	}
	if status, to, body := v.post("/inventory/utilization", nil); status != http.StatusSeeOther || to != "/inventory" {
		t.Fatalf("%d, %s\n%s", status, to, body)
	}
	_, body = v.open("/inventory")
	for _, want := range []string{"30 days", "<h2>Coverage", "hours", "Asked"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing:\n%s", want, body)
		}
	}
	if strings.Contains(body, "not asked") {
		t.Error("it was asked")
	}
	w.advance(25 * time.Hour)
	if _, body = v.open("/inventory"); strings.Contains(body, "<h2>Coverage") {
		t.Error("what was told a day ago is shown")
	}
}
