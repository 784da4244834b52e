package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// Of many clients and requests without a grant, the newest are kept. Clients with a
// grant stay.
func TestSweepKeepsTheNewest(t *testing.T) {
	ctx := t.Context()
	ada := wiki.User{DID: "did:plc:ada", Handle: "ada.test"}
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	db, err := Open(ctx, filepath.Join(t.TempDir(), "robot.db"), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.CreateSite(ctx, ada, "ada", nil, 1); err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 30 {
		must(db.AddClient(ctx, &Client{ID: fmt.Sprint("r", i), Auth: "none"}))
		must(db.SaveDocument(ctx, &Client{ID: fmt.Sprint("https://d/", i), Auth: "none", FreshUntil: now}))
		must(db.AddRequest(ctx, fmt.Sprint("q", i), "{}", "flood", now.Add(time.Hour)))
		now = now.Add(time.Second)
	}
	for _, client := range []string{"r0", "https://d/0"} {
		must(db.AddConsent(ctx, client, Consent{Slug: "ada", DID: ada.DID, Client: client}, now.Add(time.Minute)))
		_, err := db.SpendCode(ctx, client, 20, func(c Consent) (*Grant, Refresh, error) {
			return &Grant{ID: c.Client, Slug: "ada", DID: ada.DID, Client: c.Client, Created: now, Expires: now.Add(time.Hour)},
				Refresh{Secret: c.Client, Expires: now.Add(time.Hour)}, nil
		})
		must(err)
	}
	must(db.SweepOAuth(ctx, now.Add(-time.Hour), 10))
	for i := range 30 {
		want := i >= 20 || i == 0
		for _, id := range []string{fmt.Sprint("r", i), fmt.Sprint("https://d/", i)} {
			if _, err := db.Client(ctx, id); (err == nil) != want {
				t.Errorf("client %s: %v", id, err)
			}
		}
		if _, err := db.Request(ctx, fmt.Sprint("q", i)); (err == nil) != (i >= 20) {
			t.Errorf("request %d: %v", i, err)
		}
	}
}
