package incoming

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"robot.wtf/internal/mediawiki"
	"robot.wtf/internal/wiki"
)

// An ExportZip is a zip with one export of MediaWiki and its pictures and other files,
// usually the wiki's folder images. It implements Source.
type ExportZip struct {
	*Export
	export *os.File // the export, unpacked
	zip    *Zip
	files  map[string]entry // by From
}

// exportName matches names of exports.
var exportName = regexp.MustCompile(`(?i)\.xml(\.gz|\.bz2)?$`)

// maxExports bounds the files that are checked for being an export.
const maxExports = 20

// OpenExportZip opens a zip with an export. It fails with ErrNotExport if it has none,
// or pages of Markdown beside it. The caller closes the archive's file after the
// ExportZip.
func OpenExportZip(archive *zip.Reader, o Options) (*ExportZip, error) {
	z := &ExportZip{zip: &Zip{}}
	if err := z.zip.add(archive); err != nil {
		return nil, err
	}
	export, err := z.zip.findExport()
	if err != nil {
		return nil, err
	}
	if z.export, err = export.unpack(o); err != nil {
		return nil, err
	}
	info, err := z.export.Stat()
	if err == nil {
		z.Export, err = OpenExport(z.export, info.Size(), o)
	}
	if err != nil {
		return nil, errors.Join(err, z.Close())
	}
	z.listMedia = func(l *Listing) { z.takeFiles(l, export.file) }
	z.writeMedia = z.writeFiles
	return z, nil
}

// findExport returns the only export of a zip.
func (z *Zip) findExport() (found entry, err error) {
	seen, exports := 0, 0
	for _, e := range z.entries {
		switch {
		case isJunk(e.path):
		case isPageName(e.path):
			return entry{}, ErrNotExport
		case exportName.MatchString(e.path) && seen < maxExports:
			if seen++; e.isExport() {
				found = e
				exports++
			}
		}
	}
	switch exports {
	case 0:
		return entry{}, ErrNotExport
	case 1:
		return found, nil
	}
	return entry{}, wiki.Problemf(wiki.ErrInvalid, "file", "This zip has %d MediaWiki exports. Zip one of them with its pictures.", exports)
}

func isPageName(p string) bool {
	_, page := wiki.CutPageEnding(p)
	return page
}

// isExport reports whether a file begins like an export.
func (e entry) isExport() bool {
	in, err := e.file.Open()
	if err != nil {
		return false
	}
	defer in.Close()
	head := make([]byte, 1<<20) // which has the first block of a compressed one
	n, err := io.ReadFull(in, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	unpacked, _, err := unpacker(bytes.NewReader(head[:n]))
	if err != nil {
		return false
	}
	n, _ = io.ReadFull(unpacked, head[:4<<10])
	return mediawiki.IsExport(head[:n])
}

// unpack copies the file's content to a file of its own, which the caller closes and
// removes.
func (e entry) unpack(o Options) (*os.File, error) {
	size := int64(e.file.UncompressedSize64)
	if size > o.Max {
		return nil, cmp.Or(o.Full, errUnpacked)
	}
	out, err := os.CreateTemp(o.Dir, "export-")
	if err != nil {
		return nil, err
	}
	in, err := e.file.Open()
	if err == nil {
		defer in.Close()
		var n int64
		if n, err = io.Copy(out, io.LimitReader(in, size+1)); err == nil && n != size {
			err = zip.ErrFormat
		}
	}
	if err != nil {
		return nil, errors.Join(unreadable(e.path, err), out.Close(), os.Remove(out.Name()))
	}
	return out, nil
}

// leftFolders are the folders in images with copies and old versions.
var leftFolders = []string{"thumb", "archive", "deleted", "temp", "lockdir"}

// takeFiles lists the files beside the export: in one folder, because the folders of
// MediaWiki, such as a/ab, say nothing and its file names are unique.
func (z *ExportZip) takeFiles(l *Listing, export *zip.File) {
	z.files = map[string]entry{}
	folder := z.site.NamespaceName(mediawiki.NamespaceFile)
	for _, e := range z.zip.takeVisible(l) {
		to := folder + "/" + strings.ReplaceAll(path.Base(e.path), " ", "_")
		_, twice := z.files[to]
		switch {
		case e.file == export:
		case slices.ContainsFunc(strings.Split(path.Dir(e.path), "/"), func(s string) bool { return slices.Contains(leftFolders, s) }):
			l.Leave(e.path, 1, "it is a smaller copy or an old version of a file")
		case twice:
			l.Leave(e.path, 1, "the zip has another file of this name")
		default:
			z.files[to] = e
			f := File{Path: to, From: to, Size: int64(e.file.UncompressedSize64)}
			if e.file.Method == zip.Deflate {
				f.Compressed = int64(e.file.CompressedSize64)
			}
			l.Files = append(l.Files, f)
		}
	}
	l.About = aboutExport + " Pictures and other files become attachments, in the folder " + folder + "."
}

// writeFiles writes the files beside the export.
func (z *ExportZip) writeFiles(ctx context.Context, write func(path string, content []byte)) error {
	for _, f := range z.media {
		content, err := z.Read(ctx, f)
		if err != nil {
			return err
		}
		write(f.Path, content)
	}
	return nil
}

// Read returns a page in Markdown, or a file.
func (z *ExportZip) Read(ctx context.Context, f File) ([]byte, error) {
	if e, ok := z.files[f.From]; ok {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("incoming: read %s: %w", f.From, err)
		}
		return e.read()
	}
	return z.Export.Read(ctx, f)
}

// Close removes the unpacked export.
func (z *ExportZip) Close() error {
	var err error
	if z.Export != nil {
		err = z.Export.Close()
	}
	return errors.Join(err, z.export.Close(), os.Remove(z.export.Name()))
}
