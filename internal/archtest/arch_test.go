// Package archtest holds the architecture as a failing test: which package may
// import which, and what may not be reached from where.
package archtest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// rule says what a package of ours may import. The first rule whose pattern
// matches a package decides; a package without a rule is an error.
type rule struct {
	pkg   string   // pattern of path.Match below bursar/internal, or cmd/...
	ours  []string // packages of ours it may import directly
	never []string // what it must not reach, not even through others: with all below it, or "=" that alone
}

var (
	sdks    = []string{"github.com/aws/", "github.com/Azure/", "google.golang.org/api", "cloud.google.com/"}
	nothing []string
	// pure keeps IO out. The decimal library names database/sql/driver for its
	// column types; that package does none.
	pure = []string{"=database/sql", "net", "net/http", "log", "os/exec", "bursar/internal/driver", "bursar/internal/store"}
)

var rules = []rule{
	{"money", nothing, pure},
	{"cloud", []string{"money"}, pure},
	{"purchase", []string{"cloud", "money"}, pure},
	{"dst", []string{"purchase", "cloud", "money"}, pure},
	{"driver", []string{"cloud", "money"}, append([]string{"bursar/internal/purchase", "bursar/internal/store"}, sdks...)},
	{"driver/drivertest", []string{"driver", "cloud", "money"}, append([]string{"bursar/internal/sim", "bursar/internal/store"}, sdks...)},
	{"driver/oneshot", []string{"driver"}, append([]string{"bursar/internal/purchase", "bursar/internal/store"}, sdks...)},
	{"driver/aws", []string{"driver", "driver/oneshot", "cloud", "money"}, append([]string{"bursar/internal/purchase", "bursar/internal/store", "bursar/internal/engine", "bursar/internal/sim"}, sdks[1:]...)},
	{"driver/azure", []string{"driver", "driver/oneshot", "cloud", "money"}, []string{"bursar/internal/purchase", "bursar/internal/store", "bursar/internal/engine", "bursar/internal/sim", "github.com/aws/", "google.golang.org/api", "cloud.google.com/"}},
	{"driver/gcp", []string{"driver", "driver/oneshot", "cloud", "money"}, append([]string{"bursar/internal/purchase", "bursar/internal/store", "bursar/internal/engine", "bursar/internal/sim"}, sdks[:2]...)},
	{"sim", []string{"cloud", "money"}, append([]string{"bursar/internal/driver", "bursar/internal/purchase", "bursar/internal/store", "=database/sql"}, sdks...)},
	{"auditlog", nothing, append(append([]string{}, pure...), sdks...)},
	{"store", []string{"store/internal/rows", "auditlog", "purchase", "cloud", "money"}, append([]string{"bursar/internal/driver", "bursar/internal/engine", "github.com/riverqueue/"}, sdks...)},
	{"store/internal/rows", nothing, sdks},
	{"journal", nothing, append([]string{"=database/sql", "net"}, sdks...)},
	{"pgtest", nothing, sdks},
	{"pgtest/pgtesting", []string{"pgtest"}, sdks},
	{"queue", nothing, append([]string{"bursar/internal/driver", "bursar/internal/engine", "text/template"}, sdks...)},
	{"recommend", []string{"cloud", "money"}, append([]string{"=database/sql", "net/http", "bursar/internal/driver", "bursar/internal/store"}, sdks...)},
	{"recommend/sizing", []string{"cloud", "money"}, slices.Concat(pure, sdks)},
	{"recommend/policy", []string{"recommend", "recommend/sizing", "purchase", "cloud", "money"}, append([]string{"=database/sql", "net", "net/http", "os/exec", "bursar/internal/driver", "bursar/internal/store"}, sdks...)},
	{"engine", []string{"purchase", "driver", "store", "journal", "recommend/policy", "recommend", "cloud", "money"}, append([]string{"net/http", "bursar/internal/driver/aws", "bursar/internal/driver/azure", "bursar/internal/driver/gcp", "bursar/internal/sim"}, sdks...)},
	{"auth", []string{"auditlog"}, append([]string{"bursar/internal/store", "bursar/internal/engine"}, sdks...)},
	{"auth/oidctest", nothing, sdks},
	{"api", []string{"money"}, append([]string{"=database/sql"}, sdks...)},
	{"notify", []string{"api", "money"}, append([]string{"=database/sql", "bursar/internal/store", "bursar/internal/engine", "bursar/internal/driver"}, sdks...)},
	{"web", []string{"api", "auth", "money"}, append([]string{"=database/sql", "bursar/internal/store", "bursar/internal/engine", "bursar/internal/driver"}, sdks...)},
	{"server", []string{"api", "auth", "money"}, append([]string{"bursar/internal/store", "bursar/internal/engine", "bursar/internal/app"}, sdks...)},
	{"app", []string{"api", "auditlog", "auth", "server", "web", "dst", "engine", "notify", "purchase", "driver", "driver/aws", "driver/azure", "driver/gcp", "journal", "recommend/policy", "recommend", "queue", "sim", "recommend/sizing", "store", "cloud", "money"}, nothing},
	{"drill", []string{"api", "app", "pgtest", "sim"}, nothing},
	{"cli", []string{"api", "app", "drill", "recommend/sizing", "money"}, nothing},
	{"archtest", nothing, nothing},
	{"cmd/*", []string{"cli"}, nothing},
}

// pkg is what "go list" says of a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Standard   bool
	GoFiles    []string
	Dir        string
}

func list(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Standard,GoFiles,Dir", "bursar/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string]pkg{}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
}

func short(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, "bursar/internal/"), "bursar/")
}

func ruleFor(p string) (rule, bool) {
	for _, r := range rules {
		if ok, _ := path.Match(r.pkg, p); ok {
			return r, true
		}
	}
	return rule{}, false
}

// violations returns one line for each import that the rules forbid.
func violations(all map[string]pkg) []string {
	var bad []string
	for _, ip := range slices.Sorted(maps.Keys(all)) {
		if !strings.HasPrefix(ip, "bursar/") {
			continue
		}
		name := short(ip)
		r, ok := ruleFor(name)
		if !ok {
			bad = append(bad, fmt.Sprintf("%s has no rule: add it to the table", name))
			continue
		}
		for _, imp := range all[ip].Imports {
			if strings.HasPrefix(imp, "bursar/") && !slices.Contains(r.ours, short(imp)) {
				bad = append(bad, fmt.Sprintf("%s imports %s", name, short(imp)))
			}
		}
		for _, banned := range r.never {
			if via := reach(all, ip, banned); via != nil {
				bad = append(bad, fmt.Sprintf("%s reaches %s: %s", name, banned, strings.Join(via, " -> ")))
			}
		}
	}
	return bad
}

// reach returns a shortest import path from a package to one that has the banned
// prefix, through packages that are not of the standard library.
func reach(all map[string]pkg, from, banned string) []string {
	type step struct {
		at  string
		via []string
	}
	seen := map[string]bool{from: true}
	for queue := []step{{from, []string{short(from)}}}; len(queue) > 0; queue = queue[1:] {
		for _, imp := range all[queue[0].at].Imports {
			via := append(slices.Clone(queue[0].via), short(imp))
			exact, only := strings.CutPrefix(banned, "=")
			if imp == exact || !only && strings.HasPrefix(imp, strings.TrimSuffix(banned, "/")+"/") {
				return via
			}
			if !seen[imp] && !all[imp].Standard {
				seen[imp] = true
				queue = append(queue, step{imp, via})
			}
		}
	}
	return nil
}

func TestImports(t *testing.T) {
	for _, v := range violations(list(t)) {
		t.Error(v)
	}
}

// TestRulesBite proves that the checker sees a direct and a hidden violation and
// a package that nobody wrote a rule for.
func TestRulesBite(t *testing.T) {
	world := map[string]pkg{
		"bursar/internal/sim":      {ImportPath: "bursar/internal/sim", Imports: []string{"bursar/internal/cloud", "x/helper"}},
		"x/helper":                 {ImportPath: "x/helper", Imports: []string{"github.com/aws/aws-sdk-go-v2/aws"}},
		"bursar/internal/purchase": {ImportPath: "bursar/internal/purchase", Imports: []string{"bursar/internal/store"}},
		"bursar/internal/util":     {ImportPath: "bursar/internal/util"},
	}
	want := []string{
		"purchase imports store",
		"purchase reaches bursar/internal/store: purchase -> store",
		"sim reaches github.com/aws/: sim -> x/helper -> github.com/aws/aws-sdk-go-v2/aws",
		"util has no rule: add it to the table",
	}
	if got := violations(world); !slices.Equal(got, want) {
		t.Errorf("violations:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestPureTime keeps the clock out of the core: time is an argument there.
func TestPureTime(t *testing.T) {
	all := list(t)
	for _, name := range []string{"money", "cloud", "purchase", "dst", "recommend/sizing", "recommend/policy"} {
		p, ok := all["bursar/internal/"+name]
		if !ok {
			continue
		}
		for _, f := range p.GoFiles {
			for _, use := range clockUses(t, path.Join(p.Dir, f)) {
				t.Errorf("%s: %s", name, use)
			}
		}
	}
}
