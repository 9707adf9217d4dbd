package api

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bursar/internal/money"
)

// The words that people are shown, the same in the commands and on the pages.

// Wanted says what a line buys, in a few words: "3x rds mysql db.r6g.large",
// "1.5 USD/h savingsplans Compute".
func (l Line) Wanted() string {
	if l.PerHour != nil {
		return l.Measure + " " + Goods(l.Service, l.Attributes)
	}
	return l.Measure + "x " + Goods(l.Service, l.Attributes)
}

// Goods says what a line or a commitment is, in a few words.
func Goods(service string, attributes map[string]string) string {
	words := []string{service}
	if attributes["sku"] != "" {
		return azureGoods(service, attributes)
	}
	switch service {
	case "elasticache":
		words = append(words, attributes["engine"], attributes["node_type"])
	case "memorydb":
		words = append(words, attributes["node_type"])
	case "redshift":
		words = append(words, attributes["node_type"])
		if kind := attributes["offering_type"]; kind != "Regular" {
			words = append(words, strings.ToLower(kind))
		}
	case "opensearch":
		words = append(words, attributes["instance_type"])
	case "ec2", "ec2-zonal":
		words = append(words, attributes["instance_type"], attributes["platform"], attributes["offering_class"])
		if tenancy := attributes["tenancy"]; tenancy != "default" {
			words = append(words, tenancy)
		}
		if zone := attributes["zone"]; zone != "" {
			words = append(words, "in "+zone)
		}
	case "compute":
		words = append(words, attributes["type"])
		if cpu, gb := attributes["vcpu"], attributes["memory_gb"]; cpu != "" && gb != "" {
			words = append(words, cpu+" vCPU, "+gb+" GB")
		}
	case "licenses":
		words = append(words, attributes["license"])
		if cores := attributes["cores"]; cores != "" {
			words = append(words, cores+" cores")
		}
	case "spend":
		words = append(words, attributes["product"], attributes["offer"])
	case "savingsplans":
		words = append(words, attributes["plan_type"], attributes["family"])
		if region := attributes["ec2_region"]; region != "" {
			words = append(words, "in "+region)
		}
	default:
		words = append(words, attributes["engine"], attributes["class"])
		if attributes["multi_az"] == "true" {
			words = append(words, "multi-AZ")
		}
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

// azureGoods names the scope where it is not all subscriptions, and what is unusual.
func azureGoods(service string, attributes map[string]string) string {
	words := []string{service, attributes["sku"]}
	if scope := attributes["scope"]; scope != "shared" {
		parts := strings.Split(scope, "/")
		words = append(words, "for "+strings.Join(parts[max(0, len(parts)-2):], "/"))
	}
	if attributes["flexible"] == "false" {
		words = append(words, "of one size")
	}
	if attributes["renew"] == "true" {
		words = append(words, "renewing itself")
	}
	return strings.Join(words, " ")
}

// Terms are the length and the payment of an offering: "1y no-upfront".
func Terms(months int, payment string) string { return Years(months) + " " + payment }

// Years writes months as years where they are.
func Years(months int) string {
	if months%12 == 0 {
		return strconv.Itoa(months/12) + "y"
	}
	return strconv.Itoa(months) + "m"
}

// Size is the resource type, which each service calls otherwise.
func Size(attributes map[string]string) string {
	return cmp.Or(attributes["class"], attributes["node_type"], attributes["instance_type"], attributes["sku"], attributes["type"])
}

// PlanType is what a commitment to an amount of money covers.
func PlanType(attributes map[string]string) string {
	return cmp.Or(attributes["plan_type"], attributes["product"])
}

// Counted are the CSV cells of a quantity: a count, or a commitment per hour.
func Counted(n int64, perHour *money.Amount) (count, commitment string) {
	if perHour != nil {
		return "", perHour.Canonical()
	}
	return strconv.FormatInt(n, 10), ""
}

// Percent is a share in hundredths of a per cent, for people: "87.41%".
func Percent(bp int) string { return fmt.Sprintf("%d.%02d%%", bp/100, bp%100) }

// Used is a utilization for people, who are never shown a number that the cloud did not
// tell.
func Used(bp *int) string {
	if bp == nil {
		return "not told"
	}
	return Percent(*bp)
}

// Window is the days that a share is of, for people; "" for none.
func Window(days int) string {
	switch days {
	case 0:
		return ""
	case 1:
		return "1 day"
	}
	return fmt.Sprintf("%d days", days)
}
