package vaults

import (
	"fmt"
	"path"
	"strings"
)

// obsidian is a vault with notes in folders. Obsidian (help.obsidian.md, "Internal
// links", and the resolution in its API, getFirstLinkpathDest) takes a link to the
// file with exactly that path, else to one whose path ends in it, first of those
// below the note's folder, then the one with the shortest path. Case doesn't
// matter. Markdown links resolve as wikilinks do.
func obsidian(b *builder) {
	folders := []string{"", "Areas/", "Areas/Home/", "Projects/Garden 2026/", "Journal/2026/"}
	for range 60 {
		b.page(pick(b, folders)+b.name(" ", true)+".md", "A note", "")
	}
	for _, odd := range oddities {
		b.page("Odd names/"+odd+".md", odd, "")
	}
	for i := range 12 {
		b.picture(fmt.Sprintf("Attachments/Pasted image 202611%02d.png", i+1))
	}
	b.picture("Areas/Home/plan.svg")
	b.vault.Files[".obsidian/app.json"] = "{}"
	b.use(obsidianWikilinks(b))
	b.use(obsidianMarkdown(b))
	b.use(obsidianPlaces(b))
	obsidianAmbiguous(b)
}

// bareName is the shortest form of a link to a file: its name, if it's unique.
func (b *builder) bareName(to string) string {
	if b.unique(to) {
		return bare(to)
	}
	return noExt(to)
}

func obsidianWikilinks(b *builder) []form {
	name := func(_, to string) string { return b.bareName(to) }
	link := func(format string) func(from, to string) string {
		return func(_, to string) string { return fmt.Sprintf(format, b.bareName(to)) }
	}
	return []form{
		{name: "[[Name]]", write: link("[[%s]]")},
		{name: "[[Name|text]]", write: link("[[%s|some text]]")},
		{name: "[[Name|text]], the text is a note's name", write: func(from, to string) string { return "[[" + b.bareName(to) + "|" + b.bareName(from) + "]]" }},
		{name: "[[name]] in another case", write: func(from, to string) string { return "[[" + strings.ToLower(name(from, to)) + "]]" }},
		{name: "[[Folder/Name]]", write: func(_, to string) string { return "[[" + noExt(to) + "]]" }},
		{name: "[[Folder/Name.md]]", write: func(_, to string) string { return "[[" + to + "]]" }},
		{name: "[[/Folder/Name]]", write: func(_, to string) string { return "[[/" + noExt(to) + "]]" }},
		{name: "[[End of path/Name]]", write: func(_, to string) string {
			if strings.Count(to, "/") < 2 {
				return ""
			}
			return "[[" + path.Base(path.Dir(to)) + "/" + bare(to) + "]]"
		}},
		{name: "[[../Name]]", write: func(from, to string) string {
			if rel := relative(from, to); strings.HasPrefix(rel, "../") {
				return "[[" + noExt(rel) + "|up]]"
			}
			return ""
		}},
		{name: "[[Name#Heading]]", write: link("[[%s#Overview]]"), anchor: "Overview"},
		{name: "[[Name#Heading with spaces|text]]", write: link("[[%s#Two words|there]]"), anchor: "Two words"},
		{name: "[[Name#Heading#Subheading]]", write: link("[[%s#Two words#Options]]"), anchor: "Options"},
		{name: "[[#Heading]]", write: func(_, _ string) string { return "[[#Overview]]" }, anchor: "Overview", own: true},
		{name: "[[Name#^block]]", write: func(from, to string) string { return "[[" + name(from, to) + "#^" + blockID(to) + "]]" }, anchor: "^"},
		{name: "[[#^block]]", write: func(_, to string) string { return "[[#^" + blockID(to) + "]]" }, anchor: "^", own: true},
		{name: "[[picture.png]]", write: func(_, to string) string { return "[[" + path.Base(to) + "]]" }, file: true},
		{name: "[[Name]], missing", write: link("[[No %s here]]"), dead: true},
		{name: "![[picture.png]]", write: func(_, to string) string { return "![[" + path.Base(to) + "]]" }, file: true},
		{name: "![[Folder/picture.png]]", write: func(_, to string) string { return "![[" + to + "]]" }, file: true},
		{name: "![[picture.png|200]]", write: func(_, to string) string { return "![[" + path.Base(to) + "|200]]" }, file: true},
		{name: "![[picture.png|alt|200x100]]", write: func(_, to string) string { return "![[" + path.Base(to) + "|A view|200x100]]" }, file: true},
		{name: "![[picture.png]], missing", write: func(_, to string) string { return "![[No " + path.Base(to) + "]]" }, file: true, dead: true},
		{name: "![[Name]]", write: link("![[%s]]"), wrap: "%s\n\n%s\n\n"},
		{name: "![[Name#Heading]]", write: link("![[%s#Overview]]"), wrap: "%s\n\n%s\n\n"},
		{name: "![[Name#^block]]", write: func(from, to string) string { return "![[" + name(from, to) + "#^" + blockID(to) + "]]" }, wrap: "%s\n\n%s\n\n"},
	}
}

func obsidianMarkdown(b *builder) []form {
	return []form{
		{name: "[text](Name.md)", write: func(_, to string) string { return "[text](" + encode(b.bareName(to)) + ".md)" }},
		{name: "[text](<Name.md>)", write: func(_, to string) string { return "[text](<" + b.bareName(to) + ".md>)" }},
		{name: "[text](Name)", write: func(_, to string) string { return "[text](" + encode(b.bareName(to)) + ")" }},
		{name: "[text](Folder/Name.md)", write: func(_, to string) string { return "[text](" + encode(to) + ")" }},
		{name: "[text](../Name.md)", write: func(from, to string) string { return "[text](" + encode(relative(from, to)) + ")" }},
		{name: "[text](Name.md#Heading)", write: func(_, to string) string { return "[text](" + encode(b.bareName(to)) + ".md#Two%20words)" }, anchor: "Two words"},
		{name: "[text](Name.md#^block)", write: func(_, to string) string { return "[text](" + encode(b.bareName(to)) + ".md#^" + blockID(to) + ")" }, anchor: "^"},
		{name: "[text](Name.md), missing", write: func(_, to string) string { return "[text](No%20" + encode(bare(to)) + ".md)" }, dead: true},
		{name: "![alt](picture.png)", write: func(_, to string) string { return "![alt](" + encode(path.Base(to)) + ")" }, file: true},
		{name: "![alt|200](Folder/picture.png)", write: func(_, to string) string { return "![alt|200](" + encode(to) + ")" }, file: true},
		{name: "![alt](../picture.png)", write: func(from, to string) string { return "![alt](" + encode(relative(from, to)) + ")" }, file: true},
	}
}

// obsidianPlaces are the places for links that only Obsidian has.
func obsidianPlaces(b *builder) []form {
	link := func(_, to string) string { return "[[" + b.bareName(to) + "|some text]]" }
	cell := func(from, to string) string { return strings.ReplaceAll(link(from, to), "|", `\|`) }
	return []form{
		{name: "in a callout", write: link, wrap: "> [!tip]\n> %s %s\n\n"},
		{name: "in a folded callout", write: link, wrap: "> [!warning]- With a title\n> Text\n>\n> %s %s\n\n"},
		{name: "in a callout's title", write: link, wrap: "> [!note] %s %s\n> Text\n\n"},
		{name: "in a nested callout", write: link, wrap: "> [!question] Outer\n> > [!todo] Inner\n> > %s %s\n\n"},
		{name: "in a table", write: cell, wrap: "| a | b |\n| --- | --- |\n| text | %s %s |\n\n"},
		{name: "in a heading", write: link, wrap: "#### %s %s\n\n"},
		{name: "in a task", write: link, wrap: "- [ ] %s %s\n\n"},
		{name: "in a task of another state", write: link, wrap: "- [/] %s %s\n- [?] Other\n\n"},
		{name: "in a formula", write: link, wrap: "Text $$\n%s %s\n$$\n\n", plain: true},
		{name: "after a formula", write: link, wrap: "Text $$\nx < y\n$$\n%s %s\n\n"},
		{name: "before a block's id", write: func(from, to string) string { return link(from, to) + " ^n" + blockID(from+to) }},
		{name: "in a footnote", write: link, wrap: "A note.^[%s %s]\n\n"},
		{name: "in a comment", write: link, wrap: "Text %%%%%s %s%%%% and more.\n\n", hidden: true},
		{name: "in a block comment", write: link, wrap: "%%%%\n%s %s\n%%%%\n\n", hidden: true},
		{name: "in code", write: func(_, to string) string { return "`[[" + b.bareName(to) + "]]`" }, plain: true},
		{name: "in a property", write: func(_, to string) string { return `"[[` + b.bareName(to) + `]]"` }, front: true},
		{name: "in an unquoted property", write: func(_, to string) string {
			if strings.ContainsAny(b.bareName(to), "&'") {
				return ""
			}
			return "[[" + b.bareName(to) + "]]"
		}, front: true},
		{name: "in a list of properties", write: func(_, to string) string { return "\n  - \"[[" + b.bareName(to) + "]]\"" }, front: true},
	}
}

// obsidianAmbiguous adds names that several notes have, and links to them.
func obsidianAmbiguous(b *builder) {
	for _, p := range []string{"Todo.md", "Areas/Todo.md", "Areas/Log.md", "Journal/2026/Log.md", "Projects/Garden 2026/Deep/Log.md", "Areas/Home/Deep/Seeds.md", "Archive/Seeds.md"} {
		b.page(p, "Same name", "")
	}
	for _, l := range []struct{ form, from, written, want string }{
		{"several: the exact path", "Areas/Todo.md", "[[Todo]]", "Todo.md"},
		{"several: the exact path", "Archive/Seeds.md", "[[Todo]]", "Todo.md"},
		{"several: the same folder", "Journal/2026/Log.md", "[[Log]]", "Journal/2026/Log.md"},
		{"several: the same folder", "Areas/Todo.md", "[[Log]]", "Areas/Log.md"},
		{"several: the same folder", "Archive/Seeds.md", "[[Seeds]]", "Archive/Seeds.md"},
		{"several: below the folder", "Areas/Todo.md", "[[Seeds]]", "Areas/Home/Deep/Seeds.md"},
		{"several: the shortest path", "Archive/Seeds.md", "[[Log]]", "Areas/Log.md"},
		{"several: the shortest path", "Todo.md", "[[Log]]", "Areas/Log.md"},
		{"several: the end of a path", "Todo.md", "[[2026/Log]]", "Journal/2026/Log.md"},
	} {
		b.add(l.from, form{name: l.form}, l.written, l.want)
	}
}
