package atproto

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/bluesky-social/indigo/atproto/auth/oauth"
	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"robot.wtf/internal/background"
	"robot.wtf/internal/limit"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// A Start is how a person wants to sign in.
type Start struct {
	Typed    string // a handle, DID or server, as typed
	AtServer bool   // at the account server, which offers the accounts it knows
	Create   bool   // with a new account at the account server
	Back     string // where to go afterwards; the caller checks it
	// Invitation is the code of an invitation to use up if the person has no account
	// here yet, or "".
	Invitation string
	// For is the local identity that proves an account to be theirs, or "" to sign in.
	For string
}

// Begin starts a sign-in. It returns the address at the person's own server to
// redirect the browser to, and sets a cookie to tie the sign-in to the browser.
// Errors wrap a Problem for the form. It returns within about 5 seconds.
func (s *Service) Begin(ctx context.Context, w http.ResponseWriter, r *http.Request, start Start) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	asker := limit.Visitor(r.RemoteAddr)
	leave, err := s.acquireSlot(ctx, asker)
	if err != nil {
		return "", err
	}
	defer leave()
	at, err := s.findTarget(ctx, asker, start)
	if err != nil {
		return "", err
	}
	signing, err := s.keys.signingKey()
	if err != nil {
		s.log.Error("rotating atproto keys failed", "err", err) // the old key still signs
	}
	request, err := pushRequest(ctx, s.client(signing), at)
	if err != nil {
		return "", fmt.Errorf("atproto: begin %s at %s: %w: %w", at.hint, at.server.Issuer, err, serverProblem(at.server.Issuer, err))
	}
	s.limits.Served(at.host)
	s.limits.Served(hostOf(at.server.Issuer))
	request.AccountDID = at.did
	pending := pendingSignIn{AuthRequestData: *request, Key: signing.id, Handle: at.handle, For: start.For}
	if start.Invitation != "" {
		pending.Invitation = store.InvitationHash(start.Invitation)
	}
	data, err := json.Marshal(pending)
	if err != nil {
		return "", err
	}
	err = s.store.AddSignIn(ctx, request.State, store.SignIn{Data: string(data), Back: start.Back, Expires: s.now().Add(s.lifetime)})
	if err != nil {
		return "", fmt.Errorf("atproto: begin: %w", err)
	}
	s.rememberState(w, r, request.State)
	query := url.Values{"client_id": {s.app.Config.ClientID}, "request_uri": {request.RequestURI}}
	return at.server.AuthorizationEndpoint + "?" + query.Encode(), nil
}

// pushRequest sends the request for a sign-in to a server (RFC 9126). Its hint lets the
// server preselect the account.
func pushRequest(ctx context.Context, app oauth.ClientApp, at target) (*oauth.AuthRequestData, error) {
	app, nonces := withNonces(app)
	if at.prompt != "" {
		nonces.next = promptAdder{nonces.next, at.prompt}
	}
	request, err := app.SendAuthRequest(ctx, at.server, app.Config.Scopes, at.hint)
	for retries := 2; errors.Is(err, errShortKey) || err != nil && nonces.refused && retries > 0; {
		if !errors.Is(err, errShortKey) {
			retries--
		}
		request, err = app.SendAuthRequest(ctx, at.server, app.Config.Scopes, at.hint)
	}
	if err == nil && request.RequestURI == "" {
		err = errors.New("no request_uri")
	}
	return request, err
}

// pendingSignIn is the data of a sign-in's row. Servers require that the
// code is redeemed with the client key of the request.
type pendingSignIn struct {
	oauth.AuthRequestData
	Key        string        `json:"key"`
	Handle     syntax.Handle `json:"handle,omitempty"`     // verified at the start, or handle.invalid
	Invitation []byte        `json:"invitation,omitempty"` // hash of its code
	For        string        `json:"for,omitempty"`        // Start.For
}

// authServer finds and checks the authorization server of an account, which
// can differ from the server that hosts it.
func (s *Service) authServer(ctx context.Context, account *identity.Identity) (*oauth.AuthServerMetadata, error) {
	host := account.PDSEndpoint()
	if err := endpointProblem(host); err != nil {
		return nil, err
	}
	if err := s.checkHost(ctx, hostOf(host)); err != nil {
		return nil, err
	}
	if err := s.limits.Server(hostOf(host)); err != nil {
		return nil, fmt.Errorf("atproto: server of %s: %w", account.DID, err)
	}
	issuer, err := s.app.Resolver.ResolveAuthServerURL(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("atproto: server of %s: %w: %w", account.DID, err, serverProblem(host, err))
	}
	return s.readServer(ctx, account.DID.String(), issuer)
}

// readServer reads and checks the metadata of the authorization server of an account or
// a host.
func (s *Service) readServer(ctx context.Context, of, issuer string) (*oauth.AuthServerMetadata, error) {
	if err := s.limits.Server(hostOf(issuer)); err != nil {
		return nil, fmt.Errorf("atproto: server of %s: %w", of, err)
	}
	server, err := s.app.Resolver.ResolveAuthServerMetadata(ctx, issuer)
	if err != nil {
		return nil, fmt.Errorf("atproto: server of %s: %w: %w", of, err, serverProblem(issuer, err))
	}
	for _, endpoint := range []string{server.AuthorizationEndpoint, server.TokenEndpoint, server.PushedAuthorizationRequestEndpoint, server.RevocationEndpoint} {
		if endpoint == "" && endpoint == server.RevocationEndpoint {
			continue // this one is optional
		}
		if !isPlainHTTPS(endpoint) {
			return nil, fmt.Errorf("atproto: server of %s: endpoint %q: %w", of, endpoint, serverProblem(issuer, nil))
		}
	}
	return server, nil
}

// endpointProblem refuses an account whose server can't take part in OAuth, because of
// the server's address.
func endpointProblem(address string) error {
	u, err := url.Parse(address)
	switch {
	case address == "":
		return wiki.WithCause("no server", wiki.Problemf(wiki.ErrInvalid, handleField, "This account has no server, so you can't sign in with it."))
	case err != nil || u.Scheme != "https" || u.Hostname() == "":
		return wiki.WithCause("server address", wiki.Problemf(wiki.ErrInvalid, handleField, "The server of this account has no https address, so you can't sign in with it. Its operators can change that."))
	case u.Port() != "":
		return wiki.WithCause("server address", wiki.Problemf(wiki.ErrInvalid, handleField, "This account lives at %s. Signing in works only with servers on the standard https port (443), without a port in their address. The server's operators can change that.", truncateInput(u.Host)))
	}
	return nil
}

// checkHost refuses the accounts of a host that the operator suspended.
func (s *Service) checkHost(ctx context.Context, host string) error {
	err := s.store.CheckHost(ctx, host)
	if errors.Is(err, wiki.ErrSuspended) {
		return suspendedHost(host)
	}
	if err != nil {
		return fmt.Errorf("atproto: %w", err)
	}
	return nil
}

func suspendedHost(host string) error {
	return wiki.WithCause("suspended host", wiki.Problemf(wiki.ErrSuspended, handleField, "The operator of this service has suspended all accounts at %s. Sign in with an account at another server, or ask the operator.", truncateInput(host)))
}

// hostOf returns the host name of an address in lowercase, or "".
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// isPlainHTTPS reports whether an address is https on the default port,
// without parts that could disguise its target.
func isPlainHTTPS(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.Port() == "" && u.User == nil &&
		u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && u.Opaque == ""
}

// serverProblem names the server at fault. It shows nothing that the server
// sent.
func serverProblem(address string, err error) error {
	host := cmp.Or(hostOf(address), address)
	if errors.Is(err, errNoOAuth) {
		return wiki.WithCause("no OAuth", wiki.Problemf(wiki.ErrInvalid, handleField, "%s, the server of this account, doesn't offer sign-in to other services (OAuth). Ask its operators to update it, or use an account at another server.", truncateInput(host)))
	}
	if err != nil && isTimeout(err) {
		return wiki.WithCause("server silent", wiki.Problemf(wiki.ErrInvalid, handleField, "%s, the server of this account, isn't responding. Try again in a few minutes.", truncateInput(host)))
	}
	return wiki.WithCause("server", wiki.Problemf(wiki.ErrInvalid, handleField, "%s, the server of this account, can't sign you in right now. Try again in a few minutes. If it keeps failing, contact its operators.", truncateInput(host)))
}

// Finish completes a sign-in from the request that the person's server sent
// the browser back with. It creates or updates the person's account and
// returns it with the address they wanted to go to. Errors wrap a Problem. A
// callback from the wrong browser changes nothing.
func (s *Service) Finish(ctx context.Context, w http.ResponseWriter, r *http.Request) (wiki.User, string, error) {
	p, err := s.Prove(ctx, w, r)
	if err != nil {
		return wiki.User{}, p.Back, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cleanupTimeout)
	defer cancel()
	user, err := s.admitUser(ctx, p)
	return user, p.Back, err
}

// A Proof is an account whose owner has just proved that it is theirs.
type Proof struct {
	Account wiki.User // its DID, handle and name
	Back    string    // Start.Back
	For     string    // Start.For

	host       string  // of the account's server
	profile    profile // as the account's owner wrote it
	invitation []byte  // hash of its code, or nil
}

// Prove is Finish without an account here: it creates and changes none. With an error,
// the proof has at most Back.
func (s *Service) Prove(ctx context.Context, w http.ResponseWriter, r *http.Request) (Proof, error) {
	query := r.URL.Query()
	state := query.Get("state")
	if state == "" || len(query["state"]) != 1 || len(query["iss"]) > 1 || len(query["code"]) > 1 {
		return Proof{}, wiki.WithCause("incomplete", wiki.Problemf(wiki.ErrInvalid, handleField, "This sign-in link is incomplete. Start again here."))
	}
	// Check the cookie before taking the state: otherwise a stranger could
	// use up someone's state by sending them here.
	if !s.isRememberedState(r, state) {
		return Proof{}, wiki.WithCause("another browser", wiki.Problemf(wiki.ErrDenied, handleField, "This sign-in was started in another browser, or too long ago. Start again here."))
	}
	s.forgetState(w, r, state)
	row, err := s.store.TakeSignIn(ctx, state)
	if errors.Is(err, wiki.ErrNotFound) {
		return Proof{}, errExpired
	}
	if err != nil {
		return Proof{}, fmt.Errorf("atproto: finish: %w", err)
	}
	p, err := s.completeSignIn(ctx, limit.Visitor(r.RemoteAddr), query, row)
	if err != nil {
		p = Proof{}
	}
	p.Back = row.Back
	return p, err
}

func (s *Service) completeSignIn(ctx context.Context, asker limit.Caller, query url.Values, row store.SignIn) (Proof, error) {
	f, err := s.resumeFlow(row)
	if err != nil {
		return Proof{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	leave, err := s.acquireSlot(ctx, asker)
	if err != nil {
		return Proof{}, err
	}
	defer leave()
	if err := s.findAgain(ctx, query, f); err != nil {
		return Proof{}, err
	}
	tokens, err := f.redeem(ctx, query)
	// From here on there can be tokens, which have to be revoked in any case. The
	// browser doesn't wait for that.
	s.revoking.Go(func() { s.revokeTokens(ctx, f) })
	after, cancelAfter := context.WithTimeout(context.WithoutCancel(ctx), s.cleanupTimeout)
	defer cancelAfter()
	server := f.request.AuthServerURL
	switch {
	case err != nil:
		return Proof{}, fmt.Errorf("atproto: finish at %s: %w: %w", server, err, s.callbackProblem(after, f, err))
	case len(tokens.Scopes) != 1 || tokens.Scopes[0] != Scope:
		return Proof{}, fmt.Errorf("atproto: finish at %s: granted %q: %w", server, tokens.Scopes, serverProblem(server, nil))
	}
	shown := s.fetchProfile(after, f.account)
	p := Proof{
		Account: wiki.User{DID: f.account.DID.String(), Handle: f.account.Handle.String(), Name: shown.name},
		For:     f.by, host: hostOf(f.account.PDSEndpoint()), profile: shown, invitation: f.invitation,
	}
	s.recent.forget(asker, p.Account.DID, p.Account.Handle)
	return p, nil
}

// resumeFlow restores a sign-in from its row.
func (s *Service) resumeFlow(row store.SignIn) (*flow, error) {
	var begun pendingSignIn
	if err := json.Unmarshal([]byte(row.Data), &begun); err != nil {
		return nil, fmt.Errorf("atproto: finish: %w", err)
	}
	keys, err := s.keys.publishedKeys()
	if err != nil {
		s.log.Error("rotating atproto keys failed", "err", err)
	}
	f := &flow{request: begun.AuthRequestData, handle: begun.Handle, invitation: begun.Invitation, by: begun.For, find: s.findChosen}
	for _, k := range keys {
		if k.id == begun.Key {
			f.app = s.client(k)
			f.app.Store, f.app.Dir = f, f
			return f, nil
		}
	}
	return nil, errExpired
}

var errExpired = wiki.WithCause("expired", wiki.Problemf(wiki.ErrGone, handleField, "This sign-in has expired or has already been used. Start again here."))

// findAgain looks up the account of a sign-in at its callback, before the code is
// spent. The handle that was verified at the start stays unless something contradicts
// it; a server that can't be asked doesn't.
func (s *Service) findAgain(ctx context.Context, query url.Values, f *flow) error {
	if query.Get("error") != "" || f.request.AccountDID == nil {
		return nil
	}
	account, err := s.readDocument(ctx, *f.request.AccountDID)
	if err != nil {
		return fmt.Errorf("atproto: finish: %w: %w", err, lookupProblem(f.request.AccountDID.String(), err))
	}
	account.Handle = s.verifiedHandle(ctx, account, f.handle)
	f.account = account
	return nil
}

// findChosen looks up the account that a person chose at a server. The library checks
// that the account leads back to that server.
func (s *Service) findChosen(ctx context.Context, did syntax.DID) (*identity.Identity, error) {
	account, err := s.readDocument(ctx, did)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, lookupProblem(did.String(), err))
	}
	account.Handle = s.verifiedHandle(ctx, account, "")
	return account, nil
}

// callbackProblem says why a sign-in failed. It leaves out
// error_description, which is a stranger's text.
func (s *Service) callbackProblem(ctx context.Context, f *flow, err error) error {
	server := f.request.AuthServerURL
	var refused *oauth.AuthRequestCallbackError
	var known *wiki.Problem
	if errors.As(err, &known) {
		return known
	}
	if !errors.As(err, &refused) {
		return s.accountProblem(ctx, f, serverProblem(server, err))
	}
	switch refused.ErrorCode {
	case "access_denied":
		return wiki.WithCause("declined", wiki.Problemf(wiki.ErrDenied, handleField, "You declined at your server, so you aren't signed in. Start again if that was a mistake."))
	case "invalid_request", "expired_token", "login_required":
		return wiki.WithCause("expired", wiki.Problemf(wiki.ErrGone, handleField, "Your server says that this sign-in has expired. Start again here."))
	}
	return s.accountProblem(ctx, f, serverProblem(server, nil))
}

// accountProblem explains a failed sign-in by the account's status, if that is why its
// server refused, and else returns the problem with the server.
func (s *Service) accountProblem(ctx context.Context, f *flow, problem error) error {
	if f.account == nil {
		return problem
	}
	status := s.accountStatus(ctx, f.account)
	err := statusError(status)
	if status == statusDeactivated {
		err = errDeactivated
	}
	if err != nil {
		return statusProblem(f.account.DID.String(), err)
	}
	return problem
}

// redeem exchanges the code in a callback for tokens, and checks them. It tries again
// if the server changed its nonce twice, for which no server spends the code.
func (f *flow) redeem(ctx context.Context, query url.Values) (*oauth.ClientSessionData, error) {
	app, nonces := withNonces(f.app)
	app.Client.Transport = tokenRecorder{next: nonces, flow: f}
	tokens, err := app.ProcessCallback(ctx, query)
	if err != nil && nonces.refused {
		f.request.DPoPAuthServerNonce = nonces.last
		tokens, err = app.ProcessCallback(ctx, query)
	}
	return tokens, err
}

// A flow is one sign-in at its callback. It is the library's store, in
// memory so that no token is ever stored, and its directory, which knows the one
// account.
type flow struct {
	identity.Directory // nil: the library only calls LookupDID
	app                oauth.ClientApp
	request            oauth.AuthRequestData
	handle             syntax.Handle           // verified at the start, or handle.invalid
	invitation         []byte                  // hash of its code, or nil
	by                 string                  // Start.For
	session            oauth.ClientSessionData // with tokens once they are issued
	account            *identity.Identity      // nil until it is known
	find               func(context.Context, syntax.DID) (*identity.Identity, error)
}

func (f *flow) LookupDID(ctx context.Context, did syntax.DID) (_ *identity.Identity, err error) {
	if f.account == nil {
		f.account, err = f.find(ctx, did)
	} else if f.account.DID != did {
		err = identity.ErrDIDNotFound
	}
	return f.account, err
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

func (f *flow) DeleteAuthRequestInfo(context.Context, string) error { return nil } // Finish took it

// holdTokens keeps issued tokens, before the response is checked.
func (f *flow) holdTokens(access, refresh string) {
	f.session = oauth.ClientSessionData{
		SessionID: f.request.State, AuthServerURL: f.request.AuthServerURL,
		AuthServerTokenEndpoint: f.request.AuthServerTokenEndpoint, AuthServerRevocationEndpoint: f.request.AuthServerRevocationEndpoint,
		AccessToken: access, RefreshToken: refresh,
		DPoPAuthServerNonce: f.request.DPoPAuthServerNonce, DPoPPrivateKeyMultibase: f.request.DPoPPrivateKeyMultibase,
	}
}

// revokeTokens revokes the tokens of a sign-in, if there are any. If it
// fails, they expire by themselves; nothing keeps them.
func (s *Service) revokeTokens(ctx context.Context, f *flow) {
	held := f.session
	if held.AccessToken == "" && held.RefreshToken == "" || held.AuthServerRevocationEndpoint == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cleanupTimeout)
	defer cancel()
	err := s.workers.Try(background.Job{Work: "revoke"}, func() error {
		session, err := f.app.ResumeSession(ctx, held.AccountDID, held.SessionID)
		if err != nil {
			return err
		}
		return session.RevokeSession(ctx)
	})
	if err != nil {
		s.log.Info("revoking tokens failed", "server", held.AuthServerURL, "err", err)
	}
}

// admitUser creates the person's account, or updates it: the DID is the
// identity, and handle, name and host are those of the latest sign-in. If the
// profile couldn't be read, the name stays as it was. An invitation admits a person
// without an account, who must have one if the operator asks for it.
func (s *Service) admitUser(ctx context.Context, p Proof) (wiki.User, error) {
	user := p.Account
	known, err := s.store.User(ctx, user.DID)
	invited := false
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		if invited = !s.admit(user); invited && (!s.byInvitation || p.invitation == nil) {
			return wiki.User{}, s.notAdmitted()
		}
	case err != nil:
		return wiki.User{}, fmt.Errorf("atproto: %w", err)
	case !p.profile.read:
		user.Name = known.Name
	}
	if invited {
		err = s.store.RecordInvitedSignIn(ctx, user, p.host, p.invitation)
	} else {
		err = s.store.RecordSignIn(ctx, user, p.host)
	}
	switch {
	case errors.Is(err, wiki.ErrSuspended):
		return wiki.User{}, suspendedHost(p.host)
	case errors.Is(err, wiki.ErrGone):
		return wiki.User{}, errInvitation
	case err != nil:
		return wiki.User{}, fmt.Errorf("atproto: %w", err)
	}
	s.keepAvatar(ctx, user.DID, p.profile)
	return s.store.User(ctx, user.DID)
}

// Causes of a refusal to create an account (wiki.CauseOf).
const (
	NotAdmitted    = "not admitted"
	InvitationGone = "invitation gone"
)

var errInvitation = wiki.WithCause(InvitationGone, wiki.Problemf(wiki.ErrGone, handleField, "This invitation can't be used: it was used before, has expired or was revoked. You aren't signed in. Ask the person who sent it for a new one."))

// notAdmitted refuses an account to a person without an invitation, or to anybody if
// the service has none.
func (s *Service) notAdmitted() error {
	message := "New accounts aren't open to everyone yet. The operator of this service can let you in."
	if s.byInvitation {
		message = "New accounts need an invitation. Ask someone who has a wiki here for an invitation link, and sign in from there."
	}
	return wiki.WithCause(NotAdmitted, wiki.Problemf(wiki.ErrDenied, handleField, "%s", message))
}

// flowCookie holds the hashes of this browser's pending states, so that two
// tabs can sign in. SameSite is Lax because the callback comes from another
// site.
const (
	flowCookie = "__Host-signin"
	maxFlows   = 3
)

func stateHash(state string) string {
	sum := sha256.Sum256([]byte(state))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func stateHashes(r *http.Request) []string {
	cookie, err := r.Cookie(flowCookie)
	if err != nil || cookie.Value == "" {
		return nil
	}
	list := strings.Split(cookie.Value, ".")
	return list[:min(len(list), maxFlows)]
}

func (s *Service) rememberState(w http.ResponseWriter, r *http.Request, state string) {
	list := append([]string{stateHash(state)}, stateHashes(r)...)
	s.setStateCookie(w, list[:min(len(list), maxFlows)])
}

func (s *Service) isRememberedState(r *http.Request, state string) bool {
	hash, found := stateHash(state), false
	for _, f := range stateHashes(r) {
		found = constantTimeEqual(f, hash) || found
	}
	return found
}

func (s *Service) forgetState(w http.ResponseWriter, r *http.Request, state string) {
	hash := stateHash(state)
	var rest []string
	for _, f := range stateHashes(r) {
		if !constantTimeEqual(f, hash) {
			rest = append(rest, f)
		}
	}
	s.setStateCookie(w, rest)
}

func (s *Service) setStateCookie(w http.ResponseWriter, list []string) {
	cookie := &http.Cookie{
		Name: flowCookie, Value: strings.Join(list, "."), Path: "/", MaxAge: int(s.lifetime.Seconds()),
		HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	}
	if len(list) == 0 {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}
