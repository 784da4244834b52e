// Package tenant creates, configures and deletes sites, and says who may do
// what in them.
package tenant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// WikisEach is how many wikis a person may own.
const WikisEach = 1

// Options of a Service.
type Options struct {
	Store   *store.DB
	Content *content.Pool
	Limits  wiki.Limits // of wikis without their own; what is 0 is as in wiki.DefaultLimits
	People  Directory   // finds whom owners invite; without one nobody can be invited
	// NameKey is the secret of the keyed hashes that former names are kept
	// with. Another key would give no name back to who had it.
	NameKey []byte
	// Forget drops what is derived from a wiki that is purged; may be nil.
	Forget func(ctx context.Context, slug string) error
	// Reported is told of each report of a reader's; may be nil.
	Reported func(slug, reason string)
	Now      func() time.Time // time.Now when nil
	Log      *slog.Logger
}

// A Directory finds people by what others call them.
type Directory interface {
	// Find gives DID and current handle of the account that a handle or a DID
	// names, as people type them; the handle must lead to the account and back.
	// A Problem says why nobody was found.
	Find(ctx context.Context, name string) (wiki.User, error)
}

// A Service answers for all sites.
type Service struct {
	store    *store.DB
	content  *content.Pool
	limits   wiki.Limits
	people   Directory
	nameKey  []byte
	forget   func(ctx context.Context, slug string) error
	reported func(slug, reason string)
	now      func() time.Time
	log      *slog.Logger
}

// New makes a Service.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Reported == nil {
		o.Reported = func(string, string) {}
	}
	return &Service{
		reported: o.Reported,
		store:    o.Store,
		content:  o.Content,
		limits:   fillLimits(o.Limits, wiki.DefaultLimits),
		people:   o.People,
		nameKey:  o.NameKey,
		forget:   o.Forget,
		now:      o.Now,
		log:      o.Log,
	}
}

// Resolve gives the caller's access to the wiki of a slug. It is the only maker
// of wiki.Access. A wiki that does not exist and a private one that the caller
// is no member of fail alike, with ErrNotFound. It reads memory for sites that
// were seen before.
func (s *Service) Resolve(ctx context.Context, slug string, caller wiki.Caller) (wiki.Access, error) {
	row, err := s.store.Site(ctx, slug)
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Access{}, errNoWiki
	}
	if err != nil {
		return wiki.Access{}, fmt.Errorf("tenant: resolve: %w", err)
	}
	role := roleOf(row, caller)
	if role == wiki.NoRole {
		return wiki.Access{}, errNoWiki
	}
	if !row.Suspended.IsZero() && !caller.Operator {
		if role < wiki.Viewer { // to others it is not there
			return wiki.Access{}, errNoWiki
		}
		return wiki.Access{}, suspended(row.Why)
	}
	site := row.Site
	site.Limits = fillLimits(site.Limits, s.limits)
	return wiki.NewAccess(site, caller, role), nil
}

// errNoWiki says the same, to the letter, of every wiki that is out of reach.
var errNoWiki = wiki.Problemf(wiki.ErrNotFound, "", "There is no such wiki here, or it is private and you are not one of its members.")

func roleOf(row *store.Site, caller wiki.Caller) wiki.Role {
	switch {
	case caller.Operator:
		return wiki.Owner
	case !row.PurgeAt.IsZero(): // closed on every door; its owner can restore it
		return wiki.NoRole
	case caller.Wiki != "" && caller.Wiki != row.Slug: // a credential for one wiki opens no other, not even a public one
		return wiki.NoRole
	}
	role := wiki.NoRole
	if did := caller.User.DID; did != "" && !caller.User.Suspended {
		role = row.Roles[did]
	}
	if role == wiki.NoRole && row.Public {
		return wiki.Reader
	}
	return role
}

func fillLimits(own, defaults wiki.Limits) wiki.Limits {
	fill := func(value *int64, otherwise int64) {
		if *value == 0 {
			*value = otherwise
		}
	}
	if own.Pages == 0 {
		own.Pages = defaults.Pages
	}
	if own.Members == 0 {
		own.Members = defaults.Members
	}
	fill(&own.CurrentBytes, defaults.CurrentBytes)
	fill(&own.HistoryBytes, defaults.HistoryBytes)
	fill(&own.PageBytes, defaults.PageBytes)
	fill(&own.AttachmentBytes, defaults.AttachmentBytes)
	return own
}

// Sites lists the wikis that a person owns or is a member of, own ones first.
func (s *Service) Sites(ctx context.Context, did string) ([]wiki.Access, error) {
	user, err := s.store.User(ctx, did)
	if err != nil {
		return nil, fmt.Errorf("tenant: sites: %w", err)
	}
	slugs, err := s.store.SitesOf(ctx, did)
	if err != nil {
		return nil, fmt.Errorf("tenant: sites: %w", err)
	}
	var sites []wiki.Access
	for _, slug := range slugs {
		access, err := s.Resolve(ctx, slug, wiki.Caller{User: user})
		if errors.Is(err, wiki.ErrNotFound) || errors.Is(err, wiki.ErrSuspended) {
			continue // removed since the list was read, or closed
		}
		if err != nil {
			return nil, err
		}
		if access.Role() < wiki.Viewer {
			continue // of an account that is being deleted, a public one
		}
		sites = append(sites, access)
	}
	return sites, nil
}

// PublicSites lists public wikis, for the landing page of a development service.
func (s *Service) PublicSites(ctx context.Context) ([]wiki.Site, error) {
	slugs, err := s.store.PublicSites(ctx)
	if err != nil {
		return nil, fmt.Errorf("tenant: public sites: %w", err)
	}
	var sites []wiki.Site
	for _, slug := range slugs {
		access, err := s.Resolve(ctx, slug, wiki.Caller{})
		if errors.Is(err, wiki.ErrNotFound) {
			continue // made private since the list was read
		}
		if err != nil {
			return nil, err
		}
		sites = append(sites, access.Site())
	}
	return sites, nil
}
