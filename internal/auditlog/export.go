package auditlog

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// An export is one line of JSON for each entry, and a last one with the signed head.

type line struct {
	Seq     int64           `json:"seq"`
	At      string          `json:"at"`
	Actor   string          `json:"actor"`
	Session string          `json:"session"`
	Act     string          `json:"act"`
	Kind    Kind            `json:"kind"`
	Subject string          `json:"subject"`
	Details json.RawMessage `json:"details"`
	Prev    string          `json:"prev"`
	Hash    string          `json:"hash"`
}

// TimeFormat is how entries are dated in an export.
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// Head is the end of an export: what its signer had.
type Head struct {
	Install   string `json:"install"`
	Entries   int64  `json:"entries"`
	Hash      string `json:"hash"` // of the last entry
	At        string `json:"at"`   // when it was exported
	PublicKey string `json:"public_key"`
	Signature string `json:"signature,omitempty"`
}

// Time is when it was exported.
func (h Head) Time() time.Time {
	at, err := time.Parse(TimeFormat, h.At)
	if err != nil {
		return time.Time{}
	}
	return at
}

type headLine struct {
	Head Head `json:"head"`
}

func (h Head) signed() ([]byte, error) {
	h.Signature = ""
	raw, err := marshal(h)
	return append([]byte("bursar audit export 1\n"), raw...), err
}

// marshal is json.Marshal without escapes for HTML.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

func toLine(e Entry) line {
	return line{
		Seq: e.Seq, At: e.At.UTC().Format(TimeFormat), Actor: e.Actor, Session: e.Session, Act: e.Act, Kind: e.Kind,
		Subject: e.Subject, Details: json.RawMessage(e.Details), Prev: e.Prev, Hash: e.Hash,
	}
}

// Writer writes an export. It refuses entries that do not follow each other.
type Writer struct {
	out   *bufio.Writer
	chain Chain
}

// NewWriter begins an export.
func NewWriter(w io.Writer) *Writer { return &Writer{out: bufio.NewWriter(w)} }

// Write writes the next entry.
func (w *Writer) Write(e Entry) error {
	if err := w.chain.Next(e); err != nil {
		return err
	}
	return w.put(toLine(e))
}

func (w *Writer) put(v any) error {
	raw, err := marshal(v)
	if err != nil {
		return err
	}
	_, err = w.out.Write(append(raw, '\n'))
	return err
}

// End writes the signed head.
func (w *Writer) End(key ed25519.PrivateKey, install string, now time.Time) (Head, error) {
	h := Head{
		Install: install, Entries: w.chain.Entries, Hash: w.chain.Hash, At: now.UTC().Format(TimeFormat),
		PublicKey: PublicText(key.Public().(ed25519.PublicKey)),
	}
	what, err := h.signed()
	if err != nil {
		return h, err
	}
	h.Signature = hex.EncodeToString(ed25519.Sign(key, what))
	return h, errors.Join(w.put(headLine{h}), w.out.Flush())
}

// VerifyExport reads an export and returns its head if nothing of it was changed since
// key has signed it, and hands each entry to each, which may be nil, as it is read. A nil
// key takes the export's own. The error names the line.
func VerifyExport(r io.Reader, key ed25519.PublicKey, each func(Entry)) (h Head, err error) {
	in := bufio.NewReader(r)
	var chain Chain
	for n := 1; ; n++ {
		raw, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return h, err
		}
		if len(raw) == 0 {
			return h, fmt.Errorf("line %d: it is missing: an export ends with its signed head", n)
		}
		at := func(err error) error { return fmt.Errorf("line %d: %w", n, err) }
		raw, whole := bytes.CutSuffix(raw, []byte("\n"))
		if !whole {
			return h, at(errors.New("it has no end"))
		}
		if !bytes.HasPrefix(raw, []byte(`{"head":`)) {
			e, err := readLine(raw)
			if err == nil {
				err = chain.Next(e)
			}
			if err != nil {
				return h, at(err)
			}
			if each != nil {
				each(e)
			}
			continue
		}
		if h, err = readHead(raw, key, chain); err != nil {
			return h, at(err)
		}
		if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
			return h, fmt.Errorf("line %d: an export ends with its signed head, and this follows it", n+1)
		}
		return h, nil
	}
}

var errNotAsWritten = errors.New("it is not as an export is written")

func readLine(raw []byte) (Entry, error) {
	var l line
	if err := json.Unmarshal(raw, &l); err != nil {
		return Entry{}, fmt.Errorf("it is not an entry: %w", err)
	}
	at, err := time.Parse(TimeFormat, l.At)
	if err != nil {
		return Entry{}, fmt.Errorf("at: %q is not a time", Text(l.At))
	}
	e := Entry{
		Seq: l.Seq, At: at, Actor: l.Actor, Session: l.Session, Act: l.Act, Kind: l.Kind, Subject: l.Subject, Details: string(l.Details), Prev: l.Prev, Hash: l.Hash,
	}
	if e.Hash != e.sum() {
		return e, &Broken{Seq: e.Seq, Why: "it was changed: its hash is not the one of its content"}
	}
	if again, err := marshal(toLine(e)); err != nil || !bytes.Equal(again, raw) {
		return e, errNotAsWritten
	}
	return e, nil
}

func readHead(raw []byte, key ed25519.PublicKey, chain Chain) (Head, error) {
	var l headLine
	if err := json.Unmarshal(raw, &l); err != nil {
		return l.Head, fmt.Errorf("it is not a head: %w", err)
	}
	h := l.Head
	if again, err := marshal(l); err != nil || !bytes.Equal(again, raw) {
		return h, errNotAsWritten
	}
	own, err := ParsePublic(h.PublicKey)
	if err != nil {
		return h, err
	}
	if key != nil && !key.Equal(own) {
		return h, errors.New("public_key: it is not the key that was given: another installation signed it, or nobody")
	}
	what, err := h.signed()
	signature, decodes := hex.DecodeString(h.Signature)
	switch {
	case err != nil:
		return h, err
	case decodes != nil || hex.EncodeToString(signature) != h.Signature || !ed25519.Verify(own, what, signature):
		return h, errors.New("the head was changed: its signature is not of this key and this head")
	case h.Entries != chain.Entries || h.Hash != chain.Hash:
		return h, fmt.Errorf("the head is of %d entries, and %d are here", h.Entries, chain.Entries)
	}
	return h, nil
}
