package tenant

import (
	"context"
	"errors"
	"fmt"

	"robot.wtf/internal/wiki"
)

// Create makes a wiki for its owner, private and empty; the caller seeds it.
// The slug becomes the owner's username, or is it already. A Problem of kind
// ErrInvalid, ErrExists or ErrQuota, field "username", says why it cannot be.
// A creation that fails leaves nothing; one that a crash cut short is finished
// by trying again.
func (s *Service) Create(ctx context.Context, owner wiki.User, slug string) (wiki.Site, error) {
	if err := wiki.CheckSlug(slug); err != nil {
		return wiki.Site{}, err
	}
	if owner.Username != "" && owner.Username != slug {
		return wiki.Site{}, wiki.Problemf(wiki.ErrInvalid, "username", "Your wiki is called as you are: %q.", owner.Username)
	}
	taken := wiki.Problemf(wiki.ErrExists, "username", "%q is taken. Choose another.", slug)
	begun, err := s.begun(ctx, owner, slug)
	if err != nil {
		return wiki.Site{}, err
	}
	if !begun {
		err = s.store.CreateSite(ctx, owner, slug, WikisEach)
		var problem *wiki.Problem
		switch {
		case errors.As(err, &problem):
			return wiki.Site{}, problem
		case errors.Is(err, wiki.ErrExists):
			return wiki.Site{}, taken
		case err != nil:
			return wiki.Site{}, fmt.Errorf("tenant: create: %w", err)
		}
	}
	if err := s.content.Create(ctx, slug); err != nil {
		if begun && errors.Is(err, wiki.ErrExists) {
			return wiki.Site{}, taken
		}
		// Not with the request's context: the failure may be its end.
		undo := s.store.DropSite(context.WithoutCancel(ctx), slug)
		return wiki.Site{}, fmt.Errorf("tenant: create %s: %w", slug, errors.Join(err, undo))
	}
	access, err := s.Resolve(ctx, slug, wiki.Caller{User: owner})
	return access.Site(), err
}

// begun reports whether the site is this owner's already: either all of it, or
// its row alone, because the process ended before there were files.
func (s *Service) begun(ctx context.Context, owner wiki.User, slug string) (bool, error) {
	row, err := s.store.Site(ctx, slug)
	if errors.Is(err, wiki.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("tenant: create: %w", err)
	}
	return row.OwnerDID == owner.DID, nil
}
