package edit

import "robot.wtf/internal/markdown"

// A HeadingMove says where the headings and named blocks of two pages are after text
// moved from one to the other. It names them by their anchors, as
// markdown.FragmentAnchor returns them; headings with the same title are numbered, so
// others can change when one moves.
type HeadingMove struct {
	Moved map[string]string // on the source before -> on the target after
	From  map[string]string // staying on the source, before -> after
	To    map[string]string // on the target all along, before -> after
}

// A headingRun is a run of a page's sections, from the index from up to to.
type headingRun struct{ from, to int }

// MoveHeadings compares two pages before and after TakeSection and AddSection moved a
// section below the section under, or to the end.
func MoveHeadings(from, rest, to, next *Document, section, under string) HeadingMove {
	taken, err := from.Section(section)
	if err != nil {
		return newHeadingMove()
	}
	end := to.Lines()
	if s, err := to.Section(under); under != "" && err == nil {
		end = s.DeepEnd
	}
	run := headingRun{from.sectionsTo(taken.StartLine - 1), from.sectionsTo(taken.DeepEnd)}
	move := takenHeadings(from, to, next, run, to.sectionsTo(end))
	if left := len(rest.Sections()) - len(from.Sections()) + run.to - run.from; left >= 0 {
		move.From = remainingHeadings(from, rest, run, left)
	}
	stay := map[string]bool{}
	for _, id := range markdown.BlockIDs([]byte(rest.Text)) {
		anchor := blockAnchor(id)
		stay[anchor], move.From[anchor] = true, anchor
	}
	move.addBlocks(from, stay)
	return move
}

// MergeHeadings compares the target of MergePage before and after other was merged.
func MergeHeadings(other, to, next *Document) HeadingMove {
	move := takenHeadings(other, to, next, headingRun{1, len(other.Sections())}, len(to.Sections()))
	move.addBlocks(other, nil)
	return move
}

// addBlocks adds the named blocks of the source that moved. Their anchors never change.
func (m *HeadingMove) addBlocks(from *Document, stay map[string]bool) {
	for _, id := range markdown.BlockIDs([]byte(from.Text)) {
		if anchor := blockAnchor(id); !stay[anchor] {
			m.Moved[anchor] = anchor
		}
	}
}

func blockAnchor(id string) string { return markdown.FragmentAnchor("^" + id) }

func newHeadingMove() HeadingMove {
	return HeadingMove{Moved: map[string]string{}, From: map[string]string{}, To: map[string]string{}}
}

// sectionsTo counts the sections that begin at or before a line, the lead included.
func (doc *Document) sectionsTo(line int) int {
	n := 1
	for n < len(doc.Sections()) && doc.Sections()[n].StartLine <= line {
		n++
	}
	return n
}

// takenHeadings maps headings that were inserted on the target, perhaps below a title
// that the target didn't have, before its section at. It maps none if the text around
// them made other headings of them.
func takenHeadings(from, to, next *Document, run headingRun, at int) HeadingMove {
	was, is, source := markdown.Anchors(to.Sections()), markdown.Anchors(next.Sections()), markdown.Anchors(from.Sections())
	n := run.to - run.from
	if added := len(is) - len(was); n <= 0 || added < n || added > n+1 {
		return newHeadingMove()
	}
	first := at + len(is) - len(was) - n
	move := newHeadingMove()
	for i, anchors := range source[run.from:run.to] {
		mapAnchors(move.Moved, anchors, is[first+i])
	}
	for i, anchors := range was {
		now := i
		if i >= at {
			now += len(is) - len(was)
		}
		mapAnchors(move.To, anchors, is[now])
	}
	return move
}

// mapAnchors adds the anchors of a heading before and after. One that the heading has
// no longer becomes its first.
func mapAnchors(to map[string]string, was, is []string) {
	for i, anchor := range was {
		to[anchor] = is[0]
		if i < len(is) {
			to[anchor] = is[i]
		}
	}
}

// remainingHeadings maps the headings that stay on a page when a run is replaced by
// left others.
func remainingHeadings(from, rest *Document, run headingRun, left int) map[string]string {
	was, is := markdown.Anchors(from.Sections()), markdown.Anchors(rest.Sections())
	stay := map[string]string{}
	for i, anchors := range was {
		switch {
		case i < run.from:
			mapAnchors(stay, anchors, is[i])
		case i >= run.to:
			mapAnchors(stay, anchors, is[i-run.to+run.from+left])
		}
	}
	return stay
}
