package merge

import "strings"

// Kind is what a diff says of a line or word.
type Kind byte

// The kinds.
const (
	Same Kind = iota
	Removed
	Inserted
	Changed // of a row whose line is on both sides, with changes
)

// A Span is a run of text of one kind inside a line.
type Span struct {
	Kind Kind
	Text string
}

// A Row is one line of a diff set side by side. A changed line pairs its old
// and new text with the differing words marked; a line that is only on one
// side has the other number 0.
type Row struct {
	Kind    Kind // Same; Removed (only old), Inserted (only new), or Changed
	OldLine int  // from 1; 0 where the old text has no such line
	NewLine int
	Old     []Span // Same and Removed spans, without line end; nil for an empty line
	New     []Span // Same and Inserted spans
	// The ends of the two lines: "\n", "\r\n", "" for an unfinished last line or
	// a side that has no such line. A changed row may differ in these alone.
	OldEnd, NewEnd string
}

// A Hunk is a stretch of rows with `context` unchanged lines around changes.
type Hunk struct {
	OldStart, OldLines int // as in unified diffs: from 1; without lines, the line before
	NewStart, NewLines int
	Rows               []Row
}

// Diff compares two texts; nil means that they are equal. Changes that 2 x
// context lines or fewer part share a hunk. Inside a run of changed lines, the
// old and new ones that resemble each other are paired, and the words in which
// they differ are marked.
func Diff(old, new []byte, context int) []Hunk {
	p := compare(old, new)
	var hunks []Hunk
	for _, s := range p.hunks(context) {
		hunks = append(hunks, p.rows(s))
	}
	return hunks
}

// Stat counts the lines that a change adds and removes.
func Stat(old, new []byte) (added, removed int) {
	for _, e := range compare(old, new).script {
		added += e.b1 - e.b0
		removed += e.a1 - e.a0
	}
	return added, removed
}

// Origins says of each line of the new text which line of the old one it was,
// from 1; 0 for the lines that the change made.
func Origins(old, new []byte) []int {
	p := compare(old, new)
	lines := make([]int, len(p.new.lines))
	a, b := 0, 0
	copied := func(upTo int) {
		for ; b < upTo; a, b = a+1, b+1 {
			lines[b] = a + 1
		}
	}
	for _, e := range p.script {
		copied(e.b0)
		a, b = e.a1, e.b1
	}
	copied(len(lines))
	return lines
}

// A comparison is two texts and the edits between them.
type comparison struct {
	old, new text
	script   []edit
	words    *wordDiffer
}

func compare(old, new []byte) *comparison {
	numbered := classes{}
	p := &comparison{old: numbered.number(cutLines(old)), new: numbered.number(cutLines(new))}
	p.words = &wordDiffer{left: budget / 10}
	lines := make([]string, len(numbered))
	for line, n := range numbered {
		lines[n] = line
	}
	p.script = newDiffer(numbered, budget).script(p.old.class, p.new.class, func(s *side, size, first, last int) int {
		return atParagraph(lines, s.class, size, first, last)
	})
	return p
}

// atParagraph lets a change begin with a heading, else after an empty line,
// where it can: that is what its writer most likely added or took away.
func atParagraph(lines []string, class []int32, size, first, last int) int {
	const far = 100
	after := last
	for end := last; end >= max(first, last-far); end-- {
		start := end - size
		if strings.HasPrefix(lines[class[start]], "#") {
			return end
		}
		if after == last && start > 0 && strings.TrimSpace(lines[class[start-1]]) == "" {
			after = end
		}
	}
	return after
}

// A stretch is a hunk before its rows are made: the lines that it covers, and
// its edits.
type stretch struct {
	box
	edits []edit
}

// hunks groups the edits that are near each other.
func (p *comparison) hunks(context int) []stretch {
	context = min(max(context, 0), len(p.old.lines))
	var out []stretch
	for edits := p.script; len(edits) > 0; {
		n := 1
		for n < len(edits) && edits[n].a0-edits[n-1].a1 <= 2*context {
			n++
		}
		first, last := edits[0], edits[n-1]
		before, after := min(context, first.a0), min(context, len(p.old.lines)-last.a1)
		out = append(out, stretch{box{first.a0 - before, last.a1 + after, first.b0 - before, last.b1 + after}, edits[:n]})
		edits = edits[n:]
	}
	return out
}

// position is a range of lines as unified diffs count: from 1, and an empty one
// from the line before.
func position(start, end int) (first, lines int) {
	if start == end {
		return start, 0
	}
	return start + 1, end - start
}

func (p *comparison) rows(s stretch) Hunk {
	var h Hunk
	h.OldStart, h.OldLines = position(s.a0, s.a1)
	h.NewStart, h.NewLines = position(s.b0, s.b1)
	i, j, most := s.a0, s.b0, s.a1-s.a0
	for _, e := range s.edits {
		most += e.b1 - e.b0
	}
	h.Rows = make([]Row, 0, most)
	for _, e := range s.edits {
		h.Rows = p.same(h.Rows, i, j, e.a0-i)
		h.Rows = p.block(h.Rows, e)
		i, j = e.a1, e.b1
	}
	h.Rows = p.same(h.Rows, i, j, s.a1-i)
	return h
}

func (p *comparison) same(rows []Row, i, j, n int) []Row {
	for k := range n {
		line, end := cutEnd(p.old.lines[i+k])
		spans := whole(Same, line)
		rows = append(rows, Row{Same, i + k + 1, j + k + 1, spans, spans, end, end})
	}
	return rows
}

// block makes the rows of one edit: pairs of lines that resemble each other in
// order, between them what was removed and then what was inserted.
func (p *comparison) block(rows []Row, e edit) []Row {
	i, j := e.a0, e.b0
	for _, pair := range p.words.pair(p.old.lines[e.a0:e.a1], p.new.lines[e.b0:e.b1]) {
		rows = p.oneSided(rows, i, e.a0+pair.old, j, e.b0+pair.new)
		i, j = e.a0+pair.old, e.b0+pair.new
		rows = append(rows, p.changed(i, j))
		i, j = i+1, j+1
	}
	return p.oneSided(rows, i, e.a1, j, e.b1)
}

func (p *comparison) oneSided(rows []Row, i, iEnd, j, jEnd int) []Row {
	for ; i < iEnd; i++ {
		line, end := cutEnd(p.old.lines[i])
		rows = append(rows, Row{Kind: Removed, OldLine: i + 1, Old: whole(Removed, line), OldEnd: end})
	}
	for ; j < jEnd; j++ {
		line, end := cutEnd(p.new.lines[j])
		rows = append(rows, Row{Kind: Inserted, NewLine: j + 1, New: whole(Inserted, line), NewEnd: end})
	}
	return rows
}

func (p *comparison) changed(i, j int) Row {
	r := Row{Kind: Changed, OldLine: i + 1, NewLine: j + 1}
	var old, new string
	old, r.OldEnd = cutEnd(p.old.lines[i])
	new, r.NewEnd = cutEnd(p.new.lines[j])
	r.Old, r.New = p.words.mark(old, new)
	return r
}

func cutEnd(line string) (body, end string) {
	body = strings.TrimSuffix(line, "\n")
	if len(body) < len(line) {
		body = strings.TrimSuffix(body, "\r")
	}
	return body, line[len(body):]
}

func whole(kind Kind, line string) []Span {
	if line == "" {
		return nil
	}
	return []Span{{kind, line}}
}
