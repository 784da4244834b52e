package pages

import (
	"context"
	"runtime"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/content"
)

// largeText is the size in bytes from which work on a text takes a slot.
const largeText = 16 << 10

// newLargeSlots returns the slots for work on large texts: one for a wiki, which
// leaves the other processors to everybody else.
func newLargeSlots() *budget.Slots {
	return budget.NewSlots(int64(max(2, runtime.GOMAXPROCS(0))), 1)
}

// acquireLarge waits for a slot if a text is large. It fails only with ctx's error.
func (s *Service) acquireLarge(ctx context.Context, slug string, bytes int) (release func(), err error) {
	if bytes < largeText {
		return func() {}, nil
	}
	return s.large.Acquire(ctx, slug)
}

// textBytes is the size of the texts in a request.
func textBytes(r content.Request) (n int) {
	for _, e := range r.Edits {
		n += len(e.Data)
	}
	return n
}
