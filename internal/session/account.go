package session

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// personalPrefix begins a personal token, which is valid for the management
// API and for no wiki.
const personalPrefix = "rwtp_"

// MaxPersonalTokens is the number of personal tokens per person.
const MaxPersonalTokens = 20

// A Login is one of a person's sessions, as the account page lists it.
type Login struct {
	ID      string
	Started time.Time
	Ends    time.Time // if it isn't used before
	Current bool      // the caller's own
	Browser string    // "Firefox on Linux", or ""
}

// Sessions lists a person's sessions, newest first.
func (s *Service) Sessions(ctx context.Context, caller wiki.Caller) ([]Login, error) {
	if caller.Anonymous() || caller.User.DID == "" {
		return nil, errSignIn
	}
	rows, err := s.store.Sessions(ctx, caller.User.DID)
	if err != nil {
		return nil, err
	}
	logins := make([]Login, len(rows))
	for i, r := range rows {
		logins[i] = Login{ID: r.ID, Started: r.Created, Ends: r.Expires, Current: r.ID == caller.Session, Browser: r.Browser}
	}
	return logins, nil
}

var errSignIn = wiki.Problemf(wiki.ErrDenied, "", "Sign in first.")

// EndSession ends one of the caller's own sessions on all hosts at once, or
// all of them if id is empty.
func (s *Service) EndSession(ctx context.Context, caller wiki.Caller, id string) error {
	if err := checkAccountAccess(caller); err != nil {
		return err
	}
	err := s.store.EndSessionOf(ctx, caller.User.DID, id)
	if errors.Is(err, wiki.ErrNotFound) {
		if id == "" {
			return nil // there were none
		}
		return wiki.Problemf(wiki.ErrNotFound, "", "You have no such session. It may have ended already.")
	}
	return err
}

// checkAccountAccess refuses callers that can't manage the account.
func checkAccountAccess(caller wiki.Caller) error {
	switch {
	case caller.User.DID == "":
		return errSignIn
	case caller.ReadOnly || caller.Wiki != "":
		return wiki.Problemf(wiki.ErrDenied, "", "This token is read-only.")
	}
	return nil
}

// ClearCookies deletes the session cookie of the platform's host, and the hint cookie.
func (s *Service) ClearCookies(w http.ResponseWriter) { s.clearCookies(w, s.host) }

// Personal authenticates a caller of the management API by "Authorization:
// Bearer" and a personal token (rwtp_…). Anything else is ErrDenied.
func (s *Service) Personal(r *http.Request) (wiki.Caller, error) {
	refused := wiki.Problemf(wiki.ErrDenied, "", "A personal token, which begins with %s, is required: Authorization: Bearer %s…", personalPrefix, personalPrefix)
	header := r.Header["Authorization"]
	if len(header) != 1 {
		return wiki.Caller{}, refused
	}
	scheme, secret, _ := strings.Cut(header[0], " ")
	secret = strings.TrimSpace(secret)
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(secret, personalPrefix) ||
		len(secret) != len(personalPrefix)+base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return wiki.Caller{}, refused
	}
	token, err := s.store.PersonalToken(r.Context(), secret)
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.Caller{}, refused
	}
	if err != nil {
		return wiki.Caller{}, err
	}
	user, err := s.activeUser(r.Context(), token.DID)
	if err != nil {
		return wiki.Caller{}, err
	}
	s.logFailure(s.store.RecordTokenUse(r.Context(), token), "recording the use of a token failed")
	return wiki.Caller{User: user, Agent: token.Name, Client: wiki.TokenClient, Grant: token.ID, ReadOnly: token.ReadOnly}, nil
}

// NewPersonalToken creates a personal token for a caller signed in with a
// browser, and returns its secret, which isn't stored. A token can't create
// one, so that a leaked token can't create its own successor.
func (s *Service) NewPersonalToken(ctx context.Context, caller wiki.Caller, name string, readOnly bool) (string, *Token, error) {
	name = strings.TrimSpace(name)
	switch {
	case caller.User.DID == "":
		return "", nil, errSignIn
	case caller.Session == "":
		return "", nil, wiki.Problemf(wiki.ErrDenied, "", "A token can't create personal tokens. Sign in with a browser.")
	}
	if err := checkTokenName(name); err != nil {
		return "", nil, err
	}
	secret := newSecret(personalPrefix)
	token := &Token{ID: rand.Text()[:16], DID: caller.User.DID, Name: name, ReadOnly: readOnly, Created: s.now()}
	err := s.store.AddPersonalToken(ctx, secret, token, MaxPersonalTokens)
	if err != nil {
		return "", nil, err
	}
	return secret, token, nil
}

// PersonalTokens lists the caller's own personal tokens, newest first.
func (s *Service) PersonalTokens(ctx context.Context, caller wiki.Caller) ([]*store.Token, error) {
	if caller.User.DID == "" {
		return nil, errSignIn
	}
	return s.store.PersonalTokens(ctx, caller.User.DID)
}

// RevokePersonalToken revokes one of the caller's personal tokens at once.
func (s *Service) RevokePersonalToken(ctx context.Context, caller wiki.Caller, id string) error {
	if err := checkAccountAccess(caller); err != nil {
		return err
	}
	return s.store.RevokePersonalToken(ctx, caller.User.DID, id)
}
