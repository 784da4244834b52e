package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"robot.wtf/internal/wiki"
)

// Refused is the error for a rejected repository, with one reason per line.
type Refused struct{ Reasons []string }

func (r *Refused) Error() string { return strings.Join(r.Reasons, "\n") }
func (r *Refused) Unwrap() error { return wiki.ErrInvalid }

func refusef(format string, args ...any) error {
	return &Refused{[]string{fmt.Sprintf(format, args...)}}
}

const bundleMark = "# v2 git bundle\n" // gitformat-bundle(5)

// maxRefs and maxRefLine bound the header of a bundle.
const (
	maxRefs    = 20_000
	maxRefLine = 1000
)

// readBundleHead reads a bundle's refs and leaves in at its pack.
func readBundleHead(in *bufio.Reader) (refs map[string]string, err error) {
	line, err := bundleLine(in)
	if err != nil || line != bundleMark && line != "# v3 git bundle\n" {
		return nil, refusef("This is not a git bundle, and no zip that can be read. Create a bundle with: git bundle create FILE --all")
	}
	refs = map[string]string{}
	for {
		line, err := bundleLine(in)
		if err != nil {
			return nil, err
		}
		id, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch {
		case line == "\n":
			return refs, nil
		case line == "@object-format=sha1\n":
		case strings.HasPrefix(line, "@"):
			return nil, refusef("This bundle requires %q, which isn't supported. Make a bundle of the whole repository, with SHA-1 ids: git bundle create FILE --all", strings.TrimSpace(line[1:]))
		case strings.HasPrefix(line, "-"):
			return nil, refusef("This bundle depends on commits that aren't in it. Make a bundle of the whole repository: git bundle create FILE --all")
		case !isID(id) || name == "":
			return nil, refusef("This bundle is damaged.")
		}
		if isID(id) {
			refs[name] = id
		}
		if len(refs) > maxRefs {
			return nil, refusef("This repository has more than %d branches and tags.", maxRefs)
		}
	}
}

func bundleLine(in *bufio.Reader) (string, error) {
	var line []byte
	for len(line) < maxRefLine {
		c, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			return "", refusef("This bundle is truncated.")
		}
		if err != nil {
			return "", err
		}
		line = append(line, c)
		if c == '\n' {
			return string(line), nil
		}
	}
	return "", refusef("This bundle is damaged.")
}

// Bundle writes all branches and tags of the repository in dir, and everything
// reachable from them, as a git bundle. From dir it reads only objects and refs,
// no configuration and no hooks. scratch is a directory for temporary files. Its
// errors are *Refused if the repository is the cause.
func (g *Git) Bundle(ctx context.Context, dir, scratch string, out io.Writer) error {
	common, refs, err := readRefs(dir)
	if err != nil {
		return err
	}
	repo, err := g.Init(filepath.Join(scratch, "bundling.git"))
	if err != nil {
		return err
	}
	defer os.RemoveAll(repo.dir)
	objects, err := filepath.Abs(filepath.Join(common, "objects"))
	if err != nil || strings.ContainsAny(objects, "\n\"") {
		return refusef("Can't read %q: move it to a directory with a plain name.", dir)
	}
	if err := repo.writeFile("objects/info/alternates", objects+"\n"); err != nil {
		return err
	}
	tips, err := writeBundleHead(out, refs)
	if err != nil {
		return err
	}
	err = g.run(ctx, process{
		dir: repo.dir, in: tips, out: out, bound: foreignBound, env: foreignEnv,
		args: packTipsArgs,
	})
	var failed *Failure
	if errors.As(err, &failed) && ctx.Err() == nil && failed.Stderr != "" {
		return refusef("The repository can't be read completely: %s", failed.Stderr)
	}
	return err
}

// packTipsArgs make a pack of everything reachable from the ids in the input.
var packTipsArgs = []string{"pack-objects", "--revs", "--stdout", "-q", "--delta-base-offset"}

// writeBundleHead writes the part of a bundle before its pack, and returns the ids
// that its refs name, one a line.
func writeBundleHead(out io.Writer, refs map[string]string) (tips io.Reader, err error) {
	var head, ids strings.Builder
	head.WriteString(bundleMark)
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		fmt.Fprintf(&head, "%s %s\n", refs[name], name)
		fmt.Fprintln(&ids, refs[name])
	}
	head.WriteString("\n")
	_, err = io.WriteString(out, head.String())
	return strings.NewReader(ids.String()), err
}

// maxCopied bounds the number of objects whose ids WriteBundle compares.
const maxCopied = 1_000_000

// WriteBundle writes a bundle of one of our own repositories. If its packs share no
// object, they are copied, and no process runs. It fails with ErrDamaged after
// copying a pack whose checksum is wrong.
func (r *Repo) WriteBundle(ctx context.Context, out io.Writer) error {
	_, refs, err := readRefs(r.dir)
	if err != nil {
		return err
	}
	tips, err := writeBundleHead(out, refs)
	if err != nil {
		return err
	}
	packs, err := r.OpenPacks() // after the refs, so they have everything that those name
	if err != nil {
		return err
	}
	defer packs.Close()
	if packs.Objects() <= maxCopied {
		disjoint, err := packs.Disjoint()
		if err != nil {
			return err
		}
		if disjoint {
			_, err := packs.WriteTo(out)
			return err
		}
	}
	return r.git.run(ctx, process{dir: r.dir, in: tips, out: out, bound: serveBound, args: packTipsArgs})
}

// readRefs reads the refs of a repository (plain, bare or a linked working tree)
// and returns the directory that holds its objects.
func readRefs(dir string) (common string, refs map[string]string, err error) {
	gitDir, common, err := findRepo(dir)
	if err != nil {
		return "", nil, err
	}
	if _, err := os.Stat(filepath.Join(common, "shallow")); err == nil {
		return "", nil, refusef("This is a shallow clone, without the older history. Complete it first: git fetch --unshallow")
	}
	if _, err := os.Stat(filepath.Join(common, "reftable")); err == nil {
		return "", nil, refusef("This repository stores its branches in a reftable, which isn't supported. Make a bundle of it: git bundle create FILE --all")
	}
	refs = map[string]string{}
	packed, err := os.ReadFile(filepath.Join(common, "packed-refs"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	for line := range strings.Lines(string(packed)) {
		if id, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && isID(id) {
			refs[name] = id
		}
	}
	if err := looseRefs(common, refs); err != nil {
		return "", nil, err
	}
	maps.DeleteFunc(refs, func(name, _ string) bool {
		return !strings.HasPrefix(name, "refs/heads/") && !strings.HasPrefix(name, "refs/tags/")
	})
	head, err := os.ReadFile(filepath.Join(gitDir, "HEAD"))
	if err != nil {
		return "", nil, err
	}
	text := strings.TrimSpace(string(head))
	if branch, ok := strings.CutPrefix(text, "ref: "); ok {
		text = refs[branch]
	}
	if isID(text) {
		refs["HEAD"] = text
	}
	if len(refs) == 0 {
		return "", nil, refusef("This repository has no commits.")
	}
	return common, refs, nil
}

func looseRefs(common string, refs map[string]string) error {
	return filepath.WalkDir(filepath.Join(common, "refs"), func(file string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(common, file)
		id := strings.TrimSpace(string(text))
		if len(id) == 64 {
			return refusef("This repository has SHA-256 ids. Only SHA-1 is supported.")
		}
		if isID(id) {
			refs[filepath.ToSlash(name)] = id
		}
		return err
	})
}

// findRepo returns a repository's git directory and the one with objects and refs.
func findRepo(dir string) (gitDir, common string, err error) {
	gitDir = dir
	if info, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
		gitDir = filepath.Join(dir, ".git")
		if !info.IsDir() { // "gitdir: PATH" (gitrepository-layout(5))
			text, err := os.ReadFile(gitDir)
			if err != nil {
				return "", "", err
			}
			gitDir = resolvePath(dir, strings.TrimPrefix(strings.TrimSpace(string(text)), "gitdir: "))
		}
	}
	common = gitDir
	if text, err := os.ReadFile(filepath.Join(gitDir, "commondir")); err == nil {
		common = resolvePath(gitDir, strings.TrimSpace(string(text)))
	}
	for _, file := range []string{filepath.Join(gitDir, "HEAD"), filepath.Join(common, "objects")} {
		if _, err := os.Stat(file); err != nil {
			return "", "", refusef("%s isn't a git repository.", dir)
		}
	}
	return gitDir, common, nil
}

func resolvePath(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
