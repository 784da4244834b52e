// Package session says who is calling: cookies for browsers, bearer tokens for
// programs, and single sign-on from the platform's host to wiki hosts.
package session

import (
	"context"
	"net/http"

	"robot.wtf/internal/wiki"
)

// A Service knows the sessions and tokens of all people.
type Service struct{}

// Browser says who is calling by the host's own session cookie; anonymous
// without one, and with one that is expired, revoked or for another host.
func (s *Service) Browser(r *http.Request) wiki.Caller { panic("contract") }

// Bearer says who is calling by "Authorization: Bearer" (a wiki token rwtf_…).
// Without the header the caller is anonymous; a token that is unknown, revoked
// or for another wiki is ErrDenied.
func (s *Service) Bearer(r *http.Request, slug string) (wiki.Caller, error) { panic("contract") }

// SignIn starts a session on the platform's host, ending the one the browser
// may have, and sets its cookies.
func (s *Service) SignIn(ctx context.Context, w http.ResponseWriter, r *http.Request, u wiki.User) error {
	panic("contract")
}

// SignOut ends the session everywhere and clears this host's cookies.
func (s *Service) SignOut(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	panic("contract")
}

// SSOStart, on a wiki host, gives the address on the platform's host to send
// the browser to, and sets the nonce cookie. back is a path of this host.
func (s *Service) SSOStart(w http.ResponseWriter, r *http.Request, slug, back string) (string, error) {
	panic("contract")
}

// SSOGrant, on the platform's host, answers /auth/sso: for a signed-in caller
// the address on the wiki host with a one-time code (60 s, bound to host and
// nonce). ErrDenied when nobody is signed in, ErrInvalid for a bad request.
func (s *Service) SSOGrant(ctx context.Context, caller wiki.Caller, r *http.Request) (string, error) {
	panic("contract")
}

// SSOFinish, on a wiki host, spends the code, sets the host's session cookie
// and gives the path to go back to.
func (s *Service) SSOFinish(ctx context.Context, w http.ResponseWriter, r *http.Request, slug string) (string, error) {
	panic("contract")
}
