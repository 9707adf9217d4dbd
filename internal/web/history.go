package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
)

func (s *site) historyPages() {
	s.get("/history", auth.Read, s.history)
	s.get("/history/export", auth.Read, s.exportHistory)
	s.get("/history/{line}", auth.Read, s.historyOfLine)
	s.get("/history/{line}/receipt", auth.Read, s.receipt)
}

// most is how many lines are read at once for a page of the history. One that is searched
// may hold nearly as many again.
const most = 200

// filter is what of the history is asked for.
type filter struct {
	api.HistoryFilter
	text string
}

func filterOf(v view) filter {
	return filter{
		HistoryFilter: api.HistoryFilter{Plan: v.query("plan"), Account: v.query("account"), State: v.query("state")},
		text:          strings.ToLower(v.query("q")),
	}
}

// finds reports whether a line holds the text that is looked for.
func (f filter) finds(l api.Line) bool {
	commitment := ""
	if l.Receipt != nil {
		commitment = l.Receipt.Commitment + " " + l.Receipt.ARN
	}
	return f.text == "" || strings.Contains(strings.ToLower(strings.Join([]string{l.Wanted(), l.ID, l.Account, l.Region, l.Note, l.Purpose, l.Reason, commitment}, " ")), f.text)
}

// past is a page of the history.
type past struct {
	lines    []api.Line
	looked   int    // lines that were looked at for it
	next     string // cursor of the next page; none on the last
	accounts []string
	sorted   sorting
	total    column
}

// searched is how many lines one page of a search looks at.
const searched = 1000

// readPast reads a page of the lines that a filter finds.
func (s *site) readPast(ctx context.Context, f filter, cursor string) (p past, err error) {
	p.next = cursor
	for {
		page, err := s.Service.LinePage(ctx, api.LineFilter{HistoryFilter: f.HistoryFilter, Cursor: p.next, Limit: most})
		if err != nil {
			return p, err
		}
		for _, l := range page.Lines {
			if f.finds(l) {
				p.lines = append(p.lines, l)
			}
		}
		p.looked += len(page.Lines)
		if p.next = page.Next; p.next == "" || len(p.lines) >= most || p.looked >= searched {
			return p, nil
		}
	}
}

func (s *site) history(w http.ResponseWriter, r *http.Request, v view) error {
	p, err := s.readPast(r.Context(), filterOf(v), v.query("cursor"))
	if err != nil {
		return err
	}
	if p.accounts, err = s.Service.LineAccounts(r.Context()); err != nil {
		return err
	}
	p.sorted = order(v, p.lines, map[string]func(a, b api.Line) int{
		"updated": func(a, b api.Line) int { return byTime(a.UpdatedAt, b.UpdatedAt) },
		"what":    func(a, b api.Line) int { return byText(a.Wanted(), b.Wanted()) },
		"account": func(a, b api.Line) int { return byText(a.Account+a.Region, b.Account+b.Region) },
		"total":   func(a, b api.Line) int { return byMoney(a.Price.Total, b.Price.Total) },
		"state":   func(a, b api.Line) int { return byText(a.State, b.State) },
	})
	p.total = columnsOf(p.lines).total
	return s.show(w, r, http.StatusOK, historyPage(v.titled("history", "History"), p))
}

// exportHistory sends what the filter of the page selects, as a file.
func (s *site) exportHistory(w http.ResponseWriter, r *http.Request, v view) error {
	f := filterOf(v)
	var b bytes.Buffer
	kind, name := "text/csv; charset=utf-8", "bursar-history.csv"
	format := v.query("format")
	switch format {
	case "focus":
		rows, err := s.Service.Focus(r.Context(), f.HistoryFilter)
		if err != nil {
			return err
		}
		lines, err := s.Service.History(r.Context(), f.HistoryFilter)
		if err != nil {
			return err
		}
		found := map[string]bool{}
		for _, l := range lines {
			found[l.ID] = f.finds(l)
		}
		rows = slices.DeleteFunc(rows, func(x api.FocusRow) bool { return !found[x.Line] })
		name = "bursar-contract-commitment.csv"
		if err := api.FocusCSV(&b, rows); err != nil {
			return err
		}
	case "csv", "json":
		lines, err := s.Service.History(r.Context(), f.HistoryFilter)
		if err != nil {
			return err
		}
		lines = slices.DeleteFunc(lines, func(l api.Line) bool { return !f.finds(l) })
		if format == "csv" {
			err = api.LinesCSV(&b, lines)
		} else {
			kind, name = "application/json", "bursar-history.json"
			enc := json.NewEncoder(&b)
			enc.SetIndent("", "  ")
			err = enc.Encode(lines)
		}
		if err != nil {
			return err
		}
	default:
		return fmt.Errorf("format %q: use csv, json or focus", format)
	}
	download(w, r, kind, name, b.Bytes())
	return nil
}

// moment is one thing that happened to a line.
type moment struct {
	at    time.Time
	tone  string
	what  string
	state string // a badge
	more  []string
	codes []string
}

// story tells what happened to a line, in the order in which it happened.
func story(h api.LineHistory) []moment {
	var list []moment
	for _, t := range h.Tries {
		m := moment{at: t.ArmedAt, tone: attemptTone(t), what: fmt.Sprintf("Attempt %d was allowed to be sent", t.N), state: t.State, codes: []string{t.Identity}}
		if t.Credential != "" {
			m.more = append(m.more, "with "+t.Credential)
		}
		m.more = append(m.more, "the cloud refuses it from "+utc(t.Deadline)+" on")
		list = append(list, m)
	}
	for _, e := range h.Evidence {
		m := moment{at: e.At, tone: tone(e.Outcome), what: "The cloud: " + word(e.Kind), state: e.Outcome}
		switch {
		case e.Kind == "person":
			m.what = "A person: " + word(e.Operation)
		case e.Kind == "reply" && e.Operation != "":
			m.what += " to " + e.Operation
		case e.Operation != "":
			m.what += " by " + e.Operation
		}
		if e.Status != 0 {
			m.what += fmt.Sprintf(", %d", e.Status)
		}
		for _, c := range []string{e.Code, e.Commitment} {
			if c != "" {
				m.codes = append(m.codes, c)
			}
		}
		if e.Detail != "" {
			m.more = append(m.more, e.Detail)
		}
		if e.RequestID != "" {
			m.more = append(m.more, "request "+e.RequestID)
		}
		list = append(list, m)
	}
	if h.Receipt != nil {
		m := moment{at: h.Receipt.At, tone: "good", what: "Receipt, by " + h.Receipt.How, codes: []string{h.Receipt.Commitment}}
		if h.Receipt.Heuristic {
			m.more = append(m.more, "a person's guess")
		}
		list = append(list, m)
	}
	for _, f := range h.Facts {
		list = append(list, moment{at: f.At, tone: tone(f.Kind), what: "An audit found", state: f.Kind, more: []string{f.Detail}, codes: []string{f.Commitment}})
	}
	for _, n := range h.Notices {
		list = append(list, moment{at: n.RaisedAt, tone: "alarm", what: "Overdue: it was to leave " + word(n.State) + " by " + utc(n.MustLeaveBy)})
	}
	if r := h.Recommendation; r != nil && (r.MarkedAt != nil || r.GivenUp) {
		m := moment{at: h.UpdatedAt, tone: "open", what: "Google's recommendation was not marked", codes: []string{r.Name}}
		if r.MarkedAt != nil {
			m.at, m.what = *r.MarkedAt, "Google's recommendation was marked "+r.Mark
		}
		if r.Problem != "" {
			m.more = append(m.more, r.Problem)
		}
		list = append(list, m)
	}
	for _, u := range h.Undos {
		list = append(list, moment{at: u.RequestedAt, tone: tone(u.State), what: u.Requester + " asked to give it back", state: u.State, more: []string{u.Comment}})
		for _, d := range u.Decisions {
			verb := " rejected giving it back"
			if d.Approve {
				verb = " approved giving it back"
			}
			list = append(list, moment{at: d.At, tone: "open", what: d.By + verb, more: []string{d.Comment}})
		}
	}
	slices.SortStableFunc(list, func(a, b moment) int { return cmp.Or(a.at.Compare(b.at)) })
	return list
}

// receipt sends the signed receipt of a purchase.
func (s *site) receipt(w http.ResponseWriter, r *http.Request, _ view) error {
	content, err := s.Service.Receipt(r.Context(), r.PathValue("line"))
	if err != nil {
		return err
	}
	download(w, r, "application/json", "bursar-receipt-"+r.PathValue("line")+".json", content)
	return nil
}

func (s *site) historyOfLine(w http.ResponseWriter, r *http.Request, v view) error {
	h, err := s.Service.Line(r.Context(), r.PathValue("line"))
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, historyLinePage(v.titled("history", h.Wanted()), h))
}
