package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/app"
)

func (sh *shell) receipt() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "receipt LINE",
		Short: "Show the signed receipt of a purchase",
		Long: `Shows what was bought for a line, by whose approval, by which request, and what the
cloud answered, signed with the key of the installation. With -o json it is the
document itself: keep it as it is printed. bursar receipt verify tests it anywhere.

  bursar receipt LINE -o json
  bursar receipt verify receipt.json`,
		Args: exactlyOne("LINE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				text, err := a.Receipt(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return sh.showReceipt(text)
			})
		},
	}
	cmd.AddCommand(sh.receiptVerify())
	return cmd
}

func (sh *shell) showReceipt(text []byte) error {
	if sh.format == formatJSON {
		_, err := sh.out.Write(text)
		return err
	}
	var r api.SignedReceipt
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	p := r.Parts
	request, answer := "", ""
	if p.Request != nil {
		request = p.Request.SHA256
	}
	if n := len(p.Answer); n > 0 {
		answer = strings.TrimSpace(p.Answer[n-1].Kind + " " + p.Answer[n-1].Operation + " " + p.Answer[n-1].RequestID)
	}
	approvers := []string{}
	for _, d := range p.Decisions {
		if d.Approve {
			approvers = append(approvers, d.By)
		}
	}
	if sh.format == formatCSV {
		return writeCSV(sh.out, []string{"line", "commitment", "account", "region", "service", "currency", "total", "plan", "digest", "requester", "approvers", "request", "answer", "public_key", "signature"}, [][]string{{
			p.Line.ID, p.Commitment.Commitment, p.Line.Account, p.Line.Region, p.Line.Service, p.Line.Price.Total.Currency(), p.Line.Price.Total.Canonical(),
			p.Plan.ID, p.Plan.Digest, p.Plan.Requester, strings.Join(approvers, ", "), request, answer, r.PublicKey, r.Signature,
		}})
	}
	w := sh.out
	fmt.Fprintf(w, "commitment  %s in %s/%s, since %s\n", p.Commitment.Commitment, p.Line.Account, p.Line.Region, when(p.Commitment.Start))
	fmt.Fprintf(w, "line        %s: %s, %s, %s\n", p.Line.ID, wanted(p.Line), terms(p.Line.TermMonths, p.Line.Payment), p.Line.Price.Total)
	fmt.Fprintf(w, "plan        %s, version %d, requested by %s\n", p.Plan.ID, p.Plan.Version, p.Plan.Requester)
	fmt.Fprintf(w, "digest      %s\n", p.Plan.Digest)
	fmt.Fprintf(w, "approved    by %s\n", strings.Join(approvers, ", "))
	if p.Request != nil {
		fmt.Fprintf(w, "request     attempt %d, %s, SHA-256 %s\n", p.Request.Attempt, p.Request.Identity, request)
	}
	fmt.Fprintf(w, "answer      %s\n", answer)
	for _, c := range p.Chain {
		fmt.Fprintf(w, "audit log   entry %d, %s by %s, %s\n", c.Seq, c.Act, c.Actor, c.Hash)
	}
	fmt.Fprintf(w, "signed      by %s\n", r.PublicKey)
	return nil
}

func (sh *shell) receiptVerify() *cobra.Command {
	var key, audit string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Test a receipt, without a ledger",
		Long: `Tests that a receipt is what an installation has signed, to the byte, and names what
differs. --key names the public key that init printed; without it the receipt's own is
taken, which shows that it is whole but not who signed it. With --audit the entries
of the audit log that the receipt names are looked up in an export of the log.`,
		Args: exactlyOne("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := openInput(args[0])
			if err != nil {
				return err
			}
			defer f.Close() //nolint:errcheck // read only
			text, err := io.ReadAll(io.LimitReader(f, 16<<20))
			if err != nil {
				return err
			}
			var export io.Reader
			if audit != "" {
				var file *os.File
				if file, err = openInput(audit); err != nil {
					return err
				}
				defer file.Close() //nolint:errcheck // read only
				export = file
			}
			v, err := app.VerifyReceipt(text, key, export)
			if err != nil {
				return err
			}
			switch {
			case sh.format == formatJSON:
				err = writeJSON(sh.out, v)
			case sh.format == formatCSV:
				rows := [][]string{}
				for _, p := range v.Problems {
					rows = append(rows, []string{args[0], p})
				}
				err = writeCSV(sh.out, []string{"file", "problem"}, rows)
			case v.OK:
				fmt.Fprintf(sh.out, "%s is the receipt of line %s, whole. %s\n", args[0], v.Line, verifiedBy(key, v.PublicKey))
			default:
				for _, p := range v.Problems {
					fmt.Fprintf(sh.out, "%s: %s\n", args[0], p)
				}
			}
			if err == nil && !v.OK {
				err = &exit{ExitError, fmt.Sprintf("%s is not a receipt as it was signed: %s", args[0], v.Problems[0])}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "public `key` of the installation")
	cmd.Flags().StringVar(&audit, "audit", "", "export of the audit log, a `file`, in which to look its entries up")
	return cmd
}
