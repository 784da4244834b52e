package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"robot.wtf/internal/wiki"
)

// SuspendHost suspends all accounts that a host or its subdomains host, ends their
// sessions and open invitations, closes their wikis, and refuses new sign-ins from
// there until ResumeHost.
// It returns the number of accounts and the slugs of the wikis. Accounts and wikis
// that were suspended already stay as they are. ErrNotFound if the host is suspended
// already.
func (db *DB) SuspendHost(ctx context.Context, host, why string) (accounts int64, slugs []string, err error) {
	now := db.nowMillis()
	err = db.changeHost(ctx, host, "host.suspend", why, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `INSERT INTO suspended_hosts (host, since, why) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, host, now, why)
		if err := requireRow(done, err); err != nil {
			return err
		}
		done, err = tx.ExecContext(ctx, `UPDATE users SET suspended = $2, suspended_host = $1 WHERE suspended = 0 AND (host = $1 OR host LIKE '%.' || $1)`, host, now)
		if err != nil {
			return err
		}
		if accounts, err = done.RowsAffected(); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE did IN (SELECT did FROM users WHERE suspended_host = $1)`, host); err != nil {
			return err
		}
		if err := db.endInvitations(ctx, tx, `suspended_host = $2`, host); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `UPDATE sites SET suspended = $2, why = $3, version = version + 1
			WHERE suspended = 0 AND owner IN (SELECT did FROM users WHERE suspended_host = $1) RETURNING slug`, host, now, why)
		if err != nil {
			return err
		}
		slugs, err = scanSlugs(rows)
		return err
	})
	return accounts, slugs, err
}

// ResumeHost undoes SuspendHost and returns the number of accounts. Accounts and
// wikis that were suspended on their own stay suspended. ErrNotFound if the host
// isn't suspended.
func (db *DB) ResumeHost(ctx context.Context, host string) (accounts int64, err error) {
	err = db.changeHost(ctx, host, "host.resume", "", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `DELETE FROM suspended_hosts WHERE host = $1`, host)
		if err := requireRow(done, err); err != nil {
			return err
		}
		// A wiki was closed with its owner if both have the same time.
		if _, err := tx.ExecContext(ctx, `UPDATE sites SET suspended = 0, why = '', version = version + 1
			WHERE EXISTS (SELECT 1 FROM users WHERE did = owner AND suspended_host = $1 AND users.suspended = sites.suspended)`, host); err != nil {
			return err
		}
		done, err = tx.ExecContext(ctx, `UPDATE users SET suspended = 0, suspended_host = '' WHERE suspended_host = $1`, host)
		if err != nil {
			return err
		}
		accounts, err = done.RowsAffected()
		return err
	})
	return accounts, err
}

func (db *DB) changeHost(ctx context.Context, host, action, why string, change func(*sql.Tx) error) error {
	err := db.tx(ctx, func(tx *sql.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		return db.audit(ctx, tx, Operator, "", action, host+" "+why)
	})
	db.users.forgetAll()
	db.sites.forgetAll()
	db.sessions.forgetAll()
	if err != nil {
		return fmt.Errorf("store: %s %s: %w", action, host, err)
	}
	return nil
}

func scanSlugs(rows *sql.Rows) (slugs []string, err error) {
	defer rows.Close()
	for rows.Next() {
		var slug string
		if err := rows.Scan(&slug); err != nil {
			return nil, err
		}
		slugs = append(slugs, slug)
	}
	return slugs, rows.Err()
}

// CheckHost fails with ErrSuspended if the accounts of a host are suspended.
func (db *DB) CheckHost(ctx context.Context, host string) error {
	return checkHost(ctx, db.sql, host)
}

func checkHost(ctx context.Context, q rowQuerier, host string) error {
	var suspended string
	err := q.QueryRowContext(ctx, `SELECT host FROM suspended_hosts WHERE host = $1 OR $1 LIKE '%.' || host LIMIT 1`, host).Scan(&suspended)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("store: check host %s: %w", host, err)
	}
	return wiki.ErrSuspended
}

// A HostRow is an account host in the operator's list.
type HostRow struct {
	Host                 string // "" for accounts that haven't signed in since hosts are recorded
	Accounts, New, Wikis int    // New accounts are at most a week old
	Suspended            time.Time
	Why                  string
}

// AllHosts lists the hosts of accounts and the suspended hosts, those with the most
// accounts first.
func (db *DB) AllHosts(ctx context.Context) ([]HostRow, error) {
	var list []HostRow
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		var h HostRow
		var since int64
		err := rows.Scan(&h.Host, &h.Accounts, &h.New, &h.Wikis, &since, &h.Why)
		h.Suspended = timeFromMillis(since)
		list = append(list, h)
		return err
	}, `SELECT host, sum(accounts), sum(fresh), sum(wikis), max(since), max(why) FROM (
			SELECT host, count(*) AS accounts, count(CASE WHEN created >= $1 THEN 1 END) AS fresh,
				sum((SELECT count(*) FROM sites WHERE owner = did)) AS wikis, 0 AS since, '' AS why
			FROM users GROUP BY host
			UNION ALL SELECT host, 0, 0, 0, since, why FROM suspended_hosts
		) AS hosts GROUP BY host ORDER BY sum(accounts) DESC, host`, db.nowMillis()-(7*24*time.Hour).Milliseconds())
	if err != nil {
		return nil, fmt.Errorf("store: list hosts: %w", err)
	}
	return list, nil
}
