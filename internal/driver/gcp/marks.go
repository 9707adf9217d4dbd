package gcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/api/option"
	"google.golang.org/api/recommender/v1"
)

// Mark is what is said of a recommendation that somebody carries out.
type Mark string

// The marks. Each may follow each other one, and none is taken back (Recommender, "Mark
// recommendations").
const (
	Active    Mark = "ACTIVE" // nobody has said anything
	Claimed   Mark = "CLAIMED"
	Succeeded Mark = "SUCCEEDED"
	Failed    Mark = "FAILED"
)

// markRights are the permissions that marking takes beside those of advice.
var markRights = []string{"recommender.usageCommitmentRecommendations.get", "recommender.usageCommitmentRecommendations.update"}

const opMark = "recommendations.mark"

// ErrNoRecommendation: Google does not have the recommendation any more.
var ErrNoRecommendation = errors.New("no such recommendation is there any more")

// Marked is a recommendation as it stands.
type Marked struct {
	Etag string
	Mark Mark // or another state, such as DISMISSED
	Said map[string]string
	// Document is the recommendation, as Advice has it.
	Document []byte
}

// Recommendation reads one of the project, by its name.
func (d Adviser) Recommendation(ctx context.Context, name string) (Marked, error) {
	if err := d.owns(name); err != nil {
		return Marked{}, err
	}
	t, err := d.reader(ctx, d.prove)
	if err != nil {
		return Marked{}, err
	}
	got, err := read(ctx, func(ctx context.Context) (*recommender.GoogleCloudRecommenderV1Recommendation, error) {
		api, err := d.recommender(ctx)
		if err != nil {
			return nil, err
		}
		call := api.Projects.Locations.Recommenders.Recommendations.Get(name).Context(ctx)
		d.authorize(call.Header(), t)
		return call.Do()
	})
	switch {
	case err != nil && saysMissing(err):
		return Marked{}, ErrNoRecommendation
	case err != nil:
		return Marked{}, d.readError("recommendations.get", err)
	}
	m := Marked{Etag: got.Etag, Mark: Active}
	if s := got.StateInfo; s != nil {
		m.Mark, m.Said = Mark(s.State), s.StateMetadata
	}
	document := map[string]any{"recommendations": []any{got}, "project_ids": map[string]string{numberIn(name): string(d.Account)}}
	m.Document, err = json.Marshal(document)
	return m, err
}

// Mark marks a recommendation that has the etag, and returns its new one. It is asked
// once: whoever does not know what came of it reads the recommendation. said takes small
// letters, digits, dots, hyphens and underscores as keys.
func (d Adviser) Mark(ctx context.Context, name, etag string, as Mark, said map[string]string) (string, error) {
	if err := d.owns(name); err != nil {
		return "", err
	}
	t, err := d.reader(ctx, d.prove)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	api, err := d.recommender(ctx)
	if err != nil {
		return "", err
	}
	var got *recommender.GoogleCloudRecommenderV1Recommendation
	all := api.Projects.Locations.Recommenders.Recommendations
	switch as {
	case Claimed:
		call := all.MarkClaimed(name, &recommender.GoogleCloudRecommenderV1MarkRecommendationClaimedRequest{Etag: etag, StateMetadata: said}).Context(ctx)
		d.authorize(call.Header(), t)
		got, err = call.Do()
	case Succeeded:
		call := all.MarkSucceeded(name, &recommender.GoogleCloudRecommenderV1MarkRecommendationSucceededRequest{Etag: etag, StateMetadata: said}).Context(ctx)
		d.authorize(call.Header(), t)
		got, err = call.Do()
	case Failed:
		call := all.MarkFailed(name, &recommender.GoogleCloudRecommenderV1MarkRecommendationFailedRequest{Etag: etag, StateMetadata: said}).Context(ctx)
		d.authorize(call.Header(), t)
		got, err = call.Do()
	default:
		return "", fmt.Errorf("nobody marks a recommendation %s", as)
	}
	if err != nil {
		return "", d.readError(opMark, err)
	}
	return got.Etag, nil
}

// owns refuses a name that is not of a recommendation to commit to resources in this
// region. Whose project its number is, Google knows.
func (d Adviser) owns(name string) error {
	rest, is := strings.CutPrefix(name, "projects/"+numberIn(name)+"/locations/"+string(d.Region)+"/recommenders/"+usageRecommender+"/recommendations/")
	if d.service != Compute || !is || rest == "" || strings.ContainsAny(rest, "/:?#% ") {
		return fmt.Errorf("%q is not the name of a recommendation to commit in %s", name, d.Region)
	}
	return nil
}

// numberIn is the project in the name of a recommendation, by number or id.
func numberIn(name string) string {
	rest, _ := strings.CutPrefix(name, "projects/")
	number, _, _ := strings.Cut(rest, "/")
	return number
}

func (d Adviser) recommender(ctx context.Context) (*recommender.Service, error) {
	return recommender.NewService(ctx, option.WithHTTPClient(d.reads), option.WithEndpoint(d.at(recommenderHost, "/")), option.WithUserAgent(userAgent))
}
