package edit

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// setMeta sets keys of the front matter to the values of a YAML mapping, and removes
// those without a value.
func (ed *editor) setMeta(e Edit) error {
	given, values, err := readMeta(e.Text)
	if err != nil {
		return err
	}
	text := ed.Text
	for _, k := range given.root.keys {
		if text, err = ed.setKey(text, given, k, values[k.name]); err != nil {
			return err
		}
	}
	ed.Document = NewDocument(text)
	return nil
}

// readMeta parses the text of a SetMeta.
func readMeta(text string) (*yamlText, map[string]any, error) {
	text = strings.Trim(text, "\n") + "\n"
	page := "---\n" + text + "---\n"
	values, err := markdown.FrontMatter([]byte(page))
	if err != nil {
		return nil, nil, wiki.Problemf(wiki.ErrInvalid, "text", "%s Write one “key: value” per line, and values with a colon, a # or a bracket in quotes.", err)
	}
	y, err := parseYAML(text)
	switch {
	case frontMatterEnd(page) != len(page) || err != nil || y.root.flow || y.root.indent > 0 || len(y.root.keys) == 0:
		return nil, nil, wiki.Problemf(wiki.ErrInvalid, "text", "%q isn't “key: value”. Write one key per line, and lists as [a, b] or as lines “- a” below the key.", truncate(strings.TrimSpace(text), 100))
	}
	return y, values, nil
}

// frontMatter returns the front matter of a page as YAML, and its values.
func (doc *Document) frontMatter() (*yamlText, map[string]any, error) {
	if markdown.IsTOML([]byte(doc.Text)) {
		return nil, nil, wiki.Problemf(wiki.ErrInvalid, "text", "The page's front matter is TOML, between +++ lines. Change it with replace, or write it as YAML between --- lines first. Nothing was changed.")
	}
	values, err := markdown.FrontMatter([]byte(doc.Text))
	if err != nil {
		return nil, nil, wiki.Problemf(wiki.ErrInvalid, "text", "%s Change it with replace. Nothing was changed.", err)
	}
	front, _ := markdown.CutFrontMatter([]byte(doc.Text))
	y, err := parseYAML(string(front))
	if err != nil {
		return nil, nil, wiki.Problemf(wiki.ErrInvalid, "text", "The page's front matter isn't one YAML mapping with simple keys. Change it with replace. Nothing was changed.")
	}
	return y, values, nil
}

// A metaKey is a key to set: by its name, or by its path if the page has no key with
// this name and dots.
type metaKey struct {
	name  string // as it is written
	path  []string
	text  string // the new value as it is written, "" to remove the key
	value any
}

func newMetaKey(page, given *yamlText, k *yamlKey, value any) metaKey {
	m := metaKey{name: k.name, path: []string{k.name}, text: given.value(k), value: value}
	if whole, _, _ := page.find(m.path); whole == nil && !k.quoted {
		if parts := strings.Split(k.name, "."); !strings.Contains("."+k.name+".", "..") {
			m.path = parts
		}
	}
	return m
}

// setKey sets one key of the front matter of a page.
func (ed *editor) setKey(text string, given *yamlText, k *yamlKey, value any) (string, error) {
	doc := NewDocument(text)
	y, before, err := doc.frontMatter()
	if err != nil {
		return "", err
	}
	m := newMetaKey(y, given, k, value)
	key, above, in := y.find(m.path)
	have, exists := valueAt(before, m.path)
	if exists && m.text != "" && reflect.DeepEqual(have, m.value) || !exists && m.text == "" {
		return text, nil
	}
	if err := ed.mayOverwrite(m, y, key); err != nil {
		return "", err
	}
	if n := len(above); key == nil && n > 0 && above[n-1].mapping == nil && !above[n-1].null {
		return "", wiki.Problemf(wiki.ErrInvalid, "text", "%q can't be set: the value of %q is not a mapping of keys to values.", m.name, above[n-1].name)
	}
	now := replaceFrontMatter(text, m.writeTo(y, key, above, in))
	after, err := markdown.FrontMatter([]byte(now))
	if err != nil || !reflect.DeepEqual(after, withValue(before, m)) || !hasBody(now, text[frontMatterEnd(text):]) {
		return "", wiki.Problemf(wiki.ErrInvalid, "text", "%q can't be set: the page's front matter is written in a form that isn't supported here. Change it with replace. Nothing was changed.", m.name)
	}
	return now, nil
}

// hasBody reports whether a page has this text after its front matter.
func hasBody(page, body string) bool {
	return strings.TrimLeft(page[frontMatterEnd(page):], "\n") == strings.TrimLeft(body, "\n")
}

// mayOverwrite fails if a key has another value that the writer hasn't read, or that
// was changed since.
func (ed *editor) mayOverwrite(m metaKey, y *yamlText, key *yamlKey) error {
	is, was, line := "", "", 0
	if key != nil {
		is, line = y.text[key.from:key.to], key.lines.From+1
	}
	if ed.Base == nil {
		if key == nil {
			return nil
		}
		return wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "%q is set already, on line %d: %s. To change it, send the revision you read.", m.name, line, truncate(strings.TrimSpace(is), 200))
	}
	read, _, err := ed.Base.frontMatter()
	if err != nil {
		return err
	}
	old, _, _ := read.find(m.path)
	if old != nil {
		was = read.text[old.from:old.to]
	}
	switch {
	case old != nil && ed.Seen != nil && (old.lines.From+1 < ed.Seen.From || old.lines.To+1 > ed.Seen.To):
		return wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "You haven't read %q, which is set already, on line %d: %s. Read the page's first lines, then send the revision of that result.", m.name, old.lines.From+1, truncate(strings.TrimSpace(was), 200))
	case strings.TrimSpace(was) != strings.TrimSpace(is):
		return newConflict(was, writeKey(m.name, m.text, 0), is, max(line, 1))
	}
	return nil
}

// writeTo returns the front matter with the key set or removed. above are the keys
// of the path that exist, and in is the mapping of the last of them.
func (m metaKey) writeTo(y *yamlText, key *yamlKey, above []*yamlKey, in *yamlMapping) string {
	switch {
	case key != nil && m.text != "":
		return y.set(key, in, m.text)
	case key != nil && len(in.keys) == 1 && len(above) > 0:
		parent := y.root
		if len(above) > 1 {
			parent = above[len(above)-2].mapping
		}
		return y.set(above[len(above)-1], parent, "{}")
	case key != nil:
		return y.remove(key, in)
	}
	rest := m.path[len(above):] // the keys to make
	names := make([]string, len(rest))
	for i, part := range rest {
		names[i] = writeName(part)
	}
	last := len(names) - 1
	if parent := len(above) - 1; parent >= 0 && above[parent].mapping == nil {
		// A key without a value gets a mapping.
		holder := y.root
		if parent > 0 {
			holder = above[parent-1].mapping
		}
		return y.set(above[parent], holder, "\n"+strings.TrimRight(nestKeys(names, m.text, 2), "\n"))
	}
	if in.flow || last == 0 {
		value := m.text
		for i := last; i > 0; i-- {
			value = "{" + names[i] + ": " + flowValue(value) + "}"
		}
		return y.add(in, names[0], value)
	}
	return y.add(in, names[0], "\n"+strings.TrimRight(nestKeys(names[1:], m.text, 2), "\n"))
}

// nestKeys writes mappings in each other, the innermost with a value.
func nestKeys(names []string, value string, indent int) string {
	if len(names) == 1 {
		return writeKey(names[0], value, indent)
	}
	return strings.Repeat(" ", indent) + names[0] + ":\n" + nestKeys(names[1:], value, indent+2)
}

var plainKey = regexp.MustCompile(`^[\pL_][\pL\pN _.-]*$`)

// writeName writes a key's name, in quotes if needed.
func writeName(name string) string {
	if plainKey.MatchString(name) && strings.TrimSpace(name) == name {
		return name
	}
	return fmt.Sprintf("%q", name)
}

// valueAt returns the value at a path of keys.
func valueAt(values map[string]any, path []string) (any, bool) {
	v, ok := values[path[0]]
	if len(path) == 1 || !ok {
		return v, ok
	}
	below, _ := v.(map[string]any)
	if below == nil {
		return nil, false
	}
	return valueAt(below, path[1:])
}

// withValue returns values as they must be after the key is set.
func withValue(values map[string]any, m metaKey) map[string]any {
	out := make(map[string]any, len(values)+1)
	for name, v := range values {
		out[name] = v
	}
	name := m.path[0]
	switch {
	case len(m.path) > 1:
		below, _ := values[name].(map[string]any)
		m.path = m.path[1:]
		out[name] = withValue(below, m)
	case m.text == "":
		delete(out, name)
	default:
		out[name] = m.value
	}
	return out
}

// replaceFrontMatter returns a page with another front matter.
func replaceFrontMatter(text, front string) string {
	old, rest := markdown.CutFrontMatter([]byte(text))
	if frontMatterEnd(text) == 0 {
		return "---\n" + front + "---\n\n" + strings.TrimLeft(text, "\n")
	}
	begin := strings.IndexByte(text, '\n') + 1 // after the opening "---"
	closing := text[begin+len(old) : len(text)-len(rest)]
	return text[:begin] + front + closing + string(rest)
}

// frontMatterEnd returns the offset after a page's front matter, 0 without one.
func frontMatterEnd(text string) int {
	_, rest := markdown.CutFrontMatter([]byte(text))
	return len(text) - len(rest)
}

// truncate cuts a text to at most n bytes and marks the cut.
func truncate(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}
