package recommend

import (
	"fmt"
	"regexp"
	"strings"

	"bursar/internal/cloud"
)

// Advice of Azure: the answers of three APIs, as az rest prints them, or the list that
// az advisor recommendation list prints, told apart by the type of each entry. What an
// entry does not say is not guessed: a person writes it beside the list,
//
//	{"payment": "monthly", "subscription": "GUID", "flexible": true, "value": [...]}
//
// and an entry that still lacks something is left with what it lacks. One answer often
// holds several entries for the same usage, by term, by scope or by the days that were
// looked at: where a person has not said which term or scope is wanted, all are left.
const (
	reservationAdvice = "microsoft.consumption/reservationrecommendations"
	benefitAdvice     = "microsoft.costmanagement/benefitrecommendations"
	advisorAdvice     = "microsoft.advisor/recommendations"
)

// azureReader reads them. Members that are not needed are ignored.
type azureReader struct {
	adviceReader
	// What a person wrote beside the list; zero for nothing.
	payment  cloud.Payment
	payer    cloud.Account
	flexible string
	resource string
	term     cloud.Term
	scope    string
}

// azureEntry is an entry with the draft that it would become, or why it is left.
type azureEntry struct {
	item      *value
	draft     Draft
	what, why string
}

// azureGoods is what an entry advises, in Azure's words; "" is what it does not say.
type azureGoods struct {
	term, scope   string
	subscription  string // that it names: to what a single scope applies
	group         string // of resources, in the subscription
	resource      string // type of what is reserved
	sku, region   string
	quantity      string
	flexibleGroup string // of sizes over which it was counted
	note          string
	claim         Claim
}

var (
	besideKeys       = []string{"payment", "subscription", "flexible", "resource_type", "term", "scope"}
	inSubscription   = regexp.MustCompile(`^/?subscriptions/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/`)
	resourceGroup    = regexp.MustCompile(`^[a-z0-9._()-]{1,90}$`)
	azureTerms       = map[string]cloud.Term{"P1Y": cloud.OneYear, "P3Y": cloud.ThreeYears}
	noInstances      = regexp.MustCompile(`^0(\.0+)?$`)
	hoursOf          = regexp.MustCompile(`^[1-9][0-9]{0,4}$`)
	lookBack         = regexp.MustCompile(`^(?:Last([1-9][0-9]{0,2})Days|([1-9][0-9]{0,2}))$`)
	reservedResource = map[string]cloud.Service{
		"virtualmachines": "vm", "sqldatabases": "sql", "cosmosdb": "cosmosdb", "rediscache": "redis", "sqldatawarehouse": "synapse",
		"appservice": "appservice", "manageddisk": "disk", "databricks": "databricks",
	}
)

// isAzureAdvice reports whether a document is a list of Azure Resource Manager.
func isAzureAdvice(root *value) bool {
	if root.kind == jsonObject {
		list := root.member("value")
		return list != nil && list.kind == jsonArray
	}
	if root.kind != jsonArray || len(root.items) == 0 {
		return false
	}
	kind := root.items[0].member("type")
	return kind != nil && strings.HasPrefix(strings.ToLower(kind.text), "microsoft.")
}

func readAzureAdvice(file string, root *value) (Input, error) {
	r := &azureReader{adviceReader: adviceReader{reader{file}, Input{Format: AzureAdvice}}}
	list := root
	if root.kind == jsonObject {
		list = root.member("value")
		if err := r.whole(root); err != nil {
			return Input{}, err
		}
		if err := r.beside(root); err != nil {
			return Input{}, err
		}
	}
	var all []azureEntry
	for _, item := range list.items {
		if err := r.is(item, jsonObject); err != nil {
			return Input{}, err
		}
		d, what, why, err := r.entry(item)
		if err != nil {
			return Input{}, err
		}
		all = append(all, azureEntry{item, d, what, why})
	}
	r.choose(all)
	return r.in, nil
}

// entry reads one entry. A non-empty why leaves it, under the name what.
func (r *azureReader) entry(item *value) (d Draft, what, why string, err error) {
	kind, err := r.need(item, "type")
	if err != nil {
		return d, "", "", err
	}
	d = Draft{At: r.at(item.line, item.path), Provider: cloud.Azure, Attributes: cloud.Attributes{}}
	p := item.member("properties")
	if p == nil {
		p = item // az advisor writes the properties into the entry itself
	}
	if err := r.is(p, jsonObject); err != nil {
		return d, "", "", err
	}
	switch strings.ToLower(kind.text) {
	case reservationAdvice:
		why, err = r.reserved(item, p, &d)
		return d, "reservation recommendation", why, err
	case benefitAdvice:
		why, err = r.benefit(item, p, &d)
		return d, "savings plan recommendation", why, err
	case advisorAdvice:
		why, err = r.advisor(item, p, &d)
		return d, "Advisor recommendation", why, err
	}
	return d, "", "", r.errorf(kind.line, kind.path, "%s is not a type of recommendation that is read: those are Microsoft.Consumption/reservationRecommendations, "+
		"Microsoft.CostManagement/benefitRecommendations and Microsoft.Advisor/recommendations", show(kind.text))
}

// whole refuses one page of several: what it lacks would be missed without a word.
func (r *azureReader) whole(v *value) error {
	for _, name := range []string{"nextLink", "previousLink"} {
		if link := v.member(name); link != nil && link.kind != jsonNull && (link.kind != jsonString || link.text != "") {
			return r.errorf(link.line, link.path, "says that this file is one page of several: fetch the others, put the entries of all of them into one list, and remove %s", name)
		}
	}
	return nil
}

// beside reads what a person has added.
func (r *azureReader) beside(root *value) error {
	for _, key := range besideKeys {
		m := root.member(key)
		if m == nil {
			continue
		}
		wrong := func(err error) error { return r.errorf(m.line, m.path, "%v", err) }
		var err error
		switch {
		case key == "flexible" && m.kind != jsonBool, key != "flexible" && m.kind != jsonString:
			return wrong(problemf("must be %s, not %s", map[bool]jsonKind{true: jsonBool, false: jsonString}[key == "flexible"], m.kind))
		case key == "flexible":
			r.flexible = m.text
		case key == "payment":
			r.payment, err = payment(azureServices[0], m.text)
		case key == "subscription":
			r.payer, err = subscription(m.text)
		case key == "term":
			r.term, err = term(m.text)
		case key == "scope" && m.text != "Shared" && m.text != "Single":
			err = problemf("%s is not a scope of recommendations: use Shared or Single", show(m.text))
		case key == "scope":
			r.scope = m.text
		case reservedResource[strings.ToLower(m.text)] == "":
			err = problemf("%s is not a type of resource whose reservations are bought, such as VirtualMachines", show(m.text))
		default:
			r.resource = m.text
		}
		if err != nil {
			return wrong(err)
		}
	}
	return nil
}

// text is a member in words; "" where it is missing or null.
func (r *azureReader) text(v *value, name string) (string, error) {
	m := v.member(name)
	switch {
	case m == nil || m.kind == jsonNull:
		return "", nil
	case m.kind == jsonObject || m.kind == jsonArray:
		return "", r.errorf(m.line, m.path, "must be text, not %s", m.kind)
	}
	return m.text, nil
}

// texts reads several members.
func (r *azureReader) texts(v *value, to map[string]*string) error {
	for name, target := range to {
		text, err := r.text(v, name)
		if err != nil {
			return err
		}
		*target = text
	}
	return nil
}

// lacks is the reason of an entry that does not say something which a person may add.
func lacks(what, key, example string) string {
	return fmt.Sprintf(`it does not say %s: write "%s": %s beside "value"`, what, key, example)
}

// conditions sets what reservations and savings plans have in common: for how long, who pays
// and how, and to what the benefit applies.
func (r *azureReader) conditions(item *value, g azureGoods, d *Draft) (why string, err error) {
	id, err := r.text(item, "id")
	if err != nil {
		return "", err
	}
	owner := strings.ToLower(g.subscription)
	if m := inSubscription.FindStringSubmatch(strings.ToLower(id)); owner == "" && m != nil {
		owner = m[1]
	}
	named := cloud.Account("")
	if owner != "" {
		if named, err = looseSubscription(owner); err != nil {
			return "its subscription " + show(owner) + " is not the id of one", nil
		}
	}
	switch d.Term = azureTerms[g.term]; {
	case g.term == "":
		return "it does not say its term", nil
	case d.Term == 0:
		return "its term " + show(g.term) + " is not P1Y or P3Y", nil
	case r.term != 0 && r.term != d.Term:
		return "its term is " + d.Term.String() + ", and " + r.term.String() + " is wanted", nil
	case r.scope != "" && g.scope != "" && r.scope != g.scope:
		return "its scope is " + looseText(g.scope, 40) + ", and " + r.scope + " is wanted", nil
	case r.payment == "":
		return lacks("how it is paid", "payment", `"monthly" or "all-upfront"`), nil
	}
	d.Payment = r.payment
	switch g.scope {
	case "Shared":
		d.Attributes[azureScope.key] = "shared"
	case "Single":
		if named == "" {
			return "it is for a single subscription and does not say which", nil
		}
		d.Attributes[azureScope.key] = "/subscriptions/" + string(named)
		if group := strings.ToLower(lastPart(g.group)); group != "" {
			if !resourceGroup.MatchString(group) {
				return "its resource group " + show(g.group) + " is not the name of one", nil
			}
			d.Attributes[azureScope.key] += "/resourcegroups/" + group
		}
	case "":
		return "it does not say to what it applies", nil
	default:
		return "its scope " + show(g.scope) + " is not Shared or Single", nil
	}
	if d.Account = r.payer; d.Account == "" {
		d.Account = named
	}
	if d.Account == "" {
		return lacks("which subscription pays", "subscription", `"GUID"`), nil
	}
	d.Note, d.Claim = g.note, g.claim
	if d.Claim.Of > 0 {
		d.Claim.Of = d.Quantity
	}
	return "", nil
}

func lastPart(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// sameUsage is what entries have in common that may be for the same usage.
type sameUsage struct {
	service cloud.Service
	region  cloud.Region
	sku     string
}

// choose leaves the entries that are for the same usage as another one: which of them is
// wanted, only a person knows. Of entries that say the same the first stays.
func (r *azureReader) choose(all []azureEntry) {
	rivals := map[sameUsage][]int{}
	usage := func(d Draft) sameUsage {
		return sameUsage{d.Service, d.Region, strings.ToLower(d.Attributes[azureSKU.key])}
	}
	for i, e := range all {
		if e.why == "" {
			rivals[usage(e.draft)] = append(rivals[usage(e.draft)], i)
		}
	}
	for i, e := range all {
		if e.why != "" {
			r.leave(e.item, e.what, e.why)
			continue
		}
		why := ""
		for _, j := range rivals[usage(e.draft)] {
			other := all[j].draft
			switch at := other.At.within(); {
			case j == i || !overlap(e.draft, other):
			case same(e.draft, other) && j > i:
			case same(e.draft, other):
				why = "it says the same as that on " + at
			default:
				why = "it and that on " + at + ` are for the same usage: write which "term" or "scope" is wanted beside "value", or keep one of them`
			}
			if why != "" {
				break
			}
		}
		if why != "" {
			r.leave(e.item, e.what, why)
			continue
		}
		r.in.Drafts = append(r.in.Drafts, e.draft)
	}
}

// overlap reports whether what one draft applies to is a part of what another does.
func overlap(a, b Draft) bool {
	within := func(in, of string) bool { return of == "shared" || in == of || strings.HasPrefix(in, of+"/") }
	first, second := a.Attributes[azureScope.key], b.Attributes[azureScope.key]
	return within(first, second) || within(second, first)
}

func same(a, b Draft) bool {
	return a.Account == b.Account && a.Term == b.Term && a.Quantity == b.Quantity && a.Attributes.String() == b.Attributes.String()
}

// azureNote begins a note: who advises, from how many days of usage.
func azureNote(who, window string) string {
	if m := lookBack.FindStringSubmatch(window); m != nil {
		who += ", " + m[1] + m[2] + " days of usage"
	}
	return who
}

// claim is what Azure expects to be saved, as a part of a note; currency may be "".
func claim(text, currency, over string) string {
	code := currency
	if code == "" {
		code, over = "XXX", " in the currency of the bill"+over
	}
	saved, ok := roughly(text, code)
	if !ok {
		return ""
	}
	return "; expected savings " + strings.TrimPrefix(saved, "XXX ") + over
}
