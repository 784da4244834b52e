package pages

import (
	"fmt"
	"html/template"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/hostile"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// robot returns a person's access through an agent.
func robot(a wiki.Access, agent string) wiki.Access {
	c := a.Caller()
	c.Agent, c.Client, c.Grant = agent, "token", "g"
	return wiki.NewAccess(a.Site(), c, a.Role())
}

// writeAs saves a page with an access.
func (w *world) writeAs(a wiki.Access, name, text string) Saved {
	w.t.Helper()
	r := SaveRequest{Name: name, Text: []byte(text), Exact: true}
	if p, err := w.Page(w.t.Context(), w.owner, name, ""); err == nil {
		r.Base = p.File.Blob
	}
	done, err := w.Save(w.t.Context(), a, r)
	if err != nil {
		w.t.Fatal(err)
	}
	return done
}

// parts lists a page's parts: each author, and the beginning of the text.
func (w *world) parts(name string) []string {
	w.t.Helper()
	v, err := w.View(w.t.Context(), w.reader, name, "")
	if err != nil {
		w.t.Fatal(err)
	}
	var list []string
	var whole strings.Builder
	for _, p := range v.Blame {
		who := "?"
		if p.By != nil {
			who = strings.TrimSpace(p.By.Author.Agent + " " + p.By.Author.Username)
		}
		list = append(list, fmt.Sprintf("%s %d-%d", who, p.First, p.Last))
		whole.WriteString(string(p.HTML))
	}
	if whole.String() != string(v.Body) {
		w.t.Errorf("the parts of %s aren't its body:\n%s\n---\n%s", name, whole.String(), v.Body)
	}
	return list
}

// Adjacent blocks by one author are one part. The newest line of a block decides,
// except for front matter and blank lines.
func TestBlameParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claude := robot(w.owner, "Claude Code")
	w.writeAs(w.owner, "Log", "---\na: b\n---\n\n# Log\n\none\ntwo\n\nthree\n\nfour[^1]\n\n[^1]: note\n")
	w.writeAs(claude, "Log", "---\na: c\n---\n\n# Log\n\none\nTWO\n\nthree\n\n\nfour[^1]\n\n[^1]: note\n\nfive\n")
	w.writeAs(robot(w.editor, "Claude Code"), "Log", "---\na: c\n---\n\n# Log\n\none\nTWO\n\nthree\n\n\nfour[^1]\n\n[^1]: note\n\nfive\n\nsix\n")
	want := []string{"ada 5-5", "Claude Code ada 7-8", "ada 10-13", "Claude Code ada 17-17", "Claude Code bob 19-19", "? 0-0"}
	if diff := cmp.Diff(want, w.parts("Log")); diff != "" {
		t.Error(diff)
	}
	if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Name: "Log", NewName: "Diary", Precondition: w.base("Log")}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, w.parts("Diary")); diff != "" {
		t.Errorf("after a rename: %s", diff)
	}
	w.writeAs(w.editor, "Empty", "")
	if got := w.parts("Empty"); len(got) != 0 {
		t.Errorf("an empty page has parts: %v", got)
	}
}

// In random histories the parts agree with Blame, with and without cached
// authorship.
func TestBlamePartsAgreeWithBlame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hands := []wiki.Access{w.owner, w.editor, robot(w.owner, "Claude Code"), robot(w.editor, "Cursor")}
	random := rand.New(rand.NewPCG(1, 2))
	check := func(name, when string) {
		t.Helper()
		p := w.page(name)
		c, release, err := w.open(w.t.Context(), w.owner, wiki.Read)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		a, err := w.authorship(w.t.Context(), c, p.File, p.Source)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := w.Blame(w.t.Context(), w.owner, name, "")
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range lines {
			if l.Text == "" {
				continue // of lines that are alike, either may be the new one
			}
			if a.lines[i] < 0 || shownAuthor(a.by[a.lines[i]].Author) != shownAuthor(l.Revision.Author) {
				t.Fatalf("%s, %s: line %d %q: %v, blame says %v", name, when, i+1, l.Text, a.lines[i], l.Revision.Author)
			}
		}
	}
	n := 0
	fresh := func() string { n++; return fmt.Sprintf("line %d", n) }
	for page := range 3 {
		name := fmt.Sprint("Random", page)
		lines := []string{fresh(), fresh(), fresh()}
		for step := range 30 {
			at := random.IntN(len(lines))
			switch random.IntN(3) {
			case 0:
				lines = append(lines[:at:at], append([]string{fresh()}, lines[at:]...)...)
			case 1:
				lines[at] = fresh()
			default:
				if len(lines) > 2 {
					lines = append(lines[:at:at], lines[at+1:]...)
				}
				lines = append(lines, fresh())
			}
			w.writeAs(hands[random.IntN(len(hands))], name, strings.Join(lines, "\n\n")+"\n")
			if page > 0 {
				check(name, fmt.Sprint("step ", step))
			}
		}
		check(name, "cold")
	}
}

// A page that two authors changed in turns more often than the bound costs no more
// than the bound, and has no wrong authors.
func TestBlamePartsOfALongHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claude := robot(w.owner, "Claude Code")
	w.writeAs(w.editor, "Log", "oldest\n\nlast\n")
	for i := range viewBounds.steps + 20 {
		by := w.owner
		if i%2 == 0 {
			by = claude
		}
		w.writeAs(by, "Log", fmt.Sprintf("oldest\n\nlast %d\n", i))
	}
	if got := w.parts("Log"); len(got) != 2 || got[0] != "? 1-1" || got[1] != "ada 3-3" {
		t.Errorf("parts %v", got)
	}
	// All revisions by one author on one day are one step.
	w.writeAs(w.editor, "Notes", "oldest\n\nlast\n")
	for i := range viewBounds.steps + 20 {
		w.writeAs(claude, "Notes", fmt.Sprintf("oldest\n\nlast %d\n", i))
	}
	if got := w.parts("Notes"); len(got) != 2 || got[0] != "bob 1-1" || got[1] != "Claude Code ada 3-3" {
		t.Errorf("parts %v", got)
	}
}

// A page with too many parts has a single part without an author.
func TestTooManyBlameParts(t *testing.T) {
	ada, bob := &wiki.Revision{Author: wiki.Author{Username: "ada"}}, &wiki.Revision{Author: wiki.Author{Username: "bob"}}
	a := &authorship{by: []wiki.Revision{*ada, *bob}}
	html, source := "", ""
	var blocks []markdown.Block
	for i := range maxParts + 1 {
		html, source = html+"<p>x</p>\n", source+"x\n\n"
		blocks = append(blocks, markdown.Block{First: 2*i + 1, Last: 2*i + 1, End: len(html)})
		a.lines = append(a.lines, int32(i%2), -1)
	}
	if got := a.parts(template.HTML(html), blocks, []byte(source)); len(got) != 1 || string(got[0].HTML) != html || got[0].By != nil {
		t.Errorf("%d parts", len(got))
	}
	if got := a.parts(template.HTML(html), blocks[:maxParts], []byte(source)); len(got) != maxParts {
		t.Errorf("%d parts of %d", len(got), maxParts)
	}
}

// Attack: a page of very many blocks by one author. Joining them takes as much time as
// there is text, because no block is copied for each block after it.
func TestBlamePartsOfManyBlocks(t *testing.T) {
	a := &authorship{}
	hostile.Double(t, "parts of one author", 128<<10, func(n int) int {
		const block = "<p>x</p>\n"
		html := template.HTML(strings.Repeat(block, n/len(block)))
		blocks := make([]markdown.Block, n/len(block))
		for i := range blocks {
			blocks[i] = markdown.Block{First: i + 1, Last: i + 1, End: (i + 1) * len(block)}
		}
		list := a.parts(html, blocks, nil)
		if len(list) != 1 || list[0].HTML != html {
			t.Errorf("%d blocks became %d parts", len(blocks), len(list))
		}
		return len(list[0].HTML)
	})
}

// longPage creates a page of 300 lines that two authors changed in turns.
func longPage(b *testing.B, revisions int) (*world, []string) {
	w := newWorld(b)
	lines := make([]string, 300)
	for i := range lines {
		lines[i] = fmt.Sprintf("Line %d of a page, as long as lines are.\n", i)
	}
	for i := range revisions {
		lines[i*7%300] = fmt.Sprintf("Line %d, changed in revision %d.\n", i*7%300, i)
		by := w.owner
		if i%2 == 0 {
			by = robot(w.owner, "Claude Code")
		}
		w.writeAs(by, "Long", strings.Join(lines, "\n"))
	}
	return w, lines
}

func (w *world) authors(b *testing.B, p *Page) {
	c, release, err := w.open(w.t.Context(), w.owner, wiki.Read)
	if err != nil {
		b.Fatal(err)
	}
	defer release()
	if _, err := w.authorship(w.t.Context(), c, p.File, p.Source); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkAuthorsUncached walks through 100 turns of two authors.
func BenchmarkAuthorsUncached(b *testing.B) {
	w, _ := longPage(b, 100)
	p := w.page("Long")
	for b.Loop() {
		w.dropCaches()
		w.authors(b, p)
	}
}

// BenchmarkAuthorsAfterSave finds the authors after a save, with the previous
// revision's authors cached. It doesn't measure the save.
func BenchmarkAuthorsAfterSave(b *testing.B) {
	w, lines := longPage(b, 100)
	w.authors(b, w.page("Long"))
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		lines[n%300] = fmt.Sprintf("Line %d, saved %d.\n", n%300, n)
		w.writeAs(w.owner, "Long", strings.Join(lines, "\n"))
		p := w.page("Long")
		b.StartTimer()
		w.authors(b, p)
	}
}

// BenchmarkAuthorsCached measures the cost for other views.
func BenchmarkAuthorsCached(b *testing.B) {
	w, _ := longPage(b, 100)
	p := w.page("Long")
	for b.Loop() {
		w.authors(b, p)
	}
}
