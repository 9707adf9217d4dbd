package sim

import (
	"fmt"
	"strconv"
	"time"
)

// adviceTypes are Cost Explorer's words for the types of Savings Plans.
var adviceTypes = map[string]string{
	"COMPUTE_SP": planCompute, "EC2_INSTANCE_SP": planEC2, "SAGEMAKER_SP": planSageMaker, "DATABASE_SP": planDatabase,
}

// advisedPlan is a commitment that Cost Explorer recommends, in millionths of a dollar per
// hour: it says more decimals than a plan can have.
type advisedPlan struct {
	*offering
	account string
	perHour int64
}

// planAdvice recommends Savings Plans: up to two of a type for each account, or, for
// the organization as a whole, what all of them would commit to together. Types,
// terms and payments that are not sold together have none.
func planAdvice(c *call) (node, *apiError) {
	for _, name := range []string{"SavingsPlansType", "TermInYears", "PaymentOption", "LookbackPeriodInDays"} {
		if _, err := c.in.required(name); err != nil {
			return node{}, err
		}
	}
	kind, err := oneOf(c, "SavingsPlansType", "", adviceTypes)
	if err != nil {
		return node{}, err
	}
	q, err := c.question()
	if err != nil {
		return node{}, err
	}
	all := c.plansFor(q, adviceTypes[kind])
	page, next, err := paginate(c, all, func(advisedPlan) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	details, sum := list("SavingsPlansPurchaseRecommendationDetails"), int64(0)
	for _, p := range page {
		sum += p.perHour
		of := group("SavingsPlansDetails", leaf("OfferingId", p.id))
		if family := p.Attributes["family"]; family != "" {
			of.kids = append(of.kids, leaf("Region", p.Attributes["region"]), leaf("InstanceFamily", family))
		}
		monthly := p.perHour * hoursPerMonth
		upfront := int64(0)
		switch p.Payment {
		case allUpfront:
			upfront = p.perHour * (p.Seconds / 3600)
		case partialUpfront:
			upfront = p.perHour * (p.Seconds / 3600) / 2
		}
		details.kids = append(details.kids, group("",
			of, leaf("AccountId", p.account), leaf("UpfrontCost", dollarText(upfront)), leaf("EstimatedROI", "42.8"), leaf("CurrencyCode", currency),
			leaf("EstimatedSPCost", dollarText(monthly)), leaf("EstimatedOnDemandCost", dollarText(monthly*10/7)),
			leaf("EstimatedSavingsAmount", dollarText(monthly*3/7)), leaf("EstimatedSavingsPercentage", "30.0"),
			leaf("HourlyCommitmentToPurchase", exact(p.perHour)), leaf("EstimatedAverageUtilization", "99.2"),
			leaf("EstimatedMonthlySavingsAmount", dollarText(monthly*3/7)), leaf("CurrentAverageHourlyOnDemandSpend", exact(p.perHour*10/7)),
			leaf("RecommendationDetailId", drawUUID(c.world.seed, "plan advice", p.id, p.account)),
		))
	}
	out := node{kids: []node{c.adviceMetadata(kind), group("SavingsPlansPurchaseRecommendation",
		leaf("AccountScope", q.scope), leaf("SavingsPlansType", kind), leaf("TermInYears", q.term), leaf("PaymentOption", q.payment),
		leaf("LookbackPeriodInDays", q.lookback), details, group("SavingsPlansPurchaseRecommendationSummary",
			leaf("CurrencyCode", currency), leaf("HourlyCommitmentToPurchase", exact(sum)), leaf("TotalRecommendationCount", strconv.Itoa(len(all)))))}}
	return out.maybe("NextPageToken", next), nil
}

// exact is an amount in millionths with all its decimals.
func exact(micros int64) string { return fmt.Sprintf("%d.%06d", micros/1_000_000, micros%1_000_000) }

func (c *call) plansFor(q question, of string) []advisedPlan {
	var sold []*offering
	for _, o := range c.catalog.byShop[shop{savingsPlans, noRegion}] {
		if o.Class == of && o.Seconds == adviceTerms[q.term] && o.Payment == advicePayments[q.payment] && o.fixed.Currency() == currency {
			sold = append(sold, o)
		}
	}
	whole := q.scope == "PAYER" && (q.account == "" || q.account == management())
	var all []advisedPlan
	for _, a := range accounts {
		if len(sold) == 0 || q.account != "" && a.ID != q.account && !whole {
			continue
		}
		first := draw(uint64(len(sold)), c.world.seed, "plan advice", a.ID, of)
		for i := range min(2, len(sold)) {
			o := sold[(first+uint64(i))%uint64(len(sold))]
			p := advisedPlan{o, a.ID, 50_000 + int64(draw(4_000_000, c.world.seed, "plan commitment", o.id, a.ID))}
			if whole {
				p.account = management()
			}
			joined := false
			for n := range all {
				if all[n].offering == o && all[n].account == p.account {
					all[n].perHour += p.perHour
					joined = true
				}
			}
			if !joined {
				all = append(all, p)
			}
		}
	}
	return all
}
