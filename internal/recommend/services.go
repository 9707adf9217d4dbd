package recommend

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"bursar/internal/cloud"
)

// service is what can be bought of one service. A new service is a file of its
// own, an entry in services and, for a plan file's editor, in
// docs/plan.schema.json.
type service struct {
	provider   cloud.Provider
	name       cloud.Service
	title      string   // in sentences
	aliases    []string // folded names in other people's files
	payments   []cloud.Payment
	attributes []attribute
	// unit is what one of a quantity is worth per hour where a commitment is to an
	// amount of money: a plan file says commitment instead of quantity then, and the
	// region is everywhere. "" where a quantity counts things.
	unit string

	// regional: what is to an amount of money is sold in regions too.
	regional bool

	// payer reads the account where it is not one of those that the cloud's services
	// have otherwise; nil elsewhere.
	payer func(string) (cloud.Account, error)

	// check refuses attributes that are legal each, but not together; key is the
	// one to mend. Nil when there is nothing to check.
	check func(d Draft) (key string, err error)

	// details is the member of Cost Explorer's InstanceDetails that is about the
	// service, "" if it never recommends it. unfit says why a recommendation is
	// none for us, and remark what else people are to read; both may be nil.
	details string
	unfit   func(details *value) (what, why string)
	remark  func(details *value) string

	// contrary refuses a CSV row whose other cells contradict its service; it may
	// be nil.
	contrary func(cell func(column string) string) (column string, err error)
}

// attribute is one key of a service's cloud.Attributes. Every attribute that is not
// optional must be given: none has a default, because a wrong guess is bought for
// years. Where an optional one belongs is for the check of its service.
type attribute struct {
	key      string
	example  string
	optional bool
	number   bool           // a plan file may have it without quotes
	boolean  bool           // true or false; else one of values; else what pattern matches
	values   []string       // all legal values
	pattern  *regexp.Regexp // shape of free text
	cased    bool           // free text whose capitals count
	most     int            // length of free text; 0 means 64
	// loose reads spellings of others beyond those that only fold differently; it
	// may be nil. Its helpers are columns by name.
	loose   func(text string, helper func(column string) string) (string, bool)
	helpers []helper
	columns []string // CSV columns that may carry it; the first is its name in messages

	// How a recommendation of Cost Explorer says it: by a member of the details,
	// by one of the recommendation at the end of a path, or not at all, in which
	// case advised is what it means.
	member  string
	general []string
	advised string
}

// helper is what a loose spelling needs besides: a CSV column or the member of
// Cost Explorer that says the same.
type helper struct{ column, member string }

var services = slices.Concat([]service{
	rdsService, elastiCacheService, memoryDBService, redshiftService, ec2Service, ec2ZonalService,
	openSearchService, redshiftServerlessService, savingsPlansService,
}, azureServices, []service{computeService, licensesService, spendService})

// dialect is how a cloud names accounts and regions, in plan files and loosely.
type dialect struct {
	account, looseAccount func(string) (cloud.Account, error)
	region, looseRegion   func(string) (cloud.Region, error)
}

var dialects = map[cloud.Provider]dialect{
	cloud.AWS:   {account, looseAccount, region, looseRegion},
	cloud.Azure: {subscription, looseSubscription, location, looseLocation},
	cloud.GCP:   {project, project, googleRegion, googleRegion},
}

var awsPayments = []cloud.Payment{cloud.AllUpfront, cloud.PartialUpfront, cloud.NoUpfront}

// keys are the attributes' keys.
func (s service) keys() []string {
	keys := make([]string, len(s.attributes))
	for i, a := range s.attributes {
		keys[i] = a.key
	}
	return keys
}

// line are the keys of a line of the service.
func (s service) line() []string {
	keys := slices.Clone(lineKeys)
	if s.unit != "" {
		keys[slices.Index(keys, "quantity")] = "commitment"
	}
	return append(keys, s.keys()...)
}

// region reads a region in which the service is sold.
func (s service) region(text string, parse func(string) (cloud.Region, error)) (cloud.Region, error) {
	switch {
	case s.unit != "" && text == string(everywhere):
		return everywhere, nil
	case s.unit == "" || s.regional:
		return parse(text)
	}
	return "", problemf("%s is a region, and %s are sold for all regions at once: write %s", show(text), s.title, everywhere)
}

// account reads the account that buys the service.
func (s service) account(text string, parse func(string) (cloud.Account, error)) (cloud.Account, error) {
	if s.payer != nil {
		return s.payer(text)
	}
	return parse(text)
}

// strict returns the value of an attribute as a plan file must spell it.
func (s service) strict(a attribute, text string) (string, error) {
	switch {
	case a.boolean:
		if text == "true" || text == "false" {
			return text, nil
		}
		return "", problemf("%s is not true or false", show(text))
	case a.values != nil:
		if slices.Contains(a.values, text) {
			return text, nil
		}
		if word, ok := nearest(text, a.values); ok {
			return "", problemf("%s is not known for %s: did you mean %s?", show(text), s.name, word)
		}
		return "", problemf("%s is not known for %s: use one of %s", show(text), s.name, strings.Join(a.values, ", "))
	}
	if a.pattern.MatchString(text) && len(text) <= cmp.Or(a.most, 64) {
		return text, nil
	}
	return "", problemf("%s does not look like %s", show(text), a.example)
}

// looseOr is strict after other spellings were given their chance.
func (s service) looseOr(a attribute, text string, helper func(string) string) (string, error) {
	if i := slices.IndexFunc(a.values, func(v string) bool { return fold(v) == fold(text) }); i >= 0 {
		return a.values[i], nil
	}
	if a.pattern != nil && !a.cased {
		text = strings.ToLower(text)
	}
	if a.loose != nil {
		if value, ok := a.loose(text, helper); ok {
			text = value
		}
	}
	return s.strict(a, text)
}

func (s service) sells(p cloud.Payment) error {
	if slices.Contains(s.payments, p) {
		return nil
	}
	words := make([]string, len(s.payments))
	for i, w := range s.payments {
		words[i] = string(w)
	}
	return problemf("%s is not sold for %s: use %s", p, s.name, oneOf(words))
}

func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// providers and laterServices are names that people write and that mean
// something, folded.
var (
	providers = map[string]cloud.Provider{
		"aws": cloud.AWS, "amazon": cloud.AWS, "amazonwebservices": cloud.AWS,
		"azure": cloud.Azure, "microsoft": cloud.Azure, "microsoftazure": cloud.Azure,
		"gcp": cloud.GCP, "google": cloud.GCP, "googlecloud": cloud.GCP, "googlecloudplatform": cloud.GCP,
	}
	laterServices = []string{
		"dynamodb", "amazondynamodb", "sagemaker",
		"cloudsql", "memorystore", "search",
	}
)

// providerNamed reads a provider in any of its names.
func providerNamed(text string) (cloud.Provider, error) {
	p, ok := providers[fold(text)]
	if !ok {
		return "", problemf("%s is not a known cloud: use %s", show(text), oneOf(soldBy(func(service) bool { return true })))
	}
	return p, nil
}

// soldBy are the clouds that have a service which matches.
func soldBy(match func(service) bool) []string {
	var names []string
	for _, s := range services {
		if match(s) && !slices.Contains(names, string(s.provider)) {
			names = append(names, string(s.provider))
		}
	}
	return names
}

// serviceNamed reads a service in any of its names.
func serviceNamed(p cloud.Provider, text string) (service, error) {
	return findService(p, text, func(s service) bool { return slices.Contains(s.aliases, fold(text)) })
}

// serviceCalled reads a service by its own name.
func serviceCalled(p cloud.Provider, text string) (service, error) {
	return findService(p, text, func(s service) bool { return string(s.name) == text })
}

func findService(p cloud.Provider, text string, match func(service) bool) (service, error) {
	var names []string
	for _, s := range services {
		if s.provider != p {
			continue
		}
		if match(s) {
			return s, nil
		}
		names = append(names, string(s.name))
	}
	if clouds := soldBy(match); len(clouds) > 0 {
		return service{}, problemf("%s is a service of %s, not of %s: make the provider %s", show(text), oneOf(clouds), p, oneOf(clouds))
	}
	if slices.Contains(laterServices, fold(text)) {
		return service{}, problemf("%s is a service that cannot be bought yet: use %s", show(text), oneOf(names))
	}
	return service{}, problemf("%s is not a known service of %s: use %s", show(text), p, oneOf(names))
}

// Services are the names of all services that are bought.
func Services() []cloud.Service {
	names := make([]cloud.Service, len(services))
	for i, s := range services {
		names[i] = s.name
	}
	return names
}
