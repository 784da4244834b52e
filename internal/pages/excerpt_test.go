package pages

import (
	"html/template"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"robot.wtf/internal/wiki"
)

func (w *world) excerpt(old, now string) Excerpt {
	w.t.Helper()
	ch := wiki.Change{Path: "Page.md", Kind: wiki.Modified}
	if old != "" {
		ch.Old = w.put("Page", old).Revision
	}
	ch.New = w.put("Page", now).Revision
	e, err := w.Excerpt(w.t.Context(), w.reader, ch)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

var anyTag = regexp.MustCompile(`</?(?:p|h2|li|ul|td|tr|th|table|thead|tbody|div|strong|em|code|pre)[^>]*>`)

func TestExcerpt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct{ old, now, want string }{
		"a word":             {"one two three\n\nsame\n", "one 2 three\n\nsame\n", "one <del>two</del> <ins>2</ins> three"},
		"a word less":        {"one two three\n", "one three\n", "one <del>two</del> three"},
		"a word more":        {"one three\n", "one two three\n", "one <ins>two</ins> three"},
		"the end":            {"one two, three\n", "one two\n", "one two<del>, three</del>"},
		"a longer end":       {"It was 61 in June.\n", "It was 61 in June, and 58 in May.\n", "It was 61 in June<ins>, and 58 in May</ins>."},
		"a number":           {"It draws 1.7 A\n", "It draws 0.7 A\n", "It draws <del>1.7</del> <ins>0.7</ins> A"},
		"a paragraph":        {"one\n\nthree\n", "one\n\ntwo more\n\nthree\n", "<ins>two more</ins>"},
		"a paragraph less":   {"one\n\ntwo more\n\nthree\n", "one\n\nthree\n", "<del>two more</del>"},
		"inside of emphasis": {"a **b c** d\n", "a **b x** d\n", "a b <del>c</del> <ins>x</ins> d"},
		"markup only":        {"a b c\n", "a **b** c\n", "a b c"},
		"escaped":            {"a < b\n", "a < &c;\n", "a &lt; <del>b</del> <ins>&amp;c;</ins>"},
		"a cell":             {"| a | b |\n|---|---|\n| 1 | 2 |\n", "| a | b |\n|---|---|\n| 1 | 3 |\n", "ab1<del>2</del> <ins>3</ins>"},
		"nothing visible":    {"a\n", "a\n\n\n", ""},
	} {
		e := w.excerpt(c.old, c.now)
		var parts []string
		for _, p := range e.Parts {
			parts = append(parts, strings.ReplaceAll(anyTag.ReplaceAllString(string(p), ""), "\n", ""))
		}
		if got := strings.Join(parts, "|"); got != c.want || e.More != 0 || (c.want == "") != (e.Note != "") {
			t.Errorf("%s: got %q, want %q (%+v)", name, got, c.want, e)
		}
	}
}

// A paragraph that is too long to show has a note in its place.
func TestExcerptOfALongParagraph(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := strings.Repeat("word ", maxExcerptBytes/5)
	if e := w.excerpt(long+"old\n", long+"new\n"); len(e.Parts) > 0 || e.Note == "" {
		t.Errorf("%d parts, %d more, note %q", len(e.Parts), e.More, e.Note)
	}
}

func TestExcerptOfANewPage(t *testing.T) {
	t.Parallel()
	e := newWorld(t).excerpt("", "# Head\n\none\n\ntwo\n\nthree\n\nfour\n")
	if !e.New || len(e.Parts) != maxExcerptParts || e.More != 1 || strings.Contains(string(e.Parts[1]), "<ins>") {
		t.Errorf("%+v", e)
	}
}

func TestExcerptNamesTheSection(t *testing.T) {
	t.Parallel()
	rows := strings.Repeat("| x | y |\n", 30)
	e := newWorld(t).excerpt("# A\n\n## Deep\n\n| a | b |\n|---|---|\n| k | old |\n"+rows, "# A\n\n## Deep\n\n| a | b |\n|---|---|\n| k | new |\n"+rows)
	if e.Section != "Deep" || len(e.Parts) != 1 || strings.Count(string(e.Parts[0]), "<tr>") != 2 {
		t.Errorf("%+v", e)
	}
}

// Marks never change how elements nest, whatever a page has, and carry no ids.
func FuzzExcerpt(f *testing.F) {
	f.Add("# a\n\n- b\n- c **d**\n\n| x | y |\n|--|--|\n| $a^2$ | ![p](q.png) |\n", "# b\n\n- b\n  - c\n\n> **d** [e](f)\n\n| x |\n|--|\n| `z` |\n")
	f.Add("a <b>c</b> &amp; <i>d", "<details><summary>x</summary>\n\ny\n\n</details>")
	f.Add("```go\nfunc main() {}\n```\n", "```go\nfunc Main() { x() }\n```\n\n- [ ] task\n")
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, old, now string) {
		if len(old)+len(now) > 4000 {
			return
		}
		c, d, release, err := w.openDirectory(t.Context(), w.reader, wiki.Read)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		a, err := w.renderedBlocks(t.Context(), c, d, "P", []byte(old))
		if err != nil {
			return
		}
		b, err := w.renderedBlocks(t.Context(), c, d, "P", []byte(now))
		if err != nil {
			return
		}
		for _, part := range makeExcerpt(a, b, nil).Parts {
			if strings.Contains(string(part), ` id="`) {
				t.Fatalf("ids in %s", part)
			}
			if unnested := misnested(part); unnested != "" {
				t.Fatalf("%s in %s", unnested, part)
			}
		}
	})
}

// misnested names a tag of HTML that closes another element than the innermost one.
func misnested(part template.HTML) string {
	void := map[string]bool{"img": true, "input": true, "br": true, "hr": true, "wbr": true, "col": true, "source": true}
	var open []string
	z := html.NewTokenizer(strings.NewReader(string(part)))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.Join(open, " ")
		case html.StartTagToken:
			if name, _ := z.TagName(); !void[string(name)] {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				return "/" + string(name)
			}
			open = open[:len(open)-1]
		}
	}
}
