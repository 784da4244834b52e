package pages

import (
	"context"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/merge"
	"robot.wtf/internal/wiki"
)

// A Churn is how many lines a revision changed.
type Churn struct {
	Added, Removed int
	Known          bool // binary files have no lines, and very large ones are not compared
}

func (Churn) weight() uint32 { return 24 }

const (
	churnBytes    = 8 << 20 // read for one list
	churnPatience = 200 * time.Millisecond
)

// Churns counts the lines that each revision changed. What two texts come to
// never changes, so it is remembered; what would take long is left unknown.
func (s *Service) Churns(ctx context.Context, a wiki.Access, revisions []wiki.Revision) ([]Churn, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	counts := make([]Churn, len(revisions))
	begun := time.Now()
	var read int64
	for i, r := range revisions {
		if r.Old == r.New {
			counts[i].Known = true
			continue
		}
		key := cacheKey{"churn", w.Slug(), r.Old + r.New}
		if c, ok := s.cache.GetIfPresent(key); ok {
			counts[i] = c.(Churn)
			continue
		}
		if read > churnBytes || time.Since(begun) > churnPatience {
			continue
		}
		c, n, err := churn(ctx, w, r)
		if err != nil {
			return nil, err
		}
		read += n
		counts[i] = c
		s.cache.Set(key, c)
	}
	return counts, nil
}

// churn compares a revision's two texts, and says how many bytes they are.
func churn(ctx context.Context, w *content.Wiki, r wiki.Revision) (Churn, int64, error) {
	old, err := blobOrNone(ctx, w, r.Old)
	if err != nil {
		return Churn{}, 0, err
	}
	now, err := blobOrNone(ctx, w, r.New)
	n := int64(len(old) + len(now))
	if err != nil || n > maxDiffBytes || isBinary(old) || isBinary(now) {
		return Churn{}, n, err
	}
	c := Churn{Known: true}
	c.Added, c.Removed = merge.Stat(old, now)
	return c, n, nil
}

func blobOrNone(ctx context.Context, w *content.Wiki, id string) ([]byte, error) {
	if id == "" {
		return nil, nil
	}
	return w.Blob(ctx, id)
}
