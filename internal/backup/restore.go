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

// Restore restores a snapshot into a data directory; an empty name means the
// newest. The directory must not contain a service's data. Files move into place
// at the end, so an interrupted restore can be repeated. The service rebuilds
// missing indexes and git exports.
func (r *Repository) Restore(ctx context.Context, name, data string, identities []age.Identity) (Snapshot, error) {
	s, err := r.Snapshot(name)
	if err != nil {
		return s, err
	}
	for _, part := range []string{"robot.db", "wikis", "keys"} {
		if fileExists(filepath.Join(data, part)) {
			return s, fmt.Errorf("backup: restore: %s already contains data (%s): pass an empty directory with --data, or move the data away", data, part)
		}
	}
	stage := filepath.Join(data, ".restoring")
	if err := os.RemoveAll(stage); err != nil {
		return s, fmt.Errorf("backup: restore: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(stage, "wikis"), 0o700); err != nil {
		return s, fmt.Errorf("backup: restore: %w", err)
	}
	if err := r.restoreInto(ctx, s, stage, identities); err != nil {
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

// restoreInto restores keys, wikis and the platform database into dir.
func (r *Repository) restoreInto(ctx context.Context, s Snapshot, dir string, identities []age.Identity) error {
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
		return err
	}
	for _, k := range s.Keys {
		text, err := r.readKey(k, identities)
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
		if err := r.restoreWikiDir(s, slug, filepath.Join(dir, "wikis", slug)); err != nil {
			return fmt.Errorf("wiki %s: %w", slug, err)
		}
	}
	if err := durable.SyncDir(filepath.Join(dir, "wikis")); err != nil {
		return err
	}
	if err := r.writeFile(s.Platform.storedFile, filepath.Join(dir, "robot.db")); err != nil {
		return fmt.Errorf("robot.db: %w", err)
	}
	return durable.SyncDir(dir)
}

// restoreWikiDir restores a wiki's directory. A corrupt index is left out.
func (r *Repository) restoreWikiDir(s Snapshot, slug, dir string) error {
	rec, err := r.readRecord(s.Wikis[slug])
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := r.writeFile(rec.Content.storedFile, filepath.Join(dir, "wiki.db")); err != nil {
		return err
	}
	if rec.Index != nil {
		file := filepath.Join(dir, "index.db")
		err := r.writeFile(rec.Index.storedFile, file)
		if _, corrupt := errors.AsType[*corruptError](err); corrupt { // derived data: the service rebuilds it
			r.log.Warn("backup: index is corrupt and was not restored; the service will rebuild it", "wiki", slug, "err", err)
			err = os.Remove(file)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return durable.SyncDir(dir)
}

// A WikiCopy describes one wiki restored from a snapshot.
type WikiCopy struct {
	Snapshot string
	Taken    time.Time // when the wiki was copied; earlier than the snapshot if copying failed then
	Facts    content.Facts
}

// RestoreWiki restores one wiki's content to wiki.db in dir, with the platform
// database, which holds the wiki's row and members, as robot.db beside it. It
// fails if the content differs from the facts recorded when it was copied. An
// empty name means the newest snapshot that contains the wiki.
func (r *Repository) RestoreWiki(ctx context.Context, name, slug, dir string) (WikiCopy, error) {
	s, err := r.findSnapshotWithWiki(name, slug)
	if err != nil {
		return WikiCopy{}, err
	}
	c := WikiCopy{Snapshot: s.Name(), Taken: s.Time}
	if since, stale := s.Stale[slug]; stale {
		c.Taken = since
	}
	if c.Facts, err = r.restoreWikiFiles(ctx, s, slug, dir); err != nil {
		return c, fmt.Errorf("backup: restore wiki %s from %s: %w", slug, s.Name(), err)
	}
	return c, nil
}

func (r *Repository) restoreWikiFiles(ctx context.Context, s Snapshot, slug, dir string) (content.Facts, error) {
	rec, err := r.readRecord(s.Wikis[slug])
	if err != nil {
		return content.Facts{}, err
	}
	file := filepath.Join(dir, "wiki.db")
	if err := r.writeFile(rec.Content.storedFile, file); err != nil {
		return content.Facts{}, err
	}
	facts, err := rec.checkContent(ctx, file, slug)
	if err != nil {
		return facts, err
	}
	return facts, r.writeFile(s.Platform.storedFile, filepath.Join(dir, "robot.db"))
}

// findSnapshotWithWiki returns the named snapshot, or with an empty name the
// newest one that contains the wiki.
func (r *Repository) findSnapshotWithWiki(name, slug string) (Snapshot, error) {
	names := []string{name}
	if name == "" {
		var err error
		if names, err = r.Snapshots(); err != nil {
			return Snapshot{}, err
		}
		slices.Reverse(names)
	}
	for _, candidate := range names {
		s, err := r.Snapshot(candidate)
		if err != nil {
			return s, err
		}
		if s.Wikis[slug] != "" {
			return s, nil
		}
	}
	if name == "" {
		return Snapshot{}, fmt.Errorf("backup: no backup in %s contains wiki %q", r.dir, slug)
	}
	return Snapshot{}, fmt.Errorf("backup: snapshot %s does not contain wiki %q", name, slug)
}
