package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

// A cell says what a route answers to those who may do what it does; what the
// others get follows from the route's need. form is for POST.
type cell struct {
	path string
	form url.Values
	ok   int // status for whoever may
	need wiki.Action
	open bool // the same for everybody: ok
	// member is for what members alone may, viewers too.
	member bool
}

// routeMatrix has a cell for each route of wikiRoutes, by its pattern, and for
// each action of pageActions, by method and suffix. {commit} is the head's id.
// Forms are sent without what they need: the answer of somebody who may is that
// something is missing, and nothing changes.
var routeMatrix = map[string]cell{
	"GET /-/static/{file}": {path: "{css}", ok: 200, open: true},
	"GET /-/sso":           {path: "/-/sso?code=x", ok: 403, open: true},
	"GET /-/login":         {path: "/-/login?to=/", ok: 302, open: true},
	"POST /-/logout":       {path: "/-/logout", ok: 303, open: true},
	"GET /-/healthz":       {path: "/-/healthz", ok: 200, open: true},
	"GET /robots.txt":      {path: "/robots.txt", ok: 200, open: true},
	"GET /favicon.ico":     {path: "/favicon.ico", ok: 200, open: true},

	"GET /-/index":               {path: "/-/index", ok: 200},
	"GET /-/changelog":           {path: "/-/changelog", ok: 200},
	"GET /-/changelog/{from}":    {path: "/-/changelog/{commit}", ok: 200},
	"GET /-/changelog/feed.atom": {path: "/-/changelog/feed.atom", ok: 200},
	"GET /-/changelog/feed.rss":  {path: "/-/changelog/feed.rss", ok: 200},
	"GET /-/log":                 {path: "/-/log", ok: 302},
	"GET /-/log/{from}":          {path: "/-/log/{commit}", ok: 302},
	"GET /-/commit/{id}":         {path: "/-/commit/{commit}", ok: 200},
	"GET /-/search":              {path: "/-/search?q=home", ok: 200},
	"POST /-/search":             {path: "/-/search", form: url.Values{"query": {"home"}}, ok: 303},
	"GET /-/search/{query...}":   {path: "/-/search/home", ok: 303},
	"GET /-/suggest":             {path: "/-/suggest?q=ho", ok: 200},
	"GET /-/health":              {path: "/-/health", ok: 302},
	"GET /-/housekeeping":        {path: "/-/housekeeping", ok: 302},
	"GET /-/help":                {path: "/-/help", ok: 200},
	"GET /-/help/{topic}":        {path: "/-/help/syntax", ok: 200},
	"GET /-/syntax":              {path: "/-/syntax", ok: 200},
	"GET /-/about":               {path: "/-/about", ok: 302},
	"GET /-/attachments":         {path: "/-/attachments", ok: 200},
	"GET /sitemap.xml":           {path: "/sitemap.xml", ok: 200},
	"GET /llms.txt":              {path: "/llms.txt", ok: 200},
	"GET /llms-full.txt":         {path: "/llms-full.txt", ok: 200},
	"/{page...}":                 {path: "/Home", ok: 200},
	"GET /-/create":              {path: "/-/create", ok: 200, need: wiki.Edit},
	"POST /-/create":             {path: "/-/create", form: url.Values{}, ok: 400, need: wiki.Edit},
	"POST /-/upload":             {path: "/-/upload", form: url.Values{}, ok: 400, need: wiki.Edit},
	"GET /-/revert/{id}":         {path: "/-/revert/{commit}", ok: 200, need: wiki.Edit},
	"POST /-/revert/{id}":        {path: "/-/revert/abcdef12345", form: url.Values{}, ok: 404, need: wiki.Edit},
	"GET /-/settings":            {path: "/-/settings", ok: 200, need: wiki.Configure},
	"POST /-/settings":           {path: "/-/settings", form: url.Values{"title": {strings.Repeat("x", 300)}, "visibility": {"public"}}, ok: 400, need: wiki.Configure},

	"POST /-/members":              {path: "/-/members", form: url.Values{"action": {"dance"}}, ok: 400, need: wiki.Configure},
	"POST /-/delete":               {path: "/-/delete", form: url.Values{"confirm": {"ad"}}, ok: 400, need: wiki.Configure},
	"GET /-/tokens":                {path: "/-/tokens", ok: 200, member: true},
	"POST /-/tokens":               {path: "/-/tokens", form: url.Values{"action": {"dance"}}, ok: 400, member: true},
	"GET /.well-known/atproto-did": {path: "/.well-known/atproto-did", ok: 404, open: true},

	"GET view":               {path: "/Home/view", ok: 302},
	"GET source":             {path: "/Home/source", ok: 200},
	"GET history":            {path: "/Home/history", ok: 200},
	"POST history":           {path: "/Home/history", form: url.Values{}, ok: 400},
	"GET diff":               {path: "/Home/diff/{commit}", ok: 200},
	"GET blame":              {path: "/Home/blame", ok: 200},
	"GET edit":               {path: "/Home/edit", ok: 200, need: wiki.Edit},
	"POST edit":              {path: "/Home/edit", form: url.Values{}, ok: 303, need: wiki.Edit},
	"GET save":               {path: "/Home/save", ok: 303},
	"POST save":              {path: "/Home/save", form: url.Values{}, ok: 400, need: wiki.Edit},
	"GET preview":            {path: "/Home/preview", ok: 303},
	"POST preview":           {path: "/Home/preview", form: url.Values{}, ok: 400, need: wiki.Edit},
	"GET draft":              {path: "/Home/draft", ok: 303},
	"POST draft":             {path: "/Home/draft", form: url.Values{}, ok: 400, need: wiki.Edit},
	"GET rename":             {path: "/Home/rename", ok: 200, need: wiki.Edit},
	"POST rename":            {path: "/Home/rename", form: url.Values{}, ok: 400, need: wiki.Edit},
	"GET delete":             {path: "/Home/delete", ok: 200, need: wiki.Edit},
	"POST delete":            {path: "/Home/delete", form: url.Values{}, ok: 428, need: wiki.Edit},
	"GET attachments":        {path: "/Home/attachments", ok: 200},
	"POST attachments":       {path: "/Home/attachments", form: url.Values{}, ok: 400, need: wiki.Edit},
	"GET inline_attachment":  {path: "/Home/inline_attachment", ok: 303},
	"POST inline_attachment": {path: "/Home/inline_attachment", form: url.Values{}, ok: 400, need: wiki.Edit},
	"GET attachment":         {path: "/Home/attachment/dot.png", ok: 200},
	"POST attachment":        {path: "/Home/attachment/dot.png", form: url.Values{}, ok: 400, need: wiki.Edit},
	"GET a":                  {path: "/Home/a/dot.png", ok: 200},
	"GET t":                  {path: "/Home/t/dot.png", ok: 200},
}

// expected is the status that a caller gets in a wiki.
func (c cell) expected(method string, role wiki.Role, anonymous bool) int {
	needs := map[wiki.Action]wiki.Role{wiki.Read: wiki.Reader, wiki.Edit: wiki.Editor, wiki.Configure: wiki.Owner}
	switch {
	case c.open || role >= needs[c.need] && (!c.member || role >= wiki.Viewer):
		return c.ok
	case role != wiki.NoRole:
		return http.StatusForbidden
	case !anonymous:
		return http.StatusNotFound
	case method == http.MethodGet:
		return http.StatusFound // to sign in
	}
	return http.StatusForbidden // with what the form held
}

// TestRoutesAndRoles tries every role on every route, in the public and in the
// private wiki.
func TestRoutesAndRoles(t *testing.T) {
	w := newTestWiki(t)
	for _, slug := range []string{"ada", "bob"} {
		w.upload(slug, "Home", "dot.png", string(testPNG(t)))
		w.put(slug, "Home", "Home, sweet "+slug+".\n")
	}
	type route struct{ key, method string }
	var routes []route
	for _, rt := range wikiRoutes() {
		method, _, ok := strings.Cut(rt.pattern, " ")
		if !ok {
			method = http.MethodGet
		}
		routes = append(routes, route{rt.pattern, method})
	}
	for _, a := range pageActions() {
		if a.get != nil {
			routes = append(routes, route{"GET " + a.suffix, http.MethodGet})
		}
		if a.post != nil {
			routes = append(routes, route{"POST " + a.suffix, http.MethodPost})
		}
	}
	roles := map[string]map[string]wiki.Role{
		"ada": {"": wiki.Reader, "dan": wiki.Reader, "cleo": wiki.Viewer, "bob": wiki.Editor, "ada": wiki.Owner},
		"bob": {"cleo": wiki.Viewer, "bob": wiki.Owner},
	}
	tried := 0
	for _, name := range []string{"", "dan", "cleo", "bob", "ada"} {
		b := w.as(name)
		for _, rt := range routes {
			c, ok := routeMatrix[rt.key]
			if !ok {
				t.Fatalf("say in routeMatrix what %q answers", rt.key)
			}
			for _, slug := range []string{"ada", "bob"} {
				path := strings.NewReplacer("{commit}", w.commit(slug), "{css}", w.web.assets.byName["app.css"]).Replace(c.path)
				form := c.form
				if rt.method == http.MethodPost && form == nil {
					form = url.Values{}
				}
				if rt.key == "POST /-/logout" && name != "" {
					continue // would end the session of this test
				}
				role := roles[slug][name]
				got := b.send(rt.method, on(slug, path), form)
				if want := c.expected(rt.method, role, name == ""); got.status != want {
					t.Errorf("%q (%s) %s: %d, want %d", name, role, got.asked, got.status, want)
				}
				if slug == "bob" && role == wiki.NoRole {
					got.lacks("sweet", canary)
				}
				tried++
			}
		}
	}
	if len(routeMatrix) != len(routes) {
		t.Errorf("%d cells for %d routes", len(routeMatrix), len(routes))
	}
	t.Logf("%d answers", tried)
}
