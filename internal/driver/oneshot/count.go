package oneshot

import (
	"net/http"
	"strconv"
)

// Counted tells count of every request that passes, by the status of its answer, or "no
// answer". A nil count is told nothing.
func Counted(next http.RoundTripper, count func(result string)) http.RoundTripper {
	if count == nil {
		return next
	}
	return counted{next, count}
}

type counted struct {
	next  http.RoundTripper
	count func(string)
}

// RoundTrip implements http.RoundTripper.
func (c counted) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		c.count("no answer")
	} else {
		c.count(strconv.Itoa(resp.StatusCode))
	}
	return resp, err
}

// Told tells count what came of the attempt, like Counted, or "not sent", and returns
// the record.
func (r Record) Told(count func(result string)) Record {
	switch {
	case count == nil:
	case r.Reply != nil:
		count(strconv.Itoa(r.Reply.Status))
	case r.Wrote:
		count("no answer")
	default:
		count("not sent")
	}
	return r
}
