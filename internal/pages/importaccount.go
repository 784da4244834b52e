package pages

import (
	"archive/zip"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"robot.wtf/internal/wiki"
)

// accountFile is the file at the root of an account export.
const accountFile = "account.json"

// unpackAccount turns an upload that is an account export into the git bundle in it: the
// one of the wiki with a name, or else the only one. It reports whether the upload is an
// account export.
func (u *Upload) unpackAccount(archive *zip.Reader, name string) (bool, error) {
	bundle, err := findBundle(archive, name)
	if bundle == nil || err != nil {
		return false, err
	}
	start, err := bundle.DataOffset()
	if err != nil {
		return true, err
	}
	f, err := os.OpenFile(u.path("upload"), os.O_RDWR, 0)
	if err != nil {
		return true, err
	}
	// The copy is behind the bytes that are still to be read.
	u.Size, err = io.Copy(io.NewOffsetWriter(f, 0), io.NewSectionReader(f, start, int64(bundle.CompressedSize64)))
	return true, errors.Join(err, f.Truncate(u.Size), f.Close())
}

// findBundle returns the bundle of an account export; nil if the archive isn't one.
func findBundle(archive *zip.Reader, name string) (*zip.File, error) {
	isRoot := func(f *zip.File) bool { return f.Name == accountFile }
	if !slices.ContainsFunc(archive.File, isRoot) {
		return nil, nil
	}
	var found []*zip.File
	missing := false
	for _, f := range archive.File {
		slug := path.Base(path.Dir(f.Name))
		switch f.Name {
		case "wikis/" + slug + "/" + ExportBundle.FileName(slug):
			found = append(found, f)
		case "wikis/" + slug + "/history-missing.txt":
			missing = true
		}
	}
	if i := slices.IndexFunc(found, func(f *zip.File) bool { return strings.HasPrefix(f.Name, "wikis/"+name+"/") }); i >= 0 {
		found = found[i : i+1]
	}
	switch {
	case len(found) == 0 && missing:
		return nil, wiki.Problemf(wiki.ErrInvalid, "file", "This account export has no history of a wiki: history-missing.txt in it says why. Import the git bundle or the zip of Markdown from the wiki's Export page.")
	case len(found) == 0:
		return nil, nil
	case len(found) > 1:
		return nil, wiki.Problemf(wiki.ErrInvalid, "file", "This account export has several wikis. Unpack it, and import the file that ends in .bundle from the folder of one of them.")
	case found[0].Method != zip.Store:
		return nil, wiki.Problemf(wiki.ErrInvalid, "file", "This account export was packed again. Unpack it, and import the file that ends in .bundle from the folder of the wiki.")
	}
	return found[0], nil
}
