package markdown

import (
	"crypto/rand"
	"html/template"
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
)

// A Block is a piece of a page's HTML that can stand alone: a block of the
// source, or several that a raw HTML tag holds together.
type Block struct {
	First, Last int // lines of the source, from 1; 0 for the list of notes, which stand anywhere
	End         int // offset in the page's HTML
}

// maxBlocks bounds the pieces of one page; the last holds the rest.
const maxBlocks = 5000

// A cutter notes where the blocks end. The HTML that it cuts goes through the
// second wall first, so it is cut at a word that nobody can have written.
type cutter struct {
	word   string
	blocks []Block
	open   Block // the one being written
}

func newCutter() cutter { return cutter{word: rand.Text()} }

// begin notes the lines of a node that will be written. Writing may change it.
func (w *writer) begin(n ast.Node) {
	first, last := w.doc.linesOf(n)
	if o := &w.cut.open; first > 0 {
		if o.First == 0 || first < o.First {
			o.First = first
		}
		o.Last = max(o.Last, last)
	}
}

// end ends a block, if it can stand alone.
func (w *writer) end(alone bool) {
	if !alone || len(w.cut.blocks) >= maxBlocks {
		return
	}
	w.put(w.cut.word)
	w.cut.blocks = append(w.cut.blocks, w.cut.open)
	w.cut.open = Block{}
}

// pieces takes the words out of the HTML that came through the wall. A page
// whose words did not all come through is one piece.
func (c *cutter) pieces(html string) (template.HTML, []Block) {
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

// linesOf are the lines of the page that a block was made of, 0 for none.
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
