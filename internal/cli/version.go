package cli

import (
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"
)

// Version is set by release builds.
var Version = "development"

func (sh *shell) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  nothing,
		RunE: func(*cobra.Command, []string) error {
			v := map[string]string{"version": Version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						v["commit"] = s.Value
					}
				}
			}
			switch sh.format {
			case formatJSON:
				return writeJSON(sh.out, v)
			case formatCSV:
				head := slices.Sorted(maps.Keys(v))
				row := make([]string, len(head))
				for i, k := range head {
					row[i] = v[k]
				}
				return writeCSV(sh.out, head, [][]string{row})
			}
			fmt.Fprintf(sh.out, "bursar %s (%s, %s)\n", v["version"], v["go"], v["platform"])
			return nil
		},
	}
}
