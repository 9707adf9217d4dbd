package sim

import "time"

// rate is a token bucket per account and region: how many requests it holds and
// how many it gains per second. The zero value does not limit.
type rate struct{ bucket, perSecond int64 }

type bucketKey struct {
	scope
	operation string
}

// bucket is what is left, in thousandths of a request.
type bucket struct {
	left int64
	at   time.Time
}

// bucketOf returns the bucket of an operation as it is now.
func (w *world) bucketOf(key bucketKey, r rate, now time.Time) bucket {
	b, ok := w.buckets[key]
	if !ok || now.Sub(b.at) > time.Hour {
		return bucket{left: 1000 * r.bucket, at: now}
	}
	if gone := now.Sub(b.at); gone > 0 {
		b.left, b.at = min(1000*r.bucket, b.left+r.perSecond*gone.Milliseconds()), b.at.Add(gone.Truncate(time.Millisecond))
	}
	return b
}

// limited reports whether the call exceeds the rate of its operation.
func (c *call) limited() bool {
	if c.opts.Unthrottled || c.op.rate.bucket == 0 {
		return false
	}
	return c.world.bucketOf(bucketKey{scope{c.service.name, c.who.account, c.region}, c.op.name}, c.op.rate, c.now).left < 1000
}

// drain takes a request out of its bucket, unless it was throttled.
func (w *world) drain(r *Request) {
	s := services[r.Service]
	if s == nil || s.operations[r.Operation] == nil || r.Account == "" {
		return
	}
	op := s.operations[r.Operation]
	if op.rate.bucket == 0 || r.Code == s.code(throttled).code {
		return
	}
	key := bucketKey{scope{r.Service, r.Account, r.Region}, r.Operation}
	b := w.bucketOf(key, op.rate, r.Time)
	b.left = max(0, b.left-1000)
	w.buckets[key] = b
}

var throttled = fail("Throttling", "Rate exceeded")
