package aws

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// TestFindAbsence: the fault and the empty list say the same, and nothing else
// says it: an answer that lists nothing is not an empty list.
func TestFindAbsence(t *testing.T) {
	whole := listBody(rdsProduct.opReserved, "ReservedDBInstance", "")
	for name, row := range map[string]struct {
		body   string
		absent bool
	}{
		"fault":            {"404!" + errorBody("ReservedDBInstanceNotFound", "x"), true},
		"empty list":       {whole, true},
		"empty body":       {"", false},
		"no list":          {wrap(rdsProduct.opReserved, ""), false},
		"torn":             {whole[:len(whole)/2], false},
		"HTML":             {"<html><body>Sign in</body></html>", false},
		"denied":           {"403!" + errorBody("AccessDenied", "x"), false},
		"unknown code":     {"400!" + errorBody("SomethingNew", "x"), false},
		"name of the type": {"404!" + errorBody("ReservedDBInstanceNotFoundFault", "x"), false},
		"fault under 307":  {"307!" + errorBody("ReservedDBInstanceNotFound", "x"), false},
		"page of a proxy":  {"404!not found", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			w.reserved = row.body
			w.tick = time.Second
			d := w.rds(t, nil)
			r := w.request(d)
			r.Identities = []string{"bu-wire-0", wireID}
			found, err := d.Find(t.Context(), r)
			if (err == nil) != row.absent {
				t.Fatalf("Find: %+v, %v", found, err)
			}
			if err != nil {
				if driver.OutcomeOf(err) != cloud.InDoubt {
					t.Errorf("a failed look proves %s", driver.OutcomeOf(err))
				}
				return
			}
			ev := found[0]
			if len(found) != 1 || ev.Kind != cloud.EvidenceAbsence || !ev.Started.Equal(wireStart) || ev.RequestID != "wire-request" ||
				!ev.CloudTime.Equal(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)) {
				t.Errorf("evidence %+v", ev)
			}
		})
	}
}

func TestFindListing(t *testing.T) {
	for name, row := range map[string]struct {
		items []string
		found int // -1 is an error
	}{
		"same":            {[]string{reservationXML(nil)}, 1},
		"other case":      {[]string{strings.ReplaceAll(reservationXML(nil), wireID, "BU-Wire-1")}, 1},
		"repeated item":   {[]string{reservationXML(nil), reservationXML(nil)}, 1},
		"two leases":      {[]string{reservationXML(nil), reservationXML(map[string]string{"LeaseId": "f"})}, 2},
		"two starts":      {[]string{reservationXML(nil), reservationXML(map[string]string{"StartTime": "2031-02-03T04:05:08.000Z"})}, 2},
		"retired":         {[]string{reservationXML(map[string]string{"State": "retired"})}, 1},
		"old payment":     {[]string{reservationXML(map[string]string{"OfferingType": "Heavy Utilization"})}, 1},
		"another id":      {[]string{strings.ReplaceAll(reservationXML(nil), wireID, "bu-wire-2")}, -1},
		"another account": {[]string{strings.ReplaceAll(reservationXML(nil), testAccount, "444455556666")}, -1},
		"another region":  {[]string{strings.ReplaceAll(reservationXML(nil), "eu-west-1", "eu-west-2")}, -1},
		"no id":           {[]string{reservationXML(map[string]string{"ReservedDBInstanceId": "-"})}, -1},
		"monthly":         {[]string{strings.ReplaceAll(reservationXML(nil), "Hourly", "Monthly")}, -1},
		"no price":        {[]string{reservationXML(map[string]string{"UsagePrice": "-"})}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			w.reserved = listBody(rdsProduct.opReserved, "ReservedDBInstance", "", row.items...)
			d := w.rds(t, nil)
			found, err := d.Find(t.Context(), w.request(d))
			if row.found < 0 {
				if err == nil {
					t.Errorf("found %+v, want an error", found)
				}
				return
			}
			if err != nil || len(found) != row.found {
				t.Fatalf("found %d, %v, want %d", len(found), err, row.found)
			}
			for _, ev := range found {
				if ev.Kind != cloud.EvidenceListing || ev.Outcome != cloud.Exists || ev.Commitment == nil || ev.CloudTime.IsZero() {
					t.Errorf("evidence %+v", ev)
				}
			}
		})
	}
}

func TestStates(t *testing.T) {
	for word, want := range map[string]cloud.CommitmentState{
		"payment-pending": cloud.Pending, "active": cloud.Active, "payment-failed": cloud.Failed, "retired": cloud.Retired,
		"on-hold": cloud.Unknown, "Active": cloud.Unknown, "": cloud.Unknown,
	} {
		w := newWire(t)
		w.reserved = listBody(rdsProduct.opReserved, "ReservedDBInstance", "", reservationXML(map[string]string{"State": word}))
		d := w.rds(t, nil)
		found, err := d.Find(t.Context(), w.request(d))
		if err != nil || len(found) != 1 || found[0].Commitment.State != want {
			t.Errorf("%q: %+v, %v, want %s", word, found, err, want)
		}
	}
}

// TestEndlessListing: a marker that comes back is an error in both listings.
func TestEndlessListing(t *testing.T) {
	w := newWire(t)
	w.reserved = listBody(rdsProduct.opReserved, "ReservedDBInstance", "more", reservationXML(nil))
	w.offerings = listBody(rdsProduct.opOfferings, "ReservedDBInstancesOffering", "more", offeringXML(nil))
	d := w.rds(t, nil)
	r := w.request(d)
	if found, err := d.Find(t.Context(), r); err == nil {
		t.Errorf("found %+v", found)
	}
	r.Identities = nil
	if found, err := d.Find(t.Context(), r); err == nil {
		t.Errorf("inventory %+v", found)
	}
	if list, err := d.Offerings(t.Context(), driver.Query{}); err == nil {
		t.Errorf("offerings %+v", list)
	}
}

func TestFindEmptyIdentity(t *testing.T) {
	w := newWire(t)
	d := w.rds(t, nil)
	r := w.request(d)
	r.Identities = []string{wireID, ""}
	if found, err := d.Find(t.Context(), r); err == nil {
		t.Errorf("found %+v: an empty id would list everything", found)
	}
}

func TestOfferings(t *testing.T) {
	w := newWire(t)
	id := func(n string, more ...string) string {
		change := map[string]string{"ReservedDBInstancesOfferingId": n}
		for i := 0; i < len(more); i += 2 {
			change[more[i]] = more[i+1]
		}
		return offeringXML(change)
	}
	w.offerings = listBody(rdsProduct.opOfferings, "ReservedDBInstancesOffering", "",
		id("1"), id("2", "ProductDescription", "aurora-mysql"), id("3", "MultiAZ", "true"), id("4", "OfferingType", "Heavy Utilization"),
		id("5", "Duration", "63072000"), id("6", "OfferingType", "No Upfront", "FixedPrice", "0.0", "UsagePrice", "0.1", "RecurringCharges",
			hourlyCharge+strings.Replace(hourlyCharge, "0.0125", "0.2", 1)), id("7", "Duration", "94608000"))
	d := w.rds(t, nil)
	for name, row := range map[string]struct {
		query driver.Query
		want  string
	}{
		"all":     {driver.Query{}, "1 2 3 6 7"},
		"engine":  {driver.Query{Attributes: cloud.Attributes{"engine": "mysql"}}, "1 3 6 7"},
		"part":    {driver.Query{Attributes: cloud.Attributes{"engine": "sql"}}, ""},
		"zones":   {driver.Query{Attributes: cloud.Attributes{"multi_az": "true"}}, "3"},
		"payment": {driver.Query{Payment: cloud.NoUpfront}, "6"},
		"term":    {driver.Query{Term: cloud.ThreeYears}, "7"},
		"id":      {driver.Query{ID: "2"}, "2"},
	} {
		list, err := d.Offerings(t.Context(), row.query)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, o := range list {
			ids = append(ids, o.ID)
			// 0.1 + 0.0125 + 0.2 is not 0.3125 in floats.
			if o.ID == "6" && (o.Hourly.Canonical() != "0.3125" || !o.Upfront.IsZero() || o.Upfront.Currency() != "USD") {
				t.Errorf("offering 6 costs %s and %s an hour", o.Upfront, o.Hourly)
			}
		}
		if got := strings.Join(ids, " "); got != row.want {
			t.Errorf("%s: offerings %s, want %s", name, got, row.want)
		}
	}
	for _, q := range []driver.Query{
		{Payment: cloud.Monthly}, {Attributes: cloud.Attributes{"multi_az": "yes"}}, {Attributes: cloud.Attributes{"size": "large"}},
	} {
		if list, err := d.Offerings(t.Context(), q); err == nil {
			t.Errorf("%+v returned %+v", q, list)
		}
	}
	for _, body := range []string{"", wrap(rdsProduct.opOfferings, "")} {
		w.offerings = body
		if list, err := d.Offerings(t.Context(), driver.Query{}); err == nil {
			t.Errorf("an answer without a list returned %+v", list)
		}
	}
	w.offerings = "404!" + errorBody("ReservedDBInstancesOfferingNotFound", "x")
	if list, err := d.Offerings(t.Context(), driver.Query{ID: "9"}); err != nil || len(list) != 0 {
		t.Errorf("an unknown id returned %+v, %v", list, err)
	}
	if _, err := d.Quote(t.Context(), w.request(d)); !errors.Is(err, driver.ErrNotSold) {
		t.Errorf("Quote: %v, want ErrNotSold", err)
	}
}

func TestAmount(t *testing.T) {
	for _, text := range []string{"0", "0.1", "0.0825", "1234567.89", "0.00000001", "123456789012.345"} {
		w := newWire(t)
		w.offerings = listBody(rdsProduct.opOfferings, "ReservedDBInstancesOffering", "", offeringXML(map[string]string{"FixedPrice": text}))
		list, err := w.rds(t, nil).Offerings(t.Context(), driver.Query{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text, list[0].Upfront.Decimal()); diff != "" {
			t.Errorf("upfront (-want +got):\n%s", diff)
		}
	}
	for _, text := range []string{"-1", "NaN", "Inf", "1e300"} {
		w := newWire(t)
		w.offerings = listBody(rdsProduct.opOfferings, "ReservedDBInstancesOffering", "", offeringXML(map[string]string{"FixedPrice": text}))
		if list, err := w.rds(t, nil).Offerings(t.Context(), driver.Query{}); err == nil {
			t.Errorf("a price of %s returned %+v", text, list)
		}
	}
}
