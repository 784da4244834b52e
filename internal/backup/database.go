package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"robot.wtf/internal/sqlite"
)

// countRows counts the rows of each table in a database file that is not in use.
func countRows(ctx context.Context, file string) (map[string]int64, error) {
	db, err := sqlite.OpenCopy(file)
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
		quoted := `"` + strings.ReplaceAll(table, `"`, `""`) + `"` // table names cannot be bound as parameters
		if err := db.QueryRowContext(ctx, `SELECT count(*) FROM `+quoted).Scan(&n); err != nil {
			return nil, err
		}
		counts[table] = n
	}
	return counts, nil
}

// fileState returns a file's fingerprint and whether it was last modified before
// cutoff. A missing file counts as empty, which is how SQLite treats its WAL.
func fileState(file string, cutoff time.Time) (state string, old bool) {
	info, err := os.Stat(file)
	if err != nil || info.Size() == 0 {
		return "|-", true
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", false
	}
	// Don't use ctime: SQLite changes the owner of files that root opens, which
	// updates it.
	return fmt.Sprintf("|%d %d %d", stat.Ino, info.Size(), info.ModTime().UnixNano()), info.ModTime().Before(cutoff)
}
