package markdown

import (
	"crypto/rand"
	"html/template"
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
)

// A Block is a self-contained piece of a page's HTML: a block of the source,
// or several that a raw HTML tag encloses.
type Block struct {
	First, Last int // source lines, from 1; 0 for the footnotes, which can be defined anywhere
	End         int // offset in the page's HTML
}

// maxBlocks limits the pieces of a page; the last one contains the rest.
const maxBlocks = 5000

// A cutter marks where blocks end. The sanitizer runs before the HTML is
// split, so the mark is a random word that no page can contain.
type cutter struct {
	word   string
	blocks []Block
	open   Block // the current block
}

func newCutter() cutter { return cutter{word: rand.Text()} }

// begin records the lines of a node before it is written, because writing
// can change it.
func (w *writer) begin(n ast.Node) {
	first, last := w.doc.linesOf(n)
	if o := &w.cut.open; first > 0 {
		if o.First == 0 || first < o.First {
			o.First = first
		}
		o.Last = max(o.Last, last)
	}
}

// end ends a block if it is self-contained.
func (w *writer) end(alone bool) {
	if !alone || len(w.cut.blocks) >= maxBlocks {
		return
	}
	w.write(w.cut.word)
	w.cut.blocks = append(w.cut.blocks, w.cut.open)
	w.cut.open = Block{}
}

// splitBlocks removes the marks from the sanitized HTML. If any mark is
// missing, the page is one piece.
func (c *cutter) splitBlocks(html string) (template.HTML, []Block) {
	parts := strings.Split(html, c.word)
	whole := strings.Join(parts, "")
	if len(parts) != len(c.blocks)+1 {
		return template.HTML(whole), nil
	}
	end := 0
	for i := range c.blocks {
		end += len(parts[i])
		c.blocks[i].End = end
	}
	if rest := parts[len(parts)-1]; strings.TrimSpace(rest) != "" {
		c.open.End = len(whole)
		c.blocks = append(c.blocks, c.open)
	} else if n := len(c.blocks); n > 0 {
		c.blocks[n-1].End = len(whole)
	}
	return template.HTML(whole), c.blocks
}

// linesOf returns the page's lines that a block came from, 0 if none.
func (d *document) linesOf(n ast.Node) (first, last int) {
	if n.Kind() == extast.KindFootnoteList {
		return 0, 0
	}
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering || n.Type() == ast.TypeInline {
			return ast.WalkSkipChildren, nil
		}
		from, to := -1, -1
		if at := n.Pos(); at >= 0 && n.Parent() != nil {
			from, to = at, at
		}
		if lines := n.Lines(); lines != nil && lines.Len() > 0 {
			to = max(to, lines.At(lines.Len()-1).Stop-1)
			if start := lines.At(0).Start; from < 0 || start < from {
				from = start
			}
		}
		if from < 0 {
			return ast.WalkContinue, nil
		}
		if line := d.lineAt(from); first == 0 || line < first {
			first = line
		}
		last = max(last, d.lineAt(max(to, from)))
		return ast.WalkContinue, nil
	})
	return first, last
}
