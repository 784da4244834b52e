package edit

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// A yamlText is YAML with the places of its keys. The syntax tree says where they
// are; changes are made to the text, so that all else stays byte for byte.
type yamlText struct {
	text   string
	starts []int                // offset of each line
	tokens token.Tokens         // in order
	notes  map[int]*token.Token // the comment of each line
	root   *yamlMapping
}

// A yamlMapping is a mapping of keys to values. One in flow style is in braces.
type yamlMapping struct {
	keys   []*yamlKey
	flow   bool
	indent int // columns before its keys
	end    int // offset where a key can be added
}

// A yamlKey is a key of a mapping with its value.
type yamlKey struct {
	name     string
	quoted   bool
	from, to int          // offsets of the whole lines, or in flow style of the key with its value
	colon    int          // offset after the colon
	valueEnd int          // offset after the value, before a comment on its only line
	mapping  *yamlMapping // the value, if it is one
	list     *yamlList    // the value, if it is one
	null     bool         // the value is left out
	lines    Lines        // in the text
}

// A yamlList is a list of scalars on one line each.
type yamlList struct {
	items  []string // as they are written
	flow   bool     // in brackets
	indent int      // columns before the dashes
	end    int      // offset where an item can be added
}

var errYAML = errors.New("edit: unsupported YAML")

// parseYAML finds the keys of a text that package markdown accepts as front matter.
// It fails with errYAML if the text isn't one mapping with simple keys.
func parseYAML(text string) (y *yamlText, err error) {
	defer func() {
		if recover() != nil { // the parser is known to panic
			y, err = nil, errYAML
		}
	}()
	file, err := parser.ParseBytes([]byte(text), parser.ParseComments)
	if err != nil {
		return nil, err
	}
	y = &yamlText{text: text, starts: NewDocument(text).starts, tokens: lexer.Tokenize(text), notes: map[int]*token.Token{}}
	for _, t := range y.tokens {
		if t.Type == token.CommentType {
			y.notes[t.Position.Line] = t
		}
	}
	y.root = &yamlMapping{end: len(text)}
	bodies := 0
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		bodies++
		y.root = y.mapping(doc.Body, len(y.starts)+1)
		if y.root == nil || bodies > 1 {
			return nil, errYAML
		}
	}
	if len(file.Docs) > 1 {
		return nil, errYAML
	}
	if !y.root.flow {
		y.root.end = len(text)
	}
	return y, nil
}

// mapping reads a mapping that ends before a line; nil if the node isn't one.
func (y *yamlText) mapping(n ast.Node, before int) *yamlMapping {
	m := &yamlMapping{}
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values, m.flow = n.Values, n.IsFlowStyle
		if m.flow {
			m.end = y.offsetOf(n.End)
		}
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return nil
	}
	for i, v := range values {
		switch v.Key.(type) {
		case *ast.MappingKeyNode, *ast.MergeKeyNode, *ast.AnchorNode, *ast.TagNode:
			return nil
		}
		t := v.Key.GetToken()
		k := &yamlKey{name: t.Value, quoted: t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType, from: y.offsetOf(t), colon: y.offsetOf(v.Start) + 1}
		var next *token.Token
		if i+1 < len(values) {
			next = values[i+1].Key.GetToken()
		}
		if m.flow {
			y.flowEnd(k, m, next)
		} else {
			end := before
			if next != nil {
				end = next.Position.Line
			}
			y.blockEnd(k, t, end)
			m.indent, m.end = t.Position.Column-1, k.to
		}
		k.mapping = y.mapping(v.Value, k.lines.To+1)
		k.list = y.list(v.Value, k.to)
		k.null = strings.TrimSpace(y.text[k.colon:k.valueEnd]) == ""
		m.keys = append(m.keys, k)
	}
	return m
}

// list reads a list of scalars whose last line ends at an offset; nil if the node isn't
// one.
func (y *yamlText) list(n ast.Node, end int) *yamlList {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		return nil
	}
	l := &yamlList{flow: seq.IsFlowStyle, end: end, indent: seq.Start.Position.Column - 1}
	if l.flow {
		l.end = y.offsetOf(seq.End)
	}
	for _, v := range seq.Values {
		switch v.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		default:
			return nil
		}
		text := strings.TrimSpace(v.GetToken().Origin)
		if strings.Contains(text, "\n") {
			return nil
		}
		l.items = append(l.items, text)
	}
	return l
}

// addItems returns the text with more items at the end of a list, as they are written
// in a list.
func (y *yamlText) addItems(l *yamlList, items []string) string {
	if !l.flow {
		above := y.text[:l.end]
		if !strings.HasSuffix(above, "\n") {
			above += "\n"
		}
		line := "\n" + strings.Repeat(" ", l.indent) + "- "
		return above + line[1:] + strings.Join(items, line) + "\n" + y.text[l.end:]
	}
	for i, item := range items {
		if strings.ContainsAny(item, ",[]{}") && !strings.ContainsAny(item[:1], `'"`) {
			items[i] = strconv.Quote(item)
		}
	}
	before, separator := strings.TrimRight(y.text[:l.end], " \t\n"), ", "
	switch {
	case len(l.items) == 0:
		separator = ""
	case strings.HasSuffix(before, ","):
		separator = " "
	}
	return before + separator + strings.Join(items, ", ") + y.text[len(before):]
}

// offsetOf returns the offset of a token, whose column counts characters.
func (y *yamlText) offsetOf(t *token.Token) int {
	at := y.starts[t.Position.Line-1]
	for range t.Position.Column - 1 {
		_, n := utf8.DecodeRuneInString(y.text[at:])
		at += n
	}
	return at
}

// blockEnd sets where a key ends that is followed by something on a line. Comments
// and blank lines between two keys belong to neither.
func (y *yamlText) blockEnd(k *yamlKey, t *token.Token, before int) {
	last := before - 1
	for last > t.Position.Line {
		line := strings.TrimSpace(y.line(last))
		if note := y.notes[last]; line != "" && (note == nil || !strings.HasPrefix(line, "#")) {
			break
		}
		last--
	}
	k.from = y.starts[t.Position.Line-1]
	k.lines = Lines{t.Position.Line, last}
	k.to = len(y.text)
	if last < len(y.starts) {
		k.to = y.starts[last]
	}
	k.valueEnd = k.to
	if note := y.notes[last]; note != nil && last == t.Position.Line {
		k.valueEnd = y.offsetOf(note)
	}
	k.valueEnd = k.colon + len(strings.TrimRight(y.text[k.colon:max(k.colon, k.valueEnd)], " \t\n"))
}

func (y *yamlText) line(n int) string {
	end := len(y.text)
	if n < len(y.starts) {
		end = y.starts[n]
	}
	return y.text[y.starts[n-1]:end]
}

// flowEnd sets where a key of a mapping in braces ends: before the comma before the
// next key, or before the closing brace.
func (y *yamlText) flowEnd(k *yamlKey, m *yamlMapping, next *token.Token) {
	end := m.end
	if next != nil {
		i := slices.IndexFunc(y.tokens, func(t *token.Token) bool {
			return t.Position.Line == next.Position.Line && t.Position.Column == next.Position.Column
		})
		for i--; i >= 0 && y.tokens[i].Type != token.CollectEntryType; i-- {
		}
		end = y.offsetOf(y.tokens[max(i, 0)])
	}
	k.valueEnd = k.colon + len(strings.TrimRight(y.text[k.colon:end], " \t\n"))
	k.to = k.valueEnd
	first := 1 + strings.Count(y.text[:k.from], "\n")
	k.lines = Lines{first, first + strings.Count(y.text[k.from:k.to], "\n")}
}

// find returns a key by its path of names, with the mappings that lead to it: as
// many as exist.
func (y *yamlText) find(path []string) (key *yamlKey, above []*yamlKey, in *yamlMapping) {
	in = y.root
	for i, name := range path {
		j := slices.IndexFunc(in.keys, func(k *yamlKey) bool { return k.name == name })
		switch {
		case j < 0:
			return nil, above, in
		case i == len(path)-1:
			return in.keys[j], above, in
		}
		above = append(above, in.keys[j])
		if in.keys[j].mapping == nil {
			return nil, above, in
		}
		in = in.keys[j].mapping
	}
	return nil, above, in
}

// value returns a key's value as it is written, without its comment.
func (y *yamlText) value(k *yamlKey) string { return strings.Trim(y.text[k.colon:k.valueEnd], " \t") }

// set returns the text with another value of a key. The value is as it is written
// after a key without indentation.
func (y *yamlText) set(k *yamlKey, in *yamlMapping, value string) string {
	if in.flow {
		return y.text[:k.colon] + " " + flowValue(value) + y.text[k.valueEnd:]
	}
	first, rest, block := strings.Cut(value, "\n")
	comment := ""
	if k.lines.From == k.lines.To {
		comment = strings.TrimRight(y.text[k.valueEnd:k.to], " \t\n")
	}
	text := y.text[:k.colon]
	if first != "" {
		text += " " + first
	}
	text += comment + "\n"
	if block {
		text += indentLines(rest, in.indent) + "\n"
	}
	return text + y.text[k.to:]
}

// add returns the text with a new key.
func (y *yamlText) add(in *yamlMapping, key, value string) string {
	if in.flow {
		before := strings.TrimRight(y.text[:in.end], " \t\n")
		comma := ", "
		if len(in.keys) == 0 || strings.HasSuffix(before, ",") {
			comma = ""
		}
		return before + comma + key + ": " + flowValue(value) + y.text[len(before):]
	}
	above := y.text[:in.end]
	if above != "" && !strings.HasSuffix(above, "\n") {
		above += "\n"
	}
	return above + writeKey(key, value, in.indent) + y.text[in.end:]
}

// writeKey writes a key with its value as lines.
func writeKey(key, value string, indent int) string {
	first, rest, block := strings.Cut(value, "\n")
	line := strings.TrimRight(strings.Repeat(" ", indent)+key+": "+first, " ") + "\n"
	if block {
		line += indentLines(rest, indent) + "\n"
	}
	return line
}

// remove returns the text without a key.
func (y *yamlText) remove(k *yamlKey, in *yamlMapping) string {
	if !in.flow {
		return y.text[:k.from] + y.text[k.to:]
	}
	i := slices.Index(in.keys, k)
	switch {
	case i+1 < len(in.keys):
		return y.text[:k.from] + y.text[in.keys[i+1].from:]
	case i > 0:
		return y.text[:in.keys[i-1].to] + y.text[k.to:]
	}
	return y.text[:k.from] + y.text[k.to:]
}

func indentLines(text string, columns int) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = strings.Repeat(" ", columns) + l
		}
	}
	return strings.Join(lines, "\n")
}

// flowValue returns a value on one line, as it can be written in brackets.
func flowValue(value string) string {
	if !strings.Contains(value, "\n") {
		return value
	}
	var v any
	if yaml.Unmarshal([]byte(value), &v) != nil {
		return value
	}
	flow, err := yaml.MarshalWithOptions(v, yaml.Flow(true))
	if err != nil {
		return value
	}
	return string(bytes.TrimSpace(flow))
}
