package atproto

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/auth/oauth"
	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"robot.wtf/internal/limit"
)

// answers is a client whose servers all answer the same.
func answers(body []byte) *http.Client {
	return &http.Client{Transport: answerer(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		}, nil
	})}
}

type answerer func(*http.Request) (*http.Response, error)

func (f answerer) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Whatever a directory answers, an account has the DID that was asked for, and its
// server is an address without a user, or it has none.
func FuzzDIDDocument(f *testing.F) {
	const did = syntax.DID("did:plc:ewvi7nxzyoun6zhxrhs64oiz")
	for _, document := range []string{
		`{}`, `null`, `[]`, `{"id":"did:plc:ewvi7nxzyoun6zhxrhs64oiz"}`, `{"id":"did:plc:other"}`,
		`{"id":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","alsoKnownAs":["at://ada.example.org","at://"],"service":[{"id":"#atproto_pds","type":"AtprotoPersonalDataServer","serviceEndpoint":"https://pds.example.org"}]}`,
		`{"id":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","service":[{"id":"did:plc:ewvi7nxzyoun6zhxrhs64oiz#atproto_pds","type":"AtprotoPersonalDataServer","serviceEndpoint":"https://u:p@[::1]:99999/%zz"}]}`,
		`{"id":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","service":[{"id":"","type":"AtprotoPersonalDataServer","serviceEndpoint":""},{"id":"#"}],"verificationMethod":[{"id":"#atproto","type":"Multikey","publicKeyMultibase":"z"},{"id":"","publicKeyMultibase":""}]}`,
	} {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		directory := identity.BaseDirectory{PLCURL: "https://plc.test", HTTPClient: *answers(document), SkipHandleVerification: true}
		account, err := directory.LookupDID(t.Context(), did)
		if err != nil {
			return
		}
		if account.DID != did {
			t.Errorf("asked for %s, got %s", did, account.DID)
		}
		server := account.PDSEndpoint()
		_ = isPlainHTTPS(server)
		if host := hostOf(server); strings.ContainsAny(host, "/@ ") {
			t.Errorf("server %q has the host %q", server, host)
		}
		_ = limit.Domain(hostOf(server))
	})
}

// Whatever a server says about its authorization server, an address is refused, or is
// one that requests can be sent to.
func FuzzServerMetadata(f *testing.F) {
	const issuer = "https://pds.example.org"
	for _, metadata := range []string{
		`{}`, `null`, `[]`, `{"authorization_servers":["https://pds.example.org"]}`, `{"authorization_servers":["https://u@pds.example.org:x/../"]}`, `{"authorization_servers":[""]}`,
		`{"issuer":"https://pds.example.org","authorization_endpoint":"https://pds.example.org/oauth/authorize","token_endpoint":"https://pds.example.org/oauth/token","pushed_authorization_request_endpoint":"https://pds.example.org/oauth/par","response_types_supported":["code"],"grant_types_supported":["authorization_code","refresh_token"],"code_challenge_methods_supported":["S256"],"token_endpoint_auth_methods_supported":["none","private_key_jwt"],"token_endpoint_auth_signing_alg_values_supported":["ES256"],"scopes_supported":["atproto"],"authorization_response_iss_parameter_supported":true,"require_pushed_authorization_requests":true,"dpop_signing_alg_values_supported":["ES256"],"client_id_metadata_document_supported":true}`,
		`{"issuer":"https://pds.example.org","authorization_endpoint":"javascript:alert(1)"}`,
	} {
		f.Add([]byte(metadata))
	}
	f.Fuzz(func(t *testing.T, metadata []byte) {
		resolver := oauth.Resolver{Client: answers(metadata), UserAgent: userAgent}
		if server, err := resolver.ResolveAuthServerURL(t.Context(), issuer); err == nil {
			if host := hostOf(server); strings.ContainsAny(host, "/@ ") {
				t.Errorf("server %q has the host %q", server, host)
			}
		}
		server, err := resolver.ResolveAuthServerMetadata(t.Context(), issuer)
		if err != nil {
			return
		}
		if server.Issuer != issuer {
			t.Errorf("%s says that it is %s", issuer, server.Issuer)
		}
		for _, endpoint := range []string{server.AuthorizationEndpoint, server.TokenEndpoint, server.PushedAuthorizationRequestEndpoint} {
			if isPlainHTTPS(endpoint) && !strings.HasPrefix(strings.ToLower(endpoint), "https://") {
				t.Errorf("endpoint %q is taken for an address", endpoint)
			}
		}
	})
}
