package auditlog

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	t0    = time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)
	key   = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	their = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32))
)

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// small is a chain with texts that are not plain ASCII.
func small(t *testing.T, n int) (list []Entry) {
	t.Helper()
	var last Entry
	for i := range n {
		details, err := Details(map[string]any{"why": "<no> é \uFFFD", "n": i})
		if err != nil {
			t.Fatal(err)
		}
		last = Entry{
			At: t0.Add(time.Duration(i) * time.Second), Actor: "ada", Session: "token bursar_ab12...", Act: "plan.approve", Kind: Did,
			Subject: fmt.Sprintf("plan %d & more", i), Details: details,
		}.Seal(last)
		list = append(list, last)
	}
	return list
}

func walk(list []Entry) error {
	var c Chain
	for _, e := range list {
		if err := c.Next(e); err != nil {
			return err
		}
	}
	return nil
}

func brokenAt(err error) int64 {
	var b *Broken
	if errors.As(err, &b) {
		return b.Seq
	}
	return 0
}

func TestAChainHolds(t *testing.T) {
	if err := walk(small(t, 5)); err != nil {
		t.Fatal(err)
	}
}

// TestEveryChangedByteOfAnEntryIsNamed flips every bit of every text and number.
func TestEveryChangedByteOfAnEntryIsNamed(t *testing.T) {
	tried := 0
	for at := range small(t, 3) {
		fields := func(e *Entry) []*string {
			return []*string{&e.Actor, &e.Session, &e.Act, (*string)(&e.Kind), &e.Subject, &e.Details, &e.Prev, &e.Hash}
		}
		first := small(t, 3)[at]
		for f, text := range fields(&first) {
			for i := range len(*text) {
				for bit := range 8 {
					list := small(t, 3)
					raw := []byte(*fields(&list[at])[f])
					raw[i] ^= 1 << bit
					*fields(&list[at])[f] = string(raw)
					tried++
					if got := brokenAt(walk(list)); got != int64(at+1) {
						t.Fatalf("entry %d, field %d, byte %d, bit %d: found at %d", at+1, f, i, bit, got)
					}
				}
			}
		}
		for bit := range 63 {
			list := small(t, 3)
			list[at].At = time.UnixMicro(list[at].At.UnixMicro() ^ 1<<bit)
			if got := brokenAt(walk(list)); got != int64(at+1) {
				t.Errorf("the time of entry %d, bit %d: found at %d", at+1, bit, got)
			}
			list = small(t, 3)
			list[at].Seq ^= 1 << bit
			slices.SortFunc(list, func(x, y Entry) int { return int(min(max(x.Seq-y.Seq, -1), 1)) }) // as a ledger reads them
			if walk(list) == nil {
				t.Errorf("the number of entry %d, bit %d: not found", at+1, bit)
			}
		}
	}
	if tried < 4000 {
		t.Errorf("only %d bits were flipped", tried)
	}
}

func TestEntriesThatAreMissingMovedOrPutInAreNamed(t *testing.T) {
	chain := small(t, 5)
	for name, tc := range map[string]struct {
		list []Entry
		at   int64
	}{
		"the first is missing":      {chain[1:], 1},
		"one is missing":            {slices.Concat(chain[:2], chain[3:]), 3},
		"two changed places":        {[]Entry{chain[0], chain[2], chain[1]}, 2},
		"one twice":                 {[]Entry{chain[0], chain[0]}, 2},
		"another one put in":        {[]Entry{chain[0], Entry{At: t0, Actor: "eve", Act: "x", Kind: Did, Details: "{}"}.Seal(Entry{Seq: 1}), chain[2]}, 2},
		"made anew from the middle": {[]Entry{chain[0], Entry{At: t0, Actor: "eve", Act: "x", Kind: Did, Details: "{}"}.Seal(chain[0]), chain[2]}, 3},
	} {
		if got := brokenAt(walk(tc.list)); got != tc.at {
			t.Errorf("%s: found at %d, want %d", name, got, tc.at)
		}
	}
}

// TestTextsDoNotRunIntoEachOther moves a byte from one field to the next.
func TestTextsDoNotRunIntoEachOther(t *testing.T) {
	one := Entry{At: t0, Actor: "ada", Session: "x", Act: "a", Kind: Did, Details: "{}"}.Seal(Entry{})
	other := one
	other.Actor, other.Session = "adax", ""
	if one.sum() == other.sum() {
		t.Error("two contents have one hash")
	}
}

func export(t *testing.T, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, e := range small(t, n) {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.End(key, "k7f2", t0); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestEveryChangedByteOfAnExportIsNamed changes every byte of the file, and cuts it at every
// byte.
func TestEveryChangedByteOfAnExportIsNamed(t *testing.T) {
	whole := export(t, 3)
	h, err := VerifyExport(bytes.NewReader(whole), public(key), nil)
	if err != nil || h.Entries != 3 || h.Install != "k7f2" || !h.Time().Equal(t0) {
		t.Fatalf("%+v, %v", h, err)
	}
	for _, k := range []ed25519.PublicKey{public(key), nil} {
		line := 1
		for i := range whole {
			for _, mask := range []byte{1, 0x20, 0x80, 0xff} {
				changed := bytes.Clone(whole)
				changed[i] ^= mask
				_, err := VerifyExport(bytes.NewReader(changed), k, nil)
				switch {
				case err == nil && k != nil:
					t.Fatalf("byte %d, mask %x of %q was not found", i, mask, whole[i])
				case err == nil:
					t.Fatalf("byte %d, mask %x was not found without a key", i, mask)
				case !strings.HasPrefix(err.Error(), fmt.Sprintf("line %d:", line)):
					t.Fatalf("byte %d, mask %x of line %d: %v", i, mask, line, err)
				}
			}
			if whole[i] == '\n' {
				line++
			}
		}
	}
	for i := range whole {
		if _, err := VerifyExport(bytes.NewReader(whole[:i]), public(key), nil); err == nil {
			t.Fatalf("a file that ends after %d of %d bytes is whole", i, len(whole))
		}
	}
	if _, err := VerifyExport(bytes.NewReader(append(bytes.Clone(whole), '\n')), nil, nil); err == nil || !strings.HasPrefix(err.Error(), "line 5:") {
		t.Errorf("a byte after the end: %v", err)
	}
	if _, err := VerifyExport(bytes.NewReader(whole), public(their), nil); err == nil || !strings.Contains(err.Error(), "not the key that was given") {
		t.Errorf("another key: %v", err)
	}
	// The end of one export under the entries of another one.
	lines := bytes.SplitAfter(whole, []byte("\n"))
	if _, err := VerifyExport(bytes.NewReader(slices.Concat(lines[0], lines[1], lines[3])), nil, nil); err == nil || !strings.Contains(err.Error(), "the head is of 3 entries, and 2 are here") {
		t.Errorf("an entry less: %v", err)
	}
}

func TestAnExportOfABrokenLogIsRefused(t *testing.T) {
	w := NewWriter(new(bytes.Buffer))
	if err := w.Write(small(t, 2)[1]); brokenAt(err) != 1 {
		t.Error(err)
	}
}

func document(t *testing.T) []byte {
	t.Helper()
	text, err := Sign(key, "test 1", map[string]any{
		"plan": map[string]any{"digest": "sha256:ab", "name": "é <b> \u2028"}, "line": []int{1, 2}, "none": nil,
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestEveryChangedByteOfADocumentIsNamed flips every bit and cuts at every byte.
func TestEveryChangedByteOfADocumentIsNamed(t *testing.T) {
	whole := document(t)
	if _, problems := Verify(whole, "test 1", public(key)); problems != nil {
		t.Fatal(problems)
	}
	if string(document(t)) != string(whole) {
		t.Error("the same document is written in two ways")
	}
	for i := range whole {
		for bit := range 8 {
			changed := bytes.Clone(whole)
			changed[i] ^= 1 << bit
			for _, k := range []ed25519.PublicKey{public(key), nil} {
				if _, problems := Verify(changed, "test 1", k); len(problems) == 0 || problems[0] == "" {
					t.Fatalf("byte %d, bit %d: %q was not found", i, bit, changed)
				}
			}
		}
		if _, problems := Verify(whole[:i], "test 1", nil); len(problems) == 0 {
			t.Fatalf("a document that ends after %d bytes is whole", i)
		}
	}
}

func TestWhatWasChangedInADocumentIsNamed(t *testing.T) {
	whole := string(document(t))
	for name, tc := range map[string]struct{ old, new, want string }{
		"a part":             {"sha256:ab", "sha256:ac", "plan: it was changed"},
		"white space":        {"  \"format\"", "   \"format\"", "it is not as a document is written"},
		"an escape":          {"é", "\\u00e9", "byte "},
		"the format":         {"\"test 1\"", "\"test 2\"", "format: it is \"test 2\""},
		"a digest":           {"\"line\": \"", "\"line\": \"0", "line: it was changed"},
		"a part that is new": {"\"parts\": {", "\"parts\": {\n    \"extra\": 1,", "extra: the document has no digest of it"},
		"a field":            {"\"parts\": {", "\"party\": 1,\n  \"parts\": {", "it is not a document"},
	} {
		text := strings.Replace(whole, tc.old, tc.new, 1)
		if text == whole {
			t.Fatalf("%s: nothing was changed in %s", name, whole)
		}
		_, problems := Verify([]byte(text), "test 1", public(key))
		if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, tc.want) }) {
			t.Errorf("%s: %q, want %q", name, problems, tc.want)
		}
	}
	// A part that is left out, with all else written as it should be.
	var d Document
	if err := json.Unmarshal([]byte(whole), &d); err != nil {
		t.Fatal(err)
	}
	delete(d.Parts, "line")
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	text, err := canonicalText(raw)
	if err != nil {
		t.Fatal(err)
	}
	if _, problems := Verify(text, "test 1", nil); !slices.Equal(problems, []string{"line: it was left out"}) {
		t.Errorf("%q", problems)
	}
	// Somebody else signs the same.
	forged, err := Sign(their, "test 1", map[string]any{"plan": 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, problems := Verify(forged, "test 1", public(key)); len(problems) != 2 || !strings.Contains(problems[0], "not the key that was given") {
		t.Errorf("%q", problems)
	}
}

func TestPublicKeysAreReadAsTheyAreWritten(t *testing.T) {
	text := PublicText(public(key))
	if k, err := ParsePublic(text); err != nil || !k.Equal(public(key)) {
		t.Error(err)
	}
	for _, bad := range []string{"", "ed25519:", text[:len(text)-1], text + "0", strings.TrimPrefix(text, "ed25519:"), strings.ToUpper(text)} {
		if _, err := ParsePublic(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestTextsAreMadeFit(t *testing.T) {
	for in, want := range map[string]string{"a\nb": "a?b", "\xff": "?", "é": "é", strings.Repeat("x", 400): strings.Repeat("x", 300) + "..."} {
		if got := Text(in); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}
