package pages

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

func TestRenameKeepsTheForm(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ page, from, to, before, after string }{
		// Links by name stay so, and change only if they have to.
		{"Home", "Fa/Old", "Fb/Old", "[[Old]] [t](Old.md) [[Old#x|y]]", "[[Old]] [t](Old.md) [[Old#x|y]]"},
		{"Home", "Fa/Old", "Fb/New", "[[Old]] [t](Old.md) [[Old#x|y]] ![[Old]]", "[[New]] [t](New.md) [[New#x|y]] ![[New]]"},
		{"Home", "Fa/Old", "Fb/Twin", "[[Old]]", "[[Fb/Twin]]"}, // Fc/Twin is as near
		{"Fc/Page", "Fa/Old", "Fb/Twin", "[[Old]] [t](Old)", "[[Fb/Twin]] [t](Fb/Twin)"},
		{"Home", "Fa/Fb/Old", "Fx/Fb/New", "[[Fb/Old]]", "[[Fb/New]]"},
		{"Home", "Fa/Old", "Fa/New-Name", "[[Old]]", "[[New-Name]]"},
		{"Home", "Fa/Old", "Fa/New name", "[[Old]] [t](Old.md)", "[[New name]] [t](New_name.md)"},
		// Paths stay paths: relative ones relative.
		{"Home", "Fa/Old", "Fb/Old", "[[Fa/Old]] [t](Fa/Old.md) [t](/Fa/Old) [t](./Fa/Old.md)", "[[Fb/Old]] [t](Fb/Old.md) [t](/Fb/Old) [t](./Fb/Old.md)"},
		{"Fa/Page", "Fa/Old", "Fb/New", "[t](Old.md) [t](../Fa/Old.md) [t](./Old.md) [t](Old)", "[t](../Fb/New.md) [t](../Fb/New.md) [t](./../Fb/New.md) [t](../Fb/New)"},
		{"Home", "Fa/Old", "Fb/New", "[t](<Fa/Old.md>) [t][r]\n\n[r]: Fa/Old.md 'title'\n", "[t](<Fb/New.md>) [t][r]\n\n[r]: Fb/New.md 'title'\n"},
		{"Home", "Fa/Old", "Fb/Nöw", "[t](Fa/Old.md) [[Fa/Old.md]]", "[t](Fb/N%C3%B6w.md) [[Fb/Nöw.md]]"},
		{"Home", "Fa/Old", "Fb/New", "---\nup: \"[[Old]]\"\n---\n", "---\nup: \"[[New]]\"\n---\n"},
		// Text and target in the other order.
		{"Home", "Fa/Old", "Fb/New", "[[the text|Old]] [[the text|Fa/Old#part]]", "[[the text|New]] [[the text|Fb/New#part]]"},
		// A folder that a page shows.
		{"Home", "Guide/README", "Manual/README", "[t](Guide/) [[Guide]] [t](Guide)", "[t](Manual/) [[Manual]] [t](Manual)"},
		{"Home", "Guide/README", "Manual", "[t](Guide/) [[Guide]]", "[t](Manual/) [[Manual]]"},
		// Links to other pages that the move would take away.
		{"Home", "Fa/Old", "Only", "[[Only]]", "[[Fd/Only]]"},
		{"Fd/Fe/Page", "Fa/Old", "Fd/Fe/Only", "[[Only]] [t](Only.md) [[the alias]]", "[[Fd/Only]] [t](Fd/Only.md) [[the alias]]"},
		{"Fd/Fe/Page", "Fd/Only", "Fd/Fe/Two", "[[Only]]", "[[Two]]"},
		// The moved page's own links.
		{"Page", "Page", "Fx/Fy/Page", "[[Only]] [t](Fa/Old.md) [[Fa/Old]] [t](missing.md)", "[[Only]] [t](../../Fa/Old.md) [[Fa/Old]] [t](../../missing.md)"},
		{"Fc/Page", "Fc/Page", "Page", "[[Twin]] [t](Twin.md) ![](x.png)", "[[Twin]] [t](Fc/Twin.md) ![](Fc/x.png)"},
	} {
		w := newWorld(t)
		for _, p := range []string{"Fa/Old", "Fa/Fb/Old", "Fc/Twin", "Guide/README", "Home"} {
			if p != test.page {
				w.put(p, "# "+p+"\n")
			}
		}
		w.put("Fd/Only", "---\naliases: [the alias]\n---\n")
		if !strings.Contains(test.before, "Fb/Old") {
			if _, err := w.Delete(w.t.Context(), w.editor, DeleteRequest{Precondition: w.base("Fa/Fb/Old"), Name: "Fa/Fb/Old"}); err != nil {
				t.Fatal(err)
			}
		}
		w.put(test.page, test.before)
		if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base(test.from), Name: test.from, NewName: test.to}); err != nil {
			t.Errorf("%s to %s: %v", test.from, test.to, err)
			continue
		}
		name := test.page
		if test.page == test.from {
			name = test.to
		}
		if got := w.text(name); got != test.after {
			t.Errorf("%s to %s: on %s, %q became %q, want %q", test.from, test.to, test.page, test.before, got, test.after)
		}
	}
}

// A deletion tells which links lead nowhere now, and which lead to another page.
func TestDeletionDivertsLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("F/Twin", "x\n")
	w.put("G/Twin", "x\n")
	w.put("F/Here", "[[Twin]] [t](Twin.md)\n")
	w.put("Home", "[[F/Twin]]\n")
	done, err := w.Delete(w.t.Context(), w.editor, DeleteRequest{Precondition: w.base("F/Twin"), Name: "F/Twin"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Deletion(w.t.Context(), w.editor, done.Commit)
	if err != nil || !slices.Equal(got.Broken, []wiki.PageName{"Home"}) || !slices.Equal(got.Diverted, []Diverted{{"F/Twin.md", "G/Twin.md", 2}}) || got.Dead != 1 {
		t.Errorf("%v, broken %v, diverted %+v", err, got.Broken, got.Diverted)
	}
}

// A new page tells which links lead to it now, and where they led before.
func TestCreationTakesLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("G/Twin", "---\naliases: [Nick]\n---\nx\n")
	w.put("G/Old", "x\n")
	w.put("Home", "[[Twin]] [t](Twin.md) [[Twin#part]] [[Nick]] [[G/Twin]] [[Other]]\n")
	w.put("F/Here", "[[Twin]] [[Old]]\n")
	for _, test := range []struct {
		name, text string
		want       []Diverted
	}{
		{"Twin", "[[Twin]]\n", []Diverted{{"G/Twin.md", "Twin.md", 3}}},
		{"Other", "x\n", nil}, // its links were red
		{"F/Nobody", "---\naliases: [Old]\n---\n", nil},
		{"F/Old", "x\n", []Diverted{{"G/Old.md", "F/Old.md", 1}}},
	} {
		got, err := w.Creation(w.t.Context(), w.editor, w.put(test.name, test.text).Commit)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %+v, want %+v", test.name, err, got, test.want)
		}
	}
	if got, err := w.Creation(w.t.Context(), w.editor, w.put("Home", "[[Twin]]\n").Commit); err != nil || got != nil {
		t.Errorf("an edit: %v, %+v", err, got)
	}
}

// Each link leads to the same page or file after a move as before.
func TestLinksSurviveAnyRename(t *testing.T) {
	t.Parallel()
	rounds := 9
	if slow.Enabled() {
		rounds = 400
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 3))
		w := newWorld(t)
		w.orderWikilinks([]wiki.LinkOrder{wiki.AutomaticOrder, wiki.TextFirst, wiki.TargetFirst}[seed%3])
		randomWiki(w, r)
		for range 3 {
			checkRename(w, r, fmt.Sprintf("seed %d", seed))
		}
		if t.Failed() {
			return
		}
	}
}

// pageSegments are segments that pages can have.
var pageSegments = []string{"A", "B", "A-B", "A_B", "x", "index", "README", "c d"}

// randomName returns a page name that links can take for others.
func randomName(r *rand.Rand) string {
	parts := make([]string, 1+r.IntN(3))
	for i := range parts {
		parts[i] = pageSegments[r.IntN(len(pageSegments))]
	}
	return strings.Join(parts, "/")
}

var linkForms = []string{"[[%s]]", "[[%s]]", "[[%s]]", "[[/%s]]", "[[./%s]]", "[[../%s]]", "![[%s]]", "[[%s|x]]", "[[some words|%s]]", "[[some words|%s#part]]", "[[A|%s]]", "[[%s|B#part]]", "[[%s#part]]",
	"[t](<%s>)", "[t](<%s.md>)", "[t](<./%s>)", "[t](<./%s.md>)", "[t](<../%s.md>)", "[t](</%s>)", "[t](</%s.md#part>)", "![](<%s.png>)", "![[%s.png]]", "[t](<%s/>)", "[[%s.md]]", "[[the alias%.0s]]"}

// randomWiki fills a wiki with pages that link to each other in all forms.
func randomWiki(w *world, r *rand.Rand) {
	for range 12 {
		name := randomName(r)
		var b strings.Builder
		if r.IntN(4) == 0 {
			b.WriteString("---\naliases: [the alias]\n---\n")
		}
		for range 6 {
			fmt.Fprintf(&b, "- "+linkForms[r.IntN(len(linkForms))]+"\n", randomName(r))
		}
		w.put(name, b.String())
		if r.IntN(3) == 0 {
			w.upload(name, "x.png", "picture")
		}
	}
}

// A placedLink is a link on a page, and the file that it leads to.
type placedLink struct {
	page   string
	link   wiki.Link
	leads  string
	target string // of a link that leads nowhere
}

func (w *world) placedLinks() []placedLink {
	w.t.Helper()
	wk, d, release, err := w.openDirectory(w.t.Context(), w.owner, wiki.Read)
	if err != nil {
		w.t.Fatal(err)
	}
	defer release()
	var list []placedLink
	for _, name := range pageNames(d.paths) {
		_, source, err := wk.Read(w.t.Context(), name.File())
		if err != nil {
			w.t.Fatal(err)
		}
		text := string(source)
		for line := range strings.Lines(text) {
			for _, l := range markdown.ExtractFacts(name, []byte(line)).Links {
				p := placedLink{page: name.File(), link: l, leads: d.lead(name, l).file}
				if paths := d.naming(l).Paths(name); p.leads == "" && len(paths) > 0 {
					p.target = paths[0]
				}
				list = append(list, p)
			}
		}
	}
	return list
}

func checkRename(w *world, r *rand.Rand, what string) {
	w.t.Helper()
	wk, d, release, err := w.openDirectory(w.t.Context(), w.owner, wiki.Read)
	if err != nil {
		w.t.Fatal(err)
	}
	defer release()
	all := pageNames(d.paths)
	from, to := all[r.IntN(len(all))], randomName(r)
	before := w.placedLinks()
	done, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base(string(from)), Name: string(from), NewName: to, PageOnly: r.IntN(2) == 0})
	if err != nil {
		return // the name is taken
	}
	c, err := wk.CommitByID(w.t.Context(), done.Commit)
	if err != nil {
		w.t.Fatal(err)
	}
	moved := map[string]string{}
	for _, ch := range c.Changes {
		if ch.Kind == wiki.Moved {
			moved[ch.From] = ch.Path
		}
	}
	now := func(file string) string {
		if to := moved[file]; to != "" {
			return to
		}
		return file
	}
	after := map[string][]placedLink{}
	for _, p := range w.placedLinks() {
		after[p.page] = append(after[p.page], p)
	}
	for _, p := range before {
		page := now(p.page)
		if len(after[page]) == 0 {
			w.t.Fatalf("%s: %s to %s: %s has lost links", what, from, to, page)
		}
		q := after[page][0]
		after[page] = after[page][1:]
		switch {
		case p.leads != "" && q.leads != now(p.leads):
			w.t.Errorf("%s: %s to %s: %+v on %s led to %q, now %+v leads to %q\n%v", what, from, to, p.link, p.page, p.leads, q.link, q.leads, slices.Sorted(slices.Values(d.paths)))
		case p.leads == "" && q.leads == "" && wiki.Key(q.target) != wiki.Key(p.target):
			w.t.Errorf("%s: %s to %s: %+v on %s was red for %q, now %+v for %q", what, from, to, p.link, p.page, p.target, q.link, q.target)
		}
	}
}
