package sizing

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// FOCUS cost files of versions 1.0, 1.0r2, 1.1 and 1.2 differ in columns that are added
// and, in what Microsoft calls 1.0r2, in seconds of dates. A file does not tell its
// version, and need not: columns are found by name. Facts are of the specification
// (github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, specification/columns):
//
//   - ConsumedQuantity is null on rows that are no usage and on unused commitment, and
//     may be on a correction;
//   - PricingCategory is Standard, Dynamic, Committed or Other, and Committed where a
//     commitment discount applies; 1.0-preview said On-Demand and Commitment-Based;
//   - ChargePeriodEnd is exclusive; columns of a provider begin with x_.

// focusColumns are those of FOCUS 1.2, with what 1.0 and AWS's own table have besides.
var focusColumns = strings.Fields(`AvailabilityZone BilledCost BillingAccountId BillingAccountName BillingAccountType BillingCurrency
	BillingPeriodEnd BillingPeriodStart CapacityReservationId CapacityReservationStatus ChargeCategory ChargeClass ChargeDescription
	ChargeFrequency ChargePeriodEnd ChargePeriodStart CommitmentDiscountCategory CommitmentDiscountId CommitmentDiscountName
	CommitmentDiscountQuantity CommitmentDiscountStatus CommitmentDiscountType CommitmentDiscountUnit ConsumedQuantity ConsumedUnit
	ContractedCost ContractedUnitPrice EffectiveCost InvoiceId InvoiceIssuerId InvoiceIssuerName ListCost ListUnitPrice PricingCategory
	PricingCurrency PricingCurrencyContractedUnitPrice PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice PricingQuantity
	PricingUnit ProviderName PublisherName RegionId RegionName ResourceId ResourceName ResourceType ServiceCategory ServiceName
	ServiceSubcategory SkuId SkuMeter SkuPriceDetails SkuPriceId SubAccountId SubAccountName SubAccountType Tags`)

// focusNeeded are the columns without which usage cannot be told.
var focusNeeded = strings.Fields(`BillingCurrency ChargeCategory ChargePeriodStart ChargePeriodEnd ConsumedQuantity ConsumedUnit
	PricingCategory ProviderName RegionId ServiceName SubAccountId`)

// focus holds where the columns are, -1 where a file has none.
type focus struct {
	*source
	currency, category, class, start, end, discountCategory, discountID, status, quantity, unit,
	contracted, list, pricing, provider, region, service, account, resource, usage, operation int
	rows    map[uint64]bool // hashes of rows of named resources
	reasons map[*meter]string
	// hour is the last one that was read; many rows follow each other in one.
	startText, endText string
	hour, hours        int
}

func (s *source) readFocus() error {
	at := map[string]int{}
	for i, name := range s.head {
		switch {
		case strings.HasPrefix(name, "x_"):
		case !slices.Contains(focusColumns, name):
			return s.errorf(i, "is no column of FOCUS 1.0 to 1.2, and columns of a provider begin with x_: export one of these versions")
		}
		if _, twice := at[name]; twice {
			return s.errorf(i, "is there twice")
		}
		at[name] = i
	}
	for _, name := range focusNeeded {
		if _, ok := at[name]; !ok {
			return &Error{File: s.file, Line: 1, Column: name, Problem: "has no column, and usage of a FOCUS file cannot be told without it"}
		}
	}
	of := func(names ...string) int {
		for _, n := range names {
			if i, ok := at[n]; ok {
				return i
			}
		}
		return -1
	}
	f := &focus{
		source: s, currency: of("BillingCurrency"), category: of("ChargeCategory"), class: of("ChargeClass"), start: of("ChargePeriodStart"), end: of("ChargePeriodEnd"),
		discountCategory: of("CommitmentDiscountCategory"), discountID: of("CommitmentDiscountId"), status: of("CommitmentDiscountStatus"),
		quantity: of("ConsumedQuantity"), unit: of("ConsumedUnit"), contracted: of("ContractedUnitPrice"), list: of("ListUnitPrice"),
		pricing: of("PricingCategory"), provider: of("ProviderName"), region: of("RegionId"), service: of("ServiceName"), account: of("SubAccountId"), resource: of("ResourceId"),
		// AWS: "x_UsageType (This is now the SkuMeter column)" in FOCUS 1.2 (Data Exports
		// User Guide, "Migrating from FOCUS 1.0 to FOCUS 1.2").
		usage: of("x_UsageType", "SkuMeter"), operation: of("x_Operation"),
		rows: map[uint64]bool{}, reasons: map[*meter]string{},
	}
	by := []int{f.currency, f.provider, f.region, f.service, f.account, f.unit, f.usage, f.operation}
	for {
		cells, err := s.rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return s.wording(err)
		}
		if err := f.row(cells, by); err != nil {
			return err
		}
	}
}

func (f *focus) cell(cells []string, column int) string {
	if column < 0 {
		return ""
	}
	return cells[column]
}

// row counts one row, or drops it with a reason.
func (f *focus) row(cells []string, by []int) error {
	switch category := cells[f.category]; category {
	case "Usage":
	case "Purchase", "Tax", "Credit", "Adjustment":
		f.dropped["the charge category is "+category+", which is no usage"]++
		return nil
	default:
		return f.errorf(f.category, "%s is no charge category of FOCUS", show(category))
	}
	status := f.cell(cells, f.status)
	switch status {
	case "", "Used":
	case "Unused":
		f.dropped["it is the unused share of a commitment"]++
		return nil
	default:
		return f.errorf(f.status, "%s is not Used or Unused", show(status))
	}
	pricing := cells[f.pricing]
	switch pricing {
	case "Standard", "Committed":
	case "":
		if f.cell(cells, f.class) != "Correction" {
			return f.errorf(f.pricing, "is empty on a row of usage that is no correction")
		}
	case "Dynamic", "Other":
		f.dropped["the pricing category is "+pricing+", which commitments do not cover"]++
		return nil
	case "On-Demand", "Commitment-Based":
		return f.errorf(f.pricing, "%s is a word of FOCUS 1.0-preview: export FOCUS 1.0 or later", show(pricing))
	default:
		return f.errorf(f.pricing, "%s is no pricing category of FOCUS", show(pricing))
	}
	m, err := f.meterOf(cells, by, func() (*meter, error) { return f.meterOfRow(cells) })
	if err != nil {
		return err
	}
	hours, err := f.period(cells)
	if err != nil {
		return err
	}
	reason := f.reasons[m]
	switch {
	case hours == 24 && !strings.HasPrefix(reason, other):
		return f.errorf(f.end, "makes the row a day of usage: daily averages over-commit; export it by the hour")
	case reason != "":
		if hours == 1 { // the file tells of this hour, if not of ours
			if err := f.tell(f.hour); err != nil {
				return err
			}
		}
		f.dropped[reason]++
		return nil
	case hours != 1:
		f.dropped["the charge period is not one hour"]++
		return nil
	}
	return f.count(cells, m, pricing == "Committed" || pricing == "" && f.cell(cells, f.discountID) != "")
}

// other begins the reason of rows that no commitment of ours is about: they may be of
// any period.
const other = "the service is not sized from FOCUS"

// period returns how many hours a row is of; its first is f.hour.
func (f *focus) period(cells []string) (int, error) {
	if cells[f.start] == f.startText && cells[f.end] == f.endText {
		return f.hours, nil
	}
	start, err := parseHour(cells[f.start])
	if err != nil {
		return 0, f.errorf(f.start, "%v", err)
	}
	end, err := parseHour(cells[f.end])
	if err != nil {
		return 0, f.errorf(f.end, "%v", err)
	}
	if end <= start {
		return 0, f.errorf(f.end, "is not after the start of the charge period")
	}
	f.startText, f.endText = strings.Clone(cells[f.start]), strings.Clone(cells[f.end])
	f.hour, f.hours = start, end-start
	return f.hours, nil
}

// count adds a row to its pool.
func (f *focus) count(cells []string, m *meter, committed bool) error {
	correction := f.cell(cells, f.class) == "Correction"
	if f.cell(cells, f.resource) != "" && !correction {
		if h := hash(cells); f.rows[h] {
			return f.errorf(-1, "repeats another row in every cell: if files were joined, one was taken twice")
		} else {
			f.rows[h] = true
		}
	}
	text := cells[f.quantity]
	if text == "" && correction {
		f.dropped["it is a correction without a quantity"]++
		return nil
	}
	quantity, cut, err := parseUnits(text, true)
	if err != nil {
		return f.errorf(f.quantity, "%v", err)
	}
	if quantity < 0 && !correction {
		return f.errorf(f.quantity, "%s is negative, and the charge class is not Correction", show(text))
	}
	if cut {
		f.cuts++
	}
	if correction {
		f.sub++
	}
	var reserved, planned Units
	if committed {
		switch category := f.cell(cells, f.discountCategory); category {
		case "Usage":
			reserved = quantity
		case "Spend":
			planned = quantity
		default:
			return f.errorf(f.discountCategory, "%s is not Usage or Spend, and the row is committed", show(category))
		}
	}
	rate, column := f.cell(cells, f.contracted), f.contracted
	if rate == "" {
		rate, column = f.cell(cells, f.list), f.list
	}
	if rate != "" && rate != m.rateText {
		a, err := parseRate(plainDecimal(rate), m.pool.Currency)
		if err != nil {
			return f.errorf(column, "%v", err)
		}
		if !a.IsZero() { // a free tier is no price
			m.priced(a)
		}
		m.rateText = strings.Clone(rate)
	}
	return f.add(m, f.hour, quantity, reserved, planned, f.quantity)
}

// plainDecimal cuts zeros at the end of a decimal, which exports fill up to a fixed
// number.
func plainDecimal(text string) string {
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// hash is FNV-1a over the cells of a row.
func hash(cells []string) uint64 {
	h := uint64(14695981039346656037)
	for _, cell := range cells {
		for i := range len(cell) {
			h = (h ^ uint64(cell[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	return h
}

var (
	awsNames = []string{"aws", "amazonwebservices", "amazonwebservicesinc"}
	// awsUsage takes "EUW1-BoxUsage:m7g.large" apart; us-east-1 has no prefix.
	awsUsage = regexp.MustCompile(`^(?:[A-Z]{2,3}[A-Z0-9]*-)?(BoxUsage|DedicatedUsage|InstanceUsage|Multi-AZUsage):([a-z0-9.-]+)$`)
	shortXL  = regexp.MustCompile(`\.([0-9]*)xl$`) // of RDS: db.r5.2xl

	// ec2Operations are the platforms of operations (EC2 User Guide, "AMI billing
	// information fields").
	ec2Operations = map[string]string{
		"RunInstances": "Linux/UNIX", "RunInstances:0010": "Red Hat Enterprise Linux", "RunInstances:1010": "Red Hat Enterprise Linux with HA",
		"RunInstances:000g": "SUSE Linux", "RunInstances:0002": "Windows", "RunInstances:0006": "Windows with SQL Server Standard",
		"RunInstances:0202": "Windows with SQL Server Web", "RunInstances:0102": "Windows with SQL Server Enterprise",
	}
	// rdsOperations are the engines of operations. AWS has no list of them; these are
	// what its price list shows, as public tools have copied it.
	rdsOperations = map[string]string{
		"CreateDBInstance:0002": "mysql", "CreateDBInstance:0014": "postgresql", "CreateDBInstance:0018": "mariadb",
		"CreateDBInstance:0016": "aurora-mysql", "CreateDBInstance:0021": "aurora-postgresql",
	}
)

// meterOfRow reads what rows with the same words are about. A meter without a pool has
// a reason to be dropped.
func (f *focus) meterOfRow(cells []string) (*meter, error) {
	drop := func(format string, args ...any) (*meter, error) {
		m := &meter{}
		f.reasons[m] = fmt.Sprintf(format, args...)
		return m, nil
	}
	service := strings.Clone(cells[f.service])
	if !slices.Contains(awsNames, fold(cells[f.provider])) {
		if fold(service) == "virtualmachines" {
			return drop("the size of a virtual machine is in no column of FOCUS: write usage in our own columns")
		}
		if fold(service) == "computeengine" {
			return drop("the type of commitment that covers it is in no column of FOCUS: write vCPUs and memory in our own columns")
		}
		return drop(other+": %s", show(service))
	}
	lane := cloud.Lane{Provider: cloud.AWS, Account: cloud.Account(strings.Clone(cells[f.account])), Region: cloud.Region(strings.Clone(cells[f.region]))}
	a := cloud.Attributes{}
	usage, operation := strings.Clone(f.cell(cells, f.usage)), strings.Clone(f.cell(cells, f.operation))
	parts := awsUsage.FindStringSubmatch(usage)
	switch fold(service) {
	case "amazonelasticcomputecloud", "amazonelasticcomputecloudcompute":
		if usage == "" {
			return drop("no column tells the usage type: export x_UsageType or SkuMeter, and x_Operation")
		}
		if parts == nil || strings.HasPrefix(parts[1], "Inst") || strings.HasPrefix(parts[1], "Multi") {
			return drop(other + ": EC2 other than instance hours")
		}
		platform, ok := ec2Operations[operation]
		if !ok {
			return drop("the platform of operation %s is not known", show(operation))
		}
		lane.Service = ec2
		a["instance_type"], a["platform"], a["tenancy"] = parts[2], platform, "default"
		if parts[1] == "DedicatedUsage" {
			a["tenancy"] = "dedicated"
		}
	case "amazonrelationaldatabaseservice":
		if usage == "" {
			return drop("no column tells the usage type: export x_UsageType or SkuMeter, and x_Operation")
		}
		if parts == nil || !strings.HasPrefix(parts[2], "db.") {
			return drop(other + ": RDS other than instance hours")
		}
		engine, ok := rdsOperations[operation]
		if !ok {
			return drop("the engine of operation %s is not known: write usage in our own columns", show(operation))
		}
		lane.Service = rds
		a["class"], a["engine"], a["multi_az"] = shortXL.ReplaceAllString(parts[2], ".${1}xlarge"), engine, "false"
		if parts[1] == "Multi-AZUsage" {
			a["multi_az"] = "true"
		}
	default:
		return drop(other+": %s", show(service))
	}
	if unit := fold(cells[f.unit]); unit != "hrs" && unit != "hours" && unit != "hour" {
		return drop("%s is counted in %s, not in hours", lane.Service, show(cells[f.unit]))
	}
	if !accountName.MatchString(string(lane.Account)) {
		return nil, f.errorf(f.account, "%s does not look like an account", show(string(lane.Account)))
	}
	if !regionName.MatchString(string(lane.Region)) {
		return nil, f.errorf(f.region, "%s does not look like a region code", show(string(lane.Region)))
	}
	currency := strings.Clone(cells[f.currency])
	if _, err := money.Parse("0", currency); err != nil {
		return nil, f.errorf(f.currency, "%v", err)
	}
	g, _, err := goodsOf(lane, a, currency)
	if err != nil {
		return nil, f.errorf(f.usage, "%v", err)
	}
	return f.meter(g, f.currency)
}
