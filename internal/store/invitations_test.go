package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// An inviteWorld has ada and bob with their wikis, and dan without one.
type inviteWorld struct {
	*DB
	t    *testing.T
	now  time.Time
	file string
}

func newInviteWorld(t *testing.T) *inviteWorld {
	t.Helper()
	w := &inviteWorld{t: t, now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), file: filepath.Join(t.TempDir(), "robot.db")}
	var err error
	if w.DB, err = Open(t.Context(), w.file, func() time.Time { return w.now }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	for _, name := range []string{"ada", "bob", "dan"} {
		w.must(w.RecordSignIn(t.Context(), guest(name), "pds.test"))
	}
	w.must(errors.Join(w.CreateSite(t.Context(), guest("ada"), "ada", nil, 1), w.CreateSite(t.Context(), guest("bob"), "bob", nil, 1)))
	return w
}

func guest(name string) wiki.User {
	return wiki.User{DID: "did:plc:" + name, Handle: name + ".test"}
}

func (w *inviteWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// invite adds an invitation of a person, or of the operator if by is "".
func (w *inviteWorld) invite(by, code string) error {
	i := Invitation{ID: "id " + code, Expires: w.now.Add(14 * 24 * time.Hour)}
	if by != "" {
		i.Inviter = guest(by)
	}
	return w.AddInvitation(w.t.Context(), code, i, 5, 5)
}

// newcomer signs in for the first time with an invitation.
func (w *inviteWorld) newcomer(ctx context.Context, name, code string) error {
	return w.RecordInvitedSignIn(ctx, guest(name), "pds.test", InvitationHash(code))
}

func (w *inviteWorld) admitted(name string) bool {
	w.t.Helper()
	at, err := w.Admitted(w.t.Context(), "did:plc:"+name)
	w.must(err)
	return !at.IsZero()
}

// Attack: many people sign in with the same link at the same time. It admits exactly
// one; the others have no account afterwards.
func TestInvitationRace(t *testing.T) {
	w := newInviteWorld(t)
	w.must(w.invite("ada", "code"))
	errs := make([]error, 16)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = w.newcomer(context.Background(), fmt.Sprint("guest", i), "code") })
	}
	all.Wait()
	winners := 0
	for i, err := range errs {
		name := fmt.Sprint("guest", i)
		_, absent := w.User(t.Context(), "did:plc:"+name)
		switch {
		case err == nil && absent == nil && w.admitted(name):
			winners++
		case !errors.Is(err, wiki.ErrGone) || !errors.Is(absent, wiki.ErrNotFound):
			t.Errorf("%s: %v, account %v", name, err, absent)
		}
	}
	if winners != 1 {
		t.Errorf("%d people were admitted", winners)
	}
	list, err := w.Invitations(t.Context(), "did:plc:ada")
	if err != nil || len(list) != 1 || list[0].Open || list[0].Used.IsZero() || !w.admitted(strings.TrimSuffix(list[0].Guest.Handle, ".test")) {
		t.Errorf("%+v, %v", list, err)
	}
}

// The database has the hash of a code, and not the code.
func TestInvitationStoredAsHash(t *testing.T) {
	w := newInviteWorld(t)
	w.must(w.AddInvitation(t.Context(), "TOPSECRETCODE", Invitation{ID: "1", Inviter: guest("ada"), Expires: w.now.Add(time.Hour)}, 5, 5))
	w.must(w.Close())
	files, err := filepath.Glob(w.file + "*")
	w.must(err)
	hashes := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		w.must(err)
		if bytes.Contains(data, []byte("TOPSECRETCODE")) {
			t.Errorf("%s has the code", filepath.Base(file))
		}
		hashes += bytes.Count(data, InvitationHash("TOPSECRETCODE"))
	}
	if hashes == 0 {
		t.Error("the hash isn't there either, so this test shows nothing")
	}
}

// An invitation ends with its time, its revocation, and with the account, the wiki or
// the good standing of its inviter. Those of others don't.
func TestInvitationEnds(t *testing.T) {
	for name, end := range map[string]func(w *inviteWorld) error{
		"expired": func(w *inviteWorld) error { w.now = w.now.Add(14 * 24 * time.Hour); return nil },
		"revoked": func(w *inviteWorld) error {
			return w.RevokeInvitation(w.t.Context(), "did:plc:ada", "did:plc:ada", "id code")
		},
		"operator revoked":  func(w *inviteWorld) error { return w.RevokeInvitation(w.t.Context(), Operator, "", "id code") },
		"account suspended": func(w *inviteWorld) error { return w.SuspendUser(w.t.Context(), "did:plc:ada", "") },
		"resumed later": func(w *inviteWorld) error {
			return errors.Join(w.SuspendUser(w.t.Context(), "did:plc:ada", ""), w.ResumeUser(w.t.Context(), "did:plc:ada"))
		},
		"host suspended": func(w *inviteWorld) error {
			w.must(w.RecordSignIn(w.t.Context(), guest("ada"), "evil.test"))
			_, _, err := w.SuspendHost(w.t.Context(), "evil.test", "")
			_, err2 := w.ResumeHost(w.t.Context(), "evil.test")
			return errors.Join(err, err2)
		},
		"wiki suspended": func(w *inviteWorld) error { return w.SuspendSite(w.t.Context(), "ada", "") },
		"wiki deleted": func(w *inviteWorld) error {
			return w.ScheduleDeletion(w.t.Context(), "did:plc:ada", "ada", w.now.Add(time.Hour))
		},
		"account deleted": func(w *inviteWorld) error {
			return w.ScheduleUserDeletion(w.t.Context(), "did:plc:ada", w.now.Add(time.Hour))
		},
		"account kept after all": func(w *inviteWorld) error {
			return errors.Join(w.ScheduleUserDeletion(w.t.Context(), "did:plc:ada", w.now.Add(time.Hour)), w.CancelUserDeletion(w.t.Context(), "did:plc:ada"))
		},
		"used": func(w *inviteWorld) error { return w.newcomer(w.t.Context(), "eve", "code") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newInviteWorld(t)
			w.must(errors.Join(w.invite("ada", "code"), w.invite("bob", "other")))
			if i, err := w.Invitation(t.Context(), InvitationHash("code")); err != nil || i.Inviter.Handle != "ada.test" || !i.Open {
				t.Fatalf("%+v, %v", i, err)
			}
			w.must(end(w))
			if _, err := w.Invitation(t.Context(), InvitationHash("code")); !errors.Is(err, wiki.ErrGone) {
				t.Errorf("can be seen: %v", err)
			}
			if err := w.newcomer(t.Context(), "cleo", "code"); !errors.Is(err, wiki.ErrGone) {
				t.Errorf("can be used at sign-in: %v", err)
			}
			if err := w.UseInvitation(t.Context(), InvitationHash("code"), "did:plc:dan"); !errors.Is(err, wiki.ErrGone) || w.admitted("dan") {
				t.Errorf("can be used: %v", err)
			}
			if _, err := w.Invitation(t.Context(), InvitationHash("other")); name != "expired" && err != nil {
				t.Errorf("bob's ended too: %v", err)
			}
		})
	}
}

// People who can create a wiki anyway don't use up an invitation.
func TestInvitationNotNeeded(t *testing.T) {
	w := newInviteWorld(t)
	w.must(errors.Join(w.invite("ada", "one"), w.invite("ada", "two"), w.invite("", "operator's")))
	w.must(w.UseInvitation(t.Context(), InvitationHash("one"), "did:plc:bob")) // has a wiki
	w.must(w.UseInvitation(t.Context(), InvitationHash("one"), "did:plc:dan"))
	w.must(w.UseInvitation(t.Context(), InvitationHash("two"), "did:plc:dan")) // was admitted
	w.must(w.newcomer(t.Context(), "dan", "two"))                              // signs in again
	w.must(w.newcomer(t.Context(), "cleo", "operator's"))
	list, err := w.AllInvitations(t.Context())
	w.must(err)
	got := map[string]string{}
	for _, i := range list {
		got[i.ID] = fmt.Sprint(i.Inviter.Handle, " ", i.Guest.Handle, " ", i.Open)
	}
	for id, want := range map[string]string{"id one": "ada.test dan.test false", "id two": "ada.test  true", "id operator's": " cleo.test false"} {
		if got[id] != want {
			t.Errorf("%s: %q, want %q", id, got[id], want)
		}
	}
	if err := w.RevokeInvitation(t.Context(), "did:plc:bob", "did:plc:bob", "id two"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("bob revokes ada's: %v", err)
	}
	if err := w.RevokeInvitation(t.Context(), Operator, "", "id one"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a used one is revoked: %v", err)
	}
}

// A person has a few open invitations, and a few a day; that doesn't concern others.
func TestInvitationLimits(t *testing.T) {
	w := newInviteWorld(t)
	if err := w.invite("dan", "no wiki"); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("a person without a wiki invites: %v", err)
	}
	for n := range 5 {
		w.must(w.invite("ada", fmt.Sprint(n)))
	}
	if err := w.invite("ada", "6"); !errors.Is(err, wiki.ErrQuota) {
		t.Errorf("the sixth open one: %v", err)
	}
	w.must(w.RevokeInvitation(t.Context(), "did:plc:ada", "did:plc:ada", "id 0"))
	if err := w.invite("ada", "6"); !errors.Is(err, wiki.ErrTooMany) {
		t.Errorf("the sixth of a day: %v", err)
	}
	w.must(errors.Join(w.invite("bob", "b"), w.invite("", "o")))
	w.now = w.now.Add(24 * time.Hour)
	w.must(w.invite("ada", "6"))
	if err := w.invite("ada", "7"); !errors.Is(err, wiki.ErrQuota) {
		t.Errorf("the sixth open one, a day later: %v", err)
	}
}

// Old invitations that nobody used are deleted. Those that show who invited whom stay
// as long as both accounts, and the guest's right lasts longer.
func TestInvitationsSwept(t *testing.T) {
	w := newInviteWorld(t)
	w.must(errors.Join(w.invite("ada", "unused"), w.invite("ada", "used"), w.newcomer(t.Context(), "eve", "used")))
	count := func() int {
		list, err := w.AllInvitations(t.Context())
		w.must(err)
		return len(list)
	}
	w.must(w.SweepInvitations(t.Context(), w.now))
	if n := count(); n != 2 {
		t.Fatalf("%d invitations, want 2", n)
	}
	w.must(w.SweepInvitations(t.Context(), w.now.Add(15*24*time.Hour)))
	if n := count(); n != 1 {
		t.Errorf("%d invitations, want the used one", n)
	}
	w.must(w.ScheduleDeletionNow(t.Context(), "ada"))
	w.must(errors.Join(w.PurgeSite(t.Context(), "ada", []byte("h")), w.RemoveUser(t.Context(), "did:plc:ada", w.now.Add(-time.Second)), w.PurgeUser(t.Context(), "did:plc:ada", []byte("h"))))
	if n := count(); n != 0 || !w.admitted("eve") {
		t.Errorf("%d invitations; eve is admitted: %t", n, w.admitted("eve"))
	}
}
