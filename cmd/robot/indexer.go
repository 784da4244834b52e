package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"runtime"
	"strconv"
	"sync"
	"time"

	"robot.wtf/internal/config"
	"robot.wtf/internal/content"
	"robot.wtf/internal/minilm"
	"robot.wtf/internal/search"
)

// An indexer brings search indexes up to date behind the saves: one worker adds
// words, another embeds. A query adds words itself, so a nudge that is lost costs
// the next one a moment and no more.
type indexer struct {
	nudges chan string // slugs
	search *search.Service
	lag    lag
	ended  sync.WaitGroup
	cancel context.CancelFunc
	log    *slog.Logger
}

func newIndexer(log *slog.Logger) *indexer {
	return &indexer{nudges: make(chan string, 64), log: log}
}

// openSearch makes what answers queries, with the model unless it is not wanted.
func openSearch(cfg config.Config, wikis string, log *slog.Logger) (*search.Service, error) {
	o := search.Options{Dir: wikis, Log: log}
	if !cfg.WordsOnly {
		model, err := minilm.New()
		if err != nil {
			return nil, err
		}
		o.Model = model
	}
	return search.New(o), nil
}

func (x *indexer) nudge(slug string, _ int64) {
	x.search.Nudged(slug)
	select {
	case x.nudges <- slug:
		x.lag.begin(slug)
	default:
	}
}

func (x *indexer) start(pool *content.Pool, index *search.Service) {
	ctx, cancel := context.WithCancel(context.Background())
	x.cancel, x.search = cancel, index
	x.ended.Go(func() { index.Work(ctx) })
	x.ended.Go(func() {
		x.goOn(ctx, pool)
		var rested time.Time
		for {
			slugs := x.gather(ctx, rested)
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
}

// Saves are gathered for indexDelay before they are indexed, so that a page that
// is saved over and over is not read each time. After that the indexer rests for
// indexRest times as long as it took, so that those who save without a pause keep
// most of the processor.
const (
	indexDelay   = 250 * time.Millisecond
	indexRest    = 9
	maxIndexRest = 5 * time.Second
)

// gather waits for a save, and answers with the wikis that were saved to until
// indexDelay after it, or until the indexer is rested.
func (x *indexer) gather(ctx context.Context, rested time.Time) map[string]bool {
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

// goOn takes up the wikis that were behind when the service before this one
// ended, between those that people save to now.
func (x *indexer) goOn(ctx context.Context, pool *content.Pool) {
	unfinished, err := x.search.Unfinished()
	if err != nil {
		x.log.Warn("indexes that were behind", "err", err)
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

func (x *indexer) follow(ctx context.Context, pool *content.Pool, slug string) {
	if ctx.Err() != nil {
		return
	}
	done := x.lag.work(slug)
	defer done()
	if err := catchUp(ctx, pool, x.search, slug); err != nil && ctx.Err() == nil {
		x.log.Warn("index", "wiki", slug, "err", err)
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
		x.ended.Wait()
	}
}

// reindex takes indexes away and builds them anew, several at a time. One that
// cannot be built does not keep the others from it.
func reindex(ctx context.Context, s *service, args url.Values, _ io.Reader, out io.Writer) error {
	slugs, err := s.toReindex(ctx, args.Get("wiki"))
	if err != nil {
		return err
	}
	workers, err := strconv.Atoi(args.Get("workers"))
	if err != nil || workers < 0 || workers > 1024 {
		return fmt.Errorf("--workers: %q is no number from 0 to 1024", args.Get("workers"))
	}
	if workers == 0 {
		workers = max(1, runtime.NumCPU()-1)
	}
	each := max(1, workers/max(1, len(slugs))) // of a single wiki, several texts at a time
	todo := make(chan string)
	var said sync.Mutex
	var failed []error
	var running sync.WaitGroup
	for range min(workers, len(slugs)) {
		running.Go(func() {
			for slug := range todo {
				sections, err := s.reindexOne(ctx, slug, each)
				said.Lock()
				if err != nil {
					failed = append(failed, fmt.Errorf("%s: %w", slug, err))
				} else {
					fmt.Fprintf(out, "%s is indexed: %d sections\n", slug, sections)
				}
				said.Unlock()
			}
		})
	}
	for _, slug := range slugs {
		if ctx.Err() != nil {
			break
		}
		todo <- slug
	}
	close(todo)
	running.Wait()
	return errors.Join(append(failed, ctx.Err())...)
}

// toReindex is one wiki, or all of them.
func (s *service) toReindex(ctx context.Context, slug string) ([]string, error) {
	if slug != "" {
		a, err := s.asOperator(ctx, slug)
		if err != nil {
			return nil, err
		}
		return []string{a.Site().Slug}, nil
	}
	sites, err := s.store.AllSites(ctx)
	if err != nil {
		return nil, err
	}
	slugs := make([]string, len(sites))
	for i, site := range sites {
		slugs[i] = site.Slug
	}
	return slugs, nil
}

func (s *service) reindexOne(ctx context.Context, slug string, workers int) (sections int, err error) {
	if err := s.search.Reset(slug); err != nil {
		return 0, err
	}
	if err := catchUp(ctx, s.content, s.search, slug); err != nil {
		return 0, err
	}
	if sections, err = s.search.EmbedAll(ctx, slug, workers); err != nil {
		return 0, err
	}
	return sections, s.store.OperatorEvent(ctx, slug, "site.reindex", "")
}
