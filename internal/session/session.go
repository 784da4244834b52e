// Package session says who is calling: cookies for browsers, bearer tokens for
// programs, and single sign-on from the platform's host to wiki hosts.
//
// A browser holds one token for each host it is signed in on: a JWT, verified
// here with our own key, whose audience is that one host. All of them name one
// session, and none is worth anything once that has ended. A cookie for the
// whole domain says that it may be worth asking the platform's host, and no
// more: whoever plants or steals it has gained nothing.
//
// It also remembers the last requests and refusals of each wiki, in memory, for
// the page on which its members connect their agents.
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

// Lifetime of a session that is not used, and of its tokens.
const Lifetime = 24 * time.Hour

// renewAfter is the age from which a token in use is replaced by a new one.
const renewAfter = time.Hour

// Options of a Service.
type Options struct {
	Store    *store.DB
	KeyDir   string // holds the signing key; made at first start
	Platform string // origin of the platform, "https://robot.wtf", without a final slash
	// WikiOrigin gives the origin of a wiki's host, which is a subdomain of the
	// platform's.
	WikiOrigin func(slug string) string
	// Refused is told of each refusal that Note learns of; may be nil.
	Refused func(cause Cause)
	Now     func() time.Time
	Log     *slog.Logger
}

// A Service knows the sessions and tokens of all people.
type Service struct {
	store      *store.DB
	keyDir     string
	ring       atomic.Pointer[keys] // replaced by RotateKeys
	rotating   sync.Mutex
	platform   string
	host       string // of the platform, without port
	wikiOrigin func(slug string) string
	now        func() time.Time
	log        *slog.Logger
	requests   requestLogs
	refused    func(Cause)
}

// New makes a Service; at the first start it makes the signing key too.
func New(o Options) (*Service, error) {
	platform, err := url.Parse(o.Platform)
	if err != nil || platform.Host == "" {
		return nil, fmt.Errorf("session: %q is not an origin", o.Platform)
	}
	keys, err := openKeys(o.KeyDir)
	if err != nil {
		return nil, fmt.Errorf("session: keys in %s: %w", o.KeyDir, err)
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
		wikiOrigin: o.WikiOrigin,
		now:        o.Now,
		log:        o.Log,
	}
	s.ring.Store(keys)
	return s, nil
}

func (s *Service) keys() *keys { return s.ring.Load() }

// RotateKeys makes a new signing key, and signs with it from now on. Tokens of
// the one before are taken until the next rotation.
func (s *Service) RotateKeys() error {
	s.rotating.Lock()
	defer s.rotating.Unlock()
	err := rotateFiles(s.keyDir)
	keys, reread := openKeys(s.keyDir) // also after a failure: what is on the disk counts at the next start
	if reread == nil {
		s.ring.Store(keys)
	}
	if err := errors.Join(err, reread); err != nil {
		return fmt.Errorf("session: rotate keys: %w", err)
	}
	return nil
}

// Browser says who is calling by the host's own session cookie; anonymous
// without one, and with one that is expired, revoked or for another host.
func (s *Service) Browser(r *http.Request) wiki.Caller {
	caller, _ := s.browser(r)
	return caller
}

func (s *Service) browser(r *http.Request) (wiki.Caller, claims) {
	token := cookieValue(r, sessionCookie)
	if token == "" {
		return wiki.Caller{}, claims{}
	}
	c, err := s.keys().verify(token)
	now := s.now()
	if err != nil || c.Audience != hostname(r.Host) || !now.Before(c.expires()) || now.Add(time.Minute).Before(c.issued()) {
		return wiki.Caller{}, claims{}
	}
	session, err := s.store.Session(r.Context(), c.Session)
	if err != nil || session.DID != c.Subject || !now.Before(session.Expires) {
		s.noteFailure(err, "read session")
		return wiki.Caller{}, claims{}
	}
	user, err := s.store.User(r.Context(), c.Subject)
	if err != nil {
		s.noteFailure(err, "read user")
		return wiki.Caller{}, claims{}
	}
	if user.Suspended {
		return wiki.Caller{}, claims{}
	}
	return wiki.Caller{User: user, Session: c.Session}, c
}

// noteFailure logs what is neither an answer nor the client's going away: the
// caller is then anonymous, which the person would take for being signed out.
func (s *Service) noteFailure(err error, doing string) {
	if err != nil && !errors.Is(err, wiki.ErrNotFound) && !errors.Is(err, context.Canceled) {
		s.log.Error("session: "+doing, "err", err)
	}
}

// Renew replaces the host's session token once it is an hour old, so that a
// session lasts while it is used. It is called before the answer to a page
// navigation is written.
func (s *Service) Renew(w http.ResponseWriter, r *http.Request) {
	caller, c := s.browser(r)
	if caller.Anonymous() || s.now().Sub(c.issued()) < renewAfter {
		return
	}
	if err := s.store.ExtendSession(r.Context(), c.Session, s.now().Add(Lifetime)); err != nil {
		s.noteFailure(err, "renew")
		return
	}
	s.noteFailure(s.setCookies(w, c.Audience, c.Subject, c.Session), "renew")
}

// SignIn starts a session on the platform's host, ending the one the browser
// may have, and sets its cookies.
func (s *Service) SignIn(ctx context.Context, w http.ResponseWriter, r *http.Request, u wiki.User) error {
	if hostname(r.Host) != s.host {
		return wiki.Problemf(wiki.ErrInvalid, "", "Signing in happens on %s.", s.host)
	}
	if before := s.Browser(r); !before.Anonymous() {
		if err := s.store.EndSession(ctx, before.Session); err != nil {
			return err
		}
	}
	if _, err := s.person(ctx, u.DID); err != nil {
		return err
	}
	sid := rand.Text()
	if err := s.store.StartSession(ctx, store.Session{ID: sid, DID: u.DID, Expires: s.now().Add(Lifetime), Browser: browserOf(r.UserAgent())}); err != nil {
		return err
	}
	return s.setCookies(w, s.host, u.DID, sid)
}

// person is who a credential belongs to; refused while the operator keeps them
// out.
func (s *Service) person(ctx context.Context, did string) (wiki.User, error) {
	user, err := s.store.User(ctx, did)
	if err == nil && user.Suspended {
		return wiki.User{}, refuse(Suspended, "This account was suspended by who runs this service.")
	}
	return user, err
}

// SignOut ends the session everywhere and clears this host's cookies.
func (s *Service) SignOut(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	caller := s.Browser(r)
	s.clearCookies(w)
	if caller.Anonymous() {
		return nil
	}
	return s.store.EndSession(ctx, caller.Session)
}

// hostname is the host of a request as tokens name it: small letters, no port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(host)
}

// LocalPath gives a path to go back to after a detour: what was asked for if it
// is a path of this host, else "/". Browsers read "//" and "/\" as another
// host, and drop tabs and line ends before they look.
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
