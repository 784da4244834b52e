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

// spellFolders gives files of new names the spelling that their folders have: a file
// made in "design/" joins "Design/". Where all files of a folder move, it may
// change its spelling.
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

// folderSpelling is how a folder is written: as it is asked for, if some file that
// stays is in such a one, or else as that of any file that stays.
func (s *staging) folderSpelling(dir, key string) (string, error) {
	found := dir
	err := forEachRow(s.ctx, s.tx, func(rows *sql.Rows) error {
		var p, fileKey string
		if err := rows.Scan(&p, &fileKey); err != nil {
			return err
		}
		if f := s.files[fileKey]; f != nil && f.path != p {
			return nil // it leaves, or is respelled itself
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

// errStop ends a reading of rows.
var errStop = errors.New("content: enough")

// checkPlacement refuses a path where git would have a file and a folder of one name, in
// any spelling: on many machines a clone could not be checked out.
func (s *staging) checkPlacement(p string) error {
	key := wiki.Key(p)
	var other string
	err := s.tx.queryRow(s.ctx, "SELECT path FROM files WHERE wiki = $1 AND key > $2 AND key < $3 LIMIT 1", s.tx.w.slug, key+"/", key+"0").Scan(&other)
	if err == nil {
		return wiki.Problemf(wiki.ErrInvalid, "path", "%q is a folder here, so it cannot be a file as well.", p)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	for dir := parentFolder(p); dir != ""; dir = parentFolder(dir) {
		other, err := currentPath(s.ctx, s.tx, s.tx.w.slug, wiki.Key(dir))
		if err != nil {
			return err
		}
		if other != "" {
			return wiki.Problemf(wiki.ErrInvalid, "path", "%q is a file here, so it cannot be a folder as well.", other)
		}
	}
	return nil
}

// tree makes the trees of the folders that changed, the deepest first, and
// answers the root's id.
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
	ids := map[string]string{} // of the folders done so far, "" for one that is empty now
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

// folderEntries are a folder's files and subfolders as they are to be. Folders of
// hundreds of pages are common, so they are kept in memory from one commit to
// the next.
func (s *staging) folderEntries(dir string, changes []stagedChange, ids map[string]string) ([]gitrepo.TreeEntry, error) {
	entries, ok := s.tx.w.trees.get(s.before, dir)
	if !ok {
		return s.readFolderEntries(dir)
	}
	entries = slices.Clone(entries)
	for _, ch := range changes { // names are freed before they are taken
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

// readFolderEntries reads them from the tables, where files and the subfolders' trees
// are written already.
func (s *staging) readFolderEntries(dir string) ([]gitrepo.TreeEntry, error) {
	var entries []gitrepo.TreeEntry
	err := forEachRow(s.ctx, s.tx, func(rows *sql.Rows) error {
		var e gitrepo.TreeEntry
		err := rows.Scan(&e.Name, &e.Mode, &e.ID)
		e.Name = path.Base(e.Name)
		entries = append(entries, e)
		return err
	}, `SELECT path, mode, blob FROM files WHERE wiki = $1 AND dir = $2
		UNION ALL SELECT dir, 16384, oid FROM trees WHERE wiki = $1 AND parent = $2`, s.tx.w.slug, dir)
	return entries, err
}

// maxTreeEntries bounds a wiki's treeCache: some 150 bytes each.
const maxTreeEntries = 1000

// A treeCache holds the entries of a head's folders. Whoever holds the wiki's
// turn owns it.
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

// keep takes the folders that a commit changed over into the next head.
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
