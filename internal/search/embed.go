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
	turn  = 4
	aside = 50 * time.Millisecond
)

// A wiki that is being saved to is left alone until it was quiet for settle, so
// that what is written over and over is embedded once; but not for more than
// patience.
const (
	settle   = time.Second
	patience = 5 * time.Second
)

// waiting are the wikis that have chunks without a vector, in the order of
// their turns.
type waiting struct {
	settle time.Duration
	mu     sync.Mutex
	turns  []string
	behind map[string]behind // by slug
	stamps map[string]uint64
	more   chan struct{} // has one when there may be work
}

// behind is what waits in one wiki.
type behind struct {
	chunks int
	since  time.Time // when the first of them came
	saved  time.Time // and the last
}

func newWaiting() *waiting {
	return &waiting{settle: settle, behind: map[string]behind{}, stamps: map[string]uint64{}, more: make(chan struct{}, 1)}
}

// note sets how many chunks of a wiki wait. When they do not become fewer, it was
// saved to.
func (q *waiting) note(slug string, chunks int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b, there := q.behind[slug]
	if chunks == 0 {
		delete(q.behind, slug)
		q.stamps[slug]++
		return
	}
	now := time.Now()
	if !there {
		q.turns = append(q.turns, slug)
		b.since = now
	}
	if chunks >= b.chunks {
		b.saved = now
	}
	b.chunks = chunks
	q.behind[slug] = b
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// next is the wiki whose turn it is, which goes to the end; "" for none. Then in
// is how long until one may be left alone no more, 0 if none waits.
func (q *waiting) next(now time.Time) (slug string, in time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.turns = slices.DeleteFunc(q.turns, func(slug string) bool { return q.behind[slug].chunks == 0 })
	for i, slug := range q.turns {
		b := q.behind[slug]
		left := min(b.saved.Add(q.settle).Sub(now), b.since.Add(patience).Sub(now))
		if left <= 0 {
			q.turns = append(slices.Delete(q.turns, i, i+1), slug)
			return slug, 0
		}
		if in == 0 || left < in {
			in = left
		}
	}
	return "", in
}

// of is how many chunks of a wiki wait.
func (q *waiting) of(slug string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.behind[slug].chunks
}

// Waiting is how far the vectors are behind the saves: the wikis that have
// sections without one, and how many such sections there are.
func (s *Service) Waiting() (wikis, sections int) {
	s.waiting.mu.Lock()
	defer s.waiting.mu.Unlock()
	for _, b := range s.waiting.behind {
		sections += b.chunks
	}
	return len(s.waiting.behind), sections
}

// WaitingIn is how many sections of one wiki have no vector yet. It reads memory,
// so it knows of wikis that were asked for or saved to.
func (s *Service) WaitingIn(slug string) int { return s.waiting.of(slug) }

// Stamp changes when a wiki's vectors have been brought up to date. What was made
// of them, such as a list of related pages, is good as long as it stays.
func (s *Service) Stamp(slug string) uint64 {
	s.waiting.mu.Lock()
	defer s.waiting.mu.Unlock()
	return s.waiting.stamps[slug]
}

// Work embeds what waits until the context ends: one chunk at a time, a few of
// each wiki in turn, and none while a query runs. One call is enough.
func (s *Service) Work(ctx context.Context) {
	tidy := time.NewTicker(time.Minute)
	defer tidy.Stop()
	for ctx.Err() == nil {
		slug, in := s.waiting.next(time.Now())
		if slug == "" {
			var due <-chan time.Time
			if in > 0 {
				due = time.After(in)
			}
			select {
			case <-ctx.Done():
			case <-s.waiting.more:
			case <-due:
			case <-tidy.C:
				s.forgetIdle(idleVectors)
			}
			continue
		}
		if err := s.embedSome(ctx, slug, turn); err != nil && ctx.Err() == nil {
			s.waiting.note(slug, 0) // until it is opened or saved to again
			s.o.Log.Warn("search: embed", "wiki", slug, "err", err)
		}
	}
}

// embedSome embeds up to a number of chunks of a wiki.
func (s *Service) embedSome(ctx context.Context, slug string, most int) error {
	if s.o.Model == nil {
		s.waiting.note(slug, 0)
		return nil
	}
	if _, err := os.Stat(s.file(slug)); err != nil { // deleted meanwhile
		s.waiting.note(slug, 0)
		return nil
	}
	x, release, err := s.index(slug)
	if err != nil {
		return err
	}
	defer release()
	if !x.embedding.TryLock() { // by somebody else
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
		return nil
	}
	defer x.embedding.Unlock()
	return x.healing(func() error {
		return x.use(ctx, func(db *sql.DB) error {
			list, err := x.unembedded(ctx, db, most)
			if err != nil {
				return err
			}
			for i := range list {
				s.letQueriesPass(ctx)
				if err := ctx.Err(); err != nil {
					return err
				}
				list[i].vector = packVector(s.o.Model.Embed(list[i].text))
			}
			return x.embedded(ctx, db, list)
		})
	})
}

// EmbedAll embeds what waits in a wiki at once, with some workers, and reports how
// many chunks the wiki has. Queries do not hold it up, for it is an operator's.
func (s *Service) EmbedAll(ctx context.Context, slug string, workers int) (chunks int, err error) {
	x, release, err := s.index(slug)
	if err != nil {
		return 0, err
	}
	defer release()
	x.embedding.Lock()
	defer x.embedding.Unlock()
	for more := s.o.Model != nil; more; {
		err := x.use(ctx, func(db *sql.DB) error {
			list, err := x.unembedded(ctx, db, workers*16)
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
							c.vector = packVector(s.o.Model.Embed(c.text))
						}
					}
				})
			}
			embedding.Wait()
			if err := ctx.Err(); err != nil {
				return err
			}
			return x.embedded(ctx, db, list)
		})
		if err != nil {
			return chunks, fmt.Errorf("search: embed %s: %w", slug, err)
		}
	}
	return chunks, nil
}

// letQueriesPass waits while queries run, but not for ever: somebody may never
// stop asking.
func (s *Service) letQueriesPass(ctx context.Context) {
	for end := time.Now().Add(aside); s.asking.Load() > 0 && time.Now().Before(end); {
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

func (x *index) unembedded(ctx context.Context, db *sql.DB, most int) ([]unembedded, error) {
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
func (x *index) embedded(ctx context.Context, db *sql.DB, list []unembedded) error {
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
	x.settled.Lock()
	defer x.settled.Unlock()
	if err := tx.Commit(); err != nil {
		return err
	}
	x.vecs.Store(nil)
	x.behind(left)
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
const behindName = "index.behind"

// behind notes how many chunks wait.
func (x *index) behind(chunks int) {
	x.waiting.note(x.slug, chunks)
	file := filepath.Join(filepath.Dir(x.file), behindName)
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
func (s *Service) Nudged(slug string) {
	file := filepath.Join(s.o.Dir, slug, behindName)
	if _, err := os.Lstat(file); err == nil {
		return
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		s.o.Log.Debug("search: note that an index is behind", "wiki", slug, "err", err)
	}
}

// Unfinished lists the wikis whose indexes were behind when the service before
// this one ended.
func (s *Service) Unfinished() ([]string, error) {
	files, err := filepath.Glob(filepath.Join(s.o.Dir, "*", behindName))
	if err != nil {
		return nil, err
	}
	for i := range files {
		files[i] = filepath.Base(filepath.Dir(files[i]))
	}
	return files, nil
}

// idleVectors is how long vectors that nobody asks for stay in memory.
const idleVectors = 5 * time.Minute

// forgetIdle drops vectors that were not used for a time.
func (s *Service) forgetIdle(unused time.Duration) {
	before := time.Now().Add(-unused).UnixNano()
	for _, x := range s.opened() {
		if x.meant.Load() < before {
			x.vecs.Store(nil)
			x.dir.Store(nil)
		}
	}
}

// trim drops vectors beyond the bound of bytes, those first that were not used
// for longest, but never those of one index.
func (s *Service) trim(keep *index) {
	open := s.opened()
	total := int64(0)
	for _, x := range open {
		if v := x.vecs.Load(); v != nil {
			total += v.bytes()
		}
	}
	if total <= s.o.CacheBytes {
		return
	}
	slices.SortFunc(open, func(a, b *index) int { return int(min(max(a.meant.Load()-b.meant.Load(), -1), 1)) })
	for _, x := range open {
		v := x.vecs.Load()
		if v == nil || x == keep || total <= s.o.CacheBytes {
			continue
		}
		x.vecs.Store(nil)
		total -= v.bytes()
	}
}

// VectorBytes is how much memory vectors take now.
func (s *Service) VectorBytes() (n int64) {
	for _, x := range s.opened() {
		if v := x.vecs.Load(); v != nil {
			n += v.bytes()
		}
	}
	return n
}

func (s *Service) opened() []*index {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*index, 0, len(s.open))
	for _, x := range s.open {
		list = append(list, x)
	}
	return list
}
