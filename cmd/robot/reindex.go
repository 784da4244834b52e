package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"strconv"
	"sync"

	"robot.wtf/internal/background"
	"robot.wtf/internal/service"
)

// reindex rebuilds indexes, several at a time. If one fails, the others are still
// rebuilt.
func reindex(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	slugs, err := slugsToReindex(ctx, s, args.Get("wiki"))
	if err != nil {
		return err
	}
	workers, err := strconv.Atoi(args.Get("workers"))
	if err != nil || workers < 0 || workers > 1024 {
		return fmt.Errorf("--workers: %q is not a number from 0 to 1024", args.Get("workers"))
	}
	if workers == 0 {
		workers = max(1, runtime.NumCPU()-1)
	}
	each := max(1, workers/max(1, len(slugs))) // texts at a time of each wiki
	todo := make(chan string)
	var mu sync.Mutex // guards out and failed
	var failed []error
	var running background.Group
	for range min(workers, len(slugs)) {
		running.Go(func() {
			for slug := range todo {
				sections, err := reindexOne(ctx, s, slug, each)
				mu.Lock()
				if err != nil {
					failed = append(failed, fmt.Errorf("%s: %w", slug, err))
				} else {
					fmt.Fprintf(out, "%s indexed: %d sections\n", slug, sections)
				}
				mu.Unlock()
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

// slugsToReindex returns one wiki, or all of them if slug is empty.
func slugsToReindex(ctx context.Context, s *service.Service, slug string) ([]string, error) {
	if slug != "" {
		a, err := asOperator(ctx, s, slug)
		if err != nil {
			return nil, err
		}
		return []string{a.Site().Slug}, nil
	}
	sites, err := s.Store.AllSites(ctx)
	if err != nil {
		return nil, err
	}
	slugs := make([]string, len(sites))
	for i, site := range sites {
		slugs[i] = site.Slug
	}
	return slugs, nil
}

func reindexOne(ctx context.Context, s *service.Service, slug string, workers int) (sections int, err error) {
	if sections, err = s.Reindex(ctx, slug, workers); err != nil {
		return 0, err
	}
	return sections, s.Store.AuditSiteChange(ctx, slug, "site.reindex", "")
}
