package tenant

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// Attack: the owner of a wiki calls functions reserved for the operator.
func TestOperatorOnly(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	owner, caller := f.access(ada), wiki.Caller{User: ada}
	for name, call := range map[string]func() error{
		"suspend":         func() error { return f.Suspend(ctx, owner, "why") },
		"resume":          func() error { return f.Resume(ctx, owner) },
		"set limits":      func() error { return f.SetLimits(ctx, owner, wiki.Limits{Pages: 1 << 40}) },
		"fit limits":      func() error { return f.FitLimits(ctx, owner, wiki.Limits{Pages: 1 << 40}) },
		"remove":          func() error { return f.Remove(ctx, owner, true) },
		"reinstate":       func() error { _, err := f.Reinstate(ctx, caller, store.Site{}); return err },
		"remove a person": func() error { return f.RemovePerson(ctx, caller, bob.DID, true) },
		"reports":         func() error { _, err := f.OpenReports(ctx, caller); return err },
		"close a report":  func() error { return f.CloseReport(ctx, caller, 1) },
		"state":           func() error { _, err := f.State(ctx, owner); return err },
		"record an act":   func() error { return f.RecordAct(ctx, owner, "check") },
		"record takedown": func() error { return f.RecordTakedown(ctx, owner, "Home.md", "why") },
		"move people":     func() error { return f.MovePeople(ctx, caller, nil) },
		"move a wiki":     func() error { _, err := f.MoveSite(ctx, caller, store.MovedSite{}); return err },
		"reserve a name":  func() error { return f.ReserveName(ctx, caller, "name", false) },
		"reserved names":  func() error { _, err := f.ReservedNames(ctx, caller); return err },
		"transfer":        func() error { return f.Transfer(ctx, owner, bob.DID) },
	} {
		if err := call(); err != errOperator {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a := f.access(ada); a.Role() != wiki.Owner || a.Site().Limits != owner.Site().Limits {
		t.Errorf("the wiki changed: %v, %+v", a.Role(), a.Site())
	}
}

// Attack: links of local identities on a service whose people have accounts elsewhere, and
// invitations on a service that creates none.
func TestOtherSignUps(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"home":           func() error { return f.CreateHome(ctx, "mine", "") },
		"sign-in link":   func() error { _, err := f.NewSignInLink(ctx, f.access(ada), bob.DID); return err },
		"whose link":     func() error { _, err := f.SignInLinkPerson(ctx, "x"); return err },
		"use a link":     func() error { _, err := f.UseSignInLink(ctx, "x"); return err },
		"join link":      func() error { _, err := f.NewJoinLink(ctx, f.access(ada), wiki.Viewer); return err },
		"read join link": func() error { _, _, err := f.JoinLink(ctx, "x"); return err },
		"join":           func() error { _, err := f.Join(ctx, wiki.Caller{}, "x", "new"); return err },
		"link account":   func() error { return f.LinkAccount(ctx, wiki.Caller{User: bob}, ada) },
		"unlink account": func() error { return f.UnlinkAccount(ctx, wiki.Caller{User: bob}, ada.DID) },
		"linked account": func() error { _, err := f.LinkedAccount(ctx, wiki.Caller{User: bob}); return err },
		"whose account":  func() error { _, err := f.PersonOf(ctx, ada); return err },
	} {
		if err := call(); err != errNoLocal {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, call := range map[string]func() error{
		"new":    func() error { _, err := f.NewInvitation(ctx, wiki.Caller{Operator: true}); return err },
		"read":   func() error { _, err := f.Invitation(ctx, "x"); return err },
		"accept": func() error { return f.AcceptInvitation(ctx, wiki.Caller{User: bob}, "x") },
	} {
		if err := call(); err != errNoInvitations {
			t.Errorf("%s: %v", name, err)
		}
	}
	if can, err := f.CanInvite(ctx, wiki.Caller{User: ada}); can || err != nil {
		t.Errorf("ada can invite: %v, %v", can, err)
	}
}

// Attack: links for strangers, roles that can't be given away, and links used twice.
func TestHomeLinks(t *testing.T) {
	f := newFixture(t)
	f.local = true
	ctx := t.Context()
	owner := f.access(ada)
	if _, err := f.NewSignInLink(ctx, owner, dan.DID); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a link for someone who isn't a member: %v", err)
	}
	for _, role := range []wiki.Role{wiki.NoRole, wiki.Owner} {
		if _, err := f.NewJoinLink(ctx, owner, role); !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("an invitation as %v: %v", role, err)
		}
	}
	if _, err := f.UseSignInLink(ctx, "unknown"); err != ErrSignInLink {
		t.Errorf("an unknown sign-in link: %v", err)
	}
	if _, _, err := f.JoinLink(ctx, "unknown"); err != ErrJoinLink {
		t.Errorf("an unknown invitation: %v", err)
	}
	code, err := f.NewJoinLink(ctx, owner, wiki.Viewer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Join(ctx, wiki.Caller{User: bob}, code, ""); !errors.Is(err, wiki.ErrExists) || !strings.Contains(err.Error(), "still unused") {
		t.Errorf("a member joins: %v", err)
	}
	if _, err := f.Join(ctx, wiki.Caller{}, code, "No name!"); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("an invalid username: %v", err)
	}
	if _, err := f.Join(ctx, wiki.Caller{}, code, "newcomer"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Join(ctx, wiki.Caller{}, code, "another"); err != ErrJoinLink {
		t.Errorf("an invitation used twice: %v", err)
	}
	if err := f.RevokeJoinLink(ctx, owner, "unknown"); !errors.Is(err, wiki.ErrNotFound) || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("revoking an unknown invitation: %v", err)
	}
}

// Attack: callers without an account, and tokens with fewer rights than their person.
func TestAccountOnly(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	f.signup.ByInvitation = true
	for who, caller := range map[string]wiki.Caller{
		"nobody": {}, "a read-only token": {User: bob, ReadOnly: true}, "a wiki's token": {User: bob, Wiki: "ada"},
	} {
		for name, call := range map[string]func() error{
			"delete the account": func() error { return f.DeleteAccount(ctx, caller, AccountConfirmation(caller.User)) },
			"keep the account":   func() error { return f.KeepAccount(ctx, caller) },
			"invite":             func() error { _, err := f.NewInvitation(ctx, caller); return err },
			"invitations":        func() error { _, err := f.Invitations(ctx, caller); return err },
			"revoke":             func() error { return f.RevokeInvitation(ctx, caller, "x") },
			"accept":             func() error { return f.AcceptInvitation(ctx, caller, "x") },
		} {
			if err := call(); !errors.Is(err, wiki.ErrDenied) {
				t.Errorf("%s, %s: %v", who, name, err)
			}
		}
		if can, err := f.CanInvite(ctx, caller); can || err != nil {
			t.Errorf("%s can invite: %v, %v", who, can, err)
		}
	}
	if _, err := f.Invitation(ctx, "unknown"); err != ErrInvitation {
		t.Errorf("an unknown invitation: %v", err)
	}
	if err := f.AcceptInvitation(ctx, wiki.Caller{User: bob}, "unknown"); err != ErrInvitation {
		t.Errorf("accepting an unknown invitation: %v", err)
	}
	if err := f.RevokeInvitation(ctx, wiki.Caller{User: bob}, "unknown"); !errors.Is(err, wiki.ErrNotFound) || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("revoking an unknown invitation: %v", err)
	}
	bobs := wiki.Caller{User: bob, Session: "s"}
	if err := f.KeepAccount(ctx, bobs); !errors.Is(err, wiki.ErrNotFound) || !strings.Contains(err.Error(), "isn't scheduled") {
		t.Errorf("keeping an account that isn't being deleted: %v", err)
	}
	if err := f.DeleteAccount(ctx, bobs, AccountConfirmation(bob)); err != nil {
		t.Fatal(err)
	}
	if err := f.DeleteAccount(ctx, bobs, AccountConfirmation(bob)); !errors.Is(err, wiki.ErrExists) {
		t.Errorf("deleting it twice: %v", err)
	}
}

// Only members leave a wiki, and only with all of their rights.
func TestLeaveNeedsMembership(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	f.publish(true)
	resolve := func(c wiki.Caller) wiki.Access {
		a, err := f.Resolve(ctx, "ada", c)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for name, a := range map[string]wiki.Access{
		"a reader":          f.access(dan),
		"a read-only token": resolve(wiki.Caller{User: bob, ReadOnly: true}),
		"a wiki's token":    resolve(wiki.Caller{User: bob, Wiki: "ada"}),
	} {
		if err := f.Leave(ctx, a); !errors.Is(err, wiki.ErrDenied) {
			t.Errorf("%s leaves: %v", name, err)
		}
	}
	if !f.IsMember(ctx, f.access(ada), bob.DID) || f.IsMember(ctx, f.access(ada), "") || f.IsMember(ctx, wiki.Access{}, bob.DID) {
		t.Error("membership isn't told from none")
	}
}

// Reports are bounded, and offers and transfers refuse what makes no sense.
func TestRefusedReportsAndOffers(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	owner := f.access(ada)
	reason := Reasons[0].Key
	for field, r := range map[string]Report{
		"reason": {Page: "Home", Reason: "none of them"},
		"page":   {Page: strings.Repeat("a", 601), Reason: reason},
		"words":  {Page: "Home", Reason: reason, Words: strings.Repeat("a", 2001)},
	} {
		var problem *wiki.Problem
		if err := f.Report(ctx, owner, r); !errors.As(err, &problem) || problem.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := f.Offer(ctx, owner, ada.DID); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("offered to its owner: %v", err)
	}
	if err := f.Offer(ctx, owner, dan.DID); !errors.Is(err, wiki.ErrNotFound) || !strings.Contains(err.Error(), "Add them first") {
		t.Errorf("offered to someone who isn't a member: %v", err)
	}
	if _, err := f.Offered(ctx, f.access(bob)); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("an editor sees the offer: %v", err)
	}
	operator, err := f.Resolve(ctx, "ada", wiki.Caller{Operator: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Transfer(ctx, operator, ada.DID); !errors.Is(err, wiki.ErrExists) {
		t.Errorf("transferred to its owner: %v", err)
	}
	if err := f.Transfer(ctx, operator, "bob.test"); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("transferred to a handle: %v", err)
	}
	if err := f.DeleteAccount(ctx, wiki.Caller{User: bob, Session: "s"}, AccountConfirmation(bob)); err != nil {
		t.Fatal(err)
	}
	if err := f.Transfer(ctx, operator, bob.DID); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("transferred to an account that is being deleted: %v", err)
	}
	if err := f.RecordTakedown(ctx, operator, "Home.md", ""); err != nil {
		t.Errorf("a takedown that was lifted: %v", err)
	}
}

// Attack: more open links, or more wikis taken over, than one person or wiki may have.
// The numbers are written out here, so that raising a bound is a decision.
func TestNumberOfLinks(t *testing.T) {
	f := newFixture(t)
	f.local = true
	ctx := t.Context()
	owner := f.access(ada)
	var codes []string
	for range 6 {
		code, err := f.NewSignInLink(ctx, owner, bob.DID)
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, code)
	}
	if _, err := f.SignInLinkPerson(ctx, codes[0]); err != ErrSignInLink {
		t.Errorf("the oldest of six sign-in links: %v", err)
	}
	if who, err := f.SignInLinkPerson(ctx, codes[1]); err != nil || who.DID != bob.DID {
		t.Errorf("the second of six sign-in links: %v, %v", who, err)
	}
	for i := range 51 {
		if _, err := f.NewJoinLink(ctx, owner, wiki.Viewer); errors.Is(err, wiki.ErrQuota) != (i == 50) || err != nil && i < 50 {
			t.Fatalf("invitation %d: %v", i+1, err)
		}
	}
}

func TestNumberOfWikisTakenOver(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	for i := range 11 {
		slug := fmt.Sprint("owner", i)
		owner := person(slug)
		if err := f.db.SaveUser(ctx, wiki.User{DID: owner.DID, Handle: owner.Handle}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Create(ctx, owner, slug); err != nil {
			t.Fatal(err)
		}
		a, err := f.Resolve(ctx, slug, wiki.Caller{User: owner})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.SetMember(ctx, a, dan.DID, wiki.Viewer); err != nil {
			t.Fatal(err)
		}
		if err := f.Offer(ctx, a, dan.DID); err != nil {
			t.Fatal(err)
		}
		if err := f.Accept(ctx, wiki.Caller{User: dan}, slug); errors.Is(err, wiki.ErrQuota) != (i == 10) || err != nil && i < 10 {
			t.Fatalf("wiki %d: %v", i+1, err)
		}
	}
}

// The help wiki belongs to the program: nobody suspends, deletes or gets it, because the
// next start would fail for everybody.
func TestHelpStays(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	robot := wiki.User{DID: "did:web:help.invalid", Username: wiki.HelpSlug, Handle: "help.invalid"}
	operator := wiki.NewAccess(wiki.Site{Slug: wiki.HelpSlug, OwnerDID: robot.DID}, wiki.Caller{Operator: true}, wiki.Owner)
	for name, call := range map[string]func() error{
		"suspend":    func() error { return f.Suspend(ctx, operator, "why") },
		"delete":     func() error { return f.Remove(ctx, operator, false) },
		"delete now": func() error { return f.Remove(ctx, operator, true) },
		"offer":      func() error { return f.Offer(ctx, operator, bob.DID) },
		"transfer":   func() error { return f.Transfer(ctx, operator, bob.DID) },
		"its owner":  func() error { return f.CheckPerson(robot) },
	} {
		if err := call(); err != errHelp {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := f.CheckPerson(ada); err != nil {
		t.Errorf("another person: %v", err)
	}
}

// Attack: a person wants the name of another person, or of a wiki of theirs.
func TestTakenUsernames(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	second := wiki.User{DID: ada.DID, Username: "ada", Handle: ada.Handle}
	f.maxWikis = 2
	if _, err := f.Create(ctx, second, "boats"); err != nil {
		t.Fatal(err)
	}
	eve := wiki.User{DID: "did:plc:eve", Handle: "eve.test"}
	for _, name := range []string{"ada", "boats", "bob"} {
		if err := f.CheckUsername(ctx, eve, name); !errors.Is(err, wiki.ErrExists) || !strings.Contains(err.Error(), "is taken") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := f.CheckUsername(ctx, eve, "eves-notes"); err != nil {
		t.Errorf("a free name: %v", err)
	}
	if name, err := f.ProposeUsername(ctx, ada); err != nil || name != "" {
		t.Errorf("proposed %q for a third wiki, %v", name, err)
	}
}

// Texts of an account's former service become one line, whatever they have.
func TestFitLine(t *testing.T) {
	for text, want := range map[string]string{
		"  a\tb\r\nc ": "a b c", "a\u202eb": "a b", "a\x00b": "a b", "a\xffb": "ab", "abcdefghijk": "abcdefghij", "äöüäöüäöüäö": "äöüäöüäöüä", "abcdefghi j": "abcdefghi",
	} {
		if got := fitLine(text, 10); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// What the operator does is in the audit log in the operator's name.
func TestAuditNamesTheOperator(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	operator, err := f.Resolve(ctx, "ada", wiki.Caller{User: bob, Operator: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, why := range []string{"court order", ""} {
		if err := f.RecordTakedown(ctx, operator, "Home.md", why); err != nil {
			t.Fatal(err)
		}
	}
	events, err := f.store.Audit(ctx, "ada", 2)
	if err != nil || len(events) != 2 || events[0].Action != "page.release" || events[0].Detail != "Home.md" || events[1].Action != "page.withhold" || events[1].Detail != "Home.md: court order" {
		t.Errorf("%+v, %v", events, err)
	}
	if who := actor(operator); who != wiki.OperatorName {
		t.Errorf("the operator is %q", who)
	}
	if who := actor(f.access(bob)); who != bob.DID {
		t.Errorf("an editor is %q", who)
	}
}

// A stranger can't find out who the members of a private wiki are.
func TestMembershipIsNotToldToStrangers(t *testing.T) {
	f := newFixture(t)
	stranger := wiki.NewAccess(f.access(ada).Site(), wiki.Caller{User: dan}, wiki.NoRole)
	if f.IsMember(t.Context(), stranger, bob.DID) {
		t.Error("a stranger learns that bob is a member of a private wiki")
	}
	if !f.IsMember(t.Context(), f.access(cleo), bob.DID) || f.IsMember(t.Context(), f.access(cleo), "") {
		t.Error("a member doesn't see who else is one")
	}
}
