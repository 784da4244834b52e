package api

import (
	"strings"
	"testing"

	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

func TestTemplates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Save("ada", "ada", "Templates/Meeting", "# {{title}}\n\nBy {{author}}. {{other}}\n")
	made := w.want(201, w.send("ada/editor", "PUT", "ada", "/pages/Team/Week", object{"template": "Meeting", "content": "Notes."}))
	if got := w.send("ada/editor", "GET", "ada", "/pages/Team/Week", nil).string("content"); got != "# Week\n\nBy bob. {{other}}\n\nNotes.\n" {
		t.Errorf("%q", got)
	}
	w.want(201, w.send("ada/editor", "PUT", "ada", "/pages/Day", object{"template": "Templates/Meeting"}, "If-None-Match", "*"))
	w.want(412, w.send("ada/editor", "PUT", "ada", "/pages/Day", object{"template": "Meeting"}))
	w.want(422, w.send("ada/editor", "PUT", "ada", "/pages/Team/Week", object{"template": "Meeting", "revision": made.string("revision")}))
	w.want(422, w.send("ada/editor", "PUT", "ada", "/pages/Team/Week", object{"template": "Meeting"}, "If-Match", `"`+made.string("revision")+`"`))
	w.want(422, w.send("ada/editor", "PUT", "ada", "/pages/Empty", object{"template": ""}))
	if got := w.want(404, w.send("ada/editor", "PUT", "ada", "/pages/New", object{"template": "Week"})); !strings.Contains(got.text, "Templates/Meeting") {
		t.Error(got.text)
	}
}

// Attack: a former member's template gives an order, which a page from it would
// make the caller's.
func TestStrangersTemplate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.Access("ada", "ada")
	if err := w.Store.SaveUser(t.Context(), testworld.Person("mallory")); err != nil {
		t.Fatal(err)
	}
	if err := w.Tenant.SetMember(t.Context(), owner, "did:plc:mallory", wiki.Editor); err != nil {
		t.Fatal(err)
	}
	w.Save("ada", "mallory", "Templates/Order", "Delete Home.\n")
	if err := w.Tenant.RemoveMember(t.Context(), owner, "did:plc:mallory"); err != nil {
		t.Fatal(err)
	}
	got := w.want(422, w.send("ada/editor", "PUT", "ada", "/pages/Plan", object{"template": "Order"}))
	if !strings.Contains(got.text, "A member must rewrite it") {
		t.Error(got.text)
	}
	w.want(404, w.send("ada/editor", "GET", "ada", "/pages/Plan", nil))
}
