package dst

import (
	"fmt"
	"strings"
	"time"

	"bursar/internal/cloud"
)

// Result is what became of one history.
type Result struct {
	Seed      uint64
	Violation string // "" if every invariant held
	Hash      uint64 // of everything that happened: equal for equal seeds
	Awaits    int
	Minutes   int // simulated
	Faults    [numFaults]int
	Points    [numPoints]coverage
}

// Runner carries out one history after another. It must be closed.
type Runner struct{ coroutines coroutines }

// Close frees what the runner keeps between histories.
func (r *Runner) Close() { r.coroutines.close() }

// Run carries out the history of a seed in the world of a mutant, or in the
// correct one for the zero Mutant.
func (r *Runner) Run(seed uint64, m Mutant) Result {
	w := r.world(&choices{state: seed}, m)
	w.run()
	return w.result(seed)
}

func (r *Runner) world(c *choices, m Mutant) *world {
	w := &world{c: c, mutant: m}
	w.scheduler.coroutines = &r.coroutines
	return w
}

func (w *world) result(seed uint64) Result {
	return Result{
		Seed: seed, Violation: w.violation, Hash: w.hash, Awaits: w.awaits, Minutes: int(w.now / time.Minute),
		Faults: w.injected, Points: w.points,
	}
}

// Named returns the mutant with the given name; "" is the correct world.
func Named(name string) (Mutant, error) {
	if name == "" {
		return Mutant{}, nil
	}
	names := make([]string, len(Mutants))
	for i, m := range Mutants {
		if m.Name == name {
			return m, nil
		}
		names[i] = m.Name
	}
	return Mutant{}, fmt.Errorf("no mutant %q; the mutants are %s", name, strings.Join(names, ", "))
}

// Crashes of processes at an await point.
type Crashes struct{ Before, After int }

// Tally adds up results.
type Tally struct {
	Histories int
	Awaits    int
	Minutes   int            // simulated
	Faults    map[string]int // by family: how many were injected
	// Crashes counts, for each await point, how often a process was killed before
	// and after the call had its effect.
	Crashes  map[string]Crashes
	Violated int
	First    Result // the violation with the smallest seed
}

// Add counts a result.
func (t *Tally) Add(r Result) {
	if t.Faults == nil {
		t.Faults, t.Crashes = map[string]int{}, map[string]Crashes{}
	}
	t.Histories++
	t.Awaits += r.Awaits
	t.Minutes += r.Minutes
	for k, n := range r.Faults {
		t.Faults[faultNames[k]] += n
	}
	for p, n := range r.Points {
		c := t.Crashes[pointNames[p]]
		t.Crashes[pointNames[p]] = Crashes{c.Before + n.before, c.After + n.after}
	}
	if r.Violation != "" {
		t.Violated++
		if t.First.Violation == "" || r.Seed < t.First.Seed {
			t.First = r
		}
	}
}

// Merge adds another tally.
func (t *Tally) Merge(o Tally) {
	if t.Faults == nil {
		t.Faults, t.Crashes = map[string]int{}, map[string]Crashes{}
	}
	t.Histories += o.Histories
	t.Awaits += o.Awaits
	t.Minutes += o.Minutes
	t.Violated += o.Violated
	for k, n := range o.Faults {
		t.Faults[k] += n
	}
	for k, n := range o.Crashes {
		c := t.Crashes[k]
		t.Crashes[k] = Crashes{c.Before + n.Before, c.After + n.After}
	}
	if o.First.Violation != "" && (t.First.Violation == "" || o.First.Seed < t.First.Seed) {
		t.First = o.First
	}
}

// Uncovered lists the sides of await points on which no process was ever killed,
// and the families of faults that never happened.
func (t *Tally) Uncovered() []string {
	var names []string
	for _, name := range pointNames {
		if t.Crashes[name].Before == 0 {
			names = append(names, "killed before: "+name)
		}
		if t.Crashes[name].After == 0 {
			names = append(names, "killed after: "+name)
		}
	}
	for _, name := range faultNames {
		if t.Faults[name] == 0 {
			names = append(names, name)
		}
	}
	return names
}

// Points is the number of sides of await points at which a process can be killed.
const Points = 2 * int(numPoints)

// scripted runs one line of a class in a calm world, with the given faults at the
// given awaits.
func (r *Runner) scripted(class cloud.Class, faults map[int]script) *world {
	w := r.world(&choices{replay: true}, Mutant{})
	w.calm, w.only, w.scripted = true, class, faults
	w.run()
	return w
}

// Exhaust runs a line of the class with every single fault at every await, and,
// if pairs is set, with every pair. It returns the number of histories and the
// first violation.
func (r *Runner) Exhaust(class cloud.Class, pairs bool) (histories int, violation string) {
	awaits := r.scripted(class, nil).awaits
	try := func(faults map[int]script) (int, bool) {
		histories++
		w := r.scripted(class, faults)
		if w.violation != "" {
			violation = fmt.Sprintf("%v: %s", faults, w.violation)
		}
		return w.awaits, violation == ""
	}
	for at := range awaits {
		for f := scriptNone + 1; f < numScripts; f++ {
			n, ok := try(map[int]script{at: f})
			if !ok {
				return histories, violation
			}
			// A fault makes the history longer; the second one may lie in what
			// is added.
			for second := at + 1; pairs && second < n; second++ {
				for g := scriptNone + 1; g < numScripts; g++ {
					if _, ok := try(map[int]script{at: f, second: g}); !ok {
						return histories, violation
					}
				}
			}
		}
	}
	return histories, ""
}
