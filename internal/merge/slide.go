package merge

// A change of a whole run of lines can often stand in several places: when the
// line before it equals its last line, it can move up by one. This file decides
// where it goes.

// A chooser picks where a change goes, of s lines, that could end at any of
// [first, last]; the group as a whole has `size` lines.
type chooser func(s *side, size, first, last int) (end int)

// A group is a run of changed lines [start, end), or the empty place between
// two unchanged lines. Two sides have equally many groups.
type group struct{ start, end int }

func (s *side) firstGroup() group {
	g := group{}
	s.growDown(&g)
	return g
}

func (s *side) growDown(g *group) {
	for g.end < len(s.changed) && s.changed[g.end] {
		g.end++
	}
}

func (s *side) growUp(g *group) {
	for g.start > 0 && s.changed[g.start-1] {
		g.start--
	}
}

func (s *side) next(g *group) bool {
	if g.end == len(s.changed) {
		return false
	}
	*g = group{g.end + 1, g.end + 1}
	s.growDown(g)
	return true
}

func (s *side) previous(g *group) {
	*g = group{g.start - 1, g.start - 1}
	s.growUp(g)
}

// up moves the group up by a line, swallowing a group that it meets.
func (s *side) up(g *group) bool {
	if g.start == 0 || s.class[g.start-1] != s.class[g.end-1] {
		return false
	}
	g.start--
	g.end--
	s.changed[g.start], s.changed[g.end] = true, false
	s.growUp(g)
	return true
}

// down moves it down.
func (s *side) down(g *group) bool {
	if g.end == len(s.changed) || s.class[g.start] != s.class[g.end] {
		return false
	}
	s.changed[g.start], s.changed[g.end] = false, true
	g.start++
	g.end++
	s.growDown(g)
	return true
}

// slide moves every change of s to the lowest place where it stands beside a
// change of the other side; otherwise to where better says, or as low as it
// goes. Changes that meet on the way become one.
func slide(s, other *side, better chooser) {
	for g, o := s.firstGroup(), other.firstGroup(); ; other.next(&o) {
		if g.end > g.start {
			slideGroup(s, other, &g, &o, better)
		}
		if !s.next(&g) {
			return
		}
	}
}

func slideGroup(s, other *side, g, o *group, better chooser) {
	var first int
	var meets bool
	for size := -1; size != g.end-g.start; {
		size = g.end - g.start
		for s.up(g) {
			other.previous(o)
		}
		first, meets = g.end, o.end > o.start
		for s.down(g) {
			other.next(o)
			meets = meets || o.end > o.start
		}
	}
	back := func() {
		s.up(g)
		other.previous(o)
	}
	switch {
	case meets:
		for o.end == o.start {
			back()
		}
	case better != nil && g.end > first:
		for end := better(s, g.end-g.start, first, g.end); g.end > end; {
			back()
		}
	}
}
