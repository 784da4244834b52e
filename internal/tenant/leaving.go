package tenant

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// Grace is how long an owner can change their mind after deleting a wiki or an
// account.
const Grace = 7 * 24 * time.Hour

// A PendingDeletion is a wiki that its owner deleted and can still restore.
type PendingDeletion = store.PendingDeletion

// DeleteWiki closes a wiki on every door and ends its tokens at once; it is
// purged when the grace is over. confirm is its slug, typed.
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

// PendingDeletions lists the wikis that a person deleted and can still restore.
func (s *Service) PendingDeletions(ctx context.Context, caller wiki.Caller) ([]PendingDeletion, error) {
	list, err := s.store.PendingDeletions(ctx, caller.User.DID)
	if err != nil {
		return nil, fmt.Errorf("tenant: list pending deletions: %w", err)
	}
	return list, nil
}

// RestoreWiki takes DeleteWiki back, for the owner. Tokens stay revoked.
func (s *Service) RestoreWiki(ctx context.Context, caller wiki.Caller, slug string) error {
	if err := mayManage(caller); err != nil {
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
		return wiki.Problemf(wiki.ErrInvalid, "", "Your account is being deleted, and the wiki with it. Keep the account, and the wiki comes back.")
	}
	if err := s.store.ScheduleDeletion(ctx, caller.User.DID, slug, time.Time{}); err != nil {
		return fmt.Errorf("tenant: restore wiki: %w", err)
	}
	return nil
}

// mayManage is for what concerns a person rather than one wiki.
func mayManage(caller wiki.Caller) error {
	switch {
	case caller.User.DID == "":
		return wiki.Problemf(wiki.ErrDenied, "", "Sign in first.")
	case caller.ReadOnly || caller.Wiki != "":
		return wiki.Problemf(wiki.ErrDenied, "", "This token may only read.")
	}
	return nil
}

// DeleteAccount ends all sessions and tokens of a person and closes their wiki;
// both are purged when the grace is over. confirm is their username, typed, or
// their handle.
func (s *Service) DeleteAccount(ctx context.Context, caller wiki.Caller, confirm string) error {
	if err := mayManage(caller); err != nil {
		return err
	}
	want := AccountWord(caller.User)
	if !strings.EqualFold(strings.TrimPrefix(strings.TrimSpace(confirm), "@"), want) {
		return wiki.Problemf(wiki.ErrInvalid, "confirm", "Type %q to delete your account. Nothing was deleted.", want)
	}
	err := s.store.ScheduleUserDeletion(ctx, caller.User.DID, s.now().Add(Grace))
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrExists, "", "Your account is being deleted already.")
	}
	if err != nil {
		return fmt.Errorf("tenant: delete account: %w", err)
	}
	return nil
}

// AccountWord is what a person types to delete their account.
func AccountWord(u wiki.User) string {
	if u.Username != "" {
		return u.Username
	}
	return u.Handle
}

// AccountPurgeTime is when a person's account will be purged; zero if it will not.
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

// KeepAccount takes DeleteAccount back, for the wiki as well.
func (s *Service) KeepAccount(ctx context.Context, caller wiki.Caller) error {
	if err := mayManage(caller); err != nil {
		return err
	}
	err := s.store.KeepUser(ctx, caller.User.DID)
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrNotFound, "", "Your account is not being deleted.")
	}
	if err != nil {
		return fmt.Errorf("tenant: keep account: %w", err)
	}
	return nil
}

// Sweep purges the wikis and accounts whose grace is over. What fails is tried
// again by the next one.
func (s *Service) Sweep(ctx context.Context) error {
	sites, err := s.store.DueSites(ctx)
	if err != nil {
		return fmt.Errorf("tenant: sweep: %w", err)
	}
	var errs []error
	for _, e := range sites {
		errs = append(errs, s.purge(ctx, e))
	}
	users, err := s.store.DueUsers(ctx)
	errs = append(errs, err)
	for _, u := range users {
		errs = append(errs, s.purgeUser(ctx, u.DID))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("tenant: sweep: %w", err)
	}
	return nil
}

// purgeUser removes an account, and first what others' wikis keep for it
// besides its commits.
func (s *Service) purgeUser(ctx context.Context, did string) error {
	slugs, err := s.store.WikisEverOf(ctx, did)
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
		err = w.Forget(ctx, did)
		release()
		if err != nil {
			return err
		}
	}
	return s.store.PurgeUser(ctx, did, s.holder(did))
}

// purge removes the files before the row: until that is gone as well nobody
// comes in, and nobody gets the name.
func (s *Service) purge(ctx context.Context, e PendingDeletion) error {
	if s.forget != nil {
		if err := s.forget(ctx, e.Slug); err != nil {
			return err
		}
	}
	if err := s.content.Delete(ctx, e.Slug); err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return err
	}
	return s.store.PurgeSite(ctx, e.Slug, s.holder(e.DID))
}

// holder is how a former name remembers whose it was.
func (s *Service) holder(did string) []byte {
	mac := hmac.New(sha256.New, s.nameKey)
	mac.Write([]byte(did))
	return mac.Sum(nil)
}
