package auditlog

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gowebpki/jcs"
)

const keyPrefix = "ed25519:"

// PublicText writes a public key for people: "ed25519:" and hex.
func PublicText(key ed25519.PublicKey) string {
	return keyPrefix + hex.EncodeToString(key)
}

// ParsePublic reads what PublicText writes.
func ParsePublic(text string) (ed25519.PublicKey, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(text, keyPrefix))
	if err != nil || len(raw) != ed25519.PublicKeySize || PublicText(raw) != text {
		return nil, fmt.Errorf("%q is not a public key: it begins with %s and has 64 more characters", Text(text), keyPrefix)
	}
	return raw, nil
}

// Document is what an installation signs: named parts, each with its digest, so that
// what was changed can be named. One JSON text is the document, to the byte.
type Document struct {
	Format    string                     `json:"format"`
	Parts     map[string]json.RawMessage `json:"parts"`
	SHA256    map[string]string          `json:"sha256"` // of the parts in canonical form
	PublicKey string                     `json:"public_key"`
	Signature string                     `json:"signature"` // of the canonical form of all but the parts and itself
}

// signed are the bytes that the signature is of.
func (d Document) signed() ([]byte, error) {
	d.Parts, d.Signature = nil, ""
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	return jcs.Transform(raw)
}

func digestOf(part json.RawMessage) (string, error) {
	canonical, err := jcs.Transform(part)
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), err
}

// Sign makes the JSON text of a document.
func Sign(key ed25519.PrivateKey, format string, parts map[string]any) ([]byte, error) {
	d := Document{
		Format: format, Parts: map[string]json.RawMessage{}, SHA256: map[string]string{},
		PublicKey: PublicText(key.Public().(ed25519.PublicKey)),
	}
	for name, v := range parts {
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		d.Parts[name] = raw
		if d.SHA256[name], err = digestOf(raw); err != nil {
			return nil, err
		}
	}
	what, err := d.signed()
	if err != nil {
		return nil, err
	}
	d.Signature = hex.EncodeToString(ed25519.Sign(key, what))
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	return canonicalText(raw)
}

// canonicalText is the only way in which a document is written.
func canonicalText(raw []byte) ([]byte, error) {
	canonical, err := jcs.Transform(raw)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Indent(&out, canonical, "", "  ")
	out.WriteByte('\n')
	return out.Bytes(), err
}

// Verify reads the text of a document and returns it if nothing of it was changed since
// key has signed it. Otherwise the problems name what differs. A nil key takes the
// document's own, which says only that the document is whole.
func Verify(text []byte, format string, key ed25519.PublicKey) (d Document, problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	var syntax *json.SyntaxError
	if err := json.Unmarshal(text, new(any)); errors.As(err, &syntax) {
		bad("byte %d: it is not JSON from here on: %v", syntax.Offset, err)
		return d, problems
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		bad("it is not a document: %v", err)
		return d, problems
	}
	// Written again from what was read, for which a key in capitals is the same key.
	again, err := json.Marshal(d)
	if err == nil {
		again, err = canonicalText(again)
	}
	if err != nil {
		bad("it is not the JSON of a document: %v", err)
		return d, problems
	}
	if i := differsAt(text, again); i >= 0 {
		bad("byte %d: it is not as a document is written", i+1)
	}
	if d.Format != format {
		bad("format: it is %q and not %q", Text(d.Format), format)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Parts)) {
		sum, err := digestOf(d.Parts[name])
		switch want, ok := d.SHA256[name]; {
		case err != nil:
			bad("%s: %v", Text(name), err)
		case !ok:
			bad("%s: the document has no digest of it: it was put in", Text(name))
		case sum != want:
			bad("%s: it was changed: its digest is another one", Text(name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.SHA256)) {
		if _, ok := d.Parts[name]; !ok {
			bad("%s: it was left out", Text(name))
		}
	}
	own, err := ParsePublic(d.PublicKey)
	switch {
	case err != nil:
		bad("public_key: %v", err)
		return d, problems
	case key == nil:
		key = own
	case !key.Equal(own):
		bad("public_key: it is not the key that was given: another installation signed it, or nobody")
	}
	what, err := d.signed()
	signature, decodes := hex.DecodeString(d.Signature)
	if err != nil || decodes != nil || hex.EncodeToString(signature) != d.Signature || !ed25519.Verify(key, what, signature) {
		bad("signature: it is not of this key and these digests")
	}
	return d, problems
}

// differsAt is the first index at which two texts differ, or -1.
func differsAt(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}
