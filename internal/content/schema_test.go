package content

import (
	"database/sql"
	"fmt"
	"os"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"robot.wtf/internal/sqlite"
)

// olderDatabase creates the database of a wiki as a program with fewer migrations
// did.
func olderDatabase(t *testing.T, p *Pool, slug string, schema int64) *sql.DB {
	t.Helper()
	if err := os.MkdirAll(p.dir(slug), 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(p.file(slug), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	steps, err := goose.NewProvider(goose.DialectSQLite3, db, migrations.Files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := steps.UpTo(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(fmt.Sprintf("PRAGMA user_version = %d", schema)); err != nil {
		t.Fatal(err)
	}
	return db
}

// definitions returns the SQL of a database's tables and indexes.
func definitions(t *testing.T, db querier) map[string]string {
	t.Helper()
	rows, err := db.queryRows(t.Context(), "SELECT type || ' ' || name, COALESCE(sql, '') FROM sqlite_schema")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			t.Fatal(err)
		}
		all[name] = text
	}
	if err := rows.Err(); err != nil || len(all) < 10 {
		t.Fatal(len(all), err)
	}
	return all
}

func TestOpeningMigratesEveryOlderSchema(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	if err := p.Create(t.Context(), "new"); err != nil {
		t.Fatal(err)
	}
	fresh, release, err := p.Open(t.Context(), "new")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	want := definitions(t, fresh)
	last, err := migrations.Schema()
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []int64{1, 4, 6, 7, 8, 9, 10, int64(last.Version) - 1} {
		slug := fmt.Sprintf("old%d", version)
		db := olderDatabase(t, p, slug, version)
		empty := "INSERT INTO meta (wiki, seq, head, time, pages, files, current_bytes, history_bytes) VALUES (?, 0, '', 0, 0, 0, 0, 0)"
		if version >= 21 { // meta is a view
			empty = "INSERT INTO state (wiki, time, links) VALUES (?, 0, 0)"
		}
		if _, err := db.Exec(empty, slug); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		w, release, err := p.Open(t.Context(), slug)
		if err != nil {
			t.Fatalf("schema %d: %v", version, err)
		}
		if diff := gocmp.Diff(want, definitions(t, w)); diff != "" {
			t.Errorf("from schema %d: %s", version, diff)
		}
		release()
	}
}
