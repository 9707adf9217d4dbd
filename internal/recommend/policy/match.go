package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bursar/internal/cloud"
	"bursar/internal/recommend"
	"bursar/internal/recommend/sizing"
)

// renewKey is Azure's word for what a commitment does at its end. It says nothing
// about what the commitment covers.
const renewKey = "renew"

// Key names what advice is about: the goods and the account that would own them,
// whatever the quantity, the terms and the source. It is the same at any time and in
// any file.
func Key(d recommend.Draft) string {
	attributes := maps.Clone(d.Attributes)
	delete(attributes, renewKey)
	parts := []string{"bursar-advice-1", string(d.Provider), string(d.Account), string(d.Region), string(d.Service), attributes.String()}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return "adv-" + hex.EncodeToString(sum[:6])
}

// About says in words what advice is about.
func About(d recommend.Draft) string {
	attributes := maps.Clone(d.Attributes)
	delete(attributes, renewKey)
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s in %s for %s", d.Service, attributes, d.Region, d.Account)), " ")
}

func laneOf(d recommend.Draft) cloud.Lane {
	return cloud.Lane{Provider: d.Provider, Account: d.Account, Region: d.Region, Service: d.Service}
}

// Covers reports whether what is owned covers the usage that a draft is for: in the
// same place, and alike in every attribute that both name. What is made to measure was
// netted where it was measured: how much of it is wanted are its attributes.
func Covers(lane cloud.Lane, attributes cloud.Attributes, d recommend.Draft) bool {
	if lane != laneOf(d) || d.Claim.Usage && sizing.Measured(d.Provider, d.Service) {
		return false
	}
	for key, value := range d.Attributes {
		if other, ok := attributes[key]; ok && key != renewKey && other != value {
			return false
		}
	}
	return true
}

// subject is what a filter looks at.
type subject struct {
	key string
	of  func(recommend.Draft) string // "" where the goods have none
}

var subjects = []subject{
	{"providers", func(d recommend.Draft) string { return string(d.Provider) }},
	{"accounts", func(d recommend.Draft) string { return string(d.Account) }},
	{"regions", func(d recommend.Draft) string { return string(d.Region) }},
	{"services", func(d recommend.Draft) string { return string(d.Service) }},
	{"families", family},
	{"engines", func(d recommend.Draft) string { return d.Attributes["engine"] }},
}

// family is the family of machines: "r6g" of db.r6g.large, the SKU of Azure, the type
// of Google's machines.
func family(d recommend.Draft) string {
	for _, key := range []string{"family", "sku", "type"} {
		if text := d.Attributes[key]; text != "" {
			return text
		}
	}
	for _, key := range []string{"class", "instance_type", "node_type"} {
		text := d.Attributes[key]
		for _, prefix := range []string{"db.", "cache."} {
			text = strings.TrimPrefix(text, prefix)
		}
		if text != "" {
			before, _, _ := strings.Cut(text, ".")
			return before
		}
	}
	return ""
}

// filter keeps or drops by one subject.
type filter struct {
	subject  subject
	never    bool
	patterns []string
	at       recommend.Position
}

// drops says why a draft is dropped; "" keeps it. What the goods do not have is not
// filtered.
func (f filter) drops(d recommend.Draft) string {
	value := f.subject.of(d)
	if value == "" || slices.ContainsFunc(f.patterns, func(p string) bool { return like(p, value) }) == !f.never {
		return ""
	}
	if f.never {
		return fmt.Sprintf("%s is one that is never bought", value)
	}
	return fmt.Sprintf("%s is not one of %s", value, strings.Join(f.patterns, ", "))
}

func like(pattern, value string) bool {
	if head, star := strings.CutSuffix(pattern, "*"); star {
		return strings.HasPrefix(value, head)
	}
	return pattern == value
}

// extended are versions of an engine for which the cloud charges extended support:
// nobody should commit to them for years.
type extended struct {
	engine   string
	versions []string
	at       recommend.Position
}

// drops says why a draft is dropped, or what could not be asked.
func (e extended) drops(d recommend.Draft) (why, unknown string) {
	if engine := d.Attributes["engine"]; engine == "" || !like(e.engine, engine) {
		return "", ""
	}
	if d.Claim.Version == "" {
		return "", "the source does not say which version of the engine it is for"
	}
	for _, v := range e.versions {
		if d.Claim.Version == v || strings.HasPrefix(d.Claim.Version, v+".") {
			return fmt.Sprintf("it is for version %s, which is in extended support", d.Claim.Version), ""
		}
	}
	return "", ""
}

// Admits reports whether the filters let anything in a lane be bought.
func (p *Policy) Admits(l cloud.Lane) bool {
	d := recommend.Draft{Provider: l.Provider, Account: l.Account, Region: l.Region, Service: l.Service}
	return !slices.ContainsFunc(p.filters, func(f filter) bool { return f.drops(d) != "" })
}

// mixOf are the parts of a service. What names the service counts before what is for all.
func (p *Policy) mixOf(s cloud.Service) []Part {
	of := func(s cloud.Service) (list []Part) {
		for _, part := range p.Mix {
			if part.Service == s {
				list = append(list, part)
			}
		}
		return list
	}
	if own := of(s); len(own) > 0 || slices.ContainsFunc(p.Terms, func(t Terms) bool { return t.Service == s }) {
		return own
	}
	return of("")
}

// Preferred returns the terms of a service that the policy names first; false where it
// names none.
func (p *Policy) Preferred(s cloud.Service) (cloud.Term, cloud.Payment, bool) {
	if mix := p.mixOf(s); len(mix) > 0 {
		return mix[0].Term, mix[0].Payment, true
	}
	for _, t := range p.Terms {
		if t.Service == "" || t.Service == s {
			return t.Term, t.Payment, true
		}
	}
	return 0, "", false
}

// coverage returns the rule for a draft; 100 per cent without one.
func (p *Policy) coverage(d recommend.Draft) (int, recommend.Position) {
	for _, c := range p.Coverage {
		if (c.Account == "" || c.Account == d.Account) && (c.Service == "" || c.Service == d.Service) {
			return c.Percent, c.At
		}
	}
	return 100, recommend.Position{}
}

// rank is the place of a draft's terms among those that the policy names for its
// service, 0 the most preferred; false where it names others only. Where it names
// none, all terms are equal.
func (p *Policy) rank(d recommend.Draft) (int, bool) {
	named := false
	for i, t := range p.Terms {
		if t.Service != "" && t.Service != d.Service {
			continue
		}
		if named = true; t.Term == d.Term && t.Payment == d.Payment {
			return i, true
		}
	}
	return 0, !named
}
