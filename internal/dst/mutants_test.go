package dst

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/mutants.md anew")

const mutantsTable = "../../docs/mutants.md"

// TestMutants takes each guard away and looks for a violation: one must be found
// within 20,000 histories. What it found is the table in docs/mutants.md.
func TestMutants(t *testing.T) {
	const step, most = 2_000, 20_000
	var table strings.Builder
	table.WriteString(mutantsHead)
	for _, m := range Mutants {
		t.Run(m.Name, func(t *testing.T) {
			var total Tally
			for from := 0; from < most && total.Violated == 0; from += step {
				total.Merge(spread(from, from+step, m))
			}
			if total.Violated == 0 {
				t.Fatalf("survives %d histories; taken away: %s", total.Histories, m.Guard)
			}
			invariant, sign, _ := strings.Cut(total.First.Violation, ": ")
			row := fmt.Sprintf("| `%s` | %s | %d of %d | %d | %s: %s |\n",
				m.Name, m.Guard, total.Violated, total.Histories, total.First.Seed, invariant, sign)
			table.WriteString(row)
			t.Logf("%-20s killed in %5d of %5d, first in seed %5d by %s", m.Name, total.Violated, total.Histories, total.First.Seed, invariant)
		})
	}
	if t.Failed() {
		return
	}
	if *update {
		if err := os.WriteFile(mutantsTable, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	kept, err := os.ReadFile(mutantsTable)
	if err != nil || string(kept) != table.String() {
		t.Errorf("docs/mutants.md does not say what was found (%v): go test ./internal/dst -run Mutants -update", err)
	}
}

const mutantsHead = `# Guards and their mutants

Every guard of the purchase protocol has a mutant: the same protocol in a world in
which that guard is blind. A guard that nobody would miss is not one, so each
mutant must be caught by an invariant within 20,000 simulated histories. The table
is written by ` + "`go test ./internal/dst -run Mutants -update`" + ` and checked by every test
run; the same seeds give the same table everywhere. To see one of them die:

    bursar prove --mutant no-quarantine

The invariants are those of ` + "`internal/dst/invariants.go`" + `. The histories of a mutant
end at its first violation, so the sign is what was seen first, not all that is
wrong.

| mutant | what is taken away | killed | first seed | first sign |
|---|---|---|---|---|
`
