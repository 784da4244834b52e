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
// wikilinks, Markdown links and images, reference definitions, embeds, raw
// HTML links and images, and wikilinks in the front matter, but not in code.
// It calls rename with each distinct target, as in Facts; rename returns the
// new target, or false to keep it. self and newSelf are the page's own name
// before and after the move, usually the same; relative links keep their
// targets. Everything else stays byte for byte.
func RewriteLinks(self, newSelf wiki.PageName, source []byte, rename func(kind wiki.LinkKind, target string) (string, bool)) ([]byte, bool) {
	return RewriteAddresses(self, newSelf, source, func(a Address) (Address, bool) {
		if a.Target == "" {
			return a, false
		}
		to, ok := rename(a.Kind, a.Target)
		return Address{a.Kind, to, a.Fragment}, ok
	})
}

// An Address is where a link leads.
type Address struct {
	Kind     wiki.LinkKind // "" within the page
	Target   string        // as in Facts, "" within the page
	Fragment string        // as written, decoded
}

// RewriteAddresses is RewriteLinks for links to headings: rename is called with each
// distinct address, and can change the fragment, too. It gets links within the page,
// which can become links to other pages.
func RewriteAddresses(self, newSelf wiki.PageName, source []byte, rename func(Address) (Address, bool)) ([]byte, bool) {
	d := tryParse(self, source)
	if d == nil {
		return source, false // an unparsable page has no links
	}
	r := &rewriter{doc: d, newSelf: newSelf, rename: rename, answers: map[Address]renameResult{}}
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
	rename  func(Address) (Address, bool)
	answers map[Address]renameResult
	edits   []replacement
}

type renameResult struct {
	to Address
	ok bool
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
			r.wikilink(n, f.start+m[0]+len("[[")+n.start)
		}
	}
}

// newTargetOf returns the new target and fragment of a link: those of target or, if
// it isn't moved, those of the file used if target doesn't exist.
func (r *rewriter) newTargetOf(p linkTarget) (to, fragment string, moved bool) {
	for _, target := range []string{p.target, p.also} {
		if target == "" && !p.isWithinPage() {
			continue
		}
		key := Address{p.kind, target, p.fragment}
		a, known := r.answers[key]
		if !known {
			a.to, a.ok = r.rename(key)
			r.answers[key] = a
		}
		if a.ok {
			return a.to.Target, a.to.Fragment, true
		}
		if p.isWithinPage() {
			break
		}
	}
	return p.target, p.fragment, false
}

// isWithinPage reports whether a link leads to a heading of its own page.
func (p *linkTarget) isWithinPage() bool {
	return p.kind == "" && p.target == "" && p.fragment != "" && p.query == "" && !p.out && strings.HasPrefix(p.url, "#")
}

// wikilink rewrites a wikilink or embed whose target is at an offset. Only
// targets with "./" or "../" depend on the page.
func (r *rewriter) wikilink(n *wikilink, at int) {
	p := n.wikilinkTarget(r.doc.name)
	if p.kind == "" && !p.isWithinPage() {
		return
	}
	to, fragment, ok := r.newTargetOf(p)
	now := n.wikilinkTarget(r.newSelf)
	same := to == now.target || !ok && now.target == p.target
	if same && fragment == p.fragment {
		return
	}
	if same {
		to = n.target
	} else if !strings.Contains(n.target, "_") || strings.Contains(n.target, " ") {
		to = strings.ReplaceAll(to, "_", " ") // keep the writer's spelling of names
	}
	if strings.ContainsAny(to, "[]|#\n") || strings.ContainsAny(fragment, "[]|\n") || strings.Contains(n.target, `\`) {
		return // a wikilink can't express that; the redirect from the old name remains
	}
	if fragment != p.fragment {
		r.replace(at, n.target+"#"+n.fragment, to+"#"+fragment)
		return
	}
	r.replace(at, n.target, to)
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
	if p.kind == "" && !p.isWithinPage() {
		return
	}
	to, fragment, moved := r.newTargetOf(p)
	now := addressTarget(r.newSelf, unescape(dest), image)
	same := to == now.target || moved && to == now.also || !moved && now.target == p.target
	if same && fragment == p.fragment {
		return
	}
	end := pathLength(dest)
	text := string(dest[:end])
	if !same {
		written := percentDecode(unescape(dest[:end]))
		if strings.HasSuffix(written, ".md") && p.kind == wiki.LinkPage {
			to += ".md"
		}
		text = escapeDestination(r.spellPath(written, to, image), hasUnicode(text))
	}
	if fragment != p.fragment {
		query, old, _ := strings.Cut(string(dest[end:]), "#")
		text += query + "#" + escapeDestination(fragment, hasUnicode(old))
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

// spellPath spells a path in the style of the old one: from the root, below
// the page, or from its folder. It uses the root if the others would lead
// elsewhere.
func (r *rewriter) spellPath(written, to string, image bool) string {
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
	p := addressTarget(r.newSelf, escapeDestination(relative, false), image)
	if p.kind == "" || p.target != strings.TrimSuffix(to, ".md") && p.target != to {
		return rooted
	}
	return relative
}

// relativePath returns the path from a folder to a path, both from the root.
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
