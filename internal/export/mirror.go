// Package export keeps a git repository beside each wiki and brings it up to
// date after saves. The repositories are derived data: a missing or damaged one
// is rebuilt from package content, which is the system of record.
//
// The branch is the cursor: it moves once git has checked a new pack. If it is at
// a commit that the wiki doesn't have, the repository is rebuilt and an alarm is
// raised.
//
// repo.git is a symbolic link to the current directory, repo-….git. Saves add
// packs to that directory. A repack or a rebuild creates another directory and
// then switches the link, so readers of the old one aren't disturbed; the last
// reader to leave removes it.
package export

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"robot.wtf/internal/background"
	"robot.wtf/internal/budget"
	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
)

// Options configures a Mirror.
type Options struct {
	Content *content.Pool
	Git     *gitrepo.Git
	Dir     string // the directory wikis/ with a folder per slug; repo.git is created beside wiki.db

	Background *background.Workers // runs exports and repacks; nil only recovers from panics
	Log        *slog.Logger
}

// A Mirror maintains the git repositories of all wikis. It is safe for
// concurrent use.
type Mirror struct {
	o     Options
	stats struct{ commits, rebuilds, mismatches, repacks, failures atomic.Uint64 }

	mu       sync.Mutex
	repos    map[string]*repository
	pending  map[string]time.Time       // wikis with commits to export, since when
	cancels  map[int]context.CancelFunc // of the contexts that Context returned
	contexts int                        // how many Context has returned
	closed   bool

	exports    chan string // slugs to export
	repacks    chan string // slugs to repack
	repackSlot *semaphore.Weighted
	slots      *budget.Slots // for exports and verifications, by wiki
	waits      []func()      // wait for the workers
}

// Stats counts what a Mirror has done since it was created.
type Stats struct {
	Commits    uint64 // exported commits
	Rebuilds   uint64 // repositories rebuilt because they were missing, damaged, or older than an import
	Mismatches uint64 // times that stored data didn't produce the expected object ids: an alarm
	Repacks    uint64
	Failures   uint64 // failed exports and repacks
}

// New returns a Mirror and starts its workers. Close stops them.
func New(o Options) *Mirror {
	m := &Mirror{
		o: o, repos: map[string]*repository{}, pending: map[string]time.Time{}, cancels: map[int]context.CancelFunc{},
		exports: make(chan string, 256), repacks: make(chan string, 16), repackSlot: semaphore.NewWeighted(1),
		slots: budget.NewSlots(maxExports, 1),
	}
	ctx, _ := m.Context(context.Background()) // ends with the mirror
	m.waits = []func(){
		o.Background.Loop(ctx, "export", m.exportPending),
		o.Background.Loop(ctx, "repack", m.repackQueued),
	}
	return m
}

// Close cancels running exports and repacks and waits for the workers to stop.
// The next process continues where they stopped.
func (m *Mirror) Close() {
	m.mu.Lock()
	m.closed = true
	for _, cancel := range m.cancels {
		cancel()
	}
	m.mu.Unlock()
	for _, wait := range m.waits {
		wait()
	}
}

// Context returns a copy of ctx that is also canceled when the Mirror closes.
// The caller must call the function returned with it.
func (m *Mirror) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		cancel()
		return ctx, cancel
	}
	m.contexts++
	id := m.contexts
	m.cancels[id] = cancel
	return ctx, func() {
		cancel()
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.cancels, id)
	}
}

// Git returns the git that the Mirror runs.
func (m *Mirror) Git() *gitrepo.Git { return m.o.Git }

// Stats returns the counters.
func (m *Mirror) Stats() Stats {
	return Stats{
		m.stats.commits.Load(), m.stats.rebuilds.Load(), m.stats.mismatches.Load(), m.stats.repacks.Load(), m.stats.failures.Load(),
	}
}

// MarkPending queues a wiki with a new commit for export. It never blocks. When
// the queue is full the mark is dropped, and the next clone exports the commit.
func (m *Mirror) MarkPending(slug string) {
	select {
	case m.exports <- slug:
		m.mu.Lock()
		defer m.mu.Unlock()
		if _, ok := m.pending[slug]; !ok {
			m.pending[slug] = time.Now()
		}
	default:
	}
}

// Lag returns how long the oldest pending export has been waiting. A wiki whose
// export fails stays pending until one succeeds.
func (m *Mirror) Lag() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	var longest time.Duration
	for _, since := range m.pending {
		longest = max(longest, time.Since(since))
	}
	return longest
}

// clearPending removes a wiki's mark unless it was set after an export began.
func (m *Mirror) clearPending(slug string, began time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.pending[slug].After(began) {
		delete(m.pending, slug)
	}
}

// Forget drops the state of a wiki that is being deleted. Its repository is
// removed with the wiki's directory.
func (m *Mirror) Forget(slug string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.repos, slug)
	delete(m.pending, slug)
}

// maxExports is how many wikis are exported or verified at the same time, at a lower
// priority than requests. The first clone of each wiki after a start verifies its
// repository, so without a bound, clones of many wikis would run as many processes.
const maxExports = 2

const (
	exportDelay   = 300 * time.Millisecond
	exportRest    = 9
	maxExportRest = 5 * time.Second
)

// exportPending collects marked wikis for exportDelay and exports them together.
// Then it rests exportRest times as long as the export took, so that constant
// saving leaves most of the processor free.
func (m *Mirror) exportPending(ctx context.Context) {
	var restUntil time.Time
	for {
		slugs := map[string]bool{}
		select {
		case <-ctx.Done():
			return
		case slug := <-m.exports:
			slugs[slug] = true
		}
		for due := time.After(max(exportDelay, time.Until(restUntil))); due != nil; {
			select {
			case <-ctx.Done():
				return
			case slug := <-m.exports:
				slugs[slug] = true
			case <-due:
				due = nil
			}
		}
		began := time.Now()
		for slug := range slugs {
			var err error
			background.Attribute(slug, "export", func() { _, err = m.CatchUp(ctx, slug) })
			if err != nil && ctx.Err() == nil {
				m.o.Log.Warn("export failed", "wiki", slug, "err", err)
			}
		}
		ended := time.Now()
		restUntil = ended.Add(min(exportRest*ended.Sub(began), maxExportRest))
	}
}
