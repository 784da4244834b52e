package markdown

import (
	"bytes"
	"regexp"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// shortcodeParser parses links whose destination is one of Hugo's shortcodes ref and
// relref: [text]({{< ref "page.md" >}}). It lets goldmark's parser of links read the
// path in quotes as a destination in angle brackets, with spaces around it.
type shortcodeParser struct{ parser.InlineParser }

func (shortcodeParser) Trigger() []byte { return []byte{']'} }

var shortcode = regexp.MustCompile("^\\]\\([ \t]*(\\{\\{[<%][ \t]*(?:rel)?ref[ \t]+(?:path[ \t]*=[ \t]*)?(?:\"([^\"<>\\\\\n]*)\"|`([^`<>\\\\\n]*)`)[^{}\n]*[>%]\\}\\})")

func (p shortcodeParser) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	line, segment := block.PeekLine()
	if segment.Padding > 0 || !bytes.HasPrefix(line, []byte("](")) {
		return nil
	}
	m := shortcode.FindSubmatchIndex(line[:min(len(line), maxAddress)])
	if m == nil {
		return nil
	}
	begin, end := shortcodePath(m)
	padded := bytes.Repeat([]byte(" "), m[3]-m[2])
	padded[begin-1-m[2]], padded[end-m[2]] = '<', '>'
	copy(padded[begin-m[2]:], line[begin:end])
	n := p.InlineParser.Parse(parent, &replacedReader{block, segment.Start + m[2], padded}, pc)
	written := block.Source()[segment.Start+begin : segment.Start+end]
	switch n := n.(type) {
	case *ast.Link:
		n.Destination = inSource(n.Destination, written)
	case *ast.Image:
		n.Destination = inSource(n.Destination, written)
	}
	return n
}

// shortcodePath returns where a match of shortcode has its path, in one kind of quotes
// or the other.
func shortcodePath(m []int) (begin, end int) { return max(m[4], m[6]), max(m[5], m[7]) }

// inSource returns the part of the source that a destination was copied from. A link to
// a definition has another one.
func inSource(destination, written []byte) []byte {
	if bytes.Equal(destination, written) {
		return written
	}
	return destination
}

// A replacedReader reads a block with other text at an offset of the source. It does so
// as far as a parser of links looks.
type replacedReader struct {
	text.Reader
	at   int
	text []byte
}

// rest returns the text from the reader's position, nil if that is outside of it.
func (r *replacedReader) rest() []byte {
	_, position := r.Position()
	if skip := position.Start - r.at; skip >= 0 && skip < len(r.text) {
		return r.text[skip:]
	}
	return nil
}

func (r *replacedReader) PeekLine() ([]byte, text.Segment) {
	line, segment := r.Reader.PeekLine()
	if rest := r.rest(); rest != nil {
		return rest, segment
	}
	return line, segment
}

func (r *replacedReader) Peek() byte {
	if rest := r.rest(); rest != nil {
		return rest[0]
	}
	return r.Reader.Peek()
}

func (r *replacedReader) SkipSpaces() (text.Segment, int, bool) {
	if rest := r.rest(); rest != nil {
		spaces := len(rest) - len(bytes.TrimLeft(rest, " "))
		r.Advance(spaces)
		if spaces < len(rest) {
			return text.Segment{}, spaces, true
		}
	}
	return r.Reader.SkipSpaces()
}
