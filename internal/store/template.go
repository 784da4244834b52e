package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"robot.wtf/internal/durable"
	"robot.wtf/internal/sqlite"
)

// template returns the bytes of an empty database with all migrations applied.
// Running the migrations takes 100 times as long as copying their result, so
// they run once per process.
var template = sync.OnceValues(func() ([]byte, error) {
	ctx := context.Background()
	return sqlite.Image(ctx, func(conn *sql.DB) error { return migrations.Apply(ctx, conn) })
})

// createFile makes path a copy of the template if there is no database, and
// reports whether it did. The file appears complete or not at all.
func createFile(path string) (bool, error) {
	for _, name := range []string{path, path + "-wal"} { // SQLite would replay a log into the copy
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	data, err := template()
	if err != nil {
		return false, err
	}
	whole := path + ".new"
	defer os.Remove(whole)
	if err := durable.WriteFile(whole, data); err != nil {
		return false, err
	}
	switch err := os.Link(whole, path); { // unlike a rename, never replaces a file
	case errors.Is(err, fs.ErrExist):
		return false, nil // another process created it first
	case err != nil:
		return false, err
	}
	return true, durable.SyncDir(filepath.Dir(path))
}
