package sim

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds a request body; no request of these APIs comes near it.
const maxBody = 1 << 20

// answer is what one request gets, decided and committed.
type answer struct {
	reply
	requestID string
	at        time.Time
	provider  string
	fault     Fault          // that shapes how it is sent; no kind for none
	held      chan heldReply // the reply is still to come
}

// ServeHTTP answers a request to any simulated service, or to the control
// surface under /_sim/.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.closed:
		http.Error(w, "the simulator is closed", http.StatusServiceUnavailable)
		return
	default:
	}
	if r.URL.Path == "/_sim" || strings.HasPrefix(r.URL.Path, "/_sim/") {
		s.control(w, r)
		return
	}
	// The whole body is read before anything is decided: a client that died
	// while sending has asked for nothing. It also lets net/http notice when
	// the client hangs up.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the request body is larger than 1 MiB or broke off", http.StatusRequestEntityTooLarge)
		return
	}
	if s.opts.Latency > 0 && !s.hold(r, s.opts.Latency) {
		return
	}
	var a answer
	err = s.update(func(world *world, now time.Time, commit func(change) error) (err error) {
		a, err = s.exchange(world, now, commit, r, body)
		return err
	})
	if err != nil {
		s.forget(a.requestID)
		http.Error(w, "sim: "+err.Error(), http.StatusInternalServerError)
		return
	}
	s.send(w, r, a)
}

// exchange decides one request and commits what it does, in one change.
func (s *Sim) exchange(w *world, now time.Time, commit func(change) error, r *http.Request, body []byte) (answer, error) {
	log := Request{
		Seq:          len(w.requests) + 1,
		Provider:     onAWS,
		Time:         now,
		ID:           w.nextRequestID(),
		InvocationID: r.Header.Get("Amz-Sdk-Invocation-Id"),
		Attempt:      attempt(r.Header.Get("Amz-Sdk-Request")),
	}
	a := answer{requestID: log.ID, at: now}
	c, until, refusal := s.admit(w, now, r, body, &log)
	a.provider = log.Provider
	if refusal != nil {
		a.reply = s.refuse(r, log, refusal)
		log.Status, log.Code = a.status, a.code
		return a, commit(change{At: now, Request: &log})
	}

	if c.limited() && !w.cutOff(c) {
		a.reply = s.failure(c, throttled)
		log.Status, log.Code = a.status, a.code
		return a, commit(change{At: now, Request: &log})
	}
	hits, matches := w.strike(c)
	var kinds []string
	for _, f := range hits {
		kinds = append(kinds, f.Kind)
		c.hits[f.Kind] = f
		if kindTable[f.Kind].reply {
			a.fault = f
		}
	}
	log.Fault = strings.Join(kinds, "+")

	switch a.fault.Kind {
	case LoseRequest, RegionUnreachable:
	case RegionDisabled:
		a.reply = s.failure(c, fail("OptInRequired", "The AWS Access Key Id needs a subscription for the service in the region %s", c.region))
	case Redirect:
		a.reply = reply{status: http.StatusTemporaryRedirect}
	case Throttle:
		a.reply = s.failure(c, throttled)
	case ErrorBefore:
		a.reply = s.breakdown(c, a.fault.Status)
	case Delay:
		c.out.Hold = newHeld(c, until, now.Add(a.fault.Duration))
		a.held = make(chan heldReply, 1)
		s.waiters[log.ID] = a.held
	default:
		a.reply, log.Applied = s.carryOut(c)
		if _, twice := c.hits[Duplicate]; twice {
			c.out.Hold = newHeld(c, until, now)
			c.out.Hold.RequestID = drawUUID(w.seed, "duplicate", log.ID)
		}
		if a.fault.Kind == ErrorAfter {
			a.reply = s.breakdown(c, a.fault.Status)
		}
	}
	if a.fault.Kind != LoseReply {
		log.Status, log.Code = a.status, a.code
	}
	if log.Applied {
		log.AppliedAt = now
	}
	c.out.At, c.out.Request, c.out.Matches = now, &log, matches
	return a, commit(c.out)
}

// admit turns a request into a call, and fills in what the log may know of it.
func (s *Sim) admit(w *world, now time.Time, r *http.Request, body []byte, log *Request) (c *call, until time.Time, err *apiError) {
	switch {
	case isBlob(r):
		return s.admitBlob(w, now, r, body, log)
	case isARM(r):
		return s.admitARM(w, now, r, body, log)
	case looksGCP(r):
		return s.admitGCP(w, now, r, body, log)
	}
	sig, err := parseSignature(r)
	if err != nil {
		return nil, until, err
	}
	log.Service, log.Region, log.AccessKey = sig.service, sig.region, mask(sig.accessKey)
	service := services[sig.service]
	if service == nil {
		return nil, until, fail("UnknownService", "the simulator has no service %q; it has %s", sig.service, serviceNames())
	}
	if service.regional && !s.catalog.regions[sig.region] || service.global && sig.region != globalRegion {
		// What a real endpoint says of a scope that is not its own.
		return nil, until, fail("SignatureDoesNotMatch", "Credential should be scoped to a valid region, not '%s'. ", sig.region)
	}
	who, until, err := s.authenticate(w, now, r, body, sig)
	if err != nil {
		return nil, until, err
	}
	log.Account = who.account
	if who.session != nil {
		log.Session = who.session.Name
	}
	op, in, err := service.protocol.parse(service, r, body)
	if op != nil {
		log.Operation, log.Spending = op.name, op.spends
	}
	if err != nil {
		return nil, until, err
	}
	c = s.call(w, now, who, service, op, sig.region, in, log.ID)
	c.userAgent = r.UserAgent()
	return c, until, nil
}

func (s *Sim) call(w *world, now time.Time, who caller, service *service, op *operation, region string, in params, requestID string) *call {
	return &call{
		world: w, now: now, opts: &s.opts, policies: s.policies, catalog: s.catalog, who: who, service: service, op: op,
		region: region, in: in, requestID: requestID, hits: map[string]Fault{},
	}
}

// carryOut runs the operation; its effects are in c.out, to be committed.
func (s *Sim) carryOut(c *call) (r reply, applied bool) {
	out, err := c.execute()
	if err != nil {
		c.out.Bought, c.out.Deleted, c.out.Returned, c.out.Tagged, c.out.Session, c.out.Minted = nil, nil, nil, nil, nil, nil
		c.out.Parameter, c.out.Object = nil, nil
		c.record(node{}, err)
		return s.failure(c, err), false
	}
	if _, strange := c.hits[StrangeState]; strange {
		out = out.inState("on-hold")
	}
	c.record(out, nil)
	r = c.service.protocol.result(c.service, c.op, c.requestID, out)
	if c.status != 0 {
		r.status = c.status
	}
	if r.status == http.StatusNoContent {
		r.body, r.contentType = nil, ""
	}
	for name, value := range c.header {
		r.header[name] = value
	}
	return r, true
}

func (s *Sim) failure(c *call, err *apiError) reply {
	r := c.service.protocol.failure(c.service, c.requestID, c.service.code(err))
	if c.op.plain != nil && c.op.plain(c) {
		r.contentType, r.body = "text/html; charset=UTF-8", []byte(err.message)
	}
	return r
}

// breakdown is an answer of the service's front end. Gateways (502, 504) do not
// speak the service's protocol.
func (s *Sim) breakdown(c *call, status int) reply {
	switch status {
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		text := strconv.Itoa(status) + " " + http.StatusText(status)
		return reply{
			status: status, contentType: "text/html",
			body: []byte("<html><head><title>" + text + "</title></head><body><center><h1>" + text + "</h1></center></body></html>"),
		}
	case http.StatusServiceUnavailable:
		return s.failure(c, fail("ServiceUnavailable", "The request has failed due to a temporary failure of the server."))
	}
	return s.failure(c, fail("InternalFailure", "The request processing has failed because of an unknown error, exception or failure."))
}

// refuse answers a request that did not become a call, in the protocol it seems
// to speak.
func (s *Sim) refuse(r *http.Request, log Request, err *apiError) reply {
	if service := services[log.Service]; service != nil {
		return service.protocol.failure(service, log.ID, service.code(err))
	}
	if isARM(r) {
		return armFailure(nil, log.ID, err)
	}
	if t := r.Header.Get("Content-Type"); r.Header.Get("X-Amz-Target") != "" || strings.Contains(t, "json") {
		return jsonFailure(nil, log.ID, err)
	}
	return awsQuery.failure(&service{}, log.ID, err)
}

// attempt reads "attempt=2; max=3".
func attempt(header string) int {
	for _, field := range strings.Split(header, ";") {
		if text, ok := strings.CutPrefix(strings.TrimSpace(field), "attempt="); ok {
			n, _ := strconv.Atoi(text)
			return n
		}
	}
	return 0
}
