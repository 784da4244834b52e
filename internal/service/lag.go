package service

import (
	"sync"
	"time"
)

// A lag measures how far derived data is behind the saves. The zero lag is ready
// to use.
type lag struct {
	mu      sync.Mutex
	waiting map[string]time.Time // wikis with pending work, since when
	running map[string]time.Time // wikis being worked on
}

// begin notes that a wiki has pending work.
func (l *lag) begin(slug string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting == nil {
		l.waiting, l.running = map[string]time.Time{}, map[string]time.Time{}
	}
	if _, ok := l.waiting[slug]; !ok {
		l.waiting[slug] = time.Now()
	}
}

// work moves a wiki's pending work to running; done ends it.
func (l *lag) work(slug string) (done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if since, ok := l.waiting[slug]; ok {
		l.running[slug] = since
		delete(l.waiting, slug)
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.running, slug)
	}
}

// seconds returns the age of the oldest unfinished work. It has the signature of a
// gauge; ok is always true.
func (l *lag) seconds() (float64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	longest := 0.0
	for _, wikis := range []map[string]time.Time{l.waiting, l.running} {
		for _, since := range wikis {
			longest = max(longest, time.Since(since).Seconds())
		}
	}
	return longest, true
}
