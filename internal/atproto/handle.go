package atproto

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"unicode"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// handleField is the sign-in form's field that Problems refer to.
const handleField = "handle"

// defaultHost completes a name without a dot.
const defaultHost = ".bsky.social"

// ParseIdentifier parses what people type or paste: a handle in any case,
// with or without @, a DID, an at:// URI, a profile URL, or a name without a
// dot, which is a Bluesky handle. It returns a lowercase handle or a DID;
// errors are Problems.
func ParseIdentifier(text string) (string, error) {
	id := strings.TrimSpace(stripInvisible(text))
	if id == "" {
		return "", wiki.WithCause("not a handle", wiki.Problemf(wiki.ErrInvalid, handleField, "Enter your handle, for example ada.bsky.social."))
	}
	id = identifierFromURL(id)
	id = strings.TrimPrefix(id, "@")
	if len(id) >= 4 && strings.EqualFold(id[:4], "did:") {
		return parseDID(id)
	}
	id = strings.ToLower(strings.TrimSuffix(id, "."))
	if name, host, ok := strings.Cut(id, "@"); ok && name != "" && host != "" {
		return "", wiki.WithCause("not a handle", wiki.Problemf(wiki.ErrInvalid, handleField, "That looks like an email address. Enter your handle, for example ada.bsky.social."))
	}
	if id != "" && !strings.Contains(id, ".") {
		id += defaultHost
	}
	handle, err := syntax.ParseHandle(id)
	if err != nil || handle.IsInvalidHandle() {
		return "", wiki.WithCause("not a handle", wiki.Problemf(wiki.ErrInvalid, handleField, "“%s” is not a handle. A handle looks like ada.bsky.social or ada.example.org.", truncateInput(text)))
	}
	if !handle.AllowedTLD() {
		return "", wiki.WithCause("not a handle", wiki.Problemf(wiki.ErrInvalid, handleField, "Handles can't end in .%s. A handle looks like ada.bsky.social or ada.example.org.", handle.TLD()))
	}
	return handle.String(), nil
}

// identifierFromURL extracts the account from a profile URL or at:// URI.
func identifierFromURL(id string) string {
	if rest, ok := strings.CutPrefix(id, "at://"); ok {
		rest, _, _ = strings.Cut(rest, "/")
		return rest
	}
	address := id
	if !strings.Contains(id, "://") {
		if !strings.Contains(id, "/") {
			return id
		}
		address = "https://" + id
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return id
	}
	if _, rest, ok := strings.Cut(u.Path, "/profile/"); ok {
		rest, _, _ = strings.Cut(rest, "/")
		return rest
	}
	if u.Path == "" || u.Path == "/" {
		return u.Host
	}
	return id
}

func parseDID(text string) (string, error) {
	wrong := wiki.WithCause("not a handle", wiki.Problemf(wiki.ErrInvalid, handleField, "“%s” is not a DID we support. Supported DIDs begin with did:plc: or did:web:.", truncateInput(text)))
	method, rest, _ := strings.Cut(text[len("did:"):], ":")
	did, err := syntax.ParseDID("did:" + strings.ToLower(method) + ":" + rest)
	if err != nil {
		return "", wrong
	}
	switch did.Method() {
	case "plc":
		did = syntax.DID(strings.ToLower(did.String()))
		if !isPLCIdentifier(did.Identifier()) {
			return "", wrong
		}
	case "web":
		did = syntax.DID(strings.ToLower(did.String()))
		if _, err := syntax.ParseHandle(did.Identifier()); err != nil {
			return "", wrong
		}
	default:
		return "", wrong
	}
	return did.String(), nil
}

// isPLCIdentifier reports whether s is 24 characters of base32
// (web.plc.directory/spec/v0.1/did-plc).
func isPLCIdentifier(s string) bool {
	if len(s) != 24 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// stripInvisible removes invisible characters: copied handles often contain
// direction marks.
func stripInvisible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Cc, r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, text)
}

// truncateInput shortens input before it is shown again.
func truncateInput(text string) string {
	letters := []rune(strings.TrimSpace(stripInvisible(text)))
	if len(letters) > 60 {
		return string(letters[:60]) + "…"
	}
	return string(letters)
}

// lookup resolves an account for an asker and verifies it in both directions. If
// id is a DID whose handle doesn't verify, the handle is handle.invalid. A result
// of the last 30 seconds is used again.
func (s *Service) lookup(ctx context.Context, asker limit.Caller, id string) (*identity.Identity, error) {
	if account, err, ok := s.recent.find(asker, id, s.now()); ok {
		return account, err
	}
	host := identifierHost(id)
	if err := s.limits.Lookup(asker, host); err != nil {
		return nil, fmt.Errorf("atproto: look up %s: %w", id, err)
	}
	account, err := s.directory.Lookup(ctx, syntax.AtIdentifier(id))
	if err != nil {
		err = fmt.Errorf("atproto: look up %s: %w: %w", id, err, lookupProblem(id, err))
	} else {
		s.limits.Found(host)
	}
	if ctx.Err() == nil {
		s.recent.add(asker, id, account, err, s.now())
	}
	return account, err
}

// identifierHost returns the host that an identifier's owner chose, or "" for a
// did:plc, which leads to the PLC directory.
func identifierHost(id string) string {
	if strings.HasPrefix(id, "did:plc:") {
		return ""
	}
	return strings.TrimPrefix(id, "did:web:")
}

// OtherHandle is the cause of a lookup's failure if the account at a handle uses
// another one; see wiki.CauseOf.
const OtherHandle = "handle of another name"

func lookupProblem(id string, err error) error {
	switch {
	case isTimeout(err):
		return wiki.WithCause("directory silent", wiki.Problemf(wiki.ErrInvalid, handleField, "The server responsible for %s isn't responding. Try again in a few minutes.", id))
	case errors.Is(err, identity.ErrHandleMismatch), errors.Is(err, identity.ErrHandleNotDeclared):
		return wiki.WithCause(OtherHandle, wiki.Problemf(wiki.ErrInvalid, handleField, "%s points to an account that uses another handle. Use that one, or correct the handle in the account's settings.", id))
	case errors.Is(err, identity.ErrHandleNotFound), errors.Is(err, identity.ErrDIDNotFound):
		return wiki.WithCause("nobody", wiki.Problemf(wiki.ErrNotFound, handleField, "No account found for %s. Check the spelling.", id))
	case errors.Is(err, identity.ErrHandleResolutionFailed):
		return wiki.WithCause("nobody", wiki.Problemf(wiki.ErrNotFound, handleField, "No account found for %s: its domain couldn't be reached or doesn't name an account. Check the spelling.", id))
	}
	return wiki.WithCause("unreadable account", wiki.Problemf(wiki.ErrInvalid, handleField, "The account of %s can't be read right now. Try again in a few minutes.", id))
}

// isTimeout reports whether a server took too long.
func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}
