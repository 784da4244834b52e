package search

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	modernc "modernc.org/sqlite"
	"pgregory.net/rapid"

	"robot.wtf/internal/content"
	"robot.wtf/internal/sqlite"
	"robot.wtf/internal/wiki"
)

func TestChangesAreSearchableImmediately(t *testing.T) {
	u := newWorld(t)
	u.wantPages("heron", "")
	u.put("Birds/Heron", "grey\n", "Birds/Robin", "red\n")
	u.wantPages("heron", "Birds/Heron")
	u.put("Birds/Heron", "white\n")
	u.wantPages("grey", "")
	u.wantPages("white", "Birds/Heron")
	u.commit("bob", content.Edit{Path: "Birds/Heron/nest.jpg", Data: []byte("x")})
	u.wantPages("nest", "Birds/Heron")
	u.wantPages("author:bob", "") // uploading an attachment isn't editing the page
	u.move("Birds/Heron.md", "Birds/Egret.md")
	u.wantPages("heron", "")
	u.wantPages("white", "Birds/Egret")
	u.wantPages("author:ada", "Birds/Egret Birds/Robin")
	u.wantPages("nest", "")
	u.move("Birds/Heron/nest.jpg", "Birds/Egret/nest.jpg")
	u.wantPages("nest", "Birds/Egret")
	u.move("Birds/Egret.md", "Birds/EGRET.md") // same key
	u.wantPages("white", "Birds/EGRET")
	u.remove("birds/egret.md")
	u.wantPages("white", "")
	u.wantPages("author:ada", "Birds/Robin")
	u.wantPages("tag:x path:birds", "")
	u.commit("bob", content.Edit{Path: "Birds/Egret.md", Data: []byte("again\n")})
	u.wantPages("author:bob", "Birds/Egret") // a new page doesn't inherit the deleted page's authors
	u.wantPages("author:ada", "Birds/Robin")
	u.wantPages("nest", "Birds/Egret")
	u.commit("cleo", // swap two pages
		content.Edit{Op: content.Move, Path: "Birds/Egret.md", To: "Birds/Temporary.md"},
		content.Edit{Op: content.Move, Path: "Birds/Robin.md", To: "Birds/Egret.md"},
		content.Edit{Op: content.Move, Path: "Birds/Temporary.md", To: "Birds/Robin.md"})
	u.wantPages("red", "Birds/Egret")
	u.wantPages("author:ada", "Birds/Egret")
	u.wantPages("author:cleo", "Birds/Egret Birds/Robin")
	u.wantPages("again", "Birds/Robin")
	agent := callerNamed("bob")
	agent.Agent, agent.Client, agent.Grant = "Claude Code", "token", "g1"
	if _, err := u.w.Commit(t.Context(), content.Request{Author: agent, Limits: wiki.DefaultLimits, Edits: []content.Edit{{Path: "Birds/Wren.md", Data: []byte("small\n")}}}); err != nil {
		t.Fatal(err)
	}
	u.wantPages(`author:"claude code"`, "Birds/Wren")
	u.wantPages(`author:bob small`, "Birds/Wren")
	u.wantPages(`author:claude`, "")
	u.commit("ada", content.Edit{Path: ".hidden/Page.md", Data: []byte("unseen\n")})
	u.wantPages("unseen", "")
}

// An index that followed any commits equals a rebuilt one.
func TestCatchUpMatchesRebuild(t *testing.T) {
	setRapidChecks(t, 12, 1000)
	words := strings.Fields("frost garden sensor mast offset rain wind robin 机器人 维基 calibration calibrate running")
	pages := strings.Fields("A B C Dir/A Dir/B dir/a a Dir Dir/A/B")
	people := strings.Fields("ada bob cleo")
	rapid.Check(t, func(rt *rapid.T) {
		u := newWorld(t)
		defer u.s.Close()
		for range rapid.IntRange(1, 25).Draw(rt, "commits") {
			var edits []content.Edit
			used := map[string]bool{} // use each file once per commit
			for range rapid.IntRange(1, 3).Draw(rt, "edits") {
				path := rapid.SampledFrom(pages).Draw(rt, "page") + rapid.SampledFrom([]string{".md", ".md", ".md", "/photo.png"}).Draw(rt, "kind")
				to := rapid.SampledFrom(pages).Draw(rt, "to") + filepath.Ext(path)
				if used[wiki.Key(path)] || used[wiki.Key(to)] {
					continue
				}
				used[wiki.Key(path)], used[wiki.Key(to)] = true, true
				switch rapid.IntRange(0, 5).Draw(rt, "what") {
				default:
					text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(append(words, "\n\n# ", "#tag")), 1, 8).Draw(rt, "text"), " ")
					edits = append(edits, content.Edit{Path: path, Data: []byte(text + "\n")})
				case 1:
					edits = append(edits, content.Edit{Op: content.Delete, Path: path})
				case 2, 3:
					edits = append(edits, content.Edit{Op: content.Move, Path: path, To: to})
				}
			}
			if len(edits) == 0 {
				continue
			}
			err := commit(t.Context(), u.w, rapid.SampledFrom(people).Draw(rt, "who"), edits...)
			for _, allowed := range []error{wiki.ErrNotFound, wiki.ErrExists, wiki.ErrPrecondition, wiki.ErrConflict, wiki.ErrInvalid} {
				if errors.Is(err, allowed) {
					err = nil
				}
			}
			if err != nil {
				rt.Fatal(err)
			}
			if rapid.Bool().Draw(rt, "nudge") {
				if err := u.s.CatchUp(t.Context(), u.w); err != nil {
					rt.Fatal(err)
				}
			}
		}
		incremental := u.runQueries(rt, words, people)
		if err := u.s.Remove(t.Context(), "ada"); err != nil {
			rt.Fatal(err)
		}
		if d := cmp.Diff(u.runQueries(rt, words, people), incremental, cmpopts.EquateApprox(1e-9, 1e-9)); d != "" {
			rt.Fatalf("rebuilt (-) and incremental (+) index differ:\n%s", d)
		}
		if strings.Contains(u.log.String(), "rebuilding") {
			rt.Fatalf("an intact index was rebuilt: %s", u.log)
		}
	})
}

// runQueries returns the results of many queries.
func (u *world) runQueries(t *rapid.T, words, people []string) map[string]Results {
	queries := []string{"tag:tag", "-tag:tag", "path:Dir", "photo", "fro*", "a", "-frost", `"garden sensor"`, "frost OR rain"}
	queries = append(queries, words...)
	for _, p := range people {
		queries = append(queries, "author:"+p)
	}
	all := map[string]Results{}
	for _, q := range queries {
		r, err := u.s.Search(u.t.Context(), u.w, Query{Text: q, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for i := range r.Hits { // floats are summed in varying order
			r.Hits[i].Score = float64(int(r.Hits[i].Score*1e6)) / 1e6
		}
		all[q] = r
	}
	return all
}

// Whatever the damage to the file, queries return the same results.
func TestDamagedIndexIsRebuilt(t *testing.T) {
	u := newWorld(t)
	random := rand.New(rand.NewPCG(1, 2))
	var all []string
	for i := range 20 {
		all = append(all, fmt.Sprintf("Page_%d", i), randomProse(random, 3000))
	}
	u.put(all...)
	queries := []string{"frost", "garden mast", "offs*", `"frost garden"`, "page_7", "tag:none", "author:ada"}
	searchAll := func() (list []string) {
		for _, q := range queries {
			list = append(list, foundPages(u.search(q)))
		}
		return list
	}
	want := searchAll()
	file := filepath.Join(u.dir, "ada", "index.db")
	rewrite := func(change func(b []byte) []byte) func() {
		return func() {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, change(b), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	statement := func(query string) func() {
		return func() {
			db, err := sqlite.Open(file, openOptions)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(query); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, damage := range map[string]func(){
		"deleted":           func() { os.Remove(file) },
		"empty":             rewrite(func([]byte) []byte { return nil }),
		"truncated in half": rewrite(func(b []byte) []byte { return b[:len(b)/2] }),
		"truncated":         rewrite(func(b []byte) []byte { return b[:len(b)/3+1234] }),
		"garbage":           rewrite(func(b []byte) []byte { return []byte(strings.Repeat("garbage ", 4000)) }),
		"garbage inside": rewrite(func(b []byte) []byte {
			return append(b[:9000], append(make([]byte, len(b)-20000), b[len(b)-11000:]...)...)
		}),
		"no header":       rewrite(func(b []byte) []byte { copy(b, make([]byte, 100)); return b }),
		"other version":   statement("PRAGMA user_version = 999"),
		"other tables":    statement("DROP TABLE postings"),
		"no cursor":       statement("DELETE FROM meta"),
		"other wiki":      statement("UPDATE meta SET wiki = 'bob'"),
		"cursor too high": statement("UPDATE meta SET seq = 99"),
		"other history":   statement("UPDATE meta SET head = '1234'"),
		"torn": func() {
			rewrite(func(b []byte) []byte { random.Perm(1); copy(b[len(b)/2:], make([]byte, 5000)); return b })()
			os.WriteFile(file+"-wal", []byte("torn"), 0o600)
		},
	} {
		if err := u.s.Close(); err != nil {
			t.Fatal(err)
		}
		damage()
		u.log.Reset()
		u.s = u.newService()
		if d := cmp.Diff(want, searchAll()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if log := u.log.String(); strings.Count(log, "rebuilding") != 1 && name != "deleted" && name != "empty" {
			t.Errorf("%s: log is %q", name, log)
		}
	}
}

// Damage to an open index is repaired as well.
func TestDamageWhileOpenIsRepaired(t *testing.T) {
	u := newWorld(t)
	u.put("Home", "frost\n")
	u.wantPages("frost", "Home")
	file := filepath.Join(u.dir, "ada", "index.db")
	if err := os.WriteFile(file, []byte(strings.Repeat("garbage ", 9000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		u.put(fmt.Sprintf("Page_%d", i), "frost\n")
		if n := u.search("frost").Total; n != i+2 {
			t.Errorf("found %d pages, want %d", n, i+2)
		}
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		os.Remove(file + suffix)
	}
	for i := range 5 {
		u.put(fmt.Sprintf("More_%d", i), "frost\n")
		if n := u.search("frost").Total; n != i+7 {
			t.Errorf("found %d pages, want %d", n, i+7)
		}
	}
}

// A wiki that is deleted and created again has nothing from the old one, even if
// the old index was never removed.
func TestRecreatedWiki(t *testing.T) {
	u := newWorld(t)
	ctx := t.Context()
	first := u.createWiki("cleo")
	for i := range 3 {
		if err := commit(ctx, first, "cleo", content.Edit{Path: fmt.Sprintf("Page_%d.md", i), Data: []byte("canary\n")}); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := u.s.Search(ctx, first, Query{Text: "canary"}); err != nil || r.Total != 3 {
		t.Fatal(r.Total, err)
	}
	for n := range 5 { // fewer commits than the old wiki, as many, and more
		if err := u.pool.Delete(ctx, "cleo"); err != nil {
			t.Fatal(err)
		}
		again := u.createWiki("cleo")
		for i := range n {
			if err := commit(ctx, again, "cleo", content.Edit{Path: fmt.Sprintf("New_%d.md", i), Data: []byte("other\n")}); err != nil {
				t.Fatal(err)
			}
		}
		if r, err := u.s.Search(ctx, again, Query{Text: "canary"}); err != nil || r.Total != 0 {
			t.Errorf("after %d commits: old text finds %s, err %v", n, foundPages(r), err)
		}
		if r, err := u.s.Search(ctx, again, Query{Text: "other"}); err != nil || r.Total != n {
			t.Errorf("found %d pages, want %d, err %v", r.Total, n, err)
		}
	}
	if err := u.s.Remove(ctx, "cleo"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(u.dir, "cleo", "index.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a removed index still exists: %v", err)
	}
	if err := u.s.Remove(ctx, "../ada"); !errors.Is(err, wiki.ErrInvalid) {
		t.Errorf("Remove of an invalid slug: %v", err)
	}
}

// With concurrent queries, saves and rebuilds, every result includes all saves
// acknowledged before the query.
func TestConcurrentSearchAndSave(t *testing.T) {
	u := newWorld(t)
	var saved atomic.Int64
	var group sync.WaitGroup
	group.Go(func() {
		for i := range 60 {
			if err := commit(t.Context(), u.w, "ada", content.Edit{Path: fmt.Sprintf("Page_%d.md", i), Data: []byte("frost\n")}); err != nil {
				t.Error(err)
			}
			saved.Add(1)
			if i == 30 { // remove the index halfway
				x, release, err := u.s.acquireIndex("ada")
				if err != nil {
					t.Error(err)
				}
				x.mu.RLock()
				generation := x.generation
				x.mu.RUnlock()
				if err := x.rebuild(generation, errStale); err != nil {
					t.Error(err)
				}
				release()
			}
		}
	})
	for range 4 {
		group.Go(func() {
			for saved.Load() < 60 {
				before := saved.Load()
				r, err := u.s.Search(t.Context(), u.w, Query{Text: "frost", Limit: 1})
				if err != nil || int64(r.Total) < before {
					t.Errorf("found %d pages, want at least %d: %v", r.Total, before, err)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestOpenIndexesAreBounded(t *testing.T) {
	u := newWorld(t)
	u.s = New(Options{Dir: u.dir, MaxOpen: 2})
	for round := range 2 {
		for i := range 5 {
			slug := fmt.Sprintf("wiki-%d", i)
			var w *content.Wiki
			if round == 0 {
				w = u.createWiki(slug)
				if err := commit(t.Context(), w, "ada", content.Edit{Path: "Home.md", Data: []byte(slug)}); err != nil {
					t.Fatal(err)
				}
			} else {
				var release func()
				var err error
				if w, release, err = u.pool.Open(t.Context(), slug); err != nil {
					t.Fatal(err)
				}
				defer release()
			}
			if r, err := u.s.Search(t.Context(), w, Query{Text: slug}); err != nil || r.Total != 1 {
				t.Errorf("%s: found %d pages, err %v", slug, r.Total, err)
			}
			if n := len(u.s.open); n > 2 {
				t.Errorf("%d indexes are open, want at most 2", n)
			}
		}
	}
	if err := u.s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := u.s.Search(t.Context(), u.w, Query{Text: "x"}); err == nil {
		t.Error("a closed service returns results")
	}
}

// A canceled query doesn't stop the index from catching up.
func TestCanceledSearch(t *testing.T) {
	u := newWorld(t)
	u.put("Home", "frost\n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := u.s.Search(ctx, u.w, Query{Text: "frost"}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled search: %v", err)
	}
	u.wantPages("frost", "Home")
	if u.log.Len() > 0 {
		t.Error(u.log)
	}
}

// The number of SQL statements per query and per save doesn't grow with the
// wiki.
func TestStatementCountIsConstant(t *testing.T) {
	u := newWorld(t)
	u.put("Home", "frost nought\n", "Other", "frost fr\n")
	u.search("frost")
	x := u.s.open["ada"]
	counted := &statementCounter{file: x.file}
	if err := errors.Join(x.reads.Close(), x.db.Close()); err != nil {
		t.Fatal(err)
	}
	x.db = sql.OpenDB(counted)
	x.reads = sqlite.NewStatements(x.db, keptStatements)
	saves := 0
	count := func() map[string]int64 {
		counts := map[string]int64{}
		for _, q := range []string{"frost", "frost tag:x OR tag:y", "zyzzyva fr", "path:H*"} {
			counted.n.Store(0)
			if _, err := u.s.Search(t.Context(), u.w, Query{Text: q, Limit: 2}); err != nil {
				t.Fatal(err)
			}
			counts[q] = counted.n.Load()
		}
		u.put("Home", "frost "+[]string{"once", "twice"}[saves]+"\n")
		saves++
		counted.n.Store(0)
		if err := u.s.CatchUp(t.Context(), u.w); err != nil {
			t.Fatal(err)
		}
		counts["a save"] = counted.n.Load()
		return counts
	}
	few := count()
	var all []string
	for i := range 200 {
		all = append(all, fmt.Sprintf("Page_%d", i), "frost mast fr\n")
	}
	u.put(all...)
	u.search("frost")
	if d := cmp.Diff(few, count()); d != "" {
		t.Errorf("statements with 2 pages (-) and with 202 (+):\n%s", d)
	}
	if few["frost"] == 0 || few["frost"] > 4 || few["a save"] == 0 {
		t.Errorf("statement counts are %v", few)
	}
}

// A statementCounter is a SQLite connector that counts executed statements.
type statementCounter struct {
	file string
	n    atomic.Int64
}

func (c *statementCounter) Driver() driver.Driver { return &modernc.Driver{} }

func (c *statementCounter) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.Driver().Open("file:" + c.file)
	return countedConn{conn, c}, err
}

type countedConn struct {
	driver.Conn
	c *statementCounter
}

func (c countedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	return countedStmt{s, c.c}, err
}

type countedStmt struct {
	driver.Stmt
	c *statementCounter
}

func (s countedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.c.n.Add(1)
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

func (c countedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.c.n.Add(1)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c countedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.c.n.Add(1)
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

// Attack: pages of many wikis, each slow to parse, are indexed and looked for at once,
// so that every processor is busy. Another wiki's page is parsed when its turn comes,
// and one wiki takes one slot only.
func TestDocumentsTakeTurns(t *testing.T) {
	u := newWorld(t)
	u.useModel(&fakeModel{})
	u.put("Home", "frost\n")
	var held []func()
	for i := range max(2, runtime.GOMAXPROCS(0)) {
		slug := fmt.Sprint("eve", i)
		release, ok := u.s.documents.TryAcquire(slug)
		if !ok {
			t.Fatalf("%s has no slot", slug)
		}
		if _, ok := u.s.documents.TryAcquire(slug); ok {
			t.Errorf("%s has two", slug)
		}
		held = append(held, release)
	}
	indexed := make(chan error, 1)
	go func() { indexed <- u.s.CatchUp(t.Context(), u.w) }()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := u.s.Similar(ctx, u.w, "New", "canine dog\n", 5); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("looking for similar pages doesn't wait: %v", err)
	}
	select {
	case err := <-indexed:
		t.Fatalf("indexing doesn't wait: %v", err)
	default:
	}
	held[0]()
	if err := <-indexed; err != nil {
		t.Error(err)
	}
}
