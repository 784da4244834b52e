package pages

import (
	"context"
	"slices"
	"strconv"

	"robot.wtf/internal/content"
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

// authorKey is the key of something known about authors, which depends on the imports
// that somebody vouches for.
func authorKey(kind string, w *content.Wiki, rest string) cacheKey {
	return cacheKey{kind, w.Slug(), strconv.FormatInt(w.Vouches(), 10) + "\x00" + rest}
}

// writers lists everyone who has written in the wiki. It extends the cached list
// to the head.
func (s *Service) writers(ctx context.Context, w *content.Wiki) ([]wiki.Author, error) {
	seq, head := w.Head()
	key := authorKey("writers", w, "")
	known := &writerList{}
	if c, ok := s.cache.GetIfPresent(key); ok {
		known = c.(*writerList)
		if known.head == head {
			return known.authors, nil
		}
		if then, err := w.SeqOf(ctx, known.head); err != nil || then != known.seq {
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
	key := authorKey("writers of", w, file.Path+"\x00"+file.Commit)
	if c, ok := s.views.GetIfPresent(key); ok {
		return c.(*writerList).authors, nil
	}
	of, err := w.AuthorsOf(ctx, file.Path)
	if err == nil {
		s.views.Set(key, &writerList{authors: of})
	}
	return of, err
}
