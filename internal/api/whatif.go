package api

import (
	"io"
	"time"

	"bursar/internal/money"
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

// WhatIf is what hourly usage carries.
type WhatIf struct {
	AsOf      time.Time
	From      time.Time // the first hour of the usage
	Until     time.Time // the end of its last hour
	Order     string    // in which commitments take usage
	Proposals []Proposal
	Pools     []UsagePool
	Left      []Dropped // with an empty Where
	Notes     []string
}

// Proposal is advice to buy one quantity on one set of terms. Amounts are of the whole
// quantity over its term.
type Proposal struct {
	Account, Region, Service string
	Attributes               map[string]string
	TermMonths               int
	Payment                  string
	Quantity                 int64
	Measure                  string
	Price                    Price
	Savings                  money.Amount // below zero it loses
	BreakEvenMonths          int          // 0: never
	// Hundredths of a per cent; the effective savings rate may be below zero.
	CoverageBP, UtilizationBP, EffectiveSavingsRateBP int
	Drops                                             []UsageDrop
	Why                                               []string
}

// UsageDrop is what a proposal does if usage falls.
type UsageDrop struct {
	Percent                 int
	OnDemand, Cost, Savings money.Amount
}

// UsagePool is usage that one commitment can cover alike. Levels are numbers of its unit,
// as decimals.
type UsagePool struct {
	Name, Unit, Terms        string
	Hours                    int
	Minimum, Median, Maximum string // of the hours
	PaysAboveBP              int    // utilization above which one pays
	Knee, Chosen             int64
	Covers                   string // what the chosen quantity covers, on top of what is held
	Curve                    []CurvePoint
	Expiries                 []UsageExpiry
	Days                     []UsageDay
}

// CurvePoint is one quantity of a savings curve, with what it saves over the term.
type CurvePoint struct {
	Quantity                              int64
	Measure                               string
	Savings                               money.Amount
	CoverageBP, UtilizationBP, LastUsedBP int
}

// UsageExpiry is a step down of what is held.
type UsageExpiry struct{ At, Name, Source, Ends, Left string }

// UsageDay is the usage of a day against what is held on it.
type UsageDay struct{ Day, Minimum, Maximum, Held string }
