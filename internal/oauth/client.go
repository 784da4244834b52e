package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// wellKnown are the documents of popular clients as published in November
// 2026, so that connecting them needs no fetch. They only cover the redirect
// URIs they list; for any other, the live document is fetched.
var wellKnown = []store.Client{
	{
		ID: "https://claude.ai/oauth/mcp-oauth-client-metadata", Name: "Claude",
		Redirects: []string{"https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"},
	},
	{
		ID: "https://claude.ai/oauth/claude-code-client-metadata", Name: "Claude Code",
		Redirects: []string{"http://localhost/callback", "http://127.0.0.1/callback"},
	},
	{
		ID: "https://chatgpt.com/oauth/client.json", Name: "ChatGPT",
		Redirects: []string{"https://chatgpt.com/connector_platform_oauth_redirect"},
	},
	{
		ID: "https://vscode.dev/oauth/client-metadata.json", Name: "Visual Studio Code",
		Redirects: []string{"http://127.0.0.1/", "http://127.0.0.1:33418/", "https://vscode.dev/redirect", "https://insiders.vscode.dev/redirect"},
	},
}

func wellKnownClient(id string) (*store.Client, bool) {
	for i := range wellKnown {
		if wellKnown[i].ID == id {
			c := wellKnown[i]
			c.Document, c.Auth = true, "none"
			return &c, true
		}
	}
	return nil, false
}

// isDocument reports whether a client id is a valid URL of a client ID
// metadata document (draft-ietf-oauth-client-id-metadata-document, section
// 3): https, a path, no dot segments, fragment or user name. We also refuse
// a query, a port, and our own hosts, whose pages users write.
func (s *Service) isDocument(id string) bool {
	u, err := url.Parse(id)
	if err != nil || u.Scheme != "https" || u.Port() != "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Opaque != "" ||
		len(id) > 500 || strings.ContainsFunc(id, isUnsafeRune) || strings.Contains(id, "#") || u.String() != id {
		return false
	}
	host := u.Host
	if host == "" || host != strings.ToLower(host) || !strings.Contains(host, ".") || strings.HasSuffix(host, ".") || isIPAddress(host) || s.isOwnHost(host) {
		return false
	}
	path := u.EscapedPath()
	for segment := range strings.SplitSeq(path, "/") {
		if plain, err := url.PathUnescape(segment); err != nil || plain == "." || plain == ".." {
			return false
		}
	}
	return len(path) > 1
}

// resolveClient finds the client of an authorization request and fetches its
// document if it has one. Errors are Problems to show to the person.
func (s *Service) resolveClient(r *http.Request, id, redirect string) (*store.Client, error) {
	if c, ok := wellKnownClient(id); ok && permitsRedirect(c, redirect) {
		return c, nil
	}
	if strings.HasPrefix(id, "https:") || strings.HasPrefix(id, "http:") {
		if !s.isDocument(id) {
			return nil, wiki.WithCause("client", problem(wiki.ErrInvalid, "The program that sent you here identifies itself by an invalid address (client_id). Nothing was shared with it."))
		}
		return s.clientFromDocument(r, id)
	}
	c, err := s.o.Store.Client(r.Context(), id)
	if errors.Is(err, wiki.ErrNotFound) {
		return nil, wiki.WithCause("client", problem(wiki.ErrInvalid, "The program that sent you here isn't registered any more: registrations that nobody uses are deleted after a week. Remove the connection there and add it again."))
	}
	return c, err
}

// knownClient finds the client of a token request. It never fetches: the
// client was seen when the person gave consent.
func (s *Service) knownClient(ctx context.Context, id string) (*store.Client, error) {
	if c, ok := wellKnownClient(id); ok {
		return c, nil
	}
	c, err := s.o.Store.Client(ctx, id)
	if errors.Is(err, wiki.ErrNotFound) {
		return nil, errClient
	}
	return c, err
}

func permitsRedirect(c *store.Client, redirect string) bool {
	for _, registered := range c.Redirects {
		if matchRedirect(registered, redirect) {
			return true
		}
	}
	return false
}

// authenticate identifies the client of a token request (RFC 6749, sections
// 2.3.1 and 3.2.1): a public client by its id, a confidential one by its
// secret in the form or by Basic authentication.
func (s *Service) authenticate(r *http.Request, form url.Values) (*store.Client, error) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	method := "none"
	if secret != "" {
		method = "client_secret_post"
	}
	if header := r.Header.Get("Authorization"); header != "" {
		user, password, ok := r.BasicAuth()
		user, errU := url.QueryUnescape(user)
		password, errP := url.QueryUnescape(password)
		if !ok || errU != nil || errP != nil || secret != "" || id != "" && id != user {
			return nil, errClient
		}
		id, secret = user, password
		if secret != "" {
			method = "client_secret_basic"
		}
	}
	if id == "" {
		return nil, errClient
	}
	c, err := s.knownClient(r.Context(), id)
	if err != nil {
		return nil, err
	}
	// Accept a secret by either method: some libraries register one and use
	// the other.
	if (c.Auth == "none") != (method == "none") {
		return nil, errClient
	}
	if method != "none" {
		hash := sha256.Sum256([]byte(secret))
		if subtle.ConstantTimeCompare(hash[:], c.Secret) != 1 {
			return nil, errClient
		}
	}
	return c, nil
}

// cleanName makes a client's name safe for a page and for a commit trailer:
// one line of at most 60 printable characters.
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	if letters := []rune(name); len(letters) > 60 {
		name = strings.TrimSpace(string(letters[:59])) + "…"
	}
	return name
}
