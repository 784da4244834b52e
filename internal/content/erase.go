package content

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// Bounds on the text of an Erasure, in bytes. A short text would rewrite unrelated
// pages.
const (
	MinErasedText = 6
	MaxErasedText = 16 << 10
)

// An Erasure describes what to remove from a wiki's history: every occurrence of a
// text, or the content of one commit.
type Erasure struct {
	Author wiki.Caller
	Text   string // removed from all files, names, messages, drafts and proposals; any line ends match
	Commit string // id of a commit; the versions it wrote and its message are replaced
	DryRun bool   // report what would change, and change nothing

	// ReadPack calls visit with each object of a git pack. It is called only for
	// wikis with an imported pack, several times.
	ReadPack func(ctx context.Context, pack io.WriterTo, visit func(kind, id string, content []byte) error) error
}

// An ErasureReport says what an erasure changes.
type ErasureReport struct {
	Versions  int    // of files
	Files     int    // current files that change
	Messages  int    // of commits
	Drafts    int    // with files kept with them, and proposals
	Rewritten int    // commits that get a new id
	Commit    string // id of the commit that records the erasure, "" in a dry run
}

// Found reports whether there is something to erase.
func (r ErasureReport) Found() bool { return r.Versions+r.Files+r.Messages+r.Drafts > 0 }

// Erase removes a text or a commit's content from all history. Blobs that have it
// are replaced, and all commits from the first one affected get new ids; their
// numbers, times and authors stay. A former id returns ErrGone, which names its
// successor. A last commit without changes records who erased something and when.
// Erased bytes are overwritten on disk.
//
// It fails with ErrInvalid for a text or commit that can't be erased, ErrNotFound
// if there is nothing to erase, and with the context's error. Then nothing was
// changed. Everything derived from content has to be rebuilt by the caller.
func (w *Wiki) Erase(ctx context.Context, e Erasure) (report ErasureReport, err error) {
	if err := e.check(); err != nil {
		return report, err
	}
	var next *head
	erase := func(q querier) (x *eraser, err error) {
		x, err = newEraser(w, q, e)
		if err == nil {
			err = x.plan(ctx)
		}
		return x, err
	}
	if e.DryRun {
		err = w.inSnapshot(ctx, func(q querier) error {
			x, err := erase(q)
			if err == nil {
				report = x.report
			}
			return err
		})
		return report, wrapError(err, "erase from %s", w.slug)
	}
	err = w.inWriteTx(ctx, func(t *tx) error {
		x, err := erase(t)
		if err != nil {
			return err
		}
		x.tx = t
		next, err = x.write(ctx)
		report = x.report
		return err
	}, func() {
		// No former bytes may be left on disk, not even in unused space.
		w.replaceHead(ctx, next, "overwriting erased bytes failed: they remain in unused space of the database")
	})
	if err != nil {
		return ErasureReport{}, wrapError(err, "erase from %s", w.slug)
	}
	if err := w.loadTakedowns(ctx); err != nil {
		return report, wrapError(err, "erase from %s", w.slug)
	}
	w.tellCommitted(next)
	return report, nil
}

// replaceHead makes a rewritten history the current one, clears the caches, and shrinks
// the database; if shrinking fails, it logs a warning. The caller holds
// the write lock: writers would wait for the database anyway.
func (w *Wiki) replaceHead(ctx context.Context, next *head, warning string) {
	w.head.Store(next)
	w.recent.clear()
	w.names.Store(nil)
	w.trees = treeCache{}
	if err := w.compact(context.WithoutCancel(ctx)); err != nil {
		w.o.Log.Warn(warning, "wiki", w.slug, "err", err)
	}
}

// tellCommitted reports new commits to Options.Committed.
func (w *Wiki) tellCommitted(next *head) {
	if w.o.Committed != nil {
		w.o.Committed(w.slug, next.seq)
	}
}

// compact rewrites the database without unused space and empties its write-ahead
// log. It waits a few seconds for readers.
func (w *Wiki) compact(ctx context.Context) error {
	_, err := w.writer.conn.ExecContext(ctx, "VACUUM")
	if err != nil {
		return err
	}
	for range 20 {
		if err = sqlite.TruncateLog(ctx, w.writer.conn); !errors.Is(err, sqlite.ErrBusy) {
			return err
		}
		time.Sleep(250 * time.Millisecond)
	}
	return err
}

func (e *Erasure) check() error {
	switch {
	case (e.Text == "") == (e.Commit == ""):
		return wiki.Problemf(wiki.ErrInvalid, "text", "Enter either a text or a revision to erase.")
	case e.Commit != "":
		return nil
	case len(e.Text) < MinErasedText || strings.TrimSpace(e.Text) == "":
		return wiki.Problemf(wiki.ErrInvalid, "text", "This text is too short: enter at least %d characters, so that nothing else matches.", MinErasedText)
	case strings.Contains(erasedText+erasedVersion+erasedToken, e.Text):
		return wiki.Problemf(wiki.ErrInvalid, "text", "This text can't be erased, because it is part of the note that replaces erased text.")
	case len(e.Text) > MaxErasedText:
		return wiki.Problemf(wiki.ErrTooLarge, "text", "This text is too long: the limit is %s.", formatBytes(MaxErasedText))
	case !utf8.ValidString(e.Text) || strings.ContainsRune(e.Text, 0):
		return wiki.Problemf(wiki.ErrInvalid, "text", "This text isn't valid UTF-8.")
	}
	return nil
}

// erasedText replaces an erased text, and erasedToken with random digits in names.
const (
	erasedText  = "[erased]"
	erasedToken = "erased-"
)

// erasedVersion is the content of a version whose text was erased as a whole.
const erasedVersion = "This version was erased.\n"

// erasedMessage is the message of a commit that was erased as a whole.
const erasedMessage = "Erased"

// ErasureMessage is the message of the commit that records an erasure.
const ErasureMessage = "Erase part of the history"

// An eraser plans and writes one erasure.
type eraser struct {
	w    *Wiki
	q    querier
	tx   *tx // nil while planning
	e    Erasure
	now  time.Time
	slug string

	texts [][]byte // spellings of the text, with each kind of line end
	token string   // replaces the text in file names
	seq   int64    // of the commit to erase, or 0

	blobs   map[string]rewrittenBlob // by former id
	commits map[string]string        // new ids by former ids
	first   int64                    // number of the first commit to rewrite
	side    *sideObjects             // nil if there is no imported pack
	report  ErasureReport
}

// A rewrittenBlob is the successor of a blob.
type rewrittenBlob struct {
	id   string
	size int64
}

func newEraser(w *Wiki, q querier, e Erasure) (*eraser, error) {
	x := &eraser{w: w, q: q, e: e, slug: w.slug, now: w.o.Now(), blobs: map[string]rewrittenBlob{}, commits: map[string]string{}}
	var token [4]byte
	if _, err := rand.Read(token[:]); err != nil {
		return nil, err
	}
	x.token = erasedToken + hex.EncodeToString(token[:])
	if e.Text != "" {
		lf := strings.ReplaceAll(e.Text, "\r\n", "\n")
		x.texts = [][]byte{[]byte(lf)}
		if crlf := strings.ReplaceAll(lf, "\n", "\r\n"); crlf != lf {
			x.texts = append(x.texts, []byte(crlf))
		}
	}
	return x, nil
}

// has reports whether data contains the text.
func (x *eraser) has(data []byte) bool {
	for _, text := range x.texts {
		if bytes.Contains(data, text) {
			return true
		}
	}
	return false
}

// eraseIn returns data without the text.
func (x *eraser) eraseIn(data []byte) []byte {
	for _, text := range x.texts {
		data = bytes.ReplaceAll(data, text, []byte(erasedText))
	}
	return data
}

// eraseBlob returns a blob's new content. In an erasure of a commit only the
// commit's own blobs change.
func (x *eraser) eraseBlob(id string, data []byte) []byte {
	if x.seq == 0 {
		return x.eraseIn(data)
	}
	if _, ok := x.blobs[id]; ok {
		return []byte(erasedVersion)
	}
	return data
}

// erasePath returns a path without the text. Pages stay pages.
func (x *eraser) erasePath(path string) string {
	if len(x.texts) == 0 || !x.has([]byte(path)) {
		return path
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = x.eraseName(s)
	}
	return strings.Join(segments, "/")
}

// eraseName is erasePath for the name of one file or folder.
func (x *eraser) eraseName(name string) string {
	for _, text := range x.texts {
		stem, page := strings.CutSuffix(name, ".md")
		if page && bytes.HasSuffix(text, []byte(".md")) {
			stem = name
		}
		erased := strings.ReplaceAll(stem, string(text), x.token)
		if erased == stem {
			continue
		}
		if name = erased; page && !strings.HasSuffix(erased, ".md") {
			name += ".md"
		}
	}
	return name
}

// plan finds everything to rewrite.
func (x *eraser) plan(ctx context.Context) error {
	find := x.findText
	if x.e.Commit != "" {
		find = x.findCommit
	}
	if err := find(ctx); err != nil {
		return err
	}
	if err := x.readSideObjects(ctx); err != nil {
		return err
	}
	if err := x.findFirst(ctx); err != nil {
		return err
	}
	if err := x.countDrafts(ctx); err != nil {
		return err
	}
	x.report.Versions += len(x.blobs)
	if x.first == 0 && x.report.Drafts == 0 {
		return wiki.Problemf(wiki.ErrNotFound, "text", "This text isn't anywhere in the wiki or its history. Nothing was changed.")
	}
	if x.first > 0 {
		return x.count(ctx, &x.report.Rewritten, "SELECT COUNT(*) FROM commits WHERE wiki = $1 AND seq >= $2", x.slug, x.first)
	}
	return nil
}

func (x *eraser) count(ctx context.Context, n *int, query string, args ...any) error {
	return x.q.queryRow(ctx, query, args...).Scan(n)
}

// findText finds the blobs that contain the text.
func (x *eraser) findText(ctx context.Context) error {
	return forEachBlob(ctx, x.q, x.slug, func(id string, text []byte) error {
		if x.has(text) {
			x.addBlob(id, x.eraseIn(text))
		}
		return nil
	})
}

func (x *eraser) addBlob(id string, text []byte) {
	x.blobs[id] = rewrittenBlob{gitrepo.ObjectID("blob", text), int64(len(text))}
}

// findCommit finds the blobs that the commit wrote. A blob that is current can't
// be erased like this: the file would lose its text.
func (x *eraser) findCommit(ctx context.Context) error {
	c, err := x.w.CommitByID(ctx, x.e.Commit)
	if err != nil {
		return err
	}
	x.seq = c.Seq
	for _, ch := range c.Changes {
		if ch.New == "" || ch.New == ch.Old || ch.New == gitrepo.ObjectID("blob", []byte(erasedVersion)) {
			continue
		}
		var current string
		err := x.q.queryRow(ctx, "SELECT path FROM files WHERE wiki = $1 AND blob = $2 LIMIT 1", x.slug, ch.New).Scan(&current)
		if err == nil {
			return wiki.Problemf(wiki.ErrInvalid, "revision", "This revision is the current version of %q. Edit the page first, then erase the revision.", strings.TrimSuffix(current, ".md"))
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var kept int
		if err := x.count(ctx, &kept, "SELECT COUNT(*) FROM blobs WHERE wiki = $1 AND oid = $2", x.slug, ch.New); err != nil {
			return err
		}
		if kept > 0 {
			x.addBlob(ch.New, []byte(erasedVersion))
		}
	}
	return nil
}

// findFirst finds the first commit that changes, and counts messages.
func (x *eraser) findFirst(ctx context.Context) error {
	note := func(seq int64) {
		if x.first == 0 || seq < x.first {
			x.first = seq
		}
	}
	if x.seq != 0 {
		note(x.seq)
		x.report.Messages = 1
	}
	err := forEachRow(ctx, x.q, func(rows *sql.Rows) error {
		var seq int64
		var path, from, blob string
		if err := rows.Scan(&seq, &path, &from, &blob); err != nil {
			return err
		}
		if _, ok := x.blobs[blob]; ok || x.erasePath(path) != path || x.erasePath(from) != from {
			note(seq)
		}
		return nil
	}, "SELECT seq, path, from_path, new FROM changes WHERE wiki = $1", x.slug)
	if err != nil {
		return err
	}
	err = forEachRow(ctx, x.q, func(rows *sql.Rows) error {
		var seq int64
		var raw sql.RawBytes
		var imported bool
		if err := rows.Scan(&seq, &raw, &imported); err != nil {
			return err
		}
		if len(x.texts) > 0 && x.has(raw) && !bytes.Equal(x.rewriteCommitText(raw, imported), raw) {
			note(seq)
			x.report.Messages++
		}
		return nil
	}, "SELECT seq, raw, imported FROM commits WHERE wiki = $1", x.slug)
	if err != nil {
		return err
	}
	if x.side.changed() {
		note(1)
	}
	return forEachRow(ctx, x.q, func(rows *sql.Rows) error {
		var path, blob string
		err := rows.Scan(&path, &blob)
		if _, ok := x.blobs[blob]; ok || x.erasePath(path) != path {
			x.report.Files++
		}
		return err
	}, "SELECT path, blob FROM files WHERE wiki = $1", x.slug)
}

// A storedDraft is a row of drafts.
type storedDraft struct {
	did, key string
	Draft
}

// affectedDrafts returns the drafts that contain the text.
func (x *eraser) affectedDrafts(ctx context.Context) (list []storedDraft, err error) {
	if len(x.texts) == 0 {
		return nil, nil
	}
	err = forEachRow(ctx, x.q, func(rows *sql.Rows) error {
		var d storedDraft
		if err := rows.Scan(&d.did, &d.key, &d.Path, &d.Text, &d.Message); err != nil {
			return err
		}
		if x.has(d.Text) || x.has([]byte(d.Path)) || x.has([]byte(d.Message)) {
			list = append(list, d)
		}
		return nil
	}, "SELECT did, key, path, text, message FROM drafts WHERE wiki = $1", x.slug)
	return list, err
}

func (x *eraser) countDrafts(ctx context.Context) error {
	list, err := x.affectedDrafts(ctx)
	if err != nil {
		return err
	}
	files, err := x.affectedDraftFiles(ctx)
	if err != nil {
		return err
	}
	proposals, err := x.affectedProposals(ctx)
	x.report.Drafts = len(list) + len(files) + len(proposals)
	return err
}

// write writes everything that the plan found, and the commit that records it.
func (x *eraser) write(ctx context.Context) (*head, error) {
	steps := []func(context.Context) error{x.writeBlobs, x.rewriteHistory, x.eraseMerges, x.eraseTakings, x.eraseImports, x.rewriteSide, x.rewriteFiles, x.rewriteDrafts, x.rewriteDraftFiles, x.eraseProposals, x.rewriteRequests, x.rewriteTakedowns, x.deleteFormerBlobs}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return x.recordErasure()
}

// writeBlobs writes the new blobs. The former ones stay until all else is written.
func (x *eraser) writeBlobs(ctx context.Context) error {
	for former, next := range x.blobs {
		if err := ctx.Err(); err != nil {
			return err
		}
		text, err := readBlob(ctx, x.tx, x.slug, former)
		if errors.Is(err, wiki.ErrNotFound) && x.side.has(former) {
			continue // only in the imported pack
		}
		if err != nil {
			return err
		}
		text = x.eraseBlob(former, text)
		if gitrepo.ObjectID("blob", text) != next.id {
			return fmt.Errorf("blob %s: %w", former, ErrMismatch)
		}
		if _, err := x.tx.insertBlob(next.id, next.size, deflate(text)); err != nil {
			return err
		}
	}
	return nil
}

func (x *eraser) deleteFormerBlobs(ctx context.Context) error {
	err := x.tx.detach(ctx, func(id string) bool { _, ok := x.blobs[id]; return ok })
	if err != nil {
		return err
	}
	for former, next := range x.blobs {
		if err := x.tx.deleteBlob(former); err != nil {
			return err
		}
		if err := x.replace(former, next.id); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// replace records the successor of an id.
func (x *eraser) replace(former, successor string) error {
	if err := x.tx.exec("DELETE FROM replaced WHERE wiki = $1 AND oid = $2", x.slug, successor); err != nil {
		return err
	}
	return x.tx.exec("INSERT INTO replaced (wiki, oid, successor) VALUES ($1, $2, $3) ON CONFLICT (wiki, oid) DO UPDATE SET successor = excluded.successor", x.slug, former, successor)
}

// rewriteFiles moves the current files to their new blobs and names, and finds the
// links of those that changed.
func (x *eraser) rewriteFiles(ctx context.Context) error {
	type change struct{ path, blob string }
	var changes []change
	err := forEachRow(ctx, x.tx, func(rows *sql.Rows) error {
		var c change
		err := rows.Scan(&c.path, &c.blob)
		if _, ok := x.blobs[c.blob]; ok || x.erasePath(c.path) != c.path {
			changes = append(changes, c)
		}
		return err
	}, "SELECT path, blob FROM files WHERE wiki = $1", x.slug)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if err := x.rewriteFile(ctx, c.path, c.blob); err != nil {
			return err
		}
	}
	return nil
}

func (x *eraser) rewriteFile(ctx context.Context, path, blob string) error {
	to := x.erasePath(path)
	if to != path {
		if err := x.tx.setLinks(path, nil); err != nil {
			return err
		}
		if err := x.tx.exec("UPDATE files SET path = $3, dir = $4, key = $5 WHERE wiki = $1 AND path = $2", x.slug, path, to, parentFolder(to), wiki.Key(to)); err != nil {
			return err
		}
	}
	if next, ok := x.blobs[blob]; ok {
		if err := x.tx.exec("UPDATE files SET blob = $3, size = $4 WHERE wiki = $1 AND path = $2", x.slug, to, next.id, next.size); err != nil {
			return err
		}
		blob = next.id
	}
	if _, page := wiki.PageOf(to); !page || x.w.MayRead(blob) != nil {
		return nil
	}
	var mode uint32
	if err := x.tx.queryRow(ctx, "SELECT mode FROM files WHERE wiki = $1 AND path = $2", x.slug, to).Scan(&mode); err != nil || !isRegular(mode) {
		return err
	}
	text, err := readBlob(ctx, x.tx, x.slug, blob)
	if err != nil {
		return err
	}
	return x.tx.setLinks(to, x.w.findLinks(to, text))
}

// rewriteDrafts erases the text from drafts, and moves drafts to the new bases.
func (x *eraser) rewriteDrafts(ctx context.Context) error {
	list, err := x.affectedDrafts(ctx)
	if err != nil {
		return err
	}
	for _, d := range list {
		path := x.erasePath(d.Path)
		if err := x.tx.exec("UPDATE drafts SET key = $4, path = $5, text = $6, message = $7 WHERE wiki = $1 AND did = $2 AND key = $3",
			x.slug, d.did, d.key, wiki.Key(path), path, nonNil(x.eraseIn(d.Text)), string(x.eraseIn([]byte(d.Message)))); err != nil {
			return err
		}
		if err := x.tx.exec("UPDATE OR REPLACE draft_files SET key = $4 WHERE wiki = $1 AND did = $2 AND key = $3", x.slug, d.did, d.key, wiki.Key(path)); err != nil {
			return err
		}
	}
	for former, next := range x.blobs {
		if err := x.tx.exec("UPDATE drafts SET base = $3 WHERE wiki = $1 AND base = $2", x.slug, former, next.id); err != nil {
			return err
		}
	}
	return nil
}

var hexIDs = regexp.MustCompile(`\b[0-9a-f]{40}\b`)

// rewriteRequests puts the new ids into the results of requests that can be
// retried. Results that contain the text are dropped.
func (x *eraser) rewriteRequests(ctx context.Context) error {
	type result struct {
		caller, key string
		json        []byte
	}
	var list []result
	err := forEachRow(ctx, x.tx, func(rows *sql.Rows) error {
		var r result
		err := rows.Scan(&r.caller, &r.key, &r.json)
		list = append(list, r)
		return err
	}, "SELECT caller, key, result FROM requests WHERE wiki = $1", x.slug)
	if err != nil {
		return err
	}
	for _, r := range list {
		if x.has(r.json) {
			err = x.tx.exec("DELETE FROM requests WHERE wiki = $1 AND caller = $2 AND key = $3", x.slug, r.caller, r.key)
		} else {
			err = x.tx.exec("UPDATE requests SET result = $4 WHERE wiki = $1 AND caller = $2 AND key = $3", x.slug, r.caller, r.key, hexIDs.ReplaceAllFunc(r.json, x.successorOf))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// successorOf returns the new id of a blob or commit, or the same id.
func (x *eraser) successorOf(id []byte) []byte {
	if next, ok := x.blobs[string(id)]; ok {
		return []byte(next.id)
	}
	if next, ok := x.commits[string(id)]; ok {
		return []byte(next)
	}
	return id
}

// rewriteTakedowns keeps takedowns on the blobs they hide.
func (x *eraser) rewriteTakedowns(ctx context.Context) error {
	for former, next := range x.blobs {
		if err := x.tx.exec("INSERT INTO withheld SELECT wiki, $3, path, why, time FROM withheld WHERE wiki = $1 AND blob = $2 ON CONFLICT (wiki, blob) DO NOTHING", x.slug, former, next.id); err != nil {
			return err
		}
		if err := x.tx.exec("DELETE FROM withheld WHERE wiki = $1 AND blob = $2", x.slug, former); err != nil {
			return err
		}
	}
	var paths []string
	err := forEachRow(ctx, x.tx, func(rows *sql.Rows) error {
		var path string
		err := rows.Scan(&path)
		if x.erasePath(path) != path {
			paths = append(paths, path)
		}
		return err
	}, "SELECT DISTINCT path FROM withheld WHERE wiki = $1", x.slug)
	for _, path := range paths {
		err = errors.Join(err, x.tx.exec("UPDATE withheld SET path = $3 WHERE wiki = $1 AND path = $2", x.slug, path, x.erasePath(path)))
	}
	return err
}
