package atproto

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/wiki"
)

// problemText is the error's text for people; an error without one fails the
// test.
func problemText(t *testing.T, err error) string {
	t.Helper()
	var p *wiki.Problem
	if !errors.As(err, &p) {
		t.Fatalf("no Problem: %v", err)
	}
	return p.Message
}

// The account's server and its authorization server differ, as with Bluesky.
func TestSignIn(t *testing.T) {
	w := newWorld(t)
	for _, typed := range []string{"ada.test", "@Ada.TEST", " at://ada.test/app.bsky.feed.post/3k ", "https://bsky.app/profile/ada.test", adaDID, "\u202aada.test\u202c"} {
		b := w.browser()
		user, err := b.signIn(typed)
		if err != nil {
			t.Fatalf("%q: %v", typed, err)
		}
		if diff := cmp.Diff(wiki.User{DID: adaDID, Handle: "ada.test", Name: "Ada"}, user); diff != "" {
			t.Errorf("%q: %s", typed, diff)
		}
		if len(b.cookies) != 0 {
			t.Errorf("cookies left: %v", b.cookies)
		}
	}
	w.service.Close()
	slices.Sort(w.revoked)
	if got := slices.Compact(slices.Clone(w.revoked)); len(w.revoked) != 12 || !slices.Equal(got, []string{"access-1", "refresh-1"}) {
		t.Errorf("revoked: %v", w.revoked)
	}
}

func TestNoTokenIsStored(t *testing.T) {
	w := newWorld(t)
	w.token["access_token"], w.token["refresh_token"] = "canary-access", "canary-refresh"
	if _, err := w.browser().signIn("ada.test"); err != nil {
		t.Fatal(err)
	}
	found := 0
	dir := filepath.Dir(w.databaseFile())
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the key directory
		}
		found++
		if bytes.Contains(text, []byte("canary-")) {
			t.Errorf("%s contains a token", file)
		}
	}
	if found == 0 {
		t.Error("found no database files")
	}
}

func TestPublishedDocuments(t *testing.T) {
	w := newWorld(t)
	var client map[string]any
	if err := json.Unmarshal(w.service.Metadata(), &client); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"client_id": platform + MetadataPath, "client_name": "robot.wtf", "client_uri": platform + "/", "jwks_uri": platform + JWKSPath,
		"tos_uri": platform + "/terms", "policy_uri": platform + "/privacy", "logo_uri": platform + "/favicon.ico",
		"redirect_uris": []any{platform + CallbackPath}, "scope": "atproto", "application_type": "web",
		"grant_types": []any{"authorization_code", "refresh_token"}, "response_types": []any{"code"},
		"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256", "dpop_bound_access_tokens": true,
	}
	if diff := cmp.Diff(want, client); diff != "" {
		t.Error(diff)
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(w.service.JWKS(), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("%s: %v", w.service.JWKS(), err)
	}
	key := set.Keys[0]
	if key["d"] != nil || key["kid"] != w.service.keys.signing.id || key["alg"] != "ES256" || key["use"] != "sig" || key["crv"] != "P-256" {
		t.Errorf("%v", key)
	}
	file := filepath.Join(filepath.Dir(w.databaseFile()), "keys", "atproto.pem")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	again, err := openKeys(filepath.Dir(file), Lifetime, time.Now)
	if err != nil || again.signing.id != w.service.keys.signing.id {
		t.Errorf("after a restart: %v", err)
	}
}

// did:web accounts, and handles by DNS.
func TestOtherAccounts(t *testing.T) {
	w := newWorld(t)
	w.accounts["did:web:web.test"] = account{handle: "web.test", pds: "https://pds.test", name: "Web"}
	w.handles["web.test"] = "did:web:web.test"
	w.accounts["did:plc:dnsdnsdnsdnsdnsdnsdnsdns"] = account{handle: "dns.new.test", pds: "https://pds.test"}
	w.txt["dns.new.test"] = "did:plc:dnsdnsdnsdnsdnsdnsdnsdns"
	w.token["sub"] = "did:plc:dnsdnsdnsdnsdnsdnsdnsdns"
	if user, err := w.browser().signIn("dns.new.test"); err != nil || user.Handle != "dns.new.test" {
		t.Errorf("by DNS: %v, %v", user, err)
	}
	w.token["sub"] = "did:web:web.test"
	for _, typed := range []string{"web.test", "did:web:web.test"} {
		if user, err := w.browser().signIn(typed); err != nil || user.DID != "did:web:web.test" || user.Handle != "web.test" {
			t.Errorf("%s: %v, %v", typed, user, err)
		}
	}
}

// An account keeps its identity under a new handle; another account that
// takes the old handle stays separate.
func TestHandleChangesAccount(t *testing.T) {
	w := newWorld(t)
	if _, err := w.browser().signIn("ada.test"); err != nil {
		t.Fatal(err)
	}
	w.accounts[adaDID] = account{handle: "new.test", pds: "https://pds.test", name: "Ada"}
	w.accounts[eveDID] = account{handle: "ada.test", pds: "https://pds.test", name: "Eve"}
	w.handles = map[string]string{"new.test": adaDID, "ada.test": eveDID}
	eve, err := w.browser().signIn("ada.test")
	if err != nil || eve.DID != eveDID || eve.Handle != "ada.test" {
		t.Errorf("taken over: %v, %v", eve, err)
	}
	if before, err := w.db.User(t.Context(), adaDID); err != nil || before.Handle != wiki.InvalidHandle {
		t.Errorf("the former holder: %v, %v", before, err)
	}
	ada, err := w.browser().signIn("new.test")
	if err != nil || ada.DID != adaDID || ada.Handle != "new.test" {
		t.Errorf("renamed: %v, %v", ada, err)
	}
}

// A handle that doesn't point back to the account isn't accepted.
func TestClaimedHandle(t *testing.T) {
	w := newWorld(t)
	w.accounts[eveDID] = account{pds: "https://pds.test", also: []string{"at://ada.test"}}
	user, err := w.browser().signIn(eveDID)
	if err != nil || user.Handle != wiki.InvalidHandle {
		t.Errorf("%v, %v", user, err)
	}
	// Nor does a domain that points at another account get that account.
	w.handles["evil.test"] = adaDID
	if _, err := w.browser().begin("evil.test"); !strings.Contains(problemText(t, err), "another handle") {
		t.Error(err)
	}
}

func TestProfilesAreCleaned(t *testing.T) {
	for name, want := range map[string]string{
		"Ada":                       "Ada",
		"<script>alert(1)</script>": "<script>alert(1)</script>", // templates escape
		" A\n\tB ":                  "A B",
		"\u202eadA\u202c":           "adA",
		"\u0000\u0007x":             "x",
		"👩‍🔬":                       "👩‍🔬",
		strings.Repeat("x", 1000):   strings.Repeat("x", maxName),
		"\xff\xfe":                  "",
	} {
		if got := cleanName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// A profile that can't be read doesn't prevent a sign-in or delete the name.
func TestProfileIsOptional(t *testing.T) {
	w := newWorld(t)
	if _, err := w.browser().signIn("ada.test"); err != nil {
		t.Fatal(err)
	}
	for _, broken := range []http.HandlerFunc{
		func(rw http.ResponseWriter, r *http.Request) { http.Error(rw, "no", 500) },
		func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, "{") },
		func(rw http.ResponseWriter, r *http.Request) { endless(rw) },
	} {
		w.handlers["pds.test/xrpc/com.atproto.repo.getRecord"] = broken
		if user, err := w.browser().signIn("ada.test"); err != nil || user.Name != "Ada" {
			t.Errorf("%v, %v", user, err)
		}
	}
}

func endless(rw http.ResponseWriter) {
	chunk := bytes.Repeat([]byte(`{"a":`), 10_000)
	for range 200 {
		if _, err := rw.Write(chunk); err != nil {
			return
		}
	}
}

// The state is tied to the browser, works once, and expires.
func TestState(t *testing.T) {
	w := newWorld(t)
	mine, other := w.browser(), w.browser()
	to, err := mine.begin("ada.test")
	if err != nil {
		t.Fatal(err)
	}
	query := w.approve(to)
	if _, err := other.finish(query); !strings.Contains(problemText(t, err), "another browser") {
		t.Error(err)
	}
	if _, err := other.begin("eve.test"); err == nil {
		if _, err := other.finish(query); !strings.Contains(problemText(t, err), "another browser") {
			t.Errorf("with a cookie of their own: %v", err)
		}
	}
	stolen := w.browser()
	stolen.cookies[flowCookie] = mine.cookies[flowCookie]
	if _, err := mine.finish(query); err != nil {
		t.Errorf("a stranger's attempt used it up: %v", err)
	}
	if _, err := mine.finish(query); !strings.Contains(problemText(t, err), "another browser") {
		t.Errorf("replayed: %v", err)
	}
	if _, err := stolen.finish(query); !strings.Contains(problemText(t, err), "already been used") {
		t.Errorf("replayed with the cookie: %v", err)
	}
	if to, err = mine.begin("ada.test"); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	w.now = w.now.Add(Lifetime)
	w.mu.Unlock()
	if _, err := mine.finish(w.approve(to)); !strings.Contains(problemText(t, err), "expired") {
		t.Error(err)
	}
	for _, missing := range []string{"", "x", "a.b"} {
		query.Set("state", missing)
		if _, err := mine.finish(query); err == nil {
			t.Errorf("state %q", missing)
		}
	}
}

// Two tabs of one browser can sign in at the same time.
func TestTabs(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	var ways []string
	for range 5 {
		to, err := b.begin("ada.test")
		if err != nil {
			t.Fatal(err)
		}
		ways = append(ways, to)
	}
	for i, to := range ways {
		if _, err := b.finish(w.approve(to)); (err == nil) != (i >= len(ways)-maxFlows) {
			t.Errorf("tab %d: %v", i, err)
		}
	}
}

// An invalid callback signs nobody in.
func TestCallbacks(t *testing.T) {
	for name, tt := range map[string]struct {
		query map[string]string
		says  string
	}{
		"denied":        {map[string]string{"error": "access_denied", "error_description": "<b>x</b>", "code": ""}, "You declined"},
		"other error":   {map[string]string{"error": "server_error", "error_description": "canary", "code": ""}, "as.test"},
		"expired":       {map[string]string{"error": "invalid_request", "code": ""}, "expired"},
		"no iss":        {map[string]string{"iss": ""}, "as.test"},
		"foreign iss":   {map[string]string{"iss": "https://evil.test"}, "as.test"}, // mix-up (RFC 9207)
		"similar iss":   {map[string]string{"iss": "https://as.test/"}, "as.test"},
		"no code":       {map[string]string{"code": ""}, "as.test"},
		"code not ours": {map[string]string{"code": "guessed"}, "as.test"},
	} {
		w := newWorld(t)
		b := w.browser()
		to, err := b.begin("ada.test")
		if err != nil {
			t.Fatal(err)
		}
		query := w.approve(to)
		for key, value := range tt.query {
			if query.Set(key, value); value == "" {
				query.Del(key)
			}
		}
		_, err = b.finish(query)
		if text := problemText(t, err); !strings.Contains(text, tt.says) || strings.Contains(text, "canary") || strings.Contains(text, "<b>") {
			t.Errorf("%s: %s", name, text)
		}
		if _, err := w.db.User(t.Context(), adaDID); !errors.Is(err, wiki.ErrNotFound) {
			t.Errorf("%s: an account was created: %v", name, err)
		}
	}
}

// Each failure is counted under its own cause.
func TestFailureCauses(t *testing.T) {
	t.Parallel()
	callback := func(change func(w *world, b *browser, query map[string]string)) func(w *world) error {
		return func(w *world) error {
			b := w.browser()
			to, err := b.begin("ada.test")
			if err != nil {
				w.t.Fatal(err)
			}
			query, changed := w.approve(to), map[string]string{}
			change(w, b, changed)
			for key, value := range changed {
				query.Set(key, value)
			}
			_, err = b.finish(query)
			return err
		}
	}
	begin := func(typed string, change func(w *world)) func(w *world) error {
		return func(w *world) error {
			if change != nil {
				change(w)
			}
			_, err := w.browser().begin(typed)
			return err
		}
	}
	hangs := func(where string) func(w *world) {
		return func(w *world) {
			stop := make(chan struct{})
			w.t.Cleanup(func() { close(stop) }) // before the servers, which wait for their handlers
			w.service.timeout = time.Second
			w.handlers[where] = func(http.ResponseWriter, *http.Request) { <-stop }
		}
	}
	for cause, fail := range map[string]func(w *world) error{
		"not a handle":           begin("ada@example.org", nil),
		"nobody":                 begin("nobody.ada.test", nil),
		"handle of another name": begin("ada.test", func(w *world) { w.accounts[adaDID] = account{handle: "new.test", pds: "https://pds.test"} }),
		"directory silent":       begin(adaDID, hangs("plc.test/"+adaDID)),
		"unreadable account": begin(adaDID, func(w *world) {
			w.handlers["plc.test/"+adaDID] = func(rw http.ResponseWriter, r *http.Request) { http.Error(rw, "no", 500) }
		}),
		"no server":     begin("ada.test", func(w *world) { w.accounts[adaDID] = account{handle: "ada.test"} }),
		"server silent": begin("ada.test", hangs("pds.test/.well-known/oauth-protected-resource")),
		"server": begin("ada.test", func(w *world) {
			w.handlers["as.test/oauth/par"] = func(rw http.ResponseWriter, r *http.Request) { http.Error(rw, "no", 500) }
		}),
		"too many": begin("ada.test", func(w *world) {
			w.service.timeout = time.Second
			w.service.slots = budget.NewSlots(1, 1)
			_, _ = w.service.slots.Acquire(w.t.Context(), "another asker")
		}),
		"incomplete":      callback(func(_ *world, _ *browser, query map[string]string) { query["state"] = "" }),
		"another browser": callback(func(_ *world, b *browser, _ map[string]string) { clear(b.cookies) }),
		"expired": callback(func(w *world, _ *browser, _ map[string]string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.now = w.now.Add(Lifetime)
		}),
		"declined": callback(func(_ *world, _ *browser, query map[string]string) { query["error"] = "access_denied" }),
		"not admitted": callback(func(w *world, _ *browser, _ map[string]string) {
			w.service.admit = func(wiki.User) bool { return false }
		}),
		"our fault": callback(func(w *world, _ *browser, _ map[string]string) { w.db.Close() }),
	} {
		t.Run(cause, func(t *testing.T) {
			t.Parallel()
			if err := fail(newWorld(t)); err == nil || wiki.CauseOf(err) != cause {
				t.Error(err)
			}
		})
	}
}

// PKCE: a code is useless in another flow.
func TestCodeOfAnotherFlow(t *testing.T) {
	w := newWorld(t)
	mine, other := w.browser(), w.browser()
	to, err := mine.begin("ada.test")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := other.begin("eve.test")
	if err != nil {
		t.Fatal(err)
	}
	query := w.approve(to)
	query.Set("code", w.approve(theirs).Get("code"))
	if user, err := mine.finish(query); err == nil {
		t.Errorf("signed in as %v", user)
	}
}

// A token response must match the request.
func TestLyingServers(t *testing.T) {
	for name, change := range map[string]func(*world){
		"another's subject":   func(w *world) { w.token["sub"] = eveDID },
		"no subject":          func(w *world) { w.token["sub"] = "" },
		"no scope":            func(w *world) { w.token["scope"] = "" },
		"more than asked":     func(w *world) { w.token["scope"] = "atproto transition:generic" },
		"another scope":       func(w *world) { w.token["scope"] = "transition:generic" },
		"bearer token":        func(w *world) { w.token["token_type"] = "Bearer" },
		"no token type":       func(w *world) { w.token["token_type"] = "" },
		"token answer is big": func(w *world) { w.token["pad"] = strings.Repeat("x", 2<<20) },
		"token endpoint redirects": func(w *world) {
			w.handlers["as.test/oauth/token"] = func(rw http.ResponseWriter, r *http.Request) {
				http.Redirect(rw, r, "https://evil.test/oauth/token", http.StatusTemporaryRedirect)
			}
		},
		"token endpoint fails": func(w *world) {
			w.handlers["as.test/oauth/token"] = func(rw http.ResponseWriter, r *http.Request) { http.Error(rw, "no", 500) }
		},
	} {
		w := newWorld(t)
		change(w)
		user, err := w.browser().signIn("ada.test")
		if err == nil {
			t.Errorf("%s: signed in as %v", name, user)
			continue
		}
		if text := problemText(t, err); !strings.Contains(text, "as.test") {
			t.Errorf("%s: %s", name, text)
		}
		for _, did := range []string{adaDID, eveDID} {
			if _, err := w.db.User(t.Context(), did); !errors.Is(err, wiki.ErrNotFound) {
				t.Errorf("%s: %s has an account: %v", name, did, err)
			}
		}
		w.service.Close()
		issued := !strings.HasPrefix(name, "token ")
		if got := len(w.revoked); issued && (got != 2 || w.revoked[0] != "access-1" || w.revoked[1] != "refresh-1") || !issued && got != 0 {
			t.Errorf("%s: revoked %v", name, w.revoked)
		}
		for _, asked := range w.asked {
			if strings.HasPrefix(asked, "POST evil.test") {
				t.Errorf("%s: %s", name, asked)
			}
		}
	}
}

// The server changes its nonce between the request and the proof, several times. A
// server without nonces is refused, before and after the code.
func TestNonces(t *testing.T) {
	for where, survives := range map[string]int{"begin": 2, "finish": 3} {
		for changes := range 5 {
			w := newWorld(t)
			b := w.browser()
			if where == "begin" {
				w.nonceChanges = changes
			}
			to, err := b.begin("ada.test")
			if err == nil {
				w.nonceChanges = changes
				if where == "begin" {
					w.nonceChanges = 0
				}
				_, err = b.finish(w.approve(to))
			}
			if (err == nil) != (changes <= survives) {
				t.Errorf("%s, %d changes: %v", where, changes, err)
			}
		}
	}
	w := newWorld(t)
	w.noNonce = true
	if _, err := w.browser().begin("ada.test"); !errors.Is(err, errNoNonce) {
		t.Errorf("begin: %v", err)
	}
	w.noNonce = false
	b := w.browser()
	to, err := b.begin("ada.test")
	if err != nil {
		t.Fatal(err)
	}
	w.noNonce = true
	if _, err := b.finish(w.approve(to)); !errors.Is(err, errNoNonce) {
		t.Errorf("finish: %v", err)
	}
}

// The browser has its answer before the tokens are revoked.
func TestRevocationIsNotAwaited(t *testing.T) {
	w := newWorld(t)
	wait := make(chan struct{})
	w.handlers["as.test/oauth/revoke"] = func(http.ResponseWriter, *http.Request) { <-wait }
	_, err := w.browser().signIn("ada.test")
	close(wait)
	if err != nil {
		t.Error(err)
	}
}

// A server that can't take part is refused with advice that is true.
func TestUnsuitableServers(t *testing.T) {
	const resource, server = "pds.test/.well-known/oauth-protected-resource", "as.test/.well-known/oauth-authorization-server"
	at := func(address string) func(*world) {
		return func(w *world) { w.accounts[adaDID] = account{handle: "ada.test", pds: address} }
	}
	moved := func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "https://evil.test"+r.URL.Path, http.StatusFound)
	}
	for name, tt := range map[string]struct {
		change      func(w *world)
		cause, says string
	}{
		"a port":             {at("https://pds.test:8443"), "server address", "pds.test:8443"},
		"the standard port":  {at("https://pds.test:443"), "server address", "without a port"},
		"http":               {at("http://pds.test"), "server address", "no https address"},
		"no address":         {at("https://"), "server address", "no https address"},
		"no server":          {at(""), "no server", "has no server"},
		"no resource":        {func(w *world) { w.handlers[resource] = status(404) }, "no OAuth", "pds.test, the server of this account, doesn't offer sign-in"},
		"no server metadata": {func(w *world) { w.handlers[server] = status(404) }, "no OAuth", "as.test, the server of this account, doesn't offer sign-in"},
		"resource fails":     {func(w *world) { w.handlers[resource] = status(500) }, "server", "Try again"},
		"resource redirects": {func(w *world) { w.handlers[resource] = moved }, "server", "pds.test"},
		"server redirects":   {func(w *world) { w.handlers[server] = moved }, "server", "as.test"},
	} {
		w := newWorld(t)
		tt.change(w)
		_, err := w.browser().begin("ada.test")
		if text := problemText(t, err); wiki.CauseOf(err) != tt.cause || !strings.Contains(text, tt.says) {
			t.Errorf("%s: %s, %s", name, wiki.CauseOf(err), text)
		}
		for _, asked := range w.asked {
			if strings.Contains(asked, "evil.test") {
				t.Errorf("%s: %s", name, asked)
			}
		}
	}
}

// Redirects and addresses of untrusted metadata are not followed. The
// outbound guard refuses every address that isn't pinned.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	metadata := func(key string, value any) func(*world) { return func(w *world) { w.metadata[key] = value } }
	pds := func(address string) func(*world) {
		return func(w *world) { w.accounts[adaDID] = account{handle: "ada.test", pds: address} }
	}
	answers := func(where string, f http.HandlerFunc) func(*world) { return func(w *world) { w.handlers[where] = f } }
	servers := func(list ...string) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			answer(rw, 200, map[string]any{"authorization_servers": list})
		}
	}
	tests := map[string]func(*world){
		"foreign issuer":      metadata("issuer", "https://evil.test"),
		"issuer with port":    metadata("issuer", "https://as.test:443"),
		"no PAR":              metadata("pushed_authorization_request_endpoint", ""),
		"no iss in answers":   metadata("authorization_response_iss_parameter_supported", false),
		"no private_key_jwt":  metadata("token_endpoint_auth_methods_supported", []string{"none"}),
		"no PDS":              pds(""),
		"PDS by http":         pds("http://pds.test"),
		"PDS on a port":       pds("https://pds.test:8443"),
		"PDS at loopback":     pds("https://127.0.0.1"),
		"PDS at loopback, v6": pds("https://[::1]"),
		"PDS at metadata":     pds("https://169.254.169.254"),
		"PDS private":         pds("https://10.0.0.1"),
		"PDS mapped":          pds("https://[::ffff:10.0.0.1]"),
		"PDS by a name":       func(w *world) { pds("https://inside.test")(w); w.address["inside.test"] = "127.0.0.1" },
		"PDS that is nowhere": pds("https://nowhere.test"),
		"no servers":          answers("pds.test/.well-known/oauth-protected-resource", servers()),
		"server by http":      answers("pds.test/.well-known/oauth-protected-resource", servers("http://as.test")),
		"server at loopback":  answers("pds.test/.well-known/oauth-protected-resource", servers("https://127.0.0.1")),
		"redirects inside": answers("pds.test/.well-known/oauth-protected-resource", func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "https://127.0.0.1/", http.StatusFound)
		}),
		"redirects to http": answers("pds.test/.well-known/oauth-protected-resource", func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "http://as.test/", http.StatusFound)
		}),
		"redirects forever": answers("pds.test/.well-known/oauth-protected-resource", func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, r.URL.Path, http.StatusFound)
		}),
		"huge document": answers("plc.test/"+adaDID, func(rw http.ResponseWriter, r *http.Request) { endless(rw) }),
		"foreign document": answers("plc.test/"+adaDID, func(rw http.ResponseWriter, r *http.Request) {
			answer(rw, 200, map[string]any{"id": eveDID, "alsoKnownAs": []string{"at://ada.test"}})
		}),
		"huge metadata": answers("as.test/.well-known/oauth-authorization-server", func(rw http.ResponseWriter, r *http.Request) { endless(rw) }),
		"PAR refused":   answers("as.test/oauth/par", func(rw http.ResponseWriter, r *http.Request) { answer(rw, 401, map[string]any{"error": "canary"}) }),
		"PAR empty":     answers("as.test/oauth/par", func(rw http.ResponseWriter, r *http.Request) { answer(rw, 201, map[string]any{}) }),
		"nonce forever": answers("as.test/oauth/par", func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("DPoP-Nonce", time.Now().String())
			answer(rw, 400, map[string]any{"error": "use_dpop_nonce"})
		}),
	}
	for _, endpoint := range []string{"authorization_endpoint", "token_endpoint", "pushed_authorization_request_endpoint", "revocation_endpoint"} {
		for _, address := range []string{"http://as.test/x", "https://as.test:8443/x", "https://a@as.test/x", "https://as.test/x#y", "https://as.test/x?y", "javascript:alert(1)", "//as.test/x"} {
			tests[endpoint+" "+address] = metadata(endpoint, address)
		}
	}
	for _, address := range []string{"https://127.0.0.1/par", "https://169.254.169.254/latest", "https://[::1]/par", "https://inside.test/par"} {
		tests["PAR at "+address] = func(w *world) {
			w.metadata["pushed_authorization_request_endpoint"] = address
			w.address["inside.test"] = "192.168.0.1"
		}
	}
	for name, change := range tests {
		w := newWorld(t)
		change(w)
		start := time.Now()
		to, err := w.browser().begin("ada.test")
		if took := time.Since(start); took > time.Second {
			t.Logf("%s took %s: %v", name, took, err)
		}
		if err == nil {
			t.Errorf("%s: sent to %s", name, to)
			continue
		}
		if text := problemText(t, err); strings.Contains(text, "canary") {
			t.Errorf("%s: %s", name, text)
		}
	}
	t.Logf("%d servers", len(tests))
}

func TestUnknownHandles(t *testing.T) {
	w := newWorld(t)
	for _, document := range []string{"oauth-protected-resource", "oauth-authorization-server"} {
		w.handlers["big.test/.well-known/"+document] = status(404)
	}
	for typed, says := range map[string]string{
		"nobody.ada.test":                  "No account found",
		"big.test":                         "No account found",
		"did:plc:zzzzzzzzzzzzzzzzzzzzzzzz": "No account found",
		"nobody-at-all":                    "nobody-at-all.bsky.social",
	} {
		if _, err := w.browser().begin(typed); !strings.Contains(problemText(t, err), says) {
			t.Errorf("%s: %v", typed, err)
		}
	}
}

// A sign-in at a server that hangs times out with a clear error.
func TestServerHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.timeout = time.Second
	stop := make(chan struct{})
	defer close(stop)
	w.handlers["pds.test/.well-known/oauth-protected-resource"] = func(http.ResponseWriter, *http.Request) { <-stop }
	_, err := w.browser().begin("ada.test")
	if text := problemText(t, err); !strings.Contains(text, "isn't responding") {
		t.Error(text)
	}
}

func TestAdmission(t *testing.T) {
	w := newWorld(t)
	w.service.admit = func(u wiki.User) bool { return u.DID != adaDID }
	if _, err := w.browser().signIn("ada.test"); !strings.Contains(problemText(t, err), "aren't open") {
		t.Error(err)
	}
	if err := w.db.SaveUser(t.Context(), wiki.User{DID: adaDID, Handle: "ada.test"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.browser().signIn("ada.test"); err != nil {
		t.Errorf("invited: %v", err)
	}
}

// The library encodes 1 key in 128 in a way that strict servers, like the
// one in this test, reject.
func TestShortKeyCoordinates(t *testing.T) {
	w := newWorld(t)
	n := 100
	if os.Getenv("ROBOT_LONG") != "" {
		n = 2000
	}
	for range n {
		if _, err := w.browser().begin("ada.test"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestParseIdentifier(t *testing.T) {
	for typed, want := range map[string]string{
		"ada.bsky.social": "ada.bsky.social", "@ada.bsky.social": "ada.bsky.social", "ADA.Bsky.Social": "ada.bsky.social",
		"ada": "ada.bsky.social", "@Ada": "ada.bsky.social", " ada.example.org. ": "ada.example.org",
		"at://ada.example.org": "ada.example.org", "at://" + adaDID + "/x/y": adaDID, "DID:PLC:" + adaDID[8:]: adaDID,
		"https://bsky.app/profile/ada.example.org/post/3k": "ada.example.org", "bsky.app/profile/ada.example.org": "ada.example.org",
		"https://bsky.app/profile/" + adaDID: adaDID, "https://ada.example.org": "ada.example.org", "https://Ada.Example.org/": "ada.example.org",
		"did:web:example.org": "did:web:example.org", "\u200bada.example.org\u2069": "ada.example.org",
		"": "", "@": "", "a b": "", "ada@example.org": "", "did:key:z6Mk": "", "did:plc:short": "", "did:web:localhost": "", "did:web:a.org:x": "",
		"ada..org": "", "-ada.org": "", "ada.internal": "", "ada.localhost": "", "127.0.0.1": "", "https://example.org/@ada": "",
		"https://user@example.org": "", "ada.example.org:8443": "", "javascript:alert(1)": "", "handle.invalid": "",
		strings.Repeat("a.", 200) + "org": "", "did:plc:../../../x": "", "http://[::1]/profile/": "",
	} {
		got, err := ParseIdentifier(typed)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", typed, got, err, want)
		}
		if err != nil {
			problemText(t, err)
		}
	}
}

// Accounts of a suspended host can't sign in, and its server isn't contacted. A sign-in
// that had begun doesn't finish.
func TestSuspendedHost(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	to, err := b.begin("ada.test")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.db.SuspendHost(t.Context(), "pds.test", "Spam."); err != nil {
		t.Fatal(err)
	}
	if _, err := b.finish(w.approve(to)); !errors.Is(err, wiki.ErrSuspended) {
		t.Errorf("finished: %v", err)
	}
	if _, err := w.db.User(t.Context(), adaDID); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("an account was created: %v", err)
	}
	w.asked = nil
	if _, err := w.browser().begin("ada.test"); !strings.Contains(problemText(t, err), "suspended all accounts at pds.test") {
		t.Error(err)
	}
	for _, asked := range w.asked {
		if strings.Contains(asked, "pds.test") {
			t.Errorf("asked for %s", asked)
		}
	}
	if _, err := w.db.ResumeHost(t.Context(), "pds.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.browser().signIn("ada.test"); err != nil {
		t.Errorf("after lifting: %v", err)
	}
}
