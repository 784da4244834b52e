package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// CatchUp exports a wiki's new commits and returns its head. It rebuilds a
// missing or damaged repository.
func (m *Mirror) CatchUp(ctx context.Context, slug string) (head string, err error) {
	w, release, err := m.o.Content.Open(ctx, slug)
	if err != nil {
		return "", fmt.Errorf("export: %s: %w", slug, err)
	}
	defer release()
	r := m.repository(slug)
	if err := r.lock(ctx); err != nil {
		return "", err
	}
	defer r.unlock()
	if !m.isCurrent(w, r) {
		release, err := m.slots.Acquire(ctx, slug)
		if err != nil {
			return "", err
		}
		defer release()
	}
	// The next caller needs the result too, so this caller's deadline doesn't apply.
	ctx = context.WithoutCancel(ctx)
	began := time.Now()
	seq, _ := w.Head()
	err = m.o.Background.Try(background.Job{Work: "export", Wiki: slug, Item: fmt.Sprint("commit ", seq)}, func() (err error) {
		head, err = m.catchUp(ctx, w, r)
		return err
	})
	if err != nil {
		r.head = ""
		m.stats.failures.Add(1)
		return "", fmt.Errorf("export: %s: %w", slug, err)
	}
	m.clearPending(slug, began)
	seq, _ = w.Head()
	m.queueRepack(slug, r, seq)
	return head, nil
}

// isCurrent reports whether CatchUp has nothing to verify or export. The caller holds
// the lock.
func (m *Mirror) isCurrent(w *content.Wiki, r *repository) bool {
	name := m.current(w.Slug())
	if _, head := w.Head(); name == "" || head == "" || r.head != head {
		return false
	}
	r.mu.Lock()
	suspect := r.suspect
	r.mu.Unlock()
	files, err := fingerprint(m.path(w.Slug(), name))
	return err == nil && files == r.fingerprint && !suspect
}

// catchUp does the work of CatchUp. The caller holds the lock.
func (m *Mirror) catchUp(ctx context.Context, w *content.Wiki, r *repository) (string, error) {
	slug := w.Slug()
	if !r.tidied {
		if err := m.tidyLocked(slug, r); err != nil {
			return "", err
		}
		r.tidied = true
	}
	_, head := w.Head()
	repo, after, err := m.openVerified(ctx, w, r)
	if err == nil && r.head == head && head != "" {
		return head, nil
	}
	if err == nil {
		err = m.extend(ctx, w, r, repo, after, false)
		if err != nil {
			m.o.Log.Warn("export failed: rebuilding the repository", "wiki", slug, "err", err)
		}
	}
	if errors.Is(err, wiki.ErrNotFound) && !m.wikiExists(slug) {
		return "", err // the wiki is being deleted
	}
	if err != nil {
		if repo, err = m.rebuild(ctx, w, r); err != nil {
			return "", err
		}
	}
	if r.head, err = repo.Ref(gitrepo.Main); err == nil {
		r.fingerprint, err = fingerprint(m.path(slug, m.current(slug)))
	}
	return r.head, err
}

func (m *Mirror) tidyLocked(slug string, r *repository) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return m.tidy(slug, r)
}

// suspectDelay is the minimum time between two verifications that failing
// readers cause: they may have asked for something that doesn't exist.
const suspectDelay = 30 * time.Second

// errRebuild reports that a repository has to be rebuilt.
var errRebuild = errors.New("export: the repository has to be rebuilt")

// openVerified opens the current repository and returns the number of its last
// commit. A repository that someone else has changed, or that this process
// hasn't seen before, is verified first.
func (m *Mirror) openVerified(ctx context.Context, w *content.Wiki, r *repository) (*gitrepo.Repo, int64, error) {
	slug := w.Slug()
	name := m.current(slug)
	if name == "" {
		return nil, 0, errRebuild
	}
	repo := m.o.Git.Open(m.path(slug, name))
	head, err := repo.Ref(gitrepo.Main)
	if err != nil {
		return nil, 0, err
	}
	if err := m.verifyChanged(ctx, slug, r, repo, head); err != nil {
		return nil, 0, err
	}
	if head == "" {
		return repo, 0, nil
	}
	seq, err := w.SeqOf(ctx, head)
	switch {
	case errors.Is(err, wiki.ErrGone):
		return nil, 0, errRebuild
	case errors.Is(err, wiki.ErrNotFound):
		m.reportMismatch(slug, fmt.Errorf("the export is at %s, which isn't one of the wiki's commits", head))
		return nil, 0, errRebuild
	}
	return repo, seq, err
}

// verifyChanged checks every object of a repository that is suspect or isn't as
// this process left it.
func (m *Mirror) verifyChanged(ctx context.Context, slug string, r *repository, repo *gitrepo.Repo, head string) error {
	dir := m.path(slug, repo.Name())
	files, err := fingerprint(dir)
	if err != nil {
		return err
	}
	r.mu.Lock()
	suspect := r.suspect && time.Since(r.verified) > suspectDelay
	r.mu.Unlock()
	if r.head != "" && r.head == head && r.fingerprint == files && !suspect {
		return nil
	}
	if err = repo.RemoveLeftovers(); err == nil {
		err = repo.Verify(ctx)
	}
	if err == nil { // after Sweep has removed files
		r.fingerprint, err = fingerprint(dir)
	}
	r.verified = time.Now()
	if err != nil {
		m.o.Log.Warn("export is damaged: rebuilding the repository", "wiki", slug, "err", err)
		return err
	}
	r.head = head
	r.setSuspect(false)
	return nil
}

// reportMismatch raises the alarm for stored data that doesn't produce the
// expected object ids: the data is damaged, or the code has a bug.
func (m *Mirror) reportMismatch(slug string, err error) {
	m.stats.mismatches.Add(1)
	m.o.Log.Error("export MISMATCH: stored data doesn't produce the expected object ids", "wiki", slug, "err", err)
}

// extend exports the commits after commit number `after`.
func (m *Mirror) extend(ctx context.Context, w *content.Wiki, r *repository, repo *gitrepo.Repo, after int64, imported bool) error {
	err := w.Export(ctx, after, imported, func(next content.ExportedPack) error {
		if err := repo.AddPack(ctx, next.Pack, true); err != nil {
			return err
		}
		if err := repo.SetRef(gitrepo.Main, next.Head); err != nil {
			return err
		}
		r.unpacked += next.Commits
		m.stats.commits.Add(uint64(next.Commits))
		return nil
	})
	if errors.Is(err, content.ErrMismatch) {
		m.reportMismatch(w.Slug(), err)
	}
	return err
}

// rebuild exports all commits to a new repository and makes it the current one.
func (m *Mirror) rebuild(ctx context.Context, w *content.Wiki, r *repository) (*gitrepo.Repo, error) {
	slug, name := w.Slug(), newRepoName()
	if m.current(slug) != "" {
		m.stats.rebuilds.Add(1)
	}
	repo, err := m.o.Git.Init(m.path(slug, name))
	if err == nil {
		r.unpacked = 0
		err = m.exportAll(ctx, w, r, repo)
	}
	if err == nil {
		err = m.switchTo(slug, r, name)
	}
	if err != nil {
		m.discard(slug, name)
		return nil, fmt.Errorf("rebuild: %w", err)
	}
	r.setSuspect(false)
	return repo, nil
}

// exportAll exports a whole wiki to an empty repository. An import's other
// objects go first, because commits may refer to them; since they may refer to
// commits in turn, the repository is verified at the end.
func (m *Mirror) exportAll(ctx context.Context, w *content.Wiki, r *repository, repo *gitrepo.Repo) error {
	imported, err := w.ImportedPack(ctx)
	if err != nil {
		return err
	}
	if imported != nil {
		if err := repo.AddPack(ctx, imported, false); err != nil {
			return err
		}
	}
	if err := m.extend(ctx, w, r, repo, 0, imported != nil); err != nil {
		return err
	}
	tags, err := w.Tags(ctx)
	if err != nil {
		return err
	}
	for name, id := range tags {
		if err := repo.SetRef("refs/tags/"+name, id); err != nil {
			return err
		}
	}
	if imported == nil && len(tags) == 0 {
		return nil
	}
	if err := repo.Verify(ctx); err != nil {
		m.reportMismatch(w.Slug(), err)
		return err
	}
	return nil
}
