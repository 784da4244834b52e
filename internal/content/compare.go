package content

import (
	"context"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/merge"
)

const (
	// maxCompared is how many bytes of texts are compared or merged at a time, in
	// all wikis together. Comparing two texts of a megabyte takes up to two seconds.
	maxCompared = 512 << 10
	// maxWikiCompared is the share of one wiki. Larger texts count as this much, so
	// a wiki compares only one pair of large texts at a time.
	maxWikiCompared = maxCompared / 2
)

func newCompareSlots() *budget.Slots { return budget.NewSlots(maxCompared, maxWikiCompared) }

// AcquireCompare waits until texts of that many bytes can be compared for a wiki.
// Many requests for large texts of one wiki queue behind each other and delay only
// that wiki. The caller must call release, and must not call AcquireCompare before
// that. It fails only with ctx's error.
func (p *Pool) AcquireCompare(ctx context.Context, slug string, bytes int) (release func(), err error) {
	return acquireCompare(ctx, p.compare, slug, bytes)
}

// AcquireCompare is Pool.AcquireCompare for this wiki.
func (w *Wiki) AcquireCompare(ctx context.Context, bytes int) (release func(), err error) {
	return acquireCompare(ctx, w.compare, w.slug, bytes)
}

func acquireCompare(ctx context.Context, slots *budget.Slots, slug string, bytes int) (release func(), err error) {
	return slots.AcquireUnits(ctx, slug, min(int64(bytes), maxWikiCompared))
}

// Merge is merge.Three within the budget for comparisons. It fails only with ctx's
// error.
func (w *Wiki) Merge(ctx context.Context, base, ours, theirs []byte) (merge.Result, error) {
	release, err := w.AcquireCompare(ctx, len(base)+len(ours)+len(theirs))
	if err != nil {
		return merge.Result{}, err
	}
	defer release()
	return merge.Three(base, ours, theirs), nil
}
