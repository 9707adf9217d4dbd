package sizing

import (
	"errors"
	"fmt"
	"math/big"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// Ask is the question for the price of one of what would be bought.
type Ask struct {
	Pool    Pool
	Buys    cloud.Attributes
	Term    cloud.Term
	Payment cloud.Payment
	// OnDemand is the on-demand rate of one per hour, Committed the committed one that
	// the usage file tells; zero where it tells none, and for a plan.
	OnDemand, Committed money.Amount
}

// Offer is the price of one.
type Offer struct {
	ID              string // of the cloud, where it has one
	Upfront, Hourly money.Amount
	// Unit is the commitment per hour of one, where it is to an amount of money, and
	// Worth the on-demand cost per hour that it then covers.
	Unit  money.Amount
	Worth *big.Rat
	// Only multiples of Lot are sold, from Least on; 0 means 1.
	Lot, Least int64
	Source     string // where the price is from, for people
}

// Prices answers for one on a set of terms, or says why there is no price.
type Prices func(Ask) (Offer, error)

// A commitment to an amount of money has five decimals at most. Of AWS it is at least
// 0.001 per hour, and a partial-upfront one a multiple of 0.05, so that half of it over a
// term is whole (Savings Plans API reference, CreateSavingsPlan).
const (
	planUnit   = "0.00001"
	planHalves = 5_000
)

// Discounted prices things at their on-demand rate less a discount in hundredths of a
// per cent, and a savings plan at another. Of partial-upfront half is paid at once. A
// discount of 0 is no price.
func Discounted(things, plan int) Prices {
	return func(a Ask) (Offer, error) {
		if IsPlan(a.Pool.Service) {
			if plan < 1 || plan >= 10_000 {
				return Offer{}, errors.New("the discount of a savings plan is not given")
			}
			// What is committed is the discounted price of what is covered.
			unit := money.MustParse(planUnit, a.Pool.Currency)
			o, err := spread(ratOf(unit), a)
			o.Unit, o.Worth = unit, over(ratOf(unit), big.NewRat(int64(10_000-plan), 10_000))
			kind := plans[a.Pool.Provider]
			o.Lot, o.Least, o.Source = kind.lot, kind.least, "a discount of "+percent(plan)
			if a.Payment == cloud.PartialUpfront {
				o.Lot = planHalves
			}
			return o, err
		}
		if things < 1 || things >= 10_000 {
			return Offer{}, errors.New("the discount of reservations is not given")
		}
		o, err := spread(times(ratOf(a.OnDemand), big.NewRat(int64(10_000-things), 10_000)), a)
		o.Source = "a discount of " + percent(things)
		return o, err
	}
}

// FromUsage prices things at the committed rate that the usage file tells, and a
// savings plan at a discount.
func FromUsage(plan int) Prices {
	return func(a Ask) (Offer, error) {
		if IsPlan(a.Pool.Service) {
			return Discounted(0, plan)(a)
		}
		if a.Committed.IsZero() {
			return Offer{}, errors.New("the usage file tells no committed rate of it")
		}
		o, err := spread(ratOf(a.Committed), a)
		o.Source = "the committed rate of the usage file"
		return o, err
	}
}

// spread divides an hourly cost by when it is paid.
func spread(perHour *big.Rat, a Ask) (o Offer, err error) {
	currency := a.Pool.Currency
	upfront, hourly := new(big.Rat), perHour
	switch a.Payment {
	case cloud.AllUpfront:
		upfront, hourly = times(perHour, whole(a.Term.Hours())), new(big.Rat)
	case cloud.PartialUpfront:
		hourly = times(perHour, big.NewRat(1, 2))
		upfront = times(hourly, whole(a.Term.Hours()))
	case cloud.NoUpfront, cloud.Monthly:
	default:
		return Offer{}, fmt.Errorf("%q is not a payment option", a.Payment)
	}
	if o.Upfront, err = fine(upfront, currency, true); err != nil {
		return Offer{}, err
	}
	o.Hourly, err = fine(hourly, currency, true)
	return o, err
}

// fineDecimals are those of a price that is worked out and not quoted.
const fineDecimals = 10

// fine is an amount with as many decimals as it needs, ten at most.
func fine(r *big.Rat, currency string, up bool) (money.Amount, error) {
	scaled := times(r, whole(10_000_000_000))
	n := floor(scaled)
	if up {
		n = floor(new(big.Rat).Neg(scaled))
		n.Neg(n)
	}
	text := new(big.Rat).SetFrac(n, big.NewInt(10_000_000_000)).FloatString(fineDecimals)
	return money.Parse(plainDecimal(text), currency)
}
