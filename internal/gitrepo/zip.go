package gitrepo

import (
	"archive/zip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// maxZipFiles bounds the number of repository files in a zip.
const maxZipFiles = 200_000

// ErrUnzippedSize is Unzip's error for a zip that is larger than max when
// unpacked.
var ErrUnzippedSize = refusef("The unpacked zip is larger than the import limit.")

// repoFile matches the files extracted from a repository in a zip: objects and
// refs. Everything else, including configuration and hooks, is ignored.
var repoFile = regexp.MustCompile(`^(HEAD|packed-refs|shallow|objects/[0-9a-f]{2}/[0-9a-f]{38}|objects/pack/pack-[0-9a-f]{40}\.(pack|idx)|refs/(heads|tags)/.+)$`)

// Unzip extracts the repository in a zip into an empty directory, from which
// Bundle can read it. The zip holds a working tree with its .git, or a bare
// repository, at any depth. Unzip writes at most max bytes, whatever sizes the zip
// declares. Its errors are *Refused if the zip is the cause.
func Unzip(archive *zip.Reader, dir string, max int64) error {
	root, err := repoInZip(archive)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "objects", "pack"), 0o700); err != nil {
		return err
	}
	files := 0
	for _, f := range archive.File {
		name, inside := strings.CutPrefix(f.Name, root)
		if !inside || !repoFile.MatchString(name) || !fs.ValidPath(name) || !f.Mode().IsRegular() {
			continue
		}
		if files++; files > maxZipFiles {
			return refusef("The repository in this zip has more than %d files. Pack it first (git gc), or make a bundle: git bundle create FILE --all", maxZipFiles)
		}
		n, err := unzipFile(f, filepath.Join(dir, filepath.FromSlash(name)), max)
		if err != nil {
			return err
		}
		max -= n
	}
	return nil
}

// IsRepository reports whether a zip holds a repository.
func IsRepository(archive *zip.Reader) bool {
	_, err := repoInZip(archive)
	return err == nil
}

// repoInZip returns the path of the topmost repository in a zip.
func repoInZip(archive *zip.Reader) (root string, err error) {
	heads, objects := []string{}, map[string]bool{}
	for _, f := range archive.File {
		if path.Base(f.Name) == "HEAD" {
			heads = append(heads, strings.TrimSuffix(f.Name, "HEAD"))
		}
		if i := strings.Index(f.Name, "objects/"); i == 0 || i > 0 && f.Name[i-1] == '/' {
			objects[f.Name[:i]] = true
		}
	}
	found := false
	for _, h := range heads {
		if objects[h] && (!found || strings.Count(h, "/") < strings.Count(root, "/")) {
			root, found = h, true
		}
	}
	if !found {
		return "", refusef("There is no git repository in this zip. Include the .git folder, or zip a bare repository.")
	}
	return root, nil
}

func unzipFile(f *zip.File, to string, max int64) (int64, error) {
	in, err := f.Open()
	if err != nil {
		return 0, refusef("The zip can't be read: %s: %v", f.Name, err)
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return 0, refusef("The zip can't be unpacked: it uses one name for a file and a folder.")
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return 0, refusef("The zip contains %s twice.", f.Name)
	}
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, io.LimitReader(in, max+1))
	if cerr := out.Close(); cerr != nil {
		return n, cerr
	}
	if n > max {
		return n, ErrUnzippedSize
	}
	if err != nil {
		return n, refusef("The zip can't be read: %s: %v", f.Name, err)
	}
	return n, nil
}
