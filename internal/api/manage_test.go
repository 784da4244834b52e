package api

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

// directory resolves eve, without any account.
// personal creates a personal token and stores it as "me/name" or "me/name-reads".
func (w *world) personal(name string, reads bool) string {
	w.T.Helper()
	caller := wiki.Caller{User: wiki.User{DID: "did:plc:" + name, Username: name, Handle: name + ".test"}, Session: "s"}
	secret, _, err := w.Session.NewPersonalToken(w.T.Context(), caller, "test", reads)
	if err != nil {
		w.T.Fatal(err)
	}
	return secret
}

// manage makes a request to the management API.
func (w *world) manage(secret, method, path string, body any) reply {
	w.T.Helper()
	raw := ""
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			w.T.Fatal(err)
		}
		raw = string(text)
	}
	r := httptest.NewRequest(method, "http://robot.localhost/api"+path, strings.NewReader(raw))
	r.Header.Set("Cookie", "__Host-session=x")
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	res := reply{Response: rec.Result(), text: rec.Body.String()}
	json.Unmarshal(rec.Body.Bytes(), &res.json)
	res.Request = r
	if route, _, _ := matchManage(method, path); route != nil {
		w.contract.check(w.T, "/api"+route.Pattern, res)
	}
	return res
}

// A manageCell has a route's status by the caller's role in the wiki: owner, member
// (editor or viewer), reader of a public wiki, and stranger, for whom a private and
// a missing wiki are the same. Routes without a wiki answer everyone like an owner.
type manageCell struct {
	path                            string
	body                            any
	owner, member, reader, stranger int
}

// manageMatrix has a cell for each of ManageRoutes. None of its requests changes
// anything.
var manageMatrix = map[string]manageCell{
	"GET /me":                              {path: "/me", owner: 200},
	"DELETE /me":                           {path: "/me", body: object{"confirm": "x"}, owner: 422},
	"GET /wikis":                           {path: "/wikis", owner: 200},
	"POST /wikis":                          {path: "/wikis", body: object{"slug": "no"}, owner: 422},
	"GET /wikis/{slug}":                    {"/wikis/{slug}", nil, 200, 200, 200, 404},
	"PATCH /wikis/{slug}":                  {"/wikis/{slug}", object{"home": "//x"}, 422, 403, 403, 404},
	"DELETE /wikis/{slug}":                 {"/wikis/{slug}", object{"confirm": "x"}, 422, 403, 403, 404},
	"POST /wikis/{slug}/restore":           {"/wikis/{slug}/restore", nil, 404, 404, 404, 404},
	"POST /wikis/{slug}/erase":             {"/wikis/{slug}/erase", object{"text": "short"}, 422, 403, 403, 404},
	"GET /wikis/{slug}/imports":            {"/wikis/{slug}/imports", nil, 200, 403, 403, 404},
	"PATCH /wikis/{slug}/imports/{commit}": {"/wikis/{slug}/imports/none", object{"vouch": true}, 404, 403, 403, 404},
	"GET /wikis/{slug}/members":            {"/wikis/{slug}/members", nil, 200, 200, 403, 404},
	"POST /wikis/{slug}/members":           {"/wikis/{slug}/members", object{"handle": "none.test", "role": "viewer"}, 404, 403, 403, 404},
	"PATCH /wikis/{slug}/members/{did}":    {"/wikis/{slug}/members/did:plc:{slug}", object{"role": "viewer"}, 422, 403, 403, 404},
	"DELETE /wikis/{slug}/members/{did}":   {"/wikis/{slug}/members/did:plc:{slug}", nil, 422, 403, 403, 404},
	"PUT /wikis/{slug}/offer":              {"/wikis/{slug}/offer", object{"did": "did:plc:nobody"}, 404, 403, 403, 404},
	"DELETE /wikis/{slug}/offer":           {"/wikis/{slug}/offer", nil, 200, 404, 404, 404},
	"POST /wikis/{slug}/accept":            {"/wikis/{slug}/accept", nil, 404, 404, 404, 404},
	"GET /wikis/{slug}/tokens":             {"/wikis/{slug}/tokens", nil, 200, 200, 403, 404},
	"POST /wikis/{slug}/tokens":            {"/wikis/{slug}/tokens", object{"name": "", "read_only": true}, 422, 422, 403, 404},
	"DELETE /wikis/{slug}/tokens/{id}":     {"/wikis/{slug}/tokens/none", nil, 404, 404, 404, 404},
	"GET /wikis/{slug}/agents":             {"/wikis/{slug}/agents", nil, 200, 200, 403, 404},
	"DELETE /wikis/{slug}/agents/{id}":     {"/wikis/{slug}/agents/none", nil, 404, 404, 403, 404},
	"GET /agents":                          {path: "/agents", owner: 200},
	"DELETE /agents/{id}":                  {path: "/agents/none", owner: 404},
	"GET /tokens":                          {path: "/tokens", owner: 200},
	"DELETE /tokens/{id}":                  {path: "/tokens/none", owner: 404},
	"GET /sessions":                        {path: "/sessions", owner: 200},
	"DELETE /sessions":                     {path: "/sessions", owner: 200},
	"DELETE /sessions/{id}":                {path: "/sessions/none", owner: 404},
}

// expected returns the status for a caller with a personal token.
func (c manageCell) expected(method string, role wiki.Role, reads bool) int {
	switch {
	case reads && method != "GET":
		return 403
	case !strings.Contains(c.path, "{slug}"), role == wiki.Owner:
		return c.owner
	case role >= wiki.Viewer:
		return c.member
	case role == wiki.Reader:
		return c.reader
	}
	return c.stranger
}

// TestManageRoles tries each route as each kind of caller, for the public wiki
// ada, the private wiki bob and a missing one. Cookies and wiki tokens are
// worthless here.
func TestManageRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, err := w.Tenant.Resolve(t.Context(), "bob", wiki.Caller{User: wiki.User{DID: "did:plc:bob"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Tenant.SetMember(t.Context(), a, "did:plc:cleo", wiki.Viewer); err != nil {
		t.Fatal(err)
	}
	roles := map[string]map[string]wiki.Role{
		"ada": {"ada": wiki.Owner, "bob": wiki.Editor, "cleo": wiki.Viewer, "dan": wiki.Reader},
		"bob": {"bob": wiki.Owner, "cleo": wiki.Viewer},
	}
	type caller struct {
		name, secret string
		reads        bool
	}
	callers := []caller{
		{"", "", false}, {"", "rwtp_" + strings.Repeat("x", 43), false}, {"", w.Tokens["bob/owner"], false},
	}
	for _, name := range []string{"ada", "bob", "cleo", "dan"} {
		callers = append(callers, caller{name, w.personal(name, false), false}, caller{name, w.personal(name, true), true})
	}
	cells := 0
	for _, route := range ManageRoutes {
		key := route.Method + " " + route.Pattern
		cell, ok := manageMatrix[key]
		if !ok {
			t.Errorf("say in manageMatrix what %s answers", key)
			continue
		}
		for _, c := range callers {
			about := []string{"ada", "bob", "nosuch"}
			if !strings.Contains(cell.path, "{slug}") {
				about = about[:1]
			}
			var missing string
			for _, slug := range about {
				want := 401
				if c.name != "" {
					want = cell.expected(route.Method, roles[slug][c.name], c.reads)
				}
				got := w.manage(c.secret, route.Method, strings.ReplaceAll(cell.path, "{slug}", slug), cell.body)
				cells++
				if got.StatusCode != want {
					t.Errorf("%s about %s as %q (reads %t): %d, want %d: %.200s", key, slug, c.name, c.reads, got.StatusCode, want, got.text)
				}
				if want >= 400 && got.Header.Get("Content-Type") != "application/problem+json" {
					t.Errorf("%s as %q: a problem of type %s", key, c.name, got.Header.Get("Content-Type"))
				}
				if slug == "bob" && roles["bob"][c.name] == wiki.NoRole {
					missing = got.text
				}
				if slug == "nosuch" && missing != "" && missing != got.text {
					t.Errorf("%s as %q: a private and a missing wiki differ: %s %s", key, c.name, missing, got.text)
				}
			}
		}
	}
	for key := range manageMatrix {
		if _, ok := operations[key]; !ok {
			t.Errorf("there is no route %q any more", key)
		}
	}
	t.Logf("measured: %d cells", cells)
}

// TestManageAWiki follows an owner from settings to leaving.
func TestManageAWiki(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bob, cleo := w.personal("bob", false), w.personal("cleo", false)
	made := w.want(201, w.manage(cleo, "POST", "/wikis", object{"slug": "cleo"}))
	if made.string("slug") != "cleo" || made.json["public"] != false {
		t.Errorf("made: %s", made.text)
	}
	w.want(409, w.manage(cleo, "POST", "/wikis", object{"slug": "cleo"}))
	w.want(422, w.manage(cleo, "POST", "/wikis", object{"slug": "other"}))

	set := w.want(200, w.manage(bob, "PATCH", "/wikis/bob", object{"title": "Bob's", "as_handle": true}))
	if set.string("title") != "Bob's" || set.json["public"] != false || set.json["as_handle"] != true {
		t.Errorf("set: %s", set.text)
	}
	if set := w.want(200, w.manage(bob, "PATCH", "/wikis/bob", object{"wikilinks": "text-first"})); set.string("wikilinks") != "text-first" || set.string("title") != "Bob's" {
		t.Errorf("set: %s", set.text)
	}
	w.want(422, w.manage(bob, "PATCH", "/wikis/bob", object{"wikilinks": "sideways"}))
	if set := w.want(200, w.manage(bob, "PATCH", "/wikis/bob", object{"lang": "pt-BR"})); set.string("lang") != "pt-br" || set.string("wikilinks") != "text-first" {
		t.Errorf("lang: %v", set)
	}
	w.want(422, w.manage(bob, "PATCH", "/wikis/bob", object{"lang": "not a language"}))
	if set := w.want(200, w.manage(bob, "PATCH", "/wikis/bob", object{"accent": "#6A2A9C", "footer": " By Bob \n"})); set.string("accent") != "#6a2a9c" || set.string("footer") != "By Bob" {
		t.Errorf("after setting accent color and footer: %v", set)
	}
	for field, value := range map[string]string{"accent": "red", "footer": "# Heading"} {
		w.want(422, w.manage(bob, "PATCH", "/wikis/bob", object{field: value}))
	}
	w.want(400, w.manage(bob, "PATCH", "/wikis/bob", object{"limits": 1}))
	w.want(200, w.manage(bob, "POST", "/wikis/bob/members", object{"handle": "eve.test", "role": "editor"}))
	w.want(409, w.manage(bob, "POST", "/wikis/bob/members", object{"handle": "eve.test", "role": "editor"}))
	w.want(200, w.manage(bob, "PATCH", "/wikis/bob/members/did:plc:eve", object{"role": "viewer"}))
	if got := w.manage(bob, "GET", "/wikis/bob/members", nil); !strings.Contains(got.text, `"handle":"eve.test"`) {
		t.Errorf("members: %s", got.text)
	}
	w.want(200, w.manage(bob, "DELETE", "/wikis/bob/members/did:plc:eve", nil))
	w.want(200, w.manage(bob, "DELETE", "/wikis/ada/members/did:plc:bob", nil))
	w.want(401, w.send("ada/editor", "GET", "ada", "/pages", nil)) // the token ended with the membership

	token := w.want(201, w.manage(bob, "POST", "/wikis/bob/tokens", object{"name": "ci"}))
	w.Tokens["new"] = token.string("secret")
	w.want(200, w.send("new", "GET", "bob", "/pages", nil))
	if list := w.manage(bob, "GET", "/wikis/bob/tokens", nil); strings.Contains(list.text, "rwtf_") || !strings.Contains(list.text, `"ci"`) {
		t.Errorf("tokens: %s", list.text)
	}
	w.want(200, w.manage(bob, "DELETE", "/wikis/bob/tokens/"+token.string("id"), nil))
	w.want(401, w.send("new", "GET", "bob", "/pages", nil))

	w.want(200, w.manage(bob, "DELETE", "/wikis/bob", object{"confirm": "bob"}))
	w.want(404, w.manage(bob, "GET", "/wikis/bob", nil))
	w.want(401, w.send("bob/owner", "GET", "bob", "/pages", nil))
	if list := w.manage(bob, "GET", "/wikis", nil); !strings.Contains(list.text, `"ending"`) {
		t.Errorf("wikis: %s", list.text)
	}
	w.want(200, w.manage(bob, "POST", "/wikis/bob/restore", nil))
	w.want(200, w.manage(bob, "GET", "/wikis/bob", nil))

	w.want(200, w.manage(bob, "DELETE", "/me", object{"confirm": "bob"}))
	w.want(401, w.manage(bob, "GET", "/me", nil))
}
