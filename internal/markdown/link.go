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

// A place is what a link means before anybody looks whether it is there.
//
// An address of a Markdown link is read so, on page Design/VPS:
//
//	/Design/Other     from the root
//	Other, ../Other   from the page's folder, as in a browser: Design/Other, Other
//	./Other           below the page, as in An Otter Wiki: Design/VPS/Other
//	Other.md, ./O.md  a file beside the page's file, as on GitHub: Design/Other
//	f.png, ./f.png    a file: as above, or, where there is none, below the page
//	                  (its attachments), or in its folder
//
// A wikilink's target is a page name from the root, but for "./" and "../".
type place struct {
	kind     wiki.LinkKind // "" for what is not looked up
	target   string        // page name or file path
	also     string        // the file that is meant where target does not exist, or ""
	query    string        // with its question mark, escaped
	fragment string
	url      string // of what is not looked up, escaped; "" for nowhere
	out      bool   // it leads to another host or program
}

// schemes of links that lead out of the wiki. None of them can run anything in
// the page.
var schemes = []string{"http", "https", "mailto", "tel", "sms", "at", "geo", "xmpp", "irc", "ircs", "matrix", "gemini", "ftp", "sftp", "ssh", "git", "magnet", "doi", "urn"}

// scheme is what an address has before its colon (RFC 3986 section 3.1), or "".
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

// maxAddress bounds what is read as an address, in bytes.
const maxAddress = 4000

// A destination is one of Markdown where it is written. A page may use a long
// definition a hundred thousand times, so it is read once.
type destination struct {
	first *byte
	image bool
}

// place is what a Markdown destination, a part of the source, means.
func (d *document) place(written []byte, image bool) place {
	if len(written) == 0 || len(written) > maxAddress {
		return place{}
	}
	key := destination{&written[0], image}
	p, ok := d.places[key]
	if !ok {
		p = address(d.name, unescape(written), image)
		if d.places == nil {
			d.places = map[destination]place{}
		}
		d.places[key] = p
	}
	return p
}

// address reads the address of a Markdown link or image on page self.
func address(self wiki.PageName, dest string, image bool) place {
	dest = strings.TrimSpace(strings.Map(printable, dest))
	if strings.HasPrefix(dest, "//") {
		dest = "https:" + dest
	}
	if s := scheme(dest); s != "" {
		return outside(strings.ToLower(s), dest)
	}
	var p place
	dest, fragment, _ := strings.Cut(dest, "#")
	p.fragment = percentDecode(fragment)
	if before, query, ok := strings.Cut(dest, "?"); ok {
		dest, p.query = before, "?"+escapeURL(query)
	}
	written := percentDecode(dest)
	switch {
	case written == "":
		p.url = p.query
		if p.fragment != "" {
			p.url += Anchor(p.fragment)
		}
		return p
	case ownRoute(written):
		p.url = wiki.PathURL(strings.TrimLeft(path.Clean(written), "/")) + p.query
		if p.fragment != "" {
			p.url += "#" + escapeURL(p.fragment)
		}
		return p
	}
	p.resolve(self, written, image)
	return p
}

// resolve fills in what a path without scheme, query and fragment means.
func (p *place) resolve(self wiki.PageName, written string, image bool) {
	folder, below := self.Parent(), string(self)
	name, isPage := strings.CutSuffix(written, ".md")
	rest, dot := strings.CutPrefix(written, "./")
	switch {
	case strings.HasPrefix(written, "/"):
		p.target = join("", name)
	case isPage && !image, !dot:
		p.target, p.also = join(folder, name), join(below, name)
	default:
		p.target, p.also = join(below, strings.TrimSuffix(rest, ".md")), join(folder, rest)
	}
	switch {
	case p.target == "":
		p.also, p.url = "", "/"
		return
	case image || !isPage && looksLikeFile(p.target):
		p.kind = wiki.LinkFile
	default:
		p.kind, p.also = wiki.LinkPage, ""
	}
	if p.also == p.target {
		p.also = ""
	}
}

// join is a path from the root; what climbs above the root stays at it.
func join(folder, p string) string { return path.Clean("/" + folder + "/" + p)[1:] }

// wikiPlace is where a wikilink or an embed on page self leads.
func (n *wikilink) place(self wiki.PageName) place {
	if s := scheme(n.target); s == "http" || s == "https" {
		to := n.target
		if n.fragment != "" {
			to += "#" + n.fragment
		}
		return outside(s, to)
	}
	if n.target == "" {
		return place{url: Anchor(n.fragment), fragment: n.fragment}
	}
	p := place{kind: wiki.LinkPage, fragment: n.fragment}
	target := strings.Map(printable, n.target)
	rest, dot := strings.CutPrefix(target, "./")
	switch {
	case dot:
		p.target = join(string(self), rest)
	case strings.HasPrefix(target, "../"):
		p.target = join(self.Parent(), target)
	default:
		p.target = strings.Trim(target, "/")
	}
	p.target = strings.TrimSuffix(p.target, ".md")
	switch {
	case p.target == "":
		return place{url: "/"}
	case n.embed:
		p.kind = wiki.LinkEmbed
	case looksLikeFile(p.target):
		p.kind = wiki.LinkFile
	}
	return p
}

// outside is a link with a scheme, if it is one that we let through.
func outside(scheme, dest string) place {
	if !slices.Contains(schemes, scheme) || len(dest) == len(scheme)+1 {
		return place{}
	}
	return place{url: scheme + ":" + escapeURL(strings.ReplaceAll(dest[len(scheme)+1:], `\`, "/")), out: true}
}

// ownRoute reports an address from the root that is one of the service's own
// and no page: /-/changelog, /Home/history.
func ownRoute(written string) bool {
	if !strings.HasPrefix(written, "/") {
		return false
	}
	parts := strings.Split(strings.Trim(written, "/"), "/")
	if _, err := wiki.ParsePageName(parts[0] + "/x"); err != nil && parts[0] != "" {
		return true
	}
	return slices.ContainsFunc(parts[1:], func(s string) bool { return slices.Contains(wiki.Actions, s) })
}

// fileEndings are extensions that no page name has, so that [[report.pdf]] is a
// file while [[Node.js]] is a page.
var fileEndings = strings.Fields(`7z aac avi avif bmp bz2 css csv doc docx epub flac gif gpx gz heic htm html ico ics jpeg jpg
	json log m4a mkv mobi mov mp3 mp4 mpg odp ods odt ogg ogv opus otf pdf png ppt pptx psd py rar rtf sh sql stl svg tar tex tgz
	tif tiff toml tsv ttf txt wav webm webp woff woff2 xls xlsx xml xz yaml yml zip zst`)

func looksLikeFile(p string) bool {
	ending := path.Ext(p)
	return ending != "" && slices.Contains(fileEndings, strings.ToLower(ending[1:]))
}

func printable(r rune) rune {
	if unicode.IsControl(r) || r == unicode.ReplacementChar {
		return -1
	}
	return r
}

func percentDecode(s string) string {
	if decoded, err := url.PathUnescape(s); err == nil {
		return strings.Map(printable, strings.ToValidUTF8(decoded, ""))
	}
	return s
}

// escapeURL escapes what may not stand in an address, and nothing twice.
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

// idPrefix keeps ids that are made of people's words apart from the ids of our
// pages, so that no heading can stand in for a form or a script's variable.
const idPrefix = "user-content-"

// Anchor is the fragment of an address, with its #, that leads to a heading of
// that text, or to the heading whose id it is.
func Anchor(heading string) string {
	heading = strings.TrimPrefix(heading, idPrefix)
	return "#" + idPrefix + escapeURL(slug(heading))
}

// slug is a heading's id without its prefix: as An Otter Wiki has it, but
// letters that have no ASCII form stay.
func slug(heading string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.TrimSpace(heading)) {
		switch {
		case r >= 0x300 && r <= 0x36f: // accents
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

// linksOf calls back for each link of a node that may lead somewhere in the
// wiki: of a wikilink, a Markdown link or image, or raw HTML.
func (d *document) linksOf(n ast.Node, found func(place)) {
	switch n := n.(type) {
	case *wikilink:
		found(n.place(d.name))
	case *ast.Link:
		found(d.place(n.Destination, false))
	case *ast.Image:
		found(d.place(n.Destination, true))
	case *ast.RawHTML, *ast.HTMLBlock:
		for _, t := range d.tags(n) {
			found(address(d.name, t.address, t.name == "img"))
		}
	}
}
