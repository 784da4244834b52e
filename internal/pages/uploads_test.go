package pages

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body of a refused upload was read")
	return 0, io.EOF
}

// newImportingWorld has a wiki that can import.
func newImportingWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.startMirror()
	return w.fresh("eve")
}

func (w *world) left() int {
	w.t.Helper()
	list, err := filepath.Glob(filepath.Join(w.dir, ".scratch", "import-*"))
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list)
}

// One upload for each wiki, two for the service, and no byte is read of a third. A
// wiki with an upload keeps no other from importing.
func TestUploadsHaveASlotForEachWiki(t *testing.T) {
	t.Parallel()
	w := newImportingWorld(t)
	receive := func(slug string, in io.Reader) (*Upload, error) {
		return w.Receive(t.Context(), w.fresh(slug).owner, in, nil)
	}
	first, err := w.Receive(t.Context(), w.owner, strings.NewReader("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Receive(t.Context(), w.owner, unread{t}, nil); !errors.Is(err, wiki.ErrUnavailable) {
		t.Errorf("a second upload of one wiki: %v", err)
	}
	second, err := receive("bob", strings.NewReader("x"))
	if err != nil {
		t.Fatal("another wiki:", err)
	}
	if _, err := receive("cleo", unread{t}); !errors.Is(err, wiki.ErrUnavailable) || !strings.Contains(err.Error(), "Try again") {
		t.Errorf("a third upload: %v", err)
	}
	if n := w.left(); n != 2 {
		t.Errorf("%d uploads on disk", n)
	}
	for _, u := range []*Upload{first, second} {
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	}
	again, err := receive("dan", strings.NewReader("x"))
	if err != nil {
		t.Fatal("after both ended:", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if _, err := w.Receive(t.Context(), w.owner, io.MultiReader(strings.NewReader("x"), brokenReader{}), nil); err == nil {
		t.Error("a broken upload was stored")
	}
	if n := w.left(); n != 0 {
		t.Errorf("%d uploads left on disk", n)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// With only the margin left on disk, nothing is read; an upload that reaches the
// margin ends. Saves still work.
func TestUploadsLeaveAMarginOnDisk(t *testing.T) {
	t.Parallel()
	w := newImportingWorld(t)
	w.room.Store(0)
	if _, err := w.Receive(t.Context(), w.owner, unread{t}, nil); !errors.Is(err, wiki.ErrStorage) || !strings.Contains(err.Error(), "disk space") {
		t.Errorf("an import on a full disk: %v", err)
	}
	if _, err := w.AcquireUpload(t.Context(), w.owner, 100); !errors.Is(err, wiki.ErrStorage) {
		t.Errorf("a file on a full disk: %v", err)
	}
	w.room.Store(1 << 10)
	if _, err := w.Receive(t.Context(), w.owner, strings.NewReader(strings.Repeat("x", 1<<20)), nil); !errors.Is(err, wiki.ErrStorage) {
		t.Errorf("an import larger than the room: %v", err)
	}
	if n := w.left(); n != 0 {
		t.Errorf("%d uploads left on disk", n)
	}
	w.room.Store(0)
	w.put("Other", "A save still works.\n")
}

// A repository isn't unpacked if that could take the margin, nor are the files of a zip,
// which need room twice.
func TestUnpackingLeavesAMarginOnDisk(t *testing.T) {
	t.Parallel()
	w := newImportingWorld(t)
	bundle := bundleOfFiles(t, map[string][]byte{"Home.md": []byte("home\n"), "noise.bin": noise(1, 1<<20)})
	zipped := zipFiles(t, map[string]string{
		".git/HEAD": "ref: refs/heads/main\n",
		".git/objects/pack/pack-0000000000000000000000000000000000000000.pack": strings.Repeat("\x00", 2<<20),
	})
	var export bytes.Buffer
	z := gzip.NewWriter(&export)
	_, err := io.WriteString(z, exportOfPages(10, 100<<10))
	w.must(errors.Join(err, z.Close()))
	for name, c := range map[string]struct {
		data []byte
		room int
	}{"bundle": {bundle, 2 * len(bundle)}, "zip": {zipped, 1 << 20}, "export": {export.Bytes(), 500 << 10}} {
		w.room.Store(1 << 40)
		u := w.received(c.data)
		w.room.Store(int64(c.room))
		if _, err := w.Examine(w.t.Context(), w.owner, u, ImportRequest{}, nil); !errors.Is(err, wiki.ErrStorage) || !strings.Contains(err.Error(), "disk space") {
			t.Errorf("%s: %v", name, err)
		}
		w.must(u.Close())
	}
}

// The room can shrink while an upload is written.
func TestRoomIsCheckedWhileWriting(t *testing.T) {
	t.Parallel()
	w := newImportingWorld(t)
	w.room.Store(1 << 30)
	data := io.MultiReader(strings.NewReader(strings.Repeat("x", 2*roomStep)), readFunc(func([]byte) (int, error) {
		w.room.Store(0)
		return 0, io.EOF
	}), strings.NewReader(strings.Repeat("x", 2*roomStep)))
	if _, err := w.Receive(t.Context(), w.owner, data, nil); !errors.Is(err, wiki.ErrStorage) {
		t.Errorf("the upload went on: %v", err)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(buf []byte) (int, error) { return f(buf) }

// One wiki's files use its share; another wiki's aren't delayed.
func TestFilesHaveAShareForEachWiki(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.another("bob", wiki.DefaultLimits)
	for range 2 {
		release, err := w.AcquireUpload(t.Context(), w.owner, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := w.AcquireUpload(ctx, w.owner, -1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a third large file of one wiki: %v", err)
	}
	release, err := w.AcquireUpload(t.Context(), other.owner, -1)
	if err != nil {
		t.Fatal("another wiki:", err)
	}
	release()
	if _, err := w.AcquireUpload(t.Context(), w.reader, 1); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("a reader: %v", err)
	}
}
