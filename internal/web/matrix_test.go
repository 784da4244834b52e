package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// A cell holds the status of a route for callers with permission; the status for
// others follows from the route's need. form is for POST.
type cell struct {
	path string
	form url.Values
	ok   int // status with permission
	need wiki.Action
	open bool // ok for everyone
	// member marks routes for members only, including viewers.
	member bool
}

// routeMatrix has a cell for each route of wikiRoutes, by its pattern, and for
// each action of pageActions, by method and suffix. {commit} is the head's id.
// Forms are sent without required fields: with permission, the response is that a
// field is missing, and nothing changes.
var routeMatrix = map[string]cell{
	"GET /-/static/{file}":  {path: "{css}", ok: 200, open: true},
	"GET /-/accent/{file}":  {path: "/-/accent/" + accentFile("#6a2a9c"), ok: 200, open: true},
	"GET /-/icon/{id}":      {path: "/-/icon/none", ok: 404},
	"GET /-/card/{page...}": {path: "/-/card/No_such_page.png", ok: 404},
	"GET /-/avatar/{id}":    {path: "/-/avatar/none", ok: 404, open: true},
	"GET /-/sso":            {path: "/-/sso?code=x", ok: 403, open: true},
	"GET /-/login":          {path: "/-/login?to=/", ok: 302, open: true},
	"POST /-/logout":        {path: "/-/logout", ok: 303, open: true},
	"GET /-/healthz":        {path: "/-/healthz", ok: 200, open: true},
	"GET /robots.txt":       {path: "/robots.txt", ok: 200, open: true},
	"GET /favicon.ico":      {path: "/favicon.ico", ok: 200, open: true},

	"GET /-/index":               {path: "/-/index", ok: 200},
	"GET /-/changelog":           {path: "/-/changelog", ok: 200},
	"GET /-/changelog/{from}":    {path: "/-/changelog/{commit}", ok: 200},
	"GET /-/changelog/feed.atom": {path: "/-/changelog/feed.atom", ok: 200},
	"GET /-/changelog/feed.rss":  {path: "/-/changelog/feed.rss", ok: 200},
	"GET /-/backlinks":           {path: "/-/backlinks?page=Home", ok: 200},
	"GET /-/trash":               {path: "/-/trash", ok: 200},
	"GET /-/log":                 {path: "/-/log", ok: 302},
	"GET /-/log/{from}":          {path: "/-/log/{commit}", ok: 302},
	"GET /-/commit/{id}":         {path: "/-/commit/{commit}", ok: 200},
	"GET /-/session/{id}":        {path: "/-/session/{commit}", ok: 200},
	"GET /-/search":              {path: "/-/search?q=home", ok: 200},
	"POST /-/search":             {path: "/-/search", form: url.Values{"query": {"home"}}, ok: 303},
	"GET /-/search/{query...}":   {path: "/-/search/home", ok: 303},
	"GET /-/tree":                {path: "/-/tree?in=Garden", ok: 200},
	"GET /-/jump":                {path: "/-/jump?q=ho", ok: 200},
	"GET /-/suggest":             {path: "/-/suggest?q=ho", ok: 200},
	"GET /-/suggest/{kind}":      {path: "/-/suggest/tags?q=a", ok: 200},
	"GET /-/health":              {path: "/-/health", ok: 200},
	"GET /-/housekeeping":        {path: "/-/housekeeping", ok: 302},
	"GET /-/help":                {path: "/-/help", ok: 200},
	"GET /-/help/{topic}":        {path: "/-/help/syntax", ok: 200},
	"GET /-/syntax":              {path: "/-/syntax", ok: 200},
	"GET /-/about":               {path: "/-/about", ok: 302},
	"GET /-/admin":               {path: "/-/admin", ok: 302},
	"GET /-/admin/{rest...}":     {path: "/-/admin/user_management", ok: 302},
	"GET /-/user":                {path: "/-/user", ok: 302},
	"GET /-/user/{rest...}":      {path: "/-/user/edit", ok: 302},
	"GET /-/attachments":         {path: "/-/attachments", ok: 200},
	"GET /sitemap.xml":           {path: "/sitemap.xml", ok: 200},
	"GET /llms.txt":              {path: "/llms.txt", ok: 200},
	"GET /llms-full.txt":         {path: "/llms-full.txt", ok: 200},
	"/{page...}":                 {path: "/Home", ok: 200},
	"GET /-/report":              {path: "/-/report?page=/Home", ok: 200},
	"POST /-/report":             {path: "/-/report", form: url.Values{}, ok: 422},
	"GET /-/export":              {path: "/-/export", ok: 200},
	"GET /-/export/{format}":     {path: "/-/export/markdown", ok: 200},
	"GET /-/import":              {path: "/-/import", ok: 200, need: wiki.Configure},
	"POST /-/import":             {path: "/-/import", form: url.Values{}, ok: 422, need: wiki.Configure},
	"POST /-/import/plan":        {path: "/-/import/plan", form: url.Values{"do": {"import"}}, ok: 303, need: wiki.Configure},
	"GET /-/create":              {path: "/-/create", ok: 200, need: wiki.Edit},
	"POST /-/create":             {path: "/-/create", form: url.Values{}, ok: 422, need: wiki.Edit},
	"GET /-/diagram/{hash}":      {path: diagramURL(), ok: 200, open: true},
	"POST /-/task":               {path: "/-/task", form: url.Values{}, ok: 422, need: wiki.Edit},
	"POST /-/upload":             {path: "/-/upload", form: url.Values{}, ok: 422, need: wiki.Edit},
	"GET /-/revert/{id}":         {path: "/-/revert/{commit}", ok: 200, need: wiki.Edit},
	"POST /-/revert/{id}":        {path: "/-/revert/abcdef12345", form: url.Values{}, ok: 404, need: wiki.Edit},
	"GET /-/settings":            {path: "/-/settings", ok: 200, need: wiki.Configure},
	"POST /-/imports":            {path: "/-/imports", form: url.Values{"commit": {"none"}, "action": {"vouch"}}, ok: 404, need: wiki.Configure},
	"POST /-/settings":           {path: "/-/settings", form: url.Values{"title": {strings.Repeat("x", 300)}, "visibility": {"public"}}, ok: 422, need: wiki.Configure},

	"POST /-/icon":                     {path: "/-/icon", form: url.Values{}, ok: 422, need: wiki.Configure},
	"POST /-/publication":              {path: "/-/publication", form: url.Values{"publication": {"x"}}, ok: 422, need: wiki.Configure},
	"POST /-/domain":                   {path: "/-/domain", form: url.Values{"action": {"dance"}}, ok: 422, need: wiki.Configure},
	"POST /-/handle":                   {path: "/-/handle", ok: 422, need: wiki.Configure},
	"POST /-/members":                  {path: "/-/members", form: url.Values{"action": {"dance"}}, ok: 422, need: wiki.Configure},
	"GET /-/erase":                     {path: "/-/erase", ok: 200, need: wiki.Configure},
	"POST /-/erase":                    {path: "/-/erase", form: url.Values{"action": {"erase"}}, ok: 422, need: wiki.Configure},
	"POST /-/delete":                   {path: "/-/delete", form: url.Values{"confirm": {"ad"}}, ok: 422, need: wiki.Configure},
	"GET /-/welcome":                   {path: "/-/welcome", ok: 200, need: wiki.Configure},
	"GET /-/connect":                   {path: "/-/connect", ok: 200, member: true},
	"POST /-/connect":                  {path: "/-/connect", form: url.Values{"action": {"dance"}, "commit": {"{commit}"}}, ok: 422, member: true},
	"GET /-/drafts":                    {path: "/-/drafts", ok: 200, need: wiki.Edit},
	"POST /-/drafts":                   {path: "/-/drafts", form: url.Values{}, ok: 422, need: wiki.Edit},
	"GET /-/editing":                   {path: "/-/editing?page=Home", ok: 200, need: wiki.Edit},
	"POST /-/editing":                  {path: "/-/editing", form: url.Values{}, ok: 422, need: wiki.Edit},
	"GET /-/new":                       {path: "/-/new", ok: 200, member: true},
	"POST /-/new":                      {path: "/-/new", form: url.Values{"action": {"dance"}}, ok: 422, member: true},
	"GET /-/proposals":                 {path: "/-/proposals", ok: 200, need: wiki.Edit},
	"GET /-/proposals/{grant}":         {path: "/-/proposals/none", ok: 404, need: wiki.Edit},
	"POST /-/proposals/{grant}":        {path: "/-/proposals/none", form: url.Values{"action": {"dance"}, "version": {"x"}}, ok: 404, need: wiki.Edit},
	"GET /-/connect/events":            {path: "/-/connect/events", ok: 200, member: true},
	"GET /-/tokens":                    {path: "/-/tokens", ok: 200, member: true},
	"POST /-/tokens":                   {path: "/-/tokens", form: url.Values{"action": {"dance"}}, ok: 422, member: true},
	"GET /-/webhooks":                  {path: "/-/webhooks", ok: 200, need: wiki.Configure},
	"POST /-/webhooks":                 {path: "/-/webhooks", form: url.Values{"action": {"dance"}}, ok: 422, need: wiki.Configure},
	"GET /-/links":                     {path: "/-/links", ok: 200, member: true},
	"POST /-/links":                    {path: "/-/links", form: url.Values{"action": {"dance"}}, ok: 422, member: true},
	"GET /-/feed/{secret}":             {path: "/-/feed/none", ok: 404, open: true},
	"GET /-/shared/{secret}":           {path: "/-/shared/none", ok: 404, open: true},
	"GET /-/shared/{secret}/{file...}": {path: "/-/shared/none/Home/dot.png", ok: 404, open: true},
	"GET /-/watched":                   {path: "/-/watched", ok: 200, member: true},
	"POST /-/watched":                  {path: "/-/watched", form: url.Values{"action": {"dance"}}, ok: 422, member: true},
	"GET /-/agents":                    {path: "/-/agents", ok: 200, member: true},
	"POST /-/agents":                   {path: "/-/agents", form: url.Values{"id": {"nobody's"}}, ok: 404, member: true},
	"GET /.well-known/site.standard.publication": {path: "/.well-known/site.standard.publication", ok: 404, open: true},
	"GET /.well-known/atproto-did":               {path: "/.well-known/atproto-did", ok: 404, open: true},

	"GET view":               {path: "/Home/view", ok: 302},
	"GET source":             {path: "/Home/source", ok: 200},
	"POST source":            {path: "/Home/source", form: url.Values{}, ok: 422, need: wiki.Edit},
	"GET history":            {path: "/Home/history", ok: 200},
	"POST history":           {path: "/Home/history", form: url.Values{}, ok: 422},
	"GET diff":               {path: "/Home/diff/{commit}", ok: 200},
	"GET blame":              {path: "/Home/blame", ok: 200},
	"GET edit":               {path: "/Home/edit", ok: 200, need: wiki.Edit},
	"POST edit":              {path: "/Home/edit", form: url.Values{}, ok: 303, need: wiki.Edit},
	"GET save":               {path: "/Home/save", ok: 303},
	"POST save":              {path: "/Home/save", form: url.Values{}, ok: 422, need: wiki.Edit},
	"GET preview":            {path: "/Home/preview", ok: 303},
	"POST preview":           {path: "/Home/preview", form: url.Values{}, ok: 422, need: wiki.Edit},
	"GET draft":              {path: "/Home/draft", ok: 303},
	"POST draft":             {path: "/Home/draft", form: url.Values{}, ok: 422, need: wiki.Edit},
	"GET rename":             {path: "/Home/rename", ok: 200, need: wiki.Edit},
	"POST rename":            {path: "/Home/rename", form: url.Values{}, ok: 422, need: wiki.Edit},
	"GET delete":             {path: "/Home/delete", ok: 200, need: wiki.Edit},
	"POST delete":            {path: "/Home/delete", form: url.Values{}, ok: 428, need: wiki.Edit},
	"GET attachments":        {path: "/Home/attachments", ok: 200},
	"POST attachments":       {path: "/Home/attachments", form: url.Values{}, ok: 422, need: wiki.Edit},
	"GET inline_attachment":  {path: "/Home/inline_attachment", ok: 303},
	"POST inline_attachment": {path: "/Home/inline_attachment", form: url.Values{}, ok: 422, need: wiki.Edit},
	"GET attachment":         {path: "/Home/attachment/dot.png", ok: 200},
	"POST attachment":        {path: "/Home/attachment/dot.png", form: url.Values{}, ok: 422, need: wiki.Edit},
	"GET a":                  {path: "/Home/a/dot.png", ok: 200},
	"GET t":                  {path: "/Home/t/dot.png", ok: 200},
}

// expected returns the status for a caller in a wiki.
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
	return http.StatusForbidden // with the content of the form
}

// roleIn returns a person's role in the test wikis: "ada" is public, "bob" private,
// and "zoe" does not exist.
func roleIn(slug, name string) wiki.Role {
	return map[string]map[string]wiki.Role{
		"ada": {"": wiki.Reader, "dan": wiki.Reader, "cleo": wiki.Viewer, "bob": wiki.Editor, "ada": wiki.Owner},
		"bob": {"cleo": wiki.Viewer, "bob": wiki.Owner},
	}[slug][name]
}

var (
	matrixPeople = []string{"", "dan", "cleo", "bob", "ada"}
	matrixWikis  = []string{"ada", "bob", "zoe"}
)

// methodOf returns the method of a route's pattern.
func methodOf(pattern string) string {
	if method, _, ok := strings.Cut(pattern, " "); ok {
		return method
	}
	return http.MethodGet
}

// wikiKeys returns the keys that routeMatrix must have.
func wikiKeys() []string {
	var keys []string
	for _, rt := range wikiRoutes() {
		keys = append(keys, rt.pattern)
	}
	for _, a := range pageActions() {
		if a.get != nil {
			keys = append(keys, "GET "+a.suffix)
		}
		if a.post != nil {
			keys = append(keys, "POST "+a.suffix)
		}
	}
	return keys
}

// TestRoutesAndRoles tries every person on every route of the hosts of the public,
// the private and the missing wiki. Without access, the private one must look like
// the missing one.
func TestRoutesAndRoles(t *testing.T) {
	t.Parallel()
	newMatrixWiki(t).tryRoutes(matrixWikis, on, cell.expected)
}

// TestRoutesAndRolesOfDomains tries every person on every route of the own domains of the
// public and the private wiki.
func TestRoutesAndRolesOfDomains(t *testing.T) {
	t.Parallel()
	w := newMatrixWiki(t)
	w.connectDomains()
	w.tryRoutes([]string{"ada", "bob"}, onDomain, cell.expected)
}

// TestRoutesOfFormerAddresses tries every person on every route of the subdomains of
// wikis that have own domains. People who can read a page are redirected to the domain;
// to others the subdomain looks as before, so that it doesn't tell which wiki a domain
// shows.
func TestRoutesOfFormerAddresses(t *testing.T) {
	t.Parallel()
	w := newMatrixWiki(t)
	w.connectDomains()
	w.tryRoutes(matrixWikis, on, func(c cell, method string, role wiki.Role, anonymous bool) int {
		if method == http.MethodGet && !c.open && role != wiki.NoRole && c.need != wiki.Configure {
			return http.StatusMovedPermanently
		}
		return c.expected(method, role, anonymous)
	})
}

// newMatrixWiki returns wikis with a file, which the matrix asks for.
func newMatrixWiki(t *testing.T) *testWiki {
	t.Helper()
	w := newTestWiki(t)
	for _, slug := range []string{"ada", "bob"} {
		w.upload(slug, "Home", "dot.png", string(testPNG(t)))
		w.put(slug, "Home", "Home, sweet "+slug+".\n")
	}
	w.web.stream.life = time.Millisecond
	return w
}

// tryRoutes tries every person on every route of some wikis, at the addresses that on
// returns.
func (w *testWiki) tryRoutes(wikis []string, on func(slug, path string) string, expected func(c cell, method string, role wiki.Role, anonymous bool) int) {
	t := w.T
	t.Helper()
	keys, tried := wikiKeys(), 0
	for _, name := range matrixPeople {
		b := w.as(name)
		for _, key := range keys {
			c, ok := routeMatrix[key]
			if !ok {
				t.Fatalf("routeMatrix has no cell for %q", key)
			}
			if key == "POST /-/logout" && name != "" {
				continue // would end the session of this test
			}
			for _, slug := range wikis {
				commit := "0123456789abcdef0123456789abcdef01234567"
				if slug != "zoe" {
					commit = w.commit(slug)
				}
				path := strings.NewReplacer("{commit}", commit, "{css}", w.web.assets.byName["app.css"]).Replace(c.path)
				method, form := methodOf(key), c.form
				if method == http.MethodPost && form == nil {
					form = url.Values{}
				}
				role := roleIn(slug, name)
				got := b.send(method, on(slug, path), form)
				tried++
				if want := expected(c, method, role, name == ""); got.status != want {
					t.Errorf("%q (%s) %s: %d, want %d", name, role, got.asked, got.status, want)
				}
				if slug == "bob" && role == wiki.NoRole {
					got.lacks("sweet", canary)
					if at := got.header.Get("Location") + got.body; strings.Contains(got.asked, "robot.localhost") && strings.Contains(at, "bob.example.org") || !strings.Contains(got.asked, "robot.localhost") && strings.Contains(at, "bob.robot.localhost") {
						t.Errorf("%q %s: a stranger learns the wiki's other host", name, got.asked)
					}
				}
			}
		}
	}
	checkMatrix(t, routeMatrix, keys, tried)
}

// checkMatrix fails for cells whose route no longer exists.
func checkMatrix[C any](t testing.TB, matrix map[string]C, keys []string, tried int) {
	t.Helper()
	for key := range matrix {
		if !slices.Contains(keys, key) {
			t.Errorf("route %q no longer exists", key)
		}
	}
	t.Logf("measured: %d cells", tried)
}

// A platformCell holds the statuses of a platform route for an anonymous and a
// signed-in caller; 0 is not tried. If path or form contain {slug}, the route is
// about a wiki and is tried for each wiki: of then holds the status by the caller's
// role.
type platformCell struct {
	path             string
	form             url.Values
	nobody, somebody int
	of               map[wiki.Role]int
	owner            int // status for an owner of a wiki, if different
}

// platformMatrix has a cell for each route of platformRoutes, by its pattern.
// Nothing in it changes anything.
var platformMatrix = map[string]platformCell{
	"GET /-/static/{file}":           {path: "{css}", nobody: 200, somebody: 200},
	"GET /-/avatar/{id}":             {path: "/-/avatar/none", nobody: 404, somebody: 404},
	"GET /{$}":                       {path: "/", nobody: 200, somebody: 200},
	"GET /app/{$}":                   {path: "/app/", nobody: 302, somebody: 200},
	"GET /app":                       {path: "/app", nobody: 302, somebody: 200},
	"GET /app/wiki/{slug}":           {path: "/app/wiki/ada", nobody: 302, somebody: 302, owner: 302},
	"GET /app/wiki/{slug}/{rest...}": {path: "/app/wiki/ada/collaborators", nobody: 302, somebody: 302, owner: 302},
	"GET /auth/signup":               {path: "/auth/signup", nobody: 302, somebody: 302, owner: 302},
	"GET /app/create":                {path: "/app/create", nobody: 302, somebody: 200, owner: 303},
	"POST /app/create":               {path: "/app/create", form: url.Values{"slug": {"no"}}, nobody: 302, somebody: 422, owner: 303},
	"GET /app/create/check":          {path: "/app/create/check?slug=x", nobody: 403, somebody: 200},
	"GET /app/account":               {path: "/app/account", nobody: 302, somebody: 200},
	"GET /app/feed":                  {path: "/app/feed", nobody: 302, somebody: 200},
	"POST /app/feed":                 {path: "/app/feed", form: url.Values{"action": {"dance"}}, nobody: 403, somebody: 422},
	"GET /app/feed/{secret}":         {path: "/app/feed/none", nobody: 404, somebody: 404},
	"GET /app/export":                {path: "/app/export", nobody: 302, somebody: 200},
	"POST /app/tokens":               {path: "/app/tokens", nobody: 403, somebody: 422},
	"POST /app/sessions":             {path: "/app/sessions", nobody: 403, somebody: 422},
	"POST /app/agents":               {path: "/app/agents", form: url.Values{"id": {"nobody's"}}, nobody: 403, somebody: 404},
	"GET /app/operator":              {path: "/app/operator", nobody: 404, somebody: 404},
	"POST /app/operator":             {path: "/app/operator", form: url.Values{"id": {"1"}}, nobody: 404, somebody: 404},
	"GET /app/operator/{slug}":       {path: "/app/operator/{slug}", nobody: 404, somebody: 404},
	"POST /app/operator/{slug}":      {path: "/app/operator/{slug}", form: url.Values{"action": {"suspend"}}, nobody: 404, somebody: 404},
	"POST /app/offers":               {path: "/app/offers", form: url.Values{"slug": {"{slug}"}, "action": {"accept"}}, nobody: 403, somebody: 404},
	"POST /app/leave":                {path: "/app/leave", form: url.Values{"slug": {"{slug}"}}, nobody: 403, of: map[wiki.Role]int{wiki.NoRole: 404, wiki.Reader: 403, wiki.Owner: 422}},
	"POST /app/restore":              {path: "/app/restore", form: url.Values{"slug": {"{slug}"}}, nobody: 403, somebody: 404},
	"POST /app/account/delete":       {path: "/app/account/delete", form: url.Values{"confirm": {"nobody"}}, nobody: 403, somebody: 422},
	"POST /app/account/keep":         {path: "/app/account/keep", nobody: 403, somebody: 404},
	"GET /limits":                    {path: "/limits", nobody: 200, somebody: 200},
	"GET /privacy":                   {path: "/privacy", nobody: 200, somebody: 200},
	"GET /terms":                     {path: "/terms", nobody: 200, somebody: 200},
	"GET /auth/login":                {path: "/auth/login", nobody: 200, somebody: 303},
	"POST /auth/logout":              {path: "/auth/logout", nobody: 303}, // would end the session of this test
	"GET /auth/sso":                  {path: "/auth/sso?wiki={slug}&nonce=" + strings.Repeat("0", 64), nobody: 302, somebody: 302},
	"POST /auth/sso":                 {path: "/auth/sso?wiki={slug}&nonce=" + strings.Repeat("0", 64), nobody: 422, somebody: 422}, // only for own domains
	"GET /robots.txt":                {path: "/robots.txt", nobody: 200, somebody: 200},
	"GET /favicon.ico":               {path: "/favicon.ico", nobody: 200, somebody: 200},
	// These are hidden unless sign-up is by invitation: TestInvitationRoles tries them.
	"GET /invitation/{code}": {path: "/invitation/CODE", nobody: 404, somebody: 404},
	"GET /invitation":        {path: "/invitation", nobody: 404, somebody: 404},
	"POST /invitation":       {path: "/invitation", nobody: 404, somebody: 404},
	"POST /app/invitations":  {path: "/app/invitations", nobody: 404, somebody: 404},

	"/{rest...}":     {path: "/nothing", nobody: 404, somebody: 404},
	"POST /auth/dev": {path: "/auth/dev", nobody: 422, somebody: 422},

	"POST /auth/login":               {path: "/auth/login", nobody: 422, somebody: 422},
	"GET /auth/oauth/authorize":      {path: "/auth/oauth/authorize?client_id=nobody", nobody: 422, somebody: 422},
	"GET /auth/oauth/consent":        {path: "/auth/oauth/consent?request=none", nobody: 302, somebody: 410},
	"POST /auth/oauth/consent":       {path: "/auth/oauth/consent", form: url.Values{"request": {"none"}, "person": {""}, "answer": {"deny"}}, nobody: 303, somebody: 410},
	"GET /auth/handles":              {path: "/auth/handles?q=ada", nobody: 200, somebody: 200},
	"GET /auth/callback":             {path: "/auth/callback", nobody: 303, somebody: 303},
	"GET /auth/client-metadata.json": {path: "/auth/client-metadata.json", nobody: 200, somebody: 200},
	"GET /auth/jwks.json":            {path: "/auth/jwks.json", nobody: 200, somebody: 200},
}

// expected returns the status for a person; 0 is not tried.
func (c platformCell) expected(name, slug string) int {
	switch {
	case name == "":
		return c.nobody
	case c.of != nil:
		return c.of[roleIn(slug, name)]
	case c.owner != 0 && (name == "ada" || name == "bob"):
		return c.owner
	}
	return c.somebody
}

// wikis returns the slugs to try the route with: one if it isn't about a wiki.
func (c platformCell) wikis() []string {
	if strings.Contains(c.path, "{slug}") || c.form.Get("slug") == "{slug}" {
		return matrixWikis
	}
	return matrixWikis[:1]
}

// TestPlatformRoutesAndRoles tries every person on every route of the platform's
// host, with every wiki if the route is about one.
func TestPlatformRoutesAndRoles(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	var keys []string
	for _, rt := range platformRoutes(true, true) {
		keys = append(keys, rt.pattern)
	}
	tried := 0
	for _, name := range matrixPeople {
		b := w.as(name)
		for _, key := range keys {
			c, ok := platformMatrix[key]
			if !ok {
				t.Fatalf("platformMatrix has no cell for %q", key)
			}
			for _, slug := range c.wikis() {
				want := c.expected(name, slug)
				if want == 0 {
					continue
				}
				tried++
				path := strings.NewReplacer("{slug}", slug, "{css}", w.web.assets.byName["app.css"]).Replace(c.path)
				var form url.Values
				if method := methodOf(key); method == http.MethodPost {
					form = url.Values{}
					for field, values := range c.form {
						form.Set(field, strings.Replace(values[0], "{slug}", slug, 1))
					}
				}
				got := b.send(methodOf(key), testPlatform+path, form)
				if got.status != want {
					t.Errorf("%q about %s, %s: %d, want %d", name, slug, got.asked, got.status, want)
				}
				if roleIn("bob", name) == wiki.NoRole {
					got.lacks(canary)
				}
			}
		}
	}
	checkMatrix(t, platformMatrix, keys, tried)
}
