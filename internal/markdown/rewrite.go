package markdown

import (
	"bytes"
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"

	"robot.wtf/internal/wiki"
)

// RewriteLinks changes the targets of links to a moved page or file: in
// wikilinks, Markdown links and images, reference definitions and embeds, in
// links and images of raw HTML, and in wikilinks of the front matter, but not in
// code. rename is
// called with each distinct target as in Facts and returns the new one, or
// false to leave it. Text and anchors are kept. self is the page's name before,
// and newSelf after the move (mostly the same), for relative links, which lead
// where they led. All else stays byte for byte.
func RewriteLinks(self, newSelf wiki.PageName, source []byte, rename func(kind wiki.LinkKind, target string) (string, bool)) ([]byte, bool) {
	d := tryParse(self, source)
	if d == nil {
		return source, false // what is not parsed has no links
	}
	r := &rewriter{doc: d, newSelf: newSelf, rename: rename, answers: map[link]renamed{}}
	r.frontMatter()
	_ = ast.Walk(d.root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			r.visit(n)
		}
		return ast.WalkContinue, nil
	})
	return r.apply(source)
}

// A rewriter collects the changes to a page.
type rewriter struct {
	doc     *document
	newSelf wiki.PageName
	rename  func(wiki.LinkKind, string) (string, bool)
	answers map[link]renamed
	edits   []edit
}

type renamed struct {
	to string
	ok bool
}

// An edit replaces what stands at an offset of the page.
type edit struct {
	at   int
	old  string
	text string
}

func (r *rewriter) apply(page []byte) ([]byte, bool) {
	slices.SortFunc(r.edits, func(a, b edit) int { return cmp.Compare(a.at, b.at) })
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
		r.edits = append(r.edits, edit{at, old, text})
	}
}

func (r *rewriter) visit(n ast.Node) {
	switch n := n.(type) {
	case *wikilink:
		r.wikilink(n, r.doc.offset(n.start))
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
	case *ast.RawHTML, *ast.HTMLBlock:
		for _, a := range r.doc.htmlAddresses(n) {
			r.destination(a.at, a.text, a.image)
		}
	}
}

// frontMatter rewrites the wikilinks of front matter that can be read.
func (r *rewriter) frontMatter() {
	f := &r.doc.front
	if f.items == nil {
		return
	}
	for _, m := range propLink.FindAllStringIndex(f.text, -1) {
		inside, ok := strings.CutPrefix(f.text[m[0]:m[1]], "[[")
		if !ok {
			continue
		}
		if n := newWikilink(strings.TrimSuffix(inside, "]]")); n != nil {
			r.wikilink(n, f.start+m[0]+len("[[")+n.start)
		}
	}
}

// moved is the new target of a place: of target or, if that is not moved, of
// the file that is meant where target does not exist.
func (r *rewriter) moved(p place) (string, bool) {
	for _, target := range []string{p.target, p.also} {
		if target == "" {
			continue
		}
		key := link{kind: p.kind, target: target}
		a, known := r.answers[key]
		if !known {
			a.to, a.ok = r.rename(p.kind, target)
			r.answers[key] = a
		}
		if a.ok {
			return a.to, true
		}
	}
	return p.target, false
}

// wikilink rewrites a wikilink or embed whose target is at an offset. The only
// ones that depend on where they stand begin with "./" or "../".
func (r *rewriter) wikilink(n *wikilink, at int) {
	p := n.place(r.doc.name)
	if p.kind == "" {
		return
	}
	to, ok := r.moved(p)
	if now := n.place(r.newSelf); to == now.target || !ok && now.target == p.target {
		return
	}
	if !strings.Contains(n.target, "_") || strings.Contains(n.target, " ") {
		to = strings.ReplaceAll(to, "_", " ") // as its writer spells names
	}
	if strings.ContainsAny(to, "[]|#\n") || strings.Contains(n.target, `\`) {
		return // no wikilink can say that; its former name leads on
	}
	r.replace(at, n.target, to)
}

// address rewrites the destination of a Markdown link, image or definition,
// which is a part of the source.
func (r *rewriter) address(dest []byte, image bool) {
	if at, ok := within(r.doc.source, dest); ok {
		r.destination(at, dest, image)
	}
}

// destination rewrites the destination that stands at an offset of the source.
func (r *rewriter) destination(at int, dest []byte, image bool) {
	if len(dest) > maxAddress {
		return
	}
	p := address(r.doc.name, unescape(dest), image)
	if p.kind == "" {
		return
	}
	to, moved := r.moved(p)
	now := address(r.newSelf, unescape(dest), image)
	if to == now.target || moved && to == now.also || !moved && now.target == p.target {
		return
	}
	end := pathLength(dest)
	written := percentDecode(unescape(dest[:end]))
	if strings.HasSuffix(written, ".md") && p.kind == wiki.LinkPage {
		to += ".md"
	}
	text := escapeDestination(r.spell(written, to, image), bytes.ContainsFunc(dest[:end], func(r rune) bool { return r > 127 }))
	r.replace(r.doc.offset(at), string(dest[:end]), text)
}

// pathLength is how much of a destination comes before its query and fragment.
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

// within is where a slice of the source is in it. Only goldmark's slices that
// are no copies have the capacity that their place implies.
func within(source, part []byte) (int, bool) {
	at := cap(source) - cap(part)
	if len(part) == 0 || at < 0 || at+len(part) > len(source) || &source[at] != &part[0] {
		return 0, false
	}
	return at, true
}

// spell writes a path as its writer wrote the former one, from the root, below
// the page, or from its folder; from the root where that would lead elsewhere.
func (r *rewriter) spell(written, to string, image bool) string {
	rooted := "/" + to
	if strings.HasPrefix(written, "/") {
		return rooted
	}
	base := r.newSelf.Parent()
	isPage := strings.HasSuffix(written, ".md") && !image
	near := ""
	if strings.HasPrefix(written, "./") {
		near = "./"
		if !isPage {
			base = string(r.newSelf)
		}
	}
	relative := near + relativePath(base, to)
	p := address(r.newSelf, escapeDestination(relative, false), image)
	if p.kind == "" || p.target != strings.TrimSuffix(to, ".md") && p.target != to {
		return rooted
	}
	return relative
}

// relativePath leads from a folder to a path, both from the root.
func relativePath(folder, to string) string {
	up := ""
	for folder != "" && folder != to && !strings.HasPrefix(to, folder+"/") {
		up += "../"
		if folder = path.Dir(folder); folder == "." {
			folder = ""
		}
	}
	if folder == "" {
		return up + to
	}
	return up + strings.TrimPrefix(strings.TrimPrefix(to, folder), "/")
}

// escapeDestination writes a path so that it is one destination, with or
// without angle brackets, and no cell of a table ends in it.
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
