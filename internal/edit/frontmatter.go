package edit

import (
	"fmt"
	"regexp"
	"strings"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

var metaLine = regexp.MustCompile(`^([\pL_][\pL\pN _.-]*):(?:[ \t]+(.*?))?[ \t]*$`)

// setMeta sets keys of the front matter, each with its value on one line.
func (ed *editor) setMeta(e Edit) error {
	if err := ed.requireBase("Setting front matter"); err != nil {
		return err
	}
	baseKeys, keys := frontMatterKeys(ed.Base.Text), frontMatterKeys(ed.Text)
	text := ed.Text
	set := map[string]string{}
	for line := range strings.SplitSeq(strings.Trim(e.Text, "\n"), "\n") {
		m := metaLine.FindStringSubmatch(line)
		if m == nil {
			return wiki.Problemf(wiki.ErrInvalid, "text", "%q isn't “key: value”. Write one key per line, and lists as [a, b].", truncate(line, 100))
		}
		key, value := m[1], m[2]
		was, is := baseKeys[key].text, keys[key].text
		alreadyRemoved := value == "" && is == ""
		if was != is && !alreadyRemoved && strings.TrimSpace(is) != strings.TrimSpace(key+": "+value) {
			return newConflict(was, line+"\n", is, 1)
		}
		text, set[key] = setKey(text, key, value), value
	}
	values, err := markdown.FrontMatter([]byte(text))
	if err != nil {
		return wiki.Problemf(wiki.ErrInvalid, "text", "%s Put the value in quotes.", err)
	}
	for key, value := range set {
		if _, has := values[key]; has != (value != "") {
			return wiki.Problemf(wiki.ErrInvalid, "text", "%q can't be set: the page's front matter writes it in a form that isn't supported. Edit the front matter with replace.", key)
		}
	}
	ed.Document = NewDocument(text)
	return nil
}

// frontMatterEnd returns the offset after a page's front matter, 0 without one.
func frontMatterEnd(text string) int {
	_, rest := markdown.CutFrontMatter([]byte(text))
	return len(text) - len(rest)
}

// keyLines are the lines of a key in the front matter.
type keyLines struct {
	text  string
	start int // offset in the page
}

// frontMatterKeys returns the top-level keys of a front matter with their lines.
// Blank lines and comments between two keys belong to neither.
func frontMatterKeys(text string) map[string]keyLines {
	front, _ := markdown.CutFrontMatter([]byte(text))
	offset := strings.IndexByte(text, '\n') + 1 // after the opening "---"
	keys, key, between := map[string]keyLines{}, "", ""
	for line := range strings.Lines(string(front)) {
		name, _, ok := strings.Cut(line, ":")
		switch {
		case ok && name != "" && !strings.ContainsAny(name[:1], " \t-#"):
			key, between = strings.Trim(name, `"' `), ""
			k, seen := keys[key]
			if !seen {
				k.start = offset
			}
			keys[key] = keyLines{k.text + line, k.start}
		case strings.TrimSpace(line) == "" || line[0] == '#':
			between += line
		case key != "":
			k := keys[key]
			keys[key] = keyLines{k.text + between + line, k.start}
			between = ""
		}
		offset += len(line)
	}
	return keys
}

// setKey sets a key of the front matter, or removes it if value is empty.
func setKey(text, key, value string) string {
	line := ""
	if value != "" {
		line = fmt.Sprintf("%s: %s\n", key, value)
	}
	end := frontMatterEnd(text)
	old := frontMatterKeys(text)[key]
	switch {
	case end == 0 && line == "":
		return text
	case end == 0:
		return "---\n" + line + "---\n\n" + strings.TrimLeft(text, "\n")
	case old.text != "" && strings.HasPrefix(text[old.start:], old.text):
		return text[:old.start] + line + text[old.start+len(old.text):]
	case old.text != "":
		return text // the key occurs twice, which isn't valid front matter
	}
	closing := strings.LastIndex(strings.TrimRight(text[:end], "\n"), "\n") + 1
	return text[:closing] + line + text[closing:]
}

// truncate cuts a text to at most n bytes and marks the cut.
func truncate(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}
