package markdown

import (
	"fmt"
	"slices"
	"strconv"

	"robot.wtf/internal/wiki"
)

const (
	maxEmbedDepth = 4
	maxEmbeds     = 100
	maxEmbedded   = 2 << 20 // bytes of embedded sources in a page
)

// An embed is a page or section that is being written inside another.
type embed struct {
	name     wiki.PageName
	fragment string
}

// embedsPage reports an embed of a page or section that is there.
func (w *writer) embedsPage(n *wikilink) bool {
	p := n.place(w.doc.name)
	return n.embed && p.kind == wiki.LinkEmbed && w.lookUp(p).target.Source != ""
}

// embed writes a page or section. What cannot be embedded is a link to it, and
// a notice says why.
func (w *writer) embed(n *wikilink) {
	p := n.place(w.doc.name)
	to := w.lookUp(p)
	inner, why := w.embedding(to)
	if inner == nil {
		if why != "" && !slices.Contains(w.notices, why) {
			w.notices = append(w.notices, why)
		}
		w.put("<p>")
		w.wikilink(n)
		w.put("</p>\n")
		return
	}
	outer, notes, heading := w.doc, w.notes, w.heading
	w.embedded++
	w.embeddedBytes += len(to.target.Source)
	w.embeds = append(w.embeds, embed{to.target.Name, slug(to.fragment)})
	w.doc, w.notes, w.heading = inner, "-e"+strconv.Itoa(w.embedded), ""
	w.put(`<section class="embed" aria-label="`, w.label("From "+n.words, ""), `">`, "\n")
	w.children(inner.root)
	w.doc, w.notes, w.heading = outer, notes, heading
	w.embeds = w.embeds[:len(w.embeds)-1]
	w.put("<p><small>From ")
	w.linked(to, "", func() { w.text(n.words) })
	w.put("</small></p>\n</section>\n")
}

// embedding is the document that a found page or section is, or nil and why it
// is not shown.
func (w *writer) embedding(to found) (*document, string) {
	if to.missing || to.kind != wiki.LinkEmbed || to.target.Image || to.target.Source == "" {
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
	until, _ := w.ctx.Deadline()
	inner, err := parse(name, []byte(to.target.Source), until)
	if err != nil {
		return nil, fmt.Sprintf("%q is too large to be embedded.", name.Title())
	}
	return inner, ""
}
