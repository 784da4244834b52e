package service

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/store"
	"robot.wtf/internal/watch"
	"robot.wtf/internal/wiki"
)

// openWithWikis opens a service with some wikis.
func openWithWikis(t *testing.T, slugs ...string) *panicWorld {
	t.Helper()
	w := &panicWorld{t: t, dir: t.TempDir(), log: new(syncBuffer)}
	w.open("1")
	t.Cleanup(func() { w.Close() })
	for _, slug := range slugs {
		if err := w.Store.CreateSite(t.Context(), wiki.User{DID: "did:plc:" + slug, Handle: slug + ".test"}, slug, nil, 1); err != nil {
			t.Fatal(err)
		}
		if err := w.Content.Create(t.Context(), slug); err != nil {
			t.Fatal(err)
		}
		w.save(slug, "Home", "# Home\n")
	}
	return w
}

// Every check that the service needs runs, and its alarm reaches the operator. It says
// which part is wrong and which command helps.
func TestAlarmsReachTheOperator(t *testing.T) {
	t.Parallel()
	w := openWithWikis(t, "missing", "broken", "whole")
	notices := make(chan watch.Notice, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var n watch.Notice
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
			t.Error(err)
		}
		notices <- n
	}))
	defer hook.Close()
	if err := w.Service.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(w.dir, "wikis", "missing", "wiki.db")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "wikis", "broken", "wiki.db"), []byte("no database, but long enough to be one"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.open("1")
	if _, _, err := w.Content.Open(t.Context(), "broken"); err == nil {
		t.Fatal("the damaged wiki opens")
	}
	for i := range 2 {
		if err := w.Store.AddReport(t.Context(), store.Report{Slug: "whole", Page: fmt.Sprint("/", i), Reason: "other"}); err != nil {
			t.Fatal(err)
		}
	}
	w.NoteProblem("socket", "The socket couldn't be created.")
	w.panics.Store(3)
	w.o.Config.Watch.Webhook, w.o.Config.Watch.Backup = hook.URL, filepath.Join(w.dir, "no-backups")
	if err := w.Watch(); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"wiki-missing": "The database of missing is missing. The wiki answers 503 until it is restored: robot restore --wiki missing.",
		"wiki-broken":  "robot restore --wiki broken --replace.",
		"reports":      "2 reports from readers are open: run robot admin reports.",
		"socket":       "The socket couldn't be created.",
		"panic":        "Background work panicked 3 times since the start; the log has the stacks. 0 pages or wikis are set aside: run robot admin aside.",
		"backup":       "No backup has ever been taken.",
	}
	for deadline := time.After(20 * time.Second); len(want) > 0; {
		select {
		case n := <-notices:
			if text, wanted := want[n.Key]; wanted && !strings.Contains(n.Text, text) {
				t.Errorf("%s: %q", n.Key, n.Text)
			}
			delete(want, n.Key)
		case <-deadline:
			t.Fatalf("no alarm for %v", want)
		}
	}
	notifyingReports(t, w, notices)
}

// notifyingReports tests that a new report is announced without its words, once in ten
// minutes.
func notifyingReports(t *testing.T, w *panicWorld, notices <-chan watch.Notice) {
	t.Helper()
	w.notifyReport("whole", "spam")
	w.notifyReport("whole", "again")
	w.watcher.Announce("end", "")
	var reports []watch.Notice
	for deadline := time.After(20 * time.Second); ; {
		select {
		case n := <-notices:
			switch n.Key {
			case "report":
				reports = append(reports, n)
			case "end":
				if len(reports) != 1 || reports[0].State != "news" || reports[0].Text != "A page of whole was reported (spam): run robot admin reports." {
					t.Errorf("%+v", reports)
				}
				return
			}
		case <-deadline:
			t.Fatal("a report isn't announced")
		}
	}
}

// From the 21st damaged wiki on, one alarm covers all others.
func TestManyDamagedWikis(t *testing.T) {
	t.Parallel()
	w := openWithWikis(t)
	for i := range maxNamedWikis + 2 {
		_ = w.Content.NoteMissing(fmt.Sprint("wiki", i))
	}
	got := w.checkWikis(t.Context())
	if last := got[len(got)-1]; len(got) != maxNamedWikis+1 || last.Key != "wikis" || last.Text != "22 wikis are damaged or missing: run robot admin wikis." {
		t.Errorf("%d alarms, the last %+v", len(got), last)
	}
}

func TestUnwritableDatabaseIsAnAlarm(t *testing.T) {
	t.Parallel()
	w := openWithWikis(t)
	if err := w.Store.Close(); err != nil {
		t.Fatal(err)
	}
	var got []watch.Condition
	for _, check := range w.checks() {
		got = append(got, check(t.Context())...)
	}
	got = slices.DeleteFunc(got, func(c watch.Condition) bool { return c.Key == "disk" }) // this machine's
	if len(got) != 1 || got[0].Key != "database" || !strings.Contains(got[0].Text, "can't be written, so nobody can sign in or save: ") {
		t.Errorf("%+v", got)
	}
}

func TestExportMismatchIsAnAlarm(t *testing.T) {
	wantAlarm(t, "without one", exportsCondition(0), "")
	got := exportsCondition(2)
	if len(got) != 1 || got[0].Key != "export" || !strings.HasPrefix(got[0].Text, "2 exports since the start") {
		t.Errorf("%+v", got)
	}
}
