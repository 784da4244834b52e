package pages

import (
	"bytes"
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

// keepWithDraft keeps a file with the caller's draft of a page that doesn't exist
// yet, under a name that is free there and among the draft's files.
func (s *Service) keepWithDraft(ctx context.Context, w *content.Wiki, a wiki.Access, p string, data []byte) (Saved, error) {
	did := a.Caller().User.DID
	if did == "" {
		return Saved{}, wiki.Problemf(wiki.ErrDenied, "", "Sign in to save drafts.")
	}
	page := wiki.PageName(path.Dir(p))
	kept, err := w.DraftFiles(ctx, did, page.File())
	if err != nil {
		return Saved{}, err
	}
	d, err := s.directory(ctx, w, a)
	if err != nil {
		return Saved{}, err
	}
	if p, err = d.freeName(p, kept); err != nil {
		return Saved{}, err
	}
	if err := w.AddDraftFile(ctx, did, page.File(), DraftFile{Name: path.Base(p), Data: data}); err != nil {
		return Saved{}, err
	}
	return Saved{Path: p, Kept: true}, nil
}

// commitDraft commits the text of a draft with the files kept with it. Few drafts have
// any, so they are only read when the commit finds some.
func (s *Service) commitDraft(ctx context.Context, w *content.Wiki, a wiki.Access, wr Write, r content.Request) (Saved, error) {
	saved, err := s.commit(ctx, w, a, wr, r)
	for try := 0; errors.Is(err, content.ErrDraftFiles) && try < maxEditTries; try++ {
		with := r
		with.Edits = slices.Clone(r.Edits)
		if err := s.attachDraftFiles(ctx, w, a, &with); err != nil {
			return Saved{}, err
		}
		saved, err = s.commit(ctx, w, a, wr, with)
	}
	return saved, err
}

// attachDraftFiles adds the files of the draft that a request drops to its edits. A
// name that was taken since is changed, in the page's text too.
func (s *Service) attachDraftFiles(ctx context.Context, w *content.Wiki, a wiki.Access, r *content.Request) error {
	files, err := readDraftFiles(ctx, w, a.Caller().User.DID, r.DropDraft)
	if err != nil {
		return err
	}
	d, err := s.directory(ctx, w, a)
	if err != nil {
		return err
	}
	for i, f := range files {
		p := strings.TrimSuffix(r.Edits[0].Path, ".md") + "/" + f.Name
		free, err := d.freeName(p, slices.Concat(files[:i], files[i+1:]))
		if err != nil {
			return err
		}
		if free != p {
			old, now := "("+FileAddress(f.Name)+")", "("+FileAddress(path.Base(free))+")"
			r.Edits[0].Data = bytes.ReplaceAll(r.Edits[0].Data, []byte(old), []byte(now))
		}
		r.Edits = append(r.Edits, content.Edit{Op: content.Put, Path: free, Data: f.Data, Strict: true})
		r.DropFiles = append(r.DropFiles, f.Name)
	}
	return nil
}

// readDraftFiles reads the files kept with a person's draft.
func readDraftFiles(ctx context.Context, w *content.Wiki, did, page string) ([]DraftFile, error) {
	files, err := w.DraftFiles(ctx, did, page)
	for i := range files {
		if err == nil {
			files[i], err = w.DraftFile(ctx, did, page, files[i].Name)
		}
	}
	return files, err
}

// DraftFile returns a file kept with the caller's draft of a page.
func (s *Service) DraftFile(ctx context.Context, a wiki.Access, name, file string) (Attachment, []byte, error) {
	w, found, release, err := s.openDraft(ctx, a, name)
	if err != nil {
		return Attachment{}, nil, err
	}
	defer release()
	f, err := w.DraftFile(ctx, a.Caller().User.DID, found.File(), file)
	if err != nil {
		return Attachment{}, nil, err
	}
	stored := wiki.File{Path: string(found) + "/" + f.Name, Size: f.Size, Modified: f.Modified}
	return attachment(stored, f.Data), f.Data, nil
}

// draftFileURLs returns the addresses of the files kept with a person's draft, by the
// keys of the paths that they get when the page is saved.
func draftFileURLs(ctx context.Context, w *content.Wiki, did string, page wiki.PageName) (map[string]string, error) {
	if did == "" {
		return nil, nil
	}
	files, err := w.DraftFiles(ctx, did, page.File())
	urls := make(map[string]string, len(files))
	for _, f := range files {
		urls[wiki.Key(string(page)+"/"+f.Name)] = DraftFileURL(page, f.Name)
	}
	return urls, err
}

// DraftFileURL returns the address of a file kept with a draft.
func DraftFileURL(page wiki.PageName, file string) string {
	return wiki.PathURL(string(page) + "/draft/" + file)
}

// draftFile resolves a link to a file of the draft being previewed.
func (r *resolver) draftFile(l wiki.Link) (markdown.Target, bool) {
	if len(r.files) == 0 {
		return markdown.Target{}, false
	}
	for _, p := range l.Paths(r.self) {
		if url, ok := r.files[wiki.Key(p)]; ok {
			return markdown.Target{Exists: true, URL: url, Image: imageByName(p)}, true
		}
	}
	return markdown.Target{}, false
}
