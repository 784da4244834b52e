package pages

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// Archive adds the caller's drafts to a zip, in folder + "drafts/", and if the
// caller owns the wiki, its current files in folder + "files/".
func (s *Service) Archive(ctx context.Context, a wiki.Access, out *zip.Writer, folder string) error {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return err
	}
	defer release()
	if a.Role() == wiki.Owner {
		files, err := w.List(ctx, "")
		if err != nil {
			return err
		}
		for _, f := range files {
			data, err := w.Blob(ctx, f.Blob)
			if errors.Is(err, wiki.ErrTakenDown) {
				continue
			}
			if err != nil {
				return err
			}
			if err := addToZip(out, folder+"files/"+f.Path, f.Modified, data); err != nil {
				return err
			}
		}
	}
	drafts, err := w.Drafts(ctx, a.Caller().User.DID)
	if err != nil {
		return err
	}
	for _, listed := range drafts { // without text
		d, err := w.Draft(ctx, a.Caller().User.DID, listed.Path)
		if errors.Is(err, wiki.ErrNotFound) {
			continue // discarded since the list was read
		}
		if err != nil {
			return err
		}
		if err := addToZip(out, folder+"drafts/"+d.Path, d.Modified, d.Text); err != nil {
			return err
		}
		if err := archiveDraftFiles(ctx, w, a.Caller().User.DID, d.Path, out, folder+"drafts/"); err != nil {
			return err
		}
	}
	return nil
}

// archiveDraftFiles adds the files kept with a draft, where they will be once the page
// is saved.
func archiveDraftFiles(ctx context.Context, w *content.Wiki, did, path string, out *zip.Writer, folder string) error {
	files, err := readDraftFiles(ctx, w, did, path)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := addToZip(out, folder+strings.TrimSuffix(path, ".md")+"/"+f.Name, f.Modified, f.Data); err != nil {
			return err
		}
	}
	return nil
}

func addToZip(out *zip.Writer, name string, modified time.Time, data []byte) error {
	entry, err := out.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: modified.UTC()})
	if err == nil {
		_, err = entry.Write(data)
	}
	if err != nil {
		return fmt.Errorf("pages: archive %s: %w", name, err)
	}
	return nil
}
