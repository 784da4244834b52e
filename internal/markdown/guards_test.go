package markdown

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

func renderIn(t *testing.T, w Resolver, source string) string {
	t.Helper()
	page, err := shared.Render(t.Context(), "ada", "Home", []byte(source), w)
	if err != nil {
		t.Fatal(err)
	}
	return string(page.HTML)
}

// longLists is a world that says of each list that there is more.
type longLists struct{ *world }

func (l longLists) ListPages(below wiki.PageName, pattern string) ([]Target, bool) {
	list, _ := l.world.ListPages(below, pattern)
	return list, true
}

func (l longLists) ListFiles(of wiki.PageName, pattern string) ([]Target, bool) {
	list, _ := l.world.ListFiles(of, pattern)
	return list, true
}

// Attack: a page full of widgets that list pages or files, or read a table. The
// first ones do, and a list that isn't whole says so.
func TestListsOfAPageAreBounded(t *testing.T) {
	w := &world{self: "Home", pages: map[string]string{"Home/Sub": "x", "Home/a.csv": "a;b\n1;2\n"}}
	for _, tt := range []struct {
		widget, listed string
		most           int
	}{
		{"{{PageIndex\n}}\n\n", `href="/Home/Sub"`, maxListings},
		{"{{AttachmentList\n}}\n\n", `href="/Home/a.csv"`, maxListings},
		{"{{DataTable\n|src=a.csv\n}}\n\n", "<table", maxTables},
	} {
		if n := strings.Count(renderIn(t, w, strings.Repeat(tt.widget, tt.most+5)), tt.listed); n != tt.most {
			t.Errorf("%d of %q are shown, want %d", n, tt.widget, tt.most)
		}
	}
	for _, widget := range []string{"{{PageIndex\n}}\n", "{{AttachmentList\n}}\n"} {
		if strings.Contains(renderIn(t, w, widget), "Only the first") || !strings.Contains(renderIn(t, longLists{w}, widget), "Only the first") {
			t.Errorf("%q doesn't say whether it is whole", widget)
		}
	}
}

// Attack: a page with more of something than is worked on. The numbers are written out
// here, so that raising a bound is a decision.
func TestBoundsOfAPage(t *testing.T) {
	w := &world{self: "Home", pages: map[string]string{"Part": "embedded part\n"}}
	for _, tt := range []struct {
		what, source, shown string
		most                int
	}{
		{"formulas", strings.Repeat("$x$ and\n", 230), "<math", 200},
		{"embeds", strings.Repeat("![[Part]]\n\n", 130), "embedded part", 100},
		{"lists of pages", strings.Repeat("::: pages folder: A\n\n", 15), "pages folder", 15 - 10},
	} {
		if n := strings.Count(renderIn(t, w, tt.source), tt.shown); n != tt.most {
			t.Errorf("%s: %d times %q, want %d", tt.what, n, tt.shown, tt.most)
		}
	}
	var links strings.Builder
	for i := range 5100 {
		fmt.Fprintf(&links, "[[P%d]] or\n\n", i)
	}
	if n := len(ExtractFacts("Home", []byte(links.String())).Links); n != 5000 {
		t.Errorf("%d links are facts, want 5000", n)
	}
	for source, want := range map[string]bool{
		"---\nkey: " + strings.Repeat("a", 16<<10) + "\n---\n":                                true,
		"---\nkey: " + strings.Repeat("a", 15<<10) + "\n---\n":                                false,
		"---\nkey: " + strings.Repeat("[", 21) + strings.Repeat("]", 21) + "\n---\n":          true,
		"---\nkey: " + strings.Repeat("[", 19) + "1" + strings.Repeat("]", 19) + "\n---\nx\n": false,
	} {
		if got := parseFrontMatter(t, source) != ""; got != want {
			t.Errorf("%.40q… of %d bytes is refused: %v", source, len(source), got)
		}
	}
}

// parseFrontMatter returns why the front matter of a page isn't read, "" if it is.
func parseFrontMatter(t *testing.T, source string) string {
	t.Helper()
	d := tryParse("Home", []byte(source))
	if d == nil {
		t.Fatalf("%.40q can't be parsed", source)
	}
	return d.front.bad
}

// Attack: names of elements, which scripts of the page read as properties of the
// document. Only links have one, with our prefix.
func TestNamesOfElements(t *testing.T) {
	for _, source := range []string{`<img src="/a.png" name="body">`, `<details name="cookie"><summary>x</summary></details>`, `<span name="forms">x</span>`, `<a name="forms">x</a>`} {
		if html := render(t, source); strings.Contains(html, `"body"`) || strings.Contains(html, `"cookie"`) || strings.Contains(html, `"forms"`) {
			t.Errorf("%s became %s", source, html)
		}
	}
	for _, source := range []string{`<img src="/a.png" name="x">`, `<span name="x">x</span>`} {
		if html := render(t, source); strings.Contains(html, "name=") || strings.Contains(html, "id=") {
			t.Errorf("%s became %s", source, html)
		}
	}
}

// panickingResolver has a bug.
type panickingResolver struct{}

func (panickingResolver) Resolve(context.Context, wiki.Link, string) Target { panic("a bug") }

// A panic during a render is an error of that page. It costs no slot.
func TestPanicWhileRendering(t *testing.T) {
	r := New(Options{})
	for range 100 {
		if _, err := r.Render(t.Context(), "ada", "Home", []byte("[[A]]"), panickingResolver{}); err == nil || !strings.Contains(err.Error(), "panic: a bug") {
			t.Fatalf("got %v", err)
		}
	}
}

// A new destination can't begin with a scheme, and one too long to parse stays.
func TestRewrittenDestinations(t *testing.T) {
	to := func(target string) Respell {
		return func(l wiki.Link, fragment string) (wiki.Link, string) {
			l.Target = target
			return l, fragment
		}
	}
	if got, _ := RewriteLinks("Home", []byte("[x](Old)\n"), to("javascript:alert")); string(got) != "[x](javascript%3Aalert)\n" {
		t.Errorf("became %q", got)
	}
	long := fmt.Sprintf("[x](/Old?%s)\n", strings.Repeat("a", maxAddress))
	if got, changed := RewriteLinks("Home", []byte(long), to("New")); changed || string(got) != long {
		t.Errorf("a destination of %d bytes became %.40q", len(long), got)
	}
}
