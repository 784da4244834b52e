package markdown

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxFrontMatter bounds the YAML of a page.
const maxFrontMatter = 32 << 10

// cutFrontMatter splits a source into its front matter (without the lines of
// hyphens), the rest, and the number of lines before the rest.
func cutFrontMatter(source []byte) (front, rest []byte, skipped int) {
	text := bytes.TrimPrefix(source, []byte("\ufeff"))
	first, after, ok := bytes.Cut(text, []byte("\n"))
	if !ok || string(bytes.TrimRight(first, " \t\r")) != "---" {
		return nil, text, 0
	}
	skipped = 1
	for line := range bytes.Lines(after) {
		skipped++
		if l := string(bytes.TrimRight(line, " \t\r\n")); l == "---" || l == "..." {
			return front, after[len(front)+len(line):], skipped
		}
		front = after[:len(front)+len(line)]
		if len(front) > maxFrontMatter {
			break
		}
	}
	return nil, text, 0
}

// FrontMatter reads a page's front matter: nil if it has none, or an error in
// plain words if it is no YAML mapping. Anchors and aliases are refused, for
// they can make a little text into a lot.
func FrontMatter(source []byte) (map[string]any, error) {
	items, err := frontItems(source)
	if items == nil || err != nil {
		return nil, err
	}
	props := map[string]any{}
	for _, i := range items {
		props[fmt.Sprint(i.Key)] = plainValue(i.Value)
	}
	return props, nil
}

func plainValue(v any) any {
	switch v := v.(type) {
	case yaml.MapSlice:
		m := map[string]any{}
		for _, i := range v {
			m[fmt.Sprint(i.Key)] = plainValue(i.Value)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plainValue(v[i])
		}
		return list
	}
	return v
}

type aliases struct{ found bool }

func (a *aliases) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode:
		a.found = true
	}
	return a
}

func frontItems(source []byte) (items yaml.MapSlice, err error) {
	front, _, _ := cutFrontMatter(source)
	if front == nil {
		return nil, nil
	}
	defer func() { // a parser of other people's text must not take a page down
		if recover() != nil {
			items, err = nil, fmt.Errorf("the front matter is not YAML")
		}
	}()
	file, err := parser.ParseBytes(front, 0)
	if err != nil {
		return nil, fmt.Errorf("the front matter is not YAML: %s", firstLine(yaml.FormatError(err, false, false)))
	}
	var a aliases
	for _, doc := range file.Docs {
		if doc.Body != nil {
			ast.Walk(&a, doc.Body)
		}
	}
	if a.found {
		return nil, fmt.Errorf("the front matter has YAML anchors or aliases, which are not read here")
	}
	if err := yaml.UnmarshalWithOptions(front, &items, yaml.UseOrderedMap()); err != nil {
		return nil, fmt.Errorf("the front matter is not a YAML mapping of names to values")
	}
	return items, nil
}

func firstLine(s string) string { s, _, _ = strings.Cut(s, "\n"); return s }

// splitProps tells the shown entries of front matter from title and tags. Without
// a resolver it leaves the entries out.
func (p *page) splitProps(items yaml.MapSlice) (title string, tags []string, props []Prop) {
	for _, i := range items {
		key := fmt.Sprint(i.Key)
		switch strings.ToLower(key) {
		case "title":
			title = valueText(i.Value)
			continue
		case "tags", "tag", "category", "categories":
			tags = append(tags, tagList(i.Value)...)
			continue
		}
		if p.resolver != nil {
			props = append(props, Prop{Key: key, Values: p.propValues(i.Value)})
		}
	}
	return title, tags, props
}

func tagList(v any) []string {
	var list []string
	add := func(s string) {
		if s = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(s), "#")); s != "" && len(s) <= 100 {
			list = append(list, s)
		}
	}
	if many, ok := v.([]any); ok {
		for _, s := range many {
			add(valueText(s))
		}
		return list
	}
	for s := range strings.SplitSeq(valueText(v), ",") {
		add(s)
	}
	return list
}

func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Time:
		return v.Format(time.DateOnly)
	case yaml.MapSlice:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = fmt.Sprintf("%v: %s", item.Key, valueText(item.Value))
		}
		return strings.Join(parts, ", ")
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = valueText(v[i])
		}
		return strings.Join(parts, ", ")
	}
	return fmt.Sprint(v)
}

func (p *page) propValues(v any) []template.HTML {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	out := make([]template.HTML, 0, len(list))
	for _, item := range list {
		out = append(out, template.HTML(p.propValue(valueText(item))))
	}
	return out
}

// propValue shows a value: a wikilink or an address becomes a link.
func (p *page) propValue(s string) string {
	if m := wikiLinkForm.FindStringSubmatch(s); m != nil && m[0] == s && s[0] == '[' {
		l := &wikiLink{inside: m[1]}
		target, fragment, _ := wikiTarget(p.name, m[1])
		if target != "" {
			t := p.resolve("page", target, fragment)
			return anchorTag(link{url: t.URL, kind: linkPage, target: t}, "") + html.EscapeString(l.words()) + "</a>"
		}
	}
	if strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
		if l := p.destination(s, false); l.kind == linkOut {
			return anchorTag(l, "") + html.EscapeString(s) + "</a>"
		}
	}
	return html.EscapeString(s)
}

func sortedUnique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
