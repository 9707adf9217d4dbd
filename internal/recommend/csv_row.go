package recommend

import (
	"errors"
	"slices"
	"strings"

	"bursar/internal/cloud"
)

// row reads one row. A non-empty why leaves it.
func (r *csvReader) row(cells []string) (d Draft, why string, err error) {
	if len(cells) != len(r.header.names) {
		return d, "", r.errorf(r.lineOf(0), "", "has %s where the header has %d", cellCount(len(cells)), len(r.header.names))
	}
	if why := leaveRow(r.cell(cells, "status"), r.cell(cells, "purchase id")); why != "" {
		return d, why, nil
	}
	d = Draft{At: r.at(r.lineOf(0), ""), Provider: cloud.AWS, Attributes: cloud.Attributes{}}
	if r.cell(cells, "provider") != "" {
		if err := take(r, cells, &d.Provider, "provider", providerNamed); err != nil {
			return d, "", err
		}
	}
	var s service
	if err := take(r, cells, &s, "service", func(t string) (service, error) { return serviceNamed(d.Provider, t) }); err != nil {
		return d, "", err
	}
	d.Service = s.name
	cell := func(column string) string { return r.cell(cells, column) }
	for _, a := range s.attributes {
		if a.optional && !slices.ContainsFunc(a.columns, func(c string) bool { return r.cell(cells, c) != "" }) {
			continue
		}
		column, err := r.columnOf(a, s, cells)
		if err != nil {
			return d, "", err
		}
		var text string
		if err := take(r, cells, &text, column, func(t string) (string, error) { return s.looseOr(a, t, cell) }); err != nil {
			return d, "", err
		}
		d.Attributes[a.key] = text
	}
	if s.contrary != nil {
		if column, err := s.contrary(cell); err != nil {
			return d, "", r.atCell(column, err)
		}
	}
	count, read := "count", quantity
	if d.Unit = s.unit; d.Unit != "" {
		count, read = "hourly commitment", commitment
	}
	err = errors.Join(
		take(r, cells, &d.Account, "account", func(t string) (cloud.Account, error) { return s.account(t, dialects[d.Provider].looseAccount) }),
		take(r, cells, &d.Region, "region", func(t string) (cloud.Region, error) { return s.region(t, dialects[d.Provider].looseRegion) }),
		take(r, cells, &d.Quantity, count, read),
		take(r, cells, &d.Term, "term", looseTerm),
		take(r, cells, &d.Payment, "payment option", func(t string) (cloud.Payment, error) { return loosePayment(s, t) }),
	)
	if err != nil {
		return d, "", first(err)
	}
	if s.check != nil {
		if key, err := s.check(d); err != nil {
			a := s.attributes[slices.Index(s.keys(), key)]
			return d, "", r.atCell(a.columns[0], err)
		}
	}
	if r.cell(cells, "offering id") != "" {
		if err := take(r, cells, &d.OfferingID, "offering id", offering); err != nil {
			return d, "", err
		}
	}
	if d.Currency, err = r.currency(cells); err != nil {
		return d, "", err
	}
	if r.cell(cells, "purpose") != "" {
		if err := take(r, cells, &d.Purpose, "purpose", Purpose); err != nil {
			return d, "", err
		}
	}
	if name := r.cell(cells, "recommendation"); name != "" {
		if d.Recommendation, err = recommendationOf(d, name, r.cell(cells, "recommendation etag")); err != nil {
			return d, "", r.atCell("recommendation", err)
		}
	}
	d.Note = r.note(cells, s)
	d.Claim = Claim{Version: looseText(r.cell(cells, "engine version"), 40)}
	if i, ok := r.header.index["estimated savings"]; ok && strings.Contains(fold(r.header.names[i]), "month") {
		text := strings.TrimFunc(cells[i], func(c rune) bool { return c < '0' || c > '9' })
		if capText.MatchString(text) && !strings.ContainsAny(cells[i], "-(") {
			d.Claim.savings(strings.ReplaceAll(text, ",", ""), d.Currency, secondsPerMonth, d.Quantity)
		}
	}
	return d, "", nil
}

// columnOf returns the column that carries an attribute of a row.
func (r *csvReader) columnOf(a attribute, s service, cells []string) (string, error) {
	for _, column := range a.columns {
		if r.cell(cells, column) != "" {
			return column, nil
		}
	}
	column := a.columns[0]
	if _, ok := r.header.index[column]; !ok {
		return "", r.errorf(r.line, column, "has no column, and %s on line %d needs it: add one to the header", s.name, r.lineOf(0))
	}
	return column, nil
}

// atCell places an error at a cell of the row.
func (r *csvReader) atCell(column string, err error) error {
	i := r.header.index[column]
	return r.errorf(r.lineOf(i), looseText(r.header.names[i], 40), "%v", err)
}

// first returns the first of joined errors.
func first(err error) error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()[0]
	}
	return err
}

func (r *csvReader) cell(cells []string, key string) string {
	if i, ok := r.header.index[key]; ok {
		return strings.TrimSpace(cells[i])
	}
	return ""
}

// take parses a cell that must not be empty.
func take[T any](r *csvReader, cells []string, to *T, key string, parse func(string) (T, error)) error {
	i, ok := r.header.index[key]
	if !ok {
		return r.errorf(r.line, key, "has no column: add one to the header")
	}
	text := strings.TrimSpace(cells[i])
	field := looseText(r.header.names[i], 40)
	if text == "" {
		return r.errorf(r.lineOf(i), field, "is empty")
	}
	v, err := parse(text)
	if err != nil {
		return r.errorf(r.lineOf(i), field, "%v", err)
	}
	*to = v
	return nil
}

// looseTerm also takes the bare years 1 and 3: no cloud sells months so few.
func looseTerm(text string) (cloud.Term, error) {
	if text == "1" || text == "3" {
		text += "y"
	}
	t, err := cloud.ParseTerm(text)
	if err != nil {
		return 0, problemf("%s is not a term: use 1y or 3y", show(text))
	}
	return t, nil
}

func loosePayment(s service, text string) (cloud.Payment, error) {
	if p, err := cloud.ParsePayment(text); err == nil {
		text = string(p)
	}
	return payment(s, text)
}

// currency returns the one currency that a row names anywhere.
func (r *csvReader) currency(cells []string) (string, error) {
	found, where := "", ""
	name := func(i int, code string) error {
		if code == "" || code == found {
			return nil
		}
		field := looseText(r.header.names[i], 40)
		if found != "" {
			return r.errorf(r.lineOf(i), field, "is in %s, but %s on the same line is in %s: one file has one currency", code, where, found)
		}
		found, where = code, field
		return nil
	}
	if i, ok := r.header.index["currency"]; ok && strings.TrimSpace(cells[i]) != "" {
		code, err := currencyCode(strings.TrimSpace(cells[i]))
		if err != nil {
			return "", r.errorf(r.lineOf(i), looseText(r.header.names[i], 40), "%v", err)
		}
		if err := name(i, code); err != nil {
			return "", err
		}
	}
	for i, cell := range cells {
		if !r.header.money[i] || strings.TrimSpace(cell) == "" {
			continue
		}
		if err := errors.Join(name(i, r.header.codes[i]), name(i, cellCurrency(cell))); err != nil {
			return "", first(err)
		}
	}
	return found, nil
}

// note keeps what a row says beyond the draft, "key=value" by column.
func (r *csvReader) note(cells []string, s service) string {
	var parts []string
	if text := r.cell(cells, "note"); text != "" {
		parts = append(parts, text)
	}
	for i, key := range r.header.keys {
		keep := key == "" || slices.ContainsFunc(columns, func(c column) bool { return c.name == key && (c.note || c.special && !s.reads(key)) })
		if text := strings.TrimSpace(cells[i]); keep && text != "" {
			parts = append(parts, strings.ToLower(strings.TrimSpace(r.header.names[i]))+"="+text)
		}
	}
	return looseText(strings.Join(parts, "; "), maxNote)
}

// reads reports whether a column carries an attribute of the service or its
// commitment.
func (s service) reads(column string) bool {
	return s.unit != "" && column == "hourly commitment" || slices.ContainsFunc(s.attributes, func(a attribute) bool { return slices.Contains(a.columns, column) })
}
