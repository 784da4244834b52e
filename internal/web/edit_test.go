package web

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"robot.wtf/internal/hostile"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// fields returns the form that a browser would send: the hidden fields and the
// textarea, with line ends as browsers send them.
func (a *answer) fields() url.Values {
	a.t.Helper()
	form := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`).FindAllStringSubmatch(a.body, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	text := regexp.MustCompile(`(?s)<textarea id="text" name="content"[^>]*>\n?(.*?)</textarea>`).FindStringSubmatch(a.body)
	if text == nil {
		a.t.Fatalf("%s: no text field in\n%.2000s", a.asked, a.body)
	}
	form.Set("content", strings.ReplaceAll(html.UnescapeString(text[1]), "\n", "\r\n"))
	return form
}

// text returns the text in a response's form.
func (a *answer) text() string {
	a.t.Helper()
	return formText(a.fields().Get("content"))
}

func (w *testWiki) source(name string) string {
	w.T.Helper()
	p, err := w.Pages.Page(w.T.Context(), w.Access("ada", "ada"), name, "")
	if err != nil {
		w.T.Fatal(err)
	}
	return string(p.Source)
}

func (w *testWiki) seq() int64 {
	w.T.Helper()
	seq, err := w.Pages.Head(w.T.Context(), w.Access("ada", "ada"))
	if err != nil {
		w.T.Fatal(err)
	}
	return seq
}

func TestSaveInTheBrowser(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	form := bob.get(on("ada", "/Weather_Station/edit")).want(http.StatusOK).fields()
	form.Set("content", form.Get("content")+"\r\nOne more line.\r\n")
	form.Set("commit", "Say more")
	saved := bob.post(on("ada", "/Weather_Station/save"), form).want(http.StatusSeeOther)
	if to := saved.header.Get("Location"); to != "/Weather_Station?notice=saved" {
		t.Errorf("went to %q", to)
	}
	if text := w.source("Weather_Station"); !strings.HasSuffix(text, "On the lawn.\n\nOne more line.\n") {
		t.Errorf("saved %q", text)
	}
	log, err := w.Pages.History(t.Context(), w.Access("ada", "ada"), "Weather_Station", 0, 1)
	if err != nil || log[0].Message != "Say more" || log[0].Author.Username != "bob" {
		t.Errorf("history: %+v %v", log, err)
	}
}

func TestNewPage(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	for typed, want := range map[string]string{
		"Rain Gauge":    "/Rain_Gauge/edit",
		"Garden/Shed":   "/Garden/Shed/edit",
		"Rain_Gauge.md": "",
		"  Two  blanks": "",
	} {
		got := bob.post(on("ada", "/-/create"), url.Values{"pagename": {typed}})
		if want == "" { // the resulting name is shown first
			got.want(http.StatusOK).has("It will be called")
		} else if got.want(http.StatusSeeOther); got.header.Get("Location") != want {
			t.Errorf("%q leads to %q, want %q", typed, got.header.Get("Location"), want)
		}
	}
	bob.post(on("ada", "/-/create"), url.Values{"pagename": {"weather station"}}).want(http.StatusConflict).has("already a page called", "/Weather_Station/edit")
	bob.post(on("ada", "/-/create"), url.Values{"pagename": {"a/../b"}}).want(http.StatusUnprocessableEntity).has("..", `value="a/../b"`)
	bob.post(on("ada", "/-/create"), url.Values{"pagename": {"Weather Station/edit"}}).want(http.StatusUnprocessableEntity).has("which is an action on pages")
	bob.post(on("ada", "/-/create"), url.Values{}).want(http.StatusUnprocessableEntity)

	form := bob.get(on("ada", "/Rain_Gauge/edit")).want(http.StatusOK).fields()
	if form.Get("revision") != "" || form.Get("content") != "" {
		t.Errorf("a new page starts with %v", form)
	}
	form.Set("content", "It rains.")
	bob.post(on("ada", "/Rain_Gauge/save"), form).want(http.StatusSeeOther)
	if text := w.source("Rain_Gauge"); text != "It rains.\n" {
		t.Errorf("saved %q", text)
	}
}

// Opening and saving a page leaves it unchanged, whatever its line ends.
func TestUnchangedSaveMakesNoCommit(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada := w.as("ada")
	for name, text := range map[string]string{
		"LF": "a\nb\n", "CRLF": "a\r\nb\r\n", "Mixed": "a\r\nb\nc\rd\r\n", "Mark": "\uFEFFa\nb\n", "Mark_CRLF": "\uFEFFa\r\nb\r\n",
		"No_final": "a\nb", "No_final_CRLF": "a\r\nb", "Leading": "\n\n\na\n", "Trailing": "a\n\n\n", "Only_newline": "\n",
		"Entities": "&amp; </textarea> <b>\n", "Tabs": "\ta\n", "Unicode": "\u2028 \u00a0 \U0001F600\n", "Empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Pages.Save(t.Context(), w.Access("ada", "ada"), pages.SaveRequest{Name: name, Text: []byte(text), Exact: true})
			if err != nil {
				t.Fatal(err)
			}
			before := w.seq()
			form := ada.get(on("ada", "/"+name+"/edit")).want(http.StatusOK).fields()
			saved := ada.post(on("ada", "/"+name+"/save"), form).want(http.StatusSeeOther)
			if w.seq() != before {
				t.Errorf("created a commit: %q became %q", text, w.source(name))
			}
			if to := saved.header.Get("Location"); to != "/"+name+"?notice=unchanged" {
				t.Errorf("went to %q", to)
			}
			ada.get(on("ada", saved.header.Get("Location"))).want(http.StatusOK).has("Nothing changed")
		})
	}
}

func TestSeparateEditsAreMerged(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada, bob := w.as("ada"), w.as("bob")
	form := bob.get(on("ada", "/Weather_Station/edit")).fields()
	theirs := ada.get(on("ada", "/Weather_Station/edit")).fields()
	theirs.Set("content", strings.Replace(theirs.Get("content"), "A mast.", "A tall mast.", 1))
	ada.post(on("ada", "/Weather_Station/save"), theirs).want(http.StatusSeeOther)
	form.Set("content", strings.Replace(form.Get("content"), "On the lawn.", "Behind the shed.", 1))
	saved := bob.post(on("ada", "/Weather_Station/save"), form).want(http.StatusSeeOther)
	bob.get(on("ada", saved.header.Get("Location"))).want(http.StatusOK).has("merged with changes that someone else saved")
	if text := w.source("Weather_Station"); !strings.Contains(text, "A tall mast.") || !strings.Contains(text, "Behind the shed.") {
		t.Errorf("merged to %q", text)
	}
}

// conflict makes ada and bob edit the same line; bob saves second.
func (w *testWiki) conflict(bob *browser) (sent url.Values, met *answer) {
	w.T.Helper()
	sent = bob.get(on("ada", "/Weather_Station/edit")).fields()
	w.put("ada", "Weather_Station", strings.Replace(w.source("Weather_Station"), "A mast.", "A mast of ada's.", 1))
	sent.Set("content", strings.Replace(sent.Get("content"), "A mast.", "A pole of bob's & <b>.", 1))
	sent.Set("commit", "My pole")
	return sent, bob.post(on("ada", "/Weather_Station/save"), sent).want(http.StatusConflict)
}

func TestConflict(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	_, met := w.conflict(bob)
	met.has("Two edits conflict in one place", "A mast<ins> of ada&#39;s</ins>.", "&amp; &lt;b&gt;", "What it said before either edit", `value="My pole"`).lacks("<b>.")
	if text := met.text(); !strings.Contains(text, "A pole of bob's & <b>.") || strings.Contains(text, "of ada's") {
		t.Errorf("the merged text is %q", text)
	}
	t.Run("draft", func(t *testing.T) {
		edit := bob.get(on("ada", "/Weather_Station/edit")).want(http.StatusOK).has("You left a draft", "The page has changed since")
		if !strings.Contains(edit.text(), "of bob's") {
			t.Errorf("the draft is not in the form: %q", edit.text())
		}
	})
	t.Run("choose", func(t *testing.T) {
		for _, pick := range []string{"theirs", "both", "yours"} {
			form := met.fields()
			form.Set("pick-0", pick)
			shown := bob.post(on("ada", "/Weather_Station/preview"), form).want(http.StatusOK)
			text := shown.text()
			if got, want := strings.Contains(text, "of ada's"), pick != "yours"; got != want {
				t.Errorf("%s: has their text: %v\n%s", pick, got, text)
			}
			if got, want := strings.Contains(text, "of bob's"), pick != "theirs"; got != want {
				t.Errorf("%s: has your text: %v\n%s", pick, got, text)
			}
			if shown.fields().Get("revision") != form.Get("revision") {
				t.Errorf("%s: the preview starts from another revision", pick)
			}
		}
	})
	t.Run("save", func(t *testing.T) {
		bob.post(on("ada", "/Weather_Station/save"), met.fields()).want(http.StatusSeeOther)
		if text := w.source("Weather_Station"); !strings.Contains(text, "A pole of bob's & <b>.") {
			t.Errorf("saved %q", text)
		}
		bob.get(on("ada", "/Weather_Station/edit")).lacks("You left a draft")
	})
}

// manyConflicts makes ada and bob change the same n lines of a page, and returns
// bob's request.
func (w *testWiki) manyConflicts(bob *browser, n int) (post func() *answer) {
	w.T.Helper()
	page := fmt.Sprint("Many", n)
	w.put("ada", page, hostile.Places("x", n))
	form := bob.get(on("ada", "/"+page+"/edit")).want(http.StatusOK).fields()
	w.put("ada", page, hostile.Places("ada's", n))
	form.Set("content", hostile.Places("bob's", n))
	return func() *answer { return bob.post(on("ada", "/"+page+"/save"), form).want(http.StatusConflict) }
}

// With too many conflicts the page has no excerpts and choices, but both texts, and
// bob's can be saved.
func TestTooManyConflictsShowTheTexts(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	met := w.manyConflicts(bob, wiki.MaxHunks+1)()
	met.has("conflict in 101 places", "too many to show", "Their text", "ada&#39;s").lacks("<fieldset>", "Keep theirs")
	if got := met.text(); strings.TrimSuffix(got, "\n") != strings.TrimSuffix(hostile.Places("bob's", wiki.MaxHunks+1), "\n") {
		t.Errorf("the text to edit is %.100q", got)
	}
	bob.get(on("ada", "/Many101/edit")).want(http.StatusOK).has("You left a draft")
	bob.post(on("ada", "/Many101/save"), met.fields()).want(http.StatusSeeOther)
	if got := w.source("Many101"); got != hostile.Places("bob's", wiki.MaxHunks+1) {
		t.Errorf("saved %.100q", got)
	}
	met = w.manyConflicts(bob, wiki.MaxHunks)()
	met.has("conflict in 100 places", "<fieldset>").lacks("Their text")
}

// 220 KB that conflict in 20,000 places once took 9 s of CPU and had 17 MB of HTML.
func TestManyConflictsAreCheap(t *testing.T) {
	slow.Test(t)
	w := newTestWiki(t)
	bob := w.as("bob")
	post := map[int]func() *answer{10_000: w.manyConflicts(bob, 10_000), 20_000: w.manyConflicts(bob, 20_000)}
	cost := hostile.Double(t, "conflicts", 10_000, func(n int) int { return len(post[n]().body) })
	t.Logf("measured: 20,000 conflicts: %v, %d bytes", cost.CPU, cost.Answer)
	if cost.Answer > 2<<20 {
		t.Errorf("%d bytes of HTML", cost.Answer)
	}
}

// The marks of a hundred large places are bounded too.
func TestMarksOfConflictsAreBounded(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	text := func(word string) string {
		return strings.Repeat(strings.Repeat(word+" a b c d e\n", 100)+"\n1\n2\n3\n4\n5\n", wiki.MaxHunks/2)
	}
	w.put("ada", "Many", text("x"))
	form := bob.get(on("ada", "/Many/edit")).want(http.StatusOK).fields()
	w.put("ada", "Many", text("y"))
	form.Set("content", text("z"))
	met := bob.post(on("ada", "/Many/save"), form).want(http.StatusConflict).has("<fieldset>")
	if n := strings.Count(met.body, "<ins>"); n == 0 || n > maxConflictSpans {
		t.Errorf("%d marks", n)
	}
}

// A choice is applied only where the text to replace is unambiguous.
func TestApplyChoices(t *testing.T) {
	sides := func(now, pick string) url.Values {
		return url.Values{"theirs-0": {"theirs\r\n"}, "yours-0": {"yours\r\n"}, "now-0": {now}, "pick-0": {pick}}
	}
	for _, c := range []struct{ text, now, pick, want string }{
		{"a\nyours\nb\n", "yours", "theirs", "a\ntheirs\nb\n"},
		{"a\nyours\nb\n", "yours", "both", "a\ntheirs\nyours\nb\n"},
		{"a\ntheirs\nyours\nb\n", "both", "yours", "a\nyours\nb\n"},
		{"a\ntheirs\nb\n", "theirs", "yours", "a\nyours\nb\n"},
		{"a\nyours\nyours\n", "yours", "theirs", "a\nyours\nyours\n"}, // which one?
		{"a\nedited\n", "yours", "theirs", "a\nedited\n"},
		{"a\nyours\n", "yours", "nonsense", "a\nyours\n"},
		{"a\nyours\n", "", "theirs", "a\nyours\n"},
	} {
		if got := applyChoices(c.text, sides(c.now, c.pick)); got != c.want {
			t.Errorf("%q, %s to %s: %q, want %q", c.text, c.now, c.pick, got, c.want)
		}
	}
}

func TestConflictWithADeletion(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	form := bob.get(on("ada", "/Weather_Station/Calibration/edit")).fields()
	p, err := w.Pages.Page(t.Context(), w.Access("ada", "ada"), "Weather_Station/Calibration", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Pages.Delete(t.Context(), w.Access("ada", "ada"), pages.DeleteRequest{Name: string(p.Name), Precondition: pages.Precondition{Base: p.File.Blob}})
	if err != nil {
		t.Fatal(err)
	}
	form.Set("content", "My text.\r\n")
	met := bob.post(on("ada", "/Weather_Station/Calibration/save"), form).want(http.StatusConflict).has("This page was deleted")
	if met.text() != "My text.\n" || met.fields().Get("revision") != "" {
		t.Errorf("the form has %v", met.fields())
	}
	bob.post(on("ada", "/Weather_Station/Calibration/save"), met.fields()).want(http.StatusSeeOther)
	if text := w.source("Weather_Station/Calibration"); text != "My text.\n" {
		t.Errorf("saved %q", text)
	}
}

// Two people create the same page: the second sees both texts.
func TestConflictOfNewPages(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	form := bob.get(on("ada", "/Rain_Gauge/edit")).fields()
	w.put("ada", "Rain_Gauge", "Ada's text.\n")
	form.Set("content", "Bob's text.\r\n")
	met := bob.post(on("ada", "/Rain_Gauge/save"), form).want(http.StatusConflict).has("Ada&#39;s text.", "Bob&#39;s text.")
	bob.post(on("ada", "/Rain_Gauge/save"), met.fields()).want(http.StatusSeeOther)
	if text := w.source("Rain_Gauge"); text != "Bob's text.\n" {
		t.Errorf("saved %q", text)
	}
}

func TestDrafts(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	edit, draft := on("ada", "/Weather_Station/edit"), on("ada", "/Weather_Station/draft")
	form := bob.get(edit).lacks("You left a draft").fields()
	form.Set("content", "Half a thought")
	bob.header.Set("Accept", "application/json")
	bob.post(draft, form).want(http.StatusOK).has(`"kept":true`)
	bob.header.Del("Accept")
	got := bob.get(edit).has("You left a draft", "The page hasn&rsquo;t changed since", "Removed: ", "A mast.")
	if got.text() != "Half a thought" {
		t.Errorf("the form has %q", got.text())
	}
	w.as("ada").get(edit).lacks("Half a thought")
	bob.get(on("ada", "/Weather_Station")).lacks("Half a thought")

	old := bob.get(on("ada", "/Weather_Station/edit/"+w.put("ada", "Weather_Station", "New.\n").Commit)).has("Edit the draft")
	if old.text() != "New.\n" {
		t.Errorf("the form of a revision has %q", old.text())
	}
	bob.post(edit, url.Values{"draft": {"edit"}}).want(http.StatusSeeOther)
	bob.post(edit, url.Values{"draft": {"discard"}}).want(http.StatusSeeOther)
	if got := bob.get(edit).lacks("You left a draft"); got.text() != "New.\n" {
		t.Errorf("after discarding, the form has %q", got.text())
	}
	form.Set("content", "Again")
	kept := bob.post(draft, form).want(http.StatusSeeOther) // without a script
	bob.get(on("ada", kept.header.Get("Location"))).has("Draft saved")
}

func TestPreview(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	form := bob.get(on("ada", "/Weather_Station/edit")).fields()
	form.Set("content", "## A heading\r\n\r\nText </textarea><script>alert(1)</script>\r\n")
	form.Set("commit", "a message")
	before := w.seq()
	shown := bob.post(on("ada", "/Weather_Station/preview"), form).want(http.StatusOK).has("Rendered preview", `value="a message"`).lacks("<script>alert")
	if shown.text() != formText(form.Get("content")) {
		t.Errorf("the form has %q", shown.text())
	}
	if shown.fields().Get("revision") != form.Get("revision") {
		t.Error("the preview lost its revision")
	}
	bob.header.Set("Accept", "application/json")
	answer := bob.post(on("ada", "/Weather_Station/preview"), form).want(http.StatusOK).has(`"html":`, `"toc":`).lacks("<script>alert")
	if kind := answer.header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("Content-Type %q", kind)
	}
	form.Del("content")
	bob.post(on("ada", "/Weather_Station/preview"), form).want(http.StatusUnprocessableEntity)
	bob.header.Del("Accept")
	if w.seq() != before {
		t.Error("a preview created a commit")
	}
}

// Whatever goes wrong with a save, the form returns the text.
func TestFailedSavesKeepTheText(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	form := bob.get(on("ada", "/Weather_Station/edit")).fields()
	before := w.seq()
	big := strings.Repeat("long line\r\n", 110_000) // over 1 MiB
	for _, c := range []struct {
		name, path, content string
		status              int
		kept                string
	}{
		{"too large", "/Weather_Station/save", big, http.StatusRequestEntityTooLarge, "long line\nlong line"},
		{"not UTF-8", "/Weather_Station/save", "kept \xff\xfe text", http.StatusUnprocessableEntity, "kept \uFFFD text"},
		{"NUL", "/Weather_Station/save", "kept\x00text", http.StatusUnprocessableEntity, "kept"},
		{"bad name", "/.hidden/save", "kept text", http.StatusUnprocessableEntity, "kept text"},
		{"reserved name", "/mcp/x/save", "kept text", http.StatusUnprocessableEntity, "kept text"},
		{"unknown revision", "/Weather_Station/save?", "kept text", http.StatusUnprocessableEntity, "kept text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sent := url.Values{"content": {c.content}, "revision": form["revision"], "commit": {"why"}}
			if c.name == "unknown revision" {
				sent.Set("revision", "0123456789abcdef")
			}
			got := bob.post(on("ada", c.path), sent).want(c.status).has("Not saved.", c.kept)
			if c.name != "NUL" && !strings.Contains(got.text(), c.kept) {
				t.Errorf("the form has %.80q", got.text())
			}
		})
	}
	if w.seq() != before {
		t.Error("a failed save created a commit")
	}
	bob.post(on("ada", "/Weather_Station/save"), url.Values{"revision": form["revision"]}).want(http.StatusUnprocessableEntity).has("&#34;content&#34;")
	bob.post(on("ada", "/Weather_Station/save"), url.Values{"content": {strings.Repeat("x", 6<<20)}}).want(http.StatusRequestEntityTooLarge)
}

func TestSaveBeyondTheLimit(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	stats, err := w.Pages.Stats(t.Context(), w.Access("ada", "ada"))
	if err != nil {
		t.Fatal(err)
	}
	most := stats.Pages + 3
	if err := w.Store.SetLimits(t.Context(), store.Operator, "ada", wiki.Limits{Pages: most}); err != nil {
		t.Fatal(err)
	}
	a := w.Access("ada", "ada")
	for n := range most - stats.Pages {
		if _, err := w.Pages.Save(t.Context(), a, pages.SaveRequest{Name: fmt.Sprint("Filler/", n), Text: []byte("x\n"), Exact: true}); err != nil {
			t.Fatal(err)
		}
	}
	form := url.Values{"content": {"One too many"}, "revision": {""}}
	got := bob.post(on("ada", "/Page_501/save"), form).want(http.StatusForbidden).has("full", fmt.Sprint(most, " pages"))
	if got.text() != "One too many" {
		t.Errorf("the form has %q", got.text())
	}
	form = bob.get(on("ada", "/Weather_Station/edit")).fields()
	form.Set("content", "Still edits.")
	bob.post(on("ada", "/Weather_Station/save"), form).want(http.StatusSeeOther)
}

// Attack and accident: the session or the right to edit ends while a person writes.
// Nothing is saved, and the text is returned.
func TestLostRightsKeepTheText(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	form := bob.get(on("ada", "/Weather_Station/edit")).fields()
	form.Set("content", "What I wrote\r\nfor an hour")
	before := w.seq()

	signedOut := w.anonymous()
	got := signedOut.post(on("ada", "/Weather_Station/save"), form).want(http.StatusForbidden)
	got.has("What I wrote", "for an hour", "/-/login?to=", `action="/Weather_Station/save"`, form.Get("revision"))

	if err := w.Tenant.SetMember(t.Context(), w.Access("ada", "ada"), "did:plc:bob", wiki.Viewer); err != nil {
		t.Fatal(err)
	}
	bob.post(on("ada", "/Weather_Station/save"), form).want(http.StatusForbidden).has("What I wrote")
	if w.seq() != before {
		t.Error("was saved anyway")
	}
	private := url.Values{"content": {"What I wrote"}, "revision": {""}}
	signedOut.post(on("bob", "/Page/save"), private).want(http.StatusForbidden).has("What I wrote").lacks(canary)
	w.as("dan").post(on("bob", "/Page/save"), private).want(http.StatusNotFound).has("What I wrote").lacks(canary)
}

func TestRenameInTheBrowser(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	page := bob.get(on("ada", "/Weather_Station/rename")).want(http.StatusOK).has(`value="Weather Station"`, "1 page below")
	revision := regexp.MustCompile(`name="revision" value="(\w+)"`).FindStringSubmatch(page.body)[1]
	form := url.Values{"new_pagename": {"Home/edit"}, "revision": {revision}, "message": {"why"}, "update_backlinks": {"1"}, "subpages": {"1"}}
	bob.post(on("ada", "/Weather_Station/rename"), form).want(http.StatusUnprocessableEntity).has("which is an action on pages", `value="Home/edit"`, `value="why"`)
	form.Set("new_pagename", "Home")
	bob.post(on("ada", "/Weather_Station/rename"), form).want(http.StatusConflict)
	form.Set("new_pagename", "Station")
	form.Del("revision")
	bob.post(on("ada", "/Weather_Station/rename"), form).want(http.StatusPreconditionRequired).has(`value="Station"`)
	form.Set("revision", revision)
	done := bob.post(on("ada", "/Weather_Station/rename"), form).want(http.StatusSeeOther)
	if to := done.header.Get("Location"); to != "/Station?notice=renamed" {
		t.Errorf("went to %q", to)
	}
	bob.get(on("ada", "/Station/Calibration")).want(http.StatusOK)
	bob.get(on("ada", "/Weather_Station/edit")).want(http.StatusOK).has("Did you mean", `href="/Station"`) // a name that is free again
	bob.post(on("ada", "/Station/rename"), url.Values{}).want(http.StatusUnprocessableEntity)
}

func TestDeleteInTheBrowser(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	page := bob.get(on("ada", "/Weather_Station/delete")).want(http.StatusOK).has("1 page below")
	revision := regexp.MustCompile(`name="revision" value="(\w+)"`).FindStringSubmatch(page.body)[1]
	bob.post(on("ada", "/Weather_Station/delete"), url.Values{}).want(http.StatusPreconditionRequired)
	w.put("ada", "Weather_Station", "Changed meanwhile.\n")
	bob.post(on("ada", "/Weather_Station/delete"), url.Values{"revision": {revision}}).want(http.StatusConflict)
	w.source("Weather_Station")
	page = bob.get(on("ada", "/Weather_Station/delete"))
	revision = regexp.MustCompile(`name="revision" value="(\w+)"`).FindStringSubmatch(page.body)[1]
	done := bob.post(on("ada", "/Weather_Station/delete"), url.Values{"revision": {revision}, "message": {"gone"}}).want(http.StatusSeeOther)
	bob.follow(done).want(http.StatusOK).has("Deleted.", "gone")
	_, err := w.Pages.Page(t.Context(), w.Access("ada", "ada"), "Weather_Station", "")
	if !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("the page is still there: %v", err)
	}
	w.source("Weather_Station/Calibration")
}

func TestRevertInTheBrowser(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	was := w.source("Weather_Station")
	change := w.put("ada", "Weather_Station", strings.Replace(was, "A mast.", "A kite.", 1))
	bob.get(on("ada", "/-/revert/"+change.Commit)).want(http.StatusOK).has("Undo this change?", "kite")
	done := bob.post(on("ada", "/-/revert/"+change.Commit), url.Values{"message": {"no kites"}}).want(http.StatusSeeOther)
	bob.follow(done).want(http.StatusOK).has("no kites")
	if text := w.source("Weather_Station"); text != was {
		t.Errorf("reverted to %q", text)
	}
	change = w.put("ada", "Weather_Station", strings.Replace(was, "A mast.", "A kite.", 1))
	w.put("ada", "Weather_Station", strings.Replace(was, "A mast.", "A balloon.", 1))
	before := w.seq()
	bob.post(on("ada", "/-/revert/"+change.Commit), url.Values{}).want(http.StatusConflict).has("can&rsquo;t be undone on its own", "balloon", "Nothing was changed")
	if w.seq() != before {
		t.Error("part of a revert was applied")
	}
	bob.get(on("ada", "/-/revert/0123456789")).want(http.StatusNotFound)
	bob.get(on("ada", "/-/revert/xyz")).want(http.StatusUnprocessableEntity, http.StatusNotFound)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada := w.as("ada")
	ada.get(on("ada", "/-/settings")).want(http.StatusOK).has("of 500 pages", "A weather station.", "Bob", "editor", `value="public" checked`)
	form := url.Values{"title": {"Ada's <house>"}, "description": {"New words"}, "visibility": {"public"}, "home": {"Weather Station"}}
	done := ada.post(on("ada", "/-/settings"), form).want(http.StatusSeeOther)
	ada.follow(done).has("Saved.", "Ada&#39;s &lt;house&gt;", "Weather_Station")
	w.anonymous().get(on("ada", "/")).want(http.StatusOK).has("Ada&#39;s &lt;house&gt;", "On the lawn.")

	// The order of wikilinks; a form of before it was a setting keeps it.
	form.Set("wikilinks", "text-first")
	ada.follow(ada.post(on("ada", "/-/settings"), form).want(http.StatusSeeOther)).has(`value="text-first" selected`)
	form.Del("wikilinks")
	ada.follow(ada.post(on("ada", "/-/settings"), form).want(http.StatusSeeOther)).has(`value="text-first" selected`)
	form.Set("wikilinks", "sideways")
	ada.post(on("ada", "/-/settings"), form).want(http.StatusUnprocessableEntity).has("automatic, target-first or text-first")
	form.Del("wikilinks")

	wrong := url.Values{"title": {strings.Repeat("x", 81)}, "description": {"kept"}, "visibility": {"private"}, "home": {""}}
	ada.post(on("ada", "/-/settings"), wrong).want(http.StatusUnprocessableEntity).has("at most 80 characters", `value="kept"`, `value="private" checked`)
	for _, missing := range []string{"title", "description", "visibility", "home"} {
		part := url.Values{"title": {"a"}, "description": {"b"}, "visibility": {"private"}, "home": {""}}
		part.Del(missing)
		ada.post(on("ada", "/-/settings"), part).want(http.StatusUnprocessableEntity).has(missing)
	}
	form.Set("visibility", "nonsense")
	ada.post(on("ada", "/-/settings"), form).want(http.StatusUnprocessableEntity)
	w.anonymous().get(on("ada", "/")).want(http.StatusOK) // still public
	form.Set("visibility", "private")
	ada.post(on("ada", "/-/settings"), form).want(http.StatusSeeOther)
	w.anonymous().get(on("ada", "/")).want(http.StatusFound)
}

func TestEditSection(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Parts", "lead\n\n## One & more\n\nfirst\n\n## Two\n\nsecond\n")
	bob := w.as("bob")
	bob.get(on("ada", "/Parts")).has(`href="/Parts/edit?section=one--more"`, `aria-label="Edit the section One &amp; more"`)
	w.anonymous().get(on("ada", "/Parts")).lacks("/Parts/edit")
	edit := bob.get(on("ada", "/Parts/edit?section=one--more")).want(http.StatusOK).has("Save section")
	form := edit.fields()
	if got := edit.text(); got != "## One & more\n\nfirst\n" {
		t.Fatalf("the form has %q", got)
	}
	form.Set("content", strings.Repeat("x", 2<<20)) // refused: the section's form is back
	if got := bob.post(on("ada", "/Parts/save"), form).want(http.StatusRequestEntityTooLarge).fields(); got.Get("lines") != form.Get("lines") || got.Get("section") != "one--more" {
		t.Errorf("after a refusal the form has %q, %q", got.Get("lines"), got.Get("section"))
	}
	form.Set("lines", "5-900")
	bob.post(on("ada", "/Parts/save"), form).want(http.StatusRequestEntityTooLarge)
	form.Set("content", "## One\r\n\r\nmine\r\n")
	bob.post(on("ada", "/Parts/save"), form).want(http.StatusUnprocessableEntity).has("This section isn&#39;t in the page")
	form.Set("lines", edit.fields().Get("lines"))
	w.put("ada", "Parts", "lead\n\n## One & more\n\ntheirs\n\n## Two\n\nsecond\n")
	conflict := bob.post(on("ada", "/Parts/save"), form).want(http.StatusConflict)
	if got, want := conflict.text(), "lead\n\n## One\n\nmine\n\n## Two\n\nsecond\n"; got != want {
		t.Errorf("the conflict's text is %q, want %q", got, want)
	}
	bob.get(on("ada", "/Parts/edit?section=nowhere")).want(http.StatusOK).has("This is the whole page")
}

// After creating or deleting a page, the writer sees which links lead elsewhere now.
func TestChangedLinksAreTold(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	create := func(name, text string) *answer {
		t.Helper()
		return bob.follow(bob.post(on("ada", "/"+name+"/save"), url.Values{"content": {text}, "revision": {""}}).want(http.StatusSeeOther))
	}
	create("G/Twin", "x").has("Created.").lacks("now")
	create("Links", "[[Twin]] [t](Twin) [[H/Twin]]").has("Created.").lacks("instead")
	create("H/Twin", "x").has("Created.").lacks("instead")
	create("Twin", "x").has("Created. 2 links now lead here instead of to G/Twin.")
	remove := func(name string) *answer {
		t.Helper()
		return bob.follow(bob.post(on("ada", "/"+name+"/delete"), url.Values{"revision": {w.revision("ada", name)}}).want(http.StatusSeeOther))
	}
	remove("Twin").has("Deleted.", "2 links now lead to G/Twin.")
	remove("H/Twin").has("1 link now leads to no page.")
}
