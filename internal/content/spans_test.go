package content

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

// prose returns a page of 6 KB with links, of words that compress as English does.
func prose(r *rand.Rand) []byte {
	var b bytes.Buffer
	b.WriteString("# A page\n\nSee [[Garden]] and [[Harbor]].\n\n")
	for n := 1; b.Len() < 6<<10; n++ {
		// A few words are common, most are rare.
		word := int(1500 * r.Float64() * r.Float64() * r.Float64())
		fmt.Fprintf(&b, "%s%s", []string{"th", "wa", "re", "in", "co", "pla"}[word%6], []string{"e", "ter", "ading", "d", "nect", "st", "ng"}[word/6%7])
		if word >= 42 {
			fmt.Fprintf(&b, "%c%c", 'a'+word/42%26, 'e'+word/300%5)
		}
		b.WriteString([]string{" ", " ", " ", " ", " ", " ", ", ", ".\n"}[n%8])
	}
	return b.Bytes()
}

// A save writes few pages to the log, which decide how long a disk takes.
func TestPagesPerSave(t *testing.T) {
	w := newWiki(t, time.Now)
	w.o.Links = benchLinks
	r := rand.New(rand.NewPCG(1, 2))
	save := func(by wiki.Caller) {
		t.Helper()
		must(t, w, by, Edit{Path: fmt.Sprintf("Page_%d.md", r.IntN(100)), Data: prose(r), Base: BaseAny})
	}
	for range 300 {
		save(bot)
	}
	emptyLog(t, w)
	const saves, batch = 320, 64 // SQLite empties the log after 1,000 pages
	for name, by := range map[string]wiki.Caller{"a person": ada, "an agent": bot} {
		var bytes int64
		for n := range saves {
			save(by)
			if (n+1)%batch == 0 {
				bytes += emptyLog(t, w)
			}
		}
		pages := float64(bytes) / (24 + 4096) / saves // a page has a header in the log
		t.Logf("%s: %.2f pages", name, pages)
		if pages > 7 || bytes/saves > 32<<10 {
			t.Errorf("a save by %s writes %.2f pages and %d bytes to the log, want at most 7 and 32 KB", name, pages, bytes/saves)
		}
	}
}

// emptyLog empties the write-ahead log and returns its size before.
func emptyLog(t *testing.T, w *Wiki) int64 {
	t.Helper()
	log, err := os.Stat(w.pool.file(w.slug) + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlite.TruncateLog(t.Context(), w.writer.conn); err != nil {
		t.Fatal(err)
	}
	return log.Size()
}

// Commits are found by id and by author in and after spans, as by reading all of them.
func TestSpans(t *testing.T) {
	w := newWiki(t, time.Now)
	r := rand.New(rand.NewPCG(5, 6))
	var all []wiki.Commit
	check := func() {
		t.Helper()
		counts := map[string]int{}
		for _, c := range all {
			if got, err := w.CommitByID(t.Context(), c.ID[:12]); err != nil || got.Seq != c.Seq {
				t.Fatalf("commit %d by its id: %+v, %v", c.Seq, got, err)
			}
			if seq, err := w.SeqOf(t.Context(), c.ID); err != nil || seq != c.Seq {
				t.Fatalf("seq of commit %d: %d, %v", c.Seq, seq, err)
			}
			if c.Author.Grant != "" {
				counts[c.Author.Grant]++
			}
		}
		checkSessions(t, w, all)
		if got, err := w.EditsByGrant(t.Context()); err != nil || !gocmp.Equal(got, counts) {
			t.Errorf("edits by grant: %v, want %v, %v", got, counts, err)
		}
		for _, author := range []string{"ada", "bob", "Claude Code", "claude code for ada", "nobody"} {
			for _, f := range []LogFilter{{Limit: 1000}, {Limit: 7}, {Limit: 7, Ascending: true}, {After: 60, Before: 140, Limit: 1000}} {
				f.Author = author
				checkLog(t, w, all, f)
			}
		}
	}
	for n := range 3*spanCommits + 10 {
		author := ada
		switch {
		case n > spanCommits && r.IntN(40) == 0:
			author = bob
		case r.IntN(3) == 0:
			author = bot
		}
		all = append(all, must(t, w, author, Edit{Path: fmt.Sprintf("P%d.md", r.IntN(9)), Data: fmt.Appendf(nil, "secret %d", n), Base: BaseAny}).Commit)
	}
	check()
	if _, err := w.SeqOf(t.Context(), strings.Repeat("0", 40)); err == nil {
		t.Error("an unknown id has a commit")
	}
	erase(t, w, Erasure{Text: "secret 7"}) // changes the ids in all spans
	list, err := w.Log(t.Context(), LogFilter{Limit: 1000, Ascending: true})
	if err != nil || len(list) != len(all)+1 || list[spanCommits-1].ID == all[spanCommits-1].ID {
		t.Fatal(len(list), err)
	}
	all = list
	check()
}

// checkSessions compares sessions with the commits. As nobody pauses, each author
// has one session.
func checkSessions(t *testing.T, w *Wiki, all []wiki.Commit) {
	t.Helper()
	want, first := map[int64]int{}, map[wiki.Author]int64{}
	for _, c := range all {
		if first[c.Author] == 0 {
			first[c.Author] = c.Seq
		}
		want[first[c.Author]]++
	}
	got := map[int64]int{}
	list, err := w.Sessions(t.Context(), LogFilter{Limit: 50}, 5)
	for _, s := range list {
		got[s.First] = s.Count
		if len(s.Commits) != min(5, s.Count) || s.Commits[0].Seq != s.First {
			t.Errorf("session %+v", s)
		}
	}
	if err != nil || !gocmp.Equal(got, want) {
		t.Errorf("sessions %v, want %v, %v", got, want, err)
	}
}

// checkLog compares a log by author with the commits that match.
func checkLog(t *testing.T, w *Wiki, all []wiki.Commit, f LogFilter) {
	t.Helper()
	var want, got []int64
	for i := range all {
		c := all[len(all)-1-i]
		if f.Ascending {
			c = all[i]
		}
		name, _, _ := strings.Cut(strings.ToLower(f.Author), " for ")
		is := c.Author.Username == name || strings.EqualFold(c.Author.Agent, name)
		if is && c.Seq > f.After && (f.Before == 0 || c.Seq < f.Before) && len(want) < f.Limit {
			want = append(want, c.Seq)
		}
	}
	list, err := w.Log(t.Context(), f)
	for _, c := range list {
		got = append(got, c.Seq)
	}
	if err != nil || !gocmp.Equal(got, want) {
		t.Errorf("log %+v: %v, want %v, %v", f, got, want, err)
	}
}

// A wiki of an older program has the same history, files and texts once it is opened,
// and can be written to.
func TestSpansMigrated(t *testing.T) {
	w := newWiki(t, time.Now)
	r := rand.New(rand.NewPCG(7, 8))
	for n := range 2*spanCommits + 10 {
		path := fmt.Sprintf("Folder/P %d.md", r.IntN(9))
		by := []wiki.Caller{ada, bob, bot}[r.IntN(3)]
		must(t, w, by, Edit{Path: path, Data: fmt.Appendf(nil, "text %d", n), Base: BaseAny})
		if n%20 == 19 {
			to := fmt.Sprintf("Moved/%d.md", n)
			must(t, w, by, Edit{Op: Move, Path: path, To: to, Base: BaseAny}, Edit{Path: "B.md", Data: fmt.Append(nil, n), Base: BaseAny})
		}
	}
	compress(t, w)
	p := openPool(t, t.TempDir(), time.Now)
	db := olderDatabase(t, p, "ada", 20)
	db.SetMaxOpenConns(1)
	for _, query := range []string{
		"ATTACH '" + w.pool.file(w.slug) + "' AS now",
		"INSERT INTO blobs SELECT 'ada', oid, size, data FROM now.blobs",
		"INSERT INTO commits SELECT 'ada', seq, oid, parents, raw, username, did, agent, client, grant_id, imported, time, message, session FROM now.commits",
		"INSERT INTO changes SELECT 'ada', seq, n, path, key, from_path, from_key, kind, old, new, mode, size FROM now.commit_changes",
		"INSERT INTO files SELECT 'ada', path, dir, key, blob, mode, size, seq FROM now.files",
		"INSERT INTO trees SELECT 'ada', dir, parent, oid FROM now.trees",
		"INSERT INTO deltas SELECT 'ada', base, oid, height FROM now.deltas",
		"INSERT INTO meta SELECT 'ada', seq, head, time, pages, files, current_bytes, history_bytes, compressed, compressed_n, links, vouches, moved, moved_seq FROM now.meta",
		"DETACH now",
	} {
		if _, err := db.Exec(query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	old, release, err := p.Open(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	compareWikis(t, w, old)
	for n := range spanCommits { // completes a span
		must(t, old, bot, Edit{Path: "B.md", Data: fmt.Append(nil, "more", n), Base: BaseAny})
	}
	checkStored(t, old)
	compareWithGit(t, old)
}

// compareWikis compares the commits, totals and texts of two wikis.
func compareWikis(t *testing.T, a, b *Wiki) {
	t.Helper()
	for _, f := range []LogFilter{{Limit: 1000}, {Limit: 1000, Author: "bob"}, {Limit: 1000, Author: "Claude Code"}} {
		want, errA := a.Log(t.Context(), f)
		got, errB := b.Log(t.Context(), f)
		if diff := gocmp.Diff(want, got); diff != "" || errA != nil || errB != nil || len(want) == 0 {
			t.Errorf("log %+v: %v, %v: %s", f, errA, errB, diff)
		}
		for _, c := range want {
			if found, err := b.CommitByID(t.Context(), c.ID[:9]); err != nil || found.Seq != c.Seq {
				t.Errorf("commit %d by its id: %d, %v", c.Seq, found.Seq, err)
			}
			for _, ch := range c.Changes {
				if _, err := b.Blob(t.Context(), ch.New); ch.New != "" && err != nil {
					t.Error(err)
				}
			}
		}
	}
	sessionsA, errA := a.Sessions(t.Context(), LogFilter{Limit: 50}, 5)
	sessionsB, errB := b.Sessions(t.Context(), LogFilter{Limit: 50}, 5)
	if diff := gocmp.Diff(sessionsA, sessionsB); diff != "" || errA != nil || errB != nil || len(sessionsA) < 3 {
		t.Errorf("sessions: %v, %v: %s", errA, errB, diff)
	}
	want, errA := a.Stats(t.Context())
	got, errB := b.Stats(t.Context())
	wantEdits, errC := a.EditsByGrant(t.Context())
	gotEdits, errD := b.EditsByGrant(t.Context())
	if err := errors.Join(errA, errB, errC, errD); err != nil || got != want || !gocmp.Equal(wantEdits, gotEdits) {
		t.Errorf("stats %+v, edits %v; want %+v, %v; %v", got, gotEdits, want, wantEdits, err)
	}
}
