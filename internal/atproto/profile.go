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

	"robot.wtf/internal/store"
)

// maxName bounds a display name, in characters. Lexicon app.bsky.actor.profile
// allows 64 graphemes.
const maxName = 64

// A profile is what somebody shows of themselves. It is optional, and read is
// false when it could not be read.
type profile struct {
	name      string
	avatarCID string        // of the picture's blob, or ""
	avatar    *store.Avatar // the picture, if it differs from the stored one
	read      bool
}

// profileOf reads the public profile record of an account from its own server.
// It needs no token.
func (s *Service) profileOf(ctx context.Context, account *identity.Identity) profile {
	p, err := s.readProfile(ctx, account)
	if err != nil {
		s.log.Info("atproto: profile", "did", account.DID, "err", err)
		return profile{}
	}
	p.read = true
	if p.avatar, err = s.newAvatar(ctx, account, p.avatarCID); err != nil {
		s.log.Info("atproto: picture", "did", account.DID, "err", err)
	}
	return p
}

func (s *Service) readProfile(ctx context.Context, account *identity.Identity) (profile, error) {
	answer, err := s.ask(ctx, account, "com.atproto.repo.getRecord", url.Values{
		"repo": {account.DID.String()}, "collection": {"app.bsky.actor.profile"}, "rkey": {"self"},
	})
	if err != nil {
		return profile{}, err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusBadRequest, http.StatusNotFound:
		return profile{}, nil // RecordNotFound: most who are not on Bluesky
	default:
		return profile{}, fmt.Errorf("status %d", answer.StatusCode)
	}
	var record struct {
		Value struct {
			DisplayName string `json:"displayName"`
			Avatar      struct {
				Ref struct {
					Link string `json:"$link"`
				} `json:"ref"`
			} `json:"avatar"`
		} `json:"value"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&record); err != nil {
		return profile{}, err
	}
	return profile{name: cleanName(record.Value.DisplayName), avatarCID: record.Value.Avatar.Ref.Link}, nil
}

// ask calls a query of an account's own server, without a token.
func (s *Service) ask(ctx context.Context, account *identity.Identity, method string, query url.Values) (*http.Response, error) {
	address := strings.TrimSuffix(account.PDSEndpoint(), "/") + "/xrpc/" + method + "?" + query.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", userAgent)
	return s.http.Do(r)
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
