package server

import (
	"bytes"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	"github.com/pb33f/libopenapi-validator/schema_validation"
)

var update = flag.Bool("update", false, "write the document anew")

// TestOpenAPI: what the server says of itself is valid OpenAPI 3.1, and is the document
// that is committed. After a change that is meant, run it with -update.
func TestOpenAPI(t *testing.T) {
	s, err := New(Options{Log: slog.New(slog.DiscardHandler), Now: time.Now, Auth: func(next http.Handler) http.Handler { return next }})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	got := w.Body.Bytes()
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/vnd.oai.openapi+json;version=3.1" {
		t.Fatalf("%d %s", w.Code, w.Header().Get("Content-Type"))
	}
	doc, err := libopenapi.NewDocument(got)
	if err != nil {
		t.Fatal(err)
	}
	if v := doc.GetVersion(); v != "3.1.0" {
		t.Errorf("OpenAPI %s", v)
	}
	if ok, problems := schema_validation.ValidateOpenAPIDocument(doc); !ok {
		for _, p := range problems {
			t.Errorf("%s: %s", p.Message, p.Reason)
			for _, d := range p.SchemaValidationErrors {
				t.Errorf("  %s: %s", d.FieldPath, d.Reason)
			}
		}
	}
	if _, err := doc.BuildV3Model(); err != nil {
		t.Error(err) // a reference that leads nowhere
	}
	const file = "../../docs/openapi.json"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the server says; -update writes it anew", file)
	}
}

// TestMasked: a log tells a few people apart and does not name them.
func TestMasked(t *testing.T) {
	for name, want := range map[string]string{"": "", "a": "a***", "ada": "ad***", "grace@example.org": "gr***", "Žofie": "Žo***"} {
		if got := Masked(name); got != want {
			t.Errorf("%q is masked as %q", name, got)
		}
	}
}
