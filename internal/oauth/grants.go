package oauth

import (
	"context"
	"errors"
	"fmt"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// A Grant is a connected agent: a person's permission for a program to act
// in their name in one wiki.
type Grant = store.Grant

// Grants lists the agents connected to a wiki, newest first: all of them for
// the owner, and the caller's own for other members.
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

// GrantsOf lists the caller's own grants for all wikis, newest first.
func (s *Service) GrantsOf(ctx context.Context, caller wiki.Caller) ([]*Grant, error) {
	if caller.User.DID == "" || caller.Wiki != "" {
		return nil, problem(wiki.ErrDenied, "Sign in first.")
	}
	return s.o.Store.Grants(ctx, "", caller.User.DID)
}

// Revoke ends one of the caller's own grants for a wiki, or any grant if the
// caller owns the wiki. It fails with ErrNotFound for other grants.
func (s *Service) Revoke(ctx context.Context, a wiki.Access, id string) error {
	caller := a.Caller()
	switch {
	case caller.User.DID == "" || a.Role() < wiki.Viewer:
		return problem(wiki.ErrDenied, "Only members of this wiki can disconnect their agents.")
	case caller.ReadOnly || caller.Wiki != "":
		return problem(wiki.ErrDenied, "This token can't disconnect agents. Sign in with a browser.")
	}
	did := caller.User.DID
	if a.Can(wiki.Configure) {
		did = ""
	}
	err := s.o.Store.RevokeGrant(ctx, caller.User.DID, a.Site().Slug, did, id)
	if errors.Is(err, wiki.ErrNotFound) {
		return problem(wiki.ErrNotFound, "That agent is no longer connected.")
	}
	return err
}

// RevokeOwn ends one of the caller's own grants, for any wiki.
func (s *Service) RevokeOwn(ctx context.Context, caller wiki.Caller, id string) error {
	switch {
	case caller.User.DID == "":
		return problem(wiki.ErrDenied, "Sign in first.")
	case caller.ReadOnly || caller.Wiki != "":
		return problem(wiki.ErrDenied, "This token is read-only.")
	}
	g, err := s.o.Store.Grant(ctx, id)
	if err == nil && g.DID == caller.User.DID {
		err = s.o.Store.RevokeGrant(ctx, caller.User.DID, g.Slug, g.DID, id)
	} else if err == nil {
		err = wiki.ErrNotFound
	}
	if errors.Is(err, wiki.ErrNotFound) {
		return problem(wiki.ErrNotFound, "That agent is no longer connected.")
	}
	return err
}

// Sweep deletes expired state and clients that nobody used.
func (s *Service) Sweep(ctx context.Context) error {
	if err := s.o.Store.SweepOAuth(ctx, s.o.Now().Add(-unusedLifetime), maxUnused); err != nil {
		return fmt.Errorf("oauth: sweep: %w", err)
	}
	return nil
}
