package pages

import (
	"context"
	"fmt"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// Repository opens a wiki's git repository with everything saved so far. Until
// release is called the repository only grows. A caller that couldn't read it
// passes broken.
func (s *Service) Repository(ctx context.Context, a wiki.Access) (repo *gitrepo.Repo, release func(broken bool), err error) {
	if err := a.Allow(wiki.Read); err != nil {
		return nil, nil, err
	}
	if s.mirror == nil {
		return nil, nil, wiki.Problemf(wiki.ErrStorage, "", "Cloning isn't available: git isn't installed on this server.")
	}
	if err := s.requireNoTakedown(ctx, a); err != nil {
		return nil, nil, err
	}
	repo, release, err = s.mirror.Open(ctx, a.Site().Slug)
	if err != nil {
		return nil, nil, fmt.Errorf("pages: open repository: %w", s.existing(a, err))
	}
	return repo, release, nil
}

// requireNoTakedown fails if anything in the wiki is under takedown: a
// repository can only be handed out as a whole.
func (s *Service) requireNoTakedown(ctx context.Context, a wiki.Access) error {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return err
	}
	defer release()
	if w.HasTakedowns() {
		return wiki.Problemf(wiki.ErrTakenDown, "", "This wiki can't be cloned: part of it isn't available for legal reasons.")
	}
	return nil
}
