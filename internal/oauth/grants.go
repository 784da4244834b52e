package oauth

import (
	"context"
	"errors"
	"fmt"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// A Grant is a connected agent: a person's leave for a program to act in their
// name in one wiki.
type Grant = store.Grant

// Grants lists the agents that are connected to a wiki, newest first: the
// caller's own, and to its owner those of all members.
func (s *Service) Grants(ctx context.Context, a wiki.Access) ([]*Grant, error) {
	if a.Role() < wiki.Viewer || a.Caller().User.DID == "" {
		return nil, problem(wiki.ErrDenied, "Only members of this wiki can see which agents they have connected.")
	}
	did := a.Caller().User.DID
	if a.Role() == wiki.Owner {
		did = ""
	}
	return s.o.Store.Grants(ctx, a.Site().Slug, did)
}

// GrantsOf lists the caller's own, for all wikis, newest first.
func (s *Service) GrantsOf(ctx context.Context, caller wiki.Caller) ([]*Grant, error) {
	if caller.User.DID == "" || caller.Wiki != "" {
		return nil, problem(wiki.ErrDenied, "Sign in first.")
	}
	return s.o.Store.Grants(ctx, "", caller.User.DID)
}

// Revoke ends a grant for a wiki at once: one of the caller's own, or any where
// they own the wiki. ErrNotFound for what is none of these.
func (s *Service) Revoke(ctx context.Context, a wiki.Access, id string) error {
	caller := a.Caller()
	switch {
	case caller.User.DID == "" || a.Role() < wiki.Viewer:
		return problem(wiki.ErrDenied, "Only members of this wiki can disconnect their agents.")
	case caller.ReadOnly || caller.Wiki != "":
		return problem(wiki.ErrDenied, "This token cannot disconnect agents. Sign in with a browser.")
	}
	did := caller.User.DID
	if a.Can(wiki.Configure) {
		did = ""
	}
	err := s.o.Store.RevokeGrant(ctx, caller.User.DID, a.Site().Slug, did, id)
	if errors.Is(err, wiki.ErrNotFound) {
		return problem(wiki.ErrNotFound, "That agent is not connected any more.")
	}
	return err
}

// RevokeOwn ends one of the caller's own grants, of whatever wiki.
func (s *Service) RevokeOwn(ctx context.Context, caller wiki.Caller, id string) error {
	switch {
	case caller.User.DID == "":
		return problem(wiki.ErrDenied, "Sign in first.")
	case caller.ReadOnly || caller.Wiki != "":
		return problem(wiki.ErrDenied, "This token may only read.")
	}
	g, err := s.o.Store.Grant(ctx, id)
	if err == nil && g.DID == caller.User.DID {
		err = s.o.Store.RevokeGrant(ctx, caller.User.DID, g.Slug, g.DID, id)
	} else if err == nil {
		err = wiki.ErrNotFound
	}
	if errors.Is(err, wiki.ErrNotFound) {
		return problem(wiki.ErrNotFound, "That agent is not connected any more.")
	}
	return err
}

// Sweep removes what has ended.
func (s *Service) Sweep(ctx context.Context) error {
	if err := s.o.Store.SweepOAuth(ctx, s.o.Now().Add(-unusedLifetime), unusedMost); err != nil {
		return fmt.Errorf("oauth: sweep: %w", err)
	}
	return nil
}
