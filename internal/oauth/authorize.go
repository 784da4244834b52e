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

// browserCookie binds requests to the browser that made them.
const browserCookie = "__Host-oauth"

// A request is what a client asks a person for, kept here until they answer.
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
	ReadOnly   bool      `json:"read_only"` // the client wants no more
	Browser    string    `json:"browser"`   // hash of its cookie
}

// Authorize reads an authorization request (RFC 6749, section 4.1.1, with PKCE
// and RFC 8707) and gives where to send the browser: to the consent page, or back
// to the client with what is wrong. A request that names no client, or an address
// that is none of the client's, is answered to nobody but the person: the error.
func (s *Service) Authorize(w http.ResponseWriter, r *http.Request) (to string, err error) {
	defer func() { s.count("authorize", err) }()
	query := r.URL.Query()
	id, redirect := query.Get("client_id"), query.Get("redirect_uri")
	if len(query["client_id"]) != 1 || id == "" || len(query["redirect_uri"]) > 1 {
		return "", wiki.WithCause("no client", problem(wiki.ErrInvalid, "The program that sent you here did not say who it is (client_id). Nothing was shared with it."))
	}
	if s.o.Take != nil {
		if err := s.o.Take(r.RemoteAddr, ""); err != nil {
			return "", err
		}
	}
	c, err := s.client(r, id, redirect)
	if err != nil {
		return "", err
	}
	if redirect == "" && len(c.Redirects) == 1 {
		redirect = c.Redirects[0]
	}
	if redirect == "" || !permits(c, redirect) || s.checkRedirect(redirect) != "" {
		return "", wiki.WithCause("redirect", problem(wiki.ErrInvalid, "The program that sent you here, %s, wants its answer at an address that it did not register (redirect_uri). Nothing was shared with it.", name(c)))
	}
	q := request{Client: c.ID, Name: name(c), Document: c.Document, Registered: c.Created, Redirect: redirect, State: query.Get("state"), HasState: query.Has("state")}
	if err := s.readRequest(&q, query); err != nil {
		s.note(r, q.Slug, http.StatusBadRequest, causeOf(err), "", q.Name)
		s.count("authorize", err)
		return s.refusal(q, err), nil
	}
	secret := rand.Text()
	q.Browser = browserHash(s.browserOf(w, r))
	data, err := json.Marshal(q)
	if err != nil {
		return "", err
	}
	err = s.o.Store.AddRequest(r.Context(), secret, string(data), s.o.Now().Add(requestLifetime))
	if err != nil {
		return "", err
	}
	s.note(r, q.Slug, http.StatusSeeOther, "", "", q.Name)
	return ConsentPath + "?" + url.Values{"request": {secret}}.Encode(), nil
}

// count tells monitors of a failure; nil is none.
func (s *Service) count(endpoint string, err error) {
	if err != nil {
		s.o.Failed(endpoint, causeFor(err))
	}
}

// name is what a client is called: by itself, else by where its answers go.
func name(c *store.Client) string {
	if c.Name != "" || len(c.Redirects) == 0 {
		return c.Name
	}
	return redirectHost(c.Redirects[0])
}

// maxState bounds the state that comes back in an address.
const maxState = 4096

// readRequest reads all that may be answered to the client.
func (s *Service) readRequest(q *request, query url.Values) *Error {
	if len(q.State) > maxState {
		q.State, q.HasState = "", false
		return fault("invalid_request", "The state is too long.")
	}
	var bad *Error
	if err := once(query); errors.As(err, &bad) {
		return bad
	}
	slug, err := s.slugOfAll(query["resource"])
	if errors.As(err, &bad) {
		return bad
	}
	q.Slug = slug
	switch {
	case query.Get("response_type") != "code":
		return fault("unsupported_response_type", "response_type is code.")
	case query.Get("response_mode") != "" && query.Get("response_mode") != "query":
		return fault("invalid_request", "response_mode is query.")
	case query.Has("request") || query.Has("request_uri"):
		return fault("request_not_supported", "Send the parameters themselves.")
	case query.Get("code_challenge_method") != "S256":
		return fault("invalid_request", "PKCE is needed: code_challenge_method is S256.")
	case !challenge(query.Get("code_challenge")):
		return fault("invalid_request", "PKCE is needed: code_challenge is 43 characters of base64url.")
	case slug == "":
		return fault("invalid_target", "Say which wiki: resource="+s.o.Session.Resource("ada")+".")
	case hasWord(query.Get("prompt"), "none"):
		return fault("interaction_required", "A person is asked each time.")
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

// challenge reports whether a text is a SHA-256 in base64url (RFC 7636, 4.2).
func challenge(text string) bool {
	hash, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(hash) == sha256.Size
}

// refusal is the address that tells a client what is wrong (RFC 6749, section
// 4.1.2.1; RFC 9207).
func (s *Service) refusal(q request, e *Error) string {
	return s.answer(q, url.Values{"error": {e.Code}, "error_description": {e.Text}})
}

func (s *Service) answer(q request, with url.Values) string {
	with.Set("iss", s.issuer)
	if q.HasState {
		with.Set("state", q.State)
	}
	return withAnswer(q.Redirect, with)
}

// browserOf is the browser's own secret, which it gets with its first request.
func (s *Service) browserOf(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(browserCookie); err == nil && len(c.Value) == len(rand.Text()) {
		return c.Value
	}
	secret := rand.Text()
	http.SetCookie(w, &http.Cookie{
		Name: browserCookie, Value: secret, Path: "/", MaxAge: int((24 * time.Hour).Seconds()),
		HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	})
	return secret
}

func browserHash(secret string) string {
	hash := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(hash[:])
}

// An Ask is a request as the consent page shows it.
type Ask struct {
	Secret   string // of the request, for the form
	Slug     string
	Name     string // what the client calls itself
	Client   string // its id, where that is an address; "" for a registration, whose name nobody has checked
	Seen     time.Time
	Returns  string // "claude.ai", "localhost", "cursor:"
	Local    bool   // the answer goes to a program on the person's own computer
	CanRead  bool   // the person may agree to reading
	CanWrite bool   // and to writing
	Policy   string // for form-action: where the form's answer leads
}

var errOver = wiki.WithCause("over", problem(wiki.ErrGone, "This request was answered already, has expired, or was made with another browser. Start again from your agent."))

// Ask finds a request that this browser made, as its person may answer it. They
// may agree to what they may do themselves, as members: others see the same of a
// wiki that exists as of one that does not.
func (s *Service) Ask(r *http.Request, secret string, caller wiki.Caller) (*Ask, error) {
	q, err := s.kept(r, secret)
	if err != nil {
		s.count("consent", err)
		return nil, err
	}
	a := &Ask{
		Secret: secret, Slug: q.Slug, Name: q.Name, Seen: q.Registered, Returns: redirectHost(q.Redirect), Policy: formAction(q.Redirect),
		Local: !strings.HasPrefix(q.Redirect, "https:"),
	}
	if q.Document {
		a.Client = strings.TrimPrefix(q.Client, "https://")
	}
	role, err := s.role(r.Context(), q.Slug, caller)
	a.CanRead = role >= wiki.Viewer
	a.CanWrite = role >= wiki.Editor && !q.ReadOnly
	return a, err
}

// role is the person's role as a member; NoRole for everybody else.
func (s *Service) role(ctx context.Context, slug string, caller wiki.Caller) (wiki.Role, error) {
	if caller.Session == "" || caller.User.DID == "" {
		return wiki.NoRole, nil
	}
	access, err := s.o.Tenant.Resolve(ctx, slug, caller)
	if errors.Is(err, wiki.ErrNotFound) || err == nil && access.Role() < wiki.Viewer {
		return wiki.NoRole, nil
	}
	return access.Role(), err
}

func (s *Service) kept(r *http.Request, secret string) (request, error) {
	var q request
	data, err := s.o.Store.Request(r.Context(), secret)
	if errors.Is(err, wiki.ErrNotFound) {
		return q, errOver
	}
	if err != nil {
		return q, err
	}
	if err := json.Unmarshal([]byte(data), &q); err != nil {
		return q, err
	}
	cookie, err := r.Cookie(browserCookie)
	if err != nil || subtle.ConstantTimeCompare([]byte(browserHash(cookie.Value)), []byte(q.Browser)) != 1 {
		return request{}, errOver
	}
	return q, nil
}

// A Verdict is what a person answers.
type Verdict struct {
	Secret string // of the request
	Person string // DID of whom the page was shown to
	Allow  bool
	Write  bool
}

// Decide answers a request, once, and gives where to send the browser: to the
// client, with a code (RFC 6749, section 4.1.2) or without. ErrGone when the
// request is over, ErrDenied for who may not agree to that; then it still waits.
func (s *Service) Decide(r *http.Request, caller wiki.Caller, v Verdict) (to string, err error) {
	defer func() { s.count("consent", err) }()
	ctx := r.Context()
	q, err := s.kept(r, v.Secret)
	if err != nil {
		return "", err
	}
	if caller.Session == "" || v.Person != caller.User.DID {
		return "", wiki.WithCause("another person", problem(wiki.ErrDenied, "You are not signed in as whom the page was shown to, so nothing was shared. Look again and answer once more."))
	}
	if !v.Allow {
		if err := s.take(ctx, v.Secret); err != nil {
			return "", err
		}
		s.note(r, q.Slug, http.StatusSeeOther, Declined, "", q.Name)
		no := fault("access_denied", "The person said no.")
		s.count("consent", no)
		return s.refusal(q, no), nil
	}
	role, err := s.role(ctx, q.Slug, caller)
	switch {
	case err != nil:
		return "", err
	case role < wiki.Viewer:
		return "", wiki.WithCause("not a member", problem(wiki.ErrDenied, "You are not a member of that wiki, so you cannot let anybody in."))
	case v.Write && role < wiki.Editor:
		return "", wiki.WithCause("may only read", problem(wiki.ErrDenied, "You may read this wiki, so you can let %s read it, and no more.", q.Name))
	case v.Write && q.ReadOnly:
		return "", wiki.WithCause("more than asked", problem(wiki.ErrDenied, "%s asked for no more than reading.", q.Name))
	}
	if err := s.take(ctx, v.Secret); err != nil {
		return "", err
	}
	code := rand.Text() + rand.Text()
	err = s.o.Store.AddConsent(ctx, code, store.Consent{
		Slug: q.Slug, DID: caller.User.DID, Client: q.Client, Name: q.Name, Host: redirectHost(q.Redirect),
		Redirect: q.Redirect, Challenge: q.Challenge, ReadOnly: !v.Write,
	}, s.o.Now().Add(codeLifetime))
	if err != nil {
		return "", err
	}
	return s.answer(q, url.Values{"code": {code}}), nil
}

// Declined is the cause of a request that the person said no to.
const Declined session.Cause = "declined"

func (s *Service) take(ctx context.Context, secret string) error {
	err := s.o.Store.TakeRequest(ctx, secret)
	if errors.Is(err, wiki.ErrNotFound) {
		return errOver
	}
	return err
}
