package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"

	"robot.wtf/internal/content"
	"robot.wtf/internal/durable"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/store"
)

// A Report is what a backup came to.
type Report struct {
	Name      string        // of the snapshot
	Wikis     int           // that it holds
	Copied    int           // that were read, for they may have changed
	NewPieces int           //
	NewBytes  int64         // compressed
	Took      time.Duration //
	Sealed    bool          // keys are encrypted
	Pruned    int           // snapshots that were removed by the rule
}

// Take backs up a data directory, whether or not a service is using it, to the
// recipients' eyes alone as far as keys are concerned. Wikis that cannot be
// copied keep their last copy; the backup is then finished and an error says
// which they are.
func (r *Repository) Take(ctx context.Context, data string, recipients []age.Recipient) (Report, error) {
	start := time.Now()
	report, err := r.take(ctx, data, recipients)
	report.Took = time.Since(start)
	if report.Name != "" { // what there is is whole
		var perr error
		if report.Pruned, perr = r.Prune(); perr != nil {
			err = errors.Join(err, perr)
		}
	}
	return report, errors.Join(err, r.noteAttempt(err))
}

func (r *Repository) take(ctx context.Context, data string, recipients []age.Recipient) (Report, error) {
	in, err := r.newIntake()
	if err != nil {
		return Report{}, fmt.Errorf("backup: %w", err)
	}
	scratch, err := os.MkdirTemp(r.dir, ".scratch-")
	if err != nil {
		return Report{}, fmt.Errorf("backup: %w", err)
	}
	defer os.RemoveAll(scratch)
	r.sweepScratch(scratch)
	b := backupRun{r: r, in: in, data: data, scratch: scratch}
	if b.before, err = r.latest(); err != nil {
		r.log.Warn("backup: the last backup cannot be read, so all is copied", "err", err)
	}
	s, err := b.snapshot(ctx, recipients)
	if err != nil {
		return Report{}, fmt.Errorf("backup: %w", err)
	}
	text, err := json.Marshal(s)
	if err == nil {
		err = in.finish()
	}
	if err == nil {
		err = durable.WriteFile(r.path("snapshots", s.Name()+".json"), text)
	}
	if err != nil {
		return Report{}, fmt.Errorf("backup: %w", err)
	}
	return Report{
		Name: s.Name(), Wikis: len(s.Wikis), Copied: b.copied, NewPieces: in.pieces, NewBytes: in.bytes, Sealed: len(recipients) > 0,
	}, errors.Join(b.failed...)
}

// latest is the newest snapshot that can be read; an empty one if there is none.
func (r *Repository) latest() (Snapshot, error) {
	names, err := r.Snapshots()
	if err != nil || len(names) == 0 {
		return Snapshot{}, err
	}
	return r.read(names[len(names)-1])
}

// sweepScratch removes what a backup that was killed left; this one owns the
// lock.
func (r *Repository) sweepScratch(own string) {
	old, _ := filepath.Glob(r.path(".scratch-*"))
	for _, dir := range old {
		if dir != own {
			os.RemoveAll(dir)
		}
	}
}

// A backupRun is a backup in progress.
type backupRun struct {
	r       *Repository
	in      *intake
	data    string
	scratch string
	before  Snapshot
	copied  int
	failed  []error
}

func (b *backupRun) snapshot(ctx context.Context, recipients []age.Recipient) (Snapshot, error) {
	s := Snapshot{Format: format, Time: b.r.now().UTC().Truncate(time.Millisecond), Wikis: map[string]string{}, Stale: map[string]time.Time{}}
	if !s.Time.After(b.before.Time) { // the clock went back: names stay in order
		s.Time = b.before.Time.Add(time.Millisecond)
	}
	var err error
	if s.Keys, err = b.keys(recipients); err != nil {
		return s, err
	}
	// The platform first: each wiki that it names is there, or was removed for
	// good since.
	copied := filepath.Join(b.scratch, "robot.db")
	if err := sqlite.Copy(ctx, filepath.Join(b.data, "robot.db"), copied); err != nil {
		return s, fmt.Errorf("robot.db: %w", err)
	}
	slugs, err := store.SlugsIn(ctx, copied)
	if err != nil {
		return s, err
	}
	if s.Platform, err = b.keep(ctx, copied); err != nil {
		return s, fmt.Errorf("robot.db: %w", err)
	}
	for _, slug := range slugs {
		if err := ctx.Err(); err != nil {
			return s, err
		}
		if err := b.wiki(ctx, &s, slug); err != nil {
			return s, fmt.Errorf("wiki %s: %w", slug, err)
		}
	}
	return s, nil
}

// wiki adds one wiki to the snapshot. It fails only where the backup as a whole
// cannot go on.
func (b *backupRun) wiki(ctx context.Context, s *Snapshot, slug string) error {
	dir := filepath.Join(b.data, "wikis", slug)
	last, known := b.before.Wikis[slug]
	var was record
	if known {
		var err error
		if was, err = b.r.record(last); err != nil || !b.r.whole(was.Content.stored) || was.Index != nil && !b.r.whole(was.Index.stored) {
			was, known = record{}, false
		}
	}
	if known && was.Content.From != "" && was.Content.From == b.state(dir, "wiki.db") && (was.Index == nil || was.Index.From == b.state(dir, "index.db")) &&
		(was.Index != nil || !exists(filepath.Join(dir, "index.db"))) {
		s.Wikis[slug] = last
		return nil
	}
	rec, err := b.copyWiki(ctx, dir, slug)
	if err != nil {
		if ctx.Err() != nil || sqlite.Full(err) {
			return err
		}
		if !exists(dir) && !b.named(ctx, slug) {
			return nil // purged since the platform was copied
		}
		b.failed = append(b.failed, fmt.Errorf("backup: wiki %s was not copied: %w", slug, err))
		if s.Stale[slug] = b.before.Stale[slug]; known {
			s.Wikis[slug] = last
			if s.Stale[slug].IsZero() {
				s.Stale[slug] = b.before.Time
			}
		}
		return nil
	}
	b.copied++
	text, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	s.Wikis[slug], err = b.in.put(text)
	return err
}

// named reports whether the platform still has a wiki. One whose files are gone
// all the same was lost, and keeps its last copy.
func (b *backupRun) named(ctx context.Context, slug string) bool {
	copied := filepath.Join(b.scratch, "again.db")
	defer os.Remove(copied)
	err := sqlite.Copy(ctx, filepath.Join(b.data, "robot.db"), copied)
	if err != nil {
		return true
	}
	slugs, err := store.SlugsIn(ctx, copied)
	return err != nil || slices.Contains(slugs, slug)
}

// copyWiki copies the index before the content: an index that lags catches up
// when the copy is used, one that is ahead would be of no use.
func (b *backupRun) copyWiki(ctx context.Context, dir, slug string) (record, error) {
	var rec record
	if exists(filepath.Join(dir, "index.db")) {
		from := b.state(dir, "index.db")
		index, err := b.copyFile(ctx, dir, "index.db")
		if err == nil {
			index.From = from
			rec.Index = &index
		} else if sqlite.Full(err) {
			return rec, err
		} else {
			b.r.log.Warn("backup: an index was left out; it is built anew when the wiki is restored", "wiki", slug, "err", err)
		}
	}
	from := b.state(dir, "wiki.db")
	copied := filepath.Join(b.scratch, "wiki.db")
	defer os.Remove(copied)
	if err := sqlite.Copy(ctx, filepath.Join(dir, "wiki.db"), copied); err != nil {
		return rec, err
	}
	var err error
	// A copy of something damaged is not worth the last good one.
	if rec.Facts, err = content.CheckFile(ctx, copied, slug); err != nil {
		return rec, err
	}
	if rec.Content, err = b.keep(ctx, copied); err != nil {
		return rec, err
	}
	rec.Content.From = from
	return rec, nil
}

func (b *backupRun) copyFile(ctx context.Context, dir, name string) (database, error) {
	copied := filepath.Join(b.scratch, name)
	defer os.Remove(copied)
	if err := sqlite.Copy(ctx, filepath.Join(dir, name), copied); err != nil {
		return database{}, err
	}
	return b.keep(ctx, copied)
}

// keep stores a copied database with the numbers of its rows.
func (b *backupRun) keep(ctx context.Context, file string) (database, error) {
	rows, err := countRows(ctx, file)
	if err != nil {
		return database{}, err
	}
	kept, err := b.in.putFile(file)
	return database{stored: kept, Rows: rows}, err
}

// recent is how long after a write another one may leave no trace in the times
// of a file: their clocks tick in milliseconds, and some file systems' in
// seconds.
const recent = 3 * time.Second

// state tells the state of a database's files; "" when they were written so
// recently, or so far in the future, that a write may not show.
func (b *backupRun) state(dir, name string) string {
	text := ""
	for _, suffix := range []string{"", "-wal"} {
		state, old := fileState(filepath.Join(dir, name+suffix), time.Now().Add(-recent))
		if !old {
			return ""
		}
		text += state
	}
	return text
}
