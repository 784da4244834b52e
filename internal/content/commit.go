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
	"sync"
	"time"
	"unicode/utf8"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// requestLifetime is how long a retry is recognised.
const requestLifetime = 24 * time.Hour

// Commit is the only way that content changes. Errors: *wiki.ConflictError,
// ErrPrecondition, ErrExists (Move onto a file), ErrNotFound (Delete, Move),
// ErrInvalid, ErrTooLarge, ErrQuota, ErrStorage; the context's only when nothing
// was written.
func (w *Wiki) Commit(ctx context.Context, r Request) (Result, error) {
	clock := newStopwatch(w.o.Measured)
	res, err := w.commit(ctx, r, clock)
	clock.stop(res, err)
	return res, err
}

func (w *Wiki) commit(ctx context.Context, r Request, clock *stopwatch) (Result, error) {
	if err := r.check(); err != nil {
		return Result{}, err
	}
	s := &staging{r: &r, ready: w.prepare(&r), files: map[string]*staged{}}
	clock.lap(&clock.Prepare)
	var res Result
	var next *head
	err := w.inWriteTx(ctx, func(t *tx) (err error) {
		clock.lap(&clock.Wait)
		defer clock.lap(&clock.Stage)
		s.tx, s.ctx = t, t.ctx
		now := w.o.Now()
		if res, err = replayRequest(t.ctx, t, t.w.slug, &r, now); err != nil || res.Replayed {
			return err
		}
		if res, err = s.applyAndRecord(now); err != nil {
			return err
		}
		if !res.Unchanged {
			next = &head{s.meta.seq, s.meta.head}
		}
		if r.DropDraft != "" {
			if err := t.dropDraft(r.Author.User.DID, r.DropDraft); err != nil {
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
	if next != nil && w.o.Committed != nil {
		w.o.Committed(w.slug, next.seq)
	}
	return res, nil
}

func (r *Request) check() error {
	if len(r.Edits) == 0 {
		return wiki.Problemf(wiki.ErrInvalid, "", "There is nothing to save.")
	}
	if len(r.Message) > 10_000 {
		return wiki.Problemf(wiki.ErrTooLarge, "message", "The message is too long: it may have 10,000 bytes.")
	}
	if r.Author.User.DID == "" {
		return fmt.Errorf("content: commit by %+v: an author has a DID", r.Author.User)
	}
	return nil
}

// A prepared blob is the work on an edit that needs no lock: what a writer sends
// is mostly what is stored.
type prepared struct {
	id       string // of the blob
	deflated []byte
	path     string             // whose links these are
	links    func() []wiki.Link // waits until they are found
}

// syncLinksBytes is the size of a text whose links are found before the writer
// takes the wiki's turn; those of a smaller one are while the rest is written.
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
		data := e.Data // the edit is its writer's again when the commit is refused
		p := &prepared{path: path, links: runAsync(func() []wiki.Link { return w.findLinks(path, data) })}
		p.id, p.deflated = gitrepo.ObjectID("blob", data), deflate(data)
		if len(r.Edits) > 1 || len(data) >= syncLinksBytes {
			p.links()
		}
		ready[e] = p
	}
	return ready
}

// runAsync runs f in another goroutine; the answer waits for what it returns.
func runAsync[T any](f func() T) func() T {
	done := make(chan T, 1)
	go func() { done <- f() }()
	return sync.OnceValue(func() T { return <-done })
}

func (w *Wiki) findLinks(path string, data []byte) []wiki.Link {
	name, ok := wiki.PageOf(path)
	if !ok || w.o.Links == nil {
		return nil
	}
	return w.o.Links(name, data)
}

// callerKey tells apart who may retry what.
func callerKey(c wiki.Caller) string { return c.User.DID + " " + c.Grant }

// idempotencyWindow is how long a retry of this request is recognised.
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

// A staging collects what a request's edits come to before anything is written.
type staging struct {
	tx     *tx
	ctx    context.Context
	r      *Request
	meta   meta
	before string // the head that all this is based on
	ready  map[*Edit]*prepared
	files  map[string]*staged // by key
	order  []*staged
	out    []outcome
	trees  map[string][]gitrepo.TreeEntry // of the folders that changed
}

// meta is a wiki's row of counters.
type meta struct {
	seq, time, current, history int64
	head                        string
	pages, files                int
}

// An outcome is what an edit came to, about a file whose path is settled last.
type outcome struct {
	file *staged
	EditResult
}

// A staged file is a key with the file that has it at the head, if any, and the
// one that is to have it.
type staged struct {
	key string
	old wiki.File // Path is "" where there was none

	path string // to be; "" where there will be none
	blob string
	mode uint32
	size int64
	data []byte // of a new blob, else nil
	// ready is the work done on data; nil where it is merged.
	ready *prepared
	// was is whose old file this one continues: itself, or what was moved here;
	// nil for a new file.
	was  *staged
	gone *staged // where these edits moved the file that was here
}

// stageFile finds a file by its key, as the edits so far have left it.
func (s *staging) stageFile(path string) (*staged, error) {
	key := wiki.Key(path)
	if f, ok := s.files[key]; ok {
		return f, nil
	}
	f := &staged{key: key}
	err := s.tx.queryRow(s.ctx, "SELECT path, blob, mode, size, seq FROM files WHERE wiki = $1 AND key = $2", s.tx.w.slug, key).
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

// clear makes a key free, as its file is deleted or moved.
func (f *staged) vacate() {
	f.path, f.blob, f.mode, f.size, f.data, f.ready, f.was = "", "", 0, 0, nil, nil, nil
}

// fill gives a file its content.
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

// run makes the commit, or finds that nothing changes.
func (s *staging) applyAndRecord(now time.Time) (res Result, err error) {
	m := &s.meta
	if err := s.tx.queryRow(s.ctx, "SELECT seq, head, time, pages, files, current_bytes, history_bytes FROM meta WHERE wiki = $1", s.tx.w.slug).
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
	s.out = append(s.out, outcome{f, EditResult{Path: f.path}})
	f.vacate()
	return nil
}

// checkBase checks that a file to be deleted or moved is there, as it was read.
func checkBase(f *staged, e *Edit) error {
	if f.path == "" {
		return wiki.Problemf(wiki.ErrNotFound, "path", "There is no %q to change.", e.Path)
	}
	if e.Base != BaseAny && e.Base != f.blob {
		return wiki.Problemf(wiki.ErrPrecondition, "revision", "%q was changed since you read it. Look at it again.", f.path)
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
			return wiki.Problemf(wiki.ErrExists, "new_path", "There is a %q already.", to.path)
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

// checkPath is a last wall: what git could not hold is stored under no name,
// whatever rules a caller has. Callers check names in full.
func checkPath(path string) error {
	bad := path == "" || len(path) > wiki.MaxNameBytes || !utf8.ValidString(path) || strings.ContainsRune(path, 0)
	for segment := range strings.SplitSeq(path, "/") {
		bad = bad || segment == "" || segment == "." || segment == ".." || strings.EqualFold(segment, ".git")
	}
	if bad {
		return wiki.Problemf(wiki.ErrInvalid, "path", "%.250q cannot be the name of a file.", path)
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
		return wiki.Problemf(wiki.ErrInvalid, "path", "%q came with an import as a link, which is kept and cannot be changed here. Choose another name.", f.path)
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
		return wiki.Problemf(wiki.ErrPrecondition, "", "There is a %q already.", f.path)
	case gitrepo.ObjectID("blob", data) == f.blob:
	case e.Strict:
		return wiki.Problemf(wiki.ErrPrecondition, "revision", "%q was changed since you read it. Read it again.", f.path)
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

// followBase finds where the file is that a writer means who started from a base,
// when there is none of its name: by a move of this request or of an earlier
// one. A file that was deleted conflicts.
func (s *staging) followBase(f *staged, e *Edit) (*staged, error) {
	for f.path == "" && f.gone != nil {
		f = f.gone
	}
	if f.path == "" && f.old.Path == "" {
		to, err := resolveMove(s.ctx, s.tx, s.tx.w.slug, f.key)
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
	base, err := s.readBase(e.Path, e.Base)
	if err != nil {
		return nil, err
	}
	return nil, &wiki.ConflictError{Path: e.Path, Deleted: true, BaseBlob: e.Base, Base: base, Yours: e.Data, Merged: e.Data}
}

// readBase reads the blob that a writer says they started from: one that the file
// has had.
func (s *staging) readBase(path, blob string) ([]byte, error) {
	had, err := everHadBlob(s.ctx, s.tx, s.tx.w.slug, path, blob)
	if err != nil {
		return nil, err
	}
	if !had {
		return nil, wiki.Problemf(wiki.ErrInvalid, "revision", "The revision %.12s of %q is unknown in this wiki. Read the page again.", blob, path)
	}
	if err := s.tx.w.MayRead(blob); err != nil {
		return nil, err
	}
	return readBlob(s.ctx, s.tx, s.tx.w.slug, blob)
}

// readCurrent reads what a file has now.
func (s *staging) readCurrent(f *staged) ([]byte, error) {
	if f.data != nil {
		return f.data, nil
	}
	if err := s.tx.w.MayRead(f.blob); err != nil {
		return nil, err
	}
	return readBlob(s.ctx, s.tx, s.tx.w.slug, f.blob)
}

// merge joins an edit with what came after its base. Who meant to create a file
// that exists conflicts with it as a whole.
func (s *staging) mergeEdit(f *staged, e *Edit) ([]byte, error) {
	theirs, err := s.readCurrent(f)
	if err != nil {
		return nil, err
	}
	conflict := &wiki.ConflictError{Path: f.path, BaseBlob: e.Base, TheirBlob: f.blob, Theirs: theirs, Yours: e.Data, Merged: e.Data}
	if e.Base == BaseNone {
		if !isBinary(theirs) && !isBinary(e.Data) {
			conflict.Hunks = []wiki.Hunk{{BaseLine: 1, TheirLine: 1, YourLine: 1, Theirs: string(theirs), Yours: string(e.Data)}}
		}
		return nil, conflict
	}
	from := f.path
	if f.was != nil {
		from = f.was.old.Path
	}
	if conflict.Base, err = s.readBase(from, e.Base); err != nil {
		return nil, err
	}
	if isBinary(conflict.Base) || isBinary(theirs) || isBinary(e.Data) {
		return nil, conflict
	}
	m := merge.Three(conflict.Base, e.Data, theirs)
	if m.Clean() {
		return m.Text, nil
	}
	conflict.Merged = m.Text
	for _, c := range m.Conflicts {
		conflict.Hunks = append(conflict.Hunks, wiki.Hunk{
			BaseLine: c.Base.Start + 1, YourLine: c.Ours.Start + 1, TheirLine: c.Theirs.Start + 1,
			Base: c.BaseText, Yours: c.OursText, Theirs: c.TheirsText,
		})
	}
	return nil, conflict
}

func isBinary(data []byte) bool { return bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 }

// A stagedChange is a change with the file it is about, nil for a deletion.
type stagedChange struct {
	wiki.Change
	file *staged
}

// changes compares what is to be with the head, sorted by path. Where a file is
// moved onto one that these edits delete, the deletion comes first.
func (s *staging) collectChanges() []stagedChange {
	goesOn := map[*staged]bool{}
	for _, f := range s.order {
		if f.path != "" && f.was != nil {
			goesOn[f.was] = true
		}
	}
	var list []stagedChange
	for _, f := range s.order {
		if f.old.Path != "" && f.path != "" && f.was == nil && !goesOn[f] {
			f.was, goesOn[f] = f, true // deleted and written again is written
		}
		if f.old.Path != "" && !goesOn[f] {
			list = append(list, stagedChange{wiki.Change{Path: f.old.Path, Kind: wiki.Deleted, Old: f.old.Blob}, nil})
		}
		if ch, changed := f.change(); changed {
			list = append(list, stagedChange{ch, f})
		}
	}
	slices.SortStableFunc(list, func(a, b stagedChange) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// change is how a file came to be what it is to be.
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
