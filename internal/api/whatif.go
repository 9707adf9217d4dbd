package api

import (
	"io"
	"time"
)

// WhatIfRequest asks what commitments hourly usage would carry.
type WhatIfRequest struct {
	Usage        string    // file; "-" for standard input
	Content      io.Reader // what the file holds; nil: it is opened
	Services     []string  // none for those of the file
	Method       string    // minimum, percentile, knee or coverage; "" is knee
	Percentile   int
	Coverage     int      // per cent of the usage
	Prices       string   // discount, usage or catalog; "" with a discount is discount
	Discount     string   // of reservations, "30%"
	PlanDiscount string   // of a savings plan
	Term         string   // "" is 1y
	Payment      string   // "" is no-upfront
	Mix          string   // "3y all-upfront 40%, 1y no-upfront 60%" instead of term and payment
	Held         string   // usage or inventory
	Buyer        string   // account that buys for all others of the file; "" for each its own
	Attributes   []string // of what is bought, "offering_class=standard"
	SpikeDays    int
	MinDays      int
	MaxAge       time.Duration
	RebuyDays    int
	Gaps         string // refuse, zero or skip
	AsOf         string // RFC 3339; "" is now
}
