package web

import (
	"archive/zip"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/store"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// Attack: a page on another site, or on another tenant's host, makes a signed-in
// browser submit each form. All must be refused.
func TestForeignForms(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada := w.as("ada")
	var addresses []string
	for _, rt := range platformRoutes(true, true) {
		if path, ok := strings.CutPrefix(rt.pattern, "POST "); ok {
			addresses = append(addresses, testPlatform+path)
		}
	}
	for _, rt := range wikiRoutes() {
		if path, ok := strings.CutPrefix(rt.pattern, "POST "); ok {
			addresses = append(addresses, on("ada", strings.Replace(path, "{id}", "abcdef12", 1)))
		}
	}
	for _, a := range pageActions() {
		if a.post != nil {
			addresses = append(addresses, on("ada", "/Home/"+a.suffix))
		}
	}
	for site, origin := range map[string]string{"cross-site": "https://evil.example", "same-site": testOrigin("bob")} {
		ada.header = http.Header{"Sec-Fetch-Site": {site}, "Origin": {origin}}
		for _, address := range addresses {
			got := ada.post(address, url.Values{"confirm": {"ada"}, "id": {"all"}, "action": {"invite"}, "handle": {"dan.test"}, "role": {"editor"}})
			if got.status != http.StatusForbidden || !strings.Contains(got.body, "sent from another site") {
				t.Errorf("%s, %s: %d", site, got.asked, got.status)
			}
		}
	}
	ada.header = http.Header{}
	ada.get(testPlatform + "/app/").want(http.StatusOK)
	ada.get(on("ada", "/-/settings")).want(http.StatusOK).lacks("dan.test")
	t.Logf("%d forms", 2*len(addresses))
}

func TestMembersOnPages(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada := w.as("ada")
	members := on("ada", "/-/members")
	change := func(action, handle, did, role string) *answer {
		return ada.post(members, url.Values{"action": {action}, "handle": {handle}, "did": {did}, "role": {role}})
	}
	change("invite", "eve.tset", "", "viewer").want(http.StatusNotFound).has(`value="eve.tset"`, `name="handle" value="eve.test"`, `name="role" value="viewer"`, "Add eve.test")
	change("invite", "eve.test", "", "viewer").want(http.StatusSeeOther)
	ada.get(on("ada", "/-/settings")).has("eve.test", "not signed in yet", "3 of 3")
	change("invite", "dan.test", "", "viewer").want(http.StatusForbidden).has("has 3 members, which is the limit", `value="dan.test"`)
	change("invite", `"><b>x`, "", "viewer").want(http.StatusNotFound).lacks("<b>x").has("Nobody answers to")
	change("invite", "bob.test", "", "viewer").want(http.StatusConflict).has("is already a member")
	change("role", "", "did:plc:eve", "editor").want(http.StatusSeeOther)
	change("role", "", "did:plc:eve", "owner").want(http.StatusUnprocessableEntity)
	change("role", "", "did:plc:ada", "viewer").want(http.StatusUnprocessableEntity)
	change("remove", "", "did:plc:ada", "").want(http.StatusUnprocessableEntity)
	change("remove", "", "did:plc:nobody", "").want(http.StatusNotFound)
	change("remove", "", "did:plc:eve", "").want(http.StatusSeeOther)
	ada.get(on("ada", "/-/settings")).lacks("eve.test").has("2 of 3")

	cleo := w.as("cleo")
	cleo.get(testPlatform + "/app/").has("Leave").lacks("Danger")
	cleo.post(testPlatform+"/app/leave", url.Values{"slug": {"bob"}}).want(http.StatusSeeOther)
	cleo.get(on("bob", "/Home")).want(http.StatusNotFound)
	// To non-members, a private wiki and a missing one look the same.
	one := w.as("dan").post(testPlatform+"/app/leave", url.Values{"slug": {"bob"}})
	two := w.as("dan").post(testPlatform+"/app/leave", url.Values{"slug": {"nosuch"}})
	if one.status != http.StatusNotFound || two.status != one.status || mainOf(one.body) != mainOf(two.body) {
		t.Errorf("leaving distinguishes a private wiki (%d) from a missing one (%d)", one.status, two.status)
	}
}

// An invited person without a wiki has no username: their handle is shown.
func TestInvitedEditorWrites(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.as("ada").post(on("ada", "/-/members"), url.Values{"action": {"invite"}, "handle": {"eve.test"}, "role": {"editor"}}).want(http.StatusSeeOther)
	a, err := w.Tenant.Resolve(t.Context(), "ada", wiki.Caller{User: wiki.User{DID: "did:plc:eve", Handle: "eve.test"}, Session: "s"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Pages.Save(t.Context(), a, pages.SaveRequest{Name: "Hers", Text: []byte("Of eve.\n")}); err != nil {
		t.Fatal(err)
	}
	w.anonymous().get(on("ada", "/Hers")).want(http.StatusOK).has("Last edited by eve.test")
	w.anonymous().get(on("ada", "/-/changelog?author=eve.test")).want(http.StatusOK).has("Hers")
}

func mainOf(body string) string {
	_, rest, _ := strings.Cut(body, "<main")
	text, _, _ := strings.Cut(rest, "</main>")
	return text
}

var tokenShown = regexp.MustCompile(`rwt[fp]_[A-Za-z0-9_-]{43}`)

func TestTokensOnPages(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	cleo := w.as("cleo")
	for _, place := range []string{on("ada", "/-/tokens"), testPlatform + "/app/tokens"} {
		list := strings.Replace(place, "/app/tokens", "/app/account", 1)
		made := cleo.post(place, url.Values{"action": {"make"}, "name": {"nightly <b>"}, "scope": {"read"}}).want(http.StatusOK)
		if tokenShown.FindString(made.body) == "" || made.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: no token, or it may be kept: %q", place, made.header.Get("Cache-Control"))
		}
		page := cleo.get(list).want(http.StatusOK).has("nightly &lt;b&gt;", "never used")
		if s := tokenShown.FindString(page.body); s != "" {
			t.Errorf("%s: shown again", list)
		}
		cleo.post(place, url.Values{"action": {"make"}, "name": {""}}).want(http.StatusUnprocessableEntity).has("Give the token a name")
		id := regexp.MustCompile(`name="id" value="([A-Z0-9]{16})"`).FindStringSubmatch(page.body)
		if id == nil {
			t.Fatalf("%s: no token in the list", list)
		}
		w.as("bob").post(place, url.Values{"action": {"revoke"}, "id": {id[1]}}).want(http.StatusNotFound)
		cleo.get(list).has("nightly")
		cleo.post(place, url.Values{"action": {"revoke"}, "id": {id[1]}}).want(http.StatusSeeOther)
		cleo.get(list).lacks("nightly")
	}
	cleo.post(on("ada", "/-/tokens"), url.Values{"action": {"make"}, "name": {"x"}, "scope": {"write"}}).want(http.StatusForbidden)
}

// A session ended on the account page no longer works on any host.
func TestSessionsOnPages(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	one, two := w.as("ada"), w.as("ada")
	page := one.get(testPlatform + "/app/account").want(http.StatusOK).has("this browser")
	for _, row := range strings.Split(page.body, "<li>") {
		id := regexp.MustCompile(`action="/app/sessions"><button class="button tiny danger" name="id" value="(\w+)"`).FindStringSubmatch(row)
		if id != nil && !strings.Contains(row, "this browser") {
			one.post(testPlatform+"/app/sessions", url.Values{"id": {id[1]}}).want(http.StatusSeeOther)
		}
	}
	two.get(on("ada", "/-/settings")).want(http.StatusFound, http.StatusForbidden)
	two.get(testPlatform + "/app/").want(http.StatusFound)
	one.get(on("ada", "/-/settings")).want(http.StatusOK)
	three := w.as("ada")
	one.post(testPlatform+"/app/sessions", url.Values{"id": {"all"}}).want(http.StatusSeeOther)
	three.get(testPlatform + "/app/").want(http.StatusFound)
	one.get(on("ada", "/-/settings")).want(http.StatusFound, http.StatusForbidden)
	// Each names its browser.
	four := w.anonymous()
	four.header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	four.post(testPlatform+"/auth/dev", url.Values{"username": {"ada"}}).want(http.StatusSeeOther)
	four.get(testPlatform + "/app/account").has("Firefox on Linux")
	four.get(testPlatform + "/app/").has("Firefox on Linux, signed in")
}

// A wiki that is being deleted is closed to everyone, including its owner, and can
// be restored unchanged.
func TestDeleteWikiOnPages(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada, bob := w.as("ada"), w.as("bob")
	ada.post(on("ada", "/-/delete"), url.Values{"confirm": {"Ada"}}).want(http.StatusUnprocessableEntity).has("Type &#34;ada&#34;")
	ada.get(on("ada", "/Home")).want(http.StatusOK)
	ada.get(on("ada", "/Home")).want(http.StatusOK) // and is kept
	ada.follow(ada.post(on("ada", "/-/delete"), url.Values{"confirm": {"ada"}})).want(http.StatusOK).has("is being deleted", "/app/restore")
	for _, path := range []string{"/", "/Home", "/-/settings", "/-/tokens", "/-/changelog/feed.atom"} {
		ada.get(on("ada", path)).want(http.StatusNotFound).lacks("Weather")
		bob.get(on("ada", path)).want(http.StatusNotFound)
		w.anonymous().get(on("ada", path)).want(http.StatusFound)
	}
	bob.get(testPlatform + "/app/").want(http.StatusOK).lacks(testOrigin("ada"))
	bob.post(testPlatform+"/app/restore", url.Values{"slug": {"ada"}}).want(http.StatusNotFound)
	ada.follow(ada.post(testPlatform+"/app/restore", url.Values{"slug": {"ada"}})).want(http.StatusOK).lacks("is being deleted")
	w.anonymous().get(on("ada", "/Home")).want(http.StatusOK)
}

func TestDeleteAccountOnPages(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	bob.post(on("ada", "/Garden/Beds/save"), url.Values{"content": {"Peas.\n"}, "revision": {w.revision("ada", "Garden/Beds")}}).want(http.StatusSeeOther)
	w.anonymous().get(on("ada", "/Garden/Beds")).has("Last edited by bob")
	bob.post(testPlatform+"/app/account/delete", url.Values{"confirm": {"ada"}}).want(http.StatusUnprocessableEntity).has("Type &#34;bob&#34;")
	bob.post(testPlatform+"/app/account/delete", url.Values{"confirm": {"bob"}}).want(http.StatusSeeOther)
	bob.get(testPlatform + "/app/").want(http.StatusFound)
	bob = w.anonymous()
	bob.post(testPlatform+"/auth/dev", url.Values{"username": {"bob"}}).want(http.StatusSeeOther)
	bob.get(testPlatform+"/app/").want(http.StatusOK).has("Your account is being deleted", "Keep my account").lacks("/app/restore")
	bob.get(testPlatform + "/app/account").want(http.StatusOK).lacks("Delete my account")
	bob.post(testPlatform+"/app/account/keep", url.Values{}).want(http.StatusSeeOther)
	w.as("bob").get(on("bob", "/Home")).want(http.StatusOK)

	bob.post(testPlatform+"/app/account/delete", url.Values{"confirm": {"bob"}}).want(http.StatusSeeOther)
	w.Clock.Add(tenant.Grace)
	if err := w.Tenant.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.anonymous().get(on("ada", "/Garden/Beds")).has("Last edited by deleted account")
	w.anonymous().get(on("ada", "/Garden/Beds/history")).has("deleted account")
	w.as("cleo").get(testPlatform + "/app/").lacks(testOrigin("bob"))
}

// unpackExport returns the files of an export by name.
func unpackExport(t *testing.T, got *answer) map[string]string {
	t.Helper()
	archive, err := zip.NewReader(strings.NewReader(got.body), int64(len(got.body)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	return files
}

func TestExport(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	if err := w.Store.SetAvatar(t.Context(), "did:plc:bob", store.Avatar{MIME: "image/png", Data: testPNG(t)}); err != nil {
		t.Fatal(err)
	}
	bob := w.as("bob")
	bob.post(on("ada", "/Home/draft"), url.Values{"content": {"A draft of bob's.\n"}, "revision": {w.revision("ada", "Home")}})
	got := bob.get(testPlatform + "/app/export").want(http.StatusOK)
	files := unpackExport(t, got)
	if !strings.Contains(files["account.json"], `"did:plc:bob"`) || !strings.Contains(files["account.json"], `"role": "editor"`) {
		t.Errorf("account.json: %s", files["account.json"])
	}
	if text := files["wikis/bob/files/Secret_"+canary+".md"]; !strings.Contains(text, canary) {
		t.Errorf("his page is missing: %q", text)
	}
	if !strings.HasPrefix(files["wikis/bob/bob.bundle"], "# v2 git bundle") || files["wikis/ada/ada.bundle"] != "" {
		t.Error("the history of his wiki is missing, or that of ada's is there")
	}
	if files["picture.png"] != string(testPNG(t)) {
		t.Error("his picture is missing")
	}
	if text := files["wikis/ada/drafts/Home.md"]; !strings.Contains(text, "A draft of bob's.") {
		t.Errorf("bob's draft is missing: %q in %d files", text, len(files))
	}
	for name := range files {
		if strings.HasPrefix(name, "wikis/ada/files/") {
			t.Errorf("%s is ada's", name)
		}
	}
}

// Out and in again: an export, and the bundle in it, make the same wiki, with the same
// ids.
func TestExportIsImported(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	export := w.as("ada").get(testPlatform + "/app/export").want(http.StatusOK)
	files := unpackExport(t, export)
	for _, want := range []string{`"description": "A weather station."`, `"username": "bob"`} {
		if !strings.Contains(files["account.json"], want) {
			t.Errorf("%s is missing: %s", want, files["account.json"])
		}
	}
	ids := func(slug string) (list []string) {
		t.Helper()
		log, err := w.Pages.Changelog(t.Context(), w.Access(slug, slug), pages.LogFilter{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range log {
			list = append(list, c.ID)
		}
		return list
	}
	for name, file := range map[string]part{
		"dan":  {field: "file", file: "ada.bundle", data: files["wikis/ada/ada.bundle"]},
		"cleo": {field: "file", file: "robot-wtf-export.zip", data: export.body},
	} {
		if _, err := w.Tenant.Create(t.Context(), testworld.Person(name), name); err != nil {
			t.Fatal(err)
		}
		if err := w.Pages.Seed(t.Context(), w.Access(name, name)); err != nil {
			t.Fatal(err)
		}
		owner := w.as(name)
		for got := owner.get(on(name, "/-/settings")); got.status == http.StatusFound; {
			got = owner.follow(got)
		}
		owner.sendFiles(on(name, "/-/import"), part{field: "source", data: "bundle"}, file).want(http.StatusSeeOther)
		owner.decideImport(name, owner.settledImport(name), "import").has("Commit ids are unchanged")
		if out, in := ids("ada"), ids(name); !slices.Equal(out, in) {
			t.Errorf("%s: the ids were %q and are %q", file.file, out, in)
		}
		owner.get(on(name, "/Weather_Station")).want(http.StatusOK).has("Rain Gauge")
	}
}

func TestHandleOfTheWiki(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	at := on("bob", "/.well-known/atproto-did")
	w.anonymous().get(at).want(http.StatusNotFound)
	bob := w.as("bob")
	set := url.Values{"title": {""}, "description": {""}, "visibility": {"private"}, "home": {""}, "as_handle": {"on"}}
	bob.post(on("bob", "/-/settings"), set).want(http.StatusSeeOther)
	got := w.anonymous().get(at).want(http.StatusOK)
	if got.body != "did:plc:bob" || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") {
		t.Errorf("%q, %s", got.body, got.header.Get("Content-Type"))
	}
	bob.post(on("bob", "/-/handle"), nil).want(http.StatusUnprocessableEntity).has("Your account still has the handle bob.test")
	set.Del("as_handle")
	bob.post(on("bob", "/-/settings"), set).want(http.StatusSeeOther)
	bob.post(on("bob", "/-/handle"), nil).want(http.StatusUnprocessableEntity).has("Do step 1 first")
	w.anonymous().get(at).want(http.StatusNotFound)
}

// A public wiki names its owner's publication, once that names the wiki.
func TestPublication(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob, at := w.as("bob"), on("bob", "/.well-known/site.standard.publication")
	w.put("bob", "Log", "Words.\n")
	connect := func(uri string) *answer {
		return bob.post(on("bob", "/-/publication"), url.Values{"publication": {uri}})
	}
	for uri, says := range map[string]string{
		"https://bob.test/":                                    "Enter the AT-URI",
		"at://bob.test/site.standard.publication/bob":          "Enter the AT-URI",
		"at://did:plc:bob/site.standard.document/bob":          "Enter the AT-URI",
		"at://did:plc:bob/site.standard.publication/bob?x":     "Enter the AT-URI",
		`at://did:plc:bob/site.standard.publication/"><b>`:     "Enter the AT-URI",
		"at://did:plc:ada/site.standard.publication/bob":       "belongs to another account",
		"at://did:plc:bob/site.standard.publication/elsewhere": "has the address “http://elsewhere.robot.localhost:8080/”",
	} {
		connect(uri).want(http.StatusUnprocessableEntity).has(says)
	}
	const uri = "at://did:plc:bob/site.standard.publication/bob"
	connect(uri).want(http.StatusSeeOther)
	w.anonymous().get(at).want(http.StatusNotFound) // private
	set := url.Values{"title": {""}, "description": {""}, "visibility": {"public"}, "home": {""}}
	bob.post(on("bob", "/-/settings"), set).want(http.StatusSeeOther)
	if got := w.anonymous().get(at).want(http.StatusOK); got.body != uri {
		t.Errorf("%q", got.body)
	}
	w.anonymous().get(on("bob", "/Log")).want(http.StatusOK).has(`<link rel="site.standard.publication" href="` + uri + `">`)
	connect("").want(http.StatusSeeOther)
	w.anonymous().get(at).want(http.StatusNotFound)
	w.anonymous().get(on("bob", "/Log")).lacks("site.standard.publication")
}

// revision returns the blob id of a page.
func (w *testWiki) revision(slug, page string) string {
	w.T.Helper()
	p, err := w.Pages.Page(w.T.Context(), w.Access(slug, slug), page, "")
	if err != nil {
		w.T.Fatal(err)
	}
	return p.File.Blob
}
