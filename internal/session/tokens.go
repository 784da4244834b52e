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

// Bearer says who is calling by "Authorization: Bearer": a wiki token (rwtf_…),
// or an access token of the authorization server. Without the header the caller
// is anonymous. What is refused is of kind wiki.ErrDenied and has a Cause; whether
// there is such a wiki does not enter into it.
func (s *Service) Bearer(r *http.Request, slug string) (wiki.Caller, error) {
	header := r.Header["Authorization"]
	if len(header) == 0 {
		return wiki.Caller{}, nil
	}
	scheme, secret, _ := strings.Cut(header[0], " ")
	secret = strings.TrimSpace(secret)
	if len(header) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return wiki.Caller{}, refuse(BadToken, "The Authorization header must be “Bearer” and a token of this wiki.")
	}
	if strings.HasPrefix(secret, tokenPrefix) {
		return s.byWikiToken(r.Context(), secret, slug)
	}
	if strings.Count(secret, ".") == 2 {
		return s.byAccessToken(r.Context(), secret, slug)
	}
	return wiki.Caller{}, refuse(BadToken, "This is no token of a wiki. One that you made yourself begins with %s.", tokenPrefix)
}

func (s *Service) byWikiToken(ctx context.Context, secret, slug string) (wiki.Caller, error) {
	unknown := refuse(UnknownToken, "This token is unknown, or was revoked.")
	if len(secret) != len(tokenPrefix)+base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return wiki.Caller{}, refuse(BadToken, "This token is not whole: it has other than %d characters.", len(tokenPrefix)+base64.RawURLEncoding.EncodedLen(tokenBytes))
	}
	token, err := s.store.Token(ctx, secret)
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return wiki.Caller{}, unknown
	case err != nil:
		return wiki.Caller{}, err
	case token.Slug != slug:
		return wiki.Caller{}, errOtherWiki
	}
	user, err := s.person(ctx, token.DID)
	if err != nil {
		return wiki.Caller{}, err
	}
	s.noteFailure(s.store.TokenUsed(ctx, token), "note the use of a token")
	return wiki.Caller{User: user, Agent: token.Name, Client: "token", Grant: token.ID, ReadOnly: token.ReadOnly, Wiki: token.Slug}, nil
}

var errOtherWiki = refuse(OtherWiki, "This token is for another wiki.")

func refuse(cause Cause, message string, args ...any) error {
	return Refuse(cause, wiki.Problemf(wiki.ErrDenied, "", message, args...))
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
