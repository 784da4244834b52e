package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/atproto"
	"robot.wtf/internal/limit"
	"robot.wtf/internal/store"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// newInvitedWiki has sign-up by invitation. ada and bob have wikis, cleo and dan don't.
func newInvitedWiki(t *testing.T, limits *limit.Limiter) *testWiki {
	t.Helper()
	return newSignupWiki(t, limits, tenant.Signup{ByInvitation: true, Admits: func(wiki.User) bool { return false }})
}

var invitationLink = regexp.MustCompile(regexp.QuoteMeta(testPlatform) + "/invitation/[A-Z2-7]{26}")

// invite creates an invitation and returns its link.
func (b *browser) invite() string {
	b.w.T.Helper()
	page := b.post(testPlatform+"/app/invitations", url.Values{"invitation": {"create"}}).want(http.StatusOK)
	link := invitationLink.FindString(page.body)
	if link == "" {
		b.w.T.Fatalf("no link in\n%s", page.body)
	}
	return link
}

func (b *browser) account() *answer {
	return b.get(testPlatform + "/app/account").want(http.StatusOK)
}

// TestInvitationRoles tries every person on every route of invitations; cleo is a
// member of other people's wikis, dan of none.
func TestInvitationRoles(t *testing.T) {
	t.Parallel()
	w := newInvitedWiki(t, nil)
	for _, c := range []struct {
		method, path string
		form         url.Values
		want         map[string]int
	}{
		{"GET", "/invitation/" + strings.Repeat("A", 26), nil, map[string]int{"": 303, "dan": 303, "cleo": 303, "bob": 303}},
		{"GET", "/invitation", nil, map[string]int{"": 410, "dan": 410, "cleo": 410, "bob": 303}},
		{"POST", "/invitation", url.Values{}, map[string]int{"": 303, "dan": 410, "cleo": 410, "bob": 303}},
		{"POST", "/app/invitations", url.Values{"invitation": {"create"}}, map[string]int{"": 403, "dan": 403, "cleo": 403, "bob": 200}},
		{"POST", "/app/invitations", url.Values{"invitation": {"revoke"}, "id": {"none"}}, map[string]int{"": 403, "dan": 404, "cleo": 404, "bob": 404}},
		{"POST", "/app/invitations", url.Values{"invitation": {"dance"}}, map[string]int{"": 403, "dan": 422, "cleo": 422, "bob": 422}},
	} {
		for name, want := range c.want {
			if got := w.as(name).send(c.method, testPlatform+c.path, c.form); got.status != want {
				t.Errorf("%q %s: %d, want %d", name, got.asked, got.status, want)
			}
		}
	}
}

// The whole story without scripts: ada creates a link, dan can't create a wiki until he
// opens and accepts it, and ada sees that he did.
func TestInvitation(t *testing.T) {
	t.Parallel()
	w := newInvitedWiki(t, nil)
	ada, dan := w.as("ada"), w.as("dan")
	dan.get(testPlatform+"/app/create").want(http.StatusForbidden).has("You need an invitation", "@dan.test", `href="/app/"`)
	dan.create("dan").want(http.StatusForbidden).has("You need an invitation")
	dan.get(testPlatform + "/app/").want(http.StatusOK).has("need an invitation").lacks("Create your wiki")
	dan.account().lacks("Create an invitation link")
	ada.get(testPlatform + "/app/").has("invitations and export")
	ada.account().has("Create an invitation link", "No invitations yet", "for 14 days", "have 5 open links")

	w.anonymous().get(testPlatform + "/limits").has("5 open ones")
	w.anonymous().get(testPlatform + "/privacy").has("who invited you")

	link := ada.invite()
	ada.account().has("<b>Open</b>", "Revoke").lacks(link)
	opened := dan.get(link).want(http.StatusSeeOther)
	if to := opened.header.Get("Location"); to != "/invitation" || opened.header.Get("Referrer-Policy") != "no-referrer" || opened.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the link leads to %q with %v", to, opened.header)
	}
	dan.get(testPlatform+"/invitation").want(http.StatusOK).
		has("invites you to robot.localhost:8080", "<bdi>@ada.test</bdi>", "<bdi>@dan.test</bdi>", "Accept the invitation", "8 December 2026").lacks(strings.TrimPrefix(link, testPlatform))
	dan.create("dan").want(http.StatusForbidden) // not accepted yet
	if to := dan.post(testPlatform+"/invitation", url.Values{}).want(http.StatusSeeOther).header.Get("Location"); to != "/app/create" {
		t.Errorf("accepting leads to %q", to)
	}
	dan.create("dan").want(http.StatusSeeOther)
	ada.account().has("Used by <bdi>@dan.test</bdi>").lacks("<b>Open</b>")
	for b, want := range map[*browser]string{ada: `"guest": "dan.test"`, dan: `"admitted": "2026-`} {
		export := unpackExport(t, b.get(testPlatform+"/app/export").want(http.StatusOK))
		if !strings.Contains(export["account.json"], want) {
			t.Errorf("the export lacks %s: %s", want, export["account.json"])
		}
	}
}

// Attack: somebody guesses or collects codes. Wrong, used, expired and revoked ones, and
// none, get the same answer, which says what to do.
func TestInvitationAnswers(t *testing.T) {
	t.Parallel()
	w := newInvitedWiki(t, nil)
	ada := w.as("ada")
	expired := ada.invite()
	w.Clock.Add(tenant.InvitationLifetime)
	ada = w.as("ada")
	used, revoked := ada.invite(), ada.invite()
	dan := w.as("dan")
	dan.follow(dan.get(used))
	dan.post(testPlatform+"/invitation", url.Values{}).want(http.StatusSeeOther)
	list, err := w.Store.Invitations(t.Context(), testworld.Person("ada").DID)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if i.Open {
			ada.post(testPlatform+"/app/invitations", url.Values{"invitation": {"revoke"}, "id": {i.ID}}).want(http.StatusSeeOther)
		}
	}
	ada.account().has("Revoked", "Expired", "Used by")
	wrong := testPlatform + "/invitation/" + strings.Repeat("A", 26)
	for _, name := range []string{"", "cleo"} {
		first := ""
		for _, link := range []string{used, expired, revoked, wrong, testPlatform + "/invitation/%3Cb%3E", testPlatform + "/invitation/" + strings.Repeat("A", 5000), testPlatform + "/invitation"} {
			b := w.as(name)
			b.get(link)
			got := b.get(testPlatform+"/invitation").want(http.StatusGone).has("This invitation can’t be used", "ask the person who sent it for a new one")
			if first == "" {
				first = got.body
			}
			if got.body != first {
				t.Errorf("%q sees a different page for %s", name, link)
			}
			if name == "cleo" {
				b.get(link)
				b.post(testPlatform+"/invitation", url.Values{}).want(http.StatusGone)
			}
		}
	}
}

// People who don't need an invitation leave it unused.
func TestInvitationNotNeeded(t *testing.T) {
	t.Parallel()
	w := newInvitedWiki(t, nil)
	ada, bob := w.as("ada"), w.as("bob")
	link := ada.invite()
	bob.get(link)
	bob.follow(bob.get(testPlatform + "/invitation").want(http.StatusSeeOther)).has("you didn’t need the invitation")
	bob.get(link)
	bob.post(testPlatform+"/invitation", url.Values{}).want(http.StatusSeeOther)
	dan := w.as("dan")
	dan.get(link)
	dan.post(testPlatform+"/invitation", url.Values{}).want(http.StatusSeeOther)
	second := ada.invite()
	dan.get(second)
	if to := dan.get(testPlatform + "/invitation").want(http.StatusSeeOther).header.Get("Location"); to != "/app/create" {
		t.Errorf("an admitted person is led to %q", to)
	}
	anonymous := w.anonymous()
	anonymous.get(second)
	anonymous.get(testPlatform+"/invitation").want(http.StatusOK).has("Sign in to accept", `href="/auth/login?return_to=%2Finvitation"`)
	anonymous.post(testPlatform+"/invitation", url.Values{}).want(http.StatusSeeOther)
}

// A person can have a few links and create a few a day, and one address can try a few.
func TestInvitationLimits(t *testing.T) {
	t.Parallel()
	w := newInvitedWiki(t, limit.New(limit.Options{Rates: limit.Defaults(), Now: time.Now}))
	ada := w.as("ada")
	for range tenant.MaxInvitations {
		ada.invite()
	}
	create := url.Values{"invitation": {"create"}}
	ada.post(testPlatform+"/app/invitations", create).want(wiki.Status(wiki.ErrQuota)).has("You have 5 open invitations", "Revoke one")
	w.Clock.Add(time.Minute)
	list, err := w.Store.Invitations(t.Context(), testworld.Person("ada").DID)
	if err != nil {
		t.Fatal(err)
	}
	ada.post(testPlatform+"/app/invitations", url.Values{"invitation": {"revoke"}, "id": {list[0].ID}}).want(http.StatusSeeOther)
	ada.post(testPlatform+"/app/invitations", create).want(http.StatusTooManyRequests).has("5 invitations a day", "25 November 2026")
	bob := w.as("bob")
	bob.invite()
	bob.post(testPlatform+"/app/invitations", url.Values{"invitation": {"revoke"}, "id": {list[1].ID}}).want(http.StatusNotFound)
	w.as("dan").post(testPlatform+"/app/invitations", create).want(http.StatusForbidden).has("Only people who have a wiki here")
	w.anonymous().post(testPlatform+"/app/invitations", create).want(http.StatusForbidden)
	ada.post(testPlatform+"/app/invitations", url.Values{}).want(http.StatusUnprocessableEntity).has(`id="invitations"`)

	guesser := w.anonymous()
	tries := 0
	for guesser.get(testPlatform+"/invitation").status == http.StatusGone {
		if tries++; tries > 100 {
			t.Fatal("no limit on guessing")
		}
	}
	if got := guesser.get(testPlatform + "/invitation").want(http.StatusTooManyRequests); got.header.Get("Retry-After") == "" || tries != 60 {
		t.Errorf("%d tries, %v", tries, got.header)
	}
}

// The operator suspends ada: her open links end.
func TestInvitationOfSuspended(t *testing.T) {
	t.Parallel()
	w := newInvitedWiki(t, nil)
	link := w.as("ada").invite()
	if err := w.Store.SuspendUser(t.Context(), testworld.Person("ada").DID, "Spam."); err != nil {
		t.Fatal(err)
	}
	dan := w.as("dan")
	dan.get(link)
	dan.get(testPlatform + "/invitation").want(http.StatusGone)
	dan.post(testPlatform+"/invitation", url.Values{}).want(http.StatusGone)
}

// Under other policies there are no invitations, and people whom one admitted stay
// admitted.
func TestInvitationOtherPolicy(t *testing.T) {
	t.Parallel()
	w := newSignupWiki(t, nil, tenant.Signup{Admits: withWikis, Wait: 24 * time.Hour})
	if err := w.Store.AddInvitation(t.Context(), "CODE", store.Invitation{ID: "1", Expires: w.Clock.Now().Add(time.Hour)}, 5, 5); err != nil {
		t.Fatal(err)
	}
	dan := w.as("dan")
	for _, path := range []string{"/invitation/CODE", "/invitation"} {
		dan.get(testPlatform + path).want(http.StatusNotFound)
	}
	dan.post(testPlatform+"/invitation", url.Values{}).want(http.StatusNotFound)
	w.as("ada").post(testPlatform+"/app/invitations", url.Values{"invitation": {"create"}}).want(http.StatusNotFound)
	for _, path := range []string{"/app/account", "/limits"} {
		w.as("ada").get(testPlatform+path).want(http.StatusOK).lacks("nvitation links", `id="invitations"`)
	}
	w.as("ada").get(testPlatform + "/app/").lacks("nvitation")
	dan.create("dan").want(http.StatusForbidden).has("Ask its operator")
	if err := w.Store.UseInvitation(t.Context(), store.InvitationHash("CODE"), testworld.Person("dan").DID); err != nil {
		t.Fatal(err)
	}
	dan.create("dan").want(http.StatusSeeOther)
}

// A sign-in takes the invitation along if it starts on the invitation's page. If it
// fails for want of one, the page says so; other failures show the form again.
func TestInvitationAtSignIn(t *testing.T) {
	t.Parallel()
	w := newInvitedWiki(t, nil)
	r := httptest.NewRequest("POST", testPlatform+"/auth/login", nil)
	if got := invitationForSignIn(r, "/invitation"); got != "" {
		t.Errorf("%q without a cookie", got)
	}
	r.AddCookie(&http.Cookie{Name: invitationCookie, Value: "CODE"})
	for returnTo, want := range map[string]string{"/invitation": "CODE", "/app/": "", "/app/create": ""} {
		if got := invitationForSignIn(r, returnTo); got != want {
			t.Errorf("%s takes along %q, want %q", returnTo, got, want)
		}
	}
	for cause, want := range map[string]struct {
		status int
		words  string
	}{
		atproto.NotAdmitted:    {http.StatusForbidden, "<h1>You need an invitation</h1>"},
		atproto.InvitationGone: {http.StatusGone, "<h1>This invitation can’t be used</h1>"},
		"declined":             {http.StatusForbidden, "<h1>Sign in</h1>"},
	} {
		rec := httptest.NewRecorder()
		v := &visit{w: rec, r: httptest.NewRequest("GET", testPlatform+"/auth/callback", nil)}
		err := w.web.signInFailed(v, signInPage{}, wiki.WithCause(cause, wiki.Problemf(wiki.ErrDenied, "", "No.")))
		if body := rec.Body.String(); err != nil || rec.Code != want.status || !strings.Contains(body, want.words) {
			t.Errorf("%s: %v, %d, want %d: %s", cause, err, rec.Code, want.status, body)
		}
	}
}
