package markdown

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"

	"robot.wtf/internal/wiki"
)

// RewriteLinks changes the targets of links: in wikilinks, Markdown links and images,
// reference definitions, embeds, raw HTML links and images, and wikilinks in the front
// matter, but not in code. It calls respell with each distinct link of page self, as in
// Facts, and its fragment as written, decoded; respell returns the link with the target,
// or the label, and the fragment that it should have. It also gets links within the
// page, of Kind "", which can become links to other pages. Everything else stays byte
// for byte.
func RewriteLinks(self wiki.PageName, source []byte, respell Respell) ([]byte, bool) {
	d := tryParse(self, source)
	if d == nil {
		return source, false // an unparsable page has no links
	}
	r := &rewriter{doc: d, respell: respell, answers: map[link]link{}}
	r.frontMatter()
	_ = ast.Walk(d.root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			r.visit(n)
		}
		return ast.WalkContinue, nil
	})
	return r.apply(source)
}

// A Respell returns what a link becomes.
type Respell func(l wiki.Link, fragment string) (wiki.Link, string)

// A rewriter collects the changes to a page.
type rewriter struct {
	doc     *document
	respell Respell
	answers map[link]link
	edits   []replacement
}

// A replacement replaces text at an offset of the page.
type replacement struct {
	at   int
	old  string
	text string
}

func (r *rewriter) apply(page []byte) ([]byte, bool) {
	slices.SortFunc(r.edits, func(a, b replacement) int { return cmp.Compare(a.at, b.at) })
	var out bytes.Buffer
	done := 0
	for _, e := range r.edits {
		if e.at < done || !bytes.HasPrefix(page[e.at:], []byte(e.old)) {
			continue
		}
		out.Write(page[done:e.at])
		out.WriteString(e.text)
		done = e.at + len(e.old)
	}
	if done == 0 {
		return page, false
	}
	out.Write(page[done:])
	return out.Bytes(), true
}

func (r *rewriter) replace(at int, old, text string) {
	if old != text {
		r.edits = append(r.edits, replacement{at, old, text})
	}
}

func (r *rewriter) visit(n ast.Node) {
	switch n := n.(type) {
	case *wikilink:
		r.wikilink(n, r.doc.offset(n.at))
	case *ast.Link:
		if n.Reference == nil {
			r.address(n.Destination, false)
		}
	case *ast.Image:
		if n.Reference == nil {
			r.address(n.Destination, true)
		}
	case *ast.LinkReferenceDefinition:
		r.address(n.Destination, false)
	case *widgetOption:
		if n.isAddress() {
			line := n.Lines().At(0)
			r.destination(line.Start, line.Value(r.doc.source), true)
		}
	case *ast.RawHTML, *ast.HTMLBlock:
		for _, a := range r.doc.htmlAddresses(n) {
			r.destination(a.at, a.text, a.image)
		}
	}
}

// frontMatter rewrites the wikilinks in parsable front matter.
func (r *rewriter) frontMatter() {
	f := &r.doc.front
	if f.items == nil {
		return
	}
	for _, m := range propLink.FindAllStringIndex(f.text, -1) {
		inside, ok := strings.CutPrefix(f.text[m[0]:m[1]], "[[")
		if !ok || f.toml && isTableHeader(f.text, m[0]) {
			continue
		}
		if n := newWikilink(strings.TrimSuffix(inside, "]]")); n != nil {
			r.wikilink(n, f.start+m[0]+len("[["))
		}
	}
}

// next returns what a link should become; false if it stays.
func (r *rewriter) next(p linkTarget) (link, bool) {
	if p.Kind == "" && !p.isWithinPage() {
		return link{}, false
	}
	key := link{p.Link, p.fragment}
	to, known := r.answers[key]
	if !known {
		to.Link, to.fragment = r.respell(p.Link, p.fragment)
		r.answers[key] = to
	}
	return to, to != key
}

// isWithinPage reports whether a link leads to a heading of its own page.
func (p *linkTarget) isWithinPage() bool {
	return p.Kind == "" && p.Target == "" && p.fragment != "" && p.query == "" && !p.out && strings.HasPrefix(p.url, "#")
}

// wikilink rewrites a wikilink or embed whose text begins at an offset.
func (r *rewriter) wikilink(n *wikilink, at int) {
	p := n.wikilinkTarget(r.doc.name)
	to, changed := r.next(p)
	if !changed || strings.ContainsAny(to.Target, "[]|#\n") || strings.ContainsAny(to.fragment+to.Label, "[]|\n") {
		return // a wikilink can't express that; the redirect from the old name remains
	}
	target := n.target
	if to.Target != p.Target && !strings.Contains(n.target, `\`) {
		target = to.Target
	}
	if to.fragment != p.fragment {
		r.replace(at+n.start, n.target+"#"+n.fragment, target+"#"+to.fragment)
	} else {
		r.replace(at+n.start, n.target, target)
	}
	if to.Label != p.Label {
		r.replace(at+n.labelAt, n.label, to.Label)
	}
}

// address rewrites the destination of a Markdown link, image or definition,
// which is a part of the source.
func (r *rewriter) address(dest []byte, image bool) {
	if at, ok := offsetIn(r.doc.source, dest); ok {
		r.destination(at, dest, image)
	}
}

// destination rewrites the destination at an offset of the source.
func (r *rewriter) destination(at int, dest []byte, image bool) {
	if len(dest) > maxAddress {
		return
	}
	p := addressTarget(r.doc.name, unescape(dest), image)
	to, changed := r.next(p)
	if !changed {
		return
	}
	end := pathLength(dest)
	text := string(dest[:end])
	if to.Target != p.Target {
		text = escapeDestination(to.Target, hasUnicode(text))
		if scheme(text) != "" {
			text = strings.Replace(text, ":", "%3A", 1)
		}
	}
	if to.fragment != p.fragment {
		query, old, _ := strings.Cut(string(dest[end:]), "#")
		text += query + "#" + escapeDestination(to.fragment, hasUnicode(old))
		end = len(dest)
	}
	r.replace(r.doc.offset(at), string(dest[:end]), text)
}

func hasUnicode(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r > 127 })
}

// pathLength is the length of a destination before its query and fragment.
func pathLength(dest []byte) int {
	for i := 0; i < len(dest); {
		n := referenceLength(dest[i:])
		if dest[i] == '\\' && i+1 < len(dest) {
			n = 2
		} else if dest[i] != '&' {
			n = 1
		}
		if said := unescape(dest[i : i+n]); said == "?" || said == "#" {
			return i
		}
		i += n
	}
	return len(dest)
}

// offsetIn returns the offset of a slice within the source. A copy is
// recognized by its capacity, which doesn't match its position.
func offsetIn(source, part []byte) (int, bool) {
	at := cap(source) - cap(part)
	if len(part) == 0 || at < 0 || at+len(part) > len(source) || &source[at] != &part[0] {
		return 0, false
	}
	return at, true
}

// escapeDestination escapes a path for use as one destination, with or
// without angle brackets, also in a table cell.
func escapeDestination(p string, unicode bool) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		c := p[i]
		if c > ' ' && c < 0x7f && !strings.ContainsRune("%?#<>()[]\\\"'`|&*", rune(c)) || c >= 0x80 && unicode {
			b.WriteByte(c)
			continue
		}
		const digits = "0123456789ABCDEF"
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
	return b.String()
}
