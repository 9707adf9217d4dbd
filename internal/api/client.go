package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Client is a Service over HTTP.
type Client struct {
	base  string
	token string
	http  *http.Client
}

var _ Service = (*Client)(nil)

// NewClient speaks to the server at an address such as https://bursar.example.org with a
// token, which says who acts: the requests name nobody.
func NewClient(address, token string) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(address, "/"))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery+u.Fragment != "" || u.User != nil:
		return nil, Errorf(Invalid, "server %q: use an address such as https://bursar.example.org", address)
	case token == "":
		return nil, Errorf(SignedOut, "the server at %s has to know who asks: put your token into BURSAR_TOKEN, or the path of a file with it into BURSAR_TOKEN_FILE", u.Host)
	case strings.ContainsAny(token, " \t\r\n"):
		return nil, Errorf(Invalid, "the token holds a space or a line break: use it as it was given out")
	}
	// A token is sent to nobody else than the server.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: u.String() + "/api/v1", token: token, http: &http.Client{CheckRedirect: stay}}, nil
}

const (
	callWithin = 5 * time.Minute // listing many lanes takes long
	maxAnswer  = 256 << 20
	tries      = 3
)

// errAway is a server that could not be reached or did not answer.
func (c *Client) away(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	host := strings.TrimSuffix(c.base, "/api/v1")
	var errno syscall.Errno
	var where *url.Error
	switch {
	case errors.As(err, &errno):
		err = errno
	case errors.As(err, &where):
		err = where.Err
	}
	return Errorf(Unavailable, "the server at %s does not answer: %w; is bursar serve running there?", host, err)
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body []byte) (*http.Request, error) {
	address := c.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, nil
}

// call sends one request and reads the answer into a value. What got no answer is sent
// again under the same key, which is carried out once.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	key := rand.Text()
	var last error
	for try := range tries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Duration(try) * 500 * time.Millisecond):
			}
		}
		var again bool
		if again, last = c.once(ctx, method, path, query, body, key, out); !again {
			return last
		}
	}
	return last
}

func (c *Client) once(ctx context.Context, method, path string, query url.Values, body []byte, key string, out any) (again bool, err error) {
	within, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	r, err := c.request(within, method, path, query, body)
	if err != nil {
		return false, err
	}
	if method == http.MethodPost {
		r.Header.Set("Idempotency-Key", key)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return !errors.Is(err, syscall.ECONNREFUSED), c.away(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return true, c.away(ctx, err)
	case resp.StatusCode != http.StatusOK:
		return false, problemIn(resp, raw)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return false, Errorf(Unavailable, "%s answers something else than Bursar does: %w", c.base, err)
	}
	return false, nil
}

// problemIn is the error that an answer tells of.
func problemIn(resp *http.Response, raw []byte) error {
	var p Problem
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(raw, &p) != nil || p.Detail == "" {
		return Errorf(Unavailable, "%s answers with %s: is it the address of a Bursar server?", resp.Request.URL.Host, resp.Status)
	}
	return Errorf(p.Kind, "%s", p.Detail)
}

// at is a path with names in it.
func at(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("/" + url.PathEscape(p))
	}
	return b.String()
}

// id refuses what can be no id, and would be another path.
func id(what, text string) error {
	if strings.Trim(text, ". /") == "" {
		return Errorf(NotFound, "%q is not the id of a %s: not found", text, what)
	}
	return nil
}

// nobody refuses a request in the name of somebody.
func nobody(by string) error {
	if by != "" {
		return Errorf(Invalid, "the server knows by your token who you are: leave %q out", by)
	}
	return nil
}

// get reads what is at a path.
func get[T any](ctx context.Context, c *Client, path string, query url.Values) (v T, err error) {
	return v, c.call(ctx, http.MethodGet, path, query, nil, &v)
}

func post[T any](ctx context.Context, c *Client, path string, in any) (v T, err error) {
	return v, c.call(ctx, http.MethodPost, path, nil, in, &v)
}

// Installation implements Service.
func (c *Client) Installation(ctx context.Context) (Installation, error) {
	return get[Installation](ctx, c, "/installation", nil)
}

// Overview implements Service.
func (c *Client) Overview(ctx context.Context) (Overview, error) {
	return get[Overview](ctx, c, "/overview", nil)
}

// CreatePlan implements Service. The request carries the content of its file.
func (c *Client) CreatePlan(ctx context.Context, r PlanRequest) (PlanCreated, error) {
	if err := nobody(r.Requester); err != nil {
		return PlanCreated{}, err
	}
	in := NewPlan{
		File: r.File, Content: r.Content, Name: r.Name, Coverage: r.Coverage, MaxTotal: r.MaxTotal, MaxMonthly: r.MaxMonthly,
		Purpose: r.Purpose, Supersedes: r.Supersedes, Policy: r.Policy, PolicyContent: r.PolicyContent, Asked: r.Asked,
	}
	if r.Usage != nil {
		usage, err := newUsage(*r.Usage)
		if err != nil {
			return PlanCreated{}, err
		}
		in.Usage = &usage
	}
	if r.Clouds != nil {
		asking := newAsking(*r.Clouds)
		in.Clouds = &asking
	}
	return post[PlanCreated](ctx, c, "/plans", in)
}

// ContinuePlan implements Service.
func (c *Client) ContinuePlan(ctx context.Context, plan, requester string) (PlanCreated, error) {
	if err := errors.Join(id("plan", plan), nobody(requester)); err != nil {
		return PlanCreated{}, err
	}
	return post[PlanCreated](ctx, c, at("plans", plan, "continue"), Nothing{})
}

// Plan implements Service.
func (c *Client) Plan(ctx context.Context, plan string) (Plan, error) {
	if err := id("plan", plan); err != nil {
		return Plan{}, err
	}
	return get[Plan](ctx, c, at("plans", plan), nil)
}

// Plans implements Service.
func (c *Client) Plans(ctx context.Context) ([]Plan, error) {
	plans := []Plan{}
	for cursor := ""; ; {
		page, err := c.PlanPage(ctx, PlanFilter{Cursor: cursor, Limit: MaxLimit})
		if err != nil {
			return nil, err
		}
		for _, s := range page.Plans {
			p, err := c.Plan(ctx, s.ID)
			if err != nil {
				return nil, err
			}
			plans = append(plans, p)
		}
		if cursor = page.Next; cursor == "" {
			return plans, nil
		}
	}
}

// query leaves out what is empty.
func query(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" && pairs[i+1] != "0" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// PlanPage implements Service.
func (c *Client) PlanPage(ctx context.Context, f PlanFilter) (PlanPage, error) {
	return get[PlanPage](ctx, c, "/plans", query("state", f.State, "q", f.Text, "cursor", f.Cursor, "limit", strconv.Itoa(f.Limit)))
}

// Decide implements Service.
func (c *Client) Decide(ctx context.Context, d Decision, valid time.Duration) (Plan, error) {
	if err := errors.Join(id("plan", d.Plan), nobody(d.By)); err != nil {
		return Plan{}, err
	}
	in := NewDecision{Digest: d.Digest, Approve: d.Approve, Comment: d.Comment}
	if d.Approve {
		in.Valid = valid.String()
	}
	return post[Plan](ctx, c, at("plans", d.Plan, "decisions"), in)
}

// Begin implements Service.
func (c *Client) Begin(ctx context.Context, plan, by string) (Plan, bool, error) {
	if err := errors.Join(id("plan", plan), nobody(by)); err != nil {
		return Plan{}, false, err
	}
	s, err := post[Started](ctx, c, at("plans", plan, "begin"), Nothing{})
	return s.Plan, s.First, err
}

// Cancel implements Service.
func (c *Client) Cancel(ctx context.Context, ids []string, by, comment string) ([]Canceled, error) {
	if err := nobody(by); err != nil {
		return nil, err
	}
	return post[[]Canceled](ctx, c, "/cancellations", NewCancel{IDs: ids, Comment: comment})
}

// Purchasing implements Service.
func (c *Client) Purchasing(ctx context.Context) (Purchasing, error) {
	return get[Purchasing](ctx, c, "/purchasing", nil)
}

// SetPurchasing implements Service.
func (c *Client) SetPurchasing(ctx context.Context, on bool, by, comment string) (Purchasing, error) {
	if err := nobody(by); err != nil {
		return Purchasing{}, err
	}
	return post[Purchasing](ctx, c, "/purchasing", SwitchPurchasing{Purchasing: on, Comment: comment})
}

// History implements Service.
func (c *Client) History(ctx context.Context, f HistoryFilter) ([]Line, error) {
	lines := []Line{}
	for cursor := ""; ; {
		page, err := c.LinePage(ctx, LineFilter{HistoryFilter: f, Cursor: cursor, Limit: MaxLimit})
		if err != nil {
			return nil, err
		}
		lines = append(lines, page.Lines...)
		if cursor = page.Next; cursor == "" {
			return lines, nil
		}
	}
}

// LinePage implements Service.
func (c *Client) LinePage(ctx context.Context, f LineFilter) (LinePage, error) {
	return get[LinePage](ctx, c, "/lines", query("plan", f.Plan, "account", f.Account, "state", f.State, "cursor", f.Cursor, "limit", strconv.Itoa(f.Limit)))
}

// Line implements Service.
func (c *Client) Line(ctx context.Context, line string) (LineHistory, error) {
	if err := id("line", line); err != nil {
		return LineHistory{}, err
	}
	return get[LineHistory](ctx, c, at("lines", line), nil)
}

// Watch implements Service. A stream that breaks is taken up where it broke.
func (c *Client) Watch(ctx context.Context, plan string, after int, moved func(Progress) error) error {
	if err := id("plan", plan); err != nil {
		return err
	}
	fruitless := 0
	for {
		before := after
		over, err := c.stream(ctx, plan, &after, moved)
		var said *Error
		switch {
		case over, err != nil && errors.As(err, &said) && said.Kind != Unavailable, ctx.Err() != nil:
			return err
		}
		if fruitless++; after > before {
			fruitless = 0
		}
		if fruitless == tries {
			return c.away(ctx, errors.New("the stream of its progress breaks again and again"))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// stream reads events until there are no more. over: nothing more will happen.
func (c *Client) stream(ctx context.Context, plan string, after *int, moved func(Progress) error) (over bool, err error) {
	r, err := c.request(ctx, http.MethodGet, at("plans", plan, "events"), nil, nil)
	if err != nil {
		return true, err
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Last-Event-ID", strconv.Itoa(*after))
	resp, err := c.http.Do(r)
	if err != nil {
		return errors.Is(err, syscall.ECONNREFUSED), c.away(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if resp.StatusCode != http.StatusOK {
		raw, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // what is left of it tells nothing
		return false, problemIn(resp, raw)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 16<<20)
	var event, data string
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			event = value
		case "data":
			data = value
		case "":
			if lines.Text() != "" {
				continue // a comment
			}
			switch event {
			case "progress":
				var p Progress
				if err := json.Unmarshal([]byte(data), &p); err != nil {
					return true, Errorf(Unavailable, "%s answers something else than Bursar does: %w", c.base, err)
				}
				*after = p.Number
				if err := moved(p); err != nil {
					return true, err
				}
			case "end":
				return true, nil
			case "problem":
				var p Problem
				if err := json.Unmarshal([]byte(data), &p); err != nil {
					return true, Errorf(Unavailable, "%s answers something else than Bursar does: %w", c.base, err)
				}
				return true, Errorf(p.Kind, "%s", p.Detail)
			}
			event, data = "", ""
		}
	}
	return false, c.away(ctx, errors.Join(lines.Err(), io.ErrUnexpectedEOF))
}

// Case implements Service.
func (c *Client) Case(ctx context.Context, line string) (Case, error) {
	if err := id("line", line); err != nil {
		return Case{}, err
	}
	return get[Case](ctx, c, at("lines", line, "case"), nil)
}

// Resolve implements Service.
func (c *Client) Resolve(ctx context.Context, r Resolution) (LineHistory, error) {
	if err := errors.Join(id("line", r.Line), nobody(r.By)); err != nil {
		return LineHistory{}, err
	}
	if r.Second != "" {
		return LineHistory{}, Errorf(Forbidden, "nobody speaks for a second person over a server: decide on the ledger itself, without --server")
	}
	return post[LineHistory](ctx, c, at("lines", r.Line, "resolutions"), NewResolution{Choice: r.Choice, Commitment: r.Commitment, Comment: r.Comment})
}

// UndoOptions implements Service.
func (c *Client) UndoOptions(ctx context.Context, line string) (UndoOptions, error) {
	if err := id("line", line); err != nil {
		return UndoOptions{}, err
	}
	return get[UndoOptions](ctx, c, at("lines", line, "undo"), nil)
}

// Undo implements Service.
func (c *Client) Undo(ctx context.Context, r UndoRequest) (UndoOptions, error) {
	if err := errors.Join(id("line", r.Line), nobody(r.By)); err != nil {
		return UndoOptions{}, err
	}
	return post[UndoOptions](ctx, c, at("lines", r.Line, "undo"), NewUndo{Comment: r.Comment, Reject: r.Reject, Again: r.Again, Digest: r.Digest})
}

// Inventory implements Service.
func (c *Client) Inventory(ctx context.Context) (Inventory, error) {
	return get[Inventory](ctx, c, "/inventory", nil)
}

// Utilization implements Service.
func (c *Client) Utilization(ctx context.Context) (Inventory, error) {
	return post[Inventory](ctx, c, "/inventory/utilization", Nothing{})
}

// Check implements Service.
func (c *Client) Check(ctx context.Context) ([]Finding, error) {
	return get[[]Finding](ctx, c, "/check", nil)
}

// Budgets implements Service.
func (c *Client) Budgets(ctx context.Context) ([]Budget, error) {
	return get[[]Budget](ctx, c, "/budgets", nil)
}

// SetBudget implements Service.
func (c *Client) SetBudget(ctx context.Context, r BudgetRequest) (Budget, error) {
	if err := nobody(r.By); err != nil {
		return Budget{}, err
	}
	return post[Budget](ctx, c, "/budgets", NewBudget{Name: r.Name, Cap: r.Cap, Currency: r.Currency, Per: r.Per, Of: r.Of, Account: r.Account})
}

// RetireBudget implements Service.
func (c *Client) RetireBudget(ctx context.Context, name, by string) error {
	if err := errors.Join(id("budget", name), nobody(by)); err != nil {
		return err
	}
	_, err := post[Nothing](ctx, c, at("budgets", name, "retire"), Nothing{})
	return err
}

// Schedules implements Service.
func (c *Client) Schedules(ctx context.Context) (Schedules, error) {
	return get[Schedules](ctx, c, "/schedules", nil)
}

// SchedulePlan implements Service.
func (c *Client) SchedulePlan(ctx context.Context, plan string, when time.Time, by string) (PlanSchedule, error) {
	if err := errors.Join(id("plan", plan), nobody(by)); err != nil {
		return PlanSchedule{}, err
	}
	return post[PlanSchedule](ctx, c, at("plans", plan, "schedules"), NewSchedule{At: when})
}

// CancelSchedule implements Service.
func (c *Client) CancelSchedule(ctx context.Context, schedule, by string) (PlanSchedule, error) {
	if err := errors.Join(id("schedule", schedule), nobody(by)); err != nil {
		return PlanSchedule{}, err
	}
	return post[PlanSchedule](ctx, c, at("schedules", schedule, "cancel"), Nothing{})
}

// RunTask implements Service.
func (c *Client) RunTask(ctx context.Context, name string) (Ran, error) {
	if err := id("task", name); err != nil {
		return Ran{}, err
	}
	return post[Ran](ctx, c, at("tasks", name, "run"), Nothing{})
}
