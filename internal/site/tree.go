package site

import (
	"cmp"
	"html"
	"html/template"
	"path"
	"slices"
	"strconv"
	"strings"

	"robot.wtf/internal/wiki"
)

// maxSiblings is the number of entries of a folder that the tree beside a page shows.
const maxSiblings = 80

// A node is a page or a folder in the tree.
type node struct {
	title, path string // path is a page's name or a folder
	file        string // in the site
	isFolder    bool   // it has no page, and file lists its children
	count       int    // pages below
	children    []*node
}

// planTree builds the tree of all pages and folders.
func (s *Site) planTree() {
	s.tree = &node{}
	nodes := map[string]*node{"": s.tree}
	var at func(name string) *node
	at = func(name string) *node {
		key := wiki.Key(name)
		if n := nodes[key]; n != nil {
			return n
		}
		n := &node{title: wiki.Title(path.Base(name)), path: name, file: s.files[name+"/"], isFolder: true}
		nodes[key] = n
		up := at(parent(name))
		up.children = append(up.children, n)
		return n
	}
	for _, p := range s.sorted {
		n := at(string(p.Name))
		n.title, n.path, n.file, n.isFolder = p.Name.Title(), string(p.Name), s.files[p.Path], false
		for up := parent(string(p.Name)); up != ""; up = parent(up) {
			at(up).count++
		}
	}
	s.tree.sort()
}

func parent(name string) string { return wiki.PageName(name).Parent() }

func (n *node) sort() {
	slices.SortFunc(n.children, func(a, b *node) int {
		return cmp.Or(cmp.Compare(wiki.Key(a.title), wiki.Key(b.title)), cmp.Compare(a.path, b.path))
	})
	for _, c := range n.children {
		c.sort()
	}
}

// branch returns the tree beside a page, open on the way to it.
func (s *Site) branch(from, name string) template.HTML {
	var b strings.Builder
	s.writeBranch(&b, s.tree, from, name)
	return template.HTML(b.String())
}

func (s *Site) writeBranch(b *strings.Builder, in *node, from, name string) {
	b.WriteString("<ul>")
	for _, n := range in.near(name) {
		current := n.path == name
		open := current || strings.HasPrefix(name, n.path+"/")
		b.WriteString(`<li><a href="` + html.EscapeString(relative(from, n.file)) + `"`)
		if current {
			b.WriteString(` aria-current="page"`)
		}
		b.WriteString(">" + html.EscapeString(n.title))
		if n.count > 0 && !open {
			b.WriteString(" <small>" + strconv.Itoa(n.count) + `<span class="sr"> pages</span></small>`)
		}
		b.WriteString("</a>")
		if open && len(n.children) > 0 {
			s.writeBranch(b, n, from, name)
		}
		b.WriteString("</li>")
	}
	if more := len(in.children) - maxSiblings; more > 0 {
		all := s.all
		if in.isFolder {
			all = in.file
		}
		b.WriteString(`<li><a href="` + html.EscapeString(relative(from, all)) + `">` + plural(more, "more", "more") + "</a></li>")
	}
	b.WriteString("</ul>")
}

// near returns the entries around the one on the way to a page, at most maxSiblings.
func (n *node) near(name string) []*node {
	if len(n.children) <= maxSiblings {
		return n.children
	}
	at := slices.IndexFunc(n.children, func(c *node) bool { return c.path == name || strings.HasPrefix(name, c.path+"/") })
	from := min(max(at-maxSiblings/2, 0), len(n.children)-maxSiblings)
	return n.children[from : from+maxSiblings]
}

// crumbs returns the folders above a page or folder.
func (s *Site) crumbs(from, name string) []link {
	var list []link
	for up := parent(name); up != ""; up = parent(up) {
		if file := s.urls[wiki.PathURL(up)]; file != "" {
			list = append(list, link{wiki.Title(path.Base(up)), relative(from, file)})
		}
	}
	slices.Reverse(list)
	return append(list, link{wiki.Title(path.Base(name)), ""})
}

// entriesPerPage is the number of entries that one page of a list has.
const entriesPerPage = 1000

// A list is a page that lists others.
type list struct {
	Heading string
	Lead    string
	Groups  []group // by first letter
	Tags    []entry
	Parts   []link // of a long list; the one without an address is this
	TagsURL string // on the index, if there are tags
	hasTags bool
}

type group struct {
	Letter  string
	Entries []entry
}

// An entry is a page, a folder or a tag. file becomes the URL.
type entry struct {
	link
	Folder string
	Count  int // pages of a folder or tag
	file   string
}

func (s *Site) entries(pages []*Page) []entry {
	list := make([]entry, len(pages))
	for i, p := range pages {
		list[i] = entry{link: link{Title: p.Name.Title()}, Folder: wiki.Title(p.Name.Parent()), file: s.files[p.Path]}
	}
	return list
}

// writeLists writes the lists of all pages, of the tags and of folders.
func (s *Site) writeLists() error {
	l := list{Heading: "All pages", Lead: plural(len(s.sorted), "page", "pages"), hasTags: len(s.tags) > 0}
	if err := s.writeList(s.all, "", l, s.entries(s.sorted)); err != nil {
		return err
	}
	tags := list{Heading: "Tags", Lead: plural(len(s.tags), "tag", "tags")}
	for i, t := range s.tags {
		tags.Tags = append(tags.Tags, entry{link: link{t.name, relative(own+"tags.html", tagFile(i))}, Count: len(t.pages)})
		if err := s.writeList(tagFile(i), "", list{Heading: "Tag: " + t.name, Lead: plural(len(t.pages), "page", "pages")}, s.entries(t.pages)); err != nil {
			return err
		}
	}
	if len(s.tags) > 0 {
		if err := s.writeList(own+"tags.html", "", tags, nil); err != nil {
			return err
		}
	}
	return s.writeFolders(s.tree)
}

// writeFolders writes, for each folder without a page, a list of its entries.
func (s *Site) writeFolders(n *node) error {
	for _, c := range n.children {
		if err := s.writeFolders(c); err != nil {
			return err
		}
		if !c.isFolder {
			continue
		}
		entries := make([]entry, len(c.children))
		for i, below := range c.children {
			entries[i] = entry{link: link{Title: below.title}, Count: below.count, file: below.file}
		}
		if err := s.writeList(c.file, c.path, list{Heading: c.title, Lead: plural(c.count, "page", "pages") + " in this folder"}, entries); err != nil {
			return err
		}
	}
	return nil
}

// writeList writes a list in as many parts as it takes.
func (s *Site) writeList(file, folder string, l list, entries []entry) error {
	parts := s.partFiles(file, (len(entries)+entriesPerPage-1)/entriesPerPage)
	for i, to := range parts {
		l.Groups, l.Parts = groupEntries(to, entries[i*entriesPerPage:min(len(entries), (i+1)*entriesPerPage)]), nil
		if l.hasTags {
			l.TagsURL = relative(to, own+"tags.html")
		}
		for j, other := range parts {
			part := link{Title: strconv.Itoa(j + 1), URL: relative(to, other)}
			if j == i {
				part.URL = ""
			}
			if len(parts) > 1 {
				l.Parts = append(l.Parts, part)
			}
		}
		v := s.view(to, l.Heading, l)
		v.Tree, v.Crumbs = s.branch(to, folder), []link{{l.Heading, ""}}
		if folder != "" {
			v.Crumbs = s.crumbs(to, folder)
		}
		if err := s.render("list.html", to, s.o.Made, v); err != nil {
			return err
		}
	}
	return nil
}

// partFiles returns the files of a list.
func (s *Site) partFiles(file string, n int) []string {
	parts := []string{file}
	for len(parts) < n {
		s.parts++
		parts = append(parts, own+"part/"+strconv.Itoa(s.parts)+".html")
	}
	return parts
}

// groupEntries groups a part of a list, on a file of the site, by first letter.
func groupEntries(from string, entries []entry) []group {
	var groups []group
	for _, e := range entries {
		if letter := wiki.FirstLetter(e.Title); len(groups) == 0 || groups[len(groups)-1].Letter != letter {
			groups = append(groups, group{Letter: letter})
		}
		g := &groups[len(groups)-1]
		e.URL = relative(from, e.file)
		g.Entries = append(g.Entries, e)
	}
	return groups
}
