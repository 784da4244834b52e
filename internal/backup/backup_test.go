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
	"robot.wtf/internal/shipping"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/store"
	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/wiki"
)

// A dataDir is a data directory in use, with the directory of its backups.
type dataDir struct {
	t    *testing.T
	data string
	dir  string
	pool *content.Pool
	db   *store.DB
	now  time.Time
	ship *shipping.Shipper // nil unless the test ships
}

func newDataDir(t *testing.T, slugs ...string) *dataDir {
	t.Helper()
	p := &dataDir{t: t, data: filepath.Join(t.TempDir(), "data"), dir: filepath.Join(t.TempDir(), "backups"), now: time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)}
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

func (p *dataDir) clock() time.Time { return p.now }

func (p *dataDir) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *dataDir) open() {
	p.t.Helper()
	var err error
	p.db, err = store.OpenWith(p.t.Context(), filepath.Join(p.data, "robot.db"), store.Options{Now: p.clock, Wrote: p.platformWrote()})
	p.must(err)
	p.pool, err = content.NewPool(content.Options{Dir: filepath.Join(p.data, "wikis"), Now: p.clock, Wrote: p.wikiWrote(), Log: slog.New(slog.DiscardHandler),
		Links: func(wiki.PageName, []byte) []wiki.Link { return nil }})
	p.must(err)
	p.t.Cleanup(func() { p.close() })
}

func (p *dataDir) close() {
	p.pool.Close()
	p.db.Close()
}

func (p *dataDir) save(slug, page, text string) {
	p.t.Helper()
	w, release, err := p.pool.Open(p.t.Context(), slug)
	p.must(err)
	defer release()
	_, err = w.Commit(p.t.Context(), content.Request{Author: wiki.Caller{User: wiki.User{DID: "did:plc:" + slug, Username: slug}},
		Edits: []content.Edit{{Path: page + ".md", Data: []byte(text), Base: content.BaseAny}}, Limits: wiki.DefaultLimits})
	p.must(err)
}

func (p *dataDir) repository() *Repository {
	p.t.Helper()
	r, err := Open(p.t.Context(), p.dir, true, p.clock, slog.New(slog.NewTextHandler(p.t.Output(), nil)))
	p.must(err)
	p.t.Cleanup(func() { r.Close() })
	return r
}

// backUp advances the clock by an hour and takes a backup.
func (p *dataDir) backUp(r *Repository, recipients ...age.Recipient) Report {
	p.t.Helper()
	p.now = p.now.Add(time.Hour)
	report, err := r.Take(p.t.Context(), p.data, recipients, false)
	p.must(err)
	return report
}

// ageFiles moves the modification times of all wiki databases out of timestampSlack.
func (p *dataDir) ageFiles() {
	p.t.Helper()
	files, err := filepath.Glob(filepath.Join(p.data, "wikis", "*", "*.db*"))
	p.must(err)
	for _, file := range files {
		info, err := os.Stat(file)
		p.must(err)
		if time.Since(info.ModTime()) < timestampSlack {
			p.must(os.Chtimes(file, time.Time{}, info.ModTime().Add(-2*timestampSlack)))
		}
	}
}

// restoreAndDescribe restores a backup and describes the result.
func restoreAndDescribe(t *testing.T, r *Repository, name string, identities ...age.Identity) string {
	t.Helper()
	p := &dataDir{t: t, data: filepath.Join(t.TempDir(), "restored"), now: time.Now()}
	_, err := r.Restore(t.Context(), Moment{Snapshot: name}, p.data, identities)
	p.must(err)
	p.open()
	return p.describe()
}

// describe returns the wikis, their owners and commits, and the key as text.
func (p *dataDir) describe() string {
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
		text += fmt.Sprintf("%s owned by %s\n", e.Name(), site.OwnerDID)
		for _, c := range log {
			text += fmt.Sprintf("%d %s %v\n", c.Seq, c.ID, c.Changes)
		}
		release()
	}
	key, err := os.ReadFile(filepath.Join(p.data, "keys", "signing.pem"))
	p.must(err)
	return text + string(key)
}

// hourlyAndDaily is the usual schedule.
var hourlyAndDaily = Schedule{Every: time.Hour, VerifyEvery: 24 * time.Hour}

func TestBackupAndRestore(t *testing.T) {
	p := newDataDir(t, "ada", "bob", "cleo")
	r := p.repository()
	first := p.backUp(r)
	want := p.describe()
	if first.Wikis != 3 || first.Copied != 3 {
		t.Errorf("%+v", first)
	}
	if got := restoreAndDescribe(t, r, ""); got != want {
		t.Error(cmp.Diff(want, got))
	}
	proof, err := r.Verify(t.Context(), "", "", t.TempDir(), nil)
	p.must(err)
	if proof.Wikis != 3 || proof.Facts.Files != 3 || proof.Facts.Commits != 3 || proof.KeysChecked != 1 {
		t.Errorf("%+v", proof)
	}
	status, err := ReadStatus(p.dir)
	p.must(err)
	for after, want := range map[time.Duration]int{3 * time.Hour: 0, 3*time.Hour + time.Minute: 1, 26 * time.Hour: 1, 26*time.Hour + time.Minute: 2} {
		if problems := status.Problems(p.now.Add(after), hourlyAndDaily); len(problems) != want {
			t.Errorf("after %s: %q", after, problems)
		}
	}

	// Only wikis that changed are read again, whether or not they are open. Older
	// backups stay as they are.
	p.ageFiles()
	p.backUp(r)
	p.save("bob", "Home", "changed")
	p.ageFiles()
	second := p.backUp(r)
	if second.Wikis != 3 || second.Copied != 1 || second.NewChunks > 12 {
		t.Errorf("after one change: %+v", second)
	}
	if got := restoreAndDescribe(t, r, ""); got != p.describe() {
		t.Error(cmp.Diff(p.describe(), got))
	}
	if got := restoreAndDescribe(t, r, first.Name); got != want {
		t.Error(cmp.Diff(want, got))
	}
	if _, err := r.Restore(t.Context(), Moment{}, p.data, nil); err == nil || !strings.Contains(err.Error(), "already contains data") {
		t.Errorf("restore over existing data: %v", err)
	}
}

// A restore that is killed at any moment can be repeated. It never mixes snapshots,
// and the directory isn't taken for a data directory before it is complete.
func TestKilledRestore(t *testing.T) {
	p := newDataDir(t, "ada", "bob")
	r := p.repository()
	first := p.backUp(r)
	want := p.describe()
	p.now = p.now.Add(time.Hour)
	p.save("ada", "Home", "written after the first backup")
	second := p.backUp(r)
	for moved := range len(restoredParts) + 1 {
		restored := &dataDir{t: t, data: filepath.Join(t.TempDir(), "restored"), now: time.Now()}
		s, err := r.Snapshot(first.Name)
		p.must(err)
		p.must(r.stageRestore(t.Context(), &Restored{Snapshot: s}, Moment{}, restored.data, nil))
		for _, part := range restoredParts[:moved] {
			p.must(os.Rename(filepath.Join(restored.data, stageName, part), filepath.Join(restored.data, part)))
		}
		complete := moved == len(restoredParts)
		if err := CheckRestored(restored.data); (err == nil) != complete {
			t.Errorf("%d parts moved: the check says %v", moved, err)
		}
		if !complete {
			if _, err := r.Restore(t.Context(), Moment{Snapshot: second.Name}, restored.data, nil); err == nil || !strings.Contains(err.Error(), first.Name) {
				t.Errorf("%d parts moved: another snapshot is restored over them: %v", moved, err)
			}
			got, err := r.Restore(t.Context(), Moment{}, restored.data, nil)
			if err != nil || got.Name() != first.Name {
				t.Fatalf("%d parts moved: %s, %v", moved, got.Name(), err)
			}
		}
		if fileExists(filepath.Join(restored.data, stageName)) {
			t.Errorf("%d parts moved: the stage is left behind", moved)
		}
		p.must(CheckRestored(restored.data))
		restored.open()
		if got := restored.describe(); got != want {
			t.Errorf("%d parts moved: %s", moved, cmp.Diff(want, got))
		}
		restored.close()
	}

	// One that was killed before it had everything begins again.
	again := filepath.Join(t.TempDir(), "restored")
	p.must(os.MkdirAll(filepath.Join(again, stageName, "wikis", "ada"), 0o700))
	if s, err := r.Restore(t.Context(), Moment{}, again, nil); err != nil || s.Name() == first.Name {
		t.Errorf("%s, %v", s.Name(), err)
	}
}

// Only the recipient can decrypt keys; a restore without the identity fails.
func TestKeysAreEncrypted(t *testing.T) {
	p := newDataDir(t, "ada")
	r := p.repository()
	identity, err := age.GenerateX25519Identity()
	p.must(err)
	p.backUp(r, identity.Recipient())
	out, err := exec.Command("sh", "-c", `find "$0" -name '*' -type f -exec sh -c 'gzip -dc "$1" 2>/dev/null || cat "$1"' - {} \;`, p.dir).Output()
	p.must(err)
	if bytes.Contains(out, []byte("the planted key")) || !bytes.Contains(out, []byte("age-encryption.org/v1")) {
		t.Error("the backup contains the key in plain text")
	}
	if _, err := r.Restore(t.Context(), Moment{}, filepath.Join(t.TempDir(), "r"), nil); err == nil || !strings.Contains(err.Error(), "--identity") {
		t.Errorf("restore without the identity: %v", err)
	}
	other, err := age.GenerateX25519Identity()
	p.must(err)
	if _, err := r.Verify(t.Context(), "", "", t.TempDir(), []age.Identity{other}); err == nil {
		t.Error("verification with another identity succeeded")
	}
	if proof, err := r.Verify(t.Context(), "", "", t.TempDir(), nil); err != nil || proof.KeysSkipped != 1 {
		t.Errorf("%+v, %v", proof, err)
	}
	if got := restoreAndDescribe(t, r, "", identity); got != p.describe() {
		t.Error(cmp.Diff(p.describe(), got))
	}
}

// Verification finds a corrupt chunk and names its wiki; the next backup stores
// the chunk again.
func TestVerifyFindsCorruptChunk(t *testing.T) {
	p := newDataDir(t, "ada", "bob")
	r := p.repository()
	p.backUp(r)
	p.ageFiles()
	p.backUp(r)
	s, err := r.Snapshot("")
	p.must(err)
	rec, err := r.readRecord(s.Wikis["bob"])
	p.must(err)
	p.must(os.WriteFile(r.objectPath(rec.Content.Chunks[0]), []byte("rot"), 0o600))
	_, err = r.Verify(t.Context(), "", "", t.TempDir(), nil)
	if err == nil || !strings.Contains(err.Error(), "wiki bob") || strings.Contains(err.Error(), "wiki ada") {
		t.Fatalf("verify: %v", err)
	}
	if again := p.backUp(r); again.Copied != 1 {
		t.Errorf("%+v", again)
	}
	if _, err := r.Verify(t.Context(), "", "", t.TempDir(), nil); err != nil {
		t.Error(err)
	}
}

// A wiki with a damaged database keeps its last good copy. Others are backed up,
// and the backup returns an error.
func TestDamagedWikiKeepsLastCopy(t *testing.T) {
	p := newDataDir(t, "ada", "bob")
	p.save("ada", "Big", strings.Repeat("some text that is long enough for several pages of the database\n", 2000))
	r := p.repository()
	p.backUp(r)
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
	report, err := r.Take(t.Context(), p.data, nil, false)
	if err == nil || !strings.Contains(err.Error(), "ada") || report.Wikis != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	if got := restoreAndDescribe(t, r, ""); got != want {
		t.Error(cmp.Diff(want, got))
	}
	status, err := ReadStatus(p.dir)
	p.must(err)
	if status.Attempt.Error == "" || len(status.Problems(p.now, hourlyAndDaily)) != 2 {
		t.Errorf("%+v: %q", status, status.Problems(p.now, hourlyAndDaily))
	}
}

// A kept snapshot outlives those of its time, and can be restored, until it is released.
func TestKeptSnapshotsAreNotPruned(t *testing.T) {
	p := newDataDir(t, "ada")
	r := p.repository()
	kept, err := r.Take(t.Context(), p.data, nil, true)
	p.must(err)
	want := p.describe()
	p.now = p.now.Add(time.Minute)
	p.save("ada", "Later", "text")
	p.backUp(r)
	p.now = p.now.Add(100 * 24 * time.Hour)
	p.backUp(r)
	names, err := r.Snapshots()
	p.must(err)
	if len(names) != 2 || names[0] != kept.Name {
		t.Fatalf("%q, want %s and the newest", names, kept.Name)
	}
	if got := restoreAndDescribe(t, r, kept.Name); got != want {
		t.Error(cmp.Diff(want, got))
	}
	if r.Keep("nothing") == nil || r.Release("nothing") == nil {
		t.Error("kept or released a backup that isn't there")
	}
	p.must(r.Release(kept.Name))
	if n, err := r.Prune(); n != 1 || err != nil {
		t.Errorf("pruned %d, %v", n, err)
	}
}

// A failed verification is a problem at once, until one of the whole backup succeeds.
func TestFailedVerificationIsAProblem(t *testing.T) {
	p := newDataDir(t, "ada", "bob")
	r := p.repository()
	report := p.backUp(r)
	problems := func() string {
		t.Helper()
		status, err := ReadStatus(p.dir)
		p.must(err)
		return strings.Join(status.Problems(p.now, hourlyAndDaily), " ")
	}
	verify := func(slug string) error {
		_, err := r.Verify(t.Context(), "", slug, t.TempDir(), nil)
		return err
	}
	p.must(verify(""))
	if got := problems(); got != "" {
		t.Fatal(got)
	}
	snapshot, err := r.Snapshot(report.Name)
	p.must(err)
	object := r.objectPath(snapshot.Wikis["ada"])
	p.must(os.Rename(object, object+".away"))
	if verify("ada") == nil {
		t.Fatal("verified without the record of ada")
	}
	if got := problems(); !strings.Contains(got, "The last verification of a backup") || !strings.Contains(got, "ada") {
		t.Errorf("after a failure: %q", got)
	}
	p.must(verify("bob"))
	if problems() == "" {
		t.Error("verifying another wiki ended the problem")
	}
	p.must(os.Rename(object+".away", object))
	p.must(verify(""))
	if got := problems(); got != "" {
		t.Errorf("after a success: %q", got)
	}
}

// A backup leaves the margin for saves on a disk that it shares with the wikis. Its
// failure is recorded, and nothing of it is left.
func TestBackupLeavesAMarginOnDisk(t *testing.T) {
	p := newDataDir(t, "ada")
	r := p.repository()
	r.room = func(string) (int64, error) { return 0, nil }
	if _, err := r.Take(t.Context(), p.data, nil, false); err == nil || !strings.Contains(err.Error(), "the disk is nearly full") {
		t.Errorf("%v", err)
	}
	if list, err := os.ReadDir(r.path("objects")); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	if status, err := ReadStatus(p.dir); err != nil || !strings.Contains(strings.Join(status.Problems(p.now, hourlyAndDaily), " "), "nearly full") {
		t.Errorf("%+v, %v", status, err)
	}
}

// A wiki that lost its files keeps its last copy because the platform still lists
// it. A purged wiki is only in earlier backups.
func TestRestoreSingleLostWiki(t *testing.T) {
	p := newDataDir(t, "ada", "bob")
	r := p.repository()
	p.backUp(r)
	p.close()
	p.must(os.RemoveAll(filepath.Join(p.data, "wikis", "ada")))
	p.open()
	p.now = p.now.Add(time.Hour)
	taken := p.now
	if report, err := r.Take(t.Context(), p.data, nil, false); err == nil || !strings.Contains(err.Error(), "ada") || report.Wikis != 2 {
		t.Errorf("%+v, %v", report, err)
	}
	want := content.Facts{Seq: 1, Files: 1, Blobs: 1, Commits: 1}
	check := func(name string, since time.Time) {
		t.Helper()
		dir := t.TempDir()
		c, err := r.RestoreWiki(t.Context(), Moment{}, "ada", dir, nil)
		p.must(err)
		if c.Snapshot != name || !c.Taken.Equal(since) {
			t.Errorf("restored from %s, as of %s", c.Snapshot, c.Taken)
		}
		if c.Facts.Head == "" {
			t.Error("no head")
		}
		if c.Facts.Head = ""; c.Facts != want {
			t.Errorf("%+v", c.Facts)
		}
		if slugs, err := store.SlugsIn(t.Context(), filepath.Join(dir, "robot.db")); err != nil || len(slugs) != 2 {
			t.Errorf("wikis in robot.db: %v, %v", slugs, err)
		}
	}
	check(taken.Format(snapshotNameLayout), taken.Add(-time.Hour))
	p.must(p.db.DropSite(t.Context(), "ada"))
	if after := p.backUp(r); after.Wikis != 1 {
		t.Errorf("after the purge: %+v", after)
	}
	check(taken.Format(snapshotNameLayout), taken.Add(-time.Hour))
	if _, err := r.RestoreWiki(t.Context(), Moment{Snapshot: newestSnapshot(t, r)}, "ada", t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), `does not contain wiki "ada"`) {
		t.Errorf("restore from a snapshot without the wiki: %v", err)
	}

	// A corrupt copy is not restored.
	s, err := r.Snapshot(taken.Format(snapshotNameLayout))
	p.must(err)
	rec, err := r.readRecord(s.Wikis["ada"])
	p.must(err)
	p.must(os.WriteFile(r.objectPath(rec.Content.Chunks[0]), []byte("rot"), 0o600))
	if _, err := r.RestoreWiki(t.Context(), Moment{}, "ada", t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "wiki ada") {
		t.Errorf("restore of a corrupt copy: %v", err)
	}
}

func newestSnapshot(t *testing.T, r *Repository) string {
	t.Helper()
	names, err := r.Snapshots()
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	return names[len(names)-1]
}

func TestPruneRetention(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 30, 0, 0, time.UTC)
	var times []time.Time
	for at := now.Add(-60 * 24 * time.Hour); !at.After(now); at = at.Add(30 * time.Minute) {
		times = append(times, at)
	}
	kept, oldest := 0, now
	for i, keep := range selectSnapshots(times, now) {
		if keep {
			kept++
			oldest = times[min(i, len(times)-1)]
			if kept == 1 && now.Sub(oldest) >= keepDaily {
				t.Errorf("kept %s", oldest)
			}
		}
	}
	if kept != 48+34 && kept != 48+33 {
		t.Errorf("%d kept", kept)
	}
	if keep := selectSnapshots([]time.Time{now.Add(-90 * 24 * time.Hour)}, now); !keep[0] {
		t.Error("the only backup is not kept")
	}
}

// Pruning deletes all unused objects and no used ones.
func TestPruneRemovesUnusedObjects(t *testing.T) {
	p := newDataDir(t, "ada")
	r := p.repository()
	p.backUp(r)
	p.save("ada", "Home", "changed")
	p.now = p.now.Add(keepDaily)
	if report := p.backUp(r); report.Pruned != 1 {
		t.Errorf("%+v", report)
	}
	used := map[string]bool{}
	names, err := r.Snapshots()
	p.must(err)
	p.must(r.markUsedObjects(names[0], used))
	found, err := filepath.Glob(filepath.Join(p.dir, "objects", "*", "*"))
	p.must(err)
	if len(found) != len(used) || len(names) != 1 {
		t.Errorf("%d objects, %d of them used, %d snapshots", len(found), len(used), len(names))
	}
	if got := restoreAndDescribe(t, r, ""); got != p.describe() {
		t.Error(cmp.Diff(p.describe(), got))
	}
}

// TestMain takes a backup when TestKilledBackup runs the test binary as a child
// process.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "take" {
		r, err := Open(context.Background(), os.Args[3], true, time.Now, slog.New(slog.DiscardHandler))
		if err == nil {
			_, err = r.Take(context.Background(), os.Args[2], nil, false)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(testdisk.Run(m))
}

// A backup that is killed leaves earlier backups intact and the next one succeeds.
func TestKilledBackup(t *testing.T) {
	p := newDataDir(t, "ada", "bob", "cleo", "dan")
	r := p.repository()
	p.now = time.Now().Add(-time.Hour)
	p.backUp(r)
	p.must(r.Close())
	kills := 6
	if os.Getenv("ROBOT_LONG") != "" {
		kills = 100
	} else if slow.Enabled() {
		kills = 12
	}
	// The first run measures a full backup; later ones are killed at times spread
	// over the shortest duration so far.
	took := time.Duration(0)
	killed := 0
	for i := 0; i < kills || killed < kills/3 && i < 10*kills; i++ {
		for _, slug := range []string{"ada", "bob", "cleo", "dan"} {
			p.save(slug, "Home", fmt.Sprint(i, strings.Repeat(" text", 200)))
		}
		cmd := exec.Command(os.Args[0], "take", p.data, p.dir)
		start := time.Now()
		p.must(cmd.Start())
		if took > 0 {
			time.Sleep(took * time.Duration(i%kills) / time.Duration(kills))
			_ = cmd.Process.Kill()
		}
		if err := cmd.Wait(); err != nil {
			killed++
		}
		if lasted := time.Since(start); took == 0 || cmd.ProcessState.Success() && lasted < took {
			took = lasted
		}
		r := p.repository()
		s, err := r.Snapshot("")
		p.must(err)
		_, err = r.Verify(t.Context(), "", "", t.TempDir(), nil)
		if err != nil {
			t.Fatalf("kill %d: verify last backup %s: %v", i, s.Name(), err)
		}
		p.must(r.Close())
	}
	if killed < kills/3 {
		t.Errorf("only %d of %d backups were killed before they finished", killed, kills)
	}
	// The next backup is complete.
	out, err := exec.Command(os.Args[0], "take", p.data, p.dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r = p.repository()
	if got := restoreAndDescribe(t, r, ""); got != p.describe() {
		t.Error(cmp.Diff(p.describe(), got))
	}
	if left, _ := filepath.Glob(filepath.Join(p.dir, ".scratch-*")); len(left) > 0 || fileExists(filepath.Join(p.dir, "incoming")) {
		t.Errorf("left behind: %v", left)
	}
}
