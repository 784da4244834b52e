package atproto

import (
	"net/url"
	"strings"
	"unicode"

	"github.com/bluesky-social/indigo/atproto/syntax"

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
