package gcp

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/sim"
)

// TestMarks: a recommendation is claimed and done with the least role, by its newest
// etag only.
func TestMarks(t *testing.T) {
	role, _ := Roles([]cloud.Service{Compute}, false)
	open := func(lacks string) Adviser {
		w := &world{t: t, what: Compute, region: testRegion}
		w.start(sim.Options{Unthrottled: true, GooglePermissions: map[string][]string{
			testProject: slices.DeleteFunc(slices.Clone(role.IncludedPermissions), func(p string) bool { return p == lacks }),
		}})
		d, err := NewAdviser(Compute, Config{Account: testProject, Region: testRegion, Endpoint: w.url, Now: w.sim.Now, Tokens: SimulatorTokens(testProject, w.sim.Now)})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	nameOf := func(d Adviser) string {
		list, err := d.recommendations(t.Context(), map[string]string{})
		if err != nil || len(list) == 0 {
			t.Fatalf("%v, %v", list, err)
		}
		return list[0].Name
	}
	d := open("")
	name := nameOf(d)
	r, err := d.Recommendation(t.Context(), name)
	if err != nil || r.Mark != Active || r.Etag == "" || !bytes.Contains(r.Document, []byte(testProject)) {
		t.Fatalf("%+v, %v", r, err)
	}
	said := map[string]string{"bursar-line": "01ABC"}
	etag, err := d.Mark(t.Context(), name, r.Etag, Claimed, said)
	if err != nil || etag == r.Etag {
		t.Fatalf("etag %s, %v", etag, err)
	}
	var e *driver.Error
	if _, err := d.Mark(t.Context(), name, r.Etag, Succeeded, said); !errors.As(err, &e) || e.Code != "ABORTED" {
		t.Errorf("marked by an old etag: %v", err)
	}
	for _, as := range []Mark{Failed, Succeeded} {
		if etag, err = d.Mark(t.Context(), name, etag, as, said); err != nil {
			t.Fatal(err)
		}
		if r, err = d.Recommendation(t.Context(), name); err != nil || r.Mark != as || r.Said["bursar-line"] != "01ABC" || r.Etag != etag {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if _, err := d.Mark(t.Context(), name, etag, Active, nil); err == nil {
		t.Error("marked as nothing")
	}
	if _, err := d.Recommendation(t.Context(), name[:strings.LastIndexByte(name, '/')+1]+"00000000"); !errors.Is(err, ErrNoRecommendation) {
		t.Errorf("one that is none: %v", err)
	}
	for _, other := range []string{"", "projects/1/locations/elsewhere/recommenders/x/recommendations/y", strings.Replace(name, testRegion, "us-east1", 1), name + "/x", name + ":markClaimed"} {
		if _, err := d.Mark(t.Context(), other, etag, Claimed, nil); err == nil || !strings.Contains(err.Error(), "is not the name") {
			t.Errorf("%q: %v", other, err)
		}
	}
	for _, lacks := range markRights {
		d := open(lacks)
		name := nameOf(d)
		_, err := d.Recommendation(t.Context(), name)
		if strings.HasSuffix(lacks, "update") {
			_, err = d.Mark(t.Context(), name, "x", Claimed, nil)
		}
		if !errors.Is(err, driver.ErrWrongAccount) {
			t.Errorf("without %s: %v", lacks, err)
		}
	}
}
