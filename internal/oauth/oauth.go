// Package oauth is the OAuth 2.1 authorization server for all wikis. It lets
// a program act in a person's name in one wiki, with that person's consent.
//
// A client identifies itself by the URL of a client ID metadata document, or
// registers (RFC 7591). It sends a browser here, the person decides on the
// consent page (shown by package web), and the client exchanges the
// authorization code, with PKCE (RFC 7636, S256 only), for an access token
// (RFC 9068) and a refresh token. The person's decision is stored as a
// grant: one person, one client, one wiki, read or write. Package session
// looks the grant up on each call, so a token never allows more than its
// grant does at that moment. The person is asked each time, even if the
// client already has a grant.
//
// Invariants: The endpoints read no cookies, answer any origin (CORS), and
// don't reveal which wikis exist: every answer about a wiki depends only on
// its name. Membership is checked when a person decides, and on each call.
// Only hashes of codes, tokens and secrets are stored.
package oauth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/session"
	"robot.wtf/internal/store"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// Lifetimes.
const (
	AccessLifetime  = 7 * 24 * time.Hour   // of an access token, by default
	RefreshLifetime = 30 * 24 * time.Hour  // of an unused refresh token
	GrantLifetime   = 180 * 24 * time.Hour // of a grant, even if it is refreshed
	refreshGrace    = 30 * time.Minute     // a rotated refresh token still works this long: clients race
	requestLifetime = time.Hour            // of a pending request: long enough to sign in and choose a username
	codeLifetime    = 5 * time.Minute      // at most 10 minutes by RFC 6749, section 4.1.2
	unusedLifetime  = 7 * 24 * time.Hour   // of a client without a grant
)

// Limits.
const (
	maxGrantsPerClient = 20     // per person, client and wiki; beyond it the oldest ends
	maxUnused          = 20_000 // registrations, documents and requests without a grant that survive a sweep, evenly by network or domain
	maxForm            = 16 << 10
	maxDocument        = 5 << 10 // of a client ID metadata document
	documentTimeout    = 5 * time.Second
	maxFetches         = 64 // concurrent document fetches
	maxFetchesEach     = 8  // for one address
)

// Options of a Service.
type Options struct {
	Store   *store.DB
	Session *session.Service
	Tenant  *tenant.Service
	// WikiOrigin returns the origin of a wiki's host.
	WikiOrigin func(slug string) string
	// Single is the slug of the only wiki, if it shares its host with the
	// authorization server, whose pages and endpoints are then below /-.
	Single string
	// Outbound (outbound.New) fetches client documents. Redirects are not
	// followed.
	Outbound *http.Client
	// Take charges the rate limit of the client's address for a
	// registration or an authorization request (host is ""), or fails if
	// a host has reached its limit of fetched documents. Nil means no
	// limit.
	Take func(remote, host string) error
	// Fetched charges the rate limit of a host for a document that was
	// fetched from it. Nil means no limit.
	Fetched func(host string)
	// Failed is called for each failure with the endpoint ("token") and a
	// cause that contains nothing a client sent. It feeds the metrics and
	// can be nil.
	Failed func(endpoint, cause string)
	// Access is the lifetime of access tokens; 0 means AccessLifetime.
	Access time.Duration
	Now    func() time.Time
	Log    *slog.Logger
}

// A Service is the authorization server.
type Service struct {
	o         Options                // with defaults filled in
	issuer    string                 // origin of the platform
	host      string                 // "robot.wtf", with the port if any
	name      string                 // without the port
	isDomain  func(host string) bool // reports the own domains of wikis
	routes    map[string]Route
	documents documents
	shareKey  [32]byte // of networkShare; never stored
}

// New returns a Service.
func New(o Options) (*Service, error) {
	if o.Access == 0 {
		o.Access = AccessLifetime
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Fetched == nil {
		o.Fetched = func(string) {}
	}
	if o.Failed == nil {
		o.Failed = func(string, string) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{o: o, issuer: o.Session.Issuer(), routes: map[string]Route{}}
	rand.Read(s.shareKey[:]) // never fails
	origin, err := url.Parse(s.issuer)
	if err != nil {
		return nil, err
	}
	s.host, s.name = origin.Host, origin.Hostname()
	s.isDomain = func(host string) bool { return s.o.Session.DomainResource(context.Background(), host).Domain != "" }
	s.documents.client = documentHTTPClient(o.Outbound)
	s.documents.slots = newFetchSlots()
	for _, route := range Routes {
		if o.Single != "" {
			route = route.onSingleHost()
		}
		s.routes[route.Path] = route
	}
	return s, nil
}

// Path returns where this service serves one of its pages or endpoints.
func (s *Service) Path(path string) string {
	if s.o.Single == "" {
		return path
	}
	return SinglePrefix + path
}

// helpAddress is the address of the help for people.
func (s *Service) helpAddress() string {
	if s.o.Single != "" {
		return s.issuer + "/-/help"
	}
	return s.o.WikiOrigin(wiki.HelpSlug) + "/"
}

// networkShare names the network of a caller in the database: registrations and
// requests that nobody finishes count against it. The address itself isn't stored,
// and nobody can tell it once the process has ended, as its key is only in memory.
func (s *Service) networkShare(r *http.Request) string {
	mac := hmac.New(sha256.New, s.shareKey[:])
	mac.Write([]byte(limit.Network(r.RemoteAddr)))
	return "net:" + hex.EncodeToString(mac.Sum(nil)[:12])
}

// isOwnHost reports whether a host name belongs to this service, or is the own domain
// of one of its wikis: people write the pages there.
func (s *Service) isOwnHost(host string) bool {
	host = strings.ToLower(host)
	return host == s.name || strings.HasSuffix(host, "."+s.name) || s.isDomain(host)
}

func isIPAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
