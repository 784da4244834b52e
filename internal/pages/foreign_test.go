package pages

import (
	"testing"

	"robot.wtf/internal/wiki"
)

// A page is foreign while a line of it is by somebody who is no member; its past
// is for ever.
func TestForeign(t *testing.T) {
	w := newWorld(t)
	w.put("Mine", "one\ntwo\n")
	w.put("Shared", "one\n")
	base := w.page("Shared").File.Blob
	_, err := w.Save(w.ctx, w.editor, SaveRequest{Name: "Shared", Text: []byte("one\nbob's\n"), Precondition: Precondition{Base: base}})
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]bool{"did:plc:ada": true, "did:plc:bob": true}
	is := func(name string, past bool) bool {
		t.Helper()
		got, err := w.Foreign(w.ctx, w.owner, func(did string) bool { return members[did] }, []wiki.PageName{wiki.PageName(name)}, nil, past)
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
		t.Error("bob is none any more")
	}
	w.put("Shared", "one\nada's\n")
	if is("Shared", false) || !is("Shared", true) {
		t.Error("nothing of his is left but in the past")
	}
	w.put("Mine", "three\n") // the head moved: what is known of the wiki is brought up to it
	if is("Mine", true) {
		t.Error("still hers alone")
	}
	by := []wiki.Author{{Username: "ada", DID: "did:plc:ada", Imported: true}}
	if got, err := w.Foreign(w.ctx, w.owner, func(string) bool { return true }, nil, by, false); err != nil || !got {
		t.Error("an import proves nothing")
	}
}
