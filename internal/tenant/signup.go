package tenant

import (
	"context"
	"fmt"
	"time"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// Signup is the operator's policy for first wikis. The zero value lets everyone
// create one at once. It doesn't concern wikis that exist.
type Signup struct {
	// Admits reports whether a person can have a wiki without an invitation;
	// nil admits everyone.
	Admits func(wiki.User) bool
	// Listed reports whether the operator named a person, who then needs no
	// invitation, doesn't wait, and isn't subject to PerDay; nil names nobody.
	Listed func(wiki.User) bool
	// ByInvitation lets people who have a wiki invite others, whom Admits then needn't
	// admit.
	ByInvitation bool
	// Wait is the time from an account's creation to its first wiki.
	Wait time.Duration
	// PerDay limits the new wikis of 24 hours, and with it those of one account server
	// (see hostShare); 0 means no limit.
	PerDay int
}

// A Later is the refusal to create a wiki before a time. It wraps a Problem.
type Later struct {
	At      time.Time
	problem error
}

func (l *Later) Error() string { return l.problem.Error() }
func (l *Later) Unwrap() error { return l.problem }

// CanCreate returns nil if the policy lets a person create their first wiki now.
// Otherwise it fails with a Problem, or a Later that says when they can.
func (s *Service) CanCreate(ctx context.Context, person wiki.User) error {
	if s.signup.Listed != nil && s.signup.Listed(person) {
		return nil
	}
	if err := s.checkAdmitted(ctx, person); err != nil {
		return err
	}
	return s.checkDay(ctx, person.DID)
}

// checkAdmitted refuses people whom the policy doesn't admit yet. An invitation that
// admitted someone counts under every later policy.
func (s *Service) checkAdmitted(ctx context.Context, person wiki.User) error {
	admits := s.signup.Admits == nil || s.signup.Admits(person)
	if admits && s.signup.Wait == 0 {
		return nil
	}
	if at, err := s.store.Admitted(ctx, person.DID); err != nil || !at.IsZero() {
		return err
	}
	switch {
	case admits:
		return s.checkAge(ctx, person)
	case s.signup.ByInvitation:
		return ErrUninvited
	}
	return wiki.Problemf(wiki.ErrDenied, "", "This service isn't open to everyone yet. Ask its operator to let you create a wiki.")
}

// checkAge refuses accounts that are newer than the policy's Wait.
func (s *Service) checkAge(ctx context.Context, person wiki.User) error {
	if s.signup.Wait == 0 {
		return nil
	}
	created, err := s.store.UserCreated(ctx, person.DID)
	if err != nil {
		return fmt.Errorf("tenant: age of account: %w", err)
	}
	at := created.Add(s.signup.Wait)
	if !s.now().Before(at) {
		return nil
	}
	return &Later{at, wiki.Problemf(wiki.ErrDenied, "", "New accounts wait %s before their first wiki, to keep spam away. You can create yours from %s. Until then you can read, and write in wikis that others invite you to.", inWords(s.signup.Wait), timeInWords(at))}
}

// The part of PerDay for the accounts of one server, in percent: servers of many
// people, and any other. So one that somebody runs for accounts without end can't use
// up the day, and even a large one leaves some to others.
const (
	largeHostShare = 90
	hostShare      = 10
)

// checkHostDay refuses a wiki that would exceed the share of PerDay for the server
// that hosts the account. A server counts by its domain. Accounts from before servers
// were recorded have none.
func (s *Service) checkHostDay(ctx context.Context, did string) error {
	host, err := s.store.UserHost(ctx, did)
	if err != nil {
		return fmt.Errorf("tenant: server of account: %w", err)
	}
	if host == "" {
		return nil
	}
	share := hostShare
	if limit.IsRegistry(host) {
		share = largeHostShare
	}
	n := max(1, s.signup.PerDay*share/100)
	domain := limit.Domain(host)
	return s.checkCount(ctx, domain, n, fmt.Sprintf("This service creates at most %s a day for accounts at %s", newWikis(n), domain))
}

// checkDay refuses a wiki that would exceed the policy's PerDay.
func (s *Service) checkDay(ctx context.Context, did string) error {
	if s.signup.PerDay == 0 {
		return nil
	}
	err := s.checkCount(ctx, "", s.signup.PerDay, fmt.Sprintf("This service creates at most %s a day", newWikis(s.signup.PerDay)))
	if err != nil {
		return err
	}
	return s.checkHostDay(ctx, did)
}

// checkCount refuses a wiki if n were created within a day by accounts of a domain, or
// by all if that is "".
func (s *Service) checkCount(ctx context.Context, domain string, n int, rule string) error {
	const day = 24 * time.Hour
	oldest, err := s.store.NthNewestSite(ctx, domain, n)
	if err != nil {
		return fmt.Errorf("tenant: count new wikis: %w", err)
	}
	at := oldest.Add(day)
	if oldest.IsZero() || !s.now().Before(at) {
		return nil
	}
	return &Later{at, wiki.Problemf(wiki.ErrTooMany, "", "%s, and all of them are taken. You can create yours from %s. Your account stays, and you stay signed in.", rule, timeInWords(at))}
}

// timeInWords formats a time for a sentence, rounded up to the minute.
func timeInWords(t time.Time) string {
	return t.Add(time.Minute - time.Nanosecond).UTC().Format("2 January 2006, 15:04 UTC")
}

func inWords(d time.Duration) string {
	if d == 24*time.Hour {
		return "a day"
	}
	return d.String()
}

func newWikis(n int) string {
	if n == 1 {
		return "1 new wiki"
	}
	return fmt.Sprintf("%d new wikis", n)
}
