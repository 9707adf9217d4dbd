package gcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"golang.org/x/oauth2"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"bursar/internal/driver"
)

const (
	storageHost = "storage.googleapis.com"
	opGetObject = "objects.get"
	opNewObject = "objects.insert"
	// anywhere is a region for what has none.
	anywhere = "us-central1"
	// markMost is more than any mark has.
	markMost = 64 << 10
)

// claimRights are what marks need on their bucket. Without the permission to list, an
// object that is not there is refused as one that may not be read; writing over one, as
// taking an account over does, takes the permission to delete.
//
// Source: Cloud Storage, "IAM permissions for JSON methods".
var claimRights = []string{"storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list"}

// bucketForm is that of Cloud Storage, "About Cloud Storage buckets", names with dots
// included.
var bucketForm = regexp.MustCompile(`^gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])$`)

// CheckMarks says what is wrong with the address of a bucket of marks.
func CheckMarks(at string) error {
	if !bucketForm.MatchString(at) {
		return fmt.Errorf("%q is not the address of a bucket: write for example gs://BUCKET", at)
	}
	return nil
}

// Claims keeps marks as objects of a bucket, which several accounts may share: that of
// an account is bursar/ACCOUNT/NAME. An upload with ifGenerationMatch=0 creates, or
// answers 412 conditionNotMet (Cloud Storage, "Request preconditions").
type Claims struct {
	*core
	bucket string
}

var _ driver.Claimer = Claims{}

// NewClaims opens the marks of an account, a project or a billing account, in a bucket
// by its address. It does no IO.
func NewClaims(cfg Config, at string) (Claims, error) {
	if err := CheckMarks(at); err != nil {
		return Claims{}, fmt.Errorf("gcp: marks: %w", err)
	}
	s := Compute
	if billingForm.MatchString(string(cfg.Account)) {
		s = Spend
	}
	cfg.Region = anywhere
	c, err := newCore(s, cfg)
	return Claims{c, bucketForm.FindStringSubmatch(at)[1]}, err
}

func (c Claims) object(name string) string { return "bursar/" + string(c.Account) + "/" + name }

// client makes a client of Cloud Storage, for one call with the token.
func (c Claims) client(ctx context.Context) (*storage.Service, *oauth2.Token, error) {
	t, err := c.token(ctx)
	if err != nil {
		return nil, nil, err
	}
	api, err := storage.NewService(ctx, option.WithHTTPClient(c.reads), option.WithEndpoint(c.at(storageHost, "/storage/v1/")), option.WithUserAgent(userAgent))
	return api, t, err
}

// Claimed implements driver.Claimer.
func (c Claims) Claimed(ctx context.Context, name string) (string, error) {
	text, err := c.look(ctx, name)
	if errors.Is(err, errAppeared) {
		text, err = c.look(ctx, name)
	}
	return text, err
}

// errAppeared: an object had no content, and then it was there.
var errAppeared = errors.New("a mark was written at this moment, or its content cannot be read")

func (c Claims) look(ctx context.Context, name string) (string, error) {
	text, err := read(ctx, func(ctx context.Context) (string, error) { return c.content(ctx, name) })
	var api *googleapi.Error
	switch {
	case err == nil:
		return text, nil
	case !errors.As(err, &api) || api.Code < 400 || api.Code > 499:
		return "", c.claimError(opGetObject, err)
	}
	// What fails while content is asked for is told in plain text, as pages of proxies
	// are: only the answer about the object itself proves that there is none.
	_, err = read(ctx, func(ctx context.Context) (*storage.Object, error) {
		api, t, err := c.client(ctx)
		if err != nil {
			return nil, err
		}
		call := api.Objects.Get(c.bucket, c.object(name)).Context(ctx)
		c.authorize(call.Header(), t)
		return call.Do()
	})
	switch {
	case err == nil:
		return "", c.readError(opGetObject, errAppeared)
	case saysMissing(err) && errors.As(err, &api) && strings.HasPrefix(api.Message, "No such object"):
		return "", nil
	}
	return "", c.claimError(opGetObject, err)
}

// content reads what a mark says.
func (c Claims) content(ctx context.Context, name string) (string, error) {
	api, t, err := c.client(ctx)
	if err != nil {
		return "", err
	}
	call := api.Objects.Get(c.bucket, c.object(name)).Context(ctx)
	c.authorize(call.Header(), t)
	resp, err := call.Download()
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(resp.Body, markMost+1))
	if err == nil && (len(text) == 0 || len(text) > markMost) {
		err = fmt.Errorf("a mark of %d bytes", len(text))
	}
	return string(text), err
}

// Claim implements driver.Claimer.
func (c Claims) Claim(ctx context.Context, name, text string) (string, error) {
	return driver.ClaimFirst(ctx, c, name, func() error {
		err := c.put(ctx, name, text, true)
		var api *googleapi.Error
		if errors.As(err, &api) && api.Code == http.StatusPreconditionFailed {
			return nil
		}
		return err
	})
}

// Replace implements driver.Claimer.
func (c Claims) Replace(ctx context.Context, name, text string) error {
	return c.put(ctx, name, text, false)
}

// put writes a mark in one request, which may be repeated.
func (c Claims) put(ctx context.Context, name, text string, creates bool) error {
	_, err := read(ctx, func(ctx context.Context) (*storage.Object, error) {
		api, t, err := c.client(ctx)
		if err != nil {
			return nil, err
		}
		call := api.Objects.Insert(c.bucket, &storage.Object{Name: c.object(name), ContentType: "application/json"}).
			Media(strings.NewReader(text), googleapi.ContentType("application/json"), googleapi.ChunkSize(0)).
			WithRetry(nil, func(error) bool { return false }).Context(ctx)
		if creates {
			call.IfGenerationMatch(0)
		}
		c.authorize(call.Header(), t)
		return call.Do()
	})
	if err != nil {
		return c.claimError(opNewObject, err)
	}
	return nil
}

// claimError tells a refused permission, and a bucket that is not there, from what may
// pass.
func (c Claims) claimError(operation string, err error) error {
	var api *googleapi.Error
	known := c.readError(operation, err)
	var e *driver.Error
	switch {
	case !errors.As(err, &api) || !errors.As(known, &e):
	case e.Code == "forbidden":
		e.Err = quiet(err) // it is the bucket that refuses, and nothing is said of the project
		return fmt.Errorf("%w: %w", driver.ErrMarkDenied, known)
	case saysMissing(err):
		e.Err = cause{"there is no bucket " + c.bucket + ", where marks: says: create it", err}
	}
	return known
}
