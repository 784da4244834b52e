package backup

import (
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"robot.wtf/internal/background"
	"robot.wtf/internal/shipping"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

func (p *dataDir) platformWrote() func() {
	if p.ship == nil {
		return nil
	}
	return func() { p.ship.Wrote(shipping.PlatformName) }
}

func (p *dataDir) wikiWrote() func(string) {
	if p.ship == nil {
		return nil
	}
	return func(slug string) { p.ship.Wrote(shipping.WikiName(slug)) }
}

// startShipping reopens the directory and ships when the test says so.
func (p *dataDir) startShipping(recipients ...age.Recipient) {
	p.t.Helper()
	p.close()
	p.ship = shipping.Start(shipping.Options{
		Data: p.data, Target: shipping.LogIn(p.dir), Recipients: recipients, MaxHeld: 10, Gather: time.Hour,
		Hold: func(ctx context.Context, name string) (shipping.Database, func(), error) {
			if slug := shipping.Slug(name); slug != "" {
				return p.pool.Open(ctx, slug)
			}
			return p.db, func() {}, nil
		},
		Background: background.New(background.Options{}), Now: p.clock, Log: slog.New(slog.DiscardHandler),
	})
	p.open()
	p.t.Cleanup(p.ship.Stop)
}

// shipNow ships a minute later.
func (p *dataDir) shipNow() time.Time {
	p.t.Helper()
	p.now = p.now.Add(time.Minute)
	p.must(p.ship.Ship(p.t.Context()))
	return p.now
}

// restoreMoment restores and describes.
func (p *dataDir) restoreMoment(r *Repository, m Moment, identities ...age.Identity) (string, Restored) {
	p.t.Helper()
	restored := &dataDir{t: p.t, data: filepath.Join(p.t.TempDir(), "restored"), now: p.now}
	d, err := r.Restore(p.t.Context(), m, restored.data, identities)
	p.must(err)
	restored.open()
	return restored.describe(), d
}

// A restore applies the shipped log to the newest snapshot: saves, wikis that are newer
// than the snapshot, and deletions; or up to a time.
func TestRestoreAppliesShippedLog(t *testing.T) {
	t.Parallel()
	p := newDataDir(t, "ada", "bob", "cleo")
	identity, err := age.GenerateX25519Identity()
	p.must(err)
	p.startShipping(identity.Recipient())
	r := p.repository()
	p.shipNow()
	p.backUp(r)
	first := p.describe()
	p.save("ada", "Later", "shipped")
	p.must(p.db.CreateSite(t.Context(), wiki.User{DID: "did:plc:dan", Handle: "dan.test"}, "dan", nil, 1))
	p.must(p.pool.Create(t.Context(), "dan"))
	p.save("dan", "Home", "new")
	at := p.shipNow()
	second := p.describe()
	p.must(p.pool.Delete(t.Context(), "cleo"))
	p.must(p.db.ScheduleDeletionNow(t.Context(), "cleo"))
	p.must(p.db.PurgeSite(t.Context(), "cleo", []byte("cleo")))
	p.save("ada", "Later", "shipped again")
	p.shipNow()
	third := p.describe()
	for name, test := range map[string]struct {
		m    Moment
		want string
	}{
		"the end": {Moment{}, third}, "a time": {Moment{At: at.Add(time.Second)}, second},
		"a snapshot": {Moment{Snapshot: newestSnapshot(t, r)}, first},
	} {
		if got, d := p.restoreMoment(r, test.m, identity); got != test.want || len(d.Behind) > 0 {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, d.Behind, got, test.want)
		}
	}
	if _, err := r.Restore(t.Context(), Moment{}, filepath.Join(t.TempDir(), "r"), nil); err == nil || !strings.Contains(err.Error(), "--identity") {
		t.Errorf("without the identity: %v", err)
	}
	if report, err := r.Verify(t.Context(), "", "", t.TempDir(), []age.Identity{identity}); err != nil || report.Shipped < 3 {
		t.Errorf("verification: %+v, %v", report, err)
	}
	dir := t.TempDir()
	if c, err := r.RestoreWiki(t.Context(), Moment{}, "dan", dir, []age.Identity{identity}); err != nil || c.Facts.Commits != 1 {
		t.Errorf("a wiki that is only in the log: %+v, %v", c, err)
	}
	dir = t.TempDir()
	if c, err := r.RestoreWiki(t.Context(), Moment{}, "ada", dir, []age.Identity{identity}); err != nil || c.Facts.Commits != 3 {
		t.Errorf("a wiki with shipped commits: %+v, %v", c, err)
	}
}

// Damage to the log is found by a verification, and costs a restore only the databases
// and the time that it concerns.
func TestDamagedShippedLog(t *testing.T) {
	t.Parallel()
	p := newDataDir(t, "ada", "bob")
	p.startShipping()
	p.shipNow()
	r := p.repository()
	p.backUp(r)
	p.save("ada", "Lost", "in a damaged object")
	p.shipNow()
	p.save("bob", "Kept", "in a whole one")
	p.shipNow()
	files, err := filepath.Glob(filepath.Join(p.dir, "log", "*.log"))
	p.must(err)
	for _, file := range files { // ada's
		text, err := os.ReadFile(file)
		p.must(err)
		if bytes.Contains(text, []byte("wikis/ada/wiki.db")) {
			text[len(text)-20] ^= 1
			p.must(os.WriteFile(file, text, 0o600))
		}
	}
	got, d := p.restoreMoment(r, Moment{})
	if len(d.Behind) == 0 || !strings.Contains(strings.Join(d.Behind, " "), "ada") || strings.Contains(got, "Lost") || !strings.Contains(got, "Kept") {
		t.Errorf("behind: %q\n%s", d.Behind, got)
	}
	if _, err := r.Verify(t.Context(), "", "", t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "ada") {
		t.Errorf("verification: %v", err)
	}
	p.save("ada", "Lost", "in the next backup")
	p.backUp(r)
	if _, err := r.Verify(t.Context(), "", "", t.TempDir(), nil); err != nil {
		t.Errorf("verification after the next backup: %v", err)
	}
}

// The log is kept for as long as the hourly snapshots to which it is applied.
func TestShippedLogIsPruned(t *testing.T) {
	t.Parallel()
	slow.Test(t)
	p := newDataDir(t, "ada")
	p.startShipping()
	r := p.repository()
	for range 60 {
		p.save("ada", "Home", p.now.String())
		p.shipNow()
		p.backUp(r)
	}
	objects, err := shipping.LogIn(p.dir).List()
	p.must(err)
	if len(objects) < 45 || len(objects) > 49 || p.now.Sub(objects[0].Time) > keepHourly {
		t.Errorf("%d objects, the oldest of %s, %s ago", len(objects), objects[0].Time, p.now.Sub(objects[0].Time))
	}
	if got, _ := p.restoreMoment(r, Moment{}); got != p.describe() {
		t.Error("the restored directory differs")
	}
}

// A save ships little more than its pages, compressed, even if each is shipped alone.
func TestShippedBytesPerSave(t *testing.T) {
	t.Parallel()
	p := newDataDir(t, "ada")
	p.startShipping()
	for i := range 100 { // the size of a wiki doesn't matter
		p.save("ada", fmt.Sprint("Page", i), strings.Repeat(fmt.Sprint("old text ", i), 500))
	}
	p.shipNow()
	file := filepath.Join(p.data, "wikis", "ada", "wiki.db-wal")
	tail, err := sqlite.ReadLog(file, sqlite.LogPosition{})
	p.must(err)
	before, logged := p.ship.Stats().Bytes, 0
	const saves = 20
	for i := range saves {
		p.save("ada", fmt.Sprint("Page", i), strings.Repeat(fmt.Sprint("new text ", i*i), 300))
		p.shipNow()
		var compressed bytes.Buffer
		w, err := flate.NewWriter(&compressed, flate.DefaultCompression)
		p.must(err)
		p.must(sqlite.WalkLog(file, tail.End, func(transaction sqlite.LogTail) bool {
			for _, page := range transaction.Pages {
				_, err := w.Write(page)
				p.must(err)
			}
			tail.End = transaction.End
			return true
		}))
		p.must(w.Close())
		logged += compressed.Len()
	}
	shipped := int(p.ship.Stats().Bytes - before)
	if shipped > 4*logged {
		t.Errorf("%d bytes were shipped for %d bytes of compressed pages", shipped, logged)
	}
	t.Logf("measured: %d bytes shipped per save, %d bytes of compressed pages in the log", shipped/saves, logged/saves)
}

// Damaged objects go with the backups that they belonged to.
func TestDamagedObjectsArePruned(t *testing.T) {
	t.Parallel()
	p := newDataDir(t, "ada")
	r := p.repository()
	p.must(os.MkdirAll(filepath.Join(p.dir, "damaged"), 0o700))
	for name, days := range map[string]int{"old": 36, "new": 34} {
		file := filepath.Join(p.dir, "damaged", name)
		p.must(os.WriteFile(file, nil, 0o600))
		p.must(os.Chtimes(file, time.Time{}, p.now.AddDate(0, 0, -days)))
	}
	p.backUp(r)
	left, err := filepath.Glob(filepath.Join(p.dir, "damaged", "*"))
	p.must(err)
	if len(left) != 1 || filepath.Base(left[0]) != "new" {
		t.Errorf("left: %q", left)
	}
}
