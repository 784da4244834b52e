package pages

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/wiki"
)

func TestRenameRewritesLinks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, page, before, after string }{
		{"wikilink", "Other", "See [[Getting Started]].\n", "See [[Guide/First Steps]].\n"},
		{"underscores", "Other", "See [[Getting_Started]].\n", "See [[Guide/First_Steps]].\n"},
		{"other case", "Other", "See [[getting started]].\n", "See [[Guide/First Steps]].\n"},
		{"text", "Other", "See [[Getting Started|how]].\n", "See [[Guide/First Steps|how]].\n"},
		{"anchor", "Other", "See [[Getting Started#Next]] and [[Getting_Started#Next|so]].\n", "See [[Guide/First Steps#Next]] and [[Guide/First_Steps#Next|so]].\n"},
		{"embed", "Other", "![[Getting Started]]\n", "![[Guide/First Steps]]\n"},
		{"markdown link", "Other", "[how](/Getting_Started)\n", "[how](/Guide/First_Steps)\n"},
		{"several", "Other", "[[Getting Started]] [[Home]] [[Getting_Started]]\n", "[[Guide/First Steps]] [[Home]] [[Guide/First_Steps]]\n"},
		{"code is left alone", "Other", "`[[Getting Started]]` and [[Getting Started]]\n\n```\n[[Getting Started]]\n```\n\n    [[Getting Started]]\n", "`[[Getting Started]]` and [[Guide/First Steps]]\n\n```\n[[Getting Started]]\n```\n\n    [[Getting Started]]\n"},
		{"subpage", "Other", "[[Getting Started/More]]\n", "[[Guide/First Steps/More]]\n"},
		{"attachment", "Other", "![d](/Getting_Started/d.png) ![[Getting_Started/d.png]]\n", "![d](/Guide/First_Steps/d.png) ![[Guide/First_Steps/d.png]]\n"},
		{"another page of that beginning", "Other", "[[Getting Started Now]]\n", "[[Getting Started Now]]\n"},
		{"line ends", "Other", "a\r\n[[Getting Started]]\r\nb", "a\r\n[[Guide/First Steps]]\r\nb"},
		{"from below", "Deep/Down", "[[Getting Started]]\n", "[[Guide/First Steps]]\n"},
		{"to itself", "Getting_Started", "[[Getting Started#Next]] [[Home]]\n", "[[Guide/First Steps#Next]] [[Home]]\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.put("Home", "home\n")
			w.put("Getting_Started", "# Getting Started\n")
			w.put("Getting_Started/More", "more\n")
			w.upload("Getting Started", "d.png", "picture")
			w.put(test.page, test.before)
			before := w.head()
			done, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base("Getting_Started"), Name: "getting started", NewName: "Guide/First Steps"})
			if err != nil {
				t.Fatal(err)
			}
			now := test.page
			if now == "Getting_Started" {
				now = "Guide/First_Steps"
			}
			if got := w.text(now); got != test.after {
				t.Errorf("%q became %q, want %q", test.before, got, test.after)
			}
			if done.Name != "Guide/First_Steps" || done.Revision != w.page("Guide/First Steps").File.Blob || w.head() != before+1 {
				t.Errorf("done %+v, %d commits", done, w.head()-before)
			}
			if want := test.before != test.after; slices.Contains(done.Updated, wiki.PageName(now)) != want {
				t.Errorf("updated %v", done.Updated)
			}
		})
	}
}

func TestRenameMovesWhatBelongsToThePage(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) *world {
		w := newWorld(t)
		for _, p := range []string{"A", "A/B", "A/B/C", "Other", "Taken", "Into/Sub"} {
			w.put(p, "# "+p+"\n")
		}
		w.upload("A", "x.png", "x")
		w.upload("A/B", "y.png", "y")
		return w
	}
	for _, test := range []struct {
		name, from, to string
		pageOnly       bool
		want           string // paths after, "" for an error
		kind           error
	}{
		{"all", "A", "Z", false, "Into/Sub.md Other.md Taken.md Z.md Z/B.md Z/B/C.md Z/B/y.png Z/x.png", nil},
		{"page only", "A", "Z", true, "A/B.md A/B/C.md A/B/y.png Into/Sub.md Other.md Taken.md Z.md Z/x.png", nil},
		{"a level down", "A/B", "Z", false, "A.md A/x.png Into/Sub.md Other.md Taken.md Z.md Z/C.md Z/y.png", nil},
		{"into its own folder", "A", "A/New", false, "A/New.md A/New/B.md A/New/B/C.md A/New/B/y.png A/New/x.png Into/Sub.md Other.md Taken.md", nil},
		{"to the place of its own subpage", "A", "A/B", false, "A/B.md A/B/B.md A/B/B/C.md A/B/B/y.png A/B/x.png Into/Sub.md Other.md Taken.md", nil},
		{"page only, to the place of its subpage", "A", "A/B", true, "", wiki.ErrExists},
		{"other case", "Other", "OTHER", false, "A.md A/B.md A/B/C.md A/B/y.png A/x.png Into/Sub.md OTHER.md Taken.md", nil},
		{"case of a subpage alone", "A/B", "A/b", false, "A.md A/b.md A/b/C.md A/b/y.png A/x.png Into/Sub.md Other.md Taken.md", nil},
		{"up", "A/B/C", "C", false, "A.md A/B.md A/B/y.png A/x.png C.md Into/Sub.md Other.md Taken.md", nil},
		{"to a page that exists", "A", "Taken", false, "", wiki.ErrExists},
		{"to another spelling of one", "A", "taken", false, "", wiki.ErrExists},
		{"to its parent", "A/B", "A", false, "", wiki.ErrExists},
		{"to itself", "A", "A", false, "", wiki.ErrInvalid},
		{"to a reserved name", "A", "A/edit", false, "", wiki.ErrInvalid},
		{"out", "A", "../A", false, "", wiki.ErrInvalid},
		{"what is not there", "Nowhere", "Z", false, "", wiki.ErrNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := setup(t)
			var pre Precondition
			if p, err := w.Page(w.t.Context(), w.owner, test.from, ""); err == nil {
				pre.Base = p.File.Blob
			}
			before, head := w.tree(), w.head()
			_, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: pre, Name: test.from, NewName: test.to, PageOnly: test.pageOnly})
			if test.kind != nil {
				wantKind(t, err, test.kind)
				if diff := cmp.Diff(before, w.tree()); diff != "" || w.head() != head {
					t.Errorf("it failed, yet changed:\n%s", diff)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := w.paths(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			// The former name leads to the new one, where nothing else took its place.
			if wiki.Key(test.from) != wiki.Key(test.to) {
				var to *wiki.Redirect
				_, err := w.Find(w.t.Context(), w.reader, test.from)
				if !errors.As(err, &to) || to.Permanent || to.To != wiki.PathURL(test.to) {
					if f, _ := w.Find(w.t.Context(), w.reader, test.from); f.Kind != KindFolder {
						t.Errorf("the former name gives %+v, %v", f, err)
					}
				}
			}
			// And undoing it restores all.
			log, err := w.Changelog(w.t.Context(), w.owner, LogFilter{Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Revert(w.t.Context(), w.editor, log[0].ID, Write{}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, w.tree()); diff != "" {
				t.Errorf("reverted, it is not as before:\n%s", diff)
			}
		})
	}

}

func TestRenamePreconditions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.put("Page", "one\n").Revision
	w.put("Page", "two\n")
	for _, test := range []struct {
		name string
		pre  Precondition
		kind error
	}{
		{"none", Precondition{}, wiki.ErrPreconditionRequired},
		{"stale", Precondition{Base: old}, wiki.ErrConflict},
		{"stale, strict", Precondition{Base: old, Strict: true}, wiki.ErrPrecondition},
		{"unknown", Precondition{Base: "0123456789abcdef"}, wiki.ErrInvalid},
		{"unknown, strict", Precondition{Base: "0123456789abcdef", Strict: true}, wiki.ErrPrecondition},
		{"no digits", Precondition{Base: "newest"}, wiki.ErrInvalid},
	} {
		_, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: test.pre, Name: "Page", NewName: "New"})
		if !errors.Is(err, test.kind) {
			t.Errorf("rename, %s: got %v, want %v", test.name, err, test.kind)
		}
		_, err = w.Delete(w.t.Context(), w.editor, DeleteRequest{Precondition: test.pre, Name: "Page"})
		if !errors.Is(err, test.kind) {
			t.Errorf("delete, %s: got %v, want %v", test.name, err, test.kind)
		}
	}
	short := Precondition{Base: w.page("Page").File.Blob[:8], Strict: true}
	if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: short, Name: "Page", NewName: "New"}); err != nil {
		t.Error(err)
	}
	byCommit := Precondition{Base: w.page("New").File.Commit}
	if _, err := w.Delete(w.t.Context(), w.editor, DeleteRequest{Precondition: byCommit, Name: "New"}); err != nil {
		t.Error(err)
	}
}

func TestRenameKeepsLinksWhenAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("A", "a\n")
	w.put("Other", "[[A]]\n")
	done, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base("A"), Name: "A", NewName: "B", KeepLinks: true})
	if err != nil || len(done.Updated) != 0 || w.text("Other") != "[[A]]\n" {
		t.Errorf("%+v, %v, %q", done, err, w.text("Other"))
	}
	v, err := w.View(w.t.Context(), w.reader, "Other", "")
	if err != nil || !contains(v.Body, `href="/B"`) {
		t.Errorf("the link to the former name does not lead on: %v %s", err, v.Body)
	}
}

func TestRelativeLinksOfMovedPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("A", "![[x.png]] and [[B]]\n")
	w.put("B", "b\n")
	w.upload("A", "x.png", "x")
	if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base("A"), Name: "A", NewName: "Deep/Down"}); err != nil {
		t.Fatal(err)
	}
	v, err := w.View(w.t.Context(), w.reader, "Deep/Down", "")
	if err != nil || !contains(v.Body, "/Deep/Down/x.png") || !contains(v.Body, `href="/B"`) {
		t.Errorf("%v: %s", err, v.Body)
	}
}

func TestRenameAttachment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("A", "![[A/x.png]] ![[x.png]]\n")
	up := w.upload("A", "x.png", "x")
	w.put("Other", "[x](/A/x.png) `/A/x.png`\n")
	done, err := w.RenameAttachment(w.t.Context(), w.editor, "A/x.png", "new name.png", Precondition{Base: up.Revision}, Write{})
	if err != nil || done.Path != "A/new_name.png" {
		t.Fatalf("%+v, %v", done, err)
	}
	if got := w.text("Other"); got != "[x](/A/new_name.png) `/A/x.png`\n" {
		t.Errorf("Other: %q", got)
	}
	if got := w.text("A"); got != "![[A/new name.png]] ![[new name.png]]\n" {
		t.Errorf("A: %q", got)
	}
	_, err = w.RenameAttachment(w.t.Context(), w.editor, "A/new_name.png", "page.md", Precondition{Base: up.Revision}, Write{})
	wantKind(t, err, wiki.ErrInvalid)
}

func TestDelete(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		recursive bool
		want      string
	}{
		{false, "A/B.md A/B/y.png"},
		{true, ""},
	} {
		w := newWorld(t)
		w.put("A", "a\n")
		w.put("A/B", "b\n")
		w.upload("A", "x.png", "x")
		w.upload("A/B", "y.png", "y")
		before := w.tree()
		done, err := w.Delete(w.t.Context(), w.editor, DeleteRequest{Precondition: w.base("A"), Name: "a", Recursive: test.recursive})
		if err != nil || done.Name != "A" || done.Revision != "" {
			t.Fatalf("%+v, %v", done, err)
		}
		if got := w.paths(); got != test.want {
			t.Errorf("recursive %v: %q is left, want %q", test.recursive, got, test.want)
		}
		if _, err := w.Revert(w.t.Context(), w.editor, done.Commit, Write{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, w.tree()); diff != "" {
			t.Errorf("reverted, it is not as before:\n%s", diff)
		}
	}
}

func TestRenameIntoAFolderInAnotherSpelling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Guide/One", "x\n")
	w.put("Page", "x\n")
	w.put("Page/Sub", "[[Page]]\n") // which leads there by its name afterwards
	done, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base("Page"), Name: "Page", NewName: "guide/page"})
	if err != nil || wiki.Key(string(done.Name)) != "guide/page" || done.Revision != w.page("Guide/Page").File.Blob || len(done.Updated) != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	if f, err := w.Find(w.t.Context(), w.reader, string(done.Name)); err != nil || f.Path != string(done.Name) {
		t.Errorf("%+v, %v", f, err)
	}
}

// An imported folder may be spelled differently from its page, in another
// number of bytes.
func TestRenameOfAFolderInAnotherSpelling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Straße", "x\n")
	w.put("STRASSE/Sub", "x\n")
	if _, err := w.Rename(w.t.Context(), w.editor, RenameRequest{Precondition: w.base("Straße"), Name: "Straße", NewName: "Road"}); err != nil {
		t.Fatal(err)
	}
	if got := w.paths(); got != "Road.md Road/Sub.md" {
		t.Errorf("got %s", got)
	}
}
