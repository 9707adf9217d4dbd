package sim

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"
)

// ask sends one request to the control surface.
func ask(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestControl(t *testing.T) {
	s, url := fixedSim(t, Options{})
	for _, tt := range []struct {
		method, path, body string
		status             int
		want               string // exact, without spaces and line breaks
	}{
		{"GET", "/_sim/clock", "", 200, `{"now":"2026-11-23T12:00:00.577Z","offset":"0s"}`},
		{"POST", "/_sim/clock", `{"advance":"15m"}`, 200, `{"now":"2026-11-23T12:15:00.577Z","offset":"15m0s"}`},
		{"POST", "/_sim/clock", `{"advance":"-1s"}`, 400, `{"error":"advance-1s:thesimulatedclocknevergoesbackwards"}`},
		{"POST", "/_sim/clock", `{"advance":"soon"}`, 400, `{"error":"advance\"soon\"isnotadurationsuchas15mor8760h"}`},
		{"POST", "/_sim/clock", `{"back":"1s"}`, 400, `{"error":"thebodyisnottheJSONthiswants:json:unknownfield\"back\""}`},
		{"POST", "/_sim/faults", `{"kind":"slow","duration":"90s","times":2}`, 200, `{"id":"f-1"}`},
		{"POST", "/_sim/faults", `{"kind":"slow"}{}`, 400, `{"error":"thebodyholdsmorethanoneJSONvalue"}`},
		{"POST", "/_sim/faults", `{"kind":"slow","foo":1}`, 400, `{"error":"thebodyisnottheJSONthiswants:json:unknownfield\"foo\""}`},
		{"POST", "/_sim/faults", `{"kind":"chaos"}`, 400, `{"error":"nofaultkind\"chaos\";thekindsaredelay,deny-action,duplicate,error-after,error-before,lose-reply,lose-request,no-trail,payment-failed,redirect,region-disabled,region-unreachable,return-fails,slow,stale-listing,strange-state,throttle,torn-body,truncated-page,wrong-caller"}`},
		{"GET", "/_sim/faults", "", 200, `[{"fault":{"id":"f-1","kind":"slow","times":2,"duration":"1m30s"},"matched":0,"struck":0,"spent":false}]`},
		{"DELETE", "/_sim/faults", "", 200, `{}`},
		{"GET", "/_sim/faults", "", 200, `[]`},
		{"GET", "/_sim/ledger", "", 200, `[]`},
		{"GET", "/_sim/requests?spending=true", "", 200, `[]`},
		{"GET", "/_sim/requests?spending=maybe", "", 400, `{"error":"spending\"maybe\":wanttrueorfalse"}`},
		{"GET", "/_sim/requests?x=1", "", 400, `{"error":"unknownqueryparameter\"x\""}`},
		{"POST", "/_sim/prices", `{"offering_id":"` + anOffering().id + `","fixed":"1200.00","hourly":"0.05"}`, 200, `{}`},
		{"POST", "/_sim/prices", `{"offering_id":"` + anOffering().id + `","fixed":"1e3","hourly":"0.05"}`, 400, `{"error":"fixed:\"1e3\"isnotaplaindecimalamountsuchas1234.56"}`},
		{"POST", "/_sim/prices", `{"offering_id":"x","fixed":"1","hourly":"0.05"}`, 400, `{"error":"nooffering\"x\"inthecatalog"}`},
		{"POST", "/_sim/existing", `[{"account":"111122223333","region":"us-east-1","id":"x","offering_id":"` + anOffering().id + `","count":1}]`, 200, `{}`},
		{"POST", "/_sim/existing", `[{"account":"111122223333","region":"us-east-1","id":"X","offering_id":"` + anOffering().id + `","count":1}]`, 400, `{"error":"reservation1(\"X\"):theidisalreadytakeninthisaccountandregion"}`},
		{"POST", "/_sim/existing", `{"id":"x"}`, 400, `{"error":"thebodyisnottheJSONthiswants:json:cannotunmarshalobjectintoGovalueoftype[]sim.Existing"}`},
		{"POST", "/_sim/reset", "", 200, `{}`},
		{"GET", "/_sim/nothing", "", 404, `{"error":"no/_sim/nothing;GET/_sim/listswhatthereis"}`},
		{"DELETE", "/_sim/clock", "", 405, `{"error":"/_sim/clocktakesGETorPOST,notDELETE"}`},
		{"POST", "/_sim/", "", 405, `{"error":"/_sim/takesGET,notPOST"}`},
	} {
		status, body := ask(t, tt.method, url+tt.path, tt.body)
		if got := strings.Join(strings.Fields(body), ""); status != tt.status || got != tt.want {
			t.Errorf("%s %s %s: status %d\n got %s\nwant %s", tt.method, tt.path, tt.body, status, got, tt.want)
		}
	}
	if _, body := ask(t, "GET", url+"/_sim/", ""); body != Help {
		t.Error("/_sim/ is not the help")
	}
	var list []Account
	_, body := ask(t, "GET", url+"/_sim/accounts", "")
	if err := json.Unmarshal([]byte(body), &list); err != nil || !cmp.Equal(list, s.Accounts()) {
		t.Errorf("accounts %s", body)
	}
}

func TestRequestFilters(t *testing.T) {
	s := newSim(t, Options{})
	url := serve(t, s)
	mustBuy(t, url, "x")
	creds := assume(t, url, "")
	if _, err := sts.NewFromConfig(config(url, creds)).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{
		"": 3, "?service=rds": 1, "?service=sts": 2, "?operation=AssumeRole": 1, "?account=444455556666": 1, "?spending=true": 1, "?spending=false": 2, "?service=sts&spending=true": 0,
	} {
		var list []Request
		_, body := ask(t, "GET", url+"/_sim/requests"+query, "")
		if err := json.Unmarshal([]byte(body), &list); err != nil || len(list) != want {
			t.Errorf("%q: %d requests, %v", query, len(list), err)
		}
		for _, secret := range []string{creds.SecretAccessKey, creds.SessionToken} {
			if strings.Contains(body, secret) {
				t.Errorf("%q shows a secret", query)
			}
		}
	}
}

// The help is complete and its examples are accepted.
func TestHelp(t *testing.T) {
	s, url := fixedSim(t, Options{})
	for path := range controlRoutes {
		if !strings.Contains(Help, path) {
			t.Errorf("the help lacks %s", path)
		}
	}
	for _, kind := range faultKinds() {
		if !strings.Contains(Help, `{"kind":"`+kind+`"`) {
			t.Errorf("the help lacks the kind %s", kind)
		}
	}
	for name := range services {
		if !strings.Contains(Help, "\n  "+name+" ") {
			t.Errorf("the help lacks the service %s", name)
		}
	}
	for r := range s.catalog.regions {
		if !strings.Contains(Help, r) {
			t.Errorf("the help lacks the region %s", r)
		}
	}
	for _, example := range regexp.MustCompile(`\{"kind".*\}`).FindAllString(Help, -1) {
		if status, body := ask(t, "POST", url+"/_sim/faults", example); status != 200 {
			t.Errorf("%s: %s", example, body)
		}
	}
}

// The simulator must not share code with its clients.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(src), "\n"); n > 600 {
			t.Errorf("%s has %d lines", file, n)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(path, "/")
			if strings.Contains(first, ".") && path != "github.com/gofrs/flock" || first == "bursar" && path != "bursar/internal/money" {
				t.Errorf("%s imports %s", file, path)
			}
		}
	}
}

func TestServe(t *testing.T) {
	s := newSim(t, Options{})
	url, stop, err := Serve(s)
	if err != nil {
		t.Fatal(err)
	}
	mustBuy(t, url, "x")
	stop()
	if _, err := buy(t.Context(), rdsClient(url), "y", 1); err == nil {
		t.Error("served after stop")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := buy(t.Context(), rdsClient(serve(t, s)), "y", 1); err == nil {
		t.Error("served after Close")
	}
}
