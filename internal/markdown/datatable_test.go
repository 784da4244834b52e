package markdown

import (
	"strings"
	"testing"
)

// A long file shows its first rows and a link to it. All tables of files of a page have a
// bounded number of cells together.
func TestLongDataTable(t *testing.T) {
	w := &world{self: "Design/VPS", pages: map[string]string{
		"Design/VPS/long.csv":  strings.Repeat("a;b\n", maxTableRows+100),
		"Design/VPS/wide.csv":  strings.Repeat(strings.Repeat("c;", maxColumns+10)+"\n", 100),
		"Design/VPS/large.csv": strings.Repeat("x", MaxTable+1),
	}}
	render := func(source string) string {
		t.Helper()
		page, err := shared.Render(t.Context(), "ada", "Design/VPS", []byte(source), w)
		if err != nil {
			t.Fatal(err)
		}
		return string(page.HTML)
	}
	long := render("{{DataTable\n|src=long.csv\n}}")
	if n := strings.Count(long, "<tr>"); n != maxTableRows+1 || !strings.Contains(long, `<a href="/Design/VPS/long.csv">long.csv</a> has more than these 1,000 rows`) {
		t.Errorf("%d rows: %s", n, long[len(long)-200:])
	}
	if large := render("{{DataTable\n|src=large.csv\n}}"); strings.Contains(large, "<table>") || !strings.Contains(large, `href="/Design/VPS/large.csv"`) {
		t.Errorf("%.300s", large)
	}
	many := render(strings.Repeat("{{DataTable\n|src=wide.csv\n}}\n\n", 30))
	if n := strings.Count(many, "<td>"); n > maxCells || n < maxCells/2 {
		t.Errorf("%d cells", n)
	}
	if n := strings.Count(many, `href="/Design/VPS/wide.csv"`); n < 20 {
		t.Errorf("%d links to files that aren't shown whole", n)
	}
}

// Any file, delimiter and quote gives rows.
func FuzzParseValues(f *testing.F) {
	f.Add("a;\"b\"\"c\";d\r\n\"open", ";", `"`)
	f.Add("a\tb\n\n'c\nd'\te", "\t", "'")
	f.Add("\xff;\xff", "\xff", "")
	f.Fuzz(func(t *testing.T, text, delimiter, quote string) {
		rows, more := parseValues(text, firstRune(delimiter, ';'), firstRune(quote, '"'))
		if len(rows) > maxTableRows+1 || more && len(rows) <= maxTableRows {
			t.Errorf("%d rows, more: %v", len(rows), more)
		}
		size := 0
		for _, row := range rows {
			for _, value := range row {
				size += len(value)
			}
		}
		if size > len(text) {
			t.Errorf("%d bytes of %d", size, len(text))
		}
	})
}
