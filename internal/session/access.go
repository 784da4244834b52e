package session

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"robot.wtf/internal/wiki"
)

// Scopes of access tokens. Write includes read.
const (
	ScopeRead  = "wiki:read"
	ScopeWrite = "wiki:write"
	Scopes     = ScopeRead + " " + ScopeWrite
)

// accessClaims are the claims of an access token (RFC 9068, section 2.2).
// "sid" is the grant.
type accessClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"` // DID
	Audience string `json:"aud"` // URL of a Resource
	Client   string `json:"client_id"`
	Scope    string `json:"scope"`
	Grant    string `json:"sid"`
	ID       string `json:"jti"`
	Issued   int64  `json:"iat"` // seconds
	Expires  int64  `json:"exp"`
}

// An AccessToken is the content of an access token.
type AccessToken struct {
	DID      string
	Client   string // client id
	Grant    string // id
	Resource Resource
	ReadOnly bool
	Expires  time.Time
}

// Issuer returns the issuer of access tokens: the platform's origin.
func (s *Service) Issuer() string { return s.platform }

// Challenge returns the WWW-Authenticate header of a 401 response (RFC 9728,
// section 5.1). It tells a client where to find out how to get a token for the host of
// a wiki with an origin. err is why its token was refused, or nil if it sent none.
func (s *Service) Challenge(origin string, err error) string {
	c := `Bearer resource_metadata="` + origin + `/.well-known/oauth-protected-resource/mcp", scope="` + Scopes + `"`
	var problem *wiki.Problem
	if err != nil {
		c += `, error="invalid_token"`
		if errors.As(err, &problem) && !strings.ContainsAny(problem.Message, "\"\\") && isASCII(problem.Message) {
			c += `, error_description="` + problem.Message + `"`
		}
	}
	return c
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// JWKS returns the public keys that verify access tokens (RFC 7517).
func (s *Service) JWKS() ([]byte, error) { return s.keys().jwks() }

// SignAccess issues an access token that is valid from now on.
func (s *Service) SignAccess(t AccessToken) (string, error) {
	scope := Scopes
	if t.ReadOnly {
		scope = ScopeRead
	}
	return s.keys().access.sign(accessClaims{
		Issuer: s.platform, Subject: t.DID, Audience: s.URL(t.Resource), Client: t.Client, Scope: scope, Grant: t.Grant,
		ID: rand.Text(), Issued: s.now().Unix(), Expires: t.Expires.Unix(),
	})
}

// GrantOfAccess returns the grant id and the client of an access token that
// we signed, even if it has expired. For any other token it fails with
// wiki.ErrNotFound.
func (s *Service) GrantOfAccess(token string) (grant, client string, err error) {
	c, err := s.keys().access.verify(token)
	if err != nil || c.Issuer != s.platform {
		return "", "", wiki.ErrNotFound
	}
	return c.Grant, c.Client, nil
}

// callerByAccessToken looks the grant up on each call, so that a revoked
// grant gives no access. The token itself contributes only its grant, its
// expiry, and a scope that can narrow the grant.
func (s *Service) callerByAccessToken(ctx context.Context, token string, at Resource) (wiki.Caller, error) {
	c, err := s.keys().access.verify(token)
	now := s.now()
	switch {
	case err != nil || c.Issuer != s.platform || now.Add(time.Minute).Unix() < c.Issued:
		return wiki.Caller{}, denied(BadToken, "This access token wasn't issued by this service.")
	case c.Audience != s.URL(at):
		return wiki.Caller{}, errOtherWiki
	case now.Unix() >= c.Expires:
		return wiki.Caller{}, denied(Expired, "This access token has expired. Refresh it.")
	}
	grant, err := s.store.Grant(ctx, c.Grant)
	if err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return wiki.Caller{}, err
	}
	if err != nil || grant.DID != c.Subject || grant.Client != c.Client || grant.Slug != at.Slug || grant.Domain != at.Domain || !now.Before(grant.Expires) {
		return wiki.Caller{}, denied(Revoked, "This access was revoked. Connect again.")
	}
	user, err := s.activeUser(ctx, grant.DID)
	if err != nil {
		return wiki.Caller{}, err
	}
	s.logFailure(s.store.RecordGrantUse(ctx, grant), "recording the use of a grant failed")
	writes := hasWriteScope(c.Scope)
	return wiki.Caller{
		User: user, Agent: grant.Name, Client: grant.Client, Grant: grant.ID, Wiki: grant.Slug,
		ReadOnly: grant.ReadOnly || !writes, Proposes: grant.ReadOnly && grant.Proposes && writes,
	}, nil
}

func hasWriteScope(scope string) bool {
	for s := range strings.FieldsSeq(scope) {
		if s == ScopeWrite {
			return true
		}
	}
	return false
}
