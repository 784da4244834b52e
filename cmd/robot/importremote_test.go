package main

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"robot.wtf/internal/testworld"
)

// Imports the files of a repository on another server, by its address.
func TestImportAddress(t *testing.T) {
	notes := filepath.Join(t.TempDir(), "notes")
	for _, args := range [][]string{{"init", "-q", "-b", "main", notes}, {"-C", notes, "add", "."}, {"-C", notes, "-c", "user.name=Grace", "-c", "user.email=g@example.org", "commit", "-q", "-m", "First"}} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git: %v: %s", err, out)
		}
		if err := os.WriteFile(filepath.Join(notes, "Sails.md"), []byte("# Sails\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := &live{t: t, dir: t.TempDir(), log: &lockedBuffer{}, outgoing: testworld.ServeGit(t, notes)}
	l.must(copySeeded(l.dir))
	l.open()
	run := func(address string) (string, error) {
		var out bytes.Buffer
		err := importWiki(context.Background(), l.Service, url.Values{"wiki": {"ada"}, "address": {address}, "into": {"Notes"}, "clashes": {"mine"}}, strings.NewReader(""), &out)
		return out.String(), err
	}
	if out, err := run("https://example.com/notes.git"); err != nil || !strings.Contains(out, "Downloading from example.com") || !strings.Contains(out, "a git repository: 1 page") || !strings.Contains(out, "ada: 1 page and 0 other files imported") {
		t.Errorf("%s%v", out, err)
	}
	if out, err := run("https://example.com/none.git"); err == nil || !strings.Contains(err.Error(), "doesn't exist or is private") {
		t.Errorf("missing: %s%v", out, err)
	}
}
