package content

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// TestIDsAreGits replays random histories with git fast-import, from the log, and
// compares every commit's id.
func TestIDsAreGits(t *testing.T) {
	rounds := 3
	if longTests() {
		rounds = 20
	}
	for seed := range rounds {
		c := newClock()
		w := newWiki(t, c.Now)
		scribble(t, w, c, rand.New(rand.NewPCG(uint64(seed), 1)), 80)
		compareWithGit(t, w)
	}
}

var oddNames = []string{"Home.md", "Design/VPS_Architecture.md", "Design/VPS_Architecture/diagram.png", "Größe/Ü.md", "日本語/ページ.md", "a b/c d.md",
	"Design.md", "Design-x.md", "Design0.md", "\"quoted\".md", "tab.md", "emoji-🙂.md", "deep/er/and/deep/er.md", "deep/er.md", "x.PDF", "-dash.md", "semi;colon$(x).md"}

// scribble makes random commits: edits, merges of outdated ones, moves, deletions.
func scribble(t *testing.T, w *Wiki, c *clock, r *rand.Rand, commits int) {
	t.Helper()
	stale := map[string]string{}
	for range commits {
		c.add(time.Duration(r.IntN(100000)) * time.Millisecond)
		path := oddNames[r.IntN(len(oddNames))]
		file, data, err := w.Read(t.Context(), path)
		exists := err == nil
		var edit Edit
		switch n := r.IntN(10); {
		case exists && n == 0:
			edit = Edit{Op: Delete, Path: path, Base: BaseAny}
		case exists && n <= 2:
			edit = Edit{Op: Move, Path: path, To: oddNames[r.IntN(len(oddNames))], Base: BaseAny}
		case exists && n <= 5 && stale[path] != "":
			old, err := w.Blob(t.Context(), stale[path])
			if err != nil {
				t.Fatal(err)
			}
			edit = Edit{Path: path, Base: stale[path], Data: fmt.Appendf(old, "end %d\n", r.IntN(1000))}
		case exists:
			stale[path] = file.Blob
			edit = Edit{Path: path, Base: file.Blob, Data: append(fmt.Appendf(nil, "top %d\n", r.IntN(1000)), data...)}
		default:
			edit = Edit{Path: path, Data: []byte("one\ntwo\nthree\nfour\nfive\n")}
		}
		who := []wiki.Caller{ada, bob, bot}[r.IntN(3)]
		_, err = w.Commit(t.Context(), Request{Author: who, Message: []string{"", "Ein Wörtchen", "two\n\nparagraphs: here", "  padded \n\n"}[r.IntN(4)], Limits: wiki.DefaultLimits, Edits: []Edit{edit}})
		if err != nil && !errors.Is(err, wiki.ErrConflict) && !errors.Is(err, wiki.ErrExists) && !errors.Is(err, wiki.ErrInvalid) {
			t.Fatalf("%+v: %v", edit, err)
		}
	}
}

func compareWithGit(t *testing.T, w *Wiki) {
	t.Helper()
	log, err := w.Log(t.Context(), LogFilter{Ascending: true, Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	var in bytes.Buffer
	for _, c := range log {
		var raw []byte
		if err := w.queryRow(t.Context(), "SELECT raw FROM commits WHERE wiki = $1 AND seq = $2", w.slug, c.Seq).Scan(&raw); err != nil {
			t.Fatal(err)
		}
		_, message, _ := strings.Cut(string(raw), "\n\n")
		at := c.Time.Unix()
		fmt.Fprintf(&in, "commit refs/heads/main\nauthor %s <%s> %d +0000\ncommitter robot.wtf <noreply@robot.wtf> %d +0000\ndata %d\n%s", c.Author.Username, c.Author.DID, at, at, len(message), message)
		for _, ch := range c.Changes { // names are freed before they are used again
			if ch.From != "" {
				fmt.Fprintf(&in, "D %s\n", quoted(ch.From))
			} else if ch.New == "" {
				fmt.Fprintf(&in, "D %s\n", quoted(ch.Path))
			}
		}
		for _, ch := range c.Changes {
			if ch.New == "" {
				continue
			}
			data, err := w.Blob(t.Context(), ch.New)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", quoted(ch.Path), len(data), data)
		}
	}
	dir := t.TempDir()
	git(t, dir, nil, "init", "-q", "--bare", ".")
	git(t, dir, in.Bytes(), "fast-import", "--quiet", "--force")
	ids := strings.Fields(git(t, dir, nil, "rev-list", "--reverse", "main"))
	if len(ids) != len(log) {
		t.Fatalf("%d commits here, %d in git", len(log), len(ids))
	}
	for i, c := range log {
		if c.ID != ids[i] {
			t.Fatalf("commit %d is %s here and %s in git: %+v", c.Seq, c.ID, ids[i], c)
		}
	}
	git(t, dir, nil, "fsck", "--strict", "--no-dangling")
}

func quoted(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}

func git(t *testing.T, dir string, in []byte, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Stdin = bytes.NewReader(in)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "HOME=/nonexistent")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args[0], err, stderr.String())
	}
	return string(out)
}

// Backups are verified with CheckFile, which must accept every tree that Commit
// makes, such as folders that hold only folders.
func TestCheckFileAcceptsNestedFolders(t *testing.T) {
	w := newWiki(t, time.Now)
	must(t, w, ada, Edit{Path: "a/b/c/d.md", Data: []byte("x\n")}, Edit{Path: "a/b2/c.md", Data: []byte("y\n")}, Edit{Path: "e/f/g.md", Data: []byte("z\n")})
	copied := filepath.Join(t.TempDir(), "copy.db")
	if _, err := w.db.ExecContext(t.Context(), "VACUUM INTO '"+copied+"'"); err != nil {
		t.Fatal(err)
	}
	if facts, err := CheckFile(t.Context(), copied, w.slug); err != nil || facts.Files != 3 {
		t.Errorf("CheckFile: %+v, %v", facts, err)
	}
}
