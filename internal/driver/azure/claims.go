package azure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"bursar/internal/driver"
)

const (
	opGetBlob = "GetBlob"
	opPutBlob = "PutBlob"
	// storage is what tokens for blobs are for, of any storage account.
	storage = "https://storage.azure.com"
	// storageVersion is that of the Blob service's REST API.
	storageVersion = "2021-12-02"
	// markMost is more than any mark has.
	markMost = 64 << 10
)

// claimActions are what marks need besides: data actions, which a role for management
// does not give. Nothing is ever deleted.
var claimActions = []string{
	"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
	"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
}

// containerForm is the address of a container: names of storage accounts and of
// containers as "Naming and referencing containers, blobs, and metadata" has them.
var containerForm = regexp.MustCompile(`^https://([a-z0-9]{3,24})\.blob\.core\.windows\.net/([a-z0-9](?:-?[a-z0-9]){2,62})$`)

// CheckMarks says what is wrong with the address of a container of marks.
func CheckMarks(at string) error {
	if !containerForm.MatchString(at) {
		return fmt.Errorf("%q is not the address of a container: write for example https://ACCOUNT.blob.core.windows.net/CONTAINER", at)
	}
	return nil
}

// Claims keeps marks as blobs of a container, which several subscriptions may share:
// that of a subscription is bursar/SUBSCRIPTION/NAME. Put Blob with If-None-Match: *
// creates, or answers 409 BlobAlreadyExists ("Specifying conditional headers for Blob
// service operations").
type Claims struct {
	*core
	blobs string // address that names of blobs are put behind
}

var _ driver.Claimer = Claims{}

// NewClaims opens the marks of a subscription in a container, by its address in the
// public cloud. An endpoint replaces the host, whose account is then the first part of
// the path. It does no IO.
func NewClaims(cfg Config, at string) (Claims, error) {
	if err := CheckMarks(at); err != nil {
		return Claims{}, fmt.Errorf("azure: marks: %w", err)
	}
	custom := strings.TrimRight(cfg.Endpoint, "/")
	cfg.Region = Global // marks have none
	c, err := newCore(cfg)
	if err != nil {
		return Claims{}, err
	}
	if custom != "" {
		m := containerForm.FindStringSubmatch(at)
		at = custom + "/" + m[1] + "/" + m[2]
	}
	return Claims{c, at + "/bursar/" + string(cfg.Account) + "/"}, nil
}

// ask sends one request about a mark, with the retries of the SDK: of all that is asked,
// creating and replacing may be done again.
func (c Claims) ask(ctx context.Context, operation, method, name, text string, creates bool) (*http.Response, error) {
	token, err := c.Credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{storage + "/.default"}, TenantID: c.Tenant})
	if err == nil && token.Token == "" {
		err = errors.New("the credential gives no token for storage")
	}
	if err != nil {
		return nil, readError(opToken, err)
	}
	o := c.options(c.client, false).ClientOptions
	bearer := runtime.NewBearerTokenPolicy(frozen(token.Token), []string{storage + "/.default"}, &policy.BearerTokenOptions{InsecureAllowCredentialWithHTTP: o.InsecureAllowCredentialWithHTTP})
	client, err := azcore.NewClient("bursar", "v1.0.0", runtime.PipelineOptions{PerRetry: []policy.Policy{bearer}}, &o)
	if err != nil {
		return nil, readError(operation, err, token)
	}
	req, err := runtime.NewRequest(ctx, method, c.blobs+name)
	if err != nil {
		return nil, readError(operation, err, token)
	}
	h := req.Raw().Header
	h.Set("x-ms-version", storageVersion)
	h.Set("x-ms-date", c.now().Format(http.TimeFormat))
	want := http.StatusOK
	if method == http.MethodPut {
		want = http.StatusCreated
		h.Set("x-ms-blob-type", "BlockBlob")
		if creates {
			h.Set("If-None-Match", "*")
		}
		if err := req.SetBody(streaming.NopCloser(bytes.NewReader([]byte(text))), "application/json"); err != nil {
			return nil, readError(operation, err, token)
		}
	}
	resp, err := client.Pipeline().Do(req)
	if err == nil && !runtime.HasStatusCode(resp, want) {
		err = runtime.NewResponseError(resp)
	}
	if err != nil {
		return nil, claimError(operation, err, token)
	}
	return resp, nil
}

// Claimed implements driver.Claimer.
func (c Claims) Claimed(ctx context.Context, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	resp, err := c.ask(ctx, opGetBlob, http.MethodGet, name, "", false)
	switch {
	case storageCode(err) == "BlobNotFound":
		return "", nil
	case err != nil:
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(resp.Body, markMost+1))
	if err == nil && (len(text) == 0 || len(text) > markMost) {
		err = fmt.Errorf("a mark of %d bytes", len(text))
	}
	if err != nil {
		return "", readError(opGetBlob, err)
	}
	return string(text), nil
}

// Claim implements driver.Claimer.
func (c Claims) Claim(ctx context.Context, name, text string) (string, error) {
	return driver.ClaimFirst(ctx, c, name, func() error {
		err := c.put(ctx, name, text, true)
		if storageCode(err) == "BlobAlreadyExists" {
			return nil
		}
		return err
	})
}

// Replace implements driver.Claimer.
func (c Claims) Replace(ctx context.Context, name, text string) error {
	return c.put(ctx, name, text, false)
}

func (c Claims) put(ctx context.Context, name, text string, creates bool) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	resp, err := c.ask(ctx, opPutBlob, http.MethodPut, name, text, creates)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// storageCode is the code of an answer of the Blob service, which it has in a header:
// a page of a proxy has none.
func storageCode(err error) string {
	var api *azcore.ResponseError
	if !errors.As(err, &api) || api.RawResponse == nil {
		return ""
	}
	return api.RawResponse.Header.Get("x-ms-error-code")
}

// claimError tells a refused permission, and a container that is not there, from what
// may pass.
func claimError(operation string, err error, token azcore.AccessToken) error {
	switch code := storageCode(err); code {
	case "AuthorizationPermissionMismatch", "InsufficientAccountPermissions":
		return fmt.Errorf("%w: %w", driver.ErrMarkDenied, readError(operation, err, token))
	case "ContainerNotFound", "ResourceNotFound":
		return &driver.Error{Operation: operation, Code: code, Status: http.StatusNotFound, Err: cause{"there is no container where marks: says: create it", err}}
	}
	return readError(operation, err, token)
}
