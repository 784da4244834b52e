package markdown

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// A PageQuery is what a "::: pages" block lists.
type PageQuery struct {
	Folder string   // only pages in it; "" for all
	Tag    string   // only pages with it; "" for all
	Where  string   // an expression over the front matter; "" for all
	Show   []string // keys of the front matter to show; a list has none
	Sort   string   // name, updated, size or a key, with "-" before it the other way round
	Limit  int      // of rows, from 1 to MaxListed
}

// PageRows is the answer to a PageQuery.
type PageRows struct {
	Rows  []PageRow
	Total int    // number of pages that the query selects; more than there are rows if it is cut
	Note  string // a sentence for people about the query, or ""
	Bad   bool   // the query can't be answered; Note says why
}

// A PageRow is a page in a list.
type PageRow struct {
	Page   Target
	Values [][]ListedValue // by index in PageQuery.Show
}

// A ListedValue is a value of a page's front matter.
type ListedValue struct {
	Text string
	Link Target // of a link; without a URL for other values
}

// A PageQuerier is a Resolver that can also answer queries.
type PageQuerier interface {
	// QueryPages lists pages of the wiki.
	QueryPages(ctx context.Context, q PageQuery) PageRows
}

const (
	defaultListed = 100 // rows
	maxLists      = 10  // in a page; each is a query
)

var kindPageList = ast.NewNodeKind("PageList")

// A pageList lists pages: "::: pages where: status = draft, show: status, due". More
// options can follow on lines of their own, and a line of colons can end it.
type pageList struct {
	ast.BaseBlock
	fence int // number of colons; 0 after the line that ends it
}

func (n *pageList) Kind() ast.NodeKind      { return kindPageList }
func (n *pageList) IsRaw() bool             { return true }
func (n *pageList) Dump(src []byte, lv int) { ast.DumpHelper(n, src, lv, nil, nil) }

type pageListParser struct{}

func (pageListParser) Trigger() []byte { return []byte{':'} }

var (
	pageListStart = regexp.MustCompile(`^ {0,3}(:{3,100})[ \t]*(?i:pages)[ \t]+[A-Za-z]+[ \t]*:[^\n]*\n?$`)
	listOption    = regexp.MustCompile(`(?i)^[ \t]*(where|show|folder|tag|sort|limit)[ \t]*:`)
	anyOption     = regexp.MustCompile(`^[ \t]*([A-Za-z]+)[ \t]*:`)
)

func (pageListParser) Open(_ ast.Node, reader text.Reader, _ parser.Context) (ast.Node, parser.State) {
	line, segment := reader.PeekLine()
	m := pageListStart.FindSubmatch(line)
	if m == nil {
		return nil, parser.NoChildren
	}
	n := &pageList{fence: len(m[1])}
	n.Lines().Append(segment)
	reader.AdvanceToEOL()
	return n, parser.NoChildren
}

// Continue takes lines of options, and the line of colons that ends the block.
func (pageListParser) Continue(node ast.Node, reader text.Reader, _ parser.Context) parser.State {
	n := node.(*pageList)
	line, segment := reader.PeekLine()
	switch {
	case n.fence == 0:
		return parser.Close
	case closingFence(line) == n.fence:
		n.fence = 0
	case !listOption.Match(line):
		return parser.Close
	}
	n.Lines().Append(segment)
	reader.AdvanceToEOL()
	return parser.Continue | parser.NoChildren
}

func (pageListParser) Close(ast.Node, text.Reader, parser.Context) {}
func (pageListParser) CanInterruptParagraph() bool                 { return true }
func (pageListParser) CanAcceptIndentedLine() bool                 { return false }

// parsePageQuery reads the options of a block. An option that can't be read is a
// sentence about it.
func parsePageQuery(source string) (q PageQuery, bad string) {
	q.Limit = defaultListed
	lines := strings.Split(strings.TrimSpace(source), "\n")
	lines[0] = strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(lines[0]), ":"))[len("pages"):]
	for _, line := range lines {
		if strings.Trim(line, ": \t\r") == "" {
			continue
		}
		for _, option := range splitOptions(line) {
			if bad := q.set(option); bad != "" {
				return q, bad
			}
		}
	}
	return q, ""
}

// splitOptions splits a line at the commas before an option's name, outside of quotes.
func splitOptions(line string) (options []string) {
	quote, start := byte(0), 0
	for i := range len(line) {
		switch c := line[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && c == '"':
			quote = c
		case quote == 0 && c == ',' && listOption.MatchString(line[i+1:]):
			options = append(options, line[start:i])
			start = i + 1
		}
	}
	return append(options, line[start:])
}

const listOptions = "folder, tag, where, show, sort and limit"

func (q *PageQuery) set(option string) (bad string) {
	m := anyOption.FindStringSubmatch(option)
	if m == nil {
		return "An option is a name and a value, such as where: status = draft."
	}
	value := strings.TrimSpace(option[len(m[0]):])
	switch strings.ToLower(m[1]) {
	case "folder":
		q.Folder = strings.Trim(unquoted(value), "/")
	case "tag":
		q.Tag = unquoted(value)
	case "where":
		q.Where = value
	case "show":
		for _, key := range list(value) {
			if key = unquoted(key); key != "" && len(q.Show) < maxShown {
				q.Show = append(q.Show, key)
			}
		}
	case "sort":
		q.Sort = unquoted(value)
	case "limit":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > MaxListed {
			return fmt.Sprintf("The limit of a list is a number from 1 to %d.", MaxListed)
		}
		q.Limit = n
	default:
		return "The options of a list are " + listOptions + "."
	}
	return ""
}

const maxShown = 10 // columns of values

func unquoted(value string) string { return strings.Trim(strings.TrimSpace(value), `"`) }

// writePageList writes a list of links, or a table if it shows values.
func (w *writer) writePageList(n *pageList) {
	source := string(w.doc.raw(n))
	q, bad := parsePageQuery(source)
	switch w.lists++; {
	case w.detached:
		w.writeDetachedNote()
		return
	case bad != "":
		w.writeBadList(source, bad)
		return
	case w.lists > maxLists:
		w.writeBadList(source, fmt.Sprintf("Only the first %d lists of a page are shown. Put this one on another page.", maxLists))
		return
	case w.queryPages == nil:
		w.writeBadList(source, unansweredNote)
		return
	}
	w.checkTime()
	if w.isFull() {
		return
	}
	rows := w.queryPages(q)
	switch {
	case rows.Bad:
		w.writeBadList(source, rows.Note)
		return
	case len(rows.Rows) == 0:
		w.writeListNote("No pages match.")
	case len(q.Show) == 0:
		w.write("<ul>\n")
		for _, r := range rows.Rows {
			w.write("<li>")
			w.writeListedPage(r.Page, q.Folder)
			w.write("</li>\n")
		}
		w.write("</ul>\n")
	default:
		w.writePageTable(q, rows.Rows)
	}
	if rows.Total > len(rows.Rows) {
		w.writeListNote("Showing " + thousands(len(rows.Rows)) + " of " + thousands(rows.Total) + " pages.")
	}
	if rows.Note != "" {
		w.writeListNote(rows.Note)
	}
}

// detachedNote is shown instead of lists where the page is shown outside of its wiki.
const detachedNote = "Lists of pages and files are only shown in the wiki."

// unansweredNote is shown with the source of a list that nothing answers.
const unansweredNote = "A list of pages, shown as its source."

// writeDetachedNote writes the note once: a page can have many lists.
func (w *writer) writeDetachedNote() {
	if !w.noted {
		w.writeListNote(detachedNote)
	}
	w.noted = true
}

func (w *writer) writeListNote(sentence string) {
	w.write("<p><small>")
	w.writeText(sentence)
	w.write("</small></p>\n")
}

// writeBadList writes a list that can't be shown as its source, with the reason.
func (w *writer) writeBadList(source, why string) {
	w.writeAsSource("", bytes.TrimRight([]byte(source), "\r\n"), why)
}

// writeListedPage links a page by its name below a folder.
func (w *writer) writeListedPage(t Target, folder string) {
	name := string(t.Name)
	if folder != "" {
		parts := strings.Split(name, "/")
		name = strings.Join(parts[min(strings.Count(folder, "/")+1, len(parts)-1):], "/")
	}
	w.writeLink(resolvedLink{url: t.URL, target: t}, "", func() { w.writeText(displayTarget(name)) })
}

func (w *writer) writePageTable(q PageQuery, rows []PageRow) {
	w.write(w.openRegion("Table"), "<table>\n<thead>\n<tr>")
	for _, name := range slices.Concat([]string{"Page"}, q.Show) {
		w.write(`<th scope="col">`)
		w.writeText(name)
		w.write("</th>")
	}
	w.write("</tr>\n</thead>\n<tbody>\n")
	for _, r := range rows {
		w.write("<tr><td>")
		w.writeListedPage(r.Page, q.Folder)
		w.write("</td>")
		for _, values := range r.Values {
			w.write("<td>")
			w.writeListedValues(values)
			w.write("</td>")
		}
		w.write("</tr>\n")
	}
	w.write("</tbody>\n</table></div>\n")
}

func (w *writer) writeListedValues(values []ListedValue) {
	for i, v := range values {
		if i > 0 {
			w.write(", ")
		}
		switch s := scheme(v.Text); {
		case v.Link.URL != "":
			w.writeLink(resolvedLink{url: v.Link.URL, missing: !v.Link.Exists, target: v.Link}, "", func() { w.writeText(v.Text) })
		case (s == "http" || s == "https") && !strings.ContainsAny(v.Text, " \t"):
			w.writeLink(w.lookUp(addressTarget(w.doc.name, v.Text, false)), "", func() { w.writeText(v.Text) })
		default:
			w.writeText(v.Text)
		}
	}
}

// QueryPages implements PageQuerier. It returns nothing if the Resolver doesn't.
func (g *resolverGate) QueryPages(ctx context.Context, q PageQuery) PageRows {
	g.mu.Lock()
	defer g.mu.Unlock()
	if querier, ok := g.resolver.(PageQuerier); ok && ctx.Err() == nil {
		return querier.QueryPages(ctx, q)
	}
	return PageRows{Bad: true, Note: unansweredNote}
}
