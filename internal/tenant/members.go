package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"robot.wtf/internal/wiki"
)

// Members lists a site's members, the owner first. Only members can see it.
func (s *Service) Members(ctx context.Context, a wiki.Access) ([]wiki.Member, error) {
	if a.Role() < wiki.Viewer {
		return nil, wiki.Problemf(wiki.ErrDenied, "", "Only members of this wiki can see its members.")
	}
	members, err := s.store.Members(ctx, a.Site().Slug)
	if err != nil {
		return nil, fmt.Errorf("tenant: members: %w", err)
	}
	return members, nil
}

// IsMember reports whether a person is a member or the owner of a wiki that
// the caller can read. It needs no SQL.
func (s *Service) IsMember(ctx context.Context, a wiki.Access, did string) bool {
	if !a.Can(wiki.Read) || did == "" {
		return false
	}
	row, err := s.store.Site(ctx, a.Site().Slug)
	return err == nil && row.Roles[did] >= wiki.Viewer
}

// SetMember gives a person the role viewer or editor. It fails with ErrQuota
// beyond the limit.
func (s *Service) SetMember(ctx context.Context, a wiki.Access, did string, role wiki.Role) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	site := a.Site()
	switch {
	case role != wiki.Viewer && role != wiki.Editor:
		return wiki.Problemf(wiki.ErrInvalid, "role", "The role must be viewer or editor.")
	case did == site.OwnerDID:
		return wiki.Problemf(wiki.ErrInvalid, "member", "The role of the owner can't be changed.")
	}
	err := s.store.SetMember(ctx, actor(a), site.Slug, did, role, site.Limits.Members)
	return site.AskForMore(memberError("set member", err))
}

// RemoveMember ends a membership and revokes the member's tokens.
func (s *Service) RemoveMember(ctx context.Context, a wiki.Access, did string) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	if did == a.Site().OwnerDID {
		return wiki.Problemf(wiki.ErrInvalid, "member", "The owner can't be removed.")
	}
	return memberError("remove member", s.store.RemoveMember(ctx, actor(a), a.Site().Slug, did))
}

// Invite makes a person a member by handle or DID, even if they have never
// signed in. Errors wrap a Problem.
func (s *Service) Invite(ctx context.Context, a wiki.Access, name string, role wiki.Role) (wiki.User, error) {
	if err := a.Allow(wiki.Configure); err != nil {
		return wiki.User{}, err
	}
	if role != wiki.Viewer && role != wiki.Editor {
		return wiki.User{}, wiki.Problemf(wiki.ErrInvalid, "role", "The role must be viewer or editor.")
	}
	if strings.TrimSpace(name) == "" {
		return wiki.User{}, wiki.Problemf(wiki.ErrInvalid, "handle", "Enter the handle of the person to add, for example ben.bsky.social.")
	}
	if s.people == nil {
		return wiki.User{}, wiki.Problemf(wiki.ErrInvalid, "handle", "Handles can't be looked up right now.")
	}
	user, err := s.people.Find(ctx, a.Caller().User.DID, name)
	if err != nil {
		return wiki.User{}, fmt.Errorf("tenant: invite: %w", err)
	}
	site := a.Site()
	row, err := s.store.Site(ctx, site.Slug)
	if err != nil {
		return wiki.User{}, fmt.Errorf("tenant: invite: %w", err)
	}
	if _, member := row.Roles[user.DID]; member {
		return wiki.User{}, wiki.Problemf(wiki.ErrExists, "handle", "%s is already a member.", user.AuthorName())
	}
	err = s.store.Invite(ctx, actor(a), site.Slug, user, role, site.Limits.Members)
	return user, memberError("invite", err)
}

// Leave ends the caller's own membership and revokes their tokens for the
// wiki.
func (s *Service) Leave(ctx context.Context, a wiki.Access) error {
	caller := a.Caller()
	switch {
	case a.Role() == wiki.Owner:
		return wiki.Problemf(wiki.ErrInvalid, "member", "The owner can't leave the wiki, but can delete it.")
	case a.Role() < wiki.Viewer:
		return wiki.Problemf(wiki.ErrDenied, "", "You aren't a member of this wiki.")
	case caller.ReadOnly || caller.Wiki != "":
		return wiki.Problemf(wiki.ErrDenied, "", "This token can't do that.")
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
		return wiki.Problemf(wiki.ErrNotFound, "member", "That person isn't a member of this wiki.")
	}
	return fmt.Errorf("tenant: %s: %w", doing, err)
}
