package aws

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
	"bursar/internal/money"
)

// shape is a service on the wire: one offering, and the reservation that two
// units of it become. Bodies are of the forms that botocore and the Go SDK both
// read.
type shape struct {
	product    product
	attributes cloud.Attributes
	offering   string // body of a listing with the one offering
	bought     string // body of the answer to its purchase
	reserved   string // body of a listing with the one reservation; NONE for an empty one
	none       string
	unsold     string // body of a listing without offerings, where that is no error
	sent       string // body of the purchase
	target     string // of the purchase: X-Amz-Target, or method and path
	id         string // of the reservation
	name       string // beside it
	arn        string
	payment    cloud.Payment // "" is partly upfront
	reads      []string      // actions of its session policy
	spends     []string
}

const wireEC2ID = "e5a2ff3b-7d14-494f-90af-0b5d0a1b2c3d"

var shapes = map[cloud.Service]shape{
	RDS: {
		product:    rdsProduct,
		attributes: cloud.Attributes{"engine": "mysql", "class": "db.r6g.large", "multi_az": "false"},
		offering:   listBody(rdsProduct.opOfferings, "ReservedDBInstancesOffering", "", offeringXML(nil)),
		bought:     boughtBody(reservationXML(nil)),
		reserved:   listBody(rdsProduct.opReserved, "ReservedDBInstance", "", reservationXML(nil)),
		none:       listBody(rdsProduct.opReserved, "ReservedDBInstance", ""),
		sent: "Action=PurchaseReservedDBInstancesOffering&DBInstanceCount=2&ReservedDBInstanceId=bu-wire-1" +
			"&ReservedDBInstancesOfferingId=" + wireOffering + "&Tags.Tag.1.Key=a&Tags.Tag.1.Value=1&Version=2014-10-31",
		id: wireID, arn: "arn:aws:rds:eu-west-1:" + testAccount + ":ri:" + wireID,
		reads:  []string{"rds:DescribeReservedDBInstancesOfferings", "rds:DescribeReservedDBInstances"},
		spends: []string{"rds:PurchaseReservedDBInstancesOffering", "rds:AddTagsToResource"},
	},
	ElastiCache: {
		product:    elastiCacheProduct,
		attributes: cloud.Attributes{"engine": "redis", "node_type": "cache.m7g.large"},
		offering:   listBody(elastiCacheProduct.opOfferings, "ReservedCacheNodesOffering", "", cacheXML("<ReservedCacheNodesOfferingId>"+wireOffering+"</ReservedCacheNodesOfferingId>")),
		bought:     wrap(elastiCacheProduct.opBuy, "<ReservedCacheNode>"+cacheNodeXML+"</ReservedCacheNode>"),
		reserved:   listBody(elastiCacheProduct.opReserved, "ReservedCacheNode", "", cacheNodeXML),
		none:       listBody(elastiCacheProduct.opReserved, "ReservedCacheNode", ""),
		sent: "Action=PurchaseReservedCacheNodesOffering&CacheNodeCount=2&ReservedCacheNodeId=bu-wire-1" +
			"&ReservedCacheNodesOfferingId=" + wireOffering + "&Tags.Tag.1.Key=a&Tags.Tag.1.Value=1&Version=2015-02-02",
		id: wireID, arn: "arn:aws:elasticache:eu-west-1:" + testAccount + ":reserved-instance:" + wireID,
		reads:  []string{"elasticache:DescribeReservedCacheNodesOfferings", "elasticache:DescribeReservedCacheNodes"},
		spends: []string{"elasticache:PurchaseReservedCacheNodesOffering", "elasticache:AddTagsToResource"},
	},
	MemoryDB: {
		product:    memoryDBProduct,
		attributes: cloud.Attributes{"node_type": "db.r7g.large"},
		offering:   `{"ReservedNodesOfferings":[{"ReservedNodesOfferingId":"` + wireOffering + `",` + memoryJSON + `}]}`,
		bought:     `{"ReservedNode":{` + memoryNodeJSON + `}}`,
		reserved:   `{"ReservedNodes":[{` + memoryNodeJSON + `}]}`,
		none:       `{"ReservedNodes":[]}`,
		sent: `{"NodeCount":2,"ReservationId":"bu-wire-1","ReservedNodesOfferingId":"` + wireOffering +
			`","Tags":[{"Key":"a","Value":"1"}]}`,
		target: "AmazonMemoryDB.PurchaseReservedNodesOffering",
		id:     wireID, arn: "arn:aws:memorydb:eu-west-1:" + testAccount + ":reservednode/" + wireID,
		reads:  []string{"memorydb:DescribeReservedNodesOfferings", "memorydb:DescribeReservedNodes"},
		spends: []string{"memorydb:PurchaseReservedNodesOffering", "memorydb:TagResource"},
	},
	Redshift: {
		product:    redshiftProduct,
		attributes: cloud.Attributes{"node_type": "ra3.xlplus", "offering_type": "Upgradable"},
		offering:   listBody(redshiftProduct.opOfferings, "ReservedNodeOffering", "", nodeXML+"<ReservedNodeOfferingId>"+wireOffering+"</ReservedNodeOfferingId>"),
		bought:     wrap(redshiftProduct.opBuy, "<ReservedNode>"+reservedNodeXML+"</ReservedNode>"),
		reserved:   listBody(redshiftProduct.opReserved, "ReservedNode", "", reservedNodeXML),
		none:       listBody(redshiftProduct.opReserved, "ReservedNode", ""),
		sent:       "Action=PurchaseReservedNodeOffering&NodeCount=2&ReservedNodeOfferingId=" + wireOffering + "&Version=2012-12-01",
		id:         "1ba8e2e3-bc01-4d65-b35d-a4a3e931547e",
		reads:      []string{"redshift:DescribeReservedNodeOfferings", "redshift:DescribeReservedNodes", "cloudtrail:LookupEvents"},
		spends:     []string{"redshift:PurchaseReservedNodeOffering"},
	},
	EC2: {
		product:    ec2Product,
		attributes: cloud.Attributes{"instance_type": "m7g.large", "platform": "Linux/UNIX", "tenancy": "default", "offering_class": "standard"},
		offering:   ec2Offerings(ec2XML("Region")),
		bought:     ec2Bought,
		reserved:   ec2Reservations(ec2Reservation("Region")),
		none:       ec2Reservations(),
		sent: "Action=PurchaseReservedInstancesOffering&InstanceCount=2&PurchaseTime=2031-02-03T06%3A00%3A00Z" +
			"&ReservedInstancesOfferingId=" + wireOffering + "&Version=2016-11-15",
		id:     wireEC2ID,
		reads:  []string{"ec2:DescribeReservedInstancesOfferings", "ec2:DescribeReservedInstances"},
		spends: []string{"ec2:PurchaseReservedInstancesOffering"},
	},
	EC2Zonal: {
		product: ec2ZonalProduct,
		attributes: cloud.Attributes{"instance_type": "m7g.large", "platform": "Linux/UNIX", "tenancy": "default", "offering_class": "standard",
			"zone": "eu-west-1a"},
		offering: ec2Offerings(ec2XML("Availability Zone")),
		bought:   ec2Bought,
		reserved: ec2Reservations(ec2Reservation("Availability Zone")),
		none:     ec2Reservations(),
		sent:     "Action=PurchaseReservedInstancesOffering&InstanceCount=2&ReservedInstancesOfferingId=" + wireOffering + "&Version=2016-11-15",
		id:       wireEC2ID,
		reads:    []string{"ec2:DescribeReservedInstancesOfferings", "ec2:DescribeReservedInstances", "cloudtrail:LookupEvents"},
		spends:   []string{"ec2:PurchaseReservedInstancesOffering"},
	},
	SavingsPlans: {
		product:    savingsPlansProduct,
		attributes: cloud.Attributes{"plan_type": "EC2Instance", "family": "m7g", "ec2_region": "eu-west-1"},
		offering: `{"searchResults":[{"offeringId":"` + wireOffering + `","productTypes":["EC2"],"planType":"EC2Instance",` +
			`"description":"1 year Partial Upfront m7g EC2 Instance Savings Plan","paymentOption":"Partial Upfront","durationSeconds":31536000,` +
			`"currency":"USD","serviceCode":"ComputeSavingsPlans","usageType":"EUW1-EC2SP:m7g.1yrPartialUpfront","operation":"",` +
			`"properties":[{"name":"region","value":"eu-west-1"},{"name":"instanceFamily","value":"m7g"}]}]}`,
		bought:   `{"savingsPlanId":"` + wireEC2ID + `"}`,
		reserved: `{"savingsPlans":[` + planJSON + `]}`,
		none:     `{"savingsPlans":[]}`,
		unsold:   `{"searchResults":[]}`,
		sent: `{"clientToken":"bu-wire-1","commitment":"1.50","savingsPlanOfferingId":"` + wireOffering +
			`","tags":{"a":"1","bursar:identity":"bu-wire-1"},"upfrontPaymentAmount":"6570"}`,
		target: "POST /CreateSavingsPlan",
		id:     wireEC2ID, arn: "arn:aws:savingsplans::" + testAccount + ":savingsplan/" + wireEC2ID,
		reads:  []string{"savingsplans:DescribeSavingsPlansOfferings", "savingsplans:DescribeSavingsPlans"},
		spends: []string{"savingsplans:CreateSavingsPlan", "savingsplans:TagResource"},
	},
	OpenSearch: {
		product:    openSearchProduct(false),
		attributes: cloud.Attributes{"instance_type": "r6g.large.search"},
		offering:   `{"ReservedInstanceOfferings":[{"ReservedInstanceOfferingId":"` + wireOffering + `",` + searchJSON + `}]}`,
		bought:     `{"ReservedInstanceId":"` + wireEC2ID + `","ReservationName":"` + wireID + `"}`,
		reserved:   `{"ReservedInstances":[{` + searchInstanceJSON + `}]}`,
		none:       `{"ReservedInstances":[]}`,
		sent:       `{"InstanceCount":2,"ReservationName":"bu-wire-1","ReservedInstanceOfferingId":"` + wireOffering + `"}`,
		target:     "POST /2021-01-01/opensearch/purchaseReservedInstanceOffering",
		id:         wireEC2ID,
		name:       wireID,
		reads:      []string{"es:DescribeReservedInstanceOfferings", "es:DescribeReservedInstances", "cloudtrail:LookupEvents"},
		spends:     []string{"es:PurchaseReservedInstanceOffering"},
	},
	RedshiftServerless: {
		product:    serverlessProduct,
		attributes: cloud.Attributes{},
		payment:    cloud.AllUpfront,
		offering:   `{"reservationOfferingsList":[` + serverlessJSON + `]}`,
		bought:     `{"reservation":{` + serverlessReservationJSON + `}}`,
		reserved:   `{"reservationsList":[{` + serverlessReservationJSON + `}]}`,
		none:       `{"reservationsList":[]}`,
		unsold:     `{"reservationOfferingsList":[]}`,
		// The token is that of the identity bu-wire-1, for ever: see clientToken.
		sent:   `{"capacity":2,"clientToken":"86968a30-c427-460e-ab9d-f952c7ae4817","offeringId":"` + wireOffering + `"}`,
		target: "RedshiftServerless.CreateReservation",
		id:     wireEC2ID,
		arn:    "arn:aws:redshift-serverless:eu-west-1:" + testAccount + ":reservation/" + wireEC2ID,
		reads:  []string{"redshift-serverless:ListReservationOfferings", "redshift-serverless:ListReservations", "cloudtrail:LookupEvents"},
		spends: []string{"redshift-serverless:CreateReservation"},
	},
}

const searchJSON = `"InstanceType":"r6g.large.search","Duration":31536000,"FixedPrice":512.1,"UsagePrice":0.07,"CurrencyCode":"USD",` +
	`"PaymentOption":"PARTIAL_UPFRONT","RecurringCharges":[{"RecurringChargeAmount":0.0125,"RecurringChargeFrequency":"Hourly"}]`

const searchInstanceJSON = `"ReservedInstanceId":"` + wireEC2ID + `","ReservationName":"` + wireID + `","ReservedInstanceOfferingId":"` + wireOffering +
	`","BillingSubscriptionId":12345,"StartTime":1927857907.0,"InstanceCount":2,"State":"payment-pending",` + searchJSON

const serverlessJSON = `{"offeringId":"` + wireOffering + `","duration":31536000,"hourlyCharge":0.0825,"upfrontCharge":512.1,"currencyCode":"USD",` +
	`"offeringType":"ALL_UPFRONT"}`

const serverlessReservationJSON = `"reservationId":"` + wireEC2ID + `","reservationArn":"arn:aws:redshift-serverless:eu-west-1:` + testAccount +
	`:reservation/` + wireEC2ID + `","startDate":"2031-02-03T04:05:07Z","endDate":"2032-02-03T04:05:07Z","capacity":2,"status":"payment-pending",` +
	`"offering":` + serverlessJSON

const planJSON = `{"offeringId":"` + wireOffering + `","savingsPlanId":"` + wireEC2ID + `","savingsPlanArn":"arn:aws:savingsplans::` + testAccount +
	`:savingsplan/` + wireEC2ID + `","start":"2031-02-03T04:05:07.000Z","end":"2032-02-03T04:05:06.000Z","state":"payment-pending",` +
	`"region":"eu-west-1","ec2InstanceFamily":"m7g","savingsPlanType":"EC2Instance","paymentOption":"Partial Upfront","productTypes":["EC2"],` +
	`"currency":"USD","commitment":"1.50000","upfrontPaymentAmount":"6570.0","recurringPaymentAmount":"0.75000",` +
	`"termDurationInSeconds":31536000,"tags":{"a":"1","bursar:identity":"bu-wire-1"},"returnableUntil":"2031-02-10T04:05:07.000Z"}`

func cacheXML(more string) string {
	return more + "<CacheNodeType>cache.m7g.large</CacheNodeType><Duration>31536000</Duration><FixedPrice>512.1</FixedPrice>" +
		"<UsagePrice>0.07</UsagePrice><ProductDescription>redis</ProductDescription><OfferingType>Partial Upfront</OfferingType>" +
		"<RecurringCharges>" + hourlyCharge + "</RecurringCharges>"
}

var cacheNodeXML = cacheXML("<ReservedCacheNodeId>" + wireID + "</ReservedCacheNodeId><ReservedCacheNodesOfferingId>" + wireOffering +
	"</ReservedCacheNodesOfferingId><StartTime>2031-02-03T04:05:07.000Z</StartTime><CacheNodeCount>2</CacheNodeCount>" +
	"<State>payment-pending</State><ReservationARN>arn:aws:elasticache:eu-west-1:" + testAccount + ":reserved-instance:" + wireID + "</ReservationARN>")

const memoryJSON = `"NodeType":"db.r7g.large","Duration":31536000,"FixedPrice":512.1,"OfferingType":"Partial Upfront",` +
	`"RecurringCharges":[{"RecurringChargeAmount":0.0825,"RecurringChargeFrequency":"Hourly"}]`

const memoryNodeJSON = `"ReservationId":"` + wireID + `","ReservedNodesOfferingId":"` + wireOffering + `","StartTime":1927857907.0,` +
	`"NodeCount":2,"State":"payment-pending","ARN":"arn:aws:memorydb:eu-west-1:` + testAccount + `:reservednode/` + wireID + `",` + memoryJSON

const nodeXML = "<NodeType>ra3.xlplus</NodeType><Duration>31536000</Duration><FixedPrice>512.1</FixedPrice><UsagePrice>0.07</UsagePrice>" +
	"<CurrencyCode>USD</CurrencyCode><OfferingType>Partial Upfront</OfferingType><RecurringCharges>" + hourlyCharge + "</RecurringCharges>" +
	"<ReservedNodeOfferingType>Upgradable</ReservedNodeOfferingType>"

const reservedNodeXML = nodeXML + "<ReservedNodeId>1ba8e2e3-bc01-4d65-b35d-a4a3e931547e</ReservedNodeId><ReservedNodeOfferingId>" + wireOffering +
	"</ReservedNodeOfferingId><StartTime>2031-02-03T04:05:07.000Z</StartTime><NodeCount>2</NodeCount><State>payment-pending</State>"

func ec2XML(scope string) string {
	zone := ""
	if scope != "Region" {
		zone = "<availabilityZone>eu-west-1a</availabilityZone>"
	}
	return zone + "<instanceType>m7g.large</instanceType><scope>" + scope + "</scope><duration>31536000</duration><fixedPrice>512.1</fixedPrice>" +
		"<usagePrice>0.07</usagePrice><recurringCharges><item><frequency>Hourly</frequency><amount>0.0125</amount></item></recurringCharges>" +
		"<productDescription>Linux/UNIX</productDescription><instanceTenancy>default</instanceTenancy><currencyCode>USD</currencyCode>" +
		"<offeringClass>standard</offeringClass><offeringType>Partial Upfront</offeringType>"
}

func ec2Reservation(scope string) string {
	return ec2XML(scope) + "<reservedInstancesId>" + wireEC2ID + "</reservedInstancesId><start>2031-02-03T06:00:00.000Z</start>" +
		"<instanceCount>2</instanceCount><state>queued</state>"
}

func ec2Offerings(items ...string) string {
	for i, item := range items {
		items[i] = "<item><reservedInstancesOfferingId>" + wireOffering + "</reservedInstancesOfferingId>" + item + "</item>"
	}
	return ec2Wrap(ec2Shared.opOfferings, "<reservedInstancesOfferingsSet>"+strings.Join(items, "")+"</reservedInstancesOfferingsSet>")
}

func ec2Reservations(items ...string) string {
	for i, item := range items {
		items[i] = "<item>" + item + "</item>"
	}
	return ec2Wrap(ec2Shared.opReserved, "<reservedInstancesSet>"+strings.Join(items, "")+"</reservedInstancesSet>")
}

var ec2Bought = ec2Wrap(ec2Shared.opBuy, "<reservedInstancesId>"+wireEC2ID+"</reservedInstancesId>")

func ec2Wrap(op, result string) string {
	return fmt.Sprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%sResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">"+
		"<requestId>wire-request</requestId>%s</%sResponse>", op, result, op)
}

func ec2Error(code string) string {
	return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>" + code + "</Code><Message>no</Message></Error></Errors>" +
		"<RequestID>wire-request</RequestID></Response>"
}

func (s shape) bodies() map[string]string {
	return map[string]string{s.product.opOfferings: s.offering, s.product.opReserved: s.none}
}

func (s shape) request(w *wire, d driver.Service) driver.Request {
	r := w.request(d)
	r.Tags = map[string]string{"a": "1"}
	r.Offering.Service, r.Offering.Attributes = s.product.service, s.attributes
	if s.payment != "" {
		r.Offering.Payment = s.payment
	}
	if s.product.service == SavingsPlans {
		r.Quantity, r.Offering.Region = 150_000, Global
		r.Offering.Unit = money.MustParse("0.00001", "USD")
		r.Offering.Upfront, r.Offering.Hourly = money.MustParse("0.0438", "USD"), money.MustParse("0.000005", "USD")
	}
	if s.product.class == cloud.ClassQueued {
		r.FireAt = time.Date(2031, 2, 3, 6, 0, 0, 0, time.UTC)
	}
	return r
}

// forEach opens every service on a wire of its own.
func forEach(t *testing.T, check func(t *testing.T, s shape, w *wire, d driver.Service)) {
	for _, name := range Services {
		t.Run(string(name), func(t *testing.T) {
			s, there := shapes[name]
			if !there {
				t.Fatal("the service has no shape here")
			}
			w := newWire(t)
			w.bodies = s.bodies()
			w.buy = answer(200, s.bought)
			check(t, s, w, w.open(t, name, nil))
		})
	}
}

// TestServiceOnTheWire pins the one request of each service and what its answer
// proves.
func TestServiceOnTheWire(t *testing.T) {
	forEach(t, func(t *testing.T, s shape, w *wire, d driver.Service) {
		var body, target string
		buy := w.buy
		w.buy = func(rw http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			body, target = string(text), r.Header.Get("X-Amz-Target")
			if r.URL.Path != "/" {
				target = r.Method + " " + r.URL.Path
			}
			buy(rw, r)
		}
		r := s.request(w, d)
		ev, err := w.send(t, d, r)
		if err != nil {
			t.Fatal(err)
		}
		if s.product.service == SavingsPlans { // tags are written in any order
			var sent any
			if err := json.Unmarshal([]byte(body), &sent); err != nil {
				t.Fatal(err)
			}
			sorted, _ := json.Marshal(sent)
			body = string(sorted)
		}
		if diff := cmp.Diff(s.sent, body); diff != "" || target != s.target {
			t.Errorf("target %q, body (-want +got):\n%s", target, diff)
		}
		if ev.RequestID != "wire-request" || ev.Status != 200 || ev.Operation != s.product.opBuy {
			t.Errorf("evidence %+v", ev)
		}
		want := cloud.Commitment{
			Lane: d.Info().Lane, ID: s.id, Name: s.name, ARN: s.arn, OfferingID: wireOffering, Attributes: s.attributes,
			Term: cloud.OneYear, Payment: r.Offering.Payment, Quantity: 2, State: cloud.Pending,
			Upfront: money.MustParse("512.1", "USD"), Hourly: money.MustParse("0.0825", "USD"), Start: time.Date(2031, 2, 3, 4, 5, 7, 0, time.UTC),
		}
		switch s.product.service {
		case SavingsPlans:
			want.Quantity, want.Upfront, want.Hourly, want.Unit = r.Quantity, r.Offering.Upfront, r.Offering.Hourly, r.Offering.Unit
			want.Name = wireID
			asked := want
			asked.ARN, asked.Start = "", time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
			if diff := cmp.Diff(&asked, ev.Commitment); diff != "" || ev.Outcome != cloud.Bought || !strings.Contains(ev.Detail, "and nothing else") {
				t.Errorf("outcome %s, %s, commitment (-want +got):\n%s", ev.Outcome, ev.Detail, diff)
			}
		case EC2, EC2Zonal:
			want.OfferingID, want.State, want.Start = "", cloud.Queued, time.Date(2031, 2, 3, 6, 0, 0, 0, time.UTC)
			fallthrough
		case OpenSearch:
			if ev.Outcome != cloud.Accepted || ev.Handle != s.id || ev.Commitment != nil {
				t.Errorf("evidence %+v, want the handle %s", ev, s.id)
			}
		default:
			if diff := cmp.Diff(&want, ev.Commitment); diff != "" || ev.Outcome != cloud.Bought {
				t.Errorf("outcome %s, commitment (-want +got):\n%s", ev.Outcome, diff)
			}
		}
		w.mu.Lock()
		w.armed = false
		w.bodies[s.product.opReserved] = s.reserved
		w.mu.Unlock()
		found, err := d.Find(t.Context(), r)
		if err != nil || len(found) != 1 {
			t.Fatalf("Find: %+v, %v", found, err)
		}
		if diff := cmp.Diff(&want, found[0].Commitment); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
	})
}

// TestServiceFacts pins what each service says of itself: by what a purchase is
// recognized, how long a token is remembered, and whether a look reads it all.
func TestServiceFacts(t *testing.T) {
	facts := map[cloud.Service]string{
		RDS: "B 0s false", ElastiCache: "B 0s false", MemoryDB: "B 0s false", Redshift: "C 0s true",
		EC2: "Q 0s true", EC2Zonal: "C 0s true", OpenSearch: "C 0s true", RedshiftServerless: "AC 10m0s true", SavingsPlans: "A 10m0s true",
	}
	say := func(d driver.Service) string {
		i := d.Info()
		return fmt.Sprintf("%s %s %t", i.Class, i.Window, i.Lists)
	}
	forEach(t, func(t *testing.T, s shape, _ *wire, d driver.Service) {
		if got := say(d); got != facts[s.product.service] {
			t.Errorf("%s, want %s", got, facts[s.product.service])
		}
	})
	w := newWire(t)
	if got := say(w.open(t, OpenSearch, func(c *Config) { c.OpenSearchNamesUnique = true })); got != "B 0s true" {
		t.Errorf("OpenSearch with unique names: %s", got)
	}
	if got := say(w.open(t, RedshiftServerless, func(c *Config) { c.TokenWindow = time.Hour })); got != "AC 1h0m0s true" {
		t.Errorf("Redshift Serverless with a window: %s", got)
	}
}

// TestServiceIdentity: where our identity goes into the request, one that is not
// fit for it is not sent.
func TestServiceIdentity(t *testing.T) {
	forEach(t, func(t *testing.T, s shape, _ *wire, _ driver.Service) {
		for _, id := range []string{"", "Bu-wire-1", "bu_wire_1", "abc"} {
			w := newWire(t)
			w.bodies = s.bodies()
			w.buy = answer(200, s.bought)
			d := w.open(t, s.product.service, nil)
			r := s.request(w, d)
			r.Identity = id
			carried := d.Info().Class != cloud.ClassQueued && d.Info().Class != cloud.ClassNone || s.product.labeled
			fit := !carried || id == "abc" && !s.product.labeled
			_, err := w.send(t, d, r)
			if sent := driver.OutcomeOf(err) != cloud.Unsent; sent != fit || (w.spent() == 1) != fit {
				t.Errorf("identity %q: %v, %d requests", id, err, w.spent())
			}
		}
	})
}

// TestServiceInDoubt: whatever in a good answer is changed, it proves nothing any
// more, and one request was sent.
func TestServiceInDoubt(t *testing.T) {
	changes := map[string][2]string{
		"cut short":        {"tail", ""},
		"two documents":    {"twice", ""},
		"another offering": {wireOffering, "00000000-0000-4000-8000-000000000000"},
		"another id":       {wireID, "bu-wire-2"},
		"another term":     {"31536000", "94608000"},
		"another payment":  {"Partial Upfront", "All Upfront"},
		"payment failed":   {"payment-pending", "payment-failed"},
		"unknown state":    {"payment-pending", "on-hold"},
		"another type":     {".large", ".xlarge"},
		"another type too": {"ra3.xlplus", "ra3.large"},
		"regular":          {"Upgradable", "Regular"},
		"another count":    {"Count>2<", "Count>3<"},
		"another number":   {`"NodeCount":2`, `"NodeCount":3`},
		"another capacity": {`"capacity":2`, `"capacity":3`},
		"another option":   {"ALL_UPFRONT", "NO_UPFRONT"},
		"no offering":      {`"offering":`, `"thing":`},
		"no instance id":   {`"ReservedInstanceId"`, `"ReservedThing"`},
		"no name":          {`"ReservationName"`, `"ReservedThing"`},
		"another account":  {testAccount, "444455556666"},
		"no price":         {"FixedPrice", "NoPrice"},
		"no id":            {"eservedInstancesId", "eservedThing"},
		"strange id":       {`nstanceId":"` + wireEC2ID, `nstanceId":"e5a2 ff3b`},
		"strange id too":   {"Id>" + wireEC2ID, "Id>e5a2 ff3b"},
		"no plan id":       {"savingsPlanId", "savingsPlan"},
	}
	forEach(t, func(t *testing.T, s shape, _ *wire, _ driver.Service) {
		for name, change := range changes {
			body := strings.ReplaceAll(s.bought, change[0], change[1])
			switch change[0] {
			case "tail":
				body = s.bought[:len(s.bought)-1]
			case "twice":
				body = s.bought + s.bought
			}
			if body == s.bought || name == "no price" && s.product.service == MemoryDB {
				continue // the service does not say it; the JSON of the SDK takes no price for 0
			}
			w := newWire(t)
			w.bodies = s.bodies()
			w.buy = answer(200, body)
			d := w.open(t, s.product.service, nil)
			ev, err := w.send(t, d, s.request(w, d))
			if err == nil || driver.OutcomeOf(err) != cloud.InDoubt || ev.Outcome != cloud.InDoubt || w.spent() != 1 {
				t.Errorf("%s: outcome %s, error %v, %d requests: want doubt and one", name, ev.Outcome, err, w.spent())
			}
		}
		for name, row := range map[string]struct {
			status int
			body   string
		}{
			"empty": {200, ""}, "empty object": {200, "{}"}, "page": {200, "<html><body>Sign in</body></html>"},
			"500": {500, ""}, "504": {504, "{}"}, "page of a proxy": {403, "<html/>"},
		} {
			w := newWire(t)
			w.bodies = s.bodies()
			w.buy = answer(row.status, row.body)
			d := w.open(t, s.product.service, nil)
			ev, err := w.send(t, d, s.request(w, d))
			if err == nil || ev.Outcome != cloud.InDoubt || w.spent() != 1 {
				t.Errorf("%s: outcome %s, error %v, %d requests: want doubt and one", name, ev.Outcome, err, w.spent())
			}
		}
	})
}

// TestServiceAbsence: an answer that lists nothing is not an empty list.
func TestServiceAbsence(t *testing.T) {
	forEach(t, func(t *testing.T, s shape, w *wire, d driver.Service) {
		r := s.request(w, d)
		for name, row := range map[string]struct {
			body   string
			absent bool
		}{
			"empty list": {s.none, true}, "empty body": {"", false}, "empty object": {"{}", false}, "torn": {s.none[:len(s.none)/2], false},
			"HTML":  {"<html><body>Sign in</body></html>", false},
			"fault": {"404!" + s.errorBody(s.product.noReservation), s.product.class == cloud.ClassName},
			"other": {"404!" + s.errorBody("SomethingNew"), false},
		} {
			w.bodies[s.product.opReserved] = row.body
			found, err := d.Find(t.Context(), r)
			if (err == nil) != row.absent || err == nil && (len(found) != 1 || found[0].Kind != cloud.EvidenceAbsence) {
				t.Errorf("%s: %+v, %v", name, found, err)
			}
		}
		w.bodies[s.product.opOfferings] = "400!" + s.errorBody(s.product.noOffering)
		if s.product.noOffering == "" { // nothing is asked for by its id
			w.bodies[s.product.opOfferings] = s.unsold
		}
		if list, err := d.Offerings(t.Context(), driver.Query{ID: "9"}); err != nil || len(list) != 0 {
			t.Errorf("an unknown offering: %+v, %v", list, err)
		}
		if _, err := d.Quote(t.Context(), r); !errors.Is(err, driver.ErrNotSold) {
			t.Errorf("Quote: %v, want ErrNotSold", err)
		}
	})
}

// TestServiceGaps: what costs nothing is no offering, and a reservation says of
// which offering it is wherever the service can.
func TestServiceGaps(t *testing.T) {
	forEach(t, func(t *testing.T, s shape, w *wire, d driver.Service) {
		free := strings.NewReplacer("512.1", "0.0", "0.07", "0.0", "0.0125", "0.0", "0.0825", "0.0")
		w.bodies[s.product.opOfferings] = free.Replace(s.offering)
		if list, err := d.Offerings(t.Context(), driver.Query{}); err == nil && s.product.service != SavingsPlans { // it has no price
			t.Errorf("an offering for nothing: %+v", list)
		}
		w.bodies[s.product.opReserved] = strings.Replace(s.reserved, wireOffering, "", 1)
		found, err := d.Find(t.Context(), s.request(w, d))
		if (err == nil) != s.product.unoffered {
			t.Errorf("a reservation of no offering: %+v, %v", found, err)
		}
	})
}

func (s shape) errorBody(code string) string {
	switch s.product.service {
	case MemoryDB, OpenSearch, RedshiftServerless, SavingsPlans:
		return `{"__type":"` + code + `","message":"no"}`
	case EC2, EC2Zonal:
		return ec2Error(code)
	}
	return errorBody(code, "no")
}

// TestServiceSession: a session of an attempt may do what the service needs and
// nothing else (Service Authorization Reference), and one that reads cannot buy.
func TestServiceSession(t *testing.T) {
	forEach(t, func(t *testing.T, s shape, w *wire, _ driver.Service) {
		d := w.open(t, s.product.service, func(c *Config) { c.RoleARN = testRole })
		r := s.request(w, d)
		r.Deadline = time.Date(2031, 2, 3, 4, 7, 8, 0, time.UTC)
		if _, err := d.Quote(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Find(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		reads := fmt.Sprintf(`{"Effect":"Allow","Action":["sts:GetCallerIdentity","%s"],"Resource":"*"}`, strings.Join(s.reads, `","`))
		spends := fmt.Sprintf(`{"Effect":"Allow","Action":["%s"],"Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"2031-02-03T04:07:08Z"}}}`,
			strings.Join(s.spends, `","`))
		var got []string
		for _, c := range w.calls {
			if c.action == opAssumeRole {
				got = append(got, c.form.Get("Policy"))
			}
		}
		want := []string{`{"Version":"2012-10-17","Statement":[` + reads + `,` + spends + `]}`, `{"Version":"2012-10-17","Statement":[` + reads + `]}`}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("policies (-want +got):\n%s", diff)
		}
	})
}

// TestJSONCode: a code counts only in a whole document that says one thing.
func TestJSONCode(t *testing.T) {
	const code = "ReservedNodeQuotaExceededFault"
	for name, row := range map[string]struct {
		header, body, want string
	}{
		"body":              {"", `{"__type":"` + code + `","message":"x"}`, code},
		"namespace":         {"", `{"__type":"com.amazonaws.memorydb#` + code + `"}`, code},
		"member code":       {"", `{"code":"` + code + `"}`, code},
		"header":            {code + ":http://internal.amazon.com/", `{"message":"x"}`, code},
		"both":              {code, `{"__type":"` + code + `"}`, code},
		"header disagrees":  {"ValidationException", `{"__type":"` + code + `"}`, ""},
		"members disagree":  {"", `{"__type":"` + code + `","code":"x"}`, ""},
		"header alone":      {code, "", ""},
		"header and a page": {code, "<html/>", ""},
		"torn":              {"", `{"__type":"` + code + `"`, ""},
		"more behind":       {"", `{"__type":"` + code + `"}{}`, ""},
		"a list":            {"", `[{"__type":"` + code + `"}]`, ""},
		"null":              {code, `null`, ""},
		"not a text":        {"", `{"__type":{"x":"` + code + `"}}`, ""},
		"nothing":           {"", `{}`, ""},
	} {
		r := &oneshot.Reply{Status: 400, Header: http.Header{}, Body: []byte(row.body)}
		if row.header != "" {
			r.Header.Set("X-Amzn-ErrorType", row.header)
		}
		if got := jsonCode(r); got != row.want {
			t.Errorf("%s: code %q, want %q", name, got, row.want)
		}
		r.Err = io.ErrUnexpectedEOF
		if got := jsonCode(r); got != "" {
			t.Errorf("%s: code %q of a body that broke off", name, got)
		}
	}
}

func TestEC2Code(t *testing.T) {
	for name, row := range map[string]struct{ body, want string }{
		"one":           {ec2Error("AuthFailure"), "AuthFailure"},
		"two":           {strings.Replace(ec2Error("AuthFailure"), "</Errors>", "<Error><Code>X</Code></Error></Errors>", 1), ""},
		"none":          {"<Response><Errors></Errors></Response>", ""},
		"another shape": {errorBody("AuthFailure", "x"), ""},
		"cut short":     {strings.TrimSuffix(ec2Error("AuthFailure"), "</Response>"), ""},
		"more behind":   {ec2Error("AuthFailure") + "x", ""},
	} {
		if got := ec2Code(&oneshot.Reply{Body: []byte(row.body)}); got != row.want {
			t.Errorf("%s: code %q, want %q", name, got, row.want)
		}
	}
	if got := ec2Code(&oneshot.Reply{Body: []byte(ec2Error("AuthFailure")), Err: io.ErrUnexpectedEOF}); got != "" {
		t.Errorf("code %q of a body that broke off", got)
	}
}
