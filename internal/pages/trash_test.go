package pages

import (
	"fmt"
	"slices"
	"testing"

	"robot.wtf/internal/wiki"
)

// trash lists the names in the trash, in parts of two.
func (w *world) trash() (names []string) {
	w.t.Helper()
	var from TrashPlace
	for {
		list, next, err := w.Trash(w.t.Context(), w.reader, from, 2)
		if err != nil || len(list) > 2 {
			w.t.Fatal(len(list), err)
		}
		for _, p := range list {
			names = append(names, string(p.Name))
		}
		if next == (TrashPlace{}) {
			return names
		}
		from = next
	}
}

func TestTrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"Again", "Gone", "Moved", "Twice", "Folder", "Folder/One", "Folder/Two", "Folder/Three"} {
		w.put(name, name+"\n")
	}
	w.upload("Gone", "a.png", "one")
	w.remove("Gone")
	w.remove("Again")
	w.put("Again", "anew\n")
	w.rename("Moved", "Elsewhere")
	w.remove("Twice")
	w.put("Twice", "twice\n")
	w.remove("Twice")
	if _, err := w.Delete(w.t.Context(), w.editor, DeleteRequest{Precondition: w.base("Folder"), Name: "Folder", Recursive: true}); err != nil {
		t.Fatal(err)
	}
	want := []string{"Folder", "Folder/One", "Folder/Three", "Folder/Two", "Twice", "Gone"}
	if got := w.trash(); !slices.Equal(got, want) {
		t.Errorf("the trash has %q", got)
	}
	list, _, err := w.Trash(w.t.Context(), w.reader, TrashPlace{}, 10)
	if err != nil || list[5].Author.Username == "" || list[5].Old == "" {
		t.Fatalf("%+v, %v", list, err)
	}
	if _, err := w.Restore(w.t.Context(), w.editor, "Gone", list[5].Old, Write{}); err != nil {
		t.Fatal(err)
	}
	if _, data, err := w.OpenAttachment(w.t.Context(), w.reader, "Gone/a.png", ""); err != nil || string(data) != "one" {
		t.Errorf("the file of a restored page: %q, %v", data, err)
	}
	if w.text("Gone") != "Gone\n" || slices.Contains(w.trash(), "Gone") {
		t.Errorf("not restored: %q", w.trash())
	}
	_, _, err = w.Trash(w.t.Context(), wiki.NewAccess(w.site, w.owner.Caller(), wiki.NoRole), TrashPlace{}, 10)
	if err == nil {
		t.Error("strangers read the trash")
	}
}

// A restored page doesn't overwrite a file that took the name of one of its own.
func TestRestoredFilesYield(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Gone", "text\n")
	for i := range 2 {
		w.upload("Gone", fmt.Sprintf("%d.png", i), "old")
	}
	revision := w.page("Gone").File.Blob
	w.remove("Gone")
	w.commitFiles(map[string]string{"Gone/0.png": "new"})
	if _, err := w.Restore(w.t.Context(), w.editor, "Gone", revision, Write{}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"0.png": "new", "1.png": "old"} {
		if _, data, err := w.OpenAttachment(w.t.Context(), w.reader, "Gone/"+name, ""); err != nil || string(data) != want {
			t.Errorf("%s is %q, %v", name, data, err)
		}
	}
}
