package aws

import (
	"errors"
	"strings"
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// ec2Wire is a wire with EC2 on it, opened for a scope.
func ec2Wire(t *testing.T, s cloud.Service) (*wire, driver.Service, driver.Request) {
	w := newWire(t)
	w.bodies = shapes[s].bodies()
	d := w.open(t, s, nil)
	return w, d, shapes[s].request(w, d)
}

// TestEC2Lanes: a listing shows both scopes, and each service sees its own. What
// has neither is in no lane, so nothing is known of either.
func TestEC2Lanes(t *testing.T) {
	zonal := strings.Replace(ec2Reservation("Availability Zone"), wireEC2ID, "zonal-reservation-1", 1)
	both := ec2Reservations(ec2Reservation("Region"), zonal)
	strange := ec2Reservations(ec2Reservation("Region"), strings.Replace(zonal, "Availability Zone", "Galaxy", 1))
	for s, id := range map[cloud.Service]string{EC2: wireEC2ID, EC2Zonal: "zonal-reservation-1"} {
		w, d, r := ec2Wire(t, s)
		w.bodies[ec2Shared.opReserved] = both
		if found, err := d.Find(t.Context(), r); err != nil || len(found) != 1 || found[0].Commitment.ID != id || found[0].Commitment.Service != s {
			t.Errorf("%s: %+v, %v, want %s", s, found, err, id)
		}
		w.bodies[ec2Shared.opReserved] = strange
		if found, err := d.Find(t.Context(), r); err == nil {
			t.Errorf("%s: an unknown scope was listed: %+v", s, found)
		}
	}
}

func TestEC2Offerings(t *testing.T) {
	w, d, r := ec2Wire(t, EC2)
	ask := func(item string) ([]cloud.Offering, error) {
		w.bodies[ec2Shared.opOfferings] = ec2Offerings(item)
		return d.Offerings(t.Context(), driver.Query{Attributes: r.Offering.Attributes, Term: cloud.OneYear, Payment: cloud.PartialUpfront})
	}
	for name, item := range map[string]string{
		"of the marketplace": ec2XML("Region") + "<marketplace>true</marketplace>",
		"of a zone":          ec2XML("Availability Zone"),
		"convertible":        strings.Replace(ec2XML("Region"), ">standard<", ">convertible<", 1),
	} {
		if list, err := ask(item); err != nil || len(list) != 0 {
			t.Errorf("%s: %+v, %v", name, list, err)
		}
	}
	form := w.calls[len(w.calls)-1].form
	for key, want := range map[string]string{
		"Filter.1.Name": "scope", "Filter.1.Value.1": "Region", "IncludeMarketplace": "false", "MinDuration": "31536000", "MaxDuration": "31536000",
		"OfferingType": "Partial Upfront", "InstanceType": "m7g.large", "ProductDescription": "Linux/UNIX", "InstanceTenancy": "default",
		"OfferingClass": "standard",
	} {
		if got := form.Get(key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	// The SDK makes float32 of the prices of EC2.
	for text, want := range map[string]string{
		"0.0": "0", "0.1": "0.1", "843.0": "843", "1234.56": "1234.56", "99999.9": "99999.9", "262145": "262145", "16777215": "16777215",
		"262144.5": "", "16777217": "", "NaN": "", "-1": "",
	} {
		list, err := ask(strings.Replace(ec2XML("Region"), "512.1", text, 1))
		if want == "" {
			if err == nil {
				t.Errorf("a price of %s returned %+v", text, list)
			}
			continue
		}
		if err != nil || len(list) != 1 || list[0].Upfront.Decimal() != want {
			t.Errorf("a price of %s: %+v, %v", text, list, err)
		}
	}
}

// TestServiceStates pins what every state of every service means.
func TestServiceStates(t *testing.T) {
	forEach(t, func(t *testing.T, s shape, w *wire, d driver.Service) {
		wants := map[string]cloud.CommitmentState{
			"payment-pending": cloud.Pending, "active": cloud.Active, "payment-failed": cloud.Failed, "retired": cloud.Retired,
			"on-hold": cloud.Unknown, "Active": cloud.Unknown, "queued": cloud.Unknown, "pending-payment": cloud.Unknown, "": cloud.Unknown,
		}
		was := "payment-pending"
		switch s.product.service {
		case Redshift:
			wants["pending-payment"], wants["exchanging"] = cloud.Pending, cloud.Active
		case SavingsPlans:
			wants["queued"], wants["queued-deleted"] = cloud.Queued, cloud.Deleted
			wants["pending-return"], wants["returned"] = cloud.Returning, cloud.Returned
		case EC2, EC2Zonal:
			// Its term has not ended on the clock of the wire.
			was, wants["retired"] = "queued", cloud.Unknown
			wants["queued"], wants["queued-deleted"] = cloud.Queued, cloud.Deleted
		}
		check := func(word string, want cloud.CommitmentState, reserved string) {
			w.bodies[s.product.opReserved] = strings.Replace(reserved, was, word, 1)
			found, err := d.Find(t.Context(), s.request(w, d))
			if err != nil || len(found) != 1 || found[0].Commitment.State != want {
				t.Errorf("%q: %+v, %v, want %s", word, found, err, want)
			}
		}
		for word, want := range wants {
			check(word, want, s.reserved)
		}
		if was == "queued" {
			check("retired", cloud.Retired, strings.Replace(s.reserved, "2031-02-03T06", "2030-02-03T03", 1))
		}
	})
}

func TestRelease(t *testing.T) {
	deleted := func(done, failed string) string {
		return ec2Wrap(opRelease, "<successfulQueuedPurchaseDeletionSet>"+done+"</successfulQueuedPurchaseDeletionSet>"+
			"<failedQueuedPurchaseDeletionSet>"+failed+"</failedQueuedPurchaseDeletionSet>")
	}
	this := "<reservedInstancesId>" + wireEC2ID + "</reservedInstancesId>"
	for name, row := range map[string]struct {
		body   string
		change func(*cloud.Commitment)
		ok     bool
	}{
		"deleted":     {body: deleted("<item>"+this+"</item>", ""), ok: true},
		"not queued":  {body: deleted("", "<item><error><code>reserved-instances-not-in-queued-state</code><message>x</message></error>"+this+"</item>")},
		"another one": {body: deleted("<item><reservedInstancesId>x</reservedInstancesId></item>", "")},
		"nothing":     {body: deleted("", "")},
		"empty":       {body: ""},
		"denied":      {body: "403!" + ec2Error("UnauthorizedOperation")},
		"active":      {body: deleted("<item>"+this+"</item>", ""), change: func(c *cloud.Commitment) { c.State = cloud.Active }},
		"of a zone":   {body: deleted("<item>"+this+"</item>", ""), change: func(c *cloud.Commitment) { c.Service = EC2Zonal }},
		"foreign":     {body: deleted("<item>"+this+"</item>", ""), change: func(c *cloud.Commitment) { c.Account = "444455556666" }},
	} {
		w, _, r := ec2Wire(t, EC2)
		d := w.open(t, EC2, func(c *Config) { c.RoleARN = testRole })
		w.bodies[opRelease] = row.body
		order := cloud.Commitment{Lane: d.Info().Lane, ID: wireEC2ID, State: cloud.Queued, Start: r.FireAt}
		if row.change != nil {
			row.change(&order)
		}
		err := d.(driver.Releaser).Release(t.Context(), r, order)
		if (err == nil) != row.ok {
			t.Errorf("%s: %v", name, err)
		}
		if row.change != nil && len(w.calls) > 0 {
			t.Errorf("%s: AWS was asked: %v", name, w.seen())
		}
		if row.ok && (w.calls[0].form.Get("RoleSessionName") != releaseSession || w.calls[1].form.Get("ReservedInstancesId.1") != wireEC2ID ||
			w.calls[0].form.Get("Policy") != `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:GetCallerIdentity",`+
				`"ec2:DeleteQueuedReservedInstances"],"Resource":"*"}]}`) {
			t.Errorf("%s: %+v", name, w.calls)
		}
	}
}

// A reservation is tagged with a session that can do nothing else.
func TestTag(t *testing.T) {
	for _, service := range []cloud.Service{EC2, EC2Zonal} {
		for name, row := range map[string]struct {
			body   string
			change func(*cloud.Commitment)
			ok     bool
		}{
			"tagged":     {body: ec2Wrap(opTag, "<return>true</return>"), ok: true},
			"denied":     {body: "403!" + ec2Error("UnauthorizedOperation")},
			"too many":   {body: "400!" + ec2Error("TagLimitExceeded")},
			"of another": {body: ec2Wrap(opTag, "<return>true</return>"), change: func(c *cloud.Commitment) { c.Service = RDS }},
			"foreign":    {body: ec2Wrap(opTag, "<return>true</return>"), change: func(c *cloud.Commitment) { c.Account = "444455556666" }},
		} {
			w, _, r := ec2Wire(t, service)
			d := w.open(t, service, func(c *Config) { c.RoleARN = testRole })
			w.bodies[opTag] = row.body
			bought := cloud.Commitment{Lane: d.Info().Lane, ID: wireEC2ID, State: cloud.Active}
			if row.change != nil {
				row.change(&bought)
			}
			r.Tags = map[string]string{"team": "shop", "bursar:line": "1"}
			err := d.(driver.Tagger).Tag(t.Context(), r, bought)
			if (err == nil) != row.ok {
				t.Errorf("%s: %v", name, err)
			}
			if row.change != nil && len(w.calls) > 0 {
				t.Errorf("%s: AWS was asked: %v", name, w.seen())
			}
			if !row.ok {
				continue
			}
			form := w.calls[1].form
			if w.calls[0].form.Get("RoleSessionName") != tagSession || w.calls[0].form.Get("Policy") !=
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:GetCallerIdentity","ec2:CreateTags"],"Resource":"*"}]}` {
				t.Errorf("%s: %+v", name, w.calls[0])
			}
			if form.Get("ResourceId.1") != wireEC2ID || form.Get("Tag.1.Key") != "bursar:line" || form.Get("Tag.2.Value") != "shop" || form.Has("Tag.3.Key") {
				t.Errorf("%s: %v", name, form)
			}
		}
	}
}

func TestPoll(t *testing.T) {
	reserved := func(state string) string {
		return ec2Reservations(strings.Replace(ec2Reservation("Availability Zone"), "queued", state, 1))
	}
	for name, row := range map[string]struct {
		body   string
		want   cloud.Outcome
		failed bool
	}{
		"pending":        {body: reserved("payment-pending"), want: cloud.Bought},
		"active":         {body: reserved("active"), want: cloud.Bought},
		"payment failed": {body: reserved("payment-failed"), want: cloud.Refused},
		"retired":        {body: reserved("retired"), want: cloud.Accepted},
		"not yet there":  {body: "400!" + ec2Error("InvalidReservedInstancesId"), want: cloud.Accepted},
		"empty list":     {body: ec2Reservations(), want: cloud.Accepted},
		"another one":    {body: strings.Replace(reserved("active"), wireEC2ID, "another-reservation", 1), failed: true},
		"no list":        {body: "", failed: true},
		"denied":         {body: "403!" + ec2Error("UnauthorizedOperation"), failed: true},
	} {
		w, d, r := ec2Wire(t, EC2Zonal)
		w.bodies[ec2Shared.opReserved] = row.body
		ev, err := d.(driver.Follower).Poll(t.Context(), r, wireEC2ID)
		if (err != nil) != row.failed || err == nil && (ev.Outcome != row.want || ev.Handle != wireEC2ID || ev.Started.IsZero() || ev.Detail == "") {
			t.Errorf("%s: %+v, %v", name, ev, err)
		}
		if row.want == cloud.Bought && ev.Commitment == nil {
			t.Errorf("%s: no commitment", name)
		}
	}
	_, d, r := ec2Wire(t, EC2Zonal)
	if ev, err := d.(driver.Follower).Poll(t.Context(), r, ""); err == nil {
		t.Errorf("without a handle: %+v", ev)
	}
	r.Account = "444455556666"
	if ev, err := d.(driver.Follower).Poll(t.Context(), r, wireEC2ID); !errors.Is(err, driver.ErrWrongAccount) {
		t.Errorf("of another account: %+v, %v", ev, err)
	}
}
