package azure

import (
	"math"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/billingbenefits/armbillingbenefits"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/reservations/armreservations/v3"

	"bursar/internal/cloud"
)

// windows are the days that Azure tells the utilization of.
var windows = []int{1, 7, 30}

// usedOrder is the utilization of an order: that of its reservations that are not
// canceled, each by its quantity. A window that one of them does not tell is left out.
func usedOrder(children []*armreservations.ReservationResponse) []cloud.Used {
	sums, quantity := map[int]int64{}, int64(0)
	told := map[int]int{}
	live := 0
	for _, res := range children {
		q := res.Properties
		if text(q.ProvisioningState) == "Cancelled" {
			continue
		}
		live++
		if q.Quantity == nil || *q.Quantity < 1 || q.Utilization == nil {
			return nil
		}
		n := int64(*q.Quantity)
		quantity += n
		for _, a := range q.Utilization.Aggregates {
			if a == nil {
				continue
			}
			if u, ok := used(a.Grain, a.GrainUnit, a.Value, a.ValueUnit); ok {
				sums[u.Days] += int64(u.BP) * n
				told[u.Days]++
			}
		}
	}
	var list []cloud.Used
	for _, days := range windows {
		if live > 0 && told[days] == live {
			list = append(list, cloud.Used{Days: days, BP: int((sums[days] + quantity/2) / quantity)})
		}
	}
	return list
}

// usedPlan is the utilization of a savings plan.
func usedPlan(u *armbillingbenefits.Utilization) []cloud.Used {
	if u == nil {
		return nil
	}
	var list []cloud.Used
	for _, days := range windows {
		for _, a := range u.Aggregates {
			if a == nil {
				continue
			}
			if u, ok := used(a.Grain, a.GrainUnit, a.Value, a.ValueUnit); ok && u.Days == days {
				list = append(list, u)
				break
			}
		}
	}
	return list
}

// used reads one aggregate. What is not in days and per cent, or beyond 0 to 100, is
// nothing that is told.
func used(grain *float32, grainUnit *string, value *float32, valueUnit *string) (cloud.Used, bool) {
	if grain == nil || value == nil || text(grainUnit) != "days" || text(valueUnit) != "percentage" {
		return cloud.Used{}, false
	}
	bp := math.Round(float64(*value) * 100)
	if !(bp >= 0 && bp <= 10_000) {
		return cloud.Used{}, false
	}
	for _, days := range windows {
		if *grain == float32(days) {
			return cloud.Used{Days: days, BP: int(bp)}, true
		}
	}
	return cloud.Used{}, false
}
