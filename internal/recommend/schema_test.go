package recommend

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"bursar/internal/cloud"
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
	for _, c := range slices.Concat(planCases, serviceCases, azureCases) {
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
	for _, name := range []string{"plan-rds.yaml", "plan-services.yaml", "plan-azure.yaml", "plan-gcp.yaml"} {
		example, err := os.ReadFile(filepath.Join(testdata, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(asJSON(t, string(example))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaKnowsTheTables compares what the schema lists with what the decoder
// reads from.
func TestSchemaKnowsTheTables(t *testing.T) {
	type definition struct {
		Pattern       string
		Required      []string
		PropertyNames struct{ Enum []string }
		Properties    map[string]struct {
			Type    string
			Pattern string
			Enum    []string
		}
	}
	var schema struct{ Definitions map[string]definition }
	b, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	line := schema.Definitions["line"].Properties
	if diff := cmp.Diff(slices.Sorted(slices.Values(allLineKeys())), slices.Sorted(maps.Keys(line))); diff != "" {
		t.Errorf("keys of a line (-decoder +schema):\n%s", diff)
	}
	var names []string
	for _, s := range services {
		names = append(names, string(s.name))
		d := schema.Definitions[string(s.name)]
		var required []string
		if s.provider != cloud.AWS {
			required = append(required, "provider")
		}
		for _, a := range s.attributes {
			if !a.optional {
				required = append(required, a.key)
			}
		}
		if s.unit != "" {
			required = append(required, "commitment")
		}
		if diff := cmp.Diff(required, d.Required); diff != "" {
			t.Errorf("%s: required keys (-decoder +schema):\n%s", s.name, diff)
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(s.line())), slices.Sorted(slices.Values(d.PropertyNames.Enum))); diff != "" {
			t.Errorf("%s: all keys (-decoder +schema):\n%s", s.name, diff)
		}
		for _, a := range s.attributes {
			p, pattern := d.Properties[a.key], ""
			if a.pattern != nil {
				pattern = a.pattern.String()
			}
			if diff := cmp.Diff(a.values, p.Enum); diff != "" || p.Pattern != pattern || (p.Type == "boolean") != a.boolean {
				t.Errorf("%s: %s: schema has %s %s, decoder %s, values (-decoder +schema):\n%s", s.name, a.key, p.Type, p.Pattern, pattern, diff)
			}
		}
	}
	if diff := cmp.Diff(names, line["service"].Enum); diff != "" {
		t.Errorf("services (-decoder +schema):\n%s", diff)
	}
	if got := schema.Definitions["region"].Pattern; got != regionCode.String() {
		t.Errorf("region: schema has %s, decoder %s", got, regionCode)
	}
	for key, want := range map[string]string{
		"offering": offeringID.String(), "currency": isoCurrency.String(),
	} {
		if line[key].Pattern != want {
			t.Errorf("%s: schema has %s, decoder %s", key, line[key].Pattern, want)
		}
	}
}
