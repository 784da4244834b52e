package pages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"robot.wtf/internal/content"
	"robot.wtf/internal/raster"
	"robot.wtf/internal/wiki"
)

// An Attachment is a file of a page.
type Attachment struct {
	wiki.File
	Name string // last segment
	// Type is the MIME type: by content and name where the file was read, in
	// lists by name alone. HTML and SVG are never given another type.
	Type  string
	Image bool // has thumbnails
	// Pointer is set if the file was read and has only Git LFS's pointer to its
	// content. It is text, whatever its name says.
	Pointer *wiki.LFSPointer
}

func attachment(f wiki.File, data []byte) Attachment {
	if pointer, ok := wiki.ParseLFSPointer(data); ok {
		return Attachment{File: f, Name: path.Base(f.Path), Type: "text/plain", Pointer: &pointer}
	}
	mime := typeOf(f.Path, data)
	return Attachment{File: f, Name: path.Base(f.Path), Type: mime, Image: raster.Supports(mime)}
}

// Attachments lists the files of a page ("" for those at the root).
func (s *Service) Attachments(ctx context.Context, a wiki.Access, page string) ([]Attachment, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	folder := ""
	if page != "" {
		name, _, err := lookup(ctx, w, page)
		if err != nil {
			return nil, err
		}
		folder = string(name)
	}
	depth := strings.Count(folder, "/")
	if folder != "" {
		depth++
	}
	return attachments(ctx, w, folder, func(p string) bool { return strings.Count(p, "/") == depth })
}

// AllAttachments lists the files of the wiki.
func (s *Service) AllAttachments(ctx context.Context, a wiki.Access) ([]Attachment, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return nil, err
	}
	defer release()
	return attachments(ctx, w, "", func(string) bool { return true })
}

func attachments(ctx context.Context, w *content.Wiki, folder string, want func(path string) bool) ([]Attachment, error) {
	files, err := w.List(ctx, folder)
	if err != nil {
		return nil, err
	}
	var list []Attachment
	for _, f := range files {
		if _, page := wiki.PageOf(f.Path); !page && want(f.Path) {
			list = append(list, attachment(f, nil))
		}
	}
	return list, nil
}

// An UploadRequest stores a file beside a page.
type UploadRequest struct {
	Write
	Precondition        // of the file to replace; optional
	Page         string // "" for the root
	Name         string // file name; sanitized by FileName
	Data         io.Reader
	Replace      bool // replace an existing file instead of ErrExists
	Free         bool // choose a free name ("diagram-2.png") instead of ErrExists
	// Draft keeps the file with the caller's draft if the page doesn't exist; see
	// Saved.Kept. It implies Free for such a file.
	Draft bool
}

// Upload stores a file. Its page must exist, unless the request is for a draft.
// ErrTooLarge over the limit, before everything is read.
func (s *Service) Upload(ctx context.Context, a wiki.Access, r UploadRequest) (Saved, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return Saved{}, err
	}
	defer release()
	name, err := FileName(r.Name)
	if err != nil {
		return Saved{}, err
	}
	p, exists := name, true
	if r.Page != "" {
		page, _, err := lookup(ctx, w, r.Page)
		if exists = err == nil; !exists && (!r.Draft || !errors.Is(err, wiki.ErrNotFound)) {
			return Saved{}, err
		}
		p = string(page) + "/" + name
	}
	if _, err := wiki.ParseFilePath(p); err != nil {
		return Saved{}, aboutField(err, "filename")
	}
	data, err := readUpload(r.Data, a.Site().Limits.AttachmentBytes)
	if err != nil {
		return Saved{}, err
	}
	if !exists {
		return s.keepWithDraft(ctx, w, a, p, data)
	}
	return s.storeUpload(ctx, w, a, r, p, data)
}

func (s *Service) storeUpload(ctx context.Context, w *content.Wiki, a wiki.Access, r UploadRequest, p string, data []byte) (Saved, error) {
	return retryPlanned(ctx, w, a, r.Write, func() (Saved, error) {
		d, err := s.directory(ctx, w, a)
		if err != nil {
			return Saved{}, err
		}
		there, taken := d.file(p)
		if taken && r.Base != "" {
			f, err := w.Lookup(ctx, there)
			if err == nil {
				err = mustBeCurrent(ctx, w, r.Precondition, f)
			}
			if err != nil {
				return Saved{}, err
			}
		}
		_, folder := d.folders[wiki.Key(p)]
		base := content.BaseNone
		switch {
		case taken && r.Create && r.Strict:
			return Saved{}, wiki.Problemf(wiki.ErrPrecondition, "filename", "A file called %q already exists.", path.Base(there))
		case !taken && r.Base != "":
			return Saved{}, noFile(p)
		case folder && !r.Free:
			return Saved{}, wiki.Problemf(wiki.ErrExists, "filename", "A folder called %q already exists. Choose another name.", path.Base(p))
		case taken && r.Replace:
			p, base = there, content.BaseAny
		case (taken || folder) && r.Free:
			if p, err = d.freeName(p, nil); err != nil {
				return Saved{}, err
			}
		case taken:
			return Saved{}, wiki.Problemf(wiki.ErrExists, "filename", "A file called %q already exists.", path.Base(there))
		}
		done, err := s.commit(ctx, w, a, r.Write, content.Request{
			Message: commitMessage(r.Message, "Upload %s", titleOf(p)),
			Edits:   []content.Edit{{Op: content.Put, Path: p, Data: data, Base: base, Strict: base == content.BaseNone}},
		})
		return done, markOutdated(err)
	})
}

// freeName returns a path if it is free, or a similar one that is: "diagram-2.png".
// Names of files kept with a draft beside it aren't free.
func (d *directory) freeName(p string, kept []DraftFile) (string, error) {
	ext := path.Ext(p)
	stem := strings.TrimSuffix(p, ext)
	for n := 1; n < 1000; n++ {
		name := p
		if n > 1 {
			name = fmt.Sprintf("%s-%d%s", stem, n, ext)
		}
		key := wiki.Key(name)
		_, taken := d.byKey[key]
		_, folder := d.folders[key]
		taken = taken || slices.ContainsFunc(kept, func(f DraftFile) bool { return wiki.Key(path.Dir(p)+"/"+f.Name) == key })
		if !taken && !folder {
			_, err := wiki.ParseFilePath(name)
			return name, err
		}
	}
	return "", wiki.Problemf(wiki.ErrExists, "filename", "There are too many files called %q. Choose another name.", path.Base(p))
}

// FileAddress returns the address of a page's file, for a link in the page. Without
// "./", a space or a parenthesis would end it.
func FileAddress(name string) string {
	return "./" + strings.TrimPrefix(strings.NewReplacer("(", "%28", ")", "%29").Replace(wiki.PathURL(name)), "/")
}

// FileName sanitizes the name of an uploaded file: clients send directories of
// their machine, and spaces. ErrInvalid for names of hidden files and pages.
func FileName(name string) (string, error) {
	name = norm.NFC.String(name)
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	if strings.ContainsFunc(name, unicode.IsControl) {
		return "", wiki.Problemf(wiki.ErrInvalid, "filename", "A file name can't contain control characters.")
	}
	name = strings.Join(strings.Fields(strings.ReplaceAll(name, "_", " ")), "_")
	if name == "" {
		return "", wiki.Problemf(wiki.ErrInvalid, "filename", "The file needs a name.")
	}
	safe, err := wiki.ParseFilePath(name)
	if err == nil && safe != name {
		err = wiki.Problemf(wiki.ErrInvalid, "filename", "%q can't be used as a file name. Choose another name.", name)
	}
	return safe, aboutFieldOrNil(err, "filename")
}

func aboutFieldOrNil(err error, field string) error {
	if err == nil {
		return nil
	}
	return aboutField(err, field)
}

// readUpload reads an upload up to the limit.
func readUpload(r io.Reader, limit int64) ([]byte, error) {
	if limit <= 0 {
		limit = wiki.DefaultLimits.AttachmentBytes
	}
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(data)) > limit {
		return nil, wiki.Problemf(wiki.ErrTooLarge, "file", "This file is too large. The limit is %s.", formatBytes(limit))
	}
	if err != nil {
		incomplete := wiki.Problemf(wiki.ErrMalformed, "file", "The upload is incomplete, so nothing was changed. Send the file again.")
		return nil, fmt.Errorf("pages: read upload: %w: %w", incomplete, err)
	}
	return data, nil
}

// findAttachment returns the current attachment of a path in any spelling. A
// former path is a *wiki.Redirect.
func (s *Service) findAttachment(ctx context.Context, w *content.Wiki, a wiki.Access, p string) (wiki.File, error) {
	d, err := s.directory(ctx, w, a)
	if err != nil {
		return wiki.File{}, err
	}
	file, ok := d.file(strings.Trim(p, "/"))
	if !ok {
		clean, err := wiki.ParseFilePath(p)
		if err != nil {
			return wiki.File{}, err
		}
		if to := d.movedTo(clean); to != "" {
			return wiki.File{}, &wiki.Redirect{To: wiki.PathURL(to)}
		}
		return wiki.File{}, noFile(p)
	}
	return w.Lookup(ctx, file)
}

func noFile(p string) error {
	return wiki.Problemf(wiki.ErrNotFound, "path", "There's no attachment called %q.", p)
}

// OpenAttachment reads a file, at a revision or the current one.
func (s *Service) OpenAttachment(ctx context.Context, a wiki.Access, path, revision string) (Attachment, []byte, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return Attachment{}, nil, err
	}
	defer release()
	f, data, err := s.readAttachment(ctx, w, a, path, revision)
	if err != nil {
		return Attachment{}, nil, err
	}
	return attachment(f, data), data, nil
}

func (s *Service) readAttachment(ctx context.Context, w *content.Wiki, a wiki.Access, p, revision string) (wiki.File, []byte, error) {
	f, err := s.findAttachment(ctx, w, a, p)
	if revision == "" {
		if err != nil {
			return f, nil, err
		}
		data, err := w.Blob(ctx, f.Blob)
		return f, data, err
	}
	var redirect *wiki.Redirect
	if err != nil && !errors.Is(err, wiki.ErrNotFound) && !errors.As(err, &redirect) {
		return f, nil, err
	}
	if err == nil {
		p = f.Path
	}
	f, data, err := readRevision(ctx, w, strings.Trim(p, "/"), revision)
	if _, page := wiki.PageOf(f.Path); err == nil && page {
		return wiki.File{}, nil, noFile(p)
	}
	return f, data, err
}

// RenameAttachment renames a file within its page and updates links to it.
func (s *Service) RenameAttachment(ctx context.Context, a wiki.Access, p, newName string, pre Precondition, wr Write) (Saved, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return Saved{}, err
	}
	defer release()
	name, err := FileName(newName)
	if err != nil {
		return Saved{}, aboutField(err, "new_filename")
	}
	done, err := retryPlanned(ctx, w, a, wr, func() (Saved, error) {
		f, err := s.findAttachment(ctx, w, a, p)
		if err != nil {
			return Saved{}, err
		}
		to := path.Join(path.Dir(f.Path), name)
		if to == f.Path {
			return Saved{}, wiki.Problemf(wiki.ErrInvalid, "new_filename", "The file already has that name.")
		}
		if err := mustBeCurrent(ctx, w, pre, f); err != nil {
			return Saved{}, err
		}
		d, err := s.directory(ctx, w, a)
		if err != nil {
			return Saved{}, err
		}
		m := newMoves(d)
		m.add(f.Path, to)
		return m.commit(ctx, s, w, a, wr, commitMessage(wr.Message, "Rename %s to %s", titleOf(f.Path), path.Base(to)), false)
	})
	if err != nil {
		return Saved{}, err
	}
	return describeMove(ctx, w, done, done.Path)
}

// DeleteAttachment deletes a file.
func (s *Service) DeleteAttachment(ctx context.Context, a wiki.Access, p string, pre Precondition, wr Write) (Saved, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return Saved{}, err
	}
	defer release()
	return retryPlanned(ctx, w, a, wr, func() (Saved, error) {
		f, err := s.findAttachment(ctx, w, a, p)
		if err != nil {
			return Saved{}, err
		}
		if err := mustBeCurrent(ctx, w, pre, f); err != nil {
			return Saved{}, err
		}
		done, err := s.commit(ctx, w, a, wr, content.Request{
			Message: commitMessage(wr.Message, "Delete %s", titleOf(f.Path)),
			Edits:   []content.Edit{{Op: content.Delete, Path: f.Path, Base: f.Blob}},
		})
		return done, markOutdated(err)
	})
}
