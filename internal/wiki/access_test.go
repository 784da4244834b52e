package wiki

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestAccess(t *testing.T) {
	site := Site{Slug: "ada"}
	ada := Caller{User: User{DID: "did:plc:ada"}}
	readOnly := Caller{User: ada.User, ReadOnly: true}
	for _, c := range []struct {
		name                  string
		access                Access
		read, edit, configure string // what Allow says, "" when it allows
	}{
		{"zero", Access{}, "can't read", "Sign in", "Only the owner"},
		{"owner of no wiki", NewAccess(Site{}, ada, Owner), "can't read", "can read this wiki but not edit", "Only the owner"},
		{"stranger", NewAccess(site, Caller{}, NoRole), "can't read", "Sign in", "Only the owner"},
		{"person without a role", NewAccess(site, ada, NoRole), "can't read", "not edit", "Only the owner"},
		{"anonymous reader", NewAccess(site, Caller{}, Reader), "", "Sign in", "Only the owner"},
		{"reader", NewAccess(site, ada, Reader), "", "not edit", "Only the owner"},
		{"viewer", NewAccess(site, ada, Viewer), "", "not edit", "Only the owner"},
		{"editor", NewAccess(site, ada, Editor), "", "", "Only the owner"},
		{"owner", NewAccess(site, ada, Owner), "", "", ""},
		{"operator", NewAccess(site, Caller{Operator: true}, Owner), "", "", ""},
		{"owner with a token that reads", NewAccess(site, readOnly, Owner), "", "token is read-only", "token is read-only"},
		{"editor with a token that reads", NewAccess(site, readOnly, Editor), "", "token is read-only", "Only the owner"},
		{"viewer with a token that reads", NewAccess(site, readOnly, Viewer), "", "not edit", "Only the owner"},
	} {
		for action, says := range map[Action]string{Read: c.read, Edit: c.edit, Configure: c.configure} {
			err := c.access.Allow(action)
			if c.access.Can(action) != (says == "") || (err == nil) != (says == "") {
				t.Errorf("%s, action %d: Can %t, Allow %v", c.name, action, c.access.Can(action), err)
				continue
			}
			if err != nil && (!errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), says)) {
				t.Errorf("%s, action %d: %v, want %q", c.name, action, err, says)
			}
		}
	}
	a := NewAccess(site, ada, Editor)
	if a.Site() != site || a.Caller() != ada || a.Role() != Editor {
		t.Errorf("%v holds %v, %v, %v", a, a.Site(), a.Caller(), a.Role())
	}
}

func TestRoles(t *testing.T) {
	for _, role := range []Role{Viewer, Editor, Owner} {
		if got, err := ParseRole(role.String()); got != role || err != nil {
			t.Errorf("ParseRole(%q) = %v, %v", role, got, err)
		}
	}
	for _, name := range []string{"", "none", "reader", "Owner", "admin"} {
		got, err := ParseRole(name)
		if got != NoRole {
			t.Errorf("ParseRole(%q) = %v", name, got)
		}
		refused(t, fmt.Sprintf("ParseRole(%q)", name), err, "not a role")
	}
}

func TestErrorKinds(t *testing.T) {
	c := fmt.Errorf("save: %w", &ConflictError{Path: "Home.md", Hunks: make([]Hunk, 2)})
	var conflict *ConflictError
	if !errors.Is(c, ErrConflict) || !errors.As(c, &conflict) || !strings.Contains(c.Error(), "2 of the same places") {
		t.Errorf("%v", c)
	}
	if err := (&ConflictError{Path: "Home.md", Deleted: true}); !strings.Contains(err.Error(), "deleted") {
		t.Errorf("%v", err)
	}
	var moved *Redirect
	if err := fmt.Errorf("view: %w", &Redirect{To: "/New"}); !errors.As(err, &moved) || moved.To != "/New" {
		t.Errorf("%v", err)
	}
}
