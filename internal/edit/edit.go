// Package edit changes the text of a page: replacements, insertions, sections,
// front matter. It also owns the style of stored text: line ends, byte-order mark
// and final newline.
//
// All functions are pure. An edit changes nothing outside the range that it
// names, and an edit that is already in the text changes nothing. Errors are
// *wiki.Problem values for people and agents, or *Conflict.
package edit

import (
	"fmt"
	"regexp"
	"strings"

	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// Op is the kind of an Edit.
type Op string

// The operations. Append, Prepend, InsertAfter and a Replace of text that occurs
// exactly once remove nothing that the writer didn't name, so they need no
// revision. The others do.
const (
	Replace        Op = "replace"         // Old, which occurs exactly once (in Section, if given) unless All is set
	ReplaceSection Op = "replace_section" // Section with its subsections; the heading stays if Text has none
	Append         Op = "append"          // after the last nonblank line of the page, or of Section without its subsections
	Prepend        Op = "prepend"         // before the first line of the page or Section
	InsertAfter    Op = "insert_after"    // on the line after Old, or after the whole Section
	SetMeta        Op = "set_meta"        // front matter: lines "key: value"; an empty value removes the key
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
}

// Unwrap returns the ConflictError.
func (c *Conflict) Unwrap() error { return c.ConflictError }

// Apply makes one edit to doc. If doc already contains the edit, the result has
// the same text. base is the document that the writer read, nil if unknown, and
// seen the part of it that they read, nil for all.
func Apply(doc, base *Document, seen *Lines, e Edit) (*Document, error) {
	e.Text = Normalize([]byte(e.Text))
	e.Old = Normalize([]byte(e.Old))
	ed := &editor{Document: doc, base: base, seen: seen}
	if err := ed.apply(e); err != nil {
		return nil, err
	}
	return ed.Document, nil
}

// An editor applies one edit.
type editor struct {
	*Document
	base *Document
	seen *Lines
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
func (ed *editor) scope(section string) (from, to int, err error) {
	if section == "" {
		return 0, len(ed.Text), nil
	}
	s, err := ed.Section(section)
	return ed.lineStart(s.StartLine), ed.lineStart(s.DeepEnd + 1), err
}

// requireBase fails if the writer named no revision.
func (ed *editor) requireBase(action string) error {
	if ed.base == nil {
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
	within := ed.Text[from:to]
	if e.All {
		if err := ed.requireBase("Replacing all occurrences"); err != nil {
			return err
		}
		if !strings.Contains(within, e.Old) {
			return ed.checkAlreadyReplaced(e, within, from)
		}
		ed.splice(from, to, strings.ReplaceAll(within, e.Old, e.Text))
		return nil
	}
	i, err := ed.findOnce(e, within, from)
	if err != nil || i < 0 {
		return err
	}
	ed.splice(from+i, from+i+len(e.Old), e.Text)
	return nil
}

// findOnce returns the offset of the only occurrence of an edit's old text, or -1
// if the text already contains the edit.
func (ed *editor) findOnce(e Edit, within string, from int) (int, error) {
	first := strings.Index(within, e.Old)
	if first < 0 {
		return -1, ed.checkAlreadyReplaced(e, within, from)
	}
	if isApplied(within, e.Old, e.Text) {
		return -1, nil
	}
	if strings.Contains(within[first+1:], e.Old) {
		return 0, wiki.Problemf(wiki.ErrInvalid, "old", "The text occurs more than once, on lines %s. Include more of the surrounding text, name the section, or set all.", listLines(within, e.Old, ed.lineAt(from)))
	}
	return first, nil
}

// isApplied reports whether every occurrence of old is part of its replacement.
func isApplied(text, old, replacement string) bool {
	if !strings.Contains(replacement, old) {
		return false
	}
	return !strings.Contains(strings.ReplaceAll(text, replacement, "\x00"), old)
}

// minDistinctive is the length below which finding a text proves nothing.
const minDistinctive = 4 // bytes

// checkAlreadyReplaced is for an old text that doesn't occur. It returns nil if
// the edit was already made, else an error that names the nearest text.
func (ed *editor) checkAlreadyReplaced(e Edit, within string, from int) error {
	inBase := ed.base != nil && strings.Contains(ed.base.Text, e.Old)
	switch n := strings.Count(within, e.Text); {
	case e.Text == "" && inBase:
		return nil // deleted since it was read
	case e.Text != "" && n > 0 && (inBase || e.All || n == 1 && len(strings.TrimSpace(e.Text)) >= minDistinctive):
		return nil
	}
	where := "the page"
	if e.Section != "" {
		where = "this section"
		if i := strings.Index(ed.Text, e.Old); i >= 0 {
			return wiki.Problemf(wiki.ErrInvalid, "old", "The text isn't in section %q but on line %d.", e.Section, ed.lineAt(i))
		}
	}
	if line, text := nearestLine(within, e.Old); line > 0 {
		return wiki.Problemf(wiki.ErrInvalid, "old", "The text isn't in %s. It must match exactly. The most similar line is %d: %s", where, line+ed.lineAt(from)-1, text)
	}
	return wiki.Problemf(wiki.ErrInvalid, "old", "The text isn't in %s, and neither is anything similar. Read the page again.", where)
}

func (ed *editor) replaceSection(e Edit) error {
	if e.Section == "" {
		return wiki.Problemf(wiki.ErrInvalid, "section", "Name the section to replace. To replace the whole page, use replace_page.")
	}
	if err := ed.requireBase("Replacing a section"); err != nil {
		return err
	}
	read, err := ed.base.Section(e.Section)
	if err != nil {
		if ed.hasSection(e.Text) {
			return nil
		}
		return err
	}
	if s := ed.seen; s != nil && (read.StartLine < s.From || ed.base.lastNonBlank(read.DeepEnd) > s.To) {
		return wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "You haven't read all of this section, lines %d-%d. Read it with section %q, then send the revision of that result.", read.StartLine, read.DeepEnd, e.Section)
	}
	old := ed.base.Slice(read.StartLine, read.DeepEnd)
	yours := formatSection(ed.base, read, e.Text)
	if !e.All {
		if lost := lostSubsections(ed.base, read, yours); lost != "" {
			return wiki.Problemf(wiki.ErrInvalid, "text", "This would drop the subsections %s. Include them, or set all.", lost)
		}
	}
	current, err := ed.Section(e.Section)
	if err != nil {
		if ed.hasSection(e.Text) {
			return nil
		}
		return newConflict(old, yours, "", 0)
	}
	return ed.mergeSection(current, old, yours)
}

// mergeSection merges what a writer made of a section with its current text.
func (ed *editor) mergeSection(current Section, old, yours string) error {
	from, to := ed.lineStart(current.StartLine), ed.lineStart(current.DeepEnd+1)
	theirs := ed.Text[from:to]
	if theirs != old && theirs != yours {
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

// hasSection reports whether the page contains a text that begins with a heading:
// the section was already replaced and renamed.
func (ed *editor) hasSection(text string) bool {
	text = strings.Trim(text, "\n")
	return strings.HasPrefix(text, "#") && strings.Contains("\n"+ed.Text+"\n", "\n"+text+"\n")
}

var setextUnderline = regexp.MustCompile(`^ {0,3}(=+|-+)[ \t]*\n?$`) // CommonMark 4.3

// headingLines returns the number of lines of a section's heading.
func headingLines(doc *Document, s Section) int {
	if strings.HasPrefix(strings.TrimLeft(doc.Slice(s.StartLine, s.StartLine), " "), "#") {
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

// truncate cuts a text to at most n bytes and marks the cut.
func truncate(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}
