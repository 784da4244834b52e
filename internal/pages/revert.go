package pages

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// An UndoRequest restores an old revision of a page, or undoes a commit.
type UndoRequest struct {
	Write
	Commit   string // to undo, or
	Session  string // a commit of the session to undo, and
	Path     string // the only file or page whose changes to undo; "" for all, or
	Name     string // the page or attachment, which may be deleted, and
	Revision string // the revision to restore
	Texts    bool   // set Undone.Files
	DryRun   bool   // report the result without saving it
}

// Undone is the result of an UndoRequest.
type Undone struct {
	Saved
	Files []UndoneFile
}

// An UndoneFile is a file that an UndoRequest changes.
type UndoneFile struct {
	Path   string // after the change
	From   string // before a move, else ""
	Before []byte // nil if it is restored from the trash
	After  []byte // nil if it is deleted
}

// Undo restores an old revision of a page under its current name, or undoes a commit
// in a new one and merges with later changes. If that isn't possible, it returns a
// *wiki.ConflictError and changes nothing.
func (s *Service) Undo(ctx context.Context, a wiki.Access, r UndoRequest) (done Undone, err error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return Undone{}, err
	}
	defer release()
	if r.Session != "" {
		return s.undoSession(ctx, w, a, r)
	}
	if r.Commit == "" {
		return s.restore(ctx, w, a, r)
	}
	c, err := commitByID(ctx, w, r.Commit)
	if err != nil {
		return Undone{}, err
	}
	return s.undoPlanned(ctx, w, a, r, c.ID, revertMessage(c), func() ([]content.Edit, error) { return inverse(ctx, w, c) })
}

// undoPlanned commits the edits of a plan, or reports them. It plans again if others
// change the wiki at the same time. Without edits, the result is a given commit.
func (s *Service) undoPlanned(ctx context.Context, w *content.Wiki, a wiki.Access, r UndoRequest, commit, message string, plan func() ([]content.Edit, error)) (done Undone, err error) {
	done.Saved, err = retryPlanned(ctx, w, a, r.Write, func() (Saved, error) {
		edits, err := plan()
		if err != nil {
			return Saved{}, err
		}
		if len(edits) == 0 {
			return Saved{Commit: commit, Unchanged: true}, nil
		}
		if done.Files, err = undoneFiles(ctx, w, r, edits); err != nil || r.DryRun {
			return Saved{}, err
		}
		saved, err := s.commit(ctx, w, a, r.Write, content.Request{Message: commitMessage(r.Message, "%s", message), Edits: edits})
		return saved, markOutdated(err)
	})
	return done, err
}

func (s *Service) restore(ctx context.Context, w *content.Wiki, a wiki.Access, r UndoRequest) (done Undone, err error) {
	file, newest, err := s.history(ctx, w, a, r.Name, 0, 1)
	if err != nil {
		return done, err
	}
	old, data, err := readRevision(ctx, w, file, r.Revision)
	if err != nil {
		return done, err
	}
	base := content.BaseNone
	now, err := findCurrent(ctx, w, file)
	switch {
	case err == nil:
		file, base = now.Path, now.Blob
	case !errors.Is(err, wiki.ErrNotFound):
		return done, err
	}
	edits := []content.Edit{{Op: content.Put, Path: file, Data: data, Base: base}}
	if base == content.BaseNone && len(newest) > 0 {
		files, err := restoredFiles(ctx, w, newest[0])
		if err != nil {
			return done, err
		}
		edits = append(edits, files...)
	}
	if done.Files, err = undoneFiles(ctx, w, r, edits); err != nil {
		return done, err
	}
	if r.DryRun {
		done.Unchanged = base == old.Blob
		return done, nil
	}
	done.Saved, err = s.commit(ctx, w, a, r.Write, content.Request{
		Message: commitMessage(r.Message, "Restore %s as of %s", titleOf(file), shortID(old.Commit)), Edits: edits,
	})
	return done, err
}

// undoneFiles reads the texts that edits replace.
func undoneFiles(ctx context.Context, w *content.Wiki, r UndoRequest, edits []content.Edit) ([]UndoneFile, error) {
	if !r.Texts {
		return nil, nil
	}
	files := make([]UndoneFile, len(edits))
	for i, e := range edits {
		f := &files[i]
		f.Path, f.After = e.Path, e.Data
		if e.Base != content.BaseNone {
			data, err := w.Blob(ctx, e.Base)
			if err != nil {
				return nil, err
			}
			f.Before = nonNil(data)
		}
		switch {
		case e.Op == content.Move:
			f.From, f.Path = e.Path, e.To
			if e.Data == nil {
				f.After = f.Before
			}
		case e.Op != content.Delete:
			f.After = nonNil(e.Data)
		}
	}
	return files, nil
}

// Kind returns how the file changes.
func (f UndoneFile) Kind() wiki.ChangeKind {
	switch {
	case f.From != "":
		return wiki.Moved
	case f.Before == nil:
		return wiki.Added
	case f.After == nil:
		return wiki.Deleted
	}
	return wiki.Modified
}

// IsText reports whether both contents of the file are text.
func (f UndoneFile) IsText() bool { return !isBinary(f.Before) && !isBinary(f.After) }

// Restore saves an old revision of a page or attachment, which may be deleted, as
// its newest, under its current name. The files that were deleted with a page come
// back with it.
func (s *Service) Restore(ctx context.Context, a wiki.Access, name, revision string, wr Write) (Saved, error) {
	done, err := s.Undo(ctx, a, UndoRequest{Write: wr, Name: name, Revision: revision})
	return done.Saved, err
}

func shortID(id string) string { return id[:min(len(id), 8)] }

// findCurrent finds a file by its current or a former path.
func findCurrent(ctx context.Context, w *content.Wiki, path string) (wiki.File, error) {
	f, err := w.Lookup(ctx, path)
	if !errors.Is(err, wiki.ErrNotFound) {
		return f, err
	}
	to, err := w.MovedTo(ctx, path)
	if err != nil {
		return wiki.File{}, err
	}
	return w.Lookup(ctx, to)
}

// Revert undoes a commit in a new one and merges with later changes. If that
// isn't possible, it returns a *wiki.ConflictError and changes nothing.
func (s *Service) Revert(ctx context.Context, a wiki.Access, id string, wr Write) (Saved, error) {
	if id = strings.TrimSpace(id); id == "" {
		return Saved{}, wiki.Problemf(wiki.ErrInvalid, "revision", "A commit id has 7 to 40 hexadecimal digits.")
	}
	done, err := s.Undo(ctx, a, UndoRequest{Write: wr, Commit: id})
	return done.Saved, err
}

func revertMessage(c wiki.Commit) string {
	subject, _, _ := strings.Cut(c.Message, "\n")
	return fmt.Sprintf("Revert %q\n\nThis reverts commit %s.", subject, c.ID)
}

// inverse lists the edits that undo a commit in the current state.
func inverse(ctx context.Context, w *content.Wiki, c wiki.Commit) ([]content.Edit, error) {
	u, err := newUndo(ctx, w)
	if err != nil {
		return nil, err
	}
	if err := u.undo(ctx, c.Changes); err != nil {
		return nil, fmt.Errorf("pages: revert %s: %w", shortID(c.ID), err)
	}
	return u.result()
}

// An undo takes changes back, the newest first, in memory: from the wiki's files as they
// are to those without the changes.
type undo struct {
	w      *content.Wiki
	head   map[string]wiki.File // the files as they are, by key
	now    map[string]wiki.File // the files without the changes undone so far, by key
	origin map[string]string    // key in head by key in now; none for restored files
	made   map[string][]byte    // contents that aren't those at head, by key in now
	bytes  int                  // of texts read and made

	// session says that the changes are those of a session: a change of a file that was
	// deleted later is gone already, and conflicts are collected.
	session   bool
	conflicts []*wiki.ConflictError
	stuck     map[string]bool // keys of files with conflicts

	leaving       map[string]bool // keys that undoing a commit frees
	deletes, puts []content.Edit  // that undo a commit
	moves         []content.Edit
}

func newUndo(ctx context.Context, w *content.Wiki) (*undo, error) {
	files, err := w.List(ctx, "")
	if err != nil {
		return nil, err
	}
	u := &undo{w: w, head: map[string]wiki.File{}, now: map[string]wiki.File{}, origin: map[string]string{}, made: map[string][]byte{}, stuck: map[string]bool{}}
	for _, f := range files {
		key := wiki.Key(f.Path)
		u.head[key], u.now[key], u.origin[key] = f, f, key
	}
	return u, nil
}

// undo takes the changes of one commit back.
func (u *undo) undo(ctx context.Context, changes []wiki.Change) error {
	u.leaving, u.deletes, u.puts, u.moves = map[string]bool{}, nil, nil, nil
	for _, ch := range changes {
		if ch.New != "" && (ch.Kind == wiki.Added || ch.Kind == wiki.Moved) {
			u.leaving[wiki.Key(ch.Path)] = true
		}
	}
	for _, ch := range changes {
		if wiki.Hidden(ch.Path) {
			return wiki.Problemf(wiki.ErrInvalid, "", "This commit changed hidden files, so it can't be reverted here.")
		}
		if err := u.changeOrConflict(ctx, ch); err != nil {
			return err
		}
	}
	u.apply()
	return nil
}

// changeOrConflict takes one change back. In a session, a file with a conflict is left
// alone from then on.
func (u *undo) changeOrConflict(ctx context.Context, ch wiki.Change) error {
	key, from := wiki.Key(ch.Path), wiki.Key(ch.From)
	if u.stuck[key] || ch.From != "" && u.stuck[from] {
		u.stuck[key] = true
		if ch.From != "" {
			u.stuck[from] = true
		}
		return nil
	}
	err := u.change(ctx, ch)
	var c *wiki.ConflictError
	if !u.session || !errors.As(err, &c) {
		return err
	}
	u.conflicts = append(u.conflicts, c)
	u.stuck[key] = true
	if ch.From != "" {
		u.stuck[from] = true
	}
	return nil
}

// apply makes the edits of one commit in memory. Moves happen at the same time.
func (u *undo) apply() {
	for _, e := range u.deletes {
		u.drop(wiki.Key(e.Path))
	}
	type moved struct {
		file     wiki.File
		origin   string
		hasOwn   bool
		text     []byte
		hasTexts bool
	}
	files := make([]moved, len(u.moves))
	for i, e := range u.moves {
		key := wiki.Key(e.Path)
		m := &files[i]
		m.file = u.now[key]
		m.origin, m.hasOwn = u.origin[key]
		m.text, m.hasTexts = u.made[key]
		u.drop(key)
	}
	for i, e := range u.moves {
		m, key := files[i], wiki.Key(e.To)
		m.file.Path = e.To
		u.now[key] = m.file
		if m.hasOwn {
			u.origin[key] = m.origin
		}
		if m.hasTexts {
			u.made[key] = m.text
		}
		if e.Data != nil {
			u.setText(key, e.Data)
		}
	}
	for _, e := range u.puts {
		key := wiki.Key(e.Path)
		if e.Base == content.BaseNone {
			u.now[key] = wiki.File{Path: e.Path}
		}
		u.setText(key, nonNil(e.Data))
	}
}

func (u *undo) drop(key string) {
	delete(u.now, key)
	delete(u.origin, key)
	delete(u.made, key)
}

func (u *undo) setText(key string, text []byte) {
	f := u.now[key]
	f.Blob, f.Size = gitrepo.ObjectID("blob", text), int64(len(text))
	u.now[key], u.made[key] = f, text
}

// read returns the content of a file of now.
func (u *undo) read(ctx context.Context, f wiki.File) ([]byte, error) {
	if text, ok := u.made[wiki.Key(f.Path)]; ok {
		return text, nil
	}
	return u.blob(ctx, f.Blob)
}

// maxUndoBytes bounds the texts that undoing a session reads.
const maxUndoBytes = 128 << 20

func (u *undo) blob(ctx context.Context, id string) ([]byte, error) {
	data, err := u.w.Blob(ctx, id)
	if u.bytes += len(data); u.bytes > maxUndoBytes && u.session {
		return nil, wiki.Problemf(wiki.ErrTooLarge, "", "This session changed too much text to undo at once. Nothing was undone. Undo its pages one by one.")
	}
	return data, err
}

func (u *undo) change(ctx context.Context, ch wiki.Change) error {
	switch ch.Kind {
	case wiki.Added:
		return u.added(ctx, ch)
	case wiki.Deleted:
		return u.deleted(ctx, ch)
	case wiki.Moved:
		return u.moved(ctx, ch)
	}
	return u.modified(ctx, ch)
}

// added deletes a file that was added, if it is unchanged.
func (u *undo) added(ctx context.Context, ch wiki.Change) error {
	f, err := u.find(ctx, ch.Path)
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return nil // deleted since
	case err != nil:
		return err
	case f.Blob != ch.New || f.Path != ch.Path:
		return u.conflict(ctx, ch, f)
	}
	u.deletes = append(u.deletes, content.Edit{Op: content.Delete, Path: f.Path, Base: f.Blob})
	return nil
}

// deleted restores a file, if its name is free.
func (u *undo) deleted(ctx context.Context, ch wiki.Change) error {
	key := wiki.Key(ch.Path)
	f, taken := u.now[key]
	if taken && !u.leaving[key] {
		if f.Blob == ch.Old && f.Path == ch.Path {
			return nil // restored since
		}
		return u.conflict(ctx, ch, f)
	}
	data, err := u.blob(ctx, ch.Old)
	if err != nil {
		return err
	}
	u.puts = append(u.puts, content.Edit{Op: content.Put, Path: ch.Path, Data: data, Base: content.BaseNone, Strict: true})
	return nil
}

// modified takes a change out of a file, wherever the file is now.
func (u *undo) modified(ctx context.Context, ch wiki.Change) error {
	f, err := u.find(ctx, ch.Path)
	if errors.Is(err, wiki.ErrNotFound) {
		if u.session {
			return nil // deleted since
		}
		return u.conflict(ctx, ch, wiki.File{})
	}
	if err != nil {
		return err
	}
	data, changed, err := u.withoutChange(ctx, ch, f)
	if err != nil || !changed {
		return err
	}
	u.puts = append(u.puts, content.Edit{Op: content.Put, Path: f.Path, Data: data, Base: f.Blob})
	return nil
}

// moved moves a file back, unless it was moved again or its old name is taken.
func (u *undo) moved(ctx context.Context, ch wiki.Change) error {
	f, ok := u.now[wiki.Key(ch.Path)]
	if !ok || f.Path != ch.Path {
		if back, ok := u.now[wiki.Key(ch.From)]; ok && back.Path == ch.From && back.Blob == ch.Old {
			return nil // moved back since
		}
		return u.conflict(ctx, ch, wiki.File{})
	}
	key := wiki.Key(ch.From)
	if there, taken := u.now[key]; taken && there.Path != f.Path && !u.leaving[key] {
		return u.conflict(ctx, ch, there)
	}
	data, changed, err := u.withoutChange(ctx, ch, f)
	if err != nil {
		return err
	}
	e := content.Edit{Op: content.Move, Path: f.Path, To: ch.From, Base: f.Blob}
	if changed {
		e.Data = data
	}
	u.moves = append(u.moves, e)
	return nil
}

// find finds a file by its current or a former path.
func (u *undo) find(ctx context.Context, path string) (wiki.File, error) {
	if f, ok := u.now[wiki.Key(path)]; ok {
		return f, nil
	}
	to, err := u.w.MovedTo(ctx, path)
	if err != nil {
		return wiki.File{}, err
	}
	for key, origin := range u.origin { // where undoing has moved it
		if origin == wiki.Key(to) {
			return u.now[key], nil
		}
	}
	return wiki.File{}, wiki.ErrNotFound
}

// withoutChange returns a file's current text without a change.
func (u *undo) withoutChange(ctx context.Context, ch wiki.Change, f wiki.File) ([]byte, bool, error) {
	if ch.Old == ch.New || f.Blob == ch.Old {
		return nil, false, nil
	}
	old, err := u.blob(ctx, ch.Old)
	if err != nil {
		return nil, false, err
	}
	if f.Blob == ch.New {
		return nonNil(old), true, nil
	}
	base, theirs, err := u.texts(ctx, ch, f)
	if err != nil {
		return nil, false, err
	}
	if err := requireUTF8(f.Path, old, base, theirs); err != nil {
		return nil, false, err
	}
	if isBinary(old) || isBinary(base) || isBinary(theirs) {
		return nil, false, u.conflict(ctx, ch, f)
	}
	res, err := u.w.Merge(ctx, base, old, theirs)
	if err != nil {
		return nil, false, err
	}
	if !res.Clean() {
		return nil, false, u.conflict(ctx, ch, f)
	}
	return nonNil(res.Text), true, nil
}

// requireUTF8 refuses to merge a page's texts if one of them has another encoding: the
// result would have lines in both.
func requireUTF8(file string, texts ...[]byte) error {
	name, page := wiki.PageOf(file)
	if !page {
		name = wiki.PageName(file)
	}
	for _, text := range texts {
		_, encoding := wiki.DecodeText(text)
		if utf8.Valid(text) || !page && isBinary(text) {
			continue
		}
		return wiki.Problemf(wiki.ErrConflict, "", "Nothing was undone: %s changed later, and one of its versions is stored in %s instead of UTF-8, so they can't be merged. Open the page's history and restore the version that you want.", name.Title(), encoding)
	}
	return nil
}

// nonNil turns nil into an empty text: a Move with nil Data keeps the content.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func (u *undo) texts(ctx context.Context, ch wiki.Change, f wiki.File) (base, theirs []byte, err error) {
	if ch.New != "" {
		if base, err = u.blob(ctx, ch.New); err != nil {
			return nil, nil, err
		}
	}
	if f.Blob != "" {
		theirs, err = u.read(ctx, f)
	}
	return base, theirs, err
}

// conflict returns the error for a change that can't be undone. Base is the text
// after the commit, Yours the text before it, Theirs the current text of f (zero
// for a deleted file).
func (u *undo) conflict(ctx context.Context, ch wiki.Change, f wiki.File) error {
	base, theirs, err := u.texts(ctx, ch, f)
	if err != nil {
		return err
	}
	var yours []byte
	if ch.Old != "" {
		if yours, err = u.blob(ctx, ch.Old); err != nil {
			return err
		}
	}
	c := &wiki.ConflictError{
		Path: f.Path, Deleted: f.Path == "", BaseBlob: ch.New, Base: base,
		TheirBlob: f.Blob, Theirs: theirs, Yours: yours, Merged: yours,
	}
	if c.Path == "" {
		c.Path = ch.Path
	}
	if err := requireUTF8(c.Path, base, yours, theirs); err != nil {
		return err
	}
	if isBinary(base) || isBinary(yours) || isBinary(theirs) {
		return c
	}
	res, err := u.w.Merge(ctx, base, yours, theirs)
	if err != nil {
		return err
	}
	c.Merged = res.Text
	for _, x := range res.Conflicts {
		c.AddHunk(wiki.Hunk{
			BaseLine: x.Base.Start + 1, TheirLine: x.Theirs.Start + 1, YourLine: x.Ours.Start + 1,
			Base: x.BaseText, Theirs: x.TheirsText, Yours: x.OursText,
		})
	}
	return c
}

// result lists the edits that lead from the files as they are to those without the
// changes: names are freed before they are taken.
func (u *undo) result() ([]content.Edit, error) {
	var deletes, moves, puts []content.Edit
	left := map[string]bool{} // keys at head of files that stay
	for _, key := range slices.Sorted(maps.Keys(u.now)) {
		f := u.now[key]
		origin, ok := u.origin[key]
		if !ok {
			puts = append(puts, content.Edit{Op: content.Put, Path: f.Path, Data: u.made[key], Base: content.BaseNone, Strict: true})
			continue
		}
		left[origin] = true
		switch before := u.head[origin]; {
		case before.Path != f.Path:
			e := content.Edit{Op: content.Move, Path: before.Path, To: f.Path, Base: before.Blob}
			if before.Blob != f.Blob {
				e.Data = u.made[key]
			}
			moves = append(moves, e)
		case before.Blob != f.Blob:
			puts = append(puts, content.Edit{Op: content.Put, Path: f.Path, Data: u.made[key], Base: before.Blob})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(u.head)) {
		if f := u.head[key]; !left[key] {
			deletes = append(deletes, content.Edit{Op: content.Delete, Path: f.Path, Base: f.Blob})
		}
	}
	return slices.Concat(deletes, u.orderMoves(moves), puts), nil
}

// orderMoves orders moves so that each goes to a free name. A file of a cycle waits
// under a temporary name.
func (u *undo) orderMoves(moves []content.Edit) (ordered []content.Edit) {
	for len(moves) > 0 {
		taken := map[string]bool{}
		for _, e := range moves {
			taken[wiki.Key(e.Path)] = true
		}
		i := slices.IndexFunc(moves, func(e content.Edit) bool {
			return !taken[wiki.Key(e.To)] || wiki.Key(e.To) == wiki.Key(e.Path)
		})
		if i >= 0 {
			ordered, moves = append(ordered, moves[i]), slices.Delete(moves, i, i+1)
			continue
		}
		aside := u.unusedPath(moves[0].To)
		ordered = append(ordered, content.Edit{Op: content.Move, Path: moves[0].Path, To: aside, Base: moves[0].Base})
		moves[0].Path = aside
	}
	return ordered
}

// unusedPath returns a path beside another that no file has, before or after the undo.
func (u *undo) unusedPath(path string) string {
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s.%d", path, n)
		_, before := u.head[wiki.Key(aside)]
		if _, after := u.now[wiki.Key(aside)]; !before && !after {
			return aside
		}
	}
}
