// Package atproto signs people in with an ATProto account. It resolves
// handles and DIDs, and implements the OAuth flow of a confidential client
// (atproto.com/specs/oauth): private_key_jwt, PAR, PKCE and DPoP, which are
// the library's (indigo). This package adds the checks that the library
// leaves out.
//
// It only establishes identity: the only scope is "atproto", tokens are
// revoked right after use, and no token is ever stored. A sign-in in
// progress is a row in the store that can be taken once, expires after ten
// minutes, and is tied to the browser that started it. Browser sessions
// belong to package session.
//
// Invariant: everything from outside is checked in both directions before it
// is believed: the handle's DID and the DID's handle, the server's issuer
// and the address it was found at, the token's subject and the requested
// account.
package atproto

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/auth/oauth"
	"github.com/bluesky-social/indigo/atproto/identity"

	"robot.wtf/internal/background"
	"robot.wtf/internal/budget"
	"robot.wtf/internal/limit"
	"robot.wtf/internal/outbound"
	"robot.wtf/internal/raster"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// Limits of a sign-in.
const (
	Lifetime          = 10 * time.Minute // from our form to the callback
	beginTimeout      = 5 * time.Second
	finishTimeout     = 10 * time.Second
	cleanupTimeout    = 4 * time.Second // for profile, avatar and revocation
	maxConcurrent     = 128             // concurrent sign-ins that wait for other servers
	maxConcurrentEach = 8               // of one asker
)

// Scope grants access to nothing but the identity.
const Scope = "atproto"

// Paths on the platform host that other servers call.
const (
	MetadataPath = platformPrefix + metadataName
	JWKSPath     = platformPrefix + jwksName
	CallbackPath = platformPrefix + callbackName
)

// The same paths on the host of a service with one wiki ("robot home").
const (
	HomeMetadataPath = homePrefix + metadataName
	HomeJWKSPath     = homePrefix + jwksName
	HomeCallbackPath = homePrefix + callbackName
)

const (
	platformPrefix = "/auth"
	homePrefix     = "/-/atproto"
	metadataName   = "/client-metadata.json"
	jwksName       = "/jwks.json"
	callbackName   = "/callback"
)

// Options of a Service.
type Options struct {
	Store    *store.DB
	KeyDir   string // holds the client's keys; created at first start
	Name     string // of the service, which people's servers show; "" means robot.wtf
	Platform string // origin of the platform, "https://robot.wtf", without a trailing slash
	// Home means that Platform is the origin of a service with one wiki. Over http, it
	// must be at localhost: the client is then the one that the protocol has for that.
	Home bool
	// Admit reports whether a person without an account can get one.
	Admit func(wiki.User) bool
	// ByInvitation lets people whom Admit refuses get an account with an invitation.
	ByInvitation bool
	// Limits keeps others from using us to flood a host, and bounds each
	// asker's lookups. Nil allows all.
	Limits     *limit.Limiter
	Outbound   outbound.Options
	Background *background.Workers // can be nil
	PLC        string              // origin of the PLC directory; "" for the public one
	// Resolver is the origin of a service that resolves handles whose own servers
	// can't be asked (com.atproto.identity.resolveHandle); "" for none.
	Resolver string
	// AccountServer is the origin of the server for people who enter no account or have
	// none; "" for Bluesky's.
	AccountServer string
	Completion    bool          // complete handles while people type, by Resolver
	Lifetime      time.Duration // of a sign-in; 0 for the constant Lifetime
	Now           func() time.Time
	Log           *slog.Logger
}

// A Service signs people in.
type Service struct {
	store          *store.DB
	admit          func(wiki.User) bool
	byInvitation   bool
	limits         *limit.Limiter
	recent         *recent
	lifetime       time.Duration
	timeout        time.Duration // beginTimeout, except in tests
	cleanupTimeout time.Duration // the constant cleanupTimeout, except in tests
	// The constants of the same names, except in tests.
	resolveTimeout, documentTimeout time.Duration
	now                             func() time.Time
	log                             *slog.Logger
	app                             oauth.ClientApp         // without store and key: each sign-in sets its own
	directory                       *identity.BaseDirectory // of DID documents only; resolveHandle resolves handles
	names                           *net.Resolver
	resolver                        string
	accountServer                   string
	completes                       bool
	http                            *http.Client
	keys                            *keys
	metadata                        []byte
	local                           bool // the client is at localhost
	pictures                        *raster.Encoder
	slots                           *budget.Slots // by asker
	workers                         *background.Workers
	revoking                        background.Group // tokens of finished sign-ins
}

// Close waits until the tokens of finished sign-ins are revoked, for at most 4 seconds.
func (s *Service) Close() { s.revoking.Wait() }

// New returns a Service. At first start it also creates the client's key.
func New(o Options) (*Service, error) {
	if o.Lifetime == 0 {
		o.Lifetime = Lifetime
	}
	keys, err := openKeys(o.KeyDir, o.Lifetime, o.Now)
	if err != nil {
		return nil, fmt.Errorf("atproto: keys in %s: %w", o.KeyDir, err)
	}
	if keys.skipped != nil && o.Log != nil {
		o.Log.Error("reading the client's other keys failed: they aren't published", "err", keys.skipped)
	}
	client := outbound.New(o.Outbound)
	client.Transport = shortKeyFilter{client.Transport}
	documents, metadata := *client, *client
	documents.Transport = goneFilter{client.Transport}
	metadata.Transport = oauthFilter{client.Transport}
	metadata.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s := &Service{
		store: o.Store, admit: o.Admit, byInvitation: o.ByInvitation, limits: o.Limits, recent: newRecent(), lifetime: o.Lifetime, timeout: beginTimeout, cleanupTimeout: cleanupTimeout, resolveTimeout: resolveTimeout, documentTimeout: documentTimeout, now: o.Now, log: o.Log,
		http: client, workers: o.Background, keys: keys, slots: budget.NewSlots(maxConcurrent, maxConcurrentEach), pictures: raster.NewEncoder(avatarLimits),
		// No cache: each account is looked up again when a sign-in finishes, so that
		// a handle that moved is never taken for its former owner's. Only the
		// beginning uses recent lookups.
		directory: &identity.BaseDirectory{PLCURL: o.PLC, HTTPClient: documents, UserAgent: userAgent},
		names:     outbound.Resolver(o.Outbound), resolver: o.Resolver, accountServer: cmp.Or(o.AccountServer, defaultAccountServer), completes: o.Completion && o.Resolver != "",
	}
	config := clientConfig(o)
	s.app = oauth.ClientApp{
		Client:   client,
		Resolver: &oauth.Resolver{Client: &metadata, UserAgent: userAgent},
		Dir:      s.directory,
		Config:   &config,
	}
	if s.local = isLocalhostClient(config.ClientID); s.local {
		return s, nil // nobody reads the metadata of such a client
	}
	if s.metadata, err = clientMetadata(s.client(keys.signing).Config, o); err != nil {
		return nil, fmt.Errorf("atproto: client metadata: %w", err)
	}
	return s, nil
}

// clientConfig returns the configuration of the client without a key. Over http it is
// the virtual client for localhost, which is called back at a loopback address
// (atproto.com/specs/oauth, "Localhost Client Development").
func clientConfig(o Options) oauth.ClientConfig {
	prefix := platformPrefix
	if o.Home {
		prefix = homePrefix
	}
	config := oauth.ClientConfig{ClientID: o.Platform + prefix + metadataName, CallbackURL: o.Platform + prefix + callbackName, Scopes: []string{Scope}}
	if u, err := url.Parse(o.Platform); o.Home && err == nil && u.Scheme == "http" {
		config = oauth.NewLocalhostConfig("http://"+net.JoinHostPort(LoopbackHost, u.Port())+prefix+callbackName, []string{Scope})
	}
	config.UserAgent = userAgent
	return config
}

// LoopbackHost is where servers send browsers back to that sign in at localhost. The
// protocol allows no names there, so the front end redirects from it.
const LoopbackHost = "127.0.0.1"

func isLocalhostClient(id string) bool { return strings.HasPrefix(id, "http://localhost?") }

// client returns the library's client with a key for authentication. A client at
// localhost has none.
func (s *Service) client(k *key) oauth.ClientApp {
	app, config := s.app, *s.app.Config
	if s.local {
		return app
	}
	config.PrivateKey, config.KeyID = k.private, &k.id
	app.Config = &config
	return app
}

const userAgent = "robot.wtf"

// Metadata returns the client metadata document, served at MetadataPath; nil for a
// client at localhost, which has none.
func (s *Service) Metadata() []byte { return s.metadata }

// JWKS returns the client's public keys, served at JWKSPath. Keys rotate, so
// the response must not be cached for longer than publishBeforeUse.
func (s *Service) JWKS() []byte {
	text, err := s.keys.jwks()
	if err != nil {
		s.log.Error("reading atproto keys failed", "err", err) // the text has the keys that could be read
	}
	return text
}

// acquireSlot waits for one of the slots for sign-ins that wait for other
// servers. It limits the connections that hanging servers can tie up, and how
// many of them one asker can.
func (s *Service) acquireSlot(ctx context.Context, asker limit.Caller) (leave func(), err error) {
	leave, err = s.slots.Acquire(ctx, asker.String())
	if err != nil {
		return nil, wiki.WithCause("too many", wiki.Problemf(wiki.ErrInvalid, handleField, "Too many people are signing in right now. Try again in a minute."))
	}
	return leave, nil
}
