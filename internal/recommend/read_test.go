package recommend

import (
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
)

const testdata = "../../testdata"

func readFile(t *testing.T, name string) (Input, error) {
	t.Helper()
	f, err := os.Open(filepath.Join(testdata, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return Read(name, f)
}

// refused reads text that must be refused and compares the sentence.
func refused(t *testing.T, file, text, want string) {
	t.Helper()
	in, err := Read(file, strings.NewReader(text))
	if err == nil {
		t.Fatalf("accepted; want the error\n%s", want)
	}
	if got := err.Error(); got != want {
		t.Errorf("error:\n got %s\nwant %s", got, want)
	}
	if diff := cmp.Diff(Input{}, in); diff != "" {
		t.Errorf("half read (-none +got):\n%s", diff)
	}
	if _, ok := AsError(err); !ok {
		t.Errorf("error is a %T, want *Error", err)
	}
}

func accepted(t *testing.T, file, text string) Input {
	t.Helper()
	in, err := Read(file, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range in.Drafts {
		checkDraft(t, d)
	}
	return in
}

// attributesOf are the keys that the drivers say in Info, sorted.
var attributesOf = map[cloud.Service]string{
	"rds":         "class engine multi_az",
	"elasticache": "engine node_type",
	"memorydb":    "node_type",
	"redshift":    "node_type offering_type",
	"ec2":         "instance_type offering_class platform tenancy",
	"ec2-zonal":   "instance_type offering_class platform tenancy zone",
	"opensearch":  "instance_type",

	"redshift-serverless": "",
	"savingsplans":        "plan_type",
	"compute":             "memory_gb type vcpu",
	"licenses":            "license",
	"spend":               "product",
}

// checkDraft recomputes what Draft promises, without the package's parsers.
func checkDraft(t *testing.T, d Draft) {
	t.Helper()
	if d.Provider == cloud.Azure {
		if !subscriptionID.MatchString(string(d.Account)) || !azureLocation.MatchString(string(d.Region)) || d.Attributes["sku"] == "" ||
			d.Attributes["scope"] == "" || d.Quantity < 1 || d.Payment != cloud.AllUpfront && d.Payment != cloud.Monthly {
			t.Errorf("%v: %+v", d.At, d)
		}
		return
	}
	keys, most := attributesOf[d.Service], int64(10_000)
	if d.Attributes["plan_type"] == "EC2Instance" {
		keys = "ec2_region family plan_type"
	}
	if d.Attributes["cores"] != "" {
		keys = "cores license"
	}
	plan := d.Service == "savingsplans"
	if plan {
		most = 100_000_000_000
	}
	digits := strings.Trim(string(d.Account), "0123456789") == ""
	google, spend := d.Provider == "gcp", d.Service == "spend"
	if spend {
		most = 100_000_000_000
	}
	_, known := attributesOf[d.Service]
	switch {
	case !google && d.Provider != "aws" || google != (d.Service == "compute" || d.Service == "licenses" || spend) || !known:
		t.Errorf("%v: %s/%s", d.At, d.Provider, d.Service)
	case !google && (len(d.Account) != 12 || !digits) || google && (digits || len(d.Account) < 6):
		t.Errorf("%v: account %q", d.At, d.Account)
	case plan != (d.Region == "global") && !spend || (plan || spend) != (d.Unit == "0.00001") || plan && d.Quantity < 100:
		t.Errorf("%v: region %q, %d units of %q", d.At, d.Region, d.Quantity, d.Unit)
	case google && d.Region != "global" && strings.Count(string(d.Region), "-") < 1:
		t.Errorf("%v: region %q", d.At, d.Region)
	case !google && !plan && strings.Count(string(d.Region), "-") < 2 || strings.ToLower(string(d.Region)) != string(d.Region):
		t.Errorf("%v: region %q", d.At, d.Region)
	case strings.Join(slices.Sorted(maps.Keys(d.Attributes)), " ") != keys || slices.Contains(slices.Collect(maps.Values(d.Attributes)), ""):
		t.Errorf("%v: attributes %v", d.At, d.Attributes)
	case d.Service == "rds" && (!strings.HasPrefix(d.Attributes["class"], "db.") || d.Attributes["multi_az"] != "true" && d.Attributes["multi_az"] != "false"):
		t.Errorf("%v: attributes %v", d.At, d.Attributes)
	case d.Service == "ec2-zonal" && !strings.HasPrefix(d.Attributes["zone"], string(d.Region)):
		t.Errorf("%v: zone %q", d.At, d.Attributes["zone"])
	case d.Term != cloud.OneYear && d.Term != cloud.ThreeYears:
		t.Errorf("%v: term %v", d.At, d.Term)
	case google != (d.Payment == cloud.Monthly) || !google && d.Payment != cloud.AllUpfront && d.Payment != cloud.PartialUpfront && d.Payment != cloud.NoUpfront:
		t.Errorf("%v: payment %q", d.At, d.Payment)
	case d.Quantity < 1 || d.Quantity > most:
		t.Errorf("%v: quantity %d", d.At, d.Quantity)
	case d.Currency != "" && len(d.Currency) != 3:
		t.Errorf("%v: currency %q", d.At, d.Currency)
	case strings.ContainsAny(d.Note, "\x00\x1b\r\n\t") || len([]rune(d.Note)) > 1000:
		t.Errorf("%v: note %q", d.At, d.Note)
	case d.At.Line < 1:
		t.Errorf("%v has no line", d.At)
	}
}

func TestExamples(t *testing.T) {
	for _, c := range []struct {
		file, name   string
		format       Format
		drafts, left int
		tolerance    int
	}{
		{"ce-rds.json", "ce-rds", CostExplorer, 14, 0, 0},
		{"plan-rds.yaml", "Databases, fourth quarter", PlanFile, 10, 0, 50},
		{"plan-services.yaml", "One of each service", PlanFile, 9, 0, 0},
		{"ce-elasticache.json", "ce-elasticache", CostExplorer, 3, 0, 0},
		{"ce-memorydb.json", "ce-memorydb", CostExplorer, 2, 0, 0},
		{"ce-redshift.json", "ce-redshift", CostExplorer, 2, 0, 0},
		{"ce-ec2.json", "ce-ec2", CostExplorer, 4, 3, 0},
		{"ce-opensearch.json", "ce-opensearch", CostExplorer, 2, 0, 0},
		{"ce-savingsplans.json", "ce-savingsplans", CostExplorer, 2, 2, 0},
		{"services.csv", "services", CSV, 9, 1, 0},
		{"history.csv", "history", CSV, 6, 3, 0},
	} {
		t.Run(c.file, func(t *testing.T) {
			in, err := readFile(t, c.file)
			if err != nil {
				t.Fatal(err)
			}
			if in.Format != c.format || in.Name != c.name || in.ToleranceBP != c.tolerance || len(in.Drafts) != c.drafts || len(in.Left) != c.left {
				t.Errorf("got %s %q tolerance %d, %d drafts, %d left", in.Format, in.Name, in.ToleranceBP, len(in.Drafts), len(in.Left))
			}
			lanes := map[cloud.Lane]int64{}
			for _, d := range in.Drafts {
				checkDraft(t, d)
				lanes[cloud.Lane{Provider: d.Provider, Account: d.Account, Region: d.Region, Service: d.Service}] += d.Quantity
				if d.Service == "rds" && d.Term == cloud.ThreeYears && d.Payment == cloud.NoUpfront {
					t.Errorf("%v: RDS sells no three-year no-upfront", d.At)
				}
			}
			// RDS's default quota is 40 reservations per account and region.
			for lane, n := range lanes {
				if n > 35 && lane.Service != "savingsplans" {
					t.Errorf("%v: %d instances, want at most 35", lane, n)
				}
			}
		})
	}
}

func TestBadFiles(t *testing.T) {
	want := map[string]string{
		"binary.csv":                   "bad/binary.csv:2: holds a NUL byte: this is not a text file",
		"ce-fraction.json":             "bad/ce-fraction.json:63: Recommendations[0].RecommendationDetails[1].RecommendedNumberOfInstancesToPurchase: 1.5 is not a whole number of at least 1",
		"ce-no-account.json":           "bad/ce-no-account.json:47: Recommendations[0].RecommendationDetails[1].AccountId: is missing",
		"ce-coverage.json":             "bad/ce-coverage.json:1: is a rightsizing recommendation: recommendations of reservations and of Savings Plans are read",
		"ce-truncated.json":            "bad/ce-truncated.json:54: ends in the middle of the JSON: the file is cut off",
		"csv-ec2-no-platform.csv":      "bad/csv-ec2-no-platform.csv:1: platform: has no column, and ec2 on line 3 needs it: add one to the header",
		"csv-later-service.csv":        `bad/csv-later-service.csv:3: service: "Amazon DynamoDB" is a service that cannot be bought yet: use rds, elasticache, memorydb, redshift, ec2, ec2-zonal, opensearch, redshift-serverless or savingsplans`,
		"csv-no-engine.csv":            "bad/csv-no-engine.csv:1: engine: has no column, and rds on line 2 needs it: add one to the header",
		"csv-only-header.csv":          "bad/csv-only-header.csv:1: is a header without any row below it",
		"csv-spreadsheet-account.csv":  "bad/csv-spreadsheet-account.csv:2: account: 1.11122E+11 is a number that a spreadsheet has shortened: write the 12 digits of the AWS account id as text",
		"csv-two-currencies.csv":       "bad/csv-two-currencies.csv:3: is in EUR, but line 2 is in USD: one file has one currency",
		"empty.yaml":                   "bad/empty.yaml: is empty",
		"latin-1.csv":                  "bad/latin-1.csv:2: is not valid UTF-8: save the file as UTF-8",
		"plan-account-zeros-lost.yaml": "bad/plan-account-zeros-lost.yaml:3: account: 12345678901 has 11 digits and an AWS account id has 12: if zeros in front were lost, write them, in quotes",
		"plan-aliases.yaml":            "bad/plan-aliases.yaml:3: uses the anchor &a: a plan file has none",
		"plan-duplicate.yaml":          "bad/plan-duplicate.yaml:12: is the same purchase as line 3: make it one line with the quantity of both, or remove one",
		"plan-fraction.yaml":           "bad/plan-fraction.yaml:12: quantity: 2.5 is not a whole number of at least 1",
		"plan-other-service.yaml":      "bad/plan-other-service.yaml:8: multi_az: is not a key of a line of service redshift: its own keys are node_type, offering_type",
		"plan-tab.yaml":                "bad/plan-tab.yaml:3: is indented with a tab: YAML allows spaces alone",
		"plan-unknown-key.yaml":        "bad/plan-unknown-key.yaml:4: regoin: is not a key of a line: did you mean region?",
		"utf-16.csv":                   "bad/utf-16.csv: is UTF-16 text: save it as UTF-8",
	}
	entries, err := os.ReadDir(filepath.Join(testdata, "bad"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		if _, err := readFile(t, "bad/"+e.Name()); err != nil {
			got[e.Name()] = err.Error()
		} else {
			got[e.Name()] = "accepted"
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestFormatByContent(t *testing.T) {
	plan, _ := os.ReadFile(filepath.Join(testdata, "plan-rds.yaml"))
	advice, _ := os.ReadFile(filepath.Join(testdata, "ce-rds.json"))
	history, _ := os.ReadFile(filepath.Join(testdata, "history.csv"))
	jsonPlan := `{"version": 1, "lines": [{"account": "111122223333", "region": "us-east-1", "service": "rds", "engine": "mysql",
		"class": "db.r6g.large", "multi_az": false, "term": "1y", "payment": "no-upfront", "quantity": 1}]}`
	for _, c := range []struct {
		file, text string
		want       Format
	}{
		{"-", string(plan), PlanFile},
		{"x.csv", string(plan), PlanFile},
		{"x", "\ufeff---\n" + string(plan), PlanFile},
		{"x.json", jsonPlan, PlanFile},
		{"x.yaml", string(advice), CostExplorer},
		{"-", "\n\n" + string(advice), CostExplorer},
		{"x.txt", string(history), CSV},
		{"x.yaml", "\ufeff" + string(history), CSV},
	} {
		if in := accepted(t, c.file, c.text); in.Format != c.want {
			t.Errorf("%s %.20q: format %s, want %s", c.file, c.text, in.Format, c.want)
		}
	}
}

const noFormat = ": is none of the formats that are read: a plan file (YAML with version and lines), " +
	"the JSON of aws ce get-reservation-purchase-recommendation or get-savings-plans-purchase-recommendation, the JSON of recommendations of Azure or of Google's Recommender, or CSV with a header line"

func TestGarbage(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"empty", "f", "", "f: is empty"},
		{"blank", "f", " \r\n\t\n", "f: is empty"},
		{"only a mark", "f", "\ufeff", "f: is empty"},
		{"comments", "f.yaml", "# a\n# b\n", "f.yaml: holds no plan: it has comments alone"},
		{"words", "f.txt", "hello world\n", "f.txt" + noFormat},
		{"too large", "f", strings.Repeat("a: b\n", 2<<20), "f: is larger than 8 MiB, the most that is read"},
		{"endless line", "f", strings.Repeat("a", MaxSize), "f" + noFormat},
		{"endless quote", "f.csv", "account,region\n\"" + strings.Repeat("a", MaxSize-100), "f.csv:2: has a quote that is not closed, or text after a closing quote"},
		{"large plan", "f.yaml", "version: 1\n" + strings.Repeat("#\n", 1<<20), "f.yaml: is larger than 1 MiB, the most that a plan file may have"},
		{"deep JSON", "f.json", strings.Repeat("[", 1<<20), "f.json:1: is nested more than 50 deep"},
		{"deep objects", "f.json", strings.Repeat(`{"a":`, 1<<20), "f.json:1: is nested more than 50 deep"},
		{"deep YAML", "f.yaml", strings.Repeat("- ", 1<<19), "f.yaml: is nested too deeply"},
		{"many values", "f.json", "[" + strings.Repeat("1,", 1<<20) + "1]", "f.json:1: holds more than 250,000 values, the most that are read"},
		{"many columns", "f.csv", "account,region" + strings.Repeat(",", 1<<20) + "\n1,2\n", "f.csv:1: has 1,048,578 columns; at most 200 are read"},
		{"many rows", "f", "account,region,status\n" + strings.Repeat("1,2,done\n", 100_001), "f:100002: is row 100,001; one file holds at most 100,000"},
		{"JSON list", "f", "[1, 2]", "f:1: is JSON, but neither a plan (version and lines) nor what aws ce get-reservation-purchase-recommendation prints (Recommendations), nor get-savings-plans-purchase-recommendation (SavingsPlansPurchaseRecommendation)"},
		{"JSON and more", "f", "{\"Recommendations\": []}\n{}", "f:2: stands after the end of the JSON: a file holds one answer"},
		{"JSON syntax", "f", "{\n\"Recommendations\": [}\n", "f:2: is not valid JSON"},
		{"JSON comma", "f", "{\n\"Recommendations\": [],\n}\n", "f:3: is not valid JSON"},
		{"JSON twice", "f", "{\"Recommendations\": [],\n\"Recommendations\": []}", "f:2: Recommendations: stands here a second time"},
		{"NUL", "f", "version: 1\nname: \x00", "f:2: holds a NUL byte: this is not a text file"},
		{"not UTF-8", "f", "version: 1\nname: \xff", "f:2: is not valid UTF-8: save the file as UTF-8"},
		{"delimiter", "f", "sep=x\naccountxregion\n", "f:1: names a delimiter that is not a comma, semicolon, tab or bar"},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, c.file, c.text, c.want) })
	}
}

func TestReadFailure(t *testing.T) {
	broken := errors.New("disk on fire")
	_, err := Read("f", io.MultiReader(strings.NewReader("version: 1\n"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || err.Error() != "f: disk on fire" {
		t.Errorf("error %v, want the cause with the file's name", err)
	}
}
