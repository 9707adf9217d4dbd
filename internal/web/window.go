package web

import "strconv"

// rowsShown is how many rows of a long table a page shows.
const rowsShown = 200

// window is which rows of a table a page shows.
type window struct{ from, to, of int }

// windowOf reads from the address which rows are wanted.
func windowOf(v view, rows int) window {
	from, err := strconv.Atoi(v.query("cursor"))
	if err != nil || from < 0 || from >= rows {
		from = 0
	}
	return window{from, min(rows, from+rowsShown), rows}
}
