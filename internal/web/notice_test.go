package web

import (
	"html"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// Attack: a link from elsewhere to a page of ours with a notice in its address, such
// as "Your account is closed". A notice is shown only after its form, and once.
func TestNoticesNeedTheirForm(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada, anonymous := w.as("ada"), w.anonymous()
	source, err := os.ReadFile("notice.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`case "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(names) < 20 {
		t.Fatalf("found %d notices", len(names))
	}
	for _, name := range names {
		text := html.EscapeString(noticeText(name[1]))
		for _, address := range []string{on("ada", "/Home"), on("ada", "/-/settings"), testPlatform + "/app/", testPlatform + "/auth/login"} {
			for _, b := range []*browser{ada, anonymous} {
				b.get(address + "?notice=" + name[1]).lacks(text)
			}
		}
	}
	ada.get(on("ada", "/-/report?notice=sent&sent=1")).lacks("Thank you.")
}

func TestNoticesAreShownOnce(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada := w.as("ada")
	shown := func(a *answer, text string) {
		t.Helper()
		if !strings.Contains(a.header.Get("Location"), "notice=") {
			t.Fatalf("%s: location %q", a.asked, a.header.Get("Location"))
		}
		base, err := url.Parse(strings.Fields(a.asked)[1])
		if err != nil {
			t.Fatal(err)
		}
		to, err := base.Parse(a.header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		to.Fragment = ""
		w.anonymous().get(to.String()).lacks(text) // the same link in another browser
		ada.get(strings.Replace(to.String(), "notice=", "notice=left&was=", 1)).lacks(text, noticeText("left"))
		ada.get(to.String()).want(http.StatusOK).has(text)
		ada.get(to.String()).want(http.StatusOK).lacks(text)
	}
	shown(ada.post(on("ada", "/-/settings"), url.Values{"title": {"Ada"}, "description": {""}, "visibility": {"public"}, "home": {"Home"}}).want(http.StatusSeeOther), "Saved.")
	shown(ada.post(on("ada", "/-/report"), url.Values{"page": {"/Home"}, "reason": {"spam"}}).want(http.StatusSeeOther), "Thank you.")
	// From a wiki to the platform.
	shown(ada.post(on("ada", "/-/delete"), url.Values{"confirm": {"ada"}}).want(http.StatusSeeOther), "The wiki is closed.")
}
