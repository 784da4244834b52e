package pages

import (
	"fmt"
	"testing"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// Attack: change thousands of pages with one request, for the price of one. Every
// kind of change reports how many files it changed; a change of nothing and a retry
// report none.
func TestEveryCommitIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startMirror()
	var reported []int
	w.changed = func(a wiki.Access, files int) {
		if a.Caller().User.DID == "" {
			t.Error("reported without a caller")
		}
		reported = append(reported, files)
	}
	expect := func(what string, files ...int) {
		t.Helper()
		if fmt.Sprint(reported) != fmt.Sprint(files) {
			t.Errorf("%s: reported %v, want %v", what, reported, files)
		}
		reported = nil
	}
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w.put("Target", "Text.\n")
	expect("a save", 1)
	w.put("Target", "Text.\n")
	expect("a save of the same text")
	for i := range 12 {
		w.put(fmt.Sprintf("From/P%d", i), "See [[Target]].\n")
	}
	reported = nil
	moved := RenameRequest{Write: Write{IdempotencyKey: "k", IdempotencyHash: "h"}, Precondition: w.base("From/P0"), Name: "From/P0", NewName: "From/Q0"}
	for range 2 {
		must(w.Rename(w.t.Context(), w.editor, moved))
	}
	expect("a rename and its retry", 1)
	must(w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base("Target"), Name: "Target", NewName: "Goal"}))
	expect("a rename with 12 links", 13)
	must(w.Patch(w.t.Context(), w.editor, PatchRequest{Name: "Goal", Precondition: w.base("Goal"), Old: "Text", New: "Words"}))
	expect("a patch", 1)
	must(w.ApplyEdits(w.t.Context(), w.editor, EditRequest{Name: "Goal", Edits: []edit.Edit{{Op: "append", Text: "more"}}}))
	expect("edits", 1)
	w.upload("Goal", "a.txt", "x")
	expect("an upload", 1)
	must(w.RenameAttachment(w.t.Context(), w.editor, "Goal/a.txt", "b.txt", w.attachmentBase("Goal/a.txt"), Write{}))
	expect("a renamed file", 1)
	must(w.DeleteAttachment(w.t.Context(), w.editor, "Goal/b.txt", w.attachmentBase("Goal/b.txt"), Write{}))
	expect("a deleted file", 1)
	w.put("From", "The folder's page.\n")
	reported = nil
	gone, err := w.Delete(w.t.Context(), w.editor, DeleteRequest{Precondition: w.base("From"), Name: "From", Recursive: true})
	must(gone, err)
	expect("a deletion with subpages", 13)
	must(w.Revert(w.t.Context(), w.editor, gone.Commit, Write{}))
	expect("a revert", 13)
	old := w.page("Goal").File.Blob
	w.put("Goal", "Now.\n")
	reported = nil
	must(w.Restore(w.t.Context(), w.editor, "Goal", old, Write{}))
	expect("a restored revision", 1)
	fresh := w.fresh("odd")
	reported = nil
	result := fresh.mustImport("testdata/odd.bundle")
	if len(reported) != 1 || reported[0] < result.Pages {
		t.Errorf("an import of %d pages: reported %v", result.Pages, reported)
	}
}

func (w *world) attachmentBase(path string) Precondition {
	w.t.Helper()
	f, _, err := w.OpenAttachment(w.t.Context(), w.owner, path, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return Precondition{Base: f.Blob}
}
