package markdown

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// blocksOf lists a page's blocks: the lines of each, and the start of its
// HTML.
func blocksOf(t *testing.T, source string) []string {
	t.Helper()
	page, err := shared.Render(t.Context(), "ada", "Page", []byte(source), &world{all: true})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	at := 0
	for _, b := range page.Blocks {
		html := strings.TrimSpace(string(page.HTML[at:b.End]))
		tag, _, _ := strings.Cut(html, ">")
		tag, _, _ = strings.Cut(tag, " ")
		list = append(list, fmt.Sprintf("%d-%d %s", b.First, b.Last, strings.TrimPrefix(tag, "<")))
		at = b.End
	}
	if at != len(page.HTML) && len(page.Blocks) > 0 {
		t.Errorf("the blocks are %d of %d bytes", at, len(page.HTML))
	}
	return list
}

// TestBlocks checks the source lines of each top-level block, counting front
// matter and line ends.
func TestBlocks(t *testing.T) {
	for _, c := range []struct {
		name, source string
		want         []string
	}{
		{"paragraphs", "# Title\n\none\ntwo\n\nthree\n", []string{"1-1 h1", "3-4 p", "6-6 p"}},
		{"front matter, CRLF", "---\r\na: b\r\n---\r\n\r\none\r\n\r\nTitle\r\n=====\r\n", []string{"5-5 p", "7-7 h1"}},
		{"lists and tasks", "- a\n  - b\n\n  c\n- d\n\n- [ ] e\n\nend\n", []string{"1-7 ul", "9-9 p"}},
		{"code", "a\n```go\nx\n\ny\n```\nb\n\n    code\n", []string{"1-1 p", "2-5 pre", "7-7 p", "9-9 pre"}},
		{"table", "| a | b |\n|---|---|\n| c | d |\n\n***\n\nend", []string{"1-3 div", "5-5 hr", "7-7 p"}},
		{"quote and boxes", "> a\n> b\n\n> [!NOTE]\n> c\n\n::: info\nd\n:::\n\ne\n", []string{"1-2 blockquote", "4-5 div", "7-8 div", "11-11 p"}},
		{"raw HTML holds blocks together", "a\n\n<details><summary>s</summary>\n\nb\n\nc\n\n</details>\n\nd\n", []string{"1-1 p", "3-9 details", "11-11 p"}},
		{"raw HTML left open", "a\n\n<div>\n\nb\n\nc\n", []string{"1-1 p", "3-7 div"}},
		{"notes stand apart", "a[^1]\n\n[^1]: note\n\nb\n", []string{"1-1 p", "5-5 p", "0-0 section"}},
		{"empty", "", nil},
		{"math and figures", "$$\nx\n$$\n\n![a](b.png \"t\")\n", []string{"1-2 div", "5-5 figure"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, blocksOf(t, c.source)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestManyBlocks: the number of blocks is limited.
func TestManyBlocks(t *testing.T) {
	list := blocksOf(t, strings.Repeat("a\n\n", maxBlocks+50))
	if len(list) != maxBlocks+1 || !strings.HasPrefix(list[maxBlocks], fmt.Sprint(2*maxBlocks+1, "-")) {
		t.Errorf("%d blocks, the last %s", len(list), list[len(list)-1])
	}
}

// closingFence agrees with the regular expression for fences without a
// style.
func TestClosingFence(t *testing.T) {
	for _, line := range []string{
		":::", "   :::\n", "    :::", "::::: \t\n", "::: note", "::", "::: \n\n", ":::\r\n", "a:::", "", "\t:::", ":::a:::",
	} {
		want := 0
		if m := boxLine.FindStringSubmatch(line); m != nil && m[2] == "" {
			want = len(m[1])
		}
		if got := closingFence([]byte(line)); got != want {
			t.Errorf("%q: %d, want %d", line, got, want)
		}
	}
}
