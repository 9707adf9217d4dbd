package sim

import (
	"encoding/json"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/money"
)

// Savings Plans. Source of names, parameters and errors: API reference 2019-06-28
// and botocore 1.43.67, checked against the Go SDK (savingsplans v1.33.2); states,
// queueing and returns: Savings Plans user guide. A commitment is an amount of
// money per hour, counted here in hundred-thousandths of a dollar: the API takes at
// most five decimals.
//
// Not published, and drawn or switched here: how long a client token is remembered
// and what it does with another request (Options), how long a payment and a return
// take, the quota.
const (
	savingsPlans = "savingsplans"

	leastCommitment = 100             // 0.001 USD/h
	mostCommitment  = 100_000_000_000 // 1,000,000 USD/h
	mostReturned    = 10_000_000      // 100 USD/h
	returnDays      = 7
	returnsAYear    = 10

	planCompute   = "Compute"
	planEC2       = "EC2Instance"
	planSageMaker = "SageMaker"
	planDatabase  = "Database"
)

// hundredThousandth is what a count of one is worth per hour.
var hundredThousandth = money.MustParse("0.00001", currency)

// planTypes are the types, with what they apply to and their name on a bill.
var planTypes = []struct {
	name, code, usage string
	products          []string
}{
	{planCompute, "ComputeSavingsPlans", "ComputeSP", []string{"EC2", "Fargate", "Lambda"}},
	{planEC2, "ComputeSavingsPlans", "EC2SP", []string{"EC2"}},
	{planSageMaker, "MachineLearningSavingsPlans", "SageMakerSP", []string{"SageMaker"}},
	{planDatabase, "DatabaseSavingsPlans", "DatabaseSP", []string{
		"RDS", "DSQL", "DynamoDB", "ElastiCache", "DocDB", "Neptune", "Timestream", "Keyspaces", "DMS", "OpenSearch"}},
}

// planFamilies are the EC2 instance families with plans of their own.
var planFamilies = []string{"c6i", "c7g", "m5", "m6i", "m7g", "r6g", "r7g", "t3"}

// tagged are tags that a commitment has from now on.
type tagged struct {
	ref
	Tags []Tag `json:"tags"`
}

// tokenKey is a client token where it was used.
type tokenKey struct {
	scope
	token string
}

func (w *world) foldPlans(c change) {
	for _, back := range c.Returned {
		if r := w.find(back.ref); r != nil {
			r.Return = &back
		}
	}
	for _, t := range c.Tagged {
		if r := w.find(t.ref); r != nil {
			r.Tags = t.Tags
		}
	}
}

func init() {
	pages := &pager{token: "nextToken", size: "maxResults", low: 1, high: 1000, invalid: "ValidationException"}
	fromZero := *pages
	fromZero.low = 0
	register(&service{
		name: savingsPlans, global: true, protocol: restJSON,
		statuses: map[string]int{"ResourceNotFoundException": 404, "ServiceQuotaExceededException": 402},
		codes: jsonCodes(map[string]string{
			"InternalFailure":             "InternalServerException",
			"InvalidParameterCombination": "ValidationException",
			"InvalidParameterValue":       "ValidationException",
			"MalformedInput":              "ValidationException",
			"MissingParameter":            "ValidationException",
			"TagQuotaPerResourceExceeded": "ServiceQuotaExceededException",
		}),
		operations: map[string]*operation{
			"DescribeSavingsPlansOfferings": {
				pages: &fromZero,
				members: []string{
					"offeringIds.N", "paymentOptions.N", "productType", "planTypes.N", "durations.N", "currencies.N", "descriptions.N",
					"serviceCodes.N", "usageTypes.N", "operations.N", "filters.N.name", "filters.N.values.N", "nextToken", "maxResults",
				},
				numbers: []string{"durations.N", "maxResults"},
				run:     planOfferings,
			},
			"DescribeSavingsPlansOfferingRates": {
				pages: &fromZero,
				members: []string{
					"savingsPlanOfferingIds.N", "savingsPlanPaymentOptions.N", "savingsPlanTypes.N", "products.N", "serviceCodes.N",
					"usageTypes.N", "operations.N", "nextToken", "maxResults",
				},
				unserved: map[string]string{
					"filters.N.name": "the simulator has few rates; list them all", "filters.N.values.N": "the simulator has few rates; list them all",
				},
				numbers: []string{"maxResults"},
				run:     planRates,
			},
			"CreateSavingsPlan": {
				spends: true,
				members: []string{
					"savingsPlanOfferingId", "commitment", "upfrontPaymentAmount", "purchaseTime", "clientToken", "tags",
				},
				numbers: []string{"purchaseTime"},
				maps:    []string{"tags"},
				run:     createPlan,
			},
			"DescribeSavingsPlans": {
				lists: true,
				pages: pages,
				members: []string{
					"savingsPlanArns.N", "savingsPlanIds.N", "nextToken", "maxResults", "states.N", "filters.N.name", "filters.N.values.N",
				},
				numbers: []string{"maxResults"},
				run:     plansOf,
			},
			"DeleteQueuedSavingsPlan": {
				changes:   true,
				members:   []string{"savingsPlanId"},
				resources: ofPlan,
				run:       deleteQueuedPlan,
			},
			"ReturnSavingsPlan": {
				changes:   true,
				members:   []string{"savingsPlanId", "clientToken"},
				resources: ofPlan,
				run:       returnPlan,
			},
			"TagResource": {
				changes:   true,
				members:   []string{"resourceArn", "tags"},
				maps:      []string{"tags"},
				resources: func(c *call) []string { return []string{c.in["resourceArn"]} },
				run:       tagPlan,
			},
			"ListTagsForResource": {
				members:   []string{"resourceArn"},
				resources: func(c *call) []string { return []string{c.in["resourceArn"]} },
				run: func(c *call) (node, *apiError) {
					r, err := c.planByARN()
					if err != nil {
						return node{}, err
					}
					return node{kids: []node{r.planTags()}}, nil
				},
			},
		},
		sells: &seller{
			stock: stockPlans,
			arn: func(_, account, id string) string {
				return "arn:aws:savingsplans::" + account + ":savingsplan/" + id
			},
			quota: 1_000_000_000, // 10,000 USD/h
			adorn: func(_ *world, r *reservation) {
				if r.Attributes == nil {
					r.Attributes = map[string]string{}
				}
				r.Attributes["upfront"] = strconv.Itoa(r.least())
				switch r.Payment {
				case noUpfront:
					r.Attributes["upfront"] = "0"
				case allUpfront:
					r.Attributes["upfront"] = r.total().Canonical()
				}
			},
		},
	})
}

// stockPlans puts the plans on sale. Database plans are sold for a year and paid as
// they go. Of Compute there are some in another currency, which an account that
// pays in dollars cannot buy.
func stockPlans(c *catalog) {
	sell := func(of, money string, attributes map[string]string, key ...string) {
		for _, seconds := range []int64{oneYear, threeYears} {
			for _, payment := range payments {
				if of == planDatabase && (seconds != oneYear || payment != noUpfront) {
					continue
				}
				c.add(newPlanOffering(of, money, seconds, payment, attributes, key...))
			}
		}
	}
	for _, t := range planTypes {
		if t.name != planEC2 {
			sell(t.name, currency, nil)
			continue
		}
		for _, r := range regionPermille {
			for _, f := range planFamilies {
				sell(t.name, currency, map[string]string{"family": f, "region": r.region}, f, r.region)
			}
		}
	}
	sell(planCompute, "CNY", nil, "CNY")
}

// newPlanOffering is an offering at the price of one count.
func newPlanOffering(of, in string, seconds int64, payment string, attributes map[string]string, key ...string) *offering {
	unit := money.MustParse("0.00001", in)
	term := must(unit.Mul(seconds / 3600))
	o := &offering{
		terms:   terms{Class: of, Attributes: attributes, Payment: payment, Seconds: seconds},
		service: savingsPlans, region: noRegion, fixed: money.Zero(in), hourly: money.Zero(in),
		id: drawUUID(0, append([]string{"savings plan", of, strconv.FormatInt(seconds, 10), payment}, key...)...),
	}
	switch payment {
	case allUpfront:
		o.fixed = term
	case partialUpfront:
		o.fixed, o.hourly = must(term.Div(2, 6)), must(unit.Div(2, 6))
	case noUpfront:
		o.hourly = unit
	}
	return o
}

// total is what the plan costs over its term.
func (r *reservation) total() money.Amount {
	return must(must(hundredThousandth.Mul(int64(r.Count))).Mul(r.Seconds / 3600))
}

// least is half of the total in whole dollars: what has to be paid upfront of a plan
// that is Partial Upfront.
func (r *reservation) least() int {
	cents := int64(r.Count) * (r.Seconds / 3600) // hundred-thousandths
	return int((cents + 199_999) / 200_000)
}

// recurring is what the plan costs per hour.
func (r *reservation) recurring() money.Amount {
	upfront := money.MustParse(r.Attributes["upfront"], currency)
	return must(must(r.total().Sub(upfront)).Div(r.Seconds/3600, 8))
}

var (
	commitmentForm = regexp.MustCompile(`^([0-9]{1,7})(?:\.([0-9]{1,5}))?$`)
	wholeForm      = regexp.MustCompile(`^[0-9]{1,12}$`)
)

// createPlan sells. A token that is remembered answers before anything else is
// looked at.
func createPlan(c *call) (node, *apiError) {
	tags := c.in.texts("tags")
	if len(tags) > 0 { // the least that tagging needs elsewhere; the reference names no dependent action
		if err := c.permit("savingsplans:TagResource", c.resource("*")); err != nil {
			return node{}, err
		}
	}
	token, asked := c.in["clientToken"], c.asked()
	if r := c.remembered(token); r != nil {
		if r.Asked != asked && c.opts.TokenMismatch == RefuseMismatch {
			return node{}, fail("ValidationException", "The client token was used with other parameters")
		}
		return node{kids: []node{leaf("savingsPlanId", r.ID)}}, nil
	}
	if len(tags) > 50 {
		return node{}, fail("ServiceQuotaExceededException", "%d tags; a resource has at most 50", len(tags))
	}
	for _, t := range tags {
		if err := checkTag(t.Key, t.Value); err != nil {
			return node{}, err
		}
	}
	id, err := c.in.required("savingsPlanOfferingId")
	if err != nil {
		return node{}, err
	}
	count, err := c.commitment()
	if err != nil {
		return node{}, err
	}
	o := c.offered(id)
	switch {
	case o == nil:
		return node{}, fail("ResourceNotFoundException", "The offering %s does not exist", id)
	case o.hourly.Currency() != currency:
		return node{}, fail("ValidationException", "The offering %s is in %s, which this account does not pay in", id, o.hourly.Currency())
	}
	startsAt, err := c.planStart()
	if err != nil {
		return node{}, err
	}
	quota := c.opts.quotaOf(savingsPlans)
	if used := c.world.used(c.scope(), o.terms, c.now); startsAt.Equal(c.now) && count > quota-used {
		return node{}, fail("ServiceQuotaExceededException", "The commitments would exceed the quota: %d of %d hundred-thousandths of a dollar per hour are in use", used, quota)
	}
	r := c.purchase(o, drawUUID(c.world.seed, "savings plan", c.requestID), count, startsAt)
	r.Tags, r.Token, r.Asked = tags, token, asked
	if err := c.upfront(&r); err != nil {
		return node{}, err
	}
	c.out.Bought = append(c.out.Bought, r)
	return node{kids: []node{leaf("savingsPlanId", r.ID)}}, nil
}

// asked is everything of the request but its token.
func (c *call) asked() string {
	var all []string
	for _, name := range []string{"savingsPlanOfferingId", "commitment", "upfrontPaymentAmount", "purchaseTime", "tags"} {
		all = append(all, c.in[name])
	}
	text, _ := json.Marshal(all) // strings always encode
	return string(text)
}

// commitment reads what is committed to.
func (c *call) commitment() (int, *apiError) {
	text, err := c.in.required("commitment")
	if err != nil {
		return 0, err
	}
	m := commitmentForm.FindStringSubmatch(text)
	if m == nil {
		return 0, fail("ValidationException", "Invalid commitment %q: want a decimal with at most five digits after the point", text)
	}
	n, _ := strconv.ParseInt(m[1]+(m[2] + "00000")[:5], 10, 64) // at most 12 digits
	if n < leastCommitment || n > mostCommitment {
		return 0, fail("ValidationException", "Invalid commitment %q: want 0.001 to 1000000", text)
	}
	return int(n), nil
}

// upfront reads what is paid upfront: of a plan that is Partial Upfront, half of it
// unless the buyer says more. That no amount means half is the simulator's guess.
func (c *call) upfront(r *reservation) *apiError {
	text, ok := c.in["upfrontPaymentAmount"]
	if !ok {
		return nil
	}
	if r.Payment != partialUpfront {
		return fail("ValidationException", "upfrontPaymentAmount is only supported for Partial Upfront, and the offering is %s", r.Payment)
	}
	whole, valid := new(big.Int).SetString(text, 10)
	if !valid || !wholeForm.MatchString(text) {
		return fail("ValidationException", "Invalid upfrontPaymentAmount %q: want a whole number", text)
	}
	total := new(big.Int).Mul(big.NewInt(int64(r.Count)), big.NewInt(r.Seconds/3600)) // hundred-thousandths
	part := new(big.Int).Mul(whole, big.NewInt(100*100_000))                          // of a per cent of that
	if part.Cmp(new(big.Int).Mul(total, big.NewInt(50))) < 0 || part.Cmp(new(big.Int).Mul(total, big.NewInt(99))) > 0 {
		return fail("ValidationException", "Invalid upfrontPaymentAmount %q: want 50 to 99 percent of %s", text, r.total())
	}
	r.Attributes["upfront"] = whole.String()
	return nil
}

// planStart is when the plan starts: now, or the second it is queued for.
func (c *call) planStart() (time.Time, *apiError) {
	text, ok := c.in["purchaseTime"]
	if !ok {
		return c.now, nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	at := time.Unix(int64(seconds), 0).UTC()
	switch {
	case err != nil:
		return at, fail("ValidationException", "Invalid purchaseTime %q", text)
	case !at.After(c.now.Add(c.opts.QueueLead)):
		return at, fail("ValidationException", "Invalid purchaseTime %q: it is too early", text)
	case at.Sub(c.now) > queueLimit:
		return at, fail("ValidationException", "Invalid purchaseTime %q: it is more than three years ahead", text)
	}
	return at, nil
}

// ofPlan is the resource that permissions to change a plan are checked on.
func ofPlan(c *call) []string { return []string{c.resource(c.in["savingsPlanId"])} }

// plan is the one that the call names.
func (c *call) plan(id string) (*reservation, *apiError) {
	r := c.world.byKey[c.world.key(c.scope(), id)]
	if r == nil || r.VisibleAt.After(c.now) {
		return nil, fail("ResourceNotFoundException", "The Savings Plan %s does not exist", id)
	}
	return r, nil
}

func (c *call) planByARN() (*reservation, *apiError) {
	arn, err := c.in.required("resourceArn")
	if err != nil {
		return nil, err
	}
	id, ours := strings.CutPrefix(arn, c.resource(""))
	if !ours {
		return nil, fail("ResourceNotFoundException", "The resource %s does not exist", arn)
	}
	return c.plan(id)
}

func (r *reservation) ref() ref { return ref{r.Service, r.Account, r.Region, r.ID} }

func tagPlan(c *call) (node, *apiError) {
	if _, err := c.in.required("tags"); err != nil {
		return node{}, err
	}
	r, err := c.planByARN()
	if err != nil {
		return node{}, err
	}
	all := slices.Clone(r.Tags)
	for _, t := range c.in.texts("tags") {
		if err := checkTag(t.Key, t.Value); err != nil {
			return node{}, err
		}
		all = append(slices.DeleteFunc(all, func(old Tag) bool { return old.Key == t.Key }), t)
	}
	if len(all) > 50 {
		return node{}, fail("ServiceQuotaExceededException", "%d tags; a resource has at most 50", len(all))
	}
	c.out.Tagged = append(c.out.Tagged, tagged{r.ref(), all})
	return node{}, nil
}

func (r *reservation) planTags() node {
	tags := group("tags")
	for _, t := range r.Tags {
		tags.kids = append(tags.kids, leaf(t.Key, t.Value))
	}
	return tags
}
