package session

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// Token is a wiki token as its owner sees it in a list; the secret is shown
// once, when it is made.
type Token = store.Token

const (
	tokenPrefix = "rwtf_"
	tokenBytes  = 32
)

// Bearer says who is calling by "Authorization: Bearer" (a wiki token rwtf_…).
// Without the header the caller is anonymous; a token that is unknown, revoked
// or for another wiki is ErrDenied, with its Cause.
func (s *Service) Bearer(r *http.Request, slug string) (wiki.Caller, error) {
	header := r.Header["Authorization"]
	if len(header) == 0 {
		return wiki.Caller{}, nil
	}
	scheme, secret, _ := strings.Cut(header[0], " ")
	secret = strings.TrimSpace(secret)
	if len(header) > 1 || !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(secret, tokenPrefix) {
		return wiki.Caller{}, Refuse(BadToken, wiki.Problemf(wiki.ErrDenied, "", "The Authorization header must be “Bearer” and a wiki token, which begins with %s.", tokenPrefix))
	}
	unusable := wiki.Problemf(wiki.ErrDenied, "", "This token is unknown, was revoked, or is for another wiki.")
	if len(secret) != len(tokenPrefix)+base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return wiki.Caller{}, Refuse(BadToken, unusable)
	}
	token, err := s.store.Token(r.Context(), secret)
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return wiki.Caller{}, Refuse(UnknownToken, unusable)
	case err != nil:
		return wiki.Caller{}, err
	case token.Slug != slug:
		return wiki.Caller{}, Refuse(OtherWiki, unusable)
	}
	user, err := s.store.User(r.Context(), token.DID)
	if err != nil {
		return wiki.Caller{}, err
	}
	s.noteFailure(s.store.TokenUsed(r.Context(), token), "note the use of a token")
	return wiki.Caller{User: user, Agent: token.Name, Client: "token", Grant: token.ID, ReadOnly: token.ReadOnly, Wiki: token.Slug}, nil
}

var errNoMember = wiki.Problemf(wiki.ErrDenied, "", "Only members of this wiki can make tokens for it.")

// NewToken makes a token for a wiki in the caller's name, for as long as they
// are a member, and gives its secret, which is kept nowhere. The name stands in
// the history of what the token writes.
func (s *Service) NewToken(ctx context.Context, a wiki.Access, name string, readOnly bool) (string, *Token, error) {
	name = strings.TrimSpace(name)
	if a.Role() < wiki.Viewer || a.Caller().Anonymous() {
		return "", nil, errNoMember
	}
	if a.Role() < wiki.Editor && !readOnly {
		return "", nil, wiki.Problemf(wiki.ErrDenied, "scope", "You may read this wiki, so your tokens can only read as well.")
	}
	if a.Caller().Wiki != "" || a.Caller().ReadOnly {
		return "", nil, wiki.Problemf(wiki.ErrDenied, "", "This token cannot make tokens. Sign in with a browser.")
	}
	if err := checkTokenName(name); err != nil {
		return "", nil, err
	}
	secret := newSecret(tokenPrefix)
	token := &Token{
		ID: rand.Text()[:16], Slug: a.Site().Slug, DID: a.Caller().User.DID,
		Name: name, ReadOnly: readOnly, Created: s.now(),
	}
	return secret, token, s.store.AddToken(ctx, secret, token)
}

func newSecret(prefix string) string {
	random := make([]byte, tokenBytes)
	rand.Read(random) // never fails (crypto/rand)
	return prefix + base64.RawURLEncoding.EncodeToString(random)
}

// checkTokenName refuses what could not stand in a commit's trailer.
func checkTokenName(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > 60 || !utf8.ValidString(name) {
		return wiki.Problemf(wiki.ErrInvalid, "name", "A token needs a name of up to 60 characters, so that you know it again.")
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return wiki.Problemf(wiki.ErrInvalid, "name", "A token's name cannot hold control or invisible characters.")
		}
	}
	return nil
}

// Tokens lists the caller's own tokens for a wiki, newest first.
func (s *Service) Tokens(ctx context.Context, a wiki.Access) ([]*Token, error) {
	if a.Role() < wiki.Viewer {
		return nil, errNoMember
	}
	return s.store.Tokens(ctx, a.Site().Slug, a.Caller().User.DID)
}

// RevokeToken ends one of the caller's own tokens at once.
func (s *Service) RevokeToken(ctx context.Context, a wiki.Access, id string) error {
	did := a.Caller().User.DID
	if did == "" {
		return wiki.Problemf(wiki.ErrDenied, "", "Sign in to revoke a token.")
	}
	if a.Caller().ReadOnly {
		return wiki.Problemf(wiki.ErrDenied, "", "This token may only read.")
	}
	return s.store.RevokeToken(ctx, did, a.Site().Slug, did, id)
}
