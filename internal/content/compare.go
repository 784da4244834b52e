package content

import (
	"context"
	"runtime"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/merge"
)

// maxWikiCompared is how many bytes of texts one wiki compares or merges at a time.
// Larger texts count as this much, so a wiki compares only one pair of large texts
// at a time. Two texts of a megabyte take up to two seconds.
const maxWikiCompared = 256 << 10

// newCompareSlots returns the slots of all wikis together.
func newCompareSlots() *budget.Slots {
	return budget.NewSlots(int64(max(2, runtime.GOMAXPROCS(0)))*maxWikiCompared, maxWikiCompared)
}

// AcquireCompare waits until texts of that many bytes can be compared for a wiki.
// Many requests for large texts of one wiki queue behind each other and delay only
// that wiki. It includes AcquireLarge. The caller must call release, and must not call
// AcquireCompare or AcquireLarge before that. It fails only with ctx's error.
func (p *Pool) AcquireCompare(ctx context.Context, slug string, bytes int) (release func(), err error) {
	releaseLarge, err := p.AcquireLarge(ctx, slug, bytes)
	if err != nil {
		return nil, err
	}
	releaseCompare, err := acquireCompare(ctx, p.compare, slug, bytes)
	if err != nil {
		releaseLarge()
		return nil, err
	}
	return func() { releaseCompare(); releaseLarge() }, nil
}

// AcquireCompare is Pool.AcquireCompare for this wiki.
func (w *Wiki) AcquireCompare(ctx context.Context, bytes int) (release func(), err error) {
	return w.pool.AcquireCompare(ctx, w.slug, bytes)
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
