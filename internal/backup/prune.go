package backup

import (
	"errors"
	"fmt"
	"os"
	"time"

	"robot.wtf/internal/durable"
)

// The rule: of the last two days every backup that is the newest of its hour, of
// the last 35 the newest of its day, and always the newest of all. What people
// delete is gone from the backups after 35 days, as the privacy page says.
const (
	hourly = 48 * time.Hour
	daily  = 35 * 24 * time.Hour
)

// keepers chooses of snapshots, oldest first, those that the rule keeps.
func keepers(times []time.Time, now time.Time) []bool {
	keep := make([]bool, len(times))
	seen := map[string]bool{}
	for i := len(times) - 1; i >= 0; i-- {
		t := times[i].UTC()
		slot := ""
		switch age := now.Sub(t); {
		case age < hourly:
			slot = t.Format("2006-01-02T15")
		case age < daily:
			slot = t.Format("2006-01-02")
		}
		keep[i] = i == len(times)-1 || slot != "" && !seen[slot]
		seen[slot] = true
	}
	return keep
}

// Prune removes the snapshots that the rule does not keep, then the objects that
// none of the others names, and tells how many snapshots went. It removes no
// object while any snapshot cannot be read.
func (r *Repository) Prune() (int, error) {
	names, err := r.Snapshots()
	if err != nil {
		return 0, err
	}
	var times []time.Time
	for _, name := range names {
		t, err := time.Parse(nameLayout, name)
		if err != nil {
			return 0, fmt.Errorf("backup: prune: snapshots/%s.json is none of ours", name)
		}
		times = append(times, t)
	}
	gone := 0
	used := map[string]bool{}
	for i, keep := range keepers(times, r.now()) {
		if keep {
			if err := r.mark(names[i], used); err != nil {
				return gone, fmt.Errorf("backup: prune: nothing more is removed: %w", err)
			}
			continue
		}
		if err := os.Remove(r.path("snapshots", names[i]+".json")); err != nil {
			return gone, fmt.Errorf("backup: prune: %w", err)
		}
		gone++
	}
	if gone == 0 {
		return 0, nil
	}
	if err := durable.SyncDir(r.path("snapshots")); err != nil {
		return gone, fmt.Errorf("backup: prune: %w", err)
	}
	return gone, r.sweep(used)
}

// mark notes all objects that a snapshot needs.
func (r *Repository) mark(name string, used map[string]bool) error {
	s, err := r.read(name)
	if err != nil {
		return err
	}
	note := func(d database) {
		for _, id := range d.Pieces {
			used[id] = true
		}
	}
	note(s.Platform)
	for _, k := range s.Keys {
		used[k.ID] = true
	}
	for slug, id := range s.Wikis {
		if used[id] {
			continue // the same record, with the same pieces
		}
		rec, err := r.record(id)
		if err != nil {
			return fmt.Errorf("wiki %s of %s: %w", slug, name, err)
		}
		used[id] = true
		note(rec.Content)
		if rec.Index != nil {
			note(*rec.Index)
		}
	}
	return nil
}

// sweep removes the objects that are not used.
func (r *Repository) sweep(used map[string]bool) error {
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
