package incoming

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"robot.wtf/internal/wiki"
)

// Bounds of one zip, besides those that its declared sizes are compared with.
const (
	MaxEntries   = 100_000  // of Markdown
	maxRecords   = 250_000  // of any zip
	maxDirectory = 64 << 20 // bytes of the list of entries
	maxParts     = 50       // zips within the zip
)

// Options bound what a source can make us do.
type Options struct {
	Dir string // an empty directory for the zips within a zip, or the unpacked export; "" to ignore the former
	Max int64  // bytes of these together
	// Full is the error for more than Max bytes; nil means one that gives the limit.
	// Set it if Max is the free space of a disk.
	Full error
	// Pages and Bytes are the wiki's limits. A compressed export, which takes long to
	// read, is refused as soon as it exceeds them; 0 is no limit.
	Pages int
	Bytes int64
	// Versions asks for the older versions of files, if the source has any; see
	// HistorySource.
	Versions bool
}

// A Zip is a zip of Markdown. It implements Source.
type Zip struct {
	entries   []entry
	encrypted int
	kind      kind
	byFrom    map[string]entry
	tables    map[string]string // for Notion: From of a table -> title of its page
	rows      map[string]string // for Notion: From without .md of each page, by the path of its title
	parts     []*os.File
}

// An entry is a regular file in a zip, with its path in UTF-8, separated by slashes.
type entry struct {
	file *zip.File
	path string
}

// OpenZip opens an archive from ReadDirectory. The caller closes the archive's file
// after the Zip.
func OpenZip(archive *zip.Reader, o Options) (*Zip, error) {
	z := &Zip{}
	if err := z.add(archive); err != nil {
		return nil, err
	}
	if err := z.openParts(o); err != nil {
		return nil, errors.Join(err, z.Close())
	}
	if len(z.entries) == 0 && z.encrypted > 0 {
		return nil, wiki.Problemf(wiki.ErrInvalid, "file", "This zip is encrypted. Make one without a password.")
	}
	return z, nil
}

// Close closes and removes the zips within the zip.
func (z *Zip) Close() error {
	var failed error
	for _, f := range z.parts {
		failed = errors.Join(failed, f.Close(), os.Remove(f.Name()))
	}
	z.parts = nil
	return failed
}

// add adds the files of an archive.
func (z *Zip) add(archive *zip.Reader) error {
	for _, f := range archive.File {
		switch name := entryName(f); {
		case strings.HasSuffix(name, "/"), !f.Mode().IsRegular() && f.Mode()&fs.ModeSymlink == 0: // nothing to take
		case f.Flags&1 != 0:
			z.encrypted++
		default:
			z.entries = append(z.entries, entry{f, name})
		}
	}
	if len(z.entries) > MaxEntries {
		return errTooManyEntries
	}
	return nil
}

var errTooManyEntries = wiki.Problemf(wiki.ErrTooLarge, "file", "This zip has too many files: the limit is %d. Leave some folders out, and zip it again.", MaxEntries)

// ReadDirectory reads a zip's list of entries. It fails with a *wiki.Problem if there
// are too many; other errors mean that it isn't a zip.
func ReadDirectory(r io.ReaderAt, size int64) (*zip.Reader, error) {
	bounded := &boundedDirectory{r: r}
	archive, err := zip.NewReader(bounded, size)
	bounded.done = true
	if bounded.over {
		return nil, errTooManyEntries
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, err
	}
	return archive, nil
}

// A boundedDirectory fails once the list of entries is longer than maxRecords or
// maxDirectory. Package zip would read millions of entries into memory.
type boundedDirectory struct {
	r          io.ReaderAt
	done, over bool
	bytes      int
	entries    int
	last       [3]byte // of the previous read, which is just before this one
}

var entryMark = []byte("PK\x01\x02") // begins each entry of the list (APPNOTE.TXT, 4.3.12)

func (b *boundedDirectory) ReadAt(p []byte, at int64) (int, error) {
	n, err := b.r.ReadAt(p, at)
	if b.done {
		return n, err
	}
	seen := append(b.last[:], p[:n]...)
	b.bytes += n
	b.entries += bytes.Count(seen, entryMark)
	copy(b.last[:], seen[max(0, len(seen)-len(b.last)):])
	if b.over = b.over || b.bytes > maxDirectory || b.entries > maxRecords; b.over {
		return 0, errTooManyEntries
	}
	return n, err
}

// entryName returns an entry's path in UTF-8, with slashes: from the Unicode field
// of Info-ZIP, or as it is, or decoded from code page 437 (APPNOTE.TXT, 4.4.4, 4.6.9
// and appendix D).
func entryName(f *zip.File) string {
	name := f.Name
	if unicodeName, ok := unicodePath(f); ok {
		name = unicodeName
	} else if !utf8.ValidString(name) {
		name, _ = charmap.CodePage437.NewDecoder().String(name)
	}
	return strings.ReplaceAll(name, `\`, "/")
}

// unicodePath returns the path in an entry's Info-ZIP Unicode field, if it belongs
// to the entry's name.
func unicodePath(f *zip.File) (string, bool) {
	for extra := f.Extra; len(extra) >= 4; {
		id, size := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		if extra = extra[4:]; size > len(extra) {
			return "", false
		}
		field := extra[:size]
		if id == 0x7075 && size > 5 && field[0] == 1 && binary.LittleEndian.Uint32(field[1:]) == crc32.ChecksumIEEE([]byte(f.Name)) && utf8.Valid(field[5:]) {
			return string(field[5:]), true
		}
		extra = extra[size:]
	}
	return "", false
}

// partName matches the zips that Notion puts into the zip of a large export.
var partName = regexp.MustCompile(`(?i)(^|/)[^/]*part-?[0-9]+\.zip$`)

// openParts adds the files of the zips within the zip, if it has nothing else.
func (z *Zip) openParts(o Options) error {
	if o.Dir == "" {
		return nil
	}
	inside := z.entries
	for _, e := range inside {
		if !partName.MatchString(e.path) && !isJunk(e.path) {
			return nil
		}
	}
	z.entries = nil
	left := o.Max
	for i, e := range inside {
		if isJunk(e.path) {
			continue
		}
		if i >= maxParts {
			return wiki.Problemf(wiki.ErrTooLarge, "file", "This zip has more than %d zips inside. Import them one at a time.", maxParts)
		}
		if o.Full != nil && int64(e.file.UncompressedSize64) > left {
			return o.Full
		}
		n, err := z.openPart(e, o.Dir, left)
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}

func (z *Zip) openPart(e entry, dir string, max int64) (int64, error) {
	if int64(e.file.UncompressedSize64) > max {
		return 0, wiki.Problemf(wiki.ErrTooLarge, "file", "Together, the zips inside this zip are too large. Import them one at a time.")
	}
	part, err := os.CreateTemp(dir, "part-")
	if err != nil {
		return 0, err
	}
	z.parts = append(z.parts, part)
	in, err := e.file.Open()
	if err != nil {
		return 0, unreadable(e.path, err)
	}
	defer in.Close()
	n, err := io.Copy(part, io.LimitReader(in, int64(e.file.UncompressedSize64)+1))
	if err == nil && n > int64(e.file.UncompressedSize64) {
		err = zip.ErrFormat
	}
	if err != nil {
		return n, unreadable(e.path, err)
	}
	archive, err := ReadDirectory(part, n)
	if err == nil {
		err = z.add(archive)
	}
	if err != nil {
		return n, unreadable(e.path, err)
	}
	return n, nil
}

// unreadable returns the Problem of a file in a zip that is damaged; other errors,
// such as that of a full disk, aren't changed.
func unreadable(name string, err error) error {
	var failed *os.PathError
	if errors.As(err, &failed) || errors.As(err, new(*wiki.Problem)) {
		return err
	}
	if errors.Is(err, zip.ErrAlgorithm) {
		return wiki.Problemf(wiki.ErrInvalid, "file", "The zip can't be read: %.200q is compressed in an unusual way. Make the zip with the usual method, deflate.", name)
	}
	return wiki.Problemf(wiki.ErrInvalid, "file", "The zip can't be read: %.200q is damaged (%v). Make the zip again.", name, err)
}

// Read returns the content of a file.
func (z *Zip) Read(ctx context.Context, f File) ([]byte, error) {
	e, ok := z.byFrom[f.From]
	if err := ctx.Err(); err != nil || !ok {
		return nil, errors.Join(err, fmt.Errorf("incoming: %s isn't listed", f.From))
	}
	data, err := e.read()
	if err != nil {
		return nil, err
	}
	if title, ok := z.tables[f.From]; ok {
		return z.tablePage(f, title, data)
	}
	if z.kind == notion && path.Ext(f.From) == ".md" {
		data = notionCallouts(data)
	}
	return data, nil
}

// read returns an entry's content, of exactly the size that it declares.
func (e entry) read() ([]byte, error) {
	in, err := e.file.Open()
	if err != nil {
		return nil, unreadable(e.path, err)
	}
	defer in.Close()
	var data bytes.Buffer
	n, err := data.ReadFrom(io.LimitReader(in, int64(e.file.UncompressedSize64)+1))
	if err == nil && n != int64(e.file.UncompressedSize64) {
		err = zip.ErrFormat
	}
	if err != nil {
		return nil, unreadable(e.path, err)
	}
	return data.Bytes(), nil
}

// isJunk reports files that operating systems leave in folders.
func isJunk(p string) bool {
	switch base := path.Base(p); {
	case strings.HasPrefix(p, "__MACOSX/"), base == ".DS_Store", base == "Thumbs.db", base == "desktop.ini", base == "Icon\r":
		return true
	}
	return false
}
