package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"

	"robot.wtf/internal/content"
	"robot.wtf/internal/durable"
)

// Restore makes a data directory of a snapshot, the newest with an empty name.
// The directory must hold no service's data; it becomes one in the last step, so
// a restore that was cut short can be done again. Indexes that are missing and
// git exports are built anew by the service.
func (r *Repository) Restore(ctx context.Context, name, data string, identities []age.Identity) (Snapshot, error) {
	s, err := r.Snapshot(name)
	if err != nil {
		return s, err
	}
	for _, there := range []string{"robot.db", "wikis", "keys"} {
		if exists(filepath.Join(data, there)) {
			return s, fmt.Errorf("backup: restore: %s has data already (%s): name an empty directory with --data, or move it away", data, there)
		}
	}
	stage := filepath.Join(data, ".restoring")
	if err := os.RemoveAll(stage); err != nil {
		return s, fmt.Errorf("backup: restore: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(stage, "wikis"), 0o700); err != nil {
		return s, fmt.Errorf("backup: restore: %w", err)
	}
	if err := r.fill(ctx, s, stage, identities); err != nil {
		return s, fmt.Errorf("backup: restore %s: %w", s.Name(), err)
	}
	for _, part := range []string{"keys", "wikis", "robot.db"} {
		if err := durable.Rename(filepath.Join(stage, part), filepath.Join(data, part)); err != nil {
			return s, fmt.Errorf("backup: restore: %w", err)
		}
	}
	if err := errors.Join(os.Remove(stage), durable.SyncDir(data)); err != nil {
		return s, fmt.Errorf("backup: restore: %w", err)
	}
	return s, nil
}

func (r *Repository) fill(ctx context.Context, s Snapshot, dir string, identities []age.Identity) error {
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
		return err
	}
	for _, k := range s.Keys {
		text, err := r.open(k, identities)
		if err != nil {
			return fmt.Errorf("key %s: %w", k.Name, err)
		}
		if err := durable.WriteFile(filepath.Join(dir, "keys", k.Name), text); err != nil {
			return err
		}
	}
	for _, slug := range slices.Sorted(maps.Keys(s.Wikis)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.fillWiki(s, slug, filepath.Join(dir, "wikis", slug)); err != nil {
			return fmt.Errorf("wiki %s: %w", slug, err)
		}
	}
	if err := durable.SyncDir(filepath.Join(dir, "wikis")); err != nil {
		return err
	}
	if err := r.write(s.Platform.stored, filepath.Join(dir, "robot.db")); err != nil {
		return fmt.Errorf("robot.db: %w", err)
	}
	return durable.SyncDir(dir)
}

// fillWiki makes a wiki's directory.
func (r *Repository) fillWiki(s Snapshot, slug, dir string) error {
	rec, err := r.record(s.Wikis[slug])
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := r.write(rec.Content.stored, filepath.Join(dir, "wiki.db")); err != nil {
		return err
	}
	if rec.Index != nil {
		file := filepath.Join(dir, "index.db")
		err := r.write(rec.Index.stored, file)
		if _, broken := errors.AsType[*damage](err); broken { // derived: the wiki comes back without it
			r.log.Warn("backup: an index was left out; it is built anew", "wiki", slug, "err", err)
			err = os.Remove(file)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return durable.SyncDir(dir)
}

// A Copy is one wiki as a snapshot has it.
type Copy struct {
	Snapshot string
	Taken    time.Time     // as of when it is: before the snapshot, if the wiki could not be copied then
	Facts    content.Facts // what it holds
}

// RestoreWiki makes the files wiki.db, one wiki's content, and robot.db, where
// its row and members are found, in dir, and compares the content with what it
// was when it was copied. With an empty name it takes the newest snapshot that
// has the wiki: those after it was lost have it no more.
func (r *Repository) RestoreWiki(ctx context.Context, name, slug, dir string) (Copy, error) {
	s, err := r.snapshotOf(name, slug)
	if err != nil {
		return Copy{}, err
	}
	c := Copy{Snapshot: s.Name(), Taken: s.Time}
	if since, stale := s.Stale[slug]; stale {
		c.Taken = since
	}
	if c.Facts, err = r.copyOf(ctx, s, slug, dir); err != nil {
		return c, fmt.Errorf("backup: restore wiki %s of %s: %w", slug, s.Name(), err)
	}
	return c, nil
}

func (r *Repository) copyOf(ctx context.Context, s Snapshot, slug, dir string) (content.Facts, error) {
	rec, err := r.record(s.Wikis[slug])
	if err != nil {
		return content.Facts{}, err
	}
	file := filepath.Join(dir, "wiki.db")
	if err := r.write(rec.Content.stored, file); err != nil {
		return content.Facts{}, err
	}
	facts, err := rec.check(ctx, file, slug)
	if err != nil {
		return facts, err
	}
	return facts, r.write(s.Platform.stored, filepath.Join(dir, "robot.db"))
}

// snapshotOf is the named snapshot, or the newest, that has a wiki.
func (r *Repository) snapshotOf(name, slug string) (Snapshot, error) {
	names := []string{name}
	if name == "" {
		var err error
		if names, err = r.Snapshots(); err != nil {
			return Snapshot{}, err
		}
		slices.Reverse(names)
	}
	for _, each := range names {
		s, err := r.Snapshot(each)
		if err != nil {
			return s, err
		}
		if s.Wikis[slug] != "" {
			return s, nil
		}
	}
	if name == "" {
		return Snapshot{}, fmt.Errorf("backup: no backup in %s has a wiki %q", r.dir, slug)
	}
	return Snapshot{}, fmt.Errorf("backup: the backup %s has no wiki %q", name, slug)
}
