package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/store"
	"robot.wtf/internal/watch"
)

// panicked counts a panic in background work, and records its input so that the
// next process skips it.
func (s *Service) panicked(p *background.Panic) {
	s.panics.Add(1)
	s.Metrics.Panicked(p.Work)
	if p.Item == "" || s.Store == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.Store.AddAside(ctx, store.Aside{Wiki: p.Wiki, Work: p.Work, Item: p.Item, Version: s.o.Version}); err != nil {
		s.o.Log.Error("recording what was set aside failed", "err", err)
	}
}

// restoreAside sets aside what made an earlier process panic. What another version
// of the program set aside is tried again.
func (s *Service) restoreAside(ctx context.Context) error {
	list, err := s.Store.Asides(ctx)
	if err != nil {
		return err
	}
	outdated := map[string]bool{}
	for _, a := range list {
		if a.Version == s.o.Version {
			s.background.SetAside(background.Job{Work: a.Work, Wiki: a.Wiki, Item: a.Item})
		} else {
			outdated[a.Wiki] = true
		}
	}
	var errs []error
	for slug := range outdated {
		errs = append(errs, s.ClearAside(ctx, slug))
	}
	return errors.Join(errs...)
}

// ClearAside makes background work try everything of a wiki again. Its index is
// rebuilt, because it lacks the text of the pages that were set aside.
func (s *Service) ClearAside(ctx context.Context, slug string) error {
	if err := s.Store.ClearAside(ctx, slug); err != nil {
		return err
	}
	s.background.Clear(slug)
	if slug == "" || !s.Content.Exists(slug) {
		return nil
	}
	if err := s.Search.Reset(slug); err != nil {
		return err
	}
	s.Search.MarkPending(slug)
	return nil
}

// checkPanics reports panics until the service is restarted and nothing is set
// aside, because somebody has to find out why.
func (s *Service) checkPanics(ctx context.Context) []watch.Condition {
	list, err := s.Store.Asides(ctx)
	if err != nil {
		list = nil // checkDatabase reports a failing database
	}
	n := s.panics.Load()
	if n == 0 && len(list) == 0 {
		return nil
	}
	return []watch.Condition{{Key: "panic", Text: fmt.Sprintf(
		"Background work panicked %d times since the start; the log has the stacks. %d pages or wikis are set aside: run robot admin aside.", n, len(list))}}
}
