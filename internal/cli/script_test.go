package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bursar/internal/api"
	"bursar/internal/pgtest"
	"bursar/internal/pgtest/pgtesting"
)

// TestMain makes the test binary a bursar when it is called by that name, for
// scripts and for tests that kill processes.
func TestMain(m *testing.M) {
	testscript.Main(whole{m}, map[string]func(){"bursar": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop)
		os.Exit(Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}})
}

// whole runs the tests, and stops the PostgreSQL that they started.
type whole struct{ *testing.M }

func (w whole) Run() int {
	// Processes that are waited for take turns. The flags are not read yet: one that is
	// given counts.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	return pgtesting.Run(w.M)
}

// TestScripts runs testdata/script. Besides the commands of testscript there are:
//
//	run CODE ARGS...     bursar with these arguments must exit with CODE; its
//	                     output must be fit for people
//	until CODE LAST ...  run, with the clock moved on after each CODE until it is LAST
//	sim start ARGS...    serve simulated clouds; sets BURSAR_ENDPOINT
//	serve ARGS...        serve the ledger; prints what the server does, sets SERVER, ADDRESS
//	serve stop           stop the server, which must end well
//	sim get PATH         ask the control surface
//	sim post PATH BODY   "-" is no body
//	field VAR PATH       put a field of the JSON on stdout into a variable
//	strict TYPE          stdout is JSON of a type of api, and nothing else
//	csv N                stdout is CSV with N rows below its header
//	sold N               the running clouds sold N commitments
//	later VAR DURATION   a time by the clock of the running clouds; after 3d, a day
//	hook start VAR       serve a webhook; its secret address goes into a variable
//	hook answer CODE     what it answers from now on
//	hook bodies          how often it was posted to since the last time, and each body on a line
//	usage-to TIME FILE   write the file of usage, moved so that it ends at the hour of TIME
//	early                the running clouds are at the third day of a month
//	once PLAN            the clouds sold each line of the plan exactly once
//	replace OLD NEW FILE
//	cut VAR ID           all of an id but its last character, in lower case
//	[!] glob PATTERN     files that match exist
//	database VAR         put the URL of an empty PostgreSQL database into a variable;
//	                     its password is hush
//
// and the condition [postgres], which is false where it is not installed and no CI is.
func TestScripts(t *testing.T) {
	testdata, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TESTDATA", testdata)
			env.Values[serverKey{}] = new(running)
			env.Setenv("BURSAR_USER", "ada")
			env.Setenv("GOGC", "400") // a command ends before what it leaves behind matters
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond != "postgres" {
				return false, fmt.Errorf("there is no condition %q", cond)
			}
			return pgtest.Installed() || os.Getenv("CI") != "", nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"run": scriptRun, "until": scriptUntil, "sim": scriptSim, "serve": scriptServe, "field": scriptField, "strict": scriptStrict, "csv": scriptCSV,
			"sold": scriptSold, "once": scriptOnce, "replace": scriptReplace, "cut": scriptCut, "glob": scriptGlob,
			"early": scriptEarly, "later": scriptLater, "hook": scriptHook, "usage-to": scriptUsageTo,
			"database": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 1 {
					ts.Fatalf("usage: database VAR")
				}
				ts.Setenv(args[0], strings.Replace(pgtesting.Database(t), "bursar@", "bursar:hush@", 1))
			},
		},
	})
}

// scriptUsageTo moves testdata/usage.csv in time.
func scriptUsageTo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: usage-to TIME FILE")
	}
	end, err := time.Parse(time.RFC3339, args[0])
	ts.Check(err)
	rows := strings.SplitAfter(strings.TrimSuffix(ts.ReadFile(filepath.Join(ts.Getenv("TESTDATA"), "usage.csv")), "\n"), "\n")
	last, _, _ := strings.Cut(rows[len(rows)-1], ",")
	was, err := time.Parse(time.RFC3339, last)
	ts.Check(err)
	// By whole days, so that mornings stay mornings.
	by := end.Sub(was.Add(time.Hour)).Truncate(24 * time.Hour)
	for i, row := range rows[1:] {
		hour, rest, _ := strings.Cut(row, ",")
		at, err := time.Parse(time.RFC3339, hour)
		ts.Check(err)
		rows[i+1] = at.Add(by).Format(time.RFC3339) + "," + rest
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(rows, "")), 0o644))
}

func scriptLater(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: later VAR DURATION")
	}
	raw, err := simCall(ts.Getenv("BURSAR_ENDPOINT"), "GET", "/_sim/clock", "")
	ts.Check(err)
	var clock struct {
		Now time.Time `json:"now"`
	}
	ts.Check(json.Unmarshal(raw, &clock))
	if days, ok := strings.CutSuffix(args[1], "d"); ok {
		n, err := strconv.Atoi(days)
		ts.Check(err)
		ts.Setenv(args[0], clock.Now.AddDate(0, 0, n).UTC().Format(time.DateOnly))
		return
	}
	d, err := time.ParseDuration(args[1])
	ts.Check(err)
	ts.Setenv(args[0], clock.Now.Add(d).UTC().Format(time.RFC3339))
}

// scriptEarly moves the running clouds to the third day of the next month: no month
// ends within the days that follow.
func scriptEarly(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: early")
	}
	url := ts.Getenv("BURSAR_ENDPOINT")
	raw, err := simCall(url, "GET", "/_sim/clock", "")
	ts.Check(err)
	var clock struct {
		Now time.Time `json:"now"`
	}
	ts.Check(json.Unmarshal(raw, &clock))
	third := time.Date(clock.Now.Year(), clock.Now.Month()+1, 3, 9, 0, 0, 0, time.UTC)
	_, err = simCall(url, "POST", "/_sim/clock", `{"advance":"`+third.Sub(clock.Now).String()+`"}`)
	ts.Check(err)
}

func scriptRun(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: run CODE ARGS...")
	}
	if code := runFit(ts, args[1:]); strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func scriptUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: until CODE LAST ARGS...")
	}
	// Five attempts of a line, and each takes a round at most.
	for range 6 {
		_, err := simCall(ts.Getenv("BURSAR_ENDPOINT"), "POST", "/_sim/clock", `{"advance":"13m"}`)
		ts.Check(err)
		switch code := strconv.Itoa(runFit(ts, args[2:])); code {
		case args[1]:
			return
		case args[0]:
		default:
			ts.Fatalf("exit code %s, want %s and at last %s", code, args[0], args[1])
		}
	}
	ts.Fatalf("the exit code never became %s", args[1])
}

// runFit runs bursar, whose output must be fit for people.
func runFit(ts *testscript.TestScript, args []string) int {
	err := ts.Exec("bursar", args...)
	code := 0
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		code = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	out, errOut := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	for _, complaint := range unfit(code, out, errOut) {
		ts.Fatalf("%s", complaint)
	}
	return code
}

var (
	// accessKey is more of an access key id than the masked one shows.
	accessKey = regexp.MustCompile(`(ASIA|AKIA)[A-Z0-9]{5,}`)
	// random is what a secret key or a session token looks like, and a digest or a
	// signature.
	random = regexp.MustCompile(`[A-Za-z0-9+=]{40,}`)
	digest = regexp.MustCompile(`^([0-9a-f]{64}){1,2}$`)
	jargon = regexp.MustCompile(`(^|\s)(json|yaml): |strconv\.|unmarshal|\bnil\b|panic|goroutine|0x[0-9a-f]{6,}|\*?\b(app|api|cli|engine|store|purchase|sim)\.[A-Z]|sql: |%!|context (canceled|deadline)|<html|"(secret|token)"|SecretAccessKey|SessionToken`)
)

// unfit lists what is wrong with the output of a command, whatever the command.
func unfit(code int, out, errOut string) (complaints []string) {
	for name, text := range map[string]string{"stdout": out, "stderr": errOut} {
		if m := accessKey.FindString(text); m != "" {
			complaints = append(complaints, fmt.Sprintf("%s shows the access key id %s", name, m))
		}
		for _, m := range random.FindAllString(text, -1) {
			if !digest.MatchString(m) && !strings.HasPrefix(m, "ContractCommitment") { // a column of FOCUS
				complaints = append(complaints, fmt.Sprintf("%s shows %q, which may be a secret", name, m))
			}
		}
		if m := jargon.FindString(text); m != "" {
			complaints = append(complaints, fmt.Sprintf("%s speaks of %q:\n%s", name, m, text))
		}
	}
	lines := strings.Split(strings.TrimSuffix(errOut, "\n"), "\n")
	last := lines[len(lines)-1]
	// The question for the total may stand before it on the same line.
	told := strings.HasPrefix(last, "bursar: ") || strings.Contains(last, "anything else to stop: bursar: ")
	switch {
	case code != ExitDone && !told:
		complaints = append(complaints, fmt.Sprintf("exit code %d without a last sentence: %q", code, errOut))
	case code != ExitDone && strings.Count(errOut, "bursar: ") != 1:
		complaints = append(complaints, fmt.Sprintf("more than one sentence: %q", errOut))
	case code == ExitDone && told:
		complaints = append(complaints, fmt.Sprintf("exit code 0 with a complaint: %q", errOut))
	}
	return complaints
}

// TestUnfit makes sure that the inspection sees what it is for.
func TestUnfit(t *testing.T) {
	fit := "bursar: there is no ledger: create one with: bursar init\n"
	for _, tc := range []struct {
		code        int
		out, errOut string
		want        int
	}{
		{0, "digest sha256:" + strings.Repeat("0a", 32) + " ASIA...WXYZ ASIA", "", 0},
		{1, "", fit, 0},
		{1, "", "This binds USD 1.00. Type the total to approve, anything else to stop: bursar: that is not the total\n", 0},
		{0, "", "not yet 1 ...\n", 0},
		{0, "ASIAOYOEABCDEFGHWXYZ", "", 1},
		{0, "", "AKIAIOSFODNN7EXAMPLE", 1},
		{0, strings.Repeat("aB3+", 10), "", 1},
		{1, "", "bursar: json: cannot find it\n", 1},
		{1, "", "bursar: type app.Account\n", 1},
		{1, "", "bursar: %!d(string=x)\n", 1},
		{1, "", "", 1},
		{1, "", fit + fit, 1},
		{2, "", "what now?\n", 1},
		{0, "", fit, 1},
	} {
		if got := unfit(tc.code, tc.out, tc.errOut); len(got) != tc.want {
			t.Errorf("%d %q %q: %q, want %d complaints", tc.code, tc.out, tc.errOut, got, tc.want)
		}
	}
}

func scriptSim(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: sim start|get|post|azure ...")
	}
	if args[0] == "azure" && len(args) == 3 {
		all, err := azureList(ts.Getenv("BURSAR_ENDPOINT")+args[2], args[1])
		ts.Check(err)
		ts.Check(json.NewEncoder(ts.Stdout()).Encode(map[string]any{"value": all}))
		return
	}
	if args[0] == "start" {
		url, stop, err := startSim(args[1:], ts.MkAbs("."))
		ts.Check(err)
		ts.Defer(stop)
		ts.Setenv("BURSAR_ENDPOINT", url)
		return
	}
	method, body := strings.ToUpper(args[0]), ""
	if len(args) == 3 && args[2] != "-" {
		body = args[2]
	}
	answer, err := simCall(ts.Getenv("BURSAR_ENDPOINT"), method, args[1], body)
	ts.Check(err)
	_, err = ts.Stdout().Write(answer)
	ts.Check(err)
}

// running is the server of a script.
type running struct{ stop func() error }

type serverKey struct{}

// scriptServe runs bursar serve at a free address.
func scriptServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: serve ARGS... or serve stop")
	}
	server := ts.Value(serverKey{}).(*running)
	if slices.Equal(args, []string{"stop"}) {
		ts.Check(server.stop())
		return
	}
	cmd := exec.Command("bursar", append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = cleanEnv("BURSAR_ENDPOINT=" + ts.Getenv("BURSAR_ENDPOINT"))
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	var log bytes.Buffer
	cmd.Stderr = &log
	ts.Check(cmd.Start())
	ended := false
	end := func(signal os.Signal) error {
		if ended {
			return nil
		}
		ended = true
		return errors.Join(cmd.Process.Signal(signal), cmd.Wait())
	}
	ts.Defer(func() {
		_ = end(os.Kill) // it is in the way of nothing
		for line := range strings.Lines(log.String()) {
			if !json.Valid([]byte(line)) || regexp.MustCompile(`(?i)bursar_[a-z2-7]{20}|\b(ann|pat|111122223333)\b`).MatchString(line) {
				ts.Logf("the log says: %s", line)
			}
		}
	})
	server.stop = func() error { return end(os.Interrupt) }
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Fprintln(ts.Stdout(), lines.Text())
		if rest, ok := strings.CutPrefix(lines.Text(), "Bursar is at "); ok {
			url, _, _ := strings.Cut(rest, ";")
			ts.Setenv("SERVER", url)
			ts.Setenv("ADDRESS", strings.TrimPrefix(url, "http://"))
			return
		}
	}
	ts.Fatalf("the server ended: %s", log.String())
}

// azureList reads all pages of a list as a subscription.
func azureList(url, subscription string) (all []any, err error) {
	for url != "" {
		req, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer sim-"+subscription)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		var page struct {
			Value []any  `json:"value"`
			Next  string `json:"nextLink"`
		}
		err = errors.Join(json.NewDecoder(resp.Body).Decode(&page), resp.Body.Close())
		if err != nil || resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s, %v", url, resp.Status, err)
		}
		all, url = append(all, page.Value...), page.Next
	}
	return all, nil
}

func scriptField(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: field VAR PATH")
	}
	var at any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &at))
	for key := range strings.SplitSeq(args[1], ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[key]
		case []any:
			n, err := strconv.Atoi(key)
			ts.Check(err)
			if n >= len(v) {
				ts.Fatalf("no element %d of %s", n, args[1])
			}
			at = v[n]
		default:
			ts.Fatalf("nothing below %s of %s", key, args[1])
		}
	}
	if at == nil {
		ts.Fatalf("no field %s", args[1])
	}
	ts.Setenv(args[0], fmt.Sprint(at))
}

// apiTypes are the types that scripts may ask for.
var apiTypes = map[string]func() any{
	"Person": func() any { return new(api.Person) }, "Verdict": func() any { return new(api.Verdict) }, "SignedReceipt": func() any { return new(api.SignedReceipt) },
	"AuditHead": func() any { return new(api.AuditHead) }, "AuditLog": func() any { return new([]api.AuditEntry) }, "Recommendations": func() any { return new(api.Recommendations) },
	"Installation": func() any { return new(api.Installation) },
	"Migration":    func() any { return new(api.Migration) },
	"LedgerCopy":   func() any { return new(api.LedgerCopy) },
	"Plan":         func() any { return new(api.Plan) },
	"Plans":        func() any { return new([]api.Plan) },
	"PlanCreated":  func() any { return new(api.PlanCreated) },
	"Lines":        func() any { return new([]api.Line) },
	"LineHistory":  func() any { return new(api.LineHistory) },
	"Inventory":    func() any { return new(api.Inventory) },
	"Findings":     func() any { return new([]api.Finding) },
	"Case":         func() any { return new(api.Case) },
	"Canceled":     func() any { return new([]api.Canceled) },
	"Purchasing":   func() any { return new(api.Purchasing) },
	"Recovery":     func() any { return new(api.Recovery) },
	"Owners":       func() any { return new([]api.Owner) },
	"Budget":       func() any { return new(api.Budget) },
	"Budgets":      func() any { return new([]api.Budget) },
	"Calibrations": func() any { return new([]api.Calibration) },
	"Doctor":       func() any { return new(api.Doctor) },
	"Policies":     func() any { return new([]api.AccountPolicy) },
	"Members":      func() any { return new([]api.Member) },
	"Audit":        func() any { return new(api.Audit) },
	"Schedules":    func() any { return new(api.Schedules) },
	"PlanSchedule": func() any { return new(api.PlanSchedule) },
	"Outbox":       func() any { return new(api.Outbox) }, "Notifications": func() any { return new(api.Notifications) }, "Message": func() any { return new(api.Message) }, "Mute": func() any { return new(api.Mute) },
}

func scriptStrict(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || apiTypes[args[0]] == nil {
		ts.Fatalf("usage: strict TYPE")
	}
	text := ts.ReadFile("stdout")
	v := apiTypes[args[0]]()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	ts.Check(dec.Decode(v))
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		ts.Fatalf("more follows the JSON")
	}
	// What scripts read is what was written: nothing lost on the way.
	var again bytes.Buffer
	ts.Check(writeJSON(&again, v))
	if again.String() != text {
		ts.Fatalf("the JSON differs once it is read and written:\n%s", again.String())
	}
}

func scriptCSV(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: csv ROWS")
	}
	rows, err := csv.NewReader(strings.NewReader(ts.ReadFile("stdout"))).ReadAll()
	ts.Check(err)
	if strconv.Itoa(len(rows)-1) != args[0] {
		ts.Fatalf("%d rows, want %s", len(rows)-1, args[0])
	}
}

func scriptSold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sold N")
	}
	sold, err := simSold(ts.Getenv("BURSAR_ENDPOINT"))
	ts.Check(err)
	if strconv.Itoa(len(sold)) != args[0] {
		ts.Fatalf("the clouds sold %d commitments, want %s", len(sold), args[0])
	}
}

func scriptOnce(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: once PLAN")
	}
	ts.Check(ts.Exec("bursar", "plan", "show", args[0], "-o", "json"))
	var p api.Plan
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &p))
	sold, err := simSold(ts.Getenv("BURSAR_ENDPOINT"))
	ts.Check(err)
	ts.Check(exactlyOnce(p, sold))
}

func scriptReplace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace OLD NEW FILE")
	}
	text := ts.ReadFile(args[2])
	if !strings.Contains(text, args[0]) {
		ts.Fatalf("%s has no %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.ReplaceAll(text, args[0], args[1])), 0o600))
}

func scriptCut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut VAR ID")
	}
	ts.Setenv(args[0], strings.ToLower(args[1][:len(args[1])-1]))
}

func scriptGlob(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] glob PATTERN")
	}
	found, err := filepath.Glob(args[0])
	ts.Check(err)
	if (len(found) > 0) == neg {
		ts.Fatalf("%s: found %q", args[0], found)
	}
}

// exactlyOnce compares a plan, all of it bought, with what the clouds sold.
func exactlyOnce(p api.Plan, sold []simEntry) error {
	for _, l := range p.Lines {
		var copies []simEntry
		for _, s := range sold {
			name := "-" + strings.ToLower(l.ID) + "-"
			tagged := slices.ContainsFunc(s.Tags, func(t simTag) bool { return strings.Contains(t.Value, name) })
			if strings.Contains(s.ID, name) || tagged || l.Receipt != nil && l.Receipt.Commitment == s.ID {
				copies = append(copies, s)
			}
		}
		switch {
		case len(copies) != 1:
			return fmt.Errorf("line %d was sold %d times", l.Number, len(copies))
		case l.State != "purchased" || l.Receipt == nil || !strings.EqualFold(l.Receipt.Commitment, copies[0].ID):
			return fmt.Errorf("line %d is %s with the receipt %v, and the cloud sold %s", l.Number, l.State, l.Receipt, copies[0].ID)
		case copies[0].Account != l.Account || copies[0].Region != l.Region || copies[0].OfferingID != l.Offering || copies[0].Count != l.Quantity:
			return fmt.Errorf("line %d: the cloud sold %+v", l.Number, copies[0])
		}
	}
	if len(sold) != len(p.Lines) {
		return fmt.Errorf("the clouds sold %d commitments for %d lines", len(sold), len(p.Lines))
	}
	return nil
}

// simEntry is what a test needs of a commitment on the control surface.
type simEntry struct {
	ID         string `json:"id"`
	Account    string `json:"account"`
	Region     string `json:"region"`
	OfferingID string `json:"offering_id"`
	Count      int64  `json:"count"`
	Existing   bool   `json:"existing"`

	Tags []simTag `json:"tags"`
}

type simTag struct {
	Value string `json:"value"`
}

func simSold(url string) ([]simEntry, error) {
	raw, err := simCall(url, "GET", "/_sim/ledger", "")
	if err != nil {
		return nil, err
	}
	var all []simEntry
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(e simEntry) bool { return e.Existing }), nil
}
