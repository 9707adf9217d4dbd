package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"bursar/internal/app"
)

func (sh *shell) sim() *cobra.Command {
	var o app.SimOptions
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Serve the simulated clouds for any SDK or command line",
		Long:  "Serves the simulated clouds until it is stopped.\n\n" + app.SimHelp,
		Args:  nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return app.Simulate(cmd.Context(), o, func(url string) {
				fmt.Fprintf(sh.out, `Simulated clouds on %s   (control surface: %s/_sim/)

  export AWS_ENDPOINT_URL=%s AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1
`, url, url, url)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Listen, "listen", "127.0.0.1:4566", "`address` to listen on")
	f.StringVar(&o.State, "state", "", "keep the clouds in this `file`; default is in memory")
	f.Uint64Var(&o.Seed, "seed", 0, "`number` that every random choice derives from")
	f.DurationVar(&o.Visibility, "visibility", 2*time.Second, "a purchase is listed after this `duration` at most; negative is at once")
	return cmd
}
