package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/billingbenefits/armbillingbenefits"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/reservations/armreservations/v3"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

const (
	opPermissions = "Permissions.ListForSubscription"
	// noOrder is the order that checks ask for. It does not exist.
	noOrder = "00000000-0000-4000-8000-000000000000"
)

var (
	_ driver.Checker = (*reservations)(nil)
	_ driver.Checker = (*plans)(nil)
)

// checks are the results so far.
type checks struct{ list []driver.Check }

func (k *checks) add(of string, s driver.CheckState, detail, next string) {
	k.list = append(k.list, driver.Check{Of: of, State: s, Detail: detail, Next: next})
}

// Check asks for every read, and for a price: what that needs is what Azure asks of a
// buyer first. Whether the order itself may be written is read from the caller's
// permissions: there is no dry run of a purchase, and a request that could buy is not
// sent to find out.
func (d *reservations) Check(ctx context.Context, identity string) []driver.Check {
	k := &checks{}
	l := look{operation: opListReservations, started: d.now()}
	token, ok := d.enter(ctx, k)
	if !ok {
		return k.list
	}
	offers, err := d.catalog(ctx, token, "", driver.Query{})
	if !d.judgeCheck(k, mayReadCatalog, err) {
		return k.list
	}
	if !d.judgeCheck(k, mayReadReservations, d.listAll(ctx, token, &l, func(string, *armreservations.ReservationResponse) {})) {
		return k.list
	}
	k.list = append(k.list, driver.CheckClock("Azure", l.first, l.started, d.now()))
	_, err = d.commitment(ctx, token, &l, noOrder, nil, driver.Request{})
	if refusesPermission(err) {
		k.add(mayReadOrders, driver.CheckUnproven, "Azure shows an order to whoever bought it, and no other to this identity", "")
	} else {
		d.judgeCheck(k, mayReadOrders, err)
	}
	if len(offers) == 0 {
		k.add(mayPrice, driver.CheckUnproven, fmt.Sprintf("the catalog of %s has no %s", d.Region, d.resource), "take the service or the region out of the configuration")
	} else {
		_, _, _, err = d.price(ctx, token, offers[0], 1, identity)
		d.judgeCheck(k, mayPrice, err)
	}
	d.checkGranted(ctx, k, token, mayBuyReservations, mayPriceRefund, mayReturn)
	return k.list
}

// Check asks for every read, and whether the least plan could be bought, which does not
// buy it.
func (d *plans) Check(ctx context.Context, identity string) []driver.Check {
	k := &checks{}
	l := look{operation: opListPlans, started: d.now()}
	token, ok := d.enter(ctx, k)
	if !ok {
		return k.list
	}
	if !d.judgeCheck(k, mayReadPlans, d.listAll(ctx, token, &l, func(string, *armbillingbenefits.SavingsPlanModel) {})) {
		return k.list
	}
	k.list = append(k.list, driver.CheckClock("Azure", l.first, l.started, d.now()))
	_, err := d.aliased(ctx, token, &l, identity)
	d.judgeCheck(k, mayReadAliases, err)
	offers, err := d.Offerings(ctx, driver.Query{Term: cloud.OneYear, Payment: cloud.Monthly})
	if err == nil {
		_, err = d.validate(ctx, token, driver.Request{Account: d.Account, Offering: offers[0], Quantity: leastCommitment, Identity: identity})
	}
	d.judgeCheck(k, mayValidate, err)
	d.checkGranted(ctx, k, token, mayBuyPlans)
	return k.list
}

// enter finds out whose the token is, and whether a purchase may use it.
func (c *core) enter(ctx context.Context, k *checks) (azcore.AccessToken, bool) {
	token, err := c.open(ctx)
	var e *driver.Error
	switch {
	case errors.Is(err, driver.ErrWrongAccount):
		k.add("identity", driver.CheckFailed, "the credential does not read subscription "+string(c.Account)+" in tenant "+c.Tenant,
			"use a credential of the tenant and assign it the role that bursar doctor --iam prints")
	case errors.As(err, &e) && e.Operation == opToken:
		k.add("identity", driver.CheckFailed, err.Error(), "give this machine a credential of the tenant: a managed identity, a service principal, or az login")
	case err != nil:
		c.judgeCheck(k, mayReadSubscription, err)
	}
	if err != nil {
		return token, false
	}
	k.add("identity", driver.CheckOK, "subscription "+string(c.Account), "")
	if left := token.ExpiresOn.Sub(c.now()); left > c.TokenLife {
		k.add("token", driver.CheckFailed, fmt.Sprintf("its token is good for %s, and one that is good for more than %s does not buy", left.Round(time.Minute), c.TokenLife),
			"write token_life for the account, such as 24h")
		return token, true
	}
	k.add("token", driver.CheckOK, "good for no longer than "+c.TokenLife.String(), "")
	return token, true
}

// judgeCheck says what the answer to a question proves. It is false if no further
// question can be answered either.
func (c *core) judgeCheck(k *checks, action string, err error) bool {
	var e *driver.Error
	errors.As(err, &e)
	switch {
	case err == nil:
		k.add(action, driver.CheckOK, "permitted", "")
	case refusesPermission(err):
		k.add(action, driver.CheckFailed, "not permitted", allowIt(action))
	case e != nil && e.Status == 0 && e.Code == "":
		k.add(action, driver.CheckFailed, "Azure cannot be reached: "+err.Error(), "check the network and the proxy of this machine, then run bursar doctor again")
		return false
	default:
		k.add(action, driver.CheckUnproven, err.Error(), "run bursar doctor again")
	}
	return true
}

// checkGranted reads what the caller may do in the subscription. What a role there does
// not name, one of the tenant may.
func (c *core) checkGranted(ctx context.Context, k *checks, token azcore.AccessToken, actions ...string) {
	roles, err := c.permissions(ctx, token)
	for _, action := range actions {
		switch {
		case err != nil:
			k.add(action, driver.CheckUnproven, "the permissions of the caller cannot be read", allowIt(mayReadPermissions))
		case slices.ContainsFunc(roles, func(r grant) bool { return r.covers(action) }):
			k.add(action, driver.CheckOK, "permitted", "")
		default:
			k.add(action, driver.CheckUnproven, "no role on the subscription permits it", allowIt(action))
		}
	}
}

func allowIt(action string) string {
	return "allow " + action + ": bursar doctor --iam prints the role"
}

func refusesPermission(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && e.Status == http.StatusForbidden && (e.Code == "AuthorizationFailed" || e.Code == "Forbidden")
}

// grant is what one role gives.
type grant struct {
	Actions    []string `json:"actions"`
	NotActions []string `json:"notActions"`
}

func (g grant) covers(action string) bool {
	is := func(pattern string) bool { return covers(pattern, action) }
	return slices.ContainsFunc(g.Actions, is) && !slices.ContainsFunc(g.NotActions, is)
}

// permissions are the roles that the caller has in the subscription, of the first page:
// each gives what it gives whatever the others say.
func (c *core) permissions(ctx context.Context, token azcore.AccessToken) ([]grant, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	resp, err := c.get(ctx, token, "/subscriptions/"+string(c.Account)+"/providers/Microsoft.Authorization/permissions", "api-version=2022-04-01")
	if err != nil {
		return nil, readError(opPermissions, err, token)
	}
	if !runtime.HasStatusCode(resp, http.StatusOK) {
		return nil, readError(opPermissions, runtime.NewResponseError(resp), token)
	}
	var got struct {
		Value []grant `json:"value"`
	}
	if err := runtime.UnmarshalAsJSON(resp, &got); err != nil {
		return nil, readError(opPermissions, err, token)
	}
	if got.Value == nil {
		return nil, readError(opPermissions, errNoList)
	}
	return got.Value, nil
}
