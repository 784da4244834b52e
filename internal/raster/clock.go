package raster

import (
	"bytes"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"robot.wtf/internal/wiki"
)

// A clock stops work on one image: when its context ends, or when its thread has
// used its CPU time. Time spent waiting for a CPU doesn't count, so that images
// don't fail on a busy machine.
type clock struct {
	limit   time.Duration
	done    func() error // of the context
	started time.Duration
	checked time.Time
	err     error // why the work stops
}

// newClock returns a clock of the calling goroutine, which must be locked to its
// thread.
func newClock(limit time.Duration, done func() error) *clock {
	return &clock{limit: limit, done: done, started: threadCPU(), checked: time.Now()}
}

// check returns the error to stop with, if any.
func (c *clock) check() error {
	if c.err != nil {
		return c.err
	}
	if now := time.Now(); now.Sub(c.checked) > time.Millisecond {
		c.checked = now
		if c.used() > c.limit {
			c.err = wiki.Problemf(wiki.ErrTooLarge, "", "This image takes too long to decode. Save it with fewer pixels, or as a JPEG without the progressive option.")
		}
	}
	if err := c.done(); err != nil {
		c.err = err
	}
	return c.err
}

// used returns the CPU time since the clock was made.
func (c *clock) used() time.Duration { return threadCPU() - c.started }

// threadCPU returns the CPU time of the calling thread.
func threadCPU() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// A reader gives a decoder its input in small pieces, and none after the clock has
// stopped: 64 bytes can describe thousands of blocks.
type reader struct {
	data  []byte
	clock *clock
}

const readSize = 64

func (r *reader) Read(p []byte) (int, error) {
	if err := r.clock.check(); err != nil {
		return 0, err
	}
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), readSize)], r.data)
	r.data = r.data[n:]
	return n, nil
}

// A writer collects an encoder's output up to maxOutput, until the clock stops.
type writer struct {
	buffer bytes.Buffer
	clock  *clock
}

func (w *writer) Write(p []byte) (int, error) {
	if err := w.clock.check(); err != nil {
		return 0, err
	}
	if w.buffer.Len()+len(p) > maxOutput {
		return 0, errBigPicture
	}
	return w.buffer.Write(p)
}
