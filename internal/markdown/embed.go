package markdown

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"robot.wtf/internal/wiki"
)

const (
	maxEmbedDepth = 4
	maxEmbeds     = 100
	maxEmbedded   = 2 << 20 // bytes of all embedded sources in a page
)

// An embed is a page or section being written inside another.
type embed struct {
	name     wiki.PageName
	fragment string
}

// isPageEmbed reports whether a link embeds an existing page or section.
func (w *writer) isPageEmbed(n *wikilink) bool {
	return n.embed && w.embedOf(n).target.Source != ""
}

// embedOf returns where a link that embeds leads. ![[#Heading]] embeds a section or
// block of the page itself.
func (w *writer) embedOf(n *wikilink) resolvedLink {
	p := n.wikilinkTarget(w.doc.name)
	if n.target != "" || n.fragment == "" {
		return w.lookUp(p)
	}
	p.Kind = wiki.LinkEmbed
	own := embed{w.doc.name, slug(n.fragment)}
	source, known := w.ownParts[own]
	if !known && (len(w.ownParts)+1)*len(w.doc.source) <= maxEmbedded { // finding one parses the page
		source = Excerpt(w.doc.source, n.fragment)
		if w.ownParts == nil {
			w.ownParts = map[embed]string{}
		}
		w.ownParts[own] = source
	}
	return resolvedLink{linkTarget: p, url: p.url, target: Target{URL: p.url, Exists: true, Name: w.doc.name, Source: source}}
}

// writeEmbed writes a page or section. If it can't be embedded, it writes a
// link and adds a notice.
func (w *writer) writeEmbed(n *wikilink) {
	to := w.embedOf(n)
	inner, why := w.loadEmbed(to)
	if inner == nil {
		if why != "" && !slices.Contains(w.notices, why) {
			w.notices = append(w.notices, why)
		}
		w.write("<p>")
		w.writeWikilink(n)
		w.write("</p>\n")
		return
	}
	outer, notes, heading := w.doc, w.notes, w.heading
	w.embedded++
	w.embeddedBytes += len(to.target.Source)
	w.embeds = append(w.embeds, embed{to.target.Name, slug(to.fragment)})
	w.doc, w.notes, w.heading = inner, "-e"+strconv.Itoa(w.embedded), ""
	w.write(`<section class="embed" aria-label="`, w.uniqueLabel("From "+n.words, ""), `">`, "\n")
	w.writeChildren(inner.root)
	w.doc, w.notes, w.heading = outer, notes, heading
	w.embeds = w.embeds[:len(w.embeds)-1]
	w.write("<p><small>From ")
	w.writeLink(to, "", func() { w.writeText(n.words) })
	w.write("</small></p>\n</section>\n")
}

// loadEmbed returns the document to embed, or nil and the reason why it
// can't be.
func (w *writer) loadEmbed(to resolvedLink) (*document, string) {
	if to.missing || to.Kind != wiki.LinkEmbed || to.target.Image || to.target.Source == "" {
		return nil, ""
	}
	name := to.target.Name
	same := func(e embed) bool { return e.name == name && e.fragment == slug(to.fragment) }
	switch {
	case slices.ContainsFunc(w.embeds, same), len(w.embeds) == 0 && name == w.doc.name && to.fragment == "":
		return nil, "A page that embeds itself is shown as a link."
	case len(w.embeds) >= maxEmbedDepth:
		return nil, fmt.Sprintf("Pages embedded more than %d deep are shown as links.", maxEmbedDepth)
	case w.embedded >= maxEmbeds || w.embeddedBytes+len(to.target.Source) > maxEmbedded:
		return nil, "This page embeds so much that some of it is shown as links."
	}
	inner, err := parse(name, []byte(to.target.Source), w.clock)
	if errors.Is(err, errSlow) {
		w.err = cmp.Or(w.err, err)
		return nil, ""
	}
	if err != nil {
		return nil, fmt.Sprintf("%q is too large to be embedded.", name.Title())
	}
	return inner, ""
}
