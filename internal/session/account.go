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

// personalPrefix begins a personal token, which opens the management API and no
// wiki.
const personalPrefix = "rwtp_"

// PersonalTokensEach is how many personal tokens a person may have.
const PersonalTokensEach = 20

// A Login is one of a person's sessions, as they see it in a list.
type Login struct {
	ID      string
	Started time.Time
	Ends    time.Time // unless it is used before
	Current bool      // the one that asks
	Browser string    // "Firefox on Linux", or ""
}

// Sessions lists where a person is signed in, newest first.
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

// EndSession ends one of the caller's own sessions on every host at once, all of
// them with an empty id.
func (s *Service) EndSession(ctx context.Context, caller wiki.Caller, id string) error {
	if err := mayManage(caller); err != nil {
		return err
	}
	err := s.store.EndSessionOf(ctx, caller.User.DID, id)
	if errors.Is(err, wiki.ErrNotFound) {
		if id == "" {
			return nil // there was none
		}
		return wiki.Problemf(wiki.ErrNotFound, "", "You have no such session. It may have ended.")
	}
	return err
}

// mayManage is for what concerns a person rather than one wiki.
func mayManage(caller wiki.Caller) error {
	switch {
	case caller.User.DID == "":
		return errSignIn
	case caller.ReadOnly || caller.Wiki != "":
		return wiki.Problemf(wiki.ErrDenied, "", "This token may only read.")
	}
	return nil
}

// ClearCookies takes the host's session cookie and the domain's hint away.
func (s *Service) ClearCookies(w http.ResponseWriter) { s.clearCookies(w) }

// Personal says who is calling the management API by "Authorization: Bearer"
// and a personal token (rwtp_…). Anything else is ErrDenied.
func (s *Service) Personal(r *http.Request) (wiki.Caller, error) {
	refused := wiki.Problemf(wiki.ErrDenied, "", "Send a personal token, which begins with %s: Authorization: Bearer %s…", personalPrefix, personalPrefix)
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
	user, err := s.person(r.Context(), token.DID)
	if err != nil {
		return wiki.Caller{}, err
	}
	s.noteFailure(s.store.TokenUsed(r.Context(), token), "note the use of a token")
	return wiki.Caller{User: user, Agent: token.Name, Client: "token", Grant: token.ID, ReadOnly: token.ReadOnly}, nil
}

// NewPersonalToken makes a personal token for who is signed in with a browser,
// and gives its secret, which is kept nowhere.
func (s *Service) NewPersonalToken(ctx context.Context, caller wiki.Caller, name string, readOnly bool) (string, *Token, error) {
	name = strings.TrimSpace(name)
	switch {
	case caller.User.DID == "":
		return "", nil, errSignIn
	case caller.Session == "":
		return "", nil, wiki.Problemf(wiki.ErrDenied, "", "A token cannot make personal tokens. Sign in with a browser.")
	}
	if err := checkTokenName(name); err != nil {
		return "", nil, err
	}
	secret := newSecret(personalPrefix)
	token := &Token{ID: rand.Text()[:16], DID: caller.User.DID, Name: name, ReadOnly: readOnly, Created: s.now()}
	err := s.store.AddPersonalToken(ctx, secret, token, PersonalTokensEach)
	var told *wiki.Problem
	if errors.As(err, &told) {
		return "", nil, told
	}
	return secret, token, err
}

// PersonalTokens lists the caller's own personal tokens, newest first.
func (s *Service) PersonalTokens(ctx context.Context, caller wiki.Caller) ([]*store.Token, error) {
	if caller.User.DID == "" {
		return nil, errSignIn
	}
	return s.store.PersonalTokens(ctx, caller.User.DID)
}

// RevokePersonalToken ends one of the caller's personal tokens at once.
func (s *Service) RevokePersonalToken(ctx context.Context, caller wiki.Caller, id string) error {
	if err := mayManage(caller); err != nil {
		return err
	}
	return s.store.RevokePersonalToken(ctx, caller.User.DID, id)
}
