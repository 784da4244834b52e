package incoming

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/mediawiki"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

// noteTexts describes what an import leaves out and converts.
func noteTexts(l *Listing) string {
	var lines []string
	for _, n := range append(slices.Clone(l.Left), l.Converted...) {
		lines = append(lines, fmt.Sprintf("%s (%d): %s", n.Path, n.Files, n.Why))
	}
	return strings.Join(lines, "\n")
}

// pathsOf lists the paths that files will have.
func pathsOf(l *Listing) []string {
	var paths []string
	for _, f := range l.Files {
		paths = append(paths, f.Path)
	}
	return paths
}

func TestNotesAreBounded(t *testing.T) {
	var n Notes
	for i := range maxNotes + 10 {
		n.Leave(fmt.Sprint(i), 1, "why")
	}
	if len(n.Left) != maxNotes || n.LeftFiles != maxNotes+10 {
		t.Errorf("%d notes of %d files", len(n.Left), n.LeftFiles)
	}
}

func TestNumbered(t *testing.T) {
	for file, want := range map[string]string{
		"a/Name.md": "a/Name (2).md", "Mr. Smith": "Mr. Smith (2)", ".profile": ".profile (2)", "x.averylongending": "x.averylongending (2)",
	} {
		if got := numbered(file, 2); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}

// Encrypted files are left out, with a note, if others can be read.
func TestEncryptedBesideOthers(t *testing.T) {
	_, l := list(t, zipFile{"a.md", "text", nil}, zipFile{"b.md", "x", func(h *zip.FileHeader) { h.Flags |= 1 }})
	if len(l.Files) != 1 || !strings.Contains(noteTexts(l), "encrypted files (1)") {
		t.Errorf("%q\n%s", arrows(l), noteTexts(l))
	}
}

// Pages that can't be taken from an export are named.
func TestPagesLeftOut(t *testing.T) {
	data := exportOf("Start", "See [[Twice]].", "Twice", "one", "Twice", "two", "Large", strings.Repeat("a", mediawiki.MaxText+1), "Home", "ours", "Main Page", "theirs", "User:Ann", "#REDIRECT [[Start]]", "/", "slash")
	data = strings.Replace(data, "</mediawiki>", "<page><title>Data</title><revision><model>json</model><text>{}</text></revision></page></mediawiki>", 1)
	e, err := openExport(t, []byte(data), Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := e.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	notes := noteTexts(l)
	for _, want := range []string{"Twice (1): the export has it twice", "Large (1): it is too large", "Data (1): it is json, not text"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note %q in\n%s", want, notes)
		}
	}
	if strings.Contains(notes, "User:Ann") || strings.Contains(notes, "Ann") {
		t.Errorf("a redirect of a user's page is named:\n%s", notes)
	}
	if got := strings.Join(pathsOf(l), " "); got != "Home.md Main_Page.md Page.md Start.md Twice.md" {
		t.Errorf("files: %s", got)
	}
	if _, err := e.Read(t.Context(), File{From: "Nothing.md"}); err == nil || !strings.Contains(err.Error(), "isn't listed") {
		t.Errorf("a page that isn't listed: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Read(ended, l.Files[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("a read after its end: %v", err)
	}
}

// Attack: an export of very many pages or revisions.
func TestExportsAreBounded(t *testing.T) {
	if slow.Enabled() {
		var pages []string
		for n := range MaxEntries + 1 {
			pages = append(pages, fmt.Sprint("P", n), "")
		}
		e, err := openExport(t, []byte(exportOf(pages...)), Options{})
		if err == nil {
			_, err = e.List(t.Context())
		}
		if !errors.Is(err, wiki.ErrTooLarge) || !strings.Contains(err.Error(), "pages. Export fewer") {
			t.Errorf("%d pages: %v", len(pages)/2, err)
		}
	}
	full := &Export{revisions: make([]pageRevision, maxRevisions)}
	if err := full.addRevision(&mediawiki.Page{}, mediawiki.Revision{}); err != errTooManyRevisions {
		t.Errorf("one revision too many: %v", err)
	}
	talk := &Export{}
	for name, revision := range map[string]mediawiki.Revision{"json": {Model: "json"}, "large": {Text: mediawiki.Span{Size: mediawiki.MaxText + 1}}} {
		if err := talk.addRevision(&mediawiki.Page{}, revision); err != nil || len(talk.revisions) != 0 {
			t.Errorf("%s: %d revisions, %v", name, len(talk.revisions), err)
		}
	}
	if err := talk.addRevision(&mediawiki.Page{Title: mediawiki.Title{Namespace: 1}}, mediawiki.Revision{}); err != nil || len(talk.revisions) != 0 {
		t.Errorf("of a discussion: %d revisions, %v", len(talk.revisions), err)
	}
}

// A compressed export that is over a limit isn't unpacked to its end.
func TestCompressedExportsEndEarly(t *testing.T) {
	packed := bufio.NewReader(strings.NewReader(""))
	late := mediawiki.Span{Offset: minCompressed}
	for name, c := range map[string]struct {
		e     *Export
		last  mediawiki.Span
		pages int
		bytes int64
		ends  bool
	}{
		"pages":     {&Export{packed: packed, options: Options{Pages: 2, Bytes: 10}}, late, 3, 1, true},
		"bytes":     {&Export{packed: packed, options: Options{Pages: 2, Bytes: 10}}, late, 1, 11, true},
		"within":    {&Export{packed: packed, options: Options{Pages: 2, Bytes: 10}}, late, 2, 10, false},
		"early":     {&Export{packed: packed, options: Options{Pages: 2, Bytes: 10}}, mediawiki.Span{}, 3, 11, false},
		"unpacked":  {&Export{options: Options{Pages: 2, Bytes: 10}}, late, 3, 11, false},
		"unlimited": {&Export{packed: packed}, late, 3, 11, false},
	} {
		if err := c.e.checkEnough(c.last, c.pages, c.bytes); errors.Is(err, wiki.ErrTooLarge) != c.ends {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Errors that aren't the export's fault aren't changed.
func TestErrorsOfExports(t *testing.T) {
	e := &Export{}
	for _, err := range []error{&os.PathError{Op: "read", Path: "x", Err: os.ErrClosed}, errTooManyRevisions, context.Canceled, context.DeadlineExceeded} {
		if got := e.problem(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
	if err := e.problem(errors.New("bad")); !errors.Is(err, wiki.ErrInvalid) || !strings.Contains(err.Error(), "damaged or incomplete") {
		t.Errorf("damage: %v", err)
	}
}

// openExportZip opens a zip with an export for a test.
func openExportZip(t *testing.T, data []byte, o Options) (*ExportZip, error) {
	t.Helper()
	archive, err := ReadDirectory(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	o.Dir = t.TempDir()
	z, err := OpenExportZip(archive, o)
	t.Cleanup(func() {
		if err == nil {
			if err := z.Close(); err != nil {
				t.Error(err)
			}
		}
		if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
			t.Errorf("%d files left, %v", len(left), err)
		}
	})
	return z, err
}

// Attack: an export in a zip that is larger than it says or than the limit. Files beside
// it with equal names are named.
func TestExportsInZips(t *testing.T) {
	export := zipFile{"dump.xml", exportOf("A", "a"), nil}
	z, err := openExportZip(t, makeZip(t, export, zipFile{"images/a/x.png", "1", nil}, zipFile{"images/b/x.png", "2", nil}, zipFile{"__MACOSX/notes.md", "junk", nil}), Options{Max: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	l, err := z.List(t.Context())
	if err != nil || !strings.Contains(noteTexts(l), "images/b/x.png (1): the zip has another file of this name") {
		t.Errorf("%v\n%s", err, noteTexts(l))
	}
	full := errors.New("full")
	if _, err := openExportZip(t, makeZip(t, export), Options{Max: 10, Full: full}); err != full {
		t.Errorf("larger than the limit: %v", err)
	}
	large := zipFile{"dump.xml", exportOf("A", strings.Repeat("a ", 600<<10)), nil}
	lying := makeZip(t, large)
	at := bytes.LastIndex(lying, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(lying[at+24:], uint32(len(large.text)-1)) // the declared size
	if _, err := openExportZip(t, lying, Options{Max: 10 << 20}); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("larger than it says: %v", err)
	}
}

// Tables are bounded, and any bytes give a page.
func TestTablesAreBounded(t *testing.T) {
	z := &Zip{}
	table := func(data string) (string, error) {
		page, err := z.tablePage(File{From: "Table.csv"}, "Table", []byte(data))
		return string(page), err
	}
	page, err := table("a\n" + strings.Repeat("x\n", maxTableRows+5))
	if err != nil || strings.Count(page, "| x |\n") != maxTableRows || !strings.Contains(page, "Only the first") {
		t.Errorf("%d rows, %v", strings.Count(page, "| x |\n"), err)
	}
	if page, err := table("a\n\xff\n"); err != nil || !strings.Contains(page, "\uFFFD") {
		t.Errorf("%q, %v", page, err)
	}
	if page, err := table(""); err != nil || page != "# Table\n\n" {
		t.Errorf("%q, %v", page, err)
	}
	if _, err := table(strings.Repeat(strings.Repeat("|||,", maxTableColumns)+"\n", maxTableRows)); !errors.Is(err, wiki.ErrTooLarge) {
		t.Errorf("a table with many columns: %v", err)
	}
}

// Zips that can't be read say why.
func TestUnreadableZips(t *testing.T) {
	failed := &os.PathError{Op: "write", Path: "x", Err: os.ErrClosed}
	if err := unreadable("a.md", failed); err != failed {
		t.Errorf("a full disk became %v", err)
	}
	if err := unreadable("a.md", zip.ErrAlgorithm); !strings.Contains(err.Error(), "unusual way") {
		t.Errorf("another compression: %v", err)
	}
	z, l := list(t, zipFile{"a.md", "text", nil})
	if _, err := z.Read(t.Context(), File{From: "b.md"}); err == nil || !strings.Contains(err.Error(), "isn't listed") {
		t.Errorf("a file that isn't listed: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := z.Read(ended, l.Files[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("a read after its end: %v", err)
	}
	for p, want := range map[string]bool{"a/Thumbs.db": true, "desktop.ini": true, "Icon\r": true, "__MACOSX/a": true, "x/.DS_Store": true, "Icons": false} {
		if isJunk(p) != want {
			t.Errorf("%q is junk: %v", p, !want)
		}
	}
}

// Attack: a zip of zips that are too many, or larger than the rest of the limit.
func TestZipsInZipsAreBounded(t *testing.T) {
	part := string(makeZip(t, zipFile{"a.md", strings.Repeat("text ", 100), nil}))
	parts := func(n int) []byte {
		var files []zipFile
		for i := range n {
			files = append(files, zipFile{fmt.Sprintf("Part-%d.zip", i), part, nil})
		}
		return makeZip(t, append(files, zipFile{".DS_Store", "junk", nil})...)
	}
	openWith := func(data []byte, o Options) error {
		archive, err := ReadDirectory(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		z, err := OpenZip(archive, o)
		if err == nil {
			err = z.Close()
		}
		return err
	}
	if err := openWith(parts(maxParts+1), Options{Dir: t.TempDir(), Max: 10 << 20}); !errors.Is(err, wiki.ErrTooLarge) || !strings.Contains(err.Error(), "zips inside") {
		t.Errorf("too many: %v", err)
	}
	full := errors.New("full")
	if err := openWith(parts(2), Options{Dir: t.TempDir(), Max: int64(len(part)) + 1, Full: full}); !errors.Is(err, full) {
		t.Errorf("together too large: %v", err)
	}
	if err := openWith(parts(2), Options{Max: 1}); err != nil {
		t.Errorf("without a directory they aren't opened: %v", err)
	}
	if err := openWith(parts(2), Options{Dir: t.TempDir(), Max: 10 << 20}); err != nil {
		t.Errorf("two: %v", err)
	}
	lying := parts(1)
	at := bytes.Index(lying, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(lying[at+24:], uint32(len(part)-1)) // the declared size
	if err := openWith(lying, Options{Dir: t.TempDir(), Max: 10 << 20}); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("larger than it says: %v", err)
	}
}

// Attack: an extra field of a zip's entry that says to be longer than the rest.
func TestTruncatedExtraFields(t *testing.T) {
	for _, extra := range []string{"\x75\x70\x09\x00\x01", "\x75\x70\xff\xff", "\x75\x70\x03\x00\x01\x02\x03", "\x75\x70"} {
		f := &zip.File{FileHeader: zip.FileHeader{Name: "a.md", Extra: []byte(extra)}}
		if name := entryName(f); name != "a.md" {
			t.Errorf("%q: %q", extra, name)
		}
	}
}
