package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"bursar/internal/cloud"
)

// look is what is known of the answers to one look: the time of the first, whatever
// came into being after which may be missing, and the rest of the last.
type look struct {
	operation string
	started   time.Time
	first     time.Time
	requestID string
	status    int
}

// seen takes note of an answer.
func (l *look) seen(resp *http.Response) {
	if resp == nil {
		return
	}
	if l.first.IsZero() {
		l.first = dateOf(resp.Header)
	}
	l.requestID, l.status = requestID(resp.Header), resp.StatusCode
}

// evidence of the look about one commitment, or of its absence.
func (l *look) evidence(c *cloud.Commitment, detail string) cloud.Evidence {
	ev := cloud.Evidence{
		Kind: cloud.EvidenceAbsence, Operation: l.operation, Started: l.started, CloudTime: l.first,
		RequestID: l.requestID, Status: l.status, Detail: detail, Commitment: c,
	}
	if c != nil {
		ev.Kind, ev.Detail = cloud.EvidenceListing, fmt.Sprintf("commitment %s is %s", c.ID, c.State)
	}
	return ev
}

// each calls take with every page of a listing. The SDK follows the address of the next
// page with the token, whatever its host, so it is checked here; one that comes back, or
// no end, is an error: a listing is complete or nothing.
func each[T any](ctx context.Context, c *core, l *look, pager *runtime.Pager[T], next func(T) *string, take func(T) error) error {
	known := map[string]bool{}
	for pager.More() {
		var resp *http.Response
		call, cancel := context.WithTimeout(policy.WithCaptureResponse(ctx, &resp), readTimeout)
		page, err := pager.NextPage(call)
		cancel()
		l.seen(resp)
		if err != nil {
			return err
		}
		if err := take(page); err != nil {
			return err
		}
		link := next(page)
		if link == nil || *link == "" {
			continue
		}
		u, err := url.Parse(*link)
		switch {
		case err != nil || !strings.EqualFold(u.Host, c.host):
			return errors.New("the next page is on another host")
		case known[*link]:
			return errors.New("a page came back: the listing has no end")
		case len(known) == maxPages:
			return fmt.Errorf("no end after %d pages", maxPages)
		}
		known[*link] = true
	}
	return nil
}

// text is the value of an optional member; "" without one.
func text[S ~string](s *S) string {
	if s == nil {
		return ""
	}
	return string(*s)
}

// timeOf is the first of some times that is there, UTC.
func timeOf(times ...*time.Time) time.Time {
	for _, t := range times {
		if t != nil && !t.IsZero() {
			return t.UTC()
		}
	}
	return time.Time{}
}
