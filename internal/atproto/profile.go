package atproto

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/bluesky-social/indigo/atproto/identity"
)

// maxName bounds a display name, in characters. Lexicon app.bsky.actor.profile
// allows 64 graphemes.
const maxName = 64

// displayName reads the public profile record of an account from its own
// server. It needs no token: ok is false when it could not be read.
func (s *Service) displayName(ctx context.Context, account *identity.Identity) (name string, ok bool) {
	name, err := s.readProfile(ctx, account)
	if err != nil {
		s.log.Info("atproto: profile", "did", account.DID, "err", err)
		return "", false
	}
	return name, true
}

func (s *Service) readProfile(ctx context.Context, account *identity.Identity) (string, error) {
	query := url.Values{"repo": {account.DID.String()}, "collection": {"app.bsky.actor.profile"}, "rkey": {"self"}}
	address := strings.TrimSuffix(account.PDSEndpoint(), "/") + "/xrpc/com.atproto.repo.getRecord?" + query.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("User-Agent", userAgent)
	r.Header.Set("Accept", "application/json")
	answer, err := s.http.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusBadRequest, http.StatusNotFound:
		return "", nil // RecordNotFound: most who are not on Bluesky
	default:
		return "", fmt.Errorf("status %d", answer.StatusCode)
	}
	var record struct {
		Value struct {
			DisplayName string `json:"displayName"`
		} `json:"value"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&record); err != nil {
		return "", err
	}
	return cleanName(record.Value.DisplayName), nil
}

// cleanName is a display name on one line, without what cannot be seen or would
// turn the text around it, and not too long.
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == '\u200d': // joins emoji
			return r
		case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, name)
	letters := []rune(strings.Join(strings.Fields(name), " "))
	return strings.TrimSpace(string(letters[:min(len(letters), maxName)]))
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
