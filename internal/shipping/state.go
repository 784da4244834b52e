package shipping

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/superfly/ltx"

	"robot.wtf/internal/durable"
	"robot.wtf/internal/sqlite"
)

// A state is what the target has of a database.
type state struct {
	Generation string       `json:"generation"`
	Sum        ltx.Checksum `json:"sum"`             // of all pages
	Files      string       `json:"files,omitempty"` // fingerprint of the database's files

	// The rest is known once the database was read, and while its log continues.
	attached bool
	log      sqlite.LogPosition
	pages    *pageSums // nil if not known
}

// readLog reads the transactions since.
func (st *state) readLog(file string) (sqlite.LogTail, error) {
	return sqlite.ReadLog(file+"-wal", st.log)
}

// pageSums are the checksums of a database's pages. The checksum of the database
// combines them (see LTX), so it follows from those of the changed pages.
type pageSums struct {
	size  int // of a page, in bytes
	sums  []ltx.Checksum
	total ltx.Checksum
}

func newPageSums(size int) *pageSums { return &pageSums{size: size, total: ltx.ChecksumFlag} }

// sumPage returns the checksum of a page. The fields of the header in which a copy
// differs from its source (https://sqlite.org/fileformat2.html#the_database_header)
// count as zero: counters of changes, the schema's too, and the journal mode, sizes and
// versions of the last writer.
func sumPage(number uint32, page []byte) ltx.Checksum {
	if number == 1 {
		page = slices.Clone(page)
		for _, field := range [][2]int{{18, 20}, {24, 32}, {40, 44}, {92, 100}} {
			clear(page[field[0]:field[1]])
		}
	}
	return ltx.ChecksumPage(number, page)
}

// set sets the checksum of a page.
func (p *pageSums) set(number uint32, sum ltx.Checksum) {
	for len(p.sums) < int(number) {
		p.sums = append(p.sums, 0)
	}
	p.total = ltx.ChecksumFlag | (p.total ^ p.sums[number-1] ^ sum)
	p.sums[number-1] = sum
}

// resize drops the pages after the first count ones.
func (p *pageSums) resize(count uint32) {
	for len(p.sums) > int(count) {
		last := len(p.sums) - 1
		p.total = ltx.ChecksumFlag | (p.total ^ p.sums[last])
		p.sums = p.sums[:last]
	}
}

// add adds the pages of a change.
func (p *pageSums) add(c change) {
	for _, number := range c.numbers {
		p.set(number, c.sums[number])
	}
	p.resize(c.count)
}

func (p *pageSums) clone() *pageSums {
	return &pageSums{size: p.size, sums: slices.Clone(p.sums), total: p.total}
}

// A change is the pages that a record consists of.
type change struct {
	base    bool
	size    int    // of a page, in bytes
	count   uint32 // pages of the database afterwards
	numbers []uint32
	sums    map[uint32]ltx.Checksum
	page    func(number uint32) ([]byte, error)
}

// addDatabase adds the changes of a database to an object, and returns the state that
// the target then has; nil if the database is gone.
func (s *Shipper) addDatabase(ctx context.Context, o *object, name string) (*state, error) {
	file := s.path(name)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	before := s.shipped[name]
	if before != nil {
		if !before.attached {
			s.attach(ctx, o, before, file)
		}
		if before.attached {
			tail, err := before.readLog(file)
			if err == nil {
				return addTail(o, name, before, tail)
			}
			if !errors.Is(err, sqlite.ErrLogLost) {
				return nil, err
			}
		}
		s.attach(ctx, o, before, file) // the database may have been closed, with everything in its file
		if before.attached {
			if tail, err := before.readLog(file); err == nil {
				return addTail(o, name, before, tail)
			}
		}
	}
	return s.addDifference(ctx, o, name, before)
}

// attach makes a state follow the log of a database that was opened again, if the
// database's file, or it with the beginning of the log, is as the target has it. The
// rest of the log is then newer, or the same.
func (s *Shipper) attach(ctx context.Context, o *object, st *state, file string) {
	st.attached = false
	copied := o.spool.Name() + ".db"
	defer os.Remove(copied)
	if err := sqlite.CopyFile(ctx, file, copied); err != nil {
		return
	}
	found, err := sumFile(copied)
	if err != nil {
		return
	}
	var at sqlite.LogPosition
	if found.total != st.Sum {
		err = sqlite.WalkLog(file+"-wal", at, func(t sqlite.LogTail) bool {
			found.add(tailChange(t))
			at = t.End
			return found.total != st.Sum
		})
	}
	if err == nil && found.total == st.Sum {
		st.attached, st.log, st.pages = true, at, found
	}
}

// tailChange returns the change that a part of a log makes.
func tailChange(tail sqlite.LogTail) change {
	c := change{size: tail.PageSize, count: tail.Size, sums: map[uint32]ltx.Checksum{}, page: func(n uint32) ([]byte, error) { return tail.Pages[n], nil }}
	for _, number := range slices.Sorted(maps.Keys(tail.Pages)) {
		if number <= c.count {
			c.numbers = append(c.numbers, number)
			c.sums[number] = sumPage(number, tail.Pages[number])
		}
	}
	return c
}

// addTail adds what a log says.
func addTail(o *object, name string, before *state, tail sqlite.LogTail) (*state, error) {
	after := *before
	after.log = tail.End
	if tail.Size == 0 {
		return &after, nil
	}
	c := tailChange(tail)
	after.pages = before.pages.clone()
	after.pages.add(c)
	after.Sum = after.pages.total
	if after.Sum == before.Sum {
		return &after, nil // the log was read again from its beginning
	}
	return &after, o.add(name, &after, c)
}

// addDifference adds the pages in which a database differs from what the target has,
// or all if that isn't known.
func (s *Shipper) addDifference(ctx context.Context, o *object, name string, before *state) (*state, error) {
	file := s.path(name)
	// The log is read before the copy: the next tail then contains all later commits,
	// and perhaps some that are in the copy.
	tail, err := sqlite.ReadLog(file+"-wal", sqlite.LogPosition{})
	if err != nil {
		return nil, err
	}
	copied := o.spool.Name() + ".db"
	defer os.Remove(copied)
	if err := sqlite.Copy(ctx, file, copied); err != nil {
		return nil, err
	}
	found, err := sumFile(copied)
	if err != nil {
		return nil, err
	}
	after := &state{Generation: rand.Text(), Sum: found.total, attached: true, log: tail.End, pages: found}
	known := before != nil && before.pages != nil && before.pages.size == found.size
	if known {
		after.Generation = before.Generation
		if before.Sum == after.Sum {
			return after, nil
		}
	}
	in, err := os.Open(copied)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	c := change{base: !known, size: found.size, count: uint32(len(found.sums)), sums: map[uint32]ltx.Checksum{}, page: func(n uint32) ([]byte, error) {
		page := make([]byte, found.size)
		_, err := in.ReadAt(page, int64(n-1)*int64(found.size))
		return page, err
	}}
	for i, sum := range found.sums {
		differs := !known || i == 0 || i >= len(before.pages.sums) || before.pages.sums[i] != sum // sumPage leaves some of the first page out
		if number := uint32(i + 1); differs && number != ltx.LockPgno(uint32(found.size)) {
			c.numbers = append(c.numbers, number)
		}
	}
	return after, o.add(name, after, c)
}

// sumFile sums the pages of a database's file, which nobody has open.
func sumFile(file string) (*pageSums, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return sumPages(f)
}

// sumPages sums the pages of a database.
func sumPages(in io.ReaderAt) (*pageSums, error) {
	header := make([]byte, 18)
	if _, err := in.ReadAt(header, 0); err != nil {
		return nil, fmt.Errorf("not a database: %w", err)
	}
	size := int(header[16])<<8 | int(header[17]) // https://sqlite.org/fileformat2.html#page_size
	if size == 1 {
		size = 1 << 16
	}
	if !ltx.IsValidPageSize(uint32(size)) {
		return nil, fmt.Errorf("not a database: its pages have %d bytes", size)
	}
	sums := newPageSums(size)
	page := make([]byte, size)
	for number := uint32(1); ; number++ {
		switch n, err := in.ReadAt(page, int64(number-1)*int64(size)); {
		case n == 0 && errors.Is(err, io.EOF):
			return sums, nil
		case n < size:
			return nil, fmt.Errorf("page %d is cut off: %w", number, err)
		}
		if number != ltx.LockPgno(uint32(size)) {
			sums.set(number, sumPage(number, page))
		}
	}
}

// statesFile holds the states of all databases between two runs of a service.
const statesFile = "shipped.json"

// readStates reads the states that an earlier Shipper wrote.
func (s *Shipper) readStates() error {
	text, err := os.ReadFile(s.path(statesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s.shipped)
	}
	maps.DeleteFunc(s.shipped, func(_ string, st *state) bool { return st == nil })
	return err
}

// keepStates writes the states. Without them, whole databases are shipped again.
func (s *Shipper) keepStates() {
	s.kept = s.o.Now()
	s.mu.Lock()
	for name, st := range s.shipped {
		if st.Files = fingerprint(s.path(name)); s.dirty[name] != nil {
			st.Files = ""
		}
	}
	s.mu.Unlock()
	text, err := json.Marshal(s.shipped)
	if err == nil {
		err = durable.WriteFile(s.path(statesFile), text)
	}
	if err != nil {
		s.o.Log.Warn("shipping: the shipped states can't be written", "err", err)
	}
}

// markChanged marks the databases that may have been written since the states.
func (s *Shipper) markChanged() {
	for _, name := range s.names() {
		if st := s.shipped[name]; st == nil || st.Files == "" || st.Files != fingerprint(s.path(name)) {
			s.dirty[name] = &pending{since: s.o.Now(), found: true}
			s.wake()
		}
	}
}

// fingerprint describes the file of a closed database, to notice that it was written;
// "" while it has a log.
func fingerprint(file string) string {
	if info, err := os.Stat(file + "-wal"); err == nil && info.Size() > 0 {
		return ""
	}
	info, err := os.Stat(file)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
}
