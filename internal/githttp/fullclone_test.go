package githttp

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/gitrepo"
)

// A full clone starts no process, whether from one pack or many. A strict client
// accepts it, and it has the objects that git would have sent.
func TestWholeClone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.fill("ada", 3)
	clone := func(args ...string) string {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "clone")
		w.must("", append(append([]string{"-c", "transfer.fsckObjects=true", "clone", "-q"}, args...), w.url("ada", ""), dir)...)
		if said := w.must(dir, "fsck", "--strict", "--full"); said != "" {
			t.Errorf("fsck: %s", said)
		}
		return dir
	}
	ids := func(dir string) string { return w.must(dir, "rev-list", "--all", "--objects", "--no-object-names") }
	without := func(slots int, do func()) { // with all other slots taken
		t.Helper()
		for range slots {
			release, err := w.door.acquireProcess(t.Context(), "ada")
			if err != nil {
				t.Fatal(err)
			}
			defer release()
		}
		do()
	}
	for round := range 3 {
		w.save("ada", "Home", fmt.Sprint("round ", round, "\n"))
		if round == 2 {
			w.must("", "ls-remote", w.url("ada", ""))
			if err := w.Mirror.Repack(t.Context(), "ada"); err != nil {
				t.Fatal(err)
			}
		}
		w.must("", "ls-remote", w.url("ada", "")) // caches the refs
		byGit := clone("-c", "protocol.version=0")
		without(wikiSlots, func() {
			ours := clone()
			if ids(ours) != ids(byGit) {
				t.Errorf("round %d: objects differ from git's", round)
			}
			if w.must(ours, "log", "-1", "--format=%H") != w.must(byGit, "log", "-1", "--format=%H") {
				t.Errorf("round %d: head differs from git's", round)
			}
		})
	}
	// git answers other requests.
	for _, args := range [][]string{{"--depth=1"}, {"--filter=blob:none", "--no-checkout"}, {"--shallow-since=2001-01-01"}} {
		clone(args...)
	}
}

// Packs that share an object aren't sent unchanged, because strict clients would
// reject them.
func TestObjectsInTwoPacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.save("ada", "Home", "once\n")
	w.must("", "ls-remote", w.url("ada", ""))
	w.save("ada", "Home", "twice\n")
	w.must("", "ls-remote", w.url("ada", ""))
	repo, leave, err := w.Pages.Repository(t.Context(), w.Access("ada", "ada"))
	if err != nil {
		t.Fatal(err)
	}
	leave(false)
	dir := filepath.Join(w.dir, "ada", repo.Name())
	ids := w.must(dir, "rev-parse", "HEAD:Home.md", "HEAD~1:Home.md")
	w.feed(dir, ids+"\n", "pack-objects", "-q", "objects/pack/pack")
	packs, err := repo.OpenPacks()
	if err != nil {
		t.Fatal(err)
	}
	defer packs.Close()
	if is, err := packs.Disjoint(); is || err != nil {
		t.Errorf("%d objects, some of them twice: disjoint %v, %v", packs.Objects(), is, err)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	w.must("", "-c", "transfer.fsckObjects=true", "clone", "-q", w.url("ada", ""), clone)
}

// A corrupted pack is not served: the export is rebuilt. If nothing was sent yet,
// the client doesn't notice.
func TestDamagedPack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pages    int
		noticed  bool
		rebuilds uint64
	}{"small": {0, false, 1}, "large": {8, true, 1}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.fill("ada", c.pages)
			w.must("", "ls-remote", w.url("ada", ""))
			w.rot("ada")
			dir := t.TempDir()
			if out, err := w.git("", "clone", "-q", w.url("ada", ""), filepath.Join(dir, "first")); (err != nil) != c.noticed {
				t.Errorf("clone of a damaged pack: %v\n%s", err, out)
			}
			clone := filepath.Join(dir, "second")
			w.must("", "clone", "-q", w.url("ada", ""), clone)
			if said := w.must(clone, "fsck", "--strict", "--full"); said != "" {
				t.Errorf("fsck: %s", said)
			}
			if n := w.Mirror.Stats().Rebuilds; n != c.rebuilds {
				t.Errorf("the export was rebuilt %d times", n)
			}
		})
	}
}

// rot corrupts the end of a wiki's largest pack as a disk would, keeping its size
// and time.
func (w *world) rot(slug string) {
	w.T.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, slug, "repo.git", "objects", "pack", "*.pack"))
	if err != nil || len(files) == 0 {
		w.T.Fatal(files, err)
	}
	size := func(name string) int64 {
		info, err := os.Stat(name)
		if err != nil {
			w.T.Fatal(err)
		}
		return info.Size()
	}
	largest := slices.MaxFunc(files, func(a, b string) int { return cmp.Compare(size(a), size(b)) })
	info, err := os.Stat(largest)
	if err != nil {
		w.T.Fatal(err)
	}
	text, err := os.ReadFile(largest)
	if err != nil {
		w.T.Fatal(err)
	}
	text[len(text)-30] ^= 0xff
	if err := errors.Join(os.Chmod(largest, 0o600), os.WriteFile(largest, text, 0o600), os.Chtimes(largest, info.ModTime(), info.ModTime())); err != nil {
		w.T.Fatal(err)
	}
}

// Packets are well formed, however the data is split into writes.
func TestSideband(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 5, maxPacket - packetHead, maxPacket, 4 * maxPacket, bufferBytes, 1<<20 + 7} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(random.Uint32())
		}
		var wire bytes.Buffer
		s := newSideband(&wire, make([]byte, bufferBytes))
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 1+random.IntN(70_000))
			if wrote, err := s.Write(rest[:n]); wrote != n || err != nil {
				t.Fatal(wrote, err)
			}
			rest = rest[n:]
		}
		if err := s.end(); err != nil {
			t.Fatal(err)
		}
		var got []byte
		if head := wire.Next(13); string(head) != "000dpackfile\n" {
			t.Fatalf("starts with %q", head)
		}
		for {
			var length int
			if _, err := fmt.Sscanf(string(wire.Next(4)), "%04x", &length); err != nil || length > maxPacket || length > 0 && length < packetHead {
				t.Fatal(length, err)
			}
			if length == 0 {
				break
			}
			packet := wire.Next(length - 4)
			if len(packet) != length-4 || packet[0] != bandPack {
				t.Fatalf("a packet of length %d has %d bytes", length, len(packet))
			}
			got = append(got, packet[1:]...)
		}
		if !bytes.Equal(got, want) || wire.Len() > 0 {
			t.Errorf("got %[2]d of %[1]d bytes, and %[3]d after them", size, len(got), wire.Len())
		}
	}
}

// Anything but a full clone is left to git.
func TestWholeRequest(t *testing.T) {
	pkt := func(lines ...string) string {
		var b strings.Builder
		for _, line := range lines {
			if line == "" {
				b.WriteString("0001")
				continue
			}
			fmt.Fprintf(&b, "%04x%s\n", len(line)+5, line)
		}
		return b.String() + "0000"
	}
	id := strings.Repeat("a", 40)
	for _, head := range [][]string{
		{"command=fetch", "agent=x", "object-format=sha1", ""},
		{"object-format=sha1", "command=fetch", "agent=x", ""}, // git 2.30
	} {
		if wants, ok := readFullClone([]byte(pkt(append(head, "thin-pack", "include-tag", "ofs-delta", "want "+id, "want "+id, "done")...))); !ok || len(wants) != 2 {
			t.Errorf("%q: %q %v", head, wants, ok)
		}
	}
	for _, not := range [][]string{
		{"command=fetch", "", "want " + id, "done"}, // without ofs-delta
		{"command=fetch", "", "ofs-delta", "want " + id},
		{"command=fetch", "", "ofs-delta", "done"},
		{"command=fetch", "", "ofs-delta", "want " + id, "have " + id, "done"},
		{"command=fetch", "", "ofs-delta", "want " + id, "deepen 1", "done"},
		{"command=fetch", "", "ofs-delta", "want " + id, "shallow " + id, "done"},
		{"command=fetch", "", "ofs-delta", "want " + id, "filter blob:none", "done"},
		{"command=fetch", "", "ofs-delta", "want " + id, "sideband-all", "done"},
		{"command=fetch", "server-option=x", "", "ofs-delta", "want " + id, "done"},
		{"command=ls-refs", "", "ofs-delta", "want " + id, "done"},
		{"command=ls-refs", "command=fetch", "", "ofs-delta", "want " + id, "done"},
		{"command=fetch", "command=fetch", "", "ofs-delta", "want " + id, "done"},
		{"agent=x", "", "command=fetch", "ofs-delta", "want " + id, "done"},
		{},
	} {
		if _, ok := readFullClone([]byte(pkt(not...))); ok {
			t.Errorf("%q was taken for a full clone", not)
		}
	}
	refs := []ref{{id: "1", name: "HEAD"}, {id: "1", name: gitrepo.Main}, {id: "2", name: "refs/tags/x"}}
	for _, c := range []struct {
		wants []string
		is    bool
	}{{[]string{"1"}, true}, {[]string{"1", "2", "1"}, true}, {[]string{"2"}, false}, {[]string{"1", "3"}, false}} {
		if wantsTips(c.wants, refs) != c.is {
			t.Errorf("%q wants everything: %v", c.wants, !c.is)
		}
	}
}

// A truncated pack is an error.
func TestPackCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.must("", "ls-remote", w.url("ada", ""))
	repo, leave, err := w.Pages.Repository(t.Context(), w.Access("ada", "ada"))
	if err != nil {
		t.Fatal(err)
	}
	defer leave(false)
	packs, err := repo.OpenPacks()
	if err != nil {
		t.Fatal(err)
	}
	defer packs.Close()
	files, _ := filepath.Glob(filepath.Join(w.dir, "ada", "repo.git", "objects", "pack", "*.pack"))
	os.Chmod(files[0], 0o600)
	if err := os.Truncate(files[0], 100); err != nil {
		t.Fatal(err)
	}
	if _, err := packs.WriteTo(io.Discard); err == nil || errors.Is(err, io.ErrShortWrite) {
		t.Errorf("wrote it: %v", err)
	}
}
