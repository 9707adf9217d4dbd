package cli

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"bursar/internal/app"
)

func (sh *shell) ledgers() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Move a ledger to another place",
		Args:  nothing,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(sh.ledgerCopy())
	return cmd
}

func (sh *shell) ledgerCopy() *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:   "copy FROM TO",
		Short: "Copy a ledger whole, and let only the copy go on",
		Long: `Makes a new ledger at TO of all that the one at FROM holds: each is a file or the
postgres:// URL of a database, and TO must not exist or be empty. Everything is
read back, compared, and tested as bursar check does. Then FROM is ended: nothing
is bought or settled there any more, and no command starts it again.

Stop the workers of FROM first. What they have sent and not settled is looked up
from TO.

  bursar ledger copy bursar.db postgres://bursar@db.example.org/bursar`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("name two ledgers: bursar ledger copy FROM TO")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := app.CopyLedger(cmd.Context(), sh.options(), args[0], args[1], by)
			if err != nil {
				return err
			}
			rows, all := make([][]string, len(c.Tables)), 0
			for i, t := range c.Tables {
				rows[i], all = []string{t.Name, strconv.Itoa(t.Rows)}, all+t.Rows
			}
			switch sh.format {
			case formatJSON:
				return writeJSON(sh.out, c)
			case formatCSV:
				return writeCSV(sh.out, []string{"table", "rows"}, rows)
			}
			fmt.Fprintf(sh.out, "Copied %s of %s; read back, they are the same, and every invariant holds.\n", count(all, "row", "rows"), count(len(c.Tables), "table", "tables"))
			if c.Clouds != "" {
				fmt.Fprintf(sh.out, "Its simulated clouds are copied to %s.\n", c.Clouds)
			}
			fmt.Fprintf(sh.out, "%s goes on; %s has ended, and buys nothing any more.\nNext: bursar check --ledger %s\n", c.To, c.From, c.To)
			return nil
		},
	}
	cmd.Flags().StringVar(&by, "by", "", "`name` of the person; default is the user's")
	return cmd
}

func (sh *shell) migrate() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring a ledger of an older version up to date",
		Long: `Brings the ledger up to date with this program. No other command does: a ledger
that is used by several hosts changes when a person says so. Stop older programs
first; they refuse a newer ledger. Several at once wait for each other.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := app.Migrate(cmd.Context(), sh.options())
			if err != nil {
				return err
			}
			switch {
			case sh.format == formatJSON:
				return writeJSON(sh.out, m)
			case sh.format == formatCSV:
				return writeCSV(sh.out, []string{"ledger", "from", "to"}, [][]string{{m.Ledger, strconv.FormatInt(m.From, 10), strconv.FormatInt(m.To, 10)}})
			case m.From == m.To:
				fmt.Fprintf(sh.out, "The ledger %s is up to date, with version %d.\n", m.Ledger, m.To)
			default:
				fmt.Fprintf(sh.out, "The ledger %s has version %d now, after %d.\n", m.Ledger, m.To, m.From)
			}
			return nil
		},
	}
}
