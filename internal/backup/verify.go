package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"robot.wtf/internal/content"
	"robot.wtf/internal/store"
)

// A VerifyReport summarizes a verification.
type VerifyReport struct {
	Name        string // of the snapshot
	Wikis       int
	Facts       content.Facts // sums over all wikis; Head is empty
	KeysChecked int
	KeysSkipped int  // encrypted, and no identity was given
	Shipped     int  // databases to which the shipped log was applied
	LogSkipped  bool // the shipped log is encrypted, and no identity was given
	Took        time.Duration
}

// Verify restores a snapshot (an empty name means the newest) or one wiki in it
// to a temporary directory, and compares heads, row counts and files with those
// recorded by the backup. It also applies the log that was shipped since the newest snapshot. The temporary directory is created in scratch, by
// default the system's, and removed afterwards.
//
// The error lists all failures, not just the first. Corrupt objects are moved to
// damaged/ so that the next backup stores them again; the repository must
// therefore be open for writing. Failures are recorded, and so are full verifications
// that succeed.
func (r *Repository) Verify(ctx context.Context, name, slug, scratch string, identities []age.Identity) (VerifyReport, error) {
	report, err := r.verify(ctx, name, slug, scratch, identities)
	if ctx.Err() != nil || err == nil && slug != "" {
		return report, err // nothing is known about the whole snapshot
	}
	return report, errors.Join(err, r.recordAttempt(verifyAttemptFile, err))
}

// verify is Verify, without a record of failures.
func (r *Repository) verify(ctx context.Context, name, slug, scratch string, identities []age.Identity) (VerifyReport, error) {
	start := time.Now()
	s, err := r.Snapshot(name)
	if err != nil {
		return VerifyReport{}, err
	}
	dir, err := os.MkdirTemp(scratch, "robot-verify-")
	if err != nil {
		return VerifyReport{}, fmt.Errorf("backup: verify: %w", err)
	}
	defer os.RemoveAll(dir)
	v := verifyRun{repo: r, dir: dir, report: VerifyReport{Name: s.Name()}}
	if slug == "" {
		v.checkPlatform(ctx, s)
		v.checkKeys(s, identities)
	} else if s.Wikis[slug] == "" {
		return VerifyReport{}, fmt.Errorf("backup: snapshot %s does not contain wiki %q", s.Name(), slug)
	}
	for _, candidate := range slices.Sorted(maps.Keys(s.Wikis)) {
		if err := ctx.Err(); err != nil {
			return v.report, fmt.Errorf("backup: verify: %w", err)
		}
		if slug == "" || candidate == slug {
			v.checkWiki(ctx, candidate, s.Wikis[candidate])
		}
	}
	if name == "" && slug == "" {
		v.checkLog(ctx, s, identities)
	}
	v.report.Took = time.Since(start)
	if err := errors.Join(v.failures...); err != nil {
		return v.report, fmt.Errorf("backup: verification of %s failed:\n%w", s.Name(), err)
	}
	if slug == "" {
		return v.report, r.recordVerified(s)
	}
	return v.report, nil
}

// A verifyRun is a verification in progress.
type verifyRun struct {
	repo     *Repository
	dir      string
	report   VerifyReport
	failures []error
}

// addFailure records an error, if there is one, and quarantines a corrupt object.
func (v *verifyRun) addFailure(part string, err error) {
	if err == nil {
		return
	}
	v.failures = append(v.failures, fmt.Errorf("%s: %w", part, err))
	if d, ok := errors.AsType[*corruptError](err); ok {
		if err := v.repo.quarantine(d.id); err != nil {
			v.failures = append(v.failures, err)
		}
	}
}

// checkDatabase restores one database and compares its row counts.
func (v *verifyRun) checkDatabase(ctx context.Context, d storedDatabase, file string) error {
	if err := v.repo.writeFile(d.storedFile, file); err != nil {
		return err
	}
	rows, err := countRows(ctx, file)
	if err != nil {
		return err
	}
	var differences []string
	for table, n := range d.Rows {
		if rows[table] != n {
			differences = append(differences, fmt.Sprintf("table %s has %d rows, want %d", table, rows[table], n))
		}
	}
	if len(differences) > 0 || len(rows) != len(d.Rows) {
		slices.Sort(differences)
		return fmt.Errorf("%d tables, want %d; %s", len(rows), len(d.Rows), strings.Join(differences, "; "))
	}
	return nil
}

// checkPlatform opens the platform database as the service would and looks up each
// wiki of the snapshot in it.
func (v *verifyRun) checkPlatform(ctx context.Context, s Snapshot) {
	file := filepath.Join(v.dir, "robot.db")
	if err := v.checkDatabase(ctx, s.Platform, file); err != nil {
		v.addFailure("robot.db", err)
		return
	}
	db, err := store.Open(ctx, file, v.repo.now)
	if err != nil {
		v.addFailure("robot.db", err)
		return
	}
	defer db.Close()
	for slug := range s.Wikis {
		_, err := db.Site(ctx, slug)
		v.addFailure("robot.db", err)
	}
}

// checkKeys decrypts the keys, or without an identity checks only their objects.
func (v *verifyRun) checkKeys(s Snapshot, identities []age.Identity) {
	for _, k := range s.Keys {
		if k.Sealed && len(identities) == 0 {
			_, err := v.repo.readObject(k.ID)
			v.addFailure("key "+k.Name, err)
			v.report.KeysSkipped++
			continue
		}
		_, err := v.repo.readKey(k, identities)
		v.addFailure("key "+k.Name, err)
		v.report.KeysChecked++
	}
}

func (v *verifyRun) checkWiki(ctx context.Context, slug, id string) {
	dir := filepath.Join(v.dir, "wiki")
	defer os.RemoveAll(dir)
	facts, err := v.restoreAndCompare(ctx, slug, id, dir)
	v.addFailure("wiki "+slug, err)
	v.report.Wikis++
	v.report.Facts.Seq += facts.Seq
	v.report.Facts.Files += facts.Files
	v.report.Facts.Blobs += facts.Blobs
	v.report.Facts.Commits += facts.Commits
}

// restoreAndCompare restores a wiki to dir and compares it with its record.
func (v *verifyRun) restoreAndCompare(ctx context.Context, slug, id, dir string) (content.Facts, error) {
	rec, err := v.repo.readRecord(id)
	if err != nil {
		return content.Facts{}, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return content.Facts{}, err
	}
	file := filepath.Join(dir, "wiki.db")
	if err := v.checkDatabase(ctx, rec.Content, file); err != nil {
		return content.Facts{}, err
	}
	facts, err := rec.checkContent(ctx, file, slug)
	if err != nil {
		return facts, err
	}
	if rec.Index != nil {
		if err := v.checkDatabase(ctx, *rec.Index, filepath.Join(dir, "index.db")); err != nil {
			return facts, fmt.Errorf("index: %w", err)
		}
	}
	return facts, nil
}
