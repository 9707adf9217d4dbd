package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/app"
)

func (sh *shell) auditLog() *cobra.Command {
	var f app.AuditFilter
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Show who did what, and what was refused",
		Long: `Shows the audit log, oldest first. Each entry was on disk before what it tells of
was done; an act that failed has a second entry, which says why. Sessions and
tokens are shown by their beginnings, and a command line by the account of the
operating system.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.Last < 0 {
				return fmt.Errorf("--last %d: use a whole number from 0 up", f.Last)
			}
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				list, err := a.AuditLog(cmd.Context(), f)
				if err != nil {
					return err
				}
				return sh.showAuditLog(list)
			})
		},
	}
	cmd.Flags().StringVar(&f.Actor, "by", "", "only what this `person` did")
	cmd.Flags().StringVar(&f.Act, "act", "", "only this `act`, such as plan.approve")
	cmd.Flags().StringVar(&f.Subject, "about", "", "only what is about this `id` or name, whole")
	cmd.Flags().BoolVar(&f.Refused, "refused", false, "only what was denied or failed")
	cmd.Flags().IntVar(&f.Last, "last", 0, "only so many, the newest; 0 is all")
	return cmd
}

func (sh *shell) showAuditLog(list []api.AuditEntry) error {
	if sh.format == formatJSON {
		return writeJSON(sh.out, list)
	}
	rows := make([][]string, len(list))
	for i, e := range list {
		details, err := json.Marshal(e.Details)
		if err != nil {
			return err
		}
		rows[i] = []string{strconv.FormatInt(e.Seq, 10), e.At.Format(time.RFC3339Nano), e.Actor, e.Session, e.Act, e.Kind, e.Subject, string(details), e.Hash}
	}
	if sh.format == formatCSV {
		return writeCSV(sh.out, []string{"entry", "at", "actor", "session", "act", "kind", "subject", "details", "hash"}, rows)
	}
	if len(list) == 0 {
		fmt.Fprintln(sh.out, "No entries.")
		return nil
	}
	g := &grid{head: []string{">entry", "at", "actor", "session", "act", "kind", "subject", "why"}}
	for i, e := range list {
		why, _ := e.Details["why"].(string)
		g.add(rows[i][0], when(e.At), e.Actor, e.Session, e.Act, e.Kind, e.Subject, why)
	}
	g.print(sh.out)
	return nil
}

func (sh *shell) auditVerify() *cobra.Command {
	var key, since string
	cmd := &cobra.Command{
		Use:   "verify [EXPORT]",
		Short: "Test that nothing in the audit log was changed, left out or put in",
		Long: `Walks the audit log of the ledger: each entry holds the hash of the one before it.
What does not hold is named by its number.

With EXPORT, a file of bursar audit export, it tests that file and needs no ledger:
its entries and the signature of its end. --key names the public key that init
printed; without it the file's own is taken, which shows that the file is whole but
not who signed it.

A log that was made anew from its beginning holds as well. An export that is kept
elsewhere finds that: --since EXPORT tests that the log goes on from there.`,
		Args: atMostOne("EXPORT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 1 && since != "":
				return errors.New("--since compares the log of the ledger with an export: leave the other one out")
			case len(args) == 0 && key != "":
				return errors.New("--key belongs to an export: bursar audit verify EXPORT --key KEY")
			case len(args) == 1:
				f, err := openInput(args[0])
				if err != nil {
					return err
				}
				defer f.Close() //nolint:errcheck // read only
				h, err := app.VerifyAuditExport(f, key)
				if err != nil {
					return fmt.Errorf("%s: %w", args[0], err)
				}
				return sh.showHead(h, verifiedBy(key, h.PublicKey))
			}
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				var export io.Reader
				if since != "" {
					f, err := openInput(since)
					if err != nil {
						return err
					}
					defer f.Close() //nolint:errcheck // read only
					export = f
				}
				h, err := a.VerifyAudit(cmd.Context(), export)
				if err != nil {
					return err
				}
				says := ""
				if since != "" {
					says = "It goes on from " + since + "."
				}
				return sh.showHead(h, says)
			})
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "public `key` of the installation that made the export")
	cmd.Flags().StringVar(&since, "since", "", "earlier export, a `file`, from which the log of the ledger must go on")
	return cmd
}

// atMostOne takes one argument or none.
func atMostOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return fmt.Errorf("name one %s: %s", what, cmd.UseLine())
		}
		return nil
	}
}

func verifiedBy(given, own string) string {
	if given != "" {
		return "It was signed by this key."
	}
	return "It was signed by " + own + ": compare that with what bursar init printed, or use --key."
}

func openInput(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no file %s", path)
	}
	return f, err
}

func (sh *shell) showHead(h api.AuditHead, says string) error {
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, h)
	case formatCSV:
		return writeCSV(sh.out, []string{"install", "entries", "hash", "public_key"}, [][]string{{h.Install, strconv.FormatInt(h.Entries, 10), h.Hash, h.PublicKey}})
	}
	fmt.Fprintf(sh.out, "%s of installation %s, each after the one before it; the last has the hash %s.\n", count(int(h.Entries), "entry", "entries"), h.Install, h.Hash)
	if says != "" {
		fmt.Fprintln(sh.out, says)
	}
	return nil
}

func (sh *shell) auditExport() *cobra.Command {
	return &cobra.Command{
		Use:   "export FILE",
		Short: "Write the audit log to a new file, with a signed end",
		Long: `Writes the audit log to a new file, one JSON text a line, and last a line that the
key of the installation signs. bursar audit verify FILE tests it anywhere. Keep it
where whoever runs the ledger cannot change it.`,
		Args: exactlyOne("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				f, err := os.OpenFile(args[0], os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
				if errors.Is(err, fs.ErrExist) {
					return fmt.Errorf("%s exists and is left as it is: name a new file", args[0])
				} else if err != nil {
					return err
				}
				h, err := a.ExportAudit(cmd.Context(), f)
				if err == nil {
					err = f.Sync()
				}
				if err = errors.Join(err, f.Close()); err != nil {
					return errors.Join(err, os.Remove(args[0]))
				}
				return sh.showHead(h, "Written to "+args[0]+".")
			})
		},
	}
}

// exactlyOne takes one argument.
func exactlyOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("name one %s: %s", what, cmd.UseLine())
		}
		return nil
	}
}
