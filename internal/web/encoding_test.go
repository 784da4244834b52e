package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"robot.wtf/internal/edit"
	"robot.wtf/internal/pages"
)

const (
	latinPage = "# Gr\xfc\xdfe\n\nEin Stra\xdfenwort mit [[\xdcber]] und \x84Zitat\x93.\n"
	widePage  = "\xff\xfeW\x00e\x00i\x00t\x00:\x00 \x00\xe5e,g\x9e\x8a\r\x00\n\x00"
	pointer   = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 2345678\n"
)

func encodedFiles() map[string]string {
	return map[string]string{
		"Home.md": "Home\n", "Latin.md": latinPage, "Wide.md": widePage, "Mixed.md": "gut: Grüße, Köln; schlecht: caf\xe9\n", "Über.md": "x\n",
		"Old.md": "x\n", "Linking.md": "Gr\xfc\xdfe: [[Old]] und [x](Old.md)\n",
		"Pointed.md": pointer, "picture.png": pointer,
	}
}

// stored returns the bytes of a file.
func (w *testWiki) stored(t *testing.T, path string) string {
	t.Helper()
	opened, release, err := w.Content.Open(t.Context(), "dan")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	_, data, err := opened.Read(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A page that isn't UTF-8 shows its text and says so. It stays as it is until an
// editor converts it.
func TestPagesInOtherEncodings(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b, _ := importFiles(t, w, encodedFiles())
	b.get(on("dan", "/Latin")).want(http.StatusOK).has("Grüße", "„Zitat“", "isn&rsquo;t UTF-8", "Windows-1252", "Convert to UTF-8", `href="/%C3%9Cber"`)
	b.get(on("dan", "/Wide")).want(http.StatusOK).has("Weit: 日本語", "UTF-16 LE")
	b.get(on("dan", "/Mixed")).want(http.StatusOK).has("Grüße, Köln; schlecht: café", "may be wrong")
	b.get(on("dan", "/Latin.md")).want(http.StatusOK).has("Grüße")
	b.get(on("dan", "/Latin/source")).want(http.StatusOK).has("Grüße")
	b.get(on("dan", "/Latin/blame")).want(http.StatusOK).has("Grüße")
	b.get(on("dan", "/Home")).want(http.StatusOK).lacks("UTF-8")
	b.get(on("dan", "/%C3%9Cber")).want(http.StatusOK).has("Linked from")
	b.get(on("dan", "/-/search?q=Stra%C3%9Fenwort")).want(http.StatusOK).has("/Latin")
	var page struct{ Content, Encoding string }
	w.apiGet(t)("/api/v1/pages/Latin", &page)
	if !strings.Contains(page.Content, "Grüße") || page.Encoding != "Windows-1252" {
		t.Errorf("the API: %+v", page)
	}
	if got := w.stored(t, "Latin.md"); got != latinPage {
		t.Errorf("reading changed the page to %q", got)
	}

	convert := hiddenValue(t, b.get(on("dan", "/Latin")).body, `name="convert" value="`)
	b.post(on("dan", "/Latin/source"), url.Values{"convert": {strings.Repeat("a", 40)}}).want(http.StatusPreconditionFailed)
	got := b.follow(b.post(on("dan", "/Latin/source"), url.Values{"convert": {convert}}).want(http.StatusSeeOther))
	got.has("Converted to UTF-8", "Grüße").lacks("may be wrong")
	if got := w.stored(t, "Latin.md"); got != "# Grüße\n\nEin Straßenwort mit [[Über]] und „Zitat“.\n" {
		t.Errorf("converted to %q", got)
	}
	b.get(on("dan", "/Latin/history")).want(http.StatusOK).has("Convert Latin from Windows-1252 to UTF-8")
	b.get(on("dan", "/Latin/blame")).want(http.StatusOK)
}

// Editing a page that isn't UTF-8 converts it, says so before, and replaces no
// character.
func TestEditingOtherEncodings(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b, _ := importFiles(t, w, encodedFiles())
	form := b.get(on("dan", "/Wide/edit")).want(http.StatusOK).has("Saving converts it to UTF-8", "日本語")
	revision := hiddenValue(t, form.body, `name="revision" value="`)
	b.post(on("dan", "/Wide/save"), url.Values{"content": {"Weit: 日本語\r\nneu\r\n"}, "revision": {revision}}).want(http.StatusSeeOther)
	if got := w.stored(t, "Wide.md"); got != "Weit: 日本語\r\nneu\r\n" {
		t.Errorf("the form saved %q", got)
	}

	a := w.Access("dan", "dan")
	src, err := w.Pages.Source(t.Context(), a, "Latin", "")
	if err != nil || !strings.Contains(src.Text, "Grüße") {
		t.Fatal(src, err)
	}
	if _, err := w.Pages.ApplyEdits(t.Context(), a, pages.EditRequest{Name: "Latin", Base: src.File.Blob, Edits: []edit.Edit{{Op: edit.Replace, Old: "Ein Straßenwort", Text: "Kein Straßenwort"}}}); err != nil {
		t.Fatal(err)
	}
	if got := w.stored(t, "Latin.md"); got != "# Grüße\n\nKein Straßenwort mit [[Über]] und „Zitat“.\n" {
		t.Errorf("the edit saved %q", got)
	}

	// A rename that updates links isn't an edit: the page keeps its encoding.
	old, err := w.Pages.Source(t.Context(), a, "Old", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Pages.Rename(t.Context(), a, pages.RenameRequest{Precondition: pages.Precondition{Base: old.File.Blob}, Name: "Old", NewName: "Nägel"}); err != nil {
		t.Fatal(err)
	}
	if got := w.stored(t, "Linking.md"); got != "Gr\xfc\xdfe: [[N\xe4gel]] und [x](N%C3%A4gel.md)\n" {
		t.Errorf("the rename saved %q", got)
	}
}

// Files of Git LFS say that only their pointers are here.
func TestPointersOfGitLFS(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	b, _ := importFiles(t, w, encodedFiles())
	b.get(on("dan", "/Pointed")).want(http.StatusOK).has("Git LFS", "2.2 MB")
	plain := b.get(on("dan", "/picture.png")).want(http.StatusOK)
	if plain.body != pointer || !strings.HasPrefix(plain.header.Get("Content-Type"), "text/plain") {
		t.Errorf("%v %q", plain.header, plain.body)
	}
	b.get(on("dan", "/picture.png?thumbnail=80")).want(http.StatusOK).has("<svg", "Git LFS")
	b.get(on("dan", "/-/attachments")).want(http.StatusOK)
	b.header.Set("Sec-Fetch-Dest", "image")
	shown := b.get(on("dan", "/picture.png")).want(http.StatusOK).has("<svg", "picture.png", "Git LFS")
	if shown.header.Get("Content-Type") != "image/svg+xml" || !strings.Contains(strings.Join(shown.header["Vary"], ","), "Sec-Fetch-Dest") {
		t.Errorf("%v", shown.header)
	}
}

// hiddenValue returns the part of a page between a text and the next quote.
func hiddenValue(t *testing.T, page, after string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, after)
	if !ok {
		t.Fatalf("no %q", after)
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
