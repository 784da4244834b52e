package pages

import (
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

// foreign asks about one text.
func (w *world) foreign(member func(did string) bool, words Words) (bool, error) {
	got, err := w.Foreign(w.t.Context(), w.owner, member, []*Words{&words})
	return err != nil || got[0], err
}

func isAda(did string) bool { return did == "did:plc:ada" }

// A page is by others while one of its lines is by a non-member. Its past stays so.
func TestWrittenByOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Mine", "one\ntwo\n")
	w.put("Shared", "one\n")
	base := w.page("Shared").File.Blob
	_, err := w.Save(w.t.Context(), w.editor, SaveRequest{Name: "Shared", Text: []byte("one\nbob's\n"), Precondition: Precondition{Base: base}})
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]bool{"did:plc:ada": true, "did:plc:bob": true}
	is := func(name string, past bool) bool {
		t.Helper()
		got, err := w.foreign(func(did string) bool { return members[did] }, Words{Page: wiki.PageName(name), Past: past})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if is("Mine", true) || is("Shared", true) {
		t.Error("all are members")
	}
	delete(members, "did:plc:bob")
	if is("Mine", true) || !is("Shared", false) || !is("Nowhere", false) {
		t.Error("bob isn't a member any more")
	}
	w.put("Shared", "one\nada's\n")
	if is("Shared", false) || !is("Shared", true) {
		t.Error("his lines are only in the past")
	}
	w.put("Mine", "three\n") // the head moved, so cached authors are updated
	if is("Mine", true) {
		t.Error("all lines are hers")
	}
	by := wiki.Author{Username: "ada", DID: "did:plc:ada", Imported: true}
	if got, err := w.foreign(func(string) bool { return true }, Words{Author: &by}); err != nil || !got {
		t.Error("imported authors count as members")
	}
}

// Attack: a page exceeds the bounds of authorship, so its lines have no known
// author. Such lines don't count as members'.
func TestUnknownAuthorsAreNotMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shared := func(text string) { // hers alone now, with a past that is not
		t.Helper()
		w.put("Shared", "one\n")
		base := w.page("Shared").File.Blob
		if _, err := w.Save(w.t.Context(), w.editor, SaveRequest{Name: "Shared", Text: []byte("bob's\n"), Precondition: Precondition{Base: base}}); err != nil {
			t.Fatal(err)
		}
		w.put("Shared", text)
	}
	foreign := func() bool {
		t.Helper()
		got, err := w.foreign(isAda, Words{Page: "Shared"})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	shared("two\nthree\n")
	if foreign() {
		t.Fatal("all lines are hers")
	}
	file := w.page("Shared").File
	content, release, err := w.open(w.t.Context(), w.owner, wiki.Read)
	if err != nil {
		t.Fatal(err)
	}
	key := authorKey("by", content, file.Path)
	release()
	hers := []wiki.Revision{{Author: wiki.Author{Username: "ada", DID: "did:plc:ada"}}}
	for what, known := range map[string]authorship{
		"a line without an author": {lines: []int32{0, -1}, by: hers},
		"no line has an author":    {lines: []int32{-1, -1}},
		"lines that nobody read":   {lines: []int32{0}, by: hers},
	} {
		known.commit = file.Commit
		w.views.Set(key, &known)
		if !foreign() {
			t.Errorf("%s counts as a member's", what)
		}
	}
	shared(strings.Repeat("a line\n", maxAuthorLines+1))
	if !foreign() {
		t.Errorf("a page of more than %d lines counts as members'", maxAuthorLines)
	}
}
