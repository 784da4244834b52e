package backup

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"

	"robot.wtf/internal/background"
	"robot.wtf/internal/content"
	"robot.wtf/internal/durable"
	"robot.wtf/internal/shipping"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/store"
)

// A Report summarizes a backup.
type Report struct {
	Name      string // of the snapshot
	Wikis     int    // wikis in the snapshot
	Copied    int    // wikis that may have changed and were copied
	NewChunks int
	NewBytes  int64 // compressed
	Took      time.Duration
	Sealed    bool // keys are encrypted
	Pruned    int  // expired snapshots that were deleted
}

// Take backs up a data directory, which a service may be using. Keys are encrypted
// for the recipients, if there are any. A wiki that can't be copied keeps its
// previous copy; Take then finishes the backup and returns an error that names
// the wiki. Take also prunes the repository and records its outcome. With keep, the
// snapshot stays until it is released.
func (r *Repository) Take(ctx context.Context, data string, recipients []age.Recipient, keep bool) (Report, error) {
	start := time.Now()
	report, err := r.takeSnapshot(ctx, data, recipients)
	report.Took = time.Since(start)
	if report.Name != "" { // the snapshot is complete
		if keep {
			err = errors.Join(err, r.Keep(report.Name))
		}
		var pruneErr error
		if report.Pruned, pruneErr = r.Prune(); pruneErr != nil {
			err = errors.Join(err, pruneErr)
		}
	}
	return report, errors.Join(err, r.recordAttempt(attemptFile, err))
}

// takeSnapshot stages everything, then commits the objects and the snapshot.
func (r *Repository) takeSnapshot(ctx context.Context, data string, recipients []age.Recipient) (Report, error) {
	staging, err := r.newStagingArea()
	if err != nil {
		return Report{}, fmt.Errorf("backup: %w", err)
	}
	if room, err := r.room(r.dir); err != nil || room == 0 {
		return Report{}, cmp.Or(err, errors.New("backup: the disk is nearly full. Free some space, or delete old backups"))
	}
	scratch, err := os.MkdirTemp(r.dir, ".scratch-")
	if err != nil {
		return Report{}, fmt.Errorf("backup: %w", err)
	}
	defer os.RemoveAll(scratch)
	r.removeOldScratch(scratch)
	b := backupRun{repo: r, staging: staging, dataDir: data, scratch: scratch}
	if b.previous, err = r.readNewestSnapshot(); err != nil {
		r.log.Warn("backup: cannot read the previous backup; copying everything", "err", err)
	}
	s, err := b.copyAll(ctx, recipients)
	if err != nil {
		return Report{}, fmt.Errorf("backup: %w", err)
	}
	text, err := json.Marshal(s)
	if err == nil {
		err = staging.commit()
	}
	if err == nil {
		err = durable.WriteFile(r.path("snapshots", s.Name()+".json"), text)
	}
	if err != nil {
		return Report{}, fmt.Errorf("backup: %w", err)
	}
	return Report{
		Name: s.Name(), Wikis: len(s.Wikis), Copied: b.copied, NewChunks: staging.chunks, NewBytes: staging.bytes, Sealed: len(recipients) > 0,
	}, errors.Join(b.failed...)
}

// readNewestSnapshot returns the newest snapshot, or an empty one if there is none.
func (r *Repository) readNewestSnapshot() (Snapshot, error) {
	names, err := r.Snapshots()
	if err != nil || len(names) == 0 {
		return Snapshot{}, err
	}
	return r.readSnapshot(names[len(names)-1])
}

// removeOldScratch deletes the scratch directories of killed backups. The caller
// holds the lock.
func (r *Repository) removeOldScratch(own string) {
	old, _ := filepath.Glob(r.path(".scratch-*"))
	for _, dir := range old {
		if dir != own {
			os.RemoveAll(dir)
		}
	}
}

// A backupRun is a backup in progress.
type backupRun struct {
	repo     *Repository
	staging  *stagingArea
	dataDir  string
	scratch  string
	previous Snapshot
	copied   int
	failed   []error
}

// copyAll stages the keys, the platform and all wikis.
func (b *backupRun) copyAll(ctx context.Context, recipients []age.Recipient) (Snapshot, error) {
	s := Snapshot{Format: formatVersion, Time: b.repo.now().UTC().Truncate(time.Millisecond), Wikis: map[string]string{}, Stale: map[string]time.Time{}}
	if !s.Time.After(b.previous.Time) { // the clock went back: keep names in order
		s.Time = b.previous.Time.Add(time.Millisecond)
	}
	var err error
	if s.Log, err = shipping.LogIn(b.repo.dir).Newest(); err != nil {
		return s, err
	}
	if s.Keys, err = b.storeKeys(recipients); err != nil {
		return s, err
	}
	// Copy the platform first: every wiki it lists then exists, unless it was
	// purged in between.
	copied := filepath.Join(b.scratch, "robot.db")
	if err := sqlite.Copy(ctx, filepath.Join(b.dataDir, "robot.db"), copied); err != nil {
		return s, fmt.Errorf("robot.db: %w", err)
	}
	slugs, err := store.SlugsIn(ctx, copied)
	if err != nil {
		return s, err
	}
	if s.Platform, err = b.storeDatabase(ctx, copied); err != nil {
		return s, fmt.Errorf("robot.db: %w", err)
	}
	for _, slug := range slugs {
		if err := ctx.Err(); err != nil {
			return s, err
		}
		if err := b.addWiki(ctx, &s, slug); err != nil {
			return s, fmt.Errorf("wiki %s: %w", slug, err)
		}
	}
	s.Copied = b.repo.now().UTC()
	return s, nil
}

// addWiki adds one wiki to the snapshot. It fails only if the whole backup cannot
// continue; other errors are collected in b.failed.
func (b *backupRun) addWiki(ctx context.Context, s *Snapshot, slug string) error {
	dir := filepath.Join(b.dataDir, "wikis", slug)
	previousID, known := b.previous.Wikis[slug]
	var previous wikiRecord
	if known {
		var err error
		previous, err = b.repo.readRecord(previousID)
		known = err == nil && b.repo.hasAllChunks(previous.Content.storedFile) && (previous.Index == nil || b.repo.hasAllChunks(previous.Index.storedFile))
	}
	if known && b.isUnchanged(previous, dir) {
		s.Wikis[slug] = previousID
		return nil
	}
	rec, err := b.tryCopyWiki(ctx, dir, slug)
	if err != nil {
		if ctx.Err() != nil || sqlite.Full(err) {
			return err
		}
		if !fileExists(dir) && !b.platformListsWiki(ctx, slug) {
			return nil // purged after the platform was copied
		}
		b.failed = append(b.failed, fmt.Errorf("backup: copy wiki %s: %w", slug, err))
		if s.Stale[slug] = b.previous.Stale[slug]; known {
			s.Wikis[slug] = previousID
			if s.Stale[slug].IsZero() {
				s.Stale[slug] = b.previous.Time
			}
		}
		return nil
	}
	b.copied++
	text, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	s.Wikis[slug], err = b.staging.putObject(text)
	return err
}

// isUnchanged reports whether a wiki's files are as they were when rec was made.
func (b *backupRun) isUnchanged(rec wikiRecord, dir string) bool {
	if rec.Content.From == "" || rec.Content.From != b.databaseState(dir, "wiki.db") {
		return false
	}
	if rec.Index == nil {
		return !fileExists(filepath.Join(dir, "index.db"))
	}
	return rec.Index.From == b.databaseState(dir, "index.db")
}

// platformListsWiki reports whether the live platform database still lists a wiki.
// If it does, missing files mean data loss, and the wiki keeps its previous copy.
func (b *backupRun) platformListsWiki(ctx context.Context, slug string) bool {
	copied := filepath.Join(b.scratch, "recheck.db")
	defer os.Remove(copied)
	err := sqlite.Copy(ctx, filepath.Join(b.dataDir, "robot.db"), copied)
	if err != nil {
		return true
	}
	slugs, err := store.SlugsIn(ctx, copied)
	return err != nil || slices.Contains(slugs, slug)
}

// tryCopyWiki is copyWiki; a panic costs only this wiki its new copy.
func (b *backupRun) tryCopyWiki(ctx context.Context, dir, slug string) (rec wikiRecord, err error) {
	err = b.repo.background.Try(background.Job{Work: "backup", Wiki: slug}, func() (err error) {
		rec, err = b.copyWiki(ctx, dir, slug)
		return err
	})
	return rec, err
}

// copyWiki stages a wiki's databases. It copies the index before the content: an
// index that lags catches up after a restore, one that is ahead is useless.
func (b *backupRun) copyWiki(ctx context.Context, dir, slug string) (wikiRecord, error) {
	var rec wikiRecord
	if fileExists(filepath.Join(dir, "index.db")) {
		from := b.databaseState(dir, "index.db")
		index, err := b.copyDatabase(ctx, dir, "index.db")
		if err == nil {
			index.From = from
			rec.Index = &index
		} else if sqlite.Full(err) {
			return rec, err
		} else {
			b.repo.log.Warn("backup: cannot copy index; the service rebuilds it after a restore", "wiki", slug, "err", err)
		}
	}
	from := b.databaseState(dir, "wiki.db")
	copied := filepath.Join(b.scratch, "wiki.db")
	defer os.Remove(copied)
	if err := sqlite.Copy(ctx, filepath.Join(dir, "wiki.db"), copied); err != nil {
		return rec, err
	}
	var err error
	// Don't replace a good copy with a damaged one.
	if rec.Facts, err = content.CheckFile(ctx, copied, slug); err != nil {
		return rec, err
	}
	if rec.Content, err = b.storeDatabase(ctx, copied); err != nil {
		return rec, err
	}
	rec.Content.From = from
	return rec, nil
}

// copyDatabase copies a live database and stages the copy.
func (b *backupRun) copyDatabase(ctx context.Context, dir, name string) (storedDatabase, error) {
	copied := filepath.Join(b.scratch, name)
	defer os.Remove(copied)
	if err := sqlite.Copy(ctx, filepath.Join(dir, name), copied); err != nil {
		return storedDatabase{}, err
	}
	return b.storeDatabase(ctx, copied)
}

// storeDatabase stages a copied database and counts its rows.
func (b *backupRun) storeDatabase(ctx context.Context, file string) (storedDatabase, error) {
	rows, err := countRows(ctx, file)
	if err != nil {
		return storedDatabase{}, err
	}
	stored, err := b.staging.putFile(file)
	return storedDatabase{storedFile: stored, Rows: rows}, err
}

// timestampSlack is how long after a write a second write can leave a file's
// modification time unchanged. Resolutions range from milliseconds to, on some
// file systems, seconds.
const timestampSlack = 3 * time.Second

// databaseState returns a fingerprint of a database's files. It returns "" if they
// were modified so recently, or so far in the future, that a further write could
// go unnoticed.
func (b *backupRun) databaseState(dir, name string) string {
	text := ""
	for _, suffix := range []string{"", "-wal"} {
		state, old := fileState(filepath.Join(dir, name+suffix), time.Now().Add(-timestampSlack))
		if !old {
			return ""
		}
		text += state
	}
	return text
}
