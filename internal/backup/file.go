package backup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// uri names a database file with its options, as SQLite reads it
// (https://sqlite.org/uri.html).
func uri(file string, options ...string) string {
	return "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + strings.Join(options, "&")
}

// copyDatabase copies a database page by page, as of one moment, while others
// write it (https://sqlite.org/backup.html).
func copyDatabase(ctx context.Context, from, to string) error {
	db, err := sql.Open("sqlite", uri(from, "mode=rw", "_pragma=busy_timeout(10000)"))
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(driver any) error {
		source, ok := driver.(interface {
			NewBackup(to string) (*sqlite.Backup, error)
		})
		if !ok {
			return errors.New("the SQLite driver makes no copies")
		}
		// Nothing is lost with it if the machine stops: no snapshot names it yet.
		backup, err := source.NewBackup(uri(to, "_pragma=synchronous(OFF)"))
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			more, err = backup.Step(-1) // all pages, in one read transaction
		}
		return errors.Join(err, backup.Finish())
	})
}

// countRows counts the rows of each table of a file that nobody uses.
func countRows(ctx context.Context, file string) (map[string]int64, error) {
	db, err := sql.Open("sqlite", uri(file, "mode=ro", "immutable=1"))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		tables = append(tables, name)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, table := range tables {
		var n int64
		quoted := `"` + strings.ReplaceAll(table, `"`, `""`) + `"` // a name cannot be a parameter
		if err := db.QueryRowContext(ctx, `SELECT count(*) FROM `+quoted).Scan(&n); err != nil {
			return nil, err
		}
		counts[table] = n
	}
	return counts, nil
}

// fileState tells a file's state, and whether it is older than a time. A file
// that is not there is as one that is empty, for so SQLite treats its log.
func fileState(file string, than time.Time) (state string, old bool) {
	info, err := os.Stat(file)
	if err != nil || info.Size() == 0 {
		return "|-", true
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", false
	}
	// Not the time of the inode's last change: SQLite sets owners when root opens
	// a file, which changes that.
	return fmt.Sprintf("|%d %d %d", stat.Ino, info.Size(), info.ModTime().UnixNano()), info.ModTime().Before(than)
}

// noRoom reports that the backup's own disk is full.
func noRoom(err error) bool {
	var inSQL *sqlite.Error
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.As(err, &inSQL) && inSQL.Code()&0xff == sqlite3.SQLITE_FULL
}
