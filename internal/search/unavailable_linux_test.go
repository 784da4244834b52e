package search

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"robot.wtf/internal/wiki"
)

// While an index can be neither opened nor created, everything that needs it fails with
// wiki.ErrStorage, whose message blames the storage. It works again as soon as the disk
// does.
func TestIndexCannotBeOpened(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, dir string) (heal func() error){
		"missing directory": func(t *testing.T, dir string) func() error {
			return func() error { return os.Mkdir(filepath.Join(dir, "ada"), 0o700) }
		},
		"read-only": func(t *testing.T, dir string) func() error {
			mountSmallDisk(t, dir, "size=2m")
			if err := errors.Join(os.Mkdir(filepath.Join(dir, "ada"), 0o700), syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")); err != nil {
				t.Fatal(err)
			}
			return func() error { return syscall.Mount("", dir, "", syscall.MS_REMOUNT, "size=2m") }
		},
		"full": func(t *testing.T, dir string) func() error {
			mountSmallDisk(t, dir, "size=2m")
			filler := filepath.Join(dir, "filler")
			if err := os.Mkdir(filepath.Join(dir, "ada"), 0o700); err != nil {
				t.Fatal(err)
			}
			for err := error(nil); err == nil; {
				file, opened := os.OpenFile(filler, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
				if opened != nil {
					t.Fatal(opened)
				}
				_, err = file.Write(make([]byte, 4096))
				_ = file.Close()
			}
			return func() error { return os.Remove(filler) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := newWorld(t)
			u.put("Frost", "frost on the window")
			dir := t.TempDir()
			heal := spoil(t, dir)
			s := New(Options{Dir: dir, Model: &fakeModel{}})
			t.Cleanup(func() { _ = s.Close() })
			_, search := s.Search(t.Context(), u.w, Query{Text: "frost"})
			_, words := s.Search(t.Context(), u.w, Query{Text: "frost", Mode: Keyword})
			_, related := s.Related(t.Context(), u.w, "Frost", 5, nil)
			_, similar := s.Similar(t.Context(), u.w, "Ice", "frost", 5)
			_, pairs := s.NearDuplicates(t.Context(), u.w, 5)
			for what, err := range map[string]error{
				"search": search, "search by words": words, "related": related, "similar": similar, "near-duplicates": pairs,
				"catch up": s.CatchUp(t.Context(), u.w),
			} {
				if status := wiki.Status(err); !errors.Is(err, wiki.ErrStorage) || errors.Is(err, wiki.ErrDamaged) || status != 507 {
					t.Errorf("%s: status %d, %v", what, status, err)
				}
			}
			if names, err := s.Complete(t.Context(), u.w, "fr", 5); err != nil || len(names) != 1 {
				t.Errorf("completion needs no index: %v, %v", names, err)
			}
			if err := heal(); err != nil {
				t.Fatal(err)
			}
			if found, err := s.Search(t.Context(), u.w, Query{Text: "frost"}); err != nil || found.Total != 1 {
				t.Errorf("after the disk was repaired: %d found, %v", found.Total, err)
			}
		})
	}
}

// mountSmallDisk mounts a file system, if this process is allowed to.
func mountSmallDisk(t *testing.T, dir, options string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("needs the right to mount a small disk: %v", err)
		}
		t.Skipf("needs the right to mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}
