package export

import (
	"context"
	"fmt"
	"strings"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/gitrepo"
)

// repackAfter is the number of exported commits, or of packs, that makes a
// repack due.
const repackAfter = 100

// queueRepack queues a repack of a repository with so many commits, if one is
// due. It is also due for a large repository without bitmaps, which another
// process left behind.
func (m *Mirror) queueRepack(slug string, r *repository, commits int64) {
	lacksBitmap := !r.repacked && commits >= repackAfter && !strings.Contains(r.fingerprint, ".bitmap ")
	if r.repackQueued || !lacksBitmap && r.unpacked < repackAfter && strings.Count(r.fingerprint, ".pack ") < repackAfter {
		return
	}
	select {
	case m.repacks <- slug:
		r.repackQueued = true
	default: // the queue is full; the next export tries again
	}
}

func (m *Mirror) repackQueued(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case slug := <-m.repacks:
			began := time.Now()
			if err := m.Repack(ctx, slug); err != nil && ctx.Err() == nil {
				m.stats.failures.Add(1)
				m.o.Log.Warn("repack failed", "wiki", slug, "after", time.Since(began), "err", err)
			}
		}
	}
}

// Repack joins a repository's packs in a new directory, while others read and
// save, and makes that the current one. One repack runs at a time.
func (m *Mirror) Repack(ctx context.Context, slug string) error {
	if err := m.repackSlot.Acquire(ctx, 1); err != nil {
		return err
	}
	defer m.repackSlot.Release(1)
	r := m.repository(slug)
	name := newRepoName()
	defer r.claim(name)()
	err := m.o.Background.Try(background.Job{Work: "repack", Wiki: slug, Item: m.current(slug)}, func() error {
		return m.repackInto(ctx, slug, r, name)
	})
	if err != nil {
		m.discard(slug, name)
		return fmt.Errorf("export: repack %s: %w", slug, err)
	}
	m.stats.repacks.Add(1)
	return nil
}

// repackInto does the work of Repack in a directory of that name.
func (m *Mirror) repackInto(ctx context.Context, slug string, r *repository, name string) error {
	from, packs, err := m.branchOff(ctx, slug, r, name)
	if err != nil {
		return err
	}
	to := m.o.Git.Open(m.path(slug, name))
	all := !strings.Contains(strings.Join(packs, " "), ".bitmap")
	if err := to.Repack(ctx, all); err != nil {
		return err
	}
	if err := to.Verify(ctx); err != nil {
		return err
	}
	return m.replace(ctx, slug, r, from, to, packs)
}

// branchOff links the current repository's packs into a second directory. It
// returns the current repository and its pack files.
func (m *Mirror) branchOff(ctx context.Context, slug string, r *repository, name string) (from *gitrepo.Repo, packs []string, err error) {
	if err := r.lock(ctx); err != nil {
		return nil, nil, err
	}
	defer r.unlock()
	r.repackQueued, r.repacked = false, true
	current := m.current(slug)
	if current == "" || r.head == "" {
		return nil, nil, errRebuild
	}
	r.unpacked = 0
	from = m.o.Git.Open(m.path(slug, current))
	if packs, err = from.PackFiles(); err != nil {
		return nil, nil, err
	}
	_, err = from.LinkTo(m.path(slug, name))
	return from, packs, err
}

// replace copies packs exported during the repack and makes the repacked
// directory the current one. It fails if the repository was rebuilt meanwhile.
func (m *Mirror) replace(ctx context.Context, slug string, r *repository, from, to *gitrepo.Repo, packs []string) error {
	if err := r.lock(ctx); err != nil {
		return err
	}
	defer r.unlock()
	if m.current(slug) != from.Name() || r.head == "" {
		return errRebuild
	}
	if err := from.UpdateLinked(to, packs); err != nil {
		return err
	}
	if err := m.switchTo(slug, r, to.Name()); err != nil {
		return err
	}
	var err error
	r.fingerprint, err = fingerprint(m.path(slug, to.Name()))
	return err
}
