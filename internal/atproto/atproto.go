// Package atproto is signing in with an ATProto account: handles and DIDs, and
// the OAuth flow of a confidential client (atproto.com/specs/oauth).
//
// It learns who somebody is and nothing more: the only scope is "atproto", and
// the tokens are revoked as soon as they have said their word. No token is ever
// stored. A sign-in under way is a row that is taken once, dies after ten
// minutes, and is bound to the browser that began it.
//
// Everything that comes from outside is a stranger's claim until it is checked
// both ways: the handle's DID and the DID's handle, the server's issuer and the
// address that it was found at, the token's subject and the account asked for.
package atproto

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/bluesky-social/indigo/atproto/auth/oauth"
	"github.com/bluesky-social/indigo/atproto/identity"

	"robot.wtf/internal/outbound"
	"robot.wtf/internal/raster"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// The bounds of a sign-in.
const (
	Lifetime      = 10 * time.Minute // from our form to the callback
	beginTimeout  = 5 * time.Second
	finishTimeout = 10 * time.Second
	afterTimeout  = 4 * time.Second // for profile, picture and revocation
	atOnce        = 64              // sign-ins that wait for other servers
)

// Scope is all that is asked for: who somebody is.
const Scope = "atproto"

// The paths of the platform that other servers are told of.
const (
	MetadataPath = "/auth/client-metadata.json"
	JWKSPath     = "/auth/jwks.json"
	CallbackPath = "/auth/callback"
)

// Options of a Service.
type Options struct {
	Store    *store.DB
	KeyDir   string // holds the client's key; made at first start
	Platform string // origin of the platform, "https://robot.wtf", without a final slash
	// Admit says whether a person without an account may have one.
	Admit func(wiki.User) bool
	// Target is told each foreign host before it is asked, and may refuse; nil
	// refuses none. So nobody makes us a flood to one.
	Target   func(host string) error
	Outbound outbound.Options
	PLC      string        // origin of the PLC directory, "" for the public one
	Lifetime time.Duration // of a sign-in, 0 for Lifetime
	Now      func() time.Time
	Log      *slog.Logger
}

// A Service signs people in.
type Service struct {
	store     *store.DB
	admit     func(wiki.User) bool
	target    func(host string) error
	lifetime  time.Duration
	patience  time.Duration // beginTimeout, but in tests
	after     time.Duration // afterTimeout, but in tests
	now       func() time.Time
	log       *slog.Logger
	app       oauth.ClientApp // without store and key: each sign-in brings its own
	directory *identity.BaseDirectory
	http      *http.Client
	keys      *keys
	metadata  []byte
	pictures  *raster.Encoder
	slots     chan struct{}
}

// New makes a Service; at the first start it makes the client's key too.
func New(o Options) (*Service, error) {
	if o.Lifetime == 0 {
		o.Lifetime = Lifetime
	}
	keys, err := openKeys(o.KeyDir, o.Lifetime, o.Now)
	if err != nil {
		return nil, fmt.Errorf("atproto: keys in %s: %w", o.KeyDir, err)
	}
	if o.Target == nil {
		o.Target = func(string) error { return nil }
	}
	client := outbound.New(o.Outbound)
	client.Transport = wholeKeys{client.Transport}
	names := outbound.Resolver(o.Outbound)
	s := &Service{
		store: o.Store, admit: o.Admit, target: o.Target, lifetime: o.Lifetime, patience: beginTimeout, after: afterTimeout, now: o.Now, log: o.Log,
		http: client, keys: keys, slots: make(chan struct{}, atOnce), pictures: raster.NewEncoder(avatarPixels),
		// Without a cache: who signs in is looked up afresh, so that a handle
		// that has moved on is never taken for its former holder's. No suffix
		// skips DNS, for the library then reports an unknown handle as found.
		// No name server of a handle's own choice is asked.
		directory: &identity.BaseDirectory{
			PLCURL: o.PLC, HTTPClient: *client, UserAgent: userAgent,
			Resolver: net.Resolver{PreferGo: names.PreferGo, Dial: names.Dial},
		},
	}
	config := oauth.ClientConfig{
		ClientID:    o.Platform + MetadataPath,
		CallbackURL: o.Platform + CallbackPath,
		Scopes:      []string{Scope},
		UserAgent:   userAgent,
	}
	s.app = oauth.ClientApp{
		Client:   client,
		Resolver: &oauth.Resolver{Client: client, UserAgent: userAgent},
		Dir:      s.directory,
		Config:   &config,
	}
	if s.metadata, err = clientMetadata(s.client(keys.signing).Config, o.Platform); err != nil {
		return nil, fmt.Errorf("atproto: client metadata: %w", err)
	}
	return s, nil
}

// client is the library's client with a key to authenticate with.
func (s *Service) client(k *key) oauth.ClientApp {
	app, config := s.app, *s.app.Config
	config.PrivateKey, config.KeyID = k.private, &k.id
	app.Config = &config
	return app
}

const userAgent = "robot.wtf"

// Metadata is the client's metadata document, served at MetadataPath.
func (s *Service) Metadata() []byte { return s.metadata }

// JWKS is the client's public keys, served at JWKSPath. They change: nobody may
// keep them for longer than RotateKey allows for.
func (s *Service) JWKS() []byte {
	text, err := s.keys.public()
	if err != nil {
		s.log.Error("atproto: jwks", "err", err) // what could be told is told
	}
	return text
}

// enter waits for its turn among those that wait for other servers, so that a
// flood of sign-ins to servers that hang holds so many connections and no more.
func (s *Service) enter(ctx context.Context) (leave func(), err error) {
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	case <-ctx.Done():
		return nil, wiki.WithCause("too many", wiki.Problemf(wiki.ErrInvalid, handleField, "Too many people are signing in at this moment. Try again in a minute."))
	}
}
