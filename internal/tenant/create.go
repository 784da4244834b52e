package tenant

import (
	"context"
	"errors"
	"fmt"

	"robot.wtf/internal/wiki"
)

// Create creates a wiki for its owner, private and empty; the caller seeds
// it. The slug becomes the username of an owner without one. Invalid
// requests fail with a Problem of kind ErrInvalid, ErrExists or ErrQuota,
// field "username", and those that the sign-up policy forbids as in CanCreate.
// A failed creation leaves nothing behind; one that a
// crash interrupted can be repeated.
func (s *Service) Create(ctx context.Context, owner wiki.User, slug string) (wiki.Site, error) {
	if err := wiki.CheckSlug(slug); err != nil {
		// The owner of a name keeps it, even if it is reserved now.
		if owned, ownedErr := s.created(ctx, owner, slug); ownedErr != nil || !owned {
			return wiki.Site{}, errors.Join(err, ownedErr)
		}
	}
	return s.create(ctx, owner, slug)
}

// CreateHelp creates the service's own wiki, wiki.HelpSlug, for an owner who
// isn't a person.
func (s *Service) CreateHelp(ctx context.Context, owner wiki.User) (wiki.Site, error) {
	return s.create(ctx, owner, wiki.HelpSlug)
}

func (s *Service) create(ctx context.Context, owner wiki.User, slug string) (wiki.Site, error) {
	if err := s.checkOwnName(ctx, owner, slug); err != nil {
		return wiki.Site{}, err
	}
	taken := wiki.Problemf(wiki.ErrExists, "username", "%q is taken. Choose another.", slug)
	if err := s.checkNotLeaving(ctx, owner); err != nil {
		return wiki.Site{}, err
	}
	created, err := s.created(ctx, owner, slug)
	if err != nil {
		return wiki.Site{}, err
	}
	if !created {
		err = s.addSite(ctx, owner, slug)
		switch {
		case errors.As(err, new(*wiki.Problem)):
			return wiki.Site{}, wiki.Site{Contact: s.contact}.AskForMore(err)
		case errors.Is(err, wiki.ErrExists):
			return wiki.Site{}, taken
		case err != nil:
			return wiki.Site{}, fmt.Errorf("tenant: create: %w", err)
		}
	}
	if err := s.content.Create(ctx, slug); err != nil {
		if created && errors.Is(err, wiki.ErrExists) {
			return wiki.Site{}, taken
		}
		// Not with the request's context, which may have been canceled.
		undo := s.store.DropSite(context.WithoutCancel(ctx), slug)
		return wiki.Site{}, fmt.Errorf("tenant: create %s: %w", slug, errors.Join(err, undo))
	}
	access, err := s.Resolve(ctx, slug, wiki.Caller{User: owner})
	return access.Site(), err
}

// addSite adds the site's row if the policy for new wikis permits it.
func (s *Service) addSite(ctx context.Context, owner wiki.User, slug string) error {
	s.creating.Lock()
	defer s.creating.Unlock()
	if slug != wiki.HelpSlug {
		if err := s.CanCreate(ctx, owner); err != nil {
			return err
		}
	}
	return s.store.CreateSite(ctx, owner, slug, s.holderHash(owner.DID), s.maxWikis)
}

// createdBefore reports whether the owner already has the site. It may be
// only a row, if the process ended before it created the files.
func (s *Service) created(ctx context.Context, owner wiki.User, slug string) (bool, error) {
	row, err := s.store.Site(ctx, slug)
	if errors.Is(err, wiki.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("tenant: create: %w", err)
	}
	if row.OwnerDID == owner.DID && !row.PurgeAt.IsZero() {
		return false, wiki.Problemf(wiki.ErrQuota, "username", "Your wiki is scheduled for deletion. Until then you can restore it on the dashboard.")
	}
	return row.OwnerDID == owner.DID, nil
}

// checkNotLeaving refuses an owner whose account is scheduled for deletion.
func (s *Service) checkNotLeaving(ctx context.Context, owner wiki.User) error {
	at, err := s.AccountPurgeTime(ctx, owner.DID)
	if err != nil || at.IsZero() {
		return err
	}
	return wiki.Problemf(wiki.ErrDenied, "username", "Your account is scheduled for deletion. To create a wiki, keep the account on the dashboard.")
}
