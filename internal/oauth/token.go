package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"time"

	"robot.wtf/internal/session"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// tokens is a successful token response (RFC 6749, section 5.1).
type tokens struct {
	Access  string `json:"access_token"`
	Kind    string `json:"token_type"`
	Expires int64  `json:"expires_in"` // seconds
	Refresh string `json:"refresh_token"`
	Scope   string `json:"scope"`
}

// token is the token endpoint.
func (s *Service) token(w http.ResponseWriter, r *http.Request, slug string) error {
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	client, err := s.authenticate(r, form)
	if err != nil {
		return err
	}
	wanted, err := s.parseResources(form["resource"])
	if err != nil {
		return err
	}
	if slug != "" { // a wiki's host issues tokens for itself only
		here := s.o.Session.ResourceAt(r, slug)
		if wanted.Slug == "" {
			wanted = here
		}
		if wanted != here {
			return newError("invalid_target", "The resource is not the wiki of this host.")
		}
	}
	var g *store.Grant
	var refresh store.Refresh
	switch form.Get("grant_type") {
	case "authorization_code":
		g, refresh, err = s.exchangeCode(r, form, client, wanted)
	case "refresh_token":
		g, refresh, err = s.exchangeRefresh(r, form, client, wanted)
	case "":
		return newError("invalid_request", "grant_type is required.")
	default:
		return newError("unsupported_grant_type", "grant_type must be authorization_code or refresh_token.")
	}
	if err != nil {
		return err
	}
	return s.issue(w, r, g, refresh, readOnlyScope(form.Get("scope")))
}

// resourceOf returns the host of a wiki that a grant's tokens are for.
func resourceOf(g *store.Grant) session.Resource {
	return session.Resource{Slug: g.Slug, Domain: g.Domain}
}

// readOnlyScope reports whether a scope asks for read access only. Unknown
// scopes are dropped, not refused: clients resend their first request.
func readOnlyScope(scope string) bool {
	return hasWord(scope, session.ScopeRead) && !hasWord(scope, session.ScopeWrite)
}

func (s *Service) issue(w http.ResponseWriter, r *http.Request, g *store.Grant, refresh store.Refresh, readOnly bool) error {
	now := s.o.Now()
	expires := now.Add(s.o.Access)
	if g.Expires.Before(expires) {
		expires = g.Expires
	}
	readOnly = readOnly || g.ReadOnly && !g.Proposes // proposing needs the scope to write
	access, err := s.o.Session.SignAccess(session.AccessToken{
		DID: g.DID, Client: g.Client, Grant: g.ID, Resource: resourceOf(g), ReadOnly: readOnly, Expires: expires,
	})
	if err != nil {
		return err
	}
	scope := session.Scopes
	if readOnly {
		scope = session.ScopeRead
	}
	s.recordRequest(r, g.Slug, http.StatusOK, "", g.Name, "")
	writeJSON(w, r, http.StatusOK, tokens{access, "Bearer", max(1, int64(expires.Sub(now)/time.Second)), refresh.Secret, scope})
	return nil
}

var (
	errCode    = newError("invalid_grant", "The code is unknown, expired, already used, or was issued to another client.")
	errRefresh = newError("invalid_grant", "The refresh token is unknown, expired, or was issued to another client. Connect again.")
	errTarget  = newError("invalid_target", "The user granted access to another wiki.")
)

// exchangeCode exchanges an authorization code (RFC 6749, section 4.1.3). A
// failed attempt also uses the code up. A second attempt ends the grant that
// the first one created.
func (s *Service) exchangeCode(r *http.Request, form url.Values, client *store.Client, wanted session.Resource) (*store.Grant, store.Refresh, error) {
	var refresh store.Refresh
	var consent store.Consent
	g, err := s.o.Store.SpendCode(r.Context(), form.Get("code"), maxGrantsPerClient, func(c store.Consent) (*store.Grant, store.Refresh, error) {
		consent = c
		switch {
		case c.Client != client.ID:
			return nil, refresh, errCode.withCause("other client")
		case form.Has("redirect_uri") && form.Get("redirect_uri") != c.Redirect:
			return nil, refresh, newError("invalid_grant", "redirect_uri does not match the authorization request.").withCause("redirect")
		case !verifies(form.Get("code_verifier"), c.Challenge):
			return nil, refresh, newError("invalid_grant", "code_verifier does not match the code_challenge.").withCause("verifier")
		case wanted.Slug != "" && wanted != session.Resource{Slug: c.Slug, Domain: c.Domain}:
			return nil, refresh, errTarget
		}
		now := s.o.Now()
		g := &store.Grant{
			ID: rand.Text()[:16], Slug: c.Slug, DID: c.DID, Client: c.Client, Name: c.Name, Host: c.Host, Domain: c.Domain, ReadOnly: c.ReadOnly, Proposes: c.Proposes,
			Created: now, Expires: now.Add(GrantLifetime),
		}
		refresh = newRefresh(g, now)
		return g, refresh, nil
	})
	switch {
	case errors.Is(err, wiki.ErrGone):
		s.o.Log.WarnContext(r.Context(), "authorization code replayed, grant revoked", "client", truncate(client.ID), "agent", r.UserAgent())
		return nil, refresh, errCode.withCause("replayed")
	case errors.Is(err, wiki.ErrNotFound):
		return nil, refresh, errCode.withCause("unknown")
	case err != nil:
		s.recordRequest(r, consent.Slug, http.StatusBadRequest, refusalCause(err), "", consent.Name)
	}
	return g, refresh, err
}

// refusalCause is the error's text as shown on the wiki's connect page.
func refusalCause(err error) session.Cause {
	var protocolErr *Error
	if errors.As(err, &protocolErr) {
		return session.Cause(protocolErr.Text)
	}
	return ""
}

// verifies checks the PKCE verifier (RFC 7636, section 4.6).
func verifies(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	hash := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(hash[:])), []byte(challenge)) == 1
}

func newRefresh(g *store.Grant, now time.Time) store.Refresh {
	expires := now.Add(RefreshLifetime)
	if g.Expires.Before(expires) {
		expires = g.Expires
	}
	return store.Refresh{Secret: "rwtr_" + rand.Text() + rand.Text(), Expires: expires}
}

// exchangeRefresh rotates a refresh token (RFC 9700, section 4.14.2). Using a
// rotated token after refreshGrace ends the grant.
func (s *Service) exchangeRefresh(r *http.Request, form url.Values, client *store.Client, wanted session.Resource) (*store.Grant, store.Refresh, error) {
	var refresh store.Refresh
	g, err := s.o.Store.Rotate(r.Context(), form.Get("refresh_token"), refreshGrace, func(g *store.Grant) (store.Refresh, error) {
		switch {
		case g.Client != client.ID:
			return refresh, errRefresh.withCause("other client")
		case wanted.Slug != "" && wanted != resourceOf(g):
			return refresh, errTarget
		}
		refresh = newRefresh(g, s.o.Now())
		return refresh, nil
	})
	switch {
	case errors.Is(err, wiki.ErrGone):
		s.o.Log.WarnContext(r.Context(), "refresh token replayed, grant revoked",
			"wiki", g.Slug, "grant", g.ID, "client", truncate(g.Client), "agent", r.UserAgent())
		s.recordRequest(r, g.Slug, http.StatusBadRequest, session.Revoked, g.Name, "")
		return nil, refresh, errRefresh.withCause("replayed")
	case errors.Is(err, wiki.ErrNotFound):
		return nil, refresh, errRefresh.withCause("unknown")
	}
	return g, refresh, err
}

// revoke ends the grant of a token, and with it all its tokens (RFC 7009).
// Revoking an unknown token succeeds.
func (s *Service) revoke(w http.ResponseWriter, r *http.Request, _ string) error {
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	client, err := s.authenticate(r, form)
	if err != nil {
		return err
	}
	token := form.Get("token")
	if token == "" {
		return newError("invalid_request", "token is required.")
	}
	g, err := s.grantOfToken(r, token)
	switch {
	case errors.Is(err, wiki.ErrNotFound):
	case err != nil:
		return err
	case g.Client != client.ID:
		return newError("invalid_grant", "The token was issued to another client.").withCause("other client")
	default:
		err := s.o.Store.RevokeGrant(r.Context(), g.DID, g.Slug, g.DID, g.ID)
		if err != nil && !errors.Is(err, wiki.ErrNotFound) {
			return err
		}
		s.recordRequest(r, g.Slug, http.StatusOK, "", g.Name, "")
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) grantOfToken(r *http.Request, token string) (*store.Grant, error) {
	if id, _, err := s.o.Session.GrantOfAccess(token); err == nil {
		return s.o.Store.Grant(r.Context(), id)
	}
	return s.o.Store.GrantOfRefresh(r.Context(), token)
}
