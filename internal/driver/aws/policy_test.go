package aws

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/drivertest"
	"bursar/internal/sim"
)

const testPrefix = "bu-test-"

// way is a service as it is sold: those with a mode of their own are in it too.
type way cloud.Service

func ways() (all []way) {
	for _, s := range append(slices.Clone(Services), openSearchNames, plansQueued) {
		all = append(all, way(s))
	}
	return all
}

func (w way) service() cloud.Service { return (&world{what: cloud.Service(w)}).service() }

// open is its driver; nothing answers it.
func (w way) open(t *testing.T) driver.Service {
	t.Helper()
	nowhere := &world{t: t, what: cloud.Service(w), sim: new(sim.Sim), url: "http://127.0.0.1:1"}
	return nowhere.open(t, nil)
}

func (w way) product(t *testing.T) product {
	t.Helper()
	return w.open(t).(interface{ sold() product }).sold()
}

func (w way) policy(t *testing.T) (role, base Policy) {
	t.Helper()
	a := testAccess(w.service())
	role, err := a.Policy()
	if err != nil {
		t.Fatal(err)
	}
	return role, a.Base()
}

func testAccess(services ...cloud.Service) Access {
	return Access{
		Account: testAccount, Regions: []cloud.Region{testRegion}, Services: services, IDPrefix: testPrefix,
		RoleARN: testRole, ExternalID: "tenant-7",
	}
}

// authorization is one action in the Service Authorization Reference of AWS.
type authorization struct {
	Resources map[string]string // ARN formats by type; none: only "*"
	Keys      []string
	Depends   []string
}

// Every action that a policy names exists, can be limited as the policy does, and
// brings along what it depends on.
func TestPolicyNamesWhatExists(t *testing.T) {
	raw, err := os.ReadFile("testdata/iam-actions.json")
	if err != nil {
		t.Fatal(err)
	}
	var known map[string]authorization
	if err := json.Unmarshal(raw, &known); err != nil {
		t.Fatal(err)
	}
	a := testAccess(Services...)
	p, err := a.Policy()
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	sids := map[string]bool{}
	statements := slices.Concat(p.Statement, a.Base().Statement, a.Trust().Statement)
	for _, s := range statements {
		named = append(named, s.Action...)
	}
	for _, s := range statements {
		if s.Sid != "" && sids[s.Sid] {
			t.Errorf("%s is there twice", s.Sid)
		}
		sids[s.Sid] = true
		for _, action := range s.Action {
			is, ok := known[action]
			if !ok {
				t.Errorf("%s: AWS has no action %s", s.Sid, action)
			}
			for _, r := range s.Resource {
				if r != "*" && action != actionAssume && !slices.ContainsFunc(slices.Collect(mapValues(is.Resources)), func(form string) bool { return sameForm(form, r) }) {
					t.Errorf("%s: %s is not on %s", s.Sid, action, r)
				}
			}
			for _, keys := range s.Condition {
				for key := range keys {
					if key != "aws:RequestedRegion" && !slices.ContainsFunc(is.Keys, func(k string) bool { return strings.HasPrefix(key, strings.TrimSuffix(k, "${TagKey}")) }) {
						t.Errorf("%s: %s knows no condition key %s", s.Sid, action, key)
					}
				}
			}
			for _, dependent := range is.Depends {
				if !slices.Contains(named, dependent) {
					t.Errorf("%s: %s needs %s", s.Sid, action, dependent)
				}
			}
		}
	}
	for _, s := range ways() {
		product := s.product(t)
		for _, action := range slices.Concat(product.grant.reads, product.grant.spends, product.grant.releases, product.grant.returns, product.grant.tags) {
			if !slices.Contains(named, action) {
				t.Errorf("%s needs %s, which no policy allows", s, action)
			}
		}
	}
}

func mapValues(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// sameForm compares an ARN with a format such as
// "arn:${Partition}:rds:${Region}:${Account}:ri:${Name}".
func sameForm(form, arn string) bool {
	form = strings.NewReplacer("${Partition}", "aws", "${Region}", "*", "${Account}", testAccount).Replace(form)
	form, _, _ = strings.Cut(form, "${")
	return form != "" && strings.HasPrefix(arn, form)
}

// The text is pinned: it is what people give to AWS.
func TestPolicyText(t *testing.T) {
	p, err := testAccess(RDS, EC2).Policy()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Version":"2012-10-17","Statement":[` +
		`{"Sid":"RdsRead","Effect":"Allow","Action":["rds:DescribeReservedDBInstancesOfferings","rds:DescribeReservedDBInstances"],"Resource":"*"},` +
		`{"Sid":"RdsBuy","Effect":"Allow","Action":["rds:PurchaseReservedDBInstancesOffering"],"Resource":"arn:aws:rds:*:111122223333:ri:bu-test-*",` +
		`"Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}},` +
		`{"Sid":"RdsTag","Effect":"Allow","Action":["rds:AddTagsToResource"],"Resource":"arn:aws:rds:*:111122223333:ri:bu-test-*",` +
		`"Condition":{"ForAllValues:StringLike":{"aws:TagKeys":"bursar:*"},"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}},` +
		`{"Sid":"Ec2Read","Effect":"Allow","Action":["ec2:DescribeReservedInstancesOfferings","ec2:DescribeReservedInstances"],"Resource":"*"},` +
		`{"Sid":"Ec2Buy","Effect":"Allow","Action":["ec2:PurchaseReservedInstancesOffering"],"Resource":"*","Condition":{"StringEquals":{"ec2:Region":"eu-west-1"}}},` +
		`{"Sid":"Ec2Release","Effect":"Allow","Action":["ec2:DeleteQueuedReservedInstances"],"Resource":"*","Condition":{"StringEquals":{"ec2:Region":"eu-west-1"}}},` +
		`{"Sid":"Ec2Tag","Effect":"Allow","Action":["ec2:CreateTags"],"Resource":"arn:aws:ec2:*:111122223333:reserved-instances/*",` +
		`"Condition":{"ForAllValues:StringLike":{"aws:TagKeys":"bursar:*"}}},` +
		`{"Sid":"Quotas","Effect":"Allow","Action":["servicequotas:ListServiceQuotas"],"Resource":"*"},` +
		`{"Effect":"Allow","Action":["ssm:GetParameter","ssm:PutParameter"],"Resource":"arn:aws:ssm:*:111122223333:parameter/bursar/*"}]}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	trust, err := json.Marshal(testAccess(RDS).Trust())
	if want := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},` +
		`"Action":["sts:AssumeRole"],"Condition":{"StringEquals":{"sts:ExternalId":"tenant-7"}}}]}`; err != nil || string(trust) != want {
		t.Errorf("%s, %v", trust, err)
	}
	// A managed policy has at most 6144 characters without spaces (IAM quotas).
	all := testAccess(Services...)
	all.Regions = []cloud.Region{"us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-west-2", "eu-central-1", "eu-north-1", "ap-southeast-2"}
	if p, err = all.Policy(); err != nil || len(policyText(t, p)) > 6144 {
		t.Errorf("the policy of all services in %d regions has %d characters, %v", len(all.Regions), len(policyText(t, p)), err)
	}
	for _, bad := range []Access{
		{}, {Regions: []cloud.Region{"eu-west-1", "cn-north-1"}, Services: Services, IDPrefix: "bu-"},
		{Regions: []cloud.Region{"eu-west-1"}, Services: []cloud.Service{"s3"}, IDPrefix: "bu-"},
	} {
		if _, err := bad.Policy(); err == nil {
			t.Errorf("accepted %+v", bad)
		}
	}
}

// without is a policy that lacks an action.
func without(p Policy, action string) Policy {
	out := newPolicy()
	for _, s := range p.Statement {
		s.Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return a == action })
		if len(s.Action) > 0 {
			out.Statement = append(out.Statement, s)
		}
	}
	return out
}

func policyText(t *testing.T, p Policy) string {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// limited is a world in which the account's user and roles have these policies.
func limited(t *testing.T, what way, role, base Policy) *world {
	s, err := sim.New(sim.Options{
		Seed: 7, PageSize: 7, Unthrottled: true, TrailDelay: -1, ExternalID: map[string]string{testAccount: "tenant-7"},
		RolePolicy: map[string]string{testAccount: policyText(t, role)}, UserPolicy: map[string]string{testAccount: policyText(t, base)},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		_ = s.Close()
		server.Close()
	})
	return &world{t: t, what: cloud.Service(what), sim: s, url: server.URL}
}

// everything does once what Bursar does with a service, and returns the first
// error.
func everything(t *testing.T, w *world) error {
	d := w.open(t, func(c *Config) { c.RoleARN, c.ExternalID = testRole, "tenant-7" })
	ctx := t.Context()
	for _, c := range d.(driver.Checker).Check(ctx, testPrefix+"doctor") {
		if c.State == driver.CheckFailed || c.Of == "quota" && c.State != driver.CheckOK && HasRegions(w.service()) {
			return fmt.Errorf("check %+v", c)
		}
	}
	offers, err := d.Offerings(ctx, driver.Query{Attributes: samples[w.what].goods, Term: cloud.OneYear, Payment: samplePayment(w.what)})
	if err != nil {
		return err
	}
	if len(offers) != 1 {
		return fmt.Errorf("%d offerings", len(offers))
	}
	w.offer = offers[0]
	r := w.request(d)
	r.Tags = map[string]string{"bursar:line": r.Identity}
	quote, err := d.Quote(ctx, r)
	if err != nil {
		return err
	}
	r.SendBy, r.Deadline = drivertest.Times(w, d.Info().Life)
	if _, err := d.Quote(ctx, r); err != nil {
		return err
	}
	bought, err := d.Purchase(ctx, r)
	if err != nil {
		return err
	}
	w.Advance(time.Minute)
	found, err := d.Find(ctx, r)
	if err != nil {
		return err
	}
	if found[0].Commitment == nil {
		return errors.New("nothing was bought")
	}
	if auditor, ok := d.(driver.Auditor); ok {
		if _, err := auditor.Trail(ctx, r, quote.Credential); err != nil {
			return err
		}
	}
	if follower, ok := d.(driver.Follower); ok {
		if _, err := follower.Poll(ctx, r, bought.Handle); err != nil {
			return err
		}
	}
	if tagger, ok := d.(driver.Tagger); ok {
		if err := tagger.Tag(ctx, r, *found[0].Commitment); err != nil {
			return err
		}
	}
	if releaser, ok := d.(driver.Releaser); ok && found[0].Commitment.State == cloud.Queued {
		if err := releaser.Release(ctx, r, *found[0].Commitment); err != nil {
			return err
		}
	}
	members, err := Members(ctx, Config{Account: testAccount, Region: testRegion, Endpoint: w.url, Now: w.sim.Now, Credentials: StaticKeys(testAccount, "test")})
	if err != nil || len(members) < 4 {
		return fmt.Errorf("%d members: %w", len(members), err)
	}
	claims, err := NewClaims(Config{
		Account: testAccount, Region: testRegion, Endpoint: w.url, Now: w.sim.Now, Credentials: StaticKeys(testAccount, "test"), RoleARN: testRole, ExternalID: "tenant-7",
	})
	if err != nil {
		t.Fatal(err)
	}
	if there, err := claims.Claim(t.Context(), "owner", "us"); err != nil || there != "us" {
		return fmt.Errorf("mark %q: %w", there, err)
	}
	return nil
}

// The policy is enough for all that Bursar does with a service, and nothing in it
// is too much: whatever is taken out is missed.
func TestPolicyIsWhatIsNeeded(t *testing.T) {
	for _, s := range ways() {
		t.Run(string(s), func(t *testing.T) {
			role, base := s.policy(t)
			if err := everything(t, limited(t, s, role, base)); err != nil {
				t.Fatal(err)
			}
			tested := map[string]bool{}
			for _, st := range slices.Concat(role.Statement, base.Statement) {
				for _, action := range st.Action {
					if tested[action] {
						continue
					}
					tested[action] = true
					if everything(t, limited(t, s, without(role, action), without(base, action))) == nil {
						t.Errorf("without %s all goes well", action)
					}
				}
			}
		})
	}
}

// A policy allows the keys that purchases are tagged with, and no other.
func TestPolicyAllowsTagKeys(t *testing.T) {
	for _, s := range []cloud.Service{RDS, ElastiCache, MemoryDB, EC2, EC2Zonal} {
		proven, tag := driver.CheckOK, "ec2:CreateTags"
		if spends := way(s).product(t).grant.spends; len(spends) > 1 {
			proven, tag = driver.CheckUnproven, spends[1]
		}
		for _, tc := range []struct {
			keys []string // of the policy
			want driver.CheckState
		}{{[]string{"owner", "team"}, proven}, {[]string{"team"}, driver.CheckFailed}, {nil, driver.CheckFailed}} {
			access := testAccess(s)
			access.TagKeys = tc.keys
			role, err := access.Policy()
			if err != nil {
				t.Fatal(err)
			}
			w := limited(t, way(s), role, access.Base())
			list := check(t, w, func(c *Config) { c.ExternalID, c.TagKeys = "tenant-7", []string{"owner", "team"} })
			at := slices.IndexFunc(list, func(c driver.Check) bool { return c.Of == tag })
			if at < 0 || list[at].State != tc.want {
				t.Errorf("%s: a policy of %v: %+v, want %s %s", s, tc.keys, list, tag, tc.want)
			}
		}
	}
}

// IAM itself refuses purchases outside our ids, regions and tags.
func TestPolicyLimitsPurchases(t *testing.T) {
	for _, s := range ways() {
		product := s.product(t)
		role, base := s.policy(t)
		for name, change := range map[string]func(*Config, *driver.Request){
			"id":     func(_ *Config, r *driver.Request) { r.Identity = "other-1" },
			"region": func(c *Config, r *driver.Request) { c.Region, r.Offering.Region = "us-east-1", "us-east-1" },
			"tags":   func(_ *Config, r *driver.Request) { r.Tags["owner"] = "me" },
		} {
			switch {
			case name == "id" && (product.class != cloud.ClassName || product.arn[0] == "") && !product.tagged,
				name == "region" && !HasRegions(s.service()), name == "tags" && len(product.grant.spends) < 2:
				continue
			}
			w := limited(t, s, role, base)
			d := w.open(t, func(c *Config) { c.RoleARN, c.ExternalID = testRole, "tenant-7" })
			offers, err := d.Offerings(t.Context(), driver.Query{Attributes: samples[cloud.Service(s)].goods, Term: cloud.OneYear, Payment: samplePayment(cloud.Service(s))})
			if err != nil {
				t.Fatal(err)
			}
			w.offer = offers[0]
			r := w.request(d)
			r.Tags = map[string]string{"bursar:line": r.Identity}
			d = w.open(t, func(c *Config) {
				c.RoleARN, c.ExternalID = testRole, "tenant-7"
				change(c, &r)
			})
			if name == "region" {
				goods := samples[cloud.Service(s)].goods
				if zone := goods["zone"]; zone != "" {
					goods = cloud.Attributes{}
					for k, v := range samples[cloud.Service(s)].goods {
						goods[k] = strings.Replace(v, testRegion, "us-east-1", 1)
					}
				}
				there, err := d.Offerings(t.Context(), driver.Query{Attributes: goods, Term: cloud.OneYear, Payment: samplePayment(cloud.Service(s))})
				if err != nil || len(there) != 1 {
					t.Fatalf("%s: %v, %v", s, there, err)
				}
				r.Offering = there[0]
			}
			r.Identities = []string{r.Identity}
			if _, err := d.Quote(t.Context(), r); err != nil {
				t.Fatal(s, name, err)
			}
			if _, err := d.Purchase(t.Context(), r); driver.OutcomeOf(err) != cloud.Refused || !strings.Contains(fmt.Sprint(err), "not authorized") {
				t.Errorf("%s: another %s: %v", s, name, err)
			}
			if n := len(w.sim.Ledger()); n != 0 {
				t.Errorf("%s: another %s: %d bought", s, name, n)
			}
		}
	}
}
