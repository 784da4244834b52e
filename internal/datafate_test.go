package internal_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/content"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/store"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// rowsOf visits the data map's rows of some stores with their files, for ada's
// wiki.
func (w *dataWorld) rowsOf(visit func(r dataRow, name, file string)) {
	files := map[string]string{"platform": w.platformFile(), "content": w.wikiFile("ada", "wiki.db"), "search": w.wikiFile("ada", "index.db")}
	for _, r := range dataMap {
		visit(r, r.store+"."+r.table, files[r.store])
	}
}

// sweep lets time pass until everything deleted is purged.
func (w *dataWorld) sweep() {
	w.t.Helper()
	w.now = w.now.Add(tenant.Grace)
	w.must(w.tenant.Sweep(w.t.Context()))
	w.must(w.tenant.Sweep(w.t.Context())) // the wiki first, then its owner
	w.must(w.db.SweepOAuth(w.t.Context(), w.now.AddDate(0, 0, -7), 100))
	// New sign-ins and codes remove those that have expired.
	w.must(w.db.StartSession(w.t.Context(), store.Session{ID: "later", DID: adaUser.DID, Expires: w.now.Add(time.Hour)}))
	w.must(w.db.AddCode(w.t.Context(), "later", store.Code{SID: "later", Slug: "ada", Expires: w.now.Add(time.Minute)}))
	w.must(w.db.AddSignIn(w.t.Context(), "later", store.SignIn{Data: "{}", Back: "/", Expires: w.now.Add(time.Minute)}))
}

// TestDataOfDeletedAccount: after a person deleted their account, what identifies
// them is where the data map says it is kept, and nowhere else.
func TestDataOfDeletedAccount(t *testing.T) {
	w := newDataWorld(t)
	w.populate()
	identity := []string{canaryDID, canaryName}
	before := map[string]bool{}
	w.rowsOf(func(_ dataRow, name, file string) {
		before[name] = len(w.has(file, strings.SplitN(name, ".", 2)[1], identity...)) > 0
	})
	w.rowsOf(func(r dataRow, name, _ string) {
		if planted := before[name]; !planted && strings.Contains(r.person, "DID") {
			t.Errorf("%s: the test writes no personal data there, so it shows nothing", name)
		} else if planted && r.account == untouched && r.wiki != expires {
			t.Errorf("%s holds personal data; the data map says it has none", name)
		}
	})
	w.must(w.tenant.DeleteAccount(t.Context(), wiki.Caller{User: canaryUser}, canaryName))
	w.sweep()
	w.rowsOf(func(r dataRow, name, file string) {
		found := w.has(file, r.table, identity...)
		if r.account == kept && len(found) == 0 && before[name] {
			t.Errorf("%s is kept, says the data map; nothing is there", name)
		}
		if r.account != kept && len(found) > 0 && !(r.wiki == kept && r.account == anonymized && cmp.Equal(found, []string{canaryName})) {
			t.Errorf("%s (%s) still has %q", name, r.account, found)
		}
	})
	if found := w.has(w.platformFile(), "former", canaryDID); len(found) > 0 {
		t.Error("former has the DID itself")
	}
}

// TestDataOfDeletedWiki: after a wiki was purged, its name and text are only where
// the data map says they are kept.
func TestDataOfDeletedWiki(t *testing.T) {
	w := newDataWorld(t)
	w.populate()
	slug := canaryName
	inRows := func(table string) (rows []string) { // of the wiki, not of its owner
		for _, line := range w.contents(w.platformFile(), table) {
			for value := range strings.SplitSeq(line, " | ") {
				if value == slug {
					rows = append(rows, line)
				}
			}
		}
		return rows
	}
	for _, r := range dataMap {
		if r.store == "platform" && (r.wiki == deleted || r.wiki == anonymized) && r.table != "oauth_refresh" && len(inRows(r.table)) == 0 {
			t.Errorf("%s has no row of the wiki, so this test shows nothing", r.table)
		}
	}
	refresh := len(w.contents(w.platformFile(), "oauth_refresh"))
	w.must(w.tenant.DeleteWiki(t.Context(), w.access(slug, canaryUser), slug))
	w.sweep()
	for _, r := range dataMap {
		if r.store != "platform" {
			continue
		}
		rows := inRows(r.table)
		if r.wiki == kept && len(rows) == 0 {
			t.Errorf("%s is kept, says the data map; nothing is there", r.table)
		}
		if (r.wiki == deleted || r.wiki == expires || r.wiki == anonymized) && len(rows) > 0 {
			t.Errorf("%s (%s) still has %q", r.table, r.wiki, rows)
		}
	}
	if now := len(w.contents(w.platformFile(), "oauth_refresh")); now != refresh-1 {
		t.Errorf("%d refresh tokens, %d before the wiki was deleted", now, refresh)
	}
	left, err := filepath.Glob(filepath.Join(w.dir, "wikis", "*", slug+"*"))
	w.must(err)
	if _, err := os.Stat(w.wikiFile(slug, "")); err == nil || len(left) > 0 {
		t.Errorf("files of the wiki are left: %v %q", err, left)
	}
}

// TestDataInBackup: a backup brings back every row of every table.
func TestDataInBackup(t *testing.T) {
	w := newDataWorld(t)
	w.populate()
	w.must(os.MkdirAll(filepath.Join(w.dir, "keys"), 0o700))
	want := map[string][]string{}
	w.rowsOf(func(r dataRow, name, file string) { want[name] = w.contents(file, r.table) })
	restored := w.backUp()
	restored.rowsOf(func(r dataRow, name, file string) {
		if diff := cmp.Diff(want[name], restored.contents(file, r.table)); diff != "" {
			t.Errorf("%s is restored with differences (-backed up +restored):\n%s", name, diff)
		}
	})
}

// TestDerivedDataIsRebuilt: a deleted index comes back as it was.
func TestDerivedDataIsRebuilt(t *testing.T) {
	w := newDataWorld(t)
	w.populate()
	want := map[string][]string{}
	derived := func(visit func(name, table, file string)) {
		w.rowsOf(func(r dataRow, name, file string) {
			if r.kind == rebuilt {
				visit(name, r.table, file)
			}
		})
	}
	derived(func(name, table, file string) {
		if want[name] = w.contents(file, table); len(want[name]) == 0 && table != "chunks" { // there is no model here
			t.Errorf("%s is empty, so this test shows nothing", name)
		}
	})
	w.close()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(w.wikiFile("ada", "index.db"+suffix))
	}
	w.open()
	w.catchUp("ada")
	derived(func(name, table, file string) {
		if diff := cmp.Diff(want[name], w.contents(file, table)); diff != "" {
			t.Errorf("%s is rebuilt with differences (-before +after):\n%s", name, diff)
		}
	})
}

// TestDataTakenDown: a takedown keeps the content and takes its words out of the
// index.
func TestDataTakenDown(t *testing.T) {
	w := newDataWorld(t)
	w.populate()
	operator := w.access("ada", wiki.User{})
	for _, name := range []string{"Folder/Notes", "Folder/Notes/file.txt"} {
		_, err := w.pages.TakeDown(t.Context(), operator, name, "by order of a court")
		w.must(err)
	}
	w.withWiki("ada", func(ctx context.Context, c *content.Wiki) error {
		if err := c.MayRead(mustLookup(t, c, "Folder/Notes.md").Blob); err == nil {
			t.Error("the page can be read")
		}
		return nil
	})
	w.catchUp("ada")
	w.rowsOf(func(r dataRow, name, file string) {
		found := w.has(file, r.table, canaryText)
		if r.store == "search" && len(found) > 0 {
			t.Errorf("%s still has the text", name)
		}
		if strings.HasPrefix(r.removal, "kept") && len(found) == 0 {
			t.Errorf("%s is kept, says the data map; nothing is there", name)
		}
		if r.removal == "adds a row" && len(w.contents(file, r.table)) != 2 {
			t.Errorf("%s: %q", name, w.contents(file, r.table))
		}
	})
}

// TestDataErased: after an erasure no table and no byte on disk has the text, and
// everything else is as it was.
func TestDataErased(t *testing.T) {
	w := newDataWorld(t)
	w.populate()
	before, found := map[string]int{}, 0
	w.rowsOf(func(r dataRow, name, file string) {
		before[name] = len(w.contents(file, r.table))
		found += len(w.has(file, r.table, canaryText))
	})
	if found == 0 {
		t.Fatal("the text is nowhere, so this test shows nothing")
	}
	a := w.access("ada", adaUser)
	_, err := w.pages.Erase(t.Context(), a, pages.Erasure{Text: canaryText})
	w.must(err)
	w.must(w.tenant.RecordErasure(t.Context(), a))
	w.catchUp("ada")
	w.rowsOf(func(r dataRow, name, file string) {
		now := len(w.contents(file, r.table))
		if found := w.has(file, r.table, canaryText); len(found) > 0 && r.store != "platform" {
			t.Errorf("%s still has %q", name, found)
		}
		changes := r.erasure == "adds rows" || r.erasure == "moves rows to other_blobs" || r.erasure == "drops rows" || r.erasure == "records it" || r.table == "commits"
		if (now != before[name]) != changes && r.store != "search" && r.table != "sqlite_sequence" {
			t.Errorf("%s (%s) had %d rows and has %d", name, r.erasure, before[name], now)
		}
	})
	for _, name := range []string{"wiki.db", "wiki.db-wal", "index.db", "index.db-wal"} {
		if data, err := os.ReadFile(w.wikiFile("ada", name)); err == nil && bytes.Contains(data, []byte(canaryText)) {
			t.Errorf("the text is still in the bytes of %s", name)
		}
	}
	for _, e := range w.contents(w.platformFile(), "audit") {
		if strings.Contains(e, canaryText) {
			t.Errorf("the audit log says what was erased: %s", e)
		}
	}
}

func mustLookup(t *testing.T, c *content.Wiki, path string) wiki.File {
	t.Helper()
	f, err := c.Lookup(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
