package pages

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"robot.wtf/internal/content"
	"robot.wtf/internal/edit"
	"robot.wtf/internal/wiki"
)

// An EditRequest changes parts of a page.
type EditRequest struct {
	Write
	Name   string
	Base   string      // the revision that the writer read, or ""
	Seen   *edit.Lines // the lines they read; nil for all
	Edits  []edit.Edit
	DryRun bool // report the result without saving it
}

// EditResult is the result of an EditRequest.
type EditResult struct {
	Saved
	Edits  []edit.Result // for each edit, without its document
	Before *Source       // the writer's base, or the page before the edits
	Now    *Source       // the page before the edits
	After  *Source
}

// maxEdits bounds the edits of one request: each one reads the whole text.
const maxEdits = 100

// maxEditTries bounds the retries when others change the page meanwhile. Each
// retry means that another change succeeded.
const maxEditTries = 50

// ApplyEdits makes edits in order, all or none, in one commit. They are applied to
// the current page: insertions go to the current place, and overwritten text
// must be unchanged since Base or merge with it, else *wiki.ConflictError. Edits
// that were made since Base change nothing.
func (s *Service) ApplyEdits(ctx context.Context, a wiki.Access, r EditRequest) (EditResult, error) {
	w, release, err := s.open(ctx, a, wiki.Edit)
	if err != nil {
		return EditResult{}, err
	}
	defer release()
	if err := checkEditCount(len(r.Edits)); err != nil {
		return EditResult{}, err
	}
	base, err := s.editBase(ctx, w, a, &r)
	if err != nil {
		return EditResult{}, err
	}
	var done EditResult
	done.Saved, err = withReplay(ctx, w, a, r.Write, func() (Saved, error) {
		var err error
		for range maxEditTries {
			if done, err = s.editOnce(ctx, w, a, r, base); !errors.Is(err, errOutdated) {
				return done.Saved, err
			}
		}
		return Saved{}, wiki.Problemf(wiki.ErrConflict, "", "Others are changing the page at the same time. Try again in a moment.")
	})
	return done, err
}

func checkEditCount(n int) error {
	switch {
	case n == 0:
		return wiki.Problemf(wiki.ErrInvalid, "edits", "Send at least one edit.")
	case n > maxEdits:
		return wiki.Problemf(wiki.ErrInvalid, "edits", "Send at most %d edits at a time, or replace the section or the page. Nothing was changed.", maxEdits)
	}
	return nil
}

// editBase reads the revision that a writer started from. It adds that revision to
// the idempotency key: after a revert, the same edit is a new request.
func (s *Service) editBase(ctx context.Context, w *content.Wiki, a wiki.Access, r *EditRequest) (*Source, error) {
	if r.Base == "" {
		return nil, nil
	}
	name, file, err := s.lookupRenamed(ctx, w, a, r.Name)
	if err != nil {
		return nil, err
	}
	base, seen, err := readSeen(ctx, w, name, file, r.Base, r.Seen)
	if err != nil {
		return nil, err
	}
	r.Seen = seen
	if r.IdempotencyKey != "" {
		r.IdempotencyKey = fmt.Sprintf("%s@%d", r.IdempotencyKey, base.File.Seq)
		r.IdempotencyWindow = 0 // the revision suffices
	}
	return base, nil
}

// readSeen reads the revision of a page that a writer started from. It returns the
// lines of it that they have read: none if they name it by the id of a commit, which
// lists show without anything of the page.
func readSeen(ctx context.Context, w *content.Wiki, name wiki.PageName, file wiki.File, revision string, seen *edit.Lines) (*Source, *edit.Lines, error) {
	id := strings.ToLower(strings.TrimSpace(revision))
	then, data, err := readRevision(ctx, w, file.Path, id)
	if errors.Is(err, wiki.ErrNotFound) {
		return nil, nil, wiki.Problemf(wiki.ErrInvalid, "revision", "%q never had the revision %s. Read the page again.", name, id)
	}
	if err != nil {
		return nil, nil, err
	}
	if !strings.HasPrefix(then.Blob, id) {
		seen = &edit.Lines{}
	}
	return newSource(name, then, data), seen, nil
}

func (s *Service) editOnce(ctx context.Context, w *content.Wiki, a wiki.Access, r EditRequest, base *Source) (EditResult, error) {
	name, file, err := s.lookupRenamed(ctx, w, a, r.Name)
	if err != nil {
		return EditResult{}, err
	}
	stored, err := w.Blob(ctx, file.Blob)
	if err != nil {
		return EditResult{}, err
	}
	now := newSource(name, file, stored)
	done := EditResult{Before: now, Now: now, Edits: make([]edit.Result, len(r.Edits))}
	if base != nil {
		done.Before = base
	}
	doc, err := applyAll(ctx, w, now, base, r, done.Edits)
	if err != nil {
		return EditResult{}, err
	}
	done.After = &Source{Document: doc, Name: name, File: file}
	done.Saved = Saved{Name: name, Path: file.Path, Revision: file.Blob, Commit: file.Commit, Unchanged: true}
	if doc.Text == now.Text {
		return done, nil
	}
	limits := a.Site().Limits
	limits.PageBytes = max(limits.PageBytes, file.Size)
	if err := checkText([]byte(doc.Text), limits); err != nil {
		return EditResult{}, err
	}
	if r.DryRun {
		done.Unchanged = false
		return done, nil
	}
	styled, err := keepStyle(ctx, w, stored, []byte(doc.Text))
	if err != nil {
		return EditResult{}, err
	}
	done.Saved, err = s.commit(ctx, w, a, r.Write, content.Request{
		Message: commitMessage(r.Message, "Update %s", wiki.Title(string(name))),
		Edits:   []content.Edit{{Op: content.Put, Path: file.Path, Data: nonNil(styled), Base: file.Blob, Strict: true}},
	})
	done.Merged = base != nil && base.File.Blob != file.Blob
	return done, markOutdated(err)
}

// applyAll applies the edits of a request in order and sets their results.
func applyAll(ctx context.Context, w *content.Wiki, now, base *Source, r EditRequest, results []edit.Result) (*edit.Document, error) {
	doc := now.Document
	// An edit can merge or parse the whole text.
	release, err := w.AcquireCompare(ctx, 2*len(now.Text))
	if err != nil {
		return nil, err
	}
	defer release()
	for i, e := range r.Edits {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		next, err := applyEdit(ctx, w, doc, now, base, r.Seen, e)
		if err != nil {
			return nil, nameEdit(err, i, len(r.Edits), e.Op)
		}
		doc, results[i] = next.Document, edit.Result{State: next.State, Ignored: next.Ignored}
	}
	return doc, nil
}

// applyEdit makes one edit to a page's text. now is the page before the request, and
// base the revision that the writer read, nil if unknown.
func applyEdit(ctx context.Context, w *content.Wiki, doc *edit.Document, now, base *Source, seen *edit.Lines, e edit.Edit) (edit.Result, error) {
	from := edit.Basis{Seen: seen}
	if now != nil {
		from.Page = now.Document
	}
	if base != nil {
		from.Base, from.Since = base.Document, textsBetween(ctx, w, now.File, base.File.Seq)
	}
	next, err := edit.Apply(doc, from, e)
	return next, completeConflict(err, now, base)
}

// completeConflict adds the page and its revisions to a *edit.Conflict in err.
func completeConflict(err error, now, base *Source) error {
	var conflict *edit.Conflict
	if errors.As(err, &conflict) {
		conflict.Path, conflict.TheirBlob = now.File.Path, now.File.Blob
		if base != nil {
			conflict.BaseBlob = base.File.Blob
		}
	}
	return err
}

const (
	maxTextsBetween = 50       // revisions
	maxBytesBetween = 16 << 20 // of their texts
)

// textsBetween yields the texts that a page had after a commit, without the current
// one, newest first and at most maxTextsBetween. It loads them one by one.
func textsBetween(ctx context.Context, w *content.Wiki, now wiki.File, after int64) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		list, err := w.History(ctx, now.Path, now.Seq, maxTextsBetween)
		if err != nil {
			yield("", err)
			return
		}
		loaded, last := int64(0), now.Blob
		for _, r := range list {
			if loaded += r.Size; r.Seq <= after || loaded > maxBytesBetween {
				return
			}
			if r.New == "" || r.New == last {
				continue
			}
			last = r.New
			data, err := w.Blob(ctx, r.New)
			if !yield(edit.Normalize(data), err) || err != nil {
				return
			}
		}
	}
}

// nameEdit adds to a Problem which of several edits failed.
func nameEdit(err error, i, n int, op edit.Op) error {
	var p *wiki.Problem
	if n < 2 || !errors.As(err, &p) {
		return err
	}
	known := wiki.Own(op)
	if !slices.Contains([]edit.Op{edit.Replace, edit.ReplaceSection, edit.Append, edit.Prepend, edit.InsertAfter, edit.SetMeta}, op) {
		known = "unknown"
	}
	named := wiki.Problemf(p.Kind, p.Field, "Edit %d (%s): %s Nothing was changed.", i+1, known, p)
	var c *wiki.ConflictError
	if errors.As(err, &c) {
		return fmt.Errorf("%w (%w)", named, c)
	}
	return named
}
