package backup

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/content"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// A place is a data directory in use, and where its backups go.
type place struct {
	t    *testing.T
	data string
	dir  string
	pool *content.Pool
	db   *store.DB
	now  time.Time
}

func newPlace(t *testing.T, slugs ...string) *place {
	t.Helper()
	p := &place{t: t, data: filepath.Join(t.TempDir(), "data"), dir: filepath.Join(t.TempDir(), "backups"), now: time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)}
	p.must(os.MkdirAll(filepath.Join(p.data, "keys"), 0o700))
	p.must(os.WriteFile(filepath.Join(p.data, "keys", "signing.pem"), []byte("the planted key"), 0o600))
	p.open()
	for _, slug := range slugs {
		p.must(p.db.CreateSite(t.Context(), wiki.User{DID: "did:plc:" + slug, Handle: slug + ".test"}, slug, nil, 1))
		p.must(p.pool.Create(t.Context(), slug))
		p.save(slug, "Home", "# "+slug)
	}
	return p
}

func (p *place) clock() time.Time { return p.now }

func (p *place) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) open() {
	p.t.Helper()
	var err error
	p.db, err = store.Open(p.t.Context(), filepath.Join(p.data, "robot.db"), p.clock)
	p.must(err)
	p.pool, err = content.NewPool(content.Options{Dir: filepath.Join(p.data, "wikis"), Now: p.clock, Log: slog.New(slog.DiscardHandler),
		Links: func(wiki.PageName, []byte) []wiki.Link { return nil }})
	p.must(err)
	p.t.Cleanup(func() { p.close() })
}

func (p *place) close() {
	p.pool.Close()
	p.db.Close()
}

func (p *place) save(slug, page, text string) {
	p.t.Helper()
	w, release, err := p.pool.Open(p.t.Context(), slug)
	p.must(err)
	defer release()
	_, err = w.Commit(p.t.Context(), content.Request{Author: wiki.Caller{User: wiki.User{DID: "did:plc:" + slug, Username: slug}},
		Edits: []content.Edit{{Path: page + ".md", Data: []byte(text), Base: content.BaseAny}}, Limits: wiki.DefaultLimits})
	p.must(err)
}

func (p *place) repository() *Repository {
	p.t.Helper()
	r, err := Open(p.t.Context(), p.dir, true, p.clock, slog.New(slog.NewTextHandler(p.t.Output(), nil)))
	p.must(err)
	p.t.Cleanup(func() { r.Close() })
	return r
}

// take backs up an hour later.
func (p *place) take(r *Repository, recipients ...age.Recipient) Report {
	p.t.Helper()
	p.now = p.now.Add(time.Hour)
	report, err := r.Take(p.t.Context(), p.data, recipients)
	p.must(err)
	return report
}

// age makes the files of all wikis as old as they would be in an hour.
func (p *place) age() {
	p.t.Helper()
	files, err := filepath.Glob(filepath.Join(p.data, "wikis", "*", "*.db*"))
	p.must(err)
	for _, file := range files {
		info, err := os.Stat(file)
		p.must(err)
		if time.Since(info.ModTime()) < recent {
			p.must(os.Chtimes(file, time.Time{}, info.ModTime().Add(-2*recent)))
		}
	}
}

// restored is what a restore of the newest backup makes: text and history of
// each wiki's pages.
func restored(t *testing.T, r *Repository, name string, identities ...age.Identity) string {
	t.Helper()
	p := &place{t: t, data: filepath.Join(t.TempDir(), "restored"), now: time.Now()}
	_, err := r.Restore(t.Context(), name, p.data, identities)
	p.must(err)
	p.open()
	return p.describe()
}

func (p *place) describe() string {
	p.t.Helper()
	slugs, err := p.db.PublicSites(p.t.Context())
	p.must(err)
	list, err := os.ReadDir(filepath.Join(p.data, "wikis"))
	p.must(err)
	text := fmt.Sprintln(slugs)
	for _, e := range list {
		if e.Name()[0] == '.' {
			continue
		}
		w, release, err := p.pool.Open(p.t.Context(), e.Name())
		p.must(err)
		site, err := p.db.Site(p.t.Context(), e.Name())
		p.must(err)
		log, err := w.Log(p.t.Context(), content.LogFilter{Limit: 1000})
		p.must(err)
		text += fmt.Sprintf("%s of %s\n", e.Name(), site.OwnerDID)
		for _, c := range log {
			text += fmt.Sprintf("%d %s %v\n", c.Seq, c.ID, c.Changes)
		}
		release()
	}
	key, err := os.ReadFile(filepath.Join(p.data, "keys", "signing.pem"))
	p.must(err)
	return text + string(key)
}

func TestBackupAndRestore(t *testing.T) {
	p := newPlace(t, "ada", "bob", "cleo")
	r := p.repository()
	first := p.take(r)
	want := p.describe()
	if first.Wikis != 3 || first.Copied != 3 {
		t.Errorf("%+v", first)
	}
	if got := restored(t, r, ""); got != want {
		t.Error(cmp.Diff(want, got))
	}
	proof, err := r.Verify(t.Context(), "", "", t.TempDir(), nil)
	p.must(err)
	if proof.Wikis != 3 || proof.Facts.Files != 3 || proof.Facts.Commits != 3 || proof.KeysOpened != 1 {
		t.Errorf("%+v", proof)
	}
	status, err := Look(p.dir)
	p.must(err)
	if problems := status.Problems(p.now.Add(Late - time.Minute)); len(problems) != 0 {
		t.Errorf("problems: %q", problems)
	}
	if problems := status.Problems(p.now.Add(Late + time.Minute)); len(problems) != 2 {
		t.Errorf("problems: %q", problems)
	}

	// A wiki that nobody touched is not read again, one that was is, whether or
	// not it is open; older backups stay as they were.
	p.age()
	p.take(r)
	p.save("bob", "Home", "changed")
	p.age()
	second := p.take(r)
	if second.Wikis != 3 || second.Copied != 1 || second.NewPieces > 12 {
		t.Errorf("after one change: %+v", second)
	}
	if got := restored(t, r, ""); got != p.describe() {
		t.Error(cmp.Diff(p.describe(), got))
	}
	if got := restored(t, r, first.Name); got != want {
		t.Error(cmp.Diff(want, got))
	}
	if _, err := r.Restore(t.Context(), "", p.data, nil); err == nil || !strings.Contains(err.Error(), "has data already") {
		t.Errorf("restored over a service's data: %v", err)
	}
}

// Keys are for the recipient alone; without the identity nothing is restored.
func TestKeysAreEncrypted(t *testing.T) {
	p := newPlace(t, "ada")
	r := p.repository()
	who, err := age.GenerateX25519Identity()
	p.must(err)
	p.take(r, who.Recipient())
	out, err := exec.Command("sh", "-c", `find "$0" -name '*' -type f -exec sh -c 'gzip -dc "$1" 2>/dev/null || cat "$1"' - {} \;`, p.dir).Output()
	p.must(err)
	if bytes.Contains(out, []byte("the planted key")) || !bytes.Contains(out, []byte("age-encryption.org/v1")) {
		t.Error("the key is in the backup in clear")
	}
	if _, err := r.Restore(t.Context(), "", filepath.Join(t.TempDir(), "r"), nil); err == nil || !strings.Contains(err.Error(), "--identity") {
		t.Errorf("restored without the identity: %v", err)
	}
	other, err := age.GenerateX25519Identity()
	p.must(err)
	if _, err := r.Verify(t.Context(), "", "", t.TempDir(), []age.Identity{other}); err == nil {
		t.Error("verified with another identity")
	}
	if proof, err := r.Verify(t.Context(), "", "", t.TempDir(), nil); err != nil || proof.KeysSealed != 1 {
		t.Errorf("%+v, %v", proof, err)
	}
	if got := restored(t, r, "", who); got != p.describe() {
		t.Error(cmp.Diff(p.describe(), got))
	}
}

// A piece that went bad on the disk of the backups is found, told by its wiki,
// and brought again by the next backup.
func TestDamageIsFoundAndHeals(t *testing.T) {
	p := newPlace(t, "ada", "bob")
	r := p.repository()
	p.take(r)
	p.age()
	p.take(r)
	s, err := r.Snapshot("")
	p.must(err)
	rec, err := r.record(s.Wikis["bob"])
	p.must(err)
	p.must(os.WriteFile(r.object(rec.Content.Pieces[0]), []byte("rot"), 0o600))
	_, err = r.Verify(t.Context(), "", "", t.TempDir(), nil)
	if err == nil || !strings.Contains(err.Error(), "wiki bob") || strings.Contains(err.Error(), "wiki ada") {
		t.Fatalf("verified: %v", err)
	}
	if again := p.take(r); again.Copied != 1 {
		t.Errorf("%+v", again)
	}
	if _, err := r.Verify(t.Context(), "", "", t.TempDir(), nil); err != nil {
		t.Error(err)
	}
}

// A wiki whose database is damaged keeps its last good copy; the others are
// backed up, and the backup says what is wrong.
func TestDamagedWikiKeepsItsLastCopy(t *testing.T) {
	p := newPlace(t, "ada", "bob")
	p.save("ada", "Big", strings.Repeat("some text that is long enough for several pages of the database\n", 2000))
	r := p.repository()
	p.take(r)
	want := p.describe()
	p.close()
	file := filepath.Join(p.data, "wikis", "ada", "wiki.db")
	text, err := os.ReadFile(file)
	p.must(err)
	for i := len(text) / 2; i < len(text)/2+20000 && i < len(text); i++ {
		text[i] = 'x'
	}
	p.must(os.WriteFile(file, text, 0o600))
	p.now = p.now.Add(time.Hour)
	report, err := r.Take(t.Context(), p.data, nil)
	if err == nil || !strings.Contains(err.Error(), "ada") || report.Wikis != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	if got := restored(t, r, ""); got != want {
		t.Error(cmp.Diff(want, got))
	}
	status, err := Look(p.dir)
	p.must(err)
	if status.Attempt.Error == "" || len(status.Problems(p.now)) != 2 {
		t.Errorf("%+v: %q", status, status.Problems(p.now))
	}
}

// A wiki whose files are gone keeps its last copy as well, for the platform still
// has it; one that was purged is in the backups before.
func TestLostWikiIsRestoredAlone(t *testing.T) {
	p := newPlace(t, "ada", "bob")
	r := p.repository()
	p.take(r)
	p.close()
	p.must(os.RemoveAll(filepath.Join(p.data, "wikis", "ada")))
	p.open()
	p.now = p.now.Add(time.Hour)
	taken := p.now
	if report, err := r.Take(t.Context(), p.data, nil); err == nil || !strings.Contains(err.Error(), "ada") || report.Wikis != 2 {
		t.Errorf("%+v, %v", report, err)
	}
	want := content.Facts{Seq: 1, Files: 1, Blobs: 1, Commits: 1}
	check := func(name string, since time.Time) {
		t.Helper()
		dir := t.TempDir()
		c, err := r.RestoreWiki(t.Context(), "", "ada", dir)
		p.must(err)
		if c.Snapshot != name || !c.Taken.Equal(since) {
			t.Errorf("it is of %s, as of %s", c.Snapshot, c.Taken)
		}
		if c.Facts.Head == "" {
			t.Error("it has no head")
		}
		if c.Facts.Head = ""; c.Facts != want {
			t.Errorf("%+v", c.Facts)
		}
		if slugs, err := store.SlugsIn(t.Context(), filepath.Join(dir, "robot.db")); err != nil || len(slugs) != 2 {
			t.Errorf("the platform beside it: %v, %v", slugs, err)
		}
	}
	check(taken.Format(nameLayout), taken.Add(-time.Hour))
	p.must(p.db.DropSite(t.Context(), "ada"))
	if after := p.take(r); after.Wikis != 1 {
		t.Errorf("after it was purged: %+v", after)
	}
	check(taken.Format(nameLayout), taken.Add(-time.Hour))
	if _, err := r.RestoreWiki(t.Context(), r.newest(t), "ada", t.TempDir()); err == nil || !strings.Contains(err.Error(), `no wiki "ada"`) {
		t.Errorf("of a backup that lacks it: %v", err)
	}

	// What is not as it was is not restored.
	s, err := r.Snapshot(taken.Format(nameLayout))
	p.must(err)
	rec, err := r.record(s.Wikis["ada"])
	p.must(err)
	p.must(os.WriteFile(r.object(rec.Content.Pieces[0]), []byte("rot"), 0o600))
	if _, err := r.RestoreWiki(t.Context(), "", "ada", t.TempDir()); err == nil || !strings.Contains(err.Error(), "wiki ada") {
		t.Errorf("restored what is damaged: %v", err)
	}
}

func (r *Repository) newest(t *testing.T) string {
	t.Helper()
	names, err := r.Snapshots()
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	return names[len(names)-1]
}

func TestPruneKeepsByTheRule(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 30, 0, 0, time.UTC)
	var times []time.Time
	for at := now.Add(-60 * 24 * time.Hour); !at.After(now); at = at.Add(30 * time.Minute) {
		times = append(times, at)
	}
	kept, oldest := 0, now
	for i, keep := range keepers(times, now) {
		if keep {
			kept++
			oldest = times[min(i, len(times)-1)]
			if kept == 1 && now.Sub(oldest) >= daily {
				t.Errorf("kept %s", oldest)
			}
		}
	}
	if kept != 48+34 && kept != 48+33 {
		t.Errorf("%d kept", kept)
	}
	if keep := keepers([]time.Time{now.Add(-90 * 24 * time.Hour)}, now); !keep[0] {
		t.Error("the only backup goes")
	}
}

// What is pruned leaves no object behind, and takes none that others need.
func TestPruneRemovesObjects(t *testing.T) {
	p := newPlace(t, "ada")
	r := p.repository()
	p.take(r)
	p.save("ada", "Home", "changed")
	p.now = p.now.Add(daily)
	if report := p.take(r); report.Pruned != 1 {
		t.Errorf("%+v", report)
	}
	used := map[string]bool{}
	names, err := r.Snapshots()
	p.must(err)
	p.must(r.mark(names[0], used))
	found, err := filepath.Glob(filepath.Join(p.dir, "objects", "*", "*"))
	p.must(err)
	if len(found) != len(used) || len(names) != 1 {
		t.Errorf("%d objects for %d that are used, %d snapshots", len(found), len(used), len(names))
	}
	if got := restored(t, r, ""); got != p.describe() {
		t.Error(cmp.Diff(p.describe(), got))
	}
}

// TestMain runs a backup for TestKilledBackupHarmsNothing, in a process of its
// own.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "take" {
		r, err := Open(context.Background(), os.Args[3], true, time.Now, slog.New(slog.DiscardHandler))
		if err == nil {
			_, err = r.Take(context.Background(), os.Args[2], nil)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestKilledBackupHarmsNothing(t *testing.T) {
	p := newPlace(t, "ada", "bob", "cleo", "dan")
	r := p.repository()
	p.now = time.Now().Add(-time.Hour)
	p.take(r)
	p.must(r.Close())
	kills := 12
	if os.Getenv("ROBOT_LONG") != "" {
		kills = 100
	}
	// How long one takes, then kills at moments spread over that.
	took := time.Duration(0)
	stopped := 0
	for i := range kills {
		for _, slug := range []string{"ada", "bob", "cleo", "dan"} {
			p.save(slug, "Home", fmt.Sprint(i, strings.Repeat(" text", 200)))
		}
		cmd := exec.Command(os.Args[0], "take", p.data, p.dir)
		start := time.Now()
		p.must(cmd.Start())
		if took > 0 {
			time.Sleep(took * time.Duration(i) / time.Duration(kills))
			_ = cmd.Process.Kill()
		}
		if err := cmd.Wait(); err != nil {
			stopped++
		}
		if took == 0 {
			took = time.Since(start)
		}
		r := p.repository()
		s, err := r.Snapshot("")
		p.must(err)
		_, err = r.Verify(t.Context(), "", "", t.TempDir(), nil)
		if err != nil {
			t.Fatalf("kill %d: the last backup %s: %v", i, s.Name(), err)
		}
		p.must(r.Close())
	}
	if stopped < kills/3 {
		t.Errorf("only %d of %d were killed before they were done", stopped, kills)
	}
	// And the next one is whole.
	out, err := exec.Command(os.Args[0], "take", p.data, p.dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r = p.repository()
	if got := restored(t, r, ""); got != p.describe() {
		t.Error(cmp.Diff(p.describe(), got))
	}
	if left, _ := filepath.Glob(filepath.Join(p.dir, ".scratch-*")); len(left) > 0 || exists(filepath.Join(p.dir, "incoming")) {
		t.Errorf("left behind: %v", left)
	}
}
