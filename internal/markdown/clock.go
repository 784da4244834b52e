package markdown

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// A clock measures the processor time of one parse or render. Time spent waiting for
// a processor doesn't count, so that a page's result doesn't depend on how busy the
// machine is. The nil clock has no limit.
type clock struct {
	limit   time.Duration
	started time.Duration
	looked  time.Time
	seen    time.Duration // at looked
}

// newClock returns a clock of the calling goroutine, which must be locked to its
// thread.
func newClock(limit time.Duration) *clock {
	return &clock{limit: limit, started: threadCPU(), looked: time.Now()}
}

// used returns the processor time since the clock was made, up to a millisecond
// late: asking the kernel at each token would be expensive.
func (c *clock) used() time.Duration {
	if c == nil {
		return 0
	}
	if now := time.Now(); now.Sub(c.looked) >= time.Millisecond {
		c.looked, c.seen = now, threadCPU()-c.started
	}
	return c.seen
}

// spent reports whether the limit was exceeded.
func (c *clock) spent() bool { return c != nil && c.used() > c.limit }

// threadCPU returns the processor time of the calling thread.
func threadCPU() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// OutOfTime reports whether a render failed because of the time it took, so that
// another try can succeed.
func OutOfTime(err error) bool { return errors.Is(err, errSlow) || errors.Is(err, errBusy) }
