// Package auditlog is the form of the audit log, which says who did what, and of the
// documents that an installation signs: exports of the log and receipts of purchases.
// It does no IO: the store keeps the entries.
//
// Each entry holds the hash of the one before it, so that an entry which is changed,
// left out or put in is found, and named by its number. A chain that was made anew
// from its beginning is found by what was signed before.
package auditlog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/gowebpki/jcs"
)

// Kind says what an entry tells of an act.
type Kind string

// The kinds. An act that failed has two entries: the first was written before it.
const (
	Did    Kind = "act"    // it was about to be done
	Denied Kind = "denied" // it was not permitted, and not begun
	Failed Kind = "failed" // it was begun, and had no effect or not all of it
)

// Entry is one line of the log.
type Entry struct {
	Seq     int64     // from 1, without a gap
	At      time.Time // UTC, of this process's clock; to the microsecond
	Actor   string    // never empty
	Session string    // or token, masked, or the account of the operating system
	Act     string    // "plan.approve"
	Kind    Kind
	Subject string // id or name of what it is about
	Details string // canonical JSON
	Prev    string // hash of the entry before; "" for the first
	Hash    string // SHA-256 of all of this, in hex
}

// Details writes what is told besides as canonical JSON (RFC 8785).
func Details(v any) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	canonical, err := jcs.Transform(raw)
	return string(canonical), err
}

// Told are the details of an entry; nil if they cannot be read.
func (e Entry) Told() (details map[string]any) {
	if json.Unmarshal([]byte(e.Details), &details) != nil {
		return nil
	}
	return details
}

// Text is s as an entry can hold it: valid, printable, and not too long.
func Text(s string) string {
	const most = 300
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return s
}

// Seal puts the entry after the one that has prev's number and hash.
func (e Entry) Seal(prev Entry) Entry {
	e.Seq, e.Prev, e.At = prev.Seq+1, prev.Hash, e.At.UTC().Truncate(time.Microsecond)
	e.Hash = e.sum()
	return e
}

// sum is the hash that the entry has by its content. Lengths in front of the texts keep
// two contents from having the same bytes.
func (e Entry) sum() string {
	h := sha256.New()
	io.WriteString(h, "bursar audit entry 1\n") //nolint:errcheck // a hash never fails
	for _, s := range []string{
		strconv.FormatInt(e.Seq, 10), strconv.FormatInt(e.At.UnixMicro(), 10), e.Actor, e.Session, e.Act, string(e.Kind), e.Subject, e.Details, e.Prev,
	} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s)))) //nolint:errcheck // likewise
		io.WriteString(h, s)                                        //nolint:errcheck // likewise
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Broken says where a chain does not hold.
type Broken struct {
	Seq int64 // of the entry
	Why string
}

func (e *Broken) Error() string { return fmt.Sprintf("entry %d: %s", e.Seq, e.Why) }

// Chain is what was read of a log so far. Its zero value has read nothing.
type Chain struct {
	Entries int64
	Hash    string // of the last entry
	At      time.Time
}

// Next reads the entry that follows, or says with a *Broken why it does not.
func (c *Chain) Next(e Entry) error {
	switch {
	case e.Seq != c.Entries+1:
		return &Broken{Seq: c.Entries + 1, Why: fmt.Sprintf("it is missing: entry %d stands in its place", e.Seq)}
	case e.Hash != e.sum():
		return &Broken{Seq: e.Seq, Why: "it was changed: its hash is not the one of its content"}
	case e.Prev != c.Hash:
		return &Broken{Seq: e.Seq, Why: fmt.Sprintf("it does not follow entry %d: it holds another hash of it", c.Entries)}
	}
	c.Entries, c.Hash, c.At = e.Seq, e.Hash, e.At
	return nil
}
