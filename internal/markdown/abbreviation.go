package markdown

import (
	"bytes"
	"cmp"
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// Abbreviations are those of PHP Markdown Extra, MkDocs and An Otter Wiki: a line
// "*[HTML]: Hypertext Markup Language" explains each HTML in the page.

var (
	kindAbbreviation = ast.NewNodeKind("Abbreviation")
	kindExplanation  = ast.NewNodeKind("Explanation")
)

const (
	maxAbbreviations = 500 // in a page
	maxExplanation   = 300 // characters
	maxSimilar       = 8   // abbreviations that begin with the same word
)

// An abbreviation is a use; its child is the text.
type abbreviation struct {
	ast.BaseInline
	title string
}

func (n *abbreviation) Kind() ast.NodeKind      { return kindAbbreviation }
func (n *abbreviation) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

// An explanation is the line with the long form.
type explanation struct {
	ast.BaseBlock
	short, long string
}

func (n *explanation) Kind() ast.NodeKind      { return kindExplanation }
func (n *explanation) IsRaw() bool             { return true }
func (n *explanation) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

type explanationParser struct{}

func (explanationParser) Trigger() []byte { return []byte{'*'} }

var explanationForm = regexp.MustCompile(`^ {0,3}\*\[([^\]\n]{1,100})\]:[ \t]+([^\n]+?)[ \t]*\n?$`)

func (explanationParser) Open(_ ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	line, segment := reader.PeekLine()
	if !bytes.Contains(line, []byte("*[")) {
		return nil, parser.NoChildren
	}
	m := explanationForm.FindSubmatch(line)
	g := guardOf(pc)
	if m == nil || len(bytes.TrimSpace(m[1])) == 0 || len(g.explained) >= maxAbbreviations {
		return nil, parser.NoChildren
	}
	n := &explanation{short: string(bytes.TrimSpace(m[1])), long: shorten(unescape(m[2]), maxExplanation)}
	n.Lines().Append(segment)
	g.explained = append(g.explained, n)
	reader.AdvanceToEOL()
	return n, parser.NoChildren
}

func (explanationParser) Continue(ast.Node, text.Reader, parser.Context) parser.State {
	return parser.Close
}
func (explanationParser) Close(ast.Node, text.Reader, parser.Context) {}
func (explanationParser) CanInterruptParagraph() bool                 { return true }
func (explanationParser) CanAcceptIndentedLine() bool                 { return false }

// An abbreviationList has the abbreviations of a page by their first words, the
// longest first.
type abbreviationList map[string][]*explanation

func newAbbreviationList(explained []*explanation) abbreviationList {
	list := abbreviationList{}
	for _, e := range explained {
		word := firstWord([]byte(e.short))
		same := list[word]
		if len(same) < maxSimilar && !slices.ContainsFunc(same, func(o *explanation) bool { return o.short == e.short }) {
			list[word] = append(same, e)
		}
	}
	for _, same := range list {
		slices.SortStableFunc(same, func(a, b *explanation) int { return cmp.Compare(len(b.short), len(a.short)) })
	}
	return list
}

// firstWord returns the word at the start of a text, or its first character.
func firstWord(text []byte) string {
	n := 0
	for n < len(text) {
		r, size := utf8.DecodeRune(text[n:])
		if !isWord(r) {
			break
		}
		n += size
	}
	if n == 0 {
		_, n = utf8.DecodeRune(text)
	}
	return string(text[:n])
}

// markAbbreviations explains the abbreviations in the text of a page.
func (d *document) markAbbreviations(explained []*explanation) {
	list := newAbbreviationList(explained)
	var texts []*ast.Text
	_ = ast.Walk(d.root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.CodeSpan, *ast.Image:
			return ast.WalkSkipChildren, nil
		case *ast.Text:
			if entering && !n.IsRaw() {
				texts = append(texts, n)
			}
		}
		return ast.WalkContinue, nil
	})
	for _, t := range texts {
		d.markIn(t, list)
	}
}

// markIn splits a text at its abbreviations. The text itself becomes the last part,
// so that it keeps its line break.
func (d *document) markIn(t *ast.Text, list abbreviationList) {
	parent := t.Parent()
	for at := t.Segment.Start; at < t.Segment.Stop; {
		rest := d.source[at:t.Segment.Stop]
		word := firstWord(rest)
		e := list.find(word, rest)
		if e == nil {
			at += max(len(word), 1)
			continue
		}
		if at > t.Segment.Start {
			parent.InsertBefore(parent, t, ast.NewTextSegment(t.Segment.WithStop(at)))
		}
		n := &abbreviation{title: e.long}
		n.AppendChild(n, ast.NewTextSegment(text.NewSegment(at, at+len(e.short))))
		parent.InsertBefore(parent, t, n)
		at += len(e.short)
		t.Segment = t.Segment.WithStart(at)
	}
}

// find returns the abbreviation at the start of a text that begins with a word.
func (list abbreviationList) find(word string, text []byte) *explanation {
	for _, e := range list[word] {
		if !bytes.HasPrefix(text, []byte(e.short)) {
			continue
		}
		last, _ := utf8.DecodeLastRuneInString(e.short)
		next, _ := utf8.DecodeRune(text[len(e.short):])
		if !isWord(last) || len(text) == len(e.short) || !isWord(next) {
			return e
		}
	}
	return nil
}

func (w *writer) writeAbbreviation(n *abbreviation) {
	w.write(`<abbr title="`, html.EscapeString(strings.ReplaceAll(n.title, "\x00", "\ufffd")), `">`)
	w.writeChildren(n)
	w.write("</abbr>")
}
