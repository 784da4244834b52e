package tenant

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// A Webhook is an address that is notified of a wiki's changes. It has the reading rights
// of the owner who added it, and rests while they don't own the wiki.
type Webhook = store.Webhook

// MaxWebhooks is how many webhooks a wiki can have.
const MaxWebhooks = 5

// The forms of messages.
const (
	StandardForm = "standard" // standardwebhooks.com
	DiscordForm  = "discord"
	SlackForm    = "slack"
)

const maxWebhookURL = 500 // bytes

// AddWebhook adds a webhook for the commits after seq. The form follows from the address.
// Messages of a bare one only say that something changed. Only the owner can add one.
func (s *Service) AddWebhook(ctx context.Context, a wiki.Access, address string, bare bool, seq int64) (Webhook, error) {
	if err := a.Allow(wiki.Configure); err != nil {
		return Webhook{}, err
	}
	address, form, err := parseWebhook(address)
	if err != nil {
		return Webhook{}, err
	}
	h := Webhook{ID: strings.ToLower(rand.Text()[:16]), Slug: a.Site().Slug, DID: a.Caller().User.DID, URL: address, Form: form, Bare: bare, Seq: seq}
	if err := s.store.AddWebhook(ctx, h, MaxWebhooks); err != nil {
		return Webhook{}, fmt.Errorf("tenant: %w", err)
	}
	return h, nil
}

// parseWebhook checks an address and finds the form that its service takes.
func parseWebhook(address string) (_, form string, err error) {
	address = strings.TrimSpace(address)
	u, err := url.Parse(address)
	_, notAddr := netip.ParseAddr(strings.Trim(hostname(u), "[]"))
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Port() != "" && u.Port() != "443" || notAddr == nil || len(address) > maxWebhookURL || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", "", wiki.Problemf(wiki.ErrInvalid, "webhook", "The address must be like https://example.org/hook: https, a host name, and no port.")
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case (host == "discord.com" || host == "discordapp.com") && strings.HasPrefix(u.Path, "/api/webhooks/"):
		return address, DiscordForm, nil
	case host == "hooks.slack.com":
		return address, SlackForm, nil
	}
	return address, StandardForm, nil
}

func hostname(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.Hostname()
}

// Webhooks lists a wiki's webhooks, for its owner.
func (s *Service) Webhooks(ctx context.Context, a wiki.Access) ([]Webhook, error) {
	if err := a.Allow(wiki.Configure); err != nil {
		return nil, err
	}
	list, err := s.store.Webhooks(ctx, a.Site().Slug)
	if err != nil {
		return nil, fmt.Errorf("tenant: %w", err)
	}
	return list, nil
}

// Webhook returns one webhook of a wiki, for its owner.
func (s *Service) Webhook(ctx context.Context, a wiki.Access, id string) (Webhook, error) {
	list, err := s.Webhooks(ctx, a)
	if err != nil {
		return Webhook{}, err
	}
	for _, h := range list {
		if h.ID == id {
			return h, nil
		}
	}
	return Webhook{}, errNoWebhook
}

var errNoWebhook = wiki.Problemf(wiki.ErrNotFound, "id", "This webhook was removed before.")

// RemoveWebhook removes a webhook of a wiki, for its owner.
func (s *Service) RemoveWebhook(ctx context.Context, a wiki.Access, id string) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	err := s.store.RemoveWebhook(ctx, actor(a), a.Site().Slug, id)
	if errors.Is(err, wiki.ErrNotFound) {
		return errNoWebhook
	}
	if err != nil {
		return fmt.Errorf("tenant: %w", err)
	}
	return nil
}

// ResumeWebhook starts a webhook again that was given up, for the commits after seq.
func (s *Service) ResumeWebhook(ctx context.Context, a wiki.Access, id string, seq int64) error {
	h, err := s.Webhook(ctx, a, id)
	if err != nil {
		return err
	}
	return s.RecordDelivery(ctx, Webhook{ID: h.ID, Slug: h.Slug, Seq: seq, Delivered: h.Delivered})
}

// AllWebhooks lists the webhooks of a wiki or, if slug is "", of all wikis, for the worker
// that delivers.
func (s *Service) AllWebhooks(ctx context.Context, slug string) ([]Webhook, error) {
	return s.store.Webhooks(ctx, slug)
}

// RecordDelivery stores what an attempt to deliver has changed. A webhook that was
// removed meanwhile is no error.
func (s *Service) RecordDelivery(ctx context.Context, h Webhook) error {
	if err := s.store.RecordDelivery(ctx, h); err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return fmt.Errorf("tenant: %w", err)
	}
	return nil
}

// OpenWebhook returns the access to its wiki that a webhook has: to read, with the rights
// that the owner who added it has now. It fails with ErrNotFound if they don't own the
// wiki any more.
func (s *Service) OpenWebhook(ctx context.Context, h Webhook) (wiki.Access, error) {
	owner, err := s.store.User(ctx, h.DID)
	if err != nil {
		return wiki.Access{}, err
	}
	a, err := s.Resolve(ctx, h.Slug, wiki.Caller{User: owner, Wiki: h.Slug, ReadOnly: true})
	if err == nil && a.Role() < wiki.Owner {
		err = wiki.ErrNotFound
	}
	if err != nil {
		return wiki.Access{}, err
	}
	return a, nil
}

// WebhookSecret returns the secret with which a webhook's messages are signed, in the form
// of standardwebhooks.com. It is made with the service's key, so the database has none.
func (s *Service) WebhookSecret(h Webhook) string {
	mac := hmac.New(sha256.New, s.nameKey)
	mac.Write([]byte("webhook\x00" + h.ID)) // see Secret
	return "whsec_" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
