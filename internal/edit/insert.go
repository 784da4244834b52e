package edit

import (
	"regexp"
	"strings"

	"robot.wtf/internal/wiki"
)

// append inserts a text after the last nonblank line of the page or a section: as a
// block of its own, unless it continues the last block.
func (ed *editor) append(e Edit) error {
	text, err := insertedText(e)
	if err != nil {
		return err
	}
	_, end, err := ed.appendPlace(e.Section)
	if err != nil {
		return err
	}
	if strings.TrimSpace(ed.Text[:end]) == "" {
		if ed.alreadyInserted(func(doc *Document) bool { return strings.Trim(doc.Text, "\n") == text }) {
			return nil
		}
		ed.splice(0, len(ed.Text), text+"\n")
		return nil
	}
	if ed.alreadyInserted(func(doc *Document) bool {
		from, end, err := doc.appendPlace(e.Section)
		return err == nil && strings.HasSuffix("\n"+strings.TrimRight(doc.Text[from:end], "\n"), "\n"+text)
	}) {
		return nil
	}
	return ed.insertBlock(end, text, false, strings.HasPrefix(e.Text, "\n"))
}

// appendPlace returns the offsets of the page or a section without its subsections:
// of its start, and after its last nonblank line.
func (doc *Document) appendPlace(section string) (from, end int, err error) {
	last := doc.Lines()
	if section != "" {
		s, err := doc.Section(section)
		if err != nil {
			return 0, 0, err
		}
		from, last = doc.lineStart(s.StartLine), s.EndLine
	}
	return from, doc.lineStart(doc.lastNonBlank(last) + 1), nil
}

// insertedText returns the text that an edit inserts, without blank lines around it.
func insertedText(e Edit) (string, error) {
	if strings.TrimSpace(e.Text) == "" {
		return "", wiki.Problemf(wiki.ErrInvalid, "text", `"text" is empty. Send the text to add.`)
	}
	return strings.Trim(e.Text, "\n"), nil
}

// prepend inserts a text before the first nonblank line, after front matter or the
// section's heading: as a block of its own, unless the first block continues it.
func (ed *editor) prepend(e Edit) error {
	text, err := insertedText(e)
	if err != nil {
		return err
	}
	at, ok, err := ed.prependPlace(e.Section)
	if err != nil {
		return err
	}
	if !ok {
		return ed.append(e)
	}
	if ed.alreadyInserted(func(doc *Document) bool {
		at, _, err := doc.prependPlace(e.Section)
		return err == nil && strings.HasPrefix(doc.Text[at:]+"\n", text+"\n")
	}) {
		return nil
	}
	return ed.insertBlock(at, text, true, strings.HasSuffix(e.Text, "\n\n"))
}

// prependPlace returns the offset of the first nonblank line of the page or a
// section; ok is false if there is none.
func (doc *Document) prependPlace(section string) (at int, ok bool, err error) {
	from, to := frontMatterEnd(doc.Text), len(doc.Text)
	if section != "" {
		s, err := doc.Section(section)
		if err != nil {
			return 0, false, err
		}
		from, to = doc.lineStart(s.StartLine+headingLines(doc, s)), doc.lineStart(s.EndLine+1)
	}
	for line := doc.lineAt(from); doc.lineStart(line) < to; line++ {
		if strings.TrimSpace(doc.Slice(line, line)) != "" {
			return max(from, doc.lineStart(line)), true, nil
		}
	}
	return to, false, nil
}

// insertAfter inserts a text on the line after the old text, or as a block after
// a whole section.
func (ed *editor) insertAfter(e Edit) error {
	text, err := insertedText(e)
	if err != nil {
		return err
	}
	if e.Old == "" && e.Section == "" {
		return wiki.Problemf(wiki.ErrInvalid, "old", `insert_after needs "old", the text to insert after, or "section".`)
	}
	if e.Old != "" {
		return ed.insertAfterText(e)
	}
	place := func(doc *Document) (int, error) {
		from, to, err := doc.scope(e.Section)
		return doc.lineStart(doc.lastNonBlank(doc.lineAt(max(from, to-1))) + 1), err
	}
	end, err := place(ed.Document)
	if err != nil {
		return err
	}
	if ed.alreadyInserted(func(doc *Document) bool {
		end, err := place(doc)
		return err == nil && strings.HasPrefix(strings.TrimLeft(doc.Text[end:], "\n")+"\n", text+"\n")
	}) {
		return nil
	}
	return ed.insertBlock(end, text, false, strings.HasPrefix(e.Text, "\n"))
}

func (ed *editor) insertAfterText(e Edit) error {
	text := strings.TrimRight(e.Text, "\n") + "\n"
	from, to, err := ed.scope(e.Section)
	if err != nil {
		return err
	}
	if ed.alreadyInserted(func(doc *Document) bool { return doc.hasAfter(e, text) }) {
		return nil
	}
	old, found, err := ed.findOld(e, from, to)
	switch {
	case err != nil:
		return err
	case !found:
		return ed.notFound(e, from, to)
	}
	end := ed.lineEnd(old.to)
	line := ed.lineAt(max(end-1, 0))
	if own := strings.TrimLeft(text, "\n"); continuesLine(ed.Slice(line, line), own) {
		text = own
	}
	if end > 0 && ed.Text[end-1] != '\n' {
		text = "\n" + strings.TrimSuffix(text, "\n")
	}
	ed.splice(end, end, text)
	return nil
}

var lineMarker = regexp.MustCompile(`^[ \t]*([-*+] |[0-9]{1,9}[.)] |\|)`)

// continuesLine reports whether a text continues the list or table of a line, so that
// a blank line between them would end it.
func continuesLine(line, text string) bool {
	a, b := lineMarker.FindStringSubmatch(line), lineMarker.FindStringSubmatch(text)
	if a == nil || b == nil {
		return false
	}
	last := func(marker string) string { return strings.TrimLeft(marker, "0123456789") }
	return last(a[1]) == last(b[1])
}

// hasAfter reports whether a text follows any line with an edit's old text.
func (doc *Document) hasAfter(e Edit, text string) bool {
	from, to, err := doc.scope(e.Section)
	if err != nil {
		return false
	}
	for at := from; ; at++ {
		i := strings.Index(doc.Text[at:to], e.Old)
		if i < 0 {
			return false
		}
		at += i
		if end := doc.lineEnd(at + len(e.Old)); strings.HasPrefix(doc.Text[end:], text) || doc.Text[end:]+"\n" == text {
			return true
		}
	}
}
