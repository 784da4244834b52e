package edit

import (
	"strings"

	"robot.wtf/internal/wiki"
)

// append inserts a text after the last nonblank line. A text that begins with an
// empty line becomes a paragraph of its own.
func (ed *editor) append(e Edit) error {
	text, err := insertedLines(e)
	if err != nil {
		return err
	}
	from, last := 0, ed.Lines()
	if e.Section != "" {
		s, err := ed.Section(e.Section)
		if err != nil {
			return err
		}
		from, last = ed.lineStart(s.StartLine), s.EndLine
	}
	end := ed.lineStart(ed.lastNonBlank(last) + 1)
	if strings.TrimSpace(ed.Text[:end]) == "" {
		ed.splice(0, len(ed.Text), strings.TrimLeft(text, "\n"))
		return nil
	}
	before := ed.Text[from:end]
	if !strings.HasSuffix(before, "\n") {
		before += "\n"
		text = "\n" + text
	}
	if own := strings.Trim(text, "\n"); strings.HasSuffix("\n"+before, "\n"+own+"\n") {
		return nil
	}
	if rest := ed.Text[end:]; rest != "" && rest[0] != '\n' {
		text += "\n" // before a heading
	}
	ed.splice(end, end, text)
	return nil
}

// insertedLines returns the text that an edit inserts, with a final newline.
func insertedLines(e Edit) (string, error) {
	if strings.TrimSpace(e.Text) == "" {
		return "", wiki.Problemf(wiki.ErrInvalid, "text", `"text" is empty. Send the text to add.`)
	}
	return strings.TrimRight(e.Text, "\n") + "\n", nil
}

// prepend inserts a text before the first nonblank line, after front matter or
// the section's heading. A blank line at the text's end is kept.
func (ed *editor) prepend(e Edit) error {
	text, err := insertedLines(e)
	if err != nil {
		return err
	}
	if strings.HasSuffix(e.Text, "\n\n") {
		text += "\n"
	}
	text = strings.TrimLeft(text, "\n")
	from, to := frontMatterEnd(ed.Text), len(ed.Text)
	if e.Section != "" {
		s, err := ed.Section(e.Section)
		if err != nil {
			return err
		}
		from, to = ed.lineStart(s.StartLine+headingLines(ed.Document, s)), ed.lineStart(s.EndLine+1)
	}
	body := ed.Text[from:to]
	gap := len(body) - len(strings.TrimLeft(body, "\n"))
	if gap == len(body) {
		return ed.append(e)
	}
	body = body[gap:]
	if strings.HasPrefix(body, strings.TrimRight(text, "\n")+"\n") {
		return nil
	}
	if strings.HasPrefix(body, "#") && !strings.HasSuffix(text, "\n\n") {
		text += "\n"
	}
	ed.splice(from+gap, from+gap, text)
	return nil
}

// insertAfter inserts a text on the line after the old text, or as a block after
// a whole section.
func (ed *editor) insertAfter(e Edit) error {
	text, err := insertedLines(e)
	if err != nil {
		return err
	}
	if e.Old == "" && e.Section == "" {
		return wiki.Problemf(wiki.ErrInvalid, "old", `insert_after needs "old", the text to insert after, or "section".`)
	}
	from, to, err := ed.scope(e.Section)
	if err != nil {
		return err
	}
	if e.Old != "" {
		return ed.insertAfterText(e, text, from, to)
	}
	end := ed.lineStart(ed.lastNonBlank(ed.lineAt(max(from, to-1))) + 1)
	block := "\n" + strings.TrimLeft(text, "\n")
	if end > 0 && ed.Text[end-1] != '\n' {
		block = "\n" + block
	}
	rest := ed.Text[end:]
	if strings.HasPrefix(strings.TrimLeft(rest, "\n"), strings.Trim(text, "\n")+"\n") {
		return nil
	}
	if rest != "" && rest[0] != '\n' {
		block += "\n"
	}
	ed.splice(end, end, block)
	return nil
}

func (ed *editor) insertAfterText(e Edit, text string, from, to int) error {
	within := ed.Text[from:to]
	for i := strings.Index(within, e.Old); i >= 0; {
		if end := ed.lineEnd(from + i + len(e.Old)); strings.HasPrefix(ed.Text[end:]+"\n", text) {
			return nil
		}
		next := strings.Index(within[i+1:], e.Old)
		if next < 0 {
			break
		}
		i += 1 + next
	}
	i, err := ed.findOnce(Edit{Old: e.Old, Section: e.Section}, within, from)
	if err != nil {
		return err
	}
	end := ed.lineEnd(from + i + len(e.Old))
	if end > 0 && ed.Text[end-1] != '\n' {
		text = "\n" + strings.TrimSuffix(text, "\n")
	}
	ed.splice(end, end, text)
	return nil
}
