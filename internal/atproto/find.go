package atproto

import (
	"context"

	"robot.wtf/internal/wiki"
)

// Find returns the DID and handle of the account that a typed handle or DID
// names, verified in both directions, without involving the account. Owners
// use it to invite people. Errors wrap a Problem with field "handle".
func (s *Service) Find(ctx context.Context, name string) (wiki.User, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	leave, err := s.acquireSlot(ctx)
	if err != nil {
		return wiki.User{}, err
	}
	defer leave()
	_, account, err := s.findAccount(ctx, name)
	if err != nil {
		return wiki.User{}, err
	}
	return wiki.User{DID: account.DID.String(), Handle: account.Handle.String()}, nil
}
