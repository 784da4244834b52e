package web

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"robot.wtf/internal/testworld"
)

var exportedFormats = []string{"markdown", "site"}

// zipText returns the names and contents of a zip.
func zipText(t *testing.T, data []byte) string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(f.Name + "\n" + string(text) + "\n")
	}
	return all.String()
}

func TestExportPage(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	reader := w.anonymous()
	reader.get(on("ada", "/Home")).has(`href="/-/export"`)
	w.as("ada").get(on("ada", "/-/settings")).has(`href="/-/export"`)
	reader.get(on("ada", "/-/export")).want(http.StatusOK).has("Take it with you", `href="/-/export/markdown"`, `href="/-/export/bundle"`, "git clone", " unpacked</span>", `num">about `)
	got := reader.get(on("ada", "/-/export/markdown")).want(http.StatusOK)
	if kind, file := got.header.Get("Content-Type"), got.header.Get("Content-Disposition"); kind != "application/zip" || file != `attachment; filename="ada-markdown.zip"` {
		t.Errorf("sent as %s, %s", kind, file)
	}
	if text := zipText(t, []byte(got.body)); !strings.Contains(text, "ada/Home.md\n") {
		t.Errorf("the zip has %.200s", text)
	}
	if head := reader.send(http.MethodHead, on("ada", "/-/export/markdown"), nil).want(http.StatusOK); head.body != "" || head.header.Get("Content-Type") != "application/zip" {
		t.Errorf("HEAD: %q %v", head.body, head.header)
	}
	reader.get(on("ada", "/-/export/docx")).want(http.StatusNotFound).has("no export format")
	bundle := reader.get(on("ada", "/-/export/bundle")).want(http.StatusOK).has("# v2 git bundle\n")
	sizes := []string{fmt.Sprintf(`num">%s</span>`, humanBytes(int64(len(got.body)))), fmt.Sprintf(`num">%s</span>`, humanBytes(int64(len(bundle.body))))}
	reader.get(on("ada", "/-/export")).want(http.StatusOK).has(sizes...)
	w.put("ada", "New", "text")
	reader.get(on("ada", "/-/export")).want(http.StatusOK).has(strings.Replace(sizes[0], "num\">", "num\">about ", 1))
}

// Attack: a user without read access downloads a wiki, or finds another
// wiki's pages, another person's draft or the members in an export.
func TestExportsHaveNothingPrivate(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	if err := w.Pages.SaveDraft(t.Context(), w.Access("bob", "bob"), "Home", []byte("draftcanary"), "", ""); err != nil {
		t.Fatal(err)
	}
	if err := w.Pages.SaveDraft(t.Context(), w.Access("ada", "bob"), "Home", []byte("draftcanary"), "", ""); err != nil {
		t.Fatal(err)
	}
	for _, format := range append(exportedFormats, "bundle") {
		for _, name := range []string{"", "ada", "dan"} {
			got := w.as(name).get(on("bob", "/-/export/"+format))
			if got.status == http.StatusOK || strings.Contains(got.body, testworld.Canary) {
				t.Errorf("%q gets %d: %.200s", name, got.status, got.body)
			}
		}
	}
	for _, format := range exportedFormats {
		for slug, secret := range map[string]bool{"ada": false, "bob": true} {
			text := zipText(t, []byte(w.as("cleo").get(on(slug, "/-/export/"+format)).want(http.StatusOK).body))
			if strings.Contains(text, testworld.Canary) != secret {
				t.Errorf("%s of %s: has the canary: %v", format, slug, !secret)
			}
			for _, private := range []string{"draftcanary", "did:plc:", "ada.test", "bob.test"} {
				if strings.Contains(text, private) {
					t.Errorf("%s of %s has %q", format, slug, private)
				}
			}
		}
	}
}

// A client that falls behind is cut off; time without data to send doesn't count.
func TestPacedWriter(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	p := &pacedWriter{ResponseWriter: w, control: http.NewResponseController(w), left: downloadStart}
	if _, err := p.Write(make([]byte, 2*slowestDownload)); err != nil {
		t.Fatal(err)
	}
	if p.left < downloadStart+1900e6 || p.left > downloadStart+2000e6 {
		t.Errorf("%v left", p.left)
	}
	p.left = 0
	if _, err := p.Write(nil); err == nil {
		t.Error("a slow client goes on")
	}
}
