package sqlite

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"robot.wtf/internal/await"
	"robot.wtf/internal/wiki"
)

// smallDisk mounts a file system of 4 MB, if this process is allowed to.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("needs the right to mount a small disk: %v", err)
		}
		t.Skipf("needs the right to mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// wordsDB creates a database with one row. If killed, it is as a killed process
// leaves it: the row is only in the write-ahead log.
func wordsDB(t *testing.T, file string, killed bool) {
	t.Helper()
	made := file
	if killed {
		made = filepath.Join(t.TempDir(), "made.db")
	}
	db, err := Open(made, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE words (word TEXT); INSERT INTO words VALUES ('frost')"); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		if !killed {
			break
		}
		text, err := os.ReadFile(made + suffix)
		if err == nil {
			err = os.WriteFile(file+suffix, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func readWord(db *sql.DB) (word string, err error) {
	return word, db.QueryRow("SELECT word FROM words").Scan(&word)
}

// On a disk that is read-only or full, a database can be opened and read, with the
// log of a killed process. Writes fail with the right kind of error, and succeed once
// the disk accepts them, without opening the database again.
func TestOpenOnDiskThatRefusesWrites(t *testing.T) {
	t.Parallel()
	disks := map[string]func(t *testing.T, disk string) (heal func() error){
		"read-only": func(t *testing.T, disk string) func() error {
			if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
				t.Fatal(err)
			}
			return func() error { return syscall.Mount("", disk, "", syscall.MS_REMOUNT, "size=4m") }
		},
		"full": func(t *testing.T, disk string) func() error {
			filler := filepath.Join(disk, "filler")
			file, err := os.Create(filler)
			for err == nil {
				_, err = file.Write(make([]byte, 4096))
			}
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			_ = file.Close()
			return func() error { return os.Remove(filler) }
		},
	}
	for name, spoil := range disks {
		for _, killed := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", killed"}[killed], func(t *testing.T) {
				t.Parallel()
				disk := smallDisk(t)
				file := filepath.Join(disk, "words.db")
				wordsDB(t, file, killed)
				heal := spoil(t, disk)
				db, err := Open(file, Options{MustExist: true})
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				for range 3 {
					if word, err := readWord(db); err != nil || word != "frost" {
						t.Fatalf("read: %q, %v", word, err)
					}
				}
				_, err = db.Exec("INSERT INTO words VALUES ('ice')")
				if err = StorageError(err); !errors.Is(err, wiki.ErrStorage) || errors.Is(err, wiki.ErrDamaged) {
					t.Errorf("write: %v", err)
				}
				if err := heal(); err != nil {
					t.Fatal(err)
				}
				writes := func() bool { _, err = db.Exec("INSERT INTO words VALUES ('ice')"); return err == nil }
				if !await.Within(await.Long, writes) {
					t.Errorf("write on a healed disk: %v", err)
				}
				var n int
				if err := db.QueryRow("SELECT count(*) FROM words").Scan(&n); err != nil || n != 2 {
					t.Errorf("%d rows, want 2: %v", n, err)
				}
			})
		}
	}
}

// On a busy database, connections that only read overlap in time. They end together, so
// that there is a moment without any, in which it can be opened for writing.
func TestReadersEndTogether(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t)
	file := filepath.Join(disk, "words.db")
	wordsDB(t, file, false)
	synctest.Test(t, func(t *testing.T) {
		if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		db, err := Open(file, Options{MustExist: true})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		connect := func() *sql.Conn {
			conn, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return conn
		}
		first := connect()
		time.Sleep(readerAge * 3 / 4)
		second := connect()
		if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT, "size=4m"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(readerAge / 2)
		third := connect() // beside readers whose time is over
		for _, conn := range []*sql.Conn{first, second, third} {
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := db.Exec("INSERT INTO words VALUES ('ice')"); err != nil {
			t.Errorf("write after the readers' time: %v", err)
		}
	})
}

// While the process has too few file descriptors, Relieve is called and opening is
// tried again.
func TestTooFewFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "words.db")
	wordsDB(t, file, false)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = 40
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)
	var held []*os.File
	release := func() {
		for _, f := range held {
			f.Close()
		}
		held = nil
	}
	defer release()
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		held = append(held, f)
	}
	helpless, err := Open(file, Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer helpless.Close()
	if _, err := readWord(helpless); !Temporary(err) || Corrupt(err) {
		t.Errorf("without Relieve: %v", err)
	}
	relieved := 0
	db, err := Open(file, Options{MustExist: true, Relieve: func() {
		if relieved++; relieved == 2 {
			release()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if word, err := readWord(db); err != nil || word != "frost" || relieved != 2 {
		t.Errorf("%q after %d calls: %v", word, relieved, err)
	}
}

// A missing file isn't mistaken for too few file descriptors, and a damaged one isn't
// opened.
func TestRelieveIsOnlyForFiles(t *testing.T) {
	for name, text := range map[string]string{"missing": "", "text": strings.Repeat("not a database ", 500)} {
		file := filepath.Join(t.TempDir(), "x.db")
		if text != "" {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		db, err := Open(file, Options{MustExist: true, Relieve: func() { t.Errorf("%s: files were closed", name) }})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readWord(db); err == nil {
			t.Errorf("%s: it was opened", name)
		}
		db.Close()
	}
}

// An error says which file belongs to another user.
func TestFileOfAnotherUser(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.db")
	if _, err := openAndRead(t, file); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0); err != nil {
		t.Fatal(err)
	}
	opened := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock, so that the thread ends with its user
		const nobody = 65534
		if os.Geteuid() == 0 {
			if _, _, failed := syscall.RawSyscall(syscall.SYS_SETRESUID, nobody, nobody, nobody); failed != 0 { // of this thread alone
				opened <- failed
				return
			}
		}
		_, err := openAndRead(t, file)
		opened <- err
	}()
	err := <-opened
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "open "+file+": permission denied") || !Unavailable(err) || Damaged(err) {
		t.Errorf("%v", err)
	}
}

// openAndRead opens a database and reads the number of its tables.
func openAndRead(t *testing.T, file string) (tables int, err error) {
	t.Helper()
	db, err := Open(file, Options{})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	return tables, db.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_schema").Scan(&tables)
}
