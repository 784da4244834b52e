// Package timing adds up where a request spends its time, for the log.
package timing

import (
	"context"
	"sync/atomic"
	"time"
)

// A Part is where time is spent.
type Part int

// The parts. The index reads content, so that time counts in both.
const (
	Store   Part = iota // the platform's database
	Content             // wikis' databases, with waiting for other writers
	Index               // search
	Git                 // git processes
	parts
)

// A Times adds up the time of one request. It is safe for concurrent use; work that
// runs at the same time is added, so a part can be longer than the request.
type Times struct{ spent [parts]atomic.Int64 }

// Spent returns the time spent in a part so far.
func (t *Times) Spent(p Part) time.Duration { return time.Duration(t.spent[p].Load()) }

type key struct{}

// With returns a context whose work is added to Times.
func With(ctx context.Context) (context.Context, *Times) {
	t := new(Times)
	return context.WithValue(ctx, key{}, t), t
}

// Measure begins work in a part; the function that it returns ends it. Without Times
// in the context it does nothing.
func Measure(ctx context.Context, p Part) (end func()) {
	t, _ := ctx.Value(key{}).(*Times)
	if t == nil {
		return noop
	}
	start := time.Now()
	return func() { t.spent[p].Add(int64(time.Since(start))) }
}

func noop() {}
