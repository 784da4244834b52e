// Package vaults is for tests only: wikis and folders of Markdown as other tools
// write them, one fixture for each tool. It knows where each tool leads each link,
// so that a test can compare how an imported vault resolves. It knows no other
// package, and it follows the tools' documentation, not this service's rules.
//
// A fixture leaves out what the tools contradict each other about. Two examples:
// from Docs/Deep/Page, Obsidian takes a bare [[Note]] to the candidate with the
// shortest path, even if another one lies in a folder above; Gollum looks for
// [[Note]] in the page's own folder only and leaves it dead if the note is
// elsewhere. Such links are rare, because editors never write them.
package vaults

import (
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
)

// A Vault is a fixture: files, and the links in its pages.
type Vault struct {
	Tool  string
	Files map[string]string // content by path
	Links []Link
}

// A Link is a link in a page of a vault. Its mark precedes it in the text, and
// names the property if the link is in the front matter.
type Link struct {
	Page    string // file that contains it
	Mark    string // "link17:", unique in the vault
	Form    string // how it's written, such as "[[Name|text]]"; forms are counted
	Written string // the link as it is in the page
	Want    string // file to which the tool leads, "" if it leaves the link dead or shows none
	Plain   bool   // the tool shows text, not a link
	Hidden  bool   // the tool shows neither the link nor its mark
	Anchor  string // heading or text of the block to which the tool leads, "" for the page
}

// Pages lists the Markdown files, sorted.
func (v *Vault) Pages() []string {
	var list []string
	for p := range v.Files {
		if strings.HasSuffix(p, ".md") {
			list = append(list, p)
		}
	}
	slices.Sort(list)
	return list
}

// All returns a vault for each tool. The same seed makes the same vaults.
func All(seed uint64) []*Vault {
	var list []*Vault
	for _, tool := range tools {
		b := &builder{
			rand:   rand.New(rand.NewPCG(seed, uint64(len(list)))),
			vault:  &Vault{Tool: tool.name, Files: map[string]string{}},
			front:  map[string]string{},
			bodies: map[string]*strings.Builder{},
			syntax: tool.syntax,
		}
		tool.build(b)
		b.finish()
		list = append(list, b.vault)
	}
	return list
}

var tools = []struct {
	name   string
	syntax syntax
	build  func(*builder)
}{
	{"Obsidian", syntax{blockIDs: true}, obsidian},
	{"Foam", syntax{blockIDs: true}, foam},
	{"Logseq", syntax{outline: true}, logseq},
	{"Dendron", syntax{blockIDs: true}, dendron},
	{"GitHub wiki", syntax{}, githubWiki},
	{"Gollum", syntax{}, gollum},
	{"An Otter Wiki", syntax{}, otterWiki},
	{"MkDocs", syntax{}, mkdocs},
	{"Docusaurus", syntax{}, docusaurus},
	{"mdBook", syntax{}, mdBook},
	{"Hugo", syntax{}, hugo},
	{"Notion", syntax{}, notion},
	{"GitHub repository", syntax{}, repository},
}

// A syntax tells what a tool's pages look like.
type syntax struct {
	blockIDs bool // ^id after a block
	outline  bool // a page is a list
}

// A builder writes a vault.
type builder struct {
	rand   *rand.Rand
	vault  *Vault
	syntax syntax
	pages  []string // in the order of creation
	files  []string // pictures
	front  map[string]string
	bodies map[string]*strings.Builder
	taken  map[string]bool // lowercase names of pages, without folder and extension
}

// A form is a way to write a link. write returns the link from a page to another
// file, or "" if the form can't express it.
type form struct {
	name   string
	write  func(from, to string) string
	anchor string // heading to which it leads; "^" for the block with an id
	file   bool   // it leads to a picture
	own    bool   // it leads to the page itself
	dead   bool   // the tool leaves it dead
	plain  bool   // the tool shows it as text
	hidden bool   // the tool hides it
	wrap   string // the text around it, with %s for mark and link; "" for one of the usual places
	front  bool   // it's the value of a property
}

// page adds a page. front is the front matter, without its fences if it's YAML.
func (b *builder) page(file, title, front string) {
	b.pages = append(b.pages, file)
	b.front[file] = front
	body := &strings.Builder{}
	b.bodies[file] = body
	if b.syntax.outline {
		fmt.Fprintf(body, "- Notes about %s.\n", title)
		return
	}
	id := ""
	if b.syntax.blockIDs {
		id = " ^" + blockID(file)
	}
	fmt.Fprintf(body, "# %s\n\nNotes about %s.\n\n## Overview\n\nText of the overview.\n\n## Two words\n\n%s%s\n\n### Options\n\nMore text.\n\n",
		title, title, blockText(file), id)
}

// blockText is the text of a page's block, and blockID its id.
func blockText(file string) string { return "The block " + blockID(file) + " of this page." }

func blockID(file string) string {
	sum := uint32(2166136261)
	for _, c := range []byte(file) {
		sum = (sum ^ uint32(c)) * 16777619
	}
	return fmt.Sprintf("b%06x", sum&0xffffff)
}

// picture adds a picture.
func (b *builder) picture(file string) {
	b.files = append(b.files, file)
	b.vault.Files[file] = onePixel
}

// onePixel is a PNG image.
const onePixel = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89" +
	"\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d\x00\x00\x00\x00IEND\xaeB`\x82"

// places are where links usually are.
var places = []string{"%s %s\n\n", "- %s %s\n\n", "> %s %s\n\n", "1. First\n2. %s **%s**\n\n", "| a | b |\n|---|---|\n| %s %s | 2 |\n\n"}

// add writes a link into a page.
func (b *builder) add(page string, f form, written, want string) {
	n := len(b.vault.Links) + 1
	l := Link{Page: page, Mark: fmt.Sprintf("link%d:", n), Form: f.name, Written: written, Want: want, Anchor: f.anchor, Plain: f.plain, Hidden: f.hidden}
	switch {
	case f.dead || f.plain || f.hidden:
		l.Want, l.Anchor = "", ""
	case f.anchor == "^":
		l.Anchor = blockText(want)
	}
	b.vault.Links = append(b.vault.Links, l)
	if f.front {
		b.front[page] += fmt.Sprintf("link%d: %s\n", n, written)
		return
	}
	wrap := f.wrap
	switch {
	case b.syntax.outline && wrap == "":
		wrap = "- %s %s\n"
	case wrap == "":
		wrap = pick(b, places)
		if strings.HasPrefix(wrap, "|") {
			written = strings.ReplaceAll(written, "|", `\|`)
		}
	}
	fmt.Fprintf(b.bodies[page], wrap, l.Mark, written)
}

// use writes each form once into each page, with a target chosen at random.
func (b *builder) use(forms []form) {
	for _, page := range b.pages {
		for _, f := range forms {
			targets := b.pages
			if f.file {
				targets = b.files
			}
			for range 40 { // tries until the form fits
				to := pick(b, targets)
				if f.own {
					to = page
				}
				if written := f.write(page, to); written != "" && (f.own || to != page) {
					b.add(page, f, written, to)
					break
				}
			}
		}
	}
}

// finish puts the pages together.
func (b *builder) finish() {
	for _, page := range b.pages {
		text := b.bodies[page].String()
		switch front := b.front[page]; {
		case strings.HasPrefix(front, "+++"): // TOML
			text = front + text
		case front != "":
			text = "---\n" + front + "---\n" + text
		}
		b.vault.Files[page] = text
	}
}

// unique reports whether a file's name, without its folder, is the only one.
func (b *builder) unique(file string) bool {
	n := 0
	for _, list := range [][]string{b.pages, b.files} {
		for _, p := range list {
			if strings.EqualFold(path.Base(p), path.Base(file)) {
				n++
			}
		}
	}
	return n == 1
}

var (
	adjectives = strings.Fields("quiet green early broken hidden second open slow bright old spare plain northern sharp dry common")
	nouns      = strings.Fields("garden engine harbor ledger window signal bridge recipe printer meadow server lantern cabinet compass bakery studio")
	oddities   = []string{"Über uns", "What's new", "Q&A", "日本語ノート", "Notes (draft)", "v1.2 plan", "C++ tips", "Näh-Anleitung", "naïve café", "2026-11-30"}
)

// name returns a new name of two words with a separator.
func (b *builder) name(separator string, capitals bool) string {
	if b.taken == nil {
		b.taken = map[string]bool{}
	}
	for n := 0; ; n++ {
		first, second := pick(b, adjectives), pick(b, nouns)
		if capitals {
			first = strings.ToUpper(first[:1]) + first[1:]
		}
		name := first + separator + second
		if n > 20 {
			name += fmt.Sprintf("%s%d", separator, n)
		}
		if key := strings.ToLower(name); !b.taken[key] {
			b.taken[key] = true
			return name
		}
	}
}

// pick returns one of a list.
func pick[T any](b *builder, list []T) T { return list[b.rand.IntN(len(list))] }

// bare is a file's name without its folder and ".md".
func bare(file string) string { return strings.TrimSuffix(path.Base(file), ".md") }

// noExt is a file's path without ".md".
func noExt(file string) string { return strings.TrimSuffix(file, ".md") }

// relative is the path of a file as seen from the folder of another.
func relative(from, to string) string {
	dir := strings.Split(path.Dir(from), "/")
	if dir[0] == "." {
		dir = nil
	}
	rest := strings.Split(to, "/")
	for len(dir) > 0 && len(rest) > 1 && dir[0] == rest[0] {
		dir, rest = dir[1:], rest[1:]
	}
	return strings.Repeat("../", len(dir)) + strings.Join(rest, "/")
}

// encode escapes a path as editors do in Markdown links.
func encode(p string) string {
	return strings.NewReplacer("%", "%25", " ", "%20", "(", "%28", ")", "%29", "?", "%3F").Replace(p)
}
