package pages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// A Write holds the fields that all changes share.
type Write struct {
	Message string // "" for a default
	// A retry with the same key and hash (of the whole request) within 24 hours
	// returns the first try's result.
	IdempotencyKey, IdempotencyHash string
	// IdempotencyWindow shortens the 24 hours.
	IdempotencyWindow time.Duration
}

// A Precondition is the state that a writer's change is based on.
type Precondition struct {
	// Base is the blob id (at least 8 digits) that the writer started from, or a
	// commit id. Without it, changing an existing page fails with
	// ErrPreconditionRequired.
	Base   string
	Strict bool // don't merge, fail with ErrPrecondition
	Create bool // the page must not exist, else *wiki.ConflictError, or ErrPrecondition if Strict
}

// A SaveRequest saves a page.
type SaveRequest struct {
	Write
	Precondition
	Name string
	Text []byte
	// Exact stores Text as it is. Otherwise the text gets the file's style; see
	// package edit.
	Exact bool
	// Template names a page below Templates/ that the new page starts from; see
	// fromTemplate. It needs Create. Text then fills {{content}}, or is added at
	// the end, and the result is not Exact.
	Template string
	Member   func(did string) bool // with Template: tells members from strangers
}

// Saved is the result of a change.
type Saved struct {
	Name      wiki.PageName // empty for attachments
	Path      string        // of the file
	Revision  string        // blob id, "" after a deletion
	Replaced  string        // blob id before the change, "" if there was none
	Commit    string
	Created   bool
	Merged    bool
	Unchanged bool
	Replayed  bool
	Updated   []wiki.PageName // pages whose links a rename updated
	Moved     int             // pages that a rename moved
	Kept      bool            // an upload is kept with the draft of a page that doesn't exist yet
}

// Save saves a page. Invalid UTF-8 and NUL are ErrInvalid. It deletes the
// caller's draft of the page and attaches the draft's files in the same commit, unless
// an agent saves for them. A save with a Base follows a renamed page.
func (s *Service) Save(ctx context.Context, a wiki.Access, r SaveRequest) (Saved, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return Saved{}, err
	}
	defer release()
	name, file, err := lookupBy(ctx, w.Find, r.Name)
	if err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return Saved{}, err
	}
	exists := err == nil
	if !exists {
		file.Path = name.File()
	}
	if !exists && r.Base != "" { // the page may have been renamed
		switch renamed, err := findRenamed(ctx, w, file.Path); {
		case err == nil:
			file, exists = renamed, true
		case !errors.Is(err, wiki.ErrNotFound):
			return Saved{}, err
		}
	}
	limits := a.Site().Limits
	limits.PageBytes = max(limits.PageBytes, file.Size) // large imported pages can shrink
	if err := checkText(r.Text, limits); err != nil {
		return Saved{}, err
	}
	if r.Template != "" && !r.Create {
		return Saved{}, wiki.Problemf(wiki.ErrInvalid, "template", "A template is only for a new page. Leave out the revision, or the template.")
	}
	return withReplay(ctx, w, a, r.Write, func() (Saved, error) {
		base, stored, err := readBase(ctx, w, r.Precondition, file, exists, r.Text)
		if err != nil {
			return Saved{}, err
		}
		text := r.Text
		if r.Template != "" {
			if text, err = s.fromTemplate(ctx, w, a, name, r); err != nil {
				return Saved{}, err
			}
			r.Exact = false
		}
		switch {
		case r.Exact:
		case base == content.BaseNone:
			text = edit.FormatNew(text)
		default:
			if text, err = keepStyle(ctx, w, stored, text); err != nil {
				return Saved{}, err
			}
		}
		request := content.Request{
			Message:   commitMessage(r.Message, "%s %s", saveVerb(exists), wiki.Title(string(name))),
			Edits:     []content.Edit{{Op: content.Put, Path: file.Path, Data: nonNil(text), Base: base, Strict: r.Strict}},
			DropDraft: draftOf(a.Caller(), file.Path),
		}
		return s.commitDraft(ctx, w, a, r.Write, request)
	})
}

// findRenamed finds a file by a former path.
func findRenamed(ctx context.Context, w *content.Wiki, path string) (wiki.File, error) {
	to, err := w.MovedTo(ctx, path)
	if err != nil {
		return wiki.File{}, err
	}
	return w.Find(ctx, to)
}

// draftOf returns the draft that a save replaces. An agent hasn't seen its
// person's draft and replaces none.
func draftOf(c wiki.Caller, file string) string {
	if c.Grant != "" || c.Agent != "" {
		return ""
	}
	return file
}

func saveVerb(exists bool) string {
	if exists {
		return "Update"
	}
	return "Create"
}

// readBase is resolveBase for a save, and reads the base's content. It reads a
// whole blob id, which forms send, directly: content rejects one that the page
// never had.
func readBase(ctx context.Context, w *content.Wiki, p Precondition, f wiki.File, exists bool, yours []byte) (id string, data []byte, err error) {
	if id = strings.ToLower(strings.TrimSpace(p.Base)); len(id) == 40 && !p.Strict && !p.Create {
		if data, err = w.Blob(ctx, id); !errors.Is(err, wiki.ErrNotFound) {
			return id, data, err
		}
	}
	id, err = resolveBase(ctx, w, p, f, exists, yours)
	if err == nil && id != content.BaseNone {
		data, err = w.Blob(ctx, id)
	}
	return id, data, err
}

// resolveBase returns the whole blob id of the revision that a precondition
// names. It rejects a precondition that can't be met.
func resolveBase(ctx context.Context, w *content.Wiki, p Precondition, f wiki.File, exists bool, yours []byte) (string, error) {
	title := strings.TrimSuffix(f.Path, ".md")
	switch {
	case p.Create && exists && p.Strict:
		return "", wiki.Problemf(wiki.ErrPrecondition, "", "A page called %q already exists.", title)
	case p.Create && exists:
		return "", existsConflict(ctx, w, f, yours)
	case p.Create:
		return content.BaseNone, nil
	case p.Base == "" && exists:
		return "", wiki.Problemf(wiki.ErrPreconditionRequired, "revision", "To change %q, send the revision of it that you read.", title)
	case p.Base == "":
		return content.BaseNone, nil
	}
	base, err := resolveRevision(ctx, w, p.Base, f)
	switch {
	case err != nil && p.Strict && (errors.Is(err, wiki.ErrInvalid) || errors.Is(err, wiki.ErrNotFound)):
		// For If-Match, an unknown entity tag is just a different one.
		return "", staleRevision(title)
	case err != nil:
		return "", err
	case p.Strict && base != f.Blob:
		return "", staleRevision(title)
	}
	return base, nil
}

func staleRevision(title string) error {
	return wiki.Problemf(wiki.ErrPrecondition, "revision", "%q has changed since that revision. Read it again.", title)
}

// resolveRevision returns the whole blob id of a revision of a file.
func resolveRevision(ctx context.Context, w *content.Wiki, base string, f wiki.File) (string, error) {
	base = strings.ToLower(strings.TrimSpace(base))
	if len(base) >= 8 && strings.HasPrefix(f.Blob, base) {
		return f.Blob, nil
	}
	then, _, err := readRevision(ctx, w, f.Path, base)
	if errors.Is(err, wiki.ErrNotFound) {
		return "", wiki.Problemf(wiki.ErrInvalid, "revision", "%q never had the revision %s. Read the page again.", strings.TrimSuffix(f.Path, ".md"), base)
	}
	return then.Blob, err
}

// existsConflict returns the conflict of a writer who creates an existing page.
func existsConflict(ctx context.Context, w *content.Wiki, f wiki.File, yours []byte) error {
	theirs, err := w.Blob(ctx, f.Blob)
	if err != nil {
		return err
	}
	theirs = pageText(theirs)
	c := &wiki.ConflictError{Path: f.Path, TheirBlob: f.Blob, Theirs: theirs, Yours: yours, Merged: yours}
	c.AddHunk(wiki.Hunk{BaseLine: 1, TheirLine: 1, YourLine: 1, Theirs: string(theirs), Yours: string(yours)})
	return c
}

// commit commits a request as the caller, or as its Author if it has one. Every change
// by a caller passes here, except the import of a history.
func (s *Service) commit(ctx context.Context, w *content.Wiki, a wiki.Access, wr Write, r content.Request) (Saved, error) {
	if r.Limits = a.Site().Limits; r.Author.User.DID == "" {
		r.Author = a.Caller()
	}
	wr.setKey(&r)
	release, err := w.AcquireLarge(ctx, textBytes(r))
	if err != nil {
		return Saved{}, err
	}
	defer release()
	res, err := w.Commit(ctx, r)
	if err != nil {
		return Saved{}, a.Site().AskForMore(describeLimit(err, a.Site().Limits))
	}
	if !res.Unchanged && !res.Replayed {
		s.changed(a, len(res.Files))
	}
	return savedFrom(res), nil
}

// textBytes is the size of the texts in a request.
func textBytes(r content.Request) (n int) {
	for _, e := range r.Edits {
		n += len(e.Data)
	}
	return n
}

func savedFrom(res content.Result) Saved {
	done := Saved{Commit: res.Commit.ID, Unchanged: res.Unchanged, Replayed: res.Replayed}
	if len(res.Files) > 0 {
		f := res.Files[0]
		done.Path, done.Revision, done.Created, done.Merged = f.Path, f.Blob, f.Created, f.Merged
		done.Name, _ = wiki.PageOf(f.Path)
		for _, ch := range res.Commit.Changes {
			if ch.Path == f.Path && !res.Unchanged {
				done.Replaced = ch.Old
			}
		}
	}
	return done
}

// describeLimit adds a message that names the limit to an error without one.
func describeLimit(err error, l wiki.Limits) error {
	var p *wiki.Problem
	if errors.As(err, &p) {
		return err
	}
	switch {
	case errors.Is(err, wiki.ErrQuota):
		return wiki.Problemf(wiki.ErrQuota, "", "This wiki is full. The limit is %d pages, %d pages and files together, and %s. Delete something first."+wiki.RunItYourself, l.Pages, l.Files, formatBytes(l.CurrentBytes))
	case errors.Is(err, wiki.ErrTooLarge):
		return wiki.Problemf(wiki.ErrTooLarge, "", "That's too large. The limit is %s for a page and %s for an attachment.", formatBytes(l.PageBytes), formatBytes(l.AttachmentBytes))
	}
	return err
}

// formatBytes formats a size for people.
func formatBytes(n int64) wiki.Own {
	for _, u := range []struct {
		unit string
		of   int64
	}{{"MB", 1 << 20}, {"KB", 1 << 10}} {
		if n >= u.of {
			return wiki.Own(strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/float64(u.of)), ".0") + " " + u.unit)
		}
	}
	return wiki.Own(fmt.Sprintf("%d bytes", n))
}

// A PatchRequest replaces a text that occurs exactly once.
type PatchRequest struct {
	Write
	Precondition
	Name     string
	Old, New string // normalized before comparing
}

// Patch replaces text in a page. ErrInvalid if Old doesn't occur, occurs more than
// once (the message names the lines) or equals New. A stale Base is accepted if
// Old still occurs exactly once.
func (s *Service) Patch(ctx context.Context, a wiki.Access, r PatchRequest) (Saved, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return Saved{}, err
	}
	defer release()
	return withReplay(ctx, w, a, r.Write, func() (Saved, error) {
		for try := 1; ; try++ {
			done, err := s.patchOnce(ctx, w, a, r)
			if err == nil || try == maxTries || r.Strict || !errors.Is(err, wiki.ErrConflict) {
				return done, err
			}
		}
	})
}

// maxTries bounds the retries of a change whose plan is outdated by another one.
const maxTries = 5

func (s *Service) patchOnce(ctx context.Context, w *content.Wiki, a wiki.Access, r PatchRequest) (Saved, error) {
	name, file, err := lookup(ctx, w, r.Name)
	if err != nil {
		return Saved{}, err
	}
	base, err := resolveBase(ctx, w, Precondition{Base: r.Base, Strict: r.Strict}, file, true, nil)
	if err != nil {
		return Saved{}, err
	}
	stored, err := w.Blob(ctx, file.Blob)
	if err != nil {
		return Saved{}, err
	}
	old, with := edit.Normalize([]byte(r.Old)), edit.Normalize([]byte(r.New))
	first, err := edit.FindOnce(edit.Normalize(stored), old, with)
	if err != nil {
		return Saved{}, err
	}
	text := edit.ReplaceKeepingStyle(stored, first, old, with)
	limits := a.Site().Limits
	limits.PageBytes = max(limits.PageBytes, file.Size)
	if err := checkText(text, limits); err != nil {
		return Saved{}, err
	}
	done, err := s.commit(ctx, w, a, r.Write, content.Request{
		Message: commitMessage(r.Message, "Update %s", wiki.Title(string(name))),
		Edits:   []content.Edit{{Op: content.Put, Path: file.Path, Data: text, Base: file.Blob, Strict: r.Strict}},
	})
	done.Merged = done.Merged || base != file.Blob && err == nil
	return done, err
}

// checkText refuses a text that can't be stored as a page.
func checkText(text []byte, limits wiki.Limits) error {
	switch {
	case limits.PageBytes > 0 && int64(len(text)) > limits.PageBytes:
		return wiki.Problemf(wiki.ErrTooLarge, "content", "This page is too large. The limit is %s.", formatBytes(limits.PageBytes))
	case !utf8.Valid(text):
		return wiki.Problemf(wiki.ErrInvalid, "content", "The text isn't valid UTF-8.")
	case bytes.IndexByte(text, 0) >= 0:
		return wiki.Problemf(wiki.ErrInvalid, "content", "The text contains a NUL character. Remove it and save again.")
	}
	return nil
}
