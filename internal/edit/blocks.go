package edit

import (
	"strings"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A block is a top-level block of Markdown with its source.
type block struct {
	markdown.Part
	from, to int    // offsets in the page, of blocks that are there
	text     string // its lines, and definitions of links and notes below it
}

// A junction is a text to insert with the blocks before and after its place.
type junction struct {
	before, after *block
	added         []block
}

// insertBlock inserts a text at an offset where a line begins, or at the end. Blank
// lines keep it apart from the blocks before and after it, unless it continues one
// of them: an item of the same list, a row of a table, a line of a quote. With
// prepend, the place is after a heading or front matter, or at the start. If apart is set,
// the writer asked for a blank line. It fails if the text would change how these
// blocks are read, or they would change how it is.
func (ed *editor) insertBlock(at int, text string, prepend, apart bool) error {
	j := ed.junctionAt(at, text)
	continues, runsOn := j.continues(), j.runsOn()
	gap, end := "", "\n"
	above, below := ed.Text[:at], ed.Text[at:]
	if above != "" && !strings.HasSuffix(above, "\n") {
		gap, end = "\n", "" // the page keeps its missing newline
	}
	if j.before.isOpenFence() {
		gap += j.before.fence() + "\n"
	}
	if !prepend && (!continues || apart || j.before.Spaced) {
		gap += "\n"
	}
	if below != "" && below[0] != '\n' && (!runsOn || prepend && apart) {
		end += "\n"
	}
	if err := ed.checkJunction(j, at, gap+text+end); err != nil {
		return err
	}
	front := frontMatterEnd(ed.Text)
	ed.splice(at, at, gap+text+end)
	if frontMatterEnd(ed.Text) != front {
		return wiki.Problemf(wiki.ErrInvalid, "text", `The page would begin with front matter. Use set_meta for that, or "***" for a line.`)
	}
	return nil
}

func (ed *editor) junctionAt(at int, text string) junction {
	var j junction
	parts := ed.parts()
	for i, p := range parts {
		b := &block{Part: p, from: ed.lineStart(p.First), to: len(ed.Text)}
		if i+1 < len(parts) {
			b.to = ed.lineStart(parts[i+1].First)
		}
		if b.from >= at {
			j.after = b
			break
		}
		b.to = min(b.to, at)
		j.before = b
	}
	for _, b := range []*block{j.before, j.after} {
		if b != nil {
			b.text = ed.Text[b.from:b.to]
		}
	}
	own := NewDocument("\n" + text) // so that "---" isn't front matter
	parts = own.parts()
	for i, p := range parts {
		last := own.Lines()
		if i+1 < len(parts) {
			last = parts[i+1].First - 1
		}
		j.added = append(j.added, block{Part: p, text: own.Slice(p.First, last)})
	}
	return j
}

// continues reports whether the text continues the block before it.
func (j junction) continues() bool {
	if j.before == nil || len(j.added) == 0 {
		return false
	}
	a, b := j.before, &j.added[0]
	switch a.Kind {
	case markdown.ListPart:
		return a.isWhole() && (b.indent() >= a.Content || b.Kind == markdown.ListPart && a.Marker == b.Marker)
	case markdown.TablePart:
		return a.isWhole() && b.Kind == markdown.ParagraphPart && b.isRows(strings.HasPrefix(strings.TrimLeft(a.text, " "), "|"))
	case markdown.AlertPart:
		return a.isWhole() && b.Kind == markdown.QuotePart
	case markdown.ParagraphPart, markdown.DefinitionPart:
		return a.isWhole() && b.Kind == markdown.ParagraphPart && strings.HasPrefix(strings.TrimLeft(b.text, " "), ": ")
	}
	return a.isSimilar(b)
}

// runsOn reports whether the block after the text continues it.
func (j junction) runsOn() bool {
	if j.after == nil || len(j.added) == 0 {
		return false
	}
	a, b := &j.added[len(j.added)-1], j.after
	if a.Kind == markdown.ListPart {
		return a.isWhole() && b.Kind == markdown.ListPart && a.Marker == b.Marker && b.indent() < a.Content
	}
	return a.isSimilar(b)
}

// isSimilar reports whether two blocks are one if no blank line is between them.
func (b *block) isSimilar(next *block) bool {
	switch b.Kind {
	case markdown.QuotePart, markdown.FoldPart, markdown.CodePart:
		return b.isWhole() && b.Kind == next.Kind && b.Marker == next.Marker
	}
	return false
}

// isWhole reports whether the last line of the source belongs to the block, and not
// to a definition below it.
func (b *block) isWhole() bool {
	lines := strings.Split(strings.TrimRight(b.text, "\n"), "\n")
	for _, l := range lines[min(len(lines), b.Last-b.First+1):] {
		indented := strings.TrimLeft(l, " \t") != l
		if b.Kind == markdown.ListPart && !indented || b.Kind != markdown.ListPart && l == "" {
			return false
		}
	}
	return true
}

// indent returns the number of spaces before the block.
func (b *block) indent() int { return len(b.text) - len(strings.TrimLeft(b.text, " ")) }

// isRows reports whether each line of the block can be a row of a table.
func (b *block) isRows(piped bool) bool {
	for line := range strings.SplitSeq(strings.TrimRight(b.text, "\n"), "\n") {
		if line = strings.TrimLeft(line, " "); !strings.HasPrefix(line, "|") && (piped || !strings.Contains(line, "|")) {
			return false
		}
	}
	return true
}

// fence returns the run of characters that opens fenced code.
func (b *block) fence() string {
	line, _, _ := strings.Cut(strings.TrimLeft(b.text, " "), "\n")
	return line[:len(line)-len(strings.TrimLeft(line, line[:1]))]
}

// isOpenFence reports whether a block is fenced code without a closing line.
func (b *block) isOpenFence() bool {
	if b == nil || b.Kind != markdown.FencePart {
		return false
	}
	fence := b.fence()
	_, rest, _ := strings.Cut(strings.TrimRight(b.text, "\n"), "\n")
	last := strings.TrimRight(rest[strings.LastIndexByte(rest, '\n')+1:], " \t")
	closing := strings.TrimLeft(last, " ")
	return len(last)-len(closing) > 3 || len(closing) < len(fence) || strings.Trim(closing, fence[:1]) != ""
}

// checkJunction fails if an insertion changes the blocks around it, or they it. It
// parses only these: a top-level block doesn't depend on others.
func (ed *editor) checkJunction(j junction, at int, insertion string) error {
	from, to := at, len(ed.Text)
	var want []string // a block's shape, "" for blocks that become one
	if j.before != nil {
		from, want = j.before.from, append(want, j.before.Shape)
	}
	for i, b := range j.added {
		if i == 0 && j.continues() {
			want[len(want)-1] = ""
			continue
		}
		want = append(want, b.Shape)
	}
	upToText := len(want)
	if j.after != nil {
		if to = j.after.to; j.runsOn() {
			want[len(want)-1] = ""
		} else {
			want = append(want, j.after.Shape)
		}
	}
	if len(j.added) == 0 || hasShapes(ed.Text[from:at]+insertion+ed.Text[at:to], want) {
		return nil
	}
	if j.before != nil && !hasShapes(ed.Text[from:at]+insertion, want[:upToText]) {
		return wiki.Problemf(wiki.ErrInvalid, "text", "There, the text would become part of what begins on line %d, or change how it is read. Use replace to change that.", j.before.First)
	}
	return wiki.Problemf(wiki.ErrInvalid, "text", "There, the text would take in what follows on line %d, or change how it is read. Close what the text opens, such as a code block or a comment.", ed.lineAt(at))
}

// hasShapes reports whether a text has blocks of these shapes ("" for any), or is
// over a limit of the parser.
func hasShapes(text string, want []string) bool {
	got := markdown.Parts([]byte("\n" + text))
	if len(got) != len(want) {
		return got == nil
	}
	for i, shape := range want {
		if shape != "" && shape != got[i].Shape {
			return false
		}
	}
	return true
}
