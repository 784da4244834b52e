// Package session authenticates callers: cookies for browsers, bearer tokens
// for programs, and single sign-on from the platform host to wiki hosts. It
// also records the last requests and refusals of each wiki, in memory, for
// the page where members connect their agents. Roles in a wiki belong to
// package tenant; issuing grants belongs to package oauth.
//
// A browser holds one token per host: a JWT whose audience is that host,
// verified locally with our own key. All tokens of a sign-in name one
// session, and ending the session invalidates them all. A session cookie for
// the whole domain would reach the hosts of all tenants. A wiki's own domain gets a
// token only by a click on the platform's host, because its owner could otherwise learn
// who visits them. A hint cookie for
// the whole domain only says that single sign-on may succeed; planting or
// stealing it gains nothing.
package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// Lifetime is how long an unused session and its tokens last.
const Lifetime = 30 * 24 * time.Hour

// BriefLifetime is how long a session on a borrowed device lasts, used or not. It
// ends before if the browser is closed.
const BriefLifetime = 12 * time.Hour

// renewAfter is the age at which a token in use is replaced.
const renewAfter = time.Hour

// Options of a Service.
type Options struct {
	Store    *store.DB
	KeyDir   string // holds the signing key; created at first start
	Platform string // origin of the platform, "https://robot.wtf", without a trailing slash
	// WikiOrigin returns the origin of a wiki's host, a subdomain of the
	// platform's.
	WikiOrigin func(slug string) string
	// Single means that the platform and the only wiki share one host.
	Single bool
	// PlainHTTP means that browsers reach the service over http by a name that they
	// don't trust like https, so that its cookies can't be Secure.
	PlainHTTP bool
	// Refused is called with each cause that Note records; can be nil.
	Refused func(cause Cause)
	Now     func() time.Time
	Log     *slog.Logger
}

// A Service manages sessions and tokens.
type Service struct {
	store      *store.DB
	keyDir     string
	keyring    atomic.Pointer[keys] // replaced by RotateKeys
	rotating   sync.Mutex
	platform   string
	host, port string // of the platform; port is "" for the scheme's default
	wikiOrigin func(slug string) string
	single     bool
	plainHTTP  bool
	now        func() time.Time
	log        *slog.Logger
	requests   requestLogs
	refused    func(Cause)
	bcrypt     bcryptLimits
}

// New returns a Service. At first start it also creates the signing key.
func New(o Options) (*Service, error) {
	platform, err := url.Parse(o.Platform)
	if err != nil || platform.Host == "" {
		return nil, fmt.Errorf("session: %q is not an origin", o.Platform)
	}
	keys, err := openKeys(o.KeyDir)
	if err != nil {
		return nil, fmt.Errorf("session: keys in %s: %w", o.KeyDir, err)
	}
	if keys.skipped != nil {
		o.Log.Error("reading the former session key failed: sessions that it signed end", "err", keys.skipped)
	}
	if o.Refused == nil {
		o.Refused = func(Cause) {}
	}
	s := &Service{
		refused:    o.Refused,
		store:      o.Store,
		keyDir:     o.KeyDir,
		platform:   o.Platform,
		host:       strings.ToLower(platform.Hostname()),
		port:       platform.Port(),
		wikiOrigin: o.WikiOrigin,
		single:     o.Single,
		plainHTTP:  o.PlainHTTP,
		now:        o.Now,
		log:        o.Log,
	}
	s.keyring.Store(keys)
	return s, nil
}

func (s *Service) keys() *keys { return s.keyring.Load() }

// RotateKeys creates a new signing key and uses it from now on. Tokens
// signed with the former key stay valid until the next rotation.
func (s *Service) RotateKeys() error {
	s.rotating.Lock()
	defer s.rotating.Unlock()
	err := rotateFiles(s.keyDir)
	keys, reread := openKeys(s.keyDir) // also after a failure: the next start reads the disk
	if reread == nil {
		s.keyring.Store(keys)
	}
	if err := errors.Join(err, reread); err != nil {
		return fmt.Errorf("session: rotate keys: %w", err)
	}
	return nil
}

// Browser authenticates a caller by the host's session cookie. The caller is
// anonymous if the cookie is missing, expired, revoked or for another host.
func (s *Service) Browser(r *http.Request) wiki.Caller {
	caller, _ := s.browserCaller(r)
	return caller
}

func (s *Service) browserCaller(r *http.Request) (wiki.Caller, claims) {
	token := s.CookieValue(r, sessionCookieName)
	if token == "" {
		return wiki.Caller{}, claims{}
	}
	c, err := s.keys().verify(token)
	now := s.now()
	if err != nil || c.Audience != requestHostname(r.Host) || !s.domainAt(r).Lost.IsZero() || !now.Before(c.expires()) || now.Add(time.Minute).Before(c.issued()) {
		return wiki.Caller{}, claims{}
	}
	session, err := s.store.Session(r.Context(), c.Session)
	if err != nil || session.DID != c.Subject || !now.Before(session.Expires) {
		s.logFailure(err, "reading a session failed")
		return wiki.Caller{}, claims{}
	}
	user, err := s.store.User(r.Context(), c.Subject)
	if err != nil {
		s.logFailure(err, "reading a user failed")
		return wiki.Caller{}, claims{}
	}
	if user.Suspended {
		return wiki.Caller{}, claims{}
	}
	return wiki.Caller{User: user, Session: c.Session}, c
}

// logFailure logs unexpected errors, which make the caller anonymous: the
// person seems to be signed out. Not found and canceled are expected.
func (s *Service) logFailure(err error, message string) {
	if err != nil && !errors.Is(err, wiki.ErrNotFound) && !errors.Is(err, context.Canceled) {
		s.log.Error(message, "err", err)
	}
}

// Renew replaces the host's session token once it is an hour old, so that a
// session in use doesn't expire. Call it before writing the response to a
// page navigation.
func (s *Service) Renew(w http.ResponseWriter, r *http.Request) {
	caller, c := s.browserCaller(r)
	if caller.Anonymous() || s.now().Sub(c.issued()) < renewAfter {
		return
	}
	s.logFailure(s.renew(r.Context(), w, c), "renewing a session failed")
}

func (s *Service) renew(ctx context.Context, w http.ResponseWriter, c claims) error {
	session, err := s.store.Session(ctx, c.Session)
	if err != nil || session.Brief {
		return err
	}
	session.Expires = s.now().Add(Lifetime)
	if err := s.store.ExtendSession(ctx, session.ID, session.Expires); err != nil {
		return err
	}
	return s.setCookies(w, c.Audience, session)
}

// SignIn starts a session on the platform host and sets its cookies. It ends
// the browser's current session, if any. A brief session is for a borrowed device.
func (s *Service) SignIn(ctx context.Context, w http.ResponseWriter, r *http.Request, u wiki.User, brief bool) error {
	if requestHostname(r.Host) != s.host {
		return wiki.Problemf(wiki.ErrInvalid, "", "Sign in on %s.", s.host)
	}
	if before := s.Browser(r); !before.Anonymous() {
		if err := s.store.EndSession(ctx, before.Session); err != nil {
			return err
		}
	}
	if _, err := s.activeUser(ctx, u.DID); err != nil {
		return err
	}
	lifetime := Lifetime
	if brief {
		lifetime = BriefLifetime
	}
	session := store.Session{ID: rand.Text(), DID: u.DID, Expires: s.now().Add(lifetime), Brief: brief, Browser: BrowserName(r.UserAgent())}
	if err := s.store.StartSession(ctx, session); err != nil {
		return err
	}
	return s.setCookies(w, s.host, session)
}

// activeUser returns the owner of a credential, or refuses a suspended user.
func (s *Service) activeUser(ctx context.Context, did string) (wiki.User, error) {
	user, err := s.store.User(ctx, did)
	if err == nil && user.Suspended {
		return wiki.User{}, denied(Suspended, "This account was suspended by the operator.")
	}
	return user, err
}

// SignOut ends the session on all hosts and clears this host's cookies.
func (s *Service) SignOut(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	caller := s.Browser(r)
	s.clearCookies(w, requestHostname(r.Host))
	if caller.Anonymous() {
		return nil
	}
	return s.store.EndSession(ctx, caller.Session)
}

// requestHostname is the host of a request as tokens name it: lowercase, no
// port.
func requestHostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(host)
}

// LocalPath returns raw if it is a path on this host, and "/" otherwise.
// Browsers read "//" and "/\" as another host, and strip tabs and newlines
// first.
func LocalPath(raw string) string {
	if len(raw) > 2000 || !strings.HasPrefix(raw, "/") || strings.HasPrefix(raw, "//") || strings.Contains(raw, `\`) {
		return "/"
	}
	for _, c := range []byte(raw) {
		if c <= ' ' || c == 0x7f {
			return "/"
		}
	}
	return raw
}
