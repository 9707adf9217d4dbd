package recommend

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// detail is a good detail on the lines 3 to 6 of advice, with replacements in
// its text.
func detail(replace ...string) string {
	text := `{"AccountId": "111122223333",
 "InstanceDetails": {"RDSInstanceDetails": {"InstanceType": "db.r6g.large", "Region": "us-east-1", "DatabaseEngine": "MySQL",
  "DatabaseEdition": "", "DeploymentOption": "Single-AZ", "LicenseModel": "No license required"}},
 "RecommendedNumberOfInstancesToPurchase": "3", "CurrencyCode": "USD", "EstimatedMonthlySavingsAmount": "12.3456789012345678901234567890"}`
	return strings.NewReplacer(replace...).Replace(text)
}

// adviceOf is an answer with one recommendation.
func adviceOf(details ...string) string {
	return `{"Recommendations": [{"TermInYears": "ONE_YEAR", "PaymentOption": "PARTIAL_UPFRONT", "LookbackPeriodInDays": "SIXTY_DAYS", "AccountScope": "PAYER",
"RecommendationDetails": [
` + strings.Join(details, ",\n") + "]}]}"
}

func TestCostExplorerFirstDetail(t *testing.T) {
	in, err := readFile(t, "ce-rds.json")
	if err != nil {
		t.Fatal(err)
	}
	want := Draft{
		At:       Position{"ce-rds.json", 13, "Recommendations[0].RecommendationDetails[0]"},
		Provider: "aws", Service: "rds", Account: "111122223333", Region: "us-east-1",
		Attributes: cloud.Attributes{"engine": "postgresql", "class": "db.r6g.large", "multi_az": "false"},
		Term:       cloud.OneYear, Payment: cloud.NoUpfront, Quantity: 3, Currency: "USD",
		Note:  "Cost Explorer, 30 days of usage; expected savings USD 142.90 a month",
		Claim: Claim{Source: "Cost Explorer", Window: 30, Savings: money.MustParse("142.8975", "USD"), Of: 3},
	}
	if diff := cmp.Diff(want, in.Drafts[0]); diff != "" {
		t.Errorf("draft (-want +got):\n%s", diff)
	}
}

func TestCostExplorerValues(t *testing.T) {
	silent := Claim{Source: "Cost Explorer", Window: 60} // about savings
	for _, c := range []struct {
		name    string
		replace []string
		want    func(*Draft)
	}{
		{"plain", nil, func(*Draft) {}},
		{"whole with decimals", []string{`"3"`, `"3.0"`}, func(*Draft) {}},
		{"number for text", []string{`"3"`, `3`}, func(*Draft) {}},
		{"members of all services", []string{`{"RDSInstanceDetails"`, `{"EC2InstanceDetails": null, "RDSInstanceDetails"`}, func(*Draft) {}},
		{"later members", []string{`{"AccountId"`, `{"Novelty": {"a": [1, {"b": null}]}, "AccountId"`}, func(*Draft) {}},
		{"region by name", []string{"us-east-1", "EU (Ireland)"}, func(d *Draft) { d.Region = "eu-west-1" }},
		{"region by new name", []string{"us-east-1", "South America (São Paulo)"}, func(d *Draft) { d.Region = "sa-east-1" }},
		{"two zones", []string{"Single-AZ", "Multi-AZ"}, func(d *Draft) { d.Attributes["multi_az"] = "true" }},
		{"aurora", []string{"MySQL", "Aurora PostgreSQL"}, func(d *Draft) { d.Attributes["engine"] = "aurora-postgresql" }},
		{"oracle", []string{"MySQL", "Oracle", `"DatabaseEdition": ""`, `"DatabaseEdition": "Standard Two"`, "No license required", "License included"},
			func(d *Draft) { d.Attributes["engine"] = "oracle-se2(li)" }},
		{"oracle byol", []string{"MySQL", "Oracle", `"DatabaseEdition": ""`, `"DatabaseEdition": "Enterprise"`, "No license required", "Bring your own license"},
			func(d *Draft) { d.Attributes["engine"] = "oracle-ee(byol)" }},
		{"sql server", []string{"MySQL", "SQL Server", `"DatabaseEdition": ""`, `"DatabaseEdition": "Web"`, "No license required", "License included"},
			func(d *Draft) { d.Attributes["engine"] = "sqlserver-web(li)" }},
		{"no currency", []string{`"CurrencyCode": "USD", `, ""}, func(d *Draft) {
			d.Currency, d.Note, d.Claim = "", "Cost Explorer, 60 days of usage, the whole organization", silent
		}},
		{"odd savings", []string{"12.3456789012345678901234567890", "NaN"}, func(d *Draft) { d.Note, d.Claim = "Cost Explorer, 60 days of usage, the whole organization", silent }},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := accepted(t, "ce.json", adviceOf(detail(c.replace...)))
			want := Draft{
				At:       Position{"ce.json", 3, "Recommendations[0].RecommendationDetails[0]"},
				Provider: "aws", Service: "rds", Account: "111122223333", Region: "us-east-1",
				Attributes: cloud.Attributes{"engine": "mysql", "class": "db.r6g.large", "multi_az": "false"},
				Term:       cloud.OneYear, Payment: cloud.PartialUpfront, Quantity: 3, Currency: "USD",
				Note:  "Cost Explorer, 60 days of usage, the whole organization; expected savings USD 12.35 a month",
				Claim: Claim{Source: "Cost Explorer", Window: 60, Savings: money.MustParse("12.345678", "USD"), Of: 3},
			}
			c.want(&want)
			if diff := cmp.Diff(Input{Format: CostExplorer, Name: "ce", Drafts: []Draft{want}}, in); diff != "" {
				t.Errorf("input (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCostExplorerLeaves(t *testing.T) {
	for _, c := range []struct{ name, text, what, why string }{
		{"other service", adviceOf(strings.Replace(detail(), "RDSInstanceDetails", "DocDBInstanceDetails", 1)), "DocDB reservation", "DocDB reservations cannot be bought yet"},
		{"later service", adviceOf(strings.Replace(detail(), "RDSInstanceDetails", "NeptuneInstanceDetails", 1)), "Neptune reservation", "Neptune reservations cannot be bought yet"},
		{"nameless service", adviceOf(strings.Replace(detail(), "RDSInstanceDetails", "", 1)), " reservation", " reservations cannot be bought yet"},
		{"no instances", adviceOf(`{"ReservedCapacityDetails": {"DynamoDBCapacityDetails": {}}}`), "reserved capacity", "commitments of this service cannot be bought yet"},
		{"custom", adviceOf(detail(`"LicenseModel"`, `"DeploymentModel": "Custom", "LicenseModel"`)), "RDS Custom reservation", "RDS Custom cannot be bought yet"},
		{"none", adviceOf(detail(`"3"`, `"0.0"`)), "class=db.r6g.large engine=mysql multi_az=false", "AWS recommends to buy none"},
		{"engine", adviceOf(detail("MySQL", "Db2")), "RDS reservation", `its DatabaseEngine "Db2, No license required" is not known`},
		{"license not said", adviceOf(detail("MySQL", "Oracle", `"DatabaseEdition": ""`, `"DatabaseEdition": "Standard Two"`, "No license required", "")), "RDS reservation", `its DatabaseEngine "Oracle, Standard Two" is not known`},
		{"deployment", adviceOf(detail("Single-AZ", "Multi-AZ (readable standbys)")), "RDS reservation", `its DeploymentOption "Multi-AZ (readable standbys)" is not known`},
		{"old payment", strings.Replace(adviceOf(detail()), "PARTIAL_UPFRONT", "HEAVY_UTILIZATION", 1), "recommendation", "the payment option HEAVY_UTILIZATION is no longer sold"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := accepted(t, "ce.json", c.text)
			want := []Left{{Position{"ce.json", 3, "Recommendations[0].RecommendationDetails[0]"}, c.what, c.why}}
			if diff := cmp.Diff(want, in.Left); diff != "" || len(in.Drafts) != 0 {
				t.Errorf("%d drafts, left (-want +got):\n%s", len(in.Drafts), diff)
			}
		})
	}
}

func TestCostExplorerNothing(t *testing.T) {
	for _, text := range []string{`{"Recommendations": []}`, adviceOf(), `{"Recommendations": [{}], "Metadata": 3}`} {
		if in := accepted(t, "ce.json", text); len(in.Drafts)+len(in.Left) != 0 {
			t.Errorf("%s: %+v", text, in)
		}
	}
	in := accepted(t, "ce.json", `{"Recommendations": [], "NextPageToken": "abc"}`)
	if want := []Left{{Position{"ce.json", 1, "NextPageToken"}, "further pages", "the answer was saved without them"}}; cmp.Diff(want, in.Left) != "" {
		t.Errorf("left %+v", in.Left)
	}
}

func TestCostExplorerRefuses(t *testing.T) {
	const at = "Recommendations[0].RecommendationDetails[0]"
	for _, c := range []struct{ name, text, want string }{
		{"list", `{"Recommendations": {}}`, "ce.json:1: Recommendations: must be a list, not an object"},
		{"term", strings.Replace(adviceOf(detail()), "ONE_YEAR", "1", 1), `ce.json:1: Recommendations[0].TermInYears: 1 is not ONE_YEAR or THREE_YEARS`},
		{"no term", strings.Replace(adviceOf(detail()), "TermInYears", "Term", 1), "ce.json:1: Recommendations[0].TermInYears: is missing"},
		{"payment", strings.Replace(adviceOf(detail()), "PARTIAL_UPFRONT", "LATER", 1), `ce.json:1: Recommendations[0].PaymentOption: "LATER" is not NO_UPFRONT, PARTIAL_UPFRONT or ALL_UPFRONT`},
		{"details", `{"Recommendations": [{"RecommendationDetails": "x"}]}`, "ce.json:1: Recommendations[0].RecommendationDetails: must be a list, not text"},
		{"detail", adviceOf("null"), "ce.json:3: " + at + ": must be an object, not null"},
		{"no instance", adviceOf("{}"), "ce.json:3: " + at + ".InstanceDetails: is missing"},
		{"empty instance", adviceOf(`{"InstanceDetails": {}}`), "ce.json:3: " + at + ".InstanceDetails.RDSInstanceDetails: is missing"},
		{"null instance", adviceOf(`{"InstanceDetails": {"EC2InstanceDetails": null}}`), "ce.json:3: " + at + ".InstanceDetails.RDSInstanceDetails: is missing"},
		{"text for instance", adviceOf(`{"InstanceDetails": {"EC2InstanceDetails": "x"}}`), "ce.json:3: " + at + ".InstanceDetails.EC2InstanceDetails: must be an object, not text"},
		{"account", adviceOf(detail("111122223333", "1111")), "ce.json:3: " + at + ".AccountId: 1111 has 4 digits and an AWS account id has 12: if zeros in front were lost, write them, in quotes"},
		{"account object", adviceOf(detail(`"111122223333"`, "{}")), "ce.json:3: " + at + ".AccountId: must be text, not an object"},
		{"region", adviceOf(detail("us-east-1", "Atlantis")), "ce.json:4: " + at + `.InstanceDetails.RDSInstanceDetails.Region: "Atlantis" is neither a region code such as eu-west-1 nor a known name of a region`},
		{"class", adviceOf(detail("db.r6g.large", "r6g")), "ce.json:4: " + at + `.InstanceDetails.RDSInstanceDetails.InstanceType: "r6g" does not look like db.r6g.large`},
		{"count", adviceOf(detail(`"3"`, `"-3"`)), "ce.json:6: " + at + ".RecommendedNumberOfInstancesToPurchase: -3 is not a whole number of at least 1"},
		{"huge count", adviceOf(detail(`"3"`, `"3000000"`)), "ce.json:6: " + at + ".RecommendedNumberOfInstancesToPurchase: 3000000 is more than 10,000, the most that one line may buy"},
		{"currency", adviceOf(detail("USD", "dollar")), "ce.json:6: " + at + `.CurrencyCode: "dollar" is not a currency code of three capitals such as USD`},
		{"twice", adviceOf(detail(), detail()), "ce.json:7: Recommendations[0].RecommendationDetails[1]: is the same purchase as line 3 (" + at + "): make it one line with the quantity of both, or remove one"},
		{"two currencies", adviceOf(detail(), detail("USD", "EUR", "us-east-1", "us-west-2")), "ce.json:7: Recommendations[0].RecommendationDetails[1]: is in EUR, but line 3 (" + at + ") is in USD: one file has one currency"},
		{"offerings", `{"ReservedDBInstancesOfferings": []}`, "ce.json:1: is a list of offerings: recommendations of reservations and of Savings Plans are read"},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, "ce.json", c.text, c.want) })
	}
}

// TestCostExplorerCutAnywhere cuts the example at every 100th byte: no part of
// it may pass for the whole.
func TestCostExplorerCutAnywhere(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testdata, "ce-rds.json"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimSpace(string(b))
	for n := 1; n < len(text); n += 100 {
		if in, err := Read("ce.json", strings.NewReader(text[:n])); err == nil {
			t.Errorf("cut at %d: accepted with %d drafts", n, len(in.Drafts))
		}
	}
}

func TestEveryRegionNameIsRead(t *testing.T) {
	for code, name := range regionNames {
		for _, spelling := range []string{string(code), name, strings.Replace(name, "Europe (", "EU (", 1), strings.ToUpper(string(code)), fmt.Sprintf(" %s ", name)} {
			if got, err := looseRegion(strings.TrimSpace(spelling)); err != nil || got != code {
				t.Errorf("%q: got %q, %v, want %s", spelling, got, err, code)
			}
		}
	}
}
