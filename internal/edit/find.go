package edit

import (
	"fmt"
	"strings"

	"robot.wtf/internal/wiki"
)

// FindOnce returns the offset of the only occurrence of old in text. ErrInvalid
// if there is none or more than one, or if the replacement is the same.
func FindOnce(text, old, replacement string) (int, error) {
	switch {
	case old == "":
		return 0, wiki.Problemf(wiki.ErrInvalid, "old_string", "The text to replace is empty.")
	case old == replacement:
		return 0, wiki.Problemf(wiki.ErrInvalid, "new_string", "The new text is the same as the old text.")
	}
	first := strings.Index(text, old)
	if first < 0 {
		return 0, notFound("old_string", "the page", text, old, 1)
	}
	if strings.Contains(text[first+1:], old) {
		return 0, wiki.Problemf(wiki.ErrInvalid, "old_string", "The text to replace occurs more than once, on lines %s. Include more of the surrounding text.", listLines(text, old, 1))
	}
	return first, nil
}

// findOld finds the only occurrence of an edit's old text in a range of the page:
// exactly, or with the differences that fold ignores.
func (ed *editor) findOld(e Edit, from, to int) (old span, found bool, err error) {
	within := ed.Text[from:to]
	if i := strings.Index(within, e.Old); i >= 0 {
		if strings.Contains(within[i+1:], e.Old) {
			return span{}, false, wiki.Problemf(wiki.ErrInvalid, "old", "The text occurs more than once, on lines %s. Include more of the surrounding text, name the section, or set all.", listLines(within, e.Old, ed.lineAt(from)))
		}
		return span{from + i, from + i + len(e.Old)}, true, nil
	}
	p, places := findFolded(within, e.Old)
	if places != 1 {
		return span{}, false, nil
	}
	ed.ignored = ignoredBetween(within[p.from:p.to], e.Old)
	return span{from + p.from, from + p.to}, true, nil
}

// checkReplaced is for an old text that doesn't occur. It sets the state if the edit
// was already made, else it returns an error that names the nearest text.
func (ed *editor) checkReplaced(e Edit, from, to int) error {
	done, err := ed.wasReplaced(e)
	if done {
		ed.state = Applied
	}
	if done || err != nil {
		return err
	}
	return ed.notFound(e, from, to)
}

// minDistinctive is the length below which finding a text proves nothing.
const minDistinctive = 4 // bytes

// notFound returns the error for an edit whose old text isn't in its range.
func (ed *editor) notFound(e Edit, from, to int) error {
	within := ed.Text[from:to]
	where := "the page"
	if e.Section != "" {
		where = "this section"
		if i := strings.Index(ed.Text, e.Old); i >= 0 {
			return wiki.Problemf(wiki.ErrInvalid, "old", "The text isn't in section %q but on line %d.", e.Section, ed.lineAt(i))
		}
	}
	err := notFound("old", where, within, e.Old, ed.lineAt(from))
	if len(strings.TrimSpace(e.Text)) >= minDistinctive && strings.Count(within, e.Text) == 1 {
		return wiki.Problemf(wiki.ErrInvalid, "old", "%s The new text is already on line %d.", err, ed.lineAt(from+strings.Index(within, e.Text)))
	}
	return err
}

// notFound returns the error for a text that isn't in another one, which begins on
// a line of the page. It names what would match with other characters, or the
// nearest text and the first difference.
func notFound(field, where, text, old string, line int) error {
	own := wiki.Own(where)
	if p, places := findFolded(text, old); places > 1 {
		return wiki.Problemf(wiki.ErrInvalid, field, "The text isn't in %s exactly, but more than once with other %s, first on line %d. Copy more of the text, as it is.",
			own, wiki.Own(List(ignoredBetween(text[p.from:p.to], old))), line+strings.Count(text[:p.from], "\n"))
	}
	near, ok := nearest(text, old)
	switch {
	case !ok:
		return wiki.Problemf(wiki.ErrInvalid, field, "The text isn't in %s, and neither is anything similar. Read the page again.", own)
	case near.difference == "":
		return wiki.Problemf(wiki.ErrInvalid, field, "The text isn't in %s. It must match exactly. The most similar text is on line %d: %s", own, near.line+line-1, near.text)
	}
	return wiki.Problemf(wiki.ErrInvalid, field, "The text isn't in %s. It must match exactly. The most similar text is on line %d, with %s: %s", own, near.line+line-1, wiki.Own(near.difference), near.text)
}

// listLines lists the lines where old begins, at most ten. The first line of text
// has the number first.
func listLines(text, old string, first int) string {
	var lines []string
	for from := 0; len(lines) < 10; {
		i := strings.Index(text[from:], old)
		if i < 0 {
			break
		}
		from += i + 1
		lines = append(lines, fmt.Sprint(first+strings.Count(text[:from-1], "\n")))
	}
	return strings.Join(lines, ", ")
}
