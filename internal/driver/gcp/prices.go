package gcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"google.golang.org/api/cloudbilling/v1"
	"google.golang.org/api/option"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// Google quotes no commitment. What one costs is its resources at the prices of the
// public list, which is the Cloud Billing Catalog; a contract may make it cheaper. The
// SKU of a commitment says in its category for how long it is, and only in its
// description of which type.
const (
	opSKUs        = "services.skus.list"
	billingHost   = "cloudbilling.googleapis.com"
	computeEngine = "services/6F81-5844-456A"
	// priceAge is how long the list serves; Google's own is up to 12 hours old.
	priceAge = time.Hour
	mbPerGB  = 1024 // of memory, as Compute Engine counts it
	// priceDecimals is how exact the price of an hour of a commitment is: the list has
	// up to nine decimals for its parts, and no bill shows them.
	priceDecimals = 6
)

// family is a commitment type whose price is known.
type family struct {
	kind string // the type in Google's words
	cpu  string // what the descriptions of its SKUs begin with, up to " in PLACE"
	ram  string
}

// families are the types that can be bought: those of which the price list names both
// the vCPU and the memory. A type that is not here is listed and not sold.
var families = []family{
	{"GENERAL_PURPOSE", "Commitment v1: Cpu", "Commitment v1: Ram"}, // N1
	{"GENERAL_PURPOSE_E2", "Commitment v1: E2 Cpu", "Commitment v1: E2 Ram"},
	{"GENERAL_PURPOSE_N2", "Commitment v1: N2 Cpu", "Commitment v1: N2 Ram"},
	{"GENERAL_PURPOSE_N2D", "Commitment v1: N2D AMD Cpu", "Commitment v1: N2D AMD Ram"},
	{"GENERAL_PURPOSE_T2D", "Commitment v1: T2D AMD Cpu", "Commitment v1: T2D AMD Ram"},
	{"COMPUTE_OPTIMIZED", "Commitment: Compute optimized Core", "Commitment: Compute optimized Ram"},
	{"COMPUTE_OPTIMIZED_C2D", "Commitment v1: C2D AMD Cpu", "Commitment v1: C2D AMD Ram"},
	{"COMPUTE_OPTIMIZED_C3", "Commitment v1: C3 Cpu", "Commitment v1: C3 Ram"},
	{"COMPUTE_OPTIMIZED_C3D", "Commitment v1: C3D Cpu", "Commitment v1: C3D Ram"},
}

func known(kind string) bool {
	return slices.ContainsFunc(families, func(f family) bool { return f.kind == kind })
}

// attached are the types whose machines have accelerators, by how they begin. What is
// committed to there includes the accelerators, and a commitment to accelerators has to
// name a reservation of them (regionCommitments, field reservations), which is billed
// from when it is made. Bursar makes nothing that is billed beside a commitment.
var attached = []string{"ACCELERATOR_OPTIMIZED", "GRAPHICS_OPTIMIZED"}

// unsold says why a type is never sold; "" if it is only not known.
func unsold(kind string) string {
	if !slices.ContainsFunc(attached, func(p string) bool { return kind == p || strings.HasPrefix(kind, p+"_") }) {
		return ""
	}
	return fmt.Sprintf("type %s: its machines have accelerators, and Google wants a reservation with a commitment to them, which is billed by itself: "+
		"buy it in Google's console", typeOf(kind))
}

// usageTypes are the terms in the words of the price list.
var usageTypes = map[string]cloud.Term{"Commit1Yr": cloud.OneYear, "Commit3Yr": cloud.ThreeYears}

// rate is what is priced: a vCPU or a gibibyte of a type, or one license, committed for
// a term.
type rate struct {
	kind   string
	memory bool
	term   cloud.Term
}

// priceBook keeps the prices of a region, per hour.
type priceBook struct {
	mu    sync.Mutex
	at    time.Time
	rates map[rate]money.Amount
}

// prices returns today's prices of the region.
func (c *core) prices(ctx context.Context, t *oauth2.Token) (map[rate]money.Amount, error) {
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	now := c.now()
	if age := now.Sub(c.book.at); c.book.rates != nil && age >= 0 && age < priceAge {
		return c.book.rates, nil
	}
	rates := map[rate]money.Amount{}
	torn := map[rate]bool{} // listed at two prices
	err := pages(func(token string) (string, error) {
		page, err := read(ctx, func(ctx context.Context) (*cloudbilling.ListSkusResponse, error) {
			api, err := cloudbilling.NewService(ctx, option.WithHTTPClient(c.reads), option.WithEndpoint(c.at(billingHost, "/")), option.WithUserAgent(userAgent))
			if err != nil {
				return nil, err
			}
			call := api.Services.Skus.List(computeEngine).CurrencyCode(c.Currency).PageSize(5000).Context(ctx)
			if token != "" {
				call.PageToken(token)
			}
			c.authorize(call.Header(), t)
			return call.Do()
		})
		if err != nil {
			return "", err
		}
		for _, sku := range page.Skus {
			of, price, err := c.priced(sku)
			if err != nil {
				return "", fmt.Errorf("SKU %s: %w", sku.SkuId, err)
			}
			if of.kind == "" {
				continue
			}
			if first, twice := rates[of]; twice && !first.Equal(price) {
				torn[of] = true
			}
			rates[of] = price
		}
		return page.NextPageToken, nil
	})
	if err != nil {
		return nil, c.readError(opSKUs, err)
	}
	for of := range torn {
		delete(rates, of) // which of them is billed, the list does not say
	}
	if len(rates) == 0 {
		return nil, c.readError(opSKUs, fmt.Errorf("the price list names no commitment in %s", c.Region))
	}
	c.book.rates, c.book.at = rates, now
	return rates, nil
}

// priced reads a SKU; one that is no commitment of a known type in the region is of no
// kind.
func (c *core) priced(sku *cloudbilling.Sku) (of rate, price money.Amount, err error) {
	if sku.Category == nil || !slices.Contains(sku.ServiceRegions, string(c.Region)) && !slices.Contains(sku.ServiceRegions, string(Global)) {
		return of, price, nil
	}
	term := usageTypes[sku.Category.UsageType]
	if i := slices.IndexFunc(c.Licenses, func(l License) bool { return l.SKU == sku.SkuId }); i >= 0 {
		l := c.Licenses[i]
		if l.Term != term {
			return of, price, fmt.Errorf("it is configured as license %s, and the price list calls it %q (%s)", l.key(), sku.Description, sku.Category.UsageType)
		}
		price, err = c.unitPrice(sku, "h")
		return rate{kind: l.key()}, price, err
	}
	what, _, placed := strings.Cut(sku.Description, " in ")
	i := slices.IndexFunc(families, func(f family) bool { return what == f.cpu || what == f.ram })
	if i < 0 || !placed || term == 0 {
		return of, price, nil
	}
	found := rate{families[i].kind, what == families[i].ram, term}
	unit := "h"
	if found.memory {
		unit = "GiBy.h"
	}
	price, err = c.unitPrice(sku, unit)
	return found, price, err
}

// unitPrice is the one price of a SKU, which is for an hour of a unit.
func (c *core) unitPrice(sku *cloudbilling.Sku, unit string) (price money.Amount, err error) {
	if len(sku.PricingInfo) == 0 {
		return price, errors.New("it has no price")
	}
	terms := sku.PricingInfo[len(sku.PricingInfo)-1].PricingExpression
	if terms == nil || terms.UsageUnit != unit || len(terms.TieredRates) != 1 || terms.TieredRates[0].UnitPrice == nil {
		return price, fmt.Errorf("its price is not one per %s", unit)
	}
	p := terms.TieredRates[0].UnitPrice
	if p.Units < 0 || p.Nanos < 0 || p.CurrencyCode != c.Currency {
		return price, fmt.Errorf("its price is not in %s", c.Currency)
	}
	return money.Parse(fmt.Sprintf("%d.%09d", p.Units, p.Nanos), p.CurrencyCode)
}

// hourly is the list price of a commitment; ok is false where the list has none.
func (c *core) hourly(rates map[rate]money.Amount, kind string, term cloud.Term, r resources) (price money.Amount, ok bool, err error) {
	cpu, hasCPU := rates[rate{kind, false, term}]
	ram, hasRAM := rates[rate{kind, true, term}]
	if !hasCPU || !hasRAM {
		return money.Zero(c.Currency), false, nil
	}
	if cpu, err = cpu.Mul(r.vcpu); err != nil {
		return price, false, err
	}
	// A price has nine decimals, and memory comes in quarters of a gibibyte.
	if ram, err = ram.Mul(r.memoryMB / memoryStep); err == nil {
		ram, err = ram.Div(mbPerGB/memoryStep, 11)
	}
	if err != nil {
		return price, false, err
	}
	if price, err = cpu.Add(ram); err != nil {
		return price, false, err
	}
	price, err = money.Parse(price.Round(priceDecimals).Canonical(), c.Currency)
	return price, err == nil, err
}

// billingOf asks which billing account pays for the project.
func (c *core) billingOf(ctx context.Context, t *oauth2.Token) (*cloudbilling.ProjectBillingInfo, http.Header, error) {
	info, err := read(ctx, func(ctx context.Context) (*cloudbilling.ProjectBillingInfo, error) {
		api, err := cloudbilling.NewService(ctx, option.WithHTTPClient(c.reads), option.WithEndpoint(c.at(billingHost, "/")), option.WithUserAgent(userAgent))
		if err != nil {
			return nil, err
		}
		call := api.Projects.GetBillingInfo("projects/" + c.Project).Context(ctx)
		c.authorize(call.Header(), t)
		return call.Do()
	})
	if err != nil {
		return nil, nil, err
	}
	return info, info.Header, nil
}
