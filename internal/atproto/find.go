package atproto

import (
	"context"

	"robot.wtf/internal/wiki"
)

// Find gives DID and handle of the account that a handle or a DID names, as
// people type them, without its taking part: for whom an owner invites. The
// handle leads to the account and back. Errors wrap a Problem, field "handle".
func (s *Service) Find(ctx context.Context, name string) (wiki.User, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	leave, err := s.enter(ctx)
	if err != nil {
		return wiki.User{}, err
	}
	defer leave()
	_, account, err := s.find(ctx, name)
	if err != nil {
		return wiki.User{}, err
	}
	return wiki.User{DID: account.DID.String(), Handle: account.Handle.String()}, nil
}
