package content

import (
	"database/sql"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// spellFolders changes the paths of new and moved files to the spelling of existing
// folders: a file created in "design/" joins "Design/". A folder's spelling can
// change only if all its files move.
func (s *staging) spellFolders() error {
	spelled := map[string]string{} // folder by key
	for _, f := range s.order {
		if f.path == "" || f.path == f.old.Path {
			continue
		}
		segments := strings.Split(f.path, "/")
		dir := ""
		for _, segment := range segments[:len(segments)-1] {
			dir += segment
			key := wiki.Key(dir)
			if spelled[key] == "" {
				var err error
				if spelled[key], err = s.folderSpelling(dir, key); err != nil {
					return err
				}
			}
			dir = spelled[key] + "/"
		}
		f.path = dir + segments[len(segments)-1]
	}
	return nil
}

// folderSpelling returns a folder's spelling, as given by the files that stay in it:
// dir if one of them spells it like that, else the spelling of any of them.
func (s *staging) folderSpelling(dir, key string) (string, error) {
	found := dir
	err := forEachRow(s.tx.context(), s.tx, func(rows *sql.Rows) error {
		var p, fileKey string
		if err := rows.Scan(&p, &fileKey); err != nil {
			return err
		}
		if f := s.files[fileKey]; f != nil && f.path != p {
			return nil // it leaves the folder, or its own spelling changes
		}
		there := strings.Join(strings.Split(p, "/")[:depth(dir)], "/")
		if there == dir {
			found = dir
			return errStop
		}
		if found == dir {
			found = there
		}
		return nil
	}, "SELECT path, key FROM files WHERE wiki = $1 AND key > $2 AND key < $3 ORDER BY key", s.tx.w.slug, key+"/", key+"0")
	if errors.Is(err, errStop) {
		err = nil
	}
	return found, err
}

// errStop ends forEachRow early.
var errStop = errors.New("content: stop")

// checkPlacement rejects a path that would make a file and a folder of the same
// name, in any spelling: on many machines such a clone couldn't be checked out.
// "A.md" beside "A/" is fine.
func (s *staging) checkPlacement(p string) error {
	key := wiki.Key(p)
	var other string
	err := s.tx.queryRow(s.tx.context(), "SELECT path FROM files WHERE wiki = $1 AND key > $2 AND key < $3 LIMIT 1", s.tx.w.slug, key+"/", key+"0").Scan(&other)
	if err == nil {
		return wiki.Problemf(wiki.ErrInvalid, "path", "%q is the name of a folder. Choose another name.", p)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	for dir := parentFolder(p); dir != ""; dir = parentFolder(dir) {
		other, err := currentPath(s.tx.context(), s.tx, s.tx.w.slug, wiki.Key(dir))
		if err != nil {
			return err
		}
		if other != "" {
			return wiki.Problemf(wiki.ErrInvalid, "path", "%q is a file, so it can't be a folder too. Choose another name.", other)
		}
	}
	return nil
}

// writeTrees computes the trees of the folders that changed, deepest first, and
// returns the root's id.
func (s *staging) writeTrees(changes []stagedChange) (root string, err error) {
	touched := map[string]bool{"": true}
	for _, ch := range changes {
		for _, p := range []string{ch.Path, ch.From} {
			for dir := parentFolder(p); dir != "" && !touched[dir]; dir = parentFolder(dir) {
				touched[dir] = true
			}
		}
	}
	dirs := slices.SortedFunc(maps.Keys(touched), func(a, b string) int { return depth(b) - depth(a) })
	s.trees = map[string][]gitrepo.TreeEntry{}
	ids := map[string]string{} // of the folders done so far, "" for an empty one
	for _, dir := range dirs {
		entries, err := s.folderEntries(dir, changes, ids)
		if err != nil {
			return "", err
		}
		switch {
		case dir == "":
			root = gitrepo.ObjectID("tree", gitrepo.EncodeTree(entries))
		case len(entries) == 0:
			err = s.tx.exec("DELETE FROM trees WHERE wiki = $1 AND dir = $2", s.tx.w.slug, dir)
		default:
			ids[dir] = gitrepo.ObjectID("tree", gitrepo.EncodeTree(entries))
			err = s.tx.exec("INSERT INTO trees VALUES ($1, $2, $3, $4) ON CONFLICT (wiki, dir) DO UPDATE SET oid = excluded.oid", s.tx.w.slug, dir, parentFolder(dir), ids[dir])
		}
		if err != nil {
			return "", err
		}
		s.trees[dir] = entries
	}
	return root, nil
}

func depth(dir string) int {
	if dir == "" {
		return 0
	}
	return strings.Count(dir, "/") + 1
}

// folderEntries returns a folder's files and subfolders after the commit. Folders
// with hundreds of pages are common, so entries are cached from commit to commit.
func (s *staging) folderEntries(dir string, changes []stagedChange, ids map[string]string) ([]gitrepo.TreeEntry, error) {
	entries, ok := s.tx.w.trees.get(s.before, dir)
	if !ok {
		return s.readFolderEntries(dir)
	}
	entries = slices.Clone(entries)
	for _, ch := range changes { // names are freed before they are used again
		for _, p := range []string{ch.Path, ch.From} {
			if p != "" && parentFolder(p) == dir {
				entries = withoutEntry(entries, path.Base(p), false)
			}
		}
	}
	for _, ch := range changes {
		if f := ch.file; f != nil && parentFolder(f.path) == dir {
			entries = append(entries, gitrepo.TreeEntry{Mode: f.mode, Name: path.Base(f.path), ID: f.blob})
		}
	}
	for sub := range s.trees {
		if sub == "" || parentFolder(sub) != dir {
			continue
		}
		entries = withoutEntry(entries, path.Base(sub), true)
		if ids[sub] != "" {
			entries = append(entries, gitrepo.TreeEntry{Mode: gitrepo.ModeTree, Name: path.Base(sub), ID: ids[sub]})
		}
	}
	return entries, nil
}

func withoutEntry(entries []gitrepo.TreeEntry, name string, tree bool) []gitrepo.TreeEntry {
	for i, e := range entries {
		if e.Name == name && e.IsTree() == tree {
			return slices.Delete(entries, i, i+1)
		}
	}
	return entries
}

// readFolderEntries reads a folder's entries from the tables, where its files and
// the trees of its subfolders are up to date by now.
func (s *staging) readFolderEntries(dir string) ([]gitrepo.TreeEntry, error) {
	var entries []gitrepo.TreeEntry
	err := forEachRow(s.tx.context(), s.tx, func(rows *sql.Rows) error {
		var e gitrepo.TreeEntry
		err := rows.Scan(&e.Name, &e.Mode, &e.ID)
		e.Name = path.Base(e.Name)
		entries = append(entries, e)
		return err
	}, `SELECT path, mode, blob FROM files WHERE wiki = $1 AND dir = $2
		UNION ALL SELECT dir, 16384, oid FROM trees WHERE wiki = $1 AND parent = $2`, s.tx.w.slug, dir)
	return entries, err
}

// maxTreeEntries limits a wiki's treeCache. An entry takes about 150 bytes.
const maxTreeEntries = 1000

// A treeCache caches the entries of folders at a head. The holder of the wiki's
// write lock owns it.
type treeCache struct {
	head string
	dirs map[string][]gitrepo.TreeEntry
	size int
}

func (c *treeCache) get(head, dir string) ([]gitrepo.TreeEntry, bool) {
	if c.head != head || head == "" {
		return nil, false
	}
	entries, ok := c.dirs[dir]
	return entries, ok
}

// advance moves the cache to the next head, with the folders that a commit changed.
func (c *treeCache) advance(before, head string, changed map[string][]gitrepo.TreeEntry) {
	if c.head != before || c.dirs == nil || c.size > maxTreeEntries {
		c.dirs, c.size = map[string][]gitrepo.TreeEntry{}, 0
	}
	c.head = head
	for dir, entries := range changed {
		c.size -= len(c.dirs[dir])
		delete(c.dirs, dir)
		if len(entries) > 0 && len(entries) <= maxTreeEntries {
			c.dirs[dir] = entries
			c.size += len(entries)
		}
	}
	if c.size > maxTreeEntries {
		c.dirs, c.size = nil, 0
	}
}
