package recommend

import (
	"encoding/csv"
	"slices"
	"strings"
)

// column is a CSV column that means something.
type column struct {
	name    string   // in messages
	aliases []string // folded headers; the name itself counts
	money   bool     // its cells may tell the currency
	note    bool     // kept in the note
	special bool     // kept in the note of services that have no attribute for it
}

var columns = []column{
	{name: "timestamp", aliases: []string{"time", "date", "createdat"}, note: true},
	{name: "status", aliases: []string{"state"}},
	{name: "service", aliases: []string{"product"}},
	{name: "provider", aliases: []string{"cloud", "cloudprovider"}},
	{name: "account", aliases: []string{"accountid", "awsaccount", "awsaccountid", "subscription", "subscriptionid", "linkedaccount", "linkedaccountid"}},
	{name: "region", aliases: []string{"awsregion", "regioncode"}},
	{name: "resource type", aliases: []string{"class", "instanceclass", "dbinstanceclass", "instancetype", "nodetype", "cachenodetype", "sku"}, special: true},
	{name: "engine", aliases: []string{"databaseengine", "dbengine", "cacheengine", "productdescription"}, special: true},
	{name: "multi az", aliases: []string{"deployment", "deploymentoption", "azconfig"}, special: true},
	{name: "platform", aliases: []string{"operatingsystem", "os"}, special: true},
	{name: "tenancy", aliases: []string{"instancetenancy"}, special: true},
	{name: "offering class", special: true},
	{name: "node offering type", aliases: []string{"reservednodeofferingtype"}, special: true},
	{name: "zone", aliases: []string{"availabilityzone"}, special: true},
	{name: "scope", aliases: []string{"appliedscope"}, special: true},
	{name: "renew", aliases: []string{"autorenew"}, special: true},
	{name: "flexible", aliases: []string{"instanceflexibility"}, special: true},
	{name: "plan type", aliases: []string{"savingsplantype", "savingsplanstype"}, special: true},
	{name: "family", aliases: []string{"instancefamily", "ec2instancefamily"}, special: true},
	{name: "ec2 region", special: true},
	{name: "vcpu", aliases: []string{"vcpus"}, special: true},
	{name: "memory gb", aliases: []string{"memorygib"}, special: true},
	{name: "cores", aliases: []string{"coresperlicense"}, special: true},
	{name: "hourly commitment", aliases: []string{"commitmentperhour", "hourlycommitmenttopurchase"}, special: true},
	{name: "count", aliases: []string{"quantity", "qty", "instances", "instancecount", "numberofinstances", "recommendedcount"}},
	{name: "term", aliases: []string{"termyears", "duration"}},
	{name: "payment option", aliases: []string{"payment", "paymentoptions", "offeringtype", "purchaseoption"}},
	{name: "upfront", aliases: []string{"upfrontcost", "upfrontpayment"}, money: true, note: true},
	{name: "recurring", aliases: []string{"recurringcost", "recurringmonthly", "monthlycost", "recurringmonthlycost"}, money: true, note: true},
	{name: "total", aliases: []string{"totalcost"}, money: true, note: true},
	{name: "estimated savings", aliases: []string{"savings", "monthlysavings", "estimatedmonthlysavings"}, money: true, note: true},
	{name: "purchase id", aliases: []string{"purchaseid", "commitmentid", "reservationid"}},
	{name: "currency", aliases: []string{"currencycode", "billingcurrency"}},
	{name: "offering id", aliases: []string{"offering", "reservedinstanceofferingid"}},
	{name: "engine version", aliases: []string{"databaseengineversion"}, note: true},
	{name: "database edition", aliases: []string{"edition"}},
	{name: "license model", aliases: []string{"license"}},
	{name: "purpose"},
	{name: "recommendation"},
	{name: "recommendation etag"},
	{name: "note", aliases: []string{"notes", "comment", "description"}},
}

// header says which cell of a row means what.
type header struct {
	names []string       // as written
	keys  []string       // column names; "" for columns of others
	money []bool         // per cell
	index map[string]int // by key
	codes map[int]string // currency that a header names: "Upfront (USD)"
}

// columnKey returns what a folded header means, "" if nothing.
func columnKey(folded string) (key string, money bool) {
	for _, c := range columns {
		if fold(c.name) == folded || slices.Contains(c.aliases, folded) {
			return c.name, c.money
		}
	}
	return "", false
}

// splitHeader takes "Upfront (USD)" apart. Anything else in brackets is a
// remark.
func splitHeader(name string) (folded, currency string) {
	if before, rest, ok := strings.Cut(name, "("); ok && fold(before) != "" {
		name = before
		if code := strings.Trim(rest, " )"); isoCurrency.MatchString(code) {
			currency = code
		}
	}
	return fold(name), currency
}

// Bounds of a header.
const (
	maxHeader  = 16 << 10 // bytes
	maxColumns = 200
)

// delimiter returns the delimiter that finds most known columns in a header
// line, and how many.
func delimiter(line string) (rune, int) {
	best, most := ',', 0
	if len(line) > maxHeader {
		return best, 0
	}
	for _, comma := range []rune{',', ';', '\t'} {
		c := csv.NewReader(strings.NewReader(line))
		c.Comma, c.LazyQuotes, c.FieldsPerRecord = comma, true, -1
		record, err := c.Read()
		if err != nil {
			continue
		}
		known := map[string]bool{}
		for _, name := range record {
			folded, _ := splitHeader(name)
			if key, _ := columnKey(folded); key != "" {
				known[key] = true
			}
		}
		if len(known) > most {
			best, most = comma, len(known)
		}
	}
	return best, most
}

// Statuses of a row, folded. Only what clearly asks for a purchase becomes a
// draft. A failed purchase does not: it may have bought all the same.
var (
	askingStatuses = []string{"", "pending", "planned", "proposed", "draft", "recommended", "recommendation", "new", "open", "todo"}
	boughtStatuses = []string{"completed", "complete", "purchased", "bought", "success", "succeeded", "executed", "active", "done", "paid", "retired"}
)

// leaveRow says why a row is no wish to buy, "" if it is one.
func leaveRow(status, purchaseID string) string {
	switch {
	case slices.Contains(boughtStatuses, fold(status)):
		return "its status " + show(status) + " says that it was bought"
	case purchaseID != "":
		return "its purchase id " + show(purchaseID) + " says that it was bought"
	case !slices.Contains(askingStatuses, fold(status)):
		return "its status " + show(status) + " does not ask for a purchase: see what the cloud lists, then write pending"
	}
	return ""
}

// currencySigns are signs that stand for one currency. The yen sign stands for
// two. A bare dollar is taken for the US dollar, which AWS bills unless told
// otherwise.
var currencySigns = []struct{ sign, code string }{
	{"US$", "USD"}, {"AU$", "AUD"}, {"A$", "AUD"}, {"CA$", "CAD"}, {"C$", "CAD"}, {"NZ$", "NZD"}, {"S$", "SGD"}, {"HK$", "HKD"}, {"R$", "BRL"},
	{"$", "USD"}, {"€", "EUR"}, {"£", "GBP"}, {"₹", "INR"},
}

// cellCurrency returns the currency that a money cell names, "" if none. A cell
// without a digit is no money.
func cellCurrency(text string) string {
	if !strings.ContainsAny(text, "0123456789") {
		return ""
	}
	for _, word := range strings.FieldsFunc(text, func(c rune) bool { return !(c >= 'A' && c <= 'Z') && c != '$' }) {
		if isoCurrency.MatchString(word) {
			return word
		}
	}
	for _, s := range currencySigns {
		if strings.Contains(text, s.sign) {
			return s.code
		}
	}
	return ""
}
