package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
)

// SlugsIn lists the wikis of a copy of a platform's database, which nobody uses.
func SlugsIn(ctx context.Context, file string) ([]string, error) {
	conn, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?mode=ro&immutable=1")
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", file, err)
	}
	defer conn.Close()
	return (&DB{sql: conn}).slugs(ctx, `SELECT slug FROM sites WHERE slug <> $1 ORDER BY slug`, "")
}
