package atproto

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// A sign-in can start at a server: the account server, or one that was typed. The account
// chosen there must lead back to the server.
func TestStartAtServer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		start  Start
		change func(w *world)
		sub    string
		want   string // handle, or cause of the failure
	}{
		"account server":       {Start{AtServer: true}, nil, adaDID, "ada.test"},
		"its name":             {Start{Typed: "as.test"}, nil, adaDID, "ada.test"},
		"its address":          {Start{Typed: "https://as.test/"}, nil, adaDID, "ada.test"},
		"a server of accounts": {Start{Typed: "pds.test"}, nil, adaDID, "ada.test"},
		"no handle":            {Start{AtServer: true}, func(w *world) { w.handles["ada.test"] = "" }, adaDID, wiki.InvalidHandle},
		"another server's": {Start{AtServer: true}, func(w *world) {
			w.handlers["evil.test/.well-known/oauth-protected-resource"] = says(map[string]any{"authorization_servers": []string{"https://evil.test"}})
		}, eveDID, "server"},
		"nobody": {Start{AtServer: true}, nil, "did:plc:zzzzzzzzzzzzzzzzzzzzzzzz", "nobody"},
		"no DID": {Start{AtServer: true}, nil, "ada.test", "server"},
		"no account, no server": {Start{Typed: "new.test"}, func(w *world) {
			w.handlers["new.test/.well-known/oauth-protected-resource"], w.handlers["new.test/.well-known/oauth-authorization-server"] = status(404), status(404)
		}, "", "nobody"},
		"a handle's host": {Start{Typed: "new.test"}, func(w *world) {
			w.handlers["new.test/.well-known/oauth-protected-resource"], w.handlers["new.test/.well-known/oauth-authorization-server"] = says(map[string]any{"resource": "https://pds.test", "authorization_servers": []string{"https://as.test"}}), status(404)
		}, "", "nobody"},
		"a suspended server":     {Start{Typed: "pds.test"}, func(w *world) { _, _, _ = w.db.SuspendHost(w.t.Context(), "pds.test", "Spam.") }, adaDID, "nobody"},
		"account of a suspended": {Start{AtServer: true}, func(w *world) { _, _, _ = w.db.SuspendHost(w.t.Context(), "pds.test", "Spam.") }, adaDID, "suspended host"},
		"PLC fails at the end":   {Start{AtServer: true}, func(w *world) { w.handlers["plc.test/"+adaDID] = status(500) }, adaDID, "unreadable account"},
		"account server fails":   {Start{AtServer: true}, func(w *world) { w.handlers["as.test/oauth/par"] = status(500) }, "", "server"},
		"account server without": {Start{AtServer: true}, func(w *world) { w.handlers["as.test/.well-known/oauth-authorization-server"] = status(404) }, "", "no OAuth"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.service.accountServer = "https://as.test"
			if tt.change != nil {
				tt.change(w)
			}
			if tt.sub != "" {
				w.token["sub"] = tt.sub
			}
			b := w.browser()
			to, err := b.start(tt.start)
			var user wiki.User
			if err == nil {
				query := w.approve(to)
				for _, par := range w.pars {
					if par.Get("login_hint") != "" || par.Get("prompt") != "" {
						t.Errorf("asked for %v", par)
					}
				}
				user, err = b.finish(query)
			}
			got := user.Handle
			if err != nil {
				problemText(t, err)
				got = wiki.CauseOf(err)
			}
			if got != tt.want || err == nil && user.DID != tt.sub {
				t.Errorf("%s of %s, want %s: %v", got, user.DID, tt.want, err)
			}
			w.service.Close()
			if err != nil && user.DID == "" && tt.sub != "" && tt.want == "server" && len(w.revoked) == 0 {
				t.Error("tokens weren't revoked")
			}
		})
	}
}

// The request asks for a new account if the server supports that.
func TestCreateAccount(t *testing.T) {
	for _, supported := range []bool{true, false} {
		w := newWorld(t)
		w.service.accountServer = "https://as.test"
		if supported {
			w.metadata["prompt_values_supported"] = []string{"login", "create"}
		}
		b := w.browser()
		to, err := b.start(Start{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		query := w.approve(to)
		for _, par := range w.pars {
			if (par.Get("prompt") == "create") != supported {
				t.Errorf("asked for %v", par)
			}
		}
		w.token["sub"] = adaDID
		if user, err := b.finish(query); err != nil || user.DID != adaDID {
			t.Errorf("%v, %v", user, err)
		}
	}
}

func TestComplete(t *testing.T) {
	w := newWorld(t)
	w.service.resolver, w.service.completes = "https://as.test", true
	const method = "as.test/xrpc/app.bsky.actor.searchActorsTypeahead"
	w.handlers[method] = func(rw http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); q.Get("q") != "ada" || q.Get("limit") != "6" {
			t.Errorf("asked for %v", q)
		}
		answer(rw, 200, map[string]any{"actors": []any{
			map[string]any{"did": adaDID, "handle": "Ada.test", "displayName": "Ada\u202e"},
			map[string]any{"did": eveDID, "handle": "handle.invalid"}, map[string]any{"handle": `"><b>`}, map[string]any{"handle": "x.local"},
		}})
	}
	got, err := w.service.Complete(t.Context(), "192.0.2.1:1", "＠ada")
	if diff := cmp.Diff([]wiki.User{{DID: adaDID, Handle: "ada.test", Name: "Ada"}}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	w.asked = nil
	for _, typed := range []string{"", "ad", "@ad", "did:plc:ada", "https://x", strings.Repeat("x", 65)} {
		if got, err := w.service.Complete(t.Context(), "192.0.2.1:1", typed); got != nil || err != nil || len(w.asked) > 0 {
			t.Errorf("%q: %v, %v, %v", typed, got, err, w.asked)
		}
	}
	w.service.limits = limit.New(limit.Options{Rates: limit.Defaults(), Now: w.service.now})
	passed := 0
	for range 40 {
		if _, err := w.service.Complete(t.Context(), "192.0.2.1:1", "ada"); !isTooFast(err) {
			passed++
		}
	}
	if passed != 30 {
		t.Errorf("%d completions in a minute", passed)
	}
	w.service.completes = false
	w.asked = nil
	if got, _ := w.service.Complete(t.Context(), "192.0.2.7:1", "ada"); got != nil || len(w.asked) > 0 {
		t.Errorf("switched off: %v", got)
	}
}
