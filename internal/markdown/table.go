package markdown

import (
	"bytes"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// tableParser is goldmark's parser of tables, except that a bar in [[Page|text]]
// doesn't end a cell.
type tableParser struct{ parser.ParagraphTransformer }

func newTableParser() tableParser { return tableParser{extension.NewTableParagraphTransformer()} }

func (p tableParser) Transform(node *ast.Paragraph, reader text.Reader, pc parser.Context) {
	if source := guardOf(pc).tableSource(node, reader.Source()); source != nil {
		reader = text.NewReader(source)
	}
	p.ParagraphTransformer.Transform(node, reader, pc)
}

// tableSource returns the page's source with other characters for the bars in
// wikilinks, or nil if a paragraph has no such link. goldmark keeps offsets of
// it only, which are the same in both.
func (g *guard) tableSource(node *ast.Paragraph, source []byte) []byte {
	if lines := node.Lines(); lines.Len() < 2 || !bytes.Contains(source[lines.At(0).Start:lines.At(lines.Len()-1).Stop], []byte("[[")) {
		return nil
	}
	if g.masked == nil {
		g.masked = maskLinkBars(source)
	}
	return g.masked
}

// maskLinkBars replaces the bars in wikilinks by dots, except escaped ones.
func maskLinkBars(source []byte) []byte {
	masked := bytes.Clone(source)
	for at := 0; ; {
		open := bytes.Index(masked[at:], []byte("[["))
		if open < 0 {
			return masked[:len(masked):len(masked)]
		}
		at += open + len("[[")
		inside := masked[at:]
		end := bytes.IndexAny(inside[:min(len(inside), 4*maxWikilink)], "[]\n")
		if end <= 0 || !bytes.HasPrefix(inside[end:], []byte("]]")) {
			continue
		}
		for i, c := range inside[:end] {
			if c == '|' && i > 0 && inside[i-1] != '\\' {
				inside[i] = '.'
			}
		}
	}
}
