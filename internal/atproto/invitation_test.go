package atproto

import (
	"errors"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// newInvitedWorld has sign-up by invitation, and an invitation of the operator.
func newInvitedWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.service.admit, w.service.byInvitation = func(wiki.User) bool { return false }, true
	if err := w.db.AddInvitation(t.Context(), "CODE", store.Invitation{ID: "1", Expires: w.now.Add(time.Hour)}, 5, 5); err != nil {
		t.Fatal(err)
	}
	return w
}

// The first sign-in needs an invitation and uses it up; later ones need none.
func TestInvitedSignIn(t *testing.T) {
	w := newInvitedWorld(t)
	refuse := func(code, cause string) {
		t.Helper()
		b := w.browser()
		b.invitation = code
		_, err := b.signIn("ada.test")
		if err == nil || wiki.CauseOf(err) != cause {
			t.Errorf("with %q: %v", code, err)
		}
		if _, err := w.db.User(t.Context(), adaDID); !errors.Is(err, wiki.ErrNotFound) {
			t.Errorf("with %q: a refused account was stored: %v", code, err)
		}
	}
	refuse("", NotAdmitted)
	refuse("WRONG", InvitationGone)
	w.service.byInvitation = false // the operator changes the policy while she is at her server
	refuse("CODE", NotAdmitted)
	w.service.byInvitation = true
	b := w.browser()
	b.invitation = "CODE"
	if _, err := b.signIn("ada.test"); err != nil {
		t.Fatal(err)
	}
	if at, err := w.db.Admitted(t.Context(), adaDID); err != nil || at.IsZero() {
		t.Errorf("not admitted: %v", err)
	}
	if _, err := w.browser().signIn("ada.test"); err != nil {
		t.Errorf("again: %v", err)
	}
	list, err := w.db.AllInvitations(t.Context())
	if err != nil || len(list) != 1 || list[0].Guest.DID != adaDID {
		t.Errorf("%+v, %v", list, err)
	}
}

// A person whom the policy admits, and one who has an account, don't use up an
// invitation by signing in. The sign-in in progress holds only its hash.
func TestInvitationKept(t *testing.T) {
	w := newInvitedWorld(t)
	w.service.admit = func(u wiki.User) bool { return u.Handle == "ada.test" }
	for range 2 {
		b := w.browser()
		b.invitation = "CODE"
		to, err := b.begin("ada.test")
		if err != nil {
			t.Fatal(err)
		}
		query := w.approve(to)
		row, err := w.db.TakeSignIn(t.Context(), query.Get("state"))
		if err != nil || strings.Contains(row.Data, "CODE") || !strings.Contains(row.Data, "invitation") {
			t.Fatalf("%s, %v", row.Data, err)
		}
		if err := w.db.AddSignIn(t.Context(), query.Get("state"), row); err != nil {
			t.Fatal(err)
		}
		if _, err := b.finish(query); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.db.Invitation(t.Context(), store.InvitationHash("CODE")); err != nil {
		t.Errorf("used up: %v", err)
	}
}
