package content

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// SeedMessage is the message of a new wiki's first commit.
const SeedMessage = "Start the wiki"

// packPart is the number of bytes of a pack in one row.
const packPart = 1 << 20

// HasOnlySeeds reports whether nobody has written in the wiki: it is empty or has
// only the commit that it was created with.
func (w *Wiki) HasOnlySeeds(ctx context.Context) (bool, error) { return hasOnlySeeds(ctx, w, w.slug) }

func hasOnlySeeds(ctx context.Context, q querier, slug string) (bool, error) {
	var n, seeds int
	// The redundant condition lets SQLite read commits in the table's order.
	err := q.queryRow(ctx, "SELECT COUNT(*), COALESCE(SUM(CASE WHEN message = $2 AND parents = '' THEN 1 ELSE 0 END), 0) FROM (SELECT message, parents FROM commits WHERE wiki = $1 AND seq > 0 ORDER BY seq LIMIT 2) AS first",
		slug, SeedMessage).Scan(&n, &seeds)
	return n == 0 || n == 1 && seeds == 1, wrapError(err, "first commits of %s", slug)
}

// A MoveState says how a wiki's history was moved here from another service.
type MoveState struct {
	Head   string // newest commit there at the last move, or "" if there was none
	Edited bool   // commits were made here since
}

// MoveState returns how the history was moved here, if it was.
func (w *Wiki) MoveState(ctx context.Context) (MoveState, error) {
	o, err := readMoveState(ctx, w, w.slug)
	return o, wrapError(err, "move of %s", w.slug)
}

func readMoveState(ctx context.Context, q querier, slug string) (o MoveState, err error) {
	var seq, moved int64
	err = q.queryRow(ctx, "SELECT seq, moved, moved_seq FROM meta WHERE wiki = $1", slug).Scan(&seq, &o.Head, &moved)
	o.Edited = o.Head != "" && seq != moved
	return o, err
}

// IsReplaceable reports whether a move can replace the history: nobody has written in
// the wiki since it was created, or since an earlier move.
func (w *Wiki) IsReplaceable(ctx context.Context) (bool, error) {
	return isReplaceable(ctx, w, w.slug, true)
}

func isReplaceable(ctx context.Context, q querier, slug string, moving bool) (bool, error) {
	ok, err := hasOnlySeeds(ctx, q, slug)
	if err != nil || ok || !moving {
		return ok, err
	}
	o, err := readMoveState(ctx, q, slug)
	return o.Head != "" && !o.Edited, err
}

// ErrHasEdits is the error of an import into a wiki that has edits.
var ErrHasEdits = wiki.Problemf(wiki.ErrExists, "", "A repository can be imported only into a new wiki. This one has been edited. Nothing was changed.")

// ImportData is what Import stores besides the planned commits.
type ImportData struct {
	// Blobs calls emit with each blob, in the order of ids.
	Blobs func(ctx context.Context, ids []string, emit func(id string, content []byte) error) error
	Rest  []byte // a git pack of the history's other objects, or nil
	// Moved is the newest commit of a repository that the operator moves here from
	// another service, or "". What an earlier move brought is replaced too, as long as
	// nobody has written here since.
	Moved string
	// Progress is called with the number of objects written so far. Can be nil.
	Progress func(done, total int)
}

// Import stores a planned history, in one transaction, in a new wiki. It replaces
// the wiki's seeds, whose ids return ErrGone from then on. Every object of the
// repository is kept, so ids stay: commits along first parents become rows, other
// objects are kept as a git pack. The new commits are numbered on from the seeds',
// so that no cursor or cache mistakes one for the other. It fails with ErrHasEdits
// if somebody has written in the wiki (see ImportData.Moved for a move).
func (w *Wiki) Import(ctx context.Context, p *Import, in ImportData) error {
	var next *head
	err := w.inWriteTx(ctx, func(t *tx) error {
		if ok, err := isReplaceable(t.context(), t, w.slug, in.Moved != ""); err != nil || !ok {
			return errors.Join(err, notFresh(ok))
		}
		i := &importer{tx: t, p: p, in: in, slug: w.slug}
		var err error
		next, err = i.writeHistory(ctx)
		return err
	}, func() {
		w.replaceHead(ctx, next, "shrinking the database after an import failed: later saves reuse the space")
	})
	if err != nil {
		return wrapError(err, "import into %s", w.slug)
	}
	w.tellCommitted(next)
	return nil
}

func notFresh(ok bool) error {
	if ok {
		return nil
	}
	return ErrHasEdits
}

// An importer writes an import.
type importer struct {
	tx     *tx
	p      *Import
	in     ImportData
	slug   string
	first  int64 // number of the first commit
	stored int64 // bytes of the blobs
	done   int
}

func (i *importer) writeHistory(ctx context.Context) (*head, error) {
	if err := i.replaceSeeds(); err != nil {
		return nil, err
	}
	if err := i.writeBlobs(ctx); err != nil {
		return nil, err
	}
	m := i.p.counters()
	now := i.tx.w.o.Now()
	for n, c := range i.p.commits {
		author, message := i.p.authorOf(c.parsed)
		made := wiki.Commit{Seq: i.first + int64(n), ID: c.id, Parents: c.parsed.Parents, Author: author, Time: commitTime(c.parsed), Message: message}
		if err := i.writeCommit(ctx, made, c); err != nil {
			return nil, err
		}
		m.seq, m.head, m.time = made.Seq, made.ID, min(made.Time.UnixMilli(), now.UnixMilli())
	}
	if err := i.tx.insertImport(i.first, m.seq, i.p.o.Origin); err != nil {
		return nil, err
	}
	if err := i.commitRenames(ctx, &m, now); err != nil {
		return nil, err
	}
	if err := errors.Join(i.writeFiles(), i.writePackAndTags()); err != nil {
		return nil, err
	}
	m.history = i.stored + int64(len(i.in.Rest))
	if err := errors.Join(i.tx.setTotals(m), i.tx.exec("UPDATE state SET time = $2 WHERE wiki = $1", i.slug, m.time)); err != nil {
		return nil, err
	}
	if i.in.Moved != "" {
		if err := i.tx.exec("UPDATE state SET moved = $2, moved_seq = $3 WHERE wiki = $1", i.slug, i.in.Moved, m.seq); err != nil {
			return nil, err
		}
	}
	if err := i.tx.compress(ctx); err != nil {
		return nil, err
	}
	return &head{m.seq, m.head}, i.checkStored()
}

// checkStored compares the history, as stored, with its limit.
func (i *importer) checkStored() error {
	var history int64
	err := i.tx.queryRow(i.tx.context(), "SELECT history_bytes FROM meta WHERE wiki = $1", i.slug).Scan(&history)
	if limit := i.p.o.Limits.HistoryBytes; err == nil && history > limit {
		return &gitrepo.Refused{Reasons: []string{fmt.Sprintf("The history takes %s, also when compressed; in this wiki it can be at most %s.", formatBytes(history), formatBytes(limit))}}
	}
	return err
}

// replaceSeeds deletes the contents of a new wiki and records their ids as
// replaced. Drafts and proposals stay, for new pages.
func (i *importer) replaceSeeds() error {
	var seq int64
	if err := i.tx.queryRow(i.tx.context(), "SELECT seq FROM meta WHERE wiki = $1", i.slug).Scan(&seq); err != nil {
		return err
	}
	i.first = seq + 1
	for _, query := range []string{
		"INSERT INTO replaced (wiki, oid) SELECT wiki, oid FROM commits WHERE wiki = $1 ON CONFLICT DO NOTHING",
		"INSERT INTO replaced (wiki, oid) SELECT wiki, oid FROM blobs WHERE wiki = $1 ON CONFLICT DO NOTHING",
		"DELETE FROM commits WHERE wiki = $1", "DELETE FROM spans WHERE wiki = $1", "DELETE FROM span_authors WHERE wiki = $1", "DELETE FROM span_sessions WHERE wiki = $1", "DELETE FROM changes WHERE wiki = $1", "DELETE FROM merges WHERE wiki = $1", "DELETE FROM takings WHERE wiki = $1", "DELETE FROM other_blobs WHERE wiki = $1", "DELETE FROM commit_blobs WHERE wiki = $1", "DELETE FROM deltas WHERE wiki = $1",
		"DELETE FROM files WHERE wiki = $1", "DELETE FROM trees WHERE wiki = $1", "DELETE FROM outlinks WHERE wiki = $1", "DELETE FROM backlinks WHERE wiki = $1", "DELETE FROM aliases WHERE wiki = $1",
		"DELETE FROM requests WHERE wiki = $1", "DELETE FROM seen WHERE wiki = $1", "DELETE FROM looked WHERE wiki = $1", "DELETE FROM packs WHERE wiki = $1", "DELETE FROM tags WHERE wiki = $1", "DELETE FROM imports WHERE wiki = $1",
		"UPDATE drafts SET base = '' WHERE wiki = $1", "UPDATE proposed SET base = '' WHERE wiki = $1",
	} {
		if err := i.tx.exec(query, i.slug); err != nil {
			return err
		}
	}
	return nil
}

func (i *importer) reportProgress(ctx context.Context) error {
	if i.done++; i.in.Progress != nil && (i.done%100 == 0 || i.done == len(i.p.blobs)+len(i.p.commits)) {
		i.in.Progress(i.done, len(i.p.blobs)+len(i.p.commits))
	}
	return ctx.Err()
}

func (i *importer) writeBlobs(ctx context.Context) error {
	return i.in.Blobs(ctx, i.p.blobs, func(id string, content []byte) error {
		if gitrepo.ObjectID("blob", content) != id {
			return fmt.Errorf("blob %s: %w", id, ErrMismatch)
		}
		data := deflate(content)
		if _, err := i.tx.insertBlob(id, int64(len(content)), data); err != nil {
			return err
		}
		i.stored += int64(len(data))
		if err := i.tx.exec("DELETE FROM replaced WHERE wiki = $1 AND oid = $2", i.slug, id); err != nil {
			return err
		}
		return i.reportProgress(ctx)
	})
}

// writeCommit writes a commit with its changes.
func (i *importer) writeCommit(ctx context.Context, c wiki.Commit, planned plannedCommit) error {
	for _, ch := range planned.changes {
		c.Changes = append(c.Changes, ch.Change)
	}
	if err := i.tx.insertCommit(c, planned.raw, meta{}, "", storedBlob{}); err != nil {
		return err
	}
	if err := i.tx.exec("DELETE FROM replaced WHERE wiki = $1 AND oid = $2", i.slug, c.ID); err != nil {
		return err
	}
	for n, ch := range planned.changes {
		if err := i.tx.insertChange(c.Seq, n, ch.Change, ch.mode, i.p.o.Sizes[ch.New]); err != nil {
			return err
		}
	}
	if err := i.tx.insertTakings(c.Seq, recordedTakings(planned.parsed)); err != nil {
		return err
	}
	return i.reportProgress(ctx)
}

// commitRenames adds a commit of this wiki's own that renames files that readers
// couldn't reach, if there are any.
func (i *importer) commitRenames(ctx context.Context, m *meta, now time.Time) error {
	if len(i.p.renames) == 0 {
		return nil
	}
	at := time.UnixMilli(max(now.UnixMilli(), m.time)).UTC().Truncate(time.Second)
	who := i.p.o.Author
	c := wiki.Commit{
		Seq: m.seq + 1, Parents: []string{m.head}, Time: at,
		Author:  wiki.Author{Username: who.User.Username, DID: who.User.DID, Agent: who.Agent, Client: who.Client, Grant: who.Grant},
		Message: RenamesMessage,
	}
	var changes []rawChange
	var trailers []gitrepo.Trailer
	for _, r := range i.p.renames {
		f := i.p.head[r.From]
		delete(i.p.head, r.From)
		i.p.head[r.To] = headFile{f.mode, f.blob, len(i.p.commits)}
		changes = append(changes, rawChange{wiki.Change{Path: r.To, From: r.From, Kind: wiki.Moved, Old: f.blob, New: f.blob}, f.mode})
		trailers = append(trailers, gitrepo.Trailer{Key: "Moved", Value: r.String()})
	}
	slices.SortFunc(changes, func(a, b rawChange) int { return cmp.Compare(a.Path, b.Path) })
	for _, t := range []gitrepo.Trailer{{Key: "Agent", Value: who.Agent}, {Key: "Client", Value: who.Client}, {Key: "Grant", Value: who.Grant}} {
		if t.Value != "" {
			trailers = append(trailers, t)
		}
	}
	object := gitrepo.Commit{
		Parents: c.Parents, Author: gitrepo.Signature{Name: who.User.Username, Email: who.User.DID, Time: at}, Committer: i.tx.w.committer(at),
		Message: gitrepo.AppendTrailers(c.Message+"\n", trailers),
	}
	object.Tree = i.p.files().Trees(func(_, _ string, _ []byte) {})
	raw := gitrepo.EncodeCommit(object)
	c.ID = gitrepo.ObjectID("commit", raw)
	m.seq, m.head, m.time = c.Seq, c.ID, at.UnixMilli()
	return i.writeCommit(ctx, c, plannedCommit{c.ID, raw, object, changes})
}

// files returns the tree of the head.
func (p *Import) files() *gitrepo.Files {
	files := gitrepo.NewFiles()
	for name, f := range p.head {
		files.Put(name, f.mode, f.blob)
	}
	return files
}

// writeFiles writes the head's files, with their links, and its folders.
func (i *importer) writeFiles() error {
	for _, name := range slices.Sorted(maps.Keys(i.p.head)) {
		f := i.p.head[name]
		if err := i.tx.exec("INSERT INTO files (wiki, path, dir, key, blob, mode, size, seq) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
			i.slug, name, parentFolder(name), wiki.Key(name), f.blob, f.mode, i.p.o.Sizes[f.blob], i.first+int64(f.last)); err != nil {
			return err
		}
		if err := i.writeLinks(name, f); err != nil {
			return err
		}
	}
	var failed error
	i.p.files().Trees(func(dir, id string, _ []byte) {
		if dir == "" {
			return
		}
		failed = errors.Join(failed, i.tx.exec("INSERT INTO trees VALUES ($1, $2, $3, $4)", i.slug, dir, parentFolder(dir), id))
	})
	return failed
}

func (i *importer) writeLinks(name string, f headFile) error {
	if _, ok := wiki.PageOf(name); !ok || !isRegular(f.mode) || i.tx.w.o.Links == nil {
		return nil
	}
	data, err := readBlob(i.tx.context(), i.tx, i.slug, f.blob)
	if err != nil {
		return err
	}
	return i.tx.setLinks(name, i.tx.w.findLinks(name, data))
}

// writePackAndTags writes the pack of other objects, and the tags.
func (i *importer) writePackAndTags() error {
	for name, id := range i.p.o.Tags {
		if err := i.tx.exec("INSERT INTO tags VALUES ($1, $2, $3)", i.slug, name, id); err != nil {
			return err
		}
	}
	return i.tx.writePack(bytes.NewBuffer(i.in.Rest))
}
