package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// Attack: a server of spammers signs up one account after another. Suspending the host
// locks out all of them, also at subdomains and in future, and nobody else. Other
// suspensions outlast it.
func TestSuspendHost(t *testing.T) {
	ctx := t.Context()
	now := time.Now()
	db, err := Open(ctx, filepath.Join(t.TempDir(), "robot.db"), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	person := func(name string) wiki.User {
		return wiki.User{DID: "did:plc:" + name, Handle: name + ".test"}
	}
	for name, host := range map[string]string{"eve1": "pds.evil.test", "eve2": "evil.test", "eve3": "evil.test", "ada": "notevil.test", "bob": "pds.test"} {
		if err := errors.Join(db.RecordSignIn(ctx, person(name), host), db.CreateSite(ctx, person(name), name, nil, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(db.SuspendUser(ctx, "did:plc:eve2", "Rude."), db.SuspendSite(ctx, "eve3", "Takeover.")); err != nil {
		t.Fatal(err)
	}
	state := func() (all string) {
		for _, name := range []string{"ada", "bob", "eve1", "eve2", "eve3"} {
			u, err := db.User(ctx, "did:plc:"+name)
			site, err2 := db.Site(ctx, name)
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			all += fmt.Sprintf("%s:%t/%t ", name, u.Suspended, !site.Suspended.IsZero())
		}
		return all
	}
	before := state()
	now = now.Add(time.Second) // the time of a suspension identifies it
	accounts, slugs, err := db.SuspendHost(ctx, "evil.test", "Spam.")
	if err != nil || accounts != 2 || len(slugs) != 1 {
		t.Fatalf("%d accounts, %v, %v; want eve1 and eve3, and the wiki of eve1", accounts, slugs, err)
	}
	if got, want := state(), "ada:false/false bob:false/false eve1:true/true eve2:true/true eve3:true/true "; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for host, suspended := range map[string]bool{"evil.test": true, "a.b.evil.test": true, "notevil.test": false, "test": false, "": false} {
		if err := db.CheckHost(ctx, host); errors.Is(err, wiki.ErrSuspended) != suspended {
			t.Errorf("%s: %v", host, err)
		}
	}
	if err := db.RecordSignIn(ctx, person("eve4"), "new.evil.test"); !errors.Is(err, wiki.ErrSuspended) {
		t.Errorf("a new account: %v", err)
	}
	if _, err := db.User(ctx, "did:plc:eve4"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a refused account was stored: %v", err)
	}
	if _, _, err := db.SuspendHost(ctx, "evil.test", ""); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("suspended twice: %v", err)
	}
	hosts, err := db.AllHosts(ctx)
	if err != nil || len(hosts) != 4 || hosts[0].Host != "evil.test" || hosts[0].Accounts != 2 || hosts[0].Suspended.IsZero() || hosts[0].Why != "Spam." || hosts[0].Wikis != 2 {
		t.Errorf("%+v, %v", hosts, err)
	}
	if accounts, err := db.ResumeHost(ctx, "evil.test"); err != nil || accounts != 2 {
		t.Errorf("resumed %d, %v", accounts, err)
	}
	if got := state(); got != before {
		t.Errorf("after lifting: %s\nwant %s", got, before)
	}
	events, err := db.AuditAll(ctx, "", 2)
	if err != nil || len(events) != 2 || events[0].Action != "host.resume" || events[1].Action != "host.suspend" || events[1].Detail != "evil.test Spam." {
		t.Errorf("audit log: %+v, %v", events, err)
	}
}
