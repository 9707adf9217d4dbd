package gcp

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/api/compute/v1"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/money"
)

// A license commitment is to so many licenses of an operating system, each for a
// machine with a number of cores in some range. It is a commitment of the category
// LICENSE, made by the same request and guarded by its name alike; it has no type.
//
// The price list does not say of which license a SKU is, other than in prose: a person
// puts the SKU of each license and term into the configuration, or nothing is sold.
const (
	attrLicense = "license"
	attrCores   = "cores"

	licenseHost = "https://www.googleapis.com/compute/v1/"
	// mostLicenses is far above what anybody runs.
	mostLicenses = 100_000
)

// License is a license for a term as a person has looked it up.
type License struct {
	Name  string // PROJECT/LICENSE: suse-sap-cloud/sles-sap-12
	Cores string // "1-2", "3-4" or "5+"; empty for a license that is not sold by cores
	Term  cloud.Term
	SKU   string // its commitment in the price list: 0123-4567-89AB
}

var (
	licenseForm = regexp.MustCompile(`^[a-z][a-z0-9-]{4,28}[a-z0-9]/[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)
	licensePath = regexp.MustCompile(`(?:^|/)projects/([^/]+)/global/licenses/([^/]+)$`)
	skuForm     = regexp.MustCompile(`^[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}$`)
	// coreRanges are those of gcloud compute commitments create-license.
	coreRanges = []string{"", "1-2", "3-4", "5+"}
)

// key is the license's offering: "suse-sap-cloud/sles-sap-12 3-4 1y".
func (l License) key() string {
	return strings.Join(strings.Fields(l.Name+" "+l.Cores+" "+l.Term.String()), " ")
}

// parseKey reads an offering; of another form it is the license of that name.
func parseKey(key string) License {
	words := strings.Fields(strings.TrimSuffix(strings.TrimSuffix(key, " "+cloud.OneYear.String()), " "+cloud.ThreeYears.String()))
	l := License{Name: key}
	if len(words) == 1 || len(words) == 2 && slices.Contains(coreRanges, words[1]) {
		l.Name, l.Cores = words[0], strings.Join(words[1:], "")
	}
	return l
}

func (l License) attributes() cloud.Attributes {
	a := cloud.Attributes{attrLicense: l.Name}
	if l.Cores != "" {
		a[attrCores] = l.Cores
	}
	return a
}

// licenseOf reads the license of a commitment; one in a form that is not known keeps
// its address for a name.
func licenseOf(r *compute.LicenseResourceCommitment, term cloud.Term) License {
	l := License{Name: r.License, Cores: r.CoresPerLicense, Term: term}
	if m := licensePath.FindStringSubmatch(r.License); m != nil {
		l.Name = m[1] + "/" + m[2]
	}
	return l
}

// licenses sells license commitments. They are listed with the commitments of
// resources, and each service shows its own.
type licenses struct{ *commitments }

var (
	_ driver.Service  = (*licenses)(nil)
	_ driver.Follower = (*licenses)(nil)
	_ driver.Limiter  = (*licenses)(nil)
)

func newLicenses(c *core) (*licenses, error) {
	for i, l := range c.Licenses {
		switch {
		case !licenseForm.MatchString(l.Name):
			return nil, fmt.Errorf("gcp: license %q: want PROJECT/LICENSE such as suse-sap-cloud/sles-sap-12", l.Name)
		case !slices.Contains(coreRanges, l.Cores):
			return nil, fmt.Errorf("gcp: license %s: cores %q: want 1-2, 3-4, 5+ or none", l.Name, l.Cores)
		case l.Term != cloud.OneYear && l.Term != cloud.ThreeYears:
			return nil, fmt.Errorf("gcp: license %s: want a term of 1y or 3y", l.key())
		case !skuForm.MatchString(l.SKU):
			return nil, fmt.Errorf("gcp: license %s: sku %q: want one such as 0123-4567-89AB", l.key(), l.SKU)
		case slices.ContainsFunc(c.Licenses[:i], func(p License) bool { return p.SKU == l.SKU || p.key() == l.key() }):
			return nil, fmt.Errorf("gcp: license %s: it or its SKU is given twice", l.key())
		}
	}
	return &licenses{&commitments{c}}, nil
}

// Info implements driver.Service.
func (d *licenses) Info() driver.Info {
	info := d.commitments.Info()
	info.Attributes = []driver.Attribute{
		{Key: attrLicense, Example: "suse-sap-cloud/sles-sap-12"},
		{Key: attrCores, Example: "3-4", Optional: true},
	}
	return info
}

// Allows refuses more licenses than there can be use for.
func (d *licenses) Allows(_ cloud.Offering, quantity int64) error {
	if quantity < 1 || quantity > mostLicenses {
		return fmt.Errorf("quantity %d: want 1 to %d licenses", quantity, mostLicenses)
	}
	return nil
}

// Offerings are the configured licenses at today's list prices.
func (d *licenses) Offerings(ctx context.Context, q driver.Query) ([]cloud.Offering, error) {
	for key := range q.Attributes {
		if key != attrLicense && key != attrCores {
			return nil, &driver.Error{Operation: opSKUs, Err: fmt.Errorf("attribute %s: want %s and %s", key, attrLicense, attrCores)}
		}
	}
	if len(d.Licenses) == 0 {
		return nil, &driver.Error{Operation: opSKUs, Err: fmt.Errorf("no licenses are configured for project %s: put each license with its SKU from Google's price list "+
			"into the configuration to buy it", d.Account)}
	}
	var wanted []License
	for _, l := range d.Licenses {
		if (q.ID == "" || q.ID == l.key()) && (q.Term == 0 || q.Term == l.Term) && (q.Payment == "" || q.Payment == cloud.Monthly) &&
			(q.Attributes[attrLicense] == "" || q.Attributes[attrLicense] == l.Name) && (q.Attributes[attrCores] == "" || q.Attributes[attrCores] == l.Cores) {
			wanted = append(wanted, l)
		}
	}
	if len(wanted) == 0 {
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
	for _, l := range wanted {
		price, listed := rates[rate{kind: l.key()}]
		if !listed {
			continue
		}
		list = append(list, cloud.Offering{
			Provider: cloud.GCP, Service: Licenses, Region: d.Region, ID: l.key(), Attributes: l.attributes(),
			Term: l.Term, Payment: cloud.Monthly, Upfront: money.Zero(d.Currency), Hourly: price,
		})
	}
	return list, nil
}

// Quote implements driver.Service.
func (d *licenses) Quote(ctx context.Context, r driver.Request) (cloud.Quote, error) {
	return d.quote(ctx, r, d.Offerings)
}

// Purchase inserts the commitment. The answer is an operation, to be followed.
func (d *licenses) Purchase(ctx context.Context, r driver.Request) (cloud.Evidence, error) {
	err := d.checkOrder(r, d)
	l := parseKey(r.Offering.ID)
	project, name, _ := strings.Cut(l.Name, "/")
	if err == nil && !licenseForm.MatchString(l.Name) {
		err = fmt.Errorf("offering %.70q is no license", r.Offering.ID)
	}
	return d.insert(ctx, r, err, &compute.Commitment{
		Category: "LICENSE",
		LicenseResource: &compute.LicenseResourceCommitment{
			Amount: r.Quantity, CoresPerLicense: l.Cores, License: licenseHost + "projects/" + project + "/global/licenses/" + name,
		},
	})
}
