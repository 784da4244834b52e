package vaults

import (
	"fmt"
	"path"
	"strings"
)

// foam is a workspace of kebab-case notes. Foam (docs.foam.md, "Wikilinks") takes
// [[note]] to the note of that name anywhere, the first by path if there are
// several, and [[folder/note]] to the one whose path ends so. A link with "./" or
// "../" is relative; a Markdown link is a relative path. At a page's end are
// definitions, so that other tools understand its wikilinks.
func foam(b *builder) {
	folders := []string{"", "features/", "recipes/", "dev/proposals/"}
	for range 56 {
		b.page(pick(b, folders)+b.name("-", false)+".md", "A note", "")
	}
	b.page("concepts/readme.md", "Concepts", "")
	b.page("able/todo.md", "Todo", "")
	b.page("beta/todo.md", "Todo", "")
	for i := range 6 {
		b.picture(fmt.Sprintf("attachments/shot-%d.png", i+1))
	}
	name := func(to string) string {
		if bare(to) == "readme" {
			return noExt(to)
		}
		return noExt(b.bareName(to))
	}
	b.use([]form{
		{name: "[[note]]", write: func(_, to string) string { return "[[" + name(to) + "]]" }},
		{name: "[[note|text]]", write: func(_, to string) string { return "[[" + name(to) + "|some text]]" }},
		{name: "[[note]] in another case", write: func(_, to string) string { return "[[" + strings.ToUpper(name(to)) + "]]" }},
		{name: "[[note.md]]", write: func(_, to string) string { return "[[" + name(to) + ".md]]" }},
		{name: "[[folder/note]]", write: func(_, to string) string {
			if strings.Count(to, "/") < 1 {
				return ""
			}
			return "[[" + path.Base(path.Dir(to)) + "/" + bare(to) + "]]"
		}},
		{name: "[[folder]]", write: func(_, to string) string {
			if bare(to) != "readme" {
				return ""
			}
			return "[[" + path.Dir(to) + "]]"
		}},
		{name: "[[note#Heading]]", write: func(_, to string) string { return "[[" + name(to) + "#Two words]]" }, anchor: "Two words"},
		{name: "[[note#^block]]", write: func(_, to string) string { return "[[" + name(to) + "#^" + blockID(to) + "]]" }, anchor: "^"},
		{name: "[[#Heading]]", write: func(_, _ string) string { return "[[#Overview]]" }, anchor: "Overview", own: true},
		{name: "[[note]], missing", write: func(_, to string) string { return "[[no-" + bare(to) + "]]" }, dead: true},
		{name: "![[note]]", write: func(_, to string) string { return "![[" + name(to) + "]]" }, wrap: "%s\n\n%s\n\n"},
		{name: "![[note#Heading]]", write: func(_, to string) string { return "![[" + name(to) + "#Overview]]" }, wrap: "%s\n\n%s\n\n"},
		{name: "![[picture.png]]", write: func(_, to string) string { return "![[" + path.Base(to) + "]]" }, file: true},
		{name: "[text](note.md)", write: func(from, to string) string { return "[text](" + relative(from, to) + ")" }},
		{name: "[text](./note.md)", write: func(from, to string) string {
			if rel := relative(from, to); !strings.HasPrefix(rel, "../") {
				return "[text](./" + rel + ")"
			}
			return ""
		}},
		{name: "[text](note.md#heading)", write: func(from, to string) string { return "[text](" + relative(from, to) + "#two-words)" }, anchor: "Two words"},
		{name: "![alt](picture.png)", write: func(from, to string) string { return "![alt](" + relative(from, to) + ")" }, file: true},
		{name: "in a task", write: func(_, to string) string { return "[[" + name(to) + "]]" }, wrap: "- [x] %s %s\n\n"},
	})
	for _, from := range b.pages[:20] {
		if !strings.Contains(from, "/") {
			b.add(from, form{name: "several: the first by path"}, "[[todo]]", "able/todo.md")
		}
	}
	for _, from := range b.pages {
		for _, to := range b.pages[:8] {
			fmt.Fprintf(b.bodies[from], "[%s]: %s \"A note\"\n", bare(to), relative(from, noExt(to)))
		}
	}
}

// logseq is a graph. Logseq keeps pages in pages/, with "___" for a namespace's
// slash, and days in journals/. A page is found by its name or an alias:: in any
// case (docs.logseq.com, "Term/page reference"). A tag is a link to a page. A day is
// written as in "Nov 3rd, 2026".
func logseq(b *builder) {
	aliases := map[string]string{}
	for n := range 50 {
		namespace := pick(b, []string{"", "", "Projects___", "Projects___Garden___"})
		file := "pages/" + namespace + b.name(" ", false) + ".md"
		b.page(file, "a page", "")
		if n%5 == 0 {
			aliases[file] = fmt.Sprintf("nickname %d", n)
			body := b.bodies[file]
			text := body.String()
			body.Reset()
			fmt.Fprintf(body, "alias:: %s, other %d\ntags:: fixture\n\n%s", aliases[file], n, text)
		}
	}
	for day := range 10 {
		b.page(fmt.Sprintf("journals/2026_11_%02d.md", day+1), "a day", "")
	}
	for i := range 5 {
		b.picture(fmt.Sprintf("assets/image_%d.png", 1700000000+i))
	}
	b.vault.Files["logseq/config.edn"] = "{:meta/version 1}"
	name := func(to string) string {
		if !strings.HasPrefix(to, "pages/") {
			return ""
		}
		return strings.ReplaceAll(bare(to), "___", "/")
	}
	wrapped := func(format string) func(from, to string) string {
		return func(_, to string) string {
			if n := name(to); n != "" {
				return strings.ReplaceAll(format, "%", n)
			}
			return ""
		}
	}
	b.use([]form{
		{name: "[[page]]", write: wrapped("[[%]]")},
		{name: "[[Page]] in another case", write: func(_, to string) string { return strings.ToUpper(wrapped("[[%]]")("", to)) }},
		{name: "[text]([[page]])", write: wrapped("[some text]([[%]])")},
		{name: "#[[page]]", write: wrapped("#[[%]]")},
		{name: "[[alias]]", write: func(_, to string) string {
			if aliases[to] == "" {
				return ""
			}
			return "[[" + aliases[to] + "]]"
		}},
		{name: "[[Nov 3rd, 2026]]", write: func(_, to string) string { return journalLink(to) }},
		{name: "{{embed [[page]]}}", write: wrapped("{{embed [[%]]}}")},
		{name: "![alt](../assets/picture.png)", write: func(_, to string) string { return "![image.png](../" + to + ")" }, file: true},
		{name: "[[page]], missing", write: wrapped("[[no %]]"), dead: true},
		{name: "in a task", write: wrapped("[[%]]"), wrap: "- DOING %s %s\n"},
		{name: "in a property", write: wrapped("[[%]]"), wrap: "- A block\n  topic:: %s %s\n"},
		{name: "below a block", write: wrapped("[[%]]"), wrap: "- A block\n\t- Child\n\t\t- %s %s\n"},
	})
}

// journalLink is the link to the page of a day, "" for another page.
func journalLink(file string) string {
	var day int
	if _, err := fmt.Sscanf(file, "journals/2026_11_%02d.md", &day); err != nil {
		return ""
	}
	suffix := "th"
	switch day {
	case 1:
		suffix = "st"
	case 2:
		suffix = "nd"
	case 3:
		suffix = "rd"
	}
	return fmt.Sprintf("[[Nov %d%s, 2026]]", day, suffix)
}

// dendron is a vault of notes whose names are hierarchies with dots. Dendron
// (wiki.dendron.so, "Links") finds a note by its whole name; in [[text|note]] the
// text is first. Pictures are paths from the vault's root.
func dendron(b *builder) {
	b.page("root.md", "Root", "id: root\ntitle: Root\n")
	for _, top := range []string{"proj", "proj.garden", "user.ada", "lang.go", "dendron.topic"} {
		b.page(top+".md", top, "id: "+blockID(top)+"\ntitle: "+top+"\n")
		for range 10 {
			name := top + "." + b.name("-", false)
			b.page(name+".md", name, "id: "+blockID(name)+"\ntitle: A Note\ndesc: ''\nupdated: 1700000000000\ncreated: 1700000000000\n")
		}
	}
	for i := range 6 {
		b.picture(fmt.Sprintf("assets/images/2026-11-%02d-10-20.png", i+1))
	}
	link := func(format string) func(from, to string) string {
		return func(_, to string) string { return fmt.Sprintf(format, bare(to)) }
	}
	b.use([]form{
		{name: "[[a.b.c]]", write: link("[[%s]]")},
		{name: "[[text|a.b.c]]", write: link("[[Some text|%s]]")},
		{name: "[[text|a.b.c#heading]]", write: link("[[Some text|%s#two-words]]"), anchor: "Two words"},
		{name: "[[a.b.c#heading]]", write: link("[[%s#overview]]"), anchor: "Overview"},
		{name: "[[#heading]]", write: func(_, _ string) string { return "[[#overview]]" }, anchor: "Overview", own: true},
		{name: "[[text|#heading]]", write: func(_, _ string) string { return "[[Here|#two-words]]" }, anchor: "Two words", own: true},
		{name: "[[a.b.c#^block]]", write: func(_, to string) string { return "[[" + bare(to) + "#^" + blockID(to) + "]]" }, anchor: "^"},
		{name: "[[text|a.b.c]], the text is a note's name", write: func(from, to string) string { return "[[" + bare(from) + "|" + bare(to) + "]]" }},
		{name: "[[dendron://vault/a.b.c]]", write: link("[[dendron://vault/%s]]")},
		{name: "[[text|dendron://vault/a.b.c#heading]]", write: link("[[Some text|dendron://vault/%s#two-words]]"), anchor: "Two words"},
		{name: "![[dendron://vault/a.b.c#heading,1:#*]]", write: link("![[dendron://vault/%s#overview,1:#*]]"), wrap: "%s\n\n%s\n\n"},
		{name: "[[a.b.c]], missing", write: link("[[no.%s]]"), dead: true},
		{name: "[[text|a.b.c]], missing", write: link("[[Some text|no.%s]]"), dead: true},
		{name: "![[a.b.c]]", write: link("![[%s]]"), wrap: "%s\n\n%s\n\n"},
		{name: "![[text|a.b.c]]", write: link("![[Some text|%s]]"), wrap: "%s\n\n%s\n\n"},
		{name: "![[text|a.b.c#heading]]", write: link("![[Some text|%s#overview]]"), wrap: "%s\n\n%s\n\n"},
		{name: "![[text|a.b.c]], missing", write: link("![[Some text|no.%s]]"), wrap: "%s\n\n%s\n\n", dead: true},
		{name: "![[a.b.c#heading]]", write: link("![[%s#overview]]"), wrap: "%s\n\n%s\n\n"},
		{name: "![](assets/picture.png)", write: func(_, to string) string { return "![](" + to + ")" }, file: true},
		{name: "![](/assets/picture.png)", write: func(_, to string) string { return "![](/" + to + ")" }, file: true},
		{name: "[text](a.b.c.md)", write: func(_, to string) string { return "[text](" + to + ")" }},
		{name: "[text](a.b.c)", write: func(_, to string) string { return "[text](" + bare(to) + ")" }},
	})
}

// notion is an export of a workspace: ids of 32 hexadecimal digits in names and in
// links, which are relative and percent-encoded. A page's subpages and pictures are
// in the folder of its name.
func notion(b *builder) {
	home := "Home " + notionID(b) + ".md"
	b.page(home, "Home", "")
	parents := []string{home}
	for range 55 {
		parent := pick(b, parents)
		file := noExt(parent) + "/" + b.name(" ", true) + " " + notionID(b) + ".md"
		b.page(file, "A page", "")
		if strings.Count(file, "/") < 3 {
			parents = append(parents, file)
		}
	}
	for i, p := range b.pages[:8] {
		b.picture(fmt.Sprintf("%s/Untitled %d.png", noExt(p), i))
	}
	b.use([]form{
		{name: "[Page](Page%20id.md)", write: func(from, to string) string {
			return "[" + bare(to)[:len(bare(to))-33] + "](" + encode(relative(from, to)) + ")"
		}},
		{name: "![picture](Page%20id/picture.png)", write: func(from, to string) string { return "![" + path.Base(to) + "](" + encode(relative(from, to)) + ")" }, file: true},
		{name: "[Page](Page%20id.md), missing", write: func(_, _ string) string { return "[Gone](Gone%20page%20" + notionID(b) + ".md)" }, dead: true},
		{name: "in a callout", write: func(from, to string) string { return "[Page](" + encode(relative(from, to)) + ")" }, wrap: "<aside>\n💡 %s %s\n\n</aside>\n\n"},
		{name: "in a table", write: func(from, to string) string { return "[Page](" + encode(relative(from, to)) + ")" }, wrap: "| Name | Tags |\n| --- | --- |\n| %s %s | a |\n\n"},
	})
}

func notionID(b *builder) string { return fmt.Sprintf("%016x%016x", b.rand.Uint64(), b.rand.Uint64()) }
