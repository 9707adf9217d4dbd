package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"
	"golang.org/x/term"

	"bursar/internal/money"
)

// The output formats.
const (
	formatTable = "table"
	formatJSON  = "json"
	formatCSV   = "csv"
	formatFocus = "focus" // of history: the dataset Contract Commitment of FOCUS, as CSV
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
