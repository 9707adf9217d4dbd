package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/costexplorer"
	"github.com/aws/aws-sdk-go-v2/service/costexplorer/types"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

const (
	opReservationAdvice = "GetReservationPurchaseRecommendation"
	opPlanAdvice        = "GetSavingsPlansPurchaseRecommendation"
)

// adviceGrant is what advice needs.
var adviceGrant = grant{reads: []string{"ce:" + opReservationAdvice, "ce:" + opPlanAdvice}}

// advised are the services whose reservations Cost Explorer recommends, by its names
// for them.
var advised = []struct {
	service cloud.Service
	name    string
}{
	{EC2, "Amazon Elastic Compute Cloud - Compute"},
	{RDS, "Amazon Relational Database Service"},
	{ElastiCache, "Amazon ElastiCache"},
	{OpenSearch, "Amazon OpenSearch Service"},
	{Redshift, "Amazon Redshift"},
	{MemoryDB, "Amazon MemoryDB Service"},
}

var (
	adviceTerms    = map[cloud.Term]types.TermInYears{cloud.OneYear: types.TermInYearsOneYear, cloud.ThreeYears: types.TermInYearsThreeYears}
	advicePayments = map[cloud.Payment]types.PaymentOption{
		cloud.NoUpfront: types.PaymentOptionNoUpfront, cloud.PartialUpfront: types.PaymentOptionPartialUpfront, cloud.AllUpfront: types.PaymentOptionAllUpfront,
	}
)

// Adviser asks Cost Explorer about the usage of one account over 30 days. The service
// has one endpoint in each partition, and charges for each request.
type Adviser struct{ *core }

var _ driver.Adviser = Adviser{}

// NewAdviser opens Cost Explorer for an account. The region may be any of its
// partition. It does no IO.
func NewAdviser(cfg Config) (Adviser, error) {
	if cfg.Region == Global {
		cfg.Region = globalRegion
	}
	c, err := newCore(cfg, false)
	return Adviser{c}, err
}

// cell is one question to Cost Explorer: about reservations of a service, or about a
// type of Savings Plans.
type cell struct {
	service string
	plan    types.SupportedSavingsPlansType
	source  string
	term    types.TermInYears
	payment types.PaymentOption
}

func cells(a driver.AdviceAsk) []cell {
	var all []cell
	for _, t := range a.Terms {
		for _, p := range a.Payments {
			term, payment := adviceTerms[t], advicePayments[p]
			if term == "" || payment == "" {
				continue
			}
			for _, s := range advised {
				if a.Wants(s.service) {
					all = append(all, cell{service: s.name, source: fmt.Sprintf("Cost Explorer %s %s %s", s.service, t, p), term: term, payment: payment})
				}
			}
			if !a.Wants(SavingsPlans) {
				continue
			}
			for _, plan := range types.SupportedSavingsPlansType("").Values() {
				word := strings.ToLower(strings.ReplaceAll(strings.TrimSuffix(string(plan), "_SP"), "_", " "))
				all = append(all, cell{plan: plan, source: fmt.Sprintf("Cost Explorer %s savings plans %s %s", word, t, p), term: term, payment: payment})
			}
		}
	}
	return all
}

// Requests implements driver.Adviser: one for each answer of one page.
func (d Adviser) Requests(a driver.AdviceAsk) int { return len(cells(a)) }

// Advice implements driver.Adviser.
func (d Adviser) Advice(ctx context.Context, a driver.AdviceAsk) []driver.Advice {
	var all []driver.Advice
	for _, q := range cells(a) {
		one := driver.Advice{Source: q.source}
		creds, err := d.readCredentials(ctx, adviceGrant)
		if err == nil {
			ask := d.reservations
			if q.plan != "" {
				ask = d.plans
			}
			one.Document, one.Made, err = ask(ctx, creds, q, a.Charged)
		}
		one.Err = err
		all = append(all, one)
	}
	return all
}

func (d Adviser) explorer(creds aws.Credentials) *costexplorer.Client {
	return costexplorer.New(costexplorer.Options{
		Region:       payerRegion(d.core),
		BaseEndpoint: d.baseEndpoint(),
		Credentials:  frozen(creds),
		HTTPClient:   d.core.client,
		HTTPSignerV4: d.signer(),
		AppID:        appID,
	})
}

// ownUsage limits an answer to the account, whose credentials may see a whole organization.
func (d Adviser) ownUsage() *types.Expression {
	return &types.Expression{Dimensions: &types.DimensionValues{Key: types.DimensionLinkedAccount, Values: []string{string(d.Account)}}}
}

func (d Adviser) reservations(ctx context.Context, creds aws.Credentials, q cell, charged func() error) ([]byte, time.Time, error) {
	in := &costexplorer.GetReservationPurchaseRecommendationInput{
		Service: aws.String(q.service), TermInYears: q.term, PaymentOption: q.payment,
		AccountScope: types.AccountScopeLinked, LookbackPeriodInDays: types.LookbackPeriodInDaysThirtyDays, Filter: d.ownUsage(),
	}
	if q.service == advised[0].name {
		in.ServiceSpecification = &types.ServiceSpecification{EC2Specification: &types.EC2Specification{OfferingClass: types.OfferingClassStandard}}
	}
	var made madeAt
	document := struct {
		Recommendations []types.ReservationPurchaseRecommendation
	}{[]types.ReservationPurchaseRecommendation{}}
	err := pages(ctx, func(ctx context.Context, marker *string) (*string, error) {
		if err := charged(); err != nil {
			return nil, err
		}
		in.NextPageToken = marker
		out, err := d.explorer(creds).GetReservationPurchaseRecommendation(ctx, in)
		if err != nil {
			return nil, err
		}
		if out.Metadata != nil {
			made.see(out.Metadata.GenerationTimestamp)
		}
		document.Recommendations = append(document.Recommendations, out.Recommendations...)
		return out.NextPageToken, nil
	})
	return saved(opReservationAdvice, document, made, err, creds)
}

func (d Adviser) plans(ctx context.Context, creds aws.Credentials, q cell, charged func() error) ([]byte, time.Time, error) {
	in := &costexplorer.GetSavingsPlansPurchaseRecommendationInput{
		SavingsPlansType: q.plan, TermInYears: q.term, PaymentOption: q.payment,
		AccountScope: types.AccountScopeLinked, LookbackPeriodInDays: types.LookbackPeriodInDaysThirtyDays, Filter: d.ownUsage(),
	}
	var made madeAt
	var document struct {
		SavingsPlansPurchaseRecommendation *types.SavingsPlansPurchaseRecommendation
	}
	err := pages(ctx, func(ctx context.Context, marker *string) (*string, error) {
		if err := charged(); err != nil {
			return nil, err
		}
		in.NextPageToken = marker
		out, err := d.explorer(creds).GetSavingsPlansPurchaseRecommendation(ctx, in)
		if err != nil {
			return nil, err
		}
		if out.Metadata != nil {
			made.see(out.Metadata.GenerationTimestamp)
		}
		page, all := out.SavingsPlansPurchaseRecommendation, document.SavingsPlansPurchaseRecommendation
		switch {
		case page == nil && all == nil: // the first page says what it is about
			return nil, errors.New("the answer holds no recommendation")
		case all == nil:
			document.SavingsPlansPurchaseRecommendation = page
		case page != nil:
			all.SavingsPlansPurchaseRecommendationDetails = append(all.SavingsPlansPurchaseRecommendationDetails, page.SavingsPlansPurchaseRecommendationDetails...)
		}
		return out.NextPageToken, nil
	})
	return saved(opPlanAdvice, document, made, err, creds)
}

// saved is an answer as a document.
func saved(operation string, document any, made madeAt, err error, creds aws.Credentials) ([]byte, time.Time, error) {
	if err != nil {
		return nil, time.Time{}, readError(operation, err, creds)
	}
	text, err := json.Marshal(document)
	return text, made.oldest, err
}

// madeAt is the oldest time that pages say.
type madeAt struct{ oldest time.Time }

// see reads a time of Cost Explorer, which has more than one form.
func (m *madeAt) see(text *string) {
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if at, err := time.Parse(form, aws.ToString(text)); err == nil && (m.oldest.IsZero() || at.Before(m.oldest)) {
			m.oldest = at.UTC()
		}
	}
}
