package web

import (
	"database/sql"
	"fmt"
	"html"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// write saves a page as a person, through an agent if it has a name.
func (w *testWiki) write(slug, person, agent, name, text string) pages.Saved {
	w.T.Helper()
	w.Clock.Add(time.Minute)
	caller := wiki.Caller{User: testworld.Person(person)}
	if agent != "" {
		caller.Agent, caller.Client, caller.Grant, caller.Wiki = agent, "token", "grant-of-"+agent, slug
	}
	a, err := w.Tenant.Resolve(w.T.Context(), slug, caller)
	if err != nil {
		w.T.Fatal(err)
	}
	r := pages.SaveRequest{Name: name, Text: []byte(text), Write: pages.Write{Message: "Change by " + agent + " " + person}}
	if p, err := w.Pages.Page(w.T.Context(), a, name, ""); err == nil {
		r.Base = p.File.Blob
	}
	saved, err := w.Pages.Save(w.T.Context(), a, r)
	if err != nil {
		w.T.Fatalf("%s %s writes %s/%s: %v", agent, person, slug, name, err)
	}
	return saved
}

// importing marks a commit as imported.
func (w *testWiki) importing(slug, commit string) {
	w.T.Helper()
	db, err := sql.Open("sqlite", filepath.Join(w.Dir, "wikis", slug, "wiki.db"))
	if err != nil {
		w.T.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE commits SET imported = TRUE WHERE oid = $1", commit); err != nil {
		w.T.Fatal(err)
	}
}

// Person and agent appear on every page about history, in the feeds and beside the
// text. Imported authors aren't linked to accounts, and deleted accounts aren't named.
func TestAuthorsEverywhere(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	first := w.write("ada", "ada", "", "Log", "one\n\ntwo\n\nthree\n")
	agent := w.write("ada", "ada", "Claude Code", "Log", "one\n\nTWO\n\nthree\n")
	forged := w.write("ada", "ada", "Forged <b>", "Log", "one\n\nTWO\n\nTHREE\n")
	w.importing("ada", forged.Commit)
	w.write("ada", "bob", "Cursor", "Log", "one\n\nTWO\n\nTHREE\n\nfour\n")
	const byAgent = `<span class="who agent">`
	b := w.as("cleo")
	for _, path := range []string{"/Log/history", "/-/changelog", "/Log/blame"} {
		b.get(on("ada", path)).want(http.StatusOK).has(byAgent, "Claude Code for ada</span>", "Forged &lt;b&gt; for ada (imported)</span>", "Cursor for bob</span>").
			lacks("Forged <b>")
	}
	b.get(on("ada", "/-/commit/"+agent.Commit)).has(byAgent, "Claude Code for ada</span>")
	b.get(on("ada", "/-/commit/"+forged.Commit)).has("Forged &lt;b&gt; for ada (imported)").lacks(byAgent)
	b.get(on("ada", "/Log/diff/"+first.Commit+"/"+agent.Commit)).has(byAgent, "Claude Code for ada</span>")
	b.get(on("ada", "/Log?revision="+agent.Commit)).has(byAgent, "Claude Code for ada</span>")
	b.get(on("ada", "/Log")).has("Last edited by Cursor for bob")
	b.get(on("ada", "/-/changelog/feed.atom")).has("<name>Claude Code for ada</name>", "<name>Forged &lt;b&gt; for ada (imported)</name>")
	b.get(on("ada", "/-/changelog/feed.rss")).has("Claude Code for ada: Log")

	if err := w.Tenant.DeleteAccount(t.Context(), wiki.Caller{User: testworld.Person("bob")}, "bob"); err != nil {
		t.Fatal(err)
	}
	w.Clock.Add(tenant.Grace + time.Minute)
	if err := w.Tenant.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	b = w.anonymous()
	for _, path := range []string{"/Log/history", "/-/changelog", "/Log/blame", "/Log", "/-/changelog/feed.atom", "/-/changelog/feed.rss"} {
		b.get(on("ada", path)).want(http.StatusOK).has("Cursor for deleted account").lacks("for bob")
	}
}

// The changelog and a page's history filter by author with the same form.
func TestFilterByAuthor(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	for i := range 130 {
		w.write("ada", "ada", "Claude Code", "Log", fmt.Sprintf("agent %d\n", i))
	}
	w.write("ada", "bob", "", "Log", "line\nline\n")
	b := w.as("ada")
	for _, path := range []string{"/Log/history", "/-/changelog"} {
		b.get(on("ada", path+"?by=people")).want(http.StatusOK).has("Change by  bob", "<option>Claude Code</option>").lacks("Change by Claude")
		b.get(on("ada", path+"?author=claude+code")).has("Change by Claude Code ada", "<option selected>claude code</option>").lacks("Change by  bob")
		b.get(on("ada", path+"?author=Claude+Code+for+bob")).want(http.StatusOK).lacks("Change by")
		b.get(on("ada", path+"?by=agents&author=bob")).want(http.StatusOK).lacks("Change by")
		b.get(on("ada", path+"?by=%00&author=%3Cscript%3E%22")).want(http.StatusOK).lacks("<script>\"", "Change by")
		got := b.get(on("ada", path+"?by=agents&author=Claude+Code")).want(http.StatusOK).lacks("Change by  bob")
		pages := 0
		for older := ">Older</a>"; strings.Contains(got.body, older); pages++ {
			before, _, _ := strings.Cut(got.body, `">Older</a>`)
			next := html.UnescapeString(before[strings.LastIndex(before, `href="`)+6:])
			if !strings.Contains(next, "author=Claude+Code") || !strings.Contains(next, "by=agents") {
				t.Fatalf("the next page forgets the filter: %s", next)
			}
			got = b.get(on("ada", next)).want(http.StatusOK).has("Change by Claude Code ada").lacks("Change by  bob")
		}
		if pages == 0 {
			t.Errorf("%s has one page only", path)
		}
	}
	b.get(on("ada", "/Log/history")).has(`<span class="plus">+2</span> <span class="minus">&minus;1</span>`)
}

// The margin shows the author of each part, the line under the title the totals, and
// the table of contents repeats the marks.
func TestPageBlame(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.write("ada", "ada", "", "Log", "# The log\n\nBy me.\n\n## Hand\n\nMore by me.\n")
	w.write("ada", "ada", `"><script>alert(1)</script>`, "Log", "# The log\n\nBy me.\n\n## Hand\n\nMore by me.\n\n## Robot\n\nBy it.\n")
	forged := w.write("ada", "ada", "Forged", "Log", "# The log\n\nBy me.\n\n## Hand\n\nMore by me.\n\n## Robot\n\nBy it.\n\n## Import\n\nFrom elsewhere.\n")
	w.importing("ada", forged.Commit)
	got := w.as("cleo").get(on("ada", "/Log")).want(http.StatusOK).lacks("<script>alert")
	header, article, _ := strings.Cut(got.body, `<article class="prose">`)
	for _, want := range []string{
		`<header class="full pagetop">` + "\n" + `<h1 id="user-content-the-log">The log`, `id="marks" checked`,
		"Forged for ada (imported) wrote 1 part, ada 1</span>", "&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt; for ada 1</span>",
	} {
		if !strings.Contains(header, want) {
			t.Errorf("above the text is no %q:\n%s", want, header[strings.Index(header, "<main"):])
		}
	}
	article, rest, _ := strings.Cut(article, "</article>")
	if strings.Count(article, `<div class="by person">`) != 2 || strings.Count(article, `<div class="by agent">`) != 1 || strings.Contains(article, "<h1") {
		t.Errorf("parts:\n%s", article)
	}
	for _, want := range []string{`<a class="mark" href="/Log/blame#L9">`, "Person: ada, 24 Nov 2026", "for ada, 24 Nov 2026", "Person: Forged for ada (imported), "} {
		if !strings.Contains(article, want) {
			t.Errorf("no %q in\n%s", want, article)
		}
	}
	for _, want := range []string{`#person"/></svg> Hand</a>`, `#agent"/></svg> Robot</a>`, `#person"/></svg> Import</a>`} {
		if !strings.Contains(rest, want) {
			t.Errorf("no %q in\n%s", want, rest)
		}
	}
	w.write("ada", "ada", "", "Blank", "")
	w.as("cleo").get(on("ada", "/Blank")).want(http.StatusOK).lacks("authors", `class="by`).has("This page is empty.", ">Blank</h1>")
}
