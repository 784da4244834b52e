package background

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/pprof"
	"sync/atomic"
)

// Labels of a sample's profile.
const (
	WikiLabel = "wiki"
	WorkLabel = "work"
)

// sampling is whether processor time is being attributed, in the whole process.
var sampling atomic.Bool

// ErrSampling is the error for a second sample at the same time.
var ErrSampling = errors.New("another sample is being taken")

// StartSample begins a CPU profile, in which work since then has the labels of
// Attribute. The profile is in pprof's format, written to w by stop.
func StartSample(w io.Writer) (stop func(), err error) {
	if !sampling.CompareAndSwap(false, true) {
		return nil, ErrSampling
	}
	if err := pprof.StartCPUProfile(w); err != nil {
		sampling.Store(false)
		return nil, fmt.Errorf("background: sample: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		sampling.Store(false)
	}, nil
}

// Attribute calls f. During a sample, its processor time, and that of goroutines that
// it starts, counts for a wiki and a kind of work.
func Attribute(slug, work string, f func()) {
	if !sampling.Load() {
		f()
		return
	}
	pprof.Do(context.Background(), pprof.Labels(WikiLabel, slug, WorkLabel, work), func(context.Context) { f() })
}
