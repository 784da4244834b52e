package pages

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

// keep uploads a file for a page that doesn't exist.
func (w *world) keep(a wiki.Access, page, name string, data []byte) Saved {
	w.t.Helper()
	done, err := w.Upload(w.t.Context(), a, UploadRequest{Page: page, Name: name, Data: bytes.NewReader(data), Free: true, Draft: true})
	if err != nil || !done.Kept {
		w.t.Fatalf("%+v, %v", done, err)
	}
	return done
}

// Files of a new page wait with the draft, visible to its writer alone, and are saved
// with the page in one commit.
func TestFilesOfANewPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.keep(w.editor, "New Page", "dot.png", []byte("one")), w.keep(w.editor, "New_Page", "dot.png", []byte("two"))
	if first.Path != "New_Page/dot.png" || second.Path != "New_Page/dot-2.png" {
		t.Errorf("%q and %q", first.Path, second.Path)
	}
	if _, _, err := w.OpenAttachment(w.t.Context(), w.editor, first.Path, ""); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("an unsaved file is there: %v", err)
	}
	if _, _, err := w.DraftFile(w.t.Context(), w.owner, "New Page", "dot.png"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("another person reads it: %v", err)
	}
	text := "![a](./dot.png) ![b](./dot-2.png)\n"
	view, err := w.Preview(w.t.Context(), w.editor, "New Page", []byte(text))
	if err != nil || !strings.Contains(string(view.Body), `src="/New_Page/draft/dot.png"`) {
		t.Errorf("the preview is %s, %v", view.Body, err)
	}
	w.commitFiles(map[string]string{"New_Page/DOT.png": "theirs"}) // taken meanwhile
	done, err := w.Save(w.t.Context(), w.editor, SaveRequest{Name: "New Page", Text: []byte(text), Precondition: Precondition{Create: true}})
	if err != nil {
		t.Fatal(err)
	}
	if page := w.page("New Page"); string(page.Source) != "![a](./dot-3.png) ![b](./dot-2.png)\n" {
		t.Errorf("the page is %q", page.Source)
	}
	for name, want := range map[string]string{"dot-3.png": "one", "dot-2.png": "two", "DOT.png": "theirs"} {
		f, data, err := w.OpenAttachment(w.t.Context(), w.editor, "New_Page/"+name, "")
		if err != nil || string(data) != want || (f.Commit == done.Commit) == (want == "theirs") {
			t.Errorf("%s is %q of %s, %v", name, data, f.Commit, err)
		}
	}
	form, err := w.Edit(w.t.Context(), w.editor, "New Page", "")
	if err != nil || form.Draft != nil || len(form.Files) != 0 {
		t.Errorf("left: %+v, %v", form, err)
	}
}

func TestDiscardingADraftDropsItsFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keep(w.editor, "New", "a.png", []byte("one"))
	if err := w.SaveDraft(w.t.Context(), w.editor, "New", []byte("text"), "", ""); err != nil {
		t.Fatal(err)
	}
	if form, err := w.Edit(w.t.Context(), w.editor, "New", ""); err != nil || len(form.Files) != 1 || form.Files[0].Size != 3 {
		t.Errorf("%+v, %v", form, err)
	}
	if err := w.DropDraft(w.t.Context(), w.editor, "New"); err != nil {
		t.Fatal(err)
	}
	if form, err := w.Edit(w.t.Context(), w.editor, "New", ""); err != nil || len(form.Files) != 0 {
		t.Errorf("left: %+v, %v", form, err)
	}
}

// Attack: files piled up in drafts, which no limit of the wiki counts.
func TestFilesOfDraftsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := bytes.Repeat([]byte("x"), 10<<20)
	for i := range 5 {
		w.keep(w.editor, fmt.Sprint("New ", i), "a.bin", data)
	}
	_, err := w.Upload(w.t.Context(), w.editor, UploadRequest{Page: "New 6", Name: "a.bin", Data: strings.NewReader("x"), Draft: true})
	wantKind(t, err, wiki.ErrQuota)
	w.keep(w.owner, "New 6", "a.bin", data) // another person has their own
	if err := w.DropDraft(w.t.Context(), w.editor, "New 1"); err != nil {
		t.Fatal(err)
	}
	w.keep(w.editor, "New 6", "a.bin", []byte("x"))
	_, err = w.Upload(w.t.Context(), w.viewer, UploadRequest{Page: "New 6", Name: "a.bin", Data: strings.NewReader("x"), Draft: true})
	wantKind(t, err, wiki.ErrDenied)
}

// Attack: many empty files, whose names all have to be compared when the page is saved.
func TestNumberOfFilesOfDrafts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var err error
	kept := 0
	for ; err == nil && kept < 400; kept++ {
		_, err = w.Upload(w.t.Context(), w.editor, UploadRequest{Page: fmt.Sprint("New ", kept%2), Name: fmt.Sprint(kept, ".bin"), Data: strings.NewReader(""), Draft: true})
	}
	wantKind(t, err, wiki.ErrQuota)
	if kept-1 != 300 {
		t.Errorf("%d files were kept", kept-1)
	}
}

// An agent's save leaves its person's files alone; theirs attaches them, even when the
// page was created and renamed meanwhile.
func TestFilesOfADraftFollowTheirPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keep(w.editor, "New", "a.png", []byte("one"))
	if err := w.SaveDraft(w.t.Context(), w.editor, "New", []byte("mine ![](./a.png)"), "", ""); err != nil {
		t.Fatal(err)
	}
	agent := w.editor.Caller()
	agent.Agent, agent.Grant = "Claude", "g1"
	if _, err := w.Save(w.t.Context(), wiki.NewAccess(w.site, agent, wiki.Editor), SaveRequest{Name: "New", Text: []byte("theirs")}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Rename(w.t.Context(), w.owner, RenameRequest{Precondition: w.base("New"), Name: "New", NewName: "Newer"}); err != nil {
		t.Fatal(err)
	}
	form, err := w.Edit(w.t.Context(), w.editor, "Newer", "")
	if err != nil || form.Draft == nil || len(form.Files) != 1 {
		t.Fatalf("%+v, %v", form, err)
	}
	if _, err := w.Save(w.t.Context(), w.editor, SaveRequest{Precondition: w.base("Newer"), Name: "Newer", Text: form.Draft.Text}); err != nil {
		t.Fatal(err)
	}
	if _, data, err := w.OpenAttachment(w.t.Context(), w.editor, "Newer/a.png", ""); err != nil || string(data) != "one" {
		t.Errorf("%q, %v", data, err)
	}
}
