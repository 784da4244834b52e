package service

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/config"
)

// LimitMemory sets the memory that the garbage collector of this process aims for, unless
// GOMEMLIMIT does.
func LimitMemory(c config.Config) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(c.Memory())
	}
}

// cacheSizes are the sizes of all caches of content in bytes, together less than three
// fifths of the memory.
type cacheSizes struct {
	wikis    int64 // names, links and lists of whole wikis
	vectors  int64
	views    int64 // bodies, authors and pictures of single files
	finished int64 // pages as they are sent
}

func cachesOf(c config.Config) cacheSizes {
	m := c.Memory()
	return cacheSizes{wikis: m / 4, vectors: m / 4, views: m / 40, finished: m / 40}
}

// A releaser returns memory to the system after work that needs much of it for a while:
// the start, and embedding. Otherwise the process would keep it for minutes.
type releaser struct {
	background *background.Workers

	mu      sync.Mutex
	timer   *time.Timer // nil if no release is due
	last    time.Time
	stopped bool
}

// A release follows the work after releaseDelay. It takes some 20 ms of processor time,
// so there is a pause before the next one.
const (
	releaseDelay = 250 * time.Millisecond
	releasePause = 3 * time.Second
)

// releaseSoon is called when such work is done for now.
func (r *releaser) releaseSoon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer != nil || r.stopped {
		return
	}
	delay := max(releaseDelay, releasePause-time.Since(r.last))
	r.timer = r.background.AfterFunc(background.Job{Work: "release memory"}, delay, r.release)
}

func (r *releaser) release() {
	r.mu.Lock()
	r.timer, r.last = nil, time.Now()
	r.mu.Unlock()
	runtime.GC() // empties pools, together with the next one
	debug.FreeOSMemory()
	releaseExecutable()
}

func (r *releaser) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped = true; r.timer != nil {
		r.timer.Stop()
	}
}
