package recommend

import (
	"errors"
	"strings"

	"bursar/internal/cloud"
)

// reserved reads a recommendation of Microsoft.Consumption (2021-10-01). Of the kind
// legacy money is a number without a currency, and the look-back is a word; of the kind
// modern money has its currency, the look-back counts days, and the type of the resource
// is not said.
func (r *azureReader) reserved(item, p *value, d *Draft) (why string, err error) {
	var g azureGoods
	var kind, window, saves, currency string
	err = errors.Join(r.texts(item, map[string]*string{"kind": &kind}), r.texts(p, map[string]*string{
		"term": &g.term, "scope": &g.scope, "subscriptionId": &g.subscription, "resourceType": &g.resource, "recommendedQuantity": &g.quantity,
		"instanceFlexibilityGroup": &g.flexibleGroup, "lookBackPeriod": &window,
	}))
	if err != nil {
		return "", first(err)
	}
	savings := p.member("netSavings")
	switch kind {
	case "legacy":
		err = errors.Join(r.texts(item, map[string]*string{"sku": &g.sku, "location": &g.region}), r.texts(p, map[string]*string{"netSavings": &saves}))
	case "modern":
		err = r.texts(p, map[string]*string{"skuName": &g.sku, "location": &g.region})
		if savings != nil && savings.kind == jsonObject {
			err = errors.Join(err, r.texts(savings, map[string]*string{"value": &saves, "currency": &currency}))
		}
	default:
		return "its kind " + show(kind) + " is not legacy or modern", nil
	}
	if err != nil {
		return "", first(err)
	}
	if currency != "" && !isoCurrency.MatchString(currency) {
		saves = ""
	}
	g.note = azureNote("Azure reservation recommendations", window) + claim(saves, currency, "")
	g.claim = Claim{Source: "Azure reservation recommendations", Window: days(window)} // over what time is saved it does not say
	return r.reservation(item, g, d)
}

// benefit reads a recommendation of Microsoft.CostManagement (2022-10-01) to buy a
// savings plan. Of the commitments that it may list only the one that it recommends
// counts.
func (r *azureReader) benefit(item, p *value, d *Draft) (why string, err error) {
	var g azureGoods
	var kind, grain, window, hours, saves, amount string
	best, all := p.member("recommendationDetails"), p.member("allRecommendationDetails")
	if err := r.whole(all); err != nil {
		return "", err
	}
	err = errors.Join(r.texts(item, map[string]*string{"kind": &kind}), r.texts(p, map[string]*string{
		"term": &g.term, "scope": &g.scope, "subscriptionId": &g.subscription, "resourceGroup": &g.group, "armSkuName": &g.sku,
		"commitmentGranularity": &grain, "currencyCode": &d.Currency, "lookBackPeriod": &window, "totalHours": &hours,
	}), r.texts(best, map[string]*string{"commitmentAmount": &amount, "savingsAmount": &saves}))
	if err != nil {
		return "", first(err)
	}
	s := azureServices[len(azureServices)-1]
	d.Service, d.Region, d.Unit = s.name, everywhere, s.unit
	switch {
	case kind != "SavingsPlan":
		return "it is of the kind " + show(kind) + ", not SavingsPlan", nil
	case grain != "Hourly":
		return "its commitment is not by the hour", nil
	case !isoCurrency.MatchString(d.Currency):
		return "it does not say the currency of its commitment", nil
	case amount == "":
		return "it does not say how much to commit to", nil
	}
	if d.Attributes[azureSKU.key], err = s.strict(s.attributes[0], g.sku); err != nil {
		return "its SKU " + err.Error(), nil
	}
	if d.Quantity, err = advisedCommitment(amount, r.payment); err != nil {
		return "its commitment " + err.Error(), nil
	}
	if d.Quantity < leastCommitment {
		return "Azure recommends to commit to " + looseText(amount, 20) + " per hour, less than can be bought", nil
	}
	g.note = azureNote("Azure savings plan recommendations", window)
	over := ""
	if hoursOf.MatchString(hours) {
		over = " in " + hours + " hours"
	}
	g.note += claim(saves, d.Currency, over)
	g.claim = Claim{Source: "Azure savings plan recommendations", Window: days(window)}
	g.claim.savings(saves, d.Currency, int64(days(hours))*3600, d.Quantity)
	if _, decimals, _ := strings.Cut(amount, "."); len(strings.TrimRight(decimals, "0")) > planDecimals {
		g.note += "; " + looseText(amount, 20) + " per hour advised, rounded down to " + d.amount(d.Quantity)
	}
	return r.conditions(item, g, d)
}

// advisor reads a recommendation of Azure Advisor (2020-01-01) to buy a reservation. Its
// figures are texts in extendedProperties, whose names are not published; those read
// here are what public tools read. Of savings plans no commitment is known to be among
// them.
func (r *azureReader) advisor(item, p *value, d *Draft) (why string, err error) {
	var category string
	if err := r.texts(p, map[string]*string{"category": &category}); err != nil {
		return "", err
	}
	ext := p.member("extendedProperties")
	if ext == nil || ext.kind == jsonNull {
		ext = &value{kind: jsonObject}
	}
	if err := r.is(ext, jsonObject); err != nil {
		return "", err
	}
	if category != "Cost" {
		return "it is of the category " + show(category) + ", not Cost", nil
	}
	var g azureGoods
	var window, saves, currency string
	err = r.texts(ext, map[string]*string{
		"term": &g.term, "scope": &g.scope, "reservedResourceType": &g.resource, "lookbackPeriod": &window,
		"annualSavingsAmount": &saves, "savingsCurrency": &currency,
	})
	if err != nil {
		return "", err
	}
	if g.resource == "" {
		if short := p.member("shortDescription"); strings.Contains(strings.ToLower(spoken(short)), "savings plan") {
			return "Advisor does not say how much to commit to: save what benefitRecommendations of Microsoft.CostManagement answers", nil
		}
		return "it is not to buy a reservation", nil
	}
	for _, m := range []struct {
		to    *string
		what  string
		names []string
	}{
		{&g.sku, "SKU", []string{"displaySKU", "sku", "vmSize"}},
		{&g.quantity, "quantity", []string{"displayQty", "qty", "targetResourceCount"}},
		{&g.region, "region", []string{"region", "location", "regionId"}},
		{&g.subscription, "subscription", []string{"subId", "subscriptionId"}},
	} {
		for _, name := range m.names {
			text, err := r.text(ext, name)
			if err != nil {
				return "", err
			}
			if text == "" {
				continue
			}
			if *m.to != "" && !strings.EqualFold(*m.to, text) {
				return "it names two different values for its " + m.what + ", " + show(*m.to) + " and " + show(text), nil
			}
			*m.to = text
		}
	}
	if !isoCurrency.MatchString(currency) {
		currency = ""
	}
	g.note = azureNote("Azure Advisor", window) + claim(saves, currency, " a year")
	g.claim = Claim{Source: "Azure Advisor", Window: days(window)}
	g.claim.savings(saves, currency, secondsPerYear, 1)
	return r.reservation(item, g, d)
}

// spoken is the text of a description.
func spoken(v *value) (text string) {
	for _, name := range []string{"problem", "solution"} {
		if m := v.member(name); m != nil {
			text += m.text + " "
		}
	}
	return text
}

// reservation completes a draft of a reservation.
func (r *azureReader) reservation(item *value, g azureGoods, d *Draft) (why string, err error) {
	if g.resource == "" {
		g.resource = r.resource
	}
	if g.resource == "" {
		return lacks("of which type of resource it is", "resource_type", `"VirtualMachines" or another`), nil
	}
	if d.Service = reservedResource[strings.ToLower(g.resource)]; d.Service == "" {
		return "reservations of " + looseText(g.resource, 40) + " cannot be bought yet", nil
	}
	s, err := serviceCalled(cloud.Azure, string(d.Service))
	if err != nil {
		return "", err
	}
	if d.Region, err = looseLocation(g.region); err != nil {
		return "its region " + err.Error(), nil
	}
	if d.Attributes[azureSKU.key], err = s.strict(azureSKU, g.sku); err != nil {
		return "its SKU " + err.Error(), nil
	}
	if noInstances.MatchString(g.quantity) {
		return "Azure recommends to buy none", nil
	}
	if d.Quantity, err = quantity(g.quantity); err != nil {
		return "its quantity " + err.Error(), nil
	}
	if d.Service == "vm" {
		switch {
		case r.flexible != "":
			d.Attributes[azureFlexible.key] = r.flexible
		case g.flexibleGroup != "" && !strings.EqualFold(g.flexibleGroup, "NA"):
			// It was counted over all sizes of the group.
			d.Attributes[azureFlexible.key] = "true"
			g.note += "; counted over the sizes of " + looseText(g.flexibleGroup, 40)
		default:
			return lacks("whether it covers other sizes", "flexible", "true or false"), nil
		}
	}
	return r.conditions(item, g, d)
}
