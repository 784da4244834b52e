package store

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/sqlite"
)

// dump lists everything a new database consists of: its schema, the migrations
// it records, and the settings stored in its file.
func dump(t *testing.T, conn *sql.DB) (lines []string) {
	t.Helper()
	for _, query := range []string{
		`SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY type, name`,
		`SELECT id || ' ' || version_id || ' ' || is_applied FROM goose_db_version ORDER BY id`,
		`SELECT name || ' ' || seq FROM sqlite_sequence ORDER BY name`,
		`PRAGMA journal_mode`, `PRAGMA auto_vacuum`, `PRAGMA page_size`, `PRAGMA encoding`, `PRAGMA user_version`, `PRAGMA application_id`,
	} {
		rows, err := conn.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, line)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	return lines
}

func TestTemplateEqualsMigrations(t *testing.T) {
	copied := open(t, filepath.Join(t.TempDir(), "copied.db"))
	path := filepath.Join(t.TempDir(), "migrated.db")
	conn, err := sqlite.Open(path, sqlite.Options{})
	if err == nil {
		_, err = conn.Exec("CREATE TABLE x (x); DROP TABLE x") // an existing file is migrated step by step
	}
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	migrated := open(t, path)
	want, got := dump(t, migrated.sql), dump(t, copied.sql)
	if all := strings.Join(want, "\n"); !strings.Contains(all, "table sites sites") || !strings.Contains(all, "wal") {
		t.Fatalf("migrations made\n%s", all)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("migrated (-), copied from the template (+):\n%s", diff)
	}
}

// A database that was cut off isn't taken for a new one.
func TestEmptiedDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "robot.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if db, err := Open(t.Context(), path, time.Now); err == nil {
		db.Close()
		t.Error("it was opened as a new platform")
	}
}

func TestTemplateLeavesExistingFilesAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "robot.db")
	if err := os.WriteFile(path, []byte("this is another file, not a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if db, err := Open(t.Context(), path, time.Now); err == nil {
		db.Close()
		t.Error("opened a file that is not a database")
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "this is another file, not a database" {
		t.Errorf("file is now %q, %v", data, err)
	}

	dir := t.TempDir()
	path = filepath.Join(dir, "robot.db")
	if err := os.WriteFile(path+"-wal", []byte("a log whose database is lost"), 0o600); err != nil {
		t.Fatal(err)
	}
	if created, err := createFile(path); created || err != nil {
		t.Errorf("copied the template beside a log: %v, %v", created, err)
	}
	open(t, filepath.Join(dir, "other.db"))
	if left, err := filepath.Glob(filepath.Join(dir, "*.new")); len(left) > 0 || err != nil {
		t.Errorf("left %v, %v", left, err)
	}
}
