package api

import "fmt"

// Kind is what an error means for whoever asked. It is what a server answers with and
// what a client gives back: the sentence is the same on both sides.
type Kind string

// The kinds of errors.
const (
	NotFound    Kind = "not_found"   // there is no such thing, or it is not to be seen
	Ambiguous   Kind = "ambiguous"   // a shortened id matches more than one thing
	Invalid     Kind = "invalid"     // the request cannot be meant
	Conflict    Kind = "conflict"    // the state of things does not allow it
	Stale       Kind = "stale"       // it has changed since it was looked at
	Forbidden   Kind = "forbidden"   // whoever asks may not
	SignedOut   Kind = "signed_out"  // nobody is signed in
	TooLarge    Kind = "too_large"   // of a request
	Unavailable Kind = "unavailable" // what it takes cannot be reached now
	Internal    Kind = "internal"    // of every error that has no kind
)

// Error is an error with its kind.
type Error struct {
	Kind Kind
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the error without its kind.
func (e *Error) Unwrap() error { return e.Err }

// Errorf is fmt.Errorf with a kind.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{kind, fmt.Errorf(format, args...)}
}
