package web

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// Edit pages load the source editor, which must stay small, and has to come with
// the licences of its packages.
func TestSourceEditorIsSmall(t *testing.T) {
	assets, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	editor := assets.byFile[strings.TrimPrefix(assets.byName["editor.min.js"], "/-/static/")]
	if got, limit := len(editor.gz()), 160<<10; got > limit {
		t.Errorf("the source editor has %d bytes compressed; at most %d", got, limit)
	}
	if !strings.Contains(string(editor.plain), "@codemirror/view") || !strings.Contains(string(editor.plain), "Permission is hereby granted") {
		t.Error("the source editor doesn't contain its packages' licences")
	}
}

// Scripts import each other by the addresses of their content.
func TestScriptsImportEachOther(t *testing.T) {
	assets, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	script := string(assets.byFile[strings.TrimPrefix(assets.byName["write.js"], "/-/static/")].plain)
	if want := `from "` + assets.byName["app.js"] + `";`; !strings.Contains(script, want) {
		t.Errorf("write.js doesn't contain %s", want)
	}
	for name, a := range assets.byFile {
		if strings.HasSuffix(name, ".js") && strings.Contains(string(a.plain), `from "./`) {
			t.Errorf("%s imports a script by its name", name)
		}
	}
}

// A page that is read takes at most 30 KB with its stylesheet and scripts, compressed.
func TestPageIsSmall(t *testing.T) {
	t.Parallel()
	const most = 30 << 10
	w := newTestWiki(t)
	w.put("ada", "Small", "---\ntags: [one, two]\n---\n\n"+strings.Repeat("A paragraph of the usual length, with a [[Home|link]] to a page, and *some* words.\n\n## A heading\n\n- one\n- two\n\n```go\nfunc f() {}\n```\n\n", 12))
	reader := w.anonymous()
	reader.header = http.Header{"Accept-Encoding": {"gzip"}}
	total := 0
	for _, address := range append(regexp.MustCompile(`(?:src|href)="(/-/(?:static|accent)/[^"]+\.(?:css|js))"`).FindAllStringSubmatch(w.anonymous().get(on("ada", "/Small")).body, -1), []string{"", "/Small"}) {
		got := reader.get(on("ada", address[1])).want(http.StatusOK)
		if got.header.Get("Content-Encoding") != "gzip" && len(got.body) > 1000 {
			t.Errorf("%s isn't compressed", address[1])
		}
		t.Logf("%6d bytes: %s", len(got.body), address[1])
		total += len(got.body)
	}
	if total > most {
		t.Errorf("%d bytes, at most %d are wanted", total, most)
	}
}
