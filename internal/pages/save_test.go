package pages

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

func TestSavePreconditions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.put("Page", "one\n\ntwo\n\nthree\n")
	now := w.put("Page", "one\n\ntwo\n\nTHREE\n")
	for _, test := range []struct {
		name   string
		page   string
		pre    Precondition
		text   string
		kind   error
		merged bool
	}{
		{"none", "Page", Precondition{}, "x\n", wiki.ErrPreconditionRequired, false},
		{"unknown", "Page", Precondition{Base: "0123456789"}, "x\n", wiki.ErrInvalid, false},
		{"too short", "Page", Precondition{Base: now.Revision[:6]}, "x\n", wiki.ErrInvalid, false},
		{"no digits", "Page", Precondition{Base: "newest!!"}, "x\n", wiki.ErrInvalid, false},
		{"create what exists", "Page", Precondition{Create: true}, "x\n", wiki.ErrConflict, false},
		{"create what exists, strict", "Page", Precondition{Create: true, Strict: true}, "x\n", wiki.ErrPrecondition, false},
		{"stale, strict", "Page", Precondition{Base: old.Revision, Strict: true}, "x\n", wiki.ErrPrecondition, false},
		{"unknown, strict", "Page", Precondition{Base: strings.Repeat("0", 40), Strict: true}, "x\n", wiki.ErrPrecondition, false},
		{"a page that never was, strict", "Nowhere", Precondition{Base: old.Revision, Strict: true}, "x\n", wiki.ErrPrecondition, false},
		{"a page that never was", "Nowhere", Precondition{Base: old.Revision}, "x\n", wiki.ErrInvalid, false},
		{"stale, in the same place", "Page", Precondition{Base: old.Revision}, "one\n\ntwo\n\n3\n", wiki.ErrConflict, false},
		{"stale, elsewhere", "Page", Precondition{Base: old.Revision[:8]}, "ONE\n\ntwo\n\nthree\n", nil, true},
	} {
		before := w.head()
		done, err := w.Save(w.t.Context(), w.editor, SaveRequest{Precondition: test.pre, Name: test.page, Text: []byte(test.text)})
		if !errors.Is(err, test.kind) || done.Merged != test.merged {
			t.Errorf("%s: %+v, %v, want %v", test.name, done, err, test.kind)
		}
		if test.kind != nil && w.head() != before {
			t.Errorf("%s: failed, but made a commit", test.name)
		}
	}
	if got := w.text("Page"); got != "ONE\n\ntwo\n\nTHREE\n" {
		t.Errorf("merged to %q", got)
	}
	done, err := w.Save(w.t.Context(), w.editor, SaveRequest{Precondition: Precondition{Create: true}, Name: "New", Text: []byte("a\r\nb")})
	if err != nil || !done.Created || w.text("New") != "a\nb\n" {
		t.Errorf("%+v, %v", done, err)
	}
}

// The line ends of a form don't cause conflicts.
func TestMergeInAFileWithCRLF(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.put("Page", "one\r\n\r\ntwo\r\n\r\nthree")
	w.put("Page", "one\r\n\r\ntwo\r\n\r\nTHREE")
	done, err := w.Save(w.t.Context(), w.editor, SaveRequest{
		Precondition: Precondition{Base: old.Revision}, Name: "Page", Text: []byte("ONE\n\ntwo\n\nthree\n"),
	})
	if err != nil || !done.Merged || w.text("Page") != "ONE\r\n\r\ntwo\r\n\r\nTHREE" {
		t.Errorf("%+v, %v, %q", done, err, w.text("Page"))
	}
}

func TestSaveFollowsRename(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.put("Page", "one\n")
	if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base("Page"), Name: "Page", NewName: "New"}); err != nil {
		t.Fatal(err)
	}
	done, err := w.Save(w.t.Context(), w.editor, SaveRequest{Precondition: Precondition{Base: old.Revision}, Name: "Page", Text: []byte("two\n")})
	if err != nil || done.Name != "New" || w.text("New") != "two\n" {
		t.Fatalf("%+v, %v", done, err)
	}
	strict := Precondition{Base: done.Revision, Strict: true}
	if done, err = w.Save(w.t.Context(), w.editor, SaveRequest{Precondition: strict, Name: "Page", Text: []byte("three\n")}); err != nil || done.Name != "New" {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := w.Delete(w.t.Context(), w.editor, DeleteRequest{Precondition: w.base("New"), Name: "New"}); err != nil {
		t.Fatal(err)
	}
	_, err = w.Save(w.t.Context(), w.editor, SaveRequest{Precondition: Precondition{Base: old.Revision}, Name: "Page", Text: []byte("mine\n")})
	var c *wiki.ConflictError
	if !errors.As(err, &c) || !c.Deleted || string(c.Yours) != "mine\n" {
		t.Errorf("a save to a deleted page: %v", err)
	}
}

func TestPatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.put("Page", "---\r\ntags: [a]\r\n---\r\none two\r\none three\r\n")
	for _, test := range []struct {
		name, old, new string
		kind           error
		says           string
	}{
		{"absent", "four", "x", wiki.ErrInvalid, "isn't in the page"},
		{"twice", "one", "x", wiki.ErrInvalid, "lines 4, 5"},
		{"identical", "two", "two", wiki.ErrInvalid, "the same"},
		{"empty", "", "x", wiki.ErrInvalid, "empty"},
		{"over lines", "two\none", "2\nuno", nil, ""},
		{"front matter", "tags: [a]", "tags: [a, b]", nil, ""},
		{"deletion", " three", "", nil, ""},
	} {
		done, err := w.Patch(w.t.Context(), w.editor, PatchRequest{Precondition: Precondition{Base: first.Revision}, Name: "page", Old: test.old, New: test.new})
		if !errors.Is(err, test.kind) || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %+v, %v", test.name, done, err)
		}
	}
	if got := w.text("Page"); got != "---\r\ntags: [a, b]\r\n---\r\none 2\r\nuno\r\n" {
		t.Errorf("got %q", got)
	}
	_, err := w.Patch(w.t.Context(), w.editor, PatchRequest{Name: "Page", Old: "2", New: "3"})
	wantKind(t, err, wiki.ErrPreconditionRequired)
	_, err = w.Patch(w.t.Context(), w.editor, PatchRequest{Precondition: Precondition{Base: first.Revision, Strict: true}, Name: "Page", Old: "2", New: "3"})
	wantKind(t, err, wiki.ErrPrecondition)
	_, err = w.Patch(w.t.Context(), w.editor, PatchRequest{Precondition: Precondition{Base: first.Revision}, Name: "Nowhere", Old: "2", New: "3"})
	wantKind(t, err, wiki.ErrNotFound)
}

func TestRetriesReturnFirstResult(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Page", "one\n")
	w.put("Link", "[[Page]]\n")
	key := func(k string) Write { return Write{IdempotencyKey: k, IdempotencyHash: "hash of " + k} }
	up := w.upload("Page", "x.png", "x")
	base := w.base("Page")
	calls := []struct {
		name string
		call func() (Saved, error)
	}{
		{"create", func() (Saved, error) {
			return w.Save(w.t.Context(), w.editor, SaveRequest{Write: key("1"), Precondition: Precondition{Create: true}, Name: "New", Text: []byte("x")})
		}},
		{"patch", func() (Saved, error) {
			return w.Patch(w.t.Context(), w.editor, PatchRequest{Write: key("2"), Precondition: base, Name: "Page", Old: "one", New: "two"})
		}},
		{"upload", func() (Saved, error) {
			return w.Upload(w.t.Context(), w.editor, UploadRequest{Write: key("3"), Page: "Page", Name: "y.png", Data: strings.NewReader("y")})
		}},
		{"rename attachment", func() (Saved, error) {
			return w.RenameAttachment(w.t.Context(), w.editor, "Page/x.png", "z.png", Precondition{Base: up.Revision}, key("4"))
		}},
		{"delete attachment", func() (Saved, error) {
			return w.DeleteAttachment(w.t.Context(), w.editor, "Page/z.png", Precondition{Base: up.Revision}, key("5"))
		}},
		{"rename", func() (Saved, error) {
			return w.Rename(w.t.Context(), w.editor, RenameRequest{Write: key("6"), Precondition: Precondition{Base: w.revision("Page")}, Name: "Page", NewName: "Other"})
		}},
		{"delete", func() (Saved, error) {
			return w.Delete(w.t.Context(), w.editor, DeleteRequest{Write: key("7"), Precondition: Precondition{Base: w.revision("Other")}, Name: "Other"})
		}},
		{"restore", func() (Saved, error) { return w.Restore(w.t.Context(), w.editor, "Other", base.Base, key("8")) }},
	}
	for _, c := range calls {
		first, err := c.call()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		head := w.head()
		second, err := c.call()
		if err != nil || !second.Replayed || w.head() != head {
			t.Errorf("%s again: %+v, %v", c.name, second, err)
			continue
		}
		second.Replayed = false
		if first.Name != second.Name || first.Path != second.Path || first.Revision != second.Revision || first.Commit != second.Commit || first.Created != second.Created || len(first.Updated) != len(second.Updated) {
			t.Errorf("%s: first %+v, then %+v", c.name, first, second)
		}
	}
	wr := key("1")
	wr.IdempotencyHash = "another request"
	_, err := w.Save(w.t.Context(), w.editor, SaveRequest{Write: wr, Precondition: Precondition{Create: true}, Name: "New", Text: []byte("y")})
	wantKind(t, err, wiki.ErrInvalid)
}

// revision is a page's, or that of its last one.
func (w *world) revision(name string) string {
	w.t.Helper()
	h, err := w.History(w.t.Context(), w.owner, name, 0, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range h {
		if r.New != "" {
			return r.New
		}
	}
	return ""
}

func TestLimitMessages(t *testing.T) {
	t.Parallel()
	limits := wiki.DefaultLimits
	limits.Pages, limits.CurrentBytes, limits.AttachmentBytes = 3, 10_000, 5_000
	w := worldWith(t, limits)
	for _, p := range []string{"A", "B", "C"} {
		w.put(p, p+"\n")
	}
	_, err := w.Save(w.t.Context(), w.editor, SaveRequest{Name: "D", Text: []byte("x")})
	if wantKind(t, err, wiki.ErrQuota); !strings.Contains(err.Error(), "3") {
		t.Errorf("the message lacks the limit: %v", err)
	}
	w.put("A", "edited\n")
	w.upload("A", "x.txt", "x")
	if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base("A"), Name: "A", NewName: "Z"}); err != nil {
		t.Errorf("rename at the limit: %v", err)
	}
	_, err = w.Upload(w.t.Context(), w.editor, UploadRequest{Page: "Z", Name: "big", Data: strings.NewReader(strings.Repeat("x", 5001))})
	wantKind(t, err, wiki.ErrTooLarge)
	w.upload("Z", "big", strings.Repeat("x", 5000))
	_, err = w.Upload(w.t.Context(), w.editor, UploadRequest{Page: "Z", Name: "big2", Data: strings.NewReader(strings.Repeat("x", 5000))})
	wantKind(t, err, wiki.ErrQuota)
	if _, err := w.Delete(w.t.Context(), w.editor, DeleteRequest{Precondition: w.base("Z"), Name: "Z"}); err != nil {
		t.Errorf("delete at the limit: %v", err)
	}
}

func TestDrafts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Page", "\uFEFFone\r\n")
	if err := w.SaveDraft(w.t.Context(), w.editor, "page", []byte("one\r\nmore\r\n"), "why", w.page("Page").File.Blob); err != nil {
		t.Fatal(err)
	}
	form, err := w.Edit(w.t.Context(), w.editor, "Page", "")
	if err != nil || string(form.Text) != "one\n" || form.Draft == nil || string(form.Draft.Text) != "one\nmore\n" || form.Draft.Message != "why" {
		t.Fatalf("%+v, %v", form, err)
	}
	if other, err := w.Edit(w.t.Context(), w.owner, "Page", ""); err != nil || other.Draft != nil {
		t.Errorf("another person's draft: %+v, %v", other, err)
	}
	agent := w.editor.Caller()
	agent.Agent, agent.Grant = "Claude", "g1"
	for _, test := range []struct {
		by    wiki.Access
		drops bool
	}{
		{wiki.NewAccess(w.site, agent, wiki.Editor), false},
		{w.editor, true},
	} {
		text := []byte("by " + test.by.Caller().Agent)
		if _, err := w.Save(w.t.Context(), test.by, SaveRequest{Precondition: w.base("Page"), Name: "Page", Text: text}); err != nil {
			t.Fatal(err)
		}
		if drafts, err := w.Drafts(w.t.Context(), w.editor); err != nil || (len(drafts) == 0) != test.drops {
			t.Errorf("after a save by %q: %+v, %v", test.by.Caller().Agent, drafts, err)
		}
	}
	if err := w.SaveDraft(w.t.Context(), w.editor, "New Page", []byte("text"), "", ""); err != nil {
		t.Fatal(err)
	}
	form, err = w.Edit(w.t.Context(), w.editor, "new_page", "")
	if err != nil || form.Exists || form.Draft == nil {
		t.Errorf("%+v, %v", form, err)
	}
	if err := w.DropDraft(w.t.Context(), w.editor, "NEW PAGE"); err != nil {
		t.Fatal(err)
	}
	if drafts, err := w.Drafts(w.t.Context(), w.editor); err != nil || len(drafts) != 0 {
		t.Errorf("%+v, %v", drafts, err)
	}
	err = w.SaveDraft(w.t.Context(), w.editor, "Page", []byte(strings.Repeat("x", int(w.site.Limits.PageBytes)+1)), "", "")
	wantKind(t, err, wiki.ErrTooLarge)
}

func TestDraftsFollowARename(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Page", "one\n")
	if err := w.SaveDraft(w.t.Context(), w.editor, "Page", []byte("mine"), "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Rename(w.t.Context(), w.owner, RenameRequest{Precondition: w.base("Page"), Name: "Page", NewName: "New"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		form, err := w.Edit(w.t.Context(), w.editor, "New", "")
		if err != nil || form.Draft == nil || string(form.Draft.Text) != "mine" {
			t.Fatalf("%+v, %v", form, err)
		}
	}
	if _, err := w.Save(w.t.Context(), w.editor, SaveRequest{Precondition: w.base("New"), Name: "New", Text: []byte("two")}); err != nil {
		t.Fatal(err)
	}
	if drafts, err := w.Drafts(w.t.Context(), w.editor); err != nil || len(drafts) != 0 {
		t.Errorf("left: %+v, %v", drafts, err)
	}
}

func TestEditOfOldRevisionReplacesNewest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.put("Page", "one\n")
	second := w.put("Page", "two\n")
	form, err := w.Edit(w.t.Context(), w.editor, "Page", first.Commit)
	if err != nil || string(form.Text) != "one\n" || form.Base != second.Revision {
		t.Fatalf("%+v, %v", form, err)
	}
	if _, err := w.Save(w.t.Context(), w.editor, SaveRequest{Precondition: Precondition{Base: form.Base}, Name: "Page", Text: form.Text}); err != nil || w.text("Page") != "one\n" {
		t.Errorf("%v, %q", err, w.text("Page"))
	}
}

func TestSimilarNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, p := range []string{"Getting_Started", "Home", "Design/Architecture"} {
		w.put(p, "x\n")
	}
	w.put("Former", "x\n")
	if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base("Former"), Name: "Former", NewName: "Something new"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Former": "Something_new", "Geting Started": "Getting_Started", "architecture": "Design/Architecture", "Hone": "Home", "Something else": ""} {
		form, err := w.Edit(w.t.Context(), w.editor, name, "")
		got := ""
		if err == nil && len(form.Similar) > 0 {
			got = string(form.Similar[0])
		}
		if got != want || err != nil {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
}

// Trailers in a message can't forge the author: only the credential counts.
func TestMessageCannotForgeAgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, m := range []string{"x\n\nAgent: Claude\nGrant: g1", "Agent: Claude", "x\n\nMoved: A.md -> B.md\n", "x\r\n\r\nAgent: Claude\r\n", strings.Repeat("long ", 2000) + "\n\nAgent: Claude"} {
		_, err := w.Save(w.t.Context(), w.editor, SaveRequest{Write: Write{Message: m}, Name: fmt.Sprint("P", i), Text: []byte(m)})
		if err != nil {
			t.Fatal(err)
		}
		log, err := w.Changelog(w.t.Context(), w.owner, LogFilter{Limit: 1})
		if err != nil || log[0].Author.Agent != "" || log[0].Author.Grant != "" || log[0].Changes[0].Kind != wiki.Added {
			t.Errorf("%.40q: %+v, %v", m, log, err)
		}
	}
}

// Search finds a save as soon as it is acknowledged.
func TestSearchSeesEverySave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hits := func(text string) string {
		t.Helper()
		found, err := w.Search(w.t.Context(), w.reader, Query{Text: text})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, h := range found.Hits {
			names = append(names, string(h.Page))
		}
		return strings.Join(names, " ")
	}
	w.put("Page", "a xylophone\n")
	if got := hits("xylophone"); got != "Page" {
		t.Errorf("saved: %q", got)
	}
	if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base("Page"), Name: "Page", NewName: "New"}); err != nil {
		t.Fatal(err)
	}
	if got := hits("xylophone"); got != "New" {
		t.Errorf("renamed: %q", got)
	}
	names, err := w.Complete(w.t.Context(), w.reader, "ne", 5)
	if err != nil || len(names) != 1 || names[0] != "New" {
		t.Errorf("completed: %v, %v", names, err)
	}
	if _, err := w.Delete(w.t.Context(), w.editor, DeleteRequest{Precondition: w.base("New"), Name: "New"}); err != nil {
		t.Fatal(err)
	}
	if got := hits("xylophone"); got != "" {
		t.Errorf("deleted: %q", got)
	}
}

// Saving an editor's text unchanged makes no commit, whatever the stored style
// and the line ends of the request.
func TestUnchangedSaveMakesNoCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stored := map[string]string{
		"lf":               "one\ntwo\n\nthree\n",
		"crlf":             "one\r\ntwo\r\n\r\nthree\r\n",
		"cr":               "one\rtwo\r",
		"mixed":            "one\r\ntwo\nthree\r\n\nfour\r",
		"bom":              "\uFEFFone\ntwo\n",
		"bom and crlf":     "\uFEFFone\r\ntwo",
		"no final newline": "one\ntwo",
		"many at the end":  "one\n\n\n",
		"spaces":           "  one  \n\t\n",
		"one line":         "one",
		"newline alone":    "\n",
		"empty":            "",
		"bom alone":        "\uFEFF",
		"leading newline":  "\n\none\n",
	}
	for name, text := range stored {
		w.put("P/"+name, text)
	}
	before := w.head()
	for name, text := range stored {
		form, err := w.Edit(w.t.Context(), w.editor, "P/"+name, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, end := range []string{"\n", "\r\n"} {
			done, err := w.Save(w.t.Context(), w.editor, SaveRequest{
				Precondition: Precondition{Base: form.Base}, Name: "P/" + name,
				Text: []byte(strings.ReplaceAll(string(form.Text), "\n", end)),
			})
			if err != nil || !done.Unchanged || w.head() != before {
				t.Errorf("%s, line ends %q: %+v, %v", name, end, done, err)
			}
			if got := w.text("P/" + name); got != text {
				t.Errorf("%s: stored %q, now %q", name, text, got)
			}
		}
	}
}

func TestSaveRejectsInvalidText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, text := range map[string]string{"invalid UTF-8": "a\xffb", "NUL": "a\x00b"} {
		_, err := w.Save(w.t.Context(), w.editor, SaveRequest{Name: "Page", Text: []byte(text), Exact: true})
		if wantKind(t, err, wiki.ErrInvalid); w.head() != 0 {
			t.Errorf("%s was stored", name)
		}
	}
	big := strings.Repeat("x", int(w.site.Limits.PageBytes))
	w.put("Big", big)
	_, err := w.Save(w.t.Context(), w.editor, SaveRequest{Name: "Bigger", Text: []byte(big + "x"), Exact: true})
	wantKind(t, err, wiki.ErrTooLarge)
	_, err = w.Save(w.t.Context(), w.editor, SaveRequest{Name: "Bigger", Text: []byte(big)}) // with its final newline
	wantKind(t, err, wiki.ErrTooLarge)
}

// A save reads no more than it needs: each statement of a reader after a commit
// begins with cold caches.
func TestSaveStatements(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	read := func(save func() error) uint64 {
		t.Helper()
		c, release, err := w.open(w.t.Context(), w.editor, wiki.Edit)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		before := c.ReadStatements()
		if err := save(); err != nil {
			t.Fatal(err)
		}
		return c.ReadStatements() - before
	}
	save := func(name, base, text string) error {
		_, err := w.Save(w.t.Context(), w.editor, SaveRequest{Precondition: Precondition{Base: base, Create: base == ""}, Name: name, Text: []byte(text)})
		return err
	}
	old := w.put("Page", "one\ntwo\nthree\n\nfour\nfive\n").Revision
	current := w.put("Page", "one\ntwo\nthree\n\nfour\n5\n").Revision
	moved := w.put("Moved", "text\n").Revision
	if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Name: "Moved", NewName: "Elsewhere", Precondition: w.base("Moved")}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, page, base, text string
		max                    uint64
	}{
		{"current revision", "Page", current, "one\ntwo\nthree\n\n4\n5\n", 1},
		{"old revision", "Page", old, "1\ntwo\nthree\n\nfour\nfive\n", 1},
		{"new page", "New", "", "text\n", 1},
		{"moved page", "Moved", moved, "text 2\n", 8},
	} {
		if n := read(func() error { return save(test.page, test.base, test.text) }); n > test.max {
			t.Errorf("%s: %d statements, at most %d wanted", test.name, n, test.max)
		}
	}
}
