package mcpserver

import (
	"strings"
	"testing"
)

// Every parameter that names a page also takes its resource, its address on this
// wiki's host and a link, and refuses addresses of other hosts.
func TestPathForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.save("ada", "ada", "Über/Zwei Wörter", "# Zwei\n\nLead.\n\n## Next Steps\n\nText of the section.\n")
	w.save("ada", "ada", "Plan", "[[Über/Zwei Wörter]]\n")
	w.save("ada", "ada", "C#", "# A language\n")
	const name = "Über/Zwei_Wörter"
	host := w.Origin("ada")
	forms := []string{
		"wiki://page/%C3%9Cber/Zwei_W%C3%B6rter", "wiki://page/Über/Zwei_Wörter", "[[Über/Zwei Wörter]]", "![[Über/Zwei Wörter|so called]]",
		host + "/%C3%9Cber/Zwei_W%C3%B6rter", " " + strings.ToUpper(host) + "/Über/Zwei_Wörter?view=1 ", "https" + strings.TrimPrefix(host, "http") + "/über/zwei_wörter",
	}
	for _, form := range forms {
		for _, tool := range []string{"read_page", "changes", "links", "read_attachment"} {
			if text := w.ok("ada/editor", tool, "path", form); !strings.Contains(strings.ToLower(text), "zwei") && !strings.Contains(text, "Plan") {
				t.Errorf("%s %s: %s", tool, form, text)
			}
		}
		if text := w.ok("ada/editor", "list_pages", "path_prefix", form); !strings.HasPrefix(text, "1 page\n"+name) {
			t.Errorf("list_pages %s: %s", form, text)
		}
		rev := shownRevision(t, w.ok("ada/editor", "read_page", "path", form))
		w.ok("ada/editor", "edit_page", "edits", []any{map[string]any{"op": "append", "path": form, "revision": rev, "text": "More."}})
	}
	withSection := []string{"[[Über/Zwei Wörter#Next Steps]]", "[[Über/Zwei Wörter#Next Steps|there]]", host + "/Über/Zwei_Wörter#Next%20Steps", "wiki://page/Über/Zwei_Wörter#Next Steps", host + "/Über/Zwei_Wörter#user-content-next-steps"}
	for _, form := range withSection {
		if text := w.ok("ada/editor", "read_page", "path", form); !strings.Contains(text, "Text of the section") || strings.Contains(text, "Lead.") {
			t.Errorf("read_page %s: %s", form, text)
		}
		w.fails("names a section", "ada/editor", "changes", "path", form)
	}
	items := append(withSection, forms...)
	if text := w.ok("ada/editor", "read_pages", "items", items); strings.Count(text, "=== "+name) != len(items) {
		t.Errorf("read_pages: %s", text)
	}
	for _, plain := range []string{"C#", host + "/C%23"} {
		if text := w.ok("ada/editor", "read_page", "path", plain); !strings.Contains(text, "A language") {
			t.Errorf("%s: %s", plain, text)
		}
	}
	if text := w.ok("ada/editor", "read_page", "path", host); !strings.HasPrefix(text, "Home @") {
		t.Errorf("the wiki's address: %s", text)
	}
	w.ok("ada/editor", "move_page", "path", "[[C#]]", "new_path", host+"/C_sharp", "revision", shownRevision(t, w.ok("ada/editor", "read_page", "path", "C#")))
	if got := w.source("ada", "C sharp"); got != "# A language\n" {
		t.Errorf("moved: %q", got)
	}
	rev := shownRevision(t, w.ok("ada/editor", "read_page", "path", name))
	move := map[string]any{"op": "move_section", "path": forms[0], "section": "Next Steps", "to": "[[C sharp#A language]]", "revision": rev}
	w.ok("ada/editor", "edit_page", "edits", []any{move})
	if got := w.source("ada", "C sharp"); !strings.Contains(got, "Text of the section") {
		t.Errorf("the section went elsewhere: %q", got)
	}
}

// An address of another host names no page of this wiki.
func TestAddressesOfOtherHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, other := range []string{w.Origin("bob") + "/Home", "https://example.com/Home", w.Origin("ada") + ".example.com/Home", "https://x@" + strings.TrimPrefix(w.Origin("ada"), "http://") + "/Home", "wiki://file/Home", "ftp://ada.robot.localhost/Home"} {
		w.fails("is not an address of this wiki, which is at http://ada.robot.localhost/", "ada/editor", "read_page", "path", other)
		w.fails("Edit 1: ", "ada/editor", "edit_page", "edits", []any{map[string]any{"op": "append", "path": other, "text": "x"}})
		w.fails("is not an address of this wiki", "ada/editor", "create_page", "path", other, "content", "x")
	}
}
