package recommend

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAzureAdvice reads an answer of each API that recommends.
func TestAzureAdvice(t *testing.T) {
	for _, c := range []struct {
		file         string
		drafts, left []string
	}{
		{"azure-reservations.json", []string{
			"2 x vm flexible=true scope=shared sku=Standard_D2s_v5, 1y monthly, 40000000-0000-4000-8000-000000000001 westeurope; " +
				"Azure reservation recommendations, 7 days of usage; expected savings 2.50 in the currency of the bill; counted over the sizes of Dsv5 Series",
			"3 x vm flexible=true scope=shared sku=Standard_E4s_v5, 3y monthly, 40000000-0000-4000-8000-000000000001 westeurope; " +
				"Azure reservation recommendations, 30 days of usage; expected savings USD 2.00; counted over the sizes of Esv5 Series",
		}, []string{
			"reservation recommendation: its scope is Single, and Shared is wanted",
			"reservation recommendation: its scope is Single, and Shared is wanted",
			"reservation recommendation: Azure recommends to buy none",
		}},
		{"azure-savings-plans.json", []string{
			"1.23456 x savings-plan scope=shared sku=Compute_Savings_Plan, 3y all-upfront, 40000000-0000-4000-8000-000000000001 global; " +
				"Azure savings plan recommendations, 7 days of usage; expected savings USD 3.00 in 168 hours; 1.2345678 per hour advised, rounded down to 1.23456",
		}, []string{
			"savings plan recommendation: its term is 1y, and 3y is wanted",
		}},
		{"azure-advisor.json", []string{
			"2 x vm flexible=true scope=/subscriptions/40000000-0000-4000-8000-000000000001 sku=Standard_D4s_v5, 1y monthly, 40000000-0000-4000-8000-000000000001 westeurope; " +
				"Azure Advisor, 30 days of usage; expected savings USD 605.50 a year",
		}, []string{
			"Advisor recommendation: Advisor does not say how much to commit to: save what benefitRecommendations of Microsoft.CostManagement answers",
			"Advisor recommendation: it is not to buy a reservation",
			`Advisor recommendation: it is of the category "Security", not Cost`,
		}},
	} {
		t.Run(c.file, func(t *testing.T) {
			in, err := readFile(t, c.file)
			if err != nil {
				t.Fatal(err)
			}
			var drafts, left []string
			for _, d := range in.Drafts {
				checkDraft(t, d)
				drafts = append(drafts, inWords(d))
			}
			for _, l := range in.Left {
				left = append(left, l.What+": "+l.Why)
			}
			if diff := cmp.Diff(c.drafts, drafts); diff != "" || in.Format != AzureAdvice {
				t.Errorf("%s, drafts (-want +got):\n%s", in.Format, diff)
			}
			if diff := cmp.Diff(c.left, left); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
}

const (
	adviceSub  = "40000000-0000-4000-8000-000000000001"
	otherAzure = "40000000-0000-4000-8000-000000000002"
)

// legacyAdvice, planAdvice and advisorItem are entries that become a draft, with
// replacements in their text.
func legacyAdvice(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(`{"kind": "legacy", "type": "Microsoft.Consumption/reservationRecommendations", "sku": "Standard_D2s_v5", "location": "westeurope",
 "id": "/subscriptions/` + adviceSub + `/providers/Microsoft.Consumption/reservationRecommendations/r1",
 "properties": {"scope": "Shared", "term": "P1Y", "resourceType": "VirtualMachines", "recommendedQuantity": 2, "netSavings": 2.5, "instanceFlexibilityGroup": "Dsv5 Series"}}`)
}

func planAdvice(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(`{"kind": "SavingsPlan", "type": "Microsoft.CostManagement/benefitRecommendations",
 "id": "/subscriptions/` + adviceSub + `/providers/Microsoft.CostManagement/benefitRecommendations/b1",
 "properties": {"scope": "Shared", "term": "P1Y", "armSkuName": "Compute_Savings_Plan", "commitmentGranularity": "Hourly", "currencyCode": "USD",
  "recommendationDetails": {"commitmentAmount": 1.25}}}`)
}

func advisorItem(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(`{"type": "Microsoft.Advisor/recommendations", "id": "/subscriptions/` + adviceSub + `/providers/Microsoft.Advisor/recommendations/a1",
 "category": "Cost", "extendedProperties": {"reservedResourceType": "virtualmachines", "displaySKU": "Standard_D4s_v5", "displayQty": "2", "region": "westeurope",
 "term": "P3Y", "scope": "Shared"}}`)
}

// besideMonthly is a list with what a person has to say beside it.
func besideMonthly(entries ...string) string {
	return `{"payment": "monthly", "flexible": true, "value": [` + strings.Join(entries, ",\n") + `]}`
}

func TestAzureAdviceAccepts(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", `{"value": []}`, ""},
		{"the last page", `{"value": [], "nextLink": ""}`, ""},
		{"the subscription of the id", besideMonthly(legacyAdvice()), adviceSub},
		{"its own in capitals", besideMonthly(legacyAdvice(`"scope": "Shared"`, `"scope": "Single", "subscriptionId": "`+strings.ToUpper(otherAzure)+`"`)), otherAzure},
		{"a region in words", besideMonthly(legacyAdvice("westeurope", "West Europe")), "westeurope"},
		{"whole with decimals", besideMonthly(legacyAdvice(`"recommendedQuantity": 2`, `"recommendedQuantity": 2.0`)), "2 x vm"},
		{"another type", besideMonthly(legacyAdvice("VirtualMachines", "SqlDataWarehouse", "Standard_D2s_v5", "SQLDW_cDWU_100")), "2 x synapse"},
		{"what a person says first", strings.Replace(besideMonthly(legacyAdvice()), "true", "false", 1), "flexible=false"},
		{"a plan", besideMonthly(planAdvice()), "1.25 x savings-plan"},
		{"a plan of a group", besideMonthly(planAdvice(`"Shared"`, `"Single", "resourceGroup": "My-RG"`)), "scope=/subscriptions/" + adviceSub + "/resourcegroups/my-rg"},
		{"a plan of a group by id", besideMonthly(planAdvice(`"Shared"`, `"Single", "resourceGroup": "/subscriptions/x/resourceGroups/My-RG"`)), "/resourcegroups/my-rg"},
		{"of az advisor", besideMonthly(advisorItem()), "2 x vm"},
		{"all in one", besideMonthly(legacyAdvice(), planAdvice(), advisorItem()), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := accepted(t, "f.json", c.text)
			var words []string
			for _, d := range in.Drafts {
				words = append(words, inWords(d))
			}
			if all := strings.Join(words, "\n"); !strings.Contains(all, c.want) || len(in.Left) > 0 || c.name == "all in one" && len(words) != 3 {
				t.Errorf("%s, left %+v, want %s", all, in.Left, c.want)
			}
		})
	}
}

// TestAzureAdviceLeaves: what an entry does not say is not guessed.
func TestAzureAdviceLeaves(t *testing.T) {
	for _, c := range []struct{ name, text, why string }{
		{"payment", `[` + legacyAdvice() + `]`, `it does not say how it is paid: write "payment": "monthly" or "all-upfront" beside "value"`},
		{"payment of a plan", `{"value": [` + planAdvice() + `]}`, `it does not say how it is paid: write "payment": "monthly" or "all-upfront" beside "value"`},
		{"subscription", besideMonthly(legacyAdvice("/subscriptions/"+adviceSub, "/billingAccounts/1")), `it does not say which subscription pays: write "subscription": "GUID" beside "value"`},
		{"single scope", besideMonthly(legacyAdvice("/subscriptions/"+adviceSub, "", "Shared", "Single")), "it is for a single subscription and does not say which"},
		{"no subscription", besideMonthly(legacyAdvice(`"scope"`, `"subscriptionId": "x", "scope"`)), `its subscription "x" is not the id of one`},
		{"flexibility", `{"payment": "monthly", "value": [` + legacyAdvice("Dsv5 Series", "NA") + `]}`, `it does not say whether it covers other sizes: write "flexible": true or false beside "value"`},
		{"resource", besideMonthly(legacyAdvice(`"resourceType": "VirtualMachines", `, "")), `it does not say of which type of resource it is: write "resource_type": "VirtualMachines" or another beside "value"`},
		{"another resource", besideMonthly(legacyAdvice("VirtualMachines", "PostgreSQL")), "reservations of PostgreSQL cannot be bought yet"},
		{"term", besideMonthly(legacyAdvice("P1Y", "P5Y")), `its term "P5Y" is not P1Y or P3Y`},
		{"no term", besideMonthly(legacyAdvice(`"term": "P1Y", `, "")), "it does not say its term"},
		{"scope", besideMonthly(legacyAdvice("Shared", "ManagementGroup")), `its scope "ManagementGroup" is not Shared or Single`},
		{"no scope", besideMonthly(legacyAdvice(`"scope": "Shared", `, "")), "it does not say to what it applies"},
		{"no SKU", besideMonthly(legacyAdvice(`"sku": "Standard_D2s_v5", `, "")), `its SKU "" does not look like Standard_D2s_v5`},
		{"no region", besideMonthly(legacyAdvice(`"westeurope"`, "null")), `its region "" is not the name of a region such as westeurope`},
		{"none", besideMonthly(legacyAdvice(`"recommendedQuantity": 2`, `"recommendedQuantity": 0.0`)), "Azure recommends to buy none"},
		{"a part", besideMonthly(legacyAdvice(`"recommendedQuantity": 2`, `"recommendedQuantity": 2.5`)), "its quantity 2.5 is not a whole number of at least 1"},
		{"too many", besideMonthly(legacyAdvice(`"recommendedQuantity": 2`, `"recommendedQuantity": 20000`)), "its quantity 20000 is more than 10,000, the most that one line may buy"},
		{"kind", besideMonthly(legacyAdvice("legacy", "futuristic")), `its kind "futuristic" is not legacy or modern`},
		{"no plan", besideMonthly(planAdvice("SavingsPlan", "IncludedQuantity")), `it is of the kind "IncludedQuantity", not SavingsPlan`},
		{"daily", besideMonthly(planAdvice("Hourly", "Daily")), "its commitment is not by the hour"},
		{"no currency", besideMonthly(planAdvice(`"currencyCode": "USD",`, "")), "it does not say the currency of its commitment"},
		{"no commitment", besideMonthly(planAdvice(`"commitmentAmount": 1.25`, "")), "it does not say how much to commit to"},
		{"a small commitment", besideMonthly(planAdvice("1.25", "0.0009")), "Azure recommends to commit to 0.0009 per hour, less than can be bought"},
		{"an odd commitment", besideMonthly(planAdvice("1.25", "1.25e-3")), "its commitment 1.25e-3 is not an amount per hour"},
		{"another plan", besideMonthly(planAdvice("Compute_Savings_Plan", "Database_Savings_Plan")), `its SKU "Database_Savings_Plan" is not known for savings-plan: use one of Compute_Savings_Plan`},
		{"an odd group", besideMonthly(planAdvice(`"Shared"`, `"Single", "resourceGroup": "a b"`)), `its resource group "a b" is not the name of one`},
		{"two SKUs", besideMonthly(advisorItem(`"term"`, `"vmSize": "Standard_D2s_v5", "term"`)), `it names two different values for its SKU, "Standard_D4s_v5" and "Standard_D2s_v5"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := accepted(t, "f.json", c.text)
			if len(in.Drafts) != 0 || len(in.Left) != 1 || in.Left[0].Why != c.why || in.Left[0].At.Line != 1 {
				t.Errorf("%d drafts, left %+v, want %s", len(in.Drafts), in.Left, c.why)
			}
		})
	}
}

// TestAzureAlternatives: of entries for the same usage that differ none is chosen.
func TestAzureAlternatives(t *testing.T) {
	single := func(sub, term string) string {
		return legacyAdvice(`"scope": "Shared"`, `"scope": "Single", "subscriptionId": "`+sub+`"`, "P1Y", term)
	}
	group := planAdvice(`"Shared"`, `"Single", "resourceGroup": "a"`)
	for _, c := range []struct {
		name, beside string
		entries      []string
		drafts       int
	}{
		{"two terms", "", []string{legacyAdvice(), legacyAdvice("P1Y", "P3Y")}, 0},
		{"one of two terms", `"term": "3y"`, []string{legacyAdvice(), legacyAdvice("P1Y", "P3Y")}, 1},
		{"the same twice", "", []string{legacyAdvice(), legacyAdvice()}, 1},
		{"two quantities", "", []string{legacyAdvice(), legacyAdvice(`"recommendedQuantity": 2`, `"recommendedQuantity": 3`)}, 0},
		{"other capitals", "", []string{legacyAdvice(), legacyAdvice("Standard_D2s_v5", "STANDARD_D2S_V5")}, 0},
		{"a subscription of all", "", []string{legacyAdvice(), single(otherAzure, "P1Y")}, 0},
		{"all", `"scope": "Shared"`, []string{legacyAdvice(), single(otherAzure, "P1Y")}, 1},
		{"a subscription", `"scope": "Single"`, []string{single(otherAzure, "P1Y"), legacyAdvice()}, 1},
		{"two terms of one", "", []string{single(otherAzure, "P1Y"), single(otherAzure, "P3Y")}, 0},
		{"two subscriptions", "", []string{single(otherAzure, "P1Y"), single(adviceSub, "P1Y")}, 2},
		{"two regions", "", []string{legacyAdvice(), legacyAdvice("westeurope", "uksouth")}, 2},
		{"two SKUs", "", []string{legacyAdvice(), legacyAdvice("Standard_D2s_v5", "Standard_D4s_v5")}, 2},
		{"a group of its subscription", "", []string{group, planAdvice(`"Shared"`, `"Single"`)}, 0},
		{"two groups", "", []string{group, planAdvice(`"Shared"`, `"Single", "resourceGroup": "ab"`)}, 2},
		{"what cannot be bought is no alternative", "", []string{legacyAdvice("P1Y", "P5Y"), legacyAdvice()}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := besideMonthly(c.entries...)
			if c.beside != "" {
				text = "{" + c.beside + "," + text[1:]
			}
			if in := accepted(t, "f.json", text); len(in.Drafts) != c.drafts || len(in.Drafts)+len(in.Left) != len(c.entries) {
				t.Errorf("%d drafts, left %+v", len(in.Drafts), in.Left)
			}
		})
	}
	in := accepted(t, "f.json", besideMonthly(legacyAdvice(), legacyAdvice("P1Y", "P3Y")))
	for i, line := range []string{"line 4 (value[1])", "line 1 (value[0])"} {
		want := "it and that on " + line + ` are for the same usage: write which "term" or "scope" is wanted beside "value", or keep one of them`
		if in.Left[i].Why != want {
			t.Errorf("left %+v, want %s", in.Left[i], want)
		}
	}
}

func TestAzureAdviceRefuses(t *testing.T) {
	const pages = "says that this file is one page of several: fetch the others, put the entries of all of them into one list, and remove "
	for _, c := range []struct{ name, text, want string }{
		{"a further page", `{"value": [], "nextLink": "https://management.azure.com/x"}`, "f.json:1: nextLink: " + pages + "nextLink"},
		{"a page before", `{"value": [], "previousLink": "https://management.azure.com/x"}`, "f.json:1: previousLink: " + pages + "previousLink"},
		{"a page within", besideMonthly(planAdvice(`"scope"`, `"allRecommendationDetails": {"nextLink": "https://x"}, "scope"`)),
			"f.json:3: value[0].properties.allRecommendationDetails.nextLink: " + pages + "nextLink"},
		{"another list", `{"value": [{"type": "Microsoft.Capacity/catalogs"}]}`, `f.json:1: value[0].type: "Microsoft.Capacity/catalogs" is not a type of recommendation that is read`},
		{"no type", `{"value": [{"id": "x"}]}`, "f.json:1: value[0].type: is missing"},
		{"no entry", `{"value": [1]}`, "f.json:1: value[0]: must be an object, not a number"},
		{"payment", `{"payment": "no-upfront", "value": []}`, "f.json:1: payment: no-upfront is not sold for vm: use all-upfront or monthly"},
		{"flexible", `{"flexible": "true", "value": []}`, "f.json:1: flexible: must be true or false, not text"},
		{"subscription", `{"subscription": "x", "value": []}`, `f.json:1: subscription: "x" is not the id of a subscription, a GUID in lower case`},
		{"term", `{"term": "P1Y", "value": []}`, `f.json:1: term: "P1Y" is not a term: use 1y or 3y`},
		{"scope", `{"scope": "shared", "value": []}`, `f.json:1: scope: "shared" is not a scope of recommendations: use Shared or Single`},
		{"resource type", `{"resource_type": "Cars", "value": []}`, `f.json:1: resource_type: "Cars" is not a type of resource whose reservations are bought, such as VirtualMachines`},
		{"a list for a word", besideMonthly(legacyAdvice(`"P1Y"`, `["P1Y"]`)), "f.json:3: value[0].properties.term: must be text, not a list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if in, err := Read("f.json", strings.NewReader(c.text)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%+v, %v, want %s", in, err, c.want)
			}
		})
	}
}

// TestAzureAmounts: amounts are decimals from the file to the draft.
func TestAzureAmounts(t *testing.T) {
	for text, want := range map[string]int64{"0.00123": 123, "1000000": 100_000_000_000, "0.07": 7000, "4.35": 435_000, "1.000009": 100_000, "0.1234599999999999999999": 12_345} {
		in := accepted(t, "f.json", besideMonthly(planAdvice("1.25", text)))
		if len(in.Drafts) != 1 || in.Drafts[0].Quantity != want || in.Drafts[0].Currency != "USD" {
			t.Errorf("%s: %s", text, fmt.Sprint(in.Drafts, in.Left))
		}
	}
}
