package main

import (
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/config"
	"robot.wtf/internal/service"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/wiki"
)

// harms are ways to damage a file.
var harms = map[string]func(file string) error{
	"missing":   os.RemoveAll,
	"truncated": func(file string) error { return truncate(file, 2) },
	"cut off":   func(file string) error { return os.Truncate(file, 0) },
	"zeroed": func(file string) error {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		return os.WriteFile(file, make([]byte, info.Size()), 0o600)
	},
	"directory": func(file string) error {
		if err := os.RemoveAll(file); err != nil {
			return err
		}
		return os.MkdirAll(filepath.Join(file, "below"), 0o700)
	},
}

// truncate cuts a file to a part of its size.
func truncate(file string, part int64) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return os.Truncate(file, info.Size()/part)
}

// killedData returns a data directory as a killed service leaves it, with
// write-ahead logs, exports and leftovers, and its wikis' tokens.
func killedData(t *testing.T) (dir string, facts devFile) {
	t.Helper()
	l := startLive(t)
	updateHelp(t.Context(), l.Service, config.DevHost, discardLog())
	l.restart() // the tokens are no longer in the log of robot.db
	for _, slug := range []string{"ada", "bob"} {
		l.save(slug, "Written", "before it was killed")
		if _, err := l.Exports.CatchUp(t.Context(), slug); err != nil {
			t.Fatal(err)
		}
		l.api("GET", slug, "/api/v1/search?q=written", l.token(slug, "owner"), "")
	}
	l.must(os.MkdirAll(filepath.Join(l.dir, "wikis", ".scratch", "bob-123"), 0o700))
	l.must(os.WriteFile(filepath.Join(l.dir, "wikis", ".scratch", "bob-123", "wiki.db"), []byte("half"), 0o600))
	l.must(os.WriteFile(filepath.Join(l.dir, "robot.sock"), nil, 0o600))
	l.must(os.WriteFile(filepath.Join(l.dir, "lock"), []byte("1\n"), 0o600))
	dir = t.TempDir()
	copyDir(t, l.dir, dir)
	return dir, l.facts
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from+"/.", to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// concernsService reports whether a file belongs to the whole service, which doesn't
// start without it.
func concernsService(name string) bool {
	switch name {
	case "robot.db", "robot.db-wal", "keys/signing.pem", "keys/names.key", "wikis":
		return true
	}
	return false
}

// Whatever happens to one file, the service starts and serves everything else. Damage
// to a wiki is answered with 503, never as if something had been deleted. Only the
// platform's database and keys can stop a start, with an error that names the file.
func TestStartsWithAnyFileDamaged(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the service often")
	}
	every := 31 // of the combinations of a file and a kind of damage
	if os.Getenv("ROBOT_LONG") != "" {
		every = 1
	} else if slow.Enabled() {
		every = 3
	}
	whole, facts := killedData(t)
	var files []string
	err := filepath.WalkDir(whole, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(whole, path)
		switch {
		case err != nil || name == ".":
			return err
		case entry.IsDir() && strings.HasSuffix(name, ".git"):
			files = append(files, name)
			return fs.SkipDir
		case strings.HasPrefix(name, "wikis/ada"), name == "dev.json": // ada's are like bob's
			return nil
		case entry.IsDir() && strings.Count(name, "/") == 0:
			return nil
		}
		files = append(files, name)
		return nil
	})
	if err != nil || len(files) < 15 {
		t.Fatalf("%q, %v", files, err)
	}
	starts := 0
	for i, name := range files {
		for k, what := range slices.Sorted(maps.Keys(harms)) {
			if (i*len(harms)+k)%every != 0 {
				continue
			}
			harm := harms[what]
			dir := t.TempDir()
			copyDir(t, whole, dir)
			file := filepath.Join(dir, name)
			if info, err := os.Lstat(file); err != nil {
				t.Fatal(err)
			} else if !info.Mode().IsRegular() && what != "missing" && what != "directory" {
				continue
			}
			if err := harm(file); err != nil {
				t.Fatal(err)
			}
			starts++
			startDamaged(t, dir, name, what, facts)
			_ = os.RemoveAll(dir)
		}
	}
	t.Logf("measured: %d starts with damage to %d files", starts, len(files))
}

// startDamaged starts a service on a damaged directory and checks its answers.
func startDamaged(t *testing.T, dir, name, what string, facts devFile) {
	t.Helper()
	l := &live{t: t, dir: dir, log: &lockedBuffer{}, facts: facts}
	lock, err := service.Lock(dir)
	if err == nil {
		defer lock.Release()
		err = l.tryOpen()
	}
	if err != nil {
		if !concernsService(name) {
			t.Errorf("%s %s: it doesn't start: %v", name, what, err)
		} else if !strings.Contains(err.Error(), filepath.Base(strings.TrimSuffix(name, "-wal"))) {
			t.Errorf("%s %s: the error doesn't name the file: %v", name, what, err)
		}
		return
	}
	defer l.Service.Close()
	updateHelp(t.Context(), l.Service, config.DevHost, discardLog())
	if socket, err := openSocket(l.Service, dir, discardLog()); err == nil {
		defer socket.close()
	} else if name != "robot.sock" {
		t.Errorf("%s %s: no socket: %v", name, what, err)
	}
	harmed, _, _ := strings.Cut(strings.TrimPrefix(name, "wikis/"), "/")
	for _, slug := range []string{"ada", "bob", wiki.HelpSlug} {
		paths := []string{"/api/v1/pages/Home", "/api/v1/search?q=garden"}
		if slug == harmed {
			paths = append(paths, "/repo.git/info/refs?service=git-upload-pack")
		}
		for _, path := range paths {
			token := ""
			if slug != wiki.HelpSlug {
				token = l.token(slug, "owner")
			}
			got := l.api("GET", slug, path, token, "")
			switch {
			case got.Code == http.StatusOK:
			case got.Code == http.StatusServiceUnavailable && slug == harmed && (name == "wikis/"+slug || strings.HasPrefix(name, "wikis/"+slug+"/wiki.db")):
			default:
				t.Errorf("%s %s: %s of %s answers %d: %.300s", name, what, path, slug, got.Code, got.Body)
			}
		}
	}
	if out := l.do("wikis"); !strings.Contains(out, "bob") {
		t.Errorf("%s %s: the operator's list: %s", name, what, out)
	}
}

// A damaged help wiki is made again from the binary, and the damaged files are kept.
// One that an older version suspended or deleted is opened again.
func TestHelpIsMadeAgain(t *testing.T) {
	l := startLive(t)
	update := func() {
		t.Helper()
		updateHelp(t.Context(), l.Service, config.DevHost, discardLog())
		if w := l.browser().get(wiki.HelpSlug+"."+config.DevHost, "/Home"); w.Code != http.StatusOK {
			t.Errorf("the help answers %d: %.300s", w.Code, w.Body)
		}
	}
	update()
	file := filepath.Join(l.dir, "wikis", wiki.HelpSlug, "wiki.db")
	for what, harm := range harms {
		l.must(l.Service.Close())
		l.must(harm(file))
		l.open()
		update()
		if kept, _ := filepath.Glob(filepath.Join(l.dir, "wikis", ".replaced", wiki.HelpSlug, "*")); len(kept) == 0 {
			t.Errorf("%s: the damaged files aren't kept", what)
		}
	}
	l.must(l.Store.SuspendSite(t.Context(), wiki.HelpSlug, "by an older version"))
	update()
	l.must(l.Store.ScheduleDeletionNow(t.Context(), wiki.HelpSlug))
	update()
	site, err := l.Store.Site(t.Context(), wiki.HelpSlug)
	l.must(err)
	l.must(l.Store.SuspendUser(t.Context(), site.OwnerDID, ""))
	update()
	l.must(l.Store.DropSite(t.Context(), wiki.HelpSlug))
	update()

	for _, args := range [][]string{{"suspend", "name", "help", "user", "false"}, {"suspend", "name", "help", "user", "true"},
		{"delete", "name", "help", "user", "false", "now", "true"}, {"delete", "name", "help", "user", "false"}, {"delete", "name", "help", "user", "true"}} {
		if err := l.try(args...); err == nil || !strings.Contains(err.Error(), "part of the program") {
			t.Errorf("%q: %v", args, err)
		}
	}
	update()
}

// A directory that lost robot.db isn't taken for a new one, and neither is half of a
// restore.
func TestLostPlatformDatabase(t *testing.T) {
	l := startLive(t)
	l.must(l.Service.Close())
	for _, suffix := range []string{"", "-wal", "-shm"} {
		l.must(os.RemoveAll(filepath.Join(l.dir, "robot.db"+suffix)))
	}
	if err := l.tryOpen(); err == nil || !strings.Contains(err.Error(), "robot.db is missing") {
		t.Errorf("it starts: %v", err)
	}
	l.must(os.MkdirAll(filepath.Join(l.dir, ".restoring"), 0o700))
	l.must(os.WriteFile(filepath.Join(l.dir, ".restoring", "complete"), []byte("20261127T100000.000Z"), 0o600))
	if err := l.tryOpen(); err == nil || !strings.Contains(err.Error(), "robot restore") {
		t.Errorf("it starts: %v", err)
	}
}

// Vanished and damaged wikis answer 503 on every front end, but not to strangers. They
// raise alarms and are listed.
func TestDamagedWikisAreReported(t *testing.T) {
	l := startLive(t)
	token := l.token("bob", "owner")
	l.must(l.Service.Close())
	l.must(os.RemoveAll(filepath.Join(l.dir, "wikis", "bob", "wiki.db")))
	l.open()
	paths := []string{"/api/v1/pages/Home", "/repo.git/info/refs?service=git-upload-pack", "/Home", "/", "/-/changelog", "/-/search?q=x"}
	reader := l.signIn("bob", "bob")
	for _, path := range paths {
		var code int
		var body string
		if strings.HasPrefix(path, "/api") || strings.HasPrefix(path, "/repo") {
			w := l.api("GET", "bob", path, token, "")
			code, body = w.Code, w.Body.String()
		} else {
			w := reader.get("bob."+config.DevHost, path)
			code, body = w.Code, w.Body.String()
		}
		if code != http.StatusServiceUnavailable || !strings.Contains(body, "missing from the server") {
			t.Errorf("%s: %d %.400s", path, code, body)
		}
	}
	call := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_page","arguments":{"path":"Home"}}}`
	if w := l.api("POST", "bob", "/mcp", token, call); !strings.Contains(w.Body.String(), "missing from the server") {
		t.Errorf("MCP: %d %s", w.Code, w.Body)
	}
	for _, path := range paths { // to strangers, the wiki looks like one that doesn't exist
		there, never := l.browser().get("bob."+config.DevHost, path), l.browser().get("nobody."+config.DevHost, path)
		if there.Code != never.Code || strings.Contains(there.Body.String(), "missing from") {
			t.Errorf("%s tells strangers %d, and %d for no wiki", path, there.Code, never.Code)
		}
	}
	if out := l.do("wikis"); !strings.Contains(out, "missing") {
		t.Errorf("the operator's list: %s", out)
	}
	l.wants(http.StatusOK, "ada", "Home")
}
