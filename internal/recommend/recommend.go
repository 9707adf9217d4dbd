// Package recommend reads advice about commitments from files and turns it into
// draft lines. It knows no prices: a draft says what somebody would like to buy,
// and the engine looks the offering up, prices it and freezes it into a plan.
//
// Four formats are read, recognized by their content:
//
//   - a plan file, YAML (or the same as JSON), strict, described in
//     docs/plan-file.md and docs/plan.schema.json;
//   - the JSON that "aws ce get-reservation-purchase-recommendation" and
//     "aws ce get-savings-plans-purchase-recommendation" print, saved unchanged;
//   - the JSON of Google's Recommender API, or of "gcloud recommender recommendations
//     list", with the ids of the projects that it names by number beside it;
//   - the JSON in which Azure recommends: reservationRecommendations,
//     benefitRecommendations and those of Advisor, with what they do not say beside it;
//   - a CSV file with a header line, as FinOps tools export it.
//
// Reading is all or nothing. A file with a mistake yields an *Error that says
// where it is, and no draft. What is well formed but not for us, such as advice
// for another service or a row that was bought already, is listed with its
// reason in Input.Left, so that nothing is dropped in silence.
package recommend

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"bursar/internal/cloud"
)

// Limits of one file. They bound memory and time on any input.
const (
	MaxSize     = 8 << 20 // bytes of any file
	MaxPlanSize = 1 << 20 // bytes of a plan file: a YAML tree takes many times its text
	MaxDrafts   = 5_000   // lines of one plan
	MaxRows     = 100_000 // rows of a CSV file, those included that are left
	MaxQuantity = 10_000  // things that one line buys
)

// Format is how a file is written.
type Format string

// The formats.
const (
	PlanFile     Format = "plan"
	CostExplorer Format = "cost-explorer"
	AzureAdvice  Format = "azure-advice"
	Recommender  Format = "recommender" // of Google Cloud
	CSV          Format = "csv"
)

// Position is a place in an input file.
type Position struct {
	File  string
	Line  int    // 1-based; 0 when unknown
	Field string // key, column or JSON path; "" when the place is a whole line
}

// String returns "plan.yaml:12: quantity", without the parts that are unknown.
func (p Position) String() string {
	s := p.File
	if p.Line > 0 {
		s = fmt.Sprintf("%s:%d", s, p.Line)
	}
	if p.Field != "" {
		s += ": " + p.Field
	}
	return s
}

// Error is a mistake in a file. Problem is the rest of a sentence that begins
// with the field or, where there is none, with the line.
type Error struct {
	Position
	Problem string
}

// Error returns "plan.yaml:12: quantity: 2.5 is not a whole number of at least 1".
func (e *Error) Error() string { return e.Position.String() + ": " + e.Problem }

// Draft is one line somebody would like to buy. A draft that Read returns is
// complete and well formed; whether the cloud sells it is not known yet.
type Draft struct {
	At         Position // the whole line: the entry, the row, the detail
	Provider   cloud.Provider
	Service    cloud.Service
	Account    cloud.Account
	Region     cloud.Region
	Attributes cloud.Attributes // every key of the service
	Term       cloud.Term
	Payment    cloud.Payment
	Quantity   int64  // 1 to MaxQuantity; where there is a Unit, how many of it
	Unit       string // what one of the quantity is worth per hour: "0.00001"; "" where it counts things
	OfferingID string // only when the file names one
	Currency   string // expected currency; "" when the file names none
	Note       string // one line of text without control characters
	Purpose    string // likewise; what it is bought for
	Claim      Claim  // what advice says of it
	// Recommendation is the one of Google's Recommender that the draft carries out as a
	// whole; its zero value is none.
	Recommendation Recommendation
}

// Recommendation names one of Google's Recommender: its resource, and the etag of what it
// said when it was read. They are not part of what is bought.
type Recommendation struct{ Name, Etag string }

// Left is something in a file that did not become a draft.
type Left struct {
	At   Position
	What string // a short name of it
	Why  string // one clause
}

// Input is what a file holds.
type Input struct {
	Format Format
	// Name is the plan's name, or the file's name without its extension.
	Name string
	// ToleranceBP is how far the price may rise between approval and purchase, in
	// hundredths of a per cent.
	ToleranceBP int
	// AllOrNothing: every line is bought, or none; nil when the file does not say.
	AllOrNothing *bool
	Drafts       []Draft // no two of the same goods on the same terms for the same account
	Left         []Left
}

// SetPurpose gives a purpose to the drafts that have none of their own.
func (in Input) SetPurpose(purpose string) {
	for i := range in.Drafts {
		if in.Drafts[i].Purpose == "" {
			in.Drafts[i].Purpose = purpose
		}
	}
}

// Read reads one file to its end. The name is used in messages, and as a hint
// at the format where the content leaves it open. A mistake in the file is an
// *Error; the Input is then empty. Input without any draft is not a mistake
// where the file's format can say "nothing": advice that is empty, rows that
// were all bought.
func Read(file string, r io.Reader) (Input, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return Input{}, fmt.Errorf("%s: %w", file, err)
	}
	if len(data) > MaxSize {
		return Input{}, &Error{Position{File: file}, fmt.Sprintf("is larger than %d MiB, the most that is read", MaxSize>>20)}
	}
	in, err := parse(file, data)
	if err == nil {
		err = in.check()
	}
	if err != nil {
		return Input{}, err
	}
	if in.Name == "" {
		base := filepath.Base(file)
		in.Name = strings.TrimSuffix(base, filepath.Ext(base))
	}
	return in, nil
}

func parse(file string, data []byte) (Input, error) {
	text, err := plainText(file, data)
	if err != nil {
		return Input{}, err
	}
	switch recognize(file, text) {
	case looksYAML:
		return readPlan(file, text)
	case looksCSV:
		return readCSV(file, text)
	case looksJSON:
		root, err := parseJSON(file, text)
		if err != nil {
			// Braces also open a YAML flow mapping, which only YAML can judge.
			if hasExt(file, ".yaml", ".yml") {
				return readPlan(file, text)
			}
			return Input{}, err
		}
		if root.member("version") != nil || root.member("lines") != nil {
			return readPlan(file, text)
		}
		if isRecommender(root) {
			return readRecommender(file, root)
		}
		if isAzureAdvice(root) {
			return readAzureAdvice(file, root)
		}
		return readCostExplorer(file, root)
	}
	return Input{}, &Error{Position{File: file}, "is none of the formats that are read: a plan file (YAML with version and lines), " +
		"the JSON of aws ce get-reservation-purchase-recommendation or get-savings-plans-purchase-recommendation, the JSON of recommendations of Azure or of Google's Recommender, or CSV with a header line"}
}

// check holds what must be true of every input whatever its format.
func (in Input) check() error {
	if n := len(in.Drafts); n > MaxDrafts {
		return &Error{in.Drafts[MaxDrafts].At, fmt.Sprintf("is line %s of the plan; one plan holds at most %s", group(MaxDrafts+1), group(MaxDrafts))}
	}
	type goods struct {
		lane       cloud.Lane
		attributes string
		term       cloud.Term
		payment    cloud.Payment
	}
	seen := make(map[goods]Position, len(in.Drafts))
	var priced *Draft
	for i := range in.Drafts {
		d := &in.Drafts[i]
		g := goods{cloud.Lane{Provider: d.Provider, Account: d.Account, Region: d.Region, Service: d.Service}, d.Attributes.String(), d.Term, d.Payment}
		if first, ok := seen[g]; ok {
			return &Error{d.At, "is the same purchase as " + first.within() + ": make it one line with the quantity of both, or remove one"}
		}
		seen[g] = d.At
		switch {
		case d.Currency == "":
		case priced == nil:
			priced = d
		case priced.Currency != d.Currency:
			return &Error{d.At, fmt.Sprintf("is in %s, but %s is in %s: one file has one currency", d.Currency, priced.At.within(), priced.Currency)}
		}
	}
	return nil
}

// within names a place to somebody who is already looking at its file.
func (p Position) within() string {
	s := fmt.Sprintf("line %d", p.Line)
	if p.Field != "" {
		s += " (" + p.Field + ")"
	}
	return s
}

// reader makes positions and errors of one file.
type reader struct{ file string }

func (r reader) at(line int, field string) Position {
	return Position{File: r.file, Line: line, Field: field}
}

func (r reader) errorf(line int, field, format string, args ...any) *Error {
	return &Error{r.at(line, field), fmt.Sprintf(format, args...)}
}

// problem carries the second half of a sentence from a value's parser to the
// reader that knows where the value stands.
type problem string

func (p problem) Error() string { return string(p) }

func problemf(format string, args ...any) error { return problem(fmt.Sprintf(format, args...)) }

// AsError returns the *Error in err's chain: the place and the sentence apart,
// for callers that mark the place.
func AsError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}
