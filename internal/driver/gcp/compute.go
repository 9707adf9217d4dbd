package gcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"google.golang.org/api/compute/v1"
	"google.golang.org/api/option"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/money"
)

// A resource-based commitment is to vCPUs and memory of a machine family in one
// region, for a project. A line is one of them: what it holds are its attributes and
// its quantity is 1, as commitments are made to measure and there is no list of them.
//
// Its name is ours, unique in project and region, and nothing can be deleted, so it
// guards a purchase for good. A request id is remembered besides: the same operation
// is answered again while it is, and 409 on the name afterwards. Compute Engine does
// not say for how long.
//
// Accelerators and local disks are listed and not sold: Compute Engine wants
// reservations with them, which are billed resources of their own.
const (
	opInsert    = "regionCommitments.insert"
	opGet       = "regionCommitments.get"
	opList      = "regionCommitments.list"
	opOperation = "regionOperations.get"
	opRegion    = "regions.get"
	computeHost = "compute.googleapis.com"

	attrType   = "type"
	attrVCPU   = "vcpu"
	attrMemory = "memory_gb"

	memoryStep = 256 // MB: memory is a multiple of it
)

var (
	commitmentName = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)
	operationName  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,127}$`)
	typeForm       = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	wholeForm      = regexp.MustCompile(`^[1-9][0-9]{0,5}$`)
	quartersForm   = regexp.MustCompile(`^(0|[1-9][0-9]{0,6})(\.(25|5|75))?$`)
)

// plans are the terms in Google's words.
var plans = map[cloud.Term]string{cloud.OneYear: "TWELVE_MONTH", cloud.ThreeYears: "THIRTY_SIX_MONTH"}

// states are those of a commitment. One that is not yet active is bound like an active
// one and starts by itself at midnight in Los Angeles. CANCELLED is deprecated, and
// nothing says what is owed for it: it is unknown, like a word that is not here.
var states = map[string]cloud.CommitmentState{
	"CREATING":       cloud.Pending,
	"NOT_YET_ACTIVE": cloud.Active,
	"ACTIVE":         cloud.Active,
	"EXPIRED":        cloud.Retired,
}

// commitments sells resource-based commitments.
type commitments struct{ *core }

var (
	_ driver.Service  = (*commitments)(nil)
	_ driver.Follower = (*commitments)(nil)
	_ driver.Limiter  = (*commitments)(nil)
)

// Info implements driver.Service.
func (d *commitments) Info() driver.Info {
	return driver.Info{
		Lane: d.lane(), Class: cloud.ClassName, Life: d.life(), Settle: settleTime, Answer: d.Answer,
		Attributes: []driver.Attribute{
			{Key: attrType, Example: "general-purpose-n2"},
			{Key: attrVCPU, Example: "64"},
			{Key: attrMemory, Example: "256"},
		},
		Guarantee: "Compute Engine keeps the name of a commitment unique in its project and region, and no commitment can be deleted: " +
			"a second request under the same name buys nothing.",
		Final: finalCommitment,
	}
}

// finalCommitment is of the discovery document: neither v1 nor beta has delete or
// cancel, update knows renewal and a longer term only, and merging and splitting end
// nothing.
const finalCommitment = "Google takes no commitment of Compute Engine back, and no method of its API ends one before its term (regionCommitments of compute v1, revision 20261026)"

// resources are what a commitment is to.
type resources struct{ vcpu, memoryMB int64 }

func resourcesOf(a cloud.Attributes) (resources, error) {
	var r resources
	if !wholeForm.MatchString(a[attrVCPU]) {
		return r, fmt.Errorf("%s %q: want a whole number of vCPUs", attrVCPU, a[attrVCPU])
	}
	r.vcpu, _ = strconv.ParseInt(a[attrVCPU], 10, 64)
	m := quartersForm.FindStringSubmatch(a[attrMemory])
	if m == nil || a[attrMemory] == "0" {
		return r, fmt.Errorf("%s %q: want gibibytes in steps of 0.25, such as 256 or 0.5", attrMemory, a[attrMemory])
	}
	gb, _ := strconv.ParseInt(m[1], 10, 64)
	r.memoryMB = gb*mbPerGB + map[string]int64{"": 0, "25": 256, "5": 512, "75": 768}[m[3]]
	return r, nil
}

// gibibytes is memory as an attribute.
func gibibytes(mb int64) string {
	text := strconv.FormatInt(mb/mbPerGB, 10)
	if rest := mb % mbPerGB; rest != 0 {
		text += "." + strings.TrimRight(fmt.Sprintf("%05d", rest*100_000/mbPerGB), "0")
	}
	return text
}

// kindOf is a type in Google's words; an attribute has gcloud's: general-purpose-n2.
func kindOf(attribute string) string {
	return strings.ToUpper(strings.ReplaceAll(attribute, "-", "_"))
}

func typeOf(kind string) string { return strings.ToLower(strings.ReplaceAll(kind, "_", "-")) }

// Allows refuses more than one: a commitment is made to measure.
func (d *commitments) Allows(_ cloud.Offering, quantity int64) error {
	if quantity != 1 {
		return fmt.Errorf("quantity %d: a line is one commitment: put all vCPUs and memory into it, and make the quantity 1", quantity)
	}
	return nil
}

// Offerings makes the offerings of what is asked for, one for each term. Without
// vCPUs and memory there is nothing to price, which is an error.
func (d *commitments) Offerings(ctx context.Context, q driver.Query) ([]cloud.Offering, error) {
	fail := func(err error) ([]cloud.Offering, error) {
		return nil, &driver.Error{Operation: opSKUs, Err: err}
	}
	for key := range q.Attributes {
		if !slices.Contains([]string{attrType, attrVCPU, attrMemory}, key) {
			return fail(fmt.Errorf("attribute %s: want %s, %s and %s", key, attrType, attrVCPU, attrMemory))
		}
	}
	kind := q.ID
	if kind == "" {
		kind = kindOf(q.Attributes[attrType])
	}
	if q.ID != "" && !known(q.ID) || q.Attributes[attrType] != "" && q.Attributes[attrType] != typeOf(kind) ||
		q.Payment != "" && q.Payment != cloud.Monthly {
		return nil, nil
	}
	what, err := resourcesOf(q.Attributes)
	if kind == "" || err != nil {
		return fail(orElse(err, attrType+" is missing"))
	}
	if why := unsold(kind); why != "" {
		return nil, errors.New(why)
	}
	if !typeForm.MatchString(typeOf(kind)) || !known(kind) {
		return nil, nil
	}
	token, err := d.reader(ctx, d.prove)
	if err != nil {
		return nil, err
	}
	rates, err := d.prices(ctx, token)
	if err != nil {
		return nil, err
	}
	var list []cloud.Offering
	for _, term := range []cloud.Term{cloud.OneYear, cloud.ThreeYears} {
		if q.Term != 0 && q.Term != term {
			continue
		}
		price, listed, err := d.hourly(rates, kind, term, what)
		if err != nil {
			return fail(err)
		}
		if !listed {
			continue
		}
		list = append(list, cloud.Offering{
			Provider: cloud.GCP, Service: Compute, Region: d.Region, ID: kind,
			Attributes: cloud.Attributes{attrType: typeOf(kind), attrVCPU: q.Attributes[attrVCPU], attrMemory: q.Attributes[attrMemory]},
			Term:       term, Payment: cloud.Monthly, Upfront: money.Zero(d.Currency), Hourly: price,
		})
	}
	return list, nil
}

// client is a client of the SDK for one call.
func (d *commitments) client(ctx context.Context, client *http.Client) (*compute.Service, error) {
	return compute.NewService(ctx, option.WithHTTPClient(client), option.WithEndpoint(d.at(computeHost, "/compute/v1/")), option.WithUserAgent(userAgent))
}

// prove reads the region as the token sees it in the project.
func (d *commitments) prove(ctx context.Context, t *oauth2.Token) (time.Time, error) {
	got, err := read(ctx, func(ctx context.Context) (*compute.Region, error) {
		api, err := d.client(ctx, d.reads)
		if err != nil {
			return nil, err
		}
		call := api.Regions.Get(string(d.Account), string(d.Region)).Context(ctx)
		d.authorize(call.Header(), t)
		return call.Do()
	})
	if err != nil {
		return time.Time{}, d.readError(opRegion, err)
	}
	if !strings.HasSuffix(got.SelfLink, d.path("")) {
		return time.Time{}, &driver.Error{Operation: opRegion, Err: fmt.Errorf("%w: the answer is about another project than %s", driver.ErrWrongAccount, d.Account)}
	}
	return dateOf(got.Header), nil
}

// path is where something is in the project and region, without a host.
func (d *commitments) path(rest string) string {
	return "/projects/" + string(d.Account) + "/regions/" + string(d.Region) + rest
}

// Quote retrieves the credential of the attempt and returns today's list price of the
// offering, which must still be the same goods.
func (d *commitments) Quote(ctx context.Context, r driver.Request) (cloud.Quote, error) {
	return d.quote(ctx, r, d.Offerings)
}

func (d *commitments) quote(ctx context.Context, r driver.Request, offerings func(context.Context, driver.Query) ([]cloud.Offering, error)) (cloud.Quote, error) {
	fail := func(err error) (cloud.Quote, error) {
		return cloud.Quote{}, &driver.Error{Operation: opSKUs, Err: err}
	}
	if err := d.accepts(r); err != nil {
		return fail(err)
	}
	t, at, err := d.open(ctx, r, d.prove)
	if err != nil {
		return cloud.Quote{}, err
	}
	list, err := offerings(ctx, driver.Query{ID: r.Offering.ID, Attributes: r.Offering.Attributes, Term: r.Offering.Term, Payment: r.Offering.Payment})
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

// Purchase inserts the commitment. The answer is an operation, to be followed.
func (d *commitments) Purchase(ctx context.Context, r driver.Request) (cloud.Evidence, error) {
	err := d.checkOrder(r, d)
	var what resources
	if err == nil {
		what, err = resourcesOf(r.Offering.Attributes)
	}
	return d.insert(ctx, r, err, &compute.Commitment{
		Category: "MACHINE", Type: r.Offering.ID,
		Resources: []*compute.ResourceCommitment{
			{Type: "VCPU", Amount: what.vcpu},
			{Type: "MEMORY", Amount: what.memoryMB},
		},
	})
}

// insert completes the body with what all commitments have and sends it, unless there
// is an error already.
func (d *commitments) insert(ctx context.Context, r driver.Request, err error, body *compute.Commitment) (cloud.Evidence, error) {
	if err != nil {
		return unsent(cloud.Evidence{Kind: cloud.EvidenceReply, Operation: opInsert, Started: d.now()}, err)
	}
	body.Name, body.Description, body.Plan = r.Identity, "bought by Bursar", plans[r.Offering.Term]
	body.ForceSendFields = []string{"AutoRenew"} // false, and never what the default becomes
	return d.spend(ctx, r, order{operation: opInsert, prove: d.prove, send: func(ctx context.Context, client *http.Client, t *oauth2.Token) (receipt, error) {
		api, err := d.client(ctx, client)
		if err != nil {
			return receipt{}, err
		}
		id := d.requestID(r.Identity)
		call := api.RegionCommitments.Insert(string(d.Account), string(d.Region), body).RequestId(id).Context(ctx)
		d.authorize(call.Header(), t)
		op, err := call.Do()
		if err != nil {
			return receipt{}, err
		}
		return d.receipt(op, id, r)
	}})
}

// checkOrder checks of a purchase what is the same for all commitments.
func (d *commitments) checkOrder(r driver.Request, l driver.Limiter) error {
	if err := d.sendable(r); err != nil {
		return err
	}
	if !commitmentName.MatchString(r.Identity) {
		return fmt.Errorf("%.70q is not a commitment's name: want at most 63 lower-case letters, digits and hyphens, a letter first", r.Identity)
	}
	if err := l.Allows(r.Offering, r.Quantity); err != nil {
		return err
	}
	if plans[r.Offering.Term] == "" || r.Offering.Payment != cloud.Monthly {
		return fmt.Errorf("%s, %s: want 1y or 3y, %s", r.Offering.Term, r.Offering.Payment, cloud.Monthly)
	}
	return nil
}

// receipt reads the operation that an insert was answered with, which must be about
// the commitment that was asked for.
func (d *commitments) receipt(op *compute.Operation, requestID string, r driver.Request) (receipt, error) {
	switch {
	case !operationName.MatchString(op.Name):
		return receipt{}, errors.New("the answer names no operation of a known form")
	case op.OperationType != "insert" || !strings.HasSuffix(op.TargetLink, d.path("/commitments/"+r.Identity)):
		return receipt{}, errors.New("the answer is about something else than the commitment")
	case op.ClientOperationId != "" && op.ClientOperationId != requestID:
		return receipt{}, errors.New("the answer is about another request")
	}
	return receipt{handle: op.Name, id: strconv.FormatUint(op.Id, 10)}, nil
}

// Poll asks what became of an operation. One that is done has bought, unless its body
// holds errors, whatever its status says; a name that was taken shows only there.
func (d *commitments) Poll(ctx context.Context, r driver.Request, handle string) (cloud.Evidence, error) {
	fail := func(err error) (cloud.Evidence, error) {
		return cloud.Evidence{}, &driver.Error{Operation: opOperation, Err: err}
	}
	if r.Account != d.Account {
		return fail(driver.ErrWrongAccount)
	}
	if !operationName.MatchString(handle) {
		return fail(errors.New("the handle is not the name of an operation"))
	}
	token, err := d.reader(ctx, d.prove)
	if err != nil {
		return cloud.Evidence{}, err
	}
	ev := cloud.Evidence{Kind: cloud.EvidenceListing, Operation: opOperation, Started: d.now(), Handle: handle, Outcome: cloud.Accepted}
	op, err := read(ctx, func(ctx context.Context) (*compute.Operation, error) {
		api, err := d.client(ctx, d.reads)
		if err != nil {
			return nil, err
		}
		call := api.RegionOperations.Get(string(d.Account), string(d.Region), handle).Context(ctx)
		d.authorize(call.Header(), token)
		return call.Do()
	})
	if saysMissing(err) { // old operations are not kept; what it made stands
		ev.Detail = handle + " is not listed any more"
		return d.made(ctx, token, r, ev)
	}
	if err != nil {
		return cloud.Evidence{}, d.readError(opOperation, err)
	}
	ev.Status, ev.CloudTime, ev.RequestID = op.HTTPStatusCode, dateOf(op.Header), strconv.FormatUint(op.Id, 10)
	if _, err := d.receipt(op, d.requestID(r.Identity), r); err != nil {
		return fail(err)
	}
	failed := op.Error != nil && len(op.Error.Errors) > 0
	switch {
	case op.Status != "DONE":
		ev.Detail = handle + " is " + op.Status
		return ev, nil
	case failed:
		first := op.Error.Errors[0]
		ev.Code, ev.Detail = first.Code, quiet(errors.New(first.Message)).Error()
		ev.Outcome = cloud.Refused
		if slices.ContainsFunc(op.Error.Errors, func(e *compute.OperationErrorErrors) bool { return e.Code == "RESOURCE_ALREADY_EXISTS" }) {
			ev.Outcome = cloud.Exists
		}
		return ev, nil
	case op.HttpErrorStatusCode >= 400:
		ev.Outcome, ev.Code, ev.Detail = cloud.Refused, op.HttpErrorMessage, "the operation failed: "+http.StatusText(int(op.HttpErrorStatusCode))
		return ev, nil
	}
	ev.Detail = handle + " is done; the commitment is not listed yet"
	return d.made(ctx, token, r, ev)
}

// made looks for what an operation made and says Bought in ev if it is there.
func (d *commitments) made(ctx context.Context, token *oauth2.Token, r driver.Request, ev cloud.Evidence) (cloud.Evidence, error) {
	got, at, err := d.get(ctx, token, r.Identity)
	if err != nil || got == nil {
		return ev, err
	}
	ev.Outcome, ev.Commitment, ev.Detail = cloud.Bought, got, fmt.Sprintf("commitment %s is %s", got.ID, got.State)
	if ev.CloudTime.IsZero() {
		ev.CloudTime = at
	}
	return ev, nil
}

// get reads one commitment, nil if there is none.
func (d *commitments) get(ctx context.Context, token *oauth2.Token, name string) (*cloud.Commitment, time.Time, error) {
	got, err := read(ctx, func(ctx context.Context) (*compute.Commitment, error) {
		api, err := d.client(ctx, d.reads)
		if err != nil {
			return nil, err
		}
		call := api.RegionCommitments.Get(string(d.Account), string(d.Region), name).Context(ctx)
		d.authorize(call.Header(), token)
		return call.Do()
	})
	if saysMissing(err) {
		return nil, errorDate(err), nil
	}
	if err != nil {
		return nil, time.Time{}, d.readError(opGet, err)
	}
	at := dateOf(got.Header)
	rates, err := d.prices(ctx, token)
	if err != nil {
		return nil, at, err
	}
	c, err := d.commitment(got, rates)
	if err == nil && c.ID != name {
		err = errors.New("asked for one commitment, Google showed another")
	}
	if err != nil {
		return nil, at, &driver.Error{Operation: opGet, Err: err}
	}
	return &c, at, nil
}

// Find returns what exists under r.Identities, or the whole inventory without them.
func (d *commitments) Find(ctx context.Context, r driver.Request) ([]cloud.Evidence, error) {
	if r.Account != d.Account {
		return nil, &driver.Error{Operation: opList, Err: driver.ErrWrongAccount}
	}
	absent := cloud.Evidence{Kind: cloud.EvidenceAbsence, Operation: opList, Started: d.now(), Status: http.StatusOK, Detail: "the project has no commitment in the region"}
	token, err := d.reader(ctx, d.prove)
	if err != nil {
		return nil, err
	}
	var found []cloud.Evidence
	show := func(c cloud.Commitment, outcome cloud.Outcome) {
		found = append(found, cloud.Evidence{
			Kind: cloud.EvidenceListing, Outcome: outcome, Operation: absent.Operation, Started: absent.Started, CloudTime: absent.CloudTime,
			Status: http.StatusOK, Detail: fmt.Sprintf("commitment %s is %s", c.ID, c.State), Commitment: &c,
		})
	}
	if len(r.Identities) == 0 {
		err = d.list(ctx, token, &absent.CloudTime, func(c cloud.Commitment) { show(c, cloud.InDoubt) })
	} else {
		absent.Operation = opGet
		for i, name := range r.Identities {
			name = strings.ToLower(name)
			if !commitmentName.MatchString(name) {
				return nil, &driver.Error{Operation: opGet, Err: fmt.Errorf("%.70q is not a commitment's name", name)}
			}
			if slices.ContainsFunc(r.Identities[:i], func(s string) bool { return strings.EqualFold(s, name) }) {
				continue
			}
			var got *cloud.Commitment
			var at time.Time
			if got, at, err = d.get(ctx, token, name); err != nil {
				break
			}
			if absent.CloudTime.IsZero() {
				absent.CloudTime = at
			}
			absent.Status, absent.Code, absent.Detail = http.StatusNotFound, "notFound", fmt.Sprintf("no commitment under %d names", i+1)
			if got != nil {
				show(*got, cloud.Exists)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		found = []cloud.Evidence{absent}
	}
	return found, nil
}

// list shows every commitment of the region, and writes the time of the first answer
// to at.
func (d *commitments) list(ctx context.Context, token *oauth2.Token, at *time.Time, show func(cloud.Commitment)) error {
	seen := map[string]bool{}
	err := pages(func(page string) (string, error) {
		got, err := read(ctx, func(ctx context.Context) (*compute.CommitmentList, error) {
			api, err := d.client(ctx, d.reads)
			if err != nil {
				return nil, err
			}
			call := api.RegionCommitments.List(string(d.Account), string(d.Region)).MaxResults(500).Context(ctx)
			if page != "" {
				call.PageToken(page)
			}
			d.authorize(call.Header(), token)
			return call.Do()
		})
		if err != nil {
			return "", err
		}
		if got.Kind != "compute#commitmentList" { // an empty list has no items at all
			return "", errors.New("the answer is no list of commitments")
		}
		if at.IsZero() {
			*at = dateOf(got.Header)
		}
		if len(got.Items) > 0 {
			rates, err := d.prices(ctx, token)
			if err != nil {
				return "", err
			}
			for _, item := range got.Items {
				if (item.Category == "LICENSE") != (d.service == Licenses) {
					continue // the other service's
				}
				c, err := d.commitment(item, rates)
				if err != nil {
					return "", err
				}
				if !seen[c.ID] {
					seen[c.ID] = true
					show(c)
				}
			}
		}
		return got.NextPageToken, nil
	})
	var inner *driver.Error
	if err != nil && !errors.As(err, &inner) {
		err = d.readError(opList, err)
	}
	return err
}

// commitment translates a commitment, which must be of our project and region. One
// whose price the list does not name has none.
func (d *commitments) commitment(item *compute.Commitment, rates map[rate]money.Amount) (cloud.Commitment, error) {
	c := cloud.Commitment{
		Lane: d.lane(), ID: item.Name, OfferingID: item.Type, Attributes: cloud.Attributes{}, Payment: cloud.Monthly, Quantity: 1,
		Upfront: money.Zero(d.Currency), Hourly: money.Zero(d.Currency), State: cloud.Unknown,
	}
	if c.ID == "" {
		return c, errors.New("a commitment without a name")
	}
	here := d.path("/commitments/" + item.Name)
	if !strings.HasSuffix(item.SelfLink, here) {
		return c, fmt.Errorf("commitment %s is of another project or region", c.ID)
	}
	c.ARN = strings.TrimPrefix(here, "/")
	if s, ok := states[item.Status]; ok {
		c.State = s
	}
	for term, plan := range plans {
		if plan == item.Plan {
			c.Term = term
		}
	}
	start := item.StartTimestamp
	if start == "" {
		start = item.CreationTimestamp
	}
	at, err := time.Parse(time.RFC3339, start)
	if err != nil {
		return c, fmt.Errorf("commitment %s: its start %q is not a time", c.ID, start)
	}
	c.Start = at.UTC()
	c.Attributes[attrType] = typeOf(item.Type)
	var what resources
	plain := item.Category == "MACHINE" || item.Category == ""
	for _, r := range item.Resources {
		switch r.Type {
		case "VCPU":
			what.vcpu += r.Amount
		case "MEMORY":
			what.memoryMB += r.Amount
		default:
			plain = false
			c.Attributes[strings.ToLower(strings.Trim(r.Type+" "+r.AcceleratorType, " "))] = strconv.FormatInt(r.Amount, 10)
		}
	}
	if what.vcpu > 0 {
		c.Attributes[attrVCPU] = strconv.FormatInt(what.vcpu, 10)
	}
	if what.memoryMB > 0 {
		c.Attributes[attrMemory] = gibibytes(what.memoryMB)
	}
	if item.LicenseResource != nil {
		l := licenseOf(item.LicenseResource, c.Term)
		c.OfferingID, c.Attributes, c.Quantity = l.key(), l.attributes(), item.LicenseResource.Amount
		if price, listed := rates[rate{kind: l.key()}]; listed {
			c.Hourly = price
		}
		return c, nil
	}
	if !plain {
		return c, nil
	}
	c.Hourly, _, err = d.hourly(rates, item.Type, c.Term, what)
	return c, err
}
