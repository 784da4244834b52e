package api

import "testing"

// POST /revert undoes a session, or one page of it, and lists the changed files.
func TestRevertSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	put := func(role, path, text, revision string) string {
		t.Helper()
		got := w.send(role, "PUT", "ada", "/pages/"+path, object{"content": text, "revision": revision})
		return w.want(got.StatusCode, got).string("revision")
	}
	base := put("ada/owner", "Plan", "one\n\ntwo\n\nthree\n", "")
	changed := put("ada/editor", "Plan", "one\n\nTWO\n\nthree\n", base)
	put("ada/editor", "Extra", "by the agent\n", "")
	put("ada/owner", "Plan", "one\n\nTWO\n\nthree\n\na good line\n", changed)
	history := w.want(200, w.send("ada/owner", "GET", "ada", "/pages/Extra/history", nil))
	commit := history.json["history"].([]any)[0].(object)["commit"].(string)
	revert := func(status int, body object) reply {
		t.Helper()
		return w.want(status, w.send("ada/owner", "POST", "ada", "/revert", body))
	}
	dry := revert(200, object{"session": commit, "dry_run": true})
	if files := dry.json["files"].([]any); len(files) != 2 || dry.string("commit") != "" {
		t.Errorf("%s", dry.text)
	}
	done := revert(200, object{"session": commit, "commit_message": "Not this"})
	if w.want(200, w.send("ada/owner", "GET", "ada", "/pages/Plan", nil)).string("content") != "one\n\ntwo\n\nthree\n\na good line\n" {
		t.Errorf("%s", done.text)
	}
	w.want(404, w.send("ada/owner", "GET", "ada", "/pages/Extra", nil))
	revert(200, object{"commit": done.string("commit")})
	if w.want(200, w.send("ada/owner", "GET", "ada", "/pages/Extra", nil)).string("content") != "by the agent\n" {
		t.Error("the undo wasn't undone")
	}
	revert(200, object{"session": commit, "path": "Extra"})
	revert(422, object{"session": commit, "commit": commit})
	revert(422, object{"commit": commit, "path": "Extra"})
	revert(404, object{"session": commit, "path": "Elsewhere"})
}

// A session with conflicts names all files that have any.
func TestRevertSessionConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var commit string
	for _, path := range []string{"A", "B"} {
		made := w.want(201, w.send("ada/editor", "PUT", "ada", "/pages/"+path, object{"content": "x\n"}))
		commit = made.string("commit")
		w.want(200, w.send("ada/owner", "PUT", "ada", "/pages/"+path, object{"content": "y\n", "revision": made.string("revision")}))
	}
	got := w.want(409, w.send("ada/owner", "POST", "ada", "/revert", object{"session": commit}))
	if files, _ := got.json["files"].([]any); len(files) != 2 {
		t.Errorf("%s", got.text)
	}
}
