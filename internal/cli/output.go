package cli

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"
	"golang.org/x/term"

	"bursar/internal/api"
	"bursar/internal/money"
)

// The output formats.
const (
	formatTable = "table"
	formatJSON  = "json"
	formatCSV   = "csv"
)

// grid is a table of text. A heading that begins with ">" aligns its column to
// the right.
type grid struct {
	head []string
	rows [][]string
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

// print writes the grid with borders to a terminal, in plain columns elsewhere.
func (g *grid) print(w io.Writer) {
	head := make([]string, len(g.head))
	right := make([]bool, len(g.head))
	for i, h := range g.head {
		head[i], right[i] = strings.TrimPrefix(h, ">"), strings.HasPrefix(h, ">")
	}
	if isTerminal(w) {
		t := table.New().Border(lipgloss.RoundedBorder()).Headers(head...).Rows(g.rows...).
			StyleFunc(func(row, col int) lipgloss.Style {
				s := lipgloss.NewStyle().Padding(0, 1)
				if right[col] {
					s = s.Align(lipgloss.Right)
				}
				return s
			})
		fmt.Fprintln(w, t.String())
		return
	}
	for col := range head {
		if right[col] {
			padLeft(head, g.rows, col)
		}
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.ToUpper(strings.Join(head, "\t")))
	for _, r := range g.rows {
		fmt.Fprintln(tw, strings.Join(r, "\t"))
	}
	tw.Flush() //nolint:errcheck // the writer below reports
}

// padLeft fills the cells of a column to one width, so that their ends align.
func padLeft(head []string, rows [][]string, col int) {
	width := utf8.RuneCountInString(head[col])
	for _, r := range rows {
		width = max(width, utf8.RuneCountInString(r[col]))
	}
	pad := func(s string) string { return strings.Repeat(" ", width-utf8.RuneCountInString(s)) + s }
	head[col] = pad(head[col])
	for _, r := range rows {
		r[col] = pad(r[col])
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func writeCSV(w io.Writer, head []string, rows [][]string) error {
	cw := csv.NewWriter(w)
	if err := cw.Write(head); err != nil {
		return err
	}
	if err := cw.WriteAll(rows); err != nil {
		return err
	}
	cw.Flush()
	return cw.Error()
}

// lineColumns are the columns that FinOps people already keep; a file with them
// can be edited and read back by plan create.
var lineColumns = []string{
	"timestamp", "status", "service", "provider", "account", "region", "resource type", "engine", "multi az", "count",
	"term", "payment option", "currency", "upfront", "recurring hourly", "total", "purchase id", "line", "plan", "reason", "purpose",
	"platform", "tenancy", "offering class", "zone", "node offering type", "scope", "renew", "flexible", "vcpu", "memory gb",
	"plan type", "family", "ec2 region", "hourly commitment",
}

func linesCSV(w io.Writer, lines []api.Line) error {
	return writeCSV(w, lineColumns, lineRows(lines))
}

func lineRows(lines []api.Line) [][]string {
	rows := make([][]string, len(lines))
	for i, l := range lines {
		purchase := ""
		if l.Receipt != nil {
			purchase = l.Receipt.Commitment
		}
		count, commitment := counted(l.Quantity, l.PerHour)
		rows[i] = []string{
			l.UpdatedAt.Format(time.RFC3339), l.State, l.Service, l.Provider, l.Account, l.Region, size(l.Attributes),
			l.Attributes["engine"], l.Attributes["multi_az"], count, term12(l.TermMonths),
			l.Payment, l.Price.Total.Currency(), l.Price.Upfront.Canonical(), l.Price.Hourly.Canonical(),
			l.Price.Total.Canonical(), purchase, l.ID, l.Plan, l.Reason, l.Purpose,
			l.Attributes["platform"], l.Attributes["tenancy"], l.Attributes["offering_class"], l.Attributes["zone"],
			l.Attributes["offering_type"], l.Attributes["scope"], l.Attributes["renew"], l.Attributes["flexible"], l.Attributes["vcpu"], l.Attributes["memory_gb"],
			planType(l.Attributes), l.Attributes["family"], l.Attributes["ec2_region"], commitment,
		}
	}
	return rows
}

// size is the resource type, which each service calls otherwise.
func size(attributes map[string]string) string {
	return cmp.Or(attributes["class"], attributes["node_type"], attributes["instance_type"], attributes["sku"], attributes["type"])
}

// planType is what a commitment to an amount of money covers.
func planType(attributes map[string]string) string {
	return cmp.Or(attributes["plan_type"], attributes["product"])
}

// term12 writes months as years where they are.
func term12(months int) string {
	if months%12 == 0 {
		return strconv.Itoa(months/12) + "y"
	}
	return strconv.Itoa(months) + "m"
}

// wanted says what a line buys, in a few words: "3x rds mysql db.r6g.large",
// "1.5 USD/h savingsplans Compute".
func wanted(l api.Line) string {
	if l.PerHour != nil {
		return l.Measure + " " + goods(l.Service, l.Attributes)
	}
	return l.Measure + "x " + goods(l.Service, l.Attributes)
}

// counted are the CSV cells of a quantity: a count, or a commitment per hour.
func counted(n int64, perHour *money.Amount) (count, commitment string) {
	if perHour != nil {
		return "", perHour.Canonical()
	}
	return strconv.FormatInt(n, 10), ""
}

// goods says what a line or a commitment is, in a few words.
func goods(service string, attributes map[string]string) string {
	words := []string{service}
	if attributes["sku"] != "" {
		return azureGoods(service, attributes)
	}
	switch service {
	case "elasticache":
		words = append(words, attributes["engine"], attributes["node_type"])
	case "memorydb":
		words = append(words, attributes["node_type"])
	case "redshift":
		words = append(words, attributes["node_type"])
		if kind := attributes["offering_type"]; kind != "Regular" {
			words = append(words, strings.ToLower(kind))
		}
	case "opensearch":
		words = append(words, attributes["instance_type"])
	case "ec2", "ec2-zonal":
		words = append(words, attributes["instance_type"], attributes["platform"], attributes["offering_class"])
		if tenancy := attributes["tenancy"]; tenancy != "default" {
			words = append(words, tenancy)
		}
		if zone := attributes["zone"]; zone != "" {
			words = append(words, "in "+zone)
		}
	case "compute":
		words = append(words, attributes["type"])
		if cpu, gb := attributes["vcpu"], attributes["memory_gb"]; cpu != "" && gb != "" {
			words = append(words, cpu+" vCPU, "+gb+" GB")
		}
	case "licenses":
		words = append(words, attributes["license"])
		if cores := attributes["cores"]; cores != "" {
			words = append(words, cores+" cores")
		}
	case "spend":
		words = append(words, attributes["product"], attributes["offer"])
	case "savingsplans":
		words = append(words, attributes["plan_type"], attributes["family"])
		if region := attributes["ec2_region"]; region != "" {
			words = append(words, "in "+region)
		}
	default:
		words = append(words, attributes["engine"], attributes["class"])
		if attributes["multi_az"] == "true" {
			words = append(words, "multi-AZ")
		}
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

// azureGoods names the scope where it is not all subscriptions, and what is unusual.
func azureGoods(service string, attributes map[string]string) string {
	words := []string{service, attributes["sku"]}
	if scope := attributes["scope"]; scope != "shared" {
		parts := strings.Split(scope, "/")
		words = append(words, "for "+strings.Join(parts[max(0, len(parts)-2):], "/"))
	}
	if attributes["flexible"] == "false" {
		words = append(words, "of one size")
	}
	if attributes["renew"] == "true" {
		words = append(words, "renewing itself")
	}
	return strings.Join(words, " ")
}

func terms(months int, payment string) string { return term12(months) + " " + payment }

// column writes amounts of one currency, which the heading names, with the same
// number of decimals.
func column[T any](rows []T, amount func(T) money.Amount) func(T) string {
	decimals := 2
	for _, r := range rows {
		decimals = max(decimals, amount(r).Decimals())
	}
	return func(r T) string { return amount(r).Grouped(decimals) }
}

// masked is the beginning of a digest, as much as a person compares.
func masked(digest string) string {
	if len(digest) > 19 {
		return digest[:19]
	}
	return digest
}

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
