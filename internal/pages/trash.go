package pages

import (
	"context"
	"errors"
	"path"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// A DeletedPage is a page in the trash, with its deletion.
type DeletedPage struct {
	Name wiki.PageName
	wiki.Revision
}

// Trash lists deleted pages, newest first, at most limit from a place in the list. next
// is where the list goes on, zero at its end. A page leaves the trash when a page of
// its name is there again.
func (s *Service) Trash(ctx context.Context, a wiki.Access, from TrashPlace, limit int) (list []DeletedPage, next TrashPlace, err error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, next, err
	}
	defer release()
	for {
		deleted, err := w.Trash(ctx, from, limit+1)
		if err != nil {
			return nil, TrashPlace{}, err
		}
		for _, r := range deleted {
			if len(list) == limit {
				return list, from, nil
			}
			from = TrashPlace{Seq: r.Seq, Path: r.Path}
			if name, ok := wiki.PageOf(r.Path); ok && !wiki.Hidden(r.Path) {
				list = append(list, DeletedPage{name, r})
			}
		}
		if len(deleted) <= limit {
			return list, TrashPlace{}, nil
		}
	}
}

// restoredFiles returns the edits that bring back the files of a deleted page which
// its deletion took along.
func restoredFiles(ctx context.Context, w *content.Wiki, deletion wiki.Revision) (edits []content.Edit, err error) {
	page, ok := wiki.PageOf(deletion.Path)
	if !ok || deletion.Kind != wiki.Deleted {
		return nil, nil
	}
	c, err := w.CommitByID(ctx, deletion.Commit)
	if err != nil {
		return nil, err
	}
	for _, ch := range c.Changes {
		_, isPage := wiki.PageOf(ch.Path)
		if ch.Kind != wiki.Deleted || isPage || path.Dir(ch.Path) != string(page) {
			continue
		}
		if _, err := w.Lookup(ctx, ch.Path); !errors.Is(err, wiki.ErrNotFound) {
			continue // another file has the name, or it can't be read
		}
		data, err := w.Blob(ctx, ch.Old)
		if errors.Is(err, wiki.ErrTakenDown) {
			continue
		}
		if err != nil {
			return nil, err
		}
		edits = append(edits, content.Edit{Op: content.Put, Path: ch.Path, Data: nonNil(data), Base: content.BaseNone})
	}
	return edits, nil
}
