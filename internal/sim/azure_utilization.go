package sim

import (
	"strconv"
	"time"
)

// utilizationNodes are what a reservation or a savings plan of Azure tells of its use: of
// the last day, 7 and 30 days, in per cent. Source: recordings of Microsoft's own client
// tests of March 2023, where one of two days tells 0.0 of each. What is used is drawn,
// once for each commitment and window; how late Azure counts is not published, and here
// it is two days.
func (r *reservation) utilizationNodes(at time.Time) node {
	aggregates := list("aggregates")
	for _, days := range []int{1, 7, 30} {
		value := "0.0"
		if at.Sub(r.StartsAt) > 48*time.Hour {
			n := 6000 + draw(4001, 0, "azure utilization", r.ID, strconv.Itoa(days))
			value = exact(int64(n) * 10_000)
		}
		aggregates.kids = append(aggregates.kids, group("", number("grain", strconv.Itoa(days)+".0"), leaf("grainUnit", "days"),
			number("value", value), leaf("valueUnit", "percentage")))
	}
	return group("utilization", leaf("trend", ""), aggregates)
}
