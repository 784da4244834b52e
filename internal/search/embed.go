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

	"robot.wtf/internal/background"
	"robot.wtf/internal/minilm"
)

// After a save, the page's chunks stay in the index without a vector until they
// are embedded. The index itself is the backlog, so a service that was killed
// continues where it stopped (docs/adr/0008).

// chunksPerTurn is how many chunks of a wiki are embedded before the next wiki's
// turn. maxQueryWait bounds how long an embedding waits for running queries.
const (
	chunksPerTurn = 4
	maxQueryWait  = 50 * time.Millisecond
)

// Embedding starts once a wiki had no save for quietPeriod, so a page that is
// saved repeatedly is embedded once. It starts after maxEmbedDelay at the
// latest.
const (
	quietPeriod   = time.Second
	maxEmbedDelay = 5 * time.Second
)

// An embedQueue holds the wikis with chunks to embed, in the order of their
// turns.
type embedQueue struct {
	quietPeriod time.Duration // constant except in tests
	mu          sync.Mutex
	order       []string
	backlogs    map[string]backlog // by slug
	versions    map[string]uint64
	wake        chan struct{} // signals that there may be work
}

// A backlog counts the chunks of one wiki that have no vector.
type backlog struct {
	chunks  int
	firstAt time.Time // when the first one was added
	savedAt time.Time // when the last save added some
}

func newEmbedQueue() *embedQueue {
	return &embedQueue{quietPeriod: quietPeriod, backlogs: map[string]backlog{}, versions: map[string]uint64{}, wake: make(chan struct{}, 1)}
}

// setBacklog sets how many chunks of a wiki have no vector. A count that hasn't
// dropped means that the wiki was saved to.
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

// nextWiki returns the wiki whose turn it is and moves it to the end. If none is
// due it returns "" and the time until one is, or 0 if the queue is empty.
func (q *embedQueue) nextWiki(now time.Time) (slug string, wait time.Duration) {
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
		if wait == 0 || left < wait {
			wait = left
		}
	}
	return "", wait
}

// backlogOf returns how many chunks of a wiki have no vector.
func (q *embedQueue) backlogOf(slug string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.backlogs[slug].chunks
}

// Backlog returns how many wikis have sections without a vector, and how many
// such sections there are.
func (s *Service) Backlog() (wikis, sections int) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	for _, b := range s.queue.backlogs {
		sections += b.chunks
	}
	return len(s.queue.backlogs), sections
}

// WikiBacklog returns how many sections of one wiki have no vector yet. It only
// knows wikis that were opened or saved to since the service started.
func (s *Service) WikiBacklog(slug string) int { return s.queue.backlogOf(slug) }

// VectorVersion changes whenever a wiki's vectors have been brought up to date.
// Data derived from them, such as a list of related pages, is valid until then.
func (s *Service) VectorVersion(slug string) uint64 {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return s.queue.versions[slug]
}

// RunEmbedder embeds pending chunks until the context ends: one chunk at a time,
// a few per wiki in turn, and none while a query runs. One call per Service is
// enough.
//
// It takes no turn of a wiki (content.Pool.AcquireLarge), so that a wiki that is
// always busy can't stop the embedder, which serves all. It needs none: however much
// all wikis save, one processor embeds, texts of a bounded length.
func (s *Service) RunEmbedder(ctx context.Context) {
	tidy := time.NewTicker(time.Minute)
	defer tidy.Stop()
	for ctx.Err() == nil {
		slug, wait := s.queue.nextWiki(time.Now())
		if slug == "" {
			var due <-chan time.Time
			if wait > 0 {
				due = time.After(wait)
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
		var err error
		background.Attribute(slug, "embed", func() {
			err = s.opts.Background.Try(background.Job{Work: "embed", Wiki: slug}, func() error { return s.embedBatch(ctx, slug, chunksPerTurn) })
		})
		if err != nil && ctx.Err() == nil {
			s.queue.setBacklog(slug, 0) // retried when the wiki is opened or saved to
			s.opts.Log.Warn("embedding failed", "wiki", slug, "err", err)
		}
		if wikis, _ := s.Backlog(); wikis == 0 && s.opts.Embedded != nil {
			s.opts.Embedded()
		}
	}
}

// embedBatch embeds at most limit chunks of a wiki.
func (s *Service) embedBatch(ctx context.Context, slug string, limit int) error {
	if s.opts.Model == nil {
		s.queue.setBacklog(slug, 0)
		return nil
	}
	if _, err := os.Stat(s.indexFile(slug)); err != nil { // the wiki was deleted
		s.queue.setBacklog(slug, 0)
		return nil
	}
	x, release, err := s.acquireIndex(slug)
	if err != nil {
		return err
	}
	defer release()
	if !x.embedMu.TryLock() { // EmbedAll is running
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
		return nil
	}
	defer x.embedMu.Unlock()
	return x.retryRebuilt(func() error {
		return x.withDB(ctx, func(db *sql.DB) error {
			list, err := x.unembeddedChunks(ctx, db, limit)
			if err != nil {
				return err
			}
			for i := range list {
				s.yieldToQueries(ctx)
				if err := ctx.Err(); err != nil {
					return err
				}
				s.embedChunk(slug, &list[i])
			}
			return x.storeVectors(ctx, db, list)
		})
	})
}

// embedChunk sets a chunk's vector. It is zero, which is similar to nothing, if
// the model doesn't understand the chunk, or panics; then the chunk is set aside.
func (s *Service) embedChunk(slug string, c *unembedded) {
	vector := make([]float32, minilm.Dim)
	_ = s.opts.Background.Try(background.Job{Work: "embed", Wiki: slug, Item: fmt.Sprintf("text %x", c.hash)}, func() error {
		if understands(s.opts.Model, c.text) {
			vector = s.opts.Model.Embed(c.text)
		}
		return nil
	}) // a panic is reported
	c.vector = packVector(vector)
	s.embedded.Add(1)
}

// Embedded returns how many chunks were embedded since the start.
func (s *Service) Embedded() uint64 { return s.embedded.Load() }

// EmbedAll embeds a wiki's pending chunks now with the given number of workers,
// and returns how many chunks the wiki has. It is for operators, so it doesn't
// yield to queries.
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
			var embedding background.Group
			for range workers {
				embedding.Go(func() {
					for c := range next {
						if ctx.Err() == nil {
							s.embedChunk(slug, c)
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

// yieldToQueries waits while queries run, for at most maxQueryWait: there might
// always be one.
func (s *Service) yieldToQueries(ctx context.Context) {
	for end := time.Now().Add(maxQueryWait); s.activeQueries.Load() > 0 && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// An unembedded is a chunk without a vector.
type unembedded struct {
	id     int64
	page   int64
	hash   string
	text   string
	vector []byte
}

func (x *index) unembeddedChunks(ctx context.Context, db *sql.DB, limit int) ([]unembedded, error) {
	rows, err := db.QueryContext(ctx, "SELECT id, page, hash, text FROM chunks WHERE vector IS NULL ORDER BY id LIMIT $1", limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []unembedded
	for rows.Next() {
		var c unembedded
		var hash []byte
		if err := rows.Scan(&c.id, &c.page, &hash, &c.text); err != nil {
			return nil, err
		}
		c.hash = string(hash)
		list = append(list, c)
	}
	return list, rows.Err()
}

// storeVectors stores vectors. A chunk that changed in the meantime has another
// hash; it keeps waiting for its own vector.
func (x *index) storeVectors(ctx context.Context, db *sql.DB, list []unembedded) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // no-op after Commit
	pages := map[int64]bool{}
	for _, c := range list {
		pages[c.page] = true
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
	x.outdateVectors(pages)
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

// pendingFile is stored beside an index that is behind its wiki, so that a
// service can find these wikis at startup without opening any.
const pendingFile = "index.behind"

// recordBacklog records how many chunks have no vector.
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
		x.log.Debug("updating pending file failed", "wiki", x.slug, "err", err)
	}
}

// MarkPending records that an index has a commit to follow, before it does. If
// the service is killed in between, Pending lists the wiki at the next start.
func (s *Service) MarkPending(slug string) {
	file := filepath.Join(s.opts.Dir, slug, pendingFile)
	if _, err := os.Lstat(file); err == nil {
		return
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		s.opts.Log.Debug("updating pending file failed", "wiki", slug, "err", err)
	}
}

// Pending lists the wikis whose indexes were behind when the previous service
// ended.
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

// vectorIdleTime is how long unused vectors stay in memory.
const vectorIdleTime = 5 * time.Minute

// dropIdleVectors drops vectors that weren't used for the given time.
func (s *Service) dropIdleVectors(unused time.Duration) {
	before := time.Now().Add(-unused).UnixNano()
	for _, x := range s.openIndexes() {
		if x.vectorsUsedAt.Load() < before {
			x.vectors.Store(nil)
			x.directory.Store(nil)
		}
	}
}

// trimVectors drops the least recently used vectors until the rest fit in
// CacheBytes. It never drops those of keep.
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

// VectorBytes returns how much memory the loaded vectors take.
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
