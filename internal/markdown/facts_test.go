package markdown

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/hostile"
	"robot.wtf/internal/wiki"
)

func TestExtractFacts(t *testing.T) {
	source := "---\ntitle: The *Title*\ntags: [B, \"#a b\"]\ncategory: Guides, more\nsee: \"[[From Matter#x]]\"\n---\n" +
		"[[Page One|x]] [[page one]] [[Page One#y]] ![[Part]] ![[pic.png]] [[report.pdf]] [[./Below]] [[../Beside]] [[#here]] #Tag #tag #12 `#no` `[[No]]`\n\n" +
		"[a](Near) [b](/Rooted.md#x) [c](./Down?q=1) [d](file.csv) ![e](/pic.jpg) [f](https://e.com/[[No]]) [g](#h) [h](/-/index) [i](/Page/history) [j][ref] [k](javascript:x)\n\n" +
		"<a href=\"/Raw\">raw</a> <!-- [[No]] -->\n\n```\n[[No]] #no\n```\n\n[ref]: </By Reference>\n"
	var got []string
	facts := ExtractFacts("Dir/Self", []byte(source))
	for _, l := range facts.Links {
		target := l.Target
		if l.Label != "" {
			target += "|" + l.Label
		}
		if l.Address {
			target = "(" + target + ")"
		}
		got = append(got, string(l.Kind)+" "+target)
	}
	want := []string{
		"page From Matter", "page Page One|x", "page page one", "page Page One", "embed Part", "embed pic.png", "file report.pdf", "page ./Below", "page ../Beside",
		"page (Near)", "page (/Rooted.md)", "page (./Down)", "file (file.csv)", "file (/pic.jpg)", "page (/By Reference)", "page (/Raw)",
		"tag a b", "tag b", "tag guides", "tag more", "tag tag",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a b", "b", "guides", "more", "tag"}, facts.Tags); diff != "" || facts.Title != "The *Title*" {
		t.Errorf("title %q, tags: %s", facts.Title, diff)
	}
	page, err := shared.Render(t.Context(), "ada", "Dir/Self", []byte(source), &world{})
	if err != nil || page.Title != facts.Title || !cmp.Equal(page.Tags, facts.Tags) {
		t.Errorf("rendered: title %q, tags %q, %v", page.Title, page.Tags, err)
	}
}

// A render asks its resolver for exactly the links in Facts. Otherwise
// search, backlinks and renames would miss some.
func TestRenderAsksForTheFacts(t *testing.T) {
	for _, p := range append(payloads()[:200], hostile.Pages["wikilinks"](2000), "[[A]] ![[B]] [c](D.md) ![e](f.png) [g](./h.png)\n\n![[I#J]]\n") {
		listed := map[wiki.Link]bool{}
		for _, l := range ExtractFacts("Dir/Self", []byte(p)).Links {
			l.Text = ""
			listed[l] = true
		}
		w := &world{}
		if _, err := shared.Render(t.Context(), "ada", "Dir/Self", []byte(p), w); err != nil {
			t.Fatal(err)
		}
		seen := map[link]bool{}
		for _, l := range w.asked {
			if !listed[l.Link] || seen[l] {
				t.Errorf("%q: asked for %v, repeatedly or not in Facts", p, l)
			}
			seen[l] = true
		}
	}
}

// Attack: a reader learns from snippets, backlinks, tags or the contents what the
// author hid in %%comments%%.
func TestHiddenTextIsInNoFact(t *testing.T) {
	source := []byte("# Title %%hidden%%\n\nSeen %%hidden [[hidden]] #hidden%% [[Seen]].\n\n%%\n# hidden\n\n- [[hidden]] #hidden\n%%\n\n" +
		"> %%\n> hidden [[hidden]]\n\n- item\n  %%\n  hidden\n\n| a %%hidden%% |\n|---|\n| %%hidden%% |\n\nterm %%hidden%%\n: text %%hidden\n  hidden%%\n\n# Next\n\n%% end [[End]]\n")
	facts := ExtractFacts("Self", source)
	sections := Sections(source)
	page, err := shared.Render(t.Context(), "ada", "Self", source, &world{all: true})
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"text": PlainText(source), "facts": fmt.Sprint(facts), "sections": fmt.Sprint(sections), "HTML": string(page.HTML), "page": fmt.Sprint(page.Headings, page.Tags),
		"section": PlainText(source[:bytes.Index(source, []byte("# Next"))]),
	} {
		if strings.Contains(text, "hidden") {
			t.Errorf("%s: %s", what, text)
		}
	}
	if len(facts.Links) != 2 || len(sections) != 3 || !strings.Contains(PlainText(source), "%% end") {
		t.Errorf("%+v %+v", facts.Links, sections)
	}
}

func TestTextAroundALink(t *testing.T) {
	long := strings.Repeat("é words before it, ", 30) + "[[Target|the link]]" + strings.Repeat(" and after it é", 30)
	for source, want := range map[string]string{
		"# About [[Target]] here":                    "About Target here",
		"one *line* of\n[[Target]] text":             "one line of Target text",
		"| a | b |\n|---|---|\n| x | [[Target]] y |": "Target y",
		long: "the link",
	} {
		links := ExtractFacts("Self", []byte(source)).Links
		if len(links) != 1 || !strings.Contains(links[0].Text, want) || len(links[0].Text) > 200 || !utf8.ValidString(links[0].Text) {
			t.Errorf("%.60q: %+v", source, links)
		}
	}
}

// Embedding ends, whatever the embedded pages embed.
func TestEmbedCyclesEnd(t *testing.T) {
	chain := map[string]string{}
	for i := range 20 {
		chain[fmt.Sprint("P", i)] = fmt.Sprintf("level %d\n\n![[P%d]]\n", i, i+1)
	}
	wide := map[string]string{"Wide": strings.Repeat("![[Wide2]]\n\n", 50), "Wide2": strings.Repeat("![[Wide3]]\n\n", 50), "Wide3": strings.Repeat("![[Big]]\n\n", 50), "Big": strings.Repeat("word ", 10_000)}
	for _, test := range []struct {
		name, source string
		pages        map[string]string
		holds        string
		notice       string
	}{
		{"itself", "a\n\n![[Self]]\n", map[string]string{"Self": "a\n\n![[Self]]\n"}, `href="/Self"`, "embeds itself"},
		{"a circle", "![[A]]\n", map[string]string{"A": "in A\n\n![[B]]\n", "B": "in B\n\n![[A]]\n"}, "in B", "embeds itself"},
		{"a section of itself", "# One\n\n![[Self#Two]]\n\n# Two\n\ntwo\n", map[string]string{"Self": "# One\n\n![[Self#Two]]\n\n# Two\n\ntwo\n"}, "two", ""},
		{"a section that embeds itself", "# Two\n\n![[Self#Two]]\n", map[string]string{"Self": "# Two\n\n![[Self#Two]]\n"}, "Two", "embeds itself"},
		{"a chain", "![[P0]]\n", chain, "level 3", "more than 4 deep"},
		{"many", "![[Wide]]\n", wide, "word word", "embeds so much"},
		{"too large", "![[A]]\n", map[string]string{"A": strings.Repeat("a", maxLine+1)}, `href="/A"`, "too large to be embedded"},
		{"headings", "# Same\n\n![[A]]\n", map[string]string{"A": "# Same\n\n[^1]\n\n[^1]: note\n"}, "<h1>Same</h1>", ""},
	} {
		page, err := shared.Render(t.Context(), "ada", "Self", []byte(test.source), &world{pages: test.pages})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		checkSafe(t, string(page.HTML))
		if !strings.Contains(string(page.HTML), test.holds) || len(page.HTML) > maxOutput {
			t.Errorf("%s: %.500s", test.name, page.HTML)
		}
		if notices := strings.Join(page.Notices, " "); !strings.Contains(notices, test.notice) || test.notice == "" && notices != "" {
			t.Errorf("%s: notices %q", test.name, notices)
		}
		if test.name == "headings" && len(page.Headings) != 1 {
			t.Errorf("%s: contents %v", test.name, page.Headings)
		}
	}
}

// Logseq writes a page's other names as properties in its first lines.
func TestOutlineAliases(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"alias:: a b, [[c]]\ntags:: x\ntitle:: d\n\n- alias:: e": {"a b", "c", "d"},
		"- type:: x\n- alias:: a\n":                              {"a"},
		"text\nalias:: a":                                        nil,
		"std::vector alias:: a":                                  nil,
		"alias::":                                                nil,
	} {
		var got []string
		for _, l := range ExtractFacts("Page", []byte(text)).Links {
			if l.Kind == wiki.LinkAlias {
				got = append(got, l.Target)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
