package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/app"
)

func (sh *shell) person() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "person",
		Short: "Say who may sign in to the server, and what they may do",
		Long: `People sign in to the server with the identity provider of bursar.yaml, which knows
them by their mail address, or with a link of bursar sign-in-link. A role is what
somebody may do: viewer reads, planner also plans and stops, approver also approves,
applies, resolves and stops but does not plan, admin does everything. Whoever requests
a plan does not approve it, whatever their roles. Roles hold at once.

Whoever can write the ledger's file needs no role.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(sh.personAdd(), sh.personList(), sh.personRoles(), sh.personDisable(), sh.personEnable())
	return cmd
}

// rights are the flags that say what somebody may do.
type rights struct {
	roles, accounts []string
	by              string
}

func (r *rights) flags(cmd *cobra.Command, roles string) {
	cmd.Flags().StringSliceVar(&r.roles, "roles", nil, roles)
	cmd.Flags().StringSliceVar(&r.accounts, "accounts", nil, "only in these `accounts`; default all")
	byFlag(cmd, &r.by)
}

func byFlag(cmd *cobra.Command, by *string) {
	cmd.Flags().StringVar(by, "by", "", "`name` of the person who says so; default is the user's")
}

// scope is nil unless accounts were named.
func (r *rights) scope(cmd *cobra.Command) []string {
	if !cmd.Flags().Changed("accounts") {
		return nil
	}
	return append([]string{}, r.accounts...)
}

const rolesUsage = "`roles`: viewer, planner, approver, admin"

func (sh *shell) personAdd() *cobra.Command {
	var r rights
	var mail string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Let somebody sign in",
		Long: `Adds a person. NAME is by which decisions are recorded, and what approvers in
bursar.yaml are named by. With --mail whoever the identity provider knows by this
verified address signs in as this person.`,
		Args: exactlyOne("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				p, err := a.AddPerson(cmd.Context(), api.PersonRequest{Name: args[0], Mail: mail, Roles: r.roles, Accounts: r.scope(cmd), By: r.by})
				if err != nil {
					return err
				}
				return sh.showPeople([]api.Person{p}, false)
			})
		},
	}
	cmd.Flags().StringVar(&mail, "mail", "", "mail `address` by which the identity provider knows the person")
	r.flags(cmd, rolesUsage)
	return cmd
}

func (sh *shell) personList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List who may sign in",
		Args:  nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				list, err := a.People(cmd.Context())
				if err != nil {
					return err
				}
				return sh.showPeople(list, true)
			})
		},
	}
}

func (sh *shell) personRoles() *cobra.Command {
	var r rights
	cmd := &cobra.Command{
		Use:   "roles NAME",
		Short: "Give somebody other roles and accounts",
		Long: `Gives a person these roles in these accounts, in place of those before. They hold at
once, also in sessions and for tokens. Where groups of the identity provider gave the
roles, they do not any more.`,
		Args: exactlyOne("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				p, err := a.SetRoles(cmd.Context(), api.PersonRequest{Name: args[0], Roles: r.roles, Accounts: r.scope(cmd), By: r.by})
				if err != nil {
					return err
				}
				return sh.showPeople([]api.Person{p}, false)
			})
		},
	}
	r.flags(cmd, rolesUsage)
	return cmd
}

func (sh *shell) personDisable() *cobra.Command {
	return sh.personSwitch("disable", "Keep somebody out, at once", "Keeps a person out at once, with all their sessions and tokens.", true)
}

func (sh *shell) personEnable() *cobra.Command {
	return sh.personSwitch("enable", "Let somebody in again", "Lets a person who was disabled sign in again; their tokens are good again too.", false)
}

func (sh *shell) personSwitch(use, short, long string, disabled bool) *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:   use + " NAME",
		Short: short,
		Long:  long,
		Args:  exactlyOne("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				p, err := a.DisablePerson(cmd.Context(), args[0], disabled, by)
				if err != nil {
					return err
				}
				return sh.showPeople([]api.Person{p}, false)
			})
		},
	}
	byFlag(cmd, &by)
	return cmd
}

func everything(accounts []string) string {
	switch {
	case accounts == nil:
		return "all"
	case len(accounts) == 0:
		return "none"
	}
	return strings.Join(accounts, " ")
}

func (sh *shell) showPeople(list []api.Person, all bool) error {
	if sh.format == formatJSON {
		if all {
			return writeJSON(sh.out, list)
		}
		return writeJSON(sh.out, list[0])
	}
	if len(list) == 0 && sh.format == formatTable {
		fmt.Fprintln(sh.out, "Nobody may sign in yet: bursar sign-in-link makes you an admin.")
		return nil
	}
	g := &grid{head: []string{"name", "mail", "roles", "accounts", "given by", "state"}}
	for _, p := range list {
		state := "enabled"
		if p.Disabled {
			state = "disabled"
		}
		g.add(p.Name, p.Mail, strings.Join(p.Roles, " "), everything(p.Accounts), p.By, state)
	}
	if sh.format == formatCSV {
		return writeCSV(sh.out, g.head, g.rows)
	}
	g.print(sh.out)
	return nil
}

func (sh *shell) tokens() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make keys for programs that use the server",
		Long: `A token lets a program use the server in the name of its owner, for a time, with the
owner's roles or fewer. A token of an agent plans and explains: it never approves,
applies or decides, whatever its roles. A token is shown once; the ledger keeps its
SHA-256 only.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(sh.tokenCreate(), sh.tokenList(), sh.tokenRevoke())
	return cmd
}

func (sh *shell) tokenCreate() *cobra.Command {
	var r rights
	var owner string
	var agent bool
	var valid time.Duration
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a token, and show it once",
		Long: `Makes a token and prints it, once. NAME tells what it is for.

  bursar token create nightly-report --roles viewer --valid 720h`,
		Args: exactlyOne("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				t, err := a.CreateToken(cmd.Context(), api.TokenRequest{
					Name: args[0], Owner: owner, Roles: r.roles, Accounts: r.scope(cmd), Agent: agent, Valid: valid, By: r.by,
				})
				if err != nil {
					return err
				}
				if sh.format != formatTable {
					return sh.showTokens([]api.Token{t}, false)
				}
				fmt.Fprintf(sh.out, "%s\n\nThis is the only time that it is shown. It acts as %s (%s) until %s; bursar token revoke %s ends it.\n",
					t.Value, t.Owner, strings.Join(t.Roles, " "), when(t.ExpiresAt), t.ID)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&owner, "owner", "", "`name` of the person in whose name it acts; default is the user's")
	cmd.Flags().BoolVar(&agent, "agent", false, "it is an agent's: it plans and explains, and nothing else")
	cmd.Flags().DurationVar(&valid, "valid", app.DefaultTokenLife, "how long it is good, 8784h at most")
	r.flags(cmd, rolesUsage+"; default those of its owner")
	return cmd
}

func (sh *shell) tokenList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List tokens, by their beginnings",
		Args:  nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				list, err := a.Tokens(cmd.Context())
				if err != nil {
					return err
				}
				return sh.showTokens(list, true)
			})
		},
	}
}

func (sh *shell) tokenRevoke() *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:   "revoke TOKEN",
		Short: "End a token, at once",
		Long:  "Ends a token at once. TOKEN is its id, which bursar token list shows; its beginning does.",
		Args:  exactlyOne("TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.HasPrefix(args[0], "bursar_") {
				return errors.New("name the token by its id, and never write it on a command line: bursar token list shows the ids")
			}
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				t, err := a.RevokeToken(cmd.Context(), args[0], by)
				if err != nil {
					return err
				}
				return sh.showTokens([]api.Token{t}, false)
			})
		},
	}
	byFlag(cmd, &by)
	return cmd
}

func (sh *shell) showTokens(list []api.Token, all bool) error {
	if sh.format == formatJSON {
		if all {
			return writeJSON(sh.out, list)
		}
		return writeJSON(sh.out, list[0])
	}
	if len(list) == 0 && sh.format == formatTable {
		fmt.Fprintln(sh.out, "No tokens yet.")
		return nil
	}
	g := &grid{head: []string{"id", "token", "name", "owner", "roles", "accounts", "agent", "state", "expires", "last used"}}
	for _, t := range list {
		seen := "never"
		if t.SeenAt != nil {
			seen = when(*t.SeenAt)
		}
		g.add(t.ID, t.Mask, t.Name, t.Owner, strings.Join(t.Roles, " "), everything(t.Accounts), strconv.FormatBool(t.Agent), t.State, when(t.ExpiresAt), seen)
	}
	if sh.format == formatCSV {
		g.head = append(g.head, "value")
		for i, t := range list {
			g.rows[i] = append(g.rows[i], t.Value)
		}
		return writeCSV(sh.out, g.head, g.rows)
	}
	g.print(sh.out)
	return nil
}

func (sh *shell) signInLink() *cobra.Command {
	var url, by string
	cmd := &cobra.Command{
		Use:   "sign-in-link [NAME]",
		Short: "Make a link that signs somebody in to the server, once",
		Long: `Makes a link that signs a person in once, within 15 minutes; earlier ones of the
person are useless from then on. NAME is the user's if none is given.

On a fresh installation, where nobody may sign in, NAME becomes an admin. This is how
the first one gets in, and how anybody does while the identity provider is away.`,
		Args: atMostOne("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				l, err := a.SignInLink(cmd.Context(), name, url, by)
				if err != nil {
					return err
				}
				switch sh.format {
				case formatJSON:
					return writeJSON(sh.out, l)
				case formatCSV:
					return writeCSV(sh.out, []string{"person", "url", "expires"}, [][]string{{l.Person, l.URL, l.ExpiresAt.Format(time.RFC3339)}})
				}
				fmt.Fprintf(sh.out, "%s\n\nIt signs %s in, once, until %s.\n", l.URL, l.Person, when(l.ExpiresAt))
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "`address` of the server; default base_url of bursar.yaml, or http://127.0.0.1:8080")
	byFlag(cmd, &by)
	return cmd
}
