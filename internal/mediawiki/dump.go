package mediawiki

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Bounds of an export.
const (
	maxTitle   = 1024 // bytes; MediaWiki allows 255
	maxComment = 2 << 10
	headSize   = 2 << 10 // bytes of a text that are looked at for a redirect
	// MaxText bounds the text of a revision in an export, in bytes of XML. MediaWiki's
	// own limit is 2 MB.
	MaxText = 8 << 20
)

// A Page is a page of an export, without its text.
type Page struct {
	Title     Title
	Redirect  string // where the page redirects, as in a link, with a section; "" if it doesn't
	Revisions int
	Model     string // "wikitext", or what else its newest revision is
	Text      Span   // of the newest revision
}

// A Revision is a version of a page, without its text.
type Revision struct {
	Time            string // as in the export, in RFC 3339
	Author, Comment string // "" if they are hidden
	Model           string
	Text            Span
}

// A Span is a part of an export: the characters of a text as XML has them.
type Span struct{ Offset, Size int64 }

// Read returns the text.
func (s Span) Read(export io.ReaderAt) (string, error) {
	raw := make([]byte, min(s.Size, MaxText))
	if _, err := io.ReadFull(io.NewSectionReader(export, s.Offset, s.Size), raw); err != nil {
		return "", err
	}
	return decodeXML(raw), nil
}

// A Reader reads the pages of an export one after another.
type Reader struct {
	// OnRevision, if set, is called with each revision of a page. The page's title is
	// known by then.
	OnRevision func(*Page, Revision) error

	xml  *xmlReader
	site Site
	buf  bytes.Buffer
	head string // of the newest text of the page so far
}

// NewReader returns a Reader of an export. Offsets count from the present position
// of in.
func NewReader(in io.Reader) *Reader { return &Reader{xml: newXMLReader(in)} }

// Site returns what the export says about its wiki. It is complete after the first
// call of Next.
func (r *Reader) Site() *Site { return &r.site }

// IsExport reports whether a file is an export by its first bytes.
func IsExport(head []byte) bool {
	head = bytes.TrimPrefix(head, []byte("\uFEFF"))
	for {
		head = bytes.TrimLeft(head, " \t\r\n")
		end := ""
		switch {
		case bytes.HasPrefix(head, []byte("<mediawiki")):
			return true
		case bytes.HasPrefix(head, []byte("<?")):
			end = "?>"
		case bytes.HasPrefix(head, []byte("<!--")):
			end = "-->"
		default:
			return false
		}
		_, after, ok := bytes.Cut(head, []byte(end))
		if !ok {
			return false
		}
		head = after
	}
}

// Next returns the next page. It fails with io.EOF at the end of a complete export,
// and with ErrMalformed if it isn't one.
func (r *Reader) Next() (*Page, error) {
	for {
		name, err := r.next()
		if err != nil {
			return nil, err
		}
		if !r.xml.start || r.xml.empty {
			continue
		}
		switch {
		case len(r.xml.open) == 1 && name != "mediawiki":
			return nil, malformed(r.xml.at, "it begins with <%.50s>", name)
		case len(r.xml.open) == 2 && name == "siteinfo":
			err = r.readSite()
		case len(r.xml.open) == 2 && name == "page":
			return r.readPage()
		}
		if err != nil {
			return nil, err
		}
	}
}

// next reads the next tag, after the text before it.
func (r *Reader) next() (string, error) {
	for {
		if err := r.xml.text(nil, 0); err != nil {
			if errors.Is(err, io.EOF) && (len(r.xml.open) > 0 || r.xml.at == 0) {
				err = malformed(r.xml.at, "it ends too early")
			}
			return "", err
		}
		name, err := r.xml.tag()
		if err != nil || name != "" {
			return name, err
		}
	}
}

// value returns the text of the element that was opened last, up to its first tag.
func (r *Reader) value(max int) (string, error) {
	if r.xml.empty {
		return "", nil
	}
	r.buf.Reset()
	if err := r.xml.text(&r.buf, max); err != nil {
		return "", r.xml.cut(err)
	}
	return decodeXML(r.buf.Bytes()), nil
}

// readSite reads the element siteinfo.
func (r *Reader) readSite() error {
	for {
		name, err := r.next()
		if err != nil {
			return err
		}
		if !r.xml.start {
			if name == "siteinfo" {
				return nil
			}
			continue
		}
		number, failed := strconv.Atoi(r.xml.attribute("key"))
		value, err := r.value(maxTitle)
		if err != nil {
			return err
		}
		switch value = cleanTitle(value); name {
		case "sitename":
			r.site.Name = value
		case "base":
			r.site.Main = mainPage(value)
		case "case":
			r.site.CaseSensitive = value == "case-sensitive"
		case "namespace":
			if failed == nil {
				r.site.addNamespace(number, value)
			}
		}
	}
}

// mainPage returns the title of the main page by its address.
func mainPage(address string) string {
	if _, title, ok := strings.Cut(address, "title="); ok {
		title, _, _ = strings.Cut(title, "&")
		return unescapeAddress(title)
	}
	return unescapeAddress(address[strings.LastIndexByte(address, '/')+1:])
}

// readPage reads the element page.
func (r *Reader) readPage() (*Page, error) {
	p := &Page{}
	newest := ""
	r.head = ""
	for {
		name, err := r.next()
		if err != nil {
			return nil, r.xml.cut(err)
		}
		if !r.xml.start {
			if name == "page" {
				p.redirectOf(r.head)
				return p, nil
			}
			continue
		}
		switch name {
		case "title":
			var title string
			if title, err = r.value(maxTitle); err == nil {
				p.Title = r.site.ParseTitle(title)
			}
		case "redirect":
			p.Redirect = cleanTitle(r.xml.attribute("title"))
		case "revision":
			p.Revisions++
			newest, err = r.readRevision(p, newest)
		}
		if err != nil {
			return nil, err
		}
	}
}

// readRevision reads the element revision, and returns the time of the newest one so
// far, whose text the page has.
func (r *Reader) readRevision(p *Page, newest string) (string, error) {
	var rev Revision
	for open := !r.xml.empty; open; {
		name, err := r.next()
		if err != nil {
			return "", r.xml.cut(err)
		}
		if !r.xml.start {
			if name == "revision" {
				break
			}
			continue
		}
		isNewest := rev.Time >= newest || p.Revisions == 1
		switch {
		case name == "timestamp":
			rev.Time, err = r.value(40)
		case name == "model":
			rev.Model, err = r.value(100)
		case r.OnRevision != nil && (name == "username" || name == "ip"):
			rev.Author, err = r.value(maxTitle)
		case r.OnRevision != nil && name == "comment":
			rev.Comment, err = r.value(maxComment)
		case name == "text" && (isNewest || r.OnRevision != nil):
			head := r.head
			if rev.Text, err = r.readText(); isNewest {
				p.Text = rev.Text
			} else {
				r.head = head
			}
		}
		if err != nil {
			return "", err
		}
	}
	if r.OnRevision != nil {
		if err := r.OnRevision(p, rev); err != nil {
			return "", err
		}
	}
	if rev.Time >= newest || p.Revisions == 1 {
		p.Model, newest = rev.Model, rev.Time
	}
	return newest, nil
}

// readText reads the text of a revision, and keeps its head.
func (r *Reader) readText() (text Span, err error) {
	from := r.xml.at
	r.buf.Reset()
	for !r.xml.empty && r.xml.open[len(r.xml.open)-1] == "text" {
		text = Span{from, r.xml.at - from}
		if err := r.xml.text(&r.buf, headSize); err != nil {
			return text, r.xml.cut(err)
		}
		text.Size = r.xml.at - from
		if name, err := r.xml.tag(); err != nil {
			return text, err
		} else if r.xml.start && name != "" {
			return text, malformed(r.xml.at, "a text has the element <%.50s>", name)
		}
	}
	r.head = decodeXML(r.buf.Bytes())
	return text, nil
}

// redirectForm matches the first line of a redirect: #REDIRECT, or its name in
// another language, and a link.
var redirectForm = regexp.MustCompile(`^\s*#\s*\pL[\pL\pM ]{2,40}:?\s*\[\[([^\[\]{}|<>\n]+)(?:\|[^\[\]\n]*)?\]\]`)

// englishRedirect matches the one that works in every language.
var englishRedirect = regexp.MustCompile(`(?i)^\s*#redirect\b`)

// redirectOf reads where a page redirects from its text, which alone has the section.
func (p *Page) redirectOf(head string) {
	if m := redirectForm.FindStringSubmatch(head); m != nil && (p.Redirect != "" || englishRedirect.MatchString(head)) {
		p.Redirect = strings.TrimSpace(m[1])
	}
}
