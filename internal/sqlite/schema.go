package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// A Schema is the version of a database's tables. The database keeps it in its
// user_version, so that reading it costs no query of a table.
type Schema struct {
	Version int // number of the last migration
	// Oldest is the number of the last migration of the oldest program that can
	// still use the database. A migration that only adds leaves it; one that
	// removes or renames something, or adds what every writer has to maintain,
	// raises it to its own number.
	Oldest int
}

// ReadSchema returns the schema of a database; the zero value for a new one.
func ReadSchema(ctx context.Context, db *sql.DB) (Schema, error) {
	var both int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&both); err != nil {
		return Schema{}, err
	}
	return Schema{Version: both & 0xffff, Oldest: both >> 16}, nil
}

// write records the schema in a database.
func (s Schema) write(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", s.Oldest<<16|s.Version))
	return err
}

// Migrations are the steps that make the tables of a kind of database, as numbered
// files of SQL.
type Migrations struct {
	Files  fs.FS
	Oldest int // see Schema
}

// Schema returns the schema of a database after all migrations.
func (m Migrations) Schema() (Schema, error) {
	files, err := fs.ReadDir(m.Files, ".")
	if err != nil {
		return Schema{}, err
	}
	last, err := goose.NumericComponent(files[len(files)-1].Name())
	return Schema{Version: int(last), Oldest: m.Oldest}, err
}

// Apply runs the migrations that a database lacks. A database that a newer program
// has migrated stays as it is, or is refused if this one is too old for it.
func (m Migrations) Apply(ctx context.Context, db *sql.DB) error {
	ours, err := m.Schema()
	if err != nil {
		return err
	}
	found, err := ReadSchema(ctx, db)
	if err != nil {
		return err
	}
	if found.Oldest > ours.Version {
		return fmt.Errorf("a newer version of this program has changed the database: it needs one that knows schema %d, and this one knows schemas up to %d. Install the newer version again, or restore a backup from before the upgrade", found.Oldest, ours.Version)
	}
	if found.Version >= ours.Version {
		return nil
	}
	steps, err := goose.NewProvider(goose.DialectSQLite3, db, m.Files)
	if err != nil {
		return err
	}
	if _, err := steps.Up(ctx); err != nil {
		return err
	}
	return ours.write(ctx, db)
}

// Sub returns a folder of embedded files. It panics if there is none.
func Sub(files embed.FS, dir string) fs.FS {
	sub, err := fs.Sub(files, dir)
	if err != nil {
		panic(err)
	}
	return sub
}
