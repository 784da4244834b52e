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

// A Webhook tells by a POST of JSON: the Notice with "service", and its text as
// "content" too, which some chat services read.
type Webhook struct {
	URL     string
	Service string
	Client  *http.Client
}

// NewWebhook makes one. guarded is for addresses in the network; one that is
// written as a loopback address is reached directly, for that is where an
// operator runs what passes notices on.
func NewWebhook(address, service string, guarded *http.Client) (Webhook, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !loopback(u) {
		return Webhook{}, fmt.Errorf("%q is not an https address, nor one like http://127.0.0.1:8000/", address)
	}
	w := Webhook{address, service, guarded}
	if loopback(u) {
		w.Client = &http.Client{
			Transport:     &http.Transport{DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, DisableKeepAlives: true},
			Timeout:       20 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return w, nil
}

func loopback(u *url.URL) bool {
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && addr.IsLoopback() && u.Scheme == "http"
}

// Tell posts one notice; any answer but 2xx is an error.
func (h Webhook) Tell(ctx context.Context, n Notice) error {
	body, err := json.Marshal(struct {
		Notice
		Service string `json:"service"`
		Content string `json:"content"`
	}{n, h.Service, fmt.Sprintf("[%s] %s: %s: %s", h.Service, n.Key, n.State, n.Text)})
	if err != nil {
		return err
	}
	// The address may hold a secret: errors do not name it.
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("watch: webhook: its address is not valid")
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := h.Client.Do(r)
	if err != nil {
		if inner, ok := err.(*url.Error); ok {
			err = inner.Err
		}
		return fmt.Errorf("watch: webhook: %w", err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("watch: webhook: answered %s", answer.Status)
	}
	return nil
}
