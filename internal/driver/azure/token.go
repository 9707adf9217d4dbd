package azure

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"bursar/internal/driver"
)

const (
	opToken        = "GetToken"
	opSubscription = "Subscriptions.get"
	// maxSessions bounds the attempts between Quote and Purchase. The oldest is forgotten
	// first; its Purchase then sends nothing.
	maxSessions = 256
)

// DefaultCredential returns the credential of the machine from where every tool of
// Azure looks for one: environment, workload and managed identity, the command line.
func DefaultCredential(tenant string) (azcore.TokenCredential, error) {
	cred, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{TenantID: tenant})
	if err != nil {
		return nil, fmt.Errorf("azure: %w", err)
	}
	return cred, nil
}

// SimulatorCredential returns the credential of a simulated subscription: tokens for
// management or for storage that are good for an hour by the given clock.
func SimulatorCredential(subscription string, now func() time.Time) azcore.TokenCredential {
	return simulated{subscription, now}
}

type simulated struct {
	subscription string
	now          func() time.Time
}

// GetToken implements azcore.TokenCredential.
func (s simulated) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	until, prefix := s.now().Add(time.Hour).Truncate(time.Second), "sim-"
	if slices.Contains(o.Scopes, storage+"/.default") {
		prefix = "sim-storage-"
	}
	return azcore.AccessToken{Token: fmt.Sprintf("%s%s-%d", prefix, s.subscription, until.Unix()), ExpiresOn: until}, nil
}

// frozen gives the same token for ever: nothing refreshes it on the way.
type frozen string

// GetToken implements azcore.TokenCredential.
func (f frozen) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(f), ExpiresOn: time.Now().Add(tokenLife)}, nil
}

// session is what one attempt was quoted with: its token, used as it is by Purchase,
// and the order that its price named. It lives in memory only.
type session struct {
	attempt string
	token   azcore.AccessToken
	order   string
}

// sessions holds the session of each attempt that was quoted and not yet bought.
type sessions struct {
	mu  sync.Mutex
	all []*session // oldest first
}

// put replaces the session of the same attempt, so the last Quote counts.
func (s *sessions) put(n *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(o *session) bool { return o.attempt == n.attempt })
	s.all = append(s.all, n)
	if len(s.all) > maxSessions {
		s.all = slices.Delete(s.all, 0, len(s.all)-maxSessions)
	}
}

// take returns the session of an attempt and forgets it: an attempt has one Purchase.
// It returns nil if there is none.
func (s *sessions) take(attempt string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.all, func(o *session) bool { return o.attempt == attempt })
	if i < 0 {
		return nil
	}
	found := s.all[i]
	s.all = slices.Delete(s.all, i, i+1)
	return found
}

// reader is the token that was last proven to belong to the subscription.
type reader struct {
	mu    sync.Mutex
	token azcore.AccessToken
}

// open returns a token that is proven to read the subscription in its tenant, and good
// for tokenLeft more. What another caller cannot see proves no absence.
func (c *core) open(ctx context.Context) (azcore.AccessToken, error) {
	c.reader.mu.Lock()
	defer c.reader.mu.Unlock()
	if c.reader.token.Token != "" && c.now().Add(tokenLeft).Before(c.reader.token.ExpiresOn) {
		return c.reader.token, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	token, err := c.Credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{management + "/.default"}, TenantID: c.Tenant})
	if err == nil && (token.Token == "" || !c.now().Before(token.ExpiresOn)) {
		err = errors.New("the credential gives no token that is still good")
	}
	if err != nil {
		return azcore.AccessToken{}, readError(opToken, err)
	}
	if err := c.prove(ctx, token); err != nil {
		return azcore.AccessToken{}, err
	}
	c.reader.token = token
	return token, nil
}

// prove asks whose the token is: one that does not read the subscription, or finds it
// in another tenant, is ErrWrongAccount.
func (c *core) prove(ctx context.Context, token azcore.AccessToken) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	resp, err := c.get(ctx, token, "/subscriptions/"+string(c.Account), "api-version=2022-12-01")
	if err != nil {
		return readError(opSubscription, err, token)
	}
	if !runtime.HasStatusCode(resp, http.StatusOK) {
		err := runtime.NewResponseError(resp)
		switch resp.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
			err = fmt.Errorf("%w: the credential does not read subscription %s", driver.ErrWrongAccount, c.Account)
		}
		return readError(opSubscription, err, token)
	}
	var got struct {
		ID     string `json:"subscriptionId"`
		Tenant string `json:"tenantId"`
	}
	if err := runtime.UnmarshalAsJSON(resp, &got); err != nil {
		return readError(opSubscription, err, token)
	}
	if !strings.EqualFold(got.ID, string(c.Account)) || !strings.EqualFold(got.Tenant, c.Tenant) {
		return readError(opSubscription, fmt.Errorf("%w: want subscription %s in tenant %s", driver.ErrWrongAccount, c.Account, c.Tenant))
	}
	return nil
}

// get reads what the SDK has no client for here.
func (c *core) get(ctx context.Context, token azcore.AccessToken, path, query string) (*http.Response, error) {
	client, err := arm.NewClient("bursar", "v1.0.0", frozen(token.Token), c.options(c.client, false))
	if err != nil {
		return nil, err
	}
	req, err := runtime.NewRequest(ctx, http.MethodGet, runtime.JoinPaths(client.Endpoint(), path))
	if err != nil {
		return nil, err
	}
	req.Raw().URL.RawQuery = query
	req.Raw().Header.Set("Accept", "application/json")
	return client.Pipeline().Do(req)
}

// nameOf names a token without revealing it: the object that it was issued to and its
// own id, which the activity log has too; of a token that cannot be read, a digest.
func nameOf(token azcore.AccessToken) string {
	var claims struct {
		Object string `json:"oid"`
		ID     string `json:"uti"`
	}
	if parts := strings.Split(token.Token, "."); len(parts) == 3 {
		if raw, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil && json.Unmarshal(raw, &claims) == nil && claims.Object != "" {
			return strings.TrimSuffix(claims.Object+"/"+claims.ID, "/")
		}
	}
	sum := sha256.Sum256([]byte(token.Token))
	return "token " + hex.EncodeToString(sum[:6])
}
