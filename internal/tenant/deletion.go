package tenant

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// Grace is how long an owner can restore a deleted wiki or account.
const Grace = 7 * 24 * time.Hour

// A PendingDeletion is a deleted wiki that its owner can still restore.
type PendingDeletion = store.PendingDeletion

// DeleteWiki closes a wiki on every front end and revokes its tokens at
// once. Sweep purges it after Grace. confirm is its slug, as typed by the
// owner.
func (s *Service) DeleteWiki(ctx context.Context, a wiki.Access, confirm string) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	slug := a.Site().Slug
	if strings.TrimSpace(confirm) != slug {
		return wiki.Problemf(wiki.ErrInvalid, "confirm", "Type %q to delete the wiki. Nothing was deleted.", slug)
	}
	if err := s.store.ScheduleDeletion(ctx, actor(a), slug, s.now().Add(Grace)); err != nil {
		return fmt.Errorf("tenant: delete wiki: %w", err)
	}
	return nil
}

// PendingDeletions lists the deleted wikis that a person can still restore.
func (s *Service) PendingDeletions(ctx context.Context, caller wiki.Caller) ([]PendingDeletion, error) {
	list, err := s.store.PendingDeletions(ctx, caller.User.DID)
	if err != nil {
		return nil, fmt.Errorf("tenant: list pending deletions: %w", err)
	}
	return list, nil
}

// RestoreWiki undoes DeleteWiki. Tokens stay revoked.
func (s *Service) RestoreWiki(ctx context.Context, caller wiki.Caller, slug string) error {
	if err := checkAccountAccess(caller); err != nil {
		return err
	}
	row, err := s.store.Site(ctx, slug)
	switch {
	case errors.Is(err, wiki.ErrNotFound), err == nil && (row.OwnerDID != caller.User.DID || row.PurgeAt.IsZero()):
		return errNoWiki
	case err != nil:
		return fmt.Errorf("tenant: restore wiki: %w", err)
	}
	at, err := s.AccountPurgeTime(ctx, caller.User.DID)
	if err != nil {
		return err
	}
	if !at.IsZero() {
		return wiki.Problemf(wiki.ErrInvalid, "", "Your account is scheduled for deletion, and the wiki with it. Keep the account to restore the wiki.")
	}
	if err := s.store.ScheduleDeletion(ctx, caller.User.DID, slug, time.Time{}); err != nil {
		return fmt.Errorf("tenant: restore wiki: %w", err)
	}
	return nil
}

// checkAccountAccess refuses callers that can't manage the account.
func checkAccountAccess(caller wiki.Caller) error {
	switch {
	case caller.User.DID == "":
		return wiki.Problemf(wiki.ErrDenied, "", "Sign in first.")
	case caller.ReadOnly || caller.Wiki != "":
		return wiki.Problemf(wiki.ErrDenied, "", "This token is read-only.")
	}
	return nil
}

// DeleteAccount ends all sessions and tokens of a person and closes their
// wiki. Sweep purges both after Grace. Until then the person can sign in and
// keep the account; meanwhile their memberships in other wikis don't count.
// confirm is their username or, without one, their handle, as typed.
func (s *Service) DeleteAccount(ctx context.Context, caller wiki.Caller, confirm string) error {
	if err := checkAccountAccess(caller); err != nil {
		return err
	}
	want := AccountConfirmation(caller.User)
	if !strings.EqualFold(strings.TrimPrefix(strings.TrimSpace(confirm), "@"), want) {
		return wiki.Problemf(wiki.ErrInvalid, "confirm", "Type %q to delete your account. Nothing was deleted.", want)
	}
	err := s.store.ScheduleUserDeletion(ctx, caller.User.DID, s.now().Add(Grace))
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrExists, "", "Your account is already scheduled for deletion.")
	}
	if err != nil {
		return fmt.Errorf("tenant: delete account: %w", err)
	}
	return nil
}

// AccountConfirmation is the word a person types to delete their account.
func AccountConfirmation(u wiki.User) string {
	return u.AuthorName()
}

// AccountPurgeTime is when a person's account will be purged, or zero.
func (s *Service) AccountPurgeTime(ctx context.Context, did string) (time.Time, error) {
	at, err := s.store.UserPurgeTime(ctx, did)
	if errors.Is(err, wiki.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("tenant: account: %w", err)
	}
	return at, nil
}

// KeepAccount undoes DeleteAccount, including for the wiki.
func (s *Service) KeepAccount(ctx context.Context, caller wiki.Caller) error {
	if err := checkAccountAccess(caller); err != nil {
		return err
	}
	err := s.store.CancelUserDeletion(ctx, caller.User.DID)
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrNotFound, "", "Your account isn't scheduled for deletion.")
	}
	if err != nil {
		return fmt.Errorf("tenant: keep account: %w", err)
	}
	return nil
}

// Sweep purges the wikis and accounts whose grace period is over, and old invitations
// that nobody used, and looks at the DNS of own domains. The next sweep retries failures,
// except those that panicked.
func (s *Service) Sweep(ctx context.Context) error {
	sites, err := s.store.DueSites(ctx)
	if err != nil {
		return fmt.Errorf("tenant: sweep: %w", err)
	}
	var errs []error
	for _, e := range sites {
		errs = append(errs, s.background.Try(background.Job{Work: "purge", Wiki: e.Slug, Item: "wiki"}, func() error { return s.purge(ctx, e) }))
	}
	users, err := s.store.DueUsers(ctx)
	errs = append(errs, err)
	for _, u := range users {
		errs = append(errs, s.background.Try(background.Job{Work: "purge", Item: fmt.Sprintf("account %x", s.holderHash(u.DID)[:8])}, func() error { return s.purgeUser(ctx, u.DID) }))
	}
	errs = append(errs, s.background.Try(background.Job{Work: "sweep-domains"}, func() error { return s.sweepDomains(ctx) }))
	errs = append(errs, s.store.SweepInvitations(ctx, s.now().Add(-keepInvitations)))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("tenant: sweep: %w", err)
	}
	return nil
}

// purgeUser deletes an account, after deleting what other wikis keep for it
// besides commits.
func (s *Service) purgeUser(ctx context.Context, did string) error {
	slugs, err := s.store.SitesEverJoined(ctx, did)
	if err != nil {
		return err
	}
	for _, slug := range slugs {
		w, release, err := s.content.Open(ctx, slug)
		if errors.Is(err, wiki.ErrNotFound) {
			continue // being purged itself
		}
		if err != nil {
			return err
		}
		err = w.ForgetUser(ctx, did)
		release()
		if err != nil {
			return err
		}
	}
	return s.store.PurgeUser(ctx, did, s.holderHash(did))
}

// purge deletes the files before the row: as long as the row exists, the
// wiki stays closed and its name reserved.
func (s *Service) purge(ctx context.Context, e PendingDeletion) error {
	if s.forget != nil {
		if err := s.forget(ctx, e.Slug); err != nil {
			return err
		}
	}
	if err := s.content.Delete(ctx, e.Slug); err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return err
	}
	return s.store.PurgeSite(ctx, e.Slug, s.holderHash(e.DID))
}

// holderHash identifies the former holder of a name. The name of a deleted
// wiki or account is reserved for that person under this hash.
func (s *Service) holderHash(did string) []byte {
	mac := hmac.New(sha256.New, s.nameKey)
	mac.Write([]byte(did))
	return mac.Sum(nil)
}
