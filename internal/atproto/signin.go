package atproto

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/bluesky-social/indigo/atproto/auth/oauth"
	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// Begin starts a sign-in for what a person typed. It gives the address at the
// person's own server to send the browser to, and binds the browser by a
// cookie. back is where to go afterwards, checked by the caller. Errors wrap a
// Problem for the form; it answers within some 5 seconds.
func (s *Service) Begin(ctx context.Context, w http.ResponseWriter, r *http.Request, typed, back string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	leave, err := s.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	id, account, err := s.find(ctx, typed)
	if err != nil {
		return "", err
	}
	server, err := s.authServer(ctx, account)
	if err != nil {
		return "", err
	}
	signing, err := s.keys.current()
	if err != nil {
		s.log.Error("atproto: keys", "err", err) // the former one goes on
	}
	app := s.client(signing)
	// The hint is what was typed, so that their server can offer it.
	request, err := app.SendAuthRequest(ctx, server, app.Config.Scopes, id)
	for errors.Is(err, errShortKey) {
		request, err = app.SendAuthRequest(ctx, server, app.Config.Scopes, id)
	}
	if err != nil {
		return "", fmt.Errorf("atproto: begin %s at %s: %w: %w", id, server.Issuer, err, serverProblem(server.Issuer, err))
	}
	if request.RequestURI == "" {
		return "", fmt.Errorf("atproto: begin %s at %s: no request_uri: %w", id, server.Issuer, serverProblem(server.Issuer, nil))
	}
	request.AccountDID = &account.DID
	data, err := json.Marshal(underWay{*request, signing.id})
	if err != nil {
		return "", err
	}
	err = s.store.AddSignIn(ctx, request.State, store.SignIn{Data: string(data), Back: back, Expires: s.now().Add(s.lifetime)})
	if err != nil {
		return "", fmt.Errorf("atproto: begin: %w", err)
	}
	s.remember(w, r, request.State)
	query := url.Values{"client_id": {s.app.Config.ClientID}, "request_uri": {request.RequestURI}}
	return server.AuthorizationEndpoint + "?" + query.Encode(), nil
}

// underWay is what the row of a sign-in holds. Servers want the code redeemed
// with the key that it was asked for with.
type underWay struct {
	oauth.AuthRequestData
	Key string `json:"key"`
}

// authServer finds and checks the server that vouches for an account, which
// need not be the one that holds it.
func (s *Service) authServer(ctx context.Context, account *identity.Identity) (*oauth.AuthServerMetadata, error) {
	host := account.PDSEndpoint()
	if host == "" {
		return nil, wiki.WithCause("no server", wiki.Problemf(wiki.ErrInvalid, handleField, "This account lives on no server, so nobody can sign in with it."))
	}
	if u, err := url.Parse(host); err == nil {
		if err := s.target(u.Hostname()); err != nil {
			return nil, fmt.Errorf("atproto: server of %s: %w", account.DID, err)
		}
	}
	issuer, err := s.app.Resolver.ResolveAuthServerURL(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("atproto: server of %s: %w: %w", account.DID, err, serverProblem(host, err))
	}
	server, err := s.app.Resolver.ResolveAuthServerMetadata(ctx, issuer)
	if err != nil {
		return nil, fmt.Errorf("atproto: server of %s: %w: %w", account.DID, err, serverProblem(issuer, err))
	}
	for _, endpoint := range []string{server.AuthorizationEndpoint, server.TokenEndpoint, server.PushedAuthorizationRequestEndpoint, server.RevocationEndpoint} {
		if endpoint == "" && endpoint == server.RevocationEndpoint {
			continue // that one is optional
		}
		if !plainHTTPS(endpoint) {
			return nil, fmt.Errorf("atproto: server of %s: endpoint %q: %w", account.DID, endpoint, serverProblem(issuer, nil))
		}
	}
	return server, nil
}

// plainHTTPS reports whether an address is https on its usual port, with
// nothing that could hide where it leads.
func plainHTTPS(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.Port() == "" && u.User == nil &&
		u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && u.Opaque == ""
}

// serverProblem says which server is at fault; nothing that it said is shown.
func serverProblem(address string, err error) error {
	host := address
	if u, perr := url.Parse(address); perr == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	if err != nil && slow(err) {
		return wiki.WithCause("server silent", wiki.Problemf(wiki.ErrInvalid, handleField, "%s, where this account lives, does not answer. Try again in a few minutes.", clip(host)))
	}
	return wiki.WithCause("server", wiki.Problemf(wiki.ErrInvalid, handleField, "%s, where this account lives, cannot sign you in at the moment. Try again in a few minutes; if it stays, tell those who run it.", clip(host)))
}

// Finish ends a sign-in with what the person's server sent the browser back
// with. It gives the person, who now has an account here, and where they wanted
// to go. Errors wrap a Problem; those about the browser and the age of the
// sign-in leave nothing changed.
func (s *Service) Finish(ctx context.Context, w http.ResponseWriter, r *http.Request) (wiki.User, string, error) {
	query := r.URL.Query()
	state := query.Get("state")
	if state == "" || len(query["state"]) != 1 || len(query["iss"]) > 1 || len(query["code"]) > 1 {
		return wiki.User{}, "", wiki.WithCause("incomplete", wiki.Problemf(wiki.ErrInvalid, handleField, "This sign-in address is not complete. Begin again here."))
	}
	// Compared before the state is taken: a stranger who sends somebody here
	// must not be able to spend it.
	if !s.remembered(r, state) {
		return wiki.User{}, "", wiki.WithCause("another browser", wiki.Problemf(wiki.ErrDenied, handleField, "This sign-in was begun in another browser, or too long ago. Begin again here."))
	}
	s.forget(w, r, state)
	row, err := s.store.TakeSignIn(ctx, state)
	if errors.Is(err, wiki.ErrNotFound) {
		return wiki.User{}, "", errExpired
	}
	if err != nil {
		return wiki.User{}, "", fmt.Errorf("atproto: finish: %w", err)
	}
	user, err := s.finish(ctx, query, row)
	return user, row.Back, err
}

func (s *Service) finish(ctx context.Context, query url.Values, row store.SignIn) (wiki.User, error) {
	f, err := s.resume(row)
	if err != nil {
		return wiki.User{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	leave, err := s.enter(ctx)
	if err != nil {
		return wiki.User{}, err
	}
	defer leave()
	tokens, err := f.app.ProcessCallback(ctx, query)
	// From here on there may be tokens, and whatever happens they are revoked.
	var shown profile
	var work sync.WaitGroup
	after, cancelAfter := context.WithTimeout(context.WithoutCancel(ctx), s.after)
	defer cancelAfter()
	work.Go(func() { s.revoke(after, f) })
	server := f.request.AuthServerURL
	switch {
	case err != nil:
		err = fmt.Errorf("atproto: finish at %s: %w: %w", server, err, callbackProblem(server, err))
	case len(tokens.Scopes) != 1 || tokens.Scopes[0] != Scope:
		err = fmt.Errorf("atproto: finish at %s: granted %q: %w", server, tokens.Scopes, serverProblem(server, nil))
	default:
		shown = s.profileOf(after, f.account)
	}
	work.Wait()
	if err != nil {
		return wiki.User{}, err
	}
	user := wiki.User{DID: f.account.DID.String(), Handle: f.account.Handle.String()}
	return s.admitted(ctx, user, shown)
}

// resume makes a sign-in of what its row holds.
func (s *Service) resume(row store.SignIn) (*flow, error) {
	var begun underWay
	if err := json.Unmarshal([]byte(row.Data), &begun); err != nil {
		return nil, fmt.Errorf("atproto: finish: %w", err)
	}
	keys, err := s.keys.all()
	if err != nil {
		s.log.Error("atproto: keys", "err", err)
	}
	f := &flow{Directory: s.directory, request: begun.AuthRequestData}
	for _, k := range keys {
		if k.id == begun.Key {
			f.app = s.client(k)
			f.app.Store, f.app.Dir = f, f
			client := *f.app.Client
			client.Transport = issued{next: client.Transport, flow: f}
			f.app.Client = &client
			return f, nil
		}
	}
	return nil, errExpired
}

var errExpired = wiki.WithCause("expired", wiki.Problemf(wiki.ErrGone, handleField, "This sign-in has expired or was used already. Begin again here."))

// callbackProblem says why a sign-in failed. What the server says of itself
// (error_description) is a stranger's text and stays out.
func callbackProblem(server string, err error) error {
	var refused *oauth.AuthRequestCallbackError
	if !errors.As(err, &refused) {
		return serverProblem(server, err)
	}
	switch refused.ErrorCode {
	case "access_denied":
		return wiki.WithCause("declined", wiki.Problemf(wiki.ErrDenied, handleField, "You said no at your server, so nobody is signed in. Begin again if that was a mistake."))
	case "invalid_request", "expired_token", "login_required":
		return wiki.WithCause("expired", wiki.Problemf(wiki.ErrGone, handleField, "Your server says that this sign-in has expired. Begin again here."))
	}
	return serverProblem(server, nil)
}

// A flow is one sign-in at its callback: the library's store for it, in memory,
// so that no token is ever written down, and the directory that remembers whom
// it found.
type flow struct {
	identity.Directory
	app     oauth.ClientApp
	request oauth.AuthRequestData
	session oauth.ClientSessionData // with tokens as soon as there are any
	account *identity.Identity
}

func (f *flow) LookupDID(ctx context.Context, did syntax.DID) (*identity.Identity, error) {
	account, err := f.Directory.LookupDID(ctx, did)
	f.account = account
	return account, err
}

func (f *flow) GetSession(context.Context, syntax.DID, string) (*oauth.ClientSessionData, error) {
	return &f.session, nil
}

func (f *flow) SaveSession(_ context.Context, session oauth.ClientSessionData) error {
	f.session = session
	return nil
}

func (f *flow) DeleteSession(context.Context, syntax.DID, string) error { return nil }

func (f *flow) GetAuthRequestInfo(_ context.Context, state string) (*oauth.AuthRequestData, error) {
	if state != f.request.State {
		return nil, wiki.ErrNotFound
	}
	return &f.request, nil
}

func (f *flow) SaveAuthRequestInfo(context.Context, oauth.AuthRequestData) error { return nil }

func (f *flow) DeleteAuthRequestInfo(context.Context, string) error { return nil } // taken before

// hold keeps tokens that were issued, before anybody has looked at what came
// with them.
func (f *flow) hold(access, refresh string) {
	f.session = oauth.ClientSessionData{
		SessionID: f.request.State, AuthServerURL: f.request.AuthServerURL,
		AuthServerTokenEndpoint: f.request.AuthServerTokenEndpoint, AuthServerRevocationEndpoint: f.request.AuthServerRevocationEndpoint,
		AccessToken: access, RefreshToken: refresh,
		DPoPAuthServerNonce: f.request.DPoPAuthServerNonce, DPoPPrivateKeyMultibase: f.request.DPoPPrivateKeyMultibase,
	}
}

// revoke ends the tokens that a sign-in got, if it got any. It may fail: they
// are forgotten anyway, and end by themselves.
func (s *Service) revoke(ctx context.Context, f *flow) {
	held := f.session
	if held.AccessToken == "" && held.RefreshToken == "" || held.AuthServerRevocationEndpoint == "" {
		return
	}
	session, err := f.app.ResumeSession(ctx, held.AccountDID, held.SessionID)
	if err == nil {
		err = session.RevokeSession(ctx)
	}
	if err != nil {
		s.log.Info("atproto: revoke", "server", held.AuthServerURL, "err", err)
	}
}

// admitted gives the person their account, or refreshes it. A profile that could
// not be read stays as it was.
func (s *Service) admitted(ctx context.Context, user wiki.User, p profile) (wiki.User, error) {
	known, err := s.store.User(ctx, user.DID)
	user.Name = p.name
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		if !s.admit(user) {
			return wiki.User{}, wiki.WithCause("not admitted", wiki.Problemf(wiki.ErrDenied, handleField, "New accounts are not open to everybody yet. Who runs this service can let you in."))
		}
	case err != nil:
		return wiki.User{}, fmt.Errorf("atproto: %w", err)
	case !p.read:
		user.Name = known.Name
	}
	if err := s.store.SignedIn(ctx, user); err != nil {
		return wiki.User{}, fmt.Errorf("atproto: %w", err)
	}
	s.keepAvatar(ctx, user.DID, p)
	return s.store.User(ctx, user.DID)
}

// flowCookie holds the hashes of the states that this browser has begun, so
// that two tabs can sign in. It comes back from another site: Lax.
const (
	flowCookie = "__Host-signin"
	maxFlows   = 3
)

func stateHash(state string) string {
	sum := sha256.Sum256([]byte(state))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func flows(r *http.Request) []string {
	cookie, err := r.Cookie(flowCookie)
	if err != nil || cookie.Value == "" {
		return nil
	}
	list := strings.Split(cookie.Value, ".")
	return list[:min(len(list), maxFlows)]
}

func (s *Service) remember(w http.ResponseWriter, r *http.Request, state string) {
	list := append([]string{stateHash(state)}, flows(r)...)
	s.setFlows(w, list[:min(len(list), maxFlows)])
}

func (s *Service) remembered(r *http.Request, state string) bool {
	hash, found := stateHash(state), false
	for _, f := range flows(r) {
		found = same(f, hash) || found
	}
	return found
}

func (s *Service) forget(w http.ResponseWriter, r *http.Request, state string) {
	hash := stateHash(state)
	var rest []string
	for _, f := range flows(r) {
		if !same(f, hash) {
			rest = append(rest, f)
		}
	}
	s.setFlows(w, rest)
}

func (s *Service) setFlows(w http.ResponseWriter, list []string) {
	cookie := &http.Cookie{
		Name: flowCookie, Value: strings.Join(list, "."), Path: "/", MaxAge: int(s.lifetime.Seconds()),
		HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	}
	if len(list) == 0 {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}
