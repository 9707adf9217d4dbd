package aws

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

const opQuotas = "ListServiceQuotas"

// checkQuota compares the quota of reservations with what counts against it. Not
// every service publishes one, and a purchase does not need it to be readable.
func (d *reserved) checkQuota(ctx context.Context, k *checks, creds aws.Credentials) {
	quota, name, err := d.quota(ctx, creds)
	switch {
	case err != nil && refusesPermission(codeOf(err)):
		k.add("quota", driver.CheckUnproven, "quotas cannot be read", "to see them, allow "+actionQuotas)
		return
	case err != nil:
		k.add("quota", driver.CheckUnproven, "quotas cannot be read: "+quiet(err, creds).Error(), "")
		return
	case name == "":
		k.add("quota", driver.CheckUnproven, "AWS publishes no quota of "+d.noun+"s", "")
		return
	}
	var absent cloud.Evidence
	found, err := d.list(ctx, creds, "", &absent)
	if err != nil {
		k.add("quota", driver.CheckUnproven, "the inventory cannot be read: "+quiet(err, creds).Error(), "")
		return
	}
	left := max(0, quota-d.used(found))
	detail := fmt.Sprintf("%d of %d left (%s)", left, quota, name)
	if left == 0 {
		k.add("quota", driver.CheckFailed, detail, "ask AWS to raise it before you buy")
		return
	}
	k.add("quota", driver.CheckOK, detail, "")
}

// quota is the smallest quota of the service that is about reservations, and its
// name; no name if there is none. Of most only the name is known: AWS publishes
// few of the codes.
func (d *reserved) quota(ctx context.Context, creds aws.Credentials) (least int64, name string, err error) {
	code, _, _ := strings.Cut(d.grant.spends[0], ":")
	client := servicequotas.New(servicequotas.Options{
		Region:                     string(d.Region),
		BaseEndpoint:               d.baseEndpoint(),
		Credentials:                frozen(creds),
		HTTPClient:                 d.core.client,
		HTTPSignerV4:               d.signer(),
		DisableClockSkewCorrection: true,
		AppID:                      appID,
	})
	err = pages(ctx, func(ctx context.Context, marker *string) (*string, error) {
		out, err := client.ListServiceQuotas(ctx, &servicequotas.ListServiceQuotasInput{ServiceCode: aws.String(code), NextToken: marker})
		if saysMissing(err, "NoSuchResourceException") {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, q := range out.Quotas {
			value := aws.ToFloat64(q.Value)
			if !strings.Contains(strings.ToLower(aws.ToString(q.QuotaName)), "reserved") || q.Value == nil || value < 0 || value > math.MaxInt32 {
				continue
			}
			if name == "" || int64(value) < least {
				least, name = int64(value), aws.ToString(q.QuotaName)
			}
		}
		return out.NextToken, nil
	})
	if err != nil {
		return 0, "", readError(opQuotas, err, creds)
	}
	return least, name, nil
}

// used counts the units that use a quota: those that are pending or active, or
// those of the month, in the zone that has most.
func (d *reserved) used(list []cloud.Evidence) int64 {
	now, most := d.now(), int64(0)
	by := map[string]int64{}
	for _, ev := range list {
		c := ev.Commitment
		switch c.State {
		case cloud.Pending, cloud.Active:
		case cloud.Retired, cloud.Unknown:
			if !d.monthly {
				continue
			}
		default:
			continue
		}
		if d.monthly && (c.Start.Year() != now.Year() || c.Start.Month() != now.Month()) {
			continue
		}
		zone := c.Attributes["zone"]
		by[zone] += c.Quantity
		most = max(most, by[zone])
	}
	return most
}
