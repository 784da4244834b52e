package edit

import (
	"strings"

	"robot.wtf/internal/merge"
)

// A span is a range of offsets in a text.
type span struct{ from, to int }

// wasReplaced reports whether a text that the writer read, or that the page had
// since, was replaced as the edit asks. Of several such texts the newest counts.
func (ed *editor) wasReplaced(e Edit) (bool, error) {
	if ed.Base == nil {
		return false, nil
	}
	if ed.Since != nil {
		for text, err := range ed.Since {
			if err != nil {
				return false, err
			}
			if strings.Contains(text, e.Old) && !onlyWithin(text, e.Old, e.Text) {
				return ed.replacedIn(NewDocument(text), e), nil
			}
		}
	}
	if strings.Contains(ed.Base.Text, e.Old) && !onlyWithin(ed.Base.Text, e.Old, e.Text) {
		return ed.replacedIn(ed.Base, e), nil
	}
	return false, nil
}

// replacedIn reports whether the old text of an edit occurs in an earlier document
// as the edit requires, and the page now has the new text there.
func (ed *editor) replacedIn(earlier *Document, e Edit) bool {
	from, to, err := earlier.scope(e.Section)
	if err != nil {
		return false
	}
	lines := alignLines(earlier.Text, ed.Page.Text)
	found := 0
	for at := from; ; at += len(e.Old) {
		i := strings.Index(earlier.Text[at:to], e.Old)
		if i < 0 {
			return found == 1 || found > 1 && e.All
		}
		at += i
		if found++; found > maxPlaces || !lines.inPlace(span{at, at + len(e.Old)}, e.Text) {
			return false
		}
	}
}

// maxPlaces bounds the places that are compared one by one.
const maxPlaces = 20

// An alignment relates the lines of an old text to those of a new one.
type alignment struct {
	old     string
	lines   []string // of the new text
	origins []int    // for each, its number in the old text, or 0
}

func alignLines(old, now string) alignment {
	return alignment{old, strings.SplitAfter(now, "\n"), merge.Origins([]byte(old), []byte(now))}
}

// inPlace reports whether the new text has a replacement where the old text has
// part: between the lines before and after those of the part.
func (a alignment) inPlace(part span, replacement string) bool {
	first := 1 + strings.Count(a.old[:part.from], "\n")
	last := first + strings.Count(strings.TrimSuffix(a.old[part.from:part.to], "\n"), "\n")
	from, to := 0, len(a.lines)
	for i, origin := range a.origins {
		if origin > 0 && origin < first {
			from = i + 1
		}
		if origin > last {
			to = i
			break
		}
	}
	there := strings.Join(a.lines[from:max(from, to)], "")
	if !strings.HasSuffix(there, "\n") {
		there += "\n"
	}
	return strings.Contains(there, replacement)
}

// alreadyInserted reports whether a document that already has an inserted text in
// its place makes the insertion unnecessary, and sets the state. A writer who read
// the page with the text wants it once more.
func (ed *editor) alreadyInserted(isThere func(doc *Document) bool) bool {
	switch {
	case !isThere(ed.Page):
		return false // or it is only there because of this request
	case ed.Base == nil:
		ed.state = Present
	case isThere(ed.Base):
		return false
	default:
		ed.state = Applied
	}
	return true
}
