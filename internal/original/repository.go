package original

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Repository returns the directory of a wiki's repository, after checking that
// nothing in it leads elsewhere.
func (d *Disk) Repository(slug string) (string, error) {
	dir, gitDir, err := d.findRepository(slug)
	if err != nil {
		return "", err
	}
	return dir, checkRepository(gitDir)
}

// findRepository finds a wiki's repository: wikis/SLUG/repo with a working tree, or
// wikis/SLUG/repo.git.
func (d *Disk) findRepository(slug string) (dir, gitDir string, err error) {
	if !slugPattern.MatchString(slug) {
		return "", "", fmt.Errorf("%q is no slug", slug)
	}
	for _, parts := range [][]string{{"repo", ".git"}, {"repo.git"}, {"repo"}} {
		path := append([]string{"wikis", slug}, parts...)
		switch err := d.plain(append(path, "HEAD")...); {
		case errors.Is(err, errMissing):
			continue
		case err != nil:
			return "", "", err
		}
		gitDir = filepath.Join(append([]string{d.dir}, path...)...)
		return strings.TrimSuffix(gitDir, string(filepath.Separator)+".git"), gitDir, nil
	}
	if err := d.plain("wikis", slug); err != nil && !errors.Is(err, errMissing) {
		return "", "", err
	}
	return "", "", errors.New("it has no repository")
}

// outward are files of a repository that name other directories
// (gitrepository-layout(5)).
var outward = []string{"commondir", "gitdir", filepath.Join("objects", "info", "alternates")}

// checkRepository refuses a repository that has symbolic links or uses objects of
// another one.
func checkRepository(dir string) error {
	for _, name := range outward {
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(fmt.Errorf("its repository uses another one: it has %s", name), err)
		}
	}
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !entry.Type().IsRegular() {
			return fmt.Errorf("its repository has a symbolic link or special file: %s", entry.Name())
		}
		return err
	})
}

// maxRef limits a file that names a commit or a branch.
const maxRef = 4096

// head returns the commit of a repository's main branch, or "" if it has none.
func (d *Disk) head(slug string) (string, error) {
	_, dir, err := d.findRepository(slug)
	if err != nil {
		return "", err
	}
	text, err := readSmall(filepath.Join(dir, "HEAD"))
	if err != nil {
		return "", err
	}
	branch, symbolic := strings.CutPrefix(text, "ref: ")
	if !symbolic {
		return commitID(text)
	}
	switch err := (&Disk{dir}).plain(strings.Split(branch, "/")...); {
	case err == nil:
		text, err := readSmall(filepath.Join(dir, filepath.FromSlash(branch)))
		if err != nil {
			return "", err
		}
		return commitID(text)
	case !errors.Is(err, errMissing):
		return "", err
	}
	packed, err := os.ReadFile(filepath.Join(dir, "packed-refs"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for line := range strings.Lines(string(packed)) {
		if id, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == branch {
			return commitID(id)
		}
	}
	return "", nil
}

var idPattern = regexp.MustCompile(`^[0-9a-f]{40}$`)

func commitID(text string) (string, error) {
	if !idPattern.MatchString(text) {
		return "", fmt.Errorf("its main branch names %.40q instead of a commit", text)
	}
	return text, nil
}

func readSmall(file string) (string, error) {
	info, err := os.Lstat(file)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxRef {
		return "", fmt.Errorf("%s isn't a small regular file", filepath.Base(file))
	}
	text, err := os.ReadFile(file)
	return strings.TrimSpace(string(text)), err
}
