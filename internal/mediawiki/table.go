package mediawiki

import (
	"fmt"
	"regexp"
	"strings"
)

// A cell is a cell of a table.
type cell struct {
	text       string
	header     bool
	attributes string // colspan and rowspan, as HTML has them
	inside     [2]int
}

// A wikitable is a table being read.
type wikitable struct {
	caption string
	rows    [][]cell
	cells   int
}

func (t *wikitable) addRow() {
	if len(t.rows) == 0 || len(t.rows[len(t.rows)-1]) > 0 {
		t.rows = append(t.rows, nil)
	}
}

func (t *wikitable) addCell(c cell) {
	if len(t.rows) == 0 {
		t.addRow()
	}
	t.rows[len(t.rows)-1] = append(t.rows[len(t.rows)-1], c)
	t.cells++
}

// last returns the cell that was added last, nil if the row has none.
func (t *wikitable) last() *cell {
	if len(t.rows) == 0 || len(t.rows[len(t.rows)-1]) == 0 {
		return nil
	}
	row := t.rows[len(t.rows)-1]
	return &row[len(row)-1]
}

// table converts the table that begins at a line, and returns where the text goes on.
func (w *blockWriter) table(at, to int) int {
	c := w.c
	t := &wikitable{}
	from := at
	at = min(c.lineEnd(at, to)+1, to)
	nested := 0
	for done := false; at < to && !done; {
		end := c.lineEnd(at, to)
		line := strings.TrimLeft(c.text[at:end], " \t")
		start := end - len(line)
		next := min(end+1, to)
		switch {
		case strings.HasPrefix(strings.TrimLeft(line, ":"), "{|"):
			nested++
			t.extend(c, start, end)
		case nested > 0:
			if strings.HasPrefix(line, "|}") {
				nested--
			}
			t.extend(c, start, end)
		case strings.HasPrefix(line, "|}"):
			next, done = start+2, true
			if next < to && c.text[next] == '\n' {
				next++
			}
		case strings.HasPrefix(line, "|-"):
			t.addRow()
		case strings.HasPrefix(line, "|+"):
			t.caption = c.cellText(c.cellOf(start+2, end, false))
		case strings.HasPrefix(line, "|"), strings.HasPrefix(line, "!"):
			t.addLine(c, start, end)
		default:
			t.extend(c, start, end)
		}
		at = next
	}
	w.add(t.write(c, c.text[from:at]))
	return at
}

// extend makes a line a part of the last cell. A row that has none yet gets one, unless
// the line shows nothing.
func (t *wikitable) extend(c *converter, from, end int) {
	if last := t.last(); last != nil {
		last.inside[1] = end
	} else if from < end && !(strings.HasPrefix(c.text[from:], "<!--") && c.ends[from] == end) {
		t.addCell(cell{inside: [2]int{from, end}})
	}
}

// addLine adds the cells of a line.
func (t *wikitable) addLine(c *converter, from, to int) {
	header := c.text[from] == '!'
	for _, part := range c.split(from+1, to, "||") {
		cells := [][2]int{part}
		if header {
			cells = c.split(part[0], part[1], "!!")
		}
		for _, p := range cells {
			t.addCell(c.cellOf(p[0], p[1], header))
		}
	}
}

var spanForm = regexp.MustCompile(`(?i)\b(colspan|rowspan)\s*=\s*["']?\s*([0-9]{1,3})\b`)

// cellOf returns the cell in a part of a line, which can begin with attributes.
func (c *converter) cellOf(from, to int, header bool) cell {
	out := cell{header: header, inside: [2]int{from, to}}
	for at := from; at < to; at++ {
		if end := c.ends[at]; end > at && (strings.HasPrefix(c.text[at:], "[[") || strings.HasPrefix(c.text[at:], "{{")) {
			return out
		}
		if c.text[at] == '|' {
			for _, m := range spanForm.FindAllStringSubmatch(c.text[from:at], 4) {
				if m[2] != "1" && m[2] != "0" {
					out.attributes += fmt.Sprintf(` %s="%s"`, strings.ToLower(m[1]), m[2])
				}
			}
			out.inside[0] = at + 1
			return out
		}
	}
	return out
}

// cellText converts a cell.
func (c *converter) cellText(in cell) string {
	text := ""
	from := in.inside[0]
	for from < in.inside[1] && (c.text[from] == ' ' || c.text[from] == '\t') {
		from++
	}
	if !c.nest(func() { text = c.blocks(from, in.inside[1]) }) {
		text = codeSpan(c.text[from:in.inside[1]])
	}
	return strings.TrimSpace(text)
}

// write writes the table: in GitHub's form if that can hold it, as HTML otherwise, and
// as wikitext if it is too large for either.
func (t *wikitable) write(c *converter, source string) string {
	columns, simple, filled := 0, true, false
	if t.cells > maxCells {
		return fence(source, "wikitext")
	}
	for _, row := range t.rows {
		columns = max(columns, len(row))
		for n := range row {
			cell := &row[n]
			cell.text = c.cellText(*cell)
			simple = simple && cell.attributes == "" && isSimple(cell.text)
			filled = filled || cell.text != ""
		}
	}
	caption := ""
	if t.caption != "" {
		caption = emphasize(strings.Join(strings.Fields(t.caption), " "), "**", ' ', ' ') + "\n\n"
	}
	switch {
	case !filled:
		return strings.TrimSpace(caption)
	case columns > maxColumns || columns*len(t.rows) > maxCells:
		return fence(source, "wikitext")
	case simple:
		return caption + t.github(columns)
	}
	return caption + t.html()
}

// isSimple reports whether a cell's Markdown fits into one line.
func isSimple(text string) bool {
	if strings.Contains(text, "\n\n") {
		return false
	}
	for line := range strings.SplitSeq(text, "\n") {
		for _, start := range []string{"- ", "1. ", "> ", "#", "```", "|", "---", ": ", "[TOC]"} {
			if strings.HasPrefix(line, start) {
				return false
			}
		}
	}
	return true
}

// github writes a table in GitHub's form. Its first row is the header, if it has only
// headers; otherwise the header is empty.
func (t *wikitable) github(columns int) string {
	var b strings.Builder
	rows := t.rows
	header := make([]cell, columns)
	if len(rows) > 0 && isHeader(rows[0]) {
		header, rows = rows[0], rows[1:]
	}
	writeRow(&b, header, columns, false)
	b.WriteString(strings.Repeat("| --- ", columns) + "|\n")
	for _, row := range rows {
		if len(row) > 0 {
			writeRow(&b, row, columns, true)
		}
	}
	return b.String()
}

func isHeader(row []cell) bool {
	for _, c := range row {
		if !c.header {
			return false
		}
	}
	return len(row) > 0
}

func writeRow(b *strings.Builder, row []cell, columns int, mark bool) {
	for n := range columns {
		text := ""
		if n < len(row) {
			text = strings.ReplaceAll(strings.Join(strings.Fields(row[n].text), " "), "|", `\|`)
			if mark && row[n].header && text != "" && !strings.Contains(text, "*") {
				text = emphasize(text, "**", ' ', ' ')
			}
		}
		b.WriteString("| " + text)
		if text != "" {
			b.WriteByte(' ')
		}
	}
	b.WriteString("|\n")
}

// plainCell matches text that is the same in HTML and in Markdown.
var plainCell = regexp.MustCompile(`^[\pL\pN ,.()–−+-]*$`)

// html writes a table as HTML, with Markdown between blank lines in the cells.
func (t *wikitable) html() string {
	var b strings.Builder
	b.WriteString("<table>\n")
	for _, row := range t.rows {
		if len(row) == 0 {
			continue
		}
		b.WriteString("<tr>\n")
		for _, c := range row {
			name := "td"
			if c.header {
				name = "th"
			}
			fmt.Fprintf(&b, "<%s%s>", name, c.attributes)
			if plainCell.MatchString(c.text) {
				b.WriteString(c.text)
			} else {
				b.WriteString("\n\n" + c.text + "\n\n")
			}
			fmt.Fprintf(&b, "</%s>\n", name)
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</table>")
	return b.String()
}
