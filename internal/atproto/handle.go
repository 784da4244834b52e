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

	"robot.wtf/internal/wiki"
)

// handleField is the field of the sign-in form that problems are about.
const handleField = "handle"

// defaultHost completes a bare name.
const defaultHost = ".bsky.social"

// ParseIdentifier reads what people type or paste: a handle with or without @
// and in any case, a DID, an at:// address, the address of a profile, or a bare
// name, which is one of Bluesky's. It gives a handle in small letters or a DID;
// otherwise a Problem.
func ParseIdentifier(text string) (string, error) {
	id := strings.TrimSpace(visible(text))
	if id == "" {
		return "", wiki.WithCause("not a handle", wiki.Problemf(wiki.ErrInvalid, handleField, "Type your handle, such as ada.bsky.social."))
	}
	id = fromAddress(id)
	id = strings.TrimPrefix(id, "@")
	if len(id) >= 4 && strings.EqualFold(id[:4], "did:") {
		return parseDID(id)
	}
	id = strings.ToLower(strings.TrimSuffix(id, "."))
	if name, host, ok := strings.Cut(id, "@"); ok && name != "" && host != "" {
		return "", wiki.WithCause("not a handle", wiki.Problemf(wiki.ErrInvalid, handleField, "That looks like an email address. Type your handle, such as ada.bsky.social."))
	}
	if id != "" && !strings.Contains(id, ".") {
		id += defaultHost
	}
	handle, err := syntax.ParseHandle(id)
	if err != nil || handle.IsInvalidHandle() {
		return "", wiki.WithCause("not a handle", wiki.Problemf(wiki.ErrInvalid, handleField, "“%s” is not a handle. A handle looks like ada.bsky.social or ada.example.org.", clip(text)))
	}
	if !handle.AllowedTLD() {
		return "", wiki.WithCause("not a handle", wiki.Problemf(wiki.ErrInvalid, handleField, "No handle ends in .%s. A handle looks like ada.bsky.social or ada.example.org.", handle.TLD()))
	}
	return handle.String(), nil
}

// fromAddress is the account within the address of a profile.
func fromAddress(id string) string {
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
	wrong := wiki.WithCause("not a handle", wiki.Problemf(wiki.ErrInvalid, handleField, "“%s” is not a DID that we know. Those begin with did:plc: or did:web:.", clip(text)))
	method, rest, _ := strings.Cut(text[len("did:"):], ":")
	did, err := syntax.ParseDID("did:" + strings.ToLower(method) + ":" + rest)
	if err != nil {
		return "", wrong
	}
	switch did.Method() {
	case "plc":
		did = syntax.DID(strings.ToLower(did.String()))
		if !plcIdentifier(did.Identifier()) {
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

// plcIdentifier reports whether it is 24 characters of base32
// (web.plc.directory/spec/v0.1/did-plc).
func plcIdentifier(s string) bool {
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

// visible drops what cannot be seen: marks of direction come along when handles
// are copied.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Cc, r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, text)
}

// clip bounds what is shown again.
func clip(text string) string {
	letters := []rune(strings.TrimSpace(visible(text)))
	if len(letters) > 60 {
		return string(letters[:60]) + "…"
	}
	return string(letters)
}

// lookup finds an account, checked both ways. Its handle is handle.invalid when
// that was not what was asked for and does not lead back.
func (s *Service) lookup(ctx context.Context, id string) (*identity.Identity, error) {
	if err := s.askable(id); err != nil {
		return nil, err
	}
	account, err := s.directory.Lookup(ctx, syntax.AtIdentifier(id))
	if err != nil {
		return nil, fmt.Errorf("atproto: look up %s: %w: %w", id, err, lookupProblem(id, err))
	}
	return account, nil
}

// askable reports whether the host that an identifier leads to may be asked. A
// did:plc leads to the directory, which is there for that.
func (s *Service) askable(id string) error {
	if strings.HasPrefix(id, "did:plc:") {
		return nil
	}
	host := strings.TrimPrefix(id, "did:web:")
	if err := s.target(host); err != nil {
		return fmt.Errorf("atproto: look up %s: %w", id, err)
	}
	return nil
}

func lookupProblem(id string, err error) error {
	switch {
	case slow(err):
		return wiki.WithCause("directory silent", wiki.Problemf(wiki.ErrInvalid, handleField, "The server that should know %s does not answer. Try again in a few minutes.", id))
	case errors.Is(err, identity.ErrHandleMismatch), errors.Is(err, identity.ErrHandleNotDeclared):
		return wiki.WithCause("handle of another name", wiki.Problemf(wiki.ErrInvalid, handleField, "%s leads to an account that goes by another handle. Use that one, or put the handle right in the account's settings.", id))
	case errors.Is(err, identity.ErrHandleNotFound), errors.Is(err, identity.ErrDIDNotFound):
		return wiki.WithCause("nobody", wiki.Problemf(wiki.ErrNotFound, handleField, "Nobody answers to %s. Is it spelt right?", id))
	case errors.Is(err, identity.ErrHandleResolutionFailed):
		return wiki.WithCause("nobody", wiki.Problemf(wiki.ErrNotFound, handleField, "Nobody answers to %s: we could not ask its domain, or it gave no account. Is it spelt right?", id))
	}
	return wiki.WithCause("unreadable account", wiki.Problemf(wiki.ErrInvalid, handleField, "The account of %s cannot be read at the moment. Try again in a few minutes.", id))
}

// slow reports whether a server kept us waiting.
func slow(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}
