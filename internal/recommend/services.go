package recommend

import (
	"regexp"
	"slices"
	"strings"

	"bursar/internal/cloud"
)

// service is what can be bought of one service. A new service is a new entry in
// services and, for a plan file's editor, in docs/plan.schema.json.
type service struct {
	provider   cloud.Provider
	name       cloud.Service
	aliases    []string // folded names in other people's files
	payments   []cloud.Payment
	attributes []attribute
}

// attribute is one key of a service's cloud.Attributes. Every attribute must be
// given: none has a default, because a wrong guess is bought for years.
type attribute struct {
	key     string
	example string
	boolean bool           // true or false; else one of values; else what pattern matches
	values  []string       // all legal values
	pattern *regexp.Regexp // shape of free text
	// loose reads other spellings. The cells are those of the column that carries
	// the key and, if the service needs them, of its helpers.
	loose   func(text string, helper func(column string) string) (string, bool)
	columns []string // CSV headers, folded; the first is its name in messages
}

var services = []service{{
	provider: cloud.AWS,
	name:     "rds",
	aliases:  []string{"rds", "amazonrds", "awsrds", "amazonrelationaldatabaseservice", "relationaldatabaseservice"},
	payments: []cloud.Payment{cloud.AllUpfront, cloud.PartialUpfront, cloud.NoUpfront},
	attributes: []attribute{
		{key: "engine", example: "postgresql", values: rdsEngines, loose: looseRDSEngine,
			columns: []string{"engine", "databaseengine", "dbengine", "productdescription"}},
		{key: "class", example: "db.r6g.large", pattern: regexp.MustCompile(`^db(\.[a-z0-9-]+){2,4}$`), loose: looseLower,
			columns: []string{"resourcetype", "class", "instanceclass", "dbinstanceclass", "instancetype"}},
		{key: "multi_az", example: "false", boolean: true, loose: looseMultiAZ,
			columns: []string{"multiaz", "deployment", "deploymentoption", "azconfig"}},
	},
}}

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
	if a.pattern.MatchString(text) && len(text) <= 64 {
		return text, nil
	}
	return "", problemf("%s does not look like %s", show(text), a.example)
}

// looseOr is strict after other spellings were given their chance.
func (s service) looseOr(a attribute, text string, helper func(string) string) (string, error) {
	if value, ok := a.loose(text, helper); ok {
		text = value
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
		"ec2", "amazonec2", "amazonelasticcomputecloud", "amazonelasticcomputecloudcompute", "elasticache", "amazonelasticache",
		"opensearch", "amazonopensearchservice", "elasticsearch", "amazonelasticsearchservice", "redshift", "amazonredshift",
		"memorydb", "amazonmemorydb", "dynamodb", "amazondynamodb", "savingsplans", "savingsplan", "computesavingsplans", "sagemaker",
		"compute", "vm", "virtualmachines", "sql", "sqldatabase", "cosmosdb", "cloudsql", "computeengine", "memorystore", "cache", "search",
	}
)

// providerNamed reads a provider in any of its names.
func providerNamed(text string) (cloud.Provider, error) {
	p, ok := providers[fold(text)]
	if !ok {
		return "", problemf("%s is not a known cloud: use aws", show(text))
	}
	if !slices.ContainsFunc(services, func(s service) bool { return s.provider == p }) {
		return "", problemf("%s is a cloud that cannot be bought from yet: use aws", p)
	}
	return p, nil
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
	if slices.Contains(laterServices, fold(text)) {
		return service{}, problemf("%s is a service that cannot be bought yet: use %s", show(text), oneOf(names))
	}
	return service{}, problemf("%s is not a known service of %s: use %s", show(text), p, oneOf(names))
}

func looseLower(text string, _ func(string) string) (string, bool) {
	return strings.ToLower(text), true
}
