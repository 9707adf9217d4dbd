package gcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"google.golang.org/api/cloudbilling/v1"
	"google.golang.org/api/cloudresourcemanager/v3"
	"google.golang.org/api/option"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

const (
	managerHost = "cloudresourcemanager.googleapis.com"
	opTest      = "testIamPermissions"
	opSearch    = "projects.search"
	// maxSkew is by how much the clock of this machine may differ from Google's.
	maxSkew = time.Minute
)

// Rights are the permissions that a service uses: on the project, and on its billing
// account. Reading the price list needs none.
//
// Sources: Compute Engine and Cloud Billing, "IAM permissions" of each method;
// Consumer Procurement, "Access control"; Service Usage, "Quota project", for the
// permission that naming one in a request takes.
func Rights(s cloud.Service) (project, billing []string) {
	const quotaProject = "serviceusage.services.use"
	if s == Spend {
		return []string{"resourcemanager.projects.get", quotaProject},
			[]string{"consumerprocurement.orders.get", "consumerprocurement.orders.list", "consumerprocurement.orders.place"}
	}
	return []string{
		"compute.commitments.create", "compute.commitments.get", "compute.commitments.list",
		"compute.regionOperations.get", "compute.regions.get", quotaProject,
	}, nil
}

// Role is a custom role, as gcloud iam roles create --file takes it.
type Role struct {
	Title               string   `json:"title"`
	Description         string   `json:"description"`
	Stage               string   `json:"stage"`
	IncludedPermissions []string `json:"includedPermissions"`
}

// Roles are the least that Bursar has to be allowed for services: a role for the
// project and one for its billing account, nil where nothing is needed there. With marks
// that of the project also lets objects of a bucket say who buys.
func Roles(services []cloud.Service, marks bool) (project, billing *Role) {
	var onProject, onBilling []string
	if marks {
		onProject = append(onProject, claimRights...)
	}
	if slices.Contains(services, Compute) {
		onProject = append(append(onProject, adviceRights...), markRights...)
	}
	if slices.Contains(services, Spend) {
		onBilling = append(onBilling, spendAdviceRights...)
	}
	for _, s := range services {
		p, b := Rights(s)
		onProject, onBilling = append(onProject, p...), append(onBilling, b...)
	}
	role := func(where string, permissions []string) *Role {
		if len(permissions) == 0 {
			return nil
		}
		slices.Sort(permissions)
		return &Role{"Bursar", "What Bursar uses " + where + " to buy commitments and to read them", "GA", slices.Compact(permissions)}
	}
	return role("in a project", onProject), role("on a billing account", onBilling)
}

var (
	_ driver.Checker = (*commitments)(nil)
	_ driver.Checker = (*orders)(nil)
)

// Check implements driver.Checker. Whether the credentials may buy is asked without
// buying: testIamPermissions tells which permissions the caller has.
func (d *commitments) Check(ctx context.Context, _ string) []driver.Check {
	k := &checks{}
	if t, ok := d.enter(ctx, k, d.prove); ok {
		d.ask(ctx, k, t)
	}
	return k.list
}

// Check implements driver.Checker.
func (d *orders) Check(ctx context.Context, _ string) []driver.Check {
	k := &checks{}
	t, ok := d.enter(ctx, k, d.prove)
	if ok {
		d.ask(ctx, k, t)
	}
	if ok && len(d.Offers) == 0 {
		k.add("offers", driver.CheckUnproven, "none are configured, so nothing can be bought", "put the offer ids from Google's documents into the configuration")
	}
	return k.list
}

type checks struct{ list []driver.Check }

func (k *checks) add(of string, s driver.CheckState, detail, next string) {
	k.list = append(k.list, driver.Check{Of: of, State: s, Detail: detail, Next: next})
}

// enter retrieves a token and asks with it for what every purchase asks first.
func (c *core) enter(ctx context.Context, k *checks, prove prover) (*oauth2.Token, bool) {
	t, err := c.token(ctx)
	if err != nil {
		k.add("identity", driver.CheckFailed, err.Error(), "run gcloud auth application-default login, or give this machine a service account")
		return nil, false
	}
	before := c.now()
	at, err := prove(ctx, t)
	if err != nil {
		c.failed(k, "identity", err)
		return nil, false
	}
	k.add("identity", driver.CheckOK, "acts for project "+c.Project, "")
	word, skew := "ahead of", before.Sub(at.Add(time.Second))
	if behind := at.Sub(c.now()); behind > skew {
		word, skew = "behind", behind
	}
	switch {
	case at.IsZero():
		k.add("clock", driver.CheckUnproven, "Google did not say what time it is", "")
	case skew > maxSkew:
		k.add("clock", driver.CheckFailed, fmt.Sprintf("the clock of this machine is %s %s Google's", skew.Round(time.Second), word), "set the clock, and keep it set with NTP")
	default:
		k.add("clock", driver.CheckOK, "within a minute of Google's", "")
	}
	return t, true
}

// ask asks which of the permissions that the service uses the caller has.
func (c *core) ask(ctx context.Context, k *checks, t *oauth2.Token) {
	onProject, onBilling := Rights(c.service)
	c.askOn(ctx, k, "project "+c.Project, onProject, func(ctx context.Context) ([]string, error) {
		api, err := c.manager(ctx)
		if err != nil {
			return nil, err
		}
		call := api.Projects.TestIamPermissions("projects/"+c.Project, &cloudresourcemanager.TestIamPermissionsRequest{Permissions: onProject}).Context(ctx)
		c.authorize(call.Header(), t)
		got, err := call.Do()
		if err != nil {
			return nil, err
		}
		return got.Permissions, nil
	})
	if onBilling == nil {
		return
	}
	c.askOn(ctx, k, "billing account "+string(c.Account), onBilling, func(ctx context.Context) ([]string, error) {
		api, err := cloudbilling.NewService(ctx, option.WithHTTPClient(c.reads), option.WithEndpoint(c.at(billingHost, "/")), option.WithUserAgent(userAgent))
		if err != nil {
			return nil, err
		}
		call := api.BillingAccounts.TestIamPermissions("billingAccounts/"+string(c.Account), &cloudbilling.TestIamPermissionsRequest{Permissions: onBilling}).Context(ctx)
		c.authorize(call.Header(), t)
		got, err := call.Do()
		if err != nil {
			return nil, err
		}
		return got.Permissions, nil
	})
}

func (c *core) askOn(ctx context.Context, k *checks, where string, wanted []string, test func(context.Context) ([]string, error)) {
	has, err := read(ctx, test)
	if err != nil {
		c.failed(k, opTest, c.readError(opTest, err))
		return
	}
	for _, p := range wanted {
		if slices.Contains(has, p) {
			k.add(p, driver.CheckOK, "permitted", "")
		} else {
			k.add(p, driver.CheckFailed, "not permitted on "+where, "allow "+p+": bursar doctor --iam prints the role")
		}
	}
}

// failed says why a question was not answered.
func (c *core) failed(k *checks, of string, err error) {
	var e *driver.Error
	errors.As(err, &e)
	switch {
	case errors.Is(err, driver.ErrWrongAccount):
		k.add(of, driver.CheckFailed, err.Error(), "use credentials that may act for project "+c.Project+": bursar doctor --iam prints the role")
	case e == nil || e.Status == 0:
		k.add(of, driver.CheckFailed, "Google cannot be reached: "+err.Error(), "check the network and the proxy of this machine, then run bursar doctor again")
	case e.Code == "accessNotConfigured" || strings.Contains(err.Error(), "has not been used in project"):
		k.add(of, driver.CheckFailed, err.Error(), "enable the API in project "+c.Project)
	case e.Status == http.StatusNotFound:
		k.add(of, driver.CheckFailed, err.Error(), "correct the project or the region in the configuration")
	default:
		k.add(of, driver.CheckUnproven, err.Error(), "run bursar doctor again")
	}
}

func (c *core) manager(ctx context.Context) (*cloudresourcemanager.Service, error) {
	return cloudresourcemanager.NewService(ctx, option.WithHTTPClient(c.reads), option.WithEndpoint(c.at(managerHost, "/")), option.WithUserAgent(userAgent))
}

// Project is a project that credentials can see.
type Project struct {
	ID     cloud.Account
	Number string
	Name   string
	State  string // "ACTIVE", "DELETE_REQUESTED"
}

// Projects lists the projects that the credentials of cfg may see.
func Projects(ctx context.Context, cfg Config) ([]Project, error) {
	c, err := newCore(Compute, cfg)
	if err != nil {
		return nil, err
	}
	t, err := c.token(ctx)
	if err != nil {
		return nil, err
	}
	return c.projects(ctx, t)
}

func (c *core) projects(ctx context.Context, t *oauth2.Token) ([]Project, error) {
	var all []Project
	err := pages(func(page string) (string, error) {
		got, err := read(ctx, func(ctx context.Context) (*cloudresourcemanager.SearchProjectsResponse, error) {
			api, err := c.manager(ctx)
			if err != nil {
				return nil, err
			}
			call := api.Projects.Search().PageSize(500).Context(ctx)
			if page != "" {
				call.PageToken(page)
			}
			c.authorize(call.Header(), t)
			return call.Do()
		})
		if err != nil {
			return "", err
		}
		for _, p := range got.Projects {
			all = append(all, Project{cloud.Account(p.ProjectId), strings.TrimPrefix(p.Name, "projects/"), p.DisplayName, p.State})
		}
		return got.NextPageToken, nil
	})
	if err != nil {
		return nil, c.readError(opSearch, err)
	}
	return all, nil
}
