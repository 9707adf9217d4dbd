package recommend

import (
	"regexp"
	"strconv"
	"strings"

	"bursar/internal/cloud"
)

// A Savings Plan is a commitment to an amount of money per hour. A draft of one
// counts hundred-thousandths, the finest amount that AWS takes.
const (
	planDecimals    = 5
	leastCommitment = 100             // 0.001 per hour
	mostCommitment  = 100_000_000_000 // 1,000,000 per hour

	// wholeHalves is a commitment of which every multiple has a whole half over a
	// year and over three: that half of a plan which is partial-upfront is paid at
	// once, and AWS takes whole amounts only.
	wholeHalves = 5_000
	// savingsPlansHalf is the payment option whose commitments are multiples of it.
	savingsPlansHalf = cloud.PartialUpfront

	// everywhere is the region of what is sold for all regions at once.
	everywhere cloud.Region = "global"
)

var savingsPlansService = service{
	provider: cloud.AWS,
	name:     "savingsplans",
	title:    "Savings Plans",
	aliases:  []string{"savingsplans", "savingsplan", "awssavingsplans", "sp"},
	payments: awsPayments,
	unit:     "0.00001",
	attributes: []attribute{
		{key: "plan_type", example: "Compute", values: []string{"Compute", "EC2Instance", "SageMaker", "Database"},
			columns: []string{"plan type"}, loose: loosePlanType},
		{key: "family", example: "m7g", pattern: regexp.MustCompile(`^[a-z][a-z0-9-]*$`), columns: []string{"family"}, optional: true},
		{key: "ec2_region", example: "eu-west-1", pattern: regionCode, columns: []string{"ec2 region"}, optional: true,
			loose: func(text string, _ func(string) string) (string, bool) {
				code, ok := regionNamed(text)
				return string(code), ok
			}},
	},
	check: func(d Draft) (string, error) {
		ofEC2 := d.Attributes["plan_type"] == "EC2Instance"
		for _, key := range []string{"family", "ec2_region"} {
			switch {
			case ofEC2 && d.Attributes[key] == "":
				return "plan_type", problemf("is EC2Instance, which needs %s: write for example %s: %s", key, key,
					map[string]string{"family": "m7g", "ec2_region": "eu-west-1"}[key])
			case !ofEC2 && d.Attributes[key] != "":
				return key, problemf("belongs to plan_type EC2Instance only: remove it")
			}
		}
		return "", nil
	},
}

// planTypes are the types in the words of Cost Explorer.
var planTypes = map[string]string{
	"COMPUTE_SP": "Compute", "EC2_INSTANCE_SP": "EC2Instance", "SAGEMAKER_SP": "SageMaker", "DATABASE_SP": "Database",
}

func loosePlanType(text string, _ func(string) string) (string, bool) {
	for theirs, ours := range planTypes {
		folded := fold(text)
		if folded == fold(theirs) || folded == fold(ours)+"savingsplans" || folded == fold(ours)+"savingsplan" {
			return ours, true
		}
	}
	return "", false
}

var (
	amountPerHour = regexp.MustCompile(`^(0|[1-9][0-9]{0,6})(?:\.([0-9]+))?$`)
	finest        = regexp.MustCompile(`^[0-9]{0,5}$`)
)

// commitment reads an amount of money per hour, with at most five decimals.
func commitment(text string) (int64, error) {
	m := amountPerHour.FindStringSubmatch(text)
	if m == nil || !finest.MatchString(m[2]) {
		return 0, problemf("%s is not an amount per hour with at most five decimals, such as 1.50", show(text))
	}
	n := hundredThousandths(m)
	if n < leastCommitment || n > mostCommitment {
		return 0, problemf("%s is not from 0.001 to 1,000,000 per hour", show(text))
	}
	return n, nil
}

// advisedCommitment reads an amount of Cost Explorer, which may have more decimals:
// they are cut off, and what is left of a plan that is partly paid upfront is made a
// multiple of wholeHalves.
func advisedCommitment(text string, p cloud.Payment) (n int64, err error) {
	m := amountPerHour.FindStringSubmatch(text)
	if m == nil {
		return 0, problemf("%s is not an amount per hour", show(text))
	}
	n = hundredThousandths(m)
	if p == savingsPlansHalf {
		n -= n % wholeHalves
	}
	if n > mostCommitment {
		return 0, problemf("%s is more than 1,000,000 per hour", show(text))
	}
	return n, nil
}

// hundredThousandths takes the parts of amountPerHour: whole and decimals.
func hundredThousandths(m []string) int64 {
	n, _ := strconv.ParseInt(m[1]+(m[2] + "00000")[:planDecimals], 10, 64) // at most 12 digits
	return n
}

// savings reads the answer of GetSavingsPlansPurchaseRecommendation: one type, term
// and payment for all its details.
func (r *adviceReader) savings(rec *value) error {
	if err := r.is(rec, jsonObject); err != nil {
		return err
	}
	details := rec.member("SavingsPlansPurchaseRecommendationDetails")
	if details == nil || details.kind == jsonArray && len(details.items) == 0 {
		return nil // AWS advises to buy nothing
	}
	if err := r.is(details, jsonArray); err != nil {
		return err
	}
	a, why, err := r.terms(rec)
	if err != nil {
		return err
	}
	kind, err := r.need(rec, "SavingsPlansType")
	if err != nil {
		return err
	}
	planType, known := planTypes[kind.text]
	if !known && why == "" {
		why = "the type " + show(looseText(kind.text, 40)) + " is not known"
	}
	for _, d := range details.items {
		if err := r.is(d, jsonObject); err != nil {
			return err
		}
		if why != "" {
			r.leave(d, "Savings Plan", why)
			continue
		}
		if err := r.plan(d, planType, a); err != nil {
			return err
		}
	}
	return nil
}

// plan reads one detail of a recommendation of Savings Plans.
func (r *adviceReader) plan(d *value, planType string, a advice) error {
	s := savingsPlansService
	out := Draft{At: r.at(d.line, d.path), Provider: s.provider, Service: s.name, Region: everywhere, Term: a.term, Payment: a.payment, Unit: s.unit,
		Attributes: cloud.Attributes{"plan_type": planType}}
	if planType == "EC2Instance" {
		of := d.member("SavingsPlansDetails")
		if of == nil {
			return r.missing(d, "SavingsPlansDetails")
		}
		if err := r.is(of, jsonObject); err != nil {
			return err
		}
		for _, at := range s.attributes[1:] {
			m, err := r.need(of, map[string]string{"family": "InstanceFamily", "ec2_region": "Region"}[at.key])
			if err != nil {
				return err
			}
			if out.Attributes[at.key], err = s.looseOr(at, m.text, nil); err != nil {
				return r.errorf(m.line, m.path, "%v", err)
			}
		}
	}
	if err := set(r, &out.Account, d, "AccountId", looseAccount); err != nil {
		return err
	}
	if c := d.member("CurrencyCode"); c != nil && c.text != "" {
		if err := set(r, &out.Currency, d, "CurrencyCode", currencyCode); err != nil {
			return err
		}
	}
	amount, err := r.need(d, "HourlyCommitmentToPurchase")
	if err != nil {
		return err
	}
	if out.Quantity, err = advisedCommitment(amount.text, a.payment); err != nil {
		return r.errorf(amount.line, amount.path, "%v", err)
	}
	advised := looseText(strings.TrimSuffix(strings.TrimRight(amount.text, "0"), "."), 20)
	if out.Quantity < leastCommitment {
		why := "AWS recommends to commit to " + advised + " per hour, less than can be bought"
		if strings.Trim(amount.text, "0.") == "" {
			why = "AWS recommends to buy none"
		}
		r.leave(d, out.Attributes.String(), why)
		return nil
	}
	out.Note, out.Claim = a.note(d, d, s, out.Currency), a.claim(d, out)
	if got := out.amount(out.Quantity); got != advised {
		out.Note += "; " + advised + " per hour advised, rounded down to " + got
	}
	r.in.Drafts = append(r.in.Drafts, out)
	return nil
}
