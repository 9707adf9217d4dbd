package server

import (
	"bytes"
	"encoding/json"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write the document anew")

// TestOpenAPI: what the server says of itself is OpenAPI 3.1 by the schema of the OpenAPI
// Initiative (testdata/oas-3.1.json), its own schemas are those of JSON Schema 2020-12, its
// references lead somewhere, and it is the document that is committed. After a change
// that is meant, run it with -update.
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
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	schema, err := c.Compile("testdata/oas-3.1.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Error(err)
	}
	if err := schema.Validate(map[string]any{"openapi": "3.1.0"}); err == nil {
		t.Error("the schema takes anything")
	}
	if err := c.AddResource("api.json", doc); err != nil {
		t.Fatal(err)
	}
	schemas := doc.(map[string]any)["components"].(map[string]any)["schemas"].(map[string]any)
	for name := range schemas {
		if _, err := c.Compile("api.json#/components/schemas/" + name); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
	}
	ids := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				if name, ok := strings.CutPrefix(ref, "#/components/schemas/"); !ok || schemas[name] == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			if id, ok := v["operationId"].(string); ok {
				if ids[id] {
					t.Errorf("two operations are called %s", id)
				}
				ids[id] = true
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(doc)
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
	if !json.Valid(want) {
		t.Errorf("%s is no JSON", file)
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
