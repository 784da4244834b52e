package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"robot.wtf/internal/wiki"
)

// maxHandedOver bounds the wikis that one person can own, if others hand theirs to them.
const maxHandedOver = 10

// Offer offers the caller's wiki to a member, who becomes its owner by accepting it, or
// withdraws an offer if did is "".
func (s *Service) Offer(ctx context.Context, a wiki.Access, did string) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	site := a.Site()
	switch {
	case site.Slug == wiki.HelpSlug:
		return errHelp
	case did == site.OwnerDID:
		return wiki.Problemf(wiki.ErrInvalid, "member", "They own the wiki already.")
	}
	err := s.store.OfferSite(ctx, actor(a), site.Slug, site.OwnerDID, did)
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrNotFound, "member", "You can hand the wiki only to a member. Add them first.")
	}
	if err != nil {
		return fmt.Errorf("tenant: offer a wiki: %w", err)
	}
	return nil
}

// Offered returns the member whom a wiki is offered to; the zero user if it isn't.
func (s *Service) Offered(ctx context.Context, a wiki.Access) (wiki.User, error) {
	if a.Role() != wiki.Owner {
		return wiki.User{}, a.Allow(wiki.Configure)
	}
	did, err := s.store.OfferedTo(ctx, a.Site().Slug)
	if err != nil || did == "" {
		return wiki.User{}, err
	}
	return s.store.User(ctx, did)
}

// Offers lists the wikis that are offered to a person, as far as they can still accept
// them.
func (s *Service) Offers(ctx context.Context, caller wiki.Caller) ([]wiki.Access, error) {
	slugs, err := s.store.OffersTo(ctx, caller.User.DID)
	if err != nil {
		return nil, fmt.Errorf("tenant: list offers: %w", err)
	}
	var list []wiki.Access
	for _, slug := range slugs {
		if a, err := s.Resolve(ctx, slug, caller); err == nil && a.Role() >= wiki.Viewer {
			list = append(list, a)
		}
	}
	return list, nil
}

// Accept makes the caller the owner of a wiki that is offered to them. Its name,
// address and members stay; the former owner becomes an editor, and their tokens and
// agents of the wiki end.
func (s *Service) Accept(ctx context.Context, caller wiki.Caller, slug string) error {
	if err := checkAccountAccess(caller); err != nil {
		return err
	}
	err := s.store.AcceptSite(ctx, slug, caller.User.DID, max(maxHandedOver, s.maxWikis))
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return errNoOffer
	case errors.Is(err, wiki.ErrQuota):
		return wiki.Site{Contact: s.contact}.AskForMore(wiki.Problemf(wiki.ErrQuota, "", "You own as many wikis as one person can. Delete one, or hand it to someone else, and accept this one then."))
	case err != nil:
		return fmt.Errorf("tenant: accept a wiki: %w", err)
	}
	return nil
}

// Decline refuses a wiki that is offered to the caller.
func (s *Service) Decline(ctx context.Context, caller wiki.Caller, slug string) error {
	if err := checkAccountAccess(caller); err != nil {
		return err
	}
	err := s.store.DeclineSite(ctx, slug, caller.User.DID)
	if errors.Is(err, wiki.ErrNotFound) {
		return errNoOffer
	}
	if err != nil {
		return fmt.Errorf("tenant: decline a wiki: %w", err)
	}
	return nil
}

// errNoOffer has the same text for every wiki, so that it tells strangers nothing.
var errNoOffer = wiki.Problemf(wiki.ErrNotFound, "slug", "This wiki isn't offered to you any more. Ask its owner to offer it again.")

// transferNotices says to a former and to a new owner that a wiki changed hands.
func (s *Service) transferNotices(ctx context.Context, slug, did string) ([]Notice, error) {
	events, err := s.store.Transfers(ctx, slug, s.now().Add(-noticePeriod))
	var list []Notice
	for _, e := range events {
		from, to, _ := strings.Cut(e.Detail, " ")
		name := func(did string) string { return s.Author(ctx, wiki.Author{DID: did}).Display() }
		switch {
		case from == did:
			list = append(list, Notice{e.Time, fmt.Sprintf("%s belongs to %s now. Your tokens and agents there have ended.", slug, name(to))})
		case to == did && e.Actor == wiki.OperatorName:
			list = append(list, Notice{e.Time, fmt.Sprintf("The operator made you the owner of %s.", slug)})
		case to == did:
			list = append(list, Notice{e.Time, fmt.Sprintf("You own %s now. %s handed it to you.", slug, name(from))})
		}
	}
	return list, err
}

// Transfer makes a person the owner of a wiki whose owner has lost their account. The
// former owner loses access. Only the operator can do that.
func (s *Service) Transfer(ctx context.Context, a wiki.Access, did string) error {
	switch {
	case !a.Caller().Operator:
		return errOperator
	case a.Site().Slug == wiki.HelpSlug:
		return errHelp
	case !wiki.IsPersonID(did) || strings.ContainsAny(did, " \t\n"):
		return wiki.Problemf(wiki.ErrInvalid, "", "%q is not a DID, such as did:plc:….", did)
	}
	err := s.store.TransferSite(ctx, a.Site().Slug, did)
	switch {
	case errors.Is(err, wiki.ErrExists):
		return wiki.Problemf(wiki.ErrExists, "", "%s owns %s already.", did, a.Site().Slug)
	case errors.Is(err, wiki.ErrDenied):
		return wiki.Problemf(wiki.ErrDenied, "", "The account of %s is being deleted. They can keep it by signing in.", did)
	case err != nil:
		return fmt.Errorf("tenant: transfer: %w", err)
	}
	return nil
}
