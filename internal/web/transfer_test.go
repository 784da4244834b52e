package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// The owner offers the wiki in the settings; the member accepts it on the dashboard.
func TestHandOverInTheBrowser(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	cleo := testworld.Person("cleo").DID
	if err := w.Tenant.SetMember(t.Context(), w.Access("ada", "ada"), cleo, wiki.Viewer); err != nil {
		t.Fatal(err)
	}
	ada, heir := w.as("ada"), w.as("cleo")
	settings := func(b *browser) *answer {
		t.Helper()
		got := b.get(on("ada", "/-/settings"))
		for got.status == http.StatusFound {
			got = b.follow(got)
		}
		return got
	}
	settings(ada).has("Hand this wiki to a member")
	offer := func(form url.Values) *answer {
		t.Helper()
		return ada.post(on("ada", "/-/members"), form)
	}
	offer(url.Values{"action": {"offer"}, "did": {"did:plc:nobody"}}).want(http.StatusNotFound).has("only to a member")
	heir.get(testPlatform + "/app/").lacks("wants to hand you")
	offer(url.Values{"action": {"offer"}, "did": {cleo}}).want(http.StatusSeeOther)
	settings(ada).has("You offered this wiki to", "Withdraw the offer")
	heir.get(testPlatform+"/app/").has("wants to hand you ada.robot.localhost", "Accept", "Decline")
	answer := url.Values{"slug": {"ada"}, "action": {"accept"}}
	w.as("dan").post(testPlatform+"/app/offers", answer).want(http.StatusNotFound)
	got := heir.post(testPlatform+"/app/offers", answer).want(http.StatusSeeOther)
	heir.follow(got).has("The wiki is yours now.", "handed it to you").lacks("wants to hand you")
	settings(heir).want(http.StatusOK).has("Settings")
	settings(ada).want(http.StatusForbidden)
	if page := ada.get(testPlatform + "/app/"); !strings.Contains(page.body, "Your tokens and agents there have ended.") {
		t.Error("the former owner's dashboard says nothing")
	}
}
