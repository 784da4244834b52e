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
	return s.create(ctx, owner, slug)
}

// CreateHelp makes the service's own wiki, wiki.HelpSlug, for an owner who is no
// person.
func (s *Service) CreateHelp(ctx context.Context, owner wiki.User) (wiki.Site, error) {
	return s.create(ctx, owner, wiki.HelpSlug)
}

func (s *Service) create(ctx context.Context, owner wiki.User, slug string) (wiki.Site, error) {
	if owner.Username != "" && owner.Username != slug {
		return wiki.Site{}, wiki.Problemf(wiki.ErrInvalid, "username", "Your wiki is called as you are: %q.", owner.Username)
	}
	taken := wiki.Problemf(wiki.ErrExists, "username", "%q is taken. Choose another.", slug)
	if err := s.mayCreate(ctx, owner); err != nil {
		return wiki.Site{}, err
	}
	begun, err := s.begun(ctx, owner, slug)
	if err != nil {
		return wiki.Site{}, err
	}
	if !begun {
		err = s.store.CreateSite(ctx, owner, slug, s.holder(owner.DID), WikisEach)
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
	if row.OwnerDID == owner.DID && !row.PurgeAt.IsZero() {
		return false, wiki.Problemf(wiki.ErrQuota, "username", "Your wiki is being deleted. Until that is done you can restore it, on the dashboard.")
	}
	return row.OwnerDID == owner.DID, nil
}

// mayCreate refuses who is leaving.
func (s *Service) mayCreate(ctx context.Context, owner wiki.User) error {
	at, err := s.AccountPurgeTime(ctx, owner.DID)
	if err != nil || at.IsZero() {
		return err
	}
	return wiki.Problemf(wiki.ErrDenied, "username", "Your account is being deleted. Keep it, on the dashboard, to make a wiki.")
}
