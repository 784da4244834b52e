package githttp

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// Every role on every route, and on paths that aren't routes, in a public, a
// private and a missing wiki.
func TestRoutesAndRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	flush := "0000"
	requests := map[string]struct {
		method, path, body string
		ok                 int // status if the caller can read
	}{}
	want := map[string]int{
		"GET /repo.git/info/refs git-upload-pack":  200,
		"POST /repo.git/git-upload-pack ":          200,
		"GET /repo.git/info/refs git-receive-pack": 403,
		"POST /repo.git/git-receive-pack ":         403,
	}
	for _, route := range Routes {
		key := route.Method + " " + route.Pattern + " " + route.Service
		ok, known := want[key]
		if !known {
			t.Fatalf("no expectation for %q", key)
		}
		path := route.Pattern
		if route.Service != "" {
			path += "?service=" + route.Service
		}
		requests[key] = struct {
			method, path, body string
			ok                 int
		}{route.Method, path, flush, ok}
	}
	if len(requests) != len(want) {
		t.Errorf("%d routes, %d cells", len(requests), len(want))
	}
	for name, status := range map[string]int{
		"GET /repo.git/HEAD": 404, "GET /repo.git": 404, "GET /repo.git/git-upload-pack": 405, "PUT /repo.git/info/refs": 405,
		"GET /repo.git/info/refs?service=git-upload-archive": 403, "GET /repo.git/info/refs?service=--upload-pack=touch+x": 403,
		"POST /repo.git/git-upload-archive": 404, "POST /repo.git/--exec": 404, "DELETE /repo.git": 404,
	} {
		method, path, _ := strings.Cut(name, " ")
		requests[name] = struct {
			method, path, body string
			ok                 int
		}{method, path, "", status}
	}
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		r := requests[name]
		for _, token := range []string{"none", "wrong", "ada/owner", "ada/editor", "ada/viewer", "bob/owner", "bob/viewer"} {
			for _, slug := range []string{"ada", "bob", "missing"} {
				wants := r.ok
				if slug != "ada" && !strings.HasPrefix(token, slug+"/") || slug == "ada" && token != "none" && !strings.HasPrefix(token, "ada/") {
					wants = 401
				}
				headers := []string{"Content-Type", "application/x-git-upload-pack-request"}
				if token != "none" {
					headers = append(headers, "Authorization", "Bearer "+w.Tokens[token])
				}
				got := w.send(r.method, slug, r.path, strings.NewReader(r.body), headers...)
				if got.status != wants {
					t.Errorf("%s of %s with %s: %d, want %d: %s", name, slug, token, got.status, wants, got.text)
				}
				if asks := got.header.Get("WWW-Authenticate") != ""; asks != (wants == 401) {
					t.Errorf("%s of %s with %s: asks for a password: %t", name, slug, token, asks)
				}
			}
		}
	}
}

// For strangers, a private wiki answers exactly like a missing one.
func TestPrivateLooksMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, path := range []string{"/repo.git/info/refs?service=git-upload-pack", "/repo.git/info/refs?service=git-receive-pack", "/repo.git/HEAD", "/repo.git/git-upload-pack"} {
		for _, token := range []string{"", "Bearer " + w.Tokens["wrong"], "Bearer " + w.Tokens["ada/owner"], "Basic eDp5", "Negotiate x"} {
			for _, method := range []string{"GET", "POST", "OPTIONS", "PUT"} {
				private := w.send(method, "bob", path, nil, "Authorization", token)
				missing := w.send(method, "missing", path, nil, "Authorization", token)
				if diff := cmp.Diff(missing.header, private.header); diff != "" || missing.text != private.text || missing.status != private.status {
					t.Errorf("%s %s: %d %q, missing %d %q\n%s", method, path, private.status, private.text, missing.status, missing.text, diff)
				}
			}
		}
	}
}

// A wiki with a page under takedown can't be cloned, and a suspended one is
// closed. Callers who could read it see the reason in git's output; others don't.
func TestTakenDownAndSuspended(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.must(t.TempDir(), "clone", "-q", w.url("ada", ""), "before")
	operator := func(slug string) wiki.Access {
		a, err := w.Tenant.Resolve(t.Context(), slug, wiki.Caller{Operator: true})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	// cells checks each token's answer. All strangers get the answer of a missing
	// wiki.
	cells := func(slug, text string, want map[string]int) {
		t.Helper()
		for token, status := range want {
			for _, r := range [][2]string{{"GET", "/repo.git/info/refs?service=git-upload-pack"}, {"POST", "/repo.git/git-upload-pack"}} {
				for _, version := range []string{"", "version=2"} {
					headers := []string{"Content-Type", wantType, "Git-Protocol", version}
					if token != "none" {
						headers = append(headers, "Authorization", "Bearer "+w.Tokens[token])
					}
					got := w.send(r[0], slug, r[1], strings.NewReader("0000"), headers...)
					if got.status != status || status != 401 && !strings.Contains(got.text, text) {
						t.Errorf("%s %s with %s, %q: %d, want %d: %s", r[0], slug, token, version, got.status, status, got.text)
					}
					missing := w.send(r[0], "missing", r[1], strings.NewReader("0000"), headers...)
					if diff := cmp.Diff(missing.header, got.header); status == 401 && (diff != "" || got.text != missing.text) {
						t.Errorf("%s %s with %s differs from a missing wiki: %s\n%s", r[0], slug, token, got.text, diff)
					}
				}
			}
		}
	}
	for _, slug := range []string{"ada", "bob"} {
		if _, err := w.Pages.TakeDown(t.Context(), operator(slug), "Home", "a court said so"); err != nil {
			t.Fatal(err)
		}
	}
	cells("ada", "legal reasons", map[string]int{"none": 451, "ada/owner": 451, "ada/viewer": 451, "bob/owner": 401, "wrong": 401})
	cells("bob", "legal reasons", map[string]int{"none": 401, "ada/owner": 401, "bob/owner": 451, "bob/viewer": 451, "wrong": 401})
	if out, err := w.git(t.TempDir(), "clone", "-q", w.url("ada", ""), "withheld"); err == nil || !strings.Contains(out, "legal reasons") {
		t.Errorf("a wiki with a page under takedown: %v\n%s", err, out)
	}
	for _, slug := range []string{"ada", "bob"} {
		if _, err := w.Pages.LiftTakedown(t.Context(), operator(slug), "Home"); err != nil {
			t.Fatal(err)
		}
	}
	w.must(t.TempDir(), "clone", "-q", w.url("ada", ""), "released")

	for _, slug := range []string{"ada", "bob"} {
		if err := w.Tenant.Suspend(t.Context(), operator(slug), "too loud"); err != nil {
			t.Fatal(err)
		}
	}
	cells("ada", "too loud", map[string]int{"none": 401, "ada/owner": 403, "ada/editor": 403, "ada/viewer": 403, "bob/owner": 401, "wrong": 401})
	cells("bob", "too loud", map[string]int{"none": 401, "ada/owner": 401, "bob/owner": 403, "bob/viewer": 403, "wrong": 401})
	if err := w.Tenant.Resume(t.Context(), operator("ada")); err != nil {
		t.Fatal(err)
	}
	w.must(t.TempDir(), "clone", "-q", w.url("ada", ""), "resumed")
}

func TestTooFast(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	w := newWorld(t, limit.New(limit.Options{Rates: limit.RatesFor(20, 5), Now: func() time.Time { return now }}))
	for i := range 30 {
		r := w.send("GET", "ada", "/repo.git/info/refs?service=git-upload-pack", nil)
		if want := map[bool]int{true: 200, false: 429}[i < 20]; r.status != want || want == 429 && r.header.Get("Retry-After") == "" {
			t.Fatalf("request %d: %d %s", i, r.status, r.text)
		}
	}
	token := "Bearer " + w.Tokens["ada/viewer"]
	if r := w.send("GET", "ada", "/repo.git/info/refs?service=git-upload-pack", nil, "Authorization", token); r.status != 200 {
		t.Errorf("another caller: %d", r.status)
	}
}

// A deleted wiki is closed at once, even for valid tokens. Once it is purged, its
// repository, index and tokens are gone, and readers in the meantime don't bring
// them back.
func TestDeletedWiki(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	dir := t.TempDir()
	url := w.url("bob", "x:"+w.Tokens["bob/owner"]+"@")
	w.must(dir, "clone", "-q", url, "before")
	owner := w.Access("bob", "bob")
	_, release, err := w.Pages.Repository(t.Context(), owner)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Tenant.DeleteWiki(t.Context(), owner, "bob"); err != nil {
		t.Fatal(err)
	}
	if out, err := w.git(dir, "clone", "-q", url, "after"); err == nil {
		t.Errorf("a deleted wiki was cloned\n%s", out)
	}
	w.Clock.Add(8 * 24 * time.Hour)
	if err := w.Tenant.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	release(true)
	if _, _, err := w.Pages.Repository(t.Context(), owner); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a purged wiki has a repository: %v", err)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "bob")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the wiki's directory exists: %v", err)
	}
	if _, err := w.Store.Token(t.Context(), w.Tokens["bob/owner"]); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("the token exists: %v", err)
	}
	gone := w.send("GET", "bob", "/repo.git/HEAD", nil)
	if missing := w.send("GET", "missing", "/repo.git/HEAD", nil); gone.status != 401 || gone.text != missing.text {
		t.Errorf("%d %s", gone.status, gone.text)
	}
}
