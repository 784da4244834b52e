package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"robot.wtf/internal/outbound"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// The types of messages.
const (
	changedKind = "wiki.changed"
	testKind    = "wiki.test"
)

// A refusal is an answer other than a success.
type refusal struct {
	status     int
	retryAfter time.Duration // 0 if the answer didn't say
}

func (r *refusal) Error() string {
	return fmt.Sprintf("the server answered %d %s", r.status, http.StatusText(r.status))
}

// post delivers a message. Its id is the same for a repetition.
func (s *Service) post(ctx context.Context, h tenant.Webhook, m message, id string) error {
	return s.send(ctx, h, m, changedKind, id)
}

func (s *Service) send(ctx context.Context, h tenant.Webhook, m message, kind, id string) error {
	body, err := m.body(h.Form, kind)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", s.o.Name+" webhooks")
	if h.Form == tenant.StandardForm {
		if err := sign(r.Header, s.o.Tenant.WebhookSecret(h), id, m.now, body); err != nil {
			return err
		}
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 16<<10) // so that the connection can be used again
	if resp.StatusCode/100 == 2 {
		return nil
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	return &refusal{resp.StatusCode, time.Duration(min(max(seconds, 0), int(longestRetry.Seconds()))) * time.Second}
}

// sign adds the headers of standardwebhooks.com.
func sign(header http.Header, secret, id string, at time.Time, body []byte) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	header.Set("Webhook-Id", id)
	header.Set("Webhook-Timestamp", timestamp)
	header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}

// noted returns a webhook after an attempt to notify it of the commits up to seq.
func noted(h tenant.Webhook, seq int64, err error, now time.Time) tenant.Webhook {
	if err == nil {
		h.Seq, h.Delivered = seq, now
		h.Failures, h.Failing, h.Retry, h.Problem, h.Stopped = 0, time.Time{}, time.Time{}, "", time.Time{}
		return h
	}
	if h.Failures++; h.Failing.IsZero() {
		h.Failing = now
	}
	h.Problem = problem(err)
	wait := min(firstRetry<<min(h.Failures-1, 10), longestRetry)
	var refused *refusal
	if errors.As(err, &refused) {
		wait = max(wait, refused.retryAfter)
		if refused.status == http.StatusGone {
			h.Stopped = now
		}
	}
	if now.Sub(h.Failing) >= giveUpAfter {
		h.Stopped = now
	}
	if h.Retry = now.Add(wait); !h.Stopped.IsZero() {
		h.Retry = time.Time{}
	}
	return h
}

// problem says for the owner why a delivery failed. It has nothing that the other server
// sent but its status.
func problem(err error) string {
	var refused *refusal
	switch {
	case errors.As(err, &refused) && refused.status/100 == 3:
		return fmt.Sprintf("The server answered %d, a redirect. Redirects aren't followed: enter the address that it leads to.", refused.status)
	case errors.As(err, &refused):
		return fmt.Sprintf("The server answered %d %s.", refused.status, http.StatusText(refused.status))
	case errors.Is(err, outbound.ErrRefused):
		return "The address leads to a private network, which can't be reached from here."
	case isTimeout(err):
		return fmt.Sprintf("The server didn't answer within %d seconds.", int(timeout.Seconds()))
	}
	return "The server couldn't be reached over https. Check the address and its certificate."
}

// Test delivers a test message at once. Its error is a Problem that says what went wrong.
func (s *Service) Test(ctx context.Context, a wiki.Access, id string) error {
	h, err := s.o.Tenant.Webhook(ctx, a, id)
	if err != nil {
		return err
	}
	release, ok := s.slots.TryAcquire(h.Slug)
	if !ok {
		return wiki.Problemf(wiki.ErrUnavailable, "id", "Another message is being delivered. Try again in a few seconds.")
	}
	defer release()
	m := s.message(ctx, a, h.Bare, nil)
	if err := s.send(ctx, h, m, testKind, "test-"+rand.Text()); err != nil {
		return wiki.Problemf(wiki.ErrInvalid, "id", "The test wasn't delivered. %s", problem(err))
	}
	return nil
}

func isTimeout(err error) bool {
	var failed net.Error
	return errors.As(err, &failed) && failed.Timeout()
}
