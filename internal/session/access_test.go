package session

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// grant adds a grant like the authorization server does.
func (f *fixture) grant(u wiki.User, slug, id string, readOnly bool) *store.Grant {
	f.t.Helper()
	code := "code " + id
	err := f.db.AddConsent(f.t.Context(), code, store.Consent{Slug: slug, DID: u.DID}, f.now.Add(time.Minute))
	if err != nil {
		f.t.Fatal(err)
	}
	g, err := f.db.SpendCode(f.t.Context(), code, 20, func(store.Consent) (*store.Grant, store.Refresh, error) {
		return &store.Grant{
			ID: id, Slug: slug, DID: u.DID, Client: "https://claude.test/client.json", Name: "Claude", Host: "claude.test", ReadOnly: readOnly,
			Created: f.now, Expires: f.now.AddDate(0, 6, 0),
		}, store.Refresh{Secret: "refresh " + id, Expires: f.now.AddDate(0, 1, 0)}, nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return g
}

func (f *fixture) signToken(g *store.Grant, slug string, expires time.Time) string {
	f.t.Helper()
	token, err := f.SignAccess(AccessToken{DID: g.DID, Client: g.Client, Grant: g.ID, Resource: Resource{Slug: slug}, ReadOnly: g.ReadOnly, Expires: expires})
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

func (f *fixture) authenticate(token, slug string) (wiki.Caller, error) {
	r := httptest.NewRequest("GET", "/api/v1/pages", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return f.Bearer(r, slug)
}

func TestAccessToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	g := f.grant(ada, "ada", "g1", false)
	token := f.signToken(g, "ada", f.now.Add(time.Hour))
	got, err := f.authenticate(token, "ada")
	want := wiki.Caller{User: ada, Agent: "Claude", Client: "https://claude.test/client.json", Grant: "g1", Wiki: "ada"}
	if err != nil || got != want {
		t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
	}
	if list, err := f.db.Grants(t.Context(), "ada", ada.DID); err != nil || len(list) != 1 || !list[0].FirstUse().Equal(f.now) || !list[0].LastUse().Equal(f.now) {
		t.Errorf("uses of %v, %v", list, err)
	}
	refused := func(name, token, slug string, cause Cause) {
		t.Helper()
		c, err := f.authenticate(token, slug)
		if CauseOf(err) != cause || !errors.Is(err, wiki.ErrDenied) || !c.Anonymous() {
			t.Errorf("%s: %+v, %v, cause %q", name, c, err, CauseOf(err))
		}
	}
	refused("at another wiki", token, "bob", OtherWiki)
	refused("at a missing wiki", token, "zoe", OtherWiki)
	f.now = f.now.Add(time.Hour)
	refused("expired", token, "ada", Expired)

	readOnly := f.signToken(f.grant(ada, "ada", "g2", true), "ada", f.now.Add(time.Hour))
	if c, err := f.authenticate(readOnly, "ada"); err != nil || !c.ReadOnly {
		t.Errorf("read only: %+v, %v", c, err)
	}
	if err := f.db.RevokeGrant(t.Context(), ada.DID, "ada", ada.DID, "g2"); err != nil {
		t.Fatal(err)
	}
	refused("revoked", readOnly, "ada", Revoked)
}

// Grants end with the membership, the wiki or the account, and stay ended
// when it comes back.
func TestGrantsEndWithMembership(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(f *fixture) error{
		"removed": func(f *fixture) error { return f.db.RemoveMember(f.t.Context(), ada.DID, "ada", bob.DID) },
		"wiki": func(f *fixture) error {
			return f.db.ScheduleDeletion(f.t.Context(), ada.DID, "ada", f.now.Add(time.Hour))
		},
		"account": func(f *fixture) error { return f.db.ScheduleUserDeletion(f.t.Context(), bob.DID, f.now.Add(time.Hour)) },
		"owner":   func(f *fixture) error { return f.db.ScheduleUserDeletion(f.t.Context(), ada.DID, f.now.Add(time.Hour)) },
	} {
		f := newFixture(t)
		if err := f.db.SetMember(t.Context(), ada.DID, "ada", bob.DID, wiki.Editor, 3); err != nil {
			t.Fatal(err)
		}
		token := f.signToken(f.grant(bob, "ada", "g", false), "ada", f.now.Add(time.Hour))
		if c, err := f.authenticate(token, "ada"); err != nil || c.User.DID != bob.DID {
			t.Fatalf("%s: %v", name, err)
		}
		if err := end(f); err != nil {
			t.Fatal(err)
		}
		if _, err := f.authenticate(token, "ada"); CauseOf(err) != Revoked {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := f.db.Rotate(t.Context(), "refresh g", time.Minute, nil); !errors.Is(err, wiki.ErrNotFound) {
			t.Errorf("%s: refresh: %v", name, err)
		}
	}
}

func TestForgedAccessTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	g := f.grant(ada, "ada", "g", false)
	f.grant(bob, "bob", "h", false)
	honest := f.signToken(g, "ada", f.now.Add(time.Hour))
	parts := strings.Split(honest, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var real accessClaims
	if err := json.Unmarshal(payload, &real); err != nil {
		t.Fatal(err)
	}
	change := func(edit func(*accessClaims)) accessClaims { c := real; edit(&c); return c }
	sign := func(alg jose.SignatureAlgorithm, key any, kind, kid string, c any) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key},
			(&jose.SignerOptions{}).WithType(jose.ContentType(kind)).WithHeader("kid", kid))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(c)
		signed, err := signer.Sign(text)
		if err != nil {
			t.Fatal(err)
		}
		compact, _ := signed.CompactSerialize()
		return compact
	}
	own := func(c accessClaims) string { return sign(jose.RS256, f.keys().private, accessType, f.keys().id, c) }
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := f.JWKS()
	if err != nil || strings.Contains(string(jwks), `"d"`) {
		t.Fatalf("the key set is %s, %v", jwks, err)
	}
	session := claims{Subject: ada.DID, Session: "g", Audience: f.URL(Resource{Slug: "ada"}), Issued: f.now.Unix(), Expires: f.now.Add(time.Hour).Unix()}
	encode := func(v any) string { text, _ := json.Marshal(v); return base64.RawURLEncoding.EncodeToString(text) }
	none := encode(map[string]string{"alg": "none", "typ": accessType, "kid": f.keys().id})
	for name, token := range map[string]string{
		"alg none":                        none + "." + parts[1] + ".",
		"alg none, signature kept":        none + "." + parts[1] + "." + parts[2],
		"alg None":                        encode(map[string]string{"alg": "None", "typ": accessType, "kid": f.keys().id}) + "." + parts[1] + ".",
		"HS256 with the JWKS":             sign(jose.HS256, jwks, accessType, f.keys().id, real),
		"HS256 with the modulus":          sign(jose.HS256, f.keys().private.N.Bytes(), accessType, f.keys().id, real),
		"PS256":                           sign(jose.PS256, f.keys().private, accessType, f.keys().id, real),
		"RS512":                           sign(jose.RS512, f.keys().private, accessType, f.keys().id, real),
		"another key, our id":             sign(jose.RS256, stranger, accessType, f.keys().id, real),
		"another key, its id":             sign(jose.RS256, stranger, accessType, "x", real),
		"our key, no id":                  sign(jose.RS256, f.keys().private, accessType, "", real),
		"typ JWT":                         sign(jose.RS256, f.keys().private, "JWT", f.keys().id, real),
		"typ in capitals":                 sign(jose.RS256, f.keys().private, "AT+JWT", f.keys().id, real),
		"no typ":                          sign(jose.RS256, f.keys().private, "", f.keys().id, real),
		"session's type, access claims":   sign(jose.RS256, f.keys().private, tokenType, f.keys().id, real),
		"session's claims, access type":   sign(jose.RS256, f.keys().private, accessType, f.keys().id, session),
		"another issuer":                  own(change(func(c *accessClaims) { c.Issuer = "https://evil.test" })),
		"the wiki as issuer":              own(change(func(c *accessClaims) { c.Issuer = adaHost })),
		"no issuer":                       own(change(func(c *accessClaims) { c.Issuer = "" })),
		"another wiki's audience":         own(change(func(c *accessClaims) { c.Audience = f.URL(Resource{Slug: "bob"}) })),
		"audience without path":           own(change(func(c *accessClaims) { c.Audience = adaHost })),
		"audience with a slash":           own(change(func(c *accessClaims) { c.Audience += "/" })),
		"audience in capitals":            own(change(func(c *accessClaims) { c.Audience = strings.ToUpper(c.Audience) })),
		"the platform as audience":        own(change(func(c *accessClaims) { c.Audience = platform })),
		"no audience":                     own(change(func(c *accessClaims) { c.Audience = "" })),
		"another person":                  own(change(func(c *accessClaims) { c.Subject = bob.DID })),
		"no person":                       own(change(func(c *accessClaims) { c.Subject = "" })),
		"another client":                  own(change(func(c *accessClaims) { c.Client = "x" })),
		"another wiki's grant":            own(change(func(c *accessClaims) { c.Grant = "h"; c.Subject = bob.DID })),
		"an unknown grant":                own(change(func(c *accessClaims) { c.Grant = "x" })),
		"no grant":                        own(change(func(c *accessClaims) { c.Grant = "" })),
		"a wiki token's id as grant":      own(change(func(c *accessClaims) { c.Grant = "token" })),
		"from the future":                 own(change(func(c *accessClaims) { c.Issued += 3600 })),
		"no expiry":                       own(change(func(c *accessClaims) { c.Expires = 0 })),
		"two audiences":                   sign(jose.RS256, f.keys().private, accessType, f.keys().id, map[string]any{"iss": real.Issuer, "sub": real.Subject, "aud": []string{real.Audience, f.URL(Resource{Slug: "bob"})}, "client_id": real.Client, "sid": "g", "exp": real.Expires}),
		"payload changed":                 parts[0] + "." + encode(change(func(c *accessClaims) { c.Scope = Scopes })) + "x." + parts[2],
		"no signature":                    parts[0] + "." + parts[1] + ".",
		"a trailing dot":                  honest + ".",
		"empty":                           "..",
		"long":                            strings.Repeat("a", 3000) + ".a.a",
		"spaces inside":                   parts[0] + " ." + parts[1] + "." + parts[2],
		"a detached JSON serialization":   `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}..`,
		"a refresh token":                 "refresh g",
		"an authorization code":           "code g",
		"the grant's id":                  "g",
		"with the prefix of a wiki token": "rwtf_" + honest,
	} {
		if c, err := f.authenticate(token, "ada"); !errors.Is(err, wiki.ErrDenied) || !c.Anonymous() {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if _, err := f.authenticate(own(real), "ada"); err != nil {
		t.Errorf("a token like the service's own: %v", err)
	}
	// Access tokens and session tokens are not interchangeable.
	b := f.browser()
	b.cookies["ada.robot.localhost"] = map[string]string{sessionCookieName: honest}
	if got := b.signedInAs(adaHost); got != "" {
		t.Errorf("an access token as cookie: %q", got)
	}
	b.signIn(ada)
	b.signOn("ada")
	if c, err := f.authenticate(b.cookies["ada.robot.localhost"][sessionCookieName], "ada"); CauseOf(err) != BadToken {
		t.Errorf("a cookie as bearer: %+v, %v", c, err)
	}
}

func TestScopeNarrowsTheGrant(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	g := f.grant(ada, "ada", "g", false)
	token, err := f.SignAccess(AccessToken{DID: ada.DID, Client: g.Client, Grant: "g", Resource: Resource{Slug: "ada"}, ReadOnly: true, Expires: f.now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := f.authenticate(token, "ada"); err != nil || !c.ReadOnly {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestChallenge(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	base := `Bearer resource_metadata="http://ada.robot.localhost:8080/.well-known/oauth-protected-resource/mcp", scope="wiki:read wiki:write"`
	if got := f.Challenge(adaHost, nil); got != base {
		t.Error(got)
	}
	if got := f.Challenge(adaHost, errOtherWiki); got != base+`, error="invalid_token", error_description="This token is for another wiki."` {
		t.Error(got)
	}
}
