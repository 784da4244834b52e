package raster

import (
	"crypto/sha256"
	"maps"
	"sync"
	"time"
)

// failures remembers images that took long to fail, so that viewing a page again
// doesn't repeat the work. The zero value is empty.
type failures struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]failure
}

type failure struct {
	until time.Time
	err   error
}

const (
	rememberFor   = 10 * time.Minute
	rememberAbove = 50 * time.Millisecond // of CPU time
	maxRemembered = 1000
)

// failureKey identifies an owner's image.
func failureKey(owner string, data []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte(owner))
	h.Write([]byte{0})
	h.Write(data)
	return [sha256.Size]byte(h.Sum(nil))
}

// find returns how an image failed, if that is remembered.
func (f *failures) find(key [sha256.Size]byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if known, ok := f.known[key]; ok && time.Now().Before(known.until) {
		return known.err
	}
	return nil
}

// add remembers a failure that used CPU time, unless it was cheap.
func (f *failures) add(key [sha256.Size]byte, err error, used time.Duration) {
	if used < rememberAbove {
		return
	}
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.known) >= maxRemembered {
		maps.DeleteFunc(f.known, func(_ [sha256.Size]byte, old failure) bool { return now.After(old.until) })
	}
	if len(f.known) >= maxRemembered {
		clear(f.known) // forgetting only repeats work
	}
	if f.known == nil {
		f.known = map[[sha256.Size]byte]failure{}
	}
	f.known[key] = failure{now.Add(rememberFor), err}
}
