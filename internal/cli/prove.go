package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/app"
)

func (sh *shell) prove() *cobra.Command {
	var histories int
	var seed uint64
	var mutant string
	cmd := &cobra.Command{
		Use:   "prove",
		Short: "Run simulated crash histories of the purchase protocol and look for a violation",
		Long: `Run histories of the very protocol that buys, on a simulated ledger and simulated
clouds: workers are killed and stand still at every point at which they wait,
requests and answers are lost, late or doubled, commits are unknown, the ledger
goes back to a backup, and people change their minds. After every event what the
ledger says is compared with what the clouds have sold.

With --mutant one guard of the protocol is taken away. Then a violation must be
found, which shows that the search can see. docs/mutants.md lists the guards.

Exit codes: 0 every invariant held, 1 one was violated.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if histories < 1 {
				return fmt.Errorf("--histories %d: use at least 1", histories)
			}
			var progress func(int)
			if sh.format == formatTable {
				progress = func(done int) {
					fmt.Fprintf(sh.err, "%s of %s histories\n", thousands(done), thousands(histories))
				}
			}
			p, err := app.Prove(cmd.Context(), histories, seed, mutant, progress)
			if err != nil {
				return err
			}
			switch sh.format {
			case formatJSON:
				err = writeJSON(sh.out, p)
			case formatCSV:
				return errors.New("prove has no csv output: use table or json")
			default:
				tellProof(sh.out, p)
			}
			if err == nil && p.Violation != nil {
				return &exit{ExitError, fmt.Sprintf("an invariant does not hold in the history of seed %d: its trace says how", p.Violation.Seed)}
			}
			return err
		},
	}
	cmd.Flags().IntVar(&histories, "histories", 100_000, "how many to run")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of the first")
	cmd.Flags().StringVar(&mutant, "mutant", "", "`name` of a guard to take away")
	return cmd
}

func tellProof(w io.Writer, p api.Proof) {
	if p.Mutant != "" {
		fmt.Fprintf(w, "taken away: %s (%s)\n", p.Guard, p.Mutant)
	}
	fmt.Fprintf(w, "%s histories from seed %d, %s a second on %d cores\n", thousands(p.Histories), p.FirstSeed, thousands(p.PerSecond), p.Cores)
	fmt.Fprintf(w, "%s await points passed, %s simulated days\n\n", thousands(p.Awaits), thousands(p.SimulatedHours/24))
	g := grid{head: []string{"fault", ">injected"}}
	kinds := slices.SortedFunc(maps.Keys(p.Faults), func(a, b string) int {
		return cmp.Or(-cmp.Compare(p.Faults[a], p.Faults[b]), cmp.Compare(a, b))
	})
	for _, k := range kinds {
		g.add(k, thousands(p.Faults[k]))
	}
	g.print(w)
	fmt.Fprintf(w, "\nprocesses were killed before and after every call out of them: %d of %d sides\n", p.PointSides-missedSides(p), p.PointSides)
	for _, m := range p.Missed {
		fmt.Fprintf(w, "  never in this run: %s\n", m)
	}
	v := p.Violation
	if v == nil {
		fmt.Fprintf(w, "\nVERDICT: 0 violations in %s histories\n", thousands(p.Histories))
		return
	}
	fmt.Fprintf(w, "\nVIOLATION %s\nseed %d; %d choices of its history that were not benign became %d in %d replays:\n\n", v.Says, v.Seed, v.Choices, v.Left, v.Replays)
	for _, line := range v.Trace {
		fmt.Fprintln(w, line)
	}
	again := fmt.Sprintf("bursar prove --histories 1 --seed %d", v.Seed)
	if p.Mutant != "" {
		again += " --mutant " + p.Mutant
	}
	fmt.Fprintf(w, "\nagain with: %s\n", again)
}

// missedSides counts the sides of await points among what never happened.
func missedSides(p api.Proof) (n int) {
	for _, m := range p.Missed {
		if len(m) > 7 && m[:7] == "killed " {
			n++
		}
	}
	return n
}

// thousands groups the digits of a count.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
