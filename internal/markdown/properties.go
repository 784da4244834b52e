package markdown

import (
	"bytes"
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strings"

	"robot.wtf/internal/wiki"
)

// renderProperties returns the front matter's entries except title and tags.
func (w *writer) renderProperties() []Prop {
	var list []Prop
	for _, item := range w.doc.front.items {
		key := fmt.Sprint(item.Key)
		if k := strings.ToLower(key); k == "title" || slices.Contains(tagKeys, k) {
			continue
		}
		values, isList := item.Value.([]any)
		if _, isLink := wiki.UnquotedLink(item.Value); isLink || !isList {
			values = []any{item.Value}
		}
		p := Prop{Key: key}
		for _, v := range values {
			p.Values = append(p.Values, w.renderProperty(yamlText(v)))
		}
		list = append(list, p)
	}
	return list
}

// renderProperty renders a value; wikilinks and URLs in it become links.
func (w *writer) renderProperty(value string) template.HTML {
	out := w.out
	w.out = bytes.Buffer{}
	for at := 0; at < len(value); {
		m := propLink.FindStringIndex(value[at:])
		if m == nil {
			w.writeText(value[at:])
			break
		}
		w.writeText(value[at : at+m[0]])
		written := value[at+m[0] : at+m[1]]
		if written[0] != '[' {
			written = written[:trimAddress([]byte(written))]
		}
		at += m[0] + len(written)
		if inside, ok := strings.CutPrefix(written, "[["); ok {
			if n := newWikilink(strings.TrimSuffix(inside, "]]")); n != nil {
				w.writeWikilink(n)
				continue
			}
			w.writeText(written)
			continue
		}
		w.writeLink(w.lookUp(addressTarget(w.doc.name, written, false)), "", func() { w.writeText(written) })
	}
	safe := w.r.wall.SanitizeReader(&w.out).String()
	w.out = out
	return template.HTML(safe)
}

var propLink = regexp.MustCompile(`\[\[[^\[\]\n]{1,500}\]\]|https?://[^\s<>"\\]+`)
