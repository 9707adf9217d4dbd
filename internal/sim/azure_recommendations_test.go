package sim

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azurearm "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	azure "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	azurepolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/advisor/armadvisor"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/consumption/armconsumption"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/costmanagement/armcostmanagement/v2"
)

// azureToken is a credential with one token.
type azureToken string

func (a azureToken) GetToken(context.Context, azurepolicy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "sim-" + string(a), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func azureOptions(url string) *azurearm.ClientOptions {
	return &azurearm.ClientOptions{DisableRPRegistration: true, ClientOptions: azurepolicy.ClientOptions{
		InsecureAllowCredentialWithHTTP: true,
		Cloud: azure.Configuration{Services: map[azure.ServiceName]azure.ServiceConfiguration{
			azure.ResourceManager: {Endpoint: url, Audience: "https://management.azure.com"},
		}},
	}}
}

// azureReservations asks with the official client, page by page.
func azureReservations(t *testing.T, url, scope, filter string) (all []armconsumption.ReservationRecommendationClassification, pages int, err error) {
	t.Helper()
	client, err := armconsumption.NewReservationRecommendationsClient(azureToken(azureA), azureOptions(url))
	if err != nil {
		t.Fatal(err)
	}
	opts := &armconsumption.ReservationRecommendationsClientListOptions{}
	if filter != "" {
		opts.Filter = to.Ptr(filter)
	}
	for pager := client.NewListPager(scope, opts); pager.More(); pages++ {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			return nil, pages, err
		}
		all = append(all, page.Value...)
	}
	return all, pages, nil
}

const aSubscription = "subscriptions/" + azureA

// TestAzureReservationAdvice: a subscription answers in one shape and a billing account
// in the other, each for the one subscription unless it is asked for all.
func TestAzureReservationAdvice(t *testing.T) {
	s := newSim(t, Options{Unthrottled: true, PageSize: 2})
	url := serve(t, s)
	all, pages, err := azureReservations(t, url, aSubscription, "")
	if err != nil || len(all) != 8 || pages < 4 {
		t.Fatalf("%d recommendations on %d pages, %v", len(all), pages, err)
	}
	for _, a := range all {
		r := a.(*armconsumption.LegacyReservationRecommendation)
		p, single := r.Properties.(*armconsumption.LegacySingleScopeReservationRecommendationProperties)
		if !single || *p.SubscriptionID != azureA || *p.LookBackPeriod != "Last7Days" || *p.ResourceType != "VirtualMachines" || *p.RecommendedQuantity < 1 || *p.NetSavings <= 0 ||
			s.catalog.byID[strings.Join([]string{*r.Location, *r.SKU, *p.Term, planMonthly}, "/")] == nil {
			t.Errorf("recommends %+v of %+v", p, r)
		}
	}
	again, _, err := azureReservations(t, url, aSubscription, "")
	if err != nil || len(again) != len(all) {
		t.Errorf("asked again: %d, %v", len(again), err)
	}
	all, _, err = azureReservations(t, url, aSubscription, "properties/scope eq 'Shared' and properties/resourceType eq 'SQLDatabases' AND properties/lookBackPeriod eq 'Last30Days'")
	if err != nil || len(all) != 8 {
		t.Fatalf("shared: %d, %v", len(all), err)
	}
	if p, shared := all[0].(*armconsumption.LegacyReservationRecommendation).Properties.(*armconsumption.LegacySharedScopeReservationRecommendationProperties); !shared ||
		*p.LookBackPeriod != "Last30Days" || *p.ResourceType != "SQLDatabases" {
		t.Errorf("shared: %+v", p)
	}
	account := "providers/Microsoft.Billing/billingAccounts/" + billingAccount(azureA)
	for _, scope := range []string{account, account + "/billingProfiles/x"} {
		all, _, err = azureReservations(t, url, scope, "properties/scope eq 'Shared'")
		if err != nil || len(all) != 8 {
			t.Fatalf("%s: %d, %v", scope, len(all), err)
		}
		p := all[0].(*armconsumption.ModernReservationRecommendation).Properties
		if *p.LookBackPeriod != 7 || *p.NetSavings.Currency != "USD" || *p.NetSavings.Value <= 0 || *p.SKUName == "" || *p.Location == "" || *p.Scope != "Shared" {
			t.Errorf("%s: %+v", scope, p)
		}
	}
	all, _, err = azureReservations(t, url, aSubscription+"/resourceGroups/rg", "properties/scope eq 'Shared'")
	if err != nil || len(all) == 0 || *all[0].(*armconsumption.LegacyReservationRecommendation).Properties.GetLegacyReservationRecommendationProperties().Scope != "Single" {
		t.Errorf("of a group: %d, %v", len(all), err)
	}
}

// TestAzureAdviceRefused: what is not understood is refused, and nothing is no answer.
func TestAzureAdviceRefused(t *testing.T) {
	s := newSim(t, Options{Unthrottled: true})
	url := serve(t, s)
	for name, c := range map[string]struct {
		scope, filter string
		status        int
		code          string
	}{
		"nothing":            {aSubscription, "properties/resourceType eq 'PostgreSQL'", 204, ""},
		"unknown type":       {aSubscription, "properties/resourceType eq 'Cars'", 400, "InvalidRequestContent"},
		"unknown field":      {aSubscription, "properties/sku eq 'x'", 400, "InvalidRequestContent"},
		"no filter at all":   {aSubscription, "scope=Shared", 400, "InvalidRequestContent"},
		"unknown scope":      {aSubscription, "properties/scope eq 'All'", 400, "InvalidRequestContent"},
		"unknown days":       {aSubscription, "properties/lookBackPeriod eq 'Last8Days'", 400, "InvalidRequestContent"},
		"somebody else":      {"subscriptions/" + azureB, "", 403, "AuthorizationFailed"},
		"another account":    {"providers/Microsoft.Billing/billingAccounts/" + billingAccount(azureB), "", 403, "AuthorizationFailed"},
		"no scope for these": {"providers/Microsoft.Management/managementGroups/x", "", 400, "InvalidRequestContent"},
	} {
		_, _, err := azureReservations(t, url, c.scope, c.filter)
		var api *azcore.ResponseError
		if !errors.As(err, &api) || api.StatusCode != c.status || api.ErrorCode != c.code {
			t.Errorf("%s: %v, want %d %s", name, err, c.status, c.code)
		}
	}
	if status, _, out := arm(t, url, "sim-"+azureA, "GET", "/"+aSubscription+"/providers/Microsoft.CostManagement/benefitRecommendations?api-version=2022-10-01&$orderby=x", ""); status != 400 {
		t.Errorf("ordered: %d %v", status, out)
	}
}

// TestAzureBenefitAdvice: one savings plan, to an amount that cannot be bought as it is.
func TestAzureBenefitAdvice(t *testing.T) {
	s := newSim(t, Options{Unthrottled: true})
	client, err := armcostmanagement.NewBenefitRecommendationsClient(azureToken(azureA), azureOptions(serve(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(scope string, o *armcostmanagement.BenefitRecommendationsClientListOptions) *armcostmanagement.BenefitRecommendationModel {
		t.Helper()
		page, err := client.NewListPager(scope, o).NextPage(t.Context())
		if err != nil || len(page.Value) != 1 || *page.Value[0].Kind != armcostmanagement.BenefitKindSavingsPlan {
			t.Fatalf("%+v, %v", page, err)
		}
		return page.Value[0]
	}
	p := ask(aSubscription, nil).Properties.(*armcostmanagement.SharedScopeBenefitRecommendationProperties)
	if *p.Term != "P3Y" || *p.LookBackPeriod != "Last60Days" || *p.TotalHours != 1440 || *p.CurrencyCode != "USD" || *p.ArmSKUName != computePlan || *p.RecommendationDetails.CommitmentAmount < 0.5 ||
		p.AllRecommendationDetails != nil || p.Usage != nil {
		t.Errorf("by default %+v", p)
	}
	single := ask(aSubscription+"/resourceGroups/rg", &armcostmanagement.BenefitRecommendationsClientListOptions{
		Filter: to.Ptr("properties/scope eq 'Single' AND properties/term eq 'P1Y' and properties/lookBackPeriod eq 'Last7Days'"),
		Expand: to.Ptr("properties/usage,properties/allRecommendationDetails"),
	}).Properties.(*armcostmanagement.SingleScopeBenefitRecommendationProperties)
	if *single.Term != "P1Y" || *single.SubscriptionID != azureA || *single.ResourceGroup != "rg" || len(single.AllRecommendationDetails.Value) != 2 || len(single.Usage.Charges) != 2 {
		t.Errorf("of a group %+v", single)
	}
}

// TestAzureAdvisor: all categories unless one is asked for; one by one too.
func TestAzureAdvisor(t *testing.T) {
	s := newSim(t, Options{Unthrottled: true, PageSize: 3})
	url := serve(t, s)
	client, err := armadvisor.NewRecommendationsClient(azureA, azureToken(azureA), azureOptions(url))
	if err != nil {
		t.Fatal(err)
	}
	list := func(o *armadvisor.RecommendationsClientListOptions) (all []*armadvisor.ResourceRecommendationBase) {
		t.Helper()
		for pager := client.NewListPager(o); pager.More(); {
			page, err := pager.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, page.Value...)
		}
		return all
	}
	everything, cost := list(nil), list(&armadvisor.RecommendationsClientListOptions{Filter: to.Ptr("Category eq 'Cost'")})
	reserved := 0
	for _, r := range cost {
		ext := r.Properties.ExtendedProperties
		if *r.Properties.Category != armadvisor.CategoryCost {
			t.Errorf("of another category: %+v", r.Properties)
		}
		if ext["reservedResourceType"] != nil {
			reserved++
			if *ext["subId"] != azureA || *ext["displayQty"] == "0" || *ext["savingsCurrency"] != "USD" {
				t.Errorf("reservation %+v", ext)
			}
		}
		one, err := client.Get(t.Context(), aSubscription, *r.Name, nil)
		if err != nil || *one.ID != *r.ID {
			t.Errorf("one: %+v, %v", one, err)
		}
	}
	if len(everything) != len(cost)+1 || reserved != 16 {
		t.Errorf("%d of all, %d about cost, %d of reservations", len(everything), len(cost), reserved)
	}
	if _, err := client.Get(t.Context(), aSubscription, "x", nil); err == nil {
		t.Error("what is not there was found")
	}
	made, err := client.Generate(t.Context(), nil)
	if err != nil || made.Location == nil {
		t.Fatalf("generate: %+v, %v", made, err)
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(*made.Location, url), "?")
	if _, err := client.GetGenerateStatus(t.Context(), lastSegment(path), nil); err != nil {
		t.Errorf("status of that: %v", err)
	}
	if _, err := client.NewListPager(&armadvisor.RecommendationsClientListOptions{Filter: to.Ptr("Impact eq 'High'")}).NextPage(t.Context()); err == nil {
		t.Error("a filter that is not understood was taken")
	}
	stranger, err := armadvisor.NewRecommendationsClient(azureB, azureToken(azureA), azureOptions(url))
	if err != nil {
		t.Fatal(err)
	}
	var api *azcore.ResponseError
	if _, err := stranger.NewListPager(nil).NextPage(t.Context()); !errors.As(err, &api) || api.StatusCode != http.StatusForbidden {
		t.Errorf("a stranger: %v", err)
	}
}

func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
