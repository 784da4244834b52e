package atproto

import (
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// Members' handles are verified once a day. Only a contradiction takes one away.
func TestSweep(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.accounts[eveDID] = account{handle: "eve.test", pds: "https://pds.test"}
	w.knows("ada.test")
	if err := w.db.CreateSite(ctx, wiki.User{DID: adaDID, Handle: "ada.test"}, "ada", nil, 1); err != nil {
		t.Fatal(err)
	}
	if err := w.db.Invite(ctx, adaDID, "ada", wiki.User{DID: eveDID, Handle: "eve.test"}, wiki.Editor, 3); err != nil {
		t.Fatal(err)
	}
	const outsider = "did:plc:outoutoutoutoutoutoutout"
	if err := w.db.RecordSignIn(ctx, wiki.User{DID: outsider, Handle: "out.new.test"}, "pds.test"); err != nil {
		t.Fatal(err)
	}
	day := 24*time.Hour + time.Second
	for _, step := range []struct {
		name     string
		wait     time.Duration
		change   func()
		ada, eve string
		asks     bool
	}{
		{"checked today", time.Hour, func() { w.handles["ada.test"] = "" }, "ada.test", "eve.test", false},
		{"hosts fail", day, func() { w.handlers[wellKnown], w.noDNS["eve.test"] = status(503), true }, "ada.test", "eve.test", true},
		{"and were checked", time.Hour, func() { clear(w.handlers); clear(w.noDNS) }, "ada.test", "eve.test", false},
		{"PLC fails", day, func() { w.handlers["plc.test/"+adaDID] = status(500) }, "ada.test", "eve.test", true},
		{"Ada's handle is gone", day, func() { clear(w.handlers) }, wiki.InvalidHandle, "eve.test", true},
		{"Eve takes it", day, func() {
			w.handles["ada.test"] = eveDID
			w.accounts[eveDID] = account{handle: "ada.test", pds: "https://pds.test"}
		}, wiki.InvalidHandle, "ada.test", true},
		{"Ada has another", day, func() {
			w.handles["new.test"] = adaDID
			w.accounts[adaDID] = account{handle: "new.test", pds: "https://pds.test"}
		}, "new.test", "ada.test", true},
	} {
		w.mu.Lock()
		w.now, w.asked = w.now.Add(step.wait), nil
		step.change()
		w.mu.Unlock()
		if err := w.service.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		for did, want := range map[string]string{adaDID: step.ada, eveDID: step.eve, outsider: "out.new.test"} {
			if u, err := w.db.User(ctx, did); err != nil || u.Handle != want {
				t.Errorf("%s: %s has %s, want %s: %v", step.name, did, u.Handle, want, err)
			}
		}
		if asks := len(w.asked) > 0; asks != step.asks {
			t.Errorf("%s: asked for %v", step.name, w.asked)
		}
	}
}

// While an account is checked, another can verify its handle. A check that learns nothing
// doesn't take the handle back.
func TestRecheckTakesNoHandle(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.knows("ada.test")
	before, err := w.db.User(ctx, adaDID)
	if err == nil {
		err = w.db.RecordSignIn(ctx, wiki.User{DID: eveDID, Handle: "ada.test"}, "pds.test")
	}
	if err != nil {
		t.Fatal(err)
	}
	w.handlers["plc.test/"+adaDID] = status(500)
	w.service.recheck(ctx, before)
	if u, err := w.db.User(ctx, eveDID); err != nil || before.Handle != "ada.test" || u.Handle != "ada.test" {
		t.Errorf("ada had %s, eve has %s: %v", before.Handle, u.Handle, err)
	}
}

// An invited account takes its handle from the account that had it before.
func TestInviteTakesTheHandle(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.knows("ada.test")
	if err := w.db.CreateSite(ctx, wiki.User{DID: adaDID, Handle: "ada.test"}, "ada", nil, 1); err != nil {
		t.Fatal(err)
	}
	w.handles["ada.test"], w.accounts[eveDID] = eveDID, account{handle: "ada.test", pds: "https://pds.test"}
	found, err := w.service.Find(ctx, adaDID, "ada.test")
	if err == nil {
		err = w.db.Invite(ctx, adaDID, "ada", found, wiki.Editor, 3)
	}
	if err != nil {
		t.Fatal(err)
	}
	members, err := w.db.Members(ctx, "ada")
	if err != nil || len(members) != 2 || members[0].User.Handle != wiki.InvalidHandle || members[1].User.Handle != "ada.test" || members[1].User.DID != eveDID {
		t.Errorf("%+v, %v", members, err)
	}
	if did, err := w.db.DIDOfHandle(ctx, "ada.test"); err != nil || did != eveDID {
		t.Errorf("%s, %v", did, err)
	}
}
