package web

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"robot.wtf/internal/wiki"
)

// People see who else has the same page of the same wiki open, each once.
func TestOpenEditors(t *testing.T) {
	t.Parallel()
	person := func(name string) wiki.User { return wiki.User{DID: "did:plc:" + name, Username: name} }
	var open openEditors
	ada := openEditor{"ada", "home", person("ada")}
	visits := make([]visit, 6)
	open.add(&visits[0], ada)
	open.add(&visits[1], ada) // in another window
	remove := open.add(&visits[2], openEditor{"ada", "home", person("bob")})
	open.add(&visits[3], openEditor{"ada", "home", person("bob")})
	open.add(&visits[4], openEditor{"bob", "home", person("cleo")})
	open.add(&visits[5], openEditor{"ada", "other", person("dan")})
	if got := joinNames(open.others(ada)); got != "bob" {
		t.Errorf("beside ada: %q, want bob", got)
	}
	if got := joinNames(open.others(openEditor{"ada", "home", person("erin")})); got != "ada and bob" {
		t.Errorf("beside erin: %q, want ada and bob", got)
	}
	remove()
	delete(open.open, &visits[3])
	if got := open.others(ada); len(got) > 0 {
		t.Errorf("after bob left: %q", got)
	}
}

// Attack: a former editor keeps the stream of an open page to watch who edits it. The
// rights are checked before each event.
func TestStreamOfAnOpenPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, server := streaming(t)
		first := w.put("ada", "Shared", "one\n")
		address := "/-/editing?page=Shared&revision=" + first.Revision
		if _, status := listenAt(t, w, server, "ada", "cleo", address); status != http.StatusForbidden {
			t.Errorf("a viewer's status is %d", status)
		}
		bob, _ := listenAt(t, w, server, "ada", "bob", address)
		next := func(want string, not ...string) {
			t.Helper()
			event, ok := bob.next()
			if !ok || !strings.Contains(event, want) {
				t.Errorf("%q, %v; want %q in it", event, ok, want)
			}
			for _, text := range not {
				if strings.Contains(event, text) {
					t.Errorf("%q has %q", event, text)
				}
			}
		}
		next("<div", "editing", "saved")
		ada, _ := listenAt(t, w, server, "ada", "ada", address)
		next("Ada is editing", "saved")
		ada.body.Close()
		next("<div", "editing", "saved")
		w.put("ada", "Shared", "two\n")
		w.Session.Wake("ada")
		next("two", "editing")
		if err := w.Tenant.SetMember(t.Context(), w.Access("ada", "ada"), "did:plc:bob", wiki.Viewer); err != nil {
			t.Fatal(err)
		}
		again, _ := listenAt(t, w, server, "ada", "ada", address)
		if event, ok := bob.next(); ok {
			t.Errorf("sent %q", event)
		}
		again.body.Close()
		time.Sleep(time.Second) // its handler pauses between events
	})
}
