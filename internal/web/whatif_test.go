package web_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"bursar/internal/api"
)

// asksWhatIf sends a file of usage to the page.
func (v visitor) asksWhatIf(file []byte, fields map[string]string) (status int, body string) {
	v.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for name, text := range fields {
		form.WriteField(name, text) //nolint:errcheck // memory
	}
	if file != nil {
		part, err := form.CreateFormFile("file", "usage.csv")
		if err != nil {
			v.Fatal(err)
		}
		part.Write(file) //nolint:errcheck // memory
	}
	form.Close() //nolint:errcheck // memory
	req, err := http.NewRequestWithContext(v.Context(), http.MethodPost, v.base+"/what-if", &b)
	if err != nil {
		v.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	resp, text := v.send(req)
	return resp.StatusCode, text
}

// usageUntil is testdata/usage.csv, moved by whole days to end at the last midnight.
func usageUntil(t *testing.T, now time.Time) []byte {
	t.Helper()
	data, err := os.ReadFile("../../testdata/usage.csv")
	if err != nil {
		t.Fatal(err)
	}
	by := now.UTC().Truncate(24 * time.Hour).Sub(time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC))
	rows := strings.SplitAfter(string(data), "\n")
	for i, row := range rows[1:] {
		text, rest, ok := strings.Cut(row, ",")
		if !ok {
			continue
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		rows[i+1] = at.Add(by).Format(time.RFC3339) + "," + rest
	}
	return []byte(strings.Join(rows, ""))
}

// TestWhatIf sizes a file that is sent, says what is wrong with one, and stores nothing.
func TestWhatIf(t *testing.T) {
	w := newWorld(t, configuration)
	usage := usageUntil(t, w.app.Now())
	v := visitor{w, "vera"}
	fields := func(more ...string) map[string]string {
		f := map[string]string{"discount": "35%", "term": "1y", "payment": "no-upfront", "held": "usage", "attributes": "offering_class=standard"}
		for i := 0; i < len(more); i += 2 {
			f[more[i]] = more[i+1]
		}
		return f
	}
	for _, c := range []struct {
		name   string
		file   []byte
		with   map[string]string
		status int
		wants  []string
	}{
		{"knee", usage, fields(), http.StatusOK, []string{
			"3 commitments", "USD 5,583.19", "ec2 m6g.large Linux/UNIX", "65.81%", "23.03%", "8 months", "the last one of 10 is used 100%",
			`class="covered" points="0,`, "over-commitment", "Usage by day, from 0 to", "at the knee of 10", "If usage falls",
		}},
		{"coverage", usage, fields("coverage", "80"), http.StatusOK, []string{"coverage: 80% of the usage lies below", "would pay above 65%: less would save more"}},
		{"a savings plan", usage, fields("plan_discount", "28"), http.StatusOK, []string{"savingsplans Compute", "USD/h"}},
		{"the catalog", usage, fields("discount", ""), http.StatusOK, []string{"by the price of offering"}},
		{"too large", bytes.Repeat([]byte("x"), 9<<20), fields(), http.StatusUnprocessableEntity, []string{"larger than 8 MB"}},
		{"no file", nil, fields(), http.StatusUnprocessableEntity, []string{"Choose the file of usage."}},
		{"no percentage", usage, fields("coverage", "101"), http.StatusUnprocessableEntity, []string{"is not a whole number of per cent from 1 to 100", `value="101"`}},
		{"by day", []byte("hour,provider,account,region,service,resource type,quantity,on-demand rate,currency\n2026-09-01,aws,111122223333,us-east-1,redshift,ra3.large,3,1,USD\n"), fields(), http.StatusUnprocessableEntity,
			[]string{"Usage.csv:2: hour: ", "daily averages over-commit"}},
		{"old", usage, fields("as_of", "2031-01-01T00:00:00Z"), http.StatusUnprocessableEntity, []string{"more than 72 hours before"}},
	} {
		status, body := v.asksWhatIf(c.file, c.with)
		if status != c.status {
			t.Errorf("%s: status %d, want %d", c.name, status, c.status)
		}
		for _, text := range c.wants {
			if !strings.Contains(body, text) {
				t.Errorf("%s: the page does not show %q\n%s", c.name, text, body)
			}
		}
		if strings.Contains(body, " style=") || strings.Contains(body, "<style") {
			t.Errorf("%s: the page holds styles", c.name)
		}
	}
	if plans, err := w.app.Plans(t.Context()); err != nil || len(plans) > 0 {
		t.Errorf("%d plans, %v", len(plans), err)
	}

	// What is planned is held, and ends some day.
	visitor{w, "ada"}.upload("plan.yaml", fmt.Appendf(nil, strings.Replace(strings.Replace(onePlan, "mysql", "postgresql", 1), "m6g", "r6g", 1), 1, ""), nil)
	if status, body := v.asksWhatIf(usage, fields("held", "inventory")); status != http.StatusOK || !strings.Contains(body, "What is held ends") || !strings.Contains(body, `"Known as">planned`) {
		t.Errorf("%d: what is held is not shown\n%s", status, body)
	}
}

// TestWhatIfScope keeps from people what is not in their accounts.
func TestWhatIfScope(t *testing.T) {
	w := newWorld(t, configuration)
	if _, err := w.app.AddPerson(t.Context(), api.PersonRequest{Name: "mary", Roles: []string{"viewer"}, Accounts: []string{"444455556666"}, By: "root"}); err != nil {
		t.Fatal(err)
	}
	v := visitor{w, "mary"}
	usage := usageUntil(t, w.app.Now())
	for _, with := range []map[string]string{{"held": "usage"}, {"held": "inventory", "discount": "35%"}} {
		if status, body := v.asksWhatIf(usage, with); status != http.StatusForbidden || !strings.Contains(body, "is not in your scope") {
			t.Errorf("%v: %d\n%s", with, status, body)
		}
	}
	if status, body := v.asksWhatIf(usage, map[string]string{"held": "usage", "discount": "35%"}); status != http.StatusOK {
		t.Errorf("%d\n%s", status, body)
	}
}

// TestWhatIfJourney asks as people do, and again with another coverage without leaving
// the page.
func TestWhatIfJourney(t *testing.T) {
	w := newWorld(t, configuration)
	b := browse(t, w.base)
	defer b.quiet()
	w.signIn(b, "vera")
	file := filepath.Join(t.TempDir(), "usage.csv")
	if err := os.WriteFile(file, usageUntil(t, w.app.Now()), 0o600); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Click(`//header//a[normalize-space()="What-if"]`))
	b.sees("What commitments hourly usage would carry")
	b.do(chromedp.SetUploadFiles(`[name=file]`, []string{file}))
	b.fill("discount", "35%")
	b.press("Work it out")
	b.sees("Proposals", "USD 5,583.19", "Usage by day")
	if n := b.count("figure.plot polyline"); n != 9 {
		t.Errorf("%d lines are drawn, want 3 of each of 3 pools", n)
	}
	toResult := func() {
		ask(b, chromedp.Evaluate[bool](`(document.querySelector("#result h2").scrollIntoView(), true)`))
	}
	toResult()
	b.snap("what-if", "what-if-small", 375, 800, false)
	b.snap("what-if", "what-if-dark", 1280, 800, true)
	toResult()
	b.snap("what-if", "what-if", 1280, 800, false)
	b.fill("coverage", "80")
	ask(b, chromedp.Evaluate[bool](`document.querySelector("[name=coverage]").dispatchEvent(new Event("change", {bubbles: true}))`))
	b.sees("USD 3,952.27", "Coverage of the usage: 80%")
	if b.count("[name=file]") != 1 || ask(b, chromedp.Evaluate[int](`document.querySelector("[name=file]").files.length`)) != 1 {
		t.Error("the file has to be chosen again")
	}
}
