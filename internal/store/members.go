package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"robot.wtf/internal/wiki"
)

// Members lists a site's members, the owner first, then by username.
func (db *DB) Members(ctx context.Context, slug string) ([]wiki.Member, error) {
	var members []wiki.Member
	err := db.forEachRow(ctx, func(rows *sql.Rows) error {
		var m wiki.Member
		var role string
		var seen int64
		err := rows.Scan(&m.User.DID, &m.User.Username, &m.User.Handle, &m.User.Name, &m.User.Picture, &m.User.Suspended, &seen, &role)
		if err != nil {
			return err
		}
		m.Seen = timeFromMillis(seen)
		m.Role, err = wiki.ParseRole(role)
		members = append(members, m)
		return err
	}, `
		SELECT `+userColumns+`, users.seen, who.role FROM (
			SELECT owner AS did, 'owner' AS role, 0 AS rank FROM sites WHERE slug = $1
			UNION ALL
			SELECT did, role, 1 FROM members WHERE slug = $1
		) AS who JOIN users ON users.did = who.did ORDER BY who.rank, users.username, users.did`, slug)
	if err != nil {
		return nil, fmt.Errorf("store: members of %s: %w", slug, err)
	}
	return members, nil
}

// SetMember gives a known person a role in a wiki. It fails with ErrNotFound if the
// person is unknown, with ErrQuota if the wiki has max other members.
func (db *DB) SetMember(ctx context.Context, actor, slug, did string, role wiki.Role, max int) error {
	return db.changeSite(ctx, actor, slug, "member.set", did+" "+role.String(), func(tx *sql.Tx) error {
		return db.setMember(ctx, tx, slug, did, role, max)
	})
}

func (db *DB) setMember(ctx context.Context, tx *sql.Tx, slug, did string, role wiki.Role, max int) error {
	var others int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM members WHERE slug = $1 AND did <> $2`, slug, did).Scan(&others)
	if err != nil {
		return err
	}
	if others >= max {
		return wiki.Problemf(wiki.ErrQuota, "member", "This wiki has %d members, which is the limit. Remove one to add another."+wiki.RunItYourself, max)
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO members (slug, did, role, since) VALUES ($1, $2, $3, $4)
		ON CONFLICT (slug, did) DO UPDATE SET role = excluded.role`, slug, did, role.String(), db.nowMillis())
	return err
}

// RemoveMember removes a person's role in a wiki and their tokens and grants for it.
// A person who never signed in and has no other memberships is deleted.
func (db *DB) RemoveMember(ctx context.Context, actor, slug, did string) error {
	err := db.changeSite(ctx, actor, slug, "member.remove", did, func(tx *sql.Tx) error {
		gone, err := tx.ExecContext(ctx, `DELETE FROM members WHERE slug = $1 AND did = $2`, slug, did)
		if err != nil {
			return err
		}
		if n, err := gone.RowsAffected(); err != nil || n == 0 {
			return errors.Join(wiki.ErrNotFound, err)
		}
		if err := db.revokeAccess(ctx, tx, slug, did); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE sites SET offered_to = '' WHERE slug = $1 AND offered_to = $2`, slug, did); err != nil {
			return err
		}
		return deleteInvitee(ctx, tx, did)
	})
	db.forgetCachedAccess()
	db.users.forget(did)
	return err
}

// Invite is like SetMember, but adds the person if they are unknown. Another account that
// had their handle loses it.
func (db *DB) Invite(ctx context.Context, actor, slug string, who wiki.User, role wiki.Role, max int) error {
	err := db.changeSite(ctx, actor, slug, "member.set", who.DID+" "+role.String(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO users (did, handle, name, created) VALUES ($1, $2, $3, $4) ON CONFLICT (did) DO NOTHING`,
			who.DID, who.Handle, who.Name, db.nowMillis())
		if err != nil {
			return err
		}
		if err := db.claimHandle(ctx, tx, who.DID, who.Handle); err != nil {
			return err
		}
		return db.setMember(ctx, tx, slug, who.DID, role, max)
	})
	db.users.forgetAll()
	return err
}

// deleteInvitee deletes a person who never signed in, if no memberships are left.
func deleteInvitee(ctx context.Context, tx *sql.Tx, did string) error {
	_, err := tx.ExecContext(ctx, `
		DELETE FROM users WHERE did = $1 AND seen = 0 AND username IS NULL
			AND NOT EXISTS (SELECT 1 FROM members WHERE members.did = $1) AND NOT EXISTS (SELECT 1 FROM sites WHERE owner = $1)`, did)
	return err
}

// queryMembers returns the DIDs of a wiki's members, without its owner.
func queryMembers(ctx context.Context, tx *sql.Tx, slug string) ([]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT did FROM members WHERE slug = $1`, slug)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var dids []string
	for rows.Next() {
		var did string
		if err := rows.Scan(&did); err != nil {
			return nil, err
		}
		dids = append(dids, did)
	}
	return dids, rows.Err()
}
