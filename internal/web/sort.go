package web

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"bursar/internal/money"
)

// sorting is by which column a table is sorted: a parameter of the address, so that
// it works without scripts.
type sorting struct {
	url  *url.URL
	key  string
	desc bool
}

// order reads how a table is to be sorted and sorts it. The first key is the default
// and keeps the order that the rows have.
func order[T any](v view, rows []T, by map[string]func(a, b T) int) sorting {
	key, desc := strings.CutPrefix(v.query("sort"), "-")
	s := sorting{url: v.url, key: key, desc: desc}
	compare := by[key]
	if compare == nil {
		s.key = ""
		return s
	}
	slices.SortStableFunc(rows, func(a, b T) int {
		if s.desc {
			return compare(b, a)
		}
		return compare(a, b)
	})
	return s
}

// link is the address of the same page sorted by a column; again, the other way round.
func (s sorting) link(key string) string {
	q := s.url.Query()
	to := key
	if s.key == key && !s.desc {
		to = "-" + key
	}
	q.Set("sort", to)
	return s.url.Path + "?" + q.Encode()
}

func (s sorting) aria(key string) string {
	switch {
	case s.key != key:
		return "none"
	case s.desc:
		return "descending"
	}
	return "ascending"
}

func byMoney(a, b money.Amount) int {
	n, err := a.Cmp(b)
	if err != nil {
		return strings.Compare(a.Currency(), b.Currency())
	}
	return n
}

func byTime(a, b time.Time) int { return a.Compare(b) }

func byText[T ~string](a, b T) int { return cmp.Compare(a, b) }

// swapped makes a link or a form replace the main part of the page, where there are
// scripts.
func swapped() templ.Attributes {
	return templ.Attributes{"hx-target": "#main", "hx-select": "#main", "hx-swap": "outerHTML", "hx-push-url": "true"}
}
