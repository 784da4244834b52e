package pages

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// A wiki's page Sidebar, or _Sidebar as of GitHub, Gollum and GitLab, orders the page
// tree: entries follow the order of its links, and those that it doesn't link come after
// them by name.

// sidebarFile returns the file that orders the page tree, or "".
func (n *names) sidebarFile() string {
	return cmp.Or(n.byKey["sidebar.md"], n.byKey["_sidebar.md"])
}

// sidebarBlob returns the id of the text that orders the page tree, or "".
func sidebarBlob(ctx context.Context, w *content.Wiki, d *directory) (string, error) {
	file := d.sidebarFile()
	if file == "" {
		return "", nil
	}
	f, err := w.Lookup(ctx, file)
	return f.Blob, err
}

// hasSidebar reports whether the page tree still has the same order.
func (b *Basis) hasSidebar(ctx context.Context, w *content.Wiki, d *directory, changed map[string]bool) (bool, error) {
	if changed != nil && !changed[d.sidebarFile()] {
		return true, nil
	}
	blob, err := sidebarBlob(ctx, w, d)
	return blob == b.sidebar, err
}

// A sidebar is the cached page tree in the order of a sidebar page.
type sidebar struct {
	names      *generation
	blob, home string
	tree       []*Node
	entries    int
}

func (s *sidebar) weight() uint32 { return uint32(200 + 100*s.entries) }

// Sidebar returns the page tree as it is shown beside pages: in the order of the sidebar
// page, with the home page first unless that page links it. It is cached and must not be
// changed.
func (s *Service) Sidebar(ctx context.Context, a wiki.Access) ([]*Node, error) {
	w, d, release, err := s.openDirectory(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	blob, err := sidebarBlob(ctx, w, d)
	if err != nil {
		return nil, err
	}
	home := d.home(a.Site())
	if blob == "" || w.MayRead(blob) != nil {
		return homeFirst(d.tree(), home), nil
	}
	key := cacheKey{"sidebar", w.Slug(), ""}
	if c, ok := s.cache.GetIfPresent(key); ok {
		if old := c.(*sidebar); old.names == d.generation && old.blob == blob && old.home == home {
			return old.tree, nil
		}
	}
	order, err := sidebarOrder(ctx, w, d, home)
	if err != nil {
		return nil, err
	}
	made := &sidebar{names: d.generation, blob: blob, home: home, tree: sortNodes(d.tree(), order), entries: len(d.paths)}
	s.cache.Set(key, made)
	return made.tree, nil
}

// sidebarOrder returns the places of pages and folders in the order of the sidebar page,
// by their keys. A folder has that of the first page in it.
func sidebarOrder(ctx context.Context, w *content.Wiki, d *directory, home string) (map[string]int, error) {
	self, _ := wiki.PageOf(d.sidebarFile())
	links, err := w.LinksFrom(ctx, self)
	if err != nil {
		return nil, err
	}
	order := map[string]int{wiki.Key(home): -1}
	linked := map[string]bool{}
	for i, l := range links {
		to := d.lead(self, l)
		name, ok := wiki.PageOf(to.file)
		if l.Kind != wiki.LinkPage || !ok {
			continue
		}
		key := name.Key()
		for at := strings.TrimSuffix(key, ".md"); at != ""; at = at[:max(strings.LastIndexByte(at, '/'), 0)] {
			if !linked[at] {
				linked[at], order[at] = true, i
			}
		}
	}
	return order, nil
}

// sortNodes returns a level of the tree, and those below it, with the entries that have a
// place in the order first. It copies only what changes.
func sortNodes(nodes []*Node, order map[string]int) []*Node {
	type placed struct {
		*Node
		at int
	}
	sorted := make([]placed, len(nodes))
	for i, n := range nodes {
		at, ok := order[wiki.Key(n.Path)]
		if !ok {
			at = math.MaxInt
		} else if len(n.Children) > 0 {
			ordered := *n
			ordered.Children = sortNodes(n.Children, order)
			n = &ordered
		}
		sorted[i] = placed{n, at}
	}
	slices.SortStableFunc(sorted, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	list := make([]*Node, len(sorted))
	for i, p := range sorted {
		list[i] = p.Node
	}
	return list
}

// homeFirst returns a tree with the home page at the beginning.
func homeFirst(tree []*Node, home string) []*Node {
	if i := slices.IndexFunc(tree, func(n *Node) bool { return n.Page != "" && string(n.Page) == home }); i > 0 {
		return slices.Concat([]*Node{tree[i]}, tree[:i], tree[i+1:])
	}
	return tree
}
