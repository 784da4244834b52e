package gitremote

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/outbound"
)

// The newest files come without their history, and pass git's check.
func TestNewest(t *testing.T) {
	root, ids := newRepositories(t)
	client := newClient(t, gitServer(t, root), outbound.Options{})
	receiver, err := gitrepo.Find()
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]struct {
		head, files string
		shallow     bool
	}{
		"https://example.com/notes.git":               {ids["main"], "Home.md Second.md", true},
		"https://example.com/notes.git/tree/next/big": {ids["next/big"], "Home.md Next.md", true},
		"https://example.com/shallow.git":             {ids["main"], "Home.md Second.md", true},
	} {
		var bundle bytes.Buffer
		shallow, err := client.Newest(context.Background(), address(t, url), 1<<20, &bundle, nil)
		if err != nil || shallow != want.shallow {
			t.Errorf("%s: %v, %v", url, shallow, err)
			continue
		}
		received, err := receiver.UnpackNewest(context.Background(), filepath.Join(t.TempDir(), "received.git"), &bundle, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		files, err := received.HeadFiles(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range files {
			names = append(names, f.Path)
		}
		commits, err := received.Mainline(context.Background())
		if received.Head != want.head || strings.Join(names, " ") != want.files || err != nil || len(commits) != 1 {
			t.Errorf("%s: %s %q, %d commits, %v", url, received.Head, names, len(commits), err)
		}
		if err := received.Verify(context.Background()); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// Attack: a server that sends other commits as those whose history is missing.
func TestStartNewest(t *testing.T) {
	head, other := strings.Repeat("a", 40), strings.Repeat("b", 40)
	for answer, want := range map[string]bool{
		packets("shallow-info", "shallow "+head, delimiter, "packfile"): true,
		packets("shallow-info", delimiter, "packfile"):                  true,
		packets("packfile"): true,
		packets("shallow-info", "shallow "+other, delimiter, "packfile"):                    false,
		packets("shallow-info", "shallow "+head, "unshallow "+other, delimiter, "packfile"): false,
		packets("shallow-info", "shallow "+head, flush):                                     false,
		packets("shallow-info", "shallow "+head):                                            false,
		packets("acknowledgments", delimiter, "packfile"):                                   false,
		packets("ERR no"): false,
		"":                false,
	} {
		if err := startNewest(newPacketReader(strings.NewReader(answer), -1), head); (err == nil) != want {
			t.Errorf("%q: %v", answer, err)
		}
	}
}
