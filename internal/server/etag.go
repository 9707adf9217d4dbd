package server

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"bursar/internal/api"
)

// An ETag is the digest of what is shown: two answers with the same one are the same.

// UnlessSame asks for what has changed since an ETag.
type UnlessSame struct {
	IfNoneMatch string `header:"If-None-Match" doc:"Answer 304 if it still has this ETag"`
}

// IfSame makes a request depend on what its sender saw.
type IfSame struct {
	IfMatch string `header:"If-Match" doc:"Do it only if it still has this ETag"`
}

func etag(v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`, nil
}

// matches reports whether a list of ETags in a header holds one.
func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
			return true
		}
	}
	return false
}

// tagged answers with an ETag, or with 304.
func tagged[T any](ifNoneMatch string, v T, err error) (*answer[T], error) {
	if err != nil {
		return nil, err
	}
	tag, err := etag(v)
	if err != nil {
		return nil, err
	}
	if ifNoneMatch != "" && matches(ifNoneMatch, tag) {
		same := newProblem(http.StatusNotModified, "", "")
		same.headers = http.Header{"Etag": {tag}}
		return nil, same
	}
	return &answer[T]{ETag: tag, Body: v}, nil
}

// unchanged refuses a request whose sender saw something else. The ledger's own guards
// hold whatever happens between this and the act.
func unchanged[T any](ctx context.Context, ifMatch string, now func(context.Context) (T, error)) error {
	if ifMatch == "" {
		return nil
	}
	v, err := now(ctx)
	if err != nil {
		return err
	}
	tag, err := etag(v)
	if err == nil && !matches(ifMatch, tag) {
		err = api.Errorf(api.Stale, "it has changed since you saw it: look again, and decide on what you see then")
	}
	return err
}
