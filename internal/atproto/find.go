package atproto

import (
	"context"

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
