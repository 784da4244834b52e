package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// propose proposes changes as an agent of a person.
func (w *testWiki) propose(slug, person, message string, list ...pages.ProposedChange) {
	w.T.Helper()
	a, err := w.Tenant.Resolve(w.T.Context(), slug, wiki.Caller{
		User: testworld.Person(person), Agent: "Claude", Client: "token", Grant: "grant-of-" + person, Wiki: slug, ReadOnly: true, Proposes: true,
	})
	if err == nil {
		_, err = w.Pages.Propose(w.T.Context(), a, pages.ProposeRequest{Message: message, Changes: list})
	}
	if err != nil {
		w.T.Fatal(err)
	}
}

func appended(page, text string) pages.ProposedChange {
	return pages.ProposedChange{Name: page, Edits: []edit.Edit{{Op: edit.Append, Text: text}}}
}

func newProposal(page, text string) pages.ProposedChange {
	return pages.ProposedChange{Name: page, Create: true, Text: []byte(text)}
}

var proposalVersion = regexp.MustCompile(`name="page" value="([^"]*)"><input type="hidden" name="version" value="([^"]*)"`)

// versions returns the versions in the forms of a page about a proposal, by path.
func (a *answer) versions() map[string]string {
	found := map[string]string{}
	for _, m := range proposalVersion.FindAllStringSubmatch(a.body, -1) {
		found[m[1]] = m[2]
	}
	return found
}

// Editors look at a proposal and accept or decline it, whole or page by page.
func TestReviewProposals(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.write("ada", "ada", "", "Stars", "One star.\n")
	w.write("ada", "ada", "", "Moons", "One moon.\n")
	w.propose("ada", "bob", "Count them", appended("Stars", "Two stars."), appended("Moons", "Two moons."), newProposal("Suns", "One sun."))
	ada, one := w.as("ada"), on("ada", "/-/proposals/grant-of-bob")
	ada.get(on("ada", "/-/new")).want(http.StatusOK).has(`<a href="/-/proposals">3 pages</a>`, `class="count">3<`)
	ada.get(on("ada", "/-/proposals")).want(http.StatusOK).has("Claude", "for bob", "Stars", "Moons", "Suns", "/-/proposals/grant-of-bob").lacks("Two stars")
	page := ada.get(one).want(http.StatusOK).has("<ins>Two stars.</ins>", "One sun.", "Count them", "Accept all", "Decline all")
	if got := page.header.Get("Cache-Control"); got != "no-store" {
		t.Error(got)
	}
	seen := page.versions()
	do := func(b *browser, action, path, reason string) *answer {
		return b.post(one, url.Values{"action": {action}, "page": {path}, "version": {seen[path]}, "reason": {reason}})
	}
	do(w.as("cleo"), "accept", "", "").want(http.StatusForbidden)
	ada.follow(do(ada, "accept", "Stars.md", "").want(http.StatusSeeOther)).has("Accepted.", "Two moons.").lacks("Two stars.")
	ada.get(on("ada", "/Stars")).has("Two stars.")
	ada.get(on("ada", "/-/changelog")).has("Count them")
	do(ada, "accept", "", "").want(http.StatusConflict).has("Look at it again.", "Two moons.") // ada saw three pages
	ada.follow(do(ada, "decline", "Moons.md", "There is one.").want(http.StatusSeeOther)).has("Declined.").lacks("Two moons.")
	seen = ada.get(one).versions()
	ada.follow(do(ada, "accept", "", "").want(http.StatusSeeOther)).has("Nothing waits for a decision")
	ada.get(on("ada", "/Suns")).want(http.StatusOK).has("One sun.")
	ada.get(on("ada", "/Moons")).lacks("Two moons.")
	ada.get(one).want(http.StatusNotFound)
	do(ada, "accept", "", "").want(http.StatusNotFound)
	ada.get(on("ada", "/-/new")).lacks("/-/proposals\"", `class="count"`)
}

// Why a proposal can't be accepted is shown, and nothing of it is saved.
func TestAcceptOutdatedProposal(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.write("ada", "ada", "", "Stars", "One star.\n")
	w.write("ada", "ada", "", "Moons", "One moon.\n")
	w.propose("ada", "bob", "", pages.ProposedChange{Name: "Stars", Base: w.revision("ada", "Stars"), Text: []byte("Two stars.\n")}, appended("Moons", "Two moons."))
	w.write("ada", "ada", "", "Stars", "No stars.\n")
	ada, one := w.as("ada"), on("ada", "/-/proposals/grant-of-bob")
	seen := ada.get(one).want(http.StatusOK).has("changed in the same places meanwhile").versions()
	ada.post(one, url.Values{"action": {"accept"}, "version": {seen[""]}}).want(http.StatusConflict).has("Stars has changed in the same places")
	ada.get(on("ada", "/Moons")).lacks("Two moons.")
}

// Editors accept and decline single changes of a page, and edit a proposal before they
// accept it.
func TestReviewPartsOfAProposal(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	lines := func(first, middle, last string) string {
		return first + "\n" + strings.Repeat("\nsame\n", 8) + middle + "\n" + strings.Repeat("\nsame\n", 8) + last + "\n"
	}
	w.write("ada", "ada", "", "Stars", lines("one", "two", "three"))
	w.propose("ada", "bob", "Count", pages.ProposedChange{Name: "Stars", Base: w.revision("ada", "Stars"), Text: []byte(lines("ONE", "TWO", "THREE"))})
	ada, one := w.as("ada"), on("ada", "/-/proposals/grant-of-bob")
	state := regexp.MustCompile(`name="version" value="([0-9a-f.]+\.[0-9a-f]+)"`)
	do := func(action, hunk, reason string, more ...string) *answer {
		page := ada.get(one + strings.Join(more, "")).want(http.StatusOK)
		form := url.Values{"action": {action}, "page": {"Stars.md"}, "version": {state.FindStringSubmatch(page.body)[1]}, "reason": {reason}}
		if hunk != "" {
			form.Set("hunk", hunk)
		} else {
			form.Set("content", lines("ONE", "two", "drei"))
		}
		return ada.post(one, form)
	}
	stored := func(want string) {
		t.Helper()
		page, err := w.Pages.Page(t.Context(), w.Access("ada", "ada"), "Stars", "")
		if err != nil || string(page.Source) != want {
			t.Errorf("%q, want %q: %v", page.Source, want, err)
		}
	}
	do("accept", "7", "").want(http.StatusNotFound)
	ada.follow(do("accept", "0", "").want(http.StatusSeeOther)).has("Accepted.", "TWO", "THREE").lacks("<ins>ONE</ins>")
	stored(lines("ONE", "two", "three"))
	ada.follow(do("decline", "0", "Two is right.").want(http.StatusSeeOther)).has("Declined.", "THREE").lacks("TWO")
	stored(lines("ONE", "two", "three"))
	ada.get(one+"?page=Stars.md").want(http.StatusOK).has("Accept this text", "THREE")
	stale := url.Values{"action": {"accept"}, "page": {"Stars.md"}, "version": {"0.0"}, "content": {"typed"}}
	ada.post(one, stale).want(http.StatusConflict).has("has changed since you opened it", "typed")
	ada.follow(do("accept", "", "", "?page=Stars.md").want(http.StatusSeeOther)).has("Nothing waits for a decision")
	stored(lines("ONE", "two", "drei"))
	ada.get(on("ada", "/Stars/history")).has("Claude", "Count")
}

// Nobody but editors sees anything of a proposal, and editors only where they decide.
func TestProposalsAreHidden(t *testing.T) {
	t.Parallel()
	w := newMatrixWiki(t)
	const word = "quixotry"
	w.propose("ada", "bob", word, appended("Home", word+" [["+word+"]] #"+word), newProposal("Fresh_"+word, "---\nstatus: "+word+"\n---\n"+word))
	replace := strings.NewReplacer("{commit}", w.commit("ada"), "{css}", w.web.assets.byName["app.css"])
	for _, name := range matrixPeople {
		b := w.as(name)
		for key, c := range routeMatrix {
			if methodOf(key) != http.MethodGet || strings.HasPrefix(c.path, proposalsPath) {
				continue
			}
			b.send(http.MethodGet, on("ada", replace.Replace(c.path)), nil).lacks(word)
		}
		for _, path := range []string{"/-/search?q=quixot", "/-/suggest?q=Fresh", "/Fresh", "/-/jump?q=quixo", "/-/new?by=agents"} {
			b.get(on("ada", path)).lacks("ixotry")
		}
	}
}

// A person lets an agent propose, which needs the scope to write, and the owner sets the
// most that agents may do.
func TestModesOfAgents(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada, bob := w.as("ada"), w.as("bob")
	got := back(t, bob.post(consentAddress, formOf(bob.consent("ada").has("Read and edit", "Read and propose", "Read only"), "allow", "propose")))
	_, out := w.exchange(url.Values{"grant_type": {"authorization_code"}, "code": {got.Get("code")}, "client_id": {claudeCode}, "code_verifier": {verifier}})
	if out["scope"] != "wiki:read wiki:write" {
		t.Errorf("scope %q", out["scope"])
	}
	r := httptest.NewRequest(http.MethodPost, on("ada", "/mcp"), nil)
	r.Header.Set("Authorization", "Bearer "+out["access_token"].(string))
	if c, err := w.Session.Bearer(r, "ada"); err != nil || !c.ReadOnly || !c.Proposes {
		t.Errorf("%+v, %v", c, err)
	}
	ada.get(on("ada", "/-/agents")).has("Read and propose")

	set := func(most string, want int) *answer {
		return ada.post(on("ada", "/-/settings"), url.Values{"title": {""}, "description": {""}, "visibility": {"public"}, "home": {""}, "agents": {most}}).want(want)
	}
	set("everything", http.StatusUnprocessableEntity).has("Choose the most that agents may do")
	ada.follow(set("propose", http.StatusSeeOther)).has(`<option value="propose" selected>`)
	page := bob.consent("ada").has("Read and propose", "Read only").lacks("Read and edit")
	bob.post(consentAddress, formOf(page, "allow", "write")).want(http.StatusForbidden).has("gives agents fewer rights")
	bob.get(on("ada", "/-/tokens")).has(`value="propose"`).lacks(`value="edit"`)
	bob.post(on("ada", "/-/tokens"), url.Values{"action": {"make"}, "name": {"x"}, "scope": {"edit"}}).want(http.StatusForbidden)
	ada.follow(set("read", http.StatusSeeOther))
	bob.consent("ada").has("Read only").lacks("Read and propose")
}
