package pages

import (
	"errors"
	"testing"

	"robot.wtf/internal/wiki"
)

func TestMergeOpen(t *testing.T) {
	w := newWorld(t)
	w.put("Page", "one\ntwo\nthree\nfour\n")
	base := w.base("Page").Base
	other := func() *OtherEdit {
		t.Helper()
		found, err := w.EditedSince(w.t.Context(), w.editor, "Page", base)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := other(); found != nil {
		t.Errorf("an unchanged page: %+v", found)
	}
	w.put("Page", "one\ntwo\nthree\nFOUR\n")
	if found := other(); found == nil || found.Deleted || len(found.Hunks) != 1 || found.Revision.Author.Username != "ada" {
		t.Errorf("a changed page: %+v", found)
	}
	merged, err := w.MergeOpen(w.t.Context(), w.editor, "Page", base, []byte("ONE\r\ntwo\r\nthree\r\nfour\r\n"))
	if want := (OpenMerge{Text: "ONE\ntwo\nthree\nFOUR\n", Revision: w.base("Page").Base}); err != nil || merged != want {
		t.Errorf("merged %+v, %v; want %+v", merged, err, want)
	}
	merged, err = w.MergeOpen(w.t.Context(), w.editor, "Page", base, []byte("one\ntwo\nthree\n4\n"))
	if want := (OpenMerge{Text: "one\ntwo\nthree\n4\n", Revision: base, Conflicts: 1}); err != nil || merged != want {
		t.Errorf("a conflict: %+v, %v; want %+v", merged, err, want)
	}
	w.rename("Page", "Elsewhere")
	if found := other(); found == nil || found.Deleted || len(found.Hunks) != 1 {
		t.Errorf("a renamed page: %+v", found)
	}
	w.remove("Elsewhere")
	if found, err := w.EditedSince(w.t.Context(), w.editor, "Elsewhere", base); err != nil || found == nil || !found.Deleted {
		t.Errorf("a deleted page: %+v, %v", found, err)
	}
	if _, err := w.MergeOpen(w.t.Context(), w.editor, "Elsewhere", base, nil); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("merging with a deleted page: %v, want ErrNotFound", err)
	}
	if found, err := w.EditedSince(w.t.Context(), w.editor, "New", ""); found != nil || err != nil {
		t.Errorf("a new page: %+v, %v", found, err)
	}
	for _, a := range []wiki.Access{w.viewer, w.reader} {
		if _, err := w.EditedSince(w.t.Context(), a, "Page", base); !errors.Is(err, wiki.ErrDenied) {
			t.Errorf("a reader: %v, want ErrDenied", err)
		}
	}
}
