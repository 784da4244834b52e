package oauth_test

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"robot.wtf/internal/outbound"
	"robot.wtf/internal/testdns"
)

// A documentServer serves client documents at https://client.test, and is a
// DNS server that resolves every other name to this computer.
type documentServer struct {
	t     *testing.T
	https *httptest.Server
	dns   string
	asked atomic.Int64 // requests that reached it
	mu    sync.Mutex
	down  bool
	serve map[string]http.HandlerFunc
}

const documentID = "https://client.test/client.json"

func newDocumentServer(t *testing.T) *documentServer {
	d := &documentServer{t: t, serve: map[string]http.HandlerFunc{}}
	d.https = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.asked.Add(1)
		d.mu.Lock()
		down, serve := d.down, d.serve[r.URL.Path]
		d.mu.Unlock()
		switch {
		case down:
			http.Error(w, "down", http.StatusBadGateway)
		case serve != nil:
			serve(w, r)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(d.https.Close)
	d.dns = testdns.ServeAddresses(t, addressIn)
	d.set("/client.json", document(documentID, `"redirect_uris":["https://app.example/cb"],"client_name":"Doc"`))
	return d
}

// addressIn returns the address in the first label of a name: 10.0.0.1 for
// "10-0-0-1.example".
func addressIn(name string) string {
	label, _, _ := strings.Cut(name, ".")
	return strings.ReplaceAll(label, "-", ".")
}

// client returns a guarded HTTP client that reaches client.test through a
// pin.
func (d *documentServer) client() *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(d.https.Certificate())
	// The certificate of httptest is for example.com.
	return pinnedName(outbound.New(outbound.Options{
		Pins: map[string]string{"example.com": d.https.Listener.Addr().String()}, CA: pool, DNS: d.dns,
	}))
}

// pinnedName sends requests for client.test to example.com.
func pinnedName(c *http.Client) *http.Client {
	next := c.Transport
	c.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "client.test" {
			r = r.Clone(r.Context())
			r.URL.Host, r.Host = "example.com", "client.test"
		}
		return next.RoundTrip(r)
	})
	return c
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (d *documentServer) set(path string, f http.HandlerFunc) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.serve[path] = f
}

func (d *documentServer) setDown(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = down
}

func document(id, members string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"client_id":%q,%s}`, id, members)
	}
}

func documentAttacks() []attack {
	ask := func(id string) func(k *kit) string {
		return func(k *kit) string {
			before := k.docs.asked.Load()
			outcome := k.visitor("bob").ask(withParams(k.query(), "client_id", id))
			if k.docs.asked.Load() != before {
				outcome += ", ASKED"
			}
			return outcome
		}
	}
	list := []attack{
		{"document", "legitimate", "asked", func(k *kit) string { return k.visitor("bob").ask(withParams(k.query(), "client_id", documentID)) }},
		{"document", "an unlisted redirect", "page", func(k *kit) string {
			return k.visitor("bob").ask(withParams(k.query(), "client_id", documentID, "redirect_uri", "https://evil.example/cb"))
		}},
		{"document", "a well-known client's id with another address", "page", ask("https://claude.ai/oauth/mcp-oauth-client-metadata")},
	}
	for name, id := range map[string]string{
		"plain http": "http://client.test/client.json", "another port": "https://client.test:8443/client.json", "the usual port": "https://client.test:443/client.json",
		"a fragment": documentID + "#x", "a query": documentID + "?x=1", "a user": "https://x@client.test/client.json", "no path": "https://client.test", "the root": "https://client.test/",
		"a folder up": "https://client.test/a/../client.json", "a folder up, escaped": "https://client.test/a/%2e%2e/client.json", "capitals": "https://CLIENT.test/client.json",
		"a final dot": "https://client.test./client.json", "Cyrillic letters": "https://clіent.test/client.json", "a space": "https://client.test/client.json ",
		"a backslash": `https://evil.example\.client.test/x`, "the service itself": platform + "/x", "a wiki of ours": origin("ada") + "/Home/client.json", "600 letters": "https://client.test/" + strings.Repeat("a", 600),
		"this computer": "https://localhost/x", "this computer by number": "https://127.0.0.1/x", "this computer by IPv6": "https://[::1]/x", "this computer by IPv4 in IPv6": "https://[::ffff:127.0.0.1]/x",
		"a private address": "https://10.0.0.1/x", "a cloud's metadata": "https://169.254.169.254/latest/meta-data", "an address as a number": "https://2130706433/x",
		"a name of this computer": "https://127-0-0-1.example.net/x", "a name in a private network": "https://10-0-0-1.example.net/x", "a name of a cloud's metadata": "https://169-254-169-254.example.net/x",
		"a name in carrier-grade NAT": "https://100-64-0-1.example.net/x", "a file": "file:///etc/passwd", "data": "data:application/json,{}",
	} {
		list = append(list, attack{"document", name, "page", ask(id)})
	}
	for name, serve := range map[string]http.HandlerFunc{
		"of another client":       document(documentID, `"client_name":"x","redirect_uris":["https://app.example/cb"]`),
		"without a name":          document("https://client.test/bad.json", `"redirect_uris":["https://app.example/cb"]`),
		"without redirects":       document("https://client.test/bad.json", `"client_name":"x"`),
		"with a secret":           document("https://client.test/bad.json", `"client_name":"x","redirect_uris":["https://app.example/cb"],"client_secret":"x"`),
		"that uses a secret":      document("https://client.test/bad.json", `"client_name":"x","redirect_uris":["https://app.example/cb"],"token_endpoint_auth_method":"client_secret_post"`),
		"with nothing but script": document("https://client.test/bad.json", `"client_name":"x","redirect_uris":["javascript:alert(1)"]`),
		"of 6 KB":                 document("https://client.test/bad.json", `"client_name":"x","redirect_uris":["https://app.example/cb"],"x":"`+strings.Repeat("x", 6<<10)+`"`),
		"that redirects":          func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/client.json", http.StatusFound) },
		"that redirects to this computer": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://127.0.0.1/x", http.StatusFound)
		},
		"that is a page": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html>") },
		"that is no JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, "{")
		},
		"that never ends": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for range 3000 {
				if _, err := w.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		},
		"of a server that fails": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "x", http.StatusInternalServerError) },
	} {
		list = append(list, attack{"document", name, "page", func(k *kit) string {
			k.docs.set("/bad.json", serve)
			k.Clock.Add(time.Minute) // past the memory of the last failure
			return k.visitor("bob").ask(withParams(k.query(), "client_id", "https://client.test/bad.json"))
		}})
	}
	return list
}

// A document is fetched once while it is fresh, is used for days while its
// server is down, and is dropped once its server says it is gone.
func TestDocuments(t *testing.T) {
	t.Parallel()
	d := newDocumentServer(t)
	k := &kit{world: newWorld(t, d.client()), docs: d}
	ask := func() string { return k.visitor("bob").ask(query(documentID, "https://app.example/cb", "bob")) }
	fetched := func(want int64, name, outcome string) {
		t.Helper()
		before := d.asked.Load()
		if got := ask(); got != outcome {
			t.Errorf("%s: %s, want %s", name, got, outcome)
		}
		if n := d.asked.Load() - before; n != want {
			t.Errorf("%s: fetched %d times, want %d", name, n, want)
		}
	}
	fetched(1, "first", "asked")
	fetched(0, "fresh", "asked")
	k.Clock.Add(2 * time.Hour)
	fetched(1, "an hour old", "asked")
	d.setDown(true)
	k.Clock.Add(2 * time.Hour)
	fetched(1, "its server is down", "asked")
	fetched(0, "down, again at once", "asked")
	k.Clock.Add(6 * 24 * time.Hour)
	fetched(1, "down for days", "asked")
	k.Clock.Add(3 * 24 * time.Hour)
	fetched(1, "down for more than a week", "page")
	d.setDown(false)
	k.Clock.Add(time.Minute)
	fetched(1, "up again", "asked")
	d.set("/client.json", nil)
	k.Clock.Add(2 * time.Hour)
	fetched(1, "gone", "page")

	d.set("/client.json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=86400000")
		document(documentID, `"redirect_uris":["https://app.example/cb","https://other.example/cb"],"client_name":"New"`)(w, r)
	})
	k.Clock.Add(time.Minute)
	fetched(1, "back, for a year", "asked")
	k.Clock.Add(23 * time.Hour)
	fetched(0, "a day is the most: within", "asked")
	k.Clock.Add(2 * time.Hour)
	fetched(1, "a day is the most: after", "asked")

	// Concurrent requests share a fetch.
	k.Clock.Add(25 * time.Hour)
	before := d.asked.Load()
	visitors := make([]*visitor, 8)
	for i := range visitors {
		visitors[i] = k.visitor("bob")
	}
	var all sync.WaitGroup
	for _, v := range visitors {
		all.Go(func() {
			r := request("GET", platform+"/auth/oauth/authorize?"+query(documentID, "https://app.example/cb", "bob").Encode(), "", "")
			for name, value := range v.cookies {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
			k.front.ServeHTTP(httptest.NewRecorder(), r)
		})
	}
	all.Wait()
	if n := d.asked.Load() - before; n < 1 || n > 3 {
		t.Errorf("eight at once fetched %d times", n)
	}
}

// Built-in documents need no fetch.
func TestWellKnownClients(t *testing.T) {
	t.Parallel()
	k := &kit{world: newWorld(t, nil)}
	for id, redirects := range map[string][]string{
		"https://claude.ai/oauth/mcp-oauth-client-metadata":   {"https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"},
		"https://claude.ai/oauth/claude-code-client-metadata": {"http://localhost:54321/callback", "http://127.0.0.1:1/callback"},
		"https://chatgpt.com/oauth/client.json":               {"https://chatgpt.com/connector_platform_oauth_redirect"},
		"https://vscode.dev/oauth/client-metadata.json":       {"http://127.0.0.1:33418/", "http://127.0.0.1:50000/", "https://vscode.dev/redirect", "https://insiders.vscode.dev/redirect"},
	} {
		for _, redirect := range redirects {
			a := k.visitor("bob").get("/auth/oauth/authorize?" + query(id, redirect, "bob").Encode())
			if !strings.HasPrefix(a.header.Get("Location"), "/auth/oauth/consent?") {
				t.Errorf("%s at %s: %d %s", id, redirect, a.status, a.header.Get("Location"))
			}
		}
	}
}
