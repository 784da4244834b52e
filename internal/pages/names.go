package pages

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// names are the files of a wiki by everything that links can call them. They never
// change; a commit that changes no name leads to the same *names.
type names struct {
	paths     []string            // without hidden files, sorted
	keys      []string            // of the paths, in their order
	byKey     map[string]string   // wiki.Key of a path -> the path
	byFold    map[string][]string // wiki.FoldName of a path without ".md" -> paths
	bySegment map[string][]string // the same of the last segment, the shortest path first
	folders   map[string]string   // key of a folder with pages below -> the folder
	aliases   map[string][]string // page -> its other names
	byAlias   map[string][]string // wiki.FoldName of an alias -> pages, the shortest path first
	order     wiki.LinkOrder      // of wikilinks
	former    map[string]string   // key of a former path -> the file's path
	was       map[string][]string // path -> keys of its former paths
	left      []content.Departure // that lead to former, the newest first
	pages     int
	bytes     int // of memory, by size
	tree      func() []*Node

	generation *generation
}

// A generation identifies names without holding them in memory.
type generation struct{ _ byte }

// newNames indexes the paths of a wiki, sorted.
func newNames(paths []string, aliases map[string][]string, departures []content.Departure) *names {
	n := &names{
		byKey:     make(map[string]string, len(paths)),
		byFold:    make(map[string][]string, len(paths)),
		bySegment: make(map[string][]string, len(paths)),
		folders:   map[string]string{},
		aliases:   map[string][]string{},
		byAlias:   map[string][]string{},
	}
	for _, p := range paths {
		if !wiki.Hidden(p) {
			n.paths, n.keys = append(n.paths, p), append(n.keys, wiki.Key(p))
			n.addPath(p)
		}
	}
	for _, list := range n.bySegment {
		sortNearest(list)
	}
	n.addAliases(aliases)
	sortDepartures(departures)
	n.setFormer(departures)
	n.finish()
	return n
}

// finish sets what depends on all other fields.
func (n *names) finish() {
	n.bytes = n.size()
	n.tree = sync.OnceValue(func() []*Node { return buildTree(n.paths, n.keys) })
	n.generation = new(generation)
}

// size estimates the memory that the names take, including the tree's.
func (n *names) size() int {
	total := 0
	for _, p := range n.paths {
		total += 600 + 10*len(p)
	}
	for _, list := range n.aliases {
		for _, a := range list {
			total += 100 + 2*len(a)
		}
	}
	for key := range n.former {
		total += 200 + 2*len(key)
	}
	return total
}

// sortNearest sorts equally near candidates of a link, the shortest path first, as
// Obsidian does.
func sortNearest(list []string) {
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
}

// addPath adds a path to the maps.
func (n *names) addPath(p string) {
	n.byKey[wiki.Key(p)] = p
	name := strings.TrimSuffix(p, ".md")
	fold, segment := wiki.FoldName(name), wiki.FoldName(path.Base(name))
	n.byFold[fold] = append(n.byFold[fold], p)
	n.bySegment[segment] = append(n.bySegment[segment], p)
	if _, ok := listedPage(p); ok {
		n.pages++
		n.addFolders(p)
	}
}

// listedPage returns the page of a file, and whether lists of pages include it, which
// leave out frames.
func listedPage(file string) (wiki.PageName, bool) {
	name, ok := wiki.PageOf(file)
	return name, ok && !wiki.IsFrame(file)
}

func (n *names) addFolders(p string) {
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		key := wiki.Key(dir)
		if old := n.folders[key]; old != "" && old <= dir {
			return // and so are those above
		}
		n.folders[key] = dir
	}
}

// addAliases adds the aliases of all pages. It sorts each list once, because many pages
// can have one alias.
func (n *names) addAliases(aliases map[string][]string) {
	for file, list := range aliases {
		if n.byKey[wiki.Key(file)] != file || len(list) == 0 {
			continue
		}
		n.aliases[file] = list
		for _, a := range list {
			key := wiki.FoldName(a)
			if all := n.byAlias[key]; len(all) == 0 || all[len(all)-1] != file {
				n.byAlias[key] = append(all, file)
			}
		}
	}
	for _, list := range n.byAlias {
		sortNearest(list)
	}
}

// setAliases adds a page's aliases to lists that are shared and sorted.
func (n *names) setAliases(file string, list []string) {
	if n.byKey[wiki.Key(file)] != file || len(list) == 0 {
		return
	}
	n.aliases[file] = list
	for _, a := range list {
		key := wiki.FoldName(a)
		if !slices.Contains(n.byAlias[key], file) {
			all := append(slices.Clone(n.byAlias[key]), file)
			sortNearest(all)
			n.byAlias[key] = all
		}
	}
}

// sortDepartures puts the newest first.
func sortDepartures(list []content.Departure) {
	slices.SortStableFunc(list, func(a, b content.Departure) int { return cmp.Compare(b.Seq, a.Seq) })
}

// setFormer follows each departure, the newest first, to the file that has the content
// now. It takes time proportional to their number, because each is followed only to the
// next one, whose end is known.
func (n *names) setFormer(departures []content.Departure) {
	n.former, n.was, n.left = map[string]string{}, map[string][]string{}, departures
	type end struct {
		seq int64
		key string // "" if it was deleted
	}
	ends := map[string][]end{} // by key, the newest first
	for _, d := range departures {
		last := d.To
		if later := ends[d.To]; d.To != "" {
			i, _ := slices.BinarySearchFunc(later, d.Seq, func(e end, seq int64) int { return cmp.Compare(seq, e.seq) })
			if i > 0 { // the first departure after this one
				last = later[i-1].key
			}
		}
		ends[d.Key] = append(ends[d.Key], end{d.Seq, last})
	}
	for key, list := range ends {
		to := n.byKey[list[0].key]
		if to == "" || n.byKey[key] != "" || wiki.Hidden(to) {
			continue
		}
		n.former[key] = to
		n.was[to] = append(n.was[to], key)
	}
}

// A nameChange is how a commit changes the names of a wiki.
type nameChange struct {
	gone, come []string // paths
	written    []string // files whose aliases may have changed
}

// after returns the names after changes, one after another. aliases are those of all
// files in the changes. departures are all of the wiki, the newest first.
func (n *names) after(changes []nameChange, aliases map[string][]string, departures []content.Departure) *names {
	next := &names{
		paths: n.paths, keys: n.keys, pages: n.pages, order: n.order,
		byKey: maps.Clone(n.byKey), byFold: maps.Clone(n.byFold), bySegment: maps.Clone(n.bySegment),
		folders: maps.Clone(n.folders),
		aliases: maps.Clone(n.aliases), byAlias: maps.Clone(n.byAlias),
	}
	touched := map[string]bool{}
	for _, c := range changes {
		for _, p := range c.gone {
			next.removePath(p)
			touched[p] = true
		}
		for _, p := range c.come {
			if touched[p] = true; next.byKey[wiki.Key(p)] == "" && !wiki.Hidden(p) {
				next.insertPath(p)
			}
		}
		for _, p := range c.written {
			touched[p] = true
		}
	}
	for p := range touched {
		next.dropAliases(p)
		next.setAliases(p, aliases[p])
	}
	next.mergePaths(touched)
	next.dropFolders(touched)
	next.setFormer(departures)
	next.finish()
	return next
}

// mergePaths updates the sorted lists from byKey, for the paths that may have changed.
func (n *names) mergePaths(touched map[string]bool) {
	var come []string
	for p := range touched {
		if n.byKey[wiki.Key(p)] == p {
			come = append(come, p)
		}
	}
	slices.Sort(come)
	paths, keys := make([]string, 0, len(n.paths)+len(come)), make([]string, 0, len(n.paths)+len(come))
	add := func(p, key string) { paths, keys = append(paths, p), append(keys, key) }
	for i, p := range n.paths {
		for len(come) > 0 && come[0] < p {
			add(come[0], wiki.Key(come[0]))
			come = come[1:]
		}
		if !touched[p] {
			add(p, n.keys[i])
		}
	}
	for _, p := range come {
		add(p, wiki.Key(p))
	}
	n.paths, n.keys = paths, keys
}

// insertPath is addPath for maps whose lists are shared and sorted.
func (n *names) insertPath(p string) {
	name := strings.TrimSuffix(p, ".md")
	fold, segment := wiki.FoldName(name), wiki.FoldName(path.Base(name))
	n.byFold[fold], n.bySegment[segment] = slices.Clone(n.byFold[fold]), slices.Clone(n.bySegment[segment])
	n.addPath(p)
	slices.Sort(n.byFold[fold])
	sortNearest(n.bySegment[segment])
}

// removePath removes a path from the maps.
func (n *names) removePath(p string) {
	key := wiki.Key(p)
	if n.byKey[key] != p {
		return
	}
	delete(n.byKey, key)
	name := strings.TrimSuffix(p, ".md")
	without(n.byFold, wiki.FoldName(name), p)
	without(n.bySegment, wiki.FoldName(path.Base(name)), p)
	if _, ok := listedPage(p); ok {
		n.pages--
	}
}

// dropFolders lists the folders again if one above the paths has no page any more.
func (n *names) dropFolders(touched map[string]bool) {
	for p := range touched {
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			if n.folders[wiki.Key(dir)] == dir && !n.hasPageBelow(dir) {
				n.folders = map[string]string{}
				for _, p := range n.paths {
					if _, ok := listedPage(p); ok {
						n.addFolders(p)
					}
				}
				return
			}
		}
	}
}

// hasPageBelow reports whether there is a page below a folder with this spelling.
func (n *names) hasPageBelow(dir string) bool {
	i, _ := slices.BinarySearch(n.paths, dir+"/")
	for ; i < len(n.paths) && strings.HasPrefix(n.paths[i], dir+"/"); i++ {
		if _, ok := listedPage(n.paths[i]); ok {
			return true
		}
	}
	return false
}

func (n *names) dropAliases(file string) {
	for _, a := range n.aliases[file] {
		without(n.byAlias, wiki.FoldName(a), file)
	}
	delete(n.aliases, file)
}

// without removes a path from a shared list.
func without(m map[string][]string, key, p string) {
	rest := slices.DeleteFunc(slices.Clone(m[key]), func(other string) bool { return other == p })
	if len(rest) == 0 {
		delete(m, key)
		return
	}
	m[key] = rest
}
