package recommend

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// FuzzRead holds Read to its contract on any bytes: no panic, drafts that are
// complete and valid or none, and a mistake always as one line that names the
// file and speaks no Go.
func FuzzRead(f *testing.F) {
	for _, pattern := range []string{"*", "bad/*"} {
		files, err := filepath.Glob(filepath.Join(testdata, pattern))
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			if b, err := os.ReadFile(name); err == nil {
				f.Add(b)
			}
		}
	}
	for _, c := range slices.Concat(planCases, serviceCases, azureCases) {
		f.Add([]byte(c.text))
	}
	f.Add([]byte(goodHeader + "\n" + goodRow + "\n"))
	f.Add([]byte(adviceOf(detail(), detail("3.0", "0", "MySQL", "Oracle"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, file := range []string{"f", "f.yaml", "f.csv", "f.json"} {
			in, err := Read(file, strings.NewReader(string(data)))
			if err != nil {
				if diff := cmp.Diff(Input{}, in); diff != "" {
					t.Errorf("half read:\n%s", diff)
				}
				mistake, ok := AsError(err)
				if !ok {
					t.Fatalf("error is a %T: %v", err, err)
				}
				text := err.Error()
				if !utf8.ValidString(text) || strings.ContainsAny(text, "\n\r\x1b\x00") || !strings.HasPrefix(text, file) {
					t.Errorf("error %q", text)
				}
				for _, jargon := range []string{"unmarshal", "!!", "yaml:", "json:", "parse error", "recommend.", "strconv"} {
					// What is shown of the data may be cut, and end in dots.
					if strings.Contains(mistake.Problem, jargon) && !strings.Contains(string(data), strings.TrimSuffix(jargon, ".")) {
						t.Errorf("error with %q: %s", jargon, text)
					}
				}
				continue
			}
			for _, d := range in.Drafts {
				checkDraft(t, d)
			}
			for _, l := range in.Left {
				if l.Why == "" || l.At.Line < 1 {
					t.Errorf("left %+v", l)
				}
			}
		}
	})
}
