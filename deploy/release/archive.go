package main

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
)

// archived are the files beside the binary.
var archived = []string{"LICENSE", "README.md", "CHANGELOG.md"}

// writeArchive writes an archive with one folder.
func (r release) writeArchive(file, folder, binary string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	zipped, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return err
	}
	out := tar.NewWriter(zipped)
	if err := r.addFile(out, binary, folder+"/robot", 0o755); err != nil {
		return err
	}
	for _, name := range archived {
		if err := r.addFile(out, filepath.Join(r.root, name), folder+"/"+name, 0o644); err != nil {
			return err
		}
	}
	if err := out.Close(); err != nil {
		return err
	}
	return zipped.Close()
}

func (r release) addFile(out *tar.Writer, from, name string, mode int64) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: info.Size(), ModTime: r.at, Format: tar.FormatUSTAR, Uname: "root", Gname: "root"}); err != nil {
		return err
	}
	_, err = io.Copy(out, f)
	return err
}
