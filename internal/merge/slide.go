package merge

// Often there are several equivalent positions for a changed run of lines: if
// the line before it equals its last line, it can move up by one. This file
// picks the position.

// A chooser picks the end, within [first, last], of a change of size lines in s.
type chooser func(s *side, size, first, last int) (end int)

// A group is a run of changed lines [start, end), or the empty gap between two
// unchanged lines. Both sides have the same number of groups.
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

// up moves the group up by one line, absorbing any group it meets.
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

// down moves the group down by one line, absorbing any group it meets.
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

// slide moves every change of s to the lowest position that aligns with a change
// of the other side. Without one, better picks the position; if better is nil,
// the change goes as low as possible. Changes that meet on the way are joined.
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
