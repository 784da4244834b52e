package session

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/wiki"
)

func member(u wiki.User, slug string, role wiki.Role) wiki.Access {
	return wiki.NewAccess(wiki.Site{Slug: slug}, wiki.Caller{User: u}, role)
}

func (f *fixture) listRequests(slug string) []Request {
	f.t.Helper()
	list, err := f.Requests(member(ada, slug, wiki.Owner))
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

// TestRecentRequests: the log has the last ten kinds, newest first, with
// counts.
func TestRecentRequests(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first := Request{Method: "POST", Path: "/mcp", Status: 401, Cause: NoToken}
	f.Note(t.Context(), "ada", first)
	f.Note(t.Context(), "ada", Request{Method: "POST", Path: "/mcp", Status: 200, Agent: "Claude", Tool: "edit_page"})
	f.now = f.now.Add(time.Second)
	f.Note(t.Context(), "ada", first)
	want := []Request{
		{Time: f.now, Times: 2, Method: "POST", Path: "/mcp", Status: 401, Cause: NoToken},
		{Time: f.now.Add(-time.Second), Times: 1, Method: "POST", Path: "/mcp", Status: 200, Agent: "Claude", Tool: "edit_page"},
	}
	if diff := cmp.Diff(want, f.listRequests("ada")); diff != "" {
		t.Error(diff)
	}
	for i := range 50 {
		f.Note(t.Context(), "ada", Request{Method: "GET", Path: fmt.Sprintf("/register/%d", i), Status: 404})
		f.Note(t.Context(), "ada", Request{Method: "GET", Path: fmt.Sprintf("/api/v1/pages/Secret_%d", i), Status: 401})
	}
	list := f.listRequests("ada")
	if len(list) != maxStrangerRequests+1 || list[0].Path != "/api/v1/…" || list[0].Times != 50 || list[maxStrangerRequests].Tool != "edit_page" {
		t.Errorf("%d kept, first %+v, last %+v", len(list), list[0], list[len(list)-1])
	}
	for i := range 50 {
		f.Note(t.Context(), "ada", Request{Method: "POST", Path: "/mcp", Status: 200, Agent: "Claude", Tool: fmt.Sprint("tool ", i)})
	}
	if list = f.listRequests("ada"); len(list) != maxRequests || list[0].Tool != "tool 49" {
		t.Errorf("%d kept, first %+v", len(list), list[0])
	}
	if got := f.listRequests("bob"); len(got) != 0 {
		t.Errorf("another wiki shows %v", got)
	}
	f.Note(t.Context(), "nobody", first)
	if f.requests.wikis["nobody"] != nil {
		t.Error("recorded a request for a missing wiki")
	}
}

// Attack: a stranger uses public endpoints, under ever new names and with
// every method, to push the members' requests off the list. Each kind is one
// line with a count.
func TestStrangersDoNotFillTheList(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	looked := []Request{
		{Method: "POST", Path: "/mcp", Status: 401, Cause: Expired},
		{Method: "POST", Path: "/mcp", Status: 200, Agent: "Claude", Tool: "edit_page"},
		{Method: "POST", Path: "/mcp", Status: 401, Cause: NoToken},
	}
	for _, r := range looked {
		f.Note(t.Context(), "ada", r)
	}
	for i := range 200 {
		name := fmt.Sprintf("Mozilla/%d", i)
		for _, path := range []string{"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-authorization-server"} {
			f.Note(t.Context(), "ada", Request{Method: []string{"GET", "HEAD"}[i%2], Path: path, Status: 200, Claims: name})
		}
		f.Note(t.Context(), "ada", Request{Method: "POST", Path: "/register", Status: 201, Claims: name})
		f.Note(t.Context(), "ada", Request{Method: []string{"GET", "PUT", "DELETE", "PATCH", "BREW"}[i%5], Path: "/mcp", Status: 401, Cause: BadToken})
	}
	list := f.listRequests("ada")
	for _, want := range looked {
		if !slices.ContainsFunc(list, func(r Request) bool {
			return r.Path == want.Path && r.Status == want.Status && r.Cause == want.Cause && r.Agent == want.Agent
		}) {
			t.Errorf("%+v was pushed out: %+v", want, list)
		}
	}
	if len(list) != len(looked)+5 || list[5].Cause != NoToken || list[0].Cause != BadToken || list[0].Times != 200 || list[1].Claims != "Mozilla/199" {
		t.Errorf("%d lines: %+v", len(list), list)
	}
	// Requests with a token of this service stay, however many other kinds
	// there are.
	for i := range 20 {
		f.Note(t.Context(), "ada", Request{Method: "GET", Path: "/mcp", Status: 400 + i})
	}
	if list = f.listRequests("ada"); len(list) != maxStrangerRequests+2 || list[maxStrangerRequests].Agent != "Claude" || list[maxStrangerRequests+1].Cause != Expired {
		t.Errorf("%d lines: %+v", len(list), list)
	}
}

// TestRequestsAreSanitized: strangers choose paths, methods and names.
func TestRequestsAreSanitized(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	long := strings.Repeat("x", 10_000) + "\x1b[31m\u202e"
	f.Note(t.Context(), "ada", Request{Method: long, Path: "/" + long, Claims: long, Agent: "\u200b\x00A", Tool: long})
	got := f.listRequests("ada")[0]
	if got.Method != "?" || len(got.Path) > 70 || len(got.Claims) > 70 || len(got.Tool) > 70 || got.Agent != "A" {
		t.Errorf("%+v", got)
	}
}

func TestOnlyMembersSeeRequests(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for role, ok := range map[wiki.Role]bool{wiki.NoRole: false, wiki.Reader: false, wiki.Viewer: true, wiki.Editor: true, wiki.Owner: true} {
		if _, err := f.Requests(member(bob, "ada", role)); (err == nil) != ok {
			t.Errorf("%s: %v", role, err)
		}
		_, stop, err := f.Watch(member(bob, "ada", role))
		if (err == nil) != ok {
			t.Errorf("%s watches: %v", role, err)
		}
		if stop != nil {
			stop()
		}
	}
}

func TestWatchersWakeAndAreBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a := member(ada, "ada", wiki.Owner)
	var stops []func()
	var wakes []<-chan struct{}
	for range maxOwnWatchers {
		wake, stop, err := f.Watch(a)
		if err != nil {
			t.Fatal(err)
		}
		wakes, stops = append(wakes, wake), append(stops, stop)
	}
	if _, _, err := f.Watch(a); !errors.Is(err, ErrWatched) {
		t.Errorf("one more: %v", err)
	}
	for i := maxOwnWatchers; i < maxWikiWatchers; i++ {
		_, stop, err := f.Watch(member(wiki.User{DID: fmt.Sprint("did:", i)}, "ada", wiki.Viewer))
		if err != nil {
			t.Fatal(i, err)
		}
		stops = append(stops, stop)
	}
	if _, _, err := f.Watch(member(bob, "ada", wiki.Viewer)); !errors.Is(err, ErrWatched) {
		t.Errorf("one more of another person: %v", err)
	}
	if _, stop, err := f.Watch(member(ada, "bob", wiki.Viewer)); err != nil {
		t.Errorf("another wiki: %v", err)
	} else {
		stop()
	}
	f.Note(t.Context(), "ada", Request{Status: 401})
	f.Wake("ada") // must not block although nobody has read the first signal
	f.Wake("bob")
	for i, wake := range wakes {
		select {
		case <-wake:
		default:
			t.Errorf("watcher %d was not woken", i)
		}
	}
	for _, stop := range stops {
		stop()
		stop() // a second call has no effect
	}
	if f.requests.watchers != 0 || len(f.requests.wikis["ada"].watchers) != 0 {
		t.Errorf("%d watchers are left", f.requests.watchers)
	}
}

// TestManyWikis: the least recently used log is dropped, unless it is
// watched.
func TestManyWikis(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, stop, err := f.Watch(member(ada, "ada", wiki.Owner))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for i := range maxLoggedWikis + 5 {
		l := f.requests.logFor(fmt.Sprint("wiki-", i))
		l.recent = []Request{{Time: f.now.Add(time.Duration(i) * time.Second)}}
	}
	if len(f.requests.wikis) != maxLoggedWikis || f.requests.wikis["ada"] == nil || f.requests.wikis["wiki-0"] != nil || f.requests.wikis["wiki-9"] == nil {
		t.Errorf("%d wikis are kept", len(f.requests.wikis))
	}
}

// TestBearerCauses checks the cause of each refused token.
func TestBearerCauses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	secret, _, err := f.NewToken(t.Context(), f.access(ada, "ada"), "CI", wiki.ModeEdit)
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]Cause{
		"Bearer nonsense":                        BadToken,
		"Basic " + secret:                        BadToken,
		"Bearer rwtf_short":                      BadToken,
		"Bearer rwtf_" + strings.Repeat("A", 43): UnknownToken,
		"Bearer " + secret:                       OtherWiki,
	} {
		r := httptest.NewRequest("GET", bobHost+"/api/v1/pages", nil)
		r.Header.Set("Authorization", header)
		_, err := f.Bearer(r, "bob")
		if CauseOf(err) != want || !errors.Is(err, wiki.ErrDenied) {
			t.Errorf("%q: %v, cause %q, want %q", header, err, CauseOf(err), want)
		}
	}
}

// Attack: tenants open as many event streams as the service has. Each person and
// wiki has a share, the fullest wiki makes room for another one, and a wiki with few
// watchers loses none.
func TestWatchersAreShared(t *testing.T) {
	t.Parallel()
	logs := &requestLogs{max: 100}
	byPerson := 0
	for i := range 20 {
		for range maxOwnWatchers {
			if _, err := logs.watch(fmt.Sprint("p", i), "did:one"); err == nil {
				byPerson++
			}
		}
	}
	if byPerson != maxPersonWatchers {
		t.Errorf("one person in 20 wikis: %d watchers, want %d", byPerson, maxPersonWatchers)
	}
	victim, err := logs.watch("bob", "did:bob")
	if err != nil {
		t.Fatal(err)
	}
	var flood []*watcher
	for i := range 200 {
		if w, err := logs.watch(fmt.Sprint("flood", i%4), fmt.Sprint("did:", i)); err == nil {
			flood = append(flood, w)
		}
	}
	if logs.watchers > 100 {
		t.Errorf("%d watchers", logs.watchers)
	}
	for i := range maxOwnWatchers {
		if _, err := logs.watch("cleo", "did:cleo"); err != nil {
			t.Errorf("watcher %d of another wiki: %v", i, err)
		}
	}
	ended := 0
	for _, w := range flood {
		select {
		case _, more := <-w.wake:
			if !more {
				ended++
			}
		default:
		}
		logs.drop(w) // stop after the end changes nothing
		logs.drop(w)
	}
	if ended == 0 {
		t.Error("no watcher of the flood made room")
	}
	if !victim.log.watchers[victim] {
		t.Error("another wiki's watcher ended")
	}
	if want := byPerson + 1 + maxOwnWatchers; logs.watchers != want {
		t.Errorf("%d watchers are left, want %d", logs.watchers, want)
	}
}
