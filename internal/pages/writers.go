package pages

import (
	"context"
	"errors"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// A writerList holds everyone who has written in a wiki as of a commit, or in a
// file.
type writerList struct {
	seq     int64
	head    string
	authors []wiki.Author
}

func (a *writerList) weight() uint32 { return uint32(100 + 150*len(a.authors)) }

// WrittenByOthers reports whether any of some authors isn't a member, or any line
// of some pages is by a non-member. Imported text counts as such, because anyone
// can put any name into a commit. past includes lines that are no longer on the
// page.
func (s *Service) WrittenByOthers(ctx context.Context, a wiki.Access, member func(did string) bool, names []wiki.PageName, authors []wiki.Author, past bool) (bool, error) {
	foreign := func(by wiki.Author) bool { return by.Imported || !member(by.DID) }
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return true, err
	}
	defer release()
	if slices.ContainsFunc(authors, foreign) {
		return true, nil
	}
	all, err := s.writers(ctx, w)
	if err != nil || !slices.ContainsFunc(all, foreign) {
		return err != nil, err
	}
	for _, name := range names {
		if is, err := s.foreignPage(ctx, w, name, foreign, past); is || err != nil {
			return true, err
		}
	}
	return false, nil
}

func (s *Service) foreignPage(ctx context.Context, w *content.Wiki, name wiki.PageName, foreign func(wiki.Author) bool, past bool) (bool, error) {
	file, err := w.Lookup(ctx, name.File())
	if errors.Is(err, wiki.ErrNotFound) {
		return true, nil // the author is unknown
	}
	if err != nil {
		return true, err
	}
	of, err := s.writersOf(ctx, w, file)
	if err != nil || !slices.ContainsFunc(of, foreign) {
		return err != nil, err
	}
	if past {
		return true, nil
	}
	text, err := w.Blob(ctx, file.Blob)
	if err != nil {
		return true, err
	}
	by, err := s.authorship(ctx, w, file, text)
	if err != nil {
		return true, err
	}
	n := 0
	for line := range strings.Lines(edit.Normalize(text)) {
		if n >= len(by.lines) {
			return true, nil
		}
		if i := by.lines[n]; strings.TrimSpace(line) != "" && (i < 0 || foreign(by.by[i].Author)) {
			return true, nil
		}
		n++
	}
	return false, nil
}

// writers lists everyone who has written in the wiki. It extends the cached list
// to the head.
func (s *Service) writers(ctx context.Context, w *content.Wiki) ([]wiki.Author, error) {
	seq, head := w.Head()
	key := cacheKey{"writers", w.Slug(), ""}
	known := &writerList{}
	if c, ok := s.cache.GetIfPresent(key); ok {
		known = c.(*writerList)
		if known.head == head {
			return known.authors, nil
		}
		if then, err := w.CommitByID(ctx, known.head); err != nil || then.Seq != known.seq {
			known = &writerList{} // the wiki was recreated
		}
	}
	more, err := w.AuthorsAfter(ctx, known.seq)
	if err != nil {
		return nil, err
	}
	next := &writerList{seq: seq, head: head, authors: slices.Clone(known.authors)}
	for _, by := range more {
		if !slices.Contains(next.authors, by) {
			next.authors = append(next.authors, by)
		}
	}
	s.cache.Set(key, next)
	return next.authors, nil
}

// writersOf lists everyone who has written in a file.
func (s *Service) writersOf(ctx context.Context, w *content.Wiki, file wiki.File) ([]wiki.Author, error) {
	key := cacheKey{"writers of", w.Slug(), file.Path + "\x00" + file.Commit}
	if c, ok := s.cache.GetIfPresent(key); ok {
		return c.(*writerList).authors, nil
	}
	of, err := w.AuthorsOf(ctx, file.Path)
	if err == nil {
		s.cache.Set(key, &writerList{authors: of})
	}
	return of, err
}
