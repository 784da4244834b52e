// Package merge merges and compares texts line by line and word by word.
//
// It knows nothing about wikis or repositories, but agrees with git: a merge is
// clean when `git merge-file` is clean, and has the same text. Lines end with
// "\n" or "\r\n"; the last line may lack an ending. The ending belongs to the
// line: "a\n" and "a\r\n" differ.
//
// Running time is bounded by the length of the input plus a fixed budget of
// steps: about a second for 1 MiB of text. When very large and very different
// texts exhaust the budget, the rest counts as changed. Such a merge can
// conflict where git's is clean, or report different regions.
package merge

import (
	"bytes"
	"slices"
	"sort"
	"strings"
	"unicode"
)

// A Region is a range of lines in one text: [Start, End), counted from 0.
type Region struct{ Start, End int }

func (r Region) len() int { return r.End - r.Start }

// A Conflict is a region that both sides changed differently. It excludes
// surrounding lines that both sides changed in the same way. Neighboring
// conflicts can share lines of the base. In rare cases both texts are equal:
// two conflicts a few lines apart, one addition on each side, were joined. Git
// reports a conflict there too.
type Conflict struct {
	Base, Ours, Theirs Region
	// The texts of the three regions, with line endings.
	BaseText, OursText, TheirsText string
	Merged                         Region // position of Ours' lines in Result.Text
}

// A Result is the outcome of a three-way merge.
type Result struct {
	// Text is the merged text. Conflicts keep Ours' lines.
	Text      []byte
	Conflicts []Conflict
}

// Clean reports whether the merge has no conflicts.
func (r Result) Clean() bool { return len(r.Conflicts) == 0 }

// Three merges the changes base->ours and base->theirs, as `git merge-file`
// does. Adjacent changes, with no unchanged line between them, conflict unless
// they are identical. A clean merge contains every line that either side added
// or changed.
func Three(base, ours, theirs []byte) Result { return three(base, ours, theirs, budget) }

func three(base, ours, theirs []byte, steps int) Result {
	numbered := classes{}
	m := merger{
		base:   numbered.number(splitLines(base)),
		ours:   numbered.number(splitLines(ours)),
		theirs: numbered.number(splitLines(theirs)),
	}
	m.differ = newDiffer(numbered, steps)
	m.toOurs = m.script(m.base.class, m.ours.class, nil)
	m.toTheirs = m.script(m.base.class, m.theirs.class, nil)
	m.pairEdits()
	m.narrowConflicts()
	m.joinConflicts()
	return m.result()
}

// changeOrigin says which side made a change.
type changeOrigin byte

const (
	conflicting changeOrigin = iota // both sides, differently
	fromOurs
	fromTheirs
	fromBoth // both sides, identically
)

// A change is a changed region in the three texts.
type change struct {
	origin             changeOrigin
	base, ours, theirs Region
}

type merger struct {
	*differ
	base, ours, theirs text
	toOurs, toTheirs   []edit
	changes            []change
}

// pairEdits walks both edit scripts along the base and collects the changes.
// Where only one side changes, the other side's lines keep a constant offset.
func (m *merger) pairEdits() {
	a, b := m.toOurs, m.toTheirs
	for len(a) > 0 && len(b) > 0 {
		x, y := a[0], b[0]
		switch {
		case x.a1 < y.a0:
			m.addOurs(x, y.b0-y.a0)
			a = a[1:]
			continue
		case y.a1 < x.a0:
			m.addTheirs(y, x.b0-x.a0)
			b = b[1:]
			continue
		case !m.sameEdit(x, y):
			m.addConflict(x, y)
		}
		if x.a1 <= y.a1 {
			a = a[1:]
		}
		if y.a1 <= x.a1 {
			b = b[1:]
		}
	}
	for _, x := range a {
		m.addOurs(x, len(m.theirs.class)-len(m.base.class))
	}
	for _, y := range b {
		m.addTheirs(y, len(m.ours.class)-len(m.base.class))
	}
}

func (m *merger) addOurs(x edit, theirShift int) {
	m.add(change{fromOurs, Region{x.a0, x.a1}, Region{x.b0, x.b1}, Region{x.a0 + theirShift, x.a1 + theirShift}})
}

func (m *merger) addTheirs(y edit, ourShift int) {
	m.add(change{fromTheirs, Region{y.a0, y.a1}, Region{y.a0 + ourShift, y.a1 + ourShift}, Region{y.b0, y.b1}})
}

// addConflict adds a conflict that covers the base lines of both edits.
func (m *merger) addConflict(x, y edit) {
	start, end := min(x.a0, y.a0), max(x.a1, y.a1)
	m.add(change{
		conflicting, Region{start, end},
		Region{x.b0 - (x.a0 - start), x.b1 + (end - x.a1)},
		Region{y.b0 - (y.a0 - start), y.b1 + (end - y.a1)},
	})
}

func (m *merger) sameEdit(x, y edit) bool {
	return x.a0 == y.a0 && x.a1 == y.a1 && slices.Equal(m.ours.class[x.b0:x.b1], m.theirs.class[y.b0:y.b1])
}

// add appends a change, or extends the last one if they touch. Touching changes
// from different sides become a conflict.
func (m *merger) add(c change) {
	if n := len(m.changes); n > 0 {
		last := &m.changes[n-1]
		if c.ours.Start <= last.ours.End || c.theirs.Start <= last.theirs.End {
			if c.origin != last.origin {
				last.origin = conflicting
			}
			last.base.End, last.ours.End, last.theirs.End = c.base.End, c.ours.End, c.theirs.End
			return
		}
	}
	m.changes = append(m.changes, c)
}

// narrowConflicts compares the two sides of each conflict and keeps only the
// parts that differ. A conflict with equal sides becomes an ordinary change.
func (m *merger) narrowConflicts() {
	var out []change
	for _, c := range m.changes {
		ours, theirs := m.ours.class[c.ours.Start:c.ours.End], m.theirs.class[c.theirs.Start:c.theirs.End]
		if c.origin != conflicting || len(ours) == 0 || len(theirs) == 0 {
			out = append(out, c)
			continue
		}
		pieces := m.script(ours, theirs, nil)
		if len(pieces) == 0 {
			c.origin = fromBoth
			out = append(out, c)
		}
		for _, e := range pieces {
			o := Region{c.ours.Start + e.a0, c.ours.Start + e.a1}
			t := Region{c.theirs.Start + e.b0, c.theirs.Start + e.b1}
			out = append(out, change{conflicting, m.baseRegion(c.base, o, t), o, t})
		}
	}
	m.changes = out
}

// baseRegion returns the part of a conflict's base that the given parts of its
// sides came from.
func (m *merger) baseRegion(within, ours, theirs Region) Region {
	a, b := originalRegion(m.toOurs, ours), originalRegion(m.toTheirs, theirs)
	start := min(max(within.Start, min(a.Start, b.Start)), within.End)
	return Region{start, max(start, min(within.End, max(a.End, b.End)))}
}

// originalRegion maps lines of a script's second text back to the first. A
// position inside an edit maps to everything the edit replaced.
func originalRegion(script []edit, r Region) Region {
	n := sort.Search(len(script), func(i int) bool { return script[i].b1 > r.Start || script[i].b0 == r.Start })
	out := Region{r.Start + lineOffset(script[:n]), 0}
	if n < len(script) && script[n].b0 <= r.Start {
		out.Start = script[n].a0
	}
	n = sort.Search(len(script), func(i int) bool { return script[i].b0 > r.End || script[i].b0 == r.End && script[i].b1 > r.End })
	out.End = r.End + lineOffset(script[:n])
	if n > 0 && script[n-1].b1 >= r.End {
		out.End = script[n-1].a1
	}
	return out
}

// lineOffset returns how many lines the first text is ahead after the edits.
func lineOffset(script []edit) int {
	if len(script) == 0 {
		return 0
	}
	last := script[len(script)-1]
	return last.a1 - last.b1
}

// joinConflicts joins two conflicts separated by only a few lines, or by lines
// without letters and digits: they are easier to resolve together. Git counts
// only ASCII letters and digits, so it joins more conflicts in other scripts.
func (m *merger) joinConflicts() {
	const few = 3
	var out []change
	for _, c := range m.changes {
		if n := len(out); n > 0 && c.origin == conflicting && out[n-1].origin == conflicting {
			last := &out[n-1]
			between := m.ours.lines[last.ours.End:c.ours.Start]
			if len(between) <= few || !hasWords(between) {
				last.base.End = max(last.base.End, c.base.End)
				last.ours.End, last.theirs.End = c.ours.End, c.theirs.End
				continue
			}
		}
		out = append(out, c)
	}
	m.changes = out
}

func hasWords(lines []string) bool {
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
	done, shift := 0, 0 // shift: lines the result is ahead of ours
	for _, c := range m.changes {
		switch c.origin {
		case fromTheirs:
			shift += c.theirs.len() - c.ours.len()
			write(m.ours.lines[done:c.ours.Start])
			write(m.theirs.lines[c.theirs.Start:c.theirs.End])
			done = c.ours.End
		case conflicting:
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
