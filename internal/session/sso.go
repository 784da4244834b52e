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

// codeLifetime is how long a browser has for its way from the platform's host
// to the wiki's.
const codeLifetime = time.Minute

// SSOStart, on a wiki host, gives the address on the platform's host to send
// the browser to, and sets the nonce cookie. back is a path of this host.
func (s *Service) SSOStart(w http.ResponseWriter, r *http.Request, slug, back string) (string, error) {
	if err := wiki.CheckHost(slug); err != nil {
		return "", err
	}
	nonce := rand.Text()
	http.SetCookie(w, hostCookie(nonceCookie, nonce, int(codeLifetime.Seconds())))
	query := url.Values{"wiki": {slug}, "nonce": {nonceHash(nonce)}, "back": {LocalPath(back)}}
	return s.platform + "/auth/sso?" + query.Encode(), nil
}

// SSOGrant, on the platform's host, answers /auth/sso: for a signed-in caller
// the address on the wiki host with a one-time code (60 s, bound to host and
// nonce). ErrDenied when nobody is signed in, ErrInvalid for a bad request.
func (s *Service) SSOGrant(ctx context.Context, caller wiki.Caller, r *http.Request) (string, error) {
	query := r.URL.Query()
	slug, nonce := query.Get("wiki"), query.Get("nonce")
	if wiki.CheckHost(slug) != nil || len(nonce) != hex.EncodedLen(sha256.Size) {
		return "", wiki.Problemf(wiki.ErrInvalid, "", "This sign-in address is not complete. Open the wiki again.")
	}
	if caller.Session == "" {
		return "", wiki.Problemf(wiki.ErrDenied, "", "Nobody is signed in.")
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

// SSOReturn is where to send a browser that nobody is signed in with: back to
// the wiki, whose host it came from. It takes away the hint that was wrong.
// ErrInvalid for a bad request.
func (s *Service) SSOReturn(w http.ResponseWriter, r *http.Request) (string, error) {
	query := r.URL.Query()
	slug := query.Get("wiki")
	if wiki.CheckHost(slug) != nil {
		return "", wiki.Problemf(wiki.ErrInvalid, "", "This sign-in address is not complete. Open the wiki again.")
	}
	http.SetCookie(w, s.hint("", -1))
	return s.wikiOrigin(slug) + LocalPath(query.Get("back")), nil
}

// SSOFinish, on a wiki host, spends the code, sets the host's session cookie
// and gives the path to go back to.
func (s *Service) SSOFinish(ctx context.Context, w http.ResponseWriter, r *http.Request, slug string) (string, error) {
	nonce := cookieValue(r, nonceCookie)
	http.SetCookie(w, hostCookie(nonceCookie, "", -1))
	denied := wiki.Problemf(wiki.ErrDenied, "", "This sign-in was used already, has expired or belongs to another browser. Open the wiki again.")
	// Taken before anything is checked: a code that was tried is spent.
	code, err := s.store.TakeCode(ctx, r.URL.Query().Get("code"))
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return "", denied
	case err != nil:
		return "", err
	case code.Slug != slug || !s.now().Before(code.Expires) || nonce == "",
		subtle.ConstantTimeCompare([]byte(code.Nonce), []byte(nonceHash(nonce))) != 1:
		return "", denied
	}
	session, err := s.store.Session(ctx, code.SID)
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		return "", denied
	case err != nil:
		return "", err
	}
	return code.Back, s.setCookies(w, hostname(r.Host), session.DID, session.ID)
}

// nonceHash is what the platform's host gets to see of the nonce: who reads
// that address cannot make the cookie from it.
func nonceHash(nonce string) string {
	sum := sha256.Sum256([]byte(nonce))
	return hex.EncodeToString(sum[:])
}
