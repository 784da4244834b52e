package content

import (
	"context"
	"database/sql"
	"fmt"
	"path"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/sqlite"
)

// Facts summarize a wiki's database, to compare copies of it.
type Facts struct {
	Head    string `json:"head"` // id of the newest commit, "" before the first
	Seq     int64  `json:"seq"`
	Files   int64  `json:"files"`
	Blobs   int64  `json:"blobs"`
	Commits int64  `json:"commits"`
}

// CheckFile verifies a whole database file that isn't in use. It fails at the first
// damage that it finds: in SQLite's own structures, a blob or commit that doesn't
// hash to its id, or a head whose tree isn't that of the files.
func CheckFile(ctx context.Context, file, slug string) (Facts, error) {
	db, err := sqlite.OpenCopy(file)
	if err != nil {
		return Facts{}, fmt.Errorf("content: check %s: %w", slug, err)
	}
	defer db.Close()
	c := checker{db: db, slug: slug}
	for _, step := range []func(context.Context) error{c.checkStructure, c.checkBlobs, c.checkCommits, c.checkHead} {
		if err := step(ctx); err != nil {
			return c.facts, fmt.Errorf("content: check %s: %w", slug, err)
		}
	}
	return c.facts, nil
}

type checker struct {
	db    *sql.DB
	slug  string
	facts Facts
	tree  string // of the head
}

func (c *checker) queryRow(ctx context.Context, query string, args ...any) sqlite.Scanner {
	return c.db.QueryRowContext(ctx, query, args...)
}

func (c *checker) queryRows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return c.db.QueryContext(ctx, query, args...)
}

func (c *checker) checkRead(err error) error { return err }

func (c *checker) checkStructure(ctx context.Context) error {
	var answer string
	if err := c.db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&answer); err != nil {
		return err
	}
	if answer != "ok" {
		return fmt.Errorf("quick_check: %s", answer)
	}
	return nil
}

func (c *checker) checkBlobs(ctx context.Context) error {
	return forEachBlob(ctx, c, c.slug, func(id string, text []byte) error {
		c.facts.Blobs++
		if gitrepo.ObjectID("blob", text) != id {
			return fmt.Errorf("blob %s doesn't match its id", id)
		}
		return nil
	})
}

func (c *checker) checkCommits(ctx context.Context) error {
	err := c.db.QueryRowContext(ctx, "SELECT seq, head FROM meta WHERE wiki = $1", c.slug).Scan(&c.facts.Seq, &c.facts.Head)
	if err != nil {
		return fmt.Errorf("head: %w", err)
	}
	found := c.facts.Head == ""
	err = forEachRow(ctx, c, func(rows *sql.Rows) error {
		var oid string
		var raw []byte
		if err := rows.Scan(&oid, &raw); err != nil {
			return err
		}
		c.facts.Commits++
		if gitrepo.ObjectID("commit", raw) != oid {
			return fmt.Errorf("commit %s doesn't match its id", oid)
		}
		if oid != c.facts.Head {
			return nil
		}
		found = true
		commit, err := gitrepo.ParseCommit(raw)
		c.tree = commit.Tree
		return err
	}, "SELECT oid, raw FROM commits WHERE wiki = $1", c.slug)
	if err == nil && !found {
		err = fmt.Errorf("head %s is missing", c.facts.Head)
	}
	return err
}

// checkHead rebuilds the tree of all files and compares it with the head's.
func (c *checker) checkHead(ctx context.Context) error {
	entries, folders, linked := map[string][]gitrepo.TreeEntry{}, map[string][]string{}, map[string]bool{}
	err := forEachRow(ctx, c, func(rows *sql.Rows) error {
		var file, blob string
		var mode uint32
		var kept bool
		if err := rows.Scan(&file, &blob, &mode, &kept); err != nil {
			return err
		}
		c.facts.Files++
		if !kept && mode != gitrepo.ModeGitlink {
			return fmt.Errorf("blob %s of %s is missing", blob, file)
		}
		dir := parentFolder(file)
		for d := dir; d != "" && !linked[d]; d = parentFolder(d) {
			linked[d] = true
			folders[parentFolder(d)] = append(folders[parentFolder(d)], d)
		}
		entries[dir] = append(entries[dir], gitrepo.TreeEntry{Mode: mode, Name: path.Base(file), ID: blob})
		return nil
	}, `SELECT path, blob, mode, EXISTS (SELECT 1 FROM blobs b WHERE b.wiki = f.wiki AND b.oid = f.blob) FROM files f WHERE wiki = $1`, c.slug)
	if err != nil || c.facts.Head == "" {
		return err
	}
	if root := treeID(entries, folders, ""); root != c.tree {
		return fmt.Errorf("the files have tree %s, the head has %s", root, c.tree)
	}
	return nil
}

// treeID computes the id of a folder's tree.
func treeID(entries map[string][]gitrepo.TreeEntry, folders map[string][]string, dir string) string {
	all := entries[dir]
	for _, d := range folders[dir] {
		all = append(all, gitrepo.TreeEntry{Mode: gitrepo.ModeTree, Name: path.Base(d), ID: treeID(entries, folders, d)})
	}
	return gitrepo.ObjectID("tree", gitrepo.EncodeTree(all))
}
