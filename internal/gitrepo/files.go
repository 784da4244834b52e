package gitrepo

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// Files is a complete tree, by path. After changes to files it computes the ids
// and contents of the affected folders. A path is either a file or a folder, and
// a folder without files doesn't exist.
type Files struct {
	dirs    map[string]map[string]TreeEntry // entries by name; "" is the root
	touched map[string]bool                 // folders changed since the last Trees
}

// NewFiles returns an empty tree.
func NewFiles() *Files {
	return &Files{dirs: map[string]map[string]TreeEntry{"": {}}, touched: map[string]bool{"": true}}
}

// Put adds or replaces a file.
func (f *Files) Put(file string, mode uint32, id string) {
	dir, name := splitPath(file)
	if f.dirs[dir] == nil {
		f.dirs[dir] = map[string]TreeEntry{}
	}
	f.dirs[dir][name] = TreeEntry{mode, name, id}
	f.touch(dir)
}

// Remove removes a file.
func (f *Files) Remove(file string) {
	dir, name := splitPath(file)
	delete(f.dirs[dir], name)
	f.touch(dir)
}

func (f *Files) touch(dir string) {
	for !f.touched[dir] {
		f.touched[dir] = true
		dir, _ = splitPath(dir)
	}
}

// Trees calls emit for the tree of each folder that may have changed since the
// last call, deepest first, and returns the root's id. The root's dir is "".
func (f *Files) Trees(emit func(dir, id string, content []byte)) (root string) {
	deepest := slices.SortedFunc(maps.Keys(f.touched), func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	slices.SortStableFunc(deepest, func(a, b string) int { return emptyLast(a) - emptyLast(b) })
	for _, dir := range deepest {
		parent, name := splitPath(dir)
		if len(f.dirs[dir]) == 0 && dir != "" {
			delete(f.dirs, dir)
			if f.dirs[parent][name].IsTree() {
				delete(f.dirs[parent], name)
			}
			continue
		}
		content := EncodeTree(slices.Collect(maps.Values(f.dirs[dir])))
		root = ObjectID("tree", content)
		emit(dir, root, content)
		if dir == "" {
			continue
		}
		if f.dirs[parent] == nil {
			f.dirs[parent] = map[string]TreeEntry{}
		}
		f.dirs[parent][name] = TreeEntry{ModeTree, name, root}
	}
	clear(f.touched)
	f.touched[""] = true
	return root
}

// AllTrees calls emit with the tree of each folder except the root, as of the last
// call of Trees.
func (f *Files) AllTrees(emit func(dir, id string)) {
	for dir := range f.dirs {
		if dir == "" {
			continue
		}
		parent, name := splitPath(dir)
		emit(dir, f.dirs[parent][name].ID)
	}
}

// emptyLast sorts the root, which has as few slashes as its folders, after them.
func emptyLast(dir string) int {
	if dir == "" {
		return 1
	}
	return 0
}

func splitPath(file string) (dir, name string) {
	dir, name = path.Split(file)
	return strings.TrimSuffix(dir, "/"), name
}
