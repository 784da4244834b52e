package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"robot.wtf/internal/session"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// browserCookie ties a request to the browser that started it.
const browserCookie = "__Host-oauth"

// A request is an authorization request, stored until the person decides.
type request struct {
	Client     string    `json:"client"`
	Name       string    `json:"name"`
	Document   bool      `json:"document"`
	Registered time.Time `json:"registered,omitzero"` // when the client was first seen
	Redirect   string    `json:"redirect"`
	State      string    `json:"state"`
	HasState   bool      `json:"has_state"`
	Challenge  string    `json:"challenge"`
	Slug       string    `json:"slug"`
	Domain     string    `json:"domain,omitempty"` // of the resource
	ReadOnly   bool      `json:"read_only"`        // the client asked for read access only
	Browser    string    `json:"browser"`          // hash of the browser's cookie
}

// Authorize handles an authorization request (RFC 6749, section 4.1.1, with
// PKCE and RFC 8707) and returns where to redirect the browser: to the
// consent page, or back to the client with an error. If the client or its
// redirect URI is invalid, it returns an error to show to the person, and
// nothing is sent to the client.
func (s *Service) Authorize(w http.ResponseWriter, r *http.Request) (to string, err error) {
	defer func() { s.countFailure("authorize", err) }()
	query := r.URL.Query()
	id, redirect := query.Get("client_id"), query.Get("redirect_uri")
	if len(query["client_id"]) != 1 || id == "" || len(query["redirect_uri"]) > 1 {
		return "", wiki.WithCause("no client", problem(wiki.ErrInvalid, "The program that sent you here didn't identify itself (client_id is missing). Nothing was shared with it."))
	}
	if s.o.Take != nil {
		if err := s.o.Take(r.RemoteAddr, ""); err != nil {
			return "", err
		}
	}
	c, err := s.resolveClient(r, id, redirect)
	if err != nil {
		return "", err
	}
	if redirect == "" && len(c.Redirects) == 1 {
		redirect = c.Redirects[0]
	}
	if redirect == "" || !permitsRedirect(c, redirect) || s.checkRedirect(redirect) != "" {
		return "", wiki.WithCause("redirect", problem(wiki.ErrInvalid, "The program that sent you here, %s, asked for a redirect to an address that it didn't register (redirect_uri). Nothing was shared with it.", clientName(c)))
	}
	q := request{Client: c.ID, Name: clientName(c), Document: c.Document, Registered: c.Created, Redirect: redirect, State: query.Get("state"), HasState: query.Has("state")}
	if err := s.readRequest(&q, query); err != nil {
		s.recordRequest(r, q.Slug, http.StatusBadRequest, refusalCause(err), "", q.Name)
		s.countFailure("authorize", err)
		return s.errorURL(q, err), nil
	}
	secret := rand.Text()
	q.Browser = hashBrowserSecret(s.browserSecret(w, r))
	data, err := json.Marshal(q)
	if err != nil {
		return "", err
	}
	err = s.o.Store.AddRequest(r.Context(), secret, string(data), s.networkShare(r), s.o.Now().Add(requestLifetime))
	if err != nil {
		return "", err
	}
	s.recordRequest(r, q.Slug, http.StatusSeeOther, "", "", q.Name)
	return s.Path(ConsentPath) + "?" + url.Values{"request": {secret}}.Encode(), nil
}

// countFailure counts a failed request by cause; a nil error isn't counted.
func (s *Service) countFailure(endpoint string, err error) {
	if err != nil {
		s.o.Failed(endpoint, failureCause(err))
	}
}

// clientName is the name a client gave itself, or else its redirect host.
func clientName(c *store.Client) string {
	if c.Name != "" || len(c.Redirects) == 0 {
		return c.Name
	}
	return redirectHost(c.Redirects[0])
}

// maxState limits the state parameter, which is sent back in a URL.
const maxState = 4096

// readRequest checks the parameters whose errors can be reported to the
// client.
func (s *Service) readRequest(q *request, query url.Values) *Error {
	if len(q.State) > maxState {
		q.State, q.HasState = "", false
		return newError("invalid_request", "The state is too long.")
	}
	var bad *Error
	if err := checkNoDuplicates(query); errors.As(err, &bad) {
		return bad
	}
	at, err := s.parseResources(query["resource"])
	if errors.As(err, &bad) {
		return bad
	}
	q.Slug, q.Domain = at.Slug, at.Domain
	switch {
	case query.Get("response_type") != "code":
		return newError("unsupported_response_type", "response_type must be code.")
	case query.Get("response_mode") != "" && query.Get("response_mode") != "query":
		return newError("invalid_request", "response_mode must be query.")
	case query.Has("request") || query.Has("request_uri"):
		return newError("request_not_supported", "Request objects are not supported. Send the parameters in the query.")
	case query.Get("code_challenge_method") != "S256":
		return newError("invalid_request", "PKCE is required: code_challenge_method must be S256.")
	case !validChallenge(query.Get("code_challenge")):
		return newError("invalid_request", "PKCE is required: code_challenge must be 43 characters of base64url.")
	case at.Slug == "":
		return newError("invalid_target", "The resource parameter is required, for example "+s.exampleResource()+".")
	case hasWord(query.Get("prompt"), "none"):
		return newError("interaction_required", "The user must give consent each time.")
	}
	q.Challenge = query.Get("code_challenge")
	scope := query.Get("scope")
	q.ReadOnly = hasWord(scope, session.ScopeRead) && !hasWord(scope, session.ScopeWrite)
	return nil
}

func hasWord(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}

// validChallenge reports whether text is a SHA-256 hash in base64url (RFC
// 7636, section 4.2).
func validChallenge(text string) bool {
	hash, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(hash) == sha256.Size
}

// errorURL is the redirect that reports an error to the client (RFC 6749,
// section 4.1.2.1).
func (s *Service) errorURL(q request, e *Error) string {
	return s.responseURL(q, url.Values{"error": {e.Code}, "error_description": {e.Text}})
}

// responseURL adds the issuer (RFC 9207) and the state to a redirect to the client.
func (s *Service) responseURL(q request, params url.Values) string {
	params.Set("iss", s.issuer)
	if q.HasState {
		params.Set("state", q.State)
	}
	return addParams(q.Redirect, params)
}

// browserSecret returns the secret in the browser's cookie and sets the
// cookie if it is missing.
func (s *Service) browserSecret(w http.ResponseWriter, r *http.Request) string {
	if secret := s.o.Session.CookieValue(r, browserCookie); len(secret) == len(rand.Text()) {
		return secret
	}
	secret := rand.Text()
	http.SetCookie(w, s.o.Session.Cookie(browserCookie, secret, int((24*time.Hour).Seconds())))
	return secret
}

func hashBrowserSecret(secret string) string {
	hash := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(hash[:])
}

// A ConsentPrompt is a pending request as the consent page shows it.
type ConsentPrompt struct {
	Secret   string // of the request, for the form
	Slug     string
	WikiHost string // that the agent will use: the wiki's subdomain or its own domain
	Name     string // what the client calls itself
	Client   string // its id without https:// if that is a URL; "" for a registered client, whose name is unverified
	Seen     time.Time
	Returns  string // "claude.ai", "localhost", "cursor:"
	Local    bool   // the redirect goes to a program on the person's own computer
	CanRead  bool   // the person can grant read access
	CanWrite bool   // the person can let the client edit
	// CanPropose says that they can let it propose.
	CanPropose bool
	Policy     string // sources for form-action: where the form redirects to
}

var errRequestOver = wiki.WithCause("over", problem(wiki.ErrGone, "This request has already been answered, has expired, or was started in another browser. Start again from your agent."))

// ConsentPrompt returns a request that this browser started. CanRead and
// CanWrite follow the caller's role as a member. For anyone else, a wiki
// that exists looks the same as one that doesn't.
func (s *Service) ConsentPrompt(r *http.Request, secret string, caller wiki.Caller) (*ConsentPrompt, error) {
	q, err := s.pendingRequest(r, secret)
	if err != nil {
		s.countFailure("consent", err)
		return nil, err
	}
	a := &ConsentPrompt{
		Secret: secret, Slug: q.Slug, WikiHost: s.hostOf(session.Resource{Slug: q.Slug, Domain: q.Domain}), Name: q.Name, Seen: q.Registered, Returns: redirectHost(q.Redirect), Policy: formAction(q.Redirect),
		Local: !strings.HasPrefix(q.Redirect, "https:"),
	}
	if q.Document {
		a.Client = strings.TrimPrefix(q.Client, "https://")
	}
	role, site, err := s.memberRole(r.Context(), q.Slug, caller)
	a.CanRead = role >= wiki.Viewer
	edits := role >= wiki.Editor && !q.ReadOnly
	a.CanWrite, a.CanPropose = edits && site.Allows(wiki.ModeEdit), edits && site.Allows(wiki.ModePropose)
	return a, err
}

// memberRole is the caller's role in a wiki as a signed-in member, or NoRole.
func (s *Service) memberRole(ctx context.Context, slug string, caller wiki.Caller) (wiki.Role, wiki.Site, error) {
	if caller.Session == "" || caller.User.DID == "" {
		return wiki.NoRole, wiki.Site{}, nil
	}
	access, err := s.o.Tenant.Resolve(ctx, slug, caller)
	if errors.Is(err, wiki.ErrNotFound) || err == nil && access.Role() < wiki.Viewer {
		return wiki.NoRole, wiki.Site{}, nil
	}
	return access.Role(), access.Site(), err
}

func (s *Service) pendingRequest(r *http.Request, secret string) (request, error) {
	var q request
	data, err := s.o.Store.Request(r.Context(), secret)
	if errors.Is(err, wiki.ErrNotFound) {
		return q, errRequestOver
	}
	if err != nil {
		return q, err
	}
	if err := json.Unmarshal([]byte(data), &q); err != nil {
		return q, err
	}
	secretOfBrowser := s.o.Session.CookieValue(r, browserCookie)
	if secretOfBrowser == "" || subtle.ConstantTimeCompare([]byte(hashBrowserSecret(secretOfBrowser)), []byte(q.Browser)) != 1 {
		return request{}, errRequestOver
	}
	return q, nil
}

// A Decision is the person's answer on the consent page.
type Decision struct {
	Secret string // of the request
	Person string // DID of the person the page was shown to
	Allow  bool
	Mode   wiki.Mode
}

// Decide records the person's decision, once, and returns where to redirect
// the browser: to the client, with a code (RFC 6749, section 4.1.2) or an
// error. It fails with ErrGone if the request is no longer pending, and with
// ErrDenied if the caller can't grant this; the request then stays pending.
func (s *Service) Decide(r *http.Request, caller wiki.Caller, v Decision) (to string, err error) {
	defer func() { s.countFailure("consent", err) }()
	ctx := r.Context()
	q, err := s.pendingRequest(r, v.Secret)
	if err != nil {
		return "", err
	}
	if caller.Session == "" || v.Person != caller.User.DID {
		return "", wiki.WithCause("another person", problem(wiki.ErrDenied, "You're signed in as a different user than the one this page was shown to, so nothing was shared. Check the account and answer again."))
	}
	if !v.Allow {
		if err := s.takeRequest(ctx, v.Secret); err != nil {
			return "", err
		}
		s.recordRequest(r, q.Slug, http.StatusSeeOther, Declined, "", q.Name)
		no := newError("access_denied", "The user denied the request.")
		s.countFailure("consent", no)
		return s.errorURL(q, no), nil
	}
	role, site, err := s.memberRole(ctx, q.Slug, caller)
	switch {
	case err != nil:
		return "", err
	case role < wiki.Viewer:
		return "", wiki.WithCause("not a member", problem(wiki.ErrDenied, "You aren't a member of that wiki, so you can't give anyone access to it."))
	case v.Mode != wiki.ModeRead && role < wiki.Editor:
		return "", wiki.WithCause("may only read", problem(wiki.ErrDenied, "You can only read this wiki, so you can't give %s more than read access.", q.Name))
	case !site.Allows(v.Mode):
		return "", wiki.WithCause("may only read", problem(wiki.ErrDenied, "The owner of this wiki gives agents fewer rights than that. Choose another."))
	case v.Mode != wiki.ModeRead && q.ReadOnly:
		return "", wiki.WithCause("more than asked", problem(wiki.ErrDenied, "%s asked for read access only.", q.Name))
	}
	if err := s.takeRequest(ctx, v.Secret); err != nil {
		return "", err
	}
	code := rand.Text() + rand.Text()
	readOnly, proposes := v.Mode.Flags()
	err = s.o.Store.AddConsent(ctx, code, store.Consent{
		Slug: q.Slug, Domain: q.Domain, DID: caller.User.DID, Client: q.Client, Name: q.Name, Host: redirectHost(q.Redirect),
		Redirect: q.Redirect, Challenge: q.Challenge, ReadOnly: readOnly, Proposes: proposes,
	}, s.o.Now().Add(codeLifetime))
	if err != nil {
		return "", err
	}
	return s.responseURL(q, url.Values{"code": {code}}), nil
}

// Declined is the cause shown for a request that the person denied.
const Declined session.Cause = "declined"

func (s *Service) takeRequest(ctx context.Context, secret string) error {
	err := s.o.Store.TakeRequest(ctx, secret)
	if errors.Is(err, wiki.ErrNotFound) {
		return errRequestOver
	}
	return err
}
