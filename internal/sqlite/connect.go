package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	sqlitedriver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"robot.wtf/internal/durable"
)

// A connector opens the connections of one database. Where the disk refuses writes,
// because it is full or read-only, it opens connections that only read, so that a
// service can start there. SQLite can't open a database in WAL mode on such a disk
// the usual way: it needs a shared-memory file beside it.
type connector struct {
	file     string
	write    string // the address of the database, for reading and writing
	readLog  string // for reading, with the write-ahead log that a killed process left
	readFile string // for reading a file without a log
	driver   driver.Driver
	relieve  func() // see Options.Relieve; can be nil
	existing bool   // see Options.MustExist

	mu sync.Mutex // held while a connection is opened
	// readers counts the connections that only read. As long as there are any,
	// none is opened for writing: they take no locks, so the file mustn't change
	// while they read it.
	readers int
	// readersUntil is when all of them end. If each had its own time, a busy database
	// would always have some, and would never be written again.
	readersUntil time.Time
}

// readerAge is how long connections that only read are used before one is tried that
// can write. Space on a full disk is noticed that soon.
const readerAge = time.Second

// fileAttempts is how often opening is tried while the process has too few file
// descriptors.
const fileAttempts = 6

// Driver implements driver.Connector.
func (c *connector) Driver() driver.Driver { return c.driver }

// Connect implements driver.Connector.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	wait := 2 * time.Millisecond
	for attempt := 1; ; attempt++ {
		conn, err := c.connect()
		if err == nil || !c.outOfFiles(err) {
			return conn, c.withCause(err)
		}
		if attempt == fileAttempts || c.relieve == nil {
			return nil, fmt.Errorf("%w: %w", syscall.EMFILE, err) // says nothing about the database
		}
		c.relieve()
		select {
		case <-time.After(wait):
			wait *= 2
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (c *connector) connect() (driver.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.existing && c.emptied() {
		return nil, fmt.Errorf("sqlite: open %s: %w", c.file, errEmptied)
	}
	if c.readers == 0 {
		conn, err := c.driver.Open(c.write)
		if err != nil && c.clearWay() {
			conn, err = c.driver.Open(c.write)
		}
		if err == nil || !c.refusesWrites(err) {
			return conn, err
		}
		c.readersUntil = time.Now().Add(readerAge)
		if conn, ok := c.connectReader(); ok {
			return conn, nil
		}
		return nil, err
	}
	if conn, ok := c.connectReader(); ok {
		return conn, nil
	}
	return nil, &os.PathError{Op: "open", Path: c.file, Err: syscall.EROFS}
}

// errEmptied reports a database file of no bytes. SQLite would make a new database of
// it.
var errEmptied = errors.New("the file is empty: it was cut off")

func (c *connector) emptied() bool {
	info, err := os.Stat(c.file)
	return err == nil && info.Mode().IsRegular() && info.Size() == 0
}

// clearWay renames directories that have the names of SQLite's own files, and reports
// whether there were any. The files hold no directory's data.
func (c *connector) clearWay() bool {
	cleared := false
	for _, suffix := range []string{"-shm", "-wal"} {
		name := c.file + suffix
		if info, err := os.Lstat(name); err == nil && info.IsDir() {
			cleared = durable.Rename(name, name+".aside-"+time.Now().UTC().Format("20060102T150405.000000Z")) == nil || cleared
		}
	}
	return cleared
}

// connectReader opens a connection that only reads. If the time of the others is over,
// it is used once.
func (c *connector) connectReader() (driver.Conn, bool) {
	address := c.readFile
	if info, err := os.Stat(c.file + "-wal"); err == nil && info.Size() > 0 {
		address = c.readLog
	}
	conn, err := c.driver.Open(address)
	if err != nil {
		return nil, false
	}
	whole, ok := conn.(fullConn)
	if !ok {
		_ = conn.Close()
		return nil, false
	}
	c.readers++
	return &reader{fullConn: whole, until: c.readersUntil, closed: sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.readers--
	})}, true
}

// refusesWrites reports whether a failure to open comes from a disk without space,
// a read-only one, or a directory that this process may not write.
func (c *connector) refusesWrites(err error) bool {
	switch classify(err) {
	case full, unwritable, unavailable:
	default:
		return false
	}
	if _, err := os.Stat(c.file); err != nil {
		return false
	}
	const writable = 2 // W_OK (access(2))
	dir := filepath.Dir(c.file)
	if syscall.Access(c.file, writable) != nil || syscall.Access(dir, writable) != nil {
		return true
	}
	var disk syscall.Statfs_t
	if syscall.Statfs(dir, &disk) != nil {
		return false
	}
	// A shared-memory file begins with 32 KiB.
	return uint64(disk.Bavail)*uint64(disk.Bsize) < 64<<10 || disk.Files > 0 && disk.Ffree == 0
}

// withCause adds that permission is missing to a failure to open. SQLite says only that
// it can't open a file.
func (c *connector) withCause(err error) error {
	if classify(err) != unavailable || errors.Is(err, fs.ErrPermission) {
		return err
	}
	file, cause := os.OpenFile(c.file, os.O_RDWR, 0)
	if cause == nil {
		_ = file.Close()
	}
	if !errors.Is(cause, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("%w: %w", cause, err)
}

// outOfFiles reports whether a failure to open comes from the limit on file
// descriptors. SQLite says only that it can't open a file.
func (c *connector) outOfFiles(err error) bool {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return true
	}
	var inSQL *sqlitedriver.Error
	if !errors.As(err, &inSQL) || inSQL.Code()&0xff != lib.SQLITE_CANTOPEN {
		return false
	}
	info, err := os.Stat(c.file)
	const readable, writable = 4, 2
	return err == nil && info.Mode().IsRegular() && syscall.Access(c.file, readable|writable) == nil
}

// A fullConn is what database/sql uses of the driver's connections.
type fullConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.ConnBeginTx
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// A reader is a connection that only reads, until a time.
type reader struct {
	fullConn
	until  time.Time
	closed func()
}

// IsValid implements driver.Validator.
func (r *reader) IsValid() bool { return time.Now().Before(r.until) && r.fullConn.IsValid() }

// ResetSession implements driver.SessionResetter.
func (r *reader) ResetSession(ctx context.Context) error {
	if !time.Now().Before(r.until) {
		return driver.ErrBadConn
	}
	return r.fullConn.ResetSession(ctx)
}

// Close implements driver.Conn.
func (r *reader) Close() error {
	defer r.closed()
	return r.fullConn.Close()
}

// sqliteDriver returns the registered driver.
var sqliteDriver = sync.OnceValues(func() (driver.Driver, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	defer db.Close()
	return db.Driver(), nil
})
