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

// Token is a wiki token as its owner sees it. The secret is shown once, at
// creation.
type Token = store.Token

const (
	tokenPrefix = "rwtf_"
	tokenBytes  = 32
)

// Bearer authenticates a caller by "Authorization: Bearer" with a wiki token
// (rwtf_…, or one that was moved here with its wiki) or an access token of the authorization server. Without the
// header the caller is anonymous. Refusals are wiki.ErrDenied and have a
// Cause; they don't reveal whether the wiki exists.
func (s *Service) Bearer(r *http.Request, slug string) (wiki.Caller, error) {
	header := r.Header["Authorization"]
	if len(header) == 0 {
		return wiki.Caller{}, nil
	}
	scheme, secret, _ := strings.Cut(header[0], " ")
	secret = strings.TrimSpace(secret)
	if len(header) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return wiki.Caller{}, denied(BadToken, "The Authorization header must be “Bearer” and a token of this wiki.")
	}
	if strings.HasPrefix(secret, tokenPrefix) {
		return s.callerByWikiToken(r.Context(), secret, slug)
	}
	if strings.Count(secret, ".") == 2 {
		return s.callerByAccessToken(r.Context(), secret, s.ResourceAt(r, slug))
	}
	if isMovedSecret(secret) {
		return s.callerByMovedToken(r, secret, slug)
	}
	return wiki.Caller{}, errNoToken
}

var errNoToken = denied(BadToken, "This isn't a wiki token. Tokens that you create begin with %s.", tokenPrefix)

// callerByMovedToken is callerByWikiToken for a token of the service that this one
// replaces.
func (s *Service) callerByMovedToken(r *http.Request, secret, slug string) (wiki.Caller, error) {
	ctx := r.Context()
	caller, err := s.callerByToken(ctx, secret, slug)
	if CauseOf(err) != UnknownToken {
		return caller, err
	}
	switch adopted, err := s.adoptBcryptToken(ctx, secret, slug, r.RemoteAddr); {
	case err != nil:
		return wiki.Caller{}, err
	case adopted:
		return s.callerByToken(ctx, secret, slug)
	}
	return wiki.Caller{}, errNoToken
}

func (s *Service) callerByWikiToken(ctx context.Context, secret, slug string) (wiki.Caller, error) {
	if len(secret) != len(tokenPrefix)+base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return wiki.Caller{}, denied(BadToken, "This token is incomplete: a token has %d characters.", len(tokenPrefix)+base64.RawURLEncoding.EncodedLen(tokenBytes))
	}
	return s.callerByToken(ctx, secret, slug)
}

var errUnknownToken = denied(UnknownToken, "This token is unknown or was revoked.")

func (s *Service) callerByToken(ctx context.Context, secret, slug string) (wiki.Caller, error) {
	token, err := s.store.Token(ctx, secret)
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return wiki.Caller{}, errUnknownToken
	case err != nil:
		return wiki.Caller{}, err
	case token.Slug != slug:
		return wiki.Caller{}, errOtherWiki
	}
	user, err := s.activeUser(ctx, token.DID)
	if err != nil {
		return wiki.Caller{}, err
	}
	s.logFailure(s.store.RecordTokenUse(ctx, token), "recording the use of a token failed")
	return wiki.Caller{User: user, Agent: token.Name, Client: wiki.TokenClient, Grant: token.ID, ReadOnly: token.ReadOnly, Proposes: token.ReadOnly && token.Proposes, Wiki: token.Slug}, nil
}

var errOtherWiki = denied(OtherWiki, "This token is for another wiki.")

func denied(cause Cause, message string, args ...any) error {
	return Refuse(cause, wiki.Problemf(wiki.ErrDenied, "", message, args...))
}

var errTokensForMembers = wiki.Problemf(wiki.ErrDenied, "", "Only members of this wiki can create tokens for it.")

// MaxWikiTokens is the number of tokens per person and wiki.
const MaxWikiTokens = 20

// NewToken creates a token for a wiki in the caller's name and returns its
// secret, which isn't stored. The token ends with the caller's membership and, if
// the caller uses a personal token, with that token. Its name appears in the history
// of the edits made with it.
func (s *Service) NewToken(ctx context.Context, a wiki.Access, name string, mode wiki.Mode) (string, *Token, error) {
	name = strings.TrimSpace(name)
	if a.Role() < wiki.Viewer || a.Caller().Anonymous() {
		return "", nil, errTokensForMembers
	}
	if a.Role() < wiki.Editor && mode != wiki.ModeRead {
		return "", nil, wiki.Problemf(wiki.ErrDenied, "scope", "You can only read this wiki, so your tokens can't write either.")
	}
	if !a.Site().Allows(mode) {
		return "", nil, wiki.Problemf(wiki.ErrDenied, "scope", "The owner of this wiki gives agents and tokens fewer rights than that. Choose another.")
	}
	if a.Caller().Wiki != "" || a.Caller().ReadOnly {
		return "", nil, wiki.Problemf(wiki.ErrDenied, "", "This token can't create tokens. Sign in with a browser.")
	}
	if err := checkTokenName(name); err != nil {
		return "", nil, err
	}
	secret := newSecret(tokenPrefix)
	readOnly, proposes := mode.Flags()
	token := &Token{
		ID: rand.Text()[:16], Slug: a.Site().Slug, DID: a.Caller().User.DID,
		Name: name, ReadOnly: readOnly, Proposes: proposes, Created: s.now(),
	}
	if a.Caller().Session == "" {
		token.Parent = a.Caller().Grant
	}
	err := s.store.AddToken(ctx, secret, token, MaxWikiTokens)
	if err != nil {
		return "", nil, err
	}
	return secret, token, nil
}

func newSecret(prefix string) string {
	random := make([]byte, tokenBytes)
	rand.Read(random) // never fails
	return prefix + base64.RawURLEncoding.EncodeToString(random)
}

// checkTokenName refuses names that can't be part of a commit trailer.
func checkTokenName(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > 60 || !utf8.ValidString(name) {
		return wiki.Problemf(wiki.ErrInvalid, "name", "Give the token a name of at most 60 characters, so you can recognize it later.")
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return wiki.Problemf(wiki.ErrInvalid, "name", "A token's name can't contain control or invisible characters.")
		}
	}
	return nil
}

// Tokens lists the caller's own tokens for a wiki, newest first.
func (s *Service) Tokens(ctx context.Context, a wiki.Access) ([]*Token, error) {
	if a.Role() < wiki.Viewer {
		return nil, errTokensForMembers
	}
	return s.store.Tokens(ctx, a.Site().Slug, a.Caller().User.DID)
}

// RevokeToken revokes one of the caller's own tokens at once.
func (s *Service) RevokeToken(ctx context.Context, a wiki.Access, id string) error {
	did := a.Caller().User.DID
	if did == "" {
		return wiki.Problemf(wiki.ErrDenied, "", "Sign in to revoke a token.")
	}
	if a.Caller().ReadOnly {
		return wiki.Problemf(wiki.ErrDenied, "", "This token is read-only.")
	}
	return s.store.RevokeToken(ctx, did, a.Site().Slug, did, id)
}
