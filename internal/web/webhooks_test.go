package web

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"robot.wtf/internal/tenant"
)

func TestWebhookPages(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	ada := w.as("ada")
	bob := w.as("bob")
	bob.get(on("bob", "/-/webhooks")).has("This wiki is private.", `value="counts" checked`)
	bob.post(on("bob", "/-/webhooks"), url.Values{"action": {"add"}, "address": {"https://example.org/hook"}, "detail": {"counts"}}).want(http.StatusSeeOther)
	bob.get(on("bob", "/-/webhooks")).has("only the numbers of changes and pages")
	change := func(values ...string) *answer {
		t.Helper()
		form := url.Values{}
		for i := 0; i < len(values); i += 2 {
			form.Set(values[i], values[i+1])
		}
		return ada.post(on("ada", "/-/webhooks"), form)
	}
	ada.get(on("ada", "/-/webhooks")).want(http.StatusOK).has("No webhooks yet.", "The text of pages isn&rsquo;t sent.")
	change("action", "add", "address", "http://example.org").want(http.StatusUnprocessableEntity).has("must be like https://example.org/hook", `value="http://example.org"`)
	change("action", "add", "address", "https://example.org/hook", "detail", "names").want(http.StatusSeeOther)
	change("action", "add", "address", "https://discord.com/api/webhooks/1/x").want(http.StatusSeeOther)
	list, err := w.Tenant.Webhooks(t.Context(), w.Access("ada", "ada"))
	if err != nil || len(list) != 2 || list[0].Form != tenant.StandardForm || list[1].Form != tenant.DiscordForm {
		t.Fatalf("%+v, %v", list, err)
	}
	page := ada.get(on("ada", "/-/webhooks")).want(http.StatusOK).has("https://example.org/hook", "the names of pages and people, and commit messages", "Discord", "Nothing sent yet.")
	if n := strings.Count(page.body, "whsec_"); n != 1 || !strings.Contains(html.UnescapeString(page.body), w.Tenant.WebhookSecret(list[0])) {
		t.Errorf("%d secrets", n)
	}
	change("action", "test", "id", list[0].ID).want(http.StatusUnprocessableEntity).has("The test wasn").lacks("aria-invalid")

	failing := list[0]
	failing.Failures, failing.Problem, failing.Retry, failing.Failing = 3, "The server answered 500.", w.Clock.Now(), w.Clock.Now()
	stopped := list[1]
	stopped.Stopped, stopped.Problem = w.Clock.Now(), "The server answered 410 Gone."
	for _, h := range []tenant.Webhook{failing, stopped} {
		if err := w.Tenant.RecordDelivery(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	ada.get(on("ada", "/-/webhooks")).has("The last 3 attempts failed. The server answered 500.", "because nothing could be delivered. The server answered 410 Gone.", "Resume")
	change("action", "resume", "id", stopped.ID).want(http.StatusSeeOther)
	ada.get(on("ada", "/-/webhooks")).lacks("410 Gone", "Resume")

	change("action", "remove", "id", failing.ID).want(http.StatusSeeOther)
	change("action", "remove", "id", failing.ID).want(http.StatusNotFound).has("removed before")
	for range tenant.MaxWebhooks - 1 {
		change("action", "add", "address", "https://example.org/hook").want(http.StatusSeeOther)
	}
	change("action", "add", "address", "https://example.org/hook").want(http.StatusInsufficientStorage, http.StatusForbidden, http.StatusUnprocessableEntity).has("which is the limit")
	ada.get(on("ada", "/-/webhooks")).has("This wiki has 5 webhooks, which is the limit.").lacks(`id="address"`)
}
