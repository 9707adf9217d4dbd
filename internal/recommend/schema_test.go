package recommend

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

const schemaFile = "../../docs/plan.schema.json"

func loadSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("plan.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("plan.schema.json")
}

// asJSON turns a plan into what a schema checker of an editor sees.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestSchemaAndDecoderAgree(t *testing.T) {
	schema := loadSchema(t)
	for _, c := range planCases {
		if c.onlyDecoder {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			err := schema.Validate(asJSON(t, c.text))
			if (err == nil) != (c.want == "") {
				t.Errorf("schema says %v, the decoder says %q", err, c.want)
			}
		})
	}
	example, err := os.ReadFile(filepath.Join(testdata, "plan-rds.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(asJSON(t, string(example))); err != nil {
		t.Errorf("example: %v", err)
	}
}

// TestSchemaKnowsTheTables compares what the schema lists with what the decoder
// reads from.
func TestSchemaKnowsTheTables(t *testing.T) {
	var schema struct {
		Properties  map[string]any
		Definitions struct {
			Line struct {
				Properties map[string]struct {
					Pattern string
					Enum    []string
				}
			}
		}
	}
	b, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	line := schema.Definitions.Line.Properties
	var keys []string
	for k := range line {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	known := allLineKeys()
	slices.Sort(known)
	if diff := cmp.Diff(known, keys); diff != "" {
		t.Errorf("keys of a line (-decoder +schema):\n%s", diff)
	}
	if diff := cmp.Diff(rdsEngines, line["engine"].Enum); diff != "" {
		t.Errorf("engines (-decoder +schema):\n%s", diff)
	}
	for key, want := range map[string]string{
		"region": regionCode.String(), "offering": offeringID.String(), "currency": isoCurrency.String(), "class": services[0].attributes[1].pattern.String(),
	} {
		if line[key].Pattern != want {
			t.Errorf("%s: schema has %s, decoder %s", key, line[key].Pattern, want)
		}
	}
}
