package content

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/wiki"
)

// sessionsOf lists the sessions as "first-last/count", newest first.
func sessionsOf(t *testing.T, w *Wiki, f LogFilter) (list []string) {
	t.Helper()
	f.Limit = 50
	all, err := w.Sessions(t.Context(), f, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		list = append(list, fmt.Sprintf("%d-%d/%d", s.First, s.Last, s.Count))
		if len(s.Commits) != s.Count || s.Commits[0].Seq != s.First || s.Start.After(s.End) {
			t.Errorf("session %+v", s)
		}
	}
	return list
}

// A grant's commits are one session until it pauses, no matter who else writes meanwhile.
// The same person's own commits are another one.
func TestSessions(t *testing.T) {
	var now time.Time
	w := newWiki(t, func() time.Time { return now })
	now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	robot := ada
	robot.Agent, robot.Client, robot.Grant = "Claude Code", "claude", "grant-1"
	other := robot
	other.Grant = "grant-2"
	for i, step := range []struct {
		after time.Duration
		by    wiki.Caller
	}{
		{0, ada},                              // 1
		{time.Minute, robot},                  // 2
		{29 * time.Minute, bob},               // 3
		{time.Minute, robot},                  // 4: 30 minutes after 2
		{0, other},                            // 5
		{time.Minute, ada},                    // 6: 31 minutes after 1
		{29*time.Minute + time.Second, robot}, // 7: more than 30 minutes after 4
		{0, other},                            // 8
	} {
		now = now.Add(step.after)
		must(t, w, step.by, Edit{Path: "A.md", Base: BaseAny, Data: fmt.Appendf(nil, "%d\n", i)})
	}
	want := []string{"8-8/1", "7-7/1", "6-6/1", "5-5/1", "3-3/1", "2-4/2", "1-1/1"}
	if got := sessionsOf(t, w, LogFilter{}); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	agents := true
	if got := sessionsOf(t, w, LogFilter{Agents: &agents, Before: 7}); !slices.Equal(got, []string{"5-5/1", "2-4/2"}) {
		t.Errorf("of agents before 7: %v", got)
	}
	if got := sessionsOf(t, w, LogFilter{Author: "bob"}); !slices.Equal(got, []string{"3-3/1"}) {
		t.Errorf("of bob: %v", got)
	}
	s, err := w.SessionOf(t.Context(), 4, 1)
	if err != nil || s.First != 2 || s.Count != 2 || len(s.Commits) != 1 {
		t.Errorf("session of commit 4: %+v, %v", s, err)
	}
}

// The sessions of older databases are those that its commits would get today.
func TestSessionsMigrated(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	db := olderDatabase(t, p, "ada", 19)
	if _, err := db.Exec("INSERT INTO meta (wiki, seq, head, time, pages, files, current_bytes, history_bytes) VALUES ('ada', 7, 'id7', 0, 0, 0, 0, 0)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO imports (wiki, first, last, source, time) VALUES ('ada', 1, 2, 'x', 0)"); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		did, grant string
		imported   bool
		minutes    int64
	}{
		{"did:plc:bob", "", true, 0}, {"did:plc:cleo", "", true, 1}, {"did:plc:bob", "", false, 2}, {"did:plc:bob", "g", false, 3},
		{"did:plc:bob", "", false, 32}, {"did:plc:bob", "", false, 63}, {"did:plc:bob", "g", false, 64},
	} {
		if _, err := db.Exec("INSERT INTO commits VALUES ('ada', ?, ?, '', '', 'bob', ?, '', '', ?, ?, ?, 'x')", i+1, fmt.Sprintf("id%d", i+1), c.did, c.grant, c.imported, c.minutes*60_000); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec("INSERT INTO seen VALUES ('ada', 'did:plc:ada', 3, 0)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	w, release, err := p.Open(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if got, want := sessionsOf(t, w, LogFilter{}), []string{"7-7/1", "6-6/1", "4-4/1", "3-5/2", "1-2/2"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Changes of others and of agents wait for a person's review, until the person keeps
// the commit, the file or everything up to it.
func TestWaiting(t *testing.T) {
	w := newWiki(t, newClock().Now)
	robot := ada
	robot.Agent, robot.Client, robot.Grant = "Claude Code", "claude", "grant-1"
	must(t, w, ada, Edit{Path: "Mine.md", Data: []byte("x\n")})
	must(t, w, robot, Edit{Path: "A.md", Base: BaseAny, Data: []byte("x\n")}, Edit{Path: "B.md", Data: []byte("x\n")})
	must(t, w, bob, Edit{Path: "C.md", Data: []byte("x\n")})
	must(t, w, robot, Edit{Path: "A.md", Base: BaseAny, Data: []byte("y\n")})
	waiting := func(did string, want ...string) {
		t.Helper()
		list, err := w.Waiting(t.Context(), did, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, c := range list {
			got = append(got, fmt.Sprintf("%d/%d %s", c.Session, c.Seq, c.Path))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", did, diff)
		}
	}
	mark := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	waiting("did:plc:ada", "2/4 A.md", "3/3 C.md", "2/2 A.md", "2/2 B.md")
	mark(w.MarkSessionReviewed(t.Context(), "did:plc:ada", 2, 4, []string{"a.md"}, false))
	waiting("did:plc:ada", "3/3 C.md", "2/2 B.md")
	mark(w.MarkSessionReviewed(t.Context(), "did:plc:ada", 2, 2, []string{"a.md"}, true))
	waiting("did:plc:ada", "3/3 C.md", "2/2 A.md", "2/2 B.md")
	mark(w.MarkReviewed(t.Context(), "did:plc:ada", 2))
	waiting("did:plc:ada", "3/3 C.md")
	waiting("did:plc:bob", "2/4 A.md", "2/2 A.md", "2/2 B.md", "1/1 Mine.md")
	if got, err := w.WaitingCommits(t.Context(), "did:plc:bob", 1); err != nil || !cmp.Equal(got, map[int64]bool{2: true, 4: true}) {
		t.Errorf("commits: %v, %v", got, err)
	}
	mark(w.MarkLooked(t.Context(), "did:plc:ada", 3))
	if seq, at, err := w.Looked(t.Context(), "did:plc:ada", time.Time{}); err != nil || seq != 3 || at.IsZero() {
		t.Errorf("looked: %d, %v, %v", seq, at, err)
	}
}

// Somebody who never reviewed begins with the changes since a time.
func TestLookedNever(t *testing.T) {
	var now time.Time
	w := newWiki(t, func() time.Time { return now })
	begin := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for i := range 6 {
		now = begin.Add(time.Duration(i/2) * time.Hour)
		must(t, w, ada, Edit{Path: "A.md", Base: BaseAny, Data: fmt.Appendf(nil, "%d\n", i)})
	}
	for since, want := range map[time.Duration]int64{-time.Hour: 0, 0: 0, time.Minute: 2, time.Hour: 2, 90 * time.Minute: 4, 3 * time.Hour: 6} {
		if seq, at, err := w.Looked(t.Context(), "did:plc:bob", begin.Add(since)); err != nil || seq != want || !at.IsZero() {
			t.Errorf("since %v: %d, %v, %v, want %d", since, seq, at, err, want)
		}
	}
}

// Of a session with many changes, a list reads a part of each commit, and says so.
func TestSessionsOfManyChanges(t *testing.T) {
	t.Parallel()
	w := newWiki(t, time.Now)
	var edits []Edit
	for i := range 20 {
		edits = append(edits, Edit{Path: fmt.Sprintf("P%d.md", i), Data: []byte("x\n")})
	}
	first := must(t, w, ada, edits...).Commit.Seq
	must(t, w, ada, Edit{Path: "One.md", Data: []byte("y\n")})
	for changes, want := range map[int][]int{10: {5, 1}, 21: {20, 1}} {
		s, err := w.readSession(t.Context(), first, 100, changes)
		if err != nil || len(s.Commits) != 2 {
			t.Fatalf("%+v, %v", s, err)
		}
		for i, c := range s.Commits {
			if len(c.Changes) != want[i] || c.Cut != (i == 0 && changes == 10) {
				t.Errorf("at most %d changes: commit %d has %d, cut %t", changes, i, len(c.Changes), c.Cut)
			}
		}
	}
}
