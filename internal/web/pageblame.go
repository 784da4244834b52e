package web

import (
	"cmp"
	"html/template"
	"maps"
	"slices"
	"strconv"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// A pageBlame holds the authors of the parts of a page, for the margin, and their
// totals, for the line under the title.
type pageBlame struct {
	Parts  []blamePart // the whole body; nil if nothing is known
	People string      // "ada wrote 3 parts, bob 1", or ""
	Agents string      // "Claude Code for ada 2"
}

// A blamePart is a run of blocks with the same last author.
type blamePart struct {
	pages.BlamePart
	Class string // "person" or "agent", also the icon; "" if unknown
	Words string // "Agent: Claude Code for ada, 24 Nov 2026"
}

// A tocEntry is a heading with the mark of its part's author.
type tocEntry struct {
	pages.Heading
	By string // like blamePart.Class
}

// newPageBlame collects the authors of a page. A title at the beginning of the page
// is cut from the parts and returned, to be shown above them.
func (h *Handler) newPageBlame(view *pages.View, ownTitle bool) (template.HTML, pageBlame) {
	var title template.HTML
	var r pageBlame
	people, agents := map[string]int{}, map[string]int{}
	for i, part := range view.Blame {
		p := blamePart{BlamePart: part}
		if i == 0 && ownTitle {
			title, p.HTML = cutTitle(part.HTML)
			if strings.TrimSpace(string(p.HTML)) == "" {
				continue
			}
		}
		if part.By != nil && !pages.Seeded(*part.By) {
			h.attribute(&p, people, agents)
		}
		r.Parts = append(r.Parts, p)
	}
	if len(people)+len(agents) == 0 {
		r.Parts = nil
		if title != "" {
			r.Parts = []blamePart{{BlamePart: pages.BlamePart{HTML: view.Body[len(title):]}}}
		}
		return title, r
	}
	if len(people)+len(agents) == 1 {
		r.People, r.Agents = soleAuthor(people), soleAuthor(agents)
		return title, r
	}
	r.People, r.Agents = listAuthors(people, true), listAuthors(agents, len(people) == 0)
	return title, r
}

// soleAuthor names the only author of a page; "" if parts is empty.
func soleAuthor(parts map[string]int) string {
	for name := range parts {
		return name + " wrote this page"
	}
	return ""
}

// attribute fills in a part's author and counts the part.
func (h *Handler) attribute(p *blamePart, people, agents map[string]int) {
	name, on := h.byline(p.By.Author), p.By.Time.UTC().Format("2 Jan 2006")
	if isAgent(p.By.Author) {
		agents[name]++
		p.Class, p.Words = "agent", "Agent: "+name+", "+on
		return
	}
	people[name]++
	p.Class, p.Words = "person", "Person: "+name+", "+on
}

// isAgent reports whether an agent is known to be the author. Imported history can
// claim anything.
func isAgent(a wiki.Author) bool { return a.IsAgent() }

// cutTitle cuts the level-1 heading from the beginning of a part.
func cutTitle(html template.HTML) (title, rest template.HTML) {
	const end = "</h1>\n"
	at := strings.Index(string(html), end)
	if !strings.HasPrefix(string(html), "<h1 ") || at < 0 {
		return "", html
	}
	return html[:at+len(end)], html[at+len(end):]
}

// listAuthors returns "ada wrote 3 parts, bob 1", the largest first; long lists are
// cut. verb adds "wrote".
func listAuthors(parts map[string]int, verb bool) string {
	const shown = 4
	names := slices.SortedFunc(maps.Keys(parts), func(a, b string) int {
		return cmp.Or(cmp.Compare(parts[b], parts[a]), cmp.Compare(a, b))
	})
	var list []string
	for i, name := range names {
		n := strconv.Itoa(parts[name])
		switch {
		case i == shown:
			return strings.Join(list, ", ") + " and " + strconv.Itoa(len(names)-shown) + " more"
		case i == 0 && verb && parts[name] == 1:
			n = "wrote 1 part"
		case i == 0 && verb:
			n = "wrote " + n + " parts"
		}
		list = append(list, name+" "+n)
	}
	return strings.Join(list, ", ")
}

// classAt returns the class of the part that contains a source line.
func (r pageBlame) classAt(line int) string {
	for _, p := range r.Parts {
		if p.First <= line && line <= p.Last {
			return p.Class
		}
	}
	return ""
}
