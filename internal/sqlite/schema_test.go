package sqlite

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// migrationsTo returns migrations with the given number of steps. Each adds a table.
func migrationsTo(last, oldest int) Migrations {
	files := fstest.MapFS{}
	for n, name := range []string{"00001_a.sql", "00002_b.sql", "00003_c.sql"}[:last] {
		table := string(rune('a' + n))
		files[name] = &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE " + table + " (x);\n")}
	}
	return Migrations{Files: files, Oldest: oldest}
}

// An older program uses a newer database unless that needs a newer one. It never
// changes the recorded schema.
func TestMigrations(t *testing.T) {
	for _, step := range []struct {
		name          string
		first, second Migrations
		want          Schema
		refused       bool
	}{
		{"upgrade", migrationsTo(1, 1), migrationsTo(3, 1), Schema{3, 1}, false},
		{"upgrade that removes", migrationsTo(1, 1), migrationsTo(3, 3), Schema{3, 3}, false},
		{"same", migrationsTo(2, 1), migrationsTo(2, 1), Schema{2, 1}, false},
		{"back over a step that adds", migrationsTo(3, 2), migrationsTo(2, 1), Schema{3, 2}, false},
		{"back over a step that removes", migrationsTo(3, 3), migrationsTo(2, 2), Schema{3, 3}, true},
	} {
		t.Run(step.name, func(t *testing.T) {
			t.Parallel()
			db, err := Open(filepath.Join(t.TempDir(), "a.db"), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := step.first.Apply(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			err = step.second.Apply(t.Context(), db)
			if (err != nil) != step.refused || err != nil && !strings.Contains(err.Error(), "it needs one that knows schema 3, and this one knows schemas up to 2") {
				t.Error(err)
			}
			if got, err := ReadSchema(t.Context(), db); got != step.want || err != nil {
				t.Errorf("%+v, %v; want %+v", got, err, step.want)
			}
			if tables := countTables(t, db); tables != step.want.Version {
				t.Errorf("%d tables", tables)
			}
		})
	}
}

func countTables(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	if err := db.QueryRow("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('a', 'b', 'c')").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
