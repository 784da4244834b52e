package tenant

import (
	"context"
	"errors"
	"sync"
	"testing"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// newMember adds a member with a wiki of their own to ada's.
func (f *fixture) newMember(t *testing.T, name string, role wiki.Role) wiki.Caller {
	t.Helper()
	f.limits.Members = 10
	u := wiki.User{DID: "did:plc:" + name, Handle: name + ".test"}
	if err := f.db.SaveUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Create(t.Context(), u, name); err != nil {
		t.Fatal(err)
	}
	f.member(u, role)
	u.Username = name
	return wiki.Caller{User: u}
}

func (f *fixture) roleIn(t *testing.T, did string) wiki.Role {
	t.Helper()
	a, err := f.Resolve(t.Context(), "ada", wiki.Caller{User: wiki.User{DID: did}})
	if err != nil {
		return wiki.NoRole
	}
	return a.Role()
}

func (f *fixture) addToken(t *testing.T, did string) {
	t.Helper()
	if err := f.db.AddToken(t.Context(), "secret of "+did, &store.Token{ID: "t " + did, Slug: "ada", DID: did, Name: "ci"}, 20); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) tokens(t *testing.T, did string) int {
	t.Helper()
	list, err := f.db.Tokens(t.Context(), "ada", did)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// An owner hands a wiki to a member who accepts it. Nobody else can accept it, and
// nothing changes before.
func TestHandOver(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	ada := person("ada")
	wen, eve := f.newMember(t, "wen", wiki.Viewer), f.newMember(t, "eve", wiki.Editor)
	f.addToken(t, ada.DID)
	f.addToken(t, wen.User.DID)
	if err := f.Configure(ctx, f.access(ada), Settings{AsHandle: true}); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"not offered":    f.Accept(ctx, wen, "ada"),
		"a stranger":     f.Offer(ctx, f.access(ada), "did:plc:nobody"),
		"a member's own": f.Offer(ctx, f.access(wen.User), wen.User.DID),
		"missing wiki":   f.Accept(ctx, wen, "nosuch"),
	} {
		if !errors.Is(err, wiki.ErrNotFound) && !errors.Is(err, wiki.ErrDenied) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := f.Offer(ctx, f.access(ada), wen.User.DID); err != nil {
		t.Fatal(err)
	}
	readOnly := wen
	readOnly.ReadOnly = true
	if f.Accept(ctx, eve, "ada") == nil || f.Decline(ctx, eve, "ada") == nil || f.Accept(ctx, readOnly, "ada") == nil {
		t.Error("somebody else answered the offer")
	}
	if offers, err := f.Offers(ctx, wen); err != nil || len(offers) != 1 || f.roleIn(t, ada.DID) != wiki.Owner || f.tokens(t, ada.DID) != 1 {
		t.Errorf("before: %v, %v", offers, err)
	}
	if err := f.Accept(ctx, wen, "ada"); err != nil {
		t.Fatal(err)
	}
	if f.roleIn(t, wen.User.DID) != wiki.Owner || f.roleIn(t, ada.DID) != wiki.Editor || f.roleIn(t, eve.User.DID) != wiki.Editor {
		t.Error("the roles are wrong")
	}
	if f.tokens(t, ada.DID) != 0 || f.tokens(t, wen.User.DID) != 1 {
		t.Error("the wrong tokens ended")
	}
	if _, err := f.HandleDID(ctx, "ada"); err == nil {
		t.Error("the host is still the former owner's handle")
	}
	if f.Accept(ctx, wen, "ada") == nil {
		t.Error("accepted twice")
	}
	events, err := f.db.Audit(ctx, "ada", 1)
	if err != nil || events[0].Action != "site.transfer" || events[0].Detail != ada.DID+" "+wen.User.DID || events[0].Actor != wen.User.DID {
		t.Errorf("audit: %+v, %v", events, err)
	}
	for did, want := range map[string]string{ada.DID: "ada belongs to wen now. Your tokens and agents there have ended.", wen.User.DID: "You own ada now. Ada handed it to you."} {
		if list, err := f.Notices(ctx, did); err != nil || len(list) != 1 || list[0].Text != want {
			t.Errorf("notices of %s: %+v, %v", did, list, err)
		}
	}
	if err := f.RemoveMember(ctx, f.access(wen.User), ada.DID); err != nil {
		t.Error(err)
	}
	// The name of the person's first wiki is taken, so another one has another name.
	if _, err := f.Create(ctx, ada, "harbor"); err != nil {
		t.Error(err)
	}
}

// A removed member, a withdrawn offer and a wiki that is being deleted can't be
// accepted.
func TestOffersEnd(t *testing.T) {
	for what, end := range map[string]func(f *fixture, wen wiki.Caller) error{
		"removed": func(f *fixture, wen wiki.Caller) error {
			return f.RemoveMember(context.Background(), f.access(person("ada")), wen.User.DID)
		},
		"withdrawn": func(f *fixture, _ wiki.Caller) error {
			return f.Offer(context.Background(), f.access(person("ada")), "")
		},
		"declined": func(f *fixture, wen wiki.Caller) error { return f.Decline(context.Background(), wen, "ada") },
		"deleted": func(f *fixture, _ wiki.Caller) error {
			return f.DeleteWiki(context.Background(), f.access(person("ada")), "ada")
		},
	} {
		f := newFixture(t)
		wen := f.newMember(t, "wen", wiki.Editor)
		if err := errors.Join(f.Offer(t.Context(), f.access(person("ada")), wen.User.DID), end(f, wen)); err != nil {
			t.Fatal(what, err)
		}
		if err := f.Accept(t.Context(), wen, "ada"); !errors.Is(err, wiki.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
		if did, err := f.db.OfferedTo(t.Context(), "ada"); err != nil || did != "" && what != "deleted" {
			t.Errorf("%s: still offered to %q, %v", what, did, err)
		}
	}
}

// Attack: an offer is withdrawn, or made to somebody else, while it is accepted. There
// is one owner, and what the winner was told is true.
func TestOfferRaces(t *testing.T) {
	for range 20 {
		f := newFixture(t)
		wen, eve := f.newMember(t, "wen", wiki.Editor), f.newMember(t, "eve", wiki.Editor)
		owner := f.access(person("ada"))
		if err := f.Offer(t.Context(), owner, wen.User.DID); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		var byWen, byEve, moved error
		all.Go(func() { byWen = f.Accept(context.Background(), wen, "ada") })
		all.Go(func() { moved = f.Offer(context.Background(), owner, eve.User.DID) })
		all.Go(func() { byEve = f.Accept(context.Background(), eve, "ada") })
		all.Wait()
		site, err := f.db.Site(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		want := "did:plc:ada"
		if byWen == nil {
			want = wen.User.DID
		}
		if byEve == nil {
			want = eve.User.DID
		}
		if site.OwnerDID != want || byWen == nil && byEve == nil || byWen == nil && moved == nil {
			t.Errorf("the owner is %s; accepted: %v, %v; offered again: %v", site.OwnerDID, byWen, byEve, moved)
		}
	}
}

// The operator gives a wiki to another DID, even one that never signed in. The former
// owner has no access.
func TestTransferByOperator(t *testing.T) {
	f := newFixture(t)
	ctx, ada := t.Context(), person("ada")
	f.addToken(t, ada.DID)
	operator, err := f.Resolve(ctx, "ada", wiki.Caller{Operator: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Transfer(ctx, f.access(ada), "did:plc:new"); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("the owner used the operator's transfer: %v", err)
	}
	if err := f.Transfer(ctx, operator, "new.test"); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("not a DID: %v", err)
	}
	if err := f.Transfer(ctx, operator, "did:plc:new"); err != nil {
		t.Fatal(err)
	}
	if f.roleIn(t, "did:plc:new") != wiki.Owner || f.roleIn(t, ada.DID) != wiki.NoRole || f.tokens(t, ada.DID) != 0 {
		t.Error("the roles or tokens are wrong")
	}
	if list, err := f.Notices(ctx, "did:plc:new"); err != nil || len(list) != 1 || list[0].Text != "The operator made you the owner of ada." {
		t.Errorf("notices: %+v, %v", list, err)
	}
}
