package vaults

import (
	"fmt"
	"path"
	"strings"
)

// githubWiki is a wiki of GitHub's. It has one flat set of names (docs.github.com,
// "Editing wiki content"): a page in a folder has no other address than its name,
// with dashes for spaces. In [[text|Page]] the text is first. Browsers resolve
// Markdown links against /owner/repository/wiki/.
func githubWiki(b *builder) {
	b.page("Home.md", "Home", "")
	for range 50 {
		b.page(pick(b, []string{"", "", "Guides/", "Guides/Advanced/"})+b.name("-", true)+".md", "A page", "")
	}
	b.page("_Sidebar.md", "Contents", "")
	b.page("_Footer.md", "Footer", "")
	for i := range 6 {
		b.picture(fmt.Sprintf("images/shot-%d.png", i+1))
	}
	words := func(to string) string { return strings.ReplaceAll(bare(to), "-", " ") }
	address := func(format string) func(from, to string) string {
		return func(_, to string) string {
			if strings.HasPrefix(bare(to), "_") {
				return ""
			}
			return strings.NewReplacer("%w", words(to), "%d", bare(to)).Replace(format)
		}
	}
	b.use([]form{
		{name: "[[Page Name]]", write: address("[[%w]]")},
		{name: "[[Page-Name]]", write: address("[[%d]]")},
		{name: "[[text|Page-Name]]", write: address("[[Some text|%d]]")},
		{name: "[[text|Page Name]]", write: address("[[Some text|%w]]")},
		{name: "[[text|Page-Name]], the text is a page's name", write: func(from, to string) string {
			if strings.HasPrefix(bare(from), "_") {
				return ""
			}
			return strings.ReplaceAll(address("[[@|%d]]")("", to), "@", words(from))
		}},
		{name: "[[text|Page-Name#heading]]", write: address("[[Some text|%d#two-words]]"), anchor: "Two words"},
		{name: "[[page name]] in another case", write: func(_, to string) string { return strings.ToLower(address("[[%w]]")("", to)) }},
		{name: "[text](Page-Name)", write: address("[text](%d)")},
		{name: "[text](./Page-Name)", write: address("[text](./%d)")},
		{name: "[text](Page-Name#heading)", write: address("[text](%d#two-words)"), anchor: "Two words"},
		{name: "[text](#heading)", write: func(_, _ string) string { return "[text](#overview)" }, anchor: "Overview", own: true},
		{name: "[[text|Page]], missing", write: address("[[Some text|No %w]]"), dead: true},
		{name: "[[Page]], missing", write: address("[[No %w]]"), dead: true},
		{name: "[text](Page-Name), missing", write: address("[text](No-%d)"), dead: true},
		{name: "![alt](images/picture.png)", write: func(_, to string) string { return "![alt](" + to + ")" }, file: true},
		{name: "[[images/picture.png]]", write: func(_, to string) string { return "[[" + to + "]]" }, file: true},
		{name: "[[/images/picture.png|alt=x]]", write: func(_, to string) string { return "[[/" + to + "|alt=A view]]" }, file: true},
		{name: `<img src="images/picture.png">`, write: func(_, to string) string { return `<img src="` + to + `" width="50%">` }, file: true, wrap: "%s %s\n\n"},
		{name: `<a href="Page-Name">`, write: address(`<a href="%d">text</a>`), wrap: "%s %s\n\n"},
	})
}

// gollum is a wiki of Gollum 5 (github.com/gollum/gollum/wiki, "Link tags"). [[Page]]
// is relative to the page's folder, [[/folder/Page]] to the root, with the text first
// if there are two parts. Spaces and case are as in the file's name.
func gollum(b *builder) {
	b.page("Home.md", "Home", "")
	for range 55 {
		b.page(pick(b, []string{"", "guides/", "guides/deep/", "reference/"})+b.name(" ", true)+".md", "A page", "")
	}
	for i := range 6 {
		b.picture(fmt.Sprintf("uploads/shot-%d.png", i+1))
		b.picture(fmt.Sprintf("guides/figure-%d.png", i+1))
	}
	rel := func(format string) func(from, to string) string {
		return func(from, to string) string {
			if r := relative(from, noExt(to)); !strings.HasPrefix(r, "../") {
				return strings.ReplaceAll(format, "%", r)
			}
			return ""
		}
	}
	root := func(format string) func(from, to string) string {
		return func(_, to string) string { return strings.ReplaceAll(format, "%", noExt(to)) }
	}
	b.use([]form{
		{name: "[[Page]]", write: rel("[[%]]")},
		{name: "[[text|Page]]", write: rel("[[Some text|%]]")},
		{name: "[[/folder/Page]]", write: root("[[/%]]")},
		{name: "[[text|/folder/Page]]", write: root("[[Some text|/%]]")},
		{name: "[[text|/folder/Page#heading]]", write: root("[[Some text|/%#two-words]]"), anchor: "Two words"},
		{name: "[[text|/folder/Page]], the text is a page's name", write: func(from, to string) string {
			return strings.ReplaceAll(root("[[@|/%]]")("", to), "@", bare(from))
		}},
		{name: "[[../Page]]", write: func(from, to string) string {
			if r := relative(from, noExt(to)); strings.HasPrefix(r, "../") {
				return "[[Some text|" + r + "]]"
			}
			return ""
		}},
		{name: "[[Page]], missing", write: rel("[[No %]]"), dead: true},
		{name: "[[text|/Page]], missing", write: root("[[Some text|/No %]]"), dead: true},
		{name: "[text](/folder/Page)", write: func(_, to string) string { return "[text](/" + encode(noExt(to)) + ")" }},
		{name: "[[/uploads/picture.png]]", write: func(_, to string) string { return "[[/" + to + "]]" }, file: true},
		{name: "[[/uploads/picture.png|alt=x, width=100px]]", write: func(_, to string) string { return "[[/" + to + "|alt=A view, width=100px]]" }, file: true},
		{name: "[[picture.png]]", write: func(from, to string) string {
			if path.Dir(from) != path.Dir(to) {
				return ""
			}
			return "[[" + path.Base(to) + "]]"
		}, file: true},
		{name: "![alt](/uploads/picture.png)", write: func(_, to string) string { return "![alt](/" + to + ")" }, file: true},
	})
}

// otterWiki is a wiki of An Otter Wiki's with its default settings. A wikilink is
// [[Text|Page]], from the root and in any case; a Markdown link resolves as a
// browser does, except that "./" is below the page, where its attachments are.
func otterWiki(b *builder) {
	b.page("home.md", "Home", "")
	for range 50 {
		b.page(pick(b, []string{"", "", "guides/", "guides/setup/"})+b.name(" ", false)+".md", "A page", "")
	}
	for i, p := range b.pages[:20] {
		b.picture(fmt.Sprintf("%s/picture-%d.png", noExt(p), i))
	}
	title := func(to string) string {
		words := strings.Fields(noExt(to))
		for i, w := range words {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
		return strings.Join(words, " ")
	}
	b.use([]form{
		{name: "[[Page]]", write: func(_, to string) string { return "[[" + title(to) + "]]" }},
		{name: "[[Text|Page]]", write: func(_, to string) string { return "[[Some text|" + title(to) + "]]" }},
		{name: "[[Text|/Page]]", write: func(_, to string) string { return "[[Some text|/" + title(to) + "]]" }},
		{name: "[[Text|Page]], the text is a page's name", write: func(from, to string) string { return "[[" + title(from) + "|" + title(to) + "]]" }},
		{name: "[[Page#Heading]]", write: func(_, to string) string { return "[[" + title(to) + "#two-words]]" }, anchor: "Two words"},
		{name: "[[Text|Page#Heading]]", write: func(_, to string) string { return "[[Some text|" + title(to) + "#two-words]]" }, anchor: "Two words"},
		{name: "[[#Heading]]", write: func(_, _ string) string { return "[[#overview]]" }, anchor: "Overview", own: true},
		{name: "[[Text|Page]], missing", write: func(_, to string) string { return "[[Some text|No " + title(to) + "]]" }, dead: true},
		{name: "[[Page]], missing", write: func(_, to string) string { return "[[No " + title(to) + "]]" }, dead: true},
		{name: "[text](/Page)", write: func(_, to string) string { return "[text](/" + encode(title(to)) + ")" }},
		{name: "[text](/Page#heading)", write: func(_, to string) string { return "[text](/" + encode(title(to)) + "#two-words)" }, anchor: "Two words"},
		{name: "[text](Page)", write: func(from, to string) string {
			if r := relative(from, noExt(to)); !strings.HasPrefix(r, "../") {
				return "[text](" + encode(r) + ")"
			}
			return ""
		}},
		{name: "[text](../Page)", write: func(from, to string) string {
			if r := relative(from, noExt(to)); strings.HasPrefix(r, "../") {
				return "[text](" + encode(r) + ")"
			}
			return ""
		}},
		{name: "[text](./Subpage)", write: func(from, to string) string {
			if below, ok := strings.CutPrefix(noExt(to), noExt(from)+"/"); ok {
				return "[text](./" + encode(below) + ")"
			}
			return ""
		}},
		{name: "[text](/Page), missing", write: func(_, to string) string { return "[text](/No%20" + encode(title(to)) + ")" }, dead: true},
		{name: "![](/Page/picture.png)", write: func(_, to string) string { return "![](/" + encode(to) + ")" }, file: true},
		{name: "![](./picture.png)", write: func(from, to string) string {
			if path.Dir(to) != noExt(from) {
				return ""
			}
			return "![](./" + path.Base(to) + ")"
		}, file: true},
		{name: "{{ImageFrame}}", write: func(_, to string) string { return "{{ImageFrame\n|src=/" + to + "\n|caption=A view\n}}" }, file: true, wrap: "%s\n\n%s\n\n"},
		{name: "{{Figure}}", write: func(_, to string) string {
			return "{{Figure\n|caption=A view\n\n![](/" + encode(to) + ")\n}}"
		}, file: true, wrap: "%s\n\n%s\n\n"},
		{name: "in a data table", write: func(_, to string) string { return "[text](/" + encode(title(to)) + ")" }, wrap: "{{DataTable\n\n| a | b |\n|---|---|\n| %s %s | 2 |\n}}\n\n"},
		{name: "in an info box", write: func(_, to string) string { return "[[Some text|" + title(to) + "]]" }, wrap: "{{InfoBox\n|caption=Facts\n\n%s %s\n}}\n\n"},
		{name: "in a panel", write: func(_, to string) string { return "[[Some text|" + title(to) + "]]" }, wrap: "::: info\n# Title\n%s %s\n:::\n\n"},
		{name: "in a fold", write: func(_, to string) string { return "[[Some text|" + title(to) + "]]" }, wrap: ">| # Summary\n>| %s %s\n\n"},
	})
}
