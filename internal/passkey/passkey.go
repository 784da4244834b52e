// Package passkey signs people in with passkeys (Web Authentication, level 3), where
// they have local identities. A passkey is bound to the service's host, so another
// site can't ask for it. Sessions belong to package session.
//
// A ceremony, adding a passkey or signing in with one, takes two requests. Between
// them its challenge is in a token that the browser keeps, authenticated with a key in
// memory, so that requests from strangers leave nothing behind. Each challenge succeeds
// once.
package passkey

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

const (
	// Lifetime is how long a ceremony can take.
	Lifetime = 5 * time.Minute
	// maxPasskeys is how many passkeys a person can have.
	maxPasskeys = 20
)

// A Passkey is one of a person's passkeys.
type Passkey = store.Passkey

var (
	// errFailed has one text for every passkey that signs nobody in.
	errFailed = wiki.Problemf(wiki.ErrDenied, "", "This passkey didn't sign you in. It may have been removed here. Try another one, or use a sign-in link.")
	errAnswer = wiki.Problemf(wiki.ErrInvalid, "", "Your browser's answer couldn't be used, so no passkey was added. Try again.")
	errLate   = wiki.Problemf(wiki.ErrGone, "", "That took longer than five minutes, or it was tried twice. Try again.")
	errSignIn = wiki.Problemf(wiki.ErrDenied, "", "Sign in first.")
)

// Options of a Service.
type Options struct {
	Store  *store.DB
	Origin string // an origin for which Allowed returns true
	Name   string // of the service, as authenticators show it
	Now    func() time.Time
	Log    *slog.Logger
}

// A Service adds passkeys and signs people in with them.
type Service struct {
	store *store.DB
	auth  *webauthn.WebAuthn
	host  string
	key   []byte // authenticates the tokens of ceremonies
	now   func() time.Time
	log   *slog.Logger

	mu   sync.Mutex
	used map[string]time.Time // challenges that succeeded, until they expire
}

// Allowed reports whether browsers offer passkeys at an origin: over https or on
// localhost, at a name. Addresses of the form 127.0.0.1 can have none.
func Allowed(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return false
	}
	return u.Scheme == "https" || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// New returns a Service for one origin.
func New(o Options) (*Service, error) {
	u, err := url.Parse(o.Origin)
	if err != nil || !Allowed(o.Origin) {
		return nil, fmt.Errorf("passkey: %q can't have passkeys", o.Origin)
	}
	auth, err := webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: o.Name, RPOrigins: []string{o.Origin}, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification: protocol.VerificationRequired,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return &Service{store: o.Store, auth: auth, host: u.Hostname(), key: key, now: o.Now, log: o.Log, used: map[string]time.Time{}}, nil
}

// A person is a user as the library sees them.
type person struct {
	user     wiki.User
	passkeys []webauthn.Credential
}

// userHandle is the id of a person that authenticators store. It says nothing about
// them (Web Authentication, 14.6.1).
func userHandle(did string) []byte {
	sum := sha256.Sum256([]byte(did))
	return sum[:]
}

// WebAuthnID implements webauthn.User.
func (p person) WebAuthnID() []byte { return userHandle(p.user.DID) }

// WebAuthnName implements webauthn.User.
func (p person) WebAuthnName() string { return p.user.Display() }

// WebAuthnDisplayName implements webauthn.User.
func (p person) WebAuthnDisplayName() string { return p.user.Display() }

// WebAuthnCredentials implements webauthn.User.
func (p person) WebAuthnCredentials() []webauthn.Credential { return p.passkeys }

// parameters are the key types for new passkeys, best first. All authenticators know
// one of them.
var parameters = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

// BeginAdd begins to add a passkey for the caller. It returns the options for the
// browser (PublicKeyCredentialCreationOptionsJSON) and the ceremony's token.
func (s *Service) BeginAdd(ctx context.Context, caller wiki.Caller) (options any, token string, err error) {
	p, err := s.person(ctx, caller)
	if err != nil {
		return nil, "", err
	}
	creation, session, err := s.auth.BeginRegistration(p,
		webauthn.WithCredentialParameters(parameters), webauthn.WithExclusions(webauthn.Credentials(p.passkeys).CredentialDescriptors()))
	if err != nil {
		return nil, "", fmt.Errorf("passkey: begin to add: %w", err)
	}
	token, err = s.sign(caller.User.DID, session)
	return creation.Response, token, err
}

// person returns the caller of a browser's session, with their passkeys for this host.
func (s *Service) person(ctx context.Context, caller wiki.Caller) (person, error) {
	if caller.Session == "" || caller.User.DID == "" {
		return person{}, errSignIn
	}
	list, err := s.store.Passkeys(ctx, caller.User.DID)
	if err != nil {
		return person{}, fmt.Errorf("passkey: %w", err)
	}
	p := person{user: caller.User}
	for _, stored := range list {
		var c webauthn.Credential
		if err := json.Unmarshal([]byte(stored.Credential), &c); err != nil {
			return person{}, fmt.Errorf("passkey: stored passkey %s: %w", stored.ID, err)
		}
		if stored.Host == s.host {
			p.passkeys = append(p.passkeys, c)
		}
	}
	return p, nil
}

// Add adds the passkey that the browser made (RegistrationResponseJSON) for the caller,
// who began the ceremony. name says which browser it was.
func (s *Service) Add(ctx context.Context, caller wiki.Caller, token, response, name string) error {
	p, err := s.person(ctx, caller)
	if err != nil {
		return err
	}
	session, err := s.verify(caller.User.DID, token)
	if err != nil {
		return err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(response))
	if err != nil {
		return refused(err)
	}
	credential, err := s.auth.CreateCredential(p, session, parsed)
	if err != nil {
		return refused(err)
	}
	if !s.spend(session.Challenge) {
		return errLate
	}
	data, err := json.Marshal(credential)
	if err != nil {
		return fmt.Errorf("passkey: add: %w", err)
	}
	err = s.store.AddPasskey(ctx, Passkey{ID: base64.RawURLEncoding.EncodeToString(credential.ID), DID: caller.User.DID, Host: s.host, Name: name, Credential: string(data)}, maxPasskeys)
	switch {
	case errors.Is(err, wiki.ErrExists):
		return wiki.Problemf(wiki.ErrExists, "", "This passkey was added before.")
	case errors.Is(err, wiki.ErrQuota):
		return wiki.Problemf(wiki.ErrQuota, "", "You have %d passkeys. Remove one first.", maxPasskeys)
	}
	return err
}

// refused is the error for a response that proves nothing, with the library's details
// for the log.
func refused(err error) error {
	var p *protocol.Error
	if errors.As(err, &p) {
		err = fmt.Errorf("%w: %s", p, p.DevInfo)
	}
	return fmt.Errorf("%w: %w", errAnswer, err)
}

// BeginSignIn begins to sign somebody in. It returns the options for the browser
// (PublicKeyCredentialRequestOptionsJSON) and the ceremony's token.
func (s *Service) BeginSignIn() (options any, token string, err error) {
	assertion, session, err := s.auth.BeginDiscoverableLogin()
	if err != nil {
		return nil, "", fmt.Errorf("passkey: begin to sign in: %w", err)
	}
	token, err = s.sign("", session)
	return assertion.Response, token, err
}

// SignIn returns the person whose passkey signed the challenge of a ceremony
// (AuthenticationResponseJSON).
func (s *Service) SignIn(ctx context.Context, token, response string) (wiki.User, error) {
	session, err := s.verify("", token)
	if err != nil {
		return wiki.User{}, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(response))
	if err != nil {
		return wiki.User{}, fmt.Errorf("%w: %w", errFailed, err)
	}
	var stored Passkey
	var lookup error
	// The library compares the user handle with the person's.
	who, credential, err := s.auth.ValidatePasskeyLogin(func(id, _ []byte) (_ webauthn.User, err error) {
		var p person
		stored, p, err = s.find(ctx, id)
		lookup = err
		return p, err
	}, session, parsed)
	if lookup != nil && !errors.Is(lookup, wiki.ErrNotFound) {
		return wiki.User{}, fmt.Errorf("passkey: sign in: %w", lookup)
	}
	if err != nil {
		return wiki.User{}, fmt.Errorf("%w: %w", errFailed, err)
	}
	if credential.Authenticator.CloneWarning {
		s.log.WarnContext(ctx, "a passkey was refused, because its counter went back: it may be a copy", "passkey", stored.ID, "did", stored.DID)
		return wiki.User{}, errFailed
	}
	if !s.spend(session.Challenge) {
		return wiki.User{}, errLate
	}
	data, err := json.Marshal(credential)
	if err != nil {
		return wiki.User{}, fmt.Errorf("passkey: sign in: %w", err)
	}
	err = s.store.UsePasskey(ctx, stored.ID, stored.Credential, string(data))
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.User{}, errLate
	}
	return who.(person).user, err
}

// find returns the passkey with an id for this host, and its person.
func (s *Service) find(ctx context.Context, id []byte) (Passkey, person, error) {
	stored, err := s.store.Passkey(ctx, base64.RawURLEncoding.EncodeToString(id))
	if err != nil {
		return Passkey{}, person{}, err
	}
	if stored.Host != s.host {
		return Passkey{}, person{}, wiki.ErrNotFound
	}
	var c webauthn.Credential
	if err := json.Unmarshal([]byte(stored.Credential), &c); err != nil {
		return Passkey{}, person{}, err
	}
	user, err := s.store.User(ctx, stored.DID)
	return stored, person{user: user, passkeys: []webauthn.Credential{c}}, err
}

// Offered reports whether anybody has a passkey for this host.
func (s *Service) Offered(ctx context.Context) (bool, error) { return s.store.HasPasskeys(ctx, s.host) }

// List lists the caller's passkeys, newest first, also those for other hosts.
func (s *Service) List(ctx context.Context, caller wiki.Caller) ([]Passkey, error) {
	if caller.User.DID == "" {
		return nil, errSignIn
	}
	return s.store.Passkeys(ctx, caller.User.DID)
}

// Remove removes one of the caller's passkeys.
func (s *Service) Remove(ctx context.Context, caller wiki.Caller, id string) error {
	if caller.Session == "" || caller.User.DID == "" {
		return errSignIn
	}
	err := s.store.RemovePasskey(ctx, caller.User.DID, id)
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Problemf(wiki.ErrNotFound, "", "You have no such passkey. You may have removed it before.")
	}
	return err
}

// Host is the only host where new passkeys work.
func (s *Service) Host() string { return s.host }

// A ceremony is what its token says.
type ceremony struct {
	DID     string               `json:"did,omitempty"` // who adds a passkey; "" to sign in
	Expires int64                `json:"exp"`           // unix milliseconds
	Session webauthn.SessionData `json:"session"`
}

// sign returns the token of a new ceremony.
func (s *Service) sign(did string, session *webauthn.SessionData) (string, error) {
	data, err := json.Marshal(ceremony{DID: did, Expires: s.now().Add(Lifetime).UnixMilli(), Session: *session})
	if err != nil {
		return "", fmt.Errorf("passkey: token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(append(s.mac(data), data...)), nil
}

// verify returns the session of a token of the person's, or of one to sign in if did is
// empty.
func (s *Service) verify(did, token string) (webauthn.SessionData, error) {
	data, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(data) < sha256.Size || !hmac.Equal(data[:sha256.Size], s.mac(data[sha256.Size:])) {
		return webauthn.SessionData{}, errLate
	}
	var c ceremony
	if err := json.Unmarshal(data[sha256.Size:], &c); err != nil || c.DID != did || s.now().UnixMilli() >= c.Expires {
		return webauthn.SessionData{}, errLate
	}
	return c.Session, nil
}

func (s *Service) mac(data []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write(data)
	return h.Sum(nil)
}

// spend reports whether a challenge succeeds for the first time.
func (s *Service) spend(challenge string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for old, expires := range s.used {
		if !now.Before(expires) {
			delete(s.used, old)
		}
	}
	if _, again := s.used[challenge]; again {
		return false
	}
	s.used[challenge] = now.Add(Lifetime)
	return true
}
