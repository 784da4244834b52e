package edit

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// maxHeadingLevel is the lowest level of headings (CommonMark 4.2).
const maxHeadingLevel = 6

// TakeSection takes a section with its subsections out of doc and puts left in its
// place, which may be "". The section must be as in base, and seen must have all of
// it: else *Conflict or ErrPreconditionRequired.
func TakeSection(doc, base *Document, seen *Lines, section, left string) (rest *Document, taken string, err error) {
	if base == nil {
		return nil, "", wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "Moving a section requires the revision you read. Read the section, then send its revision.")
	}
	read, err := base.Section(section)
	if err != nil {
		return nil, "", err
	}
	if err := base.requireRead(read, seen, section); err != nil {
		return nil, "", err
	}
	now, err := doc.Section(section)
	if err != nil {
		return nil, "", err
	}
	was, is := base.Slice(read.StartLine, read.DeepEnd), doc.Slice(now.StartLine, now.DeepEnd)
	if strings.TrimSpace(was) != strings.TrimSpace(is) {
		return nil, "", newConflict(was, "", is, now.StartLine)
	}
	before, after := doc.Text[:doc.lineStart(now.StartLine)], doc.Text[doc.lineStart(now.DeepEnd+1):]
	if left = strings.Trim(Normalize([]byte(left)), "\n"); left != "" {
		before += left + "\n"
		if after != "" {
			before += "\n"
		}
	}
	if after == "" {
		before = strings.TrimRight(before, "\n") + "\n"
	}
	return NewDocument(strings.TrimPrefix(before, "\n") + after), strings.TrimRight(is, "\n") + "\n", nil
}

// AddSection adds a text that begins with a heading at the end of doc, or of one of
// its sections. The headings get the levels that fit there: in an empty document the
// first one becomes the title.
func AddSection(doc *Document, under, text string) (*Document, error) {
	switch {
	case strings.TrimSpace(doc.Text) == "":
		return NewDocument(shiftHeadings(text, 1)), nil
	case under == "":
		return doc.addSection(doc.Lines(), 2, text), nil
	}
	s, err := doc.Section(under)
	if err != nil {
		return nil, err
	}
	return doc.addSection(s.DeepEnd, s.Level+1, text), nil
}

// addSection adds a text that begins with a heading after a line. Its highest heading
// gets a level.
func (doc *Document) addSection(end, level int, text string) *Document {
	at := doc.lineStart(doc.lastNonBlank(end) + 1)
	before, after := strings.TrimRight(doc.Text[:at], "\n")+"\n\n", doc.Text[at:]
	text = strings.TrimRight(shiftHeadings(text, min(level, maxHeadingLevel)), "\n") + "\n"
	if after = strings.TrimLeft(after, "\n"); after != "" {
		text += "\n"
	}
	return NewDocument(before + text + after)
}

// MergePage adds another page's text at the end of doc, under a heading with its
// title. Keys of its front matter that doc lacks are added to doc's, and so are items
// of lists; lost has other keys that doc has with another value. It fails if one of the
// two can't be read.
func MergePage(doc *Document, title, text string) (merged *Document, lost []string, err error) {
	front, lost, err := mergeFrontMatter(doc, NewDocument(text))
	if err != nil {
		return nil, nil, err
	}
	doc = NewDocument(front)
	body := strings.Trim(text[frontMatterEnd(text):], "\n")
	other := NewDocument(body)
	if s := other.Sections(); len(s) > 1 && s[1].Level == 1 && s[1].StartLine == 1 && s[1].DeepEnd == other.Lines() {
		body = strings.Trim(other.Slice(1+headingLines(other, s[1]), other.Lines()), "\n")
		title = s[1].Path[0]
	}
	switch {
	case body == "":
		return doc, lost, nil
	case strings.TrimSpace(doc.Text[frontMatterEnd(doc.Text):]) == "":
		return NewDocument(doc.Text + "# " + title + "\n\n" + body + "\n"), lost, nil
	}
	return doc.addSection(doc.Lines(), 2, "# "+title+"\n\n"+shiftHeadings(body, 2)+"\n"), lost, nil
}

// mergeFrontMatter returns doc's text with those keys of another page's front matter
// that it lacks, byte for byte, and with united lists.
func mergeFrontMatter(doc, other *Document) (merged string, lost []string, err error) {
	theirs, theirValues, err := other.frontMatter()
	if err != nil {
		return "", nil, err
	}
	_, values, err := doc.frontMatter()
	if err != nil {
		return "", nil, err
	}
	text := doc.Text
	var added strings.Builder
	want := map[string]any{}
	for i, k := range theirs.root.keys {
		mine, has := values[k.name]
		switch {
		case !has:
			end := len(theirs.text)
			if i+1 < len(theirs.root.keys) {
				end = theirs.root.keys[i+1].from
			}
			added.WriteString(theirs.text[k.from:end]) // with the comments below it
			want[k.name] = theirValues[k.name]
		case !reflect.DeepEqual(mine, theirValues[k.name]):
			united, ok := uniteLists(text, values, k, theirValues[k.name])
			if ok {
				text = united
			} else {
				lost = append(lost, k.name)
			}
		}
	}
	switch {
	case added.Len() == 0:
		return text, lost, nil
	case frontMatterEnd(doc.Text) == 0:
		return other.Text[:frontMatterEnd(other.Text)] + doc.Text, nil, nil
	}
	maps.Copy(want, values)
	front, _ := markdown.CutFrontMatter([]byte(text))
	merged = replaceFrontMatter(text, string(front)+added.String())
	now, err := markdown.FrontMatter([]byte(merged))
	if err != nil || !reflect.DeepEqual(now, want) {
		return "", nil, wiki.Problemf(wiki.ErrInvalid, "text", "The front matter of the two pages can't be joined. Change one of them with replace. Nothing was changed.")
	}
	return merged, lost, nil
}

// uniteLists adds the items of another page's list to the list of the same key in a
// page's front matter, and to values, the page's. It fails if one of the two isn't a
// list of scalars on one line each.
func uniteLists(text string, values map[string]any, theirs *yamlKey, theirItems any) (united string, ok bool) {
	page, _, err := NewDocument(text).frontMatter()
	if err != nil {
		return "", false
	}
	have, isList := values[theirs.name].([]any)
	more, areList := theirItems.([]any)
	mine, _, _ := page.find([]string{theirs.name})
	if !isList || !areList || mine == nil || mine.list == nil || theirs.list == nil || len(more) != len(theirs.list.items) {
		return "", false
	}
	var items []string
	all := slices.Clone(have)
	for i, item := range more {
		if !slices.ContainsFunc(all, func(v any) bool { return reflect.DeepEqual(v, item) }) {
			all, items = append(all, item), append(items, theirs.list.items[i])
		}
	}
	if len(items) == 0 {
		return text, true
	}
	want := maps.Clone(values)
	want[theirs.name] = all
	united = replaceFrontMatter(text, page.addItems(mine.list, items))
	now, err := markdown.FrontMatter([]byte(united))
	if err != nil || !reflect.DeepEqual(now, want) || !hasBody(united, text[frontMatterEnd(text):]) {
		return "", false
	}
	values[theirs.name] = all
	return united, true
}

// shiftHeadings changes the levels of a text's headings so that the highest becomes
// level top. Underlined headings become ones with #.
func shiftHeadings(text string, top int) string {
	doc := NewDocument(text)
	highest := maxHeadingLevel + 1
	for _, s := range doc.Sections() {
		if s.Level > 0 {
			highest = min(highest, s.Level)
		}
	}
	by := top - highest
	if highest > maxHeadingLevel || by == 0 {
		return text
	}
	var b strings.Builder
	done := 0
	for _, s := range doc.Sections() {
		if s.Level == 0 {
			continue
		}
		from, n := doc.lineStart(s.StartLine), headingLines(doc, s)
		to := doc.lineStart(s.StartLine + n)
		b.WriteString(text[done:from])
		b.WriteString(atxHeading(text[from:to], s.Level, min(s.Level+by, maxHeadingLevel), n))
		done = to
	}
	return b.String() + text[done:]
}

// atxHeading rewrites a heading of some lines as one with # (CommonMark 4.2).
func atxHeading(heading string, level, to, lines int) string {
	marks := strings.Repeat("#", to)
	if lines > 1 {
		text := strings.Split(strings.TrimRight(heading, "\n"), "\n")
		for i := range text {
			text[i] = strings.TrimSpace(text[i])
		}
		title := strings.Join(text[:lines-1], " ")
		if strings.HasSuffix(title, "#") {
			title += " " + marks // else the title's own would count as closing marks
		}
		return marks + " " + title + "\n"
	}
	indent := len(heading) - len(strings.TrimLeft(heading, " "))
	return marks + heading[indent+level:]
}
