package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"

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

// IsMember reports whether a person is a member of a wiki that the caller may
// read, its owner included. It reads memory.
func (s *Service) IsMember(ctx context.Context, a wiki.Access, did string) bool {
	if !a.Can(wiki.Read) || did == "" {
		return false
	}
	row, err := s.store.Site(ctx, a.Site().Slug)
	return err == nil && row.Roles[did] >= wiki.Viewer
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

// Invite gives somebody a role by handle or DID, whether or not they ever signed
// in here; they are a member from then on. A Problem says why it cannot be.
func (s *Service) Invite(ctx context.Context, a wiki.Access, name string, role wiki.Role) (wiki.User, error) {
	if err := a.Allow(wiki.Configure); err != nil {
		return wiki.User{}, err
	}
	if role != wiki.Viewer && role != wiki.Editor {
		return wiki.User{}, wiki.Problemf(wiki.ErrInvalid, "role", "A member is a viewer or an editor.")
	}
	if strings.TrimSpace(name) == "" {
		return wiki.User{}, wiki.Problemf(wiki.ErrInvalid, "handle", "Type the handle of whom you want to add, such as ben.bsky.social.")
	}
	if s.people == nil {
		return wiki.User{}, wiki.Problemf(wiki.ErrInvalid, "handle", "People cannot be looked up at the moment.")
	}
	who, err := s.people.Find(ctx, name)
	if err != nil {
		return wiki.User{}, fmt.Errorf("tenant: invite: %w", err)
	}
	site := a.Site()
	row, err := s.store.Site(ctx, site.Slug)
	if err != nil {
		return wiki.User{}, fmt.Errorf("tenant: invite: %w", err)
	}
	if _, member := row.Roles[who.DID]; member {
		return wiki.User{}, wiki.Problemf(wiki.ErrExists, "handle", "@%s is a member already.", who.Handle)
	}
	err = s.store.Invite(ctx, actor(a), site.Slug, who, role, site.Limits.Members)
	return who, memberError("invite", err)
}

// Leave ends the caller's own membership, and their tokens for the wiki.
func (s *Service) Leave(ctx context.Context, a wiki.Access) error {
	caller := a.Caller()
	switch {
	case a.Role() == wiki.Owner:
		return wiki.Problemf(wiki.ErrInvalid, "member", "The owner of a wiki stays its owner. You can delete the wiki.")
	case a.Role() < wiki.Viewer || caller.Operator:
		return wiki.Problemf(wiki.ErrDenied, "", "You are no member of this wiki.")
	case caller.ReadOnly || caller.Wiki != "":
		return wiki.Problemf(wiki.ErrDenied, "", "This token may not do that.")
	}
	return memberError("leave", s.store.RemoveMember(ctx, actor(a), a.Site().Slug, caller.User.DID))
}

func memberError(doing string, err error) error {
	var problem *wiki.Problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &problem):
		return problem
	case errors.Is(err, wiki.ErrNotFound):
		return wiki.Problemf(wiki.ErrNotFound, "member", "That is no member of this wiki.")
	}
	return fmt.Errorf("tenant: %s: %w", doing, err)
}
