package sim

import (
	"time"

	"bursar/internal/money"
)

// Tag is a key and a value on a commitment.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Entry is one commitment as the simulator knows it, listed or hidden. All
// times are simulated, UTC. Prices are per instance, as AWS quotes them: the whole
// costs Count times as much. Attributes are what the service has besides:
//
//	rds          product, multi_az, lease_id
//	elasticache  product
//	ec2          product, offering_class, tenancy, scope, zone, failed_word (how a
//	             failed payment shows on the wire)
//	redshift     pending_word (how its first state is spelled on the wire)
//	savingsplans family and region (type EC2Instance only), upfront (of the whole)
//
//	microsoft.capacity         type, scope, renew, instance_flexibility, failed_word (its
//	                           state on the wire if it fails), alias if it has one
//	microsoft.billingbenefits  alias, scope
//
// A Savings Plan is in the region "global", its class is its type, and it counts
// hundred-thousandths of a dollar of commitment per hour: a count of 150000 is 1.5
// USD/h. Where more than half of it was paid upfront, its attribute says how much,
// and the prices are those of half.
type Entry struct {
	Provider   string            `json:"provider"` // "aws", "azure", "gcp"
	Service    string            `json:"service"`
	Account    string            `json:"account"`
	Region     string            `json:"region"`
	ID         string            `json:"id"`      // as listings show it
	SentID     string            `json:"sent_id"` // as the buyer sent it; "" if the service chose it
	Name       string            `json:"name"`    // the buyer's, beside the id; "" where there is none
	Token      string            `json:"token"`   // of the client; "" where there is none
	ARN        string            `json:"arn"`     // "" if the service has none
	OfferingID string            `json:"offering_id"`
	Class      string            `json:"class"`
	Attributes map[string]string `json:"attributes"`
	Payment    string            `json:"payment"` // "All Upfront", "Partial Upfront", "No Upfront"
	Seconds    int64             `json:"seconds"` // length of the term
	Count      int               `json:"count"`
	Fixed      money.Amount      `json:"fixed"`
	Hourly     money.Amount      `json:"hourly"`
	Tags       []Tag             `json:"tags"`
	State      string            `json:"state"`
	BoughtAt   time.Time         `json:"bought_at"`
	StartsAt   time.Time         `json:"starts_at"`  // the term; after BoughtAt if it was queued
	VisibleAt  time.Time         `json:"visible_at"` // listings show it from then on
	SettlesAt  time.Time         `json:"settles_at"` // the payment succeeds or fails then
	EndsAt     time.Time         `json:"ends_at"`
	Existing   bool              `json:"existing"` // put there by Add, not bought here
	AccessKey  string            `json:"access_key"`
	Session    string            `json:"session"` // role session name
	RequestID  string            `json:"request_id"`
}

// Request is one line of the request log.
type Request struct {
	Seq          int       `json:"seq"` // from 1
	Time         time.Time `json:"time"`
	ID           string    `json:"id"`
	Provider     string    `json:"provider"`
	Service      string    `json:"service"`
	Operation    string    `json:"operation"`
	Account      string    `json:"account"`
	Region       string    `json:"region"`
	AccessKey    string    `json:"access_key"` // masked
	Session      string    `json:"session"`
	InvocationID string    `json:"invocation_id"`       // Amz-Sdk-Invocation-Id: the same on every SDK retry
	Attempt      int       `json:"attempt"`             // from Amz-Sdk-Request; 0 if absent
	Status       int       `json:"status"`              // 0: no status was sent (yet)
	Code         string    `json:"code"`                // error code, "" on success
	Fault        string    `json:"fault"`               // kinds that struck, joined by "+"
	Applied      bool      `json:"applied"`             // the operation was carried out
	AppliedAt    time.Time `json:"applied_at,omitzero"` // zero if it was not
	Spending     bool      `json:"spending"`            // an operation that spends money
}

// mask shortens an access key id to what identifies it among a few.
func mask(accessKey string) string {
	if len(accessKey) <= 8 {
		return accessKey
	}
	return accessKey[:4] + "..." + accessKey[len(accessKey)-4:]
}
