package azure

import (
	"context"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/reservations/armreservations/v3"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// Offerings returns what the catalog of the location has, in the scope that q asks for
// or else the shared one, without renewal unless q asks for it. Where q names one SKU,
// prices are those that the account is asked; in a list of all they are list prices.
func (d *reservations) Offerings(ctx context.Context, q driver.Query) ([]cloud.Offering, error) {
	if err := checkQuery("reservations", q, d.attributes()); err != nil {
		return nil, err
	}
	name := q.Attributes[attrSKU]
	if q.ID != "" {
		g, err := parseGoods(q.ID)
		if err != nil || name != "" && name != g.sku {
			return nil, err
		}
		name = g.sku
	}
	token, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	all, err := d.catalog(ctx, token, name, q)
	if err != nil || name == "" {
		return all, err
	}
	for i, o := range all {
		priced, _, _, err := d.price(ctx, token, o, 1, "bursar-price")
		if err != nil {
			return nil, err
		}
		all[i] = priced
	}
	return all, nil
}

// catalog returns the offerings that match q at list prices, of one SKU if it is named.
func (d *reservations) catalog(ctx context.Context, token azcore.AccessToken, name string, q driver.Query) ([]cloud.Offering, error) {
	client, err := armreservations.NewAzureReservationAPIClient(frozen(token.Token), d.options(d.client, false))
	if err != nil {
		return nil, readError(opCatalog, err, token)
	}
	var all []cloud.Offering
	l := look{operation: opCatalog}
	pager := client.NewGetCatalogPager(string(d.Account), &armreservations.AzureReservationAPIClientGetCatalogOptions{
		ReservedResourceType: to.Ptr(d.resource), Location: to.Ptr(string(d.Region)),
	})
	err = each(ctx, d.core, &l, pager, func(p armreservations.AzureReservationAPIClientGetCatalogResponse) *string { return p.NextLink },
		func(p armreservations.AzureReservationAPIClientGetCatalogResponse) error {
			for _, item := range p.Value {
				if item == nil || text(item.Name) == "" || name != "" && text(item.Name) != name || !strings.EqualFold(text(item.ResourceType), d.resource) {
					continue
				}
				for _, o := range d.offeringsOf(item, q) {
					if !slices.ContainsFunc(all, func(known cloud.Offering) bool { return known.ID == o.ID }) {
						all = append(all, o)
					}
				}
			}
			return nil
		})
	if err != nil {
		return nil, readError(opCatalog, err, token)
	}
	return all, nil
}

// offeringsOf are the terms and payments of one SKU that match q.
func (d *reservations) offeringsOf(item *armreservations.Catalog, q driver.Query) (list []cloud.Offering) {
	for _, term := range item.Terms {
		plans := []string{"Upfront", "Monthly"}
		if known, there := item.BillingPlans[text(term)]; there {
			plans = nil
			for _, p := range known {
				plans = append(plans, text(p))
			}
		}
		for _, plan := range plans {
			g, err := parseGoods(strings.Join([]string{text(item.Name), text(term), plan}, "."))
			if err != nil {
				continue // terms of five years are not known here
			}
			o := cloud.Offering{
				Provider: cloud.Azure, Service: d.service, Region: d.Region, ID: g.id(), Attributes: d.goods(g, q.Attributes),
				Term: g.months(), Payment: g.payment,
			}
			if !matches(q, o) || d.list(&o, item, g) != nil {
				continue
			}
			list = append(list, o)
		}
	}
	return list
}

// goods are the attributes of what g names, on the terms that are asked for.
func (d *reservations) goods(g goods, asked cloud.Attributes) cloud.Attributes {
	all := cloud.Attributes{attrSKU: g.sku, attrScope: scopeShared, attrRenew: "false"}
	if d.flexible {
		all[attrFlexible] = "true"
	}
	for key := range all {
		if want := asked[key]; want != "" && key != attrSKU {
			all[key] = want
		}
	}
	return all
}

// list sets the list price of one unit.
func (d *reservations) list(o *cloud.Offering, item *armreservations.Catalog, g goods) error {
	var p *armreservations.Price
	if item.Msrp != nil {
		p = map[string]*armreservations.Price{"P1Y": item.Msrp.P1Y, "P3Y": item.Msrp.P3Y}[g.term]
	}
	if p == nil {
		return errNoPrice
	}
	total, err := driver.Amount(p.Amount, text(p.CurrencyCode))
	if err == nil {
		o.Upfront, o.Hourly, err = perUnit(total, 1, g)
	}
	return err
}

func matches(q driver.Query, o cloud.Offering) bool {
	for key, want := range q.Attributes {
		if o.Attributes[key] != want {
			return false
		}
	}
	return (q.ID == "" || o.ID == q.ID) && (q.Term == 0 || o.Term == q.Term) && (q.Payment == "" || o.Payment == q.Payment)
}
