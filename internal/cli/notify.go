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

func (sh *shell) notify() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notify",
		Short: "Who is told of what: mail, chats and webhooks",
		Long: `Bursar tells people what waits for approval, what will be bought, was bought or is in
doubt, what needs a decision, and what ends soon. The channels are in bursar.yaml under
notify; workers send what is due (task outbox), as does bursar run outbox.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(sh.notifyList(), sh.notifyOutbox(), sh.notifyTest(), sh.notifyMute(), sh.notifyUnmute())
	return cmd
}

func (sh *shell) notifyList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the channels with what each gets, and what people have muted",
		Args:  nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				n, err := a.Notifications(cmd.Context())
				if err != nil {
					return err
				}
				return sh.showNotifications(n)
			})
		},
	}
}

func (sh *shell) showNotifications(n api.Notifications) error {
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, n)
	case formatCSV:
		rows := [][]string{}
		for _, c := range n.Channels {
			rows = append(rows, []string{"channel", c.Name, c.Type, c.Address, strings.Join(c.To, " "), strings.Join(c.Kinds, " "), "", c.Problem})
		}
		for _, m := range n.Mutes {
			rows = append(rows, []string{"mute", m.Person, "", "", "", m.Kind, stamp(&m.Until), ""})
		}
		return writeCSV(sh.out, []string{"row", "name", "type", "address", "to", "kinds", "until", "problem"}, rows)
	}
	if len(n.Channels) == 0 {
		fmt.Fprintln(sh.out, "Nobody is told: there are no channels in notify of bursar.yaml.")
	} else {
		g := &grid{head: []string{"channel", "type", "address", "to", "kinds", "problem"}}
		for _, c := range n.Channels {
			g.add(c.Name, c.Type, c.Address, strings.Join(c.To, ", "), kindsShown(c.Kinds), c.Problem)
		}
		g.print(sh.out)
	}
	if len(n.Mutes) == 0 {
		return nil
	}
	fmt.Fprintln(sh.out)
	g := &grid{head: []string{"person", "does not hear of", "until"}}
	for _, m := range n.Mutes {
		g.add(m.Person, strings.ReplaceAll(m.Kind, "_", " "), when(m.Until))
	}
	g.print(sh.out)
	return nil
}

// kindsShown are kinds for people; there are too many to name all.
func kindsShown(kinds []string) string {
	if len(kinds) > 6 {
		return count(len(kinds), "kind", "kinds")
	}
	return strings.ReplaceAll(strings.Join(kinds, ", "), "_", " ")
}

func (sh *shell) notifyOutbox() *cobra.Command {
	return &cobra.Command{
		Use:   "outbox",
		Short: "Show the newest messages, and what became of each",
		Long: `Shows the newest hundred messages and their deliveries: waiting, sent, given up after a
day or by a channel that is gone, or dropped because nobody wants them any more.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				o, err := a.Outbox(cmd.Context())
				if err != nil {
					return err
				}
				return sh.showOutbox(o)
			})
		},
	}
}

func (sh *shell) showOutbox(o api.Outbox) error {
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, o)
	case formatCSV:
		rows := [][]string{}
		for _, m := range o.Messages {
			if len(m.Deliveries) == 0 {
				rows = append(rows, []string{m.ID, m.Kind, stamp(&m.At), m.Title, m.ToldBy, "", "", "", "", "", "", ""})
			}
			for _, d := range m.Deliveries {
				rows = append(rows, []string{m.ID, m.Kind, stamp(&m.At), m.Title, m.ToldBy, d.Channel, d.Recipient, d.State, strconv.Itoa(d.Tries), stamp(d.NextAt), stamp(d.EndedAt), d.Detail})
			}
		}
		return writeCSV(sh.out, []string{"message", "kind", "at", "title", "told_by", "channel", "recipient", "state", "tries", "next", "ended", "detail"}, rows)
	}
	if len(o.Messages) == 0 {
		fmt.Fprintln(sh.out, "There are no messages.")
		return nil
	}
	g := &grid{head: []string{"at", "message", "channel", "state", "tries", "detail"}}
	for _, m := range o.Messages {
		title := m.Title
		if title == "" {
			title = strings.ReplaceAll(m.Kind, "_", " ")
		}
		switch {
		case m.ToldBy != "":
			g.add(when(m.At), title, "", "told with another", "", "")
		case m.RoutedAt == nil:
			g.add(when(m.At), title, "", "not routed", "", "")
		case len(m.Deliveries) == 0:
			g.add(when(m.At), title, "", "for nobody", "", "")
		}
		for _, d := range m.Deliveries {
			channel := d.Channel
			if d.Recipient != "" {
				channel += " to " + d.Recipient
			}
			state := strings.ReplaceAll(d.State, "_", " ")
			if d.NextAt != nil {
				state += " until " + when(*d.NextAt)
			}
			g.add(when(m.At), title, channel, state, strconv.Itoa(d.Tries), d.Detail)
		}
	}
	g.print(sh.out)
	return nil
}

func (sh *shell) notifyTest() *cobra.Command {
	return &cobra.Command{
		Use:   "test CHANNEL",
		Short: "Send a test message by a channel, now",
		Args:  oneName("CHANNEL", "bursar notify list shows the channels"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				c, err := a.TestChannel(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if sh.format == formatJSON {
					return writeJSON(sh.out, c)
				}
				to := ""
				if len(c.To) > 0 {
					to = " to " + strings.Join(c.To, ", ")
				}
				fmt.Fprintf(sh.out, "Sent a test by %s (%s, %s)%s.\n", c.Name, c.Type, c.Address, to)
				return nil
			})
		},
	}
}

// oneName takes one argument that is no id.
func oneName(what, hint string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || args[0] == "" {
			return fmt.Errorf("name one %s: %s", what, hint)
		}
		return nil
	}
}

func (sh *shell) notifyMute() *cobra.Command {
	var by, until string
	var d time.Duration
	cmd := &cobra.Command{
		Use:   "mute KIND",
		Short: "Get no mail of a kind for a while",
		Long: `Keeps mail of a kind from you for a while; all is every kind. Others still get it, and
so do channels that are no mail. What you would have got is not sent later. A server
knows by your token who you are. The kinds:

` + kindsHelp(),
		Args: oneName("KIND", "see bursar notify mute --help"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var at time.Time
			switch {
			case (d != 0) == (until != ""):
				return errors.New("say for how long: --for with a duration such as 72h, or --until with a time")
			case until != "":
				var err error
				if at, err = time.Parse(time.RFC3339, until); err != nil {
					return fmt.Errorf("--until %q: use a time with its zone, such as 2026-12-01T09:00:00Z", until)
				}
			}
			return sh.with(cmd.Context(), func(a api.Service) error {
				m, err := a.Mute(cmd.Context(), api.MuteRequest{Kind: args[0], By: by, For: d, Until: at})
				if err != nil {
					return err
				}
				return sh.showMute(m, fmt.Sprintf("%s gets no mail of %s until %s.\n", m.Person, m.Kind, when(m.Until)))
			})
		},
	}
	cmd.Flags().DurationVar(&d, "for", 0, "`duration`, such as 72h")
	cmd.Flags().StringVar(&until, "until", "", "`time`, such as 2026-12-01T09:00:00Z")
	cmd.Flags().StringVar(&by, "as", "", "`name` of the person who does not want it; default is the user's")
	return cmd
}

// kindsHelp lists the kinds of messages, each with what it tells.
func kindsHelp() string {
	lines := make([]string, len(api.MessageKinds))
	for i, k := range api.MessageKinds {
		lines[i] = fmt.Sprintf("  %-21s %s", k.Kind, k.Says)
	}
	return strings.Join(lines, "\n")
}

func (sh *shell) notifyUnmute() *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:   "unmute KIND",
		Short: "Get mail of a kind again",
		Args:  oneName("KIND", "bursar notify list shows what is muted"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				m, err := a.Unmute(cmd.Context(), args[0], by)
				if err != nil {
					return err
				}
				return sh.showMute(m, fmt.Sprintf("%s gets mail of %s again.\n", m.Person, m.Kind))
			})
		},
	}
	cmd.Flags().StringVar(&by, "as", "", "`name` of the person; default is the user's")
	return cmd
}

func (sh *shell) showMute(m api.Mute, says string) error {
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, m)
	case formatCSV:
		return writeCSV(sh.out, []string{"person", "kind", "until"}, [][]string{{m.Person, m.Kind, stamp(&m.Until)}})
	}
	fmt.Fprint(sh.out, says)
	return nil
}
