package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"

	"robot.wtf/internal/sqlite"
)

// A SiteIcon is a wiki's own icon, small and re-encoded.
type SiteIcon struct {
	ID   string // 32 hex digits, a hash of Data
	MIME string
	Data []byte
}

// SetSiteIcon stores a wiki's icon in place of the one it had. Its ID is computed.
func (db *DB) SetSiteIcon(ctx context.Context, actor, slug string, icon SiteIcon) error {
	sum := sha256.Sum256(icon.Data)
	icon.ID = hex.EncodeToString(sum[:16])
	return db.changeSite(ctx, actor, slug, "site.settings", "icon="+icon.ID, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO site_icons (slug, id, mime, data) VALUES ($1, $2, $3, $4)
			ON CONFLICT (slug) DO UPDATE SET id = excluded.id, mime = excluded.mime, data = excluded.data`,
			slug, icon.ID, icon.MIME, icon.Data)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE sites SET icon = $2 WHERE slug = $1`, slug, icon.ID)
		return err
	})
}

// DropSiteIcon deletes a wiki's icon, if it has one.
func (db *DB) DropSiteIcon(ctx context.Context, actor, slug string) error {
	return db.changeSite(ctx, actor, slug, "site.settings", "icon=", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM site_icons WHERE slug = $1`, slug); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE sites SET icon = '' WHERE slug = $1`, slug)
		return err
	})
}

// SiteIcon returns a wiki's icon. It fails with ErrNotFound if the wiki has none.
func (db *DB) SiteIcon(ctx context.Context, slug string) (SiteIcon, error) {
	var icon SiteIcon
	err := db.queryRow(ctx, `SELECT id, mime, data FROM site_icons WHERE slug = $1`, slug).Scan(&icon.ID, &icon.MIME, &icon.Data)
	if err != nil {
		return SiteIcon{}, fmt.Errorf("store: icon of %s: %w", slug, sqlite.Translate(err))
	}
	return icon, nil
}
