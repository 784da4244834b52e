package markdown

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"robot.wtf/internal/wiki"
)

// Bounds on the files of values (CSV) that a page's DataTables show.
const (
	// MaxTable bounds one file, in bytes. A larger one is shown as a link.
	MaxTable     = 1 << 20
	maxTables    = 20
	maxTableRows = 1_000
)

// A tableSpec says how a DataTable reads its file. The defaults are those of An Otter
// Wiki.
type tableSpec struct {
	delimiter, quote rune
	header           bool     // the first row has the names of the columns
	columns          []string // numbers from first, or names; nil for all
	first            int
	headers          []string // shown instead of the names; nil to show the names
}

func (d *document) tableSpec(n *widget) tableSpec {
	value := func(keys ...string) string { return d.value(n.option(keys...)) }
	spec := tableSpec{header: true, first: 1}
	if v := value("delimiter", "sep", "separator"); v == `\t` {
		spec.delimiter = '\t'
	} else {
		spec.delimiter = firstRune(strings.ReplaceAll(v, `\|`, "|"), ';')
	}
	spec.quote = firstRune(value("quotechar"), '"')
	if v := strings.ToLower(value("header")); v != "" {
		spec.header = slices.Contains([]string{"true", "yes", "1", "y", "on"}, v)
	}
	spec.columns = list(value("columns"))
	if spec.columns == nil {
		spec.columns, spec.first = list(value("column0")), 0
	}
	spec.headers = list(value("headers"))
	return spec
}

func firstRune(s string, otherwise rune) rune {
	if r, _ := utf8.DecodeRuneInString(s); r != utf8.RuneError {
		return r
	}
	return otherwise
}

// list splits a list with commas; nil if it is empty.
func list(v string) []string {
	if v == "" {
		return nil
	}
	parts := strings.Split(v, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// writeDataTable writes a DataTable: a Markdown table, or a file of values. A file that
// can't be shown, or not whole, is linked.
func (w *writer) writeDataTable(n *widget) {
	src, caption, spec := n.option("src"), n.option("caption"), w.doc.tableSpec(n)
	if src == nil {
		w.writeWidgetFigure(n, "<figure>")
		return
	}
	n.takeOptions()
	w.write("<figure>\n")
	target := addressTarget(w.doc.name, w.doc.value(src), true)
	if note, whole := w.writeFileTable(target, spec); !whole {
		w.write("<p>")
		w.writeLink(w.lookUp(target), "", func() { w.writeText(w.doc.value(src)) })
		w.writeText(note)
		w.write("</p>\n")
	}
	w.writeChildren(n)
	w.writeCaption(caption)
	w.write("</figure>\n")
}

// writeFileTable writes the table of a file, and reports whether that is all. If not, the
// note belongs after a link to the file.
func (w *writer) writeFileTable(target linkTarget, spec tableSpec) (note string, whole bool) {
	w.checkTime()
	if w.tables++; w.tables > maxTables || w.readTable == nil || target.Kind != wiki.LinkFile {
		return "", false
	}
	content, ok := w.readTable(target.Link)
	if !ok {
		return "", false
	}
	rows, more := parseValues(string(content), spec.delimiter, spec.quote)
	names, rows := spec.pick(rows)
	if len(names) == 0 {
		return " is empty", false
	}
	room := max(0, (maxCells-w.cells)/len(names))
	if len(rows) > room {
		rows, more = rows[:room], true
	}
	w.cells += len(names) * len(rows)
	w.writeValues(names, rows, spec.header || spec.headers != nil)
	if more {
		return fmt.Sprintf(" has more than these %s rows", thousands(len(rows))), false
	}
	return "", true
}

// pick returns the names of the columns, and the rows with the chosen columns in their
// order.
func (s tableSpec) pick(rows [][]string) (names []string, picked [][]string) {
	if len(rows) == 0 {
		return nil, nil
	}
	first := rows[0]
	if s.header {
		rows = rows[1:]
	}
	columns := s.indices(first)
	cells := func(row []string) []string {
		out := make([]string, len(columns))
		for i, c := range columns {
			if c >= 0 && c < len(row) {
				out[i] = row[c]
			}
		}
		return out
	}
	names = cells(first)
	for i := range min(len(names), len(s.headers)) {
		names[i] = s.headers[i]
	}
	for _, row := range rows {
		picked = append(picked, cells(row))
	}
	return names, picked
}

// indices returns the chosen columns of a file with a first row.
func (s tableSpec) indices(first []string) []int {
	var byNumber, byName, all []int
	for i := range min(len(first), maxColumns) {
		all = append(all, i)
	}
	for _, c := range s.columns[:min(len(s.columns), maxColumns)] {
		if n, err := strconv.Atoi(c); err == nil {
			byNumber = append(byNumber, n-s.first)
		}
		if i := slices.Index(first, c); i >= 0 && s.header {
			byName = append(byName, i)
		}
	}
	switch {
	case len(s.columns) > 0 && len(byNumber) == len(s.columns):
		return byNumber
	case len(byName) > 0:
		return byName
	}
	return all
}

func (w *writer) writeValues(names []string, rows [][]string, head bool) {
	write := func(row []string, before, after string) {
		w.write("<tr>")
		for _, cell := range row {
			w.write(before)
			w.writeText(cell)
			w.write(after)
		}
		w.write("</tr>\n")
	}
	w.write(w.openRegion("Table"), "<table>\n")
	if head {
		w.write("<thead>\n")
		write(names, `<th scope="col">`, "</th>")
		w.write("</thead>\n")
	}
	w.write("<tbody>\n")
	for _, row := range rows {
		write(row, "<td>", "</td>")
	}
	w.write("</tbody>\n</table></div>\n")
}

// parseValues parses values between delimiters (RFC 4180, with these characters). It
// returns at most maxTableRows after the first, and whether there are more. Quotes count
// at the beginning of a value; an unclosed one ends with the file.
func parseValues(text string, delimiter, quote rune) (rows [][]string, more bool) {
	text = strings.ReplaceAll(strings.TrimPrefix(text, byteOrderMark), "\r\n", "\n")
	for text != "" {
		if len(rows) > maxTableRows {
			return rows, true
		}
		var row []string
		for ended := false; !ended; {
			var value string
			value, text, ended = nextValue(text, delimiter, quote)
			row = append(row, value)
		}
		if len(row) > 1 || row[0] != "" {
			rows = append(rows, row)
		}
	}
	return rows, false
}

// nextValue returns the first value of a text, the text after it, and whether it is the
// last one of its row.
func nextValue(text string, delimiter, quote rune) (value, rest string, ended bool) {
	var b strings.Builder
	if quoted, ok := strings.CutPrefix(text, string(quote)); ok {
		for text = quoted; ; {
			before, after, closed := strings.Cut(text, string(quote))
			b.WriteString(before)
			if text = after; !closed || !strings.HasPrefix(after, string(quote)) {
				break
			}
			b.WriteString(string(quote))
			text = after[len(string(quote)):]
		}
	}
	end := strings.IndexFunc(text, func(r rune) bool { return r == delimiter || r == '\n' })
	if end < 0 {
		b.WriteString(text)
		return b.String(), "", true
	}
	b.WriteString(text[:end])
	if text[end] == '\n' {
		return b.String(), text[end+1:], true
	}
	return b.String(), text[end+utf8.RuneLen(delimiter):], false
}

// ReadTable implements PageLister. It returns nothing if the Resolver doesn't.
func (g *resolverGate) ReadTable(ctx context.Context, l wiki.Link) ([]byte, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t, ok := g.resolver.(PageLister); ok && ctx.Err() == nil {
		return t.ReadTable(ctx, l)
	}
	return nil, false
}
