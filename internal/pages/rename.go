package pages

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// A RenameRequest moves a page with its attachments and subpages. If there is no
// page of that name but a folder, it moves what the folder holds; that needs no
// precondition.
type RenameRequest struct {
	Write
	Precondition
	Name      string
	NewName   string
	KeepLinks bool // don't update links in other pages
	PageOnly  bool // don't move subpages (attachments always move)
}

// Rename moves pages in one commit, updates links and leaves a redirect. A stale
// Base is ErrConflict, or ErrPrecondition if Strict.
func (s *Service) Rename(ctx context.Context, a wiki.Access, r RenameRequest) (Saved, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return Saved{}, err
	}
	defer release()
	to, err := wiki.ParsePageName(r.NewName)
	if err != nil {
		return Saved{}, aboutField(err, "new_path")
	}
	done, err := retryPlanned(ctx, w, a, r.Write, func() (Saved, error) {
		d, err := s.directory(ctx, w, a)
		if err != nil {
			return Saved{}, err
		}
		from, file, err := lookup(ctx, w, r.Name)
		if folder, ok := d.folderOnly(r.Name); ok && errors.Is(err, wiki.ErrNotFound) && !r.PageOnly {
			from, file, err = folder, wiki.File{}, nil
		}
		switch {
		case err != nil:
			return Saved{}, err
		case from == to:
			return Saved{}, wiki.Problemf(wiki.ErrInvalid, "new_path", "The page already has that name.")
		}
		m := newMoves(d)
		if file.Path != "" {
			if err := mustBeCurrent(ctx, w, r.Precondition, file); err != nil {
				return Saved{}, err
			}
			m.add(file.Path, to.File())
		}
		moving := d.attachments(from)
		if !r.PageOnly {
			moving = d.below(string(from))
		}
		for _, p := range moving {
			m.add(p, string(to)+"/"+pathBelow(p, from))
		}
		return m.commit(ctx, s, w, a, r.Write, commitMessage(r.Message, "Rename %s to %s", wiki.Title(string(from)), wiki.Title(string(to))), r.KeepLinks)
	})
	if err != nil {
		return Saved{}, err
	}
	return describeMove(ctx, w, done, to.File())
}

// pathBelow returns a path relative to a page's folder. The folder's spelling and
// length can differ from the page's.
func pathBelow(p string, page wiki.PageName) string {
	parts := strings.Split(p, "/")
	return strings.Join(parts[strings.Count(string(page), "/")+1:], "/")
}

// errOutdated reports that the wiki changed between planning a commit and making
// it.
var errOutdated = errors.New("pages: the wiki has changed meanwhile")

// retryPlanned retries a change that is planned from the current state while that
// state changes, at most maxTries times.
func retryPlanned(ctx context.Context, w *content.Wiki, a wiki.Access, wr Write, try func() (Saved, error)) (Saved, error) {
	return withReplay(ctx, w, a, wr, func() (done Saved, err error) {
		for range maxTries {
			if done, err = try(); !errors.Is(err, errOutdated) {
				return done, err
			}
		}
		var p *wiki.Problem
		if errors.As(err, &p) {
			return done, p
		}
		return done, wiki.Problemf(wiki.ErrConflict, "", "Others are changing the wiki at the same time. Try again in a moment.")
	})
}

// markOutdated marks errors of a commit that was planned from an older state.
func markOutdated(err error) error {
	if errors.Is(err, wiki.ErrConflict) || errors.Is(err, wiki.ErrPrecondition) || errors.Is(err, wiki.ErrNotFound) || errors.Is(err, wiki.ErrExists) {
		return fmt.Errorf("%w: %w", errOutdated, err)
	}
	return err
}

// mustBeCurrent checks the precondition of a change that can't be merged.
func mustBeCurrent(ctx context.Context, w *content.Wiki, p Precondition, f wiki.File) error {
	p.Create = false
	base, err := resolveBase(ctx, w, p, f, true, nil)
	if err != nil || base == f.Blob {
		return err
	}
	c := &wiki.ConflictError{Path: f.Path, BaseBlob: base, TheirBlob: f.Blob}
	if !isText(f.Path) {
		return changedSince(c)
	}
	if c.Base, err = w.Blob(ctx, base); err != nil {
		return err
	}
	if c.Theirs, err = w.Blob(ctx, f.Blob); err != nil {
		return err
	}
	c.Base, c.Theirs = pageText(c.Base), pageText(c.Theirs)
	return changedSince(c)
}

func isText(file string) bool {
	_, page := wiki.PageOf(file)
	return page
}

// changedSince adds a message to a conflict in which the writer has no text.
func changedSince(c *wiki.ConflictError) error {
	p := wiki.Problemf(wiki.ErrConflict, "revision", "%q has changed since you loaded it. Reload it and try again.", strings.TrimSuffix(c.Path, ".md"))
	return fmt.Errorf("%w (%w)", p, c)
}

func aboutField(err error, field string) error {
	var p *wiki.Problem
	if errors.As(err, &p) {
		about := *p
		about.Field = field
		return &about
	}
	return err
}

// moves holds the files that one commit moves.
type moves struct {
	names *directory
	to    map[string]string // path -> new path
	from  map[string]string // key of a new path -> path
	free  map[string]bool   // paths that the commit deletes
	leads map[string]string // path of a merged page -> path of the page that has its text
	order []string          // as added; the first is the file that was asked for

	left     map[string]string             // key of a path that no file has then -> where its file is; set by after
	headings map[string]map[string]heading // path -> anchor that is elsewhere now
	retarget map[string]bool               // paths of pages whose links must be looked at in any case
}

// A heading is where links to a heading or block lead.
type heading struct{ path, anchor string }

func newMoves(d *directory) *moves {
	return &moves{
		names: d, to: map[string]string{}, from: map[string]string{}, free: map[string]bool{}, leads: map[string]string{},
		headings: map[string]map[string]heading{}, retarget: map[string]bool{},
	}
}

func (m *moves) add(from, to string) {
	if _, known := m.to[from]; !known {
		m.order = append(m.order, from)
	}
	m.to[from] = to
	m.from[wiki.Key(to)] = from
}

// source returns the file that is moved to a path, or "".
func (m *moves) source(to string) string { return m.from[wiki.Key(to)] }

// newPath returns where links to a file lead after the moves; "" if nowhere else.
func (m *moves) newPath(file string) string { return cmp.Or(m.to[file], m.leads[file]) }

// isEmpty reports whether no link can lead elsewhere.
func (m *moves) isEmpty() bool {
	return len(m.order)+len(m.leads)+len(m.headings)+len(m.retarget) == 0
}

// sorted orders the moves so that each target is free by then. It fails if a file
// that isn't moved has a target's name.
func (m *moves) sorted() ([]string, error) {
	var order []string
	state := map[string]int{} // 1: in progress, 2: done
	var visit func(from string) error
	visit = func(from string) error {
		if state[from] != 0 {
			return nil
		}
		state[from] = 1
		to := m.to[from]
		if there, taken := m.names.byKey[wiki.Key(to)]; taken && there != from && !m.free[there] {
			if m.to[there] == "" {
				return wiki.Problemf(wiki.ErrExists, "new_path", "%q already exists.", strings.TrimSuffix(there, ".md"))
			}
			if err := visit(there); err != nil {
				return err
			}
		}
		if err := checkTarget(to); err != nil {
			return err
		}
		state[from] = 2
		order = append(order, from)
		return nil
	}
	for _, from := range m.order {
		if err := visit(from); err != nil {
			return nil, err
		}
	}
	return order, nil
}

func checkTarget(to string) error {
	if len(to) > wiki.MaxNameBytes {
		return wiki.Problemf(wiki.ErrInvalid, "new_path", "The name %q is too long. The limit is %d bytes.", to, wiki.MaxNameBytes)
	}
	return nil
}

// commit moves the files and updates links to them.
func (m *moves) commit(ctx context.Context, s *Service, w *content.Wiki, a wiki.Access, wr Write, msg string, keepLinks bool) (Saved, error) {
	edits, err := m.edits(ctx, w, keepLinks, nil)
	if err != nil {
		return Saved{}, err
	}
	done, err := s.commit(ctx, w, a, wr, content.Request{Message: msg, Edits: edits})
	return done, markOutdated(err)
}

// edits returns edits that move the files and update links to them. known are pages
// that other edits of the commit write, with their new content, or nil if it stays as
// it is: edits updates it.
func (m *moves) edits(ctx context.Context, w *content.Wiki, keepLinks bool, known map[string][]byte) ([]content.Edit, error) {
	order, err := m.sorted()
	if err != nil {
		return nil, err
	}
	now := m.after(nil)
	touched, err := m.pagesToRewrite(ctx, w, now, keepLinks)
	if err != nil {
		return nil, err
	}
	for p, text := range known {
		if text != nil && !slices.Contains(touched, p) {
			touched = append(touched, p)
		}
	}
	files, err := w.List(ctx, "")
	if err != nil {
		return nil, err
	}
	blobs := make(map[string]string, len(files))
	for _, f := range files {
		blobs[f.Path] = f.Blob
	}
	var edits []content.Edit
	for _, from := range order {
		edits = append(edits, content.Edit{Op: content.Move, Path: from, To: m.to[from], Base: blobs[from], Data: known[from]})
	}
	for _, p := range touched {
		if m.free[p] {
			continue
		}
		text, changed, err := m.rewrite(ctx, w, now, p, blobs[p], known[p])
		if err != nil {
			return nil, err
		}
		if !changed {
			continue
		}
		_, isKnown := known[p]
		if isKnown {
			known[p] = text
		}
		if i := slices.Index(order, p); i >= 0 {
			edits[i].Data = text
		} else if !isKnown {
			edits = append(edits, content.Edit{Op: content.Put, Path: p, Data: text, Base: blobs[p]})
		}
	}
	return edits, nil
}

// describeMove reads from a commit where it moved a file and which pages it
// rewrote. A replay gets the same result.
func describeMove(ctx context.Context, w *content.Wiki, done Saved, to string) (Saved, error) {
	c, err := w.CommitByID(ctx, done.Commit)
	if err != nil {
		return Saved{}, err
	}
	done.Path, done.Revision, done.Name = "", "", "" // a folder has none
	for _, ch := range c.Changes {
		if wiki.Key(ch.Path) == wiki.Key(to) && ch.New != "" { // folders keep their spelling
			done.Path, done.Revision = ch.Path, ch.New
			done.Name, _ = wiki.PageOf(ch.Path)
		}
		name, ok := wiki.PageOf(ch.Path)
		if ok && ch.Old != ch.New {
			done.Updated = append(done.Updated, name)
		}
		if ok && ch.Kind == wiki.Moved {
			done.Moved++
		}
	}
	slices.Sort(done.Updated)
	return done, nil
}

// rewrite returns a page's source with links that follow the moves. source is its new
// content, or nil for that of its blob.
func (m *moves) rewrite(ctx context.Context, w *content.Wiki, now *names, p, blob string, source []byte) ([]byte, bool, error) {
	if source == nil {
		var err error
		if source, err = w.Blob(ctx, blob); err != nil {
			return nil, false, fmt.Errorf("pages: read %s/%s: %w", w.Slug(), p, err)
		}
	}
	release, err := w.AcquireLarge(ctx, len(source))
	if err != nil {
		return nil, false, err
	}
	defer release()
	plain, stored := wiki.DecodeText(source)
	text, changed := m.respelling(now, p).source(plain)
	if !changed {
		return source, false, nil
	}
	// A page keeps its encoding. If that can't hold the new names, the links stay,
	// and former names redirect.
	encoded, ok := wiki.EncodeText(text, stored)
	if !ok {
		return source, false, nil
	}
	return encoded, true, nil
}

// newFragment returns the fragment of links to a heading or block that is elsewhere
// now. The headings above it are left out if they didn't move along.
func (m *moves) newFragment(file, fragment string, now heading) string {
	if now.anchor != markdown.FragmentAnchor(fragment) {
		return markdown.AnchorFragment(now.anchor)
	}
	path := markdown.HeadingPath(fragment)
	for _, above := range path[:len(path)-1] {
		if m.headings[file][markdown.Anchor(above)].path != now.path {
			return path[len(path)-1]
		}
	}
	return fragment
}

// A DeleteRequest deletes a page with its attachments.
type DeleteRequest struct {
	Write
	Precondition
	Name      string
	Recursive bool // with its subpages
}

// Delete removes a page. Its history stays. A stale Base is ErrConflict, or
// ErrPrecondition if Strict.
func (s *Service) Delete(ctx context.Context, a wiki.Access, r DeleteRequest) (Saved, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return Saved{}, err
	}
	defer release()
	return retryPlanned(ctx, w, a, r.Write, func() (Saved, error) {
		name, file, err := lookup(ctx, w, r.Name)
		if err != nil {
			return Saved{}, err
		}
		if err := mustBeCurrent(ctx, w, r.Precondition, file); err != nil {
			return Saved{}, err
		}
		d, err := s.directory(ctx, w, a)
		if err != nil {
			return Saved{}, err
		}
		edits := []content.Edit{{Op: content.Delete, Path: file.Path, Base: file.Blob}}
		also := d.attachments(name)
		if r.Recursive {
			also = d.below(string(name))
		}
		for _, p := range also {
			edits = append(edits, content.Edit{Op: content.Delete, Path: p, Base: content.BaseAny})
		}
		done, err := s.commit(ctx, w, a, r.Write, content.Request{Message: commitMessage(r.Message, "Delete %s", wiki.Title(string(name))), Edits: edits})
		return done, markOutdated(err)
	})
}
