package api

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/limit"
)

func TestTooFast(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	w := newLimitedWorld(t, limit.New(limit.Options{Rates: limit.RatesFor(20, 5), Now: func() time.Time { return now }}))
	count := func(token, method, slug, path string, n int) (granted int, last reply) {
		for range n {
			last = w.send(token, method, slug, path, nil)
			if last.StatusCode != 429 {
				granted++
			}
		}
		return granted, last
	}
	if n, _ := count("ada/editor", "GET", "ada", "/pages", 30); n != 20 {
		t.Errorf("%d reads, want 20", n)
	}
	n, last := count("ada/editor", "DELETE", "ada", "/pages/Home", 9)
	if n != 5 {
		t.Errorf("%d writes, want 5", n)
	}
	if seconds, err := strconv.Atoi(last.Header.Get("Retry-After")); err != nil || seconds < 60 || seconds > 61 {
		t.Errorf("Retry-After: %q", last.Header.Get("Retry-After"))
	}
	if last.Header.Get("Content-Type") != "application/problem+json" || last.string("code") != "too_fast" || !strings.Contains(last.string("detail"), "Try again in 61 seconds") {
		t.Errorf("problem %s: %s", last.Header.Get("Content-Type"), last.text)
	}
	// Other callers and other wikis aren't affected.
	w.want(200, w.send("ada/owner", "GET", "ada", "/pages", nil))
	w.want(200, w.send("ada/viewer", "GET", "ada", "/pages", nil))
	w.want(200, w.send("none", "GET", "ada", "/pages", nil))
	w.want(200, w.send("bob/owner", "GET", "bob", "/pages", nil))
	// Guessed tokens count against the address, for every wiki.
	for _, slug := range []string{"bob", "nosuch"} {
		if n, _ := count("wrong", "GET", slug, "/pages", 30); n != 20 {
			t.Errorf("%s: %d guesses, want 20", slug, n)
		}
	}
	w.want(200, w.send("bob/owner", "GET", "bob", "/pages", nil))
	w.want(200, w.send("ada/editor", "GET", "ada", "/health", nil))
	now = now.Add(61 * time.Second)
	w.want(200, w.send("ada/editor", "GET", "ada", "/pages", nil))
}
