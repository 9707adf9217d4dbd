package azure

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/money"
)

// Azure has no ids of offerings. What is bought is named by its SKU, term and billing
// plan, and that is the id here: "Standard_D2s_v5.P1Y.Monthly".

// Attributes.
const (
	attrSKU      = "sku"
	attrScope    = "scope"    // to what the benefit applies
	attrRenew    = "renew"    // at the end of the term, by itself
	attrFlexible = "flexible" // in size, of virtual machines
)

// scopeShared is the scope of all subscriptions of the billing account; every other one
// is the id of a resource.
const scopeShared = "shared"

var (
	skuForm   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_ -]{0,79}$`)
	scopeForm = regexp.MustCompile(`^/(?:subscriptions/[0-9a-f-]{36}(/resourcegroups/[a-z0-9._()-]{1,90})?|providers/microsoft\.management/(managementgroups)/[a-z0-9._()-]{1,90})$`)

	scopeAttribute = driver.Attribute{Key: attrScope, Example: scopeShared}
	renewAttribute = driver.Attribute{Key: attrRenew, Example: "false", Values: []string{"false", "true"}}
)

// goods are what an offering's id names.
type goods struct {
	sku, term string
	payment   cloud.Payment
}

func (g goods) id() string { return g.sku + "." + g.term + "." + planOf(g.payment) }

func (g goods) months() cloud.Term { return termOf(g.term) }

// parseGoods reads the id of an offering.
func parseGoods(id string) (goods, error) {
	parts := strings.Split(id, ".")
	if len(parts) != 3 || !skuForm.MatchString(parts[0]) {
		return goods{}, fmt.Errorf("%.100q is not the id of an offering: want SKU, term and billing plan, such as Standard_D2s_v5.P1Y.Monthly", id)
	}
	g := goods{parts[0], parts[1], paymentOf(parts[2])}
	if planOf(g.payment) == "" || g.months() != cloud.OneYear && g.months() != cloud.ThreeYears {
		return goods{}, fmt.Errorf("%.100q names no term or billing plan that is sold: want P1Y or P3Y, and Upfront or Monthly", id)
	}
	return g, nil
}

func termName(t cloud.Term) string { return fmt.Sprintf("P%dY", t/12) }

// termOf reads a term as Azure writes it; 0 for another.
func termOf(name string) cloud.Term {
	for _, t := range []cloud.Term{cloud.OneYear, cloud.ThreeYears, 60} {
		if name == termName(t) {
			return t
		}
	}
	return 0
}

// planOf is the billing plan of a reservation; "" for a payment that Azure does not have.
func planOf(p cloud.Payment) string {
	switch p {
	case cloud.AllUpfront:
		return "Upfront"
	case cloud.Monthly:
		return "Monthly"
	}
	return ""
}

// paymentOf reads a billing plan. Savings plans have P1M, and nothing for what is paid
// upfront.
func paymentOf(plan string) cloud.Payment {
	switch plan {
	case "Upfront", "":
		return cloud.AllUpfront
	case "Monthly", "P1M":
		return cloud.Monthly
	}
	return cloud.Payment(plan)
}

// scope is to what a benefit applies.
type scope struct{ kind, subscription, group, management string }

// parseScope reads the attribute: "shared", or the id of a subscription, a resource
// group or a management group, in lower case.
func parseScope(s string) (scope, error) {
	if s == scopeShared {
		return scope{kind: "Shared"}, nil
	}
	m := scopeForm.FindStringSubmatch(s)
	switch {
	case m == nil:
		return scope{}, fmt.Errorf("scope %.100q: want shared, or the id of a subscription, a resource group or a management group in lower case", s)
	case m[2] != "":
		return scope{kind: "ManagementGroup", management: s}, nil
	case m[1] != "":
		return scope{kind: "Single", group: s}, nil
	}
	return scope{kind: "Single", subscription: s}, nil
}

// scopeOf is the attribute of what a commitment applies to.
func scopeOf(kind string, ids ...string) string {
	if kind == "Shared" {
		return scopeShared
	}
	for _, id := range ids {
		if id != "" {
			return strings.ToLower(id)
		}
	}
	return strings.ToLower(kind)
}

// errNoPrice: Azure names no price.
var errNoPrice = errors.New("the answer names no price")

// perUnit is the price of one of n that cost total over the term. A monthly price is
// spread over the hours of the term.
func perUnit(total money.Amount, n int64, g goods) (upfront, hourly money.Amount, err error) {
	upfront, hourly = money.Zero(total.Currency()), money.Zero(total.Currency())
	switch {
	case n < 1 || g.months() == 0:
		return upfront, hourly, errNoPrice
	case g.payment == cloud.Monthly:
		hourly, err = total.Div(n*g.months().Hours(), 9)
	default:
		upfront, err = total.Div(n, 6)
	}
	return upfront, hourly, err
}

func yes(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
