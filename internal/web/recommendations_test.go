package web_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"bursar/internal/api"
)

// file is a file of a form.
type file struct {
	name    string
	content []byte
}

// sends posts a form with files and returns the status, where it leads, and what it says.
func (v visitor) sends(path string, fields map[string]string, files map[string]file) (status int, to, body string) {
	v.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for name, text := range fields {
		form.WriteField(name, text) //nolint:errcheck // memory
	}
	for name, f := range files {
		part, err := form.CreateFormFile(name, f.name)
		if err != nil {
			v.Fatal(err)
		}
		part.Write(f.content) //nolint:errcheck // memory
	}
	form.Close() //nolint:errcheck // memory
	req, err := http.NewRequestWithContext(v.Context(), http.MethodPost, v.base+path, &b)
	if err != nil {
		v.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	resp, text := v.send(req)
	return resp.StatusCode, resp.Header.Get("Location"), text
}

// explored counts what the simulated Cost Explorer was asked.
func (w *world) explored() int {
	w.Helper()
	resp, err := http.Get(w.URL + "/_sim/requests") //nolint:noctx // local
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return strings.Count(string(text), `"GetReservationPurchaseRecommendation"`)
}

// TestRecommendations: what asking costs is said, nobody is asked by looking, what was
// said is shown with its time, advice is dismissed and wanted again, and a plan is made of
// what is recommended, as it is or by a policy.
func TestRecommendations(t *testing.T) {
	w := newWorld(t, configuration)
	v := visitor{w, "ada"}
	_, body := v.open("/recommendations?provider=aws&service=rds")
	for _, want := range []string{"4 requests", "USD 0.04", "0.01", "it costs nothing here", `name="max_requests" min="4"`, "were not asked since"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing:\n%s", want, body)
		}
	}
	if _, body := v.open("/recommendations?provider=gcp"); !strings.Contains(body, "Asking costs nothing") {
		t.Error(body)
	}
	if _, body := v.open("/recommendations?provider=ibm"); !strings.Contains(body, "use aws, azure or gcp") {
		t.Error(body)
	}
	if n := w.explored(); n != 0 {
		t.Fatalf("looking asked %d times", n)
	}
	rds := url.Values{"provider": {"aws"}, "service": {"rds"}, "max_requests": {"3"}}
	if status, _, body := v.post("/recommendations", rds); status != http.StatusUnprocessableEntity || !strings.Contains(body, "at most 3 may be sent") {
		t.Errorf("%d\n%s", status, body)
	}
	rds.Set("max_requests", "40")
	if status, _, _ := (visitor{w, "vera"}).post("/recommendations", rds); status != http.StatusForbidden || w.explored() != 0 {
		t.Errorf("a viewer asked: %d", status)
	}
	if status, to, body := v.post("/recommendations", rds); status != http.StatusSeeOther || to != "/recommendations?provider=aws&service=rds" {
		t.Fatalf("%d %s\n%s", status, to, body)
	}
	asked := w.explored()
	_, body = v.open("/recommendations")
	for _, want := range []string{"by ada", "4 of 4 sources", "Cost Explorer", ">recommended<", "Saves a month", "months", "Expected to save", "adv-"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing:\n%s", want, body)
		}
	}
	if _, body := (visitor{w, "vera"}).open("/recommendations?sort=-saves"); strings.Contains(body, "Dismiss") || strings.Contains(body, "Make the plan") {
		t.Error("a viewer may act")
	}
	if asked == 0 || w.explored() != asked {
		t.Errorf("looking asked: %d, then %d", asked, w.explored())
	}

	got, err := w.app.Recommended(t.Context())
	if err != nil || len(got.Lines) < 2 {
		t.Fatalf("%d lines, %v", len(got.Lines), err)
	}
	first, second := got.Lines[0].Key, got.Lines[1].Key
	word := func(key string, form url.Values) (int, string) {
		status, _, body := v.post("/recommendations/advice/"+key, form)
		return status, body
	}
	if status, body := word(first, url.Values{"word": {"dismiss"}, "reason": {""}}); status != http.StatusUnprocessableEntity || !strings.Contains(body, "say why") {
		t.Errorf("dismissed without a reason: %d", status)
	}
	if status, body := word(first, url.Values{"word": {"dismiss"}, "reason": {"it moves to Aurora"}}); status != http.StatusSeeOther {
		t.Errorf("%d\n%s", status, body)
	}
	if status, body := word(second, url.Values{"word": {"snooze"}, "reason": {"later"}, "until": {w.app.Now().AddDate(0, 1, 0).Format(time.DateOnly)}}); status != http.StatusSeeOther {
		t.Errorf("%d\n%s", status, body)
	}
	if status, _ := word(second, url.Values{"word": {"snooze"}, "reason": {"later"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("snoozed without a day: %d", status)
	}
	_, body = v.open("/recommendations")
	for _, want := range []string{"it moves to Aurora", ">dismissed<", ">snoozed<", "Not wanted", ">Restore<"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing:\n%s", want, body)
		}
	}
	if status, body := word(second, url.Values{"word": {"restore"}, "reason": {"now"}}); status != http.StatusSeeOther {
		t.Errorf("%d\n%s", status, body)
	}

	at := regexp.MustCompile(`name="asked" value="([^"]+)"`).FindStringSubmatch(body)
	if at == nil {
		t.Fatal("no plan can be made")
	}
	status, to, made := v.sends("/recommendations/plan", map[string]string{"asked": at[1]}, map[string]file{"policy": {"p.yaml", []byte("version: 1\nname: fleet\n")}})
	if status == http.StatusSeeOther {
		_, made = v.open(to)
	}
	if !strings.Contains(made, "fleet") {
		t.Errorf("%d\n%s", status, made)
	}
	status, _, made = v.sends("/recommendations/plan", map[string]string{"asked": at[1], "name": "From the page"}, nil)
	if status != http.StatusOK || !strings.Contains(made, "Plan made: From the page") || !strings.Contains(made, "dismissed by ada: it moves to Aurora") {
		t.Errorf("%d\n%s", status, made)
	}
	if status, _, body := v.post("/recommendations", rds); status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", status, body)
	}
	if status, _, body := v.sends("/recommendations/plan", map[string]string{"asked": at[1]}, nil); status != http.StatusUnprocessableEntity || !strings.Contains(body, "were asked again") {
		t.Errorf("of earlier advice: %d\n%s", status, body)
	}
}

// TestOnePolicyThroughFileInterfaceAndPage: the same policy with the same advice, or the
// same usage, has the same digest through file, API and page.
func TestOnePolicyThroughFileInterfaceAndPage(t *testing.T) {
	w := newWorld(t, configuration)
	v := visitor{w, "ada"}
	token, err := w.app.CreateToken(t.Context(), api.TokenRequest{Name: "t", Owner: "ada", Valid: time.Hour, By: "root"})
	if err != nil {
		t.Fatal(err)
	}
	client, err := api.NewClient(w.base, token.Value)
	if err != nil {
		t.Fatal(err)
	}
	dir, asOf := t.TempDir(), w.app.Now().UTC().Format(time.RFC3339)
	policy := []byte("version: 1\nname: fleet\ncoverage:\n  - {percent: 80%}\n")
	files := map[string]file{
		"file":   {"advice.csv", []byte("service,account,region,engine,class,multi az,count,term,payment option\nrds,111122223333,us-east-1,mysql,db.m6g.large,no,10,1y,all upfront\n")},
		"usage":  {"usage.csv", usageUntil(t, w.app.Now())},
		"policy": {"policy.yaml", policy},
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := func(field string) string { return filepath.Join(dir, files[field].name) }
	request := func(usage, content bool) api.PlanRequest {
		r := api.PlanRequest{Policy: at("policy")}
		if content {
			r.Policy, r.PolicyContent = files["policy"].name, policy
		}
		if usage {
			u := api.UsageDefaults()
			u.Usage, u.AsOf, u.Attributes = at("usage"), asOf, []string{"offering_class=standard"}
			if content {
				u.Usage, u.Content = files["usage"].name, bytes.NewReader(files["usage"].content)
			}
			r.Usage = &u
			return r
		}
		if r.File = at("file"); content {
			r.File, r.Content = files["file"].name, files["file"].content
		}
		return r
	}
	for _, usage := range []bool{false, true} {
		t.Run(fmt.Sprintf("usage %v", usage), func(t *testing.T) {
			byFile, err := w.app.CreatePlan(t.Context(), request(usage, false))
			if err != nil {
				t.Fatal(err)
			}
			byAPI, err := client.CreatePlan(t.Context(), request(usage, true))
			if err != nil {
				t.Fatal(err)
			}
			sent := map[string]file{"policy": files["policy"], "file": files["file"]}
			if usage {
				delete(sent, "file")
				sent["usage"] = files["usage"]
			}
			status, to, body := v.sends("/plans", map[string]string{"as_of": asOf, "attributes": "offering_class=standard"}, sent)
			if status != http.StatusSeeOther && !strings.Contains(body, "Plan made: fleet") {
				t.Fatalf("%d %s\n%s", status, to, body)
			}
			byPage := w.plan()
			if byFile.Plan.Digest != byAPI.Plan.Digest || byFile.Plan.Digest != byPage.Digest || byPage.ID == byAPI.Plan.ID || len(byPage.Lines) == 0 {
				t.Errorf("by file %s, by API %s, by page %s", byFile.Plan.Digest, byAPI.Plan.Digest, byPage.Digest)
			}
		})
	}
	if status, _, body := v.sends("/plans", nil, files); status != http.StatusUnprocessableEntity || !strings.Contains(body, "choose one of them") {
		t.Errorf("of both: %d\n%s", status, body)
	}
	if status, _, body := v.sends("/plans", nil, map[string]file{"policy": files["policy"]}); status != http.StatusUnprocessableEntity || !strings.Contains(body, "hoose the file to plan from") {
		t.Errorf("of nothing: %d\n%s", status, body)
	}
	// No file of the server is read for anybody.
	var e *api.Error
	if _, err := client.CreatePlan(t.Context(), request(false, false)); !errors.As(err, &e) {
		t.Errorf("of a file of the server: %v", err)
	}
}
