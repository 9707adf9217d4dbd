package api

import (
	"encoding/csv"
	"io"
	"time"
)

// LineColumns are the columns that FinOps people already keep; a file with them
// can be edited and read back by plan create.
var LineColumns = []string{
	"timestamp", "status", "service", "provider", "account", "region", "resource type", "engine", "multi az", "count",
	"term", "payment option", "currency", "upfront", "recurring hourly", "total", "purchase id", "line", "plan", "reason", "purpose",
	"platform", "tenancy", "offering class", "zone", "node offering type", "scope", "renew", "flexible", "vcpu", "memory gb",
	"plan type", "family", "ec2 region", "hourly commitment",
}

// LinesCSV writes lines under their columns.
func LinesCSV(w io.Writer, lines []Line) error {
	return writeRows(w, LineColumns, LineRows(lines))
}

// LineRows are lines in the cells of LineColumns.
func LineRows(lines []Line) [][]string {
	rows := make([][]string, len(lines))
	for i, l := range lines {
		purchase := ""
		if l.Receipt != nil {
			purchase = l.Receipt.Commitment
		}
		count, commitment := Counted(l.Quantity, l.PerHour)
		rows[i] = []string{
			l.UpdatedAt.Format(time.RFC3339), l.State, l.Service, l.Provider, l.Account, l.Region, Size(l.Attributes),
			l.Attributes["engine"], l.Attributes["multi_az"], count, Years(l.TermMonths),
			l.Payment, l.Price.Total.Currency(), l.Price.Upfront.Canonical(), l.Price.Hourly.Canonical(),
			l.Price.Total.Canonical(), purchase, l.ID, l.Plan, l.Reason, l.Purpose,
			l.Attributes["platform"], l.Attributes["tenancy"], l.Attributes["offering_class"], l.Attributes["zone"],
			l.Attributes["offering_type"], l.Attributes["scope"], l.Attributes["renew"], l.Attributes["flexible"], l.Attributes["vcpu"], l.Attributes["memory_gb"],
			PlanType(l.Attributes), l.Attributes["family"], l.Attributes["ec2_region"], commitment,
		}
	}
	return rows
}

func writeRows(w io.Writer, head []string, rows [][]string) error {
	cw := csv.NewWriter(w)
	if err := cw.Write(head); err != nil {
		return err
	}
	return cw.WriteAll(rows)
}
