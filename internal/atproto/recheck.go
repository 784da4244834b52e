package atproto

import (
	"context"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"robot.wtf/internal/background"
	"robot.wtf/internal/wiki"
)

// Limits of checking the handles of members again.
const (
	recheckAfter   = 24 * time.Hour
	recheckBatch   = 50 // people in one sweep
	recheckAtOnce  = 4
	recheckTimeout = time.Minute // of one sweep; the rest wait for the next
)

// Sweep verifies the handles of wikis' owners and members that were last checked a day
// ago, the oldest first. A handle that can't be checked stays. The service calls Sweep
// every few minutes, so that the checks are spread over the day.
func (s *Service) Sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, recheckTimeout)
	defer cancel()
	people, err := s.store.UncheckedMembers(ctx, s.now().Add(-recheckAfter), recheckBatch)
	if err != nil {
		return err
	}
	todo := make(chan wiki.User, len(people))
	for _, person := range people {
		todo <- person
	}
	close(todo)
	var work background.Group
	for range recheckAtOnce {
		work.Go(func() {
			for person := range todo {
				s.recheck(ctx, person)
			}
		})
	}
	work.Wait()
	return nil
}

// recheck verifies a person's handle and stores the result.
func (s *Service) recheck(ctx context.Context, person wiki.User) {
	handle := person.Handle
	account, err := s.readDocument(ctx, syntax.DID(person.DID))
	if err == nil {
		handle = s.verifiedHandle(ctx, account, syntax.Handle(person.Handle)).String()
	}
	if ctx.Err() != nil {
		return // the next sweep checks it
	}
	if err != nil {
		s.log.Info("checking a member's handle failed", "did", person.DID, "err", err)
	}
	if handle == person.Handle { // perhaps unverified, so it takes nothing from another account
		err = s.store.SetHandleChecked(ctx, person.DID)
	} else {
		err = s.store.SetHandle(ctx, person.DID, handle)
	}
	if err != nil {
		s.log.Error("storing a member's handle failed", "did", person.DID, "err", err)
	}
}
