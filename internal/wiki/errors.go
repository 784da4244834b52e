package wiki

import (
	"errors"
	"fmt"
)

// The kinds of errors that packages share. Test for them with errors.Is; a Problem
// or a ConflictError wraps one of them. KindOf and Status classify an error.
var (
	ErrNotFound             = errors.New("not found")
	ErrDenied               = errors.New("not allowed")
	ErrConflict             = errors.New("conflict")
	ErrInvalid              = errors.New("invalid")
	ErrTooLarge             = errors.New("too large")
	ErrQuota                = errors.New("over the limit")
	ErrExists               = errors.New("already exists")
	ErrPrecondition         = errors.New("precondition failed")   // RFC 9110, 15.5.13 (412)
	ErrPreconditionRequired = errors.New("precondition required") // RFC 6585, section 3 (428)
	ErrGone                 = errors.New("gone")
	ErrStorage              = errors.New("storage failed")          // disk full, read-only or broken: nothing was changed
	ErrTakenDown            = errors.New("taken down")              // content hidden for legal reasons: RFC 7725 (451)
	ErrTooMany              = errors.New("too many requests")       // RFC 6585, section 4 (429)
	ErrUnavailable          = errors.New("temporarily unavailable") // nothing was changed, a retry can succeed
)

// Kinds that are special cases of others, for callers that need not distinguish
// them.
var (
	// ErrSuspended: the operator has closed the wiki, or the account.
	ErrSuspended = fmt.Errorf("suspended: %w", ErrDenied)
	// ErrMalformed: a request that can't be parsed.
	ErrMalformed = fmt.Errorf("malformed: %w", ErrInvalid)
	// ErrStorageBusy: another process holds a lock, such as a backup.
	ErrStorageBusy = fmt.Errorf("storage busy: %w", ErrStorage)
	// ErrDamaged: stored data is missing or can't be read. The operator has to restore
	// it.
	ErrDamaged = fmt.Errorf("storage damaged: %w", ErrStorage)
)

// A Problem is an error whose message is written for the person who caused it. The
// message names the problem and what to do, and contains nothing private.
type Problem struct {
	Kind       error  // one of the kinds above
	Field      string // the form field or JSON member at fault, or ""
	Message    string // one or more full sentences: Format with Args
	Format     string // a constant; "" if all of Message can be others' words
	Args       []any
	DidYouMean string // suggested value for the field, or ""
	Cause      string // a constant for metrics; "" stands for the kind
}

func (p *Problem) Error() string { return p.Message }
func (p *Problem) Unwrap() error { return p.Kind }

// Problemf returns a Problem of a kind, about a field ("" for none).
func Problemf(kind error, field, format string, args ...any) error {
	return &Problem{Kind: kind, Field: field, Message: fmt.Sprintf(format, args...), Format: format, Args: args}
}

// Own marks an argument of Problemf as a text of this service, such as a formatted
// size. Agents see other texts as quotes.
type Own string

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

// CauseOf returns the label that metrics count a failure by. It contains nothing
// that a caller sent.
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

// A ConflictError is an edit that can't be merged with a concurrent one. Nothing
// was written; the writer's text is in Yours.
type ConflictError struct {
	Path     string // the file's current path
	Deleted  bool   // the file was deleted; TheirBlob and Theirs are empty
	BaseBlob string // the revision the writer started from; "" if they meant to create the file
	Base     []byte
	// TheirBlob is the current revision: the base to save a resolution with.
	TheirBlob string
	Theirs    []byte
	Yours     []byte // nil if the writer has no text, as for a move or deletion
	// Merged is the merge with each conflicting region taken from Yours.
	Merged []byte
	Places int    // regions that both sides changed
	Hunks  []Hunk // the regions; nil if there are more than MaxHunks
}

// MaxHunks is the number of regions that a ConflictError describes. With more of
// them, the whole texts are easier to work with, and much smaller.
const MaxHunks = 100

// AddHunk adds a region.
func (c *ConflictError) AddHunk(h Hunk) {
	if c.Places++; c.Places > MaxHunks {
		c.Hunks = nil
		return
	}
	c.Hunks = append(c.Hunks, h)
}

// TooMany reports whether the regions are too many to describe.
func (c *ConflictError) TooMany() bool { return c.Places > MaxHunks }

func (c *ConflictError) Error() string {
	if c.Deleted {
		return fmt.Sprintf("%s was deleted while you were writing", c.Path)
	}
	return fmt.Sprintf("%s was changed while you were writing, in %d of the same places", c.Path, max(c.Places, len(c.Hunks)))
}

func (c *ConflictError) Unwrap() error { return ErrConflict }

// A Hunk is one region that both sides changed. Lines count from 1; an empty
// region is before its line number. Texts keep their line endings.
type Hunk struct {
	BaseLine  int    `json:"base_line"`
	TheirLine int    `json:"their_line"`
	YourLine  int    `json:"your_line"`
	Base      string `json:"base"`
	Theirs    string `json:"theirs"`
	Yours     string `json:"yours"`
}

// A Redirect reports that a page has another name. Lookups return it as an error, so
// that no caller can miss it. Front ends send it with "no-cache", even if it is
// permanent, because a page with the old name can be created later.
type Redirect struct {
	To        string // a path on the same host, escaped, beginning with one /
	Permanent bool   // another spelling (301); otherwise a former name (302)
}

func (r *Redirect) Error() string { return "moved to " + r.To }
