package original

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"robot.wtf/internal/sqlite"
)

// maxDatabase limits the size of a database and of its log.
const maxDatabase = 1 << 30

// copyAttempts is how often a database is copied that is written meanwhile.
const copyAttempts = 10

// errMissing reports a database that doesn't exist.
var errMissing = errors.New("it doesn't exist")

// open opens a copy of a database. No component of its path below the disk may be a
// symbolic link. It fails with errMissing if there is none.
func (r *reader) open(ctx context.Context, parts ...string) (*sql.DB, error) {
	if err := r.disk.plain(parts...); err != nil {
		return nil, err
	}
	r.copies++
	to := filepath.Join(r.scratch, strconv.Itoa(r.copies)+".db")
	if err := copyDatabase(ctx, filepath.Join(append([]string{r.disk.dir}, parts...)...), to); err != nil {
		return nil, err
	}
	db, err := sqlite.Open(to, sqlite.Options{MustExist: true})
	if err != nil {
		return nil, err
	}
	var well string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&well); err != nil || well != "ok" {
		return nil, errors.Join(fmt.Errorf("%s is damaged: %s", parts[len(parts)-1], well), err, db.Close())
	}
	return db, nil
}

// plain refuses a path below the disk that has a symbolic link. It fails with
// errMissing if it doesn't exist.
func (d *Disk) plain(parts ...string) error {
	at := d.dir
	for _, part := range parts {
		if !filepath.IsLocal(part) || filepath.Base(part) != part {
			return fmt.Errorf("%q is no file name", part)
		}
		at = filepath.Join(at, part)
		info, err := os.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return errMissing
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			return fmt.Errorf("%s is a symbolic link", part)
		}
	}
	return nil
}

// copyDatabase copies a database and its write-ahead log as of one moment. A log that
// grows meanwhile doesn't matter: SQLite ignores the end of the copy that isn't a whole
// transaction. If the database itself is written, or the log begins again, they are
// copied again.
func copyDatabase(ctx context.Context, from, to string) error {
	for range copyAttempts {
		before, err := stateOf(from)
		if err != nil {
			return err
		}
		for _, suffix := range []string{"", "-wal"} {
			if err := copyFile(from+suffix, to+suffix); err != nil {
				return err
			}
		}
		after, err := stateOf(from)
		if err != nil || after == before && !after.writing {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("%s is written all the time: try again", filepath.Base(from))
}

// A databaseState changes with each write to a database's file.
type databaseState struct {
	size, written int64
	log           [32]byte // header of the log (sqlite.org/fileformat2.html#walformat), new each time it begins again
	writing       bool     // a transaction of a database without such a log is being written
}

func stateOf(file string) (s databaseState, err error) {
	info, err := os.Lstat(file)
	if err != nil {
		return s, err
	}
	s.size, s.written = info.Size(), info.ModTime().UnixNano()
	if journal, err := os.Lstat(file + "-journal"); err == nil {
		s.writing = journal.Size() > 0
	}
	log, err := os.OpenFile(file+"-wal", os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	defer log.Close()
	_, err = io.ReadFull(log, s.log[:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // an empty log
	}
	return s, err
}

// copyFile copies a regular file; one that doesn't exist becomes none.
func copyFile(from, to string) error {
	info, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.Remove(to)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	}
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s isn't a regular file", filepath.Base(from))
	case info.Size() > maxDatabase:
		return fmt.Errorf("%s has more than %d MB", filepath.Base(from), maxDatabase>>20)
	}
	in, err := os.OpenFile(from, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// columnsOf returns the columns of a table; none if it doesn't exist.
func columnsOf(ctx context.Context, db *sql.DB, table string) (columns []string, err error) {
	err = eachRow(ctx, db, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		columns = append(columns, name)
		return err
	}, `SELECT name FROM pragma_table_info($1)`, table)
	return columns, err
}

// orNull returns a column's name, or NULL if a table lacks it.
func orNull(columns []string, name string) string {
	if slices.Contains(columns, name) {
		return name
	}
	return "NULL"
}

func eachRow(ctx context.Context, db *sql.DB, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
