package pages

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"robot.wtf/internal/content"
	"robot.wtf/internal/hostile"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// linkIn returns the only link in a text.
func linkIn(t testing.TB, self wiki.PageName, text string) wiki.Link {
	t.Helper()
	links := markdown.ExtractFacts(self, []byte(text)).Links
	if len(links) != 1 {
		t.Fatalf("%q on %s has the links %v", text, self, links)
	}
	l := links[0]
	l.Text = ""
	return l
}

func TestLead(t *testing.T) {
	paths := strings.Fields(`Home.md Same.md Deep.md a.b.c.md Install-Guide.md Two_Words.md pic.png report.pdf LICENSE
		Notes/Index_Card.md Notes/Same.md Notes/Self.md Notes/Self/own.png Notes/Self/Below.md Notes/near.png Notes/Deeper/Under.md
		Guide/README.md Guide/Start.md Guide/Only.md Guide/img/far.png Other/index.md Other/Under.md Other/Long/Twin.md Other/Twin.md Plain/Page.md
		Under_index/_index.md Under_index/x.md Notes/Sub/README.md Notes/Sub/Leaf.md z/Start_Up.md Name-With-Dashes/Page.md`)
	slices.Sort(paths)
	aliases := map[string][]string{"Guide/Only.md": {"The Alias", "CI/CD", "Same"}, "Other/Twin.md": {"Shared"}, "Plain/Page.md": {"Shared"}}
	n := newNames(paths, aliases, []content.Departure{{Key: "gone.md", Seq: 3, To: "plain/page.md"}, {Key: "notes/left.md", Seq: 4, To: "home.md"}, {Key: "page.md", Seq: 5}})
	for _, test := range []struct{ self, text, want string }{
		// The path, from the root for wikilinks.
		{"Notes/Self", "[[Home]]", "Home.md"},
		{"Notes/Self", "[[Same]]", "Same.md"},
		{"Notes/Self", "[[Notes/Same]]", "Notes/Same.md"},
		{"Notes/Self", "[[/Notes/Same]]", "Notes/Same.md"},
		{"Notes/Self", "[[home.md#x|text]]", "Home.md"},
		{"Notes/Self", "[[./Below]]", "Notes/Self/Below.md"},
		{"Notes/Self", "[[./Same]]", "Notes/Same.md"},
		{"Notes/Self", "[[../Notes/Same]]", "Notes/Same.md"},
		{"Notes/Self", "![[own.png]]", "Notes/Self/own.png"},
		// Markdown links: relative to the folder, then the root.
		{"Notes/Self", "[x](Same.md)", "Notes/Same.md"},
		{"Notes/Self", "[x](Same)", "Notes/Same.md"},
		{"Notes/Self", "[x](./Same.md)", "Notes/Same.md"},
		{"Notes/Self", "[x](./Below)", "Notes/Self/Below.md"},
		{"Notes/Self", "[x](./Same)", "Notes/Same.md"},
		{"Notes/Self", "[x](Below)", "Notes/Self/Below.md"},
		{"Notes/Self", "[x](../Same.md)", "Same.md"},
		{"Notes/Self", "[x](/Same)", "Same.md"},
		{"Notes/Self", "[x](Home.md)", "Home.md"},
		{"Notes/Self", "[x](Guide/Start.md)", "Guide/Start.md"},
		{"Notes/Self", "![x](near.png)", "Notes/near.png"},
		{"Notes/Self", "![x](own.png)", "Notes/Self/own.png"},
		{"Notes/Self", "![x](./own.png)", "Notes/Self/own.png"},
		{"Notes/Self", "![x](../pic.png)", "pic.png"},
		{"Notes/Self", "[x](<../Two Words.md>)", "Two_Words.md"},
		{"Notes/Self", "[x](../LICENSE)", "LICENSE"},
		// Dashes, spaces and underscores.
		{"Notes/Self", "[[Install Guide]]", "Install-Guide.md"},
		{"Notes/Self", "[[two-words]]", "Two_Words.md"},
		{"Notes/Self", "[x](../Install_Guide)", "Install-Guide.md"},
		{"Notes/Self", "[[Start-Up]]", "z/Start_Up.md"},
		{"Notes/Self", "[[Name With Dashes/Page]]", "Name-With-Dashes/Page.md"},
		{"Notes/Self", "[[a.b.c]]", "a.b.c.md"},
		// By name: the folder, the folders above, below, anywhere.
		{"Notes/Sub/Leaf", "[[Self]]", "Notes/Self.md"},
		{"Notes/Sub/Leaf", "[[Index Card]]", "Notes/Index_Card.md"},
		{"Notes/Self", "[[Under]]", "Notes/Deeper/Under.md"},
		{"Guide/Start", "[[Under]]", "Other/Under.md"},
		{"Home", "[[Only]]", "Guide/Only.md"},
		{"Home", "[x](Only.md)", "Guide/Only.md"},
		{"Home", "![[far.png]]", "Guide/img/far.png"},
		{"Home", "![x](far.png)", "Guide/img/far.png"},
		{"Home", "![[img/far.png]]", "Guide/img/far.png"},
		{"Home", "[[Long/Twin]]", "Other/Long/Twin.md"},
		{"Home", "[[Twin]]", "Other/Twin.md"},
		{"Home", "[[ong/Twin]]", ""},
		// Not by name.
		{"Home", "[[README]]", ""},
		{"Home", "[x](README.md)", ""},
		{"Home", "[[index]]", ""},
		{"Guide/Start", "[[README]]", "Guide/README.md"},
		{"Guide/Start", "[x](README.md)", "Guide/README.md"},
		{"Home", "[[Sub/README]]", "Notes/Sub/README.md"},
		{"Home", "[x](../Only.md)", ""},
		{"Notes/Self", "[x](../Only.md)", ""},
		{"Notes/Self", "[[../Only]]", ""},
		{"Notes/Self", "[x](./Only.md)", ""},
		{"Notes/Self", "[x](/Only)", ""},
		{"Home", "[[Start|Only]]", "Guide/Start.md"},
		// A folder.
		{"Home", "[x](Guide/)", "Guide/README.md"},
		{"Home", "[x](Guide)", "Guide/README.md"},
		{"Home", "[[Guide]]", "Guide/README.md"},
		{"Notes/Self", "[x](../Other/)", "Other/index.md"},
		{"Notes/Self", "[[Sub]]", "Notes/Sub/README.md"},
		{"Home", "[[Under-index]]", "Under_index/_index.md"},
		{"Home", "[[Sub]]", ""},
		{"Guide/Start", "[x](.)", "Guide/README.md"},
		{"Notes/Sub/Leaf", "[x](..)", ""},
		// HTML files that tools make of pages.
		{"Home", "[x](Guide/Start.html)", "Guide/Start.md"},
		{"Home", "[x](Guide/index.html)", "Guide/README.md"},
		{"Guide/Start", "[x](index.html#part)", "Guide/README.md"},
		{"Guide/Start", "[x](../Notes/Self.html)", "Notes/Self.md"},
		{"Home", "[x](Only.html)", ""},
		// Former names go before other pages of that name.
		{"Home", "[[Gone]]", "Plain/Page.md"},
		{"Home", "[[Left]]", ""},
		{"Notes/Self", "[x](Left.md)", "Home.md"},
		{"Home", "[[Page]]", "Plain/Page.md"},
		// Aliases, after names.
		{"Home", "[[The Alias]]", "Guide/Only.md"},
		{"Home", "[[the-alias]]", "Guide/Only.md"},
		{"Home", "[[CI/CD]]", "Guide/Only.md"},
		{"Home", "[x](<The Alias>)", "Guide/Only.md"},
		{"Notes/Self", "[[Same]]", "Same.md"},
		{"Home", "[[Shared]]", "Other/Twin.md"},
		// Text and target in the other order, if only that exists.
		{"Home", "[[some text|Only]]", "Guide/Only.md"},
		{"Home", "[[some text|Only#part]]", "Guide/Only.md"},
		{"Home", "[[some text|Guide/Start]]", "Guide/Start.md"},
		{"Home", "[[some text|nothing either]]", ""},
		{"Home", "![[some text|Only#part]]", "Guide/Only.md"},
		{"Home", "![[pic.png|Only]]", "pic.png"},
		{"Home", "![[pic|300]]", ""},
		// Nothing hidden, nothing outside.
		{"Home", "[[.robot/x]]", ""},
		{"Home", "[x](../../Home.md)", "Home.md"},
		{"Home", "[[../../../etc/passwd]]", ""},
	} {
		l := linkIn(t, wiki.PageName(test.self), test.text)
		if got := n.lead(wiki.PageName(test.self), l); got.file != test.want {
			t.Errorf("%s on %s leads to %q, want %q", test.text, test.self, got.file, test.want)
		}
	}
}

// Of files that are equally near, links take the one with the shortest path, and say how
// many others there are.
func TestLeadAmong(t *testing.T) {
	n := newNames([]string{"a/N.md", "bb/N.md", "c/N.md", "c/d/N.md", "c/d/e/M.md", "c/f/g/M.md"}, nil, nil)
	for _, test := range []struct {
		self, text, want string
		others           int
	}{
		{"Home", "[[N]]", "a/N.md", 3},
		{"c/X", "[[N]]", "c/N.md", 0},
		{"c/d/e/X", "[[N]]", "c/d/N.md", 0},
		{"c/d/e/f/X", "[[M]]", "c/d/e/M.md", 0},
		{"c/X", "[[M]]", "c/d/e/M.md", 1},
	} {
		got := n.lead(wiki.PageName(test.self), linkIn(t, wiki.PageName(test.self), test.text))
		if got.file != test.want || got.others != test.others {
			t.Errorf("%s on %s: %+v, want %s and %d others", test.text, test.self, got, test.want, test.others)
		}
	}
}

// segments are parts of names that links can take for each other.
var segments = []string{"a", "B", "A-b", "a_b", "x", "index", "README", "c d"}

func drawPath(t *rapid.T, label string) string {
	parts := rapid.SliceOfN(rapid.SampledFrom(segments), 1, 3).Draw(t, label)
	ending := rapid.SampledFrom([]string{".md", ".md", ".md", ".png"}).Draw(t, label+" ending")
	return strings.ReplaceAll(strings.Join(parts, "/"), " ", "_") + ending
}

// drawLink draws a link in one of many forms.
func drawLink(t *rapid.T) string {
	target := strings.TrimSuffix(drawPath(t, "target"), ".md")
	form := rapid.SampledFrom([]string{"[[%s]]", "[[%s]]", "[[/%s]]", "[[./%s]]", "[[../%s]]", "![[%s]]", "[[%s|x]]", "[[some words|%s]]", "[[%s#part]]",
		"[t](%s)", "[t](%s.md)", "[t](./%s)", "[t](./%s.md)", "[t](../%s.md)", "[t](/%s)", "[t](/%s.md#part)", "![](%s)", "[t](%s/)", "[t](%s.html)", "[t](<%s>)", "[[the alias]]", "[[%s.md]]"}).Draw(t, "form")
	if strings.Contains(form, "%s") {
		form = fmt.Sprintf(form, target)
	}
	return form
}

// Any sequence of commits gives the names that reading the wiki would, and each link
// has a key of the file that it leads to.
func TestNamesFollowCommits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		files, aliases := map[string]string{}, map[string][]string{} // by key
		list := func() []string {
			var paths []string
			for _, p := range files {
				paths = append(paths, p)
			}
			slices.Sort(paths)
			return paths
		}
		var departures []content.Departure
		n := newNames(nil, nil, nil)
		for range rapid.IntRange(1, 8).Draw(t, "commits") {
			var changes []nameChange
			written := map[string][]string{}
			for range rapid.IntRange(1, 3).Draw(t, "changes") {
				var c nameChange
				var left content.Departure
				if paths := list(); len(paths) > 0 && rapid.Bool().Draw(t, "leaves") {
					gone := rapid.SampledFrom(paths).Draw(t, "gone")
					c.gone, left = append(c.gone, gone), content.Departure{Key: wiki.Key(gone), Seq: int64(len(departures) + 1)}
					delete(files, wiki.Key(gone))
					delete(aliases, gone)
				}
				if p := drawPath(t, "path"); files[wiki.Key(p)] == "" {
					c.come, left.To = append(c.come, p), wiki.Key(p)
					files[wiki.Key(p)] = p
					if rapid.Bool().Draw(t, "alias") && strings.HasSuffix(p, ".md") {
						aliases[p] = []string{"the alias"}
					}
				}
				changes = append(changes, c)
				if left.Key != "" {
					departures = append(departures, left)
				}
			}
			for p, a := range aliases {
				written[p] = a
			}
			sortDepartures(departures)
			n = n.after(changes, written, departures)
		}
		want := newNames(list(), aliases, departures)
		if !slices.Equal(n.paths, want.paths) || !slices.Equal(n.keys, want.keys) || n.pages != want.pages || !maps.Equal(n.folders, want.folders) || !maps.Equal(n.former, want.former) {
			t.Fatalf("got %v, %d pages, folders %v, former %v\nwant %v, %d pages, folders %v, former %v", n.paths, n.pages, n.folders, n.former, want.paths, want.pages, want.folders, want.former)
		}
		if n.bytes != want.bytes {
			t.Fatalf("after commits, names weigh %d bytes, want %d", n.bytes, want.bytes)
		}
		for range 20 {
			self, _ := wiki.PageOf(strings.TrimSuffix(drawPath(t, "self"), ".png") + ".md")
			text := drawLink(t)
			for _, l := range markdown.ExtractFacts(self, []byte(text)).Links {
				got := n.lead(self, l)
				if got != want.lead(self, l) {
					t.Fatalf("%s on %s leads to %+v, want %+v among %v", text, self, got, want.lead(self, l), want.paths)
				}
				keys := wiki.PageKeys(got.file, want.aliases[got.file])
				for _, former := range want.was[got.file] {
					if got.former {
						keys = append(keys, wiki.PageKeys(former, nil)...)
					}
				}
				if got.file != "" && !slices.ContainsFunc(l.Keys(self), func(k string) bool { return slices.Contains(keys, k) }) {
					t.Fatalf("%s on %s leads to %s, but has only the keys %v, not one of %v", text, self, got.file, l.Keys(self), keys)
				}
			}
		}
	})
}

// However many files have a name, and however many links a page, each link costs little.
func TestLeadIsLinear(t *testing.T) {
	var paths []string
	deep := strings.Repeat("d/", 60)
	for i := range 5000 {
		paths = append(paths, fmt.Sprintf("%05d/N.md", i))
	}
	n := newNames(paths, nil, nil)
	hostile.Double(t, "links to one of many", 2000, func(links int) int {
		found := 0
		for i := range links {
			l := wiki.Link{Kind: wiki.LinkPage, Target: fmt.Sprintf("%d/N", i%7)}
			if n.lead(wiki.PageName(deep+"Self"), l).file != "" {
				found++
			}
		}
		return found
	})
}

// Addresses and names as other tools write them, where only one target can be meant.
func TestLeadsOfTools(t *testing.T) {
	t.Parallel()
	paths := strings.Fields(`site/content/_index.md site/content/guide/_index.md site/content/guide/start.md site/static/img/x.png docs/page.md docs/only.md
		static/y.png journals/2026_11_03.md 2026_11_04.md proj.a.b.md dendron.topic.markdown.md dendron.topic.md Folder/Wiki-Page.md Twice.md Folder/Twice.md`)
	slices.Sort(paths)
	n := newNames(paths, map[string][]string{"site/content/guide/start.md": {"/old/start/"}}, nil)
	for _, test := range []struct{ self, text, want string }{
		{"site/content/_index", "[x](/guide/start/)", "site/content/guide/start.md"}, // Hugo
		{"site/content/guide/start", "[x](/guide/start)", "site/content/guide/start.md"},
		{"site/content/_index", "[x](/guide/#part)", "site/content/guide/_index.md"},
		{"site/content/_index", "[x](/old/start/)", "site/content/guide/start.md"},
		{"site/content/_index", "[x](/start)", ""},
		{"site/content/_index", "![x](/img/x.png)", "site/static/img/x.png"},
		{"docs/page", "[x](/guide/start/)", ""},
		{"docs/page", "![x](/y.png)", "static/y.png"}, // Docusaurus
		{"docs/page", "[x](@site/docs/only.md)", "docs/only.md"},
		{"docs/page", "![x](@site/static/y.png)", "static/y.png"},
		{"docs/page", "[x](/only)", ""}, // GitHub leaves it dead
		{"docs/page", "[[/img/x.png]]", ""},
		{"docs/page", "[[Nov 3rd, 2026]]", "journals/2026_11_03.md"}, // Logseq
		{"docs/page", "[[nov 3rd, 2026]]", "journals/2026_11_03.md"},
		{"docs/page", "[[Nov 3th, 2026]]", ""},
		{"docs/page", "[[Nov 4th, 2026]]", ""},
		{"docs/page", "[[Nov 31st, 2026]]", ""},
		{"docs/page", "[[dendron://my.vault/proj.a.b#part]]", "proj.a.b.md"}, // Dendron
		{"docs/page", "![[dendron://my.vault/proj.a.b#part,1:#*]]", "proj.a.b.md"},
		{"docs/page", "[[words|dendron://my.vault/proj.a.b#part]]", "proj.a.b.md"},
		{"docs/page", "[[dendron://my.vault/none]]", ""},
		{"docs/page", "[[dendron.topic.markdown]]", "dendron.topic.markdown.md"},
		{"docs/page", "[x](./Wiki-Page)", "Folder/Wiki-Page.md"}, // GitHub wiki
		{"docs/page", "[x](./Twice)", ""},
		{"docs/page", "[x](./Wiki-Page.md)", ""},
		{"docs/page", "[[./Wiki-Page]]", ""},
	} {
		l := linkIn(t, wiki.PageName(test.self), test.text)
		got := n.lead(wiki.PageName(test.self), l).file
		if got != test.want {
			t.Errorf("%s on %s: %q, want %q", test.text, test.self, got, test.want)
		}
		if got != "" && !slices.ContainsFunc(l.Keys(wiki.PageName(test.self)), func(k string) bool { return slices.Contains(wiki.PageKeys(got, n.aliases[got]), k) }) {
			t.Errorf("%s on %s has no key of %s", test.text, test.self, got)
		}
	}
}

// The setting says on which side of the bar a wikilink has its target.
func TestLinkOrder(t *testing.T) {
	t.Parallel()
	auto := newNames([]string{"A.md", "B.md", "F/Self.md", "pic.png"}, nil, nil)
	for _, test := range []struct{ text, automatic, targetFirst, textFirst string }{
		{"[[A|B]]", "A.md", "A.md", "B.md"},
		{"[[A|words]]", "A.md", "A.md", ""},
		{"[[words|B]]", "B.md", "", "B.md"},
		{"[[words|B#part]]", "B.md", "", "B.md"},
		{"[[words|none]]", "", "", ""},
		{"[[A]]", "A.md", "A.md", "A.md"},
		{"[[A|#part]]", "A.md", "A.md", "F/Self.md"},
		{"[[words|#part]]", "", "", "F/Self.md"},
		{"[[pic.png|alt=B, width=20]]", "pic.png", "pic.png", "pic.png"},
		{"![[pic.png|B]]", "pic.png", "pic.png", "pic.png"},
	} {
		l := linkIn(t, "F/Self", test.text)
		for order, want := range map[wiki.LinkOrder]string{wiki.AutomaticOrder: test.automatic, wiki.TargetFirst: test.targetFirst, wiki.TextFirst: test.textFirst} {
			if got := auto.ordered(order).lead("F/Self", l); got.file != want {
				t.Errorf("%s, %s: %q, want %q", test.text, order, got.file, want)
			}
		}
	}
}

// Cached pages and lists follow the setting. The stored text stays.
func TestLinkOrderChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("A", "a")
	w.put("B", "b")
	w.put("Self", "[[A|B]] [[A|Missing page]]")
	for _, test := range []struct {
		order  wiki.LinkOrder
		body   []string
		to     []wiki.PageName
		wanted int
	}{
		{wiki.AutomaticOrder, []string{`<a href="/A">B</a>`, `<a href="/A">Missing page</a>`}, []wiki.PageName{"A"}, 0},
		{wiki.TextFirst, []string{`<a href="/B">A</a>`, `<a href="/Missing_page/edit" class="red" title="This page does not exist yet">A</a>`}, []wiki.PageName{"B", "Missing_page"}, 1},
		{wiki.TargetFirst, []string{`<a href="/A">B</a>`}, []wiki.PageName{"A"}, 0},
	} {
		w.orderWikilinks(test.order)
		v, err := w.View(w.t.Context(), w.reader, "Self", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range test.body {
			if !strings.Contains(string(v.Body), part) {
				t.Errorf("%s: %s lacks %s", test.order, v.Body, part)
			}
		}
		links, err := w.Links(w.t.Context(), w.reader, "Self")
		if err != nil || !slices.Equal(links.To, test.to) {
			t.Errorf("%s: %v, links to %v", test.order, err, links.To)
		}
		health, err := w.Health(w.t.Context(), w.owner)
		if err != nil || len(health.Wanted) != test.wanted {
			t.Errorf("%s: %v, wanted %v", test.order, err, health.Wanted)
		}
	}
	if w.text("Self") != "[[A|B]] [[A|Missing page]]" {
		t.Error("the setting changed a page")
	}
}
