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

// A pageBlame says beside a page's text who wrote which part of it, and above it who
// wrote how many.
type pageBlame struct {
	Parts  []blamePart // all of the body; nil where nothing is known
	People string      // "ada wrote 3 parts, bob 1", or ""
	Agents string      // "Claude Code for ada 2"
}

// A blamePart is a run of blocks of one hand.
type blamePart struct {
	pages.Part
	Class string // "person" or "agent": also the mark; "" where it is not known
	Words string // "Agent: Claude Code for ada, 24 Nov 2026"
}

// A tocEntry is a heading with the mark of who wrote its part.
type tocEntry struct {
	pages.Heading
	By string // as blamePart.Class
}

// newPageBlame makes the pageBlame of a page. A title that the page begins with is taken
// out of the parts: it stands above all of it.
func (h *Handler) newPageBlame(view *pages.View, ownTitle bool) (template.HTML, pageBlame) {
	var title template.HTML
	var r pageBlame
	people, agents := map[string]int{}, map[string]int{}
	for i, part := range view.Parts {
		p := blamePart{Part: part}
		if i == 0 && ownTitle {
			title, p.HTML = cutTitle(part.HTML)
			if strings.TrimSpace(string(p.HTML)) == "" {
				continue
			}
		}
		if part.By != nil {
			h.attribute(&p, people, agents)
		}
		r.Parts = append(r.Parts, p)
	}
	if len(people)+len(agents) == 0 {
		r.Parts = nil
		if title != "" {
			r.Parts = []blamePart{{Part: pages.Part{HTML: view.Body[len(title):]}}}
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

// soleAuthor is who wrote the page, if it was one of these.
func soleAuthor(parts map[string]int) string {
	for name := range parts {
		return name + " wrote this page"
	}
	return ""
}

// sign adds to a part who wrote it, and counts it.
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

// isAgent reports whether we vouch for it that an agent wrote.
func isAgent(a wiki.Author) bool { return a.Agent != "" && !a.Imported }

// cutTitle cuts the heading off the beginning of a part.
func cutTitle(html template.HTML) (title, rest template.HTML) {
	const end = "</h1>\n"
	at := strings.Index(string(html), end)
	if !strings.HasPrefix(string(html), "<h1 ") || at < 0 {
		return "", html
	}
	return html[:at+len(end)], html[at+len(end):]
}

// listAuthors is "ada wrote 3 parts, bob 1", those with the most first; long lists
// are cut.
func listAuthors(parts map[string]int, said bool) string {
	const most = 4
	names := slices.SortedFunc(maps.Keys(parts), func(a, b string) int {
		return cmp.Or(cmp.Compare(parts[b], parts[a]), cmp.Compare(a, b))
	})
	var list []string
	for i, name := range names {
		n := strconv.Itoa(parts[name])
		switch {
		case i == most:
			return strings.Join(list, ", ") + " and " + strconv.Itoa(len(names)-most) + " more"
		case i == 0 && said && parts[name] == 1:
			n = "wrote 1 part"
		case i == 0 && said:
			n = "wrote " + n + " parts"
		}
		list = append(list, name+" "+n)
	}
	return strings.Join(list, ", ")
}

// at is the class of the part in which a line of the source stands.
func (r pageBlame) classAt(line int) string {
	for _, p := range r.Parts {
		if p.First <= line && line <= p.Last {
			return p.Class
		}
	}
	return ""
}
