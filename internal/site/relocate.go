package site

import (
	"bytes"
	"html"
	"html/template"
	"regexp"
	"strings"

	xhtml "golang.org/x/net/html"
)

// relocate rewrites the links of a rendered page for its place in the site, and
// returns its text too. Links to missing pages become text. What would load something
// from elsewhere is dropped, whatever the tag.
func (s *Site) relocate(from string, body template.HTML) (template.HTML, string) {
	r := relocation{site: s, from: from}
	z := xhtml.NewTokenizer(strings.NewReader(string(body)))
	for {
		kind := z.Next()
		raw := string(z.Raw())
		switch kind {
		case xhtml.ErrorToken:
			return template.HTML(r.out.String()), strings.Join(strings.Fields(r.text.String()), " ")
		case xhtml.TextToken:
			r.out.WriteString(raw)
			if r.silent == 0 {
				r.text.WriteString(html.UnescapeString(raw))
			}
		case xhtml.StartTagToken, xhtml.SelfClosingTagToken:
			r.startTag(z.Token(), raw)
		case xhtml.EndTagToken:
			r.endTag(z.Token().Data, raw)
		}
	}
}

// A relocation is the state of relocate.
type relocation struct {
	site   *Site
	from   string // path of the page in the site
	out    bytes.Buffer
	text   bytes.Buffer
	links  []string // end tags of the open <a>s
	silent int      // the open <a> is an anchor, whose text isn't the page's
}

func (r *relocation) startTag(t xhtml.Token, raw string) {
	switch t.Data {
	case "a":
		r.startLink(t)
		return
	case "use":
		r.out.WriteString(r.site.symbols.inline(attribute(t, "href")))
		return
	case "p", "li", "td", "th", "dt", "dd", "br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "summary", "figcaption":
		r.text.WriteByte(' ')
	}
	if !loads(t) {
		r.out.WriteString(raw)
		return
	}
	kept := t.Attr[:0]
	for _, a := range t.Attr {
		if isAddress(a.Key) {
			if a.Val = r.site.fileURL(r.from, a.Val); a.Val == "" {
				continue
			}
		}
		kept = append(kept, a)
	}
	t.Attr = kept
	r.out.WriteString(t.String())
}

// startLink writes an <a>. One without a target becomes a <span>.
func (r *relocation) startLink(t xhtml.Token) {
	class := strings.Fields(attribute(t, "class"))
	href, target := attribute(t, "href"), ""
	red := false
	for _, c := range class {
		red = red || c == "red"
		if c == "anchor" {
			r.silent = 1
		}
	}
	if href != "" && !red {
		target = r.site.linkURL(r.from, href)
	}
	kept := t.Attr[:0]
	for _, a := range t.Attr {
		switch {
		case a.Key == "href" && target == "", a.Key == "rel" && target == "", a.Key == "title" && red:
			continue
		case a.Key == "href":
			a.Val = target
		case isAddress(a.Key), a.Key == "ping":
			continue
		}
		kept = append(kept, a)
	}
	t.Attr = kept
	if target == "" {
		t.Data = "span"
	}
	r.links = append(r.links, "</"+t.Data+">")
	r.out.WriteString(t.String())
}

func (r *relocation) endTag(name, raw string) {
	if name == "use" {
		return
	}
	if name == "a" && len(r.links) > 0 {
		raw = r.links[len(r.links)-1]
		r.links = r.links[:len(r.links)-1]
		r.silent = 0
	}
	r.out.WriteString(raw)
}

func attribute(t xhtml.Token, key string) string {
	for _, a := range t.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// loads reports whether a tag has an address.
func loads(t xhtml.Token) bool {
	for _, a := range t.Attr {
		if isAddress(a.Key) {
			return true
		}
	}
	return false
}

// isAddress reports whether an attribute is an address that browsers load or follow.
func isAddress(key string) bool {
	switch key {
	case "href", "src", "srcset", "poster", "data", "action", "formaction", "background", "cite", "longdesc", "xlink:href":
		return true
	}
	return false
}

// symbols are the icons of the service's sprite: the inner SVG of each by name.
// Browsers load no sprite from another file of a folder, so icons are copied.
type symbols map[string]string

var symbolForm = regexp.MustCompile(`(?s)<symbol id="([a-z-]+)" viewBox="([0-9 ]+)">(.*?)</symbol>`)

func readSymbols(sprite []byte) symbols {
	all := symbols{}
	for _, m := range symbolForm.FindAllStringSubmatch(string(sprite), -1) {
		all[m[1]] = `<svg viewBox="` + m[2] + `" width="100%" height="100%">` + m[3] + `</svg>`
	}
	return all
}

// inline returns the icon that a reference to the sprite names.
func (s symbols) inline(reference string) string {
	return s[reference[strings.LastIndex(reference, "#")+1:]]
}

func (s symbols) icon(name string, classes ...string) template.HTML {
	return template.HTML(`<svg class="` + strings.Join(append([]string{"icon"}, classes...), " ") + `" aria-hidden="true">` + s[name] + `</svg>`)
}
