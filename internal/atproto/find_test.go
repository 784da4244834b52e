package atproto

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

func TestSuggestHandles(t *testing.T) {
	for typed, want := range map[string]string{
		"ada.bsky.socail": "ada.bsky.social", "ada.bsky.socia": "ada.bsky.social", "@Ada.bksy.social": "ada.bsky.social", "ada.bsky": "ada.bsky.social",
		"ada.bsky.app": "ada.bsky.social", "ada.bluesky.social": "ada.bsky.social", "adabsky.social": "ada.bsky.social adabsky.bsky.social", "ada-bsky.social": "ada.bsky.social ada-bsky.bsky.social",
		"ada,bsky,social": "ada.bsky.social", "ada..bsky.social": "ada.bsky.social",
		"ada@bsky.social": "ada.bsky.social bsky.social", "@ada@example.org": "ada.example.org example.org", "ada@bsky.socail": "ada.bsky.socail bsky.socail ada.bsky.social",
		"ada_l.bsky.social": "ada-l.bsky.social adal.bsky.social", "ada lovelace": "ada-lovelace.bsky.social adalovelace.bsky.social",
		"ada.example.org.bsky.social": "ada.example.org", "www.ada.org": "ada.org",
		"ada": "", "ada.example.org": "", "": "", "@": "", "did:plc:x": "", "https://bsky.app/profile/x_y": "", "\u202eada.bsky.social": "", "<b>.bsky.socail": "",
		strings.Repeat("x", 300) + ".bsky.socail": "", "ada.internal": "",
	} {
		id, _ := ParseIdentifier(typed)
		if got := strings.Join(suggestHandles(typed, id), " "); got != want {
			t.Errorf("%.40q: %q, want %q", typed, got, want)
		}
	}
}

// Only existing accounts are suggested, at sign-in and in invitations.
func TestDidYouMean(t *testing.T) {
	w := newWorld(t)
	const bea = "did:plc:beabeabeabeabeabeabeabea"
	w.accounts[bea] = account{handle: "bea.bsky.social", pds: "https://pds.test"}
	w.txt["bea.bsky.social"] = bea
	for typed, want := range map[string]string{
		"bea.bsky.socail": "bea.bsky.social", "bea@bsky.social": "bea.bsky.social", "bea.bsky": "bea.bsky.social",
		"nobody.bsky.socail": "", "ada@ada.test": "ada.test", "x_y": "", "did:plc:zzzzzzzzzzzzzzzzzzzzzzzz": "",
	} {
		for name, ask := range map[string]func() error{
			"sign in": func() error { _, err := w.browser().begin(typed); return err },
			"find":    func() error { _, err := w.service.Find(t.Context(), "did:plc:owner", typed); return err },
		} {
			var p *wiki.Problem
			if err := ask(); !errors.As(err, &p) || p.DidYouMean != want || (want != "") != strings.HasSuffix(p.Message, "Did you mean "+want+"?") {
				t.Errorf("%s, %s: %+v", name, typed, p)
			}
		}
	}
}

// Find signs nobody in and stores nothing, and the handle must verify in
// both directions.
func TestFind(t *testing.T) {
	w := newWorld(t)
	w.accounts["did:web:web.test"] = account{handle: "web.test", pds: "https://pds.test"}
	w.handles["web.test"] = "did:web:web.test"
	w.accounts[eveDID] = account{handle: "eve.test", pds: "http://127.0.0.1"} // not checked: she isn't signing in
	for typed, want := range map[string]wiki.User{
		"@Ada.TEST":                         {DID: adaDID, Handle: "ada.test"},
		adaDID:                              {DID: adaDID, Handle: "ada.test"},
		"https://bsky.app/profile/ada.test": {DID: adaDID, Handle: "ada.test"},
		"web.test":                          {DID: "did:web:web.test", Handle: "web.test"},
		"eve.test":                          {DID: eveDID, Handle: "eve.test"},
	} {
		got, err := w.service.Find(t.Context(), "did:plc:owner", typed)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v, %s", typed, err, diff)
		}
		if _, err := w.db.User(t.Context(), want.DID); !errors.Is(err, wiki.ErrNotFound) {
			t.Errorf("%s was stored: %v", typed, err)
		}
	}
	for _, asked := range w.asked {
		if strings.HasPrefix(asked, "POST") || strings.Contains(asked, "oauth") {
			t.Errorf("Find requested %s", asked)
		}
	}
	// A DID whose handle doesn't verify is found without a handle.
	w.accounts[eveDID] = account{pds: "https://pds.test", also: []string{"at://ada.test"}}
	if got, err := w.service.Find(t.Context(), "did:plc:owner", eveDID); err != nil || got.Handle != wiki.InvalidHandle {
		t.Errorf("a claimed handle: %v, %v", got, err)
	}
	w.handles["evil.test"] = adaDID
	if _, err := w.service.Find(t.Context(), "did:plc:owner", "evil.test"); !strings.Contains(problemText(t, err), "another handle") {
		t.Error(err)
	}
	for typed, says := range map[string]string{"": "Enter your handle", "nobody.ada.test": "No account found", "a:b": "is not a handle", "did:key:z": "not a DID"} {
		if _, err := w.service.Find(t.Context(), "did:plc:owner", typed); !strings.Contains(problemText(t, err), says) {
			t.Errorf("%q: %v", typed, err)
		}
	}
}

// Declared and Publication return what an account says, unverified.
func TestReadAccount(t *testing.T) {
	w := newWorld(t)
	w.handles["ada.test"] = "" // not asked
	w.handlers["pds.test/xrpc/com.atproto.repo.getRecord"] = func(rw http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); q.Get("repo") != adaDID || q.Get("collection") != "site.standard.publication" || q.Get("rkey") != "self" {
			answer(rw, 400, map[string]string{"error": "RecordNotFound"})
			return
		}
		answer(rw, 200, map[string]any{"value": map[string]any{"url": "https://ada.robot.test"}})
	}
	if handle, err := w.service.Declared(t.Context(), adaDID, adaDID); err != nil || handle != "ada.test" {
		t.Errorf("%q, %v", handle, err)
	}
	if address, err := w.service.Publication(t.Context(), adaDID, adaDID, "self"); err != nil || address != "https://ada.robot.test" {
		t.Errorf("%q, %v", address, err)
	}
	if _, err := w.service.Publication(t.Context(), adaDID, adaDID, "other"); !strings.Contains(problemText(t, err), "pds.test, the server of this account, doesn't show") {
		t.Error(err)
	}
	w.accounts[adaDID] = account{also: []string{}, pds: "https://127.0.0.1"}
	if handle, err := w.service.Declared(t.Context(), adaDID, adaDID); err != nil || handle != "" {
		t.Errorf("%q, %v", handle, err)
	}
	if _, err := w.service.Publication(t.Context(), adaDID, adaDID, "self"); err == nil {
		t.Error("read from loopback")
	}
	w.handlers["plc.test/"+adaDID] = status(503)
	for _, err := range []error{errorOf(w.service.Declared(t.Context(), adaDID, adaDID)), errorOf(w.service.Publication(t.Context(), adaDID, adaDID, "self"))} {
		if !strings.Contains(problemText(t, err), "plc.test") {
			t.Error(err)
		}
	}
}

func errorOf(_ string, err error) error { return err }

// Find gives up on a host that hangs or that is over its rate limit.
func TestFindGivesUp(t *testing.T) {
	w := newWorld(t)
	w.service.timeout = 100 * time.Millisecond
	stop := make(chan struct{})
	defer close(stop)
	w.handlers["plc.test/"+adaDID] = func(http.ResponseWriter, *http.Request) { <-stop }
	if _, err := w.service.Find(t.Context(), "did:plc:owner", adaDID); !strings.Contains(problemText(t, err), "isn't responding") {
		t.Error(err)
	}
	w.service.timeout = time.Minute
	w.service.limits = limit.New(limit.Options{Rates: limit.Rates{Lookup: limit.Rate{Tokens: 9, Per: time.Minute}, SignInHost: limit.Rate{Tokens: 0, Per: time.Minute}}, Now: w.service.now})
	if _, err := w.service.Find(t.Context(), "did:plc:owner", "ada.test"); !errors.As(err, new(*limit.Exceeded)) {
		t.Errorf("a host over its rate limit: %v", err)
	}
}
