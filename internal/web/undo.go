package web

import (
	"errors"
	"net/http"

	"bursar/internal/api"
	"bursar/internal/auth"
)

func (s *site) undoPages() {
	s.get("/history/{line}/undo", auth.Read, s.undoOptions)
	s.post("/history/{line}/undo", auth.LineUndo, s.undo)
}

func (s *site) undoOptions(w http.ResponseWriter, r *http.Request, v view) error {
	o, err := s.Service.UndoOptions(r.Context(), r.PathValue("line"))
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, undoPage(v.titled("history", "Undo "+o.Line.Wanted()), o, ""))
}

// openUndo is the one that may still come to something.
func openUndo(o api.UndoOptions) *api.Undo {
	if n := len(o.Undos); n > 0 {
		switch o.Undos[n-1].State {
		case "requested", "approved", "sent":
			return &o.Undos[n-1]
		}
	}
	return nil
}

// undo takes the next step of giving back what a line bought.
func (s *site) undo(w http.ResponseWriter, r *http.Request, v view) error {
	o, err := s.Service.UndoOptions(r.Context(), r.PathValue("line"))
	if err != nil {
		return err
	}
	q := api.UndoRequest{
		Line: o.Line.ID, By: v.who.Name, Comment: r.FormValue("comment"), Digest: r.FormValue("digest"),
		Reject: r.FormValue("decision") == "reject", Again: r.FormValue("again") == "true",
	}
	if !q.Reject && o.Freed != nil && !sameTotal(r.FormValue("total"), *o.Freed) {
		err = errors.New("that is not the total of what ends; nothing was done")
	} else {
		_, err = s.Service.Undo(r.Context(), q)
	}
	if err != nil {
		return s.show(w, r, status(err), undoPage(v.titled("history", "Undo "+o.Line.Wanted()), o, sentence(err)))
	}
	return done(w, r, "/history/"+o.Line.ID+"/undo")
}
