package mediawiki

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"strings"
)

// Bounds of an export's XML.
const (
	maxXMLDepth = 20
	maxXMLTag   = 16 << 10 // bytes of a tag with its attributes
)

// ErrMalformed is the error of XML that isn't an export, or of an incomplete one.
var ErrMalformed = errors.New("mediawiki: not a complete export")

func malformed(at int64, format string, args ...any) error {
	return fmt.Errorf("%w: byte %d: %s", ErrMalformed, at, fmt.Sprintf(format, args...))
}

// An xmlReader reads the subset of XML that exports are written in. It knows no
// entities but XML's own, and refuses document types. It takes a tenth of the time of
// encoding/xml, so that an export can be counted before anything else is done with it.
type xmlReader struct {
	in    *bufio.Reader
	at    int64
	open  []string // elements
	start bool     // tag is a start tag
	attrs []byte   // of the start tag; valid until the next tag
	empty bool     // the start tag is also its end
}

func newXMLReader(in io.Reader) *xmlReader {
	return &xmlReader{in: bufio.NewReaderSize(in, 256<<10)}
}

// text reads up to the next tag, comment or section of characters, and adds the first
// max bytes to b, without decoding them. b can be nil.
func (x *xmlReader) text(b *bytes.Buffer, max int) error {
	for {
		part, err := x.in.ReadSlice('<')
		x.at += int64(len(part))
		done := err == nil
		if done {
			part = part[:len(part)-1]
		}
		if b != nil {
			b.Write(part[:max0(min(len(part), max-b.Len()))])
		}
		switch {
		case done:
			x.at--
			return x.in.UnreadByte()
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

func max0(n int) int { return max(n, 0) }

// tag reads a tag, which is next, and returns its name. Other markup has no name.
func (x *xmlReader) tag() (string, error) {
	if markup, err := x.in.Peek(2); err != nil {
		return "", x.cut(err)
	} else if markup[1] == '!' || markup[1] == '?' {
		return "", x.skipMarkup()
	}
	tag, err := x.until('>', maxXMLTag)
	if err != nil {
		return "", err
	}
	inside := tag[1 : len(tag)-1]
	if rest, ok := bytes.CutPrefix(inside, []byte("/")); ok {
		name := string(bytes.TrimSpace(rest))
		if len(x.open) == 0 || x.open[len(x.open)-1] != name {
			return "", malformed(x.at, "</%.50s> closes nothing", name)
		}
		x.open, x.start = x.open[:len(x.open)-1], false
		return name, nil
	}
	inside, x.empty = bytes.CutSuffix(inside, []byte("/"))
	end := bytes.IndexAny(inside, " \t\r\n")
	if end < 0 {
		end = len(inside)
	}
	name := string(inside[:end])
	x.start, x.attrs = true, inside[end:]
	if name == "" || len(x.open) >= maxXMLDepth {
		return "", malformed(x.at, "elements are nested too deeply")
	}
	if !x.empty {
		x.open = append(x.open, name)
	}
	return name, nil
}

// until reads to a byte, which is the last one returned.
func (x *xmlReader) until(end byte, max int) ([]byte, error) {
	part, err := x.in.ReadSlice(end)
	x.at += int64(len(part))
	if err != nil || len(part) > max {
		return nil, x.cut(err)
	}
	return part, nil
}

// cut is the error of markup that ends too early.
func (x *xmlReader) cut(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull) {
		return malformed(x.at, "it ends within a tag, or the tag is too long")
	}
	return err
}

// skipMarkup skips a comment, a processing instruction or a section of characters.
func (x *xmlReader) skipMarkup() error {
	begin, err := x.in.Peek(9)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	end := "?>"
	switch {
	case bytes.HasPrefix(begin, []byte("<!--")):
		end = "-->"
	case bytes.HasPrefix(begin, []byte("<![CDATA[")):
		end = "]]>"
	case bytes.HasPrefix(begin, []byte("<!")):
		return malformed(x.at, "exports have no document type")
	}
	last := make([]byte, 0, 8)
	for {
		part, err := x.in.ReadSlice('>')
		x.at += int64(len(part))
		last = append(last, part[max0(len(part)-len(end)):]...)
		last = last[max0(len(last)-len(end)):]
		if err == nil && string(last) == end {
			return nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return x.cut(err)
		}
	}
}

// attribute returns an attribute of the start tag, "" if it has none.
func (x *xmlReader) attribute(name string) string {
	for rest := x.attrs; len(rest) > 0; {
		before, after, ok := bytes.Cut(rest, []byte("="))
		after = bytes.TrimLeft(after, " \t\r\n")
		if !ok || len(after) == 0 || after[0] != '"' && after[0] != '\'' {
			return ""
		}
		value, next, ok := bytes.Cut(after[1:], after[:1])
		if !ok {
			return ""
		}
		if string(bytes.TrimSpace(before)) == name {
			return decodeXML(value)
		}
		rest = next
	}
	return ""
}

var xmlEntities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&amp;", "&")

// decodeXML returns the text of characters in XML. Comments in it are removed.
func decodeXML(raw []byte) string {
	var b strings.Builder
	for len(raw) > 0 {
		before, rest, ok := bytes.Cut(raw, []byte("<!"))
		b.WriteString(decodeCharacters(string(before)))
		if !ok {
			break
		}
		if inside, ok := bytes.CutPrefix(rest, []byte("[CDATA[")); ok {
			section, after, _ := bytes.Cut(inside, []byte("]]>"))
			b.Write(section)
			raw = after
			continue
		}
		_, raw, _ = bytes.Cut(rest, []byte("-->"))
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

// decodeCharacters replaces XML's entities, and characters by their number. Other
// entities are HTML's, which exports don't have: they stay.
func decodeCharacters(text string) string {
	if !strings.Contains(text, "&#") {
		return xmlEntities.Replace(text)
	}
	var b strings.Builder
	for text != "" {
		at := strings.IndexByte(text, '&')
		if at < 0 {
			break
		}
		b.WriteString(text[:at])
		text = text[at:]
		end := strings.IndexByte(text[:min(len(text), 12)], ';') + 1
		switch {
		case end == 0:
			end = 1
			b.WriteByte('&')
		case text[1] == '#':
			b.WriteString(html.UnescapeString(text[:end]))
		default:
			b.WriteString(xmlEntities.Replace(text[:end]))
		}
		text = text[end:]
	}
	b.WriteString(text)
	return b.String()
}
