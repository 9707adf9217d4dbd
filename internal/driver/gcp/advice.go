package gcp

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"google.golang.org/api/option"
	"google.golang.org/api/recommender/v1"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

const (
	recommenderHost  = "recommender.googleapis.com"
	opAdvice         = "recommendations.list"
	usageRecommender = "google.compute.commitment.UsageCommitmentRecommender"
)

// adviceRights are the permissions on a project that advice needs (Recommender,
// "Access control"); the second lists the numbers of projects.
var adviceRights = []string{"recommender.usageCommitmentRecommendations.list", "resourcemanager.projects.get"}

// Adviser asks the Recommender what to commit to in one project and region.
type Adviser struct{ *commitments }

var _ driver.Adviser = Adviser{}

// NewAdviser opens the recommendations of a project and region. It does no IO.
func NewAdviser(cfg Config) (Adviser, error) {
	c, err := newCore(Compute, cfg)
	return Adviser{&commitments{c}}, err
}

// Requests implements driver.Adviser: no request is charged for.
func (d Adviser) Requests(driver.AdviceAsk) int { return 0 }

// Advice implements driver.Adviser. Recommendations of the two terms exclude one
// another: each term has a document of its own.
func (d Adviser) Advice(ctx context.Context, a driver.AdviceAsk) []driver.Advice {
	if !a.Wants(Compute) || !slices.Contains(a.Payments, cloud.Monthly) {
		return nil
	}
	ids := map[string]string{}
	list, err := d.recommendations(ctx, ids)
	var all []driver.Advice
	for _, t := range a.Terms {
		one := driver.Advice{Source: fmt.Sprintf("Google's Recommender %s %s %s", d.Region, Compute, t), Err: err}
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
	parent := "projects/" + string(d.Account) + "/locations/" + string(d.Region) + "/recommenders/" + usageRecommender
	err = pages(func(page string) (string, error) {
		got, err := read(ctx, func(ctx context.Context) (*recommender.GoogleCloudRecommenderV1ListRecommendationsResponse, error) {
			api, err := recommender.NewService(ctx, option.WithHTTPClient(d.reads), option.WithEndpoint(d.at(recommenderHost, "/")), option.WithUserAgent(userAgent))
			if err != nil {
				return nil, err
			}
			call := api.Projects.Locations.Recommenders.Recommendations.List(parent).Context(ctx)
			if page != "" {
				call.PageToken(page)
			}
			d.authorize(call.Header(), t)
			return call.Do()
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
	if len(all) == 0 {
		return nil, nil
	}
	known, err := d.projects(ctx, t)
	for _, p := range known {
		if p.ID == d.Account {
			ids[p.Number] = string(p.ID)
		}
	}
	return all, err
}
