package pages

import (
	"context"
	"errors"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// An OtherEdit is a change of a page while it was open for editing.
type OtherEdit struct {
	Revision wiki.Revision // the newest one
	Deleted  bool
	Hunks    []DiffHunk // from the editor's revision to now; nil after a deletion
}

// EditedSince compares a page with the revision that an editor began with, "" for a
// new page. It returns nil if the page is the same. It follows a renamed page.
func (s *Service) EditedSince(ctx context.Context, a wiki.Access, name, revision string) (*OtherEdit, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return nil, err
	}
	defer release()
	path, file, exists, err := openPage(ctx, w, name)
	if err != nil || exists && file.Blob == revision || !exists && revision == "" {
		return nil, err
	}
	history, err := s.History(ctx, a, path, 0, 1)
	if err != nil || len(history) == 0 {
		return nil, err
	}
	other := &OtherEdit{Revision: history[0], Deleted: !exists}
	if !exists {
		return other, nil
	}
	old, now, err := readSides(ctx, w, path, revision, file)
	if err == nil {
		other.Hunks, err = s.Compare(ctx, a, old, now)
	}
	return other, err
}

// openPage finds the page of an open editor, which may have been renamed or deleted
// since.
func openPage(ctx context.Context, w *content.Wiki, name string) (path string, file wiki.File, exists bool, err error) {
	found, file, err := lookupBy(ctx, w.Find, name)
	if err == nil || !errors.Is(err, wiki.ErrNotFound) {
		return file.Path, file, err == nil, err
	}
	file, err = findRenamed(ctx, w, found.File())
	if errors.Is(err, wiki.ErrNotFound) {
		return found.File(), wiki.File{}, false, nil
	}
	return file.Path, file, err == nil, err
}

// readSides reads a page at a revision, "" for an empty text, and as it is now.
func readSides(ctx context.Context, w *content.Wiki, path, revision string, file wiki.File) (old, now []byte, err error) {
	if revision != "" {
		if _, old, err = readRevision(ctx, w, path, revision); err != nil {
			return nil, nil, err
		}
	}
	now, err = w.Blob(ctx, file.Blob)
	return old, now, err
}

// An OpenMerge is the text of an open editor, merged with the changes of others.
type OpenMerge struct {
	Text     string `json:"text"`
	Revision string `json:"revision"` // the base of the text from now on
	// Conflicts is the number of places that both sides changed. If there are any,
	// the text isn't merged.
	Conflicts int `json:"conflicts"`
}

// MergeOpen merges the text of an open editor, which began with a revision, with the
// page. It saves nothing.
func (s *Service) MergeOpen(ctx context.Context, a wiki.Access, name, revision string, text []byte) (OpenMerge, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return OpenMerge{}, err
	}
	defer release()
	if err := checkText(text, a.Site().Limits); err != nil {
		return OpenMerge{}, err
	}
	path, file, exists, err := openPage(ctx, w, name)
	if err != nil {
		return OpenMerge{}, err
	}
	if !exists {
		return OpenMerge{}, wiki.Problemf(wiki.ErrNotFound, "page", "This page was deleted. Save your text to create it again.")
	}
	base, theirs, err := readSides(ctx, w, path, revision, file)
	if err != nil {
		return OpenMerge{}, err
	}
	yours := edit.Normalize(text)
	merged, err := w.Merge(ctx, []byte(edit.Normalize(base)), []byte(yours), []byte(edit.Normalize(theirs)))
	if err != nil {
		return OpenMerge{}, err
	}
	if n := len(merged.Conflicts); n > 0 {
		return OpenMerge{Text: yours, Revision: revision, Conflicts: n}, nil
	}
	return OpenMerge{Text: string(merged.Text), Revision: file.Blob}, nil
}
