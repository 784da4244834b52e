package tenant

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// This file has the accounts of a service with one wiki ("robot home"): local
// identities, which sign in by one-time links. Options.Local turns them on.

const (
	// SignInLinkLifetime is how long a sign-in link can be used.
	SignInLinkLifetime = 10 * time.Minute
	// JoinLinkLifetime is how long an invitation to a wiki can be used.
	JoinLinkLifetime = 14 * 24 * time.Hour
	// maxSignInLinks and maxJoinLinks are the open links of a person and of a wiki.
	maxSignInLinks = 5
	maxJoinLinks   = 50
)

// A JoinLink is an open invitation to a wiki.
type JoinLink = store.JoinLink

var (
	// ErrSignInLink has one text for every link that can't be used.
	ErrSignInLink = wiki.Problemf(wiki.ErrGone, "", "This sign-in link doesn't work: it was used before, it is older than ten minutes, or part of it is missing. Run “robot home login” for a new one, or ask the wiki's owner.")
	// ErrJoinLink has one text for every invitation that can't be used.
	ErrJoinLink = wiki.Problemf(wiki.ErrGone, "", "This invitation doesn't work: it was used before, it has expired or was revoked, or part of the link is missing. Ask the wiki's owner for a new one.")

	errNoLocal = wiki.Problemf(wiki.ErrNotFound, "", "This service has no local accounts.")
)

// CreateHome creates the only wiki and its owner, a new local identity with the slug
// as username. The caller seeds it.
func (s *Service) CreateHome(ctx context.Context, slug, title string) error {
	if !s.local {
		return errNoLocal
	}
	owner := wiki.User{DID: wiki.LocalID(rand.Text()), Username: slug, Handle: slug}
	if _, err := s.Create(ctx, owner, slug); err != nil {
		return err
	}
	if title == "" {
		return nil
	}
	a, err := s.Resolve(ctx, slug, wiki.Caller{User: owner})
	if err != nil {
		return err
	}
	set := SettingsOf(a.Site())
	set.Title = title
	return s.Configure(ctx, a, set)
}

// AddLocalMember makes a new local identity with a username a member. Only the owner can
// add one, and then creates a sign-in link for them. It fails with ErrExists if the name
// is taken, and with ErrQuota if the wiki has as many members as it can have.
func (s *Service) AddLocalMember(ctx context.Context, a wiki.Access, username string, role wiki.Role) (wiki.User, error) {
	code, err := s.NewJoinLink(ctx, a, role)
	if err != nil {
		return wiki.User{}, err
	}
	who, err := s.Join(ctx, wiki.Caller{}, code, username)
	if err == nil {
		return who, nil
	}
	if l, _, open := s.JoinLink(ctx, code); open == nil {
		err = errors.Join(err, s.RevokeJoinLink(ctx, a, l.ID))
	}
	return wiki.User{}, err
}

// NewSignInLink creates a link that signs a member in once, and returns its code,
// which isn't stored. Only the owner can create one.
func (s *Service) NewSignInLink(ctx context.Context, a wiki.Access, did string) (code string, err error) {
	if !s.local {
		return "", errNoLocal
	}
	if err := a.Allow(wiki.Configure); err != nil {
		return "", err
	}
	if !s.IsMember(ctx, a, did) {
		return "", wiki.Problemf(wiki.ErrNotFound, "member", "That person isn't a member of this wiki.")
	}
	code = rand.Text() // 130 bits
	err = s.store.AddSignInLink(ctx, code, rand.Text()[:12], did, s.now().Add(SignInLinkLifetime), maxSignInLinks)
	if err != nil {
		return "", fmt.Errorf("tenant: new sign-in link: %w", err)
	}
	return code, nil
}

// SignInLinkPerson returns the person that a link signs in, so that the browser's
// user can see whose link it is. It fails like UseSignInLink, and uses nothing up.
func (s *Service) SignInLinkPerson(ctx context.Context, code string) (wiki.User, error) {
	return s.signInLink(ctx, code, s.store.SignInLink)
}

// UseSignInLink uses a link up and returns the person it signs in. It fails with
// ErrSignInLink if the link can't be used, whatever the reason.
func (s *Service) UseSignInLink(ctx context.Context, code string) (wiki.User, error) {
	return s.signInLink(ctx, code, s.store.TakeSignInLink)
}

func (s *Service) signInLink(ctx context.Context, code string, find func(ctx context.Context, code string) (string, error)) (wiki.User, error) {
	if !s.local {
		return wiki.User{}, errNoLocal
	}
	did, err := find(ctx, code)
	if errors.Is(err, wiki.ErrGone) {
		return wiki.User{}, ErrSignInLink
	}
	if err != nil {
		return wiki.User{}, fmt.Errorf("tenant: sign-in link: %w", err)
	}
	return s.store.User(ctx, did)
}

// NewJoinLink creates an invitation to a wiki and returns its code, which isn't
// stored.
func (s *Service) NewJoinLink(ctx context.Context, a wiki.Access, role wiki.Role) (code string, err error) {
	if !s.local {
		return "", errNoLocal
	}
	if err := a.Allow(wiki.Configure); err != nil {
		return "", err
	}
	if role != wiki.Viewer && role != wiki.Editor {
		return "", wiki.Problemf(wiki.ErrInvalid, "role", "The role must be viewer or editor.")
	}
	code = rand.Text()
	err = s.store.AddJoinLink(ctx, actor(a), code, JoinLink{ID: rand.Text()[:12], Slug: a.Site().Slug, Role: role, Expires: s.now().Add(JoinLinkLifetime)}, maxJoinLinks)
	if errors.Is(err, wiki.ErrQuota) {
		return "", wiki.Problemf(wiki.ErrQuota, "handle", "There are %d open invitations. Revoke one first.", maxJoinLinks)
	}
	if err != nil {
		return "", fmt.Errorf("tenant: new invitation: %w", err)
	}
	return code, nil
}

// JoinLinks lists the open invitations to a wiki, newest first.
func (s *Service) JoinLinks(ctx context.Context, a wiki.Access) ([]JoinLink, error) {
	if err := a.Allow(wiki.Configure); err != nil {
		return nil, err
	}
	return s.store.JoinLinks(ctx, a.Site().Slug)
}

// RevokeJoinLink revokes an open invitation to a wiki.
func (s *Service) RevokeJoinLink(ctx context.Context, a wiki.Access, id string) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	err := s.store.RevokeJoinLink(ctx, actor(a), a.Site().Slug, id)
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrNotFound, "handle", "This invitation was used or revoked before, so nothing was changed.")
	}
	if err != nil {
		return fmt.Errorf("tenant: revoke invitation: %w", err)
	}
	return nil
}

// JoinLink returns the invitation with a code, and the name of its wiki. It fails
// with ErrJoinLink if the invitation can't be used, whatever the reason.
func (s *Service) JoinLink(ctx context.Context, code string) (l JoinLink, name string, err error) {
	if !s.local {
		return l, "", errNoLocal
	}
	l, err = s.store.JoinLink(ctx, code)
	if errors.Is(err, wiki.ErrGone) {
		return l, "", ErrJoinLink
	}
	if err != nil {
		return l, "", fmt.Errorf("tenant: invitation: %w", err)
	}
	site, err := s.store.Site(ctx, l.Slug)
	if err != nil {
		return l, "", fmt.Errorf("tenant: invitation: %w", err)
	}
	return l, site.Name(), nil
}

// Join uses an invitation up: the caller becomes a member or, if they are anonymous,
// a new local identity with a username. It returns the member.
func (s *Service) Join(ctx context.Context, caller wiki.Caller, code, username string) (wiki.User, error) {
	l, _, err := s.JoinLink(ctx, code)
	if err != nil {
		return wiki.User{}, err
	}
	site, err := s.store.Site(ctx, l.Slug)
	if err != nil {
		return wiki.User{}, fmt.Errorf("tenant: join: %w", err)
	}
	who := caller.User
	switch {
	case site.Roles[who.DID] != wiki.NoRole:
		return wiki.User{}, wiki.Problemf(wiki.ErrExists, "", "You are a member already. The invitation is still unused: pass the link on.")
	case caller.Anonymous():
		if err := wiki.CheckSlug(username); err != nil {
			return wiki.User{}, err
		}
		who = wiki.User{DID: wiki.LocalID(rand.Text()), Username: username, Handle: username}
	}
	limits := fillLimits(site.Limits, s.limits)
	err = s.store.Join(ctx, code, who, limits.Members)
	switch {
	case errors.Is(err, wiki.ErrGone):
		return wiki.User{}, ErrJoinLink
	case errors.Is(err, wiki.ErrExists):
		return wiki.User{}, wiki.Problemf(wiki.ErrExists, "username", "%q is taken. Choose another.", username)
	}
	return who, memberError("join", err)
}
