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

// An Invitation lets one person with its code sign up.
type Invitation = store.Invitation

const (
	// InvitationLifetime is how long an invitation can be used.
	InvitationLifetime = 14 * 24 * time.Hour
	// MaxInvitations is the number of open invitations per person.
	MaxInvitations = 5
	// InvitationsPerDay is how many invitations a person can create in 24 hours.
	InvitationsPerDay = 5
	// keepInvitations is how long the list shows invitations that nobody used.
	keepInvitations = 30 * 24 * time.Hour
)

var (
	// ErrUninvited refuses a first wiki to people who need an invitation.
	ErrUninvited = wiki.Problemf(wiki.ErrDenied, "", "You need an invitation to create a wiki here. Ask someone who already has a wiki for an invitation link, and open it in this browser.")
	// ErrInvitation has one text for every invitation that can't be used, so that
	// nobody learns about those of others.
	ErrInvitation = wiki.Problemf(wiki.ErrGone, "", "It was used before, it has expired or was revoked, or part of the link is missing. Check that you have the whole link, or ask the person who sent it for a new one.")

	errNoInvitations = wiki.Problemf(wiki.ErrNotFound, "", "This service has no invitations: its operator has chosen another way to sign up.")
	errCantInvite    = wiki.Problemf(wiki.ErrDenied, "invitation", "Only people who have a wiki here can invite others. Create your wiki first.")
)

// ByInvitation reports whether people who have a wiki can invite others. Otherwise
// invitations can only be listed and revoked.
func (s *Service) ByInvitation() bool { return s.signup.ByInvitation }

// CanInvite reports whether a person can invite others: they have an account and a
// wiki, none of them suspended or being deleted.
func (s *Service) CanInvite(ctx context.Context, caller wiki.Caller) (bool, error) {
	if !s.signup.ByInvitation || checkAccountAccess(caller) != nil {
		return false, nil
	}
	return s.store.CanInvite(ctx, caller.User.DID)
}

// NewInvitation creates an invitation and returns its code, which isn't stored. The
// operator can create any number, other people up to MaxInvitations and
// InvitationsPerDay.
func (s *Service) NewInvitation(ctx context.Context, caller wiki.Caller) (code string, err error) {
	if !s.signup.ByInvitation {
		return "", errNoInvitations
	}
	i := Invitation{ID: rand.Text()[:12], Expires: s.now().Add(InvitationLifetime)}
	if !caller.Operator {
		if err := checkAccountAccess(caller); err != nil {
			return "", err
		}
		i.Inviter = caller.User
	}
	code = rand.Text() // 130 bits
	err = s.store.AddInvitation(ctx, code, i, MaxInvitations, InvitationsPerDay)
	switch {
	case errors.Is(err, wiki.ErrDenied):
		return "", errCantInvite
	case errors.Is(err, wiki.ErrQuota):
		return "", wiki.Problemf(wiki.ErrQuota, "invitation", "You have %d open invitations. Revoke one, or wait until one of them is used or expires.", MaxInvitations)
	case errors.Is(err, wiki.ErrTooMany):
		return "", s.tooManyInvitations(ctx, caller)
	case err != nil:
		return "", fmt.Errorf("tenant: new invitation: %w", err)
	}
	return code, nil
}

// tooManyInvitations says when a person can create invitations again.
func (s *Service) tooManyInvitations(ctx context.Context, caller wiki.Caller) error {
	list, err := s.store.Invitations(ctx, caller.User.DID)
	if err != nil {
		return fmt.Errorf("tenant: new invitation: %w", err)
	}
	again := s.now()
	if len(list) >= InvitationsPerDay {
		again = list[InvitationsPerDay-1].Created.Add(24 * time.Hour)
	}
	return wiki.Problemf(wiki.ErrTooMany, "invitation", "You can create %d invitations a day, revoked ones included. You can create the next one from %s.", InvitationsPerDay, timeInWords(again))
}

// Invitations lists the caller's invitations, the operator's caller everybody's, newest
// first.
func (s *Service) Invitations(ctx context.Context, caller wiki.Caller) ([]Invitation, error) {
	if caller.Operator {
		return s.store.AllInvitations(ctx)
	}
	if err := checkAccountAccess(caller); err != nil {
		return nil, err
	}
	return s.store.Invitations(ctx, caller.User.DID)
}

// RevokeInvitation revokes an unused invitation of the caller, for the operator
// anybody's.
func (s *Service) RevokeInvitation(ctx context.Context, caller wiki.Caller, id string) error {
	actor, did := store.Operator, ""
	if !caller.Operator {
		if err := checkAccountAccess(caller); err != nil {
			return err
		}
		actor, did = caller.User.DID, caller.User.DID
	}
	err := s.store.RevokeInvitation(ctx, actor, did, id)
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrNotFound, "invitation", "This invitation was used or revoked before, so nothing was changed.")
	}
	if err != nil {
		return fmt.Errorf("tenant: revoke invitation: %w", err)
	}
	return nil
}

// Admitted returns when an invitation let the caller create a wiki; zero if none did.
func (s *Service) Admitted(ctx context.Context, caller wiki.Caller) (time.Time, error) {
	return s.store.Admitted(ctx, caller.User.DID)
}

// Invitation returns the invitation with a code. It fails with ErrInvitation if it can't
// be used, whatever the reason.
func (s *Service) Invitation(ctx context.Context, code string) (Invitation, error) {
	if !s.signup.ByInvitation {
		return Invitation{}, errNoInvitations
	}
	i, err := s.store.Invitation(ctx, store.InvitationHash(code))
	if errors.Is(err, wiki.ErrGone) {
		return i, ErrInvitation
	}
	if err != nil {
		return i, fmt.Errorf("tenant: invitation: %w", err)
	}
	return i, nil
}

// AcceptInvitation uses up an invitation, so that the caller can create a wiki. A caller
// who doesn't need one leaves it unused.
func (s *Service) AcceptInvitation(ctx context.Context, caller wiki.Caller, code string) error {
	if !s.signup.ByInvitation {
		return errNoInvitations
	}
	if err := checkAccountAccess(caller); err != nil {
		return err
	}
	if s.signup.Listed != nil && s.signup.Listed(caller.User) {
		return nil
	}
	if err := s.checkNotLeaving(ctx, caller.User); err != nil {
		return err
	}
	err := s.store.UseInvitation(ctx, store.InvitationHash(code), caller.User.DID)
	if errors.Is(err, wiki.ErrGone) {
		return ErrInvitation
	}
	if err != nil {
		return fmt.Errorf("tenant: accept invitation: %w", err)
	}
	return nil
}
