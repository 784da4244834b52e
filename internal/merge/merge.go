// Package merge merges and compares texts line by line and word by word.
//
// It knows nothing of wikis or git. Lines end with "\n" or "\r\n"; the last may
// lack its end. No input makes it slower than its documented bounds.
package merge

// A Region is a stretch of lines of one text: [Start, End), counted from 0.
type Region struct{ Start, End int }

// A Conflict is a region that both sides changed differently.
type Conflict struct {
	Base, Ours, Theirs Region
	// The texts of the three regions, with their line ends.
	BaseText, OursText, TheirsText string
}

// A Result is what Three makes of three texts.
type Result struct {
	// Text is the merge. Where sides conflict it holds Ours' lines.
	Text      []byte
	Conflicts []Conflict
}

// Clean reports whether nothing conflicted.
func (r Result) Clean() bool { return len(r.Conflicts) == 0 }

// Three merges the changes base->ours and base->theirs.
func Three(base, ours, theirs []byte) Result { panic("contract") }

// Kind is what a diff says of a line or word.
type Kind byte

// The kinds.
const (
	Same Kind = iota
	Removed
	Inserted
)

// A Span is a run of text of one kind inside a line.
type Span struct {
	Kind Kind
	Text string
}

// A Row is one line of a diff set side by side. A changed line pairs its old
// and new text with the differing words marked; a line that is only on one
// side has the other number 0.
type Row struct {
	Kind    Kind // Same; Removed (only old), Inserted (only new), or Changed
	OldLine int  // from 1; 0 where the old text has no such line
	NewLine int
	Old     []Span // Same and Removed spans, without line end
	New     []Span // Same and Inserted spans
}

// Changed is the kind of a row whose line is on both sides, with changes.
const Changed Kind = 3

// A Hunk is a stretch of rows with `context` unchanged lines around changes.
type Hunk struct {
	OldStart, OldLines int // as in unified diffs: from 1
	NewStart, NewLines int
	Rows               []Row
}

// Diff compares two texts; nil means that they are equal.
func Diff(old, new []byte, context int) []Hunk { panic("contract") }

// Unified is the diff in the unified format that patch(1) and git read, with
// the two names in its header; "" when the texts are equal. Binary texts (a
// NUL in the first 8,000 bytes) give "Binary files … differ".
func Unified(oldName, newName string, old, new []byte, context int) string { panic("contract") }

// Stat counts the lines that a change adds and removes.
func Stat(old, new []byte) (added, removed int) { panic("contract") }
