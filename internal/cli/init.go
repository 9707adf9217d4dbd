package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"bursar/internal/app"
)

func (sh *shell) initialize() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Create a ledger",
		Long: `Creates the ledger, a file that no other command ever creates: a wrong path
must not start an empty ledger that knows of no purchase.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, err := app.Init(cmd.Context(), sh.options())
			if err != nil {
				return err
			}
			if sh.format == formatJSON {
				return writeJSON(sh.out, in)
			}
			fmt.Fprintf(sh.out, "Created the ledger %s; everything it buys is named bu-%s-...\n", in.Ledger, in.Install)
			if in.Simulated {
				fmt.Fprintf(sh.out, "No live account is configured: purchases are SIMULATED (%s).\n", in.Clouds)
			}
			fmt.Fprintln(sh.out, "Next: bursar plan create -f FILE")
			return nil
		},
	}
}
