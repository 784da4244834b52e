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

// countRows counts the rows of each table of a file that nobody uses.
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
