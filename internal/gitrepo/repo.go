package gitrepo

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/durable"
)

// Main is the only branch of an exported wiki.
const Main = "refs/heads/main"

// A Repo is a bare repository in a directory. Writers must exclude each other
// with a lock of their own. Readers need no lock.
type Repo struct {
	git *Git
	dir string // absolute
}

const repoConfig = `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
`

// Init creates an empty repository. The directory must not exist, but its parent
// must.
func (g *Git) Init(dir string) (*Repo, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	for _, sub := range []string{"objects", "objects/pack", "objects/info", "refs", "refs/heads", "refs/tags"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	r := &Repo{g, dir}
	return r, errors.Join(r.writeFile("config", repoConfig), r.writeFile("HEAD", "ref: "+Main+"\n"))
}

// Name returns the name of the repository's directory.
func (r *Repo) Name() string { return filepath.Base(r.dir) }

func (r *Repo) writeFile(name, text string) error {
	return durable.WriteFile(filepath.Join(r.dir, filepath.FromSlash(name)), []byte(text))
}

// Open returns the repository in a directory, without checking that it exists.
func (g *Git) Open(dir string) *Repo { return &Repo{g, dir} }

// ErrDamaged reports that a repository isn't in the state this package left it in.
var ErrDamaged = errors.New("gitrepo: repository is damaged")

// Ref reads a ref and returns "" if it doesn't exist. It fails with ErrDamaged if
// the repository or the ref is invalid.
func (r *Repo) Ref(name string) (string, error) {
	head, err := os.ReadFile(filepath.Join(r.dir, "HEAD"))
	config, cerr := os.ReadFile(filepath.Join(r.dir, "config"))
	if err != nil || cerr != nil || string(head) != "ref: "+Main+"\n" || string(config) != repoConfig {
		return "", ErrDamaged
	}
	text, err := os.ReadFile(filepath.Join(r.dir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	id := strings.TrimSuffix(string(text), "\n")
	if err != nil || !isID(id) {
		return "", ErrDamaged
	}
	return id, nil
}

func isID(id string) bool {
	return len(id) == 2*rawID && strings.Trim(id, "0123456789abcdef") == ""
}

// SetRef sets a ref and syncs it to disk. Its objects must be on disk already.
func (r *Repo) SetRef(name, id string) error {
	if !isID(id) || !strings.HasPrefix(name, "refs/") || strings.Contains(name, "..") {
		return fmt.Errorf("gitrepo: set ref %q to %q: invalid name or id", name, id)
	}
	if err := os.MkdirAll(filepath.Join(r.dir, filepath.Dir(filepath.FromSlash(name))), 0o700); err != nil {
		return err
	}
	return r.writeFile(name, id+"\n")
}

// AddPack checks a pack as strictly as git can, stores it and syncs it to disk.
// With links, every object that the pack refers to must be in it or already in
// the repository.
func (r *Repo) AddPack(ctx context.Context, pack io.WriterTo, links bool) error {
	args := []string{"index-pack", "--stdin"}
	if links {
		args = append(args, "--strict")
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	writing := background.Start(func() error {
		defer write.Close() // also after a panic, so that git sees the end
		_, err := pack.WriteTo(write)
		return errors.Join(err, write.Close())
	})
	err = r.git.run(ctx, process{
		dir: r.dir, in: read, out: io.Discard, bound: ownBound,
		args: args, env: []string{"GIT_DIR=."},
	})
	read.Close() // unblocks the writer if git didn't read to the end
	if werr := writing.Wait(); err == nil {
		err = werr
	}
	if err != nil {
		return err
	}
	return durable.SyncDir(filepath.Join(r.dir, "objects", "pack"))
}

// RemoveLeftovers removes stale locks and partial files left by killed processes.
// The caller must hold the repository's lock.
func (r *Repo) RemoveLeftovers() error {
	return filepath.WalkDir(r.dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := d.Name()
		if strings.HasSuffix(name, ".lock") || strings.HasPrefix(name, "tmp_") || strings.HasPrefix(name, durable.TempPrefix) || strings.HasSuffix(name, ".keep") {
			return os.Remove(file)
		}
		return nil
	})
}

// Verify reads the whole repository. It fails with ErrDamaged if a pack's
// checksum is wrong or an object reachable from the branch is missing.
func (r *Repo) Verify(ctx context.Context) error {
	id, err := r.Ref(Main)
	if err != nil {
		return err
	}
	files, err := os.ReadDir(filepath.Join(r.dir, "objects", "pack"))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := verifyChecksum(filepath.Join(r.dir, "objects", "pack", f.Name())); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, f.Name(), err)
		}
	}
	if id == "" {
		return nil
	}
	err = r.git.run(ctx, process{
		dir: r.dir, out: io.Discard, bound: ownBound,
		args: []string{"rev-list", "--objects", "--quiet", "--end-of-options", Main}, env: []string{"GIT_DIR=."},
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// verifyChecksum compares the trailing SHA-1 of a pack file, or a file that
// belongs to a pack, with the SHA-1 of its content.
func verifyChecksum(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	sum := sha1.New()
	in := bufio.NewReaderSize(f, 256<<10)
	if _, err := io.CopyN(sum, in, info.Size()-sha1.Size); err != nil {
		return fmt.Errorf("%d bytes: %w", info.Size(), err)
	}
	end, err := io.ReadAll(in)
	if err == nil && !bytes.Equal(end, sum.Sum(nil)) {
		err = errors.New("wrong checksum")
	}
	return err
}

// CountPacks returns the number of packs.
func (r *Repo) CountPacks() int {
	packs, _ := filepath.Glob(filepath.Join(r.dir, "objects", "pack", "pack-*.pack")) // fails only for other patterns
	return len(packs)
}

// LinkTo creates another repository with the same objects and refs. Both share
// pack files, which never change.
func (r *Repo) LinkTo(dir string) (*Repo, error) {
	to, err := r.git.Init(dir)
	if err != nil {
		return nil, err
	}
	return to, errors.Join(r.linkPacks(to, nil), r.copyRefs(to))
}

// UpdateLinked copies new packs and refs to a repository that LinkTo created and
// Repack has repacked since. It skips the pack files named in had, which the
// repacked packs replace.
func (r *Repo) UpdateLinked(to *Repo, had []string) error {
	return errors.Join(r.linkPacks(to, had), r.copyRefs(to))
}

// PackFiles returns the names of all files in the pack directory.
func (r *Repo) PackFiles() ([]string, error) {
	files, err := os.ReadDir(filepath.Join(r.dir, "objects", "pack"))
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names, err
}

func (r *Repo) linkPacks(to *Repo, except []string) error {
	names, err := r.PackFiles()
	if err != nil {
		return err
	}
	for _, name := range names {
		if slices.Contains(except, name) || !strings.HasPrefix(name, "pack-") && !strings.HasPrefix(name, "multi-pack-index") {
			continue
		}
		if err := os.Link(filepath.Join(r.dir, "objects", "pack", name), filepath.Join(to.dir, "objects", "pack", name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return durable.SyncDir(filepath.Join(to.dir, "objects", "pack"))
}

func (r *Repo) copyRefs(to *Repo) error {
	return filepath.WalkDir(filepath.Join(r.dir, "refs"), func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(r.dir, file)
		if err != nil {
			return err
		}
		id, err := r.Ref(filepath.ToSlash(name))
		if err != nil {
			return err
		}
		return to.SetRef(filepath.ToSlash(name), id)
	})
}

// Repack combines packs and writes bitmaps: with all, all packs into one with new
// deltas, otherwise only the packs chosen by --geometric (git-repack(1)). It
// removes old packs, so nobody else may be using the repository.
func (r *Repo) Repack(ctx context.Context, all bool) error {
	args := []string{"-c", "repack.writeBitmaps=true", "repack", "-q", "-d", "--geometric=2", "--write-midx", "--write-bitmap-index"}
	if all {
		args = []string{"repack", "-q", "-a", "-d", "-f", "--write-bitmap-index"} // -f: git finds no deltas between objects of one pack otherwise
	}
	b := ownBound
	b.time = 10 * time.Minute
	return r.git.run(ctx, process{dir: r.dir, out: io.Discard, bound: b, args: args, env: []string{"GIT_DIR=."}})
}
