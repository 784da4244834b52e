package tenant

import (
	"errors"
	"testing"

	"robot.wtf/internal/wiki"
)

// A person can own as many wikis as the operator allows. The first has their name,
// and the refusal of another one says whom to ask.
func TestWikisPerPerson(t *testing.T) {
	f := newFixture(t)
	f.maxWikis, f.contact = 2, "ops@wiki.example"
	ctx := t.Context()
	ada, err := f.db.User(ctx, "did:plc:ada")
	if err != nil {
		t.Fatal(err)
	}
	if ada.Username != "ada" {
		t.Fatalf("%+v", ada)
	}
	if _, err := f.Create(ctx, ada, "garden"); err != nil {
		t.Fatal(err)
	}
	if now, err := f.db.User(ctx, ada.DID); err != nil || now.Username != "ada" {
		t.Errorf("the username is %q, %v", now.Username, err)
	}
	_, err = f.Create(ctx, ada, "kitchen")
	if !errors.Is(err, wiki.ErrQuota) || err.Error() != "You already have 2 wikis, which is the limit. If you need more, ask the operator: ops@wiki.example." {
		t.Errorf("a third wiki: %v", err)
	}
}
