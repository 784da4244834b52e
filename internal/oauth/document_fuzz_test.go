package oauth

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

// Whatever a client ID metadata document says, it is refused with a documentError, or
// describes the client at its own address with a name and safe redirect URIs.
func FuzzClientDocument(f *testing.F) {
	const id = "https://client.example/client.json"
	for _, document := range []string{
		`{}`, `null`, `[]`, `{"client_id":null}`,
		`{"client_id":"https://client.example/client.json","client_name":"Doc","redirect_uris":["https://client.example/cb"]}`,
		`{"client_id":"https://client.example/client.json","client_name":"Doc","redirect_uris":["http://127.0.0.1/cb","cursor://x/cb","javascript:alert(1)"]}`,
		`{"client_id":"https://client.example/client.json","client_name":"a\u202e\n\u0000b","redirect_uris":["https://[::1]/","https://u:p@client.example/#x"]}`,
		`{"client_id":"https://client.example/client.json","CLIENT_ID":"x","client_name":"Doc","redirect_uris":["https://client.example/cb"],"token_endpoint_auth_method":"client_secret_post"}`,
		`{"client_id":"https://client.example/client.json","client_name":"Doc","redirect_uris":["https://` + strings.Repeat("a", 1001) + `/"]}`,
		"{\"client_id\":\"https://client.example/client.json\",\"client_name\":\"\xff\",\"redirect_uris\":[\"https://client.example/\xff\"]}",
	} {
		f.Add(document)
	}
	s := &Service{issuer: "https://robot.test", host: "robot.test", name: "robot.test", isDomain: noDomain}
	f.Fuzz(func(t *testing.T, document string) {
		c, err := s.parseDocument(id, []byte(document))
		if err != nil {
			if !errors.As(err, new(documentError)) {
				t.Errorf("not a documentError: %v", err)
			}
			return
		}
		if c.ID != id || c.Auth != "none" || c.Secret != nil || c.Name == "" || c.Name != cleanName(c.Name) || strings.ContainsAny(c.Name, "\r\n") {
			t.Errorf("client %+v", c)
		}
		if len(c.Redirects) == 0 || len(c.Redirects) > maxRedirects {
			t.Errorf("%d redirect URIs", len(c.Redirects))
		}
		for _, redirect := range c.Redirects {
			u, err := url.Parse(redirect)
			if err != nil || u.User != nil || u.Fragment != "" || len(redirect) > maxRedirect || s.isOwnHost(u.Hostname()) {
				t.Errorf("redirect URI %q: %v", redirect, err)
				continue
			}
			if policy := formAction(redirect); strings.ContainsAny(policy, "\r\n;,") {
				t.Errorf("redirect URI %q adds to the policy: %q", redirect, policy)
			}
			if back, err := url.Parse(addParams(redirect, url.Values{"code": {"x"}})); err != nil || back.Host != u.Host || back.Scheme != u.Scheme {
				t.Errorf("a code for %q is sent to %v: %v", redirect, back, err)
			}
		}
	})
}
