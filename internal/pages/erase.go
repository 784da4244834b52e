package pages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"robot.wtf/internal/content"
	"robot.wtf/internal/wiki"
)

// An Erasure says what to erase from a wiki's history: every occurrence of a text,
// or the content of one commit. Exactly one is set.
type Erasure struct {
	Text   string
	Commit string // id, or at least 7 digits of it
}

// An ErasureReport says what an erasure changes.
type ErasureReport = content.ErasureReport

var errErasing = wiki.Problemf(wiki.ErrTooMany, "", "Something is already being erased. Nothing was changed. Try again in a minute.")

// PlanErasure reports what Erase would change.
func (s *Service) PlanErasure(ctx context.Context, a wiki.Access, e Erasure) (ErasureReport, error) {
	return s.erase(ctx, a, e, true)
}

// Erase removes a text, or the content of a commit, from all history. Only the owner
// can. It rewrites the commits since, whose former ids return ErrGone with their
// successors. It fails with ErrNotFound if there is nothing to erase, ErrInvalid if
// it can't be erased, ErrTooMany while another erasure runs; then nothing was
// changed.
func (s *Service) Erase(ctx context.Context, a wiki.Access, e Erasure) (ErasureReport, error) {
	return s.erase(ctx, a, e, false)
}

func (s *Service) erase(ctx context.Context, a wiki.Access, e Erasure, dryRun bool) (report ErasureReport, err error) {
	w, release, err := s.open(ctx, a, wiki.Configure)
	if err != nil {
		return report, err
	}
	defer release()
	done, ok := s.erasures.TryAcquire(w.Slug())
	if !ok {
		return report, errErasing
	}
	defer done()
	if s.mirror != nil {
		var cancel context.CancelFunc
		ctx, cancel = s.mirror.Context(ctx)
		defer cancel()
	}
	report, err = w.Erase(ctx, content.Erasure{Author: a.Caller(), Text: e.Text, Commit: e.Commit, DryRun: dryRun, ReadPack: s.readPack})
	if err != nil || dryRun {
		return report, err
	}
	if err := s.forget(w); err != nil {
		return report, err
	}
	if s.mirror != nil {
		if _, err := s.mirror.CatchUp(ctx, w.Slug()); err != nil { // the next clone tries again
			s.log.Warn("exporting after an erasure failed", "wiki", w.Slug(), "err", err)
		}
	}
	return report, nil
}

// HasErased reports whether an erasure has rewritten one of the commits.
func (s *Service) HasErased(ctx context.Context, a wiki.Access, commits []string) (bool, error) {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return false, err
	}
	defer release()
	return w.HasErased(ctx, commits)
}

// readPack reads an imported pack in a scratch directory.
func (s *Service) readPack(ctx context.Context, pack io.WriterTo, visit func(kind, id string, content []byte) error) (err error) {
	if s.mirror == nil {
		return wiki.Problemf(wiki.ErrUnavailable, "", "This wiki has imported branches. They can't be read, because git isn't installed on this server. Nothing was changed.")
	}
	dir, err := s.content.MkdirTemp("erase-")
	if err != nil {
		return fmt.Errorf("pages: erase: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return s.mirror.Git().ReadPack(ctx, filepath.Join(dir, "repo.git"), pack, visit)
}
