package web

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// settingsForm is the form of a public wiki's settings, with other fields.
func settingsForm(fields ...string) url.Values {
	form := url.Values{"title": {""}, "description": {""}, "visibility": {"public"}, "home": {""}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return form
}

// A wiki's accent color is a stylesheet of its own, on all of its pages.
func TestAccentColor(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada, reader := w.as("ada"), w.anonymous()
	settings := on("ada", "/-/settings")
	ada.post(settings, settingsForm()).want(http.StatusSeeOther)
	reader.get(on("ada", "/Home")).lacks("/-/accent/")
	ada.post(settings, settingsForm("accent", "own", "accent_own", "#FFFF00")).want(http.StatusSeeOther)
	ada.get(settings).has(`value="own" checked`, `value="#ffff00"`)
	link := regexp.MustCompile(`<link rel="stylesheet" href="(/-/accent/ffff00\.[0-9a-f]{12}\.css)">`)
	for _, page := range []string{"/Home", "/Home", "/-/index", "/Home/history", "/No_such_page"} {
		got := reader.get(on("ada", page))
		m := link.FindStringSubmatch(got.body)
		if m == nil {
			t.Fatalf("%s has no accent color", page)
		}
		style := reader.get(on("ada", m[1])).want(http.StatusOK)
		if style.header.Get("Content-Type") != "text/css; charset=utf-8" || !strings.Contains(style.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%v", style.header)
		}
		style.has("--accent:light-dark(#", ",#ffff00)").lacks("light-dark(#ffff00") // can't be read on white
	}
	reader.get(on("bob", "/")).lacks("/-/accent/")
	// A color of the list, and none.
	ada.post(settings, settingsForm("accent", "#0b5a66", "accent_own", "#ffff00")).want(http.StatusSeeOther)
	ada.get(settings).has(`value="#0b5a66" checked`)
	reader.get(on("ada", "/Home")).has("/-/accent/0b5a66.")
	ada.post(settings, settingsForm()).want(http.StatusSeeOther) // a form without the field keeps it
	reader.get(on("ada", "/Home")).has("/-/accent/0b5a66.")
	ada.post(settings, settingsForm("accent", "#2038c4")).want(http.StatusSeeOther)
	reader.get(on("ada", "/Home")).lacks("/-/accent/")

	ada.post(settings, settingsForm("accent", "own", "accent_own", "#000}*{color:red")).want(http.StatusUnprocessableEntity).has("isn&#39;t a color")
	for _, file := range []string{"ffff00.css", "ffff00.000000000000.css", "%23ffff00", "red", accentFile("#ffff00") + "x"} {
		reader.get(on("ada", "/-/accent/"+file)).want(http.StatusNotFound)
	}
}

// A wiki's footer is Markdown without anything that could be taken for the page's.
func TestFooter(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada, reader := w.as("ada"), w.anonymous()
	settings := on("ada", "/-/settings")
	text := "**Ada’s garden** · [[Contact Us]] · [terms](/Legal/Terms.md) · https://example.org\r\n<script>alert(1)</script>"
	ada.post(settings, settingsForm("footer", text)).want(http.StatusSeeOther)
	for _, page := range []string{"/Home", "/Home", "/-/changelog", "/Home/history", "/No_such_page"} {
		reader.get(on("ada", page)).has(`<aside class="foot own" aria-label="Footer of this wiki">`, "<strong>Ada’s garden</strong>", `href="/Contact_Us"`, `href="/Legal/Terms"`, `href="https://example.org"`).
			lacks("<script>alert", `class="red"`)
	}
	reader.get(on("bob", "/")).lacks("garden")
	ada.post(settings, settingsForm()).want(http.StatusSeeOther) // a form without the field keeps it
	reader.get(on("ada", "/Home")).has("Ada’s garden")

	for _, refused := range []string{"# Heading", "a note[^1]\n\n[^1]: here", "|a|b|\n|-|-|\n|1|2|", "- [ ] task", "$x$", "::: pages where: status = draft\n:::", "```mermaid\ngraph TD\n```", strings.Repeat("long ", 201)} {
		got := ada.post(settings, settingsForm("footer", refused))
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "A footer can have") {
			t.Errorf("%q: %d", refused, got.status)
		}
	}
	ada.post(settings, settingsForm("footer", "")).want(http.StatusSeeOther)
	reader.get(on("ada", "/Home")).lacks("Footer of this wiki")
}

// A wiki's icon is re-encoded, and only its readers get it.
func TestIcon(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada := w.as("ada")
	ada.sendFiles(on("ada", "/-/icon"), part{"file", "a.svg", "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"}).want(http.StatusUnprocessableEntity).has("isn&#39;t an image")
	ada.sendFiles(on("ada", "/-/icon"), part{"action", "", "upload"}).want(http.StatusUnprocessableEntity).has("Choose an image first")
	ada.get(on("ada", "/Home")).lacks("/-/icon/")
	ada.sendFiles(on("ada", "/-/icon"), part{"file", "a.png", string(testPNG(t)) + "<script>hidden</script>"}).want(http.StatusSeeOther)
	address := regexp.MustCompile(`<link rel="icon" href="(/-/icon/[0-9a-f]{32})">`).FindStringSubmatch(ada.get(on("ada", "/Home")).body)
	if address == nil {
		t.Fatal("the page doesn't link the icon")
	}
	ada.get(on("ada", "/-/settings")).has(`<img src="` + address[1] + `" alt="" width="24" height="24">`)
	got := ada.get(on("ada", address[1])).want(http.StatusOK)
	if got.header.Get("Content-Type") != "image/png" || !strings.Contains(got.header.Get("Content-Security-Policy"), "sandbox") || strings.Contains(got.body, "hidden") {
		t.Errorf("%v", got.header)
	}
	private := w.as("bob")
	private.sendFiles(on("bob", "/-/icon"), part{"file", "a.png", string(testPNG(t))}).want(http.StatusSeeOther)
	private.get(on("bob", address[1])).want(http.StatusOK)
	w.anonymous().get(on("bob", address[1])).want(http.StatusFound).lacks("PNG") // to sign-in, as for every private wiki
	ada.sendFiles(on("ada", "/-/icon"), part{"action", "", "remove"}).want(http.StatusSeeOther)
	ada.get(on("ada", "/Home")).lacks("/-/icon/")
	ada.get(on("ada", address[1])).want(http.StatusNotFound)
}
