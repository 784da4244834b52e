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
	"robot.wtf/internal/shipping"
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

// Restore restores a data directory as of a moment. The directory must not contain a service's data. Files move into place
// at the end. A restore that was killed can be repeated, at any moment: one that
// had begun to move files is finished, with the snapshot it began with. The service
// rebuilds missing indexes and git exports.
func (r *Repository) Restore(ctx context.Context, m Moment, data string, identities []age.Identity) (Restored, error) {
	begun, err := Unfinished(data)
	if err != nil {
		return Restored{}, fmt.Errorf("backup: restore: %w", err)
	}
	switch {
	case begun != "" && m.Snapshot != "" && m.Snapshot != begun:
		return Restored{}, fmt.Errorf("backup: restore: %s contains half of a restore of %s: finish it with --snapshot %s, or pass an empty directory with --data", data, begun, begun)
	case begun != "":
		m = Moment{Snapshot: begun}
	}
	s, err := r.snapshotFor(m)
	d := Restored{Snapshot: s, Count: len(s.Wikis)}
	if err != nil {
		return d, err
	}
	if begun == "" {
		if err := r.stageRestore(ctx, &d, m, data, identities); err != nil {
			return d, err
		}
	}
	if err := moveIntoPlace(data); err != nil {
		return d, fmt.Errorf("backup: restore: %w", err)
	}
	return d, nil
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
func (r *Repository) stageRestore(ctx context.Context, d *Restored, m Moment, data string, identities []age.Identity) error {
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
	err := r.restoreInto(ctx, d.Snapshot, stage, identities)
	if err == nil && m.Snapshot == "" {
		err = r.replayLog(ctx, d, m, stage, identities)
	}
	if err == nil {
		err = durable.SyncDir(data)
	}
	if err == nil {
		err = durable.WriteFile(filepath.Join(stage, completeName), []byte(d.Name()))
	}
	if err != nil {
		return fmt.Errorf("backup: restore %s: %w", d.Name(), err)
	}
	return nil
}

// replayLog applies the log that was shipped after the snapshot to the stage.
func (r *Repository) replayLog(ctx context.Context, d *Restored, m Moment, stage string, identities []age.Identity) error {
	l, err := r.openLog(d.Snapshot, m, stage, identities)
	if err != nil {
		return err
	}
	return errors.Join(d.applyLog(ctx, l, stage), l.Close())
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
	Behind   []string // why it isn't newer, if something shipped couldn't be applied
}

// RestoreWiki restores one wiki's content as of a moment to wiki.db in dir, with the
// platform database, which holds the wiki's row and members, as robot.db beside it. It
// fails if the content differs from the facts recorded when it was copied. The newest
// moment is that of the newest snapshot that contains the wiki, or of the shipped log.
func (r *Repository) RestoreWiki(ctx context.Context, m Moment, slug, dir string, identities []age.Identity) (WikiCopy, error) {
	s, err := r.snapshotWithWiki(m, slug)
	if err != nil {
		return WikiCopy{}, err
	}
	c := WikiCopy{Snapshot: s.Name(), Taken: s.Time}
	if since, stale := s.Stale[slug]; stale {
		c.Taken = since
	}
	err = r.restoreWikiFiles(ctx, s, slug, dir, &c)
	if err == nil && m.Snapshot == "" {
		err = r.replayWiki(ctx, s, m, slug, dir, identities, &c)
	}
	if err == nil && !fileExists(filepath.Join(dir, "wiki.db")) {
		err = errors.New("neither a backup nor the shipped log contains it")
	}
	if err != nil {
		return c, fmt.Errorf("backup: restore wiki %s from %s: %w", slug, s.Name(), err)
	}
	return c, nil
}

// restoreWikiFiles restores what a snapshot has of a wiki.
func (r *Repository) restoreWikiFiles(ctx context.Context, s Snapshot, slug, dir string, c *WikiCopy) error {
	if s.Wikis[slug] != "" {
		rec, err := r.readRecord(s.Wikis[slug])
		if err != nil {
			return err
		}
		file := filepath.Join(dir, "wiki.db")
		if err := r.writeFile(rec.Content.storedFile, file); err != nil {
			return err
		}
		if c.Facts, err = rec.checkContent(ctx, file, slug); err != nil {
			return err
		}
	}
	return r.writeFile(s.Platform.storedFile, filepath.Join(dir, "robot.db"))
}

// replayWiki applies the log that was shipped after the snapshot to a wiki. The platform
// database is that of the snapshot, unless the wiki is newer: the wiki may have been
// deleted since.
func (r *Repository) replayWiki(ctx context.Context, s Snapshot, m Moment, slug, dir string, identities []age.Identity, c *WikiCopy) error {
	l, err := r.openLog(s, m, dir, identities)
	if err != nil {
		return err
	}
	defer l.Close()
	d := Restored{Snapshot: s}
	file := filepath.Join(dir, "wiki.db")
	done, err := d.apply(l, shipping.WikiName(slug), file)
	if err == nil && done.Records > 0 {
		c.Taken = done.Time
		c.Facts, err = content.CheckFile(ctx, file, slug)
	}
	if err == nil && s.Wikis[slug] == "" {
		_, err = d.apply(l, shipping.PlatformName, filepath.Join(dir, "robot.db"))
	}
	c.Behind = d.Behind
	return err
}

// snapshotWithWiki returns the snapshot to restore a wiki from: that of the moment, or
// for the newest moment the newest that contains the wiki. If none does, the shipped
// log may.
func (r *Repository) snapshotWithWiki(m Moment, slug string) (Snapshot, error) {
	s, err := r.snapshotFor(m)
	if err != nil || s.Wikis[slug] != "" {
		return s, err
	}
	if m.Snapshot != "" {
		return Snapshot{}, fmt.Errorf("backup: snapshot %s does not contain wiki %q", s.Name(), slug)
	}
	names, err := r.Snapshots()
	if err != nil {
		return s, err
	}
	for _, name := range slices.Backward(names) {
		if !m.At.IsZero() {
			break
		}
		if older, err := r.readSnapshot(name); err != nil || older.Wikis[slug] != "" {
			return older, err
		}
	}
	if newest, err := shipping.LogIn(r.dir).Newest(); err != nil || newest <= s.Log {
		return s, errors.Join(err, fmt.Errorf("backup: no backup in %s contains wiki %q", r.dir, slug))
	}
	return s, nil
}
