package atproto

import (
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"golang.org/x/net/idna"

	"robot.wtf/internal/wiki"
)

// handleField is the sign-in form's field that Problems refer to.
const handleField = "handle"

// defaultHost completes a name without a dot.
const defaultHost = ".bsky.social"

// ParseIdentifier parses what people type or paste: a handle in any case,
// with or without @, quotes and brackets, a DID, an at:// URI, an address of a
// profile, or a name without a dot, which is a Bluesky handle. It returns a
// lowercase handle or a DID; errors are Problems.
func ParseIdentifier(text string) (string, error) {
	typed := unwrap(plain(text))
	if typed == "" {
		return "", notHandle("Enter your handle, for example ada.bsky.social.")
	}
	id := strings.TrimLeft(identifierFromURL(typed), "@ ")
	if hasPrefixFold(id, "did:") {
		return parseDID(id)
	}
	id = strings.ToLower(strings.Trim(id, "."))
	if name, host, ok := strings.Cut(id, "@"); ok && name != "" && host != "" && !strings.Contains(id, "://") {
		if id = strings.TrimSuffix(id, "@"+bridge); strings.Contains(id, "@") {
			return "", addressProblem(typed)
		}
	}
	if id != "" && !strings.Contains(id, ".") {
		id += defaultHost
	}
	if ascii, err := idna.Lookup.ToASCII(id); err == nil {
		id = ascii // as the DNS has it
	}
	handle, err := syntax.ParseHandle(id)
	if err != nil || handle.IsInvalidHandle() {
		if strings.Contains(typed, "://") {
			return "", notHandle("“%s” isn't the address of a profile. Enter your handle, for example ada.bsky.social.", truncateInput(text))
		}
		return "", notHandle("“%s” is not a handle. A handle looks like ada.bsky.social or ada.example.org.", truncateInput(text))
	}
	if !handle.AllowedTLD() {
		return "", notHandle("Handles can't end in .%s. A handle looks like ada.bsky.social or ada.example.org.", handle.TLD())
	}
	return handle.String(), nil
}

func notHandle(format string, args ...any) error {
	return wiki.WithCause("not a handle", wiki.Problemf(wiki.ErrInvalid, handleField, format, args...))
}

// bridge is the host of the fediverse addresses that Bluesky accounts have:
// @ada.bsky.social@bsky.brid.gy.
const bridge = "bsky.brid.gy"

// addressProblem refuses an address of another kind.
func addressProblem(typed string) error {
	if strings.HasPrefix(typed, "@") || hasPrefixFold(typed, "acct:") {
		return notHandle("That looks like a fediverse address, and you can't sign in with those. Enter your Bluesky or Atmosphere handle, for example ada.bsky.social.")
	}
	return notHandle("That looks like an email address. Enter your handle, for example ada.bsky.social.")
}

// plain removes invisible characters, and replaces full-width and other forms
// of ASCII characters that keyboards and apps produce.
func plain(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r >= '！' && r <= '～': // full-width ASCII
			return r - '！' + '!'
		case r == '﹫':
			return '@'
		case r == '。' || r == '｡':
			return '.'
		case unicode.IsSpace(r):
			return ' '
		}
		return r
	}, stripInvisible(text)))
}

// unwrap removes quotes, brackets and punctuation around an identifier, the
// text before an @ that begins it ("Ada (@ada.example.org)"), spaces at dots,
// and the text of a Markdown link.
func unwrap(text string) string {
	if _, target, ok := strings.Cut(text, "]("); ok {
		text = target
	}
	if i := strings.LastIndexAny(text, " ([<"); i >= 0 && strings.HasPrefix(text[i+1:], "@") && strings.Contains(text[i+1:], ".") {
		text = text[i+1:]
	}
	text = strings.Trim(text, " \"'`“”„‟‘’‚«»‹›()[]{}<>,;:!?|*…")
	for _, dot := range []string{". ", " ."} {
		text = strings.ReplaceAll(text, dot, ".")
	}
	if hasPrefixFold(text, "%40") {
		text = "@" + text[len("%40"):]
	}
	return text
}

func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}

// identifierFromURL extracts the account from an address of a profile, or an
// at:// or acct: URI. It returns other texts, and addresses without an account,
// as they are.
func identifierFromURL(id string) string {
	for _, scheme := range []string{"web+at://", "at://"} {
		if hasPrefixFold(id, scheme) {
			rest, _, _ := strings.Cut(id[len(scheme):], "/")
			return rest
		}
	}
	if hasPrefixFold(id, "acct:") || hasPrefixFold(id, "mailto:") {
		_, rest, _ := strings.Cut(id, ":")
		return rest
	}
	address := id
	if !strings.Contains(id, "://") {
		if !strings.ContainsAny(id, "/?#") || hasPrefixFold(id, "did:") {
			return id
		}
		address = "https://" + strings.TrimPrefix(id, "//")
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return id
	}
	if strings.Trim(u.Path+u.Fragment, "/") == "" {
		return u.Host
	}
	if found := identifierFromPath(strings.ToLower(u.Hostname()), u.Path+"/"+u.Fragment); found != "" {
		return found
	}
	return id
}

// handleFirst lists apps whose addresses of profiles begin with the handle.
// Most others have it behind an @ or a word such as "profile".
var handleFirst = []string{"tangled.org", "tangled.sh", "whtwnd.com", "linkat.blue", "clearsky.app", "smokesignal.events", "stream.place", "blento.app", "leaflet.pub"}

// identifierFromPath finds an account in the path of an address of an app, or
// returns "".
func identifierFromPath(host, path string) string {
	segments := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	for i, segment := range segments {
		name, at := strings.CutPrefix(segment, "@")
		switch {
		case hasPrefixFold(segment, "did:"), at && strings.Contains(name, "."):
			return name
		case i == 0 && strings.Contains(segment, ".") && slices.Contains(handleFirst, strings.TrimPrefix(host, "www.")):
			return name
		case i == 0:
			continue
		}
		switch segments[i-1] {
		case "profile":
			return name
		case "profiles", "user", "users", "u", "p", "people", "handle", "at:":
			if strings.Contains(name, ".") {
				return name
			}
		}
	}
	return ""
}

func parseDID(text string) (string, error) {
	if end := strings.IndexAny(text, "/?#"); end > 0 {
		text = text[:end]
	}
	wrong := notHandle("“%s” is not a DID we support. Supported DIDs begin with did:plc: or did:web:.", truncateInput(text))
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
