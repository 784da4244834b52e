// Package edit changes the text of a page: replacements, insertions, sections,
// front matter. It also owns the style of stored text: line ends, byte-order mark
// and final newline.
//
// All functions are pure, but Apply can load earlier texts of the page. An edit
// changes nothing outside the range that it names, and an edit that was already
// made changes nothing. Errors are *wiki.Problem values for people and agents, or
// *Conflict.
package edit

import (
	"errors"
	"fmt"
	"iter"
	"regexp"
	"strings"

	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// Op is the kind of an Edit.
type Op string

// The operations. Append, Prepend, InsertAfter and a Replace of text that occurs
// exactly once remove nothing that the writer didn't name, so they need no
// revision. SetMeta needs one for keys that have another value. The others do.
const (
	Replace        Op = "replace"         // Old, which occurs exactly once (in Section, if given) unless All is set
	ReplaceSection Op = "replace_section" // Section with its subsections; the heading stays if Text has none
	Append         Op = "append"          // after the last nonblank line of the page, or of Section without its subsections
	Prepend        Op = "prepend"         // before the first line of the page or Section
	InsertAfter    Op = "insert_after"    // on the line after Old, or after the whole Section
	SetMeta        Op = "set_meta"        // front matter: keys of a YAML mapping; one without a value is removed
)

// An Edit is one change to a page's text.
type Edit struct {
	Op      Op
	Old     string
	Section string
	Text    string
	All     bool // Replace: every occurrence; ReplaceSection: subsections may be dropped
}

// Lines is a range of lines, from 1, both ends included.
type Lines struct{ From, To int }

// A Conflict is the error of an edit that would overwrite a change made since the
// text was read. Base, Theirs and Yours hold only the text to be overwritten;
// the caller sets Path and the blob ids.
type Conflict struct {
	*wiki.ConflictError
	Lines Lines // the current place of that text; zero if it is gone
	Read  bool  // the writer had read all of Base
}

// Unwrap returns the ConflictError.
func (c *Conflict) Unwrap() error { return c.ConflictError }

// A Basis is what the writer of an edit knows of the page, and what the page was.
type Basis struct {
	Base *Document // the document that the writer read; nil if unknown
	Seen *Lines    // the part of it that they read; nil for all
	// Page is the page before the first edit of the request; nil for the document
	// that is edited.
	Page *Document
	// Since yields the texts that the page had after Base and before Page, newest
	// first. It is only called if the page may already contain the edit.
	Since iter.Seq2[string, error]
}

// A State says whether the page already contained an edit.
type State int

// The states of an edit.
const (
	Changed State = iota // the edit changed the page
	Applied              // the edit was made since the writer read the page
	Present              // the page has the text, perhaps since before the writer thought of it
)

// A Result is a document after an edit.
type Result struct {
	*Document
	State State
	// Ignored lists the differences between Edit.Old and the text it was found as;
	// nil if they are the same.
	Ignored []Difference
}

// Apply makes one edit to doc. If doc already contains the edit, the result has
// the same text.
func Apply(doc *Document, from Basis, e Edit) (Result, error) {
	e.Text = Normalize([]byte(e.Text))
	e.Old = Normalize([]byte(e.Old))
	ed := &editor{Document: doc, Basis: from}
	if ed.Page == nil {
		ed.Page = doc
	}
	err := ed.apply(e)
	var conflict *Conflict
	if errors.As(err, &conflict) {
		conflict.Read = e.Op == ReplaceSection || e.Op == SetMeta
	}
	if err != nil {
		return Result{}, err
	}
	if ed.state == Changed && ed.Text == doc.Text {
		ed.state = Present
	}
	return Result{Document: ed.Document, State: ed.state, Ignored: ed.ignored}, nil
}

// An editor applies one edit.
type editor struct {
	*Document
	Basis
	state   State
	ignored []Difference
}

func (ed *editor) apply(e Edit) error {
	switch e.Op {
	case Replace:
		return ed.replace(e)
	case ReplaceSection:
		return ed.replaceSection(e)
	case Append:
		return ed.append(e)
	case Prepend:
		return ed.prepend(e)
	case InsertAfter:
		return ed.insertAfter(e)
	case SetMeta:
		return ed.setMeta(e)
	}
	return wiki.Problemf(wiki.ErrInvalid, "op", "Unknown operation %q. Use replace, replace_section, append, prepend, insert_after or set_meta.", e.Op)
}

// splice replaces a range of the text.
func (ed *editor) splice(from, to int, text string) {
	ed.Document = NewDocument(ed.Text[:from] + text + ed.Text[to:])
}

// scope returns the offsets of the range that an edit is limited to: a section
// with its subsections, or the whole page.
func (doc *Document) scope(section string) (from, to int, err error) {
	if section == "" {
		return 0, len(doc.Text), nil
	}
	s, err := doc.Section(section)
	return doc.lineStart(s.StartLine), doc.lineStart(s.DeepEnd + 1), err
}

// requireBase fails if the writer named no revision.
func (ed *editor) requireBase(action string) error {
	if ed.Base == nil {
		return wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "%s requires the revision you read. Read the page, then send its revision.", action)
	}
	return nil
}

func (ed *editor) replace(e Edit) error {
	switch {
	case e.Old == "":
		return wiki.Problemf(wiki.ErrInvalid, "old", `"old" is empty. Send the text to replace.`)
	case e.Old == e.Text:
		return wiki.Problemf(wiki.ErrInvalid, "text", "The new text is the same as the old text.")
	}
	from, to, err := ed.scope(e.Section)
	if err != nil {
		return err
	}
	if e.All {
		return ed.replaceAll(e, from, to)
	}
	done, err := ed.checkContained(e, from, to)
	if done || err != nil {
		return err
	}
	old, found, err := ed.findOld(e, from, to)
	switch {
	case err != nil:
		return err
	case !found:
		return ed.checkReplaced(e, from, to)
	}
	ed.splice(old.from, old.to, e.Text)
	return nil
}

func (ed *editor) replaceAll(e Edit, from, to int) error {
	if err := ed.requireBase("Replacing all occurrences"); err != nil {
		return err
	}
	done, err := ed.checkContained(e, from, to)
	if done || err != nil {
		return err
	}
	within := ed.Text[from:to]
	if !strings.Contains(within, e.Old) {
		return ed.checkReplaced(e, from, to)
	}
	ed.splice(from, to, strings.ReplaceAll(within, e.Old, e.Text))
	return nil
}

// checkContained is for an old text that is part of its replacement, as in an
// insertion after a line. If the page has it only there, the edit was either made
// since the writer read the page, which is done, or the writer has read the page
// like this and wants it once more.
func (ed *editor) checkContained(e Edit, from, to int) (done bool, err error) {
	within := ed.Text[from:to]
	if !onlyWithin(within, e.Old, e.Text) {
		return false, nil
	}
	if ed.Base == nil {
		return false, wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "The page already has the new text, which contains the old one, on line %d. To replace it again, send the revision you read.", ed.lineAt(from+strings.Index(within, e.Text)))
	}
	done, err = ed.wasReplaced(e)
	if done {
		ed.state = Applied
	}
	return done, err
}

// onlyWithin reports whether old occurs, but only as part of its replacement.
func onlyWithin(text, old, replacement string) bool {
	if !strings.Contains(replacement, old) || !strings.Contains(text, old) {
		return false
	}
	return !strings.Contains(strings.ReplaceAll(text, replacement, "\x00"), old)
}

func (ed *editor) replaceSection(e Edit) error {
	if e.Section == "" {
		return wiki.Problemf(wiki.ErrInvalid, "section", "Name the section to replace. To replace the whole page, use replace_page.")
	}
	if err := ed.requireBase("Replacing a section"); err != nil {
		return err
	}
	read, err := ed.Base.Section(e.Section)
	if err != nil {
		return err
	}
	if err := ed.Base.requireRead(read, ed.Seen, e.Section); err != nil {
		return err
	}
	old := ed.Base.Slice(read.StartLine, read.DeepEnd)
	yours := formatSection(ed.Base, read, e.Text)
	if !e.All {
		if lost := lostSubsections(ed.Base, read, yours); lost != "" {
			return wiki.Problemf(wiki.ErrInvalid, "text", "This would drop the subsections %s. Include them, or set all.", lost)
		}
	}
	current, err := ed.Section(e.Section)
	if err != nil {
		begin := ed.Base.lineStart(read.StartLine)
		if alignLines(ed.Base.Text, ed.Page.Text).inPlace(span{begin, begin + len(old)}, strings.TrimRight(yours, "\n")) {
			ed.state = Applied // and renamed by it
			return nil
		}
		return newConflict(old, yours, "", 0)
	}
	if err := ed.mergeSection(current, old, yours); err != nil || ed.state != Changed {
		return err
	}
	return ed.checkSiblings(NewDocument(yours))
}

// requireRead fails unless a writer has seen all of a section, which they call name.
func (doc *Document) requireRead(s Section, seen *Lines, name string) error {
	if seen == nil || seen.From <= s.StartLine && doc.lastNonBlank(s.DeepEnd) <= seen.To {
		return nil
	}
	return wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "You haven't read all of this section, lines %d-%d. Read it with section %q, then send the revision of that result.", s.StartLine, s.DeepEnd, name)
}

// checkSiblings fails if a replaced section has made a heading occur twice below the
// same heading: once in the section and once outside of it.
func (ed *editor) checkSiblings(section *Document) error {
	was := map[string]int{}
	for _, s := range ed.Page.Sections() {
		was[siblingKey(s)]++
	}
	given := map[string]bool{}
	for _, s := range section.Sections() {
		if s.Level > 0 {
			given[sectionKey(s.Path[len(s.Path)-1])] = true
		}
	}
	first := map[string]Section{}
	count := map[string]int{}
	for _, s := range ed.Sections() {
		key := siblingKey(s)
		if count[key]++; count[key] == 1 {
			first[key] = s
			continue
		}
		title := ""
		if s.Level > 0 {
			title = s.Path[len(s.Path)-1]
		}
		if count[key] > max(1, was[key]) && given[sectionKey(title)] {
			return wiki.Problemf(wiki.ErrInvalid, "text", "The page would have two sections %q, on lines %d and %d. Send the text of section %q only, without the heading after it, or choose another title.", title, first[key].StartLine, s.StartLine, section.firstTitle())
		}
	}
	return nil
}

// siblingKey is equal for headings of the same level and title below the same one.
func siblingKey(s Section) string {
	key := fmt.Sprint(s.Level)
	for _, title := range s.Path {
		key += "\x00" + sectionKey(title)
	}
	return key
}

// firstTitle returns the title of the first heading, "" without one.
func (doc *Document) firstTitle() string {
	for _, s := range doc.Sections() {
		if s.Level > 0 {
			return s.Path[len(s.Path)-1]
		}
	}
	return ""
}

// mergeSection merges what a writer made of a section with its current text.
func (ed *editor) mergeSection(current Section, old, yours string) error {
	from, to := ed.lineStart(current.StartLine), ed.lineStart(current.DeepEnd+1)
	theirs := ed.Text[from:to]
	if theirs != old && yours == old {
		return wiki.Problemf(wiki.ErrInvalid, "text", "The text is the same as in the revision you read, but others changed this section since. Read it again.")
	}
	if theirs == yours && theirs != old {
		ed.state = Applied
		return nil
	}
	if theirs != old {
		merged := merge.Three([]byte(old), []byte(yours), []byte(theirs))
		if !merged.Clean() {
			return newConflict(old, yours, theirs, current.StartLine)
		}
		yours = string(merged.Text)
	}
	if rest := ed.Text[to:]; rest != "" && !strings.HasSuffix(yours, "\n\n") && !strings.HasSuffix(old, "\n\n") {
		yours += "\n"
	}
	ed.splice(from, to, yours)
	return nil
}

var atxOpening = regexp.MustCompile(`^ {0,3}#{1,6}([ \t\n]|$)`) // CommonMark 4.2

var setextUnderline = regexp.MustCompile(`^ {0,3}(=+|-+)[ \t]*\n?$`) // CommonMark 4.3

// headingLines returns the number of lines of a section's heading.
func headingLines(doc *Document, s Section) int {
	if atxOpening.MatchString(doc.Slice(s.StartLine, s.StartLine)) {
		return 1
	}
	for line := s.StartLine + 1; line <= s.EndLine; line++ {
		if setextUnderline.MatchString(doc.Slice(line, line)) {
			return line - s.StartLine + 1
		}
	}
	return 1
}

// formatSection completes a section's new text: it keeps the old heading if the
// text has none, and the blank lines before the next section.
func formatSection(doc *Document, s Section, text string) string {
	text = strings.Trim(text, "\n")
	given := NewDocument(text).Sections()
	if len(given) < 2 || given[1].StartLine > 1 {
		n := headingLines(doc, s)
		heading := doc.Slice(s.StartLine, s.StartLine+n-1)
		body := doc.Slice(s.StartLine+n, s.DeepEnd)
		gap := body[:len(body)-len(strings.TrimLeft(body, "\n"))]
		text = strings.TrimRight(heading, "\n") + "\n" + gap + text
	}
	text = strings.TrimRight(text, "\n") + "\n"
	old := doc.Slice(s.StartLine, s.DeepEnd)
	if blank := len(old) - len(strings.TrimRight(old, "\n")); blank > 1 {
		text += strings.Repeat("\n", blank-1)
	}
	return text
}

// lostSubsections lists the subsections of a section that a text lacks.
func lostSubsections(doc *Document, s Section, text string) string {
	kept := map[string]int{}
	for _, n := range NewDocument(text).Sections() {
		if n.Level > 0 {
			kept[sectionKey(n.Path[len(n.Path)-1])]++
		}
	}
	var lost []string
	for _, sub := range doc.Sections() {
		if sub.StartLine <= s.StartLine || sub.StartLine > s.DeepEnd {
			continue
		}
		title := sub.Path[len(sub.Path)-1]
		if kept[sectionKey(title)]--; kept[sectionKey(title)] < 0 {
			lost = append(lost, fmt.Sprintf("%q", title))
		}
	}
	return strings.Join(lost, ", ")
}

// newConflict returns a Conflict. line is where theirs begins, 0 if it is gone.
func newConflict(base, yours, theirs string, line int) error {
	c := &wiki.ConflictError{Base: []byte(base), Yours: []byte(yours), Theirs: []byte(theirs)}
	for _, x := range merge.Three(c.Base, c.Yours, c.Theirs).Conflicts {
		c.AddHunk(wiki.Hunk{
			BaseLine: x.Base.Start + 1, TheirLine: x.Theirs.Start + max(line, 1), YourLine: x.Ours.Start + 1,
			Base: x.BaseText, Theirs: x.TheirsText, Yours: x.OursText,
		})
	}
	conflict := &Conflict{ConflictError: c}
	if line > 0 {
		conflict.Lines = Lines{line, line + max(0, strings.Count(theirs, "\n")-1)}
	}
	return conflict
}
