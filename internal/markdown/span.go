package markdown

import (
	"fmt"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"

	"robot.wtf/internal/wiki"
)

func (w *writer) writeInline(n ast.Node) {
	switch n := n.(type) {
	case *ast.Text:
		w.writeText(w.doc.text(n))
		switch {
		case n.HardLineBreak():
			w.write("<br>\n")
		case n.SoftLineBreak():
			w.write("\n")
		}
	case *ast.String:
		w.writeText(string(n.Value))
	case *ast.CodeSpan:
		w.write("<code>")
		w.writeText(strings.ReplaceAll(w.codeText(n), "\n", " "))
		w.write("</code>")
	case *ast.Emphasis:
		name := "em"
		if n.Level == 2 {
			name = "strong"
		}
		w.writeWrapped("<"+name+">", n, "</"+name+">")
	case *extast.Strikethrough:
		w.writeWrapped("<del>", n, "</del>")
	case *emoji:
		w.writeText(n.char)
	case *abbreviation:
		w.writeAbbreviation(n)
	case *mark:
		w.writeWrapped("<mark>", n, "</mark>")
	case *ast.Link:
		w.writeMarkdownLink(n)
	case *ast.AutoLink:
		w.writeAutoLink(n)
	case *ast.Image:
		w.markdownImage(n, unescape(n.Title))
	case *wikilink:
		w.writeWikilink(n)
	case *tag:
		w.writeTag(n)
	case *formula:
		w.writeFormula(n.source)
	case *extast.FootnoteLink:
		w.footnoteLink(n)
	case *extast.FootnoteBacklink:
		w.writeBacklink(n)
	case *hiddenText:
	case *taskState: // not at the beginning of an item
		w.writeTaskBox(n, "")
		w.write(" ")
	case *extast.TaskCheckBox: // not at the beginning of an item
		w.write(`<input type="checkbox" disabled aria-label="Task"> `)
	default:
		w.writeChildren(n)
	}
}

func (w *writer) codeText(n *ast.CodeSpan) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Segment.Value(w.doc.source))
		}
	}
	return b.String()
}

func noteRef(notes string, index, use int) string {
	ref := fmt.Sprintf("%s:%d", notes, index)
	if use > 0 {
		ref += fmt.Sprintf("-%d", use+1)
	}
	return ref
}

func (w *writer) writeBacklink(n *extast.FootnoteBacklink) {
	if w.inLink > 0 { // an unclosed raw <a>
		return
	}
	w.write(" <a href=\"#", idPrefix, "ref", noteRef(w.notes, n.Index, n.RefIndex), `" aria-label="Back to the text">&#8617;&#xFE0E;</a>`)
}

func (w *writer) footnoteLink(n *extast.FootnoteLink) {
	if w.inLink > 0 {
		return
	}
	fmt.Fprintf(&w.out, `<sup><a href="#%sfn%s:%d" id="%sref%s" aria-label="Note %d">%d</a></sup>`,
		idPrefix, w.notes, n.Index, idPrefix, noteRef(w.notes, n.Index, n.RefIndex), n.Index, n.Index)
}

func (w *writer) writeTag(n *tag) {
	if len(w.embeds) == 0 {
		w.tags = append(w.tags, n.name)
	}
	if w.inLink > 0 || w.detached {
		w.writeText("#" + n.written)
		return
	}
	w.write(`<a class="tag" href="/-/search?q=`, html.EscapeString(url.QueryEscape("tag:"+n.name)), `">#`, html.EscapeString(n.written), "</a>")
}

// A resolvedLink is the destination of a link.
type resolvedLink struct {
	linkTarget
	url     string // escaped as a URL, not for HTML; "" for no link
	missing bool
	trusted bool // a host that the operator trusts
	card    bool // it looks like a card
	target  Target
}

// isLink reports whether a target becomes a link. In a detached page, pictures have
// addresses in the wiki, but links to them are text.
func (w *writer) isLink(to resolvedLink) bool {
	return to.url != "" && !(w.detached && strings.HasPrefix(to.url, "/"))
}

// lookUp asks the resolver for a target, once per distinct link.
func (w *writer) lookUp(p linkTarget) resolvedLink {
	if p.Kind == "" {
		return resolvedLink{linkTarget: p, url: p.url, trusted: p.out && w.isTrusted(p.url)}
	}
	t := w.resolve(link{p.Link, p.fragment})
	f := resolvedLink{linkTarget: p, url: t.URL, missing: !t.Exists, target: t}
	if t.Exists {
		if t.Swapped {
			f.fragment = t.Fragment
		}
		fragment := f.fragment
		to, _, _ := strings.Cut(t.URL, "#")
		f.url = to + p.query
		switch {
		case fragment != "" && t.Name != "":
			f.url += FragmentAnchor(fragment)
		case fragment != "":
			f.url += "#" + escapeURL(fragment) // fragment of a file, such as #page=2
		}
	}
	return f
}

func (w *writer) resolve(l link) Target {
	t, ok := w.targets[l]
	if !ok {
		t = w.askResolver(l)
		w.targets[l] = t
	}
	return t
}

func (w *writer) isTrusted(address string) bool {
	u, err := url.Parse(address)
	return err == nil && slices.Contains(w.r.o.OutHosts, strings.ToLower(u.Hostname()))
}

// attributes returns the attributes of the link's <a>.
func (f resolvedLink) attributes(title string) string {
	attrs := ` href="` + html.EscapeString(f.url) + `"`
	class := "out"
	if f.card {
		class = "link"
	}
	switch {
	case f.out && f.trusted:
		attrs += ` class="` + class + `" rel="noopener"`
	case f.out:
		attrs += ` class="` + class + `" rel="nofollow ugc noopener"`
	case f.card:
		attrs += ` class="link"`
	case f.missing:
		attrs += ` class="red"`
		if title == "" && (f.Kind == wiki.LinkFile || f.Kind == wiki.LinkEmbed && LooksLikeFile(f.Target)) {
			title = "This file does not exist yet"
		} else if title == "" {
			title = "This page does not exist yet"
		}
	}
	if title != "" {
		attrs += ` title="` + html.EscapeString(title) + `"`
	}
	return attrs
}

// writeLink writes content as a link, or without one if there is no
// destination.
func (w *writer) writeLink(to resolvedLink, title string, inside func()) {
	if w.inLink > 0 || !w.isLink(to) {
		inside()
		return
	}
	w.write("<a", to.attributes(title), ">")
	w.inLink++
	inside()
	w.inLink--
	w.write("</a>")
}

func (w *writer) writeMarkdownLink(n *ast.Link) {
	to := w.lookUp(w.doc.destinationTarget(n.Destination, false))
	w.writeLink(to, unescape(n.Title), func() { w.writeChildren(n) })
}

func (w *writer) writeAutoLink(n *ast.AutoLink) {
	to := string(n.URL(w.doc.source))
	if n.AutoLinkType == ast.AutoLinkEmail && !strings.HasPrefix(strings.ToLower(to), "mailto:") {
		to = "mailto:" + to
	}
	w.writeLink(w.lookUp(addressTarget(w.doc.name, to, false)), "", func() { w.writeText(string(n.Label(w.doc.source))) })
}

func (w *writer) markdownImage(n *ast.Image, title string) {
	alt, width, height := w.doc.imageText(n)
	w.writeImage(w.doc.destinationTarget(n.Destination, true), alt, title, width, height)
}

// sizeAs returns the size of an image as its page asks for it. What the page doesn't say
// comes from the image, so that browsers know its shape before they load it.
func (t Target) sizeAs(width, height string) (w, h string) {
	if t.Width <= 0 || t.Height <= 0 || t.Width > 9999 || t.Height > 9999 || height != "" {
		return width, height
	}
	if width == "" {
		return strconv.Itoa(t.Width), strconv.Itoa(t.Height)
	}
	if asked, err := strconv.Atoi(width); err == nil && asked > 0 && asked <= 9999 {
		return width, strconv.Itoa(max(1, min(9999, asked*t.Height/t.Width)))
	}
	return width, height
}

// writeImage shows an image of this wiki. External images and non-images
// become links, so that reading a page sends no requests to other hosts.
func (w *writer) writeImage(p linkTarget, alt, title, width, height string) {
	to := w.lookUp(p)
	if to.missing || !to.target.Image {
		words := alt
		if words == "" {
			words = to.url
			if paths := p.Paths(w.doc.name); p.Kind != "" && len(paths) > 0 {
				words = paths[0]
			}
		}
		w.writeLink(to, title, func() { w.writeText(words) })
		return
	}
	if to.target.Smaller != "" && to.url == to.target.URL {
		to.url = to.target.Smaller
	}
	width, height = to.target.sizeAs(width, height)
	w.write(`<img src="`, html.EscapeString(to.url), `" alt="`, html.EscapeString(alt), `"`)
	for _, size := range []struct{ name, value string }{{"width", htmlSize(width)}, {"height", htmlSize(height)}} {
		if size.value != "" {
			w.write(" ", size.name, `="`, size.value, `"`)
		}
	}
	if title != "" {
		w.write(` title="`, html.EscapeString(title), `"`)
	}
	w.write(` loading="lazy">`)
}

func (w *writer) writeWikilink(n *wikilink) {
	p := n.wikilinkTarget(w.doc.name)
	to, words := w.lookUp(p), n.words
	switch {
	case n.embed && p.Kind == wiki.LinkEmbed && to.target.Image:
		w.writeEmbeddedImage(n, p)
		return
	case n.isGollumImage() && to.target.Image:
		alt, width, height := n.gollumOptions()
		w.writeImage(p, alt, "", width, height)
		return
	case to.target.Swapped:
		words = n.written
	}
	w.writeLink(to, "", func() { w.writeText(words) })
}

// writeEmbeddedImage shows ![[picture.png|text]] or, in Obsidian's form,
// |text|300 or |300x200.
func (w *writer) writeEmbeddedImage(n *wikilink, p linkTarget) {
	alt, width, height := cutSize(n.label, true)
	w.writeImage(p, alt, "", width, height)
}
