package store

import (
	"context"
	"fmt"

	"robot.wtf/internal/sqlite"
)

// SlugsIn lists the wikis in a copy of a platform database, which no process may be
// writing.
func SlugsIn(ctx context.Context, file string) ([]string, error) {
	conn, err := sqlite.OpenCopy(file)
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", file, err)
	}
	defer conn.Close()
	db := &DB{sql: conn, reads: sqlite.NewStatements(conn, 0)}
	return db.querySlugs(ctx, `SELECT slug FROM sites WHERE slug <> $1 ORDER BY slug`, "")
}
