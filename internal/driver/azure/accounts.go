package azure

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"bursar/internal/cloud"
)

const opSubscriptions = "Subscriptions.list"

// Subscription is one that a credential can see.
type Subscription struct {
	ID     cloud.Account
	Tenant string
	Name   string
	State  string // in the words of Azure: Enabled, Disabled, Warned, PastDue and others
}

// Subscriptions lists what the credential can see, all pages. It does not ask whose the
// credential is, so the subscription of cfg may be any.
func Subscriptions(ctx context.Context, cfg Config) ([]Subscription, error) {
	c, err := newCore(cfg)
	if err != nil {
		return nil, err
	}
	token, err := c.Credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{management + "/.default"}, TenantID: c.Tenant})
	if err != nil {
		return nil, readError(opToken, err)
	}
	type page struct {
		Value []struct {
			ID     string `json:"subscriptionId"`
			Tenant string `json:"tenantId"`
			Name   string `json:"displayName"`
			State  string `json:"state"`
		} `json:"value"`
		Next *string `json:"nextLink"`
	}
	pager := runtime.NewPager(runtime.PagingHandler[page]{
		More: func(p page) bool { return p.Next != nil && *p.Next != "" },
		Fetcher: func(ctx context.Context, last *page) (p page, err error) {
			path, query := "/subscriptions", "api-version=2022-12-01"
			if last != nil {
				next, err := url.Parse(*last.Next) // each has seen that it is of the same host
				if err != nil {
					return p, err
				}
				path, query = next.Path, next.RawQuery
			}
			resp, err := c.get(ctx, token, path, query)
			if err != nil {
				return p, err
			}
			if !runtime.HasStatusCode(resp, http.StatusOK) {
				return p, runtime.NewResponseError(resp)
			}
			return p, runtime.UnmarshalAsJSON(resp, &p)
		},
	})
	var all []Subscription
	err = each(ctx, c, &look{operation: opSubscriptions}, pager, func(p page) *string { return p.Next }, func(p page) error {
		if p.Value == nil {
			return errNoList
		}
		for _, s := range p.Value {
			if id := strings.ToLower(s.ID); guidForm.MatchString(id) {
				all = append(all, Subscription{ID: cloud.Account(id), Tenant: strings.ToLower(s.Tenant), Name: s.Name, State: s.State})
				continue
			}
			return errors.New("a subscription without an id")
		}
		return nil
	})
	if err != nil {
		return nil, readError(opSubscriptions, err, token)
	}
	return all, nil
}
