package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"time"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// codeLifetime is how long a browser has to get from the platform host to
// the wiki host.
const codeLifetime = time.Minute

// handoverLifetime is how long a person has to sign in and to agree that they are signed
// in on a wiki's own domain.
const handoverLifetime = time.Hour

// SSOStart runs on a wiki host. It sets the nonce cookie and returns the
// address on the platform host to redirect to. back is a path on this host. The address
// names an own domain by its host, because strangers mustn't learn its wiki's slug.
func (s *Service) SSOStart(w http.ResponseWriter, r *http.Request, slug, back string) (string, error) {
	if err := wiki.CheckHost(slug); err != nil {
		return "", err
	}
	nonce, lifetime := rand.Text(), codeLifetime
	query := url.Values{"nonce": {hashNonce(nonce)}, "back": {LocalPath(back)}}
	if domain := s.Domain(r); domain != "" {
		lifetime = handoverLifetime
		query.Set("host", domain)
	} else {
		query.Set("wiki", slug)
	}
	http.SetCookie(w, s.Cookie(nonceCookieName, nonce, int(lifetime.Seconds())))
	return s.platform + "/auth/sso?" + query.Encode(), nil
}

// SSODomain returns the own domain that a browser asks to be signed in on at /auth/sso,
// or "" if it asks for a wiki's subdomain. It fails with ErrInvalid for a domain that
// isn't connected or doesn't work.
func (s *Service) SSODomain(r *http.Request) (string, error) {
	at, err := s.ssoTarget(r)
	return at.Domain, err
}

var errSSOLink = wiki.Problemf(wiki.ErrInvalid, "", "This sign-in link is incomplete. Open the wiki again.")

// ssoTarget returns the host that a request to /auth/sso names.
func (s *Service) ssoTarget(r *http.Request) (Resource, error) {
	query := r.URL.Query()
	if !query.Has("host") {
		slug := query.Get("wiki")
		if wiki.CheckHost(slug) != nil {
			return Resource{}, errSSOLink
		}
		return Resource{Slug: slug}, nil
	}
	d, err := s.store.DomainAt(r.Context(), query.Get("host"))
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return Resource{}, errSSOLink
	case err != nil:
		return Resource{}, err
	case !d.Works():
		return Resource{}, wiki.Problemf(wiki.ErrInvalid, "", "%s doesn't lead to this service any more, so you can't sign in there. Open the wiki from your dashboard.", d.Host)
	}
	return Resource{d.Slug, d.Host}, nil
}

// SSOGrant handles /auth/sso on the platform host. For a signed-in caller it
// returns the address on the wiki host with a one-time code (60 s, tied to
// host and nonce). For an own domain the request must be the form by which the person
// agreed. It fails with ErrDenied if the caller isn't signed in or hasn't agreed, and
// with ErrInvalid for a bad request.
func (s *Service) SSOGrant(ctx context.Context, caller wiki.Caller, r *http.Request) (string, error) {
	query := r.URL.Query()
	nonce := query.Get("nonce")
	at, err := s.ssoTarget(r)
	switch {
	case err != nil:
		return "", err
	case len(nonce) != hex.EncodedLen(sha256.Size):
		return "", errSSOLink
	case caller.Session == "":
		return "", wiki.Problemf(wiki.ErrDenied, "", "You aren't signed in.")
	case at.Domain != "" && r.Method != http.MethodPost:
		return "", wiki.Problemf(wiki.ErrDenied, "", "Continue to %s with the button.", at.Domain)
	}
	secret := rand.Text()
	err = s.store.AddCode(ctx, secret, store.Code{
		SID: caller.Session, Slug: at.Slug, Host: at.Domain, Nonce: nonce,
		Back: LocalPath(query.Get("back")), Expires: s.now().Add(codeLifetime),
	})
	if err != nil {
		return "", err
	}
	return s.originAt(at.Slug, at.Domain) + "/-/sso?" + url.Values{"code": {secret}}.Encode(), nil
}

// SSOReturn returns the address on a wiki's subdomain to send a browser back to
// that isn't signed in, and deletes the wrong hint cookie. It fails with
// ErrInvalid for a bad request.
func (s *Service) SSOReturn(w http.ResponseWriter, r *http.Request) (string, error) {
	query := r.URL.Query()
	slug := query.Get("wiki")
	if wiki.CheckHost(slug) != nil {
		return "", errSSOLink
	}
	s.setHint(w, s.host, "", -1)
	return s.wikiOrigin(slug) + LocalPath(query.Get("back")), nil
}

// SSOFinish runs on a wiki host. It uses the code, sets the host's session
// cookie and returns the path to go back to.
func (s *Service) SSOFinish(ctx context.Context, w http.ResponseWriter, r *http.Request, slug string) (string, error) {
	nonce := s.CookieValue(r, nonceCookieName)
	http.SetCookie(w, s.Cookie(nonceCookieName, "", -1))
	denied := wiki.Problemf(wiki.ErrDenied, "", "This sign-in has already been used, has expired or belongs to another browser. Open the wiki again.")
	// Take the code before checking it: a failed attempt also uses it up.
	code, err := s.store.TakeCode(ctx, r.URL.Query().Get("code"))
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return "", denied
	case err != nil:
		return "", err
	case code.Slug != slug || code.Host != s.Domain(r) || !s.now().Before(code.Expires) || nonce == "",
		subtle.ConstantTimeCompare([]byte(code.Nonce), []byte(hashNonce(nonce))) != 1:
		return "", denied
	}
	session, err := s.store.Session(ctx, code.SID)
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return "", denied
	case err != nil:
		return "", err
	}
	return code.Back, s.setCookies(w, requestHostname(r.Host), session)
}

// hashNonce is what the platform host sees of the nonce. The cookie can't be
// derived from it.
func hashNonce(nonce string) string {
	sum := sha256.Sum256([]byte(nonce))
	return hex.EncodeToString(sum[:])
}
