package incoming

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"robot.wtf/internal/wiki"
)

// notionID matches the id at the end of each name in a Notion export.
var notionID = regexp.MustCompile(`[ _-][0-9a-f]{32}$`)

// Bounds of a table that becomes a page.
const (
	maxTableBytes   = 1 << 20
	maxTableRows    = 5000
	maxTableColumns = 100
)

// listNotion cuts the ids from names and turns tables into pages. A database is
// exported twice: the file whose name ends in "_all" has every row.
func (z *Zip) listNotion(l *Listing) {
	z.tables, z.rows = map[string]string{}, map[string]string{}
	whole := map[string]bool{}
	for _, f := range l.Files {
		if base, ok := strings.CutSuffix(f.From, "_all.csv"); ok {
			whole[base+".csv"] = true
		}
	}
	kept := l.Files[:0]
	for _, f := range l.Files {
		if whole[f.From] {
			l.Leave(f.From, 1, "a part of the table "+path.Base(cutIDs(f.From)))
			continue
		}
		f.Path = cutIDs(f.From)
		switch ext := path.Ext(f.From); {
		case ext == ".md":
			z.rows[strings.TrimSuffix(f.Path, ".md")] = strings.TrimSuffix(f.From, ".md")
		case ext == ".csv" && f.Size <= maxTableBytes:
			f.Path = strings.TrimSuffix(strings.TrimSuffix(f.Path, ".csv"), "_all") + ".md"
			f.Estimated = true
			z.tables[f.From] = strings.TrimSuffix(path.Base(f.Path), ".md")
			l.convert(f.From, "a table that becomes the page "+strings.TrimSuffix(f.Path, ".md"))
		}
		kept = append(kept, f)
	}
	l.Files = kept
}

// notionCallouts turns Notion's callouts, which it exports as <aside> without a blank
// line, so that the Markdown in them is raw text, into callouts of Markdown. Code
// stays as it is, and so does an <aside> that isn't closed.
func notionCallouts(data []byte) []byte {
	if !bytes.Contains(data, []byte("<aside>")) {
		return data
	}
	var out bytes.Buffer
	var inside [][]byte // lines of the callout, if one is open
	open, fenced := false, false
	for line := range bytes.Lines(data) {
		word := string(bytes.TrimSpace(line))
		if !open && (strings.HasPrefix(word, "```") || strings.HasPrefix(word, "~~~")) {
			fenced = !fenced
		}
		switch {
		case !fenced && !open && word == "<aside>":
			open, inside = true, [][]byte{line}
		case open && word == "</aside>":
			writeCallout(&out, inside[1:])
			open = false
		case open:
			inside = append(inside, line)
		default:
			out.Write(line)
		}
	}
	if open {
		out.Write(bytes.Join(inside, nil))
	}
	return out.Bytes()
}

// writeCallout writes a callout of some lines, without blank ones at its ends.
func writeCallout(out *bytes.Buffer, lines [][]byte) {
	out.WriteString("> [!note]\n")
	text := bytes.Trim(bytes.Join(lines, nil), "\r\n")
	for line := range bytes.Lines(text) {
		out.WriteString(strings.TrimRight("> "+string(bytes.TrimRight(line, "\r\n")), " ") + "\n")
	}
}

// cutIDs removes the ids from all parts of a path.
func cutIDs(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		stem, ext := s, ""
		if i == len(segments)-1 {
			ext = path.Ext(s)
			stem = strings.TrimSuffix(s, ext)
			if whole, ok := strings.CutSuffix(stem, "_all"); ok && ext == ".csv" {
				stem, ext = whole, "_all.csv"
			}
		}
		if cut := notionID.ReplaceAllString(stem, ""); cut != "" {
			stem = cut
		}
		segments[i] = stem + ext
	}
	return strings.Join(segments, "/")
}

// tablePage returns the page of a table: a Markdown table whose first column links
// to the rows' own pages.
func (z *Zip) tablePage(f File, title string, data []byte) ([]byte, error) {
	if !utf8.Valid(data) {
		data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
	}
	rows := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\uFEFF"))))
	rows.FieldsPerRecord, rows.LazyQuotes, rows.ReuseRecord = -1, true, true
	var out bytes.Buffer
	fmt.Fprintf(&out, "# %s\n\n", escapeCell(title))
	below := cutIDs(strings.TrimSuffix(strings.TrimSuffix(f.From, ".csv"), "_all"))
	columns := 0
	for n := 0; ; n++ {
		record, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, wiki.Problemf(wiki.ErrInvalid, "file", "The table %.200q can't be read: %v. Remove it from the zip, or export it again.", f.From, err)
		}
		if n == 0 {
			columns = min(len(record), maxTableColumns)
		}
		if n > maxTableRows {
			fmt.Fprintf(&out, "\nOnly the first %d rows of %s were imported.\n", maxTableRows, escapeCell(path.Base(f.From)))
			break
		}
		if columns == 0 {
			break
		}
		z.writeRow(&out, record, columns, below, n)
		if out.Len() > 4*maxTableBytes {
			return nil, wiki.Problemf(wiki.ErrTooLarge, "file", "The table %.200q is too large for a page. Remove it from the zip, or split it.", f.From)
		}
	}
	return out.Bytes(), nil
}

// rowAddress escapes what would end the address of a link in a table.
var rowAddress = strings.NewReplacer("(", "%28", ")", "%29", "|", "%7C")

// writeRow writes one row; the first one is the header.
func (z *Zip) writeRow(out *bytes.Buffer, record []string, columns int, below string, n int) {
	for i := range columns {
		cell := ""
		if i < len(record) {
			cell = escapeCell(record[i])
			if from, ok := z.rows[below+"/"+record[i]]; ok && i == 0 && n > 0 {
				cell = "[" + cell + "](/" + rowAddress.Replace((&url.URL{Path: from + ".md"}).EscapedPath()) + ")"
			}
		}
		fmt.Fprintf(out, "| %s ", cell)
	}
	out.WriteString("|\n")
	if n == 0 {
		out.WriteString(strings.Repeat("| --- ", columns) + "|\n")
	}
}

// cellAddress matches a cell that is an address and nothing else.
var cellAddress = regexp.MustCompile(`^https?://[^\s|<>"\\` + "`" + `]+$`)

// escapeCell returns a text as Markdown that shows exactly that text, on one line.
// An address becomes a link.
func escapeCell(text string) string {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	if cellAddress.MatchString(text) {
		return "<" + text + ">"
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == '\r':
			b.WriteString("<br>")
		case r < ' ' || r == 0x7f:
			b.WriteByte(' ')
		case strings.ContainsRune("\\`*_[]<>|#~$=^&%{}", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
