package markdown

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	yamlast "github.com/goccy/go-yaml/ast"
	yamlparser "github.com/goccy/go-yaml/parser"

	"robot.wtf/internal/wiki"
)

// A YAML parser is a large attack surface, so its input is limited in size
// and depth and can't contain anchors, which amplify.
const (
	maxFrontMatter = 16 << 10
	maxYAMLDepth   = 20
)

var tooDeep = fmt.Sprintf("The front matter is nested more than %d deep.", maxYAMLDepth)

// A frontMatter is the text between the two "---" lines at the start of a
// page, or between two "+++" lines.
type frontMatter struct {
	items yaml.MapSlice // in order of appearance
	bad   string        // why it can't be parsed, in words for people
	text  string        // without the "---" lines
	start int           // offset of the text in the page
	toml  bool          // the text is TOML
}

// FrontMatter parses a page's front matter. It returns nil if there is none,
// and an error for people if it can't be parsed. Mappings in it are
// map[string]any.
func FrontMatter(source []byte) (map[string]any, error) {
	front, size, isTOML := cutFrontMatter(bytes.TrimPrefix(source, []byte(byteOrderMark)))
	if size == 0 {
		return nil, nil
	}
	f := readFrontMatter(front, isTOML, 0)
	if f.bad != "" {
		return nil, errors.New(f.bad)
	}
	return toPlainMap(f.items), nil
}

// CutFrontMatter splits a page into its front matter, without the "---" or "+++"
// lines, and the rest. Without front matter it returns nil and the whole
// page.
func CutFrontMatter(page []byte) (front, rest []byte) {
	text := bytes.TrimPrefix(page, []byte(byteOrderMark))
	front, size, _ := cutFrontMatter(text)
	if size == 0 {
		return nil, page
	}
	return front, text[size:]
}

func toPlainMap(items yaml.MapSlice) map[string]any {
	m := make(map[string]any, len(items))
	for _, item := range items {
		m[fmt.Sprint(item.Key)] = toPlainValue(item.Value)
	}
	return m
}

func toPlainValue(v any) any {
	switch v := v.(type) {
	case yaml.MapSlice:
		return toPlainMap(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = toPlainValue(v[i])
		}
		return list
	}
	return v
}

// cutFrontMatter returns the text between the "---" lines, or the "+++" lines around
// TOML, and the size including them, or 0 if a page has no front matter.
func cutFrontMatter(page []byte) (front []byte, size int, isTOML bool) {
	first, rest, ok := bytes.Cut(page, []byte("\n"))
	fence := string(bytes.TrimRight(first, " \t\r"))
	isTOML = fence == "+++"
	if !ok || fence != "---" && !isTOML {
		return nil, 0, false
	}
	begin := len(first) + 1
	at := begin
	for line := range bytes.Lines(rest) {
		if l := string(bytes.TrimRight(line, " \t\r\n")); l == fence || l == "..." && !isTOML {
			return page[begin:at], at + len(line), isTOML
		}
		at += len(line)
		if at-begin > maxSource {
			break
		}
	}
	return nil, 0, false
}

// readFrontMatter parses the text between the two lines, which begins at an offset of
// the page.
func readFrontMatter(text []byte, isTOML bool, start int) (f frontMatter) {
	f = frontMatter{text: string(text), start: start, toml: isTOML}
	language, parse := "YAML", parseYAML
	if isTOML {
		language, parse = "TOML", parseTOML
	}
	defer func() {
		if recover() != nil {
			f.items, f.bad = nil, "The front matter is not "+language+"."
		}
	}()
	switch {
	case len(text) > maxFrontMatter:
		f.bad = fmt.Sprintf("The front matter is longer than %s bytes.", thousands(maxFrontMatter))
		return f
	case !utf8.Valid(text):
		f.bad = "The front matter is not UTF-8."
		return f
	case yamlDepth(text) > maxYAMLDepth:
		f.bad = tooDeep
		return f
	}
	f.items, f.bad = parse(text)
	return f
}

// parseYAML returns the values of a text within the limits, or why it has none.
func parseYAML(text []byte) (items yaml.MapSlice, bad string) {
	plain := bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	file, err := yamlparser.ParseBytes(plain, 0)
	if err != nil {
		reason, _, _ := strings.Cut(yaml.FormatError(err, false, false), "\n")
		return nil, "The front matter is not YAML: " + reason + "."
	}
	var v anchors
	for _, d := range file.Docs {
		if d.Body != nil {
			yamlast.Walk(&v, d.Body)
		}
	}
	if v.found {
		return nil, "The front matter has YAML anchors or aliases, which aren't supported."
	}
	if err := yaml.UnmarshalWithOptions(plain, &items, yaml.UseOrderedMap()); err != nil {
		return nil, "The front matter is not a YAML mapping of names to values."
	}
	return items, ""
}

type anchors struct{ found bool }

func (a *anchors) Visit(n yamlast.Node) yamlast.Visitor {
	switch n.(type) {
	case *yamlast.AnchorNode, *yamlast.AliasNode, *yamlast.MergeKeyNode:
		a.found = true
	}
	return a
}

// yamlDepth bounds the nesting depth of the text: by brackets, by "- - -" on
// one line, or by indentation.
func yamlDepth(text []byte) int {
	deepest, brackets := 0, 0
	var indents []int
	for line := range bytes.Lines(text) {
		content := bytes.TrimLeft(line, " -?\t")
		start := line[:len(line)-len(content)]
		if len(bytes.TrimSpace(content)) > 0 {
			for len(indents) > 0 && indents[len(indents)-1] >= len(start) {
				indents = indents[:len(indents)-1]
			}
			indents = append(indents, len(start))
		}
		for _, c := range content {
			switch c {
			case '[', '{':
				brackets++
			case ']', '}':
				brackets = max(0, brackets-1)
			}
			deepest = max(deepest, brackets)
		}
		deepest = max(deepest, len(indents)+bytes.Count(start, []byte("-"))+bytes.Count(start, []byte("?")))
	}
	return deepest
}

// title returns the front matter's title, or "".
func (f *frontMatter) title() string {
	for _, item := range f.items {
		if strings.EqualFold(fmt.Sprint(item.Key), "title") {
			return shorten(yamlText(item.Value), 300)
		}
	}
	return ""
}

// tags returns the values of `tags:` and `category:`, in lowercase.
func (f *frontMatter) tags() []string {
	var list []string
	for _, v := range f.values(tagKeys) {
		t := strings.ToLower(strings.TrimPrefix(v, "#"))
		if t != "" && len(t) <= 100 {
			list = append(list, t)
		}
	}
	return list
}

const maxAliases = 100 // of a page

// aliases returns the other names of the page.
func (f *frontMatter) aliases() []string {
	var list []string
	for _, v := range f.values(aliasKeys) {
		if v = strings.Map(printableRune, v); v != "" && len(v) <= wiki.MaxNameBytes && len(list) < maxAliases {
			list = append(list, v)
		}
	}
	return list
}

// values returns the values of some keys: those of a list, or those of a text
// between commas.
func (f *frontMatter) values(keys []string) []string {
	var list []string
	for _, item := range f.items {
		if !slices.Contains(keys, strings.ToLower(fmt.Sprint(item.Key))) {
			continue
		}
		values, ok := item.Value.([]any)
		if !ok {
			for s := range strings.SplitSeq(yamlText(item.Value), ",") {
				values = append(values, s)
			}
		}
		for _, v := range values {
			list = append(list, strings.Join(strings.Fields(yamlText(v)), " "))
		}
	}
	return list
}

var aliasKeys = []string{"aliases", "alias"}

var tagKeys = []string{"tags", "tag", "category", "categories"}

// yamlText formats a value for people.
func yamlText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Time:
		return v.Format(time.DateOnly)
	case yaml.MapSlice:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = fmt.Sprintf("%v: %s", item.Key, yamlText(item.Value))
		}
		return strings.Join(parts, ", ")
	case []any:
		if link, ok := wiki.UnquotedLink(v); ok {
			return link
		}
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = yamlText(v[i])
		}
		return strings.Join(parts, ", ")
	}
	return fmt.Sprint(v)
}

// shorten cuts a text to a number of runes.
func shorten(s string, runes int) string {
	n := 0
	for i := range s {
		if n == runes {
			return s[:i]
		}
		n++
	}
	return s
}
