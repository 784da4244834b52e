// Package budget bounds work and memory that requests cause. Its Slots and Caches
// are shared fairly: a wiki that uses up its own share affects only itself. It does
// no work of its own and knows no wikis; callers choose keys and sizes.
package budget

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Slots is a weighted semaphore with a share for each key, such as a wiki's slug.
// It hands out at most total units at a time, and at most share to one key. Keys
// take turns, so the number of waiters of one key doesn't matter to the others.
// It is safe for concurrent use.
type Slots struct {
	total, share int64

	mu     sync.Mutex
	used   int64
	held   map[string]int64     // units of each key that holds any
	queues map[string][]*waiter // waiters of each key that has any, oldest first
	turns  []string             // the keys of queues; the first one's turn is next
}

// A waiter is a call of Acquire that waits.
type waiter struct {
	units   int64
	granted chan struct{} // closed when it holds its units
}

// NewSlots returns Slots of total units. One key can hold at most share of them.
func NewSlots(total, share int64) *Slots {
	return &Slots{total: total, share: min(share, total), held: map[string]int64{}, queues: map[string][]*waiter{}}
}

// Acquire waits for one unit. The caller must call release exactly once. Acquire
// fails only with ctx's error.
func (s *Slots) Acquire(ctx context.Context, key string) (release func(), err error) {
	return s.AcquireUnits(ctx, key, 1)
}

// AcquireUnits waits for a number of units. It fails with ctx's error, or at once
// if one key can't hold that many.
func (s *Slots) AcquireUnits(ctx context.Context, key string, units int64) (release func(), err error) {
	if units < 0 || units > s.share {
		return nil, fmt.Errorf("budget: acquire %d units: one key can hold %d", units, s.share)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	release = func() { s.release(key, units) }
	s.mu.Lock()
	if s.queues[key] == nil && s.fits(key, units) && len(s.turns) == 0 {
		s.hold(key, units)
		s.mu.Unlock()
		return release, nil
	}
	w := &waiter{units: units, granted: make(chan struct{})}
	s.enqueue(key, w)
	s.grant()
	s.mu.Unlock()
	select {
	case <-w.granted:
		return release, nil
	case <-ctx.Done():
		s.abandon(key, w)
		return nil, ctx.Err()
	}
}

// TryAcquire takes one unit if it is free and nobody with a claim to it waits.
func (s *Slots) TryAcquire(key string) (release func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queues[key] != nil || !s.fits(key, 1) {
		return nil, false
	}
	s.hold(key, 1)
	return func() { s.release(key, 1) }, true
}

// fits reports whether key can hold that many more units now.
func (s *Slots) fits(key string, units int64) bool {
	return s.used+units <= s.total && s.held[key]+units <= s.share
}

func (s *Slots) hold(key string, units int64) {
	s.used += units
	s.held[key] += units
}

func (s *Slots) release(key string, units int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= units
	if s.held[key] -= units; s.held[key] == 0 {
		delete(s.held, key)
	}
	s.grant()
}

func (s *Slots) enqueue(key string, w *waiter) {
	if s.queues[key] == nil {
		s.turns = append(s.turns, key)
	}
	s.queues[key] = append(s.queues[key], w)
}

// grant gives units to waiters, one per key in turn. A key that has its share is
// skipped. The first waiter that only the total keeps waiting ends the round: if
// smaller ones overtook it, it might wait forever.
func (s *Slots) grant() {
	for i := 0; i < len(s.turns); {
		key := s.turns[i]
		w := s.queues[key][0]
		if s.held[key]+w.units > s.share {
			i++
			continue
		}
		if s.used+w.units > s.total {
			return
		}
		s.hold(key, w.units)
		s.turns = slices.Delete(s.turns, i, i+1)
		if s.queues[key] = s.queues[key][1:]; len(s.queues[key]) == 0 {
			delete(s.queues, key)
		} else {
			s.turns = append(s.turns, key)
		}
		close(w.granted)
	}
}

// abandon ends a wait, and returns the units if they were granted meanwhile.
func (s *Slots) abandon(key string, w *waiter) {
	s.mu.Lock()
	queue := s.queues[key]
	i := slices.Index(queue, w)
	if i < 0 {
		s.mu.Unlock()
		s.release(key, w.units)
		return
	}
	defer s.mu.Unlock()
	if s.queues[key] = slices.Delete(queue, i, i+1); len(s.queues[key]) == 0 {
		delete(s.queues, key)
		s.turns = slices.DeleteFunc(s.turns, func(k string) bool { return k == key })
	}
	s.grant() // the abandoned waiter may have been first in line
}
