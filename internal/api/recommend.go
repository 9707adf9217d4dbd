package api

import (
	"time"

	"bursar/internal/money"
)

// RecommendRequest asks the clouds what they recommend to buy.
type RecommendRequest struct {
	Providers []string // aws, azure, gcp; none for all that are configured
	Account   string   // "" for all
	Services  []string // none for all
	Terms     []string // none is 1y
	Payments  []string // none is no upfront payment: no-upfront, or monthly where a cloud has that
	AllCells  bool     // every term with every payment
	MaxAge    time.Duration
	// MaxRequests bounds the requests that are charged for; 0 is no bound, which whoever is
	// not asked before they are sent may leave on simulated accounts only.
	MaxRequests int
}

// AdviceAge is how old advice may be unless somebody says otherwise.
const AdviceAge = 72 * time.Hour

// The states of a recommendation. A CSV file of them is an input of plan create, which
// buys what is recommended and leaves the rest with its state.
const (
	Recommended = "recommended"
	Alternative = "alternative" // to another one, for the same usage
	Unpriced    = "unpriced"    // no offering with a price was found
)

// Recommendation is one line of a cloud's advice.
type Recommendation struct {
	State      string            `json:"state"`
	Why        string            `json:"why,omitempty"` // of a state that is not recommended
	Provider   string            `json:"provider"`
	Account    string            `json:"account"`
	Region     string            `json:"region"`
	Service    string            `json:"service"`
	Attributes map[string]string `json:"attributes"`
	TermMonths int               `json:"term_months"`
	Payment    string            `json:"payment"`
	Quantity   int64             `json:"quantity"`
	// PerHour is the commitment where the quantity is an amount of money.
	PerHour *money.Amount `json:"per_hour,omitempty"`
	Price   *Price        `json:"price,omitempty"` // of the whole quantity, by today's catalog
	// SavesPerMonth is what the cloud expects, a month of 730 hours.
	SavesPerMonth *money.Amount `json:"saves_per_month,omitempty"`
	// BreakEvenMonths is after how many months of the same usage the whole commitment has
	// cost no more than on-demand; 0 where that is not known, or never.
	BreakEvenMonths int `json:"break_even_months,omitempty"`
	// Key names the goods and the account, for people to dismiss advice by, and Said is the
	// last word of somebody on it; nil where nobody has said anything, or no ledger knows.
	Key    string     `json:"key"`
	Said   *Advice    `json:"said,omitempty"`
	Source string     `json:"source"`
	MadeAt *time.Time `json:"made_at,omitempty"` // nil where the cloud does not say
	Note   string     `json:"note,omitempty"`
	// Recommendation is the name of the one of Google's Recommender that a purchase
	// carries out, with its etag: it is marked there once the line is bought.
	Recommendation string `json:"recommendation,omitempty"`
	Etag           string `json:"etag,omitempty"`
}

// LineRecommendation is the recommendation of Google's Recommender that a line carries
// out, and what it was marked as there.
type LineRecommendation struct {
	Name     string     `json:"name"`
	Mark     string     `json:"mark,omitempty"` // CLAIMED, SUCCEEDED or FAILED; none yet
	MarkedAt *time.Time `json:"marked_at,omitempty"`
	Problem  string     `json:"problem,omitempty"` // why the last try did not mark it
	GivenUp  bool       `json:"given_up,omitempty"`
}

// AdviceSource is something that was asked for advice.
type AdviceSource struct {
	Provider string     `json:"provider"`
	Account  string     `json:"account"`
	Source   string     `json:"source"`
	MadeAt   *time.Time `json:"made_at,omitempty"`
	Lines    int        `json:"lines"`
	Stale    bool       `json:"stale"`             // older than was asked for
	Problem  string     `json:"problem,omitempty"` // why it gave nothing
}

// LeftAdvice is advice that did not become a recommendation.
type LeftAdvice struct {
	Provider string `json:"provider"`
	Account  string `json:"account"`
	Source   string `json:"source"`
	What     string `json:"what"`
	Why      string `json:"why"`
}

// Recommendations are what the clouds advise.
type Recommendations struct {
	At        time.Time        `json:"at"`
	By        string           `json:"by,omitempty"` // who asked a server
	Simulated bool             `json:"simulated"`
	Lines     []Recommendation `json:"lines"`
	Sources   []AdviceSource   `json:"sources"`
	Left      []LeftAdvice     `json:"left"`
}

// Failed counts the sources that gave no answer.
func (r Recommendations) Failed() (n int) {
	for _, s := range r.Sources {
		if s.Problem != "" {
			n++
		}
	}
	return n
}

// AdviceCost is what asking costs at least.
type AdviceCost struct {
	Requests int          `json:"requests"` // that are charged for
	Each     money.Amount `json:"each"`     // price of one
	Total    money.Amount `json:"total"`
	Source   string       `json:"source"` // of the price
	Live     bool         `json:"live"`   // it is real money
}
