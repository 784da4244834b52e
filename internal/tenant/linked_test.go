package tenant

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"robot.wtf/internal/wiki"
)

// joined returns a new local identity that is a member of ada's wiki.
func (f *fixture) joined(name string) wiki.Caller {
	f.t.Helper()
	code, err := f.NewJoinLink(f.t.Context(), f.access(ada), wiki.Editor)
	if err != nil {
		f.t.Fatal(err)
	}
	who, err := f.Join(f.t.Context(), wiki.Caller{}, code, name)
	if err != nil {
		f.t.Fatal(err)
	}
	return wiki.Caller{User: who}
}

func TestLinkedAccounts(t *testing.T) {
	f := newFixture(t)
	f.local, f.limits.Members = true, 20
	ctx := t.Context()
	lia, max := f.joined("lia"), f.joined("max")
	account := wiki.User{DID: "did:plc:lialialialialialialialia", Handle: "lia.test"}
	other := wiki.User{DID: "did:plc:otherotherotherotherothe", Handle: "other.test"}
	says := func(err error, kind error, words string) {
		t.Helper()
		if !errors.Is(err, kind) || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %q", err, words)
		}
	}
	_, err := f.PersonOf(ctx, account)
	says(err, wiki.ErrDenied, "@lia.test isn't linked to anybody here.")
	if err := f.LinkAccount(ctx, lia, account); err != nil {
		t.Fatal(err)
	}
	account.Handle = "lia.example"
	if who, err := f.PersonOf(ctx, account); err != nil || who.DID != lia.User.DID || who.Username != "lia" {
		t.Errorf("the account signs in %+v, %v", who, err)
	}
	if a, err := f.LinkedAccount(ctx, lia); err != nil || a.DID != account.DID || a.Handle != "lia.example" {
		t.Errorf("%+v, %v", a, err)
	}
	if err := f.LinkAccount(ctx, lia, account); err != nil {
		t.Errorf("twice: %v", err)
	}
	says(f.LinkAccount(ctx, lia, other), wiki.ErrExists, "You have linked lia.example already. Unlink it first.")
	says(f.LinkAccount(ctx, max, account), wiki.ErrExists, "@lia.example belongs to somebody else here")

	// Members who are known by an account have no local identity.
	says(f.LinkAccount(ctx, max, ada), wiki.ErrExists, "belongs to somebody else here")
	says(f.LinkAccount(ctx, wiki.Caller{User: ada}, other), wiki.ErrDenied, "Only a person who signed in here")
	if who, err := f.PersonOf(ctx, ada); err != nil || who.DID != ada.DID {
		t.Errorf("a member's own account signs in %+v, %v", who, err)
	}
	agent := max
	agent.Grant = "g"
	says(f.LinkAccount(ctx, agent, other), wiki.ErrDenied, "Only a person who signed in here")

	says(f.UnlinkAccount(ctx, max, account.DID), wiki.ErrNotFound, "unlinked before")
	if err := f.UnlinkAccount(ctx, lia, account.DID); err != nil {
		t.Fatal(err)
	}
	_, err = f.PersonOf(ctx, account)
	says(err, wiki.ErrDenied, "isn't linked to anybody here")
	if err := f.LinkAccount(ctx, max, account); err != nil {
		t.Errorf("after it was unlinked: %v", err)
	}
}

// Attack: several people prove the same account at once. It signs in one of them.
func TestLinkedAccountRace(t *testing.T) {
	f := newFixture(t)
	f.local, f.limits.Members = true, 20
	account := wiki.User{DID: "did:plc:lialialialialialialialia", Handle: "lia.test"}
	var linked atomic.Int64
	var race sync.WaitGroup
	for i := range 8 {
		who := f.joined(fmt.Sprint("person", i))
		race.Go(func() {
			if err := f.LinkAccount(t.Context(), who, account); err == nil {
				linked.Add(1)
			} else if !errors.Is(err, wiki.ErrExists) {
				t.Error(err)
			}
		})
	}
	race.Wait()
	if linked.Load() != 1 {
		t.Errorf("linked to %d people", linked.Load())
	}
}
