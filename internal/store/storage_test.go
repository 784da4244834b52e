package store

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// A write that fails on a full or read-only disk is wiki.ErrStorage with a message
// for people, changes nothing, and succeeds once the disk works again.
func TestWritesOnFailingStorage(t *testing.T) {
	ctx := t.Context()
	long := strings.Repeat("x", 1<<20) // needs new pages
	ada, bob := wiki.User{DID: "did:plc:ada", Handle: "ada.test"}, wiki.User{DID: "did:plc:bob", Handle: "bob.test"}
	writes := []struct {
		name  string
		write func(*DB) error
	}{
		{"settings", func(db *DB) error {
			return db.UpdateSite(ctx, ada.DID, wiki.Site{Slug: "ada", Description: long})
		}},
		{"member", func(db *DB) error {
			return db.Invite(ctx, ada.DID, "ada", wiki.User{DID: "did:plc:cleo", Name: long}, wiki.Editor, 3)
		}},
		{"session", func(db *DB) error {
			return db.StartSession(ctx, Session{ID: "s", DID: bob.DID, Browser: long, Expires: time.Now().Add(time.Hour)})
		}},
		{"user", func(db *DB) error {
			return db.RecordSignIn(ctx, wiki.User{DID: bob.DID, Handle: bob.Handle, Name: long}, "pds.test")
		}},
		{"token", func(db *DB) error {
			return db.AddToken(ctx, "secret", &Token{ID: "1", Slug: "ada", DID: ada.DID, Name: long}, 20)
		}},
		{"consent", func(db *DB) error { return db.AddConsent(ctx, "code", Consent{Name: long}, time.Now().Add(time.Hour)) }},
	}
	disks := []struct {
		name, fail, heal, message string
	}{
		{"full", "PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000000", "The server's disk is full. "}, // 1 means the current size
		{"read-only", "PRAGMA query_only = 1", "PRAGMA query_only = 0", "The server's storage isn't working. "},
	}
	for _, disk := range disks {
		for _, w := range writes {
			t.Run(disk.name+"/"+w.name, func(t *testing.T) {
				db := open(t, filepath.Join(t.TempDir(), "robot.db"))
				db.sql.SetMaxOpenConns(1) // pragmas are per connection
				if err := errors.Join(db.CreateSite(ctx, ada, "ada", nil, 1), db.SaveUser(ctx, bob)); err != nil {
					t.Fatal(err)
				}
				before := countRows(t, db)
				execSQL(t, db, disk.fail)
				err := w.write(db)
				var told *wiki.Problem
				if !errors.Is(err, wiki.ErrStorage) || !errors.As(err, &told) {
					t.Fatalf("not a storage error with a message for people: %v", err)
				}
				if want := disk.message + "Nothing was lost or changed: try again later."; told.Message != want {
					t.Errorf("message %q, want %q", told.Message, want)
				}
				execSQL(t, db, disk.heal)
				if after := countRows(t, db); after != before {
					t.Errorf("the failed write changed %s to %s", before, after)
				}
				if err := w.write(db); err != nil {
					t.Errorf("after the disk works again: %v", err)
				}
			})
		}
	}
}

func execSQL(t *testing.T, db *DB, query string) {
	t.Helper()
	if _, err := db.sql.ExecContext(context.Background(), query); err != nil {
		t.Fatal(err)
	}
}

// countRows counts the rows of the tables that the writes change.
func countRows(t *testing.T, db *DB) string {
	t.Helper()
	var text string
	err := db.sql.QueryRow(`SELECT printf('%d users (%d), %d sites (%d), %d members, %d sessions, %d tokens, %d codes, %d audit',
		(SELECT count(*) FROM users), (SELECT sum(length(name)) FROM users), (SELECT count(*) FROM sites), (SELECT sum(length(description)) FROM sites),
		(SELECT count(*) FROM members), (SELECT count(*) FROM sessions), (SELECT count(*) FROM tokens), (SELECT count(*) FROM oauth_codes), (SELECT count(*) FROM audit))`).Scan(&text)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
