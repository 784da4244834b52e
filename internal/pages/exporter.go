package pages

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
)

// ExportOptions are those of an Exporter.
type ExportOptions struct {
	Content *content.Pool
	Git     *gitrepo.Git
	Dir     string // the directory wikis/, one folder a slug; repo.git lies beside wiki.db
	Log     *slog.Logger
}

// An Exporter keeps a git repository beside each wiki, which follows its commits
// and can be deleted at any time. It is safe for concurrent use.
//
// repo.git is a link to the directory of the moment, repo-….git. Saves add packs
// to that; what rewrites them, a repack or a new beginning, makes another
// directory and moves the link. So whoever reads one reads on undisturbed, and
// it is removed when nobody does.
type Exporter struct {
	o     ExportOptions
	stats struct{ commits, rebuilds, mismatches, repacks, failures atomic.Uint64 }

	mu      sync.Mutex
	wikis   map[string]*export
	waiting map[string]time.Time // wikis with commits that are not exported, since when

	nudges    chan string
	repacks   chan string
	repacking *semaphore.Weighted
	importing *semaphore.Weighted // the service's one import
	ended     sync.WaitGroup
	closing   context.Context // done when the Exporter is closed
	cancel    context.CancelFunc
}

// ExportStats counts what an Exporter has done.
type ExportStats struct {
	Commits    uint64 // exported
	Rebuilds   uint64 // exports made anew: missing, damaged or of before an import
	Mismatches uint64 // what is stored did not give what its ids promise: an alarm
	Repacks    uint64
	Failures   uint64 // exports and repacks that ended in an error
}

// An export is the state of one wiki's repository.
type export struct {
	turn chan struct{} // holds the token of whoever changes the repository, who owns what follows

	at     string    // the commit that it was left at, "" when that is unknown
	print  string    // what its packs looked like then
	since  int       // commits exported since the last repack
	repack bool      // one is due
	packed bool      // one was begun by this process
	tidied bool      // what an earlier process left is removed
	read   time.Time // when it was last read as a whole

	mu      sync.Mutex
	users   map[string]int // of each directory, by name
	suspect bool           // somebody could not read it
}

// NewExporter makes an Exporter; Close ends it.
func NewExporter(o ExportOptions) *Exporter {
	ctx, cancel := context.WithCancel(context.Background())
	x := &Exporter{
		o: o, wikis: map[string]*export{}, waiting: map[string]time.Time{}, nudges: make(chan string, 256), repacks: make(chan string, 16),
		repacking: semaphore.NewWeighted(1), importing: semaphore.NewWeighted(1), closing: ctx, cancel: cancel,
	}
	x.ended.Go(func() { x.follow(ctx) })
	x.ended.Go(func() { x.repackAsked(ctx) })
	return x
}

// Close ends what is under way. Nothing is lost: the next to ask goes on.
func (x *Exporter) Close() {
	x.cancel()
	x.ended.Wait()
}

// while is a context that ends with the Exporter as well.
func (x *Exporter) while(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(x.closing, cancel)
	return ctx, func() { stop(); cancel() }
}

// Stats counts.
func (x *Exporter) Stats() ExportStats {
	return ExportStats{
		x.stats.commits.Load(), x.stats.rebuilds.Load(), x.stats.mismatches.Load(), x.stats.repacks.Load(), x.stats.failures.Load(),
	}
}

// Saves are gathered for exportDelay before they are exported. After that the
// Exporter rests for exportRest times as long as it took, so that those who save
// without a pause keep most of the processor.
const (
	exportDelay   = 300 * time.Millisecond
	exportRest    = 9
	maxExportRest = 5 * time.Second
)

// Nudge says that a wiki has a new commit. It never waits; a nudge that is lost
// costs whoever clones next a moment.
func (x *Exporter) Nudge(slug string) {
	select {
	case x.nudges <- slug:
		x.mu.Lock()
		defer x.mu.Unlock()
		if _, ok := x.waiting[slug]; !ok {
			x.waiting[slug] = time.Now()
		}
	default:
	}
}

// Lag is how long the save that waits longest to be in its wiki's repository has
// waited. One whose export fails waits until another succeeds.
func (x *Exporter) Lag() time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	var longest time.Duration
	for _, since := range x.waiting {
		longest = max(longest, time.Since(since))
	}
	return longest
}

// caughtUp notes that all that waited at a time is exported.
func (x *Exporter) caughtUp(slug string, at time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.waiting[slug].After(at) {
		delete(x.waiting, slug)
	}
}

func (x *Exporter) follow(ctx context.Context) {
	var rested time.Time
	for {
		waiting := map[string]bool{}
		select {
		case <-ctx.Done():
			return
		case slug := <-x.nudges:
			waiting[slug] = true
		}
		for due := time.After(max(exportDelay, time.Until(rested))); due != nil; {
			select {
			case <-ctx.Done():
				return
			case slug := <-x.nudges:
				waiting[slug] = true
			case <-due:
				due = nil
			}
		}
		began := time.Now()
		for slug := range waiting {
			if _, err := x.CatchUp(ctx, slug); err != nil && ctx.Err() == nil {
				x.o.Log.Warn("export", "wiki", slug, "err", err)
			}
		}
		ended := time.Now()
		rested = ended.Add(min(exportRest*ended.Sub(began), maxExportRest))
	}
}

func (x *Exporter) of(slug string) *export {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.wikis[slug]
	if e == nil {
		e = &export{turn: make(chan struct{}, 1), users: map[string]int{}}
		x.wikis[slug] = e
	}
	return e
}

// Forget drops what is remembered of a wiki that is being deleted; its files go
// with the wiki's directory.
func (x *Exporter) Forget(slug string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.wikis, slug)
	delete(x.waiting, slug)
}

func (e *export) lock(ctx context.Context) error {
	select {
	case e.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *export) unlock() { <-e.turn }

const (
	repoLink   = "repo.git"
	repoPrefix = "repo-"
)

func (x *Exporter) path(slug, name string) string { return filepath.Join(x.o.Dir, slug, name) }

// current is the name of the directory of the moment, "" where there is none.
func (x *Exporter) current(slug string) string {
	name, err := os.Readlink(x.path(slug, repoLink))
	if err != nil || name != filepath.Base(name) || !strings.HasPrefix(name, repoPrefix) {
		return ""
	}
	return name
}

func newRepoName() string { return repoPrefix + rand.Text()[:12] + ".git" }

// use gives a directory a user, until they leave it.
func (x *Exporter) use(slug string, e *export) (name string, leave func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	name = x.current(slug)
	e.users[name]++
	return name, sync.OnceFunc(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.users[name]--; e.users[name] == 0 {
			delete(e.users, name)
			if name != x.current(slug) {
				x.discard(slug, name)
			}
		}
	})
}

// swap makes a directory the one of the moment. The one before goes when nobody
// reads it.
func (x *Exporter) swap(slug string, e *export, name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	before := x.current(slug)
	link := x.path(slug, repoPrefix+"link")
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(name, link); err != nil {
		return err
	}
	if before == "" { // whatever there is: a link leads nowhere, or somebody copied a directory
		if err := os.RemoveAll(x.path(slug, repoLink)); err != nil {
			return err
		}
	}
	if err := os.Rename(link, x.path(slug, repoLink)); err != nil {
		return err
	}
	if before != "" && before != name && e.users[before] == 0 {
		x.discard(slug, before)
	}
	if err := syncDir(filepath.Join(x.o.Dir, slug)); err != nil || before != "" {
		return err
	}
	return x.tidy(slug, e)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (x *Exporter) discard(slug, name string) {
	if name == "" {
		return
	}
	if err := os.RemoveAll(x.path(slug, name)); err != nil {
		x.o.Log.Warn("export: remove", "wiki", slug, "dir", name, "err", err)
	}
}

// claim keeps a directory that is being made from being tidied away.
func (e *export) claim(name string) (release func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.users[name]++
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.users[name]--; e.users[name] == 0 {
			delete(e.users, name)
		}
	}
}

// tidy removes the directories that are not the one of the moment and have no
// users: a process was killed, or somebody has removed the link. The caller has
// e.mu.
func (x *Exporter) tidy(slug string, e *export) error {
	entries, err := os.ReadDir(filepath.Join(x.o.Dir, slug))
	if err != nil {
		return err
	}
	now := x.current(slug)
	for _, d := range entries {
		if strings.HasPrefix(d.Name(), repoPrefix) && d.Name() != now && e.users[d.Name()] == 0 {
			x.discard(slug, d.Name())
		}
	}
	return nil
}
