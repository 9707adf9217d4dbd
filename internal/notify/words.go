// Package notify says in words what happened, and sends it: by mail, to chats, and to
// webhooks. It knows nothing of the ledger; what was sent is remembered elsewhere.
package notify

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"bursar/internal/api"
)

// words are a message for people, plain text without markup.
type words struct {
	title string
	lines []string // sentences
	items []string // of a list, some words each
	link  string
	next  string // a command
}

// itemsShown is how many items a message lists: it is to be read, not searched.
const itemsShown = 20

// Title says in one line what a message tells.
func Title(m api.Message) string {
	title := titleOf(m)
	if m.Simulated {
		title = "[simulated] " + title
	}
	return title
}

func titleOf(m api.Message) string {
	n := len(m.Items)
	of := ""
	if m.Plan != nil {
		of = " of " + planName(*m.Plan)
	}
	switch m.Kind {
	case "waiting_for_approval":
		if m.Undo != nil {
			return "To give back what a line has bought waits for approval"
		}
		if m.Plan != nil {
			return fmt.Sprintf("%s waits for approval: %s", upper(planName(*m.Plan)), m.Plan.Price.Total)
		}
	case "will_buy":
		if m.Schedule != "" && m.Plan != nil {
			return fmt.Sprintf("%s will be bought from %s on", upper(planName(*m.Plan)), when(m.DueAt))
		}
		return fmt.Sprintf("%s%s will be bought at %s", count(n, "line"), of, when(m.DueAt))
	case "bought":
		return fmt.Sprintf("Bought: %s%s", count(n, "line"), of)
	case "not_bought":
		return fmt.Sprintf("Not bought: %s%s", count(n, "line"), of)
	case "in_doubt":
		return fmt.Sprintf("In doubt: %s%s", count(n, "line"), of)
	case "needs_decision":
		return fmt.Sprintf("A person has to decide: %s%s", count(n, "line"), of)
	case "overdue":
		return fmt.Sprintf("Overdue: %s%s", count(n, "line"), of)
	case "finding":
		return fmt.Sprintf("The books do not balance: %s", count(n, "finding"))
	case "expiry":
		return fmt.Sprintf("%s within %d days", count(n, "commitment ends", "commitments end"), m.Days)
	case "return_window":
		return fmt.Sprintf("%s be given back until %s only", count(n, "commitment can", "commitments can"), when(m.DueAt))
	case "payment_pending":
		return fmt.Sprintf("The payment of %s is still pending", count(n, "commitment"))
	case "undelivered":
		return "Messages to " + m.Channel + " could not be delivered"
	case "test":
		return "A test of the channel " + m.Channel
	}
	return strings.ReplaceAll(m.Kind, "_", " ")
}

// say puts a message into words.
func say(m api.Message) words {
	w := words{title: cmp.Or(m.Title, Title(m)), link: m.Link, next: m.Next}
	add := func(format string, args ...any) { w.lines = append(w.lines, fmt.Sprintf(format, args...)) }
	switch m.Kind {
	case "waiting_for_approval":
		switch {
		case m.Undo != nil:
			add("%s asks to give it back; %s needed.", m.Undo.Requester, count(m.Undo.Needed, "approval is", "approvals are"))
			if m.Undo.Comment != "" {
				add("%s says: %s", m.Undo.Requester, m.Undo.Comment)
			}
		case m.Plan != nil:
			p := m.Plan
			add("%s asks for %s: %s upfront, %s per hour, %s in total.", p.Requester, count(p.Lines, "line"), p.Price.Upfront, p.Price.Hourly, p.Price.Total)
			who := "anybody who may approve"
			if len(p.Approvers) > 0 {
				who = strings.Join(p.Approvers, ", ")
			}
			add("It needs %s of: %s.", count(p.Needed, "approval"), who)
		}
	case "will_buy":
		add("Nothing has to be done if that is wanted. Until then it can be called off.")
	case "bought":
		add("Each line has its receipt.")
	case "not_bought":
		add("Nothing was committed by it. What is still wanted needs a new plan.")
	case "in_doubt":
		add("It is not known yet whether it was bought. Bursar looks it up; it is not sent again before that is proven safe.")
	case "needs_decision":
		add("Bursar goes on with it only after a person's word.")
	case "overdue":
		add("It was to have moved on by now. Nothing is decided by its age.")
	case "finding":
		add("What the clouds list and what the ledger holds differ.")
	case "expiry":
		add("From then on the usage is billed at on-demand rates, unless it is covered anew.")
	case "return_window":
		add("Afterwards it is kept for its term.")
	case "payment_pending":
		add("The month ends at %s. What is not paid by then may lapse: look at the payment method of the account.", when(m.DueAt))
	case "undelivered":
		add("They were tried for a day, or the channel is gone.")
	case "test":
		add("Nothing has happened. Who reads this hears of what does.")
	}
	for i, item := range m.Items {
		if i == itemsShown {
			w.items = append(w.items, fmt.Sprintf("and %d more", len(m.Items)-i))
			break
		}
		w.items = append(w.items, itemText(item))
	}
	if m.Simulated {
		add("It is a simulation: nothing of it is real.")
	}
	return w
}

func itemText(i api.MessageItem) string {
	var b strings.Builder
	if i.Number > 0 {
		fmt.Fprintf(&b, "line %d: ", i.Number)
	}
	place := i.Account
	if i.Region != "" {
		place += " " + i.Region
	}
	fmt.Fprintf(&b, "%s %s, %s in %s", i.Measure, cmp.Or(i.What, i.Service), i.Service, place)
	if i.Total != nil {
		fmt.Fprintf(&b, ", %s in total", *i.Total)
	}
	if i.Commitment != "" {
		b.WriteString(", " + i.Commitment)
	}
	if i.DueAt != nil {
		b.WriteString(", until " + when(i.DueAt))
	}
	if i.Finding != "" {
		b.WriteString(", " + strings.ReplaceAll(i.Finding, "_", " "))
	}
	if i.Reason != "" {
		b.WriteString(": " + i.Reason)
	}
	return b.String()
}

// text is the words one below the other.
func (w words) text() string {
	var b strings.Builder
	for _, l := range w.lines {
		b.WriteString(l + "\n")
	}
	if len(w.items) > 0 {
		b.WriteString("\n")
		for _, i := range w.items {
			b.WriteString("- " + i + "\n")
		}
	}
	if w.link != "" || w.next != "" {
		b.WriteString("\n")
	}
	if w.link != "" {
		b.WriteString(w.link + "\n")
	}
	if w.next != "" {
		b.WriteString("More: " + w.next + "\n")
	}
	return b.String()
}

func planName(p api.MessagePlan) string {
	if p.Name == "" {
		return "plan " + p.ID
	}
	return fmt.Sprintf("plan \u201c%s\u201d", p.Name)
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func when(t *time.Time) string {
	if t == nil {
		return "some time"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// count writes a number with its noun: "1 line", "2 lines".
func count(n int, one string, many ...string) string {
	noun := one
	if n != 1 {
		noun = cmp.Or(strings.Join(many, ""), one+"s")
	}
	return fmt.Sprintf("%d %s", n, noun)
}
