package merge

import "strings"

// Kind classifies a line or a word in a diff.
type Kind byte

// Kinds of rows and spans.
const (
	Same Kind = iota
	Removed
	Inserted
	Changed // only for rows: the line is on both sides, with differences
)

// A Span is a run of text of one kind inside a line.
type Span struct {
	Kind Kind
	Text string
}

// A Row is one line of a side-by-side diff. A changed line pairs its old and new
// text with the differing words marked. If one side lacks the line, its line
// number is 0.
type Row struct {
	Kind    Kind // Same; Removed (only old), Inserted (only new), or Changed
	OldLine int  // from 1; 0 if the old text lacks the line
	NewLine int
	Old     []Span // Same and Removed spans, without line ending; nil for an empty line
	New     []Span // Same and Inserted spans
	// The line endings: "\n", "\r\n", or "" for an unterminated last line or a
	// side that lacks the line. A changed row may differ only in these.
	OldEnd, NewEnd string
}

// A Hunk is a run of rows: changes and the unchanged lines around them.
type Hunk struct {
	OldStart, OldLines int // as in unified diffs: from 1; if empty, the line before
	NewStart, NewLines int
	Rows               []Row
}

// Diff compares two texts and returns nil if they are equal. Each hunk has up to
// context unchanged lines around its changes; changes at most 2*context lines
// apart share a hunk. Within a run of changed lines, similar old and new lines
// are paired and the words that differ are marked.
func Diff(old, new []byte, context int) []Hunk {
	p := compare(old, new)
	var hunks []Hunk
	for _, s := range p.hunkRanges(context) {
		hunks = append(hunks, p.hunk(s))
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

// Origins returns, for each line of the new text, its line number in the old
// text, from 1, or 0 for a line that is new or changed.
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

// A comparison holds two texts and the edits between them.
type comparison struct {
	old, new text
	script   []edit
	words    *wordDiffer
}

func compare(old, new []byte) *comparison {
	numbered := classes{}
	p := &comparison{old: numbered.number(splitLines(old)), new: numbered.number(splitLines(new))}
	p.words = &wordDiffer{left: budget / 10}
	lines := make([]string, len(numbered))
	for line, n := range numbered {
		lines[n] = line
	}
	p.script = newDiffer(numbered, budget).script(p.old.class, p.new.class, func(s *side, size, first, last int) int {
		return preferParagraphStart(lines, s.class, size, first, last)
	})
	return p
}

// preferParagraphStart moves a change to begin at a heading, or else after an
// empty line, if it can: authors mostly add and remove whole paragraphs.
func preferParagraphStart(lines []string, class []int32, size, first, last int) int {
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

// A hunkRange is a hunk without rows: the lines it covers and its edits.
type hunkRange struct {
	box
	edits []edit
}

// hunkRanges groups neighboring edits.
func (p *comparison) hunkRanges(context int) []hunkRange {
	context = min(max(context, 0), len(p.old.lines))
	var out []hunkRange
	for edits := p.script; len(edits) > 0; {
		n := 1
		for n < len(edits) && edits[n].a0-edits[n-1].a1 <= 2*context {
			n++
		}
		first, last := edits[0], edits[n-1]
		before, after := min(context, first.a0), min(context, len(p.old.lines)-last.a1)
		out = append(out, hunkRange{box{first.a0 - before, last.a1 + after, first.b0 - before, last.b1 + after}, edits[:n]})
		edits = edits[n:]
	}
	return out
}

// position returns a line range as unified diffs write it: from 1, or the line
// before an empty range.
func position(start, end int) (first, lines int) {
	if start == end {
		return start, 0
	}
	return start + 1, end - start
}

func (p *comparison) hunk(s hunkRange) Hunk {
	var h Hunk
	h.OldStart, h.OldLines = position(s.a0, s.a1)
	h.NewStart, h.NewLines = position(s.b0, s.b1)
	i, j, most := s.a0, s.b0, s.a1-s.a0
	for _, e := range s.edits {
		most += e.b1 - e.b0
	}
	h.Rows = make([]Row, 0, most)
	for _, e := range s.edits {
		h.Rows = p.unchangedRows(h.Rows, i, j, e.a0-i)
		h.Rows = p.editRows(h.Rows, e)
		i, j = e.a1, e.b1
	}
	h.Rows = p.unchangedRows(h.Rows, i, j, s.a1-i)
	return h
}

func (p *comparison) unchangedRows(rows []Row, i, j, n int) []Row {
	for k := range n {
		line, end := splitLineEnd(p.old.lines[i+k])
		spans := wholeLine(Same, line)
		rows = append(rows, Row{Same, i + k + 1, j + k + 1, spans, spans, end, end})
	}
	return rows
}

// editRows appends the rows of one edit: pairs of similar lines, in order, and
// between them removed lines followed by inserted lines.
func (p *comparison) editRows(rows []Row, e edit) []Row {
	i, j := e.a0, e.b0
	for _, pair := range p.words.pair(p.old.lines[e.a0:e.a1], p.new.lines[e.b0:e.b1]) {
		rows = p.oneSidedRows(rows, i, e.a0+pair.old, j, e.b0+pair.new)
		i, j = e.a0+pair.old, e.b0+pair.new
		rows = append(rows, p.changedRow(i, j))
		i, j = i+1, j+1
	}
	return p.oneSidedRows(rows, i, e.a1, j, e.b1)
}

func (p *comparison) oneSidedRows(rows []Row, i, iEnd, j, jEnd int) []Row {
	for ; i < iEnd; i++ {
		line, end := splitLineEnd(p.old.lines[i])
		rows = append(rows, Row{Kind: Removed, OldLine: i + 1, Old: wholeLine(Removed, line), OldEnd: end})
	}
	for ; j < jEnd; j++ {
		line, end := splitLineEnd(p.new.lines[j])
		rows = append(rows, Row{Kind: Inserted, NewLine: j + 1, New: wholeLine(Inserted, line), NewEnd: end})
	}
	return rows
}

func (p *comparison) changedRow(i, j int) Row {
	r := Row{Kind: Changed, OldLine: i + 1, NewLine: j + 1}
	var old, new string
	old, r.OldEnd = splitLineEnd(p.old.lines[i])
	new, r.NewEnd = splitLineEnd(p.new.lines[j])
	r.Old, r.New = p.words.markWords(old, new)
	return r
}

func splitLineEnd(line string) (body, end string) {
	body = strings.TrimSuffix(line, "\n")
	if len(body) < len(line) {
		body = strings.TrimSuffix(body, "\r")
	}
	return body, line[len(body):]
}

func wholeLine(kind Kind, line string) []Span {
	if line == "" {
		return nil
	}
	return []Span{{kind, line}}
}
