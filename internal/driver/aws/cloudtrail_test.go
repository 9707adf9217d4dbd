package aws

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

const trailKey = "ASIAEXAMPLEATTEMPT"

// eventJSON is the record of a purchase, as CloudTrail writes it; change replaces
// pieces of it, in pairs.
func eventJSON(change ...string) string {
	return strings.NewReplacer(change...).Replace(`{"eventVersion":"1.09","userIdentity":{"type":"AssumedRole","principalId":"AROA:bu-att-1",` +
		`"arn":"arn:aws:sts::111122223333:assumed-role/bursar-buyer/bu-att-1","accountId":"111122223333","accessKeyId":"ASIAEXAMPLEATTEMPT"},` +
		`"eventTime":"2031-02-03T04:05:07Z","eventSource":"redshift.amazonaws.com","eventName":"PurchaseReservedNodeOffering","awsRegion":"eu-west-1",` +
		`"requestParameters":{"reservedNodeOfferingId":"438012d3-4052-4cc7-b2e3-8d3372e0e706","nodeCount":2},` +
		`"responseElements":{"reservedNodeId":"1ba8e2e3-bc01-4d65-b35d-a4a3e931547e"},"requestID":"bought-request","recipientAccountId":"111122223333"}`)
}

func historyJSON(t *testing.T, name, source string, records ...string) string {
	var events []string
	for _, r := range records {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, fmt.Sprintf(`{"EventName":%q,"EventSource":%q,"AccessKeyId":%q,"CloudTrailEvent":%s}`, name, source, trailKey, text))
	}
	return `{"Events":[` + strings.Join(events, ",") + `]}`
}

// TestTrail: only a record that proves a purchase by this session names one, and
// one that proves a purchase without naming it is no silence.
func TestTrail(t *testing.T) {
	const id = "1ba8e2e3-bc01-4d65-b35d-a4a3e931547e"
	buy, source := redshiftProduct.opBuy, "redshift.amazonaws.com"
	for name, row := range map[string]struct {
		body   string
		found  int
		failed bool
	}{
		"bought":           {historyJSON(t, buy, source, eventJSON()), 1, false},
		"in a result":      {historyJSON(t, buy, source, eventJSON(`"responseElements":{`, `"responseElements":{"reservedNode":{`, `547e"},`, `547e"}},`)), 1, false},
		"nothing":          {`{"Events":[]}`, 0, false},
		"another call":     {historyJSON(t, "DescribeReservedNodes", source, eventJSON()), 0, false},
		"another service":  {historyJSON(t, buy, "rds.amazonaws.com", eventJSON()), 0, false},
		"refused":          {historyJSON(t, buy, source, eventJSON(`"requestID"`, `"errorCode":"ReservedNodeQuotaExceeded","requestID"`)), 0, false},
		"another key":      {historyJSON(t, buy, source, eventJSON(trailKey, "ASIAANOTHER")), 0, false},
		"another role":     {historyJSON(t, buy, source, eventJSON("bursar-buyer", "admin")), 0, false},
		"a user":           {historyJSON(t, buy, source, eventJSON(`"AssumedRole"`, `"IAMUser"`)), 0, false},
		"another account":  {historyJSON(t, buy, source, eventJSON(`"recipientAccountId":"111122223333"`, `"recipientAccountId":"444455556666"`)), 0, false},
		"another region":   {historyJSON(t, buy, source, eventJSON("eu-west-1", "eu-west-2")), 0, false},
		"no id":            {historyJSON(t, buy, source, eventJSON("reservedNodeId", "reservedThing")), 0, true},
		"no response":      {historyJSON(t, buy, source, eventJSON(`{"reservedNodeId":"`+id+`"}`, "null")), 0, true},
		"torn record":      {historyJSON(t, buy, source, `{"eventName":`), 0, true},
		"denied":           {`403!{"__type":"AccessDeniedException"}`, 0, true},
		"page of a portal": {"<html/>", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			w.bodies = map[string]string{opLookup: row.body}
			d := w.open(t, Redshift, func(c *Config) { c.RoleARN = testRole })
			found, err := d.(driver.Auditor).Trail(t.Context(), w.request(d), trailKey)
			if (err != nil) != row.failed || len(found) != row.found {
				t.Fatalf("Trail: %+v, %v", found, err)
			}
			for _, ev := range found {
				if ev.Kind != cloud.EvidenceAuditLog || ev.Commitment == nil || ev.Commitment.ID != id || ev.Commitment.Lane != d.Info().Lane ||
					ev.RequestID != "bought-request" || ev.Started.IsZero() {
					t.Errorf("evidence %+v", ev)
				}
			}
		})
	}
}

// TestTrailSources: the purchase of every service with an audit log is read under
// each of its sources, and under no other.
func TestTrailSources(t *testing.T) {
	forEach(t, func(t *testing.T, s shape, w *wire, _ driver.Service) {
		d := w.open(t, s.product.service, func(c *Config) { c.RoleARN = testRole })
		auditor, ok := d.(driver.Auditor)
		if !ok {
			if d.Info().Class.Locks() {
				t.Error("nothing but the inventory tells what a purchase did")
			}
			return
		}
		record := eventJSON("reservedNodeId", s.product.bought)
		for _, source := range append(slices.Clone(s.product.sources), "ec3.amazonaws.com") {
			w.bodies[opLookup] = historyJSON(t, s.product.opBuy, source, record)
			want := 1
			if source == "ec3.amazonaws.com" {
				want = 0
			}
			if found, err := auditor.Trail(t.Context(), s.request(w, d), trailKey); err != nil || len(found) != want {
				t.Errorf("%s: %+v, %v", source, found, err)
			}
		}
	})
}

// TestTrailAsks: the log is asked for one access key, and not at all where
// attempts have none of their own.
func TestTrailAsks(t *testing.T) {
	w := newWire(t)
	w.bodies = map[string]string{opLookup: historyJSON(t, redshiftProduct.opBuy, "redshift.amazonaws.com", eventJSON())}
	static := w.open(t, Redshift, nil)
	if found, err := static.(driver.Auditor).Trail(t.Context(), w.request(static), trailKey); err != nil || len(found) != 0 || len(w.calls) != 0 {
		t.Errorf("with static keys: %+v, %v, %v", found, err, w.seen())
	}
	d := w.open(t, EC2Zonal, func(c *Config) { c.RoleARN = testRole })
	if found, err := d.(driver.Auditor).Trail(t.Context(), w.request(d), ""); err != nil || len(found) != 0 || len(w.calls) != 0 {
		t.Errorf("without a credential: %+v, %v, %v", found, err, w.seen())
	}
	w.bodies[opLookup] = historyJSON(t, ec2Shared.opBuy, "ec2.amazonaws.com", eventJSON("reservedNodeId", "reservedInstancesId"))
	if found, err := d.(driver.Auditor).Trail(t.Context(), w.request(d), trailKey); err != nil || len(found) != 1 {
		t.Errorf("EC2: %+v, %v", found, err)
	}
	if got := w.calls[len(w.calls)-1].target; got != "CloudTrail_20131101.LookupEvents" {
		t.Errorf("target %s", got)
	}
	if got := strings.TrimSpace(w.calls[len(w.calls)-1].body); got != `{"LookupAttributes":[{"AttributeKey":"AccessKeyId","AttributeValue":"`+trailKey+`"}]}` {
		t.Errorf("asked %s", got)
	}
	w.bodies[opLookup] = `{"Events":[],"NextToken":"more"}`
	if found, err := d.(driver.Auditor).Trail(t.Context(), w.request(d), trailKey); err == nil {
		t.Errorf("an endless history: %+v", found)
	}
}
