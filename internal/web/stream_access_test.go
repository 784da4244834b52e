package web

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robot.wtf/internal/session"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// endings are the ways in which a person loses the right to a wiki's events.
var endings = map[string]func(w *testWiki) error{
	"membership": func(w *testWiki) error {
		return w.Tenant.RemoveMember(w.T.Context(), w.Access("ada", "ada"), "did:plc:cleo")
	},
	"session": func(w *testWiki) error {
		return w.Session.EndSession(w.T.Context(), wiki.Caller{User: testworld.Person("cleo")}, "")
	},
	"suspended user": func(w *testWiki) error { return w.Store.SuspendUser(w.T.Context(), "did:plc:cleo", "spam") },
	"suspended wiki": func(w *testWiki) error { return w.Store.SuspendSite(w.T.Context(), "ada", "spam") },
	"deleted wiki":   func(w *testWiki) error { return w.Tenant.DeleteWiki(w.T.Context(), w.Access("ada", "ada"), "ada") },
}

// Attack: somebody keeps the event stream of a wiki open after they lost their
// access, to go on seeing who works in it. An event that is due then is not sent:
// access is checked before each.
func TestStreamSendsNothingAfterAccessEnds(t *testing.T) {
	t.Parallel()
	for what, end := range endings {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, server := streaming(t)
				w.web.stream.check = time.Hour // no look but the one before an event
				s, _ := listen(t, w, server, "ada", "cleo")
				s.next()
				if err := end(w); err != nil {
					t.Fatal(err)
				}
				w.Session.Note(t.Context(), "ada", session.Request{Method: "POST", Path: "/mcp", Status: 401, Cause: session.Expired})
				if event, ok := s.next(); ok {
					t.Errorf("sent %q", event)
				}
			})
		})
	}
}

// The stream ends soon after the access does, also when nothing happens.
func TestStreamEndsWithAccess(t *testing.T) {
	t.Parallel()
	for what, end := range endings {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, server := streaming(t)
				w.web.stream.check = 10 * time.Millisecond
				s, _ := listen(t, w, server, "ada", "cleo")
				s.next()
				if err := end(w); err != nil {
					t.Fatal(err)
				}
				if event, ok := s.next(); ok {
					t.Errorf("sent %q", event)
				}
			})
		})
	}
}

// The heartbeat is an event too: it looks before it beats.
func TestStreamBeatChecksAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, server := streaming(t)
		w.web.stream.check, w.web.stream.beat = time.Hour, 20*time.Millisecond
		s, status := listen(t, w, server, "ada", "cleo")
		if event, ok := s.next(); status != http.StatusOK || !ok || !strings.Contains(event, "Waiting") {
			t.Fatalf("%d %q", status, event)
		}
		if err := endings["membership"](w); err != nil {
			t.Fatal(err)
		}
		if event, ok := s.next(); ok {
			t.Errorf("sent %q", event)
		}
	})
}
