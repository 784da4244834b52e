package content

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/markdown"
	"robot.wtf/internal/wiki"
)

var (
	ada = wiki.Caller{User: wiki.User{DID: "did:plc:ada", Username: "ada"}}
	bob = wiki.Caller{User: wiki.User{DID: "did:plc:bob", Username: "bob"}}
	bot = wiki.Caller{User: ada.User, Agent: "Claude Code", Client: "token", Grant: "g1"}
)

// longTests reports whether tests should run at full length (./check --long).
func longTests() bool { return os.Getenv("ROBOT_LONG") != "" }

// A clock is a test's clock.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

func openPool(t testing.TB, dir string, now func() time.Time) *Pool {
	t.Helper()
	p, err := NewPool(Options{Dir: dir, Now: now, Links: func(name wiki.PageName, src []byte) []wiki.Link { return markdown.ExtractFacts(name, src).Links }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// newWiki makes an empty wiki called ada.
func newWiki(t testing.TB, now func() time.Time) *Wiki {
	t.Helper()
	w, release := createWiki(t, openPool(t, t.TempDir(), now))
	t.Cleanup(release)
	return w
}

// createWiki makes an empty wiki called ada in a pool.
func createWiki(t testing.TB, p *Pool) (w *Wiki, release func()) {
	t.Helper()
	if err := p.Create(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	w, release, err := p.Open(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	return w, release
}

func do(w *Wiki, who wiki.Caller, edits ...Edit) (Result, error) {
	return w.Commit(context.Background(), Request{Author: who, Limits: wiki.DefaultLimits, Edits: edits})
}

func must(t testing.TB, w *Wiki, who wiki.Caller, edits ...Edit) Result {
	t.Helper()
	r, err := do(w, who, edits...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func text(t testing.TB, w *Wiki, path string) string {
	t.Helper()
	_, data, err := w.Read(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestSaveMergesAndConflicts(t *testing.T) {
	w := newWiki(t, time.Now)
	first := must(t, w, ada, Edit{Path: "Home.md", Data: []byte("a\nb\nc\nd\ne\n")})
	base := first.Files[0].Blob
	if !first.Files[0].Created || first.Commit.Seq != 1 || len(first.Commit.Parents) != 0 {
		t.Errorf("first commit: %+v", first)
	}
	must(t, w, bob, Edit{Path: "Home.md", Base: base, Data: []byte("a\nb\nc\nd\nE\n")})

	merged := must(t, w, ada, Edit{Path: "home.md", Base: base, Data: []byte("A\nb\nc\nd\ne\n")})
	if got := text(t, w, "Home.md"); got != "A\nb\nc\nd\nE\n" || !merged.Files[0].Merged || merged.Files[0].Path != "Home.md" {
		t.Errorf("merged to %q, %+v", got, merged.Files)
	}
	head, _ := w.Head()

	yours := []byte("a\nb\nc\nd\nX\n")
	_, err := do(w, ada, Edit{Path: "Home.md", Base: base, Data: yours})
	var met *wiki.ConflictError
	if !errors.As(err, &met) {
		t.Fatalf("conflicting save: %v", err)
	}
	want := &wiki.ConflictError{Path: "Home.md", BaseBlob: base, Base: []byte("a\nb\nc\nd\ne\n"), TheirBlob: merged.Files[0].Blob,
		Theirs: []byte("A\nb\nc\nd\nE\n"), Yours: yours, Merged: []byte("A\nb\nc\nd\nX\n"), Places: 1,
		Hunks: []wiki.Hunk{{BaseLine: 5, TheirLine: 5, YourLine: 5, Base: "e\n", Theirs: "E\n", Yours: "X\n"}}}
	if diff := cmp.Diff(want, met); diff != "" {
		t.Errorf("conflict (-want +got):\n%s", diff)
	}
	if _, err := do(w, ada, Edit{Path: "Home.md", Base: base, Data: yours, Strict: true}); !errors.Is(err, wiki.ErrPrecondition) {
		t.Errorf("strict stale save: %v", err)
	}
	if _, err := do(w, ada, Edit{Path: "Home.md", Base: strings.Repeat("1", 40), Data: yours}); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("save from an unknown revision: %v", err)
	}
	if _, err := do(w, ada, Edit{Path: "Home.md", Data: yours}); !errors.As(err, &met) || met.BaseBlob != "" {
		t.Errorf("creating a file that exists: %v", err)
	}
	if now, _ := w.Head(); now != head {
		t.Errorf("failed saves moved the head from %d to %d", head, now)
	}
	same := must(t, w, bob, Edit{Path: "Home.md", Base: base, Data: []byte("A\nb\nc\nd\nE\n")})
	if now, _ := w.Head(); !same.Unchanged || now != head || same.Commit.ID != merged.Commit.ID {
		t.Errorf("saving the same text: %+v", same)
	}
}

func TestSaveFollowsMovesAndKeepsTextOfDeletedPages(t *testing.T) {
	w := newWiki(t, time.Now)
	base := must(t, w, ada, Edit{Path: "Old.md", Data: []byte("one\ntwo\nthree\n")}).Files[0].Blob
	moved := must(t, w, bob, Edit{Op: Move, Path: "Old.md", To: "Folder/New.md", Base: base})
	if diff := cmp.Diff([]wiki.Change{{Path: "Folder/New.md", From: "Old.md", Kind: wiki.Moved, Old: base, New: base}}, moved.Commit.Changes); diff != "" {
		t.Errorf("changes of a move (-want +got):\n%s", diff)
	}
	saved := must(t, w, ada, Edit{Path: "Old.md", Base: base, Data: []byte("one\ntwo\nthree\nfour\n")})
	if saved.Files[0].Path != "Folder/New.md" || text(t, w, "Folder/New.md") != "one\ntwo\nthree\nfour\n" {
		t.Errorf("saved to %+v", saved.Files)
	}
	if to, err := w.MovedTo(t.Context(), "old.md"); err != nil || to != "Folder/New.md" {
		t.Errorf("MovedTo = %q, %v", to, err)
	}
	history, err := w.History(t.Context(), "Folder/New.md", 0, 0)
	if err != nil || len(history) != 3 || history[2].Path != "Old.md" {
		t.Errorf("history through the move: %+v, %v", history, err)
	}
	must(t, w, bob, Edit{Op: Delete, Path: "Folder/New.md", Base: saved.Files[0].Blob})
	_, err = do(w, ada, Edit{Path: "Folder/New.md", Base: saved.Files[0].Blob, Data: []byte("mine\n")})
	var met *wiki.ConflictError
	if !errors.As(err, &met) || !met.Deleted || string(met.Yours) != "mine\n" {
		t.Errorf("saving a deleted page: %v", err)
	}
	if _, err := w.MovedTo(t.Context(), "Old.md"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a move to a deleted page leads somewhere: %v", err)
	}
	// A new page with the old name has its own history.
	must(t, w, ada, Edit{Path: "Old.md", Data: []byte("new\n")})
	if f, _, err := w.ReadAt(t.Context(), "Old.md", moved.Commit.ID); !errors.Is(err, wiki.ErrNotFound) && f.Path == "Old.md" {
		t.Errorf("the new page existed before it was created: %+v", f)
	}
}

func TestRevisions(t *testing.T) {
	w := newWiki(t, time.Now)
	a := must(t, w, ada, Edit{Path: "Page.md", Data: []byte("first\n")})
	b := must(t, w, bob, Edit{Path: "Page.md", Base: a.Files[0].Blob, Data: []byte("second\n")})
	must(t, w, ada, Edit{Path: "Other.md", Data: []byte("other\n")})
	c := must(t, w, ada, Edit{Op: Move, Path: "Page.md", To: "Moved.md", Base: b.Files[0].Blob})
	for _, tt := range []struct {
		path, revision, want, wantPath string
		err                            error
	}{
		{"Moved.md", a.Commit.ID, "first\n", "Page.md", nil},
		{"Moved.md", a.Commit.ID[:7], "first\n", "Page.md", nil},
		{"Page.md", b.Commit.ID[:12], "second\n", "Page.md", nil},
		{"Moved.md", b.Files[0].Blob[:8], "second\n", "Moved.md", nil},
		{"Moved.md", strings.ToUpper(a.Files[0].Blob[:10]), "first\n", "Page.md", nil},
		{"Moved.md", c.Commit.ID, "second\n", "Moved.md", nil},
		{"Other.md", a.Commit.ID, "", "", wiki.ErrNotFound},
		{"Moved.md", a.Commit.ID[:6], "", "", wiki.ErrInvalid},
		{"Moved.md", "--upload-pack", "", "", wiki.ErrInvalid},
		{"Moved.md", "0000000000", "", "", wiki.ErrNotFound},
		{"Nowhere.md", a.Commit.ID, "", "", wiki.ErrNotFound},
	} {
		f, data, err := w.ReadAt(t.Context(), tt.path, tt.revision)
		if !errors.Is(err, tt.err) || string(data) != tt.want || f.Path != tt.wantPath {
			t.Errorf("At(%s, %s) = %q %q, %v", tt.path, tt.revision, f.Path, data, err)
		}
	}
}

func TestFileAndFolderNamesDiffer(t *testing.T) {
	w := newWiki(t, time.Now)
	must(t, w, ada, Edit{Path: "Design/plan", Data: []byte("x")})
	for _, path := range []string{"Design", "Design/plan/more.md", "design/PLAN/x/y.png"} {
		if _, err := do(w, ada, Edit{Path: path, Data: []byte("y")}); !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("put %s beside Design/plan: %v", path, err)
		}
	}
	must(t, w, ada, Edit{Path: "Design.md", Data: []byte("a page and its folder may share a name\n")})
}

func TestQuotas(t *testing.T) {
	w := newWiki(t, time.Now)
	content := func(size int) string { return strings.Repeat("x", size-1) + "\n" }
	limits := wiki.Limits{Pages: 2, Files: 3, CurrentBytes: 100, PageBytes: 60, AttachmentBytes: 70}
	limits.HistoryBytes = storedBytes(content(60), content(40), content(10), content(30)) + 1
	save := func(path, base string, size int) error {
		_, err := w.Commit(t.Context(), Request{Author: ada, Limits: limits, Edits: []Edit{{Path: path, Base: base, Data: []byte(content(size))}}})
		return err
	}
	blob := func(path string) string { f, _ := w.Lookup(t.Context(), path); return f.Blob }
	for _, step := range []struct {
		what, path string
		size       int
		err        error
	}{
		{"a page of exactly the limit", "A.md", 60, nil},
		{"a page one byte larger", "B.md", 61, wiki.ErrTooLarge},
		{"the second page, to the byte", "B.md", 40, nil},
		{"a third page", "C.md", 1, wiki.ErrQuota},
		{"one byte more", "B.md", 41, wiki.ErrQuota},
		{"a smaller page, which always fits", "B.md", 10, nil},
		{"a file over its limit", "A/f.png", 71, wiki.ErrTooLarge},
		{"a file within all limits", "A/f.png", 30, nil},
		{"an upload beyond the history", "A/g.png", 11, wiki.ErrQuota},
		{"a page beyond the history", "B.md", 9, nil},
		{"a file that is stored already, beyond the limit on files", "A/h.png", 30, wiki.ErrQuota},
	} {
		if err := save(step.path, blob(step.path), step.size); !errors.Is(err, step.err) || step.err == nil && err != nil {
			t.Errorf("%s: %v", step.what, err)
		}
	}
	want := Stats{Pages: 2, Files: 3, CurrentBytes: 60 + 9 + 30, HistoryBytes: limits.HistoryBytes - 1 + storedBytes(content(9))}
	if got, err := w.Stats(t.Context()); err != nil || got != want {
		t.Errorf("stats %+v, want %+v (%v)", got, want, err)
	}
}

func TestIdempotency(t *testing.T) {
	c := newClock()
	w := newWiki(t, c.Now)
	request := Request{Author: ada, Limits: wiki.DefaultLimits, IdempotencyKey: "k", IdempotencyHash: "h", Edits: []Edit{{Path: "A.md", Data: []byte("a\n")}}}
	first, err := w.Commit(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.Commit(t.Context(), request)
	if err != nil || !again.Replayed || again.Commit.ID != first.Commit.ID || !again.Files[0].Created {
		t.Errorf("replay: %+v, %v", again, err)
	}
	other := request
	other.IdempotencyHash = "h2"
	if _, err := w.Commit(t.Context(), other); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("the key for another request: %v", err)
	}
	foreign := request
	foreign.Author = bob
	if _, err := w.Commit(t.Context(), foreign); err != nil {
		var met *wiki.ConflictError
		if !errors.As(err, &met) {
			t.Errorf("another person's key: %v", err)
		}
	}
	c.add(24*time.Hour + time.Second)
	late, err := w.Commit(t.Context(), request)
	if err != nil || late.Replayed || !late.Unchanged {
		t.Errorf("after a day: %+v, %v", late, err)
	}
}

func TestClockNeverRunsBackwardsInHistory(t *testing.T) {
	c := newClock()
	w := newWiki(t, c.Now)
	must(t, w, ada, Edit{Path: "A.md", Data: []byte("1\n")})
	c.add(-10 * 365 * 24 * time.Hour)
	must(t, w, ada, Edit{Path: "B.md", Data: []byte("2\n")})
	log, err := w.Log(t.Context(), LogFilter{})
	if err != nil || log[0].Time.Before(log[1].Time) || log[0].Seq != 2 {
		t.Errorf("log %+v, %v", log, err)
	}
}

func TestAttributionComesFromTheCaller(t *testing.T) {
	w := newWiki(t, time.Now)
	r, err := w.Commit(t.Context(), Request{Author: bot, Message: "Note\n\nAgent: Somebody Else\nGrant: forged", Limits: wiki.DefaultLimits, Edits: []Edit{{Path: "A.md", Data: []byte("1\n")}}})
	if err != nil {
		t.Fatal(err)
	}
	want := wiki.Author{Username: "ada", DID: "did:plc:ada", Agent: "Claude Code", Client: "token", Grant: "g1"}
	got, err := w.CommitByID(t.Context(), r.Commit.ID[:7])
	if err != nil || got.Author != want || got.Message != "Note" {
		t.Errorf("author %+v of %q, %v", got.Author, got.Message, err)
	}
	var raw []byte
	if err := w.queryRow(t.Context(), "SELECT raw FROM commits WHERE wiki = $1 AND seq = 1", w.slug).Scan(&raw); err != nil || strings.Contains(string(raw), "forged") || strings.Count(string(raw), "\nAgent: ") != 1 {
		t.Errorf("the commit is %q, %v", raw, err)
	}
}

func TestLinks(t *testing.T) {
	w := newWiki(t, time.Now)
	must(t, w, ada, Edit{Path: "A.md", Data: []byte("[[Getting Started]] and ![[x.png]] #Tag\n")})
	must(t, w, ada, Edit{Path: "B.md", Data: []byte("[g](/getting_started#there)\n")})
	links, err := w.LinksByKey(t.Context(), wiki.PageKeys("Getting_Started.md", nil))
	if err != nil || len(links) != 2 || links[0].From != "A" || links[1].From != "B" {
		t.Errorf("links to: %+v, %v", links, err)
	}
	if links, err := w.LinksByKey(t.Context(), wiki.PageKeys("x.png", nil)); err != nil || len(links) != 1 {
		t.Errorf("links to the file: %+v, %v", links, err)
	}
	must(t, w, ada, Edit{Op: Delete, Path: "A.md", Base: BaseAny})
	if links, err := w.AllLinks(t.Context()); err != nil || len(links) != 1 {
		t.Errorf("links after a deletion: %+v, %v", links, err)
	}
}

// HasDraft answers from memory until something is written.
func TestHasDraft(t *testing.T) {
	w := newWiki(t, newClock().Now)
	const did = "did:plc:ada"
	want := func(path string, has bool) {
		t.Helper()
		for range 2 { // read, then remembered
			if got, err := w.HasDraft(t.Context(), did, path); err != nil || got != has {
				t.Errorf("HasDraft(%s) = %v, %v", path, got, err)
			}
		}
	}
	save := func(path string) {
		t.Helper()
		if err := w.SaveDraft(t.Context(), did, Draft{Path: path}); err != nil {
			t.Fatal(err)
		}
	}
	want("A.md", false)
	save("A.md")
	want("A.md", true)
	want("a.md", true)
	want("B.md", false)
	if err := w.DropDraft(t.Context(), did, "A.md"); err != nil {
		t.Fatal(err)
	}
	want("A.md", false)
	save("B.md")
	want("B.md", true)
	if err := w.ForgetUser(t.Context(), did); err != nil {
		t.Fatal(err)
	}
	want("B.md", false)
	if has, err := w.HasDraft(t.Context(), "did:plc:bob", "B.md"); err != nil || has {
		t.Errorf("another person has the draft: %v", err)
	}
	for n := range 2 * maxDraftAnswers {
		want(fmt.Sprint("Page ", n, ".md"), false)
	}
	if n := len(w.drafted.has); n > maxDraftAnswers {
		t.Errorf("%d answers are kept", n)
	}
}

func TestDrafts(t *testing.T) {
	c := newClock()
	w := newWiki(t, c.Now)
	for n := range maxDrafts + 5 {
		c.add(time.Second)
		if err := w.SaveDraft(t.Context(), "did:plc:ada", Draft{Path: fmt.Sprintf("P%d.md", n), Text: fmt.Appendf(nil, "draft %d", n)}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := w.Drafts(t.Context(), "did:plc:ada")
	if err != nil || len(list) != maxDrafts || list[0].Path != fmt.Sprintf("P%d.md", maxDrafts+4) {
		t.Errorf("%d drafts, %v", len(list), err)
	}
	if _, err := w.Draft(t.Context(), "did:plc:bob", "P9.md"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("another person's draft: %v", err)
	}
	if _, err := w.Commit(t.Context(), Request{Author: ada, Limits: wiki.DefaultLimits, DropDraft: "p9.md", Edits: []Edit{{Path: "P9.md", Data: []byte("saved\n")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Draft(t.Context(), "did:plc:ada", "P9.md"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("the draft still exists after the save: %v", err)
	}
}

func TestPool(t *testing.T) {
	p := openPool(t, t.TempDir(), time.Now)
	p.o.MaxOpen = 3
	ctx := t.Context()
	for n := range 10 {
		slug := fmt.Sprintf("wiki-%d", n)
		if err := p.Create(ctx, slug); err != nil {
			t.Fatal(err)
		}
		w, release, err := p.Open(ctx, slug)
		if err != nil {
			t.Fatal(err)
		}
		must(t, w, ada, Edit{Path: "Home.md", Data: []byte(slug)})
		release()
		release() // calling it twice is harmless
	}
	if len(p.open) > 3 {
		t.Errorf("%d wikis are open", len(p.open))
	}
	if err := p.Create(ctx, "wiki-1"); !errors.Is(err, wiki.ErrExists) {
		t.Errorf("creating twice: %v", err)
	}
	if err := p.Create(ctx, "../evil"); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("creating outside: %v", err)
	}
	for _, slug := range []string{"missing", "", "..", "wiki-1/../wiki-2"} {
		if _, _, err := p.Open(ctx, slug); !errors.Is(err, wiki.ErrNotFound) {
			t.Errorf("open %q: %v", slug, err)
		}
	}
	w, release, err := p.Open(ctx, "wiki-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Delete(ctx, "wiki-1"); err != nil {
		t.Fatal(err)
	}
	release()
	if _, _, err := p.Open(ctx, "wiki-1"); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("a deleted wiki opens: %v", err)
	}
	_ = w
}

// TestQueryPlans: the cost of a page's history or links must not grow with the wiki,
// so each of these queries has to use more of an index than the wiki's slug.
func TestQueryPlans(t *testing.T) {
	w := newWiki(t, time.Now)
	must(t, w, ada, Edit{Path: "A.md", Data: []byte("[[B]]\n")})
	must(t, w, ada, Edit{Op: Move, Path: "A.md", To: "C.md", Base: BaseAny})
	w.History(t.Context(), "C.md", 0, 0)
	w.MovedTo(t.Context(), "A.md")
	w.LinksByKey(t.Context(), wiki.PageKeys("B.md", nil))
	w.Aliases(t.Context(), "B.md")
	w.Lookup(t.Context(), "C.md")
	w.CommitByID(t.Context(), strings.Repeat("0", 40))
	must(t, w, bot, Edit{Path: "D.md", Data: []byte("x")})
	w.Authors(t.Context())
	w.HistoryBy(t.Context(), "C.md", LogFilter{Author: "Claude Code"})
	w.Log(t.Context(), LogFilter{Author: "Claude Code"})
	w.Log(t.Context(), LogFilter{Author: "ada"})
	w.Log(t.Context(), LogFilter{})
	w.Log(t.Context(), LogFilter{After: 1, Ascending: true})
	w.Log(t.Context(), LogFilter{PathPrefix: "C"})
	w.HasOnlySeeds(t.Context())
	w.EditsByGrant(t.Context())
	for _, query := range w.reads.Queries() {
		if !strings.HasPrefix(query, "SELECT") || strings.Contains(query, "FROM meta") || strings.Contains(query, "SELECT blob, why FROM withheld") { // read whole when a wiki is opened
			continue
		}
		parameters := 0
		for strings.Contains(query, fmt.Sprintf("$%d", parameters+1)) {
			parameters++
		}
		rows, err := w.db.Query("EXPLAIN QUERY PLAN "+query, make([]any, parameters)...)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			rows.Scan(&id, &parent, &unused, &detail)
			if strings.HasPrefix(detail, "SCAN") && !strings.HasPrefix(detail, "SCAN CONSTANT") && !strings.HasPrefix(detail, "SCAN (") && detail != "SCAN first" /* two rows */ && !strings.HasPrefix(detail, "SCAN json_each") || strings.HasSuffix(detail, "(wiki=?)") && !strings.Contains(detail, "COVERING INDEX commits_grant") { // the counting query reads only this index
				t.Errorf("%s\n\tfor %s", detail, query)
			}
		}
		rows.Close()
	}
}

// Find, which can answer from memory, agrees with Lookup after any edits.
func TestFindAgreesWithLookup(t *testing.T) {
	w := newWiki(t, time.Now)
	r := rand.New(rand.NewPCG(3, 4))
	paths := []string{"A.md", "a.md", "B.md", "Folder/C.md", "x.png"}
	for i := range 300 {
		var edits []Edit
		for range 1 + r.IntN(2) {
			path := paths[r.IntN(len(paths))]
			edits = append(edits, []Edit{
				{Op: Put, Path: path, Data: fmt.Append(nil, r.IntN(3)), Base: BaseAny},
				{Op: Put, Path: path, Data: fmt.Append(nil, i), Base: BaseAny},
				{Op: Delete, Path: path, Base: BaseAny},
				{Op: Move, Path: path, To: paths[r.IntN(len(paths))], Base: BaseAny},
			}[r.IntN(4)])
		}
		_, failed := do(w, ada, edits...)
		for _, path := range paths {
			want, errWant := w.Lookup(t.Context(), path)
			got, errGot := w.Find(t.Context(), path)
			want = wiki.File{Path: want.Path, Blob: want.Blob, Mode: want.Mode, Size: want.Size, Seq: want.Seq} // the fields that Find fills in
			if (errWant == nil) != (errGot == nil) || errGot == nil && got != want {
				t.Fatalf("after edits %d (%v) %+v: %s is %+v (%v), found as %+v (%v)", i, failed, edits, path, want, errWant, got, errGot)
			}
		}
	}
}
