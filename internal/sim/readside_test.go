package sim

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/costexplorer"
	cetypes "github.com/aws/aws-sdk-go-v2/service/costexplorer/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"

	"bursar/internal/recommend"
)

// Every account comes once, whatever pages there are; some of them are empty.
func TestListAccounts(t *testing.T) {
	blanks := 0
	for seed := range uint64(8) {
		s := newSim(t, Options{Seed: seed, PageSize: 2})
		c := organizations.NewFromConfig(operator(serve(t, s)))
		states := map[string]string{}
		p := organizations.NewListAccountsPaginator(c, &organizations.ListAccountsInput{})
		for p.HasMorePages() {
			page, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Accounts) == 0 && page.NextToken != nil {
				blanks++
			}
			for _, a := range page.Accounts {
				if states[*a.Id] != "" {
					t.Errorf("account %s twice", *a.Id)
				}
				states[*a.Id] = string(a.Status)
			}
		}
		if len(states) != len(accounts)+len(closedAccounts) || states[account] != "ACTIVE" || states[closedAccounts[0].id] != "SUSPENDED" {
			t.Errorf("seed %d: %v", seed, states)
		}
	}
	if blanks == 0 {
		t.Error("no page was empty")
	}
}

func TestOrganization(t *testing.T) {
	s := newSim(t, Options{})
	url := serve(t, s)
	of := organizations.NewFromConfig(as(url, "444455556666", "us-east-1"))
	out, err := of.DescribeOrganization(t.Context(), nil)
	if err != nil || *out.Organization.MasterAccountId != account {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := of.ListAccounts(t.Context(), nil); code(err) != "AccessDeniedException" {
		t.Errorf("a member account lists the accounts: %v", err)
	}
	home := organizations.NewFromConfig(as(url, account, "us-east-1"))
	if _, err := home.ListAccounts(t.Context(), &organizations.ListAccountsInput{MaxResults: aws.Int32(21)}); code(err) != "InvalidInputException" {
		t.Errorf("21 of a page: %v", err)
	}
	if _, err := home.ListAccounts(t.Context(), &organizations.ListAccountsInput{NextToken: aws.String("x")}); code(err) != "InvalidInputException" {
		t.Errorf("a made-up token: %v", err)
	}
	// There is no endpoint elsewhere: the scope of a signature would not fit.
	elsewhere := organizations.NewFromConfig(as(url, account, "eu-west-1"), func(o *organizations.Options) { o.Region = "eu-west-1" })
	if _, err := elsewhere.ListAccounts(t.Context(), nil); code(err) != "InvalidSignatureException" {
		t.Errorf("in another region: %v", err)
	}
}

// What the service quotas say is what a purchase runs into.
func TestServiceQuotas(t *testing.T) {
	for name, svc := range services {
		if svc.sells == nil || svc.global {
			continue
		}
		s := newSim(t, Options{PageSize: 2, Quota: 7})
		c := servicequotas.NewFromConfig(as(serve(t, s), account, "eu-west-1"))
		found := map[string]float64{}
		p := servicequotas.NewListServiceQuotasPaginator(c, &servicequotas.ListServiceQuotasInput{ServiceCode: aws.String(name)})
		for p.HasMorePages() {
			page, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(name, err)
			}
			for _, q := range page.Quotas {
				found[*q.QuotaCode] = *q.Value
				one, err := c.GetServiceQuota(t.Context(), &servicequotas.GetServiceQuotaInput{ServiceCode: q.ServiceCode, QuotaCode: q.QuotaCode})
				if err != nil || *one.Quota.QuotaName != *q.QuotaName || *one.Quota.Value != *q.Value {
					t.Errorf("%s: %+v, %v", *q.QuotaName, one, err)
				}
			}
		}
		if !slices.Contains(slices.Collect(maps.Values(found)), 7) {
			t.Errorf("%s: none of its quotas is 7: %v", name, found)
		}
		if name == "rds" && found["L-78E853F4"] != 7 {
			t.Errorf("rds: %v", found)
		}
	}
	s := newSim(t, Options{})
	c := servicequotas.NewFromConfig(operator(serve(t, s)))
	if _, err := c.ListServiceQuotas(t.Context(), &servicequotas.ListServiceQuotasInput{ServiceCode: aws.String("s3")}); code(err) != "NoSuchResourceException" {
		t.Errorf("an unknown service: %v", err)
	}
	if _, err := c.GetServiceQuota(t.Context(), &servicequotas.GetServiceQuotaInput{ServiceCode: aws.String("rds"), QuotaCode: aws.String("L-00000000")}); code(err) != "NoSuchResourceException" {
		t.Errorf("an unknown quota: %v", err)
	}
}

// tee keeps the bodies of answers.
type tee struct {
	next   http.RoundTripper
	bodies [][]byte
}

func (k *tee) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := k.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	k.bodies = append(k.bodies, body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

// The advice is read by the official SDK and, as it stands on the wire, by
// recommend; all of it is for something that is sold.
func TestReservationAdvice(t *testing.T) {
	for name, a := range advisers {
		for _, q := range []struct {
			account string
			scope   cetypes.AccountScope
			term    cetypes.TermInYears
		}{{account, "LINKED", "ONE_YEAR"}, {account, "PAYER", "THREE_YEARS"}, {"444455556666", "LINKED", "ONE_YEAR"}} {
			s := newSim(t, Options{PageSize: 3})
			cfg := as(serve(t, s), q.account, "us-east-1")
			wire := &tee{next: plainBody{http.DefaultTransport}}
			cfg.HTTPClient = &http.Client{Transport: wire}
			p := costexplorer.NewGetReservationPurchaseRecommendationPaginator(costexplorer.NewFromConfig(cfg),
				&costexplorer.GetReservationPurchaseRecommendationInput{
					Service: aws.String(name), AccountScope: q.scope, TermInYears: q.term,
					PaymentOption: "PARTIAL_UPFRONT", LookbackPeriodInDays: "THIRTY_DAYS",
				})
			details := 0
			for p.HasMorePages() {
				page, err := p.NextPage(t.Context())
				if err != nil {
					t.Fatal(name, err)
				}
				for _, r := range page.Recommendations {
					details += len(r.RecommendationDetails)
				}
			}
			if details < len(regionPermille) || len(wire.bodies) < 2 {
				t.Errorf("%s: %d details on %d pages", name, details, len(wire.bodies))
			}
			drafts := 0
			for _, body := range wire.bodies {
				in, err := recommend.Read("advice.json", bytes.NewReader(body))
				if err != nil {
					t.Fatalf("%s: %v\n%s", name, err, body)
				}
				for _, l := range in.Left {
					if l.What != "further pages" {
						t.Errorf("%s: left %s: %s", name, l.What, l.Why)
					}
				}
				drafts += len(in.Drafts)
				for _, d := range in.Drafts {
					sold := slices.ContainsFunc(s.catalog.byShop[shop{a.service, string(d.Region)}], func(o *offering) bool {
						class := cmp.Or(d.Attributes["class"], d.Attributes["node_type"], d.Attributes["instance_type"])
						product := cmp.Or(d.Attributes["engine"], d.Attributes["platform"], o.Attributes["product"])
						return o.Class == class && o.Attributes["product"] == product && o.Payment == partialUpfront && o.Seconds == adviceTerms[string(q.term)]
					})
					if !sold || q.account != account && string(d.Account) != q.account {
						t.Errorf("%s: advised for %s: %s in %s", name, d.Account, d.Attributes, d.Region)
					}
				}
			}
			if drafts != details {
				t.Errorf("%s: %d drafts of %d details", name, drafts, details)
			}
		}
	}
}

// Advice on Savings Plans of every type is for plans that are sold.
func TestPlanAdvice(t *testing.T) {
	for kind, class := range adviceTypes {
		for _, scope := range []cetypes.AccountScope{"LINKED", "PAYER"} {
			s := newSim(t, Options{PageSize: 1})
			cfg := operator(serve(t, s))
			wire := &tee{next: plainBody{http.DefaultTransport}}
			cfg.HTTPClient = &http.Client{Transport: wire}
			in := &costexplorer.GetSavingsPlansPurchaseRecommendationInput{
				SavingsPlansType: cetypes.SupportedSavingsPlansType(kind), TermInYears: "ONE_YEAR", PaymentOption: "NO_UPFRONT",
				LookbackPeriodInDays: "THIRTY_DAYS", AccountScope: scope,
			}
			details, drafts := 0, 0
			for {
				out, err := costexplorer.NewFromConfig(cfg).GetSavingsPlansPurchaseRecommendation(t.Context(), in)
				if err != nil {
					t.Fatal(kind, err)
				}
				for _, d := range out.SavingsPlansPurchaseRecommendation.SavingsPlansPurchaseRecommendationDetails {
					details++
					o := s.catalog.byID[*d.SavingsPlansDetails.OfferingId]
					if o == nil || o.Class != class || o.Payment != noUpfront || scope == "PAYER" && *d.AccountId != account {
						t.Errorf("%s: %+v", kind, d)
					}
				}
				if in.NextPageToken = out.NextPageToken; in.NextPageToken == nil {
					break
				}
			}
			for _, body := range wire.bodies {
				got, err := recommend.Read("advice.json", bytes.NewReader(body))
				if err != nil {
					t.Fatalf("%s: %v\n%s", kind, err, body)
				}
				drafts += len(got.Drafts)
			}
			if drafts != details || details == 0 || scope == "LINKED" && details < len(accounts) {
				t.Errorf("%s, %s: %d drafts of %d details", kind, scope, drafts, details)
			}
		}
	}
	s := newSim(t, Options{})
	c := costexplorer.NewFromConfig(operator(serve(t, s)))
	in := &costexplorer.GetSavingsPlansPurchaseRecommendationInput{
		SavingsPlansType: "DATABASE_SP", TermInYears: "THREE_YEARS", PaymentOption: "ALL_UPFRONT", LookbackPeriodInDays: "SEVEN_DAYS",
	}
	out, err := c.GetSavingsPlansPurchaseRecommendation(t.Context(), in)
	if err != nil || len(out.SavingsPlansPurchaseRecommendation.SavingsPlansPurchaseRecommendationDetails) != 0 {
		t.Errorf("what is not sold: %+v, %v", out, err)
	}
	in.SavingsPlansType = "LAMBDA_SP"
	if _, err := c.GetSavingsPlansPurchaseRecommendation(t.Context(), in); code(err) != "ValidationException" {
		t.Errorf("an unknown type: %v", err)
	}
}

func TestAdviceIsRefused(t *testing.T) {
	s := newSim(t, Options{})
	url := serve(t, s)
	ask := func(cfg aws.Config, in *costexplorer.GetReservationPurchaseRecommendationInput) string {
		_, err := costexplorer.NewFromConfig(cfg).GetReservationPurchaseRecommendation(t.Context(), in)
		return code(err)
	}
	rds := aws.String("Amazon Relational Database Service")
	if got := ask(as(url, "444455556666", "us-east-1"), &costexplorer.GetReservationPurchaseRecommendationInput{Service: rds, AccountId: aws.String(account)}); got != "AccessDeniedException" {
		t.Errorf("another account's: %q", got)
	}
	if got := ask(operator(url), &costexplorer.GetReservationPurchaseRecommendationInput{Service: aws.String("Amazon S3")}); got != "ValidationException" {
		t.Errorf("an unknown service: %q", got)
	}
	if got := ask(operator(url), &costexplorer.GetReservationPurchaseRecommendationInput{Service: rds, NextPageToken: aws.String("x")}); got != "InvalidNextTokenException" {
		t.Errorf("a made-up token: %q", got)
	}
	if got := ask(as(url, account, "eu-west-1"), &costexplorer.GetReservationPurchaseRecommendationInput{Service: rds}); got != "" && got != "InvalidSignatureException" {
		t.Errorf("in another region: %q", got)
	}
}

// Three generations in 24 hours for the whole organization, and one at a time.
func TestGenerations(t *testing.T) {
	s := newSim(t, Options{})
	url := serve(t, s)
	start := func(account string) string {
		_, err := costexplorer.NewFromConfig(as(url, account, "us-east-1")).
			StartSavingsPlansPurchaseRecommendationGeneration(t.Context(), nil)
		return code(err)
	}
	for i, want := range []string{"", "GenerationExistsException", "", "", "ServiceQuotaExceededException", ""} {
		if got := start(accounts[i%2].ID); got != want {
			t.Errorf("call %d: %q, want %q", i, got, want)
		}
		switch i {
		case 1, 2, 3:
			advance(t, s, time.Hour)
		case 4:
			advance(t, s, 22*time.Hour)
		}
	}
}
