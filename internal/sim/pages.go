package sim

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// pager is how an operation pages.
type pager struct {
	token, size string // request members
	low, high   int    // of size; high is the default
	invalid     string // error code of a bad token
	answer      string // the token in the answer, if it is not called token
	events      bool   // pages hold events, in order; otherwise they are shuffled
	blanks      bool   // a page may be empty and still have a next one
}

func (p *pager) out() string {
	if p.answer != "" {
		return p.answer
	}
	return p.token
}

// byMarker is how RDS, ElastiCache and Redshift page.
var byMarker = &pager{token: "Marker", size: "MaxRecords", low: 20, high: 100, invalid: "InvalidParameterValue"}

// A chain is the pages of one listing. Its first page fixes what the listing
// holds and in which order, and every marker carries that: the pages of a chain
// never show a record twice and never miss one that was visible at the start.
type chain struct {
	Query  string    `json:"q"`           // hash of who asks for what
	Nonce  string    `json:"n"`           // orders the records
	AsOf   time.Time `json:"t"`           // records visible then
	Len    int       `json:"l"`           // records in the world then
	Offset int       `json:"o"`           // records shown
	Blank  bool      `json:"b,omitempty"` // the page before was empty
	Check  string    `json:"c,omitempty"`
}

// paginate picks the page of records that the call asks for. born tells when a
// record became visible and its position in the world.
func paginate[T any](c *call, records []T, born func(T) (time.Time, int)) (page []T, marker string, err *apiError) {
	most, err := c.in.integer(c.op.pages.size, c.op.pages.high, c.op.pages.low, c.op.pages.high)
	if err != nil {
		return nil, "", err
	}
	if most == 0 { // where 0 is allowed it asks for the default
		most = c.op.pages.high
	}
	ch, err := c.chain()
	if err != nil {
		return nil, "", err
	}
	records = slices.DeleteFunc(slices.Clone(records), func(r T) bool {
		at, seq := born(r)
		return at.After(ch.AsOf) || seq >= ch.Len && !at.IsZero()
	})
	if !c.op.pages.events {
		order := digest(c.world.seed, "order", ch.Nonce)
		rng := rand.New(rand.NewChaCha8(order))
		rng.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	}

	start := min(ch.Offset, len(records))
	if c.op.pages.blanks && !ch.Blank && draw(2, c.world.seed, "blank", ch.Nonce, strconv.Itoa(start)) == 0 {
		ch.Blank = true
		return nil, c.seal(ch), nil
	}
	ch.Blank = false
	size := 1 + int(draw(uint64(min(most, c.opts.PageSize)), c.world.seed, "page", ch.Nonce, strconv.Itoa(start)))
	if c.opts.FullPages {
		size = min(most, c.opts.PageSize)
	}
	end := min(start+size, len(records))
	if _, cut := c.hits[TruncatedPage]; end == len(records) || cut {
		return records[start:end], "", nil
	}
	ch.Offset = end
	return records[start:end], c.seal(ch), nil
}

// chain starts a chain, or continues the one of the call's marker.
func (c *call) chain() (chain, *apiError) {
	query := c.query()
	marker, ok := c.in[c.op.pages.token]
	if !ok {
		ch := chain{Query: query, Nonce: c.requestID, AsOf: c.asOf(), Len: c.records()}
		if c.op.pages.events {
			ch.Len = len(c.world.events)
		}
		return ch, nil
	}
	var ch chain
	raw, err := base64.StdEncoding.DecodeString(marker)
	if err == nil {
		err = json.Unmarshal(raw, &ch)
	}
	sealed := c.seal(ch)
	if err != nil || subtle.ConstantTimeCompare([]byte(sealed), []byte(marker)) != 1 || ch.Query != query {
		return chain{}, fail(c.op.pages.invalid, "The parameter %s is invalid: it is not from a previous response to the same request", c.op.pages.token)
	}
	return ch, nil
}

// records counts what there is to list in the world.
func (c *call) records() int {
	if c.service.provider == onGCP {
		return len(c.world.gcp.owned)
	}
	return len(c.world.reservations)
}

// seal is the marker of a chain, which a client cannot make up.
func (c *call) seal(ch chain) string {
	ch.Check = ""
	plain, _ := json.Marshal(ch) // strings, integers and a time always encode
	sum := digest(c.world.seed, "marker", string(plain))
	ch.Check = hex.EncodeToString(sum[:8])
	sealed, _ := json.Marshal(ch)
	return base64.StdEncoding.EncodeToString(sealed)
}

// query identifies what is listed and for whom, apart from the page.
func (c *call) query() string {
	parts := []string{strconv.Itoa(c.world.generation), c.service.name, c.op.name, c.who.account, c.region}
	for _, name := range slices.Sorted(maps.Keys(c.in)) {
		if name != c.op.pages.token && name != c.op.pages.size {
			parts = append(parts, name, c.in[name])
		}
	}
	sum := digest(c.world.seed, parts...)
	return hex.EncodeToString(sum[:8])
}
