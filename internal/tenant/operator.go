package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// A Notice tells an owner what the operator did to their wiki.
type Notice struct {
	Time time.Time
	Text string // a sentence
}

// noticePeriod is how long owners see notices.
const noticePeriod = 90 * 24 * time.Hour

var errOperator = wiki.Problemf(wiki.ErrDenied, "", "Only the operator can do that.")

var errHelp = wiki.Problemf(wiki.ErrDenied, "", "The help wiki is part of the program and can't be suspended or deleted. To hide one of its pages, use robot admin takedown.")

// CheckPerson refuses to suspend or delete the owner of the help wiki, who isn't a
// person.
func (s *Service) CheckPerson(u wiki.User) error {
	if u.Username == wiki.HelpSlug {
		return errHelp
	}
	return nil
}

// ReviveHelp undoes suspensions and deletions of the help wiki that older versions
// allowed.
func (s *Service) ReviveHelp(ctx context.Context) error {
	return s.store.ReviveSite(ctx, wiki.HelpSlug)
}

func errSuspended(why string) error {
	message := "This wiki was suspended by the operator. Its content hasn't changed."
	if why != "" {
		message += " Reason: " + why
	}
	return wiki.Problemf(wiki.ErrSuspended, "", "%s", message)
}

// Suspend closes a wiki on every front end at once. Members see why.
func (s *Service) Suspend(ctx context.Context, a wiki.Access, why string) error {
	if !a.Caller().Operator {
		return errOperator
	}
	if a.Site().Slug == wiki.HelpSlug {
		return errHelp
	}
	err := s.store.SuspendSite(ctx, a.Site().Slug, strings.TrimSpace(why))
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrExists, "", "%s is already suspended.", a.Site().Slug)
	}
	return err
}

// Resume undoes Suspend.
func (s *Service) Resume(ctx context.Context, a wiki.Access) error {
	if !a.Caller().Operator {
		return errOperator
	}
	err := s.store.ResumeSite(ctx, a.Site().Slug)
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrNotFound, "", "%s isn't suspended.", a.Site().Slug)
	}
	return err
}

// SetLimits overrides a wiki's limits; 0 means the default.
func (s *Service) SetLimits(ctx context.Context, a wiki.Access, l wiki.Limits) error {
	if !a.Caller().Operator {
		return errOperator
	}
	return s.store.SetLimits(ctx, store.Operator, a.Site().Slug, l)
}

// OwnLimits returns a wiki's overrides; 0 means the default.
func (s *Service) OwnLimits(ctx context.Context, a wiki.Access) (wiki.Limits, error) {
	row, err := s.store.Site(ctx, a.Site().Slug)
	if err != nil {
		return wiki.Limits{}, fmt.Errorf("tenant: limits: %w", err)
	}
	return row.Limits, nil
}

// Remove deletes a wiki: at once and permanently, or after Grace.
func (s *Service) Remove(ctx context.Context, a wiki.Access, now bool) error {
	if !a.Caller().Operator {
		return errOperator
	}
	if a.Site().Slug == wiki.HelpSlug {
		return errHelp
	}
	if !now {
		err := s.store.ScheduleDeletion(ctx, store.Operator, a.Site().Slug, s.now().Add(Grace))
		if errors.Is(err, wiki.ErrNotFound) {
			return wiki.Problemf(wiki.ErrExists, "", "%s is already scheduled for deletion.", a.Site().Slug)
		}
		return err
	}
	if err := s.store.ScheduleDeletionNow(ctx, a.Site().Slug); err != nil {
		return err
	}
	return s.purge(ctx, PendingDeletion{Slug: a.Site().Slug, DID: a.Site().OwnerDID})
}

// Reinstate restores the row of a deleted wiki from a backup, for the
// operator. It does nothing if the wiki exists. Restoring the content is up
// to the caller, who calls Undo if that fails.
func (s *Service) Reinstate(ctx context.Context, caller wiki.Caller, was store.Site) (r Reinstated, err error) {
	if !caller.Operator {
		return r, errOperator
	}
	if _, err := s.store.Site(ctx, was.Slug); err == nil || !errors.Is(err, wiki.ErrNotFound) {
		return r, err
	}
	r.Left, err = s.store.ReinstateSite(ctx, was, s.holderHash(was.OwnerDID), s.maxWikis)
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return r, wiki.Problemf(wiki.ErrNotFound, "", "The owner of %s (%s) no longer has an account. After they sign in again, %s can be restored.", was.Slug, was.OwnerDID, was.Slug)
	case errors.Is(err, wiki.ErrQuota):
		return r, wiki.Problemf(wiki.ErrQuota, "", "The owner of %s now has another wiki.", was.Slug)
	case errors.Is(err, wiki.ErrExists):
		return r, wiki.Problemf(wiki.ErrExists, "", "The name %s now belongs to another user, or its owner has another username.", was.Slug)
	case err != nil:
		return r, err
	}
	r.Added = true
	r.Undo = func(ctx context.Context) error { return s.store.DropSite(ctx, was.Slug) }
	return r, nil
}

// Reinstated is the result of Reinstate.
type Reinstated struct {
	Added bool                            // the row was missing
	Left  []string                        // DIDs of former members without an account
	Undo  func(ctx context.Context) error // nil if nothing was added
}

// Notices lists what the operator did in the last 90 days to the wikis that
// a person owns, newest first, and which wikis changed hands.
func (s *Service) Notices(ctx context.Context, did string) ([]Notice, error) {
	slugs, err := s.store.SitesOf(ctx, did)
	if err != nil {
		return nil, fmt.Errorf("tenant: notices: %w", err)
	}
	var all []Notice
	for _, slug := range slugs {
		row, err := s.store.Site(ctx, slug)
		if err != nil {
			continue
		}
		handed, err := s.transferNotices(ctx, slug, did)
		if err != nil {
			return nil, fmt.Errorf("tenant: notices: %w", err)
		}
		all = append(all, handed...)
		if row.OwnerDID != did {
			continue
		}
		moved, err := s.movedNotices(ctx, slug)
		if err != nil {
			return nil, fmt.Errorf("tenant: notices: %w", err)
		}
		all = append(all, moved...)
		events, err := s.store.OperatorEvents(ctx, slug, s.now().Add(-noticePeriod))
		if err != nil {
			return nil, fmt.Errorf("tenant: notices: %w", err)
		}
		for _, e := range events {
			if text := eventText(e); text != "" {
				all = append(all, Notice{e.Time, text})
			}
		}
	}
	return all, nil
}

// eventText describes an entry of the audit log to an owner, or is "" if it
// doesn't concern them.
func eventText(e store.Event) string {
	name, why, _ := strings.Cut(e.Detail, ": ")
	domain, until, _ := strings.Cut(e.Detail, " ")
	text := map[string]string{
		"site.suspend":  e.Slug + " was suspended and is closed to everyone.",
		"site.resume":   e.Slug + " is open again.",
		"site.limits":   "The limits of " + e.Slug + " were changed.",
		"site.end":      e.Slug + " was deleted.",
		"site.recover":  e.Slug + " was restored from a backup: it is " + e.Detail + ".",
		"page.withhold": name + " can't be shown in any version, for legal reasons. You can delete the page or write a new one.",
		"page.release":  name + " can be shown again.",
		"domain.lost":   domain + " doesn't point here any more, so " + e.Slug + " is shown at its usual address. Unless you correct the DNS, the domain will be disconnected on " + until + ".",
		"domain.found":  domain + " points here again.",
		"webhook.stop":  "A webhook of " + e.Slug + " was stopped, because nothing could be delivered to it. See the settings, under Webhooks.",
		"domain.drop":   domain + " was disconnected from " + e.Slug + ", because it didn't point here for seven days. It is kept for you for 30 days.",
	}[e.Action]
	switch {
	case e.Action == "site.suspend" && e.Detail != "":
		text += " Reason: " + e.Detail
	case e.Action == "page.withhold" && why != "":
		text += " Reason: " + why
	}
	return text
}

// RemovePerson deletes an account with its wiki: at once and permanently, or
// after Grace.
func (s *Service) RemovePerson(ctx context.Context, caller wiki.Caller, did string, now bool) error {
	if !caller.Operator {
		return errOperator
	}
	u, err := s.store.User(ctx, did)
	if err == nil {
		err = s.CheckPerson(u)
	}
	if err != nil {
		return err
	}
	at := s.now().Add(Grace)
	if now {
		at = s.now().Add(-time.Millisecond)
	}
	err = s.store.RemoveUser(ctx, did, at)
	if err != nil || !now {
		return err
	}
	return s.Sweep(ctx)
}
