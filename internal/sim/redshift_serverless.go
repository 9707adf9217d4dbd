package sim

import (
	_ "embed"
	"regexp"
	"strings"
	"time"

	"bursar/internal/money"
)

//go:embed redshift_serverless_prices.csv
var redshiftServerlessPrices string

// Reservations of Amazon Redshift Serverless: a capacity in RPUs for a year.
// Source of names, parameters, errors and terms: botocore 1.43.67 and the Redshift
// management guide, checked against the Go SDK (redshiftserverless v1.35.2). A
// client token must be a UUIDv4 and is shown nowhere. That a token is remembered is
// what its name says; for how long is not published, nor what becomes of one that
// comes back with another order: here that is the conflict that the model declares.
// Nor are the quota and the form of an ARN published. Charges are taken for those
// of one RPU.
func init() {
	pages := &pager{token: "nextToken", size: "maxResults", low: 1, high: 100, invalid: "ValidationException"}
	register(&service{
		name: "redshift-serverless", targets: []string{"RedshiftServerless"}, regional: true, protocol: awsJSON,
		codes: jsonCodes(map[string]string{
			"InternalFailure":             "InternalServerException",
			"InvalidParameterCombination": "ValidationException",
			"InvalidParameterValue":       "ValidationException",
			"MissingParameter":            "ValidationException",
		}),
		operations: map[string]*operation{
			"ListReservationOfferings": {
				pages: pages, members: []string{"maxResults", "nextToken"}, numbers: []string{"maxResults"}, run: listReservationOfferings,
			},
			"GetReservationOffering": {members: []string{"offeringId"}, run: getReservationOffering},
			"CreateReservation": {
				spends:  true,
				members: []string{"capacity", "clientToken", "offeringId"},
				numbers: []string{"capacity"},
				run:     createReservation,
			},
			"ListReservations": {
				lists: true, pages: pages, members: []string{"maxResults", "nextToken"}, numbers: []string{"maxResults"}, run: listReservations,
			},
			"GetReservation": {lists: true, members: []string{"reservationId"}, run: getReservation},
		},
		sells: &seller{
			onDemand: redshiftServerlessPrices,
			variants: func(string, string, string) []variant {
				return []variant{{plans: []plan{{oneYear, noUpfront, 200}, {oneYear, allUpfront, 240}}, times: 1}}
			},
			newID: func(c *call) string { return drawUUID(c.world.seed, "serverless reservation", c.requestID) },
			arn: func(region, account, id string) string {
				return "arn:aws:redshift-serverless:" + region + ":" + account + ":reservation/" + id
			},
			quota: 1024,
		},
	})
}

func listReservationOfferings(c *call) (node, *apiError) {
	page, next, err := paginate(c, c.catalog.byShop[shop{c.service.name, c.region}], func(*offering) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	items := list("reservationOfferingsList")
	for _, o := range page {
		fixed, hourly := c.world.quote(o)
		items.kids = append(items.kids, reservationOffering("", o.id, o.terms, fixed, hourly))
	}
	return node{kids: []node{items}}.maybe("nextToken", next), nil
}

func getReservationOffering(c *call) (node, *apiError) {
	id, err := c.in.required("offeringId")
	if err != nil {
		return node{}, err
	}
	o := c.offered(id)
	if o == nil {
		return node{}, noReservationOffering(id)
	}
	fixed, hourly := c.world.quote(o)
	return node{kids: []node{reservationOffering("reservationOffering", o.id, o.terms, fixed, hourly)}}, nil
}

func noReservationOffering(id string) *apiError {
	return fail("ResourceNotFoundException", "The specified reservation offering doesn't exist: %s", id)
}

var uuid4Form = regexp.MustCompile(`^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-4[0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$`)

func createReservation(c *call) (node, *apiError) {
	offeringID, err := c.in.required("offeringId")
	if err != nil {
		return node{}, err
	}
	if _, err := c.in.required("capacity"); err != nil {
		return node{}, err
	}
	capacity, err := c.in.integer("capacity", 0, 1, 1<<31-1)
	if err != nil {
		return node{}, err
	}
	token, given := c.in["clientToken"]
	if given && !uuid4Form.MatchString(token) {
		return node{}, fail("ValidationException", "The client token must be a valid UUIDv4")
	}
	o := c.offered(offeringID)
	if o == nil {
		return node{}, noReservationOffering(offeringID)
	}
	if r := c.remembered(token); r != nil {
		if r.OfferingID != offeringID || r.Count != capacity {
			return node{}, fail("ConflictException", "The client token was used for another reservation")
		}
		return node{kids: []node{serverlessReservation("reservation", r, c.now)}}, nil
	}
	quota := c.opts.quotaOf(c.service.name)
	if used := c.world.used(c.scope(), o.terms, c.now); capacity > quota-used {
		return node{}, fail("ServiceQuotaExceededException", "Request would exceed the quota of %d RPUs: %d are reserved and %d more were asked for", quota, used, capacity)
	}
	r := c.purchase(o, c.service.sells.newID(c), capacity, c.now)
	r.Token = token
	c.out.Bought = append(c.out.Bought, r)
	return node{kids: []node{serverlessReservation("reservation", &r, c.now)}}, nil
}

func listReservations(c *call) (node, *apiError) {
	page, next, err := paginate(c, c.world.byScope[c.scope()], func(r *reservation) (time.Time, int) { return r.VisibleAt, r.seq })
	if err != nil {
		return node{}, err
	}
	items := list("reservationsList")
	for _, r := range page {
		items.kids = append(items.kids, serverlessReservation("", r, c.asOf()))
	}
	return node{kids: []node{items}}.maybe("nextToken", next), nil
}

func getReservation(c *call) (node, *apiError) {
	id, err := c.in.required("reservationId")
	if err != nil {
		return node{}, err
	}
	r := c.world.byKey[c.world.key(c.scope(), id)]
	if r == nil || r.VisibleAt.After(c.asOf()) {
		return node{}, fail("ResourceNotFoundException", "The specified reservation doesn't exist: %s", id)
	}
	return node{kids: []node{serverlessReservation("reservation", r, c.asOf())}}, nil
}

func reservationOffering(name, id string, t terms, fixed, hourly money.Amount) node {
	return group(name,
		leaf("offeringId", id),
		integer("duration", t.Seconds),
		number("hourlyCharge", double(hourly)),
		number("upfrontCharge", double(fixed)),
		leaf("currencyCode", fixed.Currency()),
		leaf("offeringType", enumOf(t.Payment)),
	)
}

func serverlessReservation(name string, r *reservation, at time.Time) node {
	return group(name,
		leaf("reservationId", r.ID),
		leaf("reservationArn", r.arn()),
		leaf("startDate", r.StartsAt.Format(timestamp)),
		leaf("endDate", r.endsAt().Format(timestamp)),
		integer("capacity", r.Count),
		leaf("status", r.state(at)),
		reservationOffering("offering", r.OfferingID, r.terms, r.Fixed, r.Hourly),
	)
}

// enumOf is a payment in the words of the JSON services.
func enumOf(payment string) string { return strings.ToUpper(strings.ReplaceAll(payment, " ", "_")) }
