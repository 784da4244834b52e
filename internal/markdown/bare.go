package markdown

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// Bare addresses become links where cmark-gfm's do (its autolink extension, version
// 0.29): http://, https:// and ftp:// after anything but a letter, www. after a
// space, the beginning of a line or one of *_~(, and email addresses anywhere in
// text.

// bareParser finds bare addresses of the web. It sees the colon of "://" or the dot
// of "www.", and takes back the letters before it.
type bareParser struct{}

func (bareParser) Trigger() []byte { return []byte{':', '.'} }

func (bareParser) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	line, at := block.PeekLine()
	last, _ := parent.LastChild().(*ast.Text)
	if last == nil || last.Segment.Stop != at.Start || at.Padding > 0 || pc.IsInLinkLabel() {
		return nil
	}
	before := last.Segment.Value(block.Source())
	back, size := 0, 0
	var protocol []byte
	if line[0] == ':' {
		back = schemeBefore(before)
		size = webAddress(before[len(before)-back:], line)
	} else if back = wwwBefore(before, block.Source()[:last.Segment.Start]); back > 0 {
		size, protocol = wwwAddress(block.Source()[at.Start-back:at.Stop]), []byte("http")
	}
	if size == 0 {
		return nil
	}
	start := at.Start - back
	last.Segment = last.Segment.WithStop(start)
	block.Advance(size)
	link := ast.NewAutoLink(ast.AutoLinkURL, ast.NewTextSegment(text.NewSegment(start, at.Start+size)))
	link.Protocol = protocol
	return link
}

// schemeBefore returns the length of the letters at the end of a text.
func schemeBefore(before []byte) int {
	n := 0
	for n < len(before) && isLetter(before[len(before)-1-n]) {
		n++
	}
	return n
}

// wwwBefore returns 3 if a text ends in "www" where an address can begin. above is
// the source before the text.
func wwwBefore(before, above []byte) int {
	rest, ok := bytes.CutSuffix(before, []byte("www"))
	if !ok {
		return 0
	}
	if len(rest) == 0 {
		rest = above
	}
	if len(rest) == 0 || strings.IndexByte(" \t\n\v\f\r*_~(", rest[len(rest)-1]) >= 0 {
		return len("www")
	}
	return 0
}

// webAddress returns how many bytes of a line, from its colon on, belong to an
// address with a scheme; 0 if it is none.
func webAddress(scheme, line []byte) int {
	const slashes = len("://")
	switch strings.ToLower(string(scheme)) {
	case "http", "https", "ftp":
	default:
		return 0
	}
	if !bytes.HasPrefix(line, []byte("://")) || !isHostCharacter(line[slashes:]) {
		return 0
	}
	length := domainLength(line[slashes:], false)
	if length == 0 {
		return 0
	}
	return addressEnd(line, slashes+length)
}

// wwwAddress is webAddress for a line from "www." on.
func wwwAddress(line []byte) int {
	length := domainLength(line, true)
	if length == 0 {
		return 0
	}
	return addressEnd(line, length) - len("www")
}

// domainLength returns the length of the domain that a text begins with; 0 if it is
// none: its last two labels can't contain an underscore.
func domainLength(s []byte, dotted bool) int {
	dots, underscores, underscoresBefore := 0, 0, 0
	i := 1
loop:
	for i < len(s)-1 {
		size := 1
		switch c := s[i]; {
		case c == '\\' && i < len(s)-2:
			i++
			continue
		case c == '_':
			underscores++
		case c == '.':
			underscoresBefore, underscores = underscores, 0
			dots++
		case c == '-':
		case !isHostCharacter(s[i:]):
			break loop
		default:
			_, size = utf8.DecodeRune(s[i:])
		}
		i += size
	}
	if (underscores > 0 || underscoresBefore > 0) && dots <= 10 || dotted && dots == 0 {
		return 0
	}
	return i
}

func isHostCharacter(s []byte) bool {
	r, size := utf8.DecodeRune(s)
	return size > 0 && (r != utf8.RuneError || size > 1) && !unicode.IsSpace(r) && !unicode.IsPunct(r) && !(r < utf8.RuneSelf && unicode.IsSymbol(r))
}

// addressEnd returns where an address ends whose domain ends at an offset: at a space
// or "<", without the punctuation that ends a sentence.
func addressEnd(line []byte, domain int) int {
	end := domain
	for end < len(line) && line[end] != '<' && strings.IndexByte(" \t\n\v\f\r", line[end]) < 0 {
		end++
	}
	return trimAddress(line[:end])
}

// trimAddress returns the length of an address without punctuation at its end,
// parentheses that it doesn't open, and character references.
func trimAddress(s []byte) int {
	unopened := bytes.Count(s, []byte(")")) - bytes.Count(s, []byte("("))
	for len(s) > 0 {
		switch c := s[len(s)-1]; {
		case c == ')' && unopened > 0:
			unopened--
		case c == ';':
			if i := bytes.LastIndexFunc(s[:len(s)-1], func(r rune) bool { return r >= utf8.RuneSelf || !isLetter(byte(r)) }); i >= 0 && s[i] == '&' && i < len(s)-2 {
				s = s[:i+1]
			}
		case strings.IndexByte(`?!.,:*_~'"`, c) >= 0:
		default:
			return len(s)
		}
		s = s[:len(s)-1]
	}
	return 0
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isLetterOrDigit(c byte) bool { return isLetter(c) || c >= '0' && c <= '9' }

// linkEmails turns bare email addresses in the text of a node into links.
func linkEmails(n ast.Node, source []byte) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			splitEmails(n, c, source)
		case *ast.Link, *ast.CodeSpan, *ast.AutoLink, *extast.FootnoteLink:
		default:
			linkEmails(c, source)
		}
	}
}

// splitEmails moves the email addresses of a text node into links before it.
func splitEmails(parent ast.Node, t *ast.Text, source []byte) {
	if t.IsRaw() {
		return
	}
	for from := t.Segment.Start; ; {
		begin, end, ok := findEmail(source[t.Segment.Start:t.Segment.Stop], from-t.Segment.Start)
		if !ok {
			return
		}
		begin, end = begin+t.Segment.Start, end+t.Segment.Start
		if begin > t.Segment.Start {
			parent.InsertBefore(parent, t, ast.NewTextSegment(text.NewSegment(t.Segment.Start, begin)))
		}
		kind := ast.AutoLinkEmail
		if scheme(string(source[begin:end])) != "" {
			kind = ast.AutoLinkURL
		}
		parent.InsertBefore(parent, t, ast.NewAutoLink(kind, ast.NewTextSegment(text.NewSegment(begin, end))))
		t.Segment = t.Segment.WithStart(end)
		from = end
	}
}

// findEmail finds the first email address at or after an offset of a text. It can
// begin with "mailto:" or "xmpp:".
func findEmail(s []byte, from int) (begin, end int, ok bool) {
	for {
		at := bytes.IndexByte(s[from:], '@')
		if at < 0 {
			return 0, 0, false
		}
		at += from
		begin = at
		for begin > from && (isLetterOrDigit(s[begin-1]) || strings.IndexByte(".+-_", s[begin-1]) >= 0) {
			begin--
		}
		host, whole := emailHost(s[at+1:])
		escaped := begin > 0 && s[begin-1] == '\\' && !isLetterOrDigit(s[begin])
		if begin < at && whole && !escaped {
			for _, scheme := range []string{"mailto:", "xmpp:"} {
				if bytes.HasSuffix(s[from:begin], []byte(scheme)) {
					begin -= len(scheme)
				}
			}
			return begin, at + 1 + host, true
		}
		from = at + 1
	}
}

// emailHost returns the length of the host that a text begins with, and whether an
// email address can end with it.
func emailHost(s []byte) (length int, ok bool) {
	dots := 0
	for length < len(s) {
		c := s[length]
		if c == '@' {
			return 0, false
		}
		if c == '.' && length < len(s)-1 && isLetterOrDigit(s[length+1]) {
			dots++
		} else if !isLetterOrDigit(c) && c != '-' && c != '_' {
			break
		}
		length++
	}
	if length == 0 || dots == 0 || !isLetter(s[length-1]) {
		return 0, false
	}
	return length, true
}
