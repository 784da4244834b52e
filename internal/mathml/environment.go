package mathml

import (
	"strings"
)

// A tableRow is a row of an environment.
type tableRow struct {
	cells []*node
	line  bool // above it
}

// environments are the classes of an environment's table, and its delimiters.
var environments = map[string]struct{ class, left, right string }{
	"matrix": {"mx", "", ""}, "pmatrix": {"mx", "(", ")"}, "bmatrix": {"mx", "[", "]"}, "Bmatrix": {"mx", "{", "}"},
	"vmatrix": {"mx", "|", "|"}, "Vmatrix": {"mx", "‖", "‖"}, "smallmatrix": {"ms", "", ""}, "array": {"mx", "", ""}, "subarray": {"ms", "", ""},
	"cases": {"ca", "{", ""}, "dcases": {"ca", "{", ""}, "rcases": {"ca", "", "}"}, "drcases": {"ca", "", "}"}, "numcases": {"ca", "{", ""},
	"align": {"al", "", ""}, "aligned": {"al", "", ""}, "split": {"al", "", ""}, "alignat": {"al", "", ""}, "alignedat": {"al", "", ""},
	"flalign": {"al", "", ""}, "eqnarray": {"eq", "", ""}, "gather": {"ga", "", ""}, "gathered": {"ga", "", ""}, "equation": {"ga", "", ""},
	"multline": {"ga", "", ""}, "math": {"ga", "", ""}, "displaymath": {"ga", "", ""}, "darray": {"mx", "", ""},
}

func (p *parser) environment(name string) *node {
	full := word(p.rawArgument(name))
	e, ok := environments[strings.TrimSuffix(full, "*")]
	if !ok {
		p.fail("The environment %s isn't known here.", full)
	}
	columns := ""
	switch full {
	case "array", "darray", "subarray":
		p.rawOption()
		columns = word(p.rawArgument(`\begin{` + full + `}`))
	case "alignat", "alignat*", "alignedat":
		p.rawArgument(`\begin{` + full + `}`)
	case "aligned", "gathered", "split":
		p.rawOption()
	}
	if strings.HasSuffix(full, "matrix*") {
		alignment, _ := p.rawOption()
		columns = strings.Repeat(word(alignment), 20)
	}
	rows := p.rows(never)
	if t := p.next(); !t.is(`\end`) {
		p.unexpected(t, `\end{`+full+"}")
	}
	if ended := word(p.rawArgument(`\end`)); ended != full {
		p.fail(`\begin{%s} ends with \end{%s}.`, full, ended)
	}
	alignColumns(rows, columns)
	n := table(rows, e.class)
	if strings.HasPrefix(full, "d") || e.class == "al" || e.class == "ga" || e.class == "eq" {
		n.with(`displaystyle="true"`)
	}
	if e.left == "" && e.right == "" {
		return n
	}
	return fenced(e.left, n, e.right)
}

// rows parses rows of cells up to the end of an environment or of the input.
func (p *parser) rows(ends func(token) bool) []tableRow {
	var rows []tableRow
	current := tableRow{line: p.lines()}
	for {
		current.cells = append(current.cells, p.row(ends))
		switch t := p.peek(); {
		case t.is("&"):
			p.advance()
		case t.is(`\\`), t.is(`\cr`):
			p.advance()
			if p.peekRaw().is("*") {
				p.advance()
			}
			if p.peekRaw().is("[") {
				p.rawOption() // space between the rows
			}
			rows = append(rows, current)
			current = tableRow{line: p.lines()}
		case t.is(`\end`), t.kind == end:
			if last := current.cells; len(last) > 1 || len(last[0].kids) > 0 || len(rows) == 0 {
				rows = append(rows, current)
			}
			return rows
		default:
			p.unexpected(t, `\end`)
		}
	}
}

// lines reads the rules above a row.
func (p *parser) lines() (found bool) {
	for p.accept(`\hline`) || p.accept(`\hdashline`) || p.accept(`\toprule`) || p.accept(`\midrule`) || p.accept(`\bottomrule`) {
		found = true
	}
	return found
}

// alignColumns gives the cells of an array the classes of its columns.
func alignColumns(rows []tableRow, columns string) {
	var classes []string
	line := ""
	for _, c := range columns {
		switch c {
		case '|':
			line = " vl"
		case 'l', 'c', 'r':
			classes = append(classes, strings.TrimSpace(map[rune]string{'l': "le", 'r': "ri"}[c]+line))
			line = ""
		}
	}
	for _, r := range rows {
		for i := range r.cells {
			if i < len(classes) && classes[i] != "" {
				r.cells[i] = (&node{kids: []*node{r.cells[i]}}).with(`class="` + classes[i] + `"`)
			}
		}
	}
}

// table returns the table of rows.
func table(rows []tableRow, class string) *node {
	n := element("mtable").with(`class="` + class + `"`)
	for _, r := range rows {
		tr := element("mtr")
		if r.line {
			tr.with(`class="hl"`)
		}
		for _, cell := range r.cells {
			td := element("mtd")
			td.attrs, td.kids = cell.attrs, cell.kids
			if cell.tag != "" {
				td.attrs, td.kids = "", []*node{cell}
			}
			tr.kids = append(tr.kids, td)
		}
		n.kids = append(n.kids, tr)
	}
	return n.of(inner)
}

// substack is \substack{a \\ b}.
func (p *parser) substack(name string) *node {
	if !p.accept("{") {
		p.fail("%s needs an argument in braces.", name)
	}
	rows := []tableRow{{cells: []*node{p.row(never)}}}
	for p.accept(`\\`) {
		rows = append(rows, tableRow{cells: []*node{p.row(never)}})
	}
	if t := p.next(); !t.is("}") {
		p.unexpected(t, "}")
	}
	return table(rows, "ms")
}
