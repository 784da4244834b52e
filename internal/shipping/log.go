package shipping

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/superfly/ltx"

	"robot.wtf/internal/durable"
)

// A Log is the shipped records of a time, ready to be applied.
type Log struct {
	records map[string][]place // by name of the database, oldest first
	files   []*os.File
	scratch string
	// Until is the time of the newest object; zero if there is none.
	Until time.Time
	// Damaged says which objects can't be read. They are left out.
	Damaged []error
}

// A place is where a record is.
type place struct {
	record
	time   time.Time
	file   *os.File
	offset int64
}

// OpenLog reads the objects after a number, up to a time if it isn't zero. Encrypted
// objects are decrypted into a temporary directory in scratch. It fails with
// ErrEncrypted if none of the identities decrypts them.
func (d Directory) OpenLog(after uint64, until time.Time, scratch string, identities []age.Identity) (_ *Log, err error) {
	all, err := d.List()
	if err != nil {
		return nil, fmt.Errorf("shipping: %w", err)
	}
	l := &Log{records: map[string][]place{}}
	defer func() {
		if err != nil {
			_ = l.Close()
		}
	}()
	if l.scratch, err = os.MkdirTemp(scratch, "robot-log-"); err != nil {
		return nil, fmt.Errorf("shipping: %w", err)
	}
	for _, o := range all {
		if o.Number <= after || !until.IsZero() && o.Time.After(until) {
			continue
		}
		l.Until = o.Time
		if err := l.add(o, identities); err != nil {
			err = fmt.Errorf("shipping: %s: %w", filepath.Base(o.file), err)
			if errors.Is(err, ErrEncrypted) {
				return nil, err
			}
			l.Damaged = append(l.Damaged, err)
		}
	}
	return l, nil
}

// add adds the records of an object.
func (l *Log) add(o Object, identities []age.Identity) error {
	file, err := l.open(o, identities)
	if err != nil {
		return err
	}
	h, offset, err := headerSize(file)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	l.files = append(l.files, file)
	for _, r := range h.Records {
		l.records[r.Name] = append(l.records[r.Name], place{record: r, time: h.Time, file: file, offset: offset})
		offset += r.Size
	}
	return nil
}

// open opens an object, decrypted.
func (l *Log) open(o Object, identities []age.Identity) (*os.File, error) {
	file, err := os.Open(o.file)
	if err != nil || !strings.HasSuffix(o.file, sealedExt) {
		return file, err
	}
	defer file.Close()
	if len(identities) == 0 {
		return nil, ErrEncrypted
	}
	plain, err := age.Decrypt(bufio.NewReader(file), identities...)
	if _, wrong := errors.AsType[*age.NoIdentityMatchError](err); wrong {
		return nil, fmt.Errorf("%w: %w", ErrEncrypted, err)
	}
	if err != nil {
		return nil, err
	}
	copied, err := os.CreateTemp(l.scratch, "object-")
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(copied, plain); err != nil {
		return nil, errors.Join(err, copied.Close())
	}
	_, err = copied.Seek(0, io.SeekStart)
	return copied, err
}

// ErrEncrypted is the error of OpenLog without the right identity.
var ErrEncrypted = errors.New("the shipped log is encrypted: pass the file with the age identity that decrypts it (--identity)")

// Close closes the objects.
func (l *Log) Close() error {
	var failed []error
	for _, f := range l.files {
		failed = append(failed, f.Close())
	}
	return errors.Join(append(failed, os.RemoveAll(l.scratch))...)
}

// Has reports whether there are records of a database.
func (l *Log) Has(name string) bool { return len(l.records[name]) > 0 }

// Databases returns the names of all databases that have records.
func (l *Log) Databases() []string { return slices.Sorted(maps.Keys(l.records)) }

// An Applied says what Apply did.
type Applied struct {
	Records int
	Time    time.Time // of the last record that was applied
	Base    bool      // the copy wasn't used
}

// ErrBroken is the error of Apply if records are missing or damaged. The file then is
// as of an earlier time, which Applied names, or unchanged.
var ErrBroken = errors.New("the shipped log can't be applied to its end, because something in it is missing or damaged")

// Apply brings the file of a database to the end of the log. The file is a copy that
// was taken up to the time copied; if there is none, it is created from a base in the
// log. Records that end before that copy are left out.
func (l *Log) Apply(name, file string, copied time.Time) (Applied, error) {
	records := sinceLastBase(l.records[name])
	if len(records) == 0 {
		return Applied{}, nil
	}
	last, err := lastReachable(records, file)
	if err != nil {
		return Applied{}, fmt.Errorf("shipping: %s: %w", name, err)
	}
	var done Applied
	for _, r := range records[:last] {
		if err := r.applyTo(file); err != nil {
			return done, fmt.Errorf("shipping: %s: %w", name, err)
		}
		done = Applied{Records: done.Records + 1, Time: r.time, Base: records[0].Base}
	}
	if done.Records > 0 {
		if err := durable.SyncFile(file); err != nil {
			return done, fmt.Errorf("shipping: %s: %w", name, err)
		}
	}
	if last < len(records) && records[len(records)-1].time.After(copied) {
		return done, fmt.Errorf("shipping: %s: %w", name, ErrBroken)
	}
	return done, nil
}

// sinceLastBase returns the records from the last base on.
func sinceLastBase(records []place) []place {
	for i, r := range slices.Backward(records) {
		if r.Base {
			return records[i:]
		}
	}
	return records
}

// lastReachable returns how many of the records lead to the state that the last of
// them names. A record that can't be read, or isn't of the same generation, ends them.
func lastReachable(records []place, file string) (int, error) {
	var sums *pageSums
	if !records[0].Base {
		var err error
		if sums, err = sumFile(file); err != nil {
			return 0, err
		}
	}
	last := 0
	for i, r := range records {
		if r.Generation != records[0].Generation {
			break
		}
		err := r.read(func(h ltx.Header) error {
			if sums == nil {
				sums = newPageSums(int(h.PageSize))
			}
			if int(h.PageSize) != sums.size {
				return errors.New("the size of pages differs")
			}
			sums.resize(h.Commit)
			return nil
		}, func(number uint32, page []byte) error {
			sums.set(number, sumPage(number, page))
			return nil
		})
		if err != nil {
			break
		}
		if sums.total == r.Sum {
			last = i + 1
		}
	}
	return last, nil
}

// read reads a record and checks its checksums.
func (r place) read(begin func(ltx.Header) error, page func(number uint32, data []byte) error) error {
	sum := sha256.New()
	section := io.NewSectionReader(r.file, r.offset, r.Size)
	if _, err := io.Copy(sum, section); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != r.SHA256 {
		return fmt.Errorf("the record of %s doesn't match its checksum", r.time.Format(time.RFC3339))
	}
	decoder := ltx.NewDecoder(bufio.NewReaderSize(io.NewSectionReader(r.file, r.offset, r.Size), 1<<16))
	if err := decoder.DecodeHeader(); err != nil {
		return err
	}
	if err := begin(decoder.Header()); err != nil {
		return err
	}
	data := make([]byte, decoder.Header().PageSize)
	for {
		var h ltx.PageHeader
		switch err := decoder.DecodePage(&h, data); {
		case errors.Is(err, io.EOF):
			return decoder.Close()
		case err != nil:
			return err
		}
		if err := page(h.Pgno, data); err != nil {
			return err
		}
	}
}

// applyTo writes a record's pages to the file of a database.
func (r place) applyTo(file string) error {
	if r.Base {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	out, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	size := int64(0)
	err = r.read(func(h ltx.Header) error {
		size = int64(h.PageSize)
		return out.Truncate(size * int64(h.Commit))
	}, func(number uint32, page []byte) error {
		_, err := out.WriteAt(page, int64(number-1)*size)
		return err
	})
	return errors.Join(err, out.Close())
}
