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

	"github.com/bluesky-social/indigo/atproto/auth/oauth"
)

// A tokenRecorder records tokens as the token endpoint issues them, so that
// they can be revoked even if the sign-in fails. It also rejects tokens of a
// type other than DPoP, which the library doesn't check (RFC 9449, section
// 5).
type tokenRecorder struct {
	next http.RoundTripper
	flow *flow
}

func (i tokenRecorder) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := i.next.RoundTrip(r)
	if err != nil || r.URL.String() != i.flow.request.AuthServerTokenEndpoint || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body) // bounded by outbound
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
	i.flow.holdTokens(token.Access, token.Refresh)
	if !strings.EqualFold(token.Type, "DPoP") {
		return nil, errors.New("token response: not a DPoP token")
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// errNoNonce reports an answer without a nonce, which clients have to refuse
// (atproto.com/specs/oauth, "DPoP").
var errNoNonce = errors.New("answer without a DPoP-Nonce")

// A nonceKeeper refuses answers without a nonce to requests with proof of possession. It
// remembers the nonce, so that a request can be repeated when the library gives up
// because the server changed the nonce twice.
type nonceKeeper struct {
	next    http.RoundTripper
	last    string // nonce of the last answer
	refused bool   // the last answer asked for it
}

func (k *nonceKeeper) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := k.next.RoundTrip(r)
	k.refused = false
	if err != nil || r.Header.Get("DPoP") == "" {
		return resp, err
	}
	if k.last = resp.Header.Get("DPoP-Nonce"); k.last == "" {
		resp.Body.Close()
		return nil, fmt.Errorf("%w: status %d", errNoNonce, resp.StatusCode)
	}
	if resp.StatusCode != http.StatusBadRequest {
		return resp, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body) // bounded by outbound
	if err != nil {
		return nil, err
	}
	var refusal struct{ Error string }
	k.refused = json.Unmarshal(body, &refusal) == nil && refusal.Error == "use_dpop_nonce"
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// withNonces returns a client for one sign-in, whose requests aren't concurrent.
func withNonces(app oauth.ClientApp) (oauth.ClientApp, *nonceKeeper) {
	client := *app.Client
	keeper := &nonceKeeper{next: client.Transport}
	client.Transport = keeper
	app.Client = &client
	return app, keeper
}

// errNoOAuth reports a server without the metadata of OAuth.
var errNoOAuth = errors.New("the server has no OAuth metadata")

// An oauthFilter turns a missing metadata document into errNoOAuth.
type oauthFilter struct{ next http.RoundTripper }

func (o oauthFilter) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := o.next.RoundTrip(r)
	if err == nil && resp.StatusCode == http.StatusNotFound {
		resp.Body.Close()
		return nil, errNoOAuth
	}
	return resp, err
}

// errShortKey reports a DPoP key that the library would encode incorrectly.
var errShortKey = errors.New("coordinate of the DPoP key is short")

// shortKeyFilter refuses to send proofs whose key has a coordinate that
// begins with a zero byte. The library omits that byte, which violates RFC
// 7518, section 6.2.1.2, and strict servers reject it. It affects 1 key in
// 128; the caller tries another.
type shortKeyFilter struct{ next http.RoundTripper }

func (k shortKeyFilter) RoundTrip(r *http.Request) (*http.Response, error) {
	if proof := r.Header.Get("DPoP"); proof != "" {
		head, _, _ := strings.Cut(proof, ".")
		text, err := base64.RawURLEncoding.DecodeString(head)
		var header struct {
			Key struct{ X, Y string } `json:"jwk"`
		}
		if err == nil {
			err = json.Unmarshal(text, &header)
		}
		const length = 43 // 32 bytes in base64
		if err != nil || len(header.Key.X) != length || len(header.Key.Y) != length {
			return nil, errShortKey
		}
	}
	return k.next.RoundTrip(r)
}
