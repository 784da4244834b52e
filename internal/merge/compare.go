package merge

import (
	"math"
	"strings"
)

// This file finds the lines that two texts have in common. It follows git's
// xdiff, so that merges agree with git's. First it sets aside equal ends and
// lines without a counterpart. On the rest it runs Myers' algorithm from both
// ends ("An O(ND) Difference Algorithm", 1986, section 4b), with xdiff's two
// ways of giving up early on very different texts. Then it slides changes up and
// down to align them.

// xdiff's thresholds. Results equal git's only with these values.
const (
	longSnake    = 20   // equal lines in a row that make a path worth following
	costlySearch = 256  // edits after which such a path is taken
	minMaxEdits  = 256  // lower bound for the number of edits after which any path is taken
	minProgress  = 4    // lines per edit that such a path must have advanced
	maxFrequent  = 1024 // a line with this many counterparts is always frequent
	nearby       = 100  // lines to examine around a frequent line
	quarter      = 4    // frequent lines are noise if they are less than 1/quarter
)

// budget bounds the steps of one Three or Diff. Beyond it, everything not yet
// compared counts as changed. Pages written by people take thousands of steps.
const budget = 100_000_000

// A text is split into lines; equal lines have equal classes.
type text struct {
	lines []string // with line endings
	class []int32
}

// classes numbers distinct lines (or words) from 0.
type classes map[string]int32

func (c classes) number(pieces []string) text {
	t := text{pieces, make([]int32, len(pieces))}
	for i, p := range pieces {
		n, ok := c[p]
		if !ok {
			n = int32(len(c))
			c[p] = n
		}
		t.class[i] = n
	}
	return t
}

// splitLines splits a text after each "\n".
func splitLines(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	lines := strings.SplitAfter(string(b), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// An edit turns the lines [a0, a1) of one text into [b0, b1) of the other.
type edit struct{ a0, a1, b0, b1 int }

// A differ compares texts whose classes come from one numbering. It reuses its
// scratch space, so the cost of a small comparison depends only on its length.
type differ struct {
	left              int     // remaining steps
	countA, countB    []int32 // by class
	forward, backward []int
}

func newDiffer(numbered classes, steps int) *differ {
	return &differ{left: steps, countA: make([]int32, len(numbered)), countB: make([]int32, len(numbered))}
}

// A side is one of the two texts being compared.
type side struct {
	class   []int32
	changed []bool  // lines that the other side lacks
	kept    []int   // lines that take part in the search
	search  []int32 // classes of the kept lines
}

// script returns a shortest list of edits from a to b, or nearly so. better,
// which may be nil, chooses among equivalent positions of a change.
func (d *differ) script(a, b []int32, better chooser) []edit {
	x := &side{class: a, changed: make([]bool, len(a))}
	y := &side{class: b, changed: make([]bool, len(b))}
	d.discardUnmatched(x, y)
	d.search(x, y)
	slide(x, y, better)
	slide(y, x, better)
	return edits(x.changed, y.changed)
}

func edits(a, b []bool) []edit {
	var script []edit
	for i, j := 0, 0; i < len(a) || j < len(b); {
		e := edit{a0: i, b0: j}
		for i < len(a) && a[i] {
			i++
		}
		for j < len(b) && b[j] {
			j++
		}
		if e.a1, e.b1 = i, j; e.a0 < i || e.b0 < j {
			script = append(script, e)
			continue
		}
		i++
		j++
	}
	return script
}

// discardUnmatched sets aside equal lines at both ends. It marks as changed the
// lines without a counterpart, and frequent lines that would mislead the search.
func (d *differ) discardUnmatched(x, y *side) {
	start, n := 0, min(len(x.class), len(y.class))
	for start < n && x.class[start] == y.class[start] {
		start++
	}
	tail := 0
	for tail < n-start && x.class[len(x.class)-1-tail] == y.class[len(y.class)-1-tail] {
		tail++
	}
	for _, c := range x.class {
		d.countA[c]++
	}
	for _, c := range y.class {
		d.countB[c]++
	}
	x.keep(start, len(x.class)-tail, d.countB)
	y.keep(start, len(y.class)-tail, d.countA)
	for _, c := range x.class {
		d.countA[c] = 0
	}
	for _, c := range y.class {
		d.countB[c] = 0
	}
}

// The number of counterparts that a line has on the other side.
const (
	none byte = iota
	some
	frequent
)

func (s *side) keep(start, end int, partners []int32) {
	limit := int32(min(approxSqrt(len(s.class)), maxFrequent))
	has := make([]byte, end-start)
	for i := range has {
		switch n := partners[s.class[start+i]]; {
		case n >= limit:
			has[i] = frequent
		case n > 0:
			has[i] = some
		}
	}
	s.kept = make([]int, 0, len(has))
	s.search = make([]int32, 0, len(has))
	for i, h := range has {
		if h == none || h == frequent && misleading(has, i) {
			s.changed[start+i] = true
			continue
		}
		s.kept = append(s.kept, start+i)
		s.search = append(s.search, s.class[start+i])
	}
}

// misleading reports whether a frequent line is surrounded, above and below, by
// lines without a counterpart that far outnumber the frequent ones.
func misleading(has []byte, i int) bool {
	run := func(step int) (lonely, common int) {
		for j, n := i+step, 0; j >= 0 && j < len(has) && n < nearby && has[j] != some; j, n = j+step, n+1 {
			if has[j] == none {
				lonely++
			} else {
				common++
			}
		}
		return lonely, common
	}
	before, common1 := run(-1)
	if before == 0 {
		return false
	}
	after, common2 := run(+1)
	if after == 0 {
		return false
	}
	common := common1 + common2 + 2 // the line itself counts in both runs
	return common*quarter < common+before+after
}

// approxSqrt returns a power of two near the square root.
func approxSqrt(n int) int {
	root := 1
	for ; n > 0; n >>= 2 {
		root <<= 1
	}
	return root
}

// A box is the part of both texts that a search covers.
type box struct{ a0, a1, b0, b1 int }

// search marks the kept lines that are not common as changed.
func (d *differ) search(x, y *side) {
	diagonals := len(x.search) + len(y.search) + 3
	if len(d.forward) < diagonals {
		d.forward = make([]int, diagonals)
		d.backward = make([]int, diagonals)
	}
	p := &path{
		differ: d, x: x, y: y, a: x.search, b: y.search, zero: len(y.search) + 1,
		maxEdits: max(approxSqrt(diagonals), minMaxEdits),
	}
	p.divide(box{0, len(p.a), 0, len(p.b)}, false)
}

// A path is a search for common lines, from both ends of a box to its middle.
// Diagonal d holds the points (i, j) with i-j = d. forward[zero+d] is the i
// reached on it from the start of the box, backward[zero+d] from its end.
type path struct {
	*differ
	x, y     *side
	a, b     []int32
	zero     int
	maxEdits int

	box
	low, high            int // diagonals of the box
	fMid, fLow, fHigh    int // diagonals reached from the start
	bMid, bLow, bHigh    int // diagonals reached from the end
	snake                bool
	i, j                 int  // point where the path divides
	exactHead, exactTail bool // which part is known to be short
}

// divide finds a point on the path, then searches both parts recursively. With
// exact, the search must not end early.
func (p *path) divide(b box, exact bool) {
	for {
		for b.a0 < b.a1 && b.b0 < b.b1 && p.a[b.a0] == p.b[b.b0] {
			b.a0++
			b.b0++
		}
		for b.a0 < b.a1 && b.b0 < b.b1 && p.a[b.a1-1] == p.b[b.b1-1] {
			b.a1--
			b.b1--
		}
		if b.a0 == b.a1 || b.b0 == b.b1 || p.left <= 0 {
			p.markChanged(b)
			return
		}
		p.box = b
		p.split(exact)
		i, j, tail := p.i, p.j, p.exactTail
		p.divide(box{b.a0, i, b.b0, j}, p.exactHead)
		b, exact = box{i, b.a1, j, b.b1}, tail
	}
}

func (p *path) markChanged(b box) {
	for _, line := range p.x.kept[b.a0:b.a1] {
		p.x.changed[line] = true
	}
	for _, line := range p.y.kept[b.b0:b.b1] {
		p.y.changed[line] = true
	}
}

func (p *path) split(exact bool) {
	p.low, p.high = p.a0-p.b1, p.a1-p.b0
	p.fMid, p.bMid = p.a0-p.b0, p.a1-p.b1
	p.fLow, p.fHigh, p.bLow, p.bHigh = p.fMid, p.fMid, p.bMid, p.bMid
	p.forward[p.zero+p.fMid], p.backward[p.zero+p.bMid] = p.a0, p.a1
	odd := (p.fMid-p.bMid)&1 != 0
	p.exactHead, p.exactTail = true, true
	for edits := 1; ; edits++ {
		p.snake = false
		if p.advance(odd) || p.retreat(!odd) {
			return
		}
		switch {
		case p.left <= 0:
			p.splitAtFurthest()
			return
		case exact:
		case p.snake && edits > costlySearch && (p.goodStart(edits) || p.goodEnd(edits)):
			return
		case edits >= p.maxEdits:
			p.splitAtFurthest()
			return
		}
	}
}

// advance extends every diagonal from the start by one edit and reports whether
// the two searches met.
func (p *path) advance(meet bool) bool {
	f, zero := p.forward, p.zero
	if p.fLow > p.low {
		p.fLow--
		f[zero+p.fLow-1] = -1
	} else {
		p.fLow++
	}
	if p.fHigh < p.high {
		p.fHigh++
		f[zero+p.fHigh+1] = -1
	} else {
		p.fHigh--
	}
	for d := p.fHigh; d >= p.fLow; d -= 2 {
		i := f[zero+d+1]
		if below := f[zero+d-1]; below >= i {
			i = below + 1
		}
		from, j := i, i-d
		for i < p.a1 && j < p.b1 && p.a[i] == p.b[j] {
			i++
			j++
		}
		p.snake = p.snake || i-from > longSnake
		p.left -= 1 + i - from
		f[zero+d] = i
		if meet && p.bLow <= d && d <= p.bHigh && p.backward[zero+d] <= i {
			p.i, p.j = i, j
			return true
		}
	}
	return false
}

// retreat is like advance, from the end.
func (p *path) retreat(meet bool) bool {
	r, zero := p.backward, p.zero
	if p.bLow > p.low {
		p.bLow--
		r[zero+p.bLow-1] = math.MaxInt
	} else {
		p.bLow++
	}
	if p.bHigh < p.high {
		p.bHigh++
		r[zero+p.bHigh+1] = math.MaxInt
	} else {
		p.bHigh--
	}
	for d := p.bHigh; d >= p.bLow; d -= 2 {
		i := r[zero+d-1]
		if above := r[zero+d+1]; i >= above {
			i = above - 1
		}
		from, j := i, i-d
		for i > p.a0 && j > p.b0 && p.a[i-1] == p.b[j-1] {
			i--
			j--
		}
		p.snake = p.snake || from-i > longSnake
		p.left -= 1 + from - i
		r[zero+d] = i
		if meet && p.fLow <= d && d <= p.fHigh && i <= p.forward[zero+d] {
			p.i, p.j = i, j
			return true
		}
	}
	return false
}

// goodStart looks for a path from the start that got far for its edits and ends
// in a long run of equal lines.
func (p *path) goodStart(edits int) bool {
	best := 0
	for d := p.fHigh; d >= p.fLow; d -= 2 {
		i := p.forward[p.zero+d]
		j := i - d
		progress := (i - p.a0) + (j - p.b0) - abs(d-p.fMid)
		if progress > minProgress*edits && progress > best &&
			p.a0+longSnake <= i && i < p.a1 && p.b0+longSnake <= j && j < p.b1 && p.equalRun(i-longSnake, j-longSnake) {
			best, p.i, p.j = progress, i, j
		}
	}
	if best > 0 {
		p.exactHead, p.exactTail = true, false
	}
	return best > 0
}

// goodEnd is like goodStart, from the end.
func (p *path) goodEnd(edits int) bool {
	best := 0
	for d := p.bHigh; d >= p.bLow; d -= 2 {
		i := p.backward[p.zero+d]
		j := i - d
		progress := (p.a1 - i) + (p.b1 - j) - abs(d-p.bMid)
		if progress > minProgress*edits && progress > best &&
			p.a0 < i && i <= p.a1-longSnake && p.b0 < j && j <= p.b1-longSnake && p.equalRun(i, j) {
			best, p.i, p.j = progress, i, j
		}
	}
	if best > 0 {
		p.exactHead, p.exactTail = false, true
	}
	return best > 0
}

func (p *path) equalRun(i, j int) bool {
	for k := range longSnake {
		if p.a[i+k] != p.b[j+k] {
			return false
		}
	}
	return true
}

// splitAtFurthest ends the search at the point farthest from its corner.
func (p *path) splitAtFurthest() {
	ahead, aheadI := -1, -1
	for d := p.fHigh; d >= p.fLow; d -= 2 {
		i := min(p.forward[p.zero+d], p.a1, p.b1+d)
		if sum := i + i - d; sum > ahead {
			ahead, aheadI = sum, i
		}
	}
	back, backI := math.MaxInt, math.MaxInt
	for d := p.bHigh; d >= p.bLow; d -= 2 {
		i := max(p.backward[p.zero+d], p.a0, p.b0+d)
		if sum := i + i - d; sum < back {
			back, backI = sum, i
		}
	}
	if p.a1+p.b1-back < ahead-(p.a0+p.b0) {
		p.i, p.j, p.exactHead, p.exactTail = aheadI, ahead-aheadI, true, false
		return
	}
	p.i, p.j, p.exactHead, p.exactTail = backI, back-backI, false, true
}

func abs(n int) int { return max(n, -n) }
