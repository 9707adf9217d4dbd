package engine_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver/aws"
	"bursar/internal/engine"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/sim"
)

func TestProposeRefuses(t *testing.T) {
	w := newWorld(t, sim.Options{})
	change := func(fn func(*recommend.Draft)) recommend.Draft {
		d := draft(accountA, "us-east-1", "postgresql", "db.r6g.large", 1)
		d.At.Line = 7
		fn(&d)
		return d
	}
	for _, tc := range []struct {
		name  string
		draft recommend.Draft
		says  []string
	}{
		{"class not sold", change(func(d *recommend.Draft) { d.Attributes["class"] = "db.x99.huge" }),
			[]string{"test.yaml:7: offering:", "db.x99.huge", "is not sold"}},
		{"terms not sold", change(func(d *recommend.Draft) { d.Term, d.Payment = cloud.ThreeYears, cloud.NoUpfront }),
			[]string{"3y no-upfront is not sold; sold are 1y all-upfront, 1y no-upfront, 1y partial-upfront, 3y all-upfront, 3y partial-upfront"}},
		{"other currency", change(func(d *recommend.Draft) { d.Currency = "EUR" }),
			[]string{"test.yaml:7: currency: the cloud bills this offering in USD, not in EUR"}},
		{"offering of another class", change(func(d *recommend.Draft) {
			d.OfferingID = "6bb91ee1-6129-4cad-9fba-52e4f0a5916f"
			d.Term = cloud.ThreeYears
		}),
			[]string{"test.yaml:7: offering:"}},
		{"unknown offering", change(func(d *recommend.Draft) { d.OfferingID = "00000000-0000-4000-8000-000000000000" }),
			[]string{"test.yaml:7: offering:", "not sold"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := w.engine.Propose(t.Context(), recommend.Input{Drafts: []recommend.Draft{drafts(1)[0], tc.draft}}, engine.PlanOptions{})
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range tc.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not contain %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q is more than one line", err)
			}
		})
	}
	if plans, err := w.db.Plans(t.Context()); err != nil || len(plans) != 0 {
		t.Errorf("refused plans were stored: %d, %v", len(plans), err)
	}
}

func TestProposeCaps(t *testing.T) {
	w := newWorld(t, sim.Options{})
	in := recommend.Input{Drafts: drafts(2)}
	_, err := w.engine.Propose(t.Context(), in, engine.PlanOptions{Requester: "ada", Caps: recommend.Caps{MaxTotal: money.MustParse("1", "USD")}})
	if !errors.Is(err, recommend.ErrCap) {
		t.Errorf("a total above the cap: %v", err)
	}
	p, err := w.engine.Propose(t.Context(), in, engine.PlanOptions{Requester: "ada", Caps: recommend.Caps{MaxTotal: money.MustParse("1000000", "USD")}})
	if err != nil || p.Total.Total.Sign() <= 0 {
		t.Errorf("a total below the cap: %v", err)
	}
	if plans, err := w.db.Plans(t.Context()); err != nil || len(plans) != 1 {
		t.Errorf("%d plans stored, want 1: %v", len(plans), err)
	}
}

// TestProposeSameDigest: the same input on the same prices has the same digest,
// whoever asks and whenever.
func TestProposeSameDigest(t *testing.T) {
	w := newWorld(t, sim.Options{})
	digests := map[string]bool{}
	for _, who := range []string{"ada", "grace"} {
		p, err := w.engine.Propose(t.Context(), recommend.Input{Drafts: drafts(8)}, engine.PlanOptions{Name: "same", Requester: who})
		if err != nil {
			t.Fatal(err)
		}
		digests[p.Digest] = true
	}
	if len(digests) != 1 {
		t.Errorf("%d digests for the same input", len(digests))
	}
}

// TestNotFromSimulationToReality: a plan that was priced on a simulated cloud is
// never bought on a real one.
func TestNotFromSimulationToReality(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.approved(drafts(1)...)
	w.engine.Clouds = reality{w.clouds}
	w.run(p)
	if l := w.plan(p).Lines[0]; l.State != purchase.Ready || l.Armed != 0 || !strings.Contains(l.Reason, "make a new plan") {
		t.Errorf("%s after %d attempts: %s", l.State, l.Armed, l.Reason)
	}
	w.audit(p)
}

// reality says of the simulated clouds that they are real.
type reality struct{ *simulated }

func (reality) Simulated(cloud.Lane) bool { return false }

// TestProposeServices reads a line of each service from a file and finds its one
// offering through the real drivers.
func TestProposeServices(t *testing.T) {
	for _, file := range []string{"plan-services.yaml", "services.csv"} {
		t.Run(file, func(t *testing.T) {
			w := newWorld(t, sim.Options{})
			f, err := os.Open("../../testdata/" + file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			in, err := recommend.Read(file, f)
			if err != nil {
				t.Fatal(err)
			}
			p, err := w.engine.Propose(t.Context(), in, engine.PlanOptions{Name: "test", Requester: "ada"})
			if err != nil {
				t.Fatal(err)
			}
			var sold []cloud.Service
			for i, l := range p.Lines {
				sold = append(sold, l.Spec.Lane().Service)
				if o, d := l.Spec.Offering, in.Drafts[i]; o.ID == "" || o.Attributes.String() != d.Attributes.String() || o.Term != d.Term || o.Payment != d.Payment {
					t.Errorf("%v: offering %s %s, %s %s", d.At, o.ID, o.Attributes, o.Term, o.Payment)
				}
				if l.Spec.Price.Total.Sign() <= 0 || l.Spec.Price.Total.Currency() != "USD" {
					t.Errorf("line %d costs %s", i+1, l.Spec.Price.Total)
				}
			}
			if want := aws.Services; !slices.Equal(sold, want) {
				t.Errorf("lines of %v, want %v", sold, want)
			}
		})
	}
}
