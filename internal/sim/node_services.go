package sim

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/money"
)

// The services that sell reserved instances, cache nodes and nodes have the same
// three operations: list offerings, buy, list what was bought. A wording is what
// one of them calls things on its wire.
type wording struct {
	offeringID, id, count string         // request members; no id if the service names what it sells
	name                  string         // of a purchase; "" if the buyer gives none beside the id
	ids                   *regexp.Regexp // form of the ids that the service makes; nil is not checked
	tags                  string         // request list, "Tags.Tag"; "" if there is none
	tagAction             string         // a permission that a purchase with tags needs too
	offerings, offering   string         // the list and its records
	bought, one           string
	nouns                 string // "reserved DB instances", for people
	duration, payment     string // filters both listings have; "" if they have none
	filters               []filter
	own                   map[string]func(*reservation) string // filters only the second has

	offeringNotFound, notFound, exists, quota string // error codes
	invalid                                   string // of a value

	offers  func(o *offering, fixed, hourly money.Amount) []node
	records func(r *reservation, id string, at time.Time) []node
	// answer is what the answer to a purchase holds; nil is the record of it.
	answer func(r *reservation) []node
}

// filter is a request member that selects by an attribute; "class" is one.
type filter struct {
	member    string
	attribute string
	partly    bool // in offerings, a part of the attribute is enough
	boolean   bool
}

func (t terms) attribute(name string) string {
	if name == "class" {
		return t.Class
	}
	return t.Attributes[name]
}

// offeringsOf lists what is for sale.
func (v *wording) offeringsOf(c *call) (node, *apiError) {
	keep, err := v.filter(c, true)
	if err != nil {
		return node{}, err
	}
	id, byID := c.in[v.offeringID]
	if err := v.formed(v.offeringID, id); byID && err != nil {
		return node{}, err
	}
	if byID && c.offered(id) == nil {
		return node{}, v.noOffering(id)
	}
	var found []*offering
	for _, o := range c.catalog.byShop[shop{c.service.name, c.region}] {
		if (!byID || o.id == id) && keep(o.terms) {
			found = append(found, o)
		}
	}
	page, next, err := paginate(c, found, func(*offering) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	items := list(v.offerings)
	for _, o := range page {
		fixed, hourly := c.world.quote(o)
		items.kids = append(items.kids, group(v.offering, v.offers(o, fixed, hourly)...))
	}
	out := node{}.maybe(c.op.pages.out(), next)
	out.kids = append(out.kids, items)
	return out, nil
}

// formed checks an id that the service made.
func (v *wording) formed(member, id string) *apiError {
	if v.ids == nil || v.ids.MatchString(id) {
		return nil
	}
	return fail(v.invalid, "Value %q at %s failed to satisfy constraint: Member must satisfy regular expression pattern: %s", id, member, v.ids)
}

func (v *wording) noOffering(id string) *apiError {
	return fail(v.offeringNotFound, "The specified offering is not found: %s", id)
}

// reservationsOf lists what was bought, in every state.
func (v *wording) reservationsOf(c *call) (node, *apiError) {
	keep, err := v.filter(c, false)
	if err != nil {
		return node{}, err
	}
	at := c.asOf()
	wants := func(r *reservation) bool {
		for member, value := range v.own {
			if want, ok := c.in[member]; ok && want != value(r) {
				return false
			}
		}
		return keep(r.terms)
	}
	items := list(v.bought)
	member := v.id
	if member == "" {
		member = v.one + "Id"
	}
	if id, ok := c.in[member]; ok {
		if err := v.formed(member, id); err != nil {
			return node{}, err
		}
		r := c.world.byKey[c.world.key(c.scope(), id)]
		if r == nil || r.VisibleAt.After(at) {
			return node{}, fail(v.notFound, "The specified %s not found: %s", strings.TrimSuffix(v.nouns, "s"), id)
		}
		if wants(r) {
			items.kids = append(items.kids, group(v.one, v.records(r, r.ID, at)...))
		}
		return node{kids: []node{items}}, nil
	}
	var found []*reservation
	for _, r := range c.world.byScope[c.scope()] {
		if wants(r) {
			found = append(found, r)
		}
	}
	page, next, err := paginate(c, found, func(r *reservation) (time.Time, int) { return r.VisibleAt, r.seq })
	if err != nil {
		return node{}, err
	}
	for _, r := range page {
		items.kids = append(items.kids, group(v.one, v.records(r, r.ID, at)...))
	}
	out := node{}.maybe(c.op.pages.out(), next)
	out.kids = append(out.kids, items)
	return out, nil
}

// buy sells.
func (v *wording) buy(c *call) (node, *apiError) {
	sells := c.service.sells
	offeringID, err := c.in.required(v.offeringID)
	if err == nil {
		err = v.formed(v.offeringID, offeringID)
	}
	if err != nil {
		return node{}, err
	}
	name := c.in[v.name]
	if v.name != "" && !validName(name) {
		return node{}, fail(v.invalid, "Value %q at %s failed to satisfy constraint: Member must have length between 5 and 64", name, v.name)
	}
	id := v.idOf(c)
	if v.id != "" && !sells.valid(id) {
		return node{}, fail(v.invalid, "The parameter %s is not a valid identifier: it must begin with a letter, hold only letters, digits and single hyphens, not end with a hyphen, and have at most %d characters", v.id, sells.idsMax)
	}
	count, err := c.in.integer(v.count, 1, 1, 1<<31-1)
	if err != nil {
		return node{}, err
	}
	var tags []Tag
	if v.tags != "" {
		if tags, err = c.in.tags(v.tags); err != nil {
			return node{}, err
		}
	}
	if len(tags) > 0 { // a dependent action of the purchase (Service Authorization Reference)
		if err := c.permit(v.tagAction, c.resource(id)); err != nil {
			return node{}, err
		}
	}
	o := c.offered(offeringID)
	if o == nil {
		return node{}, v.noOffering(offeringID)
	}
	if c.world.byKey[c.world.key(c.scope(), id)] != nil {
		return node{}, fail(v.exists, "Reservation %s already exists", id)
	}
	if v.name != "" && c.opts.OpenSearchNames == NamesUnique && c.world.takenName(c.scope(), name) {
		return node{}, fail(v.exists, "Reservation name %s already in use", name)
	}
	quota := c.opts.quotaOf(c.service.name)
	if used := c.world.used(c.scope(), o.terms, c.now); count > quota-used {
		return node{}, fail(v.quota, "Request would exceed the quota of %d %s: %d are in use and %d more were asked for", quota, v.nouns, used, count)
	}
	r := c.purchase(o, id, count, c.now)
	if v.id != "" {
		r.SentID = c.in[v.id]
	}
	r.Tags, r.Name = tags, name
	c.out.Bought = append(c.out.Bought, r)
	if v.answer != nil {
		return node{kids: v.answer(&r)}, nil
	}
	return node{kids: []node{group(v.one, v.records(&r, id, c.now)...)}}, nil
}

// idOf is the id the call buys under: the caller's, or one the service makes.
// With the latter nothing ties a retry to the first try.
func (v *wording) idOf(c *call) string {
	if v.id != "" && c.in[v.id] != "" {
		return c.in[v.id]
	}
	return c.service.sells.newID(c)
}

// ofPurchase and ofListing are the resources that permissions are checked on.
func (v *wording) ofPurchase(c *call) []string { return []string{c.resource(v.idOf(c))} }

func (v *wording) ofListing(c *call) []string {
	if id := c.in[v.id]; id != "" {
		return []string{c.resource(id)}
	}
	return []string{c.resource("*")}
}

// resource is the ARN of a reservation, or * if the service has no such type.
func (c *call) resource(id string) string {
	if c.service.sells.arn == nil {
		return "*"
	}
	if c.world.folds(c.service.name) {
		id = strings.ToLower(id)
	}
	return c.service.sells.arn(c.region, c.who.account, id)
}

// filter reads the filters both listings share.
func (v *wording) filter(c *call, offerings bool) (func(terms) bool, *apiError) {
	var tests []func(terms) bool
	if text, ok := c.in[v.duration]; ok && v.duration != "" {
		seconds := map[string]int64{"1": oneYear, "31536000": oneYear, "3": threeYears, "94608000": threeYears}[text]
		if seconds == 0 {
			return nil, fail(v.invalid, "Invalid %s %q. Valid values: 1, 3, 31536000, 94608000", v.duration, text)
		}
		tests = append(tests, func(t terms) bool { return t.Seconds == seconds })
	}
	if text, ok := c.in[v.payment]; ok && v.payment != "" {
		if !slices.Contains(payments, text) {
			return nil, fail(v.invalid, "Invalid %s %q", v.payment, text)
		}
		tests = append(tests, func(t terms) bool { return t.Payment == text })
	}
	for _, f := range v.filters {
		text, ok := c.in[f.member]
		switch {
		case !ok:
		case f.boolean && text != "true" && text != "false":
			return nil, fail(v.invalid, "Invalid %s %q", f.member, text)
		case f.partly && offerings:
			tests = append(tests, func(t terms) bool { return strings.Contains(t.attribute(f.attribute), text) })
		default:
			tests = append(tests, func(t terms) bool { return t.attribute(f.attribute) == text })
		}
	}
	return func(t terms) bool {
		for _, test := range tests {
			if !test(t) {
				return false
			}
		}
		return true
	}, nil
}

// timestamp is the form of times in query services: UTC, milliseconds.
const timestamp = "2006-01-02T15:04:05.000Z"

// recurring is the list of recurring charges. All Upfront has one of 0.0.
func recurring(hourly money.Amount) node {
	return list("RecurringCharges", group("RecurringCharge",
		number("RecurringChargeAmount", double(hourly)),
		leaf("RecurringChargeFrequency", "Hourly"),
	))
}

// double is an amount as AWS writes a double: "123.0", "0.0825".
func double(a money.Amount) string {
	text := a.Canonical()
	if whole, ok := strings.CutSuffix(text, ".00"); ok {
		return whole + ".0"
	}
	if strings.Contains(text, ".") && len(text)-strings.IndexByte(text, '.') == 3 {
		return strings.TrimSuffix(text, "0")
	}
	return text
}

func integer[N int | int64](name string, n N) node {
	return number(name, strconv.FormatInt(int64(n), 10))
}
