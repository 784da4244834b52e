package vaults

import (
	"fmt"
	"path"
	"strings"
)

// site adds a folder of documentation: pages in folders with an index each.
func (b *builder) site(root, index string, n int, front func(title string) string) {
	folders := []string{"", "guide/", "guide/advanced/", "reference/"}
	for _, f := range folders {
		b.page(root+f+index, "Index", front("Index"))
	}
	for range n {
		title := b.name("-", false)
		b.page(root+pick(b, folders)+title+".md", title, front(title))
	}
	for i := range 5 {
		b.picture(fmt.Sprintf("%simg/shot-%d.png", root, i+1))
		b.picture(fmt.Sprintf("%sguide/figure-%d.png", root, i+1))
	}
}

// relativeForms are what all tools for sites have in common with GitHub: paths
// relative to the page's file.
func relativeForms() []form {
	return []form{
		{name: "[text](../page.md)", write: func(from, to string) string { return "[text](" + relative(from, to) + ")" }},
		{name: "[text](./page.md)", write: func(from, to string) string {
			if r := relative(from, to); !strings.HasPrefix(r, "../") {
				return "[text](./" + r + ")"
			}
			return ""
		}},
		{name: "[text](page.md#heading)", write: func(from, to string) string { return "[text](" + relative(from, to) + "#two-words)" }, anchor: "Two words"},
		{name: "[text](#heading)", write: func(_, _ string) string { return "[text](#overview)" }, anchor: "Overview", own: true},
		{name: `[text](page.md "Title")`, write: func(from, to string) string { return "[text](" + relative(from, to) + ` "A title")` }},
		{name: "[text][id]", write: func(from, to string) string {
			return fmt.Sprintf("[text][%s]\n\n[%[1]s]: %s", blockID(to), relative(from, to))
		}, wrap: "%s %s\n\n"},
		{name: "[id]", write: func(from, to string) string {
			return fmt.Sprintf("[see %s]\n\n[see %[1]s]: <%s> 'Title'", blockID(from+to), relative(from, to))
		}, wrap: "%s %s\n\n"},
		{name: "[text](page.md), missing", write: func(from, to string) string { return "[text](no-" + bare(to) + ".md)" }, dead: true},
		{name: "![alt](../picture.png)", write: func(from, to string) string { return "![alt](" + relative(from, to) + ")" }, file: true},
		{name: "[![alt](picture.png)](address)", write: func(from, to string) string { return "![alt](" + relative(from, to) + `)` }, file: true, wrap: "[%s %s](https://example.com/)\n\n"},
		{name: "in code", write: func(from, to string) string { return "`[text](" + relative(from, to) + ")`" }, plain: true},
		{name: "in fenced code", write: func(from, to string) string { return "[text](" + relative(from, to) + ")" }, plain: true, wrap: "```text\n%s %s\n```\n\n"},
	}
}

func title(text string) string { return "title: " + text + "\n" }
func nothing(string) string    { return "" }

// mkdocs is a project of MkDocs with Material's extensions. Links are paths of files
// relative to the page's file; absolute ones are relative to docs/ (mkdocs.org,
// "Writing your docs").
func mkdocs(b *builder) {
	b.site("docs/", "index.md", 50, nothing)
	b.vault.Files["mkdocs.yml"] = "site_name: Fixture\nmarkdown_extensions: [admonition, attr_list, pymdownx.details, pymdownx.tabbed]\n"
	b.use(relativeForms())
	link := func(from, to string) string { return "[text](" + relative(from, to) + ")" }
	picture := func(from, to string) string {
		return "![alt](" + relative(from, to) + "){ width=\"200\" loading=lazy }"
	}
	b.use([]form{
		{name: "in an admonition", write: link, wrap: "!!! note \"Title\"\n\n    %s %s\n\n"},
		{name: "in a folded admonition", write: link, wrap: "??? warning\n\n    %s %s\n\n"},
		{name: "in a tab", write: link, wrap: "=== \"One\"\n\n    %s %s\n\n=== \"Two\"\n\n    Text\n\n"},
		{name: "with attributes", write: func(from, to string) string { return link(from, to) + "{ .md-button }" }},
		{name: "a picture with attributes", write: picture, file: true},
		{name: "in HTML with Markdown", write: link, wrap: "<div class=\"grid\" markdown>\n\n%s %s\n\n</div>\n\n"},
		{name: "heading with {#id}", write: func(_, _ string) string { return "[text](#custom)" }, own: true, anchor: "Custom heading"},
	})
	for _, p := range b.pages {
		b.bodies[p].WriteString("## Custom heading {#custom}\n\nText.\n")
	}
}

// docusaurus is a site of Docusaurus. Links are paths of files relative to the
// page's file, else to docs/; or addresses, in which docs/ is /docs/, static/ is the
// root, and a leading number is left out (docusaurus.io, "Markdown links").
func docusaurus(b *builder) {
	b.site("docs/", "index.md", 50, func(t string) string { return "sidebar_position: 2\n" + title(t) })
	for i := range 4 {
		b.picture(fmt.Sprintf("static/img/static-%d.png", i+1))
	}
	b.use(relativeForms())
	link := func(from, to string) string { return "[text](" + relative(from, to) + ")" }
	b.use([]form{
		{name: "[text](/docs/folder/page)", write: func(_, to string) string { return "[text](/" + strings.TrimSuffix(noExt(to), "/index") + ")" }},
		{name: "[text](/docs/folder/page#heading)", write: func(_, to string) string {
			return "[text](/" + strings.TrimSuffix(noExt(to), "/index") + "#two-words)"
		}, anchor: "Two words"},
		{name: "[text](page.md) from docs/", write: func(from, to string) string {
			if path.Dir(from) == "docs" || bare(to) == "index" {
				return ""
			}
			return "[text](" + strings.TrimPrefix(to, "docs/") + ")"
		}},
		{name: "[text](./page) without .md", write: func(from, to string) string {
			if r := relative(from, noExt(to)); !strings.HasPrefix(r, "../") && bare(to) != "index" && bare(from) != "index" {
				return "[text](./" + r + ")"
			}
			return ""
		}},
		{name: "![alt](/img/picture.png)", write: func(_, to string) string {
			if r, ok := strings.CutPrefix(to, "static"); ok {
				return "![alt](" + r + ")"
			}
			return ""
		}, file: true},
		{name: "![alt](@site/static/img/picture.png)", write: func(_, to string) string { return "![alt](@site/" + to + ")" }, file: true},
		{name: "in an admonition", write: link, wrap: ":::tip\n\n%s %s\n\n:::\n\n"},
		{name: "in an admonition with a title", write: link, wrap: ":::note[A *title*]\n\n%s %s\n\n:::\n\n"},
		{name: "in an admonition with a plain title", write: link, wrap: ":::warning Take care\n\n%s %s\n\n:::\n\n"},
		{name: "heading with {#id}", write: func(_, _ string) string { return "[text](#custom)" }, own: true, anchor: "Custom heading"},
	})
	for _, p := range b.pages {
		b.bodies[p].WriteString("## Custom heading {#custom}\n\nText.\n")
	}
}

// mdBook is a book of mdBook's. Links are paths of files relative to the page's
// file; the .html of a chapter's output works as well, and a README is an index
// (rust-lang.github.io/mdBook, "Markdown").
func mdBook(b *builder) {
	b.site("src/", "README.md", 50, nothing)
	b.page("src/SUMMARY.md", "Summary", "")
	b.vault.Files["book.toml"] = "[book]\ntitle = \"Fixture\"\n"
	b.use(relativeForms())
	output := func(from, to string) string {
		if strings.HasSuffix(to, "SUMMARY.md") {
			return ""
		}
		return strings.Replace(strings.TrimSuffix(relative(from, to), ".md"), "README", "index", 1) + ".html"
	}
	link := func(format string) func(from, to string) string {
		return func(from, to string) string {
			if o := output(from, to); o != "" {
				return strings.ReplaceAll(format, "%", o)
			}
			return ""
		}
	}
	b.use([]form{
		{name: "[text](page.html)", write: link("[text](%)")},
		{name: "[text](page.html#heading)", write: link("[text](%#two-words)"), anchor: "Two words"},
		{name: "[text][id] to .html", write: func(from, to string) string {
			if o := output(from, to); o != "" {
				return fmt.Sprintf("[text][h%s]<!-- ignore -->\n\n[h%[1]s]: %s", blockID(from+to), o)
			}
			return ""
		}, wrap: "%s %s\n\n"},
		{name: "[text][id], a comment after its address", write: func(from, to string) string {
			if o := output(from, to); o != "" {
				return fmt.Sprintf("[text][c%s]\n\n[c%[1]s]: %s <!-- not a definition -->", blockID(from+to), o)
			}
			return ""
		}, wrap: "%s %s\n\n", plain: true},
		{name: "in the summary", write: func(from, to string) string {
			if from != "src/SUMMARY.md" {
				return ""
			}
			return "[A chapter](" + strings.TrimPrefix(to, "src/") + ")"
		}, wrap: "- %s %s\n"},
	})
}

// hugo is the content of a site of Hugo's or Jekyll's: addresses end in a slash, and
// _index.md is a folder's page (gohugo.io, "Content organization"). Relative
// addresses resolve against the page's address, so from /guide/page/ the page beside
// it is ../other/. The shortcodes ref and relref find a page from the page's folder,
// from the root with a slash, else the only one of that name (gohugo.io, "Links and
// cross references").
func hugo(b *builder) {
	b.site("content/", "_index.md", 50, func(t string) string {
		switch n := b.rand.IntN(3); {
		case n == 0:
			return "+++\ntitle = \"" + t + "\"\nweight = 10\n+++\n"
		case n == 1 && t != "Index":
			return title(t) + "aliases:\n  - /old/" + t + "/\n"
		}
		return title(t) + "weight: 10\n"
	})
	b.use(relativeForms())
	address := func(to string) string {
		p := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(to, "content/"), ".md"), "_index")
		return "/" + strings.TrimSuffix(p, "/") + "/"
	}
	inner := func(to string) bool { return address(to) != "//" }
	b.use([]form{
		{name: "[text](/folder/page/)", write: func(_, to string) string {
			if !inner(to) {
				return ""
			}
			return "[text](" + address(to) + ")"
		}},
		{name: "[text](/folder/page)", write: func(_, to string) string {
			if !inner(to) {
				return ""
			}
			return "[text](" + strings.TrimSuffix(address(to), "/") + ")"
		}},
		{name: "[text](/folder/page/#heading)", write: func(_, to string) string {
			if !inner(to) {
				return ""
			}
			return "[text](" + address(to) + "#two-words)"
		}, anchor: "Two words"},
		{name: "[text](/alias/)", write: func(_, to string) string {
			if !strings.Contains(b.front[to], "aliases:") {
				return ""
			}
			return "[text](/old/" + bare(to) + "/)"
		}},
		{name: "[text](../page/)", write: func(from, to string) string {
			if path.Dir(from) != path.Dir(to) || bare(from) == "_index" || bare(to) == "_index" {
				return ""
			}
			return "[text](../" + bare(to) + "/)"
		}},
		{name: `[text]({{< ref "page.md" >}})`, write: func(from, to string) string {
			return "[text]({{< ref \"" + relative(from, to) + "\" >}})"
		}},
		{name: `[text]({{< relref "/folder/page" >}})`, write: func(_, to string) string {
			if !inner(to) {
				return ""
			}
			return "[text]({{< relref \"" + strings.TrimSuffix(address(to), "/") + "\" >}})"
		}},
		{name: `[text]({{% ref "name#heading" %}})`, write: func(_, to string) string {
			if bare(to) == "_index" {
				return ""
			}
			return "[text]({{% ref \"" + bare(to) + "#two-words\" %}})"
		}, anchor: "Two words"},
		{name: `[text]({{< ref "page" >}}), missing`, write: func(_, to string) string { return "[text]({{< ref \"no-" + bare(to) + "\" >}})" }, dead: true},
		{name: `[text]({{< ref >}}) in code`, write: func(_, to string) string { return "`[text]({{< ref \"" + bare(to) + "\" >}})`" }, plain: true},
		{name: "[text](/folder/page/), missing", write: func(_, to string) string { return "[text](/no-" + bare(to) + "/)" }, dead: true},
		{name: "in a figure of HTML", write: func(from, to string) string {
			return `<figure><img src="` + relative(from, to) + `" width="320"></figure>`
		}, file: true, wrap: "%s\n\n%s\n\n"},
	})
}

// repository is a repository on GitHub with documentation. Links are paths from the
// page's folder, or from the root with a slash; a folder is shown with its README
// (docs.github.com, "About READMEs").
func repository(b *builder) {
	b.page("README.md", "Project", "")
	b.page("CONTRIBUTING.md", "Contributing", "")
	b.site("docs/", "README.md", 50, nothing)
	for _, f := range []string{"LICENSE", "Makefile", "src/main.go", "src/util.go", ".github/workflows/ci.yml"} {
		b.vault.Files[f] = "content of " + f + "\n"
	}
	b.use(relativeForms())
	folder := func(to string) bool { return path.Base(to) == "README.md" && path.Dir(to) != "." }
	b.use([]form{
		{name: "[text](/docs/page.md)", write: func(_, to string) string { return "[text](/" + to + ")" }},
		{name: "[text](folder/)", write: func(from, to string) string {
			if r := path.Dir(relative(from, to)); folder(to) && r != "." && !strings.HasSuffix(r, "..") {
				return "[text](" + r + "/)"
			}
			return ""
		}},
		{name: "[text](folder)", write: func(from, to string) string {
			if r := path.Dir(relative(from, to)); folder(to) && r != "." && !strings.HasSuffix(r, "..") {
				return "[text](" + r + ")"
			}
			return ""
		}},
		{name: `<img src="picture.png">`, write: func(from, to string) string {
			return `<img src="` + relative(from, to) + `" width="300" align="right">`
		}, file: true, wrap: "%s %s\n\n"},
		{name: `<a href="page.md">`, write: func(from, to string) string { return `<a href="` + relative(from, to) + `">text</a>` }, wrap: "%s %s\n\n"},
		{name: "in a table of HTML", write: func(from, to string) string { return `<a href="` + relative(from, to) + `">text</a>` }, wrap: "<table><tr><td>%s %s</td></tr></table>\n\n"},
		{name: "in an alert", write: func(from, to string) string { return "[text](" + relative(from, to) + ")" }, wrap: "> [!NOTE]\n> %s %s\n\n"},
	})
	for _, from := range b.pages {
		for _, f := range []string{"LICENSE", "Makefile", "src/main.go"} {
			b.add(from, form{name: "[text](" + f + ")"}, "[text]("+relative(from, f)+")", f)
		}
	}
}
