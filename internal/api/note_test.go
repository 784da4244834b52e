package api

import (
	"testing"

	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

// Members who connect a program see why it was refused; other wikis don't.
func TestRefusalsAreNoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	last := func(slug string) session.Request {
		t.Helper()
		a, err := w.Tenant.Resolve(t.Context(), slug, wiki.Caller{User: wiki.User{DID: "did:plc:" + slug}})
		if err != nil {
			t.Fatal(err)
		}
		list, err := w.Session.Requests(a)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return session.Request{}
		}
		return list[0]
	}
	for _, c := range []struct {
		token, method, slug, path string
		body                      any
		status                    int
		cause                     session.Cause
	}{
		{"none", "GET", "bob", "/pages", nil, 401, session.NoToken},
		{"none", "PUT", "ada", "/pages/Home", object{"content": "x"}, 401, session.NoToken},
		{"wrong", "GET", "ada", "/pages", nil, 401, session.UnknownToken},
		{"ada/owner", "GET", "bob", "/pages/Home", nil, 401, session.OtherWiki},
		{"ada/viewer", "PUT", "ada", "/pages/Home", object{"content": "x"}, 403, session.ReadOnly},
	} {
		w.want(c.status, w.send(c.token, c.method, c.slug, c.path, c.body))
		if got := last(c.slug); got.Cause != c.cause || got.Status != c.status || got.Method != c.method || got.Path != "/api/v1/…" && c.path != "/pages" {
			t.Errorf("%s %s with %s: noted %+v, want %q", c.method, c.path, c.token, got, c.cause)
		}
	}
	w.want(200, w.send("none", "GET", "ada", "/pages", nil))
	if got := last("ada"); got.Cause != session.ReadOnly {
		t.Errorf("an answer was noted: %+v", got)
	}
}
