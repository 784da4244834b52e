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

// tokens is the answer to who exchanges something for tokens (RFC 6749, 5.1).
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
	wanted, err := s.slugOfAll(form["resource"])
	if err != nil {
		return err
	}
	if slug != "" { // a token of one wiki is not to be had at another's host
		if wanted == "" {
			wanted = slug
		}
		if wanted != slug {
			return fault("invalid_target", "This is the host of another wiki.")
		}
	}
	var g *store.Grant
	var refresh store.Refresh
	switch form.Get("grant_type") {
	case "authorization_code":
		g, refresh, err = s.byCode(r, form, client, wanted)
	case "refresh_token":
		g, refresh, err = s.byRefresh(r, form, client, wanted)
	case "":
		return fault("invalid_request", "grant_type is missing.")
	default:
		return fault("unsupported_grant_type", "grant_type is authorization_code or refresh_token.")
	}
	if err != nil {
		return err
	}
	return s.issue(w, r, g, refresh, narrowed(form.Get("scope")))
}

// narrowed reports whether scopes ask for reading alone. What else they ask for
// is dropped: clients send what they asked for at first.
func narrowed(scope string) bool {
	return hasWord(scope, session.ScopeRead) && !hasWord(scope, session.ScopeWrite)
}

func (s *Service) issue(w http.ResponseWriter, r *http.Request, g *store.Grant, refresh store.Refresh, readOnly bool) error {
	now := s.o.Now()
	expires := now.Add(s.o.Access)
	if g.Expires.Before(expires) {
		expires = g.Expires
	}
	readOnly = readOnly || g.ReadOnly
	access, err := s.o.Session.SignAccess(session.AccessToken{
		DID: g.DID, Client: g.Client, Grant: g.ID, Slug: g.Slug, ReadOnly: readOnly, Expires: expires,
	})
	if err != nil {
		return err
	}
	scope := session.Scopes
	if readOnly {
		scope = session.ScopeRead
	}
	s.note(r, g.Slug, http.StatusOK, "", g.Name, "")
	writeJSON(w, r, http.StatusOK, tokens{access, "Bearer", max(1, int64(expires.Sub(now)/time.Second)), refresh.Secret, scope})
	return nil
}

var (
	errCode    = fault("invalid_grant", "This code is unknown, expired, used already, or of another client.")
	errRefresh = fault("invalid_grant", "This refresh token is unknown, expired, or of another client. Connect again.")
	errTarget  = fault("invalid_target", "The person agreed to another wiki.")
)

// byCode exchanges an authorization code (RFC 6749, section 4.1.3). A code that
// was tried is spent, whoever tried it.
func (s *Service) byCode(r *http.Request, form url.Values, client *store.Client, wanted string) (*store.Grant, store.Refresh, error) {
	var refresh store.Refresh
	var of store.Consent
	g, err := s.o.Store.SpendCode(r.Context(), form.Get("code"), grantsEach, func(c store.Consent) (*store.Grant, store.Refresh, error) {
		of = c
		switch {
		case c.Client != client.ID:
			return nil, refresh, errCode.because("other client")
		case form.Has("redirect_uri") && form.Get("redirect_uri") != c.Redirect:
			return nil, refresh, fault("invalid_grant", "redirect_uri is not the one that the code was sent to.").because("redirect")
		case !verifies(form.Get("code_verifier"), c.Challenge):
			return nil, refresh, fault("invalid_grant", "code_verifier does not belong to the code_challenge.").because("verifier")
		case wanted != "" && wanted != c.Slug:
			return nil, refresh, errTarget
		}
		now := s.o.Now()
		g := &store.Grant{
			ID: rand.Text()[:16], Slug: c.Slug, DID: c.DID, Client: c.Client, Name: c.Name, Host: c.Host, ReadOnly: c.ReadOnly,
			Created: now, Expires: now.Add(GrantLifetime),
		}
		refresh = newRefresh(g, now)
		return g, refresh, nil
	})
	switch {
	case errors.Is(err, wiki.ErrGone):
		s.o.Log.WarnContext(r.Context(), "oauth: a code came twice, its grant has ended", "client", clip(client.ID), "agent", r.UserAgent())
		return nil, refresh, errCode.because("replayed")
	case errors.Is(err, wiki.ErrNotFound):
		return nil, refresh, errCode.because("unknown")
	case err != nil:
		s.note(r, of.Slug, http.StatusBadRequest, causeOf(err), "", of.Name)
	}
	return g, refresh, err
}

// causeOf is what is wrong, for whoever connects an agent.
func causeOf(err error) session.Cause {
	var told *Error
	if errors.As(err, &told) {
		return session.Cause(told.Text)
	}
	return ""
}

// verifies checks PKCE's proof (RFC 7636, section 4.6).
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

// byRefresh exchanges a refresh token for the next (RFC 9700, section 4.14.2).
func (s *Service) byRefresh(r *http.Request, form url.Values, client *store.Client, wanted string) (*store.Grant, store.Refresh, error) {
	var refresh store.Refresh
	g, err := s.o.Store.Rotate(r.Context(), form.Get("refresh_token"), refreshGrace, func(g *store.Grant) (store.Refresh, error) {
		switch {
		case g.Client != client.ID:
			return refresh, errRefresh.because("other client")
		case wanted != "" && wanted != g.Slug:
			return refresh, errTarget
		}
		refresh = newRefresh(g, s.o.Now())
		return refresh, nil
	})
	switch {
	case errors.Is(err, wiki.ErrGone):
		s.o.Log.WarnContext(r.Context(), "oauth: a refresh token came long after its successor, the grant has ended",
			"wiki", g.Slug, "grant", g.ID, "client", clip(g.Client), "agent", r.UserAgent())
		s.note(r, g.Slug, http.StatusBadRequest, session.Revoked, g.Name, "")
		return nil, refresh, errRefresh.because("replayed")
	case errors.Is(err, wiki.ErrNotFound):
		return nil, refresh, errRefresh.because("unknown")
	}
	return g, refresh, err
}

// revoke ends the grant of a token (RFC 7009): no other token of it is good any
// more either. What is no token is as good as revoked.
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
		return fault("invalid_request", "token is missing.")
	}
	g, err := s.grantOf(r, token)
	switch {
	case errors.Is(err, wiki.ErrNotFound):
	case err != nil:
		return err
	case g.Client != client.ID:
		return fault("invalid_grant", "This token is of another client.").because("other client")
	default:
		err := s.o.Store.RevokeGrant(r.Context(), g.DID, g.Slug, g.DID, g.ID)
		if err != nil && !errors.Is(err, wiki.ErrNotFound) {
			return err
		}
		s.note(r, g.Slug, http.StatusOK, "", g.Name, "")
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) grantOf(r *http.Request, token string) (*store.Grant, error) {
	if id, _, err := s.o.Session.GrantOfAccess(token); err == nil {
		return s.o.Store.Grant(r.Context(), id)
	}
	return s.o.Store.GrantOfRefresh(r.Context(), token)
}
