package atproto

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

// newLimitedWorld returns a world with the default rate limits and n accounts,
// u0.many.test and so on, that one server hosts.
func newLimitedWorld(t *testing.T, n int) *world {
	w := newWorld(t)
	w.service.limits = limit.New(limit.Options{Rates: limit.Defaults(), Now: w.service.now})
	for i := range n {
		did := fmt.Sprintf("did:plc:%s%c%c%c", strings.Repeat("a", 21), 'a'+i/676, 'a'+i/26%26, 'a'+i%26)
		handle := fmt.Sprintf("u%d.many.test", i)
		w.txt[handle] = did
		w.accounts[did] = account{handle: handle, pds: "https://pds.test"}
	}
	return w
}

func address(i int) string { return fmt.Sprintf("10.0.%d.%d:1", i>>8, i&255) }

// requests counts the requests that reached other hosts and name servers.
func (w *world) requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.asked) + len(w.resolved)
}

func isTooFast(err error) bool { return errors.As(err, new(*limit.Exceeded)) }

// 1,000 people (200 in slow runs, 50 in quick ones) of one domain and one server start to sign in
// within a minute, and as many handles of that domain are looked up.
func TestManyPeopleSignIn(t *testing.T) {
	people := 50
	if os.Getenv("ROBOT_LONG") != "" {
		people = 1000
	} else if slow.Enabled() {
		people = 200
	}
	w := newLimitedWorld(t, people)
	for i := range people {
		if _, err := w.browserAt(address(i)).begin(fmt.Sprintf("u%d.many.test", i)); err != nil {
			t.Fatalf("sign-in %d: %v", i, err)
		}
	}
	w.now = w.now.Add(61 * time.Second)
	for i := range people {
		if _, err := w.service.Find(t.Context(), fmt.Sprint("did:plc:owner", i), fmt.Sprintf("u%d.many.test", i)); err != nil {
			t.Fatalf("lookup %d: %v", i, err)
		}
	}
}

// Attack: one address tries mistyped handles of a domain, which used to lock out
// everybody whose handle is in that domain. Now it locks out itself only.
func TestMistypedHandles(t *testing.T) {
	w := newLimitedWorld(t, 3)
	attacker := w.browserAt("203.0.113.1:1")
	tooFast := 0
	for i := range 300 {
		_, err := attacker.begin(fmt.Sprintf("nobody%d.many.test", i))
		if isTooFast(err) {
			tooFast++
		} else if !errors.Is(err, wiki.ErrNotFound) {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	if tooFast != 300-240 {
		t.Errorf("%d attempts were too many, want 60", tooFast)
	}
	if _, err := attacker.begin("u0.many.test"); !isTooFast(err) {
		t.Errorf("the attacker: %v", err)
	}
	for i := range 1300 { // more than the domain has tokens, from 13 addresses
		if _, err := w.browserAt(fmt.Sprintf("198.51.100.%d:1", i/100)).begin(fmt.Sprintf("nobody%d.many.test", 300+i)); !errors.Is(err, wiki.ErrNotFound) {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	for i, name := range []string{"u1.many.test", "ada.test"} {
		if _, err := w.browserAt(address(i)).begin(name); err != nil {
			t.Errorf("%s at another address: %v", name, err)
		}
	}
	if _, err := w.service.Find(t.Context(), "did:plc:owner", "u2.many.test"); err != nil {
		t.Errorf("a lookup by a person: %v", err)
	}
}

// Attack: failed lookups of a DID and of a did:web cost tokens too, so they can't
// be used to flood the directory or a host.
func TestDIDsCountAgainstTheAsker(t *testing.T) {
	for _, did := range []string{"did:plc:%024d", "did:web:n%d.many.test"} {
		w := newLimitedWorld(t, 0)
		attacker, passed := w.browserAt("203.0.113.1:1"), 0
		for i := range 300 {
			typed := strings.ReplaceAll(fmt.Sprintf(did, i), "0", "a")
			if strings.HasPrefix(did, "did:plc") {
				typed = strings.NewReplacer("1", "b", "8", "c", "9", "d").Replace(typed)
			}
			if _, err := attacker.begin(typed); !isTooFast(err) {
				passed++
			}
		}
		if passed > 240 || passed < 200 {
			t.Errorf("%s: %d lookups, want at most 240", did, passed)
		}
	}
}

// A lookup made moments ago contacts nobody: neither one that failed, for anyone,
// nor one that succeeded, for the same asker.
func TestRecentLookups(t *testing.T) {
	w := newLimitedWorld(t, 1)
	find := func(asker, name string) int {
		before := w.requests()
		_, _ = w.service.Find(t.Context(), asker, name)
		return w.requests() - before
	}
	for _, step := range []struct {
		asker, name string
		asks        bool
		wait        time.Duration
	}{
		{"a", "u0.many.test", true, 0},
		{"a", "u0.many.test", false, 29 * time.Second},
		{"b", "u0.many.test", true, 0}, // sign-ins are private
		{"a", "u0.many.test", true, 2 * time.Second},
		{"a", "nobody.many.test", true, 0},
		{"b", "nobody.many.test", false, 29 * time.Second},
		{"b", "nobody.many.test", true, 2 * time.Second},
	} {
		w.now = w.now.Add(step.wait)
		if n := find(step.asker, step.name); (n > 0) != step.asks {
			t.Errorf("%+v: %d requests", step, n)
		}
	}
	// A repeated lookup costs its asker nothing.
	for range 1000 {
		find("c", "u0.many.test")
	}
	if _, err := w.service.Find(t.Context(), "c", "ada.test"); err != nil {
		t.Error(err)
	}
	// A failure that can pass isn't remembered.
	w.handlers["plc.test/"+adaDID] = func(rw http.ResponseWriter, r *http.Request) { http.Error(rw, "no", 500) }
	find("d", adaDID)
	delete(w.handlers, "plc.test/"+adaDID)
	if _, err := w.service.Find(t.Context(), "d", adaDID); err != nil {
		t.Error(err)
	}
}

// Attack: one asker looks up so many accounts that the results of others would be
// forgotten. Each asker has a share, and the total is bounded.
func TestRecentLookupsAreShared(t *testing.T) {
	r, now := newRecent(), time.Unix(1e9, 0)
	found := &identity.Identity{DID: adaDID, Handle: "ada.test"}
	asker := func(i int) limit.Caller { return limit.Visitor(address(i)) }
	r.add(asker(0), "ada.test", found, nil, now)
	for i := range 10_000 {
		r.add(asker(1), fmt.Sprint("n", i), found, nil, now)
		r.add(asker(1), fmt.Sprint("x", i), nil, identity.ErrHandleNotFound, now)
	}
	if n := len(r.by); n != maxRecentEach+1 {
		t.Errorf("%d results, want %d", n, maxRecentEach+1)
	}
	for i := range 10_000 {
		r.add(asker(2+i/40), fmt.Sprint("n", i), found, nil, now)
	}
	if _, _, ok := r.find(asker(0), "ada.test", now); !ok {
		t.Error("the result of the asker with the fewest was dropped")
	}
	total := 0
	for _, own := range r.owners {
		total += len(own)
	}
	if len(r.by) != maxRecent || total != maxRecent {
		t.Errorf("%d results, %d owned, want %d", len(r.by), total, maxRecent)
	}
	// Documents can be a megabyte; only the parts in use are kept.
	large := &identity.Identity{DID: adaDID, AlsoKnownAs: []string{strings.Repeat("x", 1<<20)}, Services: map[string]identity.ServiceEndpoint{"atproto_pds": {URL: "https://pds.test"}}}
	if small := compact(large); small.AlsoKnownAs != nil || small.PDSEndpoint() != "https://pds.test" || small.DID != syntax.DID(adaDID) {
		t.Errorf("kept %+v", small)
	}
	large.Services["atproto_pds"] = identity.ServiceEndpoint{URL: "https://" + strings.Repeat("x", 1<<20)}
	if compact(large) != nil {
		t.Error("a server's address of a megabyte is kept")
	}
}

// Attack: one address ties up the connections for signing in with a server that
// hangs. It gets its share only, and others sign in meanwhile.
func TestHangingServerHoldsAShare(t *testing.T) {
	w := newLimitedWorld(t, 1)
	w.service.timeout = 20 * time.Second
	stop, arrived := make(chan struct{}), make(chan struct{}, 1000)
	w.handlers["evil.test/.well-known/oauth-protected-resource"] = func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-stop
	}
	done := make(chan error, 1000)
	const attempts = 2 * maxConcurrent
	for range attempts {
		go func() { _, err := w.browserAt("203.0.113.1:1").begin("eve.test"); done <- err }()
	}
	for range maxConcurrentEach {
		<-arrived
	}
	if _, err := w.browserAt("203.0.113.2:1").begin("u0.many.test"); err != nil {
		t.Errorf("another address: %v", err)
	}
	if n := len(arrived); n > 0 {
		t.Errorf("%d connections more than the share of an address", n)
	}
	close(stop)
	for range attempts {
		<-done
	}
}
