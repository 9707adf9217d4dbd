package gcp

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/sim"
)

func sku(description, usage, unit, region string, nanos int, currency string) string {
	return fmt.Sprintf(`{"skuId":"A","description":%q,"category":{"usageType":%q},"serviceRegions":[%q],"pricingInfo":[{"pricingExpression":`+
		`{"usageUnit":%q,"tieredRates":[{"unitPrice":{"currencyCode":%q,"units":"0","nanos":%d}}]}}]}`, description, usage, region, unit, currency, nanos)
}

// TestPriceList: what the list does not price once and plainly is not sold, and a list
// that cannot be read sells nothing.
func TestPriceList(t *testing.T) {
	w := newWorld(t, Compute, testRegion, sim.Options{Seed: 1})
	var list string
	front := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/skus") {
			out.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(out, `{"skus":[%s]}`, list) //nolint:errcheck // a test
			return
		}
		w.sim.ServeHTTP(out, r)
	}))
	defer front.Close()
	cpu := sku("Commitment v1: N2 Cpu in Belgium for 1 Year", "Commit1Yr", "h", testRegion, 20_000_000, "USD")
	ram := sku("Commitment v1: N2 Ram in Belgium for 1 Year", "Commit1Yr", "GiBy.h", testRegion, 3_000_001, "USD")
	for _, c := range []struct {
		name, list string
		price      string // "" is not sold
		fails      bool
	}{
		{"one price", cpu + "," + ram, "0.104", false}, // 4 x 0.02 + 8 x 0.003000001, to a millionth
		{"listed twice alike", cpu + "," + cpu + "," + ram, "0.104", false},
		{"two prices", cpu + "," + ram + "," + strings.Replace(cpu, "20000000", "21000000", 1), "", false},
		{"no memory", cpu, "", false},
		{"another term", cpu + "," + strings.Replace(ram, "Commit1Yr", "Commit3Yr", 1), "", false},
		{"on demand", cpu + "," + strings.Replace(ram, "Commit1Yr", "OnDemand", 1), "", false},
		{"another family", cpu + "," + strings.Replace(ram, "N2 Ram", "N2D AMD Ram", 1), "", false},
		{"another region", strings.ReplaceAll(cpu+","+ram, testRegion, "us-central1"), "", true},
		{"another currency", strings.Replace(cpu, "USD", "EUR", 1) + "," + ram, "", true},
		{"another unit", cpu + "," + strings.Replace(ram, "GiBy.h", "GiBy.mo", 1), "", true},
		{"negative", strings.Replace(cpu, "20000000", "-2", 1) + "," + ram, "", true},
		{"nothing", "", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			list = c.list
			d := w.open(t, func(cfg *Config) { cfg.Endpoint = front.URL })
			got, err := d.Offerings(t.Context(), driver.Query{
				Attributes: cloud.Attributes{"type": "general-purpose-n2", "vcpu": "4", "memory_gb": "8"}, Term: cloud.OneYear,
			})
			switch {
			case c.fails != (err != nil):
				t.Errorf("%v, %v", got, err)
			case c.price == "" && len(got) > 0:
				t.Errorf("sold at %s", got[0].Hourly)
			case c.price != "" && (len(got) != 1 || strings.TrimRight(got[0].Hourly.Canonical(), "0") != strings.TrimRight(c.price, "0")):
				t.Errorf("%+v, want %s an hour", got, c.price)
			}
		})
	}
}
