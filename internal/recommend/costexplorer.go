package recommend

import (
	"slices"
	"strings"

	"bursar/internal/cloud"
)

// adviceReader reads the answers of Cost Explorer's
// GetReservationPurchaseRecommendation and GetSavingsPlansPurchaseRecommendation.
// They are AWS's files: members that are not
// needed are ignored, whatever they hold, and what is well formed but not for us
// is left with its reason.
type adviceReader struct {
	reader
	in Input
}

// advice is what one element of Recommendations says about all its details.
type advice struct {
	rec     *value
	term    cloud.Term
	payment cloud.Payment
	scope   string
	window  string
}

var windows = map[string]string{"SEVEN_DAYS": "7 days", "THIRTY_DAYS": "30 days", "SIXTY_DAYS": "60 days"}

const (
	offeringList = "a list of offerings"
	ownedList    = "a list of reservations that are owned"
)

// otherAdvice are answers of related operations, by the member that gives them
// away.
var otherAdvice = map[string]string{
	"ReservedDBInstancesOfferings": offeringList,
	"ReservedDBInstances":          ownedList,
	"ReservedCacheNodesOfferings":  offeringList,
	"ReservedCacheNodes":           ownedList,
	"ReservedNodesOfferings":       offeringList,
	"ReservedNodeOfferings":        offeringList,
	"ReservedNodes":                ownedList,
	"ReservedInstancesOfferings":   offeringList,
	"ReservedInstances":            ownedList,
	"RightsizingRecommendations":   "a rightsizing recommendation",
}

func readCostExplorer(file string, root *value) (Input, error) {
	r := &adviceReader{reader{file}, Input{Format: CostExplorer}}
	if plans := root.member("SavingsPlansPurchaseRecommendation"); plans != nil {
		if err := r.savings(plans); err != nil {
			return Input{}, err
		}
		return r.pages(root), nil
	}
	list := root.member("Recommendations")
	if list == nil {
		for _, name := range root.names {
			if what, ok := otherAdvice[name]; ok {
				return Input{}, r.errorf(root.line, "", "is %s: recommendations of reservations and of Savings Plans are read", what)
			}
		}
		return Input{}, r.errorf(root.line, "", "is JSON, but neither a plan (version and lines) nor what aws ce get-reservation-purchase-recommendation prints (Recommendations), nor get-savings-plans-purchase-recommendation (SavingsPlansPurchaseRecommendation)")
	}
	if err := r.is(list, jsonArray); err != nil {
		return Input{}, err
	}
	for _, rec := range list.items {
		if err := r.recommendation(rec); err != nil {
			return Input{}, err
		}
	}
	return r.pages(root), nil
}

// pages ends the reading: an answer that goes on elsewhere says so.
func (r *adviceReader) pages(root *value) Input {
	for _, name := range []string{"NextPageToken", "NextToken"} {
		if token := root.member(name); token != nil && token.text != "" {
			r.in.Left = append(r.in.Left, Left{r.at(token.line, token.path), "further pages", "the answer was saved without them"})
		}
	}
	return r.in
}

func (r *adviceReader) recommendation(rec *value) error {
	if err := r.is(rec, jsonObject); err != nil {
		return err
	}
	details := rec.member("RecommendationDetails")
	if details == nil || details.kind == jsonArray && len(details.items) == 0 {
		return nil // AWS advises to buy nothing
	}
	if err := r.is(details, jsonArray); err != nil {
		return err
	}
	a, why, err := r.terms(rec)
	if err != nil {
		return err
	}
	for _, d := range details.items {
		if why != "" {
			r.leave(d, "recommendation", why)
			continue
		}
		if err := r.detail(d, a); err != nil {
			return err
		}
	}
	return nil
}

// terms reads what the details have in common. A non-empty why leaves them all.
func (r *adviceReader) terms(rec *value) (a advice, why string, err error) {
	a.rec = rec
	years, err := r.need(rec, "TermInYears")
	if err != nil {
		return a, "", err
	}
	switch years.text {
	case "ONE_YEAR":
		a.term = cloud.OneYear
	case "THREE_YEARS":
		a.term = cloud.ThreeYears
	default:
		return a, "", r.errorf(years.line, years.path, "%s is not ONE_YEAR or THREE_YEARS", show(years.text))
	}
	option, err := r.need(rec, "PaymentOption")
	if err != nil {
		return a, "", err
	}
	if strings.HasSuffix(option.text, "_UTILIZATION") {
		return a, "the payment option " + looseText(option.text, 40) + " is no longer sold", nil
	}
	if a.payment, err = cloud.ParsePayment(option.text); err != nil {
		return a, "", r.errorf(option.line, option.path, "%s is not NO_UPFRONT, PARTIAL_UPFRONT or ALL_UPFRONT", show(option.text))
	}
	if w := rec.member("LookbackPeriodInDays"); w != nil {
		a.window = windows[w.text]
	}
	if s := rec.member("AccountScope"); s != nil && s.text == "PAYER" {
		a.scope = "the whole organization"
	}
	return a, "", nil
}

func (r *adviceReader) detail(d *value, a advice) error {
	if err := r.is(d, jsonObject); err != nil {
		return err
	}
	instance := d.member("InstanceDetails")
	if instance == nil {
		if d.member("ReservedCapacityDetails") != nil {
			r.leave(d, "reserved capacity", "commitments of this service cannot be bought yet")
			return nil
		}
		return r.missing(d, "InstanceDetails")
	}
	if err := r.is(instance, jsonObject); err != nil {
		return err
	}
	// A member that is null says nothing: other tools than AWS's write all of them.
	at := slices.IndexFunc(instance.names, func(name string) bool { return instance.member(name).kind != jsonNull })
	if at < 0 {
		return r.missing(instance, services[0].details)
	}
	i := instance.member(instance.names[at])
	for _, s := range services {
		if s.details != "" && s.details == instance.names[at] {
			if err := r.is(i, jsonObject); err != nil {
				return err
			}
			return r.reservation(d, i, s, a)
		}
	}
	title := looseText(strings.TrimSuffix(instance.names[at], "InstanceDetails"), 40)
	r.leave(d, title+" reservation", title+" reservations cannot be bought yet")
	return nil
}

// reservation reads a detail d whose instance details i are those of s.
func (r *adviceReader) reservation(d, i *value, s service, a advice) error {
	out := Draft{At: r.at(d.line, d.path), Provider: s.provider, Service: s.name, Term: a.term, Payment: a.payment, Attributes: cloud.Attributes{}}
	if s.unfit != nil {
		if what, why := s.unfit(i); why != "" {
			r.leave(d, what, why)
			return nil
		}
	}
	for _, at := range s.attributes {
		text, why, err := r.attribute(i, s, at, a)
		if err != nil {
			return err
		}
		if why != "" {
			r.leave(d, s.title+" reservation", why)
			return nil
		}
		out.Attributes[at.key] = text
	}
	if err := set(r, &out.Account, d, "AccountId", looseAccount); err != nil {
		return err
	}
	if err := set(r, &out.Region, i, "Region", looseRegion); err != nil {
		return err
	}
	if c := d.member("CurrencyCode"); c != nil && c.text != "" {
		if err := set(r, &out.Currency, d, "CurrencyCode", currencyCode); err != nil {
			return err
		}
	}
	count, err := r.need(d, "RecommendedNumberOfInstancesToPurchase")
	if err != nil {
		return err
	}
	if strings.Trim(count.text, "0.") == "" {
		r.leave(d, out.Attributes.String(), "AWS recommends to buy none")
		return nil
	}
	if out.Quantity, err = quantity(count.text); err != nil {
		return r.errorf(count.line, count.path, "%v", err)
	}
	out.Note, out.Claim = a.note(d, i, s, out.Currency), a.claim(d, out)
	r.in.Drafts = append(r.in.Drafts, out)
	return nil
}

// attribute reads one attribute. A non-empty why leaves the detail: AWS may name
// what we do not know, but not in a shape that it does not have.
func (r *adviceReader) attribute(i *value, s service, at attribute, a advice) (text, why string, err error) {
	if at.advised != "" {
		return at.advised, "", nil
	}
	name, m := at.member, a.rec
	if at.general != nil {
		for _, name = range at.general {
			m = m.member(name)
		}
		if m == nil || m.kind != jsonString || m.text == "" {
			return "", "the recommendation does not say its " + name + ": ask AWS again with --service-specification", nil
		}
	} else if m, err = r.need(i, name); err != nil {
		return "", "", err
	}
	text, err = s.looseOr(at, m.text, func(column string) string {
		for _, h := range at.helpers {
			if v := i.member(h.member); v != nil && h.column == column {
				return v.text
			}
		}
		return ""
	})
	switch {
	case err == nil:
		return text, "", nil
	case at.pattern != nil:
		return "", "", r.errorf(m.line, m.path, "%v", err)
	}
	return "", "its " + name + " " + show(describe(i, m, at)) + " is not known", nil
}

func (r *adviceReader) leave(d *value, what, why string) {
	r.in.Left = append(r.in.Left, Left{r.at(d.line, d.path), what, why})
}

func (r *adviceReader) is(v *value, kind jsonKind) error {
	if v.kind != kind {
		return r.errorf(v.line, v.path, "must be %s, not %s", kind, v.kind)
	}
	return nil
}

func (r *adviceReader) missing(v *value, name string) error {
	return r.errorf(v.line, strings.TrimPrefix(v.path+"."+name, "."), "is missing")
}

// need returns a member that must be text. A number counts: other tools than
// AWS's write counts so.
func (r *adviceReader) need(v *value, name string) (*value, error) {
	m := v.member(name)
	switch {
	case m == nil || m.kind == jsonNull || m.kind == jsonString && m.text == "":
		return nil, r.missing(v, name)
	case m.kind != jsonString && m.kind != jsonNumber:
		return nil, r.errorf(m.line, m.path, "must be text, not %s", m.kind)
	}
	return m, nil
}

func set[T any](r *adviceReader, to *T, v *value, name string, parse func(string) (T, error)) error {
	m, err := r.need(v, name)
	if err != nil {
		return err
	}
	if *to, err = parse(m.text); err != nil {
		return r.errorf(m.line, m.path, "%v", err)
	}
	return nil
}
