package web

import (
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
