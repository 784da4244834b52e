package service

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"robot.wtf/internal/background"
	"robot.wtf/internal/config"
	"robot.wtf/internal/content"
	"robot.wtf/internal/search"
	"robot.wtf/internal/watch"
	"robot.wtf/internal/wiki"
)

// A panicWorld is a service whose jobs on one wiki panic.
type panicWorld struct {
	*Service
	t   *testing.T
	dir string
	log *syncBuffer

	mu     sync.Mutex
	broken string           // slug of the wiki whose jobs panic
	ran    []background.Job // the jobs on that wiki that started
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (w *panicWorld) open(version string) {
	w.t.Helper()
	cfg, err := config.Dev("127.0.0.1:0", w.dir, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg.NoSemanticSearch = true
	origins, err := cfg.Origins(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Service, err = Open(w.t.Context(), Options{
		Config: cfg, Origins: origins, Version: version, Now: time.Now, Log: slog.New(slog.NewTextHandler(w.log, nil)), beforeJob: w.beforeJob,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *panicWorld) reopen(version string) {
	w.t.Helper()
	if err := w.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.ran = nil
	w.mu.Unlock()
	w.open(version)
}

func (w *panicWorld) beforeJob(j background.Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if j.Item == "" || j.Wiki != "ada" {
		return
	}
	w.ran = append(w.ran, j)
	if w.broken == "ada" {
		panic("a bug in " + j.Work)
	}
}

// works returns the kinds of jobs that started on the broken wiki.
func (w *panicWorld) works() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var works []string
	for _, j := range w.ran {
		works = append(works, j.Work)
	}
	slices.Sort(works)
	return strings.Join(slices.Compact(works), " ")
}

func (w *panicWorld) wiki(slug string) (*content.Wiki, func()) {
	w.t.Helper()
	c, release, err := w.Content.Open(w.t.Context(), slug)
	if err != nil {
		w.t.Fatal(err)
	}
	return c, release
}

func (w *panicWorld) save(slug, page, text string) {
	w.t.Helper()
	c, release := w.wiki(slug)
	defer release()
	_, err := c.Commit(w.t.Context(), content.Request{
		Author: wiki.Caller{User: wiki.User{DID: "did:plc:" + slug, Username: slug}}, Limits: wiki.DefaultLimits,
		Edits: []content.Edit{{Path: page + ".md", Data: []byte(text), Base: content.BaseAny}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// find returns how many pages of a wiki have a word.
func (w *panicWorld) find(slug, word string) int {
	w.t.Helper()
	c, release := w.wiki(slug)
	defer release()
	r, err := w.Search.Search(w.t.Context(), c, search.Query{Text: word})
	if err != nil {
		w.t.Fatalf("search in %s: %v", slug, err)
	}
	return r.Total
}

// Jobs that panic are logged, counted and alarmed. The service goes on, with other
// wikis as before; a restart doesn't meet the same input again, but another version
// of the program does.
func TestPanicsInBackgroundWork(t *testing.T) {
	t.Parallel()
	w := &panicWorld{t: t, dir: t.TempDir(), log: &syncBuffer{}}
	w.open("v1")
	defer func() { w.Close() }()
	for _, slug := range []string{"ada", "bob"} {
		if err := w.Store.CreateSite(t.Context(), wiki.User{DID: "did:plc:" + slug, Handle: slug + ".test"}, slug, nil, 1); err != nil {
			t.Fatal(err)
		}
		if err := w.Content.Create(t.Context(), slug); err != nil {
			t.Fatal(err)
		}
		w.save(slug, "Old", "copper")
		if n := w.find(slug, "copper"); n != 1 {
			t.Fatalf("%s has %d pages", slug, n)
		}
		if _, err := w.Exports.CatchUp(t.Context(), slug); err != nil {
			t.Fatal(err)
		}
	}
	if c := w.checkPanics(t.Context()); len(c) != 0 {
		t.Errorf("alarm before any panic: %v", c)
	}

	w.mu.Lock()
	w.broken = "ada"
	w.mu.Unlock()
	use := func() {
		t.Helper()
		if n := w.find("ada", "copper"); n != 1 {
			t.Errorf("the broken wiki's index lost its last state: %d pages", n)
		}
		if _, err := w.Exports.CatchUp(t.Context(), "ada"); err == nil {
			t.Error("the export succeeded")
		}
		if err := w.Exports.Repack(t.Context(), "ada"); err == nil {
			t.Error("the repack succeeded")
		}
	}
	w.save("ada", "New", "tin")
	use()
	w.save("bob", "New", "tin")
	if n := w.find("bob", "tin"); n != 1 {
		t.Errorf("another wiki isn't indexed: %d pages", n)
	}
	if _, err := w.Exports.CatchUp(t.Context(), "bob"); err != nil {
		t.Errorf("another wiki isn't exported: %v", err)
	}
	if err := w.Exports.Repack(t.Context(), "bob"); err != nil {
		t.Errorf("another wiki isn't repacked: %v", err)
	}
	const all = "export index repack"
	if got := w.works(); got != all {
		t.Errorf("panicked: %s", got)
	}
	w.checkReported(all)

	w.reopen("v1")
	w.save("bob", "Newer", "lead")
	if n := w.find("bob", "lead"); n != 1 {
		t.Errorf("another wiki isn't indexed after a restart: %d pages", n)
	}
	use()
	if got := w.works(); got != "" {
		t.Errorf("met again after a restart: %s", got)
	}

	w.mu.Lock()
	w.broken = ""
	w.mu.Unlock()
	w.reopen("v2")
	if n := w.find("ada", "tin"); n != 1 {
		t.Errorf("a new version doesn't index what was set aside: %d pages", n)
	}
	if _, err := w.Exports.CatchUp(t.Context(), "ada"); err != nil {
		t.Errorf("a new version doesn't export what was set aside: %v", err)
	}
	if c := w.checkPanics(t.Context()); len(c) != 0 {
		t.Errorf("alarm after the repair: %v", c)
	}
}

// checkReported checks the log, the metrics and the alarm for these kinds of work.
func (w *panicWorld) checkReported(works string) {
	w.t.Helper()
	r := httptest.NewRecorder()
	w.Metrics.Handler("").ServeHTTP(r, httptest.NewRequest("GET", "/metrics", nil))
	if r.Code != http.StatusOK {
		w.t.Fatal(r.Code)
	}
	for work := range strings.FieldsSeq(works) {
		for _, want := range []string{"work=" + work, "a bug in " + work} {
			if !strings.Contains(w.log.String(), want) {
				w.t.Errorf("the log lacks %q", want)
			}
		}
		if want := fmt.Sprintf("robot_panics_total{work=%q}", work); !strings.Contains(r.Body.String(), want) {
			w.t.Errorf("the metrics lack %s", want)
		}
	}
	if !strings.Contains(w.log.String(), "panic_test.go") {
		w.t.Error("the log lacks the stack")
	}
	found := w.checkPanics(w.t.Context())
	if len(found) != 1 || found[0].Key != "panic" || !strings.Contains(found[0].Text, "robot admin aside") {
		w.t.Errorf("alarm: %v", found)
	}
}

type fakeSweep func()

func (f fakeSweep) Sweep(context.Context) error { f(); return nil }

// A sweep or check that panics keeps neither its next turn nor the others from running.
func TestPanicsInSweepsAndChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		panics, swept, checked := 0, 0, 0
		workers := background.New(background.Options{Log: log, Panicked: func(*background.Panic) { panics++ }})
		s := startSweeper(log, workers, fakeSweep(func() { panic("sweep") }), fakeSweep(func() { swept++ }))
		time.Sleep(2*sweepEvery + time.Minute)
		s.stop()
		if panics != 2 || swept != 2 {
			t.Errorf("swept %d times with %d panics", swept, panics)
		}
		panics = 0
		watcher := watch.Start(watch.Options{Background: workers, Log: log, Checks: []watch.Check{
			func(context.Context) []watch.Condition { panic("check") },
			func(context.Context) []watch.Condition { checked++; return nil },
		}})
		time.Sleep(2*time.Minute + time.Second)
		watcher.Stop()
		if panics != 3 || checked != 3 {
			t.Errorf("checked %d times with %d panics", checked, panics)
		}
	})
}
