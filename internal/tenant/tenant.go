// Package tenant creates, configures and deletes sites, manages their
// members, and decides the rights of each caller. Content belongs to package
// content, identity to packages session and atproto.
//
// Invariant: Resolve is the only place that creates a wiki.Access, so
// holding one proves that the wiki exists and the caller's role is known. To
// a stranger, a private wiki looks the same as a missing one.
package tenant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/content"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// Options of a Service.
type Options struct {
	Store   *store.DB
	Content *content.Pool
	// WikisPerPerson is how many wikis a person can own; 0 means 1.
	WikisPerPerson int
	Contact        string      // how to reach the operator, or ""
	Limits         wiki.Limits // of wikis without overrides; 0 means wiki.DefaultLimits
	People         Directory   // resolves the people that owners invite; nil disables invitations
	// NameKey is the HMAC key that former names are stored with. If it
	// changes, nobody can reclaim a former name.
	NameKey []byte
	Signup  Signup // the policy for new wikis
	// Local permits local identities, which sign in by links from the owner; see
	// NewSignInLink. The operator of a service for others leaves it off.
	Local bool
	// Names looks up the DNS names of own domains, which point to the service's Host. If
	// it is nil, there are none.
	Names Names
	Host  string
	// OwnDomains lets owners connect new ones.
	OwnDomains bool
	// Forget deletes derived data of a purged wiki; can be nil.
	Forget func(ctx context.Context, slug string) error
	// Reported is called for each report by a reader; can be nil.
	Reported   func(slug, reason string)
	Background *background.Workers // sets wikis and accounts aside that it can't purge; nil only recovers from panics
	Now        func() time.Time    // nil means time.Now
	Log        *slog.Logger
}

// A Directory resolves handles and DIDs to people.
type Directory interface {
	// Find returns the DID and current handle of the account that a typed
	// handle or DID names, verified in both directions. If there is none,
	// it fails with a Problem. asker is the DID of the person who asks, who
	// the lookup is counted against.
	Find(ctx context.Context, asker, name string) (wiki.User, error)
	// Declared returns the handle that an account declares, which isn't verified, or
	// "". The lookup is counted against asker.
	Declared(ctx context.Context, asker, did string) (string, error)
	// Publication returns the address in an account's record of the collection
	// PublicationCollection. The lookup is counted against asker.
	Publication(ctx context.Context, asker, did, key string) (address string, err error)
}

// PublicationCollection holds the records of publications (standard.site).
const PublicationCollection = "site.standard.publication"

// A Service manages all sites.
type Service struct {
	store      *store.DB
	content    *content.Pool
	limits     wiki.Limits
	maxWikis   int // per person
	contact    string
	people     Directory
	nameKey    []byte
	signup     Signup
	local      bool
	names      Names // nil without own domains
	ownDomains bool  // owners can connect new ones
	host       string
	lookingUp  chan struct{} // slots for domains that owners have looked at
	creating   sync.Mutex    // held while a new wiki is counted and added
	forget     func(ctx context.Context, slug string) error
	reported   func(slug, reason string)
	background *background.Workers
	now        func() time.Time
	log        *slog.Logger
}

// New returns a Service.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Reported == nil {
		o.Reported = func(string, string) {}
	}
	return &Service{
		reported:   o.Reported,
		store:      o.Store,
		content:    o.Content,
		maxWikis:   max(1, o.WikisPerPerson),
		contact:    o.Contact,
		limits:     fillLimits(o.Limits, wiki.DefaultLimits),
		people:     o.People,
		nameKey:    o.NameKey,
		signup:     o.Signup,
		local:      o.Local,
		names:      o.Names,
		ownDomains: o.OwnDomains && o.Names != nil,
		host:       o.Host,
		lookingUp:  make(chan struct{}, maxDNS),
		forget:     o.Forget,
		background: o.Background,
		now:        o.Now,
		log:        o.Log,
	}
}

// Resolve returns the caller's access to a wiki. It is the only place that
// creates a wiki.Access. It fails with the same ErrNotFound for a missing
// wiki and for a private one that the caller isn't a member of. For sites
// seen before it needs no SQL.
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
		if role < wiki.Viewer { // hide it from others
			return wiki.Access{}, errNoWiki
		}
		return wiki.Access{}, errSuspended(row.Why)
	}
	site := row.Site
	site.Limits, site.Contact = fillLimits(site.Limits, s.limits), s.contact
	return wiki.NewAccess(site, site.LimitAgent(caller), role), nil
}

// Limits returns those of wikis without their own, and how many wikis a person can own.
func (s *Service) Limits() (wiki.Limits, int) { return s.limits, s.maxWikis }

// errNoWiki has the same text for every wiki that the caller can't see.
var errNoWiki = wiki.Problemf(wiki.ErrNotFound, "", "This wiki doesn't exist, or it is private and you aren't a member.")

func roleOf(row *store.Site, caller wiki.Caller) wiki.Role {
	switch {
	case caller.Operator:
		return wiki.Owner
	case !row.PurgeAt.IsZero(): // closed; its owner can restore it
		return wiki.NoRole
	case caller.Wiki != "" && caller.Wiki != row.Slug: // a credential for one wiki works for no other, not even a public one
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
	if own.Files == 0 {
		own.Files = defaults.Files
	}
	own.Files = max(own.Files, own.Pages)
	if own.Members == 0 {
		own.Members = defaults.Members
	}
	fill(&own.CurrentBytes, defaults.CurrentBytes)
	fill(&own.HistoryBytes, defaults.HistoryBytes)
	fill(&own.PageBytes, defaults.PageBytes)
	fill(&own.AttachmentBytes, defaults.AttachmentBytes)
	return own
}

// Sites lists the wikis that a person owns or is a member of, their own
// first.
func (s *Service) Sites(ctx context.Context, did string) ([]wiki.Access, error) {
	return s.sitesOf(ctx, did, false)
}

func (s *Service) sitesOf(ctx context.Context, did string, readOnly bool) ([]wiki.Access, error) {
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
		access, err := s.Resolve(ctx, slug, wiki.Caller{User: user, ReadOnly: readOnly})
		if errors.Is(err, wiki.ErrNotFound) || errors.Is(err, wiki.ErrSuspended) {
			continue // removed or suspended meanwhile
		}
		if err != nil {
			return nil, err
		}
		if access.Role() < wiki.Viewer {
			continue // a public wiki of an account scheduled for deletion
		}
		sites = append(sites, access)
	}
	return sites, nil
}

// PublicSites lists public wikis, for the landing page in development mode.
func (s *Service) PublicSites(ctx context.Context) ([]wiki.Site, error) {
	slugs, err := s.store.PublicSites(ctx)
	if err != nil {
		return nil, fmt.Errorf("tenant: public sites: %w", err)
	}
	var sites []wiki.Site
	for _, slug := range slugs {
		access, err := s.Resolve(ctx, slug, wiki.Caller{})
		if errors.Is(err, wiki.ErrNotFound) {
			continue // made private meanwhile
		}
		if err != nil {
			return nil, err
		}
		sites = append(sites, access.Site())
	}
	return sites, nil
}
