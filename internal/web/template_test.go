package web

import (
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// noteTemplates records the name of each fully rendered page.
func (w *testWiki) noteTemplates() map[string]bool {
	seen := map[string]bool{}
	for name, parsed := range w.web.templates.pages {
		page := template.Must(parsed())
		page.Funcs(template.FuncMap{"seen": func(name string) string { seen[name] = true; return "" }})
		foot := page.Lookup("foot").Tree.Copy()
		template.Must(page.AddParseTree("realfoot", foot))
		template.Must(page.New("foot").Parse(`{{template "realfoot" .}}{{seen "` + name + `"}}`))
	}
	return seen
}

// renderInvitations renders the pages of a service with sign-up by invitation.
func renderInvitations(t *testing.T) map[string]bool {
	t.Helper()
	w := newInvitedWiki(t, nil)
	seen := w.noteTemplates()
	link := w.as("ada").invite()
	for _, name := range []string{"", "dan"} {
		b := w.as(name)
		b.get(testPlatform + "/invitation").want(http.StatusGone)
		b.follow(b.get(link)).want(http.StatusOK)
	}
	return seen
}

// TestEveryTemplate renders each template in all its variants, and fails for unused
// templates.
func TestEveryTemplate(t *testing.T) {
	t.Parallel()
	w := newSignupWiki(t, nil, tenant.Signup{PerDay: 1, Listed: func(u wiki.User) bool { return u.Username != "dan" }})
	seen := w.noteTemplates()
	w.upload("ada", "Weather_Station", "dot.png", string(testPNG(t)))
	w.upload("ada", "Weather_Station", "notes.txt", "notes\n")
	old := w.put("ada", "Log", "---\nstatus: fine\ntags: [a, b]\n---\n\n## One\n\n### Two\n\nWords.\n")
	w.put("ada", "Log", "---\nstatus: [broken\n---\n\nOther words.\n")
	ada := w.as("ada")
	for _, path := range []string{
		"/Log", "/Log?revision=" + old.Commit, "/Log/source", "/Log/source/" + old.Commit, "/Nobody/Wrote_This", "/Garden",
		"/Log/history", "/Weather_Station/dot.png/history", "/Log/diff/" + old.Commit, "/Weather_Station/blame",
		"/-/index", "/-/trash", "/-/backlinks?page=Log", "/-/drafts", "/-/changelog", "/-/changelog?by=agents", "/-/changelog?author=ada", "/-/changelog?group=sessions", "/-/commit/" + old.Commit, "/-/session/" + old.Commit, "/-/new",
		"/-/search", "/-/search?q=words", "/-/jump", "/-/jump?q=words", "/-/search?q=nowhereatall", "/-/help", "/-/health", "/-/attachments",
		"/Log/edit", "/Log/edit/" + old.Commit, "/New_Page/edit", "/Log/rename", "/Log/delete", "/-/create", "/-/settings", "/-/erase", "/-/import", "/-/export", "/-/tokens", "/-/links", "/-/watched?page=Log", "/-/webhooks", "/-/report?page=/Log", "/-/agents", "/-/connect", "/-/welcome",
		"/Weather_Station/attachments", "/Weather_Station/attachment/dot.png", "/-/revert/" + old.Commit, "/.x",
	} {
		if got := ada.get(on("ada", path)); got.status >= http.StatusInternalServerError {
			t.Errorf("%s: %d", got.asked, got.status)
		}
	}
	written := w.write("ada", "ada", "Claude", "By_Claude", "One.\n")
	w.write("ada", "bob", "", "By_Claude", "Two.\n")
	ada.post(on("ada", "/-/new"), url.Values{"action": {"undo"}, "session": {written.Commit}}).want(http.StatusConflict)
	ada.post(on("ada", "/Log/save"), url.Values{"content": {"Mine.\n"}, "base": {old.Revision}, "revision": {old.Revision}})
	for _, b := range []*browser{w.anonymous(), ada, w.as("cleo")} {
		for _, path := range []string{"/", "/limits", "/privacy", "/terms"} {
			b.get(testPlatform + path).want(http.StatusOK)
		}
		b.get(testPlatform+"/auth/login").want(http.StatusOK, http.StatusSeeOther)
		b.get(testPlatform+"/app/").want(http.StatusOK, http.StatusFound)
		b.get(testPlatform+"/app/create").want(http.StatusOK, http.StatusFound, http.StatusSeeOther)
		b.get(testPlatform+"/app/account").want(http.StatusOK, http.StatusFound)
		b.get(testPlatform+"/app/feed").want(http.StatusOK, http.StatusFound)
		b.get(testPlatform + "/nothing").want(http.StatusNotFound)
	}
	ada.get(on("ada", "/-/proposals")).want(http.StatusOK)
	w.propose("ada", "bob", "", newProposal("Proposed", "One.\n"))
	ada.get(on("ada", "/-/proposals/grant-of-bob?page=Proposed.md")).want(http.StatusOK)
	ada.consent("ada").want(http.StatusOK)
	w.Connect("bob", "bob.example.org")
	ada.follow(ada.get(onDomain("bob", "/"))).want(http.StatusOK).has("Continue to bob.example.org?")
	w.anonymous().get(on("ada", ada.share("ada", "Log"))).want(http.StatusOK)
	w.as("dan").get(testPlatform + "/app/create").want(http.StatusTooManyRequests)
	operator := w.operators("ada")
	for _, path := range []string{"/app/operator", "/app/operator/ada"} {
		operator.get(testPlatform + path).want(http.StatusOK)
	}
	maps.Copy(seen, renderInvitations(t))
	maps.Copy(seen, renderHome(t))
	w.anonymous().post(on("ada", "/Log/save"), url.Values{"content": {"Mine.\n"}}).want(http.StatusForbidden)
	for _, name := range slices.Sorted(maps.Keys(w.web.templates.pages)) {
		if !seen[name] {
			t.Errorf("no page was rendered with %s.html", name)
		}
	}
}
