package markdown

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSections(t *testing.T) {
	for _, test := range []struct {
		name, source string
		want         []Section
	}{
		{"nothing", "", []Section{{nil, 0, 1, 1, 1, ""}}},
		{"no heading", "a\nb\n", []Section{{nil, 0, 1, 2, 2, ""}}},
		{"at the first line", "# A", []Section{{nil, 0, 1, 0, 1, ""}, {[]string{"A"}, 1, 1, 1, 1, ""}}},
		{"nested", "lead\n# A\na\n## B\nb\n### C\n## D\n# E\n", []Section{
			{nil, 0, 1, 1, 8, ""},
			{[]string{"A"}, 1, 2, 3, 7, ""},
			{[]string{"A", "B"}, 2, 4, 5, 6, ""},
			{[]string{"A", "B", "C"}, 3, 6, 6, 6, ""},
			{[]string{"A", "D"}, 2, 7, 7, 7, ""},
			{[]string{"E"}, 1, 8, 8, 8, ""},
		}},
		{"levels left out", "### A\n# B\n### C\n## D\n", []Section{
			{nil, 0, 1, 0, 4, ""}, {[]string{"A"}, 3, 1, 1, 1, ""}, {[]string{"B"}, 1, 2, 2, 4, ""}, {[]string{"B", "C"}, 3, 3, 3, 3, ""}, {[]string{"B", "D"}, 2, 4, 4, 4, ""},
		}},
		{"backtick fence", "# A\n```md\n# no\n``\n# no\n```\n# B\n", []Section{{nil, 0, 1, 0, 7, ""}, {[]string{"A"}, 1, 1, 6, 6, ""}, {[]string{"B"}, 1, 7, 7, 7, ""}}},
		{"longer fence", "````\n```\n# no\n```\n# no\n````\n# A\n", []Section{{nil, 0, 1, 6, 7, ""}, {[]string{"A"}, 1, 7, 7, 7, ""}}},
		{"tilde fence", "~~~ x\n```\n# no\n~~~~\n# A\n", []Section{{nil, 0, 1, 4, 5, ""}, {[]string{"A"}, 1, 5, 5, 5, ""}}},
		{"unclosed fence", "# A\n```\n# no\n", []Section{{nil, 0, 1, 0, 3, ""}, {[]string{"A"}, 1, 1, 3, 3, ""}}},
		{"indented code", "    # no\n", []Section{{nil, 0, 1, 1, 1, ""}}},
		{"comment", "<!--\n# no\n-->\n\n# A\n", []Section{{nil, 0, 1, 4, 5, ""}, {[]string{"A"}, 1, 5, 5, 5, ""}}},
		{"closing hashes", "# A ##\n## B#\n###\n", []Section{{nil, 0, 1, 0, 3, ""}, {[]string{"A"}, 1, 1, 1, 3, ""}, {[]string{"A", "B#"}, 2, 2, 2, 3, ""}, {[]string{"A", "B#", ""}, 3, 3, 3, 3, ""}}},
		{"setext", "A\nb\n===\nx\n\nC\n---\n", []Section{{nil, 0, 1, 0, 7, ""}, {[]string{"A b"}, 1, 1, 5, 7, ""}, {[]string{"A b", "C"}, 2, 6, 7, 7, ""}}},
		{"CRLF", "x\r\n# A\r\n\r\nB\r\n--\r\n", []Section{{nil, 0, 1, 1, 5, ""}, {[]string{"A"}, 1, 2, 3, 5, ""}, {[]string{"A", "B"}, 2, 4, 5, 5, ""}}},
		{"front matter", "---\n# no\na: b\n---\n# A\n", []Section{{nil, 0, 1, 4, 5, ""}, {[]string{"A"}, 1, 5, 5, 5, ""}}},
		{"markup in titles", "# *A* `b` [[C|d]] [e](f) &amp; \\# <b>g</b>\n", []Section{{nil, 0, 1, 0, 1, ""}, {[]string{"A b d e & # g"}, 1, 1, 1, 1, ""}}},
		{"quotes, lists and boxes", "> # no\n\n- # no\n\n::: info\n# no\n:::\n\n# A\n", []Section{{nil, 0, 1, 8, 9, ""}, {[]string{"A"}, 1, 9, 9, 9, ""}}},
		{"same titles", "# A\n# A\n", []Section{{nil, 0, 1, 0, 2, ""}, {[]string{"A"}, 1, 1, 1, 1, ""}, {[]string{"A"}, 1, 2, 2, 2, ""}}},
		{"two chosen ids", "# A {#b} {#c}\nd {#e} {#f}\n---\n", []Section{{nil, 0, 1, 0, 3, ""}, {[]string{"A {#b}"}, 1, 1, 1, 3, "c"}, {[]string{"A {#b}", "d {#e}"}, 2, 2, 3, 3, "f"}}},
		{"chosen ids", "# A {#b}\n## C ^id\nd {: .e #f }\n---\n", []Section{{nil, 0, 1, 0, 4, ""}, {[]string{"A"}, 1, 1, 1, 4, "b"}, {[]string{"A", "C"}, 2, 2, 2, 2, ""}, {[]string{"A", "d"}, 2, 3, 4, 4, "f"}}},
		{"comments of Obsidian", "%%\n# no\n%%\n# A %%no%%\n", []Section{{nil, 0, 1, 3, 4, ""}, {[]string{"A"}, 1, 4, 4, 4, ""}}},
	} {
		if diff := cmp.Diff(test.want, Sections([]byte(test.source))); diff != "" {
			t.Errorf("%s: %q\n%s", test.name, test.source, diff)
		}
	}
}

// Headings and sections must have the same lines.
func TestSectionsAreTheHeadings(t *testing.T) {
	source := "\ufeff---\r\ntitle: x\r\n---\r\n# A\r\n\r\nSet\r\next\r\n---\r\n#\r\n\r\n##  B  ##\r\n"
	page, err := shared.Render(t.Context(), "ada", "Page", []byte(source), &world{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []int
	for _, h := range page.Headings {
		lines = append(lines, h.Line)
	}
	var want []int
	for _, s := range Sections([]byte(source))[1:] {
		want = append(want, s.StartLine)
	}
	if diff := cmp.Diff([]int{4, 6, 9, 11}, lines); diff != "" || cmp.Diff(want, lines) != "" {
		t.Errorf("headings at %v, sections at %v", lines, want)
	}
}

func TestPlainText(t *testing.T) {
	for source, want := range map[string]string{
		"---\ntitle: no\n---\n# Head *one* ##\n\nSome **bold** [text](/x \"no\"), [[Page|label]] &amp; `code`.\nNext line.\n": "Head one\nSome bold text, label & code. Next line.\n",
		"```go\nfunc main() {}\n```\n\n    indented\n":                        "func main() {}\nindented\n",
		"- a\n- b\n  - c\n\n1. d\n":                                           "a\nb\nc\nd\n",
		"| a | b |\n|---|---|\n| 1 | *2* |\n":                                 "a b\n1 2\n",
		"> [!NOTE]\n> alert\n\n::: info\n# T\nbox\n:::\n":                     "Note\nalert\nT\nbox\n",
		"![alt](x.png) ![[Page]] $x^2$ #tag\n\n$$\ny\n$$\n":                   "alt Page x^2 #tag\ny\n",
		"a[^1]\n\n[^1]: note\n\n[r]: /x\n":                                    "a\nnote\n",
		"<div>html <b>words</b></div>\n\nx<br>y <span>z</span> <!-- no -->\n": "html words\nx y z\n",
		"Line\r\nends\r\n":                                                    "Line ends\n",
		"\xff\xfe":                                                            "\ufffd\n",
		"":                                                                    "",
	} {
		if got := strings.ReplaceAll(PlainText([]byte(source)), " \n", "\n"); got != want {
			t.Errorf("%q\n got %q\nwant %q", source, got, want)
		}
	}
}

// Links to headings with the same title are numbered; embeds find them, too.
func TestExcerptByAnchor(t *testing.T) {
	source := []byte("# Tea\n\none\n\n# Tea\n\ntwo\n\n# Black tea! {#tea}\n\nthree\n")
	for fragment, want := range map[string]string{
		"Tea":       "# Tea\n\none\n\n",
		"tea-1":     "# Tea\n\ntwo\n\n",
		"tea-2":     "# Black tea! {#tea}\n\nthree\n",
		"black-tea": "# Black tea! {#tea}\n\nthree\n",
		"tea-3":     "",
		"":          string(source),
	} {
		if got := Excerpt(source, fragment); got != want {
			t.Errorf("%q: %q, want %q", fragment, got, want)
		}
	}
}
