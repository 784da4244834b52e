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

	"filippo.io/age"
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
		if err := os.Rename(filepath.Join(stage, part), filepath.Join(data, part)); err != nil {
			return s, fmt.Errorf("backup: restore: %w", err)
		}
	}
	if err := errors.Join(os.Remove(stage), syncDir(data)); err != nil {
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
		if err := writeFile(filepath.Join(dir, "keys", k.Name), text); err != nil {
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
	if err := syncDir(filepath.Join(dir, "wikis")); err != nil {
		return err
	}
	if err := r.write(s.Platform.stored, filepath.Join(dir, "robot.db")); err != nil {
		return fmt.Errorf("robot.db: %w", err)
	}
	return syncDir(dir)
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
	return syncDir(dir)
}

// RestoreWiki makes one wiki's directory of a snapshot at dir, which must not
// exist, and a copy of the platform's database beside it at platform, where the
// wiki's row and members are found.
func (r *Repository) RestoreWiki(name, slug, dir, platform string) (Snapshot, error) {
	s, err := r.Snapshot(name)
	if err != nil {
		return s, err
	}
	if s.Wikis[slug] == "" {
		return s, fmt.Errorf("backup: the backup %s has no wiki %q", s.Name(), slug)
	}
	if err := r.fillWiki(s, slug, dir); err != nil {
		return s, fmt.Errorf("backup: restore wiki %s: %w", slug, err)
	}
	if err := r.write(s.Platform.stored, platform); err != nil {
		return s, fmt.Errorf("backup: restore wiki %s: %w", slug, err)
	}
	return s, nil
}
