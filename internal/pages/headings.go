package pages

import (
	"robot.wtf/internal/edit"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// Links to a heading follow when its section moves to another page. Links that name
// the page are rewritten in the whole wiki at the end of a plan, from where each
// heading was at the head to where it is then. Links within a page, such as [[#Tea]],
// have a meaning only where they are, so each step rewrites those of the pages it
// changes; if their heading is on another page then, they name the page that had it at
// the head, and the end follows from there.

// A plannedHeading is the anchor of a heading or named block on a page.
type plannedHeading struct {
	page   *planned
	anchor string
}

// moveHeadings records where a step moved headings from one page to another.
func (p *changePlan) moveHeadings(from, to *planned, h edit.HeadingMove) {
	step := map[plannedHeading]plannedHeading{}
	for was, is := range h.Moved {
		step[plannedHeading{from, was}] = plannedHeading{to, is}
	}
	for page, changed := range map[*planned]map[string]string{from: h.From, to: h.To} {
		for was, is := range changed {
			step[plannedHeading{page, was}] = plannedHeading{page, is}
		}
	}
	came := map[plannedHeading]bool{} // headings that earlier steps moved
	for head, now := range p.headings {
		came[now] = true
		if next, ok := step[now]; ok {
			p.headings[head] = next
		}
	}
	for was, is := range step {
		if _, left := p.headings[was]; !left && !came[was] {
			p.headings[was] = is
		}
	}
}

// planHeadings lets links follow the headings that the steps moved.
func (p *changePlan) planHeadings() {
	for head, now := range p.headings {
		if head == now || head.page.isNew() || now.page.deleted {
			continue
		}
		path := head.page.file.Path
		if p.moves.headings[path] == nil {
			p.moves.headings[path] = map[string]heading{}
		}
		p.moves.headings[path][head.anchor] = heading{now.page.name.File(), now.anchor}
		p.moves.retarget[path] = true
	}
	for _, pg := range p.order {
		if len(pg.sources) > 0 && !pg.isNew() {
			p.moves.retarget[pg.file.Path] = true
		}
	}
}

// origin is the name that a page's text is written for until the end of the plan: its
// name at the head.
func (pg *planned) origin() wiki.PageName {
	if pg.isNew() {
		return pg.name
	}
	return pg.from
}

// atHead returns where a heading was at the head, if the plan knows.
func (p *changePlan) atHead(h plannedHeading) plannedHeading {
	for head, now := range p.headings {
		if now == h {
			return head
		}
	}
	return h
}

// followWithin rewrites links within a page, in a text that a step puts on the page
// self: to headings whose anchors changed (here), and to those of the page from that
// are on another page than the text now (there).
func (p *changePlan) followWithin(self wiki.PageName, text string, here map[string]string, from *planned, there map[string]string) string {
	now, _ := markdown.RewriteLinks(self, []byte(text), func(l wiki.Link, fragment string) (wiki.Link, string) {
		if l.Kind != "" {
			return l, fragment
		}
		anchor := markdown.FragmentAnchor(fragment)
		to, isHere := here[anchor]
		if _, isThere := there[anchor]; isThere && !isHere {
			head := p.atHead(plannedHeading{from, anchor})
			l.Kind = wiki.LinkPage
			l.Target = l.Spellings(self, string(head.page.origin()), false)[0]
			to = head.anchor
		} else if !isHere {
			return l, fragment
		}
		if to != anchor {
			fragment = markdown.AnchorFragment(to)
		}
		return l, fragment
	})
	return string(now)
}
