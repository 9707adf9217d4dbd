package api

import (
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"

	"bursar/internal/money"
)

// FocusRow is a line of the ledger as a row of the dataset Contract Commitment of
// FOCUS (FinOps Open Cost and Usage Specification). The columns up to
// ContractPeriodEnd are those of version 1.3, the ones after them of 1.4, and those
// with x_ Bursar's own. What is not known yet is empty: a line that is not bought has
// no period.
type FocusRow struct {
	BillingCurrency                string
	ContractCommitmentCategory     string // Usage or Spend
	ContractCommitmentCost         string
	ContractCommitmentDescription  string
	ContractCommitmentID           string `json:"ContractCommitmentId"` // of the cloud; that of the line while there is none
	ContractCommitmentPeriodEnd    string
	ContractCommitmentPeriodStart  string
	ContractCommitmentQuantity     string
	ContractCommitmentType         string
	ContractCommitmentUnit         string
	ContractID                     string `json:"ContractId"` // as ContractCommitmentId: each commitment is a contract of its own
	ContractPeriodEnd              string
	ContractPeriodStart            string
	ContractCommitmentCreated      string
	ContractCommitmentDurationType string
	// ContractCommitmentLifecycleStatus is Proposed, Pending, Active, Expired, Canceled
	// or Superseded.
	ContractCommitmentLifecycleStatus          string
	ContractCommitmentFulfillmentInterval      string
	ContractCommitmentLastUpdated              string
	ContractCommitmentModel                    string
	ContractCommitmentPaymentInterval          string
	ContractCommitmentPaymentModel             string
	ContractCommitmentPaymentUpfrontPercentage string // of 1
	Provider                                   string `json:"x_Provider"`
	Account                                    string `json:"x_Account"`
	Region                                     string `json:"x_Region"`
	Service                                    string `json:"x_Service"`
	Plan                                       string `json:"x_BursarPlan"`
	Line                                       string `json:"x_BursarLine"`
	State                                      string `json:"x_BursarState"`
	Simulated                                  bool   `json:"x_Simulated"`
}

var focusColumns = []string{
	"BillingCurrency", "ContractCommitmentCategory", "ContractCommitmentCost", "ContractCommitmentDescription", "ContractCommitmentId",
	"ContractCommitmentPeriodEnd", "ContractCommitmentPeriodStart", "ContractCommitmentQuantity", "ContractCommitmentType",
	"ContractCommitmentUnit", "ContractId", "ContractPeriodEnd", "ContractPeriodStart",
	"ContractCommitmentCreated", "ContractCommitmentDurationType", "ContractCommitmentLifecycleStatus", "ContractCommitmentFulfillmentInterval",
	"ContractCommitmentLastUpdated", "ContractCommitmentModel", "ContractCommitmentPaymentInterval", "ContractCommitmentPaymentModel",
	"ContractCommitmentPaymentUpfrontPercentage",
	"x_Provider", "x_Account", "x_Region", "x_Service", "x_BursarPlan", "x_BursarLine", "x_BursarState", "x_Simulated",
}

// FocusCSV writes rows as CSV.
func FocusCSV(w io.Writer, rows []FocusRow) error {
	cells := make([][]string, len(rows))
	for i, r := range rows {
		cells[i] = []string{
			r.BillingCurrency, r.ContractCommitmentCategory, r.ContractCommitmentCost, r.ContractCommitmentDescription, r.ContractCommitmentID,
			r.ContractCommitmentPeriodEnd, r.ContractCommitmentPeriodStart, r.ContractCommitmentQuantity, r.ContractCommitmentType,
			r.ContractCommitmentUnit, r.ContractID, r.ContractPeriodEnd, r.ContractPeriodStart,
			r.ContractCommitmentCreated, r.ContractCommitmentDurationType, r.ContractCommitmentLifecycleStatus, r.ContractCommitmentFulfillmentInterval,
			r.ContractCommitmentLastUpdated, r.ContractCommitmentModel, r.ContractCommitmentPaymentInterval, r.ContractCommitmentPaymentModel,
			r.ContractCommitmentPaymentUpfrontPercentage,
			r.Provider, r.Account, r.Region, r.Service, r.Plan, r.Line, r.State, strconv.FormatBool(r.Simulated),
		}
	}
	return writeRows(w, focusColumns, cells)
}

// Focus is a line as FOCUS tells of it at an instant. planned is when its plan was
// made, and ended whether the cloud has shown that what it bought ended before its
// term did.
func Focus(l Line, planned, now time.Time, ended bool) FocusRow {
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	r := FocusRow{
		BillingCurrency: l.Price.Total.Currency(), ContractCommitmentCategory: "Usage", ContractCommitmentCost: l.Price.Total.Canonical(),
		ContractCommitmentDescription: l.Wanted(), ContractCommitmentID: l.ID,
		ContractCommitmentQuantity: strconv.FormatInt(l.Quantity, 10), ContractCommitmentUnit: "Units",
		ContractCommitmentType: commitmentType(l), ContractCommitmentCreated: stamp(planned), ContractCommitmentLastUpdated: stamp(l.UpdatedAt),
		ContractCommitmentDurationType: duration(l.TermMonths), ContractCommitmentModel: "Continuous", ContractCommitmentFulfillmentInterval: "Hourly",
		ContractCommitmentPaymentModel: "Partial Upfront", ContractCommitmentPaymentInterval: "Monthly",
		ContractCommitmentPaymentUpfrontPercentage: share(l.Price.Upfront, l.Price.Total),
		Provider: l.Provider, Account: l.Account, Region: l.Region, Service: l.Service,
		Plan: l.Plan, Line: l.ID, State: l.State, Simulated: l.Simulated,
	}
	if l.PerHour != nil {
		r.ContractCommitmentCategory = "Spend"
		r.ContractCommitmentQuantity, r.ContractCommitmentUnit = l.PerHour.Canonical(), l.PerHour.Currency()+"/Hour"
	}
	switch {
	case l.Price.Upfront.IsZero():
		r.ContractCommitmentPaymentModel, r.ContractCommitmentPaymentUpfrontPercentage = "No Upfront", "0.0"
	case l.Price.Upfront.Equal(l.Price.Total):
		r.ContractCommitmentPaymentModel, r.ContractCommitmentPaymentInterval, r.ContractCommitmentPaymentUpfrontPercentage = "All Upfront", "One-Time", "1.0"
	}
	r.ContractCommitmentLifecycleStatus = lifecycle(l, now, ended)
	if l.Receipt != nil {
		id := l.Receipt.Commitment
		if l.Receipt.ARN != "" {
			id = l.Receipt.ARN
		}
		r.ContractCommitmentID = id
		r.ContractCommitmentPeriodStart, r.ContractCommitmentPeriodEnd = stamp(l.Receipt.Start), stamp(l.End())
		r.ContractCommitmentCreated = stamp(l.Receipt.At)
	}
	r.ContractID, r.ContractPeriodStart, r.ContractPeriodEnd = r.ContractCommitmentID, r.ContractCommitmentPeriodStart, r.ContractCommitmentPeriodEnd
	return r
}

// End is when the term of what a line bought is over; zero if it bought nothing. The
// calendar counts: a year from a leap day is over on the first of March.
func (l Line) End() time.Time {
	if l.Receipt == nil {
		return time.Time{}
	}
	return l.Receipt.Start.AddDate(0, l.TermMonths, 0)
}

func lifecycle(l Line, now time.Time, ended bool) string {
	switch l.State {
	case "draft":
		return "Proposed"
	case "purchased":
		switch {
		case ended:
			return "Canceled"
		case l.Receipt != nil && !now.Before(l.End()):
			return "Expired"
		case l.Receipt != nil && now.Before(l.Receipt.Start):
			return "Pending"
		}
		return "Active"
	case "superseded":
		return "Superseded"
	case "failed", "canceled", "expired":
		return "Canceled" // it never became a commitment
	}
	return "Pending"
}

// commitmentType is what the cloud calls such a commitment.
func commitmentType(l Line) string {
	switch {
	case l.Provider == "aws" && l.PerHour != nil:
		return "Savings Plan"
	case l.Provider == "aws":
		return "Reserved Instance"
	case l.Provider == "azure" && l.PerHour != nil:
		return "Savings Plan"
	case l.Provider == "azure":
		return "Reservation"
	}
	return "Committed Use Discount"
}

func duration(months int) string {
	n, unit := months, "Month"
	if months%12 == 0 {
		n, unit = months/12, "Year"
	}
	if n != 1 {
		unit += "s"
	}
	return strconv.Itoa(n) + " " + unit
}

// share is a part of a whole, with four decimals.
func share(part, whole money.Amount) string {
	p, ok := new(big.Rat).SetString(part.Decimal())
	w, okay := new(big.Rat).SetString(whole.Decimal())
	if !ok || !okay || w.Sign() == 0 {
		return ""
	}
	text := strings.TrimRight(p.Quo(p, w).FloatString(4), "0")
	if strings.HasSuffix(text, ".") {
		text += "0"
	}
	return text
}
