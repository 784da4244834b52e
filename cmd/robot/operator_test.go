package main

import (
	"bufio"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/await"
	"robot.wtf/internal/config"
)

// do runs an operator's command as the socket does.
func (l *live) do(name string, args ...string) string {
	l.t.Helper()
	values := url.Values{}
	for i := 0; i < len(args); i += 2 {
		values.Set(args[i], args[i+1])
	}
	var out strings.Builder
	if err := operations[name](l.t.Context(), l.Service, values, nil, &out); err != nil {
		l.t.Fatalf("%s %v: %v", name, args, err)
	}
	return out.String()
}

// try runs an operator's command, given as its name and arguments, and returns its
// error.
func (l *live) try(args ...string) error {
	values := url.Values{}
	for i := 1; i < len(args); i += 2 {
		values.Set(args[i], args[i+1])
	}
	return operations[args[0]](l.t.Context(), l.Service, values, nil, io.Discard)
}

func discardLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

// within waits up to a second for a condition.
func within(t *testing.T, what string, so func() bool) {
	t.Helper()
	await.Until(t, what, 5*time.Second, so) // a second, on a busy machine
}

// doors returns the statuses of every front end of ada's wiki: for its owner's
// browser, a reader's browser, and programs with a token.
func (l *live) doors(owner, reader *browser) map[string]int {
	host := "ada." + config.DevHost
	token := l.token("ada", "owner")
	return map[string]int{
		"owner reads":       owner.get(host, "/Home").Code,
		"owner's edit form": owner.get(host, "/Home/edit").Code,
		"reader reads":      reader.get(host, "/Home").Code,
		"feed":              reader.get(host, "/-/changelog/feed.atom").Code,
		"API reads":         l.api("GET", "ada", "/api/v1/pages", token, "").Code,
		"API writes":        l.api("PUT", "ada", "/api/v1/pages/New"+strconv.FormatInt(time.Now().UnixNano(), 10), token, `{"content":"x"}`).Code / 100,
		"API, no token":     l.api("GET", "ada", "/api/v1/pages", "", "").Code,
		"MCP":               l.mcp("ada", token, "tools/list", struct{}{}).Code,
		"git":               l.gitRefs("ada", token).Code,
	}
}

func TestSuspendedWikiIsClosedOnEveryFrontEnd(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	owner, reader := l.signIn("ada", "ada"), l.browser()
	before := l.doors(owner, reader)
	for door, status := range before {
		if status != http.StatusOK && status != 2 && door != "MCP" && door != "git" {
			t.Fatalf("%s: %d before", door, status)
		}
	}
	l.do("suspend", "name", "ada", "reason", "It sells what is not its own.")
	within(t, "suspend", func() bool { return reader.get("ada."+config.DevHost, "/Home").Code != http.StatusOK })
	for door, status := range l.doors(owner, reader) {
		if status < 300 && status != 4 || status == 2 || status >= 500 {
			t.Errorf("%s: %d while suspended", door, status)
		}
	}
	if told := owner.get("ada."+config.DevHost, "/Home"); told.Code != http.StatusForbidden || !strings.Contains(told.Body.String(), "sells what is not its own") {
		t.Errorf("the owner's dashboard: %d", told.Code)
	}
	if told := reader.get("ada."+config.DevHost, "/Home"); strings.Contains(told.Body.String(), "sells") {
		t.Error("a stranger sees the reason")
	}
	if !strings.Contains(l.do("wikis"), "suspended") || !strings.Contains(l.do("audit", "wiki", "ada", "limit", "5"), "site.suspend") {
		t.Error("missing from the lists")
	}
	l.do("resume", "name", "ada")
	within(t, "resume", func() bool { return reader.get("ada."+config.DevHost, "/Home").Code == http.StatusOK })
	for door, status := range l.doors(owner, reader) {
		if status != before[door] {
			t.Errorf("%s: %d after, %d before", door, status, before[door])
		}
	}
}

func TestSuspendedUserIsLockedOut(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	bob := l.signIn("bob", "ada") // an editor there
	if w := bob.get("ada."+config.DevHost, "/Home/edit"); w.Code != http.StatusOK {
		t.Fatalf("before: %d", w.Code)
	}
	l.do("suspend", "name", "bob", "user", "true")
	if w := bob.get("ada."+config.DevHost, "/Home/edit"); w.Code == http.StatusOK {
		t.Error("the session is still valid")
	}
	if w := l.api("GET", "ada", "/api/v1/pages", l.token("ada", "editor"), ""); w.Code != http.StatusUnauthorized {
		t.Errorf("the token: %d", w.Code)
	}
	if w := l.api("GET", "bob", "/api/v1/pages", l.token("bob", "owner"), ""); w.Code == http.StatusOK {
		t.Errorf("the token of their own wiki: %d", w.Code)
	}
	if w := l.browser().post(config.DevHost, "/auth/dev", url.Values{"username": {"bob"}}); w.Code < 400 {
		t.Errorf("signs in again: %d", w.Code)
	}
	if w := l.signIn("ada", "ada").get("ada."+config.DevHost, "/Home"); w.Code != http.StatusOK {
		t.Errorf("others: %d", w.Code)
	}
	l.do("resume", "name", "@bob.test", "user", "true")
	if w := l.signIn("bob", "ada").get("ada."+config.DevHost, "/Home/edit"); w.Code != http.StatusOK {
		t.Errorf("after: %d", w.Code)
	}
}

func TestOperatorCommands(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	if out := l.do("quota", "wiki", "ada", "pages", "3"); !strings.Contains(out, "pages              3") {
		t.Errorf("quota:\n%s", out)
	}
	if w := l.api("PUT", "ada", "/api/v1/pages/OneTooMany", l.token("ada", "owner"), `{"content":"x"}`); w.Code != http.StatusForbidden {
		t.Errorf("a page over the wiki's own limit: %d", w.Code)
	}
	l.do("quota", "wiki", "ada", "pages", "1", "files", "3")
	if w := l.api("POST", "ada", "/api/v1/pages/Home/attachments", l.token("ada", "owner"), `{"filename":"a.txt","content":"YQ=="}`); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "of 3 pages and files") {
		t.Errorf("a file over the wiki's own limit: %d %s", w.Code, w.Body)
	}
	l.do("quota", "wiki", "ada", "pages", "0", "files", "0")
	if w := l.api("PUT", "ada", "/api/v1/pages/OneTooMany", l.token("ada", "owner"), `{"content":"findable"}`); w.Code != http.StatusCreated {
		t.Errorf("after the limit is lifted: %d", w.Code)
	}
	l.do("reindex", "workers", "0")
	if w := l.api("GET", "ada", "/api/v1/search?q=findable", l.token("ada", "owner"), ""); !strings.Contains(w.Body.String(), "OneTooMany") {
		t.Errorf("after reindex: %s", w.Body)
	}
	if out := l.do("users"); !strings.Contains(out, "@ada.") {
		t.Errorf("users:\n%s", out)
	}
	l.do("delete", "name", "bob", "now", "true")
	if w := l.api("GET", "bob", "/api/v1/pages", l.token("bob", "owner"), ""); w.Code != http.StatusUnauthorized || exists(l.dir, "wikis", "bob") {
		t.Errorf("a deleted wiki: %d", w.Code)
	}
	audit := l.do("audit", "limit", "100")
	for _, act := range []string{"site.limits", "site.reindex", "site.end", "site.purge"} {
		if !strings.Contains(audit, act) {
			t.Errorf("%s is not in the audit log:\n%s", act, audit)
		}
	}
}

// The list of new public wikis shows where their pages link to, most often first.
func TestNewWikisShowTheirLinks(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	text := `{"content":"[pills](https://Pills.example/1) https://pills.example/2 <http://casino.example> [[Home]]\n"}`
	if w := l.api("PUT", "ada", "/api/v1/pages/Spam", l.token("ada", "owner"), text); w.Code != http.StatusCreated {
		t.Fatalf("save: %d %s", w.Code, w.Body)
	}
	out := l.do("new", "days", "3650")
	if !strings.Contains(out, "3      pills.example (2), casino.example (1)") || strings.Contains(out, "bob") || strings.Contains(out, "help") {
		t.Errorf("new:\n%s", out)
	}
}

// A running service uses new keys at once, and nobody is signed out. Sessions signed
// by a former key end with the next rotation.
func TestKeyRotationWhileRunning(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	before, host := l.signIn("ada", "ada"), "ada."+config.DevHost
	keys := func() string { return l.browser().get(config.DevHost, "/auth/oauth/jwks").Body.String() }
	old := keys()
	l.do("rotate-keys")
	if both := keys(); strings.Count(old, `"kid"`) != 1 || strings.Count(both, `"kid"`) != 2 {
		t.Errorf("published before:\n%s\nand after:\n%s", old, both)
	}
	if w := before.get(host, "/Home/edit"); w.Code != http.StatusOK {
		t.Errorf("an earlier session: %d", w.Code)
	}
	after := l.signIn("bob", "ada")
	l.restart()
	for who, b := range map[string]*browser{"before": before, "after": after} {
		if w := b.get(host, "/Home/edit"); w.Code != http.StatusOK {
			t.Errorf("a session from %s, after a restart: %d", who, w.Code)
		}
	}
	stale := l.browser()
	stale.cookies = map[string]map[string]string{host: maps.Clone(before.cookies[host])}
	l.do("rotate-keys")
	if w := after.get(host, "/Home/edit"); w.Code != http.StatusOK {
		t.Errorf("a session from between: %d", w.Code)
	}
	if w := stale.get(host, "/Home/edit"); w.Code == http.StatusOK {
		t.Error("a token of the key before the former one is accepted")
	}
	if out := l.do("audit", "limit", "5"); strings.Count(out, "keys.rotate") != 2 {
		t.Errorf("the audit log:\n%s", out)
	}
}

// events opens the event stream of a wiki's connect page, and closes the channel when
// the stream ends.
func (l *live) events(b *browser, address, slug string) <-chan struct{} {
	l.t.Helper()
	host := slug + "." + config.DevHost
	r, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, "http://"+host+"/-/connect/events", nil)
	l.must(err)
	for name, value := range b.cookies[host] {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	answer, err := (&http.Client{Transport: &http.Transport{DialContext: dialTo(address)}}).Do(r)
	l.must(err)
	if answer.StatusCode != http.StatusOK {
		l.t.Fatalf("events of %s: %s", slug, answer.Status)
	}
	ended := make(chan struct{})
	lines := bufio.NewScanner(answer.Body)
	if !lines.Scan() {
		l.t.Fatalf("events of %s: no event", slug)
	}
	go func() {
		defer close(ended)
		defer answer.Body.Close()
		for lines.Scan() {
		}
	}()
	return ended
}

func over(ended <-chan struct{}) func() bool {
	return func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	}
}

// Open streams of a user who loses access end within a second. Streams of others
// continue.
func TestOpenStreamsEndWithTheRight(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	address := l.listen()
	ada, bob, cleo := l.signIn("ada", "ada"), l.signIn("bob", "ada"), l.signIn("cleo", "ada")
	adas, bobs, cleos := l.events(ada, address, "ada"), l.events(bob, address, "ada"), l.events(cleo, address, "ada")
	atHome := l.signIn("bob", "bob")
	bobsOwn := l.events(atHome, address, "bob")

	l.do("suspend", "name", "bob", "user", "true")
	within(t, "a suspended person's stream of another wiki", over(bobs))
	within(t, "a suspended person's stream of their own wiki", over(bobsOwn))
	if w := cleo.post("ada."+config.DevHost, "/-/logout", url.Values{}); w.Code >= 400 {
		t.Errorf("sign out: %d", w.Code)
	}
	within(t, "the stream of who signed out", over(cleos))
	if over(adas)() {
		t.Error("the owner's stream ended with the others")
	}
	l.do("suspend", "name", "ada")
	within(t, "a stream of a suspended wiki", over(adas))

	// Agents have no streams that could stay open.
	l.do("resume", "name", "bob", "user", "true")
	for _, ask := range []string{"GET", "POST"} {
		body := ""
		if ask == "POST" {
			body = `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{}}`
		}
		r, err := http.NewRequestWithContext(t.Context(), ask, "http://bob."+config.DevHost+"/mcp", strings.NewReader(body))
		l.must(err)
		r.Header.Set("Authorization", "Bearer "+l.token("bob", "owner"))
		r.Header.Set("Accept", "application/json, text/event-stream")
		r.Header.Set("Content-Type", "application/json")
		client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DialContext: dialTo(address)}}
		answer, err := client.Do(r)
		l.must(err)
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			t.Errorf("%s /mcp stays open: %v", ask, err)
		}
		answer.Body.Close()
	}
}
