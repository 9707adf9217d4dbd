package recommend

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// Advice of Google's Recommender API v1: the answer of
// recommenders.recommendations.list, or the list that
// gcloud recommender recommendations list --format=json prints. Members that are not
// needed are ignored, as in Cost Explorer's files.
//
// A recommendation is of a project, which it names by its number, and a commitment is
// bought for a project's id: a person adds what the numbers are called beside the
// recommendations, as "project_ids": {"123456": "example-prod"}. Recommendations with
// one xorGroupId exclude one another: the first of them that can be bought becomes a
// draft, and the others are left.

const machineAdvice = "google.compute.commitment.UsageCommitmentRecommender"

var (
	advicePath   = regexp.MustCompile(`^(projects|billingAccounts|organizations|folders)/([^/]+)/locations/([^/]+)/recommenders/([^/]+)/recommendations/([^/]+)$`)
	wholeDigits  = regexp.MustCompile(`^[1-9][0-9]*$`)
	projectDigit = regexp.MustCompile(`^[0-9]+$`)
	// An etag is opaque; what could not stand in a CSV cell as it is, is none.
	etagForm = regexp.MustCompile(`^[\x21-\x7e]{1,128}$`)
	daysOf   = regexp.MustCompile(`^([1-9][0-9]{0,9})(\.0+)?s$`)
)

var advisedPlans = map[string]cloud.Term{"TWELVE_MONTH": cloud.OneYear, "THIRTY_SIX_MONTH": cloud.ThreeYears}

// isRecommender reports whether a document is one of Google's.
func isRecommender(root *value) bool {
	list := root
	if root.kind == jsonObject {
		list = root.member("recommendations")
	}
	if list == nil || list.kind != jsonArray {
		return false
	}
	return root.kind == jsonObject || len(list.items) > 0 && list.items[0].member("content") != nil
}

func readRecommender(file string, root *value) (Input, error) {
	r := &adviceReader{reader{file}, Input{Format: Recommender}}
	list, ids := root, (*value)(nil)
	if root.kind == jsonObject {
		list, ids = root.member("recommendations"), root.member("project_ids")
	}
	if ids != nil {
		if err := r.is(ids, jsonObject); err != nil {
			return Input{}, err
		}
		for _, number := range ids.names {
			id := ids.member(number)
			if _, err := project(id.text); err != nil || id.kind != jsonString || !projectDigit.MatchString(number) {
				return Input{}, r.errorf(id.line, id.path, "want a project's number with its id, such as \"123456\": \"example-prod\"")
			}
		}
	}
	groups := map[string]string{} // the recommendation that stands for its group
	for _, item := range list.items {
		if err := r.is(item, jsonObject); err != nil {
			return Input{}, err
		}
		name, err := r.need(item, "name")
		if err != nil {
			return Input{}, err
		}
		m := advicePath.FindStringSubmatch(name.text)
		if m == nil {
			return Input{}, r.errorf(name.line, name.path, "%s is not the name of a recommendation", show(name.text))
		}
		what, group := "recommendation "+looseText(m[5], 40), ""
		if x := item.member("xorGroupId"); x != nil {
			group = x.text
		}
		drafts, why, err := r.machines(item, m, ids)
		switch {
		case err != nil:
			return Input{}, err
		case why == "" && group != "" && groups[group] != "":
			why = "it and recommendation " + groups[group] + " exclude one another"
		}
		if why != "" {
			r.leave(item, what, why)
			continue
		}
		if group != "" {
			groups[group] = looseText(m[5], 40)
		}
		r.in.Drafts = append(r.in.Drafts, drafts...)
	}
	if token := root.member("nextPageToken"); token != nil && token.text != "" {
		r.in.Left = append(r.in.Left, Left{r.at(token.line, token.path), "further pages", "the answer was saved without them"})
	}
	return r.in, nil
}

// machines reads a recommendation, whose name is taken apart in m. A non-empty why
// leaves it.
func (r *adviceReader) machines(item *value, m []string, ids *value) (drafts []Draft, why string, err error) {
	account := m[2]
	if state := item.member("stateInfo").member("state"); state != nil && state.text != "ACTIVE" {
		return nil, "its state is " + looseText(state.text, 40), nil
	}
	switch {
	case strings.Contains(m[4], "SpendBased"):
		return nil, "it does not name the offer that spending is committed to by: write a line of service spend", nil
	case m[4] != machineAdvice:
		return nil, "it is not about commitments", nil
	case m[1] != "projects":
		return nil, "it is for " + m[1] + ", and a commitment is bought for one project", nil
	case projectDigit.MatchString(account):
		id := ids.member(account)
		if id == nil {
			return nil, fmt.Sprintf(`it names its project by number: add the id beside the recommendations: "project_ids": {"%s": "example-prod"}`, account), nil
		}
		account = id.text
	}
	base := Draft{At: r.at(item.line, item.path), Provider: cloud.GCP, Service: computeService.name, Payment: cloud.Monthly, Quantity: 1}
	if base.Account, err = project(account); err == nil {
		base.Region, err = googleRegion(m[3])
	}
	if err != nil {
		return nil, "", r.errorf(item.line, item.path+".name", "%v", err)
	}
	r.impact(item, &base)
	groups := item.member("content").member("operationGroups")
	if groups == nil {
		return nil, "", r.missing(item, "content.operationGroups")
	}
	for _, group := range groups.items {
		operations := group.member("operations")
		if operations == nil {
			return nil, "", r.missing(group, "operations")
		}
		for _, op := range operations.items {
			d := base
			if why, err = r.commitment(op, &d); why != "" || err != nil {
				return nil, why, err
			}
			drafts = append(drafts, d)
		}
	}
	if len(drafts) == 0 {
		why = "it advises nothing"
	}
	if etag := item.member("etag").textOr(""); len(drafts) == 1 && etagForm.MatchString(etag) {
		drafts[0].Recommendation = Recommendation{item.member("name").text, etag}
	}
	if len(drafts) > 1 { // what is saved is of all of them together
		for i := range drafts {
			drafts[i].Claim.Savings, drafts[i].Claim.Of = money.Amount{}, 0
		}
	}
	return drafts, why, nil
}

// commitment reads what an operation adds.
func (r *adviceReader) commitment(op *value, d *Draft) (why string, err error) {
	action, kind, v := op.member("action"), op.member("resourceType"), op.member("value")
	if action == nil || action.text != "add" || kind == nil || kind.text != "compute.googleapis.com/Commitment" || v == nil {
		return "it is not to buy a commitment alone", nil
	}
	plan, err := r.need(v, "plan")
	if err != nil {
		return "", err
	}
	if d.Term = advisedPlans[plan.text]; d.Term == 0 {
		return "its plan " + show(plan.text) + " is not known", nil
	}
	typ, err := r.need(v, "type")
	if err != nil {
		return "", err
	}
	resources := v.member("resources")
	if resources == nil || resources.kind != jsonArray {
		return "", r.missing(v, "resources")
	}
	d.Attributes = cloud.Attributes{"type": strings.ReplaceAll(strings.ToLower(typ.text), "_", "-")}
	for _, item := range resources.items {
		kind, err := r.need(item, "type")
		if err != nil {
			return "", err
		}
		amount, err := r.need(item, "amount")
		if err != nil {
			return "", err
		}
		n, parseErr := strconv.ParseInt(amount.text, 10, 64)
		switch {
		case !wholeDigits.MatchString(amount.text) || parseErr != nil:
			return "", r.errorf(amount.line, amount.path, "%s is not a whole number of at least 1", show(amount.text))
		case kind.text == "VCPU" && d.Attributes["vcpu"] == "":
			d.Attributes["vcpu"] = amount.text
		case kind.text == "MEMORY" && d.Attributes["memory_gb"] == "" && n%256 == 0: // MB
			d.Attributes["memory_gb"] = strconv.FormatInt(n/1024, 10) + map[int64]string{0: "", 256: ".25", 512: ".5", 768: ".75"}[n%1024]
		case kind.text == "ACCELERATOR" || kind.text == "LOCAL_SSD":
			return "it has accelerators or local disks, which need a reservation that is billed by itself", nil
		default:
			return "its " + looseText(kind.text, 40) + " of " + looseText(amount.text, 40) + " cannot be bought", nil
		}
	}
	for _, at := range computeService.attributes {
		if text := d.Attributes[at.key]; !at.pattern.MatchString(text) {
			return "it advises no " + at.key + " that can be bought", nil
		}
	}
	return "", nil
}

// recommendationOf is what a draft of a person's own words carries out.
func recommendationOf(d Draft, name, etag string) (Recommendation, error) {
	m := advicePath.FindStringSubmatch(name)
	switch {
	case m == nil || m[1] != "projects" || m[4] != machineAdvice:
		return Recommendation{}, problemf("%s is not the name of a recommendation of Google's to commit to resources", show(name))
	case d.Provider != cloud.GCP || d.Service != computeService.name || m[3] != string(d.Region):
		return Recommendation{}, problemf("it is not about %s in %s", d.Service, d.Region)
	case !etagForm.MatchString(etag):
		return Recommendation{}, problemf("without its etag in the column recommendation etag it cannot be marked")
	}
	return Recommendation{name, etag}, nil
}

// impact notes what Google expects to be saved.
func (r *adviceReader) impact(item *value, d *Draft) {
	d.Note = "Google's Recommender"
	d.Claim = Claim{Source: d.Note}
	if algorithm := item.member("content").member("overview").member("algorithm"); algorithm != nil && algorithm.text != "" {
		d.Note += ", " + looseText(algorithm.text, 40)
	}
	projection := item.member("primaryImpact").member("costProjection")
	cost := projection.member("cost")
	currency, units, nanos, duration := cost.member("currencyCode"), cost.member("units"), cost.member("nanos"), projection.member("duration")
	if currency == nil || !isoCurrency.MatchString(currency.text) {
		return
	}
	d.Currency = currency.text
	whole, part := "0", int64(0)
	if units != nil {
		whole = strings.TrimPrefix(units.text, "-")
	}
	if nanos != nil {
		part, _ = strconv.ParseInt(strings.TrimPrefix(nanos.text, "-"), 10, 32)
	}
	negative := units != nil && strings.HasPrefix(units.text, "-") || nanos != nil && strings.HasPrefix(nanos.text, "-")
	m := daysOf.FindStringSubmatch(duration.textOr(""))
	if !negative || m == nil { // a cost that rises is no saving
		return
	}
	seconds, _ := strconv.ParseInt(m[1], 10, 64)
	d.Claim.savings(fmt.Sprintf("%s.%09d", whole, part), d.Currency, seconds, d.Quantity)
	if saved, ok := roughly(fmt.Sprintf("%s.%09d", whole, part), d.Currency); ok {
		d.Note += fmt.Sprintf("; expected savings %s in %d days", saved, seconds/86400)
	}
}

// textOr is the text of a value, or another where there is none.
func (v *value) textOr(other string) string {
	if v == nil {
		return other
	}
	return v.text
}
