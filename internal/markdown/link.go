package markdown

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/yuin/goldmark/ast"
	"golang.org/x/text/unicode/norm"

	"robot.wtf/internal/wiki"
)

// A linkTarget is the meaning of a link by itself.
type linkTarget struct {
	wiki.Link        // Kind "" if it isn't resolved; without From and Text
	query     string // with its question mark, escaped
	fragment  string
	url       string // of what isn't resolved, escaped; "" for no link
	out       bool   // it leads to another host or program
}

// schemes are those of external links. None of them can run code in the
// page.
var schemes = []string{"http", "https", "mailto", "tel", "sms", "at", "geo", "xmpp", "irc", "ircs", "matrix", "gemini", "ftp", "sftp", "ssh", "git", "magnet", "doi", "urn"}

// scheme returns an address's scheme (RFC 3986, section 3.1), or "".
func scheme(address string) string {
	for i := range len(address) {
		switch c := address[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '.' || c == '-'):
		case c == ':':
			return address[:i]
		default:
			return ""
		}
	}
	return ""
}

// maxAddress limits the length of an address, in bytes.
const maxAddress = 4000

// A destination is a Markdown destination in the source. A page can use a
// long definition 100,000 times, so it is parsed once.
type destination struct {
	first *byte
	image bool
}

// destinationTarget interprets a Markdown destination, a part of the source.
func (d *document) destinationTarget(written []byte, image bool) linkTarget {
	if len(written) == 0 || len(written) > maxAddress {
		return linkTarget{}
	}
	key := destination{&written[0], image}
	p, ok := d.places[key]
	if !ok {
		p = addressTarget(d.name, unescape(written), image)
		if d.places == nil {
			d.places = map[destination]linkTarget{}
		}
		d.places[key] = p
	}
	return p
}

// addressTarget interprets the address of a Markdown link or image on page
// self.
func addressTarget(self wiki.PageName, dest string, image bool) linkTarget {
	dest = strings.TrimSpace(strings.Map(printableRune, dest))
	if strings.HasPrefix(dest, "//") {
		dest = "https:" + dest
	}
	if s := scheme(dest); s != "" {
		return externalTarget(strings.ToLower(s), dest)
	}
	var p linkTarget
	dest, fragment, _ := strings.Cut(dest, "#")
	p.fragment = percentDecode(fragment)
	if before, query, ok := strings.Cut(dest, "?"); ok {
		dest, p.query = before, "?"+escapeURL(query)
	}
	written := percentDecode(dest)
	switch {
	case written == "":
		p.url, p.Address = p.query, true
		if p.fragment != "" {
			p.url += FragmentAnchor(p.fragment)
		}
		return p
	case isServiceRoute(written):
		p.url = wiki.PathURL(strings.TrimLeft(path.Clean(written), "/")) + p.query
		if p.fragment != "" {
			p.url += "#" + escapeURL(p.fragment)
		}
		return p
	}
	p.Link = wiki.Link{Kind: wiki.LinkPage, Address: true, Target: written}
	if image || LooksLikeFile(path.Clean(written)) {
		p.Kind = wiki.LinkFile
	}
	return p.orHome(self)
}

// orHome turns a link to the root into one to the home page.
func (p linkTarget) orHome(self wiki.PageName) linkTarget {
	if (strings.Trim(p.Target, "./") == "" || strings.Contains(p.Target, "..")) && len(p.Paths(self)) == 0 {
		return linkTarget{url: "/"}
	}
	return p
}

// wikilinkTarget interprets a wikilink or an embed on page self.
func (n *wikilink) wikilinkTarget(self wiki.PageName) linkTarget {
	if s := scheme(n.target); s == "http" || s == "https" {
		to := n.target
		if n.fragment != "" {
			to += "#" + n.fragment
		}
		return externalTarget(s, to)
	}
	if n.target == "" {
		return linkTarget{url: FragmentAnchor(n.fragment), fragment: n.fragment}
	}
	p := linkTarget{fragment: n.fragment}
	p.Link = wiki.Link{Kind: wiki.LinkPage, Target: strings.Map(printableRune, n.target)}
	switch name := strings.TrimSuffix(p.Target, ".md"); {
	case n.embed:
		p.Kind = wiki.LinkEmbed
	case LooksLikeFile(name):
		p.Kind = wiki.LinkFile
	}
	if label := strings.Map(printableRune, n.label); len(label) <= wiki.MaxNameBytes && n.canBeSwapped() {
		p.Label = label
	}
	return p.orHome(self)
}

// canBeSwapped reports whether the target can be after the bar. For an embed it can't be
// if that is the text or size of a picture.
func (n *wikilink) canBeSwapped() bool {
	if !n.embed {
		return true
	}
	_, width, height := cutSize(n.label, true)
	return width == "" && height == "" && !LooksLikeFile(n.target) && !LooksLikeFile(n.label)
}

// externalTarget is a link with a scheme, if the scheme is allowed.
func externalTarget(scheme, dest string) linkTarget {
	if !slices.Contains(schemes, scheme) || len(dest) == len(scheme)+1 {
		return linkTarget{}
	}
	rest := dest[len(scheme)+1:]
	if scheme == "http" || scheme == "https" || scheme == "ftp" {
		// Browsers read a backslash before the query as a slash (WHATWG URL, 4.4).
		end := strings.IndexAny(rest, "?#")
		if end < 0 {
			end = len(rest)
		}
		rest = strings.ReplaceAll(rest[:end], `\`, "/") + rest[end:]
	}
	return linkTarget{url: scheme + ":" + escapeURL(rest), out: true}
}

// isServiceRoute reports whether an address from the root is one of the
// service's own rather than a page: /-/changelog, /Home/history.
func isServiceRoute(written string) bool {
	if !strings.HasPrefix(written, "/") {
		return false
	}
	parts := strings.Split(strings.Trim(written, "/"), "/")
	if _, err := wiki.ParsePageName(parts[0] + "/x"); err != nil && parts[0] != "" {
		return true
	}
	return slices.ContainsFunc(parts[1:], func(s string) bool { return slices.Contains(wiki.Actions, s) })
}

// fileExtensions are extensions that page names don't have, so that
// [[report.pdf]] is a file while [[Node.js]] is a page.
var fileExtensions = strings.Fields(`7z aac avi avif bmp bz2 css csv doc docx epub flac gif gpx gz heic htm html ico ics jpeg jpg
	json log m4a mkv mobi mov mp3 mp4 mpg odp ods odt ogg ogv opus otf pdf png ppt pptx psd py rar rtf sh sql stl svg tar tex tgz
	tif tiff toml tsv ttf txt wav webm webp woff woff2 xls xlsx xml xz yaml yml zip zst`)

// LooksLikeFile reports whether a path ends like a file that isn't a page.
func LooksLikeFile(p string) bool {
	ending := path.Ext(p)
	return ending != "" && slices.Contains(fileExtensions, strings.ToLower(ending[1:]))
}

func printableRune(r rune) rune {
	if unicode.IsControl(r) || r == unicode.ReplacementChar {
		return -1
	}
	return r
}

func percentDecode(s string) string {
	if decoded, err := url.PathUnescape(s); err == nil {
		return strings.Map(printableRune, strings.ToValidUTF8(decoded, ""))
	}
	return s
}

// escapeURL escapes characters that aren't allowed in a URL, without double
// escaping.
func escapeURL(s string) string {
	const plain = "!#$&'()*+,-./:;=?@[]_~"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(plain, c) >= 0:
			b.WriteByte(c)
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(c)
		default:
			const digits = "0123456789ABCDEF"
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// idPrefix separates ids made from user text from the ids of our pages, so
// that no heading can pose as a form or a script's variable.
const idPrefix = "user-content-"

// Anchor returns the fragment, with its #, of a heading by its text or its
// id.
func Anchor(heading string) string {
	heading = strings.TrimPrefix(heading, idPrefix)
	return "#" + idPrefix + escapeURL(slug(heading))
}

// FragmentAnchor is Anchor for a link's fragment, which can also be a block's
// id or the path of a heading.
func FragmentAnchor(fragment string) string {
	if id, ok := blockIDOf(fragment); ok {
		return "#" + idPrefix + escapeURL("^"+id)
	}
	path := HeadingPath(fragment)
	return Anchor(path[len(path)-1])
}

// AnchorFragment returns the fragment of links to an Anchor or FragmentAnchor.
func AnchorFragment(anchor string) string {
	return percentDecode(strings.TrimPrefix(anchor, "#"+idPrefix))
}

// slug returns a heading's id without the prefix, like An Otter Wiki but
// keeping letters without an ASCII form.
func slug(heading string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.TrimSpace(heading)) {
		switch {
		case r >= 0x300 && r <= 0x36f: // combining accents
		case unicode.IsSpace(r):
			b.WriteByte('-')
		case r == '-' || isWord(r):
			b.WriteRune(unicode.ToLower(r))
		}
	}
	if b.Len() == 0 {
		return "section"
	}
	return norm.NFC.String(b.String())
}

func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r)
}

// linksOf calls found for each link of a node that can lead into the wiki: a
// wikilink, a Markdown link or image, or raw HTML.
func (d *document) linksOf(n ast.Node, found func(linkTarget)) {
	switch n := n.(type) {
	case *wikilink:
		found(n.wikilinkTarget(d.name))
	case *ast.Link:
		found(d.destinationTarget(n.Destination, false))
	case *ast.Image:
		found(d.destinationTarget(n.Destination, true))
	case *ast.RawHTML, *ast.HTMLBlock:
		for _, t := range d.htmlTags(n) {
			found(addressTarget(d.name, t.address, t.name != "a"))
		}
	case *widgetOption:
		if n.isAddress() {
			found(addressTarget(d.name, d.value(n), true))
		}
	}
}
