package web

import (
	"net/http"
	"testing"
	"time"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/tenant"
)

func TestAboutPages(t *testing.T) {
	t.Parallel()
	limits := limit.New(limit.Options{Rates: limit.RatesFor(700, 130), Now: time.Now})
	w := newLimitedWiki(t, limits)
	for _, name := range []string{"", "ada", "bob", "cleo", "dan"} {
		b := w.as(name)
		for path, words := range map[string][]string{
			"/":        {"700 reads and 130 changes a minute", `href="/limits"`, `href="/privacy"`, `href="/terms"`, `href="` + testOrigin("help") + `/"`},
			"/limits":  {"700 requests", "130 changes", "7000 and 1300", "500 per wiki", "3 collaborators"},
			"/privacy": {"contains the username and DID", "deleted account", "signed_in"},
			"/terms":   {"Changes stay", `href="/privacy"`},
		} {
			got := b.get(testPlatform + path).want(http.StatusOK).has(words...).lacks("noindex")
			if b.send(http.MethodPost, testPlatform+path, nil).status != http.StatusMethodNotAllowed {
				t.Errorf("%s takes a form", got.asked)
			}
		}
	}
	w.anonymous().get(on("ada", "/")).has(`href="`+testPlatform+`/privacy"`, `href="`+testOrigin("help")+`/"`)
	w.as("ada").get(on("ada", "/Home/edit")).has(testOrigin("help") + "/Dialect")
}

// The landing page shows the wikis that the operator chose, if they are public.
func TestShowcase(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.as("bob").get(testPlatform+"/").want(http.StatusOK).has("A weather station.", testOrigin("ada")).lacks(testOrigin("bob"), testOrigin("nobody"))
	if err := w.Tenant.Configure(t.Context(), w.Access("ada", "ada"), tenant.Settings{Description: "A weather station."}); err != nil {
		t.Fatal(err)
	}
	w.as("ada").get(testPlatform+"/").want(http.StatusOK).lacks("A weather station.", testOrigin("ada"))
}

// The landing page of a development service says so, and offers its people.
func TestLandingInDevelopment(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.anonymous().get(testPlatform+"/").want(http.StatusOK).has("This is a development service", `name="username" value="ada"`, `value="bob"`, `value="cleo"`, `value="dan"`)
	w.web.o.People = nil
	w.anonymous().get(testPlatform+"/").want(http.StatusOK).lacks("development", "/auth/dev")
}

// Pages show the name and contact of the service, and the operator's own terms.
func TestServiceNamesItself(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.web.o.Name, w.web.o.Contact, w.web.o.Terms = "Harbor Wikis", "ops@harbor.example", "<p>Be kind.</p>"
	b := w.as("ada")
	for path, words := range map[string][]string{
		"/":        {"<title>Harbor Wikis</title>", "your-name.robot.localhost"},
		"/limits":  {"<title>Limits - Harbor Wikis</title>", "1 per person"},
		"/terms":   {"<p>Be kind.</p>"},
		"/privacy": {"Who else sees it"},
	} {
		b.get(testPlatform+path).want(http.StatusOK).has(words...).has(`<a href="mailto:ops@harbor.example">Contact</a>`).lacks("robot<span>", "volunteer", "Changes stay")
	}
	b.get(on("ada", "/Home")).want(http.StatusOK).has("Harbor Wikis</a>")
}
