package aws

import (
	"context"
	"errors"
	"math/big"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/costexplorer"
	"github.com/aws/aws-sdk-go-v2/service/costexplorer/types"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

const (
	// meterDays is the window that Cost Explorer is asked about.
	meterDays = 30
	// meterLag is how late Cost Explorer may be complete. It refreshes up to three times a
	// day (Cost Explorer user guide); days that it has not counted would look like none used.
	meterLag = 48 * time.Hour

	opReservationUse      = "GetReservationUtilization"
	opReservationCoverage = "GetReservationCoverage"
	opPlanUse             = "GetSavingsPlansUtilizationDetails"
	opPlanCoverage        = "GetSavingsPlansCoverage"
)

// meterGrant is what a meter needs to be allowed.
var meterGrant = grant{reads: []string{"ce:" + opReservationUse, "ce:" + opReservationCoverage, "ce:" + opPlanUse, "ce:" + opPlanCoverage}}

// Utilization lets the identity that buys ask how commitments are used. It is a policy
// of its own, because a policy may not be long and nothing is bought with it. Cost
// Explorer knows no resources.
func (a Access) Utilization() Policy {
	return newPolicy(Statement{Sid: "Utilization", Effect: allow, Action: meterGrant.reads, Resource: texts{"*"}})
}

// meterServices are the services that Cost Explorer tells the use of, by its names of
// them (Cost Explorer API reference, GetReservationUtilization).
var meterServices = map[cloud.Service]string{
	RDS: "Amazon Relational Database Service", ElastiCache: "Amazon ElastiCache", Redshift: "Amazon Redshift",
	OpenSearch: "Amazon Elasticsearch Service", EC2: "Amazon Elastic Compute Cloud - Compute", EC2Zonal: "Amazon Elastic Compute Cloud - Compute",
}

// meter asks Cost Explorer, which has one endpoint, in us-east-1, and charges for every
// request.
type meter struct {
	*core
	service cloud.Service
}

var _ driver.Meter = meter{}

// NewMeter returns the meter of a service for one account and region. A service of which
// Cost Explorer tells nothing, or a partition without it, is driver.ErrNotTold. It does
// no IO.
func NewMeter(s cloud.Service, cfg Config) (driver.Meter, error) {
	c, err := newCore(cfg, !HasRegions(s))
	if err != nil {
		return nil, err
	}
	if (meterServices[s] == "" && s != SavingsPlans) || c.partition != "aws" {
		return nil, driver.ErrNotTold
	}
	return meter{c, s}, nil
}

func (m meter) client(creds aws.Credentials) *costexplorer.Client {
	return costexplorer.New(costexplorer.Options{
		Region:           globalRegion,
		BaseEndpoint:     m.baseEndpoint(),
		Credentials:      frozen(creds),
		HTTPClient:       m.core.client,
		HTTPSignerV4:     m.signer(),
		RetryMaxAttempts: 1, // each attempt is charged
		AppID:            appID,
	})
}

// period is the window, whole days of UTC.
func (m meter) period() *types.DateInterval {
	end := m.now().Add(-meterLag).Truncate(24 * time.Hour)
	return &types.DateInterval{
		Start: aws.String(end.AddDate(0, 0, -meterDays).Format(time.DateOnly)), End: aws.String(end.Format(time.DateOnly)),
	}
}

// Measure implements driver.Meter.
func (m meter) Measure(ctx context.Context, held []cloud.Commitment) (driver.Measured, error) {
	creds, err := m.readCredentials(ctx, meterGrant)
	if err != nil {
		return driver.Measured{}, err
	}
	if m.service == SavingsPlans {
		return m.plans(ctx, creds, held)
	}
	return m.reservations(ctx, creds, held)
}

func dimension(key types.Dimension, value string) types.Expression {
	return types.Expression{Dimensions: &types.DimensionValues{Key: key, Values: []string{value}}}
}

// filter selects the lane: the management account would else be told of all accounts.
func (m meter) filter() *types.Expression {
	return &types.Expression{And: []types.Expression{
		dimension(types.DimensionService, meterServices[m.service]), dimension(types.DimensionLinkedAccount, string(m.Account)),
		dimension(types.DimensionRegion, string(m.Region)),
	}}
}

func (m meter) reservations(ctx context.Context, creds aws.Credentials, held []cloud.Commitment) (driver.Measured, error) {
	client, told, window := m.client(creds), driver.Measured{Used: map[string]cloud.Used{}}, m.period()
	err := pages(ctx, func(ctx context.Context, marker *string) (*string, error) {
		out, err := client.GetReservationUtilization(ctx, &costexplorer.GetReservationUtilizationInput{
			TimePeriod: window, Filter: m.filter(), NextPageToken: marker,
			GroupBy: []types.GroupDefinition{{Type: types.GroupDefinitionTypeDimension, Key: aws.String("SUBSCRIPTION_ID")}},
		})
		if err != nil {
			return nil, err
		}
		for _, period := range out.UtilizationsByTime {
			for _, g := range period.Groups {
				c, ok := groupOf(held, g)
				if !ok || g.Utilization == nil {
					continue
				}
				bp, err := hundredths(g.Utilization.UtilizationPercentage)
				if err != nil {
					return nil, err
				}
				told.Used[c.ID] = cloud.Used{Days: meterDays, BP: bp}
			}
		}
		return out.NextPageToken, nil
	})
	if err != nil {
		return driver.Measured{}, readError(opReservationUse, err, creds)
	}
	var percentage *string
	err = pages(ctx, func(ctx context.Context, marker *string) (*string, error) {
		out, err := client.GetReservationCoverage(ctx, &costexplorer.GetReservationCoverageInput{
			TimePeriod: window, Filter: m.filter(), NextPageToken: marker, Metrics: []string{"Hour"}, Granularity: types.GranularityMonthly,
		})
		if err != nil {
			return nil, err
		}
		if out.Total != nil && out.Total.CoverageHours != nil {
			if n, ok := decimal(out.Total.CoverageHours.TotalRunningHours); !ok || n.Sign() <= 0 {
				return out.NextPageToken, nil // of no usage, no share is covered
			}
			percentage = out.Total.CoverageHours.CoverageHoursPercentage // of the whole period, whatever the page
		}
		return out.NextPageToken, nil
	})
	if err == nil && percentage != nil {
		var bp int
		bp, err = hundredths(percentage)
		told.Coverage = []driver.Covered{{Of: "hours", Days: meterDays, BP: bp}}
	}
	if err != nil {
		return driver.Measured{}, readError(opReservationCoverage, err, creds)
	}
	return told, nil
}

// groupOf is the commitment that a group is about. The value of a group is a number of
// the billing, and what the attributes with the id and the ARN of the reservation are
// called is not published: one of them has to be the commitment's own.
func groupOf(held []cloud.Commitment, g types.ReservationUtilizationGroup) (cloud.Commitment, bool) {
	for _, text := range g.Attributes {
		for _, c := range held {
			if text != "" && (strings.EqualFold(text, c.ID) || strings.EqualFold(text, c.ARN)) {
				return c, true
			}
		}
	}
	return cloud.Commitment{}, false
}

func (m meter) plans(ctx context.Context, creds aws.Credentials, held []cloud.Commitment) (driver.Measured, error) {
	client, told, window := m.client(creds), driver.Measured{Used: map[string]cloud.Used{}}, m.period()
	account := dimension(types.DimensionLinkedAccount, string(m.Account))
	err := pages(ctx, func(ctx context.Context, marker *string) (*string, error) {
		out, err := client.GetSavingsPlansUtilizationDetails(ctx, &costexplorer.GetSavingsPlansUtilizationDetailsInput{
			TimePeriod: window, Filter: &account, NextToken: marker, DataType: []types.SavingsPlansDataType{types.SavingsPlansDataTypeUtilization},
		})
		if err != nil {
			return nil, err
		}
		for _, d := range out.SavingsPlansUtilizationDetails {
			for _, c := range held {
				if d.Utilization == nil || aws.ToString(d.SavingsPlanArn) == "" || !strings.EqualFold(aws.ToString(d.SavingsPlanArn), c.ARN) {
					continue
				}
				bp, err := hundredths(d.Utilization.UtilizationPercentage)
				if err != nil {
					return nil, err
				}
				told.Used[c.ID] = cloud.Used{Days: meterDays, BP: bp}
			}
		}
		return out.NextToken, nil
	})
	if err != nil {
		return driver.Measured{}, readError(opPlanUse, err, creds)
	}
	// Each row is of a month: only together are they the window.
	covered, total := new(big.Rat), new(big.Rat)
	err = pages(ctx, func(ctx context.Context, marker *string) (*string, error) {
		out, err := client.GetSavingsPlansCoverage(ctx, &costexplorer.GetSavingsPlansCoverageInput{
			TimePeriod: window, Filter: &account, NextToken: marker, Granularity: types.GranularityMonthly, Metrics: []string{"SpendCoveredBySavingsPlans"},
		})
		if err != nil {
			return nil, err
		}
		for _, row := range out.SavingsPlansCoverages {
			if row.Coverage == nil {
				continue
			}
			part, ok1 := decimal(row.Coverage.SpendCoveredBySavingsPlans)
			whole, ok2 := decimal(row.Coverage.TotalCost)
			if !ok1 || !ok2 {
				return nil, errNoShare
			}
			covered.Add(covered, part)
			total.Add(total, whole)
		}
		return out.NextToken, nil
	})
	if err == nil && total.Sign() > 0 {
		var bp int
		bp, err = share(covered.Quo(covered, total))
		told.Coverage = []driver.Covered{{Of: "spend", Days: meterDays, BP: bp}}
	}
	if err != nil {
		return driver.Measured{}, readError(opPlanCoverage, err, creds)
	}
	return told, nil
}

// errNoShare: a share is no number, or beyond 0 to 100 per cent.
var errNoShare = errors.New("the answer holds a share that is none")

// decimal reads a number without an exponent: one of those may take all the memory.
func decimal(text *string) (*big.Rat, bool) {
	if strings.ContainsAny(aws.ToString(text), "eEpP/_xX") {
		return nil, false
	}
	return new(big.Rat).SetString(aws.ToString(text))
}

// hundredths reads a percentage, as Cost Explorer writes it with any number of decimals.
func hundredths(percentage *string) (int, error) {
	r, ok := decimal(percentage)
	if !ok {
		return 0, errNoShare
	}
	return share(r.Quo(r, big.NewRat(100, 1)))
}

// share is a ratio in hundredths of a per cent, rounded half up.
func share(r *big.Rat) (int, error) {
	if r.Sign() < 0 || r.Cmp(big.NewRat(1, 1)) > 0 {
		return 0, errNoShare
	}
	n := new(big.Rat).Mul(r, big.NewRat(10_000, 1))
	n.Add(n, big.NewRat(1, 2))
	return int(new(big.Int).Quo(n.Num(), n.Denom()).Int64()), nil
}
