package api

import "testing"

// HEAD and If-None-Match ask for a page's revision alone.
func TestRevisionAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := func(method, page string, headers ...string) reply {
		return w.send("ada/editor", method, "ada", "/pages/"+page, nil, headers...)
	}
	tag := w.want(200, ask("GET", "Home")).Header.Get("ETag")
	head := w.want(200, ask("HEAD", "Home"))
	if got := head.Header.Get("ETag"); got != tag || head.text != "" {
		t.Errorf("HEAD: ETag %s, want %s; body %q", got, tag, head.text)
	}
	for _, known := range []string{tag, "W/" + tag, `"abc", ` + tag, "*"} {
		for _, method := range []string{"GET", "HEAD"} {
			same := w.want(304, ask(method, "Home", "If-None-Match", known))
			if same.text != "" || same.Header.Get("ETag") != tag {
				t.Errorf("%s of a known page: ETag %s, body %q", method, same.Header.Get("ETag"), same.text)
			}
		}
	}
	if got := w.want(200, ask("GET", "Home", "If-None-Match", `"abc"`)); got.string("revision") == "" {
		t.Error("a changed page is sent without its text")
	}
	w.want(404, ask("HEAD", "Nowhere"))
	w.want(404, ask("GET", "Nowhere", "If-None-Match", "*"))
	w.want(301, ask("HEAD", "home", "If-None-Match", tag))

	edited := w.want(200, w.send("ada/editor", "PUT", "ada", "/pages/Home", object{"content": "Changed.\n"}, "If-Match", tag))
	if got := w.want(200, ask("GET", "Home", "If-None-Match", tag)); got.string("revision") != edited.string("revision") {
		t.Error("the former revision counts as the newest one")
	}
	w.want(304, ask("GET", "Home", "If-None-Match", edited.Header.Get("ETag")))
}
