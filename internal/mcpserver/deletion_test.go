package mcpserver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// lastLines are the lines of a reply after its first one.
func lastLines(text string) []string { return strings.Split(text, "\n")[1:] }

// A deletion says what went with the page, what stayed and which links broke.
func TestDeletionSaysWhatItTouched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Plots/Garden/Beds", "# Beds\n")
	w.save("ada", "ada", "Year", "See [[plots/garden]].\n")
	w.save("ada", "ada", "Photos", "[Photo](/Plots/Garden/photo.txt)\n")
	w.save("ada", "ada", "Shed", "See [[Plots/Shed]] and [[Nowhere]].\n")
	w.save("ada", "ada", "Plots/Garden", "# Garden\n\n![[plan.txt]] [[Plots/Garden]]\n")
	for _, name := range []string{"plan.txt", "photo.txt"} {
		w.ok("ada/editor", "write_attachment", "path", "Plots/Garden", "name", name, "base64", "YmVkcw==")
	}
	remove := func(args ...any) []string {
		rev := shownRevision(t, w.ok("ada/editor", "read_page", "path", "Plots/Garden"))
		return lastLines(w.ok("ada/editor", "delete_page", append(args, "path", "Plots/Garden", "revision", rev)...))
	}
	file := shownRevision(t, w.ok("ada/editor", "read_attachment", "path", "Plots/Garden", "name", "photo.txt"))
	one := lastLines(w.ok("ada/editor", "delete_page", "path", "Plots/Garden", "name", "photo.txt", "revision", file))
	if want := []string{"Broken links are now on: Photos"}; !slices.Equal(one, want) {
		t.Errorf("the file: got %q, want %q", one, want)
	}
	want := []string{"Attachments deleted too: Plots/Garden/plan.txt", "Pages below stay: Plots/Garden/Beds", "Broken links are now on: Year"}
	if got := remove(); !slices.Equal(got, want) {
		t.Errorf("the page: got %q, want %q", got, want)
	}
	for i := range maxNamed + 3 {
		w.save("ada", "ada", fmt.Sprintf("Linking %02d", i), "[[Alone]]\n")
	}
	w.save("ada", "ada", "Alone", "# Alone\n")
	edits := []any{map[string]any{"op": "delete", "path": "Alone", "revision": shownRevision(t, w.ok("ada/editor", "read_page", "path", "Alone"))}}
	planned := w.ok("ada/editor", "edit_page", "edits", edits, "dry_run", true)
	if !strings.Contains(planned, "\nLinks would break on: Linking_00, ") || !strings.HasSuffix(planned, "Linking_09 and 3 more") {
		t.Errorf("a dry run: %s", planned)
	}
	text := w.ok("ada/editor", "edit_page", "edits", edits)
	if !strings.Contains(text, "\nBroken links are now on: Linking_00, ") || !strings.HasSuffix(text, "Linking_09 and 3 more") {
		t.Errorf("in a set of changes: %s", text)
	}
	w.save("ada", "ada", "Alone", "# Alone\n")
	w.save("ada", "ada", "Other", "# Other\n")
	merge := []any{map[string]any{"op": "merge", "path": "Alone", "to": "Other", "revision": shownRevision(t, w.ok("ada/editor", "read_page", "path", "Alone"))}}
	if text := w.ok("ada/editor", "edit_page", "edits", merge); strings.Contains(text, "Broken") {
		t.Errorf("a merge breaks no links: %s", text)
	}
	w.save("ada", "ada", "Leaf", "# Leaf\n")
	rev := shownRevision(t, w.ok("ada/editor", "read_page", "path", "Leaf"))
	if got := lastLines(w.ok("ada/editor", "delete_page", "path", "Leaf", "revision", rev)); len(got) > 0 {
		t.Errorf("nothing else was touched, but: %q", got)
	}
}

// A dry run says about a deletion what the answer says when it is done, with the links
// and names that the other edits leave.
func TestDryRunOfDeletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Garden", "# Garden\n")
	w.save("ada", "ada", "Garden/Beds", "# Beds\n")
	w.save("ada", "ada", "Year", "See [[Garden]].\n")
	w.save("ada", "ada", "Month", "See [[Garden]].\n")
	w.save("ada", "ada", "Week", "See [[Garden]].\n")
	w.ok("ada/editor", "write_attachment", "path", "Garden", "name", "plan.txt", "base64", "YmVkcw==")
	set := edits(
		map[string]any{"op": "delete", "path": "Garden", "revision": w.revisionOf("Garden")},
		map[string]any{"op": "move", "path": "Month", "revision": w.revisionOf("Month"), "to": "Moon"},
		map[string]any{"path": "Week", "old": "See [[Garden]].", "text": "None."},
		map[string]any{"op": "create", "path": "Day", "text": "Not in the [[Garden]]."},
	)
	tail := func(text string) string { return strings.Join(lastLines(text), "\n") }
	planned := tail(w.ok("ada/editor", "edit_page", "edits", set, "dry_run", true))
	done := tail(w.ok("ada/editor", "edit_page", "edits", set))
	for now, would := range map[string]string{
		"Attachments deleted too: Garden/plan.txt": "Attachments to be deleted too: Garden/plan.txt",
		"Pages below stay: Garden/Beds":            "Pages below would stay: Garden/Beds",
		"Broken links are now on: ":                "Links would break on: ",
	} {
		if !strings.Contains(planned, would) || !strings.Contains(done, now) {
			t.Errorf("no %q in %s, or no %q in %s", would, planned, now, done)
		}
	}
	names := func(text, after string) []string {
		_, list, _ := strings.Cut(text, after)
		list, _, _ = strings.Cut(list, "\n")
		return slices.Sorted(slices.Values(strings.Split(list, ", ")))
	}
	want := []string{"Day", "Moon", "Year"}
	if got := names(planned, "Links would break on: "); !slices.Equal(got, want) {
		t.Errorf("planned %q, want %q", got, want)
	}
	if got := names(done, "Broken links are now on: "); !slices.Equal(got, want) {
		t.Errorf("done %q, want %q", got, want)
	}
}

// An edit of several pages says which links its new pages take over from others, before
// and after it is made.
func TestNewPagesTakeLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "G/Plum", "x\n")
	w.save("ada", "ada", "F/Here", "# Here\n\n## Pear\n\nText.\n")
	w.save("ada", "ada", "F/There", "A [[Plum]] and a [[Pear]].\n")
	w.save("ada", "ada", "G/Pear", "x\n")
	set := edits(map[string]any{"op": "create", "path": "F/Plum", "text": "Mine."},
		map[string]any{"op": "move_section", "path": "F/Here", "section": "Pear", "to": "F/Pear", "revision": w.revisionOf("F/Here")})
	for _, test := range []struct {
		dry  bool
		want string
	}{{true, "\nLinks would then lead to new pages instead of to: G/Plum, G/Pear"}, {false, "\nLinks now lead to new pages instead of to: G/Plum, G/Pear"}} {
		if text := w.ok("ada/editor", "edit_page", "edits", set, "dry_run", test.dry); !strings.Contains(text, test.want) {
			t.Errorf("dry run %t: %s", test.dry, text)
		}
	}
}
