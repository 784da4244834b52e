package wiki

import (
	"errors"
	"fmt"
)

// The kinds of failure that every package speaks of. Test for them with
// errors.Is; a Problem or a ConflictError wraps one of them.
var (
	ErrNotFound             = errors.New("not found")
	ErrDenied               = errors.New("not allowed")
	ErrConflict             = errors.New("conflict")
	ErrInvalid              = errors.New("invalid")
	ErrTooLarge             = errors.New("too large")
	ErrQuota                = errors.New("over the limit")
	ErrExists               = errors.New("exists already")
	ErrPrecondition         = errors.New("precondition failed")   // RFC 9110, 15.5.13 (412)
	ErrPreconditionRequired = errors.New("precondition required") // RFC 6585, section 3 (428)
	ErrGone                 = errors.New("gone")
	ErrStorage              = errors.New("storage failed") // disk full, read-only or broken: nothing was changed
)

// ErrSuspended is a wiki that the operator has closed. It is ErrDenied as well,
// for whoever makes no difference.
var ErrSuspended = fmt.Errorf("suspended: %w", ErrDenied)

// ErrTakenDown is content that may not be shown, for legal reasons (RFC 7725: 451).
var ErrTakenDown = errors.New("withheld for legal reasons")

// A Problem is an error whose message is written for the person who caused it:
// it says what is wrong and what to do, and never holds anything private.
type Problem struct {
	Kind       error  // one of the kinds above
	Field      string // the form field or JSON member it is about, or ""
	Message    string // a whole sentence
	DidYouMean string // suggested value for the field, or ""
	Cause      string // what monitors count it by, a constant; "" for its kind
}

func (p *Problem) Error() string { return p.Message }
func (p *Problem) Unwrap() error { return p.Kind }

// Problemf makes a Problem of a kind, about a field ("" for none).
func Problemf(kind error, field, format string, args ...any) error {
	return &Problem{Kind: kind, Field: field, Message: fmt.Sprintf(format, args...)}
}

// WithCause returns a copy of the Problem in err that is counted under cause.
func WithCause(cause string, err error) error {
	var p *Problem
	if !errors.As(err, &p) {
		return err
	}
	counted := *p
	counted.Cause = cause
	return &counted
}

// CauseOf is what a failure is counted by: it holds nothing that anybody sent.
func CauseOf(err error) string {
	var p *Problem
	switch {
	case !errors.As(err, &p):
		return "our fault"
	case p.Cause != "":
		return p.Cause
	}
	return p.Kind.Error()
}

// A ConflictError says that an edit met another one that it cannot be merged
// with. Nothing was written; the writer's text is in Yours.
type ConflictError struct {
	Path     string // the file, as it is called now
	Deleted  bool   // the file is gone; TheirBlob and Theirs are empty
	BaseBlob string // what the writer started from; "" when they meant to create the file
	Base     []byte
	// TheirBlob is the current revision; a writer who has resolved the
	// conflict saves with it as the new base.
	TheirBlob string
	Theirs    []byte
	Yours     []byte
	// Merged is the merge with each conflicting region taken from Yours.
	Merged []byte
	Hunks  []Hunk
}

func (c *ConflictError) Error() string {
	if c.Deleted {
		return fmt.Sprintf("%s was deleted while you were writing", c.Path)
	}
	return fmt.Sprintf("%s was changed while you were writing, in %d of the same places", c.Path, len(c.Hunks))
}

func (c *ConflictError) Unwrap() error { return ErrConflict }

// A Hunk is one region that both sides changed. Lines count from 1; a region
// without lines stands before its line number. Texts keep their line ends.
type Hunk struct {
	BaseLine  int    `json:"base_line"`
	TheirLine int    `json:"their_line"`
	YourLine  int    `json:"your_line"`
	Base      string `json:"base"`
	Theirs    string `json:"theirs"`
	Yours     string `json:"yours"`
}

// A Redirect is an answer in the place of an error: what was asked for is at
// another name. Look-ups return it as an error so that no caller can miss it.
type Redirect struct {
	To        string // a path on the same host, escaped, beginning with one /
	Permanent bool   // another spelling (301); otherwise a former name (302)
}

func (r *Redirect) Error() string { return "moved to " + r.To }
