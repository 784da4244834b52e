package markdown

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

var (
	kindWikilink = ast.NewNodeKind("Wikilink")
	kindFormula  = ast.NewNodeKind("Formula")
	kindMark     = ast.NewNodeKind("Mark")
	kindTag      = ast.NewNodeKind("Tag")
)

// A wikilink is [[Page]], [[Page|text]], [[Page#Heading]] or [[#Heading]],
// or an embed if preceded by "!".
type wikilink struct {
	ast.BaseInline
	embed    bool
	written  string // before the bar
	target   string // as written
	at       int    // offset in the source of the text between the brackets
	start    int    // of the target in that text
	labelAt  int    // of the label
	fragment string
	label    string // text after the bar, or ""
	words    string // link text
}

func (n *wikilink) Kind() ast.NodeKind      { return kindWikilink }
func (n *wikilink) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

type wikilinkParser struct{}

func (wikilinkParser) Trigger() []byte { return []byte{'[', '!'} }

const maxWikilink = 500 // characters between the brackets

func (wikilinkParser) Parse(_ ast.Node, block text.Reader, _ parser.Context) ast.Node {
	line, segment := block.PeekLine()
	begin := len("[[")
	if line[0] == '!' {
		begin++
	}
	if segment.Padding > 0 || len(line) < begin || line[begin-1] != '[' || line[begin-2] != '[' {
		return nil
	}
	inside := line[begin:]
	end := bytes.IndexAny(inside, "[]\n")
	if end < 0 || !bytes.HasPrefix(inside[end:], []byte("]]")) || utf8.RuneCount(inside[:end]) > maxWikilink {
		return nil
	}
	n := newWikilink(string(inside[:end]))
	if n == nil {
		return nil
	}
	n.embed = line[0] == '!'
	n.setImageWords()
	n.at = segment.Start + begin
	block.Advance(begin + end + len("]]"))
	return n
}

// newWikilink parses the text between the brackets. It returns nil if it is
// empty.
func newWikilink(inside string) *wikilink {
	written, label, _ := strings.Cut(strings.ReplaceAll(inside, `\|`, "|"), "|")
	target, fragment, _ := strings.Cut(written, "#")
	n := &wikilink{
		written:  strings.TrimSpace(written),
		target:   strings.TrimSpace(target),
		start:    len(target) - len(strings.TrimLeft(target, " \t")),
		fragment: strings.TrimSpace(fragment),
		label:    strings.TrimSpace(label),
	}
	if n.target == "" && n.fragment == "" {
		return nil
	}
	after := inside[strings.IndexByte(inside, '|')+1:]
	n.labelAt = len(inside) - len(strings.TrimLeft(after, " \t"))
	shown := displayTarget(n.target)
	switch {
	case n.label != "":
		n.words = n.label
	case n.target == "":
		n.words = strings.Join(HeadingPath(n.fragment), " § ")
	case n.fragment != "" && !strings.HasPrefix(n.fragment, "^"):
		n.words = shown + " § " + strings.Join(HeadingPath(n.fragment), " § ")
	default:
		n.words = shown
	}
	return n
}

// displayTarget formats a target for people.
func displayTarget(target string) string {
	target = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(target, "./"), "/"), ".md")
	return strings.ReplaceAll(target, "_", " ")
}

// A formula is TeX.
type formula struct {
	ast.BaseInline
	source string
	block  bool // $$…$$
	apart  bool // on several lines: shown as a block
}

func (n *formula) Kind() ast.NodeKind      { return kindFormula }
func (n *formula) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

type formulaParser struct{}

func (formulaParser) Trigger() []byte { return []byte{'$', '`'} }

// Forms of formulas: $$x$$, $`x`$, `$x$`, $x$. The last one has no space at
// its ends and isn't followed by a digit: "$5 and $6" is money.
var formulaForms = []*regexp.Regexp{
	regexp.MustCompile(`^\$\$([^$\n]+)\$\$`),
	regexp.MustCompile("^\\$`([^`\n]+)`\\$"),
	regexp.MustCompile("^`\\$([^`$\n]+)\\$`"),
	regexp.MustCompile(`^\$((?:[^\s$\\]|\\[^\s])(?:[^$\n\\]|\\[^\n])*)\$`),
}

func (formulaParser) Parse(_ ast.Node, block text.Reader, _ parser.Context) ast.Node {
	before := block.PrecendingCharacter()
	line, _ := block.PeekLine()
	if len(line) < 3 || line[0] == '`' && (line[1] != '$' || before == '`') || line[0] == '$' && isWord(before) {
		return nil
	}
	if bytes.HasPrefix(line, []byte("$$")) && !bytes.Contains(line[2:], []byte("$$")) {
		return parseFormulaLines(block)
	}
	if len(line) > maxFormula {
		line = line[:maxFormula]
	}
	for i, form := range formulaForms {
		m := form.FindSubmatch(line)
		if m == nil {
			continue
		}
		after := line[len(m[0]):]
		if i == 3 && (bytes.HasSuffix(m[1], []byte(" ")) || len(after) > 0 && (isWord(rune(after[0])) || after[0] == '$')) {
			return nil
		}
		block.Advance(len(m[0]))
		return &formula{source: strings.TrimSpace(string(m[1])), block: i == 0}
	}
	return nil
}

const maxFormula = 4000 // bytes of an inline formula

// parseFormulaLines parses a formula between $$ on different lines of a paragraph.
// One of the two is at an end of its line, so "$$ each, and $$ more" is none.
func parseFormulaLines(block text.Reader) ast.Node {
	line, _ := block.PeekLine()
	opens := len(bytes.TrimSpace(line[2:])) == 0
	var source strings.Builder
	source.Write(line[2:])
	for {
		block.AdvanceLine()
		line, _ = block.PeekLine()
		end := bytes.Index(line, []byte("$$"))
		if line == nil || source.Len() > maxFormula {
			return nil
		}
		if end < 0 {
			source.Write(line)
			continue
		}
		source.Write(line[:end])
		rest := bytes.TrimSpace(line[end+2:])
		formula := &formula{source: strings.TrimSpace(source.String()), block: true, apart: true}
		if !opens && len(rest) > 0 && len(bytes.TrimSpace(line[:end])) > 0 || formula.source == "" || len(rest) > 0 && rest[0] == '$' {
			return nil
		}
		block.Advance(end + 2)
		return formula
	}
}

// A mark is ==text==.
type mark struct{ ast.BaseInline }

func (n *mark) Kind() ast.NodeKind      { return kindMark }
func (n *mark) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

type markParser struct{}

func (markParser) Trigger() []byte { return []byte{'='} }

func (markParser) Parse(_ ast.Node, block text.Reader, pc parser.Context) ast.Node {
	before := block.PrecendingCharacter()
	line, segment := block.PeekLine()
	d := parser.ScanDelimiter(line, before, 2, markDelimiter{})
	if d == nil || d.OriginalLength != 2 || before == '=' {
		return nil
	}
	d.Segment = segment.WithStop(segment.Start + d.OriginalLength)
	block.Advance(d.OriginalLength)
	pc.PushDelimiter(d)
	return d
}

type markDelimiter struct{}

func (markDelimiter) IsDelimiter(b byte) bool { return b == '=' }
func (markDelimiter) CanOpenCloser(opener, closer *parser.Delimiter) bool {
	return opener.Char == closer.Char
}
func (markDelimiter) OnMatch(int) ast.Node { return &mark{} }

// A tag is #word.
type tag struct {
	ast.BaseInline
	name    string // in lowercase, without "#"
	written string // name as in the source
}

func (n *tag) Kind() ast.NodeKind      { return kindTag }
func (n *tag) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

type tagParser struct{}

func (tagParser) Trigger() []byte { return []byte{'#'} }

var (
	tagForm   = regexp.MustCompile(`^#([\pL\pN_][\pL\pN\pM_/-]{0,60})`)
	color     = regexp.MustCompile(`^(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$`)
	someDigit = regexp.MustCompile(`[0-9]`)
)

// Parse accepts #word after a space or an opening bracket. Numbers (#12) and
// colors (#1a2b3c) are not tags.
func (tagParser) Parse(_ ast.Node, block text.Reader, pc parser.Context) ast.Node {
	if !strings.ContainsRune(" \t\n\u00a0([{,;\"'", block.PrecendingCharacter()) {
		return nil
	}
	line, segment := block.PeekLine()
	m := tagForm.FindSubmatch(line)
	if m == nil {
		return nil
	}
	if isAttribute(block.Source(), segment.Start, line) {
		return nil
	}
	name := bytes.TrimRight(m[1], "-/_")
	if len(bytes.Trim(name, "0123456789-/_")) == 0 || color.Match(name) && someDigit.Match(name) {
		return nil
	}
	block.Advance(1 + len(name))
	return &tag{name: strings.ToLower(string(name)), written: string(name)}
}

var attributeListForm = regexp.MustCompile(`^#[^\s{}#]+(?:[ \t]+(?:[.][\w-]+|[\w-]+=[^\s{}]+))*[ \t]*\}`)

// isAttribute reports whether #word at an offset is an id in braces, such as
// {#id} or MkDocs' {: #id .class }.
func isAttribute(source []byte, at int, line []byte) bool {
	before := bytes.TrimRight(source[max(0, at-3):at], " \t")
	return (bytes.HasSuffix(before, []byte("{")) || bytes.HasSuffix(before, []byte("{:"))) && attributeListForm.Match(line)
}
