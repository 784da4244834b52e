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

// A Proof is what a verification came to.
type Proof struct {
	Name       string // of the snapshot
	Wikis      int
	Facts      content.Facts // of all wikis together, without a head
	KeysOpened int
	KeysSealed int // not opened, for no identity was given
	Took       time.Duration
}

// Verify restores a snapshot, the newest with an empty name, or one wiki of it,
// piece by piece to a temporary directory below scratch (the system's when
// empty), and compares heads, rows and files with what they were when it was
// taken. Nothing is left there. All that is wrong is told, not the first thing
// alone, and objects that are broken are set aside, so that the next backup
// brings them again; so the repository must be open for writing. A whole snapshot
// without fault is noted as verified.
func (r *Repository) Verify(ctx context.Context, name, slug, scratch string, identities []age.Identity) (Proof, error) {
	start := time.Now()
	s, err := r.Snapshot(name)
	if err != nil {
		return Proof{}, err
	}
	dir, err := os.MkdirTemp(scratch, "robot-verify-")
	if err != nil {
		return Proof{}, fmt.Errorf("backup: verify: %w", err)
	}
	defer os.RemoveAll(dir)
	v := verifying{r: r, dir: dir, proof: Proof{Name: s.Name()}}
	if slug == "" {
		v.platform(ctx, s)
		v.keys(s, identities)
	} else if s.Wikis[slug] == "" {
		return Proof{}, fmt.Errorf("backup: the backup %s has no wiki %q", s.Name(), slug)
	}
	for _, each := range slices.Sorted(maps.Keys(s.Wikis)) {
		if err := ctx.Err(); err != nil {
			return v.proof, fmt.Errorf("backup: verify: %w", err)
		}
		if slug == "" || each == slug {
			v.wiki(ctx, each, s.Wikis[each])
		}
	}
	v.proof.Took = time.Since(start)
	if err := errors.Join(v.wrong...); err != nil {
		return v.proof, fmt.Errorf("backup: %s cannot be restored as it was:\n%w", s.Name(), err)
	}
	if slug == "" {
		return v.proof, r.noteVerified(s)
	}
	return v.proof, nil
}

type verifying struct {
	r     *Repository
	dir   string
	proof Proof
	wrong []error
}

func (v *verifying) fail(what string, err error) {
	if err == nil {
		return
	}
	v.wrong = append(v.wrong, fmt.Errorf("%s: %w", what, err))
	if d, ok := errors.AsType[*damage](err); ok {
		if err := v.r.setAside(d.id); err != nil {
			v.wrong = append(v.wrong, err)
		}
	}
}

// database restores one database and compares its rows.
func (v *verifying) database(ctx context.Context, d database, file string) error {
	if err := v.r.write(d.stored, file); err != nil {
		return err
	}
	rows, err := countRows(ctx, file)
	if err != nil {
		return err
	}
	var differ []string
	for table, n := range d.Rows {
		if rows[table] != n {
			differ = append(differ, fmt.Sprintf("%s has %d rows, had %d", table, rows[table], n))
		}
	}
	if len(differ) > 0 || len(rows) != len(d.Rows) {
		slices.Sort(differ)
		return fmt.Errorf("%d tables, had %d; %s", len(rows), len(d.Rows), strings.Join(differ, "; "))
	}
	return nil
}

// platform opens the platform's database as the service would, and looks for
// each wiki of the snapshot in it.
func (v *verifying) platform(ctx context.Context, s Snapshot) {
	file := filepath.Join(v.dir, "robot.db")
	if err := v.database(ctx, s.Platform, file); err != nil {
		v.fail("robot.db", err)
		return
	}
	db, err := store.Open(ctx, file, v.r.now)
	if err != nil {
		v.fail("robot.db", err)
		return
	}
	defer db.Close()
	for slug := range s.Wikis {
		_, err := db.Site(ctx, slug)
		v.fail("robot.db", err)
	}
}

func (v *verifying) keys(s Snapshot, identities []age.Identity) {
	for _, k := range s.Keys {
		if k.Sealed && len(identities) == 0 {
			_, err := v.r.get(k.ID)
			v.fail("key "+k.Name, err)
			v.proof.KeysSealed++
			continue
		}
		_, err := v.r.open(k, identities)
		v.fail("key "+k.Name, err)
		v.proof.KeysOpened++
	}
}

func (v *verifying) wiki(ctx context.Context, slug, id string) {
	dir := filepath.Join(v.dir, "wiki")
	defer os.RemoveAll(dir)
	facts, err := v.oneWiki(ctx, slug, id, dir)
	v.fail("wiki "+slug, err)
	v.proof.Wikis++
	v.proof.Facts.Seq += facts.Seq
	v.proof.Facts.Files += facts.Files
	v.proof.Facts.Blobs += facts.Blobs
	v.proof.Facts.Commits += facts.Commits
}

func (v *verifying) oneWiki(ctx context.Context, slug, id, dir string) (content.Facts, error) {
	rec, err := v.r.record(id)
	if err != nil {
		return content.Facts{}, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return content.Facts{}, err
	}
	file := filepath.Join(dir, "wiki.db")
	if err := v.database(ctx, rec.Content, file); err != nil {
		return content.Facts{}, err
	}
	facts, err := rec.check(ctx, file, slug)
	if err != nil {
		return facts, err
	}
	if rec.Index != nil {
		if err := v.database(ctx, *rec.Index, filepath.Join(dir, "index.db")); err != nil {
			return facts, fmt.Errorf("index: %w", err)
		}
	}
	return facts, nil
}
