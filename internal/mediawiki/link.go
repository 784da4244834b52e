package mediawiki

import (
	"html"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

func itoa(n int) string { return strconv.Itoa(n) }

// link converts the link that is next and ends at end. It reports false if the
// brackets are no link.
func (w *inlineWriter) link(end int) bool {
	c := w.c
	parts := c.split(w.at+2, end-2, "|")
	target := c.text[parts[0][0]:parts[0][1]]
	if strings.TrimSpace(target) == "" || strings.ContainsAny(target, "[]<>\n") {
		return false
	}
	if strings.ContainsAny(target, "{}") { // a template says where it leads
		w.write(codeSpan(c.text[w.at:end]))
		w.at = end
		return true
	}
	target, colon := strings.CutPrefix(strings.TrimSpace(html.UnescapeString(target)), ":")
	page, fragment, _ := strings.Cut(target, "#")
	title := c.resolveTitle(page)
	switch _, _, exists := c.o.Link(title); {
	case !colon && title.Namespace == NamespaceCategory:
		c.addTag(title.Text)
	case !colon && title.Namespace == NamespaceFile:
		w.picture(title.Text, parts[1:])
	case !exists && w.interwiki(target, colon, parts):
	default:
		w.at = end
		w.pageLink(title, page == "", fragment, target, parts)
		return true
	}
	w.at = end
	return true
}

// resolveTitle reads the title in a link, which can be relative to the page.
func (c *converter) resolveTitle(text string) Title {
	self := c.o.Title
	relative := strings.TrimSuffix(strings.TrimSpace(text), "/")
	switch {
	case strings.HasPrefix(relative, "../") || relative == "..":
		up := path.Join("/"+self.Text, relative)
		return Title{self.Namespace, cleanTitle(strings.TrimPrefix(up, "/"))}
	case len(relative) > 1 && relative[0] == '/':
		if whole := c.o.Site.ParseTitle(text); c.exists(whole) {
			return whole
		}
		return Title{self.Namespace, self.Text + "/" + cleanTitle(relative[1:])}
	case relative == "":
		return self
	}
	return c.o.Site.ParseTitle(text)
}

func (c *converter) exists(t Title) bool {
	_, _, ok := c.o.Link(t)
	return ok
}

// pageLink writes a link to a page, or within the page.
func (w *inlineWriter) pageLink(title Title, within bool, fragment, written string, parts [][2]int) {
	c := w.c
	to, section, ok := c.o.Link(title)
	if !ok {
		to = c.o.Path(title)
	}
	if title.Namespace == NamespaceFile || title.Namespace == NamespaceMedia {
		to = title.Text
	}
	if fragment = decodeAnchor(fragment); fragment == "" {
		fragment = section
	}
	target := strings.ReplaceAll(to, "_", " ")
	if within {
		target, to = "", ""
	}
	if fragment != "" {
		target += "#" + fragment
	}
	label, plain := written, true
	switch {
	case len(parts) > 1:
		if label, plain = w.label(parts[1][0], parts[len(parts)-1][1]); label == "" {
			label = shortTitle(title.Text) // the pipe trick, which MediaWiki resolves when a page is saved
		}
	case within:
		label = target
	case strings.HasPrefix(written, ".."):
		label = path.Base(title.Text)
	}
	label += w.trail()
	switch {
	case target == "":
		w.write(label)
	case !plain:
		address := &url.URL{Fragment: fragment}
		if !within {
			address.Path = "/" + to
		}
		w.write("[" + label + "](" + escapeParens(address.String()) + ")")
	case strings.EqualFold(label, target):
		w.write("[[" + label + "]]")
	default:
		w.write("[[" + target + "|" + label + "]]")
	}
}

func escapeParens(address string) string {
	return strings.NewReplacer("(", "%28", ")", "%29").Replace(address)
}

// label returns the text of a link: as it is if a wikilink can have it, otherwise as
// Markdown.
func (w *inlineWriter) label(from, to int) (text string, plain bool) {
	c := w.c
	raw := strings.Join(strings.Fields(html.UnescapeString(c.text[from:to])), " ")
	if !strings.ContainsAny(raw, "[]{}<>|\\`*") && !strings.Contains(raw, "''") {
		return raw, true
	}
	if !c.nest(func() { text = c.inline(from, to) }) {
		return strings.NewReplacer("[", "(", "]", ")", "|", "/", "\\", "/").Replace(raw), true
	}
	return strings.Join(strings.Fields(text), " "), false
}

// shortTitle returns a title without its parentheses, or the words after a comma.
func shortTitle(title string) string {
	if before, _, ok := strings.Cut(title, " ("); ok && strings.HasSuffix(title, ")") {
		return before
	}
	before, _, _ := strings.Cut(title, ", ")
	return before
}

// trail returns the letters after the link that is next, which belong to its text.
func (w *inlineWriter) trail() string {
	from := w.at
	for w.at < w.to {
		r, size := utf8.DecodeRuneInString(w.c.text[w.at:w.to])
		if !unicode.IsLower(r) {
			break
		}
		w.at += size
	}
	return w.c.text[from:w.at]
}

var anchorCode = regexp.MustCompile(`\.([0-9A-F]{2})`)

// decodeAnchor returns the heading that an anchor names.
func decodeAnchor(anchor string) string {
	anchor = cleanTitle(anchor)
	if strings.Contains(anchor, "%") {
		if decoded, err := url.PathUnescape(anchor); err == nil {
			anchor = decoded
		}
	}
	// Older links have bytes as .C3.A4.
	if decoded, err := url.PathUnescape(anchorCode.ReplaceAllString(strings.ReplaceAll(anchor, "%", "%25"), "%$1")); err == nil && len(decoded) < len(anchor)-3 && utf8.ValidString(decoded) {
		anchor = decoded
	}
	return strings.NewReplacer("[", "", "]", "", "|", " ", "\n", " ").Replace(anchor)
}

// unescapeAddress decodes the title in an address.
func unescapeAddress(text string) string {
	if decoded, err := url.PathUnescape(text); err == nil {
		text = decoded
	}
	return cleanTitle(text)
}

// interwikiHosts are the prefixes of Wikimedia's wikis, which every wiki knows.
var interwikiHosts = map[string]string{
	"wikipedia": "en.wikipedia.org", "w": "en.wikipedia.org", "wiktionary": "en.wiktionary.org", "wikt": "en.wiktionary.org",
	"commons": "commons.wikimedia.org", "c": "commons.wikimedia.org", "meta": "meta.wikimedia.org", "m": "meta.wikimedia.org",
	"mw": "www.mediawiki.org", "mediawikiwiki": "www.mediawiki.org", "wikidata": "www.wikidata.org", "d": "www.wikidata.org",
	"wikibooks": "en.wikibooks.org", "b": "en.wikibooks.org", "wikiquote": "en.wikiquote.org", "q": "en.wikiquote.org",
	"wikisource": "en.wikisource.org", "s": "en.wikisource.org", "wikivoyage": "en.wikivoyage.org", "voy": "en.wikivoyage.org",
	"wikinews": "en.wikinews.org", "n": "en.wikinews.org", "wikiversity": "en.wikiversity.org", "v": "en.wikiversity.org",
	"species": "species.wikimedia.org",
}

// languages are the codes of the largest Wikipedias.
var languages = words(`ar az be bg bn bs ca ceb cs cy da de el en eo es et eu fa fi fr ga gl he hi hr hu hy id is it ja ka kk ko la lt lv
	mk ml ms nl nn no oc pl pt ro ru sh simple sk sl sq sr sv sw ta te th tl tr tt uk ur uz vi war zh`)

// interwiki converts a link to another wiki: [[w:Page]], or [[de:Seite]], which
// MediaWiki shows beside the page.
func (w *inlineWriter) interwiki(target string, colon bool, parts [][2]int) bool {
	prefix, title, ok := strings.Cut(target, ":")
	prefix = strings.ToLower(strings.TrimSpace(prefix))
	title = strings.TrimSpace(title)
	if !ok || title == "" {
		return false
	}
	host := interwikiHosts[prefix]
	if host == "" && languages[prefix] {
		if !colon {
			w.write(comment("[[" + target + "]]"))
			return true
		}
		host = prefix + ".wikipedia.org"
	}
	if host == "" {
		return false
	}
	if language, rest, ok := strings.Cut(title, ":"); ok && languages[language] { // w:de:Seite
		host, title = language+strings.TrimPrefix(host, "en"), rest
	}
	text := target
	if len(parts) > 1 {
		text = w.c.text[parts[1][0]:parts[len(parts)-1][1]]
	}
	address := &url.URL{Scheme: "https", Host: host, Path: "/wiki/" + strings.ReplaceAll(title, " ", "_")}
	if page, fragment, ok := strings.Cut(address.Path, "#"); ok {
		address.Path, address.Fragment = page, fragment
	}
	w.write("[" + escapeLabel(text) + "](" + escapeParens(address.String()) + ")")
	return true
}

// escapeLabel escapes a text for the brackets of a link.
func escapeLabel(text string) string {
	text = strings.ReplaceAll(strings.Join(strings.Fields(html.UnescapeString(text)), " "), "''", "")
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, "*", `\*`, "_", `\_`, "`", "\\`", "<", `\<`, "~", `\~`, "$", `\$`).Replace(text)
}

// pictureOption matches options that say how a picture looks, in a few languages.
var pictureOption = regexp.MustCompile(`(?i)^(thumb|thumbnail|mini|miniatur|vignette|frame|framed|frameless|gerahmt|rahmenlos|cadre|border|rand|bordure|left|right|center|centre|none|links|rechts|zentriert|gauche|droite|centré|ohne|izquierda|derecha|upright|hochkant|redresse|baseline|sub|super|top|text-top|middle|bottom|text-bottom)$|^(upright|hochkant|redresse|link|page|seite|lang|class|thumb|manualthumb|loop|start|end|thumbtime)\s*=`)

var pictureWidth = regexp.MustCompile(`(?i)^([0-9]{1,4})(?:x[0-9]{1,4})?\s*px$|^x[0-9]{1,4}\s*px$`)

// isThumb matches the options with which a picture shows its caption.
var isThumb = regexp.MustCompile(`(?i)^(thumb|thumbnail|mini|miniatur|vignette|frame|framed|gerahmt|cadre)$`)

// picture converts a picture with its options. The last text is its caption.
func (w *inlineWriter) picture(name string, parts [][2]int) {
	c := w.c
	alt, width, thumb := "", "", false
	var caption [2]int
	for _, p := range parts {
		text := strings.TrimSpace(c.text[p[0]:p[1]])
		size := pictureWidth.FindStringSubmatch(text)
		switch {
		case size != nil:
			width = size[1]
		case strings.HasPrefix(strings.ToLower(text), "alt="):
			alt = text[len("alt="):]
		case pictureOption.MatchString(text):
			thumb = thumb || isThumb.MatchString(text)
		case text != "":
			caption = p
		}
	}
	raw := c.text[caption[0]:caption[1]]
	shown := ""
	if caption[1] > 0 {
		if !c.nest(func() { shown = c.inline(caption[0], caption[1]) }) {
			shown = codeSpan(raw)
		}
		shown = strings.Join(strings.Fields(shown), " ")
	}
	simple := !strings.ContainsAny(raw, "[]{}<>|") && !strings.Contains(raw, "''")
	if alt == "" && simple {
		alt = raw
	}
	w.write(embed(name, alt, width))
	if shown != "" && (thumb || !simple) {
		w.writeBlock(quote(shown))
	}
}

// embed returns the Markdown of a picture, or a link to another file.
func embed(name, alt, width string) string {
	alt = strings.Join(strings.Fields(strings.NewReplacer("[", "(", "]", ")", "|", "/", "\\", "/").Replace(html.UnescapeString(alt))), " ")
	out := "[[" + name
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".bmp", ".tif", ".tiff", ".avif":
		out = "!" + out
	default:
		width = ""
	}
	for _, part := range []string{alt, width} {
		if part != "" {
			out += "|" + part
		}
	}
	return out + "]]"
}

var (
	addressStart = regexp.MustCompile(`^(?i:https?://|ftp://|//|mailto:)[^\s\[\]<>"{}|\\^` + "`" + `]+`)
	plainAddress = regexp.MustCompile(`^[A-Za-z0-9/:.%&?=+#,;@!-]+$`)
)

// address converts a link to an address in brackets. It reports false if the bracket
// is none.
func (w *inlineWriter) address() bool {
	c := w.c
	line := c.text[w.at+1 : w.to]
	m := addressStart.FindString(line[:min(len(line), maxTag)])
	if m == "" || w.at < w.closed {
		return false
	}
	at := w.at + 1 + len(m)
	for at < w.to && c.text[at] != ']' && c.text[at] != '\n' {
		if end := c.ends[at]; end > at && end <= w.to {
			at = end
			continue
		}
		at++
	}
	if at >= w.to || c.text[at] != ']' {
		w.closed = at
		return false
	}
	from := w.at + 1 + len(m)
	if strings.HasPrefix(m, "//") {
		m = "https:" + m
	}
	text := ""
	if !c.nest(func() { text = c.inline(from, at) }) {
		text = escapeLabel(c.text[from:at])
	}
	w.at = at + 1
	if text = strings.Join(strings.Fields(text), " "); text == "" {
		w.write("<" + m + ">")
	} else {
		w.write("[" + text + "](" + escapeParens(m) + ")")
	}
	return true
}

// bareAddress converts an address in the text.
func (w *inlineWriter) bareAddress() bool {
	if isWord(w.last) {
		return false
	}
	text, _, _ := strings.Cut(w.c.text[w.at:min(w.to, w.at+maxTag)], "''")
	m := addressStart.FindString(text)
	if m == "" || strings.HasPrefix(m, "//") {
		return false
	}
	cut := `.,;:!?'`
	if !strings.Contains(m, "(") {
		cut += ")"
	}
	m = strings.TrimRight(m, cut)
	if strings.HasSuffix(m, "//") || strings.HasSuffix(m, "mailto") {
		return false
	}
	w.at += len(m)
	if plainAddress.MatchString(m) && !strings.Contains(m, "==") {
		w.write(m)
	} else {
		w.write("<" + m + ">")
	}
	return true
}
