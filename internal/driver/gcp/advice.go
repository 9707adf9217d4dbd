package gcp

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/recommender/v1"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

const (
	recommenderHost  = "recommender.googleapis.com"
	opAdvice         = "recommendations.list"
	usageRecommender = "google.compute.commitment.UsageCommitmentRecommender"
	spendRecommender = "google.cloudbilling.commitment.SpendBasedCommitmentRecommender"
)

// Permissions that advice needs (Recommender, "Access control"): on a project, of which
// the second lists the numbers of projects, and on a billing account.
var (
	adviceRights      = []string{"recommender.usageCommitmentRecommendations.list", "resourcemanager.projects.get"}
	spendAdviceRights = []string{"recommender.spendBasedCommitmentRecommendations.list"}
)

// Adviser asks the Recommender what to commit to: in one project and region to
// resources, or for one billing account and location to spending.
type Adviser struct {
	*core
	prove  prover
	parent string // of the recommendations
}

var _ driver.Adviser = Adviser{}

// NewAdviser opens the recommendations for Compute or Spend. It does no IO.
func NewAdviser(s cloud.Service, cfg Config) (Adviser, error) {
	c, err := newCore(s, cfg)
	if err != nil {
		return Adviser{}, err
	}
	where := string(c.Account) + "/locations/" + string(c.Region) + "/recommenders/"
	switch s {
	case Compute:
		return Adviser{c, (&commitments{c}).prove, "projects/" + where + usageRecommender}, nil
	case Spend:
		return Adviser{c, (&orders{core: c}).prove, "billingAccounts/" + where + spendRecommender}, nil
	}
	return Adviser{}, fmt.Errorf("gcp %s is not recommended", s)
}

// Requests implements driver.Adviser: no request is charged for.
func (d Adviser) Requests(driver.AdviceAsk) int { return 0 }

// Advice implements driver.Adviser. Recommendations of the two terms exclude one
// another: each term has a document of its own, in which there is also what does not
// say its term.
func (d Adviser) Advice(ctx context.Context, a driver.AdviceAsk) []driver.Advice {
	if !a.Wants(d.service) || !slices.Contains(a.Payments, cloud.Monthly) {
		return nil
	}
	ids := map[string]string{}
	list, err := d.recommendations(ctx, ids)
	var all []driver.Advice
	for _, t := range a.Terms {
		one := driver.Advice{Source: fmt.Sprintf("Google's Recommender %s %s %s", d.Region, d.service, t), Err: err}
		document := struct {
			Recommendations []*recommender.GoogleCloudRecommenderV1Recommendation `json:"recommendations"`
			Projects        map[string]string                                     `json:"project_ids"`
		}{[]*recommender.GoogleCloudRecommenderV1Recommendation{}, ids}
		for _, r := range list {
			if plan := planIn(r); plan != "" && plan != plans[t] {
				continue
			}
			document.Recommendations = append(document.Recommendations, r)
			if at, err := time.Parse(time.RFC3339Nano, r.LastRefreshTime); err == nil && (one.Made.IsZero() || at.Before(one.Made)) {
				one.Made = at.UTC()
			}
		}
		if err == nil {
			one.Document, one.Err = json.Marshal(document)
		}
		all = append(all, one)
	}
	return all
}

// planIn is the plan of the first commitment that a recommendation adds; "" where it
// adds none.
func planIn(r *recommender.GoogleCloudRecommenderV1Recommendation) string {
	if r.Content == nil {
		return ""
	}
	for _, g := range r.Content.OperationGroups {
		for _, op := range g.Operations {
			if value, ok := op.Value.(map[string]any); ok {
				if plan, ok := value["plan"].(string); ok {
					return plan
				}
			}
		}
	}
	return ""
}

// recommendations lists them all. They name their project by its number, whose id is
// added to ids.
func (d Adviser) recommendations(ctx context.Context, ids map[string]string) (all []*recommender.GoogleCloudRecommenderV1Recommendation, err error) {
	t, err := d.reader(ctx, d.prove)
	if err != nil {
		return nil, err
	}
	err = pages(func(page string) (string, error) {
		got, err := read(ctx, func(ctx context.Context) (*recommender.GoogleCloudRecommenderV1ListRecommendationsResponse, error) {
			api, err := d.recommender(ctx)
			if err != nil {
				return nil, err
			}
			var token []googleapi.CallOption
			if page != "" {
				token = append(token, googleapi.QueryParameter("pageToken", page))
			}
			if d.service == Spend {
				call := api.BillingAccounts.Locations.Recommenders.Recommendations.List(d.parent).Context(ctx)
				d.authorize(call.Header(), t)
				return call.Do(token...)
			}
			call := api.Projects.Locations.Recommenders.Recommendations.List(d.parent).Context(ctx)
			d.authorize(call.Header(), t)
			return call.Do(token...)
		})
		if err != nil {
			return "", err
		}
		all = append(all, got.Recommendations...)
		return got.NextPageToken, nil
	})
	if err != nil {
		return nil, d.readError(opAdvice, err)
	}
	if len(all) == 0 || d.service == Spend {
		return all, nil
	}
	known, err := d.projects(ctx, t)
	for _, p := range known {
		if p.ID == d.Account {
			ids[p.Number] = string(p.ID)
		}
	}
	return all, err
}
