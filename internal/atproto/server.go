package atproto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/bluesky-social/indigo/atproto/auth/oauth"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// defaultAccountServer is where people without an account get one, unless the operator
// chose another server.
const defaultAccountServer = "https://bsky.social"

// appHost is a web app that people enter when they mean the default account server.
const appHost = "bsky.app"

// AccountServer returns the name of the server for people who don't enter an account.
func (s *Service) AccountServer() string {
	if s.accountServer == defaultAccountServer {
		return "Bluesky"
	}
	return hostOf(s.accountServer)
}

// A target is where a sign-in starts: at the server of an account, or at a server that
// offers the accounts it knows.
type target struct {
	server *oauth.AuthServerMetadata
	host   string        // of the account's server, or of the server
	did    *syntax.DID   // nil if the person chooses the account there
	handle syntax.Handle // verified, or handle.invalid
	hint   string        // identifier of the account, or ""
	prompt string        // "create" for a new account, or ""
}

// findTarget returns where the sign-in of a person starts.
func (s *Service) findTarget(ctx context.Context, asker limit.Caller, start Start) (target, error) {
	if start.Create || start.AtServer {
		return s.targetServer(ctx, hostOf(s.accountServer), start.Create)
	}
	id, err := ParseIdentifier(start.Typed)
	if err == nil && (id == hostOf(s.accountServer) || id == appHost && s.accountServer == defaultAccountServer) {
		return s.targetServer(ctx, hostOf(s.accountServer), false)
	}
	id, account, err := s.findAccount(ctx, asker, start.Typed)
	if errors.Is(err, wiki.ErrNotFound) && id != "" && !strings.HasPrefix(id, "did:") {
		if at, err := s.targetServer(ctx, id, false); err == nil {
			return at, nil
		}
	}
	if err != nil {
		return target{}, err
	}
	server, err := s.authServer(ctx, account)
	if err != nil {
		return target{}, err
	}
	return target{server: server, host: hostOf(account.PDSEndpoint()), did: &account.DID, handle: account.Handle, hint: id}, nil
}

// targetServer starts at a server, without an account.
func (s *Service) targetServer(ctx context.Context, host string, create bool) (target, error) {
	server, err := s.serverAt(ctx, host)
	if err != nil {
		return target{}, err
	}
	at := target{server: server, host: host, handle: syntax.HandleInvalid}
	if create && s.supportsCreate(ctx, server) {
		at.prompt = "create"
	}
	return at, nil
}

// serverAt returns the authorization server at a host: the host itself, or the one that
// it names as an account's server.
func (s *Service) serverAt(ctx context.Context, host string) (*oauth.AuthServerMetadata, error) {
	if err := s.checkHost(ctx, host); err != nil {
		return nil, err
	}
	if err := s.limits.Server(host); err != nil {
		return nil, fmt.Errorf("atproto: server %s: %w", host, err)
	}
	issuer := "https://" + host
	var resource struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
	}
	err := s.readMetadata(ctx, issuer+"/.well-known/oauth-protected-resource", &resource)
	// Servers also answer at the handles of their accounts.
	if err == nil && resource.Resource == issuer && len(resource.Servers) > 0 {
		issuer = resource.Servers[0]
	}
	return s.readServer(ctx, host, issuer)
}

// readMetadata decodes a document of a server, without following redirects.
func (s *Service) readMetadata(ctx context.Context, address string, document any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", userAgent)
	resp, err := s.app.Resolver.Client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d", address, resp.StatusCode)
	}
	return json.NewDecoder(resp.Body).Decode(document) // bounded by outbound
}

// supportsCreate reports whether a server can create an account during a sign-in
// (openid.net/specs/openid-connect-prompt-create-1_0.html).
func (s *Service) supportsCreate(ctx context.Context, server *oauth.AuthServerMetadata) bool {
	var metadata struct {
		Prompts []string `json:"prompt_values_supported"`
	}
	err := s.readMetadata(ctx, server.Issuer+"/.well-known/oauth-authorization-server", &metadata)
	return err == nil && slices.Contains(metadata.Prompts, "create")
}

// A promptAdder adds a prompt to a pushed request, which the library can't. The proof of
// possession doesn't cover the body.
type promptAdder struct {
	next   http.RoundTripper
	prompt string
}

func (p promptAdder) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	text := string(body) + "&prompt=" + url.QueryEscape(p.prompt)
	r = r.Clone(r.Context())
	r.Body, r.ContentLength, r.GetBody = io.NopCloser(strings.NewReader(text)), int64(len(text)), nil
	return p.next.RoundTrip(r)
}

// Limits of completing handles.
const (
	minCompletion  = 3  // letters that were typed
	maxCompletion  = 64 // letters
	maxCompletions = 6  // results
)

// Complete returns accounts whose handle or name begins with what a person typed, as the
// handle resolver knows them. They aren't verified. It returns none for less than three
// letters, and if the operator switched it off.
func (s *Service) Complete(ctx context.Context, remote, typed string) ([]wiki.User, error) {
	typed = strings.TrimLeft(plain(typed), "@")
	if n := len([]rune(typed)); !s.completes || n < minCompletion || n > maxCompletion || strings.ContainsAny(typed, ":/") {
		return nil, nil
	}
	if err := s.limits.Completion(remote); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.resolveTimeout)
	defer cancel()
	leave, err := s.acquireSlot(ctx, limit.Visitor(remote))
	if err != nil {
		return nil, err
	}
	defer leave()
	var answer struct {
		Actors []struct {
			DID, Handle, DisplayName string
		}
	}
	query := url.Values{"q": {typed}, "limit": {fmt.Sprint(maxCompletions)}}
	if err := s.query(ctx, s.resolver, "app.bsky.actor.searchActorsTypeahead", query, &answer); err != nil {
		return nil, fmt.Errorf("atproto: complete: %w: %w", err, wiki.Problemf(wiki.ErrUnavailable, handleField, "Handles can't be completed right now."))
	}
	var found []wiki.User
	for _, a := range answer.Actors[:min(len(answer.Actors), maxCompletions)] {
		handle, err := syntax.ParseHandle(strings.ToLower(a.Handle))
		if err == nil && handle.AllowedTLD() && !handle.IsInvalidHandle() {
			found = append(found, wiki.User{DID: a.DID, Handle: handle.String(), Name: cleanName(a.DisplayName)})
		}
	}
	return found, nil
}

// Completes reports whether Complete finds anything.
func (s *Service) Completes() bool { return s.completes }
