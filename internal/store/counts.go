package store

import (
	"context"
	"fmt"

	"robot.wtf/internal/sqlite"
)

// Counts say how much the platform keeps.
type Counts struct {
	Wikis, Users int
	Members      int // memberships, besides owners
	Sessions     int // that haven't expired
}

// Counts counts rows.
func (db *DB) Counts(ctx context.Context) (c Counts, err error) {
	err = db.queryRow(ctx, `
		SELECT (SELECT count(*) FROM sites), (SELECT count(*) FROM users), (SELECT count(*) FROM members),
			(SELECT count(*) FROM sessions WHERE expires > $1)`, db.nowMillis()).Scan(&c.Wikis, &c.Users, &c.Members, &c.Sessions)
	if err != nil {
		return Counts{}, fmt.Errorf("store: count: %w", sqlite.Translate(err))
	}
	return c, nil
}
