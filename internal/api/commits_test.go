package api

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Edits of several pages are one commit, in the dry run none.
func TestCommitSeveralPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	home := w.want(200, w.send("none", "GET", "ada", "/pages/Home", nil)).string("revision")
	body := object{"commit_message": "Tidy up", "dry_run": true, "edits": []any{
		object{"op": "create", "path": "Fresh", "text": "New.\n"},
		object{"op": "append", "path": "Fresh", "text": "- more"},
		object{"op": "move", "path": "Home", "revision": home, "to": "Start"},
	}}
	dry := w.want(200, w.send("ada/editor", "POST", "ada", "/commits", body))
	if dry.string("commit") != "" || len(dry.json["pages"].([]any)) != 2 {
		t.Errorf("dry run: %s", dry.text)
	}
	w.want(404, w.send("none", "GET", "ada", "/pages/Fresh", nil))
	body["dry_run"] = false
	done := w.want(200, w.send("ada/editor", "POST", "ada", "/commits", body))
	fresh := w.want(200, w.send("none", "GET", "ada", "/pages/Fresh", nil))
	if commit := fresh.json["last_commit"].(object)["commit"]; done.string("commit") == "" || commit != done.string("commit") || fresh.json["last_commit"].(object)["message"] != "Tidy up" {
		t.Errorf("%s\n%s", done.text, fresh.text)
	}
	if got := w.want(200, w.send("none", "GET", "ada", "/pages/Start", nil)); got.string("revision") != home {
		t.Errorf("the moved page: %s", got.text)
	}
}

// All failures are reported, and nothing is changed.
func TestCommitReportsAllFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.want(422, w.send("ada/editor", "POST", "ada", "/commits", object{"edits": []any{
		object{"op": "replace", "path": "Home", "old": "not there at all", "text": "x"},
		object{"op": "create", "path": "Fresh", "text": "x"},
		object{"op": "delete", "path": "Nowhere"},
	}}))
	failures, _ := got.json["errors"].([]any)
	if len(failures) != 2 || failures[0].(object)["path"] != "Home" || failures[1].(object)["edit"] != 2.0 || failures[1].(object)["status"] != 404.0 {
		t.Errorf("%s", got.text)
	}
	w.want(404, w.send("none", "GET", "ada", "/pages/Fresh", nil))
	for _, bad := range []object{{"op": "replace", "path": "Home", "old": "x"}, {"op": "create", "text": "x"}, {"op": "explode", "path": "Home", "text": "x"}} {
		w.want(422, w.send("ada/editor", "POST", "ada", "/commits", object{"edits": []any{bad}}))
	}
	w.want(403, w.send("ada/viewer", "POST", "ada", "/commits", object{"edits": []any{object{"op": "create", "path": "Fresh", "text": "x"}}}))
}

// The answer names the keys of a merged page's front matter that have another value on
// the page it was merged into.
func TestCommitNamesKeptKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create := func(path, text string) string {
		w.want(200, w.send("ada/editor", "POST", "ada", "/commits", object{"edits": []any{object{"op": "create", "path": path, "text": text}}}))
		return w.want(200, w.send("ada/editor", "GET", "ada", "/pages/"+path, nil)).string("revision")
	}
	create("Into", "---\ntags: [a]\nstatus: new\n---\n")
	from := create("From", "---\ntags: [b]\nstatus: old\n---\n\nText.\n")
	done := w.want(200, w.send("ada/editor", "POST", "ada", "/commits", object{"edits": []any{object{"op": "merge", "path": "From", "revision": from, "to": "Into"}}}))
	var kept []any
	for _, p := range done.json["pages"].([]any) {
		if p.(object)["path"] == "Into" {
			kept, _ = p.(object)["kept_keys"].([]any)
		}
	}
	if len(kept) != 1 || kept[0] != "status" {
		t.Errorf("%s", done.text)
	}
}

// A dry run tells which links would lead nowhere or elsewhere, and the commit tells which
// do. So does the deletion of one page.
func TestCommitTellsOfChangedLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	put := func(path, text string) {
		w.want(201, w.send("ada/editor", "PUT", "ada", "/pages/"+path, object{"content": text}))
	}
	revision := func(path string) string {
		return w.want(200, w.send("ada/editor", "GET", "ada", "/pages/"+path, nil)).string("revision")
	}
	put("Gone", "x\n")
	put("F/Twin", "x\n")
	put("G/Twin", "x\n")
	put("G/Plum", "x\n")
	put("F/Here", "[[Gone]] [[gone]] [[Twin]] [[Plum]]\n")
	put("Other", "[[Gone]]\n")
	links := func(got reply) object {
		t.Helper()
		list := object{}
		for _, key := range []string{"diverted", "dead_links", "dead_links_on"} {
			if v, ok := got.json[key]; ok {
				list[key] = v
			}
		}
		return list
	}
	body := object{"dry_run": true, "edits": []any{
		object{"op": "delete", "path": "Gone", "revision": revision("Gone")},
		object{"op": "delete", "path": "F/Twin", "revision": revision("F/Twin")},
		object{"op": "create", "path": "F/Plum", "text": "x\n"},
		object{"op": "replace", "path": "Other", "old": "[[Gone]]", "text": "none"},
	}}
	diverted := func(from, to string) object { return object{"from": from, "to": to, "links": 1.0} }
	want := object{"dead_links": 2.0, "dead_links_on": []any{"F/Here"}, "diverted": []any{diverted("F/Twin", "G/Twin"), diverted("G/Plum", "F/Plum")}}
	for _, dry := range []bool{true, false} {
		body["dry_run"] = dry
		if diff := cmp.Diff(want, links(w.want(200, w.send("ada/editor", "POST", "ada", "/commits", body)))); diff != "" {
			t.Errorf("dry run %t: %s", dry, diff)
		}
	}
	put("Alone", "x\n")
	put("Last", "[[Alone]]\n")
	one := w.want(200, w.send("ada/editor", "DELETE", "ada", "/pages/Alone", object{"revision": revision("Alone")}))
	if diff := cmp.Diff(object{"dead_links": 1.0, "dead_links_on": []any{"Last"}}, links(one)); diff != "" {
		t.Errorf("one page: %s", diff)
	}
}
