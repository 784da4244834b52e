package content

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// packBytes is the size at which a pack is handed out.
const packBytes = 16 << 20

// exportBatch is the number of commits that one statement reads.
const exportBatch = 200

// An ExportedPack is a range of commits with their new objects. These refer to each
// other and to objects of earlier commits.
type ExportedPack struct {
	Pack    *gitrepo.Pack
	Seq     int64  // of the last commit
	Head    string // id of the last commit
	Commits int
}

// ErrMismatch reports that stored rows don't produce an object with the expected id.
var ErrMismatch = errors.New("content: stored object doesn't match its id")

// Export calls emit with the commits after a seq (0 for all), in packs of bounded
// size, oldest first, from one snapshot. Commits and blobs are copied from their
// rows, trees are rebuilt from the changes. It fails with ErrMismatch if a tree, a
// commit or the head has another id than expected. It doesn't check blobs: the
// reader of the pack must. If the wiki has an imported pack, trees can be in that
// instead, which the reader must check too.
func (w *Wiki) Export(ctx context.Context, after int64, imported bool, emit func(ExportedPack) error) error {
	err := w.inSnapshot(ctx, func(q querier) error {
		var head string
		if err := q.queryRow(ctx, "SELECT head FROM meta WHERE wiki = $1", w.slug).Scan(&head); err != nil {
			return err
		}
		files, err := treeAt(ctx, q, w.slug, after)
		if err != nil {
			return err
		}
		x := exporter{q: q, slug: w.slug, blobs: blobReader{q, w.slug, newTextCache()}, files: files, emit: emit, seen: map[string]bool{}, imported: imported}
		for {
			commits, err := rawCommitsAfter(ctx, q, w.slug, after)
			if err != nil {
				return err
			}
			if len(commits) == 0 && x.last != "" && x.last != head {
				return fmt.Errorf("%w: the last commit is %s, the head is %s", ErrMismatch, x.last, head)
			}
			if len(commits) == 0 {
				return x.flush()
			}
			for _, c := range commits {
				if err := x.add(ctx, c); err != nil {
					return err
				}
			}
			after = commits[len(commits)-1].seq
		}
	})
	return wrapError(err, "export %s", w.slug)
}

// ImportedPack returns the objects of an import that Export doesn't hand out, as a
// git pack; nil if there are none. Its objects and Export's can refer to each other.
func (w *Wiki) ImportedPack(ctx context.Context) (*bytes.Buffer, error) {
	return importedPack(ctx, w, w.slug)
}

func importedPack(ctx context.Context, q querier, slug string) (*bytes.Buffer, error) {
	var pack *bytes.Buffer
	err := forEachRow(ctx, q, func(rows *sql.Rows) error {
		var part sql.RawBytes
		if err := rows.Scan(&part); err != nil {
			return err
		}
		if pack == nil {
			pack = new(bytes.Buffer)
		}
		pack.Write(part)
		return nil
	}, "SELECT data FROM packs WHERE wiki = $1 ORDER BY part", slug)
	return pack, wrapError(err, "imported objects of %s", slug)
}

// Tags returns the imported tags: ids of commits or of tag objects by name.
func (w *Wiki) Tags(ctx context.Context) (map[string]string, error) {
	tags := map[string]string{}
	err := forEachRow(ctx, w, func(rows *sql.Rows) error {
		var name, id string
		err := rows.Scan(&name, &id)
		tags[name] = id
		return err
	}, "SELECT name, oid FROM tags WHERE wiki = $1", w.slug)
	return tags, wrapError(err, "tags of %s", w.slug)
}

// SeqOf returns the number of a commit by its whole id. It fails with ErrGone if an
// import or an erasure has replaced the commit, ErrNotFound if there never was one.
func (w *Wiki) SeqOf(ctx context.Context, id string) (int64, error) {
	found, err := seqsByID(ctx, w, w.slug, id)
	switch {
	case err == nil && len(found) == 1:
		return found[0], nil
	case err == nil:
		if err = w.replacedError(ctx, id); err == nil {
			err = sql.ErrNoRows
		}
	}
	return 0, wrapError(err, "commit %s/%s", w.slug, id)
}

// replacedError returns an ErrGone if the digits match a commit that an import or
// an erasure replaced, else nil. After an erasure, DidYouMean is the new id.
func (w *Wiki) replacedError(ctx context.Context, digits string) error {
	var successor string
	from, to := hexRange(digits)
	err := w.queryRow(ctx, "SELECT successor FROM replaced WHERE wiki = $1 AND oid >= $2 AND oid < $3 LIMIT 1", w.slug, from, to).Scan(&successor)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	case successor == "":
		return wiki.Problemf(wiki.ErrGone, "revision", "This revision belongs to the initial pages of this wiki, which an import has replaced.")
	}
	if successor, err = lastSuccessor(ctx, w, w.slug, successor); err != nil {
		return err
	}
	err = wiki.Problemf(wiki.ErrGone, "revision", "This revision was rewritten when something was erased from the history. It is now %.12s.", successor)
	var p *wiki.Problem
	if errors.As(err, &p) {
		p.DidYouMean = successor
	}
	return err
}

// HasErased reports whether an erasure has rewritten one of the commits, by whole
// ids.
func (w *Wiki) HasErased(ctx context.Context, commits []string) (bool, error) {
	for _, id := range commits {
		successor, err := lastSuccessor(ctx, w, w.slug, id)
		if err != nil || successor != id {
			return err == nil, wrapError(err, "erased commits of %s", w.slug)
		}
	}
	return false, nil
}

// lastSuccessor follows the successors of an id: several erasures can have
// rewritten it.
func lastSuccessor(ctx context.Context, q querier, slug, id string) (string, error) {
	for range 1000 {
		var next string
		err := q.queryRow(ctx, "SELECT successor FROM replaced WHERE wiki = $1 AND oid = $2", slug, id).Scan(&next)
		if errors.Is(err, sql.ErrNoRows) || err == nil && next == "" {
			return id, nil
		}
		if err != nil {
			return "", err
		}
		id = next
	}
	return id, nil
}

// inSnapshot runs f on a snapshot of the database.
func (w *Wiki) inSnapshot(ctx context.Context, f func(querier) error) error {
	if w.gone.Load() {
		return wiki.ErrNotFound
	}
	tx, err := w.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing was written
	return f(snapshotQuerier{w, tx})
}

// snapshotQuerier is the querier of a snapshot.
type snapshotQuerier struct {
	w  *Wiki
	tx *sql.Tx
}

func (r snapshotQuerier) checkRead(err error) error { return r.w.checkRead(err) }

func (r snapshotQuerier) queryRow(ctx context.Context, query string, args ...any) sqlite.Scanner {
	return checkedRow{r.w, r.tx.QueryRowContext(ctx, query, args...)}
}

func (r snapshotQuerier) queryRows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return r.tx.QueryContext(ctx, query, args...)
}

// An exporter turns commits into packs.
type exporter struct {
	q     querier
	slug  string
	blobs blobReader
	files *gitrepo.Files
	seen  map[string]bool // blobs and trees handed out so far
	emit  func(ExportedPack) error
	out   ExportedPack
	trees map[string]exportedTree // the last one of each folder in the pack
	last  string                  // id of the newest commit

	imported bool // trees can be in the imported pack
}

func (x *exporter) add(ctx context.Context, c rawCommit) error {
	if x.out.Pack == nil {
		x.out.Pack = new(gitrepo.Pack)
	}
	c.apply(x.files)
	for _, ch := range c.changes {
		if ch.New == "" || ch.mode == gitrepo.ModeGitlink || x.seen[ch.New] {
			continue
		}
		x.seen[ch.New] = true
		if err := x.addBlob(ctx, ch.New); err != nil {
			return fmt.Errorf("blob %s: %w", ch.New, err)
		}
	}
	trees := map[string]exportedTree{} // by folder
	root := x.files.Trees(func(dir, id string, content []byte) { trees[dir] = exportedTree{id: id, content: content} })
	switch tree, ok := strings.CutPrefix(string(c.raw[:min(len(c.raw), 45)]), "tree "); {
	case ok && tree == root:
		for dir, tree := range trees {
			if err := x.addTree(dir, tree); err != nil {
				return err
			}
		}
	case !x.imported:
		return fmt.Errorf("%w: the changes of commit %d (%s) produce tree %s", ErrMismatch, c.seq, c.id, root)
	}
	if is := gitrepo.ObjectID("commit", c.raw); is != c.id {
		return fmt.Errorf("%w: commit %d is %s, not %s", ErrMismatch, c.seq, is, c.id)
	}
	x.out.Pack.Add("commit", c.id, c.raw)
	x.out.Seq, x.out.Head, x.last = c.seq, c.id, c.id
	x.out.Commits++
	if x.out.Pack.Size() > packBytes {
		return x.flush()
	}
	return nil
}

// An exportedTree is a folder at some commit.
type exportedTree struct {
	id      string
	content []byte
	depth   int // deltas that it needs
}

// maxTreeDepth is the length of chains of deltas that git makes by default
// (git-pack-objects(1), --depth).
const maxTreeDepth = 50

// addTree adds a tree to the pack, as a delta against the folder's last one in it.
func (x *exporter) addTree(dir string, tree exportedTree) error {
	if x.seen[tree.id] {
		return nil
	}
	x.seen[tree.id] = true
	if x.trees == nil {
		x.trees = map[string]exportedTree{}
	}
	last, ok := x.trees[dir]
	if !ok || last.depth == maxTreeDepth {
		x.out.Pack.Add("tree", tree.id, tree.content)
	} else {
		tree.depth = last.depth + 1
		if err := x.out.Pack.AddDelta(tree.id, last.id, gitrepo.Delta(last.content, tree.content)); err != nil {
			return err
		}
	}
	x.trees[dir] = tree
	return nil
}

// addBlob adds a blob to the pack, in its stored form unless that is a delta.
func (x *exporter) addBlob(ctx context.Context, id string) error {
	b, err := x.blobs.row(ctx, id)
	if err != nil {
		return err
	}
	if !b.isDelta() {
		x.out.Pack.AddDeflated("blob", id, b.size, b.data)
		return nil
	}
	text, err := x.blobs.read(ctx, id)
	if err != nil {
		return err
	}
	x.out.Pack.AddDeflated("blob", id, b.size, deflate(text))
	return nil
}

func (x *exporter) flush() error {
	if x.out.Pack == nil {
		return nil
	}
	out := x.out
	x.out, x.trees = ExportedPack{}, nil
	return x.emit(out)
}

// A rawCommit is a commit object and its changes, with modes.
type rawCommit struct {
	seq     int64
	id      string
	raw     []byte
	changes []rawChange
}

type rawChange struct {
	wiki.Change
	mode uint32
}

// apply applies the commit's changes to a tree. Names are freed before they are
// used again.
func (c *rawCommit) apply(files *gitrepo.Files) {
	for _, ch := range c.changes {
		switch ch.Kind {
		case wiki.Deleted:
			files.Remove(ch.Path)
		case wiki.Moved:
			files.Remove(ch.From)
		}
	}
	for _, ch := range c.changes {
		if ch.Kind != wiki.Deleted {
			files.Put(ch.Path, ch.mode, ch.New)
		}
	}
}

// rawCommitsAfter reads the next exportBatch commits after a seq.
func rawCommitsAfter(ctx context.Context, q querier, slug string, after int64) ([]rawCommit, error) {
	var list []rawCommit
	err := forEachRow(ctx, q, func(rows *sql.Rows) error {
		var c rawCommit
		err := rows.Scan(&c.seq, &c.id, &c.raw)
		list = append(list, c)
		return err
	}, "SELECT seq, oid, raw FROM commits WHERE wiki = $1 AND seq > $2 ORDER BY seq LIMIT $3", slug, after, exportBatch)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	first, last := list[0].seq, list[len(list)-1].seq
	err = forEachRow(ctx, q, func(rows *sql.Rows) error {
		var seq int64
		var ch rawChange
		if err := rows.Scan(&seq, &ch.Path, &ch.From, &ch.Kind, &ch.Old, &ch.New, &ch.mode); err != nil {
			return err
		}
		if i := seq - first; i < int64(len(list)) { // seqs have no gaps
			list[i].changes = append(list[i].changes, ch)
		}
		return nil
	}, "SELECT seq, path, from_path, kind, old, new, mode FROM commit_changes WHERE wiki = $1 AND seq >= $2 AND seq <= $3 ORDER BY seq, n", slug, first, last)
	return list, err
}

// treeAt returns the tree of a commit. It undoes later commits on the head's tree,
// so its cost grows with their number.
func treeAt(ctx context.Context, q querier, slug string, seq int64) (*gitrepo.Files, error) {
	files := gitrepo.NewFiles()
	if seq == 0 {
		return files, nil
	}
	err := forEachRow(ctx, q, func(rows *sql.Rows) error {
		var path, blob string
		var mode uint32
		err := rows.Scan(&path, &mode, &blob)
		files.Put(path, mode, blob)
		return err
	}, "SELECT path, mode, blob FROM files WHERE wiki = $1", slug)
	if err != nil {
		return nil, err
	}
	var later []rawCommit
	for after := seq; ; after = later[len(later)-1].seq {
		next, err := rawCommitsAfter(ctx, q, slug, after)
		if err != nil {
			return nil, err
		}
		if len(next) == 0 {
			break
		}
		later = append(later, next...)
	}
	for i := len(later) - 1; i >= 0; i-- {
		if err := later[i].undo(ctx, q, slug, files); err != nil {
			return nil, err
		}
	}
	files.Trees(func(string, string, []byte) {})
	return files, nil
}

// undo reverses apply.
func (c *rawCommit) undo(ctx context.Context, q querier, slug string, files *gitrepo.Files) error {
	for _, ch := range c.changes {
		if ch.Kind != wiki.Deleted {
			files.Remove(ch.Path)
		}
	}
	for _, ch := range c.changes {
		if ch.Kind == wiki.Added {
			continue
		}
		before := ch.Path
		if ch.Kind == wiki.Moved {
			before = ch.From
		}
		var mode uint32
		err := q.queryRow(ctx, "SELECT mode FROM changes WHERE wiki = $1 AND key = $2 AND path = $3 AND seq < $4 AND kind <> 'deleted' ORDER BY seq DESC, n DESC LIMIT 1",
			slug, wiki.Key(before), before, c.seq).Scan(&mode)
		if err != nil {
			return fmt.Errorf("%s before commit %d: %w", before, c.seq, err)
		}
		files.Put(before, mode, ch.Old)
	}
	return nil
}
