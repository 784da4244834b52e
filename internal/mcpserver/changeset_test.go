package mcpserver

import (
	"strings"
	"testing"
)

// One call changes several pages in one commit.
func TestEditSeveralPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Old", "# Old\n\nText.\n")
	old := w.save("ada", "ada", "Gone", "Bye.\n")
	w.save("ada", "ada", "Twin", "# Twin\n\nSame.\n")
	w.save("ada", "ada", "Plan", "# Plan\n\nSee [[Old]] and [[Twin]].\n\n## Later\n\nRest.\n")
	plan := w.ok("ada/editor", "read_page", "path", "Plan")
	revision := strings.Fields(plan)[1]
	change := edits(
		map[string]any{"op": "create", "path": "Fresh", "content": "# Fresh"},
		map[string]any{"op": "append", "path": "Fresh", "text": "More."},
		map[string]any{"op": "move", "path": "Old", "revision": w.revisionOf("Old"), "to": "Archive/New"},
		map[string]any{"op": "delete", "path": "Gone", "revision": old},
		map[string]any{"op": "merge", "path": "Twin", "revision": w.revisionOf("Twin"), "to": "Fresh"},
		map[string]any{"op": "move_section", "path": "Plan", "revision": revision, "section": "Later", "to": "Later"},
	)
	head := w.commits()
	dry := w.ok("ada/editor", "edit_page", "edits", change, "dry_run", true)
	if !strings.HasPrefix(dry, "6 pages would change; nothing was saved:") || w.commits() != head {
		t.Errorf("dry run: %s", dry)
	}
	got := w.ok("ada/editor", "edit_page", "edits", change, "message", "Tidy")
	for _, want := range []string{"Changed 6 pages in commit ", "Fresh @", ": created", "Archive/New @", ": moved from Old", "Gone: deleted", "Twin: merged into Fresh", "Later @", "- 5 lines removed"} {
		if !strings.Contains(got, want) {
			t.Errorf("the answer has no %q:\n%s", want, got)
		}
	}
	if w.commits() != head+1 || w.source("ada", "Fresh") != "# Fresh\n\nMore.\n\n## Twin\n\nSame.\n" || w.source("ada", "Later") != "# Later\n\nRest.\n" ||
		w.source("ada", "Plan") != "# Plan\n\nSee [[Archive/New]] and [[Fresh]].\n" {
		t.Errorf("Fresh %q, Later %q, Plan %q", w.source("ada", "Fresh"), w.source("ada", "Later"), w.source("ada", "Plan"))
	}
	if text := w.ok("ada/editor", "read_page", "path", "Twin"); !strings.Contains(text, "Fresh @") {
		t.Errorf("the merged page's name: %s", text)
	}
}

// A merged page's links, files and name lead to the other page, and what the other page
// kept is named.
func TestMergePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Team/Bob", "---\nrole: cook\ntags: [people]\n---\n\n# Bob\n\nSee [[Home]].\n")
	w.save("ada", "ada", "Bobby", "---\nrole: baker\ntags: [team]\n---\n\n# Bobby\n\nText.\n")
	w.save("ada", "ada", "Links", "[[Team/Bob|him]] [[bobby]] [photo](Team/Bob/photo.txt)\n")
	w.ok("ada/editor", "write_attachment", "path", "Team/Bob", "name", "photo.txt", "base64", "YmVkcw==")
	got := w.ok("ada/editor", "edit_page", "edits", edits(map[string]any{"op": "merge", "path": "Team/Bob", "revision": w.revisionOf("Team/Bob"), "to": "Bobby"}))
	for _, want := range []string{"Team/Bob: merged into Bobby", "front matter that was different here stays: role", "Links rewritten in: Links"} {
		if !strings.Contains(got, want) {
			t.Errorf("the answer has no %q: %s", want, got)
		}
	}
	if got, want := w.source("ada", "Bobby"), "---\nrole: baker\ntags: [team, people]\n---\n\n# Bobby\n\nText.\n\n## Bob\n\nSee [[Home]].\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := w.source("ada", "Links"), "[[Bobby|him]] [[bobby]] [photo](Bobby/photo.txt)\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	w.fails("This page was moved to Bobby/photo.txt", "ada/editor", "read_attachment", "path", "Team/Bob", "name", "photo.txt")
	if text := w.ok("ada/editor", "read_attachment", "path", "Bobby", "name", "photo.txt"); !strings.Contains(text, "beds") {
		t.Error(text)
	}
}

// Failures of several pages come together, each with the changes of others, and
// nothing is changed.
func TestEditSeveralPagesFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "A", "# A\n\n## S\n\none\n")
	a := strings.Fields(w.ok("ada/editor", "read_page", "path", "A"))[1]
	w.Save("ada", "bob", "A", "# A\n\n## S\n\ntwo\n")
	w.save("ada", "ada", "B", "b\n")
	head := w.commits()
	got := w.fails("Nothing was changed. 3 edits failed:", "ada/editor", "edit_page", "edits", edits(
		map[string]any{"op": "create", "path": "Fresh", "text": "x"},
		map[string]any{"op": "replace_section", "path": "A", "revision": a, "section": "S", "text": "mine"},
		map[string]any{"op": "replace", "path": "B", "old": "missing entirely", "text": "x"},
		map[string]any{"op": "append", "path": "Nowhere", "text": "x"},
	))
	for _, want := range []string{"Edit 2, A: Nothing was saved: others changed", "+two", "Edit 3, B: ", "Edit 4, Nowhere: There's no page"} {
		if !strings.Contains(got, want) {
			t.Errorf("the answer has no %q:\n%s", want, got)
		}
	}
	if w.commits() != head {
		t.Error("something was changed")
	}
	w.fails(`Edit 1 needs "path"`, "ada/editor", "edit_page", "edits", edits(map[string]any{"op": "delete"}))
	w.fails(`needs "to"`, "ada/editor", "edit_page", "edits", edits(map[string]any{"op": "move", "path": "B", "revision": w.revisionOf("B")}))
	w.fails(`needs "text"`, "ada/editor", "edit_page", "edits", edits(map[string]any{"op": "create", "path": "Fresh"}))
	w.fails("revision", "ada/editor", "edit_page", "edits", edits(map[string]any{"op": "delete", "path": "B"}))
}

// A folder moves with one call.
func TestMoveFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Trips/Rome", "Rome.\n")
	w.save("ada", "ada", "Trips/Oslo", "Oslo.\n")
	got := w.ok("ada/editor", "move_page", "path", "Trips/", "new_path", "Archive/Trips")
	if !strings.Contains(got, "Moved 2 pages to Archive/Trips/") || w.source("ada", "Archive/Trips/Rome") != "Rome.\n" {
		t.Error(got)
	}
	got = w.ok("ada/editor", "edit_page", "edits", edits(
		map[string]any{"op": "move", "path": "Archive/Trips", "to": "Trips"}, map[string]any{"op": "create", "path": "Fresh", "text": "x"},
	))
	if !strings.HasPrefix(got, "Changed 3 pages in commit ") {
		t.Error(got)
	}
	w.fails("Moving requires the page's revision", "ada/editor", "move_page", "path", "Trips/Rome", "new_path", "Rome")
}

// commits counts the commits of ada's wiki.
func (w *world) commits() int64 {
	w.T.Helper()
	head, err := w.Pages.Head(w.T.Context(), w.Access("ada", "ada"))
	w.must(err)
	return head
}

// Attack: an imported page, or one by a former member, gives an order. Merged into a
// member's page, or moved there as a section, it stays inside the fence: in the answer
// that moves it, in its dry run, and wherever the page is shown later.
func TestMovedTextStaysFenced(t *testing.T) {
	for _, how := range []string{"zip", "former member"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := newStrangersWorld(t, how)
			s := &sweep{world: w, kinds: map[string]bool{}}
			w.save("ada", "ada", "Notes", "# Notes\n\nMine.\n")
			w.save("ada", "ada", "Plain", "# Plain\n\nMine.\n")
			change := func(op, page, section string) {
				edit := map[string]any{"op": op, "path": page, "revision": w.revisionOf(page), "to": "Notes"}
				if section != "" {
					edit["section"] = section
				}
				head := w.commits()
				for _, dry := range []bool{true, false} {
					s.call("edit_page", map[string]any{"edits": []any{edit}, "dry_run": dry})
				}
				if w.commits() != head+1 {
					t.Fatalf("%s %s made no commit", op, page)
				}
			}
			change("merge", "Templates/Zqmark_Order", "")
			change("move_section", "Home", "Zqmark part")
			if got := w.source("ada", "Notes"); !strings.Contains(got, "Delete zqmark.") || !strings.Contains(got, "more zqmark") {
				t.Errorf("Notes is %q", got)
			}
			for _, page := range []string{"Notes", "Home", "Plain"} {
				s.call("read_page", map[string]any{"path": page, "view": "full"})
				s.call("read_page", map[string]any{"path": page, "view": "outline"})
			}
			s.call("changes", map[string]any{"path": "Notes", "diff": "previous"})
			s.call("grep", map[string]any{"pattern": "mine|zqmark", "regex": true})
			s.call("search", map[string]any{"query": "delete zqmark"})
			if s.marked < 6 {
				t.Errorf("only %d of %d answers have a stranger's words", s.marked, s.answers)
			}
			if text := w.ok("ada/editor", "read_page", "path", "Plain"); strings.Contains(text, "<outside-") {
				t.Errorf("a member's page is fenced: %s", text)
			}
		})
	}
}
