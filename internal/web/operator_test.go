package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"robot.wtf/internal/tenant"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// operators opens the operator's pages to a person.
func (w *testWiki) operators(name string) *browser {
	w.web.o.Operators = []string{testworld.Person(name).DID}
	return w.as(name)
}

// Attack: people who aren't operators look for the operators' pages, and send their
// forms. They learn nothing, with any method.
func TestOperatorPagesAreHidden(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	dan := w.operators("dan")
	dan.get(testPlatform + "/app/operator").want(http.StatusOK)
	for _, name := range []string{"", "ada", "cleo"} {
		b := w.as(name)
		unknown := b.get(testPlatform + "/app/operatorx").want(http.StatusNotFound)
		for _, path := range []string{"/app/operator", "/app/operator/ada", "/app/operator/bob", "/app/operator/nosuch"} {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
				got := b.send(method, testPlatform+path, url.Values{"action": {"suspend"}, "id": {"1"}})
				if got.status != http.StatusNotFound || got.header.Get("Allow") != "" || method == http.MethodGet && len(got.body)-len(unknown.body) > 40 {
					t.Errorf("%s as %q: %d, Allow %q", got.asked, name, got.status, got.header.Get("Allow"))
				}
			}
		}
		b.get(testPlatform + "/app/").lacks("/app/operator")
	}
	w.as("ada").get(on("ada", "/Home")).want(http.StatusOK)
	// A suspended operator isn't one any more.
	if err := w.Store.SuspendUser(t.Context(), testworld.Person("dan").DID, ""); err != nil {
		t.Fatal(err)
	}
	dan.get(testPlatform + "/app/operator").want(http.StatusNotFound)
}

// An operator deals with a report: sees it, suspends the wiki, opens it again, takes a
// page down and puts it back, sets limits, and closes the report. Each act is logged.
func TestOperatorPages(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada := w.Access("ada", "ada")
	if err := w.Tenant.Report(t.Context(), ada, tenant.Report{Page: "/Garden/Beds", Reason: "spam", Words: "Look at this."}); err != nil {
		t.Fatal(err)
	}
	dan := w.operators("dan")
	dan.get(testPlatform + "/app/").has(`href="` + testPlatform + `/app/operator"`)
	dan.get(testPlatform+"/app/operator").want(http.StatusOK).has("/Garden/Beds", "Look at this.", `href="/app/operator/ada"`)
	dan.get(testPlatform + "/app/operator?wiki=Ada").want(http.StatusSeeOther)
	page := testPlatform + "/app/operator/ada"
	act := func(form url.Values) *answer {
		t.Helper()
		return dan.follow(dan.post(page, form).want(http.StatusSeeOther)).want(http.StatusOK)
	}
	act(url.Values{"action": {"suspend"}, "reason": {"Spam."}}).has("Suspended since", "Spam.")
	w.anonymous().get(on("ada", "/Home")).want(http.StatusNotFound, http.StatusFound)
	dan.post(page, url.Values{"action": {"suspend"}}).want(http.StatusConflict).has("already suspended")
	act(url.Values{"action": {"resume"}}).lacks("Suspended since")
	w.anonymous().get(on("ada", "/Garden/Beds")).want(http.StatusOK)
	dan.post(page, url.Values{"action": {"takedown"}, "page": {"Garden/Beds"}}).want(http.StatusUnprocessableEntity).has("Give a reason")
	act(url.Values{"action": {"takedown"}, "page": {"Garden/Beds"}, "reason": {"A court order."}}).has("Garden/Beds.md", "A court order.")
	w.anonymous().get(on("ada", "/Garden/Beds")).want(http.StatusUnavailableForLegalReasons)
	act(url.Values{"action": {"putback"}, "page": {"Garden/Beds.md"}}).lacks("A court order.")
	act(url.Values{"action": {"limits"}, "pages": {"7"}, "files": {"9"}, "members": {""}, "current": {"3"}}).has(`value="7"`, `value="3"`)
	if l := w.Access("ada", "ada").Site().Limits; l.Pages != 7 || l.Files != 9 || l.Members != wiki.DefaultLimits.Members || l.CurrentBytes != 3<<20 {
		t.Errorf("%+v", l)
	}
	dan.post(page, url.Values{"action": {"limits"}, "pages": {"many"}}).want(http.StatusUnprocessableEntity)
	dan.post(page, url.Values{"action": {"destroy"}}).want(http.StatusUnprocessableEntity)
	dan.post(testPlatform+"/app/operator/help", url.Values{"action": {"suspend"}}).want(http.StatusForbidden, http.StatusNotFound)
	dan.follow(dan.post(testPlatform+"/app/operator", url.Values{"id": {"1"}}).want(http.StatusSeeOther)).lacks("Look at this.")
	// The operator's pages give no access to a private wiki.
	dan.get(on("bob", "/Home")).want(http.StatusNotFound, http.StatusFound)

	events, err := w.Store.AuditAll(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var acts []string
	for _, e := range events {
		if e.Actor == testworld.Person("dan").DID {
			acts = append(acts, e.Action)
		}
	}
	got := strings.Join(acts, " ")
	for _, want := range []string{"operator.suspend", "operator.resume", "operator.takedown", "operator.putback", "operator.limits", "operator.close"} {
		if !strings.Contains(got, want) {
			t.Errorf("the audit log has no %s by dan: %s", want, got)
		}
	}
}
