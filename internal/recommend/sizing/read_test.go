package sizing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const ownHead = "hour,provider,account,region,service,resource type,platform,tenancy,zone,engine,multi az,quantity,covered,covered by plan,on-demand rate,committed rate,currency\n"

// ownRow is a row of a Linux machine with some cells replaced.
func ownRow(cells ...string) string {
	row := []string{"2026-01-01T00:00:00Z", "aws", "111122223333", "us-east-1", "ec2", "m6g.large", "Linux/UNIX", "default", "", "", "", "2", "", "", "0.0770", "", "USD"}
	head := strings.Split(strings.TrimSpace(ownHead), ",")
	for i := 0; i+1 < len(cells); i += 2 {
		at := slices.Index(head, cells[i])
		if at < 0 {
			panic(cells[i])
		}
		row[at] = cells[i+1]
	}
	return strings.Join(row, ",") + "\n"
}

func TestReadRefuses(t *testing.T) {
	good := ownRow()
	for _, tc := range []struct{ name, file, want string }{
		{"empty", "", "u.csv: is empty"},
		{"header only", ownHead, "u.csv: holds no row of usage"},
		{"unknown column", strings.Replace(ownHead, "zone", "colour", 1) + good, "u.csv:1: colour: is not a column of usage: the columns are hour, provider,"},
		{"column twice", strings.Replace(ownHead, "covered by plan", "Covered", 1) + good, "u.csv:1: Covered: is there twice"},
		{"column missing", "hour,provider\n2026-01-01T00:00:00Z,aws\n", "u.csv:1: account: has no column: add one to the header"},
		{"short row", ownHead + "2026-01-01T00:00:00Z,aws\n", "u.csv:2: does not have 17 cells as the header"},
		{"open quote", ownHead + good + "\"2026", "u.csv:3: has a quote that is not closed"},
		{"stray quote", ownHead + "20\"26" + good, "u.csv:2: has a quote in the middle of a cell"},
		{"local time", ownHead + ownRow("hour", "2026-03-29T02:00:00"), `u.csv:2: hour: "2026-03-29T02:00:00" does not say its offset from UTC, and a local hour is none or two when clocks change`},
		{"local time with a blank", ownHead + ownRow("hour", "2026-03-29 02:00"), "does not say its offset"},
		{"day", ownHead + ownRow("hour", "2026-03-29"), "daily averages over-commit"},
		{"half hour", ownHead + ownRow("hour", "2026-01-01T00:30:00Z"), "is not the beginning of an hour in UTC"},
		{"offset of half an hour", ownHead + ownRow("hour", "2026-01-01T00:00:00+05:30"), "is not the beginning of an hour in UTC"},
		{"no hour", ownHead + ownRow("hour", "noon"), `u.csv:2: hour: "noon" is not an hour such as`},
		{"another century", ownHead + ownRow("hour", "1999-01-01T00:00:00Z"), "is not of this century"},
		{"no such day", ownHead + ownRow("hour", "2026-02-30T00:00:00Z"), "is not an hour such as"},
		{"years apart", ownHead + good + ownRow("hour", "2036-01-01T00:00:00Z"), "u.csv:3: is of 2036-01-01T00:00:00Z, more than three years from other rows"},
		{"years apart, backwards", ownHead + ownRow("hour", "2036-01-01T00:00:00Z") + good, "more than three years"},
		{"negative", ownHead + ownRow("quantity", "-1"), `u.csv:2: quantity: "-1" is negative: a correction belongs to the hour that it corrects`},
		{"too fine", ownHead + ownRow("quantity", "1.0000001"), `u.csv:2: quantity: "1.0000001" has more than 6 decimals`},
		{"too much", ownHead + ownRow("quantity", "1000001"), "is more than 1,000,000 units in an hour"},
		{"too much of a size", ownHead + ownRow("quantity", "250001"), "is more than 1,000,000 units in an hour"},
		{"too much together", ownHead + ownRow("quantity", "200000") + ownRow("quantity", "200000", "resource type", "m6g.xlarge"), "is more than 1,000,000 units in an hour"},
		{"exponent", ownHead + ownRow("quantity", "1e3"), `"1e3" is not a plain number such as 12.5`},
		{"no number", ownHead + ownRow("quantity", ""), `"" is not a plain number`},
		{"a point", ownHead + ownRow("quantity", "."), `"." is not a plain number`},
		{"twice", ownHead + good + good, "u.csv:3: hour: 2026-01-01T00:00:00Z is there already for this resource type of 111122223333: make it one row"},
		{"twice by offset", ownHead + good + ownRow("hour", "2026-01-01T02:00:00+02:00"), "u.csv:3: hour: 2026-01-01T02:00:00+02:00 is there already"},
		{"covers more", ownHead + ownRow("covered", "1", "covered by plan", "1.5"), "u.csv:2: covered by plan: is more than the quantity of its row"},
		{"negative cover", ownHead + ownRow("covered", "-1"), "u.csv:2: covered: "},
		{"two currencies", ownHead + good + ownRow("hour", "2026-01-01T01:00:00Z", "currency", "EUR"), "u.csv:3: currency: is EUR, and other rows of aws/111122223333/us-east-1/ec2 m6g platform=Linux/UNIX tenancy=default are in USD: one pool has one currency"},
		{"no currency", ownHead + ownRow("currency", "dollar"), "u.csv:2: currency: "},
		{"no rate", ownHead + ownRow("on-demand rate", ""), "u.csv:2: on-demand rate: "},
		{"zero rate", ownHead + ownRow("on-demand rate", "0.00"), "u.csv:2: on-demand rate: is zero"},
		{"negative rate", ownHead + ownRow("on-demand rate", "-1"), `u.csv:2: on-demand rate: "-1" is negative`},
		{"committed rate", ownHead + ownRow("committed rate", "cheap"), "u.csv:2: committed rate: "},
		{"provider", ownHead + ownRow("provider", "ibm"), `u.csv:2: provider: "ibm" is no cloud whose usage is sized: use aws, azure or gcp`},
		{"service", ownHead + ownRow("service", "s3"), `u.csv:2: service: "s3" is no service of "aws" whose usage is sized: use ec2,`},
		{"account", ownHead + ownRow("account", "a b"), "u.csv:2: account: "},
		{"region", ownHead + ownRow("region", "EU (Ireland)"), "u.csv:2: region: "},
		{"resource type", ownHead + ownRow("resource type", "m6g large"), "u.csv:2: resource type: "},
		{"attribute missing", ownHead + ownRow("platform", ""), "u.csv:2: platform: is empty, and ec2 needs it"},
		{"attribute of another", ownHead + ownRow("engine", "mysql"), "u.csv:2: engine: is not said of ec2: empty the cell"},
		{"multi az", ownHead + ownRow("service", "rds", "resource type", "db.r6g.large", "platform", "", "tenancy", "", "engine", "mysql", "multi az", "yes"), `u.csv:2: multi az: "yes" is not true or false`},
		{"attribute without a column", "hour,provider,account,region,service,resource type,quantity,on-demand rate,currency\n2026-01-01T00:00:00Z,aws,111122223333,us-east-1,ec2,m6g.large,1,1,USD\n",
			"u.csv:1: platform: has no column, and a row needs it: is empty, and ec2 needs it"},
		{"midnights", ownHead + good + ownRow("hour", "2026-01-02T00:00:00Z"), "u.csv: tells of midnight hours only, which is usage by day: daily averages over-commit"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Read("u.csv", strings.NewReader(tc.file), "")
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%v is not an Error", err)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%q does not contain %q", err, tc.want)
			}
		})
	}
}

// TestReadCountsUTCHours: an hour is an hour, whatever offset it is written with. Local
// clocks that are set back have the same hour twice, and here it is two.
func TestReadCountsUTCHours(t *testing.T) {
	file := "\ufeff" + ownHead +
		ownRow("hour", "2026-10-25T02:00:00+02:00", "quantity", "1") +
		ownRow("hour", "2026-10-25T02:00:00+01:00", "quantity", "2") +
		ownRow("hour", "2026-10-25T03:00:00+01:00", "quantity", "3")
	u, err := Read("u.csv", strings.NewReader(file), "")
	if err != nil {
		t.Fatal(err)
	}
	if from, until := u.From().Format(time.RFC3339), u.Until().Format(time.RFC3339); from != "2026-10-25T00:00:00Z" || until != "2026-10-25T03:00:00Z" {
		t.Errorf("from %s until %s", from, until)
	}
	if got, want := u.pools[0].use.v, []int64{4 * int64(One), 8 * int64(One), 12 * int64(One)}; !slices.Equal(got, want) {
		t.Errorf("usage %v, want %v", got, want)
	}
}

// TestReadInAnyOrder: rows in any order are the same usage.
func TestReadInAnyOrder(t *testing.T) {
	var rows []string
	for h := range 50 {
		rows = append(rows, ownRow("hour", hourTime(490_000+h*3).Format(time.RFC3339), "quantity", fmt.Sprint(h)))
	}
	read := func() *Usage {
		u, err := Read("u.csv", strings.NewReader(ownHead+strings.Join(rows, "")), "")
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	forward := read()
	slices.Reverse(rows)
	backward := read()
	if !slices.Equal(forward.pools[0].use.v, backward.pools[0].use.v) || forward.pools[0].use.first != backward.pools[0].use.first {
		t.Error("another order is other usage")
	}
}

func TestParseUnits(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "1": "1", "1.5": "1.5", "0.000001": "0.000001", "12.3400000000": "12.34", ".5": "0.5", "5.": "5", "+2": "2", "-1.25": "-1.25", "1000000": "1000000",
	} {
		u, cut, err := parseUnits(text, false)
		if err != nil || cut || u.String() != want {
			t.Errorf("%q is %s, %v, %v, want %s", text, u, cut, err, want)
		}
	}
	if u, cut, err := parseUnits("0.2777777778", true); err != nil || !cut || u.String() != "0.277777" {
		t.Errorf("cut: %s, %v, %v", u, cut, err)
	}
	if u, cut, err := parseUnits("-0.2777777778", true); err != nil || !cut || u.String() != "-0.277777" {
		t.Errorf("cut: %s, %v, %v", u, cut, err)
	}
}

// The buyer buys for all accounts of a file.
func TestReadForABuyer(t *testing.T) {
	file := ownHead + ownRow() + ownRow("account", "444455556666")
	u, err := Read("u.csv", strings.NewReader(file), "999900001111")
	if err != nil || len(u.pools) != 1 || u.pools[0].Account != "999900001111" || u.pools[0].use.v[0] != 16*int64(One) {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err = Read("u.csv", strings.NewReader(file), ""); err != nil || len(u.pools) != 2 {
		t.Errorf("without a buyer: %+v, %v", u, err)
	}
}

const focusHead = "BillingCurrency,ChargeCategory,ChargeClass,ChargePeriodStart,ChargePeriodEnd,CommitmentDiscountCategory,CommitmentDiscountId,CommitmentDiscountStatus,ConsumedQuantity,ConsumedUnit,ContractedUnitPrice,ListUnitPrice,PricingCategory,ProviderName,RegionId,ServiceName,SubAccountId,ResourceId,x_UsageType,x_Operation\n"

func focusRow(cells ...string) string {
	row := []string{"USD", "Usage", "", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", "", "", "", "1.0000000000", "Hrs", "", "0.0770000000", "Standard", "AWS", "us-east-1",
		"Amazon Elastic Compute Cloud", "111122223333", "i-1", "BoxUsage:m6g.large", "RunInstances"}
	head := strings.Split(strings.TrimSpace(focusHead), ",")
	for i := 0; i+1 < len(cells); i += 2 {
		at := slices.Index(head, cells[i])
		if at < 0 {
			panic(cells[i])
		}
		row[at] = cells[i+1]
	}
	return strings.Join(row, ",") + "\n"
}

func TestReadFocusRefuses(t *testing.T) {
	for _, tc := range []struct{ name, file, want string }{
		{"day", focusHead + focusRow("ChargePeriodEnd", "2026-01-02T00:00:00Z"), "u.csv:2: ChargePeriodEnd: makes the row a day of usage: daily averages over-commit; export it by the hour"},
		{"azure day", focusHead + focusRow("ProviderName", "Microsoft", "ServiceName", "Virtual Machines", "ChargePeriodEnd", "2026-01-02T00:00:00Z"), "daily averages over-commit"},
		{"local", focusHead + focusRow("ChargePeriodStart", "2026-01-01T00:00:00"), "u.csv:2: ChargePeriodStart: "},
		{"backwards", focusHead + focusRow("ChargePeriodEnd", "2026-01-01T00:00:00Z"), "is not after the start"},
		{"preview", focusHead + focusRow("PricingCategory", "On-Demand"), `u.csv:2: PricingCategory: "On-Demand" is a word of FOCUS 1.0-preview`},
		{"pricing", focusHead + focusRow("PricingCategory", "Cheap"), "u.csv:2: PricingCategory: "},
		{"no pricing", focusHead + focusRow("PricingCategory", ""), "is empty on a row of usage that is no correction"},
		{"category", focusHead + focusRow("ChargeCategory", "Fun"), "u.csv:2: ChargeCategory: "},
		{"status", focusHead + focusRow("CommitmentDiscountStatus", "Half"), "u.csv:2: CommitmentDiscountStatus: "},
		{"commitment category", focusHead + focusRow("PricingCategory", "Committed", "CommitmentDiscountStatus", "Used"), `u.csv:2: CommitmentDiscountCategory: "" is not Usage or Spend`},
		{"unknown column", strings.Replace(focusHead, "x_Operation", "Operation", 1) + focusRow(), "u.csv:1: Operation: is no column of FOCUS 1.0 to 1.2, and columns of a provider begin with x_"},
		{"missing column", strings.Replace(focusHead, "ConsumedUnit", "x_Unit", 1) + focusRow(), "u.csv:1: ConsumedUnit: has no column"},
		{"column twice", strings.Replace(focusHead, "ListUnitPrice", "ContractedUnitPrice", 1) + focusRow(), "u.csv:1: ContractedUnitPrice: is there twice"},
		{"twice", focusHead + focusRow() + focusRow("ResourceId", "i-2") + focusRow(), "u.csv:4: repeats another row in every cell"},
		{"negative", focusHead + focusRow("ConsumedQuantity", "-1"), "u.csv:2: ConsumedQuantity: \"-1\" is negative, and the charge class is not Correction"},
		{"empty", focusHead + focusRow("ConsumedQuantity", ""), "u.csv:2: ConsumedQuantity: "},
		{"two currencies", focusHead + focusRow() + focusRow("ResourceId", "i-2", "BillingCurrency", "EUR"), "u.csv:3: BillingCurrency: is EUR"},
		{"nothing of ours", focusHead + focusRow("ServiceName", "Amazon Simple Storage Service"), `u.csv: holds no row of usage that is sized: 1 row: the service is not sized from FOCUS: "Amazon Simple Storage Service"`},
		{"price", focusHead + focusRow("ListUnitPrice", "free"), "u.csv:2: ListUnitPrice: "},
		{"account", focusHead + focusRow("SubAccountId", ""), "u.csv:2: SubAccountId: "},
		{"region", focusHead + focusRow("RegionId", ""), "u.csv:2: RegionId: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Read("u.csv", strings.NewReader(tc.file), "")
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v does not contain %q", err, tc.want)
			}
		})
	}
}

// TestReadFocus: what counts, what does not, and what is said of it.
func TestReadFocus(t *testing.T) {
	file := focusHead +
		focusRow() +
		focusRow("ResourceId", "i-2", "x_UsageType", "EUW1-BoxUsage:m6g.xlarge", "ContractedUnitPrice", "0.1400", "ListUnitPrice", "0.1540") +
		focusRow("ResourceId", "i-3", "PricingCategory", "Committed", "CommitmentDiscountCategory", "Usage", "CommitmentDiscountId", "ri-1", "CommitmentDiscountStatus", "Used") +
		focusRow("ResourceId", "i-4", "PricingCategory", "Committed", "CommitmentDiscountCategory", "Spend", "CommitmentDiscountId", "sp-1", "CommitmentDiscountStatus", "Used", "ConsumedQuantity", "0.2777777778") +
		focusRow("ResourceId", "", "CommitmentDiscountStatus", "Unused", "PricingCategory", "Committed", "ConsumedQuantity", "") +
		focusRow("ChargeCategory", "Purchase", "ConsumedQuantity", "", "PricingCategory", "Standard") +
		focusRow("ChargeCategory", "Tax", "ConsumedQuantity", "", "PricingCategory", "") +
		focusRow("ResourceId", "i-5", "PricingCategory", "Dynamic") +
		focusRow("ResourceId", "i-1", "ChargeClass", "Correction", "ConsumedQuantity", "-0.5") +
		focusRow("ResourceId", "i-1", "ChargeClass", "Correction", "ConsumedQuantity", "", "PricingCategory", "") +
		focusRow("ResourceId", "i-6", "x_Operation", "RunInstances:9999") +
		focusRow("ResourceId", "vol-1", "x_UsageType", "EBS:VolumeUsage.gp3", "ConsumedUnit", "GB-Mo") +
		focusRow("ResourceId", "i-7", "x_UsageType", "DedicatedUsage:m6g.large", "x_Operation", "RunInstances:0002") +
		focusRow("ResourceId", "db-1", "ServiceName", "Amazon Relational Database Service", "x_UsageType", "Multi-AZUsage:db.r6g.2xl", "x_Operation", "CreateDBInstance:0014", "ListUnitPrice", "1.7980") +
		focusRow("ResourceId", "i-8", "ChargePeriodStart", "2026-01-01T01:00Z", "ChargePeriodEnd", "2026-01-01T02:00Z") + // as Microsoft wrote 1.0
		focusRow("ResourceId", "i-9", "ChargePeriodStart", "2026-01-01T02:00:00Z", "ChargePeriodEnd", "2026-01-01T03:00:00Z", "ChargeClass", "Correction", "ConsumedQuantity", "-3")
	for _, head := range []string{focusHead, strings.Replace(focusHead, "x_UsageType", "SkuMeter", 1)} { // 1.0, and 1.2
		u, err := Read("u.csv", strings.NewReader(strings.Replace(file, focusHead, head, 1)), "")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range u.pools {
			got = append(got, fmt.Sprint(p.Pool, " ", p.unit))
		}
		want := []string{
			"aws/111122223333/us-east-1/ec2 m6g instance_type=m6g.large platform=Windows tenancy=dedicated USD instances",
			"aws/111122223333/us-east-1/ec2 m6g platform=Linux/UNIX tenancy=default USD normalized units",
			"aws/111122223333/us-east-1/rds db.r6g engine=postgresql USD normalized units",
		}
		if !slices.Equal(got, want) {
			t.Fatalf("pools\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		p := u.pools[1]
		// 1 large, 1 xlarge, 1 large by reservation, 0.277777 by plan, less half a large.
		if got := []Units{Units(p.use.v[0]), Units(p.reserved.v[0]), Units(p.planned.v[0]), Units(p.use.v[1]), Units(p.use.v[2])}; fmt.Sprint(got) != "[15.111108 4 1.111108 4 0]" {
			t.Errorf("usage %v", got)
		}
		if p.onDemand.FloatString(6) != "0.017500" || p.highest.FloatString(6) != "0.019250" {
			t.Errorf("rates of one unit: %s to %s", p.onDemand.FloatString(6), p.highest.FloatString(6))
		}
		if db := u.pools[2]; Units(db.use.v[0]).String() != "32" {
			t.Errorf("a Multi-AZ 2xlarge is %s units", Units(db.use.v[0]))
		}
		says := fmt.Sprint(u.Dropped, u.Notes)
		for _, part := range []string{
			"unused share of a commitment", "charge category is Purchase", "charge category is Tax", "pricing category is Dynamic", "correction without a quantity",
			`platform of operation "RunInstances:9999" is not known`, "EC2 other than instance hours", "1 quantity cell had more than 6 decimals",
			"2 rows of corrections were added to the hour that they correct", "corrections leave less than nothing in 1 hour of 1 pool: counted as no usage",
		} {
			if !strings.Contains(says, part) {
				t.Errorf("it does not say %q: %s", part, says)
			}
		}
	}
}
