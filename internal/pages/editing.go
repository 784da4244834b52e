package pages

import (
	"fmt"
	"regexp"
	"strings"

	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// An editing is a page's text as edits change it.
type editing struct {
	*Source
	base *Source // what the writer read; nil for nothing
	seen *Lines  // of base; nil for all
	file wiki.File
}

// set takes a new text.
func (ed *editing) set(text string) {
	next := newSource(text)
	next.Name, next.File = ed.Name, ed.File
	ed.Source = next
}

func (ed *editing) splice(from, to int, text string) { ed.set(ed.Text[:from] + text + ed.Text[to:]) }

// apply makes one edit; one that is there already leaves the text as it is.
func (ed *editing) apply(e TextEdit) error {
	e.Text = plainLines([]byte(e.Text))
	e.Old = plainLines([]byte(e.Old))
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
	return wiki.Problemf(wiki.ErrInvalid, "op", "%q is no edit: use replace, replace_section, append, prepend, insert_after or set_meta.", e.Op)
}

// scope is where an edit may work, as offsets: a section with its subsections,
// or all of the page.
func (ed *editing) scope(section string) (from, to int, err error) {
	if section == "" {
		return 0, len(ed.Text), nil
	}
	s, err := ed.Section(section)
	return ed.offset(s.StartLine), ed.offset(s.DeepEnd + 1), err
}

// mustKnow refuses what overwrites without a revision.
func (ed *editing) mustKnow(what string) error {
	if ed.base == nil {
		return wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "%s needs the revision that you read. Read the page, then send its revision.", what)
	}
	return nil
}

func (ed *editing) replace(e TextEdit) error {
	switch {
	case e.Old == "":
		return wiki.Problemf(wiki.ErrInvalid, "old", `"old" is empty: it is the text to be replaced.`)
	case e.Old == e.Text:
		return wiki.Problemf(wiki.ErrInvalid, "text", "The new text is the same as the old.")
	}
	from, to, err := ed.scope(e.Section)
	if err != nil {
		return err
	}
	within := ed.Text[from:to]
	if e.All {
		if err := ed.mustKnow("Replacing all occurrences"); err != nil {
			return err
		}
		if !strings.Contains(within, e.Old) {
			return ed.absent(e, within, from)
		}
		ed.splice(from, to, strings.ReplaceAll(within, e.Old, e.Text))
		return nil
	}
	at, err := ed.once(e, within, from)
	if err != nil || at < 0 {
		return err
	}
	ed.splice(from+at, from+at+len(e.Old), e.Text)
	return nil
}

// once finds the one occurrence of an edit's old text, -1 where the edit has
// been made already.
func (ed *editing) once(e TextEdit, within string, from int) (int, error) {
	first := strings.Index(within, e.Old)
	if first < 0 {
		return -1, ed.absent(e, within, from)
	}
	if applied(within, e.Old, e.Text) {
		return -1, nil
	}
	if strings.Contains(within[first+1:], e.Old) {
		return 0, wiki.Problemf(wiki.ErrInvalid, "old", "The text is there more than once, on lines %s. Include more of what stands around it, name the section, or set all.", occurrences(within, e.Old, ed.line(from)))
	}
	return first, nil
}

// applied reports that every occurrence of old is part of what it was to be
// replaced with.
func applied(text, old, with string) bool {
	if !strings.Contains(with, old) {
		return false
	}
	return !strings.Contains(strings.ReplaceAll(text, with, "\x00"), old)
}

// fewBytes is how short a text may be there once by chance.
const fewBytes = 4

// absent is for an old text that is not there: nil if the edit has been made,
// else what is most like it.
func (ed *editing) absent(e TextEdit, within string, from int) error {
	wasThere := ed.base != nil && strings.Contains(ed.base.Text, e.Old)
	switch n := strings.Count(within, e.Text); {
	case e.Text == "" && wasThere:
		return nil // it was deleted since
	case e.Text != "" && n > 0 && (wasThere || e.All || n == 1 && len(strings.TrimSpace(e.Text)) >= fewBytes):
		return nil
	}
	where := "the page"
	if e.Section != "" {
		where = "this section"
		if i := strings.Index(ed.Text, e.Old); i >= 0 {
			return wiki.Problemf(wiki.ErrInvalid, "old", "The text is not in section %q but on line %d.", e.Section, ed.line(i))
		}
	}
	if line, text := nearest(within, e.Old); line > 0 {
		return wiki.Problemf(wiki.ErrInvalid, "old", "The text is not in %s. It must match exactly. Nearest is line %d: %s", where, line+ed.line(from)-1, text)
	}
	return wiki.Problemf(wiki.ErrInvalid, "old", "The text is not in %s, and nothing like it. Read the page again.", where)
}

func (ed *editing) replaceSection(e TextEdit) error {
	if e.Section == "" {
		return wiki.Problemf(wiki.ErrInvalid, "section", "Name the section to be replaced. replace_page replaces the whole page.")
	}
	if err := ed.mustKnow("Replacing a section"); err != nil {
		return err
	}
	read, err := ed.base.Section(e.Section)
	if err != nil {
		if ed.stands(e.Text) {
			return nil
		}
		return err
	}
	if s := ed.seen; s != nil && (read.StartLine < s.From || lastWritten(ed.base, read.DeepEnd) > s.To) {
		return wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "You have not read all of this section, lines %d-%d. Read it with section %q, then send the revision of that answer.", read.StartLine, read.DeepEnd, e.Section)
	}
	old := ed.base.Slice(read.StartLine, read.DeepEnd)
	with := sectionText(ed.base, read, e.Text)
	if !e.All {
		if lost := lostSections(ed.base, read, with); lost != "" {
			return wiki.Problemf(wiki.ErrInvalid, "text", "This would drop the subsections %s. Include them, or set all.", lost)
		}
	}
	now, err := ed.Section(e.Section)
	if err != nil {
		if ed.stands(e.Text) {
			return nil
		}
		return ed.conflict(old, with, "", 0)
	}
	from, to := ed.offset(now.StartLine), ed.offset(now.DeepEnd+1)
	theirs := ed.Text[from:to]
	if theirs != old && theirs != with {
		merged := merge.Three([]byte(old), []byte(with), []byte(theirs))
		if !merged.Clean() {
			return ed.conflict(old, with, theirs, now.StartLine)
		}
		with = string(merged.Text)
	}
	if rest := ed.Text[to:]; rest != "" && !strings.HasSuffix(with, "\n\n") && !strings.HasSuffix(old, "\n\n") {
		with += "\n"
	}
	ed.splice(from, to, with)
	return nil
}

// stands reports that a section has been made of a text already, whose heading
// is another one than it had.
func (ed *editing) stands(text string) bool {
	text = strings.Trim(text, "\n")
	return strings.HasPrefix(text, "#") && strings.Contains("\n"+ed.Text+"\n", "\n"+text+"\n")
}

// lastWritten is the last line up to one that is not blank.
func lastWritten(src *Source, line int) int {
	for line > 1 && strings.TrimSpace(src.Slice(line, line)) == "" {
		line--
	}
	return line
}

// headingLines is how many lines the heading of a section takes.
func headingLines(src *Source, s Section) int {
	if strings.HasPrefix(strings.TrimLeft(src.Slice(s.StartLine, s.StartLine), " "), "#") {
		return 1
	}
	for line := s.StartLine + 1; line <= s.EndLine; line++ {
		if underline.MatchString(src.Slice(line, line)) {
			return line - s.StartLine + 1
		}
	}
	return 1
}

var underline = regexp.MustCompile(`^ {0,3}(=+|-+)[ \t]*\n?$`) // CommonMark 4.3

// sectionText is what a section is to be: with the heading it has, if the text
// begins with none, and the blank lines that part it from the next.
func sectionText(src *Source, s Section, text string) string {
	text = strings.Trim(text, "\n")
	given := newSource(text).Sections()
	if len(given) < 2 || given[1].StartLine > 1 {
		heading := src.Slice(s.StartLine, s.StartLine+headingLines(src, s)-1)
		body := src.Slice(s.StartLine+headingLines(src, s), s.DeepEnd)
		gap := body[:len(body)-len(strings.TrimLeft(body, "\n"))]
		text = strings.TrimRight(heading, "\n") + "\n" + gap + text
	}
	text = strings.TrimRight(text, "\n") + "\n"
	old := src.Slice(s.StartLine, s.DeepEnd)
	if blank := len(old) - len(strings.TrimRight(old, "\n")); blank > 1 {
		text += strings.Repeat("\n", blank-1)
	}
	return text
}

// lostSections names the subsections of a section that a text does not have.
func lostSections(src *Source, s Section, text string) string {
	kept := map[string]int{}
	for _, n := range newSource(text).Sections() {
		if n.Level > 0 {
			kept[sectionKey(n.Path[len(n.Path)-1])]++
		}
	}
	var lost []string
	for _, sub := range src.Sections() {
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

// A StaleEdit is the conflict of an edit that would overwrite what has changed
// since it was read: Base, Theirs and Yours of the conflict are the texts of
// what it overwrites.
type StaleEdit struct {
	*wiki.ConflictError
	Lines Lines // where that is now; zero if it is gone
}

func (e *StaleEdit) Unwrap() error { return e.ConflictError }

// conflict is for what was read, is to be, and has become something else, which
// begins at a line.
func (ed *editing) conflict(base, yours, theirs string, line int) error {
	c := &wiki.ConflictError{
		Path: ed.file.Path, BaseBlob: ed.base.File.Blob, TheirBlob: ed.file.Blob,
		Base: []byte(base), Yours: []byte(yours), Theirs: []byte(theirs),
	}
	for _, x := range merge.Three(c.Base, c.Yours, c.Theirs).Conflicts {
		c.Hunks = append(c.Hunks, wiki.Hunk{
			BaseLine: x.Base.Start + 1, TheirLine: x.Theirs.Start + max(line, 1), YourLine: x.Ours.Start + 1,
			Base: x.BaseText, Theirs: x.TheirsText, Yours: x.OursText,
		})
	}
	stale := &StaleEdit{ConflictError: c}
	if line > 0 {
		stale.Lines = Lines{line, line + max(0, strings.Count(theirs, "\n")-1)}
	}
	return stale
}
