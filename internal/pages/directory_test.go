package pages

import (
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// Files whose names have no address, which early versions imported, are renamed once,
// and links to them lead there. Names that only can't be created stay.
func TestUnreachableNames(t *testing.T) {
	w := newWorld(t)
	w.commitFiles(map[string]string{
		"git/history.md": "past", "git/History.md.md": "twice", "guide/delete.md": "how to", "guide/delete/plan.txt": "a file",
		"robots.txt.md": "robots", "static/page.md": "stays", "old.markdown": "ending", "ctl\x01.md": "control",
		"Links.md": "[[git/history]] [x](/guide/delete)",
	})
	w.dropCaches() // the service starts
	list, err := w.List(w.t.Context(), w.reader, ListFilter{})
	w.must(err)
	var names []string
	for _, e := range list {
		names = append(names, string(e.Name))
		if _, err := wiki.ParsePageName(string(e.Name)); err != nil && e.Name != "static/page" {
			t.Errorf("%s: %v", e.Name, err)
		}
		if _, err := w.View(w.t.Context(), w.reader, string(e.Name), ""); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
	if len(names) != 8 || !slices.Contains(names, "guide/Delete") || !slices.Contains(names, "static/page") {
		t.Errorf("%q", names)
	}
	view, err := w.View(w.t.Context(), w.reader, "Links", "")
	w.must(err)
	if strings.Contains(string(view.Body), "red") {
		t.Errorf("%s", view.Body)
	}
	if _, text, err := w.OpenAttachment(w.t.Context(), w.reader, "guide/Delete/plan.txt", ""); err != nil || string(text) != "a file" {
		t.Errorf("%q, %v", text, err)
	}
	last, err := w.History(w.t.Context(), w.reader, "guide/Delete", 0, 10)
	w.must(err)
	first := last[0]
	if first.Message != content.RenamesMessage || first.Author.DID != w.site.OwnerDID || first.Author.Client != wiki.OperatorName {
		t.Errorf("%+v", first)
	}
	seq, err := w.Head(w.t.Context(), w.reader)
	w.must(err)
	w.dropCaches()
	_, err = w.List(w.t.Context(), w.reader, ListFilter{})
	w.must(err)
	if again, _ := w.Head(w.t.Context(), w.reader); again != seq {
		t.Errorf("renamed again: %d commits, then %d", seq, again)
	}
}
