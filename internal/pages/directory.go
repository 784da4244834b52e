package pages

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// A directory holds the names of a wiki at one head.
type directory struct {
	*names
	seq   int64
	head  string     // commit id: a recreated wiki can reuse sequence numbers
	steps []headStep // that led to this head, the newest last
}

func (d *directory) weight() uint32 {
	n := d.bytes
	for _, s := range d.steps {
		n += 100 * (len(s.files) + len(s.linked))
	}
	return uint32(min(n, 1<<30))
}

// directory returns the directory of the wiki's head, usually from the cache. It
// can be newer than the head at the time of the call, never older. Its links have the
// order of the caller's site.
func (s *Service) directory(ctx context.Context, w *content.Wiki, a wiki.Access) (*directory, error) {
	seq, head := w.Head()
	order := a.Site().Wikilinks
	key := cacheKey{"directory", w.Slug(), ""}
	next := &directory{seq: seq, head: head}
	if c, ok := s.cache.GetIfPresent(key); ok {
		old := c.(*directory)
		if old.head == head && old.order == order {
			return old, nil
		}
		if err := next.follow(ctx, w, old, order); err != nil {
			return nil, err
		}
	}
	if next.names == nil {
		read, err := s.readReachableNames(ctx, w, a.Site())
		if err != nil {
			return nil, err
		}
		next.names = read.ordered(order)
	}
	s.cache.Set(key, next)
	return next, nil
}

// follow sets the names and steps from those of an older directory. It leaves them nil if
// the names have to be read.
func (d *directory) follow(ctx context.Context, w *content.Wiki, old *directory, order wiki.LinkOrder) error {
	changes, ok, err := w.NameChanges(ctx, old.seq, old.head)
	if err != nil || !ok {
		return err
	}
	now, err := old.namesAfter(ctx, w, changes)
	if err != nil {
		return err
	}
	d.names = now.ordered(order)
	if d.head == old.head {
		d.steps = old.steps
		return nil
	}
	d.steps, err = old.stepsAfter(ctx, w, d.names, changes)
	return err
}

// readReachableNames reads the names of a wiki, after renaming files whose names have no
// address. A wiki that was imported by an early version can have some, such as
// git/history.md. Without room for the commit, the wiki can still be read.
func (s *Service) readReachableNames(ctx context.Context, w *content.Wiki, site wiki.Site) (*names, error) {
	n, err := readNames(ctx, w)
	if err != nil {
		return nil, err
	}
	renames := content.Unreachable(n.paths)
	if len(renames) == 0 {
		return n, nil
	}
	if err := renameUnreachable(ctx, w, site, renames); err != nil {
		s.log.Error("renaming files without an address failed", "wiki", w.Slug(), "files", len(renames), "err", err)
		return n, nil
	}
	return readNames(ctx, w)
}

// renameUnreachable renames files in one commit of the owner's, by the operator. Links to
// the former names lead to the files.
func renameUnreachable(ctx context.Context, w *content.Wiki, site wiki.Site, renames []content.Renaming) error {
	var edits []content.Edit
	for _, r := range renames {
		f, err := w.Find(ctx, r.From)
		if err != nil {
			return err
		}
		edits = append(edits, content.Edit{Op: content.Move, Path: r.From, To: r.To, Base: f.Blob})
	}
	owner := wiki.User{DID: site.OwnerDID, Username: site.OwnerName}
	_, err := w.Commit(ctx, content.Request{
		Author:  wiki.Caller{User: owner, Client: wiki.OperatorName, Operator: true},
		Message: content.RenamesMessage, Edits: edits, Limits: site.Limits,
	})
	return err
}

// readNames reads the names of a wiki.
func readNames(ctx context.Context, w *content.Wiki) (*names, error) {
	paths, err := w.Names(ctx)
	if err != nil {
		return nil, err
	}
	aliases, err := w.Aliases(ctx)
	if err != nil {
		return nil, err
	}
	departures, err := w.Departures(ctx)
	if err != nil {
		return nil, err
	}
	return newNames(paths, aliases, departures), nil
}

// namesAfter returns the names after changes since the directory's head: the same ones
// if no name has changed.
func (d *directory) namesAfter(ctx context.Context, w *content.Wiki, list []content.NameChange) (_ *names, err error) {
	changes, gone, files := nameChanges(list)
	var aliases map[string][]string
	if len(files) > 0 {
		if aliases, err = w.Aliases(ctx, files...); err != nil {
			return nil, err
		}
	}
	same := len(changes) == 0
	for _, f := range files {
		same = same && slices.Equal(aliases[f], d.aliases[f])
	}
	if same {
		return d.names, nil
	}
	changes = append(changes, nameChange{written: files})
	departures := d.left
	if gone {
		if departures, err = w.Departures(ctx); err != nil {
			return nil, err
		}
		sortDepartures(departures)
	}
	return d.after(changes, aliases, departures), nil
}

// nameChanges groups changes of names by commit. It also lists the pages that were
// written.
func nameChanges(list []content.NameChange) (changes []nameChange, gone bool, files []string) {
	var seq int64
	listed := map[string]bool{}
	for _, c := range list {
		if _, page := wiki.PageOf(c.Path); page && c.Kind != wiki.Deleted && !listed[c.Path] {
			listed[c.Path] = true
			files = append(files, c.Path)
		}
		if c.Kind == wiki.Modified {
			continue
		}
		if len(changes) == 0 || c.Seq != seq {
			changes, seq = append(changes, nameChange{}), c.Seq
		}
		last := &changes[len(changes)-1]
		switch {
		case c.Kind == wiki.Deleted:
			last.gone, gone = append(last.gone, c.Path), true
		case c.Kind == wiki.Moved:
			last.gone, gone = append(last.gone, c.From), true
		}
		if c.Kind != wiki.Deleted && c.Regular {
			last.come = append(last.come, c.Path)
		}
	}
	return changes, gone, files
}

// page finds a page's file by its name in any spelling.
func (n *names) page(name string) (string, bool) {
	name = strings.TrimSuffix(name, ".md")
	if file, ok := n.byKey[wiki.Key(name+".md")]; ok {
		_, page := wiki.PageOf(file) // "README.MD" has the key of a page, but is none
		return file, page
	}
	parsed, err := wiki.ParsePageName(name)
	if err != nil {
		return "", false
	}
	file := n.byKey[parsed.Key()]
	_, page := wiki.PageOf(file)
	return file, page
}

// file finds an attachment by its path in any spelling.
func (n *names) file(p string) (string, bool) {
	file, ok := n.byKey[wiki.Key(p)]
	if !ok {
		return "", false
	}
	_, page := wiki.PageOf(file)
	return file, !page
}

// folderOnly finds a folder in any spelling; false if a page has its name.
func (n *names) folderOnly(asked string) (wiki.PageName, bool) {
	folder, ok := n.folders[wiki.Key(strings.Trim(asked, "/"))]
	if _, isPage := n.page(folder); !ok || isPage {
		return "", false
	}
	name, ok := wiki.PageOf(folder + ".md")
	return name, ok
}

// below lists the paths below a folder in any spelling, sorted.
func (n *names) below(folder string) []string {
	prefix := wiki.Key(folder) + "/"
	var found []string
	for i, key := range n.keys {
		if strings.HasPrefix(key, prefix) {
			found = append(found, n.paths[i])
		}
	}
	return found
}

// attachments lists the files of a page: files that aren't pages in the folder of
// its name, excluding subfolders.
func (n *names) attachments(page wiki.PageName) []string {
	var found []string
	depth := strings.Count(string(page), "/") + 1
	for _, p := range n.below(string(page)) {
		if _, isPage := wiki.PageOf(p); !isPage && strings.Count(p, "/") == depth {
			found = append(found, p)
		}
	}
	return found
}

// movedTo returns the current path of a former one, or "".
func (n *names) movedTo(p string) string { return n.former[wiki.Key(p)] }

// keyOf returns the key of a path.
func (n *names) keyOf(p string) string {
	if i, ok := slices.BinarySearch(n.paths, p); ok {
		return n.keys[i]
	}
	return wiki.Key(p) // written since
}

// A treeBuilder builds a page tree. Keys are those of paths: each of their segments is
// the key of the path's segment.
type treeBuilder struct {
	root  *Node
	nodes map[string]*Node // by key
	keys  map[*Node]string
}

// buildTree builds the page tree from sorted paths and their keys.
func buildTree(paths, keys []string) []*Node {
	b := &treeBuilder{&Node{}, make(map[string]*Node, len(paths)), make(map[*Node]string, len(paths))}
	for i, p := range paths {
		name, ok := listedPage(p)
		if !ok {
			continue
		}
		key := strings.TrimSuffix(keys[i], ".md")
		n := b.node(string(name), key)
		n.Name, n.Path, n.Page = name.Title(), string(name), name
		for dir := path.Dir(string(name)); dir != "."; dir = path.Dir(dir) {
			key = path.Dir(key)
			b.node(dir, key).Count++
		}
	}
	b.sort(b.root)
	return b.root.Children
}

// node returns the node of a page or folder, which it adds with those above.
func (b *treeBuilder) node(at, key string) *Node {
	if n := b.nodes[key]; n != nil {
		return n
	}
	parent := b.root
	if up := path.Dir(at); up != "." {
		parent = b.node(up, path.Dir(key))
	}
	n := &Node{Name: wiki.Title(path.Base(at)), Path: at}
	b.nodes[key], b.keys[n] = n, path.Base(key)
	parent.Children = append(parent.Children, n)
	return n
}

// sort orders nodes alphabetically by their names, ignoring case.
func (b *treeBuilder) sort(n *Node) {
	for _, c := range n.Children {
		b.sort(c)
	}
	slices.SortStableFunc(n.Children, func(x, y *Node) int {
		return cmp.Or(cmp.Compare(b.keys[x], b.keys[y]), cmp.Compare(x.Path, y.Path))
	})
}
