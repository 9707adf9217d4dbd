package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/billingbenefits/armbillingbenefits"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
	"bursar/internal/money"
)

// SavingsPlan is the service that sells savings plans.
const SavingsPlan cloud.Service = "savings-plan"

// A savings plan is a commitment to an amount of money per hour: its quantity counts
// planUnit. It has no price beyond that amount, so prices here are computed and exact.
// It is bought by an alias that we choose, which names the order from its first second
// on. A plan is final: Azure neither cancels nor exchanges one.
//
// What a second request under one alias does is not published; it may buy again. So
// there is none: the alias is read before the request and after any doubt.
const (
	planUnit        = "0.00001"
	leastCommitment = 100             // 0.001 per hour
	mostCommitment  = 100_000_000_000 // 1,000,000 per hour

	// computePlan is the one SKU that the description of the API shows.
	computePlan = "Compute_Savings_Plan"

	opBuyPlan   = "SavingsPlanOrderAlias.create"
	opAlias     = "SavingsPlanOrderAlias.get"
	opValidate  = "RP.validatePurchase"
	opListPlans = "SavingsPlan.listAll"
	opOperation = "OperationResults.get"
)

// plans sells savings plans.
type plans struct{ *core }

var (
	_ driver.Service  = (*plans)(nil)
	_ driver.Follower = (*plans)(nil)
	_ driver.Limiter  = (*plans)(nil)
)

var planAttributes = []driver.Attribute{{Key: attrSKU, Example: computePlan, Values: []string{computePlan}}, scopeAttribute}

// Info returns the facts of the service.
func (d *plans) Info() driver.Info {
	return d.info(SavingsPlan, planAttributes, "Azure knows a savings plan by the name that its line chose; the name is looked up before the one "+
		"request that is sent under it, and after any doubt, and no second request is sent. A savings plan is final.")
}

// Allows refuses an amount that Azure does not take as a commitment.
func (d *plans) Allows(o cloud.Offering, quantity int64) error {
	if quantity < leastCommitment || quantity > mostCommitment {
		return fmt.Errorf("a commitment of %s: want 0.001 to 1000000 %s/h", o.Measure(quantity), d.Currency)
	}
	return nil
}

// Offerings returns the terms and payments of the plan, in the scope that q asks for or
// else the shared one. It asks nobody: Azure lists none.
func (d *plans) Offerings(_ context.Context, q driver.Query) ([]cloud.Offering, error) {
	if err := checkQuery("savings plans", q, planAttributes); err != nil {
		return nil, err
	}
	var list []cloud.Offering
	for _, term := range []cloud.Term{cloud.OneYear, cloud.ThreeYears} {
		for _, payment := range []cloud.Payment{cloud.AllUpfront, cloud.Monthly} {
			o, err := d.offering(goods{computePlan, termName(term), payment}, q.Attributes[attrScope])
			if err != nil {
				return nil, err
			}
			if matches(q, o) {
				list = append(list, o)
			}
		}
	}
	return list, nil
}

// offering is what g names at the exact price of one unit.
func (d *plans) offering(g goods, scope string) (cloud.Offering, error) {
	if scope == "" {
		scope = scopeShared
	}
	o := cloud.Offering{
		Provider: cloud.Azure, Service: SavingsPlan, Region: d.Region, ID: g.id(), Term: g.months(), Payment: g.payment,
		Attributes: cloud.Attributes{attrSKU: g.sku, attrScope: scope},
	}
	var err error
	if o.Unit, err = money.Parse(planUnit, d.Currency); err == nil {
		o.Upfront, o.Hourly, err = planPrice(o.Unit, g)
	}
	return o, err
}

func planPrice(unit money.Amount, g goods) (upfront, hourly money.Amount, err error) {
	upfront, hourly = money.Zero(unit.Currency()), money.Zero(unit.Currency())
	if g.payment == cloud.Monthly {
		return upfront, unit, nil
	}
	upfront, err = unit.Mul(g.months().Hours())
	return upfront, hourly, err
}

// model is the body of both the validation and the purchase. The request has no member
// for renewal: a plan does not renew unless it is told to later.
func (d *plans) model(r driver.Request) (armbillingbenefits.SavingsPlanOrderAliasModel, error) {
	fail := func(err error) (armbillingbenefits.SavingsPlanOrderAliasModel, error) {
		return armbillingbenefits.SavingsPlanOrderAliasModel{}, err
	}
	g, err := parseGoods(r.Offering.ID)
	if err != nil {
		return fail(err)
	}
	sc, err := parseScope(r.Offering.Attributes[attrScope])
	if err != nil {
		return fail(err)
	}
	if err := d.Allows(r.Offering, r.Quantity); err != nil {
		return fail(err)
	}
	perHour, err := r.Offering.Unit.Mul(r.Quantity)
	if err != nil {
		return fail(err)
	}
	// The SDK takes a float, and writes the shortest decimal that is read as the same.
	amount, err := strconv.ParseFloat(perHour.Decimal(), 64)
	if err != nil {
		return fail(err)
	}
	if back, err := driver.Amount(&amount, perHour.Currency()); err != nil || !back.Equal(perHour) {
		return fail(fmt.Errorf("%s per hour cannot be sent exactly", perHour))
	}
	p := &armbillingbenefits.SavingsPlanOrderAliasProperties{
		DisplayName:      to.Ptr(r.Identity),
		BillingScopeID:   to.Ptr("/subscriptions/" + string(d.Account)),
		Term:             to.Ptr(armbillingbenefits.Term(g.term)),
		AppliedScopeType: to.Ptr(armbillingbenefits.AppliedScopeType(sc.kind)),
		Commitment: &armbillingbenefits.Commitment{
			Grain: to.Ptr(armbillingbenefits.CommitmentGrainHourly), CurrencyCode: to.Ptr(perHour.Currency()), Amount: to.Ptr(amount),
		},
	}
	if g.payment == cloud.Monthly {
		p.BillingPlan = to.Ptr(armbillingbenefits.BillingPlanP1M)
	}
	switch {
	case sc.management != "":
		p.AppliedScopeProperties = &armbillingbenefits.AppliedScopeProperties{ManagementGroupID: to.Ptr(sc.management), TenantID: to.Ptr(d.Tenant)}
	case sc.group != "":
		p.AppliedScopeProperties = &armbillingbenefits.AppliedScopeProperties{ResourceGroupID: to.Ptr(sc.group)}
	case sc.subscription != "":
		p.AppliedScopeProperties = &armbillingbenefits.AppliedScopeProperties{SubscriptionID: to.Ptr(sc.subscription)}
	}
	return armbillingbenefits.SavingsPlanOrderAliasModel{SKU: &armbillingbenefits.SKU{Name: to.Ptr(g.sku)}, Properties: p}, nil
}

// check says what is wrong with a request before anything is sent.
func (d *plans) check(r driver.Request) error {
	if err := d.accepts(r, SavingsPlan); err != nil {
		return err
	}
	return checkName(r.Identity)
}

// Quote asks Azure whether it would sell the plan; the price is the commitment itself.
func (d *plans) Quote(ctx context.Context, r driver.Request) (cloud.Quote, error) {
	if err := d.check(r); err != nil {
		return cloud.Quote{}, readError(opValidate, err)
	}
	g, err := parseGoods(r.Offering.ID)
	if err != nil {
		return cloud.Quote{}, readError(opValidate, err)
	}
	token, err := d.open(ctx)
	if err != nil {
		return cloud.Quote{}, err
	}
	if g.sku != computePlan {
		return cloud.Quote{}, readError(opValidate, driver.ErrNotSold)
	}
	quote := cloud.Quote{At: d.now(), Credential: nameOf(token)}
	if quote.Offering, err = d.offering(g, r.Offering.Attributes[attrScope]); err != nil {
		return cloud.Quote{}, readError(opValidate, err)
	}
	if o := quote.Offering; !o.SameGoods(r.Offering) {
		return cloud.Quote{}, readError(opValidate, fmt.Errorf("the offering is now %s, %s, %s", o.Attributes, o.Term, o.Payment))
	}
	if quote.CloudTime, err = d.validate(ctx, token, r); err != nil {
		return cloud.Quote{}, err
	}
	d.sessions.put(&session{attempt: r.Attempt, token: token})
	return quote, nil
}

// validate asks whether Azure would sell the plan, and returns the time of the answer. It
// sells nothing.
func (d *plans) validate(ctx context.Context, token azcore.AccessToken, r driver.Request) (time.Time, error) {
	body, err := d.model(r)
	if err != nil {
		return time.Time{}, readError(opValidate, err)
	}
	client, err := armbillingbenefits.NewRPClient(frozen(token.Token), d.options(d.client, false))
	if err != nil {
		return time.Time{}, readError(opValidate, err, token)
	}
	var resp *http.Response
	ctx, cancel := context.WithTimeout(policy.WithCaptureResponse(ctx, &resp), readTimeout)
	defer cancel()
	out, err := client.ValidatePurchase(ctx, armbillingbenefits.SavingsPlanPurchaseValidateRequest{
		Benefits: []*armbillingbenefits.SavingsPlanOrderAliasModel{&body},
	}, nil)
	if err != nil {
		return time.Time{}, readError(opValidate, err, token)
	}
	if len(out.Benefits) != 1 || out.Benefits[0] == nil || out.Benefits[0].Valid == nil {
		return time.Time{}, readError(opValidate, errors.New("the answer does not say whether the plan could be bought"))
	}
	if b := out.Benefits[0]; !*b.Valid {
		return time.Time{}, readError(opValidate, fmt.Errorf("the plan cannot be bought: %s: %s", text(b.ReasonCode), text(b.Reason)))
	}
	return dateOf(resp.Header), nil
}

var operationForm = regexp.MustCompile(`(?i)/operationResults/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\?|$)`)

// Handles are of an operation or, where the answer named none, of an order.
const (
	handleOperation = "operation/"
	handleOrder     = "order/"
)

// Purchase buys a plan under the alias r.Identity.
func (d *plans) Purchase(ctx context.Context, r driver.Request) (cloud.Evidence, error) {
	err := d.check(r)
	var body armbillingbenefits.SavingsPlanOrderAliasModel
	if err == nil {
		body, err = d.model(r)
	}
	if err == nil && !r.FireAt.IsZero() {
		err = errors.New("savings plans of Azure cannot be ordered for later")
	}
	if err != nil {
		return unsent(cloud.Evidence{Kind: cloud.EvidenceReply, Operation: opBuyPlan, Started: d.now()}, err)
	}
	return d.spend(ctx, r, order{
		operation: opBuyPlan,
		accepted:  []int{http.StatusOK, http.StatusCreated},
		send: func(ctx context.Context, client *http.Client, token string) error {
			aliases, err := armbillingbenefits.NewSavingsPlanOrderAliasClient(frozen(token), d.options(client, true))
			if err != nil {
				return err
			}
			_, err = aliases.BeginCreate(ctx, r.Identity, body, nil)
			return err
		},
		handle: func(reply *oneshot.Reply) (string, string, error) {
			var got struct {
				Name       string `json:"name"`
				Properties *struct {
					Order string `json:"savingsPlanOrderId"`
				} `json:"properties"`
			}
			if json.Unmarshal(reply.Body, &got) != nil || got.Properties == nil {
				return "", "", errors.New("the answer is not an alias")
			}
			id := lastOf(got.Properties.Order)
			if !strings.EqualFold(got.Name, r.Identity) || !guidForm.MatchString(id) {
				return "", "", errors.New("the answer is about another alias, or names no order")
			}
			detail := "savings plan order " + id + " is on its way"
			if m := operationForm.FindStringSubmatch(reply.Header.Get("Azure-AsyncOperation")); m != nil {
				return handleOperation + strings.ToLower(m[1]), detail, nil
			}
			return handleOrder + id, detail, nil
		},
	})
}

// Find returns the plans whose alias is one of r.Identities, and those that are named
// so: an alias that was bought twice names only one of its orders. Without identities it
// returns what is listed.
func (d *plans) Find(ctx context.Context, r driver.Request) ([]cloud.Evidence, error) {
	if r.Account != d.Account {
		return nil, readError(opAlias, driver.ErrWrongAccount)
	}
	token, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	l := look{operation: opListPlans, started: d.now()}
	orders := map[string][]*armbillingbenefits.SavingsPlanModel{}
	var ids []string
	for _, name := range r.Identities {
		if name == "" {
			return nil, readError(opAlias, errors.New("an empty identity"))
		}
		id, err := d.aliased(ctx, token, &l, name)
		if err != nil {
			return nil, err
		}
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	err = d.listAll(ctx, token, &l, func(o string, p *armbillingbenefits.SavingsPlanModel) {
		wanted := slices.Contains(ids, o)
		for _, name := range r.Identities {
			wanted = wanted || strings.EqualFold(name, text(p.Properties.DisplayName))
		}
		if len(r.Identities) == 0 {
			wanted = lastOf(text(p.Properties.BillingScopeID)) == string(d.Account)
		}
		if !wanted {
			return
		}
		orders[o] = append(orders[o], p)
		if !slices.Contains(ids, o) {
			ids = append(ids, o)
		}
	})
	if err != nil {
		return nil, err
	}
	var found []cloud.Evidence
	for _, id := range ids {
		c, err := d.commitment(ctx, token, &l, id, orders[id])
		if err != nil {
			return nil, err
		}
		ev := l.evidence(c, "")
		if len(r.Identities) > 0 {
			ev.Outcome = cloud.Exists
		}
		found = append(found, ev)
	}
	if len(found) > 0 {
		return found, nil
	}
	detail := "the subscription has no savings plan"
	if len(r.Identities) > 0 {
		detail = fmt.Sprintf("no savings plan under %d identities", len(r.Identities))
	}
	return []cloud.Evidence{l.evidence(nil, detail)}, nil
}

// aliased is the order that an alias names; "" if there is no such alias.
func (d *plans) aliased(ctx context.Context, token azcore.AccessToken, l *look, alias string) (string, error) {
	client, err := armbillingbenefits.NewSavingsPlanOrderAliasClient(frozen(token.Token), d.options(d.client, false))
	if err != nil {
		return "", readError(opAlias, err, token)
	}
	var resp *http.Response
	ctx, cancel := context.WithTimeout(policy.WithCaptureResponse(ctx, &resp), readTimeout)
	defer cancel()
	out, err := client.Get(ctx, alias, nil)
	l.seen(resp)
	if saysMissing(err) {
		return "", nil
	}
	if err != nil {
		return "", readError(opAlias, err, token)
	}
	if out.Properties == nil || !strings.EqualFold(text(out.Name), alias) {
		return "", readError(opAlias, errors.New("asked for one alias, Azure showed another"))
	}
	id := lastOf(text(out.Properties.SavingsPlanOrderID))
	if !guidForm.MatchString(id) {
		return "", readError(opAlias, fmt.Errorf("alias %s names no order yet", alias))
	}
	return id, nil
}

// listAll calls take with every plan that the caller can see and the order that it
// belongs to.
func (d *plans) listAll(ctx context.Context, token azcore.AccessToken, l *look, take func(order string, p *armbillingbenefits.SavingsPlanModel)) error {
	client, err := armbillingbenefits.NewSavingsPlanClient(nil, frozen(token.Token), d.options(d.client, false))
	if err != nil {
		return readError(opListPlans, err, token)
	}
	seen := map[string]bool{}
	err = each(ctx, d.core, l, client.NewListAllPager(nil), func(p armbillingbenefits.SavingsPlanClientListAllResponse) *string { return p.NextLink },
		func(p armbillingbenefits.SavingsPlanClientListAllResponse) error {
			if p.Value == nil {
				return errNoList
			}
			for _, plan := range p.Value {
				o, err := orderOfPlan(plan)
				if err != nil {
					return err
				}
				if id := strings.ToLower(text(plan.ID)); !seen[id] {
					seen[id] = true
					take(o, plan)
				}
			}
			return nil
		})
	if err != nil {
		return readError(opListPlans, err, token)
	}
	return nil
}

// orderOfPlan is the part of a plan's id before "/savingsPlans/".
func orderOfPlan(p *armbillingbenefits.SavingsPlanModel) (string, error) {
	if p == nil || p.Properties == nil {
		return "", errors.New("a savings plan without properties")
	}
	before, _, _ := strings.Cut(strings.ToLower(text(p.ID)), "/savingsplans/")
	if id := lastOf(before); guidForm.MatchString(id) {
		return id, nil
	}
	return "", errors.New("a savings plan whose id names no order")
}

// commitment is an order by its plan, which is read where no listing showed it.
func (d *plans) commitment(ctx context.Context, token azcore.AccessToken, l *look, id string, known []*armbillingbenefits.SavingsPlanModel) (*cloud.Commitment, error) {
	if len(known) == 0 {
		client, err := armbillingbenefits.NewSavingsPlanClient(nil, frozen(token.Token), d.options(d.client, false))
		if err != nil {
			return nil, readError(opListPlans, err, token)
		}
		err = each(ctx, d.core, l, client.NewListPager(id, nil), func(p armbillingbenefits.SavingsPlanClientListResponse) *string { return p.NextLink },
			func(p armbillingbenefits.SavingsPlanClientListResponse) error {
				for _, plan := range p.Value {
					if _, err := orderOfPlan(plan); err != nil {
						return err
					}
					known = append(known, plan)
				}
				return nil
			})
		if err != nil && !saysMissing(err) {
			return nil, readError(opListPlans, err, token)
		}
	}
	if len(known) != 1 {
		return nil, readError(opListPlans, fmt.Errorf("savings plan order %s shows %d plans, not one", id, len(known)))
	}
	return d.translate(id, known[0])
}

func (d *plans) translate(id string, plan *armbillingbenefits.SavingsPlanModel) (*cloud.Commitment, error) {
	fail := func(format string, args ...any) (*cloud.Commitment, error) {
		return nil, readError(opListPlans, fmt.Errorf("savings plan order %s: "+format, append([]any{id}, args...)...))
	}
	p := plan.Properties
	g := goods{term: text(p.Term), payment: paymentOf(text(p.BillingPlan))}
	if plan.SKU != nil {
		g.sku = text(plan.SKU.Name)
	}
	if p.Commitment == nil || text(p.Commitment.Grain) != "Hourly" {
		return fail("it is no commitment per hour")
	}
	perHour, err := driver.Amount(p.Commitment.Amount, text(p.Commitment.CurrencyCode))
	if err != nil {
		return fail("%w", err)
	}
	var scopes []string
	if a := p.AppliedScopeProperties; a != nil {
		scopes = append(scopes, text(a.ManagementGroupID), text(a.ResourceGroupID), text(a.SubscriptionID))
	}
	c := &cloud.Commitment{
		Lane: d.lane(SavingsPlan), ID: id, Name: text(p.DisplayName), ARN: text(plan.ID), OfferingID: g.id(),
		Attributes: cloud.Attributes{attrSKU: g.sku, attrScope: scopeOf(text(p.AppliedScopeType), scopes...)},
		Term:       g.months(), Payment: g.payment, State: stateOf(text(p.ProvisioningState)),
		Start: timeOf(p.BenefitStartTime, p.PurchaseDateTime, p.EffectiveDateTime),
		Used:  usedPlan(p.Utilization),
	}
	c.Account = cloud.Account(lastOf(text(p.BillingScopeID)))
	if c.Unit, err = money.Parse(planUnit, perHour.Currency()); err != nil {
		return fail("%w", err)
	}
	if c.Quantity, err = (cloud.Offering{Service: SavingsPlan, Unit: c.Unit}).Count(perHour); err != nil {
		return fail("%w", err)
	}
	if c.Upfront, c.Hourly, err = planPrice(c.Unit, g); err != nil {
		return fail("%w", err)
	}
	if g.sku == "" || c.Term == 0 || c.Start.IsZero() {
		return fail("it does not say what it is, for how long or since when")
	}
	return c, nil
}

// Poll asks what became of the operation by which the plan was bought. What its status
// is called besides is not published: only the words for an end are one.
func (d *plans) Poll(ctx context.Context, r driver.Request, handle string) (cloud.Evidence, error) {
	if r.Account != d.Account {
		return cloud.Evidence{}, readError(opOperation, driver.ErrWrongAccount)
	}
	token, err := d.open(ctx)
	if err != nil {
		return cloud.Evidence{}, err
	}
	l := look{operation: opOperation, started: d.now()}
	id, isOrder := strings.CutPrefix(handle, handleOrder)
	if operation, ok := strings.CutPrefix(handle, handleOperation); ok {
		status, err := d.operation(ctx, token, &l, operation)
		if err != nil {
			return cloud.Evidence{}, err
		}
		switch status {
		case "Failed", "Cancelled", "Canceled":
			ev := l.evidence(nil, "the operation is "+status)
			ev.Kind, ev.Outcome, ev.Handle = cloud.EvidenceListing, cloud.Refused, handle
			return ev, nil
		case "Succeeded":
		default:
			ev := l.evidence(nil, "the operation is "+status)
			ev.Kind, ev.Outcome, ev.Handle = cloud.EvidenceListing, cloud.Accepted, handle
			return ev, nil
		}
		if id, err = d.aliased(ctx, token, &l, r.Identity); err != nil {
			return cloud.Evidence{}, err
		}
	} else if !isOrder {
		return cloud.Evidence{}, readError(opOperation, errors.New("the handle is none of a savings plan"))
	}
	if !guidForm.MatchString(id) {
		return followed(&l, handle, nil), nil
	}
	c, err := d.commitment(ctx, token, &l, id, nil)
	if err != nil {
		return cloud.Evidence{}, err
	}
	return followed(&l, handle, c), nil
}

// operation reads the status of an operation. Only its id is taken from an answer, never
// an address.
func (d *plans) operation(ctx context.Context, token azcore.AccessToken, l *look, id string) (string, error) {
	if !guidForm.MatchString(id) {
		return "", readError(opOperation, errors.New("the handle is no operation"))
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	resp, err := d.get(ctx, token, "/providers/Microsoft.Capacity/operationResults/"+id, "api-version=2020-10-01-preview")
	if err != nil {
		return "", readError(opOperation, err, token)
	}
	l.seen(resp)
	if !runtime.HasStatusCode(resp, http.StatusOK, http.StatusAccepted) {
		return "", readError(opOperation, runtime.NewResponseError(resp), token)
	}
	var got struct {
		Status string `json:"status"`
	}
	if err := runtime.UnmarshalAsJSON(resp, &got); err != nil {
		return "", readError(opOperation, err, token)
	}
	return got.Status, nil
}
