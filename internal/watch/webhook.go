package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// A Webhook posts notices as JSON: the Notice, "service", and the text again as
// "content", which some chat services read.
type Webhook struct {
	URL     string
	Service string
	Client  *http.Client
}

// NewWebhook returns a Webhook that uses the guarded client. A loopback address
// is reached directly, because operators run forwarders there.
func NewWebhook(address, service string, guarded *http.Client) (Webhook, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !isLoopback(u) {
		return Webhook{}, fmt.Errorf("%q is neither an https URL nor a loopback URL like http://127.0.0.1:8000/", address)
	}
	w := Webhook{address, service, guarded}
	if isLoopback(u) {
		w.Client = &http.Client{
			Transport:     &http.Transport{DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, DisableKeepAlives: true},
			Timeout:       20 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return w, nil
}

func isLoopback(u *url.URL) bool {
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && addr.IsLoopback() && u.Scheme == "http"
}

// Name implements Notifier.
func (h Webhook) Name() string { return "webhook" }

// Notify posts one notice. A response other than 2xx is an error.
func (h Webhook) Notify(ctx context.Context, n Notice) error {
	body, err := json.Marshal(struct {
		Notice
		Service string `json:"service"`
		Content string `json:"content"`
	}{n, h.Service, fmt.Sprintf("[%s] %s: %s: %s", h.Service, n.Key, n.State, n.Text)})
	if err != nil {
		return err
	}
	// The URL can contain a secret, so errors omit it.
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("watch: webhook: invalid URL")
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := h.Client.Do(r)
	if err != nil {
		if inner, ok := err.(*url.Error); ok {
			err = inner.Err
		}
		return fmt.Errorf("watch: webhook: %w", err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("watch: webhook: status %s", response.Status)
	}
	return nil
}
