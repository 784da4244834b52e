// Package merge merges and compares texts line by line and word by word.
//
// It knows nothing of wikis or git, but a merge has git's verdict, clean or
// conflict, and git's text. Lines end with "\n" or "\r\n"; the last may lack
// its end. Line ends belong to the line: "a\n" and "a\r\n" differ.
//
// No input takes longer than its length and a fixed budget of steps allow,
// about a second for a text of 1 MiB: where texts are so large and so different
// that the budget is used up, what remains counts as changed. Then a merge may
// conflict that is clean in git, or show other regions.
package merge

import (
	"bytes"
	"sort"
	"strings"
	"unicode"
)

// A Region is a stretch of lines of one text: [Start, End), counted from 0.
type Region struct{ Start, End int }

func (r Region) len() int { return r.End - r.Start }

// A Conflict is a region that both sides changed differently. What both
// changed alike around it is no part of it. Neighbouring conflicts may share
// lines of the base. Rarely both texts are equal, where two conflicts a few
// lines apart, an addition on either side, were joined: git calls that a
// conflict, and so does this.
type Conflict struct {
	Base, Ours, Theirs Region
	// The texts of the three regions, with their line ends.
	BaseText, OursText, TheirsText string
	Merged                         Region // where Ours' lines stand in Result.Text
}

// A Result is what Three makes of three texts.
type Result struct {
	// Text is the merge. Where sides conflict it holds Ours' lines.
	Text      []byte
	Conflicts []Conflict
}

// Clean reports whether nothing conflicted.
func (r Result) Clean() bool { return len(r.Conflicts) == 0 }

// Three merges the changes base->ours and base->theirs, as `git merge-file`
// does. Changes that touch, without an unchanged line between them, conflict
// unless they are the same. In a clean merge every line that a side added or
// changed is in the result.
func Three(base, ours, theirs []byte) Result { return three(base, ours, theirs, budget) }

func three(base, ours, theirs []byte, steps int) Result {
	numbered := classes{}
	m := merger{
		base:   numbered.number(cutLines(base)),
		ours:   numbered.number(cutLines(ours)),
		theirs: numbered.number(cutLines(theirs)),
	}
	m.differ = newDiffer(numbered, steps)
	m.toOurs = m.script(m.base.class, m.ours.class, nil)
	m.toTheirs = m.script(m.base.class, m.theirs.class, nil)
	m.pair()
	m.refine()
	m.join()
	return m.result()
}

// Who made a change.
type maker byte

const (
	both  maker = iota // and differently: a conflict
	we                 // ours
	they               // theirs
	alike              // both, in the same way
)

// A change is a region of the three texts.
type change struct {
	by                 maker
	base, ours, theirs Region
}

type merger struct {
	*differ
	base, ours, theirs text
	toOurs, toTheirs   []edit
	changes            []change
}

// pair walks both scripts along the base and fills the changes. While only one
// side changes something, the other's lines run along at a constant distance.
func (m *merger) pair() {
	a, b := m.toOurs, m.toTheirs
	for len(a) > 0 && len(b) > 0 {
		x, y := a[0], b[0]
		switch {
		case x.a1 < y.a0:
			m.ourChange(x, y.b0-y.a0)
			a = a[1:]
			continue
		case y.a1 < x.a0:
			m.theirChange(y, x.b0-x.a0)
			b = b[1:]
			continue
		case !m.same(x, y):
			m.clash(x, y)
		}
		if x.a1 <= y.a1 {
			a = a[1:]
		}
		if y.a1 <= x.a1 {
			b = b[1:]
		}
	}
	for _, x := range a {
		m.ourChange(x, len(m.theirs.class)-len(m.base.class))
	}
	for _, y := range b {
		m.theirChange(y, len(m.ours.class)-len(m.base.class))
	}
}

func (m *merger) ourChange(x edit, theirShift int) {
	m.add(change{we, Region{x.a0, x.a1}, Region{x.b0, x.b1}, Region{x.a0 + theirShift, x.a1 + theirShift}})
}

func (m *merger) theirChange(y edit, ourShift int) {
	m.add(change{they, Region{y.a0, y.a1}, Region{y.a0 + ourShift, y.a1 + ourShift}, Region{y.b0, y.b1}})
}

// clash adds a conflict over the base lines of either edit.
func (m *merger) clash(x, y edit) {
	start, end := min(x.a0, y.a0), max(x.a1, y.a1)
	m.add(change{
		both, Region{start, end},
		Region{x.b0 - (x.a0 - start), x.b1 + (end - x.a1)},
		Region{y.b0 - (y.a0 - start), y.b1 + (end - y.a1)},
	})
}

func (m *merger) same(x, y edit) bool {
	return x.a0 == y.a0 && x.a1 == y.a1 && equal(m.ours.class[x.b0:x.b1], m.theirs.class[y.b0:y.b1])
}

func equal(a, b []int32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// add appends a change, or widens the last one when it touches that: then two
// makers make a conflict.
func (m *merger) add(c change) {
	if n := len(m.changes); n > 0 {
		last := &m.changes[n-1]
		if c.ours.Start <= last.ours.End || c.theirs.Start <= last.theirs.End {
			if c.by != last.by {
				last.by = both
			}
			last.base.End, last.ours.End, last.theirs.End = c.base.End, c.ours.End, c.theirs.End
			return
		}
	}
	m.changes = append(m.changes, c)
}

// refine compares the two sides of each conflict and keeps what differs; a
// conflict whose sides are the same is none.
func (m *merger) refine() {
	var out []change
	for _, c := range m.changes {
		ours, theirs := m.ours.class[c.ours.Start:c.ours.End], m.theirs.class[c.theirs.Start:c.theirs.End]
		if c.by != both || len(ours) == 0 || len(theirs) == 0 {
			out = append(out, c)
			continue
		}
		pieces := m.script(ours, theirs, nil)
		if len(pieces) == 0 {
			c.by = alike
			out = append(out, c)
		}
		for _, e := range pieces {
			o := Region{c.ours.Start + e.a0, c.ours.Start + e.a1}
			t := Region{c.theirs.Start + e.b0, c.theirs.Start + e.b1}
			out = append(out, change{both, m.baseOf(c.base, o, t), o, t})
		}
	}
	m.changes = out
}

// baseOf is the part of a conflict's base that a part of its sides came from.
func (m *merger) baseOf(within, ours, theirs Region) Region {
	a, b := origin(m.toOurs, ours), origin(m.toTheirs, theirs)
	start := min(max(within.Start, min(a.Start, b.Start)), within.End)
	return Region{start, max(start, min(within.End, max(a.End, b.End)))}
}

// origin maps lines of a script's second text to the first; a place inside an
// edit maps to all that the edit replaced.
func origin(script []edit, r Region) Region {
	n := sort.Search(len(script), func(i int) bool { return script[i].b1 > r.Start || script[i].b0 == r.Start })
	out := Region{r.Start + drift(script[:n]), 0}
	if n < len(script) && script[n].b0 <= r.Start {
		out.Start = script[n].a0
	}
	n = sort.Search(len(script), func(i int) bool { return script[i].b0 > r.End || script[i].b0 == r.End && script[i].b1 > r.End })
	out.End = r.End + drift(script[:n])
	if n > 0 && script[n-1].b1 >= r.End {
		out.End = script[n-1].a1
	}
	return out
}

// drift is how far the first text is ahead after the script's edits.
func drift(script []edit) int {
	if len(script) == 0 {
		return 0
	}
	last := script[len(script)-1]
	return last.a1 - last.b1
}

// join makes one conflict of two that only a few lines part, or lines without
// letters and digits: they are easier to resolve together. (In git only those of
// ASCII count, so it joins more conflicts of other scripts.)
func (m *merger) join() {
	const few = 3
	var out []change
	for _, c := range m.changes {
		if n := len(out); n > 0 && c.by == both && out[n-1].by == both {
			last := &out[n-1]
			between := m.ours.lines[last.ours.End:c.ours.Start]
			if len(between) <= few || !wordy(between) {
				last.base.End = max(last.base.End, c.base.End)
				last.ours.End, last.theirs.End = c.ours.End, c.theirs.End
				continue
			}
		}
		out = append(out, c)
	}
	m.changes = out
}

func wordy(lines []string) bool {
	for _, l := range lines {
		if strings.ContainsFunc(l, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			return true
		}
	}
	return false
}

func (m *merger) result() Result {
	var r Result
	var out bytes.Buffer
	write := func(lines []string) {
		for _, l := range lines {
			out.WriteString(l)
		}
	}
	done, shift := 0, 0 // shift is how far the result is ahead of ours
	for _, c := range m.changes {
		switch c.by {
		case they:
			shift += c.theirs.len() - c.ours.len()
			write(m.ours.lines[done:c.ours.Start])
			write(m.theirs.lines[c.theirs.Start:c.theirs.End])
			done = c.ours.End
		case both:
			r.Conflicts = append(r.Conflicts, Conflict{
				c.base, c.ours, c.theirs,
				m.base.join(c.base), m.ours.join(c.ours), m.theirs.join(c.theirs),
				Region{c.ours.Start + shift, c.ours.End + shift},
			})
		}
	}
	write(m.ours.lines[done:])
	r.Text = out.Bytes()
	return r
}

func (t text) join(r Region) string { return strings.Join(t.lines[r.Start:r.End], "") }
