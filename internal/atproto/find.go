package atproto

import (
	"context"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// Find returns the DID and handle of the account that a typed handle or DID
// names, verified in both directions, without involving the account. Owners
// use it to invite people; asker is the owner's DID, who the lookup is counted
// against. Errors wrap a Problem with field "handle".
func (s *Service) Find(ctx context.Context, asker, name string) (wiki.User, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	person := limit.Person(asker)
	leave, err := s.acquireSlot(ctx, person)
	if err != nil {
		return wiki.User{}, err
	}
	defer leave()
	_, account, err := s.findAccount(ctx, person, name)
	if err != nil {
		return wiki.User{}, err
	}
	return wiki.User{DID: account.DID.String(), Handle: account.Handle.String()}, nil
}

// Declared returns the handle that an account's document declares now, or "". It isn't
// verified. Errors wrap a Problem with field "handle".
func (s *Service) Declared(ctx context.Context, asker, did string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	person := limit.Person(asker)
	leave, err := s.acquireSlot(ctx, person)
	if err != nil {
		return "", err
	}
	defer leave()
	if err := s.limits.Lookup(person, identifierHost(did)); err != nil {
		return "", fmt.Errorf("atproto: read %s: %w", did, err)
	}
	account, err := s.readDocument(ctx, syntax.DID(did))
	if err != nil {
		return "", fmt.Errorf("atproto: read %s: %w: %w", did, err, lookupProblem(did, err))
	}
	handle, err := account.DeclaredHandle()
	if err != nil {
		return "", nil // it declares none
	}
	return handle.String(), nil
}
