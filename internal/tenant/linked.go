package tenant

import (
	"context"
	"errors"
	"fmt"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// A LinkedAccount is an ATProto account that signs in a local identity.
type LinkedAccount = store.LinkedAccount

const accountField = "account"

// LinkAccount lets the caller sign in with an account that they have just proved to be
// theirs. They must have a local identity, and stay who they are: rights, tokens and the
// name at their changes belong to that.
func (s *Service) LinkAccount(ctx context.Context, caller wiki.Caller, account wiki.User) error {
	did := caller.User.DID
	switch {
	case !s.local:
		return errNoLocal
	case !wiki.IsLocalID(did) || caller.Grant != "":
		return wiki.Problemf(wiki.ErrDenied, accountField, "Only a person who signed in here with a link or a passkey can link an account.")
	}
	err := s.store.LinkAccount(ctx, LinkedAccount{DID: account.DID, Person: did, Handle: account.Handle})
	if errors.Is(err, wiki.ErrExists) {
		return s.linkConflict(ctx, did, account)
	}
	if err != nil {
		return fmt.Errorf("tenant: link account: %w", err)
	}
	return nil
}

// linkConflict explains why an account can't be linked to a person. It doesn't say whose
// account it is.
func (s *Service) linkConflict(ctx context.Context, person string, account wiki.User) error {
	has, err := s.store.LinkedAccount(ctx, person)
	switch {
	case err == nil && has.DID == account.DID:
		return nil // twice, as by a reloaded callback
	case err == nil:
		return wiki.Problemf(wiki.ErrExists, accountField, "You have linked %s already. Unlink it first.", has.Handle)
	case !errors.Is(err, wiki.ErrNotFound):
		return fmt.Errorf("tenant: link account: %w", err)
	}
	return wiki.Problemf(wiki.ErrExists, accountField, "%s belongs to somebody else here, so it wasn't linked to you.", account.ShownHandle())
}

// UnlinkAccount ends the link of the caller's account with a DID.
func (s *Service) UnlinkAccount(ctx context.Context, caller wiki.Caller, did string) error {
	if !s.local {
		return errNoLocal
	}
	err := s.store.UnlinkAccount(ctx, caller.User.DID, did)
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrNotFound, accountField, "This account was unlinked before, so nothing was changed.")
	}
	if err != nil {
		return fmt.Errorf("tenant: unlink account: %w", err)
	}
	return nil
}

// LinkedAccount returns the account that signs in the caller; ErrNotFound if there is
// none.
func (s *Service) LinkedAccount(ctx context.Context, caller wiki.Caller) (LinkedAccount, error) {
	if !s.local {
		return LinkedAccount{}, errNoLocal
	}
	return s.store.LinkedAccount(ctx, caller.User.DID)
}

// PersonOf returns whom an account signs in: the local identity that it is linked to, or
// a member who is known by the account itself. It fails with ErrDenied if there is
// neither.
func (s *Service) PersonOf(ctx context.Context, account wiki.User) (wiki.User, error) {
	if !s.local {
		return wiki.User{}, errNoLocal
	}
	did, err := s.store.UseLinkedAccount(ctx, account.DID, account.Handle)
	if errors.Is(err, wiki.ErrNotFound) {
		did = account.DID
		var wikis []string
		if wikis, err = s.store.SitesOf(ctx, did); err == nil && len(wikis) == 0 {
			return wiki.User{}, wiki.Problemf(wiki.ErrDenied, accountField, "%s isn't linked to anybody here. Sign in with a link first, then link the account under Account.", account.ShownHandle())
		}
	}
	if err != nil {
		return wiki.User{}, fmt.Errorf("tenant: person of account: %w", err)
	}
	return s.store.User(ctx, did)
}
