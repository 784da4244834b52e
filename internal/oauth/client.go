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

// wellKnown are the documents of clients that many people use, as they were
// reported in November 2026: with them a connection needs no fetch. They are for
// the addresses they list; for another one the real document is asked.
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

func seeded(id string) (*store.Client, bool) {
	for i := range wellKnown {
		if wellKnown[i].ID == id {
			c := wellKnown[i]
			c.Document, c.Auth = true, "none"
			return &c, true
		}
	}
	return nil, false
}

// isDocument reports whether a client id is the address of a document, as the
// draft of client ID metadata documents wants it (section 3): https, a path, no
// dot segments, fragment or user name; here also no query, no port, and none of
// our own hosts, whose pages anybody writes.
func (s *Service) isDocument(id string) bool {
	u, err := url.Parse(id)
	if err != nil || u.Scheme != "https" || u.Port() != "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Opaque != "" ||
		len(id) > 500 || strings.ContainsFunc(id, strange) || strings.Contains(id, "#") || u.String() != id {
		return false
	}
	host := u.Host
	if host == "" || host != strings.ToLower(host) || !strings.Contains(host, ".") || strings.HasSuffix(host, ".") || isAddress(host) || s.own(host) {
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

// client finds who asks for consent, with an address that the answer may go to.
// It fetches the documents of those who have one. A Problem says why not: the
// person sees it, for there is nobody else to tell.
func (s *Service) client(r *http.Request, id, redirect string) (*store.Client, error) {
	if c, ok := seeded(id); ok && permits(c, redirect) {
		return c, nil
	}
	if strings.HasPrefix(id, "https:") || strings.HasPrefix(id, "http:") {
		if !s.isDocument(id) {
			return nil, wiki.WithCause("client", problem(wiki.ErrInvalid, "The program that sent you here names itself by an address that cannot be a client's. Nothing was shared with it."))
		}
		return s.fetched(r, id)
	}
	c, err := s.o.Store.Client(r.Context(), id)
	if errors.Is(err, wiki.ErrNotFound) {
		return nil, wiki.WithCause("client", problem(wiki.ErrInvalid, "The program that sent you here is not known any more: programs that nobody let in are forgotten after a week. Remove the connection there and add it again."))
	}
	return c, err
}

// known finds a client that comes for a token, fetching nothing: somebody agreed
// to it before.
func (s *Service) known(ctx context.Context, id string) (*store.Client, error) {
	if c, ok := seeded(id); ok {
		return c, nil
	}
	c, err := s.o.Store.Client(ctx, id)
	if errors.Is(err, wiki.ErrNotFound) {
		return nil, errClient
	}
	return c, err
}

func permits(c *store.Client, redirect string) bool {
	for _, registered := range c.Redirects {
		if matchRedirect(registered, redirect) {
			return true
		}
	}
	return false
}

// authenticate finds the client of a request for a token (RFC 6749, sections
// 2.3.1 and 3.2.1): a public one by its id, others by their secret in the form
// or by Basic.
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
	c, err := s.known(r.Context(), id)
	if err != nil {
		return nil, err
	}
	// Who has a secret may send it either way: libraries differ in what they
	// registered and what they do.
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

// cleanName is a client's name for itself, fit for a page and for a commit's
// trailer: one line of up to 60 printable characters.
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
