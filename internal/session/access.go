package session

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"robot.wtf/internal/wiki"
)

// The scopes of access tokens. Writing includes reading.
const (
	ScopeRead  = "wiki:read"
	ScopeWrite = "wiki:write"
	Scopes     = ScopeRead + " " + ScopeWrite
)

// accessClaims of an access token (RFC 9068, section 2.2). "sid" is the grant.
type accessClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"` // DID
	Audience string `json:"aud"` // one wiki's Resource
	Client   string `json:"client_id"`
	Scope    string `json:"scope"`
	Grant    string `json:"sid"`
	ID       string `json:"jti"`
	Issued   int64  `json:"iat"` // seconds
	Expires  int64  `json:"exp"`
}

// An AccessToken is what an access token says.
type AccessToken struct {
	DID      string
	Client   string // client id
	Grant    string // id
	Slug     string
	ReadOnly bool
	Expires  time.Time
}

// Issuer is who signs access tokens: the platform's origin.
func (s *Service) Issuer() string { return s.platform }

// Resource is the identifier of a wiki as a protected resource (RFC 8707), and
// the address of its MCP endpoint.
func (s *Service) Resource(slug string) string { return s.wikiOrigin(slug) + "/mcp" }

// Challenge is the WWW-Authenticate of an answer 401 (RFC 9728, section 5.1):
// where a client finds out how to get a token for a wiki. err is why its own was
// refused, nil when it sent none.
func (s *Service) Challenge(slug string, err error) string {
	c := `Bearer resource_metadata="` + s.wikiOrigin(slug) + `/.well-known/oauth-protected-resource/mcp", scope="` + Scopes + `"`
	var told *wiki.Problem
	if err != nil {
		c += `, error="invalid_token"`
		if errors.As(err, &told) && !strings.ContainsAny(told.Message, "\"\\") && ascii(told.Message) {
			c += `, error_description="` + told.Message + `"`
		}
	}
	return c
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// JWKS is the document of the keys that access tokens are signed with (RFC 7517).
func (s *Service) JWKS() ([]byte, error) { return s.keys().set() }

// SignAccess makes an access token, valid from now on.
func (s *Service) SignAccess(t AccessToken) (string, error) {
	scope := Scopes
	if t.ReadOnly {
		scope = ScopeRead
	}
	return s.keys().access.sign(accessClaims{
		Issuer: s.platform, Subject: t.DID, Audience: s.Resource(t.Slug), Client: t.Client, Scope: scope, Grant: t.Grant,
		ID: rand.Text(), Issued: s.now().Unix(), Expires: t.Expires.Unix(),
	})
}

// GrantOfAccess is the id of the grant and the client of an access token that
// was signed here, even if it has expired; wiki.ErrNotFound for anything else.
func (s *Service) GrantOfAccess(token string) (grant, client string, err error) {
	c, err := s.keys().access.verify(token)
	if err != nil || c.Issuer != s.platform {
		return "", "", wiki.ErrNotFound
	}
	return c.Grant, c.Client, nil
}

// byAccessToken takes nothing from the token but which grant it is of, until
// when, and that it may be for less than the grant: the grant is looked up each
// time, so what was revoked opens nothing any more.
func (s *Service) byAccessToken(ctx context.Context, token, slug string) (wiki.Caller, error) {
	c, err := s.keys().access.verify(token)
	now := s.now()
	switch {
	case err != nil || c.Issuer != s.platform || now.Add(time.Minute).Unix() < c.Issued:
		return wiki.Caller{}, refuse(BadToken, "This access token was not issued here.")
	case c.Audience != s.Resource(slug):
		return wiki.Caller{}, errOtherWiki
	case now.Unix() >= c.Expires:
		return wiki.Caller{}, refuse(Expired, "This access token has expired. Refresh it.")
	}
	grant, err := s.store.Grant(ctx, c.Grant)
	if err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return wiki.Caller{}, err
	}
	if err != nil || grant.DID != c.Subject || grant.Client != c.Client || grant.Slug != slug || !now.Before(grant.Expires) {
		return wiki.Caller{}, refuse(Revoked, "This access was revoked. Connect again.")
	}
	user, err := s.person(ctx, grant.DID)
	if err != nil {
		return wiki.Caller{}, err
	}
	s.noteFailure(s.store.GrantUsed(ctx, grant), "note the use of a grant")
	return wiki.Caller{
		User: user, Agent: grant.Name, Client: grant.Client, Grant: grant.ID, Wiki: grant.Slug,
		ReadOnly: grant.ReadOnly || !canWrite(c.Scope),
	}, nil
}

func canWrite(scope string) bool {
	for s := range strings.FieldsSeq(scope) {
		if s == ScopeWrite {
			return true
		}
	}
	return false
}
