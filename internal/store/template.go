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
)

// template returns the bytes of an empty database with all migrations applied.
// Running the migrations takes 100 times as long as copying their result, so
// they run once per process.
var template = sync.OnceValues(func() ([]byte, error) {
	conn, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetMaxOpenConns(1) // each connection to :memory: is a database of its own
	ctx := context.Background()
	if err := migrate(ctx, conn); err != nil {
		return nil, err
	}
	one, err := conn.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer one.Close()
	var data []byte
	err = one.Raw(func(c any) error {
		data, err = c.(interface{ Serialize() ([]byte, error) }).Serialize()
		return err
	})
	return data, err
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
		return false, nil // another process was faster
	case err != nil:
		return false, err
	}
	return true, durable.SyncDir(filepath.Dir(path))
}
