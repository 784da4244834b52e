package pages

import (
	"context"
	"io"
	"sync"
	"time"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/wiki"
)

const (
	// maxRepositories is how many uploaded repositories can be on disk at a time, one
	// for each wiki, until their imports end.
	maxRepositories = 2
	// An upload that was slower than yieldRate on average after yieldAfter makes room
	// for another wiki that waits. So a waiting wiki gets its turn within minutes, and
	// the largest repository can still be received at any time.
	yieldRate  = 512 << 10 // bytes a second
	yieldAfter = 5 * time.Minute
	// idleAfter is how long an upload can wait for its owner before it makes room for
	// another wiki that waits.
	idleAfter = 2 * time.Minute
	// yieldWait is how long a wiki waits for an upload that makes room.
	yieldWait = 30 * time.Second
)

// receipts hands out the slots for uploaded repositories.
type receipts struct {
	slots *budget.Slots

	mu   sync.Mutex
	open map[string]*receipt // by slug
}

func newReceipts() *receipts {
	return &receipts{slots: budget.NewSlots(maxRepositories, 1), open: map[string]*receipt{}}
}

// A receipt is one wiki's slot: an upload that is being received, or is on disk.
type receipt struct {
	slug      string
	interrupt func() // makes a blocked read return; can be nil
	began     time.Time
	release   func() // of the slot

	all      *receipts // guards the rest
	read     int64     // bytes
	received bool      // so it doesn't make room any more
	yielding bool
	expire   func()    // ends an upload that waits for its owner; nil if it is at work
	paused   time.Time // since when it waits
}

// acquire returns a slot for a wiki. If all are taken, the slowest upload makes room,
// unless none is slow. It fails with ErrUnavailable.
func (s *receipts) acquire(ctx context.Context, slug string, interrupt func()) (*receipt, error) {
	release, ok := s.slots.TryAcquire(slug)
	if !ok {
		if !s.makeRoom(slug) {
			return nil, errReceiving
		}
		wait, cancel := context.WithTimeout(ctx, yieldWait)
		defer cancel()
		var err error
		if release, err = s.slots.Acquire(wait, slug); err != nil {
			return nil, errReceiving
		}
	}
	r := &receipt{slug: slug, interrupt: interrupt, began: time.Now(), release: release, all: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[slug] = r
	return r, nil
}

var errReceiving = wiki.Problemf(wiki.ErrUnavailable, "file", "Other repositories are being imported. Nothing was uploaded. Try again in a few minutes.")

// makeRoom ends an upload that waits for its owner, or else the slowest of the slow
// ones, and reports whether there is one. A wiki's own upload never makes room for
// another of the same wiki.
func (s *receipts) makeRoom(slug string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[slug] != nil {
		return false
	}
	var slowest *receipt
	for _, r := range s.open {
		if r.expire != nil && !r.yielding && time.Since(r.paused) >= idleAfter {
			r.yielding = true
			r.expire()
			return true
		}
		if r.isSlow() && (slowest == nil || r.rate() < slowest.rate()) {
			slowest = r
		}
	}
	if slowest == nil {
		return false
	}
	slowest.yielding = true
	if slowest.interrupt != nil {
		slowest.interrupt()
	}
	return true
}

// isSlow reports whether an upload can be ended for another. It requires the lock.
func (r *receipt) isSlow() bool {
	return !r.received && !r.yielding && time.Since(r.began) >= yieldAfter && r.rate() < yieldRate
}

// rate is the average so far, in bytes a second. It requires the lock.
func (r *receipt) rate() float64 { return float64(r.read) / time.Since(r.began).Seconds() }

// count counts received bytes. It fails once the upload has to make room.
func (r *receipt) count(n int) error {
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	r.read += int64(n)
	return r.check()
}

// check fails if the upload has to make room. It requires the lock.
func (r *receipt) check() error {
	if r.yielding {
		return wiki.Problemf(wiki.ErrUnavailable, "file", "The upload was slow, and another wiki was waiting to import, so this upload ended. Nothing was changed. Try again later, or over a faster connection.")
	}
	return nil
}

// finish records that everything was received. It fails if the upload has to make room.
func (r *receipt) finish() error {
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	r.received = !r.yielding
	return r.check()
}

// pause records that the upload waits for its owner. It calls expire, at most once and
// with locks held, when the upload has to make room.
func (r *receipt) pause(expire func()) {
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	r.expire, r.paused = expire, time.Now()
}

// resume records that the upload is at work again; false if it has to make room.
func (r *receipt) resume() bool {
	r.all.mu.Lock()
	defer r.all.mu.Unlock()
	r.expire = nil
	return !r.yielding
}

// close returns the slot.
func (r *receipt) close() {
	r.all.mu.Lock()
	delete(r.all.open, r.slug)
	r.all.mu.Unlock()
	r.release()
}

// A receiptReader reads an upload and counts it.
type receiptReader struct {
	in      io.Reader
	receipt *receipt
}

func (r receiptReader) Read(buf []byte) (int, error) {
	n, err := r.in.Read(buf)
	if yield := r.receipt.count(n); yield != nil {
		return n, yield
	}
	return n, err
}
