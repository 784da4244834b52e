package content

import (
	"context"
	"runtime"

	"robot.wtf/internal/budget"
)

// largeText is the size in bytes from which work on a text takes a slot.
const largeText = 16 << 10

// newLargeSlots returns the slots for work on large texts: one for a wiki, which
// leaves the other processors to everybody else.
func newLargeSlots() *budget.Slots {
	return budget.NewSlots(int64(max(2, runtime.GOMAXPROCS(0))), 1)
}

// AcquireLarge waits until a wiki's text of that many bytes can be worked on: parsed,
// rendered, saved or indexed. A wiki works on one large text at a time; small ones
// don't wait. The caller must call release, and must not call AcquireLarge before
// that. It fails only with ctx's error.
func (p *Pool) AcquireLarge(ctx context.Context, slug string, bytes int) (release func(), err error) {
	if bytes < largeText {
		return func() {}, nil
	}
	return p.large.Acquire(ctx, slug)
}

// Turns returns the slots of AcquireLarge, by wiki, for long work that can pause.
func (p *Pool) Turns() *budget.Slots { return p.large }

// AcquireLarge is Pool.AcquireLarge for this wiki.
func (w *Wiki) AcquireLarge(ctx context.Context, bytes int) (release func(), err error) {
	return w.pool.AcquireLarge(ctx, w.slug, bytes)
}
