package pages

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// append puts a text on the line after the last one that is not blank. A text
// that begins with an empty line is a paragraph of its own.
func (ed *editing) append(e TextEdit) error {
	text, err := newLines(e)
	if err != nil {
		return err
	}
	from, last := 0, ed.Lines()
	if e.Section != "" {
		s, err := ed.Section(e.Section)
		if err != nil {
			return err
		}
		from, last = ed.offset(s.StartLine), s.EndLine
	}
	at := ed.offset(lastWritten(ed.Source, last) + 1)
	if strings.TrimSpace(ed.Text[:at]) == "" {
		ed.splice(0, len(ed.Text), strings.TrimLeft(text, "\n"))
		return nil
	}
	before := ed.Text[from:at]
	if !strings.HasSuffix(before, "\n") {
		before += "\n"
		text = "\n" + text
	}
	if own := strings.Trim(text, "\n"); strings.HasSuffix("\n"+before, "\n"+own+"\n") {
		return nil
	}
	if rest := ed.Text[at:]; rest != "" && rest[0] != '\n' {
		text += "\n" // a heading follows
	}
	ed.splice(at, at, text)
	return nil
}

// newLines is the text of an edit that adds lines, ended.
func newLines(e TextEdit) (string, error) {
	if strings.TrimSpace(e.Text) == "" {
		return "", wiki.Problemf(wiki.ErrInvalid, "text", `"text" is empty: it is what is to be added.`)
	}
	return strings.TrimRight(e.Text, "\n") + "\n", nil
}

// prepend puts a text before the first line that is not blank, after front
// matter or heading. A text that ends with an empty line keeps that.
func (ed *editing) prepend(e TextEdit) error {
	text, err := newLines(e)
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
		from, to = ed.offset(s.StartLine+headingLines(ed.Source, s)), ed.offset(s.EndLine+1)
	}
	body := ed.Text[from:to]
	gap := len(body) - len(strings.TrimLeft(body, "\n"))
	if gap == len(body) { // nothing stands there yet
		e.Op = Append
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

// insertAfter puts a text on the line after one that has the old text, or, as a
// block of its own, after a whole section.
func (ed *editing) insertAfter(e TextEdit) error {
	text, err := newLines(e)
	if err != nil {
		return err
	}
	if e.Old == "" && e.Section == "" {
		return wiki.Problemf(wiki.ErrInvalid, "old", `insert_after needs "old", the text after whose line to insert, or "section".`)
	}
	from, to, err := ed.scope(e.Section)
	if err != nil {
		return err
	}
	if e.Old == "" {
		at := ed.offset(lastWritten(ed.Source, ed.line(max(from, to-1))) + 1)
		block := "\n" + strings.TrimLeft(text, "\n")
		if at > 0 && ed.Text[at-1] != '\n' {
			block = "\n" + block
		}
		rest := ed.Text[at:]
		if strings.HasPrefix(strings.TrimLeft(rest, "\n"), strings.Trim(text, "\n")+"\n") {
			return nil
		}
		if rest != "" && rest[0] != '\n' {
			block += "\n"
		}
		ed.splice(at, at, block)
		return nil
	}
	return ed.insertAfterText(e, text, from, to)
}

func (ed *editing) insertAfterText(e TextEdit, text string, from, to int) error {
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
	at, err := ed.once(TextEdit{Old: e.Old, Section: e.Section}, within, from)
	if err != nil {
		return err
	}
	end := ed.lineEnd(from + at + len(e.Old))
	if end > 0 && ed.Text[end-1] != '\n' {
		text = "\n" + strings.TrimSuffix(text, "\n")
	}
	ed.splice(end, end, text)
	return nil
}

// lineEnd is where the line ends in which a text ends.
func (ed *editing) lineEnd(at int) int {
	if at > 0 && ed.Text[at-1] == '\n' {
		return at
	}
	if i := strings.IndexByte(ed.Text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(ed.Text)
}

// frontMatterEnd is the offset after a page's front matter, 0 without one.
func frontMatterEnd(text string) int {
	_, rest := markdown.CutFrontMatter([]byte(text))
	return len(text) - len(rest)
}

var metaLine = regexp.MustCompile(`^([\pL_][\pL\pN _.-]*):(?:[ \t]+(.*?))?[ \t]*$`)

// setMeta sets keys of the front matter, each with its value on one line.
func (ed *editing) setMeta(e TextEdit) error {
	if err := ed.mustKnow("Setting front matter"); err != nil {
		return err
	}
	was, isNow := frontKeys(ed.base.Text), frontKeys(ed.Text)
	text := ed.Text
	set := map[string]string{}
	for line := range strings.SplitSeq(strings.Trim(e.Text, "\n"), "\n") {
		m := metaLine.FindStringSubmatch(line)
		if m == nil {
			return wiki.Problemf(wiki.ErrInvalid, "text", "%q is not “key: value”. Write one key a line; lists as [a, b].", clip(line, 100))
		}
		key, value := m[1], m[2]
		gone := value == "" && isNow[key] == ""
		if was[key] != isNow[key] && !gone && strings.TrimSpace(isNow[key]) != strings.TrimSpace(key+": "+value) {
			return ed.conflict(was[key], line+"\n", isNow[key], 1)
		}
		text, set[key] = setKey(text, key, value), value
	}
	props, err := markdown.FrontMatter([]byte(text))
	if err != nil {
		return wiki.Problemf(wiki.ErrInvalid, "text", "%s Put the value in quotes.", err)
	}
	for key, value := range set {
		if _, has := props[key]; has != (value != "") {
			return wiki.Problemf(wiki.ErrInvalid, "text", "%q could not be set: the page's front matter has it in a form that is not understood here.", key)
		}
	}
	ed.set(text)
	return nil
}

// frontKeys are the top keys of a front matter with the lines they take.
func frontKeys(text string) map[string]string {
	front, _ := markdown.CutFrontMatter([]byte(text))
	keys, key := map[string]string{}, ""
	for line := range bytes.Lines(front) {
		name, _, ok := strings.Cut(string(line), ":")
		if ok && name != "" && !strings.ContainsAny(name[:1], " \t-#") {
			key = strings.Trim(name, `"' `)
		}
		if key != "" {
			keys[key] += string(line)
		}
	}
	return keys
}

// setKey gives a key of the front matter a value, or takes it away.
func setKey(text, key, value string) string {
	line := ""
	if value != "" {
		line = fmt.Sprintf("%s: %s\n", key, value)
	}
	end := frontMatterEnd(text)
	old := frontKeys(text)[key]
	switch {
	case end == 0 && line == "":
		return text
	case end == 0:
		return "---\n" + line + "---\n\n" + strings.TrimLeft(text, "\n")
	case old != "":
		return strings.Replace(text[:end], old, line, 1) + text[end:]
	}
	close := strings.LastIndex(strings.TrimRight(text[:end], "\n"), "\n") + 1
	return text[:close] + line + text[close:]
}

// clip shortens a text to some bytes for an answer.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

// nearest finds the line that is most like a text's longest line: its number
// in text from 1, 0 if none is.
func nearest(text, old string) (int, string) {
	want := ""
	for line := range strings.SplitSeq(old, "\n") {
		if t := strings.TrimSpace(line); len(t) > len(want) {
			want = t
		}
	}
	pairs := pairsOf(want)
	best, at, found := 0.5, 0, ""
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		if n++; n > maxCompared {
			break
		}
		if score := alike(pairs, pairsOf(strings.TrimSpace(line))); score > best {
			best, at, found = score, n, line
		}
	}
	return at, clip(found, 300)
}

const maxCompared = 20_000 // lines

// pairsOf counts the pairs of neighbouring bytes in a line, its first 300.
func pairsOf(line string) map[[2]byte]int {
	line = clip(line, 300)
	pairs := make(map[[2]byte]int, len(line))
	for i := 1; i < len(line); i++ {
		pairs[[2]byte{line[i-1], line[i]}]++
	}
	return pairs
}

// alike is Dice's coefficient: twice what both have, over what they have.
func alike(a, b map[[2]byte]int) float64 {
	both, all := 0, 0
	for p, n := range a {
		both += min(n, b[p])
		all += n
	}
	for _, n := range b {
		all += n
	}
	if all == 0 {
		return 0
	}
	return 2 * float64(both) / float64(all)
}
