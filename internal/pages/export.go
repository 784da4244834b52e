package pages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"robot.wtf/internal/content"
	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/wiki"
)

// Repository gives a wiki's git repository, with all that was saved before. It
// stays as it is, or grows, until it is released.
func (s *Service) Repository(ctx context.Context, a wiki.Access) (repo *gitrepo.Repo, release func(broken bool), err error) {
	if err := a.Allow(wiki.Read); err != nil {
		return nil, nil, err
	}
	if s.exports == nil {
		return nil, nil, wiki.Problemf(wiki.ErrStorage, "", "This service has no git, so nothing can be cloned.")
	}
	slug := a.Site().Slug
	if err := s.wholly(ctx, a); err != nil {
		return nil, nil, err
	}
	if _, err := s.exports.CatchUp(ctx, slug); err != nil {
		return nil, nil, fmt.Errorf("pages: repository of %s: %w", slug, err)
	}
	e := s.exports.of(slug)
	name, leave := s.exports.use(slug, e)
	return s.exports.o.Git.Open(s.exports.path(slug, name)), func(broken bool) {
		if broken {
			e.mu.Lock()
			e.suspect = true
			e.mu.Unlock()
		}
		leave()
	}, nil
}

// wholly refuses a wiki some of which may not be given away: a repository goes
// as a whole or not at all.
func (s *Service) wholly(ctx context.Context, a wiki.Access) error {
	w, release, err := s.open(ctx, a, wiki.Read)
	if err != nil {
		return err
	}
	defer release()
	if w.HasTakedowns() {
		return wiki.Problemf(wiki.ErrTakenDown, "", "This wiki cannot be cloned: something in it may not be shown, for legal reasons.")
	}
	return nil
}

// CatchUp brings a wiki's repository to its head, and answers that. What is
// missing or damaged is made again.
func (x *Exporter) CatchUp(ctx context.Context, slug string) (head string, err error) {
	w, release, err := x.o.Content.Open(ctx, slug)
	if err != nil {
		return "", err
	}
	defer release()
	e := x.of(slug)
	if err := e.lock(ctx); err != nil {
		return "", err
	}
	defer e.unlock()
	// Whoever comes next needs it as well: not to end with this caller's request.
	ctx = context.WithoutCancel(ctx)
	began := time.Now()
	head, err = x.catchUp(ctx, w, e)
	if err != nil {
		e.at = ""
		x.stats.failures.Add(1)
		return "", err
	}
	x.caughtUp(slug, began)
	seq, _ := w.Head()
	x.askRepack(slug, e, seq)
	return head, nil
}

// catchUp is CatchUp for whoever has the turn.
func (x *Exporter) catchUp(ctx context.Context, w *content.Wiki, e *export) (string, error) {
	slug := w.Slug()
	if !e.tidied {
		e.mu.Lock()
		err := x.tidy(slug, e)
		e.mu.Unlock()
		if err != nil {
			return "", err
		}
		e.tidied = true
	}
	_, head := w.Head()
	repo, after, err := x.sound(ctx, w, e)
	if err == nil && e.at == head && head != "" {
		return head, nil
	}
	if err == nil {
		err = x.extend(ctx, w, e, repo, after, false)
		if err != nil {
			x.o.Log.Warn("export: it could not go on, so it is made anew", "wiki", slug, "err", err)
		}
	}
	if errors.Is(err, wiki.ErrNotFound) && !x.there(slug) {
		return "", err // the wiki is being deleted
	}
	if err != nil {
		if repo, err = x.rebuild(ctx, w, e); err != nil {
			return "", err
		}
	}
	if e.at, err = repo.Ref(gitrepo.Main); err == nil {
		e.print, err = fingerprint(x.path(slug, x.current(slug)))
	}
	return e.at, err
}

// there reports whether the wiki has files.
func (x *Exporter) there(slug string) bool {
	_, err := os.Stat(filepath.Join(x.o.Dir, slug))
	return err == nil
}

// suspectAfter is how often a repository is read as a whole because somebody
// could not: they may have asked for what is not there.
const suspectAfter = 30 * time.Second

// errNew says that a repository has to be made from the beginning.
var errNew = errors.New("pages: the export has to be made anew")

// sound gives the repository of the moment with the number of its last commit,
// if it is as it was left. What somebody changed, and what this process has not
// seen yet, is read as a whole first.
func (x *Exporter) sound(ctx context.Context, w *content.Wiki, e *export) (*gitrepo.Repo, int64, error) {
	slug := w.Slug()
	name := x.current(slug)
	if name == "" {
		return nil, 0, errNew
	}
	dir := x.path(slug, name)
	repo := x.o.Git.Open(dir)
	at, err := repo.Ref(gitrepo.Main)
	if err != nil {
		return nil, 0, err
	}
	print, err := fingerprint(dir)
	if err != nil {
		return nil, 0, err
	}
	e.mu.Lock()
	suspect := e.suspect && time.Since(e.read) > suspectAfter
	e.mu.Unlock()
	if e.at == "" || at != e.at || print != e.print || suspect {
		if err = repo.Sweep(); err == nil {
			err = repo.Verify(ctx)
		}
		if err == nil { // what a sweep took away is none of it
			e.print, err = fingerprint(dir)
		}
		e.read = time.Now()
		if err != nil {
			x.o.Log.Warn("export: damaged, so it is made anew", "wiki", slug, "err", err)
			return nil, 0, err
		}
		e.at = at
		e.trust()
	}
	if at == "" {
		return repo, 0, nil
	}
	seq, err := w.SeqOf(ctx, at)
	switch {
	case errors.Is(err, wiki.ErrGone):
		return nil, 0, errNew
	case errors.Is(err, wiki.ErrNotFound):
		x.alarm(slug, fmt.Errorf("the export is at %s, which is none of the wiki's commits", at))
		return nil, 0, errNew
	}
	return repo, seq, err
}

// trust says that the repository was read as a whole, or is new.
func (e *export) trust() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.suspect = false
}

// alarm tells of what cannot be, unless what is stored is damaged.
func (x *Exporter) alarm(slug string, err error) {
	x.stats.mismatches.Add(1)
	x.o.Log.Error("export: MISMATCH between what is stored and what it should give", "wiki", slug, "err", err)
}

// extend adds what came after a commit.
func (x *Exporter) extend(ctx context.Context, w *content.Wiki, e *export, repo *gitrepo.Repo, after int64, imported bool) error {
	err := w.Export(ctx, after, imported, func(next content.Exported) error {
		if err := repo.AddPack(ctx, next.Pack, true); err != nil {
			return err
		}
		if err := repo.SetRef(gitrepo.Main, next.Head); err != nil {
			return err
		}
		e.since += next.Commits
		x.stats.commits.Add(uint64(next.Commits))
		return nil
	})
	if errors.Is(err, content.ErrUnlike) {
		x.alarm(w.Slug(), err)
	}
	return err
}

// rebuild makes a repository of all commits and puts it in place.
func (x *Exporter) rebuild(ctx context.Context, w *content.Wiki, e *export) (*gitrepo.Repo, error) {
	slug, name := w.Slug(), newRepoName()
	if x.current(slug) != "" {
		x.stats.rebuilds.Add(1)
	}
	repo, err := x.o.Git.Init(x.path(slug, name))
	if err == nil {
		e.since = 0
		err = x.fill(ctx, w, e, repo)
	}
	if err == nil {
		err = x.swap(slug, e, name)
	}
	if err != nil {
		x.discard(slug, name)
		return nil, fmt.Errorf("pages: export %s: %w", slug, err)
	}
	e.trust()
	return repo, nil
}

// fill puts all of a wiki into an empty repository. What an import brought
// besides goes first, for commits may link to it; that it links to them in turn
// is looked at in the end.
func (x *Exporter) fill(ctx context.Context, w *content.Wiki, e *export, repo *gitrepo.Repo) error {
	imported, err := w.ImportedPack(ctx)
	if err != nil {
		return err
	}
	if imported != nil {
		if err := repo.AddPack(ctx, imported, false); err != nil {
			return err
		}
	}
	if err := x.extend(ctx, w, e, repo, 0, imported != nil); err != nil {
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
		x.alarm(w.Slug(), err)
		return err
	}
	return nil
}

// fingerprint changes when somebody else changes a repository's packs.
func fingerprint(dir string) (string, error) {
	files, err := os.ReadDir(filepath.Join(dir, "objects", "pack"))
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&all, f.Name(), info.Size(), info.ModTime().UnixNano())
	}
	return all.String(), nil
}

// repackAfter is how many exported commits, or packs, make a repack due.
const repackAfter = 100

// askRepack has a repository with so many commits repacked, if that is due, some
// time soon: also one without bitmaps, which another process left behind.
func (x *Exporter) askRepack(slug string, e *export, commits int64) {
	bare := !e.packed && commits >= repackAfter && !strings.Contains(e.print, ".bitmap ")
	if e.repack || !bare && e.since < repackAfter && strings.Count(e.print, ".pack ") < repackAfter {
		return
	}
	select {
	case x.repacks <- slug:
		e.repack = true
	default: // the next save asks again
	}
}

func (x *Exporter) repackAsked(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case slug := <-x.repacks:
			began := time.Now()
			if err := x.Repack(ctx, slug); err != nil && ctx.Err() == nil {
				x.stats.failures.Add(1)
				x.o.Log.Warn("repack", "wiki", slug, "after", time.Since(began), "err", err)
			}
		}
	}
}

// Repack joins a repository's packs beside those who read it and those who save,
// and puts the result in place.
func (x *Exporter) Repack(ctx context.Context, slug string) error {
	if err := x.repacking.Acquire(ctx, 1); err != nil {
		return err
	}
	defer x.repacking.Release(1)
	e := x.of(slug)
	name := newRepoName()
	defer e.claim(name)()
	from, had, before, err := x.branchOff(ctx, slug, e, name)
	if err == nil {
		to := x.o.Git.Open(x.path(slug, name))
		all := !strings.Contains(strings.Join(had, " "), ".bitmap")
		if err = to.Repack(ctx, all); err == nil {
			err = to.Verify(ctx)
		}
		if err == nil {
			err = x.replace(ctx, slug, e, from, to, had, before)
		}
	}
	if err != nil {
		x.discard(slug, name)
		return fmt.Errorf("pages: repack %s: %w", slug, err)
	}
	x.stats.repacks.Add(1)
	return nil
}

// branchOff makes a second directory of the same packs.
func (x *Exporter) branchOff(ctx context.Context, slug string, e *export, name string) (from *gitrepo.Repo, had []string, before string, err error) {
	if err := e.lock(ctx); err != nil {
		return nil, nil, "", err
	}
	defer e.unlock()
	e.repack, e.packed = false, true
	if before = x.current(slug); before == "" || e.at == "" {
		return nil, nil, "", errNew
	}
	e.since = 0
	from = x.o.Git.Open(x.path(slug, before))
	if had, err = from.PackFiles(); err != nil {
		return nil, nil, "", err
	}
	_, err = from.LinkTo(x.path(slug, name))
	return from, had, before, err
}

// replace takes over what was saved meanwhile, and puts the repacked directory
// in place. Where another one was made meanwhile, that stays.
func (x *Exporter) replace(ctx context.Context, slug string, e *export, from, to *gitrepo.Repo, had []string, before string) error {
	if err := e.lock(ctx); err != nil {
		return err
	}
	defer e.unlock()
	if x.current(slug) != before || e.at == "" {
		return errNew
	}
	if err := from.Follow(to, had); err != nil {
		return err
	}
	if err := x.swap(slug, e, to.Name()); err != nil {
		return err
	}
	var err error
	e.print, err = fingerprint(x.path(slug, to.Name()))
	return err
}
