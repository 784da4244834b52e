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

// SSOStart runs on a wiki host. It sets the nonce cookie and returns the
// address on the platform host to redirect to. back is a path on this host.
func (s *Service) SSOStart(w http.ResponseWriter, r *http.Request, slug, back string) (string, error) {
	if err := wiki.CheckHost(slug); err != nil {
		return "", err
	}
	nonce := rand.Text()
	http.SetCookie(w, s.Cookie(nonceCookieName, nonce, int(codeLifetime.Seconds())))
	query := url.Values{"wiki": {slug}, "nonce": {hashNonce(nonce)}, "back": {LocalPath(back)}}
	return s.platform + "/auth/sso?" + query.Encode(), nil
}

// SSOGrant handles /auth/sso on the platform host. For a signed-in caller it
// returns the address on the wiki host with a one-time code (60 s, tied to
// host and nonce). It fails with ErrDenied if the caller isn't signed in,
// and with ErrInvalid for a bad request.
func (s *Service) SSOGrant(ctx context.Context, caller wiki.Caller, r *http.Request) (string, error) {
	query := r.URL.Query()
	slug, nonce := query.Get("wiki"), query.Get("nonce")
	if wiki.CheckHost(slug) != nil || len(nonce) != hex.EncodedLen(sha256.Size) {
		return "", wiki.Problemf(wiki.ErrInvalid, "", "This sign-in link is incomplete. Open the wiki again.")
	}
	if caller.Session == "" {
		return "", wiki.Problemf(wiki.ErrDenied, "", "You aren't signed in.")
	}
	secret := rand.Text()
	err := s.store.AddCode(ctx, secret, store.Code{
		SID: caller.Session, Slug: slug, Nonce: nonce,
		Back: LocalPath(query.Get("back")), Expires: s.now().Add(codeLifetime),
	})
	if err != nil {
		return "", err
	}
	return s.wikiOrigin(slug) + "/-/sso?" + url.Values{"code": {secret}}.Encode(), nil
}

// SSOReturn returns the address on the wiki host to send a browser back to
// that isn't signed in, and deletes the wrong hint cookie. It fails with
// ErrInvalid for a bad request.
func (s *Service) SSOReturn(w http.ResponseWriter, r *http.Request) (string, error) {
	query := r.URL.Query()
	slug := query.Get("wiki")
	if wiki.CheckHost(slug) != nil {
		return "", wiki.Problemf(wiki.ErrInvalid, "", "This sign-in link is incomplete. Open the wiki again.")
	}
	s.setHint(w, "", -1)
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
	case code.Slug != slug || !s.now().Before(code.Expires) || nonce == "",
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
