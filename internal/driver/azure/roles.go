package azure

import (
	"slices"
	"strings"

	"bursar/internal/cloud"
)

// Permissions, as "Azure permissions" lists them. Nothing has the name of a purchase:
// writing an order buys.
const (
	mayReadSubscription = "Microsoft.Resources/subscriptions/read"
	mayReadPermissions  = "Microsoft.Authorization/permissions/read"

	mayReadCatalog      = "Microsoft.Capacity/catalogs/read"
	mayPrice            = "Microsoft.Capacity/calculateprice/action"
	mayReadOrders       = "Microsoft.Capacity/reservationorders/read"
	mayReadReservations = "Microsoft.Capacity/reservationorders/reservations/read"
	mayBuyReservations  = "Microsoft.Capacity/reservationorders/write"
	mayPriceRefund      = "Microsoft.Capacity/reservationorders/calculaterefund/action"
	mayReturn           = "Microsoft.Capacity/reservationorders/return/action"

	mayReadAliases = "Microsoft.BillingBenefits/savingsPlanOrderAliases/read"
	mayReadPlans   = "Microsoft.BillingBenefits/savingsPlanOrders/savingsPlans/read"
	mayValidate    = "Microsoft.BillingBenefits/validate/action"
	mayBuyPlans    = "Microsoft.BillingBenefits/savingsPlanOrderAliases/write"

	// These two are named by the rule of the platform; no list has them.
	mayReadReservationAliases = "Microsoft.BillingBenefits/reservationOrderAliases/read"
	mayBuyByAlias             = "Microsoft.BillingBenefits/reservationOrderAliases/write"
)

// Actions of the services, each in the order of a purchase.
var (
	reservationActions = []string{mayReadCatalog, mayReadReservations, mayReadOrders, mayPrice, mayBuyReservations, mayPriceRefund, mayReturn}
	aliasActions       = []string{mayReadReservationAliases, mayBuyByAlias} // besides, where reservations are bought by alias
	planActions        = []string{mayReadPlans, mayReadAliases, mayValidate, mayBuyPlans}
)

// Role is the definition of a custom role, in the form that "az role definition create"
// reads. Marshaled, its members are in the order of that form.
type Role struct {
	Name             string
	IsCustom         bool
	Description      string
	Actions          []string
	NotActions       []string
	DataActions      []string
	NotDataActions   []string
	AssignableScopes []string
}

// RoleFor is the least that the identity which buys has to be allowed in a subscription.
// It is assigned on the subscription that pays. Who bought an order owns it, so what is
// done with an order needs no wider role; orders of other people are seen by the
// built-in role Reservations Reader alone. With byAlias reservations are bought by alias,
// and with marks blobs say who buys: if their storage account is of another
// subscription, that one has to be in the scopes, too.
func RoleFor(account cloud.Account, services []cloud.Service, byAlias, marks bool) Role {
	actions := append([]string{mayReadSubscription, mayReadPermissions}, adviceActions...)
	for _, s := range services {
		list := reservationActions
		if byAlias {
			list = slices.Concat(reservationActions, aliasActions)
		}
		if s == SavingsPlan {
			list = planActions
		}
		for _, a := range list {
			if !slices.Contains(actions, a) {
				actions = append(actions, a)
			}
		}
	}
	data := []string{}
	if marks {
		data = claimActions
	}
	return Role{
		Name: "Bursar " + string(account), IsCustom: true, Description: "Buys commitments for " + strings.Join(titles(services), ", "),
		Actions: actions, NotActions: []string{}, DataActions: data, NotDataActions: []string{},
		AssignableScopes: []string{"/subscriptions/" + string(account)},
	}
}

func titles(services []cloud.Service) []string {
	list := make([]string, len(services))
	for i, s := range services {
		list[i] = string(s)
	}
	return list
}

// covers reports whether a pattern of a role covers an action. An asterisk stands for
// anything, slashes included, and capitals do not count.
func covers(pattern, action string) bool {
	before, after, wild := strings.Cut(strings.ToLower(pattern), "*")
	rest, starts := strings.CutPrefix(strings.ToLower(action), before)
	if !wild || !starts {
		return starts && rest == ""
	}
	for i := 0; i <= len(rest); i++ {
		if covers(after, rest[i:]) {
			return true
		}
	}
	return false
}
