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
