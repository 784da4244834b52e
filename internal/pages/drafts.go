package pages

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// An EditForm is what an editor starts with.
type EditForm struct {
	Name   wiki.PageName
	Text   []byte        // normalized
	Stored wiki.Encoding // of the page, "" for UTF-8: saving converts it
	Base   string        // blob id, "" for a new page
	Exists bool
	Draft  *Draft // the caller's, if it differs from Text
	// Files are kept with the caller's draft; saving the page attaches them.
	Files []DraftFile
	// Similar lists pages with similar names, if the page is new.
	Similar []wiki.PageName
	// SimilarText lists other pages that may be about the same topic.
	SimilarText []wiki.PageName
}

// Edit starts an edit of the newest revision, or from the text of an old one.
// Base is the newest revision in both cases. At a former name a new page can be
// created; Similar then lists the renamed page.
func (s *Service) Edit(ctx context.Context, a wiki.Access, name, revision string) (*EditForm, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return nil, err
	}
	defer release()
	found, now, err := lookup(ctx, w, name)
	exists := err == nil
	if err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return nil, err
	}
	form := &EditForm{Name: found, Base: now.Blob, Exists: exists}
	var text []byte
	switch {
	case revision != "":
		_, text, err = readRevision(ctx, w, found.File(), revision)
	case exists:
		text, err = w.Blob(ctx, now.Blob)
	default:
		if form.Similar, err = s.similarNames(ctx, w, a, found); err == nil {
			form.SimilarText, err = s.similarText(ctx, w, a, found, "", form.Similar)
		}
	}
	if err != nil {
		return nil, err
	}
	_, form.Stored = wiki.DecodeText(text)
	form.Text = []byte(edit.Normalize(text))
	did := a.Caller().User.DID
	if form.Draft, err = readDraft(ctx, w, did, found, string(form.Text)); err == nil && did != "" {
		form.Files, err = w.DraftFiles(ctx, did, found.File())
	}
	return form, err
}

// readDraft reads a person's draft if it differs from the text.
func readDraft(ctx context.Context, w *content.Wiki, did string, name wiki.PageName, text string) (*Draft, error) {
	if did == "" {
		return nil, nil // the operator has no drafts
	}
	d, err := w.Draft(ctx, did, name.File())
	if errors.Is(err, wiki.ErrNotFound) {
		d, err = movedDraft(ctx, w, did, name)
	}
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case strings.TrimRight(edit.Normalize(d.Text), "\n") == strings.TrimRight(text, "\n"):
		return nil, nil
	}
	return &d, nil
}

// movedDraft finds a draft started before its page was renamed, and moves it to
// the new name.
func movedDraft(ctx context.Context, w *content.Wiki, did string, name wiki.PageName) (Draft, error) {
	drafts, err := w.Drafts(ctx, did)
	if err != nil {
		return Draft{}, err
	}
	for _, old := range drafts {
		to, err := w.MovedTo(ctx, old.Path)
		if errors.Is(err, wiki.ErrNotFound) || err == nil && wiki.Key(to) != name.Key() {
			continue
		}
		if err != nil {
			return Draft{}, err
		}
		if err := w.MoveDraft(ctx, did, old.Path, to); err != nil {
			return Draft{}, err
		}
		return w.Draft(ctx, did, to)
	}
	return Draft{}, wiki.ErrNotFound
}

// similarNames finds pages that the writer may have meant instead of a new one:
// the page that formerly had this name, and pages whose last segment is equal or
// nearly equal.
func (s *Service) similarNames(ctx context.Context, w *content.Wiki, a wiki.Access, name wiki.PageName) ([]wiki.PageName, error) {
	d, err := s.directory(ctx, w, a)
	if err != nil {
		return nil, err
	}
	moved := d.movedTo(name.File())
	type candidate struct {
		name     wiki.PageName
		distance int
	}
	var found []candidate
	want := wiki.Key(name.Title())
	for _, other := range pageNames(d.paths) {
		have := wiki.Key(other.Title())
		edits := merge.Distance(want, have, 2)
		if edits > 2 && len(want) >= 4 && (strings.Contains(have, want) || len(have) >= 4 && strings.Contains(want, have)) {
			edits = 2
		}
		if other.File() == moved {
			edits = -1
		}
		if edits <= min(2, len(want)/3) {
			found = append(found, candidate{other, edits})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var names []wiki.PageName
	for _, c := range found[:min(len(found), maxSimilar)] {
		names = append(names, c.name)
	}
	return names, nil
}

const maxSimilar = 5

// SaveDraft stores the caller's unsaved text.
func (s *Service) SaveDraft(ctx context.Context, a wiki.Access, name string, text []byte, message, base string) error {
	w, found, release, err := s.openDraft(ctx, a, name)
	if err != nil {
		return err
	}
	defer release()
	if err := checkText(text, a.Site().Limits); err != nil {
		return err
	}
	if len(base) > 40 { // at most an id, so that it can't hold other data
		return wiki.Problemf(wiki.ErrInvalid, "revision", "A revision has 7 to 40 hexadecimal digits.")
	}
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "")
	}
	return w.SaveDraft(ctx, a.Caller().User.DID, Draft{
		Path: found.File(), Text: []byte(edit.Normalize(text)), Message: message, Base: base, Modified: s.now(),
	})
}

// openDraft opens the wiki for the caller's draft of a page, and returns the page's name
// in its canonical spelling. The caller must call release.
func (s *Service) openDraft(ctx context.Context, a wiki.Access, name string) (w *content.Wiki, found wiki.PageName, release func(), err error) {
	if w, release, err = s.open(ctx, a, wiki.Edit); err != nil {
		return nil, "", nil, err
	}
	if a.Caller().User.DID == "" {
		err = wiki.Problemf(wiki.ErrDenied, "", "Sign in to save drafts.")
	} else if found, _, err = lookup(ctx, w, name); errors.Is(err, wiki.ErrNotFound) {
		err = nil // a page that doesn't exist yet
	}
	if err != nil {
		release()
		return nil, "", nil, err
	}
	return w, found, release, nil
}

// DropDraft deletes the caller's draft of a page, with its files.
func (s *Service) DropDraft(ctx context.Context, a wiki.Access, name string) error {
	w, found, release, err := s.openDraft(ctx, a, name)
	if err != nil {
		return err
	}
	defer release()
	return w.DropDraft(ctx, a.Caller().User.DID, found.File())
}

// Drafts lists the caller's drafts, newest first, without their text.
func (s *Service) Drafts(ctx context.Context, a wiki.Access) ([]Draft, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return nil, err
	}
	defer release()
	return draftsOf(ctx, w, a)
}

// draftsOf lists the caller's drafts in an open wiki. Agents of no person have none.
func draftsOf(ctx context.Context, w *content.Wiki, a wiki.Access) ([]Draft, error) {
	if a.Caller().User.DID == "" {
		return nil, nil
	}
	return w.Drafts(ctx, a.Caller().User.DID)
}

// A ListedDraft is one of the caller's drafts, without its text.
type ListedDraft struct {
	Draft
	Name    wiki.PageName
	Exists  bool // the page does
	Changed bool // the page has changed since the draft was begun
}

// ListDrafts lists the caller's drafts with the state of their pages, newest first.
func (s *Service) ListDrafts(ctx context.Context, a wiki.Access) ([]ListedDraft, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return nil, err
	}
	defer release()
	drafts, err := draftsOf(ctx, w, a)
	if err != nil {
		return nil, err
	}
	var list []ListedDraft
	for _, d := range drafts {
		name, ok := wiki.PageOf(d.Path)
		if !ok {
			continue
		}
		_, file, exists, err := openPage(ctx, w, string(name))
		if err != nil {
			return nil, err
		}
		list = append(list, ListedDraft{Draft: d, Name: name, Exists: exists, Changed: exists && d.Base != "" && file.Blob != d.Base})
	}
	return list, nil
}

// HasDraft reports whether the caller has a draft of a page, by its exact name in any
// spelling.
func (s *Service) HasDraft(ctx context.Context, a wiki.Access, name string) (bool, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return false, err
	}
	defer release()
	return w.HasDraft(ctx, a.Caller().User.DID, name+".md")
}
