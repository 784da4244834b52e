package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

func newDomainDB(t *testing.T, now func() time.Time, wikis ...string) *DB {
	t.Helper()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "robot.db"), now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, slug := range wikis {
		if err := db.CreateSite(t.Context(), wiki.User{DID: "did:plc:" + slug, Username: slug}, slug, nil, 1); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func connect(t *testing.T, db *DB, slug, host string) error {
	t.Helper()
	if err := db.NameDomain(t.Context(), "", slug, host); err != nil {
		t.Fatal(err)
	}
	return db.ConnectDomain(t.Context(), "", slug, host, time.UnixMilli(0), 10)
}

// Strangers choose the hosts of requests and of TLS handshakes, so looking for one, known
// or not, needs no SQL: it works without the database.
func TestDomainsAreInMemory(t *testing.T) {
	now := time.UnixMilli(1e12)
	db := newDomainDB(t, func() time.Time { return now }, "ada", "bob")
	if err := connect(t, db, "ada", "ada.example.org"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.DomainAt(t.Context(), "bob.example.org"); !errors.Is(err, wiki.ErrNotFound) {
		t.Fatal(err)
	}
	if err := connect(t, db, "bob", "bob.example.org"); err != nil { // a change updates the list in memory
		t.Fatal(err)
	}
	if err := db.DropDomain(t.Context(), Domain{Slug: "ada", Host: "ada.example.org"}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err := db.DomainAt(t.Context(), "bob.example.org"); err != nil || d.Slug != "bob" || !d.Works() {
		t.Errorf("bob.example.org: %+v, %v", d, err)
	}
	if d, err := db.DomainOf(t.Context(), "bob"); err != nil || d.Host != "bob.example.org" {
		t.Errorf("of bob: %+v, %v", d, err)
	}
	for _, host := range []string{"ada.example.org", "evil.example.org", ""} {
		if d, err := db.DomainAt(t.Context(), host); !errors.Is(err, wiki.ErrNotFound) {
			t.Errorf("%q: %+v, %v", host, d, err)
		}
	}
}

// Of two wikis that name a domain, the first that proves it has it. Nothing that was
// named or released stays for long.
func TestDomainRows(t *testing.T) {
	now := time.UnixMilli(1e12)
	db := newDomainDB(t, func() time.Time { return now }, "ada", "bob")
	ctx := t.Context()
	for _, slug := range []string{"ada", "bob"} {
		if err := db.NameDomain(ctx, "", slug, "wiki.example.org"); err != nil {
			t.Fatal(err)
		}
	}
	since := now.AddDate(0, 0, -30)
	if err := db.ConnectDomain(ctx, "", "bob", "other.example.org", since, 10); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a domain that isn't named: %v", err)
	}
	if err := db.ConnectDomain(ctx, "", "bob", "wiki.example.org", since, 10); err != nil {
		t.Fatal(err)
	}
	if err := db.ConnectDomain(ctx, "", "ada", "wiki.example.org", since, 10); !errors.Is(err, wiki.ErrExists) {
		t.Errorf("the second: %v", err)
	}
	if err := db.NameDomain(ctx, "", "bob", "x.example.org"); !errors.Is(err, wiki.ErrExists) {
		t.Errorf("a second one for bob: %v", err)
	}
	if err := db.ReleaseDomain(ctx, "", "bob"); err != nil {
		t.Fatal(err)
	}
	if err := db.ReleaseDomain(ctx, "", "bob"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("released twice: %v", err)
	}
	count := func() (n int) {
		t.Helper()
		if err := db.sql.QueryRow(`SELECT count(*) FROM domains`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if err := db.SweepDomains(ctx, now); err != nil || count() != 2 {
		t.Errorf("%d rows after an early sweep, %v", count(), err)
	}
	now = now.Add(time.Second)
	if err := db.SweepDomains(ctx, now); err != nil || count() != 0 {
		t.Errorf("%d rows after the sweep, %v", count(), err)
	}
}

// BenchmarkDomainAt looks for a host among 10,000 domains.
func BenchmarkDomainAt(b *testing.B) {
	db, err := Open(b.Context(), filepath.Join(b.TempDir(), "robot.db"), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for i := range 10_000 {
		if _, err := db.sql.Exec(`INSERT INTO domains (host, slug, added, verified) VALUES ($1, $2, 1, 1)`, fmt.Sprintf("wiki%d.example.org", i), fmt.Sprintf("w%d", i)); err != nil {
			b.Fatal(err)
		}
	}
	started := time.Now()
	if _, err := db.DomainAt(b.Context(), "wiki1.example.org"); err != nil {
		b.Fatal(err)
	}
	load := time.Since(started)
	for b.Loop() {
		if _, err := db.DomainAt(b.Context(), "wiki77.example.org"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(load.Microseconds()), "µs/load")
}
