package tenant

import (
	"errors"
	"sync"
	"testing"

	"robot.wtf/internal/wiki"
)

// Names of mail and discovery, and those that the operator reserves, are for no new
// wiki. Their owners keep them.
func TestReservedNames(t *testing.T) {
	f := newFixture(t)
	ctx, operator := t.Context(), wiki.Caller{Operator: true}
	eve := wiki.User{DID: "did:plc:eve", Handle: "eve.test"}
	if err := f.db.SaveUser(ctx, eve); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ftp", "imap", "ns1", "mta-sts", "autoconfig", "autodiscover", "security", "abuse", "postmaster", "wpad"} {
		if _, err := f.Create(ctx, eve, name); !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("created %s: %v", name, err)
		}
		if err := wiki.CheckHost(name); err != nil {
			t.Errorf("an older wiki %s lost its address: %v", name, err)
		}
	}
	if err := f.db.CreateSite(ctx, eve, "ftp", f.holderHash(eve.DID), 1); err != nil { // by an older version
		t.Fatal(err)
	}
	eve.Username = "ftp"
	if site, err := f.Create(ctx, eve, "ftp"); err != nil || site.Slug != "ftp" {
		t.Errorf("the owner of ftp: %+v, %v", site, err)
	}

	for _, name := range []string{"town-hall", "ada"} {
		if err := f.ReserveName(ctx, operator, name, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.ReserveName(ctx, operator, "ada", false); !errors.Is(err, wiki.ErrExists) {
		t.Errorf("reserved twice: %v", err)
	}
	if err := f.ReserveName(ctx, wiki.Caller{User: eve}, "mine", false); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("reserved by a person: %v", err)
	}
	mal := wiki.User{DID: "did:plc:mal", Handle: "town-hall.test"}
	if err := f.db.SaveUser(ctx, mal); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Create(ctx, mal, "town-hall"); !errors.Is(err, wiki.ErrExists) {
		t.Errorf("created a reserved wiki: %v", err)
	}
	if name, err := f.ProposeUsername(ctx, mal); err != nil || name == "town-hall" {
		t.Errorf("proposed %q, %v", name, err)
	}
	ada, err := f.db.User(ctx, "did:plc:ada")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Resolve(ctx, "ada", wiki.Caller{User: ada}); err != nil {
		t.Errorf("the owner of a reserved name: %v", err)
	}
	if names, err := f.ReservedNames(ctx, operator); err != nil || len(names) != 2 {
		t.Errorf("%q, %v", names, err)
	}
	if err := f.ReserveName(ctx, operator, "town-hall", true); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Create(ctx, mal, "town-hall"); err != nil {
		t.Errorf("a released name: %v", err)
	}
}

// A name that is reserved while somebody creates its wiki is theirs, or free of a wiki.
func TestReserveRace(t *testing.T) {
	f := newFixture(t)
	eve := wiki.User{DID: "did:plc:eve", Handle: "eve.test"}
	if err := f.db.SaveUser(t.Context(), eve); err != nil {
		t.Fatal(err)
	}
	var created, reserved error
	var both sync.WaitGroup
	both.Go(func() { _, created = f.Create(t.Context(), eve, "garden") })
	both.Go(func() { reserved = f.ReserveName(t.Context(), wiki.Caller{Operator: true}, "garden", false) })
	both.Wait()
	if reserved != nil || created != nil && !errors.Is(created, wiki.ErrExists) {
		t.Errorf("created: %v, reserved: %v", created, reserved)
	}
	if _, err := f.Resolve(t.Context(), "garden", wiki.Caller{User: eve}); (err == nil) != (created == nil) {
		t.Errorf("created: %v, but the wiki: %v", created, err)
	}
}
