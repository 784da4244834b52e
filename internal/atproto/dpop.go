package atproto

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// issued takes note of the tokens that the token endpoint issues, so that they
// can be revoked even if nothing comes of the sign-in, and refuses those of
// another kind than was asked for, which the library does not look at (RFC
// 9449, section 5).
type issued struct {
	next http.RoundTripper
	flow *flow
}

func (i issued) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := i.next.RoundTrip(r)
	if err != nil || r.URL.String() != i.flow.request.AuthServerTokenEndpoint || answer.StatusCode != http.StatusOK {
		return answer, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body) // bounded by outbound
	if err != nil {
		return nil, err
	}
	var token struct {
		Type    string `json:"token_type"`
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(body, &token); err != nil {
		return nil, fmt.Errorf("token response: %w", err)
	}
	i.flow.hold(token.Access, token.Refresh)
	if !strings.EqualFold(token.Type, "DPoP") {
		return nil, errors.New("token response: not a DPoP token")
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}

// errShortKey is a DPoP key that the library would write down wrongly.
var errShortKey = errors.New("coordinate of the DPoP key is short")

// wholeKeys refuses to send proofs whose key has a coordinate that begins with
// a zero byte: the library leaves that byte out, which RFC 7518, section
// 6.2.1.2, does not allow and strict servers refuse. That is one key in 128;
// the caller tries another.
type wholeKeys struct{ next http.RoundTripper }

func (k wholeKeys) RoundTrip(r *http.Request) (*http.Response, error) {
	if proof := r.Header.Get("DPoP"); proof != "" {
		head, _, _ := strings.Cut(proof, ".")
		text, err := base64.RawURLEncoding.DecodeString(head)
		var header struct {
			Key struct{ X, Y string } `json:"jwk"`
		}
		if err == nil {
			err = json.Unmarshal(text, &header)
		}
		const length = 43 // of 32 bytes in base64
		if err != nil || len(header.Key.X) != length || len(header.Key.Y) != length {
			return nil, errShortKey
		}
	}
	return k.next.RoundTrip(r)
}
