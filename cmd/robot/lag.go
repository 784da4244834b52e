package main

import (
	"sync"
	"time"
)

// A lag is how long what derives from saves is behind them. The zero lag is
// ready for use.
type lag struct {
	mu      sync.Mutex
	waiting map[string]time.Time // wikis with something to do, since when
	running map[string]time.Time // and those that are being worked on
}

// begin notes that a wiki has something to do.
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

// work takes a wiki up; what begins from now on waits anew. The function that it
// gives ends the work.
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

// seconds is how long the wiki that waits longest has waited.
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
