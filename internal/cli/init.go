package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"bursar/internal/app"
)

func (sh *shell) initialize() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Create a ledger",
		Long: `Creates the ledger, a file that no other command ever creates: a wrong path
must not start an empty ledger that knows of no purchase.

A ledger that several hosts work on is an empty PostgreSQL database:

  bursar init --ledger postgres://bursar@db.example.org/bursar

A password is taken from PGPASSWORD or ~/.pgpass as well as from the URL.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, err := app.Init(cmd.Context(), sh.options())
			if err != nil {
				return err
			}
			switch sh.format {
			case formatJSON:
				return writeJSON(sh.out, in)
			case formatCSV:
				return writeCSV(sh.out, []string{"ledger", "install", "created", "simulated", "clouds", "public key"}, [][]string{
					{in.Ledger, in.Install, in.CreatedAt.Format(time.RFC3339), strconv.FormatBool(in.Simulated), in.Clouds, in.PublicKey},
				})
			}
			fmt.Fprintf(sh.out, "Created the ledger %s; everything it buys is named bu-%s-...\n", in.Ledger, in.Install)
			fmt.Fprintf(sh.out, "Its receipts are verified with the public key %s.\n", in.PublicKey)
			if in.Simulated {
				fmt.Fprintf(sh.out, "No live account is configured: purchases are SIMULATED (%s).\n", in.Clouds)
			}
			fmt.Fprintln(sh.out, "Next: bursar plan create -f FILE")
			return nil
		},
	}
}
