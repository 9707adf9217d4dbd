package gcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"google.golang.org/api/googleapi"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
	"bursar/internal/money"
)

// A spend-based commitment is an order of the Consumer Procurement API v1, which
// belongs to a billing account. Google keeps the request id for at least 24 hours and
// then nothing of ours but the display name, which it does not guard: two orders may
// have the same. An order that fails disappears. There is no client for this API, so
// its bodies are here.
//
// What can be bought is an offer, by an id that only documents have, and one that is
// wrong buys something else: a person puts it into the configuration, or nothing is
// sold.
const (
	opPlace         = "orders.place"
	opOrders        = "orders.list"
	opOrderProgress = "orders.operations.get"
	opBilling       = "projects.getBillingInfo"
	procurementHost = "cloudcommerceconsumerprocurement.googleapis.com"

	attrProduct = "product"
	attrOffer   = "offer" // of an order whose offer is not configured

	orderUnit  = "0.00001" // of the currency, per hour
	orderStep  = 1_000     // units: amounts have two decimals
	mostHourly = 1_000_000 * 100_000
	// tokenWindow is below the 24 hours for which a request id is remembered.
	tokenWindow = 20 * time.Hour
	// orderSettle is how long after an effect a list of orders may still miss it, which
	// is not published.
	orderSettle = 30 * time.Minute
	orderPage   = "200"
)

// Offer is a spend-based offer as a person has looked it up.
type Offer struct {
	ID      string // services/SERVICE/standardOffers/UUID, or billingAccounts/ACCOUNT/offers/OFFER
	Product string // what people call it: compute-flexible
	Term    cloud.Term
	// Regional offers are sold for one region, and the others for all.
	Regional bool
}

var (
	offerForm   = regexp.MustCompile(`^(services/[a-z0-9.-]+/standardOffers|billingAccounts/[0-9A-F-]+/offers)/[A-Za-z0-9-]+$`)
	productForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
)

// orders sells spend-based commitments.
type orders struct {
	*core
	unit money.Amount
}

var (
	_ driver.Service  = (*orders)(nil)
	_ driver.Follower = (*orders)(nil)
	_ driver.Limiter  = (*orders)(nil)
)

func newOrders(c *core) (*orders, error) {
	for i, o := range c.Offers {
		switch {
		case !offerForm.MatchString(o.ID):
			return nil, fmt.Errorf("gcp: offer %q: want services/SERVICE/standardOffers/ID", o.ID)
		case !productForm.MatchString(o.Product) || o.Term != cloud.OneYear && o.Term != cloud.ThreeYears:
			return nil, fmt.Errorf("gcp: offer %s: want a product such as compute-flexible and a term of 1y or 3y", o.ID)
		case slices.ContainsFunc(c.Offers[:i], func(p Offer) bool { return p.ID == o.ID || p.Product == o.Product && p.Term == o.Term }):
			return nil, fmt.Errorf("gcp: offer %s: its id, or its product and term, are given twice", o.ID)
		}
	}
	unit, err := money.Parse(orderUnit, c.Currency)
	return &orders{c, unit}, err
}

// billing is the name of the billing account.
func (d *orders) billing() string { return "billingAccounts/" + string(d.Account) }

// Info implements driver.Service.
func (d *orders) Info() driver.Info {
	return driver.Info{
		Lane: d.lane(), Class: cloud.ClassUnlisted, Life: d.life(), Settle: orderSettle, Window: tokenWindow, Lists: true, Answer: d.Answer,
		Attributes: []driver.Attribute{{Key: attrProduct, Example: "compute-flexible"}},
		Guarantee: "Google ignores a second order with the same request id for at least 24 hours; after that only the display name, " +
			"which carries the name of the line and which Google does not keep unique, tells whether an order is there.",
		// orders.cancel ends an order at once where its policy lets it, and this one does not.
		Final: "Google takes no commitment to spending back: it is billed until its term ends (Google Cloud, terms of committed use discounts, 2026)",
	}
}

// Allows refuses an amount that is not taken as a commitment.
func (d *orders) Allows(o cloud.Offering, quantity int64) error {
	if quantity < orderStep || quantity > mostHourly || quantity%orderStep != 0 {
		return fmt.Errorf("a commitment of %s: want 0.01 to 1000000 %s/h, with at most two decimals", o.Measure(quantity), d.Currency)
	}
	return nil
}

// Offerings are the configured offers that are sold in the region. What one costs is
// what is committed to, at most: some accounts commit to spending before the discount
// and pay less.
func (d *orders) Offerings(_ context.Context, q driver.Query) ([]cloud.Offering, error) {
	for key := range q.Attributes {
		if key != attrProduct {
			return nil, &driver.Error{Operation: opOrders, Err: fmt.Errorf("attribute %s: want %s", key, attrProduct)}
		}
	}
	if len(d.Offers) == 0 {
		return nil, &driver.Error{Operation: opOrders, Err: cause{fmt.Sprintf("no offers are configured for billing account %s: its spend-based commitments "+
			"can be recommended only; put the offer ids from Google's documents into the configuration to buy them", d.Account), driver.ErrAdvice}}
	}
	var list []cloud.Offering
	for _, o := range d.Offers {
		if o.Regional != (d.Region != Global) || q.ID != "" && q.ID != o.ID || q.Term != 0 && q.Term != o.Term ||
			q.Payment != "" && q.Payment != cloud.Monthly || q.Attributes[attrProduct] != "" && q.Attributes[attrProduct] != o.Product {
			continue
		}
		list = append(list, cloud.Offering{
			Provider: cloud.GCP, Service: Spend, Region: d.Region, ID: o.ID, Attributes: cloud.Attributes{attrProduct: o.Product},
			Term: o.Term, Payment: cloud.Monthly, Upfront: money.Zero(d.Currency), Hourly: d.unit, Unit: d.unit,
		})
	}
	return list, nil
}

// prove reads which billing account pays for the project, as the token sees it.
func (d *orders) prove(ctx context.Context, t *oauth2.Token) (time.Time, error) {
	info, header, err := d.billingOf(ctx, t)
	if err != nil {
		return time.Time{}, d.readError(opBilling, err)
	}
	wrong := func(what string) (time.Time, error) {
		return time.Time{}, &driver.Error{Operation: opBilling, Err: fmt.Errorf("%w: %s", driver.ErrWrongAccount, what)}
	}
	switch {
	case info.ProjectId != d.Project:
		return wrong("the answer is about another project than " + d.Project)
	case info.BillingAccountName != d.billing() || !info.BillingEnabled:
		return wrong("project " + d.Project + " is not paid for by billing account " + string(d.Account))
	}
	return dateOf(header), nil
}

// Quote retrieves the credential of the attempt and checks that the offer is still
// configured as it was.
func (d *orders) Quote(ctx context.Context, r driver.Request) (cloud.Quote, error) {
	fail := func(err error) (cloud.Quote, error) {
		return cloud.Quote{}, &driver.Error{Operation: opOrders, Err: err}
	}
	if err := d.accepts(r); err != nil {
		return fail(err)
	}
	t, at, err := d.open(ctx, r, d.prove)
	if err != nil {
		return cloud.Quote{}, err
	}
	list, err := d.Offerings(ctx, driver.Query{ID: r.Offering.ID})
	if err != nil {
		return cloud.Quote{}, err
	}
	if len(list) != 1 {
		return fail(driver.ErrNotSold)
	}
	if o := list[0]; !o.SameGoods(r.Offering) {
		return fail(fmt.Errorf("the offering is now %s, %s, %s", o.Attributes, o.Term, o.Payment))
	}
	d.tickets.put(t)
	return cloud.Quote{Offering: list[0], At: d.now(), CloudTime: at, Credential: fingerprint(t.token)}, nil
}

// The bodies, as the REST reference has them. Money is a double on this wire: it is
// written from and read as text.
type (
	orderBody struct {
		Name        string     `json:"name,omitempty"`
		DisplayName string     `json:"displayName"`
		LineItems   []lineItem `json:"lineItems"`
		Canceled    []lineItem `json:"cancelledLineItems"`
		CreateTime  time.Time  `json:"createTime"`
	}
	lineItem struct {
		Info lineItemInfo `json:"lineItemInfo"`
	}
	lineItemInfo struct {
		Offer        string        `json:"offer"`
		Parameters   []parameter   `json:"parameters"`
		Subscription *subscription `json:"subscription,omitempty"`
	}
	parameter struct {
		Name  string `json:"name"`
		Value struct {
			Int64  string      `json:"int64Value,omitempty"`
			Text   string      `json:"stringValue,omitempty"`
			Double json.Number `json:"doubleValue,omitempty"`
		} `json:"value"`
	}
	subscription struct {
		StartTime *time.Time `json:"startTime,omitempty"`
		EndTime   *time.Time `json:"endTime,omitempty"`
		AutoRenew bool       `json:"autoRenewalEnabled"`
	}
	placeBody struct {
		DisplayName string         `json:"displayName"`
		Items       []lineItemInfo `json:"lineItemInfo"`
		RequestID   string         `json:"requestId"`
	}
	operationBody struct {
		Name  string `json:"name"`
		Done  bool   `json:"done"`
		Error *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
		Response *orderBody `json:"response"`
	}
)

// Purchase places the order. The answer is an operation, to be followed.
func (d *orders) Purchase(ctx context.Context, r driver.Request) (cloud.Evidence, error) {
	body, err := d.body(r)
	if err != nil {
		return unsent(cloud.Evidence{Kind: cloud.EvidenceReply, Operation: opPlace, Started: d.now()}, err)
	}
	return d.spend(ctx, r, order{operation: opPlace, prove: d.prove, send: func(ctx context.Context, client *http.Client, t *oauth2.Token) (receipt, error) {
		var op operationBody
		if _, err := d.call(ctx, client, t, http.MethodPost, "orders:place", body, &op); err != nil {
			return receipt{}, err
		}
		if _, _, fits := d.handle(op.Name); !fits {
			return receipt{}, errors.New("the answer names no operation of a known form")
		}
		return receipt{handle: op.Name, id: op.Name[strings.LastIndexByte(op.Name, '/')+1:]}, nil
	}})
}

// body is the request of an order.
func (d *orders) body(r driver.Request) ([]byte, error) {
	if err := d.sendable(r); err != nil {
		return nil, err
	}
	if err := d.Allows(r.Offering, r.Quantity); err != nil {
		return nil, err
	}
	if r.Identity == "" || len(r.Identity) > 100 {
		return nil, fmt.Errorf("%.70q is not a display name of at most 100 characters", r.Identity)
	}
	perHour, err := d.unit.Mul(r.Quantity)
	if err != nil {
		return nil, err
	}
	item := lineItemInfo{Offer: r.Offering.ID, Parameters: []parameter{{Name: "hourly_commit"}}, Subscription: &subscription{}}
	item.Parameters[0].Value.Double = json.Number(perHour.Canonical())
	if d.Region != Global {
		item.Parameters = append(item.Parameters, parameter{Name: "region"})
		item.Parameters[1].Value.Text = string(d.Region)
	}
	return json.Marshal(placeBody{DisplayName: r.Identity, Items: []lineItemInfo{item}, RequestID: d.requestID(r.Identity)})
}

// handle reads the name of an operation: the order that it makes, and its own.
func (d *orders) handle(name string) (order, operation string, fits bool) {
	rest, ours := strings.CutPrefix(name, d.billing()+"/orders/")
	order, operation, both := strings.Cut(rest, "/operations/")
	return order, operation, ours && both && idForm.MatchString(order) && idForm.MatchString(operation)
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$`)

// call asks the API once. path is below the billing account. An error of the API is a
// *googleapi.Error, as the SDK's are.
func (d *orders) call(ctx context.Context, client *http.Client, t *oauth2.Token, method, path string, body []byte, into any) (http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, d.at(procurementHost, "/v1/"+d.billing()+"/"+path), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	d.authorize(req.Header, t)
	req.Header.Set("User-Agent", userAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 8*oneshot.MaxReply))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		if err := googleapi.CheckResponseWithBody(resp, raw); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("an answer with status %s", resp.Status)
	}
	if err := whole(raw); err != nil {
		return nil, err
	}
	return resp.Header, json.Unmarshal(raw, into)
}

// Poll asks what became of an order. One whose operation is done with an error has
// disappeared.
func (d *orders) Poll(ctx context.Context, r driver.Request, handle string) (cloud.Evidence, error) {
	fail := func(err error) (cloud.Evidence, error) {
		return cloud.Evidence{}, &driver.Error{Operation: opOrderProgress, Err: err}
	}
	if r.Account != d.Account {
		return fail(driver.ErrWrongAccount)
	}
	id, operation, fits := d.handle(handle)
	if !fits {
		return fail(errors.New("the handle is not an operation of the billing account"))
	}
	token, err := d.reader(ctx, d.prove)
	if err != nil {
		return cloud.Evidence{}, err
	}
	ev := cloud.Evidence{Kind: cloud.EvidenceListing, Operation: opOrderProgress, Started: d.now(), Handle: handle, Outcome: cloud.Accepted, Status: http.StatusOK}
	var op operationBody
	header, err := read(ctx, func(ctx context.Context) (http.Header, error) {
		op = operationBody{}
		return d.call(ctx, d.reads, token, http.MethodGet, "orders/"+id+"/operations/"+operation, nil, &op)
	})
	if err != nil {
		return cloud.Evidence{}, d.readError(opOrderProgress, err)
	}
	ev.CloudTime = dateOf(header)
	switch {
	case op.Name != handle:
		return fail(errors.New("the answer is about another operation"))
	case !op.Done:
		ev.Detail = "the order is being carried out"
	case op.Error != nil:
		ev.Outcome, ev.Detail = cloud.Refused, quiet(errors.New(op.Error.Message)).Error()
		ev.Code = fmt.Sprint(op.Error.Code) // of google.rpc.Code
	case op.Response == nil:
		ev.Detail = "the order is done, and the answer does not show it"
	default:
		c, here, err := d.commitment(*op.Response)
		if err == nil && (!here || c.ID != id) {
			err = errors.New("the answer is about another order")
		}
		if err != nil {
			return fail(err)
		}
		ev.Outcome, ev.Commitment, ev.Detail = cloud.Bought, &c, fmt.Sprintf("order %s is %s", c.ID, c.State)
	}
	return ev, nil
}

// Find lists the orders of the billing account that are of the region: all of them, or
// those under r.Identities, by their display names.
func (d *orders) Find(ctx context.Context, r driver.Request) ([]cloud.Evidence, error) {
	if r.Account != d.Account {
		return nil, &driver.Error{Operation: opOrders, Err: driver.ErrWrongAccount}
	}
	absent := cloud.Evidence{Kind: cloud.EvidenceAbsence, Operation: opOrders, Started: d.now(), Status: http.StatusOK}
	token, err := d.reader(ctx, d.prove)
	if err != nil {
		return nil, err
	}
	var found []cloud.Evidence
	seen := map[string]bool{}
	err = pages(func(page string) (string, error) {
		query := url.Values{"pageSize": {orderPage}}
		if page != "" {
			query.Set("pageToken", page)
		}
		var got struct {
			Orders []orderBody `json:"orders"`
			Next   string      `json:"nextPageToken"`
		}
		header, err := read(ctx, func(ctx context.Context) (http.Header, error) {
			got.Orders, got.Next = nil, ""
			return d.call(ctx, d.reads, token, http.MethodGet, "orders?"+query.Encode(), nil, &got)
		})
		if err != nil {
			return "", err
		}
		if absent.CloudTime.IsZero() {
			absent.CloudTime = dateOf(header)
		}
		for _, o := range got.Orders {
			c, here, err := d.commitment(o)
			if err != nil {
				return "", err
			}
			ours := len(r.Identities) == 0 || slices.ContainsFunc(r.Identities, func(s string) bool { return s != "" && strings.EqualFold(s, c.Name) })
			if !here || !ours || seen[c.ID] {
				continue
			}
			seen[c.ID] = true
			found = append(found, cloud.Evidence{
				Kind: cloud.EvidenceListing, Operation: opOrders, Started: absent.Started, CloudTime: absent.CloudTime, Status: http.StatusOK,
				Detail: fmt.Sprintf("order %s is %s", c.ID, c.State), Commitment: &c,
			})
		}
		return got.Next, nil
	})
	if err != nil {
		return nil, d.readError(opOrders, err)
	}
	if len(found) == 0 {
		absent.Detail = "the billing account has no such order"
		found = []cloud.Evidence{absent}
	}
	return found, nil
}

// commitment translates an order; here is false for one that is of another region. An
// order of several items is shown by its first.
func (d *orders) commitment(o orderBody) (c cloud.Commitment, here bool, err error) {
	id, ours := strings.CutPrefix(o.Name, d.billing()+"/orders/")
	if !ours || !idForm.MatchString(id) {
		return c, false, errors.New("an order of another billing account")
	}
	c = cloud.Commitment{
		Lane: d.lane(), ID: id, Name: o.DisplayName, ARN: o.Name, Attributes: cloud.Attributes{}, Payment: cloud.Monthly, Quantity: 1,
		Upfront: money.Zero(d.Currency), Hourly: d.unit, Unit: d.unit, State: cloud.Unknown, Start: o.CreateTime.UTC(),
	}
	items := o.LineItems
	if len(items) == 0 {
		items = o.Canceled // of which nothing says what is still owed
	}
	if len(items) == 0 {
		return c, d.Region == Global, nil
	}
	item := items[0].Info
	c.OfferingID = item.Offer
	region, perHour := string(Global), ""
	for _, p := range item.Parameters {
		switch p.Name {
		case "hourly_commit":
			perHour = p.Value.Double.String() + p.Value.Int64
		case "region":
			region = p.Value.Text
		}
	}
	if region != string(d.Region) {
		return c, false, nil
	}
	if i := slices.IndexFunc(d.Offers, func(known Offer) bool { return known.ID == item.Offer }); i >= 0 {
		c.Attributes[attrProduct], c.Term = d.Offers[i].Product, d.Offers[i].Term
	} else {
		c.Attributes[attrOffer] = item.Offer
	}
	if s := item.Subscription; s != nil && s.StartTime != nil {
		c.Start = s.StartTime.UTC()
		if s.EndTime != nil && c.Term == 0 {
			c.Term = cloud.Term(12 * (s.EndTime.Year() - s.StartTime.Year()))
		}
		if len(o.LineItems) > 0 {
			switch c.State = cloud.Active; {
			case s.EndTime != nil && !d.now().Before(*s.EndTime):
				c.State = cloud.Retired
			case d.now().Before(c.Start):
				c.State = cloud.Pending
			}
		}
	}
	if perHour == "" {
		return c, true, nil
	}
	return c, true, d.measure(&c, perHour)
}

// measure sets the quantity from an amount per hour. One that is no whole number of
// units is one unit of its own.
func (d *orders) measure(c *cloud.Commitment, perHour string) error {
	exact, ok := new(big.Rat).SetString(perHour)
	if !ok || exact.Sign() < 0 {
		return fmt.Errorf("order %s: its commitment %q is not an amount", c.ID, perHour)
	}
	amount, err := money.Parse(strings.TrimRight(strings.TrimRight(exact.FloatString(9), "0"), "."), d.Currency)
	if err != nil {
		return fmt.Errorf("order %s: %w", c.ID, err)
	}
	if n, err := (cloud.Offering{Unit: d.unit}).Count(amount); err == nil {
		c.Quantity = n
		return nil
	}
	c.Unit, c.Hourly = amount, amount
	return nil
}
