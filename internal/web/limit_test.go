package web

import (
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"robot.wtf/internal/limit"
)

func TestTooFast(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	w := newLimitedWiki(t, limit.New(limit.Options{Rates: limit.RatesFor(20, 5), Now: func() time.Time { return now }}))
	later := func() { now = now.Add(61 * time.Second) }
	// granted counts how many of n requests succeed, and returns the last response.
	granted := func(b *browser, method, address string, form url.Values, n int) (count int, last *answer) {
		for range n {
			if last = b.send(method, address, form); last.status != http.StatusTooManyRequests {
				count++
			}
		}
		return count, last
	}
	ada, cleo := w.as("ada"), w.as("cleo")
	later()
	for name, path := range map[string]string{"a page, kept or not": "/Home", "its history": "/Home/history", "nothing": "/Nothing"} {
		n, last := granted(ada, "GET", on("ada", path), nil, 30)
		if n != 20 {
			t.Errorf("%s: %d reads, want 20", name, n)
		}
		last.has("Too many requests", "the limit is 20 read requests per minute", "Try again in 61 seconds")
		if seconds, err := strconv.Atoi(last.header.Get("Retry-After")); err != nil || seconds < 60 || seconds > 61 {
			t.Errorf("Retry-After: %q", last.header.Get("Retry-After"))
		}
		ada.get(on("ada", w.web.assets.byName["app.css"])).want(http.StatusOK)
		ada.get(on("ada", "/-/healthz")).want(http.StatusOK)
		ada.get(on("ada", "/robots.txt")).want(http.StatusOK)
		later()
	}
	granted(ada, "GET", on("ada", "/Home"), nil, 30)
	for name, got := range map[string]*answer{
		"another wiki": ada.get(on("bob", "/Home")), "the platform": ada.get(testPlatform + "/app/"),
		"another person": cleo.get(on("ada", "/Home")), "nobody": w.anonymous().get(on("ada", "/Home")),
	} {
		if got.status == http.StatusTooManyRequests {
			t.Errorf("%s is refused", name)
		}
	}
	n, last := granted(ada, "POST", on("ada", "/Home/save"), url.Values{"content": {"What I wrote.\n"}}, 9)
	if n != 5 {
		t.Errorf("%d writes, want 5", n)
	}
	last.has("What I wrote.", "Send again") // nothing written is lost
	if n, _ := granted(ada, "POST", on("ada", "/Home/preview"), url.Values{"content": {"x"}}, 1); n != 0 {
		t.Error("a preview isn't counted as a read")
	}
	later()
	if n, _ := granted(ada, "POST", on("ada", "/Home/preview"), url.Values{"content": {"x"}}, 30); n != 20 {
		t.Errorf("%d previews, want 20", n)
	}
	// By address: the same for a private wiki and a missing one.
	for _, slug := range []string{"bob", "zoe"} {
		if n, _ := granted(w.anonymous(), "GET", on(slug, "/"), nil, 30); n != 20 {
			t.Errorf("%s: %d, want 20", slug, n)
		}
	}
	if n, _ := granted(w.anonymous(), "GET", testPlatform+"/", nil, 30); n != 20 {
		t.Errorf("the platform: %d, want 20", n)
	}
}

// Signing in is limited by address, whatever the username.
func TestSigningInTooFast(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	w := newLimitedWiki(t, limit.New(limit.Options{Rates: limit.RatesFor(600, 120), Now: func() time.Time { return now }}))
	granted := 0
	var last *answer
	for range 70 {
		if last = w.anonymous().post(testPlatform+"/auth/dev", url.Values{"username": {"nobody"}}); last.status == http.StatusUnprocessableEntity {
			granted++
		}
	}
	if granted != 60 {
		t.Errorf("%d attempts, want 60", granted)
	}
	last.want(http.StatusTooManyRequests).has("Sign in", "Try again in 305 seconds")
	if last.header.Get("Retry-After") != "305" {
		t.Errorf("Retry-After: %q", last.header.Get("Retry-After"))
	}
	now = now.Add(305 * time.Second)
	w.anonymous().post(testPlatform+"/auth/dev", url.Values{"username": {"ada"}}).want(http.StatusSeeOther)
}

// Attack: one form with many files, each a commit of its own, for one write. Each
// file counts. Others aren't affected, and nothing of the form is lost.
func TestEachUploadedFileCounts(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	w := newLimitedWiki(t, limit.New(limit.Options{Rates: limit.RatesFor(100, 5), Now: func() time.Time { return now }}))
	ada := w.as("ada")
	now = now.Add(61 * time.Second)
	var files []part
	for i := range 8 {
		files = append(files, part{"file", "f" + strconv.Itoa(i) + ".txt", "x"})
	}
	ada.sendFiles(on("ada", "/Home/attachments"), files...).want(http.StatusSeeOther)
	ada.get(on("ada", "/Home/attachments")).has("f0.txt", "f7.txt")
	now = now.Add(61 * time.Second) // five of eight are paid for
	for i := range 3 {
		if got := ada.post(on("ada", "/Home/save"), url.Values{"content": {"v" + strconv.Itoa(i)}}); (got.status == http.StatusTooManyRequests) != (i == 2) {
			t.Errorf("write %d: %d", i, got.status)
		}
	}
	if got := w.as("bob").post(on("ada", "/Home/save"), url.Values{"content": {"by bob"}}); got.status == http.StatusTooManyRequests {
		t.Error("another member is refused")
	}
}
