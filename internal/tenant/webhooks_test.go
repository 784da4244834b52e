package tenant

import (
	"errors"
	"strings"
	"testing"

	"robot.wtf/internal/wiki"
)

func TestWebhookAddresses(t *testing.T) {
	for address, form := range map[string]string{
		"https://example.org/hook": StandardForm, " https://example.org:443/x?y=z ": StandardForm, "https://discord.com/api/webhooks/1/x": DiscordForm,
		"https://discord.com/other": StandardForm, "https://hooks.slack.com/services/x": SlackForm, "https://hooks.slack.com.evil.org/x": StandardForm,
		"": "", "example.org": "", "http://example.org": "", "https://": "", "https://user:password@example.org": "", "https://example.org:8443/": "", "https://127.0.0.1/": "", "https://[::1]/": "",
		"https://example.org/#x": "", "ftp://example.org": "", "https://example.org/a b": "", "https://example.org/\r\nHost: x": "", "https://example.org/" + strings.Repeat("x", 500): "",
	} {
		_, got, err := parseWebhook(address)
		if got != form || (err == nil) != (form != "") || err != nil && !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("%.60q: %q, %v", address, got, err)
		}
	}
}

// Only the owner sees, adds and removes webhooks, and there are few.
func TestWebhooksAreTheOwners(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	owner := f.access(ada)
	h, err := f.AddWebhook(ctx, owner, "https://example.org/", false, 3)
	if err != nil || h.Seq != 3 || h.DID != ada.DID {
		t.Fatalf("%+v, %v", h, err)
	}
	for name, call := range map[string]func(a wiki.Access) error{
		"add": func(a wiki.Access) error {
			_, err := f.AddWebhook(ctx, a, "https://example.org/", false, 0)
			return err
		},
		"list":   func(a wiki.Access) error { _, err := f.Webhooks(ctx, a); return err },
		"read":   func(a wiki.Access) error { _, err := f.Webhook(ctx, a, h.ID); return err },
		"remove": func(a wiki.Access) error { return f.RemoveWebhook(ctx, a, h.ID) },
		"resume": func(a wiki.Access) error { return f.ResumeWebhook(ctx, a, h.ID, 9) },
	} {
		for _, who := range []wiki.User{bob, cleo} {
			if err := call(f.access(who)); !errors.Is(err, wiki.ErrDenied) {
				t.Errorf("%s by %s: %v", name, who.Username, err)
			}
		}
	}
	for range MaxWebhooks - 1 {
		if _, err := f.AddWebhook(ctx, owner, "https://example.org/", false, 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.AddWebhook(ctx, owner, "https://example.org/", false, 0); !errors.Is(err, wiki.ErrQuota) || !strings.Contains(err.Error(), "has 5 webhooks") {
		t.Errorf("a sixth one: %v", err)
	}
	if f.WebhookSecret(h) == f.WebhookSecret(Webhook{ID: "other"}) || !strings.HasPrefix(f.WebhookSecret(h), "whsec_") {
		t.Error("the secrets of two webhooks are equal")
	}
	if err := f.RemoveWebhook(ctx, owner, h.ID); err != nil {
		t.Fatal(err)
	}
	if err := f.RemoveWebhook(ctx, owner, h.ID); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if err := f.RecordDelivery(ctx, h); err != nil {
		t.Errorf("a delivery to a webhook that was removed: %v", err)
	}
}
