package azure

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/advisor/armadvisor"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/consumption/armconsumption"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/costmanagement/armcostmanagement/v2"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

const (
	opReservationAdvice = "ReservationRecommendations.list"
	opBenefitAdvice     = "BenefitRecommendations.list"
	opAdvisor           = "Recommendations.list"
)

// adviceActions are what advice needs to be allowed.
var adviceActions = []string{
	"Microsoft.Consumption/reservationRecommendations/read",
	"Microsoft.CostManagement/benefitRecommendations/read",
	"Microsoft.Advisor/recommendations/read",
}

// advised are the services whose reservations Microsoft.Consumption recommends, by the
// resource types of its filter (armconsumption v1.2.0).
var advised = []struct {
	service  cloud.Service
	resource string
}{
	{"vm", "VirtualMachines"}, {"sql", "SQLDatabases"}, {"cosmosdb", "CosmosDB"}, {"redis", "RedisCache"},
	{"synapse", "SQLDataWarehouse"}, {"appservice", "AppService"}, {"disk", "ManagedDisk"},
}

var adviceTerms = map[cloud.Term]string{cloud.OneYear: "P1Y", cloud.ThreeYears: "P3Y"}

// Adviser asks what Azure recommends for the usage of 30 days of one subscription, in its
// own scope: Microsoft.Consumption, Microsoft.CostManagement and Advisor. With a billing
// scope the first two are asked for all subscriptions of that together, to be bought by
// the one for all, and answer in the shape that they call modern; Advisor knows
// subscriptions only.
type Adviser struct{ *core }

var _ driver.Adviser = Adviser{}

// NewAdviser opens the recommendations of a subscription. It does no IO.
func NewAdviser(cfg Config) (Adviser, error) {
	c, err := newCore(cfg)
	return Adviser{c}, err
}

// Requests implements driver.Adviser: no request is charged for.
func (d Adviser) Requests(driver.AdviceAsk) int { return 0 }

// beside is what Azure does not say and was asked for: recommend reads it so.
type beside struct {
	Payment      string `json:"payment"`
	Subscription string `json:"subscription"`
	ResourceType string `json:"resource_type,omitempty"`
	Term         string `json:"term"`
	Scope        string `json:"scope"`
	Value        []any  `json:"value"`
}

// entry is a recommendation with its term in the words of Azure; "" where it has none.
type entry struct {
	term string
	item any
}

// Advice implements driver.Adviser. One answer has both terms and is paid either way:
// each term and payment has a document of its own.
func (d Adviser) Advice(ctx context.Context, a driver.AdviceAsk) []driver.Advice {
	var all []driver.Advice
	payments := slices.DeleteFunc(slices.Clone(a.Payments), func(p cloud.Payment) bool { return planOf(p) == "" })
	if len(payments) == 0 || len(a.Terms) == 0 {
		return nil
	}
	add := func(source, resource, scope string, terms []cloud.Term, list []entry, made time.Time, err error) {
		for _, t := range terms {
			value := []any{}
			for _, e := range list {
				if e.term == "" || e.term == adviceTerms[t] {
					value = append(value, e.item)
				}
			}
			for _, p := range payments {
				one := driver.Advice{Source: fmt.Sprintf("%s %s %s", source, t, p), Made: made, Err: err}
				if err == nil {
					one.Document, one.Err = json.Marshal(beside{string(p), string(d.Account), resource, t.String(), scope, value})
				}
				all = append(all, one)
			}
		}
	}
	reserved := false
	for _, k := range advised {
		if a.Wants(k.service) {
			reserved = true
			list, err := d.reservationAdvice(ctx, k.resource)
			add("Azure reservation recommendations "+string(k.service), k.resource, d.benefit(), a.Terms, list, time.Time{}, err)
		}
	}
	if a.Wants(SavingsPlan) {
		for _, t := range a.Terms {
			list, made, err := d.benefitAdvice(ctx, t)
			add("Azure savings plan recommendations", "", d.benefit(), []cloud.Term{t}, list, made, err)
		}
	}
	if reserved {
		list, made, err := d.advisorAdvice(ctx, a)
		add("Azure Advisor", "", single, a.Terms, list, made, err)
	}
	return all
}

// scope is what recommendations are asked for, as the SDK's clients put it into a path.
func (d Adviser) scope() string {
	if d.BillingScope != "" {
		return strings.TrimPrefix(d.BillingScope, "/")
	}
	return "subscriptions/" + string(d.Account)
}

// The scopes of benefits in recommendations.
const (
	single = "Single"
	shared = "Shared"
)

// benefit is to what the benefit is to apply that is asked for.
func (d Adviser) benefit() string {
	if d.BillingScope != "" {
		return shared
	}
	return single
}

func (d Adviser) reservationAdvice(ctx context.Context, resource string) (list []entry, err error) {
	token, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	client, err := armconsumption.NewReservationRecommendationsClient(frozen(token.Token), d.options(d.client, false))
	if err != nil {
		return nil, err
	}
	filter := "properties/scope eq '" + d.benefit() + "' AND properties/resourceType eq '" + resource + "' AND properties/lookBackPeriod eq 'Last30Days'"
	pager := client.NewListPager(d.scope(), &armconsumption.ReservationRecommendationsClientListOptions{Filter: &filter})
	type page = armconsumption.ReservationRecommendationsClientListResponse
	err = each(ctx, d.core, &look{operation: opReservationAdvice}, pager, func(p page) *string { return p.NextLink }, func(p page) error {
		for _, r := range p.Value {
			list = append(list, entry{adviceTerm(r), r})
		}
		return nil
	})
	return list, adviceError(opReservationAdvice, err, token)
}

func (d Adviser) benefitAdvice(ctx context.Context, t cloud.Term) (list []entry, made time.Time, err error) {
	token, err := d.open(ctx)
	if err != nil {
		return nil, made, err
	}
	client, err := armcostmanagement.NewBenefitRecommendationsClient(frozen(token.Token), d.options(d.client, false))
	if err != nil {
		return nil, made, err
	}
	filter := "properties/scope eq '" + d.benefit() + "' AND properties/term eq '" + adviceTerms[t] + "' AND properties/lookBackPeriod eq 'Last30Days'"
	pager := client.NewListPager(d.scope(), &armcostmanagement.BenefitRecommendationsClientListOptions{Filter: &filter})
	type page = armcostmanagement.BenefitRecommendationsClientListResponse
	err = each(ctx, d.core, &look{operation: opBenefitAdvice}, pager, func(p page) *string { return p.NextLink }, func(p page) error {
		for _, r := range p.Value {
			if r.Properties != nil {
				// The last hour of usage that it rests on: when it was made is not said.
				made = oldest(made, r.Properties.GetBenefitRecommendationProperties().LastConsumptionDate)
			}
			list = append(list, entry{item: r})
		}
		return nil
	})
	return list, made, adviceError(opBenefitAdvice, err, token)
}

// advisorAdvice keeps what is about reservations of the services that are asked for, and
// of those that are not known: Advisor also advises what else saves.
func (d Adviser) advisorAdvice(ctx context.Context, a driver.AdviceAsk) (list []entry, made time.Time, err error) {
	token, err := d.open(ctx)
	if err != nil {
		return nil, made, err
	}
	client, err := armadvisor.NewRecommendationsClient(string(d.Account), frozen(token.Token), d.options(d.client, false))
	if err != nil {
		return nil, made, err
	}
	filter := "Category eq 'Cost'"
	pager := client.NewListPager(&armadvisor.RecommendationsClientListOptions{Filter: &filter})
	type page = armadvisor.RecommendationsClientListResponse
	err = each(ctx, d.core, &look{operation: opAdvisor}, pager, func(p page) *string { return p.NextLink }, func(p page) error {
		for _, r := range p.Value {
			if r.Properties == nil {
				continue
			}
			more := r.Properties.ExtendedProperties
			of := text(more["reservedResourceType"])
			if s := adviceOn(of); of != "" && (s == "" || a.Wants(s)) {
				made = oldest(made, r.Properties.LastUpdated)
				list = append(list, entry{text(more["term"]), r})
			}
		}
		return nil
	})
	return list, made, adviceError(opAdvisor, err, token)
}

// adviceTerm is the term of a recommendation of either kind.
func adviceTerm(r armconsumption.ReservationRecommendationClassification) string {
	switch r := r.(type) {
	case *armconsumption.LegacyReservationRecommendation:
		if r.Properties != nil {
			return text(r.Properties.GetLegacyReservationRecommendationProperties().Term)
		}
	case *armconsumption.ModernReservationRecommendation:
		if r.Properties != nil {
			return text(r.Properties.Term)
		}
	}
	return ""
}

// adviceOn is the service that a resource type is of; "" for one that is not bought.
func adviceOn(resource string) cloud.Service {
	for _, k := range advised {
		if strings.EqualFold(k.resource, resource) {
			return k.service
		}
	}
	return ""
}

func oldest(known time.Time, t *time.Time) time.Time {
	if at := timeOf(t); !at.IsZero() && (known.IsZero() || at.Before(known)) {
		return at
	}
	return known
}

func adviceError(operation string, err error, token azcore.AccessToken) error {
	if err == nil {
		return nil
	}
	return readError(operation, err, token)
}
