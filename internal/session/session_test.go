package session

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/keyfile"
	"robot.wtf/internal/store"
	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/wiki"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

var (
	ada = wiki.User{DID: "did:plc:ada", Username: "ada", Handle: "ada.test", Name: "Ada"}
	bob = wiki.User{DID: "did:plc:bob", Username: "bob", Handle: "bob.test", Name: "Bob"}
)

const (
	platform = "http://robot.localhost:8080"
	adaHost  = "http://ada.robot.localhost:8080"
	bobHost  = "http://bob.robot.localhost:8080"
)

// A fixture is a service with ada, bob, their wikis and a clock.
type fixture struct {
	*Service
	t   *testing.T
	db  *store.DB
	now time.Time
	dir string
}

// testKey is shared by all tests, because generating a key is slow.
var testKey = sync.OnceValues(generateKey)

// writeTestKey writes it to a key directory.
func writeTestKey(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	_, err := keyfile.Create(filepath.Join(dir, signingFile), testKey)
	return err
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return f.now }
	var err error
	if f.db, err = store.Open(t.Context(), filepath.Join(f.dir, "robot.db"), clock); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.db.Close() })
	if err := writeTestKey(filepath.Join(f.dir, "keys")); err != nil {
		t.Fatal(err)
	}
	f.Service, err = New(Options{
		Store: f.db, KeyDir: filepath.Join(f.dir, "keys"), Platform: platform,
		WikiOrigin: func(slug string) string { return "http://" + slug + ".robot.localhost:8080" },
		Now:        clock, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []wiki.User{ada, bob} {
		if err := f.db.CreateSite(t.Context(), u, u.Username, nil, 1); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// A browser keeps cookies by host and name, and those for the whole domain.
type browser struct {
	f       *fixture
	cookies map[string]map[string]string // host, name, value
}

func (f *fixture) browser() *browser {
	return &browser{f, map[string]map[string]string{}}
}

const anyHost = "robot.localhost"

// visit calls a handler and keeps the cookies it sets.
func (b *browser) visit(target string, do func(http.ResponseWriter, *http.Request)) []*http.Cookie {
	r := httptest.NewRequest("GET", target, nil)
	host := requestHostname(r.Host)
	for _, jar := range []string{"*", host} {
		for name, value := range b.cookies[jar] {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	}
	w := httptest.NewRecorder()
	do(w, r)
	set := w.Result().Cookies()
	for _, c := range set {
		jar := host
		if c.Domain != "" {
			jar = "*"
		}
		if b.cookies[jar] == nil {
			b.cookies[jar] = map[string]string{}
		}
		b.cookies[jar][c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.cookies[jar], c.Name)
		}
	}
	return set
}

func (b *browser) signIn(u wiki.User) []*http.Cookie {
	return b.visit(platform+"/auth/dev", func(w http.ResponseWriter, r *http.Request) {
		if err := b.f.SignIn(r.Context(), w, r, u, false); err != nil {
			b.f.t.Fatal(err)
		}
	})
}

// signedInAs is the DID that a host sees, or "".
func (b *browser) signedInAs(origin string) (did string) {
	b.visit(origin+"/", func(_ http.ResponseWriter, r *http.Request) { did = b.f.Browser(r).User.DID })
	return did
}

// start begins single sign-on at a wiki host and returns the platform's
// address.
func (b *browser) start(slug string) (to string) {
	b.visit("http://"+slug+".robot.localhost:8080/Page", func(w http.ResponseWriter, r *http.Request) {
		var err error
		if to, err = b.f.SSOStart(w, r, slug, "/Page?x=1"); err != nil {
			b.f.t.Fatal(err)
		}
	})
	return to
}

func (b *browser) grant(address string) (to string, err error) {
	b.visit(address, func(_ http.ResponseWriter, r *http.Request) {
		to, err = b.f.SSOGrant(r.Context(), b.f.Browser(r), r)
	})
	return to, err
}

func (b *browser) finish(address, slug string) (back string, err error) {
	b.visit(address, func(w http.ResponseWriter, r *http.Request) {
		back, err = b.f.SSOFinish(r.Context(), w, r, slug)
	})
	return back, err
}

// signOn completes single sign-on at a wiki host.
func (b *browser) signOn(slug string) {
	b.f.t.Helper()
	to, err := b.grant(b.start(slug))
	if err != nil {
		b.f.t.Fatal(err)
	}
	back, err := b.finish(to, slug)
	if err != nil || back != "/Page?x=1" {
		b.f.t.Fatalf("finish: back to %q, %v", back, err)
	}
}

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	if got := b.signedInAs(platform); got != "" {
		t.Fatalf("before signing in: %q", got)
	}
	b.signIn(ada)
	if got := b.signedInAs(platform); got != ada.DID {
		t.Fatalf("after signing in: %q", got)
	}
	b.signOn("ada")
	b.signOn("bob")
	if got := b.signedInAs(adaHost); got != ada.DID {
		t.Errorf("on ada's host: %q", got)
	}
	stolen := b.cookies["ada.robot.localhost"][sessionCookieName]
	b.visit(bobHost+"/-/logout", func(w http.ResponseWriter, r *http.Request) {
		if err := f.SignOut(r.Context(), w, r); err != nil {
			t.Fatal(err)
		}
	})
	for _, host := range []string{platform, adaHost, bobHost} {
		if got := b.signedInAs(host); got != "" {
			t.Errorf("after signing out on one host, %s still sees %q", host, got)
		}
	}
	if b.cookies["*"][hintCookieName] != "" {
		t.Error("the hint outlived the session")
	}
	thief := f.browser()
	thief.cookies["ada.robot.localhost"] = map[string]string{sessionCookieName: stolen}
	if got := thief.signedInAs(adaHost); got != "" {
		t.Errorf("a copy of the cookie still works: %q", got)
	}
}

func TestCookieAttributes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	set := b.signIn(ada)
	var names []string
	for _, c := range set {
		names = append(names, c.Name)
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 30*24*3600 {
			t.Errorf("cookie %s: %+v", c.Name, c)
		}
		switch c.Name {
		case hintCookieName:
			if c.Domain != anyHost || c.Value != "1" {
				t.Errorf("the hint is %q for %q: it must name nobody and reach all hosts", c.Value, c.Domain)
			}
		default:
			if c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") {
				t.Errorf("cookie %s is not bound to its host", c.Name)
			}
		}
	}
	if diff := cmp.Diff([]string{sessionCookieName, hintCookieName}, names); diff != "" {
		t.Error(diff)
	}
	for _, c := range b.visit(adaHost+"/", func(w http.ResponseWriter, r *http.Request) { _, _ = f.SSOStart(w, r, "ada", "/") }) {
		if c.Name != nonceCookieName || c.Domain != "" || !c.HttpOnly || !c.Secure || c.MaxAge != 60 {
			t.Errorf("nonce cookie: %+v", c)
		}
	}
}

// A subdomain could set a cookie with our cookie's name for the whole
// domain. Its token is still for one host only.
func TestTokenIsForOneHost(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	b.signIn(ada)
	b.signOn("ada")
	for _, host := range []string{"robot.localhost", "ada.robot.localhost"} {
		other := f.browser()
		other.cookies["*"] = map[string]string{sessionCookieName: b.cookies[host][sessionCookieName]}
		for _, origin := range []string{platform, adaHost, bobHost} {
			want := ""
			if strings.HasPrefix(origin, "http://"+host) {
				want = ada.DID
			}
			if got := other.signedInAs(origin); got != want {
				t.Errorf("token of %s at %s: %q, want %q", host, origin, got, want)
			}
		}
	}
}

func TestNewSessionAtSignIn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	b.signIn(ada)
	before := b.cookies["robot.localhost"][sessionCookieName]
	b.signIn(bob)
	if got := b.signedInAs(platform); got != bob.DID {
		t.Errorf("signed in as %q", got)
	}
	b.cookies["robot.localhost"][sessionCookieName] = before
	if got := b.signedInAs(platform); got != "" {
		t.Errorf("the session before signing in again is still %q", got)
	}
}

func TestSignInOnPlatformAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.browser().visit(adaHost+"/", func(w http.ResponseWriter, r *http.Request) {
		if err := f.SignIn(r.Context(), w, r, ada, false); !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("signed in on a wiki host: %v", err)
		}
		if len(w.Header()["Set-Cookie"]) > 0 {
			t.Error("it set cookies")
		}
	})
}

func TestExpiryAndRenewal(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	b.signIn(ada)
	renew := func() []*http.Cookie { return b.visit(platform+"/", f.Renew) }
	f.now = f.now.Add(59 * time.Minute)
	if set := renew(); len(set) != 0 {
		t.Errorf("renewed within the hour: %v", set)
	}
	old := b.cookies["robot.localhost"][sessionCookieName]
	for range 40 {
		f.now = f.now.Add(29 * 24 * time.Hour)
		if set := renew(); len(set) != 2 {
			t.Fatalf("not renewed: %v", set)
		}
	}
	if got := b.signedInAs(platform); got != ada.DID {
		t.Fatalf("a session in use ended: %q", got)
	}
	idle := f.browser()
	idle.cookies["robot.localhost"] = map[string]string{sessionCookieName: old}
	if got := idle.signedInAs(platform); got != "" {
		t.Errorf("an expired token of a living session is %q", got)
	}
	f.now = f.now.Add(Lifetime)
	if got := b.signedInAs(platform); got != "" {
		t.Errorf("after 30 idle days: %q", got)
	}
	if set := renew(); len(set) != 0 {
		t.Error("an expired session was renewed")
	}
}

// On a borrowed device a session ends after 12 hours on all hosts, used or not,
// and its cookies end with the browser.
func TestBriefSession(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	set := b.visit(platform+"/auth/callback", func(w http.ResponseWriter, r *http.Request) {
		if err := f.SignIn(r.Context(), w, r, ada, true); err != nil {
			t.Fatal(err)
		}
	})
	f.now = f.now.Add(11 * time.Hour)
	set = append(set, b.visit(platform+"/", f.Renew)...)
	b.signOn("ada")
	set = append(set, b.visit(adaHost+"/", f.Renew)...)
	for _, c := range set {
		if c.MaxAge != 0 || !c.Expires.IsZero() {
			t.Errorf("%s stays in the browser", c.Name)
		}
	}
	if len(set) != 2 {
		t.Errorf("%d cookies were set", len(set))
	}
	for _, host := range []string{platform, adaHost} {
		if got := b.signedInAs(host); got != ada.DID {
			t.Errorf("after 11 hours %s sees %q", host, got)
		}
	}
	f.now = f.now.Add(time.Hour)
	for _, host := range []string{platform, adaHost} {
		if got := b.signedInAs(host); got != "" {
			t.Errorf("after 12 hours %s sees %q", host, got)
		}
	}
}

// Forgeries from what an attacker can see: the public key, a valid token,
// and keys of their own.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	b.signIn(ada)
	honest := b.cookies["robot.localhost"][sessionCookieName]
	parts := strings.Split(honest, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var real claims
	if err := json.Unmarshal(payload, &real); err != nil {
		t.Fatal(err)
	}
	change := func(edit func(*claims)) claims { c := real; edit(&c); return c }
	sign := func(alg jose.SignatureAlgorithm, key any, typ, kid string, c claims) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key},
			(&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", kid))
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
	own := func(c claims) string { return sign(jose.RS256, f.keys().private, tokenType, f.keys().id, c) }
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, _ := x509.MarshalPKIXPublicKey(f.keys().private.Public())
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	encode := func(v any) string { text, _ := json.Marshal(v); return base64.RawURLEncoding.EncodeToString(text) }
	none := encode(map[string]string{"alg": "none", "typ": tokenType, "kid": f.keys().id})
	flipped := []byte(parts[2])
	flipped[len(flipped)/2] ^= 1
	tests := []struct {
		name, token string
	}{
		{"alg none", none + "." + parts[1] + "."},
		{"alg none, signature kept", none + "." + parts[1] + "." + parts[2]},
		{"HS256 with the public key as PEM", sign(jose.HS256, public, tokenType, f.keys().id, real)},
		{"HS256 with the public key as DER", sign(jose.HS256, der, tokenType, f.keys().id, real)},
		{"PS256 with the right key", sign(jose.PS256, f.keys().private, tokenType, f.keys().id, real)},
		{"another key, our id", sign(jose.RS256, stranger, tokenType, f.keys().id, real)},
		{"our key, another id", sign(jose.RS256, f.keys().private, tokenType, "other", real)},
		{"an access token", sign(jose.RS256, f.keys().private, "at+jwt", f.keys().id, real)},
		{"no type", sign(jose.RS256, f.keys().private, "", f.keys().id, real)},
		{"another host", own(change(func(c *claims) { c.Audience = "ada.robot.localhost" }))},
		{"a host of another case", own(change(func(c *claims) { c.Audience = "ROBOT.localhost" }))},
		{"no audience", own(change(func(c *claims) { c.Audience = "" }))},
		{"expired", own(change(func(c *claims) { c.Expires = f.now.Unix() }))},
		{"from the future", own(change(func(c *claims) { c.Issued = f.now.Add(2 * time.Minute).Unix() }))},
		{"another person", own(change(func(c *claims) { c.Subject = bob.DID }))},
		{"no person", own(change(func(c *claims) { c.Subject = "" }))},
		{"an unknown session", own(change(func(c *claims) { c.Session = "x" }))},
		{"payload changed", parts[0] + "." + encode(change(func(c *claims) { c.Subject = bob.DID })) + "." + parts[2]},
		{"signature changed", parts[0] + "." + parts[1] + "." + string(flipped)},
		{"no signature", parts[0] + "." + parts[1] + "."},
		{"empty", "..."},
		{"long", strings.Repeat("a", 4000)},
	}
	for _, tt := range tests {
		forger := f.browser()
		forger.cookies["robot.localhost"] = map[string]string{sessionCookieName: tt.token}
		if got := forger.signedInAs(platform); got != "" {
			t.Errorf("%s: taken for %q", tt.name, got)
		}
	}
	if got := b.signedInAs(platform); got != ada.DID {
		t.Errorf("the valid token stopped working: %q", got)
	}
	if own(real) == "" || !strings.HasPrefix(honest, parts[0]) {
		t.Fatal("the helper does not sign")
	}
	again := f.browser() // shows that the forgeries fail for the stated reason
	again.cookies["robot.localhost"] = map[string]string{sessionCookieName: own(real)}
	if got := again.signedInAs(platform); got != ada.DID {
		t.Errorf("a token like the service's own: %q", got)
	}
}

func TestSingleSignOnIsBound(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	b.signIn(ada)
	refused := func(name, address, slug string, by *browser) {
		t.Helper()
		if _, err := by.finish(address, slug); !errors.Is(err, wiki.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
		if got := by.signedInAs("http://" + slug + ".robot.localhost:8080"); got != "" {
			t.Errorf("%s: signed in as %q", name, got)
		}
	}
	granted := func(by *browser, slug string) string {
		t.Helper()
		to, err := by.grant(by.start(slug))
		if err != nil {
			t.Fatal(err)
		}
		return to
	}
	code := granted(b, "ada")
	refused("in another browser", code, "ada", f.browser())
	refused("after another browser tried it", code, "ada", b)

	victim := f.browser()
	victim.start("ada") // gets a nonce of its own
	refused("in a browser with another nonce", granted(b, "ada"), "ada", victim)

	b.start("bob") // a nonce for bob's host, which an attacker could own
	refused("on another host", strings.Replace(granted(b, "ada"), "ada.", "bob.", 1), "bob", b)

	code = granted(b, "ada")
	f.now = f.now.Add(codeLifetime)
	refused("after a minute", code, "ada", b)

	b.signOn("ada")
	code = granted(b, "bob")
	if _, err := b.finish(code, "bob"); err != nil {
		t.Fatal(err)
	}
	delete(b.cookies["bob.robot.localhost"], sessionCookieName)
	b.start("bob")
	refused("twice", code, "bob", b)

	code = granted(b, "bob")
	b.visit(platform+"/", func(w http.ResponseWriter, r *http.Request) { _ = f.SignOut(r.Context(), w, r) })
	refused("after signing out", code, "bob", b)
}

func TestGrantRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	if _, err := b.grant(b.start("ada")); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("nobody signed in: %v", err)
	}
	b.signIn(ada)
	nonce := hashNonce("n")
	for _, query := range []string{
		"", "?wiki=ada", "?nonce=" + nonce, "?wiki=evil.com%2F&nonce=" + nonce, "?wiki=admin&nonce=" + nonce,
		"?wiki=ada&nonce=short", "?wiki=ada.evil&nonce=" + nonce, "?wiki=ADA&nonce=" + nonce,
	} {
		if to, err := b.grant(platform + "/auth/sso" + query); !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("%q: sent to %q, %v", query, to, err)
		}
	}
	// A missing wiki looks like an existing one.
	to, err := b.grant(platform + "/auth/sso?wiki=nosuch&nonce=" + nonce)
	if err != nil || !strings.HasPrefix(to, "http://nosuch.robot.localhost:8080/-/sso?code=") {
		t.Errorf("unknown wiki: %q, %v", to, err)
	}
}

func TestReturnWithoutSession(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	b.cookies["*"] = map[string]string{hintCookieName: "1"}
	address := b.start("ada")
	b.visit(address, func(w http.ResponseWriter, r *http.Request) {
		to, err := f.SSOReturn(w, r)
		if err != nil || to != adaHost+"/Page?x=1" {
			t.Errorf("sent to %q, %v", to, err)
		}
	})
	if _, there := b.cookies["*"][hintCookieName]; there {
		t.Error("the wrong hint remains and causes another redirect")
	}
}

func TestLocalPath(t *testing.T) {
	for raw, want := range map[string]string{
		"/":                             "/",
		"/Design/VPS?revision=a#b":      "/Design/VPS?revision=a#b",
		"/a//b":                         "/a//b",
		"/%2F%2Fevil.com":               "/%2F%2Fevil.com",
		"":                              "/",
		"evil.com":                      "/",
		"//evil.com":                    "/",
		"///evil.com":                   "/",
		`/\evil.com`:                    "/",
		`\/evil.com`:                    "/",
		"/\t/evil.com":                  "/",
		"/\n/evil.com":                  "/",
		"/a\r\nSet-Cookie: x":           "/",
		"https://evil.com":              "/",
		"javascript:alert(1)":           "/",
		" /a":                           "/",
		"/" + strings.Repeat("a", 2000): "/",
	} {
		if got := LocalPath(raw); got != want {
			t.Errorf("LocalPath(%q) = %q, want %q", raw, got, want)
		}
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	info, err := os.Stat(filepath.Join(f.dir, "keys", "signing.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("the key file is readable by others: %o", mode)
	}
	if left, _ := filepath.Glob(filepath.Join(f.dir, "keys", "*.tmp")); len(left) > 0 {
		t.Errorf("leftover files: %v", left)
	}
	again, err := openKeys(filepath.Join(f.dir, "keys"))
	if err != nil || again.id != f.keys().id {
		t.Errorf("another key after a restart: %v", err)
	}
	bad := t.TempDir()
	if err := os.WriteFile(filepath.Join(bad, "signing.pem"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openKeys(bad); err == nil {
		t.Error("a damaged key was silently replaced, which would end every session")
	}
}

// TestCachedCallersNeedNoDatabase: a known caller costs no SQL, so it works
// with the database closed.
func TestCachedCallersNeedNoDatabase(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.browser()
	b.signIn(ada)
	secret := f.token(ada, "ada", false)
	if b.signedInAs(platform) != ada.DID || f.bearer(secret, "ada") != ada.DID {
		t.Fatal("not signed in")
	}
	f.db.Close()
	if got := b.signedInAs(platform); got != ada.DID {
		t.Errorf("a browser's caller reads the database: %q", got)
	}
	if got := f.bearer(secret, "ada"); got != ada.DID {
		t.Errorf("a token's caller reads the database: %q", got)
	}
}

func BenchmarkBrowser(b *testing.B) {
	f := newBenchFixture(b)
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", platform+"/", nil)
	if err := f.SignIn(context.Background(), w, r, ada, false); err != nil {
		b.Fatal(err)
	}
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if f.Browser(r).Anonymous() {
				b.Fatal("anonymous")
			}
		}
	})
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			f.keys().verified.InvalidateAll()
			if f.Browser(r).Anonymous() {
				b.Fatal("anonymous")
			}
		}
	})
}

func newBenchFixture(b *testing.B) *Service {
	db, err := store.Open(context.Background(), filepath.Join(b.TempDir(), "robot.db"), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	s, err := New(Options{Store: db, KeyDir: b.TempDir(), Platform: platform, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	if err := db.SaveUser(context.Background(), ada); err != nil {
		b.Fatal(err)
	}
	return s
}
