package cli

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"bursar/internal/drill"
)

func (sh *shell) drill() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drill",
		Short: "Break what a ledger lives on while purchases are made, and count",
		Long: `Each drill starts what it needs (simulated clouds, a ledger of its own in a file or in
a PostgreSQL of its own, workers as processes), breaks something while purchases are
made, and holds what the clouds have sold against the ledger, line by line. It spends
no money and leaves nothing behind. The exit code is 0 only if the books agree.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(sh.drillKill(), sh.drillRestore(), sh.drillClone(), sh.drillCommitCut(), sh.drillReset())
	return cmd
}

// drillOptions are the flags that all drills have.
func (sh *shell) drillOptions(cmd *cobra.Command, o *drill.Options, ledger string, lines int) {
	// The ledger of a drill is one of its own: the flag of the other commands names one
	// that is there.
	cmd.Flags().StringVar(&o.Ledger, "ledger", ledger, "`kind` of the ledger: sqlite or postgres")
	cmd.Flags().IntVar(&o.Lines, "lines", lines, "`number` of lines, over all services of all clouds")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 0, "`number` that random choices derive from; 0 draws one")
}

// drilled runs a drill.
func (sh *shell) drilled(o *drill.Options, fn func() error) error {
	switch {
	case o.Ledger != drill.SQLite && o.Ledger != drill.Postgres:
		return fmt.Errorf("--ledger %q: a drill makes a ledger of its own: use sqlite or postgres", o.Ledger)
	case o.Lines < 1:
		return fmt.Errorf("--lines %d: use 1 or more", o.Lines)
	}
	var err error
	if o.Bursar, err = os.Executable(); err != nil {
		return err
	}
	o.Out = sh.out
	if err := fn(); errors.Is(err, drill.ErrFailed) {
		return &exit{code: ExitError}
	} else if err != nil {
		return err
	}
	return nil
}

func (sh *shell) drillKill() *cobra.Command {
	var o drill.KillOptions
	cmd := &cobra.Command{
		Use:   "kill",
		Short: "Kill workers and crash PostgreSQL while a fifth of all requests goes wrong",
		Args:  nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.For <= 0:
				return fmt.Errorf("--for %s: use more than 0s", o.For)
			case o.Workers < 1:
				return fmt.Errorf("--workers %d: use 1 or more", o.Workers)
			case o.Takeover < 0:
				return fmt.Errorf("--takeover %s: use 0 or more", o.Takeover)
			case o.Kills < 0 || o.Crashes < 0:
				return errors.New("--kills and --crashes: use 0 or more")
			}
			if o.Options.Ledger == drill.SQLite {
				o.Crashes = 0
			}
			return sh.drilled(&o.Options, func() error { return drill.Kill(cmd.Context(), o) })
		},
	}
	sh.drillOptions(cmd, &o.Options, drill.SQLite, 1000)
	f := cmd.Flags()
	f.DurationVar(&o.For, "for", 2*time.Minute, "`duration` of the killing")
	f.IntVar(&o.Workers, "workers", 3, "`number` of workers at once")
	f.IntVar(&o.Kills, "kills", 300, "`number` of workers to kill at least")
	f.IntVar(&o.Crashes, "crashes", 5, "`number` of crashes of PostgreSQL")
	f.DurationVar(&o.Takeover, "takeover", 15*time.Second, "`duration` after which a line that a killed worker has left must be taken up; 0 only reports it")
	return cmd
}

func (sh *shell) drillCommitCut() *cobra.Command {
	var o drill.Options
	cmd := &cobra.Command{
		Use:   "commit-cut",
		Short: "Lose the answers to commits: one in four is carried out and its connection reset",
		Args:  nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.drilled(&o, func() error { return drill.CommitCut(cmd.Context(), o) })
		},
	}
	sh.drillOptions(cmd, &o, drill.Postgres, 100)
	return cmd
}

func (sh *shell) drillReset() *cobra.Command {
	var o drill.ResetOptions
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Reset the connections of purchases after so many bytes, of the request and of the answer",
		Args:  nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Step < 1 {
				return fmt.Errorf("--step %d: use 1 or more", o.Step)
			}
			return sh.drilled(&o.Options, func() error { return drill.Reset(cmd.Context(), o) })
		},
	}
	sh.drillOptions(cmd, &o.Options, drill.SQLite, 360)
	cmd.Flags().IntVar(&o.Step, "step", 64, "`number` of bytes from one reset to the next; 1 is every byte, and wants more lines")
	return cmd
}

func (sh *shell) drillRestore() *cobra.Command {
	var o drill.RestoreOptions
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Put an old backup in the place of the ledger, and recover",
		Args:  nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.drilled(&o.Options, func() error { return drill.Restore(cmd.Context(), o) })
		},
	}
	sh.drillOptions(cmd, &o.Options, drill.SQLite, 80)
	cmd.Flags().BoolVar(&o.Files, "files", false, "put the files of the PostgreSQL cluster back, which comes back as the same one")
	return cmd
}

func (sh *shell) drillClone() *cobra.Command {
	var o drill.Options
	cmd := &cobra.Command{
		Use:   "clone",
		Short: "Let copies of the ledger and a second installation try to buy in the same accounts",
		Args:  nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.drilled(&o, func() error { return drill.Clone(cmd.Context(), o) })
		},
	}
	sh.drillOptions(cmd, &o, drill.SQLite, 40)
	return cmd
}
