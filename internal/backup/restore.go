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

// stageName is the directory inside a data directory in which Restore prepares the
// data.
const stageName = ".restoring"

// completeName is a file in the stage: everything else there is on disk, and parts
// that are missing have already moved. It holds the name of the snapshot.
const completeName = "complete"

// restoredParts are what a restore makes, in the order in which it moves them into
// place. A directory without robot.db isn't a data directory yet.
var restoredParts = []string{"keys", "wikis", "robot.db"}

// Restore restores a snapshot into a data directory; an empty name means the
// newest. The directory must not contain a service's data. Files move into place
// at the end. A restore that was killed can be repeated, at any moment: one that
// had begun to move files is finished, with the snapshot it began with. The service
// rebuilds missing indexes and git exports.
func (r *Repository) Restore(ctx context.Context, name, data string, identities []age.Identity) (Snapshot, error) {
	begun, err := Unfinished(data)
	if err != nil {
		return Snapshot{}, fmt.Errorf("backup: restore: %w", err)
	}
	switch {
	case begun != "" && name != "" && name != begun:
		return Snapshot{}, fmt.Errorf("backup: restore: %s contains half of a restore of %s: finish it with --snapshot %s, or pass an empty directory with --data", data, begun, begun)
	case begun != "":
		name = begun
	}
	s, err := r.Snapshot(name)
	if err != nil {
		return s, err
	}
	if begun == "" {
		if err := r.stageRestore(ctx, s, data, identities); err != nil {
			return s, err
		}
	}
	if err := moveIntoPlace(data); err != nil {
		return s, fmt.Errorf("backup: restore: %w", err)
	}
	return s, nil
}

// Unfinished returns the name of the snapshot whose restore to a data directory was
// interrupted while files moved into place; "" if there was none.
func Unfinished(data string) (snapshot string, err error) {
	text, err := os.ReadFile(filepath.Join(data, stageName, completeName))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}

// CheckRestored fails if a restore to a data directory was interrupted while files
// moved into place. It removes the stage of a restore that was killed after that.
func CheckRestored(data string) error {
	begun, err := Unfinished(data)
	if err != nil || begun == "" {
		return err
	}
	if !fileExists(filepath.Join(data, "robot.db")) {
		return fmt.Errorf("backup: %s contains half of a restore of %s: run robot restore again to finish it", data, begun)
	}
	_ = os.RemoveAll(filepath.Join(data, stageName)) // the data is complete
	return nil
}

// stageRestore prepares everything in the stage.
func (r *Repository) stageRestore(ctx context.Context, s Snapshot, data string, identities []age.Identity) error {
	for _, part := range restoredParts {
		if fileExists(filepath.Join(data, part)) {
			return fmt.Errorf("backup: restore: %s already contains data (%s): pass an empty directory with --data, or move the data away", data, part)
		}
	}
	stage := filepath.Join(data, stageName)
	if err := os.RemoveAll(stage); err != nil {
		return fmt.Errorf("backup: restore: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(stage, "wikis"), 0o700); err != nil {
		return fmt.Errorf("backup: restore: %w", err)
	}
	err := r.restoreInto(ctx, s, stage, identities)
	if err == nil {
		err = durable.SyncDir(data)
	}
	if err == nil {
		err = durable.WriteFile(filepath.Join(stage, completeName), []byte(s.Name()))
	}
	if err != nil {
		return fmt.Errorf("backup: restore %s: %w", s.Name(), err)
	}
	return nil
}

// moveIntoPlace moves the parts that are still in the stage, then removes the
// stage.
func moveIntoPlace(data string) error {
	stage := filepath.Join(data, stageName)
	for _, part := range restoredParts {
		from, to := filepath.Join(stage, part), filepath.Join(data, part)
		switch {
		case !fileExists(from): // moved by a restore that was killed
			continue
		case fileExists(to):
			return fmt.Errorf("%s appeared while it was being restored: move it away, then run this again", to)
		}
		if err := durable.Rename(from, to); err != nil {
			return err
		}
	}
	return errors.Join(os.RemoveAll(stage), durable.SyncDir(data))
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
