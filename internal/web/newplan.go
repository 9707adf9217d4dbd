package web

import (
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"

	"bursar/internal/api"
)

// uploaded is a file that was sent with a form, by the name of its field; without one it
// is nothing.
func uploaded(r *http.Request, field string) (name string, content []byte, err error) {
	upload, head, err := r.FormFile(field)
	if errors.Is(err, http.ErrMissingFile) {
		return "", nil, nil
	} else if err != nil {
		return "", nil, err
	}
	defer upload.Close() //nolint:errcheck // read only
	content, err = io.ReadAll(upload)
	return filepath.Base(head.Filename), append([]byte{}, content...), err
}

// inputs reads the files that a plan is made of: one that says what to buy or one of
// usage, and with either a policy.
func (f *newPlanForm) inputs(r *http.Request) (err error) {
	if f.File, f.Content, err = uploaded(r, "file"); err != nil {
		return err
	}
	if f.Policy, f.PolicyContent, err = uploaded(r, "policy"); err != nil {
		return err
	}
	upload, head, err := r.FormFile("usage")
	switch {
	case errors.Is(err, http.ErrMissingFile) && f.File == "":
		return errors.New("choose the file to plan from, or one of usage")
	case errors.Is(err, http.ErrMissingFile):
		return nil
	case err != nil:
		return err
	case f.File != "":
		return errors.Join(errors.New("a plan is made of a file that says what to buy or of usage: choose one of them"), upload.Close())
	}
	usage := api.UsageDefaults()
	usage.Usage, usage.Content = filepath.Base(head.Filename), upload // the form is closed with the request
	usage.Discount, usage.AsOf = strings.TrimSpace(r.FormValue("discount")), strings.TrimSpace(r.FormValue("as_of"))
	for part := range strings.FieldsFuncSeq(r.FormValue("attributes"), func(r rune) bool { return r == ',' || r == ' ' }) {
		usage.Attributes = append(usage.Attributes, part)
	}
	f.Usage = &usage
	return nil
}

// planned makes a plan and leads to it, or tells first what of its input is not in it.
func (s *site) planned(w http.ResponseWriter, r *http.Request, v view, ask api.PlanRequest) error {
	created, err := s.Service.CreatePlan(r.Context(), ask)
	if err != nil {
		return err
	}
	if len(created.Left)+len(created.Rounded)+len(created.Bought) == 0 {
		return done(w, r, "/plans/"+created.Plan.ID)
	}
	return s.show(w, r, http.StatusOK, createdPage(v.titled("plans", "Plan made"), created))
}
