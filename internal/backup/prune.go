package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"robot.wtf/internal/durable"
	"robot.wtf/internal/shipping"
)

// Retention: the newest backup of each hour for 2 days, the newest of each day for
// 35 days, and always the newest of all. Deleted data is therefore gone from the
// backups after 35 days, as the privacy page promises, unless the operator keeps a
// snapshot for longer.
const (
	keepHourly = 48 * time.Hour
	keepDaily  = 35 * 24 * time.Hour
)

// keptDir has the marks of kept snapshots.
const keptDir = "kept"

// selectSnapshots reports which of the snapshots, given oldest first, are kept.
func selectSnapshots(times []time.Time, now time.Time) []bool {
	keep := make([]bool, len(times))
	seen := map[string]bool{}
	for i := len(times) - 1; i >= 0; i-- {
		t := times[i].UTC()
		slot := ""
		switch age := now.Sub(t); {
		case age < keepHourly:
			slot = t.Format("2006-01-02T15")
		case age < keepDaily:
			slot = t.Format("2006-01-02")
		}
		keep[i] = i == len(times)-1 || slot != "" && !seen[slot]
		seen[slot] = true
	}
	return keep
}

// Prune deletes expired snapshots, then the objects that no remaining snapshot
// uses, and returns the number of snapshots deleted. It deletes no objects if any
// remaining snapshot can't be read. It also deletes the shipped log from before the
// oldest snapshot of the last two days, and damaged objects after 35 days.
func (r *Repository) Prune() (int, error) {
	names, err := r.Snapshots()
	if err != nil {
		return 0, err
	}
	var times []time.Time
	for _, name := range names {
		t, err := time.Parse(snapshotNameLayout, name)
		if err != nil {
			return 0, fmt.Errorf("backup: prune: snapshots/%s.json is not named like a backup", name)
		}
		times = append(times, t)
	}
	kept, err := r.Kept()
	if err != nil {
		return 0, err
	}
	removed := 0
	used := map[string]bool{}
	for i, keep := range selectSnapshots(times, r.now()) {
		if keep || slices.Contains(kept, names[i]) {
			if err := r.markUsedObjects(names[i], used); err != nil {
				return removed, fmt.Errorf("backup: prune: stopped: %w", err)
			}
			continue
		}
		if err := os.Remove(r.path("snapshots", names[i]+".json")); err != nil {
			return removed, fmt.Errorf("backup: prune: %w", err)
		}
		removed++
	}
	if err := errors.Join(r.pruneLog(names, times), r.pruneDamaged()); err != nil {
		return removed, fmt.Errorf("backup: prune: %w", err)
	}
	if removed == 0 {
		return 0, nil
	}
	if err := durable.SyncDir(r.path("snapshots")); err != nil {
		return removed, fmt.Errorf("backup: prune: %w", err)
	}
	return removed, r.removeUnusedObjects(used)
}

// pruneLog deletes the part of the shipped log that only snapshots of more than two
// days ago would need.
func (r *Repository) pruneLog(names []string, times []time.Time) error {
	for i, t := range times {
		if r.now().Sub(t) >= keepHourly && i < len(times)-1 {
			continue
		}
		if !fileExists(r.path("snapshots", names[i]+".json")) { // just removed
			continue
		}
		s, err := r.readSnapshot(names[i])
		if err == nil {
			_, err = shipping.LogIn(r.dir).Prune(s.Log)
		}
		return err
	}
	return nil
}

// pruneDamaged deletes quarantined objects that no snapshot of the last 35 days could
// have stored.
func (r *Repository) pruneDamaged() error {
	list, err := os.ReadDir(r.path("damaged"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range list {
		info, err := e.Info()
		if err == nil && r.now().Sub(info.ModTime()) > keepDaily {
			err = os.Remove(r.path("damaged", e.Name()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// markUsedObjects adds the ids of all objects that a snapshot uses to used.
func (r *Repository) markUsedObjects(name string, used map[string]bool) error {
	s, err := r.readSnapshot(name)
	if err != nil {
		return err
	}
	markChunks := func(d storedDatabase) {
		for _, id := range d.Chunks {
			used[id] = true
		}
	}
	markChunks(s.Platform)
	for _, k := range s.Keys {
		used[k.ID] = true
	}
	for slug, id := range s.Wikis {
		if used[id] {
			continue // a record shared with another snapshot, already followed
		}
		rec, err := r.readRecord(id)
		if err != nil {
			return fmt.Errorf("snapshot %s: wiki %s: %w", name, slug, err)
		}
		used[id] = true
		markChunks(rec.Content)
		if rec.Index != nil {
			markChunks(*rec.Index)
		}
	}
	return nil
}

// removeUnusedObjects deletes all objects that are not in used.
func (r *Repository) removeUnusedObjects(used map[string]bool) error {
	dirs, err := os.ReadDir(r.path("objects"))
	if err != nil {
		return fmt.Errorf("backup: prune: %w", err)
	}
	var errs []error
	for _, dir := range dirs {
		objects, err := os.ReadDir(r.path("objects", dir.Name()))
		errs = append(errs, err)
		for _, o := range objects {
			if !used[o.Name()] {
				errs = append(errs, os.Remove(r.path("objects", dir.Name(), o.Name())))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("backup: prune: %w", err)
	}
	return nil
}

// Keep keeps a snapshot from being pruned, until Release.
func (r *Repository) Keep(name string) error {
	if _, err := r.Snapshot(name); err != nil {
		return err
	}
	err := os.MkdirAll(r.path(keptDir), 0o700)
	if err == nil {
		err = durable.WriteFile(r.path(keptDir, name), nil)
	}
	if err == nil {
		err = durable.SyncDir(r.dir)
	}
	if err != nil {
		return fmt.Errorf("backup: keep: %w", err)
	}
	return nil
}

// Release lets a kept snapshot be pruned with the others.
func (r *Repository) Release(name string) error {
	kept, err := r.Kept()
	if err != nil {
		return err
	}
	if !slices.Contains(kept, name) {
		return fmt.Errorf("backup: %q isn't kept", name)
	}
	if err := os.Remove(r.path(keptDir, name)); err != nil {
		return fmt.Errorf("backup: release: %w", err)
	}
	return durable.SyncDir(r.path(keptDir))
}

// Kept returns the names of the snapshots that aren't pruned, oldest first.
func (r *Repository) Kept() ([]string, error) {
	entries, err := os.ReadDir(r.path(keptDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("backup: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if _, err := time.Parse(snapshotNameLayout, entry.Name()); err == nil {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}
