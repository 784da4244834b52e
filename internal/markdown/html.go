package markdown

import (
	"bytes"
	"html"
	"net/url"
	"regexp"
	"robot.wtf/internal/wiki"
	"slices"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// idPrefix keeps ids made of people's words apart from the ids of our pages, so
// that no heading can stand in for a form or a script's variable.
const idPrefix = "user-content-"

// harmless are the tags that people may write as HTML; attribute filters their
// attributes.
var harmless = strings.Fields(`a abbr b bdi bdo blockquote br caption cite code col colgroup dd del details dfn div dl dt em
	figcaption figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s samp small span strike strong sub
	summary sup table tbody td tfoot th thead tr tt u ul var wbr`)

// void elements have no end tag.
var void = []string{"br", "col", "hr", "img", "wbr"}

// cleanTags lets harmless tags of raw HTML through and shows the rest as text.
func (p *page) cleanTags(raw []byte) string {
	var out strings.Builder
	z := xhtml.NewTokenizer(bytes.NewReader(raw))
	for {
		kind := z.Next()
		text := string(z.Raw())
		switch kind {
		case xhtml.ErrorToken:
			out.WriteString(html.EscapeString(text))
			return out.String()
		case xhtml.TextToken:
			out.WriteString(html.EscapeString(html.UnescapeString(text)))
		case xhtml.CommentToken, xhtml.DoctypeToken:
		default:
			t := z.Token()
			switch {
			case !slices.Contains(harmless, t.Data):
				out.WriteString(html.EscapeString(text))
			case kind != xhtml.EndTagToken:
				p.openTag(&out, t)
			case !slices.Contains(void, t.Data):
				out.WriteString("</" + t.Data + ">")
			}
		}
	}
}

func (p *page) openTag(out *strings.Builder, t xhtml.Token) {
	if t.Data == "img" {
		var src, alt, title string
		for _, a := range t.Attr {
			switch a.Key {
			case "src":
				src = a.Val
			case "alt":
				alt = a.Val
			case "title":
				title = a.Val
			}
		}
		out.WriteString(p.image(src, alt, title))
		return
	}
	out.WriteString("<" + t.Data)
	for _, a := range t.Attr {
		if key, value, ok := p.attribute(t.Data, a); ok {
			out.WriteString(" " + key + `="` + html.EscapeString(value) + `"`)
		}
	}
	if t.Data == "pre" {
		out.WriteString(` tabindex="0"`)
	}
	out.WriteString(">")
}

func (p *page) attribute(tag string, a xhtml.Attribute) (key, value string, ok bool) {
	lower := strings.ToLower(a.Val)
	switch a.Key {
	case "title", "lang":
		return a.Key, a.Val, true
	case "dir":
		return a.Key, lower, slices.Contains([]string{"ltr", "rtl", "auto"}, lower)
	case "id":
		return "id", idPrefix + anchor(a.Val), true
	case "open":
		return "open", "", tag == "details"
	case "start", "value", "colspan", "rowspan", "span":
		return a.Key, a.Val, smallNumber.MatchString(a.Val)
	case "align":
		return "align", lower, slices.Contains([]string{"left", "right", "center"}, lower)
	case "href":
		l := p.destination(a.Val, false)
		return "href", l.url, tag == "a" && l.url != ""
	}
	return "", "", false
}

var smallNumber = regexp.MustCompile(`^[0-9]{1,4}$`)

// balance closes what people left open and drops ends without a beginning, so
// that a page's text cannot reach out of its place.
func balance(body []byte) ([]byte, error) {
	nodes, err := xhtml.ParseFragment(bytes.NewReader(body), &xhtml.Node{Type: xhtml.ElementNode, Data: "div", DataAtom: atom.Div})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(len(body) + len(body)/8)
	for _, n := range nodes {
		if err := xhtml.Render(&out, n); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// secondWall is what may leave this package, whatever the first wall let by.
func secondWall(icons string) *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements(harmless...)
	p.AllowElements("section", "svg", "use", "label", "input")
	p.AllowAttrs("title", "lang", "dir", "role", "aria-label", "aria-hidden").Globally()
	p.AllowAttrs("id").Matching(regexp.MustCompile(`^` + idPrefix + `[^\s"'<>]+$`)).Globally()
	p.AllowAttrs("class").Matching(ownClasses).Globally()
	p.AllowAttrs("tabindex").Matching(regexp.MustCompile(`^0$`)).Globally()
	p.AllowAttrs("scope").Matching(regexp.MustCompile(`^(col|row)$`)).OnElements("th")
	p.AllowAttrs("align").Matching(regexp.MustCompile(`^(left|right|center)$`)).Globally()
	p.AllowAttrs("start", "value", "colspan", "rowspan", "span").Matching(smallNumber).Globally()
	p.AllowAttrs("open").OnElements("details")
	p.AllowAttrs("type").Matching(regexp.MustCompile(`^checkbox$`)).OnElements("input")
	p.AllowAttrs("checked", "disabled").OnElements("input")
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("href").Matching(regexp.MustCompile(`^` + regexp.QuoteMeta(icons) + `#[a-z]+$`)).OnElements("use")
	p.AllowAttrs("rel").Matching(regexp.MustCompile(`^[a-z ]+$`)).OnElements("a")
	p.AllowAttrs("src").Matching(regexp.MustCompile(`^/[^/\\]`)).OnElements("img")
	p.AllowAttrs("alt", "loading").OnElements("img")
	p.AllowNoAttrs().OnElements("a", "span", "div", "svg", "label", "input")
	p.AllowURLSchemes(schemes...)
	p.AllowRelativeURLs(true)
	p.RequireParseableURLs(true)
	return p
}

// ownClasses are the classes that the renderer writes: its own words, and
// chroma's, which are one to three letters and digits.
var ownClasses = regexp.MustCompile(`^(?:(?:red|out|tag|tasks|scroll|notes|anchor|chroma|notice|warning|good|bad|embed|math|icon|spoiler|fold|[a-z]{1,2}[a-z0-9]?)(?: |$))+$`)

// schemes that a link may have.
var schemes = []string{"http", "https", "mailto", "tel", "at", "xmpp", "irc", "ircs", "matrix", "gemini", "ftp", "sftp", "magnet", "geo"}

// A link is where an address in a page leads.
type link struct {
	url    string // escaped for href; "" when it may lead nowhere
	kind   linkKind
	target Target
}

type linkKind int

const (
	linkNone   linkKind = iota
	linkOut             // another host
	linkAnchor          // this page
	linkOwn             // another address of the wiki, such as /-/changelog
	linkPage
	linkFile
)

var schemeForm = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:`)

// destination finds out what the address of a Markdown link means.
func (p *page) destination(dest string, image bool) link {
	dest = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, dest))
	switch {
	case dest == "" || strings.Contains(dest, `\`):
		return link{}
	case strings.HasPrefix(dest, "#"):
		return link{url: "#" + idPrefix + escapeFragment(anchor(unescape(dest[1:]))), kind: linkAnchor}
	case strings.HasPrefix(dest, "//"):
		dest = "https:" + dest
	}
	if schemeForm.MatchString(dest) {
		u, err := url.Parse(dest)
		if err != nil || !slices.Contains(schemes, strings.ToLower(u.Scheme)) {
			return link{}
		}
		return link{url: u.String(), kind: linkOut}
	}
	to := localTarget(p.name, dest, image)
	switch to.kind {
	case linkFile:
		t := p.resolve(wiki.LinkFile, to.path, "")
		return link{url: t.URL + to.query, kind: linkFile, target: t}
	case linkPage:
		t := p.resolve(wiki.LinkPage, to.path, to.fragment)
		return link{url: withQuery(t.URL, to.query), kind: linkPage, target: t}
	}
	u, err := url.Parse(to.raw)
	if err != nil || u.Host != "" || u.Scheme != "" {
		return link{}
	}
	return link{url: u.String(), kind: linkOwn}
}

func withQuery(to, query string) string {
	before, fragment, ok := strings.Cut(to, "#")
	if ok && query != "" {
		return before + query + "#" + fragment
	}
	return to + query
}

func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

func escapeFragment(s string) string { return (&url.URL{Fragment: s}).EscapedFragment() }

// anchor is the id, without prefix, of a heading of that text: letters and
// digits in lower case, blanks as hyphens.
func anchor(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(text)) {
		switch {
		case r == ' ' || r == '\t' || r == '\n':
			b.WriteByte('-')
		case r == '-' || r == '_' || isWord(r):
			b.WriteRune(r)
		}
	}
	if b.Len() == 0 {
		return "section"
	}
	return b.String()
}
