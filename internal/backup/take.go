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
	t := taking{r: r, in: in, data: data, scratch: scratch}
	if t.before, err = r.latest(); err != nil {
		r.log.Warn("backup: the last backup cannot be read, so all is copied", "err", err)
	}
	s, err := t.snapshot(ctx, recipients)
	if err != nil {
		return Report{}, fmt.Errorf("backup: %w", err)
	}
	text, err := json.Marshal(s)
	if err == nil {
		err = in.finish()
	}
	if err == nil {
		err = writeFile(r.path("snapshots", s.Name()+".json"), text)
	}
	if err != nil {
		return Report{}, fmt.Errorf("backup: %w", err)
	}
	return Report{
		Name: s.Name(), Wikis: len(s.Wikis), Copied: t.copied, NewPieces: in.pieces, NewBytes: in.bytes, Sealed: len(recipients) > 0,
	}, errors.Join(t.failed...)
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

// A taking is a backup under way.
type taking struct {
	r       *Repository
	in      *intake
	data    string
	scratch string
	before  Snapshot
	copied  int
	failed  []error
}

func (t *taking) snapshot(ctx context.Context, recipients []age.Recipient) (Snapshot, error) {
	s := Snapshot{Format: format, Time: t.r.now().UTC().Truncate(time.Millisecond), Wikis: map[string]string{}, Stale: map[string]time.Time{}}
	if !s.Time.After(t.before.Time) { // the clock went back: names stay in order
		s.Time = t.before.Time.Add(time.Millisecond)
	}
	var err error
	if s.Keys, err = t.keys(recipients); err != nil {
		return s, err
	}
	// The platform first: each wiki that it names is there, or was removed for
	// good since.
	copied := filepath.Join(t.scratch, "robot.db")
	if err := copyDatabase(ctx, filepath.Join(t.data, "robot.db"), copied); err != nil {
		return s, fmt.Errorf("robot.db: %w", err)
	}
	slugs, err := store.SlugsIn(ctx, copied)
	if err != nil {
		return s, err
	}
	if s.Platform, err = t.keep(ctx, copied); err != nil {
		return s, fmt.Errorf("robot.db: %w", err)
	}
	for _, slug := range slugs {
		if err := ctx.Err(); err != nil {
			return s, err
		}
		if err := t.wiki(ctx, &s, slug); err != nil {
			return s, fmt.Errorf("wiki %s: %w", slug, err)
		}
	}
	return s, nil
}

// wiki adds one wiki to the snapshot. It fails only where the backup as a whole
// cannot go on.
func (t *taking) wiki(ctx context.Context, s *Snapshot, slug string) error {
	dir := filepath.Join(t.data, "wikis", slug)
	last, known := t.before.Wikis[slug]
	var was record
	if known {
		var err error
		if was, err = t.r.record(last); err != nil || !t.r.whole(was.Content.stored) || was.Index != nil && !t.r.whole(was.Index.stored) {
			was, known = record{}, false
		}
	}
	if known && was.Content.From != "" && was.Content.From == t.state(dir, "wiki.db") && (was.Index == nil || was.Index.From == t.state(dir, "index.db")) &&
		(was.Index != nil || !exists(filepath.Join(dir, "index.db"))) {
		s.Wikis[slug] = last
		return nil
	}
	rec, err := t.copyWiki(ctx, dir, slug)
	if err != nil {
		if ctx.Err() != nil || noRoom(err) {
			return err
		}
		if !exists(dir) && !t.named(ctx, slug) {
			return nil // purged since the platform was copied
		}
		t.failed = append(t.failed, fmt.Errorf("backup: wiki %s was not copied: %w", slug, err))
		if s.Stale[slug] = t.before.Stale[slug]; known {
			s.Wikis[slug] = last
			if s.Stale[slug].IsZero() {
				s.Stale[slug] = t.before.Time
			}
		}
		return nil
	}
	t.copied++
	text, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	s.Wikis[slug], err = t.in.put(text)
	return err
}

// named reports whether the platform still has a wiki. One whose files are gone
// all the same was lost, and keeps its last copy.
func (t *taking) named(ctx context.Context, slug string) bool {
	copied := filepath.Join(t.scratch, "again.db")
	defer os.Remove(copied)
	err := copyDatabase(ctx, filepath.Join(t.data, "robot.db"), copied)
	if err != nil {
		return true
	}
	slugs, err := store.SlugsIn(ctx, copied)
	return err != nil || slices.Contains(slugs, slug)
}

// copyWiki copies the index before the content: an index that lags catches up
// when the copy is used, one that is ahead would be of no use.
func (t *taking) copyWiki(ctx context.Context, dir, slug string) (record, error) {
	var rec record
	if exists(filepath.Join(dir, "index.db")) {
		from := t.state(dir, "index.db")
		index, err := t.copyFile(ctx, dir, "index.db")
		if err == nil {
			index.From = from
			rec.Index = &index
		} else if noRoom(err) {
			return rec, err
		} else {
			t.r.log.Warn("backup: an index was left out; it is built anew when the wiki is restored", "wiki", slug, "err", err)
		}
	}
	from := t.state(dir, "wiki.db")
	copied := filepath.Join(t.scratch, "wiki.db")
	defer os.Remove(copied)
	if err := copyDatabase(ctx, filepath.Join(dir, "wiki.db"), copied); err != nil {
		return rec, err
	}
	var err error
	// A copy of something damaged is not worth the last good one.
	if rec.Facts, err = content.CheckFile(ctx, copied, slug); err != nil {
		return rec, err
	}
	if rec.Content, err = t.keep(ctx, copied); err != nil {
		return rec, err
	}
	rec.Content.From = from
	return rec, nil
}

func (t *taking) copyFile(ctx context.Context, dir, name string) (database, error) {
	copied := filepath.Join(t.scratch, name)
	defer os.Remove(copied)
	if err := copyDatabase(ctx, filepath.Join(dir, name), copied); err != nil {
		return database{}, err
	}
	return t.keep(ctx, copied)
}

// keep stores a copied database with the numbers of its rows.
func (t *taking) keep(ctx context.Context, file string) (database, error) {
	rows, err := countRows(ctx, file)
	if err != nil {
		return database{}, err
	}
	kept, err := t.in.putFile(file)
	return database{stored: kept, Rows: rows}, err
}

// recent is how long after a write another one may leave no trace in the times
// of a file: their clocks tick in milliseconds, and some file systems' in
// seconds.
const recent = 3 * time.Second

// state tells the state of a database's files; "" when they were written so
// recently, or so far in the future, that a write may not show.
func (t *taking) state(dir, name string) string {
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
