package web

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// A part is a field of a form with files.
type part struct{ field, file, data string }

// send posts a multipart form, as a browser does.
func (b *browser) sendFiles(address string, parts ...part) *answer {
	b.w.T.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, p := range parts {
		var err error
		if p.file == "" {
			err = form.WriteField(p.field, p.data)
		} else if w, failed := form.CreateFormFile(p.field, p.file); failed == nil {
			_, err = w.Write([]byte(p.data))
		}
		if err != nil {
			b.w.T.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		b.w.T.Fatal(err)
	}
	r := httptest.NewRequestWithContext(b.w.T.Context(), http.MethodPost, address, &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Origin", "http://"+r.Host)
	r.Header.Set("Accept", "text/html")
	for name, values := range b.header {
		r.Header[name] = values
	}
	return b.do(r)
}

func testJPEG(t testing.TB) string {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 20, 10)), nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func testGIF(t testing.TB) string {
	var b bytes.Buffer
	if err := gif.Encode(&b, image.NewPaletted(image.Rect(0, 0, 20, 10), palette.Plan9), nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Attack: an uploaded file whose name or content makes a browser run script in the
// wiki's origin. Every file must be served inert: no type sniffing, a separate
// origin that can load nothing, and only pictures, text and PDF shown inline.
func TestAttachmentsAreInert(t *testing.T) {
	t.Parallel()
	const script = `<script>alert(document.domain)</script>`
	const svg = `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>`
	png, jpg, gif := string(testPNG(t)), testJPEG(t), testGIF(t)
	webp := "RIFF\x24\x00\x00\x00WEBPVP8 \x18\x00\x00\x00"
	const octets, text = "application/octet-stream", "text/plain; charset=utf-8"
	w := newTestWiki(t)
	bob, stranger := w.as("bob"), w.anonymous()
	for _, c := range []struct {
		name, data, kind string
		inline           bool
	}{
		{"page.html", script, octets, false},
		{"other.HTM", script, octets, false},
		{"page.xhtml", `<html xmlns="http://www.w3.org/1999/xhtml">` + script + `</html>`, octets, false},
		{"page.xht", `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">` + script + `</html>`, octets, false},
		{"page.shtml", script, octets, false},
		{"page.mht", "MIME-Version: 1.0\nContent-Type: text/html\n\n" + script, text, true},
		{"page.hta", script, octets, false},
		{"page.xml", `<?xml version="1.0"?><x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>`, octets, false},
		{"page.xsl", `<?xml version="1.0"?><xsl:stylesheet/>`, octets, false},
		{"page.rdf", `<?xml version="1.0"?><rdf/>`, octets, false},
		{"page.svg", svg, "image/svg+xml", false},
		{"page.svgz", svg, "image/svg+xml", false},
		{"other.SVG", svg, "image/svg+xml", false},
		{"svg.txt", svg, "image/svg+xml", false},
		{"svg.png", svg, "image/svg+xml", false},
		{"svg", "   \n<!-- x -->" + svg, "", false},
		{"html.png", script, octets, false},
		{"html.jpg", "<!doctype html>" + script, octets, false},
		{"html.gif", "  \n<html>" + script, octets, false},
		{"html.txt", script, octets, false},
		{"html.pdf", script, octets, false},
		{"html.csv", script, octets, false},
		{"html.json", script, octets, false},
		{"html", script, octets, false},
		{"html.unknown", script, octets, false},
		{"late.txt", strings.Repeat("x", 600) + script, text, true},
		{"late.png", strings.Repeat(" ", 2000) + script, "", false},
		{"quoted.txt", `"` + script, text, true},
		{"utf16.txt", "\xff\xfe<\x00s\x00c\x00r\x00i\x00p\x00t\x00>\x00", "", true},
		{"utf7.txt", "+ADw-script+AD4-alert(1)+ADw-/script+AD4-", text, true},
		{"bom.txt", "\xef\xbb\xbf" + script, "", true},
		{"polyglot.png", png + script, "image/png", true},
		{"polyglot.html", png + script, octets, false},
		{"polyglot.gif", gif + script, "image/gif", true},
		{"polyglot.js", "GIF89a=1;alert(1)//" + script, "image/gif", true},
		{"polyglot.jpg", jpg + script, "image/jpeg", true},
		{"polyglot.svg", png + svg, "image/svg+xml", false},
		{"picture.png", png, "image/png", true},
		{"picture.jpg", jpg, "image/jpeg", true},
		{"picture.jpeg", jpg, "image/jpeg", true},
		{"picture.gif", gif, "image/gif", true},
		{"picture.webp", webp, "image/webp", true},
		{"picture", png, "image/png", true},
		{"picture.bmp", "BM\x00\x00\x00\x00", octets, false},
		{"picture.ico", "\x00\x00\x01\x00", octets, false},
		{"picture.avif", "\x00\x00\x00\x1cftypavif", octets, false},
		{"paper.pdf", "%PDF-1.7\n", "application/pdf", true},
		{"other.PDF", "%PDF-1.7\n" + script, "application/pdf", true},
		{"fake.pdf", "MZ\x90\x00", octets, false},
		{"code.js", "alert(1)", octets, false},
		{"code.mjs", "alert(1)", octets, false},
		{"code.css", "*{background:url(//evil.example)}", octets, false},
		{"code.wasm", "\x00asm\x01\x00\x00\x00", octets, false},
		{"code.swf", "FWS\x09\x00", octets, false},
		{"code.jar", "PK\x03\x04", octets, false},
		{"code.exe", "MZ\x90\x00", octets, false},
		{"data.zip", "PK\x03\x04", octets, false},
		{"data.docx", "PK\x03\x04", octets, false},
		{"data.gz", "\x1f\x8b\x08", octets, false},
		{"data.json", `{"a": 1}`, text, true},
		{"data.csv", "a,b\n=cmd|' /C calc'!A0,1\n", text, true},
		{"data.yaml", "a: 1\n", text, true},
		{"data.txt", "Ümlaut\n", text, true},
		{"data.ics", "BEGIN:VCALENDAR", text, true},
		{"data.vcf", "BEGIN:VCARD", text, true},
		{"data.bin", "\x00\x01\x02\x03", octets, false},
		{"data.empty", "", "", true},
		{"sound.mp3", "ID3\x03", "audio/mpeg", false},
		{"film.mp4", "\x00\x00\x00\x18ftypmp42", "video/mp4", false},
		{"film.webm", "\x1aE\xdf\xa3", "video/webm", false},
		{"desktop.url", "[InternetShortcut]\nURL=javascript:alert(1)", text, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bob.sendFiles(on("ada", "/Home/attachments"), part{"file", c.name, c.data}).want(http.StatusSeeOther)
			for _, path := range []string{"/Home/" + c.name, "/Home/a/" + c.name} {
				got := stranger.get(on("ada", path)).want(http.StatusOK)
				if got.body != c.data {
					t.Errorf("the bytes have changed: %.60q", got.body)
				}
				head := got.header
				if policy := head.Get("Content-Security-Policy"); policy != "sandbox; default-src 'none'" {
					t.Errorf("policy %q", policy)
				}
				if head.Get("X-Content-Type-Options") != "nosniff" {
					t.Error("its type may be guessed")
				}
				kind := head.Get("Content-Type")
				if c.kind != "" && kind != c.kind {
					t.Errorf("type %q, want %q", kind, c.kind)
				}
				for _, active := range []string{"html", "xml", "javascript", "css", "wasm", "flash"} {
					if strings.Contains(kind, active) && kind != "image/svg+xml" {
						t.Errorf("type %q", kind)
					}
				}
				shown, params, err := mime.ParseMediaType(head.Get("Content-Disposition"))
				if err != nil || params["filename"] != c.name || c.kind != "" && (shown == "inline") != c.inline {
					t.Errorf("disposition %q %v", head.Get("Content-Disposition"), err)
				}
				if shown == "inline" && !strings.HasPrefix(kind, "image/") && kind != text && kind != "application/pdf" || shown == "inline" && kind == "image/svg+xml" {
					t.Errorf("opens in the browser as %q", kind)
				}
			}
		})
	}
}

func TestAttachmentNames(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	for name, want := range map[string]string{
		`C:\temp\plan.txt`: "/Home/plan.txt",
		"../../etc/passwd": "/Home/passwd",
		"a b.txt":          "/Home/a_b.txt",
		"naïve – Ω.txt":    "/Home/naïve_–_Ω.txt",
		`quote".txt`:       `/Home/quote".txt`,
		"percent%2e.txt":   "/Home/percent%2e.txt",
		"semi;colon=1.txt": "/Home/semi;colon=1.txt",
	} {
		bob.sendFiles(on("ada", "/Home/attachments"), part{"file", name, "x"}).want(http.StatusSeeOther)
		got := bob.get(on("ada", (&url.URL{Path: want}).EscapedPath())).want(http.StatusOK)
		_, params, err := mime.ParseMediaType(got.header.Get("Content-Disposition"))
		if err != nil || "/Home/"+params["filename"] != want {
			t.Errorf("%q: disposition %q %v", name, got.header.Get("Content-Disposition"), err)
		}
	}
	before := w.seq()
	for _, name := range []string{"page.md", "page.MD", ".htaccess", "..", ".git", "a\u202egnp.exe", strings.Repeat("x", 250)} {
		bob.sendFiles(on("ada", "/Home/attachments"), part{"file", name, "x"}).want(http.StatusUnprocessableEntity).has("aria-invalid")
	}
	bob.sendFiles(on("ada", "/Home/attachments"), part{"file", "a\x01b.txt", "x"}).want(http.StatusBadRequest).has("aria-invalid") // no valid header
	if w.seq() != before {
		t.Error("an invalid name was stored")
	}
}

func TestUpload(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	list := on("ada", "/Weather_Station/attachments")
	bob.get(list).want(http.StatusOK).has("This page has no files", "multipart/form-data")
	done := bob.sendFiles(list, part{"message", "", "two files"}, part{"file", "one.txt", "1"}, part{"file", "two.png", string(testPNG(t))}).want(http.StatusSeeOther)
	bob.follow(done).want(http.StatusOK).has("Uploaded.", "one.txt", "two.png", "?thumbnail=64&amp;revision=", "bob")
	bob.sendFiles(list, part{"file", "one.txt", "again"}).want(http.StatusConflict).has("already exists")
	bob.sendFiles(list, part{"filename", "", "one.txt"}, part{"file", "new.txt", "replaced"}).want(http.StatusSeeOther)
	bob.get(on("ada", "/Weather_Station/one.txt")).want(http.StatusOK).has("replaced")
	bob.sendFiles(list, part{"message", "", "no file"}).want(http.StatusUnprocessableEntity).has("Choose a file")
	bob.sendFiles(list, part{"file", "big.bin", strings.Repeat("x", 10<<20+1)}).want(http.StatusRequestEntityTooLarge).has("10 MB")
	bob.sendFiles(list, part{"file", "huge.bin", strings.Repeat("x", 17<<20)}).want(http.StatusRequestEntityTooLarge)
	bob.sendFiles(on("ada", "/No_Such_Page/attachments"), part{"file", "x.txt", "x"}).want(http.StatusNotFound)
	bob.sendFiles(on("ada", "/-/upload"), part{"file", "root.txt", "at the root"}).want(http.StatusSeeOther)
	bob.get(on("ada", "/root.txt")).want(http.StatusOK).has("at the root")
	all := bob.get(on("ada", "/-/attachments")).want(http.StatusOK).has("root.txt", "two.png", "/-/attachments?file=root.txt")
	all.has("of 50 MB used")
	w.as("cleo").get(list).want(http.StatusOK).has("one.txt").lacks("multipart/form-data")
	w.as("cleo").sendFiles(list, part{"file", "x.txt", "x"}).want(http.StatusForbidden)
	w.anonymous().sendFiles(list, part{"file", "x.txt", "x"}).want(http.StatusForbidden)

	bob.header.Set("Accept", "application/json")
	for i, want := range []string{"paste.png", "paste-2.png"} {
		var made struct {
			Name, URL, Markdown string
			Attachments         []string
		}
		got := bob.sendFiles(on("ada", "/Weather_Station/inline_attachment"), part{"file", "paste.png", string(testPNG(t))}).want(http.StatusCreated)
		if err := json.Unmarshal([]byte(got.body), &made); err != nil || made.Name != want || len(made.Attachments) != 3+i {
			t.Errorf("%v %s", err, got.body)
		}
		view, err := w.Pages.Preview(t.Context(), w.Access("ada", "bob"), "Weather_Station", []byte(made.Markdown))
		if err != nil || !strings.Contains(string(view.Body), `src="/Weather_Station/`+want) {
			t.Errorf("%s shows as %s %v", made.Markdown, view.Body, err)
		}
	}
	bob.sendFiles(on("ada", "/Weather_Station/inline_attachment"), part{"file", "x.md", "x"}).want(http.StatusUnprocessableEntity).has(`"message":`)
	bob.sendFiles(on("ada", "/Weather_Station/inline_attachment")).want(http.StatusUnprocessableEntity).has(`"message":`)
}

func TestAttachmentPage(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	bob := w.as("bob")
	page := on("ada", "/Weather_Station/attachment/plan.txt")
	bob.sendFiles(on("ada", "/Weather_Station/attachments"), part{"file", "plan.txt", "first"})
	w.put("ada", "Weather_Station", "See [the plan](./plan.txt).\n")
	revision := func() string {
		t.Helper()
		_, after, ok := strings.Cut(bob.get(page).want(http.StatusOK).body, `name="revision" value="`)
		if !ok {
			t.Fatal("no revision")
		}
		return after[:40]
	}
	first := revision()
	bob.sendFiles(page, part{"revision", "", first}, part{"file", "other.txt", "second"}).want(http.StatusSeeOther)
	bob.get(on("ada", "/Weather_Station/plan.txt")).want(http.StatusOK).has("second")
	bob.sendFiles(page, part{"revision", "", first}, part{"file", "other.txt", "third"}).want(http.StatusConflict, http.StatusPreconditionFailed)
	bob.get(on("ada", "/Weather_Station/plan.txt?revision="+first)).want(http.StatusOK).has("first")

	bob.post(page, url.Values{"restore": {first}}).want(http.StatusSeeOther)
	bob.get(on("ada", "/Weather_Station/plan.txt")).want(http.StatusOK).has("first")
	bob.post(page, url.Values{}).want(http.StatusUnprocessableEntity)
	bob.post(page, url.Values{"new_filename": {"a.md"}, "revision": {first}}).want(http.StatusUnprocessableEntity)
	renamed := bob.post(page, url.Values{"new_filename": {"drawing.txt"}, "revision": {first}}).want(http.StatusSeeOther)
	bob.follow(renamed).want(http.StatusOK).has("drawing.txt", "Restore")
	if text := w.source("Weather_Station"); !strings.Contains(text, "drawing.txt") {
		t.Errorf("the link was not rewritten: %q", text)
	}
	bob.follow(bob.get(page)).want(http.StatusOK).has("drawing.txt")
	bob.follow(bob.get(on("ada", "/Weather_Station/a/plan.txt"))).want(http.StatusOK).has("first")
	page = on("ada", "/Weather_Station/attachment/drawing.txt")
	deleted := bob.post(page, url.Values{"delete": {"1"}, "revision": {revision()}}).want(http.StatusSeeOther)
	bob.follow(deleted).want(http.StatusOK).has("This page has no files")
	bob.get(on("ada", "/Weather_Station/drawing.txt")).want(http.StatusNotFound)
	bob.get(page).want(http.StatusOK).has("This file was deleted", "Restore")
	w.as("cleo").get(page).want(http.StatusOK).lacks(`name="restore"`)
	bob.post(page, url.Values{"restore": {first}}).want(http.StatusSeeOther)
	bob.get(on("ada", "/Weather_Station/drawing.txt")).want(http.StatusOK)

	root := on("ada", "/-/attachments?file=root.txt")
	bob.sendFiles(on("ada", "/-/upload"), part{"file", "root.txt", "root"})
	bob.get(root).want(http.StatusOK).has(`action="/-/upload?file=root.txt"`)
	bob.sendFiles(on("ada", "/-/upload?file=root.txt"), part{"file", "x.txt", "another"}).want(http.StatusSeeOther)
	bob.get(on("ada", "/root.txt")).want(http.StatusOK).has("another")
}

func TestServingBytes(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.upload("ada", "Home", "data.txt", "0123456789")
	w.upload("ada", "Home", "dot.png", string(testPNG(t)))
	w.upload("bob", "Home", "data.txt", "private")
	b := w.anonymous()
	got := b.get(on("ada", "/Home/data.txt")).want(http.StatusOK)
	if cache := got.header.Get("Cache-Control"); cache != "public, no-cache" {
		t.Errorf("Cache-Control %q", cache)
	}
	tag := got.header.Get("Etag")
	b.header.Set("If-None-Match", tag)
	b.get(on("ada", "/Home/data.txt")).want(http.StatusNotModified)
	b.header.Del("If-None-Match")
	b.header.Set("Range", "bytes=2-4")
	if part := b.get(on("ada", "/Home/data.txt")).want(http.StatusPartialContent); part.body != "234" {
		t.Errorf("the range is %q", part.body)
	}
	b.header.Set("Range", "bytes=20-")
	b.get(on("ada", "/Home/data.txt")).want(http.StatusRequestedRangeNotSatisfiable)
	b.header.Del("Range")
	list, err := w.Pages.Attachments(t.Context(), w.Access("ada", "ada"), "Home")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/Home/data.txt?revision=" + list[0].Blob, "/Home/a/data.txt/" + list[0].Commit} {
		if cache := b.get(on("ada", path)).want(http.StatusOK).header.Get("Cache-Control"); cache != "private, max-age=31536000, immutable" {
			t.Errorf("%s: Cache-Control %q", path, cache)
		}
	}
	b.get(on("ada", "/Home/data.txt?revision=ffffffffff")).want(http.StatusNotFound)
	owner := w.as("bob").get(on("bob", "/Home/data.txt")).want(http.StatusOK)
	if cache := owner.header.Get("Cache-Control"); cache != "private, no-cache" {
		t.Errorf("a private file has Cache-Control %q", cache)
	}
	for _, path := range []string{"/Home/dot.png?thumbnail", "/Home/dot.png?size=16", "/Home/t/dot.png", "/Home/t/dot.png/40"} {
		got := b.get(on("ada", path)).want(http.StatusOK)
		if got.header.Get("Content-Type") != "image/png" || got.header.Get("Content-Security-Policy") != "sandbox; default-src 'none'" {
			t.Errorf("%s: %v", path, got.header)
		}
	}
	b.get(on("ada", "/Home/t/data.txt")).want(http.StatusUnprocessableEntity)
	b.get(on("ada", "/Home/t/dot.png/x")).want(http.StatusUnprocessableEntity)
}
