package recommend

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

const goodHeader = "account,region,service,engine,resource type,multi az,count,term,payment option"
const goodRow = "111122223333,us-east-1,rds,mysql,db.r6g.large,false,3,1y,no-upfront"

func goodDraft(line int) Draft {
	return Draft{
		At: Position{File: "f.csv", Line: line}, Provider: "aws", Service: "rds", Account: "111122223333", Region: "us-east-1",
		Attributes: cloud.Attributes{"engine": "mysql", "class": "db.r6g.large", "multi_az": "false"},
		Term:       cloud.OneYear, Payment: cloud.NoUpfront, Quantity: 3,
	}
}

func TestCSVSpellings(t *testing.T) {
	for _, c := range []struct {
		name, text string
		line       int
		want       func(*Draft)
	}{
		{"plain", goodHeader + "\n" + goodRow + "\n", 2, nil},
		{"no end of line", goodHeader + "\n" + goodRow, 2, nil},
		{"carriage returns", goodHeader + "\r\n" + goodRow + "\r\n", 2, nil},
		{"mark", "\ufeff" + goodHeader + "\n" + goodRow + "\n", 2, nil},
		{"blank lines", "\n\n" + goodHeader + "\n\n" + goodRow + "\n\n", 5, nil},
		{"empty rows", goodHeader + "\n" + goodRow + "\n,,,,,,,,\n, ,,,,,,,\n", 2, nil},
		{"semicolons", strings.ReplaceAll(goodHeader+"\n"+goodRow, ",", ";"), 2, nil},
		{"tabs", strings.ReplaceAll(goodHeader+"\n"+goodRow, ",", "\t"), 2, nil},
		{"named delimiter", "sep=|\n" + strings.ReplaceAll(goodHeader+"\n"+goodRow, ",", "|"), 3, nil},
		{"headers", "Account_ID,Region,SERVICE,DB Engine,Instance Class,DeploymentOption,Qty,Term (years),PaymentOption\n" +
			"1111-2222-3333,US East (N. Virginia),Amazon Relational Database Service,MySQL,DB.R6G.LARGE,Single-AZ,3.0,1,No Upfront", 2, nil},
		{"order", "term,count,payment option,multi az,resource type,engine,service,region,account\n1 year,3,no_upfront,No,db.r6g.large,mysql,RDS,us-east-1,111122223333", 2, nil},
		{"quoted newline", goodHeader + ",team\n" + goodRow + ",\"a\nb\"\n", 2, func(d *Draft) { d.Note = "team=a b" }},
		{"months", goodHeader + "\n" + strings.Replace(goodRow, "1y", "36", 1), 2, func(d *Draft) { d.Term = cloud.ThreeYears }},
		{"two zones", goodHeader + "\n" + strings.Replace(goodRow, "false", "Multi-AZ", 1), 2, func(d *Draft) { d.Attributes["multi_az"] = "true" }},
		{"postgres", goodHeader + "\n" + strings.Replace(goodRow, "mysql", "postgres", 1), 2, func(d *Draft) { d.Attributes["engine"] = "postgresql" }},
		{"license column", goodHeader + ",license model\n" + strings.Replace(goodRow, "mysql", "oracle-se2", 1) + ",BYOL", 2, func(d *Draft) { d.Attributes["engine"] = "oracle-se2(byol)" }},
		{"edition column", goodHeader + ",edition,license\n" + strings.Replace(goodRow, "mysql", "SQL Server", 1) + ",Standard,License included", 2, func(d *Draft) { d.Attributes["engine"] = "sqlserver-se(li)" }},
		{"extra columns", goodHeader + ",Team,Ticket\n" + goodRow + ",shop,OPS-1", 2, func(d *Draft) { d.Note = "team=shop; ticket=OPS-1" }},
		{"escape in note", goodHeader + ",note\n" + goodRow + ",a\x1b[2Jb", 2, func(d *Draft) { d.Note = "a [2Jb" }},
		{"purpose", goodHeader + ",Purpose\n" + goodRow + ",orders and stock", 2, func(d *Draft) { d.Purpose = "orders and stock" }},
		{"no purpose", goodHeader + ",purpose\n" + goodRow + ",", 2, nil},
		{"currency column", goodHeader + ",currency\n" + goodRow + ",EUR", 2, func(d *Draft) { d.Currency = "EUR" }},
		{"currency sign", goodHeader + ",total\n" + goodRow + `,"$1,234.50"`, 2, func(d *Draft) { d.Currency, d.Note = "USD", "total=$1,234.50" }},
		{"currency code", goodHeader + ",total\n" + goodRow + ",12.00 EUR", 2, func(d *Draft) { d.Currency, d.Note = "EUR", "total=12.00 EUR" }},
		{"currency in header", goodHeader + ",Total (GBP)\n" + goodRow + ",12.00", 2, func(d *Draft) { d.Currency, d.Note = "GBP", "total (gbp)=12.00" }},
		{"savings a month", goodHeader + ",monthly savings\n" + goodRow + ",\"$1,234.50\"", 2, func(d *Draft) {
			d.Currency, d.Note, d.Claim = "USD", "monthly savings=$1,234.50", Claim{Savings: money.MustParse("1234.5", "USD"), Of: 3}
		}},
		{"savings of some time", goodHeader + ",savings\n" + goodRow + ",$12", 2, func(d *Draft) { d.Currency, d.Note = "USD", "savings=$12" }},
		{"savings that are none", goodHeader + ",monthly savings\n" + goodRow + ",-$12", 2, func(d *Draft) { d.Currency, d.Note = "USD", "monthly savings=-$12" }},
		{"version", goodHeader + ",Engine Version\n" + goodRow + ",8.0.36", 2, func(d *Draft) { d.Note, d.Claim.Version = "engine version=8.0.36", "8.0.36" }},
		{"no currency", goodHeader + ",total\n" + goodRow + ",TBD", 2, func(d *Draft) { d.Note = "total=TBD" }},
		{"offering", goodHeader + ",offering id\n" + goodRow + ",abc-1", 2, func(d *Draft) { d.OfferingID = "abc-1" }},
		{"provider", goodHeader + ",provider\n" + goodRow + ",Amazon Web Services", 2, nil},
		{"asks", goodHeader + ",status,purchase id\n" + goodRow + ",Pending,", 2, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := accepted(t, "f.csv", c.text)
			want := goodDraft(c.line)
			if c.want != nil {
				c.want(&want)
			}
			if diff := cmp.Diff(Input{Format: CSV, Name: "f", Drafts: []Draft{want}}, in); diff != "" {
				t.Errorf("input (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCSVLeaves(t *testing.T) {
	for _, c := range []struct{ status, id, why string }{
		{"completed", "", `its status "completed" says that it was bought`},
		{"Purchased", "ri-1", `its status "Purchased" says that it was bought`},
		{"", "ri-1", `its purchase id "ri-1" says that it was bought`},
		{"pending", "ri-1", `its purchase id "ri-1" says that it was bought`},
		{"failed", "", `its status "failed" does not ask for a purchase: see what the cloud lists, then write pending`},
		{"in progress", "", `its status "in progress" does not ask for a purchase: see what the cloud lists, then write pending`},
	} {
		// A row that is left is not judged: history may hold anything.
		text := goodHeader + ",status,purchase id\n" + strings.Replace(goodRow, "us-east-1", "moon", 1) + "," + c.status + "," + c.id + "\n"
		in := accepted(t, "f.csv", text)
		want := []Left{{Position{File: "f.csv", Line: 2}, "3 rds db.r6g.large mysql moon 111122223333", c.why}}
		if diff := cmp.Diff(want, in.Left); diff != "" || len(in.Drafts) != 0 {
			t.Errorf("status %q, id %q: %d drafts, left (-want +got):\n%s", c.status, c.id, len(in.Drafts), diff)
		}
	}
}

func TestCSVRefuses(t *testing.T) {
	row := func(old, new string) string { return goodHeader + "\n" + strings.Replace(goodRow, old, new, 1) + "\n" }
	for _, c := range []struct{ name, text, want string }{
		{"only a header", goodHeader + "\n\n", "f.csv:1: is a header without any row below it"},
		{"unknown header", "a,b,c\n1,2,3\n", "f.csv:1: is not a header that is known: the columns are account, region, service, engine, resource type, multi az, count, term, payment option"},
		{"two names", goodHeader + ",Quantity\n" + goodRow + ",3\n", `f.csv:1: Quantity: means the same as the column "count": keep one of them`},
		{"no engine", strings.ReplaceAll(goodHeader, "engine,", "") + "\n" + strings.ReplaceAll(goodRow, "mysql,", ""), "f.csv:1: engine: has no column, and rds on line 2 needs it: add one to the header"},
		{"no deployment", strings.ReplaceAll(goodHeader, "multi az,", "") + "\n" + strings.ReplaceAll(goodRow, "false,", ""), "f.csv:1: multi az: has no column, and rds on line 2 needs it: add one to the header"},
		{"empty engine", row("mysql", ""), "f.csv:2: engine: is empty"},
		{"engine", row("mysql", "aurora"), `f.csv:2: engine: "aurora" is not known for rds: use one of ` + strings.Join(rdsEngines, ", ")},
		{"license", row("mysql", "oracle-ee"), `f.csv:2: engine: "oracle-ee" is not known for rds: use one of ` + strings.Join(rdsEngines, ", ")},
		{"short row", goodHeader + "\n1\n", "f.csv:2: has 1 cell where the header has 9"},
		{"long row", goodHeader + "\n" + goodRow + ",x\n", "f.csv:2: has 10 cells where the header has 9"},
		{"open quote", goodHeader + "\n\"" + goodRow, "f.csv:2: has a quote that is not closed, or text after a closing quote"},
		{"bare quote", goodHeader + "\na\"b," + goodRow, "f.csv:2: has a quote in the middle of a cell: put the whole cell in quotes and double the quote"},
		{"service", row("rds", "DynamoDB"), `f.csv:2: service: "DynamoDB" is a service that cannot be bought yet: use rds, elasticache, memorydb, redshift, ec2, ec2-zonal, opensearch, redshift-serverless or savingsplans`},
		{"unknown service", row("rds", "s4"), `f.csv:2: service: "s4" is not a known service of aws: use rds, elasticache, memorydb, redshift, ec2, ec2-zonal, opensearch, redshift-serverless or savingsplans`},
		{"provider", goodHeader + ",Cloud\n" + goodRow + ",Google Cloud", `f.csv:2: service: "rds" is a service of aws, not of gcp: make the provider aws`},
		{"unknown provider", goodHeader + ",Cloud\n" + goodRow + ",Moon", `f.csv:2: Cloud: "Moon" is not a known cloud: use aws, azure or gcp`},
		{"account", row("111122223333", "11122223333"), "f.csv:2: account: 11122223333 has 11 digits and an AWS account id has 12: if zeros in front were lost, write them, in quotes"},
		{"count", row(",3,", ",-3,"), "f.csv:2: count: -3 is not a whole number of at least 1"},
		{"fraction", row(",3,", `,"2,5",`), "f.csv:2: count: 2,5 is not a whole number of at least 1"},
		{"term", row("1y", "5"), "f.csv:2: term: 5 is not a term: use 1y or 3y"},
		{"payment", row("no-upfront", "cash"), `f.csv:2: payment option: "cash" is not a payment option: use all-upfront, partial-upfront or no-upfront`},
		{"currency", goodHeader + ",currency\n" + goodRow + ",dollars", `f.csv:2: currency: "dollars" is not a currency code of three capitals such as USD`},
		{"two in one row", goodHeader + ",upfront,total\n" + goodRow + ",$1,€2", "f.csv:2: total: is in EUR, but upfront on the same line is in USD: one file has one currency"},
		{"two in one file", goodHeader + ",total\n" + goodRow + ",$1\n" + strings.Replace(goodRow, "us-east-1", "eu-west-1", 1) + ",€2", "f.csv:3: is in EUR, but line 2 is in USD: one file has one currency"},
		{"twice", goodHeader + "\n" + goodRow + "\n" + strings.Replace(goodRow, "mysql", "MySQL", 1), "f.csv:3: is the same purchase as line 2: make it one line with the quantity of both, or remove one"},
		{"line after newline", goodHeader + ",team\n" + goodRow + ",\"a\n\nb\"\n" + strings.Replace(goodRow, "1y", "9y", 1) + ",x", `f.csv:5: term: "9y" is not a term: use 1y or 3y`},
		{"cell after newline", "team,count,account,region,service,engine,resource type,multi az,term,payment option\n\"a\nb\",x,111122223333,us-east-1,rds,mysql,db.r6g.large,no,1y,no-upfront", `f.csv:3: count: "x" is not a whole number of at least 1`},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, "f.csv", c.text, c.want) })
	}
}
