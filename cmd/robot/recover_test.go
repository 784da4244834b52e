package main

import (
	"path/filepath"
	"testing"
	"time"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// A wiki restored from a backup after its deletion looks as it did.
func TestLooksAreRestored(t *testing.T) {
	t.Parallel()
	ctx, file := t.Context(), filepath.Join(t.TempDir(), "robot.db")
	db, err := store.Open(ctx, file, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(db.CreateSite(ctx, wiki.User{DID: "did:plc:ada", Handle: "ada.test"}, "ada", nil, 1))
	if _, icon, err := siteIn(ctx, file, "ada"); icon != nil || err != nil {
		t.Errorf("a wiki without an icon: %+v, %v", icon, err)
	}
	must(db.UpdateSite(ctx, "did:plc:ada", wiki.Site{Slug: "ada", Accent: "#0b5a66", Footer: "By *Ada*"}))
	must(db.SetSiteIcon(ctx, "did:plc:ada", "ada", store.SiteIcon{MIME: "image/png", Data: []byte("picture")}))
	was, icon, err := siteIn(ctx, file, "ada")
	must(err)
	if icon == nil || string(icon.Data) != "picture" || was.Icon != icon.ID {
		t.Fatalf("icon %+v of %+v", icon, was)
	}
	must(db.DropSite(ctx, "ada"))
	if _, err := db.SiteIcon(ctx, "ada"); err == nil {
		t.Error("a deleted wiki keeps its icon")
	}
	_, err = db.ReinstateSite(ctx, was, nil, 1)
	must(err)
	site, err := db.Site(ctx, "ada")
	must(err)
	if site.Accent != "#0b5a66" || site.Footer != "By *Ada*" || site.Icon != "" {
		t.Errorf("reinstated: %+v", site)
	}
	must(db.SetSiteIcon(ctx, store.Operator, "ada", *icon))
	if again, err := db.SiteIcon(ctx, "ada"); err != nil || again.ID != icon.ID {
		t.Errorf("%+v, %v", again, err)
	}
}
