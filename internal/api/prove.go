package api

// Proof is what a run of simulated histories has shown.
type Proof struct {
	Mutant         string         `json:"mutant,omitempty"` // name of the guard that was taken away
	Guard          string         `json:"guard,omitempty"`  // what that guard says
	FirstSeed      uint64         `json:"first_seed"`
	Histories      int            `json:"histories"`
	Violations     int            `json:"violations"`
	PerSecond      int            `json:"histories_per_second"`
	Cores          int            `json:"cores"`
	Awaits         int            `json:"awaits"`
	SimulatedHours int            `json:"simulated_hours"`
	Faults         map[string]int `json:"faults"` // injected, by kind
	// PointSides is at how many sides of await points a process can be killed.
	// Missed lists those where none was, and kinds of faults that never happened.
	PointSides int        `json:"point_sides"`
	Missed     []string   `json:"missed"`
	Violation  *Violation `json:"violation,omitempty"` // of the smallest seed
}

// Violation is a history in which an invariant does not hold, made as small as it
// goes.
type Violation struct {
	Seed    uint64   `json:"seed"`
	Says    string   `json:"says"`
	Trace   []string `json:"trace"`
	Choices int      `json:"choices"` // choices that were not benign in the history of the seed
	Left    int      `json:"left"`    // those that are left in the trace
	Replays int      `json:"replays"`
}
