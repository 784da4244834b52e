// Package oauth is the authorization server of all wikis (OAuth 2.1): it lets
// programs act in a person's name in one wiki, after asking them.
//
// A client describes itself by a document at an address that is its id (client
// ID metadata document), or registers (RFC 7591). It sends a browser here, the
// person agrees on the consent page, which package web shows, and the client
// exchanges the code it gets, with PKCE (RFC 7636, S256 alone), for an access
// token (RFC 9068) and a refresh token. What the person agreed to is a grant: one
// person, one client, one wiki, reading or writing. Tokens are worth what the
// grant is worth at the moment of a call, which package session looks up.
//
// The endpoints here read no cookies, answer any origin (CORS) and know nothing
// of which wikis exist: every answer about a wiki is made from its name alone.
// Who has a say in a wiki is looked at when somebody agrees, and on each call.
//
// Only hashes of codes, tokens and secrets are stored.
package oauth

import (
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"robot.wtf/internal/session"
	"robot.wtf/internal/store"
	"robot.wtf/internal/tenant"
)

// How long things live.
const (
	AccessLifetime  = 7 * 24 * time.Hour   // of an access token, unless Options say otherwise
	RefreshLifetime = 30 * 24 * time.Hour  // of a refresh token that is not used
	GrantLifetime   = 180 * 24 * time.Hour // of a grant, whatever is refreshed
	refreshGrace    = 30 * time.Minute     // in which a refresh token can be used again: clients race
	requestLifetime = time.Hour            // of a request: signing in and choosing a name lie between
	codeLifetime    = 5 * time.Minute      // RFC 6749, section 4.1.2: at most ten
	unusedLifetime  = 7 * 24 * time.Hour   // of a client without a grant
)

// Bounds.
const (
	grantsEach   = 20     // of one person, client and wiki: beyond it the oldest ends
	unusedMost   = 20_000 // registrations, documents and requests that nobody has agreed to yet, after a sweep
	maxForm      = 16 << 10
	maxDocument  = 5 << 10 // bytes of a client's document
	documentTime = 5 * time.Second
	fetchesMost  = 16 // documents fetched at one time
)

// Options of a Service.
type Options struct {
	Store   *store.DB
	Session *session.Service
	Tenant  *tenant.Service
	// WikiOrigin gives the origin of a wiki's host.
	WikiOrigin func(slug string) string
	// Outbound fetches clients' documents: outbound.New. Its redirects are not
	// followed.
	Outbound *http.Client
	// Take takes what a registration or a request for consent costs of an
	// address's rate limit, or fetching a document of a host's; nil for none.
	// host is "" for the first two.
	Take func(remote, host string) error
	// Failed is told of each failure, for monitors: the endpoint ("token") and a
	// cause that holds nothing that anybody sent; may be nil.
	Failed func(endpoint, cause string)
	// Access is the lifetime of access tokens, AccessLifetime when 0.
	Access time.Duration
	Now    func() time.Time
	Log    *slog.Logger
}

// A Service is the authorization server.
type Service struct {
	o         Options
	issuer    string // origin of the platform
	host      string // "robot.wtf", with the port where there is one
	name      string // without
	routes    map[string]Route
	documents documents
}

// New makes a Service.
func New(o Options) (*Service, error) {
	if o.Access == 0 {
		o.Access = AccessLifetime
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Failed == nil {
		o.Failed = func(string, string) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{o: o, issuer: o.Session.Issuer(), routes: map[string]Route{}}
	origin, err := url.Parse(s.issuer)
	if err != nil {
		return nil, err
	}
	s.host, s.name = origin.Host, origin.Hostname()
	s.documents.client = documentClient(o.Outbound)
	s.documents.slots = make(chan struct{}, fetchesMost)
	for _, route := range Routes {
		s.routes[route.Path] = route
	}
	return s, nil
}

// own reports whether a host name is of this service.
func (s *Service) own(host string) bool {
	host = strings.ToLower(host)
	return host == s.name || strings.HasSuffix(host, "."+s.name)
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
