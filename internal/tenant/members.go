package tenant

import (
	"context"
	"errors"
	"fmt"

	"robot.wtf/internal/wiki"
)

// Members lists a site's people, the owner first; for members alone.
func (s *Service) Members(ctx context.Context, a wiki.Access) ([]wiki.Member, error) {
	if a.Role() < wiki.Viewer {
		return nil, wiki.Problemf(wiki.ErrDenied, "", "Only members of this wiki can see who they are.")
	}
	members, err := s.store.Members(ctx, a.Site().Slug)
	if err != nil {
		return nil, fmt.Errorf("tenant: members: %w", err)
	}
	return members, nil
}

// SetMember gives a person a role: viewer or editor. ErrQuota beyond the limit.
func (s *Service) SetMember(ctx context.Context, a wiki.Access, did string, role wiki.Role) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	site := a.Site()
	switch {
	case role != wiki.Viewer && role != wiki.Editor:
		return wiki.Problemf(wiki.ErrInvalid, "role", "A member is a viewer or an editor.")
	case did == site.OwnerDID:
		return wiki.Problemf(wiki.ErrInvalid, "member", "The owner of a wiki stays its owner.")
	}
	err := s.store.SetMember(ctx, actor(a), site.Slug, did, role, site.Limits.Members)
	return memberError("set member", err)
}

// RemoveMember takes it away; their tokens end with it.
func (s *Service) RemoveMember(ctx context.Context, a wiki.Access, did string) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	if did == a.Site().OwnerDID {
		return wiki.Problemf(wiki.ErrInvalid, "member", "The owner of a wiki stays its owner.")
	}
	return memberError("remove member", s.store.RemoveMember(ctx, actor(a), a.Site().Slug, did))
}

func memberError(doing string, err error) error {
	var problem *wiki.Problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &problem):
		return problem
	case errors.Is(err, wiki.ErrNotFound):
		return wiki.Problemf(wiki.ErrNotFound, "member", "Nobody like that is known here. They must have signed in once.")
	}
	return fmt.Errorf("tenant: %s: %w", doing, err)
}
