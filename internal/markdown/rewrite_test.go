package markdown

import (
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

// renamer spells links of a page, whose name is before and after, by pairs of old and
// new paths, in any spelling with the same key.
func renamer(before, after wiki.PageName, pairs ...string) Respell {
	return func(l wiki.Link, fragment string) (wiki.Link, string) {
		if l.Kind == "" {
			return l, fragment
		}
		paths := l.Paths(before)
		to := paths[0]
		for _, p := range slices.Backward(paths) {
			for i := 0; i < len(pairs); i += 2 {
				if wiki.Key(pairs[i]) == wiki.Key(p) {
					to = pairs[i+1]
				}
			}
		}
		leads := func(l wiki.Link) bool {
			now := l.Paths(after)
			return len(now) > 0 && (now[0] == to || wiki.Key(now[0]) == wiki.Key(to) && now[0] == strings.ReplaceAll(to, "_", " ") || slices.Contains(now, to) && strings.HasSuffix(to, ".png"))
		}
		for _, target := range append([]string{l.Target}, l.Spellings(after, to, false)...) {
			next := l
			next.Target = target
			if leads(next) {
				return next, fragment
			}
		}
		return l, fragment
	}
}

func TestRewriteLinks(t *testing.T) {
	renamed := []string{"Old Page", "New/Page", "old.png", "New/new pic.png", "Design/Old", "Design/New", "Design/VPS/d.png", "Design/VPS/e.png", "a(b)", "c(d) [e]"}
	for _, test := range []struct{ name, page, before, after string }{
		{"wikilink", "P", "x [[Old Page]] y", "x [[New/Page]] y"},
		{"wikilink, text, anchor", "P", "[[ Old_Page#A b | t_t ]]", "[[ New/Page#A b | t_t ]]"},
		{"wikilink in a table", "P", "| a |\n|---|\n| [[Old Page\\|t]] |\n", "| a |\n|---|\n| [[New/Page\\|t]] |\n"},
		{"embed", "P", "![[old page#S]]", "![[New/Page#S]]"},
		{"several, one line", "P", "[[Old Page]][[Old_Page]] [[Other]]", "[[New/Page]][[New/Page]] [[Other]]"},
		{"escaped", "P", `\[[Old Page]] \![[Old Page]]`, `\[[Old Page]] \![[New/Page]]`},
		{"from the root", "P", "[x](/Old_Page)", "[x](/New/Page)"},
		{"encoded", "P", "[x](/Old%20Page?a=b#Next)", "[x](/New/Page?a=b#Next)"},
		{"an escape before the anchor", "P", `[x](/Old_Page\#a) [y](/Old_Page&#35;a)`, `[x](/New/Page\#a) [y](/New/Page&#35;a)`},
		{"brackets", "P", "[x](</Old Page> 'title')", "[x](/New/Page 'title')"[:0] + "[x](</New/Page> 'title')"},
		{"entities and escapes", "P", `[x](/Old\_Page "a &quot; b") [y](/Old&#95;Page)`, `[x](/New/Page "a &quot; b") [y](/New/Page)`},
		{"name with brackets", "P", "[x](/a(b))", "[x](/c%28d%29%20%5Be%5D)"},
		{"a name that no wikilink can say", "P", "[[a(b)]]", "[[a(b)]]"},
		{"page and title on lines of their own", "P", "> [x](\n> /Old_Page\n> 'title')", "> [x](\n> /New/Page\n> 'title')"},
		{"markdown file", "P", "[x](Old%20Page.md#a)", "[x](New/Page.md#a)"},
		{"image", "P", "![alt](/old.png \"t\")", "![alt](/New/new%20pic.png \"t\")"},
		{"image in a link", "P", "[![alt](/old.png)](/Old_Page)", "[![alt](/New/new%20pic.png)](/New/Page)"},
		{"shortcode", "P", "[x]({{< ref \"/Old_Page#a\" >}})", "[x]({{< ref \"/New/Page#a\" >}})"},
		{"definition", "P", "[x][r]\n\n[r]: /Old_Page 'title'\n[s]: </Old_Page>\n", "[x][r]\n\n[r]: /New/Page 'title'\n[s]: </New/Page>\n"},
		{"relative", "Design/VPS", "[x](Old) [y](../Old_Page) [z](./d.png) ![](d.png)", "[x](New) [y](../New/Page) [z](./e.png) ![](VPS/e.png)"},
		{"in an emphasis, a list, a quote, a heading", "P", "# [[Old Page]]\n\n- *[[Old Page]]*\n  > [[Old Page]]\n", "# [[New/Page]]\n\n- *[[New/Page]]*\n  > [[New/Page]]\n"},
		{"a note, a definition list, a box, a fold", "P", "a[^1]\n\n[^1]: [[Old Page]]\n\nT\n: [[Old Page]]\n\n::: info\n[[Old Page]]\n:::\n\n>| [[Old Page]]\n", "a[^1]\n\n[^1]: [[New/Page]]\n\nT\n: [[New/Page]]\n\n::: info\n[[New/Page]]\n:::\n\n>| [[New/Page]]\n"},
		{"front matter", "P", "---\nsee: \"[[Old Page]]\"\nx: [[Old Page]]\n---\n[[Old Page]]\n", "---\nsee: \"[[New/Page]]\"\nx: [[New/Page]]\n---\n[[New/Page]]\n"},
		{"front matter that is no YAML", "P", "---\n\t: [[Old Page\n---\n[[Old Page]]\n", "---\n\t: [[Old Page\n---\n[[New/Page]]\n"},
		{"code span", "P", "`[[Old Page]]` ``[x](/Old_Page)``", "`[[Old Page]]` ``[x](/Old_Page)``"},
		{"fences", "P", "```\n[[Old Page]]\n```\n~~~~ md\n~~~\n[x](/Old_Page)\n~~~~\n", "```\n[[Old Page]]\n```\n~~~~ md\n~~~\n[x](/Old_Page)\n~~~~\n"},
		{"indented code", "P", "    [[Old Page]]\n", "    [[Old Page]]\n"},
		{"comment", "P", "<!-- [[Old Page]]\n[x](/Old_Page) --> [[Old Page]]\n\nx <!-- [[Old Page]] --> [[Old Page]]", "<!-- [[Old Page]]\n[x](/Old_Page) --> [[Old Page]]\n\nx <!-- [[Old Page]] --> [[New/Page]]"},
		{"raw HTML", "P", "a <a title='href=x' HREF = \"/Old_Page?a#b\" href=/Old_Page>x</a> [[Old Page]]", "a <a title='href=x' HREF = \"/New/Page?a#b\" href=/Old_Page>x</a> [[New/Page]]"},
		{"raw HTML without quotes", "P", "a <a href=/Old_Page>x</a> <img src='/old.png'>", "a <a href=/New/Page>x</a> <img src='/New/new%20pic.png'>"},
		{"raw HTML in a block", "P", "> <div>\n> <a\n>   href=\"/Old_Page\">x</a>\n> <img src=\"/old.png\"/>\n> </div>\n", "> <div>\n> <a\n>   href=\"/New/Page\">x</a>\n> <img src=\"/New/new%20pic.png\"/>\n> </div>\n"},
		{"raw HTML that is a comment, or leads elsewhere", "P", "<!-- <a href=\"/Old_Page\"> -->\n\n<a href=\"https://e.com/Old_Page\">x</a> <p title=\"/Old_Page\"> <a name=href>", "<!-- <a href=\"/Old_Page\"> -->\n\n<a href=\"https://e.com/Old_Page\">x</a> <p title=\"/Old_Page\"> <a name=href>"},
		{"raw HTML with references, left to the redirect", "P", "a <a href=\"/Old&#95;Page\">x</a>", "a <a href=\"/Old&#95;Page\">x</a>"},
		{"formula, embedding", "P", "$[[Old Page]]$\n\n$$\n[[Old Page]]\n$$\n\n{{Other\n[[Old Page]]\n}}\n", "$[[Old Page]]$\n\n$$\n[[Old Page]]\n$$\n\n{{Other\n[[Old Page]]\n}}\n"},
		{"widget", "P", "{{InfoBox\n|a=[[Old Page]]\n|b=c\n[[Old Page]]\n}}\n", "{{InfoBox\n|a=[[New/Page]]\n|b=c\n[[New/Page]]\n}}\n"},
		{"other hosts", "P", "[x](https://e.com/Old_Page) <https://e.com/Old_Page> [y](//e.com/Old_Page)", "[x](https://e.com/Old_Page) <https://e.com/Old_Page> [y](//e.com/Old_Page)"},
		{"line ends, byte-order mark, tabs", "P", "\ufeff---\r\nsee: '[[Old Page]]'\r\n---\r\n# [[Old Page]]\r\n\r\n-\t[[Old Page]]\t \r\n[x](\r\n/Old_Page)", "\ufeff---\r\nsee: '[[New/Page]]'\r\n---\r\n# [[New/Page]]\r\n\r\n-\t[[New/Page]]\t \r\n[x](\r\n/New/Page)"},
		{"bytes that are no UTF-8", "P", "\xff[[Old Page]]\xfe\x00", "\xff[[New/Page]]\xfe\x00"},
		{"nothing to do", "P", "[[Other]] [x](/Other)\r\n", "[[Other]] [x](/Other)\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			self := wiki.PageName(test.page)
			got, changed := RewriteLinks(self, []byte(test.before), renamer(self, self, renamed...))
			if string(got) != test.after || changed != (test.before != test.after) {
				t.Errorf("%q\n became %q (changed %v)\n    want %q", test.before, got, changed, test.after)
			}
		})
	}
}

// The links of a moved page keep their targets.
func TestRewriteLinksOfAMovedPage(t *testing.T) {
	// The page Design/VPS moves to Ops/Hosts/Box, with its attachment and subpage.
	renamed := renamer("Design/VPS", "Ops/Hosts/Box", "Design/VPS", "Ops/Hosts/Box", "Design/VPS/d.png", "Ops/Hosts/Box/d.png", "Design/VPS/Sub", "Ops/Hosts/Box/Sub")
	for _, test := range []struct{ before, after string }{
		{"[[Design/Other]] [[Home]]", "[[Design/Other]] [[Home]]"},
		{"[x](Other)", "[x](../../Design/Other)"},
		{"[x](Other.md#a)", "[x](../../Design/Other.md#a)"},
		{"[x](./Other.md)", "[x](./../../Design/Other.md)"},
		{"[x](../Home?q#f)", "[x](../../Home?q#f)"},
		{"[x](/Home)", "[x](/Home)"},
		{"[x](#part) [y](https://e.com) [z](mailto:a@b.c)", "[x](#part) [y](https://e.com) [z](mailto:a@b.c)"},
		{"![](./d.png)", "![](./d.png)"},
		{"![](d.png)", "![](d.png)"},
		{"![](VPS/d.png)", "![](Box/d.png)"},
		{"![](/Design/VPS/d.png) ![[Design/VPS/d.png]]", "![](/Ops/Hosts/Box/d.png) ![[Ops/Hosts/Box/d.png]]"},
		{"![](other.png)", "![](../../Design/other.png)"},
		{"[s](./Sub) [s](VPS/Sub) [[Design/VPS/Sub]]", "[s](./Sub) [s](Box/Sub) [[Ops/Hosts/Box/Sub]]"},
		{"[[./Sub]] [[../Design/Other]] [[./Sub|t]]", "[[./Sub]] [[../../Design/Other]] [[./Sub|t]]"},
		{"[self](VPS) [[Design/VPS#a]]", "[self](Box) [[Ops/Hosts/Box#a]]"},
	} {
		got, _ := RewriteLinks("Design/VPS", []byte(test.before), renamed)
		if string(got) != test.after {
			t.Errorf("%q\n became %q\n    want %q", test.before, got, test.after)
		}
	}
}

// Facts and RewriteLinks must agree on a page's links.
func TestRewriteLinksAsksForTheTargetsOfFacts(t *testing.T) {
	source := []byte("[[A#b|c]] ![[B]] [x](C.md) ![y](d.png) [z](./E) [[f.pdf]] [r]\n\n[r]: /G?x#y\n")
	want := map[wiki.Link]bool{}
	for _, l := range ExtractFacts("Dir/Self", source).Links {
		l.Text = ""
		want[l] = true
	}
	asked := map[wiki.Link]bool{}
	RewriteLinks("Dir/Self", source, func(l wiki.Link, fragment string) (wiki.Link, string) {
		if !want[l] || asked[l] {
			t.Errorf("asked for %v, repeatedly or not in Facts", l)
		}
		asked[l] = true
		return l, fragment
	})
	if len(asked) != len(want) || len(want) != 7 {
		t.Errorf("asked for %v\nfacts %v", asked, want)
	}
}

// After a rename, links of every shape have the new target, and a second
// rename changes nothing.
func TestRewrittenLinksReachTheirTargets(t *testing.T) {
	shapes := []string{"[[%s]]", "![[%s]]", "[[%s|text]]", "[[%s#part]]", "[x](/%s)", "[x](</%s>)", "[x](/%s 'title')", "[x](/%s#part)", "![x](/%s)", "[x]\n\n[x]: /%s\n", "| a |\n|-|\n| [x](/%s) |\n"}
	names := []string{"Page", "Two Words", "Fol der/Päge", "a_b", "100%", "C++ & C#", "it's", "名前/ページ", "x.y", "dash-dot"}
	for _, shape := range shapes {
		for _, from := range names {
			for _, to := range names {
				if from == to || strings.ContainsAny(from, "#") {
					continue
				}
				written := from
				if strings.Contains(shape, "](/") || strings.Contains(shape, ": /") {
					written = escapeDestination(from, true)
				}
				page := []byte(strings.ReplaceAll(shape, "%s", written))
				got, _ := RewriteLinks("Self", page, renamer("Self", "Self", from, to))
				links := ExtractFacts("Self", got).Links
				if strings.Contains(shape, "[[") && strings.Contains(to, "#") {
					if string(got) != string(page) {
						t.Errorf("%s: %q became %q", to, page, got)
					}
					continue
				}
				if len(links) == 0 || wiki.Key(links[0].Paths("Self")[0]) != wiki.Key(to) {
					t.Errorf("%q to %q became %q, whose links are %v", page, to, got, links)
				}
				if again, changed := RewriteLinks("Self", got, renamer("Self", "Self", from, to)); changed {
					t.Errorf("%q changed again to %q", got, again)
				}
			}
		}
	}
}
