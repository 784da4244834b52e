package pages

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A Node is one entry of the page tree.
type Node struct {
	Name     string        // title of the last segment
	Path     string        // page name or folder
	Page     wiki.PageName // "" for a folder without a page
	Count    int           // pages below
	Children []*Node
}

// Tree returns the page tree, with folders and pages sorted together by name. It
// is cached and must not be changed.
func (s *Service) Tree(ctx context.Context, a wiki.Access) ([]*Node, error) {
	_, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	return d.tree(), nil
}

// ChildrenOf returns the entries of a folder of a tree, in any spelling; nil if there
// is no such folder.
func ChildrenOf(tree []*Node, folder string) []*Node {
	if folder == "" {
		return tree
	}
	key := wiki.Key(folder)
	for _, n := range tree {
		switch at := wiki.Key(n.Path); {
		case at == key:
			return n.Children
		case strings.HasPrefix(key, at+"/"):
			return ChildrenOf(n.Children, folder)
		}
	}
	return nil
}

// An Index is the content of the page index.
type Index struct {
	Tree    []*Node
	Letters []Letter
	Tags    []Tag
	Wanted  []Wanted // missing pages, the first 500 by number of links
	Orphans []wiki.PageName
	Pages   int

	Ambiguous []AmbiguousLink // the first 200
}

// A Letter holds the pages with one first letter, sorted by title.
type Letter struct {
	Letter string
	Pages  []Entry
}

// An Entry is a page in a list.
type Entry struct {
	Name     wiki.PageName
	Size     int64 // bytes
	Modified time.Time
	Author   wiki.Author
	Revision string // blob id
	Tags     []string
}

// A Tag is a tag with its pages.
type Tag struct {
	Tag   string
	Pages []wiki.PageName
}

// Wanted is a missing page with the pages that link to it.
type Wanted struct {
	Name wiki.PageName
	From []wiki.PageName
}

// maxWanted bounds the list of missing pages: a few pages can link to hundreds of
// thousands.
const maxWanted = 500

// A listing is a cached index. It is the same for all readers.
type listing struct {
	head, home string
	order      wiki.LinkOrder
	index      *Index
}

// weight counts an entry in letters and tree, and the names in lists.
func (l *listing) weight() uint32 {
	n := 400 * l.index.Pages
	for _, w := range l.index.Wanted {
		n += 100 + 50*len(w.From)
	}
	return uint32(min(n, 1<<30))
}

// Index returns the page index. It runs a constant number of statements. The
// result is cached and must not be changed.
func (s *Service) Index(ctx context.Context, a wiki.Access) (*Index, error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	key, home := cacheKey{"index", w.Slug(), ""}, d.home(a.Site())
	if c, ok := s.cache.GetIfPresent(key); ok {
		if l := c.(*listing); l.head == d.head && l.home == home && l.order == d.order {
			return l.index, nil
		}
	}
	entries, err := s.entries(ctx, w, d)
	if err != nil {
		return nil, err
	}
	g, err := s.graph(ctx, w, d)
	if err != nil {
		return nil, err
	}
	l := &listing{head: d.head, home: home, order: d.order, index: &Index{
		Tree:    d.tree(),
		Letters: d.letters(entries),
		Tags:    groupByTag(entries),
		Wanted:  g.wanted(),
		Orphans: g.orphans(d, home),
		Pages:   d.pages,

		Ambiguous: g.ambiguous,
	}}
	s.cache.Set(key, l)
	return l.index, nil
}

// entries lists the pages with their tags.
func (s *Service) entries(ctx context.Context, w *content.Wiki, d *directory) ([]Entry, error) {
	files, err := w.List(ctx, "")
	if err != nil {
		return nil, err
	}
	g, err := s.graph(ctx, w, d)
	if err != nil {
		return nil, err
	}
	var list []Entry
	for _, f := range files {
		name, ok := listedPage(f.Path)
		if !ok {
			continue
		}
		list = append(list, Entry{
			Name: name, Size: f.Size, Modified: f.Modified, Author: f.Author, Revision: f.Blob, Tags: g.tags[f.Path],
		})
	}
	slices.SortFunc(list, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// letters groups pages by the first letter of their title. Other titles are in
// group "#", which comes first.
func (n *names) letters(entries []Entry) []Letter {
	type keyed struct{ letter, key string }
	keys := make(map[wiki.PageName]keyed, len(entries))
	for _, e := range entries {
		keys[e.Name] = keyed{wiki.FirstLetter(e.Name.Title()), strings.TrimSuffix(path.Base(n.keyOf(e.Name.File())), ".md")}
	}
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, func(a, b Entry) int {
		x, y := keys[a.Name], keys[b.Name]
		return cmp.Or(cmp.Compare(x.letter, y.letter), cmp.Compare(x.key, y.key))
	})
	var list []Letter
	for _, e := range sorted {
		if l := keys[e.Name].letter; len(list) == 0 || list[len(list)-1].Letter != l {
			list = append(list, Letter{Letter: l})
		}
		last := &list[len(list)-1]
		last.Pages = append(last.Pages, e)
	}
	return list
}

func groupByTag(entries []Entry) []Tag {
	by := map[string][]wiki.PageName{}
	for _, e := range entries {
		for _, t := range e.Tags {
			by[t] = append(by[t], e.Name)
		}
	}
	list := make([]Tag, 0, len(by))
	for t, names := range by {
		list = append(list, Tag{t, names})
	}
	slices.SortFunc(list, func(a, b Tag) int { return cmp.Compare(a.Tag, b.Tag) })
	return list
}

// A ListFilter selects the pages that meet all its conditions.
type ListFilter struct {
	Prefix       string // folder or name prefix
	Tag          string
	Category     string // in front matter
	UpdatedSince time.Time
}

// List returns pages sorted by name.
func (s *Service) List(ctx context.Context, a wiki.Access, f ListFilter) ([]Entry, error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	return s.list(ctx, w, d, f)
}

func (s *Service) list(ctx context.Context, w *content.Wiki, d *directory, f ListFilter) ([]Entry, error) {
	entries, err := s.entries(ctx, w, d)
	if err != nil {
		return nil, err
	}
	var failed error
	tag := strings.ToLower(strings.TrimPrefix(f.Tag, "#"))
	kept := slices.DeleteFunc(entries, func(e Entry) bool {
		switch {
		case failed != nil,
			!strings.HasPrefix(wiki.Key(string(e.Name)), wiki.Key(strings.TrimPrefix(f.Prefix, "/"))),
			tag != "" && !slices.Contains(e.Tags, tag),
			e.Modified.Before(f.UpdatedSince):
			return true
		case f.Category == "":
			return false
		case !slices.Contains(e.Tags, strings.ToLower(f.Category)):
			return true // a category is also a tag
		}
		var source []byte
		source, failed = w.Blob(ctx, e.Revision)
		if errors.Is(failed, wiki.ErrTakenDown) {
			source, failed = nil, nil
		}
		return !hasCategory(frontMatter(pageText(source)), f.Category)
	})
	return kept, failed
}

// Folder lists the pages below a folder.
func (s *Service) Folder(ctx context.Context, a wiki.Access, folder string) ([]Entry, error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	folder = strings.Trim(folder, "/")
	if spelled, ok := d.folders[wiki.Key(folder)]; ok {
		folder = spelled
	} else if folder != "" {
		return nil, wiki.Problemf(wiki.ErrNotFound, "path", "There is no folder called %q.", folder)
	}
	entries, err := s.entries(ctx, w, d)
	prefix := wiki.Key(folder + "/")
	return slices.DeleteFunc(entries, func(e Entry) bool {
		return folder != "" && !strings.HasPrefix(wiki.Key(string(e.Name)), prefix)
	}), err
}

// ---- links ----

// missingPage returns the page to create for a link that leads nowhere.
func (n *names) missingPage(l wiki.Link, self wiki.PageName) (wiki.PageName, bool) {
	l = n.naming(l)
	paths := l.Paths(self)
	if len(paths) == 0 || l.Kind == wiki.LinkFile || l.Kind == wiki.LinkEmbed && markdown.LooksLikeFile(paths[0]) {
		return "", false
	}
	name, err := wiki.ParsePageName(paths[0])
	return name, err == nil
}

func (g *graph) wanted() []Wanted {
	list := make([]Wanted, 0, len(g.missing))
	for _, w := range g.missing {
		list = append(list, *w)
	}
	slices.SortFunc(list, func(a, b Wanted) int {
		return cmp.Or(cmp.Compare(len(b.From), len(a.From)), cmp.Compare(a.Name, b.Name))
	})
	return slices.Clone(list[:min(len(list), maxWanted)])
}

// orphans lists the pages without links to them, except the home page.
func (g *graph) orphans(d *directory, home string) []wiki.PageName {
	var list []wiki.PageName
	homeKey := wiki.Key(home + ".md")
	for i, p := range d.paths {
		name, ok := listedPage(p)
		if ok && len(g.from[p]) == 0 && d.keys[i] != homeKey {
			list = append(list, name)
		}
	}
	return list
}

// PageLinks holds a page's links, with names in their canonical spelling.
type PageLinks struct {
	To   []wiki.PageName // existing and missing pages
	From []wiki.PageName
}

// Links lists a page's links, each name once, sorted.
func (s *Service) Links(ctx context.Context, a wiki.Access, name string) (PageLinks, error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return PageLinks{}, err
	}
	defer release()
	page, _, err := lookup(ctx, w, name)
	if errors.Is(err, wiki.ErrNotFound) {
		err = d.redirectOrMissing(name)
	}
	if err != nil {
		return PageLinks{}, err
	}
	out, err := w.LinksFrom(ctx, page)
	if err != nil {
		return PageLinks{}, err
	}
	in, err := d.linksTo(ctx, w, page.File())
	if err != nil {
		return PageLinks{}, err
	}
	for i := range out {
		out[i].From = string(page) // the row can have another spelling
	}
	g := d.graph(out)
	list := PageLinks{To: pageNames(g.to[page.File()])}
	for _, m := range g.missing {
		list.To = append(list.To, m.Name)
	}
	slices.Sort(list.To)
	for _, b := range backlinks(d, page, in) {
		list.From = append(list.From, b.Name)
	}
	slices.Sort(list.From)
	return list, nil
}

// Backlinks lists the pages that link to a name, whether or not the page exists.
// It reads only the links of that name, because anyone can request missing pages
// any number of times.
func (s *Service) Backlinks(ctx context.Context, a wiki.Access, name wiki.PageName) ([]Backlink, error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	links, err := d.linksTo(ctx, w, name.File())
	return backlinks(d, name, links), err
}

// linksTo lists the links that lead to a file, or would if it existed. It reads only
// the links with its keys.
func (d *directory) linksTo(ctx context.Context, w *content.Wiki, file string) ([]wiki.Link, error) {
	there, exists := d.byKey[wiki.Key(file)]
	if exists {
		file = there
	}
	keys := wiki.PageKeys(file, d.aliases[file])
	for _, former := range d.was[file] {
		keys = append(keys, wiki.PageKeys(former, nil)...)
	}
	links, err := w.LinksByKey(ctx, keys)
	return slices.DeleteFunc(links, func(l wiki.Link) bool {
		page, ok := d.page(l.From)
		self, _ := wiki.PageOf(page)
		to := d.lead(self, l)
		missing, _ := d.missingPage(l, self)
		return !ok || to.file != file && (exists || to.file != "" || missing.Key() != wiki.Key(file))
	}), err
}

func pageNames(files []string) []wiki.PageName {
	var names []wiki.PageName
	for _, f := range files {
		if name, ok := wiki.PageOf(f); ok {
			names = append(names, name)
		}
	}
	return names
}

// A Graph holds all pages and the links between them.
type Graph struct {
	Nodes []wiki.PageName
	Edges [][2]wiki.PageName // source, target
}

// Graph returns all links between existing pages.
func (s *Service) Graph(ctx context.Context, a wiki.Access) (*Graph, error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	g, err := s.graph(ctx, w, d)
	if err != nil {
		return nil, err
	}
	out := &Graph{Nodes: pageNames(d.paths)}
	for _, from := range out.Nodes {
		for _, to := range pageNames(g.to[from.File()]) {
			out.Edges = append(out.Edges, [2]wiki.PageName{from, to})
		}
	}
	return out, nil
}

// ---- finding ----

// Search searches pages.
func (s *Service) Search(ctx context.Context, a wiki.Access, q Query) (Results, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return Results{}, err
	}
	defer release()
	return s.search.Search(ctx, w, q)
}

// UnembeddedSections returns the number of sections that aren't indexed for search
// by meaning yet.
func (s *Service) UnembeddedSections(a wiki.Access) (int, error) {
	if err := a.Allow(wiki.Read); err != nil {
		return 0, err
	}
	return s.search.WikiBacklog(a.Site().Slug), nil
}

// Complete lists completions of a partly typed page name.
func (s *Service) Complete(ctx context.Context, a wiki.Access, typed string, limit int) ([]wiki.PageName, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	return s.search.Complete(ctx, w, typed, limit)
}
