package service

import (
	"context"
	"log/slog"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/content"
	"robot.wtf/internal/search"
)

// An indexer updates search indexes after saves: one worker indexes words, another
// computes embeddings. Queries index words themselves, so a lost nudge only makes
// the next query a little slower.
type indexer struct {
	nudges  chan string // slugs
	search  *search.Service
	lag     lag
	workers *background.Workers
	waits   []func() // wait for the workers
	cancel  context.CancelFunc
	log     *slog.Logger
}

func newIndexer(log *slog.Logger, workers *background.Workers) *indexer {
	return &indexer{nudges: make(chan string, 64), workers: workers, log: log}
}

// nudge schedules a wiki for indexing. It never blocks.
func (x *indexer) nudge(slug string) {
	x.search.MarkPending(slug)
	select {
	case x.nudges <- slug:
		x.lag.begin(slug)
	default:
	}
}

func (x *indexer) start(pool *content.Pool, index *search.Service) {
	ctx, cancel := context.WithCancel(context.Background())
	x.cancel, x.search = cancel, index
	resumed := false
	embed := x.workers.Loop(ctx, "embed", index.RunEmbedder)
	follow := x.workers.Loop(ctx, "index", func(ctx context.Context) {
		if !resumed {
			resumed = true
			x.resume(ctx, pool)
		}
		var rested time.Time
		for {
			slugs := x.collectNudges(ctx, rested)
			began := time.Now()
			for slug := range slugs {
				x.follow(ctx, pool, slug)
			}
			if ctx.Err() != nil {
				return
			}
			ended := time.Now()
			rested = ended.Add(min(indexRest*ended.Sub(began), maxIndexRest))
		}
	})
	x.waits = []func(){embed, follow}
}

// Saves are collected for indexDelay before they are indexed, so that a page saved
// repeatedly isn't read each time. Then the indexer rests for indexRest times as
// long as it worked, up to maxIndexRest, which leaves most of the CPU to writers
// that save without a pause.
const (
	indexDelay   = 250 * time.Millisecond
	indexRest    = 9
	maxIndexRest = 5 * time.Second
)

// collectNudges waits for a save, then returns the wikis saved to within indexDelay
// or until rested, whichever is later. It returns nil when ctx ends.
func (x *indexer) collectNudges(ctx context.Context, rested time.Time) map[string]bool {
	slugs := map[string]bool{}
	var due <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case slug := <-x.nudges:
			slugs[slug] = true
			if due == nil {
				due = time.After(max(indexDelay, time.Until(rested)))
			}
		case <-due:
			return slugs
		}
	}
}

// resume indexes the wikis that were behind when the service last stopped. Wikis
// that are being saved to go first.
func (x *indexer) resume(ctx context.Context, pool *content.Pool) {
	unfinished, err := x.search.Pending()
	if err != nil {
		x.log.Warn("catching up indexes failed", "err", err)
	}
	for _, slug := range unfinished {
		x.follow(ctx, pool, slug)
		for more := true; more && ctx.Err() == nil; {
			select {
			case slug := <-x.nudges:
				x.follow(ctx, pool, slug)
			default:
				more = false
			}
		}
	}
}

// follow brings one wiki's index up to date, and logs failures.
func (x *indexer) follow(ctx context.Context, pool *content.Pool, slug string) {
	if ctx.Err() != nil {
		return
	}
	done := x.lag.work(slug)
	defer done()
	var err error
	background.Attribute(slug, "index", func() {
		err = x.workers.Try(background.Job{Work: "index", Wiki: slug}, func() error { return catchUp(ctx, pool, x.search, slug) })
	})
	if err != nil && ctx.Err() == nil {
		x.log.Warn("indexing failed", "wiki", slug, "err", err)
	}
}

func catchUp(ctx context.Context, pool *content.Pool, index *search.Service, slug string) error {
	w, release, err := pool.Open(ctx, slug)
	if err != nil {
		return err
	}
	defer release()
	return index.CatchUp(ctx, w)
}

func (x *indexer) stop() {
	if x.cancel != nil {
		x.cancel()
		for _, wait := range x.waits {
			wait()
		}
	}
}

// StopIndexing stops the workers that index and embed. Queries still index words.
func (s *Service) StopIndexing() { s.indexer.stop() }

// Reindex rebuilds a wiki's index, embedding several texts at a time, and returns
// the number of its sections.
func (s *Service) Reindex(ctx context.Context, slug string, workers int) (sections int, err error) {
	if err := s.Search.Reset(slug); err != nil {
		return 0, err
	}
	if err := catchUp(ctx, s.Content, s.Search, slug); err != nil {
		return 0, err
	}
	return s.Search.EmbedAll(ctx, slug, workers)
}
