package recommend

import (
	"strings"
	"testing"
)

// advicePlans is an answer with one detail; changes replace text.
func advicePlans(changes ...string) string {
	return strings.NewReplacer(changes...).Replace(`{"SavingsPlansPurchaseRecommendation": {"SavingsPlansType": "COMPUTE_SP", "TermInYears": "THREE_YEARS",
"PaymentOption": "PARTIAL_UPFRONT", "SavingsPlansPurchaseRecommendationDetails": [
{"AccountId": "111122223333", "CurrencyCode": "USD", "HourlyCommitmentToPurchase": "1.234"}]}}`)
}

func TestPlanAdvice(t *testing.T) {
	for name, c := range map[string]struct{ text, want, left string }{
		"partial": {advicePlans(), "1.2 x savingsplans plan_type=Compute, 3y partial-upfront, 111122223333 global; Cost Explorer; 1.234 per hour advised, rounded down to 1.2", ""},
		"all":     {advicePlans("PARTIAL", "ALL"), "1.234 x savingsplans plan_type=Compute, 3y all-upfront, 111122223333 global; Cost Explorer", ""},
		"too little": {advicePlans("1.234", "0.04"), "",
			"plan_type=Compute: AWS recommends to commit to 0.04 per hour, less than can be bought"},
		"other type":  {advicePlans("COMPUTE_SP", "QUANTUM_SP"), "", `Savings Plan: the type "QUANTUM_SP" is not known`},
		"no details":  {advicePlans("Details\": [", "Others\": ["), "", ""},
		"further":     {advicePlans("}]}}", "}]}, \"NextPageToken\": \"x\"}"), "1.2", "further pages: the answer was saved without them"},
		"utilization": {advicePlans("PARTIAL_UPFRONT", "HEAVY_UTILIZATION"), "", "Savings Plan: the payment option HEAVY_UTILIZATION is no longer sold"},
	} {
		in := accepted(t, "f.json", c.text)
		var drafts, left string
		for _, d := range in.Drafts {
			checkDraft(t, d)
			drafts += inWords(d)
		}
		for _, l := range in.Left {
			left += l.What + ": " + l.Why
		}
		if !strings.HasPrefix(drafts, c.want) || (c.want == "") != (drafts == "") || left != c.left {
			t.Errorf("%s: %q, left %q", name, drafts, left)
		}
	}
	const at = "f.json:3: SavingsPlansPurchaseRecommendation.SavingsPlansPurchaseRecommendationDetails[0]."
	for name, c := range map[string]struct{ text, want string }{
		"no amount":  {advicePlans(`, "HourlyCommitmentToPurchase": "1.234"`, ""), at + "HourlyCommitmentToPurchase: is missing"},
		"no number":  {advicePlans("1.234", "much"), at + `HourlyCommitmentToPurchase: "much" is not an amount per hour`},
		"negative":   {advicePlans("1.234", "-1.2"), at + `HourlyCommitmentToPurchase: -1.2 is not an amount per hour`},
		"too much":   {advicePlans("1.234", "1000001"), at + `HourlyCommitmentToPurchase: 1000001 is more than 1,000,000 per hour`},
		"account":    {advicePlans("111122223333", "1"), at + "AccountId: 1 has 1 digits and an AWS account id has 12: if zeros in front were lost, write them, in quotes"},
		"no family":  {advicePlans("COMPUTE_SP", "EC2_INSTANCE_SP"), at + "SavingsPlansDetails: is missing"},
		"no details": {advicePlans("[\n{", "[\n[{", "}]}}", "}]]}}"), strings.TrimSuffix(at, ".") + ": must be an object, not a list"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, "f.json", c.text, c.want) })
	}
}

func TestPlanRows(t *testing.T) {
	const head = "account,region,service,plan type,family,ec2 region,hourly commitment,count,term,payment\n"
	row := func(cells string) string { return head + "111122223333," + cells + ",1y,no-upfront\n" }
	in := accepted(t, "f.csv", row("global,Savings Plans,EC2_INSTANCE_SP,M7g,Europe (Ireland),0.5,"))
	checkDraft(t, in.Drafts[0])
	if got := inWords(in.Drafts[0]); got != "0.5 x savingsplans ec2_region=eu-west-1 family=m7g plan_type=EC2Instance, 1y no-upfront, 111122223333 global" {
		t.Error(got)
	}
	for name, c := range map[string]struct{ text, want string }{
		"count":      {row("global,savingsplans,Compute,,,,3"), "f.csv:2: hourly commitment: is empty"},
		"region":     {row("eu-west-1,savingsplans,Compute,,,1,"), `f.csv:2: region: "eu-west-1" is a region, and Savings Plans are sold for all regions at once: write global`},
		"fine":       {row("global,savingsplans,Compute,,,0.1234567,"), "f.csv:2: hourly commitment: 0.1234567 is not an amount per hour with at most five decimals, such as 1.50"},
		"family":     {row("global,savingsplans,Compute,m5,,1,"), "f.csv:2: family: belongs to plan_type EC2Instance only: remove it"},
		"no family":  {row("global,savingsplans,EC2Instance,,eu-west-1,1,"), "f.csv:2: plan type: is EC2Instance, which needs family: write for example family: m7g"},
		"rds by sum": {strings.Replace(head, "plan type,family", "engine,class", 1) + "111122223333,us-east-1,rds,mysql,db.r6g.large,,1.5,,1y,no-upfront\n", "f.csv:1: multi az: has no column, and rds on line 2 needs it: add one to the header"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, "f.csv", c.text, c.want) })
	}
}
