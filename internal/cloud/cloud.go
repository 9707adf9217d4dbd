// Package cloud is the vocabulary that every other package shares: what can be
// bought, where, on which terms, and what a cloud has said about it. It knows no
// cloud's wire format and holds no behavior beyond reading and writing its own
// words.
package cloud

import (
	"fmt"
	"strconv"
	"strings"
)

// Provider is a cloud: "aws", "azure" or "gcp".
type Provider string

// The providers.
const (
	AWS   Provider = "aws"
	Azure Provider = "azure"
	GCP   Provider = "gcp"
)

// Service is a provider's product family that sells commitments, in the
// provider's own short name: "rds".
type Service string

// Account is the boundary that pays: an AWS account id, an Azure subscription
// id, a Google Cloud project id.
type Account string

// Region is a provider's region code ("eu-west-1"), or "global" for a
// commitment that has none.
type Region string

// Term is the length of a commitment in months.
type Term int

// The terms that clouds sell.
const (
	OneYear    Term = 12
	ThreeYears Term = 36
)

// Hours returns the billed hours of the term: 8,760 a year, as all three clouds
// count them (AWS sells durations of 31,536,000 and 94,608,000 seconds).
func (t Term) Hours() int64 { return int64(t) * 730 }

// String returns "1y" or "3y".
func (t Term) String() string {
	if t%12 == 0 {
		return strconv.Itoa(int(t)/12) + "y"
	}
	return strconv.Itoa(int(t)) + "m"
}

// ParseTerm reads a term as people write it: "1y", "3yr", "1 year", "36
// months", or the bare months "12" and "36".
func ParseTerm(s string) (Term, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyz -_")
	n, err := strconv.Atoi(digits)
	if err == nil {
		switch strings.Trim(text[len(digits):], " -_") {
		case "y", "yr", "yrs", "year", "years":
			n *= 12
		case "", "m", "mo", "month", "months":
		default:
			n = 0
		}
		if t := Term(n); t == OneYear || t == ThreeYears {
			return t, nil
		}
	}
	return 0, fmt.Errorf("%q is not a term: use 1y (12 months) or 3y (36 months)", s)
}

// Payment is when a commitment is paid.
type Payment string

// The payment options.
const (
	AllUpfront     Payment = "all-upfront"
	PartialUpfront Payment = "partial-upfront"
	NoUpfront      Payment = "no-upfront"
	Monthly        Payment = "monthly"
)

// ParsePayment reads a payment option in any of the spellings the clouds and
// their exports use: "All Upfront", "all-upfront", "ALL_UPFRONT", "allUpfront".
func ParsePayment(s string) (Payment, error) {
	folded := strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(strings.TrimSpace(s)))
	for _, p := range []Payment{AllUpfront, PartialUpfront, NoUpfront, Monthly} {
		if folded == strings.ReplaceAll(string(p), "-", "") {
			return p, nil
		}
	}
	return "", fmt.Errorf("%q is not a payment option: use all-upfront, partial-upfront, no-upfront or monthly", s)
}

// Attributes tell offerings of one service apart, in that service's own words:
// for RDS engine, class and multi_az. Which keys a service knows is a fact of
// its driver.
type Attributes map[string]string

// String returns "class=db.r6g.large engine=mysql multi_az=false", keys sorted.
func (a Attributes) String() string {
	parts := make([]string, 0, len(a))
	for _, k := range sortedKeys(a) {
		parts = append(parts, k+"="+a[k])
	}
	return strings.Join(parts, " ")
}

// Class says by what a cloud recognizes a purchase when asked twice. It decides
// how doubt about a purchase may be closed.
type Class string

// The identity classes.
const (
	ClassToken  Class = "A" // the cloud remembers a client token for a while
	ClassName   Class = "B" // the name we choose stays unique for the life of the commitment
	ClassNone   Class = "C" // nothing; only the inventory before and after can tell
	ClassQueued Class = "Q" // bought for a later second that we choose; deletable until then
	ClassHandle Class = "H" // an order or operation id is known and can be polled
	// ClassUnlisted is a client token that the cloud remembers for a while and shows
	// nowhere: the same request may be sent again inside that time, and afterwards
	// only the inventory before and after can tell, as in class C.
	ClassUnlisted Class = "AC"
)

// Named reports whether a listing can be asked for the purchases of one line, by a
// name or token of ours.
func (c Class) Named() bool { return c == ClassToken || c == ClassName || c == ClassHandle }

// Locks reports whether one purchase of the class at a time is open in a lane,
// because only the inventory before and after can tell what it did.
func (c Class) Locks() bool { return c == ClassNone || c == ClassUnlisted }

// Lane is the place in which commitments of one kind pile up: one service of one
// account in one region.
type Lane struct {
	Provider Provider `json:"provider"`
	Account  Account  `json:"account"`
	Region   Region   `json:"region"`
	Service  Service  `json:"service"`
}

// String returns "aws/111122223333/eu-west-1/rds".
func (l Lane) String() string {
	return strings.Join([]string{string(l.Provider), string(l.Account), string(l.Region), string(l.Service)}, "/")
}
