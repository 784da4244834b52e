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

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// keepRequests is how long a retry is recognised.
const keepRequests = 24 * time.Hour

// Commit is the only way that content changes. Errors: *wiki.ConflictError,
// ErrPrecondition, ErrExists (Move onto a file), ErrNotFound (Delete, Move),
// ErrInvalid, ErrTooLarge, ErrQuota, ErrStorage.
func (w *Wiki) Commit(ctx context.Context, r Request) (Result, error) {
	if err := r.check(); err != nil {
		return Result{}, err
	}
	ready := w.prepare(&r)
	var res Result
	var next *head
	err := w.write(ctx, func(t *tx) error {
		now := w.o.Now()
		if replayed, err := t.replay(ctx, r, now, &res); err != nil || replayed {
			return err
		}
		s := &staging{tx: t, ctx: ctx, r: &r, ready: ready, files: map[string]*staged{}}
		if err := t.row(ctx, "SELECT seq, head, time, pages, files, current_bytes, history_bytes FROM meta WHERE wiki = $1", w.slug).
			Scan(&s.meta.seq, &s.meta.head, &s.meta.time, &s.meta.pages, &s.meta.files, &s.meta.current, &s.meta.history); err != nil {
			return err
		}
		for i := range r.Edits {
			if err := s.apply(&r.Edits[i]); err != nil {
				return err
			}
		}
		if err := s.commit(now, &res); err != nil {
			return err
		}
		if !res.Unchanged {
			next = &head{s.meta.seq, s.meta.head}
		}
		if r.DropDraft != "" {
			if err := t.exec(ctx, "DELETE FROM drafts WHERE wiki = $1 AND did = $2 AND key = $3", w.slug, r.Author.User.DID, wiki.Key(r.DropDraft)); err != nil {
				return err
			}
		}
		return t.remember(ctx, r, now, res)
	}, func() {
		if next != nil {
			w.head.Store(next)
		}
	})
	if err != nil {
		return Result{}, fmt.Errorf("content: commit %s: %w", w.slug, err)
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
	return nil
}

// A prepared blob is the work on an edit that needs no lock: what a writer sends
// is mostly what is stored.
type prepared struct {
	deflated []byte
	path     string // whose links these are
	links    []wiki.Link
}

func (w *Wiki) prepare(r *Request) map[string]prepared {
	ready := make(map[string]prepared, len(r.Edits))
	for _, e := range r.Edits {
		if e.Op == Delete || e.Data == nil || int64(len(e.Data)) > max(r.Limits.PageBytes, r.Limits.AttachmentBytes) {
			continue
		}
		p := prepared{deflated: deflate(e.Data), path: e.Path}
		if e.Op == Move {
			p.path = e.To
		}
		p.links = w.linksOf(p.path, e.Data)
		ready[gitrepo.ObjectID("blob", e.Data)] = p
	}
	return ready
}

func (w *Wiki) linksOf(path string, data []byte) []wiki.Link {
	name, ok := wiki.PageOf(path)
	if !ok || w.o.Links == nil {
		return nil
	}
	return w.o.Links(name, data)
}

// callerKey tells apart who may retry what.
func callerKey(c wiki.Caller) string { return c.User.DID + " " + c.Grant }

func (t *tx) replay(ctx context.Context, r Request, now time.Time, res *Result) (bool, error) {
	if r.IdempotencyKey == "" {
		return false, nil
	}
	var hash string
	var raw []byte
	err := t.row(ctx, "SELECT hash, result FROM requests WHERE wiki = $1 AND caller = $2 AND key = $3 AND time > $4",
		t.w.slug, callerKey(r.Author), r.IdempotencyKey, now.Add(-keepRequests).UnixMilli()).Scan(&hash, &raw)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case hash != r.IdempotencyHash:
		return false, wiki.Problemf(wiki.ErrInvalid, "Idempotency-Key", "This idempotency key was used for another request. Use a new one for each change.")
	}
	if err := json.Unmarshal(raw, res); err != nil {
		return false, err
	}
	res.Replayed = true
	return true, nil
}

func (t *tx) remember(ctx context.Context, r Request, now time.Time, res Result) error {
	if r.IdempotencyKey == "" {
		return nil
	}
	raw, err := json.Marshal(res)
	if err != nil {
		return err
	}
	if err := t.exec(ctx, "DELETE FROM requests WHERE wiki = $1 AND time <= $2", t.w.slug, now.Add(-keepRequests).UnixMilli()); err != nil {
		return err
	}
	return t.exec(ctx, "INSERT INTO requests VALUES ($1, $2, $3, $4, $5, $6)", t.w.slug, callerKey(r.Author), r.IdempotencyKey, r.IdempotencyHash, raw, now.UnixMilli())
}

// A staging collects what a request's edits come to before anything is written.
type staging struct {
	tx   *tx
	ctx  context.Context
	r    *Request
	meta struct {
		seq, time, current, history int64
		head                        string
		pages, files                int
	}
	ready map[string]prepared // by blob id
	files map[string]*staged  // by key
	order []*staged
	out   []Written
}

// A staged file is one file of the head, or to be, with what becomes of it.
type staged struct {
	key      string
	old      wiki.File // at the head; Path is "" where there was none
	path     string    // to be; "" where there will be none
	from     *staged   // what was moved here
	blob     string
	mode     uint32
	size     int64
	data     []byte // of a new blob, else nil
	movedOut bool
}

// at finds a file by its key, as the edits so far have left it.
func (s *staging) at(path string) (*staged, error) {
	key := wiki.Key(path)
	if f, ok := s.files[key]; ok {
		return f, nil
	}
	f := &staged{key: key}
	err := s.tx.row(s.ctx, "SELECT path, blob, mode, size, seq FROM files WHERE wiki = $1 AND key = $2", s.tx.w.slug, key).
		Scan(&f.old.Path, &f.old.Blob, &f.old.Mode, &f.old.Size, &f.old.Seq)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	f.path, f.blob, f.mode, f.size = f.old.Path, f.old.Blob, f.old.Mode, f.old.Size
	s.files[key] = f
	s.order = append(s.order, f)
	return f, nil
}

func (s *staging) apply(e *Edit) error {
	f, err := s.at(e.Path)
	if err != nil {
		return err
	}
	switch e.Op {
	case Delete:
		return s.remove(f, e)
	case Move:
		return s.move(f, e)
	}
	return s.put(f, e)
}

func (s *staging) remove(f *staged, e *Edit) error {
	if err := expect(f, e); err != nil {
		return err
	}
	s.out = append(s.out, Written{Path: f.path})
	f.path, f.blob, f.data = "", "", nil
	return nil
}

// expect checks that a file to be deleted or moved is there, as it was read.
func expect(f *staged, e *Edit) error {
	if f.path == "" {
		return wiki.Problemf(wiki.ErrNotFound, "path", "There is no %q to change.", e.Path)
	}
	if e.Base != BaseAny && e.Base != f.blob {
		return wiki.Problemf(wiki.ErrPrecondition, "revision", "%q was changed since you read it. Look at it again.", f.path)
	}
	return nil
}

func (s *staging) move(f *staged, e *Edit) error {
	if err := expect(f, e); err != nil {
		return err
	}
	to, err := s.at(e.To)
	if err != nil {
		return err
	}
	if to != f {
		if to.path != "" {
			return wiki.Problemf(wiki.ErrExists, "new_path", "There is a %q already.", to.path)
		}
		to.from, to.blob, to.mode, to.size, to.data = f, f.blob, f.mode, f.size, f.data
		f.path, f.blob, f.data, f.movedOut = "", "", nil, true
	}
	to.path = e.To // a change of case alone is as written
	if to != f {
		if to.path, err = s.spell(e.To); err != nil {
			return err
		}
	}
	if e.Data != nil {
		s.fill(to, e.Data)
	}
	s.out = append(s.out, Written{Path: to.path, Blob: to.blob, Size: to.size})
	return nil
}

// fill gives a file its content.
func (s *staging) fill(f *staged, data []byte) {
	f.data, f.blob, f.size = data, gitrepo.ObjectID("blob", data), int64(len(data))
	if f.mode == 0 {
		f.mode = gitrepo.ModeFile
	}
}

func (s *staging) put(f *staged, e *Edit) error {
	if f.path == "" && e.Base != BaseNone && e.Base != BaseAny {
		moved, err := s.follow(e.Path)
		if err != nil {
			return err
		}
		if moved == nil {
			base, err := s.known(e.Path, e.Base)
			if err != nil {
				return err
			}
			return &wiki.ConflictError{Path: e.Path, Deleted: true, BaseBlob: e.Base, Base: base, Yours: e.Data, Merged: e.Data}
		}
		f = moved
	}
	data := e.Data
	out := Written{Created: f.path == ""}
	switch {
	case f.path == "" && f.old.Path != "" && !f.movedOut:
		f.path = f.old.Path // deleted and written by one request
	case f.path == "":
		var err error
		if f.path, err = s.spell(e.Path); err != nil {
			return err
		}
	case e.Base == BaseAny || e.Base == f.blob:
	case gitrepo.ObjectID("blob", data) == f.blob:
	case e.Strict:
		return wiki.Problemf(wiki.ErrPrecondition, "revision", "%q was changed since you read it. Read it again.", f.path)
	default:
		merged, err := s.merge(f, e)
		if err != nil {
			return err
		}
		data, out.Merged = merged, true
	}
	s.fill(f, data)
	out.Path, out.Blob, out.Size = f.path, f.blob, f.size
	s.out = append(s.out, out)
	return nil
}

// follow finds where a file that is no longer there was moved to; nil if it was
// not, or was deleted since.
func (s *staging) follow(path string) (*staged, error) {
	to, err := movedTo(s.ctx, s.tx, s.tx.w.slug, wiki.Key(path))
	if errors.Is(err, wiki.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.at(to)
}

// known reads a blob that a writer says they started from; it must be one that
// the file had.
func (s *staging) known(path, blob string) ([]byte, error) {
	if blob == BaseNone {
		return nil, nil
	}
	data, err := readBlob(s.ctx, s.tx, s.tx.w.slug, blob)
	if errors.Is(err, wiki.ErrNotFound) {
		return nil, wiki.Problemf(wiki.ErrInvalid, "revision", "The revision %.12s of %q is unknown in this wiki. Read the page again.", blob, path)
	}
	return data, err
}

// merge joins an edit with what came after its base.
func (s *staging) merge(f *staged, e *Edit) ([]byte, error) {
	base, err := s.known(f.path, e.Base)
	if err != nil {
		return nil, err
	}
	theirs := f.data
	if theirs == nil {
		if theirs, err = readBlob(s.ctx, s.tx, s.tx.w.slug, f.blob); err != nil {
			return nil, err
		}
	}
	conflict := &wiki.ConflictError{Path: f.path, BaseBlob: e.Base, Base: base, TheirBlob: f.blob, Theirs: theirs, Yours: e.Data, Merged: e.Data}
	if binary(base) || binary(theirs) || binary(e.Data) {
		return nil, conflict
	}
	m := merge.Three(base, e.Data, theirs)
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

func binary(data []byte) bool { return bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 }

// commit writes what was staged, unless it changes nothing.
func (s *staging) commit(now time.Time, res *Result) error {
	changes := s.changes()
	res.Files = s.out
	if len(changes) == 0 {
		res.Unchanged = true
		var err error
		res.Commit, err = s.unchanged()
		return err
	}
	if err := s.quotas(); err != nil {
		return err
	}
	if err := s.write(changes); err != nil {
		return err
	}
	tree, err := s.trees(changes)
	if err != nil {
		return err
	}
	c, raw := s.describe(now, tree, changes)
	if err := s.record(c, raw, changes); err != nil {
		return err
	}
	res.Commit = c
	return nil
}

// A stagedChange is a change with the file it is about.
type stagedChange struct {
	wiki.Change
	file *staged
}

func (s *staging) changes() []stagedChange {
	var list []stagedChange
	for _, f := range s.order {
		ch := wiki.Change{Path: f.path, Old: f.old.Blob, New: f.blob}
		switch {
		case f.path == "" && (f.old.Path == "" || f.movedOut):
			continue
		case f.path == "":
			ch.Kind, ch.Path = wiki.Deleted, f.old.Path
		case f.from != nil && f.from.old.Path != "":
			ch.Kind, ch.From, ch.Old = wiki.Moved, f.from.old.Path, f.from.old.Blob
		case f.old.Path == "":
			ch.Kind = wiki.Added
		case f.old.Path != f.path:
			ch.Kind, ch.From = wiki.Moved, f.old.Path
		case f.old.Blob != f.blob:
			ch.Kind = wiki.Modified
		default:
			continue
		}
		list = append(list, stagedChange{ch, f})
	}
	slices.SortStableFunc(list, func(a, b stagedChange) int { return strings.Compare(a.Path, b.Path) })
	return list
}
