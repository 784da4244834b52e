package markdown

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"

	"robot.wtf/internal/wiki"
)

func (w *writer) inline(n ast.Node) {
	switch n := n.(type) {
	case *ast.Text:
		w.text(w.doc.text(n))
		switch {
		case n.HardLineBreak():
			w.put("<br>\n")
		case n.SoftLineBreak():
			w.put("\n")
		}
	case *ast.String:
		w.text(string(n.Value))
	case *ast.CodeSpan:
		w.put("<code>")
		w.text(strings.ReplaceAll(w.codeText(n), "\n", " "))
		w.put("</code>")
	case *ast.Emphasis:
		name := "em"
		if n.Level == 2 {
			name = "strong"
		}
		w.around("<"+name+">", n, "</"+name+">")
	case *extast.Strikethrough:
		w.around("<del>", n, "</del>")
	case *mark:
		w.around("<mark>", n, "</mark>")
	case *ast.Link:
		w.link(n)
	case *ast.AutoLink:
		w.autoLink(n)
	case *ast.Image:
		w.markdownImage(n, unescape(n.Title))
	case *wikilink:
		w.wikilink(n)
	case *tag:
		w.writeTag(n)
	case *formula:
		w.math = true
		w.put(`<code class="math">`)
		w.text(n.source)
		w.put("</code>")
	case *extast.FootnoteLink:
		w.footnoteLink(n)
	case *extast.FootnoteBacklink:
		if w.inLink > 0 { // a raw <a> that nobody closed
			return
		}
		w.put(" <a href=\"#", idPrefix, "ref", noteRef(w.notes, n.Index, n.RefIndex), `" aria-label="Back to the text">&#8617;&#xFE0E;</a>`)
	case *extast.TaskCheckBox: // elsewhere than at an item's beginning
		w.put(`<input type="checkbox" disabled aria-label="Task"> `)
	default:
		w.children(n)
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
	if w.inLink > 0 {
		w.text("#" + n.name)
		return
	}
	w.put(`<a class="tag" href="/-/search?q=`, html.EscapeString(url.QueryEscape("tag:"+n.name)), `">#`, html.EscapeString(n.name), "</a>")
}

// A found place is where a link goes.
type found struct {
	place
	url     string // escaped for an address, not for HTML; "" for nowhere
	missing bool
	trusted bool // a host that the operator vouches for
	target  Target
}

// lookUp asks the resolver for a place, once for each.
func (w *writer) lookUp(p place) found {
	if p.kind == "" {
		return found{place: p, url: p.url, trusted: p.out && w.trusts(p.url)}
	}
	t := w.resolve(link{p.kind, p.target, p.fragment})
	if !t.Exists && p.also != "" {
		if also := w.resolve(link{p.kind, p.also, p.fragment}); also.Exists {
			t = also
		}
	}
	f := found{place: p, url: t.URL, missing: !t.Exists, target: t}
	if t.Exists {
		to, _, _ := strings.Cut(t.URL, "#")
		f.url = to + p.query
		switch {
		case p.fragment != "" && t.Name != "":
			f.url += Anchor(p.fragment)
		case p.fragment != "":
			f.url += "#" + escapeURL(p.fragment) // of a file, such as #page=2
		}
	}
	return f
}

func (w *writer) resolve(l link) Target {
	t, ok := w.targets[l]
	if !ok {
		t = w.resolver.Resolve(w.ctx, l.kind, l.target, l.fragment)
		w.targets[l] = t
	}
	return t
}

func (w *writer) trusts(address string) bool {
	u, err := url.Parse(address)
	return err == nil && slices.Contains(w.r.o.OutHosts, strings.ToLower(u.Hostname()))
}

// attributes are those of the <a> that goes there.
func (f found) attributes(title string) string {
	attrs := ` href="` + html.EscapeString(f.url) + `"`
	switch {
	case f.out && f.trusted:
		attrs += ` class="out" rel="noopener"`
	case f.out:
		attrs += ` class="out" rel="nofollow ugc noopener"`
	case f.missing:
		attrs += ` class="red"`
		if title == "" && f.kind == wiki.LinkFile {
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

// linked writes something as a link, or without one where there can be none.
func (w *writer) linked(to found, title string, inside func()) {
	if to.url == "" || w.inLink > 0 {
		inside()
		return
	}
	w.put("<a", to.attributes(title), ">")
	w.inLink++
	inside()
	w.inLink--
	w.put("</a>")
}

func (w *writer) link(n *ast.Link) {
	to := w.lookUp(w.doc.place(n.Destination, false))
	w.linked(to, unescape(n.Title), func() { w.children(n) })
}

func (w *writer) autoLink(n *ast.AutoLink) {
	to := string(n.URL(w.doc.source))
	if n.AutoLinkType == ast.AutoLinkEmail && !strings.HasPrefix(strings.ToLower(to), "mailto:") {
		to = "mailto:" + to
	}
	w.linked(w.lookUp(address(w.doc.name, to, false)), "", func() { w.text(string(n.Label(w.doc.source))) })
}

func (w *writer) markdownImage(n *ast.Image, title string) {
	w.image(w.doc.place(n.Destination, true), w.doc.words(n), title, "", "")
}

// image shows an image of this wiki. One from elsewhere becomes a link, so that
// reading a page asks nobody else for anything; so does what is no image.
func (w *writer) image(p place, alt, title, width, height string) {
	to := w.lookUp(p)
	if to.missing || !to.target.Image {
		words := alt
		if words == "" {
			words = to.url
			if p.target != "" {
				words = p.target
			}
		}
		w.linked(to, title, func() { w.text(words) })
		return
	}
	w.put(`<img src="`, html.EscapeString(to.url), `" alt="`, html.EscapeString(alt), `"`)
	for _, size := range []struct{ name, value string }{{"width", width}, {"height", height}} {
		if smallNumber.MatchString(size.value) {
			w.put(" ", size.name, `="`, size.value, `"`)
		}
	}
	if title != "" {
		w.put(` title="`, html.EscapeString(title), `"`)
	}
	w.put(` loading="lazy">`)
}

func (w *writer) wikilink(n *wikilink) {
	p := n.place(w.doc.name)
	if n.embed && p.kind == wiki.LinkEmbed {
		if to := w.lookUp(p); to.target.Image {
			w.embeddedImage(n, p)
			return
		}
	}
	w.linked(w.lookUp(p), "", func() { w.text(n.words) })
}

var imageSize = regexp.MustCompile(`^([0-9]{1,4})(?:x([0-9]{1,4}))?$`)

// embeddedImage shows ![[picture.png|text]] or, as Obsidian has it, |300 or
// |300x200.
func (w *writer) embeddedImage(n *wikilink, p place) {
	alt, width, height := n.label, "", ""
	if m := imageSize.FindStringSubmatch(alt); m != nil {
		alt, width, height = "", m[1], m[2]
	}
	w.image(p, alt, "", width, height)
}
