package markdown

import (
	"bytes"
	"regexp"
	"strconv"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"robot.wtf/internal/wiki"
)

// Some pages make a parser slow or its output huge, and goldmark can't be
// canceled. These limits are checked before parsing, or by parsers that run
// before goldmark's own: once a limit is exceeded they accept no more input,
// so that parsing ends at once.
const (
	maxSource     = 1 << 20  // bytes of a page
	maxLine       = 64 << 10 // bytes of a line
	maxDepth      = 100      // nesting of quotes, lists and boxes
	maxNodes      = 3 * maxDepth
	maxColumns    = 128
	maxCells      = 20_000 // in all tables, padded to full rows
	maxBrackets   = 1_000  // [ in one block of text
	maxDelimiters = 5_000  // runs of * _ ~ = in one block of text
	maxPipes      = 1_000  // \| next to code in tables
	maxReferences = 5_000  // definitions of footnotes and references; uses of footnotes
	maxOutput     = 8 << 20
)

func tooLargeError(format string, args ...any) error {
	return wiki.Problemf(wiki.ErrTooLarge, "content", format+" Its source is shown instead.", args...)
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

var (
	definition = regexp.MustCompile(`^[ >\t]*\[[^\]]*\]:`)
	noteUse    = []byte("[^")
)

// checkLines checks the limits that need no parser.
func checkLines(source []byte) error {
	number, definitions := 0, 0
	for line := range bytes.Lines(source) {
		number++
		if len(line) > maxLine {
			return tooLargeError("Line %s of this page is longer than %s bytes.", thousands(number), thousands(maxLine))
		}
		if bytes.Contains(line, []byte("]:")) && definition.Match(line) {
			definitions++
		}
	}
	if definitions > maxReferences {
		return tooLargeError("This page defines more than %s references and notes.", thousands(maxReferences))
	}
	if bytes.Count(source, noteUse) > 2*maxReferences {
		return tooLargeError("This page has more than %s notes.", thousands(maxReferences))
	}
	return nil
}

// A guard watches the limits of one parse.
type guard struct {
	clock      *clock
	err        error
	block      ast.Node // whose inline content is being parsed
	brackets   int
	delimiters int
	cells      int
	bars       int
	unclosed   map[byte]bool // {{, $$ and %% blocks without an end
	hidden     hiddenMarks
	masked     []byte // the source for tables with wikilinks
	explained  []*explanation
	noFormula  int // offset up to which no line ends a formula

	paragraph      *ast.Paragraph // of isInFormula
	paragraphLines int
	inFormula      bool
}

var guardKey = parser.NewContextKey()

// guardOf returns the parse's guard. A parse without a guard is unlimited.
func guardOf(pc parser.Context) *guard {
	if g, ok := pc.Get(guardKey).(*guard); ok {
		return g
	}
	return &guard{}
}

func (g *guard) fail(format string, args ...any) {
	if g.err == nil {
		g.err = tooLargeError(format, args...)
	}
}

var (
	errSlow = tooLargeError("This page takes too long to render.")
	errBusy = wiki.Problemf(wiki.ErrUnavailable, "", "The service is too busy to render this page now. Its source is shown instead. Reload the page in a moment.")
)

// exceeded reports whether a limit, including time, was exceeded.
func (g *guard) exceeded() bool {
	if g.err == nil && g.clock.spent() {
		g.err = errSlow
	}
	return g.err != nil
}

// depthLimited limits the nesting depth of a block parser.
type depthLimited struct{ parser.BlockParser }

func (b depthLimited) Open(parent ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	g := guardOf(pc)
	if g.exceeded() {
		return nil, parser.NoChildren
	}
	node, state := b.BlockParser.Open(parent, reader, pc)
	if node != nil && blockDepth(pc) >= maxDepth {
		g.fail("This page has quotes, lists or boxes nested more than %d deep.", maxDepth)
		return nil, parser.NoChildren
	}
	return node, state
}

// Continue closes all blocks once a limit is exceeded.
func (b depthLimited) Continue(node ast.Node, reader text.Reader, pc parser.Context) parser.State {
	if guardOf(pc).err != nil {
		return parser.Close
	}
	return b.BlockParser.Continue(node, reader, pc)
}

// blockDepth counts the open container blocks; a list with its item counts
// as one.
func blockDepth(pc parser.Context) int {
	n := 0
	for _, b := range pc.OpenedBlocks() {
		switch b.Node.Kind() {
		case ast.KindBlockquote, ast.KindList, kindBox, kindWidget, extast.KindDefinitionList:
			n++
		}
	}
	return n
}

// inlineGuard sees each character that may start an inline element before
// that element's parser, and consumes all input once a limit is exceeded.
type inlineGuard struct{}

func (inlineGuard) Trigger() []byte { return []byte("[!*_~=`<") }

func (inlineGuard) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	g := guardOf(pc)
	if g.block != parent {
		g.block, g.brackets, g.delimiters = parent, 0, 0
	}
	line, _ := block.PeekLine()
	switch line[0] {
	case '[':
		g.brackets++
	case '!':
		if len(line) > 1 && line[1] == '[' {
			g.brackets++
		}
	case '*', '_', '~', '=':
		g.delimiters++
	}
	if g.brackets > maxBrackets {
		g.fail("This page has a paragraph with more than %s brackets.", thousands(maxBrackets))
	}
	if g.delimiters > maxDelimiters {
		g.fail("This page has a paragraph with more than %s marks of emphasis.", thousands(maxDelimiters))
	}
	if !g.exceeded() {
		return nil
	}
	for line != nil {
		block.AdvanceLine()
		line, _ = block.PeekLine()
	}
	return ast.NewString(nil)
}

// tableGuard checks paragraphs before they become tables.
type tableGuard struct{}

func (tableGuard) Transform(node *ast.Paragraph, reader text.Reader, pc parser.Context) {
	lines, source, g := node.Lines(), reader.Source(), guardOf(pc)
	if masked := g.tableSource(node, source); masked != nil {
		source = masked
	}
	for i := 1; i < lines.Len(); i++ {
		rule := lines.At(i)
		if !isTableRule(rule.Value(source)) {
			continue
		}
		head := lines.At(i - 1)
		columns := countCells(rule.Value(source))
		if columns != countCells(head.Value(source)) {
			continue
		}
		g.cells += columns * (lines.Len() - i)
		for j := i - 1; j < lines.Len(); j++ {
			g.bars += countEscapedPipes(lines, j, source)
		}
		switch {
		case g.bars > maxPipes:
			g.fail("The tables of this page have more than %s escaped bars.", thousands(maxPipes))
		case columns > maxColumns:
			g.fail("This page has a table with more than %d columns.", maxColumns)
		case g.cells > maxCells:
			g.fail("The tables of this page have more than %s cells.", thousands(maxCells))
		default:
			return
		}
		node.Parent().RemoveChild(node.Parent(), node)
		return
	}
}

// countEscapedPipes counts the escaped pipes that make goldmark scan all
// tables for each code span.
func countEscapedPipes(lines *text.Segments, at int, source []byte) int {
	s := lines.At(at)
	line := s.Value(source)
	if bytes.IndexByte(line, '`') < 0 {
		return 0
	}
	return bytes.Count(line, []byte(`\|`))
}

// isTableRule reports whether a line can be the delimiter row of a table.
func isTableRule(line []byte) bool {
	return bytes.IndexByte(line, '-') >= 0 && len(bytes.Trim(line, " \t\n|:-")) == 0
}

func countCells(line []byte) int {
	line = bytes.TrimSpace(line)
	line = bytes.TrimPrefix(line, []byte("|"))
	line = bytes.TrimSuffix(line, []byte("|"))
	return 1 + bytes.Count(line, []byte("|")) - bytes.Count(line, []byte(`\|`))
}
