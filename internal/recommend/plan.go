package recommend

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"bursar/internal/cloud"
)

// Lengths of free text, in characters.
const (
	maxName = 120
	maxNote = 1000
	// MaxPurpose is as long as a tag's value.
	MaxPurpose = 256
)

var (
	planKeys = []string{"version", "name", "purpose", "tolerance", "all_or_nothing", "lines"}
	// lineKeys are the keys of a line of most services; those of its own come on top.
	lineKeys = []string{"account", "region", "service", "term", "payment", "quantity", "provider", "offering", "currency", "note", "purpose"}
	// examples follow "is missing: write for example".
	examples = map[string]string{
		"version": "version: 1", "lines": "lines: and a list below it", "account": `account: "111122223333"`, "region": "region: eu-west-1",
		"service": "service: rds", "term": "term: 1y", "payment": "payment: no-upfront", "quantity": "quantity: 3",
		"commitment": `commitment: "1.50"`,
	}
)

// planReader reads a YAML file of ours: a plan, or what else one holds.
type planReader struct {
	reader
	what string // the file holds one of: "plan"
}

func readPlan(file, text string) (Input, error) {
	p := planReader{reader{file}, "plan"}
	if len(text) > MaxPlanSize {
		return Input{}, p.errorf(0, "", "is larger than %d MiB, the most that a plan file may have", MaxPlanSize>>20)
	}
	root, err := p.tree(text)
	if err != nil {
		return Input{}, err
	}
	top, err := p.mapping(root, "the plan", planKeys)
	if err != nil {
		return Input{}, err
	}
	in := Input{Format: PlanFile}
	if err := p.version(top); err != nil {
		return Input{}, err
	}
	if in.Name, err = optional(p, top, "name", func(s string) (string, error) { return freeText(s, maxName) }); err != nil {
		return Input{}, err
	}
	purpose, err := optional(p, top, "purpose", Purpose)
	if err != nil {
		return Input{}, err
	}
	if n := top.values["tolerance"]; n != nil && (n.ShortTag() == "!!int" || n.ShortTag() == "!!float") {
		return Input{}, p.errorf(n.Line, "tolerance", "%s lacks the per cent sign: write %s%%", n.Value, n.Value)
	}
	if in.ToleranceBP, err = optional(p, top, "tolerance", tolerance); err != nil {
		return Input{}, err
	}
	if n := top.values["all_or_nothing"]; n != nil {
		all, err := p.boolean("all_or_nothing", n)
		if err != nil {
			return Input{}, err
		}
		in.AllOrNothing = &all
	}
	lines, err := p.need(top, "lines")
	if err != nil {
		return Input{}, err
	}
	if lines.Kind != yaml.SequenceNode || len(lines.Content) == 0 {
		return Input{}, p.errorf(lines.Line, "lines", "must be a list of at least one line, each beginning with a hyphen")
	}
	for _, n := range lines.Content {
		d, err := p.line(n)
		if err != nil {
			return Input{}, err
		}
		in.Drafts = append(in.Drafts, d)
	}
	in.SetPurpose(purpose)
	return in, nil
}

// version comes first: a file of a later version may hold anything.
func (p planReader) version(top mapping) error {
	n, err := p.need(top, "version")
	if err != nil {
		return err
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Value != "1" {
		return p.errorf(n.Line, "version", "%s is not a version that is read: write version: 1", p.brief(n))
	}
	return nil
}

func (p planReader) line(n *yaml.Node) (Draft, error) {
	keys := allLineKeys()
	if s, ok := serviceOf(n); ok {
		if err := p.ownKeys(n, s); err != nil {
			return Draft{}, err
		}
		keys = s.line()
	}
	fields, err := p.mapping(n, "a line", keys)
	if err != nil {
		return Draft{}, err
	}
	d := Draft{At: p.at(n.Line, ""), Provider: cloud.AWS}
	if fields.values["provider"] != nil {
		if d.Provider, err = required(p, fields, "provider", providerCalled); err != nil {
			return Draft{}, err
		}
	}
	s, err := required(p, fields, "service", func(t string) (service, error) { return serviceCalled(d.Provider, t) })
	if err != nil {
		return Draft{}, err
	}
	d.Service = s.name
	if d.Account, err = p.account(fields, s); err != nil {
		return Draft{}, err
	}
	if d.Region, err = required(p, fields, "region", func(t string) (cloud.Region, error) { return s.region(t, dialects[d.Provider].region) }); err != nil {
		return Draft{}, err
	}
	if d.Attributes, err = p.attributes(fields, s); err != nil {
		return Draft{}, err
	}
	if s.check != nil {
		if key, err := s.check(d); err != nil {
			return Draft{}, p.errorf(fields.values[key].Line, key, "%v", err)
		}
	}
	if d.Term, err = required(p, fields, "term", term); err != nil {
		return Draft{}, err
	}
	if d.Payment, err = required(p, fields, "payment", func(t string) (cloud.Payment, error) { return payment(s, t) }); err != nil {
		return Draft{}, err
	}
	if d.Unit = s.unit; d.Unit != "" {
		d.Quantity, err = required(p, fields, "commitment", commitment)
	} else {
		d.Quantity, err = p.quantity(fields)
	}
	if err != nil {
		return Draft{}, err
	}
	if d.OfferingID, err = optional(p, fields, "offering", offering); err != nil {
		return Draft{}, err
	}
	if d.Currency, err = optional(p, fields, "currency", currencyCode); err != nil {
		return Draft{}, err
	}
	if d.Note, err = optional(p, fields, "note", func(t string) (string, error) { return freeText(t, maxNote) }); err != nil {
		return Draft{}, err
	}
	d.Purpose, err = optional(p, fields, "purpose", Purpose)
	return d, err
}

// allLineKeys are the keys that a line of some service has.
func allLineKeys() []string {
	keys := slices.Clone(lineKeys)
	for _, s := range services {
		for _, key := range s.line() {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// serviceOf returns the service that a line names, where it names one.
func serviceOf(n *yaml.Node) (service, bool) {
	if n.Kind != yaml.MappingNode {
		return service{}, false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "service" {
			at := slices.IndexFunc(services, func(s service) bool { return string(s.name) == n.Content[i+1].Value })
			if at >= 0 {
				return services[at], true
			}
		}
	}
	return service{}, false
}

// ownKeys refuses keys of another service.
func (p planReader) ownKeys(n *yaml.Node, s service) error {
	own := s.keys()
	all := allLineKeys()
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if slices.Contains(s.line(), key.Value) || !slices.Contains(all, key.Value) {
			continue
		}
		switch {
		case key.Value == "quantity":
			return p.errorf(key.Line, key.Value, "is not a key of a line of service %s, which commits to an amount per hour: write for example %s", s.name, examples["commitment"])
		case key.Value == "commitment":
			return p.errorf(key.Line, key.Value, "is not a key of a line of service %s, which is bought by the piece: write for example %s", s.name, examples["quantity"])
		case len(own) == 0:
			return p.errorf(key.Line, key.Value, "is not a key of a line of service %s: it has no keys of its own", s.name)
		}
		return p.errorf(key.Line, key.Value, "is not a key of a line of service %s: its own keys are %s", s.name, strings.Join(own, ", "))
	}
	return nil
}

func (p planReader) attributes(m mapping, s service) (cloud.Attributes, error) {
	out := make(cloud.Attributes, len(s.attributes))
	for _, a := range s.attributes {
		n := m.values[a.key]
		if n == nil && a.optional {
			continue
		}
		if n == nil {
			return nil, p.errorf(m.line, a.key, "is missing: write for example %s: %s", a.key, a.example)
		}
		text, err := p.text(a.key, n)
		switch tag := n.ShortTag(); {
		case a.boolean:
			text, err = p.scalar(a.key, n, "!!bool", notBoolean)
		case a.number && (tag == "!!int" || tag == "!!float"):
			text, err = n.Value, nil // as it is written
		}
		if err != nil {
			return nil, err
		}
		if text, err = s.strict(a, text); err != nil {
			return nil, p.errorf(n.Line, a.key, "%v", err)
		}
		out[a.key] = text
	}
	return out, nil
}

// account takes the digits as they stand in the file: as a YAML number they
// would lose zeros in front, or be read as octal.
func (p planReader) account(m mapping, s service) (cloud.Account, error) {
	n, err := p.need(m, "account")
	if err != nil {
		return "", err
	}
	if n.Kind != yaml.ScalarNode || !slices.Contains([]string{"!!str", "!!int", "!!float"}, n.ShortTag()) {
		return "", p.errorf(n.Line, "account", "must be 12 digits in quotes")
	}
	a, err := s.account(n.Value, dialects[s.provider].account)
	if err != nil {
		return "", p.errorf(n.Line, "account", "%v", err)
	}
	return a, nil
}

func (p planReader) quantity(m mapping) (int64, error) {
	n, err := p.need(m, "quantity")
	if err != nil {
		return 0, err
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return 0, p.errorf(n.Line, "quantity", "must be a whole number of at least 1")
	}
	if tag := n.ShortTag(); tag != "!!int" && tag != "!!float" {
		if whole.MatchString(n.Value) {
			return 0, p.errorf(n.Line, "quantity", "%q is text: write the number without quotes", n.Value)
		}
		return 0, p.errorf(n.Line, "quantity", "%s is not a whole number of at least 1", show(n.Value))
	}
	q, err := quantity(n.Value)
	if err != nil {
		return 0, p.errorf(n.Line, "quantity", "%v", err)
	}
	return q, nil
}

// term and payment know one spelling each: a plan file is ours.
func term(text string) (cloud.Term, error) {
	for _, t := range []cloud.Term{cloud.OneYear, cloud.ThreeYears} {
		if text == t.String() {
			return t, nil
		}
	}
	return 0, problemf("%s is not a term: use 1y or 3y", show(text))
}

func payment(s service, text string) (cloud.Payment, error) {
	p, err := cloud.ParsePayment(text)
	if err != nil || string(p) != text {
		words := make([]string, len(s.payments))
		for i, w := range s.payments {
			words[i] = string(w)
		}
		return "", problemf("%s is not a payment option: use %s", show(text), oneOf(words))
	}
	return p, s.sells(p)
}

func providerCalled(text string) (cloud.Provider, error) {
	p, err := providerNamed(text)
	if err == nil && string(p) != text {
		err = problemf("%s is not a provider: use %s", show(text), p)
	}
	return p, err
}
