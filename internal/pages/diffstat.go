package pages

import (
	"context"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// A Diffstat counts the lines that a revision changed.
type Diffstat struct {
	Added, Removed int
	Known          bool // false for binary and very large files
}

func (Diffstat) weight() uint32 { return 24 }

const (
	maxDiffstatBytes = 8 << 20 // read per call
	maxDiffstatTime  = 200 * time.Millisecond
)

// Diffstats counts the lines that each revision changed. Results are cached; after
// a bound on bytes and time the rest stays unknown.
func (s *Service) Diffstats(ctx context.Context, a wiki.Access, revisions []wiki.Revision) ([]Diffstat, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	return s.diffstats(ctx, w, revisions, maxDiffstatTime)
}

// diffstats is Diffstats with a bound on the time.
func (s *Service) diffstats(ctx context.Context, w *content.Wiki, revisions []wiki.Revision, within time.Duration) ([]Diffstat, error) {
	counts := make([]Diffstat, len(revisions))
	begun := time.Now()
	var read int64
	for i, r := range revisions {
		if r.Old == r.New {
			counts[i].Known = true
			continue
		}
		key := cacheKey{"diffstat", w.Slug(), r.Old + " " + r.New}
		if c, ok := s.views.GetIfPresent(key); ok {
			counts[i] = c.(Diffstat)
			continue
		}
		if read > maxDiffstatBytes || time.Since(begun) > within {
			continue
		}
		c, n, err := diffstat(ctx, w, r)
		if err != nil {
			return nil, err
		}
		read += n
		counts[i] = c
		s.views.Set(key, c)
	}
	return counts, nil
}

// diffstat compares a revision's two texts. It also returns their size.
func diffstat(ctx context.Context, w *content.Wiki, r wiki.Revision) (Diffstat, int64, error) {
	old, err := readBlobOrEmpty(ctx, w, r.Old)
	if err != nil {
		return Diffstat{}, 0, err
	}
	now, err := readBlobOrEmpty(ctx, w, r.New)
	n := int64(len(old) + len(now))
	if err != nil || n > maxDiffBytes || isBinary(old) || isBinary(now) {
		return Diffstat{}, n, err
	}
	release, err := w.AcquireCompare(ctx, int(n))
	if err != nil {
		return Diffstat{}, 0, err
	}
	defer release()
	c := Diffstat{Known: true}
	c.Added, c.Removed = merge.Stat(old, now)
	return c, n, nil
}

func readBlobOrEmpty(ctx context.Context, w *content.Wiki, id string) ([]byte, error) {
	if id == "" {
		return nil, nil
	}
	return w.Blob(ctx, id)
}
