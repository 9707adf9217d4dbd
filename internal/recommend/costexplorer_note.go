package recommend

import (
	"regexp"
	"strings"

	"bursar/internal/money"
)

// oneDecimal matches the beginning of a decimal, up to its first decimal.
var oneDecimal = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9])?`)

// describe returns all that AWS says about an attribute.
func describe(i, m *value, at attribute) string {
	parts := []string{m.text}
	for _, h := range at.helpers {
		if v := i.member(h.member); v != nil && v.text != "" {
			parts = append(parts, v.text)
		}
	}
	return strings.Join(parts, ", ")
}

// note says what the advice rests on and what it promises. It never refuses: it
// is for reading.
func (a advice) note(d, details *value, s service, currency string) string {
	parts := []string{"Cost Explorer"}
	if a.window != "" {
		parts[0] += ", " + a.window + " of usage"
	}
	if a.scope != "" {
		parts[0] += ", " + a.scope
	}
	if m := d.member("EstimatedMonthlySavingsAmount"); m != nil && currency != "" {
		if saved, ok := roughly(m.text, currency); ok {
			parts = append(parts, "expected savings "+saved+" a month")
		}
	}
	if m := d.member("EstimatedBreakEvenInMonths"); m != nil {
		if months := oneDecimal.FindString(m.text); strings.Trim(months, "0.") != "" {
			parts = append(parts, "break-even after some "+months+" months")
		}
	}
	for _, at := range s.attributes {
		if at.advised != "" {
			parts = append(parts, at.key+" "+at.advised+", of which Cost Explorer says nothing")
		}
	}
	if s.remark != nil {
		if text := s.remark(details); text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "; ")
}

// claim is what AWS says of the draft that a detail became.
func (a advice) claim(d *value, out Draft) Claim {
	c := Claim{Source: "Cost Explorer", Window: days(a.window)}
	if m := d.member("EstimatedMonthlySavingsAmount"); m != nil {
		c.savings(m.text, out.Currency, secondsPerMonth, out.Quantity)
	}
	return c
}

// roughly rounds a decimal for reading. AWS writes more digits than an amount
// holds.
func roughly(text, currency string) (string, bool) {
	if i := strings.IndexByte(text, '.'); i >= 0 && len(text) > i+7 {
		text = text[:i+7]
	}
	a, err := money.Parse(text, currency)
	if err != nil {
		return "", false
	}
	return a.Round(2).String(), true
}
