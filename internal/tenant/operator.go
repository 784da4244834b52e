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

// noticesFor is how long an owner is shown what the operator did.
const noticesFor = 90 * 24 * time.Hour

var errOperator = wiki.Problemf(wiki.ErrDenied, "", "Only who runs this service may do that.")

func suspended(why string) error {
	message := "This wiki was suspended by who runs this service. Nothing in it was changed."
	if why != "" {
		message += " They say: " + why
	}
	return wiki.Problemf(wiki.ErrSuspended, "", "%s", message)
}

// Suspend closes a wiki on every door at once; why is told to its members.
func (s *Service) Suspend(ctx context.Context, a wiki.Access, why string) error {
	if !a.Caller().Operator {
		return errOperator
	}
	err := s.store.SuspendSite(ctx, a.Site().Slug, strings.TrimSpace(why))
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrExists, "", "%s is suspended already.", a.Site().Slug)
	}
	return err
}

// Resume takes Suspend back.
func (s *Service) Resume(ctx context.Context, a wiki.Access) error {
	if !a.Caller().Operator {
		return errOperator
	}
	err := s.store.ResumeSite(ctx, a.Site().Slug)
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrNotFound, "", "%s is not suspended.", a.Site().Slug)
	}
	return err
}

// SetLimits overrides limits of a wiki; what is 0 follows the service's own.
func (s *Service) SetLimits(ctx context.Context, a wiki.Access, l wiki.Limits) error {
	if !a.Caller().Operator {
		return errOperator
	}
	return s.store.SetLimits(ctx, store.Operator, a.Site().Slug, l)
}

// OwnLimits are a wiki's overrides: 0 where the service's own count.
func (s *Service) OwnLimits(ctx context.Context, a wiki.Access) (wiki.Limits, error) {
	row, err := s.store.Site(ctx, a.Site().Slug)
	if err != nil {
		return wiki.Limits{}, fmt.Errorf("tenant: limits: %w", err)
	}
	return row.Limits, nil
}

// Remove deletes a wiki: at once and for good, or with the grace that an owner
// has.
func (s *Service) Remove(ctx context.Context, a wiki.Access, now bool) error {
	if !a.Caller().Operator {
		return errOperator
	}
	if !now {
		err := s.store.ScheduleDeletion(ctx, store.Operator, a.Site().Slug, s.now().Add(Grace))
		if errors.Is(err, wiki.ErrNotFound) {
			return wiki.Problemf(wiki.ErrExists, "", "%s is being deleted already.", a.Site().Slug)
		}
		return err
	}
	if err := s.store.ScheduleDeletionNow(ctx, a.Site().Slug); err != nil {
		return err
	}
	return s.purge(ctx, PendingDeletion{Slug: a.Site().Slug, DID: a.Site().OwnerDID})
}

// Reinstate adds the row of a wiki that is no more, as a backup has it, for the
// operator; left are the DIDs of members who are not known here any more. It
// does nothing when the wiki is there. The wiki's content is the caller's
// business: Undo takes the row back when there is none after all.
func (s *Service) Reinstate(ctx context.Context, caller wiki.Caller, was store.Site) (r Reinstated, err error) {
	if !caller.Operator {
		return r, errOperator
	}
	if _, err := s.store.Site(ctx, was.Slug); err == nil || !errors.Is(err, wiki.ErrNotFound) {
		return r, err
	}
	r.Left, err = s.store.ReinstateSite(ctx, was, s.holder(was.OwnerDID), WikisEach)
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return r, wiki.Problemf(wiki.ErrNotFound, "", "The owner of %s (%s) has no account here any more. Once they have signed in again, %s can be restored.", was.Slug, was.OwnerDID, was.Slug)
	case errors.Is(err, wiki.ErrQuota):
		return r, wiki.Problemf(wiki.ErrQuota, "", "The owner of %s has another wiki by now.", was.Slug)
	case errors.Is(err, wiki.ErrExists):
		return r, wiki.Problemf(wiki.ErrExists, "", "The name %s is somebody else's by now, or its owner is called otherwise.", was.Slug)
	case err != nil:
		return r, err
	}
	r.Added = true
	r.Undo = func(ctx context.Context) error { return s.store.DropSite(ctx, was.Slug) }
	return r, nil
}

// Reinstated is what Reinstate did.
type Reinstated struct {
	Added bool // the row was not there
	Left  []string
	Undo  func(ctx context.Context) error // nil where nothing was added
}

// Notices are what the operator did to the wikis that a person owns, in the last
// 90 days, newest first.
func (s *Service) Notices(ctx context.Context, did string) ([]Notice, error) {
	slugs, err := s.store.SitesOf(ctx, did)
	if err != nil {
		return nil, fmt.Errorf("tenant: notices: %w", err)
	}
	var all []Notice
	for _, slug := range slugs {
		row, err := s.store.Site(ctx, slug)
		if err != nil || row.OwnerDID != did {
			continue
		}
		events, err := s.store.OperatorEvents(ctx, slug, s.now().Add(-noticesFor))
		if err != nil {
			return nil, fmt.Errorf("tenant: notices: %w", err)
		}
		for _, e := range events {
			if text := inWords(e); text != "" {
				all = append(all, Notice{e.Time, text})
			}
		}
	}
	return all, nil
}

// inWords tells an owner of an entry of the audit log; "" for what changes
// nothing for them.
func inWords(e store.Event) string {
	name, why, _ := strings.Cut(e.Detail, ": ")
	text := map[string]string{
		"site.suspend":  e.Slug + " was suspended: it is closed to everybody.",
		"site.resume":   e.Slug + " is open again.",
		"site.limits":   "The limits of " + e.Slug + " were changed.",
		"site.end":      e.Slug + " was deleted.",
		"site.recover":  e.Slug + " was put back from a backup: it is " + e.Detail + ".",
		"page.withhold": name + " may not be shown any more, in none of its versions, for legal reasons. You can delete the page or write another.",
		"page.release":  name + " may be shown again.",
	}[e.Action]
	switch {
	case e.Action == "site.suspend" && e.Detail != "":
		text += " The reason given: " + e.Detail
	case e.Action == "page.withhold" && why != "":
		text += " The reason given: " + why
	}
	return text
}

// RemovePerson deletes an account with its wiki: at once and for good, or with
// the grace that people have.
func (s *Service) RemovePerson(ctx context.Context, caller wiki.Caller, did string, now bool) error {
	if !caller.Operator {
		return errOperator
	}
	at := s.now().Add(Grace)
	if now {
		at = s.now().Add(-time.Millisecond)
	}
	err := s.store.RemoveUser(ctx, did, at)
	if err != nil || !now {
		return err
	}
	return s.Sweep(ctx)
}
