package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/tenant"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// withWikis names the people of the test world who get their wikis before the test.
func withWikis(u wiki.User) bool { return u.Username == "ada" || u.Username == "bob" }

// create asks for a wiki as a person of the test world does.
func (b *browser) create(slug string) *answer {
	return b.post(testPlatform+"/app/create", url.Values{"slug": {slug}})
}

// With sign-up after a day, a new account waits. It is signed in meanwhile, and knows
// from when it can create its wiki.
func TestWaitForFirstWiki(t *testing.T) {
	t.Parallel()
	w := newSignupWiki(t, nil, tenant.Signup{Wait: 24 * time.Hour, Listed: withWikis})
	dan := w.as("dan")
	dan.get(testPlatform+"/app/create").want(http.StatusForbidden).has("wait a day", "25 November 2026, 12:0", `href="/app/"`)
	dan.create("dan").want(http.StatusForbidden).has("Your wiki has to wait", "wait a day")
	dan.get(testPlatform + "/app/").want(http.StatusOK).has("wait a day").lacks("Create your wiki")
	consent := url.QueryEscape("/auth/oauth/consent?request=x")
	dan.get(testPlatform + "/app/create?return_to=" + consent).has(`href="/app/create?return_to=` + consent + `"`)
	w.Clock.Add(23 * time.Hour)
	dan.create("dan").want(http.StatusForbidden)
	w.Clock.Add(time.Hour)
	w.as("dan").create("dan").want(http.StatusSeeOther)
}

// Attack: accounts create wikis without end. There is a limit for the service, the
// person who meets it stays signed in and learns when to try again, and people whom
// the operator named aren't affected.
func TestNewWikisPerDay(t *testing.T) {
	t.Parallel()
	listed := false
	w := newSignupWiki(t, nil, tenant.Signup{PerDay: 3, Listed: func(u wiki.User) bool { return withWikis(u) || listed && u.Username == "dan" }})
	// ada and bob have two of the three.
	cleo, dan := w.as("cleo"), w.as("dan")
	cleo.create("cleo").want(http.StatusSeeOther)
	got := dan.create("dan").want(http.StatusTooManyRequests).has("at most 3 new wikis a day", "25 November 2026", "you stay signed in")
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	dan.get(testPlatform + "/app/create").want(http.StatusTooManyRequests).has("Try again")
	dan.get(testPlatform + "/app/").want(http.StatusOK).has("at most 3 new wikis")
	cleo.get(testOrigin("cleo")+"/").want(http.StatusOK, http.StatusFound)
	listed = true
	dan.create("dan").want(http.StatusSeeOther)
}

func TestNewWikisPerDayEnds(t *testing.T) {
	t.Parallel()
	w := newSignupWiki(t, nil, tenant.Signup{PerDay: 2, Listed: withWikis})
	w.as("dan").create("dan").want(http.StatusTooManyRequests)
	w.Clock.Add(24 * time.Hour)
	w.as("dan").create("dan").want(http.StatusSeeOther)
	w.as("cleo").create("cleo").want(http.StatusSeeOther)
}

// People who aren't admitted can't create a wiki, by any address.
func TestClosedSignup(t *testing.T) {
	t.Parallel()
	w := newSignupWiki(t, nil, tenant.Signup{Admits: withWikis})
	dan := w.as("dan")
	dan.get(testPlatform + "/app/create").want(http.StatusForbidden).has("Ask its operator")
	dan.create("dan").want(http.StatusForbidden).has("Ask its operator")
	if body := dan.get(testPlatform + "/app/").body; !strings.Contains(body, "Ask its operator") || strings.Contains(body, "Create your wiki") {
		t.Error("the dashboard offers to create a wiki")
	}
}

// Attack: somebody runs an account server and creates wikis with its accounts, under
// many host names, until the day's wikis are used up. They get a share of them; people
// from elsewhere still create theirs.
func TestNewWikisPerDayAreShared(t *testing.T) {
	t.Parallel()
	w := newSignupWiki(t, nil, tenant.Signup{PerDay: 9, Listed: withWikis})
	host := func(name, host string) {
		t.Helper()
		if err := w.Store.RecordSignIn(t.Context(), testworld.Person(name), host); err != nil {
			t.Fatal(err)
		}
	}
	host("cleo", "one.eve.example")
	host("dan", "two.eve.example")
	w.as("cleo").create("cleo").want(http.StatusSeeOther)
	w.as("dan").create("dan").want(http.StatusTooManyRequests).has("at most 1 new wiki a day for accounts at eve.example")
	host("dan", "morel.us-east.host.bsky.network")
	w.as("dan").create("dan").want(http.StatusSeeOther)
}
