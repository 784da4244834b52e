package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Behind a save, its page's chunks wait in the index until they have a vector.
// So what waits is never lost, and there is no list of it to lose: a service
// that was killed goes on where it was.

// turn is how many chunks of a wiki are embedded before it is the next one's
// turn, and aside how long an embedding waits, at most, for queries to end.
const (
	chunksPerTurn = 4
	maxQueryWait  = 50 * time.Millisecond
)

// A wiki that is being saved to is left alone until it was quiet for settle, so
// that what is written over and over is embedded once; but not for more than
// patience.
const (
	quietPeriod   = time.Second
	maxEmbedDelay = 5 * time.Second
)

// waiting are the wikis that have chunks without a vector, in the order of
// their turns.
type embedQueue struct {
	quietPeriod time.Duration
	mu          sync.Mutex
	order       []string
	backlogs    map[string]backlog // by slug
	versions    map[string]uint64
	wake        chan struct{} // has one when there may be work
}

// behind is what waits in one wiki.
type backlog struct {
	chunks  int
	firstAt time.Time // when the first of them came
	savedAt time.Time // and the last
}

func newEmbedQueue() *embedQueue {
	return &embedQueue{quietPeriod: quietPeriod, backlogs: map[string]backlog{}, versions: map[string]uint64{}, wake: make(chan struct{}, 1)}
}

// note sets how many chunks of a wiki wait. When they do not become fewer, it was
// saved to.
func (q *embedQueue) setBacklog(slug string, chunks int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b, there := q.backlogs[slug]
	if chunks == 0 {
		delete(q.backlogs, slug)
		q.versions[slug]++
		return
	}
	now := time.Now()
	if !there {
		q.order = append(q.order, slug)
		b.firstAt = now
	}
	if chunks >= b.chunks {
		b.savedAt = now
	}
	b.chunks = chunks
	q.backlogs[slug] = b
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next is the wiki whose turn it is, which goes to the end; "" for none. Then in
// is how long until one may be left alone no more, 0 if none waits.
func (q *embedQueue) nextWiki(now time.Time) (slug string, in time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.order = slices.DeleteFunc(q.order, func(slug string) bool { return q.backlogs[slug].chunks == 0 })
	for i, slug := range q.order {
		b := q.backlogs[slug]
		left := min(b.savedAt.Add(q.quietPeriod).Sub(now), b.firstAt.Add(maxEmbedDelay).Sub(now))
		if left <= 0 {
			q.order = append(slices.Delete(q.order, i, i+1), slug)
			return slug, 0
		}
		if in == 0 || left < in {
			in = left
		}
	}
	return "", in
}

// of is how many chunks of a wiki wait.
func (q *embedQueue) backlogOf(slug string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.backlogs[slug].chunks
}

// Waiting is how far the vectors are behind the saves: the wikis that have
// sections without one, and how many such sections there are.
func (s *Service) Backlog() (wikis, sections int) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	for _, b := range s.queue.backlogs {
		sections += b.chunks
	}
	return len(s.queue.backlogs), sections
}

// WaitingIn is how many sections of one wiki have no vector yet. It reads memory,
// so it knows of wikis that were asked for or saved to.
func (s *Service) WikiBacklog(slug string) int { return s.queue.backlogOf(slug) }

// Stamp changes when a wiki's vectors have been brought up to date. What was made
// of them, such as a list of related pages, is good as long as it stays.
func (s *Service) VectorVersion(slug string) uint64 {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return s.queue.versions[slug]
}

// Work embeds what waits until the context ends: one chunk at a time, a few of
// each wiki in turn, and none while a query runs. One call is enough.
func (s *Service) RunEmbedder(ctx context.Context) {
	tidy := time.NewTicker(time.Minute)
	defer tidy.Stop()
	for ctx.Err() == nil {
		slug, in := s.queue.nextWiki(time.Now())
		if slug == "" {
			var due <-chan time.Time
			if in > 0 {
				due = time.After(in)
			}
			select {
			case <-ctx.Done():
			case <-s.queue.wake:
			case <-due:
			case <-tidy.C:
				s.dropIdleVectors(vectorIdleTime)
			}
			continue
		}
		if err := s.embedBatch(ctx, slug, chunksPerTurn); err != nil && ctx.Err() == nil {
			s.queue.setBacklog(slug, 0) // until it is opened or saved to again
			s.opts.Log.Warn("search: embed", "wiki", slug, "err", err)
		}
	}
}

// embedSome embeds up to a number of chunks of a wiki.
func (s *Service) embedBatch(ctx context.Context, slug string, most int) error {
	if s.opts.Model == nil {
		s.queue.setBacklog(slug, 0)
		return nil
	}
	if _, err := os.Stat(s.indexFile(slug)); err != nil { // deleted meanwhile
		s.queue.setBacklog(slug, 0)
		return nil
	}
	x, release, err := s.acquireIndex(slug)
	if err != nil {
		return err
	}
	defer release()
	if !x.embedMu.TryLock() { // by somebody else
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
		return nil
	}
	defer x.embedMu.Unlock()
	return x.retryRebuilt(func() error {
		return x.withDB(ctx, func(db *sql.DB) error {
			list, err := x.unembeddedChunks(ctx, db, most)
			if err != nil {
				return err
			}
			for i := range list {
				s.yieldToQueries(ctx)
				if err := ctx.Err(); err != nil {
					return err
				}
				list[i].vector = packVector(s.opts.Model.Embed(list[i].text))
			}
			return x.storeVectors(ctx, db, list)
		})
	})
}

// EmbedAll embeds what waits in a wiki at once, with some workers, and reports how
// many chunks the wiki has. Queries do not hold it up, for it is an operator's.
func (s *Service) EmbedAll(ctx context.Context, slug string, workers int) (chunks int, err error) {
	x, release, err := s.acquireIndex(slug)
	if err != nil {
		return 0, err
	}
	defer release()
	x.embedMu.Lock()
	defer x.embedMu.Unlock()
	for more := s.opts.Model != nil; more; {
		err := x.withDB(ctx, func(db *sql.DB) error {
			list, err := x.unembeddedChunks(ctx, db, workers*16)
			if err != nil {
				return err
			}
			if more = len(list) > 0; !more {
				return db.QueryRowContext(ctx, "SELECT count(*) FROM chunks").Scan(&chunks)
			}
			next := make(chan *unembedded, len(list))
			for i := range list {
				next <- &list[i]
			}
			close(next)
			var embedding sync.WaitGroup
			for range workers {
				embedding.Go(func() {
					for c := range next {
						if ctx.Err() == nil {
							c.vector = packVector(s.opts.Model.Embed(c.text))
						}
					}
				})
			}
			embedding.Wait()
			if err := ctx.Err(); err != nil {
				return err
			}
			return x.storeVectors(ctx, db, list)
		})
		if err != nil {
			return chunks, fmt.Errorf("search: embed %s: %w", slug, err)
		}
	}
	return chunks, nil
}

// letQueriesPass waits while queries run, but not for ever: somebody may never
// stop asking.
func (s *Service) yieldToQueries(ctx context.Context) {
	for end := time.Now().Add(maxQueryWait); s.activeQueries.Load() > 0 && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// An unembedded chunk waits for its vector.
type unembedded struct {
	id     int64
	hash   string
	text   string
	vector []byte
}

func (x *index) unembeddedChunks(ctx context.Context, db *sql.DB, most int) ([]unembedded, error) {
	rows, err := db.QueryContext(ctx, "SELECT id, hash, text FROM chunks WHERE vector IS NULL ORDER BY id LIMIT $1", most)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []unembedded
	for rows.Next() {
		var c unembedded
		var hash []byte
		if err := rows.Scan(&c.id, &hash, &c.text); err != nil {
			return nil, err
		}
		c.hash = string(hash)
		list = append(list, c)
	}
	return list, rows.Err()
}

// embedded stores vectors. A chunk that changed meanwhile has another hash, and
// waits for its own.
func (x *index) storeVectors(ctx context.Context, db *sql.DB, list []unembedded) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after a commit
	for _, c := range list {
		if _, err := tx.ExecContext(ctx, "UPDATE chunks SET vector = $1, text = '' WHERE id = $2 AND hash = $3", c.vector, c.id, []byte(c.hash)); err != nil {
			return err
		}
	}
	left, err := countWaiting(ctx, tx)
	if err != nil {
		return err
	}
	x.snapshotMu.Lock()
	defer x.snapshotMu.Unlock()
	if err := tx.Commit(); err != nil {
		return err
	}
	x.vectors.Store(nil)
	x.recordBacklog(left)
	return nil
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func countWaiting(ctx context.Context, db querier) (n int, err error) {
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM chunks WHERE vector IS NULL").Scan(&n)
	return n, err
}

// behindName is the file beside an index that has chunks waiting, so that a
// service that begins finds those wikis without opening any.
const pendingFile = "index.behind"

// behind notes how many chunks wait.
func (x *index) recordBacklog(chunks int) {
	x.queue.setBacklog(x.slug, chunks)
	file := filepath.Join(filepath.Dir(x.file), pendingFile)
	var err error
	if chunks > 0 {
		err = os.WriteFile(file, nil, 0o600)
	} else if err = os.Remove(file); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		x.log.Debug("search: note that an index is behind", "wiki", x.slug, "err", err)
	}
}

// Nudged notes, before an index follows a save, that it has to: a service that is
// killed in between finds it in Unfinished.
func (s *Service) MarkPending(slug string) {
	file := filepath.Join(s.opts.Dir, slug, pendingFile)
	if _, err := os.Lstat(file); err == nil {
		return
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		s.opts.Log.Debug("search: note that an index is behind", "wiki", slug, "err", err)
	}
}

// Unfinished lists the wikis whose indexes were behind when the service before
// this one ended.
func (s *Service) Pending() ([]string, error) {
	files, err := filepath.Glob(filepath.Join(s.opts.Dir, "*", pendingFile))
	if err != nil {
		return nil, err
	}
	for i := range files {
		files[i] = filepath.Base(filepath.Dir(files[i]))
	}
	return files, nil
}

// idleVectors is how long vectors that nobody asks for stay in memory.
const vectorIdleTime = 5 * time.Minute

// forgetIdle drops vectors that were not used for a time.
func (s *Service) dropIdleVectors(unused time.Duration) {
	before := time.Now().Add(-unused).UnixNano()
	for _, x := range s.openIndexes() {
		if x.vectorsUsedAt.Load() < before {
			x.vectors.Store(nil)
			x.directory.Store(nil)
		}
	}
}

// trim drops vectors beyond the bound of bytes, those first that were not used
// for longest, but never those of one index.
func (s *Service) trimVectors(keep *index) {
	open := s.openIndexes()
	total := int64(0)
	for _, x := range open {
		if v := x.vectors.Load(); v != nil {
			total += v.bytes()
		}
	}
	if total <= s.opts.CacheBytes {
		return
	}
	slices.SortFunc(open, func(a, b *index) int { return int(min(max(a.vectorsUsedAt.Load()-b.vectorsUsedAt.Load(), -1), 1)) })
	for _, x := range open {
		v := x.vectors.Load()
		if v == nil || x == keep || total <= s.opts.CacheBytes {
			continue
		}
		x.vectors.Store(nil)
		total -= v.bytes()
	}
}

// VectorBytes is how much memory vectors take now.
func (s *Service) VectorBytes() (n int64) {
	for _, x := range s.openIndexes() {
		if v := x.vectors.Load(); v != nil {
			n += v.bytes()
		}
	}
	return n
}

func (s *Service) openIndexes() []*index {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*index, 0, len(s.open))
	for _, x := range s.open {
		list = append(list, x)
	}
	return list
}
