package oauth_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"robot.wtf/internal/api"
	"robot.wtf/internal/oauth"
	"robot.wtf/internal/server"
	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/web"
	"robot.wtf/internal/wiki"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

const platform = "https://robot.test"

func origin(slug string) string   { return "https://" + slug + ".robot.test" }
func resource(slug string) string { return origin(slug) + "/mcp" }

// A world is a testworld behind the real front: the authorization server with
// the browser's pages and the API.
type world struct {
	*testworld.World
	front   http.Handler
	take    func(remote, host string) error // the rate limit; nil is none
	metrics *server.Metrics
	// domains replaces the subdomains of wikis by their own domains in all requests; nil
	// for none.
	domains *strings.Replacer
}

func newWorld(t testing.TB, outgoing *http.Client) *world {
	t.Helper()
	w := &world{metrics: server.NewMetrics()}
	take := func(remote, host string) error {
		if w.take == nil {
			return nil
		}
		return w.take(remote, host)
	}
	w.World = testworld.New(t, testworld.Options{
		Platform: platform, OAuth: oauth.Options{Outbound: outgoing, Take: take, Failed: w.metrics.OAuthFailed},
	})
	now, log := w.Clock.Now, slog.New(slog.DiscardHandler)
	browsers, err := web.New(web.Options{
		Pages: w.Pages, Tenant: w.Tenant, Session: w.Session, OAuth: w.OAuth, Platform: platform, WikiOrigin: origin,
		People: testworld.People(), Now: now, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	programs := api.New(api.Options{Pages: w.Pages, Tenant: w.Tenant, Session: w.Session, OAuth: w.OAuth, WikiOrigin: origin, Now: now, Log: log})
	w.front = server.New(server.Options{
		Host: "robot.test", Home: platform, Domain: w.DomainSlug, Secure: true, Platform: browsers.ServePlatform, Wiki: browsers.ServeWiki,
		API: programs.ServeWiki, Manage: programs.ServePlatform, OAuth: w.OAuth.ServeHTTP, Renew: w.Session.Renew, Metrics: w.metrics,
		Check: func(context.Context) error { return nil }, Log: log,
	})
	return w
}

// caller is a person who is signed in with a browser.
func caller(name string) wiki.Caller {
	return wiki.Caller{User: testworld.Person(name), Session: "s-" + name}
}

// access resolves the access that caller has to a wiki.
func (w *world) access(slug, name string) wiki.Access {
	w.T.Helper()
	a, err := w.Tenant.Resolve(w.T.Context(), slug, caller(name))
	if err != nil {
		w.T.Fatal(err)
	}
	return a
}

// An answer is what an endpoint said.
type answer struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

func (a answer) str(key string) string { s, _ := a.json[key].(string); return s }

func (w *world) do(r *http.Request) answer {
	w.T.Helper()
	w.useDomains(r)
	rec := httptest.NewRecorder()
	w.front.ServeHTTP(rec, r)
	a := answer{status: rec.Code, header: rec.Result().Header, text: rec.Body.String()}
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(rec.Body.Bytes(), &a.json); err != nil && a.text != "" {
			w.T.Fatalf("%s: %v\n%s", r.URL, err, a.text)
		}
		if strings.Contains(a.text, ":null") {
			w.T.Errorf("%s: a null in %s", r.URL, a.text)
		}
	}
	return a
}

// useDomains sends a request to the own domain of its wiki, and names that wherever the
// request names a wiki's subdomain.
func (w *world) useDomains(r *http.Request) {
	w.T.Helper()
	if w.domains == nil {
		return
	}
	r.Host, r.URL.Host, r.URL.RawQuery = w.domains.Replace(r.Host), w.domains.Replace(r.URL.Host), w.domains.Replace(r.URL.RawQuery)
	for _, values := range r.Header {
		for i := range values {
			values[i] = w.domains.Replace(values[i])
		}
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		w.T.Fatal(err)
	}
	changed := w.domains.Replace(string(text))
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(changed)), int64(len(changed))
	if changed == "" {
		r.Body = http.NoBody
	}
}

func request(method, address, kind, body string) *http.Request {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, address, reader)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	return r
}

func (w *world) get(address string) answer {
	w.T.Helper()
	return w.do(request("GET", address, "", ""))
}

const formType = "application/x-www-form-urlencoded"

func (w *world) post(address string, form url.Values) answer {
	w.T.Helper()
	return w.do(request("POST", address, formType, form.Encode()))
}

func (w *world) token(form url.Values) answer {
	w.T.Helper()
	return w.post(platform+"/auth/oauth/token", form)
}

func (w *world) register(body string) answer {
	w.T.Helper()
	return w.do(request("POST", platform+"/auth/oauth/register", "application/json", body))
}
