package content

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"robot.wtf/internal/background"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// requestLifetime is how long the results of requests are kept for retries.
const requestLifetime = 24 * time.Hour

// Commit applies edits as one commit. It takes the wiki's write lock, merges edits
// whose base is outdated, writes blobs, trees, changes and the commit object, and
// moves the head, in one transaction with a full sync. Edits that change nothing
// make no commit; a retry of an idempotent request returns its first result.
//
// Errors: *wiki.ConflictError, ErrPrecondition, ErrExists (Move onto a file),
// ErrNotFound (Delete, Move), ErrInvalid, ErrTooLarge, ErrQuota, ErrStorage; the
// context's error only if nothing was written.
func (w *Wiki) Commit(ctx context.Context, r Request) (Result, error) {
	clock := newStopwatch(w.o.Measured)
	res, err := w.mergeOrCommit(ctx, r, clock)
	clock.stop(res, err)
	return res, err
}

func (w *Wiki) mergeOrCommit(ctx context.Context, r Request, clock *stopwatch) (Result, error) {
	if err := r.check(); err != nil {
		return Result{}, err
	}
	ready := w.prepare(&r)
	clock.lap(&clock.Prepare)
	res, err := w.commit(ctx, r, ready, false, clock)
	var needed *mergeError
	if !errors.As(err, &needed) {
		return res, err
	}
	release, err := acquireCompare(ctx, w.compare, w.slug, needed.bytes) // the caller may have AcquireLarge
	if err != nil {
		return Result{}, wrapError(err, "commit %s", w.slug)
	}
	defer release()
	return w.commit(ctx, r, ready, true, clock)
}

// A mergeError ends a transaction that needs a merge. Merging waits for the budget
// for comparisons, and nobody may wait under the write lock.
type mergeError struct{ bytes int }

func (e *mergeError) Error() string { return fmt.Sprintf("%d bytes need a merge", e.bytes) }

func (w *Wiki) commit(ctx context.Context, r Request, ready map[*Edit]*prepared, mayMerge bool, clock *stopwatch) (Result, error) {
	s := &staging{r: &r, ready: ready, mayMerge: mayMerge, files: map[string]*staged{}}
	var res Result
	var next *head
	err := w.inWriteTx(ctx, func(t *tx) (err error) {
		clock.lap(&clock.Wait)
		defer clock.lap(&clock.Stage)
		s.tx = t
		now := w.o.Now()
		if res, err = replayRequest(t.context(), t, t.w.slug, &r, now); err != nil || res.Replayed {
			return err
		}
		if res, err = s.applyAndRecord(now); err != nil {
			return err
		}
		if !res.Unchanged {
			next = &head{s.meta.seq, s.meta.head}
		}
		if r.Accepts != nil {
			if err := t.decide(r.Author.Grant, r.Accepts.By, r.Accepts.Files, Accepted, ""); err != nil {
				return err
			}
		}
		if r.DropDraft != "" {
			if err := t.dropSavedDraft(r.Author.User.DID, r.DropDraft, r.DropFiles); err != nil {
				return err
			}
		}
		return t.rememberResult(&r, now, res)
	}, func() {
		clock.lap(&clock.Sync)
		if next != nil {
			w.head.Store(next)
			w.recent.update(s.order, next.seq)
			w.trees.advance(s.before, next.id, s.trees)
		}
	})
	if err != nil {
		return Result{}, wrapError(err, "commit %s", w.slug)
	}
	if next != nil {
		w.tellCommitted(next)
	}
	return res, nil
}

func (r *Request) check() error {
	if len(r.Edits) == 0 {
		return wiki.Problemf(wiki.ErrInvalid, "", "There is nothing to save.")
	}
	if len(r.Message) > 10_000 {
		return wiki.Problemf(wiki.ErrTooLarge, "message", "The message is too long: the limit is 10,000 bytes.")
	}
	if r.Author.User.DID == "" {
		return fmt.Errorf("content: commit by %+v: the author has no DID", r.Author.User)
	}
	return nil
}

// A prepared blob is the part of an edit's work that needs no lock. It is done for
// the text as sent, which is stored unless it has to be merged.
type prepared struct {
	id       string // of the blob
	deflated []byte
	path     string             // of the page with these links
	links    func() []wiki.Link // waits until they are found
}

// syncLinksBytes is the size from which a text's links are found before the write
// lock is taken. A smaller text's links are found while the rest is written.
const syncLinksBytes = 32 << 10 // bytes

func (w *Wiki) prepare(r *Request) map[*Edit]*prepared {
	ready := make(map[*Edit]*prepared, len(r.Edits))
	for i := range r.Edits {
		e := &r.Edits[i]
		if e.Op == Delete || e.Data == nil || int64(len(e.Data)) > max(r.Limits.PageBytes, r.Limits.AttachmentBytes) {
			continue
		}
		path := e.Path
		if e.Op == Move {
			path = e.To
		}
		data := e.Data // the caller can change the edit once the commit has failed
		p := &prepared{path: path, links: background.Start(func() []wiki.Link { return w.findLinks(path, data) }).Wait}
		p.id, p.deflated = gitrepo.ObjectID("blob", data), deflate(data)
		if len(r.Edits) > 1 || len(data) >= syncLinksBytes {
			p.links()
		}
		ready[e] = p
	}
	return ready
}

func (w *Wiki) findLinks(path string, data []byte) []wiki.Link {
	name, ok := wiki.PageOf(path)
	if !ok || w.o.Links == nil {
		return nil
	}
	text, _ := wiki.DecodeText(data)
	return w.o.Links(name, text)
}

// callerKey identifies the caller of an idempotent request: a person and a grant.
func callerKey(c wiki.Caller) string { return c.User.DID + " " + c.Grant }

// idempotencyWindow returns how long a retry of the request gets its result.
func (r *Request) idempotencyWindow() time.Duration {
	if r.IdempotencyWindow > 0 {
		return min(r.IdempotencyWindow, requestLifetime)
	}
	return requestLifetime
}

// Replay returns the result of an earlier request with the same idempotency key,
// caller and hash, marked Replayed; the zero Result if there is none. ErrInvalid
// if the key was used for another request.
func (w *Wiki) Replay(ctx context.Context, r Request) (Result, error) {
	res, err := replayRequest(ctx, w, w.slug, &r, w.o.Now())
	return res, wrapError(err, "replay a request of %s", w.slug)
}

func replayRequest(ctx context.Context, q querier, slug string, r *Request, now time.Time) (res Result, err error) {
	if r.IdempotencyKey == "" {
		return res, nil
	}
	var hash string
	var raw []byte
	err = q.queryRow(ctx, "SELECT hash, result FROM requests WHERE wiki = $1 AND caller = $2 AND key = $3 AND time > $4",
		slug, callerKey(r.Author), r.IdempotencyKey, now.Add(-r.idempotencyWindow()).UnixMilli()).Scan(&hash, &raw)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return res, nil
	case err != nil:
		return res, err
	case hash != r.IdempotencyHash:
		return res, wiki.Problemf(wiki.ErrInvalid, "Idempotency-Key", "This idempotency key was used for another request. Use a new one for each change.")
	}
	err = json.Unmarshal(raw, &res)
	res.Replayed = true
	return res, err
}

func (t *tx) rememberResult(r *Request, now time.Time, res Result) error {
	if r.IdempotencyKey == "" {
		return nil
	}
	raw, err := json.Marshal(res)
	if err != nil {
		return err
	}
	if err := t.exec("DELETE FROM requests WHERE wiki = $1 AND time <= $2", t.w.slug, now.Add(-requestLifetime).UnixMilli()); err != nil {
		return err
	}
	return t.exec("INSERT INTO requests VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (wiki, caller, key) DO UPDATE SET hash = excluded.hash, result = excluded.result, time = excluded.time", t.w.slug, callerKey(r.Author), r.IdempotencyKey, r.IdempotencyHash, raw, now.UnixMilli())
}

// A staging applies a request's edits in memory before anything is written.
type staging struct {
	tx     *tx
	r      *Request
	meta   meta
	before string // the head that the edits apply to
	ready  map[*Edit]*prepared
	// mayMerge says that the request holds a part of the budget for comparisons.
	mayMerge bool
	files    map[string]*staged // by key
	order    []*staged
	out      []outcome
	trees    map[string][]gitrepo.TreeEntry // of the folders that changed
	blob     string                         // the one that is stored in the commit's row
	data     storedBlob                     // its content
}

// meta is a wiki's row of counters.
type meta struct {
	seq, time, current, history int64
	head                        string
	pages, files                int
}

// An outcome is the result of an edit. The file's path is known only after
// spellFolders.
type outcome struct {
	file *staged
	EditResult
}

// A staged file is a key, with the file that has it at the head, if any, and the
// file that will have it after the commit.
type staged struct {
	key string
	old wiki.File // Path is "" if there was none

	path string // after the commit; "" if there will be no file
	blob string
	mode uint32
	size int64
	data []byte // of a new blob, else nil
	// ready is the work done on data in advance; nil after a merge.
	ready *prepared
	// was has the old file that this one continues: itself, or a file that was
	// moved here. It is nil for a new file.
	was  *staged
	gone *staged // where these edits moved the old file
	into *staged // the file that took over the old one's content
}

// stageFile returns a file in the state that the edits so far have left it in.
func (s *staging) stageFile(path string) (*staged, error) {
	key := wiki.Key(path)
	if f, ok := s.files[key]; ok {
		return f, nil
	}
	f := &staged{key: key}
	err := s.tx.queryRow(s.tx.context(), "SELECT path, blob, mode, size, seq FROM files WHERE wiki = $1 AND key = $2", s.tx.w.slug, key).
		Scan(&f.old.Path, &f.old.Blob, &f.old.Mode, &f.old.Size, &f.old.Seq)
	if err == nil {
		f.was = f
	} else if !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	f.path, f.blob, f.mode, f.size = f.old.Path, f.old.Blob, f.old.Mode, f.old.Size
	s.files[key] = f
	s.order = append(s.order, f)
	return f, nil
}

// vacate frees a key whose file is deleted or moved.
func (f *staged) vacate() {
	f.path, f.blob, f.mode, f.size, f.data, f.ready, f.was = "", "", 0, 0, nil, nil, nil
}

// setContent sets a file's content.
func (f *staged) setContent(data []byte, ready *prepared) {
	f.data, f.ready, f.size = data, ready, int64(len(data))
	if ready != nil {
		f.blob = ready.id
	} else {
		f.blob = gitrepo.ObjectID("blob", data)
	}
	if f.mode == 0 {
		f.mode = gitrepo.ModeFile
	}
}

// applyAndRecord makes the commit, unless the edits change nothing.
func (s *staging) applyAndRecord(now time.Time) (res Result, err error) {
	m := &s.meta
	if err := s.tx.queryRow(s.tx.context(), "SELECT seq, head, time, pages, files, current_bytes, history_bytes FROM meta WHERE wiki = $1", s.tx.w.slug).
		Scan(&m.seq, &m.head, &m.time, &m.pages, &m.files, &m.current, &m.history); err != nil {
		return res, err
	}
	s.before = m.head
	for i := range s.r.Edits {
		if err := s.applyEdit(&s.r.Edits[i]); err != nil {
			return res, err
		}
	}
	if err := s.spellFolders(); err != nil {
		return res, err
	}
	for _, o := range s.out {
		if o.Blob != "" {
			o.Path = o.file.path
		}
		res.Files = append(res.Files, o.EditResult)
	}
	changes := s.collectChanges()
	if len(changes) == 0 {
		res.Unchanged = true
		res.Commit, err = s.lastCommitOf(res.Files[0].Path)
	} else {
		res.Commit, err = s.recordCommit(now, changes)
	}
	if from := s.r.Import; err == nil && from != nil && !res.Unchanged {
		err = s.tx.insertImport(res.Commit.Seq, res.Commit.Seq, *from)
	}
	return res, err
}

func (s *staging) applyEdit(e *Edit) error {
	f, err := s.stageFile(e.Path)
	if err != nil {
		return err
	}
	switch e.Op {
	case Delete:
		return s.applyDelete(f, e)
	case Move:
		return s.applyMove(f, e)
	}
	return s.applyPut(f, e)
}

func (s *staging) applyDelete(f *staged, e *Edit) error {
	if err := checkBase(f, e); err != nil {
		return err
	}
	if e.To != "" {
		into, err := s.stageFile(e.To)
		if err != nil {
			return err
		}
		f.into = into
	}
	s.out = append(s.out, outcome{f, EditResult{Path: f.path}})
	f.vacate()
	return nil
}

// checkBase checks that a file to delete or move exists and is unchanged.
func checkBase(f *staged, e *Edit) error {
	if f.path == "" {
		return wiki.Problemf(wiki.ErrNotFound, "path", "%q doesn't exist.", e.Path)
	}
	if e.Base != BaseAny && e.Base != f.blob {
		return wiki.Problemf(wiki.ErrPrecondition, "revision", "%q has changed since you read it. Read it again.", f.path)
	}
	return nil
}

func (s *staging) applyMove(f *staged, e *Edit) error {
	if err := checkBase(f, e); err != nil {
		return err
	}
	if err := checkPath(e.To); err != nil {
		return err
	}
	to, err := s.stageFile(e.To)
	if err != nil {
		return err
	}
	if to != f {
		if to.path != "" {
			return wiki.Problemf(wiki.ErrExists, "new_path", "%q already exists.", to.path)
		}
		to.blob, to.mode, to.size, to.data, to.ready, to.was = f.blob, f.mode, f.size, f.data, f.ready, f.was
		f.vacate()
		f.gone = to
	}
	to.path = e.To
	if e.Data != nil {
		to.setContent(e.Data, s.ready[e])
	}
	s.out = append(s.out, outcome{to, EditResult{Blob: to.blob, Size: to.size}})
	return nil
}

// checkPath rejects paths that git can't store, as a last defense: callers check
// names in full.
func checkPath(path string) error {
	bad := path == "" || len(path) > wiki.MaxNameBytes || !utf8.ValidString(path) || strings.ContainsRune(path, 0)
	for segment := range strings.SplitSeq(path, "/") {
		bad = bad || segment == "" || segment == "." || segment == ".." || strings.EqualFold(segment, ".git")
	}
	if bad {
		return wiki.Problemf(wiki.ErrInvalid, "path", "%.250q isn't a valid file name.", path)
	}
	return nil
}

func (s *staging) applyPut(f *staged, e *Edit) error {
	if f.path == "" && e.Base != BaseNone && e.Base != BaseAny {
		var err error
		if f, err = s.followBase(f, e); err != nil {
			return err
		}
	}
	if f.path != "" && !isRegular(f.mode) {
		return wiki.Problemf(wiki.ErrInvalid, "path", "%q is a link from an import, which can't be changed here. Choose another name.", f.path)
	}
	data, ready := e.Data, s.ready[e]
	out := EditResult{Created: f.path == ""}
	switch {
	case f.path == "" && f.old.Path != "" && f.gone == nil: // deleted by this request
		f.path, f.was = f.old.Path, f
	case f.path == "":
		if err := checkPath(e.Path); err != nil {
			return err
		}
		f.path = e.Path
	case e.Base == BaseAny || e.Base == f.blob:
	case e.Strict && e.Base == BaseNone:
		return wiki.Problemf(wiki.ErrPrecondition, "", "%q already exists.", f.path)
	case gitrepo.ObjectID("blob", data) == f.blob:
	case e.Strict:
		return wiki.Problemf(wiki.ErrPrecondition, "revision", "%q has changed since you read it. Read it again.", f.path)
	default:
		merged, err := s.mergeEdit(f, e)
		if err != nil {
			return err
		}
		data, ready, out.Merged = merged, nil, true
	}
	f.setContent(data, ready)
	out.Blob, out.Size = f.blob, f.size
	s.out = append(s.out, outcome{f, out})
	return nil
}

// followBase finds the file of an edit with a base when no file has the edit's
// path: this request or an earlier one has moved it. If the file was deleted, it
// fails with a conflict.
func (s *staging) followBase(f *staged, e *Edit) (*staged, error) {
	for f.path == "" && f.gone != nil {
		f = f.gone
	}
	if f.path == "" && f.old.Path == "" {
		to, err := resolveMove(s.tx.context(), s.tx, s.tx.w.slug, f.key)
		if err == nil {
			f, err = s.stageFile(to)
		}
		if err != nil && !errors.Is(err, wiki.ErrNotFound) {
			return nil, err
		}
	}
	if f.path != "" {
		return f, nil
	}
	base, _, err := s.readBase(e.Path, e.Base)
	if err != nil {
		return nil, err
	}
	return nil, &wiki.ConflictError{Path: e.Path, Deleted: true, BaseBlob: e.Base, Base: base, Yours: e.Data, Merged: e.Data}
}

// readBase reads the base of an edit. It fails with ErrInvalid if the file never
// had that blob. If the blob was erased, it returns the rest, and erased: a merge
// with it would bring the erased text back.
func (s *staging) readBase(path, blob string) (base []byte, erased bool, err error) {
	ctx, slug := s.tx.context(), s.tx.w.slug
	had, err := everHadBlob(ctx, s.tx, slug, path, blob)
	if err != nil {
		return nil, false, err
	}
	if !had {
		former := blob
		if blob, err = lastSuccessor(ctx, s.tx, slug, blob); err != nil {
			return nil, false, err
		}
		if erased = blob != former; !erased {
			return nil, false, wiki.Problemf(wiki.ErrInvalid, "revision", "This wiki has no revision %.12s of %q. Read the page again.", blob, path)
		}
	}
	if err := s.tx.w.MayRead(blob); err != nil {
		return nil, false, err
	}
	base, err = readBlob(ctx, s.tx, slug, blob)
	return base, erased, err
}

// readCurrent reads a file's content as the edits so far have left it.
func (s *staging) readCurrent(f *staged) ([]byte, error) {
	if f.data != nil {
		return f.data, nil
	}
	if err := s.tx.w.MayRead(f.blob); err != nil {
		return nil, err
	}
	return readBlob(s.tx.context(), s.tx, s.tx.w.slug, f.blob)
}

// mergeEdit merges an edit with the changes made since its base. An edit that was
// meant to create a file conflicts with the whole existing file.
func (s *staging) mergeEdit(f *staged, e *Edit) ([]byte, error) {
	theirs, err := s.readCurrent(f)
	if err != nil {
		return nil, err
	}
	conflict := &wiki.ConflictError{Path: f.path, BaseBlob: e.Base, TheirBlob: f.blob, Theirs: theirs, Yours: e.Data, Merged: e.Data}
	if e.Base == BaseNone {
		if !isBinary(theirs) && !isBinary(e.Data) {
			conflict.AddHunk(wiki.Hunk{BaseLine: 1, TheirLine: 1, YourLine: 1, Theirs: string(theirs), Yours: string(e.Data)})
		}
		return nil, conflict
	}
	from := f.path
	if f.was != nil {
		from = f.was.old.Path
	}
	var erased bool
	if conflict.Base, erased, err = s.readBase(from, e.Base); err != nil {
		return nil, err
	}
	if _, page := wiki.PageOf(f.path); page {
		conflict.Base, _ = wiki.DecodeText(conflict.Base)
		theirs, _ = wiki.DecodeText(theirs)
		conflict.Theirs = theirs
	}
	// Merged bytes in different encodings would be readable in none.
	mixed := !utf8.Valid(conflict.Base) || !utf8.Valid(theirs) || !utf8.Valid(e.Data)
	if erased || mixed || isBinary(conflict.Base) || isBinary(theirs) || isBinary(e.Data) {
		return nil, conflict
	}
	if !s.mayMerge {
		return nil, &mergeError{len(conflict.Base) + len(e.Data) + len(theirs)}
	}
	m := merge.Three(conflict.Base, e.Data, theirs)
	if m.Clean() {
		return m.Text, nil
	}
	conflict.Merged = m.Text
	for _, c := range m.Conflicts {
		conflict.AddHunk(wiki.Hunk{
			BaseLine: c.Base.Start + 1, YourLine: c.Ours.Start + 1, TheirLine: c.Theirs.Start + 1,
			Base: c.BaseText, Yours: c.OursText, Theirs: c.TheirsText,
		})
	}
	return nil, conflict
}

func isBinary(data []byte) bool { return bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 }

// A stagedChange is a change with its file, nil for a deletion.
type stagedChange struct {
	wiki.Change
	file *staged
}

// collectChanges compares the staged files with the head and returns the changes,
// sorted by path. If a file moves onto one that these edits delete, the deletion
// comes first.
func (s *staging) collectChanges() []stagedChange {
	continued := map[*staged]bool{}
	for _, f := range s.order {
		if f.path != "" && f.was != nil {
			continued[f.was] = true
		}
	}
	var list []stagedChange
	for _, f := range s.order {
		if f.old.Path != "" && f.path != "" && f.was == nil && !continued[f] {
			f.was, continued[f] = f, true // deleted and written again counts as modified
		}
		if f.old.Path != "" && !continued[f] {
			ch := wiki.Change{Path: f.old.Path, Kind: wiki.Deleted, Old: f.old.Blob}
			if f.into != nil {
				ch.Into = f.into.path
			}
			list = append(list, stagedChange{ch, nil})
		}
		if ch, changed := f.change(); changed {
			list = append(list, stagedChange{ch, f})
		}
	}
	slices.SortStableFunc(list, func(a, b stagedChange) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// change returns how the commit changes a file.
func (f *staged) change() (wiki.Change, bool) {
	switch {
	case f.path == "":
		return wiki.Change{}, false
	case f.was == nil:
		return wiki.Change{Path: f.path, Kind: wiki.Added, New: f.blob}, true
	}
	old := &f.was.old
	if old.Path != f.path {
		return wiki.Change{Path: f.path, From: old.Path, Kind: wiki.Moved, Old: old.Blob, New: f.blob}, true
	}
	return wiki.Change{Path: f.path, Kind: wiki.Modified, Old: old.Blob, New: f.blob}, old.Blob != f.blob || old.Mode != f.mode
}
