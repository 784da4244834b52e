package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"

	"robot.wtf/internal/content"
	"robot.wtf/internal/durable"
	"robot.wtf/internal/shipping"
	"robot.wtf/internal/store"
)

// A Moment names the state to restore. The zero Moment is the newest: the newest
// snapshot and the log that was shipped after it.
type Moment struct {
	Snapshot string    // the snapshot as it was taken
	At       time.Time // the shipped log up to this time
}

// snapshotFor reads the snapshot to begin with.
func (r *Repository) snapshotFor(m Moment) (Snapshot, error) {
	if m.At.IsZero() {
		return r.Snapshot(m.Snapshot)
	}
	names, err := r.Snapshots()
	if err != nil {
		return Snapshot{}, err
	}
	for _, name := range slices.Backward(names) {
		s, err := r.readSnapshot(name)
		if err != nil || !s.finished().After(m.At) {
			return s, err
		}
	}
	return Snapshot{}, fmt.Errorf("backup: no backup in %s is from before %s", r.dir, m.At.Format(time.RFC3339))
}

// finished returns when everything was copied.
func (s Snapshot) finished() time.Time {
	if s.Copied.IsZero() { // taken by an older program
		return s.Time
	}
	return s.Copied
}

// openLog opens the log that was shipped after a snapshot up to a moment.
func (r *Repository) openLog(s Snapshot, m Moment, scratch string, identities []age.Identity) (*shipping.Log, error) {
	return shipping.LogIn(r.dir).OpenLog(s.Log, m.At, scratch, identities)
}

// A Restored describes a restored data directory.
type Restored struct {
	Snapshot
	Count int       // of wikis
	Until time.Time // of the newest shipped object that was applied; zero if there is none
	// Behind names databases whose shipped changes couldn't all be applied, and why.
	Behind []string
}

// applyLog applies the shipped log to a restored directory. The wikis are then those
// of the platform database at that time.
func (d *Restored) applyLog(ctx context.Context, l *shipping.Log, dir string) error {
	d.Until = l.Until
	for _, damaged := range l.Damaged {
		d.Behind = append(d.Behind, damaged.Error())
	}
	platform := filepath.Join(dir, "robot.db")
	if _, err := d.apply(l, shipping.PlatformName, platform); err != nil {
		return err
	}
	slugs, err := store.SlugsIn(ctx, platform)
	if err != nil {
		return err
	}
	for _, slug := range slugs {
		if err := d.applyToWiki(ctx, l, slug, filepath.Join(dir, "wikis", slug)); err != nil {
			return err
		}
	}
	d.Count = len(slugs)
	for slug := range d.Wikis {
		if !slices.Contains(slugs, slug) { // deleted since
			if err := os.RemoveAll(filepath.Join(dir, "wikis", slug)); err != nil {
				return err
			}
		}
	}
	return durable.SyncDir(filepath.Join(dir, "wikis"))
}

// applyToWiki applies the shipped log to a wiki, and checks the result.
func (d *Restored) applyToWiki(ctx context.Context, l *shipping.Log, slug, dir string) error {
	name := shipping.WikiName(slug)
	if !l.Has(name) || ctx.Err() != nil {
		return ctx.Err()
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	done, err := d.apply(l, name, filepath.Join(dir, "wiki.db"))
	if err != nil || done.Records == 0 {
		return err
	}
	if done.Base { // the index may be that of another database
		if err := os.RemoveAll(filepath.Join(dir, "index.db")); err != nil {
			return err
		}
	}
	if _, err := content.CheckFile(ctx, filepath.Join(dir, "wiki.db"), slug); err != nil {
		return err
	}
	return durable.SyncDir(dir)
}

// apply applies the shipped log to a database. A log that ends early is noted.
func (d *Restored) apply(l *shipping.Log, name, file string) (shipping.Applied, error) {
	done, err := l.Apply(name, file, d.finished())
	if !errors.Is(err, shipping.ErrBroken) {
		return done, err
	}
	as := done.Time
	if done.Records == 0 {
		as = d.Time
	}
	d.Behind = append(d.Behind, fmt.Sprintf("%v: %s is as of %s", err, name, as.Format(time.RFC3339)))
	return done, nil
}

// checkLog applies the log that was shipped after the newest snapshot, and checks the
// results.
// Without an identity, an encrypted log is left out.
func (v *verifyRun) checkLog(ctx context.Context, s Snapshot, identities []age.Identity) {
	l, err := v.repo.openLog(s, Moment{}, v.dir, identities)
	if errors.Is(err, shipping.ErrEncrypted) && len(identities) == 0 {
		v.report.LogSkipped = true
		return
	}
	if err != nil {
		v.addFailure("log", err)
		return
	}
	defer l.Close()
	for _, damaged := range l.Damaged {
		v.addFailure("log", damaged)
	}
	for _, name := range l.Databases() {
		v.addFailure("log", v.checkShipped(ctx, s, l, name))
	}
}

// checkShipped applies the shipped log to the copy of one database.
func (v *verifyRun) checkShipped(ctx context.Context, s Snapshot, l *shipping.Log, name string) error {
	file := filepath.Join(v.dir, "shipped.db")
	defer os.Remove(file)
	stored := s.Platform
	slug := shipping.Slug(name)
	if slug != "" {
		stored = storedDatabase{}
		if id := s.Wikis[slug]; id != "" {
			rec, err := v.repo.readRecord(id)
			if err != nil {
				return err
			}
			stored = rec.Content
		}
	}
	if len(stored.Chunks) > 0 {
		if err := v.repo.writeFile(stored.storedFile, file); err != nil {
			return err
		}
	}
	done, err := l.Apply(name, file, s.finished())
	if err != nil || done.Records == 0 {
		return err
	}
	v.report.Shipped++
	if slug == "" {
		_, err = countRows(ctx, file)
		return err
	}
	_, err = content.CheckFile(ctx, file, slug)
	return err
}
