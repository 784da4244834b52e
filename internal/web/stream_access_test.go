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

// endings are the ways to lose access to a wiki's events.
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

// Attack: a person keeps the event stream of a wiki open after losing access, to
// watch its activity. Access is checked before each event, so none is sent.
func TestStreamSendsNothingAfterAccessEnds(t *testing.T) {
	t.Parallel()
	for what, end := range endings {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, server := streaming(t)
				w.web.stream.check = time.Hour // only the check before an event
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

// The stream ends soon after access does, even without events.
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

// Access is also checked before each heartbeat.
func TestStreamBeatChecksAccess(t *testing.T) {
	t.Parallel()
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
