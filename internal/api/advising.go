package api

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Advising is what a Service does about advice.
type Advising interface {
	// AdviceCost says what Recommend would cost at least, and asks nobody.
	AdviceCost(ctx context.Context, r RecommendRequest) (AdviceCost, error)
	// Recommend asks the clouds for advice, which may cost money: on live accounts it takes
	// a bound of the requests that are charged for.
	Recommend(ctx context.Context, r RecommendRequest) (Recommendations, error)
	// Recommended is what the clouds said when they were asked last.
	Recommended(ctx context.Context) (Recommendations, error)
	// Advices lists the last words of people on advice; with a file, instead what that
	// advises, with the last word on it. content is what the file holds; where it is nil,
	// the file is read.
	Advices(ctx context.Context, file string, content []byte) ([]Advice, error)
	DismissAdvice(ctx context.Context, r AdviceRequest) (Advice, error)
	SnoozeAdvice(ctx context.Context, r AdviceRequest) (Advice, error)
	RestoreAdvice(ctx context.Context, r AdviceRequest) (Advice, error)
}

// NewAsking asks the clouds for advice.
type NewAsking struct {
	Providers   []string `json:"providers,omitempty" doc:"Clouds to ask: aws, azure, gcp; default are all that are configured" nullable:"false"`
	Account     string   `json:"account,omitempty" doc:"Account, subscription or project to ask about; default are all"`
	Services    []string `json:"services,omitempty" doc:"Services to ask about, such as rds; default are all that the accounts watch" nullable:"false"`
	Terms       []string `json:"terms,omitempty" doc:"Lengths to ask for: 1y, 3y; default is 1y" nullable:"false"`
	Payments    []string `json:"payments,omitempty" doc:"Options of payment, each where a cloud has it; default is no-upfront and monthly" nullable:"false"`
	AllCells    bool     `json:"all_cells,omitempty" doc:"Every term with every option of payment"`
	MaxAge      string   `json:"max_age,omitempty" doc:"After how long advice is old, such as 72h, which is the default"`
	MaxRequests int      `json:"max_requests,omitempty" doc:"The most requests to send that are charged for; live accounts take one" minimum:"0"`
}

// Request is what is asked for.
func (n NewAsking) Request() (RecommendRequest, error) {
	r := RecommendRequest{
		Providers: n.Providers, Account: n.Account, Services: n.Services, Terms: n.Terms, Payments: n.Payments, AllCells: n.AllCells,
		MaxAge: AdviceAge, MaxRequests: n.MaxRequests,
	}
	if n.MaxAge != "" {
		var err error
		if r.MaxAge, err = time.ParseDuration(n.MaxAge); err != nil || r.MaxAge <= 0 {
			return r, Errorf(Invalid, "max_age %q: use a duration such as 72h", n.MaxAge)
		}
	}
	return r, nil
}

func newAsking(r RecommendRequest) NewAsking {
	n := NewAsking{
		Providers: r.Providers, Account: r.Account, Services: r.Services, Terms: r.Terms, Payments: r.Payments, AllCells: r.AllCells, MaxRequests: r.MaxRequests,
	}
	if r.MaxAge > 0 {
		n.MaxAge = r.MaxAge.String()
	}
	return n
}

// NewUsage is hourly usage that a plan is sized from.
type NewUsage struct {
	File         string   `json:"file" doc:"Name of the file, for messages" minLength:"1" maxLength:"1000"`
	Content      []byte   `json:"content" doc:"What the file holds, in base64; no file of the server is read"`
	Services     []string `json:"services,omitempty" doc:"Services to size; default are the reservations of the file" nullable:"false"`
	Method       string   `json:"method,omitempty" doc:"How the quantity is chosen; default is knee" enum:"minimum,percentile,knee,coverage"`
	Percentile   int      `json:"percentile,omitempty" doc:"Commit to what this per cent of the hours do not exceed" minimum:"0" maximum:"100"`
	Coverage     int      `json:"coverage,omitempty" doc:"Per cent of the usage to cover" minimum:"0" maximum:"100"`
	Prices       string   `json:"prices,omitempty" doc:"Where committed prices are from; default is the catalog" enum:"discount,usage,catalog"`
	Discount     string   `json:"discount,omitempty" doc:"What reservations cost less than on-demand, such as 30%"`
	PlanDiscount string   `json:"plan_discount,omitempty" doc:"What a savings plan costs less than on-demand"`
	Term         string   `json:"term,omitempty" doc:"Length of the commitment; default is 1y"`
	Payment      string   `json:"payment,omitempty" doc:"Option of payment; default is no-upfront"`
	Buyer        string   `json:"buyer,omitempty" doc:"Account that buys for all others of the file"`
	Attributes   []string `json:"attributes,omitempty" doc:"Of what is bought and usage does not tell, such as offering_class=standard" nullable:"false"`
	SpikeDays    *int     `json:"spike_days,omitempty" doc:"Cut a level that fewer days reach; default is 14" minimum:"0"`
	MinDays      int      `json:"min_days,omitempty" doc:"Days of history that are needed; default is 30" minimum:"0"`
	MaxAge       string   `json:"max_age,omitempty" doc:"How old the last hour may be, such as 72h, which is the default"`
	RebuyDays    *int     `json:"rebuy_days,omitempty" doc:"What ends within so many days is not held; default is 30" minimum:"0"`
	Gaps         string   `json:"gaps,omitempty" doc:"How hours are taken that the file tells nothing of; default is refuse" enum:"refuse,zero,skip"`
	AsOf         string   `json:"as_of,omitempty" doc:"Time to size for; default is now"`
}

// UsageDefaults are what a request to size usage says where nobody says anything.
func UsageDefaults() WhatIfRequest {
	return WhatIfRequest{SpikeDays: 14, MinDays: 30, MaxAge: 72 * time.Hour, RebuyDays: 30, Gaps: "refuse"}
}

// Request is what is asked for, without the content.
func (n NewUsage) Request() (WhatIfRequest, error) {
	r := UsageDefaults()
	r.Usage, r.Services, r.Method, r.Percentile, r.Coverage, r.Prices = n.File, n.Services, n.Method, n.Percentile, n.Coverage, n.Prices
	r.Discount, r.PlanDiscount, r.Term, r.Payment, r.Buyer, r.Attributes, r.AsOf = n.Discount, n.PlanDiscount, n.Term, n.Payment, n.Buyer, n.Attributes, n.AsOf
	if n.SpikeDays != nil {
		r.SpikeDays = *n.SpikeDays
	}
	if n.RebuyDays != nil {
		r.RebuyDays = *n.RebuyDays
	}
	if n.MinDays > 0 {
		r.MinDays = n.MinDays
	}
	if n.Gaps != "" {
		r.Gaps = n.Gaps
	}
	if n.MaxAge != "" {
		var err error
		if r.MaxAge, err = time.ParseDuration(n.MaxAge); err != nil {
			return r, Errorf(Invalid, "max_age %q: use a duration such as 72h", n.MaxAge)
		}
	}
	return r, nil
}

// mostUsage is what a request can carry of usage, in bytes.
const mostUsage = 5 << 20

func newUsage(r WhatIfRequest) (NewUsage, error) {
	content, err := io.ReadAll(io.LimitReader(r.Content, mostUsage+1))
	if err != nil {
		return NewUsage{}, err
	}
	if len(content) > mostUsage {
		return NewUsage{}, Errorf(TooLarge, "%s is larger than %d MiB, the most that is sent to a server: run bursar plan create where the ledger is, or bursar what-if here and plan what it writes with -o csv", r.Usage, mostUsage>>20)
	}
	return NewUsage{
		File: r.Usage, Content: content, Services: r.Services, Method: r.Method, Percentile: r.Percentile, Coverage: r.Coverage, Prices: r.Prices,
		Discount: r.Discount, PlanDiscount: r.PlanDiscount, Term: r.Term, Payment: r.Payment, Buyer: r.Buyer, Attributes: r.Attributes,
		SpikeDays: &r.SpikeDays, MinDays: r.MinDays, MaxAge: r.MaxAge.String(), RebuyDays: &r.RebuyDays, Gaps: r.Gaps, AsOf: r.AsOf,
	}, nil
}

// InputFile is a file that is sent.
type InputFile struct {
	File    string `json:"file" doc:"Name of the file, for messages" minLength:"1" maxLength:"1000"`
	Content []byte `json:"content" doc:"What the file holds, in base64; no file of the server is read"`
}

// NewVerdict is somebody's word on advice.
type NewVerdict struct {
	Verdict string     `json:"verdict" enum:"dismissed,snoozed,restored" doc:"Leave it out, leave it out until a time, or take back what was said"`
	Until   *time.Time `json:"until,omitempty" doc:"Until when it is snoozed"`
	Reason  string     `json:"reason" doc:"Why, for those who wonder later" minLength:"1"`
	Input   *InputFile `json:"input,omitempty" doc:"The file that holds the advice, where neither a plan nor what the clouds said last knows it"`
}

// query of what the clouds are to be asked.
func (n NewAsking) query() url.Values {
	q := query("account", n.Account, "max_age", n.MaxAge, "max_requests", strconv.Itoa(n.MaxRequests))
	for name, list := range map[string][]string{"provider": n.Providers, "service": n.Services, "term": n.Terms, "payment": n.Payments} {
		for _, text := range list {
			q.Add(name, text)
		}
	}
	if n.AllCells {
		q.Set("all_cells", "true")
	}
	return q
}

// AdviceCost implements Service.
func (c *Client) AdviceCost(ctx context.Context, r RecommendRequest) (AdviceCost, error) {
	r.MaxAge, r.MaxRequests = 0, 0
	return get[AdviceCost](ctx, c, "/recommendations/cost", newAsking(r).query())
}

// Recommend implements Service.
func (c *Client) Recommend(ctx context.Context, r RecommendRequest) (Recommendations, error) {
	return post[Recommendations](ctx, c, "/recommendations", newAsking(r))
}

// Recommended implements Service.
func (c *Client) Recommended(ctx context.Context) (Recommendations, error) {
	return get[Recommendations](ctx, c, "/recommendations", nil)
}

// Advices implements Service. The request carries the content of the file.
func (c *Client) Advices(ctx context.Context, file string, content []byte) (list []Advice, err error) {
	if file == "" {
		return get[[]Advice](ctx, c, "/advice", nil)
	}
	return list, c.call(ctx, http.MethodPost, "/advice/of-file", nil, InputFile{File: file, Content: content}, &list)
}

func (c *Client) judge(ctx context.Context, r AdviceRequest, verdict string) (Advice, error) {
	if err := nobody(r.By); err != nil {
		return Advice{}, err
	}
	if err := id("piece of advice", r.Key); err != nil {
		return Advice{}, err
	}
	in := NewVerdict{Verdict: verdict, Reason: r.Reason}
	if !r.Until.IsZero() {
		in.Until = &r.Until
	}
	if r.File != "" {
		in.Input = &InputFile{File: r.File, Content: r.Content}
	}
	return post[Advice](ctx, c, at("advice", r.Key, "verdicts"), in)
}

// DismissAdvice implements Service.
func (c *Client) DismissAdvice(ctx context.Context, r AdviceRequest) (Advice, error) {
	return c.judge(ctx, r, "dismissed")
}

// SnoozeAdvice implements Service.
func (c *Client) SnoozeAdvice(ctx context.Context, r AdviceRequest) (Advice, error) {
	return c.judge(ctx, r, "snoozed")
}

// RestoreAdvice implements Service.
func (c *Client) RestoreAdvice(ctx context.Context, r AdviceRequest) (Advice, error) {
	return c.judge(ctx, r, "restored")
}
