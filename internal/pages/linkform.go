package pages

import (
	"context"
	"path"
	"strings"

	"robot.wtf/internal/wiki"
)

// A linkStyle counts the forms of a wiki's wikilinks. Most wikis stick to one of each pair.
type linkStyle struct {
	byName, byPath         int // to pages in folders
	textFirst, targetFirst int // of links with a bar
}

// count counts a link that leads somewhere.
func (s *linkStyle) count(l wiki.Link, to lead) {
	if l.Address || l.Kind != wiki.LinkPage && l.Kind != wiki.LinkEmbed || to.file == "" {
		return
	}
	if to.swapped {
		l, _, _ = l.Swapped()
		s.textFirst++
	} else if l.Label != "" {
		s.targetFirst++
	}
	switch {
	case to.folder || !strings.Contains(to.file, "/") || !l.ByName():
	case strings.Contains(l.Target, "/"):
		s.byPath++
	default:
		s.byName++
	}
}

func (s *linkStyle) add(other linkStyle) {
	s.byName += other.byName
	s.byPath += other.byPath
	s.textFirst += other.textFirst
	s.targetFirst += other.targetFirst
}

// A LinkCompletion lists the pages that complete the target of a wikilink.
type LinkCompletion struct {
	Choices   []LinkChoice
	TextFirst bool // the target of a link with a bar is after it
}

// A LinkChoice is a page, and the target of a wikilink that leads there.
type LinkChoice struct {
	Page   wiki.PageName
	Target string
}

// CompleteLink lists at most limit pages for the partly typed target of a wikilink on
// page self, which needn't exist. Targets have the form that most links of the wiki
// have: the name alone where it leads to the page and to no other that is as near, or
// the path.
func (s *Service) CompleteLink(ctx context.Context, a wiki.Access, typed, self string, limit int) (LinkCompletion, error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return LinkCompletion{}, err
	}
	defer release()
	found, err := s.search.Complete(ctx, w, typed, limit)
	if err != nil {
		return LinkCompletion{}, err
	}
	g, err := s.graph(ctx, w, d)
	if err != nil {
		return LinkCompletion{}, err
	}
	c := LinkCompletion{TextFirst: d.order == wiki.TextFirst ||
		d.order == wiki.AutomaticOrder && g.style.textFirst > g.style.targetFirst}
	from, _ := wiki.ParsePageName(self) // a new page can lack a name
	for _, page := range found {
		target := string(page)
		if name := path.Base(target); g.style.byName > g.style.byPath && d.onlyLeadsTo(from, name, page) {
			target = name
		}
		c.Choices = append(c.Choices, LinkChoice{page, strings.ReplaceAll(target, "_", " ")})
	}
	return c, nil
}

// onlyLeadsTo reports whether a wikilink on page self leads to a page, and to no other
// that is as near.
func (n *names) onlyLeadsTo(self wiki.PageName, target string, page wiki.PageName) bool {
	to := n.lead(self, wiki.Link{Kind: wiki.LinkPage, Target: target})
	return to.file == page.File() && to.others == 0
}
