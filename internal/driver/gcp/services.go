package gcp

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// The services.
const (
	Compute  cloud.Service = "compute"  // commitments to vCPUs and memory
	Licenses cloud.Service = "licenses" // commitments to licenses of operating systems
	Spend    cloud.Service = "spend"    // commitments to spending
)

// Global is the region of what is sold without one.
const Global cloud.Region = "global"

// Services are those that Open knows.
var Services = []cloud.Service{Compute, Licenses, Spend}

// Open returns the driver of a service for one account and region. It does no IO.
func Open(s cloud.Service, cfg Config) (driver.Service, error) {
	c, err := newCore(s, cfg)
	if err != nil {
		return nil, err
	}
	switch s {
	case Compute:
		return &commitments{c}, nil
	case Licenses:
		return newLicenses(c)
	case Spend:
		return newOrders(c)
	}
	return nil, fmt.Errorf("gcp %s cannot be bought", s)
}

// DefaultTokens returns tokens from where every tool of Google looks for credentials:
// GOOGLE_APPLICATION_CREDENTIALS, the file of gcloud auth application-default login,
// or the machine's service account.
func DefaultTokens(ctx context.Context) (oauth2.TokenSource, error) {
	found, err := google.FindDefaultCredentials(ctx, "https://www.googleapis.com/auth/cloud-platform")
	if err != nil {
		return nil, fmt.Errorf("gcp: no application default credentials: run gcloud auth application-default login: %w", quiet(err))
	}
	return found.TokenSource, nil
}

// SimulatorTokens returns tokens of a project of the simulator, each good for an hour
// of its clock.
func SimulatorTokens(project cloud.Account, now func() time.Time) oauth2.TokenSource {
	return simulated{project, now}
}

type simulated struct {
	project cloud.Account
	now     func() time.Time
}

// Token implements oauth2.TokenSource.
func (s simulated) Token() (*oauth2.Token, error) {
	end := s.now().Add(tokenLife).Truncate(time.Second)
	return &oauth2.Token{AccessToken: "sim-" + string(s.project) + "." + strconv.FormatInt(end.Unix(), 10), Expiry: end}, nil
}
