package recommend

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
)

// csvReader reads rows under a header.
type csvReader struct {
	reader
	rows   *csv.Reader
	header header
	line   int // of the header
}

func readCSV(file, text string) (Input, error) {
	r := &csvReader{reader: reader{file}}
	comma, _ := delimiter(firstLine(text))
	// Spreadsheets read a first line "sep=;" as the delimiter. Blanking it keeps
	// the line numbers.
	if line := firstLine(text); len(line) == 5 && strings.EqualFold(line[:4], "sep=") {
		comma = rune(line[4])
		text = strings.Replace(text, line, "", 1)
	} else if strings.EqualFold(line, "sep=") {
		comma = '\t'
		text = strings.Replace(text, line, "", 1)
	}
	if !slices.Contains([]rune{',', ';', '\t', '|'}, comma) {
		return Input{}, r.errorf(1, "", "names a delimiter that is not a comma, semicolon, tab or bar")
	}
	r.rows = csv.NewReader(strings.NewReader(text))
	r.rows.Comma, r.rows.FieldsPerRecord = comma, -1
	if err := r.readHeader(); err != nil {
		return Input{}, err
	}
	in := Input{Format: CSV}
	read := 0
	for {
		cells, err := r.rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Input{}, r.wording(err)
		}
		if !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" }) {
			continue // spreadsheets write such rows below their last
		}
		if read++; read > MaxRows {
			return Input{}, r.errorf(r.lineOf(0), "", "is row %s; one file holds at most %s", group(MaxRows+1), group(MaxRows))
		}
		d, why, err := r.row(cells)
		switch {
		case err != nil:
			return Input{}, err
		case why != "":
			in.Left = append(in.Left, Left{r.at(r.lineOf(0), ""), r.label(cells), why})
		default:
			in.Drafts = append(in.Drafts, d)
		}
	}
	if read == 0 {
		return Input{}, r.errorf(r.line, "", "is a header without any row below it")
	}
	return in, nil
}

func (r *csvReader) readHeader() error {
	names, err := r.rows.Read()
	if errors.Is(err, io.EOF) {
		return r.errorf(0, "", "is empty")
	}
	if err != nil {
		return r.wording(err)
	}
	r.line = r.lineOf(0)
	if len(names) > maxColumns {
		return r.errorf(r.line, "", "has %s columns; at most %d are read", group(int64(len(names))), maxColumns)
	}
	h := header{names: names, index: map[string]int{}, codes: map[int]string{}}
	for i, name := range names {
		folded, code := splitHeader(name)
		key, money := columnKey(folded)
		if first, ok := h.index[key]; ok && key != "" {
			return r.errorf(r.lineOf(i), looseText(name, 40), "means the same as the column %s: keep one of them", show(names[first]))
		}
		if key != "" {
			h.index[key] = i
		}
		if code != "" && money {
			h.codes[i] = code
		}
		h.keys, h.money = append(h.keys, key), append(h.money, money)
	}
	if len(h.index) < 2 {
		return r.errorf(r.line, "", "is not a header that is known: the columns are account, region, service, engine, resource type, multi az, count, term, payment option")
	}
	r.header = h
	return nil
}

func cellCount(n int) string {
	if n == 1 {
		return "1 cell"
	}
	return group(int64(n)) + " cells"
}

func (r *csvReader) lineOf(cell int) int {
	line, _ := r.rows.FieldPos(cell)
	return line
}

// label names a row in a list.
func (r *csvReader) label(cells []string) string {
	var parts []string
	for _, key := range []string{"count", "hourly commitment", "service", "resource type", "engine", "region", "account"} {
		if i, ok := r.header.index[key]; ok && i < len(cells) && strings.TrimSpace(cells[i]) != "" {
			parts = append(parts, looseText(cells[i], 40))
		}
	}
	return strings.Join(parts, " ")
}

// wording turns the CSV reader's errors into sentences of ours.
func (r *csvReader) wording(err error) error {
	var syntax *csv.ParseError
	if !errors.As(err, &syntax) {
		return r.errorf(0, "", "is not valid CSV")
	}
	if errors.Is(syntax.Err, csv.ErrQuote) {
		return r.errorf(syntax.StartLine, "", "has a quote that is not closed, or text after a closing quote")
	}
	return r.errorf(syntax.Line, "", "has a quote in the middle of a cell: put the whole cell in quotes and double the quote")
}
