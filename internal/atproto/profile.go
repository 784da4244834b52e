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

// maxName limits a display name, in characters. The lexicon
// app.bsky.actor.profile allows 64 graphemes.
const maxName = 64

// A profile is an account's public profile. It is optional; read is false if
// reading it failed.
type profile struct {
	name      string
	avatarCID string        // of the avatar's blob, or ""
	avatar    *store.Avatar // the avatar, if it differs from the stored one
	read      bool
}

// fetchProfile reads an account's public profile record from its own server.
// It needs no token.
func (s *Service) fetchProfile(ctx context.Context, account *identity.Identity) profile {
	p, err := s.readProfile(ctx, account)
	if err != nil {
		s.log.Info("reading a profile failed", "did", account.DID, "err", err)
		return profile{}
	}
	p.read = true
	if p.avatar, err = s.newAvatar(ctx, account, p.avatarCID); err != nil {
		s.log.Info("fetching an avatar failed", "did", account.DID, "err", err)
	}
	return p
}

func (s *Service) readProfile(ctx context.Context, account *identity.Identity) (profile, error) {
	resp, err := s.queryPDS(ctx, account, "com.atproto.repo.getRecord", url.Values{
		"repo": {account.DID.String()}, "collection": {"app.bsky.actor.profile"}, "rkey": {"self"},
	})
	if err != nil {
		return profile{}, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusBadRequest, http.StatusNotFound:
		return profile{}, nil // RecordNotFound: most people who don't use Bluesky
	default:
		return profile{}, fmt.Errorf("status %d", resp.StatusCode)
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
	if err := json.NewDecoder(resp.Body).Decode(&record); err != nil {
		return profile{}, err
	}
	return profile{name: cleanName(record.Value.DisplayName), avatarCID: record.Value.Avatar.Ref.Link}, nil
}

// queryPDS sends a query to an account's own server, without a token.
func (s *Service) queryPDS(ctx context.Context, account *identity.Identity, method string, query url.Values) (*http.Response, error) {
	return s.get(ctx, strings.TrimSuffix(account.PDSEndpoint(), "/")+"/xrpc/"+method+"?"+query.Encode())
}

// cleanName reduces a display name to one line of at most maxName
// characters, without invisible characters and direction marks.
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

func constantTimeEqual(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
