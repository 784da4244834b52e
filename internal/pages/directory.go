package pages

import (
	"context"
	"errors"
	"path"
	"sort"
	"strings"
	"sync"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// A directory holds the paths of a wiki at one head. It is immutable except for
// its caches.
type directory struct {
	head    string            // commit id: a recreated wiki can reuse sequence numbers
	paths   []string          // without hidden files, sorted
	keys    []string          // of the paths, in their order
	byKey   map[string]string // wiki.Key of a path -> the path
	folders map[string]string // key of a folder with pages below -> the folder
	pages   int
	bytes   int
	tree    func() []*Node

	mu    sync.Mutex
	moved map[string]string // cache: former path -> current path, or ""
}

func (d *directory) weight() uint32 { return uint32(min(d.bytes, 1<<30)) }

// directory returns the directory of the wiki's head, usually from the cache. It
// can be newer than the head at the time of the call, never older.
func (s *Service) directory(ctx context.Context, w *content.Wiki) (*directory, error) {
	_, head := w.Head()
	key := cacheKey{"directory", w.Slug(), ""}
	if c, ok := s.cache.GetIfPresent(key); ok {
		if d := c.(*directory); d.head == head {
			return d, nil
		}
	}
	names, err := w.Names(ctx)
	if err != nil {
		return nil, err
	}
	d := newDirectory(head, names)
	s.cache.Set(key, d)
	return d, nil
}

func newDirectory(head string, names []string) *directory {
	d := &directory{
		head:    head,
		byKey:   make(map[string]string, len(names)),
		folders: map[string]string{},
		moved:   map[string]string{},
	}
	for _, p := range names {
		if wiki.Hidden(p) {
			continue
		}
		key := wiki.Key(p)
		d.paths, d.keys = append(d.paths, p), append(d.keys, key)
		d.byKey[key] = p
		d.bytes += 300 + 5*len(p) // including the tree node
		if _, ok := wiki.PageOf(p); !ok || wiki.IsFrame(p) {
			continue
		}
		d.pages++
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			if key := wiki.Key(dir); d.folders[key] == "" {
				d.folders[key] = dir
			}
		}
	}
	d.tree = sync.OnceValue(func() []*Node { return buildTree(d.paths) })
	return d
}

// page finds a page's file by its name in any spelling.
func (d *directory) page(name string) (string, bool) {
	name = strings.TrimSuffix(name, ".md")
	if file, ok := d.byKey[wiki.Key(name+".md")]; ok {
		_, page := wiki.PageOf(file) // "README.MD" has the key of a page, but is none
		return file, page
	}
	parsed, err := wiki.ParsePageName(name)
	if err != nil {
		return "", false
	}
	file := d.byKey[parsed.Key()]
	_, page := wiki.PageOf(file)
	return file, page
}

// file finds an attachment by its path in any spelling.
func (d *directory) file(p string) (string, bool) {
	file, ok := d.byKey[wiki.Key(p)]
	if !ok {
		return "", false
	}
	_, page := wiki.PageOf(file)
	return file, !page
}

// resolve finds the target of a link on a page: an attachment with that path,
// else a page with that name, else an attachment of the page itself, which can be
// linked without its folder.
func (d *directory) resolve(self wiki.PageName, target string) (string, bool) {
	if target == "" {
		return "", false
	}
	if file, ok := d.file(target); ok {
		return file, true
	}
	if file, ok := d.page(target); ok {
		return file, true
	}
	return d.file(string(self) + "/" + target)
}

// folderOnly finds a folder in any spelling; false if a page has its name.
func (d *directory) folderOnly(asked string) (wiki.PageName, bool) {
	folder, ok := d.folders[wiki.Key(strings.Trim(asked, "/"))]
	if _, isPage := d.page(folder); !ok || isPage {
		return "", false
	}
	name, ok := wiki.PageOf(folder + ".md")
	return name, ok
}

// below lists the paths below a folder in any spelling, sorted.
func (d *directory) below(folder string) []string {
	prefix := wiki.Key(folder) + "/"
	var found []string
	for i, key := range d.keys {
		if strings.HasPrefix(key, prefix) {
			found = append(found, d.paths[i])
		}
	}
	return found
}

// attachments lists the files of a page: files that aren't pages in the folder of
// its name, excluding subfolders.
func (d *directory) attachments(page wiki.PageName) []string {
	var found []string
	depth := strings.Count(string(page), "/") + 1
	for _, p := range d.below(string(page)) {
		if _, isPage := wiki.PageOf(p); !isPage && strings.Count(p, "/") == depth {
			found = append(found, p)
		}
	}
	return found
}

// movedTo returns the current path of a former one, or "". It caches results,
// because a page can have many links to former names.
func (d *directory) movedTo(ctx context.Context, w *content.Wiki, p string) (string, error) {
	key := wiki.Key(p)
	d.mu.Lock()
	to, known := d.moved[key]
	d.mu.Unlock()
	if known {
		return to, nil
	}
	to, err := w.MovedTo(ctx, p)
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		to = ""
	case err != nil:
		return "", err
	case wiki.Hidden(to):
		to = ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.moved) < maxMoved {
		d.moved[key] = to
	}
	return to, nil
}

const maxMoved = 200 // cached results per directory

// buildTree builds the page tree from sorted paths.
func buildTree(paths []string) []*Node {
	root := &Node{}
	folders := map[string]*Node{"": root}
	var folder func(dir string) *Node
	folder = func(dir string) *Node {
		key := wiki.Key(dir)
		if n := folders[key]; n != nil {
			return n
		}
		parent := root
		if up := path.Dir(dir); up != "." {
			parent = folder(up)
		}
		n := &Node{Name: wiki.Title(path.Base(dir)), Path: dir}
		folders[key] = n
		parent.Children = append(parent.Children, n)
		return n
	}
	for _, p := range paths {
		name, ok := wiki.PageOf(p)
		if !ok || wiki.IsFrame(p) {
			continue
		}
		n := folder(string(name))
		n.Name, n.Path, n.Page = name.Title(), string(name), name
		for dir := name.Parent(); dir != ""; dir = wiki.PageName(dir).Parent() {
			folder(dir).Count++
		}
	}
	sortTree(root)
	return root.Children
}

func sortTree(n *Node) {
	keys := make(map[*Node]string, len(n.Children))
	for _, c := range n.Children {
		keys[c] = sortKey(c.Name)
		sortTree(c)
	}
	sort.SliceStable(n.Children, func(i, j int) bool {
		a, b := n.Children[i], n.Children[j]
		if keys[a] != keys[b] {
			return keys[a] < keys[b]
		}
		return a.Path < b.Path
	})
}

// sortKey orders names alphabetically, ignoring case.
func sortKey(name string) string { return wiki.Key(name) }
